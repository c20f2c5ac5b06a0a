"""`menu`: contracts from numbers or a file, their table, page and proof."""

import json

import pandas as pd
import pytest
import xarray as xr
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.report.figures.menu_lines import indifference_lines
from v2g_linopy.report.menu_table import menu_table

NUMBERS = (
    *("--theta", ".5,.75,1,1.25,1.5", "--share", ".2,.2,.2,.2,.2", "--wear", ".01"),
    *("--term", "3", "--power", "11", "--utility", "log", "--scale", ".2"),
)


@pytest.fixture(scope="module")
def found():
    """The five types of tests/study/test_menus.py."""
    theta = [0.5, 0.75, 1.0, 1.25, 1.5]
    return v2g.menu(theta=theta, share=0.2, wear=0.01, term=3, power=11, utility_scale=0.2)


@pytest.fixture
def menu_file(found, tmp_path):
    path = tmp_path / "offered.nc"
    v2g.write(found, path)
    return path


def test_a_menu_from_numbers(run, tmp_path):
    """Without a file in, three files out; 143/7 kWh for .2371 EUR, .0116 per kWh, 4.74 a month of
    20 stays.
    """
    done = run("menu", *NUMBERS, "-o", tmp_path / "out")
    assert done.exit_code == 0
    line = next(x for x in done.stdout.splitlines() if x.strip().startswith("4 "))
    assert line.split() == ["4", "0.2000", "20.4286", "0.2371", "0.0116", "0.0737", "4.7429", "4"]
    assert "worth 0.3292 EUR per owner; no menu is worth more than 0.3292" in done.stdout
    assert "no owner gains by the contract of another" in done.stdout
    table = pd.read_csv(tmp_path / "out" / "menu.csv", dtype={"type": str})
    assert table["payment_EUR"].tolist() == approx(
        [0.065714, 0.122857, 0.18, 0.237143, 0.294286], abs=1e-6
    )
    again = v2g.read(tmp_path / "out" / "menu.nc")
    assert "menu designed by v2g-linopy" in again.attrs["history"]
    assert float(again["contract"].energy[3]) == approx(143 / 7)


def test_the_page_says_what_owners_earn(run, menu_file, tmp_path):
    """Largest contract: 29 kWh, .2943 EUR, 2.94 EUR in a month of 10 stays; and the terms."""
    page = tmp_path / "owners.html"
    assert run("menu", menu_file, "-o", page, "--stays", 10).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "5 contracts: up to 2.94 EUR a month" in text
    assert "29.00</td>" in text and "0.2943</td>" in text and "<svg" in text
    assert "called or not" in text and "https://" not in text


def test_what_a_file_offers_is_judged_or_designed_anew(run, menu_file):
    """At five times the wear no owner takes a contract; designed anew, four types do."""
    judged = json.loads(run("menu", menu_file, "--wear", 0.05, "--json").stdout)
    assert {row["takes"] for row in judged["contracts"]} == {"none"}
    assert judged["proof"]["value_chosen"] == 0 and judged["proof"]["rationality"] < -0.2
    anew = json.loads(run("menu", menu_file, "--wear", 0.05, "--again", "--json").stdout)
    assert anew["proof"]["value"] == approx(0.086768, abs=1e-6)
    assert [row["note"] for row in anew["contracts"]] == ["excluded", "", "", "", ""]


def test_shares_that_may_be_off(run, menu_file):
    done = json.loads(run("menu", menu_file, "--again", "--robust", 0.05, "--json").stdout)
    assert done["proof"]["value"] == approx(0.318914, abs=1e-6)
    assert done["worst_share"] == approx([0.25, 0.25, 0.2, 0.15, 0.15])


def test_bad_numbers_are_told(run, menu_file, tmp_path):
    """Usage 2, data 3, an output that is there 8; nothing is written where it fails."""
    assert run("menu", "--theta", "a,b").exit_code == 2
    assert run("menu", "--again").exit_code == 2
    done = run("menu", menu_file, "--share", ".3", "-o", tmp_path / "new")
    assert done.exit_code == 3 and "shares of the types sum to 1.5, needs 1" in done.stderr
    assert not (tmp_path / "new").exists()
    assert run("menu", menu_file, "-o", menu_file).exit_code == 8
    dry = run("menu", menu_file, "-o", tmp_path / "new", "--dry-run")
    assert dry.exit_code == 0 and not (tmp_path / "new").exists()
    power = run("menu", *NUMBERS, "--table-energy", "0,1", "--utility", "table")
    assert power.exit_code == 3 and "contract.table_value" in power.stderr


