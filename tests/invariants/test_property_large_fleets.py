"""Vehicles planned one by one are planned as well as in one model, and bounds are bounds
(docs/formulation.md §15: 39, 40).
"""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from invariants.changes import close, plan
from invariants.strategies import cases
from invariants.wanted import Wanted, few

import v2g_linopy as v2g
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.solve import oracle, oracle_kernel
from v2g_linopy.solve.decompose import interior_point
from v2g_linopy.solve.oracle_members import vehicle_stays

MEMBERS = 8
FEATURES = (
    *("both ways", "losses", "wear", "wear_charge", "keep", "arrivals", "restarts", "trips"),
    *("spill", "needs", "needs of trips", "hard needs", "limits", "retail", "billed", "slack"),
    *("calendar", "cheap needs", "reserves", "activation"),
)


@st.composite
def members(draw, features: frozenset[str]) -> xr.DataTree:
    """Eight vehicles of which each may do everything that is named, at one ample market."""
    steps, seed = draw(st.integers(2, 8)), draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    shape = (MEMBERS, steps)

    def some(values, share=1.0, *, named=None, otherwise=0.0, size=shape):
        """Values in some places, where the feature is there."""
        there = (random.random(size) < share) & (named is None or named in features)
        return np.where(there, random.choice(values, size), otherwise)

    restart = some([1.0], 0.25, named="restarts") > 0
    keep = some([0.5, 0.875], 0.4, named="keep", otherwise=1.0)
    ceiling = some(range(10, 40), size=(MEMBERS, 1)) - some(range(8), named="limits")
    driven = some(range(12), 0.3, named="trips")
    need = some(range(25), 0.4, named="needs")
    for t in range(steps - 1):  # what the next trip takes
        taken = some([1.0], 0.5, named="needs of trips", size=MEMBERS) > 0
        need[:, t] = np.where(taken, driven[:, t + 1], need[:, t])
    cost = some([10.0], size=MEMBERS)
    cost = np.where(some([1.0], 0.5, named="cheap needs", size=MEMBERS) > 0, 0.0625, cost)
    cost = np.where(some([1.0], 0.5, named="hard needs", size=MEMBERS) > 0, np.nan, cost)
    table = {
        "charge_max": some(range(12)),
        "discharge_max": some(range(12), 0.8, named="both ways"),
        "energy_max": ceiling,
        "energy_min": np.minimum(need, ceiling),
        "keep": np.where(restart, 0.0, keep),
        "energy_in": np.minimum(
            np.where(restart, random.integers(0, 8, shape), 0)
            + some([1.0, 2.0], 0.2, named="arrivals"),
            ceiling,
        ),
        "energy_out": driven,
        "spill_max": some([2.0, 5.0], 0.5, named="spill"),
        "eta_charge": some([0.75, 0.875, 1.0], named="losses", otherwise=1.0),
        "eta_discharge": some([0.75, 0.875, 1.0], named="losses", otherwise=1.0),
        "retail_price": some([0.0, 0.25, 0.5], named="retail"),
    }
    plugged = table["keep"] + table["charge_max"] + table["discharge_max"] + table["energy_in"]
    table["energy_min"] = np.where(plugged + driven > 0, table["energy_min"], 0.0)
    if "billed" in features:
        table["need_billed"] = some([0.0, 4.0], 0.5)
    each = {
        "energy_initial": some(range(10), size=MEMBERS),
        "unserved_cost": cost,
        "wear": some([0.0625], named="wear", size=MEMBERS),
        "wear_charge": some([0.03125], named="wear_charge", size=MEMBERS),
        "slack_cost": some([0.03125, 0.5], 0.5, named="slack", otherwise=np.nan, size=MEMBERS),
        "calendar_cost": some([8.0], named="calendar", size=MEMBERS),
        "calendar_cost_soc": some([8760.0, 4380.0], named="calendar", size=MEMBERS),
        "aggregate": np.ones(MEMBERS),
    }
    data = {n: (("fleet", "time"), x.astype(float)) for n, x in table.items()}
    data |= {n: ("fleet", x.astype(float)) for n, x in each.items()}
    fleet = xr.Dataset(data, coords={"fleet": [f"ev-{k}" for k in range(MEMBERS)]})
    market = {"price": ("time", 62.5 * random.integers(-2, 9, steps)), "limit": 1e4}
    energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    time = pd.date_range("2026-01-05", periods=steps, freq="h", name="time")
    groups = {"fleet": fleet, "energy": energy}
    if {"reserves", "activation"} & features:
        energy["price"] = ("time", 62.5 * random.integers(1, 9, steps))
        groups["reserve"] = products_of_headroom(random, steps, features)
    return v2g.assemble(time, groups)


