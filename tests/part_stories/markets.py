"""Energy markets, imbalance, reserves and contracts at half-hours."""

from cases import electrolyser, engine, market, product, storage, vehicle

from part_stories import Broken, Story, both, half_hours, plus, to

NONE = float("nan")

# 2 kW were sold before; 5 and 1 kW of sun: 3 more are sold, then 1 bought back.
TRADED_FURTHER = Story(
    half_hours(
        None,
        market([100.0, 60.0], limit=5.0, spread=20.0, committed=2.0),
        renewable={"available": [5.0, 1.0], "curtailable": 0.0},
    ),
    {},
    cash={
        "energy.energy": 0.5 * (0.1 * 5 + 0.06 * 1),
        "energy.spread": -0.5 * 0.01 * ((3 + 2) + (1 + 2)),
    },
    broken=(
        Broken("energy.limit", {"energy.limit": plus(-1)}, 1),
        Broken("energy.block", {"energy.block": plus(1)}, 4),  # 5 and 1 kW in one hour
        Broken("energy.committed", {"energy.closed": plus(1, time=0)}, 3),
        Broken(
            "energy.split",
            {"energy.sold": plus(1, time=0), "ledger.energy.spread": plus(-0.005, time=0)},
            1,
        ),
    ),
)

# Sold at 100 and bought at 50 as far as the limits go, with 4 kW of sun and 3 of a house: on paper.
ON_PAPER = Story(
    half_hours(
        None,
        {
            "dear": market(100.0, limit=10.0, virtual_bidding=1.0),
            "cheap": market([50.0, 50.0], limit=10.0, spread=2.0),
        },
        renewable={"available": [4.0, 4.0], "curtailable": 0.0},
        load={"baseline": 3.0},
    ),
    {},
    cash={
        "energy.energy": 2 * 0.5 * (0.1 * 10 - 0.05 * 9),
        "energy.spread": -2 * 0.5 * 0.001 * 9,
    },
    broken=(
        Broken(
            "energy.backed_sales",
            {"energy.virtual_bidding": plus(-1)},
            6,
            also={"energy.backed_purchases": 6},
        ),
    ),
)


def committed(sale, **more):
    """Yesterday 6 kW were traded, and 4 more of them at two gates that are open; 4 kW flow."""
    flows = {"available": [4.0, 4.0], "curtailable": 0.0} if sale > 0 else None
    house = None if sale > 0 else {"baseline": [4.0, 4.0]}
    return half_hours(
        None,
        {
            "yesterday": market(
                0.0, closed=1.0, committed=6.0 * sale, limit=10.0, virtual_bidding=1.0
            ),
            "now": market([100.0 * sale, 100.0 * sale], limit=3.0, spread=2.0, **more),
            "later": market(100.0 * sale, limit=1.0),
        },
        renewable=flows,
        load=house,
        imbalance={"price_long": 0.0, "limit": 9.0},
    )


# 10 kW are sold in all; of the 6, the open gates could buy back 4: 10 - 2 - 4 are backed by
# nothing. With 4 kW of sun 6 are missing, which no plan may leave to the imbalance.
COMMITTED_SALE = Story(
    committed(1.0),
    {},
    cash={
        "imbalance.settlement": 0.0,
        "energy.energy": 2 * 0.5 * 0.1 * 4,
        "energy.spread": -2 * 0.5 * 0.001 * 3,
    },
    broken=(
        Broken(
            "energy.backed_net_sales",
            {"energy.virtual_bidding": plus(-1)},
            4,
            also={"imbalance.backed": 6},
        ),
    ),
)
COMMITTED_PURCHASE = Story(
    committed(-1.0),
    {},
    cash={"energy.energy": 2 * 0.5 * 0.1 * 4, "energy.spread": -2 * 0.5 * 0.001 * 3},
    broken=(
        Broken(
            "energy.backed_net_purchases",
            {"energy.virtual_bidding": plus(-1)},
            4,
            also={"imbalance.backed": 6},
        ),
    ),
)

# 10 kW are bought at 50 for a house of 3, once its load is known: 7 are left over at 80.
ON_THE_SPREAD = Story(
    half_hours(
        None,
        market([50.0, 50.0], limit=10.0, first_stage=0.0, virtual_bidding=1.0),
        load={"baseline": 3.0},
        imbalance={"price_long": 80.0, "limit": 9.0},
    ),
    {},
    cash={"energy.energy": -2 * 0.5 * 0.05 * 10, "imbalance.settlement": 2 * 0.5 * 0.08 * 7},
    broken=(Broken("imbalance.backed_each", {"energy.virtual_bidding": plus(-1)}, 7),),
)


