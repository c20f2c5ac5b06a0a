"""What a market accepts as a reserve bid: least sizes, steps, closed gates, products that exclude
each other.
"""

import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from pytest import approx
from tampering import audit_of_tampered

import v2g_linopy as v2g
from v2g_linopy.model.bid_sizes import distance_to_least, distance_to_step

FULL = storage(energy_max=100, energy_initial=50, charge_max=0)
"""10 kW upward for as long as it may be called here, and nothing else to do."""


def up(price, **fields):
    return product(up=1, capacity_price=price, **fields)


def test_a_gate_that_closes_within_a_block_is_told_once():
    """One fault, one sentence: the commitment that differs with the gate is none of its own."""
    halves = up([20, 20], block=2.0, closed=[0.0, 1.0], committed=[0.0, 4.0])
    with pytest.raises(v2g.SchemaError) as told:
        v2g.check(case(None, market([0, 0]), halves, battery=FULL))
    assert [p.where for p in told.value.problems] == ["reserve.closed"]
    both = up([20, 20], block=2.0, closed=1.0, committed=[3.0, 4.0])
    with pytest.raises(v2g.SchemaError) as told:
        v2g.check(case(None, market([0, 0]), both, battery=FULL))
    assert [p.where for p in told.value.problems] == ["reserve.committed"]


def test_a_bid_below_the_least_is_no_bid(pipeline):
    """10 and then 5 kW of upward reserve at 20 EUR/MW, at least 6 kW: 10 in the first hour, none in
    the second.

    0.20 EUR. Proves the least bid; without it the second hour would sell its 5 kW, 0.30.
    """
    box = FULL | {"discharge_max": [10, 5]}
    result = pipeline(case(None, market([0, 0]), up([20, 20], minimum_bid=6), battery=box))
    assert row(result, "reserve.volume") == [10, 0]
    assert result.attrs["profit"] == approx(0.20)


def test_a_least_bid_is_reached_by_batteries_and_vehicles_together():
    """10 kW of a battery and 10 of a car, both full: 20 kW at 20 EUR/MW reach a bid of 15."""
    car = vehicle(energy_initial=40.0, energy_min=40.0, discharge_max=10.0, charge_max=0.0)
    result = v2g.solve(case(car, market([0]), up([20], minimum_bid=15), battery=FULL))
    assert row(result, "reserve.volume") == approx([20])
    assert result.attrs["profit"] == approx(0.40)


def test_a_load_that_may_be_away_holds_no_reserve():
    """6 kW of which 5 may be curtailed back 5 kW upward; where 4 of them may be shifted away, only
    2 are certain to be there, and none is offered.
    """
    house = {"baseline": 6.0, "curtail_max": 5.0, "curtail_cost": 0.1}
    fixed = v2g.solve(case(None, market([0, 0]), up([20, 20]), load=house))
    assert row(fixed, "reserve.volume") == approx([5, 5])
    moving = house | {"shift_down_max": 4.0, "shift_up_max": 4.0}
    shifted = v2g.solve(case(None, market([0, 0]), up([20, 20]), load=moving))
    assert row(shifted, "reserve.volume") == approx([0, 0])


def test_a_least_bid_is_worth_a_loss_elsewhere(pipeline):
    """A car needs 7 kWh after two hours at 10 and 50 EUR/MWh; 5 kW of downward reserve, no less,
    earn 100 EUR/MW in the first.

    Charging all 7 kWh there leaves 3 kW of room, too little to bid. Charging 5 and 2 sells 5 kW:
    0.50 - 0.05 - 0.10 = 0.35 EUR. Proves that bid and plan are decided together; the cheapest
    charging would earn -0.07."""
    ev = vehicle(energy_min=[0, 7])
    down = product(down=1, capacity_price=[100, 0], minimum_bid=5, volume_max=5)
    result = pipeline(case(ev, market([10, 50]), down))
    assert row(result, "reserve.volume", time="2026-01-05T00") == [5]
    assert row(result, "fleet.charge") == [5, 2]
    assert result.attrs["profit"] == approx(0.50 - 0.05 - 0.10)


