"""Batteries, loads, sun, engines and hydrogen at half-hours."""

from cases import electrolyser, engine, holding, market, product, storage

from part_stories import Broken, Story, both, half_hours, plus, to

NONE = float("nan")
YEAR = 8760.0  # EUR/year that are 1 EUR/h
AGEING = {
    # a segment of depth costs 40 x 0.5 (0.25 - 0) / 5 = 1 EUR/kWh, the deeper one 3
    "replacement_cost": 40.0,
    "stress_factor": 0.5,
    "stress_exponent": 2.0,
    "segments": 2.0,
    "calendar_cost": YEAR,
    "calendar_cost_soc": 2 * YEAR,
}

# Half of 4 kWh is kept: 2. 8 kW bring 0.5 x 0.9 x 8 = 3.6: 5.6 kWh. Half is kept: 2.8. 3.2 kW take
# 0.5 x 3.2 / 0.8 = 2: 0.8 kWh. Means of the two half-hours: 3.8 and 1.8 of 10 kWh.
AGED_BATTERY = Story(
    half_hours(
        None,
        market([100.0, 50.0], spread=20.0),
        battery=storage(
            **AGEING,
            charge_max=8.0,
            discharge_max=3.2,
            energy_initial=4.0,
            keep=0.5,
            eta_charge=0.9,
            eta_discharge=0.8,
            wear=0.1,
            wear_charge=0.05,
            energy_value=0.3,
            cycles_max=0.3,
            throughput_initial=1.0,
        ),
    ),
    {"battery.charge": [8.0, 0.0], "battery.discharge": [0.0, 3.2]},
    cash={
        "battery.wear": -0.1 * 2,
        "battery.wear_charge": -0.05 * 3.6,
        "battery.energy_left": 0.3 * (0.8 - 4),
        "battery.wear_calendar": -(0.5 * 1 * 2 + 0.5 * 2 * (0.38 + 0.18)),
        "battery.wear_cycles": -1.0 * 2,  # the shallow segment holds 2.5 of the 2.8 kWh
        "energy.energy": 0.5 * (-8 * 0.1 + 3.2 * 0.05),
        "energy.spread": -0.5 * 0.01 * (8 + 3.2),
    },
    broken=(
        Broken("battery.limit_charge", {"battery.charge_max": plus(-1)}, 1),
        Broken("battery.limit_discharge", {"battery.discharge_max": plus(-1)}, 1),
        Broken("battery.limit_energy", {"battery.energy_min": plus(1.8)}, 1.0),
        Broken("battery.cycles", {"battery.cycles_max": plus(-0.1)}, 1),  # 1 + 2 of 10 x 0.2 kWh
        Broken("battery.throughput", {"battery.throughput": plus(1, time=1)}, 1),
        Broken("battery.segment_level", {"battery.segment_energy": plus(1, segment=2, time=1)}, 1),
        Broken("battery.segment_order", {"battery.segment_level": plus(1, segment=2, time=1)}, 1),
        Broken(  # all in the shallow segment, which holds 5 kWh
            "battery.segment_limit", {"battery.segment_energy": to(5.6, 0.8, 0, 0)}, 0.6
        ),
        Broken(  # 2.5 kWh less 2: 0.5 stay in the shallow one
            "battery.segment_entering", {"battery.segment_energy": to(5.0, 0.2, 0.6, 0.6)}, 0.3
        ),
        Broken(
            "battery.segment_leaving",
            {
                "battery.segment_discharge": plus(1, segment=1, time=0),
                "ledger.battery.wear_cycles": plus(-0.5, time=0),
            },
            0.5,
        ),
    ),
)

