"""Workbooks of a spreadsheet program, with one sheet."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import openpyxl


def workbook(path: Path, header: Sequence[object], rows: Iterable[Sequence[object]]) -> Path:
    """Write a header and rows into the first sheet of a workbook."""
    book = openpyxl.Workbook()
    for row in [header, *rows]:
        book.active.append(list(row))
    book.save(path)
    return path