def test_a_least_bid_takes_room_from_a_better_one(pipeline):
    """10 kW of room; at most 6 kW of one product at 30 EUR/MW, at least 6 kW of another at 20: 4
    and 6 kW, 0.24 EUR.

    Proves that what is sold is at least the least; 6 and 4 kW would earn 0.26, and 6 kW alone 0.18.
    """
    offers = {"dear": up([30], volume_max=6), "large": up([20], minimum_bid=6)}
    result = pipeline(case(None, market([0]), offers, battery=FULL))
    assert row(result, "reserve.volume") == [4, 6]
    assert result.attrs["profit"] == approx(0.24)


def test_volumes_come_in_steps(pipeline):
    """10 kW of room, sold by the 4 kW: 8 kW at 20 EUR/MW, 0.16 EUR. Proves the step; any volume
    would earn 0.20.
    """
    result = pipeline(case(None, market([0]), up([20], step=4), battery=FULL))
    assert row(result, "reserve.volume") == [8]
    assert result.attrs["profit"] == approx(0.16)


def test_steps_are_of_the_sum_of_the_members(pipeline):
    """Batteries of 3, 3 and 3 kW sell 8 kW by the 4 kW. Proves that the step is that of the bid;
    each member by itself could sell nothing."""
    boxes = {n: FULL | {"discharge_max": 3} for n in ("a", "b", "c")}
    result = pipeline(case(None, market([0]), up([20], step=4, minimum_bid=4), battery=boxes))
    assert row(result, "reserve.volume") == [8]
    assert sum(row(result, "reserve.share_battery")) == approx(8)


def test_a_closed_gate_keeps_what_was_sold(pipeline):
    """3 kW were sold for the first hour, at a price that nobody would sell at now; the gate of the
    second is open.

    -0.03 + 0.20. Proves `committed`, which is below the least bid and no multiple of the step: what
    a market has accepted is not judged again. Open gates would earn 0.20."""
    sold = up([-10, 20], closed=[1, 0], committed=[3, 9], minimum_bid=5, step=5)
    result = pipeline(case(None, market([0, 0]), sold, battery=FULL))
    assert row(result, "reserve.volume") == [3, 10]
    assert result.attrs["profit"] == approx(0.17)


def test_nothing_is_bought_and_yet_something_was_sold(pipeline):
    """Behind a closed gate `volume_max` says nothing: 4 kW were sold where 0 can be."""
    sold = up([10], closed=[1], committed=[4], volume_max=[0])
    result = pipeline(case(None, market([0]), sold, battery=FULL))
    assert row(result, "reserve.volume") == [4]


def test_a_commitment_that_nobody_can_hold_has_no_plan():
    """14 kW were sold and 10 can be held: the explanation says so, with product and hour."""
    with pytest.raises(
        v2g.Infeasible,
        match="product regulation: volume is held at 14 kW, and 10 kW can be kept in the step",
    ):
        v2g.solve(case(None, market([0]), up([10], closed=[1], committed=[14]), battery=FULL))


TWO = {"good": up([20, 30]), "better": up([25, 10])}
EXCLUSIVE = {"policy": {"good": 1, "better": 1}}


@pytest.mark.through_file
def test_products_that_exclude_each_other(pipeline):
    """Two products of at most 6 kW each, with 10 kW of room: one at a time, the dearer of them.

    6 * 25 + 6 * 30 = 0.33 EUR. Proves the rule: side by side 6 and 4 kW would earn 0.15 + 0.08 +
    0.18 + 0.04 = 0.45."""
    offers = {name: fields | {"volume_max": 6} for name, fields in TWO.items()}
    result = pipeline(case(None, market([0, 0]), offers, battery=FULL, exclusion=EXCLUSIVE))
    assert row(result, "reserve.volume", product="good") == [0, 6]
    assert row(result, "reserve.volume", product="better") == [6, 0]
    assert result.attrs["profit"] == approx(0.33)
    assert result.attrs["binaries"] == 4


