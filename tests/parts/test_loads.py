"""Loads: fixed, curtailable, shiftable within windows of the local clock."""

import numpy as np
import pytest
from cases import case, engine, market, product, row, storage, vehicle
from pytest import approx
from tampering import audit_of_tampered

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError


def test_a_fixed_load_is_paid(pipeline):
    """4 kW at 50 and 6 kW at 90 EUR/MWh: 0.20 + 0.54 = 0.74 EUR, and nothing to decide."""
    result = pipeline(case(None, market([50, 90]), load={"baseline": [4, 6]}))
    assert result.attrs["profit"] == approx(-0.74)
    assert row(result, "load.power") == [4, 6]


def test_curtailed_where_it_pays(pipeline):
    """Curtailing costs 0.10 EUR/kWh: not at 90, but at 200 EUR/MWh, 2 of 6 kW: 0.20 + 0.54 + 4 x
    0.2 + 2 x 0.1 EUR.

    Proves limit and cost: uncurtailed it would be 1.94, curtailed for nothing 1.54.
    """
    house = {"baseline": [4, 6, 6], "curtail_max": 2, "curtail_cost": 0.1}
    result = pipeline(case(None, market([50, 90, 200]), load=house))
    assert result.attrs["profit"] == approx(-(0.20 + 0.54 + 0.80 + 0.20))
    assert row(result, "load.curtail") == [0, 0, 2]
    assert row(result, "ledger.load.curtailment") == [0, 0, -0.2]


def test_no_more_than_it_draws(pipeline):
    """A limit without end curtails 6 of 6 kW at 200 EUR/MWh for 0.60 EUR: power never falls below
    zero.
    """
    house = {"baseline": [6], "curtail_max": float("inf"), "curtail_cost": 0.1}
    result = pipeline(case(None, market([200]), load=house))
    assert row(result, "load.power") == [0]
    assert result.attrs["profit"] == approx(-0.60)


def test_no_more_energy_than_the_budget(pipeline):
    """8 kWh may be curtailed at 0.10 EUR/kWh: all 6 kW at 300, and 2 of 6 at 200 EUR/MWh, which is
    4 x 0.15 + 4 x 0.2 + 8 x 0.1 = 2.20 EUR.

    Proves the budget: without it all 16 kWh are curtailed, for 1.60 EUR."""
    house = {"baseline": [4, 6, 6], "curtail_max": 6, "curtail_cost": 0.1}
    result = pipeline(case(None, market([150, 200, 300]), load=house | {"curtail_energy_max": 8}))
    assert result.attrs["profit"] == approx(-2.20)
    assert row(result, "load.curtail") == [0, 2, 6]
    assert row(result, "load.curtailed") == [0, 2, 8]


def test_each_window_has_its_budget(pipeline):
    """2 kWh in every two hours, 1 of the first used before: 1 kW at 200 EUR/MWh, then 2 at 300. The
    last window goes on after the horizon, and counts on.

    Proves that a window begins with nothing used: with one budget for all only 1 kW is left.
    """
    house = {"baseline": 5, "curtail_max": 5, "curtail_cost": 0, "curtail_energy_max": 2}
    house |= {"window": 2, "curtailed_initial": 1}
    result = pipeline(case(None, market([100, 200, 300, 100, 50]), load=house))
    assert row(result, "load.curtail") == [0, 1, 2, 0, 2]
    assert row(result, "load.curtailed") == [1, 0, 2, 0, 2]


def test_it_draws_its_least_power(pipeline):
    """5 kW that shift 2 kW and curtail 2 kW at no cost, but never draw less than 4: 1 kWh goes from
    90 to 50 EUR/MWh, and the 2 kW are curtailed there instead, 4 x 90 + 4 x 50 = 0.56 EUR.

    Proves the least power: without it 1 kW is drawn at 90 and 5 at 50, 0.34 EUR."""
    house = {"baseline": 5, "shift_up_max": 2, "shift_down_max": 2, "curtail_max": 2}
    house |= {"curtail_cost": 0, "power_min": 4}
    result = pipeline(case(None, market([90, 50]), load=house))
    assert row(result, "load.power") == [4, 4]
    assert result.attrs["profit"] == approx(-0.56)


