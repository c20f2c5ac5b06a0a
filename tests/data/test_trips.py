"""A depot's list of trips becomes the stays between them."""

import csv
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from reference_data import sample

from v2g_linopy.data import BatteryAssumption, case_from_sessions, read_trips
from v2g_linopy.data.importers.formats import SESSION_FORMATS, recognised
from v2g_linopy.data.tables.plausibility import plausibility_problems
from v2g_linopy.errors import SchemaError

BERLIN = ZoneInfo("Europe/Berlin")
HEADER = "Fahrzeug;Datum;Abfahrt;Rückkehr;km;Verbrauch [kWh]"
ROWS = (
    "Van 1;24.10.2025;06:33;17:48;155;41,9",
    "Van 2;24.10.2025;22:10;01:30;90;22,5",  # returns on the next day
    "Van 1;27.10.2025;06:57;18:29;134;36,2",  # two days without a trip, one of 25 hours
    "Van 2;25.10.2025;06:00;12:00;40;10,0",
    "Van 3;25.10.2025;06:00;12:00;40;10,0",
)


def utc(text):
    """A local time in Berlin as naive UTC."""
    local = datetime.fromisoformat(text).replace(tzinfo=BERLIN)
    return np.datetime64(local.astimezone(ZoneInfo("UTC")).replace(tzinfo=None))


@pytest.fixture
def trips(tmp_path):
    def write(*rows, header=HEADER, encoding="utf-8"):
        path = tmp_path / "trips.csv"
        path.write_bytes("\n".join([header, *(rows or ROWS)]).encode(encoding))
        return path

    return write


def read(path, **options):
    return read_trips(path, **({"timezone": "Europe/Berlin"} | options))


def table_of(stays):
    """The stays as rows: vehicle, arrival, departure, need."""
    names = ("vehicle", "arrival", "departure", "energy_need")
    return list(zip(*(stays[name].values.tolist() for name in names), strict=True))


def refused(path, **options):
    with pytest.raises(SchemaError) as error:
        read(path, **options)
    return str(error.value)


# --- what is right ----------------------------------------------------------------------------


def test_stays_lie_between_trips(trips):
    """Van 1 stands from Friday to Monday, 62 h 9 min and an hour more for the change of clocks; Van
    2 is back at half past one on the next day; Van 3 has one trip only.
    """
    stays = read(trips())
    assert table_of(stays) == [
        ("Van 1", *instants("2025-10-24T17:48", "2025-10-27T06:57"), 36.2),
        ("Van 2", *instants("2025-10-25T01:30", "2025-10-25T06:00"), 10.0),
    ]
    length = (stays.departure - stays.arrival).values / np.timedelta64(1, "m")
    assert length.tolist() == [(2 * 24 + 13) * 60 + 9 + 60, 270]
    assert stays.energy_trip.values.tolist() == stays.energy_need.values.tolist()
    assert stays.energy_arrival.values.tolist() == [0, 0]
    assert stays.attrs["linked"] == 1
    assert "5 trips of 3 vehicles" in stays.attrs["notes"]
    assert "1 trip until the next day, by the clock: row 3." in stays.attrs["notes"]
    assert "One trip only, and no stay: Van 3." in stays.attrs["notes"]


def instants(*texts):
    return (int(utc(text).astype("datetime64[ns]").astype(int)) for text in texts)


def test_the_sample_of_a_depot():
    """Of each vehicle: from each return to the next departure, with the energy of the next trip,
    found here by another way.
    """
    path = sample("tables/trips_cp1252.csv")
    by_vehicle = defaultdict(list)
    for row in csv.reader(path.read_text("cp1252").splitlines()[1:], delimiter=";"):
        day = datetime.strptime(row[1], "%d.%m.%Y")
        at = [day + timedelta(hours=int(t[:2]), minutes=int(t[3:])) for t in row[2:4]]
        by_vehicle[row[0]].append((*at, float(row[5].replace(",", "."))))
    expected = set()
    for vehicle, driven in by_vehicle.items():
        driven.sort()
        for (_, back, _), (leaves, _, kwh) in zip(driven, driven[1:], strict=False):
            expected.add((vehicle, *instants(back.isoformat(), leaves.isoformat()), kwh))
    stays = read(path, encoding="cp1252")
    assert set(table_of(stays)) == expected
    assert stays.sizes["session"] == len(expected) == 81
    assert recognised(path, SESSION_FORMATS) == "trips"
    columns = {"vehicle": "Fahrzeug", "date": "Datum", "departure": "Abfahrt"}
    columns |= {"return": "Rückkehr", "energy": "Verbrauch [kWh]"}
    assert read(path, encoding="cp1252", columns=columns).identical(stays)


