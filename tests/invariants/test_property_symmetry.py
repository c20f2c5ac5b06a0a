"""What changes nothing: order, copies, clocks, units, files (docs/formulation.md §15: 13, 14, 15,
21, 22, 25, 26, 27, 28)."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants.changes import (
    FIELDS,
    close,
    edit,
    extensive,
    group,
    members,
    objective,
    on_time,
    plan,
)
from invariants.strategies import cases
from invariants.wanted import PLUGGED, UNITS, Wanted, few

import v2g_linopy as v2g

ALTERNATIVES = {  # what 1 of the declared unit is in another
    "kW": {"MW": 1e-3, "W": 1e3, "GW": 1e-6},
    "kWh": {"MWh": 1e-3, "Wh": 1e3},
    "EUR/MWh": {"EUR/kWh": 1e-3, "ct/kWh": 0.1},
    "EUR/kWh": {"EUR/MWh": 1e3, "ct/kWh": 100.0},
    "EUR/MW/h": {"EUR/kW/h": 1e-3},
    "h": {"min": 60.0, "s": 3600.0},
    "1": {"%": 100.0},
}


@few(6)
@given(case=cases())
def test_the_order_of_members_changes_nothing(case):
    """13: any order of vehicles, products, markets and pods; a plan held by its labels is the same
    plan.

    Where `settlement` is not given it is the first market, so here it is given.
    """
    if "reserve" in case.children and "settlement" not in case["reserve"]:
        reserve = group(case, "reserve")
        first = str(case["energy"].market.values[0])
        case = edit(
            case, reserve=reserve.assign(settlement=("product", [first] * reserve.sizes["product"]))
        )
    axes = {"fleet": "fleet", "energy": "market", "reserve": "product", "connection": "pod"}
    turned = members(
        case, {d: list(case[g][d].values[::-1]) for g, d in axes.items() if g in case.children}
    )
    result = plan(case)
    assert close(objective(turned), result.attrs["objective"])
    moves = {f"fleet.{name}": result["fleet"][name] for name in ("charge", "discharge")}
    assert close(objective(turned, fix=moves), result.attrs["objective"], 1e-6)


@few(5)
@given(case=cases(Wanted(members=(1, 1))), n=st.sampled_from((2, 3)))
def test_copies_are_one_member_scaled(case, n):
    """14: n copies = one with n times the power and energy, on the relaxation; merged or not."""
    fleet = group(case, "fleet")
    copies = xr.concat(
        [fleet.assign_coords(fleet=[f"copy-{i}"]) for i in range(n)], "fleet", data_vars="minimal"
    )
    scaled = fleet.assign(
        {k: a * n for k, a in fleet.data_vars.items() if str(k) in UNITS and extensive(str(k))}
    )
    merged = plan(edit(case, fleet=copies), complementarity="off")
    apart = plan(edit(case, fleet=copies), complementarity="off", blocks=False)
    one = plan(edit(case, fleet=scaled), complementarity="off", blocks=False)
    assert merged.attrs["merged_members"] == n - 1
    assert apart.attrs["merged_members"] == 0
    assert close(merged.attrs["objective"], one.attrs["objective"], 1e-9)
    assert close(apart.attrs["objective"], one.attrs["objective"], 1e-9)


ALONE = Wanted(
    simple_market=True, binding_volume=False, blocks=False, connection=False, scenarios=False
)


@few(4)
@given(case=cases(ALONE.only(members=(2, 4))))
def test_what_nothing_couples_adds_up(case):
    """15: one market without spread, no limit that can bind, no block, no connection: objectives
    add up.
    """
    names = list(case["fleet"]["fleet"].values)
    half = len(names) // 2
    parts = [objective(members(case, {"fleet": some})) for some in (names[:half], names[half:])]
    assert close(objective(case), sum(parts))


@few(4)
@given(case=cases(Wanted(blocks=False)), hours=st.sampled_from((1, 17, 24 * 200)))
def test_another_date_changes_nothing(case, hours):
    """21: the clock may start at any time. Holds where nothing follows the calendar: no market
    block.
    """
    time = case.to_dataset().indexes["time"] + pd.Timedelta(hours=hours)
    assert close(objective(on_time(case, time, lambda _, values: values)), objective(case), 1e-9)


STILL = {"charge_max", "discharge_max", "energy_min", "energy_in", "energy_out", "spill_max"}
QUIET = STILL | {"closed", "committed", "price", "spread"}


@few(5)
@given(
    case=cases(Wanted(blocks=False, guarantees=("expected",))),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
)
def test_steps_without_a_plug_at_the_ends_change_nothing(case, before, after):
    """21: nothing connected before and after, energy at rest.

    Holds for steps before only without a guarantee of energy (`endurance`): with it the first step
    would differ, as how much is on board before it is known only at the start. No market block,
    which follows the calendar."""
    dt = pd.Timedelta(hours=float(case.attrs["step_hours"]))
    time = case.to_dataset().indexes["time"]
    longer = pd.date_range(time[0] - before * dt, periods=before + len(time) + after, freq=dt)
    initial = case["fleet"].energy_initial.to_numpy()

    def rule(name: str, values: np.ndarray) -> np.ndarray:
        width = [(0, 0)] * (values.ndim - 1) + [(before, after)]
        if name in QUIET or name == "keep":
            return np.pad(values, width, constant_values=float(name == "keep"))
        padded = np.pad(values, width, mode="edge")
        if name == "energy_max":
            padded[..., :before] = initial[:, None]
        return padded

    assert close(objective(on_time(case, longer, rule)), objective(case))


@few(4)
@given(case=cases(Wanted(scenarios=False)), weight=st.sampled_from((0.25, 0.5)))
def test_two_futures_that_are_the_same_are_one(case, weight):
    """22: identical scenarios give the plan without any."""
    axis = {"scenario": ["calm", "windy"]}
    both = xr.DataArray([1.0, 1.0], coords=axis)
    energy = group(case, "energy")
    energy["price"] = (both * energy.price).assign_attrs(energy.price.attrs)
    parts = {f"/{n}": group(case, n) for n in case.children} | {"/energy": energy}
    probability = xr.DataArray([weight, 1 - weight], coords=axis)
    root = case.to_dataset().assign_coords(axis).assign(probability=probability)
    twice = xr.DataTree.from_dict({"/": root, **parts})
    assert close(objective(twice), objective(case))


ONCE = {"energy_in", "energy_out", "spill_max"}
HALVED = Wanted(kinds=PLUGGED, steps=(1, 5), guarantees=("expected",))


@few(5)
@given(case=cases(HALVED))
def test_steps_of_half_the_length_change_nothing(case):
    """25: the same powers and prices twice, arrivals in the first half, needs at the end of the
    second.

    Holds on the relaxation, with limits that are constant while a vehicle is connected, without
    trips, and without a guarantee of energy (`endurance`): in half a step a battery can be emptier,
    or sell what it backs for half as long."""
    dt = pd.Timedelta(hours=float(case.attrs["step_hours"])) / 2
    time = case.to_dataset().indexes["time"]

    def rule(name: str, values: np.ndarray) -> np.ndarray:
        twice = np.repeat(values, 2, axis=-1)
        if name in ONCE:
            twice[..., 1::2] = 0
        elif name == "keep":
            twice[..., 1::2] = np.where(case["fleet"].energy_max.to_numpy() > 0, 1.0, 0.0)
        elif name == "energy_min":
            twice[..., ::2] = 0
        return twice

    halved = on_time(case, pd.date_range(time[0], periods=2 * len(time), freq=dt), rule)
    assert close(objective(halved, complementarity="off"), objective(case, complementarity="off"))


@few(5)
@given(case=cases(), choice=st.integers(0, 5))
def test_units_change_nothing(case, choice):
    """26: any unit of the same kind in the file."""
    groups = {}
    for name in case.children:
        ds = group(case, name)
        for i, (field, array) in enumerate(ds.data_vars.items()):
            others = [
                *ALTERNATIVES.get(UNITS.get(str(field), ""), {}).items(),
                (UNITS.get(str(field)), 1.0),
            ]
            unit, factor = others[(i + choice) % len(others)]
            if unit is not None:
                ds[field] = (array * factor).assign_attrs(units=unit)
        groups[f"/{name}"] = ds
    other = xr.DataTree.from_dict({"/": case.to_dataset(), **groups})
    assert close(objective(other), objective(case), 1e-9)


@few(4)
@given(case=cases())
def test_a_file_changes_nothing(case):
    """27: a case read back holds the same data and gives the same objective; a result read back
    passes its audit.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        v2g.write(case, path / "case.nc")
        back = v2g.read(path / "case.nc")
        assert_same(case, back)
        result = v2g.solve(case, gap=0.0)
        again = v2g.solve(back, gap=0.0, audit=False)
        assert close(result.attrs["objective"], again.attrs["objective"], 1e-9)
        assert result.attrs["case_hash"] == again.attrs["case_hash"]
        v2g.write(result, path / "result.nc")
        stored = v2g.read(path / "result.nc")
        assert_same(result, stored)
        found = v2g.replay(stored)
        assert found.attrs["passed"] == 1, found.attrs["worst"]
        assert close(objective(stored), result.attrs["objective"], 1e-9)


