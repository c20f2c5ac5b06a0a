"""Chargers that stop below 6 A, and batteries that take less power as they fill."""

import numpy as np
import pytest
from cases import case, market, product, row, vehicle
from pytest import approx
from tampering import audit_of_tampered, tampered

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError

SLOW = vehicle(charge_max=5, charge_min=4)


def tapering(**fields):
    """5 kW and 10 kWh; the power falls to 0 between 5 kWh and 10 kWh: 1 kW for each kWh above 5."""
    return vehicle(charge_max=5, energy_max=10, taper_from=0.5, taper_to=0.0) | fields


# ---- least power


def test_charging_stops_or_takes_its_least(pipeline):
    """6 kWh in steps of 4 to 5 kW: two steps of 4 kW, 4 x 20 + 4 x 25 = 0.18 EUR for 8 kWh.

    Without a least power 5 and 1 kW would do: 0.125 EUR.
    """
    result = pipeline(case(SLOW | {"energy_min": [0, 0, 6]}, market([30, 20, 25])))
    assert row(result, "fleet.charge") == [0, 4, 4]
    assert result.attrs["profit"] == approx(-0.18)


def test_what_does_not_fit_is_not_charged(pipeline):
    """3 kWh fit into the battery and 4 kW are the least: nothing is drawn, though 50 EUR/MWh are
    paid for it (0.15).
    """
    full = SLOW | {"energy_initial": 37}
    assert pipeline(case(full, market([-50]))).attrs["profit"] == approx(0)
    assert pipeline(case(full | {"charge_min": 3}, market([-50]))).attrs["profit"] == approx(0.15)


def test_a_need_between_the_steps_is_missed(pipeline):
    """6 kWh are due and fit: one step gives 5, two give at least 8. One kWh is missing, at 10
    EUR.
    """
    result = pipeline(case(SLOW | {"energy_min": [0, 6], "energy_max": 6}, market([20, 20])))
    assert result.attrs["objective"] == approx(-0.10 - 10)
    assert row(result, "fleet.unserved") == [0, 1]


def test_discharging_has_a_least_power_of_its_own(pipeline):
    """3 kWh on board cannot leave at 4 kW or more; 4 kWh can, at 100 EUR/MWh."""
    for energy, profit in ((3, 0), (4, 0.4)):
        car = vehicle(discharge_max=10, discharge_min=4, energy_initial=energy)
        assert pipeline(case(car, market([100]))).attrs["profit"] == approx(profit)


def test_a_least_power_holds_where_something_is_plugged_in(pipeline):
    """One number for all steps: nothing is plugged in during the second, which is no
    contradiction.
    """
    result = pipeline(
        case(SLOW | {"charge_max": [5, 0, 5], "energy_min": [0, 0, 9]}, market([20, 10, 30]))
    )
    assert row(result, "fleet.charge") == [5, 0, 4]


@pytest.mark.parametrize(
    "least", [{"charge_min": 2}, {"discharge_min": 2}, {"charge_min": 2, "discharge_min": 2}]
)
def test_least_power_keeps_one_direction(least):
    """At -100 EUR/MWh a full lossy battery would burn energy by charging and discharging at once: 0
    EUR, not more.

    Holds without the rule for complementarity: the binaries of the least power do it.
    """
    lossy = vehicle(discharge_max=10, energy_initial=40, eta_charge=0.9, eta_discharge=0.9)
    tree = case(lossy | least, market([-100]))
    assert v2g.solve(tree, complementarity="off").attrs["profit"] == approx(0, abs=1e-9)
    assert v2g.solve(case(lossy, market([-100])), complementarity="off").attrs["profit"] > 0.1


@pytest.mark.parametrize("mode", ["lazy", "milp", "audit", "off"])
def test_least_power_beside_the_rule_for_one_direction(mode):
    """However the one direction is kept, 10 kW at -100 EUR/MWh, then 10 kW back at 50: 1.50 EUR."""
    lossy = vehicle(
        discharge_max=10, charge_min=2, energy_initial=20, eta_charge=0.9, eta_discharge=0.9
    )
    result = v2g.solve(case(lossy, market([-100, 50])), complementarity=mode)
    assert result.attrs["profit"] == approx(1.50)
    assert result.attrs["overlap_kw"] == approx(0, abs=1e-9)


