"""Rows of a table with a clock: when each begins, and its numbers. Prices, profiles and frequency
are read so.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase, translate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ...case.units import factor
from ...errors import Problem, Remedy, SchemaError
from ..tables.cells import as_text, pick_columns
from ..tables.files import collect_problems
from ..tables.local_time import Utc
from ..tables.numbers import is_missing, number_columns
from ..tables.series import (
    Missing,
    add_notes,
    lengths_of_ranges,
    starts_of_ends,
    uniform_series,
)
from ..tables.table_format import HourCount, TableFormat, read_hours, read_times, read_whole
from ..tables.unit_names import CURRENCIES, is_money, named_unit, strange_unit, unit_of_cells
from ..tables.wording import first_few
from ..tables.written_times import read_written, split_ranges

TIME_COLUMNS = ("time", "end", "date", "hour", "zone")
OTHER_COLUMNS = (*TIME_COLUMNS, "unit")
"""Columns that hold no numbers."""
UNIT_HEADERS = ("unit", "units", "einheit", "currency", "währung", "unità")
"""Headers of columns that say in what the numbers of their row are, in small letters."""
MOST_CHOICES = 12
HALF_A_UNIT = re.compile(
    r"(?<![^\W\d_])(ct|cents?|pence|öre|øre|rappen)(?![^\W\d_])", re.IGNORECASE
)


class Rows(NamedTuple):
    """When each row begins, its numbers by column (NaN where there is none), and their units."""

    utc: Utc
    values: dict[str, np.ndarray]
    units: dict[str, str]
    notes: list[str]


def read_rows(
    path: str | Path,
    table: TableFormat,
    *,
    hours: HourCount | None = None,
    wanted: str,
    example: tuple[str, str],
    quantities: tuple[str, ...],
    given_unit: str | None = None,
) -> Rows:
    """Return the rows of a table.

    Parameters
    ----------
    path, table, hours
        As in `read_prices`.
    wanted, example
        What a file must hold at least one of, and a name with its header, for the message.
    quantities
        What the numbers may be, each by a unit; the first is that of numbers of which neither the
        user nor the file says one.
    given_unit
        Unit that the user names.

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, its times or its numbers.
    """
    source, names = str(path), series_names(table.columns)
    _check_columns(table.columns, names, wanted, example, source)
    whole = read_whole(path, table)
    frame = _columns(whole, table, names, source)
    _check_once(whole, table, source)

    # faults of numbers, of units and of times are told together
    problems: list[Problem] = []
    values = collect_problems(
        problems,
        lambda: number_columns(frame, names, table.decimal, source, table.thousands),
    )
    units = collect_problems(
        problems, lambda: _units(whole, table, names, quantities, given_unit, source)
    )
    blank = np.logical_and.reduce([is_missing(frame[name]) for name in names])
    utc = collect_problems(problems, lambda: _starts(frame, table, hours, blank, source))
    if values is None or utc is None or units is None:
        raise SchemaError(problems, source)
    return Rows(utc, values, *units)


def read_series(
    path: str | Path,
    table: TableFormat,
    *,
    hours: HourCount | None,
    unit: str | None,
    resample: str | None,
    missing: Missing,
    wanted: str,
    example: tuple[str, str],
    assumed_unit: str,
    may_lack: Collection[str] = (),
) -> xr.Dataset:
    """Return columns of numbers on one uniform step, in the units of the file.

    The parameters are those of `read_rows` and of `uniform_series`.
    """
    rows = read_rows(
        path,
        table,
        hours=hours,
        wanted=wanted,
        example=example,
        quantities=(assumed_unit,),
        given_unit=unit,
    )
    series = uniform_series(
        rows.utc,
        rows.values,
        unit=rows.units,
        resample=resample,
        missing=missing,
        may_lack=may_lack,
        source=str(path),
    )
    return add_notes(with_zone(series, table), *rows.notes)


def series_names(columns: Mapping[str, str]) -> list[str]:
    """Return the names of the columns that hold numbers, not times."""
    return [name for name in columns if name not in OTHER_COLUMNS]


def with_zone(series: xr.Dataset, table: TableFormat) -> xr.Dataset:
    """Keep the zone that was given, for local days later on."""
    return series if table.timezone is None else series.assign_attrs(timezone=table.timezone)


def _check_columns(
    columns: Mapping[str, str], names: list[str], wanted: str, example: tuple[str, str], source: str
) -> None:
    problems = []
    if {"time", "end"} <= {*columns}:
        detail = "both say when a step is; name one of them"
        problems.append(Problem("columns.end", "choice", detail))
    wide = any("*" in columns[name] for name in names)
    has_hour = "hour" in columns or wide
    if not {"time", "end"} & {*columns} and not ("date" in columns and has_hour):
        detail = "name the column of `time`, or those of `date` and `hour`"
        if "date" in columns:
            detail += "; where each hour has a column of its own, a star stands for all: 'H*'"
        problems.append(Problem("columns", "missing", detail))
    for name in names:
        if not re.fullmatch(r"\w([^/\x00-\x1f\x7f]*[^/\s\x00-\x1f\x7f])?", name):
            detail = f"{name!r} is no name: it begins with a letter or a digit and has no stroke"
            problems.append(Problem("columns", "labels", detail))
    if not names:
        key, header = example
        such = Remedy("columns", (header,), key=key, advice="such as {}")
        detail = f"name the column of at least one {wanted}"
        problems.append(Problem("columns", "missing", detail, (such,)))
    if problems:
        raise SchemaError(problems, source)


def _columns(
    whole: pd.DataFrame, table: TableFormat, names: list[str], source: str
) -> pd.DataFrame:
    """Return the columns of the file under their names; one row for each hour of a wide table."""
    wide = {n: p for n in names if "*" in (p := table.columns[n]) and p not in whole.columns}
    narrow = {name: header for name, header in table.columns.items() if name not in wide}
    frame = pick_columns(whole, narrow, source)
    if not wide:
        return frame
    found = {n: [h for h in whole.columns if fnmatchcase(h, p)] for n, p in wide.items()}
    problems = [
        Problem(name, "missing", f"no column fits {wide[name]!r}")
        for name, headers in found.items()
        if not headers
    ]
    labels = {
        name: [_starred(wide[name], header) for header in headers]
        for name, headers in found.items()
    }
    if len({tuple(label) for label in labels.values()}) > 1:
        problems.append(Problem("columns", "labels", "wide columns of different hours"))
    if problems:
        raise SchemaError(problems, source)
    count = len(next(iter(labels.values())))
    long = frame.loc[frame.index.repeat(count)].copy()
    long["hour"] = next(iter(labels.values())) * len(frame)
    for name, headers in found.items():
        long[name] = whole[headers].to_numpy(object).ravel()
    long.attrs = dict(whole.attrs)
    return long


def _starred(pattern: str, header: str) -> str:
    """Return what stands for the star: the label of the hour.

    >>> _starred("H*", "H12"), _starred("* Uhr", "00:15 Uhr")
    ('12', '00:15')
    """
    found = re.fullmatch(translate(pattern).replace(".*", "(.*)", 1), header)
    return found[1].strip() if found else header


def _starts(
    frame: pd.DataFrame,
    table: TableFormat,
    hours: HourCount | None,
    blank: np.ndarray,
    source: str,
) -> Utc:
    """Return when each row begins: written, or its end is, or its day and its hour."""
    zones = frame.get("zone")
    if "time" in table.columns:
        begin, end = split_ranges(frame["time"])
        utc = read_times(begin, table, source, zones=zones)
        return utc if end is None else _with_lengths(utc, begin, end, table, source)
    if "end" in table.columns:
        return starts_of_ends(read_times(frame["end"], table, source, where="end", zones=zones))
    return read_hours(frame["date"], frame["hour"], table, hours, source, blank)


def _with_lengths(
    utc: Utc, begin: pd.Series, end: pd.Series, table: TableFormat, source: str
) -> Utc:
    """Return instants with the lengths of their steps, which the file writes as `from - to`."""
    shown = [
        read_written(cells, table.time_format, source, table.timezone).local
        for cells in (begin, end)
    ]
    lengths = lengths_of_ranges(shown[0], shown[1], source)
    return replace(utc, length=lengths[utc.row])


def _units(
    whole: pd.DataFrame,
    table: TableFormat,
    names: list[str],
    quantities: tuple[str, ...],
    given: str | None,
    source: str,
) -> tuple[dict[str, str], list[str]]:
    """Return the unit of each column: as given, as its header or a column of units says, else as
    assumed; and notes on what the file says and does not say.
    """
    if given is not None:
        return dict.fromkeys(names, given), []
    beside = _unit_beside(whole, table, source)
    units: dict[str, str] = {}
    problems: list[Problem] = []
    for name in names:
        header = table.columns[name]
        problems += _unit_problems(name, header, beside, quantities)
        units[name] = _unit_of(header, beside, quantities[0])
    if problems:
        raise SchemaError(problems, source)
    notes = [f"{n}: {u}, as the file says." for n, u in units.items() if u != quantities[0]]
    without = [n for n in names if not (beside or named_unit(table.columns[n]))]
    if without:
        notes.append(f"{first_few(without)}: {quantities[0]} is assumed, the file names no unit.")
    return units, notes


def _unit_of(header: str, beside: str | None, assumed: str) -> str:
    """Return the unit that a header names, else a column of units, else the one assumed."""
    unit = named_unit(header) or beside
    if unit in CURRENCIES:  # the money alone: the rest is as assumed
        return assumed.replace("EUR", unit)
    return unit or assumed


def _unit_problems(
    name: str, header: str, beside: str | None, quantities: tuple[str, ...]
) -> list[Problem]:
    """Return what is wrong with the unit that a file says: it contradicts itself, is of another
    quantity, or is not known.
    """
    assumed, said = quantities[0], named_unit(header)
    such = Remedy("unit", (assumed,), advice="such as {}")
    if said and beside and not _agree(said, beside):
        detail = f"the header {header!r} says {said}, the column of units {beside}"
        return [Problem(name, "unit", detail)]
    if strange := strange_unit(header):
        detail = f"the header {header!r} names a unit that is not known: {strange}"
        return [Problem(name, "unit", detail, (such,))]
    if not (said or beside) and HALF_A_UNIT.search(header):
        detail = f"the header {header!r} names a hundredth of a money, but not per what"
        half = Remedy("unit", ("ct/kWh", "EUR/MWh"), advice="such as {}")
        return [Problem(name, "unit", detail, (half,))]
    unit = _unit_of(header, beside, assumed)
    if not any(_fits(unit, quantity) for quantity in quantities):
        who = f"the header {header!r}" if said else "the column of units"
        detail = f"{who} says {unit}, {assumed} is assumed, which is another quantity"
        give = Remedy("unit", (assumed,), advice=f"if it is {assumed} all the same, give {{}}")
        return [Problem(name, "unit", detail, (give,))]
    return []


def _agree(said: str, beside: str) -> bool:
    """Return True where a header and a column of units do not contradict each other; the latter
    may be the money alone.
    """
    return said == beside or (beside in CURRENCIES and said.startswith((beside, "ct/")))


def _fits(unit: str, quantity: str) -> bool:
    return factor(unit, quantity) is not None or is_money(unit, quantity)


def _unit_beside(whole: pd.DataFrame, table: TableFormat, source: str) -> str | None:
    """Return the unit that a column of units names for all rows."""
    if header := table.columns.get("unit"):
        return unit_of_cells(pick_columns(whole, {"unit": header}, source)["unit"], source)
    for header in whole.columns:
        if header.lower() not in UNIT_HEADERS or (whole.columns == header).sum() > 1:
            continue
        cells = as_text(whole[header])
        words = [word for word in cells.unique() if word]
        if words and all(named_unit(f"[{word}]") for word in words):
            return unit_of_cells(cells, source)
    return None


def _check_once(whole: pd.DataFrame, table: TableFormat, source: str) -> None:
    """Refuse a table that has most times more than once where a column tells their rows apart, such
    as two auctions or two areas, and say how to choose.

    The hour that a clock shows twice is no such case: it is a small part of a table.
    """
    headers = [table.columns[name] for name in TIME_COLUMNS if name in table.columns]
    written = pd.DataFrame({header: as_text(whole[header]) for header in headers})
    twice = written.duplicated(keep=False)
    if twice.mean() <= 0.5:
        return
    for header in whole.columns:
        if (whole.columns == header).sum() > 1 or header in table.columns.values():
            continue
        words = as_text(whole[header])
        still_twice = written.assign(**{"\0": words}).duplicated(keep=False).mean()
        choices = words[twice].unique()
        if still_twice <= 0.1 and 1 < len(choices) <= MOST_CHOICES:
            first = first_few(written[twice].drop_duplicates().agg(" ".join, axis=1), 2)
            detail = f"{first}: given more than once, for several {header}"
            rows = Remedy("where", tuple(map(str, choices)), key=header)
            raise SchemaError([Problem("time", "time", detail, (rows,))], source)
