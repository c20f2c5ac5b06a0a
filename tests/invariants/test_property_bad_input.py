"""Bad input gives a list of Problems with every fault named, never a result (docs/formulation.md
§15: 37)."""

from functools import cache

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
from docs.everything import case_of_everything
from v2g_linopy.case.io import calendar_of
from v2g_linopy.case.schema import REQUIRED, Calendar, Field

POISONS = {
    "missing": np.nan,
    "endless": np.inf,
    "endless below": -np.inf,
    "negative": -1e-3,
    "twice": 2.0,
}
SIGNED = {
    "price",
    "committed",
    "retail_price",
    "capacity_price",
    "activation_price_up",
    "activation_price_down",
}
SIGNED |= {"energy_value", "cost"}
MAY_MISS = {"unserved_cost", "slack_cost"}
MAY_BE_ENDLESS = {"volume_max", "import_max", "export_max"}
SHARES = {"keep", "eta_charge", "eta_discharge", "activation_up", "activation_down"}
FLAGS = {"aggregate", "closed", "virtual_bidding", "first_stage", "cyclic", "curtailable"}


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
        (name, str(f))
        for name in case.children
        for f, a in group(case, name).data_vars.items()
        if a.dtype == float
    ]
    every = [
        (name, field, poison)
        for name, field in arrays
        for poison in POISONS
        if wrong(field, poison)
    ]
    return draw(st.lists(st.sampled_from(every), min_size=1, max_size=3, unique_by=lambda f: f[:2]))


@few(25)
@given(data=st.data())
def test_every_wrong_number_is_named(data):
    """NaN, infinite, negative, beyond its range: every field that holds one is named, nothing is
    solved.
    """
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
    places = {p.where for p in caught.value.problems}
    assert places == {f"{name}.{field}" for name, field, _ in chosen}
    assert all(place in str(caught.value) for place in places)


NOT_NEGATIVE = {  # written by hand: what a number means, not what the schema says of it
    "fleet": (
        """charge_max discharge_max energy_min energy_max energy_initial energy_in energy_out
        spill_max wear wear_charge unserved_cost slack_cost vehicles"""
    ),
    "battery": (
        """charge_max discharge_max energy_min energy_max energy_initial wear wear_charge cycles_max
        throughput_initial"""
    ),
    "load": (
        """baseline curtail_max curtail_cost shift_up_max shift_down_max window
        advanced_initial owed_initial curtail_energy_max power_min curtailed_initial"""
    ),
    "renewable": "available",
    "energy": "spread limit block",
    "reserve": "up down hours_up hours_down volume_max block pool",
    "connection": "import_max export_max",
}
BETWEEN = {  # likewise: the physical range
    "fleet": {"keep": (0, 1), "eta_charge": (0, 1), "eta_discharge": (0, 1)},
    "battery": {"keep": (0, 1), "eta_charge": (0, 1), "eta_discharge": (0, 1)},
    "load": {"window": (0, 24)},
    "energy": {"block": (0, 24)},
    "reserve": {
        **{"activation_up": (0, 1), "activation_down": (0, 1)},
        **{"accept_probability": (0, 1), "block": (0, 24)},
    },
}
ENDLESS = {
    "load": "curtail_max curtail_energy_max",
    "reserve": "volume_max",
    "connection": "import_max export_max",
}
OPEN = {"fleet": "unserved_cost slack_cost", "battery": "cycles_max"}  # NaN has a meaning
FIELDS = [
    (part.name, f)
    for part in v2g.PARTS.values()
    for f in part.schema.inputs
    if f.kind in ("quantity", "flag")
]


@cache
def everything() -> xr.DataTree:
    """The case with every part, made once: `poisoned` leaves it as it is."""
    return case_of_everything()


@cache
def calendar() -> Calendar:
    """Its time stamps."""
    return calendar_of(everything())[0]


def poisoned(case: xr.DataTree, part: str, field: Field, value: float) -> xr.Dataset:
    """A part of the case with one wrong number in the last cell of a field, all its other numbers
    as they were.
    """
    ds = group(case, part)
    usual = 1.0 if field.default in (None, REQUIRED) else field.default
    array = ds[field.name] if field.name in ds else xr.DataArray(usual)
    known = (
        {"segment": pd.Index([1, 2]), "lag": pd.Index([1, 2]), "point": pd.Index([1, 2])}
        | {"class": pd.Index(["all"]), "call_state": pd.Index(["none", "up"])}
        | {"fleet": case["fleet"].indexes["fleet"]}
        | dict(case.to_dataset().indexes)
        | dict(ds.indexes)
    )
    axes = {d: known[d] for d in field.dims.split()}
    values = np.zeros([len(i) for i in axes.values()])
    full = array.variable + xr.Variable([*axes], values)
    full = full.transpose(..., *axes)
    values = full.to_numpy().copy()
    values.reshape(-1)[-1] = value
    # without a unit, it is in that of the field
    return ds.assign({field.name: (full.dims, values)}).assign_coords(axes)


def named(case: xr.DataTree) -> set[str]:
    """The places of all problems of a case."""
    try:
        v2g.check(case)
    except v2g.SchemaError as error:
        assert all(p.where in str(error) and p.detail in str(error) for p in error.problems)
        return {p.where for p in error.problems}
    return set()


def named_alone(ds: xr.Dataset, part: str) -> set[str]:
    """The places of the problems that a part finds by itself; the others of the case are not looked
    at.
    """
    return {p.where for p in v2g.PARTS[part].schema.validate(ds, part, calendar())[1]}