def test_expected_calls_stay_on_one_side_of_the_gap(pipeline):
    """Calls of a quarter expected both ways: without a least power half a step charges and half of
    it discharges.

    With one, the power stays within the range it stands in; the middle of 4 and 10 kW holds 3
    either way."""
    calls = {"activation_up": 0.25, "activation_down": 0.25}
    both = product(
        up=1, down=1, capacity_price=50, activation_price_up=0, activation_price_down=0, **calls
    )
    car = vehicle(discharge_max=10, energy_initial=20, charge_min=4, discharge_min=4)
    result = pipeline(case(car, market([0]), both))
    assert row(result, "reserve.volume") == [3]
    assert min(row(result, "fleet.charge") + row(result, "fleet.discharge")) == 0


def test_a_full_battery_that_is_never_reached_is_explained():
    """A hard need of all 10 kWh, and a taper to nothing: the message names the car and what it is
    short of.
    """
    with pytest.raises(v2g.Infeasible, match="fleet ev: .* short of its need"):
        v2g.solve(
            case(tapering(energy_min=[0, 0, 0, 10], unserved_cost=float("nan")), market([1] * 4))
        )


def test_alike_cars_take_turns(pipeline):
    """Two cars of 4 kW at least behind 6 kW: one after the other. Merged, they would need 8 kW at
    once.
    """
    cars = {name: SLOW | {"energy_min": [0, 4]} for name in ("a", "b")}
    result = pipeline(case(cars, market([20, 20]), connection={"import_max": 6}))
    assert result.attrs["merged_members"] == 0
    assert result.attrs["profit"] == approx(-0.16)
    assert sorted(row(result, "fleet.charge")) == [0, 0, 4, 4]
    free = {name: car | {"charge_min": 0} for name, car in cars.items()}
    assert v2g.solve(case(free, market([20, 20]))).attrs["merged_members"] == 1


def test_each_future_starts_its_own_charger(pipeline):
    """5 kWh in the cheap of two hours, which differs between the futures: 5 x 10 in both, 0.05 EUR.

    The day-ahead position cannot follow: prices are those of an intraday market decided afterwards.
    """
    prices = {"price": {"early": [10, 90], "late": [90, 10]}, "limit": 100, "first_stage": 0}
    tree = case(SLOW | {"energy_min": [0, 5]}, prices, scenarios={"early": 0.5, "late": 0.5})
    result = pipeline(tree)
    assert row(result, "fleet.charge") == [5, 0, 0, 5]
    assert result.attrs["profit"] == approx(-0.05)


@pytest.mark.parametrize(
    ("least", "down", "up"),
    [
        ({}, 20, 20),
        ({"charge_min": 4}, 10, 6),
        ({"discharge_min": 3}, 7, 10),
        ({"charge_min": 4, "discharge_min": 3}, 7, 6),
    ],
)
def test_reserves_do_not_cross_a_gap(pipeline, least, down, up):
    """10 kW each way. Discharging with all of it there is room down: to full charging; or to idle,
    or to 3 kW.

    Charging with all of it there is room up: to full discharging; or to 4 kW, or to idle if
    discharging has a least."""
    car = vehicle(discharge_max=10, energy_initial=20) | least
    lowered = pipeline(case(car, market([100]), product(down=1, capacity_price=5)))
    assert row(lowered, "fleet.discharge") == [10]
    assert row(lowered, "reserve.volume") == [down]
    raised = pipeline(case(car, market([-100]), product(up=1, capacity_price=5)))
    assert row(raised, "fleet.charge") == [10]
    assert row(raised, "reserve.volume") == [up]


@pytest.mark.parametrize(
    ("least", "volume"),
    [
        ({}, 10),
        ({"charge_min": 4}, 5),
        ({"discharge_min": 4}, 5),
        ({"charge_min": 4, "discharge_min": 4}, 3),
    ],
)
def test_idle_it_holds_what_it_can_reach_from_there(pipeline, least, volume):
    """Both directions, 10 kW each way: 10 when idle.

    With 4 kW at least one way, half of the 10 kW the other way, from the middle; with 4 kW both
    ways the middle of 4 and 10 kW is 3 from either end. Energy at 0 EUR/MWh, so that the power it
    holds the reserve at is free."""
    car = vehicle(discharge_max=10, energy_initial=20) | least
    result = pipeline(case(car, market([0]), product(up=1, down=1, capacity_price=5)))
    assert row(result, "reserve.volume") == [volume]