@st.composite
def driven(draw):
    """Trips of two vehicles around a change of clocks: vehicle, departure, return (UTC), kWh."""
    start = draw(st.sampled_from([datetime(2026, 3, 28, 3), datetime(2026, 10, 24, 3)]))
    rows = []
    for vehicle in ("A", "B"):
        moment = start
        for _ in range(draw(st.integers(2, 4))):
            leaves = moment + timedelta(minutes=draw(st.integers(1, 900)))
            moment = leaves + timedelta(minutes=draw(st.integers(1, 1200)))
            rows.append((vehicle, leaves, moment, draw(st.integers(0, 900)) / 10))
    return rows


def in_berlin(moment):
    return moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(BERLIN)


def shown_twice(row):
    """A time in the hour of October that the clock shows twice: a list cannot tell which."""
    local = [in_berlin(moment) for moment in row[1:3]]
    return any((t.month, t.day, t.hour) == (10, 25, 2) for t in local)


def as_day_and_clock(vehicle, leaves, back, kwh):
    begin, end = in_berlin(leaves), in_berlin(back)
    return f"{vehicle};{begin:%d.%m.%Y};{begin:%H:%M};{end:%H:%M};{kwh:.1f}"


def as_whole_times(vehicle, leaves, back, kwh):
    return f"{vehicle};;{in_berlin(leaves).isoformat()};{in_berlin(back).isoformat()};{kwh:.1f}"


def between(rows):
    """What lies between the trips of each vehicle, in the order of the list."""
    pairs = zip(rows, rows[1:], strict=False)
    return [(one[0], one[2], two[1], two[3]) for one, two in pairs if one[0] == two[0]]


@pytest.mark.parametrize("written", [as_day_and_clock, as_whole_times])
@given(rows=driven(), reverse=st.booleans())
def test_round_trip(written, rows, reverse):
    """As days and times of day, or as whole times with their offset, in any order."""
    if written is as_day_and_clock and any(map(shown_twice, rows)):
        return
    lines = [written(*row) for row in rows]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trips.csv"
        body = lines[::-1] if reverse else lines
        path.write_text("\n".join(["Vehicle;Date;Departure;Return;Energy (kWh)", *body]))
        assert recognised(path, SESSION_FORMATS) == "trips"
        stays = read(path)
    found = [
        (vehicle, *(pd.Timestamp(moment).to_pydatetime() for moment in moments), kwh)
        for vehicle, *moments, kwh in table_of(stays)
    ]
    assert sorted(found) == sorted(between(rows))


def test_english_headers_and_kilometres(trips):
    """155 km at 0.25 kWh are 38.75; the list of distances needs to be told the use."""
    rows = [f"van;2025-10-{day};06:00;16:00;{km}" for day, km in ((24, 40), (25, 155))]
    path = trips(*rows, header="Vehicle ID;Day;Departure time;Return time;Distance [km]")
    assert read(path, kwh_per_km=0.25).energy_need.values.tolist() == [38.75]
    message = refused(path)
    assert "no energies, only distances ('Distance [km]'); give kwh_per_km" in message
    assert "more than 0 kWh per km" in refused(path, kwh_per_km=0.0)


def test_a_use_holds_in_place_of_the_energies(trips):
    """The list has both: 134 km at 0.3 kWh are 40.2, its own energies say 36.2."""
    stays = read(trips(), kwh_per_km=0.3)
    assert stays.energy_need.values[0] == pytest.approx(40.2)
    assert "A vehicle uses 0.3 kWh per km." in stays.attrs["notes"]


def test_trips_without_a_break_are_one(trips):
    """Back at 10:00 and off at 10:00: both energies, 5 and 7 kWh, are needed in the morning."""
    rows = ["v;24.10.2025;06:00;16:00;1;1", "v;25.10.2025;06:00;10:00;1;5"]
    rows += ["v;25.10.2025;10:00;12:00;1;7"]
    stays = read(trips(*rows))
    assert table_of(stays) == [("v", *instants("2025-10-24T16:00", "2025-10-25T06:00"), 12.0)]


