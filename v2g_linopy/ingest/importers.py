"""Prices, profiles and sessions from files: any CSV with a column map, and the named formats."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..units import accepted, factor
from .clock import Ambiguous, Nonexistent, Utc, listed, to_utc
from .reading import attempt, numbers, pick, read_csv, stamps
from .series import Missing, hours_of, noted, uniform
from .sources import hour_labels, read_elaadnl, read_gme, read_netcdf_prices, read_netcdf_sessions, read_terna
from .table import COLUMNS, LABELS

METERED = {
    "energy": ("kWh", "metered energy charged, at the grid"),
    "power_max": ("kW", "largest power seen in the session"),
    "charge_time": ("h", "hours in which power flowed"),
}
NUMBERS = {**METERED, **{name: (column.unit, column.doc) for name, column in COLUMNS.items()}}
FIELDS = ("arrival", "departure", "session", *LABELS, *NUMBERS)


def read_prices(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    timezone: str | None = None,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    hours: Literal["elapsed", "clock"] = "elapsed",
    time_format: str | None = None,
    separator: str = ",",
    decimal: str = ".",
    unit: str = "EUR/MWh",
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read prices from a table of text.

    Parameters
    ----------
    path
        CSV file with a header.
    columns
        Which column holds what: ``time`` (start of the step), or ``date`` and ``hour``; every other key is the name
        of a price, such as ``day_ahead``.
    timezone
        IANA zone of times without an offset; such times are refused without it.
    ambiguous, nonexistent
        Rules for the local hours that the clock shows twice or skips: see `to_utc`.
    hours
        What hour labels count, 1 being the first: hours gone by since midnight (``elapsed``: 23, 24 or 25 of them), or
        the hours on the clock (``clock``: 1 to 24 every day, so that the rules above are needed).
    time_format
        As in `strptime`; ISO 8601 unless given.
    separator, decimal
        Of the file.
    unit
        Of all prices: EUR/MWh, EUR/kWh or ct/kWh.
    resample, missing
        See `uniform`.

    Returns
    -------
    xarray.Dataset
        Prices on ``time`` (naive UTC, interval start, uniform).

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, or with its times.
    """
    rule = Clock(timezone, ambiguous, nonexistent, hours, time_format)
    utc, values = _series(path, columns, rule, separator, decimal, 'price, such as day_ahead="Price"')
    return uniform(utc, values, unit=unit, resample=resample, missing=missing, source=str(path))


