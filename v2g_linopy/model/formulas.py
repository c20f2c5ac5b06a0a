"""Formulas shared by parts: the step before, the first and the last one."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.expression import Data, Expression


def previous(x: Expression) -> Expression:
    """x_{t-1} of variables, and 0 before the first step.

    What is known from before is added as data (`initial * first(time)`).
    """
    return x.shift(time=1)


def previous_data(a: xr.DataArray, initial: xr.DataArray | float, time: pd.Index) -> xr.DataArray:
    """a_{t-1} of a data array, and `initial` before the first step."""
    shifted = a.shift(time=1) if "time" in a.dims else a
    return xr.where(first(time) > 0, initial, shifted)


def following(x: Expression) -> Expression:
    """x_{t+1} of variables, and 0 after the last step."""
    return x.shift(time=-1)


def following_data(a: xr.DataArray, time: pd.Index) -> xr.DataArray:
    """a_{t+1} of a data array, and 0 after the last step."""
    shifted = a.shift(time=-1) if "time" in a.dims else a
    return xr.where(last(time) > 0, 0.0, shifted)


def first(time: pd.Index) -> xr.DataArray:
    """1 at the first step, 0 elsewhere."""
    return xr.DataArray((time == time[0]).astype(float), coords={"time": time}, dims="time")


def given(d: xr.Dataset, name: str, otherwise: Any = 0.0) -> Any:
    """An array of a group, and `otherwise` where it is not there.

    (`Dataset.get` does the same, but looks for similar names first, for a message.)
    """
    return d[name] if name in d else otherwise  # noqa: SIM401


def smaller(a: Data, b: Data) -> xr.DataArray:
    """min(a, b), elementwise; b where a is missing."""
    return xr.apply_ufunc(lambda x, y: np.where(x < y, x, y), a, b, join="exact")


def larger(a: Data, b: Data) -> xr.DataArray:
    """max(a, b), elementwise; b where a is missing."""
    return xr.apply_ufunc(lambda x, y: np.where(x > y, x, y), a, b, join="exact")


def last(time: pd.Index) -> xr.DataArray:
    """1 at the last step, 0 elsewhere."""
    return xr.DataArray((time == time[-1]).astype(float), coords={"time": time}, dims="time")
