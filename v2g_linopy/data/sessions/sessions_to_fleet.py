"""Charging sessions on a clock of steps: the arrays of `/fleet`, and the table `/sessions` they
came from.
"""

import json
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ..tables.local_time import nanoseconds, step_of
from ..tables.session_table import (
    COLUMNS,
    MADE,
    PLACES,
    SessionTable,
    faults,
    read_table,
    shared,
    unreachable,
    unreachable_problems,
)
from ..tables.wording import first_few
from .connectors import with_connector_limits
from .packing import pack

Rows = Literal["packed", "connector", "vehicle"]
_PER_SESSION = {
    "eta_charge": 1.0,
    "eta_discharge": 1.0,
    "retail_price": 0.0,
    "taper_from": np.nan,
    "taper_to": np.nan,
}
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
    step, origin = step_of(time).value, nanoseconds(time)[0]
    table, problems = read_table(sessions, linked)
    if linked:
        problems += _linkable(table, rows)
    if table is None or problems:
        raise SchemaError(problems, "the sessions")
    problems = faults(table, linked)
    if problems:
        raise SchemaError(problems, "the sessions")
    inside = (table.arrival >= origin) & (table.departure <= origin + step * len(time))
    kept, notes = _horizon(table, inside, outside, origin, origin + step * len(time), problems)
    chosen = table.subset(kept)
    lack = np.zeros(len(chosen.name)) if linked else unreachable(chosen)
    if need == "problem":
        problems += unreachable_problems(chosen, lack)
    first, last = (chosen.arrival - origin) // step, -((origin - chosen.departure) // step) - 1
    label, row, places = _rows(chosen, first, last, rows, problems)
    if problems:
        raise SchemaError(problems, "the sessions")
    chosen.values["energy_need"] = np.minimum(chosen["energy_need"] - lack, chosen["capacity"])
    fleet = _arrays(chosen, first, last, row, len(label), len(time), origin, step, linked)
    fleet = fleet.assign_coords(fleet=label, time=time)
    fleet = fleet.assign({name: ("fleet", place) for name, place in places.items()})
    if rows == "connector":
        fleet["connector"] = (
            "fleet",
            np.where(np.isin(label, chosen.labels["connector"]), label, ""),
        )
    return fleet, _sessions(sessions.isel(session=kept), chosen, label[row], lack, notes)


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


def _horizon(
    table: SessionTable,
    inside: np.ndarray,
    outside: str,
    start: int,
    end: int,
    problems: list[Problem],
) -> tuple[np.ndarray, dict[str, str | int]]:
    """Return which sessions stay, and what the dataset says of the others; clips in place."""
    touching = (table.departure > start) & (table.arrival < end)
    names = [str(n) for n in table.name[~inside]]
    if outside == "problem" and names:
        span = f"{pd.Timestamp(start)} .. {pd.Timestamp(end)} UTC"
        detail = f"{len(names)} outside {span}: {first_few(names, 50)}"
        rules = Remedy("outside", ("drop", "clip"))
        problems.append(Problem("sessions", "time", detail, (rules,)))
    if outside == "clip":
        _clip(table, touching & ~inside, start, end)
        dropped, clipped = table.name[~touching], table.name[touching & ~inside]
        notes = _note("dropped", dropped, "not within the steps") | _note(
            "clipped", clipped, "cut at the edges"
        )
        return np.flatnonzero(touching), notes
    return np.flatnonzero(inside), _note(
        "dropped", table.name[~inside], "not within the steps altogether"
    )


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
    rate = table["eta_charge"] * table["charge_max"] / 3.6e12  # kWh per nanosecond
    before = np.where(cut, np.maximum(0, start - table.arrival), 0)
    charged = np.clip(table["energy_need"] - table["energy_arrival"], 0.0, rate * before)
    table.values["energy_arrival"] = table["energy_arrival"] + charged
    after = np.where(cut, np.maximum(0, table.departure - end), 0)
    table.values["energy_need"] = np.maximum(0.0, table["energy_need"] - rate * after)
    table.arrival = np.where(cut, np.maximum(table.arrival, start), table.arrival)
    table.departure = np.where(cut, np.minimum(table.departure, end), table.departure)


