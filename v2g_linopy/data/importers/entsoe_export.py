"""Tables that the website of the ENTSO-E transparency platform exports, in two layouts."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...errors import Problem, SchemaError
from ..tables.cells import as_text, read_cells
from ..tables.local_time import Ambiguous
from ..tables.numbers import is_missing, number_columns
from ..tables.series import lengths_of_ranges
from ..tables.table_format import TableFormat, read_times
from ..tables.wording import cells_in_rows, first_few, with_count
from ..tables.written_times import read_written, split_ranges
from .choices import COUPLED, Where, choose_series
from .price_points import MINUTE, PricePoints

CLOCKS = {
    "CET/CEST": "Europe/Brussels",
    "UTC": "UTC",
    "WET/WEST": "Europe/Lisbon",
    "EET/EEST": "Europe/Helsinki",
}
"""Zones that a header of times names."""
PRICE_HEADER = re.compile(r"Day-ahead Price\s*[\[(]([A-Z]{3}/MWh)[\])]", re.IGNORECASE)
DAY_FIRST = r"^(\d{2})[./](\d{2})[./](\d{4}) "
HEADERS = {"area": "Area", "sequence": "Sequence"}


class _Columns(NamedTuple):
    """The headers of times and prices, the zone of the times, and the unit of the prices."""

    time: str
    price: str
    zone: str
    unit: str


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
    source, whole = str(path), read_cells(path)
    columns = _columns([str(header) for header in whole.columns], source)
    kinds = _kinds(whole)
    picked = choose_series(kinds, where, source, COUPLED)
    frame = whole.iloc[picked]
    area = kinds[picked[0]].get("area") or next((h for h in whole.columns if "|" in h), "")

    value = number_columns(frame, [columns.price], ".", source)[columns.price]
    _check_currency(frame, columns.unit, source)
    begin, end = _ranges(frame[columns.time].rename("MTU"), source)
    backwards = len(begin) > 1 and begin.iloc[0] > begin.iloc[-1]
    if backwards:  # of an hour that is shown twice the first is then the later one
        begin, end, value = begin[::-1], end[::-1], value[::-1]
    table = TableFormat({}, columns.zone, ambiguous)
    rules = ("infer", "first", "second")
    utc = read_times(begin, table, source, where="MTU", rules=rules)
    shown = [read_written(cells, None, source, columns.zone).local for cells in (begin, end)]
    minutes = lengths_of_ranges(shown[0], shown[1], source) // MINUTE

    notes = [utc.note] if utc.note else []
    others = [kind for k, kind in enumerate(kinds) if k not in set(picked)]
    if others:
        series = {", ".join(f"{name} {word}" for name, word in kind.items()) for kind in others}
        named = first_few(sorted(series))
        notes.append(f"Left out, {with_count(len(others), 'row')} of another series: {named}.")
    if _has_intraday(frame):
        notes.append("Intraday prices of the file are left out.")
    return PricePoints(
        utc.time, value[utc.row], columns.unit, minutes[utc.row], columns.zone, area, tuple(notes)
    )


def _columns(headers: Sequence[str], source: str) -> _Columns:
    """Return where the times and the prices stand, and what their headers say."""
    times = [header for header in headers if header.startswith("MTU (")]
    clock = re.search(r"\(([^)]+)\)", times[0]) if times else None
    named = clock.group(1) if clock else "none"
    prices = [(header, found[1]) for header in headers if (found := PRICE_HEADER.search(header))]
    problems = []
    if named not in CLOCKS:
        detail = f"times of the clock {named}; {first_few(CLOCKS)} are read"
        problems.append(Problem("MTU", "time", detail))
    if len(prices) != 1:
        detail = (
            f"{len(prices) or 'no'} columns 'Day-ahead Price' with a unit such as [EUR/MWh];"
            f" the file has {first_few(headers, 20)}"
        )
        problems.append(Problem("Day-ahead Price", "unit", detail))
    if problems:
        raise SchemaError(problems, source)
    price, unit = prices[0]
    return _Columns(times[0], price, CLOCKS[named], unit[:3].upper() + unit[3:])


def _kinds(whole: pd.DataFrame) -> list[dict[str, str]]:
    """Return the area and the auction of each row, as far as the table says them: `1` for
    `Sequence 1`.
    """
    there = {name: header for name, header in HEADERS.items() if header in whole.columns}
    words = {name: as_text(whole[header]) for name, header in there.items()}
    if "sequence" in words:
        words["sequence"] = words["sequence"].str.removeprefix("Sequence ").str.strip()
    frame = pd.DataFrame(words, index=whole.index)
    return [dict(zip(words, row, strict=True)) for row in frame.itertuples(index=False)]


def _ranges(cells: pd.Series, source: str) -> tuple[pd.Series, pd.Series]:
    """Return begin and end of each step; the platform writes the day first."""
    begin, end = split_ranges(cells)
    if end is None:
        wrong = cells[~as_text(cells).str.contains(" - ", regex=False)]
        detail = f"no step such as '24.10.2025 00:00 - 24.10.2025 00:15' at {cells_in_rows(wrong)}"
        raise SchemaError([Problem("MTU", "time", detail)], source)
    return _year_first(begin), _year_first(end)


def _year_first(times: pd.Series) -> pd.Series:
    return times.str.replace(DAY_FIRST, r"\3-\2-\1 ", regex=True)


def _check_currency(frame: pd.DataFrame, unit: str, source: str) -> None:
    """Refuse a column of currencies that contradicts the unit of the prices."""
    if "Currency" not in frame.columns:
        return
    others = sorted({*as_text(frame["Currency"])} - {unit[:3], ""})
    if others:
        detail = f"{first_few(others)} in the column, {unit} in the header of the prices"
        raise SchemaError([Problem("Currency", "unit", detail)], source)


def _has_intraday(frame: pd.DataFrame) -> bool:
    """Say whether the table holds intraday prices, too."""
    columns = [h for h in frame.columns if h.startswith("Intraday Price")]
    return any(bool(np.any(~is_missing(frame[column]))) for column in columns)
