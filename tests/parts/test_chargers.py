"""Chargers whose plugs share one converter."""

import numpy as np
import pytest
from cases import case, market, product, row, vehicle
from pytest import approx
from tampering import tampered

import v2g_linopy as v2g
from v2g_linopy.errors import Infeasible, SchemaError

HUB = {"charge_max": 12, "discharge_max": 6}


def cars(*chargers, **fields):
    """A car for each charger named."""
    return {f"ev-{k}": vehicle(charger=name) | fields for k, name in enumerate(chargers)}


def test_plugs_share_a_converter(pipeline):
    """Two cars of 10 kWh behind 12 kW: 12 x 10 + 8 x 20 = 0.28 EUR; a third, elsewhere, takes its
    10 kW at 10: 0.10.
    """
    result = pipeline(
        case(cars("hub", "hub", "", energy_min=[0, 10]), market([10, 20]), charger=HUB)
    )
    assert result.attrs["profit"] == approx(-0.38)
    assert row(result, "fleet.charge", fleet="ev-2") == [10, 0]


def test_the_way_back_has_a_limit_of_its_own(pipeline):
    """Two full cars sell through 6 kW at 100 EUR/MWh: 0.6 EUR, and a third beside them 10 kW
    more.
    """
    fleet = cars("hub", "hub", "", discharge_max=10, energy_initial=40)
    assert pipeline(case(fleet, market([100]), charger=HUB)).attrs["profit"] == approx(1.6)


def test_one_car_fills_another(pipeline):
    """10 kWh in an hour behind 4 kW: the other car gives 6. Proves that the converter carries the
    net.
    """
    fleet = {
        "empty": vehicle(charger="hub", energy_min=[10]),
        "full": vehicle(charger="hub", discharge_max=10),
    }
    fleet["full"]["energy_initial"] = 6
    result = pipeline(case(fleet, market([50]), charger={"charge_max": 4, "discharge_max": 0}))
    assert row(result, "fleet.charge") == [10, 0]
    assert row(result, "fleet.discharge") == [0, 6]


def test_a_converter_in_repair(pipeline):
    """0 kW in the cheap hour: 10 kWh at 30 EUR/MWh."""
    tree = case(
        cars("hub", energy_min=[0, 10]),
        market([10, 30]),
        charger={"charge_max": [0, 12], "discharge_max": 0},
    )
    assert pipeline(tree).attrs["profit"] == approx(-0.3)


@pytest.mark.parametrize(("way", "volume"), [("down", 12), ("up", 6)])
def test_reserves_are_held_within_the_converter(pipeline, way, volume):
    """Two cars of 10 kW each way hold what the converter lets through when all of it is called;
    without it 20 kW.
    """
    free, behind = (cars(name, name, discharge_max=10, energy_initial=20) for name in ("", "hub"))
    held = product(**{way: 1}, capacity_price=5)
    assert row(
        pipeline(case(behind, market([50], limit=0), held, charger=HUB)), "reserve.volume"
    ) == [volume]
    assert row(v2g.solve(case(free, market([50], limit=0), held)), "reserve.volume") == [20]


def test_reserves_beside_a_plan(pipeline):
    """12 kWh are due and 12 kW in the hour: no room down is left, and upward the 12 kW can be
    stopped.

    10 EUR/MWh for 12 kWh, 5 EUR/MW/h on 12 kW up: -0.12 + 0.06 EUR.
    """
    fleet = cars("hub", "hub", energy_min=[6])
    both = {"up": product(up=1, capacity_price=5), "down": product(down=1, capacity_price=5)}
    result = pipeline(case(fleet, market([10]), both, charger=HUB))
    assert row(result, "reserve.volume") == [12, 0]
    assert result.attrs["profit"] == approx(-0.06)


def test_expected_activation_counts(pipeline):
    """Half of what is held down is expected. Without a call the cars feed in 4 kW, with all of it
    they draw 12: 16 kW.

    Held to the expected power alone, -4 to 12 kW would let 32 kW be sold.
    """
    fleet = cars("hub", "hub", discharge_max=10, energy_initial=20)
    held = product(down=1, capacity_price=100, activation_down=0.5, activation_price_down=0)
    result = pipeline(
        case(fleet, market([10]), held, charger={"charge_max": 12, "discharge_max": 4})
    )
    assert row(result, "reserve.volume") == [16]


@pytest.mark.through_file
def test_cars_of_one_hub_are_merged_and_of_two_are_not(pipeline):
    """Alike cars at one hub are one; at another hub they are not: 6 kW and 12 kW behind their own
    converters.
    """
    hubs = {
        "north": {"charge_max": 12, "discharge_max": 0},
        "south": {"charge_max": 6, "discharge_max": 0},
    }
    fleet = cars("north", "north", "south", "south", energy_min=[10])
    result = pipeline(case(fleet, market([10]), charger=hubs))
    assert result.attrs["merged_members"] == 2
    assert row(result, "fleet.charge") == [6, 6, 3, 3]


def test_futures(pipeline):
    """The hub is half in repair in one of two futures: 12 or 6 kWh, 8 kWh of need missed there at
    10 EUR each.
    """
    limit = {"charge_max": {"whole": [14], "half": [6]}, "discharge_max": 0}
    tree = case(
        cars("hub", "hub", energy_min=[7]),
        market([10], first_stage=0),
        charger=limit,
        scenarios={"whole": 0.5, "half": 0.5},
    )
    result = pipeline(tree)
    assert result.attrs["objective"] == approx(-0.5 * 0.14 - 0.5 * (0.06 + 80))


