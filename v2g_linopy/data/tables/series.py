"""Rows of prices in UTC into one uniform series: duplicates, gaps and mixed steps found, never
papered over.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from .local_time import Utc, check_word, nanoseconds, step_of
from .wording import first_few, with_count

Missing = Literal["problem", "nan", "hold"]
SHORTEST_RUN = 4
"""Rows of one distance amid others that show a step of their own, not gaps."""
LONGEST = pd.Timedelta("1h").value
QUARTERS = tuple(pd.Timedelta(minutes=m).value for m in (5, 10, 15, 30, 60))


def uniform_series(
    utc: Utc,
    values: Mapping[str, np.ndarray],
    *,
    unit: str | Mapping[str, str] = "EUR/MWh",
    resample: str | None = None,
    missing: Missing = "problem",
    may_lack: Collection[str] = (),
    source: str = "the prices",
) -> xr.Dataset:
    """Return prices on one uniform step.

    Parameters
    ----------
    utc
        When each row begins, and which row of `values` it is; how long it holds, where that is
        known.
    values
        Columns of numbers.
    unit
        Unit of all columns, or of each.
    resample
        Step of the result where the rows are not all as long: a price holds until the next row, a
        longer step takes the mean of its parts.
    missing
        Steps without a row or without a number: a problem, NaN, or the price before (`hold`).
    may_lack
        Columns in which a cell without a number has a meaning of its own, such as nothing sold:
        NaN. `hold` fills it all the same.
    source
        The file, for the message.

    Raises
    ------
    SchemaError
        Times that occur twice, gaps, missing numbers, or steps of several lengths, with the first
        places named.
    """
    check_word("missing", missing, get_args(Missing), source)
    order = np.argsort(nanoseconds(utc.time), kind="stable")
    time, row = utc.time[order].rename("time"), utc.row[order]
    if time.has_duplicates:
        twice = first_few(time[time.duplicated()].unique())
        detail = f"{twice} UTC: given more than once; one row per step"
        raise SchemaError([Problem("time", "time", detail)], source)
    units = {name: unit if isinstance(unit, str) else unit[name] for name in values}
    prices = xr.Dataset(
        {
            name: xr.DataArray(
                column[row], coords={"time": time}, dims="time", attrs={"units": units[name]}
            )
            for name, column in values.items()
        }
    )
    length = _lengths(time) if utc.length is None else utc.length[order]
    mixed = len(set(length.tolist())) > 1
    if mixed and resample is None:
        raise SchemaError([_mixed(time, length)], source)
    if resample is not None:
        _check_step(resample, source)
        out = _resampled(prices, time, length, pd.Timedelta(resample), missing, source)
    else:
        out = _filled(prices, time, int(length[0]), missing, source)
    lacking = _without_numbers(prices, out, missing, may_lack, source)
    brought = f"Prices of several steps brought to {resample}." if mixed else ""
    return add_notes(out, utc.note, brought, *lacking)


def _check_step(resample: str, source: str) -> None:
    """Refuse what is no step of at least a second and at most a day."""
    try:
        step = pd.Timedelta(resample)
    except ValueError:
        step = pd.Timedelta(0)
    if not pd.Timedelta("1s") <= step <= pd.Timedelta("1D"):
        such = Remedy("resample", ("15min", "60min"), advice="such as {}")
        detail = f"{resample!r} is no step of a second to a day"
        raise SchemaError([Problem("resample", "choice", detail, (such,))], source)


def _without_numbers(
    prices: xr.Dataset, out: xr.Dataset, missing: Missing, may_lack: Collection[str], source: str
) -> list[str]:
    """Return what became of rows without a number; refuse them where no rule says that."""
    problems, notes = [], []
    for name in map(str, prices.data_vars):
        empty = prices[name].isnull().to_numpy()
        if not empty.any() or (name in may_lack and missing != "hold"):
            continue
        moments = f"{with_count(int(empty.sum()), 'row')} without a number: "
        moments += f"{first_few(prices.indexes['time'][empty])} UTC"
        if missing == "problem":
            rules = Remedy("missing", ("nan", "hold"))
            problems.append(Problem(name, "missing", moments, (rules,)))
        elif missing == "hold" and bool(out[name].isnull().any()):
            problems.append(Problem(name, "missing", f"{moments}; none before it can hold"))
        else:
            how = "the one before holds" if missing == "hold" else "left without"
            notes.append(f"{name}: {moments}: {how}.")
    if problems:
        raise SchemaError(problems, source)
    return notes


def starts_of_ends(utc: Utc) -> Utc:
    """Return when steps begin of which the end is written: each is as long as the time since the
    end before it, the first as long as the second.
    """
    order = np.argsort(-nanoseconds(utc.time), kind="stable")
    backwards = pd.DatetimeIndex((-nanoseconds(utc.time)[order]).astype("datetime64[ns]"))
    length = np.empty(len(order), np.int64)
    length[order] = _lengths(backwards)
    start = (nanoseconds(utc.time) - length).astype("datetime64[ns]")
    return replace(utc, time=pd.DatetimeIndex(start), length=length)


def lengths_of_ranges(begin: pd.DatetimeIndex, end: pd.DatetimeIndex, source: str) -> np.ndarray:
    """Return how long steps are that are written as `from - to` on one clock, in nanoseconds.

    Where the clock moves, a step looks an hour too long or too short: it is as long as the others.

    Raises
    ------
    SchemaError
        Steps that end before they begin, or are longer than an hour.
    """
    shown = nanoseconds(end) - nanoseconds(begin)
    lengths, count = np.unique(shown, return_counts=True)
    possible = (lengths > 0) & (lengths <= LONGEST)
    common = lengths[possible & (count > 1)]
    if not len(common):
        common = lengths[possible]
    shown = np.where(shown <= -12 * LONGEST, shown + 24 * LONGEST, shown)  # 23:00 - 00:00
    for moved in (LONGEST, -LONGEST, LONGEST // 2, -LONGEST // 2):
        across = ~np.isin(shown, common) & np.isin(shown + moved, common)
        shown = np.where(across, shown + moved, shown)
    wrong = (shown <= 0) | (shown > LONGEST)
    if wrong.any():
        places = [f"{a} - {b}" for a, b in zip(begin[wrong], end[wrong], strict=True)]
        detail = f"not a step of at most an hour: {first_few(places, 3)}"
        raise SchemaError([Problem("time", "time", detail)], source)
    return shown


def hours_of(utc: Utc) -> np.ndarray:
    """Return the length of each row in hours, in the order given.

    See `uniform_series` for rows that differ.
    """
    if utc.length is not None:
        return utc.length / 3.6e12
    order = np.argsort(nanoseconds(utc.time), kind="stable")
    hours = np.ones(len(utc.time))
    # two rows of one moment are refused later
    hours[order] = np.maximum(_lengths(utc.time[order]), 1) / 3.6e12
    return hours


def _lengths(time: pd.DatetimeIndex) -> np.ndarray:
    """Return how long each row holds: until the next, if that is a market step that the row before
    or after shares.

    A single odd distance is a gap, not a step of another length.
    """
    if len(time) < 2:
        return np.array([LONGEST])
    apart = np.diff(nanoseconds(time))
    apart = np.append(apart, apart[-1])
    common = int(np.bincount(np.searchsorted(np.unique(apart), apart)).argmax())
    usual = int(np.unique(apart)[common])
    # a step of another length lasts for a while; one odd distance, or a few, are gaps
    runs = np.cumsum(np.append(0, np.diff(apart) != 0))
    at_edge = (runs == 0) | (runs == runs[-1])
    lasts = np.bincount(runs)[runs] >= np.where(at_edge, 2, SHORTEST_RUN)
    step = lasts & np.isin(apart, QUARTERS)
    return np.where(step | (apart == usual), apart, usual)


def _mixed(time: pd.DatetimeIndex, length: np.ndarray) -> Problem:
    minutes = (length / 6e10).astype(int)
    change = np.flatnonzero(np.diff(minutes))
    runs = [f"{minutes[0]} min from {time[0]}"] + [
        f"{minutes[k + 1]} min from {time[k + 1]}" for k in change.tolist()
    ]
    detail = f"steps of several lengths: {first_few(runs, 4)} (UTC)"
    return Problem("time", "time", detail, (Remedy("resample", ("15min", "60min")),))


def _resampled(
    prices: xr.Dataset,
    time: pd.DatetimeIndex,
    length: np.ndarray,
    step: pd.Timedelta,
    missing: Missing,
    source: str,
) -> xr.Dataset:
    """Return prices on `step`: a row fills its length, longer steps take the mean."""
    fine = int(np.gcd.reduce(np.append(length, step.value)))
    count = length // fine
    at = np.repeat(np.arange(len(time)), count)
    shift = (np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)) * fine
    spread = prices.drop_vars("time").isel(time=at)
    spread = spread.assign_coords(
        time=pd.DatetimeIndex((nanoseconds(time)[at] + shift).astype("datetime64[ns]"))
    )
    if spread.indexes["time"].has_duplicates:
        problem = Problem("time", "time", "rows of different length overlap; one row per step")
        raise SchemaError([problem], source)
    full = _filled(spread, pd.DatetimeIndex(spread.indexes["time"]), fine, missing, source)
    parts = step.value // fine
    start = pd.DatetimeIndex(full.indexes["time"])
    if parts == 1:
        return full
    lead = int(-(nanoseconds(start)[0] // fine) % parts)
    whole = (len(start) - lead) // parts * parts
    if whole <= 0:
        detail = f"the rows from {start[0]} UTC fill no step of {step / pd.Timedelta('1min'):g} min"
        raise SchemaError([Problem("time", "time", detail)], source)
    blocks = full.isel(time=slice(lead, lead + whole)).drop_vars("time").coarsen(time=parts)
    means = blocks.construct(time=("time", "_part")).mean("_part", skipna=False, keep_attrs=True)
    return means.assign_coords(time=start[lead : lead + whole : parts])


def _filled(
    prices: xr.Dataset, time: pd.DatetimeIndex, step: int, missing: Missing, source: str
) -> xr.Dataset:
    """Return prices on every step from first to last."""
    full = pd.date_range(time[0], time[-1], freq=pd.Timedelta(step), name="time")
    gaps, stray = full.difference(time), time.difference(full)
    if len(stray):
        detail = f"{first_few(stray)} UTC: not on the grid of {pd.Timedelta(step)} from {time[0]}"
        raise SchemaError([Problem("time", "time", detail)], source)
    if len(gaps) and missing == "problem":
        detail = f"{with_count(len(gaps), 'step')} without a row: {first_few(gaps)} UTC"
        rules = Remedy("missing", ("nan", "hold"))
        raise SchemaError([Problem("time", "time", detail, (rules,))], source)
    out = prices.reindex(time=full)
    if missing == "hold":
        out = out.ffill("time")
    for name in out.data_vars:
        out[name].attrs = prices[name].attrs
    if len(gaps) == 0:
        return out
    how = "the price before holds" if missing == "hold" else "left without a price"
    return add_notes(
        out, f"{with_count(len(gaps), 'step')} without a row, {first_few(gaps)} UTC: {how}."
    )


def notes_of(dataset: xr.Dataset | None) -> list[str]:
    """Return what a dataset says was done to it when it was read."""
    return [] if dataset is None else str(dataset.attrs.get("notes", "")).splitlines()


def add_notes(dataset: xr.Dataset, *notes: str) -> xr.Dataset:
    """Add sentences to the attribute `notes`, in which a dataset carries what was done to it."""
    lines = [line for line in (*notes_of(dataset), *notes) if line]
    return dataset.assign_attrs(notes="\n".join(dict.fromkeys(lines))) if lines else dataset


def combine(*prices: xr.Dataset) -> xr.Dataset:
    """Put prices of several files side by side, on all hours that any of them holds.

    Parameters
    ----------
    *prices : xarray.Dataset
        On ``time`` (naive UTC, uniform), as `read_prices` returns them.

    Returns
    -------
    xarray.Dataset
        Every price on ``time``, in its unit; NaN where a file has none.

    Raises
    ------
    SchemaError
        A name given by two files, or files with different steps.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.data import combine
    >>> time = pd.date_range("2026-03-02", periods=3, freq="h", name="time")
    >>> early = xr.Dataset({"day_ahead": ("time", [50.0, 20.0])}, coords={"time": time[:2]})
    >>> late = xr.Dataset({"intraday": ("time", [25.0, 30.0])}, coords={"time": time[1:]})
    >>> combine(early, late).day_ahead.values.tolist()
    [50.0, 20.0, nan]
    """
    problems: list[Problem] = []
    seen: set[object] = set()
    steps = {step_of(pd.DatetimeIndex(p.indexes["time"])) for p in prices}
    for price in prices:
        if both := seen & set(price.data_vars):
            problems.append(
                Problem(
                    "prices", "labels", f"{first_few(sorted(map(str, both)))}: given by two files"
                )
            )
        seen |= set(price.data_vars)
    if len(steps) > 1:
        one = Remedy("resample", ("60min",), advice="read all with one step, such as {}")
        detail = f"steps of {first_few(sorted(steps))}"
        problems.append(Problem("prices", "time", detail, (one,)))
    if problems:
        raise SchemaError(problems, "the prices")
    merged = xr.merge(prices, join="outer", combine_attrs="drop_conflicts")
    merged.attrs.pop("notes", None)
    return add_notes(merged, *(line for p in prices for line in notes_of(p)))
