"""Sun and wind: sold, used behind the meter, or curtailed."""

import pytest
from cases import case, market, product, row, storage, vehicle
from pytest import approx
from tampering import audit_of_tampered

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError


def test_sold_as_it_comes(pipeline):
    """3 kW at 50 and 5 kW at 90 EUR/MWh: 0.15 + 0.45 EUR, nothing curtailed."""
    result = pipeline(case(None, market([50, 90]), renewable={"available": [3, 5]}))
    assert result.attrs["profit"] == approx(0.60)
    assert row(result, "renewable.curtail") == [0, 0]


@pytest.mark.parametrize(("curtailable", "profit"), [(1, 0.15), (0, -0.35)])
def test_negative_prices(pipeline, curtailable, profit):
    """5 kW at -100 EUR/MWh would cost 0.50: curtailed where that is allowed."""
    roof = {"available": [3, 5], "curtailable": curtailable}
    result = pipeline(case(None, market([50, -100]), renewable=roof))
    assert result.attrs["profit"] == approx(profit)
    assert row(result, "renewable.curtail") == [0, 5 * curtailable]


def test_cost_of_what_is_fed_in(pipeline):
    """Wind costs 0.06 EUR/kWh: curtailed at 50, sold at 90: 5 x 0.03 = 0.15 EUR.

    Proves that what is curtailed costs nothing: on all that is available it would be -0.03.
    """
    result = pipeline(case(None, market([50, 90]), renewable={"available": [3, 5], "cost": 0.06}))
    assert result.attrs["profit"] == approx(0.15)
    assert row(result, "renewable.curtail") == [3, 0]
    assert row(result, "ledger.renewable.cost") == [0, -0.30]


def test_a_premium_is_paid_on_what_is_fed_in(pipeline):
    """A premium of 0.06 EUR/kWh: 3 kWh are fed in at -50 EUR/MWh for 0.03 EUR, none at -70."""
    result = pipeline(
        case(None, market([-50, -70]), renewable={"available": [3, 5], "cost": -0.06})
    )
    assert result.attrs["profit"] == approx(0.03)


def test_behind_an_export_limit(pipeline):
    """10 kW of sun behind 4 kW: a battery of 3 kW takes some and brings it back at night, at 50
    EUR/MWh.

    (4 + 3) x 0.05 = 0.35 EUR, 3 kW are curtailed; without a battery 0.20.
    """
    sun, limit = {"available": [10, 0]}, {"export_max": 4}
    alone = pipeline(case(None, market([50, 50]), connection=limit, renewable=sun))
    assert alone.attrs["profit"] == approx(0.20)
    helped = pipeline(
        case(None, market([50, 50]), connection=limit, renewable=sun, battery=storage(charge_max=3))
    )
    assert helped.attrs["profit"] == approx(0.35)
    assert row(helped, "renewable.curtail") == [3, 0]


def test_a_car_in_the_sun(pipeline):
    """A car needs 10 kWh behind 6 kW; 4 kW of sun let it take all of them in the cheap hour: 6 x 20
    = 0.12 EUR.
    """
    car = vehicle(energy_min=[0, 10])
    result = pipeline(
        case(car, market([20, 80]), connection={"import_max": 6}, renewable={"available": [4, 0]})
    )
    assert row(result, "fleet.charge") == [10, 0]
    assert result.attrs["profit"] == approx(-0.12)


def test_no_sun_changes_nothing(pipeline):
    """0 kW beside a car and a battery: same plan, same profit, same prices."""
    site = (vehicle(energy_min=[0, 10]), market([20, 60]))
    alone = pipeline(case(*site, battery=storage()))
    beside = pipeline(case(*site, battery=storage(), renewable={"available": 0, "cost": 0.1}))
    assert beside.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-9)
    for name in ("fleet.charge", "battery.charge", "energy.position", "price.electricity"):
        assert row(beside, name) == row(alone, name)


