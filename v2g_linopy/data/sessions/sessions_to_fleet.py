"""Charging sessions on a clock of steps: the arrays of `/fleet`, and the table `/sessions` they
came from.
"""

import json
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ...model.sessions import COLUMNS, MADE
from ..tables.local_time import nanoseconds, step_of
from ..tables.session_table import (
    SessionTable,
    read_table,
    unreachable,
    unreachable_problems,
    value_problems,
)
from ..tables.wording import first_few
from .connectors import with_connector_limits
from .fleet_arrays import Clock, RetailOn, fleet_arrays, session_numbers
from .fleet_rows import Rows, rows_of_sessions

SECONDS = {"units": "seconds since 1970-01-01", "dtype": "int64"}


def sessions_to_fleet(
    sessions: xr.Dataset,
    time: pd.DatetimeIndex,
    *,
    rows: Rows = "packed",
    outside: Literal["problem", "drop", "clip"] = "problem",
    need: Literal["problem", "cap"] = "problem",
    linked: bool = False,
    connectors: xr.Dataset | None = None,
    retail_on: RetailOn = "need",
) -> tuple[xr.Dataset, xr.Dataset]:
    """Turn charging sessions into the arrays of a fleet.

    ``charge_max`` is the charger power times the plugged share of the step, so that a need which is
    just reachable on the clock stays reachable on the steps. In the step of an arrival ``keep = 0``
    and ``energy_in`` is the energy on arrival; ``keep = 0`` where nothing is plugged in;
    ``energy_min`` at the last plugged step is the energy needed at departure; every parameter of a
    session holds in its steps only.

    Parameters
    ----------
    sessions : xarray.Dataset
        On ``session``: ``arrival``, ``departure`` (UTC), ``capacity``, ``energy_arrival``,
        ``energy_need`` (on board at departure; kWh), ``charge_max`` (kW); optional
        ``discharge_max`` (kW, 0), ``charge_min`` (kW, pro rata of the plugged time as
        ``charge_max``), ``taper_from`` and ``taper_to``, ``eta_charge``, ``eta_discharge``,
        ``retail_price`` (EUR/kWh), and the labels ``pod``, ``charger``, ``connector``, ``vehicle``.
    time : pandas.DatetimeIndex
        Start of each step, naive UTC, uniform.
    rows : {"packed", "connector", "vehicle"}, default "packed"
        What a member of the fleet is. ``packed``: as few rows as are plugged in at once, within
        each pod and charger, never two sessions in one step of a row. ``connector``, ``vehicle``:
        one row per label; sessions whose label is empty are packed.
    outside : {"problem", "drop", "clip"}, default "problem"
        What becomes of a session that is not inside the steps altogether. ``drop``: it is left out.
        ``clip``: it is cut at the edges; one that began before them is taken to have charged at
        full power until then, and one that lasts beyond them must hold, at the end, what still lets
        it reach its need. Either way it is named.
    need : {"problem", "cap"}, default "problem"
        What becomes of a need beyond what the charger delivers in time. ``cap``: lowered to that,
        and the missing kWh stand in ``energy_missing``.
    linked : bool, default False
        A row (``rows="vehicle"``) is one battery all along: ``keep = 1``, and ``energy_trip`` is
        driven between a departure and the next arrival, booked in the first step after the
        departure. Only the first ``energy_arrival`` of a vehicle counts, and whether needs are
        reachable is left to the model.
    connectors : xarray.Dataset, optional
        Table of connectors: limits and efficiencies of each session are then those of car and
        connector together, see `data.sessions.connectors.with_connector_limits`. Whether a need is
        reachable is judged at full power, without taper and least power.

    retail_on : {"need", "net"}, default "need"
        What drivers pay `retail_price` for. ``need``: `need_billed` is written, what charging up to
        the need draws from the grid, in the last plugged step; a battery that goes on between
        sessions is taken to come home with what its trips leave of its needs. ``net``: it is not,
        so that they pay for what is drawn less what is fed in.

    Returns
    -------
    fleet, sessions : xarray.Dataset
        The groups ``/fleet`` (kW, kWh on ``fleet, time``) and ``/sessions``. The second is the
        first argument, less the sessions dropped, with ``row`` (member of the fleet) and
        ``energy_missing`` (kWh) added; what was dropped, clipped or capped stands in its
        attributes.

    Raises
    ------
    SchemaError
        Every fault of every session at once.

    Examples
    --------
    A car comes with 20 kWh at half past eight, so that half of the first hour is left for charging:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> stay = {"arrival": pd.Timestamp("2026-03-02 08:30")}
    >>> stay |= {"departure": pd.Timestamp("2026-03-02 11:00")}
    >>> stay |= {"capacity": 40.0, "energy_arrival": 20.0, "energy_need": 30.0, "charge_max": 10.0}
    >>> stay = {name: ("session", [value]) for name, value in stay.items()}
    >>> sessions = xr.Dataset(stay, coords={"session": ["monday"]})
    >>> time = pd.date_range("2026-03-02 08:00", periods=4, freq="h")
    >>> fleet, table = v2g.sessions_to_fleet(sessions, time)
    >>> fleet.charge_max.isel(fleet=0).values.tolist()
    [5.0, 10.0, 10.0, 0.0]
    >>> fleet.energy_in.isel(fleet=0).values.tolist()
    [20.0, 0.0, 0.0, 0.0]
    >>> fleet.energy_min.isel(fleet=0).values.tolist()
    [0.0, 0.0, 30.0, 0.0]
    """
    if connectors is not None:
        sessions = with_connector_limits(sessions, connectors)
    table = _valid_table(sessions, rows, linked)
    clock = Clock(nanoseconds(time)[0], step_of(time).value, len(time))
    problems: list[Problem] = []
    kept, notes = _within(clock, table, outside, problems)
    chosen = table.subset(kept)

    # kWh that no charger could deliver in time
    lack = np.zeros(len(chosen.name)) if linked else unreachable(chosen)
    if need == "problem":
        problems += unreachable_problems(chosen, lack)
    first, last = clock.occupied(chosen)
    placed, clashes = rows_of_sessions(chosen, first, last, rows)
    problems += clashes
    if problems:
        raise SchemaError(problems, "the sessions")

    chosen.values["energy_need"] = np.minimum(chosen["energy_need"] - lack, chosen["capacity"])
    fleet = fleet_arrays(chosen, placed, clock, linked).assign_coords(time=time)
    fleet = fleet.drop_vars("need_billed") if retail_on == "net" else fleet
    if rows == "connector":
        named = np.isin(placed.labels, chosen.labels["connector"])
        fleet["connector"] = ("fleet", np.where(named, placed.labels, ""))
    row = placed.labels[placed.of_session]
    return fleet, _sessions(sessions.isel(session=kept), chosen, row, lack, notes)


