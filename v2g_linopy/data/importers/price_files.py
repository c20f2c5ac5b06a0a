"""Energy prices from any table of text."""

from pathlib import Path
from typing import Unpack

import xarray as xr

from ..tables.positions import HourCount
from ..tables.series import Missing
from ..tables.table_format import TableFields, TableFormat, one_format
from .series_rows import read_series

UNIT = "EUR/MWh"
REGULATION = ("regulation_up", "regulation_down")
"""Prices that a file may leave empty: nothing was accepted."""


def price_columns() -> list[tuple[str, str, str, str]]:
    """Every column a table of prices may have, as `session_columns`."""
    return [
        ("time", "time", "or date and hour", "start of the step"),
        ("end", "time", "in place of time", "end of the step"),
        ("date", "date", "with hour", "local day"),
        (
            "hour",
            "1, 2, ...",
            "with date",
            "hour of that day (from 1 or 0; 3A and 3B; 00 - 01; 00:15), or quarter-hour 1 to 96;"
            " see `--hours`. Not needed where each hour has a column: day_ahead='H*'",
        ),
        ("zone", "CET, +02:00 ...", "optional", "zone of the row's time"),
        ("unit", "EUR/MWh ...", "optional", "unit of the row's numbers, the same in all rows"),
        (
            "day_ahead",
            "`--unit`",
            "one price at least",
            "price of the first market; any other name is another price",
        ),
        (
            "regulation_up",
            "`--unit`",
            "optional",
            "price of upward regulation; empty or 0: nothing accepted",
        ),
        ("regulation_down", "`--unit`", "optional", "price of downward regulation"),
    ]


def read_prices(
    path: str | Path,
    table: TableFormat | None = None,
    *,
    hours: HourCount | None = None,
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    r"""Read prices from a table of text.

    Parameters
    ----------
    path : str or pathlib.Path
        Text or workbook with a header.
    table : TableFormat, optional
        How the file is written. Its `columns` are ``time`` (start of the step, or `from - to`), or
        ``end``, or ``date`` and ``hour``; ``zone`` and ``unit``, where rows say them; every other
        key is the name of a price, such as ``day_ahead``. A header with a star (``H*``) stands for
        the columns of a day's hours.
    hours : {"elapsed", "clock"}, optional
        What hour labels count, 1 being the first: hours gone by since midnight (``elapsed``: 23, 24
        or 25 of them), or the hours on the clock (``clock``: 1 to 24 every day, so that the rules
        `ambiguous` and `nonexistent` of the table are needed). Unless given, numbers are counted,
        and times of day are read on the clock. Quarter-hours are numbered alike.
    unit : str, optional
        Of all prices: EUR/MWh, EUR/kWh, ct/kWh, or another currency. Unless given, the unit that
        the headers or a column of units name, else EUR/MWh.
    resample : str, optional
        Step of the result, such as ``1h``, where the rows are not all as long: a number holds until
        the next row, a longer step takes the mean of its parts.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a row, and cells without a number, become: an error, NaN, or the number
        before (`hold`). Empty cells of regulation prices are NaN: nothing was accepted.
    **fields
        The fields of a `TableFormat`, in place of `table`.

    Returns
    -------
    xarray.Dataset
        Prices on ``time`` (naive UTC, interval start, uniform), in the unit of the file.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times or the numbers of the file.
    TypeError
        Both `table` and its fields are given, or no columns.

    Examples
    --------
    Midnight in Rome is 23:00 UTC of the day before:

    >>> import pathlib
    >>> import v2g_linopy as v2g
    >>> rows = ["start,EUR/MWh", "2026-01-01 00:00,50", "2026-01-01 01:00,20"]
    >>> size = pathlib.Path("prices.csv").write_text("\n".join(rows))
    >>> columns = {"time": "start", "day_ahead": "EUR/MWh"}
    >>> prices = v2g.read_prices("prices.csv", columns=columns, timezone="Europe/Rome")
    >>> prices.day_ahead.values.tolist(), str(prices.time.values[0])[:16]
    ([50.0, 20.0], '2025-12-31T23:00')
    """
    table = one_format(table, fields)
    return read_series(
        path,
        table,
        hours=hours,
        unit=unit,
        resample=resample,
        missing=missing,
        wanted="price",
        example=("day_ahead", "Price"),
        assumed_unit=UNIT,
        may_lack=REGULATION,
    )
