"""Written times: what the clock showed, and the offset to UTC where one is written beside it.

Whether a time has an offset is told by its format (`%z`, `%Z`), or by an offset, `Z` or the name of
a zone after a time of day. The end of a text is never taken for one: `02-07-2026` is a date.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from ...errors import Problem, Remedy, SchemaError
from .cells import as_text
from .wording import cells_in_rows, first_few

MANY = 1000
"""Cells that show how a column is written."""
YEARS = (1970, 2199)
"""Years that a file of this package may speak of; 1600 and 9999 are words for 'unknown'."""
FARTHEST = 14 * 60
"""Minutes that a clock is ahead of UTC or behind it at most."""
ZONE_WORDS = {
    **{"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "MEZ": 60},
    **{"MESZ": 120, "EET": 120, "EEST": 180, "EST": -300, "EDT": -240, "CDT": -300, "MDT": -360},
    **{"MST": -420, "PST": -480, "PDT": -420},
}
"""Names of zones that mean one offset, in minutes; others (CST, IST) mean several."""
FIXED = ("Z", "UTC", "GMT")
"""Words that say an offset, not which of the two hours of a local clock is meant."""

OFFSET = r"(?:UTC|GMT)?[+\-\u2212][0-9]{1,2}(?::?[0-9]{2})?"
ZONE = rf"\s*\(?(?P<zone>[Zz]|{OFFSET}|[A-Za-z]{{3,5}})?\)?"
CLOCK = (
    r"(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
)
YEAR_FIRST = r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})"
YEAR_LAST = r"(?P<first>[0-9]{1,2})(?P<mark>[-/.])(?P<other>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})"
COMPACT = (
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?:[T ]?(?P<hour>[0-9]{2}):?(?P<minute>[0-9]{2})(?::?(?P<second>[0-9]{2}))?)?"
)
LAYOUTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{YEAR_FIRST}(?:(?:T|,?\s+){CLOCK})?{ZONE}",
        rf"{COMPACT}{ZONE}",
        rf"{YEAR_LAST}(?:(?:T|,?\s+){CLOCK})?{ZONE}",
        rf"{CLOCK},?\s+{YEAR_FIRST}",
        rf"{CLOCK},?\s+{YEAR_LAST}",
    )
)
"""How a time may be written without a format: the order of day, month and year is then written,
or proven by a day above 12.
"""
RANGE = r"\s+(?:-|–|—|to|bis)\s+|\s*–\s*|(?<=[0-9Z])\s*/\s*(?=[0-9]{4}-)"
TIGHT_RANGE = (
    r"^(?P<date>.*[0-9][T\s]+)(?P<from>[0-9]{1,2}(?::?[0-9]{2})?)"
    r"-(?P<to>[0-9]{1,2}(?::?[0-9]{2})?)$"
)
"""A range without spaces, `2026-03-02 00:00-01:00`, which looks like an offset of one hour."""
LATEST_SECONDS = 1_990_000_000
"""The year 2033: digits beyond are `YYYYMMDDHH`, not seconds since 1970."""
SECONDS, MILLISECONDS = r"[0-9]{10}", r"[0-9]{13}"
DIRECTIVES = frozenset("aAbBdfHIjmMpSyYzZ%")
USUAL_FORMATS = (
    *("%d-%b-%Y %H:%M", "%d %b %Y %H:%M", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y %H:%M", "%b %d, %Y"),
    *("%d.%m.%y %H:%M", "%d/%m/%y %H:%M", "%m/%d/%y %H:%M", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y"),
    *("%Y%m%d:%H%M", "%a, %d %b %Y %H:%M:%S %Z", "%d%b%Y:%H:%M:%S", "%Y-%m-%d-%H-%M"),
)
"""Formats that a message offers where they fit every cell."""


class Written(NamedTuple):
    """What the clock showed (naive), and how far it was ahead of UTC: NaT where that is not
    written.
    """

    local: pd.DatetimeIndex
    ahead: np.ndarray

    @property
    def has_offset(self) -> np.ndarray:
        """Mark the times with an offset."""
        return ~np.isnat(self.ahead)

    @property
    def utc(self) -> pd.DatetimeIndex:
        """The instants; NaT without an offset."""
        return pd.DatetimeIndex(self.local.to_numpy("datetime64[ns]") - self.ahead)


def read_written(
    cells: pd.Series, time_format: str | None, source: str, timezone: str | None = None
) -> Written:
    """Return written times.

    Parameters
    ----------
    cells
        One time each. Without a format: a date, or a date and a time of day, or seconds or
        milliseconds since 1970 (UTC). A date alone is its midnight; 24:00 is that of the next day.
    time_format
        As in `strptime`.
    source
        The file, for the message.
    timezone
        IANA name of the zone of the file, for names of zones that mean several offsets (`CST`).

    Raises
    ------
    SchemaError
        Cells that are no time or of which it is not known which day they mean, years before 1970 or
        after 2199, a format that cannot be read, or offsets that cannot be.
    """
    text = as_text(cells)
    empty = text == ""
    if empty.any():
        detail = f"no time in {cells_in_rows(text[empty])}"
        raise SchemaError([Problem(str(cells.name), "missing", detail)], source)
    try:
        if time_format not in (None, "ISO8601"):
            return _by_format(text, str(time_format), timezone)
        return _since_1970(text) or _by_layout(text, timezone)
    except SchemaError as error:
        raise SchemaError(error.problems, source) from error


def split_ranges(cells: pd.Series) -> tuple[pd.Series, pd.Series | None]:
    """Return the begin and the end of steps written as `from - to`; no end where a cell is one
    time.
    """
    text = as_text(cells)
    if _tight_ranges(text, several=True):
        found = text.str.extract(TIGHT_RANGE)
        begins, ends = (found["date"] + found[name] for name in ("from", "to"))
        name = str(cells.name)
        return _full_clock(begins).rename(name), _full_clock(ends).rename(name)
    if not text[:MANY].str.contains(RANGE, regex=True).all():
        return text, None
    parts = text.str.split(RANGE, regex=True, expand=True)
    if parts.shape[1] != 2 or bool(parts.isna().any(axis=None)):
        return text, None
    begin, end = (parts[k].str.strip().rename(str(cells.name)) for k in (0, 1))
    only_clock = end.str.fullmatch(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?").to_numpy(bool)
    date = begin.str.extract(r"^(.*?)[T\s]+[0-9]{1,2}:[0-9]{2}", expand=False).fillna("")
    return begin, end.where(~only_clock, date + " " + end)


def _full_clock(text: pd.Series) -> pd.Series:
    """Return times of day of whole hours with their minutes: `00` is `00:00`."""
    return text.str.replace(r"([T\s])([0-9]{1,2})$", r"\1\2:00", regex=True)


def _tight_ranges(text: pd.Series, *, several: bool) -> bool:
    """Return True where every cell can be a step of at most an hour, written `from-to` without
    spaces; with `several`, where it can be nothing else: an offset does not change with the hour.
    """
    if not text[:MANY].str.fullmatch(TIGHT_RANGE).all():
        return False
    found = text.str.extract(TIGHT_RANGE)
    if found["to"].isna().any():
        return False
    begin, end = (_minutes(found[name]) for name in ("from", "to"))
    length = (end - begin) % (24 * 60)
    steps = bool(((length > 0) & (length <= 60)).all())
    return steps and (not several or found["to"].nunique() > 1)


def _minutes(clock: pd.Series) -> np.ndarray:
    """Return minutes after midnight of `7`, `07:15` or `0715`."""
    parts = clock.str.extract(r"^([0-9]{1,2}?):?([0-9]{2})?$")
    return np.asarray(60 * parts[0].astype(float) + parts[1].fillna("0").astype(float))


def clock_times(cells: pd.Series) -> pd.TimedeltaIndex | None:
    """Return times of day since midnight, None where a cell is no time of day: `06:33`, `6.33`,
    `6:33 PM`; 24:00 is the end of the day.
    """
    if len(not_on_clock(cells)):
        return None
    return _time_of_day(_clock_parts(as_text(cells)))


def not_on_clock(cells: pd.Series) -> pd.Series:
    """Return the cells that are no time of day."""
    text = as_text(cells)
    found = _clock_parts(text)
    return text[np.asarray(found["minute"].isna()) | np.asarray(_time_of_day(found).isna())]


def _clock_parts(text: pd.Series) -> pd.DataFrame:
    with_colons = text.str.replace(r"(?<=[0-9])\.(?=[0-9]{2}(?:[.:]|\s|$))", ":", regex=True)
    return with_colons.str.extract(rf"^{CLOCK}$")


def zone_offset(word: str, timezone: str | None = None) -> int | None:
    """Return how many minutes a zone is ahead of UTC; None where its word does not tell.

    >>> zone_offset("CEST"), zone_offset("+01"), zone_offset("UTC-3:30"), zone_offset("-1400")
    (120, 60, -210, -840)
    >>> zone_offset("CST"), zone_offset("CST", "America/Chicago"), zone_offset("-2026")
    (None, -360, None)
    """
    word = word.strip().strip("()")
    if word.upper() in ZONE_WORDS:
        return ZONE_WORDS[word.upper()]
    if re.fullmatch(OFFSET, word):
        sign = 1 if "+" in word else -1
        hours, minutes = re.findall(r"([0-9]{1,2}):?([0-9]{2})?$", word)[0]
        total = 60 * int(hours) + int(minutes or 0)
        return sign * total if total <= FARTHEST and int(minutes or 0) < 60 else None
    return _named_in(timezone).get(word.upper())


def _named_in(timezone: str | None) -> dict[str, int]:
    """Return what a zone calls its offsets in winter and in summer."""
    if timezone is None:
        return {}
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return {}
    found = {}
    for moment in (pd.Timestamp("2026-01-15", tz=zone), pd.Timestamp("2026-07-15", tz=zone)):
        ahead = moment.utcoffset()
        if ahead is not None:
            found[str(moment.tzname()).upper()] = int(ahead.total_seconds() // 60)
    return found


# --- numbers since 1970 -----------------------------------------------------------------------


def _since_1970(text: pd.Series) -> Written | None:
    """Return seconds or milliseconds since 1970; None where the cells are something else."""
    if not text[:MANY].str.fullmatch(rf"(?:{SECONDS}|{MILLISECONDS})(?:\.0+)?").all():
        return None
    bare = text.str.replace(r"\.0+$", "", regex=True)
    for pattern, unit in ((SECONDS, "s"), (MILLISECONDS, "ms")):
        if bare.str.fullmatch(pattern).all():
            count = bare.astype("int64").to_numpy()
            late = count // (1 if unit == "s" else 1000) > LATEST_SECONDS
            if late.any():
                raise SchemaError([_too_late(text, late)])
            instants = count.astype(f"datetime64[{unit}]")
            local = pd.DatetimeIndex(instants.astype("datetime64[ns]"))
            _check_years(text, np.asarray(local.year))
            return Written(local, np.zeros(len(text), "timedelta64[ns]"))
    return None


def _too_late(text: pd.Series, late: np.ndarray) -> Problem:
    fault = "digits that are no seconds since 1970 of the years before 2033"
    detail = f"{fault}: {cells_in_rows(text[late])}"
    forms = ("%Y%m%d%H", "%y%m%d%H%M", "%d%m%Y%H")
    fits = tuple(form for form in forms if _fits_format(text, form))
    return Problem(str(text.name), "time", detail, (Remedy("time_format", fits),) if fits else ())


# --- without a format -------------------------------------------------------------------------


def _by_layout(text: pd.Series, timezone: str | None) -> Written:
    """Return times that are written in one of the layouts."""
    if len(text) > MANY and (alike := _alike(text)) is not None:
        return alike
    layout = max(LAYOUTS, key=lambda layout: int(text[:MANY].str.fullmatch(layout).sum()))
    fitting = text.str.fullmatch(layout).to_numpy(bool)
    if not fitting.all():
        raise SchemaError([_no_layout(text, fitting)])
    found = text.str.extract(layout)
    if "first" in found:
        found = _with_month(text, found)
    _check_years(text, found["year"].astype(int).to_numpy())
    if "half" in found:
        _check_halves(text, found)
    local = _date(found) + _time_of_day(found)
    wrong = np.asarray(local.isna())
    if wrong.any():
        detail = f"no such day or time of day: {cells_in_rows(text[wrong])}"
        raise SchemaError([Problem(str(text.name), "time", detail)])
    return Written(local, _offsets(text, found, timezone))


def _alike(text: pd.Series) -> Written | None:
    """Return the times of a long column without offsets in which every cell is written as the first
    ones; None where that cannot be said. It is ten times as fast.
    """
    first = text[:MANY]
    for layout in LAYOUTS:
        found = first.str.extract(layout)
        if found["year"].isna().any() or ("zone" in found and found["zone"].notna().any()):
            continue
        if "first" in found:
            day_first = (found["mark"] == ".").all() or (found["first"].astype(int) > 12).any()
            if not day_first:
                return None
            form = _format_of(found, "%d{0}%m{0}%Y")
        elif "mark" in found:
            form = _format_of(found, "%Y{0}%m{0}%d")
        else:
            return None
        local = pd.DatetimeIndex(pd.to_datetime(text, format=form, errors="coerce"))
        if local.isna().any():
            return None
        _check_years(text, np.asarray(local.year))
        return Written(local, np.full(len(text), np.timedelta64("NaT"), "timedelta64[ns]"))
    return None


def _with_month(text: pd.Series, found: pd.DataFrame) -> pd.DataFrame:
    """Return day and month of dates that end with the year: points mean day first, else a number
    above 12 is a day.
    """
    first, other = found["first"].astype(int), found["other"].astype(int)
    day_first = bool((found["mark"] == ".").all()) or bool((first > 12).any())
    month_first = bool((other > 12).any())
    if day_first and not month_first:
        return found.assign(day=first, month=other)
    if month_first and not day_first:
        return found.assign(day=other, month=first)
    detail = f"day or month first? {cells_in_rows(text, 3)}"
    if day_first:
        detail = f"neither day first nor month first fits all cells: {cells_in_rows(text, 3)}"
        raise SchemaError([Problem(str(text.name), "time", detail)])
    formats = tuple(_format_of(found, order) for order in ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y"))
    remedy = Remedy("time_format", formats)
    raise SchemaError([Problem(str(text.name), "time", detail, (remedy,))])


def _format_of(found: pd.DataFrame, order: str) -> str:
    """Return the format of the first cell with a time of day, else of the first."""
    date = order.format(found["mark"].iloc[0])
    timed = found[found["hour"].notna()] if "hour" in found else found[:0]
    if timed.empty:
        return date
    one = timed.iloc[0]
    clock = "%I" if pd.notna(one["half"]) else "%H"
    clock += ":%M" if pd.notna(one["minute"]) else ""
    clock += ":%S" if pd.notna(one["second"]) else ""
    clock += ".%f" if pd.notna(one["part"]) else ""
    clock += " %p" if pd.notna(one["half"]) else ""
    clock_first = list(found.columns).index("hour") < list(found.columns).index("year")
    zone = " %Z" if "zone" in found and found["zone"].notna().any() else ""
    return f"{clock} {date}" if clock_first else f"{date} {clock}{zone}"


def _date(found: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the midnights; NaT for a day that is none."""
    parts = {name: found[name].astype(int) for name in ("year", "month", "day")}
    return pd.DatetimeIndex(pd.to_datetime(pd.DataFrame(parts), errors="coerce"))


