"""Sessions of public interfaces become a case on one command line."""

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from reference_data import sample
from session_writers import PERSON, Charged, acn_answer, ocpi_answer, ocpp_log, write_json

import v2g_linopy as v2g

START = pd.Timestamp("2026-10-24 18:00")
WRITERS = {"ocpi": ocpi_answer, "acn": acn_answer, "ocpp": ocpp_log}


@pytest.fixture
def prices(tmp_path):
    """Write 30 hourly prices from a moment on, as a file that the command takes."""

    def write(start=START):
        time = pd.date_range(start, periods=36, freq="h", name="time")
        price = xr.Dataset({"day_ahead": ("time", np.arange(36.0), {"units": "EUR/MWh"})})
        price.assign_coords(time=time).to_netcdf(tmp_path / "spot.nc")
        return tmp_path / "spot.nc"

    return write


def two():
    hour = timedelta(hours=1)
    begin = START.to_pydatetime() + hour
    return [Charged("1", begin, begin + 8 * hour, 21.0, 11.0), Charged("2", begin, begin, 3.0, 7.0)]


def imported(run, path, spot, *options):
    case = path.parent / "case.nc"
    words = ("import", "sessions", path, "--prices", spot, "-o", case, "--force", *options)
    made = run(*words)
    assert made.exit_code == 0, made.output
    return v2g.read(case), made


@pytest.mark.parametrize("kind", WRITERS)
def test_from_a_file_to_a_case(run, kind, prices, tmp_path):
    """The format is recognised, the stay without length is listed, and nobody is named in the file
    of the case.
    """
    path = write_json(tmp_path / "sessions.json", WRITERS[kind](two()))
    case, made = imported(run, path, prices(), "--assume", "defaults")
    sessions = case["sessions"]
    assert sessions.energy.values.tolist() == [21.0]
    assert sessions.charge_max.values == pytest.approx([11.0])
    assert "left out, in which nothing can be planned (short stays): 2 (no length, 3 kWh)" in (
        " ".join(made.output.split())
    )
    assert PERSON not in case.to_dict().__str__() + made.output
    assert PERSON.encode() not in (tmp_path / "case.nc").read_bytes()


def test_what_is_asked_for(run, prices, tmp_path):
    """The driver becomes the vehicle, and a stay without length is a problem."""
    path = write_json(tmp_path / "sessions.json", ocpi_answer(two()))
    kept, _ = imported(run, path, prices(), "--assume", "defaults", "--keep-ids")
    assert kept["fleet"].fleet.values.tolist() == [PERSON]
    refused = run(
        *("import", "sessions", path, "--prices", prices(), "--assume", "defaults"),
        *("--short-stays", "problem", "-o", tmp_path / "none.nc"),
    )
    assert refused.exit_code == 3
    assert "session 2: no length, 3 kWh; --short-stays drop leaves it out" in refused.stderr
    assert not (tmp_path / "none.nc").exists()


@pytest.mark.parametrize("name", ["ocpi-2.2.1-cdrs", "acn-data", "ocpp-1.6-log"])
def test_samples_become_a_case(run, name, prices, tmp_path):
    """The sessions of each sample, and no other, with their instants and energies."""
    expected = json.loads(sample(f"formats/{name}.json.expected.json").read_text())["sessions"]
    arrival = pd.to_datetime([s["arrival_utc"] for s in expected]).tz_localize(None)
    copy = tmp_path / "sessions.json"
    copy.write_bytes(sample(f"formats/{name}.json").read_bytes())
    case, _ = imported(run, copy, prices(arrival[0].floor("D")), "--assume", "defaults")
    sessions = case["sessions"]
    names = sessions["name"] if "name" in sessions else sessions["session"]
    assert names.values.astype(str).tolist() == [s["session"] for s in expected]
    assert (sessions.arrival.values == arrival.as_unit("ns").values).all()
    assert sessions.energy.values.tolist() == [s["energy_kWh"] for s in expected]
    charged = sessions.energy_need - sessions.energy_arrival
    assert charged.values == pytest.approx([0.95 * s["energy_kWh"] for s in expected])


def test_a_plan_of_ocpi_sessions(run, prices, tmp_path):
    """21 kWh at the meter within eight hours: the plan serves them, and its audit holds."""
    path = write_json(tmp_path / "sessions.json", ocpi_answer(two()))
    words = ("--assume", "defaults", "--timezone", "Europe/Amsterdam")
    case, _ = imported(run, path, prices(), *words)
    assert case.attrs["timezone"] == "Europe/Amsterdam"
    solved = run("solve", tmp_path / "case.nc", "-o", tmp_path / "out", "--no-report", "--json")
    assert solved.exit_code == 0, solved.output
    kpi = json.loads(solved.stdout)["kpi"]
    assert kpi["audit"]["passed"]
    assert kpi["energy"]["unserved_kWh"] == pytest.approx(0, abs=1e-6)


def test_words_that_no_rule_has(run, prices, tmp_path):
    """A word that is no rule is refused as usage; options that a format does not have, too."""
    path = write_json(tmp_path / "s.json", ocpi_answer(two()))
    words = ("import", "sessions", path, "--prices", prices(), "-o", tmp_path / "c.nc")
    wrong = run(*words, "--short-stays", "dropp")
    assert wrong.exit_code == 2
    assert "'dropp' is no rule; give drop or problem" in wrong.stderr
    zone = run(*words, "--decimal", ",")
    assert (zone.exit_code, "does not apply to the format ocpi" in zone.stderr) == (2, True)


