"""`vpp`: a portfolio and its sites by files, and in one command."""

import json
import re

import pandas as pd
import pytest
from cases import case, engine, market, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.solve.decompose import pool


@pytest.fixture
def roofs(tmp_path):
    """10 kW of sun at each of two pods, at 0.02 and 0.05 EUR/kWh, behind 12 kW of market at 100
    EUR/MWh: 1.2 - 0.2 - 0.1 = 0.9 EUR.
    """
    sun = {
        "near": {"available": [10.0], "cost": 0.02, "pod": "near"},
        "far": {"available": [10.0], "cost": 0.05, "pod": "far/out"},
    }
    path = tmp_path / "roofs.nc"
    v2g.write(case(None, market([100.0], limit=12.0), renewable=sun), path)
    return path


def test_a_portfolio_by_files(run, roofs, tmp_path):
    """Split, and three rounds of plan and join; the price falls to 50 EUR/MWh, where the far roof
    does not care, and what comes back is worth 0.9 EUR.
    """
    group, plans = tmp_path / "group", tmp_path / "plans"
    assert run("vpp", "split", roofs, "-o", group).exit_code == 0
    sites = sorted((group / "sites").iterdir())
    assert [path.name for path in sites] == ["far_out.nc", "near.nc"]
    for number in range(3):
        told = group / f"message-{number:03d}.nc"
        for site in sites:
            done = run("vpp", "plan", site, told, "-o", plans / f"{site.stem}-{number}.nc")
            assert done.exit_code == 0, done.output
        known = sorted(plans.iterdir())
        done = run(
            *("vpp", "join", group / "portfolio.nc", *known, "--told", told),
            *("-o", group, "--force", "--json"),
        )
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert found["bound"] >= 0.9 - 1e-9
        if found["missing_kw"] <= 1e-6 and found["bound"] - found["value"] < 1e-6:
            break
    assert found["value"] == approx(0.9)
    price = v2g.read(group / f"message-{number + 1:03d}.nc")["price"]["power"]
    assert float(price.max()) == approx(50.0)

    done = run("vpp", "share", group / "mixed.nc", *sites, "-o", tmp_path / "shares")
    assert done.exit_code == 0, done.output
    assert "the whole was replayed and passes: 0.9" in done.stdout
    whole = v2g.read(tmp_path / "shares" / "whole.nc")
    assert v2g.replay(whole).attrs["passed"] == 1
    assert v2g.read(tmp_path / "shares" / "far_out.nc").attrs["objective"] == approx(-0.1)


def test_files_that_are_there_are_kept(run, roofs, tmp_path):
    """A second split leaves with 8, and nothing is written."""
    group = tmp_path / "group"
    assert run("vpp", "split", roofs, "-o", group).exit_code == 0
    before = {path: path.read_bytes() for path in group.rglob("*.nc")}
    assert run("vpp", "split", roofs, "-o", group).exit_code == 8
    assert {path: path.read_bytes() for path in group.rglob("*.nc")} == before


def test_a_plan_that_is_none_is_named(run, roofs, tmp_path):
    """A message in place of a plan, and a site without one: both are said, exit code 3."""
    group = tmp_path / "group"
    run("vpp", "split", roofs, "-o", group)
    done = run("vpp", "join", group / "portfolio.nc", group / "message-000.nc", "-o", group)
    assert done.exit_code == 3
    assert "is no plan" in done.stderr and "there is no plan of near" in done.stderr
    assert not (group / "mixed.nc").exists()


def test_a_case_of_several_sites_is_no_site(run, roofs, tmp_path):
    """The whole case cannot answer for one site."""
    group = tmp_path / "group"
    run("vpp", "split", roofs, "-o", group)
    done = run("vpp", "plan", roofs, group / "message-000.nc", "-o", tmp_path / "plan.nc")
    assert done.exit_code == 3 and "split the case first" in done.stderr


def test_in_one_command(run, roofs, tmp_path):
    """The files of `solve`, and the method in the key figures."""
    done = run("vpp", "solve", roofs, "-o", tmp_path / "out", "--no-report")
    assert done.exit_code == 0, done.output
    result = v2g.read(tmp_path / "out" / "result.nc")
    assert result.attrs["method"] == "sites" and result.attrs["profit"] == approx(0.9)
    assert result["decomposition"]["alone"].sizes["pod"] == 2
    assert "flexibility_bands" in result.children
    assert not (tmp_path / "out" / ".rounds").exists()


def test_after_an_interruption(run, roofs, tmp_path, monkeypatch):
    """Ended in the second round, the first one is kept: the same command says so, and comes to the
    same profit. With `--force` it starts anew.
    """
    answer, rounds = pool.LocalSites.plans, []

    def ends(sites, told):
        rounds.append(told)
        if len(rounds) == 2:
            raise KeyboardInterrupt
        return answer(sites, told)

    words = (
        "vpp",
        "solve",
        roofs,
        "-o",
        tmp_path / "out",
        "--no-report",
        "--no-alone",
        "--no-bands",
    )
    with monkeypatch.context() as patched:
        patched.setattr(pool.LocalSites, "plans", ends)
        assert run(*words).exit_code == 130
    assert [p.name for p in (tmp_path / "out" / ".rounds").iterdir()] == ["00000.nc"]
    done = run(*words)
    assert done.exit_code == 0 and "1 round kept" in done.stderr
    result = v2g.read(tmp_path / "out" / "result.nc")
    assert result.attrs["profit"] == approx(0.9) and "flexibility_bands" not in result.children
    assert not (tmp_path / "out" / ".rounds").exists()
    (tmp_path / "out" / ".rounds").mkdir()
    (tmp_path / "out" / ".rounds" / "00000.nc").write_bytes(b"no round")
    assert run(*words, "--force").exit_code == 0


