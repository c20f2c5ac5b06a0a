"""Hydrogen: electrolyser with its states, tank, fuel cell, what is sold and what is drawn."""

import numpy as np
import pytest
from cases import case, electrolyser, market, product, row, vehicle
from pytest import approx
from tampering import audit_of_replaced

import v2g_linopy as v2g
from v2g_linopy.errors import Infeasible, SchemaError

NAN = float("nan")


def hydrogen(kilowatts, **fields):
    """A hydrogen demand at the pod of the plant."""
    return {"baseline": kilowatts, "carrier": "hydrogen"} | fields


def tank(**fields):
    """A tank and a fuel cell of 5 kW at 0.5, without electrolyser."""
    return {"energy_max": 20.0, "fuel_cell_max": 5.0, "eta_fuel_cell": 0.5} | fields


def test_sold_as_it_is_made(pipeline):
    """A kWh drawn makes 0.5 kWh of hydrogen, sold for 0.10 EUR: full at 40, off at 120 EUR/MWh: 10
    x 0.06 = 0.60 EUR.

    Proves the efficiency: with the price of hydrogen on what is drawn it would run in both hours.
    No binaries."""
    result = pipeline(case(None, market([40, 120]), hydrogen=electrolyser()))
    assert result.attrs["profit"] == approx(0.60)
    assert row(result, "hydrogen.electrolysis") == [10, 0]
    assert row(result, "hydrogen.sold") == [5, 0]
    assert result.attrs["binaries"] == 0


def test_a_limit_on_sales(pipeline):
    """2 kW of hydrogen are bought at most: 4 kW drawn, 4 x 0.06 EUR."""
    assert pipeline(case(None, market([40]), hydrogen=electrolyser(sale_max=2))).attrs[
        "profit"
    ] == approx(0.24)


def test_a_demand_made_in_the_cheap_hour(pipeline):
    """3 kWh of hydrogen at an hour of 90: made at 20 EUR/MWh and stored, 6 kWh for 0.12 EUR;
    without a tank 0.54.

    Proves the tank and the hydrogen balance; the price of hydrogen is that of the cheap hour, 20 /
    0.5 EUR/MWh."""
    plant = electrolyser(sale_max=0)
    stored = pipeline(
        case(None, market([20, 90]), hydrogen=plant | {"energy_max": 10}, load=hydrogen([0, 3]))
    )
    assert stored.attrs["profit"] == approx(-0.12)
    assert row(stored, "hydrogen.energy") == [3, 0]
    assert row(stored, "price.hydrogen") == [40, 40]
    alone = pipeline(case(None, market([20, 90]), hydrogen=plant, load=hydrogen([0, 3])))
    assert alone.attrs["profit"] == approx(-0.54)


def test_round_trip(pipeline):
    """10 kWh at 0 make 5 kWh of hydrogen, which make 2.5 kWh at 200 EUR/MWh: 0.50 EUR.

    Proves the efficiency of the fuel cell: hydrogen sold as electricity one to one would be 1.00.
    """
    site = electrolyser(sale_max=0) | tank()
    result = pipeline(case(None, market([0, 200]), hydrogen=site))
    assert result.attrs["profit"] == approx(0.50)
    assert row(result, "hydrogen.generation") == [0, 2.5]


def test_sites_of_a_pod_share_a_pipe(pipeline):
    """Electrolyser, tank and fuel cell as three sites of one pod do what one site with all three
    does.
    """
    three = {
        "made": electrolyser(sale_max=0),
        "kept": {"energy_max": 20.0},
        "used": tank(energy_max=0),
    }
    result = pipeline(case(None, market([0, 200]), hydrogen=three))
    assert result.attrs["profit"] == approx(0.50)
    apart = {name: site | {"pod": name} for name, site in three.items()}
    assert pipeline(case(None, market([0, 200]), hydrogen=apart)).attrs["profit"] == approx(
        0, abs=1e-9
    )


def test_a_tank_that_leaks(pipeline):
    """Half is lost from hour to hour: 4 kWh in the tank are 2 for the fuel cell, 1 kWh at 100
    EUR/MWh.
    """
    site = tank(energy_initial=8, keep=0.5, fuel_cell_max=[0, 5])
    assert pipeline(case(None, market([0, 100]), hydrogen=site)).attrs["profit"] == approx(0.10)


