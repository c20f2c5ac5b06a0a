"""Sites that are known by plans: what a portfolio may make of them, and what it may not."""

import pytest
import xarray as xr
from cases import case, holding, market, product, row
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.solve.merge import merge

UP = product(up=1.0, capacity_price=10.0)


def weights(result):
    return row(result, "flexibility.weight")


def test_plans_of_a_site_are_mixed(pipeline):
    """10 kW cost 0.30 EUR, 4 kW nothing, at 100 EUR/MWh and a limit of 7 kW: half of each gives
    7 kW for 0.15, 0.7 - 0.15 = 0.55 EUR.

    Proves that weights may be fractions: the better plan alone, which fits, is 0.4.
    """
    plans = {"much": {"traded": [10], "own_cash": -0.3}, "little": {"traded": [4.0]}}
    result = pipeline(case(None, market([100], limit=7), flexibility=plans))
    assert weights(result) == [0.5, 0.5]
    assert result.attrs["profit"] == approx(0.55)


def test_a_whole_plan_is_not_mixed(pipeline):
    """The same where the first plan is whole: 4 kW, 0.4 EUR. Proves the binary; the mix is 0.55."""
    plans = {
        "much": {"traded": [10], "own_cash": -0.3, "whole": 1},
        "little": {"traded": [4.0], "whole": 1},
    }
    result = pipeline(case(None, market([100], limit=7), flexibility=plans))
    assert weights(result) == [0, 1]
    assert result.attrs["profit"] == approx(0.4)


def test_every_pod_has_a_mix_of_its_own(pipeline):
    """Two pods give 5 kW each at 100 EUR/MWh: 1 EUR. Proves that weights add up to 1 in each pod:
    one sum over all would sell one of them, 0.5 EUR.
    """
    plans = {"roof": {"traded": [5.0], "pod": "north"}, "wheel": {"traded": [5.0], "pod": "south"}}
    result = pipeline(case(None, market([100]), flexibility=plans))
    assert weights(result) == [1, 1]
    assert result.attrs["profit"] == approx(1.0)


def test_what_no_plan_gives_is_missing_at_its_price(pipeline):
    """A site draws 5 kW, the market gives 2: 3 kW are missing at 3 EUR/kWh, 9 EUR, no part of the
    profit, which is -0.2.

    Proves the slack: without it there is no plan, and no price that says what to do about it.
    """
    result = pipeline(case(None, market([100], limit=2), flexibility={"traded": [-5.0]}))
    assert row(result, "flexibility.missing") == [3]
    assert result.attrs["objective"] == approx(-9.2)
    assert result.attrs["profit"] == approx(-0.2)
    assert row(result, "price.market") == [3000]


def test_equal_plans_are_one_plan(pipeline):
    """The same plan twice, the market takes 6 kW of its 10, another gives 4: still 0.4 + 1/3 of
    0.6 EUR.

    Proves that plans do not merge: two equal ones as one of twice the size would trade 20 kW with a
    weight of 1, and 6 kW with a weight of 1/8 of it.
    """
    many = {"one": {"traded": [10.0]}, "two": {"traded": [10.0]}, "other": {"traded": [4.0]}}
    tree = case(None, market([100], limit=6), flexibility=many)
    result = pipeline(tree)
    assert result.attrs["objective"] == approx(0.6)
    assert row(result, "flexibility.weight", plan="other") == [approx(2 / 3, abs=1e-6)]
    assert merge(inputs_of(tree, v2g.PARTS))[1].saved == 0


def test_one_product_is_not_sold_from_what_is_held_for_another(pipeline):
    """One plan holds 4 kW of `slow`, one 6 kW of `quick`; each may be sold up to half of it at
    10 EUR/MW and 2 kW of energy at 100 EUR/MWh need both plans in half: 0.2 + 0.02 + 0.03.

    Proves that each product has its own amount: one room for both would sell 5 kW of either.
    """
    plans = {"left": {"traded": [4.0]}, "right": {"traded": [0.0]}}
    tree = case(
        None,
        market([100], limit=2),
        {"slow": UP, "quick": UP | {"volume_max": 9}},
        flexibility=plans,
    )
    tree = holding(tree, {"left": {"slow": 4.0}, "right": {"quick": 6.0}})
    result = pipeline(tree)
    assert row(result, "reserve.volume") == [2, 3]
    assert result.attrs["profit"] == approx(0.25)


