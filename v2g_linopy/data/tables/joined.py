"""Files that hold one series after another: days or months of the same prices, joined in time."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from .local_time import Utc, step_of
from .series import Missing, add_notes, notes_of, uniform_series
from .wording import first_few, with_count

IDENTITY = ("area", "timezone")
"""Attributes in which the files of one series agree."""


def join_in_time(files: Sequence[xr.Dataset], *, missing: Missing = "problem") -> xr.Dataset:
    """Put files of the same series one after the other.

    Parameters
    ----------
    files
        On ``time`` (naive UTC, uniform), with the same variables, in any order.
    missing
        What steps between the files become: a problem, NaN, or the value before (`hold`).

    Raises
    ------
    SchemaError
        Files with other units, areas or steps, steps for which two files give different values,
        or steps between the files that none of them has.
    """
    if len(files) == 1:
        return files[0]
    ordered = sorted(files, key=lambda file: file.indexes["time"][0])
    problems = _differences(ordered)
    if problems:
        raise SchemaError(problems, "the prices")
    step = step_of(pd.DatetimeIndex(ordered[0].indexes["time"]))
    columns = {
        str(name): np.concatenate([file[name].to_numpy() for file in ordered])
        for name in ordered[0].data_vars
    }
    time = pd.DatetimeIndex(np.concatenate([file["time"].to_numpy() for file in ordered]))
    first = _first_of_each(time, columns)
    kept, values = time[first], {name: value[first] for name, value in columns.items()}
    length = np.full(len(kept), step.value)
    out = uniform_series(
        Utc(kept, np.arange(len(kept)), length=length),
        values,
        missing=missing,
        may_lack=tuple(values),  # each file was asked for its own
        source="the prices",
    )
    for name, array in ordered[0].data_vars.items():
        out[name].attrs = array.attrs
    attrs = {key: word for key, word in ordered[0].attrs.items() if key != "notes"}
    notes = [line for file in ordered for line in notes_of(file)]
    return add_notes(out.assign_attrs(attrs), *notes)


def _differences(files: Sequence[xr.Dataset]) -> list[Problem]:
    """Return what keeps files from being one series."""
    problems = []
    names = [str(name) for name in files[0].data_vars]
    for name in names:
        units = dict.fromkeys(str(file[name].attrs.get("units")) for file in files)
        if len(units) > 1:
            detail = f"files in {' and '.join(units)} are not one series"
            problems.append(Problem(name, "unit", detail))
    for key in IDENTITY:
        told = dict.fromkeys(str(file.attrs[key]) for file in files if key in file.attrs)
        if len(told) > 1:
            detail = f"{key} {' and '.join(told)}: given by two files, and not one series"
            problems.append(Problem(first_few(names), "labels", detail))
    steps = {step_of(pd.DatetimeIndex(file.indexes["time"])) for file in files}
    if len(steps) > 1:
        one = Remedy("resample", ("60min",), advice="read all with one step, such as {}")
        detail = f"steps of {first_few(sorted(steps))}"
        problems.append(Problem("time", "time", detail, (one,)))
    return problems


def _first_of_each(time: pd.DatetimeIndex, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Return the place of the first value of each step; two files may give the same one."""
    order = np.argsort(time, kind="stable")
    stamps = time[order]
    again = np.asarray(stamps.duplicated(keep="first"))
    before = order[np.maximum(np.arange(len(order)) - 1, 0)]
    problems = []
    for name, value in columns.items():
        other = again & ~np.isclose(value[order], value[before], rtol=0, atol=0, equal_nan=True)
        if other.any():
            shown = [
                f"{stamps[k]}: {value[before[k]]:g} and {value[order[k]]:g}"
                for k in np.flatnonzero(other).tolist()
            ]
            detail = (
                f"{with_count(len(shown), 'step')} given by two files with different values:"
                f" {first_few(shown, 3)} (UTC)"
            )
            problems.append(Problem(name, "consistency", detail))
    if problems:
        raise SchemaError(problems, "the prices")
    return order[~again]
