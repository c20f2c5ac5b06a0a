"""How a table of text is written, as one value that every reader takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import pandas as pd

from ...errors import Problem, Remedy, SchemaError
from .files import parse_times, pick_columns, read_csv
from .local_time import ALL_RULES, Ambiguous, Nonexistent, Utc, market_hours, to_utc
from .wording import first_few

HourCount = Literal["elapsed", "clock"]


@dataclass(frozen=True)
class TableFormat:
    """What a table of text holds, and how its cells and times are written.

    Parameters
    ----------
    columns : mapping of str to str
        Which column holds what: the name of a field, and the header of its column.
    timezone : str, optional
        IANA zone of times without an offset, such as ``Europe/Rome``; they are refused without it.
    ambiguous : {"raise", "infer", "first", "second", "both"}, default "raise"
        Rule for the local hours that the clock shows twice: see `to_utc`.
    nonexistent : {"raise", "shift", "drop"}, default "raise"
        Rule for the local hours that the clock skips: see `to_utc`.
    time_format : str, optional
        As in `strptime`; ISO 8601 unless given, never guessed.
    separator : str, default ","
        Between the columns.
    decimal : str, default "."
        In numbers.

    Examples
    --------
    >>> german = TableFormat({"time": "Zeit", "day_ahead": "Preis"}, "Europe/Berlin", decimal=",")
    >>> german.separator
    ','
    """

    columns: Mapping[str, str]
    timezone: str | None = None
    ambiguous: Ambiguous = "raise"
    nonexistent: Nonexistent = "raise"
    time_format: str | None = None
    separator: str = ","
    decimal: str = "."


class TableFields(TypedDict, total=False):
    """The fields of a `TableFormat` as keywords of a reader."""

    columns: Mapping[str, str]
    timezone: str | None
    ambiguous: Ambiguous
    nonexistent: Nonexistent
    time_format: str | None
    separator: str
    decimal: str


def one_format(table: TableFormat | None, fields: TableFields) -> TableFormat:
    """Return the format that a reader was given, as one value or by its fields.

    Raises
    ------
    TypeError
        Both are given, no columns, or a keyword that is no field.
    """
    if table is None:
        return TableFormat(**fields)
    if fields:
        raise TypeError(f"give the table or its fields, not both: {first_few(fields)}")
    return table


def read_columns(path: str | Path, table: TableFormat) -> pd.DataFrame:
    """Return the columns of a file under the names of their fields, every cell as it is written.

    Raises
    ------
    InputFileError, SchemaError
        A file that cannot be read, or columns that it does not have.
    """
    frame = read_csv(path, separator=table.separator, decimal=table.decimal)
    return pick_columns(frame, table.columns, str(path))


def read_times(
    cells: pd.Series,
    table: TableFormat,
    source: str,
    *,
    where: str = "time",
    rules: Collection[str] = ALL_RULES,
) -> Utc:
    """Return the written times of a column in UTC; `rules` are those that a message may offer."""
    written = parse_times(cells, table.time_format, source)
    return to_utc(
        written,
        table.timezone,
        ambiguous=table.ambiguous,
        nonexistent=table.nonexistent,
        rules=rules,
        where=where,
        source=source,
    )


def hour_starts(
    dates: pd.DatetimeIndex,
    hours: np.ndarray,
    table: TableFormat,
    count: HourCount,
    source: str,
) -> Utc:
    """Return the UTC start of hour labels 1, 2, ... of local days.

    Parameters
    ----------
    dates, hours
        The local day and the label of each row.
    table
        For its zone and its rules.
    count
        ``elapsed``: hours gone by since local midnight, 23 to 25 of them. ``clock``: hours on the
        clock, 1 to 24 on every day.

    Raises
    ------
    SchemaError
        An hour that the day or the clock does not have, or that needs a rule and has none.
    """
    if table.timezone is None:
        return to_utc(dates, None, source=source)
    if count == "elapsed":
        start = market_hours(dates, hours, table.timezone, source=source)
        return Utc(start, np.arange(len(dates)))
    wrong = (hours < 1) | (hours > 24) | (hours != np.round(hours))
    if wrong.any():
        rows = [f"{d:%Y-%m-%d} hour {h:g}" for d, h in zip(dates[wrong], hours[wrong], strict=True)]
        detail = f"{first_few(rows)}: a clock shows hours 1 to 24"
        counted = Remedy("hours", ("elapsed",), advice="give {} where they are counted")
        raise SchemaError([Problem("hour", "range", detail, (counted,))], source)
    clock = dates + pd.to_timedelta(hours - 1, unit="h")
    return to_utc(
        clock,
        table.timezone,
        ambiguous=table.ambiguous,
        nonexistent=table.nonexistent,
        where="hour",
        source=source,
    )
