"""`scenarios` and `value`: from a case to several futures, and what they are worth."""

import json

import numpy as np
import pandas as pd
import pytest
from cases import case, market, storage, vehicle

import v2g_linopy as v2g

WEIGHTS = {"high": 0.25, "low": 0.75}


@pytest.fixture
def history(tmp_path):
    """Five days of noisy prices, for a battery."""
    prices = np.random.default_rng(0).normal(50, 10, 5 * 24)
    path = tmp_path / "history.nc"
    v2g.write(case(None, market(list(prices)), battery=storage(wear=0.01)), path)
    return path


@pytest.fixture
def futures(tmp_path):
    """The case of test_value_of_information: 10 kWh in a quarter of the cases, else 4; 30 before,
    80 after.
    """
    ev = vehicle(energy_min={"high": [10.0], "low": [4.0]}, energy_max=10.0)
    path = tmp_path / "futures.nc"
    gates = {"day_ahead": market([30.0]), "intraday": market([80.0], first_stage=0)}
    v2g.write(case(ev, gates, scenarios=WEIGHTS), path)
    return path


def test_scenarios_are_drawn_reduced_and_written(run, history, tmp_path):
    """Twelve drawn, four kept; the same seed writes the same; half of the objective is CVaR."""
    words = (
        "scenarios",
        history,
        "-n",
        12,
        "--reduce-to",
        4,
        "--seed",
        2,
        "--risk",
        0.5,
        "--confidence",
        0.75,
    )
    for name in ("one", "two"):
        assert run(*words, "-o", tmp_path / name).exit_code == 0
    one, two = (v2g.read(tmp_path / f"{name}.nc") for name in ("one", "two"))
    assert one.sizes["scenario"] == 4 and float(one["probability"].sum()) == pytest.approx(1)
    assert one["energy"].to_dataset().equals(two["energy"].to_dataset())
    assert (float(one["risk"].weight), float(one["risk"].confidence)) == (0.5, 0.75)
    assert "4 of 12 scenarios kept" in one.attrs["history"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "how many to draw"),
        (("-n", 3, "--confidence", 0.5), 2, "only with --risk"),
        (("-n", 3, "--risk", 1.5), 2, "--risk"),
        (("-n", 3, "--vary", "energy.prize"), 3, "did you mean energy.price?"),
        (("-n", 3, "--reduce-to", 5), 3, "keep 1 to 3"),
        (("-n", 3, "--risk", 0.5, "--confidence", 1), 3, "leaves no scenario in the tail"),
    ],
)
def test_what_is_refused(run, history, tmp_path, words, code, said):
    """One message, the right code, nothing written."""
    result = run("scenarios", history, "-o", tmp_path / "x.nc", *words)
    assert result.exit_code == code and said in result.stderr
    assert not (tmp_path / "x.nc").exists()


def test_the_value_of_knowing_and_of_planning(run, futures):
    """By hand: WS -0.165, RP -0.24, EEV -0.255."""
    found = json.loads(run("value", futures, "--json", "-q").stdout)
    assert found["WS"] == pytest.approx(-0.165) and found["RP"] == pytest.approx(-0.24)
    assert found["EVPI"] == pytest.approx(0.075) and found["VSS"] == pytest.approx(0.015)
    assert found["infeasible"] is None
    words = run("value", futures, "-q").stdout
    assert "EVPI" in words and "0.07 EUR" in words or "0.08 EUR" in words


def test_a_mean_plan_that_cannot_be_kept_is_told(run, futures):
    """Without the second market and with hard needs: EEV is minus infinity, null in JSON."""
    words = (
        "value",
        futures,
        "--set",
        "energy[intraday].limit=0",
        "--set",
        "fleet.unserved_cost=nan",
    )
    found = json.loads(run(*words, "--json", "-q").stdout)
    assert found["EEV"] is None and found["infeasible"]
    assert "leaves some scenario without a plan" in run(*words, "-q").stdout


def test_value_needs_scenarios(run, history):
    """The message names the remedy."""
    result = run("value", history)
    assert result.exit_code == 3 and "scenario" in result.stderr


def test_solve_writes_the_curve_and_the_distribution(run, tmp_path):
    """A curve: bid_curve.csv stands beside bids.csv, a row per price; kpi.json has the profit of
    each scenario.

    10 kW that cost 30 EUR/MWh at 20 or 50: 0 or 0.20 EUR; the mean 0.10, the worst half 0.
    """
    path = tmp_path / "case.nc"
    roof = {"available": 10.0, "cost": 0.03}
    half, offer = {"low": 0.5, "high": 0.5}, market({"low": [20.0], "high": [50.0]}, bid="curve")
    tree = case(
        None, offer, renewable=roof, scenarios=half, risk={"weight": 0.5, "confidence": 0.5}
    )
    v2g.write(tree, path)
    assert run("solve", path, "-o", tmp_path / "out", "--no-report").exit_code == 0
    curve = pd.read_csv(tmp_path / "out" / "bid_curve.csv")
    assert curve["price"].tolist() == [20, 50] and curve["quantity_kW"].tolist() == [0, 10]
    found = json.loads((tmp_path / "out" / "kpi.json").read_text())
    assert found["profit"] == pytest.approx(0.10) and found["objective"] == pytest.approx(0.05)
    shown = found["profit_distribution"]
    assert (
        shown["confidence"] == 0.5
        and shown["cvar"] == pytest.approx(0)
        and shown["mean"] == pytest.approx(0.10)
    )
    assert [row["scenario"] for row in shown["scenarios"]] == ["low", "high"]
    again = run("solve", path, "-o", tmp_path / "out", "--no-report")
    assert again.exit_code == 8


def test_no_curve_no_file(run, futures, tmp_path):
    """Markets that take quantities have no curve."""
    assert run("solve", futures, "-o", tmp_path / "out", "--no-report").exit_code == 0
    assert not (tmp_path / "out" / "bid_curve.csv").exists()
