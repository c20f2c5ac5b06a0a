"""Reserves whose calls are bought back from a delay on: what a battery sells, by hand
(docs/formulation.md §3).
"""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from hypothesis import settings
from pytest import approx
from tampering import audit_of_replaced

import v2g_linopy as v2g

HOURS = 3
UNMOVED = {f"battery.{way}": xr.DataArray(0.0) for way in ("charge", "discharge")}
BOX = storage(energy_max=20, energy_initial=8)


def sold(way="up", hours=HOURS, guarantee="recourse", **fields):
    """A product of one direction at 10 EUR/MW/h."""
    return product(**{way: 1}, guarantee=guarantee, capacity_price=[10] * hours, **fields)


def at_rest(offered, battery=BOX, hours=HOURS, limit=1000, **others):
    """The result of a battery that neither charges nor discharges unless it is called."""
    tree = case(None, market([0] * hours, limit=limit), offered, battery=battery, **others)
    return v2g.solve(tree, fix=UNMOVED)


@pytest.mark.parametrize(
    ("delay", "volumes"), [(1, 24), (2, 16), (3, 8), (0.5, 24), (1.5, 16)], ids=str
)
def test_a_call_is_bought_back_after_the_delay(delay, volumes):
    """8 kWh on board, 10 kW, three hours of calls all the time: bought back within the next hour
    they are sold three times, 24 kW; from the second on in the first and the third hour, 16; later
    once, as without recourse. Half an hour is a step, one and a half are two.

    Proves the delay: without it each were 24, without buying back 8."""
    result = at_rest(sold(recovery_delay=delay))
    assert result.attrs["profit"] == approx(0.01 * volumes)
    found = v2g.stress(result, v2g.extreme_signals(result))
    assert float(found.violation_energy.max()) <= 1e-9


@pytest.mark.parametrize(
    ("less", "volumes"),
    [
        ({"battery": BOX | {"charge_max": 5}}, 18),
        ({"limit": 3}, 14),
        ({"connection": {"import_max": 4, "export_max": 100}}, 16),
    ],
    ids=["charger", "market", "connection"],
)
def test_buying_back_takes_power(less, volumes):
    """8 kWh at first, and what 5 kW of a charger, 3 of a market or 4 of a connection bring back in
    each of two hours.

    Proves the room for it where it is bought and where it flows: without, 24 kW are sold."""
    result = at_rest(sold(), **less)
    assert result.attrs["profit"] == approx(0.01 * volumes)
    assert result["audit"].attrs["passed"] == 1


@pytest.mark.parametrize(
    ("less", "volumes"),
    [
        ({}, 24),
        ({"battery": storage(energy_max=8, discharge_max=5)}, 18),
        ({"limit": 3}, 14),
        ({"connection": {"import_max": 100, "export_max": 4}}, 16),
    ],
    ids=["enough", "charger", "market", "connection"],
)
def test_a_surplus_is_sold(less, volumes):
    """The same of 8 kWh of room in an empty battery: what calls downward bring is sold."""
    result = at_rest(sold("down"), **({"battery": storage(energy_max=8)} | less))
    assert result.attrs["profit"] == approx(0.01 * volumes)


@pytest.mark.parametrize(
    ("charger", "volumes", "budget"), [(10, 32, 24), (2, 28, 24)], ids=["fast", "slow"]
)
def test_one_call_in_any_three_hours(charger, volumes, budget):
    """Calls of an hour in any three, bought back from the second hour after on: the first and the
    fourth hour share 8 kWh and what two hours bring back, 8 of 20 kWh or 4.

    Proves the queue by the steps since the last call: with calls all the time 16 kW are sold; a
    budget, which buys nothing back, sells 24."""
    battery = BOX | {"charge_max": charger}
    offered = {"activation_cycle": 3, "recovery_delay": 2}
    result = at_rest(sold(hours=4, **offered), battery, hours=4)
    assert result.attrs["profit"] == approx(0.01 * volumes)
    kept = at_rest(sold(hours=4, guarantee="budget", **offered), battery, hours=4)
    assert kept.attrs["profit"] == approx(0.01 * budget)


