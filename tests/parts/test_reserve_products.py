"""Reserve products: what a kW sold needs in power and energy, what it earns, and what its
activation moves.
"""

from pathlib import Path

import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from pytest import approx

import v2g_linopy as v2g


def test_reserve_needs_energy(pipeline):
    """10 kW for 0.5 h needs 5 kWh, 2.5 kWh is on board: 5 kW are sold, at 4 EUR per kW.

    Proves endurance; without it the income would double.
    """
    ev = vehicle(discharge_max=10, energy_initial=2.5)
    half_an_hour = product(up=1, hours_up=0.5, guarantee="endurance", capacity_price=[4000])
    result = pipeline(case(ev, market([50]), half_an_hour))
    assert result.attrs["profit"] == approx(20)
    assert row(result, "reserve.volume") == [5]


def test_reserve_energy_is_counted_in_the_battery(pipeline):
    """2.5 kWh on board give 2 kWh at the grid (0.8): 4 kW up for half an hour; 2 kWh of room take
    2.5 kWh from the grid (0.8): 2.5 kW down for an hour.

    At 4 EUR per kW: 16 + 10 = 26. Proves the efficiency on the energy held; without it 5 kW up and
    2 kW down, 28."""
    battery = {"discharge_max": 10, "eta_charge": 0.8, "eta_discharge": 0.8}
    fleet = {
        "empty": vehicle(energy_initial=2.5, **battery),
        "full": vehicle(energy_initial=38, **battery),
    }
    capacity = {"guarantee": "endurance", "capacity_price": [4000]}
    up, down = product(up=1, hours_up=0.5, **capacity), product(down=1, hours_down=1, **capacity)
    fleet["empty"]["charge_max"] = fleet["full"]["discharge_max"] = 0
    fleet["empty"]["discharge_max"] = 4.5
    result = pipeline(case(fleet, market([50]), {"up": up, "down": down}))
    assert row(result, "reserve.share_fleet", fleet="empty", product="up") == [4]
    assert row(result, "reserve.share_fleet", fleet="full", product="down") == [2.5]
    assert result.attrs["profit"] == approx(26)


def test_headroom_is_counted_about_the_baseline(pipeline):
    """A charger that cannot discharge charges 5 kWh in the hour; it can stop, so 5 kW of upward
    reserve are sold at 20 EUR/MW.

    -0.20 for the energy at 40, +0.10. Proves the baseline in the headroom: measured from zero it
    could sell nothing."""
    result = pipeline(
        case(vehicle(energy_min=[5]), market([40]), product(up=1, capacity_price=[20]))
    )
    assert result.attrs["profit"] == approx(-0.10)
    assert row(result, "reserve.volume") == [5]


def test_symmetric_product_needs_both_directions(pipeline):
    """10 kW of discharge but only 4 kW of charge: 4 kW of a symmetric product, 0.08 EUR at 20
    EUR/MW.

    Proves the downward half; judged by its upward half alone it would earn 0.20.
    """
    ev = vehicle(charge_max=4, discharge_max=10)
    result = pipeline(case(ev, market([50]), product(up=1, down=1, capacity_price=[20])))
    assert result.attrs["profit"] == approx(0.08)


def test_products_share_the_headroom(pipeline):
    """10 kW of headroom, 20 EUR/MW for at most 6 kW of one product and 10 EUR/MW for any of
    another: 6 and 4 kW, 0.16 EUR.

    Proves the sum over products: each with all of the headroom would earn 0.12 + 0.10.
    """
    dear = product(up=1, capacity_price=[20], volume_max=6)
    cheap = product(up=1, capacity_price=[10])
    result = pipeline(case(vehicle(discharge_max=10), market([50]), {"dear": dear, "cheap": cheap}))
    assert result.attrs["profit"] == approx(0.16)
    assert row(result, "reserve.volume") == [6, 4]


