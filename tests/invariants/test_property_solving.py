"""The solver is not part of the answer: duality, blocks, merging, binaries, other solvers
(docs/formulation.md §15: 20, 29).
"""

from itertools import product

import numpy as np
import pytest
import xarray as xr
from cases import case as story
from cases import market, storage, vehicle
from hypothesis import assume, given
from hypothesis import strategies as st
from invariants.changes import at_least, close, edit, group, objective, plan
from invariants.strategies import cases
from invariants.wanted import Wanted, few

import v2g_linopy as v2g

NEAR = 1e-6


@few(8)
@given(case=cases(), blocks=st.sampled_from((True, True, False)))
def test_prices_and_duals_prove_the_plan_optimal(case, blocks):
    """20: on the relaxation, the duals of a result satisfy strong duality and complementary
    slackness.

    The model is the whole one, without merging; plan, duals, prices and reduced costs come from the
    result, mapped back from blocks and merged members."""
    result = plan(case, complementarity="off", blocks=blocks)
    model = v2g.build(case)
    m = model.matrices
    x, y, r = columns(model, result), rows(model, result), reduced(model, result)
    a, sense = m.A, np.asarray(m.sense)
    slack = np.asarray(m.b) - a @ x
    assert np.abs(np.where(sense == "=", slack, 0)).max(initial=0) <= NEAR
    assert (slack[sense == "<"] >= -NEAR).all()
    assert (slack[sense == ">"] <= NEAR).all()
    assert np.allclose(m.c - a.T @ y, r, atol=NEAR), "reduced cost = cost - duals"
    assert (y[sense == "<"] >= -NEAR).all(), "a looser limit is worth something or nothing"
    assert (y[sense == ">"] <= NEAR).all(), "a higher need costs something or nothing"
    assert np.abs(y * slack).max(initial=0) <= 1e-5, "only rows that bind have a price"
    for gap, sign in ((m.ub - x, 1.0), (x - m.lb, -1.0)):
        worth = np.maximum(sign * r, 0)
        assert (worth[np.isinf(gap)] <= NEAR).all(), "nothing is worth more without a bound"
        assert (worth * np.where(np.isinf(gap), 0, gap) <= 1e-5).all(), (
            "only bounds that bind have a price"
        )
    finite = np.where(r > 0, np.where(np.isinf(m.ub), 0, m.ub), np.where(np.isinf(m.lb), 0, m.lb))
    dual = float(np.asarray(m.b) @ y + finite @ r)
    assert close(dual, float(m.c @ x), 1e-6)
    assert close(dual + paid_before(case, result), result.attrs["objective"], 1e-6)


def paid_before(case: xr.DataTree, result: xr.DataTree) -> float:
    """The only constant of the ledger (EUR): half the spread on what was committed before the
    case.
    """
    energy = case["energy"].to_dataset()
    if (
        "energy.spread" not in result["ledger"]
        or "committed" not in energy
        or "spread" not in energy
    ):
        return 0.0
    money, hours = 1e-3 * energy["spread"], float(case.attrs["step_hours"])
    paid = -hours / 2 * money * abs(energy["committed"])
    weight = case["probability"] if "scenario" in paid.dims else 1.0
    return float((weight * paid).sum())


def columns(model, result: xr.DataTree) -> np.ndarray:
    """The plan as the model counts its variables."""
    values = {}
    for name in model.variables:
        part, _, leaf = name.partition(".")
        values[name] = exchange(result) if name == "node.exchange" else result[part][leaf]
    return by_label(model.variables, values, model.matrices.vlabels)


def exchange(result: xr.DataTree) -> xr.DataArray:
    """Injection of every pod."""
    fleet = result["fleet"].to_dataset()
    pods = result["price"]["pod"]
    home = fleet["pod"] if "pod" in fleet else xr.DataArray("site")
    net = (fleet.discharge - fleet.charge) * (home.astype(str) == pods.astype(str)).astype(float)
    return net.sum("fleet")


def rows(model, result: xr.DataTree) -> np.ndarray:
    """The duals as the model counts its rows: EUR per unit, weighted by the probability of the
    scenario.
    """
    root = result.to_dataset()
    weight = float(result.attrs["step_hours"]) * root.get("probability", xr.DataArray(1.0))
    values = {}
    for name in model.constraints:
        part, _, leaf = name.partition(".")
        values[name] = (
            result["price"][leaf] * weight / 1000 if part == "node" else result["dual"][name]
        )
    return by_label(model.constraints, values, model.matrices.clabels)


