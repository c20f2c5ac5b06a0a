"""Heat and power from fuel: when a plant runs, what its heat allows, what its state and its ramps
cost.
"""

import numpy as np
import pytest
from cases import case, engine, market, product, row, vehicle
from pytest import approx
from tampering import audit_of_replaced

import v2g_linopy as v2g
from v2g_linopy.errors import Infeasible, SchemaError

NAN = float("nan")
HOT = {
    "power_to_heat": 0.5,
    "eta_power": 0.3,
    "fuel_price": 15,
}  # 0.05 EUR per kWh of electricity, twice as much heat


def heat(kilowatts, **fields):
    """A heat demand at the pod of the plant."""
    return {"baseline": kilowatts, "carrier": "heat"} | fields


def test_runs_where_power_pays_the_fuel(pipeline):
    """Fuel costs 0.05 EUR per kWh of electricity: off at 40, full at 90 EUR/MWh: 10 x 0.04 = 0.40
    EUR, no binaries.

    Proves the efficiency: at the price of fuel itself, 0.02 per kWh, it would run in both hours,
    0.90."""
    result = pipeline(case(None, market([40, 90]), chp=engine()))
    assert result.attrs["profit"] == approx(0.40)
    assert row(result, "chp.power") == [0, 10]
    assert row(result, "ledger.chp.fuel") == [0, -0.5]
    assert result.attrs["binaries"] == 0


def test_heat_leads(pipeline):
    """6 kW of heat at 0.5 kWh of electricity per kWh of heat: 3 kW of electricity, sold at 40 for
    0.12, fuel 0.15 EUR.

    Proves the power-to-heat ratio and the heat balance: the plant runs at a loss, and at 90 EUR/MWh
    it may not run more, 3 x 0.04 = 0.12 EUR. With 4 kW of dump it makes 2 kW more: 5 x 0.04 = 0.20.
    """
    plant = engine(**HOT, dump_max=0)
    result = pipeline(case(None, market([40, 90]), chp=plant, load=heat(6)))
    assert row(result, "chp.power") == [3, 3]
    assert result.attrs["profit"] == approx(-0.03 + 0.12)
    dumping = pipeline(case(None, market([40, 90]), chp=plant | {"dump_max": 4}, load=heat(6)))
    assert row(dumping, "chp.dump") == [0, 4]
    assert dumping.attrs["profit"] == approx(-0.03 + 0.20)


def test_the_price_of_heat(pipeline):
    """A kWh of heat takes 0.5 kWh of electricity: fuel 0.025 less the sale at 40, 0.02: heat costs
    5 EUR/MWh.

    The plant is on at a load between its bounds; its state is fixed where the price is found.
    """
    plant = engine(**HOT, dump_max=0, power_min=1, start_cost=1)
    result = pipeline(case(None, market([40]), chp=plant, load=heat(6)))
    assert row(result, "price.heat") == [5]
    assert row(result, "price.electricity") == [40]
    assert result.attrs["binaries"] == 1


def test_heat_stays_in_its_pod():
    """The plant stands at pod a, the heat is drawn at pod b: no plan, and the message says where,
    what and when.
    """
    plant, house = engine(pod="a"), heat([0, 3], pod="b")
    with pytest.raises(Infeasible) as found:
        v2g.solve(case(None, market([50, 50]), chp=plant, load=house, timezone="Europe/Rome"))
    assert "pod b: 3 kW of heat are missing in the step 2026-01-05 02:00 +0100 (hour 1)" in str(
        found.value
    )


def test_heat_without_a_source_is_explained():
    """5 kW of heat and nothing that makes any: the message counts the steps."""
    with pytest.raises(Infeasible) as found:
        v2g.solve(case(None, market([50, 50]), load=heat(5)))
    assert "pod site: 5 kW of heat are missing in the step 2026-01-05 00:00 +0000 (hour 0)" in str(
        found.value
    )
    assert "2 steps in all" in str(found.value)


