"""Prices and sessions from flat NetCDF files, such as `v2g import prices` writes."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.files import clock_axis, read_netcdf
from ..tables.local_time import Ambiguous, Nonexistent, to_utc
from ..tables.series import Missing, uniform_series
from ..tables.wording import first_few


def read_netcdf_prices(
    path: str | Path,
    *,
    timezone: str | None = None,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read prices from a flat NetCDF file, every numeric variable on its one time coordinate.

    A coordinate ``time`` is naive UTC. One of another name (``local_hour``) shows local clocks: of
    `timezone`, or of the attribute ``timezone`` of the file, with the rules of `to_utc`."""
    source, file = str(path), read_netcdf(path)
    axis = clock_axis(file, source)
    zone = timezone or ("UTC" if axis == "time" else file.attrs.get("timezone"))
    rules = {"ambiguous": ambiguous, "nonexistent": nonexistent}
    utc = to_utc(pd.DatetimeIndex(file.indexes[axis]), zone, **rules, where=axis, source=source)  # type: ignore[arg-type]
    prices = {
        str(n): v for n, v in file.data_vars.items() if v.dims == (axis,) and v.dtype.kind == "f"
    }
    out = uniform_series(
        utc,
        {n: v.to_numpy() for n, v in prices.items()},
        resample=resample,
        missing=missing,
        source=source,
    )
    for name, price in prices.items():
        out[name].attrs.update(price.attrs)
    return out.assign_attrs({**file.attrs, **out.attrs})


def read_netcdf_sessions(path: str | Path, *, timezone: str | None = None) -> xr.Dataset:
    """Read sessions on ``session`` from a flat NetCDF file.

    Their times are UTC unless `timezone` is given.
    """
    source, file = str(path), read_netcdf(path)
    lacking = [n for n in ("arrival", "departure") if n not in file or file[n].dims != ("session",)]
    if lacking:
        detail = f"the file has {first_few(file.variables, 20)}"
        raise SchemaError(
            [Problem(f"sessions.{n}", "missing", f"no {n} on session; {detail}") for n in lacking],
            source,
        )
    for name in ("arrival", "departure"):
        if timezone is not None:
            utc = to_utc(
                pd.DatetimeIndex(file[name].to_numpy()),
                timezone,
                rules=(),
                where=name,
                source=source,
            ).time
            file[name] = ("session", np.asarray(utc, "datetime64[ns]"), file[name].attrs)
    if "session" not in file.indexes:
        file = file.assign_coords(session=np.arange(file.sizes["session"]))
    return file.sortby("arrival")