# 2 kWh, 4 kW for half an hour: 4 kWh, of 2 kW for half an hour 3 are left.
PLAIN_BATTERY = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        battery=storage(energy_max=4.0, energy_initial=2.0, cyclic=1.0, energy_final=3.0),
    ),
    {"battery.charge": [4.0, 0.0], "battery.discharge": [0.0, 2.0]},
    broken=(
        Broken("battery.balance", {"battery.energy_initial": plus(1)}, 1),
        Broken("battery.limit_energy", {"battery.energy_max": plus(-1)}, 1),
        Broken("battery.cyclic", {"battery.energy_final": plus(1)}, 1),
        Broken(
            "battery.limit_sign",
            {"battery.charge": plus(-1, time=1), "battery.discharge": plus(-1, time=1)},
            1,
        ),
        Broken("node.electricity", {"energy.position": plus(1, time=0)}, 1),
    ),
)

# Segments of 2 kWh at 40 x 0.5 x 0.25 / 2 = 2.5 EUR/kWh and 7.5: the circle stands in the shallow
# one, so that it begins empty and the deep one full.
CYCLIC_BATTERY = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        battery=storage(
            **{name: x for name, x in AGEING.items() if not name.startswith("calendar")},
            energy_max=4.0,
            energy_initial=2.0,
            cyclic=1.0,
        ),
    ),
    {"battery.charge": [4.0, 0.0], "battery.discharge": [0.0, 4.0]},
    cash={"battery.wear_cycles": -2.5 * 2},
    broken=(
        Broken("battery.segment_cyclic", {"battery.segment_start": to(0.5, 1.5)}, 0.5),
        Broken(  # what is more at the start does not come back either
            "battery.segment_start",
            {"battery.segment_start": to(0.0, 2.5)},
            0.5,
            also={"battery.segment_cyclic": 0.5, "battery.segment_entering": 0.5},
        ),
    ),
)

# 6 kW: 2 more in the first half-hour and 2 less in the second, and 1 kW curtailed at 1 EUR/kWh,
# half a kWh of 2 that may be.
LOAD = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        load={
            "baseline": [6.0, 6.0],
            "curtail_max": 1.0,
            "curtail_cost": 1.0,
            "curtail_energy_max": 2.0,
            "shift_up_max": 2.0,
            "shift_down_max": 2.0,
        },
    ),
    {"load.power": [7.0, 4.0], "load.curtail": [1.0, 0.0]},
    cash={"load.curtailment": -0.5 * 1 * 1},
    broken=(
        Broken("load.curtail", {"load.curtail_max": plus(-0.5)}, 0.5),
        Broken("load.limit_shift", {"load.shift_up_max": plus(-1)}, 1),
        Broken("load.limit_shift", {"load.shift_down_max": plus(-1)}, 1),
        Broken("load.limit_least", {"load.power_min": plus(5)}, 1),
        Broken("load.curtail_energy", {"load.curtail_energy_max": plus(-1.75)}, 0.25),
        Broken("load.curtailed", {"load.curtailed": plus(1, time=0)}, 1),
        Broken("load.shifted", {"load.advanced": plus(1, time=0)}, 1),
        Broken("load.window", {"load.advanced_initial": plus(1), "load.advanced": plus(1)}, 1),
    ),
)

# 6 kW, then none: a load that feeds in shifts one kW more than it can, and sun makes room for it.
IDLE_LOAD = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        load={"baseline": [6.0, 0.0]},
        renewable={"available": [10.0, 10.0]},
    ),
    {"renewable.curtail": [3.0, 4.0]},
    broken=(
        Broken(
            "load.limit_least",
            {
                "load.shift_up_max": plus(1),
                "load.shift_down_max": plus(1),
                "load.power": both(plus(1, time=0), plus(-1, time=1)),
                "renewable.curtail": both(plus(-1, time=0), plus(1, time=1)),
            },
            1,
        ),
    ),
)