def beyond_all(price):
    """A house of 3 or of 5 kW; a surplus earns 20, a shortage costs 60; bids may be virtual."""
    return half_hours(
        None,
        market([price, price], limit=10.0, virtual_bidding=1.0),
        load={"house": {"baseline": {"low": [3.0, 3.0], "high": [5.0, 5.0]}}},
        imbalance={"price_long": 20.0, "price_short": 60.0, "limit": 20.0},
        scenarios={"low": 0.5, "high": 0.5},
    )


# 10 kW are sold at 100, though 13 are then missing at best; or bought at 10, 5 more than ever used.
SOLD_BEYOND_ALL = Story(
    beyond_all(100.0),
    {},
    cash={"energy.energy": 2 * 0.5 * 0.1 * 10, "imbalance.settlement": -2 * 0.5 * 0.06 * 14},
    broken=(Broken("imbalance.sale_met", {"energy.virtual_bidding": plus(-1)}, 13),),
)
BOUGHT_BEYOND_ALL = Story(
    beyond_all(10.0),
    {},
    cash={"energy.energy": -2 * 0.5 * 0.01 * 10, "imbalance.settlement": 2 * 0.5 * 0.02 * 6},
    broken=(Broken("imbalance.purchase_met", {"energy.virtual_bidding": plus(-1)}, 5),),
)

# 2 kW of sun that nobody bought, 3 of a house that nobody sold: 50 for the one, 80 for the other.
IMBALANCE = Story(
    half_hours(
        None,
        market([0.0, 0.0], limit=0.0),
        renewable={"available": [2.0, 0.0], "curtailable": 0.0},
        load={"baseline": [0.0, 3.0]},
        imbalance={"price_long": 50.0, "price_short": 80.0, "limit": 3.0},
    ),
    {},
    cash={"imbalance.settlement": 0.5 * (0.05 * 2 - 0.08 * 3)},
    broken=(
        Broken("imbalance.limit", {"imbalance.limit": plus(-1)}, 1),
        Broken(
            "imbalance.both",
            {
                "imbalance.long": plus(1, time=0),
                "imbalance.short": plus(1, time=0),
                "ledger.imbalance.settlement": plus(0.5 * (0.05 - 0.08), time=0),
            },
            1,
        ),
        Broken(
            "imbalance.sign",
            {
                "imbalance.long": plus(-1, time=1),
                "imbalance.short": plus(-1, time=1),
                "ledger.imbalance.settlement": plus(0.5 * (0.08 - 0.05), time=1),
            },
            1,
        ),
    ),
)
IMBALANCE_ONE_PRICE = Story(
    half_hours(
        None,
        market([0.0, 0.0], limit=0.0),
        load={"baseline": [0.0, 3.0]},
        imbalance={"price_long": 50.0, "limit": 3.0},
    ),
    {},
    cash={"imbalance.settlement": -0.5 * 0.05 * 3},
)

# 10 kW were promised, 4 can be held and 6 are missing; downward 3 kW, then 2, of which a fifth is
# called: 0.8 of it needs room downward, 0.2 upward.
# 4 kW are offered at 20 EUR/MW/h for an hour, and accepted in a quarter of the cases: then a fifth
# of them is called up, at 40 EUR/MWh, which the market delivers at 50.
REFUSED = Story(
    half_hours(
        None,
        market([50.0, 50.0]),
        product(
            up=1.0,
            capacity_price=20.0,
            activation_up=0.2,
            activation_price_up=40.0,
            accept_probability=0.25,
            volume_max=4.0,
        ),
        battery={"box": storage(energy_initial=5.0)},
    ),
    {"battery.charge": 0.0, "battery.discharge": 0.0, "reserve.volume": 4.0},
    cash={
        "reserve.capacity": 0.02 * 4,
        "reserve.acceptance": -0.75 * 0.02 * 4,
        "reserve.activation": 0.25 * 0.2 * 0.04 * 4,
        "energy.energy": -0.25 * 0.2 * 0.05 * 4,
    },
)

