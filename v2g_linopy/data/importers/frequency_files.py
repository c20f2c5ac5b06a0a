"""The frequency of the grid from a file: seconds or minutes, as operators publish it."""

from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ..tables.files import clock_axis, read_netcdf
from ..tables.local_time import to_utc
from ..tables.series import Missing, uniform_series
from ..tables.table_format import TableFields, TableFormat, one_format
from ..tables.wording import first_few
from .series_rows import read_rows

UNIT = "Hz"
HERTZ_MIN, HERTZ_MAX = 45.0, 55.0
"""A number beyond is no frequency of a grid that runs, or one in another unit."""


def read_frequency(
    path: str | Path,
    table: TableFormat | None = None,
    *,
    missing: Missing = "problem",
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    r"""Read a frequency record from a table of text.

    Parameters
    ----------
    path : str or pathlib.Path
        Text or workbook with a header.
    table : TableFormat, optional
        How the file is written. Its `columns` are ``time`` (start of the step) and ``frequency``
        (Hz); steps of any length below an hour, the same everywhere.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a row, and cells without a number, become: an error, NaN, or the number
        before (`hold`).
    **fields
        The fields of a `TableFormat`, in place of `table`.

    Returns
    -------
    xarray.Dataset
        ``frequency`` (Hz) on ``time`` (naive UTC, interval start, uniform).

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the columns, the times or the numbers of the file.
    TypeError
        Both `table` and its fields are given, or no columns.

    Examples
    --------
    >>> import pathlib
    >>> import v2g_linopy as v2g
    >>> rows = ["at,Hz", "2026-01-01 00:00:00,50.01", "2026-01-01 00:00:10,49.98"]
    >>> size = pathlib.Path("frequency.csv").write_text("\n".join(rows))
    >>> columns = {"time": "at", "frequency": "Hz"}
    >>> record = v2g.read_frequency("frequency.csv", columns=columns, timezone="UTC")
    >>> record.frequency.values.tolist()
    [50.01, 49.98]
    """
    source, table = str(path), one_format(table, fields)
    if strange := [name for name in table.columns if name not in ("time", "frequency")]:
        detail = "a record has a column of `time` and one of `frequency`"
        raise SchemaError([Problem(f"columns.{n}", "unknown", detail) for n in strange], source)
    rows = read_rows(
        path,
        table,
        wanted="frequency",
        example=("frequency", "Hz"),
        quantities=(UNIT,),
        given_unit=UNIT,
    )
    read = uniform_series(rows.utc, rows.values, unit=UNIT, missing=missing, source=source)
    return _plausible(read, source)


def read_netcdf_frequency(
    path: str | Path, *, timezone: str | None = None, missing: Missing = "problem"
) -> xr.Dataset:
    """Read a frequency record from a flat NetCDF file.

    It is the variable ``frequency``, or the only one, on its time.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    timezone : str, optional
        IANA zone of its times; UTC unless given. Hours that the clock shows twice need UTC.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps that the file leaves out become: an error, NaN, or the number before.

    Returns
    -------
    xarray.Dataset
        ``frequency`` (Hz) on ``time`` (naive UTC, interval start, uniform).

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the variables, the times or the numbers of the file.

    Examples
    --------
    >>> from v2g_linopy.data import frequency_record, read_netcdf_frequency
    >>> made = frequency_record("2026-03-02 08:00", hours=0.5, step="10s")
    >>> written = made.to_netcdf("frequency.nc")
    >>> read_netcdf_frequency("frequency.nc").frequency.equals(made.frequency)
    True
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
    read = uniform_series(
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
    wrong = np.flatnonzero(~((f >= HERTZ_MIN) & (f <= HERTZ_MAX)).to_numpy())
    if len(wrong):
        places = [f"{f.indexes['time'][k]}: {float(f[k]):g}" for k in wrong.tolist()]
        detail = f"{first_few(places, 3)}: not within {HERTZ_MIN:g} to {HERTZ_MAX:g} Hz"
        if bool(f.isnull().any()):
            hold = Remedy("missing", ("hold",), advice="give {} where numbers are missing")
            raise SchemaError([Problem("frequency", "range", detail, (hold,))], source)
        raise SchemaError([Problem("frequency", "range", f"{detail}; give it in Hz")], source)
    return read.assign(frequency=f.assign_attrs(units="Hz", long_name="frequency of the grid"))
