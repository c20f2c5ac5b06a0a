"""NetCDF files into memory, and faults of several steps told together."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pandas as pd
import xarray as xr

from ...case.declared_sizes import refuse_what_cannot_be_held
from ...case.io import existing
from ...errors import InputFileError, Problem, SchemaError
from .wording import first_few

Value = TypeVar("Value")


def collect_problems(problems: list[Problem], action: Callable[[], Value]) -> Value | None:
    """Return what an action returns.

    Where it finds faults, add them to `problems` instead of raising.
    """
    try:
        return action()
    except SchemaError as error:
        problems += error.problems
        return None


def read_netcdf(path: str | Path) -> xr.Dataset:
    """Return a flat NetCDF file in memory."""
    path = existing(path)
    try:
        refuse_what_cannot_be_held(path)
        with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as file:
            return file.load()
    except InputFileError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        detail = f"cannot be read as NetCDF: it may be truncated or of another kind ({error})"
        raise InputFileError(path, detail) from error


def clock_axis(file: xr.Dataset, source: str) -> str:
    """Return the one dimension of a flat file that has time stamps, or raise `SchemaError`."""
    axes = [str(d) for d, index in file.indexes.items() if isinstance(index, pd.DatetimeIndex)]
    if len(axes) != 1:
        detail = f"needs one dimension with time stamps, has {first_few(axes) or 'none'}"
        raise SchemaError([Problem("time", "time", detail)], source)
    return axes[0]
