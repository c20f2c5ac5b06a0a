"""Sources of profit: by hand, and adding up to the ledger whatever the case."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, vehicle
from hypothesis import given
from hypothesis import strategies as st

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError
from v2g_linopy.study.profit_sources import SOURCES

TWO_PRICES = {"price_long": [20.0, 70.0], "price_short": [40.0, 90.0], "limit": 100.0}


def drawing(*, step: str = "1h", **fields):
    """A house draws 6 kW twice; 4 and 8 kW were bought at 50 EUR/MWh before."""
    bought = market(50.0, closed=1.0, committed=[-4.0, -8.0])
    return v2g.solve(
        case(None, bought, load={"baseline": [6.0, 6.0]}, imbalance=TWO_PRICES, step=step, **fields)
    )


@pytest.mark.parametrize(("step", "hours"), [("1h", 1.0), ("30min", 0.5)])
def test_by_hand(step, hours):
    """12 kWh at 50 cost 0.60 EUR. In the first hour 2 kWh more than expected: (50 - 40) x 2, in the
    second 2 less at 70: (50 - 70) x -2; both 0.02 and 0.04 EUR better than day-ahead.
    """
    found = v2g.profit_sources(drawing(step=step))
    assert found["energy"] == pytest.approx(-0.60 * hours)
    assert found["deviation"] == pytest.approx(0.06 * hours)
    assert found[["retail", "virtual", "later markets", "owners", "other"]].abs().max() < 1e-12


def test_what_was_bought_beyond_the_plan_is_virtual():
    """The plan expected 6 kW each hour: the two kW that were not bought, and those that were too
    much, are a bet that earned what the deviation did above.
    """
    result = drawing()
    expected = xr.full_like(result["energy"]["position"].isel(market=0, drop=True), -6.0)
    found = v2g.profit_sources(result, expected=expected)
    assert found["deviation"] == pytest.approx(0.0)
    assert found["virtual"] == pytest.approx(0.06)


def test_what_a_result_expected_stands_in_it():
    """The same 6 kW, written in the result, as a simulation leaves them; told otherwise, that
    counts.
    """
    bought = market(50.0, closed=1.0, committed=[-4.0, -8.0], expected=[-6.0, -6.0])
    house = {"baseline": [6.0, 6.0]}
    result = v2g.solve(case(None, bought, load=house, imbalance=TWO_PRICES))
    assert v2g.profit_sources(result)["virtual"] == pytest.approx(0.06)
    position = result["energy"]["position"].isel(market=0, drop=True)
    assert v2g.profit_sources(result, expected=position)["virtual"] == 0


@given(
    *(
        st.lists(st.integers(low, high), min_size=3, max_size=3)
        for low, high in ((-20, 90), (-40, 40), (0, 60), (-9, 9), (-9, 9), (0, 9))
    )
)
def test_sources_are_all_that_two_prices_settle(price, surplus, premium, position, expected, drawn):
    """Market, imbalance, drivers and owners leave nothing to the other entries, whatever the
    position, its expectation and the direction of imbalance.
    """
    bought = market(price, closed=1.0, committed=position, expected=expected)
    prices = {"price_long": surplus, "price_short": np.add(surplus, premium), "limit": 100.0}
    result = v2g.solve(case(None, bought, load={"baseline": drawn}, imbalance=prices))
    found = v2g.profit_sources(result)
    assert abs(found["other"]) < 1e-9
    settled = found[["energy", "deviation", "virtual"]].sum()
    assert settled == pytest.approx(result.attrs["objective"], abs=1e-9)


def test_known_prices_stand_beside_runs_that_are_the_same():
    """A run on another forecast, by another rule or of another car says nothing of known prices."""
    hours = {"price": ("time", [40.0, 50.0]), "limit": 99.0}
    groups = {
        "fleet": xr.Dataset(
            {
                **{"charge_max": 10.0, "energy_max": 10.0, "eta_charge": 1.0},
                "energy_min": ("time", [0.0, 10.0]),
            },
            coords={"fleet": ["ev"]},
        ),
        "energy": xr.Dataset(hours, coords={"market": ["day_ahead"]}),
        "imbalance": xr.Dataset({"price_long": ("time", [45.0, 25.0]), "limit": 99.0}),
        "gates": xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["day_ahead"]}),
    }
    time = pd.date_range("2026-03-02 08:00", periods=2, freq="h")
    tree = v2g.assemble(time, groups)

    def run(tree, **options):
        given = {"policy": "rule", "forecast": "perfect", "bids": "none", "hindsight": False}
        return v2g.simulate(tree, **given | options)

    published = run(tree, forecast="published")
    assert v2g.worth_of_known_prices(published, run(tree)) == pytest.approx(0.45 - 0.25)
    assert v2g.worth_of_known_prices(published, run(tree, bids="none")) == pytest.approx(0.2)
    slow = tree.copy()
    slow["fleet"] = slow["fleet"].to_dataset().assign(charge_max=8.0)
    wrong = {
        "forecast": published,
        "policy": run(tree, policy="latest"),
        "bids": run(tree, bids="known"),
        "fleet.charge_max": run(slow, policy="rule"),
    }
    for where, other in wrong.items():
        with pytest.raises(SchemaError) as caught:
            v2g.worth_of_known_prices(published, other)
        assert where in [p.where for p in caught.value.problems], where
    with pytest.raises(SchemaError) as caught:
        v2g.worth_of_known_prices(published, run(slow, forecast="published", policy="latest"))
    told = [p.where for p in caught.value.problems]
    assert told == ["forecast", "policy", "fleet.charge_max"], "everything at once"


def test_later_markets_are_told_apart():
    """1 kW is sold intraday at 60 while 6 kW are drawn: at 40 for what is missing, 0.02 EUR."""
    labels = {"market": ["day_ahead", "intraday"]}
    energy = xr.Dataset(
        {
            "price": ("market", [50.0, 60.0]),
            "limit": 100.0,
            "closed": 1.0,
            "committed": ("market", [-6.0, 1.0]),
        },
        coords=labels,
    )
    time = pd.date_range("2026-01-05", periods=1, freq="h")
    load = xr.Dataset({"baseline": 6.0}, coords={"load": ["house"]})
    settlement = xr.Dataset({"price_long": 20.0, "price_short": 40.0, "limit": 100.0})
    groups = {"load": load, "energy": energy, "imbalance": settlement}
    found = v2g.profit_sources(v2g.solve(v2g.assemble(time, groups, step_hours=1.0)))
    assert found["later markets"] == pytest.approx(0.02)
    assert found["energy"] == pytest.approx(-0.30)
    assert found.drop(["later markets", "energy"]).abs().max() < 1e-12


def test_steps_close_in_rows_and_columns():
    """No control, smart charging and V2G of one car with retail, wear and a market spread."""
    car = vehicle(
        energy_min=[0.0, 0.0, 0.0, 20.0],
        energy_max=30.0,
        retail_price=0.1,
        wear=0.01,
        eta_charge=0.9,
    )
    bids = market([50.0, 20.0, 60.0, 30.0], spread=2.0)
    both = {"price_long": [45.0, 25.0, 50.0, 20.0], "limit": 100.0}
    smart = case(car, bids, imbalance=both)
    plans = {
        "no control": v2g.solve(smart, fix={"fleet.charge": v2g.unmanaged(smart)}),
        "smart": v2g.solve(smart),
        "V2G": v2g.solve(case(car | {"discharge_max": 10.0}, bids, imbalance=both)),
    }
    table = v2g.profit_steps(plans)
    assert list(table.columns) == ["no control", "+ smart", "+ V2G", "total"]
    assert list(table.index) == [*SOURCES, "sum"]
    assert np.allclose(table.iloc[:, :-1].sum(axis=1), table["total"], atol=1e-12)
    assert table.loc["sum", "total"] == pytest.approx(plans["V2G"].attrs["objective"])
    assert table.loc["sum", "no control"] == pytest.approx(plans["no control"].attrs["objective"])
    assert table.loc["virtual"].abs().max() < 1e-12, "virtual bidding is off"


def test_what_is_missing_is_listed():
    with pytest.raises(SchemaError) as caught:
        v2g.profit_sources(v2g.solve(case(vehicle(), market([10.0]))))
    assert [p.where for p in caught.value.problems] == ["imbalance"]
    contract = {"supply_price": 100.0, "feed_in_price": 0.0}
    both = {"price_long": 20.0, "limit": 100.0}
    supplied = case(None, market([50.0]), None, contract, load={"baseline": [1.0]}, imbalance=both)
    supplied["energy"] = supplied["energy"].isel(market=slice(0))
    with pytest.raises(SchemaError, match="no market is traded in"):
        v2g.profit_sources(v2g.solve(supplied))
    with pytest.raises(SchemaError, match="not among: day_ahead"):
        v2g.profit_sources(drawing(), market="auction")