def test_a_baseline_has_the_least_power_too(pipeline):
    """A product that guarantees energy and is activated by half, paid 20 EUR/MW/h, its energy free
    of charge.

    Idle, all 10 kW could be held, for 0.20 EUR. From 4 kW on, 6 kW are held: 0.12, less 4 kWh at 10
    EUR/MWh: 0.08."""
    held = product(
        down=1,
        capacity_price=20,
        activation_down=0.5,
        activation_price_down=0,
        guarantee="endurance",
    )
    for least, volume, baseline, profit in ((0, 10, 0, 0.20), (4, 6, 4, 0.08)):
        result = pipeline(case(vehicle(charge_min=least), market([10]), held))
        assert row(result, "reserve.volume") == [volume]
        assert row(result, "fleet.charge_baseline") == [baseline]
        assert row(result, "fleet.charge") == [baseline + volume / 2]
        assert result.attrs["profit"] == approx(profit)


# ---- taper


def test_power_falls_near_full(pipeline):
    """8 kWh: 5, then 2.5 to stand at 7.5 kWh, where 2.5 kW are left, then 0.5: 5 x 10 + 2.5 x 20 +
    0.5 x 25 = 0.1125.

    Without the taper 5 and 3 kW: 0.11 EUR. Read at the start of the step, the second hour could
    take 3 kW as well."""
    result = pipeline(case(tapering(energy_min=[0, 0, 0, 8]), market([10, 20, 25, 40])))
    assert row(result, "fleet.charge") == [5, 2.5, 0.5, 0]
    assert result.attrs["profit"] == approx(-0.1125)


def test_some_power_is_left_when_full(pipeline):
    """With a fifth left at the end, 1 kW: 9 kWh become 10, and no more than 1 kWh can be taken from
    9 on.
    """
    car = tapering(taper_to=0.2, energy_initial=9, energy_min=[10])
    assert row(pipeline(case(car, market([10]))), "fleet.charge") == [1]
    late = tapering(taper_to=0.2, energy_initial=8.5, energy_min=[10])
    # c = 1 + 4 (10 - e) / 5 and e = 8.5 + c: c = 2.2 / 1.8
    assert row(pipeline(case(late, market([10]))), "fleet.charge") == [approx(2.2 / 1.8, abs=1e-6)]


@pytest.mark.parametrize(("step", "steps"), [("1h", 1), ("30min", 2), ("15min", 4), ("5min", 12)])
def test_the_taper_is_on_the_safe_side(step, steps):
    """Power 10 (1 - e / 10) kW from empty: an hour gives 10 (1 - exp(-1)) kWh; in n steps 10 (1 -
    (1 + 1/n)^-n), less.

    Reading it at the start of the steps would give 10 (1 - (1 - 1/n)^n), more than the battery
    takes."""
    car = vehicle(charge_max=10, energy_max=10, taper_from=0, taper_to=0)
    result = v2g.solve(case(car, market([-10] * steps), step=step))
    energy = row(result, "fleet.energy")[-1]
    assert energy == approx(10 * (1 - (1 + 1 / steps) ** -steps), abs=1e-5)
    assert energy < 10 * (1 - np.exp(-1))


def test_reserve_is_held_within_the_taper(pipeline):
    """7.5 of 10 kWh on board leave 2.5 of 5 kW; 3 kWh leave them all. Both are held downward at 5
    EUR/MW/h.
    """
    held = product(down=1, capacity_price=5)
    assert row(
        pipeline(case(tapering(energy_initial=7.5), market([10]), held)), "reserve.volume"
    ) == [2.5]
    assert row(
        pipeline(case(tapering(energy_initial=3), market([10]), held)), "reserve.volume"
    ) == [5]


def test_reserve_within_the_taper_of_the_baseline(pipeline):
    """Half of what is held downward is expected, with energy guaranteed: 6 kWh on board, baseline
    idle.

    Expected energy is 6 + x / 2: 10 - 6 - x / 2 kW are left at its end, and x fits below that: x =
    8 / 3."""
    held = product(
        down=1,
        capacity_price=20,
        activation_down=0.5,
        activation_price_down=0,
        guarantee="endurance",
    )
    result = pipeline(case(tapering(energy_initial=6), market([100]), held))
    assert row(result, "reserve.volume") == [approx(8 / 3, abs=1e-6)]
    assert row(result, "fleet.charge_baseline") == [0]


def test_least_power_ends_the_charge_early(pipeline):
    """2 kW at least: the last step ends at 8 kWh, where 2 kW are left. From 6.5 kWh on nothing can
    be taken.

    A step from 6 kWh to 8 can; from 6.5 it would end at 8.5, where only 1.5 kW are left.
    """
    for energy, charged in ((6, 2), (6.5, 0)):
        result = pipeline(case(tapering(charge_min=2, energy_initial=energy), market([-10])))
        assert row(result, "fleet.charge") == [charged]


