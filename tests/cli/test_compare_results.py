"""Results side by side: what changed, by cause and entry, and which inputs; nothing is solved."""

import json

import pytest
from cases import case, market

import v2g_linopy as v2g
from v2g_linopy.study.input_differences import input_differences


@pytest.fixture
def results(smart_case, tmp_path):
    """15 kWh at best prices for 0.35 EUR, and as unmanaged charging: 10 kWh at 30 and 5 at 20 for
    0.40 EUR. With a charger of 8 kW it is 8 at 20 and 7 at 30: 0.37 EUR.
    """
    paths = [tmp_path / name / "result.nc" for name in ("best", "plain", "slow")]
    v2g.write(v2g.solve(smart_case), paths[0])
    v2g.write(v2g.solve(smart_case, fix={"fleet.charge": v2g.unmanaged(smart_case)}), paths[1])
    slow = smart_case.copy()
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
    table = table_of(words.partition("where the objective comes from")[2])
    assert table["energy"] == ["-0.30", "-0.30", "+0.00"]
    assert table["deviation"] == ["0.02", "-0.06", "-0.08"]
    sources = json.loads(run("compare", *paths, "--json").stdout)["sources"]
    assert [x["deviation"] for x in sources] == pytest.approx([0.02, -0.06])