@pytest.mark.parametrize(("step", "hours"), [("1h", 3.0), ("30min", 2.0)])
def test_a_plant_that_has_run_long_enough_may_be_taken_away(step, hours):
    """On for an hour, to stay on for three (two): after two steps of an hour (half an hour) it has
    been, and its power may be 0 then.
    """
    power = {"power_min": 5.0, "power_max": [10.0, 10.0, 0.0]}
    state = {"on_initial": 1, "hours_initial": 1.0, "up_time_min": hours}
    result = v2g.solve(case(None, market([20] * 3), chp=engine(**power, **state), step=step))
    assert row(result, "chp.on") == [1, 1, 0]


def test_too_little_heat_is_explained():
    """A plant of 10 kW for 14 kW of heat: 4 are missing. One that cannot stop, and no demand: 5
    have nowhere to go.
    """
    with pytest.raises(Infeasible) as found:
        v2g.solve(case(None, market([50]), chp=engine(), load=heat(14)))
    assert "4 kW of heat are missing" in str(found.value)
    stuck = engine(power_min=5, on_initial=1, hours_initial=1, up_time_min=5, dump_max=0)
    with pytest.raises(Infeasible) as found:
        v2g.solve(case(None, market([50]), chp=stuck))
    assert (
        "heat and power plant engine: least power of a plant while it is on is missed by 5 kW"
        in str(found.value)
    )


def test_heat_that_may_be_missed(pipeline):
    """What 10 kW of heat do not cover of 14 is curtailed at 0.2 EUR/kWh: 10 x 0.04 - 4 x 0.2 =
    -0.40 EUR.

    Proves that a curtailable demand is a source at a price, a boiler for instance.
    """
    result = pipeline(
        case(None, market([90]), chp=engine(), load=heat(14, curtail_max=14, curtail_cost=0.2))
    )
    assert row(result, "load.curtail") == [4]
    assert result.attrs["profit"] == approx(-0.40)


def test_heat_stored(pipeline):
    """5 kW of heat in an hour at 10, made in the hour before at 90 EUR/MWh and stored: 5 x 0.04 =
    0.20 EUR.

    Proves the carrier of a store: without it the plant runs at 10, 5 x -0.04.
    """
    store = {
        "charge_max": 10,
        "discharge_max": 10,
        "energy_max": 5,
        "eta_charge": 1,
        "eta_discharge": 1,
    }
    site = {"chp": engine(dump_max=0), "load": heat([0, 5])}
    stored = pipeline(case(None, market([90, 10]), battery=store | {"carrier": "heat"}, **site))
    assert stored.attrs["profit"] == approx(0.20)
    assert row(stored, "battery.charge") == row(stored, "chp.power") == [5, 0]
    assert pipeline(case(None, market([90, 10]), **site)).attrs["profit"] == approx(-0.20)


@pytest.mark.parametrize("reserve", [None, {"activation_up": 0.1, "activation_down": 0.1}])
def test_a_store_of_heat_burns_none(pipeline, reserve):
    """90 EUR/MWh and heat that has nowhere to go but a store of 8 kWh at 0.8: 10 kW for one hour,
    0.40 EUR.

    Proves that one direction excludes the other for heat as well, also where reserves are activated
    both ways: in the second hour the full store could take 10 kW and give 6.4 back at once, and let
    the plant make 3.6 kW, 0.144 EUR."""
    lossy = {
        "charge_max": 10,
        "discharge_max": 10,
        "energy_max": 8,
        "eta_charge": 0.8,
        "eta_discharge": 0.8,
    }
    stores = {"tank": lossy | {"carrier": "heat"}, "box": lossy | {"carrier": "electricity"}}
    called = reserve and product(up=1, down=1, capacity_price=[0, 0], volume_max=1, **reserve)
    site = case(None, market([90, 90]), called, battery=stores, chp=engine(dump_max=0))
    result = pipeline(site)
    assert result.attrs["profit"] == approx(0.40)
    if not reserve:
        assert v2g.solve(site, complementarity="off").attrs["profit"] == approx(0.544)


