"""Bad input gives a list of Problems with every fault named, never a result (FORMULATION §15: 37)."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants.changes import edit, group
from invariants.strategies import cases
from invariants.wanted import Wanted, few

import v2g_linopy as v2g

POISONS = {"missing": np.nan, "endless": np.inf, "endless below": -np.inf, "negative": -1e-3, "twice": 2.0}
SIGNED = {"price", "committed", "retail_price", "capacity_price", "activation_price_up", "activation_price_down"}
MAY_MISS = {"unserved_cost", "slack_cost"}
MAY_BE_ENDLESS = {"volume_max", "import_max", "export_max"}
SHARES = {"keep", "eta_charge", "eta_discharge", "activation_up", "activation_down"}
FLAGS = {"aggregate", "closed", "virtual_bidding", "first_stage"}


def wrong(name: str, poison: str) -> bool:
    """Whether this number is a fault in this field, by what the field means."""
    return {
        "missing": name not in MAY_MISS,
        "endless": name not in MAY_BE_ENDLESS,
        "endless below": True,
        "negative": name not in SIGNED,
        "twice": name in SHARES | FLAGS,
    }[poison]


@st.composite
def faults(draw, case: xr.DataTree) -> list[tuple[str, str, str]]:
    """One fault to three: (group, field, poison)."""
    arrays = [
        (name, str(f)) for name in case.children for f, a in group(case, name).data_vars.items() if a.dtype == float
    ]
    every = [(name, field, poison) for name, field in arrays for poison in POISONS if wrong(field, poison)]
    return draw(st.lists(st.sampled_from(every), min_size=1, max_size=3, unique_by=lambda f: f[:2]))


@few(25)
@given(data=st.data())
def test_every_wrong_number_is_named(data):
    """NaN, infinite, negative, beyond its range: every field that holds one is named, nothing is solved."""
    case = data.draw(cases())
    chosen = data.draw(faults(case))
    bad = case
    for name, field, poison in chosen:
        ds = group(bad, name)
        values = ds[field].to_numpy().copy()
        values.reshape(-1)[data.draw(st.integers(0, values.size - 1))] = POISONS[poison]
        bad = edit(bad, **{name: ds.assign({field: ds[field].copy(data=values)})})
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.solve(bad)
    named = {p.where for p in caught.value.problems}
    assert named == {f"{name}.{field}" for name, field, _ in chosen}
    assert all(place in str(caught.value) for place in named)


@few(10)
@given(case=cases(Wanted(steps=(3, 8))), kind=st.sampled_from(("unordered", "twice", "mixed", "missing")))
def test_every_wrong_clock_is_named(case, kind):
    """Time stamps out of order, twice, of mixed length or missing."""
    time = case.to_dataset().indexes["time"].to_numpy().copy()
    if kind == "unordered":
        time[[0, 1]] = time[[1, 0]]
    elif kind == "twice":
        time[1] = time[0]
    elif kind == "mixed":
        time[-1] += np.timedelta64(7, "m")
    else:
        time[1] = np.datetime64("NaT")
    index = pd.DatetimeIndex(time, name="time")
    parts = {f"/{n}": group(case, n).assign_coords(time=index) for n in case.children}
    bad = xr.DataTree.from_dict({"/": case.to_dataset().assign_coords(time=index), **parts})
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.solve(bad)
    assert {p.where for p in caught.value.problems} == {"time"}


@few(10)
@given(case=cases(), data=st.data())
def test_every_wrong_name_is_named(case, data):
    """Labels twice, misspelt fields, unknown groups, and required fields left out: all in one list."""
    name, dim = data.draw(st.sampled_from((("fleet", "fleet"), ("energy", "market"))))
    ds = group(case, name)
    twice = xr.concat([ds, ds.isel({dim: [0]})], dim, data_vars="minimal")
    other = "energy" if name == "fleet" else "fleet"
    required = {"energy": "limit", "fleet": "charge_max"}[other]
    misspelt = group(case, other).rename({required: required + "x"})
    bad = edit(case, **{name: twice}) if data.draw(st.booleans()) else case
    parts = {f"/{n}": group(bad, n) for n in bad.children} | {f"/{other}": misspelt, "/fleets": xr.Dataset()}
    bad = xr.DataTree.from_dict({"/": bad.to_dataset(), **parts})
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.solve(bad)
    named = {p.where for p in caught.value.problems}
    wanted = {"/fleets", f"{other}.{required}", f"{other}.{required}x"}
    if group(bad, name).sizes[dim] > ds.sizes[dim]:
        wanted |= {f"{name}.{dim}"}
    assert named == wanted


@few(20)
@given(
    spans=st.lists(st.tuples(st.integers(0, 20), st.integers(-1, 6)), min_size=2, max_size=6),
    arrival=st.lists(st.sampled_from((5.0, 10.0, 45.0)), min_size=6, max_size=6),
)
def test_overlapping_or_impossible_sessions_are_named(spans, arrival):
    """Two sessions at once on a connector, a stay of no length, more energy on arrival than fits: each is named."""
    start = pd.Timestamp("2026-01-05")
    n = len(spans)
    hours = np.array([(a, a + length) for a, length in spans])
    sessions = xr.Dataset(
        {
            "arrival": ("session", start + pd.to_timedelta(hours[:, 0], "h")),
            "departure": ("session", start + pd.to_timedelta(hours[:, 1], "h")),
            "capacity": ("session", np.full(n, 40.0)),
            "energy_arrival": ("session", np.array(arrival[:n])),
            "energy_need": ("session", np.array(arrival[:n])),
            "charge_max": ("session", np.full(n, 10.0)),
            "eta_charge": ("session", np.ones(n)),
            "eta_discharge": ("session", np.ones(n)),
            "connector": ("session", ["left"] * n),
        },
        coords={"session": [f"stay-{i}" for i in range(n)]},
    )
    backwards = {i for i in range(n) if hours[i, 1] <= hours[i, 0]}
    full = {i for i in range(n) if arrival[i] > 40}
    whole = [i for i in range(n) if i not in backwards]
    overlap = any(hours[i, 0] < hours[j, 1] and hours[j, 0] < hours[i, 1] for i in whole for j in whole if i < j)
    time = pd.date_range(start, periods=30, freq="h", name="time")
    if not (backwards or full or overlap):
        fleet, _ = v2g.rasterise(sessions, time, rows="connector")
        assert float(fleet.energy_in.sum()) == sum(arrival[:n])
        return
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.rasterise(sessions, time, rows="connector")
    text = str(caught.value)
    assert all(f"stay-{i}" in text for i in backwards | full)
    assert ("overlap" in text) or not overlap
