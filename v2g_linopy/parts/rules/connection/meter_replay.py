"""A meter read step by step from a written plan: the independent check of peaks and overruns
(docs/formulation.md §14).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ....model.view import View

STATES = ("hour_energy", "day_peak", "peak_to_date", "overrun_to_date")


@dataclass
class Meter:
    """What the meters of all pods show, one column each.

    `rank` 0 is the largest period of the month.
    """

    daily: np.ndarray
    count: np.ndarray
    energy: np.ndarray  # kWh in the hour so far
    day: np.ndarray  # kW, largest hour of the day so far
    top: np.ndarray  # kW on (rank, column), NaN where there are fewer periods
    overrun: np.ndarray  # kW, largest of the month so far

    def step(self, energy: np.ndarray, overrun: np.ndarray) -> None:
        """Count the weighted energy of a step, and its excess over the subscribed power."""
        self.energy = self.energy + energy
        self.overrun = np.fmax(self.overrun, overrun)

    def close(self, units: set[str]) -> tuple[np.ndarray, ...]:
        """End the hour, day and month that end with the step.

        Return what stood before the next ones began.
        """
        energy = self.energy
        if (
            "hour" in units
        ):  # its mean, which is its kWh, enters the day and, where periods are hours, the month
            self.day = np.fmax(self.day, energy)
            self._enter(np.where(self.daily, np.nan, energy))
            self.energy = np.zeros_like(energy)
        day = self.day
        if "day" in units:
            self._enter(np.where(self.daily, day, np.nan))
            self.day = np.zeros_like(day)
        top, overrun = self.top, self.overrun
        if "month" in units:
            self.top, self.overrun = np.full_like(top, np.nan), np.zeros_like(overrun)
        return energy, day, top, overrun

    def peak(self, hour: bool, day: bool) -> np.ndarray:
        """Return the mean of the K largest periods.

        One that is running (`hour`, `day`) counts as it stands.
        """
        running = np.fmax(self.day, self.energy) if hour else self.day
        period = np.where(self.daily, running if day else np.nan, self.energy if hour else np.nan)
        columns = []
        for values, most in zip(np.vstack([self.top, period]).T, self.count, strict=True):
            known = sorted(values[~np.isnan(values)], reverse=True)[: int(most)]
            columns.append(sum(known) / len(known) if known else 0.0)
        return np.array(columns)

    def _enter(self, period: np.ndarray) -> None:
        ranked = -np.sort(-np.vstack([self.top, period]), axis=0)[: len(self.top)]
        self.top = np.where(np.arange(len(ranked))[:, None] < self.count, ranked, np.nan)


def read_meters(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Run the meters over the written import of every pod and scenario.

    Returns
    -------
    dict
        `peak` and `overrun` (kW) by month, the `before` of each that the horizon found (kW, 0 but
        for the first month), and `hour_energy`, `day_peak`, `peak_to_date`, `overrun_to_date` at
        the end of each step.
    """
    columns = [x for x in ("scenario", "pod") if x in d.import_.dims]
    flat = xr.broadcast(d.import_, d.peak_weight, d.subscribed)
    imported, weight, subscribed = (_table(x, columns, "time") for x in flat)
    limit = np.nan_to_num(subscribed, nan=np.inf)
    meter = _start(v, d, columns, imported.shape[1])
    states: dict[str, list[np.ndarray]] = {name: [] for name in STATES}
    months: dict[str, dict[str, np.ndarray]] = {}
    last = len(imported) - 1
    for t, month, opens, closes in _clock(v):
        if month not in months:
            so_far = {"peak_before": meter.peak("hour" not in opens, "day" not in opens)}
            so_far |= {"overrun_before": meter.overrun}
            months[month] = {name: x * (t == 0) for name, x in so_far.items()}
        meter.step(v.dt * weight[t] * imported[t], np.maximum(imported[t] - limit[t], 0.0))
        if "month" in closes or t == last:
            months[month] |= {"peak": meter.peak(True, True), "overrun": meter.overrun}
        for name, value in zip(STATES, meter.close(closes), strict=True):
            states[name].append(value)
    axes = {x: d.import_.get_index(x) for x in columns}
    named: dict[str, pd.Index] = {"month": pd.Index(list(months))}
    found = {
        name: _array(np.array([m[name] for m in months.values()]), axes, named)
        for name in ("peak", "overrun", "peak_before", "overrun_before")
    }
    for name in STATES:
        named = {"time": v.calendar.time}
        if name == "peak_to_date":
            named["rank"] = pd.RangeIndex(1, len(meter.top) + 1)
        found[name] = _array(np.array(states[name]), axes, named)
    return found


def _clock(v: View) -> Iterator[tuple[int, str, set[str], set[str]]]:
    """Yield each step with its month, and which of hour, day and month open and close with it on
    the local clock.
    """
    time = v.calendar.time
    edges = [time[0] - pd.Timedelta(seconds=1), *time, time[-1] + pd.Timedelta(hours=v.dt)]
    local = pd.DatetimeIndex(edges).tz_localize("UTC").tz_convert(v.calendar.timezone)
    hours = list(zip(local.date, local.hour, [x.utcoffset() for x in local], strict=True))
    names = {"hour": hours, "day": list(local.date), "month": list(local.strftime("%Y-%m"))}
    for t in range(len(v.calendar.time)):
        opens = {unit for unit, x in names.items() if x[t] != x[t + 1]}
        closes = {unit for unit, x in names.items() if x[t + 1] != x[t + 2]}
        yield t, names["month"][t + 1], opens, closes


def _start(v: View, d: xr.Dataset, columns: list[str], size: int) -> Meter:
    """Meters as the horizon finds them: what is left of an hour, a day or a month that began
    before.
    """
    _, _, opens, _ = next(_clock(v))
    every = d.import_.isel(time=0, drop=True)

    def of(x: xr.DataArray) -> np.ndarray:
        return _table(x.broadcast_like(every).expand_dims("step"), columns, "step")[0]

    count = of(d.peak_count)
    top = np.full((int(count.max()), size), np.nan)
    if "peak_initial" in d and "month" not in opens:
        known = _table(d.peak_initial.broadcast_like(every), columns, "rank")
        top[: len(known)] = -np.sort(-known, axis=0)[: len(top)]
    return Meter(
        daily=of((d.peak_period == "day").astype(float)) > 0,
        count=count,
        energy=of(d.hour_initial) * ("hour" not in opens),
        day=of(d.day_initial) * ("day" not in opens),
        top=top,
        overrun=of(d.overrun_initial) * ("month" not in opens),
    )


def _table(x: xr.DataArray, columns: list[str], rows: str) -> np.ndarray:
    """Return an array as rows by columns, the columns being every pod of every scenario."""
    return x.transpose(rows, *columns).to_numpy().reshape(x.sizes[rows], -1)


def _array(
    values: np.ndarray, axes: dict[str, pd.Index], extra: dict[str, pd.Index]
) -> xr.DataArray:
    """Undo `_table`: time or month first, then ranks, then columns."""
    order = [x for x in ("month", "time", "rank") if x in extra]
    shape = [len(extra[x]) for x in order] + [len(i) for i in axes.values()]
    coords: dict[str, pd.Index] = {x: extra[x] for x in order} | axes
    return xr.DataArray(values.reshape(shape), coords=coords, dims=list(coords))
