"""Workbooks of the Italian market: prices of GME, and regulation of Terna. Each has the traps that
its publisher set.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.cells import pick_columns, read_cells, written
from ..tables.local_time import Ambiguous, Utc
from ..tables.numbers import number_columns
from ..tables.positions import HourCount
from ..tables.series import Missing, uniform_series
from ..tables.table_format import TableFormat, read_hours

ITALY = "Europe/Rome"


def read_gme(
    path: str | Path, *, resample: str | None = None, missing: Missing = "problem"
) -> xr.Dataset:
    """Read a PUN workbook of GME: ``day_ahead``, EUR/MWh, hourly or in quarter-hours, UTC.

    Rows carry a date (YYYYMMDD) and an hour of the local day that counts on: 25 on the day the
    clock goes back. Quarter-hours are numbered alike, 92, 96 or 100 a day. Needs the extra `excel`.

    Parameters
    ----------
    path : str or pathlib.Path
        The workbook.
    resample : str, optional
        Step of the result, such as ``1h``, where hours and quarter-hours follow each other.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a row become: an error, NaN, or the price before.

    Returns
    -------
    xarray.Dataset
        ``day_ahead`` (EUR/MWh) on ``time`` (naive UTC, interval start, uniform).

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times or the numbers of the file.

    Examples
    --------
    >>> from v2g_linopy.data import read_gme
    >>> prices = read_gme("gme_pun_2019.xlsx")  # doctest: +SKIP
    """
    utc, values = _italian(path, {"day_ahead": "PUN"}, "elapsed", "raise")
    out = uniform_series(utc, values, resample=resample, missing=missing, source=str(path))
    out["day_ahead"].attrs["long_name"] = "Italian single national price (PUN)"
    return out.assign_attrs(source=f"GME, {Path(path).name}")


def read_terna(
    path: str | Path,
    *,
    ambiguous: Literal["first", "second"] = "first",
    resample: str | None = None,
    missing: Missing = "nan",
) -> xr.Dataset:
    """Read a regulation workbook of Terna.

    It holds ``regulation_up`` and ``regulation_down``, EUR/MWh, hourly or in quarter-hours,
    returned in UTC.

    Rows carry a date (YYYYMMDD) and an hour on the clock, 1 to 24 on every day: on the day the
    clock goes back one of the two hours is not there. Quarter-hours are numbered 1 to 96. A price
    of 0 says that nothing was accepted and becomes NaN. Trailing rows with an hour and nothing else
    are left out. Needs the extra `excel`.

    Parameters
    ----------
    path : str or pathlib.Path
        The workbook, one zone of the market.
    ambiguous : {"first", "second"}, default "first"
        Which of the two hours of October the one row stands for; the other is missing.
    resample : str, optional
        Step of the result, such as ``1h``, where hours and quarter-hours follow each other.
    missing : {"problem", "nan", "hold"}, default "nan"
        What a missing hour becomes; NaN is an hour in which nothing can be sold.

    Returns
    -------
    xarray.Dataset
        ``regulation_up`` and ``regulation_down`` (EUR/MWh) on ``time`` (naive UTC, interval start,
        uniform).

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times or the numbers of the file.

    Examples
    --------
    >>> from v2g_linopy.data import read_terna
    >>> prices = read_terna("terna_nord_2019.xlsx")  # doctest: +SKIP
    """
    fields = {"regulation_down": "DOWN", "regulation_up": "UP"}
    utc, values = _italian(path, fields, "clock", ambiguous)
    values = {name: np.where(v == 0, np.nan, v) for name, v in values.items()}
    out = uniform_series(utc, values, resample=resample, missing=missing, source=str(path))
    for name, word in fields.items():
        doc = (
            f"mean accepted {word.lower()}ward price of regulation, NaN: nothing accepted or hour"
            " missing"
        )
        out[name].attrs["long_name"] = doc
    return out.assign_attrs(source=f"Terna, {Path(path).name}")


def _italian(
    path: str | Path,
    fields: dict[str, str],
    count: HourCount,
    ambiguous: Ambiguous,
) -> tuple[Utc, dict[str, np.ndarray]]:
    """Return the rows of a workbook with a date, an hour and prices, found by a word in their
    headers.
    """
    source, words = str(path), {"date": "DATE", "hour": "HOUR", **fields}
    whole = read_cells(path)
    if any("PERIOD" in header.upper() for header in whole.columns):
        words["hour"] = "PERIOD"
    columns = {
        f: next((c for c in whole.columns if word in c.upper()), f"... {word} ...")
        for f, word in words.items()
    }
    frame = pick_columns(whole, columns, source)
    frame = frame[~(frame.drop(columns="hour").map(written) == "").all(axis=1)]
    values = number_columns(frame, fields, ".", source)
    undated = ((frame["date"].map(written) == "") | (frame["hour"].map(written) == "")).to_numpy()
    if undated.any():
        detail = (
            f"{undated.sum()} rows have a price but no date or hour, the first is row"
            f" {frame.index[undated][0]}"
        )
        raise SchemaError([Problem("date", "missing", detail)], source)
    table = TableFormat(columns, ITALY, ambiguous)
    return read_hours(frame["date"], frame["hour"], table, count, source), values