@pytest.mark.parametrize("limit", [{"curtail_energy_max": 100}, {"power_min": 4}])
def test_what_may_not_last_is_no_reserve(pipeline, limit):
    """A load of 5 kW that curtails 3 offers all of it at 20 EUR/MW, 0.06 EUR; with a budget of
    energy, or where 4 kW stay, nothing.
    """
    house = {"baseline": 5, "curtail_max": 3, "curtail_cost": 1}
    sold = product(up=1.0, capacity_price=20.0, hours_up=1.0)
    free = pipeline(case(None, market([0]), sold, load=house))
    assert free.attrs["profit"] == approx(0.06)
    assert pipeline(case(None, market([0]), sold, load=house | limit)).attrs["profit"] == approx(0)


def test_shifted_within_the_window(pipeline):
    """5 kW for four hours in windows of two hours: 2 kW go from 90 to 50 and from 80 to 20 EUR/MWh.

    7 x 50 + 3 x 90 + 7 x 20 + 3 x 80 = 1.00 EUR. Proves that the load moves: as it stands it would
    cost 1.20."""
    house = {"baseline": 5, "shift_up_max": 2, "shift_down_max": 2, "window": 2}
    result = pipeline(case(None, market([50, 90, 20, 80]), load=house))
    assert result.attrs["profit"] == approx(-1.00)
    assert row(result, "load.power") == [7, 3, 7, 3]
    assert row(result, "load.advanced") == [2, 0, 2, 0]


@pytest.mark.parametrize(
    ("window", "power", "profit"), [(2, [3, 7, 3, 7], -1.12), (0, [3, 3, 7, 7], -1.00)]
)
def test_windows_bind(pipeline, window, power, profit):
    """90, 80, 50, 20 EUR/MWh: in windows of two hours energy moves by an hour, over the horizon by
    two.

    3 x 90 + 7 x 80 + 3 x 50 + 7 x 20 = 1.12 EUR, and 3 x 90 + 3 x 80 + 7 x 50 + 7 x 20 = 1.00.
    Proves the windows."""
    house = {"baseline": 5, "shift_up_max": 2, "shift_down_max": 2, "window": window}
    result = pipeline(case(None, market([90, 80, 50, 20]), load=house))
    assert row(result, "load.power") == power
    assert result.attrs["profit"] == approx(profit)


def test_put_off(pipeline):
    """90 then 50 EUR/MWh: 2 kWh are owed after the first hour and made up in the second, 3 x 90 + 7
    x 50 = 0.62.
    """
    house = {"baseline": 5, "shift_up_max": 2, "shift_down_max": 2}
    result = pipeline(case(None, market([90, 50]), load=house))
    assert result.attrs["profit"] == approx(-0.62)
    assert row(result, "load.owed") == [2, 0]


def test_a_local_day(pipeline):
    """From 22:00 in Amsterdam (21:00 UTC in winter): the local day ends after two hours, 100, 90 |
    10, 20 EUR/MWh.

    Nothing crosses local midnight, though 10 is far below 90: 4 x 100 + 6 x 90 | 6 x 10 + 4 x 20 =
    1.08 EUR. In UTC days three hours would be one window."""
    house = {"baseline": 5, "shift_up_max": 1, "shift_down_max": 1}
    prices = market([100, 90, 10, 20])
    result = pipeline(
        case(None, prices, load=house, start="2026-01-05 21:00", timezone="Europe/Amsterdam")
    )
    assert row(result, "load.power") == [4, 6, 6, 4]
    assert result.attrs["profit"] == approx(-1.08)


@pytest.mark.through_file
def test_a_long_day(pipeline):
    """The local day on which the clock goes back has 25 hours: energy moves from its first hour to
    its last.

    Proves that a window follows the local clock: a window of 24 hours would end one hour before.
    """
    prices = np.full(26, 50.0)
    prices[0], prices[24], prices[25] = 90.0, 10.0, 0.0
    house = {"baseline": 5, "shift_up_max": 1, "shift_down_max": 1}
    day = case(
        None, market(prices), load=house, start="2026-10-24 22:00", timezone="Europe/Amsterdam"
    )
    power = row(pipeline(day), "load.power")
    assert power[0] == 4 and power[24] == 6 and power[25] == 5
    assert sum(power[:25]) == approx(125)