def test_tapering_cars_are_merged(pipeline):
    """Three alike are one of three times the size: the same plan for each."""
    cars = {name: tapering(energy_min=[0, 0, 0, 8]) for name in "abc"}
    result = pipeline(case(cars, market([10, 20, 25, 40])))
    assert result.attrs["merged_members"] == 2
    assert row(result, "fleet.charge", fleet="c") == [5, 2.5, 0.5, 0]
    assert result.attrs["profit"] == approx(-3 * 0.1125)


# ---- without management


def unmanaged(tree):
    return v2g.unmanaged(tree).values.round(6).tolist()


def test_unmanaged_charging_tapers():
    """5 kW, then what is left at the end of each hour: 2.5, then 0.5 to the need of 8 kWh."""
    assert unmanaged(case(tapering(energy_min=[0, 0, 0, 8]), market([1] * 4))) == [[5, 2.5, 0.5, 0]]


def test_unmanaged_charging_goes_beyond_the_need_or_holds_back():
    """11 kWh with 10 kW, at least 4: a second step of 4 kW where that fits; else 7 kW first, to
    leave 4.
    """
    car = vehicle(charge_min=4, energy_min=[0, 0, 11])
    assert unmanaged(case(car, market([1] * 3))) == [[10, 4, 0]]
    assert unmanaged(case(car | {"energy_max": 11}, market([1] * 3))) == [[7, 4, 0]]


def test_unmanaged_charging_below_the_least_does_not_start():
    """1 kWh is missing, at least 4 kW, and no room for them: nothing is charged."""
    car = vehicle(charge_min=4, energy_initial=10, energy_max=11, energy_min=[0, 11])
    assert unmanaged(case(car, market([1, 1]))) == [[0, 0]]


def test_unmanaged_cars_wait_for_their_least():
    """Behind 12 kW the second car is left 2 kW, less than its least: it waits until the first is
    done.
    """
    cars = {name: vehicle(charge_min=4, energy_min=[0, 0, 10]) for name in ("a", "b")}
    assert unmanaged(case(cars, market([1] * 3), connection={"import_max": 12})) == [
        [10, 0, 0],
        [0, 10, 0],
    ]


@pytest.mark.parametrize(
    "fields", [{"charge_min": 1.5}, {"charge_min": 1.5, "discharge_min": 1}, {}]
)
def test_every_rung_keeps_the_rules(fields):
    """Hard needs, least powers and taper together: all five rungs have a plan, each no worse than
    the one before.
    """
    car = tapering(discharge_max=5, energy_min=[0, 0, 0, 7], unserved_cost=float("nan")) | fields
    tree = case(car, market([80, 20, 60, 40]), product(up=1, down=1, capacity_price=5))
    profit = v2g.compare(tree)["ladder"].profit.to_series()
    assert profit["unmanaged"] <= profit["smart"] + 1e-9 <= profit["V2G"] + 2e-9
    assert profit["smart"] <= profit["smart + reserves"] + 1e-9


# ---- proof


@pytest.fixture(scope="module")
def honest():
    """A car with least powers and taper that sells and buys, beside another that does the same;
    both hold reserve.
    """
    car = tapering(
        charge_min=1, discharge_max=5, discharge_min=2, energy_initial=5, energy_min=[0, 0, 7]
    )
    held = product(up=1, down=1, capacity_price=1, volume_max=0.25)
    return v2g.solve(case({"a": car, "b": car}, market([10, 100, 10]), held))


def replayed(result, fields):
    changed = result.copy(deep=True)
    changed["fleet"] = (
        changed["fleet"].to_dataset().assign({k: ("fleet", [v] * 2) for k, v in fields.items()})
    )
    return v2g.replay(changed)


def test_the_honest_result_passes(honest):
    """What the others change is right as it is: 2.5 kW are charged at the end, 5 discharged
    before.
    """
    assert v2g.replay(honest).attrs["passed"] == 1
    assert row(honest, "fleet.charge", fleet="b")[-1] > 1
    assert sum(row(honest, "reserve.volume")) > 0


FALSE = {
    "less than the least": ({"charge_min": 4.9}, "fleet.limit_charge_min"),
    "less than the least out": ({"discharge_min": 4.99}, "fleet.limit_discharge_min"),
    "above the taper": ({"taper_from": 0.3}, "fleet.limit_taper"),
    "above a lower tail": ({"taper_to": 0.0, "taper_from": 0.4}, "fleet.limit_taper"),
    "reserve in a gap": ({"discharge_min": 4.9}, "reserve.room_down_fleet"),
}