def test_recourse_all_the_time_may_be_less_than_a_budget():
    """A charger of 1 kW: 8 kWh and three hours of buying back, 11 kW, where a budget of one hour in
    four sells 8 in each of four, 32. With recourse for the same calls no less is sold than that.

    Proves that guarantees are compared for the same calls only."""
    battery = BOX | {"charge_max": 1}
    cycle = {"activation_cycle": 4}
    always = at_rest(sold(hours=4), battery, hours=4)
    budget = at_rest(sold(hours=4, guarantee="budget", **cycle), battery, hours=4)
    same = at_rest(sold(hours=4, **cycle), battery, hours=4)
    assert [r.attrs["profit"] for r in (always, budget, same)] == approx([0.11, 0.32, 0.32])


@pytest.mark.parametrize(
    ("planned", "followed", "short"),
    [
        ({"guarantee": "physical"}, {"guarantee": "box"}, 8),
        ({}, {"recovery_delay": 2.0}, 8),
        ({"activation_cycle": 4}, {"activation_cycle": np.nan}, 6),
    ],
    ids=["nothing bought back", "a longer delay", "calls all the time"],
)
def test_plans_for_less_break(planned, followed, short):
    """8 kW in each of four hours, called in all of them: the second call finds nothing where
    nothing is bought back (one call is planned), nothing where that is an hour late, and 2 of 8 kWh
    where a charger of 2 kW buys it back (one call in four hours is planned).

    Proves that the signals and the policy of `stress` tell: each plan is safe for what it is made
    for."""
    battery = BOX | {"charge_max": 2 if "activation_cycle" in planned else 10}
    result = at_rest(sold(hours=4, **planned), battery, hours=4)
    assert row(result, "reserve.volume") == approx([8] * 4)
    assert float(v2g.stress(result, v2g.extreme_signals(result)).violation_energy.max()) <= 1e-9
    other = result.copy()
    fields = {name: ("product", [value]) for name, value in followed.items()}
    other["reserve"] = result["reserve"].to_dataset().assign(fields)
    found = v2g.stress(other, v2g.extreme_signals(other))
    assert float(found.violation_energy.max()) == approx(short)


def test_a_sale_stops_charging_before_a_call_can():
    """Charging at 5 kW in the second hour, of which a sale of 3 kWh stops 3.75: an upward call then
    takes 1.25 X - 0.45 (5 - 3.75) of 5 kWh, so that X = 4.45 kW are sold.

    The 4 kW downward of the first hour bring 5 kWh, of which 2 have room in the second. Proves the
    loss that a sale adds to a call at the same time: without it 5.8 kW would be sold, which a call
    of 0.6 before and a full one then do not leave in the battery."""
    ev = vehicle(
        discharge_max=10,
        energy_initial=9,
        energy_min=[0, 3],
        energy_max=10,
        eta_charge=0.8,
        eta_discharge=0.8,
    )
    both = {"guarantee": "recourse"}
    offered = {
        "down": product(down=1, capacity_price=[100, 100], volume_max=[4, 0], **both),
        "up": product(up=1, capacity_price=[10, 10], volume_max=[0, 100], **both),
    }
    powers = {"charge": [0.0, 5.0], "discharge": [4.0, 0.0]}
    tree = case(ev, market([0, 0]), offered)
    fixed = {
        f"fleet.{n}": xr.DataArray(x, dims="time", coords={"time": tree["time"]})
        for n, x in powers.items()
    }
    result = v2g.solve(tree, fix=fixed)
    assert row(result, "reserve.share_fleet", product="up") == approx([0, 4.45])
    signals = v2g.random_signals(result, 1)
    level = np.zeros((1, 2, 2))
    for way, place, calls in (("down", 0, [0.6, 0.0]), ("up", 1, [0.0, 1.0])):
        level[0, place] = calls
        signals[way] = (signals[way].dims, np.where(np.arange(2)[None, :, None] == place, level, 0))
    assert float(v2g.stress(result, signals).violation_energy.max()) <= 1e-9
    more = result.copy()
    shares = result["reserve"].to_dataset()
    larger = shares.share_fleet * xr.where(shares["product"] == "up", 5.8 / 4.45, 1.0)
    more["reserve"] = shares.assign(share_fleet=larger)
    assert float(v2g.stress(more, signals).violation_energy.max()) > 1


@pytest.mark.parametrize(
    ("name", "value", "check", "missed"),
    [
        ("bought_back_battery", 6.0, "calls_up_battery", 2.0),
        ("bought_back_battery", 12.0, "room_down_battery", 2.0),
        ("bought_back_battery", -1.0, "sign_bought_battery", 1.0),
        ("share_battery", 9.0, "calls_up_battery", 1.0),
    ],
)
def test_the_audit_follows_the_worst_calls(name, value, check, missed):
    """8 kW are sold in each hour, and 8 kWh bought back in the second: 2 less, and calls in all
    hours take 2 more than there is; 12 kWh pass the charger by 2 kW.
    """
    result = at_rest(sold())
    checks = audit_of_replaced(result, f"reserve.{name}", 1, value)
    assert float(checks[f"reserve.{check}"]) == approx(missed)