def test_a_window_begun_before(pipeline):
    """2 kWh were put off before the first step: they are made up in the cheaper of two hours, 5 x
    90 + 7 x 50.
    """
    house = {"baseline": 5, "shift_up_max": 2, "owed_initial": 2}
    result = pipeline(case(None, market([90, 50]), load=house))
    assert row(result, "load.power") == [5, 7]
    assert row(result, "load.owed") == [2, 0]


def test_curtailed_and_shifted(pipeline):
    """Hours at 50 and 300 EUR/MWh, 5 kW: 2 shifted down, 1 curtailed at 0.1 EUR: 7 x 50 + 2 x 300 +
    100 = 1.05 EUR.

    Proves that what is curtailed is not made up: otherwise 8 kW would be drawn in the first hour.
    """
    house = {
        "baseline": 5,
        "shift_up_max": 2,
        "shift_down_max": 2,
        "curtail_max": [0, 1],
        "curtail_cost": 0.1,
    }
    result = pipeline(case(None, market([50, 300]), load=house))
    assert row(result, "load.power") == [7, 2]
    assert row(result, "load.curtail") == [0, 1]
    assert result.attrs["profit"] == approx(-1.05)


def test_what_is_curtailed_makes_up_for_nothing(pipeline):
    """300 then 50 EUR/MWh: 2 of 3 kW can be made up, and 1 curtailed at 0.1 EUR then: 3 x 300 + 7 x
    50 = 1.25 EUR.

    Proves that the box holds before curtailment: 3 kW put off, of which 1 is curtailed instead of
    made up, were 1.05."""
    house = {
        "baseline": 5,
        "shift_up_max": 2,
        "shift_down_max": 3,
        "curtail_max": [0, 1],
        "curtail_cost": 0.1,
    }
    result = pipeline(case(None, market([300, 50]), load=house))
    assert row(result, "load.power") == [3, 7]
    assert result.attrs["profit"] == approx(-1.25)


def test_nothing_is_curtailed_that_is_not_drawn(pipeline):
    """200 then 300 EUR/MWh, curtailed at 0.1 EUR in the first hour, 2 kW drawn ahead: 2 x 200 + 500
    + 3 x 300 = 1.80.

    Proves that curtailment ends at the baseline: 7 kW curtailed would draw 2 kWh ahead without
    drawing them, 1.60."""
    house = {
        "baseline": 5,
        "shift_up_max": 2,
        "shift_down_max": 2,
        "curtail_max": [float("inf"), 0],
    }
    result = pipeline(case(None, market([200, 300]), load=house | {"curtail_cost": 0.1}))
    assert row(result, "load.power") == [2, 3]
    assert result.attrs["profit"] == approx(-1.80)


def test_energy_is_conserved_per_window(pipeline):
    """Three loads, three windows, random prices: each window draws its baseline, and power stays in
    its box.
    """
    random = np.random.default_rng(3)
    loads = {
        f"w{window}": {
            "baseline": random.uniform(0, 6, 48),
            "shift_up_max": 3,
            "shift_down_max": random.uniform(0, 4, 48),
            "window": window,
        }
        for window in (4, 24, 0)
    }
    result = pipeline(case(None, market(random.uniform(0, 100, 48)), load=loads))
    moved = (result["load"].power - result["load"].baseline).transpose("load", "time")
    for name, hours in {"w4": 4, "w24": 24, "w0": 48}.items():
        sums = moved.sel(load=name).to_numpy().reshape(-1, hours).sum(axis=1)
        assert abs(sums).max() < 1e-6
    assert float(abs(moved).sum()) > 10
    assert float(result["load"].power.min()) >= 0
    assert float(moved.max()) <= 3 + 1e-6
    assert float(np.minimum(result["load"].advanced, result["load"].owed).max()) < 1e-6


