"""Tables as people have them, through the command line: right, with no option that the file itself
answers. The files are the made-up ones beside the repository; each trait has its own small file in
tests/data as well.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from reference_data import sample
from workbooks import workbook

import v2g_linopy as v2g

HOURLY = list(range(50, 74))
TWO_DAYS = [10.0 * k for k in range(1, 25)] * 2
PLAIN = ("time=Date", "day_ahead=Price")
BY_HOUR = ("date=Date", "hour=Hour", "day_ahead=Price")


def imported(run, tmp_path, name, columns, *options):
    out = tmp_path / "prices.nc"
    words = [word for column in columns for word in ("--column", column)]
    result = run("import", "prices", sample(f"tables/{name}"), *words, *options, "-o", out)
    assert result.exit_code == 0, result.output
    with xr.open_dataset(out) as file:
        return file.load(), result.stdout


@pytest.mark.parametrize(
    ("name", "columns", "options", "start", "values"),
    [
        (
            "time_first_summer.csv",
            ("time=Time", "day_ahead=Price"),
            ("--time-format", "%H:%M %d-%m-%Y"),
            "2026-07-01 22:00",
            TWO_DAYS,
        ),
        ("dash_dmy.csv", BY_HOUR, ("--time-format", "%d-%m-%Y"), "2026-03-01 23:00", TWO_DAYS),
        (
            "dash_dmy.csv",
            BY_HOUR,
            ("--time-format", "%d-%m-%Y", "--hours", "clock"),
            "2026-03-01 23:00",
            TWO_DAYS,
        ),
        (
            "spike_de.csv",
            ("time=Datum", "day_ahead=Preis"),
            ("--decimal", ","),
            "2026-03-01 23:00",
            [85.2, 1250, 90, 70],
        ),
        ("spike_en.csv", PLAIN, (), "2026-03-01 23:00", [85.2, 1250, 90, 70]),
        ("hour0.csv", BY_HOUR, (), "2026-03-01 23:00", HOURLY),
        ("range.csv", BY_HOUR, (), "2026-03-01 23:00", HOURLY),
        ("wide.csv", ("date=Date", "day_ahead=H*"), (), "2026-03-01 23:00", HOURLY),
        ("meta.csv", PLAIN, (), "2026-03-01 23:00", HOURLY),
        (
            "seq.csv",
            ("time=MTU", "day_ahead=Price"),
            ("--where", "Sequence=SDAC"),
            "2026-03-01 23:00",
            HOURLY,
        ),
        (
            "epoch.csv",
            ("time=start_timestamp", "day_ahead=marketprice"),
            (),
            "2026-03-04 00:00",
            [85.2, 80.1, 70.1],
        ),
    ],
)
def test_prices(run, tmp_path, name, columns, options, start, values):
    found, _ = imported(run, tmp_path, name, columns, "--timezone", "Europe/Berlin", *options)
    expected = pd.date_range(start, periods=len(values), freq="h", name="time")
    assert found.indexes["time"].equals(expected)
    np.testing.assert_allclose(found.day_ahead, values, rtol=0, atol=1e-9)


def test_an_auction_is_asked_for(run, tmp_path):
    words = ("--column", "time=MTU", "--column", "day_ahead=Price", "--timezone", "Europe/Berlin")
    path = sample("tables/seq.csv")
    result = run("import", "prices", path, *words, "-o", tmp_path / "p.nc")
    assert result.exit_code == 3
    assert "give --where Sequence=SDAC or EXAA" in result.stderr


@pytest.mark.parametrize("layout", ["old", "new"])
def test_the_transparency_platform_needs_no_option(run, tmp_path, layout):
    """484 quarter-hours, both hours at 2:00 in their order."""
    found, _ = imported(run, tmp_path, f"entsoe_export_{layout}_layout.csv", ())
    expected = pd.date_range("2025-10-23 22:00", periods=484, freq="15min", name="time")
    assert found.indexes["time"].equals(expected)
    assert (float(found.day_ahead.min()), float(found.day_ahead.max())) == (-29.49, 141.17)
    twice = found.day_ahead.sel(time=["2025-10-26 00:00", "2025-10-26 01:00"])
    assert twice.values.tolist() == [33.90, 40.82]


def test_records(run, tmp_path):
    spot, _ = imported(run, tmp_path, "awattar.json", ())
    assert spot.day_ahead.values.tolist() == [85.2, 80.1]
    assert spot.time.values[0] == np.datetime64("2026-03-04T00:00")
    (tmp_path / "prices.nc").unlink()
    home, said = imported(run, tmp_path, "tibber.json", (), "--unit", "EUR/kWh")
    assert home.day_ahead.values.tolist() == [0.31, 0.29]
    assert home.time.values[0] == np.datetime64("2026-03-03T23:00")
    assert "tax" in said


@pytest.fixture
def spot(tmp_path):
    """Three days of prices about a moment, in a file."""

    def around(moment):
        time = pd.date_range(pd.Timestamp(moment) - pd.Timedelta("36h"), periods=96, freq="h")
        prices = xr.Dataset({"day_ahead": ("time", np.full(96, 50.0))}, {"time": time})
        path = tmp_path / "spot.nc"
        prices.to_netcdf(path)
        return path

    return around


def stays(run, tmp_path, name, moment_prices, *options):
    out = tmp_path / "case.nc"
    words = ("--prices", moment_prices, "--assume", "defaults", "-o", out)
    result = run("import", "sessions", sample(f"tables/{name}"), *options, *words)
    assert result.exit_code == 0, result.output
    return v2g.read(out)["sessions"].to_dataset(), result.stdout


def column_words(**columns):
    return [word for name, header in columns.items() for word in ("--column", f"{name}={header}")]


IDS = column_words(
    session="id", vehicle="plug", arrival="in", departure="out", energy="kWh", power_max="kW"
)


def test_session_ids_are_text(run, tmp_path, spot):
    known, _ = stays(
        run, tmp_path, "leadzero.csv", spot("2027-12-31"), *IDS, "--timezone", "Europe/Berlin"
    )
    assert known.name.values.tolist() == ["007", "07"]


def test_a_stay_of_no_length(run, tmp_path, spot):
    known, said = stays(
        run, tmp_path, "zero_len.csv", spot("2027-12-31"), *IDS, "--timezone", "Europe/Berlin"
    )
    assert known.sizes["session"] == 1
    assert (
        "1 session left out, in which nothing can be planned (short stays): 1 (no length)" in said
    )


def test_a_zone_for_each_row(run, tmp_path, spot):
    """Over the change of the clock in California: 195, 255 and 45 minutes."""
    columns = column_words(
        arrival="Start Date",
        arrival_zone="Start Time Zone",
        departure="End Date",
        departure_zone="End Time Zone",
        energy="Energy (kWh)",
        connector="MAC Address",
    )
    more = ("--step", "15min", "--assume", "charger_power=7.2")
    known, _ = stays(run, tmp_path, "paloalto_layout.csv", spot("2020-11-01"), *columns, *more)
    minutes = (known.departure - known.arrival).values / np.timedelta64(1, "m")
    assert minutes.tolist() == [195, 255, 45]


def test_options_that_do_nothing_are_refused(run, tmp_path, spot):
    """Days and markets are those of a case; a file of prices has them all."""
    words = ("import", "prices", spot("2026-06-01"), "-o", tmp_path / "p.nc")
    for more in (("--days", "2"), ("--start", "2026-06-01"), ("--market", "day_ahead")):
        result = run(*words, *more)
        assert result.exit_code == 2, result.output
        assert "not for" in result.stderr
        assert not (tmp_path / "p.nc").exists()


def test_days_that_the_prices_cover_are_offered(run, tmp_path, spot):
    words = ("import", "prices", spot("2026-06-01"), "--template", "commuters", "--vehicles", "2")
    result = run(*words, "-o", tmp_path / "c.nc")
    assert result.exit_code == 3
    assert "give --days 3" in result.stderr
    assert run(*words, "--days", "3", "-o", tmp_path / "c.nc").exit_code == 0


def table(tmp_path, *rows):
    path = tmp_path / "spot.csv"
    path.write_text("\n".join(["T;P EUR/MWh", *rows]))
    return path, "--column=time=T", "--column=day_ahead=P EUR/MWh", "--timezone=UTC"


@pytest.mark.parametrize(
    ("rows", "more", "words"),
    [
        (["2026-06-01 00:00;1"], (), "at least two are needed"),
        (
            ["2026-06-01 00:00;1", "2026-06-01 01:00;2"],
            ("--resample", "2D"),
            "of a second to a day",
        ),
        (["2026-06-01 01:00;1", "2026-06-01 02:00;2"], ("--resample", "4h"), "fill no step"),
    ],
)
def test_nothing_is_left_where_a_file_is_refused(run, tmp_path, rows, more, words):
    """The file that was there before is still there, also with --force."""
    out = tmp_path / "p.nc"
    out.write_text("before")
    result = run("import", "prices", *table(tmp_path, *rows), *more, "-o", out, "--force")
    assert result.exit_code == 3, result.output
    assert words in result.stderr
    assert out.read_text() == "before"


def test_words_that_are_none_are_usage_errors(run, tmp_path):
    spot = table(tmp_path, "2026-06-01 00:00;1", "2026-06-01 01:00;2")
    for more in (("--hours", "x"), ("--missing", "x"), ("--resample", "15")):
        result = run("import", "prices", *spot, *more, "-o", tmp_path / "p.nc")
        assert result.exit_code == 2, (more, result.output)


def test_a_workbook_needs_no_format(run, tmp_path):
    rows = (["2026-06-01 00:00", 1.5], ["2026-06-01 01:00", 2.5])
    spot = workbook(tmp_path / "spot.xlsx", ["T", "P"], rows)
    words = ("import", "prices", spot, "-o", tmp_path / "p.nc")
    asked = run(*words)
    assert (asked.exit_code, "any other is read with --column" in asked.stderr) == (2, True)
    done = run(*words, "--column", "time=T", "--column", "day_ahead=P", "--timezone", "UTC")
    assert done.exit_code == 0, done.output
    assert "1.5 to 2.5 EUR/MWh" in done.stdout


def test_days_with_hours_in_which_nothing_was_accepted_follow_each_other(run, tmp_path):
    """NaN in a file of prices was asked for when it was made; two such files are one series."""
    for day in (1, 2):
        time = pd.date_range(f"2026-06-0{day}", periods=24, freq="h", name="time")
        prices = np.where(time.hour == 3, np.nan, 40.0 + day)
        array = ("time", prices, {"units": "EUR/MWh"})
        xr.Dataset({"regulation_up": array}, {"time": time}).to_netcdf(tmp_path / f"{day}.nc")
    files = (tmp_path / "1.nc", tmp_path / "2.nc")
    result = run("import", "prices", *files, "-o", tmp_path / "both.nc")
    assert result.exit_code == 0, result.output
    with xr.open_dataset(tmp_path / "both.nc") as both:
        assert both.sizes["time"] == 48
        assert int(both.regulation_up.isnull().sum()) == 2
