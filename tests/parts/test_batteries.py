"""Stationary batteries: constants, a cyclic or valued end, a cap on cycles, reserves, and one
direction at a time.
"""

import numpy as np
import pytest
from cases import case, market, product, row, storage, vehicle
from pytest import approx
from tampering import audit_of_tampered

import v2g_linopy as v2g
from v2g_linopy.errors import Infeasible, SchemaError


def test_bought_low_sold_high(pipeline):
    """10 kWh bought at 50 for 0.50 EUR; 9 arrive, 7.2 are sold at 90 for 0.648, wear 0.09: 0.058
    EUR.

    Proves losses and wear as for a vehicle: on the 7.2 kWh sold wear would be 0.072.
    """
    lossy = storage(eta_charge=0.9, eta_discharge=0.8, wear=0.01)
    result = pipeline(case(None, market([50, 90]), battery=lossy))
    assert result.attrs["profit"] == approx(0.058)
    assert row(result, "battery.discharge") == [0, 7.2]
    assert row(result, "battery.energy") == [9, 0]
    assert row(result, "ledger.battery.wear") == [0, -0.09]


def test_wear_of_what_enters(pipeline):
    """9 kWh enter at 0.005 EUR: 0.058 - 0.045 = 0.013 EUR. Proves that it counts what arrives, not
    the 10 drawn.
    """
    lossy = storage(eta_charge=0.9, eta_discharge=0.8, wear=0.01, wear_charge=0.005)
    assert pipeline(case(None, market([50, 90]), battery=lossy)).attrs["profit"] == approx(0.013)


def test_what_cannot_happen_costs_nothing():
    """A battery that only discharges sells 10 kWh at 50, 0.50 EUR. Proves that the ledger has no
    entry for the charging that is not possible, and the model neither a variable nor a row of it.
    """
    full = storage(charge_max=0, energy_initial=10, wear=0.01, wear_charge=0.01, cycles_max=1)
    tree = case(None, market([50]), battery=full)
    model = v2g.build(tree)
    assert "battery.charge" not in model.variables and "battery.cycles" in model.constraints
    entries = [str(name) for name in v2g.solve(tree)["ledger"].data_vars]
    assert "battery.wear" in entries and "battery.wear_charge" not in entries
    assert (
        "battery.cycles" not in v2g.build(case(None, market([50]), battery=storage())).constraints
    )


def test_cyclic_end(pipeline):
    """Half full at 90 and 50 EUR/MWh: 5 kWh sold and bought back, 0.45 - 0.25 = 0.20 EUR.

    Proves the end: without it the 5 kWh would be sold and not replaced, 0.45.
    """
    free, cyclic = (storage(energy_initial=5, cyclic=c) for c in (0, 1))
    result = pipeline(case(None, market([90, 50]), battery=cyclic))
    assert result.attrs["profit"] == approx(0.20)
    assert row(result, "battery.energy") == [0, 5]
    assert pipeline(case(None, market([90, 50]), battery=free)).attrs["profit"] == approx(0.45)


def test_valued_end(pipeline):
    """A kWh left is worth 0.06 EUR: the 5 on board are kept at 50 and 5 more are bought, 5 x 0.06 -
    5 x 0.05 = 0.05.

    Proves that the value counts from the start: on all 10 kWh it would be 0.35.
    """
    result = pipeline(
        case(None, market([50]), battery=storage(energy_initial=5, energy_value=0.06))
    )
    assert result.attrs["profit"] == approx(0.05)
    assert row(result, "battery.energy") == [10]
    assert row(result, "ledger.battery.energy_left") == [0.30]


def test_energy_leaks(pipeline):
    """Half is lost from hour to hour: 10 kWh bought at 20 are 5 at 90, 0.45 - 0.20 = 0.25 EUR;
    lossless 0.70.
    """
    assert pipeline(case(None, market([20, 90]), battery=storage(keep=0.5))).attrs[
        "profit"
    ] == approx(0.25)


