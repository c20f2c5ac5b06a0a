"""Bad input for guarantees of reserves: each fault is one problem that says where it is and what
would be right.
"""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from faulty import HOURS, good, on_time, problems, put

import v2g_linopy as v2g

LEFT = {"fleet": ["ev-1", "ev-2"], "product": ["up"], "lag": [1, 2]}


def offered(**fields: object) -> Callable[[], xr.DataTree]:
    """The good case with one product, `up`, whose fields are these."""

    def build() -> xr.DataTree:
        tree = good()
        put(
            tree,
            "reserve.guarantee",
            xr.DataArray(["budget"], coords={"product": ["up"]}, dims="product"),
        )
        put(tree, "reserve.activation_cycle", 3.0)
        for name, value in fields.items():
            if value is None:
                tree["reserve"] = tree["reserve"].to_dataset().drop_vars(name)
            else:
                put(tree, f"reserve.{name}", value)
        return tree

    return build


def left(values: object, **coords: list) -> xr.DataArray:
    """Energy that calls before the first step have moved."""
    axes = LEFT | coords
    return xr.DataArray(
        np.broadcast_to(values, [len(c) for c in axes.values()]), coords=axes, dims=list(axes)
    )


def with_recourse(fleet: dict[str, object] | None = None, **fields: object) -> Callable:
    """The same, bought back, and a fleet with other fields."""

    def build() -> xr.DataTree:
        tree = offered(**{"activation_cycle": None, **fields})()
        names = tree["reserve"].indexes["product"]
        put(
            tree,
            "reserve.guarantee",
            xr.DataArray(["recourse"] * len(names), coords={"product": names}, dims="product"),
        )
        for name, value in (fleet or {}).items():
            put(tree, f"fleet.{name}", value)
        return tree

    return build


ONE_PROBLEM = {
    "recourse for a period without a cycle": (
        with_recourse(activation_period=1.0),
        "reserve.activation_cycle",
        "an activation_period needs the cycle",
    ),
    "recourse for long calls": (
        with_recourse(activation_cycle=4.0, activation_period=2.0),
        "reserve.activation_period",
        "2 h, longer than the step of 60 min",
    ),
    "recourse later than the next call": (
        with_recourse(activation_cycle=2.0, recovery_delay=3.0),
        "reserve.activation_cycle",
        "2 h, less than recovery_delay",
    ),
    "recourse with a least power": (
        with_recourse({"charge_min": 1.0}),
        "fleet.charge_min",
        "not written together with the guarantee recourse (a least power)",
    ),
    "recourse with a taper": (
        with_recourse({"taper_from": 0.8, "taper_to": 0.1}),
        "fleet.taper_from",
        "charging that falls near full",
    ),
    "recourse with slack": (
        with_recourse({"slack_cost": 10.0}),
        "fleet.slack_cost",
        "energy that comes from nowhere",
    ),
    "recourse with an allowance": (
        with_recourse({"allowance": 5.0}),
        "fleet.allowance",
        "what owners allow to be discharged",
    ),
    "a cycle shorter than a step": (
        offered(activation_cycle=0.5, activation_period=0.25),
        "reserve.activation_cycle",
        "0.5 h, no multiple of the step of 60 min",
    ),
    "no cycle": (
        offered(activation_cycle=None),
        "reserve.activation_cycle",
        "product up: missing: a budget needs the cycle it is given for",
    ),
    "period above cycle": (
        offered(activation_period=4.0),
        "reserve.activation_cycle",
        "3 h, less than activation_period",
    ),
    "cycle below a step": (
        offered(activation_cycle=0.5),
        "reserve.activation_cycle",
        "less than activation_period",
    ),
    "part of a step in the cycle": (
        offered(activation_cycle=2.5),
        "reserve.activation_cycle",
        "product up: 2.5 h, no multiple of the step of 60 min",
    ),
    "part of a step in the period": (
        offered(activation_period=1.5),
        "reserve.activation_period",
        "1.5 h, no multiple of the step of 60 min",
    ),
    "no activation": (
        offered(activation_period=0.0),
        "reserve.activation_period",
        "0 h of activation; give more",
    ),
    "negative cycle": (
        offered(activation_cycle=-1.0),
        "reserve.activation_cycle",
        "-1, allowed [0, inf] h",
    ),
    "endless cycle": (
        offered(activation_cycle=np.inf),
        "reserve.activation_cycle",
        "infinite; give a number",
    ),
    "negative excursion": (
        offered(excursion_up=-0.1),
        "reserve.excursion_up",
        "-0.1, allowed [0, inf] h",
    ),
    "missing excursion": (
        offered(excursion_up=on_time([0, np.nan, 0, 0])),
        "reserve.excursion_up",
        "at 2026-01-05 02:00 +0100: nan, missing",
    ),
    "excursion without power": (
        offered(excursion_down=on_time([0, 0, 0.2, 0])),
        "reserve.excursion_down",
        "at 2026-01-05 03:00 +0100: 0.2 h, but down is 0: no power",
    ),
    "an asset that is not there": (
        offered(drawn_initial_battery=left(1.0).rename(fleet="battery")),
        "reserve.drawn_initial_battery",
        "there is no asset /battery",
    ),
    "a vehicle that is missing": (
        offered(drawn_initial_fleet=left(1.0, fleet=["ev-1"])),
        "reserve.drawn_initial_fleet",
        "one row for each member of /fleet",
    ),
    "no vehicles": (
        offered(stored_initial_fleet=1.0),
        "reserve.stored_initial_fleet",
        "one row for each member",
    ),
    "lags from nowhere": (
        offered(drawn_initial_fleet=left(1.0, lag=[0, 1])),
        "reserve.lag",
        "give 1, 2, ... steps before",
    ),
    "negative energy": (
        offered(drawn_initial_fleet=left(-1.0)),
        "reserve.drawn_initial_fleet",
        "-1 (and 3 more), allowed [0, inf] kWh",
    ),
    "energy on steps": (
        offered(
            drawn_initial_fleet=xr.DataArray(
                np.ones((2, 4)),
                coords={"fleet": LEFT["fleet"], "time": HOURS},
                dims=("fleet", "time"),
            )
        ),
        "reserve.drawn_initial_fleet",
        "has dimension time, may have only fleet, product, lag",
    ),
    "energy of no direction": (
        offered(moved_initial_fleet=left(1.0)),
        "reserve.moved_initial_fleet",
        "unknown",
    ),
}