@pytest.mark.parametrize(("part", "field"), FIELDS, ids=lambda x: getattr(x, "name", x))
def test_every_field_refuses_what_its_schema_excludes(part, field):
    """Below its least, above its most, missing, without end: each alone is a problem that names the
    field alone.
    """
    case = everything()
    low, high = (0.0, 1.0) if field.kind == "flag" else (field.ge, field.le)
    step = 1e-6 * max(1.0, abs(low) if np.isfinite(low) else 0.0)
    faults = {"endless below": -np.inf, "below": low - step, "above": high + step}
    faults |= {} if field.missing else {"missing": np.nan}
    faults |= {} if field.infinite else {"endless": np.inf}
    for kind, value in faults.items():
        if kind in ("below", "above") and np.isinf(value):
            continue  # no bound on that side
        found = named_alone(poisoned(case, part, field, value), part)
        assert found == {f"{part}.{field.name}"}, f"{kind}: {value:g}"


def by_hand(table: dict[str, str]) -> list[tuple[str, str]]:
    """The fields of a table as pairs of part and name."""
    return [(part, name) for part, names in table.items() for name in names.split()]


@pytest.mark.parametrize(("part", "name"), by_hand(NOT_NEGATIVE))
def test_what_cannot_be_negative_is_refused(part, name):
    """Powers, energies, hours, wear and penalties: a thousandth below zero is a problem; zero
    itself is none.
    """
    field = next(f for f in v2g.PARTS[part].schema.inputs if f.name == name)
    bad = poisoned(everything(), part, field, -1e-3)
    assert named(edit(everything(), **{part: bad})) == {f"{part}.{name}"}
    assert f"{part}.{name}" not in named_alone(poisoned(everything(), part, field, 0.0), part)


@pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part, fields in BETWEEN.items() for name in fields]
)
def test_what_lies_between_two_numbers_is_refused_outside(part, name):
    """Efficiencies and shares within [0, 1], market blocks and windows within a day."""
    field = next(f for f in v2g.PARTS[part].schema.inputs if f.name == name)
    low, high = BETWEEN[part][name]
    for value in (low - 1e-3, high + 1e-3):
        bad = poisoned(everything(), part, field, value)
        assert named(edit(everything(), **{part: bad})) == {f"{part}.{name}"}, value


@pytest.mark.parametrize("part", NOT_NEGATIVE)
def test_only_what_has_a_meaning_may_be_missing_or_endless(part):
    """NaN is "must serve", "no slack", "no cap", inf is "no limit"; in every other field both are
    faults.
    """
    free = {"missing": (np.nan, by_hand(OPEN)), "endless": (np.inf, by_hand(ENDLESS))}
    known = {*NOT_NEGATIVE[part].split(), *BETWEEN.get(part, {}), *SIGNED, *FLAGS}
    case = everything()
    for field in (f for name, f in FIELDS if name == part and f.name in known):
        for kind, (value, allowed) in free.items():
            fault = f"{part}.{field.name}" in named_alone(poisoned(case, part, field, value), part)
            assert fault == ((part, field.name) not in allowed), f"{field.name} {kind}"


@few(10)
@given(
    case=cases(Wanted(steps=(3, 8))),
    kind=st.sampled_from(("unordered", "twice", "mixed", "missing")),
)
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
    """Labels twice, misspelt fields, unknown groups, and required fields left out: all in one
    list.
    """
    name, dim = data.draw(st.sampled_from((("fleet", "fleet"), ("energy", "market"))))
    ds = group(case, name)
    twice = xr.concat([ds, ds.isel({dim: [0]})], dim, data_vars="minimal")
    other = "energy" if name == "fleet" else "fleet"
    required = {"energy": "limit", "fleet": "charge_max"}[other]
    misspelt = group(case, other).rename({required: required + "x"})
    bad = edit(case, **{name: twice}) if data.draw(st.booleans()) else case
    parts = {f"/{n}": group(bad, n) for n in bad.children} | {
        f"/{other}": misspelt,
        "/fleets": xr.Dataset(),
    }
    bad = xr.DataTree.from_dict({"/": bad.to_dataset(), **parts})
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.solve(bad)
    places = {p.where for p in caught.value.problems}
    wanted = {"/fleets", f"{other}.{required}", f"{other}.{required}x"}
    if group(bad, name).sizes[dim] > ds.sizes[dim]:
        wanted |= {f"{name}.{dim}"}
    assert places == wanted


@few(20)
@given(
    spans=st.lists(st.tuples(st.integers(0, 20), st.integers(-1, 6)), min_size=2, max_size=6),
    arrival=st.lists(st.sampled_from((5.0, 10.0, 45.0)), min_size=6, max_size=6),
)
def test_overlapping_or_impossible_sessions_are_named(spans, arrival):
    """Two sessions at once on a connector, a stay of no length, more energy on arrival than fits:
    each is named.
    """
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
    overlap = any(
        hours[i, 0] < hours[j, 1] and hours[j, 0] < hours[i, 1]
        for i in whole
        for j in whole
        if i < j
    )
    time = pd.date_range(start, periods=30, freq="h", name="time")
    if not (backwards or full or overlap):
        fleet, _ = v2g.sessions_to_fleet(sessions, time, rows="connector")
        assert float(fleet.energy_in.sum()) == sum(arrival[:n])
        return
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.sessions_to_fleet(sessions, time, rows="connector")
    text = str(caught.value)
    assert all(f"stay-{i}" in text for i in backwards | full)
    assert ("overlap" in text) or not overlap
