"""Capacity prices of named reserve products from any table of text."""

from pathlib import Path
from typing import Unpack

import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, SchemaError
from ...parts.markets.reserve.nordic_products import listed
from ..tables.positions import HourCount
from ..tables.series import Missing
from ..tables.table_format import TableFields, TableFormat, one_format
from .series_rows import read_series, series_names

UNIT = "EUR/MW/h"


def read_capacity_prices(
    path: str | Path,
    table: TableFormat | None = None,
    *,
    hours: HourCount | None = None,
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    r"""Read capacity prices of reserve products from a table of text.

    Parameters
    ----------
    path : str or pathlib.Path
        Text or workbook with a header.
    table : TableFormat, optional
        How the file is written. Its `columns` are ``time`` (start of the step), or ``date`` and
        ``hour``; every other key is the name of a product of the catalogue, such as ``FCR-N``. An
        empty cell: nothing was bought.
    hours : {"elapsed", "clock"}, optional
        What hour labels count; as in `read_prices`.
    unit : str, optional
        Of all prices. Unless given, the unit that the headers name, else EUR/MW/h (per MW held for
        an hour).
    resample : str, optional
        Step of the result, such as ``1h``, where the rows are not all as long: a number holds until
        the next row, a longer step takes the mean of its parts.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a row, and cells without a number, become: an error, NaN, or the number
        before (`hold`).
    **fields
        The fields of a `TableFormat`, in place of `table`.

    Returns
    -------
    xarray.Dataset
        Prices on ``time`` (naive UTC, interval start, uniform), one variable per product; NaN where
        nothing was bought.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times, the numbers or the names of products.
    TypeError
        Both `table` and its fields are given, or no columns.

    Examples
    --------
    >>> import pathlib
    >>> import v2g_linopy as v2g
    >>> rows = ["start;FCR-N", "2026-01-01 00:00;17,5", "2026-01-01 01:00;"]
    >>> size = pathlib.Path("hourly.csv").write_text("\n".join(rows))
    >>> written = {"columns": {"time": "start", "FCR-N": "FCR-N"}, "timezone": "Europe/Helsinki"}
    >>> prices = v2g.read_capacity_prices("hourly.csv", **written, separator=";", decimal=",")
    >>> prices["FCR-N"].values.tolist()
    [17.5, nan]
    """
    source, table = str(path), one_format(table, fields)
    listed(series_names(table.columns))
    if unit is not None and factor(unit, UNIT) is None:
        detail = f"{unit!r} is no capacity price; use one of {', '.join(accepted(UNIT))}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    return read_series(
        path,
        table,
        hours=hours,
        unit=unit,
        resample=resample,
        missing=missing,
        wanted="product",
        example=("FCR-N", "Price"),
        assumed_unit=UNIT,
        may_lack=series_names(table.columns),
    )
