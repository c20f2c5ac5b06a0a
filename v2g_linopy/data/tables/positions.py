"""Hours and quarter-hours of a day by their number: which instant the 9th of a local day is.

A day of the market has 23, 24 or 25 hours. Labels either count the hours gone by (`elapsed`: 1 to
23, 24 or 25), or they name the hour on the clock (`clock`: 1 to 24 on every day). The two agree on
all days but two of the year; on those, a file that does not fit the count it is read with is
refused.
"""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ...errors import Problem, Remedy, SchemaError
from .cells import as_text
from .local_time import HOUR, Ambiguous, Nonexistent, Utc, to_utc
from .wording import cells_in_rows, first_few

HourCount = Literal["elapsed", "clock", "shown"]
"""What labels of hours count; see `read_hours`."""
PARTS = (1, 2, 4, 12)
"""Steps of an hour that a day may be divided into: hours, halves, quarters, five minutes."""
MOST_HOURS = 25
CLOCK = Remedy("hours", ("clock",), advice="give {} where they are hours on the clock")
FIRST = Remedy(
    "hours",
    ("elapsed", "clock", "shown"),
    meanings=(" (from 1, counted)", " (from 1, on the clock)", " (from 0, as a clock shows it)"),
)
COUNTED = Remedy("hours", ("elapsed",), advice="give {} where they are counted")


class Labels(NamedTuple):
    """Numbers of steps in their day, the first being 1, and which of two hours a letter says."""

    number: np.ndarray
    letter: np.ndarray


class Days(NamedTuple):
    """The local day of each row: its first instant (UTC) and how many hours it has."""

    date: pd.DatetimeIndex
    start: pd.DatetimeIndex
    hours: np.ndarray


def time_of_day(cells: pd.Series, source: str) -> np.ndarray | None:
    """Return when steps begin on the clock, in minutes after midnight; None for numbers of hours.

    They are written as a time of day (`00:15`; where `24:00` occurs and `00:00` does not, it is the
    end of the step), or as a range (`00 - 01`, `00:00-00:15`).

    Raises
    ------
    SchemaError
        A range that is no step.
    """
    text = as_text(cells)
    hours = text.str.extract(r"^(?P<hour>[0-9]{1,2})\s*[-–]\s*(?P<to_hour>[0-9]{1,2})$")
    if hours["hour"].notna().all():
        found = hours.assign(minute="0", to_minute="0")
    else:
        found = text.str.extract(
            r"^(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})(?::00)?"
            r"(?:\s*[-–]\s*(?P<to_hour>[0-9]{1,2})[:.](?P<to_minute>[0-9]{2})(?::00)?)?$"
        )
        if found["hour"].isna().any():
            return None
    begin = 60 * found["hour"].astype(float) + found["minute"].astype(float)
    end = 60 * found["to_hour"].astype(float) + found["to_minute"].astype(float)
    begin_at, length = begin.to_numpy(), (end - begin).to_numpy() % (24 * 60)
    wrong = (begin_at > 24 * 60) | (length > 60) | (length == 0)
    if wrong.any():
        raise SchemaError([_no_label(text[wrong], "no step of a day")], source)
    is_end = bool(np.isnan(length).all()) and 24 * 60 in begin_at and 0 not in begin_at
    return begin_at - _step_of_ends(cells, begin_at, source) if is_end else begin_at


def _step_of_ends(cells: pd.Series, ends: np.ndarray, source: str) -> float:
    """Return the length of steps of which the end is written, in minutes; it must be one."""
    apart = np.diff(ends)
    steps = np.unique(apart[apart > 0])
    if len(steps) != 1 or steps[0] > 60:
        detail = "24:00 is the end of a step, and how long the steps are cannot be seen"
        other = "; give the begin of each step, or `from - to`"
        raise SchemaError([Problem(str(cells.name), "time", detail + other)], source)
    return float(steps[0])


def read_labels(cells: pd.Series, source: str) -> Labels:
    """Return the labels of a column of hours, as they are numbered.

    They are written as `1`, `H1` or `01`, or with a letter where the clock shows an hour twice
    (`3A`, `3B`).

    Raises
    ------
    SchemaError
        Cells that are none of these.
    """
    text = as_text(cells)
    found = text.str.extract(
        r"^(?:[Hh](?:our|ora)?\.?\s*)?(?P<number>[0-9]{1,3})(?:\.0+)?\s*(?P<letter>[AaBb])?$"
    )
    wrong = found["number"].isna()
    if wrong.any():
        raise SchemaError([_no_label(text[wrong], "not the number of an hour")], source)
    number = found["number"].astype(float).to_numpy()
    return Labels(number, found["letter"].fillna("").str.upper().to_numpy(str))


def from_one(labels: Labels, *, shown: bool) -> Labels:
    """Return labels of which the first is 1: they are from 0 where a 0 occurs, or with `shown`."""
    from_zero = shown or bool((labels.number == 0).any())
    return Labels(labels.number + 1, labels.letter) if from_zero else labels