def test_a_rule_may_hold_at_some_hours_only(pipeline):
    """The rule of the story above in the second hour alone: 0.15 + 0.08 in the first, 0.18 in the
    second.
    """
    offers = {name: fields | {"volume_max": 6} for name, fields in TWO.items()}
    late = {"policy": {"good": [0, 1], "better": [0, 1]}}
    result = pipeline(case(None, market([0, 0]), offers, battery=FULL, exclusion=late))
    assert result.attrs["profit"] == approx(0.15 + 0.08 + 0.18)
    assert result.attrs["binaries"] == 2


def test_what_was_committed_excludes_the_rest(pipeline):
    """2 kW of the poorer product are committed: nothing of the other can be sold, nor more of that
    one.

    0.04 EUR where the open gate would earn 0.25. A product that no rule names is sold beside it: 8
    kW at 5, 0.04."""
    offers = {"good": up([20], closed=[1], committed=[2]), "better": up([25]), "free": up([5])}
    result = pipeline(case(None, market([0]), offers, battery=FULL, exclusion=EXCLUSIVE))
    assert row(result, "reserve.volume") == [2, 0, 8]
    assert result.attrs["profit"] == approx(0.08)


def test_binaries_are_only_where_they_are_named():
    """Four products: one with a least bid, one with a step, one named in a rule, and one that is
    free.
    """
    offers = {
        "least": up([5], minimum_bid=2),
        "stepped": up([6], step=2),
        "named": up([7]),
        "free": up([4]),
    }
    rule = {"policy": {"least": 1, "named": 1}}
    result = v2g.solve(case(None, market([0]), offers, battery=FULL, exclusion=rule))
    assert result.attrs["binaries"] == 3
    free = v2g.solve(case(None, market([0]), {"free": up([4])}, battery=FULL))
    assert free.attrs["binaries"] == 0


@pytest.mark.through_file
def test_blocks_scenarios_and_quarter_hours(pipeline):
    """A product by the hour on quarter-hours, in two futures of which the second has no battery
    power.

    Sold before the future is known, at least 2 kW: nothing, in both. Decided after, 10 kW in the
    first, half of 0.40. Proves that a least bid meets blocks and the first stage; without the
    latter both would earn 0.20."""
    box = FULL | {"discharge_max": {"calm": [10, 10, 10, 10.0], "storm": [1, 1, 1, 1.0]}}
    early = up([40] * 4, minimum_bid=2, block=1)
    futures = {"calm": 0.5, "storm": 0.5}
    late = early | {"first_stage": 0.0}
    for offer, worth in ((early, 0.0), (late, 0.20)):
        tree = case(None, market([0] * 4), offer, battery=box, scenarios=futures, step="15min")
        assert pipeline(tree).attrs["profit"] == approx(worth)


@pytest.fixture(scope="module")
def honest() -> xr.DataTree:
    """One product with a least bid, one by the 4 kW, one committed, one excluded, in the last of
    two hours.
    """
    offers = {
        "committed": up([1, 1], closed=[0, 1], committed=[0, 2]),
        "excluded": up([2, 2]),
        "stepped": up([9, 9], step=4, minimum_bid=2),
        "barred": up([8, 8], volume_max=[0, 9]),
    }
    box = FULL | {"discharge_max": 12}
    rules = {"policy": {"excluded": 1, "stepped": 1}, "kept": {"committed": 1, "barred": 1}}
    return v2g.solve(case(None, market([0, 0]), offers, battery=box, exclusion=rules))


TAMPERED = {
    "a bid between two steps": (["stepped"], 1.0, "reserve.step"),
    "a bid too small": (["stepped"], -7.0, "reserve.minimum_bid"),
    "more than was committed": (["committed"], 0.5, "reserve.committed"),
    "less than was committed": (["committed"], -0.5, "reserve.committed"),
    "a product that is excluded": (["excluded"], 1.0, "exclusion.exclusive"),
    "a product beside one that was committed": (["barred"], 1.0, "exclusion.exclusive"),
}


