"""Power over time from any table of text: what loads draw, and what sun or wind would give."""

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np
import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, Remedy, SchemaError
from ..tables.positions import HourCount
from ..tables.series import Missing, add_notes, hours_of, uniform_series
from ..tables.table_format import TableFields, TableFormat, one_format
from .series_rows import Rows, read_rows, with_zone

UNIT = "kW"
UNITS = (*accepted("kW"), *accepted("kWh"))
"""What a table of profiles may hold: power, or the energy of each step."""


def read_profiles(
    path: str | Path,
    table: TableFormat | None = None,
    *,
    hours: HourCount | None = None,
    unit: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
    **fields: Unpack[TableFields],
) -> xr.Dataset:
    r"""Read power over time from a table of text.

    It is what a load draws, or what sun or wind would give.

    Parameters
    ----------
    path : str or pathlib.Path
        Text or workbook with a header.
    table : TableFormat, optional
        How the file is written. Its `columns` are ``time`` (start of the step), or ``date`` and
        ``hour``; every other key is the name of a member, such as ``roof``. The energy of a step
        that the clock shows twice cannot stand for both hours.
    hours : {"elapsed", "clock"}, optional
        What hour labels count; as in `read_prices`.
    unit : str, optional
        Of all numbers: a power (kW, W, MW), or the energy of each step (kWh, Wh, MWh), which is
        divided by the length of its step. Unless given, the unit that the headers or a column of
        units name, else kW.
    resample : str, optional
        Step of the result, such as ``1h``, where the rows are not all as long: a number holds until
        the next row, a longer step takes the mean of its parts.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a row, and cells without a number, become: an error, NaN, or the number
        before (`hold`).
    **fields
        The fields of a `TableFormat`, in place of `table`.

    Returns
    -------
    xarray.Dataset
        Power (kW) on ``time`` (naive UTC, interval start, uniform), one variable per member.

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
    A meter that counts 3 kWh in a quarter of an hour saw 12 kW:

    >>> import pathlib
    >>> import v2g_linopy as v2g
    >>> rows = ["start,hall", "2026-01-01 00:00,3.0", "2026-01-01 00:15,2.5"]
    >>> size = pathlib.Path("meter.csv").write_text("\n".join(rows))
    >>> columns = {"time": "start", "hall": "hall"}
    >>> power = v2g.read_profiles("meter.csv", columns=columns, timezone="UTC", unit="kWh")
    >>> power.hall.values.tolist()
    [12.0, 10.0]
    """
    source, table = str(path), one_format(table, fields)
    if unit is not None and not {factor(unit, "kW"), factor(unit, "kWh")} - {None}:
        detail = f"{unit!r} is neither power nor energy; use one of {', '.join(UNITS)}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    rows = read_rows(
        path,
        table,
        hours=hours,
        wanted="member",
        example=("roof", "Power"),
        quantities=("kW", "kWh"),
        given_unit=unit,
    )
    is_energy = [name for name, own in rows.units.items() if factor(own, "kW") is None]
    if is_energy and table.ambiguous == "both":
        rules = Remedy("ambiguous", ("first", "second", "infer"))
        detail = "one energy cannot stand for both hours"
        raise SchemaError([Problem("ambiguous", "choice", detail, (rules,))], source)
    profiles = uniform_series(
        replace(rows.utc, row=np.arange(len(rows.utc.time))),
        _in_kw(rows),
        unit=UNIT,
        resample=resample,
        missing=missing,
        source=source,
    )
    return add_notes(with_zone(profiles, table), *rows.notes)


def _in_kw(rows: Rows) -> dict[str, np.ndarray]:
    """Return power in kW, one number for each step: energy divided by the length of its step."""
    length = hours_of(rows.utc)
    out = {}
    for name, column in rows.values.items():
        power = factor(rows.units[name], "kW")
        energy = factor(rows.units[name], "kWh")
        scale = np.full(len(length), power) if power is not None else (energy or 1.0) / length
        out[name] = column[rows.utc.row] * scale
    return out
