"""Fleets and the chargers they share, at half-hours."""

from cases import market, product, vehicle

from part_stories import Broken, Story, half_hours, plus, to

YEAR = 8760.0  # EUR/year that are 1 EUR/h
AGEING = {
    # a segment of 5 kWh costs 40 x 0.5 (0.25 - 0) / 5 = 1 EUR/kWh, the deeper one 3
    "replacement_cost": 40.0,
    "stress_factor": 0.5,
    "stress_exponent": 2.0,
    "segments": 2.0,
    "wear_capacity": 10.0,
}

# 4 kWh: 5 kW bring 0.5 x 0.8 x 5 = 2: 6. Half is kept: 3. 3.2 kW and 0.8 of slack take 2 and 0.5:
# 0.5. 3 leave, of which 2.5 are missing; slack of 0.4 kW brings 0.16, and 1 is needed: 0.84 are
# missing.
# Means of the half-hours: 5, 1.75 and 0.08 of 10 kWh. Segments: 5 and 1, 2.5 and 0.5, then the
# 2.5 that power takes are shallow and the 0.5 of the trip deep.
AGED_CAR = Story(
    half_hours(
        vehicle(
            **AGEING,
            calendar_cost=YEAR,
            calendar_cost_soc=2 * YEAR,
            charge_max=5.0,
            discharge_max=3.2,
            energy_max=6.0,
            energy_initial=4.0,
            keep=[1.0, 0.5, 1.0],
            eta_charge=0.8,
            eta_discharge=0.8,
            energy_out=[0.0, 0.0, 3.0],
            energy_min=[0.0, 0.0, 1.0],
            wear=0.1,
            wear_charge=0.05,
            retail_price=0.3,
            unserved_cost=10.0,
            slack_cost=100.0,
        ),
        market([0.0] * 3),
    ),
    {
        "fleet.charge": [5.0, 0.0, 0.0],
        "fleet.discharge": [0.0, 3.2, 0.0],
        "fleet.slack_in": [0.0, 0.0, 0.4],
        "fleet.slack_out": [0.0, 0.8, 0.0],
        "fleet.unserved_trip": [0.0, 0.0, 2.5],
    },
    cash={
        "fleet.wear": -0.1 * 2,
        "fleet.wear_charge": -0.05 * 2,
        "fleet.drivers": 0.5 * 0.3 * (5 - 3.2),
        "fleet.slack.unserved": -10 * 0.84,
        "fleet.slack.unserved_trip": -10 * 2.5,
        "fleet.slack.balance": -0.5 * 100 * (0.8 + 0.4),
        "fleet.wear_calendar": -(0.5 * 1 * 3 + 0.5 * 2 * (0.5 + 0.175 + 0.008)),
        "fleet.wear_cycles": -(1 * 2.5 + 3 * 0.5),
    },
    broken=(
        Broken(
            "fleet.limit_charge", {"fleet.charge_max": plus(-1)}, 1, also={"fleet.limit_taper": 1}
        ),
        Broken("fleet.limit_discharge", {"fleet.discharge_max": plus(-1)}, 1),
        Broken("fleet.limit_energy", {"fleet.energy_max": plus(-1)}, 1),
        Broken("fleet.need", {"fleet.energy_min": plus(1, time=2)}, 1),
        Broken("fleet.segment_level", {"fleet.segment_energy": plus(1, segment=2, time=2)}, 1),
        Broken("fleet.segment_order", {"fleet.segment_level": plus(1, segment=2, time=2)}, 1),
        Broken(
            "fleet.segment_driven",
            {
                "fleet.trip_passed": plus(0.25, time=2),
                "ledger.fleet.wear_cycles": plus(-3 * 0.25, time=2),
            },
            0.25,
        ),
        Broken(  # a trip of which 0.1 kWh come from the shallow segment, which is empty
            "fleet.segment_at_hand",
            {
                "fleet.segment_energy": to(5.0, 0.0, 0.06, 1.0, 0.5, 0.1),
                "fleet.segment_trip": to(0.0, 0.0, 0.1, 0.0, 0.0, 0.4),
                "fleet.trip_passed": to(0.0, 0.0, 0.0),
                "ledger.fleet.wear_cycles": plus((3 - 1) * 0.1, time=2),
            },
            0.1,
        ),
    ),
)

# 4 kWh are asked for, 5 at the grid; 3 kW bring 1.2 in the half-hour: 2.8, 3.5 at the grid, are
# missing.
BILLED_CAR = Story(
    half_hours(
        vehicle(
            charge_max=3.0,
            eta_charge=0.8,
            energy_min=[4.0, 0.0],
            need_billed=[5.0, 0.0],
            retail_price=0.3,
        ),
        market([0.0, 0.0]),
    ),
    {"fleet.charge": [3.0, 0.0]},
    cash={"fleet.drivers": 0.3 * (5 - 3.5), "fleet.slack.unserved": -10 * 2.8},
)

