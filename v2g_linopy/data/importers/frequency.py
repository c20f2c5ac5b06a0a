"""The frequency of the grid from a file: seconds or minutes, as operators publish it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.files import clock_axis, read_netcdf
from ..tables.local_time import Ambiguous, Nonexistent, to_utc
from ..tables.series import Missing, uniform
from ..tables.wording import first_few
from .csv import Clock, series_of

LEAST, MOST = 45.0, 55.0
"""Hz; a number beyond is no frequency of a grid that runs, or one in another unit."""


def read_frequency(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    timezone: str | None = None,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    time_format: str | None = None,
    separator: str = ",",
    decimal: str = ".",
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read a frequency record from a table of text.

    Parameters
    ----------
    columns
        Which column holds what: ``time`` and ``frequency`` (Hz).
    path, timezone, ambiguous, nonexistent, time_format, separator, decimal, missing
        As in `read_prices`; steps of any length below an hour, the same everywhere.

    Returns
    -------
    xarray.Dataset
        ``frequency`` (Hz) on ``time`` (naive UTC, interval start, uniform).

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, with its times, or with its numbers.
    """
    source = str(path)
    if strange := [n for n in columns if n not in ("time", "frequency")]:
        detail = "a record has a column of `time` and one of `frequency`"
        raise SchemaError([Problem(f"columns.{n}", "unknown", detail) for n in strange], source)
    rule = Clock(timezone, ambiguous, nonexistent, "elapsed", time_format)
    utc, values = series_of(path, columns, rule, separator, decimal, 'frequency="Hz"', "")
    return _plausible(uniform(utc, values, unit="Hz", missing=missing, source=source), source)


def read_netcdf_frequency(
    path: str | Path, *, timezone: str | None = None, missing: Missing = "problem"
) -> xr.Dataset:
    """Read a frequency record from a flat NetCDF file: the variable ``frequency``, or the only one,
    on its time.

    Times are UTC unless `timezone` is given; hours that the clock shows twice need UTC.
    """
    source, file = str(path), read_netcdf(path)
    axis = clock_axis(file, source)
    series = {
        str(n): v for n, v in file.data_vars.items() if v.dims == (axis,) and v.dtype.kind in "fi"
    }
    record = series.get("frequency", next(iter(series.values())) if len(series) == 1 else None)
    if record is None:
        detail = f"no variable frequency; the file has {first_few(series, 20) or 'no series'}"
        raise SchemaError([Problem("frequency", "missing", detail)], source)
    utc = to_utc(pd.DatetimeIndex(file.indexes[axis]), timezone or "UTC", where=axis, source=source)
    read = uniform(
        utc,
        {"frequency": record.to_numpy().astype(float)},
        unit="Hz",
        missing=missing,
        source=source,
    )
    return _plausible(read, source)


def _plausible(read: xr.Dataset, source: str) -> xr.Dataset:
    """Refuse numbers that are no frequency, with the first places named."""
    f = read["frequency"]
    wrong = np.flatnonzero(~((f >= LEAST) & (f <= MOST)).to_numpy())
    if len(wrong):
        places = [f"{f.indexes['time'][k]}: {float(f[k]):g}" for k in wrong[:3].tolist()]
        more = f" and {len(wrong) - len(places)} more" if len(wrong) > len(places) else ""
        detail = f"{', '.join(places)}{more}: not within {LEAST:g} to {MOST:g} Hz"
        detail += (
            '; give missing="hold" where numbers are missing'
            if bool(f.isnull().any())
            else "; give it in Hz"
        )
        raise SchemaError([Problem("frequency", "range", detail)], source)
    return read.assign(frequency=f.assign_attrs(units="Hz", long_name="frequency of the grid"))


FREQUENCY_FORMATS: dict[str, Callable[..., xr.Dataset]] = {
    "csv": read_frequency,
    "netcdf": read_netcdf_frequency,
}