@pytest.mark.through_file
def test_volume_is_backed_by_named_members(pipeline):
    """Dischargers of 3 and 4 kW hold 3 and 4 of the 7 kW sold; a third that cannot discharge holds
    nothing.

    Proves that the portfolio sells what its members can hold: 7 kW at 20 EUR/MW, 0.14 EUR.
    """
    fleet = {"a": vehicle(discharge_max=3), "b": vehicle(discharge_max=4), "c": vehicle()}
    result = pipeline(case(fleet, market([50]), product(up=1, capacity_price=[20])))
    assert result.attrs["profit"] == approx(0.14)
    assert row(result, "reserve.share_fleet") == [3, 4, 0]


def test_upward_activation_moves_the_battery_not_the_position(pipeline):
    """Half of 4 kW is expected to be activated and paid 80 EUR/MWh: 2 kWh leave the battery, the
    market position stays 0.

    0.16 EUR. Proves that the market carries the baseline: with the physical power in the market the
    same 2 kWh would be paid twice, 0.26."""
    ev = vehicle(discharge_max=10, energy_initial=2)
    up = product(up=1, activation_up=0.5, activation_price_up=[80], volume_max=4)
    result = pipeline(case(ev, market([50]), up))
    assert result.attrs["profit"] == approx(0.16)
    assert row(result, "fleet.discharge") == [2]
    assert row(result, "fleet.energy") == [0]
    assert row(result, "energy.position") == [0]


def test_downward_activation_charges_the_battery(pipeline):
    """Half of 10 kW is expected to be activated at 10 EUR/MWh: it brings the 5 kWh that are due,
    for 0.05 EUR instead of 0.25.

    Proves that activated energy is energy: without it the 5 kWh would be bought at 50.
    """
    down = product(down=1, activation_down=0.5, activation_price_down=[10])
    result = pipeline(case(vehicle(energy_min=[5]), market([50]), down))
    assert result.attrs["profit"] == approx(-0.05)
    assert row(result, "reserve.volume") == [10]
    assert row(result, "energy.position") == [0]


@pytest.mark.through_file
def test_activation_is_settled_at_the_named_market(pipeline):
    """2 kWh activated, no price of their own, settlement named `imbalance` at 80 EUR/MWh: 0.16 EUR.

    Proves the label: the first market, at 50, would pay 0.10.
    """
    markets = {"day_ahead": market([50]), "imbalance": market([80], limit=0)}
    up = product(up=1, activation_up=0.5, settlement="imbalance", volume_max=4)
    result = pipeline(case(vehicle(discharge_max=10, energy_initial=2), markets, up))
    assert result.attrs["profit"] == approx(0.16)


def test_activation_is_settled_at_the_first_market_by_default(pipeline):
    """As above without the label: 2 kWh at 50 EUR/MWh, 0.10 EUR."""
    markets = {"day_ahead": market([50]), "imbalance": market([80], limit=0)}
    up = product(up=1, activation_up=0.5, volume_max=4)
    result = pipeline(case(vehicle(discharge_max=10, energy_initial=2), markets, up))
    assert result.attrs["profit"] == approx(0.10)


def test_empty_arrival_is_allowed(pipeline):
    """The car arrives empty and must hold 5 kWh after an hour: nothing can be sold in that hour, 10
    kW for half an hour in the next.

    -0.20 for the energy at 40, +0.30 for 10 kW at 30 EUR/MW. Proves that the energy row at the
    start of the step is void at zero volume: with the need of the end of the step there, no plan
    would exist."""
    ev = vehicle(discharge_max=10, keep=[0, 1], energy_min=[5, 0])
    up = product(up=1, hours_up=0.5, guarantee="endurance", capacity_price=[30, 30])
    result = pipeline(case(ev, market([40, 40]), up))
    assert row(result, "reserve.volume") == [0, 10]
    assert result.attrs["profit"] == approx(0.10)


def test_guarantee_with_activation_has_a_baseline_path(pipeline):
    """2.5 kWh back 5 kW for half an hour while half of them are expected to be activated, which
    empties the battery on average.

    5 kW at 4 EUR and 2.5 kWh at 50 EUR/MWh: 20.125. Proves that the guarantee stands on the path
    without activation: on the expected path 0.5 x <= 2.5 - 0.5 x would leave 2.5 kW."""
    ev = vehicle(discharge_max=10, energy_initial=2.5)
    up = product(
        up=1, hours_up=0.5, activation_up=0.5, guarantee="endurance", capacity_price=[4000]
    )
    result = pipeline(case(ev, market([50]), up))
    assert result.attrs["profit"] == approx(20.125)
    assert row(result, "fleet.energy") == [0]
    assert row(result, "fleet.energy_baseline") == [2.5]


