"""The two tables to take away are about two powers: the schedule is expected, the bid is the
baseline.
"""

from cases import case, market, product, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.report.schedule_and_bids import bids, schedule


def test_the_bid_is_the_power_without_calls():
    """A car must gain 5 kWh in an hour and sells 8 kW up, a quarter of which is called: it draws 5
    kW, and buys 7.

    Expected injection -5, less 0.25 x 8 = 2 of activation, is the baseline of -7: the equation of
    reading-results."""
    car = vehicle(discharge_max=10, energy_min=[5], energy_max=5)
    tree = case(
        car, market([50]), product(up=1, capacity_price=[40], activation_up=0.25, volume_max=8)
    )
    result = v2g.solve(tree)
    plan, offers = schedule(result), bids(result).set_index("market")
    total = plan[plan["member"] == "total"].iloc[0]
    assert total["charge_kW"] - total["discharge_kW"] == approx(5)
    assert offers.loc["regulation", "quantity_kW"] == approx(8)
    assert (total["baseline_drawn_kW"], total["baseline_fed_in_kW"]) == approx((7, 0))
    assert (total["reserve_up_kW"], total["reserve_down_kW"]) == approx((8, 0))
    assert (offers.loc["day_ahead", "side"], offers.loc["day_ahead", "quantity_kW"]) == (
        "buy",
        approx(7),
    )


def test_a_site_is_dispatched_by_its_schedule():
    """A car, a battery, sun and a house: baselines of all members are what is sold, their reserves
    what is offered.

    A symmetric product of 1.25 kW up and 0.25 kW down per kW, of which 0.5 and 0.125 are called on
    average. Each hour the members inject in sum what the markets take; with expected power instead
    it would miss the calls."""
    both = product(
        up=1.25,
        down=0.25,
        activation_up=0.5,
        activation_down=0.125,
        capacity_price=[90, 80],
        volume_max=8,
    )
    site = {
        "battery": storage(energy_initial=5, charge_max=4, discharge_max=4),
        "renewable": {"available": [3.0, 1.0]},
        "load": {"baseline": [2.0, 2.0]},
    }
    car = vehicle(discharge_max=10, energy_initial=20, energy_min=[0, 20])
    result = v2g.solve(case(car, market([50, 60]), both, **site))
    plan = schedule(result)
    assert set(plan["asset"]) == {"fleet", "battery", "renewable", "load", "meter"}
    members = (
        plan[(plan["member"] != "total") & (plan["asset"] != "meter")]
        .groupby("time")
        .sum(numeric_only=True)
    )
    volume = result["reserve"].volume.sel(product="regulation").values
    position = result["energy"].position.sel(market="day_ahead").values
    assert (volume > 1).all()
    assert (members["baseline_fed_in_kW"] - members["baseline_drawn_kW"]).to_numpy() == approx(
        position
    )
    assert members["reserve_up_kW"].to_numpy() == approx(1.25 * volume)
    assert members["reserve_down_kW"].to_numpy() == approx(0.25 * volume)
    assert (members["fed_in_kW"] - members["drawn_kW"]).to_numpy() != approx(position)
    alone = plan[plan["asset"] == "load"]
    assert (alone["reserve_up_kW"] == 0).all()
    assert (alone["baseline_drawn_kW"] == 2).all()


def test_no_reserves_no_columns():
    """A plan without reserves has nothing to call."""
    plan = schedule(v2g.solve(case(vehicle(energy_min=[5]), market([50]))))
    assert not [c for c in plan.columns if "baseline" in c or "reserve" in c]
