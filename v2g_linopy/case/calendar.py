"""Clock hours, local days and months of the time steps: what a meter counts by. Labels hold across
clock changes.
"""

import numpy as np
import pandas as pd
import xarray as xr

HOUR = pd.Timedelta(hours=1)
YEAR = 8760.0  # hours of the year that yearly prices are for
UNITS = ("hour", "day", "month")


def localized(wall: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex:
    """Return moments of a local clock with offset.

    Of a repeated hour it is the first, of a skipped one the first moment after it.
    """
    return wall.tz_localize(
        timezone, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward"
    )


def instants(wall: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex:
    """Return the same in naive UTC."""
    return localized(wall, timezone).tz_convert("UTC").tz_localize(None)


def period_labels(unit: str, time: pd.DatetimeIndex, timezone: str) -> pd.Index:
    """Return the clock hour, local day or month of each moment.

    These are the start of the hour in UTC, the date of the day, and a month as "2026-03".

    An hour that the clock shows twice is two hours.
    """
    wall = time.tz_localize("UTC").tz_convert(timezone).tz_localize(None)
    if unit == "hour":
        return wall.floor("h") - (wall - time)
    if unit == "day":
        return wall.normalize()
    codes, months = pd.factorize(wall.to_period("M"))
    return pd.Index(np.array([str(m) for m in months], dtype=object)[codes])


def steps_by(unit: str, time: pd.DatetimeIndex, timezone: str) -> xr.DataArray:
    """Return the clock hour, local day or month in which each step begins, on `time`."""
    return _named(period_labels(unit, time, timezone), unit, time, "time")


def hours_by(unit: str, hours: pd.Index, timezone: str) -> xr.DataArray:
    """Return the local day or month of each clock hour, on `hour`."""
    return _named(period_labels(unit, pd.DatetimeIndex(hours), timezone), unit, hours, "hour")


def days_by_month(days: pd.Index) -> xr.DataArray:
    """Return the month of each local day, on `day`."""
    return _named(period_labels("month", pd.DatetimeIndex(days), "UTC"), "month", days, "day")


def axis(unit: str, time: pd.DatetimeIndex, timezone: str) -> pd.Index:
    """Return every hour, day or month in which a step begins."""
    return period_labels(unit, time, timezone).unique().rename(unit)


def hours_in(months: pd.Index, timezone: str) -> xr.DataArray:
    """Return the length of each whole month on the local clock (h).

    Where the clock changes it has 743 or 745.
    """
    first = pd.DatetimeIndex([f"{m}-01" for m in months])
    start, end = (_midnight(d, timezone) for d in (first, first + pd.offsets.MonthBegin(1)))
    return xr.DataArray((end - start) / HOUR, coords={"month": months}, dims="month")


def days_in(months: pd.Index) -> xr.DataArray:
    """Return the number of days of each whole month."""
    days = pd.PeriodIndex(months, freq="M").days_in_month
    return xr.DataArray(np.asarray(days, dtype=float), coords={"month": months}, dims="month")


def begins(unit: str, moment: pd.Timestamp, timezone: str) -> bool:
    """Return True where a clock hour, local day or month begins at the moment."""
    before = pd.DatetimeIndex([moment - pd.Timedelta(seconds=1), moment])
    earlier, now = period_labels(unit, before, timezone)
    return bool(earlier != now)


def crosses_hour(time: pd.DatetimeIndex, timezone: str, dt: float) -> np.ndarray:
    """Return True where a step does not end in the clock hour in which it begins."""
    ends = time + pd.Timedelta(hours=dt) - pd.Timedelta(seconds=1)
    return np.asarray(
        period_labels("hour", time, timezone) != period_labels("hour", ends, timezone)
    )


def sum_by(x: xr.DataArray, label: xr.DataArray) -> xr.DataArray:
    """Sum over the steps of each label (`label` is ordered): x on time becomes x on hours."""
    return _by(np.add, x, label)


def max_by(x: xr.DataArray, label: xr.DataArray) -> xr.DataArray:
    """Return the largest value of each label (`label` is ordered)."""
    return _by(np.maximum, x, label)


def _by(reduce: np.ufunc, x: xr.DataArray, label: xr.DataArray) -> xr.DataArray:
    (dim,) = map(str, label.dims)
    x = x.transpose(..., dim)
    named = label.to_numpy()
    first = np.flatnonzero(np.append(True, named[1:] != named[:-1]))
    index = pd.Index(named[first], name=label.name)
    kept = {d: x.get_index(d) for d in map(str, x.dims[:-1])}
    values = reduce.reduceat(x.to_numpy(), first, axis=-1)
    return xr.DataArray(
        values, coords={**kept, str(label.name): index}, dims=[*kept, str(label.name)]
    )


def _named(values: pd.Index, name: str, index: pd.Index, dim: str) -> xr.DataArray:
    return xr.DataArray(values.to_numpy(), coords={dim: index}, dims=dim, name=name)


def _midnight(days: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex:
    first = np.ones(len(days), bool)  # of a midnight that the clock shows twice
    return days.tz_localize(timezone, ambiguous=first, nonexistent="shift_forward").tz_convert(
        "UTC"
    )
