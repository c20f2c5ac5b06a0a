"""The cells of a table as they are written: text with separators, or the sheet of a workbook.

Nothing is read as a number or a time here, so nothing can be read wrongly: `007` stays `007`, and
`NA` is a word.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from itertools import dropwhile, islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ...case.io import existing
from ...errors import InputFileError, Problem, Remedy, SchemaError
from .files import collect_problems
from .text import read_text
from .wording import first_few, with_count

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
WORKBOOK = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
SEARCHED = 100
"""Rows among which the header is looked for."""
EMPTY = ("", None)
COMMENT = "#"


class Row(NamedTuple):
    """The cells of one row, and where the file has it: its line, or its row in the sheet."""

    place: int
    cells: Sequence[object]


class _Read(NamedTuple):
    """The rows of a file; of text also what stands between its cells."""

    rows: Iterator[Row]
    header: int
    separator: str


def read_cells(
    path: str | Path,
    wanted: Iterable[str] = (),
    *,
    separator: str | None = None,
    encoding: str | None = None,
    skip_rows: int = 0,
    sheet: str | None = None,
    where: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the rows of a table, every cell as it is written, a missing one as empty text.

    The index holds the line of each row in the file. The attribute ``separator`` says what stands
    between the cells (nothing in a workbook).

    Parameters
    ----------
    path
        Text, or a workbook (told by its first bytes). Rows without a cell are left out.
    wanted
        Headers that are needed; ``*`` stands for any text. Where the first row does not have them
        and a later one does, that is the header, and the lines before it are left out.
    separator
        Between the cells of text. Unless given, the one by which the wanted headers are found.
    encoding
        Of text; see `read_text`.
    skip_rows
        Lines to leave out before the header is looked for.
    sheet
        Name of the sheet of a workbook; the first unless given.
    where
        Keeps the rows that hold these words in these columns.

    Raises
    ------
    InputFileError
        The file cannot be read, or has no rows.
    SchemaError
        Rows with more cells than the header, or columns of `where` that are not there.
    """
    path, wanted = existing(path), list(wanted)
    if is_workbook(path):
        read = _of_sheet(path, wanted, sheet, skip_rows)
    else:
        read = _of_text(path, wanted, separator, encoding, skip_rows)
    frame = _table(path, read)
    frame = frame if not where else _chosen(frame, where, str(path))
    frame.attrs["separator"] = read.separator
    return frame


def is_workbook(path: Path) -> bool:
    """Return True for a file that a spreadsheet program wrote, or whose name says so."""
    if path.suffix.lower() in WORKBOOK:
        return True
    with path.open("rb") as file:
        start = file.read(8)
    return start.startswith(b"PK\x03\x04") or start == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def pick_columns(frame: pd.DataFrame, columns: Mapping[str, str], source: str) -> pd.DataFrame:
    """Return the columns of a file under the names of their fields.

    Raises
    ------
    SchemaError
        Every column that the file does not have, or has twice.
    """
    problems = []
    for field, column in columns.items():
        count = int((frame.columns == column).sum())
        if count == 0:
            near = get_close_matches(column, list(frame.columns), 1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            detail = f"no column {column!r}; {hint}the file has {first_few(frame.columns, 20)}"
            problems.append(Problem(field, "missing", detail))
        elif count > 1:
            detail = f"{count} columns are called {column!r}; give each a name of its own"
            problems.append(Problem(field, "labels", detail))
    if problems:
        raise SchemaError(problems, source)
    picked = pd.DataFrame({field: frame[column] for field, column in columns.items()})
    picked.attrs = dict(frame.attrs)
    return picked


def written(cell: object) -> str:
    """Return a cell as text; a number of a sheet without the zeros that it does not show.

    >>> written(7.0), written(" 007 "), written(None), written(datetime(2026, 3, 2, 1))
    ('7', '007', '', '2026-03-02 01:00:00')
    """
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def as_text(column: pd.Series) -> pd.Series:
    """Return a column whose cells are all text."""
    if all(type(cell) is str for cell in column):
        return column
    return column.map(written)


# --- text -----------------------------------------------------------------------------------


def _of_text(
    path: Path, wanted: list[str], separator: str | None, encoding: str | None, skip_rows: int
) -> _Read:
    if separator is not None and (len(separator) != 1 or separator in '\r\n"'):
        detail = f"{separator!r} cannot separate columns: it must be one character, no line end"
        raise InputFileError(path, detail, (Remedy("separator", tuple(SEPARATORS)),))
    lines = read_text(path, encoding)

    def rows(mark: str) -> Iterator[Row]:
        return _split(path, lines, mark, skip_rows)

    marks = [separator] if separator else list(SEPARATORS)
    problems: list[Problem] = []
    tried = [
        (mark, collect_problems(problems, partial(_header, path, rows(mark), wanted)))
        for mark in marks
    ]
    found = [(mark, head) for mark, head in tried if head is not None]
    if not found:
        raise InputFileError(path, problems[-1].detail)
    has_all = [(mark, head) for mark, head in found if head.complete]
    mark, head = max(has_all or found, key=lambda pair: pair[1].cells)
    if not head.complete:
        _separated(path, head, mark, separator)
    return _Read(rows(mark), head.place, mark)


def _split(path: Path, text: str, separator: str, skip_rows: int) -> Iterator[Row]:
    """Return the rows of a text with the line on which each ends."""
    reader = csv.reader(
        io.StringIO(text, newline=None), delimiter=separator, strict=True, skipinitialspace=True
    )
    try:
        for cells in reader:
            if cells and reader.line_num > skip_rows:
                yield Row(reader.line_num, [cell.strip() for cell in cells])
    except csv.Error as error:
        detail = f"line {reader.line_num} cannot be split into cells: {error}"
        quotes = "; a quotation mark that is opened must be closed, one inside is written twice"
        raise InputFileError(path, detail + quotes) from error


class _Header(NamedTuple):
    place: int
    cells: int
    complete: bool
    line: str


def _header(path: Path, rows: Iterable[Row], wanted: list[str]) -> _Header:
    """Return the first row that has all wanted headers, else the first that is no comment."""
    first: _Header | None = None
    try:
        for place, cells in islice(rows, SEARCHED):
            names = _names(cells)
            comment = bool(names) and names[0].startswith(COMMENT)
            if not any(names) or (comment and not wanted):
                continue
            complete = bool(wanted) and all(_has(names, header) for header in wanted)
            head = _Header(place, len(names), complete, "".join(map(str, cells)))
            if complete:
                return head
            first = first or (None if comment else head)
    except InputFileError:
        if first is None:
            raise
    if first is None:
        raise InputFileError(path, "has no row that could be a header")
    return first


def _names(cells: Iterable[object]) -> list[str]:
    return [" ".join(written(cell).split()) for cell in cells]


def _has(names: Iterable[str], header: str) -> bool:
    if "*" in header:
        return header in names or any(fnmatchcase(name, header) for name in names)
    return header in names


def _separated(path: Path, head: _Header, mark: str, given: str | None) -> None:
    """Refuse a separator that the header does not hold where it holds another one: the columns
    would run together.
    """
    other = max(SEPARATORS, key=head.line.count)
    if given is not None and head.cells == 1 and other in head.line and other != mark:
        detail = f"the columns seem to be separated by {SEPARATORS[other]}"
        raise InputFileError(path, detail, (Remedy("separator", (other,)),))


# --- workbooks ------------------------------------------------------------------------------


def _of_sheet(path: Path, wanted: list[str], sheet: str | None, skip_rows: int) -> _Read:
    """Return the rows of a sheet; its numbers and times are typed cells."""
    rows = [row for row in sheet_rows(path, sheet) if row.place > skip_rows]
    head = _header(path, rows, wanted)
    return _Read(iter(rows), head.place, "")


def sheet_rows(path: Path, sheet: str | None = None) -> list[Row]:
    """Return the rows of a sheet of a workbook. Needs the extra `excel`."""
    try:
        import python_calamine
    except ImportError as error:
        detail = "needs the extra excel: pip install 'v2g-linopy[excel]'"
        raise InputFileError(path, detail) from error
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        if sheet is not None and sheet not in book.sheet_names:
            such = Remedy("sheet", tuple(book.sheet_names[:6]))
            raise InputFileError(path, f"has no sheet {sheet!r}", (such,))
        name = sheet if sheet is not None else book.sheet_names[0]
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, OSError, IndexError) as error:
        raise InputFileError(path, f"cannot be read as an Excel workbook: {error}") from error
    return [Row(k, [_typed(cell) for cell in row]) for k, row in enumerate(rows, 1)]