@pytest.fixture
def depot(run, tmp_path):
    """Import a German list of trips of one van, at 20 EUR/MWh from 2 to 5 o'clock, else 100."""
    time = pd.date_range("2026-03-02 15:00", periods=30, freq="h", name="time")  # 16:00 in Berlin
    price = np.where((time.hour >= 1) & (time.hour < 4) & (time.day == 3), 20.0, 100.0)
    spot = xr.Dataset({"day_ahead": ("time", price, {"units": "EUR/MWh"})}, {"time": time})
    spot.to_netcdf(tmp_path / "spot.nc")

    def write(*rows, options=()):
        path = tmp_path / "fahrten.csv"
        header = "Fahrzeug;Datum;Abfahrt;Rückkehr;Verbrauch [kWh]"
        path.write_bytes("\n".join([header, *rows]).encode("cp1252"))
        words = ("--encoding", "cp1252", "--timezone", "Europe/Berlin", "--soc-floor", "0%")
        told = (*words, "--assume", "defaults", "--wear", "0", *options)
        case, _ = imported(run, path, tmp_path / "spot.nc", *told)
        out = tmp_path / "out"
        smart = ("--set", "fleet.discharge_max=0", "--no-report", "--json", "--force")
        solved = run("solve", tmp_path / "case.nc", "-o", out, *smart)
        assert solved.exit_code == 0, solved.output
        return case, json.loads(solved.stdout)["kpi"]

    return write


def test_a_night_between_two_trips(depot):
    """19 kWh for the trip of the morning are 20 kWh at the meter, in two of the three cheap hours
    at 11 kW: 0.40 EUR.
    """
    rows = ("Van 1;02.03.2026;08:00;16:00;12,5", "Van 1;03.03.2026;08:00;16:00;19,0")
    case, kpi = depot(*rows)
    assert case["fleet"].fleet.values.tolist() == ["Van 1"]
    assert kpi["profit"] == pytest.approx(-0.40)
    assert kpi["audit"]["passed"]
    assert kpi["energy"]["unserved_kWh"] == pytest.approx(0, abs=1e-6)
    assert "a stay lasts from a return to the next departure" in case.attrs["assumptions"]


def test_columns_of_trips_by_name(run, prices, tmp_path):
    """A column called return makes a table one of trips, whatever the headers are."""
    path = tmp_path / "tours.csv"
    rows = ["a,2026-10-24 19:00,2026-10-24 21:00,40", "a,2026-10-25 06:00,2026-10-25 08:00,60"]
    path.write_text("\n".join(["Tour,Out,In,way", *rows]))
    named = ("vehicle=Tour", "departure=Out", "return=In", "distance=way")
    words = [w for name in named for w in ("--column", name)]
    words += ["--kwh-per-km", "0.3", "--timezone", "UTC", "--assume", "defaults"]
    case, _ = imported(run, path, prices(), *words)
    assert case["sessions"].energy_need.values.tolist() == [18.0]


def test_a_battery_column_keeps_a_list_of_trips(depot, run, tmp_path):
    """The column of the battery is named; the others are found, and the file is one of trips."""
    depot("Van 1;02.03.2026;08:00;16:00;12,5", "Van 1;03.03.2026;08:00;16:00;19,0")
    lines = (tmp_path / "fahrten.csv").read_text("cp1252").splitlines()
    path = tmp_path / "akku.csv"
    path.write_text("\n".join(f"{x};{'81,5' if k else 'Akku'}" for k, x in enumerate(lines)))
    words = ("--timezone", "Europe/Berlin", "--column", "capacity=Akku", "--assume", "defaults")
    case, made = imported(run, path, tmp_path / "spot.nc", *words)
    assert case["sessions"].capacity.values.tolist() == [81.5]
    assert "capacity 'Akku'" in " ".join(made.output.split())


def test_prices_of_another_year(depot, run, prices, tmp_path):
    """No stay falls into the case: exit code 3, both spans, and no file."""
    depot("Van 1;02.03.2026;08:00;16:00;12,5", "Van 1;03.03.2026;08:00;16:00;19,0")
    words = ("--encoding", "cp1252", "--timezone", "Europe/Berlin", "--assume", "defaults")
    case = tmp_path / "empty.nc"
    spot = prices()
    failed = run(
        "import", "sessions", tmp_path / "fahrten.csv", "--prices", spot, "-o", case, *words
    )
    assert (failed.exit_code, case.exists()) == (3, False)
    spans = (
        "1 stay from 2026-03-02 16:00 to 2026-03-03 08:00, prices from 2026-10-24 20:00 to"
        " 2026-10-26 07:00"
    )
    assert spans in " ".join(failed.stderr.split())


def test_the_night_serves_two_trips(depot):
    """After the first trip of 9.5 kWh there is an hour for the second, of 19 kWh, which needs 20 of
    11 kWh: the battery goes on, so that the night charges for both, 30 kWh at 20 EUR/MWh.
    """
    case, kpi = depot(
        "Van 1;02.03.2026;08:00;16:00;12,5",
        "Van 1;03.03.2026;08:00;10:00;9,5",
        "Van 1;03.03.2026;11:00;14:00;19,0",
    )
    assert kpi["profit"] == pytest.approx(-0.60)
    assert kpi["energy"]["unserved_kWh"] == pytest.approx(0, abs=1e-6)
    assert float(case["fleet"].charge_max.max()) == 11.0
