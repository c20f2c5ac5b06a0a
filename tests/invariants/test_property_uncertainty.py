"""Decisions under uncertainty (docs/formulation.md §15: 22), on relaxations: they are convex.

A battery, sun that differs, a day-ahead market and one to correct in, two to four scenarios.
"""

import numpy as np
import pandas as pd
import xarray as xr
from cases import case, market, storage
from hypothesis import given
from hypothesis import strategies as st
from invariants.changes import at_least, close, group, objective, plan
from invariants.strategies import cases
from invariants.wanted import Draw, Wanted, few, rows

import v2g_linopy as v2g
from v2g_linopy.study.scenarios import distances, fast_forward

LOOSE = {"complementarity": "off"}


@st.composite
def uncertain(draw: Draw) -> xr.DataTree:
    """Prices and sun of every scenario; prices from few values, so that some are equal."""
    steps, names = draw(st.integers(1, 4)), ["a", "b", "c", "d"][: draw(st.integers(2, 4))]
    share = np.array([draw(st.sampled_from((1, 2, 4))) for _ in names], float)

    def each(values: tuple[float, ...]) -> dict[str, list[float]]:
        return {n: list(draw(rows(values, steps))) for n in names}

    prices, later = each((-20.0, 10.0, 30.0, 60.0)), each((-10.0, 20.0, 50.0))
    gates = {
        "day_ahead": market(prices, limit=16.0, block=draw(st.sampled_from((0.0, 0.0, 2.0)))),
        "intraday": market(
            later, spread=draw(st.sampled_from((4.0, 20.0))), limit=32.0, first_stage=0
        ),
    }
    roof = {"roof": {"available": each((0.0, 4.0, 8.0))}}
    box = {
        "box": storage(
            energy_initial=draw(st.sampled_from((0.0, 5.0))), eta_charge=0.5, wear=0.0078125
        )
    }
    weights = dict(zip(names, share / share.sum(), strict=True))
    tree = case(None, gates, battery=box, renewable=roof, scenarios=weights)
    return tree


def changed(tree: xr.DataTree, part: str, **fields: object) -> xr.DataTree:
    """A copy with some arrays of a part replaced."""
    tree = tree.copy()
    tree[part] = tree[part].to_dataset(inherit=False).assign(fields)
    return tree


@few(2)
@given(tree=uncertain())
def test_knowing_is_worth_more_than_planning_and_that_more_than_the_mean(tree):
    """22: WS >= RP >= EEV. Any sale can be kept here: intraday takes more, without a plan behind
    it.
    """
    tree = changed(tree, "energy", virtual_bidding=1.0)
    knowing, planning = v2g.evpi(tree, **LOOSE), v2g.vss(tree, **LOOSE)
    assert at_least(float(knowing.WS), float(knowing.RP))
    assert at_least(float(planning.RP), float(planning.EEV))
    assert close(float(knowing.RP), float(planning.RP))
    assert np.isfinite(float(planning.EEV))


@few(2)
@given(tree=cases(Wanted(scenarios=True, members=(1, 2))))
def test_so_it_is_for_fleets_and_reserves(tree):
    """22 on the cases of the other properties; a plan for the mean that cannot be kept is minus
    infinity.
    """
    best = plan(tree, **LOOSE)
    knowing, planning = (
        f(tree, here_and_now=best, gap=0.0, audit=False, **LOOSE) for f in (v2g.evpi, v2g.vss)
    )
    assert at_least(float(knowing.EVPI), 0.0)
    assert at_least(float(planning.VSS), 0.0)
    assert np.isfinite(float(planning.EEV)) or planning.attrs["infeasible"]


