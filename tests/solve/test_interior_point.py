"""An interior point that begins the rounds of large fleets: it may be wrong, the result may not
(docs/formulation.md §12 D).
"""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from benchmarks.large_fleets import fleet_case
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.solve.decompose import interior_kernel, interior_members, interior_point
from v2g_linopy.solve.decompose.large_fleets_master import LevelTwo
from v2g_linopy.solve.decompose.large_fleets_plan import _rest
from v2g_linopy.solve.oracle_members import vehicle_stays
from v2g_linopy.solve.solver import Settings

# cost in EUR of 50 cars, from one linear programme written by hand elsewhere
KNOWN = {
    "peak": ({"peak_price": 0.5}, 189.3704060261),
    "cap": ({"import_max": 125.0}, 128.7709336884),
}


@pytest.fixture
def at_once(monkeypatch):
    """However few steps there are, the rounds begin with an interior point."""
    monkeypatch.setattr(interior_point, "_FEW_STEPS", 0)


def many_steps(**more) -> xr.DataTree:
    """Three cars for 50 half-hours of changing prices, at two points of delivery."""
    step = np.arange(50)
    late = np.where(step == 49, 25.0, 0.0)
    cars = {
        "a": vehicle(discharge_max=10, eta_charge=0.9, eta_discharge=0.9, energy_min=late),
        "b": vehicle(energy_min=late, wear_charge=0.01) | {"charge_max": np.where(step < 40, 7, 0)},
        "c": vehicle(energy_min=np.where(step == 30, 30.0, 0.0), unserved_cost=0.4),
    }
    price = 60 + 40 * np.sin(step / 7.0) + step % 3
    energy = market(price) | more.pop("energy", {})
    if "p" in more.get("connection", {}):
        cars = {n: x | {"pod": "pq"[n > "a"]} for n, x in cars.items()}
    return case(cars, energy, **more)


@pytest.mark.parametrize("kind", KNOWN)
def test_fleets_cost_what_one_linear_programme_finds(kind, at_once):
    """50 cars under a peak tariff and behind a limit: to 1e-9, proved by value and bound."""
    fields, cost = KNOWN[kind]
    result = v2g.solve(fleet_case(50, **fields), method="decompose", gap=1e-9)
    assert result.attrs["objective"] == approx(-cost, rel=1e-9)
    assert result.attrs["bound"] == approx(-cost, rel=1e-9)
    assert result.attrs["first_prices"].startswith("interior point of")
    assert result["audit"].attrs["passed"]


def test_a_sample_finds_prices_near_the_best_ones(monkeypatch):
    """400 cars behind 2.5 kW each, of which every second is asked and counts for two: the first
    bound is within 1 % of the optimum. Counted once, they would not reach the limit, and the bound
    would be that without a limit, 11 % off. The rounds prove the value of all cars.
    """
    monkeypatch.setattr(interior_point, "_SAMPLE", 200)
    cost = 1046.3284974918
    result = v2g.solve(fleet_case(400, import_max=1000.0), method="decompose", gap=1e-9)
    assert result.attrs["first_prices"].endswith("over a sample of the vehicles")
    bound = result["decomposition"].bound.to_numpy()
    assert -cost <= bound[0] <= -0.99 * cost
    assert result.attrs["objective"] == approx(-cost, rel=1e-9)


TIES = {
    "limit": {"connection": {"import_max": 12.0}},
    "limits of two pods": {
        "connection": {"p": {"import_max": 9.0, "peak_price": 0.2}, "q": {"import_max": 6.0}}
    },
    "market": {"energy": {"limit": 11.0, "block": 1.0}},
    "battery": {"connection": {"peak_price": 0.5}, "battery": storage()},
}


@pytest.mark.parametrize("words", TIES)
def test_what_ties_vehicles_together(words):
    """Needs that may be missed, losses, feeding in, pods, blocks, a battery: the value of one
    model.
    """
    story = many_steps(**TIES[words])
    result, whole = (v2g.solve(story, method=m) for m in ("decompose", "whole"))
    assert result.attrs["first_prices"].startswith("interior point of")
    assert result.attrs["objective"] == approx(whole.attrs["objective"], rel=1e-6)
    assert result.attrs["bound"] >= whole.attrs["objective"] - 1e-8
    assert result.attrs["certified_gap"] <= 1e-6