# 4 and 2 kW for half an hour each are the 3 kWh that the owner lets be discharged.
OWNED_CAR = Story(
    half_hours(
        vehicle(discharge_max=10.0, energy_initial=10.0, allowance=[2.5, 3.0]),
        market([0.0, 0.0]),
    ),
    {"fleet.charge": 0.0, "fleet.discharge": [4.0, 2.0]},
    broken=(
        Broken("fleet.limit_allowance", {"fleet.allowance": plus(-1, time=1)}, 1),
        Broken("fleet.used", {"fleet.used": plus(0.25, time=1)}, 0.25),
    ),
)

# A quarter of an hour of 8 kW is the 2 kWh that the owner lets be discharged.
OWNED_CAR_THAT_ENDURES = Story(
    half_hours(
        vehicle(charge_max=0.0, discharge_max=10.0, energy_initial=10.0, allowance=2.0),
        market([0.0, 0.0]),
        product(
            up=1.0,
            hours_up=0.25,
            guarantee="endurance",
            volume_max=[8.0, 0.0],
            capacity_price=10.0,
        ),
    ),
    {"fleet.discharge": 0.0},
    cash={"reserve.capacity": 0.5 * 0.01 * 8},
    broken=(Broken("reserve.calls_allowance_fleet", {"fleet.allowance": plus(-1, time=0)}, 1),),
)

# Calls of two products of 4 kW each stop the 4 kW drawn once: 4 kW for half an hour are the 2 kWh
# that the owner lets be discharged.
OWNED_CAR_IN_RESERVE = Story(
    half_hours(
        vehicle(discharge_max=10.0, energy_initial=10.0, allowance=2.0),
        market([0.0, 0.0]),
        {
            name: product(up=1.0, guarantee="physical", volume_max=[4.0, 0.0], capacity_price=10.0)
            for name in ("one", "two")
        },
    ),
    {"fleet.charge": [4.0, 0.0], "fleet.discharge": 0.0},
    cash={"reserve.capacity": 0.5 * 0.01 * (4 + 4)},
    broken=(
        Broken("reserve.calls_allowance_fleet", {"fleet.allowance": plus(-1, time=0)}, 1),
        Broken(
            "reserve.charge_stopped_fleet",
            {"reserve.charge_stopped_fleet": plus(1, product="one", time=0)},
            1,
        ),
    ),
)

# 3 kWh are driven in a half-hour that begins with 1: 2 are charged meanwhile, at the deepest price.
PASSING_CAR = Story(
    half_hours(
        vehicle(**AGEING, energy_max=10.0, energy_initial=1.0, energy_out=[0.0, 3.0]),
        market([0.0, 0.0]),
    ),
    {"fleet.charge": [0.0, 8.0]},
    cash={"fleet.wear_cycles": -(1 * 1 + 3 * 2)},
)

# Of 8 kWh the deeper segment holds 3: half a kWh leaves with a car, from the shallow one.
LEAVING_CAR = Story(
    half_hours(
        vehicle(**AGEING, energy_max=10.0, energy_initial=8.0, spill_max=[0.5, 0.0]),
        market([0.0, 0.0]),
    ),
    {"fleet.charge": 0.0, "fleet.spill": [0.5, 0.0]},
    cash={"fleet.wear_cycles": -1 * 0.5},
)

# Nothing is there in the second half-hour: its taper is that of no battery.
TAPER_WITHOUT_BATTERY = Story(
    half_hours(
        vehicle(
            charge_max=[5.0, 0.0],
            taper_from=0.5,
            taper_to=0.0,
            energy_max=[10.0, 0.0],
            keep=[1.0, 0.0],
            retail_price=0.1,
        ),
        market([0.0, 0.0]),
    ),
    {"fleet.charge": [5.0, 0.0]},
    cash={"fleet.drivers": 0.5 * 0.1 * 5},
)

# Half an hour at the least charging power, at the taper and at the limit; the least power back; a
# trip of 2 kWh with one more. Charging ends at 6 of 10 kWh: 1 - (0.6 - 0.5) / 0.5 of 5 kW are 4.
LIMITED_CAR = Story(
    half_hours(
        vehicle(
            charge_max=5.0,
            discharge_max=3.0,
            charge_min=4.0,
            discharge_min=2.0,
            taper_from=0.5,
            taper_to=0.0,
            energy_max=10.0,
            energy_initial=4.0,
            energy_out=[0.0, 0.0, 2.0],
            spill_max=[0.0, 0.0, 1.0],
        ),
        market([0.0] * 3),
    ),
    {
        "fleet.charge": [4.0, 0.0, 0.0],
        "fleet.discharge": [0.0, 2.0, 0.0],
        "fleet.spill": [0.0, 0.0, 1.0],
        "fleet.unserved_trip": 0.0,
    },
    broken=(
        Broken("fleet.balance", {"fleet.energy_initial": plus(1)}, 1),
        Broken("fleet.limit_charge_min", {"fleet.charge_min": plus(1)}, 1),
        Broken("fleet.limit_discharge_min", {"fleet.discharge_min": plus(1)}, 1),
        Broken("fleet.limit_taper", {"fleet.taper_from": plus(-0.3)}, 1.5),  # half of 5 kW
        Broken("fleet.limit_spill", {"fleet.spill_max": plus(-0.5, time=2)}, 0.5),
        Broken(  # 2 kW back and 1 in at once, from a charger with a least power back
            "fleet.limit_discharge_min",
            {
                "fleet.charge": plus(1, time=1),
                "fleet.discharge": plus(1, time=1),
                "fleet.charge_min": plus(-4),
            },
            1,
        ),
    ),
)