def test_sun_holds_reserve(pipeline):
    """5 kW of sun at 50 EUR/MWh: down 5 kW at 10 EUR/MW, 0.05; up at 60 EUR/MW it is curtailed for,
    5 x 0.01 better.

    Proves the room: what is fed in can be lowered, what is curtailed can be raised. Without room
    0.25, on all that is available in both directions 0.60."""
    down, up = product(down=1, capacity_price=[10]), product(up=1, capacity_price=[60])
    assert pipeline(case(None, market([50]), down, renewable={"available": 5})).attrs[
        "profit"
    ] == approx(0.30)
    # at -5 EUR/MWh it is fed in for the sake of the reserve: what is curtailed cannot be lowered
    assert pipeline(case(None, market([-5]), down, renewable={"available": 5})).attrs[
        "profit"
    ] == approx(0.025)
    raised = pipeline(case(None, market([50]), up, renewable={"available": 5}))
    assert row(raised, "renewable.curtail") == row(raised, "reserve.share_renewable") == [5]
    assert raised.attrs["profit"] == approx(0.30)
    fixed = {"available": 5, "curtailable": 0}
    assert pipeline(case(None, market([50]), {"u": up, "d": down}, renewable=fixed)).attrs[
        "profit"
    ] == approx(0.25)


def test_expected_activation_of_sun(pipeline):
    """A fifth of 5 kW down is activated, and 20 EUR/MWh are paid for the 1 kWh not made: 0.25 +
    0.02 = 0.27 EUR.

    Proves that the market carries the baseline: the 5 kWh are sold, 4 are made.
    """
    down = product(down=1, capacity_price=[0], activation_down=0.2, activation_price_down=[-20])
    result = pipeline(case(None, market([50]), down, renewable={"available": 5}))
    assert row(result, "renewable.curtail") == [1]
    assert row(result, "energy.position") == [5]
    assert result.attrs["profit"] == approx(0.27)


def test_a_false_share_is_found():
    """More reserve than is fed in, or than is curtailed: the audit sees it."""
    offers = {
        "down": product(down=1, capacity_price=[10]),
        "up": product(up=1, capacity_price=[10]),
    }
    honest = v2g.solve(case(None, market([50]), offers, renewable={"available": 5}))
    share = honest["reserve"].share_renewable
    for name, check in (("down", "room_down"), ("up", "room_up")):
        result = honest.copy(deep=True)
        more = share + (share.product == name) * 1.0
        result["reserve"] = result["reserve"].to_dataset().assign(share_renewable=more)
        checks = v2g.replay(result)
        assert checks.attrs["passed"] == 0
        assert float(checks[f"reserve.{check}_renewable"]) == approx(1)


def test_the_ladder_of_a_site():
    """A car, a house, sun and a battery: every rung is solved, and none is worth less than the one
    it stands on.

    Only the car changes from rung to rung: the house and the sun are the same on all of them.
    """
    car = vehicle(charge_max=5, discharge_max=5, energy_min=[0, 0, 0, 10])
    site = case(
        car,
        market([80, 60, 20, 90]),
        connection={"import_max": 30, "export_max": 30},
        battery=storage(cyclic=1, wear=0.01),
        load={"baseline": 4, "shift_up_max": 1, "shift_down_max": 1},
        renewable={"available": [0, 8, 8, 0], "cost": 0.01},
    )
    ladder = v2g.compare(site)["ladder"].to_dataset()
    profit = dict(zip(ladder.rung.to_numpy(), ladder.profit.to_numpy(), strict=True))
    assert profit["unmanaged"] <= profit["smart"] + 1e-9 <= profit["V2G"] + 2e-9
    # unmanaged 5 x 80 + 5 x 60 = 0.70 EUR, smart 5 x 20 + 5 x 60 = 0.40 EUR, the rest of the site
    # the same
    assert profit["smart"] - profit["unmanaged"] == approx(0.30)


@pytest.fixture(scope="module")
def honest():
    """A roof that sells and curtails."""
    return v2g.solve(
        case(None, market([50, 90, -20]), renewable={"available": [3, 5, 2], "cost": 0.01})
    )


TAMPERED = {
    "more than there is": ("renewable.curtail", 1.0, "renewable.curtail"),
    "less than nothing": ("renewable.curtail", -3.0, "renewable.sign"),
    "unsold": ("renewable.curtail", -1.0, "node.electricity"),
    "cost": ("ledger.renewable.cost", 0.1, "renewable.cost"),
}


@pytest.mark.parametrize(("name", "change", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_number_is_found(honest, name, change, check):
    """The last number of one array is changed: the audit does not pass, and the expected check sees
    it.
    """
    checks = audit_of_tampered(honest, name, change)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


@pytest.mark.parametrize(
    ("fields", "field"), [({"available": -1}, "available"), ({"curtailable": 2}, "curtailable")]
)
def test_bad_input_is_named(fields, field):
    """The message names the field, the roof and the number."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(None, market([10]), renewable={"available": 5} | fields))
    assert f"renewable.{field}" in str(found.value)
    assert "roof" in str(found.value)
