"""Market blocks, windows and local periods of steps."""

from functools import lru_cache

import numpy as np
import pandas as pd
import xarray as xr

from ..case.calendar import instants
from .formulas import first


def same_block(
    hours: xr.DataArray, time: pd.DatetimeIndex, timezone: str, dt: float
) -> xr.DataArray:
    """Return True where a step belongs to the same market block as the one before.

    Blocks of `hours` start at local midnight and follow the local clock: on the day the clock goes
    back, the block in which it does so is an hour longer; a block of an hour or less is always that
    long."""
    if not bool((hours > dt).any()):
        return xr.DataArray(False)
    clock, hour, day = (
        xr.DataArray(x, coords={"time": time}, dims="time")
        for x in _local(time[0], time[-1], len(time), timezone)
    )

    def same(a: xr.DataArray) -> xr.DataArray:
        return a == a.shift(time=1)

    block = xr.DataArray(np.floor(clock / hours.where(hours > 0, 1.0) + 1e-9))
    return (hours > dt) & same(block) & xr.where(hours > 1, same(day), same(hour))


@lru_cache(maxsize=8)
def _local(
    first: pd.Timestamp, last: pd.Timestamp, steps: int, timezone: str
) -> tuple[np.ndarray, ...]:
    """Of equal steps the local time of day (h), and when their local hour and day began (ns
    UTC).
    """
    time = pd.date_range(first, last, periods=steps)
    local = time.tz_localize("UTC").tz_convert(timezone)
    wall = local.tz_localize(None)
    hour = wall.floor("h") - (wall - time)  # one that repeats is two
    day = local.normalize().tz_convert("UTC")
    return np.asarray(local.hour + local.minute / 60), np.asarray(hour.asi8), np.asarray(day.asi8)


def same_window(
    hours: xr.DataArray, time: pd.DatetimeIndex, timezone: str, dt: float
) -> xr.DataArray:
    """Return 1 where a step belongs to the same window as the one before.

    Windows are as market blocks, and 0 h is all the horizon.
    """
    later = 1 - first(time)
    return later * xr.where(hours > 0, same_block(hours, time, timezone, dt), True)


def closing(same: xr.DataArray) -> xr.DataArray:
    """Return True at the last step of each window, the end of the horizon included."""
    return same.shift(time=-1, fill_value=0.0) == 0


def window_ends(
    hours: xr.DataArray, time: pd.DatetimeIndex, timezone: str, dt: float
) -> xr.DataArray:
    """Return True at the last step of each window; one that the horizon cuts goes on after it."""
    longer = pd.date_range(time[0], periods=len(time) + 1, freq=pd.Timedelta(hours=dt))
    ends = closing(same_window(hours, longer, timezone, dt))
    return ends.isel(time=slice(None, -1)).assign_coords(time=time)


def first_of_block(same: xr.DataArray, time: pd.DatetimeIndex) -> xr.DataArray:
    """Return the number of the step at which the block of each step begins.

    `same` is True where a step belongs to the block of the one before.
    """
    every = xr.DataArray(np.zeros(len(time), bool), coords={"time": time}, dims="time")
    together = (same | every).transpose(..., "time")
    own = np.where(together, 0, np.arange(len(time)))
    return together.copy(data=np.maximum.accumulate(own, axis=-1))


def last_of_block(first_step: xr.DataArray) -> xr.DataArray:
    """Return True at the last step of each block, the end of the horizon included."""
    return first_step.shift(time=-1, fill_value=-1) != first_step


def block_so_far(first_step: xr.DataArray) -> xr.DataArray:
    """Return 1 on `lag` for each step back to the start of the block, 0 beyond it."""
    steps_in = np.arange(first_step.sizes["time"]) - first_step
    lag = xr.DataArray(np.arange(int(steps_in.max()) + 1), dims="lag")
    return (lag <= steps_in).astype(float)


def sum_so_far(x: xr.DataArray, first_step: xr.DataArray) -> xr.DataArray:
    """Return the sum of data over the steps of a block up to each step."""

    def since(x: np.ndarray, first_step: np.ndarray) -> np.ndarray:
        total = x.cumsum(axis=-1)
        return total - np.take_along_axis(total - x, first_step, axis=-1)

    dims = [["time"], ["time"]]
    found: xr.DataArray = xr.apply_ufunc(
        since, *xr.broadcast(x, first_step), input_core_dims=dims, output_core_dims=[["time"]]
    )
    return found


def hours_before(time: pd.Index, dt: float) -> xr.DataArray:
    """Hours from the start of the horizon to the start of each step."""
    return xr.DataArray(dt * np.arange(len(time)), coords={"time": time}, dims="time")


def local_period(
    time: pd.DatetimeIndex, timezone: str, kind: str
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return the local `month` or `year` of each step.

    It is its number, its length (h), and how much of it is over at the step (h).
    """
    wall = time.tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    period = wall.to_period({"month": "M", "year": "Y"}[kind])
    start, end = (instants(p.start_time, timezone) for p in (period, period + 1))
    hour = pd.Timedelta(hours=1)
    arrays = (
        np.asarray(period.asi8 if hasattr(period, "asi8") else period),
        (end - start) / hour,
        (time - start) / hour,
    )
    number, length, over = (
        xr.DataArray(np.asarray(a, float), coords={"time": time}, dims="time") for a in arrays
    )
    return number, length, over


def run_hours(holds: xr.DataArray, dt: float) -> xr.DataArray:
    """Length of the unbroken run of True that a step belongs to (h), 0 where it is False."""

    def length(true: np.ndarray) -> np.ndarray:
        steps = true.shape[-1]
        at = np.arange(steps)
        before = np.maximum.accumulate(np.where(true, -1, at), axis=-1)
        after = np.minimum.accumulate(np.where(true, steps, at)[..., ::-1], axis=-1)[..., ::-1]
        return np.where(true, after - before - 1, 0) * dt

    runs: xr.DataArray = xr.apply_ufunc(
        length, holds, input_core_dims=[["time"]], output_core_dims=[["time"]]
    )
    return runs