@pytest.mark.parametrize(("names", "change", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_bid_is_found(honest, names, change, check):
    """The volume of one product is changed: the audit does not pass, and the check of its rule sees
    it.
    """
    assert v2g.replay(honest).attrs["passed"] == 1
    assert row(honest, "reserve.volume", time="2026-01-05T01") == [2, 0, 8, 0]
    changed = honest.copy(deep=True)
    volume = changed["reserve"].volume.copy()
    volume.loc[{"product": names, "time": "2026-01-05T01"}] += change
    changed["reserve"] = changed["reserve"].to_dataset().assign(volume=volume)
    checks = v2g.replay(changed)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 0.4


def test_distances_to_a_bid():
    """By the 4 kW: a rounding below 8 is a rounding off, 6 is 2 away either way, 9 is 1; at least
    5: 1 is 1, 4 is 1.
    """
    step, least = xr.DataArray(4.0), xr.DataArray(5.0)
    assert distance_to_step(xr.DataArray([8 - 1e-9, 6, 9, 0]), step).values.tolist() == approx(
        [1e-9, 2, 1, 0]
    )
    assert distance_to_step(xr.DataArray([6.5]), xr.DataArray(0.0)).values.tolist() == [0]
    assert distance_to_least(xr.DataArray([0, 1, 4, 5 - 1e-9, 7]), least).values.tolist() == approx(
        [0, 1, 1, 1e-9, 0]
    )


def test_the_excluded_volume_is_told(honest):
    """The check is in kW: how much is sold beside the largest product of the rule."""
    assert float(audit_of_tampered(honest, "reserve.volume", 0.0)["exclusion.exclusive"]) == 0


WRONG = {
    "a negative least bid": ({"minimum_bid": -1.0}, {}, "reserve.minimum_bid .*allowed"),
    "a negative step": ({"step": -1.0}, {}, "reserve.step .*allowed"),
    "an endless step": ({"step": float("inf")}, {}, "reserve.step .*infinite"),
    "half a gate": ({"closed": [0.5, 0]}, {}, "reserve.closed .*allowed 0 or 1"),
    "a negative commitment": ({"committed": [-1, 0]}, {}, "reserve.committed .*allowed"),
    "a gate that closes in a block": (
        {"closed": [1, 0], "block": 2.0},
        {},
        "changes inside a market block of 2 h",
    ),
    "two commitments in a block": (
        {"closed": [1, 1], "committed": [1, 2], "block": 2.0},
        {},
        "reserve.committed .*at 2026-01-05 01:00.*changes inside a market block of 2 h",
    ),
    "a rule that names nobody known": (
        {},
        {"x": {"a": 1, "bb": 1}},
        "exclusion.product .*'bb' is not a product of",
    ),
    "a rule for one": ({}, {"x": {"a": 1, "b": 0}}, "rule x: it names 1 product at a time"),
    "a rule for none": ({}, {"x": {"a": 0, "b": 0}}, "rule x: it names 0 products"),
    "rules of which one is half": (
        {},
        {"x": {"a": 1, "b": 1}, "y": {"a": 1, "b": 0.5}},
        "exclusion.group .*0 or 1",
    ),
}


@pytest.mark.parametrize(("fields", "rules", "words"), WRONG.values(), ids=WRONG)
def test_what_is_refused(fields, rules, words):
    offers = {"a": up([1, 1], **fields), "b": up([1, 1])}
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.check(case(None, market([0, 0]), offers, battery=FULL, exclusion=rules or None))


def test_a_rule_without_reserves_is_refused():
    with pytest.raises(v2g.SchemaError, match="'a' is not a product of /reserve"):
        v2g.check(case(None, market([0]), battery=FULL, exclusion={"x": {"a": 1, "b": 1}}))