@pytest.mark.parametrize("way", ["sites", "decompose"])
def test_power_that_is_missing_at_the_end_is_named(run, tmp_path, way):
    """A car must have 8 kWh after two hours, at 10 kW, beside a house of 5 kW; 6 kW may be drawn in
    the first hour and 5 in the second, which leaves it 1 kWh: 7 kW are missing, over both hours.
    What is missing is said by step and kW, exit code 4, and no file is written.
    """
    car = vehicle(energy_min=[0.0, 8.0], unserved_cost=float("nan"), pod="garage")
    house = {"baseline": [5.0, 5.0], "pod": "house" if way == "sites" else "garage"}
    limits = {"garage": {"import_max": [6.0, 5.0] if way == "decompose" else [20.0, 20.0]}}
    limits |= {"house": {"import_max": [20.0, 20.0]}} if way == "sites" else {}
    drawn = [6.0, 5.0] if way == "sites" else [50.0, 50.0]
    tree = case(car, market([100.0, 100.0], limit=drawn), None, limits, load=house)
    v2g.write(tree, tmp_path / "tight.nc")
    command = ("vpp", "solve") if way == "sites" else ("solve",)
    options = () if way == "sites" else ("--method", way)
    done = run(*command, tmp_path / "tight.nc", *options, "-o", tmp_path / "out")
    assert done.exit_code == 4
    named = re.findall(r"([\d.]+) kW", done.stderr)
    assert sum(map(float, named)) == approx(7.0), done.stderr
    assert "2026-01-05 0" in done.stderr
    assert not (tmp_path / "out" / "result.nc").exists()


def test_a_gap_that_is_left_is_told(run, tmp_path):
    """An engine that runs at 6 to 10 kW or not at all: 0.5 of 0.58 EUR, exit code 6."""
    hall = engine(power_min=6.0, eta_power=0.5, fuel_price=30.0, pod="hall", dump_max=10.0)
    roof = {"available": [10.0], "cost": 0.05, "pod": "roof"}
    path = tmp_path / "hall.nc"
    v2g.write(case(None, market([100.0], limit=12.0), renewable=roof, chp=hall), path)
    done = run("vpp", "solve", path, "-o", tmp_path / "out", "--no-report")
    assert done.exit_code == 6, done.output
    assert v2g.read(tmp_path / "out" / "result.nc").attrs["certified_gap"] == approx(0.08)


def test_bands_as_a_table(run, roofs, tmp_path):
    """Two roofs of 10 kW feed in at most 10 each, 20 together; each value stands alone."""
    table = tmp_path / "bands.csv"
    done = run("flexibility", roofs, "-o", table)
    assert done.exit_code == 0, done.output
    assert "portfolio: draws at most 0 kW and feeds in at most 20 kW" in done.stdout
    assert "all together need not be" in done.stdout
    rows = pd.read_csv(table)
    rows = pd.read_csv(table)
    near = rows[(rows["pod"] == "near") & (rows["edge"] == "min")]
    assert near.value.tolist() == [-10.0, -10.0] and near.unit.tolist() == ["kW", "kWh"]
    assert near.start.tolist() == [near.start.tolist()[0]] * 2 and near.note.isna().all()
    assert run("flexibility", roofs, "-o", table).exit_code == 8


def test_bands_that_are_asked_for(run, roofs, tmp_path):
    """A window, an hour that is held, a price, one site, and a picture of it."""
    table, picture = tmp_path / "bands.csv", tmp_path / "bands.png"
    asked = ("--window", "noon=2026-01-05T00:00..2026-01-05T01:00", "--hours", "1")
    asked += ("--shift", "0.5", "--pod", "near", "--nodes", "0")
    done = run("flexibility", roofs, *asked, "-o", table, "--plot", picture)
    assert done.exit_code == 0, done.output
    assert "noon: near draws -10 to 0 kWh" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = pd.read_csv(table)
    kinds = {"power", "energy", "window_energy", "product", "shift", "shift_cost"}
    assert {*rows.quantity} == kinds and {*rows.pod} == {"near"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--window", "noon=12:00"), 2, "give START..END"),
        (("--hours", "one"), 2, "is no list of numbers"),
        (("--plot", "bands.gif"), 2, "a picture ends in .png or .svg"),
        (
            ("--hours", "0.5", "--pod", "nera"),
            3,
            "'nera' is no site of the case; did you mean near?",
        ),
    ],
)
def test_bands_that_are_none(run, roofs, words, code, said):
    """The option and its remedy are named, and nothing is solved."""
    done = run("flexibility", roofs, *words)
    assert done.exit_code == code and said in " ".join(done.stderr.split())
