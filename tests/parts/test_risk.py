"""Risk: the mean of the worst scenarios, what it changes, and that the bill still adds up."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, row, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.model import risk_measures

WEIGHTS = {"low": 0.75, "high": 0.25}
PRICES = {"low": [10, 30], "high": [50, 30]}
NEEDY = vehicle(energy_min=[0, 10])


@pytest.mark.parametrize(
    ("weight", "profit", "objective"),
    [(0, -0.20, -0.20), (0.25, -0.20, -0.275), (0.5, -0.30, -0.30), (1, -0.30, -0.30)],
)
def test_risk_moves_the_purchase_to_the_sure_price(pipeline, weight, profit, objective):
    """10 kWh at 10 or 50 EUR/MWh now (3 : 1), or at 30 later, which is sure.

    Now costs 0.20 in the mean and 0.50 in the worst quarter: objective -0.20 - 0.30 beta; later
    always 0.30. They part at beta = 1/3. Without the rule it is bought now whatever beta is. Profit
    stays the mean of the money."""
    result = pipeline(
        case(NEEDY, market(PRICES), scenarios=WEIGHTS, risk={"weight": weight, "confidence": 0.75})
    )
    assert result.attrs["profit"] == approx(profit)
    assert result.attrs["objective"] == approx(objective)
    assert float(result["ledger"]["risk.adjustment"]) == approx(objective - profit)
    assert row(result, "energy.position", scenario="low") == (
        [-10, 0] if weight < 1 / 3 else [0, -10]
    )


def test_profit_value_at_risk_and_cvar_are_told_at_weight_zero(pipeline):
    """At beta = 0 zeta and xi cost nothing in the programme; what is written is sorted: worst
    quarter -0.50.
    """
    result = pipeline(
        case(NEEDY, market(PRICES), scenarios=WEIGHTS, risk={"weight": 0, "confidence": 0.75})
    )
    assert row(result, "risk.profit") == [-0.10, -0.50]
    assert row(result, "risk.value_at_risk") == row(result, "risk.cvar") == [-0.50]


def test_a_scenario_at_the_edge_of_the_tail_counts_in_part(pipeline):
    """Level 0.5: the worst half is the quarter at -0.50 and as much of the three quarters at -0.10:
    CVaR -0.30.

    Proves the mean over probability, not over scenarios (-0.50); the value at risk is -0.10.
    """
    result = pipeline(
        case(NEEDY, market(PRICES), scenarios=WEIGHTS, risk={"weight": 0.25, "confidence": 0.5})
    )
    assert row(result, "risk.cvar") == [-0.30]
    assert row(result, "risk.value_at_risk") == [-0.10]
    assert result.attrs["objective"] == approx(0.75 * -0.20 + 0.25 * -0.30)


def test_cash_that_is_no_decision_counts_in_every_scenario(pipeline):
    """A connection costs 5 EUR for the two hours, whatever is decided: profit and CVaR are lower by
    5, and no more.

    Proves that constants reach the profit of each scenario: left out, the CVaR would be -0.50.
    """
    hours = 8760.0 / 2
    tree = case(
        NEEDY, market(PRICES), None, {"fixed_cost": 5 * hours, "import_max": 50}, scenarios=WEIGHTS,
        risk={"weight": 0.25, "confidence": 0.75},
    )  # fmt: skip
    result = pipeline(tree)
    assert row(result, "risk.profit") == [-5.10, -5.50]
    assert row(result, "risk.cvar") == [-5.50]
    assert result.attrs["objective"] == approx(-5 - 0.275)


def test_one_scenario_has_nothing_to_weigh(pipeline):
    """With one scenario the mean is the worst: the adjustment is 0, the plan that of the case
    without the rule.
    """
    result = pipeline(case(NEEDY, market([10, 30]), scenarios={"sure": 1.0}, risk={"weight": 0.75}))
    assert result.attrs["objective"] == approx(-0.10)
    assert float(result["ledger"]["risk.adjustment"]) == approx(0, abs=1e-12)


def test_penalties_weigh_in_the_tail_as_money_does(pipeline):
    """3 kWh of 10 cannot be had in the bad quarter at 10 EUR each; energy is free: the tail is at
    -30.

    Objective -7.5 in the mean, -30 in the tail, half each: -18.75. Profit does not count penalties:
    0."""
    ev = vehicle(charge_max={"low": [10], "high": [7]}, energy_min=[10], unserved_cost=10)
    tree = case(
        ev, market([0], first_stage=0), scenarios=WEIGHTS, risk={"weight": 0.5, "confidence": 0.75}
    )
    result = pipeline(tree)
    assert result.attrs["objective"] == approx(-18.75)
    assert result.attrs["profit"] == approx(0)


def test_prices_are_those_of_the_market_whatever_the_weight(pipeline):
    """Wait and see: a kWh is worth its market's price in each scenario; the weight of risk is
    divided out.
    """
    tree = case(
        NEEDY,
        market(PRICES, first_stage=0),
        scenarios=WEIGHTS,
        risk={"weight": 0.5, "confidence": 0.75},
    )
    result = pipeline(tree)
    assert row(result, "price.electricity", scenario="low") == approx([10, 30])
    assert row(result, "price.electricity", scenario="high") == approx([50, 30])


def test_blocks_see_what_couples_the_scenarios(pipeline):
    """Two cars would be blocks of their own, and are without the rule; CVaR couples them: same
    optimum either way.
    """
    cars = {"a": NEEDY, "b": vehicle(energy_min=[5, 5], charge_max=8)}
    tree = case(cars, market(PRICES), scenarios=WEIGHTS, risk={"weight": 0.5, "confidence": 0.75})
    whole, apart = (pipeline(tree, blocks=blocks) for blocks in (False, True))
    assert whole.attrs["objective"] == approx(apart.attrs["objective"])
    assert "one block" in apart.attrs["block_note"]


def test_identical_cars_are_merged_with_their_constants(pipeline):
    """Two cars are merged into one of twice the size: profit per scenario is that of both."""
    tree = case(
        {"a": NEEDY, "b": NEEDY},
        market(PRICES),
        scenarios=WEIGHTS,
        risk={"weight": 0.25, "confidence": 0.75},
    )
    result = pipeline(tree)
    assert result.attrs["merged_members"] == 1
    assert row(result, "risk.profit") == [-0.20, -1.00]


@pytest.fixture(scope="module")
def honest() -> xr.DataTree:
    """A battery that trades on two prices, half of its objective CVaR."""
    box = storage(energy_initial=0.0, wear=0.001)
    prices = {"low": [10, 30, 20], "mid": [20, 25, 40], "high": [50, 30, 60]}
    gates = {"day_ahead": market(prices), "intraday": market(prices, spread=4, first_stage=0)}
    weights = {"low": 0.25, "mid": 0.25, "high": 0.5}
    return v2g.solve(
        case(
            None,
            gates,
            battery={"box": box},
            scenarios=weights,
            risk={"weight": 0.5, "confidence": 0.5},
        )
    )


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("risk.profit", "risk.profit"),
        ("risk.value_at_risk", "risk.value_at_risk"),
        ("risk.cvar", "risk.cvar"),
        ("ledger.risk.adjustment", "risk.adjustment"),
    ],
)
def test_a_false_number_is_found(honest, name, check):
    """Each number that the rule writes is recomputed from the bill of all parts."""
    checks = v2g.replay(honest)
    assert checks.attrs["passed"] == 1
    result = honest.copy(deep=True)
    group, _, quantity = name.partition(".")
    array = result[group][quantity] + 0.01 * (
        result["scenario"] == "mid" if name == "risk.profit" else 1
    )
    result[group] = result[group].to_dataset().assign({quantity: array})
    wrong = v2g.replay(result)
    assert wrong.attrs["passed"] == 0
    assert float(wrong[check]) > 1e-6


def test_sorting_against_the_definition():
    """CVaR by sorting is the largest of zeta - E[(zeta - x)+] / tail over every zeta that is a
    value of x.
    """
    rng = np.random.default_rng(5)
    for _ in range(20):
        x = xr.DataArray(rng.integers(-8, 8, 6) / 4, dims="scenario")
        p = xr.DataArray(rng.integers(1, 5, 6).astype(float), dims="scenario")
        p, tail = p / p.sum(), float(rng.integers(1, 9)) / 8
        best = max(z - float((p * (z - x).clip(min=0)).sum()) / tail for z in x.to_numpy())
        assert float(risk_measures.mean_of_lowest(x, p, tail)) == approx(best)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": 1.5}, "1.5, allowed [0, 1]"),
        ({"weight": -0.1}, "-0.1, allowed [0, 1]"),
        ({"confidence": 1.0}, "leaves no scenario in the tail"),
        ({"confidence": float("nan")}, "missing (NaN)"),
        ({"weight": {"low": 0.1, "high": 0.2}}, "differs by scenario"),
    ],
)
def test_bad_input(change, words):
    """A weight beyond 0 to 1, an empty tail, a number that is missing or differs by scenario: a
    Problem each.
    """
    tree = case(NEEDY, market(PRICES), scenarios=WEIGHTS, risk={"weight": 0.5})
    for name, value in change.items():
        array = xr.DataArray(value)
        if isinstance(value, dict):
            array = xr.DataArray(list(value.values()), coords={"scenario": list(value)})
        tree["risk"] = tree["risk"].to_dataset(inherit=False).assign({name: array})
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.solve(tree)
    assert words in str(caught.value)


def test_risk_without_scenarios_is_a_problem():
    """CVaR of one future is that future: the case says so, and how to go on."""
    with pytest.raises(v2g.SchemaError, match="no scenarios") as caught:
        v2g.solve(case(NEEDY, market([10, 30]), risk={"weight": 0.5}))
    assert caught.value.problems[0].where == "risk"