def test_stays_on_over_a_valley(pipeline):
    """90, 40, 90 EUR/MWh, a start costs 0.30: the valley is crossed at the minimum load of 4 kW for
    4 x 0.01.

    0.40 - 0.04 + 0.40 - 0.30 = 0.46 EUR. Proves minimum load and start cost: stopping costs a
    second start, 0.20; without the minimum load it would idle through, 0.50."""
    result = pipeline(
        case(None, market([90, 40, 90]), chp=engine(power_min=4, start_cost=0.3)), gap=0.0
    )
    assert result.attrs["profit"] == approx(0.46)
    assert row(result, "chp.power") == [10, 4, 10]
    assert row(result, "chp.start") == [1, 0, 0]
    assert row(result, "ledger.chp.start") == [-0.3, 0, 0]


def test_a_start_is_not_worth_it(pipeline):
    """0.40 EUR to earn, 0.50 to start: it stays off. Started before, it runs: 0.40."""
    plant = engine(start_cost=0.5, power_min=4)
    assert pipeline(case(None, market([90]), chp=plant)).attrs["profit"] == approx(0, abs=1e-9)
    running = pipeline(case(None, market([90]), chp=plant | {"on_initial": 1}))
    assert running.attrs["profit"] == approx(0.40)
    assert row(running, "chp.start") == [0]


@pytest.mark.parametrize(("hours", "profit"), [(1, 0.40), (1.5, 0.20), (2, 0.20), (3, 0.0)])
def test_stays_on_for_its_least_time(pipeline, hours, profit):
    """An hour at 90 and then 10 EUR/MWh at a minimum load of 5 kW, 0.20 EUR a hour: each hour it
    must stay costs that.

    At three hours nothing is left of the 0.40. An hour and a half are two steps.
    """
    plant = engine(power_min=5, up_time_min=hours)
    result = pipeline(case(None, market([90, 10, 10, 10]), chp=plant), gap=0.0)
    assert result.attrs["profit"] == approx(profit, abs=1e-9)


@pytest.mark.parametrize(("hours", "profit"), [(1, 1.20), (2, 0.80), (3, 0.80)])
def test_stays_off_for_its_least_time(pipeline, hours, profit):
    """On before 90, 10, 90, 90 EUR/MWh, minimum load 10: three good hours of 0.40 EUR and one of
    -0.40.

    Off for one hour it leaves out the bad one. Two hours take a good one with them, which is as
    much as running through; three are worse."""
    plant = engine(power_min=10, down_time_min=hours, on_initial=1)
    result = pipeline(case(None, market([90, 10, 90, 90]), chp=plant), gap=0.0)
    assert result.attrs["profit"] == approx(profit)


@pytest.mark.parametrize(("hours", "profit"), [(1, 0.80), (2, 0.40), (5, 0.0)])
def test_has_just_stopped(pipeline, hours, profit):
    """Stopped right before three hours at 90 EUR/MWh: its least time off is lost, 0.40 EUR a
    hour.
    """
    plant = engine(power_min=10, down_time_min=hours, on_initial=0, hours_initial=0)
    result = pipeline(case(None, market([90, 90, 90]), chp=plant), gap=0.0)
    assert result.attrs["profit"] == approx(profit, abs=1e-9)


def test_quarter_hours(pipeline):
    """A least time of an hour is four quarter-hours: started for one at 90 EUR/MWh it runs three
    more at a loss.

    0.10 - 3 x 5 x 0.25 x 0.005 = 0.08125 EUR. Proves the unit of the least time: one step would be
    0.10."""
    plant = engine(power_min=5, up_time_min=1)
    result = pipeline(
        case(None, market([90, 45, 45, 45, 45, 45]), chp=plant, step="15min"), gap=0.0
    )
    assert row(result, "chp.power") == [10, 5, 5, 5, 0, 0]
    assert result.attrs["profit"] == approx(0.08125)


def test_what_began_before(pipeline):
    """On for one of three hours before the start, 10 EUR/MWh: two more at the minimum load, 2 x
    -0.20 EUR.

    Proves the state carried in; on for long it would stop at once.
    """
    plant = engine(power_min=5, up_time_min=3, on_initial=1, hours_initial=1)
    result = pipeline(case(None, market([10, 10, 10]), chp=plant))
    assert result.attrs["profit"] == approx(-0.40)
    assert row(result, "chp.on") == [1, 1, 0]
    assert row(result, "chp.hours") == [2, 3, 0]
    assert pipeline(case(None, market([10, 10, 10]), chp=plant | {"hours_initial": 3})).attrs[
        "profit"
    ] == approx(0, abs=1e-9)


