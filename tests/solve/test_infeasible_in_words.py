"""Why there is no plan: which member, which step, what is allowed and needed, and what works.

Each number is found by hand, and what is said to work is done: with it there is a plan, with a
little less there is none."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, storage, vehicle

import v2g_linopy as v2g

HOURS = [30.0] * 3
COMMITTED = {"up": 1.0, "capacity_price": 20.0, "closed": 1.0}


def said(tree: xr.DataTree, work: Callable[..., xr.DataTree] = v2g.solve) -> str:
    with pytest.raises(v2g.Infeasible) as caught:
        work(tree)
    words = str(caught.value)
    assert "contradict" not in words
    return words


def cars(need: float, count: int = 3, **fields: object) -> dict[str, dict]:
    """Cars of 10 kW that must leave with what they need."""
    hard = {"energy_min": [0.0, 0.0, need], "unserved_cost": np.nan}
    return {f"ev-{k}": vehicle(**hard, **fields) for k in range(count)}


def house(limit: float) -> xr.DataTree:
    return case(
        None, market(HOURS), connection={"import_max": limit}, load={"baseline": [5, 35, 12]}
    )


def narrow_market(limit: float) -> xr.DataTree:
    return case(None, market(HOURS, limit=limit), load={"baseline": [5, 35, 12]})


def shared_connection(limit: float) -> xr.DataTree:
    return case(cars(25.0), market(HOURS), connection={"import_max": limit})


def with_battery(limit: float) -> xr.DataTree:
    """20 kW in the third hour, and a battery that keeps half of what it draws: M kW more in each
    hour put 5 + M kWh into it, and 20 - (5 + M) = 5 + M leave M = 5. As little energy as can be
    would be 10 kW more in the third hour alone.
    """
    return case(
        None,
        market(HOURS),
        connection={"import_max": limit},
        load={"baseline": [0, 0, 20]},
        battery=storage(eta_charge=0.5, energy_initial=0.0),
    )


def sun(limit: float) -> xr.DataTree:
    roof = {"available": [5, 35, 12], "curtailable": 0.0}
    return case(None, market(HOURS), connection={"export_max": limit}, renewable=roof)


def promised(volume: float) -> xr.DataTree:
    """5 kWh on board; two hours of a full call are guaranteed, and nothing can be bought."""
    endurance = {"guarantee": "endurance", "hours_up": 2.0, "committed": volume}
    return case(
        None,
        market(HOURS, limit=0.0),
        product(**COMMITTED, **endurance),
        battery=storage(energy_initial=5.0),
    )


def promised_budget(volume: float) -> xr.DataTree:
    """5 kWh on board; any calls of two hours in four, and nothing can be bought."""
    budget = {"guarantee": "budget", "activation_period": 2.0, "activation_cycle": 4.0}
    return case(
        None,
        market([30.0] * 4, limit=0.0),
        product(**COMMITTED, **budget, committed=volume),
        battery=storage(energy_initial=5.0),
    )


def sold_before(power: float) -> xr.DataTree:
    """A car with nothing on board cannot deliver what was sold: only 0 can be kept."""
    return case(vehicle(), market(HOURS, closed=1.0, committed=[-5.0, power, 0.0]))


@pytest.mark.parametrize(
    ("make", "given", "works", "words", "field"),
    [
        (
            house,
            10.0,
            35.0,
            "pod site: import limit is 10 kW, and 35 kW are needed in the step 2026-01-05 01:00",
            "connection.import_max of 35 kW",
        ),
        (
            narrow_market,
            3.0,
            35.0,
            "market day_ahead: position limit of a market is 3 kW, and 35 kW are needed",
            "energy.limit of 35 kW",
        ),
        (  # 75 kWh in three hours are 25 kW, as even as can be
            shared_connection,
            18.0,
            25.0,
            "pod site: import limit is 18 kW, and 25 kW are needed",
            "connection.import_max of 25 kW",
        ),
        (
            with_battery,
            5.0,
            10.0,
            "pod site: import limit is 5 kW, and 10 kW are needed",
            "connection.import_max of 10 kW in these steps",
        ),
        (
            sun,
            1.0,
            35.0,
            "pod site: export limit is 1 kW, and 35 kW are needed",
            "connection.export_max of 35 kW",
        ),
        (
            promised,
            8.0,
            2.5,
            "reserve product regulation: volume is held at 8 kW, and 2.5 kW can be kept",
            "reserve.committed of 2.5 kW",
        ),
        (
            promised_budget,
            8.0,
            2.5,
            "reserve product regulation: volume is held at 8 kW, and 2.5 kW can be kept",
            "reserve.committed of 2.5 kW",
        ),
        (
            sold_before,
            20.0,
            0.0,
            "market day_ahead: position is held at 20 kW, and 0 kW can be kept",
            "energy.committed of 0 kW",
        ),
    ],
)
def test_a_limit_is_told_with_what_would_work(make, given, works, words, field):
    """What is said to work does, and a hair less of it does not."""
    told = said(make(given))
    assert words in told
    assert f"what would work: {field}" in told
    assert v2g.solve(make(works)).attrs["status"] == "optimal"
    said(make(works - 1e-3 if works > given else works + 1e-3))


@pytest.mark.parametrize(("need", "said"), [([0, 30, 30], ""), ([0, 30, 40], " (2 steps in all)")])
def test_needs_that_nothing_reaches_are_counted(need, said):
    """10 kW reach 20 kWh after two hours and 30 after three: one need is missed, or two are."""
    car = vehicle(energy_min=need, unserved_cost=np.nan)
    with pytest.raises(v2g.Infeasible) as found:
        v2g.solve(case(car, market([50] * 3)))
    (line,) = (x for x in found.value.explanation.splitlines() if "fleet ev" in x)
    assert line.endswith(said) and ("in all" in line) == bool(said)


def test_every_pod_is_told():
    """Two pods are short by 25 and 34 kW; the third is not, and is not named."""
    limits = {"a": {"import_max": 10.0}, "b": {"import_max": [50.0, 1.0, 50.0]}, "c": {}}
    loads = {f"load {pod}": {"baseline": [5, 35, 12], "pod": pod} for pod in limits}
    told = said(case(None, market(HOURS), connection=limits, load=loads))
    assert "pod a: import limit is 10 kW, and 35 kW are needed" in told
    assert "(2 steps in all; this is the worst)" in told
    assert "pod b: import limit is 1 kW, and 35 kW are needed" in told
    assert "pod c" not in told


def test_a_rung_that_cannot_be_built():
    """Three cars at once draw 30 kW where 18 can be bought; smart charging would do with it. With
    30 kW every rung is built.
    """
    need = {f"ev-{k}": vehicle(energy_min=[0.0, 0.0, 15.0]) for k in range(3)}
    told = said(case(need, market(HOURS, limit=18.0)), v2g.compare)
    assert "on the rung 'unmanaged' of the ladder" in told
    assert "position limit of a market is 18 kW, and 30 kW are needed" in told
    assert "what would work: energy.limit of 30 kW there" in told
    assert "ladder" in v2g.compare(case(need, market(HOURS, limit=30.0))).children


def test_a_plan_that_is_held():
    """A car with 5 kWh on board is held at 10 kW of feeding in for an hour: 5 kW are too little
    for it.
    """
    car = vehicle(discharge_max=10.0, energy_initial=5.0, charge_max=0.0)
    profile = xr.DataArray([[10.0, 0.0, 0.0]], dims=("fleet", "time"))
    tree = case(car, market(HOURS))
    profile = profile.assign_coords(fleet=["ev"], time=tree["time"])
    told = said(tree, lambda one: v2g.solve(one, fix={"fleet.discharge": profile}))
    assert "fleet ev: 5 kW too little in the step 2026-01-05 00:00" in told