def reduced(model, result: xr.DataTree) -> np.ndarray:
    """The reduced costs as the model counts its variables."""
    values = {name: result["reduced_cost"][name] for name in model.variables}
    return by_label(model.variables, values, model.matrices.vlabels)


def by_label(items, values: dict[str, xr.DataArray], wanted: np.ndarray) -> np.ndarray:
    """Numbers of named arrays in the order of the labels of the matrix."""
    full = np.full(int(wanted.max(initial=-1)) + 1, np.nan)
    for name, item in items.items():
        labels = item.labels
        array = (
            (values[name] + xr.zeros_like(labels, dtype=float)).transpose(*labels.dims).to_numpy()
        )
        there = labels.to_numpy() >= 0
        full[labels.to_numpy()[there]] = array[there]
    found = full[wanted]
    assert np.isfinite(found).all()
    return found


@few(12)
@given(case=cases(Wanted(members=(2, 4))))
def test_blocks_and_merging_change_nothing(case):
    """Solved apart with identical members merged, or in one piece: the same objective to 1e-9."""
    apart, whole = plan(case), plan(case, blocks=False)
    assert whole.attrs["merged_members"] == 0
    assert close(apart.attrs["objective"], whole.attrs["objective"], 1e-9)


@few(8)
@given(
    cases(Wanted(members=(2, 4), reserve=False, connection=False, scenarios=False)),
    st.sampled_from((0.0, 1.0, 3.0)),
)
def test_a_position_limit_that_binds_is_kept_in_blocks(case, limit):
    """One market whose limit can bind couples the fleet, with blocks as without."""
    energy = group(case, "energy")
    one = energy.isel(market=[0])
    tight = edit(case, energy=one[["price"]].assign(limit=xr.full_like(one.price, float(limit))))
    apart = plan(tight)
    assert float(np.abs(apart["energy"].position).max()) <= limit + NEAR
    assert close(apart.attrs["objective"], objective(tight, blocks=False), 1e-9)


@few(6)
@given(case=cases(Wanted(lowest_price=-12)))
def test_binaries_where_needed_are_binaries_everywhere(case):
    """`lazy` and `milp` agree, the relaxation is never worse; lazy leaves nobody charging and
    discharging at once.
    """
    lazy, everywhere = plan(case), plan(case, complementarity="milp")
    assert close(lazy.attrs["objective"], everywhere.attrs["objective"])
    assert lazy.attrs["overlap_kw"] <= NEAR
    assert at_least(objective(case, complementarity="off"), lazy.attrs["objective"])


SMALL = Wanted(
    kinds=("vehicle", "sessions", "trips"),
    steps=(2, 3),
    members=(1, 1),
    simple_market=True,
    lowest_price=-12,
    reserve=False,
    connection=False,
    scenarios=False,
)


@few(6)
@given(case=cases(SMALL), less=st.sampled_from((2.0, 0.0)))
def test_binaries_and_cuts_lose_no_plan(case, less):
    """The best of all patterns of charging or discharging, one LP each, is what binaries and cuts
    find.

    Also where less fits on board at the end, as when a part of a fleet has left; some of these have
    no plan at all."""
    fleet = group(case, "fleet")
    last = xr.DataArray(np.arange(fleet.sizes["time"]) == fleet.sizes["time"] - 1, dims="time")
    fleet["energy_max"] = (fleet.energy_max - less * last).clip(min=fleet.energy_min)
    assert_no_plan_is_lost(edit(case, fleet=fleet))


