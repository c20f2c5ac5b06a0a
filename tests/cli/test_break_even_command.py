"""`break-even`: what it says, and the table it writes."""

import json

import pandas as pd
import pytest
from cases import case, market, vehicle

import v2g_linopy as v2g


@pytest.fixture
def trading(tmp_path):
    """10 kWh bought at 20 and sold at 60 EUR/MWh, 10 more bought at 20 and sold at 40."""
    car = vehicle(discharge_max=10.0, energy_max=10.0)
    path = tmp_path / "case.nc"
    v2g.write(case(car, market([20.0, 60.0, 20.0, 40.0])), path)
    return path


def test_the_wear_that_v2g_bears(run, trading, tmp_path):
    table = tmp_path / "tried.csv"
    done = run("break-even", trading, "--payments", "0.1", "-o", table)
    assert done.exit_code == 0, done.output
    assert "costs less than 0.030000 EUR more" in done.stdout
    assert "earns 0.50 EUR above" in done.stdout
    assert "payments could be 6.0000 times as large" in done.stdout  # 0.60 EUR are 6 times 0.10
    assert pd.read_csv(table)["at"].tolist() == pytest.approx([0.0, 0.025, 0.03])
    assert run("break-even", trading, "-o", table).exit_code == 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--payments", "1"), "never pays: even without more wear it earns 0.40 EUR less"),
        (("--set", "energy.price=30"), "it earns no more than smart charging"),
        (("--over", "spread", "--from", "0.5", "--points", "2"), "pays at every spread tried"),
        (("--over", "spread", "--payments", "0.3", "--points", "2"), "spread 0.5"),
    ],
)
def test_what_it_says(run, trading, options, said):
    done = run("break-even", trading, *options)
    assert done.exit_code == 0, done.output
    assert said in done.stdout


def test_json_has_every_point(run, trading):
    done = run("break-even", trading, "--json")
    told = json.loads(done.stdout)
    assert told["break_even"] == pytest.approx([0.04])
    assert [x["at"] for x in told["tried"]] == pytest.approx([0.0, 0.03, 0.04])


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--over", "wages"), 2, "not among"),
        (("--points", "3"), 2, "only with --over spread"),
        (("--over", "spread", "--from", "2", "--to", "1"), 3, "2 to 1 is no range"),
        (("--set", "fleet.discharge_max=0"), 3, "nothing can be fed in"),
    ],
)
def test_what_cannot_be_asked(run, trading, options, code, said):
    refused = run("break-even", trading, *options)
    assert refused.exit_code == code
    assert said in " ".join(refused.stderr.split())
