"""Wear by the depth of cycles and by time. Phi(delta) = delta^2 in four segments unless the story
says otherwise, and a new battery costs 16 EUR: the segments of a 10 kWh battery hold 2.5 kWh and
cost 1, 3, 5 and 7 EUR when emptied."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from pytest import approx
from tampering import audit_of_tampered

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError

SQUARE = {"stress_factor": 1.0, "stress_exponent": 2.0, "segments": 4.0, "replacement_cost": 16.0}


def box(**fields):
    return storage(**(SQUARE | fields))


def car(**fields):
    return vehicle(**(SQUARE | {"discharge_max": 10.0, "energy_max": 10.0} | fields))


def by_segment(*values):
    return xr.DataArray(
        list(values), coords={"segment": np.arange(1, len(values) + 1)}, dims="segment"
    )


def total(result, entry):
    """Sum of an entry of the ledger, EUR."""
    return sum(row(result, f"ledger.{entry}")) if entry in result["ledger"] else 0.0


def moved(**powers):
    """A plan held fixed, kW per step, of the battery or of the car."""
    part = powers.pop("part", "battery")
    time = pd.date_range("2026-01-05", periods=len(powers["charge"]), freq="h")
    return {
        f"{part}.{name}": xr.DataArray(values, coords={"time": time}, dims="time")
        for name, values in powers.items()
    }


def test_only_as_deep_as_it_pays(pipeline):
    """Free energy, then 1000 EUR/MWh: 2.5 kWh earn 2.5 EUR and cost 1 EUR, the next 2.5 would cost
    3: one is sold.

    Proves the price of each segment. At the mean price of a full cycle, 16 EUR for 10 kWh, nothing
    would be sold; at that of the first segment all of it."""
    result = pipeline(case(None, market([0, 1000]), battery=box()))
    assert result.attrs["profit"] == approx(1.5)
    assert row(result, "battery.discharge") == [0, 2.5]
    assert row(result, "ledger.battery.wear_cycles") == [0, -1]
    assert result.attrs["binaries"] == 0


def test_two_shallow_cycles_are_cheaper_than_a_deep_one(pipeline):
    """5 kWh twice cost 2 x 4 EUR, 10 kWh once 16. Proves that a segment filled again is cheap
    again.
    """
    plan = moved(charge=[5, 0, 5, 0], discharge=[0, 5, 0, 5])
    result = pipeline(case(None, market([0, 0, 0, 0]), battery=box()), fix=plan)
    assert row(result, "ledger.battery.wear_cycles") == [0, -4, 0, -4]


def test_a_pause_does_not_make_a_cycle_shallow(pipeline):
    """10 kWh in two halves with 2.5 charged between: the fall of 10 kWh and the one of 2.5 inside
    it, 16 + 1 EUR.

    Proves memory: fall by fall it would be 7.5^2 + 5^2 = 13 EUR.
    """
    plan = moved(charge=[0, 2.5, 0], discharge=[7.5, 0, 5])
    result = pipeline(case(None, market([0, 0, 0]), battery=box(energy_initial=10)), fix=plan)
    assert total(result, "battery.wear_cycles") == approx(-17)


def test_wear_counts_in_the_battery(pipeline):
    """2 kWh fed in at 0.8 are 2.5 in the battery: the first segment, 1 EUR; at the grid it would be
    0.8 EUR.
    """
    plan = moved(charge=[0], discharge=[2])
    result = pipeline(
        case(None, market([0]), battery=box(energy_initial=10, eta_discharge=0.8)), fix=plan
    )
    assert total(result, "battery.wear_cycles") == approx(-1)


def test_a_cyclic_end_holds_in_each_segment(pipeline):
    """From half full down to empty, up to full, down to half: on a circle one fall of 10 kWh, 16
    EUR.

    Proves the cyclic end per segment. With the total alone the two falls of 5 kWh would cost 4 EUR
    each."""
    plan = moved(charge=[0, 10, 0], discharge=[5, 0, 5])
    result = pipeline(
        case(None, market([0, 0, 0]), battery=box(energy_initial=5, cyclic=1)), fix=plan
    )
    assert total(result, "battery.wear_cycles") == approx(-16)
    assert sum(row(result, "battery.segment_start")) == approx(5)
    free = pipeline(case(None, market([0, 0, 0]), battery=box(energy_initial=5)), fix=plan)
    assert total(free, "battery.wear_cycles") == approx(-8)


def test_depths_of_its_own(pipeline):
    """Segments of a quarter and three quarters cost 1 and 15 EUR: 5 kWh cost 1 + 15 / 3 = 6 EUR; in
    quarters 4.

    Proves that depths are data, and that coarse segments count too much, never too little.
    """
    uneven = box(segment_depth=by_segment(0.25, 0.75), energy_initial=10)
    result = pipeline(case(None, market([0]), battery=uneven), fix=moved(charge=[0], discharge=[5]))
    assert total(result, "battery.wear_cycles") == approx(-6)


def test_some_have_segments(pipeline):
    """Three batteries sell 5 kWh: in four segments 4 EUR, in two 4 EUR, one without a price of its
    own nothing.

    Proves the mask: the last one has no energy in any segment.
    """
    every = {"four": box(energy_initial=10), "two": box(energy_initial=10, segments=2.0)}
    every["none"] = storage(energy_initial=10, wear=0.01)
    result = pipeline(case(None, market([0]), battery=every), fix=moved(charge=[0], discharge=[5]))
    assert row(result, "ledger.battery.wear_cycles") == [-4, -4, 0]
    assert row(result, "ledger.battery.wear") == [0, 0, -0.05]
    assert row(result, "battery.segment_energy", battery="none") == [0, 0, 0, 0]
    assert row(result, "battery.segment_energy", battery="two") == [0, 5, 0, 0]


def test_driving_wears_too(pipeline):
    """A car drives 5 kWh and sells 5 without charging between: one fall of 10 kWh, 16 EUR; charged
    between, 2 x 4 EUR.

    Proves that a trip takes from the segments: forgotten, the sale would cost 4 EUR either way.
    """
    plan = moved(part="fleet", charge=[0, 0], discharge=[0, 5])
    driver = car(energy_initial=10, energy_out=[5, 0])
    assert total(pipeline(case(driver, market([0, 0])), fix=plan), "fleet.wear_cycles") == approx(
        -16
    )
    between = moved(part="fleet", charge=[5, 0], discharge=[0, 5])
    assert row(pipeline(case(driver, market([0, 0])), fix=between), "ledger.fleet.wear_cycles") == [
        -4,
        -4,
    ]


def test_a_trip_comes_before_the_charging_of_its_step(pipeline):
    """Half full, 5 kWh are driven and charged within the hour: a fall of 5 kWh, 4 EUR.

    Proves the order: passed through the first segment they would cost 2 EUR. With 2.5 kWh on board
    2.5 are charged on the way and pass at the price of the deepest segment: 1 + 7 EUR, never less
    than what a count would find."""
    plan = moved(part="fleet", charge=[5], discharge=[0])
    half = pipeline(case(car(energy_initial=5, energy_out=[5]), market([0])), fix=plan)
    assert total(half, "fleet.wear_cycles") == approx(-4)
    short = pipeline(case(car(energy_initial=2.5, energy_out=[5]), market([0])), fix=plan)
    assert total(short, "fleet.wear_cycles") == approx(-8)
    assert row(short, "fleet.trip_passed") == [2.5]


def test_what_leaves_beyond_a_trip_leaves_its_segment(pipeline):
    """5 kWh in the deeper of two halves: 2 leave with a car, 2 are charged in the same hour: 2
    shallow, 3 deep.
    """
    given = car(energy_initial=5, energy_max=10, spill_max=2, segments=2)
    tree = case(given, market([0]))
    fleet = tree["fleet"].to_dataset()
    tree["fleet"] = fleet.assign(
        segment_initial=(("fleet", "segment"), [[0.0, 5.0]]), segment=[1, 2]
    )
    held = {name: xr.DataArray(2.0) for name in ("fleet.charge", "fleet.spill")}
    result = v2g.solve(tree, fix=held | {"fleet.discharge": xr.DataArray(0.0)})
    assert row(result, "fleet.segment_level") == [2, 3]


def test_what_a_trip_does_not_find_stays_in_its_segment():
    """4 kWh in the deeper of two halves: a trip takes 1 of the 3 it is due, 1 is charged meanwhile:
    1 shallow, 3 deep.
    """
    tree = case(car(energy_initial=4, energy_out=3, segments=2), market([0]))
    fleet = tree["fleet"].to_dataset()
    tree["fleet"] = fleet.assign(
        segment_initial=(("fleet", "segment"), [[0.0, 4.0]]), segment=[1, 2]
    )
    plan = {"fleet.charge": 1.0, "fleet.discharge": 0.0, "fleet.unserved_trip": 2.0}
    result = v2g.solve(tree, fix={name: xr.DataArray(x) for name, x in plan.items()})
    assert row(result, "fleet.segment_level") == [1, 3]


def test_an_arrival_is_another_battery(pipeline):
    """Two stays in one row: 5 of 10 kWh sold by the first car, 10 of 20 by the second, each at half
    depth, 4 EUR.

    Proves the restart and the capacity of each session: as one battery of 20 kWh the first 5 kWh
    would cost 1 EUR, and had the second car found the first one's segments empty it would pay for
    the deep ones, 12 EUR."""
    stays = car(keep=[0, 0], energy_in=[10, 20], energy_max=[10, 20])
    plan = moved(part="fleet", charge=[0, 0], discharge=[5, 10])
    result = pipeline(case(stays, market([0, 0])), fix=plan)
    assert row(result, "ledger.fleet.wear_cycles") == [-4, -4]


def test_a_capacity_of_its_own(pipeline):
    """A 20 kWh battery used up to 10: 5 kWh are a quarter, 1 EUR; of the 10 it would be half, 4
    EUR.
    """
    plan = moved(part="fleet", charge=[0], discharge=[5])
    result = pipeline(case(car(energy_initial=10, wear_capacity=20.0), market([0])), fix=plan)
    assert total(result, "fleet.wear_cycles") == approx(-1)


def test_wear_by_time(pipeline):
    """2 EUR an hour empty, 4 more when full; from 0 to 10 kWh in the first hour, then full: 2 + 2
    and 2 + 4 EUR.

    Proves the mean over the step: with the energy at its end the first hour would cost 6 EUR. Money
    per year is divided by 8760 h."""
    plan = moved(charge=[10, 0], discharge=[0, 0])
    aged = storage(calendar_cost=2 * 8760.0, calendar_cost_soc=4 * 8760.0)
    result = pipeline(case(None, market([0, 0]), battery=aged), fix=plan)
    assert row(result, "ledger.battery.wear_calendar") == [-4, -6]


def test_wear_by_time_makes_charging_late(pipeline):
    """10 kWh due after two hours at one price: charged in the second, half full on average for one
    hour, 2 EUR.

    Proves that it is part of the plan: charged at once it would be 6 EUR. Away (keep 0, no power)
    nothing counts."""
    needs = vehicle(energy_max=10, energy_min=[0, 10, 0], charge_max=[10, 10, 0], keep=[1, 1, 0])
    result = pipeline(
        case(
            needs | {"calendar_cost_soc": 4 * 8760.0, "calendar_cost": 8760.0}, market([20, 20, 20])
        )
    )
    assert row(result, "fleet.charge") == [0, 10, 0]
    assert row(result, "ledger.fleet.wear_calendar") == [-1, -3, 0]


def test_only_a_fixed_cost_of_time(pipeline):
    """1 EUR an hour whatever it does: 2 EUR, in the ledger and in the profit."""
    result = pipeline(case(None, market([10, 10]), battery=storage(calendar_cost=8760.0)))
    assert row(result, "ledger.battery.wear_calendar") == [-1, -1]
    assert result.attrs["profit"] == approx(-2)


def test_scenarios(pipeline):
    """Free energy, then 1000 or 0 EUR/MWh: 2.5 kWh are sold in the dear future alone, 0.5 x (2.5 -
    1) EUR.
    """
    futures = {"dear": [0, 1000], "cheap": [0, 0]}
    prices = market(futures, first_stage=0.0)
    result = pipeline(case(None, prices, battery=box(), scenarios={"dear": 0.5, "cheap": 0.5}))
    assert result.attrs["profit"] == approx(0.75)
    assert total(result, "battery.wear_cycles") == approx(-1)


def test_two_are_one_of_twice_the_size(pipeline):
    """Twins are merged: half of what a battery of twice the size, at twice the price, does and
    pays.
    """
    twin = box(energy_initial=5, cyclic=1, calendar_cost=10.0, calendar_cost_soc=20.0)
    twins = pipeline(case(None, market([0, 900, 100, 700]), battery={"a": twin, "b": twin}))
    double = {
        n: 2 * twin[n] for n in ("charge_max", "discharge_max", "energy_max", "energy_initial")
    }
    double |= {n: 2 * twin[n] for n in ("replacement_cost", "calendar_cost", "calendar_cost_soc")}
    one = pipeline(case(None, market([0, 900, 100, 700]), battery=twin | double))
    assert twins.attrs["merged_members"] == 1
    assert twins.attrs["profit"] == approx(one.attrs["profit"])
    assert [2 * x for x in row(twins, "battery.segment_energy", battery="b")] == row(
        one, "battery.segment_energy"
    )


def test_no_capacity_changes_nothing(pipeline):
    """A battery and a car of 0 kWh, priced in every way, beside a battery: the same plan and
    profit.
    """
    nothing = {"charge_max": 0.0, "discharge_max": 0.0, "energy_max": 0.0, "calendar_cost_soc": 9.0}
    alone = pipeline(case(None, market([0, 1000]), battery=box()))
    beside = pipeline(
        case(
            car(**nothing),
            market([0, 1000]),
            battery={"box": box(), "none": box(cyclic=1, **nothing)},
        )
    )
    assert beside.attrs["profit"] == approx(alone.attrs["profit"])
    assert row(beside, "battery.discharge", battery="box") == row(alone, "battery.discharge")
    assert total(beside, "battery.wear_calendar") == total(beside, "fleet.wear_cycles") == 0


def test_a_free_battery_has_no_segments():
    """A replacement cost of 0, or none given: the model is the one without."""
    plain = v2g.build(case(None, market([0, 10]), battery=storage()))
    for cost in (0.0, float("nan")):
        model = v2g.build(case(None, market([0, 10]), battery=box(replacement_cost=cost)))
        assert (model.nvars, model.ncons) == (plain.nvars, plain.ncons)


@pytest.mark.parametrize("part", ["battery", "fleet"])
def test_windows_go_on_where_the_last_one_ended(part):
    """A plan cut in two at any hour wears as much as in one piece: the second part starts at the
    carried levels.

    From 7.5 kWh to 0, to 5, to 0, to 10, to 0: falls of 7.5, 5 and 10 kWh, 9 + 4 + 16 EUR. Without
    levels a cut within a fall would forget how deep it was; levels that the first part left deep
    (its rises need not fall) would cost more."""
    charge, discharge = [0, 0, 5, 0, 10, 0], [5, 2.5, 0, 5, 0, 10]

    def worn(steps, **start):
        held = moved(part=part, charge=charge[steps], discharge=discharge[steps])
        members = {"battery": box(**start)} if part == "battery" else {}
        driver = car(**start) if part == "fleet" else None
        return v2g.solve(case(driver, market([0] * len(charge[steps])), **members), fix=held)

    assert total(worn(slice(0, 6), energy_initial=7.5), f"{part}.wear_cycles") == approx(-29)
    for hour in (1, 2, 3, 4, 5):
        first = worn(slice(0, hour), energy_initial=7.5)
        last = first[part].to_dataset().isel({"time": -1, part: 0}, drop=True)
        carried = {
            i: last[v2g.PARTS[part].state_inputs[i]] for i in ("energy_initial", "segment_initial")
        }
        second = worn(slice(hour, 6), **carried)
        assert total(first, f"{part}.wear_cycles") + total(second, f"{part}.wear_cycles") == approx(
            -29
        ), hour


def test_doubling_the_price_doubles_wear():
    """Held plan, price of a new battery 16 and 32 EUR: 17 and 34 EUR (docs/formulation.md §15:
    30).
    """
    plan = moved(charge=[0, 2.5, 0], discharge=[7.5, 0, 5])
    paid = [
        total(
            v2g.solve(
                case(None, market([0] * 3), battery=box(energy_initial=10, replacement_cost=c)),
                fix=plan,
            ),
            "battery.wear_cycles",
        )
        for c in (16.0, 32.0)
    ]
    assert paid == approx([-17, -34])


def test_reserves_wear_by_what_is_expected(pipeline):
    """A tenth of 10 kW held for half an hour is activated: 2.5 kWh expected over the hours, 1 EUR
    of the first segment.

    Proves that segments follow the expected path, not the baseline, which stands still.
    """
    up = product(
        up=1, hours_up=0.5, guarantee="endurance", capacity_price=[1000], activation_up=0.25
    )
    up |= {"activation_price_up": [0], "volume_max": [10]}
    held = box(energy_initial=10, charge_max=0)
    result = pipeline(case(None, market([0], limit=0), up, battery=held))
    assert row(result, "battery.energy") == [7.5]
    assert row(result, "battery.energy_baseline") == [10]
    assert total(result, "battery.wear_cycles") == approx(-1)


@pytest.fixture(scope="module")
def honest():
    """A battery on a circle and a car on a trip, both worn by depth and time."""
    worn = {"calendar_cost": 8.76, "calendar_cost_soc": 8.76}
    driver = car(energy_initial=10, energy_out=[0, 0, 5], **worn)
    here = box(energy_initial=5, cyclic=1, **worn)
    plan = moved(charge=[0, 10, 0], discharge=[5, 0, 5])
    return v2g.solve(case(driver, market([0, 500, 3000]), battery=here), fix=plan)


TAMPERED = {
    "energy in a segment": ("battery.segment_energy", 0.5, "battery.segment_level"),
    "more than it holds": ("battery.segment_energy", 5.0, "battery.segment_limit"),
    "below nothing": ("battery.segment_discharge", -1.0, "battery.segment_limit"),
    "power from nowhere": ("battery.segment_discharge", 0.5, "battery.segment_leaving"),
    "another start": ("battery.segment_start", 0.5, "battery.segment_start"),
    "no circle": ("battery.segment_energy", -0.5, "battery.segment_cyclic"),
    "energy that left no segment": ("battery.segment_discharge", -0.5, "battery.segment_entering"),
    "another level to go on from": ("battery.segment_level", 0.5, "battery.segment_order"),
    "a trip on foot": ("fleet.segment_trip", 0.5, "fleet.segment_driven"),
    "cheap cycles": ("ledger.battery.wear_cycles", 0.1, "battery.wear_cycles"),
    "cheap time": ("ledger.battery.wear_calendar", 0.1, "battery.wear_calendar"),
    "a trip that passed": ("fleet.trip_passed", 0.5, "fleet.segment_driven"),
    "a trip of nothing": ("fleet.segment_trip", 8.0, "fleet.segment_at_hand"),
    "cheap sales": ("ledger.fleet.wear_cycles", 0.1, "fleet.wear_cycles"),
    "cheap time of a car": ("ledger.fleet.wear_calendar", 0.1, "fleet.wear_calendar"),
}


@pytest.mark.parametrize(("name", "change", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_number_is_found(honest, name, change, check):
    """The last number of one array is changed: the audit does not pass, and the expected check sees
    it.
    """
    assert honest["audit"].attrs["passed"] == 1
    checks = audit_of_tampered(honest, name, change)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


BAD = {
    "a negative price": ({"replacement_cost": -1.0}, "replacement_cost", "allowed [0, inf]"),
    "half a segment": ({"segments": 2.5}, "segments", "whole number"),
    "no segment": ({"segments": 0.0}, "segments", "allowed [1, 1024]"),
    "not convex": ({"stress_exponent": 0.9}, "stress_exponent", "allowed [1, 10]"),
    "negative stress": ({"stress_factor": -0.1}, "stress_factor", "allowed [0, inf]"),
    "depths below 1": ({"segment_depth": by_segment(0.5, 0.4)}, "segment_depth", "make it 1"),
    "a negative depth": (
        {"segment_depth": by_segment(1.5, -0.5)},
        "segment_depth",
        "allowed [0, inf]",
    ),
    "another split": (
        {"segment_initial": by_segment(1, 1, 1, 1)},
        "segment_initial",
        "make it energy_initial",
    ),
    "an overfull segment": (
        {"segment_initial": by_segment(5, 0, 0, 0)},
        "segment_initial",
        "more than the segment",
    ),
    "other segments": (
        {"segment_initial": by_segment(2.5, 2.5)},
        "segment_initial",
        "2 labels along segment, not the 4",
    ),
    "paid by time": ({"calendar_cost": -1.0}, "calendar_cost", "allowed [0, inf]"),
    "paid for being full": ({"calendar_cost_soc": -1.0}, "calendar_cost_soc", "allowed [0, inf]"),
}


@pytest.mark.parametrize("part", ["battery", "fleet"])
@pytest.mark.parametrize(("fields", "field", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_named(part, fields, field, words):
    """The message names the field, the member, the number and the remedy."""
    bad = (
        case(None, market([10]), battery=box(energy_initial=5, **fields))
        if part == "battery"
        else case(car(energy_initial=5, **fields), market([10]))
    )
    with pytest.raises(SchemaError) as found:
        v2g.check(bad)
    (problem,) = found.value.problems
    assert problem.where == f"{part}.{field}"
    assert words in problem.detail


def test_a_member_of_several_vehicles_that_stay_has_a_depth():
    """Nobody comes or goes: one level stands for all of them."""
    parked = car(energy_initial=5, aggregate=1.0)
    assert v2g.check(case(parked, market([10, 20]))) is not None


BAD_FLEET = {
    "a battery too small": ({"wear_capacity": 5.0}, "wear_capacity", "less than energy_max"),
    "a battery that grows": ({"wear_capacity": [10.0, 20.0]}, "wear_capacity", "another battery"),
    "a crowd": (
        {"aggregate": 1.0, "energy_in": [0.0, 5.0]},
        "replacement_cost",
        "come and go in one member",
    ),
}


@pytest.mark.parametrize(("fields", "field", "words"), BAD_FLEET.values(), ids=BAD_FLEET)
def test_bad_input_of_a_fleet_is_named(fields, field, words):
    """What a single battery cannot be: too small, another one from step to step, or many that come
    and go.
    """
    with pytest.raises(SchemaError) as found:
        v2g.check(case(car(**fields), market([10, 10])))
    assert [p.where for p in found.value.problems] == [f"fleet.{field}"]
    assert words in str(found.value)
