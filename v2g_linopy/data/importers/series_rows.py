"""Rows of a table with a clock: when each begins, and its numbers. Prices, profiles and frequency
are read so.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ..tables.files import collect_problems, number_columns, parse_times
from ..tables.local_time import Utc
from ..tables.table_format import HourCount, TableFormat, hour_starts, read_columns, read_times
from ..tables.unit_conversion import check_header_units

TIME_COLUMNS = ("time", "date", "hour")


def read_rows(
    path: str | Path,
    table: TableFormat,
    *,
    hours: HourCount = "elapsed",
    wanted: str,
    example: tuple[str, str],
    assumed_unit: str | None,
) -> tuple[Utc, dict[str, np.ndarray]]:
    """Return when each row begins, and its numbers, an empty cell as NaN.

    Parameters
    ----------
    path, table, hours
        As in `read_prices`.
    wanted, example
        What a file must hold at least one of, and a name with its header, for the message.
    assumed_unit
        Unit that no header may contradict; None where the user named one.

    Raises
    ------
    InputFileError, SchemaError
        Everything wrong with the file, its times or its numbers.
    """
    source, names = str(path), series_names(table.columns)
    _check_columns(table.columns, names, wanted, example, source)
    frame = read_columns(path, table)
    if assumed_unit is not None:
        assumed = dict.fromkeys(names, assumed_unit)
        check_header_units(table.columns, assumed, lambda _, u: Remedy("unit", (u,)), source)

    def starts() -> Utc:
        if "time" in table.columns:
            return read_times(frame["time"], table, source)
        days = parse_times(frame["date"], table.time_format, source)
        labels = number_columns(frame, ["hour"], table.decimal, source)["hour"]
        return hour_starts(days, labels, table, hours, source)

    # faults of numbers and of times are told together
    problems: list[Problem] = []
    values = collect_problems(problems, lambda: number_columns(frame, names, table.decimal, source))
    utc = collect_problems(problems, starts)
    if values is None or utc is None:
        raise SchemaError(problems, source)
    return utc, values


def series_names(columns: Mapping[str, str]) -> list[str]:
    """Return the names of the columns that hold numbers, not times."""
    return [name for name in columns if name not in TIME_COLUMNS]


def with_zone(series: xr.Dataset, table: TableFormat) -> xr.Dataset:
    """Keep the zone that was given, for local days later on."""
    return series if table.timezone is None else series.assign_attrs(timezone=table.timezone)


def _check_columns(
    columns: Mapping[str, str], names: list[str], wanted: str, example: tuple[str, str], source: str
) -> None:
    problems = []
    if "time" not in columns and not {"date", "hour"} <= set(columns):
        detail = "name the column of `time`, or those of `date` and `hour`"
        problems.append(Problem("columns", "missing", detail))
    if not names:
        key, header = example
        such = Remedy("columns", (header,), key=key, advice="such as {}")
        detail = f"name the column of at least one {wanted}"
        problems.append(Problem("columns", "missing", detail, (such,)))
    if problems:
        raise SchemaError(problems, source)