def _valid_table(sessions: xr.Dataset, rows: str, linked: bool) -> SessionTable:
    """Return the sessions as columns, or raise every fault of their shape, else of their values."""
    table, problems = read_table(sessions, linked)
    if linked:
        problems += _linkable(table, rows)
    if table is None or problems:
        raise SchemaError(problems, "the sessions")
    if problems := value_problems(table, linked):
        raise SchemaError(problems, "the sessions")
    return table


def _linkable(table: SessionTable | None, rows: str) -> list[Problem]:
    """Return what keeps sessions from being one battery all along."""
    if rows != "vehicle":
        detail = "linked sessions are one battery for each vehicle"
        return [Problem("rows", "consistency", detail, (Remedy("rows", ("vehicle",)),))]
    if table is not None and "vehicle" in table.labels and (table.labels["vehicle"] == "").any():
        return [
            Problem(
                "sessions.vehicle", "missing", "linked sessions need the vehicle of every session"
            )
        ]
    return []


def _within(
    clock: Clock, table: SessionTable, outside: str, problems: list[Problem]
) -> tuple[np.ndarray, dict[str, str | int]]:
    """Return which sessions stay, and what the dataset says of the others; clips in place."""
    start, end = clock.origin, clock.end
    inside = (table.arrival >= start) & (table.departure <= end)
    touching = (table.departure > start) & (table.arrival < end)
    if outside == "clip":
        cut = touching & ~inside
        _clip(table, cut, start, end)
        dropped = _note("dropped", table.name[~touching], "not within the steps")
        return np.flatnonzero(touching), dropped | _note(
            "clipped", table.name[cut], "cut at the edges"
        )
    names = table.name[~inside]
    if outside == "problem" and len(names):
        span = f"{pd.Timestamp(start)} .. {pd.Timestamp(end)} UTC"
        detail = f"{len(names)} outside {span}: {first_few(names, 50)}"
        rules = Remedy("outside", ("drop", "clip"))
        problems.append(Problem("sessions", "time", detail, (rules,)))
    return np.flatnonzero(inside), _note("dropped", names, "not within the steps altogether")


def _note(what: str, names: np.ndarray, why: str) -> dict[str, str | int]:
    """Return attributes that name sessions."""
    if len(names) == 0:
        return {}
    return {
        f"{what}_count": len(names),
        f"{what}_sessions": json.dumps(names.tolist()),
        f"{what}_why": why,
    }


def _clip(table: SessionTable, cut: np.ndarray, start: int, end: int) -> None:
    """Cut sessions at the edges of the steps, and say what they then hold and need there.

    One that began before charges at full power until then; one that lasts beyond must hold at the
    end what still lets it reach its need.
    """
    rate = table["eta_charge"] * table["charge_max"] / 3.6e12  # kWh per nanosecond
    before = np.where(cut, np.maximum(0, start - table.arrival), 0)
    charged = np.clip(table["energy_need"] - table["energy_arrival"], 0.0, rate * before)
    table.values["energy_arrival"] = table["energy_arrival"] + charged
    after = np.where(cut, np.maximum(0, table.departure - end), 0)
    table.values["energy_need"] = np.maximum(0.0, table["energy_need"] - rate * after)
    table.arrival = np.where(cut, np.maximum(table.arrival, start), table.arrival)
    table.departure = np.where(cut, np.minimum(table.departure, end), table.departure)


def _sessions(
    sessions: xr.Dataset,
    chosen: SessionTable,
    row: np.ndarray,
    lack: np.ndarray,
    notes: dict[str, str | int],
) -> xr.Dataset:
    """Return the table that goes into the case."""
    if "session" in sessions.indexes and not np.array_equal(
        session_numbers(chosen.name), chosen.name
    ):
        sessions = sessions.assign(name=("session", chosen.name.astype(str)))
    out = sessions.assign_coords(session=session_numbers(chosen.name))
    for name in COLUMNS:
        if name in out and not out[name].dims:
            out[name] = out[name].expand_dims(session=out["session"])
    out["row"] = ("session", row, {"long_name": MADE["row"].doc})
    missing = MADE["energy_missing"]
    out[missing.name] = ("session", lack, {"units": missing.unit, "long_name": missing.doc})
    for name in ("arrival", "departure"):
        out[name] = out[name].astype("datetime64[ns]").assign_attrs(sessions[name].attrs)
        out[name].encoding = dict(SECONDS)
    return out.assign_attrs(
        {**sessions.attrs, **notes}, **_note("capped", chosen.name[lack > 0], "need lowered")
    )