def _time_of_day(found: pd.DataFrame) -> pd.TimedeltaIndex:
    """Return the time of day, 24:00 as a day; NaT where the clock shows no such time."""

    def number(name: str) -> np.ndarray:
        if name not in found:
            return np.zeros(len(found))
        return np.array(found[name].fillna("0"), float)

    hour, minute, second = number("hour"), number("minute"), number("second")
    wrong = (hour > 24) | (minute > 59) | (second > 59) | ((hour == 24) & (minute + second > 0))
    if "half" in found:
        half = found["half"].fillna("").str.lower().str[:1]
        wrong |= np.asarray((half != "") & ((hour < 1) | (hour > 12)))
        twelve = np.asarray(half != "")
        hour[twelve] = hour[twelve] % 12 + 12.0 * np.asarray(half == "p")[twelve]
    part = np.zeros(len(found))
    if "part" in found:
        part = np.array(found["part"].fillna("0").str.ljust(9, "0"), float)
    whole = ((hour * 60 + minute) * 60 + second).astype(np.int64) * 10**9 + part.astype(np.int64)
    day = whole.astype("timedelta64[ns]")
    day[wrong] = np.timedelta64("NaT")
    return pd.TimedeltaIndex(day)


def _check_halves(text: pd.Series, found: pd.DataFrame) -> None:
    """Refuse times without AM or PM among times with it."""
    without = found["half"].isna() & found["hour"].notna()
    if without.any() and found["half"].notna().any():
        detail = f"no AM or PM, which other cells have: {cells_in_rows(text[without])}"
        raise SchemaError([Problem(str(text.name), "time", detail)])


