"""Capacity prices into a case that may then sell reserve products."""

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ...parts.markets.reserve.nordic_products import Reservoir, listed, products, reservoir_of
from ..tables.local_time import align
from ..tables.series import notes_of
from .new_case import currency_of, declared_fields, with_meaning
from .origins import drop_forecasts, other_clock, replace_origin

BEHIND = {"limited": "limited reservoirs (with NEM)", "ample": "two hours of full activation"}
"""What stands behind containment reserves, in words."""


def with_reserves(
    case: xr.DataTree,
    prices: xr.Dataset,
    *,
    reservoir: Reservoir | None = None,
    volume_max: float = np.inf,
    source: str = "",
) -> xr.DataTree:
    """Return a case that may sell named reserve products at given capacity prices.

    They take the place of its `/reserve` as a whole, with all that was said of it in the attributes
    `source` and `assumptions`, and of forecasts of it. The zone of the case stays.

    Parameters
    ----------
    case : xarray.DataTree
        It is not changed.
    prices : xarray.Dataset
        One variable per product of the catalogue on ``time`` (naive UTC, uniform; EUR/MW/h), as
        `read_capacity_prices` returns it; it has to cover the case. NaN: nothing is bought.
    reservoir : {"limited", "ample"}, optional
        What stands behind FCR, as for `products`; found from the case unless given.
    volume_max : float, default inf
        Most that is bought of each product, kW.
    source : str, default ""
        Where the prices come from, such as the name of their file.

    Returns
    -------
    xarray.DataTree
        The case with the arrays of `products`, `capacity_price` (EUR/MW/h) and `volume_max` (kW) in
        `/reserve`, on product and `time`.

    Raises
    ------
    SchemaError
        Names that are not in the catalogue, or steps that the prices do not cover.

    Examples
    --------
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> case = v2g.depot(vehicles=1, days=1)
    >>> price = ("time", [12.0] * 96, {"units": "EUR/MW/h"})
    >>> prices = xr.Dataset({"FCR-N": price}, coords={"time": case["time"].values})
    >>> sold = v2g.with_reserves(case, prices)["reserve"]
    >>> sold["product"].values.tolist(), float(sold.capacity_price.max()), float(sold.up.item())
    (['FCR-N'], 12.0, 1.34)
    """
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    names = listed(map(str, prices.data_vars))
    aligned = align(prices[names], time, source="the capacity prices")
    price = aligned.to_dataarray("product").transpose("product", "time")
    unit = declared_fields("reserve")["capacity_price"].unit
    units = {str(x.attrs.get("units", unit)) for x in prices.data_vars.values()}
    if len(units) > 1:
        detail = f"units {', '.join(sorted(units))}; give all in one"
        raise SchemaError([Problem("prices", "unit", detail)], "the capacity prices")
    volume = xr.where(price.isnull(), 0.0, volume_max)
    price = price.fillna(0.0).assign_attrs(units=units.pop())
    stands = reservoir or reservoir_of(case)
    reserve = products(names, reservoir=stands)
    reserve = reserve.assign(capacity_price=price, volume_max=volume)
    before, case = case, case.copy()
    case["reserve"] = xr.DataTree(with_meaning("reserve", reserve, currency_of(case)))
    drop_forecasts(case, "reserve.")
    origin = source or "imported prices"
    said = [f"/reserve, {', '.join(names)}: from {origin}, for {BEHIND[stands]}."]
    said += [f"/reserve: {line}" for line in (other_clock(case, prices), *notes_of(prices)) if line]
    replace_origin(case, before, "reserve", {"": said}, origin)
    return case