def test_nothing_bought_changes_nothing(pipeline):
    """A product with `volume_max` 0 beside a trade of 10 kWh from 50 to 90 EUR/MWh: 0.40 EUR as
    without it.

    Proves that a price without demand is no income: 1000 EUR/MW on 10 kW would bring 20.
    """
    trade = vehicle(discharge_max=10), market([50, 90])
    refused = product(
        up=1,
        down=1,
        hours_up=1,
        guarantee="endurance",
        activation_up=0.3,
        capacity_price=1000,
        volume_max=[0, 0],
    )
    alone, beside = pipeline(case(*trade)), pipeline(case(*trade, refused))
    assert beside.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-12) == approx(0.40)
    for name in ("fleet.charge", "fleet.discharge", "energy.position"):
        assert row(beside, name) == row(alone, name)
    assert row(beside, "reserve.volume") == [0, 0]


BOTH = {"up": 1, "down": 1, "capacity_price": [20, 20]}
CHARGER = vehicle(discharge_max=10, energy_max=0, eta_charge=0.8, eta_discharge=0.8)


@pytest.mark.parametrize("many", [0, 1], ids=["one vehicle", "many"])
@pytest.mark.parametrize("guarantee", ["expected", "endurance"])
def test_a_charger_without_a_battery_sells_nothing(pipeline, many, guarantee):
    """10 kW of charger with no battery on board, at -100 EUR/MWh, activation expected both ways: 0
    EUR.

    Proves that room for reserves is that of a battery: by the charger alone 10 kW would earn 0.20
    EUR in each hour, and 3.6 kW drawn to heat the cables 0.36."""
    nothing = product(**BOTH, guarantee=guarantee, activation_up=0.1, activation_down=0.1)
    result = pipeline(case(CHARGER | {"aggregate": many}, market([-100, -100]), nothing))
    assert result.attrs["objective"] == 0
    assert (
        row(result, "reserve.volume")
        == row(result, "fleet.charge")
        == row(result, "fleet.discharge")
        == [0, 0]
    )


def test_a_stationary_battery_without_capacity_sells_nothing(pipeline):
    """The same of a stationary battery of 10 kW and 0 kWh: 0 EUR."""
    box = storage(energy_max=0, eta_charge=0.8, eta_discharge=0.8)
    nothing = product(**BOTH, activation_up=0.1, activation_down=0.1)
    result = pipeline(case(None, market([-100, -100]), nothing, battery=box))
    assert result.attrs["objective"] == 0
    assert row(result, "reserve.volume") == [0, 0]


@pytest.mark.parametrize("mode", ["lazy", "milp"])
def test_a_charger_sells_while_a_battery_is_there(pipeline, mode):
    """A car comes with 2 kWh in the second hour and leaves after the third: 10 kW both ways, then 8
    beside the sale of the 2 kWh at the better price.

    18 kW x 20 EUR/MW + 2 x 60 = 0.36 + 0.12 EUR. Proves that the room is there from the hour of
    arrival to that of departure, and that the empty hours take no binaries; by the charger alone 20
    kW more would be sold, 0.88."""
    stay = {"energy_max": [0, 8, 8, 0], "energy_in": [0, 2, 0, 0], "keep": [0, 0, 1, 0]}
    ev = vehicle(discharge_max=10, **stay)
    result = pipeline(
        case(ev, market([50, 50, 60, 50]), product(up=1, down=1, capacity_price=[20] * 4)),
        complementarity=mode,
    )
    assert result.attrs["profit"] == approx(0.36 + 0.12)
    assert row(result, "reserve.volume") == [0, 10, 8, 0]
    assert result.attrs["binaries"] == (2 if mode == "milp" else 0)


