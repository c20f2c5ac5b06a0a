"""`import prices` and `import pv` on published formats: no option that the file itself answers."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import price_writers
import pytest
import xarray as xr
from price_writers import Series, steps_of_days
from reference_data import sample

import v2g_linopy as v2g

CHOICES = {
    "entsoe-a44.xml": ["--where", "Sequence=1"],
    "energy-charts-price.json": [],
    "nordpool-day-ahead.json": ["--where", "area=SE3"],
    "octopus-agile.json": [],
    "marginalpdbc_20261025.1": ["--where", "area=ES"],
}
"""Options that no file answers: which of several series is meant."""


@pytest.fixture
def written(tmp_path):
    """A file of one day from a writer, hourly unless said, at the price of the hour since 0."""

    def write(writer, name, first=date(2026, 3, 2), minutes=60, factor=1.0) -> Path:
        start, count = steps_of_days(first, 1, minutes)
        path = tmp_path / name
        writer(path, Series(start, minutes, tuple(factor * k for k in range(count))))
        return path

    return write


@pytest.mark.parametrize("name", CHOICES)
def test_samples_become_files_of_prices(name, run, tmp_path):
    """What stands in the file that is written is what stands beside the sample."""
    output = tmp_path / "prices.nc"
    done = run("import", "prices", sample(f"formats/{name}"), "-o", output, *CHOICES[name])
    assert done.exit_code == 0, done.output
    expected = json.loads(sample(f"formats/{name}.expected.json").read_text(encoding="utf-8"))
    got = xr.load_dataset(output)
    times = pd.to_datetime(expected["time_utc"]).tz_localize(None)
    assert got.indexes["time"].tolist() == times.tolist()
    np.testing.assert_allclose(got.day_ahead, expected["values"], rtol=0, atol=1e-9)
    assert got.day_ahead.attrs["units"] == expected["unit"]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("tables/entsoe_export_old_layout.csv", 484),
        ("tables/entsoe_export_new_layout.csv", 484),
        ("tables/awattar.json", 2),
    ],
)
def test_tables_become_files_of_prices(name, steps, run, tmp_path):
    """Files that answer everything need no option."""
    output = tmp_path / "prices.nc"
    done = run("import", "prices", sample(name), "-o", output)
    assert done.exit_code == 0, done.output
    assert xr.load_dataset(output).sizes["time"] == steps


def test_what_was_left_out_is_said(run, tmp_path):
    """The null behind the last price of Energy-Charts, and the tax in the price of Octopus."""
    charts = sample("formats/energy-charts-price.json")
    done = run("import", "prices", charts, "-o", tmp_path / "a.nc")
    assert "1 step without a price at the end is left out" in done.output
    octopus = sample("formats/octopus-agile.json")
    done = run("import", "prices", octopus, "-o", tmp_path / "b.nc")
    assert "include VAT" in done.output
    assert "= -11.55 to 265.02 GBP/MWh" in done.output


def test_choices_are_offered(run, tmp_path):
    """Several areas are refused with all of them, in the words of the command."""
    nord_pool = sample("formats/nordpool-day-ahead.json")
    done = run("import", "prices", nord_pool, "-o", tmp_path / "a.nc")
    assert done.exit_code == 3
    assert "area SE3, SE4; give --where area=SE3 or SE4" in done.output
    done = run("import", "prices", nord_pool, "-o", tmp_path / "a.nc", "--where", "area=SE5")
    assert done.exit_code == 3
    assert "no area 'SE5'; the file has SE3, SE4" in done.output
    done = run("import", "prices", nord_pool, "-o", tmp_path / "a.nc", "--where", "zone=SE4")
    assert "there is no 'zone' in the file; the file tells its series apart by area" in done.output
    assert not (tmp_path / "a.nc").exists()


def test_a_unit_that_the_file_does_not_say(run, tmp_path, written):
    """Tibber's documents may lack the currency: it is asked for, and never guessed."""
    tibber = sample("tables/tibber.json")
    done = run("import", "prices", tibber, "-o", tmp_path / "a.nc")
    assert done.exit_code == 3
    assert "does not say the unit and currency of its prices; give --unit EUR/kWh" in done.output
    done = run("import", "prices", tibber, "-o", tmp_path / "a.nc", "--unit", "SEK/kWh")
    assert done.exit_code == 0
    assert xr.load_dataset(tmp_path / "a.nc").day_ahead.attrs["units"] == "SEK/kWh"

    other = written(price_writers.awattar, "awattar.json")
    done = run("import", "prices", other, "-o", tmp_path / "b.nc", "--unit", "SEK/kWh")
    assert done.exit_code == 3
    assert "SEK/kWh is given, the document says EUR/MWh" in done.output


def test_days_of_one_series_follow_each_other(run, tmp_path, written):
    """Three days in any order become one series of 72 hours; one given twice changes nothing."""
    days = [date(2025, 3, 4), date(2025, 3, 3), date(2025, 3, 5)]
    files = [written(price_writers.omie, f"{day}.1", day) for day in days]
    output = tmp_path / "prices.nc"
    again = [*files, files[0]]
    done = run("import", "prices", *again, "-o", output, "--where", "area=ES")
    assert done.exit_code == 0, done.output
    got = xr.load_dataset(output)
    assert got.day_ahead.values.tolist() == [float(k) for k in range(24)] * 3
    assert str(got.time.values[0])[:16] == "2025-03-02T23:00"