def check_first(dates: pd.DatetimeIndex, labels: Labels, timezone: str, source: str) -> None:
    """Refuse labels of which nothing shows what they count.

    Whether the first is 0 or 1 is shown by a 0, by the last hour of a day, by numbers above 25 and
    by letters. A day of 23 hours that has the second and the fourth, not the third, lacks a row or
    is on the clock.

    Raises
    ------
    SchemaError
        Such labels, with what may be given.
    """
    days, number = _days(dates, timezone, source), labels.number
    shows = (number == 0) | (number >= np.minimum(24.0, days.hours)) | (labels.letter != "")
    if len(number) and not shows.any():
        detail = "no hour 0 and no hour 24: nothing shows whether the first hour of a day is 0 or 1"
        raise SchemaError([Problem("hour", "time", detail, (FIRST,))], source)
    short = pd.DataFrame({"date": days.date, "number": number})[days.hours < 24]
    there = short.groupby("date")["number"].agg(set)
    odd = [day for day, numbers in there.items() if {2, 4} <= numbers and 3 not in numbers]
    if odd and number.max() <= MOST_HOURS and 0 not in number:
        shown = first_few(pd.DatetimeIndex(odd).strftime("%Y-%m-%d"))
        detail = (
            f"{shown}: a day of 23 hours without a label 3: not there, or skipped by the clock?"
        )
        raise SchemaError([Problem("hour", "time", detail, (CLOCK, COUNTED))], source)


def _no_label(wrong: pd.Series, fault: str) -> Problem:
    return Problem(str(wrong.name), "type", f"{fault} at {cells_in_rows(wrong)}")


def starts_of(
    dates: pd.DatetimeIndex,
    labels: Labels,
    timezone: str,
    *,
    count: HourCount = "elapsed",
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    blank: np.ndarray | None = None,
    source: str = "the input",
) -> Utc:
    """Return when the labelled steps of local days begin.

    Parameters
    ----------
    dates
        The local day of each row.
    labels
        The number of the step in the day. Where none is above 25 they are hours; else every day
        must be whole, and is divided by how many steps it has (23, 24, 25 hours; 46, 48, 50 halves;
        92, 96, 100 quarters).
    timezone
        IANA name of the zone of the days.
    count
        What labels count: hours gone by, or hours on the clock.
    ambiguous, nonexistent
        Rules for hours on the clock; see `to_utc`.
    blank
        Rows without a number: they are left out where the day has no such step.

    Raises
    ------
    SchemaError
        Steps that a day does not have, days that are not whole, and days of which the labels do not
        fit the count.
    """
    days = _days(dates, timezone, source)
    parts = _parts(days, labels, count, source)
    rows = np.arange(len(dates))
    if blank is not None and blank.any():
        lacking = blank & _not_there(days, labels, parts, count)
        rows = rows[~lacking]
        days = Days(*(part[~lacking] for part in days))
        labels = Labels(*(part[~lacking] for part in labels))
        parts = parts[~lacking]
    if count == "elapsed" and not (labels.letter != "").any():
        _check_elapsed(days, labels, parts, source)
        return Utc(days.start + _since(labels, parts), rows, length=_lengths(parts))
    return _on_clock(days, labels, parts, timezone, ambiguous, nonexistent, rows, source)


def _days(dates: pd.DatetimeIndex, timezone: str, source: str) -> Days:
    start = to_utc(dates, timezone, nonexistent="shift", ambiguous="first", source=source).time
    after = dates + pd.Timedelta("1D")
    end = to_utc(after, timezone, nonexistent="shift", ambiguous="first", source=source).time
    return Days(dates, start, np.asarray((end - start) / HOUR))


def _parts(days: Days, labels: Labels, count: HourCount, source: str) -> np.ndarray:
    """Return into how many steps an hour of each row's day is divided."""
    number = labels.number
    if not len(number) or number.max() <= MOST_HOURS:
        return np.ones(len(number))
    shown = days.hours if count == "elapsed" else np.full(len(number), 24.0)
    table = pd.DataFrame({"date": days.date, "hours": shown, "real": days.hours, "number": number})
    by_day = table.groupby("date").agg(
        hours=("hours", "first"),
        real=("real", "first"),
        most=("number", "max"),
        count=("number", "nunique"),
    )
    parts = by_day["most"] / by_day["hours"]
    # of a day of 23 hours the clock may leave out the hour that it skips
    skips = by_day["count"] == by_day["real"] * parts
    whole = parts.isin(PARTS) & ((by_day["most"] == by_day["count"]) | skips)
    if not whole.all():
        raise SchemaError([_not_whole(by_day[~whole], count)], source)
    return parts.reindex(days.date).to_numpy(float)


