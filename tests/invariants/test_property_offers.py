"""The price of an offer as a decision, against one solve for each of twenty prices
(docs/formulation.md §15: 47).
"""

from itertools import product as every_pair

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, vehicle
from hypothesis import settings
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.report.schedule_and_bids import bids

MANY = settings().max_examples > 10
EVERY = [*every_pair(("bid", "cleared"), ("never", "mean", "on-off"))]
CASES = EVERY if MANY else [("cleared", "on-off")]
PRICES = 20 if MANY else 6


def history() -> xr.DataArray:
    """500 marginal prices about 48 EUR/MW/h."""
    drawn = np.random.default_rng(1).gamma(4, 12, 500)
    return xr.DataArray(drawn, {"time": pd.date_range("2025-01-01", periods=500, freq="h")})


def priced(**fields: object) -> xr.DataTree:
    """Two hours, one block, of a vehicle that sells a product at a price of its own."""
    sold = product(up=1.0, down=1.0, capacity_price=[0.0, 0.0], block=2.0, **fields)
    car = vehicle(energy_initial=8.0, energy_max=20.0, wear=0.05, discharge_max=10.0)
    car |= {"eta_charge": 0.8, "eta_discharge": 0.8}
    return case(car, market([20.0, 80.0]), sold)


def at(tree: xr.DataTree, offer: xr.Dataset) -> xr.DataTree:
    """The case with one offer alone."""
    names = "accept_probability", "capacity_price"
    fields = {n: offer[n].reset_coords(drop=True) for n in names}
    return tree.assign(reserve=xr.DataTree(tree["reserve"].to_dataset().assign(fields)))


@pytest.mark.parametrize(("paid_as", "called"), CASES)
def test_the_own_price_is_the_best_of_twenty(paid_as, called):
    """One solve for each price, of six in `make test`; the best of them is the plan that chooses.
    Where the product is never called it is a linear programme. Split into several offers a volume
    earns no less.
    """
    curve = v2g.fitted_acceptance(history(), PRICES, paid_as=paid_as)
    backed = {"guarantee": "endurance", "hours_up": 0.25, "hours_down": 0.25}
    shares = {"activation_up": 0.3, "activation_down": 0.2}
    tree = priced(**(backed if called == "never" else shares))
    tree = v2g.with_on_off_calls(tree) if called == "on-off" else tree
    each = [v2g.solve(at(tree, curve.isel(offer=k))).attrs["profit"] for k in range(PRICES)]

    chosen = v2g.with_offers(tree, "regulation", curve, one_price=True)
    assert chosen["reserve"].sizes["product"] == (1 if called == "never" else PRICES)
    result = v2g.solve(chosen, gap=0)
    assert result.attrs["profit"] == approx(max(each), abs=1e-6)
    assert result["audit"].attrs["passed"]
    best = curve.isel(offer=int(np.argmax(each)))
    row = bids(result).set_index("market").loc["regulation"]
    assert row.price == approx(best.bid_price.item(), abs=1e-5)
    assert row.accept_probability == approx(best.accept_probability.item())

    split = v2g.solve(v2g.with_offers(tree, "regulation", curve))
    assert split.attrs["profit"] >= max(each) - 1e-9
    assert split["audit"].attrs["passed"]
