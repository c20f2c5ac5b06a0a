"""What owners let be discharged: counted, kept with every call of a reserve, handed over."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, row, vehicle
from faulty import problems
from pytest import approx

import v2g_linopy as v2g

NAN = float("nan")
FULL = {"discharge_max": 10.0, "energy_initial": 40.0}


def test_no_more_is_discharged_than_allowed(pipeline):
    """5 of 40 kWh may be sold: at 90 and not at 50 EUR/MWh, 0.45 EUR; without the limit 1.40."""
    result = pipeline(case(vehicle(**FULL, allowance=5.0), market([50, 90])))
    assert result.attrs["profit"] == approx(0.45)
    assert row(result, "fleet.used") == [0, 5]


def test_another_session_counts_anew(pipeline):
    """Two sessions of two hours, 5 kWh each: 5 at 90 and 5 at 50. Counted in one, 0.45 EUR."""
    owner = vehicle(**FULL, allowance=5.0, session=np.array([1, 1, 2, 2]))
    result = pipeline(case(owner, market([80, 90, 50, 40])))
    assert result.attrs["profit"] == approx(0.45 + 0.25)
    assert row(result, "fleet.used") == [0, 5, 5, 5]


def test_restart_says_where_counting_begins(pipeline):
    """As above, but `restart` says that the sessions are one: only 5 kWh in all."""
    owner = vehicle(**FULL, allowance=5.0, session=np.array([1, 1, 2, 2]), restart=0.0)
    assert pipeline(case(owner, market([80, 90, 50, 40]))).attrs["profit"] == approx(0.45)


def test_an_allowance_may_begin_later(pipeline):
    """Without a limit in the first hour 10 kWh go at 50, but they count: 12 in all by the second,
    2 at 90.
    """
    owner = vehicle(**FULL, allowance=[NAN, 12.0])
    result = pipeline(case(owner, market([50, 90])))
    assert row(result, "fleet.discharge") == [2, 10]
    assert row(result, "fleet.used") == [2, 12]


def test_what_was_used_before_counts(pipeline):
    """3 of 5 kWh went before the first step, as metered: 2 are left of the session that goes on."""
    owner = vehicle(**FULL, allowance=5.0, allowance_used=3.0, session=np.array([4, 4]))
    result = pipeline(case(owner, market([90, 90])))
    assert result.attrs["profit"] == approx(0.18)


def test_the_count_does_not_leak(pipeline):
    """A battery that keeps 95 % from hour to hour may give 10 kWh in a day, at 100 EUR/MWh: 1 EUR.

    Counted as the battery keeps, 21.5 kWh would pass: 10 at once, and 5 % of it each hour after.
    """
    owner = vehicle(**FULL, keep=0.95, energy_max=100.0, allowance=10.0)
    owner |= {"charge_max": 50.0}
    result = pipeline(case(owner, market([0.0, *([100.0] * 23)])))
    assert float(result["fleet"].discharge.sum()) == approx(10)


def test_slack_counts(pipeline):
    """15 of 40 kWh do not fit into what stays of the battery: 10 go to the market, 5 through slack.
    All 15 count.
    """
    owner = vehicle(**FULL | {"charge_max": 0.0}, energy_max=25.0, slack_cost=1.0, allowance=15.0)
    result = pipeline(case(owner, market([90.0])))
    assert row(result, "fleet.used") == [15]


GUARANTEES = {
    "budget": ({"guarantee": "budget", "activation_cycle": 3.0}, [5, 5, 5]),
    "physical": ({"guarantee": "physical"}, [5, 5, 5]),
    "box": ({"guarantee": "box"}, [5, 0, 0]),
    "endurance": ({"guarantee": "endurance", "hours_up": 0.5}, [10, 10, 10]),
    "period": (
        {"guarantee": "budget", "activation_period": 2.0, "activation_cycle": 3.0},
        [5, 0, 0],
    ),
}


@pytest.mark.parametrize("level", GUARANTEES)
def test_calls_keep_to_the_allowance(pipeline, level):
    """A full battery that cannot charge sells up to 10 kW, dearest in the first hour; 5 kWh may be
    discharged. One call in the three hours: 5 kW in each. Two, or any: 5 kW in the first alone.
    Half an hour of endurance: 10 kW. Without the rows 30 kW are sold in all.
    """
    fields, sold = GUARANTEES[level]
    owner = vehicle(**FULL | {"charge_max": 0.0}, allowance=5.0)
    paid = product(up=1.0, capacity_price=[30.0, 2.0, 1.0], **fields)
    result = pipeline(case(owner, market([0.0] * 3), paid))
    assert row(result, "reserve.volume") == sold


def test_a_call_stops_charging_first(pipeline):
    """While it charges at 10 kW, 15 kW are sold: 10 stop the charging, and 5 kWh are discharged.

    Proves that charging is not counted; with v >= x it would be 5 kW.
    """
    owner = vehicle(discharge_max=10.0, energy_initial=30.0, energy_min=40.0, allowance=5.0)
    paid = product(up=1.0, capacity_price=10.0, guarantee="physical")
    owner |= {"unserved_cost": 0.0}
    result = pipeline(case(owner, market([0.0]), paid))
    assert row(result, "reserve.volume") == [15]
    assert row(result, "fleet.charge") == [10]


def test_charging_is_stopped_once_for_several_products(pipeline):
    """Charging at 10 kW, two products of their own signals sell 15 kW together: together they stop
    10 and discharge 5. Each stopping all of it would sell 20 kW and discharge 10.
    """
    owner = vehicle(discharge_max=10.0, energy_initial=30.0, allowance=5.0)
    paid = product(up=1.0, capacity_price=10.0, guarantee="physical")
    result = pipeline(case(owner, market([0.0]), {"one": paid, "other": paid}))
    assert sum(row(result, "reserve.volume")) == approx(15)
    assert sum(row(result, "reserve.charge_stopped_fleet")) == approx(10)


def test_calls_add_to_what_the_plan_discharges(pipeline):
    """3 kWh are sold at 100 EUR/MWh or 5 kW of reserve held at 30 EUR/MW: 5 kWh in all, so that 5
    go to the dearer. Without V on top both would be sold.
    """
    owner = vehicle(**FULL | {"charge_max": 0.0}, allowance=5.0)
    paid = product(up=1.0, capacity_price=30.0, guarantee="physical", volume_max=5.0)
    result = pipeline(case(owner, market([100.0]), paid))
    assert (row(result, "fleet.used"), row(result, "reserve.volume")) == ([5], [0])


def test_an_expected_call_is_not_counted_twice(pipeline):
    """Half of 4 kW is called in the mean: the plan without a call discharges nothing, the worst
    call 4 kWh. Counted on the expected path, 2 of 4 kWh would be gone before the worst call.
    """
    owner = vehicle(**FULL | {"charge_max": 0.0}, allowance=4.0)
    paid = product(up=1.0, activation_up=0.5, capacity_price=30.0, guarantee="physical")
    result = pipeline(case(owner, market([0.0]), paid))
    assert row(result, "reserve.volume") == [4]
    assert (row(result, "fleet.used"), row(result, "fleet.discharge")) == ([0], [2])


def test_many_vehicles_have_no_allowance_together():
    """Two owners in one row could use what only one has sold."""
    tree = case(vehicle(**FULL, allowance=5.0, aggregate=1.0), market([50]))
    (problem,) = problems(tree)
    assert problem.where == "fleet.allowance"
    assert "rows that hold one session at a time" in problem.detail


def test_no_more_was_used_than_allowed():
    tree = case(vehicle(**FULL, allowance=5.0, allowance_used=6.0), market([50]))
    (problem,) = problems(tree)
    assert (problem.where, problem.rule) == ("fleet.allowance_used", "consistency")


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("sessions", [[1, 1, 1, 1], [1, 1, 2, 2]])
def test_two_windows_are_one_plan(at, sessions):
    """8 kWh are allowed in each session: what the first window earns and the best rest make the
    whole. A window within a session that forgets what was used would earn more.
    """
    owner = vehicle(**FULL | {"energy_initial": 30.0}, allowance=8.0, session=np.array(sessions))
    tree = case(owner, market([80, 70, 90, 60]))
    whole = v2g.solve(tree)
    earned = float(whole["ledger"]["energy.energy"].isel(time=slice(at)).sum())
    rest = v2g.with_initial_state(tree, whole, at)
    assert earned + v2g.solve(rest).attrs["profit"] == approx(whole.attrs["profit"])

    within = sessions[at] == sessions[at - 1]
    used = float(whole["fleet"].used.isel(time=at - 1).sum())
    rest["fleet"] = xr.DataTree(rest["fleet"].to_dataset().drop_vars("allowance_used"))
    forgot = earned + v2g.solve(rest).attrs["profit"]
    assert (forgot > whole.attrs["profit"] + 1e-6) == (within and used > 0)
