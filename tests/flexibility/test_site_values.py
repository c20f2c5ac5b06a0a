"""Shares of the profit of a portfolio: what each site is asked and paid adds up."""

import pytest
from cases import case, market, product, storage
from pytest import approx

import v2g_linopy as v2g

ROOFS = {
    "near": {"available": 10.0, "pod": "near"},
    "far": {"available": 10.0, "cost": 0.05, "pod": "far"},
}


@pytest.fixture(scope="module")
def roofs():
    """Two roofs of 10 kW, one of which costs 0.05 EUR/kWh, and a market of 12 kW at 100 EUR/MWh."""
    result = v2g.solve(case(None, market([100.0], limit=12.0), renewable=ROOFS), method="sites")
    return v2g.with_values_alone(result)


def test_at_the_last_prices(roofs):
    """The dear roof is asked for 2 kW and decides the price, 0.05 EUR/kWh: the other is paid 0.5
    for its 10 kWh, it is paid 0.1 and pays 0.1. The other 0.05 of 12 kWh are what the limit of the
    market is worth, 0.6. Together that is the profit, 1.2 less 0.1.
    """
    found = v2g.site_values(roofs)
    by_site = found.to_dataframe()
    assert by_site.loc["near", ["own", "paid", "value"]].tolist() == approx([0, 0.5, 0.5])
    assert by_site.loc["far", ["own", "paid", "value"]].tolist() == approx([-0.1, 0.1, 0], abs=1e-9)
    assert by_site["fed"].to_dict() == approx({"near": 10, "far": 2})
    assert by_site["drawn"].tolist() == [0, 0]
    assert found.attrs["left"] == approx(0.6)
    assert by_site["value"].sum() + found.attrs["left"] == approx(1.1)


def test_what_each_would_earn_alone(roofs):
    """Alone, each has the 12 kW to itself: 1.0, and 10 kWh for 0.05, 0.5. Together they earn 0.4
    less, of which each bears half.
    """
    found = v2g.site_values(roofs).to_dataframe()
    assert found["alone"].to_dict() == approx({"near": 1.0, "far": 0.5})
    assert found["equal_share"].to_dict() == approx({"near": 0.8, "far": 0.3})


def test_what_is_held_is_paid():
    """Two batteries hold 10 kW of a product of which 12 kW are bought for 30 EUR/MW/h in one hour:
    a kW held more is worth nothing, so the portfolio keeps 0.36. Where 30 kW are bought, the
    batteries are short, and each is paid 0.3.
    """
    boxes = {name: storage(energy_initial=5.0, pod=name) for name in ("hall", "yard")}
    both = {"up": 1.0, "capacity_price": 30.0, "hours_up": 0.0}
    for bought, paid, left in ((12.0, 0.0, 0.36), (30.0, 0.3, 0.0)):
        sold = product(**both, volume_max=bought)
        tree = case(None, market([0.0], limit=0.0), sold, battery=boxes)
        found = v2g.site_values(v2g.solve(tree, method="sites"))
        assert found["paid"].values == approx([paid, paid], abs=1e-7)
        assert found.attrs["left"] == approx(left, abs=1e-7)


def test_a_site_with_a_supplier_is_paid_for_what_it_holds():
    """One battery with a supplier: its power reaches no market, the capacity that it holds does."""
    supplier = {"supply_price": 50.0, "feed_in_price": 10.0}
    box = storage(energy_initial=0.0)
    sold = product(down=1.0, capacity_price=30.0, volume_max=100.0)
    tree = case(None, market([0.0]), sold, supplier, battery=box)
    found = v2g.site_values(v2g.solve(tree, method="sites"))
    assert found["paid"].values == approx([0.3])
    assert found["fed"].values == found["drawn"].values == approx([0])


def test_a_site_that_cannot_be_alone():
    """A roof that must sell 15 kW by itself has no plan: there is no number, and no equal share."""
    tree = case(
        None,
        market([100.0, 100.0], closed=1.0, committed=15.0, limit=20.0),
        renewable={name: roof | {"curtailable": 1.0} for name, roof in ROOFS.items()},
    )
    result = v2g.with_values_alone(v2g.solve(tree, method="sites"))
    found = v2g.site_values(result)
    assert found["alone"].isnull().all() and found["equal_share"].isnull().all()
    assert float(found["value"].sum()) + found.attrs["left"] == approx(result.attrs["profit"])


def test_only_of_two_levels():
    """A result of one model has no sites."""
    with pytest.raises(v2g.SchemaError, match="solve the case with the method sites"):
        v2g.site_values(v2g.solve(case(None, market([100.0]), renewable=ROOFS)))