def test_behind_a_limit(pipeline):
    """A house of 4 kW leaves 6 of the 10 kW of the connection to the car: 10 kWh take 6 at 20 and 4
    at 80 EUR/MWh.

    -(10 x 20 + 8 x 80) = -0.84 EUR. Proves that the load stands behind the meter: without it all is
    charged at 20."""
    car = vehicle(energy_min=[0, 10])
    result = pipeline(
        case(car, market([20, 80]), connection={"import_max": 10}, load={"baseline": 4})
    )
    assert row(result, "fleet.charge") == [6, 4]
    assert result.attrs["profit"] == approx(-0.84)


def test_unmanaged_charging_takes_what_the_house_leaves():
    """10 kW for a car of 10 kWh and a house of 4 kW, 80 then 20 EUR/MWh: the car takes 6 and 4,
    smart 4 and 6.

    -(10 x 80 + 8 x 20) = -0.96 and -(8 x 80 + 10 x 20) = -0.84 EUR. Proves that the lowest rung
    keeps the limit of the connection: 10 kW for the car alone would overrun it, and there would be
    no ladder."""
    car = vehicle(energy_min=[0, 10])
    ladder = v2g.compare(
        case(car, market([80, 20]), connection={"import_max": 10}, load={"baseline": 4})
    )["ladder"]
    assert float(ladder.profit.sel(rung="unmanaged")) == approx(-0.96)
    assert float(ladder.profit.sel(rung="smart")) == approx(-0.84)


@pytest.mark.through_file
def test_pods_are_apart(pipeline):
    """The house in pod b does not narrow the connection of pod a."""
    car, house = vehicle(energy_min=[0, 10], pod="a"), {"baseline": 4, "pod": "b"}
    limits = {"a": {"import_max": 10}, "b": {"import_max": 10}}
    result = pipeline(case(car, market([20, 80]), connection=limits, load=house))
    assert row(result, "fleet.charge") == [10, 0]
    assert row(result, "connection.import_", pod="b") == [4, 4]


def test_a_load_of_zero_changes_nothing(pipeline):
    """0 kW with everything allowed beside a car and a battery: same plan, same profit, same
    prices.
    """
    nothing = {"baseline": 0, "curtail_max": 5, "shift_down_max": 5, "curtail_cost": 0}
    site = (vehicle(energy_min=[0, 10]), market([20, 60]))
    alone = pipeline(case(*site, battery=storage()))
    beside = pipeline(case(*site, battery=storage(), load=nothing))
    assert beside.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-9)
    for name in ("fleet.charge", "battery.charge", "energy.position", "price.electricity"):
        assert row(beside, name) == row(alone, name)


@pytest.mark.through_file
def test_scenarios(pipeline):
    """The house draws 4 or 6 kW, as likely, at 50 EUR/MWh intraday: 0.25 EUR on average."""
    house = {"house": {"baseline": {"low": 4, "high": 6}}}
    intraday = market([50], first_stage=0)
    result = pipeline(case(None, intraday, load=house, scenarios={"low": 0.5, "high": 0.5}))
    assert result.attrs["profit"] == approx(-0.25)


def test_curtailment_as_reserve(pipeline):
    """3 of 5 kW may be curtailed at 0.10 EUR/kWh: 3 kW up at 20 EUR/MW, 0.06 - 5 x 0.05 = -0.19
    EUR.

    Proves that what can still be curtailed is offered; a tenth activated, at 300 EUR/MWh, is
    curtailed for 0.03: +0.06."""
    house, up = (
        {"baseline": 5, "curtail_max": 3, "curtail_cost": 0.1},
        product(up=1, capacity_price=[20]),
    )
    result = pipeline(case(None, market([50]), up, load=house))
    assert row(result, "reserve.share_load") == [3]
    assert result.attrs["profit"] == approx(-0.19)
    called = up | {"activation_up": 0.1, "activation_price_up": [300]}
    moved = pipeline(case(None, market([50]), called, load=house))
    assert row(moved, "load.curtail") == [0.3]
    assert row(moved, "energy.position") == [-5]
    assert moved.attrs["profit"] == approx(-0.19 + 0.3 * 0.3 - 0.3 * 0.1)


