"""Prices and sessions from files: any CSV with a column map, and the named formats."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, SchemaError
from ..sessions.assumptions import BATTERY
from ..tables.files import attempt, number_columns, pick, read_csv, stamps
from ..tables.local_time import Ambiguous, Nonexistent, Utc, to_utc
from ..tables.series import Missing, add_notes, uniform
from ..tables.session_table import COLUMNS, LABELS, METERED, MOMENTS, ONBOARD
from ..tables.unit_conversion import named_unit
from ..tables.wording import first_few
from .published import (
    hour_labels,
    read_elaadnl,
    read_gme,
    read_netcdf_prices,
    read_netcdf_sessions,
    read_terna,
)

NUMBERS = {**METERED, **ONBOARD, **COLUMNS}
FIELDS = ("arrival", "departure", "session", *LABELS, *NUMBERS)


def session_columns() -> list[tuple[str, str, str, str]]:
    """Every column a table of sessions may have: its name, its unit, when it is needed, and what it
    means.
    """
    assumed = "or `--assume`"
    rows = [
        ("arrival", "time", "required", "plug-in"),
        ("departure", "time", "required", "plug-out"),
    ]
    for name, field in NUMBERS.items():
        need = (
            assumed
            if name in BATTERY
            else {"energy": "for `--assume`", "power_max": "for `--assume`"}.get(name, "")
        )
        rows.append((name, field.unit, need or "optional", field.doc))
    labels = {"session": "label of the session, kept in the plan"}
    labels |= {name: field.doc for name, field in LABELS.items()}
    return rows + [(name, "label", "optional", doc) for name, doc in labels.items()]


def price_columns() -> list[tuple[str, str, str, str]]:
    """Every column a table of prices may have, as `session_columns`."""
    return [
        ("time", "time", "or date and hour", "start of the step"),
        ("date", "date", "with hour", "local day"),
        ("hour", "1, 2, ...", "with date", "hour of that day, the first is 1; see `--hours`"),
        (
            "day_ahead",
            "`--unit`",
            "one price at least",
            "price of the first market; any other name is another price",
        ),
        (
            "regulation_up",
            "`--unit`",
            "optional",
            "price of upward regulation; empty or 0: nothing accepted",
        ),
        ("regulation_down", "`--unit`", "optional", "price of downward regulation"),
    ]


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
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read prices from a table of text.

    Parameters
    ----------
    path
        CSV file with a header.
    columns
        Which column holds what: ``time`` (start of the step), or ``date`` and ``hour``; every other
        key is the name of a price, such as ``day_ahead``.
    timezone
        IANA zone of times without an offset; such times are refused without it.
    ambiguous, nonexistent
        Rules for the local hours that the clock shows twice or skips: see `to_utc`.
    hours
        What hour labels count, 1 being the first: hours gone by since midnight (``elapsed``: 23, 24
        or 25 of them), or the hours on the clock (``clock``: 1 to 24 every day, so that the rules
        above are needed).
    time_format
        As in `strptime`; ISO 8601 unless given.
    separator, decimal
        Of the file.
    unit
        Of all prices: EUR/MWh, EUR/kWh or ct/kWh. EUR/MWh unless given; a header that names another
        unit in brackets is then refused.
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
    assumed = "" if unit else "EUR/MWh"
    utc, values = series_of(
        path, columns, rule, separator, decimal, 'price, such as day_ahead="Price"', assumed
    )
    out = uniform(
        utc, values, unit=unit or "EUR/MWh", resample=resample, missing=missing, source=str(path)
    )
    return out if timezone is None else out.assign_attrs(timezone=timezone)


class Clock(NamedTuple):
    """How the times of a table are written, and the rules for hours shown twice or skipped."""

    timezone: str | None
    ambiguous: Ambiguous
    nonexistent: Nonexistent
    hours: Literal["elapsed", "clock"]
    time_format: str | None


def series_of(
    path: str | Path,
    columns: Mapping[str, str],
    rule: Clock,
    separator: str,
    decimal: str,
    wanted: str,
    assumed: str,
) -> tuple[Utc, dict[str, np.ndarray]]:
    """Return when each row begins, and its numbers.

    `wanted` is what a file must hold at least one of, `assumed` the unit that no header may
    contradict."""
    source = str(path)
    names = [n for n in columns if n not in ("time", "date", "hour")]
    _check_map(columns, names, wanted, source)
    frame = pick(read_csv(path, separator=separator, decimal=decimal), columns, source)
    _check_units(columns, dict.fromkeys(names, assumed) if assumed else {}, 'unit="{unit}"', source)
    problems: list[Problem] = []
    values = attempt(problems, lambda: number_columns(frame, names, decimal, source))

    def clock() -> Utc:
        zone, ambiguous, nonexistent = rule.timezone, rule.ambiguous, rule.nonexistent
        if "time" in columns:
            written = stamps(frame["time"], rule.time_format, source)
            return to_utc(
                written, zone, ambiguous=ambiguous, nonexistent=nonexistent, source=source
            )
        date, hour = (
            stamps(frame["date"], rule.time_format, source),
            number_columns(frame, ["hour"], decimal, source)["hour"],
        )
        return hour_labels(date, hour, zone, rule.hours, ambiguous, nonexistent, source)

    utc = attempt(problems, clock)
    if values is None or utc is None:
        raise SchemaError(problems, source)
    return utc, values


def _check_map(columns: Mapping[str, str], names: list[str], wanted: str, source: str) -> None:
    problems = []
    if "time" not in columns and not {"date", "hour"} <= set(columns):
        detail = "name the column of `time`, or those of `date` and `hour`"
        problems.append(Problem("columns", "missing", detail))
    if not names:
        problems.append(Problem("columns", "missing", f"name the column of at least one {wanted}"))
    if problems:
        raise SchemaError(problems, source)


def _check_units(
    columns: Mapping[str, str], assumed: Mapping[str, str], remedy: str, source: str
) -> None:
    """Refuse headers that name, in brackets, another unit than the one assumed."""
    problems = []
    for name, unit in assumed.items():
        named = named_unit(columns[name])
        if named is not None and named != unit:
            fits = factor(named, unit) is not None
            say = remedy.format(name=name, unit=named if fits else unit)
            detail = f"the header {columns[name]!r} says {named}, {unit} is assumed: "
            detail += (
                f"give {say}"
                if fits
                else f"is that another quantity? If it is {unit} all the same, give {say}"
            )
            problems.append(Problem(name, "unit", detail))
    if problems:
        raise SchemaError(problems, source)


def _check_given_units(units: Mapping[str, str], declared: Mapping[str, str], source: str) -> None:
    """Refuse units of columns that are not read, and units of another kind."""
    problems = [
        Problem(
            name,
            "unit",
            f"unit {unit!r} does not fit; use one of {', '.join(accepted(declared[name]))}",
        )
        for name, unit in units.items()
        if name in declared and factor(unit, declared[name]) is None
    ]
    problems += [
        Problem(name, "unknown", "has a unit but no column")
        for name in units
        if name not in declared
    ]
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
        Which column holds what: ``arrival`` and ``departure``, and any of ``energy`` (metered),
        ``power_max``, ``charge_time``, ``capacity``, ``energy_arrival``, ``energy_need``,
        ``charge_max``, ``discharge_max``, ``eta_charge``, ``eta_discharge``, ``energy_trip``,
        ``retail_price``, ``connector``, ``vehicle``, ``pod``, ``session``.
    timezone, time_format, separator, decimal
        As in `read_prices`.
    ambiguous, nonexistent
        Which of two hours a time means that the clock shows twice, and whether one that it skips
        moves an hour on.
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
    declared = {n: field.unit for n, field in NUMBERS.items() if n in columns}
    _check_given_units(units or {}, declared, source)
    assumed = {n: unit for n, unit in declared.items() if n not in (units or {})}
    _check_units(columns, assumed, 'units={{"{name}": "{unit}"}}', source)
    given = [n for n in NUMBERS if n in columns]
    problems: list[Problem] = []
    values = attempt(problems, lambda: number_columns(frame, given, decimal, source))

    def clock(name: str) -> Utc:
        written = stamps(frame[name], time_format, source)
        rules = {
            "ambiguous": ambiguous,
            "nonexistent": nonexistent,
            "rules": ("first", "second", "shift"),
        }
        return to_utc(written, timezone, **rules, where=name, source=source)  # type: ignore[arg-type]

    arrival = attempt(problems, lambda: clock("arrival"))
    departure = attempt(problems, lambda: clock("departure"))
    if values is None or arrival is None or departure is None:
        raise SchemaError(problems, source)
    data: dict[str, object] = {
        name: ("session", np.asarray(utc.time, "datetime64[ns]"), {"long_name": MOMENTS[name].doc})
        for name, utc in (("arrival", arrival), ("departure", departure))
    }
    for name in given:
        field = NUMBERS[name]
        attributes = {"units": (units or {}).get(name, field.unit), "long_name": field.doc}
        data[name] = ("session", values[name], attributes)
    data |= {
        name: ("session", frame[name].fillna("").astype(str).str.strip().to_numpy(str))
        for name in LABELS
        if name in columns
    }
    table = add_notes(xr.Dataset(data), arrival.note, departure.note)
    if timezone is not None:
        table.attrs["timezone"] = timezone
    return _numbered(table, frame["session"].astype(str) if "session" in columns else None)


def _numbered(table: xr.Dataset, names: pd.Series | None) -> xr.Dataset:
    """Return sessions in order of arrival under their own labels, or numbered from 0."""
    if names is None:
        return table.sortby("arrival").assign_coords(session=np.arange(table.sizes["session"]))
    number = bool(names.str.fullmatch(r"\d{1,18}").all())
    return table.assign_coords(
        session=names.astype(np.int64) if number else names.to_numpy(str)
    ).sortby("arrival")


def _check_fields(
    columns: Mapping[str, str], ambiguous: str, nonexistent: str, source: str
) -> None:
    problems = []
    if ambiguous not in ("raise", "first", "second"):
        problems.append(
            Problem(
                "ambiguous",
                "choice",
                f'{ambiguous!r} is no rule for sessions; give "first" or "second"',
            )
        )
    if nonexistent not in ("raise", "shift"):
        problems.append(
            Problem(
                "nonexistent", "choice", f'{nonexistent!r} is no rule for sessions; give "shift"'
            )
        )
    for name in ("arrival", "departure"):
        if name not in columns:
            problems.append(Problem("columns", "missing", f"name the column of `{name}`"))
    for name in columns:
        if name not in FIELDS:
            near = get_close_matches(name, FIELDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {first_few(FIELDS, 30)}"
            problems.append(Problem(f"columns.{name}", "unknown", hint))
    if problems:
        raise SchemaError(problems, source)


PRICE_FORMATS: dict[str, Callable[..., xr.Dataset]] = {
    "csv": read_prices,
    "gme": read_gme,
    "terna": read_terna,
    "netcdf": read_netcdf_prices,
}
SESSION_FORMATS: dict[str, Callable[..., xr.Dataset]] = {
    "csv": read_sessions,
    "elaadnl": read_elaadnl,
    "netcdf": read_netcdf_sessions,
}
