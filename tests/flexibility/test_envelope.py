"""The box of two plans of every site, and what of it cannot be delivered."""

from cases import case, market, product, storage, vehicle
from pytest import approx

import v2g_linopy as v2g


def found(tree):
    """What is found for a case."""
    return v2g.envelope(tree)["envelope"].to_dataset()


def test_a_full_battery_cannot_fill_up_again():
    """A battery of 10 kWh, full, at 10 kW each way, at 10, 90 and 50 EUR/MWh. It can give 10 kWh in
    all, and take none. Its plan of least energy gives 10 kWh in some hour or over all three; the
    plan of most energy draws nothing in all. What is asked, the lower edge, gives no more than 10
    kWh then, which can be delivered only if no plan of the most gives and takes as well.
    """
    box = storage(energy_initial=10.0, eta_charge=1.0, eta_discharge=1.0, pod="hall")
    d = found(case(None, market([10.0, 90.0, 50.0]), battery=box))
    assert float(d["plan"].sel(edge="least").sum()) == approx(-10)
    assert float(d["plan"].sel(edge="most").sum()) == approx(0, abs=1e-9)
    lower = d["plan"].min("edge").sum("pod")
    assert d["asked"].to_numpy() == approx(lower.to_numpy())
    assert d.attrs["undeliverable"] == approx(max(0.0, -float(lower.sum()) - 10), abs=1e-9)
    assert float(d["profit"].sel(plan_kind="best").sum()) == approx(0.9)


def test_a_car_that_has_to_leave_full_is_promised_and_cannot_stand_still():
    """A car draws 10 kWh within two hours at 10 kW, no more and no less, so that both plans draw 10
    kWh in all; at 20 and 30 EUR/MWh the box is asked for the less of the two in each hour. What
    is asked is 10 kWh less than what the car must draw if the two plans share no power, and none
    if they are one; either way exactly what is missing in the sum cannot be delivered.
    """
    car = vehicle(energy_min=[0.0, 10.0], energy_max=10.0, unserved_cost=float("nan"), pod="home")
    d = found(case(car, market([20.0, 30.0])))
    assert d["plan"].sum("time").to_numpy().ravel() == approx([10, 10])
    assert d.attrs["undeliverable"] == approx(10 - float(d["asked"].sum()))
    assert float(d["delivered"].sum()) == approx(10)
    width = float((d["upper"] - d["lower"]).sum())
    share = d.attrs["undeliverable"] / width if width else 0.0
    assert d.attrs["undeliverable_share"] == approx(share)


def test_a_battery_that_moves_energy_promises_what_it_does_not_have():
    """A car that must draw 10 kWh within four hours, and is away in two of them: at most 10 kW in
    the first hour and in the last. Least and most energy are both 10 kWh. At prices below zero the
    box is asked for the upper edge, which is never less than 10 kWh: what is more than 10 kWh
    cannot be delivered.
    """
    car = vehicle(
        charge_max=[10.0, 0.0, 0.0, 10.0],
        energy_min=[0.0, 0.0, 0.0, 10.0],
        energy_max=10.0,
        unserved_cost=float("nan"),
        pod="home",
    )
    d = found(case(car, market([-20.0, 10.0, 10.0, -30.0])))
    assert d.attrs["undeliverable"] == approx(float(d["asked"].sum()) - 10, abs=1e-9)
    assert d["profit"].sel(plan_kind="best").sum().item() == approx(0.3)


def test_needs_are_served_in_both_plans():
    """A car that needs 10 kWh, at 10 EUR for each that it misses: also the plan of least energy
    draws them. Proves that what a kWh counts is less than a need.
    """
    car = vehicle(energy_min=[0.0, 10.0], energy_max=10.0, unserved_cost=10.0, pod="home")
    d = found(case(car, market([20.0, 30.0])))
    assert d["plan"].sum("time").to_numpy().ravel() == approx([10, 10])


def test_reserves_are_left_out_and_the_case_stays():
    """A battery that could hold a reserve: its envelope is that of the case without one."""
    box = storage(energy_initial=5.0, eta_charge=1.0, eta_discharge=1.0, pod="hall")
    tree = case(None, market([10.0]), product(up=1.0, capacity_price=50.0), battery=box)
    d = found(tree)
    assert "reserve" in tree.children
    assert (d["lower"].item(), d["upper"].item()) == approx((-5, 5))
