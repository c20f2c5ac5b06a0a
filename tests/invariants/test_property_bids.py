"""Bids that a market accepts, against every combination of whole kW (docs/formulation.md §15:
34).
"""

from itertools import product as combinations

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants.changes import close, plan
from invariants.strategies import described
from invariants.wanted import Draw, few, rows

import v2g_linopy as v2g

NAMES = ("one", "two", "three")


@st.composite
def auctions(draw: Draw) -> xr.DataTree:
    """A battery with up to 8 kW for upward reserve, and three products: least bids, steps, limits,
    gates, rules.
    """
    steps = draw(st.integers(1, 2))
    time = pd.date_range("2026-01-05", periods=steps, freq="h", name="time")

    def each(values):
        return "product", [float(draw(st.sampled_from(values))) for _ in NAMES]

    def table(values):
        return ("product", "time"), np.array([draw(rows(values, steps)) for _ in NAMES])

    hours = draw(st.sampled_from((0.0, 2.0)))
    closed = np.array(
        [draw(rows((0, 0, 0, 1), steps if hours == 0 else 1)) + np.zeros(steps) for _ in NAMES]
    )
    taken = closed * np.array([float(draw(st.sampled_from((0, 0, 1)))) for _ in NAMES])[:, None]
    reserve = xr.Dataset(
        {
            "up": ("product", [1.0] * 3),
            "down": ("product", [0.0] * 3),
            "capacity_price": table((-1.0, 1.0, 2.0, 3.0, 5.0)),
            "volume_max": table((0.0, 3.0, 5.0, np.inf)),
            "minimum_bid": each((0, 2, 4)),
            "step": each((0, 2, 3)),
            "block": ((), hours),
            "closed": (("product", "time"), closed),
            "committed": (("product", "time"), taken),
        },
        coords={"product": list(NAMES), "time": time},
    )
    power = ("battery", "time"), np.array([draw(rows((4, 5, 7, 8), steps))])
    battery = xr.Dataset(
        {"charge_max": 0.0, "discharge_max": power, "energy_max": 99.0, "energy_initial": 99.0},
        coords={"battery": ["box"], "time": time},
    )
    market = xr.Dataset(
        {"price": ("market", [0.0]), "limit": 0.0}, coords={"market": ["day_ahead"]}
    )
    groups = {"battery": battery, "reserve": reserve, "energy": market}
    if draw(st.booleans()):
        pair = np.zeros((1, 3, steps))
        pair[:, draw(st.sampled_from(([0, 1], [1, 2], [0, 1, 2]))), :] = 1.0
        groups["exclusion"] = xr.Dataset(
            {"group": (("rule", "product", "time"), pair)},
            coords={"rule": ["policy"], "product": list(NAMES), "time": time},
        )
    return v2g.assemble(
        time, {n: described(n, ds) for n, ds in groups.items()}, title="drawn", step_hours=1.0
    )


def best(case: xr.DataTree) -> float | None:
    """Most income (EUR) over all whole volumes; None where what was committed does not fit.

    One row of room per step and whole numbers in every limit: the best bid is one of whole kW.
    """
    reserve = case["reserve"].to_dataset()
    d = {
        n: (reserve[n] + 0 * reserve.capacity_price).transpose("time", "product").values
        for n in reserve.data_vars
    }
    named = np.zeros(d["closed"].shape)
    if "exclusion" in case.children:
        named = case["exclusion"].group.isel(rule=0).transpose("time", "product").values
    bids = np.array(list(combinations(range(9), repeat=len(NAMES))))
    worth = []
    for t, room in enumerate(case["battery"].discharge_max.values[0]):
        least, most, step, closed = (
            d[n][t] for n in ("minimum_bid", "volume_max", "step", "closed")
        )
        whole = (step == 0) | (bids % np.where(step > 0, step, 1) == 0)
        fine = np.where(
            closed > 0,
            bids == d["committed"][t],
            (bids == 0) | ((bids >= least) & (bids <= most) & whole),
        )
        inside = (bids > 0) & (named[t] > 0)
        clash = (inside.sum(axis=1) > 1) & (inside & (closed == 0)).any(axis=1)
        allowed = fine.all(axis=1) & (bids.sum(axis=1) <= room) & ~clash
        worth.append(np.where(allowed, bids @ d["capacity_price"][t] / 1000, -np.inf))
    if (
        float(reserve.block) and len(worth) > 1
    ):  # the gate of a block is open, or closed, in both steps
        free = d["closed"][0] == 0
        total = -np.inf
        for key in {tuple(b) for b in bids[:, free]}:
            same = (bids[:, free] == key).all(axis=1)
            total = max(total, sum(w[same].max() for w in worth))
    else:
        total = sum(w.max() for w in worth)
    return float(total) if np.isfinite(total) else None


@few(6)
@given(case=auctions())
def test_bids_are_the_best_of_those_accepted(case):
    """34: exclusion holds, and the plan earns what the best of all bids earns that the market
    accepts.
    """
    wanted = best(case)
    try:
        result = plan(case, audit=True)
    except v2g.Infeasible:
        assert wanted is None
        return
    assert wanted is not None
    assert close(float(result.attrs["profit"]), wanted)
    if "exclusion" in case.children:
        d = case["reserve"].to_dataset()
        sold = (result["reserve"].volume * case["exclusion"].group > 1e-6).isel(rule=0)
        beside = sold.sum("product") - ((d.closed > 0) & sold).sum("product")
        assert int(beside.max()) <= 1
