"""From when to when stays are, and whether any of them falls into a case."""

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ..tables.local_time import step_of, to_local
from ..tables.wording import with_count


def stays_in_words(sessions: xr.Dataset, kept: xr.Dataset, timezone: str, one_battery: bool) -> str:
    """Return a sentence: how many stays there are, from when to when, and how many are in the case.

    Where a vehicle is one battery all along, a trip is charged for in the stay before it.
    """
    stays, inside = sessions.sizes["session"], kept.sizes["session"]
    if not stays:
        return "No stays."
    some = "all" if inside == stays else f"{inside} of them"
    trips = " The trips after these are charged for." if one_battery else ""
    count = with_count(stays, "stay")
    return f"{count} {_span_of(sessions, timezone)} ({timezone}), {some} in the case.{trips}"


def refuse_none(
    sessions: xr.Dataset, kept: xr.Dataset, time: pd.DatetimeIndex, timezone: str, what: str
) -> None:
    """Refuse a case into which no stay falls.

    Parameters
    ----------
    sessions, kept
        The stays, and those in the case.
    time
        The steps of the case, naive UTC.
    timezone
        The zone in which both spans are said.
    what
        What says from when to when the case runs.

    Raises
    ------
    SchemaError
        There are stays, and none is in the case.
    """
    if kept.sizes["session"] or not sessions.sizes["session"]:
        return
    ends = pd.DatetimeIndex([time[0], time[-1] + step_of(time)])
    arrival, departure = (pd.DatetimeIndex(sessions[n].values) for n in ("arrival", "departure"))
    touching = bool(((departure > ends[0]) & (arrival < ends[1])).any())
    clip = Remedy("outside", ("clip",), advice="{} cuts those that are partly inside")
    detail = (
        f"no stay falls into the case: {with_count(len(arrival), 'stay')}"
        f" {_span_of(sessions, timezone)}, {what} {_between(ends, timezone)} ({timezone})"
    )
    raise SchemaError(
        [Problem("sessions", "time", detail, (clip,) if touching else ())], "the sessions"
    )


def _span_of(sessions: xr.Dataset, timezone: str) -> str:
    """Say from when to when stays are; those without a begin or an end do not count."""
    arrival, departure = (
        np.asarray(sessions[n], "datetime64[ns]") for n in ("arrival", "departure")
    )
    return _between(pd.DatetimeIndex([np.nanmin(arrival), np.nanmax(departure)]), timezone)


def _between(ends: pd.DatetimeIndex, timezone: str) -> str:
    first, last = to_local(ends, timezone)
    return f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