PROMISED = Story(
    half_hours(
        None,
        market([50.0, 50.0]),
        {
            "firm": product(
                up=1.0,
                capacity_price=20.0,
                committed=10.0,
                closed=1.0,
                shortfall_price=300.0,
                activation_price_down=40.0,
            ),
            "down": product(
                down=1.0,
                capacity_price=5.0,
                activation_down=0.2,
                activation_price_down=40.0,
                volume_max=[3.0, 2.0],
            ),
            "none": product(up=1.0, volume_max=0.0, activation_price_down=40.0),
        },
        battery={
            "box": storage(charge_max=[2.4, 1.6], discharge_max=[4.6, 4.4], energy_initial=5.0),
            "spare": storage(charge_max=0.0, discharge_max=0.0),
        },
    ),
    {
        "battery.charge": 0.0,
        "battery.discharge": 0.0,
        "reserve.volume": {"firm": [10.0, 10.0], "down": [3.0, 2.0], "none": [0.0, 0.0]},
    },
    cash={
        "reserve.capacity": 0.5 * (2 * 0.02 * 10 + 0.005 * (3 + 2)),
        "reserve.activation": -0.5 * 0.2 * 0.04 * (3 + 2),
        "reserve.shortfall": -2 * 0.5 * 0.3 * 6,
        "energy.energy": 0.5 * 0.05 * 0.2 * (3 + 2),
    },
    broken=(
        Broken("reserve.room_up_battery", {"battery.discharge_max": plus(-1, battery="box")}, 1),
        Broken("reserve.room_down_battery", {"battery.charge_max": plus(-1, battery="box")}, 1),
        Broken(
            "reserve.sign_battery",
            {
                "reserve.share_battery": both(
                    plus(-1, product="firm", battery="spare"),
                    plus(1, product="firm", battery="box"),
                ),
                "battery.discharge_max": plus(1, battery="box"),
            },
            1,
        ),
        Broken("reserve.failing", {"reserve.closed": plus(-1, product="firm")}, 6),
        Broken(
            "reserve.allocation",
            {"reserve.share_battery": plus(-1, product="firm", battery="box", time=0)},
            1,
        ),
        Broken("reserve.volume", {"reserve.volume_max": plus(-1, product="down")}, 1),
        Broken(
            "reserve.sign",
            {
                "reserve.volume": plus(-1, product="none"),
                "reserve.share_battery": plus(-1, product="none", battery="box"),
            },
            1,
            also={"reserve.sign_battery": 1},
        ),
        Broken("reserve.block", {"reserve.block": plus(1, product="down")}, 1),
        Broken(
            "reserve.committed",
            {"reserve.committed": plus(-1, product="firm")},
            1,
            also={"reserve.volume": 1},
        ),
        Broken("reserve.minimum_bid", {"reserve.minimum_bid": plus(5, product="down")}, 2),
        Broken("reserve.step", {"reserve.step": plus(2, product="down")}, 1),
    ),
)


def planned_later(sale):
    """6 kW flow for the 6 of before; 3 more are traded now, and 3 back at a gate of later."""
    flows = {"available": [6.0, 6.0], "curtailable": 0.0} if sale > 0 else None
    house = None if sale > 0 else {"baseline": [6.0, 6.0]}
    gates = {
        "yesterday": market(0.0, closed=1.0, committed=6.0 * sale, executed=0.0, limit=10.0),
        "now": market(100.0 * sale, limit=3.0, executed=1.0, spread=2.0),
        "later": market([90.0 * sale] * 2, limit=3.0, executed=0.0, spread=2.0),
    }
    gates["yesterday"] |= {"virtual_bidding": 1.0}
    return half_hours(None, gates, renewable=flows, load=house)


# What holds now is 9 kW, and 6 are there: the 3 that are only planned back nothing.
SOLD_NOW = Story(
    planned_later(1.0),
    {},
    cash={"energy.energy": 2 * 0.5 * (0.1 * 3 - 0.09 * 3), "energy.spread": -2 * 0.5 * 0.001 * 6},
    broken=(Broken("energy.backed_now_sales", {"energy.virtual_bidding": plus(-1)}, 3),),
)
BOUGHT_NOW = Story(
    planned_later(-1.0),
    {},
    cash={"energy.energy": 2 * 0.5 * (0.1 * 3 - 0.09 * 3), "energy.spread": -2 * 0.5 * 0.001 * 6},
    broken=(Broken("energy.backed_now_purchases", {"energy.virtual_bidding": plus(-1)}, 3),),
)