def test_curtailed_load_may_come_back(pipeline):
    """3 kW are curtailed at 200 EUR/MWh: they can come back as downward reserve, none is left to go
    up.
    """
    house = {"baseline": 5, "curtail_max": 3, "curtail_cost": 0.1}
    offers = {
        "up": product(up=1, capacity_price=[20]),
        "down": product(down=1, capacity_price=[10]),
    }
    result = pipeline(case(None, market([200]), offers, load=house))
    assert row(result, "reserve.volume", product="up") == [0]
    assert row(result, "reserve.volume", product="down") == [3]


def test_shifting_leaves_what_is_offered(pipeline):
    """3 of 5 kW may be curtailed: beside 2 kW of shifting it is offered, beside 3 it is not, nor is
    heat.

    Proves that a load which has shifted all away has nothing left to curtail: 5 kW less 3 shifted
    leave 2."""
    up = product(up=1, capacity_price=[20])

    def sold(**fields):
        house = {"baseline": 5, "curtail_max": 3, "shift_up_max": 3, "window": 0} | fields
        return row(
            pipeline(case(None, market([50]), up, load=house, chp=engine())), "reserve.share_load"
        )

    assert sold(shift_down_max=2) == [3]
    with pytest.raises(KeyError):
        sold(shift_down_max=3)
    with pytest.raises(KeyError):
        sold(shift_down_max=2, carrier="heat")


@pytest.mark.parametrize(("way", "price"), [("up", 50), ("down", 200)])
def test_a_false_share_is_found(way, price):
    """More reserve than can be curtailed, or brought back: the audit sees it."""
    house = {"baseline": 5, "curtail_max": 3, "curtail_cost": 0.1}
    honest = v2g.solve(
        case(None, market([price]), product(**{way: 1}, capacity_price=[20]), load=house)
    )
    assert row(honest, "reserve.share_load") == [3]
    checks = audit_of_tampered(honest, "reserve.share_load", 1.0)
    assert checks.attrs["passed"] == 0
    assert float(checks[f"reserve.room_{way}_load"]) == approx(1)


@pytest.fixture(scope="module")
def honest():
    """A house that curtails and shifts."""
    house = {
        "baseline": 5,
        "shift_up_max": 2,
        "shift_down_max": 2,
        "curtail_max": 1,
        "curtail_cost": 0.1,
    }
    return v2g.solve(case(None, market([50, 300]), load=house))


TAMPERED = {
    "energy": ("load.power", 0.5, "load.window"),
    "box": ("load.power", 9.0, "load.limit_shift"),
    "sign": ("load.power", -9.0, "load.limit_least"),
    "curtailed more": ("load.curtail", 9.0, "load.curtail"),
    "curtailed less than nothing": ("load.curtail", -9.0, "load.curtail"),
    "state": ("load.owed", 0.5, "load.shifted"),
    "cost": ("ledger.load.curtailment", 0.1, "load.curtailment"),
}


@pytest.mark.parametrize(("name", "change", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_number_is_found(honest, name, change, check):
    """The last number of one array is changed: the audit does not pass, and the expected check sees
    it.
    """
    checks = audit_of_tampered(honest, name, change)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


BAD = {
    "fed in": ({"baseline": -1}, "baseline"),
    "a window of two days": ({"window": 48}, "window"),
    "owed by a load that cannot": ({"owed_initial": 1}, "owed_initial"),
    "advanced by a load that cannot": ({"advanced_initial": 1}, "advanced_initial"),
    "drawn at least": ({"power_min": 6}, "power_min"),
    "curtailed before": ({"curtailed_initial": 2, "curtail_energy_max": 1}, "curtailed_initial"),
    "paid for curtailment": ({"curtail_cost": -1}, "curtail_cost"),
}


@pytest.mark.parametrize(("fields", "field"), BAD.values(), ids=BAD)
def test_bad_input_is_named(fields, field):
    """The message names the field, the load and the number."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(None, market([10]), load={"baseline": 5} | fields))
    assert f"load.{field}" in str(found.value)
    assert "house" in str(found.value)
