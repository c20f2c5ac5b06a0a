"""A good case to break, ways to break it, and the problems that come of it."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, vehicle

import v2g_linopy as v2g

HOURS = pd.date_range("2026-01-05", periods=4, freq="h", name="time")
QUARTERS = pd.DatetimeIndex(
    [HOURS[0], HOURS[1], *pd.date_range("2026-01-05 01:15", periods=2, freq="15min")]
)


def good(**attrs: str) -> xr.DataTree:
    """Two vehicles in Rome, four hours from 01:00 local time, a market, a product and a
    connection.
    """
    fleet = {
        "ev-1": vehicle(energy_min=[0.0, 0, 0, 5], keep=[0.0, 1, 1, 1], energy_in=[2.0, 0, 0, 0]),
        "ev-2": vehicle(
            charge_max=[10.0, 10, 10, 0], discharge_max=[5.0, 5, 5, 0], keep=[1.0, 1, 1, 0]
        ),
    }
    up = product(
        up=1,
        capacity_price=[5.0] * 4,
        guarantee="expected",
        settlement="day_ahead",
        activation_up=0.1,
    )
    connection = {"site": {"import_max": 20}}
    markets = {"day_ahead": market([30.0, 20, 60, 40], closed=[0.0] * 4)}
    return case(fleet, markets, {"up": up}, connection, **{"timezone": "Europe/Rome"} | attrs)


def put(
    tree: xr.DataTree, name: str, value: object, units: str | None = None, **place: object
) -> None:
    """Set one value of an array, the whole array, or its units."""
    part, _, field = name.partition(".")
    group = tree[part].to_dataset()
    array = group[field].copy() if field in group else None
    if place:
        array.loc[
            {dim: np.datetime64(at) if dim == "time" else at for dim, at in place.items()}
        ] = value
    elif value is not None:
        array = xr.DataArray(value) if not isinstance(value, xr.DataArray) else value
    if units is not None:
        array.attrs["units"] = units
    tree[part] = group.assign({field: array})


def on_time(values: list[float]) -> xr.DataArray:
    return xr.DataArray(values, coords={"time": HOURS}, dims="time")


def problems(tree: xr.DataTree) -> tuple[v2g.Problem, ...]:
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.check(tree)
    assert caught.value.exit_code == 3
    assert str(caught.value).startswith(f"{len(caught.value.problems)} problem")
    assert all(
        p.where in str(caught.value) and p.detail in str(caught.value)
        for p in caught.value.problems
    )
    return caught.value.problems


def on_stamps(time: pd.Index) -> xr.DataTree:
    """The good case on other time stamps, put together without the care that `assemble` takes."""
    groups = {name: node.to_dataset() for name, node in good().children.items()}
    moved = {f"/{n}": ds.assign_coords(time=time) for n, ds in groups.items()}
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(coords={"time": time}, attrs={"timezone": "Europe/Rome"}), **moved}
    )