def backed_by_energy(rising, part="battery"):
    """4 kW up and 5 down in the second half-hour, behind a storage whose baseline moves in it; a
    fifth of the 4 is called.

    Falling, 1.6 kW take 0.5 x 1.6 / 0.8 = 1 of 3.5 kWh; the end bounds upward, the start downward.
    Rising, 2.5 kW bring 0.5 x 2.5 x 0.8 = 1 to 2.5 kWh; the start bounds upward, the end downward.
    """
    start, power = (2.5, -2.5) if rising else (3.5, 1.6)
    up = product(up=1.0, hours_up=0.5, excursion_up=0.625, activation_up=0.2, capacity_price=10.0)
    down = product(down=1.0, hours_down=0.5, excursion_down=0.4, capacity_price=10.0)
    held = {"guarantee": "endurance", "activation_price_up": 0.0}
    own = {
        "charge_max": 5.0 - power,
        "discharge_max": 4.0 + power,
        "energy_initial": start,
        "energy_max": 5.5,
        "eta_charge": 0.8,
        "eta_discharge": 0.8,
    }
    products = {
        "up": up | held | {"volume_max": [0.0, 4.0]},
        "down": down | held | {"volume_max": [0.0, 5.0]},
    }
    prices = market([0.0, 0.0])
    given = (
        half_hours(vehicle(**own), prices, products)
        if part == "fleet"
        else half_hours(None, prices, products, battery=storage(**own))
    )
    moved = power + 0.8
    return given, {
        f"{part}.charge_baseline": [0.0, max(-power, 0.0)],
        f"{part}.discharge_baseline": [0.0, max(power, 0.0)],
        f"{part}.charge": [0.0, max(-moved, 0.0)],
        f"{part}.discharge": [0.0, max(moved, 0.0)],
    }


def on_board(rising, part="battery"):
    """Which edge bounds each direction: 0.2 h more are 1 kWh upward, 0.25 h downward."""
    up, down = ("start", "end") if rising else ("end", "start")
    return (
        Broken(
            f"reserve.endurance_up_{up}_{part}", {"reserve.hours_up": plus(0.2, product="up")}, 1
        ),
        Broken(
            f"reserve.endurance_down_{down}_{part}",
            {"reserve.hours_down": plus(0.25, product="down")},
            1,
        ),
        Broken(
            f"reserve.excursion_up_{up}_{part}",
            {"reserve.excursion_up": plus(0.25, product="up")},
            1,
        ),
        Broken(
            f"reserve.excursion_down_{down}_{part}",
            {"reserve.excursion_down": plus(0.2, product="down")},
            1,
        ),
    )


FALLING = Story(
    *backed_by_energy(rising=False),
    cash={"reserve.capacity": 0.5 * 0.01 * (4 + 5)},
    broken=(
        *on_board(rising=False),
        Broken("battery.balance_baseline", {"battery.baseline_initial": to(4.5)}, 1),
        Broken(
            "reserve.baseline_battery",  # 0.8 kW out and 1.25 in take nothing from it
            {
                "battery.discharge_baseline": plus(0.8, time=0),
                "battery.charge_baseline": plus(1.25, time=0),
            },
            0.45,
        ),
    ),
)
RISING = Story(*backed_by_energy(rising=True), broken=on_board(rising=True))
FALLING_CAR = Story(
    *backed_by_energy(rising=False, part="fleet"),
    cash={"reserve.capacity": 0.5 * 0.01 * (4 + 5)},
    broken=on_board(rising=False, part="fleet"),
)
RISING_CAR = Story(
    *backed_by_energy(rising=True, part="fleet"), broken=on_board(rising=True, part="fleet")
)

