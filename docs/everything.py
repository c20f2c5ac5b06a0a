"""A tiny case with every part, from which the pages take rows and entries. A new part is a dataset
here.
"""

import pandas as pd
import xarray as xr

import v2g_linopy as v2g

TIME = pd.date_range("2026-01-10 02:00", periods=4, freq="30min")
NONE = float("nan")
MARKETS = {"scenario": ["calm", "windy"], "market": ["day_ahead", "intraday"]}
PRICE = xr.DataArray([[10.0, 20.0], [12.0, 8.0]], coords=MARKETS)
FIRST = xr.DataArray([1.0, 0.0, 0.0, 0.0], coords={"time": TIME})
PRODUCTS = ["regulation", "containment", "budgeted", "called"]
AGEING = {
    "replacement_cost": 4000.0,
    "segments": 2.0,
    "calendar_cost": 10.0,
    "calendar_cost_soc": 10.0,
}


def case_of_everything() -> xr.DataTree:
    """Return a case in which every part writes every row and every entry of the ledger that it
    can.
    """
    groups = {
        "fleet": (
            group(
                "fleet",
                "owned",
                "lent",
                charge_max=10,
                discharge_max=10,
                energy_max=20,
                slack_cost=10,
                retail_price=0.1,
            )
            | {
                "energy_min": 10 * FIRST,
                "need_billed": 10 * FIRST,
                "energy_out": FIRST,
                "spill_max": FIRST,
                "wear": ("fleet", [0.1, 0.0]),
                "wear_charge": 0.1,
            }
            | AGEING
            | {
                # what is lent wears its owner's battery
                "replacement_cost": ("fleet", [4000.0, NONE]),
                "allowance": ("fleet", [NONE, 8.0]),
                "charge_min": 1.0,
                "discharge_min": 1.0,
                "taper_from": 0.8,
                "taper_to": 0.1,
                "charger": ("fleet", ["hub", "hub"]),
            }
        ),
        "battery": (
            group("battery", charge_max=10, discharge_max=10, energy_max=20, cycles_max=2)
            | {"cyclic": 1.0, "energy_value": 0.1, "wear": 0.1, "wear_charge": 0.1}
            | AGEING
        ),
        "load": (
            group("load", "shop", "mill", baseline=10, curtail_max=5, shift_up_max=5)
            | {"shift_down_max": 5.0, "curtail_energy_max": ("load", [float("inf"), 20.0])}
        ),
        "renewable": group("renewable", available=10, cost=0.1),
        "chp": (
            group(
                "chp",
                power_max=10,
                power_min=2,
                power_to_heat=1,
                eta_power=0.4,
                fuel_price=20,
                dump_max=10,
            )
            | {
                "start_cost": 1.0,
                "up_time_min": 1.0,
                "down_time_min": 1.0,
                "ramp_up": 10.0,
                "ramp_down": 10.0,
            }
        ),
        "hydrogen": (
            group(
                "hydrogen",
                electrolyser_max=10,
                electrolyser_min=2,
                standby_power=0.1,
                fuel_cell_max=5,
            )
            | {
                "energy_max": 20.0,
                "cyclic": 1.0,
                "energy_value": 0.1,
                "sale_price": 0.1,
                "sale_max": 5.0,
            }
            | {"wear": 0.1, "wear_standby": 0.1, "wear_start": 0.1}
        ),
        "flexibility": (
            group("plan", "one", "other", own_cash=1.0)
            | {"traded": ("plan", [1.0, -1.0]), "whole": ("plan", [0.0, 1.0])}
            | {"product": PRODUCTS, "held": (("plan", "product"), [[1.0] * 4, [0.0] * 4])}
        ),
        "energy": (
            group("market", "day_ahead", "intraday", spread=1, limit=100, block=1)
            | {
                "price": PRICE,
                "bid": ("market", ["curve", "quantity"]),
                "first_stage": ("market", [1.0, 0.0]),
            }
        ),
        "imbalance": {"price_long": 5.0, "price_short": 30.0, "limit": 100.0},
        "reserve": (
            group(
                "product",
                *PRODUCTS,
                up=1,
                down=1,
                hours_up=1,
                block=1,
            )
            | {
                "capacity_price": 10.0,
                "volume_max": 10.0,
                "hours_down": 1.0,
                "activation_up": ("product", [0.1, 0.0, 0.0, 0.0]),
                "guarantee": ("product", ["expected", "endurance", "budget", "budget"]),
                "activation_cycle": ("product", [NONE, NONE, 1.0, 1.5]),
                "activation_period": ("product", [NONE, NONE, NONE, 1.0]),
                "excursion_up": ("product", [0.1, 0.0, 0.0, 0.0]),
                "excursion_down": ("product", [0.1, 0.0, 0.0, 0.0]),
                "minimum_bid": 1.0,
                "step": 0.5,
                "pool": 0.25,
                "accept_probability": ("product", [0.5, 1.0, 1.0, 1.0]),
                "committed": 1.0,
                "shortfall_price": 300.0,
                "availability": ("product", [1.0, 0.9, 1.0, 1.0]),
            }
        ),
        "ppa": (
            group(
                "contract",
                "wind",
                "supply",
                strike=60,
                contracted=40,
                shortfall_price=10,
                settled_initial=5,
            )
            | {
                "renewable": ("contract", ["one", ""]),
                "volume_type": ("contract", ["output", "baseload"]),
                "settlement": ("contract", ["two_way", "physical"]),
                "baseload": ("contract", [0.0, 2.0]),
                "averaging": ("contract", ["month", "spot"]),
                "mean_initial": 50.0,
                "mean_hours_initial": 8.0,
            }
        ),
        "exclusion": (
            {"rule": ["policy"], "product": ["regulation", "containment"]}
            | {"group": (("rule", "product"), [[1.0, 1.0]])}
        ),
        "contract": (
            group("type", "open", theta=1, share=1, energy=8, payment=0.1)
            | {"wear": 0.01, "term": 1.0, "dispatch_cost": 0.01, "owed": 0.1 * FIRST}
        ),
        "charger": group("charger", "hub", charge_max=15, discharge_max=15),
        "connection": (
            group("pod", "depot", "site", import_max=50, export_max=50, capacity=50, subscribed=10)
            | group(
                "pod",
                "depot",
                "site",
                vat=0.2,
                tax=1,
                peak_price=1,
                peak_count=2,
                subscribed_price=1,
                overrun_price=1,
            )
            | group(
                "pod",
                "depot",
                "site",
                fixed_cost=1,
                capacity_cost=1,
                usage_cost=0.01,
                day_initial=5,
            )
            | {
                "supply_price": ("pod", [10.0, NONE]),
                "feed_in_price": ("pod", [50.0, NONE]),
                "fee_import": ("pod", [-9.0, 1.0]),
                "fee_export": 1.0,
                "peak_period": ("pod", ["day", "hour"]),
                "peak_initial": ("rank", [5.0, 5.0]),
                "rank": [1, 2],
            }
        ),
        "risk": {"weight": 0.5, "confidence": 0.5},
    }
    case = v2g.assemble(TIME, {name: xr.Dataset(arrays) for name, arrays in groups.items()})
    case["probability"] = xr.DataArray([0.5, 0.5], coords={"scenario": ["calm", "windy"]})
    return case


def case_of_need() -> xr.DataTree:
    """Return the same case, in which drivers pay for their need by the contract."""
    case = case_of_everything()
    case["fleet"]["retail_price"] = 0.0 * case["fleet"]["retail_price"]
    case["contract"]["need_price"] = xr.DataArray(0.1)
    return case


def group(dim: str, *labels: str, **values: float) -> dict:
    """Return the arrays of a group: its labels, and numbers that hold for all of them."""
    return {dim: (dim, list(labels or ("one",)))} | {
        name: float(value) for name, value in values.items()
    }
