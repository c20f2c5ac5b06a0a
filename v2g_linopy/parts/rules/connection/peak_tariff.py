"""The charge on the mean of the K largest imports of each month: rows, and what its meter carries
(docs/formulation.md §5).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ....algebra.expression import Expression, Quantity
from ....case import calendar as periods
from ....case.schema import Calendar, worst_violation
from ....model.formulas import larger, smaller
from ....model.scope import Scope


@dataclass(frozen=True, eq=False)
class Peaks:
    """A peak tariff as data, all on pod.

    A period is a clock hour, or a local day of which the largest clock hour counts; an hour counts
    with the mean of `weight` times import. What was metered before the first step holds for the
    month, day and hour that it cuts."""

    price: xr.DataArray  # EUR/kW of a month
    count: xr.DataArray  # K
    daily: xr.DataArray  # True where a period is a local day
    weight: xr.DataArray  # on (pod, time)
    initial: (
        xr.DataArray | None
    )  # kW on (pod, rank): largest periods of the month so far; NaN where there were fewer
    hour_initial: xr.DataArray  # kWh, weighted, in the hour so far
    day_initial: xr.DataArray  # kW, the largest hour of the day so far
    pro_rata: xr.DataArray  # True where a month is paid for the part of it that the horizon covers
    calendar: Calendar
    dt: float

    # ---- what is data ----------------------------------------------------------------------------

    def steps_by(self, unit: str) -> xr.DataArray:
        """Return the hour, day or month of each step."""
        return periods.steps_by(unit, self.calendar.time, self.calendar.timezone)

    def axis(self, unit: str) -> pd.Index:
        """Return every hour, day or month of the steps."""
        return periods.axis(unit, self.calendar.time, self.calendar.timezone)

    def by(self, unit: str, period: str) -> xr.DataArray:
        """Return the day or month of each hour or day."""
        if period == "day":
            return periods.days_by_month(self.axis("day"))
        return periods.hours_by(unit, self.axis("hour"), self.calendar.timezone)

    def first(self, unit: str) -> xr.DataArray:
        """Return 1 for the first hour, day or month, if it began before the first step.

        0 elsewhere.
        """
        index = self.axis(unit)
        cut = not periods.begins(unit, self.calendar.time[0], self.calendar.timezone)
        return xr.DataArray(
            cut * (index == index[0]).astype(float), coords={unit: index}, dims=unit
        )

    @cached_property
    def carried(self) -> xr.DataArray | None:
        """The largest periods of a month that began before the first step, kW on (pod, rank).

        None without any.
        """
        if (
            self.initial is None
            or not bool(self.first("month").any())
            or not bool(self.initial.notnull().any())
        ):
            return None
        return self.initial

    @cached_property
    def places(self) -> xr.DataArray:
        """The number of periods whose mean is charged in each month: K, or as many as there are."""
        ones = {unit: xr.ones_like(self.by("month", unit), dtype=float) for unit in ("hour", "day")}
        there = {unit: periods.sum_by(x, self.by("month", unit)) for unit, x in ones.items()}
        known = xr.where(self.daily, there["day"], there["hour"])
        if self.carried is not None:
            known = known + self.carried.notnull().sum("rank") * self.first("month")
        return smaller(self.count, known)

    @cached_property
    def share(self) -> xr.DataArray:
        """Share of each month that is paid for."""
        month = self.steps_by("month")
        covered = self.dt * periods.sum_by(xr.ones_like(month, dtype=float), month)
        whole = periods.hours_in(self.axis("month"), self.calendar.timezone)
        return xr.where(self.pro_rata, covered / whole, 1.0)

    @cached_property
    def before(self) -> xr.DataArray:
        """The peak of the month so far, on (pod, month): it has been charged already."""
        hour, day = (float(self.first(unit).max()) for unit in ("hour", "day"))
        hourly = self.hour_initial.where(hour > 0)
        running = xr.where(
            self.daily, larger(self.day_initial, hourly.fillna(0.0)).where(day > 0), hourly
        )
        known = [
            running.expand_dims("rank"),
            *([] if self.carried is None else [self.carried.drop_vars("rank")]),
        ]
        largest = _descending(xr.concat(xr.broadcast(*known, exclude=["rank"]), "rank"), "rank")
        many = smaller(self.count, largest.notnull().sum("rank"))
        total = largest.where(largest["rank"] < many, 0.0).sum("rank")
        return total / larger(many, 1) * self.first("month")

    def charge(self, billed: Expression) -> Expression:
        """Return what is paid for a month beyond what has been charged, EUR on (pod, month)."""
        rate = self.price * self.share
        return rate * billed - rate * self.before

    # ---- rows ------------------------------------------------------------------------------------

    def billed(self, s: Scope, drawn: Expression) -> Expression:
        """Write the rows and return the mean of the K largest periods, kW on (pod, month).

        With P the weighted mean import of an hour, threshold eta >= 0 and excess z >= 0 of each
        period::

            billed = eta + sum z / K,   z >= P - eta     (of a day: for each of its hours)

        At the optimum eta is the K-th largest period, and the excess what the larger ones have
        above it."""
        priced = self.price > 0
        eta = s.var_where("peak_threshold", priced)
        metered = self.dt * self.weight * drawn
        power = metered.groupby_sum(self.steps_by("hour"), self.axis("hour"))
        power = power + self.hour_initial * self.first("hour")
        above: Quantity = 0.0
        for period, name in (("hour", "peak_excess"), ("day", "peak_excess_day")):
            counted = priced & (self.daily == (period == "day"))
            if not bool(counted.any()):
                continue
            z, month = s.var(name, mask=counted), self.by("month", period)
            seen = z if period == "hour" else z.sel(day=self.by("day", "hour"))
            threshold = eta.sel(month=self.by("month", "hour"))
            s.add(f"peak_{period}", seen + threshold - power >= 0, mask=counted)
            above = above + z.groupby_sum(month, self.axis("month"))
            known = self.first("day") * self.day_initial
            if period == "day" and bool((known > 0).any()):
                row = z + eta.sel(month=month) >= known
                s.add("peak_day_before", row, mask=counted & (known > 0))
        if self.carried is not None:
            there = priced & self.carried.notnull()
            y = s.var_where("peak_excess_before", there)
            row = y + eta.sel(month=self.axis("month")[0]) >= self.carried.fillna(0.0)
            s.add("peak_before", row, mask=there)
            above = above + y.sum("rank") * self.first("month")
        return eta + above / self.places

    # ---- the plan as a meter reads it ------------------------------------------------------------
    # for the outputs of the model (`postprocess`); the audit reads its own meters (meter_replay.py)

    def read(self, drawn: xr.DataArray) -> dict[str, xr.DataArray]:
        """Return threshold, excess and peak of a plan, and what its meter carries on.

        Threshold and excess are the least that pays for the peak.
        """
        hourly = periods.sum_by(self.dt * self.weight * drawn, self.steps_by("hour"))
        hourly = hourly + self.hour_initial * self.first("hour")
        daily = larger(
            periods.max_by(hourly, self.by("day", "hour")), self.first("day") * self.day_initial
        )
        eta = xr.concat(
            [self._threshold(m, hourly, daily) for m in self.axis("month")], self.axis("month")
        )
        found = {
            "peak_threshold": eta,
            "peak_excess": _above(hourly, eta, self.by("month", "hour")).where(~self.daily),
            "peak_excess_day": _above(daily, eta, self.by("month", "day")).where(self.daily),
        }
        totals = [
            periods.sum_by(found[name].fillna(0.0), self.by("month", period))
            for name, period in (("peak_excess", "hour"), ("peak_excess_day", "day"))
        ]
        above: Any = sum(totals)
        if self.carried is not None:
            y = (self.carried - eta.isel(month=0, drop=True)).clip(min=0)
            found["peak_excess_before"] = y
            above = above + y.sum("rank") * self.first("month")
        peak = (eta + above / self.places).where(self.price > 0, 0.0)
        return found | {"peak": peak} | self._states(drawn)

    def _threshold(self, month: str, hourly: xr.DataArray, daily: xr.DataArray) -> xr.DataArray:
        """Return the K-th largest period of a month."""
        known = []
        for x, period, mine in ((hourly, "hour", ~self.daily), (daily, "day", self.daily)):
            inside = self.by("month", period).to_numpy() == month
            known.append(
                x.isel({period: inside}).where(mine).rename({period: "rank"}).drop_vars("rank")
            )
        if self.carried is not None and month == self.axis("month")[0]:
            known.append(self.carried.drop_vars("rank"))
        largest = _descending(xr.concat(xr.broadcast(*known, exclude=["rank"]), "rank"), "rank")
        last = (self.places.sel(month=month, drop=True) - 1).astype(int)
        return largest.isel(rank=last).drop_vars("rank").clip(min=0)

    def _states(self, drawn: xr.DataArray) -> dict[str, xr.DataArray]:
        """Return what the next window has to know at the end of each step."""
        time, zone = self.calendar.time, self.calendar.timezone
        later = time + pd.Timedelta(hours=self.dt)
        labels = periods.period_labels
        ends = {
            unit: self._on(labels(unit, time, zone) != labels(unit, later, zone))
            for unit in ("hour", "day")
        }
        total = (self.dt * self.weight * drawn).transpose(..., "time").cumsum("time")
        starts = self._on(~pd.Index(self.steps_by("hour").to_numpy()).duplicated())
        energy = total - total.shift(time=1, fill_value=0.0).where(starts).ffill("time")
        energy = energy + self.hour_initial * self.first("hour").sel(
            hour=self.steps_by("hour")
        ).drop_vars("hour")
        known = self.day_initial * self.first("day").sel(day=self.steps_by("day")).drop_vars("day")
        day_peak = _largest_so_far(
            larger(energy.where(ends["hour"], 0.0), known), self.steps_by("day")
        )
        closed = xr.where(self.daily, day_peak.where(ends["day"]), energy.where(ends["hour"]))
        return {"hour_energy": energy, "day_peak": day_peak, "peak_to_date": self._to_date(closed)}

    def _to_date(self, closed: xr.DataArray) -> xr.DataArray:
        """Return the K largest closed periods of the month so far, on (pod, rank, time): what one
        rank loses the next one gains."""
        ranks = pd.RangeIndex(1, int(self.count.max()) + 1, name="rank")
        month, level = self.steps_by("month"), closed
        if self.carried is not None:
            stamps = pd.date_range(
                end=month.get_index("time")[0], periods=self.carried.sizes["rank"] + 1, freq="s"
            )
            earlier = self.carried.rename(rank="time").assign_coords(time=stamps[:-1])
            level = xr.concat(xr.broadcast(earlier, closed, exclude=["time"]), "time")
            month = xr.concat(
                [xr.full_like(earlier.time, month.to_numpy()[0], dtype=object), month], "time"
            )
        level, found = level.fillna(-np.inf), []
        before = xr.DataArray(month == month.shift(time=1))
        for rank in ranks:
            best = _largest_so_far(level, month)
            found.append(
                best.isel(time=slice(-len(self.calendar.time), None)).where(rank <= self.count)
            )
            level = smaller(level, best.shift(time=1, fill_value=-np.inf).where(before, -np.inf))
        out = xr.concat(found, ranks).transpose(..., "rank", "time")
        return out.where(np.isfinite(out))

    def _on(self, flags: Any) -> xr.DataArray:
        time = self.calendar.time
        return xr.DataArray(np.asarray(flags), coords={"time": time}, dims="time")


def peaks_of(d: xr.Dataset, calendar: Calendar, dt: float) -> Peaks:
    """Return the peak tariff of every pod over the steps of a calendar."""
    return Peaks(
        price=d.peak_price,
        count=d.peak_count,
        daily=d.peak_period == "day",
        weight=d.peak_weight,
        initial=d.get("peak_initial"),
        hour_initial=d.hour_initial,
        day_initial=d.day_initial,
        pro_rata=d.partial == "pro_rata",
        calendar=calendar,
        dt=dt,
    )


def years_of(tariff: Peaks) -> xr.DataArray:
    """Length of the part of each month that the horizon covers, in years of 8760 hours."""
    month = tariff.steps_by("month")
    return tariff.dt * periods.sum_by(xr.ones_like(month, dtype=float), month) / periods.YEAR


def unmetered(d: xr.Dataset, calendar: Calendar) -> Iterator[tuple[str, str]]:
    """Yield the field and the fault of what no meter can count.

    These are more periods than a month has, and ranks without order.
    """
    months, countless = periods.axis("month", calendar.time, calendar.timezone), False
    for unit, there in (
        ("hour", periods.hours_in(months, calendar.timezone)),
        ("day", periods.days_in(months)),
    ):
        over = (d.peak_count > there) & (d.peak_period == unit)
        if bool(over.any()):
            place, value = worst_violation(d.peak_count.broadcast_like(over), over, calendar)
            at = place.partition(" month ")[2].rstrip(": ") or months[0]
            most = f"at most the {float(there.sel(month=at)):g} {unit}s of that month"
            yield "peak_count", f"{place}{value:g}, {most}"
            countless = True
    if "peak_initial" in d and not countless:
        ranks = [*range(1, int(d.peak_count.max()) + 1)]
        if list(d.indexes["rank"]) != ranks:
            yield (
                "peak_initial",
                f"has the ranks {list(d.indexes['rank'])}; give {ranks} (NaN: no such period yet)",
            )


def largest_overrun(
    excess: xr.DataArray, peaks: Peaks, initial: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Return the largest excess of each month, and of the month so far at each step (kW)."""
    month = peaks.steps_by("month")
    known = (initial * peaks.first("month")).sel(month=month).drop_vars("month")
    excess = larger(excess.clip(min=0), known)
    return {
        "overrun": periods.max_by(excess, month),
        "overrun_to_date": _largest_so_far(excess, month),
    }


def _above(x: xr.DataArray, eta: xr.DataArray, month: xr.DataArray) -> xr.DataArray:
    return (x - eta.sel(month=month).drop_vars("month")).clip(min=0)


def _descending(x: xr.DataArray, dim: str) -> xr.DataArray:
    """Sort along a dimension, the largest first and NaN last; its labels become 0, 1, ..."""
    x = x.transpose(..., dim).drop_vars(dim, errors="ignore")
    sorted_ = x.copy(data=-np.sort(-x.to_numpy(), axis=-1))
    return sorted_.assign_coords({dim: np.arange(x.sizes[dim])})


def _largest_so_far(x: xr.DataArray, label: xr.DataArray) -> xr.DataArray:
    """Return the running maximum within each label."""
    x = x.transpose("time", ...)
    table = pd.DataFrame(x.to_numpy().reshape(x.sizes["time"], -1))
    best = table.groupby(label.to_numpy(), sort=False).cummax()
    return x.copy(data=best.to_numpy().reshape(x.shape)).transpose(..., "time")
