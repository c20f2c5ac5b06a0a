"""Charging sessions of ACN-Data, the open data of workplace charging in California."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pydantic
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ..tables.records import Record, read_record_list
from ..tables.series import add_notes
from ..tables.short_stays import ShortStays
from ..tables.text import beginning
from ..tables.wording import first_few
from .recorded_sessions import (
    RecordedSession,
    SessionRules,
    WrittenNumber,
    given_once,
    table_of_records,
    within_years,
)

ENOUGH = 1 << 16
WRITTEN = re.compile(
    r"\w{3}, (?P<day>\d{2}) (?P<month>\w{3}) (?P<year>\d{4}) (?P<clock>\d{2}:\d{2}:\d{2}) GMT"
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _gmt_moment(text: object) -> datetime:
    """Return a moment as the interface writes it, whatever language the computer speaks."""
    found = WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or found["month"] not in MONTHS:
        raise ValueError("not a time as ACN-Data writes it (Sun, 01 Nov 2026 07:30:00 GMT)")
    month = MONTHS.index(found["month"]) + 1
    clock = f"{found['year']}-{month:02d}-{found['day']}T{found['clock']}"
    return within_years(datetime.fromisoformat(clock).replace(tzinfo=UTC))


GmtMoment = Annotated[datetime, pydantic.BeforeValidator(_gmt_moment)]


class UserInput(Record):
    """What a driver asked for."""

    energy: WrittenNumber | None = pydantic.Field(None, validation_alias="kWhRequested")
    modified: GmtMoment | None = pydantic.Field(None, validation_alias="modifiedAt")


class AcnSession(Record):
    """A session of ACN-Data; the account of the driver is personal data."""

    name: str = pydantic.Field(validation_alias="sessionID")
    arrival: GmtMoment = pydantic.Field(validation_alias="connectionTime")
    departure: GmtMoment | None = pydantic.Field(None, validation_alias="disconnectTime")
    done: GmtMoment | None = pydantic.Field(None, validation_alias="doneChargingTime")
    energy: WrittenNumber = pydantic.Field(validation_alias="kWhDelivered")
    station: str = pydantic.Field(validation_alias="stationID")
    account: str | int | None = pydantic.Field(None, validation_alias="userID")
    timezone: str | None = "America/Los_Angeles"
    asked: tuple[UserInput, ...] | None = pydantic.Field(None, validation_alias="userInputs")

    @property
    def charge_time(self) -> float | None:
        """Hours from plug-in until charging was done, which some records say is after plug-out."""
        if self.done is None:
            return None
        end = self.done if self.departure is None else min(self.done, self.departure)
        return (end - self.arrival).total_seconds() / 3600

    @property
    def energy_asked(self) -> float | None:
        """The last energy that was asked for, kWh."""
        told = [x for x in self.asked or () if x.energy is not None]
        first = datetime.min.replace(tzinfo=UTC)
        return max(told, key=lambda x: x.modified or first).energy if told else None


def is_acn(path: Path) -> bool:
    """Say whether a file holds sessions of ACN-Data."""
    start = beginning(path, ENOUGH)
    return '"connectionTime"' in start and '"kWhDelivered"' in start


def read_acn(
    path: str | Path,
    *,
    timezone: str | None = None,
    units: Mapping[str, str] | None = None,
    short_stays: ShortStays = "drop",
    keep_ids: bool = False,
) -> xr.Dataset:
    r"""Read charging sessions of ACN-Data, in order of arrival.

    Times are GMT, whatever ``timezone`` says of the site; that zone is kept as an attribute.
    ``energy`` is what was delivered, ``energy_asked`` what the driver asked for last,
    ``charge_time`` the hours until charging was done, as far as they are given; ``connector`` is
    the station. Power is not in the data. The account of a driver is personal data and left out.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON: an answer of the interface with the list in ``_items``, or a list.
    timezone : str, optional
        IANA zone of the site, for the local days of a case; times are GMT all the same.
        That of the file unless given.
    units : mapping of str to str, optional
        Unit of a number where it is not that of the interface, such as ``{"energy": "Wh"}``.
    short_stays : {"drop", "problem"}, default "drop"
        What becomes of sessions that are still open, have no length, or no energy.
    keep_ids : bool, default False
        The account of the driver becomes ``vehicle``.

    Returns
    -------
    xarray.Dataset
        On ``session``: times in naive UTC, energy in kWh, hours, and labels. Its ``notes`` say what
        is left out, and the attribute ``left_out`` (JSON) of each why.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the records, with their place in the file; sites of several zones.

    References
    ----------
    Z. J. Lee, T. Li, S. H. Low, "ACN-Data: Analysis and Applications of an Open EV Charging
    Dataset", e-Energy 2019.

    Examples
    --------
    >>> import json
    >>> import pathlib
    >>> from v2g_linopy.data import read_acn
    >>> record = {"sessionID": "s1", "stationID": "2-39-78-360", "kWhDelivered": 22.417}
    >>> record |= {"connectionTime": "Sun, 01 Nov 2026 07:30:00 GMT"}
    >>> record |= {"disconnectTime": "Sun, 01 Nov 2026 18:05:00 GMT"}
    >>> size = pathlib.Path("acn.json").write_text(json.dumps({"_items": [record]}))
    >>> sessions = read_acn("acn.json")
    >>> str(sessions.arrival.values[0])[:16], sessions.energy.item(), sessions.timezone
    ('2026-11-01T07:30', 22.417, 'America/Los_Angeles')
    """
    read, listed_in = read_record_list(path, AcnSession, ("_items", "data"))
    at = {id(record): f"{listed_in}[{k}]" for k, record in enumerate(read)}
    once, again = given_once(read, lambda record: record.name)
    zones = sorted({record.timezone for record in read if record.timezone})
    if len(zones) > 1 and timezone is None:
        one = Remedy("timezone", tuple(zones), advice="give {} for the local days of the case")
        detail = f"sites of several zones: {first_few(zones)}"
        raise SchemaError([Problem("timezone", "time", detail, (one,))], str(path))
    records = [
        RecordedSession(
            record.name,
            record.arrival,
            record.departure,
            record.station,
            {
                "energy": record.energy,
                "charge_time": record.charge_time,
                "energy_asked": record.energy_asked,
            },
            "" if record.account is None else str(record.account),
            at[id(record)],
        )
        for record in once
    ]
    rules = SessionRules(units or {}, short_stays, keep_ids, timezone or next(iter(zones), None))
    sessions = table_of_records(records, rules, source=str(path))
    return add_notes(sessions, again).assign_attrs(source=f"ACN-Data, {Path(path).name}")