PRESENT = {
    "on departure": {"energy_max": [8, 0], "energy_initial": 4},
    "passing through": {"energy_max": [8, 0], "keep": [1, 0], "energy_in": [0, 4]},
    "due within the step": {"energy_max": [8, 0], "keep": [1, 0], "energy_out": [0, 4]},
    "free to leave": {"energy_max": [8, 0], "keep": [1, 0], "spill_max": [0, 4]},
}


@pytest.mark.parametrize("fields", PRESENT.values(), ids=PRESENT)
def test_energy_that_passes_is_a_battery_too(fields):
    """Nothing is left at the end of the second hour, but energy was there, came or went in it: its
    charger works.

    10 kW of upward room, less at most 4 kW that are discharged. Proves that only a step in which
    nothing can be on board is empty."""
    ev = vehicle(discharge_max=10, aggregate=1, **fields)
    result = v2g.solve(case(ev, market([50, 50]), product(up=1, capacity_price=[20, 20])))
    assert row(result, "reserve.volume")[1] >= 6


@pytest.fixture(scope="module")
def empty_chargers() -> xr.DataTree:
    """Chargers with nothing on board in the last hour, beside a battery that sells reserves."""
    ev, box = vehicle(discharge_max=10, energy_max=[8, 0], keep=[1, 0]), storage(energy_max=0)
    other = {"box": box, "full": storage(energy_initial=5)}
    result = v2g.solve(
        case(ev, market([50, 50]), product(up=1, down=1, capacity_price=[20, 20]), battery=other)
    )
    assert v2g.replay(result).attrs["passed"] == 1
    return result


@pytest.mark.parametrize(
    ("name", "change", "check"),
    [
        ("reserve.share_fleet", 1.0, "reserve.room_up_fleet"),
        ("reserve.share_fleet", 1.0, "reserve.room_down_fleet"),
        ("reserve.share_battery", 1.0, "reserve.room_up_battery"),
        ("fleet.charge", 1.0, "fleet.limit_charge"),
        ("fleet.discharge", 1.0, "fleet.limit_discharge"),
        ("battery.charge", 1.0, "battery.limit_charge"),
        ("battery.discharge", 1.0, "battery.limit_discharge"),
    ],
)
def test_power_without_a_battery_is_found(empty_chargers, name, change, check):
    """A kW held or moved by a charger with nothing on board, in the last hour: the audit sees
    it.
    """
    result = empty_chargers.copy()
    group, _, quantity = name.partition(".")
    labels = {"battery": "box"} if "battery" in name else {"fleet": "ev"}
    array = result[group][quantity].copy()
    array.loc[labels | {"time": array.time[-1]}] += change
    result[group] = result[group].to_dataset().assign({quantity: array})
    checks = v2g.replay(result)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 0.5


def test_wear_of_opposite_calls_is_a_lower_bound(pipeline):
    """8 kW up and 8 kW down of a car at rest, a quarter of each called: the mean is 0, no wear, no
    loss is booked.

    In truth 2 kWh are fed in: 2.105 kWh out of the battery, 0.175 EUR of wear; 1.9 of 2 kWh arrive:
    0.205 kWh less. These are the numbers of docs/reading-results.md; without its warning the plan
    reads as if the hour cost nothing."""
    car = vehicle(
        discharge_max=8,
        charge_max=8,
        energy_max=20,
        energy_initial=20,
        energy_min=20,
        wear=200 / 2400,
    )
    car |= {"eta_charge": 0.95, "eta_discharge": 0.95}
    ways = {
        way: product(**{way: 1, f"activation_{way}": 0.25}, capacity_price=[10])
        for way in ("up", "down")
    }
    result = pipeline(case(car, market([50]), ways))
    assert row(result, "reserve.volume") == [8, 8]
    assert row(result, "fleet.charge") == row(result, "fleet.discharge") == [0]
    assert result.attrs["profit"] == approx(2 * 8 * 0.01)
    text = (Path(__file__).parents[2] / "docs/reading-results.md").read_text(encoding="utf-8")
    out = 2 / 0.95
    for number in (
        f"{out:.3f} kWh",
        f"{out * 200 / 2400:.3f} EUR",
        f"{out - 0.95 * 2:.3f} kWh lower",
    ):
        assert number in text
