"""Prices and sessions from flat NetCDF files, such as `v2g import prices` writes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import InputFileError, Problem, SchemaError
from ...model.sessions import SESSION_FIELDS
from ..tables.files import clock_axis, read_netcdf
from ..tables.local_time import Ambiguous, Nonexistent, to_utc
from ..tables.plausibility import STATED, check_stated_units
from ..tables.series import Missing, uniform_series
from ..tables.short_stays import ShortStays, without_short_stays
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
    `timezone`, or of the attribute ``timezone`` of the file, with the rules of `to_utc`.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    timezone : str, optional
        IANA zone of local clocks.
    ambiguous : {"raise", "infer", "first", "second", "both"}, default "raise"
        Rule for the local hours that the clock shows twice: see `to_utc`.
    nonexistent : {"raise", "drop", "shift"}, default "raise"
        Rule for the local hours that the clock skips: see `to_utc`.
    resample : str, optional
        Step of the result, such as ``1h``, where the rows are not all as long.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps that the file leaves out become: an error, NaN, or the price before.

    Returns
    -------
    xarray.Dataset
        Prices on ``time`` (naive UTC, interval start, uniform), in the unit of the file.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        Everything wrong with the variables, the times or the numbers of the file.

    Examples
    --------
    Midnight in Rome is 23:00 UTC of the day before:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.data import read_netcdf_prices
    >>> hours = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> day_ahead = ("local_hour", [50.0, 20.0])
    >>> shown = xr.Dataset({"day_ahead": day_ahead}, coords={"local_hour": hours})
    >>> written = shown.to_netcdf("prices.nc")
    >>> prices = read_netcdf_prices("prices.nc", timezone="Europe/Rome")
    >>> prices.day_ahead.values.tolist(), str(prices.time.values[0])[:16]
    ([50.0, 20.0], '2026-03-01T23:00')
    """
    source, file = str(path), read_netcdf(path)
    axis = clock_axis(file, source)
    zone = timezone or ("UTC" if axis == "time" else file.attrs.get("timezone"))
    utc = to_utc(
        pd.DatetimeIndex(file.indexes[axis]),
        zone,
        ambiguous=ambiguous,
        nonexistent=nonexistent,
        where=axis,
        source=source,
    )
    prices = {
        str(n): v for n, v in file.data_vars.items() if v.dims == (axis,) and v.dtype.kind in "fiu"
    }
    if not prices:
        detail = f"holds no prices on {axis}; a case or a result is no file of prices"
        raise InputFileError(path, detail)
    out = uniform_series(
        utc,
        {n: v.to_numpy().astype(float) for n, v in prices.items()},
        resample=resample,
        missing=missing,
        may_lack=tuple(prices),
        source=source,
    )
    for name, price in prices.items():
        out[name].attrs.update(price.attrs)
    return out.assign_attrs({**file.attrs, **out.attrs})


def read_netcdf_sessions(
    path: str | Path,
    *,
    timezone: str | None = None,
    units: Mapping[str, str] | None = None,
    short_stays: ShortStays = "drop",
) -> xr.Dataset:
    """Read sessions on ``session`` from a flat NetCDF file.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, with ``arrival``, ``departure`` and any other column of `read_sessions`.
    timezone : str, optional
        IANA zone of its times; UTC unless given.
    units : mapping of str to str, optional
        Unit of a variable where it is not that of its attribute, such as ``{"energy": "Wh"}``.
    short_stays : {"drop", "problem"}, default "drop"
        What becomes of sessions that have no begin, no end or no length.

    Returns
    -------
    xarray.Dataset
        On ``session``: times in naive UTC, numbers as in the file.

    Raises
    ------
    InputFileError
        The file cannot be read. It is a `SchemaError`.
    SchemaError
        No arrival or departure on ``session``, or times that cannot be read.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.data import read_netcdf_sessions
    >>> made = v2g.commuters(vehicles=2, days=1)["sessions"].to_dataset()
    >>> written = made.to_netcdf("sessions.nc")
    >>> read_netcdf_sessions("sessions.nc").sizes["session"]
    2
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
    declared = {n: f.unit for n, f in SESSION_FIELDS.items() if n in file and f.unit}
    check_stated_units(units or {}, declared, source)
    for name, unit in (units or {}).items():
        file[name].attrs |= {"units": unit, STATED: 1}
    if "session" not in file.indexes:
        file = file.assign_coords(session=np.arange(file.sizes["session"]))
    return without_short_stays(file.sortby("arrival"), short_stays, source=source)
