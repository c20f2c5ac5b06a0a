"""How a table of text is written, as one value that every reader takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypedDict, get_args

import numpy as np
import pandas as pd

from ...errors import Problem, SchemaError
from .cells import as_text, pick_columns, read_cells
from .files import collect_problems
from .local_time import ALL_RULES, Ambiguous, Nonexistent, Utc, check_word, to_utc
from .positions import HourCount, check_first, from_one, read_labels, starts_of, time_of_day
from .wording import cells_in_rows, first_few
from .written_times import Written, offsets_of, read_written, zone_offset


@dataclass(frozen=True)
class TableFormat:
    """What a table holds, and how its cells and times are written.

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
        As in `strptime`. Unless given, the year comes first, or the cells themselves show which
        number is the day; else they are refused.
    separator : str, optional
        Between the columns; unless given, the one by which the columns are found.
    decimal : {".", ","}, optional
        In numbers; unless given, the mark that a column proves, else a point.
    thousands : str, optional
        Mark between thousands, where the column does not prove it.
    encoding : str, optional
        Of the text, such as ``cp1252``; UTF-8 unless given, or what the first bytes tell.
    skip_rows : int, default 0
        Lines to leave out before the header is looked for.
    sheet : str, optional
        Name of the sheet of a workbook; the first unless given.
    where : mapping of str to str, default {}
        Keeps the rows that hold these words in these columns: ``{"Sequence": "SDAC"}``.

    Examples
    --------
    >>> german = TableFormat({"time": "Zeit", "day_ahead": "Preis"}, "Europe/Berlin", decimal=",")
    >>> german.decimal, german.ambiguous
    (',', 'raise')
    """

    columns: Mapping[str, str]
    timezone: str | None = None
    ambiguous: Ambiguous = "raise"
    nonexistent: Nonexistent = "raise"
    time_format: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    skip_rows: int = 0
    sheet: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)


class TableFields(TypedDict, total=False):
    """The fields of a `TableFormat` as keywords of a reader."""

    columns: Mapping[str, str]
    timezone: str | None
    ambiguous: Ambiguous
    nonexistent: Nonexistent
    time_format: str | None
    separator: str | None
    decimal: str | None
    thousands: str | None
    encoding: str | None
    skip_rows: int
    sheet: str | None
    where: Mapping[str, str]


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


def read_whole(path: str | Path, table: TableFormat) -> pd.DataFrame:
    """Return all columns of a file under their headers, every cell as it is written.

    Raises
    ------
    InputFileError, SchemaError
        A file that cannot be read.
    """
    return read_cells(
        path,
        [*table.columns.values(), *table.where],
        separator=table.separator,
        encoding=table.encoding,
        skip_rows=table.skip_rows,
        sheet=table.sheet,
        where=table.where,
    )


def read_columns(path: str | Path, table: TableFormat) -> pd.DataFrame:
    """Return the columns of a file under the names of their fields, every cell as it is written.

    Raises
    ------
    InputFileError, SchemaError
        A file that cannot be read, or columns that it does not have.
    """
    return pick_columns(read_whole(path, table), table.columns, str(path))


def read_times(
    cells: pd.Series,
    table: TableFormat,
    source: str,
    *,
    where: str = "time",
    rules: Collection[str] = ALL_RULES,
    zones: pd.Series | None = None,
) -> Utc:
    """Return the written times of a column in UTC.

    `rules` are those that a message may offer; `zones` is a column that says the zone of each row:
    an offset, the name of one (CET, PDT), or an IANA name.
    """
    written = read_written(cells, table.time_format, source, table.timezone)
    if zones is None:
        return _in_utc(written, table, table.timezone, source, where, rules)
    if written.has_offset.any():
        detail = "the times have their offset; leave the column of zones out"
        raise SchemaError([Problem(where, "time", detail)], source)
    words = as_text(zones)
    named = words.map(lambda word: zone_offset(word, table.timezone) is None).to_numpy(bool)
    parts = []
    if not named.all():
        fixed = offsets_of(words[~named], cells[~named], table.timezone)
        own = Written(written.local[~named], fixed)
        parts.append((np.flatnonzero(~named), Utc(own.utc, np.arange(len(fixed)))))

    def in_zone(zone: str, rows: np.ndarray) -> Utc:
        local = Written(written.local[rows], written.ahead[rows])
        return _in_utc(local, table, zone, source, where, rules)

    problems: list[Problem] = []
    for zone in words[named].unique():
        rows = np.flatnonzero(words == zone)
        if utc := collect_problems(problems, partial(in_zone, str(zone), rows)):
            parts.append((rows, utc))
    if problems:
        raise SchemaError(problems, source)
    return _joined(parts)


def _in_utc(
    written: Written,
    table: TableFormat,
    timezone: str | None,
    source: str,
    where: str,
    rules: Collection[str],
) -> Utc:
    """Return times in UTC: with an offset by it, without one by the zone and its rules."""
    marked = written.has_offset
    if marked.all():
        return Utc(written.utc, np.arange(len(marked)))
    unmarked = to_utc(
        written.local[~marked],
        timezone,
        ambiguous=table.ambiguous,
        nonexistent=table.nonexistent,
        rules=rules,
        where=where,
        source=source,
    )
    with_offset = Utc(written.utc[marked], np.arange(int(marked.sum())))
    return _joined([(np.flatnonzero(marked), with_offset), (np.flatnonzero(~marked), unmarked)])


def _joined(parts: list[tuple[np.ndarray, Utc]]) -> Utc:
    """Return the instants of several groups of rows in the order of the rows."""
    row = np.concatenate([rows[utc.row] for rows, utc in parts])
    time = np.concatenate([utc.time.to_numpy("datetime64[ns]") for _, utc in parts])
    order = np.argsort(row, kind="stable")
    note = " ".join(utc.note for _, utc in parts if utc.note)
    return Utc(pd.DatetimeIndex(time[order]), row[order], note)


def local_days(dates: pd.Series, table: TableFormat, source: str) -> pd.DatetimeIndex:
    """Return the local days of a column of dates.

    Raises
    ------
    SchemaError
        Cells that are no dates, and dates with a time of day or an offset.
    """
    written = read_written(dates, table.time_format, source, table.timezone)
    days = written.local.normalize()
    late = np.asarray(written.local != days)
    fault = "offset" if written.has_offset.any() else "time of day" if late.any() else ""
    if fault:
        detail = f"a date beside an hour is a local day, and has no {fault}"
        cells = dates[written.has_offset | late]
        raise SchemaError([Problem("date", "time", f"{detail}: {cells_in_rows(cells)}")], source)
    return days


def read_hours(
    dates: pd.Series,
    hours: pd.Series,
    table: TableFormat,
    count: HourCount | None,
    source: str,
    blank: np.ndarray | None = None,
) -> Utc:
    """Return when the steps of a column of days and one of hours begin.

    Parameters
    ----------
    dates, hours
        The local day and the hour of each row, as they are written.
    table
        For its zone, its rules and the format of its dates.
    count
        ``elapsed``: labels count hours gone by since local midnight, 23 to 25 of them. ``clock``:
        they are hours on the clock, 1 to 24 on every day. ``shown``: what the clock shows when they
        begin, 0 to 23. Unless given, times of day and ranges are read on the clock, and numbers
        are counted if a label shows whether the first is 0 or 1.
    blank
        Rows without a number.

    Raises
    ------
    SchemaError
        Dates with an offset, or an hour that the day or the clock does not have, or that needs a
        rule and has none.
    """
    if count is not None:
        check_word("hours", count, get_args(HourCount), source)
    days = local_days(dates, table, source)
    shown = time_of_day(hours, source)
    if table.timezone is None:
        return to_utc(days, None, source=source)
    if shown is not None and count != "elapsed":
        local = days + pd.to_timedelta(shown, unit="min")
        written = Written(local, np.full(len(local), np.timedelta64("NaT"), "timedelta64[ns]"))
        return _in_utc(written, table, table.timezone, source, "hour", ALL_RULES)
    numbered = read_labels(hours, source)
    if count is None:
        check_first(days, numbered, table.timezone, source)
    labels = from_one(numbered, shown=count == "shown")
    return starts_of(
        days,
        labels,
        table.timezone,
        count="clock" if count == "shown" else count or "elapsed",
        ambiguous=table.ambiguous,
        nonexistent=table.nonexistent,
        blank=blank,
        source=source,
    )
