"""Imported prices into a case: of its markets, and of its imbalance."""

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.local_time import align
from .markets import energy_market, imbalance_market
from .new_case import FORECASTS, with_meaning


def with_prices(
    case: xr.DataTree, prices: xr.Dataset, markets: Sequence[str], imbalance: Sequence[str] = ()
) -> xr.DataTree:
    """Return a case with other prices; forecasts of those that they replace are dropped.

    Parameters
    ----------
    case : xarray.DataTree
        It is not changed.
    prices : xarray.Dataset
        Prices on ``time`` (naive UTC, uniform), as `read_prices` returns them; they have to cover
        the case.
    markets : sequence of str
        Prices of the energy markets, named as those are; a single price is that of a single market,
        whatever its name.
    imbalance : sequence of str, default ()
        Prices at which imbalance is settled: one, or what surplus is paid and what shortage costs.
        It is limited as before, else as the markets are.

    Returns
    -------
    xarray.DataTree
        The case with these prices in `/energy` and `/imbalance` (EUR/MWh).

    Raises
    ------
    SchemaError
        Other markets than those of the case, steps that the prices do not cover, or hours without a
        price.

    Examples
    --------
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.data import with_prices
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> price = ("time", [40.0] * 24, {"units": "EUR/MWh"})
    >>> prices = xr.Dataset({"day_ahead": price}, coords={"time": case["time"].values})
    >>> float(with_prices(case, prices, ["day_ahead"])["energy"].price.mean())
    40.0
    """
    case = case.copy()
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    energy = xr.Dataset()
    if "energy" in case.children:
        energy = case.children["energy"].to_dataset(inherit=False)
    if imbalance:
        case["imbalance"] = xr.DataTree(_imbalance(case, energy, align(prices, time), imbalance))

    labels = [str(label) for label in energy.indexes.get("market", [])]
    names = list(markets)
    if len(labels) == len(names) == 1:
        prices, names = prices.rename({names[0]: labels[0]}), labels
    if sorted(names) != sorted(labels):
        there, given = ", ".join(labels) or "none", ", ".join(names)
        detail = f"the case has the markets {there}, the prices are {given}"
        raise SchemaError([Problem("energy.market", "labels", detail)], "the prices")
    fresh = with_meaning("energy", energy_market(align(prices[names], time), labels, 0.0))
    case["energy"] = xr.DataTree(energy.drop_vars("price").assign(price=fresh["price"]))
    _drop_forecasts(case, settled=bool(imbalance))
    return case


def _imbalance(
    case: xr.DataTree, energy: xr.Dataset, prices: xr.Dataset, names: Sequence[str]
) -> xr.Dataset:
    """Return the group `/imbalance`, limited as before, else as the markets are."""
    limit = float(energy["limit"].max()) if "limit" in energy else 0.0
    group = with_meaning("imbalance", imbalance_market(prices, names, limit))
    if "imbalance" in case.children:
        group["limit"] = case["imbalance"].to_dataset()["limit"]
    return group


def _drop_forecasts(case: xr.DataTree, settled: bool) -> None:
    """Drop, in place, forecasts of prices that are no longer there."""
    if FORECASTS not in case.children:
        return
    known = case.children[FORECASTS].to_dataset(inherit=False)
    stale = [
        name
        for name in map(str, known)
        if name == "energy.price" or (settled and name.startswith("imbalance."))
    ]
    if set(known) - set(stale):
        case[FORECASTS] = xr.DataTree(known.drop_vars(stale))
    else:
        del case[FORECASTS]
