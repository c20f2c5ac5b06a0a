"""The connection of each pod, exclusions and risk, at half-hours."""

import xarray as xr
from cases import market, product, vehicle

from part_stories import Broken, Change, Story, both, half_hours, plus

YEAR = 8760.0  # EUR/year that are 1 EUR/h

# One hour: the home draws 6 kW and then feeds in 2; the shop draws 1 kW, and pays its share of the
# 744 hours of January.
BILL = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        None,
        {
            "home": {
                "supply_price": 200.0,
                "feed_in_price": 50.0,
                "fee_import": 10.0,
                "fee_export": 5.0,
                "tax": 5.0,
                "vat": 0.2,
                "usage_cost": 0.01,
                "subscribed": 4.0,
                "subscribed_price": 87.6,
                "overrun_price": 1.0,
                "fixed_cost": YEAR,
                "capacity": 9.0,
                "capacity_cost": 876.0,
                "peak_price": 2.0,
                "import_max": 6.0,
                "export_max": 2.0,
                "partial": "full",
            },
            "shop": {"peak_price": 744.0, "partial": "pro_rata", "subscribed": 9.0},
        },
        load={
            "home": {"baseline": [6.0, 0.0], "pod": "home"},
            "shop": {"baseline": 1.0, "pod": "shop"},
        },
        renewable={"available": [0.0, 2.0], "curtailable": 0.0, "pod": "home"},
    ),
    {},
    cash={
        "connection.supply": -0.5 * 0.2 * 6,
        "connection.feed_in": 0.5 * 0.05 * 2,
        "connection.fee_import": -0.5 * 0.01 * 6,
        "connection.fee_export": -0.5 * 0.005 * 2,
        "connection.tax": -0.5 * 0.005 * 6,
        "connection.vat": -0.2 * (0.6 + 0.03 + 0.015),
        "connection.usage": -0.5 * 0.01 * (6 + 2),
        "connection.subscribed": -4 * 0.01,
        "connection.fixed": -1.0,
        "connection.capacity": -9 * 0.1,
        "connection.peak": -2 * 3 - 1.0,  # 3 kW are the mean of the hour
        "connection.overrun": -(6 - 4),
        "connection.vat_capacity": -0.2 * (2 * 3 + 0.04 + 2),
    },
    broken=(
        Broken(
            "connection.import",
            {"connection.import_max": plus(-1, pod="home")},
            1,
            also={"connection.activated_down": 1},
        ),
        Broken(
            "connection.export",
            {"connection.export_max": plus(-1, pod="home")},
            1,
            also={"connection.activated_up": 1},
        ),
        *(
            Broken(
                f"connection.metered_{name}", {f"connection.{name}": plus(1, pod="home", **at)}, 1
            )
            for name, at in (
                ("peak", {}),
                ("overrun", {}),
                ("hour_energy", {"time": 0}),
                ("day_peak", {"time": 1}),
                ("peak_to_date", {"time": 1}),
                ("overrun_to_date", {"time": 0}),
            )
        ),
    ),
)

# In the east 2 of 3 kW of sun are fed in and 1 is held upward; in the west a house draws 3 of 4 kW,
# with 1 curtailed that is held downward.
ACTIVATED = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        {
            "up": product(up=1.0, capacity_price=10.0),
            "down": product(down=1.0, capacity_price=10.0),
        },
        {"east": {"export_max": 3.0, "import_max": 9.0}, "west": {"import_max": 4.0}},
        load={"baseline": [4.0, 4.0], "curtail_max": 2.0, "pod": "west"},
        renewable={
            "east": {"available": 3.0, "pod": "east"},
            "west": {"available": 3.0, "pod": "west"},
        },
    ),
    {"load.curtail": 1.0, "renewable.curtail": {"east": [1.0, 1.0], "west": [3.0, 3.0]}},
    cash={"reserve.capacity": 2 * 0.5 * 0.01 * (1 + 1 + 3 + 2 + 1)},
    broken=(
        Broken("connection.activated_up", {"connection.export_max": plus(-1, pod="east")}, 1),
        Broken("connection.activated_down", {"connection.import_max": plus(-1, pod="west")}, 1),
        Broken(
            "connection.sign",
            {
                "connection.import_": plus(-1, pod="east", time=0),
                "connection.export": plus(-3, pod="east", time=0),
                "renewable.curtail": plus(2, renewable="east", time=0),
                "energy.position": plus(-2, time=0),
            },
            1,
            also={"reserve.room_down_renewable": 2},
        ),
        Broken(
            "connection.both_ways",
            {
                "connection.import_": plus(1, pod="east", time=0),
                "connection.export": plus(1, pod="east", time=0),
            },
            1,
        ),
    ),
)

# 2 kW of sun at each of two pods: one more there and one less here is no other sum.
TWO_METERS = Story(
    half_hours(
        None,
        market([0.0, 0.0]),
        None,
        {"east": {"import_max": 9.0}, "west": {"import_max": 9.0}},
        renewable={
            "east": {"available": 3.0, "pod": "east"},
            "west": {"available": 3.0, "pod": "west"},
        },
    ),
    {"renewable.curtail": 1.0},
    broken=(
        Broken(
            "connection.meter",
            {
                "renewable.curtail": both(
                    plus(1, renewable="east", time=0), plus(-1, renewable="west", time=0)
                )
            },
            1,
        ),
    ),
)

