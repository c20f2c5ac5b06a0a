"""Energy prices from any table of text."""

from pathlib import Path
from typing import Unpack

import xarray as xr

from ..tables.series import Missing, uniform
from ..tables.table_format import HourCount, TableFields, TableFormat, one_format
from .series_rows import read_rows, with_zone

UNIT = "EUR/MWh"


def price_columns() -> list[tuple[str, str, str, str]]:
    """Every column a table of prices may have, as `session_columns`."""
    return [
        ("time", "time", "or date and hour", "start of the step"),
        ("date", "date", "with hour", "local day"),
        ("hour", "1, 2, ...", "with date", "hour of that day, the first is 1; see `--hours`"),
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
    hours: HourCount = "elapsed",
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    """Read prices from a table of text.

    Parameters
    ----------
    path
        CSV file with a header.
    table
        How the file is written. Its `columns` are ``time`` (start of the step), or ``date`` and
        ``hour``; every other key is the name of a price, such as ``day_ahead``.
    hours
        What hour labels count, 1 being the first: hours gone by since midnight (``elapsed``: 23, 24
        or 25 of them), or the hours on the clock (``clock``: 1 to 24 every day, so that the rules
        `ambiguous` and `nonexistent` of the table are needed).
    unit
        Of all prices: EUR/MWh, EUR/kWh or ct/kWh. EUR/MWh unless given; a header that names another
        unit in brackets is then refused.
    resample, missing
        See `uniform`.
    fields
        The fields of a `TableFormat`, in place of `table`.

    Returns
    -------
    xarray.Dataset
        Prices on ``time`` (naive UTC, interval start, uniform).

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, or with its times.
    """
    table = one_format(table, fields)
    utc, values = read_rows(
        path,
        table,
        hours=hours,
        wanted="price",
        example=("day_ahead", "Price"),
        assumed_unit=None if unit else UNIT,
    )
    prices = uniform(
        utc, values, unit=unit or UNIT, resample=resample, missing=missing, source=str(path)
    )
    return with_zone(prices, table)
