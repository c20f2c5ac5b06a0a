"""Bid curves: a quantity for each price, decided before the scenario is known."""

import pytest
import xarray as xr
from cases import case, market, row, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.report import tables

QUARTERS = dict.fromkeys(("a", "b", "c", "d"), 0.25)
PRICES = {"a": [10], "b": [50], "c": [20], "d": [40]}
ROOF = {"available": 10.0, "cost": 0.03}


@pytest.mark.parametrize(
    ("bid", "first_stage", "profit"),
    [("quantity", 1, 0.0), ("curve", 1, 0.075), ("curve", 0, 0.075)],
)
def test_a_plant_sells_where_the_price_pays_for_it(pipeline, bid, first_stage, profit):
    """10 kW that cost 30 EUR/MWh, prices 10, 20, 40, 50: one quantity earns the mean less the cost,
    0.

    With a curve it sells at 40 and 50 only: (10 + 20) EUR/MWh x 10 kWh x 1/4 = 0.075 EUR, all that
    is to be had."""
    tree = case(
        None, market(PRICES, bid=bid, first_stage=first_stage), renewable=ROOF, scenarios=QUARTERS
    )
    assert pipeline(tree).attrs["profit"] == approx(profit)


def test_equal_prices_have_equal_quantities(pipeline):
    """Price 20 with 10 or 4 kW of sun: the curve names one quantity for it, 10, and 6 are bought
    back intraday at 25.

    4 sold and 6 given away would earn 0.08; 10 sold earn 0.20 - 0.15 in the dull half: (0.20 +
    0.05) / 2 = 0.125. Knowing the sun: (0.20 + 0.08) / 2 = 0.14. Without the row for equal prices
    the curve would earn 0.14."""
    sun = {"roof": {"available": {"bright": [10], "dull": [4]}}}
    gates = {
        "day_ahead": market([20], bid="curve"),
        "intraday": market([25], spread=0, first_stage=0, limit={"bright": [0], "dull": [100]}),
    }
    tree = case(None, gates, renewable=sun, scenarios={"bright": 0.5, "dull": 0.5})
    tree["energy"] = tree["energy"].to_dataset(inherit=False).assign(virtual_bidding=1.0)
    result = pipeline(tree)
    assert result.attrs["profit"] == approx(0.125)
    assert row(result, "energy.position", market="day_ahead") == [10, 10]


def test_a_higher_price_never_sells_less(pipeline):
    """At 20 there are 10 kW of sun, at 40 there are 4: what is sold at 20 may not be more, so 4 at
    both prices.

    4 x (20 + 40) / 2 = 0.12 EUR; without the row 10 x 20 and 4 x 40, in the mean 0.18.
    """
    sun = {"roof": {"available": {"low": [10], "high": [4]}}}
    prices = {"low": [20], "high": [40]}
    result = pipeline(
        case(None, market(prices, bid="curve"), renewable=sun, scenarios={"low": 0.5, "high": 0.5})
    )
    assert result.attrs["profit"] == approx(0.12)
    assert row(result, "energy.position") == [4, 4]


def test_every_step_has_an_order_of_its_own(pipeline):
    """Prices 10 and 50 now, 50 and 10 then: each hour is sorted by itself; the plant sells in one
    scenario of each.

    0.2 x 2 hours / 2 = 0.20 EUR. With the order of the first hour in both, the second would sell
    nothing or lose."""
    prices = {"a": [10, 50], "b": [50, 10]}
    tree = case(None, market(prices, bid="curve"), renewable=ROOF, scenarios={"a": 0.5, "b": 0.5})
    result = pipeline(tree)
    assert result.attrs["profit"] == approx(0.20)
    assert row(result, "energy.position") == [0, 10, 10, 0]


def test_each_market_has_its_own_bid(pipeline):
    """Day-ahead takes one quantity, intraday a curve: the sun is sold intraday at 40 and 50,
    nothing day-ahead at 30.

    0.075 EUR, as with intraday alone; were the curve day-ahead's, one quantity intraday would earn
    0."""
    gates = {"day_ahead": market([30]), "intraday": market(PRICES, bid="curve")}
    result = pipeline(case(None, gates, renewable=ROOF, scenarios=QUARTERS))
    assert result.attrs["profit"] == approx(0.075)
    assert row(result, "energy.position", market="intraday") == [0, 10, 0, 10]


def test_a_closed_gate_has_no_curve(pipeline):
    """Once the gate has closed the position is what was committed, 5 kW at every price: 5 x (30 -
    30) = 0 EUR.
    """
    tree = case(
        None, market(PRICES, bid="curve", closed=1, committed=5), renewable=ROOF, scenarios=QUARTERS
    )
    result = pipeline(tree)
    assert row(result, "energy.position") == [5, 5, 5, 5]
    assert tables.bid_curves(result).empty


def test_without_scenarios_a_curve_is_a_quantity(pipeline):
    """One future has one price: the same plan and profit, 0.10 EUR of 10 kWh at 40 less 30."""
    assert pipeline(case(None, market([40], bid="curve"), renewable=ROOF)).attrs[
        "profit"
    ] == approx(0.10)


def test_the_table_of_the_curve(pipeline):
    """A row per price, ascending, in EUR/MWh; one market time unit of two half-hours has one row
    per price.
    """
    curve = market({"a": [10, 10], "b": [40, 40]}, bid="curve", block=1)
    tree = case(None, curve, renewable=ROOF, step="30min", scenarios={"a": 0.5, "b": 0.5})
    table = tables.bid_curves(pipeline(tree))
    assert table["price"].tolist() == [10, 40]
    assert table["quantity_kW"].tolist() == [0, 10]
    assert table["start"].str[11:16].tolist() == ["00:00", "00:00"]
    assert table["end"].str[11:16].tolist() == ["01:00", "01:00"]


@pytest.fixture(scope="module")
def honest() -> xr.DataTree:
    """A battery that buys and sells along a curve, day-ahead, and corrects intraday."""
    prices = {"a": [10, 30], "b": [20, 50], "c": [30, 40], "d": [30, 60]}
    gates = {
        "day_ahead": market(prices, bid="curve"),
        "intraday": market(prices, spread=4, first_stage=0),
    }
    return v2g.solve(case(None, gates, battery={"box": storage()}, scenarios=QUARTERS))


@pytest.mark.parametrize(("scenario", "change"), [("b", -25.0), ("c", 0.5), ("d", -30.0)])
def test_a_false_curve_is_found(honest, scenario, change):
    """A position moved out of order, or off the one at the same price, is told by the audit."""
    assert v2g.replay(honest).attrs["passed"] == 1
    energy = honest["energy"].to_dataset()
    here = (
        (energy["scenario"] == scenario)
        & (energy["market"] == "day_ahead")
        & (energy["time"] == energy["time"][0])
    )
    wrong = honest.copy(deep=True)
    wrong["energy"] = energy.assign(position=energy.position + change * here)
    assert float(v2g.replay(wrong)["energy.curve"]) > 1e-6


def test_bad_input():
    """What a market takes is a choice."""
    with pytest.raises(v2g.SchemaError, match="did you mean curve"):
        v2g.solve(case(vehicle(), market([10], bid="curves")))
