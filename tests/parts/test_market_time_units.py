"""Market time units longer than the model step, on the local clock, across the days on which it
changes.
"""

import pytest
import xarray as xr
from cases import case, market, product, row, vehicle
from pytest import approx

import v2g_linopy as v2g

REGULATION = {"down": 1, "capacity_price": 10}  # EUR/MW/h; room is charger power, no energy is held


def test_hourly_position_on_quarter_hours(pipeline):
    """10 kWh are due within the hour; quarter-hours at 0, 100, 100, 100 EUR/MWh but one position
    per hour: 10 kW throughout.

    2.5 kWh at 0 and 7.5 at 100: 0.75 EUR. Proves the block: quarter by quarter all 10 kWh would
    come free in the first."""
    ev = vehicle(charge_max=40, energy_min=[0, 0, 0, 10])
    result = pipeline(case(ev, market([0, 100, 100, 100], block=1), step="15min"))
    assert result.attrs["profit"] == approx(-0.75)
    assert row(result, "energy.position") == [-10, -10, -10, -10]


def quarters(closed, committed=0.0, **attrs):
    """From 10:00 UTC on, a market by the hour whose gate closes as told, and one by the quarter
    beside it.
    """
    hourly = market([50] * len(closed), block=1, closed=closed, committed=committed)
    ev = vehicle(charge_max=40, discharge_max=40, energy_initial=20)
    gates = {"hourly": hourly, "quarterly": market([80] * len(closed))}
    return case(ev, gates, step="15min", start="2026-01-05 10:00", **attrs)


@pytest.mark.parametrize(
    ("closed", "place"),
    [
        ([1, 1, 0, 0], "11:30"),
        ([0, 0, 0, 1], "11:45"),
        ([1, 1, 1, 1, 0, 1, 1, 1], "12:15"),
        ([0, 1, 0, 0], "11:15 +0100 (and 1 more)"),
    ],
)
def test_a_gate_that_closes_inside_a_block_is_refused(closed, place):
    """A block is one contract: half of it cannot be closed. The message names market, local time,
    length and remedy.

    Without the rule the open half was tied to what is committed and had to be backed by the plan,
    or had no plan."""
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.solve(quarters(closed, timezone="Europe/Rome"))
    (problem,) = caught.value.problems
    assert (problem.where, problem.rule) == ("energy.closed", "consistency")
    for words in (
        "market hourly",
        f"2026-01-05 {place}",
        "a market block of 1 h",
        "close all of its steps",
    ):
        assert words in problem.detail


def test_a_wrong_clock_is_the_only_fault_of_a_case_that_has_it():
    """The gate closes for the hour from 11:00, and 10:00 has changed places with 11:00: told is the
    clock. Found by `make fuzz`: "a market block of 1 h; close all of its steps" came beside.
    """
    good = quarters([0, 0, 0, 0, 1, 1, 1, 1])
    assert v2g.check(good)
    time = good.to_dataset().indexes["time"]
    mixed = time[[4, 1, 2, 3, 0, 5, 6, 7]]
    groups = {f"/{name}": g.to_dataset().assign_coords(time=mixed) for name, g in good.items()}
    bad = xr.DataTree.from_dict({"/": good.to_dataset().assign_coords(time=mixed), **groups})
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.check(bad)
    (problem,) = caught.value.problems
    assert problem.where == "time" and problem.detail.startswith("unsorted")


def test_a_gate_closes_from_one_block_to_the_next(pipeline):
    """The first hour is closed with 8 kW sold at 50, in the second 12 kWh are sold at 80: 0.40 +
    0.96 EUR.

    Proves that the rule asks for whole blocks only.
    """
    committed = [8.0] * 4 + [0.0] * 4
    result = pipeline(quarters([1] * 4 + [0] * 4, committed))
    assert row(result, "energy.position", market="hourly") == [8, 8, 8, 8, 0, 0, 0, 0]
    assert result.attrs["profit"] == approx(0.40 + 0.96)


def test_the_gates_of_zones_between_the_hours():
    """In India 10:30 UTC is 16:00: a gate may close there, between two blocks; at 11:00 UTC it may
    not.

    Proves that blocks are those of the local clock in this rule, too.
    """
    v2g.check(quarters([1] * 2 + [0] * 6, timezone="Asia/Kolkata"))
    with pytest.raises(
        v2g.SchemaError, match=r"market hourly at 2026-01-05 16:30 \+0530 the gate changes inside"
    ):
        v2g.check(quarters([1] * 4 + [0] * 4, timezone="Asia/Kolkata"))


def test_block_follows_the_hour(pipeline):
    """The same from 00:30 on: the hours part after two quarters, so each half has its own position.

    20 kW in the first two quarters take half of the energy at 0: 5 kWh at 100, 0.50. The second
    half stays empty. Proves that hours are those of the clock and not four steps from the start.
    """
    ev = vehicle(charge_max=40, energy_min=[0, 0, 0, 10])
    result = pipeline(
        case(ev, market([0, 100, 100, 100], block=1), step="15min", start="2026-01-05 00:30")
    )
    assert result.attrs["profit"] == approx(-0.50)
    assert row(result, "energy.position") == [-20, -20, 0, 0]