def read_profiles(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    timezone: str | None = None,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    hours: Literal["elapsed", "clock"] = "elapsed",
    time_format: str | None = None,
    separator: str = ",",
    decimal: str = ".",
    unit: str = "kW",
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read power over time from a table of text: what a load draws, or what sun or wind would give.

    Parameters
    ----------
    columns
        Which column holds what: ``time`` (start of the step), or ``date`` and ``hour``; every other key is the name
        of a member, such as ``roof``.
    unit
        Of all numbers: a power (kW, W, MW), or the energy of each step (kWh, Wh, MWh), which is divided by the
        length of its step.
    path, timezone, ambiguous, nonexistent, hours, time_format, separator, decimal, resample, missing
        As in `read_prices`. The energy of a step that the clock shows twice cannot stand for both hours.

    Returns
    -------
    xarray.Dataset
        Power (kW) on ``time`` (naive UTC, interval start, uniform), one variable per member.

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, or with its times.
    """
    source = str(path)
    power, energy = factor(unit, "kW"), factor(unit, "kWh")
    if power is None and energy is None:
        detail = f"{unit!r} is neither power nor energy; use one of {', '.join([*accepted('kW'), *accepted('kWh')])}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    if energy is not None and ambiguous == "both":
        detail = 'one energy cannot stand for both hours; give ambiguous="first", "second" or "infer"'
        raise SchemaError([Problem("ambiguous", "choice", detail)], source)
    rule = Clock(timezone, ambiguous, nonexistent, hours, time_format)
    utc, values = _series(path, columns, rule, separator, decimal, 'member, such as roof="Power"')
    if power is None:
        values = {name: column[utc.row] / hours_of(utc.time) for name, column in values.items()}
        utc = Utc(utc.time, np.arange(len(utc.time)), utc.note)
    scaled = {name: column * (power or energy or 1.0) for name, column in values.items()}
    return uniform(utc, scaled, unit="kW", resample=resample, missing=missing, source=source)


class Clock(NamedTuple):
    """How the times of a table are written, and the rules for hours shown twice or skipped."""

    timezone: str | None
    ambiguous: Ambiguous
    nonexistent: Nonexistent
    hours: Literal["elapsed", "clock"]
    time_format: str | None


def _series(
    path: str | Path, columns: Mapping[str, str], rule: Clock, separator: str, decimal: str, wanted: str
) -> tuple[Utc, dict[str, np.ndarray]]:
    """Return when each row begins, and its numbers; `wanted` is what a file must hold at least one of."""
    source = str(path)
    names = [n for n in columns if n not in ("time", "date", "hour")]
    _check_map(columns, names, wanted, source)
    frame = pick(read_csv(path, separator=separator, decimal=decimal), columns, source)
    problems: list[Problem] = []
    values = attempt(problems, lambda: numbers(frame, names, decimal, source))

    def clock() -> Utc:
        zone, ambiguous, nonexistent = rule.timezone, rule.ambiguous, rule.nonexistent
        if "time" in columns:
            written = stamps(frame["time"], rule.time_format, source)
            return to_utc(written, zone, ambiguous=ambiguous, nonexistent=nonexistent, source=source)
        date, hour = stamps(frame["date"], rule.time_format, source), numbers(frame, ["hour"], decimal, source)["hour"]
        return hour_labels(date, hour, zone, rule.hours, ambiguous, nonexistent, source)

    utc = attempt(problems, clock)
    if values is None or utc is None:
        raise SchemaError(problems, source)
    return utc, values


def _check_map(columns: Mapping[str, str], names: list[str], wanted: str, source: str) -> None:
    problems = []
    if "time" not in columns and not {"date", "hour"} <= set(columns):
        problems.append(Problem("columns", "missing", "name the column of `time`, or those of `date` and `hour`"))
    if not names:
        problems.append(Problem("columns", "missing", f"name the column of at least one {wanted}"))
    if problems:
        raise SchemaError(problems, source)


def read_sessions(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    timezone: str | None = None,
    ambiguous: Literal["raise", "first", "second"] = "raise",
    nonexistent: Literal["raise", "shift"] = "raise",
    time_format: str | None = None,
    separator: str = ",",
    decimal: str = ".",
    units: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Read charging sessions from a table of text.

    Parameters
    ----------
    path
        CSV file with a header.
    columns
        Which column holds what: ``arrival`` and ``departure``, and any of ``energy`` (metered), ``power_max``,
        ``charge_time``, ``capacity``, ``energy_arrival``, ``energy_need``, ``charge_max``, ``discharge_max``,
        ``eta_charge``, ``eta_discharge``, ``energy_trip``, ``retail_price``, ``connector``, ``vehicle``, ``pod``,
        ``session``.
    timezone, time_format, separator, decimal
        As in `read_prices`.
    ambiguous, nonexistent
        Which of two hours a time means that the clock shows twice, and whether one that it skips moves an hour on.
    units
        Unit of a column where it is not the declared one, such as ``{"energy": "Wh"}``.

    Returns
    -------
    xarray.Dataset
        Sessions in order of arrival; times in UTC.

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, or with its times.
    """
    source = str(path)
    _check_fields(columns, ambiguous, nonexistent, source)
    frame = pick(read_csv(path, separator=separator, decimal=decimal), columns, source)
    given = [n for n in NUMBERS if n in columns]
    problems: list[Problem] = []
    values = attempt(problems, lambda: numbers(frame, given, decimal, source))

    def clock(name: str) -> Utc:
        written = stamps(frame[name], time_format, source)
        return to_utc(written, timezone, ambiguous=ambiguous, nonexistent=nonexistent, where=name, source=source)

    arrival = attempt(problems, lambda: clock("arrival"))
    departure = attempt(problems, lambda: clock("departure"))
    if values is None or arrival is None or departure is None:
        raise SchemaError(problems, source)
    data: dict[str, object] = {
        name: ("session", np.asarray(utc.time, "datetime64[ns]"), {"long_name": f"{name}, UTC"})
        for name, utc in (("arrival", arrival), ("departure", departure))
    }
    for name in given:
        unit, doc = NUMBERS[name]
        data[name] = ("session", values[name], {"units": (units or {}).get(name, unit), "long_name": doc})
    data |= {name: ("session", frame[name].astype(str).to_numpy(str)) for name in LABELS if name in columns}
    table = noted(xr.Dataset(data), arrival.note, departure.note)
    return _numbered(table, frame["session"].astype(str) if "session" in columns else None)


def _numbered(table: xr.Dataset, names: pd.Series | None) -> xr.Dataset:
    """Return sessions in order of arrival under their own labels, or numbered from 0."""
    if names is None:
        return table.sortby("arrival").assign_coords(session=np.arange(table.sizes["session"]))
    number = bool(names.str.fullmatch(r"\d{1,18}").all())
    return table.assign_coords(session=names.astype(np.int64) if number else names.to_numpy(str)).sortby("arrival")


def _check_fields(columns: Mapping[str, str], ambiguous: str, nonexistent: str, source: str) -> None:
    problems = []
    if ambiguous not in ("raise", "first", "second"):
        problems.append(
            Problem("ambiguous", "choice", f'{ambiguous!r} is no rule for sessions; give "first" or "second"')
        )
    if nonexistent not in ("raise", "shift"):
        problems.append(Problem("nonexistent", "choice", f'{nonexistent!r} is no rule for sessions; give "shift"'))
    for name in ("arrival", "departure"):
        if name not in columns:
            problems.append(Problem("columns", "missing", f"name the column of `{name}`"))
    for name in columns:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {listed(FIELDS, 30)}"
            problems.append(Problem(f"columns.{name}", "unknown", hint))
    if problems:
        raise SchemaError(problems, source)


PRICE_FORMATS: dict[str, Callable[..., xr.Dataset]] = {
    "csv": read_prices,
    "gme": read_gme,
    "terna": read_terna,
    "netcdf": read_netcdf_prices,
}
PROFILE_FORMATS: dict[str, Callable[..., xr.Dataset]] = {"csv": read_profiles}
SESSION_FORMATS: dict[str, Callable[..., xr.Dataset]] = {
    "csv": read_sessions,
    "elaadnl": read_elaadnl,
    "netcdf": read_netcdf_sessions,
}