def test_a_least_time_beyond_the_horizon(pipeline):
    """Ten hours at least, two in the horizon: it starts for 2 x 0.40 EUR, and says what it owes the
    next window.
    """
    result = pipeline(case(None, market([90, 90]), chp=engine(power_min=5, up_time_min=10)))
    assert result.attrs["profit"] == approx(0.80)
    assert row(result, "chp.hours") == [1, 2]


def test_ramps(pipeline):
    """From 2 kW at 3 kW/h up and 4 kW/h down, 90, 90, 10, 10 EUR/MWh: 5 and 8 up, then 4 and 0.

    0.04 x (5 + 8) - 0.04 x 4 = 0.36 EUR. Proves both ramps and the power before the start; without
    them 0.80."""
    plant = engine(ramp_up=3, ramp_down=4, power_initial=2)
    result = pipeline(case(None, market([90, 90, 10, 10]), chp=plant))
    assert row(result, "chp.power") == [5, 8, 4, 0]
    assert result.attrs["profit"] == approx(0.36)


def test_ramps_of_half_an_hour(pipeline):
    """3 kW/h are 1.5 kW from one half-hour to the next. Where the power before is not known, the
    first step is free.
    """
    result = pipeline(
        case(None, market([90, 90]), chp=engine(ramp_up=3, power_initial=0), step="30min")
    )
    assert row(result, "chp.power") == [1.5, 3]
    free = pipeline(case(None, market([20, 90]), chp=engine(ramp_up=3, ramp_down=3), step="30min"))
    assert row(free, "chp.power") == [8.5, 10]


def test_a_ramp_below_the_minimum_load(pipeline):
    """2 kW/h and a minimum load of 5 kW: it starts at 5, rises to 7 and 9, and stops from 5 only.

    On for three hours at 90, then 10 EUR/MWh: 5, 7, 9 up; then 7, 5, 0 down. Two loads are worth
    more: 5, 7, 5 leaves nothing to run at 10. 0.04 x (5 + 7 + 5) = 0.68 EUR against 0.84 - 0.48.
    """
    plant = engine(power_min=5, ramp_up=2, ramp_down=2)
    result = pipeline(
        case(None, market([90, 90, 90, 10, 10]), chp=plant | {"power_initial": 0}), gap=0.0
    )
    assert row(result, "chp.power") == [5, 7, 5, 0, 0]
    assert result.attrs["profit"] == approx(0.68)


def test_out_of_service(pipeline):
    """No power in the second hour: it stops, and starts again for 0.10 EUR each time: 0.80 - 0.20
    EUR.
    """
    plant = engine(power_max=[10, 0, 10], power_min=5, start_cost=0.1)
    result = pipeline(case(None, market([90, 90, 90]), chp=plant), gap=0.0)
    assert row(result, "chp.on") == [1, 0, 1]
    assert result.attrs["profit"] == approx(0.60)


def test_out_of_service_from_the_start():
    """On for two hours before, out of service from the first on: at its end it has been off for one
    hour, and for two at the end of the second; off before, for three and for four.

    Proves that hours in one state do not count for the other, for the next window.
    """
    for on, hours in ((1, [1, 2]), (0, [3, 4])):
        plant = engine(power_max=[0, 0], down_time_min=9, on_initial=on, hours_initial=2)
        assert row(v2g.solve(case(None, market([90, 90]), chp=plant)), "chp.hours") == hours


@pytest.mark.parametrize("reason", ["power_min", "start_cost", "up_time_min", "down_time_min"])
def test_each_reason_to_stand_still(reason):
    """At a price below its fuel a plant with any one of the four is off, and says so; without one
    it is always on, and says nothing.
    """
    off = v2g.solve(case(None, market([0.0]), chp=engine(**{reason: 1.0})))
    assert row(off, "chp.on") == [0]
    assert "on" not in v2g.solve(case(None, market([0.0]), chp=engine()))["chp"]


