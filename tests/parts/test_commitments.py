"""What was committed before: reserve that nobody can hold any more, and the caution of plans that
trade again.
"""

import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, row, storage
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.errors import Infeasible

NAN = float("nan")


def weak(**fields):
    """A battery that can only discharge, 10 kW in the first hour and 4 in the second."""
    return storage(energy_initial=10.0, charge_max=0.0, discharge_max=[10.0, 4.0], **fields)


def test_committed_capacity_that_nobody_holds_costs_its_price(pipeline):
    """10 kW upward are committed at 20 EUR/MW/h for two hours; in the second 4 kW are left, 6 kW
    are missing at 300.

    0.2 + 0.2 - 6 x 0.3 = -1.4 EUR. Proves the price of a shortfall; for nothing it would be 0.4.
    """
    sold = product(
        up=1.0, capacity_price=20, closed=1.0, committed=[10.0, 10.0], shortfall_price=300
    )
    result = pipeline(case(None, market([0, 0]), battery=weak(), reserve=sold))
    assert row(result, "reserve.volume") == [10, 10]
    assert row(result, "reserve.shortfall") == [0, 6]
    assert result.attrs["profit"] == approx(-1.4)
    assert float(result["ledger"]["reserve.shortfall"].sum()) == approx(-1.8)


def test_without_a_price_it_must_be_held():
    """The same, and no price for a shortfall: there is no plan. Proves that NaN is not 0 EUR."""
    sold = product(up=1.0, closed=1.0, committed=[10.0, 10.0])
    with pytest.raises(Infeasible):
        v2g.solve(case(None, market([0, 0]), battery=weak(), reserve=sold))


@pytest.mark.parametrize("committed", [0.0, 10.0])
def test_nothing_is_missing_while_the_gate_is_open(pipeline, committed):
    """The gate is open, and a shortfall would cost less than capacity earns: 10 and 4 kW are sold,
    none is missing.

    14 x 0.4 = 5.6 EUR. Proves that only what is committed behind a closed gate can be missed; else
    6 kW more would be sold in the second hour for 0.4 - 0.1."""
    sold = product(
        up=1.0, capacity_price=400, shortfall_price=100, volume_max=1000, committed=committed
    )
    result = pipeline(case(None, market([0, 0]), battery=weak(), reserve=sold))
    assert row(result, "reserve.volume") == [10, 4]
    assert result.attrs["profit"] == approx(5.6)


@pytest.mark.parametrize(
    "change", [{"shortfall": [0.0, 5.0]}, {"shortfall": [1.0, 6.0]}, {"shortfall": [0.0, 12.0]}]
)
def test_a_false_shortfall_is_found(change):
    """6 kW are missing in hour two: 5 leaves the volume unbacked, 1 in the first is too much, 12
    above all of it.
    """
    sold = product(
        up=1.0, capacity_price=20, closed=1.0, committed=[10.0, 10.0], shortfall_price=300
    )
    result = v2g.solve(case(None, market([0, 0]), battery=weak(), reserve=sold))
    group = result["reserve"].to_dataset()
    result["reserve"] = group.assign(shortfall=group.shortfall.copy(data=[change["shortfall"]]))
    assert not v2g.replay(result).attrs["passed"]


@pytest.mark.parametrize(("penalty", "day_ahead", "intraday"), [(0.0, 0, 5), (0.1, 5, 0)])
def test_a_cautious_plan_prefers_the_sure_market(penalty, day_ahead, intraday):
    """5 kW shine; day-ahead pays 50, intraday is expected at 51 and does pay it.

    With a penalty of a tenth a plan reckons with 51 x 0.9 = 45.9 and sells day-ahead: 0.50 instead
    of 0.51 EUR. Proves that the penalty moves the plan and not the settlement, which would be 0.459
    EUR of a sale within the day."""
    markets = {"day_ahead": market([50.0] * 2), "intraday": market([51.0] * 2)}
    tree = case(
        None,
        markets,
        renewable={"available": [5.0, 5.0]},
        imbalance={"price_long": [0.0, 0.0], "price_short": 500.0, "limit": 100.0},
    )
    gates = {
        "hour": ("gate", [12.0, NAN]),
        "lead": ("gate", [NAN, 1.0]),
        "penalty": ("gate", [0.0, penalty]),
    }
    tree["gates"] = xr.DataTree(
        xr.Dataset(gates, coords={"gate": pd.Index(["day_ahead", "intraday"])})
    )
    result = v2g.simulate(tree, hindsight=False)
    assert row(result, "energy.position", market="day_ahead") == [day_ahead] * 2
    assert row(result, "energy.position", market="intraday") == [intraday] * 2
    assert result.attrs["profit"] == approx(0.01 * (50 * day_ahead + 51 * intraday) / 5)
