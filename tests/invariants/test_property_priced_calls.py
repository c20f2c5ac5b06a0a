"""What calls cost, on drawn states (docs/formulation.md §15: 45): rows of sets of states and
columns of states are the same model, and calls that are priced never earn more than their mean.
"""

from unittest.mock import patch

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, vehicle
from hypothesis import settings
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.parts.markets.reserve import priced_calls

MANY = settings().max_examples > 10
SEEDS = range(300 if MANY else 6)


def drawn(rng: np.random.Generator) -> xr.DataTree:
    """Two steps of a lossy vehicle that sells one or two products, told by 3 to 6 states."""
    names = ["a", "b"][: rng.integers(1, 3)]
    products = {
        name: product(
            up=float(rng.choice([0.0, 0.5, 1.0])) if name == "b" else 1.0,
            down=1.0,
            capacity_price=list(rng.uniform(5, 80, 2)),
        )
        for name in names
    }
    van = vehicle(
        energy_max=20.0,
        energy_initial=float(rng.uniform(2, 18)),
        eta_charge=float(rng.uniform(0.8, 1)),
        eta_discharge=float(rng.uniform(0.8, 1)),
        discharge_max=10.0,
        wear=float(rng.uniform(0, 0.1)),
        keep=float(rng.choice([1.0, 0.97])),
    )
    tree = case(van, market(list(rng.uniform(0, 200, 2))), products)
    states = int(rng.integers(3, 7))
    held = tree["reserve"].to_dataset()
    low, high = -held.down.to_numpy()[:, None], held.up.to_numpy()[:, None]
    if rng.random() < 0.5:  # one signal for all, else any
        place = np.sort(rng.uniform(0, 1, states))[None]
    else:
        place = rng.uniform(0, 1, (len(names), states))
    share = rng.dirichlet(np.ones(states), 2).T
    held = held.assign_coords(call_state=[f"s{n}" for n in range(states)])
    held["call"] = (("product", "call_state"), low + place * (high - low))
    held["call_share"] = (("call_state", "time"), share)
    return tree.assign(reserve=xr.DataTree(held))


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_are_columns_and_priced_calls_earn_no_more_than_their_mean(seed):
    """Netted, the product is sold by the mean of the same states."""
    tree = drawn(np.random.default_rng(seed))
    profit = v2g.solve(tree).attrs["profit"]
    with patch.object(priced_calls, "MOST_ROWS", -1):
        by_columns = v2g.solve(tree)
    assert profit == approx(by_columns.attrs["profit"], rel=1e-9, abs=1e-9)

    held = priced_calls.with_mean_activation(tree["reserve"].to_dataset())
    netted = held.drop_vars(["call", "call_share", "call_state"])
    assert profit <= v2g.solve(tree.assign(reserve=xr.DataTree(netted))).attrs["profit"] + 1e-9


@pytest.mark.parametrize("seed", SEEDS[: 40 if MANY else 2])
def test_states_without_a_call_change_nothing(seed):
    """All states call nothing: the plan is that of a product that is never activated."""
    tree = drawn(np.random.default_rng(seed))
    held = tree["reserve"].to_dataset()
    silent = held.assign(call=0.0 * held.call)
    never = held.drop_vars(["call", "call_share", "call_state"])
    one, other = (v2g.solve(tree.assign(reserve=xr.DataTree(d))) for d in (silent, never))
    assert one.attrs["profit"] == approx(other.attrs["profit"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_acceptance_is_a_state_in_which_nothing_is_called(seed):
    """Offers that may be refused are those of states told by hand: each set of accepted products
    with each state, and capacity paid in the mean. An acceptance of 1 changes no number.
    """
    rng = np.random.default_rng([seed, 1])
    tree = drawn(rng)
    held = tree["reserve"].to_dataset()
    likely = rng.uniform(0, 1, (held.sizes["product"], 2))
    offered = held.assign(accept_probability=(("product", "time"), likely))
    result = v2g.solve(tree.assign(reserve=xr.DataTree(offered)))
    assert result["audit"].attrs["passed"]

    call, share = [], []
    for taken in np.ndindex(*[2] * held.sizes["product"]):
        chosen = np.array(taken)[:, None]
        call.append(held.call.values * chosen)
        share.append(held.call_share.values * np.where(chosen, likely, 1 - likely).prod(axis=0))
    told = held.drop_dims("call_state").assign_coords(call_state=range(len(share) * len(share[0])))
    told["call"] = (("product", "call_state"), np.concatenate(call, axis=1))
    told["call_share"] = (("call_state", "time"), np.concatenate(share))
    told["capacity_price"] = held.capacity_price * likely
    by_hand = v2g.solve(tree.assign(reserve=xr.DataTree(told)))
    assert result.attrs["profit"] == approx(by_hand.attrs["profit"], rel=1e-7, abs=1e-8)

    sure = held.assign(accept_probability=1.0)
    one, other = (v2g.solve(tree.assign(reserve=xr.DataTree(d))) for d in (sure, held))
    assert one.attrs["objective"] == other.attrs["objective"]
    assert one["fleet"].energy.equals(other["fleet"].energy)
