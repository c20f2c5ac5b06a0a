"""Sessions spread over the steps of a case: the arrays of `/fleet` on (fleet, time)."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from ..tables.session_table import SessionTable, same_for_all
from .fleet_rows import FleetRows

IDLE = {
    "eta_charge": 1.0,
    "eta_discharge": 1.0,
    "retail_price": 0.0,
    "taper_from": np.nan,
    "taper_to": np.nan,
}
"""What holds where nothing is plugged in, of arrays that are there only if sessions give them."""

RetailOn = Literal["need", "net"]
"""What drivers pay for: the energy that they need, or the net energy drawn."""
OnSteps = tuple[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class Clock:
    """The steps of a case, in nanoseconds since 1970, UTC."""

    origin: int
    step: int
    count: int

    @property
    def end(self) -> int:
        """End of the last step."""
        return self.origin + self.step * self.count

    def occupied(self, table: SessionTable) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and the last step of each session, both occupied at least in part."""
        first = (table.arrival - self.origin) // self.step
        beyond = -((self.origin - table.departure) // self.step)  # rounded up
        return first, beyond - 1


def fleet_arrays(table: SessionTable, rows: FleetRows, clock: Clock, linked: bool) -> xr.Dataset:
    """Return the arrays of a fleet; where rows are `linked` each is one battery all along.

    Power is that of the charger times the plugged share of a step; see `sessions_to_fleet`."""
    first, last = clock.occupied(table)
    row, shape = rows.of_session, (len(rows.labels), clock.count)
    session, step = _occupied_steps(first, last)
    begin = clock.origin + step * clock.step
    plugged_from = np.maximum(table.arrival[session], begin)
    plugged_until = np.minimum(table.departure[session], begin + clock.step)
    share = (plugged_until - plugged_from) / clock.step

    def over(values: np.ndarray, idle: float = 0.0) -> OnSteps:
        """Values of each session and step; `idle` where nothing is plugged in."""
        out = np.full(shape, idle, values.dtype)
        out[row[session], step] = values
        return ("fleet", "time"), out

    def once(values: np.ndarray, at: np.ndarray) -> OnSteps:
        """A value of each session in one step of its own."""
        out = np.zeros(shape)
        out[row, at] = values
        return ("fleet", "time"), out

    data: dict[str, Any] = {
        "charge_max": over(table["charge_max"][session] * share),
        "discharge_max": over(table["discharge_max"][session] * share),
        "energy_max": over(table["capacity"][session]),
        "energy_min": once(table["energy_need"], last),
        "energy_in": once(table["energy_arrival"], first),
        "keep": over(np.where(step == first[session], 0.0, 1.0)),
        "need_billed": once(_need_at_grid(table, row, first, linked), last),
        "session": over(session_numbers(table.name)[session], -1),
    }
    if "energy_floor" in table.given:
        kept, need = _kept_and_linked(table, row, first) if linked else _kept(table)
        least = np.maximum(over(kept[session])[1], once(need, last)[1])
        data["energy_min"] = ("fleet", "time"), least
    if "charge_min" in table.given:
        data["charge_min"] = over(table["charge_min"][session] * share)
    for name, idle in IDLE.items():
        if name in table.given:
            one = same_for_all(table[name])
            data[name] = over(table[name][session], idle) if one is None else ((), one)
    if linked:
        data |= _linked(table, first, last, row, shape)
    places = {name: ("fleet", place) for name, place in rows.places.items()}
    return xr.Dataset(data, coords={"fleet": rows.labels}).assign(places)


def _need_at_grid(
    table: SessionTable, row: np.ndarray, first: np.ndarray, linked: bool
) -> np.ndarray:
    """Return what each session draws where it charges up to its need and no further (kWh)."""
    comes, needed = table["energy_arrival"], table["energy_need"]
    if linked:
        needed = np.maximum(needed, np.minimum(table["energy_trip"], table["capacity"]))
        comes = _left_by_trips(table, row, first, needed)
    return np.maximum(0.0, needed - comes) / table["eta_charge"]


def _left_by_trips(
    table: SessionTable, row: np.ndarray, first: np.ndarray, needed: np.ndarray
) -> np.ndarray:
    """Return what is on board at each arrival of a battery that goes on between sessions, where it
    charges up to its need and no further (kWh).
    """
    comes = table["energy_arrival"].copy()
    on_board: dict[int, float] = {}
    for k in np.lexsort((first, row)).tolist():
        comes[k] = on_board.get(int(row[k]), comes[k])
        left = max(comes[k], needed[k]) - table["energy_trip"][k]
        on_board[int(row[k])] = max(0.0, left)
    return comes


def _kept(table: SessionTable) -> tuple[np.ndarray, np.ndarray]:
    """Return what discharging leaves on board while plugged in, and the need, kWh, by session.

    It is the floor, or what came with the vehicle if that is less: no plan has to charge for it.
    """
    kept = np.where(table["discharge_max"] > 0, table["energy_floor"], 0.0)
    return np.minimum(kept, table["energy_arrival"]), table["energy_need"]


def _kept_and_linked(
    table: SessionTable, row: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of batteries that go on between sessions.

    A vehicle comes back with what its need and its trip leave. So that this is the floor, it leaves
    with so much more than the trip takes, as far as its charger gets there.
    """
    floor = np.where(table["discharge_max"] > 0, table["energy_floor"], 0.0)
    added = table["eta_charge"] * table["charge_max"] * table.stay
    kept, need = np.zeros(len(row)), table["energy_need"].copy()
    on_board: dict[int, float] = {}
    for k in np.lexsort((first, row)).tolist():
        comes = on_board.get(int(row[k]), float(table["energy_arrival"][k]))
        kept[k] = min(floor[k], comes)
        reach = min(table["capacity"][k], comes + added[k])
        wanted = min(floor[k] + table["energy_trip"][k], reach) if floor[k] > 0 else 0.0
        need[k] = max(need[k], kept[k], wanted)
        on_board[int(row[k])] = max(0.0, need[k] - table["energy_trip"][k])
    return kept, need


def _occupied_steps(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return session and step of every step that a session occupies, one session after another."""
    count = last - first + 1
    session = np.repeat(np.arange(len(count)), count)
    since_first = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
    return session, since_first + np.repeat(first, count)


def _linked(
    table: SessionTable,
    first: np.ndarray,
    last: np.ndarray,
    row: np.ndarray,
    shape: tuple[int, int],
) -> dict[str, object]:
    """Arrays of batteries that go on between sessions: nothing restarts, trips leave the
    battery.
    """
    start = np.full(shape[0], -1)
    order = np.lexsort((first, row))[::-1]
    start[row[order]] = order  # the first session of each row is written last
    driven = np.zeros(shape)
    leaves = last + 1 < shape[1]
    np.add.at(driven, (row[leaves], last[leaves] + 1), table["energy_trip"][leaves])
    capacity = np.zeros(shape[0])
    np.maximum.at(capacity, row, table["capacity"])
    return {
        "keep": ((), 1.0),
        "energy_in": ((), 0.0),
        "energy_initial": ("fleet", table["energy_arrival"][start]),
        "energy_max": ("fleet", capacity),
        "energy_out": (("fleet", "time"), driven),
    }


def session_numbers(names: np.ndarray) -> np.ndarray:
    """Return session labels as numbers.

    They are the labels themselves where these are non-negative integers, else their position.
    """
    numeric = names.dtype.kind in "iu" and bool((names >= 0).all())
    return names.astype(np.int64) if numeric else np.arange(len(names), dtype=np.int64)