def test_less_may_be_sold_than_is_held(pipeline):
    """5 kW held, the buyer takes 2: 0.02 EUR, and the plan stands as it is."""
    tree = case(None, market([100]), UP | {"volume_max": 2}, flexibility={"traded": [1.0]})
    result = pipeline(holding(tree, {"plan": {"regulation": 5.0}}))
    assert row(result, "reserve.volume") == [2]
    assert result.attrs["profit"] == approx(0.1 + 0.02)


def test_reserve_of_plans_keeps_the_limits_of_the_pod(pipeline):
    """8 kW traded and 4 held upward behind 10 kW of export: only 2 kW are sold, 0.02 EUR.

    Proves that what plans hold reaches a connection that the portfolio has itself.
    """
    tree = case(
        None,
        market([100]),
        UP,
        connection={"import_max": 100.0, "export_max": 10.0},
        flexibility={"traded": [8.0]},
    )
    result = pipeline(holding(tree, {"plan": {"regulation": 4.0}}))
    assert row(result, "reserve.volume") == [2]
    assert result.attrs["profit"] == approx(0.82)


def test_plans_stand_beside_assets(pipeline):
    """A plan that draws 5 kW and a house that draws 3 need 8 kW at 50 EUR/MWh: -0.4 EUR."""
    tree = case(None, market([50]), load={"baseline": 3.0}, flexibility={"traded": [-5.0]})
    assert pipeline(tree).attrs["profit"] == approx(-0.4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"missing_cost": 0.05}, "50 EUR/MWh is not above the largest price of a market, 100"),
        ({"traded": [float("nan")]}, "missing (NaN)"),
        ({"own_cash": float("inf")}, "infinite"),
        ({"whole": 0.5}, "allowed 0 or 1"),
    ],
)
def test_plans_that_are_refused(change, words):
    """Numbers that say nothing, and slack that would be sold, are named before it is built."""
    tree = case(None, market([100]), flexibility={"traded": [1.0]} | change)
    with pytest.raises(v2g.SchemaError, match=words.replace("(", r"\(").replace(")", r"\)")):
        v2g.solve(tree)


def test_every_product_is_named_by_the_plans():
    """Of a product that plans do not name nobody knows what is held; one that nobody buys is no
    product; less than nothing is not held.
    """
    tree = case(None, market([100]), {"slow": UP, "quick": UP}, flexibility={"traded": [1.0]})
    tree = holding(tree, {"plan": {"slow": -1.0}})
    plans = tree["flexibility"].to_dataset(inherit=False)
    with pytest.raises(v2g.SchemaError, match=r"product slow.*: -1, allowed \[0, inf\] kW"):
        v2g.solve(tree)
    tree["flexibility"] = abs(plans).sel(product=["slow"])
    with pytest.raises(v2g.SchemaError, match="give what each plan holds of quick, or 0"):
        v2g.solve(tree)
    renamed = abs(plans).assign_coords(product=["slow", "fast"])
    tree["flexibility"] = renamed
    with pytest.raises(v2g.SchemaError, match="'fast' is not a product of /reserve"):
        v2g.solve(tree)


def test_a_mix_may_differ_by_scenario(pipeline):
    """At 100 EUR/MWh and 7 kW the mix is half of each, at 10 EUR/MWh the cheap plan alone: plans
    are known, and what is done with them is decided when the price is known.
    """
    plans = {"much": {"traded": [10], "own_cash": -0.3}, "little": {"traded": [4.0]}}
    price = {"dear": [100], "cheap": [10]}
    tree = case(
        None,
        market(price, limit=7, first_stage=0),
        flexibility=plans,
        scenarios={"dear": 0.5, "cheap": 0.5},
    )
    result = pipeline(tree)
    assert weights(result) == [0.5, 0.5, 0, 1]
    assert result.attrs["profit"] == approx(0.5 * 0.55 + 0.5 * 0.04)


def test_a_coordinate_of_plans_survives_a_file(tmp_path):
    """Weights, slack and shares come out of a file as they went in, and prove the same."""
    tree = case(None, market([100], limit=7), UP, flexibility={"traded": [5.0]})
    result = v2g.solve(holding(tree, {"plan": {"regulation": 2.0}}))
    v2g.write(result, tmp_path / "result.nc")
    loaded = v2g.read(tmp_path / "result.nc")
    assert v2g.replay(loaded).attrs["passed"] == 1
    xr.testing.assert_equal(loaded["flexibility"].weight, result["flexibility"].weight)
