"""Stays in which nothing can be planned: still open, without length, or without energy."""

import json
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from .listing import MOST_LISTED, listed_problems
from .local_time import nanoseconds
from .series import add_notes
from .wording import first_few, with_count

ShortStays = Literal["drop", "problem"]


def without_short_stays(
    sessions: xr.Dataset,
    rule: ShortStays = "drop",
    *,
    no_energy: bool = False,
    source: str = "the sessions",
) -> xr.Dataset:
    """Leave out sessions without a begin or an end, and those that end when they begin.

    An end before the begin is no short stay but a fault, which is left for others to find.

    Parameters
    ----------
    sessions
        On ``session``, with ``arrival`` and ``departure`` (NaT where it is not known).
    rule
        ``drop``: they are left out, and the notes of the sessions count and list them.
        ``problem``: each is a fault.
    no_energy
        Sessions in which no energy was metered are short stays, too.
    source
        The file, for the message.

    Raises
    ------
    SchemaError
        Every short stay under the rule ``problem``; or none but short stays.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> eight, nine = pd.Timestamp("2026-03-02 08:00"), pd.Timestamp("2026-03-02 09:00")
    >>> moments = {"arrival": ("session", [eight, eight]), "departure": ("session", [nine, eight])}
    >>> kept = without_short_stays(xr.Dataset(moments, coords={"session": ["a", "b"]}))
    >>> kept.session.values.tolist(), kept.attrs["left_out"]
    (['a'], '{"b": "no length"}')
    """
    reasons = short_stays_of(sessions, no_energy=no_energy)
    if not reasons:
        return sessions
    names = session_names(sessions)
    if rule == "problem":
        raise SchemaError(_as_problems({names[k]: why for k, why in reasons.items()}), source)
    kept = np.array([k for k in range(len(names)) if k not in reasons], int)
    left_out = {names[k]: why for k, why in reasons.items()}
    if not len(kept):
        detail = f"no session is left; left out are {_listed(left_out)}"
        raise SchemaError([Problem("sessions", "missing", detail)], source)
    return note_left_out(
        sessions.isel(session=kept), left_out, "in which nothing can be planned (short stays)"
    )


def note_left_out(sessions: xr.Dataset, left_out: dict[str, str], what: str) -> xr.Dataset:
    """Say in the notes which sessions are left out, and in the attribute `left_out` of each why."""
    if not left_out:
        return sessions
    before = json.loads(sessions.attrs.get("left_out", "{}"))
    note = f"{with_count(len(left_out), 'session')} left out, {what}: {_listed(left_out)}."
    return add_notes(sessions, note).assign_attrs(left_out=json.dumps(before | left_out))


def session_names(sessions: xr.Dataset) -> list[str]:
    """Return what each session is called: its label, else its place."""
    labels = np.asarray(sessions["session"]) if "session" in sessions.coords else None
    return [str(n) for n in (range(sessions.sizes["session"]) if labels is None else labels)]


def short_stays_of(sessions: xr.Dataset, *, no_energy: bool = False) -> dict[int, str]:
    """Return the places of the short stays, and why each is one."""
    arrival, departure = (pd.DatetimeIndex(sessions[n].to_numpy()) for n in _MOMENTS)
    energy = np.broadcast_to(np.asarray(sessions.get("energy", np.nan), float), len(arrival))
    length = nanoseconds(departure) - nanoseconds(arrival)
    open_end, no_begin = np.asarray(departure.isna()), np.asarray(arrival.isna())
    no_length = ~open_end & ~no_begin & (length == 0)
    empty = ~open_end & ~no_begin & (length > 0) & (energy == 0.0) & no_energy
    unit = sessions["energy"].attrs.get("units", "kWh") if "energy" in sessions else ""

    def why(k: int) -> str:
        if open_end[k] or no_begin[k]:
            return "open, no end" if open_end[k] else "no begin"
        if empty[k]:
            return f"no energy, {_duration(int(length[k]) // 10**9)}"
        return f"no length, {energy[k]:g} {unit}" if energy[k] > 0 else "no length"

    short = np.flatnonzero(open_end | no_begin | no_length | empty)
    return {k: why(k) for k in short.tolist()}


_MOMENTS = ("arrival", "departure")


def _duration(seconds: int) -> str:
    """Write a length of time.

    >>> _duration(45), _duration(600), _duration(37800)
    ('45 s', '10 min', '10 h 30 min')
    """
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _listed(left_out: dict[str, str]) -> str:
    return first_few((f"{name} ({why})" for name, why in left_out.items()), MOST_LISTED)


def _as_problems(short: dict[str, str]) -> list[Problem]:
    drop = Remedy("short_stays", ("drop",), advice="{} leaves it out")
    details = [f"session {name}: {why}" for name, why in short.items()]
    where, names = "sessions.departure", list(short)
    return listed_problems(where, "consistency", details, names, "short stays", (drop,))