# 4 kWh of at most 5 are in the tank, of which 2 are sold: there is room for 1 at first. 4 kW more
# for half an hour are 1 kWh of hydrogen.
FULL_TANK = Story(
    half_hours(
        None,
        market([0.0]),
        product(down=1.0, hours_down=0.5, guarantee="endurance", capacity_price=10.0),
        hydrogen=electrolyser(
            electrolyser_max=6.0, energy_max=5.0, energy_initial=4.0, sale_price=0.0
        ),
    ),
    {"hydrogen.electrolysis": 0.0, "hydrogen.sold": 4.0},
    cash={"reserve.capacity": 0.5 * 0.01 * 4},
    broken=(Broken("reserve.endurance_down_start_hydrogen", {"reserve.hours_down": plus(0.5)}, 1),),
)
# 1 kWh is in it, and 2 are made: the fuel cell of 2 kW takes 1 in a quarter-hour.
EMPTY_TANK = Story(
    half_hours(
        None,
        market([0.0]),
        product(up=1.0, hours_up=0.25, guarantee="endurance", capacity_price=10.0, volume_max=2.0),
        hydrogen=electrolyser(
            electrolyser_max=8.0,
            fuel_cell_max=2.0,
            eta_fuel_cell=0.5,
            energy_max=5.0,
            energy_initial=1.0,
            sale_max=0.0,
        ),
    ),
    {"hydrogen.electrolysis": 8.0, "hydrogen.generation": 0.0},
    cash={"reserve.capacity": 0.5 * 0.01 * 2},
    broken=(Broken("reserve.endurance_up_start_hydrogen", {"reserve.hours_up": plus(0.25)}, 1),),
)

# 1 kWh is in it, and 2 are made: at last there is room for 1.
FILLED_TANK = Story(
    half_hours(
        None,
        market([0.0]),
        product(down=1.0, hours_down=0.5, guarantee="endurance", capacity_price=10.0),
        hydrogen=electrolyser(
            electrolyser_max=30.0, energy_max=4.0, energy_initial=1.0, sale_max=0.0
        ),
    ),
    {"hydrogen.electrolysis": 8.0},
    cash={"reserve.capacity": 0.5 * 0.01 * 4},
    broken=(Broken("reserve.endurance_down_end_hydrogen", {"reserve.hours_down": plus(0.5)}, 1),),
)

# One half-hour in which nothing comes of the 3 kWh that are due in it.
ONE_STEP = Story(
    half_hours(
        None,
        market([0.0]),
        ppa={
            "strike": 0.0,
            "volume_type": "baseload",
            "baseload": 0.0,
            "contracted": 3.0,
            "shortfall_price": 10.0,
            "period": "horizon",
        },
    ),
    {},
    cash={"ppa.shortfall": -0.010 * 3},
)

# Every kW of room is sold: 5 up and 3 down by the plant of hydrogen, 3 and 3 by the engine, 2 and 4
# by the sun, 2 and 1 by the house, 7 and 4 by the car, 3 and 2 by the battery. Heat is no reserve,
# nor is what may have been put off.
EVERY_ROOM = Story(
    half_hours(
        vehicle(charge_max=7.0, discharge_max=4.0),
        market([0.0, 0.0]),
        {
            "up": product(up=1.0, capacity_price=10.0),
            "down": product(down=1.0, capacity_price=10.0),
        },
        battery=storage(charge_max=3.0, discharge_max=2.0),
        load={
            "house": {"baseline": [5.0, 5.0], "curtail_max": 3.0},
            "rooms": {"baseline": 5.0, "curtail_max": 2.0, "carrier": "heat"},
            "moving": {"baseline": 2.0, "curtail_max": 2.0, "shift_down_max": 1.0},
        },
        renewable={"available": 6.0},
        chp=engine(power_max=8.0, power_min=2.0),
        hydrogen=electrolyser(
            electrolyser_max=6.0,
            electrolyser_min=1.0,
            fuel_cell_max=3.0,
            eta_fuel_cell=0.5,
            sale_max=0.0,
        ),
    ),
    {
        "fleet.charge": 3.0,
        "fleet.discharge": 0.0,
        "battery.charge": 1.0,
        "battery.discharge": 0.0,
        "load.curtail": {"house": [1.0, 1.0], "rooms": [0.0, 0.0], "moving": [0.0, 0.0]},
        "renewable.curtail": 2.0,
        "chp.power": 5.0,
        "hydrogen.electrolysis": 4.0,
        "hydrogen.generation": 1.0,
    },
    cash={"reserve.capacity": 2 * 0.5 * 0.01 * (5 + 3 + 2 + 2 + 7 + 3 + 3 + 3 + 4 + 1 + 4 + 2)},
    broken=(
        *(
            Broken(  # a kW more is held here, and one less there
                f"reserve.room_{way}_{asset}",
                {
                    f"reserve.share_{asset}": plus(1, product=way, **member),
                    f"reserve.share_{other}": plus(-1, product=way),
                },
                1,
            )
            for way in ("up", "down")
            for asset, other, member in (
                ("fleet", "renewable", {}),
                ("battery", "fleet", {}),
                ("load", "fleet", {"load": "house"}),
                ("load", "fleet", {"load": "rooms"}),
                ("load", "fleet", {"load": "moving"}),
                ("renewable", "fleet", {}),
                ("chp", "fleet", {}),
                ("hydrogen", "fleet", {}),
            )
        ),
    ),
)