@few(2)
@given(tree=uncertain())
def test_a_curve_lies_between_a_quantity_and_knowing(tree):
    """One quantity is a curve, and a curve a plan per scenario: RP <= RP with curves <= WS; the
    curve is one.
    """
    curve = changed(tree, "energy", bid=("market", ["curve", "quantity"]))
    known = changed(tree, "energy", first_stage=0.0)
    result = plan(curve, **LOOSE | {"audit": True})
    assert at_least(result.attrs["objective"], objective(tree, **LOOSE))
    assert at_least(objective(known, **LOOSE), result.attrs["objective"])
    energy = result["energy"].to_dataset().sel(market="day_ahead")
    for t in energy.time:
        points = pd.DataFrame({n: energy[n].sel(time=t).to_numpy() for n in ("price", "position")})
        points = points.sort_values("price", kind="stable")
        assert (points["position"].diff().dropna() >= -1e-6).all()
        assert all(np.ptp(x) < 1e-6 for _, x in points.groupby("price")["position"])


@few(2)
@given(tree=uncertain(), level=st.sampled_from((0.0, 0.25, 0.5, 0.75, 0.9)))
def test_more_weight_of_risk_lowers_the_mean_and_raises_the_worst(tree, level):
    """22: in beta the mean does not rise, CVaR does not fall, and the objective is what it says of
    them.

    Any two optimal plans exchange: neither can be better in both. At level 0 CVaR is the mean.
    """
    mean, cvar = [], []
    for weight in (0.0, 0.5, 1.0):
        tree["risk"] = xr.Dataset({"weight": weight, "confidence": level})
        result = plan(tree, **LOOSE | {"audit": True})
        mean.append(float((result["risk"].profit * result["probability"]).sum()))
        cvar.append(float(result["risk"].cvar))
        assert close(result.attrs["objective"], (1 - weight) * mean[-1] + weight * cvar[-1])
        assert close(result.attrs["profit"], mean[-1])
    for i in (0, 1):
        assert at_least(mean[i], mean[i + 1])
        assert at_least(cvar[i + 1], cvar[i])
    assert at_least(mean[0], cvar[0])
    assert level > 0 or close(mean[2], cvar[2])


@few(2)
@given(tree=cases(Wanted(scenarios=False, members=(1, 2))), weight=st.sampled_from((0.0, 0.5, 1.0)))
def test_identical_scenarios_are_the_deterministic_case(tree, weight):
    """22: the same future twice, whatever its probabilities, whatever the weight of risk, with
    curves or without.
    """
    twice = tree.copy()
    twice["probability"] = xr.DataArray([0.25, 0.75], coords={"scenario": ["one", "other"]})
    twice["risk"] = xr.Dataset({"weight": weight, "confidence": 0.75})
    assert close(objective(twice, **LOOSE), objective(tree, **LOOSE), 1e-7)
    energy = group(tree, "energy")
    by_price = twice.copy()
    by_price["energy"] = energy.assign(bid="curve")
    assert close(objective(by_price, **LOOSE), objective(tree, **LOOSE), 1e-7)


@few(2)
@given(tree=uncertain(), weight=st.sampled_from((0.25, 1.0)))
def test_blocks_and_one_piece_agree_under_risk(tree, weight):
    """Solving blocks apart is exact where risk couples the scenarios, and where it does not."""
    tree["risk"] = xr.Dataset({"weight": weight, "confidence": 0.5})
    assert close(objective(tree, blocks=False, **LOOSE), objective(tree, **LOOSE))


@few(10)
@given(
    points=st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=1, max_size=7),
    data=st.data(),
)
def test_reduction_keeps_the_probability_and_comes_nearer(points, data):
    """Probabilities add up to 1; what is kept says no less with each scenario more, and everything
    with all.
    """
    d = distances(np.array(points, float))
    share = np.array(
        data.draw(st.lists(st.integers(1, 4), min_size=len(points), max_size=len(points))), float
    )
    p, left = share / share.sum(), []
    for count in range(1, len(points) + 1):
        chosen, probability = fast_forward(d, p, count)
        assert len(set(chosen.tolist())) == count and close(probability.sum(), 1.0)
        left.append(float(p @ d[:, chosen].min(axis=1)))
    assert all(at_least(a, b) for a, b in zip(left, left[1:], strict=False))
    assert left[-1] == 0.0
