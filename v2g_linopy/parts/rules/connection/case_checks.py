"""Rules between connections and the rest of a case."""

from collections.abc import Mapping

import xarray as xr

from ....case.calendar import crosses_hour
from ....case.schema import Calendar, suggest
from ....errors import Problem
from ....model.inputs import pods_of


def listed_pods(data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float) -> list[Problem]:
    """Every pod needs a connection: a misspelt name would be a pod without limits."""
    listed = [str(p) for p in data["connection"].indexes.get("pod", [])]
    return [
        Problem(
            f"{part}.pod", "labels", f"{name!r} has no line in /connection{suggest(name, listed)}"
        )
        for part, d in data.items()
        if part != "connection"
        for name in pods_of(d)
        if name not in listed
    ]


def clock_hours(data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float) -> list[Problem]:
    """A peak tariff counts clock hours, which steps must not cross."""
    if not bool((data["connection"].peak_price > 0).any()):
        return []
    crossing = crosses_hour(calendar.time, calendar.timezone, dt)
    if not crossing.any():
        return []
    when = calendar.local(calendar.time[crossing][0])
    detail = (
        f"the step of {60 * dt:g} min at {when} is in more than one clock hour, which peaks are the"
        " mean of; give steps of an hour or less that start on it"
    )
    return [Problem("connection.peak_price", "time", detail)]
