"""Scenarios: what is decided before they are known, what waits, and how they are weighted."""

import pytest
from cases import case, market, row, vehicle
from pytest import approx

PRICES = {"low": [10, 30], "high": [50, 30]}
WEIGHTS = {"low": 0.75, "high": 0.25}
NEEDY = vehicle(energy_min=[0, 10])


def test_day_ahead_is_decided_before_the_scenario(pipeline):
    """10 kWh at 10 or 50 EUR/MWh now (3 : 1), or at 30 later: the mean of 20 is bought now in both
    scenarios, 0.20 EUR.

    Proves first-stage equality and the weights: knowing the scenario it would cost 0.15, with equal
    weights 0.30. The mean shadow price of the first hour is the mean market price, 20, whatever the
    equality rows do to each scenario's own."""
    result = pipeline(case(NEEDY, market(PRICES), scenarios=WEIGHTS))
    assert result.attrs["profit"] == approx(-0.20)
    for scenario in WEIGHTS:
        assert row(result, "energy.position", scenario=scenario) == [-10, 0]
    mean = (result["price"].electricity * result["probability"]).sum("scenario")
    assert float(mean[0, 0]) == approx(20)
    assert result["dual"]["energy.position.first_stage"].sel(scenario="low").isnull().all()


def test_wait_and_see(pipeline):
    """With `first_stage` 0 each scenario has its own plan: 0.75 x 0.10 + 0.25 x 0.30 = 0.15 EUR.

    Each scenario's price is its market's: the weights are divided out.
    """
    result = pipeline(case(NEEDY, market(PRICES, first_stage=0), scenarios=WEIGHTS))
    assert result.attrs["profit"] == approx(-0.15)
    assert row(result, "energy.position", scenario="low") == [-10, 0]
    assert row(result, "energy.position", scenario="high") == [0, -10]
    assert row(result, "price.electricity", scenario="low")[0] == approx(10)
    assert row(result, "price.electricity", scenario="high")[1] == approx(30)


def test_recourse_in_a_second_market(pipeline):
    """Bought day-ahead at 30 before the need is known; intraday at 80 after. The need is 10 kWh in
    one scenario of four, else 4.

    4 kWh are bought day-ahead, 6 more intraday where needed: 0.12 + 0.25 x 0.48 = 0.24 EUR. Buying
    all 10 day-ahead would cost 0.30, knowing the scenario 0.165. Proves that each market's flag is
    its own."""
    gates = {"day_ahead": market([30]), "intraday": market([80], first_stage=0)}
    ev = vehicle(energy_min={"high": [10], "low": [4]}, energy_max={"high": [10], "low": [4]})
    result = pipeline(case(ev, gates, scenarios={"high": 0.25, "low": 0.75}))
    assert result.attrs["profit"] == approx(-0.24)
    assert row(result, "energy.position", market="day_ahead") == [-4, -4]
    assert row(result, "energy.position", market="intraday") == [-6, 0]


@pytest.mark.parametrize("first_stage", [0, 1])
def test_identical_scenarios_are_one(pipeline, first_stage):
    """The same prices in every scenario: the plan and the cost of the deterministic case, 0.10
    EUR.
    """
    tree = case(NEEDY, market([10, 30], first_stage=first_stage), scenarios=WEIGHTS)
    assert pipeline(tree).attrs["profit"] == approx(-0.10)
