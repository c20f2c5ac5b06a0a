"""Files into tables, with one message for what a file can have wrong with it."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from ...case.io import existing
from ...errors import InputFileError, Problem, Remedy, SchemaError
from .wording import first_few

Value = TypeVar("Value")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}


def collect_problems(problems: list[Problem], action: Callable[[], Value]) -> Value | None:
    """Return what an action returns.

    Where it finds faults, add them to `problems` instead of raising.
    """
    try:
        return action()
    except SchemaError as error:
        problems += error.problems
        return None


def read_csv(path: str | Path, *, separator: str, decimal: str) -> pd.DataFrame:
    """Return a text table, every cell as it is written, header cells stripped."""
    path = existing(path)
    _separated(path, separator)
    try:
        frame = pd.read_csv(
            path,
            sep=separator,
            decimal=decimal,
            encoding="utf-8-sig",
            dtype=str,
            skipinitialspace=True,
        )
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise InputFileError(path, f"cannot be read as a table of text: {error}") from error
    frame.columns = [str(c).strip() for c in frame.columns]
    if len(frame) == 0:
        raise InputFileError(path, "has a header and no rows")
    return frame


def _separated(path: Path, separator: str) -> None:
    """Refuse a separator that the header does not hold where it holds another one: the columns
    would run together.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    other = max(SEPARATORS, key=header.count)
    if separator not in header and other in header:
        detail = f"the columns seem to be separated by {SEPARATORS[other]}"
        raise InputFileError(path, detail, (Remedy("separator", (other,)),))


def read_netcdf(path: str | Path) -> xr.Dataset:
    """Return a flat NetCDF file in memory."""
    path = existing(path)
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as file:
            return file.load()
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        detail = f"cannot be read as NetCDF: it may be truncated or of another kind ({error})"
        raise InputFileError(path, detail) from error


def clock_axis(file: xr.Dataset, source: str) -> str:
    """Return the one dimension of a flat file that has time stamps, or raise `SchemaError`."""
    axes = [str(d) for d, index in file.indexes.items() if isinstance(index, pd.DatetimeIndex)]
    if len(axes) != 1:
        detail = f"needs one dimension with time stamps, has {first_few(axes) or 'none'}"
        raise SchemaError([Problem("time", "time", detail)], source)
    return axes[0]


def read_workbook(path: str | Path) -> pd.DataFrame:
    """Return the first sheet of an Excel workbook.

    The first row is the header. Needs the extra `excel`.
    """
    path = existing(path)
    try:
        import python_calamine
    except ImportError as error:
        raise InputFileError(
            path, "needs the extra excel: pip install 'v2g-linopy[excel]'"
        ) from error
    try:
        rows = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    except (python_calamine.CalamineError, OSError) as error:
        raise InputFileError(path, f"cannot be read as an Excel workbook: {error}") from error
    if len(rows) < 2:
        raise InputFileError(path, "its first sheet holds no rows")
    frame = pd.DataFrame(rows[1:], columns=[" ".join(str(c).split()) for c in rows[0]])
    return frame.astype(object).mask(frame.astype(str) == "")


def pick_columns(frame: pd.DataFrame, columns: Mapping[str, str], source: str) -> pd.DataFrame:
    """Return the columns of a file under the names of their fields.

    Raises
    ------
    SchemaError
        Every column that the file does not have.
    """
    problems = []
    for field, column in columns.items():
        if column not in frame.columns:
            near = get_close_matches(column, list(frame.columns), 1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            detail = f"no column {column!r}; {hint}the file has {first_few(frame.columns, 20)}"
            problems.append(Problem(field, "missing", detail))
    if problems:
        raise SchemaError(problems, source)
    return pd.DataFrame({field: frame[column] for field, column in columns.items()})


def number_columns(
    frame: pd.DataFrame, names: Iterable[str], decimal: str, source: str
) -> dict[str, np.ndarray]:
    """Return columns as numbers, an empty cell as NaN.

    Raises `SchemaError` with every cell that is no number.
    """
    out, problems = {}, []
    for name in names:
        text = frame[name].astype(str).str.strip().str.replace(decimal, ".", regex=False)
        empty = np.asarray(
            frame[name].isna() | text.str.lower().isin(["", "nan", "na", "n/a", "-"])
        )
        value = pd.to_numeric(text.where(~empty), errors="coerce").to_numpy(float)
        wrong = np.flatnonzero((np.isnan(value) & ~empty) | np.isinf(value))
        if len(wrong):
            cells = first_few([f"row {k + 2}: {frame[name].iloc[k]!r}" for k in wrong])
            commas = Remedy("decimal", (",",), advice="give {} where commas are meant")
            problems.append(Problem(name, "type", f"not a number at {cells}", (commas,)))
        out[name] = value
    if problems:
        raise SchemaError(problems, source)
    return out


def parse_times(cells: pd.Series, time_format: str | None, source: str) -> pd.DatetimeIndex:
    """Return written times, as they are: with their offset in UTC, without one naive.

    Parameters
    ----------
    cells
        Text, one time stamp each.
    time_format
        As in `strptime`; ISO 8601 unless given, never guessed (is 3/4 in March or in April?).
    source
        The file, for the message.

    Raises
    ------
    SchemaError
        Cells that do not fit the format.
    """
    text = cells.astype(str).str.strip()
    offset = text.str.contains(r"(?:Z|UTC|[+-]\d{2}:?\d{2})$", regex=True)
    if offset.any() and not offset.all():
        where = first_few([f"row {k + 2}: {text.iloc[k]!r}" for k in np.flatnonzero(~offset)])
        raise SchemaError(
            [
                Problem(
                    str(cells.name), "time", f"some times have an offset, others have none: {where}"
                )
            ],
            source,
        )
    parsed = pd.to_datetime(
        text, format=time_format or "ISO8601", errors="coerce", utc=bool(offset.all())
    )
    wrong = np.flatnonzero(parsed.isna())
    if len(wrong):
        where = first_few([f"row {k + 2}: {text.iloc[k]!r}" for k in wrong])
        wanted = f"the format {time_format!r}" if time_format else "ISO 8601 (2019-03-31 14:15)"
        detail = f"not a time in {wanted} at {where}"
        other = Remedy("time_format", advice="give {}, such as '%d/%m/%Y %H:%M'")
        raise SchemaError([Problem(str(cells.name), "time", detail, (other,))], source)
    return pd.DatetimeIndex(parsed)
