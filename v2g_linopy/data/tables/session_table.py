"""A table of charging sessions: its columns, their units, and every fault in it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ...case.schema import REQUIRED
from ...case.units import accepted, factor
from ...errors import Problem, Remedy
from ...model.sessions import COLUMNS, LABELS
from .listing import MOST_LISTED, listed_problems
from .local_time import nanoseconds
from .wording import first_few

REACH_TOLERANCE = 1e-9
NOT_A_TIME = np.iinfo(np.int64).min


NOT_ZERO = ("eta_charge", "eta_discharge")  # of their range the lower end is not allowed
PLACES = ("pod", "charger")  # a row of the fleet stands at one of each


@dataclass
class SessionTable:
    """Sessions as plain columns, in coherent units.

    `arrival` and `departure` are nanoseconds since 1970, UTC.
    """

    name: np.ndarray
    arrival: np.ndarray
    departure: np.ndarray
    values: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    given: frozenset[str]

    def __getitem__(self, column: str) -> np.ndarray:
        return self.values[column]

    @property
    def stay(self) -> np.ndarray:
        """Hours plugged in."""
        return (self.departure - self.arrival) / 3.6e12

    @property
    def reach(self) -> np.ndarray:
        """Most energy on board at departure, charging at full power from arrival, kWh."""
        added = self["eta_charge"] * self["charge_max"] * self.stay
        return np.minimum(self["capacity"], self["energy_arrival"] + added)

    def moment(self, k: int, end: bool = False) -> str:
        """Return the arrival or departure of session k for a message."""
        return (
            f"{pd.Timestamp(int((self.departure if end else self.arrival)[k])):%Y-%m-%d %H:%M} UTC"
        )

    def subset(self, keep: np.ndarray) -> "SessionTable":
        """Return the sessions marked in `keep`."""
        return SessionTable(
            self.name[keep],
            self.arrival[keep],
            self.departure[keep],
            {n: v[keep] for n, v in self.values.items()},
            {n: v[keep] for n, v in self.labels.items()},
            self.given,
        )


def read_table(
    sessions: xr.Dataset, linked: bool = False
) -> tuple[SessionTable | None, list[Problem]]:
    """Return the columns of a sessions dataset in coherent units, and every problem of theirs."""
    problems = _missing(sessions, linked)
    if problems:
        return None, problems
    stamps = {n: nanoseconds(sessions[n]) for n in ("arrival", "departure")}
    count = sessions.sizes["session"]
    values, given = {}, set()
    for name, column in COLUMNS.items():
        if name in sessions:
            unit = sessions[name].attrs.get("units", column.unit)
            scale = factor(unit, column.unit)
            if scale is None:
                units = " or ".join(accepted(column.unit))
                problems.append(
                    Problem(
                        f"sessions.{name}", "unit", f"{unit!r} is not understood; write {units}"
                    )
                )
            values[name] = np.broadcast_to(
                np.asarray(sessions[name], float) * (scale or 1.0), count
            ).copy()
            given.add(name)
        else:
            values[name] = np.full(count, 0.0 if column.default is REQUIRED else column.default)
    labels = {n: np.asarray(sessions[n]).astype(str) for n in LABELS if n in sessions}
    names = (
        np.asarray(sessions.indexes["session"])
        if "session" in sessions.indexes
        else np.arange(count)
    )
    table = SessionTable(
        names, stamps["arrival"], stamps["departure"], values, labels, frozenset(given)
    )
    return table, problems


def _missing(sessions: xr.Dataset, linked: bool) -> list[Problem]:
    if "session" not in sessions.dims:
        detail = f"has dimensions {first_few(sessions.dims)}; it needs the dimension 'session'"
        return [Problem("sessions", "dims", detail)]
    wanted = {n: f"{c.doc} ({c.unit})" for n, c in COLUMNS.items() if c.default is REQUIRED}
    wanted |= {
        "arrival": "UTC time stamp of the arrival",
        "departure": "UTC time stamp of the departure",
    }
    if linked:
        wanted |= {
            "energy_trip": f"{COLUMNS['energy_trip'].doc} (kWh)",
            "vehicle": "vehicle; linked sessions need it",
        }
    problems = [
        Problem(f"sessions.{name}", "missing", f"give the {what} of each session")
        for name, what in wanted.items()
        if name not in sessions
    ]
    for name in (*COLUMNS, *LABELS, "arrival", "departure"):
        if name in sessions:
            problems += _shape(name, sessions[name])
    return problems


def _shape(name: str, array: xr.DataArray) -> list[Problem]:
    where = f"sessions.{name}"
    if set(array.dims) - {"session"}:
        return [
            Problem(
                where, "dims", f"has dimensions {first_few(array.dims)}; it may have only 'session'"
            )
        ]
    if name in ("arrival", "departure") and array.dtype.kind != "M":
        return [Problem(where, "type", f"has type {array.dtype}; give UTC time stamps")]
    if name in COLUMNS and array.dtype.kind not in "iufb":
        return [Problem(where, "type", f"has type {array.dtype}; give numbers")]
    return []


def value_problems(table: SessionTable, linked: bool = False) -> list[Problem]:
    """Return every fault in the values of a table, one problem per session and rule.

    None is silently repaired.
    """
    absent = (table.arrival == NOT_A_TIME) | (table.departure == NOT_A_TIME)
    backwards = ~absent & (table.departure <= table.arrival)
    found = _per_session(
        table,
        pd.Index(table.name).duplicated(),
        "labels",
        "session",
        lambda k: "its label occurs twice",
    )
    found += _per_session(
        table, absent, "nan", "arrival", lambda k: "arrival or departure is missing"
    )

    def order(k: int) -> str:
        return f"arrives {table.moment(k)}, leaves {table.moment(k, end=True)}: it must leave later"

    found += _per_session(table, backwards, "consistency", "departure", order)
    broken = absent | backwards
    for name in COLUMNS:
        wrong, more = _range(table, name)
        found, broken = found + more, broken | wrong
    levels = {"energy_need": "needed at departure", "energy_floor": "left by discharging"} | (
        {} if linked else {"energy_arrival": "on arrival"}
    )
    for name, moment in levels.items():
        found += _above_capacity(table, name, moment, broken)
    for label in ("connector", "vehicle"):
        if label in table.labels:
            found += _overlaps(table, label, broken)
    return found


def _range(table: SessionTable, name: str) -> tuple[np.ndarray, list[Problem]]:
    column, value, open_end = COLUMNS[name], table[name], name in NOT_ZERO
    finite = np.isfinite(value)
    too_small = value <= column.ge if open_end else value < column.ge
    beyond = finite & (too_small | (value > column.le))
    allowed = f"{'(' if open_end else '['}{column.ge:g}, {column.le:g}] {column.unit}"
    found = _per_session(table, ~finite, "nan", name, lambda k: f"{value[k]}: give a number")
    found += _per_session(
        table, beyond, "range", name, lambda k: f"{value[k]:g}, allowed {allowed}"
    )
    return ~finite | beyond, found


def _above_capacity(
    table: SessionTable, name: str, moment: str, broken: np.ndarray
) -> list[Problem]:
    over = ~broken & (table[name] > table["capacity"] * (1 + REACH_TOLERANCE))

    def detail(k: int) -> str:
        return (
            f"{table[name][k]:g} kWh {moment} is above the capacity of {table['capacity'][k]:g} kWh"
        )

    return _per_session(table, over, "consistency", name, detail)


def unreachable(table: SessionTable) -> np.ndarray:
    """Return the kWh each session's need lies beyond what its charger can deliver in time.

    0 where it is reached.
    """
    lack = np.minimum(table["energy_need"], table["capacity"]) - table.reach
    return np.where(lack > REACH_TOLERANCE * np.maximum(1.0, table["energy_need"]), lack, 0.0)


def unreachable_problems(table: SessionTable, lack: np.ndarray) -> list[Problem]:
    """Tell which needs cannot be met, by how much, and which departure would do."""

    def detail(k: int) -> str:
        power = table["eta_charge"][k] * table["charge_max"][k]
        text = (
            f"needs {table['energy_need'][k]:.6g} kWh on board at {table.moment(k, end=True)}, but"
            f" {table['charge_max'][k]:g} kW from {table.moment(k)} reaches {table.reach[k]:.6g}"
            f" kWh: {lack[k]:.4g} kWh missing"
        )
        if power > 0:
            later = pd.Timestamp(int(table.departure[k])) + pd.Timedelta(hours=lack[k] / power)
            text += f" (possible from {later.ceil('min'):%Y-%m-%d %H:%M} UTC)"
        return text

    cap = Remedy("need", ("cap",), advice="{} lowers it to what is reached")
    return _per_session(table, lack > 0, "consistency", "energy_need", detail, (cap,))


def _overlaps(table: SessionTable, label: str, broken: np.ndarray) -> list[Problem]:
    """Sessions of one connector or vehicle that begin before an earlier one has ended."""
    names, earlier = table.labels[label], np.full(len(table.name), -1)
    order, latest = np.lexsort((table.departure, table.arrival, names)), -1
    for k in order[~broken[order] & (names[order] != "")].tolist():
        same = latest >= 0 and names[k] == names[latest]
        if same and table.arrival[k] < table.departure[latest]:
            earlier[k] = latest
        if not same or table.departure[k] > table.departure[latest]:
            latest = k

    def detail(k: int) -> str:
        other = int(earlier[k])
        return (
            f"arrives {table.moment(k)} at {label} {names[k]}, but session {table.name[other]}"
            f" leaves it {table.moment(other, end=True)}: they overlap"
        )

    return _per_session(table, earlier >= 0, "consistency", label, detail)


def _per_session(
    table: SessionTable,
    mask: np.ndarray,
    rule: str,
    column: str,
    detail: Callable[[int], str],
    remedies: tuple[Remedy, ...] = (),
) -> list[Problem]:
    """Return a problem per marked session; beyond the first ones, the rest by name."""
    marked = np.flatnonzero(mask).tolist()
    details = [f"session {table.name[k]}: {detail(k)}" for k in marked[:MOST_LISTED]]
    names = [table.name[k] for k in marked]
    return listed_problems(f"sessions.{column}", rule, details, names, remedies=remedies)


def same_for_all(values: np.ndarray) -> float | None:
    """Return the one value all sessions have, or None."""
    return float(values[0]) if len(values) and bool((values == values[0]).all()) else None