def test_a_trip_keeps_the_rounds():
    """What may be missing from a trip is no plain limit of energy: the rounds begin as ever."""
    step = np.arange(50)
    driven = vehicle(energy_out=np.where(step == 40, 20.0, 0.0), unserved_cost=0.5)
    prices = market(60 + 40 * np.sin(step / 7.0))
    story = case({"a": driven, "b": driven}, prices, None, {"import_max": 3.0})
    result, whole = (v2g.solve(story, method=m) for m in ("decompose", "whole"))
    assert result.attrs["first_prices"] == "those of the rest alone"
    assert result.attrs["objective"] == approx(whole.attrs["objective"], rel=1e-6)


@pytest.mark.parametrize("steps", [1, 8])
def test_a_point_that_is_far_off_costs_rounds_alone(steps, monkeypatch):
    """Stopped after one step, or eight, it is far from the optimum, and its plans outside their
    limits: bounds stay bounds, and the rounds that follow find the value.
    """
    monkeypatch.setattr(interior_point, "_FEW_STEPS", 0)
    monkeypatch.setattr(interior_point, "_ITERATIONS", steps)
    fields, cost = KNOWN["cap"]
    result = v2g.solve(fleet_case(50, **fields), method="decompose", gap=1e-9)
    rounds = result["decomposition"].to_dataset()
    assert ("planned again" in result.attrs["first_prices"]) == (steps == 1)
    assert result.attrs["rounds"] > 1
    assert (rounds.bound >= -cost - 1e-8).all()
    assert result.attrs["objective"] == approx(-cost, rel=1e-9)
    assert result["audit"].attrs["passed"]


def test_the_rest_buys_power_where_it_is_dear_at_the_market():
    """From 10 kW drawn to 5 kW injected at 0.04 and 0.03 EUR/kW, traded at 0.05 and 0.02: 5 kW are
    bought and sold in the first hour, and 10 kW the other way in the second, 0.05 + 0.10 EUR.
    """
    inputs = inputs_of(case(vehicle(), market([50, 20])), v2g.PARTS)
    level = LevelTwo(_rest(inputs, np.ones(1, bool)), 1, 10.0, Settings())
    price, one = np.array([[0.04, 0.03]]), np.ones((1, 2))
    assert level.worth(price, -10 * one, 5 * one) == approx(0.15)


def test_numbers_that_break_down_leave_the_rounds(at_once, monkeypatch):
    """Without an interior point the rounds begin at the prices of the rest."""
    monkeypatch.setattr(interior_point._Loop, "look", lambda self: float("nan"))
    fields, cost = KNOWN["cap"]
    result = v2g.solve(fleet_case(50, **fields), method="decompose")
    assert result.attrs["first_prices"] == "those of the rest alone"
    assert result.attrs["objective"] == approx(-cost, rel=1e-6)


def test_loops_have_the_numbers_of_arrays(monkeypatch):
    """The loops that numba compiles, here as plain Python, and compiled where it is installed:
    the same steps, prices and plans as many vehicles beside each other. Six steps, as the best
    plan of three cars is one of many, and rounding chooses between them at the end.
    """
    monkeypatch.setattr(interior_point, "_ITERATIONS", 6)
    monkeypatch.setattr(interior_point, "_OFF", np.inf)
    inputs = inputs_of(many_steps(**TIES["limits of two pods"]), v2g.PARTS)
    rest = _rest(inputs, np.ones(3, bool))
    level = LevelTwo(rest, 3, 10.0, Settings())
    stays = vehicle_stays(inputs, np.arange(3), rest.pods)
    price = level.solve().price[:, 0]
    runs = [None, {loop.__name__: loop for loop in interior_kernel.ENTRIES}]
    runs += [interior_members.compiled_newton()] if interior_members.compiled_newton() else []
    found = []
    for run in runs:
        monkeypatch.setattr(interior_point, "compiled_newton", lambda run=run: run)
        model = level.matrix, level.node, level.penalty, inputs.dt
        point = interior_point.solve_by_interior_point(stays, *model, price, 1e-6, 1.0, Settings())
        found.append(point)
    for other in found[1:]:
        assert other.iterations == found[0].iterations
        assert np.abs(other.price - found[0].price).max() <= 1e-10
        assert np.abs(other.plans.moved - found[0].plans.moved).max() <= 1e-8
