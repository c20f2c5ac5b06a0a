"""Formulations shared by parts. Each returns expressions, constraints or data; none names anything."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..case.calendar import instants


def previous(x: Any) -> Any:
    """x_{t-1}, and 0 before the first step."""
    return x.shift(time=1)


def previous_data(a: xr.DataArray, initial: xr.DataArray | float, time: pd.Index) -> xr.DataArray:
    """a_{t-1} of a data array, and `initial` before the first step."""
    shifted = a.shift(time=1) if "time" in a.dims else a
    return xr.where(first(time) > 0, initial, shifted)


def first(time: pd.Index) -> xr.DataArray:
    """1 at the first step, 0 elsewhere."""
    return xr.DataArray((time == time[0]).astype(float), coords={"time": time}, dims="time")


def smaller(a: Any, b: Any) -> xr.DataArray:
    """min(a, b), elementwise."""
    return xr.where(a < b, a, b)


def larger(a: Any, b: Any) -> xr.DataArray:
    """max(a, b), elementwise."""
    return xr.where(a > b, a, b)


def last(time: pd.Index) -> xr.DataArray:
    """1 at the last step, 0 elsewhere."""
    return xr.DataArray((time == time[-1]).astype(float), coords={"time": time}, dims="time")


def one_way(charge: Any, discharge: Any, charging: Any, charge_max: Any, discharge_max: Any) -> tuple[Any, Any]:
    """Rows: charge only where `charging` is 1, discharge only where it is 0."""
    return charge - charge_max * charging <= 0, discharge + discharge_max * charging <= discharge_max


def within_step(before: Any, into: Any, out: Any, floor: Any, ceiling: Any) -> tuple[Any, Any]:
    """Rows: what flows in fits by itself, before anything flows out, and what flows out is there by itself (kWh)."""
    return before + into <= ceiling, before - out >= floor


def activated_both_ways(reserve: xr.Dataset | None) -> xr.DataArray | bool:
    """Return True where activation is expected upward and downward: charging and discharging then share the step."""
    if reserve is None:
        return False
    sold = reserve.volume_max > 0
    up, down = (reserve.activation_up > 0) & sold, (reserve.activation_down > 0) & sold
    return up.any("product") & down.any("product")


def guarantees_energy(reserve: xr.Dataset | None) -> bool:
    """Return True where a baseline path is needed: energy is guaranteed while some activation is expected."""
    if reserve is None:
        return False
    sold = reserve.volume_max > 0
    expected = ((reserve.activation_up > 0) | (reserve.activation_down > 0)) & sold
    stands = (reserve.guarantee != "expected") | (reserve.excursion_up > 0) | (reserve.excursion_down > 0)
    return bool(expected.any()) and bool((stands & sold).any())


def on_two_paths(d: xr.Dataset, reserve: xr.Dataset | None) -> bool:
    """Return True where a storage has a baseline path beside the expected one: it is needed, or has begun elsewhere."""
    return reserve is not None and (guarantees_energy(reserve) or "baseline_initial" in d)


def supplied(connection: xr.Dataset | None, pods: Any = None) -> Any:
    """Return True for pods with a supply contract of their own; for the pod of each member where `pods` names them."""
    if connection is None:
        return xr.DataArray(False)
    contract = connection.supply_price.notnull()
    contract = contract.any([d for d in contract.dims if d != "pod"])
    if pods is None:
        return contract
    return contract.sel(pod=pods.astype(str).rename("pod")).drop_vars("pod")


def activated_at_suppliers(s: Any, way: str) -> Any:
    """Return the expected activation, `up` or `down`, of all members whose pod has a supply contract, kW on (time)."""
    reserve, total = s.inputs.get("reserve"), 0.0
    for asset in s.flex if reserve is not None else ():
        here = supplied(s.inputs.get("connection"), s.inputs[asset].pod)
        if f"reserve.share_{asset}" in s.model.variables and bool(here.any()):
            rate = here * reserve[f"activation_{way}"]
            total = total + (rate * s[f"reserve.share_{asset}"]).sum(["product", s.inputs[asset].attrs["member"]])
    return total


def same_block(hours: xr.DataArray, time: pd.DatetimeIndex, timezone: str, dt: float) -> xr.DataArray:
    """Return True where a step belongs to the same market block as the one before.

    Blocks of `hours` start at local midnight and follow the local clock: on the day the clock goes back, the block in
    which it does so is an hour longer; a block of an hour or less is always that long.
    """
    if not bool((hours > dt).any()):
        return xr.DataArray(False)
    clock, hour, day = (
        xr.DataArray(x, coords={"time": time}, dims="time") for x in _local(time[0], time[-1], len(time), timezone)
    )

    def same(a: xr.DataArray) -> xr.DataArray:
        return a == a.shift(time=1)

    block = xr.DataArray(np.floor(clock / hours.where(hours > 0, 1.0) + 1e-9))
    return (hours > dt) & same(block) & xr.where(hours > 1, same(day), same(hour))


@lru_cache(maxsize=8)
def _local(first: pd.Timestamp, last: pd.Timestamp, steps: int, timezone: str) -> tuple[np.ndarray, ...]:
    """Of equal steps the local time of day (h), and when their local hour and day began (ns UTC)."""
    time = pd.date_range(first, last, periods=steps)
    local = time.tz_localize("UTC").tz_convert(timezone)
    wall = local.tz_localize(None)
    hour = wall.floor("h") - (wall - time)  # one that repeats is two
    day = local.normalize().tz_convert("UTC")
    return np.asarray(local.hour + local.minute / 60), np.asarray(hour.asi8), np.asarray(day.asi8)


def same_window(hours: xr.DataArray, time: pd.DatetimeIndex, timezone: str, dt: float) -> xr.DataArray:
    """Return 1 where a step belongs to the same window as the one before; as market blocks, 0 h is all the horizon."""
    later = 1 - first(time)
    return later * xr.where(hours > 0, same_block(hours, time, timezone, dt), True)


def closing(same: xr.DataArray) -> xr.DataArray:
    """Return True at the last step of each window, the end of the horizon included."""
    return same.shift(time=-1, fill_value=0.0) == 0


def hours_before(time: pd.Index, dt: float) -> xr.DataArray:
    """Hours from the start of the horizon to the start of each step."""
    return xr.DataArray(dt * np.arange(len(time)), coords={"time": time}, dims="time")


def switched(on: Any, start: Any, stop: Any, initial: Any, time: pd.Index) -> Any:
    """Row: on_t - on_{t-1} = start_t - stop_t,   on_{-1} = initial."""
    return on - previous(on) - start + stop == initial * first(time)


def at_least(state: Any, entered: Any, hours: xr.DataArray, still: xr.DataArray, dt: float) -> Any:
    """Row: a state lasts `hours` once entered, `still` is 1 in the steps in which it has to last from before the start.

    still_t + sum_{k = t - n + 1 .. t} entered_k <= state_t,   n = ceil(hours / dt), at least 1

    Rajan, Takriti (2005), IBM Research Report RC23628: for both states, and with `switched`, these rows are the convex
    hull of all sequences of one unit, so that start and stop need no binaries.
    """
    return entered.lagged(_recent(entered, hours, dt)) + still <= state


def time_left(entered: Any, hours: xr.DataArray, dt: float) -> Any:
    """Hours for which a state still has to last at the end of each step, once entered within the horizon."""
    recent = _recent(entered, hours, dt)
    return entered.lagged(larger(hours - (recent.lag + 1) * dt, 0.0) * recent)


def _recent(entered: Any, hours: xr.DataArray, dt: float) -> xr.DataArray:
    """Return 1 for each of the ceil(hours / dt) last steps, at least this one, at most those of the horizon."""
    steps = smaller(larger(np.ceil(hours / dt - 1e-9), 1.0), len(entered.indexes["time"]))
    lag = xr.DataArray(np.arange(int(steps.max())), dims="lag")
    return (lag < steps).astype(float)


def stress(depth: Any, factor: Any, exponent: Any) -> Any:
    """Phi(delta) = a delta^b, the share of a battery's life that a cycle of this depth takes."""
    return factor * depth**exponent