# 10 and 4 kW of sun, 3 curtailed: 7 and 4 fed in at 0.02 EUR/kWh.
SUN = Story(
    half_hours(None, market([0.0, 0.0]), renewable={"available": [10.0, 4.0], "cost": 0.02}),
    {"renewable.curtail": [3.0, 0.0]},
    cash={"renewable.cost": -0.5 * 0.02 * (7 + 4)},
    broken=(
        Broken("renewable.curtail", {"renewable.curtailable": plus(-1)}, 3),
        Broken(
            "renewable.sign",
            {"renewable.available": plus(-1, time=1), "renewable.curtail": plus(-1, time=1)},
            1,
        ),
    ),
)

# Off for half an hour before and half an hour more, then on at 3, 5 and 3 kW, as fast as it may.
ENGINE = Story(
    half_hours(
        None,
        market([0.0] * 5),
        chp=engine(
            power_max=5.0,
            power_min=3.0,
            power_to_heat=0.5,
            eta_power=0.3,
            fuel_price=30.0,
            dump_max=10.0,
            start_cost=2.0,
            up_time_min=1.5,
            down_time_min=1.0,
            ramp_up=4.0,
            ramp_down=4.0,
            hours_initial=0.5,
            power_initial=0.0,
        ),
    ),
    {"chp.power": [0.0, 3.0, 5.0, 3.0, 0.0]},
    cash={"chp.fuel": -0.5 * 0.03 * (3 + 5 + 3) / 0.3, "chp.start": -2.0},
    broken=(
        Broken("chp.limit_power", {"chp.power_max": plus(-1)}, 1),
        Broken("chp.limit_load", {"chp.power_min": plus(1)}, 1),
        Broken("chp.limit_dump", {"chp.dump_max": plus(-1)}, 1),
        Broken("chp.ramp_up", {"chp.ramp_up": plus(-2)}, 1),  # half an hour allows 1 kW of the 2
        Broken("chp.ramp_down", {"chp.ramp_down": plus(-2)}, 1),
        Broken("chp.started", {"chp.start": plus(1, time=0)}, 1),
        Broken("chp.stopped", {"chp.stop": plus(1, time=0)}, 1),
        Broken("chp.up_time", {"chp.up_time_min": plus(1)}, 1),
        Broken("chp.down_time", {"chp.down_time_min": plus(1)}, 1),
        Broken("chp.hours", {"chp.hours": plus(1, time=2)}, 1),
        Broken("node.heat", {"chp.dump": plus(-1, time=1)}, 1),
    ),
)

# It starts and stops at 2 kW, more than its least load: what half an hour of its ramps allows.
RAMPED_ENGINE = Story(
    half_hours(
        None,
        market([0.0] * 3),
        chp=engine(power_min=1.0, ramp_up=4.0, ramp_down=4.0, power_initial=0.0),
    ),
    {"chp.power": [0.0, 2.0, 0.0]},
    cash={"chp.fuel": -0.5 * 0.02 * 2 / 0.4},
    broken=(
        Broken("chp.ramp_up", {"chp.ramp_up": plus(-2)}, 1),
        Broken("chp.ramp_down", {"chp.ramp_down": plus(-2)}, 1),
    ),
)

# One has been on for two hours and stops, one has been off for two and starts: as soon as they may.
SWITCHED_AT_ONCE = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        chp={
            "stops": engine(on_initial=1.0, hours_initial=2.0, up_time_min=2.0, down_time_min=0.5),
            "starts": engine(on_initial=0.0, hours_initial=2.0, up_time_min=0.5, down_time_min=2.0),
        },
    ),
    {
        "chp.power": {"stops": [0.0, 0.0], "starts": [2.0, 2.0]},
        "chp.on": {"stops": [0.0, 0.0], "starts": [1.0, 1.0]},
    },
    cash={"chp.fuel": -2 * 0.5 * 0.02 * 2 / 0.4},
    broken=(
        Broken("chp.up_time", {"chp.up_time_min": plus(1, chp="stops")}, 1),
        Broken("chp.down_time", {"chp.down_time_min": plus(1, chp="starts")}, 1),
    ),
)

