"""A portfolio solved in two levels: sites plan at prices, the portfolio mixes plans, a bound proves
the mix, and every device gets its share back.
"""

import numpy as np
import pytest
import xarray as xr
from cases import case, engine, market, product, row, storage, vehicle
from pytest import approx
from stories import assert_proven, through_a_file

import v2g_linopy as v2g
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.solve.decompose.plans import Plan, with_plans
from v2g_linopy.solve.decompose.portfolio_model import PortfolioModel
from v2g_linopy.solve.decompose.site_cases import Division
from v2g_linopy.solve.solver import Settings


def two_roofs(limit=12.0, **more):
    """10 kW of sun at each of two pods, at 0.02 and 0.05 EUR/kWh."""
    roofs = {
        "near": {"available": [10.0], "cost": 0.02, "pod": "near"},
        "far": {"available": [10.0], "cost": 0.05, "pod": "far"},
    }
    return case(None, market([100.0], limit=limit), renewable=roofs, **more)


def in_two_levels(tree, **options):
    """Solved so, and proven; the bound is not below the plan."""
    result = v2g.solve(tree, method="sites", **options)
    assert_proven(result)
    assert result.attrs["bound"] >= result.attrs["objective"] - 1e-9
    return result


def test_a_limit_is_shared_by_price():
    """12 kW may be sold at 100 EUR/MWh: 10 from the cheap roof and 2 from the other, 1.2 - 0.2 -
    0.1 = 0.9 EUR; a kW more of the limit is worth 0.05 EUR, so that sites are told 50 EUR/MWh.

    Proves that prices share out what one site alone would take: first both want to sell all.
    """
    result = in_two_levels(two_roofs())
    assert result.attrs["profit"] == approx(0.9)
    assert result.attrs["bound"] == approx(0.9)
    assert row(result, "renewable.curtail") == [0, 8]
    assert row(result, "price.market") == [50]
    assert row(result, "decomposition.promise", pod="far") == [2]
    assert result.attrs["status"] == "optimal" and result.attrs["method"] == "sites"


def test_without_a_limit_one_round_is_enough():
    """Prices of the market are those of the optimum: 2.0 - 0.2 - 0.5 = 1.3 EUR after one round."""
    result = in_two_levels(two_roofs(limit=100.0))
    assert result.attrs["profit"] == approx(1.3)
    assert result.attrs["rounds"] == 1


@pytest.mark.parametrize(
    ("vehicles", "pods", "limit", "rounds", "value"),
    [
        (30, 10, None, 1, -86.8534244376),
        (30, 10, 120.0, 60, -93.9586860140),
        (15, 5, 60.0, 60, -26.59229558),
    ],
)
def test_the_template_in_two_levels(vehicles, pods, limit, rounds, value, tmp_path):
    """Offices, depots, homes, shops and parks, from a file: the values that one model has, with a
    wear of vehicles of 0.05 EUR/kWh, as they were found.
    """
    tree = v2g.portfolio(vehicles=vehicles, days=1, pods=pods)
    tree["fleet"]["wear"] = xr.full_like(tree["fleet"]["wear"], 0.05)
    if limit is not None:
        tree["energy"]["limit"] = xr.full_like(tree["energy"]["limit"], limit)
    result = in_two_levels(through_a_file(tree, tmp_path / "case.nc"))
    assert result.attrs["objective"] == approx(value, abs=1e-8)
    assert result.attrs["bound"] == approx(value, abs=1e-6)
    assert result.attrs["rounds"] <= rounds
    assert v2g.replay(in_memory(result)).attrs["passed"] == 1
    assert v2g.verify(result).problems == ()


def in_memory(result):
    """The same tree, put together anew."""
    return xr.DataTree.from_dict(
        {f"/{n}": x.to_dataset() for n, x in result.children.items()} | {"/": result.to_dataset()}
    )


def test_reserves_at_a_supplier_are_no_power_at_the_market():
    """A battery whose pod has a supplier holds 20 kW: it draws 10 uncalled and feeds in 10 called,
    which is half of the time, and nothing in the mean. At 50 EUR/MW that is 1 EUR; the roof sells
    1 kW, 0.1 EUR, which is all that the market takes.

    Proves that what it is called for is in none of its trades: held and not sold, it would be power
    that comes from nowhere.
    """
    tree = case(
        None,
        market([100.0], limit=1.0),
        product(up=1.0, capacity_price=50.0, activation_up=0.5, activation_price_up=0.0),
        {"shop": {"supply_price": 500.0, "feed_in_price": 0.0}, "roof": {}},
        battery=storage(energy_initial=10.0, pod="shop"),
        renewable={"available": [1.0], "pod": "roof", "curtailable": 0.0},
    )
    result, whole = in_two_levels(tree), v2g.solve(tree)
    assert result.attrs["objective"] == approx(whole.attrs["objective"]) == approx(1.0 + 0.1)
    assert result.attrs["bound"] == approx(1.1)