def _no_layout(text: pd.Series, fitting: np.ndarray) -> Problem:
    where = str(text.name)
    fits = tuple(form for form in USUAL_FORMATS if _fits_format(text, form))
    wrong = text[~fitting] if fitting.any() else text
    detail = f"not a time in ISO 8601 (2019-03-31 14:15) at {cells_in_rows(wrong)}"
    such = Remedy("time_format", advice="give {}, such as '%d/%m/%Y %H:%M'")
    return Problem(where, "time", detail, (Remedy("time_format", fits) if fits else such,))


def _fits_format(text: pd.Series, form: str) -> bool:
    try:
        _by_format(text[:200], form, None)
    except SchemaError:
        return False
    return True


# --- with a format ----------------------------------------------------------------------------


def _by_format(text: pd.Series, form: str, timezone: str | None) -> Written:
    """Return times that are written in a format as in `strptime`."""
    _check_format(form)
    clock, zone = text, None
    ends_with_zone = re.fullmatch(r"(.*?)\s*\(?%[zZ]\)?", form)
    if ends_with_zone:
        form = ends_with_zone[1]
        found = text.str.extract(rf"^(?P<clock>.*?){ZONE}$")
        clock, zone = found["clock"].str.strip(), found[["zone"]]
        unmarked = found["zone"].isna()
        if unmarked.any():
            detail = f"no offset and no zone, which the format has: {cells_in_rows(text[unmarked])}"
            raise SchemaError([Problem(str(text.name), "time", detail)])
    local = _parsed(clock, form)
    wrong = np.asarray(local.isna())
    if wrong.any():
        detail = f"not a time in the format {form!r} at {cells_in_rows(text[wrong])}"
        other = Remedy("time_format", advice="give {}, such as '%d/%m/%Y %H:%M'")
        raise SchemaError([Problem(str(text.name), "time", detail, (other,))])
    _check_years(text, np.asarray(local.year))
    found = pd.DataFrame({"hour": clock}, index=text.index)
    return Written(local, _offsets(text, found if zone is None else found.join(zone), timezone))