def test_the_audit_asks_markets_to_take_what_is_bought_back():
    """8 kWh bought back in an hour at a market of 8 kW: 9 pass it by 1."""
    result = at_rest(sold(), limit=8)
    checks = audit_of_replaced(result, "reserve.bought_back_battery", 1, 9.0)
    assert float(checks["energy.bought_back"]) == approx(1)


@pytest.mark.parametrize(
    ("fields", "known", "volumes"),
    [
        ({}, {"drawn_initial": [6.0]}, [8, 8]),
        ({"recovery_delay": 2}, {"drawn_initial": [6.0], "drawn_recent": [6.0]}, [2, 6]),
        ({"recovery_delay": 2}, {"drawn_initial": [6.0]}, [8, 0]),
        ({"activation_cycle": 2, "charge_max": 1}, {"drawn_initial": [6.0, 5.0]}, [4, 4]),
    ],
    ids=["at once", "from the second hour on", "an earlier call", "one in two hours"],
)
def test_calls_before_the_start(fields, known, volumes):
    """6 of 8 kWh were drawn before. Bought back in the first hour they leave all of it; where the
    call was in the last hour and can be bought back from the second on, 2 kW are sold in the first
    and 6 in the second; where it was earlier, 8 in the first (that pays more) and no more.

    With one call in any two hours and a charger of 1 kW: a call of the first hour finds 5 less 1
    owed, one of the second 6 less 2.
    """
    fields = dict(fields)
    battery = BOX | {"charge_max": fields.pop("charge_max", 10)}
    offered = sold(hours=2, **fields) | {"capacity_price": [10, 9]}
    tree = case(None, market([0, 0]), offered, battery=battery)
    reserve = tree["reserve"].to_dataset()
    for name, left in known.items():
        axes = {"battery": ["box"], "product": ["regulation"], "lag": [*range(1, len(left) + 1)]}
        reserve[f"{name}_battery"] = xr.DataArray([[left]], coords=axes, dims=list(axes))
    tree["reserve"] = reserve
    assert row(v2g.solve(tree, fix=UNMOVED), "reserve.volume") == approx(volumes)


MANY = settings().max_examples > 10
COMMUTERS = {  # of a prototype with its own programme: calls, delay, EUR per vehicle and year
    "all the time, 1 h": ({}, 1.0, 1157.0),
    "one hour in four, 3 h": ({"activation_cycle": 4.0}, 3.0, 1489.4),
    "one hour in four, 1 h": ({"activation_cycle": 4.0}, 1.0, 1597.1),
    "one hour in four, 2 h": ({"activation_cycle": 4.0}, 2.0, 1552.0),
    "all the time, 2 h": ({}, 2.0, 1011.4),
    "all the time, 3 h": ({}, 3.0, 852.5),
}


@pytest.mark.parametrize("name", list(COMMUTERS) if MANY else list(COMMUTERS)[:2])
def test_commuters_of_a_prototype(name):
    """20 commuters over seven days that need 70 % and are never called, settled as capacity: what
    a prototype found, to the cent of a year. It counts the loss that a sale adds to a call also
    where the product cannot be sold, as this model does if a ten-thousandth of a watt can.
    """
    fields, delay, value = COMMUTERS[name]
    tree = v2g.commuters(vehicles=20, days=7)
    fleet, reserve = tree["fleet"].to_dataset(), tree["reserve"].to_dataset()
    tree["fleet"] = fleet.assign(energy_min=fleet.energy_min * 0.7 / 0.99)
    hours = fields | {"recovery_delay": delay}
    tree["reserve"] = reserve.assign(
        guarantee=("product", ["recourse"] * 2),
        activation_up=0.0 * reserve.activation_up,
        activation_down=0.0 * reserve.activation_down,
        volume_max=reserve.volume_max.clip(min=1e-7),
        **{n: ("product", [x] * 2, {"units": "h"}) for n, x in hours.items()},
    )
    found = v2g.solve(tree, audit=False).attrs["objective"]
    assert found / 20 * 365 / 7 == approx(value, abs=0.06)
