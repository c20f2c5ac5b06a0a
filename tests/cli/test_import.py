"""From published files to a case on one command line, and what is refused on the way."""

import json

import numpy as np
import pytest
import xarray as xr
from reference_data import reference

import v2g_linopy as v2g

QUARTERS = ["2019-10-26T23:30", "2019-10-26T23:45", "2019-10-27T00:00", "2019-10-27T00:15"]

MIXED = [
    f"2019-06-01 {stamp},1"
    for stamp in ("00:00", "01:00", "02:00", "03:00", "03:15", "03:30", "03:45")
]


def csv(path, rows: list[str]) -> str:
    path.write_text("\n".join(["when,price", *rows]) + "\n")
    return str(path)


def test_the_italian_job(run, tmp_path):
    """GME and Terna workbooks to a case and a plan; the prices in the case are those of the
    reference file.
    """
    files = [reference(f"raw/{name}.xlsx") for name in ("gme_pun_2019", "terna_nord_2019")]
    case = tmp_path / "italy.nc"
    made = run(
        "import",
        "prices",
        *files,
        "--template",
        "commuters",
        "--vehicles",
        5,
        "--days",
        3,
        "-o",
        case,
    )
    assert made.exit_code == 0, made.output
    known = xr.load_dataset(reference("italy_prices_2019.nc")).isel(time=slice(0, 72))
    tree = v2g.read(case)
    np.testing.assert_allclose(tree["energy"]["price"].sel(market="day_ahead"), known.price_pun)
    np.testing.assert_allclose(
        tree["reserve"]["capacity_price"].sel(product="up"), known.price_up.fillna(0)
    )
    np.testing.assert_array_equal(
        tree["reserve"]["volume_max"].sel(product="down") > 0, known.price_down > 0
    )
    solved = run("solve", case, "-o", tmp_path / "out", "--no-report", "--json")
    assert solved.exit_code == 0, solved.output
    kpi = json.loads(solved.stdout)["kpi"]
    assert kpi["profit"] > 0
    assert kpi["unserved"] == []
    assert kpi["audit"]["passed"]


def test_the_dutch_job(run, tmp_path):
    """Two weeks of ElaadNL sessions at quarter-hours: every need served, or named with the kWh
    missing.
    """
    case = tmp_path / "dutch.nc"
    made = run(
        *("import", "sessions", reference("raw/elaadnl_sessions_2019.csv"), "-o", case, "--json"),
        *(
            "--prices",
            reference("nl_prices_2019.nc"),
            "--price-ambiguous",
            "both",
            "--price-nonexistent",
            "drop",
        ),
        *(
            "--step",
            "15min",
            "--start",
            "2019-06-03",
            "--end",
            "2019-06-17",
            "--assume",
            "defaults",
        ),
    )
    assert made.exit_code == 0, made.output
    document = json.loads(made.stdout)
    assert document["steps"] == 14 * 96
    assert "sessions dropped" in document["warnings"][0]
    assert any("Battery of a session" in note for note in document["assumptions"])
    solved = run("solve", case, "-o", tmp_path / "out", "--no-report", "--json")
    assert json.loads(solved.stdout)["kpi"]["energy"]["unserved_kWh"] == pytest.approx(0, abs=1e-6)


def test_a_guess_has_to_be_asked_for(run, tmp_path):
    """ElaadNL holds no batteries: without --assume nothing is made up, and the message states the
    rule on offer.
    """
    result = run(
        *(
            "import",
            "sessions",
            reference("raw/elaadnl_sessions_2019.csv"),
            "-o",
            tmp_path / "x.nc",
        ),
        *(
            "--prices",
            reference("nl_prices_2019.nc"),
            "--price-ambiguous",
            "both",
            "--price-nonexistent",
            "drop",
        ),
    )
    assert result.exit_code == 3
    for word in ("sessions.capacity", "sessions.energy_arrival", "--assume defaults", "60 kWh"):
        assert word in result.stderr
    assert not (tmp_path / "x.nc").exists()


def test_prices_into_a_case(run, case_file, tmp_path):
    """Four prices of a csv, local hours, replace those of the case; its only market takes whatever
    name they have.
    """
    rows = [f"2026-01-05 0{hour}:00,{10 * hour}" for hour in range(4)]
    source = csv(tmp_path / "spot.csv", rows)
    result = run(
        *("import", "prices", source, "--column", "time=when", "--column", "spot=price"),
        *("--timezone", "Europe/Rome", "--into", case_file, "-o", tmp_path / "new"),
    )
    assert result.exit_code == 0, result.output
    new = v2g.read(tmp_path / "new.nc")
    assert new["energy"]["price"].sel(market="day_ahead").values.tolist() == [0, 10, 20, 30]
    assert v2g.read(case_file)["energy"]["price"].values.tolist() == [[30, 20, 60, 40]], (
        "the case given is as it was"
    )


