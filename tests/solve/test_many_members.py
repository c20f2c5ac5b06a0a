"""Identical members are merged, independent ones solved apart; both exactly, and said so in the
result.
"""

import pytest
from cases import case, market, product, row, vehicle
from pytest import approx

PRICES = [50, 20, 80]


def test_identical_vehicles_are_merged(pipeline):
    """Three equal cars, 9 kWh each at 20: 0.54 EUR, 2 members merged, and each charges a third.

    Proves that merging scales power, energy and needs: left unscaled the bill would be 0.18.
    """
    fleet = {name: vehicle(energy_min=[0, 0, 9]) for name in "abc"}
    result = pipeline(case(fleet, market(PRICES)))
    assert result.attrs["profit"] == approx(-0.54)
    assert result.attrs["merged_members"] == 2
    assert row(result, "fleet.charge") == [0, 9, 0] * 3
    assert row(result, "dual.fleet.balance", fleet="b")[1] == approx(0.02)


@pytest.mark.through_file
def test_merged_vehicles_hold_equal_shares(pipeline):
    """Two equal cars and 5 kW of demand for reserve: 2.5 kW each, 0.05 EUR at 10 EUR/MW."""
    fleet = {name: vehicle(discharge_max=10) for name in "ab"}
    result = pipeline(case(fleet, market([50]), product(up=1, capacity_price=[10], volume_max=5)))
    assert result.attrs["merged_members"] == 1
    assert row(result, "reserve.share_fleet") == [2.5, 2.5]
    assert result.attrs["profit"] == approx(0.05)


def test_a_missed_need_is_missed_by_each(pipeline):
    """Two equal cars, each 2 kWh short: 2 each, 40 EUR. Proves that penalties, too, are those of
    both.
    """
    fleet = {name: vehicle(energy_min=[12]) for name in "ab"}
    result = pipeline(case(fleet, market([50])))
    assert row(result, "fleet.unserved") == [2, 2]
    assert result.attrs["objective"] == approx(-1.00 - 40)


@pytest.mark.parametrize("field", ["pod", "energy_initial", "wear", "unserved_cost"])
def test_what_differs_is_not_merged(pipeline, field):
    """One field apart, nothing is merged: 9 kWh each at 20, less the 1 kWh that one has on
    board.
    """
    other = {"pod": "b", "energy_initial": 1, "wear": 0.1, "unserved_cost": 20}[field]
    fleet = {
        "a": vehicle(energy_min=[0, 0, 9]),
        "b": vehicle(energy_min=[0, 0, 9], **{field: other}),
    }
    fleet["a"] |= {
        field: {"pod": "a", "energy_initial": 0, "wear": 0.0, "unserved_cost": 10}[field]
    }
    result = pipeline(case(fleet, market(PRICES)))
    assert result.attrs["merged_members"] == 0
    assert result.attrs["profit"] == approx(-(18 - (field == "energy_initial")) * 0.02)


FLEET = {"a": vehicle(energy_min=[0, 0, 9]), "b": vehicle(energy_min=[0, 0, 6])}


def test_independent_vehicles_are_solved_apart(pipeline):
    """Two different cars and an ample market are two blocks: 15 kWh at 20, 0.30 EUR."""
    result = pipeline(case(FLEET, market(PRICES)))
    assert result.attrs["blocks"] == 2
    assert "2 independent blocks" in result.attrs["block_note"]
    assert result.attrs["profit"] == approx(-0.30)


def test_a_limit_that_can_bind_couples(pipeline):
    """A market limit of 12 kW ties the cars together: one block, 12 x 20 + 3 x 50 = 0.39 EUR.

    Proves that blocks look at the limit: solved apart each car would buy at 20 alone, 0.30 and 15
    kW."""
    result = pipeline(case(FLEET, market(PRICES, limit=12)))
    assert result.attrs["blocks"] == 1
    assert result.attrs["profit"] == approx(-0.39)


def test_a_limit_that_cannot_bind_does_not(pipeline):
    """Two chargers of 10 kW cannot reach 20 kW and a little: two blocks; at 19.9 kW they could:
    one. 0.30 EUR either way."""
    apart = pipeline(case(FLEET, market(PRICES, limit=20)))
    tied = pipeline(case(FLEET, market(PRICES, limit=19.9)))
    assert (apart.attrs["blocks"], tied.attrs["blocks"]) == (2, 1)
    assert apart.attrs["profit"] == approx(-0.30)
    assert tied.attrs["profit"] == approx(-0.30)


def test_blocks_off(pipeline):
    """The same in one piece and unmerged, on request: three cars of 9 kWh, 0.54 EUR."""
    fleet = {name: vehicle(energy_min=[0, 0, 9]) for name in "abc"}
    result = pipeline(case(fleet, market(PRICES)), blocks=False)
    assert (result.attrs["blocks"], result.attrs["merged_members"]) == (1, 0)
    assert "one piece" in result.attrs["block_note"]
    assert result.attrs["profit"] == approx(-0.54)