def test_days_without_a_trip_may_be_rows(trips):
    stays = read(trips(*ROWS, "Van 1;26.10.2025;;;;"))
    assert stays.equals(read(trips()))
    assert "1 row without departure and return: no trip." in stays.attrs["notes"]


def test_plates_are_personal(trips):
    """Vehicles that are named by number plates are numbered, unless the names are asked for."""
    path = trips(header=HEADER.replace("Fahrzeug", "Kennzeichen"))
    stays = read(path)
    assert stays.vehicle.values.tolist() == ["vehicle 01", "vehicle 02"]
    assert "Van" not in str(stays.to_dict())
    assert "personal data" in stays.attrs["notes"]
    assert read(path, keep_ids=True).vehicle.values.tolist() == ["Van 1", "Van 2"]


def test_tables_of_sessions_are_none_of_trips(tmp_path):
    """Arrival and departure are a stay, departure and return a trip."""
    path = tmp_path / "stays.csv"
    path.write_text("Fahrzeug,Ankunft,Abfahrt,Energie\na,2025-10-24 08:00,2025-10-24 16:00,5\n")
    assert recognised(path, SESSION_FORMATS) == "csv"


# --- what is assumed --------------------------------------------------------------------------


def test_one_charger_for_all_stays_of_a_vehicle(trips):
    """30 kWh in a break of half an hour are charged in the night before: 11 kW stay 11 kW. 60 kWh
    within 4 h in all need 60 / 0.95 / 4 * 1.02 = 16.1 kW.
    """
    night = ["v;24.10.2025;06:00;16:00;1;1", "v;25.10.2025;06:00;10:00;1;5"]
    made, _ = BatteryAssumption().apply(read(trips(*night, "v;25.10.2025;10:30;12:00;1;30")))
    assert made.charge_max.values.tolist() == [11.0, 11.0]
    short = ["w;24.10.2025;06:00;07:00;1;1", "w;24.10.2025;09:00;10:00;1;30"]
    made, _ = BatteryAssumption().apply(read(trips(*short, "w;24.10.2025;12:00;13:00;1;30")))
    assert made.charge_max.values == pytest.approx([60 / 0.95 / 4 * 1.02] * 2)


def test_the_first_trip_counts_for_the_size_of_a_battery(trips):
    """The first trip takes 80 kWh and has no stay before it, the second 30: a battery of
    1.25 * 80 = 100 kWh. Another vehicle drives 10 at most, and has the smallest, 60.
    """
    rows = ["v;24.10.2025;06:00;16:00;1;80", "v;25.10.2025;06:00;10:00;1;30"]
    rows += ["w;24.10.2025;06:00;16:00;1;10", "w;25.10.2025;06:00;10:00;1;10"]
    stays = read(trips(*rows))
    made, said = BatteryAssumption().apply(stays)
    assert made.capacity.values.tolist() == [100.0, 60.0]
    assert "the largest of its stays and of all its trips" in " ".join(said)
    assert made.energy_need.values.tolist() == [30.0, 10.0]
    in_wh = read(trips(*rows), units={"energy": "Wh"})
    assert BatteryAssumption().apply(in_wh)[0].capacity.values.tolist() == [60.0, 60.0]


def test_a_first_trip_that_no_battery_holds_is_refused(trips):
    """80 000 kWh in the first trip of a vehicle would be a battery of 100 000 kWh."""
    rows = ["v;24.10.2025;06:00;16:00;1;80000", "v;25.10.2025;06:00;10:00;1;30"]
    with pytest.raises(SchemaError, match="80000 kWh is more than any vehicle takes"):
        made(read(trips(*rows)), battery=BatteryAssumption())


# --- what the list says of vehicles -----------------------------------------------------------


FITTED = f"{HEADER};Batteriekapazität [kWh];Ladeleistung [kW];Entladeleistung [kW]"


def fitted(*cells):
    """The rows of the list with battery, charging and discharging power of each vehicle."""
    return [f"{row};{cells[k % len(cells)]}" for k, row in enumerate(ROWS)]


def test_battery_and_powers_of_each_vehicle(trips):
    """Van 1 has rows 2 and 4, Van 2 rows 3 and 5; a row without a number takes that of another."""
    rows = fitted("81,5;22;0", "55;11;7,4", ";;", "55;11;7,4", "40;11;0")
    stays = read(trips(*rows, header=FITTED))
    found = {n: stays[n].values.tolist() for n in ("capacity", "charge_max", "discharge_max")}
    assert found == {"capacity": [81.5, 55], "charge_max": [22, 11], "discharge_max": [0, 7.4]}
    assert "capacity 'Batteriekapazität [kWh]'" in stays.attrs["notes"]
    assert read(trips()).drop_attrs().equals(stays.drop_vars(found).drop_attrs())


