"""Tables that the website of the ENTSO-E transparency platform exports, in two layouts."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import InputFileError, Problem, SchemaError
from ..tables.local_time import Ambiguous, nanoseconds, to_utc
from ..tables.text import read_text
from ..tables.wording import first_few, with_count
from .choices import COUPLED, Where, choose_series
from .price_points import MINUTE, STEPS, PricePoints

CLOCKS = {
    "CET/CEST": "Europe/Brussels",
    "UTC": "UTC",
    "WET/WEST": "Europe/Lisbon",
    "EET/EEST": "Europe/Helsinki",
}
"""Zones that a header of times names."""
OFFSETS = {"CET": 1, "CEST": 2, "WET": 0, "WEST": 1, "EET": 2, "EEST": 3, "UTC": 0}
"""Hours before UTC of a mark behind a time."""
PRICE_HEADER = re.compile(r"Day-ahead Price\s*[\[(]([A-Z]{3}/MWh)[\])]", re.IGNORECASE)
STAMP = re.compile(r"(\d{2})[./](\d{2})[./](\d{4}) (\d{2}):(\d{2})(?::(\d{2}))?(?: \(([A-Z]+)\))?")
NO_PRICE = ("", "-", "n/e", "n/a", "nan")
HEADERS = {"area": "Area", "sequence": "Sequence"}


def is_export(shown: str) -> bool:
    """Say whether the beginning of a file is that of an exported table of prices."""
    header = shown.partition("\n")[0]
    return "MTU (" in header and "Day-ahead Price" in header


def points_of_export(path: str | Path, where: Where | None, ambiguous: Ambiguous) -> PricePoints:
    """Return the prices of one series of an exported table.

    Raises
    ------
    InputFileError
        The file is no such table.
    SchemaError
        Several series and no choice, or faults of the table.
    """
    source = str(path)
    header, rows = _table(path)
    zone, unit, price_at = _columns(header, path)
    names = {name: header.index(title) for name, title in HEADERS.items() if title in header}
    kinds = [{name: _plain(row[at], name) for name, at in names.items()} for row in rows]
    picked = choose_series(kinds, where, source, COUPLED)
    area = kinds[picked[0]].get("area") or next((h for h in header if "|" in h), "")
    others = [kind for k, kind in enumerate(kinds) if k not in set(picked)]
    rows, lines = [rows[k] for k in picked], [k + 2 for k in picked]

    value = _prices([row[price_at] for row in rows], lines, source)
    _check_currency(header, rows, unit, source)
    start, minutes, note = _times([row[0] for row in rows], lines, zone, ambiguous, source)
    notes = [note] if note else []
    if others:
        series = {", ".join(f"{name} {word}" for name, word in kind.items()) for kind in others}
        named = first_few(sorted(series))
        notes.append(f"Left out, {with_count(len(others), 'row')} of another series: {named}.")
    if _has_intraday(header, rows):
        notes.append("Intraday prices of the file are left out.")
    return PricePoints(start, value, unit, minutes, zone, area, tuple(notes))


def _table(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows; a row of another length is refused."""
    try:
        lines = list(csv.reader(io.StringIO(read_text(path)), strict=True))
    except csv.Error as error:
        raise InputFileError(path, f"cannot be read as a table of text: {error}") from error
    header = [cell.strip() for cell in lines[0]]
    rows = [[cell.strip() for cell in line] for line in lines[1:] if line]
    short = [k + 2 for k, row in enumerate(rows) if len(row) != len(header)]
    if short:
        detail = f"rows with another number of cells than the header: row {first_few(short)}"
        raise InputFileError(path, f"{detail}; the file may be cut off")
    if not rows:
        raise InputFileError(path, "has a header and no rows")
    return header, rows


def _columns(header: Sequence[str], path: str | Path) -> tuple[str, str, int]:
    """Return the zone of the times, the unit of the prices, and where the prices stand."""
    clock = re.search(r"\(([^)]+)\)", header[0])
    named = clock.group(1) if clock else "none"
    zone = CLOCKS.get(named)
    found = [
        (place, match.group(1))
        for place, title in enumerate(header)
        if (match := PRICE_HEADER.search(title))
    ]
    problems = []
    if zone is None:
        detail = f"times of the clock {named}; {first_few(CLOCKS)} are read"
        problems.append(Problem(header[0], "time", detail))
    if len(found) != 1:
        detail = (
            f"{len(found) or 'no'} columns 'Day-ahead Price' with a unit such as [EUR/MWh];"
            f" the file has {first_few(header, 20)}"
        )
        problems.append(Problem("Day-ahead Price", "unit", detail))
    if problems or zone is None:
        raise SchemaError(problems, str(path))
    place, unit = found[0]
    return zone, unit[:3].upper() + unit[3:], place


def _plain(cell: str, name: str) -> str:
    """Return the value of an attribute: `1` for `Sequence 1`."""
    return cell.removeprefix("Sequence ").strip() if name == "sequence" else cell