def products_of_headroom(random, steps, features) -> xr.Dataset:
    """One to four products that ask for room alone: up, down, both, or more one way."""
    names = [f"product-{k}" for k in range(random.integers(1, 5))]
    ways = np.array([(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 0.5), (0.25, 1.0)])
    up, down = random.permutation(ways)[: len(names)].T
    shape = (len(names), steps)
    called = random.choice([0.0, 0.125, 0.25], (2, *shape)) * ("activation" in features)
    table = {
        "capacity_price": 15.625 * random.integers(0, 7, shape),
        "activation_up": up[:, None] * called[0],
        "activation_down": down[:, None] * called[1],
        "volume_max": np.where(random.random(shape) < 0.8, np.inf, 0.0),
    }
    data = {n: (("product", "time"), x) for n, x in table.items()}
    data |= {"up": ("product", up), "down": ("product", down)}
    return xr.Dataset(data, coords={"product": names})


def wasting_pays(case: xr.DataTree) -> bool:
    """Whether room for reserves makes power worth less than the threshold of §1 for one vehicle.

    With room A a kW sold, prices y of room up and down that leave no product a gain are corners of
    {y >= 0: A y >= price}; there a kW injected adds y_down - y_up to the price of energy.
    """
    if "reserve" not in case:
        return False
    inputs = inputs_of(case, v2g.PARTS)
    f, d = (inputs.data[n].transpose(..., "time") for n in ("fleet", "reserve"))
    net = d.activation_up - d.activation_down
    both = (f.charge_max > 0) & (f.discharge_max > 0)
    kept = f.eta_charge * f.eta_discharge
    lost = f.wear_charge * f.eta_charge + f.wear / f.eta_discharge * kept
    for t, price in enumerate(inputs.data["energy"].price.isel(market=0).values):
        a = np.stack([x.isel(time=t) for x in (d.up - net, d.down + net)], 1)
        worth = d.capacity_price.isel(time=t).values * (d.volume_max.isel(time=t).values > 0)
        a, worth = np.vstack([a, np.eye(2)]), np.append(worth, [0.0, 0.0])
        slopes = []
        for i, j in combinations(range(len(a)), 2):
            if abs(np.linalg.det(a[[i, j]])) > 1e-9:
                y = np.linalg.solve(a[[i, j]], worth[[i, j]])
                if (a @ y >= worth - 1e-9).all():
                    slopes.append(y[1] - y[0])
        g = f.isel(time=t)
        mu = price + min(slopes) - g.retail_price * ("need_billed" not in f)
        pays = (1 - kept.isel(time=t)) * mu + lost.isel(time=t) < 1e-12
        if bool((pays & both.isel(time=t) & (kept.isel(time=t) < 1)).any()):
            return True
    return False


def as_in_one_model(case: xr.DataTree) -> None:
    """Same objective as HiGHS, a proven plan; where there is none, there is none for both."""
    try:
        whole = plan(case, method="whole", complementarity="off")
    except v2g.Infeasible:
        with pytest.raises(v2g.Infeasible):
            v2g.solve(case, method="oracle")
        return
    try:
        alone = v2g.solve(case, method="oracle")
    except v2g.SchemaError:
        assert wasting_pays(case)
        return
    # HiGHS takes prices below 1e-7 EUR for nothing
    assert close(alone.attrs["objective"], whole.attrs["objective"], 1e-6)
    assert alone.attrs["oracle_members"] == MEMBERS
    assert alone.attrs["certified_gap"] <= 1e-9


@pytest.mark.parametrize("feature", FEATURES)
@few(1)
@given(data=st.data())
def test_vehicles_one_by_one_by_feature(feature, data):
    """39: what a vehicle can do alone is planned as by one linear programme, feature by feature."""
    as_in_one_model(data.draw(members(frozenset((feature, "both ways", "needs")))))