def _parsed(text: pd.Series, form: str) -> pd.DatetimeIndex:
    """Return times by a format; a cell with the date alone is its midnight, 24:00 the next."""
    at_end = text.str.contains(r"(?<![0-9:])24:00(?::00)?(?![0-9])", regex=True).to_numpy(bool)
    if "%H" in form and at_end.any():
        text = text.str.replace(r"(?<![0-9:])24:00", "00:00", regex=True)
    local = pd.to_datetime(text, format=form, errors="coerce")
    date_only = _date_of(form)
    if local.isna().any() and date_only:
        local = local.fillna(pd.to_datetime(text, format=date_only, errors="coerce"))
    stamps = pd.DatetimeIndex(local.to_numpy("datetime64[us]"))
    return stamps + pd.to_timedelta(np.where(at_end, 24, 0), unit="h")


def _date_of(form: str) -> str:
    """Return the part of a format that is the date; nothing where date and time are mixed.

    >>> _date_of("%d/%m/%Y %H:%M"), _date_of("%H:%M %d-%m-%Y"), _date_of("%d/%m/%Y")
    ('%d/%m/%Y', '%d-%m-%Y', '')
    """
    clock = r"%[HI](?:.?%M)?(?:.?%S)?(?:.?%f)?(?:\s*%p)?"
    after = re.fullmatch(rf"(.*?)[\sT,:]*{clock}", form)
    before = re.fullmatch(rf"{clock}[\s,]+(.*)", form)
    found = after or before
    return found[1] if found else ""


