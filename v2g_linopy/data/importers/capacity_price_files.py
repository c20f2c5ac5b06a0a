"""Capacity prices of named reserve products from any table of text."""

from pathlib import Path
from typing import Unpack

import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, SchemaError
from ...parts.markets.reserve.nordic_products import listed
from ..tables.series import Missing, uniform
from ..tables.table_format import HourCount, TableFields, TableFormat, one_format
from .series_rows import read_rows, series_names, with_zone

UNIT = "EUR/MW/h"


def read_capacity_prices(
    path: str | Path,
    table: TableFormat | None = None,
    *,
    hours: HourCount = "elapsed",
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    """Read capacity prices of reserve products from a table of text.

    Parameters
    ----------
    table
        How the file is written. Its `columns` are ``time`` (start of the step), or ``date`` and
        ``hour``; every other key is the name of a product of the catalogue, such as ``FCR-N``. An
        empty cell: nothing was bought.
    unit
        Of all prices, EUR/MW/h (per MW held for an hour) unless given.
    path, hours, resample, missing, fields
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
    source, table = str(path), one_format(table, fields)
    listed(series_names(table.columns))
    if unit is not None and factor(unit, UNIT) is None:
        detail = f"{unit!r} is no capacity price; use one of {', '.join(accepted(UNIT))}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    utc, values = read_rows(
        path,
        table,
        hours=hours,
        wanted="product",
        example=("FCR-N", "Price"),
        assumed_unit=None if unit else UNIT,
    )
    prices = uniform(
        utc, values, unit=unit or UNIT, resample=resample, missing=missing, source=source
    )
    return with_zone(prices, table)
