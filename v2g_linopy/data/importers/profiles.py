"""Power over time from any CSV: what loads draw, and what sun or wind would give."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, SchemaError
from ..tables.local_time import Ambiguous, Nonexistent, Utc
from ..tables.series import Missing, hours_of, uniform
from .csv import Clock, series_of

UNITS = (*accepted("kW"), *accepted("kWh"))
"""What a table of profiles may hold: power, or the energy of each step."""


def read_profiles(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    timezone: str | None = None,
    ambiguous: Ambiguous = "raise",
    nonexistent: Nonexistent = "raise",
    hours: Literal["elapsed", "clock"] = "elapsed",
    time_format: str | None = None,
    separator: str = ",",
    decimal: str = ".",
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    """Read power over time from a table of text: what a load draws, or what sun or wind would give.

    Parameters
    ----------
    columns
        Which column holds what: ``time`` (start of the step), or ``date`` and ``hour``; every other
        key is the name of a member, such as ``roof``.
    unit
        Of all numbers: a power (kW, W, MW), or the energy of each step (kWh, Wh, MWh), which is
        divided by the length of its step. kW unless given; a header that names another unit in
        brackets is then refused.
    path, timezone, ambiguous, nonexistent, hours, time_format, separator, decimal, resample,
    missing
        As in `read_prices`. The energy of a step that the clock shows twice cannot stand for both
        hours.

    Returns
    -------
    xarray.Dataset
        Power (kW) on ``time`` (naive UTC, interval start, uniform), one variable per member.

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, or with its times.
    """
    source = str(path)
    power, energy = factor(unit or "kW", "kW"), factor(unit or "kW", "kWh")
    if power is None and energy is None:
        detail = f"{unit!r} is neither power nor energy; use one of {', '.join(UNITS)}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    if energy is not None and ambiguous == "both":
        detail = (
            'one energy cannot stand for both hours; give ambiguous="first", "second" or "infer"'
        )
        raise SchemaError([Problem("ambiguous", "choice", detail)], source)
    rule = Clock(timezone, ambiguous, nonexistent, hours, time_format)
    utc, values = series_of(
        path,
        columns,
        rule,
        separator,
        decimal,
        'member, such as roof="Power"',
        "" if unit else "kW",
    )
    if power is None:
        values = {name: column[utc.row] / hours_of(utc.time) for name, column in values.items()}
        utc = Utc(utc.time, np.arange(len(utc.time)), utc.note)
    scaled = {name: column * (power or energy or 1.0) for name, column in values.items()}
    out = uniform(utc, scaled, unit="kW", resample=resample, missing=missing, source=source)
    return out if timezone is None else out.assign_attrs(timezone=timezone)


PROFILE_FORMATS: dict[str, Callable[..., xr.Dataset]] = {"csv": read_profiles}