@pytest.mark.parametrize(("fields", "check"), FALSE.values(), ids=FALSE)
def test_a_broken_rule_is_found(honest, fields, check):
    """The rule in the written file is another: the plan does not keep it, and the audit says so."""
    assert float(replayed(honest, fields)[check]) > 1e-6


def test_a_reserve_above_the_taper_of_the_baseline_is_found():
    """4 kW are held upward, half of them called on average: 7.5 kWh on the baseline, 5.5 are
    expected.

    The taper leaves 2.5 kW at 7.5 kWh, all of which is held downward, though 4.5 are left at 5.5
    kWh. 1 kW more of both reserves is above the taper if nothing is called; by the expected path
    alone it would fit."""
    ready = {"guarantee": "endurance", "capacity_price": 50, "activation_price_up": 500}
    up = product(up=1, activation_up=0.5, volume_max=4, **ready)
    down = product(down=1, **ready)
    car = tapering(energy_initial=7.5, discharge_max=10)
    result = v2g.solve(case(car, market([100], limit=0), {"up": up, "down": down}))
    assert row(result, "reserve.volume") == [4, 2.5]
    assert row(result, "fleet.energy_baseline") == [7.5]
    changed = tampered(tampered(result, "reserve.share_fleet", 1), "reserve.volume", 1)
    assert float(v2g.replay(changed)["reserve.room_down_fleet"]) == approx(1.5)


def test_a_reserve_that_would_stop_the_charger_is_found():
    """10 kW charged and 6 held upward leave 4; where 5 are the least, that is 1 kW too many."""
    car = vehicle(charge_min=4, charge_max=10)
    result = v2g.solve(case({"a": car, "b": car}, market([-100]), product(up=1, capacity_price=5)))
    assert row(result, "reserve.volume") == [12]
    checks = replayed(result, {"charge_min": 5.0})
    assert float(checks["reserve.room_up_fleet"]) == approx(1)


def test_both_directions_are_found(honest):
    """Discharging written beside charging, where there is a least power."""
    checks = audit_of_tampered(honest, "fleet.discharge", 1.0)
    assert float(checks["fleet.limit_charge_min"]) > 1e-6


BAD = {
    "above the most": (
        {"charge_min": 12},
        "fleet.charge_min",
        "12, more than charge_max at that step",
    ),
    "above the most at one step": (
        {"charge_min": 4, "charge_max": [10, 3]},
        "fleet.charge_min",
        "01:00",
    ),
    "above the most, out": (
        {"discharge_min": 4, "discharge_max": 3},
        "fleet.discharge_min",
        "more than discharge_max",
    ),
    "below 0": ({"charge_min": -1}, "fleet.charge_min", "allowed [0, inf] kW"),
    "below 0, out": ({"discharge_min": -1}, "fleet.discharge_min", "allowed [0, inf] kW"),
    "many vehicles": (
        {"charge_min": 4, "aggregate": 1},
        "fleet.charge_min",
        "holds for one vehicle",
    ),
    "many vehicles, out": (
        {"discharge_min": 4, "discharge_max": 5, "aggregate": 1},
        "fleet.discharge_min",
        "one vehicle",
    ),
    "many taper": (
        {"taper_from": 0.8, "taper_to": 0.1, "aggregate": 1},
        "fleet.taper_from",
        "holds for one vehicle",
    ),
    "from 1": ({"taper_from": 1, "taper_to": 0.1}, "fleet.taper_from", "allowed [0, 1)"),
    "above 1": ({"taper_from": 1.2, "taper_to": 0.1}, "fleet.taper_from", "allowed [0, 1]"),
    "from below 0": ({"taper_from": -0.2, "taper_to": 0.1}, "fleet.taper_from", "allowed [0, 1]"),
    "to above 1": ({"taper_from": 0.8, "taper_to": 1.1}, "fleet.taper_to", "allowed [0, 1]"),
    "to nothing": (
        {"taper_from": 0.8},
        "fleet.taper_to",
        "give the share of charge_max left when full",
    ),
}


@pytest.mark.parametrize(("fields", "where", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_named(fields, where, words):
    """One problem, in the field that is wrong, with the vehicle and the remedy."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(vehicle() | fields, market([10, 10])))
    (problem,) = found.value.problems
    assert problem.where == where
    assert words in problem.detail
    assert "ev" in problem.detail