def test_no_contract_stands_above_a_line():
    """Each line of the figure goes through the contract of its type, and no other is above it: an
    owner who prefers another contract would be seen.
    """
    found = v2g.menu(
        theta=[0.5, 0.75, 1.0], share=[0.45, 0.05, 0.5], wear=0.01,
        term=[1, 3], power=11, utility_scale=0.2,
    )  # fmt: skip
    figure = indifference_lines(found)
    assert len(figure.axes) == 2
    table = menu_table(found)
    for axes, (_, rows) in zip(figure.axes, table.groupby("class"), strict=True):
        lines = [x for x in axes.lines if str(x.get_label()).startswith("as good")]
        for line, mine in zip(lines, rows.to_dict("records"), strict=True):
            (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
            height = y0 + (y1 - y0) * rows["energy_kWh"] / (x1 - x0)
            assert (rows["payment_EUR"] <= height + 1e-9).all()
            at = y0 + (y1 - y0) * mine["energy_kWh"] / (x1 - x0)
            assert at == approx(mine["payment_EUR"])
        names = [x.get_text() for x in axes.texts]
        assert names[0] == "1, 2"  # pooled


def test_an_empty_menu_says_so(run, tmp_path):
    """Wear far above what an energy is worth: nobody is offered anything."""
    page = tmp_path / "none.html"
    done = run("menu", *NUMBERS, "--wear", 5, "-o", page)
    assert done.exit_code == 0 and "nothing is offered" in page.read_text(encoding="utf-8")


def test_a_menu_can_be_checked(run, menu_file):
    """It has no time stamps, and is no case without them; what is wrong is told as of a case."""
    done = run("check", menu_file)
    assert done.exit_code == 0 and "a menu for 5 types of owners, offered" in done.stdout
    assert "contract.reckons: not given, taken as full" in done.stdout
    tree = v2g.read(menu_file)
    tree["contract"] = tree["contract"].to_dataset().assign(share=0.3)
    v2g.write(tree, menu_file, overwrite=True)
    refused = run("check", menu_file)
    assert refused.exit_code == 3 and "shares of the types sum to 1.5" in refused.stderr


def test_a_menu_from_stays(run, tmp_path):
    """A full car at 60, 20, 20 EUR/MWh: a kWh of the first hour earns 4 cents and is paid at 2, so
    all 10 kWh of it are bought; the table goes into the menu.
    """
    time = pd.date_range("2026-03-02", periods=4, freq="h")
    stay = {"arrival": time[0], "departure": time[3], "capacity": 40.0, "energy_arrival": 40.0}
    stay |= {"energy_need": 40.0, "charge_max": 10.0, "eta_charge": 1.0, "eta_discharge": 1.0}
    stay = {name: ("session", [value]) for name, value in stay.items()}
    sessions = xr.Dataset(stay, coords={"session": ["monday"]})
    prices = xr.Dataset({"day_ahead": ("time", [60.0, 20.0, 20.0, 20.0])}, {"time": time})
    case = tmp_path / "stays.nc"
    v2g.write(v2g.case_from_sessions(sessions, prices, timezone="UTC"), case)
    words = ("menu", "--theta", 1, "--share", 1, "--wear", 0.02, "--schedule", case, "--json")
    done = run(*words, "--term", 1, "--power", 10, "--table-energy", "0,5,10")
    assert "1 of 1 stays may have a contract" in done.stderr
    (row,) = json.loads(done.stdout)["contracts"]
    assert row["energy_kWh"] == approx(10) and row["payment_EUR"] == approx(0.2)
    assert run(*words, "--term", 1).exit_code == 2  # without a power


@pytest.fixture
def station(tmp_path):
    """A full car from midnight to four at 60, 20, 20 and 20 EUR/MWh, of which 6 kW may leave the
    site.
    """
    time = pd.date_range("2026-03-02", periods=5, freq="h")
    stay = {"arrival": time[0], "departure": time[4], "capacity": 40.0, "energy_arrival": 40.0}
    stay |= {"energy_need": 40.0, "charge_max": 10.0, "discharge_max": 10.0}
    stay |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    stay = {name: ("session", [value]) for name, value in stay.items()}
    sessions = xr.Dataset(stay, coords={"session": ["monday"]})
    prices = xr.Dataset({"day_ahead": ("time", [60.0, 20.0, 20.0, 20.0, 90.0])}, {"time": time})
    tree = v2g.case_from_sessions(sessions, prices, timezone="UTC")
    tree["connection"] = xr.Dataset({"export_max": ("pod", [6.0])}, {"pod": ["site"]})
    v2g.write(tree, tmp_path / "station.nc")
    return tmp_path / "station.nc"


OWNERS = ("--theta", ".5,1", "--share", ".5,.5", "--wear", ".01", "--term", "1")


def test_a_menu_with_its_plan(run, station, tmp_path):
    """Half of the owners sell 10 kWh for .10 EUR, of which 5 kW leave the site on average, and the
    others 2, which are paid .04 and let the first gain .02: (5 + 1) .04 less .5 (.12 + .04).

    Where the type of the owner is drawn by seed 0, it is the second, of whose 10 kWh 6 can leave.
    """
    words = ("menu", station, "--integrated", *OWNERS, "--class-room", "10")
    done = run(*words, "--draws", 1, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "1 of 1 stays may have a contract" in done.stdout
    assert "worth 0.1600 EUR in the plan that designed it" in done.stdout
    assert "worth 0.1600 EUR where each owner takes the best contract" in done.stdout
    assert "types drawn 1 times: worth 0.1200 to 0.1200 EUR" in done.stdout
    written = v2g.read(tmp_path / "out" / "menu.nc")
    assert written["contract"].energy.values.ravel() == approx([2, 10])
    assert "worth 0.1600 EUR" in (tmp_path / "out" / "menu.html").read_text(encoding="utf-8")
    told = json.loads(run(*words, "--json").stdout)["proof"]
    assert told["plan_value"] == approx(0.16) and told["stays"] == 1


def test_what_a_plan_of_a_menu_needs(run, station):
    """A case; no option that would do nothing; and contracts that fit its stays."""
    assert run("menu", *OWNERS, "--integrated").exit_code == 2
    assert run("menu", station, *OWNERS, "--integrated", "--robust", 0.1).exit_code == 2
    assert run("menu", *OWNERS, "--power", 1, "--scale", 1, "--draws", 2).exit_code == 2
    done = run("menu", station, *OWNERS, "--integrated", "--term", 9, "--power", 10)
    assert done.exit_code == 3 and "9 h is longer than every stay" in done.stderr
