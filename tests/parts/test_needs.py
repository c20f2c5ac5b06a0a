"""Needs of the drivers: served, missed at a price and named, or a reason why they cannot be
served.
"""

import pytest
from cases import case, market, product, row, vehicle
from pytest import approx

import v2g_linopy as v2g

HARD = float("nan")


@pytest.mark.through_file
def test_need_missed_is_penalised_and_named(pipeline):
    """One hour at 10 kW for a need of 15 kWh: 5 are missing, named in `unserved`, at 10 EUR per
    kWh; the 10 cost 0.40.

    Proves that the penalty stands apart from the profit: it would be -50.40 otherwise, and
    infeasible without `unserved`."""
    result = pipeline(case(vehicle(energy_min=[15]), market([40])))
    assert result.attrs["profit"] == approx(-0.40)
    assert result.attrs["objective"] == approx(-50.40)
    assert row(result, "fleet.unserved", fleet="ev") == [5]
    assert row(result, "ledger.fleet.slack.unserved") == [-50]


def test_need_is_missed_only_beyond_its_price(pipeline):
    """Energy at 9 990 EUR/MWh is bought for a need whose penalty is 10 EUR/kWh; at 10 010 it is
    not.

    8 kWh: -79.92 against a penalty of 80. Proves that the penalty is the price of the need, to the
    cent."""
    costs = {"dear": [9990, 10010]}
    needy = {
        "a": vehicle(charge_max=[10, 0], energy_min=[8, 8]),
        "b": vehicle(charge_max=[0, 10], energy_min=[0, 8]),
    }
    result = pipeline(case(needy, {"day_ahead": market(costs["dear"])}))
    assert row(result, "fleet.unserved", fleet="a") == [0, 0]
    assert row(result, "fleet.unserved", fleet="b") == [0, 8]
    assert result.attrs["profit"] == approx(-79.92)
    assert result.attrs["objective"] == approx(-79.92 - 80)


def test_energy_not_served_is_never_sold(pipeline):
    """3 kWh on board, 8 due, no charger, and the grid pays 1e6 EUR/MWh: exactly the 3 kWh on board
    are sold, 3 000 EUR.

    Proves that the 8 kWh not served (80 EUR) are no energy: sold as well, they would bring 8 000
    EUR more."""
    tempted = vehicle(charge_max=0, discharge_max=10, energy_initial=3, energy_min=[0, 8])
    result = pipeline(case(tempted, market([1e6, 1e6])))
    assert result.attrs["profit"] == approx(3000)
    assert row(result, "fleet.unserved") == [0, 8]
    assert sum(row(result, "fleet.discharge")) == approx(3)


def test_trip_not_served_is_never_sold(pipeline):
    """3 kWh on board and a trip of 8 in the hour in which the grid pays 1e6 EUR/MWh: 3 kWh are
    sold, 8 are missing from the trip.

    Proves that a missed trip frees at most what is on board: as energy it would bring 8 000 EUR
    more."""
    tempted = vehicle(charge_max=0, discharge_max=20, energy_initial=3, energy_out=[8, 0])
    result = pipeline(case(tempted, market([1e6, 1e6])))
    assert result.attrs["profit"] == approx(3000)
    assert row(result, "fleet.unserved_trip") == [8, 0]
    assert sum(row(result, "fleet.discharge")) == approx(3)


def commuter(need, trip=8.0, **fields):
    """5 kWh can be charged in the first hour; the trip is driven in the second."""
    return vehicle(charge_max=[5, 0], energy_min=[need, 0], energy_out=[0, trip], **fields)


@pytest.mark.parametrize("need", [8, 6])
def test_a_shortage_before_a_trip_is_paid_once(pipeline, need):
    """5 kWh of a trip of 8 are on board: 3 are missing from it, 30 EUR. The 5 cost 0.20.

    Proves that the need at departure, which the trip takes, is not missing a second time: that
    would be 60 EUR for a need of 8 and 40 EUR for one of 6."""
    result = pipeline(case(commuter(need), market([40, 40])))
    assert row(result, "fleet.unserved") == [0, 0]
    assert row(result, "fleet.unserved_trip") == [0, 3]
    assert result.attrs["objective"] == approx(-30.20)


def test_a_need_beyond_the_trip_is_missing_by_itself(pipeline):
    """9 kWh are due and 4 are driven: with 5 on board the trip is whole, and 4 are missing at the
    departure, 40 EUR.

    Proves that a trip that could be driven is not cut in place of the need: the vehicle would come
    home with energy that it never had."""
    result = pipeline(case(commuter(9, trip=4.0), market([40, 40])))
    assert row(result, "fleet.unserved") == [4, 0]
    assert row(result, "fleet.unserved_trip") == [0, 0]
    assert result.attrs["objective"] == approx(-40.20)