def test_prices_of_a_second_file_leave_nothing_of_the_first(run, case_file, tmp_path):
    """Two files in turn, or the second alone: one case. The command says what is kept."""
    known = v2g.read(case_file)
    known["energy/spread"] = xr.zeros_like(known["energy/price"])
    v2g.write(known, case_file, overwrite=True)
    for name in ("first", "second"):
        rows = [f"2026-01-05 0{hour}:00,{len(name) * hour}" for hour in range(4)]
        csv(tmp_path / f"{name}.csv", rows)

    def into(name, case, zone, *options):
        words = ("--column", "time=when", "--column", "spot=price", "--timezone", zone)
        words += ("--into", case, "-o", tmp_path / f"{name}-{zone[-2:]}.nc", *options)
        return run("import", "prices", tmp_path / f"{name}.csv", *words)

    assert into("first", case_file, "Europe/Paris").exit_code == 0
    assert into("second", tmp_path / "first-is.nc", "Europe/Rome").exit_code == 0
    made = into("second", case_file, "Etc/GMT-1")
    assert made.exit_code == 0, made.output
    assert "replaced: the prices of /energy\n" in made.stderr
    assert "kept, as part of the market: limit, spread" in made.stderr
    through, direct = v2g.read(tmp_path / "second-me.nc"), v2g.read(tmp_path / "second--1.nc")
    xr.testing.assert_equal(through, direct)
    assert through.attrs == direct.attrs
    assert through["energy"].attrs == direct["energy"].attrs
    assert "second.csv" in direct.attrs["source"] and "first" not in through.attrs["source"]
    refused = into("second", case_file, "Etc/GMT-1", "--vehicles", 3, "--force")
    assert refused.exit_code == 2 and "not for one there is" in refused.stderr


@pytest.mark.parametrize(
    ("rows", "options", "code", "expected"),
    [
        (["2019-06-01 00:00,1", "2019-06-01 01:00,2"], [], 3, "timezone"),
        (
            ["2019-10-27 02:00,1", "2019-10-27 03:00,2"],
            ["--timezone", "Europe/Rome"],
            3,
            "2019-10-27 02:00",
        ),
        (["2019-06-01 00:00,1", "2019-06-01 01:00,x"], ["--timezone", "UTC"], 3, "row 3"),
        (["2019-06-01 00:00,1", "2019-06-01 00:00,2"], ["--timezone", "UTC"], 3, "more than once"),
        (
            ["2019-06-01 00:00,1", "2019-06-01 01:00,2"],
            ["--timezone", "Europe/Roma"],
            3,
            "Europe/Roma",
        ),
        (
            ["2019-06-01 00:00,1", "2019-06-01 01:00,2"],
            ["--timezone", "UTC", "--resample", "soon"],
            2,
            "15min",
        ),
        (
            ["2019-06-01 00:00,1", "2019-06-01 01:00,2"],
            ["--timezone", "UTC", "--ambiguous", "third"],
            2,
            "--ambiguous",
        ),
        (["2019-06-01 00:00,1", "2019-06-01 01:00,2"], ["--format", "exel"], 2, "--format"),
        ([], ["--timezone", "UTC"], 3, "no rows"),
        (MIXED, ["--timezone", "UTC"], 3, "several lengths"),
    ],
)
def test_bad_prices(run, tmp_path, rows, options, code, expected):
    source = csv(tmp_path / "spot.csv", rows)
    columns = ["--column", "time=when", "--column", "day_ahead=price"]
    result = run("import", "prices", source, *columns, *options, "-o", tmp_path / "out.nc")
    assert result.exit_code == code, result.output
    assert expected in result.stderr
    assert not (tmp_path / "out.nc").exists()


def test_columns_must_be_named(run, tmp_path):
    source = csv(tmp_path / "spot.csv", ["2019-06-01 00:00,1"])
    result = run("import", "prices", source, "--timezone", "UTC", "-o", tmp_path / "out.nc")
    assert result.exit_code == 2
    assert "when, price" in result.stderr


def test_a_tidy_file_of_prices(run, tmp_path):
    """Times with an offset need no zone and no rule, not even in the night the clock goes back."""
    rows = [f"{stamp}Z,{value}" for stamp, value in zip(QUARTERS, (1, 2, 3, 4), strict=True)]
    source = csv(tmp_path / "spot.csv", rows)
    columns = ["--column", "time=when", "--column", "day_ahead=price"]
    result = run("import", "prices", source, *columns, "-o", tmp_path / "tidy", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["steps"] == 4
    assert xr.load_dataset(tmp_path / "tidy.nc").day_ahead.values.tolist() == [1, 2, 3, 4]


def test_a_dry_run_writes_nothing(run, tmp_path):
    source = csv(tmp_path / "spot.csv", [f"2019-06-01T0{h}:00Z,{h}" for h in range(3)])
    columns = ["--column", "time=when", "--column", "day_ahead=price"]
    result = run("import", "prices", source, *columns, "-o", tmp_path / "tidy", "--dry-run")
    assert result.exit_code == 0
    assert "would write" in result.stdout
    assert not (tmp_path / "tidy.nc").exists()
