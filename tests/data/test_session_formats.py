"""Sessions of public interfaces: OCPI, ACN-Data and OCPP."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_data import sample
from session_writers import (
    OCPI,
    PERSON,
    Charged,
    acn_answer,
    ocpi_221_session,
    ocpi_answer,
    ocpp_log,
    rfc1123,
    write_json,
    zulu,
)

from v2g_linopy.data import read_acn, read_elaadnl, read_ocpi, read_ocpp, read_ocpp_meter
from v2g_linopy.data.importers.formats import SESSION_FORMATS, recognised
from v2g_linopy.data.tables.plausibility import plausibility_problems
from v2g_linopy.errors import InputFileError, SchemaError

SPRING, AUTUMN = datetime(2026, 3, 28, 20), datetime(2026, 10, 24, 20)
READERS = {"ocpi": read_ocpi, "acn": read_acn, "ocpp": read_ocpp}
WRITERS = {"ocpi": ocpi_answer, "acn": acn_answer, "ocpp": ocpp_log}
SAMPLES = {
    "ocpi-2.2.1-cdrs": read_ocpi,
    "acn-data": read_acn,
    "ocpp-1.6-log": read_ocpp,
}
COLUMNS = {
    "energy": "energy_kWh",
    "power_max": "power_max_kW",
    "connector": "connector",
    "energy_asked": "energy_asked_kWh",
    "soc_first": "soc_first",
    "soc_last": "soc_last",
}


def three():
    """Two at one plug, over the change to winter time, and one at another."""
    hour = timedelta(hours=1)
    return [
        Charged("1", AUTUMN, AUTUMN + 3 * hour, 21.0, 11.0),
        Charged("2", AUTUMN + 4 * hour, AUTUMN + 9.5 * hour, 5.125, 3.7, "E1/1"),
        Charged("3", AUTUMN + 4 * hour, AUTUMN + 6 * hour, 8.5, 7.4, "E2/2"),
    ]


def assert_same(sessions, charged, power=True):
    """The table holds these sessions, in order of arrival."""
    order = sorted(charged, key=lambda c: (c.arrival, c.name))
    assert sessions.session.values.tolist() == [c.name for c in order]
    for name in ("arrival", "departure"):
        written = pd.DatetimeIndex([getattr(c, name) for c in order])
        assert (sessions[name].values == written.as_unit("ns").values).all()
    assert sessions.energy.values == pytest.approx([c.energy for c in order], abs=1e-9)
    assert sessions.energy.attrs["units"] == "kWh"
    if power:
        assert sessions.power_max.values == pytest.approx([c.power for c in order], abs=1e-9)


# --- samples ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_read_as_expected(name):
    """Times exact, numbers to 1e-9; what is left out, and why."""
    path = sample(f"formats/{name}.json")
    expected = json.loads(sample(f"formats/{name}.json.expected.json").read_text())
    sessions = SAMPLES[name](path)
    told = expected["sessions"]
    assert sessions.session.values.tolist() == [s["session"] for s in told]
    for column in ("arrival", "departure"):
        known = pd.to_datetime([s[f"{column}_utc"] for s in told]).tz_localize(None)
        assert (sessions[column].values == known.as_unit("ns").values).all()
    for column, key in COLUMNS.items():
        if key in told[0]:
            values = [np.nan if s[key] is None else s[key] for s in told]
            if isinstance(values[0], str):
                assert sessions[column].values.tolist() == values
            else:
                np.testing.assert_allclose(sessions[column].values, values, rtol=0, atol=1e-9)
    if "charge_time_h" in told[0]:  # written with four digits
        values = [np.nan if s["charge_time_h"] is None else s["charge_time_h"] for s in told]
        np.testing.assert_allclose(sessions.charge_time.values, values, rtol=0, atol=1e-4)
    assert json.loads(sessions.attrs.get("left_out", "{}")) == expected.get("left_out", {})
    assert sessions.attrs.get("timezone") == expected.get("local_timezone")
    assert recognised(path, SESSION_FORMATS) == name.partition("-")[0]


def test_meter_of_the_sample():
    """Registers in Wh and in kWh side by side, texts all of them."""
    meter = read_ocpp_meter(sample("formats/ocpp-1.6-log.json"))
    expected = json.loads(sample("formats/ocpp-1.6-log.json.expected.json").read_text())["meter"]
    known = pd.to_datetime(expected["time_utc"]).tz_localize(None).as_unit("ns")
    assert (meter.time.values == known.values).all()
    assert meter.register.values == pytest.approx(expected["register_kWh"], abs=1e-9)


# --- any sessions -----------------------------------------------------------------------------


@st.composite
def charged(draw):
    """Sessions around a change of clocks, whole seconds and Wh; labels are numbers."""
    start = draw(st.sampled_from([SPRING, AUTUMN]))
    count = draw(st.integers(1, 4))
    return [
        Charged(
            str(k + 1),
            arrival := start + timedelta(seconds=draw(st.integers(0, 40_000))),
            arrival + timedelta(seconds=draw(st.integers(1, 60_000))),
            draw(st.integers(1, 90_000)) / 1000,
            draw(st.integers(1, 350_000)) / 1000,
            f"E{k}/{draw(st.integers(1, 2))}",
        )
        for k in range(count)
    ]


@pytest.mark.parametrize("shape", OCPI)
@given(sessions=charged())
def test_ocpi_round_trip(shape, sessions):
    """What is written in each shape of OCPI is read; 2.1.1 has no power."""
    with TemporaryDirectory() as folder:
        path = write_json(Path(folder) / "ocpi.json", ocpi_answer(sessions, shape))
        read = read_ocpi(path)
        assert recognised(path, SESSION_FORMATS) == "ocpi"
    assert_same(read, sessions, power=shape.startswith("2.2"))
    plugs = {c.name: c.plug for c in sessions}
    assert dict(zip(read.session.values, read.connector.values, strict=True)) == plugs
    assert ("power_max" in read) == shape.startswith("2.2")


@given(sessions=charged())
def test_acn_round_trip(sessions):
    """Times are GMT while the zone of the site is not."""
    with TemporaryDirectory() as folder:
        path = write_json(Path(folder) / "acn.json", acn_answer(sessions))
        read = read_acn(path)
        assert recognised(path, SESSION_FORMATS) == "acn"
    assert_same(read, sessions, power=False)


@given(sessions=charged(), zone=st.sampled_from(["UTC", "Europe/Berlin"]), lines=st.booleans())
def test_ocpp_round_trip(sessions, zone, lines):
    """Offsets tell both hours of October apart; a log is a list, or lines."""
    log = ocpp_log(sessions, zone)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.json"
        path.write_text("\n".join(map(json.dumps, log)) if lines else json.dumps(log))
        read = read_ocpp(path)
        assert recognised(path, SESSION_FORMATS) == "ocpp"
    assert_same(read, sessions)


# --- faults -----------------------------------------------------------------------------------


@pytest.fixture(params=READERS)
def kind(request):
    return request.param


@pytest.fixture
def file(kind, tmp_path):
    """The three sessions in a format, and its reader."""
    return write_json(tmp_path / "sessions.json", WRITERS[kind](three()))


def test_marks_and_line_ends_change_nothing(kind, file):
    text = file.read_text()
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert recognised(file, SESSION_FORMATS) == kind
    assert_same(READERS[kind](file), three(), power=kind != "acn")
    file.write_text(text, encoding="utf-16")
    assert_same(READERS[kind](file), three(), power=kind != "acn")


@pytest.mark.parametrize("year", ["0001", "1969", "2200", "9999"])
def test_years_without_cars_are_refused(kind, file, year):
    """A clock that was never set, or a number that was read as a year."""
    file.write_text(file.read_text().replace("2026", year))
    with pytest.raises(SchemaError, match=f"the year {int(year)} is not from 1970 to 2199"):
        READERS[kind](file)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(kind, file, part):
    """Not half of it is read: the place where it breaks off is told."""
    text = file.read_text()
    file.write_text(text[: int(len(text) * part)])
    with pytest.raises(SchemaError, match=r"line \d+|Invalid JSON"):
        READERS[kind](file)


def test_a_truncated_log_of_lines_is_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    text = "\n".join(map(json.dumps, ocpp_log(three())))
    path.write_text(text[:-20])
    with pytest.raises(InputFileError, match="no whole OCPP message at line 12"):
        read_ocpp(path)
    path.write_text(json.dumps(ocpp_log(three()))[:-20])  # a list in one line
    with pytest.raises(InputFileError, match="no whole OCPP message at line 1"):
        read_ocpp(path)


def test_other_orders_change_nothing(kind, tmp_path):
    document = WRITERS[kind](three()[::-1])
    if kind == "ocpp":
        document = ocpp_log(three())[::-1]
    path = write_json(tmp_path / "sessions.json", document)
    assert_same(READERS[kind](path), three(), power=kind != "acn")


def test_records_given_twice_count_once(kind, tmp_path):
    document = WRITERS[kind]([*three(), three()[0]])
    read = READERS[kind](write_json(tmp_path / "sessions.json", document))
    assert_same(read, three(), power=kind != "acn")
    assert "given again in the same words" in read.attrs["notes"]


def test_two_records_of_one_name_are_refused(kind, tmp_path):
    """The same name with another energy: which one holds cannot be known."""
    one, *others = three()
    document = WRITERS[kind]([one, *others, replace(one, energy=one.energy + 1)])
    with pytest.raises(SchemaError, match="twice") as error:
        READERS[kind](write_json(tmp_path / "sessions.json", document))
    assert "1" in error.value.problems[0].where + error.value.problems[0].detail


def test_less_than_nothing_is_refused(kind, tmp_path):
    one, *others = three()
    path = write_json(tmp_path / "s.json", WRITERS[kind]([replace(one, energy=-5.0), *others]))
    with pytest.raises(SchemaError, match=r"session 1 .*-5, allowed \[0, inf\] kWh"):
        READERS[kind](path)


def test_an_end_before_the_begin_is_refused(kind, tmp_path):
    one, *others = three()
    wrong = replace(one, departure=one.arrival - timedelta(hours=1))
    document = WRITERS[kind]([wrong, *others])
    if kind == "acn":
        for item in document["_items"]:
            item["doneChargingTime"] = None
    with pytest.raises(SchemaError, match="session 1 .*it must leave later"):
        READERS[kind](write_json(tmp_path / "s.json", document))


def test_what_is_no_number_is_refused(kind, file):
    """NaN, and a word; the place in the file is told, and nothing that was written there."""
    for wrong in ("NaN", '"much"', "true", "1e999"):
        text = file.read_text()
        for number in ("5.125", "1005125.0"):
            text = text.replace(number, wrong)
        file.write_text(text)
        with pytest.raises(SchemaError, match="number|JSON") as error:
            READERS[kind](file)
        place = str(error.value.problems[0])
        assert "[1]" in place or "[7]" in place or "line" in place
        file.write_text(json.dumps(WRITERS[kind](three())))


def test_watt_hours_are_noticed_and_read(kind, tmp_path):
    """21 kWh written as 21 000 where kWh are due: refused before a case is made, then read."""
    many = [replace(c, energy=c.energy * 1000) for c in three()]
    path = write_json(tmp_path / "s.json", WRITERS[kind](many))
    problems = plausibility_problems(READERS[kind](path))
    assert "session 1: 21000 kWh is more than any vehicle takes" in str(problems[0])
    unit = "kWh" if kind == "ocpp" else "Wh"  # a register in kWh, where the log is in Wh
    given = READERS[kind](path, units={"energy": "Wh"})
    assert given.energy.attrs["units"] == "Wh"
    assert not plausibility_problems(given)
    believed = READERS[kind](path, units={"energy": unit})
    assert not plausibility_problems(believed)


def test_times_without_a_zone(kind, tmp_path):
    """OCPI says that they are UTC; ACN-Data writes GMT always; OCPP leaves it open, so that the
    user has to say it.
    """
    text = json.dumps(WRITERS[kind](three()) if kind != "ocpp" else ocpp_log(three(), "UTC"))
    for zone in ("+00:00", "Z", " GMT"):
        text = text.replace(f'{zone}"', '"')
    path = tmp_path / "s.json"
    path.write_text(text)
    if kind == "ocpi":
        assert_same(read_ocpi(path), three())
        return
    with pytest.raises(SchemaError, match="not a time as ACN|local times without a zone"):
        READERS[kind](path)
    if kind == "ocpp":
        assert_same(read_ocpp(path, timezone="UTC"), three())


def test_the_zone_of_the_site(kind, file):
    """It changes no time that is UTC, and is kept for the local days of a case."""
    read = READERS[kind](file, timezone="Europe/Amsterdam")
    assert_same(read, three(), power=kind != "acn")
    assert read.attrs["timezone"] == "Europe/Amsterdam"
    with pytest.raises(SchemaError, match="'Amsterdam' is not a time zone"):
        READERS[kind](file, timezone="Amsterdam")


def test_acn_of_two_zones(tmp_path):
    """Which days a case has must then be said."""
    document = acn_answer(three())
    document["_items"][0]["timezone"] = "America/New_York"
    path = write_json(tmp_path / "s.json", document)
    with pytest.raises(SchemaError, match='give timezone="America/Los_Angeles" or "America/New_Y'):
        read_acn(path)
    assert read_acn(path, timezone="America/New_York").attrs["timezone"] == "America/New_York"


def test_who_charged_is_left_out(kind, file):
    """Neither a card nor a contract is found in what is read; asked for, they name vehicles."""
    read = READERS[kind](file)
    assert PERSON not in str(read.to_dict())
    assert "vehicle" not in read
    kept = READERS[kind](file, keep_ids=True)
    assert kept.vehicle.values.tolist() == [PERSON] * 3


def test_sessions_still_open(kind, tmp_path):
    """The second has no end: left out, counted and listed; or a problem, if that is asked for."""
    document = WRITERS[kind](three())
    if kind == "ocpi":
        del document["data"][1]["end_date_time"]
    elif kind == "acn":
        document["_items"][1]["disconnectTime"] = None
    else:
        document = [m for m in document if m[1] != "z2"]
    path = write_json(tmp_path / "s.json", document)
    read = READERS[kind](path)
    assert read.session.values.tolist() == ["1", "3"]
    assert json.loads(read.attrs["left_out"]) == {"2": "open, no end"}
    assert "1 session left out" in read.attrs["notes"]
    with pytest.raises(SchemaError, match="session 2: open, no end"):
        READERS[kind](path, short_stays="problem")


# --- of one interface only --------------------------------------------------------------------


def test_ocpi_lists_and_single_records(tmp_path):
    """A bare list, and one record by itself, are read like an answer."""
    answer = ocpi_answer(three())
    assert_same(read_ocpi(write_json(tmp_path / "a.json", answer["data"])), three())
    assert_same(read_ocpi(write_json(tmp_path / "b.json", answer["data"][0])), three()[:1])


def test_ocpi_sessions_in_several_states(tmp_path):
    """Of two states of a session the later one counts; an active one is open though it has an end,
    and one that is declared invalid is none.
    """
    one, two, three_ = three()
    early = ocpi_221_session(replace(one, energy=1.0)) | {"status": "ACTIVE"}
    early |= {"last_updated": zulu(one.arrival)}
    document = [ocpi_221_session(one), early]
    document += [ocpi_221_session(two) | {"status": "ACTIVE"}]
    document += [ocpi_221_session(three_) | {"status": "INVALID"}]
    read = read_ocpi(write_json(tmp_path / "s.json", document))
    assert_same(read, [one])
    assert json.loads(read.attrs["left_out"]) == {"2": "open, no end", "3": "declared invalid"}


def test_ocpi_reservations_are_no_stay(tmp_path):
    """Reserved from 20:00, plugged in at 20:45: the stay begins then."""
    document = ocpi_answer(three()[:1])
    record = document["data"][0]
    reserved = {"type": "RESERVATION_TIME", "volume": 0.75}
    before = {"start_date_time": record["start_date_time"], "dimensions": [reserved]}
    plugged = AUTUMN + timedelta(minutes=45)
    record["charging_periods"][0]["start_date_time"] = zulu(plugged)
    record["charging_periods"].insert(0, before)
    read = read_ocpi(write_json(tmp_path / "s.json", document))
    assert read.arrival.values[0] == np.datetime64(plugged)


def test_ocpi_of_a_whole_location(tmp_path):
    """In 2.1.1 a location holds the EVSE that was used; of two it is not known, so that none is."""
    document = ocpi_answer(three(), "2.1.1 cdrs")
    evses = document["data"][0]["location"]["evses"]
    evses.append({"uid": "E9", "connectors": [{"id": "1"}]})
    document["data"][1]["location"]["evses"][0]["connectors"].append({"id": "2"})
    read = read_ocpi(write_json(tmp_path / "s.json", document))
    assert read.connector.values.tolist() == ["", "E1", "E2/2"]


def test_ocpi_times_with_an_offset(tmp_path):
    """Some write local times with their offset, against the specification: 22:00+02:00 is 20:00."""
    text = json.dumps(ocpi_answer(three()))
    text = text.replace(zulu(AUTUMN), "2026-10-24T22:00:00+02:00")
    path = tmp_path / "s.json"
    path.write_text(text)
    assert_same(read_ocpi(path), three())


def test_ocpi_credits(tmp_path):
    """2 is credited, with the numbers of 2; a credit of a record elsewhere is none of a session;
    a sum that is credited need not be positive.
    """
    document = ocpi_answer(
        [*three(), replace(three()[1], name="2C"), replace(three()[1], name="9C")]
    )
    *_, credit, other = document["data"]
    credit |= {"credit": True, "credit_reference_id": "2"}
    other |= {"credit": True, "credit_reference_id": "9", "total_energy": -5.125}
    read = read_ocpi(write_json(tmp_path / "s.json", document))
    assert_same(read, [three()[0], three()[2]])
    expected = {"2": "credited by 2C", "2C": "a credit of 2", "9C": "a credit of 9"}
    assert json.loads(read.attrs["left_out"]) == expected
    assert "3 sessions left out, credits and what they credit" in read.attrs["notes"]


def test_ocpi_of_two_operators(tmp_path):
    """Both have a record 1: their names tell them apart, in labels and connectors."""
    document = ocpi_answer([three()[0], replace(three()[0], energy=3.0)])
    document["data"][1]["party_id"] = "XYZ"
    read = read_ocpi(write_json(tmp_path / "s.json", document))
    assert read.session.values.tolist() == ["NL*ABC/1", "NL*XYZ/1"]
    assert read.connector.values.tolist() == ["NL*ABC/E1/1", "NL*XYZ/E1/1"]


def test_acn_asks(tmp_path):
    """Of two wishes the later one counts, whatever their order; charging that is said to be done
    after plug-out was done by then.
    """
    document = acn_answer(three()[:1])
    wishes = [
        {"kWhRequested": 30.0, "modifiedAt": rfc1123(AUTUMN + timedelta(hours=2))},
        {"kWhRequested": 25.0, "modifiedAt": rfc1123(AUTUMN)},
    ]
    late = rfc1123(AUTUMN + timedelta(hours=5))
    document["_items"][0] |= {"userInputs": wishes, "doneChargingTime": late}
    read = read_acn(write_json(tmp_path / "s.json", document))
    assert (read.energy_asked.item(), read.charge_time.item()) == (30.0, 3.0)


WRAPPED = {
    "objects": lambda k, m: json.dumps({"ts": k, "direction": "in", "message": m}),
    "texts in objects": lambda k, m: json.dumps({"ts": k, "payload": json.dumps(m)}),
    "words before": lambda k, m: f"2026-10-24T20:00:{k:02d}Z INFO received {json.dumps(m)}",
}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_ocpp_lines_with_words_around(wrap, tmp_path):
    """A time and a direction stand beside each message; other lines of the log are passed over."""
    lines = [WRAPPED[wrap](k, message) for k, message in enumerate(ocpp_log(three()))]
    path = tmp_path / "log.txt"
    path.write_text("\n".join(["connected", *lines, "closed"]))
    assert recognised(path, SESSION_FORMATS) == "ocpp"
    assert_same(read_ocpp(path), three())


def test_ocpp_of_two_stations(tmp_path):
    """Each has a transaction 1 and a message a1: the name of the station tells them apart."""
    log = [
        {"chargePointId": station, "message": message}
        for station in ("north", "south")
        for message in ocpp_log(three()[:1])
    ]
    read = read_ocpp(write_json(tmp_path / "log.json", log))
    assert read.session.values.tolist() == ["north/1", "south/1"]
    assert read.connector.values.tolist() == ["north/1", "south/1"]


def test_ocpp_adds_phases_up(tmp_path):
    """3.6, 3.5 and 3.4 kW on three phases are 10.5 kW; what is measured in the car is not added."""
    log = ocpp_log(three()[:1])
    samples = [
        {"value": v, "measurand": "Power.Active.Import", "unit": "kW", "phase": p}
        for v, p in (("3.6", "L1"), ("3.5", "L2"), ("3.4", "L3"))
    ]
    samples += [{"value": "99", "measurand": "Power.Active.Import", "location": "EV"}]
    log[2][3]["meterValue"][0]["sampledValue"] = samples
    read = read_ocpp(write_json(tmp_path / "log.json", log))
    assert read.power_max.item() == pytest.approx(10.5)


def test_ocpp_ids_of_messages_come_again(tmp_path):
    """Each session begins with a message of the id a; the answers follow in order. Where the first
    has none, the second answer is not taken for it: 1 is a stop without a start.
    """
    log = [
        [kind, *(["a"] if id_[0] == "a" else [id_]), *rest]
        for kind, id_, *rest in ocpp_log(three())
    ]
    path = write_json(tmp_path / "log.json", log)
    assert_same(read_ocpp(path), three())
    del log[1]
    read = read_ocpp(write_json(path, log))
    assert_same(read, three()[1:])
    assert json.loads(read.attrs["left_out"])["1"] == "no begin"


def test_ocpp_samples_say_only_what_differs(tmp_path):
    """A value alone is the register in Wh; a register in kWh stands beside it, and the state of
    charge goes from 43 to 52 %.
    """
    log = ocpp_log(three()[:1])
    value = log[2][3]["meterValue"][0]
    value["sampledValue"] = [{"value": "1207090"}, {"value": "43", "measurand": "SoC"}]
    kwh = {"value": "1208.84", "measurand": "Energy.Active.Import.Register", "unit": "kWh"}
    last = {"timestamp": "2026-10-24T22:30:00Z"}
    last |= {"sampledValue": [kwh, {"value": "52", "measurand": "SoC", "location": "EV"}]}
    log[2][3]["meterValue"] = [last, value]
    path = write_json(tmp_path / "log.json", log)
    read, meter = read_ocpp(path), read_ocpp_meter(path)
    assert (read.soc_first.item(), read.soc_last.item()) == (0.43, 0.52)
    assert meter.register.values.tolist() == pytest.approx([1207.09, 1208.84])
    assert meter.session.values.tolist() == ["1", "1"]
    value["sampledValue"][0]["unit"] = "kvarh"
    with pytest.raises(SchemaError, match="'kvarh' is no unit of Energy.Active.Import.Register"):
        read_ocpp(write_json(path, log))


def test_ocpp_without_the_begin_or_the_answer(tmp_path):
    """A log that begins within a transaction, and a start that nobody answered."""
    log = [m for m in ocpp_log(three()) if m[1] != "a2" and m[:2] != [3, "a3"]]
    read = read_ocpp(write_json(tmp_path / "log.json", log))
    assert read.session.values.tolist() == ["1"]
    reasons = sorted(json.loads(read.attrs["left_out"]).values())
    assert reasons == ["no begin", "no begin", "open, no end"]


def test_elaadnl_cards_are_left_out(tmp_path):
    head = "TransactionId,ChargePoint,Connector,UTCTransactionStart,UTCTransactionStop,StartCard"
    rows = [f"7,A1,1,1/2/2019 8:00,1/2/2019 16:30,{PERSON},3.5,12.25,7.4"]
    rows += [f"8,A1,1,1/3/2019 8:00,1/3/2019 8:00,{PERSON},0,0,0"]
    path = tmp_path / "elaadnl.csv"
    path.write_text("\n".join([f"{head},ChargeTime,TotalEnergy,MaxPower", *rows]))
    read = read_elaadnl(path)
    assert PERSON not in str(read.to_dict())
    assert json.loads(read.attrs["left_out"]) == {"1": "no length"}
    assert read_elaadnl(path, keep_ids=True).vehicle.values.tolist() == [PERSON]


# --- by another reader ------------------------------------------------------------------------


@given(sessions=charged())
def test_our_logs_are_by_the_book(sessions):
    """The package `ocpp` finds each message of the logs above valid by the schemas of OCPP 1.6."""
    messages = pytest.importorskip("ocpp.messages")
    for frame in ocpp_log(sessions):
        message = messages.unpack(json.dumps(frame))
        if isinstance(message, messages.CallResult):
            message.action = "StartTransaction"
        if "meterStop" in message.payload:  # the schema asks for whole Wh
            message.payload["meterStop"] = round(message.payload["meterStop"])
        asyncio.run(messages.validate_payload(message, ocpp_version="1.6"))
