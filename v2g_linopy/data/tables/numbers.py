"""Written numbers: which mark is the decimal one is told or proven, never guessed.

`1.250` is one and a quarter in London and twelve hundred and fifty in Berlin. A column tells which
where one of its numbers can be read in one way only, such as `85,20`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import Problem, Remedy, SchemaError
from .cells import as_text
from .wording import cells_in_rows

MISSING_WORDS = frozenset(
    ["", "-", "--", "–", "—", "n/e", "n/a", "na", "n.a.", "nan", "none", "null", "#n/a", "#nv"]
)
"""What stands in a cell without a number, in small letters."""
DECIMALS = (".", ",")
SPACES = " \u00a0\u2009\u202f'’"
"""Marks between thousands that are never decimal."""
MINUS = str.maketrans({"\u2212": "-"})
EXPONENT = r"(?:[eE][+-]?[0-9]+)?"


def number_columns(
    frame: pd.DataFrame,
    names: Iterable[str],
    decimal: str | None,
    source: str,
    thousands: str | None = None,
) -> dict[str, np.ndarray]:
    """Return columns as numbers, a missing one as NaN.

    Parameters
    ----------
    frame
        Cells as `read_cells` returns them: text, or numbers of a workbook.
    names
        The columns.
    decimal
        The decimal mark. Unless given, the one that a column proves, else a point.
    source
        The file, for the message.
    thousands
        The mark between thousands. Unless given, a mark that the column proves to be one; a space
        or an apostrophe is always one.

    Raises
    ------
    SchemaError
        Cells that are no number, or may be read in two ways.
    """
    out: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    marks = Marks(decimal, thousands, str(frame.attrs.get("separator", ",")))
    for name in names:
        try:
            out[name] = _column(frame[name], marks)
        except SchemaError as error:
            problems += error.problems
    if problems:
        raise SchemaError(problems, source)
    return out


def plain_number(text: str) -> float | None:
    """Return a number of a document, written with a point; None for what is none.

    >>> [plain_number(text) for text in (" -1.5e3 ", "1_000", "41.", "nan", "1e999")]
    [-1500.0, None, None, None, None]
    """
    if not re.fullmatch(rf"[+-]?[0-9]+(?:\.[0-9]+)?{EXPONENT}", text.strip()):
        return None
    number = float(text)
    return number if np.isfinite(number) else None


def is_missing(column: pd.Series) -> np.ndarray:
    """Mark the cells that hold no number and say so."""
    return as_text(column).str.lower().isin(MISSING_WORDS).to_numpy(bool)


@dataclass(frozen=True)
class Marks:
    """What is known of the marks in numbers, and what separates the cells."""

    decimal: str | None
    thousands: str | None
    separator: str

    def __post_init__(self) -> None:
        problems = []
        if self.decimal not in (None, *DECIMALS):
            detail = f"{self.decimal!r} is no decimal mark"
            problems.append(Problem("decimal", "choice", detail, (Remedy("decimal", DECIMALS),)))
        if self.thousands not in (None, *DECIMALS, *SPACES):
            detail = f"{self.thousands!r} is no mark between thousands"
            choices = Remedy("thousands", (*DECIMALS, " ", "'"))
            problems.append(Problem("thousands", "choice", detail, (choices,)))
        if self.decimal is not None and self.decimal == self.thousands:
            detail = f"{self.decimal!r} cannot be the decimal mark and stand between thousands"
            problems.append(Problem("thousands", "choice", detail))
        if problems:
            raise SchemaError(problems, "the marks of numbers")

    @property
    def told(self) -> str | None:
        """The decimal mark that the user gave, or that his mark between thousands leaves."""
        if self.decimal is None and self.thousands in DECIMALS:
            return _other(str(self.thousands))
        return self.decimal


def _column(column: pd.Series, marks: Marks) -> np.ndarray:
    """Return a column as numbers; those of a workbook are numbers already."""
    typed = np.fromiter((isinstance(c, (int, float)) for c in column), bool, len(column))
    out = np.full(len(column), np.nan)
    out[typed] = column[typed].astype(float)
    numbers = ~typed & ~is_missing(column)
    if numbers.any():
        text = column[numbers].astype(str).str.strip().str.translate(MINUS)
        out[numbers] = _parsed(text, marks)
    wrong = typed & np.isinf(out)
    if wrong.any():
        raise SchemaError([_no_numbers(column[wrong], marks)])
    return out


def _parsed(text: pd.Series, marks: Marks) -> np.ndarray:
    """Return written numbers; `text` holds no missing ones."""
    plain = text.str.fullmatch(rf"[+-]?[0-9]+{EXPONENT}").to_numpy(bool)
    marked = text[~plain]
    decimal = "."
    if len(marked):
        fits = {mark: _fits(marked, mark) for mark in DECIMALS}
        neither = ~(fits["."] | fits[","])
        if neither.any():
            raise SchemaError([_no_numbers(marked[neither], marks)])
        decimal = _decimal(marked, fits, marks, all_marked=not plain.any())
    other = _other(decimal)
    bare = text.str.replace(rf"[{SPACES}{other}]", "", regex=True)
    values = pd.to_numeric(bare.str.replace(decimal, ".", regex=False)).to_numpy(float)
    if np.isinf(values).any():
        raise SchemaError([_no_numbers(text[np.isinf(values)], marks)])
    return values


def _fits(text: pd.Series, decimal: str) -> np.ndarray:
    """Mark the cells that are a number where `decimal` is the decimal mark."""
    point, other = rf"\{decimal}", rf"\{_other(decimal)}"
    grouped = rf"[1-9][0-9]{{0,2}}(?P<mark>[{SPACES}]|{other})[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*"
    pattern = rf"[+-]?(?:{grouped}|[0-9]+|(?={point}[0-9]))(?:{point}[0-9]+)?{EXPONENT}"
    return text.str.fullmatch(pattern).to_numpy(bool)


def _decimal(
    text: pd.Series, fits: dict[str, np.ndarray], marks: Marks, *, all_marked: bool
) -> str:
    """Return the decimal mark of a column: as told, as proven, or a point.

    Raises
    ------
    SchemaError
        The column has numbers that only fit one mark and numbers that only fit the other, or
        numbers of which nothing tells what their mark is.
    """
    proven = {mark: fits[mark] & ~fits[_other(mark)] for mark in DECIMALS}
    shown = [mark for mark in DECIMALS if proven[mark].any()]
    if len(shown) == 2:
        raise SchemaError([_two_marks(text, proven)])
    told = marks.told
    if told is not None:
        _check_told(text, fits, told, shown, marks)
        return told
    if shown:
        return shown[0]
    # every cell is like 1.250 or 1,250 (or 1 250, which has no mark that could be decimal)
    unclear = text[text.str.contains(r"[.,]", regex=True)]
    points_only = not unclear.str.contains(",", regex=False).any()
    if len(unclear) and not (points_only and all_marked and marks.separator == ","):
        raise SchemaError([_unclear(unclear)])
    return "."


def _check_told(
    text: pd.Series, fits: dict[str, np.ndarray], told: str, shown: list[str], marks: Marks
) -> None:
    """Refuse numbers that do not fit the decimal mark that was told, and thousands that nothing
    tells to be such.
    """
    other = _other(told)
    if not fits[told].all():
        raise SchemaError([_no_numbers(text[~fits[told]], marks)])
    groups = text.str.contains(other, regex=False).to_numpy(bool)
    if groups.any() and told not in shown and marks.thousands != other:
        cells = cells_in_rows(text[groups])
        detail = f"{cells}: nothing in the column tells whether {other!r} stands between thousands"
        remedies = (
            Remedy("thousands", (other,), advice="if it does, give {}"),
            Remedy("decimal", (other,), advice="if it is the decimal mark, give {}"),
        )
        raise SchemaError([Problem(str(text.name), "type", detail, remedies)])


def _no_numbers(wrong: pd.Series, marks: Marks) -> Problem:
    detail = f"not a number at {cells_in_rows(wrong)}"
    told = marks.told
    other_fits = told is not None and bool(_fits(wrong.astype(str), _other(told)).all())
    if not other_fits:
        return Problem(str(wrong.name), "type", detail)
    meant = Remedy("decimal", (_other(str(told)),), advice="if that is the decimal mark, give {}")
    return Problem(str(wrong.name), "type", f"{detail} with the decimal mark {told!r}", (meant,))


def _two_marks(text: pd.Series, proven: dict[str, np.ndarray]) -> Problem:
    point, comma = (cells_in_rows(text[proven[mark]], 2) for mark in DECIMALS)
    detail = f"written with two decimal marks: a point in {point}; a comma in {comma}"
    return Problem(str(text.name), "type", detail)


def _unclear(text: pd.Series) -> Problem:
    mark = "," if text.str.contains(",", regex=False).any() else "."
    detail = f"{cells_in_rows(text)}: the mark may be the decimal one or stand between thousands"
    remedies = (
        Remedy("decimal", (mark,), advice="give {} if it is the decimal mark"),
        Remedy("thousands", (mark,), advice="give {} if it stands between thousands"),
    )
    return Problem(str(text.name), "type", detail, remedies)


def _other(mark: str) -> str:
    return "," if mark == "." else "."