# 3 and 2 kW of two products that no rule names together; a third is not sold.
SOLD_TOGETHER = Story(
    half_hours(
        vehicle(charge_max=0.0, discharge_max=5.0, energy_initial=10.0),
        market([0.0, 0.0]),
        {
            "one": product(up=1.0, capacity_price=10.0, volume_max=3.0),
            "two": product(up=1.0, capacity_price=10.0, volume_max=2.0),
            "three": product(up=1.0, capacity_price=10.0, volume_max=0.0),
        },
        exclusion={"policy": {"one": 1.0, "three": 1.0, "two": 0.0}},
    ),
    {"fleet.discharge": 0.0},
    cash={"reserve.capacity": 2 * 0.5 * 0.01 * (3 + 2)},
    broken=(
        Broken("exclusion.exclusive", {"exclusion.group": plus(1, product="two")}, 2),
        Broken(  # the 2 kW were committed before: beside them none of the 3 may be sold
            "exclusion.exclusive",
            {
                "exclusion.group": plus(1, product="two"),
                "reserve.closed": plus(1, product="two"),
                "reserve.committed": plus(2, product="two"),
            },
            3,
        ),
    ),
)

# 5 kW for half an hour at 200 or 1000 EUR/MWh: -0.50 or -2.50 EUR, -1 in the mean; a quarter at
# -2.50 is the worst quarter.
RISK = Story(
    half_hours(
        None,
        market({"low": [200.0, 0.0], "high": [1000.0, 0.0]}),
        load={"baseline": [5.0, 0.0]},
        scenarios={"low": 0.75, "high": 0.25},
        risk={"weight": 0.5, "confidence": 0.75},
    ),
    {},
    cash={"risk.adjustment": 0.5 * (-2.5 - -1.0), "energy.energy": -1.0},
    broken=tuple(  # relative to 1 + 2.50 EUR
        Broken(f"risk.{name}", {f"risk.{name}": plus(0.001)}, 0.001 / 3.5)
        for name in ("profit", "value_at_risk", "cvar")
    ),
)

# 0.12 EUR are owed in the second half-hour. 2 kW for half an hour wear 1 kWh at 0.3 EUR, which is
# the owner's, and cost 0.05 EUR of dispatch. 5 kWh at the grid are asked for at 0.8, of which 2 are
# missing on board: 2.5 at the grid are served, at 0.2 EUR each.
CONTRACT = Story(
    half_hours(
        vehicle(
            charge_max=5.0,
            discharge_max=[2.0, 0.0],
            eta_charge=0.8,
            energy_initial=1.0,
            energy_min=[0.0, 4.0],
            need_billed=[0.0, 5.0],
            allowance=3.0,
        ),
        market([0.0, 0.0]),
        contract={
            "theta": 1.0,
            "share": 1.0,
            "energy": 3.0,
            "payment": 0.12,
            "wear": 0.3,
            "term": 1.0,
            "owed": [0.0, 0.12],
            "need_price": 0.2,
            "dispatch_cost": 0.05,
        },
    ),
    {"fleet.charge": [0.0, 5.0], "fleet.discharge": [2.0, 0.0]},
    cash={
        "contract.owners": -0.12,
        "contract.need": 0.2 * (5 - 2 / 0.8),
        "contract.slack.dispatch": -0.05 * 1,
        "fleet.slack.unserved": -10 * 2,
    },
    broken=(Broken("contract.owner_wear", {"contract.owner_wear_fleet": plus(0.1, time=0)}, 0.1),),
)


def with_copies() -> xr.DataTree:
    """A car for owners of two types, as likely, who ask 0.2 and 0.1 EUR/kWh, for the hour of a
    term: each copy is half a car.
    """
    half = vehicle(charge_max=2.0, discharge_max=5.0, energy_initial=20.0, allowance=4.0)
    tree = half_hours({"a": half, "b": half}, market([0.0, 0.0]))()
    menu = {"theta": ("type", [1.0, 2.0]), "share": ("type", [0.5, 0.5]), "wear": 0.2, "term": 1.0}
    menu |= {"power": 8.0, "owner_type": ("fleet", ["one", "two"])}
    menu |= {"in_force": (("fleet", "class", "time"), [[[0.5, 0.5]], [[0.5, 0.5]]])}
    labels = {"type": ["one", "two"], "class": ["all"], "fleet": ["a", "b"]}
    tree["contract"] = xr.DataTree(xr.Dataset(menu, labels | {"time": tree["time"]}))
    return tree


def paid(a: float, b: float) -> dict[str, Change]:
    """So much more (EUR) is paid to an owner of each type, and stands in the ledger."""
    menu = both(plus(a, type="one"), plus(b, type="two"))
    bill = both(plus(-a / 2, fleet="a", time=1), plus(-b / 2, fleet="b", time=1))
    return {"contract.designed_payment": menu, "ledger.contract.owners": bill}


# Half cars give 1 and 2 kWh in half an hour: 2 kWh are bought of the first type for 0.4 EUR, and 4
# of the second for 0.6, as it would gain 0.2 by the contract of the first. Half of that is paid.
MENU = Story(
    with_copies,
    {"fleet.discharge": {"a": [2.0, 0.0], "b": [4.0, 0.0]}},
    cash={"contract.owners": -0.5 * (0.4 + 0.6)},
    broken=(
        Broken(
            "contract.sold",
            {"contract.designed_energy": plus(-0.4, type="one")} | paid(-0.04, 0.0),
            0.2,
        ),
        Broken("contract.rational", paid(-0.05, -0.05), 0.05),
        Broken("contract.incentive", paid(0.0, -0.05), 0.05),
        Broken(
            "contract.rising",
            {"contract.designed_energy": plus(2.1, type="one")} | paid(0.42, 0.2),
            0.1,
            {"contract.incentive": 0.01},
        ),
        Broken("contract.limit_designed_energy", {"contract.power": plus(-4.5)}, 0.5),
    ),
)