@pytest.mark.parametrize(
    ("cycles", "profit"), [(float("nan"), 1.60), (1.0, 0.90), (0.5, 0.45), (0.0, 0.0)]
)
def test_cap_on_cycles(pipeline, cycles, profit):
    """Two swings, 0 to 90 and 10 to 80 EUR/MWh, of 10 kWh each: 0.90 + 0.70 EUR; one cycle takes
    the better one.

    Half a cycle takes half of it. Proves the cap, and that a cycle is what leaves the battery over
    its capacity."""
    result = pipeline(case(None, market([0, 90, 10, 80]), battery=storage(cycles_max=cycles)))
    assert result.attrs["profit"] == approx(profit)


def test_cycles_are_counted_in_the_battery(pipeline):
    """Half a cycle of 10 kWh lets 5 leave, of which 4 are sold at 100: 0.40 EUR; counted at the
    grid it were 0.50.
    """
    lossy = storage(energy_initial=10, cycles_max=0.5, eta_discharge=0.8)
    assert pipeline(case(None, market([100]), battery=lossy)).attrs["profit"] == approx(0.40)


def test_a_floor(pipeline):
    """6 kWh on board, 2 stay: 4 are sold at 50 EUR/MWh, 0.20 EUR; without a floor 0.30."""
    kept = storage(energy_initial=6, energy_min=2)
    assert pipeline(case(None, market([50]), battery=kept)).attrs["profit"] == approx(0.20)


def test_cycles_go_on(pipeline):
    """6 of the 10 kWh of one cycle left the battery before: 4 remain, 4 x 0.09 = 0.36 EUR."""
    worn = storage(cycles_max=1, throughput_initial=6)
    result = pipeline(case(None, market([0, 90]), battery=worn))
    assert result.attrs["profit"] == approx(0.36)
    assert row(result, "battery.throughput") == [6, 10]


@pytest.mark.parametrize("mode", ["lazy", "milp"])
def test_a_full_battery_burns_nothing(pipeline, mode):
    """A full battery at -100 EUR/MWh can only wait: 0 EUR. Without binaries it would draw 2 kWh and
    be paid 0.20.
    """
    full = storage(energy_initial=10, eta_discharge=0.8)
    result = pipeline(case(None, market([-100]), battery=full), complementarity=mode)
    assert result.attrs["profit"] == approx(0, abs=1e-9)
    assert result.attrs["binaries"] == 1
    assert row(result, "battery.charge") == row(result, "battery.discharge") == [0]
    assert v2g.solve(case(None, market([-100]), battery=full), complementarity="off").attrs[
        "profit"
    ] == approx(0.20)


@pytest.mark.parametrize("mode", ["lazy", "milp"])
def test_a_half_full_battery_burns_nothing(pipeline, mode):
    """Half full, at -100 EUR/MWh, and as full at the end: 0 EUR. 5 kW in and 4 kW out at once would
    be paid 0.10.

    Proves that one direction excludes the other: both powers fit into what is on board.
    """
    half = storage(energy_initial=5, eta_discharge=0.8, cyclic=1)
    result = pipeline(case(None, market([-100]), battery=half), complementarity=mode)
    assert result.attrs["profit"] == approx(0, abs=1e-9)


def test_reserve_needs_energy(pipeline):
    """10 kW for 0.5 h need 5 kWh, 2.5 are on board: 5 kW are sold at 10 EUR/MW/h. Without endurance
    it were 10 kW.
    """
    up = product(up=1, hours_up=0.5, guarantee="endurance", capacity_price=[10])
    result = pipeline(
        case(
            None,
            market([50]),
            up,
            battery=storage(energy_initial=2.5, energy_value=1.0, charge_max=0),
        )
    )
    assert row(result, "reserve.volume") == row(result, "reserve.share_battery") == [5]
    assert result.attrs["profit"] == approx(0.05)


def test_two_paths(pipeline):
    """Energy is guaranteed while a tenth is activated: the baseline stands still with 2.5 kWh, the
    battery does not.

    5 kW are held for 0.5 h on the 2.5 kWh of the baseline, 0.05 EUR, and 0.5 kWh leave on the
    expected path. Its energy is paid at 0.1, as it is worth."""
    up = product(up=1, hours_up=0.5, guarantee="endurance", capacity_price=[10], activation_up=0.1)
    up |= {"activation_price_up": [100]}
    kept = storage(energy_initial=2.5, energy_value=0.1, charge_max=0)
    result = pipeline(case(None, market([50]), up, battery=kept))
    assert row(result, "reserve.volume") == [5]
    assert row(result, "battery.energy_baseline") == [2.5]
    assert row(result, "battery.energy") == [2]
    assert result.attrs["profit"] == approx(0.05 + 0.05 - 0.05)


