"""Runs of a case through its gates: as good as one shot where all is known, blind to what is known
later.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, electrolyser, engine, market, product, storage, vehicle

import v2g_linopy as v2g
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.operate import simulate, windows

NAN = float("nan")
HOURS = 48


def drawn(seed: int, *parts: str, **attrs: Any) -> xr.DataTree:
    """Two days of two markets with gates, and some parts of their own."""
    rng = np.random.default_rng(seed)

    def some(low: int, high: int) -> list[float]:
        return [float(x) for x in rng.integers(low, high, HOURS)]

    price = [10.0 * x for x in some(1, 12)]
    markets = {
        "day_ahead": market(price, limit=60.0),
        "intraday": market([10.0 * x for x in some(1, 12)], limit=20.0, spread=4.0),
    }
    given: dict[str, dict] = {
        "battery": storage(
            cyclic=1,
            energy_initial=5.0,
            energy_max=30.0,
            wear=0.01,
            eta_charge=0.9,
            eta_discharge=0.9,
        ),
        "load": {"baseline": some(2, 9), "shift_up_max": 2.0, "shift_down_max": 2.0},
        "imbalance": {
            "price_long": [x - 15 for x in price],
            "price_short": [x + 15 for x in price],
            "limit": 15.0,
        },
        "renewable": {"available": some(0, 12)},
        "hydrogen": electrolyser(
            fuel_cell_max=5.0, energy_max=50.0, energy_initial=10.0, cyclic=1, sale_max=3.0
        ),
        "chp": engine(
            power_min=4.0,
            start_cost=1.0,
            up_time_min=3.0,
            down_time_min=3.0,
            ramp_up=5.0,
            ramp_down=5.0,
        ),
    }
    fleet = {name: _visits(rng) for name in ("north", "south")} if "fleet" in parts else None
    peaks = {"site": {"peak_price": 2.0, "peak_count": 2.0}} if "peaks" in parts else None
    tree = case(
        fleet,
        markets,
        _calls(some) if "reserve" in parts else None,
        peaks,
        **{n: x for n, x in given.items() if n in parts},
        **attrs,
    )
    gates = {"day_ahead": (12.0, NAN), "intraday": (NAN, 1.0)} | (
        {"regulation": (8.0, NAN)} if "reserve" in parts else {}
    )
    hour, lead = zip(*gates.values(), strict=True)
    tree["gates"] = xr.DataTree(
        xr.Dataset({"hour": ("gate", list(hour)), "lead": ("gate", list(lead))}, {"gate": [*gates]})
    )
    return tree


def day_and_a_half(tree: xr.DataTree) -> xr.DataTree:
    """The first 36 hours: a cut at midnight and half a day after it, for plans that search long."""
    return v2g.select_window(tree, None, tree.indexes["time"][36])


def _calls(some: Callable[[int, int], list[float]]) -> dict[str, Any]:
    """A product whose energy survives every call of an hour in four, some of which are expected.

    It is bought at noon, and around the midnight at which windows of a day are cut; in more hours
    the search with binaries takes minutes and proves the same."""
    bought = [6.0 if t == 12 or 23 <= t < 25 else 0.0 for t in range(HOURS)]
    promise = {
        "guarantee": "budget",
        "activation_cycle": 4,
        "activation_up": 0.1,
        "activation_down": 0.05,
    }
    return product(
        up=1, down=1, capacity_price=[10 * x for x in some(1, 12)], volume_max=bought, **promise
    )


def _visits(rng: np.random.Generator) -> dict[str, Any]:
    """A row of visits one after the other, between which nothing is plugged in."""
    rows = {
        name: np.zeros(HOURS)
        for name in ("keep", "charge_max", "discharge_max", "energy_max", "energy_in", "energy_min")
    }
    at = int(rng.integers(0, 4))
    while at < HOURS - 4:
        leaving = min(HOURS, at + int(rng.integers(4, 16)))
        rows["keep"][at + 1 : leaving] = 1
        for name, value in (("charge_max", 8.0), ("discharge_max", 4.0), ("energy_max", 30.0)):
            rows[name][at:leaving] = value
        rows["energy_in"][at] = float(rng.integers(2, 8))
        rows["energy_min"][leaving - 1] = rows["energy_in"][at] + leaving - at
        at = leaving + int(rng.integers(0, 4))
    return vehicle(wear=0.01, eta_charge=0.9, eta_discharge=0.9) | rows


ONE_SHOT = {
    "a cyclic battery, peaks, imbalance": ("battery", "load", "peaks", "imbalance"),
    "visits one after the other": ("fleet", "imbalance"),
    "a tank and a load that shifts": ("hydrogen", "load"),
    "a plant with starts": ("chp",),
    "reserves that are guaranteed and called": ("battery", "fleet", "reserve"),
}


@pytest.mark.parametrize("parts", ONE_SHOT.values(), ids=ONE_SHOT)
def test_rolling_with_everything_known_is_one_shot(parts):
    """Windows of a day that plan to the end and know all of it earn what one solve of the whole
    earns (invariant 24).

    Proves that states, readings of peaks, running times and committed positions reach the next
    window, and that a market whose gate has closed does not free what it backs."""
    tree = day_and_a_half(drawn(5, *parts)) if "reserve" in parts else drawn(5, *parts)
    whole = v2g.solve(tree, gap=1e-9)
    run = v2g.simulate(
        tree, forecast="perfect", window=24.0, ahead=None, every=12.0, hindsight=False, gap=1e-9
    )
    assert run.attrs["objective"] == pytest.approx(whole.attrs["objective"], rel=1e-6, abs=1e-6)
    assert run["audit"].attrs["passed"] == 1


def test_shorter_plans_earn_no_more():
    """Plans that see six hours ahead earn at most what hindsight does, and are not far from it."""
    run = v2g.simulate(
        drawn(5, "battery", "imbalance"), forecast="perfect", window=24.0, ahead=6.0, every=12.0
    )
    assert -1e-6 <= run.attrs["regret"] < 0.5 * abs(run.attrs["objective_hindsight"])


@pytest.mark.parametrize("ahead", [0.0, 12.0])
def test_guaranteed_reserves_settle(ahead):
    """What was decided on plans of a day or a day and a half keeps the guarantee from the first
    step to the last, across the midnight between two windows.

    The audit of the settled run follows the worst calls over both windows; a guarantee or a path
    that a window forgets has no settlement. Hindsight keeps it, too, and earns no less."""
    tree = day_and_a_half(drawn(5, "battery", "reserve"))
    tree["battery"] = tree["battery"].to_dataset().assign(cyclic=0.0)
    run = v2g.simulate(tree, forecast="perfect", window=24.0, ahead=ahead, every=12.0, gap=1e-6)
    assert run["audit"].attrs["passed"] == 1
    assert float(run["reserve"].volume.sum()) > 1
    assert run.attrs["regret"] >= -1e-4


@pytest.mark.parametrize("first", [5.0, 0.0])
def test_both_paths_go_on_where_no_reserve_is_bought(first):
    """On one of the days nothing is bought, and what the calls of the other leave or find is there:
    as in one shot.
    """
    day = [first] * 24 + [5.0 - first] * 24
    calls = product(
        up=1,
        down=1,
        guarantee="endurance",
        hours_up=0.5,
        hours_down=0.5,
        capacity_price=8,
        volume_max=day,
    )
    prices = {"day_ahead": market([50.0 + 10 * (t % 4) for t in range(HOURS)], limit=60.0)}
    box = storage(energy_max=30.0, energy_initial=10.0, wear=0.01)
    tree = case(None, prices, calls | {"activation_up": 0.1, "activation_down": 0.05}, battery=box)
    run = v2g.simulate(
        tree, forecast="perfect", window=24.0, ahead=None, every=12.0, hindsight=False
    )
    assert run.attrs["objective"] == pytest.approx(v2g.solve(tree).attrs["objective"], rel=1e-4)
    blind = v2g.simulate(
        tree, forecast="perfect", window=24.0, ahead=0.0, every=12.0, hindsight=False
    )
    assert run["audit"].attrs["passed"] == blind["audit"].attrs["passed"] == 1


# ---- nothing is known before its time ------------------------------------------------------------


def forecast_case(seed: int) -> xr.DataTree:
    """Sun, battery and imbalance with forecasts every eight hours, each with errors of its own."""
    tree, rng = drawn(seed, "battery", "renewable", "imbalance"), np.random.default_rng(seed)
    known = pd.date_range("2026-01-04 00:00", periods=9, freq="8h", name="vintage")

    def guesses(truth: xr.DataArray, size: float) -> xr.DataArray:
        error = rng.integers(-4, 5, (len(known), HOURS)) * size
        return truth.drop_attrs() + xr.DataArray(
            error, coords={"vintage": known, "time": tree.indexes["time"]}
        )

    sun = guesses(tree["renewable"].available, 1.0).clip(min=0).transpose("vintage", ...)
    price = guesses(tree["energy"].price, 5.0).transpose("vintage", ...)
    tree["vintage"] = xr.DataTree(xr.Dataset({"renewable.available": sun, "energy.price": price}))
    return tree


def naive_case(seed: int) -> xr.DataTree:
    """Sun, visits and imbalance, forecast from the day before."""
    return drawn(seed, "fleet", "renewable", "imbalance")


def altered(tree: xr.DataTree, now: pd.Timestamp, seed: int) -> xr.DataTree:
    """Shuffle what happens from `now` on, and all forecasts of later."""
    rng, changed = np.random.default_rng(seed), tree.copy(deep=True)
    later = tree.indexes["time"] >= now
    uncertain = [
        ("energy", ("price",)),
        ("renewable", ("available",)),
        ("imbalance", ("price_long",)),
    ]
    for part, names in uncertain[
        : 2 if "vintage" in tree.children else 3
    ]:  # the file has no forecast of imbalance
        group = changed[part].to_dataset()
        for name in names:
            x = group[name].copy()
            x[..., later] = x.to_numpy()[..., later][..., rng.permutation(int(later.sum()))]
            group[name] = x
        if part == "imbalance":
            group["price_short"] = group.price_long + 30
        changed[part] = xr.DataTree(group)
    if "fleet" in tree.children:
        group = changed["fleet"].to_dataset()
        begun = (group.keep == 0) & (group.charge_max > 0) & (group.time >= now.to_datetime64())
        gone = begun.cumsum("time") > 0  # visits that begin later do not take place
        rows = ("charge_max", "discharge_max", "energy_max", "energy_in", "energy_min", "keep")
        changed["fleet"] = xr.DataTree(group.assign({n: group[n].where(~gone, 0.0) for n in rows}))
    if "vintage" in tree.children:
        group = changed["vintage"].to_dataset()
        group = group.where(
            group.vintage < now.to_datetime64(), group.roll(time=5, roll_coords=False) * 0.5 + 1
        )
        changed["vintage"] = xr.DataTree(group)
    return changed


def decided(
    tree: xr.DataTree, forecast: str, start: str, until: pd.Timestamp
) -> list[windows.State]:
    """Run windows of four hours until a time, by hand: the state after each of them."""
    inputs = inputs_of(tree, v2g.PARTS)
    q = simulate.sequence(tree, inputs, forecast, start, None, 2.0, 4.0, 4.0, "lazy", True, {})
    states = []
    for after in windows.run_windows(q, simulate.fresh(tree, q)):
        states.append(deepcopy(after))  # a run goes on in the state that it has
        if q.edge(q.windows[len(after.realised) - 1].stop) >= until:
            break
    return states


FORESIGHT = {
    "vintages": (forecast_case, "vintage", "2026-01-05"),
    "earlier days": (naive_case, "naive", "2026-01-06"),
}


@pytest.mark.parametrize(("make", "forecast", "start"), FORESIGHT.values(), ids=FORESIGHT)
def test_what_is_known_later_decides_nothing_earlier(make, forecast, start):
    """Truth and forecasts of after `now` are shuffled: what was committed and delivered before is
    the same to the bit.

    Invariant 35: no decision sees what came later. Four hours later they differ: the shuffle is
    one."""
    tree, now = make(7), pd.Timestamp(start) + pd.Timedelta(hours=8)
    later = now + pd.Timedelta(hours=4)
    (_, one, one_later), (_, other, other_later) = (
        decided(x, forecast, start, later) for x in (tree, altered(tree, now, 1))
    )
    assert len(one.realised) == len(other.realised) == 2
    for part, positions in one.committed.items():
        xr.testing.assert_identical(positions, other.committed[part])
        xr.testing.assert_identical(one.turnover[part], other.turnover[part])
    assert float(abs(one.committed["energy"]).sum()) > 0
    for before, after in zip(one.realised, other.realised, strict=True):
        assert before.keys() == after.keys()
        for name, done in before.items():
            np.testing.assert_array_equal(done.to_numpy(), after[name].to_numpy(), err_msg=name)
    assert not one_later.committed["energy"].equals(other_later.committed["energy"])


def test_a_run_goes_on_from_where_it_stopped():
    """Two windows, then the rest from the state that they left: the same run to the bit as in one
    go.
    """
    tree = forecast_case(7)
    options: dict[str, Any] = {
        "every": 4.0,
        "window": 8.0,
        "ahead": 8.0,
        "hindsight": False,
        "stop": "2026-01-06 08:00",
    }
    whole = v2g.simulate(tree, **options)
    kept: list[windows.State] = []

    class StopError(Exception):
        pass

    def stop(state: windows.State) -> None:
        kept.append(state)
        if len(kept) == 2:
            raise StopError

    with pytest.raises(StopError):
        v2g.simulate(tree, on_window=stop, **options)
    state = kept[-1]
    assert len(state.realised) == 2
    again = v2g.simulate(tree, resume_from=state, **options)
    assert again.attrs["objective"] == whole.attrs["objective"]
    assert again.attrs["decisions"] == whole.attrs["decisions"]
    for part in ("energy", "battery", "imbalance", "renewable"):
        xr.testing.assert_equal(again[part].to_dataset(), whole[part].to_dataset())


@pytest.mark.parametrize("seed", [1, 2])
def test_regret_is_never_negative(seed):
    """No run on forecasts earns more than hindsight, and its audit passes."""
    run = v2g.simulate(forecast_case(seed), every=6.0, ahead=12.0)
    assert run.attrs["regret"] >= -1e-6
    assert run["audit"].attrs["passed"] == 1
