"""Why the plan is what it is, in words: needs, prices, stored energy, and limits that bind."""

from collections.abc import Mapping

import xarray as xr

from ...model.part import Part
from ...parts.catalogue import PARTS
from .plan_facts import NotInResult, Plan, table
from .summary import summary_lines
from .vehicle import moment_lines, vehicle_lines
from .what_if import WhatIf

__all__ = ["NotInResult", "explain"]

LISTED = 12
"""Stays or names listed before the rest is only counted."""


def explain(
    result: xr.DataTree,
    vehicle: str | None = None,
    *,
    hour: str | None = None,
    scenario: str | None = None,
    listed: int = LISTED,
    solve_again: bool = True,
    parts: Mapping[str, Part] = PARTS,
) -> str:
    """Say in words why a vehicle did what it did, or what shaped the whole plan.

    Parameters
    ----------
    result : xarray.DataTree
        What `solve` or `compare` returned, or a result file read again.
    vehicle : str, optional
        Label of a fleet member; without it the whole plan is summed up.
    hour : str, optional
        A moment, on the local clock of the case unless it has an offset: only the vehicle's step at
        that moment.
    scenario : str, optional
        Which scenario, where there are several; the first by default.
    listed : int, default 12
        Stays or names listed before the rest is only counted.
    solve_again : bool, default True
        Find what the limits of a vehicle are worth by solving the vehicle and what is coupled to it
        again with one unit more. Without it, with scenarios, with binaries and where that would
        take long, shadow prices bound them, and it says so: one unit more earns at most its shadow
        price, and nothing changes before the price has moved by the reduced cost.
    parts : mapping of str to Part, default PARTS
        The catalogue that the result was made with.

    Returns
    -------
    str
        Lines of plain text; powers in kW, energy in kWh, prices in EUR/MWh.

    Raises
    ------
    NotInResult
        The vehicle, hour or scenario is not in the result; the message offers the nearest. It is a
        `V2GError`.
    SchemaError
        The inputs of the result do not fit the schema.
    SolveError, SolverError, Interrupted
        As `solve`, while a vehicle is solved again.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> result = v2g.solve(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> print(v2g.explain(result).splitlines()[0])
    1 commuters, 1 days: 1 member, Thu 2019-08-01 00:00+02:00 to Fri 2019-08-02 00:00+02:00
    >>> "the need at departure binds" in v2g.explain(result, "ev-001")
    True
    """
    plan = Plan.of(result, scenario, parts)
    if vehicle is None:
        return "\n".join(summary_lines(plan, listed))
    position = plan.member(vehicle)
    name, car = plan.members[position], table(plan, position)
    if hour is not None:
        return "\n".join(moment_lines(plan, name, car, plan.step_at(hour)))
    again = WhatIf.of(plan, position) if solve_again else None
    return "\n".join(vehicle_lines(plan, name, car, listed, again))
