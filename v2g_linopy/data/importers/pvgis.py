"""Hourly output of PVGIS, the calculator of the European Commission for photovoltaic power."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pydantic
import xarray as xr

from ...errors import InputFileError, Problem, Remedy, SchemaError
from ..tables.local_time import Utc
from ..tables.records import Record, read_records
from ..tables.series import Missing, add_notes, uniform_series
from ..tables.text import beginning, read_text
from ..tables.wording import first_few, with_count
from ..tables.written_times import YEARS
from .price_points import check_zone

PEAK = re.compile(r"Nominal power of the PV system.*\(kWp\):\s*(\d+\.?\d*)\s*$", re.MULTILINE)
STAMP = re.compile(r"\d{8}:\d{4}")
COLUMNS = "time,"
END = "PVGIS (c)"
WATT = 1e-3
"""kW"""


@dataclass(frozen=True)
class PvgisRows:
    """Rows of an output: when, how much (W), whether radiation was reconstructed, and kWp."""

    time: Sequence[str]
    power: Sequence[float]
    reconstructed: Sequence[float]
    peak: float


class PvgisHour(Record):
    """An hour of the JSON output."""

    time: str
    P: float
    Int: float = 0.0


class PvgisOutputs(Record):
    """The part of the JSON output that holds the hours."""

    hourly: list[PvgisHour]


class PvgisModule(Record):
    """The plant of the JSON output."""

    peak_power: pydantic.PositiveFloat


class PvgisInputs(Record):
    """What the JSON output was calculated for."""

    pv_module: PvgisModule


class PvgisDocument(Record):
    """The JSON output of the hourly calculation."""

    inputs: PvgisInputs
    outputs: PvgisOutputs


def read_pvgis(
    path: str | Path,
    *,
    year: int | None = None,
    timezone: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    r"""Read the hourly output of PVGIS (CSV or JSON): power of a photovoltaic plant.

    Times are UTC. The minute of a stamp (``20230620:0010``) is that of the satellite image; the
    row stands for the hour that begins at its full hour.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, with the power of the plant (`P`) in it.
    year : int, optional
        Year to lay one year of the past on: each hour keeps its day, its month and its hour in
        UTC. 29 February is left out where that year has none.
    timezone : str, optional
        IANA zone of local days, kept for later.
    resample : str, optional
        Step of the result, such as ``2h``: the mean of its parts.
    missing : {"problem", "nan", "hold"}, default "problem"
        What hours without a row become: an error, NaN, or the power before.

    Returns
    -------
    xarray.Dataset
        Power (kW) on ``time`` (naive UTC, interval start, hourly), named after the file. Its
        attribute ``peak_power`` is the size of the plant in kWp, for which the numbers are.

    Raises
    ------
    InputFileError
        The file cannot be read, is cut off, or holds no power of a plant. It is a `SchemaError`.
    SchemaError
        Everything wrong with the times or the numbers of the file.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_pvgis
    >>> head = ["Latitude (decimal degrees):\t45.070"]
    >>> head += ["Nominal power of the PV system (c-Si) (kWp):\t5.0", "", "time,P,G(i)"]
    >>> rows = ["20230620:1010,4034.2,938.2", "20230620:1110,4186.4,973.6", ""]
    >>> size = pathlib.Path("roof.csv").write_text("\n".join([*head, *rows, "PVGIS (c) EU"]))
    >>> power = read_pvgis("roof.csv")
    >>> power.roof.values.round(4).tolist(), str(power.time.values[0])[:16]
    ([4.0342, 4.1864], '2023-06-20T10:00')
    >>> power.roof.peak_power
    5.0
    """
    source, member = str(path), Path(path).stem
    check_zone(timezone, source)
    rows = _rows_of_json(path) if beginning(path).lstrip().startswith("{") else _rows_of_csv(path)
    time = _hours(rows.time, source)
    power = np.array(rows.power, float) * WATT
    note = ""
    if year is not None:
        keep, time = _in_year(time, year, source)
        power = power[keep]
        note = f"Hours of {np.asarray(rows.time)[0][:4]} are laid on {year}, by UTC."
    guessed = int(np.count_nonzero(rows.reconstructed))
    rebuilt = f"{with_count(guessed, 'hour')} with radiation that PVGIS reconstructed."
    out = uniform_series(
        Utc(time.as_unit("ns"), np.arange(len(time))),
        {member: power},
        unit="kW",
        resample=resample,
        missing=missing,
        source=source,
    )
    out[member].attrs["peak_power"] = rows.peak
    out = add_notes(out, note, rebuilt if guessed else "")
    zone = {"timezone": timezone} if timezone else {}
    return out.assign_attrs(source=f"PVGIS, {Path(path).name}", **zone)


def is_pvgis(path: Path) -> bool:
    """Say whether a file is an hourly output of PVGIS."""
    shown = beginning(path)
    is_csv = "Latitude (decimal degrees)" in shown and f"\n{COLUMNS}" in shown.replace("\r", "")
    return is_csv or all(f'"{name}"' in shown for name in ("inputs", "meteo_data"))


def _rows_of_json(path: str | Path) -> PvgisRows:
    """Return the rows of a JSON output."""
    document = read_records(path, PvgisDocument)
    hours = document.outputs.hourly
    if not hours:
        raise InputFileError(path, "holds no hours")
    return PvgisRows(
        [hour.time for hour in hours],
        [hour.P for hour in hours],
        [hour.Int for hour in hours],
        document.inputs.pv_module.peak_power,
    )


def _rows_of_csv(path: str | Path) -> PvgisRows:
    """Return the rows of a CSV output, which stand between a header and a legend."""
    text = read_text(path)
    lines = [line.strip() for line in text.splitlines()]
    first = next((k for k, line in enumerate(lines) if line.startswith(COLUMNS)), None)
    peak = PEAK.search(text.replace("\r", ""))
    if first is None or peak is None or float(peak[1]) <= 0 or "P" not in lines[first].split(","):
        detail = (
            "has no power of a plant (column P, with its nominal power in the header); ask PVGIS"
            " for the hourly output with PV power"
        )
        raise InputFileError(path, detail)
    if not any(line.startswith(END) for line in lines[first:]):
        raise InputFileError(path, f"has no line {END!r} after its rows: it is cut off")
    columns = lines[first].split(",")
    last = next((k for k in range(first + 1, len(lines)) if not lines[k]), len(lines))
    cells = list(csv.reader(lines[first + 1 : last]))
    odd = [f"line {first + 2 + k}" for k, row in enumerate(cells) if len(row) != len(columns)]
    if odd:
        detail = f"rows with another number of cells than the header: {first_few(odd)}"
        raise InputFileError(path, detail)
    if not cells:
        raise InputFileError(path, "holds no hours")
    at = {name: columns.index(name) for name in ("time", "P", "Int") if name in columns}
    rebuilt = [row[at["Int"]] for row in cells] if "Int" in at else ["0"] * len(cells)
    lines_at = range(first + 2, last + 1)
    return PvgisRows(
        [row[at["time"]] for row in cells],
        _finite([row[at["P"]] for row in cells], "P", lines_at, str(path)),
        _finite(rebuilt, "Int", lines_at, str(path)),
        float(peak.group(1)),
    )


def _finite(cells: Sequence[str], column: str, lines: Sequence[int], source: str) -> list[float]:
    """Return cells as finite numbers."""
    value = pd.to_numeric(pd.Series(list(cells), dtype=str), errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(~np.isfinite(value)).tolist()
    if len(wrong):
        where = first_few([f"line {lines[k]}: {cells[k]!r}" for k in wrong])
        raise SchemaError([Problem(column, "type", f"not a number at {where}")], source)
    return [float(number) for number in value]


def _hours(stamps: Sequence[str], source: str) -> pd.DatetimeIndex:
    """Return the full hour of each stamp."""
    text = pd.Series(list(stamps), dtype=str).str.strip()
    written = text.where(text.str.fullmatch(STAMP.pattern))
    parsed = pd.DatetimeIndex(pd.to_datetime(written, format="%Y%m%d:%H%M", errors="coerce"))
    outside = (parsed.year < YEARS[0]) | (parsed.year > YEARS[1])
    wrong = np.flatnonzero(np.asarray(parsed.isna()) | outside).tolist()
    if len(wrong):
        where = first_few([repr(stamps[k]) for k in wrong])
        detail = f"no time such as 20230620:0010 (UTC): {where}"
        raise SchemaError([Problem("time", "time", detail)], source)
    minutes = sorted(set(parsed.minute))
    if len(minutes) > 1:
        detail = f"stamps at the minutes {first_few(minutes)} of their hours; PVGIS has one"
        raise SchemaError([Problem("time", "time", detail)], source)
    return parsed.floor("h")


def _in_year(time: pd.DatetimeIndex, year: int, source: str) -> tuple[np.ndarray, pd.DatetimeIndex]:
    """Return which hours another year has, and when they are in it."""
    if not YEARS[0] <= year <= YEARS[1]:
        detail = f"{year} is no year from {YEARS[0]} to {YEARS[1]}"
        raise SchemaError([Problem("year", "range", detail)], source)
    years = sorted(set(time.year))
    if len(years) > 1:
        detail = f"{first_few(years)}: hours of several years cannot be laid on one"
        one = Remedy("year", advice="ask PVGIS for one year, or leave {} out")
        raise SchemaError([Problem("year", "time", detail, (one,))], source)
    leap = pd.Timestamp(year, 1, 1).is_leap_year
    keep = np.asarray(leap | ~((time.month == 2) & (time.day == 29)))
    kept = time[keep]
    moved = [stamp.replace(year=year) for stamp in kept]
    return keep, pd.DatetimeIndex(moved)