def test_an_engine_keeps_its_bound_and_its_plan():
    """An engine that runs at 6 to 10 kW or not at all, for 0.06 EUR/kWh, beside a roof; the market
    takes 12 of their 20 kW at 0.1. Both ways of 12 kW: 10 + 2 kW are no plan of the engine, 6 kW
    of it and 6 of the roof are.

    The best plan is 6 kW each, 1.2 - 6 x 0.06 - 6 x 0.05 = 0.54 EUR; a fifth of an engine of 10 kW
    and four fifths of none would be 0.58, which is the bound; without the engine, whose weight is
    larger off than on, it is 0.5. Proves that the bound stays above what is possible, that the plan
    is one of whole numbers, and that the gap between the two is told.
    """
    tree = case(
        None,
        market([100.0], limit=12.0),
        renewable={"available": [10.0], "cost": 0.05, "pod": "roof"},
        chp=engine(power_min=6.0, eta_power=0.5, fuel_price=30.0, pod="hall", dump_max=10.0),
    )
    result = in_two_levels(tree)
    assert v2g.solve(tree).attrs["objective"] == approx(0.54)
    assert result.attrs["bound"] == approx(0.58)
    assert result.attrs["objective"] == approx(0.5)
    assert result.attrs["certified_gap"] == approx(0.08)
    assert result.attrs["status"] == "gap_limit"


def test_processes_change_nothing():
    """Two processes, one site in each: the same plan, bound and rounds."""
    alone, shared = (in_two_levels(two_roofs(), processes=n) for n in (1, 2))
    assert shared.attrs["pool_processes"] == 2
    assert shared.attrs["rounds"] == alone.attrs["rounds"]
    assert shared.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-9)


def test_what_is_told_is_kept_by_a_file(tmp_path):
    """Rounds, prices, weights and promises come out of a file as they went in."""
    result = in_two_levels(two_roofs())
    loaded = through_a_file(result, tmp_path / "result.nc")
    xr.testing.assert_equal(
        loaded["decomposition"].to_dataset(), result["decomposition"].to_dataset()
    )
    assert float(loaded["decomposition"]["bound"].min()) == loaded.attrs["bound"]
    assert v2g.replay(loaded).attrs["passed"] == 1


def test_columns_are_those_of_the_part():
    """A plan that comes in as a column has the numbers that the part `/flexibility` writes for it:
    the optimum over three plans is that of `v2g.solve`, at half a mix that the limit asks for.
    """
    division = Division.of(two_roofs(limit=7.0))
    tree = division.portfolio()
    inputs = inputs_of(tree, v2g.PARTS)
    none = np.zeros((0, 1))
    plans = [
        Plan("near", np.array([10.0]), none, -0.3, 0.0, 0),
        Plan("near", np.array([4.0]), none, 0.0, 0.0, 1),
        Plan("far", np.array([-1.0]), none, 0.2, 0.0, 0),
    ]
    model = PortfolioModel(tree, inputs, division.pods, v2g.PARTS, Settings())
    assert model.add(plans) == 3 and model.add(plans[:2]) == 0
    expected = v2g.solve(with_plans(tree, inputs, plans))
    assert model.solve().value == approx(expected.attrs["objective"])
    assert model.solve().weights.tolist() == approx([2 / 3, 1 / 3, 1.0])


def test_power_that_nobody_gives_is_named():
    """Two houses draw 5 kW each and the market gives 6: 4 kW are missing, which is said."""
    houses = {pod: {"baseline": [5.0], "pod": pod} for pod in ("north", "south")}
    tree = case(None, market([100.0], limit=6.0), load=houses)
    with pytest.raises(v2g.Infeasible, match=r"2026-01-05 00:00 UTC: 4 kW"):
        v2g.solve(tree, method="sites")