# Two engines whose heat is not used: one is switched, for it pays for its start; one is always on.
ENGINES = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        chp={
            "switched": engine(power_to_heat=float("inf"), start_cost=1.0, fuel_price=0.0),
            "free": engine(power_to_heat=float("inf"), start_cost=0.0, fuel_price=0.0),
        },
    ),
    {"chp.power": 2.0},
    cash={"chp.start": -1.0},
    broken=(
        Broken(
            "chp.state",
            {
                "chp.on": plus(-0.5, chp="switched", time=1),
                "chp.stop": plus(0.5, chp="switched", time=1),
            },
            0.5,
        ),
        Broken(
            "chp.limit_sign",
            {"chp.power": plus(-3, chp="free", time=1)},
            1,
            also={"chp.limit_load": 1, "node.electricity": 3},
        ),
    ),
)

# On at 4 kW, in standby, on at 8, off: half of the tank is kept each time.
# 1 kWh: 0.5 + 0.5 (2 - 1) = 1, then 0.5, 0.25 + 0.5 (4 - 2) = 1.25, 0.625 - 0.5 x 0.05 / 0.5 =
# 0.575.
HYDROGEN = Story(
    half_hours(
        None,
        market([0.0] * 4),
        hydrogen={
            "plant": electrolyser(
                electrolyser_max=8.0,
                electrolyser_min=4.0,
                standby_power=0.2,
                wear=1.2,
                wear_standby=0.4,
                wear_start=3.0,
                fuel_cell_max=0.05,
                eta_fuel_cell=0.5,
                energy_max=1.25,
                energy_initial=1.0,
                keep=0.5,
                energy_value=0.8,
                cyclic=1.0,
                energy_final=0.575,
                sale_price=[0.3, 0.0, 0.3, 0.3],
                sale_max=2.0,
            ),
            "idle": electrolyser(
                electrolyser_max=1.0, standby_power=0.0, sale_price=0.0, energy_final=0.0
            ),
        },
    ),
    {
        "hydrogen.electrolysis": {"plant": [4.0, 0.0, 8.0, 0.0], "idle": [0.0] * 4},
        "hydrogen.generation": {"plant": [0.0, 0.0, 0.0, 0.05], "idle": [0.0] * 4},
        "hydrogen.sold": {"plant": [1.0, 0.0, 2.0, 0.0], "idle": [0.0] * 4},
        "hydrogen.on": {"plant": [1.0, 0.0, 1.0, 0.0], "idle": [0.0] * 4},
        "hydrogen.standby": {"plant": [0.0, 1.0, 0.0, 0.0], "idle": [0.0] * 4},
    },
    cash={
        "hydrogen.sale": 0.5 * 0.3 * (1 + 2),
        "hydrogen.wear": -0.5 * 1.2 * 2,
        "hydrogen.wear_standby": -0.5 * 0.4,
        "hydrogen.wear_start": -3.0,
        "hydrogen.energy_left": 0.8 * (0.575 - 1),
    },
    broken=(
        Broken(
            "hydrogen.limit_electrolyser",
            {"hydrogen.electrolyser_max": plus(-1, hydrogen="plant")},
            1,
        ),
        Broken("hydrogen.limit_load", {"hydrogen.electrolyser_min": plus(1, hydrogen="plant")}, 1),
        Broken(
            "hydrogen.limit_fuel_cell",
            {"hydrogen.fuel_cell_max": plus(-0.05, hydrogen="plant")},
            0.05,
        ),
        Broken("hydrogen.limit_sold", {"hydrogen.sale_max": plus(-1, hydrogen="plant")}, 1),
        Broken(
            "hydrogen.limit_sign",
            {
                "hydrogen.sold": both(
                    plus(-1, hydrogen="plant", time=1), plus(1, hydrogen="idle", time=1)
                )
            },
            1,
        ),
        Broken(
            "hydrogen.limit_energy", {"hydrogen.energy_max": plus(-0.25, hydrogen="plant")}, 0.25
        ),
        Broken(
            "hydrogen.limit_energy", {"hydrogen.energy_min": plus(0.55, hydrogen="plant")}, 0.05
        ),
        Broken("hydrogen.cyclic", {"hydrogen.energy_final": plus(0.5, hydrogen="plant")}, 0.5),
        Broken(
            "hydrogen.state",
            {
                "hydrogen.on": plus(0.5, hydrogen="idle", time=0),
                "hydrogen.start": plus(0.5, hydrogen="idle", time=0),
            },
            0.5,
        ),
        Broken(
            "hydrogen.one_state",
            {
                "hydrogen.on": both(
                    plus(1, hydrogen="idle", time=0), plus(1, hydrogen="idle", time=1)
                ),
                "hydrogen.start": plus(1, hydrogen="idle", time=0),
                "hydrogen.standby": plus(1, hydrogen="idle", time=1),
            },
            1,
        ),
        Broken("hydrogen.standby", {"hydrogen.standby": plus(1, hydrogen="idle", time=0)}, 1),
        Broken("node.hydrogen", {"hydrogen.sold": plus(1, hydrogen="plant", time=1)}, 1),
        Broken("hydrogen.started", {"hydrogen.start": plus(1, hydrogen="idle", time=0)}, 1),
    ),
)