def test_words_for_battery_and_powers(trips):
    """Words are sure with their unit; others are named, in kW or in a unit that is given."""
    plain = fitted("80;22000;0")
    headers = ("Battery capacity (kWh)", "Charging power (W)", "Discharging power [W]")
    stays = read(trips(*plain, header=f"{HEADER};{';'.join(headers)}"))
    assert (stays.charge_max.values[0], stays.charge_max.attrs["units"]) == (22000, "W")
    path = trips(*plain, header=f"{HEADER};Kapazität;Lader;x")
    assert "capacity" not in read(path)
    columns = {"capacity": "Kapazität", "charge_max": "Lader"}
    stays = read(path, columns=columns, units={"charge_max": "W"})
    assert (stays.capacity.values[0], stays.charge_max.attrs["units"]) == (80, "W")
    wrong = refused(path, columns=columns, units={"charge_max": "kWh"})
    assert "unit 'kWh' does not fit" in wrong
    energy = trips(*plain, header=f"{HEADER};Kapazität;Lader [kWh];x")
    assert "which is no power" in refused(energy, columns={"charge_max": "Lader [kWh]"})


VEHICLES_AT_FAULT = {
    ("80;22;0", "80;22;0", "90;22;0"): "Van 1 has 80 in row 2 and 90 in row 4; a vehicle has one",
    ("80;22;0", ";22;0", "80;22;0", ";22;0", ";22;0"): "no number for Van 2, Van 3",
    ("0;22;0",): "no number above 0 in row 2: '0'",
    ("80;-1;0",): "no number above 0 in row 2: '-1'",
    ("80;22;-1",): "no number of at least 0 in row 2: '-1'",
    ("viel;22;0",): "row 2: 'viel'",
}


@pytest.mark.parametrize("cells", VEHICLES_AT_FAULT)
def test_faults_of_vehicles(trips, cells):
    assert VEHICLES_AT_FAULT[cells] in refused(trips(*fitted(*cells), header=FITTED))


# --- what is said -----------------------------------------------------------------------------


def made(stays, days=4, start="2025-10-24", begin=None, **options):
    """A case of hours from midnight UTC, at one price."""
    time = pd.date_range(start, periods=24 * days, freq="h", name="time")
    prices = xr.Dataset({"day_ahead": ("time", np.full(len(time), 50.0))}, {"time": time})
    return case_from_sessions(stays, prices, timezone="Europe/Berlin", start=begin, **options)


def test_span_columns_and_trips_that_are_charged_for(trips):
    """Five trips of three vehicles: three are the first. The last return is on Monday."""
    stays = read(trips())
    notes = stays.attrs["notes"].splitlines()
    assert (
        "Trips from 2025-10-24 06:33 (first departure) to 2025-10-27 18:29 (last return),"
        " Europe/Berlin."
    ) in notes
    taken = "vehicle 'Fahrzeug', date 'Datum', departure 'Abfahrt', return 'Rückkehr'"
    assert f"Columns taken: {taken}, energy 'Verbrauch [kWh]'." in notes
    assert "distance 'km'." in read(trips(), kwh_per_km=0.3).attrs["notes"]
    charged = "2 of 5 trips are charged for: 3 come first of their vehicle, before any stay"
    assert charged in stays.attrs["notes"]
    said = made(stays, battery=BatteryAssumption()).attrs["assumptions"]
    assert charged in said
    assert "2 stays from 2025-10-24 17:48 to 2025-10-27 06:57 (Europe/Berlin), all in" in said
    two_days = made(stays, days=2, battery=BatteryAssumption()).attrs["assumptions"]
    assert "(Europe/Berlin), 1 of them in the case. The trips after these" in two_days


def test_a_first_trip_of_two_rows_is_not_charged_for(trips):
    """The trips of 06:00 and of 10:00 are one; the third of three is charged for."""
    rows = ["v;24.10.2025;06:00;10:00;1;5", "v;24.10.2025;10:00;12:00;1;7"]
    notes = read(trips(*rows, "v;25.10.2025;06:00;12:00;1;7")).attrs["notes"]
    assert "1 of 3 trips are charged for: 2 come first" in notes