# 3 and 4 kW in, then 2 and 1 out, behind one converter; a car that feeds in less than nothing.
SHARED_CHARGER = Story(
    half_hours(
        {
            "one": vehicle(discharge_max=5.0, energy_initial=10.0, charger="hub"),
            "two": vehicle(discharge_max=5.0, energy_initial=10.0, charger="hub"),
            "apart": vehicle(discharge_max=5.0, energy_initial=10.0, charger=""),
        },
        market([0.0, 0.0]),
        charger={"charge_max": 7.0, "discharge_max": 3.0},
    ),
    {
        "fleet.charge": {"one": [3.0, 0.0], "two": [4.0, 0.0], "apart": [9.0, 0.0]},
        "fleet.discharge": {"one": [0.0, 2.0], "two": [0.0, 1.0], "apart": [0.0, 4.0]},
    },
    broken=(
        Broken(
            "charger.charge",
            {"charger.charge_max": plus(-1)},
            1,
            also={"charger.activated_down": 1},
        ),
        Broken(
            "charger.discharge",
            {"charger.discharge_max": plus(-1)},
            1,
            also={"charger.activated_up": 1},
        ),
        Broken(
            "fleet.limit_sign",
            {
                "fleet.charge": plus(-1, fleet="apart", time=1),
                "fleet.discharge": plus(-1, fleet="apart", time=1),
            },
            1,
        ),
    ),
)

# One car draws 3 kW, and 3 more at a converter of 6; then it feeds in 2, and could 3 more. What it
# holds is 3 kW each way in turn.
HOLDING_CHARGER = Story(
    half_hours(
        {
            "ev": vehicle(discharge_max=9.0, charge_max=9.0, energy_initial=20.0, charger="hub"),
            "apart": vehicle(charge_max=0.0, charger=""),
        },
        market([0.0, 0.0]),
        {
            "down": product(down=1.0, capacity_price=5.0, volume_max=[9.0, 0.0]),
            "up": product(up=1.0, capacity_price=5.0, volume_max=[0.0, 9.0]),
        },
        charger={"charge_max": 6.0, "discharge_max": 5.0},
    ),
    {
        "fleet.charge": {"ev": [3.0, 0.0], "apart": [0.0, 0.0]},
        "fleet.discharge": {"ev": [0.0, 2.0], "apart": [0.0, 0.0]},
    },
    cash={"reserve.capacity": 0.5 * 0.005 * (3 + 3)},
    broken=(
        Broken("charger.activated_down", {"charger.charge_max": plus(-1)}, 1),
        Broken("charger.activated_up", {"charger.discharge_max": plus(-1)}, 1),
    ),
)

# 10 kWh, of which 5 leave at the start of the half-hour in which 5 are charged: 5 are there, and
# hold 10 kW for half an hour.
LEAVING_AT_THE_START = Story(
    half_hours(
        vehicle(discharge_max=20.0, energy_initial=10.0, spill_max=[5.0, 0.0]),
        market([0.0, 0.0]),
        product(
            up=1.0,
            hours_up=0.5,
            guarantee="endurance",
            capacity_price=10.0,
            volume_max=[50.0, 0.0],
        ),
    ),
    {"fleet.charge": [10.0, 0.0], "fleet.discharge": 0.0, "fleet.spill": [5.0, 0.0]},
    cash={"reserve.capacity": 0.5 * 0.01 * 10},
    broken=(Broken("reserve.endurance_up_start_fleet", {"reserve.hours_up": plus(0.1)}, 1),),
)

# 10 kWh, 5 leave and 5 more might, 8 are due at the end of the half-hour: before it charges none
# need be there, and 5 are: 10 kW for half an hour. If only 4 might leave, one of the 5 is needed.
MIGHT_LEAVE = Story(
    half_hours(
        vehicle(
            charge_max=30.0,
            discharge_max=30.0,
            energy_initial=10.0,
            energy_out=[5.0, 0.0],
            spill_max=[5.0, 0.0],
            energy_min=[8.0, 0.0],
            unserved_cost=float("nan"),
        ),
        market([0.0, 0.0]),
        product(
            up=1.0,
            hours_up=0.5,
            guarantee="endurance",
            capacity_price=10.0,
            volume_max=[50.0, 0.0],
        ),
    ),
    {"fleet.charge": [20.0, 0.0], "fleet.discharge": 0.0, "fleet.spill": 0.0},
    cash={"reserve.capacity": 0.5 * 0.01 * 10},
    broken=(Broken("reserve.endurance_up_start_fleet", {"fleet.spill_max": plus(-1, time=0)}, 1),),
)
