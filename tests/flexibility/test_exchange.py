"""Sites and a portfolio that pass files to and fro: what a file shows, what is refused, and that
the joined plan is the one of the whole.
"""

from functools import cache

import numpy as np
import pytest
import xarray as xr
from cases import case, engine, market, product, row, storage
from pytest import approx
from stories import through_a_file

import v2g_linopy as v2g


def two_batteries(**more):
    """Two batteries behind one market of 4 kW, cheap at first and dear at last; each may hold a
    product upward for an hour, which is called for a tenth of the time.
    """
    box = storage(energy_initial=5.0, cyclic=1.0, wear=0.01)
    price = [20.0, 60.0, 100.0]
    held = product(up=1.0, capacity_price=[4.0, 3.0, 6.0], activation_up=0.1, volume_max=6.0)
    return case(
        None,
        market(price, limit=4.0),
        held,
        battery={"big": box | {"pod": "north"}, "small": box | {"charge_max": 3.0, "pod": "south"}},
        load={"baseline": [1.0, 1.0, 2.0], "pod": "south"},
        **more,
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Split, told, planned, mixed and told again through files, until the bound is met."""
    tree, tmp_path = two_batteries(), tmp_path_factory.mktemp("exchange")
    sites = v2g.split(tree)
    left = through_a_file(v2g.portfolio_case(tree), tmp_path / "portfolio.nc")
    told, plans = v2g.message(left), []
    for number in range(40):
        told = through_a_file(told, tmp_path / f"message-{number}.nc")
        answers = [v2g.plan(site, told) for site in sites.values()]
        plans += [through_a_file(x, tmp_path / f"{x.attrs['pod']}-{number}.nc") for x in answers]
        mixed = v2g.solve(v2g.aggregate(plans, left))
        bound = v2g.bound(plans, told, left)
        if bound - mixed.attrs["objective"] <= 1e-6:
            return tree, sites, plans, through_a_file(mixed, tmp_path / "mixed.nc")
        told = v2g.message(mixed)
    raise AssertionError("no end")


def test_files_end_where_one_model_does(ended, tmp_path):
    """Two batteries that share 4 kW of market and 6 kW of a product: through files the mix is worth
    what one model of the whole is, and the joined plan of every device keeps it.
    """
    tree, sites, plans, mixed = ended
    best = v2g.solve(tree)
    assert mixed.attrs["objective"] == approx(best.attrs["objective"], abs=1e-6)
    whole = v2g.disaggregate(mixed, sites)
    assert whole.attrs["objective"] == approx(best.attrs["objective"], abs=1e-6)
    assert whole.attrs["case_hash"] == best.attrs["case_hash"]
    loaded = through_a_file(whole, tmp_path / "whole.nc")
    assert v2g.replay(loaded).attrs["passed"] == 1
    shown = {f"/{n}" for tree in plans for n in tree.children}
    assert shown == {"/flexibility"}  # no device, no load, no limit of the site


def test_every_promise_is_kept(ended):
    """What each site trades and holds is what was promised of it, to 1e-6 kW, and its own cash is
    at least what its plans said.
    """
    _, sites, _, mixed = ended
    plans = mixed["flexibility"].to_dataset()
    own = (plans.weight * plans.own_cash).groupby(plans.pod.astype(str)).sum()
    sold = 0.0 * mixed["reserve"]["volume"]
    for pod, site in sites.items():
        kept = v2g.keep_promise(mixed, pod, site)
        volume = kept["reserve"]["volume"].sel(product="regulation")
        sold = sold + volume
        traded = (plans.weight * plans.traded).where(plans.pod == pod).sum("plan")
        position = kept["energy"]["position"].isel(market=0) + 0.1 * volume
        assert float(abs(position - traded).max()) < 1e-6
        ledger = kept["ledger"].to_dataset()
        cash = sum(float(x.sum()) for n, x in ledger.items() if not n.startswith(("energy", "res")))
        assert cash >= float(own.sel(pod=pod)) - 1e-6
    assert float(abs(sold - mixed["reserve"]["volume"]).max()) < 1e-6


def test_a_plan_of_an_engine_is_whole():
    """An engine runs at 6 to 10 kW or not at all; its plans are marked, and the portfolio takes one
    of them as it is: standing still, as the market takes 12 kW and its roof gives 10. What is
    promised is kept by engine and roof, and the whole passes its replay: 10 kW at 0.1 less 0.05.
    """
    hall = engine(power_min=6.0, eta_power=0.5, fuel_price=30.0, pod="hall", dump_max=10.0)
    roof = {"available": [10.0], "cost": 0.05, "pod": "roof"}
    tree = case(None, market([100.0], limit=12.0), renewable=roof, chp=hall)
    told = v2g.message(tree)
    sites = v2g.split(tree)
    plans = [v2g.plan(site, told) for site in sites.values()]
    assert sorted(float(x["flexibility"]["whole"].sum()) for x in plans) == [0.0, 1.0]
    low = plans[-1].copy(deep=True)
    assert row(plans[-1], "flexibility.traded") == [10.0]
    low["flexibility"]["traded"] = 0.0 * low["flexibility"]["traded"]
    low["flexibility"]["own_cash"] = 0.0 * low["flexibility"]["own_cash"]
    mixed = v2g.solve(v2g.aggregate([*plans, low], tree))
    assert {round(x, 6) for x in row(mixed, "flexibility.weight")} <= {0.0, 1.0}
    whole = v2g.disaggregate(mixed, sites)
    assert v2g.replay(whole).attrs["passed"] == 1
    assert (row(whole, "chp.power"), row(whole, "renewable.curtail")) == ([0.0], [0.0])
    assert whole.attrs["objective"] == approx(0.5)


@cache
def answers():
    """The first answers of the two batteries."""
    tree = two_batteries()
    told = v2g.message(tree)
    return tree, told, [v2g.plan(site, told) for site in v2g.split(tree).values()]


def test_a_residue_below_nothing_is_nothing():
    """What a solver leaves of nothing held (-1e-13 kW) is 0 in a plan: else the portfolio would
    refuse it.
    """
    _, _, plans = answers()
    assert all(float(x["flexibility"]["held"].min()) >= 0.0 for x in plans)


def test_equal_plans_count_once():
    """The answers twice are the answers: a portfolio of two equal plans is the same portfolio."""
    tree, _, plans = answers()
    once, twice = (v2g.aggregate(some, tree) for some in (plans, [*plans, *plans]))
    assert once["flexibility"].sizes["plan"] == twice["flexibility"].sizes["plan"] == 2


def changed(tree, **attrs):
    """A copy of a plan that says something else of itself."""
    new = tree.copy(deep=True)
    new.attrs |= attrs
    return new


def edited(tree, name, value):
    """A copy of a plan with another number everywhere."""
    new = tree.copy(deep=True)
    new["flexibility"][name] = xr.full_like(new["flexibility"][name], value)
    return new


WRONG = {
    "there is no plan of south": lambda plans: plans[:1],
    "'east' is no site of the portfolio": lambda plans: [changed(plans[0], pod="east"), *plans],
    "north has changed between rounds": lambda plans: [
        changed(plans[0], case_hash="other", round=1),
        *plans,
    ],
    "is in SEK, the case in EUR": lambda plans: [changed(plans[0], currency="SEK"), plans[1]],
    "steps of 0.5 h, the case of 1 h": lambda plans: [
        changed(plans[0], step_hours=0.5),
        plans[1],
    ],
    "has 2 steps from": lambda plans: [plans[0].isel(time=slice(2)), plans[1]],
    "is not finite everywhere": lambda plans: [edited(plans[0], "traded", np.nan), plans[1]],
    "less than nothing is not held": lambda plans: [edited(plans[0], "held", -1.0), plans[1]],
    "is no plan": lambda plans: [xr.DataTree(), *plans],
    "sold are regulation": lambda plans: [
        xr.DataTree.from_dict(
            {
                "/": plans[0].to_dataset(),
                "/flexibility": plans[0]["flexibility"].to_dataset().sel(product=[]),
            }
        ),
        plans[1],
    ],
}


@pytest.mark.parametrize("words", WRONG)
def test_plans_that_do_not_fit(words):
    """Each is named with what is wrong, before anything is mixed."""
    tree, _, plans = answers()
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.aggregate(WRONG[words](plans), tree)


def test_all_that_is_wrong_is_said_at_once():
    """A wrong currency of one plan and another that is not finite: both are listed."""
    tree, _, plans = answers()
    wrong = [changed(plans[0], currency="SEK"), edited(plans[1], "traded", np.inf)]
    with pytest.raises(v2g.SchemaError) as error:
        v2g.aggregate(wrong, tree)
    assert {p.rule for p in error.value.problems} == {"consistency", "nan"}


def test_messages_that_do_not_fit():
    """A message of another number of steps, or with a product that the site does not hold."""
    tree, told, _ = answers()
    site = v2g.split(tree)["north"]
    with pytest.raises(v2g.SchemaError, match="the message has 2 steps"):
        v2g.plan(site, told.isel(time=slice(2)))
    other = told.copy(deep=True)
    other["price"] = told["price"].to_dataset().assign_coords(product=["fast"])
    with pytest.raises(v2g.SchemaError, match="has fast; the site holds regulation"):
        v2g.plan(site, other)
    with pytest.raises(v2g.SchemaError, match="split the case first"):
        v2g.plan(tree, told)


def test_shares_need_every_site():
    """Without the case of a site nothing is joined."""
    tree, _, plans = answers()
    mixed = v2g.solve(v2g.aggregate(plans, tree))
    with pytest.raises(v2g.SchemaError, match="there is no case of south"):
        v2g.disaggregate(mixed, {"north": v2g.split(tree)["north"]})
