"""Series that could have been: whole days of residuals, drawn again on a seasonal profile
(docs/formulation.md §8).
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.local_time import to_local

DayClass = tuple[
    str, Callable[[pd.DatetimeIndex], np.ndarray], bool
]  # name, number of each day, days of its month only

DAY_CLASSES: tuple[DayClass, ...] = (
    ("month and weekday", lambda days: np.asarray(days.month * 10 + days.day_of_week), True),
    ("month and weekend", lambda days: np.asarray(days.month * 10 + (days.day_of_week >= 5)), True),
    ("weekday", lambda days: np.asarray(days.day_of_week), False),
    ("weekend", lambda days: np.asarray(days.day_of_week >= 5), False),
    ("all days alike", lambda days: np.zeros(len(days)), False),
)
"""Classes of local days, the finest first."""
LEAST = 2
"""Days of every class that a profile is the mean of; of a single one nothing would be left to
draw.
"""


def bootstrap_series(
    past: Mapping[str, xr.DataArray], time: pd.DatetimeIndex, timezone: str, count: int, seed: int
) -> dict[str, xr.DataArray]:
    """Draw scenarios of several series at once.

    Each is the profile of the step plus the residuals of a day of the past.

    The profile is the mean by time of day and class of day (the finest of `DAY_CLASSES` of which
    the past has two days each, local time). Residuals are drawn by whole local days, of all series
    the same day, so that hours of a day and series keep what binds them (Efron, Tibshirani 1993,
    "An Introduction to the Bootstrap", chapter 8); where the class holds the month, days of that
    month only.

    Parameters
    ----------
    past
        Series on ``time`` and any other dimension, naive UTC, uniform, without gaps, all with the
        same time stamps.
    time
        Steps to draw for, as long as those of the past.
    timezone
        IANA zone of local days.
    count, seed
        How many scenarios; the same seed draws the same.

    Returns
    -------
    dict of str to xarray.DataArray
        Each with the dimension ``scenario`` (without labels) in front, on `time`.

    Raises
    ------
    SchemaError
        The past has fewer than two whole local days, or lacks an hour of the day.
    """
    stamps = next(iter(past.values())).indexes["time"]
    flat = {
        n: x.transpose("time", ...).to_numpy().reshape(len(stamps), -1) for n, x in past.items()
    }
    days, slot = _clock(stamps, timezone)
    target, target_slot = _clock(time, timezone)
    table = pd.DataFrame(np.hstack(list(flat.values())))
    whole = _whole_days(days, slot)
    kind, seasonal = _kind(whole, target)
    mean = table.groupby([kind(days), slot]).mean()
    plain = table.groupby(slot).mean()
    profile = _profile(mean, plain, kind(target), target_slot)
    residual = table.to_numpy() - _profile(mean, plain, kind(days), slot)
    drawn = _draws(whole, target, seasonal, count, seed)
    blocks = _by_day(residual, days, slot, whole, np.unique(np.concatenate([slot, target_slot])))
    at = np.searchsorted(np.unique(np.concatenate([slot, target_slot])), target_slot)
    position = np.searchsorted(target.unique(), target)
    values = profile + blocks[drawn[:, position], at]
    ends = np.cumsum([x.shape[1] for x in flat.values()])
    return {
        name: _like(past[name], part, time)
        for name, part in zip(flat, np.split(values, ends[:-1], axis=2), strict=True)
    }


def _clock(time: pd.DatetimeIndex, timezone: str) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Return the local day of each step, and its minute of the day; the two hours of a repeated
    hour are one.
    """
    wall = to_local(pd.DatetimeIndex(time), timezone).tz_localize(None)
    return wall.normalize(), np.asarray(wall.hour * 60 + wall.minute)


def _whole_days(days: pd.DatetimeIndex, slot: np.ndarray) -> pd.DatetimeIndex:
    """Return the days of which all is known, but for the hour that the clock may skip."""
    known = pd.Series(slot, index=days).groupby(level=0).nunique()
    skipped = len(np.unique(slot % 60))  # steps of an hour
    whole = pd.DatetimeIndex(known.index[known >= len(np.unique(slot)) - skipped])
    if len(whole) < LEAST:
        detail = f"{len(whole)} whole local day(s) in the past; give a history of at least {LEAST}"
        raise SchemaError([Problem("history", "time", detail)], "the scenarios")
    return whole


def _kind(
    whole: pd.DatetimeIndex, target: pd.DatetimeIndex
) -> tuple[Callable[[pd.DatetimeIndex], np.ndarray], bool]:
    """Return the finest class of days of which there are enough in the past, and whether it is one
    of the season.
    """
    for _, kind, seasonal in DAY_CLASSES:
        counts = pd.Series(kind(whole)).value_counts()
        wanted = counts.reindex(np.unique(kind(target)), fill_value=0)
        if min(counts.min(), wanted.min()) >= LEAST:
            return kind, seasonal
    return DAY_CLASSES[-1][1:]


def _profile(
    mean: pd.DataFrame, plain: pd.DataFrame, kind: np.ndarray, slot: np.ndarray
) -> np.ndarray:
    """Return the mean at each step, by its time of day alone where the class has none."""
    found = mean.reindex(pd.MultiIndex.from_arrays([kind, slot])).to_numpy()
    values = np.where(np.isnan(found), plain.reindex(slot).to_numpy(), found)
    if np.isnan(values).any():
        minute = int(slot[np.isnan(values).any(axis=1)][0])
        detail = f"has nothing at {minute // 60:02d}:{minute % 60:02d} local time"
        raise SchemaError([Problem("history", "time", detail)], "the scenarios")
    return values


def _draws(
    whole: pd.DatetimeIndex, target: pd.DatetimeIndex, seasonal: bool, count: int, seed: int
) -> np.ndarray:
    """Return the position of the day drawn for each scenario and day."""
    rng = np.random.default_rng(seed)
    days = target.unique()
    pools = [
        np.flatnonzero(whole.month == day.month) if seasonal else np.arange(len(whole))
        for day in days
    ]
    return np.stack([pool[rng.integers(0, len(pool), count)] for pool in pools], axis=1)


def _by_day(
    residual: np.ndarray,
    days: pd.DatetimeIndex,
    slot: np.ndarray,
    whole: pd.DatetimeIndex,
    slots: np.ndarray,
) -> np.ndarray:
    """Residuals on (day, time of day, series); what the clock skips is that of the time before."""
    width = residual.shape[1]
    table = pd.DataFrame(residual).groupby([days, slot]).mean()
    index = pd.MultiIndex.from_product([whole, slots])
    blocks = table.reindex(index).groupby(level=0).ffill().groupby(level=0).bfill()
    return blocks.to_numpy().reshape(len(whole), len(slots), width)


def _like(x: xr.DataArray, values: np.ndarray, time: pd.DatetimeIndex) -> xr.DataArray:
    """Give numbers on (scenario, time, everything else) the dimensions of a series."""
    first = x.transpose("time", ...)
    coords = {d: first.indexes[d] for d in map(str, first.dims[1:]) if d in first.indexes}
    values = values.reshape((len(values), len(time), *first.shape[1:]))
    made = xr.DataArray(
        values, coords | {"time": time}, ["scenario", *map(str, first.dims)], attrs=x.attrs
    )
    return made.transpose("scenario", *x.dims)
