"""Sessions that could have been: a stay takes arrival, length and energy of another of its kind
(docs/formulation.md §8).
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...case.calendar import instants
from ..sessions.sessions_to_fleet import sessions_to_fleet
from ..tables.local_time import to_local

PLACES = ("pod", "charger")
"""What stays with the place of a session, whoever stands there."""
OURS = ("row", "energy_missing", "name", "connector", "vehicle")
"""Columns that belong to one case, not to a session."""


def resample_sessions(
    sessions: xr.Dataset, time: pd.DatetimeIndex, timezone: str, count: int, seed: int
) -> xr.Dataset:
    """Draw scenarios of the sessions of a case and put them on its steps.

    For each session another one, arriving on a working day if it does, on a weekend if it does, is
    drawn with replacement; the new one arrives on the old one's local day at the other's time of
    day, and has its length of stay, energies, battery and power: what belongs together stays
    together. Where it stands stays as it is. A stay that reaches beyond the horizon is cut there,
    and a need that the cut leaves out of reach is lowered.

    Returns
    -------
    xarray.Dataset
        The arrays of `sessions_to_fleet` with the dimension ``scenario`` (without labels), in as
        many rows as the scenario with the most sessions at once takes; a row that another scenario
        leaves free has no power in it.
    """
    sessions = sessions.drop_vars([n for n in OURS if n in sessions]).drop_attrs(deep=False)
    arrival = to_local(pd.DatetimeIndex(sessions["arrival"].to_numpy()), timezone).tz_localize(None)
    stay = sessions["departure"].to_numpy() - sessions["arrival"].to_numpy()
    weekend = np.asarray(arrival.day_of_week >= 5)
    rng = np.random.default_rng([seed, 1])
    fleets = []
    for _ in range(count):
        donor = np.empty(len(arrival), dtype=np.int64)
        for kind in (False, True):
            pool = np.flatnonzero(weekend == kind)
            donor[pool] = pool[rng.integers(0, len(pool), len(pool))] if len(pool) else pool
        fleets.append(_on_steps(sessions, donor, arrival, stay, time, timezone))
    idle = {n: 1.0 if str(n).startswith("eta_") else 0.0 for n in fleets[0].data_vars}
    places = {n: f[n] for f in fleets for n in PLACES if n in f}
    bare = [f.drop_vars([n for n in PLACES if n in f]) for f in fleets]
    rules: Any = {"join": "outer", "coords": "minimal", "compat": "override", "data_vars": "all"}
    every: xr.Dataset = xr.concat(bare, "scenario", fill_value=idle, **rules)
    for name in places:
        known = {
            k: v for f in fleets for k, v in zip(f["fleet"].values, f[name].values, strict=True)
        }
        every[name] = ("fleet", np.array([known[k] for k in every["fleet"].values], dtype=object))
    return every


def _on_steps(
    sessions: xr.Dataset,
    donor: np.ndarray,
    arrival: pd.DatetimeIndex,
    stay: np.ndarray,
    time: pd.DatetimeIndex,
    timezone: str,
) -> xr.Dataset:
    """Put the sessions drawn on the steps of the case."""
    clock = arrival.normalize() + (arrival - arrival.normalize())[donor]
    start = np.asarray(instants(clock, timezone).as_unit("ns"))
    table = sessions.isel(session=donor).assign_coords(session=np.arange(len(donor)))
    table = table.assign({n: ("session", sessions[n].to_numpy()) for n in PLACES if n in sessions})
    table = table.assign(arrival=("session", start), departure=("session", start + stay[donor]))
    fleet, _ = sessions_to_fleet(table, time, rows="packed", outside="clip", need="cap")
    return fleet.drop_vars("session")
