"""Clocks: local time to UTC by a named rule, uniform steps, and values moved from one step to
another.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from .wording import first_few


def to_local(time: pd.DatetimeIndex, timezone: str) -> pd.DatetimeIndex:
    """Return naive UTC stamps as local times with their zone."""
    return time.tz_localize("UTC").tz_convert(timezone)


Ambiguous = Literal["raise", "infer", "first", "second", "both"]
Nonexistent = Literal["raise", "drop", "shift"]
Words = Mapping[str, str]
AMBIGUOUS_RULES = {
    "infer": " (written twice, in order)",
    "first": "",
    "second": "",
    "both": " (one value for both hours)",
}
NONEXISTENT_RULES = {"drop": " (leave the row out)", "shift": " (one hour later)"}
ALL_RULES = (*AMBIGUOUS_RULES, *NONEXISTENT_RULES)
HOUR = pd.Timedelta("1h")
RULES = {
    "infer": "shown twice, taken in the order of the file",
    "first": "shown twice, taken as the first",
    "second": "shown twice, taken as the second",
    "both": "shown twice, one value taken for both hours",
    "drop": "does not exist, left out",
    "shift": "does not exist, moved one hour on",
}


@dataclass(frozen=True)
class Utc:
    """Instants in naive UTC.

    For each the number of the row it came from, and which rule was needed for which hours; where
    the file says it, how long the step is that begins (nanoseconds).
    """

    time: pd.DatetimeIndex
    row: np.ndarray
    note: str = ""
    length: np.ndarray | None = None


def nanoseconds(stamps: object) -> np.ndarray:
    """Return time stamps as whole nanoseconds since 1970, whatever resolution they carry."""
    return np.asarray(stamps, "datetime64[ns]").astype(np.int64)


def to_utc(
    stamps: pd.DatetimeIndex,
    timezone: str | None,
    *,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    rules: Collection[str] = ALL_RULES,
    where: str = "time",
    source: str = "the input",
) -> Utc:
    """Turn what a clock on the wall showed into UTC.

    Parameters
    ----------
    stamps : pandas.DatetimeIndex
        Time stamps in the order of the file. With an offset they need no rule and no zone.
    timezone : str or None
        IANA name of the zone of stamps without an offset.
    ambiguous : {"raise", "infer", "first", "second", "both"}, default "raise"
        What an hour means that the clock shows twice (October). `infer`: the file writes it twice,
        in order; the later in the file is the second, or the first where the file runs backwards.
        `first`, `second`: it means that one. `both`: one row stands for both hours.
    nonexistent : {"raise", "drop", "shift"}, default "raise"
        What an hour means that the clock skips (March). `drop`: the row is left out. `shift`: one
        hour later.
    rules : collection of str, default all
        Those that a message may offer.
    where : str, default "time"
        The column, for the message.
    source : str, default "the input"
        The file, for the message.

    Returns
    -------
    Utc
        The instants (naive UTC), for each the number of its row, and a note on the rules used.

    Raises
    ------
    SchemaError
        A local time without a zone, an unknown zone, or an hour that needs a rule and has none.

    Examples
    --------
    On the last Sunday of October the clock in Rome shows two o'clock twice:

    >>> import pandas as pd
    >>> from v2g_linopy.data import to_utc
    >>> shown = pd.DatetimeIndex(["2026-10-25 02:00", "2026-10-25 02:00"])
    >>> to_utc(shown, "Europe/Rome", ambiguous="infer").time.strftime("%H:%M").tolist()
    ['00:00', '01:00']
    """
    check_word("ambiguous", ambiguous, get_args(Ambiguous), source)
    check_word("nonexistent", nonexistent, get_args(Nonexistent), source)
    rows = np.arange(len(stamps))
    if stamps.tz is not None:
        return Utc(stamps.tz_convert("UTC").tz_localize(None), rows)
    summer, winter = _both_readings(stamps, timezone, where, source)
    skipped: np.ndarray = np.asarray(summer.isna()) & np.asarray(stamps.notna())
    twice: np.ndarray = np.asarray(summer != winter) & ~skipped
    problems = _need_a_rule(stamps, skipped, twice, ambiguous, nonexistent, rules, where)
    if problems:
        raise SchemaError(problems, source)

    note = _note(stamps, str(timezone), {ambiguous: twice, nonexistent: skipped})
    utc: pd.Index = summer.where(~_second(stamps, twice, ambiguous), winter)
    if nonexistent == "shift" and skipped.any():
        later = (stamps + HOUR).tz_localize(timezone, ambiguous="NaT", nonexistent="NaT")
        utc = utc.where(~skipped, naive_utc(later))
    elif nonexistent == "drop":
        utc, winter, twice, rows = utc[~skipped], winter[~skipped], twice[~skipped], rows[~skipped]
    if ambiguous == "both":  # one row stands for two instants
        utc = utc.append(winter[twice])
        rows = np.concatenate([rows, rows[twice]])
    return Utc(pd.DatetimeIndex(utc), rows, note)


def check_zone(timezone: str | None, source: str) -> None:
    """Raise `SchemaError` for a name that is no time zone."""
    if timezone is not None:
        to_utc(pd.DatetimeIndex(["2026-01-01"]), timezone, where="timezone", source=source)


def check_word(parameter: str, word: str, known: Sequence[str], source: str) -> None:
    """Refuse a word that a parameter cannot be."""
    if word not in known:
        remedy = Remedy(parameter, tuple(known))
        raise SchemaError([Problem(parameter, "choice", f"{word!r} is no rule", (remedy,))], source)


def _both_readings(
    stamps: pd.DatetimeIndex, timezone: str | None, where: str, source: str
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Return the instants that a clock means if an hour that it shows twice is the first, and if it
    is the second; NaT for an hour that it skips.
    """
    if timezone is None:
        zone = Remedy("timezone", advice="give {}, an IANA name such as 'Europe/Rome', or 'UTC'")
        detail = "local times without a zone"
        raise SchemaError([Problem(where, "time", detail, (zone,))], source)

    def instants(first: bool) -> pd.DatetimeIndex:
        is_first = np.full(len(stamps), first)
        return naive_utc(stamps.tz_localize(timezone, ambiguous=is_first, nonexistent="NaT"))

    try:
        return instants(True), instants(False)
    except (KeyError, ValueError, IndexError, OSError) as error:  # of zoneinfo, by kind of name
        detail = f"{timezone!r} is not a time zone; give an IANA name such as 'Europe/Rome'"
        raise SchemaError([Problem("timezone", "time", detail)], source) from error


