"""Small files of charging sessions in the shapes of public interfaces, written by the book.

The shapes of OCPI are those of the objects CDR and Session in the specifications 2.1.1 and 2.2.1;
those of OCPP-J 1.6 and of ACN-Data are those of their documents. No reader is used."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

PERSON = "PERSON-04A1B2C3"
"""What tells who charged, in all files: it must not be found in a case."""


@dataclass(frozen=True)
class Charged:
    """One session: UTC, kWh at the meter, the largest power (kW)."""

    name: str
    arrival: datetime
    departure: datetime
    energy: float
    power: float
    plug: str = "E1/1"


def zulu(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc1123(moment):
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    date = f"{days[moment.weekday()]}, {moment.day:02d} {months[moment.month - 1]} {moment.year}"
    return f"{date} {moment:%H:%M:%S} GMT"


def hours(session):
    return (session.departure - session.arrival).total_seconds() / 3600


def period(session, power_too=True):
    dimensions = [{"type": "ENERGY", "volume": session.energy}]
    dimensions += [{"type": "TIME", "volume": hours(session)}]
    if power_too:
        dimensions += [{"type": "MAX_POWER", "volume": session.power}]
    return {"start_date_time": zulu(session.arrival), "dimensions": dimensions}


def token():
    return {"uid": PERSON, "type": "RFID", "contract_id": PERSON, "country_code": "NL"}


def ocpi_221_cdr(session):
    evse, plug = session.plug.split("/")
    return {
        "country_code": "NL",
        "party_id": "ABC",
        "id": session.name,
        "start_date_time": zulu(session.arrival),
        "end_date_time": zulu(session.departure),
        "cdr_token": token(),
        "auth_method": "WHITELIST",
        "cdr_location": {"id": "LOC7", "evse_uid": evse, "connector_id": plug},
        "currency": "EUR",
        "charging_periods": [period(session)],
        "total_cost": {"excl_vat": 1.0},
        "total_energy": session.energy,
        "total_time": hours(session),
        "last_updated": zulu(session.departure),
    }


def ocpi_221_session(session):
    evse, plug = session.plug.split("/")
    return {
        "country_code": "NL",
        "party_id": "ABC",
        "id": session.name,
        "start_date_time": zulu(session.arrival),
        "end_date_time": zulu(session.departure),
        "kwh": session.energy,
        "cdr_token": token(),
        "auth_method": "WHITELIST",
        "location_id": "LOC7",
        "evse_uid": evse,
        "connector_id": plug,
        "currency": "EUR",
        "charging_periods": [period(session)],
        "status": "COMPLETED",
        "last_updated": zulu(session.departure),
    }


def location_211(session):
    evse, plug = session.plug.split("/")
    connector = {"id": plug, "standard": "IEC_62196_T2", "voltage": 230, "amperage": 16}
    return {"id": "LOC7", "evses": [{"uid": evse, "status": "CHARGING", "connectors": [connector]}]}


def ocpi_211_cdr(session):
    return {
        "id": session.name,
        "start_date_time": zulu(session.arrival),
        "stop_date_time": zulu(session.departure),
        "auth_id": PERSON,
        "auth_method": "WHITELIST",
        "location": location_211(session),
        "currency": "EUR",
        "charging_periods": [period(session, power_too=False)],
        "total_cost": 1.0,
        "total_energy": session.energy,
        "total_time": hours(session),
        "last_updated": zulu(session.departure),
    }


def ocpi_211_session(session):
    return {
        "id": session.name,
        "start_datetime": zulu(session.arrival),
        "end_datetime": zulu(session.departure),
        "kwh": session.energy,
        "auth_id": PERSON,
        "auth_method": "WHITELIST",
        "location": location_211(session),
        "currency": "EUR",
        "charging_periods": [period(session, power_too=False)],
        "total_cost": 1.0,
        "status": "COMPLETED",
        "last_updated": zulu(session.departure),
    }


OCPI = {
    "2.2.1 cdrs": ocpi_221_cdr,
    "2.2.1 sessions": ocpi_221_session,
    "2.1.1 cdrs": ocpi_211_cdr,
    "2.1.1 sessions": ocpi_211_session,
}


def ocpi_answer(sessions, shape="2.2.1 cdrs"):
    return {"status_code": 1000, "data": [OCPI[shape](session) for session in sessions]}


def acn_answer(sessions):
    items = [
        {
            "_id": f"65f{session.name}",
            "connectionTime": rfc1123(session.arrival),
            "disconnectTime": rfc1123(session.departure),
            "doneChargingTime": rfc1123(session.departure),
            "kWhDelivered": session.energy,
            "sessionID": session.name,
            "stationID": session.plug,
            "timezone": "America/Los_Angeles",
            "userID": PERSON,
            "userInputs": None,
        }
        for session in sessions
    ]
    return {"_items": items, "_meta": {"page": 1, "total": len(items)}}


def ocpp_log(sessions, zone="Europe/Berlin"):
    """The messages of each session; the first meter reading is 1 000 000 Wh, and times have the
    offset of the zone. Names of sessions are numbers of transactions.
    """

    def local(moment):
        return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).isoformat()

    log = []
    for session in sessions:
        number, meter = int(session.name), 1_000_000
        start = {"connectorId": int(session.plug.split("/")[1]), "idTag": PERSON}
        start |= {"meterStart": meter, "timestamp": local(session.arrival)}
        sampled = {"value": f"{session.power * 1000:.3f}", "measurand": "Power.Active.Import"}
        value = {"timestamp": local(session.arrival), "sampledValue": [sampled | {"unit": "W"}]}
        metered = {"connectorId": 1, "transactionId": number, "meterValue": [value]}
        stop = {"transactionId": number, "meterStop": meter + session.energy * 1000}
        log += [
            [2, f"a{number}", "StartTransaction", start],
            [3, f"a{number}", {"transactionId": number, "idTagInfo": {"status": "Accepted"}}],
            [2, f"m{number}", "MeterValues", metered],
            [2, f"z{number}", "StopTransaction", stop | {"timestamp": local(session.departure)}],
        ]
    return log


def write_json(path, document):
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path
