"""Numbers of sessions that no charger gives: most often a unit that is another one."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, Remedy, SchemaError
from ...model.sessions import METERED, SESSION_FIELDS
from .listing import listed_problems
from .short_stays import session_names
from .wording import first_few

LARGEST = {"kWh": 2000.0, "kW": 5000.0}
"""Largest number of a session that is believed: ten lorries, and five of the largest chargers."""
SMALLER_UNIT = {"kWh": "Wh", "kW": "W"}
STATED = "unit_stated"
"""Attribute of an array whose unit the user has given: its numbers are believed."""
CHECKED = {name: f.unit for name, f in SESSION_FIELDS.items() if f.unit in LARGEST}


def plausibility_problems(sessions: xr.Dataset) -> list[Problem]:
    """Return every session with an energy above 2 000 kWh, a power above 5 000 kW, or less than
    nothing on its meter.

    Numbers whose unit the user has stated are believed, however large.

    Parameters
    ----------
    sessions
        On ``session``; a number without the attribute ``units`` is in kWh or kW.

    Examples
    --------
    >>> import xarray as xr
    >>> sessions = xr.Dataset({"energy": ("session", [21000.0])}, coords={"session": ["a"]})
    >>> print(plausibility_problems(sessions)[0].detail)
    session a: 21000 kWh is more than any vehicle takes (2000 kWh)
    """
    names = _with_vehicle(sessions)
    problems = []
    for name, unit in CHECKED.items():
        if name in sessions:
            problems += _too_large(sessions[name], name, unit, names)
    for name in METERED:
        if name in sessions:
            problems += _negative(sessions[name], name, names)
    return problems


def _with_vehicle(sessions: xr.Dataset) -> list[str]:
    """Return what a user calls each session: its label, and its vehicle where it is named."""
    names = session_names(sessions)
    vehicles = np.asarray(sessions.get("vehicle", [""] * len(names))).astype(str).tolist()
    return [f"{n} ({v})" if v else n for n, v in zip(names, vehicles, strict=True)]


def _too_large(array: xr.DataArray, name: str, unit: str, names: list[str]) -> list[Problem]:
    given = str(array.attrs.get("units", unit))
    scale = factor(given, unit)
    if array.attrs.get(STATED) or scale is None:
        return []
    value = np.broadcast_to(np.asarray(array, float) * scale, len(names))
    what = "any vehicle takes" if unit == "kWh" else "any charger gives"
    small = SMALLER_UNIT[unit]
    remedies = (
        Remedy("units", (small,), key=name, advice=f"for {small} give {{}}"),
        Remedy("units", (given,), key=name, advice="if it is right all the same, give {}"),
    )

    def detail(k: int) -> str:
        return f"{value[k]:g} {unit} is more than {what} ({LARGEST[unit]:g} {unit})"

    over = np.flatnonzero(np.isfinite(value) & (value > LARGEST[unit])).tolist()
    details = [f"session {names[k]}: {detail(k)}" for k in over]
    problems = listed_problems(f"sessions.{name}", "range", details, [names[k] for k in over])
    # what mends them is the same for all, and told once
    return [replace(p, remedies=remedies) if not k else p for k, p in enumerate(problems)]


def _negative(array: xr.DataArray, name: str, names: list[str]) -> list[Problem]:
    value = np.broadcast_to(np.asarray(array, float), len(names))
    unit = METERED[name].unit
    below = np.flatnonzero(value < 0).tolist()
    details = [f"session {names[k]}: {value[k]:g}, allowed [0, inf] {unit}" for k in below]
    return listed_problems(f"sessions.{name}", "range", details, [names[k] for k in below])


def check_stated_units(units: Mapping[str, str], declared: Mapping[str, str], source: str) -> None:
    """Refuse units of numbers that a file does not hold, and units of another kind.

    Parameters
    ----------
    units
        The unit of each name, as the user gives it.
    declared
        The unit of each number that the file holds.
    source
        The file, for the message.

    Raises
    ------
    SchemaError
        Every unit that does not fit.
    """
    problems = []
    for name, unit in units.items():
        if name not in declared:
            known = first_few(declared)
            problems.append(
                Problem(name, "unknown", f"has a unit but is not read; there is {known}")
            )
        elif factor(unit, declared[name]) is None:
            known = ", ".join(accepted(declared[name]))
            problems.append(
                Problem(name, "unit", f"unit {unit!r} does not fit; use one of {known}")
            )
    if problems:
        raise SchemaError(problems, source)
