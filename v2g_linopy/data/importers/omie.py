"""Day-ahead prices of Spain and Portugal: files marginalpdbc of OMIE."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import InputFileError, Problem, Remedy, SchemaError
from ..tables.local_time import nanoseconds, to_utc
from ..tables.numbers import plain_number
from ..tables.series import Missing
from ..tables.text import beginning, read_text
from ..tables.wording import first_few
from .choices import Where, choose_series
from .price_points import MINUTE, PricePoints, price_series

MARKET = "Europe/Madrid"
ZONES = {"PT": "Europe/Lisbon", "ES": MARKET}
"""The two prices of a row, in the order of the file, and the clocks of their countries."""
FIRST, LAST = "MARGINALPDBC", "*"
"""The first word of a file, and its last line."""
QUARTERS_SINCE = pd.Timestamp("2025-10-01")
"""First day with a price per quarter of an hour, before one per hour."""


def read_omie(
    path: str | Path,
    *,
    where: Where | None = None,
    timezone: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    r"""Read day-ahead prices of OMIE (files marginalpdbc) of one country.

    A row is ``year;month;day;period;price in Portugal;price in Spain;``, as OMIE describes its
    files. Periods count on from midnight in Madrid, also for Portugal: quarters of an hour since
    October 2025 (92, 96 or 100 a day), hours before (23, 24 or 25). A line with ``*`` ends the
    file; without it the file is cut off.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, of one or several days.
    where : mapping of str to str
        The country: ``{"area": "ES"}`` or ``{"area": "PT"}``.
    timezone : str, optional
        IANA zone of local days, in place of that of the country.
    resample : str, optional
        Step of the result, such as ``1h``, where the steps are not all as long.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a price become: an error, NaN, or the price before.

    Returns
    -------
    xarray.Dataset
        ``day_ahead`` (EUR/MWh) on ``time`` (naive UTC, interval start, uniform).

    Raises
    ------
    InputFileError
        The file cannot be read or is cut off. It is a `SchemaError`.
    SchemaError
        No country, a day with another number of periods than it has, and everything wrong with
        the numbers.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_omie
    >>> rows = [f"2025;03;02;{hour};50.5;40.{hour};" for hour in range(1, 25)]
    >>> text = "\n".join(["MARGINALPDBC;", *rows, "*"])
    >>> size = pathlib.Path("marginalpdbc_20250302.1").write_text(text)
    >>> prices = read_omie("marginalpdbc_20250302.1", where={"area": "ES"})
    >>> prices.day_ahead.values[:2].tolist(), str(prices.time.values[0])[:16]
    ([40.1, 40.2], '2025-03-01T23:00')
    """
    source = str(path)
    days, periods, prices = _rows(path)
    area = list(ZONES)[choose_series([{"area": name} for name in ZONES], where, source)[0]]
    start, minutes = _starts(days, periods, missing, source)
    points = PricePoints(
        start,
        prices[:, list(ZONES).index(area)],
        "EUR/MWh",
        minutes,
        ZONES[area],
        area,
    )
    out = price_series(points, resample=resample, missing=missing, timezone=timezone, source=source)
    return out.assign_attrs(source=f"OMIE, {Path(path).name}")


def is_omie(path: Path) -> bool:
    """Say whether a file is one of OMIE's marginal prices."""
    return beginning(path).lstrip().startswith(FIRST)


def _rows(path: str | Path) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """Return day, period and the two prices of every row."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    lines = [line for line in lines if line]
    if lines[-1] != LAST:
        detail = f"has no line {LAST!r} at its end: it is cut off; fetch it anew"
        raise InputFileError(path, detail)
    cells = [line.removesuffix(";").split(";") for line in lines[1:-1]]
    problems = [
        Problem(f"line {k + 2}", "type", f"{line!r} is no year;month;day;period;price;price;")
        for k, (line, row) in enumerate(zip(lines[1:-1], cells, strict=True))
        if len(row) != 6 or not all(re.fullmatch(r"\d+", cell) for cell in row[:4])
    ]
    if problems:
        raise SchemaError(problems[:20], str(path))
    if not cells:
        raise InputFileError(path, "has a header and no rows")
    dates = pd.Series(["-".join(row[:3]) for row in cells])
    days = pd.DatetimeIndex(pd.to_datetime(dates, format="%Y-%m-%d", errors="coerce"))
    prices = np.array([[_price(cell) for cell in row[4:]] for row in cells])
    wrong = [
        Problem(f"line {k + 2}", "type", f"{lines[k + 1]!r} has a date or a price that is none")
        for k in np.flatnonzero(days.isna() | np.isinf(prices).any(axis=1))
    ]
    if wrong:
        raise SchemaError(wrong[:20], str(path))
    return days, np.array([int(row[3]) for row in cells]), prices


def _price(cell: str) -> float:
    """Return a price, NaN for an empty cell, infinity for what is no number."""
    text = cell.strip()
    if not text:
        return float("nan")
    number = plain_number(text)
    return float("inf") if number is None else number


def _starts(
    days: pd.DatetimeIndex, periods: np.ndarray, missing: Missing, source: str
) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Return when each period begins (UTC), and how many minutes it has."""
    begin = nanoseconds(to_utc(days, MARKET, source=source).time)
    end = nanoseconds(to_utc(days + pd.Timedelta("1D"), MARKET, source=source).time)
    minutes = np.where(days >= QUARTERS_SINCE, 15, 60)
    count = (end - begin) // (minutes * MINUTE)
    problems = []
    beyond = np.flatnonzero((periods < 1) | (periods > count)).tolist()
    if len(beyond):
        places = [f"{days[k]:%Y-%m-%d} period {periods[k]}" for k in beyond]
        detail = f"{first_few(places)}: the day has the periods 1 to {count[beyond[0]]}"
        problems.append(Problem("period", "range", detail))
    elif missing == "problem":
        problems = _incomplete_days(days, periods, count, minutes)
    if problems:
        raise SchemaError(problems, source)
    start = begin + (periods - 1) * minutes * MINUTE
    return pd.DatetimeIndex(start.astype("datetime64[ns]")), minutes


def _incomplete_days(
    days: pd.DatetimeIndex, periods: np.ndarray, count: np.ndarray, minutes: np.ndarray
) -> list[Problem]:
    """Return a problem for each day that lacks periods."""
    table = pd.DataFrame({"period": periods, "count": count, "minutes": minutes}, index=days)
    problems = []
    for day, rows in table.groupby(level=0):
        given, wanted = rows["period"].nunique(), rows["count"].iloc[0]
        if given < wanted:
            step = rows["minutes"].iloc[0]
            detail = f"{day:%Y-%m-%d} has {given} of {wanted} periods of {step} min"
            rules = Remedy("missing", ("nan", "hold"))
            problems.append(Problem("period", "missing", detail, (rules,)))
    return problems
