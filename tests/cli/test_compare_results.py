"""Two results side by side: what changed, by cause and entry, without solving again."""

import json

import pytest

import v2g_linopy as v2g


@pytest.fixture
def results(smart_case, tmp_path):
    """15 kWh at best prices for 0.35 EUR, and as unmanaged charging: 10 kWh at 30 and 5 at 20 for
    0.40 EUR.
    """
    paths = [tmp_path / name / "result.nc" for name in ("best", "plain")]
    v2g.write(v2g.solve(smart_case), paths[0])
    v2g.write(v2g.solve(smart_case, fix={"fleet.charge": v2g.unmanaged(smart_case)}), paths[1])
    return paths


def test_two_results_side_by_side(run, results):
    """Unmanaged costs 0.05 EUR more, all of it energy. Folders do as well as files."""
    words = run("compare", results[0].parent, results[1]).stdout
    table = {line.split()[0]: line.split()[1:] for line in words.splitlines()}
    assert table["profit"] == ["-0.35", "-0.40", "-0.05"]
    assert table["energy"] == table["energy.energy"] == ["-0.35", "-0.40", "-0.05"]
    document = json.loads(run("compare", *results, "--json").stdout)
    assert document["profit"] == pytest.approx([-0.35, -0.40])
    assert sum(row["change"] for row in document["entries"]) == pytest.approx(-0.05)


def test_what_cannot_be_compared(run, results, case_file):
    """A case has no bill, and options of solving would do nothing: both are said."""
    assert "is a case without a plan" in run("compare", results[0], case_file).stderr
    refused = run("compare", *results, "--set", "fleet.discharge_max=0")
    assert refused.exit_code == 2
    assert "compared as they are" in refused.stderr