def test_electricity_alone(pipeline):
    """A plant whose heat is not used runs without any place for it."""
    result = pipeline(case(None, market([90]), chp=engine(power_to_heat=float("inf"), dump_max=0)))
    assert result.attrs["profit"] == approx(0.40)


def test_twins_are_not_one(pipeline):
    """5 kW of heat, two plants with a minimum load of 4: one makes 5, the other is off: 5 x 0.04 =
    0.20 EUR.

    Proves that plants with states are not merged: one of twice the size could not go below 8 kW.
    Cars beside them are."""
    twins = {name: engine(power_min=4, dump_max=0) for name in "ab"}
    cars = {name: vehicle(energy_min=[5]) for name in ("x", "y", "z")}
    result = pipeline(case(cars, market([90]), chp=twins, load=heat(5)), gap=0.0)
    assert sorted(row(result, "chp.power")) == [0, 5]
    assert result.attrs["profit"] == approx(0.20 - 15 * 0.09)
    assert result.attrs["merged_members"] == 2
    assert v2g.solve(case(cars, market([90]), chp=twins, load=heat(5)), blocks=False).attrs[
        "profit"
    ] == approx(result.attrs["profit"])


def test_twins_without_states_are_one(pipeline):
    """Plants that are always on are merged: each makes half, ramps and all."""
    twins = {name: engine(dump_max=0, ramp_up=3, power_initial=1) for name in "ab"}
    result = pipeline(
        case(
            None, market([90, 90]), chp=twins, load=heat([20, 20], curtail_max=20, curtail_cost=0.1)
        )
    )
    assert result.attrs["merged_members"] == 1
    assert row(result, "chp.power", chp="b") == [4, 7]


def test_blocks_with_states_of_their_own():
    """Two pods, each with a plant and a heat demand, and nothing else in common: more blocks than
    one, same profit.
    """
    plants = {
        name: engine(power_min=4, start_cost=c, dump_max=0, pod=name)
        for name, c in (("a", 0.1), ("b", 0.3))
    }
    demand = {
        n: heat([5, 5, 0, 5], pod=n, curtail_max=[0, 10, 0, 0], curtail_cost=0.02) for n in "ab"
    }
    site = case(None, market([90, 10, 90, 40], limit=1000), chp=plants, load=demand)
    apart, whole = v2g.solve(site, gap=0.0), v2g.solve(site, gap=0.0, blocks=False)
    assert apart.attrs["blocks"] > 1
    assert apart.attrs["profit"] == approx(whole.attrs["profit"])
    assert apart.attrs["binaries"] == 8
    # 5 x 0.04 at 90; 5 kW of heat missed for 0.02 at 10, since 5 x -0.04 is worse; off in the third
    # hour, which has no
    # heat demand; 5 x -0.01 at 40; two starts
    assert apart.attrs["profit"] == approx(2 * (0.20 - 0.10 - 0.05) - 2 * 0.1 - 2 * 0.3)


def test_binaries_of_plants_and_batteries(pipeline):
    """A full battery at -100 EUR/MWh may not burn what it draws; a plant with states beside it
    changes nothing in that.

    Proves that the rounds of complementarity work on prices found with the states fixed; and the
    words tell them apart."""
    full = {
        "charge_max": 10,
        "discharge_max": 10,
        "energy_max": 10,
        "energy_initial": 10,
        "eta_charge": 1,
    }
    full |= {"eta_discharge": 0.8}
    plant = engine(power_min=4, start_cost=0.1)
    result = pipeline(case(None, market([-100, 90]), battery=full, chp=plant), gap=0.0)
    assert result.attrs["profit"] == approx(8 * 0.09 + 0.40 - 0.10)
    assert row(result, "battery.charge") == [0, 0]
    assert "it took 1 binaries" in result.attrs["complementarity"]
    alone = pipeline(case(None, market([-100, 90]), chp=plant), gap=0.0)
    assert "2 for other states" in alone.attrs["complementarity"]