def test_files_that_are_not_one_series(run, tmp_path, written):
    """Two prices for one hour, a day that no file has, and another currency are refused."""
    first = written(price_writers.omie, "a.1", date(2025, 3, 3))
    other = written(price_writers.omie, "b.1", date(2025, 3, 3), factor=2.0)
    later = written(price_writers.omie, "c.1", date(2025, 3, 5))
    nordic = written(price_writers.nord_pool, "d.json", date(2025, 3, 4))
    spain = ("--where", "area=ES", "-o", tmp_path / "prices.nc")

    done = run("import", "prices", first, other, *spain)
    assert done.exit_code == 3
    assert "23 steps given by two files with different values" in done.output
    assert "2025-03-03 00:00:00: 1 and 2" in done.output

    done = run("import", "prices", first, later, *spain)
    assert done.exit_code == 3
    assert "24 steps without a row: 2025-03-03 23:00:00" in done.output
    assert "--missing nan" in done.output
    done = run("import", "prices", first, later, *spain, "--missing", "hold")
    assert done.exit_code == 0, done.output
    assert xr.load_dataset(tmp_path / "prices.nc").day_ahead.values[24:48].tolist() == [23.0] * 24

    stored = tmp_path / "spain.nc"
    assert run("import", "prices", first, "--where", "area=ES", "-o", stored).exit_code == 0
    done = run("import", "prices", stored, nordic, "-o", tmp_path / "both.nc")
    assert done.exit_code == 3
    assert "files in EUR/MWh and SEK/MWh are not one series" in done.output


def test_sun_of_pvgis_in_a_new_case(run, tmp_path, written):
    """5 kWp of the file become 50: the numbers are for the size that the header names."""
    roof = written(price_writers.pvgis, "roof.csv", factor=1000.0)
    spot = written(price_writers.awattar, "spot.json")
    output = tmp_path / "case.nc"
    words = ("import", "pv", roof, "--prices", spot, "-o", output, "--kwp", "50")
    done = run(*words)
    assert done.exit_code == 0, done.output
    case = v2g.read(output)
    assert case["renewable"].available.sel(renewable="roof").values[:3].tolist() == [0, 10, 20]
    assert "roof.csv (50 kWp)" in case.attrs["assumptions"]


def test_formats_of_profiles_by_name(run, tmp_path, written):
    """`--format` says what a file is; a word that is no format is a usage error."""
    roof = written(price_writers.pvgis, "roof.csv")
    spot = written(price_writers.awattar, "spot.json")
    words = ("import", "pv", roof, "--prices", spot, "-o", tmp_path / "case.nc")
    assert run(*words, "--format", "pvgis", "--dry-run").exit_code == 0
    done = run(*words, "--format", "pvgiss")
    assert done.exit_code == 2
    assert "'pvgiss' is no format" in done.output
    assert run(*words, "--format", "csv").exit_code == 2  # says that columns are to be named


def test_a_case_takes_the_money_of_its_prices(run, tmp_path, written):
    """Pence per kWh make a case in GBP: 20 p/kWh are 200 GBP/MWh, and the assumptions say what
    that means for amounts that nobody gave.
    """
    agile = written(price_writers.octopus, "agile.json", factor=1.0)
    output = tmp_path / "case.nc"
    words = ("--template", "commuters", "--vehicles", "2", "--days", "1")
    done = run("import", "prices", agile, *words, "-o", output, "--timezone", "Europe/Berlin")
    assert done.exit_code == 0, done.output
    case = v2g.read(output)
    assert case.attrs["currency"] == "GBP"
    assert case["energy"].price.attrs["units"] == "GBP/MWh"
    assert float(case["energy"].price.isel(market=0, time=20)) == pytest.approx(200)
    assert "defaults made for EUR, taken as so many GBP" in case.attrs["assumptions"]
    assert "EUR per kWh" not in case.attrs["assumptions"]
    assert v2g.solve(case)["audit"].attrs["passed"]


def test_other_money_does_not_enter_a_case(run, tmp_path, written):
    """A case with wear in EUR refuses prices in SEK and names both; one without takes them."""
    nordic = written(price_writers.nord_pool, "nordic.json")
    spot = written(price_writers.awattar, "spot.json")
    roof = written(price_writers.pvgis, "roof.csv")
    worn, plain = tmp_path / "worn.nc", tmp_path / "plain.nc"
    words = ("--template", "commuters", "--vehicles", "1", "--days", "1")
    done = run("import", "prices", spot, *words, "--timezone", "Europe/Berlin", "-o", worn)
    assert done.exit_code == 0, done.output
    done = run("import", "prices", nordic, "--into", worn, "-o", tmp_path / "out.nc")
    assert done.exit_code == 3
    assert "the prices are in SEK, the case in EUR, with amounts in fleet.wear" in done.output

    assert run("import", "pv", roof, "--prices", spot, "-o", plain).exit_code == 0
    done = run("import", "prices", nordic, "--into", plain, "-o", tmp_path / "out.nc")
    assert done.exit_code == 0, done.output
    case = v2g.read(tmp_path / "out.nc")
    assert case.attrs["currency"] == "SEK"
    assert float(case["energy"].price.isel(market=0, time=5)) == 5.0
    v2g.check(case)