def test_the_end_of_the_tank(pipeline):
    """4 kWh of hydrogen, 2 kWh at 150 EUR/MWh: as full at the end nothing; or a kWh left is worth
    0.05 or 0.1.
    """
    site = tank(energy_initial=4)
    assert pipeline(case(None, market([150]), hydrogen=site | {"cyclic": 1})).attrs[
        "profit"
    ] == approx(0, abs=1e-9)
    sold = pipeline(case(None, market([150]), hydrogen=site | {"energy_value": 0.05}))
    assert sold.attrs["profit"] == approx(0.30 - 0.20)
    assert row(sold, "ledger.hydrogen.energy_left") == [-0.20]
    assert pipeline(case(None, market([150]), hydrogen=site | {"energy_value": 0.1})).attrs[
        "profit"
    ] == approx(0, abs=1e-9)


STACK = {"electrolyser_min": 4.0, "wear_start": 0.5, "standby_power": 1.0}


def test_standby_over_a_dear_hour(pipeline):
    """40, 150, 40 EUR/MWh, 0.50 EUR a start: 1 kW in standby for 0.15 EUR is better than a second
    start.

    0.60 - 0.15 + 0.60 - 0.50 = 0.55 EUR. Off it would be 0.20, on at its minimum load 4 x -0.05 =
    0.50."""
    result = pipeline(case(None, market([40, 150, 40]), hydrogen=electrolyser(**STACK)), gap=0.0)
    assert result.attrs["profit"] == approx(0.55)
    assert row(result, "hydrogen.on") == [1, 0, 1]
    assert row(result, "hydrogen.standby") == [0, 1, 0]
    assert row(result, "hydrogen.start") == [1, 0, 0]


def test_no_standby_from_off(pipeline):
    """Off before 150 and 40 EUR/MWh: it cannot wait in standby, the start is paid: 0.60 - 0.50 =
    0.10 EUR.

    Standby from off would save the start for 0.15. From standby it may stay there, from on it may
    go there: 0.45."""
    prices, plant = market([150, 40]), electrolyser(**STACK)
    assert pipeline(case(None, prices, hydrogen=plant), gap=0.0).attrs["profit"] == approx(0.10)
    for state in ("standby_initial", "on_initial"):
        result = pipeline(case(None, prices, hydrogen=plant | {state: 1}), gap=0.0)
        assert result.attrs["profit"] == approx(0.45)
        assert row(result, "hydrogen.standby") == [1, 0]


def test_one_state_at_a_time(pipeline):
    """Paid 100 EUR/MWh to draw 10 kW, 5 kWh of hydrogen sold: 1.00 + 1.00 EUR; in standby as well
    it would be 2.10.
    """
    result = pipeline(case(None, market([-100]), hydrogen=electrolyser(**STACK, on_initial=1)))
    assert result.attrs["profit"] == approx(2.00)


def test_a_start_is_a_start():
    """Where starts cost nothing they are still what they are: none in an electrolyser that is on
    already, or stays off.

    Proves that `start` follows from the states; otherwise any number between 0 and 1 would do.
    """
    running = case(None, market([40]), hydrogen=electrolyser(electrolyser_min=4, on_initial=1))
    idle = case(None, market([400]), hydrogen=electrolyser(electrolyser_min=4))
    for site in (running, idle):
        start = v2g.solve(site)["hydrogen"].start
        assert float(start[0, 0]) == 0
        with pytest.raises(Infeasible):
            v2g.solve(
                site,
                fix={"hydrogen.start": start + 1, "hydrogen.on": v2g.solve(site)["hydrogen"].on},
            )


def test_no_standby_at_all(pipeline):
    """The same without standby: a second start would leave 0.20, it stays on at its minimum load:
    0.50.
    """
    plant = electrolyser(**STACK) | {"standby_power": NAN}
    result = pipeline(case(None, market([40, 150, 40]), hydrogen=plant), gap=0.0)
    assert result.attrs["profit"] == approx(0.50)
    assert row(result, "hydrogen.electrolysis") == [10, 4, 10]


