"""Two imbalance prices made of one: nobody gains by imbalance (docs/formulation.md §4)."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..case.io import calendar_of
from ..errors import Problem, SchemaError
from ..model.inputs import inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS

SETTLEMENTS = ("given", "dual")
"""How imbalance is settled: at the prices of the case, or at two that are made of them."""


def with_dual_prices(
    case: xr.DataTree, *, market: str | None = None, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Return a case in which imbalance earns no more, and costs no less, than a market.

    A surplus is paid the lower of both prices, a shortage is charged the higher::

        price_long = min(price_long, price),   price_short = max(price_short, price)

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/energy` and `/imbalance`.
    market : str, optional
        Whose price is compared; by default that of the first market.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case with `price_long` and `price_short` (money per kWh) of `/imbalance` changed.

    Raises
    ------
    SchemaError
        There is no imbalance, or no such market, or the case does not fit the schema.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> energy = xr.Dataset({"price": 40.0, "limit": 9.0}, coords={"market": ["day_ahead"]})
    >>> settlement = xr.Dataset({"price_long": ("time", [30.0, 90.0]), "limit": 9.0})
    >>> case = v2g.assemble(time, {"energy": energy, "imbalance": settlement})
    >>> imbalance = v2g.with_dual_prices(case)["imbalance"]
    >>> imbalance.price_long.values.tolist(), imbalance.price_short.values.tolist()
    ([0.03, 0.04], [0.04, 0.09])
    """
    data = inputs_of(case, parts).data
    if "imbalance" not in data:
        raise SchemaError([Problem("imbalance", "missing", "missing: two prices are made of one")])
    energy, imbalance = data.get("energy", xr.Dataset()), data["imbalance"]
    labels = [str(x) for x in energy.indexes.get("market", ())]
    if not labels or (market is not None and market not in labels):
        detail = f"{market!r} is not among: {', '.join(labels)}" if labels else "missing"
        raise SchemaError([Problem("energy.market", "value", detail)])
    price = energy.price.sel(market=market or labels[0], drop=True)
    unit = {"units": f"{calendar_of(case)[0].currency}/kWh"}
    prices = {
        "price_long": np.minimum(imbalance.price_long, price),
        "price_short": np.maximum(imbalance.get("price_short", imbalance.price_long), price),
    }
    group = case.children["imbalance"].to_dataset(inherit=False)
    changed = group.assign({name: x.assign_attrs(unit) for name, x in prices.items()})
    return case.assign(imbalance=xr.DataTree(changed))