def segment_price(cost: Any, room: Any, depth: xr.DataArray, factor: Any, exponent: Any) -> xr.DataArray:
    """k_j = R (Phi(Delta_j) - Phi(Delta_{j-1})) / (delta_j E),   Delta_j = delta_1 + ... + delta_j   [EUR/kWh].

    `room` is delta_j E; a segment without room has no price (0). With b >= 1 the prices do not fall with j, so that
    a linear programme uses shallow segments first.
    """
    below = (depth.cumsum("segment") - depth).clip(min=0.0)
    taken = stress(below + depth, factor, exponent) - stress(below, factor, exponent)
    return (cost * taken / room.where(room > 0, 1.0)).where(room > 0, 0.0)


def shallow_first(energy: Any, room: xr.DataArray) -> xr.DataArray:
    """e_j = clip(e - Delta_{j-1} E, 0, delta_j E): energy in the shallowest segments that hold it (kWh)."""
    return smaller(larger(energy - (room.cumsum("segment") - room), 0.0), room)


def segment_rows(level: Any, before: Any, leaving: Any, energy: Any) -> tuple[Any, Any]:
    """Rows of a battery cut into segments, by what stands in each [kWh]; energy may enter any of them::

    sum_j e_j = e,   e_j - before_j + leaving_j >= 0   (what enters segment j)
    """
    return level.sum("segment") - energy == 0, level - before + leaving >= 0