def test_wear(pipeline):
    """Half-hours at 40, 150, 40: 0.04 EUR/h on, 0.02 in standby, 0.10 a start: no step on the
    start.

    2 x (0.30 - 0.02) - 0.075 - 0.01 - 0.10 = 0.375 EUR.
    """
    plant = electrolyser(
        electrolyser_min=9, standby_power=1, wear=0.04, wear_standby=0.02, wear_start=0.1
    )
    result = pipeline(case(None, market([40, 150, 40]), hydrogen=plant, step="30min"), gap=0.0)
    assert result.attrs["profit"] == approx(0.375)
    assert row(result, "ledger.hydrogen.wear") == [-0.02, 0, -0.02]
    assert row(result, "ledger.hydrogen.wear_standby") == [0, -0.01, 0]
    assert row(result, "ledger.hydrogen.wear_start") == [-0.1, 0, 0]


@pytest.mark.parametrize(
    ("fields", "entry", "profit"),
    [
        ({"wear_start": 0.5}, "wear_start", 0.10),
        ({"wear": 0.5}, "wear", 0.10),
        ({"electrolyser_min": 5.0}, None, 0.60),
        ({"standby_power": 0.0}, None, 0.60),
    ],
)
def test_each_reason_to_stand_still(pipeline, fields, entry, profit):
    """10 kW at 40 EUR/MWh make hydrogen for 1.00 EUR: 0.60, and 0.50 less where a start or an hour
    wears so much. Any one of the four makes being on a decision.
    """
    plant = electrolyser(**fields)
    result = pipeline(case(None, market([40]), hydrogen=plant), gap=0.0)
    assert result.attrs["profit"] == approx(profit)
    assert row(result, "hydrogen.on") == [1]
    if entry is not None:
        assert row(result, f"ledger.hydrogen.{entry}") == [-0.5]


def test_the_minimum_load(pipeline):
    """2 kW of hydrogen take 4 kW, the minimum is 6: 3 kW are made, and with nowhere to go it stays
    off: 0 EUR.
    """
    plant = electrolyser(electrolyser_min=6, sale_max=2)
    assert pipeline(case(None, market([40]), hydrogen=plant)).attrs["profit"] == approx(0, abs=1e-9)
    roomy = pipeline(case(None, market([40, 150]), hydrogen=plant | {"energy_max": 2}), gap=0.0)
    assert row(roomy, "hydrogen.electrolysis") == [8, 0]  # 2 sold and 2 kept, sold in the dear hour
    assert roomy.attrs["profit"] == approx(4 * 0.2 - 8 * 0.04)


def test_twins_are_not_one(pipeline):
    """2.5 kW of hydrogen, two stacks with a minimum load of 4 kW: one draws 5 kW, the other is
    off.
    """
    twins = {name: electrolyser(electrolyser_min=4, sale_max=0) for name in "ab"}
    result = pipeline(case(None, market([40]), hydrogen=twins, load=hydrogen(2.5)), gap=0.0)
    assert sorted(row(result, "hydrogen.electrolysis")) == [0, 5]
    assert result.attrs["profit"] == approx(-0.20)
    assert result.attrs["merged_members"] == 0
    plain = {name: electrolyser(sale_max=0, energy_max=4) for name in "ab"}
    assert (
        v2g.solve(case(None, market([40]), hydrogen=plain, load=hydrogen(2.5))).attrs[
            "merged_members"
        ]
        == 1
    )


def test_reserve_of_an_electrolyser(pipeline):
    """On at 6 kW for 3 kW of hydrogen, minimum 4: it can shed 2 kW up and add 4 kW down: 10 x 2 +
    20 x 4 EUR/MW.

    With a fuel cell of 5 kW beside it 7 kW up. Proves the room of both devices in their present
    state."""
    offers = {
        "up": product(up=1, capacity_price=[10]),
        "down": product(down=1, capacity_price=[20]),
    }
    plant = electrolyser(sale_max=0, electrolyser_min=4)
    result = pipeline(case(None, market([50]), offers, hydrogen=plant, load=hydrogen(3)), gap=0.0)
    assert row(result, "reserve.volume") == [2, 4]
    assert result.attrs["profit"] == approx(-0.30 + 0.02 + 0.08)
    helped = pipeline(
        case(None, market([50]), offers, hydrogen=plant | {"fuel_cell_max": 5}, load=hydrogen(3)),
        gap=0.0,
    )
    assert row(helped, "reserve.volume") == [7, 4]