def _check_format(form: str) -> None:
    """Refuse a format with directives that cannot be read, or that names no day."""
    words = re.findall(r"%(.?)", form.replace("%%", ""))
    strange = [f"%{word}" for word in words if word not in DIRECTIVES or word == ""]
    such = Remedy("time_format", advice="give {}, such as '%d/%m/%Y %H:%M'")
    known = " ".join(f"%{word}" for word in sorted(DIRECTIVES - {"%"}, key=str.lower))
    if strange:
        detail = f"{first_few(strange)} in {form!r} cannot be read; known are {known}"
    elif not ({"y", "Y"} & {*words} and ({"j"} & {*words} or _names_day(words))):
        detail = (
            f"{form!r} does not name a day: year (%Y), month (%m or %b) and day (%d) are needed"
        )
    elif re.search(r"%[zZ]", form) and not re.search(r"%[zZ]\)?$", form):
        detail = f"the zone is in the middle of {form!r}; it can be read at the end"
    elif len(set(words)) < len(words):
        detail = f"{form!r} has a directive twice"
    else:
        return
    raise SchemaError([Problem("time_format", "choice", detail, (such,))])


def _names_day(words: Iterable[str]) -> bool:
    return "d" in words and bool({"m", "b", "B"} & {*words})


# --- offsets ----------------------------------------------------------------------------------