def test_reserve_of_a_running_plant(pipeline):
    """On at 6 of 10 kW for 6 kW of heat, minimum 4: 4 kW up and 2 kW down are held, at 10 and 20
    EUR/MW: 0.08 EUR.

    An hour of endurance asks for no reservoir: fuel comes by pipe. Proves the room about the plan:
    of the rating alone it would hold 10 kW up."""
    plant = engine(power_min=4, dump_max=0)
    endured = {"hours_up": 1, "hours_down": 1, "guarantee": "endurance"}
    offers = {
        "up": product(up=1, capacity_price=[10], **endured),
        "down": product(down=1, capacity_price=[20], **endured),
    }
    result = pipeline(case(None, market([50]), offers, chp=plant, load=heat(6)), gap=0.0)
    assert row(result, "reserve.share_chp", product="up") == [4]
    assert row(result, "reserve.share_chp", product="down") == [2]
    assert result.attrs["profit"] == approx(0.04 + 0.04)


def test_a_plant_runs_for_its_reserve(pipeline):
    """At 40 EUR/MWh it loses 4 x 0.01 at its minimum load and holds 6 kW up at 20 EUR/MW: 0.12 -
    0.04 = 0.08 EUR.

    Proves that a plant which is off holds nothing: from standstill it would hold 10 kW, 0.20.
    """
    up = product(up=1, capacity_price=[20])
    result = pipeline(case(None, market([40]), up, chp=engine(power_min=4)), gap=0.0)
    assert row(result, "reserve.volume") == [6]
    assert result.attrs["profit"] == approx(0.08)


def test_activated_power_is_made_and_paid(pipeline):
    """A quarter of 8 kW up is activated at 100 EUR/MWh, at 50 nothing is gained by running: 2 x
    0.10 - 2 x 0.05 = 0.10.

    Proves that activation burns fuel, and that the market carries the baseline.
    """
    up = product(
        up=1, capacity_price=[0], activation_up=0.25, activation_price_up=[100], volume_max=8
    )
    result = pipeline(case(None, market([49]), up, chp=engine()))
    assert row(result, "chp.power") == [2]
    assert row(result, "energy.position") == [0]
    assert result.attrs["profit"] == approx(0.10)


def test_behind_a_connection_with_reserve(pipeline):
    """8 kW of export: 5 kW run at 90 and 3 kW of reserve up fit, at most 8 together; the reserve is
    worth more.

    Reserve at 60 EUR/MW earns 0.06 a kW, energy 0.04: 8 kW of reserve, 0.48 EUR.
    """
    up = product(up=1, capacity_price=[60])
    result = pipeline(case(None, market([90]), up, {"export_max": 8}, chp=engine()))
    assert row(result, "reserve.volume") == [8]
    assert result.attrs["profit"] == approx(0.48)


def test_no_capacity_changes_nothing(pipeline):
    """A plant of 0 kW with a minimum load and a start cost beside a car: same plan, same profit,
    same prices.
    """
    nothing = engine(
        power_max=0,
        power_min=4,
        start_cost=1,
        up_time_min=5,
        ramp_up=1,
        on_initial=1,
        hours_initial=9,
    )
    up = product(up=1, capacity_price=[5, 5])
    car = vehicle(energy_min=[0, 10], discharge_max=10, wear=0.01)
    alone = pipeline(case(car, market([20, 60]), up))
    beside = pipeline(
        case(car, market([20, 60]), up, chp=nothing | {"ramp_down": 1, "power_initial": 8})
    )
    assert beside.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-9)
    assert beside.attrs["binaries"] == 0
    for name in ("fleet.charge", "fleet.discharge", "reserve.volume", "price.electricity"):
        assert row(beside, name) == row(alone, name)
    assert row(beside, "chp.power") == [0, 0]


def test_no_members(pipeline):
    """A group without plants is as good as none."""
    nobody = case(vehicle(energy_min=[0, 10]), market([20, 60]), chp={"a": engine()})
    nobody["chp"] = nobody["chp"].to_dataset().isel(chp=slice(0))
    assert pipeline(nobody).attrs["profit"] == approx(-0.20)