def _typed(cell: object) -> object:
    """Return a cell of a sheet: a number as a number, a time or a word as text."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, datetime):
        # a sheet counts days: a full minute may be a few microseconds off
        return str(pd.Timestamp(cell).round("ms"))
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return cell


# --- both -----------------------------------------------------------------------------------


def _table(path: Path, read: _Read) -> pd.DataFrame:
    """Return the rows below the header as a table."""
    rows = dropwhile(lambda row: row.place < read.header, read.rows)
    names = _names(next(rows).cells)
    while names and not names[-1]:
        names.pop()  # separators at the end of the header
    width = len(names)
    places: list[int] = []
    table: list[Sequence[object]] = []
    too_long: list[int] = []
    for place, cells in rows:
        if cells and cells[0] in EMPTY and all(cell in EMPTY for cell in cells):
            continue
        if len(cells) != width:
            if any(cell not in EMPTY for cell in cells[width:]):
                too_long.append(place)
            cells = [*cells[:width], *[""] * (width - len(cells))]
        table.append(cells)
        places.append(place)
    if too_long:
        raise SchemaError([_too_long(too_long, len(names), read)], str(path))
    if not table:
        raise InputFileError(path, "has a header and no rows")
    columns = zip(*table, strict=True)
    frame = pd.DataFrame(
        {k: pd.Series(column, dtype=object) for k, column in enumerate(columns)}
    ).set_axis(names, axis=1)
    return frame.set_axis(pd.Index(places, name="row"), axis=0)


def _too_long(places: list[int], cells: int, read: _Read) -> Problem:
    detail = (
        f"{with_count(len(places), 'row')} with more cells than the header, which has {cells}:"
        f" row {first_few(places)}"
    )
    comma = "; a decimal comma between cells that commas separate needs quotation marks"
    return Problem("row", "columns", detail + (comma if read.separator == "," else ""))


def _chosen(frame: pd.DataFrame, where: Mapping[str, str], source: str) -> pd.DataFrame:
    """Return the rows that hold the words of `where` in its columns."""
    columns = {f"where.{column}": column for column in where}
    cells = pick_columns(frame, columns, source)
    keep = pd.Series(True, index=frame.index)
    problems = []
    for column, word in where.items():
        words = as_text(cells[f"where.{column}"])
        if not (words == word).any():
            there = first_few(words.unique(), 12)
            detail = f"no row has {word!r} in the column {column!r}; there are {there}"
            problems.append(Problem(f"where.{column}", "choice", detail))
        keep &= words == word
    if not problems and not keep.any():
        problems.append(Problem("where", "choice", "no row has all of these words"))
    if problems:
        raise SchemaError(problems, source)
    return frame[keep]
