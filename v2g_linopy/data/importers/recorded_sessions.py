"""Charging sessions as interfaces record them, one by one, into the arrays of a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pydantic
import xarray as xr

from ...errors import Problem, SchemaError
from ...model.sessions import LABELS, METERED, MOMENTS, TOLD
from ..tables.listing import listed_problems
from ..tables.local_time import check_zone
from ..tables.numbers import plain_number
from ..tables.plausibility import STATED, check_stated_units
from ..tables.short_stays import ShortStays, note_left_out, without_short_stays
from ..tables.wording import first_few, with_count
from ..tables.written_times import YEARS

NUMBERS = {**METERED, **TOLD}


@dataclass(frozen=True)
class RecordedSession:
    """A session as an interface records it.

    Parameters
    ----------
    name
        Its label.
    arrival, departure
        Moments of plug-in and plug-out, with their zone; no departure: it is still open.
    connector
        Where it took place.
    numbers
        ``energy`` (kWh), and any other of `NUMBERS`, in its unit.
    person
        What tells who charged: a card, a contract or an account. Personal data.
    place
        Where it stands in the file, for messages.
    """

    name: str
    arrival: datetime | None
    departure: datetime | None
    connector: str
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    person: str = ""
    place: str = ""


@dataclass(frozen=True)
class SessionRules:
    """What the user says of recorded sessions.

    Parameters
    ----------
    units
        Unit of a number where it is not the one of the interface.
    short_stays
        What becomes of sessions in which nothing can be planned.
    keep_ids
        Who charged becomes the label `vehicle`; else it is left out.
    timezone
        IANA zone of the site, whose local days those of a case are.
    """

    units: Mapping[str, str]
    short_stays: ShortStays
    keep_ids: bool
    timezone: str | None = None


def table_of_records(
    records: Sequence[RecordedSession],
    rules: SessionRules,
    *,
    source: str,
    left_out: Mapping[str, str] | None = None,
    why: str = "",
) -> xr.Dataset:
    """Return recorded sessions on ``session``, in order of arrival.

    Parameters
    ----------
    records
        The sessions.
    rules
        What the user says of them.
    source
        The file, for messages.
    left_out, why
        Records that are no sessions, each with its reason, and what they are.

    Raises
    ------
    SchemaError
        Every session whose label occurs twice, that ends before it begins, or whose numbers are
        negative; short stays under the rule ``problem``; no session at all.
    """
    held = {n: f.unit for n, f in NUMBERS.items() if any(_has(r, n) for r in records)}
    check_stated_units(rules.units, held, source)
    site = zone_attribute(rules.timezone, source)
    if problems := _twice(records) + _backwards(records) + _negative(records):
        raise SchemaError(problems, source)
    if not records:
        detail = (
            f"none is left; left out are {first_few(left_out)}" if left_out else "there is none"
        )
        raise SchemaError([Problem("sessions", "missing", detail)], source)

    data: dict[str, Any] = {}
    for name, column in MOMENTS.items():
        moments = pd.to_datetime([getattr(r, name) for r in records], utc=True).tz_localize(None)
        data[name] = ("session", np.asarray(moments, "datetime64[ns]"), {"long_name": column.doc})
    for name in held:
        values = [np.nan if (x := r.numbers.get(name)) is None else x for r in records]
        unit = rules.units.get(name)
        attributes = {"units": unit or NUMBERS[name].unit, "long_name": NUMBERS[name].doc}
        data[name] = ("session", values, attributes | ({STATED: 1} if unit else {}))
    for name, words in _labels(records, rules).items():
        data[name] = ("session", np.array(words, str), {"long_name": LABELS[name].doc})

    names = np.array([r.name for r in records], str)
    table = xr.Dataset(data, coords={"session": names}, attrs=site)
    table = table.sortby(["arrival", "session"])
    table = note_left_out(table, dict(left_out or {}), why)
    return without_short_stays(table, rules.short_stays, no_energy=True, source=source)


def zone_attribute(timezone: str | None, source: str) -> dict[str, str]:
    """Return the attribute that says the zone of a site, if it is known.

    Raises
    ------
    SchemaError
        It is no zone.
    """
    check_zone(timezone, source)
    return {} if timezone is None else {"timezone": timezone}


def _has(record: RecordedSession, name: str) -> bool:
    return record.numbers.get(name) is not None


def _labels(records: Sequence[RecordedSession], rules: SessionRules) -> dict[str, list[str]]:
    labels = {"connector": [r.connector for r in records]}
    if rules.keep_ids:
        labels["vehicle"] = [r.person for r in records]
    return {name: words for name, words in labels.items() if any(words)}


def _twice(records: Sequence[RecordedSession]) -> list[Problem]:
    seen: dict[str, str] = {}
    found = []
    for r in records:
        if r.name in seen:
            found.append((r, f"its label occurs twice, at {seen[r.name]} and {r.place}"))
        seen[r.name] = r.place
    return _listed(found, "session", "labels")


def _backwards(records: Sequence[RecordedSession]) -> list[Problem]:
    found = [
        (r, f"arrives {_moment(r.arrival)}, leaves {_moment(r.departure)}: it must leave later")
        for r in records
        if r.arrival is not None and r.departure is not None and r.departure < r.arrival
    ]
    return _listed(found, "departure", "consistency")


def _negative(records: Sequence[RecordedSession]) -> list[Problem]:
    problems = []
    for name, column in NUMBERS.items():
        found = [
            (r, f"{value:g}, allowed [0, inf] {column.unit}")
            for r in records
            if (value := r.numbers.get(name)) is not None and value < 0
        ]
        problems += _listed(found, name, "range")
    return problems


def _listed(found: Sequence[tuple[RecordedSession, str]], column: str, rule: str) -> list[Problem]:
    """Return a problem for each of the first sessions, with its place in the file."""
    details = [f"session {r.name} ({r.place}): {detail}" for r, detail in found]
    return listed_problems(f"sessions.{column}", rule, details, [r.name for r, _ in found])


def _moment(stamp: datetime) -> str:
    return f"{stamp.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def written_moment(text: object) -> datetime:
    """Return a moment of a JSON text in ISO 8601, with its offset if it has one."""
    if not isinstance(text, str) or "T" not in text:
        raise ValueError("not a time in ISO 8601 (2026-10-24T16:04:10Z)")
    return within_years(datetime.fromisoformat(text))


def within_years(moment: datetime) -> datetime:
    """Return a moment, or refuse it where no car was charged."""
    first, last = YEARS
    if not first <= moment.year <= last:
        raise ValueError(f"the year {moment.year} is not from {first} to {last}")
    return moment


def _utc_moment(text: object) -> datetime:
    moment = written_moment(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def written_number(value: object) -> float:
    """Return a number, which some interfaces write as a text."""
    number = plain_number(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError("not a number")
    if not np.isfinite(number):
        raise ValueError("not a finite number")
    return float(number)


WrittenMoment = Annotated[datetime, pydantic.BeforeValidator(written_moment)]
"""A moment with its offset, or without one."""
UtcMoment = Annotated[datetime, pydantic.BeforeValidator(_utc_moment)]
"""A moment that is UTC unless it has an offset."""
WrittenNumber = Annotated[float, pydantic.BeforeValidator(written_number)]
"""A finite number, or the text of one."""


def given_once(records: Sequence[Any], name: Callable[[Any], str]) -> tuple[list[Any], str]:
    """Return records without those that were given before in the same words, and a note on them."""
    kept: list[Any] = []
    same: list[str] = []
    seen: dict[str, Any] = {}
    for record in records:
        if name(record) in seen and seen[name(record)] == record:
            same.append(name(record))
            continue
        seen[name(record)] = record
        kept.append(record)
    if not same:
        return kept, ""
    return (
        kept,
        f"{with_count(len(same), 'record')} given again in the same words: {first_few(same)}.",
    )
