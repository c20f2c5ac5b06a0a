"""The audit is a proof only if it fails on a false result: each number of a plan or a bill that is
changed is found.
"""

from contextlib import ExitStack
from unittest.mock import patch

import pytest
import xarray as xr
from cases import case, electrolyser, engine, market, product, row, vehicle

import v2g_linopy as v2g
from v2g_linopy.model import reserve_rules
from v2g_linopy.parts.assets import chp, hydrogen
from v2g_linopy.parts.markets.reserve import build as reserve_build
from v2g_linopy.parts.markets.reserve import energy_backing, guarantees


@pytest.fixture(scope="module")
def honest() -> xr.DataTree:
    """10 kW of charger behind 8 kW: 5 kWh due after two hours at 60 and 20 EUR/MWh, downward
    reserve beside it.
    """
    ev = vehicle(energy_min=[0, 5], energy_max=6, discharge_max=[0, 1], wear=0.02, retail_price=0.1)
    down = product(
        down=1, hours_down=0.1, guarantee="endurance", capacity_price=[5, 5], activation_down=0.1
    )
    return v2g.solve(case(ev, market([60, 20], limit=50, spread=2), down, {"import_max": 8}))


def test_the_honest_result_passes(honest):
    """Nothing is wrong with what the other tests change, and the worst residual is a rounding."""
    checks = v2g.replay(honest)
    assert checks.attrs["passed"] == 1
    assert max(float(x) for x in checks.data_vars.values()) < 1e-9
    assert sum(row(honest, "reserve.volume")) > 1


def test_money_of_another_member_is_found(honest):
    """Labels that the bill and the plan do not share count in full; they are not skipped."""
    changed = honest.copy()
    ledger = honest["ledger"].to_dataset(inherit=False)
    entry = ledger["fleet.drivers"]
    renamed = entry.assign_coords(fleet=["somebody else"])
    changed["ledger"] = (
        ledger.drop_vars(["fleet.drivers", "fleet.wear"])
        .drop_dims("fleet")
        .assign({"fleet.drivers": renamed})
    )
    assert float(v2g.replay(changed)["fleet.drivers"]) > 1e-3


TAMPERED = {
    "more charging": ("fleet.charge", 0.5, "fleet.balance"),
    "energy from nowhere": ("fleet.energy", 0.5, "fleet.balance"),
    "a need forgotten": ("fleet.energy", -3.0, "fleet.need"),
    "an overfull battery": ("fleet.energy", 5.0, "fleet.limit_energy"),
    "too much power": ("fleet.charge", 9.0, "fleet.limit_charge"),
    "power below zero": ("fleet.discharge", -0.5, "fleet.limit_sign"),
    "a position that nobody delivers": ("energy.position", 0.5, "node.electricity"),
    "a position beyond the limit": ("energy.position", 90.0, "energy.limit"),
    "a sale that is no position": ("energy.sold", 0.5, "energy.split"),
    "a volume that nobody holds": ("reserve.volume", 0.5, "reserve.allocation"),
    "a share without room": ("reserve.share_fleet", 9.0, "reserve.room_down_fleet"),
    "a share without energy": ("reserve.share_fleet", 30.0, "reserve.endurance_down_end_fleet"),
    "a meter that lies": ("connection.import_", 0.5, "connection.meter"),
    "a connection overrun": ("connection.import_", 9.0, "connection.import"),
    "a reserve beyond the connection": ("reserve.share_fleet", 9.0, "connection.activated_down"),
    "drivers overcharged": ("ledger.fleet.drivers", 0.01, "fleet.drivers"),
    "energy unpaid": ("ledger.energy.energy", 0.01, "energy.energy"),
    "spread unpaid": ("ledger.energy.spread", 0.01, "energy.spread"),
    "capacity overpaid": ("ledger.reserve.capacity", 0.01, "reserve.capacity"),
    "activation overpaid": ("ledger.reserve.activation", 0.01, "reserve.activation"),
    "a number missing": ("fleet.charge", float("nan"), "fleet.balance"),
}


@pytest.mark.parametrize(("name", "change", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_number_is_found(honest, name, change, check):
    """The last number of one array is changed: the audit does not pass, and the expected check sees
    it.
    """
    result = honest.copy(deep=True)
    group, _, quantity = name.partition(".")
    array = result[group][quantity].copy()
    array[..., -1] = array[..., -1] + change
    result[group] = result[group].to_dataset().assign({quantity: array})
    checks = v2g.replay(result)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


def test_a_false_objective_is_found(honest):
    """The headline must be the sum of the bill."""
    result = honest.copy()
    result.attrs["objective"] += 0.01
    checks = v2g.replay(result)
    assert checks.attrs["passed"] == 0
    assert "ledger.objective" in checks.attrs["worst"]


CAR = vehicle(energy_initial=2, discharge_max=10)
FLAT = market([0, 0, 0], limit=0)
DOWN = product(down=1, capacity_price=[1] * 3, activation_down=0.5)


def upward(**fields):
    return product(up=1, capacity_price=[100] * 3, **fields)


def held(guarantee, **fields):
    """A car with 2 kWh that sells upward, three hours at a price at which it would sell all."""
    return case(CAR, FLAT, {"up": upward(guarantee=guarantee, **fields), "down": DOWN})


MISTAKES = {
    "energy behind an endurance": (
        lambda: held("endurance", hours_up=1),
        ((guarantees, "energy_backed"),),
        "reserve.endurance_up_start_fleet",
    ),
    "energy moved within a step": (
        lambda: held("expected", excursion_up=0.5),
        ((guarantees, "energy_backed"),),
        "reserve.excursion_up_start_fleet",
    ),
    "energy for every call": (
        lambda: held("box"),
        ((guarantees, "robust"), (energy_backing, "robust")),
        "reserve.calls_up_fleet",
    ),
    "a path without activation": (
        lambda: held("box"),
        ((reserve_rules, "guarantees_energy"), (reserve_build, "guarantees_energy")),
        "reserve.calls_up_fleet",
    ),
    "an engine that stands still": (
        lambda: case(None, market([100, 0]), chp=engine(power_min=5, start_cost=0.1)),
        ((chp, "_committed"),),
        "chp.limit_load",
    ),
    "the start of an engine": (
        lambda: case(None, market([100]), chp=engine(start_cost=0.1)),
        ((chp, "_committed"),),
        "chp.start",
    ),
    "the wear of an electrolyser": (
        lambda: case(None, market([0]), hydrogen=electrolyser(wear=0.01)),
        ((hydrogen, "_committed"),),
        "hydrogen.limit_electrolyser",
    ),
}


def forgotten(rule):
    """The rule, which now holds nowhere."""
    return lambda *given: rule(*given) & False


@pytest.mark.parametrize(("given", "predicates", "check"), MISTAKES.values(), ids=MISTAKES)
def test_a_condition_that_the_build_forgets_is_found(given, predicates, check):
    """A rule of the build that says False everywhere earns more, and the audit does not pass:
    the replay reads from the data, not from the rule, what has to hold.
    """
    honest = v2g.solve(given())
    assert honest["audit"].attrs["passed"] == 1
    with ExitStack() as changed:
        for place, name in predicates:
            changed.enter_context(patch.object(place, name, forgotten(getattr(place, name))))
        with pytest.raises(v2g.SolverError, match="does not pass its audit"):
            v2g.solve(given())
        wrong = v2g.solve(given(), audit=False)
    assert wrong.attrs["profit"] > honest.attrs["profit"] + 1e-6
    assert float(v2g.replay(wrong)[check]) > 1e-3