@pytest.mark.parametrize(("build", "where", "words"), ONE_PROBLEM.values(), ids=ONE_PROBLEM)
def test_one_problem(build, where, words):
    """Each fault is one problem with its place and the remedy."""
    (problem,) = problems(build())
    assert problem.where == where
    assert words in problem.detail


GOOD = {
    "recourse": with_recourse(activation_cycle=2.0, recovery_delay=2.0),
    "a period of half a step": offered(activation_period=0.5),
    "a period as long as the cycle": offered(activation_period=3.0),
    "only a cycle": offered(),
    "what was moved before": offered(
        drawn_initial_fleet=left(1.0), stored_initial_fleet=left(0.5, fleet=["ev-2", "ev-1"])
    ),
}


@pytest.mark.parametrize("build", GOOD.values(), ids=GOOD)
def test_what_is_right(build):
    """Nothing is wrong with these; members may stand in any order, and units are converted."""
    v2g.check(build())


def test_what_was_moved_before_is_in_its_unit_and_order():
    """ev-1 has 2 kWh on board of which calls before may have drawn 2, ev-2 has 5 and none drawn: it
    sells 5 kW.

    Given in MWh and in another order. Proves that rows are brought to the order of the fleet, and
    units are read."""
    tree = offered(
        activation_up=0.0,
        activation_cycle=2.0,
        drawn_initial_fleet=left([[[0.0]], [[0.002]]], fleet=["ev-2", "ev-1"]),
    )()
    put(tree, "reserve.drawn_initial_fleet", None, "MWh")
    fleet = tree["fleet"].to_dataset()
    still = {
        "charge_max": 0.0,
        "discharge_max": 10.0,
        "energy_min": 0.0,
        "energy_in": 0.0,
        "keep": 1.0,
    }
    tree["fleet"] = fleet.assign(
        {n: xr.zeros_like(fleet.charge_max) + v for n, v in still.items()}
    ).assign(energy_initial=("fleet", [2.0, 5.0]))
    put(tree, "reserve.capacity_price", on_time([1000.0, 0, 0, 0]))
    put(tree, "energy.price", tree["energy"].price * 0)
    result = v2g.solve(tree)
    sold = result["reserve"].share_fleet.isel(time=0).sum("product")
    assert [float(sold.sel(fleet=name)) for name in ("ev-1", "ev-2")] == pytest.approx([0, 5])
