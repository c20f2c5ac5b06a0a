"""EVPI and VSS on cases whose numbers are found by hand."""

import pytest
from cases import case, market, product, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.study.value_of_information import mean_case

WEIGHTS = {"high": 0.25, "low": 0.75}
DRIVES = vehicle(energy_min={"high": [10.0], "low": [4.0]}, energy_max=10.0)
GATES = {"day_ahead": market([30.0]), "intraday": market([80.0], first_stage=0)}


def test_knowing_the_need_and_planning_for_both():
    """10 kWh are needed in a quarter of the cases, else 4; 30 EUR/MWh the day before, 80 after.

    Here and now: 4 kWh before, 6 after where needed: 0.12 + 0.25 x 0.48 = 0.24. Wait and see: 5.5
    kWh in the mean at 30: 0.165. The plan for the mean need buys 5.5 before, and 4.5 after where
    needed: 0.165 + 0.09 = 0.255."""
    tree = case(DRIVES, GATES, scenarios=WEIGHTS)
    knowing, planning = v2g.evpi(tree), v2g.vss(tree)
    assert {n: float(x) for n, x in knowing.items()} == approx(
        {"WS": -0.165, "RP": -0.24, "EVPI": 0.075}
    )
    assert {n: float(x) for n, x in planning.items()} == approx(
        {"RP": -0.24, "EEV": -0.255, "VSS": 0.015}
    )
    assert knowing.EVPI.attrs["units"] == "EUR"


def test_a_result_at_hand_is_not_solved_again(monkeypatch):
    """`here_and_now` stands for RP: two solves for EVPI and VSS less."""
    tree = case(DRIVES, GATES, scenarios=WEIGHTS)
    best = v2g.solve(tree)
    best.attrs["objective"] = 1.0  # what is handed in is what is used
    assert float(v2g.evpi(tree, here_and_now=best).RP) == 1.0
    assert float(v2g.vss(tree, here_and_now=best).RP) == 1.0


def test_a_plan_for_the_mean_that_cannot_be_kept():
    """Only the day before: the mean need of 5.5 kWh cannot be raised to 10 later, and needs are
    hard.

    EEV is minus infinity, VSS infinity, and the reason is given; here and now buys 10, and throws
    none away: low may hold 10."""
    ev = vehicle(
        energy_min={"high": [10.0], "low": [4.0]}, energy_max=10.0, unserved_cost=float("nan")
    )
    found = v2g.vss(case(ev, market([30.0]), scenarios=WEIGHTS))
    assert float(found.RP) == approx(-0.30)
    assert float(found.EEV) == -float("inf") and float(found.VSS) == float("inf")
    assert found.attrs["infeasible"].strip()


def test_a_plan_beyond_the_limit_of_a_scenario_cannot_be_kept():
    """The mean limit is 7.75 kW and the mean plan sells as much; in one scenario the limit is 1 kW:
    it says so.
    """
    battery = {
        "energy_initial": 10.0,
        "energy_max": 10.0,
        "charge_max": 10.0,
        "discharge_max": 10.0,
    }
    battery |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    tree = case(
        None,
        market([30.0], limit={"high": [1.0], "low": [10.0]}),
        battery=battery,
        scenarios=WEIGHTS,
    )
    found = v2g.vss(tree)
    assert float(found.RP) == approx(0.03)
    assert float(found.EEV) == -float("inf")
    assert "7.75, allowed" in found.attrs["infeasible"]


def test_risk_is_part_of_what_is_compared():
    """With CVaR alone (worst quarter), here and now: the high need, 4 at 30 and 6 at 80 = 0.60, or
    10 at 30: 0.30.

    Wait and see pays 0.30 in the worst case as well: EVPI 0. The mean plan pays 5.5 x 30 + 4.5 x 80
    = 0.525."""
    tree = case(DRIVES, GATES, scenarios=WEIGHTS, risk={"weight": 1, "confidence": 0.75})
    assert {n: float(x) for n, x in v2g.evpi(tree).items()} == approx(
        {"WS": -0.30, "RP": -0.30, "EVPI": 0}, abs=1e-9
    )
    assert float(v2g.vss(tree).EEV) == approx(-0.525)


def test_the_mean_case_has_no_scenarios_left():
    """Every number is the mean by probability, no group knows scenarios, and risk has nothing to
    weigh.
    """
    mean = mean_case(case(DRIVES, GATES, scenarios=WEIGHTS, risk={"weight": 1}))
    assert float(mean["fleet"].energy_min.sum()) == approx(5.5)
    assert "scenario" not in mean.to_dataset().coords and "risk" not in mean.children
    assert v2g.solve(mean).attrs["profit"] == approx(-0.165)


@pytest.mark.parametrize("question", [v2g.evpi, v2g.vss])
def test_without_scenarios_there_is_nothing_to_know(question):
    with pytest.raises(v2g.SchemaError, match="scenario"):
        question(case(vehicle(), market([30.0])))


def test_a_promise_over_scenarios_has_no_wait_and_see():
    """At an availability below 1 no scenario alone keeps or breaks the promise: refused with the
    remedy.
    """
    offer = product(down=1, capacity_price=10, availability=0.5)
    with pytest.raises(v2g.SchemaError, match="promise over all scenarios"):
        v2g.evpi(case(vehicle(), market([30.0]), offer, scenarios=WEIGHTS))
