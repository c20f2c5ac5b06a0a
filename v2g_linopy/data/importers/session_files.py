"""Charging sessions from any table of text."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd
import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, Remedy, SchemaError
from ...model.sessions import COLUMNS, LABELS, METERED, MOMENTS, ONBOARD
from ..sessions.assumptions import BATTERY
from ..tables.cells import as_text
from ..tables.files import collect_problems
from ..tables.numbers import is_missing, number_columns
from ..tables.plausibility import STATED
from ..tables.series import add_notes
from ..tables.short_stays import ShortStays, without_short_stays
from ..tables.table_format import TableFields, TableFormat, one_format, read_columns, read_times
from ..tables.unit_names import named_unit, strange_unit
from ..tables.wording import first_few

NUMBERS = {**METERED, **ONBOARD, **COLUMNS}
FIELDS = ("arrival", "departure", "session", *LABELS, *NUMBERS)
ZONES = ("zone", "arrival_zone", "departure_zone")
"""Columns that say in which zone the times of a row are written."""
AMBIGUOUS = ("first", "second")
NONEXISTENT = ("shift",)
SESSION_RULES = (*AMBIGUOUS, *NONEXISTENT)
"""Of the rules for local clocks those that make sense for one session."""


def session_columns() -> list[tuple[str, str, str, str]]:
    """Return every column a table of sessions may have.

    Of each its name, its unit, when it is needed, and what it means.
    """
    assumed = "or `--assume`"
    rows = [
        ("arrival", "time", "required", "plug-in"),
        ("departure", "time", "required", "plug-out"),
    ]
    for name, field in NUMBERS.items():
        need = assumed if name in BATTERY else {"energy": "for `--assume`"}.get(name, "")
        rows.append((name, field.unit, need or "optional", field.doc))
    labels = {"session": "label of the session, kept in the plan"}
    labels |= {name: field.doc for name, field in LABELS.items()}
    return rows + [(name, "label", "optional", doc) for name, doc in labels.items()]


def read_sessions(
    path: str | Path,
    table: TableFormat | None = None,
    *,
    units: Mapping[str, str] | None = None,
    short_stays: ShortStays = "drop",
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    r"""Read charging sessions from a table of text.

    Parameters
    ----------
    path : str or pathlib.Path
        Text or workbook with a header.
    table : TableFormat, optional
        How the file is written. Its `columns` are ``arrival`` and ``departure``, and any of
        ``energy`` (metered), ``power_max``, ``charge_time``, ``capacity``, ``energy_arrival``,
        ``energy_need``, ``charge_max``, ``discharge_max``, ``eta_charge``, ``eta_discharge``,
        ``energy_trip``, ``retail_price``, ``connector``, ``vehicle``, ``pod``, ``session``; and
        ``zone``, or ``arrival_zone`` and ``departure_zone``, where rows say their zone (CET, PDT,
        +02:00 or an IANA name). Of the rules for local hours, `ambiguous` may be ``first`` or
        ``second``, and `nonexistent` ``shift``.
    units : mapping of str to str, optional
        Unit of a column where it is not the declared one, such as ``{"energy": "Wh"}``. Unless
        given, it is what the header says.
    short_stays : {"drop", "problem"}, default "drop"
        Rule for stays without a begin, an end or any length: they are left out, counted and listed
        in the notes, or they are a fault.
    **fields
        The fields of a `TableFormat`, in place of `table`.

    Returns
    -------
    xarray.Dataset
        Sessions on ``session`` in order of arrival; times in naive UTC, numbers as in the file,
        with their unit as attribute.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times or the numbers of the file.
    TypeError
        Both `table` and its fields are given, or no columns.

    Examples
    --------
    >>> import pathlib
    >>> import v2g_linopy as v2g
    >>> rows = ["in,out,Wh", "2026-01-01 08:00,2026-01-01 16:00,12000"]
    >>> size = pathlib.Path("sessions.csv").write_text("\n".join(rows))
    >>> columns = {"arrival": "in", "departure": "out", "energy": "Wh"}
    >>> told = {"columns": columns, "timezone": "Europe/Rome", "units": {"energy": "Wh"}}
    >>> sessions = v2g.read_sessions("sessions.csv", **told)
    >>> str(sessions.arrival.values[0])[:16], sessions.energy.item(), sessions.energy.units
    ('2026-01-01T07:00', 12000.0, 'Wh')
    """
    source, table = str(path), one_format(table, fields)
    _check_rules(table, source)
    _check_names(table.columns, source)
    frame = read_columns(path, table)
    stated = {name: {STATED: 1} for name in units or {}}
    units = _units(table.columns, units or {}, source)

    def times(name: str) -> tuple[np.ndarray, str]:
        """Return moments, NaT where a stay has none, and a note on the rules that were needed."""
        known = ~is_missing(frame[name])
        moments = np.full(len(frame), np.datetime64("NaT"), "datetime64[ns]")
        if not known.any():
            return moments, ""
        zones = frame.get(f"{name}_zone", frame.get("zone"))
        utc = read_times(
            frame[name][known],
            table,
            source,
            where=name,
            rules=SESSION_RULES,
            zones=None if zones is None else zones[known],
        )
        moments[known] = utc.time.to_numpy("datetime64[ns]")
        return moments, utc.note

    # faults of all columns are told together
    problems: list[Problem] = []
    given = [name for name in NUMBERS if name in table.columns]
    values = collect_problems(
        problems,
        lambda: number_columns(frame, given, table.decimal, source, table.thousands),
    )
    arrival = collect_problems(problems, lambda: times("arrival"))
    departure = collect_problems(problems, lambda: times("departure"))
    if values is None or arrival is None or departure is None:
        raise SchemaError(problems, source)

    data: dict[str, object] = {
        name: ("session", moments, {"long_name": MOMENTS[name].doc})
        for name, (moments, _) in (("arrival", arrival), ("departure", departure))
    }
    for name in given:
        attributes = {"units": units[name], "long_name": NUMBERS[name].doc}
        data[name] = ("session", values[name], attributes | stated.get(name, {}))
    for name in LABELS:
        if name in table.columns:
            data[name] = ("session", as_text(frame[name]).to_numpy(str))

    sessions = add_notes(xr.Dataset(data), arrival[1], departure[1])
    if table.timezone is not None:
        sessions.attrs["timezone"] = table.timezone
    names = as_text(frame["session"]) if "session" in table.columns else None
    return without_short_stays(_numbered(sessions, names), short_stays, source=source)


def _numbered(sessions: xr.Dataset, names: pd.Series | None) -> xr.Dataset:
    """Return sessions in order of arrival under their own labels, or numbered from 0."""
    if names is None:
        return sessions.sortby("arrival").assign_coords(
            session=np.arange(sessions.sizes["session"])
        )
    number = bool(names.str.fullmatch(r"0|[1-9]\d{0,17}").all())  # 007 and 7 are two labels
    return sessions.assign_coords(
        session=names.astype(np.int64) if number else names.to_numpy(str)
    ).sortby("arrival")


def _check_rules(table: TableFormat, source: str) -> None:
    """Refuse rules that say nothing of one session."""
    problems = []
    for name, allowed in (("ambiguous", AMBIGUOUS), ("nonexistent", NONEXISTENT)):
        rule = getattr(table, name)
        if rule not in ("raise", *allowed):
            detail = f"{rule!r} is no rule for sessions"
            problems.append(Problem(name, "choice", detail, (Remedy(name, allowed),)))
    if problems:
        raise SchemaError(problems, source)


def _check_names(columns: Mapping[str, str], source: str) -> None:
    """Refuse a map without both times, or with names that are no field of a session."""
    problems = [
        Problem("columns", "missing", f"name the column of `{name}`")
        for name in ("arrival", "departure")
        if name not in columns
    ]
    for name in columns:
        if name not in (*FIELDS, *ZONES):
            near = get_close_matches(name, FIELDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {first_few(FIELDS, 30)}"
            problems.append(Problem(f"columns.{name}", "unknown", hint))
    if problems:
        raise SchemaError(problems, source)


def _units(columns: Mapping[str, str], given: Mapping[str, str], source: str) -> dict[str, str]:
    """Return the unit of each column of numbers: as given, as its header says, else as declared.

    Raises
    ------
    SchemaError
        Units of columns that are not read, and units of another kind.
    """
    declared = {name: field.unit for name, field in NUMBERS.items() if name in columns}
    problems = [
        Problem(name, "unknown", "has a unit but no column")
        for name in given
        if name not in declared
    ]
    units = {}
    for name, unit in declared.items():
        said = named_unit(columns[name])
        if name not in given and (strange := strange_unit(columns[name])):
            detail = f"the header {columns[name]!r} names a unit that is not known: {strange}"
            such = Remedy("units", (unit,), key=name, advice="such as {}")
            problems.append(Problem(name, "unit", detail, (such,)))
        units[name] = given.get(name) or said or unit
        if factor(units[name], unit) is not None:
            continue
        known = ", ".join(accepted(unit))
        detail = f"unit {units[name]!r} does not fit; use one of {known}"
        give = Remedy("units", (unit,), key=name, advice=f"if it is {unit} all the same, give {{}}")
        header = f"the header {columns[name]!r} says {said}: "
        if name in given:
            problems.append(Problem(name, "unit", detail))
        else:
            problems.append(Problem(name, "unit", header + detail, (give,)))
    if problems:
        raise SchemaError(problems, source)
    return units