def test_reserve_needs_hydrogen(pipeline):
    """4 kW for 0.5 h from a fuel cell at 0.5 take 4 kWh of hydrogen: with 3 on board 3 kW are sold
    at 20 EUR/MW.

    Proves endurance in the tank; without it 5 kW, the fuel cell's power.
    """
    up = product(up=1, hours_up=0.5, guarantee="endurance", capacity_price=[20])
    result = pipeline(case(None, market([0]), up, hydrogen=tank(energy_initial=3, energy_value=1)))
    assert row(result, "reserve.volume") == [3]


def test_reserve_needs_room_in_the_tank(pipeline):
    """Down for an hour, an electrolyser at 0.5 fills 4 kWh of space with 8 kWh drawn: 8 of 10
    kW.
    """
    down = product(down=1, hours_down=1, guarantee="endurance", capacity_price=[20])
    plant = electrolyser(sale_max=0, energy_max=10, energy_initial=6, energy_value=-1)
    result = pipeline(case(None, market([500]), down, hydrogen=plant))
    assert row(result, "reserve.volume") == [8]


def test_no_endurance_on_an_expected_path(pipeline):
    """Where activation is expected, the tank is known on the expected path alone: no endurance is
    sold from it.

    A product that guarantees nothing is. A plant without a tank to empty (an engine) sells both.
    """
    offers = {
        "endured": product(
            up=1, hours_up=0.5, guarantee="endurance", capacity_price=[20], volume_max=1
        ),
        "expected": product(up=1, activation_up=0.1, capacity_price=[10], volume_max=1),
    }
    result = pipeline(
        case(None, market([0]), offers, hydrogen=tank(energy_initial=9, energy_value=1))
    )
    assert row(result, "reserve.volume", product="endured") == [0]
    assert row(result, "reserve.volume", product="expected") == [
        0
    ]  # 0.1 kWh are worth more in the tank: 0.2 against 0.01
    cheap = pipeline(case(None, market([0]), offers, hydrogen=tank(energy_initial=9)))
    assert row(cheap, "reserve.volume") == [0, 1]


def test_no_capacity_changes_nothing(pipeline):
    """A site without devices, with every cost, beside a car: same plan, same profit, same prices,
    no binaries.
    """
    nothing = electrolyser(electrolyser_max=0, **STACK) | {
        "wear": 1,
        "cyclic": 1,
        "energy_value": 1,
        "sale_max": 0,
    }
    up = product(up=1, hours_up=0.5, guarantee="endurance", capacity_price=[5, 5])
    car = vehicle(energy_min=[0, 10], discharge_max=10, wear=0.01)
    alone = pipeline(case(car, market([20, 60]), up))
    beside = pipeline(case(car, market([20, 60]), up, hydrogen=nothing))
    assert beside.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-9)
    assert beside.attrs["binaries"] == 0
    for name in ("fleet.charge", "fleet.discharge", "reserve.volume", "price.electricity"):
        assert row(beside, name) == row(alone, name)


@pytest.mark.parametrize("missing", ["electrolyser_max", "fuel_cell_max", "energy_max"])
def test_one_device_is_missing(pipeline, missing):
    """Without any one of the three the other two still run, and the audit passes."""
    site = electrolyser(**STACK, sale_price=0.3) | tank(energy_initial=0) | {missing: 0.0}
    result = pipeline(case(None, market([0, 300]), hydrogen=site), gap=0.0)
    made = {"electrolyser_max": 0.0, "fuel_cell_max": 5 * 0.3 - 0.5, "energy_max": 5 * 0.3 - 0.5}
    assert result.attrs["profit"] == approx(made[missing], abs=1e-9)