def test_no_cycling_on_either_path(pipeline):
    """Full, paid to draw, energy guaranteed while activation is expected: neither path charges and
    discharges at once.

    Proves the binaries of the baseline path, which alone would draw 2 kWh more and be paid for it.
    """
    both = product(
        up=1,
        hours_up=0.1,
        guarantee="endurance",
        activation_up=0.1,
        capacity_price=[1],
        volume_max=[1],
    )
    result = pipeline(
        case(None, market([-100]), both, battery=storage(energy_initial=10, eta_discharge=0.8))
    )
    for path in ("", "_baseline"):
        flows = (row(result, f"battery.{side}{path}") for side in ("charge", "discharge"))
        assert max(map(min, zip(*flows, strict=True))) <= 1e-6


def test_a_site_with_a_vehicle(pipeline):
    """A car needs 10 kWh behind 6 kW: 6 at 20 and 4 at 80 EUR/MWh, 0.44 EUR. 4 kWh from a battery
    spare the 80: 0.12.

    Proves that the battery feeds the car: nothing may be fed into the grid.
    """
    car = vehicle(energy_min=[0, 10])
    limit = {"import_max": 6, "export_max": 0}
    without = pipeline(case(car, market([20, 80]), connection=limit))
    helped = pipeline(
        case(
            car, market([20, 80]), connection=limit, battery=storage(charge_max=0, energy_initial=4)
        )
    )
    assert without.attrs["profit"] == approx(-0.12 - 0.32)
    assert helped.attrs["profit"] == approx(-0.12)
    assert sum(row(helped, "battery.discharge")) == approx(4)


def test_no_capacity_changes_nothing(pipeline):
    """A battery of 0 kW and 0 kWh beside a car: same plan, same profit, same prices (reserve held
    by the car).
    """
    up = product(
        up=1, hours_up=0.5, guarantee="endurance", capacity_price=[5, 5], activation_up=0.1
    )
    car = vehicle(energy_min=[0, 10], discharge_max=10, wear=0.01)
    nothing = storage(
        charge_max=0,
        discharge_max=0,
        energy_max=0,
        cyclic=1,
        cycles_max=1,
        energy_value=1,
        wear=0.1,
    )
    alone = pipeline(case(car, market([20, 60]), up))
    beside = pipeline(case(car, market([20, 60]), up, battery=nothing))
    assert beside.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-9)
    for name in ("fleet.charge", "fleet.discharge", "reserve.volume", "price.electricity"):
        assert row(beside, name) == row(alone, name)
    assert row(beside, "battery.charge") == row(beside, "battery.discharge") == [0, 0]


def test_two_are_one_of_twice_the_size(pipeline):
    """Twins are merged and given back: each does half of what one of twice the size does."""
    twins = {name: storage(energy_initial=5, cyclic=1, cycles_max=1, wear=0.01) for name in "ab"}
    result = pipeline(case(None, market([90, 50, 20, 70]), battery=twins))
    one = storage(
        charge_max=20,
        discharge_max=20,
        energy_max=20,
        energy_initial=10,
        cyclic=1,
        cycles_max=1,
        wear=0.01,
    )
    assert result.attrs["merged_members"] == 1
    big = pipeline(case(None, market([90, 50, 20, 70]), battery=one))
    assert result.attrs["profit"] == approx(big.attrs["profit"])
    assert [2 * x for x in row(result, "battery.energy", battery="b")] == row(big, "battery.energy")


def test_an_end_out_of_reach_is_explained():
    """Half leaks away and nothing can be charged: the message names the rules of the battery that
    contradict.
    """
    leaky = storage(charge_max=0, keep=0.5, energy_initial=5, cyclic=1)
    with pytest.raises(Infeasible) as found:
        v2g.solve(case(None, market([50]), battery=leaky))
    assert "battery.cyclic" in str(found.value)