@few(10)
@given(data=st.data())
def test_vehicles_one_by_one_do_everything_at_once(data):
    """39: and all features at once, or any of them."""
    chosen = data.draw(st.one_of(st.just(FEATURES), st.sets(st.sampled_from(FEATURES))))
    case = data.draw(members(frozenset(chosen)))
    as_in_one_model(case)

    inputs = inputs_of(case, v2g.PARTS)
    stays = vehicle_stays(inputs, np.arange(MEMBERS), inputs.pods)
    worth = inputs.data["energy"].price.to_numpy().ravel()
    held = inputs.data["reserve"].capacity_price.to_numpy() if "reserve" in case else None
    plans = oracle.by_numpy(stays, worth, held)
    loops = oracle.by_kernel(stays, worth, oracle_kernel.fill_plans, held)
    served = np.repeat(plans.missed == 0, np.diff(stays.first))
    assert ((loops.missed > 0) == (plans.missed > 0)).all()
    assert np.abs((loops.energy - plans.energy)[served]).max(initial=0.0) <= 1e-7
    assert np.abs((loops.moved - plans.moved)[served]).max(initial=0.0) <= 1e-7
    assert np.abs((loops.held - plans.held)[served]).max(initial=0.0) <= 1e-7


OWN_RULES = ("taper", "endurance", "physical", "budget", "box", "depth", "allowance")


@st.composite
def with_rules_of_their_own(draw, rule: str) -> xr.DataTree:
    """The same behind a limit, where every second vehicle, or a product, has a rule that the oracle
    cannot carry.
    """
    guaranteed = rule in ("endurance", "physical", "budget", "box")
    features = {"both ways", "needs", "wear", "restarts"} | ({"reserves"} if guaranteed else set())
    features |= draw(st.sets(st.sampled_from(["losses", "keep", "trips", "spill", "activation"])))
    if not guaranteed:
        features -= {"activation"}
    case = draw(members(frozenset(features)))
    second, nan = np.arange(MEMBERS) % 2 == 1, float("nan")
    fleet = case["fleet"].to_dataset().assign(aggregate=0.0)
    if rule == "taper":
        fleet["taper_from"], fleet["taper_to"] = ("fleet", np.where(second, 0.5, nan)), 0.25
    if rule == "allowance":
        fleet["allowance"] = ("fleet", np.where(second, 4.0, nan))
    if rule == "depth":
        fleet["replacement_cost"] = ("fleet", np.where(second, 100.0, nan))
        fleet["stress_factor"], fleet["stress_exponent"] = 5e-4, 2.0
    case["fleet"] = xr.DataTree(fleet)
    if guaranteed:
        told = {"guarantee": rule, "hours_up": 0.5, "hours_down": 0.5, "activation_cycle": 2.0}
        case["reserve"] = xr.DataTree(case["reserve"].to_dataset().assign(told))
    limit = xr.Dataset({"import_max": ("pod", [25.0])}, coords={"pod": ["site"]})
    case["connection"] = xr.DataTree(limit)
    return case


@pytest.mark.parametrize("rule", OWN_RULES)
@few(1)
@given(data=st.data())
def test_vehicles_in_batches_are_planned_as_in_one_model(rule, data):
    """40: linear programmes of a few vehicles answer prices where the oracle cannot."""
    case = data.draw(with_rules_of_their_own(rule))
    try:
        whole = plan(case, method="whole")
    except v2g.Infeasible:
        assume(False)
    mix = v2g.solve(case, method="decompose", gap=1e-9)
    best = whole.attrs["objective"]
    assert mix.attrs["batched_members"] > 0
    assert mix.attrs["bound"] >= best - 1e-6 * max(1.0, abs(best))
    if whole.attrs["binaries"] == 0:  # nobody would charge and discharge at once
        assert close(mix.attrs["objective"], best, 1e-6)


COUPLED = Wanted(reserve=False, connection=True, scenarios=False, lowest_price=1, billed=True)


@few(10)
@given(cases(COUPLED), st.booleans())
def test_a_bound_is_above_and_a_mix_below_the_best_plan(case, jumps):
    """40: behind limits, with several markets, spreads and blocks, value <= optimum <= bound in
    each round, and all are equal at the end; also where an interior point begins.
    """
    case["energy"]["virtual_bidding"] = 1.0
    whole = plan(case, method="whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interior_point, "_FEW_STEPS", 0 if jumps else 99)
        try:
            mix = v2g.solve(case, method="decompose", gap=1e-9)
        except v2g.SchemaError:
            assume(False)
    best, rounds = whole.attrs["objective"], mix["decomposition"].to_dataset()
    slip = 1e-7 * max(1.0, abs(best))
    assert (rounds.bound >= best - slip).all()
    assert mix.attrs["objective"] <= best + slip
    assert close(mix.attrs["objective"], best, 1e-6)
    assert close(mix.attrs["bound"], best, 1e-6)