@pytest.mark.through_file
@pytest.mark.parametrize(
    ("timezone", "offset"), [("Asia/Kolkata", "5:30"), ("Asia/Kathmandu", "5:45")]
)
def test_hours_of_zones_between_the_hours(pipeline, timezone, offset):
    """00:00 in India is 18:30 UTC: the local hour is one block, 0.75 EUR as above; hours of UTC
    would part it.
    """
    ev = vehicle(charge_max=40, energy_min=[0, 0, 0, 10])
    start = "2026-01-04 18:30" if offset == "5:30" else "2026-01-04 18:15"
    result = pipeline(
        case(ev, market([0, 100, 100, 100], block=1), step="15min", start=start, timezone=timezone)
    )
    assert result.attrs["profit"] == approx(-0.75)


def test_four_hour_reserve_blocks(pipeline):
    """Eight hours from midnight with 10 kW of room, only 4 kW in the last hour of the first block:
    4 x 4 + 4 x 10 kWh at 10 EUR/MW.

    0.56 EUR. Proves one volume per block: hour by hour it would be 0.74.
    """
    ev = vehicle(charge_max=[10, 10, 10, 4, 10, 10, 10, 10])
    result = pipeline(case(ev, market([50] * 8), product(block=4, **REGULATION)))
    assert result.attrs["profit"] == approx(0.56)
    assert row(result, "reserve.volume") == [4] * 4 + [10] * 4


@pytest.mark.through_file
def test_blocks_follow_the_local_clock(pipeline):
    """From 01:00 in Rome (00:00 UTC) the first block of four hours has three left: 3 x 4 + 5 x 10,
    0.62 EUR.

    Proves the time zone: in UTC the 4 kW of the third hour would hold down four hours, 0.56.
    """
    ev = vehicle(charge_max=[10, 10, 4, 10, 10, 10, 10, 10])
    result = pipeline(
        case(ev, market([50] * 8), product(block=4, **REGULATION), timezone="Europe/Rome")
    )
    assert result.attrs["profit"] == approx(0.62)
    assert row(result, "reserve.volume") == [4] * 3 + [10] * 4 + [10]


@pytest.mark.through_file
@pytest.mark.parametrize(
    ("start", "quarters", "first"),
    [("2026-03-28 23:00", 92, 12), ("2026-10-24 22:00", 100, 20)],
    ids=["spring", "autumn"],
)
def test_days_on_which_the_clock_changes(pipeline, start, quarters, first):
    """A local day in Rome has 92 quarter-hours in March and 100 in October; its first four-hour
    block has 12 or 20 of them.

    One quarter of that block offers 4 kW, all others 10: (12 x 4 + 80 x 10) / 4 x 0.01 = 2.12 EUR,
    in October 2.20. Proves that blocks are local: sixteen steps from the start would give 2.06 and
    2.26."""
    room = [10.0] * quarters
    room[1] = 4.0
    tree = case(
        vehicle(charge_max=room),
        market([50] * quarters),
        product(block=4, **REGULATION),
        start=start,
        step="15min",
        timezone="Europe/Rome",
    )
    result = pipeline(tree)
    assert result.attrs["profit"] == approx((first * 4 + 80 * 10) / 4 * 0.01)
    assert row(result, "reserve.volume") == [4] * first + [10] * 80


@pytest.mark.through_file
def test_repeated_hour_is_two_market_hours(pipeline):
    """02:00 happens twice on 2026-10-25 in Rome; 4 kW of room in a quarter of the first leave 10 kW
    in the second.

    Four quarters at 4 and four at 10 kW: 0.14 EUR. Proves that an hour is not its number: as one
    block it would be 0.08."""
    room = [4.0] + [10.0] * 7
    tree = case(
        vehicle(charge_max=room),
        market([50] * 8),
        product(block=1, **REGULATION),
        start="2026-10-25 00:00",
        step="15min",
        timezone="Europe/Rome",
    )
    result = pipeline(tree)
    assert row(result, "reserve.volume") == [4] * 4 + [10] * 4
    assert result.attrs["profit"] == approx(0.14)


@pytest.mark.through_file
def test_leap_day(pipeline):
    """Six-hour steps over 28 and 29 February and 1 March 2028, one volume per day: 4 kW on the leap
    day alone hold down its four steps.

    (8 x 10 + 4 x 4) x 6 h at 10 EUR/MW: 5.76 EUR. Proves that the leap day is a day of its own.
    """
    room = [10.0] * 12
    room[6] = 4.0
    tree = case(
        vehicle(charge_max=room, energy_max=100),
        market([50] * 12),
        product(block=24, **REGULATION),
        start="2028-02-28",
        step="6h",
    )
    result = pipeline(tree)
    assert row(result, "reserve.volume") == [10] * 4 + [4] * 4 + [10] * 4
    assert result.attrs["profit"] == approx(5.76)