def test_mass_balance():
    """A day of everything at random prices: what is made is drawn, used, sold or kept, to 1e-9 kWh
    in each step.
    """
    random = np.random.default_rng(7)
    site = electrolyser(**STACK, keep=0.99, energy_initial=5) | {"sale_max": 3, "sale_price": 0.1}
    site |= tank(energy_initial=5, keep=0.99)
    demand = hydrogen(random.uniform(0, 2, 24))
    result = v2g.solve(
        case(None, market(random.uniform(-50, 250, 24)), hydrogen=site, load=demand, step="30min")
    )
    h = {
        name: np.array(row(result, f"hydrogen.{name}"))
        for name in ("electrolysis", "generation", "sold")
    }
    h = {name: result["hydrogen"][name].to_numpy().ravel() for name in (*h, "energy")}
    drawn = result["load"].power.to_numpy().ravel()
    before = np.concatenate([[5.0], h["energy"][:-1]])
    gap = h["energy"] - 0.99 * before
    gap -= 0.5 * (0.5 * h["electrolysis"] - h["generation"] / 0.5 - h["sold"] - drawn)
    assert abs(gap).max() < 1e-9
    assert min(x.max() for x in h.values()) > 0


def test_hydrogen_without_a_source_is_explained():
    """The message names pod, carrier and hour."""
    with pytest.raises(Infeasible) as found:
        v2g.solve(case(None, market([50, 50]), load=hydrogen([0, 2], pod="south")))
    assert (
        "pod south: 2 kW of hydrogen are missing in the step 2026-01-05 01:00 +0000 (hour 1)"
        in str(found.value)
    )


def test_too_little_for_long(pipeline):
    """Enough in each hour, not in both: 4 kWh in the tank, 3 kW of demand for two hours; 2 kW would
    do.
    """

    def site(demand):
        return case(None, market([50, 50]), hydrogen=tank(energy_initial=4), load=hydrogen(demand))

    with pytest.raises(Infeasible) as found:
        v2g.solve(site(3))
    assert "power is held at 3 kW, and 2 kW can be kept" in str(found.value)
    assert "what would work: load.baseline of 2 kW in these steps" in str(found.value)
    v2g.solve(site(2))


def test_scenarios(pipeline):
    """40 or 150 EUR/MWh intraday, as likely, 0.10 EUR a start: on in one: 0.5 x (0.60 - 0.10) =
    0.25 EUR.
    """
    intraday = market({"low": [40], "high": [150]}, first_stage=0)
    plant = {"plant": electrolyser(electrolyser_min=4, wear_start=0.1)}
    result = pipeline(
        case(None, intraday, hydrogen=plant, scenarios={"low": 0.5, "high": 0.5}), gap=0.0
    )
    assert result.attrs["profit"] == approx(0.25)
    assert row(result, "hydrogen.on") == [1, 0]


@pytest.fixture(scope="module")
def honest():
    """A site that starts, stands by, starts no second time, stores, sells, and turns hydrogen
    back.
    """
    site = electrolyser(**STACK, wear=0.01, wear_standby=0.01, energy_value=0.01, cyclic=1) | {
        "sale_max": [0, 0, 9, 0, 0]
    }
    site |= tank(energy_initial=1, fuel_cell_max=2)
    up = product(up=1, hours_up=0.25, guarantee="endurance", capacity_price=[1] * 5, volume_max=1)
    prices = market([20, 300, 40, 800, 300])
    return v2g.solve(case(None, prices, up, hydrogen=site, load=hydrogen(0.5)), gap=0.0)


def test_the_honest_plan(honest):
    """What the next tests change."""
    assert honest["audit"].attrs["passed"] == 1
    assert row(honest, "hydrogen.on") == [1, 0, 1, 0, 0]
    assert row(honest, "hydrogen.standby") == [0, 1, 0, 0, 0]
    assert row(honest, "hydrogen.sold")[2] > 0 and row(honest, "hydrogen.generation")[3] > 0
    assert sum(row(honest, "reserve.share_hydrogen")) > 1