def assert_same(a: xr.DataTree, b: xr.DataTree) -> None:
    """The same groups, arrays, units and attributes."""
    assert set(a.children) == set(b.children)
    assert a.attrs == b.attrs
    for name in a.children:
        xr.testing.assert_equal(a[name].to_dataset(), b[name].to_dataset())
        for field, array in a[name].data_vars.items():
            assert array.attrs == b[name][field].attrs, field


@few(5)
@given(case=cases(), choice=st.integers(0, 2))
def test_dimension_order_and_broadcasting_change_nothing(case, choice):
    """28: transposed arrays, and arrays without the dimensions along which they do not vary."""
    groups = {}
    for name in case.children:
        ds, table = group(case, name), FIELDS[name]
        for i, (field, array) in enumerate(ds.data_vars.items()):
            way = (i + choice) % 3
            if way == 0:
                array = array.transpose(*reversed(array.dims))
            elif way == 1:
                array = squeezed(array)
            elif table[str(field)].kind == "quantity":
                array = (
                    array.broadcast_like(ds["time"])
                    if "time" in table[str(field)].dims.split()
                    else array
                )
            ds[field] = array
        keep = {d: ds.coords[d] for d in ("fleet", "market", "product", "pod") if d in ds.coords}
        groups[f"/{name}"] = ds.assign_coords(keep)
    other = xr.DataTree.from_dict({"/": case.to_dataset(), **groups})
    assert close(objective(other), objective(case), 1e-9)


def squeezed(array: xr.DataArray) -> xr.DataArray:
    """Drop every dimension along which nothing changes."""
    for dim in array.dims:
        first = array.isel({dim: 0}, drop=True)
        if bool(((array == first) | (array.isnull() & first.isnull())).all()):
            array = first
    return array
