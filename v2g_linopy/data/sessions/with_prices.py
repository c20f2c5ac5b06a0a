"""Imported prices into a case: of its markets, and of its imbalance."""

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from ...case.units import factor
from ...errors import Problem, SchemaError
from ..tables.local_time import align
from ..tables.series import notes_of
from ..tables.unit_conversion import in_unit
from .currency import currency_of_prices, in_currency
from .markets import energy_market, imbalance_market
from .new_case import currency_of, with_meaning
from .origins import drop_forecasts, other_clock, replace_origin

ZONE = "timezone"
"""Attribute of `/energy` where nobody but the prices of a case told its zone: that zone."""


def with_prices(
    case: xr.DataTree,
    prices: xr.Dataset,
    markets: Sequence[str],
    imbalance: Sequence[str] = (),
    *,
    source: str = "",
) -> xr.DataTree:
    """Return a case with other prices, and with what is said of them.

    What comes with prices is replaced whole: the prices, their forecasts, and in the attributes
    `source` and `assumptions` the words on the old ones. What is of the market, not of a file of
    prices, stays as the case has it: `limit`, `spread`, `block`, `bid`, what is committed already,
    gates, and the products of `/reserve`.

    The months, days and hours of a case (peak tariffs, windows of loads, gates) are those of its
    site, so its zone stays, and prices of another clock are said to be. Only a case whose zone
    nobody but its prices told takes that of the new ones, where they tell one.

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
    source : str, default ""
        Where the prices come from, such as the name of their file.

    Returns
    -------
    xarray.DataTree
        The case with these prices in `/energy` and `/imbalance` (EUR/MWh, or in the money of the
        prices, if the case holds no amount in another one).

    Raises
    ------
    SchemaError
        Other markets than those of the case, steps that the prices do not cover, hours without a
        price, or prices in another money than amounts of the case.

    Examples
    --------
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.data import with_prices
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> price = ("time", [40.0] * 24, {"units": "EUR/MWh"})
    >>> prices = xr.Dataset({"day_ahead": price}, coords={"time": case["time"].values})
    >>> new = with_prices(case, prices, ["day_ahead"], source="spot.csv")
    >>> float(new["energy"].price.mean()), new.attrs["source"].split("; ")[-1]
    (40.0, 'spot.csv')
    """
    replaced = ["energy.price"]
    if imbalance:
        replaced += ["imbalance.price_long", "imbalance.price_short"]
    before, case = case, _in_money_of(case, prices[[*markets, *imbalance]], replaced)
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    currency = currency_of(case)
    energy = xr.Dataset()
    if "energy" in case.children:
        energy = case.children["energy"].to_dataset(inherit=False)
    if imbalance:
        settled = _imbalance(case, energy, align(prices, time), imbalance, currency)
        case["imbalance"] = xr.DataTree(settled)

    labels = [str(label) for label in energy.indexes.get("market", [])]
    names = list(markets)
    if len(labels) == len(names) == 1:
        prices, names = prices.rename({names[0]: labels[0]}), labels
    if sorted(names) != sorted(labels):
        there, given = ", ".join(labels) or "none", ", ".join(names)
        detail = f"the case has the markets {there}, the prices are {given}"
        raise SchemaError([Problem("energy.market", "labels", detail)], "the prices")
    fresh = energy_market(align(prices[names], time), labels, 0.0, currency)
    price = with_meaning("energy", fresh, currency)["price"]
    case["energy"] = xr.DataTree(energy.drop_vars("price", errors="ignore").assign(price=price))
    drop_forecasts(case, "energy.price", *(["imbalance."] if imbalance else []))
    if ZONE in case["energy"].attrs:
        own = case["energy"].attrs[ZONE]
        case.attrs["timezone"] = str(prices.attrs.get("timezone", own))
    name_prices(case, before, prices, labels, imbalance, source)
    return case


def _in_money_of(case: xr.DataTree, prices: xr.Dataset, replaced: Sequence[str]) -> xr.DataTree:
    """Return a copy of the case in the money of the prices, if they cannot be read in its own."""
    own = currency_of(case)
    units = [str(array.attrs.get("units", f"{own}/MWh")) for array in prices.values()]
    if all(factor(unit, "EUR/MWh", own) is not None for unit in units):
        return case.copy()
    return in_currency(case.copy(), currency_of_prices(prices), replaced)


def name_prices(
    case: xr.DataTree,
    before: xr.DataTree,
    prices: xr.Dataset,
    labels: Sequence[str],
    imbalance: Sequence[str] = (),
    source: str = "",
    regulation: bool = False,
) -> None:
    """Put, in place, where prices come from, and what was done to them, where the words on the old
    ones of `before` stood.

    With `regulation` the prices of `/reserve` are theirs, too.
    """
    origin = source or "imported prices"
    notes = notes_of(prices)
    clock = other_clock(case, prices)
    firsts = {"energy": f"/energy, {', '.join(labels)}: prices from {origin}."}
    if imbalance:
        firsts["imbalance"] = f"/imbalance, {' and '.join(imbalance)}: prices from {origin}."
    if regulation:
        firsts["reserve"] = f"/reserve: prices from {origin}."
    for group, first in firsts.items():
        said = [first, *(f"/{group}: {line}" for line in (clock, *notes) if line)]
        replace_origin(case, before, group, {"": said}, origin)
        before = case


def _imbalance(
    case: xr.DataTree,
    energy: xr.Dataset,
    prices: xr.Dataset,
    names: Sequence[str],
    currency: str,
) -> xr.Dataset:
    """Return the group `/imbalance`, limited as before, else as the markets are."""
    limit = 0.0
    if "limit" in energy:
        limit = float(in_unit(energy["limit"], "kW", "energy.limit").max())
    market = imbalance_market(prices, names, limit, currency)
    group = with_meaning("imbalance", market, currency)
    if "imbalance" in case.children:
        old = case.children["imbalance"].to_dataset(inherit=False)
        group = group.assign(limit=old["limit"]).assign_attrs(old.attrs)
    return group