def _rows(
    table: SessionTable, first: np.ndarray, last: np.ndarray, rows: Rows, problems: list[Problem]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return the labels of the rows, the row of each session, and where each row stands, as far as
    that is given.
    """
    if rows == "packed":
        return _packed(table, first, last, np.ones(len(first), bool))
    if rows not in table.labels:
        detail = f"a row for each {rows} needs the {rows} of each session"
        problems.append(Problem(f"sessions.{rows}", "missing", detail))
        return np.array([], str), np.zeros(len(first), int), {}
    named = np.flatnonzero(table.labels[rows] != "")
    label, start, of_named = np.unique(
        table.labels[rows][named], return_index=True, return_inverse=True
    )
    row = np.zeros(len(first), np.int64)
    row[named] = of_named
    order = named[np.lexsort((first[named], of_named))]
    clash = (row[order][1:] == row[order][:-1]) & (first[order][1:] <= last[order][:-1])
    packed = Remedy("rows", ("packed",), advice="use a shorter step or {}")
    for one, other in zip(order[:-1][clash], order[1:][clash], strict=True):
        detail = (
            f"{rows} {label[row[one]]}: session {table.name[one]} leaves"
            f" {table.moment(one, end=True)} and session {table.name[other]} arrives"
            f" {table.moment(other)}, in one step"
        )
        problems.append(Problem(f"sessions.{rows}", "consistency", detail, (packed,)))
    places = {name: table.labels[name][named[start]] for name in PLACES if name in table.labels}
    for name, place in places.items():
        if (moved := named[table.labels[name][named] != place[of_named]]).size:
            detail = (
                f"{rows} {first_few(np.unique(label[row[moved]]))}: has sessions in several {name}s"
            )
            problems.append(Problem(f"sessions.{name}", "consistency", detail))
    unnamed = table.labels[rows] == ""
    if not unnamed.any():
        return label, row, places
    more, row_packed, others = _packed(table, first, last, unnamed)
    row[unnamed] = row_packed[unnamed] + len(label)
    both = {name: np.concatenate([place, others[name]]) for name, place in places.items()}
    return np.concatenate([label, more]), row, both


def _packed(
    table: SessionTable, first: np.ndarray, last: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Pack the sessions chosen into as few rows as possible, within each place."""
    names = [name for name in PLACES if name in table.labels]
    where = ["\n".join(words) for words in zip(*(table.labels[n] for n in names), strict=True)]
    sites, site = np.unique(np.array(where or [""] * len(first), str), return_inverse=True)
    row = np.zeros(len(first), np.int64)
    labels: list[str] = []
    stands: list[list[str]] = []
    for k, place in enumerate(sites.tolist()):
        here = chosen & (site == k)
        if not here.any():
            continue
        row[here] = pack(first[here], last[here]) + len(labels)
        count = int(row[here].max()) + 1 - len(labels)
        width = max(2, len(str(count)))
        words = place.split("\n")
        prefix = "".join(f"{word} " for word in words if word)
        labels += [f"{prefix}row {n + 1:0{width}d}" for n in range(count)]
        stands += [words] * count
    return (
        np.array(labels, str),
        row,
        {n: np.array([s[i] for s in stands], str) for i, n in enumerate(names)},
    )


def _arrays(
    table: SessionTable,
    first: np.ndarray,
    last: np.ndarray,
    row: np.ndarray,
    members: int,
    steps: int,
    origin: int,
    step: int,
    linked: bool,
) -> xr.Dataset:
    """Spread the sessions over (fleet, time)."""
    count = last - first + 1
    session = np.repeat(np.arange(len(count)), count)
    t = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + np.repeat(first, count)
    edge = origin + t * step
    share = (
        np.minimum(table.departure[session], edge + step) - np.maximum(table.arrival[session], edge)
    ) / step
    at = row[session] * steps + t

    def over(values: np.ndarray, fill: float = 0.0) -> tuple[tuple[str, str], np.ndarray]:
        out = np.full(members * steps, fill, values.dtype)
        out[at] = values
        return ("fleet", "time"), out.reshape(members, steps)

    def once(values: np.ndarray, where: np.ndarray) -> tuple[tuple[str, str], np.ndarray]:
        out = np.zeros(members * steps)
        out[row * steps + where] = values
        return ("fleet", "time"), out.reshape(members, steps)

    keep = over(np.where(t == first[session], 0.0, 1.0))
    data: dict[str, object] = {
        "charge_max": over(table["charge_max"][session] * share),
        "discharge_max": over(table["discharge_max"][session] * share),
        "energy_max": over(table["capacity"][session]),
        "energy_min": once(table["energy_need"], last),
        "energy_in": once(table["energy_arrival"], first),
        "keep": keep,
        "session": over(_numbers(table.name)[session], -1),
    }
    if "charge_min" in table.given:
        data["charge_min"] = over(table["charge_min"][session] * share)
    for name, idle in _PER_SESSION.items():
        if name in table.given:
            one = shared(table[name])
            data[name] = over(table[name][session], idle) if one is None else ((), one)
    if linked:
        data |= _linked(table, first, last, row, members, steps)
    return xr.Dataset(data)


def _linked(
    table: SessionTable,
    first: np.ndarray,
    last: np.ndarray,
    row: np.ndarray,
    members: int,
    steps: int,
) -> dict[str, object]:
    """Arrays of batteries that go on between sessions: nothing restarts, trips leave the
    battery.
    """
    start = np.full(members, -1)
    order = np.lexsort((first, row))[::-1]
    start[row[order]] = order  # the first session of each row is written last
    driven = np.zeros((members, steps))
    leaves = last + 1 < steps
    np.add.at(driven, (row[leaves], last[leaves] + 1), table["energy_trip"][leaves])
    capacity = np.zeros(members)
    np.maximum.at(capacity, row, table["capacity"])
    return {
        "keep": ((), 1.0),
        "energy_in": ((), 0.0),
        "energy_initial": ("fleet", table["energy_arrival"][start]),
        "energy_max": ("fleet", capacity),
        "energy_out": (("fleet", "time"), driven),
    }


def _numbers(names: np.ndarray) -> np.ndarray:
    """Return session labels as numbers: themselves where they are non-negative integers, else their
    position.
    """
    numeric = names.dtype.kind in "iu" and bool((names >= 0).all())
    return names.astype(np.int64) if numeric else np.arange(len(names), dtype=np.int64)


def _sessions(
    sessions: xr.Dataset,
    chosen: SessionTable,
    row: np.ndarray,
    lack: np.ndarray,
    notes: dict[str, str | int],
) -> xr.Dataset:
    """Return the table that goes into the case."""
    if "session" in sessions.indexes and not np.array_equal(_numbers(chosen.name), chosen.name):
        sessions = sessions.assign(name=("session", chosen.name.astype(str)))
    out = sessions.assign_coords(session=_numbers(chosen.name))
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
