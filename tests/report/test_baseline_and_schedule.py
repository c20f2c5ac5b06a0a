"""The two tables to take away are about two powers: the schedule is expected, the bid is the baseline."""

from cases import case, market, product, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.report.schedules import bids, schedule


def test_the_bid_is_the_power_without_calls():
    """A car must gain 5 kWh in an hour and sells 8 kW up, a quarter of which is called: it draws 5 kW, and buys 7.

    Expected injection -5, less 0.25 x 8 = 2 of activation, is the baseline of -7: the equation of reading-results.
    """
    car = vehicle(discharge_max=10, energy_min=[5], energy_max=5)
    tree = case(car, market([50]), product(up=1, capacity_price=[40], activation_up=0.25, volume_max=8))
    result = v2g.solve(tree)
    plan, offers = schedule(result), bids(result).set_index("market")
    total = plan[plan["member"] == "total"].iloc[0]
    assert total["charge_kW"] - total["discharge_kW"] == approx(5)
    assert offers.loc["regulation", "quantity_kW"] == approx(8)
    assert (offers.loc["day_ahead", "side"], offers.loc["day_ahead", "quantity_kW"]) == ("buy", approx(7))
