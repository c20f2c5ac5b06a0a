"""Tables as CSV and as workbooks: every file and answer of rows is written here."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..case.label_text import as_cell, printable
from ..case.version import lacking
from ..errors import OutputError
from .csv_style import CsvStyle

SHEET_ROWS = 1_048_576
"""Rows that a sheet of a workbook holds."""
_WIDEST = 40  # characters of a column


PLAIN = CsvStyle()


def csv_text(table: pd.DataFrame, style: CsvStyle = PLAIN) -> str:
    r"""Write a table as CSV, with a header and without the index.

    A text that a spreadsheet would run as a formula has an apostrophe before it
    (`case.label_text.from_cell` takes it away); numbers are written as they are. Read it with all
    labels as text, as in the example: ``007`` and ``NA`` are names.

    Parameters
    ----------
    table : pandas.DataFrame
        Numbers, and text in the other columns.
    style : CsvStyle, default comma and point
        Marks between cells and in numbers.

    Returns
    -------
    str
        Lines that end in a line feed.

    Examples
    --------
    >>> import io
    >>> import pandas as pd
    >>> from v2g_linopy.case.label_text import from_cell
    >>> text = csv_text(pd.DataFrame({"member": ["=1+1", "007", "NA"], "kW": [-1.0, 2.0, 3.0]}))
    >>> text
    "member,kW\n'=1+1,-1.0\n007,2.0\nNA,3.0\n"
    >>> read = pd.read_csv(io.StringIO(text), dtype={"member": str}, keep_default_na=False)
    >>> read["member"].map(from_cell).tolist()
    ['=1+1', '007', 'NA']
    """
    # so a label with a carriage return is quoted; then lines end in a line feed, out of quotes
    text = _safe(table).to_csv(
        index=False, lineterminator="\r\n", sep=style.separator, decimal=style.decimal
    )
    between = text.split('"')
    between[::2] = [part.replace("\r\n", "\n") for part in between[::2]]
    return '"'.join(between)


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts a spreadsheet does not run."""
    safe = table.rename(columns=lambda name: as_cell(str(name)))
    for place in range(len(table.columns)):
        column = table.iloc[:, place]
        if column.dtype.kind not in "biufcM":
            cells = column.map(lambda x: as_cell(x) if isinstance(x, str) else x)
            safe.isetitem(place, cells.to_numpy(dtype=object))
    return safe


def write_tables(path: Path, tables: Mapping[str, pd.DataFrame], style: CsvStyle = PLAIN) -> None:
    """Write tables to a file: a workbook with a sheet of each where it ends in .xlsx, else CSV.

    CSV in other marks than comma and point begins with a byte order mark, without which a
    spreadsheet takes it for a file in the code page of the machine.

    Parameters
    ----------
    path : pathlib.Path
        The file; it is written over.
    tables : mapping of str to pandas.DataFrame
        By name of the sheet; CSV holds one.
    style : CsvStyle, default comma and point
        Marks of CSV.

    Raises
    ------
    OutputError
        A workbook cannot be written: openpyxl is missing, or a table has too many rows.
    """
    if path.suffix.lower() == ".xlsx":
        _write_workbook(path, tables)
        return
    (table,) = tables.values()
    encoding = "utf-8" if style == PLAIN else "utf-8-sig"
    path.write_bytes(csv_text(table, style).encode(encoding))


def workbook_lacks() -> str:
    """Return what a workbook needs and is not installed, and the remedy."""
    return lacking("excel", "openpyxl")


def _write_workbook(path: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write a workbook with a sheet for each table, its head frozen."""
    if lacking := workbook_lacks():
        raise OutputError(f"{path} cannot be written: {lacking}")
    for name, table in tables.items():
        if len(table) >= SHEET_ROWS:
            raise OutputError(
                f"{path} cannot be written: {name} has {len(table)} rows, a sheet holds"
                f" {SHEET_ROWS}; take CSV"
            )
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        for number, (name, table) in enumerate(tables.items()):
            cells = _safe(table).map(lambda x: printable(x) if isinstance(x, str) else x)
            shown = _sheet_name(name, number)
            cells.to_excel(book, sheet_name=shown, index=False, freeze_panes=(1, 0))
            sheet = book.sheets[shown]
            for column in sheet.columns:
                longest = max(len(str(cell.value or "")) for cell in column)
                letter = column[0].column_letter
                sheet.column_dimensions[letter].width = min(longest, _WIDEST) + 2


def _sheet_name(name: str, number: int) -> str:
    """Return a name that a sheet may have: at most 31 characters, none of []:*?/\\, told apart."""
    allowed = "".join("_" if c in "[]:*?/\\'" else c for c in printable(name))
    return allowed if len(allowed) <= 31 else f"{allowed[:26]}~{number}"