@pytest.mark.through_file
def test_scenarios(pipeline):
    """90 or 10 EUR/MWh intraday, as likely: on in one, off in the other, 0.5 x (0.40 - 0.10) = 0.15
    EUR.

    Proves that the state is decided in each scenario: one for both would earn nothing.
    """
    intraday = market({"high": [90], "low": [10]}, first_stage=0)
    plant = {"engine": engine(power_min=10, start_cost=0.1)}
    result = pipeline(case(None, intraday, chp=plant, scenarios={"high": 0.5, "low": 0.5}), gap=0.0)
    assert result.attrs["profit"] == approx(0.15)
    assert row(result, "chp.on") == [1, 0]


def test_the_ladder_with_a_plant():
    """Every rung is solved beside a plant with states, and its fuel and starts are told apart."""
    site = case(
        vehicle(energy_min=[0, 0, 10], charge_max=5, discharge_max=5),
        market([90, 20, 60]),
        chp=engine(power_min=4, start_cost=0.1),
        load={"house": {"baseline": 2}, "warmth": heat(4)},
        connection={"import_max": 30, "export_max": 30},
    )
    ladder = v2g.compare(site, gap=0.0)["ladder"].to_dataset()
    assert float(ladder.step.sel(rung="smart", cause="other")) == approx(0, abs=1e-9)
    # unmanaged 5 x 90 + 5 x 20, smart 5 x 20 + 5 x 60: the plant is the same on both
    assert float(ladder.profit.sel(rung="smart") - ladder.profit.sel(rung="unmanaged")) == approx(
        0.45 - 0.30
    )


def test_unmanaged_charging_leaves_the_heat_alone():
    """A heat demand draws nothing from the connection: 10 kW are left to the car, all charged at
    once.
    """
    car = vehicle(energy_min=[0, 10])
    site = case(
        car, market([80, 20]), connection={"import_max": 10}, load=heat(6), chp=engine(dump_max=0)
    )
    assert v2g.unmanaged(site).to_numpy().ravel().tolist() == [10, 0]


@pytest.fixture(scope="module")
def honest():
    """A plant that starts, ramps, dumps, stops, and holds reserve."""
    plant = engine(
        power_min=2,
        start_cost=0.01,
        up_time_min=2,
        down_time_min=2,
        ramp_up=6,
        ramp_down=6,
        power_initial=0,
    )
    plant |= {"dump_max": 5, "hours_initial": 5}
    demand = heat([0, 3, 3, 3, 0, 0])
    up = product(up=1, down=0.5, capacity_price=[5] * 6, volume_max=2)
    return v2g.solve(
        case(None, market([-90, 90, 90, 60, 10, 10]), up, chp=plant, load=demand), gap=0.0
    )


def test_the_honest_plan(honest):
    """What the next tests change: the plant runs from the second to the fourth hour."""
    assert row(honest, "chp.on") == [0, 1, 1, 1, 0, 0]
    assert honest["audit"].attrs["passed"] == 1
    assert sum(row(honest, "reserve.share_chp")) > 1