def called(way, **fields):
    """16 kWh of which half is kept each time, or none with room for 4: calls at 6 and 5 kW leave
    0.5 x 0.5 x 6 + 0.5 x 5 = 4 at the end of the second half-hour.
    """
    energy = {"energy_initial": 16.0, "energy_max": 16.0} if way == "up" else {"energy_max": 4.0}
    return half_hours(
        None,
        market([0.0, 0.0]),
        product(**{way: 1.0}, guarantee="box", volume_max=[6.0, 5.0], capacity_price=10.0),
        battery=storage(keep=0.5, **energy),
    )


IDLE = {"battery.charge": 0.0, "battery.discharge": 0.0}
CALLED_UP = Story(
    called("up"),
    IDLE,
    cash={"reserve.capacity": 0.5 * 0.01 * (6 + 5)},
    broken=(Broken("reserve.calls_up_battery", {"battery.energy_min": plus(1)}, 1),),
)
CALLED_DOWN = Story(
    called("down"),
    IDLE,
    cash={"reserve.capacity": 0.5 * 0.01 * (6 + 5)},
    broken=(Broken("reserve.calls_down_battery", {"battery.energy_max": plus(-1)}, 1),),
)

# Two full half-hours in any three, of 8 kWh: 8 kW in each.
BUDGETED = Story(
    half_hours(
        None,
        market([0.0] * 3),
        product(
            up=1.0,
            guarantee="budget",
            activation_period=1.0,
            activation_cycle=1.5,
            capacity_price=10.0,
        ),
        battery=storage(energy_initial=8.0),
    ),
    IDLE,
    cash={"reserve.capacity": 3 * 0.5 * 0.01 * 8},
    broken=(Broken("reserve.calls_up_battery", {"battery.energy_min": plus(1)}, 1),),
)

# 4 kW are drawn, which calls of two products of 4 kW each stop once: 2 x 4 / 0.8 - 0.45 x 4 = 8.2
# kW for half an hour are all of the 2.5 + 1.6 kWh.
SHARED_CHARGING = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        {
            name: product(up=1.0, guarantee="physical", volume_max=[4.0, 0.0], capacity_price=10.0)
            for name in ("one", "two")
        },
        battery=storage(energy_initial=2.5, eta_charge=0.8, eta_discharge=0.8),
    ),
    {"battery.charge": [4.0, 0.0], "battery.discharge": 0.0},
    cash={"reserve.capacity": 0.5 * 0.01 * (4 + 4)},
    broken=(
        Broken("reserve.calls_up_battery", {"battery.energy_min": plus(1)}, 1),
        Broken(
            "reserve.charge_share_battery",
            {"reserve.charge_share_battery": plus(1, product="one", time=0)},
            1,
        ),
    ),
)