def _prices(cells: Sequence[str], lines: Sequence[int], source: str) -> np.ndarray:
    """Return cells as numbers, NaN where there is no price."""
    text = pd.Series(list(cells), dtype=str)
    empty = text.str.lower().isin(NO_PRICE)
    value = pd.to_numeric(text.where(~empty), errors="coerce").to_numpy(float)
    wrong = np.flatnonzero((np.isnan(value) & ~empty) | np.isinf(value)).tolist()
    if len(wrong):
        where = first_few([f"row {lines[k]}: {cells[k]!r}" for k in wrong])
        detail = f"not a number at {where}"
        raise SchemaError([Problem("Day-ahead Price", "type", detail)], source)
    return value


def _check_currency(
    header: Sequence[str], rows: Sequence[Sequence[str]], unit: str, source: str
) -> None:
    """Refuse a column of currencies that contradicts the unit of the prices."""
    if "Currency" not in header:
        return
    at = header.index("Currency")
    others = sorted({row[at] for row in rows} - {unit[:3], ""})
    if others:
        detail = f"{first_few(others)} in the column, {unit} in the header of the prices"
        raise SchemaError([Problem("Currency", "unit", detail)], source)


def _has_intraday(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Say whether the table holds intraday prices, too."""
    places = [k for k, title in enumerate(header) if title.startswith("Intraday Price")]
    return any(row[k].lower() not in NO_PRICE for k in places for row in rows)


def _times(
    cells: Sequence[str], lines: Sequence[int], zone: str, ambiguous: Ambiguous, source: str
) -> tuple[pd.DatetimeIndex, np.ndarray, str]:
    """Return when each step begins (UTC), how many minutes it has, and which rule was needed."""
    pairs = [cell.split(" - ") for cell in cells]
    found = [
        [STAMP.fullmatch(half) for half in pair] if len(pair) == 2 else [None] for pair in pairs
    ]
    wrong = [k for k, pair in enumerate(found) if None in pair]
    if wrong:
        where = first_few([f"row {lines[k]}: {cells[k]!r}" for k in wrong])
        detail = f"no time such as '24.10.2025 00:00 - 24.10.2025 00:15' at {where}"
        raise SchemaError([Problem("MTU", "time", detail)], source)
    begin = [pair[0] for pair in found if pair[0]]
    end = [pair[-1] for pair in found if pair[-1]]
    start, note = _instants(begin, zone, ambiguous, source)
    candidates = [_instants(end, zone, rule, source, shift=True)[0] for rule in ("first", "second")]
    length = [(nanoseconds(c) - nanoseconds(start)) // MINUTE for c in candidates]
    minutes = np.where(np.isin(length[0], list(STEPS)), length[0], length[1])
    odd = np.flatnonzero(~np.isin(minutes, list(STEPS))).tolist()
    if len(odd):
        where = first_few([f"row {lines[k]}: {cells[k]!r}" for k in odd])
        detail = f"no step of {', '.join(STEPS.values())} at {where}"
        raise SchemaError([Problem("MTU", "time", detail)], source)
    return start, minutes, note


def _instants(
    stamps: Sequence[re.Match[str]],
    zone: str,
    ambiguous: Ambiguous,
    source: str,
    shift: bool = False,
) -> tuple[pd.DatetimeIndex, str]:
    """Return written local times in UTC, and which rule was needed.

    A mark behind a time says which of two hours it is.
    """
    days = [f"{m[3]}-{m[2]}-{m[1]} {m[4]}:{m[5]}:{m[6] or '00'}" for m in stamps]
    local = pd.DatetimeIndex(
        pd.to_datetime(pd.Series(days), format="%Y-%m-%d %H:%M:%S", errors="coerce")
    )
    if local.hasnans:
        bad = [stamps[k].group(0) for k in np.flatnonzero(local.isna()).tolist()]
        raise SchemaError([Problem("MTU", "time", f"no such time: {first_few(bad)}")], source)
    marked = np.array([m[7] is not None for m in stamps])
    utc, note = nanoseconds(local), ""
    if (~marked).any():
        plain = local[~marked]
        backwards = len(plain) > 1 and plain[0] > plain[-1]
        ordered = plain[::-1] if backwards else plain
        told = to_utc(
            ordered,
            zone,
            ambiguous=ambiguous,
            nonexistent="shift" if shift else "raise",
            rules=("infer", "first", "second"),
            where="MTU",
            source=source,
        )
        note = told.note
        utc[~marked] = nanoseconds(told.time[::-1] if backwards else told.time)
    utc[marked] -= _offsets([m[7] for m in stamps if m[7]], source)
    return pd.DatetimeIndex(utc.astype("datetime64[ns]")), note


def _offsets(marks: Sequence[str], source: str) -> np.ndarray:
    """Return how far the clock of each mark is before UTC, in nanoseconds."""
    unknown = sorted(set(marks) - set(OFFSETS))
    if unknown:
        detail = f"the mark ({first_few(unknown)}) is no clock; {first_few(OFFSETS, 9)} are read"
        raise SchemaError([Problem("MTU", "time", detail)], source)
    hours: Mapping[str, int] = OFFSETS
    return np.array([hours[mark] for mark in marks], np.int64) * 60 * MINUTE
