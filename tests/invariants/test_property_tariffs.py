"""What holds of every tariff: the peak of the linear programme is the sorted one and that of a
search with binaries.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from cases import case, market, storage
from hypothesis import given
from hypothesis import strategies as st
from invariants.changes import close, edit, group, plan
from invariants.strategies import cases
from invariants.wanted import CENTS, Draw, Wanted, few, rows
from scipy.optimize import Bounds, LinearConstraint, milp

import v2g_linopy as v2g


@dataclass(frozen=True)
class House:
    """Hours of load from 20:00 UTC on, across midnight, with a lossless battery and a tariff on the
    K largest.
    """

    load: np.ndarray
    price: np.ndarray  # sixteenths of a EUR/kWh
    weight: np.ndarray
    stored: int
    count: int
    daily: bool
    charged: float  # EUR/kW

    def tree(self, **more: Any) -> xr.DataTree:
        """As a case."""
        tariff = {
            "peak_price": self.charged,
            "peak_count": float(self.count),
            "peak_weight": self.weight,
        }
        tariff["peak_period"] = "day" if self.daily else "hour"
        battery = storage(
            charge_max=2.0, discharge_max=2.0, energy_max=4.0, energy_initial=float(self.stored)
        )
        given = {"connection": tariff | more, "load": {"baseline": self.load}, "battery": battery}
        return case(None, market(self.price * CENTS), start="2026-01-05 20:00", **given)

    def largest(self, drawn: np.ndarray) -> float:
        """The mean of the K largest periods of a plan, by sorting."""
        hours = self.weight * drawn
        periods = (
            [hours[:4].max(), *([hours[4:].max()] if len(hours) > 4 else [])]
            if self.daily
            else list(hours)
        )
        known = sorted(periods, reverse=True)[: self.count]
        return float(sum(known) / len(known))


@st.composite
def houses(draw: Draw) -> House:
    steps = draw(st.integers(2, 7))
    return House(
        load=draw(rows((0, 1, 3, 6), steps)),
        price=draw(rows((0, 1, 2, 5), steps)),
        weight=draw(rows((0.0, 0.5, 1.0, 1.0, 1.5), steps)),
        stored=draw(st.integers(0, 4)),
        count=draw(st.integers(1, 4)),
        daily=draw(st.booleans()),
        charged=draw(st.sampled_from((1 / 16, 1 / 4, 4.0))),
    )


def searched(h: House) -> float:
    """The least cost by binaries that pick the K largest periods, written for scipy from the text
    of the tariff.

    Columns: import, export, charge, discharge, energy of each hour; period, picked, value of each
    period; the lowest one picked. A period is at least each of its hours; picked ones are no less
    than the lowest, the others no more."""
    n, big = len(h.load), 40.0
    of = [int(t >= 4) for t in range(n)] if h.daily else list(range(n))
    m = max(of) + 1
    count = min(h.count, m)
    size = 5 * n + 3 * m + 1
    drawn, fed, c, g, e = (np.eye(size)[i * n : (i + 1) * n] for i in range(5))
    period, picked, value = (np.eye(size)[5 * n + i * m : 5 * n + (i + 1) * m] for i in range(3))
    lowest = np.eye(size)[-1]
    hourly = h.weight[:, None] * drawn
    equal = LinearConstraint(drawn - fed - c + g, h.load, h.load)
    before = np.vstack([np.zeros(size), e[:-1]])
    start = np.zeros(n)
    start[0] = h.stored
    constraints = [
        equal,
        LinearConstraint(e - before - c + g, start, start),
        LinearConstraint(period[of] - hourly, 0, np.inf),
        LinearConstraint(picked.sum(0), count, count),
        LinearConstraint(value - period - big * picked, -big, np.inf),
        LinearConstraint(period - lowest - big * picked, -np.inf, 0),
        LinearConstraint(period - lowest - big * picked, -big, np.inf),
    ]
    prices = h.price * CENTS / 1000
    cost = prices @ (drawn - fed) + h.charged / count * value.sum(0)
    upper = np.concatenate(
        [np.full(2 * n, 20.0), np.full(2 * n, 2.0), np.full(n, 4.0), np.full(size - 5 * n, big)]
    )
    upper[5 * n + m : 5 * n + 2 * m] = 1
    whole = np.zeros(size)
    whole[5 * n + m : 5 * n + 2 * m] = 1
    found = milp(
        cost,
        constraints=constraints,
        bounds=Bounds(0, upper),
        integrality=whole,
        options={"mip_rel_gap": 0},
    )
    assert found.success
    return float(-found.fun)


@few(12)
@given(h=houses())
def test_the_peak_is_the_sorted_one_and_that_of_binaries(h):
    """No binaries in the model, and yet the plan of the search; its charge is that of the hours it
    was written with.
    """
    result = plan(h.tree(), audit=True, complementarity="off")
    assert result.attrs["binaries"] == 0
    drawn = result["connection"]["import_"].values.ravel()
    assert (
        abs(float(result["ledger"]["connection.peak"].sum()) + h.charged * h.largest(drawn)) < 1e-9
    )
    assert close(float(result.attrs["objective"]), searched(h), 1e-7)


@few(6)
@given(h=houses(), other=st.integers(1, 6))
def test_a_mean_of_more_periods_is_no_larger(h, other):
    """The mean of the K largest falls with K: so does the bill of the best plan."""
    more = House(h.load, h.price, h.weight, h.stored, h.count + other, h.daily, h.charged)
    assert plan(more.tree()).attrs["objective"] >= plan(h.tree()).attrs["objective"] - 1e-8


@few(6)
@given(h=houses(), k=st.sampled_from((0.25, 4.0)))
def test_scaling_every_price_scales_the_bill(h, k):
    """3: k times every euro of a contract, its fees and its capacity charges is k times the
    objective.
    """
    prices = {
        "supply_price": 200.0,
        "feed_in_price": 20.0,
        "fee_import": 10.0,
        "fee_export": 5.0,
        "tax": 8.0,
    }
    prices |= {
        "usage_cost": 1 / 64,
        "fixed_cost": 500.0,
        "capacity_cost": 60.0,
        "subscribed_price": 90.0,
    }
    prices |= {"overrun_price": 0.5}
    rest = {"vat": 0.25, "capacity": 3.0, "subscribed": 2.0}
    scaled = {name: k * price for name, price in prices.items()} | {"peak_price": k * h.charged}
    assert close(
        plan(h.tree(**rest, **scaled)).attrs["objective"],
        k * plan(h.tree(**rest, **prices)).attrs["objective"],
    )


@few(6)
@given(tree=cases(Wanted(connection=True)))
def test_a_tariff_without_prices_changes_nothing(tree):
    """31: fields of a tariff that costs nothing leave objective and ledger as they are."""
    given = group(tree, "connection")
    pods = given.indexes["pod"]
    idle = {
        "peak_count": 3.0,
        "vat": 0.2,
        "subscribed": 1.0,
        "capacity": 5.0,
        "peak_weight": 0.5,
        "hour_initial": 2.0,
    }
    idle |= dict.fromkeys(
        ("fee_import", "fee_export", "tax", "peak_price", "overrun_price", "fixed_cost"), 0.0
    )
    added = given.assign(
        {n: xr.DataArray(np.full(len(pods), x), coords={"pod": pods}) for n, x in idle.items()}
    )
    before, after = plan(tree), plan(edit(tree, connection=added))
    assert close(before.attrs["objective"], after.attrs["objective"])
    assert set(before["ledger"].data_vars) == set(after["ledger"].data_vars)


@few(6)
@given(h=houses())
def test_a_contract_at_the_price_of_the_market_is_the_market(h):
    """A supplier who buys and sells at the market's price leaves the pod as it is, and the market
    without it.
    """
    price = h.price * CENTS
    plain, supplied = plan(h.tree()), plan(h.tree(supply_price=price, feed_in_price=price))
    assert close(plain.attrs["objective"], supplied.attrs["objective"])
    assert float(abs(supplied["energy"]["position"]).max()) < 1e-9
    assert v2g.replay(supplied).attrs["passed"] == 1
