"""Results side by side: what changed, by cause and entry, and which inputs; nothing is solved."""

import json

import pandas as pd
import pytest
import xarray as xr
from by_hand import smart
from cases import case, market

import v2g_linopy as v2g
from v2g_linopy.study.input_differences import input_differences


@pytest.fixture(scope="module")
def results(smart_result, tmp_path_factory):
    """15 kWh at best prices for 0.35 EUR, and as unmanaged charging: 10 kWh at 30 and 5 at 20 for
    0.40 EUR. With a charger of 8 kW it is 8 at 20 and 7 at 30: 0.37 EUR.
    """
    folder, plain, slow = tmp_path_factory.mktemp("results"), smart(), smart()
    paths = [folder / name / "result.nc" for name in ("best", "plain", "slow")]
    v2g.write(smart_result, paths[0])
    v2g.write(v2g.solve(plain, fix={"fleet.charge": v2g.unmanaged(plain)}), paths[1])
    slow["fleet"] = (
        slow["fleet"].to_dataset().assign(charge_max=slow["fleet"].charge_max.clip(max=8.0))
    )
    v2g.write(v2g.solve(slow), paths[2])
    return paths


def table_of(words: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in words.splitlines() if line.split()}


def test_two_results_side_by_side(run, results):
    """Unmanaged costs 0.05 EUR more, all of it energy. Folders do as well as files."""
    words = run("compare", results[0].parent, results[1]).stdout
    table = table_of(words)
    assert table["profit"] == ["-0.35", "-0.40", "-0.05"]
    assert table["energy"] == table["energy.energy"] == ["-0.35", "-0.40", "-0.05"]
    assert "A and B have the same inputs" in words
    document = json.loads(run("compare", *results[:2], "--json").stdout)
    assert document["profit"] == pytest.approx([-0.35, -0.40])
    assert sum(row["change"] for row in document["entries"]) == pytest.approx(-0.05)


def test_three_results_and_what_differs(run, results):
    """The slow charger costs 0.02 EUR more; that its power is 8 instead of 10 kW in the three hours
    in which there is any is told.
    """
    done = run("compare", *results)
    words = done.stdout
    replayed = [line for line in done.stderr.splitlines() if "replayed:" in line]
    assert len(replayed) == 2, "what a fixed plan cannot prove is said of it, the rest once"
    assert all(str(path) in " ".join(replayed) for path in results)
    assert table_of(words)["profit"] == ["-0.35", "-0.40", "-0.37", "-0.05", "-0.02"]
    assert f"C is {results[2]}" in words
    assert "A and B have the same inputs" in words
    assert "inputs that differ, A -> C" in words
    (line,) = [line for line in words.splitlines() if "charge_max" in line]
    assert line.split("[")[0].split() == ["fleet.charge_max", "(kW)", "10", "->", "8"]
    assert "[3 steps from 2026-01-05 00:00 +0100]" in line
    document = json.loads(run("compare", *results, "--json").stdout)
    assert [row["field"] for row in document["inputs"]["C"]] == ["fleet.charge_max"]
    assert document["entries"][0]["change_C"] == pytest.approx(-0.02)


def test_members_groups_and_steps_that_differ(smart_case):
    """What only one of them has is a row of its own; the rest is compared where both have it."""
    other = smart_case.isel(time=slice(0, 3))
    other["energy"] = other["energy"].to_dataset().assign(limit=other["energy"].limit * 2)
    other["fleet"] = other["fleet"].to_dataset().assign_coords(fleet=["ev-009"])
    found = input_differences(smart_case, other).set_index("field")
    assert found.loc["time", "one"].startswith("4 steps of 1 h")
    assert found.loc["time", "other"].startswith("3 steps of 1 h")
    assert tuple(found.loc["fleet", ["one", "other"]]) == ("1: ev-001", "1: ev-009")
    assert tuple(found.loc["energy.limit", ["one", "other", "where"]]) == (
        "1000",
        "2000",
        "everywhere",
    )
    assert [*found.index] == ["time", "fleet", "energy.limit"], "a step that one has is no change"
    del other["fleet"]
    found = input_differences(smart_case, other).set_index("field")
    assert tuple(found.loc["/fleet", ["one", "other"]]) == ("there", "absent")


def test_what_cannot_be_compared(run, results, case_file):
    """A case has no bill, and options of solving would do nothing: both are said."""
    assert "is a case without a plan" in run("compare", results[0], case_file).stderr
    refused = run("compare", *results, "--set", "fleet.discharge_max=0")
    assert refused.exit_code == 2
    assert "compared as they are" in refused.stderr
    for option in ("--xlsx", "--force", "--dry-run", "--no-report", "--output=there"):
        refused = run("compare", *results, option)
        named = option.replace("--no-", "--").partition("=")[0]
        assert (refused.exit_code, named in refused.stderr) == (2, True), option