def test_no_stay_in_the_case(trips):
    """Prices of the year after or before, and a stay that only ends within them."""
    stays = read(trips())
    with pytest.raises(SchemaError) as error:
        made(stays, start="2026-10-24", battery=BatteryAssumption())
    assert (
        "no stay falls into the case: 2 stays from 2025-10-24 17:48 to 2025-10-27 06:57, prices"
        " from 2026-10-24 02:00 to 2026-10-28 01:00 (Europe/Berlin)"
    ) in str(error.value)
    assert "outside" not in str(error.value)
    with pytest.raises(SchemaError) as error:
        made(stays, start="2024-10-24", battery=BatteryAssumption())
    assert "no stay falls into the case" in str(error.value)
    assert "outside" not in str(error.value)
    with pytest.raises(SchemaError, match="the case from 2025-10-27 00:00 .*outside=.clip"):
        made(stays, start="2025-10-25", begin="2025-10-27", battery=BatteryAssumption())


# --- what is refused --------------------------------------------------------------------------


def test_overlapping_trips_are_refused_with_their_rows(trips):
    """Row 7 begins at 17:00, when the trip of row 2 lasts until 17:48."""
    message = refused(trips(*ROWS, "Van 1;24.10.2025;17:00;19:00;1;1"))
    assert "Van 1 departs in row 7 at 2025-10-24 15:00 UTC" in message
    assert "returns from the trip of row 2 at 2025-10-24 15:48 UTC: they overlap" in message
    assert "row 7" in refused(trips(*ROWS, ROWS[0]))  # a row that is given twice


FAULTS = {
    "Van 1;28.10.2025;06:00;;1;1": "no return in row 7",
    ";28.10.2025;06:00;08:00;1;1": "no vehicle in row 7",
    "Van 1;28.10.2025;06:00;08:00;1;-5": "no number of at least 0 in row 7: '-5'",
    "Van 1;28.10.2025;06:00;08:00;1;": "no number of at least 0 in row 7: ''",
    "Van 1;28.10.2025;06:00;08:00;1;NaN": "no number of at least 0 in row 7: 'NaN'",
    "Van 1;28.10.2025;06:00;08:00;1;viel": "row 7: 'viel'",
    "Van 1;28.10.2025;06:00;25:00;1;1": "row 7: '25:00': no time of day",
    "Van 1;28.10.2025;06:00;bald;1;1": "row 7: 'bald': no time of day",
    "Van 1;31.02.2025;06:00;08:00;1;1": "row 7: '31.02.2025'",
    "Van 1;28.10.2025;06:00;06:00;1;1": "the return is not after the departure in row 7",
    "Van 1;26.10.2025;02:30;06:00;1;1": "the clock shows this hour twice",
    "Van 1;29.03.2026;02:30;06:00;1;1": "the clock skips this hour",
}


@pytest.mark.parametrize("row", FAULTS)
def test_faults_are_told_with_their_row(trips, row):
    assert FAULTS[row] in refused(trips(*ROWS, row))


def test_a_file_cut_off_within_a_row(trips):
    assert "no return in row 7" in refused(trips(*ROWS, "Van 1;28.10.2025;06:"))


def test_rules_for_local_hours(trips):
    """02:30 on 26 October as the first or the second of two."""
    path = trips(*ROWS, "Van 2;26.10.2025;02:30;06:00;1;1")
    for rule, hour in (("first", "00:30"), ("second", "01:30")):
        stays = read(path, ambiguous=rule)
        assert np.datetime64(f"2025-10-26T{hour}") in stays.departure.values


def test_marks_line_ends_and_order_change_nothing(trips):
    text = "\r\n".join([HEADER, *ROWS[::-1], ""])
    path = trips()
    expected = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(path).equals(expected)
    path.write_bytes("\n".join([HEADER, *ROWS]).encode("cp1252"))
    assert read(path, encoding="cp1252").equals(expected)
    assert recognised(path, SESSION_FORMATS) == "trips"
    assert 'encoding="cp1252"' in refused(path)


def test_times_need_a_zone(trips):
    message = refused(trips(), timezone=None)
    assert "local times without a zone; give timezone" in message