def most_between(values: xr.DataArray, restarts: xr.DataArray) -> xr.DataArray:
    """Return at each step the largest value between the restart before it and the next one."""
    values, restarts = xr.broadcast(values, restarts)
    values = values.transpose(..., "time")
    cells = values.to_numpy()
    begin = restarts.transpose(*values.dims).to_numpy().copy()
    begin[..., :1] = True
    places = np.flatnonzero(begin)
    if not len(places):
        return values
    most = np.maximum.reduceat(cells.ravel(), places)
    lengths = np.diff(np.append(places, cells.size))
    return values.copy(data=np.repeat(most, lengths).reshape(cells.shape))


def local_period(time: pd.DatetimeIndex, timezone: str, kind: str) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Local `month` or `year` of each step: its number, its length (h), and how much of it is over at the step (h)."""
    wall = time.tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    period = wall.to_period({"month": "M", "year": "Y"}[kind])
    start, end = (instants(p.start_time, timezone) for p in (period, period + 1))
    hour = pd.Timedelta(hours=1)
    arrays = (
        np.asarray(period.asi8 if hasattr(period, "asi8") else period),
        (end - start) / hour,
        (time - start) / hour,
    )
    number, length, over = (xr.DataArray(np.asarray(a, float), coords={"time": time}, dims="time") for a in arrays)
    return number, length, over


def run_hours(holds: xr.DataArray, dt: float) -> xr.DataArray:
    """Length of the unbroken run of True that a step belongs to (h), 0 where it is False."""

    def length(true: np.ndarray) -> np.ndarray:
        steps = true.shape[-1]
        at = np.arange(steps)
        before = np.maximum.accumulate(np.where(true, -1, at), axis=-1)
        after = np.minimum.accumulate(np.where(true, steps, at)[..., ::-1], axis=-1)[..., ::-1]
        return np.where(true, after - before - 1, 0) * dt

    runs: xr.DataArray = xr.apply_ufunc(length, holds, input_core_dims=[["time"]], output_core_dims=[["time"]])
    return runs
