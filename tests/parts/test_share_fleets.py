"""Whole fleets as one member: what leaves with departing cars, and slack where a share fleet cannot
follow.
"""

import pytest
from cases import case, market, row, vehicle
from pytest import approx

import v2g_linopy as v2g

LEAVING = {"discharge_max": 10, "energy_initial": 40, "aggregate": 1}


def test_leaving_share_sells_first(pipeline):
    """40 kWh in the fleet, after two hours only 20 fit into what is still connected: 10 + 10 kWh
    are sold at 30 and 50, 0.80 EUR.

    Proves the exact penalty: the plan is feasible, so slack at 1 EUR/kWh is 0 although it is
    allowed."""
    fleet = vehicle(energy_max=[40, 20], slack_cost=1, **LEAVING)
    result = pipeline(case({"f1": fleet}, market([30, 50])))
    assert result.attrs["objective"] == result.attrs["profit"] == approx(0.80)
    assert row(result, "fleet.slack_in") == row(result, "fleet.slack_out") == [0, 0]


def test_slack_takes_what_cannot_be_sold(pipeline):
    """Only 10 kWh fit after two hours: 20 are sold, 10 leave as slack at 1 EUR/kWh, settled in no
    market.

    Profit 0.80, objective -9.20. Proves that slack is a penalty and earns nothing.
    """
    fleet = vehicle(energy_max=[40, 10], slack_cost=1, **LEAVING)
    result = pipeline(case({"f1": fleet}, market([30, 50])))
    assert result.attrs["profit"] == approx(0.80)
    assert result.attrs["objective"] == approx(-9.20)
    assert sum(row(result, "fleet.slack_out")) == approx(10)
    assert sum(row(result, "ledger.fleet.slack.balance")) == approx(-10)


def test_slack_passes_through_the_efficiency(pipeline):
    """Discharging with 0.8: 16 kWh sold take 20 from the battery, the other 10 leave as 8 kW of
    slack: 8 EUR.

    Proves that slack acts on the battery like discharge, not beside it.
    """
    fleet = vehicle(
        energy_max=[40, 10], slack_cost=1, eta_discharge=0.8, **(LEAVING | {"discharge_max": 8})
    )
    result = pipeline(case({"f1": fleet}, market([30, 50])))
    assert sum(row(result, "fleet.slack_out")) == approx(8)
    assert result.attrs["objective"] == approx(8 * 0.03 + 8 * 0.05 - 8)


def test_without_slack_it_is_explained():
    """Without slack there is no plan: fleet `f1`, hour 1, 20 kWh at least and room for 10."""
    fleet = vehicle(energy_max=[40, 10], **LEAVING)
    with pytest.raises(v2g.Infeasible) as caught:
        v2g.solve(case({"f1": fleet}, market([30, 50])))
    for words in ("f1", "hour 1", "2026-01-05 01:00", "20 kWh", "10 kWh", "slack_cost"):
        assert words in caught.value.explanation


def test_what_leaves_beyond_the_need_is_not_paid(pipeline):
    """Cars with 30 kWh on board leave; 20 are due, up to 10 more may leave with them: the 10 spill,
    0 EUR.

    Proves `spill`: without it the arrivals fuller than their need would make the case infeasible.
    """
    fleet = vehicle(
        charge_max=[5, 0],
        energy_max=[40, 0],
        energy_in=[30, 0],
        energy_out=[0, 20],
        spill_max=[0, 10],
        aggregate=1,
    )
    result = pipeline(case({"f1": fleet}, market([30, 50])))
    assert result.attrs["profit"] == 0
    assert row(result, "fleet.spill") == [0, 10]


def test_what_leaves_is_not_sold_twice(pipeline):
    """Able to discharge 6 kW, the fleet sells 6 of the 10 kWh that need not leave, at 50: 0.30 EUR,
    and 4 spill.
    """
    fleet = vehicle(
        discharge_max=[0, 6],
        energy_max=[40, 0],
        energy_in=[30, 0],
        energy_out=[0, 20],
        spill_max=[0, 10],
        aggregate=1,
    )
    result = pipeline(case({"f1": fleet}, market([1000, 50])))
    assert result.attrs["profit"] == approx(0.30)
    assert row(result, "fleet.spill") == [0, 4]