@few(12)
@given(
    case=cases(SMALL.only(kinds=("vehicle", "trips"))),
    fall=st.booleans(),
    share=st.lists(st.sampled_from((0.0, 0.5, 1.0)), min_size=3, max_size=3),
)
def test_binaries_and_cuts_lose_no_plan_where_limits_tighten(case, fall, share):
    """The same from a full battery into which less and less fits, and from an empty one that must
    hold more and more.

    Each limit moves by no more than the power can follow. The cuts compare what is on board at the
    start of a step with the limits at its end: a battery may then be fuller, or emptier, than it
    may be once the step is over."""
    fleet = group(case, "fleet").transpose("fleet", "time")
    pace = xr.DataArray(share[: fleet.sizes["time"]], dims="time") * case.attrs["step_hours"]
    most = fleet.energy_max.isel(time=0, drop=True)
    if fall:
        fleet["energy_max"] = (most - (pace * fleet.discharge_max).cumsum("time")).clip(min=0)
        fleet["energy_min"] = np.minimum(fleet.energy_min, fleet.energy_max)
    else:
        rising = (pace * fleet.charge_max * fleet.eta_charge).cumsum("time")
        fleet["energy_min"] = np.minimum(np.maximum(fleet.energy_min, rising), fleet.energy_max)
    fleet["energy_initial"] = most * float(fall)
    assert_no_plan_is_lost(edit(case, fleet=fleet.transpose("fleet", "time")))


def assert_no_plan_is_lost(case: xr.DataTree) -> None:
    """Solved with binaries everywhere, the case is worth what the best of all patterns is worth."""
    fleet = group(case, "fleet")
    both = (fleet.charge_max * fleet.discharge_max > 0).transpose("fleet", "time").to_numpy()[0]
    assume(both.any())
    best = -np.inf
    for pattern in product((0.0, 1.0), repeat=int(both.sum())):
        ways = xr.DataArray(np.ones((2, len(both))), dims=("way", "time"))
        ways[:, both] = np.array([pattern, 1 - np.array(pattern)])
        limits = {n: fleet[n] * ways[i] for i, n in enumerate(("charge_max", "discharge_max"))}
        best = max(best, objective_or_none(edit(case, fleet=fleet.assign(limits)), "off"))
    found = objective_or_none(case, "milp")
    assert found == best or close(found, best)


TIGHT = {"charge_max": 4.0, "discharge_max": 4.0}
WAYS = ("off", "lazy", "milp")


@pytest.mark.parametrize("way", WAYS)
def test_a_full_battery_may_wait_until_the_step_in_which_it_has_to_shrink(way):
    """12 kWh on board, 8 fit after the second hour: 4 kWh are sold at 500 EUR/MWh, 2.00 EUR.

    Proves the cut on what flows in: held against the 8 kWh of the end, it would have sold them an
    hour early, 0.40."""
    full = vehicle(**TIGHT, energy_max=[12, 8], energy_min=[0, 8], energy_initial=12)
    assert objective(story(full, market([100, 500])), complementarity=way) == pytest.approx(2.0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cost", [np.nan, 10.0], ids=["must", "may be missed"])
def test_an_empty_battery_may_wait_until_the_step_in_which_it_has_to_fill(way, cost):
    """Nothing on board, 4 kWh due after the second hour: 4 kWh are bought at 100 EUR/MWh, 0.40 EUR.

    Proves the cut on what flows out: held against the 4 kWh of the end, it would have bought them
    an hour early, 2.00."""
    empty = vehicle(**TIGHT, energy_max=12, energy_min=[0, 4], unserved_cost=cost)
    assert objective(story(empty, market([500, 100])), complementarity=way) == pytest.approx(-0.4)


@pytest.mark.parametrize("way", WAYS)
def test_a_stationary_battery_that_leaks_may_stand_at_its_floor(way):
    """4 kWh are the floor, half leaks away in the hour: 2 kWh are bought at 100 EUR/MWh, 0.20 EUR.

    Proves the cut on what flows out: held against the floor before it charges, the battery would
    have no plan. Its ceiling is constant and nothing flows in but by charging, so that the other
    cut has nothing to compare."""
    leaky = storage(**TIGHT, energy_min=4, energy_initial=4, keep=0.5)
    assert objective(
        story(None, market([100]), battery=leaky), complementarity=way
    ) == pytest.approx(-0.2)


def objective_or_none(case: xr.DataTree, complementarity: str) -> float:
    """The objective; minus infinity where there is no plan."""
    try:
        return objective(case, complementarity=complementarity)
    except v2g.Infeasible:
        return -np.inf


@few(4)
@given(case=cases())
def test_solvers_agree(case):
    """29: simplex and interior point of HiGHS, and SCIP, find the same objective."""
    simplex = objective(case, options={"solver": "simplex"})
    assert close(objective(case, options={"solver": "ipx"}), simplex, 1e-6)
    other = objective(case, solver="scip", options={"display/verblevel": 0}, gap=None)
    assert close(other, simplex, 1e-6)
