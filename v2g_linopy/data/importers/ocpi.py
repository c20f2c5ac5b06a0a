"""Charge detail records and sessions of the roaming interface OCPI, versions 2.1.1 and 2.2.1."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pydantic
import xarray as xr
from pydantic import AliasChoices

from ..tables.records import Record, read_record_list
from ..tables.series import add_notes
from ..tables.short_stays import ShortStays
from ..tables.text import beginning
from .recorded_sessions import (
    RecordedSession,
    SessionRules,
    UtcMoment,
    WrittenNumber,
    given_once,
    table_of_records,
)

ENOUGH = 1 << 16
"""Characters of a file that show what it holds: the first record, with its location."""
START = re.compile(r'"start_date_?time"')
OURS = re.compile(r'"(total_energy|kwh|charging_periods|cdr_token|cdr_location)"')
POWER = ("MAX_POWER", "POWER")
"""Dimensions of a charging period in kW; of 2.1.1 none is."""
NOT_YET_OVER = ("ACTIVE", "PENDING", "RESERVATION")
Name = Callable[["OcpiRecord"], str]
CREDITS = "credits and what they credit, or declared invalid"


class Dimension(Record):
    """A quantity of a charging period: kWh, kW or hours."""

    type: str
    volume: WrittenNumber


class ChargingPeriod(Record):
    """A time in which one tariff holds."""

    start_date_time: UtcMoment
    dimensions: tuple[Dimension, ...] = ()


class Connector(Record):
    """A connector of an EVSE, in 2.1.1."""

    id: str


class Evse(Record):
    """The EVSE that was used, in 2.1.1."""

    uid: str
    connectors: tuple[Connector, ...] = ()


class Location(Record):
    """Where it took place: in 2.1.1 with a list of EVSEs, which holds the one that was used."""

    evses: tuple[Evse, ...] = ()
    evse_uid: str = ""
    connector_id: str = ""


class Token(Record):
    """What the driver identified with; personal data."""

    uid: str = ""


class OcpiRecord(Record):
    """A CDR or a session of either version; what they have in common has one name."""

    id: str
    country_code: str = ""
    party_id: str = ""
    begin: UtcMoment = pydantic.Field(
        validation_alias=AliasChoices("start_date_time", "start_datetime")
    )
    end: UtcMoment | None = pydantic.Field(
        None, validation_alias=AliasChoices("end_date_time", "stop_date_time", "end_datetime")
    )
    energy: WrittenNumber = pydantic.Field(validation_alias=AliasChoices("total_energy", "kwh"))
    total_time: WrittenNumber | None = None
    total_parking_time: WrittenNumber | None = None
    location: Location | None = pydantic.Field(
        None, validation_alias=AliasChoices("cdr_location", "location")
    )
    evse_uid: str = ""
    connector_id: str = ""
    token: Token | None = pydantic.Field(None, validation_alias="cdr_token")
    auth_id: str = ""
    charging_periods: tuple[ChargingPeriod, ...] | None = None
    status: str = ""
    last_updated: UtcMoment | None = None
    credit: bool | None = None
    credit_reference_id: str | None = None

    @property
    def party(self) -> str:
        """The operator, where it is named."""
        return "*".join(filter(None, (self.country_code, self.party_id)))

    @property
    def connector(self) -> str:
        """EVSE and connector; nothing where a location has several and does not say which one."""
        place, evse, plug = self.location or Location(), self.evse_uid, self.connector_id
        if len(place.evses) == 1 and not place.evse_uid:
            (used,) = place.evses
            evse, plug = used.uid, used.connectors[0].id if len(used.connectors) == 1 else ""
        return "/".join(filter(None, (place.evse_uid or evse, place.connector_id or plug)))

    def total(self, kind: str) -> float | None:
        """Sum of a dimension over the charging periods; None where none has it."""
        found = self._volumes((kind,))
        return sum(found) if found else None

    def largest(self, kinds: Sequence[str]) -> float | None:
        """Largest of some dimensions over the charging periods; None where none has them."""
        return max(self._volumes(kinds), default=None)

    def _volumes(self, kinds: Sequence[str]) -> list[float]:
        periods = self.charging_periods or ()
        return [d.volume for p in periods for d in p.dimensions if d.type in kinds]

    @property
    def charge_time(self) -> float | None:
        """Hours of charging: those of the periods, else all that were not spent parking."""
        charging = self.total("TIME")
        if charging is None and self.total_time is not None and self.total_parking_time is not None:
            return self.total_time - self.total_parking_time
        return charging

    @property
    def arrival(self) -> datetime | None:
        """Begin of the first charging period after a reservation; None: it was only reserved."""
        periods = sorted(self.charging_periods or (), key=lambda p: p.start_date_time)
        reserved = [any(d.type == "RESERVATION_TIME" for d in p.dimensions) for p in periods]
        if not any(reserved):
            return self.begin
        after = (p.start_date_time for p, r in zip(periods, reserved, strict=True) if not r)
        return next(after, None)


def is_ocpi(path: Path) -> bool:
    """Say whether a file holds CDRs or sessions of OCPI."""
    start = beginning(path, ENOUGH)
    return start.lstrip()[:1] in ("[", "{") and bool(START.search(start) and OURS.search(start))


def read_ocpi(
    path: str | Path,
    *,
    timezone: str | None = None,
    units: Mapping[str, str] | None = None,
    short_stays: ShortStays = "drop",
    keep_ids: bool = False,
) -> xr.Dataset:
    r"""Read charge detail records or sessions of OCPI 2.1.1 or 2.2.1, in order of arrival.

    Times are UTC, also without Z, and energy is in kWh, as the specification says. ``power_max`` is
    the largest MAX_POWER or POWER of the charging periods, ``charge_time`` the sum of their TIME,
    ``connector`` EVSE and connector. A reservation before the session is no part of the stay. A
    credit, the record that it credits, and a session that is declared invalid are left out; of
    several states of a session the last counts. Who charged is personal data and left out.

    Parameters
    ----------
    path : str or pathlib.Path
        JSON: a list, or an answer of the interface with the list in ``data``.
    timezone : str, optional
        IANA zone of the site, for the local days of a case; times are UTC all the same.
    units : mapping of str to str, optional
        Unit of a number where it is not that of the specification, such as ``{"energy": "Wh"}``.
    short_stays : {"drop", "problem"}, default "drop"
        What becomes of sessions that are still open, have no length, or no energy.
    keep_ids : bool, default False
        The token that a driver identified with becomes ``vehicle``.

    Returns
    -------
    xarray.Dataset
        On ``session``: times in naive UTC, energy in kWh, power in kW, and labels. Its ``notes``
        say what is left out, and the attribute ``left_out`` (JSON) of each why.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the records, with their place in the file.

    References
    ----------
    OCPI 2.1.1 and 2.2.1 (EVRoaming Foundation), modules CDRs and Sessions.

    Examples
    --------
    >>> import json
    >>> import pathlib
    >>> from v2g_linopy.data import read_ocpi
    >>> moments = {"start_date_time": "2026-10-24T16:04:10Z"}
    >>> moments |= {"end_date_time": "2026-10-25T06:02:40"}
    >>> place = {"evse_uid": "3256", "connector_id": "1"}
    >>> record = {"id": "CDR1", **moments, "cdr_location": place, "total_energy": 31.482}
    >>> size = pathlib.Path("cdrs.json").write_text(json.dumps({"data": [record]}))
    >>> sessions = read_ocpi("cdrs.json")
    >>> str(sessions.departure.values[0])[:16], sessions.energy.item(), sessions.connector.item()
    ('2026-10-25T06:02', 31.482, '3256/1')
    """
    read, listed_in = read_record_list(path, OcpiRecord)
    at = {id(record): f"{listed_in}[{k}]" for k, record in enumerate(read)}
    parties = len({record.party for record in read}) > 1

    def name(record: OcpiRecord) -> str:
        return f"{record.party}/{record.id}" if parties else record.id

    once, again = given_once(read, name)
    latest = _latest(once, name)
    left_out = _left_out(latest, name)
    records = [
        RecordedSession(
            name(record),
            record.arrival,
            None if record.status in NOT_YET_OVER else record.end,
            f"{record.party}/{record.connector}" if parties else record.connector,
            {
                "energy": record.energy,
                "power_max": record.largest(POWER),
                "charge_time": record.charge_time,
            },
            record.token.uid if record.token else record.auth_id,
            at[id(record)],
        )
        for record in latest
        if name(record) not in left_out
    ]
    rules = SessionRules(units or {}, short_stays, keep_ids, timezone)
    sessions = table_of_records(records, rules, source=str(path), left_out=left_out, why=CREDITS)
    return add_notes(sessions, again).assign_attrs(source=f"OCPI, {Path(path).name}")


def _latest(records: Sequence[OcpiRecord], name: Name) -> list[OcpiRecord]:
    """Return sessions as they were last updated; records that are final stay, also if they clash.

    CDRs are never changed, and have no time of change that would tell which one holds.
    """
    newest: dict[str, datetime] = {}
    for record in records:
        if record.status and record.last_updated:
            moment = newest.setdefault(name(record), record.last_updated)
            newest[name(record)] = max(moment, record.last_updated)
    return [
        record
        for record in records
        if not (record.status and record.last_updated)
        or record.last_updated == newest[name(record)]
    ]


def _left_out(records: Sequence[OcpiRecord], name: Name) -> dict[str, str]:
    """Return the records that are no sessions, and why."""
    by_id = {(record.party, record.id): name(record) for record in records}
    reasons = {name(r): "declared invalid" for r in records if r.status == "INVALID"}
    for record in records:
        if record.credit:
            credited = by_id.get((record.party, str(record.credit_reference_id)))
            if credited is not None:
                reasons[credited] = f"credited by {name(record)}"
            reasons[name(record)] = f"a credit of {record.credit_reference_id}"
    return reasons
