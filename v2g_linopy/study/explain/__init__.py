"""Why the plan is what it is, in words: needs, prices, the value of stored energy, and the limits
that bind.
"""

import xarray as xr

from .plan_facts import NotInResult, Plan, table
from .summary import whole
from .vehicle import moment, story

__all__ = ["NotInResult", "explain"]

MOST = 12
"""Stays or names listed before the rest is only counted."""


def explain(
    result: xr.DataTree,
    vehicle: str | None = None,
    *,
    hour: str | None = None,
    scenario: str | None = None,
    most: int = MOST,
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
    most : int
        Stays or names listed before the rest is only counted.

    Raises
    ------
    NotInResult
        The vehicle, hour or scenario is not in the result.
    """
    plan = Plan.of(result, scenario)
    if vehicle is None:
        return "\n".join(whole(plan, most))
    position = plan.member(vehicle)
    name, car = plan.members[position], table(plan, position)
    return "\n".join(
        story(plan, name, car, most)
        if hour is None
        else moment(plan, name, car, plan.step_at(hour))
    )