# A quarter of 10 kW in and 4 kW out, 1 kW missing; a whole plan of 2 kW, 0.5 kW too much: 3.5 + 1.5
# and 0 + 1.5 kW are sold, and of 4 kW held a quarter.
SITES = Story(
    lambda: holding(
        half_hours(
            None,
            market([100.0, 50.0]),
            product(up=1, capacity_price=10.0),
            flexibility={
                "sun": {"traded": [10.0, -4.0], "own_cash": -1.0, "pod": "roof"},
                "rest": {"traded": [0.0, 0.0], "pod": "roof"},
                "idle": {"traded": [0.0, 0.0], "pod": "roof"},
                "engine": {"traded": [2.0, 2.0], "own_cash": 0.5, "pod": "hall", "whole": 1.0},
            },
        )(),
        {"sun": {"regulation": 4.0}},
    ),
    {
        "flexibility.weight": {"sun": 0.25, "rest": 0.75, "idle": 0.0, "engine": 1.0},
        "flexibility.missing": {"sun": 1.0, "rest": 0.0, "idle": 0.0, "engine": 0.0},
        "flexibility.excess": {"sun": 0.0, "rest": 0.0, "idle": 0.0, "engine": 0.5},
    },
    cash={
        "flexibility.own": -0.25 + 0.5,
        "flexibility.slack.missing": -0.5 * 3 * (1 + 0.5) * 2,
        "energy.energy": 0.5 * (0.1 * (3.5 + 1.5) + 0.05 * (0.0 + 1.5)),
        "reserve.capacity": 0.5 * 0.01 * 1 * 2,
    },
    broken=(
        Broken("flexibility.mix", {"flexibility.weight": plus(0.25, plan="rest")}, 0.25),
        Broken(
            "flexibility.weight",
            {"flexibility.weight": both(plus(0.5, plan="rest"), plus(-0.5, plan="idle"))},
            0.5,
        ),
        Broken("flexibility.whole", {"flexibility.whole": plus(1, plan="rest")}, 0.25),
        Broken(
            "flexibility.sign",
            {
                "flexibility.missing": both(plus(-1, plan="rest"), plus(1, plan="idle")),
                "ledger.flexibility.slack.missing": both(
                    plus(1.5, plan="rest"), plus(-1.5, plan="idle")
                ),
            },
            1,
        ),
        Broken("reserve.offered_flexibility", {"flexibility.held": plus(-2, plan="sun")}, 0.5),
    ),
)