def _offsets(text: pd.Series, found: pd.DataFrame, timezone: str | None) -> np.ndarray:
    """Return how far each clock was ahead of UTC, NaT where that is not written."""
    none = np.full(len(text), np.timedelta64("NaT"), "timedelta64[ns]")
    if "zone" not in found or found["zone"].isna().all():
        return none
    zone = found["zone"]
    dated = zone.notna() & found["hour"].isna()
    if _tight_ranges(text, several=False):
        fault = "an offset, or the end of a step? Write `from - to` with spaces"
        detail = f"{fault}: {cells_in_rows(text, 2)}"
        raise SchemaError([Problem(str(text.name), "time", detail)])
    if dated.any():
        detail = f"an offset without a time of day: {cells_in_rows(text[dated])}"
        raise SchemaError([Problem(str(text.name), "time", detail)])
    return offsets_of(zone, text, timezone)


def offsets_of(zone: pd.Series, shown: pd.Series, timezone: str | None) -> np.ndarray:
    """Return how far the clocks of zones are ahead of UTC, NaT where a cell is missing.

    Raises
    ------
    SchemaError
        A word that is no zone or means several, rows without an offset among rows with one, or
        offsets that no clock of one place has.
    """
    words = [str(word) for word in zone.dropna().unique()]
    minutes = {word: zone_offset(word, timezone) for word in words}
    strange = [word for word in words if minutes[word] is None]
    where = str(shown.name)
    if strange:
        own = Remedy("timezone", advice="if it is the zone of the file, give {}")
        rows = cells_in_rows(shown[zone.isin(strange)])
        detail = f"{first_few(strange)}: not one offset from UTC, at {rows}"
        raise SchemaError([Problem(where, "time", detail, (own,))])
    known = {*_named_in(timezone).values()}
    foreign = [
        w
        for w in words
        if known and w.isalpha() and w.upper() not in FIXED and minutes[w] not in known
    ]
    if foreign:
        rows = cells_in_rows(shown[zone.isin(foreign)])
        detail = f"{first_few(foreign)}: no clock of {timezone}, at {rows}"
        raise SchemaError([Problem(where, "time", detail)])
    of_zone = [w for w in words if w.isalpha() and w.upper() not in FIXED and minutes[w] in known]
    if zone.isna().any() and len(of_zone) < len(words):
        rows = cells_in_rows(shown[zone.isna()])
        detail = f"some times have an offset, others have none: {rows}"
        raise SchemaError([Problem(where, "time", detail)])
    numeric = [word for word in words if re.search(r"[0-9]", word)]
    apart = [m for word in numeric if (m := minutes[word]) is not None]
    if apart and max(apart) - min(apart) > 60:
        detail = f"offsets from {first_few(numeric)}: a clock moves by an hour; is this a range?"
        raise SchemaError([Problem(where, "time", detail)])
    ahead = zone.map(minutes).astype(float).to_numpy()
    out = np.full(len(zone), np.timedelta64("NaT"), "timedelta64[ns]")
    out[~np.isnan(ahead)] = (ahead[~np.isnan(ahead)] * 60e9).astype("timedelta64[ns]")
    return out


def _check_years(text: pd.Series, years: np.ndarray) -> None:
    first, last = YEARS
    outside = (years < first) | (years > last)
    if outside.any():
        detail = f"a year outside {first} to {last}: {cells_in_rows(text[outside])}"
        raise SchemaError([Problem(str(text.name), "range", detail)])