# The baseline charges 2 kW, of which calls leave nothing: it stays at 4 kWh while the plan falls to
# 1. It may flow both ways at the limits of either: without losses nothing else changes.
TWO_PATHS = Story(
    half_hours(
        None,
        market([0.0] * 4),
        product(
            up=1.0,
            activation_up=0.5,
            activation_price_up=0.0,
            guarantee="endurance",
            volume_max=[4.0, 4.0, 4.0, 0.0],
            capacity_price=10.0,
        ),
        battery=storage(
            charge_max=[9.0, 9.0, 9.0, 3.0],
            discharge_max=[9.0, 9.0, 9.0, 5.0],
            energy_initial=3.0,
            energy_max=4.0,
        ),
    ),
    {
        "battery.charge": 0.0,
        "battery.discharge": [0.0, 2.0, 2.0, 0.0],
        "battery.charge_baseline": [2.0, 0.0, 0.0, 0.0],
        "battery.discharge_baseline": 0.0,
    },
    cash={"reserve.capacity": 0.5 * 0.01 * 12},
    broken=(
        Broken("battery.balance_baseline", {"battery.baseline_initial": to(4.0)}, 1),
        Broken("battery.limit_energy_baseline", {"battery.energy_max": plus(-1)}, 1),
        Broken(
            "battery.limit_charge_baseline",
            {
                "battery.charge_baseline": plus(4, time=3),
                "battery.discharge_baseline": plus(4, time=3),
            },
            1,
        ),
        Broken(
            "battery.limit_discharge_baseline",
            {
                "battery.charge_baseline": plus(6, time=3),
                "battery.discharge_baseline": plus(6, time=3),
                "battery.charge_max": plus(3, time=3),
            },
            1,
        ),
        Broken(
            "battery.limit_sign_baseline",
            {
                "battery.charge_baseline": plus(-1, time=3),
                "battery.discharge_baseline": plus(-1, time=3),
            },
            1,
        ),
    ),
)

TWO = {"low": 0.75, "high": 0.25}
# Sun at 0.015 EUR/kWh is sold at 20 EUR/MWh, and not at 10.
BY_PRICE = Story(
    half_hours(
        None,
        market({"low": [10.0, 10.0], "high": [20.0, 20.0]}, bid="curve"),
        renewable={"available": 3.0, "cost": 0.015},
        scenarios=TWO,
    ),
    {},
    cash={
        "energy.energy": 0.25 * 2 * 0.5 * 0.02 * 3,
        "renewable.cost": -0.25 * 2 * 0.5 * 0.015 * 3,
    },
    broken=(Broken("energy.curve", {"energy.price": plus(20, scenario="low")}, 3),),
)
# Decided once the scenario is known: 3 kW and 4 kW of reserve in one of them, nothing in the other.
KNOWN = Story(
    half_hours(
        None,
        market({"low": [10.0, 10.0], "high": [20.0, 20.0]}, first_stage=0.0),
        product(
            up=1.0,
            first_stage=0.0,
            capacity_price={"low": [-1.0, -1.0], "high": [5.0, 5.0]},
        ),
        renewable={"available": 3.0, "cost": 0.015},
        battery=storage(charge_max=0.0, discharge_max=4.0),
        scenarios=TWO,
    ),
    {"battery.discharge": 0.0},
    cash={
        "energy.energy": 0.25 * 2 * 0.5 * 0.02 * 3,
        "reserve.capacity": 0.25 * 2 * 0.5 * 0.005 * 4,
    },
    broken=(
        Broken("energy.position_first_stage", {"energy.first_stage": plus(1)}, 3),
        Broken("reserve.volume_first_stage", {"reserve.first_stage": plus(1)}, 4),
    ),
)
# 4 kW of a quarter: in the worst 0.9 a mean of (0.15 x 4) / 0.9 = 2/3 kW is there; in the worst
# 0.75 there is none.
MOSTLY_THERE = Story(
    half_hours(
        None,
        market([0.0, 0.0], limit=0.0),
        product(up=1.0, availability=0.1, capacity_price=10.0),
        renewable={"available": {"low": [0.0, 0.0], "high": [4.0, 4.0]}, "cost": 0.0},
        scenarios=TWO,
    ),
    {},
    cash={"reserve.capacity": 2 * 0.5 * 0.01 * 2 / 3},
    broken=(Broken("reserve.availability", {"reserve.availability": plus(0.15)}, 2 / 3),),
)