TAMPERED = {
    "hydrogen from nowhere": ("hydrogen.energy", 1, 3.0, "node.hydrogen"),
    "a tank overfull": ("hydrogen.energy", 1, 30.0, "hydrogen.limit_energy"),
    "a tank below empty": ("hydrogen.energy", 1, -1.0, "hydrogen.limit_energy"),
    "an end elsewhere": ("hydrogen.energy", 4, 0.0, "hydrogen.cyclic"),
    "too much power": ("hydrogen.electrolysis", 0, 11.0, "hydrogen.limit_electrolyser"),
    "power while off": ("hydrogen.electrolysis", 4, 1.0, "hydrogen.limit_electrolyser"),
    "below its minimum": ("hydrogen.electrolysis", 0, 1.0, "hydrogen.limit_load"),
    "power below zero": ("hydrogen.electrolysis", 4, -1.0, "hydrogen.limit_sign"),
    "a fuel cell overrun": ("hydrogen.generation", 3, 6.0, "hydrogen.limit_fuel_cell"),
    "more sold than bought": ("hydrogen.sold", 0, 1.0, "hydrogen.limit_sold"),
    "sold less than made": ("hydrogen.sold", 2, 0.0, "node.hydrogen"),
    "unbought": ("hydrogen.electrolysis", 0, 9.0, "node.electricity"),
    "standby for nothing": ("hydrogen.standby", 1, 0.0, "node.electricity"),
    "half on": ("hydrogen.on", 0, 0.5, "hydrogen.state"),
    "two states": ("hydrogen.standby", 0, 1.0, "hydrogen.one_state"),
    "standby from off": ("hydrogen.standby", 4, 1.0, "hydrogen.standby"),
    "a start unseen": ("hydrogen.start", 0, 0.0, "hydrogen.started"),
    "hydrogen unpaid": ("ledger.hydrogen.sale", 2, 0.0, "hydrogen.sale"),
    "wear unpaid": ("ledger.hydrogen.wear", 0, 0.0, "hydrogen.wear"),
    "standby unpaid": ("ledger.hydrogen.wear_standby", 1, 0.0, "hydrogen.wear_standby"),
    "a start unpaid": ("ledger.hydrogen.wear_start", 0, 0.0, "hydrogen.wear_start"),
    "value of nothing": ("ledger.hydrogen.energy_left", 4, 1.0, "hydrogen.energy_left"),
    "a reserve without room": ("reserve.share_hydrogen", 4, 30.0, "reserve.room_up_hydrogen"),
    "a reserve without hydrogen": (
        "reserve.share_hydrogen",
        4,
        5.0,
        "reserve.endurance_up_end_hydrogen",
    ),
}


@pytest.mark.parametrize(("name", "step", "value", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_number_is_found(honest, name, step, value, check):
    """One number of a plan or a bill is changed: the audit does not pass, and the expected check
    sees it.
    """
    checks = audit_of_replaced(honest, name, step, value)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


BAD = {
    "minimum above rating": ({"electrolyser_min": 11}, "electrolyser_min"),
    "a cushion above the tank": ({"energy_min": 1}, "energy_min"),
    "overfull": ({"energy_initial": 1}, "energy_initial"),
    "too empty": ({"energy_max": 5, "energy_min": 2}, "energy_initial"),
    "two states at once": (
        {"on_initial": 1, "standby_initial": 1, "standby_power": 1},
        "standby_initial",
    ),
    "a standby it has not got": ({"standby_initial": 1}, "standby_initial"),
    "negative wear": ({"wear": -1}, "wear"),
    "negative start": ({"wear_start": -1}, "wear_start"),
    "no efficiency": ({"eta_electrolyser": 1.5}, "eta_electrolyser"),
    "negative fuel cell": ({"fuel_cell_max": -1}, "fuel_cell_max"),
    "half a flag": ({"cyclic": 0.5}, "cyclic"),
    "no price": ({"sale_price": NAN}, "sale_price"),
}


@pytest.mark.parametrize(("fields", "field"), BAD.values(), ids=BAD)
def test_bad_input_is_named(fields, field):
    """The message names the field, the site and the number."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(None, market([10]), hydrogen=electrolyser(**fields)))
    assert f"hydrogen.{field}" in str(found.value)
    assert "plant" in str(found.value)