def naive_utc(moments: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return instants without their zone, as UTC."""
    return pd.DatetimeIndex(moments).tz_convert("UTC").tz_localize(None)


def _note(stamps: pd.DatetimeIndex, timezone: str, used: Mapping[str, np.ndarray]) -> str:
    """Say which hours needed a rule."""
    sentences = [
        f"{first_few(stamps[mask].unique().strftime('%Y-%m-%d %H:%M'))}: {RULES[rule]}"
        for rule, mask in used.items()
        if mask.any()
    ]
    return f"Local clock of {timezone}: {'; '.join(sentences)}." if sentences else ""


def _need_a_rule(
    stamps: pd.DatetimeIndex,
    skipped: np.ndarray,
    twice: np.ndarray,
    ambiguous: Ambiguous,
    nonexistent: Nonexistent,
    rules: Collection[str],
    where: str,
) -> list[Problem]:
    problems = []

    def refuse(times: pd.DatetimeIndex, fault: str, option: str, meanings: Words) -> None:
        hours = first_few(times.strftime("%Y-%m-%d %H:%M"))
        problems.append(_without_a_rule(where, f"{hours}: {fault}", option, meanings, rules))

    if skipped.any() and nonexistent == "raise":
        fault = "the clock skips this hour"
        refuse(stamps[skipped].unique(), fault, "nonexistent", NONEXISTENT_RULES)
    if twice.any() and ambiguous == "raise":
        fault = "the clock shows this hour twice"
        refuse(stamps[twice].unique(), fault, "ambiguous", AMBIGUOUS_RULES)
    if twice.any() and ambiguous == "infer":
        odd = _not_in_order(stamps, twice)
        if len(odd):
            fault = "not written twice in order, so nothing can be inferred; write the offset, or"
            others = {rule: said for rule, said in AMBIGUOUS_RULES.items() if rule != "infer"}
            refuse(odd, fault, "ambiguous", others)
    return problems


def _without_a_rule(
    where: str, detail: str, option: str, meanings: Words, rules: Collection[str]
) -> Problem:
    """Return the problem of hours that need a rule, with the rules that can be given."""
    offered = {rule: meaning for rule, meaning in meanings.items() if rule in rules}
    if not offered:
        return Problem(where, "time", f"{detail}; write it in UTC or with its offset")
    remedy = Remedy(option, tuple(offered), meanings=tuple(offered.values()))
    return Problem(where, "time", detail, (remedy,))


def _second(stamps: pd.DatetimeIndex, twice: np.ndarray, ambiguous: Ambiguous) -> np.ndarray:
    """Mark the stamps that mean the second of two hours."""
    if ambiguous == "second":
        return twice
    second = np.zeros(len(stamps), bool)
    if ambiguous == "infer":
        for rows in _repeated_hours(stamps, twice):
            back = _set_back(stamps, rows)
            later = rows[back[0] :] if _ascends(stamps) else rows[: back[0]]
            second[later] = True
    return second


def _repeated_hours(stamps: pd.DatetimeIndex, twice: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each hour that the clock shows twice, in the order of the file."""
    rows = np.flatnonzero(twice)
    days = stamps[rows].normalize()
    return [rows[days == day] for day in days.unique()]


def _ascends(stamps: pd.DatetimeIndex) -> bool:
    """Return True for a file that runs forward in time."""
    return len(stamps) < 2 or bool(np.median(np.diff(nanoseconds(stamps))) >= 0)


def _set_back(stamps: pd.DatetimeIndex, rows: np.ndarray) -> np.ndarray:
    """Return at which of the rows of a repeated hour the clock has been set back."""
    apart = np.diff(nanoseconds(stamps)[rows])
    return np.flatnonzero(apart <= 0 if _ascends(stamps) else apart >= 0) + 1


def _not_in_order(stamps: pd.DatetimeIndex, twice: np.ndarray) -> pd.DatetimeIndex:
    """Return the times of repeated hours that a file does not run through twice, one after the
    other.
    """
    odd = [
        stamps[rows] for rows in _repeated_hours(stamps, twice) if len(_set_back(stamps, rows)) != 1
    ]
    return (
        pd.DatetimeIndex(np.concatenate([np.asarray(x) for x in odd])).unique()
        if odd
        else stamps[:0]
    )


def step_of(time: pd.DatetimeIndex, *, source: str = "the input") -> pd.Timedelta:
    """Return the uniform step of a time index.

    Parameters
    ----------
    time : pandas.DatetimeIndex
        Time stamps in ascending order.
    source : str, default "the input"
        What they are of, for the message.

    Returns
    -------
    pandas.Timedelta

    Raises
    ------
    SchemaError
        Fewer than two stamps, or a step that is not the same everywhere, with the first places
        named.

    Examples
    --------
    >>> import pandas as pd
    >>> from v2g_linopy.data import step_of
    >>> step_of(pd.date_range("2026-03-02", periods=4, freq="15min")).total_seconds()
    900.0
    """
    if len(time) < 2:
        detail = f"{len(time)} time stamp(s): at least two are needed to know the step"
        raise SchemaError([Problem("time", "time", detail)], source)
    steps = np.diff(nanoseconds(time))
    step = pd.Timedelta(int(np.median(steps)))
    odd = np.flatnonzero(steps != step.value)
    if len(odd) or step.value <= 0:
        places = first_few([f"{time[k]} -> {time[k + 1]}" for k in odd.tolist()], 3)
        detail = f"the step must be the same everywhere and positive; most are {step}, but {places}"
        raise SchemaError([Problem("time", "time", detail)], source)
    return step


def align(values: xr.Dataset, time: pd.DatetimeIndex, *, source: str = "the prices") -> xr.Dataset:
    """Move values on one uniform clock to the steps of a model.

    A model step inside a value's interval takes that value; a model step over several takes their
    mean.

    Parameters
    ----------
    values : xarray.Dataset
        On `time` (naive UTC, interval start, uniform), in any unit.
    time : pandas.DatetimeIndex
        Steps of the model, naive UTC.
    source : str, default "the prices"
        What the values are, for the message.

    Returns
    -------
    xarray.Dataset
        On the steps of the model, in the units of the values.

    Raises
    ------
    SchemaError
        Steps that do not nest, or model steps that the values do not cover.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.data import align
    >>> halves = pd.date_range("2026-03-02", periods=4, freq="30min", name="time")
    >>> prices = xr.Dataset({"price": ("time", [10.0, 20.0, 30.0, 50.0])}, coords={"time": halves})
    >>> align(prices, halves[::2]).price.values.tolist()
    [15.0, 40.0]
    """
    own = pd.DatetimeIndex(values.indexes["time"])
    if own.equals(time):
        return values
    step, width = step_of(time, source="the model"), step_of(own, source=source)
    origin, start = nanoseconds(own)[0], nanoseconds(time)
    long, short = max(width.value, step.value), min(width.value, step.value)
    if long % short or (start[0] - origin) % short:
        detail = f"steps of {width} from {own[0]} do not nest with steps of {step} from {time[0]}"
        raise SchemaError([Problem("time", "time", detail)], source)

    # which values lie in each model step: one, or all that the step spans
    parts = max(1, step.value // width.value)
    at = (start[:, None] + np.arange(parts) * width.value - origin) // width.value
    outside = ((at < 0) | (at >= len(own))).any(axis=1)
    if outside.any():
        missing = time[outside]
        gap = f"{len(missing)} of {len(time)} model steps, {missing[0]} to {missing[-1]}"
        detail = f"they cover {own[0]} to {own[-1] + width} UTC; missing for {gap}"
        raise SchemaError([Problem("time", "time", detail)], source)
    picked = values.drop_vars("time").isel(time=xr.DataArray(at, dims=("time", "_part")))
    means = picked.mean("_part", skipna=False, keep_attrs=True) if parts > 1 else None
    out = picked.isel(_part=0) if means is None else means
    return out.assign_coords(time=time).assign_attrs(values.attrs)
