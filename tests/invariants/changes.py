"""Ways to change a drawn case, and the objective of what comes out."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from invariants.strategies import described
from invariants.wanted import UNITS

import v2g_linopy as v2g

FIELDS = {name: {f.name: f for f in part.schema.inputs} for name, part in v2g.PARTS.items()}


def plan(case: xr.DataTree, **options: Any) -> xr.DataTree:
    """Solve to the last cent, without replay."""
    return v2g.solve(case, **({"gap": 0.0, "audit": False} | options))


def objective(case: xr.DataTree, **options: Any) -> float:
    """The objective of the best plan."""
    return float(plan(case, **options).attrs["objective"])


def close(a: float, b: float, tolerance: float = 1e-8) -> bool:
    """Equal up to the accuracy of a solver that works to 1e-7 in every row."""
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def at_least(a: float, b: float) -> bool:
    """No less, up to the same accuracy."""
    return a >= b - 1e-8 * max(1.0, abs(a), abs(b))


def group(case: xr.DataTree, name: str) -> xr.Dataset:
    """A part of a case as a dataset of its own."""
    return case[name].to_dataset(inherit=False)


def edit(case: xr.DataTree, **groups: xr.Dataset | None) -> xr.DataTree:
    """A copy of the case with some groups replaced, or left out where None."""
    time = case.to_dataset().indexes["time"]
    given = {
        n: described(n, ds).assign_coords(time=time) for n, ds in groups.items() if ds is not None
    }
    kept = {n: group(case, n) for n in case.children if n not in groups}
    order = [*case.children, *(n for n in given if n not in case.children)]
    every = {f"/{n}": (kept | given)[n] for n in order if n in kept or n in given}
    return xr.DataTree.from_dict({"/": case.to_dataset(), **every})


def every(case: xr.DataTree, change: Callable[[str, xr.DataArray], xr.DataArray]) -> xr.DataTree:
    """A copy of the case with `change(name of the field, array)` applied to every quantity of every
    group.
    """
    groups = {}
    for name in case.children:
        ds = group(case, name)
        groups[name] = ds.assign(
            {n: change(str(n), a) for n, a in ds.data_vars.items() if str(n) in UNITS}
        )
    return edit(case, **groups)


def money(name: str) -> bool:
    """True for fields in EUR, EUR/MWh, EUR/kWh ..."""
    return UNITS[name].startswith("EUR")


def extensive(name: str) -> bool:
    """True for fields that double with the fleet."""
    return UNITS[name] in ("kW", "kWh")


def over_time(
    ds: xr.Dataset, time: pd.DatetimeIndex, rule: Callable[[str, np.ndarray], np.ndarray]
) -> xr.Dataset:
    """A dataset on other steps: `rule(name, array with time last)` gives the new numbers."""
    arrays: dict[str, xr.DataArray] = {}
    for name, array in ds.data_vars.items():
        if "time" not in array.dims:
            arrays[str(name)] = array
            continue
        dims = [*(d for d in array.dims if d != "time"), "time"]
        coords = {d: array.coords[d] for d in dims if d != "time" and d in array.coords}
        values = rule(str(name), array.transpose(*dims).to_numpy())
        arrays[str(name)] = xr.DataArray(
            values, coords=coords | {"time": time}, dims=dims, attrs=array.attrs
        )
    return xr.Dataset(arrays)


def on_time(
    case: xr.DataTree, time: pd.DatetimeIndex, rule: Callable[[str, np.ndarray], np.ndarray]
) -> xr.DataTree:
    """The case on other steps."""
    time = time.rename("time")
    root = case.to_dataset().drop_vars("time").assign_coords(time=time)
    if len(time) > 1:
        root.attrs["step_hours"] = (time[1] - time[0]) / pd.Timedelta(hours=1)
    parts = {f"/{n}": over_time(group(case, n), time, rule) for n in case.children}
    return xr.DataTree.from_dict({"/": root, **parts})


def members(case: xr.DataTree, take: Mapping[str, Any]) -> xr.DataTree:
    """The case with some labels only, or in another order: `{"fleet": [...], "product": [...]}`."""
    groups = {}
    for name in case.children:
        ds = group(case, name)
        groups[name] = ds.sel({d: labels for d, labels in take.items() if d in ds.dims})
    return edit(case, **groups)