@pytest.fixture(scope="module")
def honest():
    """A battery that cycles once, worn, valued, capped."""
    box = storage(
        energy_initial=5, cyclic=1, cycles_max=1, energy_value=0.02, wear=0.01, wear_charge=0.01
    )
    return v2g.solve(case(None, market([10, 90, 20]), battery=box))


TAMPERED = {
    "charge": ("battery.charge", 0.5, "battery.balance"),
    "power": ("battery.charge", 20.0, "battery.limit_charge"),
    "feed-in": ("battery.discharge", 20.0, "battery.limit_discharge"),
    "sign": ("battery.discharge", -0.5, "battery.limit_sign"),
    "range": ("battery.energy", 20.0, "battery.limit_energy"),
    "emptiness": ("battery.energy", -20.0, "battery.limit_energy"),
    "end": ("battery.energy", 0.5, "battery.cyclic"),
    "count": ("battery.throughput", 0.5, "battery.throughput"),
    "cycles": ("battery.discharge", 9.0, "battery.cycles"),
    "wear": ("ledger.battery.wear", 0.1, "battery.wear"),
    "charging wear": ("ledger.battery.wear_charge", 0.1, "battery.wear_charge"),
    "value": ("ledger.battery.energy_left", 0.1, "battery.energy_left"),
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
    "range": ({"energy_min": 11}, "energy_min"),
    "overfull": ({"energy_initial": 11}, "energy_initial"),
    "too empty": ({"energy_initial": 1, "energy_min": 2}, "energy_initial"),
    "worn out": ({"cycles_max": 1, "throughput_initial": 11}, "throughput_initial"),
    "below zero": ({"energy_max": -1}, "energy_max"),
    "no efficiency": ({"eta_charge": 1.2}, "eta_charge"),
    "half a flag": ({"cyclic": 0.5}, "cyclic"),
}


@pytest.mark.parametrize(("fields", "field"), BAD.values(), ids=BAD)
def test_bad_input_is_named(fields, field):
    """The message names the field, the battery and the number."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(None, market([10]), battery=storage(**fields)))
    assert f"battery.{field}" in str(found.value)
    assert "box" in str(found.value)


@pytest.mark.parametrize("seed", range(3))
def test_more_choice_never_hurts(seed):
    """Half a day at random prices, some negative: a battery, and a product for it to sell, never
    lower the objective.

    The battery keeps its bounds, ends as it began, and never charges and discharges at once.
    """
    random = np.random.default_rng(seed)
    car = vehicle(energy_min=[0] * 11 + [20], discharge_max=5, eta_charge=0.9, eta_discharge=0.9)
    prices = market(random.uniform(-60, 120, 12))
    box = storage(
        energy_initial=4, cyclic=1, eta_charge=0.95, eta_discharge=0.9, wear=0.01, cycles_max=0.75
    )
    both = product(
        up=1, down=1, hours_up=0.5, hours_down=0.5, guarantee="endurance", capacity_price=[8] * 12
    )
    both |= {"activation_up": 0.1}
    cases = case(car, prices), case(car, prices, battery=box), case(car, prices, both, battery=box)
    alone, with_box, with_both = (v2g.solve(c) for c in cases)
    assert alone.attrs["objective"] <= with_box.attrs["objective"] + 1e-6
    assert with_box.attrs["objective"] <= with_both.attrs["objective"] + 1e-6
    plan = with_both["battery"]
    apart = plan.discharge_baseline - plan.charge_baseline - plan.discharge + plan.charge
    activated = (0.1 * with_both["reserve"].share_battery).sum("product")
    assert float(abs(apart + activated).max()) < 1e-6
    assert float(activated.max()) > 0
    for path in ("", "_baseline"):
        assert float(np.minimum(plan["charge" + path], plan["discharge" + path]).max()) < 1e-6
        assert (
            0
            <= float(plan["energy" + path].min())
            <= float(plan["energy" + path].max())
            <= 10 + 1e-6
        )
    assert float(plan.energy.isel(time=-1)[0]) == approx(4)
    assert float(plan.discharge.sum()) / 0.9 <= 7.5 + 1e-6
