"""Sessions operated one by one against the plan of the whole that knows everything
(docs/formulation.md §15)."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from contracts_made import full_cars, menu, parked
from hypothesis import given
from hypothesis import strategies as st
from sessions_made import START, stays, steps
from wanted import few

import v2g_linopy as v2g

STEPS = 12


def drawn(seed: int) -> xr.DataTree:
    """A few sessions of whole and broken hours, with losses, wear, floors and what drivers pay for
    net energy, half of them under limits of their owners; prices of -40 to 120 EUR/MWh.
    """
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 5))
    arrival = rng.integers(0, 2 * STEPS - 6, count) / 2
    departure = np.minimum(arrival + rng.integers(2, 16, count) / 2, STEPS)
    came = rng.integers(5, 30, count).astype(float)
    reach = came + 0.9 * 10 * (departure - arrival)
    cars = stays(
        *zip(arrival, departure, strict=True),
        energy_arrival=came,
        energy_need=np.minimum(np.minimum(came + rng.integers(0, 20, count), reach), 40.0),
        energy_floor=rng.choice([0.0, 8.0]),
        discharge_max=rng.choice([0.0, 5.0, 10.0], count),
        eta_charge=rng.choice([1.0, 0.9]),
        eta_discharge=rng.choice([1.0, 0.8]),
    )
    fleet, table = v2g.sessions_to_fleet(cars, steps(STEPS))
    limits = rng.uniform(0, 12, count)[np.maximum(fleet.session.to_numpy(), 0)]
    if rng.random() < 0.5:
        fleet["allowance"] = ("fleet", "time"), np.where(fleet.session >= 0, limits, np.nan)
    fleet = fleet.drop_vars("need_billed", errors="ignore")
    fleet = fleet.assign(wear=rng.choice([0.0, 0.01]), retail_price=rng.choice([0.0, 0.02]))
    price = rng.integers(-40, 120, STEPS).astype(float)
    limit = {"limit": ((), 1000.0, {"units": "kW"})}
    market = {"price": (("market", "time"), [price]), **limit}
    groups = {"fleet": fleet, "sessions": table, "energy": xr.Dataset(market, {"market": ["da"]})}
    groups["imbalance"] = xr.Dataset({"price_long": ("time", price), **limit})
    return v2g.assemble(steps(STEPS), groups)


@few(6)
@given(st.integers(0, 2**32 - 1))
def test_the_rule_with_perfect_prices_is_the_best_plan_of_the_whole(seed):
    """Who knows prices, and each session from its arrival on, earns as much as who knows all.

    The best plan is found by the model of the whole, with binaries; the audit replays the other.
    What is not fed in as it would gain next to nothing is worth less than 1e-6 EUR/kWh.
    """
    tree = drawn(seed)
    best = v2g.solve(tree, complementarity="milp")
    rule = v2g.simulate(tree, policy="rule", forecast="perfect", bids="none", hindsight=False)
    assert rule["audit"].attrs["passed"] == 1
    assert rule.attrs["objective"] == pytest.approx(best.attrs["objective"], abs=2e-4)


@few(3)
@given(st.integers(0, 2**32 - 1))
def test_every_rule_serves_what_the_charger_can(seed):
    """At once or late, nothing is left unserved, and no rule earns more than the best plan."""
    tree = drawn(seed)
    best = v2g.solve(tree).attrs["objective"]
    for policy in ("unmanaged", "latest"):
        result = v2g.simulate(tree, policy=policy, bids="none", hindsight=False)
        assert result["audit"].attrs["passed"] == 1
        assert float(result["sessions"].energy_unserved.max()) < 1e-6
        assert result.attrs["objective"] <= best + 1e-6


@few(5)
@given(st.integers(0, 2**32 - 1))
def test_what_owners_miss_is_called_once_and_lowers_what_they_are_paid(seed):
    """Cars under a menu whose chargers are off for some time: what is given is at most what is
    called, and that at most what was sold; who is never off gives all that is called; each is owed
    its payment less the share that it missed, and the bill and the audit say so.
    """
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 5))
    spans = [(begin, begin + length) for begin, length in rng.integers(0, 6, (count, 2)) + [0, 3]]
    cars = full_cars(*spans, discharge_max=rng.choice([2.0, 5.0, 10.0], count))
    off = rng.uniform(0, 6, count)
    never = rng.random(count) < 0.4
    hours = {"switched_off": off, "switched_on": off + rng.uniform(0.2, 4, count)}
    moments = {
        name: (START + pd.to_timedelta(x, unit="h")).where(~never).to_numpy("datetime64[ns]")
        for name, x in hours.items()
    }
    cars = cars.assign({n: ("session", x) for n, x in moments.items()})
    price = rng.integers(0, 100, 24).astype(float).tolist()
    options = {"policy": "rule", "forecast": "perfect", "bids": "none", "hindsight": False}
    result = v2g.simulate(parked(cars, price), contracts=menu(), seed=seed % 1000, **options)
    assert result["audit"].attrs["passed"] == 1 and not v2g.verify(result).problems

    sessions = result["sessions"].to_dataset()
    sold, called, given_ = (
        sessions[n].values for n in ("contract_energy", "energy_called", "energy_discharged")
    )
    assert (given_ <= called + 1e-6).all() and (called <= sold + 1e-6).all()
    assert np.allclose(given_[never], called[never], atol=1e-6)
    held = sessions.contract.values >= 0
    share = 1 - (called - given_)[held] / sold[held]
    owed = float((sessions.contract_payment.values[held] * share).sum())
    assert -float(result["ledger"]["contract.owners"].sum()) == pytest.approx(owed, abs=1e-6)