def test_need_that_is_dearer_than_missing_power_is_shared_out():
    """Two cars need 5 kWh each within two hours, and 3 kW may be bought at 50 EUR/MWh: 6 kWh for
    0.30 EUR, and 4 kWh are missed at 10 EUR each, -40.30 in all. Power that no plan gives is first
    priced at 3 EUR/kWh, less than a missed need, and has to become dearer.
    """
    cars = {
        name: vehicle(charge_max=[5.0] * 2, energy_min=[0.0, 5.0], energy_max=10.0, pod=name)
        for name in ("near", "far")
    }
    result = in_two_levels(case(cars, market([50.0, 50.0], limit=3.0)))
    assert result.attrs["objective"] == approx(-40.30)
    assert result.attrs["bound"] == approx(-40.30)
    assert result.attrs["status"] == "optimal"


def test_a_site_without_a_plan_is_named():
    """A car that needs 30 kWh within an hour at 10 kW, beside a roof: its site and the 20 kWh that
    it misses are named, also where bands or a box are asked for.
    """
    roof = {"available": [5.0], "pod": "roof"}
    car = vehicle(energy_min=[30.0], unserved_cost=float("nan"), pod="garage")
    tree = case(car, market([100.0]), renewable=roof)
    with pytest.raises(v2g.Infeasible, match=r"garage(.|\n)*fleet ev.*20 kWh missing"):
        v2g.solve(tree, method="sites")
    for asked in (v2g.flexibility, v2g.envelope):
        with pytest.raises(v2g.Infeasible, match="fleet ev.*20 kWh missing"):
            asked(tree)


def test_a_limit_of_time_says_what_is_known():
    """Without time there is no mix that gives all the power, and that is what is said."""
    tree = v2g.portfolio(vehicles=3, days=1, pods=5)
    tree["energy"]["limit"] = xr.full_like(tree["energy"]["limit"], 60.0)
    with pytest.raises(v2g.SolveError) as error:
        v2g.solve(tree, method="sites", time_limit=1e-3)
    assert error.value.status == "time_limit"


REFUSED = {
    "several markets are open at once": lambda: case(
        None,
        {"early": market([10.0]), "late": market([20.0])},
        renewable={"available": [1.0]},
    ),
    "sites plan for one future": lambda: case(
        None,
        market({"calm": [10.0], "windy": [20.0]}),
        renewable={"available": [1.0]},
        scenarios={"calm": 0.5, "windy": 0.5},
    ),
    "sites share nothing": lambda: case(
        {n: vehicle(pod=n, charger="hub") for n in ("north", "south")},
        market([10.0]),
        charger={"hub": {"charge_max": 5.0, "discharge_max": 5.0}},
    ),
    "holds plans already": lambda: case(None, market([10.0]), flexibility={"traded": [1.0]}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_divided(words):
    """Each case says what stands against its division, before anything is solved."""
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.split(REFUSED[words]())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "site"}, "did you mean sites"),
        ({"method": "sites", "processes": 0}, "give at least 1"),
        ({"method": "sites", "solver": "scip"}, "sites are solved by highs"),
        ({"method": "sites", "fix": {"renewable.curtail": xr.DataArray(0.0)}}, "held fixed"),
    ],
)
def test_ways_of_solving_that_are_none(options, words):
    """Options that say nothing, or that two levels cannot keep, are named."""
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.solve(two_roofs(), **options)


def test_a_site_has_its_own_and_nothing_else():
    """The depot of the template: its vans, battery, roof, load and its row of the connection; of
    the reserve how it is delivered, and neither its price nor how much is bought.
    """
    tree = v2g.portfolio(vehicles=6, days=1, pods=5)
    site = v2g.split(tree)["depot-1"]
    assert set(site["fleet"]["pod"].to_numpy()) == {"depot-1"}
    assert site["connection"]["pod"].to_numpy().tolist() == ["depot-1"]
    assert "capacity_price" not in site["reserve"] and "block" not in site["reserve"]
    assert v2g.check(site) is not None
    left = Division.of(tree).portfolio()
    assert {*left.children} == {"energy", "reserve"}


def test_without_shadow_prices_nothing_is_said_of_limits():
    """A car whose charger binds, in two levels: its explanation does not say that more power would
    earn nothing, as nobody has asked.
    """
    car = vehicle(energy_min=[0.0, 15.0], pod="garage")
    roof = {"available": [1.0, 1.0], "pod": "roof"}
    result = in_two_levels(case(car, market([20.0, 60.0]), renewable=roof))
    said = v2g.explain(result, vehicle="ev")
    assert "would earn nothing" not in said
    assert "holds no shadow prices" in said