def test_results_with_imbalance_say_where_they_earn(run, tmp_path):
    """A house draws 6 kW at 50 EUR/MWh. Who bought 4 kW pays 40 for the rest, 0.02 EUR less; who
    bought 8 sells what is too much at 20, 0.06 EUR more.
    """
    paths = []
    for bought in (4.0, 8.0):
        paths.append(tmp_path / f"{bought:g}" / "result.nc")
        position = market(50.0, closed=1.0, committed=-bought)
        both = {"price_long": 20.0, "price_short": 40.0, "limit": 100.0}
        house = case(None, position, load={"baseline": [6.0]}, imbalance=both)
        v2g.write(v2g.solve(house), paths[-1])
    words = run("compare", *paths).stdout
    told = words.partition("where the objective comes from")[2].partition("step by step")[0]
    table = table_of(told)
    assert table["energy"] == ["-0.30", "-0.30", "+0.00"]
    assert table["deviation"] == ["0.02", "-0.06", "-0.08"]
    sources = json.loads(run("compare", *paths, "--json").stdout)["sources"]
    assert [x["deviation"] for x in sources] == pytest.approx([0.02, -0.06])


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """A car needs 10 kWh by the end of four hours. At once it draws at 50, 40 imbalance; the rule
    draws at 20, 30 imbalance; who knows imbalance draws at 10. Nothing is bid.
    """
    time = pd.date_range("2026-03-02", periods=4, freq="h")
    car = {"charge_max": 10.0, "energy_max": 10.0, "eta_charge": 1.0}
    car |= {"energy_min": ("time", [0.0, 0.0, 0.0, 10.0])}
    groups = {
        "fleet": xr.Dataset(car, {"fleet": ["ev"]}),
        "energy": xr.Dataset(
            {"price": ("time", [50.0, 20.0, 30.0, 60.0]), "limit": 99.0}, {"market": ["day_ahead"]}
        ),
        "imbalance": xr.Dataset({"price_long": ("time", [40.0, 30.0, 35.0, 10.0]), "limit": 99.0}),
        "gates": xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["day_ahead"]}),
    }
    kinds = {
        "at-once": ("unmanaged", "published"),
        "smart": ("rule", "published"),
        "known": ("rule", "perfect"),
    }
    tree, paths = v2g.assemble(time, groups), {}
    for name, (policy, forecast) in kinds.items():
        options = {"policy": policy, "forecast": forecast, "bids": "none", "hindsight": False}
        paths[name] = tmp_path_factory.mktemp(name, numbered=False)
        v2g.write(v2g.simulate(tree, **options), paths[name] / "result.nc")
    return paths


def test_steps_of_profit_and_their_page(run, ways, tmp_path):
    """At once: 0.50 for energy, and (50 - 40) 10 kWh = 0.10 back. The rule saves 0.30 and loses
    (20 - 30) 10 = 0.10 instead: 0.20 less. Who knows draws at 10 what costs 30: 0.20 more.
    """
    known = f"smart={ways['known']}"
    out = tmp_path / "steps"
    words = ("compare", ways["at-once"], ways["smart"], "--perfect", known, "-o", out)
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "wrote steps.csv, steps.html" in done.stdout
    text = done.stdout.partition("step by step, in this order")[2]
    table = table_of(text)
    assert text.split()[:4] == ["at-once", "+", "smart", "total"]
    assert table["energy"] == ["-0.50", "0.30", "-0.20"]
    assert table["deviation"] == ["0.10", "-0.20", "-0.10"]
    assert table["sum"] == ["-0.40", "0.10", "-0.30"]
    assert "smart, if it knew all prices        +0.20" in text
    document = json.loads(run(*words, "--json", "--force").stdout)
    assert document["steps"]["energy"]["+ smart"] == pytest.approx(0.3)
    assert document["known_prices"] == {"smart": pytest.approx(0.2)}
    assert sorted(document["files"]) == ["steps.csv", "steps.html"]
    sheet = pd.read_csv(out / "steps.csv", index_col="source")
    assert list(sheet.columns) == ["at-once", "change by smart", "total"]
    assert sheet.loc["sum", "total"] == pytest.approx(-0.3)
    page = (out / "steps.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "smart: +0.20 EUR" in page
    assert run(*words).exit_code == 8, "files that exist are left"


def test_a_run_that_knows_prices_must_be_the_same_otherwise(run, ways, results):
    """What is no perfect forecast, of another policy, or of no result that is compared, is told."""
    pair = ("compare", ways["at-once"], ways["smart"])
    wrong = run(*pair, "--perfect", f"smart={ways['smart']}")
    assert (wrong.exit_code, "simulate it with perfect" in wrong.stderr) == (3, True)
    other = run(*pair, "--perfect", f"A={ways['known']}")
    assert (other.exit_code, "'rule' beside 'unmanaged'" in other.stderr) == (3, True)
    for word in ("V2G=out", "smart", "smart="):
        refused = run(*pair, "--perfect", word)
        assert (refused.exit_code, "NAME=RESULT" in refused.stderr) == (2, True), word
    alone = run("compare", ways["at-once"], "--perfect", "A=out")
    assert "only with several results" in alone.stderr
    without = run("compare", *results[:2], "--perfect", "A=out")
    assert "a market and imbalance" in without.stderr