TAMPERED = {
    "too much power": ("chp.power", 2, 30.0, "chp.limit_power"),
    "power while off": ("chp.power", 5, 1.0, "chp.limit_power"),
    "below its minimum": ("chp.power", 2, 1.0, "chp.limit_load"),
    "negative power": ("chp.power", 5, -1.0, "chp.limit_sign"),
    "a cooler overrun": ("chp.dump", 2, 6.0, "chp.limit_dump"),
    "heat from a cooler": ("chp.dump", 2, -1.0, "chp.limit_dump"),
    "heat from nowhere": ("chp.dump", 2, 0.0, "node.heat"),
    "a demand for heat forgotten": ("load.power", 2, 0.0, "node.heat"),
    "unsold": ("chp.power", 2, 8.5, "node.electricity"),
    "half on": ("chp.on", 1, 0.5, "chp.state"),
    "a start unseen": ("chp.start", 1, 0.0, "chp.started"),
    "a stop unseen": ("chp.stop", 4, 0.0, "chp.stopped"),
    "off too soon": ("chp.on", 2, 0.0, "chp.up_time"),
    "on too soon": ("chp.on", 5, 1.0, "chp.down_time"),
    "hours forgotten": ("chp.hours", 2, 0.0, "chp.hours"),
    "up too fast": ("chp.power", 1, 10.0, "chp.ramp_up"),
    "down too fast": ("chp.power", 3, 10.0, "chp.ramp_down"),
    "fuel unpaid": ("ledger.chp.fuel", 2, 0.0, "chp.fuel"),
    "a start unpaid": ("ledger.chp.start", 1, 0.0, "chp.start"),
    "a reserve without room": ("reserve.share_chp", 2, 9.0, "reserve.room_up_chp"),
    "a reserve while off": ("reserve.share_chp", 5, 1.0, "reserve.room_up_chp"),
    "no room downward": ("reserve.share_chp", 2, 30.0, "reserve.room_down_chp"),
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
    "minimum above rating": ({"power_min": 11}, "power_min", "engine"),
    "more than the fuel": ({"eta_power": 0.6}, "eta_power", "1.2 kWh"),
    "running while off": ({"power_min": 4, "power_initial": 5}, "power_initial", "on_initial is 0"),
    "below its minimum": (
        {"power_min": 4, "on_initial": 1, "power_initial": 2},
        "power_initial",
        "power_min",
    ),
    "on and out of service": (
        {
            "power_max": [10, 0],
            "power_min": 4,
            "on_initial": 1,
            "hours_initial": 1,
            "up_time_min": 4,
        },
        "power_max",
        "up_time_min",
    ),
    "no ratio": ({"power_to_heat": 0}, "power_to_heat", "engine"),
    "no efficiency": ({"eta_power": 1.2}, "eta_power", "engine"),
    "negative rating": ({"power_max": -1}, "power_max", "engine"),
    "negative start cost": ({"start_cost": -1}, "start_cost", "engine"),
    "negative ramp": ({"ramp_up": -1}, "ramp_up", "engine"),
    "negative time": ({"up_time_min": -1}, "up_time_min", "engine"),
    "half a state": ({"on_initial": 0.5}, "on_initial", "engine"),
    "no fuel price": ({"fuel_price": NAN}, "fuel_price", "engine"),
}


@pytest.mark.parametrize(("fields", "field", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_named(fields, field, words):
    """The message names the field, and the plant or the rule."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(None, market([10, 10]), chp=engine(**fields)))
    assert f"chp.{field}" in str(found.value)
    assert words in str(found.value)


def test_a_misspelt_carrier():
    """The message names the field and what was meant."""
    with pytest.raises(SchemaError) as found:
        v2g.check(case(None, market([10]), load=heat(5, carrier="haet")))
    assert "load.carrier" in str(found.value)
    assert "did you mean heat?" in str(found.value)


def test_a_unit_of_ramps(pipeline):
    """0.05 kW/min are 3 kW/h; MW per hour are a thousand of them."""
    site = case(None, market([90, 90]), chp=engine(ramp_up=0.05, power_initial=0))
    site["chp"].ramp_up.attrs["units"] = "kW/min"
    assert row(pipeline(site), "chp.power") == [3, 6]


def test_many_hours_at_once():
    """A day of quarter-hours in waves of 6 h with noise, least times of hours: what has begun
    lasts, and the prices say that without least times it would not."""
    random = np.random.default_rng(4)
    prices = 50 + 40 * np.sin(2 * np.pi * np.arange(96) / 24) + random.uniform(-60, 60, 96)
    free = engine(power_min=8, on_initial=1)
    bound = free | {"up_time_min": 2.5, "down_time_min": 1.75, "hours_initial": 0.5}

    def runs(plant):
        on = np.array(row(v2g.solve(case(None, market(prices), chp=plant, step="15min")), "chp.on"))
        return np.split(on, np.flatnonzero(np.diff(on)) + 1)

    lengths = {state: [len(r) for r in runs(bound)[1:-1] if r[0] == state] for state in (0, 1)}
    assert len(runs(bound)[0]) >= 8 and runs(bound)[0][0] == 1
    assert min(lengths[1]) >= 10 and min(lengths[0]) >= 7
    assert min(len(r) for r in runs(free)) == 1