def _not_whole(odd: pd.DataFrame, count: HourCount) -> Problem:
    shown = []
    for day, row in odd.iterrows():
        whole = " or ".join(f"{part * row['hours']:g}" for part in PARTS[:3])
        there = f"{row['count']:.0f} steps up to {row['most']:.0f}"
        shown.append(f"{day:%Y-%m-%d} has {there}, a whole day {whole}")
    on_clock = bool((odd["most"] / 24).isin(PARTS).all())
    remedies = (CLOCK,) if on_clock and count == "elapsed" else ()
    return Problem("hour", "range", first_few(shown, 3), remedies)


def _not_there(days: Days, labels: Labels, parts: np.ndarray, count: HourCount) -> np.ndarray:
    """Mark the steps that their day does not have."""
    if count == "elapsed":
        return np.asarray((labels.number > days.hours * parts) | (labels.letter == "B"))
    skipped = _skipped(days, labels, parts)
    return np.asarray((labels.number > 24 * parts) | (labels.letter == "B") | skipped)


def _skipped(days: Days, labels: Labels, parts: np.ndarray) -> np.ndarray:
    """Mark steps on the clock that a day of 23 hours does not have: from two to three o'clock in
    most of Europe and America.
    """
    hour = (labels.number - 1) // parts
    return (days.hours < 24) & (hour == 2)


def _check_elapsed(days: Days, labels: Labels, parts: np.ndarray, source: str) -> None:
    """Refuse steps that a day does not have, and days of 25 hours whose labels are hours on the
    clock: 24 of them, or one twice.
    """
    number = labels.number
    beyond = (number < 1) | (number > days.hours * parts) | (number != np.round(number))
    if beyond.any():
        shown = first_few(_named(days, labels, beyond))
        problem = Problem("hour", "range", f"{shown}: the day has no such hour", (CLOCK,))
        raise SchemaError([problem], source)
    table = pd.DataFrame({"date": days.date, "number": number, "end": 24 * parts})
    table = table[days.hours > 24]
    by_day = table.groupby("date").agg(
        most=("number", "max"), twice=("number", lambda x: x.duplicated().any()), end=("end", "max")
    )
    on_clock = by_day[(by_day["most"] == by_day["end"]) | by_day["twice"]]
    if len(on_clock):
        shown = first_few(pd.DatetimeIndex(on_clock.index).strftime("%Y-%m-%d"))
        detail = f"{shown}: a day of 25 hours with 24 labels, or one twice"
        raise SchemaError([Problem("hour", "time", detail, (CLOCK,))], source)


def _on_clock(
    days: Days,
    labels: Labels,
    parts: np.ndarray,
    timezone: str,
    ambiguous: Ambiguous,
    nonexistent: Nonexistent,
    rows: np.ndarray,
    source: str,
) -> Utc:
    """Return when steps begin that are named by the clock; letters say which of two hours."""
    number = labels.number
    wrong = (number < 1) | (number > 24 * parts) | (number != np.round(number))
    if wrong.any():
        shown = first_few(_named(days, labels, wrong))
        detail = f"{shown}: a clock shows hours 1 to 24"
        raise SchemaError([Problem("hour", "range", detail, (COUNTED,))], source)
    shown_time = days.date + _since(labels, parts)
    lettered = labels.letter != ""
    groups: list[tuple[np.ndarray, Ambiguous]] = [
        (np.flatnonzero(~lettered), ambiguous),
        (np.flatnonzero(labels.letter == "A"), "first"),
        (np.flatnonzero(labels.letter == "B"), "second"),
    ]
    found = [
        (group, to_utc(shown_time[group], timezone, ambiguous=rule, nonexistent=nonexistent,
                       where="hour", source=source))
        for group, rule in groups
        if len(group)
    ]  # fmt: skip
    own = np.concatenate([group[utc.row] for group, utc in found])
    time = pd.DatetimeIndex(np.concatenate([utc.time.to_numpy() for _, utc in found]))
    note = " ".join(utc.note for _, utc in found if utc.note)
    order = np.argsort(own, kind="stable")
    own = own[order]
    return Utc(time[order], rows[own], note, _lengths(parts[own]))


def _since(labels: Labels, parts: np.ndarray) -> pd.TimedeltaIndex:
    """Return how long after midnight steps begin; whole nanoseconds, also of five minutes."""
    before = (labels.number - 1).astype(np.int64) * _lengths(parts)
    return pd.TimedeltaIndex(before.astype("timedelta64[ns]"))


def _named(days: Days, labels: Labels, mask: np.ndarray) -> list[str]:
    pairs = zip(days.date[mask], labels.number[mask], strict=True)
    return [f"{day:%Y-%m-%d} hour {number:g}" for day, number in pairs]


def _lengths(parts: np.ndarray) -> np.ndarray:
    """Return how long steps are, in nanoseconds."""
    return (HOUR.value / parts).astype(np.int64)