def test_the_trip_of_another_battery_excuses_no_need(pipeline):
    """The next hour begins with another vehicle (keep = 0), which brings 2 and drives 8: 6 are
    missing for it, and 3 of the 8 that the first needed. 90 EUR."""
    other = commuter(8, keep=[1, 0], energy_in=[0, 2])
    result = pipeline(case(other, market([40, 40])))
    assert row(result, "fleet.unserved") == [3, 0]
    assert row(result, "fleet.unserved_trip") == [0, 6]
    assert result.attrs["objective"] == approx(-90.20)


def test_reserve_is_not_backed_by_the_energy_of_a_trip(pipeline):
    """8 of 10 kWh on board are due at the departure and driven then. An upward reserve that must
    last an hour is backed by the other 2: 2 kW, 0.2 EUR.

    Proves that the need at departure stands, although the trip implies it: 10 kW would be sold."""
    ready = vehicle(
        charge_max=0, discharge_max=[10, 0], energy_initial=10, energy_min=[8, 0], energy_out=[0, 8]
    )
    endless = product(
        up=1.0, hours_up=1.0, volume_max=10, capacity_price=[100, 0], guarantee="endurance"
    )
    result = pipeline(case(ready, market([0, 0]), reserve=endless))
    assert row(result, "reserve.volume") == approx([2, 0])


@pytest.mark.through_file
def test_hard_need_is_served_at_any_price(pipeline):
    """Without a penalty (NaN) the need is a limit: 8 kWh are bought at 50 EUR/kWh, 400 EUR, where
    80 EUR would have excused it."""
    result = pipeline(case(vehicle(energy_min=[8], unserved_cost=HARD), market([50_000])))
    assert result.attrs["profit"] == approx(-400)
    assert "unserved" not in result["fleet"]


def infeasible(tree) -> str:
    with pytest.raises(v2g.Infeasible) as caught:
        v2g.solve(tree)
    assert caught.value.exit_code == 4
    assert caught.value.explanation in str(caught.value)
    return caught.value.explanation


def test_why_a_hard_need_fails():
    """10 kW from 07:00 to 09:00 in Rome reach 20 of 25 kWh; the missing 5 take part of a third
    hour: a departure at 10:00 works.

    Proves that the message names the vehicle, what it needs, what can be reached and the earliest
    departure, on the local clock."""
    late = vehicle(
        charge_max=[10, 10, 0, 0], keep=[0, 1, 0, 0], energy_min=[0, 25, 0, 0], unserved_cost=HARD
    )
    message = infeasible(
        case(
            {"ev-017": late}, market([1, 1, 1, 1]), start="2026-01-05 06:00", timezone="Europe/Rome"
        )
    )
    for words in ("ev-017", "25 kWh", "at most 20 kWh", "2026-01-05 10:00 +0100"):
        assert words in message


def test_why_a_hard_need_fails_too_early():
    """The car stays plugged until 05:00, but 25 kWh are asked for at the end of the second hour;
    the third hour reaches them.

    Proves that the earliest departure is read from the plugged hours that there are.
    """
    early = vehicle(energy_min=[0, 25, 0, 0], unserved_cost=HARD)
    message = infeasible(case({"ev-017": early}, market([1, 1, 1, 1])))
    assert "2026-01-05 03:00 +0000" in message


def test_why_a_limit_makes_a_hard_need_fail():
    """The charger could, the connection of 6 kW cannot: 10 kWh in one hour.

    Proves that the explanation reaches beyond the battery: from the vehicle's own data the plan
    looks feasible."""
    message = infeasible(
        case(
            vehicle(energy_min=[10], unserved_cost=HARD), market([1]), connection={"import_max": 6}
        )
    )
    assert "import limit is 6 kW, and 10 kW are needed" in message
    assert "connection.import_max of 10 kW" in message


def test_why_a_hard_trip_fails():
    """5 of the 8 kWh of a trip can be charged before it: 3 are missing."""
    driver = vehicle(charge_max=[5, 0], energy_out=[0, 8], unserved_cost=HARD)
    message = infeasible(case({"ev-017": driver}, market([1, 1])))
    assert "ev-017: drives 3 kWh more" in message
    assert "2026-01-05 01:00" in message


def test_why_a_hard_need_fails_in_one_scenario():
    """12 kWh are needed in one of two scenarios, 10 can be charged: the vehicle and the 2 kWh are
    named.
    """
    ev = vehicle(energy_min={"high": [12], "low": [8]}, unserved_cost=HARD)
    message = infeasible(case({"ev-017": ev}, market([1]), scenarios={"high": 0.5, "low": 0.5}))
    assert "ev-017: 2 kWh short of its need" in message


def test_every_vehicle_that_fails_is_named():
    """Two of three hard needs cannot be met: both are named, the third is not."""
    fleet = {
        name: vehicle(energy_min=[need], unserved_cost=HARD)
        for name, need in {"a": 12, "b": 9, "c": 30}.items()
    }
    message = infeasible(case(fleet, market([1])))
    assert "fleet a: needs 12 kWh" in message
    assert "fleet c: needs 30 kWh" in message
    assert "fleet b" not in message