def test_without_cars_a_charger_is_nothing(pipeline):
    """A converter that no car names, a fleet without names, no fleet at all."""
    spare = {"hub": HUB, "spare": HUB}
    assert pipeline(case(cars("hub", energy_min=[10]), market([10]), charger=spare)).attrs[
        "profit"
    ] == approx(-0.1)
    assert pipeline(case(vehicle(energy_min=[10]), market([10]), charger=HUB)).attrs[
        "profit"
    ] == approx(-0.1)
    assert pipeline(case(None, market([10]), charger=HUB)).attrs["profit"] == approx(0)
    assert pipeline(case(cars("", energy_min=[10]), market([10]), charger=HUB)).attrs[
        "profit"
    ] == approx(-0.1)
    assert pipeline(case(cars("hub", charge_max=0), market([10]), charger=HUB)).attrs[
        "profit"
    ] == approx(0)


def test_unmanaged_cars_queue_at_their_hub():
    """12 kW: the first takes 10, the second 2 and then 8; a car elsewhere does not wait."""
    tree = case(cars("hub", "hub", "", energy_min=[0, 10]), market([10, 20]), charger=HUB)
    assert v2g.unmanaged(tree).values.tolist() == [[10, 0], [2, 8], [10, 0]]
    ladder = v2g.compare(tree)["ladder"].to_dataset()
    assert float(ladder.profit.sel(rung="unmanaged")) == approx(-0.38)


def test_unmanaged_cars_queue_at_hub_and_pod():
    """10 kW behind the hub, 14 at the pod: the first car takes 10, one at another plug the 4 left;
    then again.
    """
    tree = case(
        cars("hub", "hub", "", energy_min=[0, 10]),
        market([1, 1]),
        connection={"import_max": 14},
        charger={"charge_max": 10, "discharge_max": 0},
    )
    assert v2g.unmanaged(tree).values.tolist() == [[10, 0], [0, 10], [4, 4]]


def test_a_hub_that_is_too_small_is_explained():
    """Two hard needs of 10 kWh behind 12 kW: the hub is named, and that 20 would work."""
    behind = cars("hub", "hub", energy_min=[10], unserved_cost=np.nan)
    with pytest.raises(Infeasible, match=r"charger hub: .* is 12 kW, and 20 kW are needed"):
        v2g.solve(case(behind, market([10]), charger=HUB))
    v2g.solve(case(behind, market([10]), charger=HUB | {"charge_max": 20}))


@pytest.fixture(scope="module")
def honest():
    """A hub that charges at its limit, and holds reserve upward."""
    fleet = cars("hub", "hub", discharge_max=10, energy_min=[0, 10], energy_initial=5)
    held = {"up": product(up=1, capacity_price=5), "down": product(down=1, capacity_price=5)}
    return v2g.solve(case(fleet, market([90, 10]), held, charger=HUB))


@pytest.mark.parametrize(
    ("name", "change", "check"),
    [
        ("charger.charge_max", -1.0, "charger.charge"),
        ("charger.charge_max", -1.0, "charger.activated_down"),
        ("charger.discharge_max", -6.0, "charger.activated_up"),
        ("fleet.charge", 9.0, "charger.charge"),
        ("fleet.discharge", 40.0, "charger.discharge"),
        ("reserve.share_fleet", 30.0, "charger.activated_down"),
    ],
)
def test_a_false_number_is_found(honest, name, change, check):
    """A converter that is smaller than the plan, a plan that is larger than the converter."""
    result = honest
    if name.startswith("charger"):
        result = honest.copy(deep=True)
        result["charger"] = result["charger"].to_dataset() + change
    else:
        result = tampered(honest, name, change)
    assert v2g.replay(honest).attrs["passed"] == 1
    assert float(v2g.replay(result)[check]) > 1e-6


BAD = {
    "misspelt": (
        cars("hbu"),
        HUB,
        "fleet.charger",
        "'hbu' is not a charger of /charger; did you mean hub?",
    ),
    "no limit": (
        cars("hub"),
        {"charge_max": 12},
        "charger.discharge_max",
        "missing: give power it can feed in",
    ),
    "no limit in": (
        cars("hub"),
        {"discharge_max": 12},
        "charger.charge_max",
        "missing: give power its converter",
    ),
    "no chargers": (cars("hub"), None, "fleet.charger", "'hub' is not a charger of /charger"),
    "negative": (
        cars("hub"),
        HUB | {"charge_max": -1},
        "charger.charge_max",
        "allowed [0, inf] kW",
    ),
    "negative out": (
        cars("hub"),
        HUB | {"discharge_max": -1},
        "charger.discharge_max",
        "allowed [0, inf] kW",
    ),
    "not a number": (
        cars("hub"),
        HUB | {"charge_max": np.nan},
        "charger.charge_max",
        "missing (NaN)",
    ),
}


@pytest.mark.parametrize(("fleet", "hub", "where", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_named(fleet, hub, where, words):
    """One problem, with the name that is meant or the number that is missing."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(fleet, market([10, 10]), charger=hub))
    (problem,) = found.value.problems
    assert problem.where == where
    assert words in problem.detail