def test_units_of_energies(trips):
    """41900 [Wh] are 41.9 kWh; without a unit they are more than a vehicle takes."""
    rows = [row.replace(",", "") + "00" for row in ROWS]
    assert not plausibility_problems(read(trips(*rows, header=HEADER.replace("kWh", "Wh"))))
    path = trips(*rows, header=HEADER.replace(" [kWh]", ""))
    assert "is more than any vehicle takes" in str(plausibility_problems(read(path))[0])
    stays = read(path, units={"energy": "Wh"})
    assert (stays.energy_need.attrs["units"], plausibility_problems(stays)) == ("Wh", [])
    told = read(trips(*rows), units={"energy": "Wh"})  # against its header
    assert (told.energy_need.attrs["units"], plausibility_problems(told)) == ("Wh", [])
    assert "which is no energy" in refused(trips(header=HEADER.replace("kWh", "kW")))


def test_columns_that_cannot_be_told(trips):
    two = refused(trips(*(f"{row};1" for row in ROWS), header=f"{HEADER};Energie"))
    assert "energy   may be 'Verbrauch [kWh]' or 'Energie'; name the column by columns" in two
    none = refused(trips(header=HEADER.replace("Rückkehr", "Garage")))
    assert "return   not found; the file has Fahrzeug, Datum, Abfahrt, Garage" in none
    named = {"return": "Garage"}
    garage = trips(header=HEADER.replace("Rückkehr", "Garage"))
    assert read(garage, columns=named).equals(read(trips()))
    assert "columns.back" in refused(trips(), columns={"back": "Rückkehr"})
    alone = trips(*(r.rpartition(";")[0].rpartition(";")[0] for r in ROWS), header=HEADER[:31])
    assert "neither energies nor distances" in refused(alone)


def test_one_trip_of_each_is_no_stay(trips):
    assert "no vehicle has two trips" in refused(trips(ROWS[0], ROWS[4]))


@pytest.mark.parametrize(
    ("header", "cell", "told", "words"),
    [
        ("Fahrzeug;Datum;Abfahrt;Rückkehr;Verbrauch [kWh/100km]", "26.2", {}, "kWh/100km"),
        ("Fahrzeug;Datum;Abfahrt;Rückkehr;Verbrauch (Liter)", "26.2", {}, "Liter"),
        ("Fahrzeug;Datum;Abfahrt;Rückkehr;Energie [MJ]", "26.2", {}, "MJ"),
        ("Vehicle;Date;Departure;Return;Distance [m]", "7240", {"kwh_per_km": 0.2}, "in miles"),
    ],
)  # fmt: skip
def test_what_is_no_energy_of_a_trip(trips, header, cell, told, words):
    rows = [f"A;2026-03-0{k};08:00;16:00;{cell}" for k in (2, 3)]
    with pytest.raises(SchemaError, match=words):
        read(trips(*rows, header=header), **told)


def test_miles_are_longer_than_kilometres(trips):
    rows = [f"A;2026-03-0{k};08:00;16:00;100" for k in (2, 3)]
    for unit, need in (("km", 20.0), ("miles", 32.18688)):
        header = f"Vehicle;Date;Departure;Return;Distance [{unit}]"
        stays = read(trips(*rows, header=header), kwh_per_km=0.2)
        assert stays.energy_need.values == pytest.approx(need, rel=1e-12)


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("2025-10-28 12:00", "has no time of day: row 2"),
        ("2025-10-28 00:00Z", "has no offset: row 2"),
    ],
)
def test_a_day_beside_times_of_day(trips, date, words):
    rows = (f"Van 1;{date};08:00;12:00;1;1", f"Van 1;{date};13:00;16:00;1;1")
    assert words in refused(trips(*rows))


def test_the_end_of_a_day(trips):
    """A trip until 24:00 ends where the next day begins."""
    rows = ("Van 1;2025-10-28;9:00;24:00;1;1", "Van 1;2025-10-30;9:00;10:00;1;1")
    stays = read(trips(*rows))
    assert stays.arrival.values[0] == utc("2025-10-29 00:00")


def test_afternoons(trips):
    """Half past six in the evening, 6:30 PM, is 18:30."""
    rows = ("Van 1;2025-10-27;8:00 AM;6:30 PM;1;1", "Van 1;2025-10-28;9:00 AM;7:00 PM;1;1")
    stays = read(trips(*rows))
    assert stays.arrival.values[0] == utc("2025-10-27 18:30")
    assert stays.departure.values[0] == utc("2025-10-28 09:00")