# 8 hours of January had a mean of 50; two more at 10, 20, -30 and 40 make it 420 / 10 = 42.
# The contracts, by the half-hour: 4 kW of wind for the month's mean; half of 6 kW for what is below
# 25; 1 kW that rests while the price is negative, and 1 that does after an hour of it, of which
# there was one before; 3 kW bought; 2 kW delivered, of 40 kWh less a
# tenth, with 1 behind before.
CONTRACTS = Story(
    half_hours(
        None,
        market([10.0, 20.0, -30.0, 40.0]),
        renewable={
            "wind": {"available": [4.0] * 4, "curtailable": 0.0},
            "sun": {"available": 6.0, "curtailable": 1.0},
        },
        ppa={
            "mean": {
                "strike": 60.0,
                "volume_type": "output",
                "renewable": "wind",
                "averaging": "month",
                "mean_initial": 50.0,
                "mean_hours_initial": 8.0,
                "settled_initial": 5.0,
            },
            "floor": {
                "strike": 25.0,
                "settlement": "one_way",
                "volume_type": "deemed",
                "renewable": "sun",
                "share": 0.5,
            },
            "resting": {
                "strike": 30.0,
                "volume_type": "baseload",
                "renewable": "",
                "baseload": 1.0,
                "negative_hours": 0.5,
            },
            "short": {
                "strike": 30.0,
                "volume_type": "baseload",
                "renewable": "",
                "baseload": 1.0,
                "negative_hours": 1.0,
                "negative_initial": 1.0,
            },
            "bought": {
                "strike": 20.0,
                "side": "buyer",
                "volume_type": "baseload",
                "renewable": "",
                "baseload": 3.0,
            },
            "delivered": {
                "strike": 60.0,
                "settlement": "physical",
                "volume_type": "baseload",
                "renewable": "",
                "baseload": 2.0,
                "contracted": 40.0,
                "tolerance": 0.1,
                "behind_initial": 1.0,
                "shortfall_price": 10.0,
                "period": "horizon",
            },
        },
    ),
    {"renewable.curtail": {"wind": [0.0] * 4, "sun": [6.0] * 4}},
    cash={
        "ppa.difference": 0.5
        * (
            4 * 4 * (0.060 - 0.042)
            + 3 * (0.015 + 0.005 + 0.055)
            + 1 * (0.020 + 0.010 - 0.010)
            + 1 * (0.020 + 0.010 + 0.060 - 0.010)
            - 3 * (0.010 + 0.000 + 0.050 - 0.020)
        ),
        "ppa.correction": 5 * ((0.060 - 0.042) - (0.060 - 0.050)),
        "ppa.delivery": 0.5 * 4 * 2 * 0.060,
        "ppa.shortfall": -0.010 * ((36 - 4 + 1) - 1),
        "energy.energy": 0.5 * (4 - 2) * (0.010 + 0.020 - 0.030 + 0.040),
    },
    broken=(
        Broken("ppa.mean_to_date", {"ppa.mean_to_date": plus(1, contract="mean", time=1)}, 1),
        Broken("ppa.mean_hours", {"ppa.mean_hours": plus(1, contract="mean", time=1)}, 1),
        Broken("ppa.settled", {"ppa.settled": plus(1, contract="mean", time=1)}, 1),
        Broken("ppa.negative_run", {"ppa.negative_run": plus(1, contract="resting", time=1)}, 1),
        Broken("ppa.due", {"ppa.ahead": plus(1, contract="delivered", time=1)}, 1),
        Broken(
            "ppa.sign",
            {
                "ppa.ahead": plus(-1, contract="delivered", time=1),
                "ppa.behind": plus(-1, contract="delivered", time=1),
            },
            1,
        ),
    ),
)

# Half a kWh holds half a kW for an hour: 0.9 kW would need 0.4 more.
LITTLE_ENERGY = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        product(up=1.0, hours_up=1.0, guarantee="endurance", capacity_price=10.0),
        battery=storage(energy_initial=0.5),
    ),
    IDLE,
    cash={"reserve.capacity": 2 * 0.5 * 0.01 * 0.5},
    broken=(
        Broken(
            "reserve.endurance_up_start_battery",
            {"reserve.hours_up": plus(0.8)},
            0.4,
            also={"reserve.endurance_up_end_battery": 0.4},
        ),
    ),
)

# A charger that cannot feed in fills the last 5 kWh at 10 kW, and holds its 10 kW upward for a
# quarter-hour, or half an hour as it goes one way only; no room is left, nor needed.
ONE_WAY = Story(
    half_hours(
        vehicle(charge_max=[10.0, 0.0], energy_initial=5.0, energy_max=10.0),
        market([0.0, 0.0]),
        product(
            up=1.0,
            hours_up=0.25,
            hours_one_way=0.5,
            guarantee="endurance",
            capacity_price=10.0,
            volume_max=[50.0, 0.0],
        ),
    ),
    {"fleet.charge": [10.0, 0.0]},
    cash={"reserve.capacity": 0.5 * 0.01 * 10},
    broken=(Broken("reserve.endurance_up_start_fleet", {"reserve.hours_one_way": plus(0.1)}, 1),),
)
