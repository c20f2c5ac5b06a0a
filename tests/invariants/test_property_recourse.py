"""Reserves whose calls are bought back, on drawn cases (docs/formulation.md §15: 10, 11, 24).

A case is drawn from a seed by numpy, as its numbers have to be uneven to be tight.
"""

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants.changes import at_least, close, edit, group, objective, plan

import v2g_linopy as v2g
from v2g_linopy.solve import audit

MANY = settings().max_examples > 10
"""Whether all cases are drawn (`make prove`), or a few."""
SIDES = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 0.2))  # kW up and down per kW sold
MOST = 40_000 if MANY else 2_000
SEEDS = st.integers(0, 2**32 - 1)


def few(many: int, count: int) -> settings:
    """Settings with so many examples in `make prove`, and a few elsewhere."""
    return settings(max_examples=many if MANY else count)


def drawn(seed: int, steps: tuple[int, int] = (4, 7), activation: bool = True) -> xr.DataTree:
    """One or two vehicles with losses, restarts and leaks; one or two products with recourse."""
    random = np.random.default_rng(seed)
    size, many, offered = (
        int(random.integers(*x)) for x in ((steps[0], steps[1] + 1), (1, 3), (1, 3))
    )
    hours = float(random.choice([0.5, 1.0]))
    time = pd.date_range("2026-03-02", periods=size, freq=f"{int(60 * hours)}min")
    shape, both = (many, size), ("fleet", "time")
    plugged = random.random(shape) > 0.1
    charge = random.choice([0.0, 5.0, 10.0], (many, 1), p=[0.1, 0.4, 0.5]) * plugged
    capacity = random.uniform(5, 30, (many, 1))
    keep = np.where(random.random(shape) < 0.12, 0.0, random.choice([1.0, 0.95], (many, 1)))
    keep[:, 0] = 1.0
    need = np.zeros(shape)
    need[:, -1] = random.uniform(0, 0.4, many) * capacity[:, 0]
    fleet = {
        "charge_max": (both, charge),
        "discharge_max": (both, random.choice([0.0, 5.0, 10.0], (many, 1)) * (charge > 0)),
        "energy_max": ("fleet", capacity[:, 0]),
        "energy_min": (both, need),
        "keep": (both, keep),
        "energy_in": (both, np.where(keep == 0, random.uniform(0, 1, shape) * capacity, 0.0)),
        "energy_initial": ("fleet", random.uniform(0.2, 0.9, many) * capacity[:, 0]),
        "eta_charge": float(random.choice([0.8, 0.9, 1.0])),
        "eta_discharge": float(random.choice([0.8, 0.9, 1.0])),
        "unserved_cost": 1.0,
        "wear": 0.01,
    }
    up, down = np.array([SIDES[random.integers(4)] for _ in range(offered)]).T
    delay, cycle = int(random.integers(1, 3)), int(random.choice([1, 3, 4]))
    reserve = {
        "up": ("product", up),
        "down": ("product", down),
        "guarantee": ("product", ["recourse"] * offered),
        "recovery_delay": ("product", [delay * hours] * offered),
        "capacity_price": (("product", "time"), random.uniform(1, 60, (offered, size))),
    }
    if cycle > 1:
        reserve["activation_cycle"] = ("product", [cycle * hours] * offered)
    if activation and random.random() < 0.4:
        reserve["activation_up"] = ("product", random.choice([0.0, 0.1, 0.3]) * up)
        reserve["activation_down"] = ("product", random.choice([0.0, 0.1, 0.3]) * down)
    energy = {
        "price": (("market", "time"), random.uniform(5, 100, (1, size))),
        "limit": float(random.choice([1000.0, 12.0])),
    }
    groups = {
        "fleet": xr.Dataset(fleet, coords={"fleet": [f"ev-{i}" for i in range(many)]}),
        "energy": xr.Dataset(energy, coords={"market": ["day_ahead"]}),
        "reserve": xr.Dataset(reserve, coords={"product": [f"r-{i}" for i in range(offered)]}),
    }
    return v2g.assemble(time, {n: d.assign_coords(time=time) for n, d in groups.items()})


def broken(result: xr.DataTree, seed: int) -> float:
    """The worst that a member is short of, under the extreme signals and random ones (kWh, kW)."""
    try:
        every = v2g.extreme_signals(result)
    except v2g.SchemaError:
        every = v2g.random_signals(result, MOST, seed=seed + 1)
    if every.sizes["signal"] > MOST:
        some = np.random.default_rng(seed).choice(every.sizes["signal"], MOST, replace=False)
        every = every.isel(signal=some)
    worst = 0.0
    for signals in (every, v2g.random_signals(result, MOST // 20, seed=seed)):
        found = v2g.stress(result, signals)
        assert float(found.admissible.min()) == 1
        worst = max(
            worst,
            *(float(found[n].max()) for n in ("violation_energy", "violation_power", "missed")),
        )
    return worst


@few(500, 3)
@given(SEEDS)
def test_every_admissible_signal_is_bought_back(seed):
    """11: no signal that the products admit breaks a limit of a member, once the policy brings back
    what earlier calls have moved.
    """
    assert broken(v2g.solve(drawn(seed)), seed) <= 1e-6


def level(case: xr.DataTree, guarantee: str) -> xr.DataTree:
    """The case with another guarantee of all its products."""
    reserve = group(case, "reserve")
    many = reserve.sizes["product"]
    return edit(case, reserve=reserve.assign(guarantee=("product", [guarantee] * many)))


@few(100, 2)
@given(SEEDS)
def test_recourse_is_worth_what_lies_between(seed):
    """10: for the same calls budget, or box, ≤ recourse ≤ physical, where none is expected."""
    case = drawn(seed, activation=False)
    less = "budget" if "activation_cycle" in case["reserve"] else "box"
    earned = [
        objective(level(case, name), complementarity="off")
        for name in ("physical", "recourse", less)
    ]
    assert all(at_least(a, b) for a, b in zip(earned, earned[1:], strict=False)), earned


@few(100, 3)
@given(SEEDS, st.integers(1, 3))
def test_windows_hand_over_what_is_owed(seed, steps):
    """24: what the first steps earn, and the plan of the rest with what calls there may have moved,
    is the plan of the whole.
    """
    case = drawn(seed)
    whole = plan(case, complementarity="off")
    earned = sum(
        float(x.isel(time=slice(steps)).sum())
        for x in whole["ledger"].data_vars.values()
        if "time" in x.dims
    )
    rest = case.isel(time=slice(steps, None))
    done = whole["fleet"].to_dataset().isel(time=steps - 1, drop=True)
    begins = {
        into: done[out].drop_attrs()
        for into, out in v2g.PARTS["fleet"].state_inputs.items()
        if out in done
    }
    left = audit.next_states_of_result(whole, steps).get("reserve", {})
    known = {name: x.assign_attrs(units="kWh") for name, x in left.items()}
    fleet, reserve = group(rest, "fleet"), group(rest, "reserve")
    later = edit(rest, fleet=fleet.assign(begins), reserve=reserve.assign(known))
    assert close(
        earned + objective(later, complementarity="off"), float(whole.attrs["objective"]), 1e-7
    )
