"""Capacity prices of named reserve products: from a file into a case."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, SchemaError
from ...parts.markets.reserve.nordic_products import Reservoir, listed, products, reservoir_of
from ..sessions.new_case import currency_of, with_meaning
from ..tables.local_time import Ambiguous, Nonexistent, align
from ..tables.series import Missing, uniform
from .csv import Clock, series_of

UNIT = "EUR/MW/h"


def read_capacity_prices(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    timezone: str | None = None,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    hours: Literal["elapsed", "clock"] = "elapsed",
    time_format: str | None = None,
    separator: str = ",",
    decimal: str = ".",
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read capacity prices of reserve products from a table of text.

    Parameters
    ----------
    columns
        Which column holds what: ``time`` (start of the step), or ``date`` and ``hour``; every other
        key is the name of a product of the catalogue, such as ``FCR-N``. An empty cell: nothing was
        bought.
    unit
        Of all prices, EUR/MW/h (per MW held for an hour) unless given.
    path, timezone, ambiguous, nonexistent, hours, time_format, separator, decimal, resample,
    missing
        As in `read_prices`.

    Returns
    -------
    xarray.Dataset
        Prices on ``time`` (naive UTC, interval start, uniform), one variable per product.

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, its times, or the names.
    """
    source = str(path)
    listed([n for n in columns if n not in ("time", "date", "hour")])
    if unit is not None and factor(unit, UNIT) is None:
        detail = f"{unit!r} is no capacity price; use one of {', '.join(accepted(UNIT))}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    rule = Clock(timezone, ambiguous, nonexistent, hours, time_format)
    utc, values = series_of(
        path,
        columns,
        rule,
        separator,
        decimal,
        'product, such as FCR-N="Price"',
        "" if unit else UNIT,
    )
    out = uniform(utc, values, unit=unit or UNIT, resample=resample, missing=missing, source=source)
    return out if timezone is None else out.assign_attrs(timezone=timezone)


def with_reserves(
    case: xr.DataTree,
    prices: xr.Dataset,
    *,
    reservoir: Reservoir | None = None,
    volume_max: float = np.inf,
) -> xr.DataTree:
    """Return a case that may sell named products at given capacity prices; they take the place of
    its `/reserve`.

    Parameters
    ----------
    case
        It is not changed.
    prices
        One variable per product of the catalogue on ``time`` (naive UTC, uniform), as
        `read_capacity_prices` returns it; it has to cover the case. NaN: nothing is bought.
    reservoir
        What stands behind FCR, as for `products`; found from the case unless given.
    volume_max
        Most that is bought of each product, kW.

    Raises
    ------
    SchemaError
        Names that are not in the catalogue, or steps that the prices do not cover.
    """
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    names = listed(map(str, prices.data_vars))
    aligned = align(prices[names], time, source="the capacity prices")
    price = aligned.to_dataarray("product").transpose("product", "time")
    units = {str(x.attrs.get("units", UNIT)) for x in prices.data_vars.values()}
    if len(units) > 1:
        detail = f"units {', '.join(sorted(units))}; give all in one"
        raise SchemaError([Problem("prices", "unit", detail)], "the capacity prices")
    volume = xr.where(price.isnull(), 0.0, volume_max)
    price = price.fillna(0.0).assign_attrs(units=units.pop())
    reserve = products(names, reservoir=reservoir or reservoir_of(case))
    reserve = reserve.assign(capacity_price=price, volume_max=volume)
    case = case.copy()
    case["reserve"] = xr.DataTree(with_meaning("reserve", reserve, currency_of(case)))
    return case


CAPACITY_FORMATS: dict[str, Callable[..., xr.Dataset]] = {"csv": read_capacity_prices}
