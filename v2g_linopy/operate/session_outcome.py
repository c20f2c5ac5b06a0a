"""What became of each session of an operated case: energy under its contract, and need not served
(docs/formulation.md §10).
"""

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import step_hours
from ..model.sessions import SESSION_FIELDS, sessions_plugged_in

_NOTHING = 1e-6  # kWh
BEYOND_CHARGER, BY_PLAN = "beyond charger", "not served"
LEFT_EARLY, SWITCHED_OFF = "left early", "switched off"
"""Why need was not served: the charger could not deliver it in time, or the plan did not; the car
left before its departure, or its owner had switched the charger off.
"""


def with_outcome(result: xr.DataTree, called: np.ndarray | None = None) -> xr.DataTree:
    """Add to `/sessions` of a result what each was called for and gave, and what it was not served.

    Parameters
    ----------
    result : xarray.DataTree
        A result with `/fleet`, whose `session` says who stands where, and `/sessions`.
    called : numpy.ndarray, optional
        Energy called on (step, member), as the result has them (kWh); by default what was
        discharged.

    Returns
    -------
    xarray.DataTree
        The result itself, with `energy_called`, `energy_discharged` (kWh at the charger) of
        sessions with a contract, and of all `energy_unserved` (kWh on board) and `unserved_reason`.
        A case that does not say which session stands where is left as it is.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.operate.session_outcome import with_outcome
    >>> result = with_outcome(v2g.solve(v2g.commuters(vehicles=1, days=1)))
    >>> float(result["sessions"].energy_unserved.sum())
    0.0
    """
    if not {"sessions", "fleet"} <= set(result.children):
        return result
    fleet = result.children["fleet"].to_dataset(inherit=False)
    if "session" not in fleet:
        return result
    sessions = result.children["sessions"].to_dataset(inherit=False)
    discharged = _by_session(fleet, sessions, _numbers(fleet, "discharge") * step_hours(result))
    missing = sessions.get("energy_missing", xr.zeros_like(sessions.session, float)).to_numpy()
    short = _by_session(fleet, sessions, _numbers(fleet, "unserved"))
    early, off = np.zeros((2, len(short)), bool)
    if "left" in sessions:
        early = (sessions.left < sessions.departure).to_numpy()
    if "switched_off" in sessions:
        off = sessions.switched_off.notnull().to_numpy()
    new = {
        "energy_unserved": short + missing,
        "unserved_reason": np.select(
            [
                (short > _NOTHING) & early,
                (short > _NOTHING) & off,
                short > _NOTHING,
                missing > _NOTHING,
            ],
            [LEFT_EARLY, SWITCHED_OFF, BY_PLAN, BEYOND_CHARGER],
            "",
        ),
    }
    if "contract" in sessions:
        agreed = (sessions.contract >= 0).to_numpy()
        asked = discharged if called is None else _by_session(fleet, sessions, called.T)
        new["energy_called"] = np.where(agreed, asked, 0.0)
        new["energy_discharged"] = np.where(agreed, discharged, 0.0)
    arrays = {name: ("session", x, {"units": SESSION_FIELDS[name].unit}) for name, x in new.items()}
    result["sessions"] = xr.DataTree(sessions.assign(arrays))
    return result


def without_calls(case: xr.DataTree) -> xr.DataTree:
    """Return a case whose sessions do not say what was called in an operation before."""
    if "sessions" not in case.children:
        return case
    sessions = case.children["sessions"].to_dataset(inherit=False)
    known = [name for name in ("energy_called", "energy_discharged") if name in sessions]
    return case.assign(sessions=xr.DataTree(sessions.drop_vars(known))) if known else case


def with_calls(case: xr.DataTree, called: np.ndarray, delivered: np.ndarray) -> xr.DataTree:
    """Return a case whose sessions say what was called under their contracts and what was given.

    What an owner is owed follows from it (docs/formulation.md §10).

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/fleet`.
    called, delivered : numpy.ndarray
        On (step, member) (kWh at the charger).

    Returns
    -------
    xarray.DataTree
        With `energy_called` and `energy_discharged` in `/sessions`, 0 without a contract; the case
        itself where no session has one.

    Examples
    --------
    >>> import numpy as np
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.operate.session_outcome import with_calls
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> with_calls(case, np.zeros((24, 1)), np.zeros((24, 1))) is case
    True
    """
    if "sessions" not in case.children or "contract" not in case["sessions"]:
        return case
    sessions = case.children["sessions"].to_dataset(inherit=False)
    fleet = case.children["fleet"].to_dataset(inherit=False)
    agreed = (sessions.contract >= 0).to_numpy()
    sums = {
        name: np.where(agreed, _by_session(fleet, sessions, x.T), 0.0)
        for name, x in (("energy_called", called), ("energy_discharged", delivered))
    }
    arrays = {n: ("session", x, {"units": SESSION_FIELDS[n].unit}) for n, x in sums.items()}
    return case.assign(sessions=xr.DataTree(sessions.assign(arrays)))


def _numbers(fleet: xr.Dataset, name: str) -> np.ndarray:
    """Return an output on (member, step), 0 where the model did not need it."""
    if name not in fleet:
        return np.zeros_like(_numbers(fleet, "charge"))
    return fleet[name].transpose("fleet", "time").to_numpy()


def _by_session(fleet: xr.Dataset, sessions: xr.Dataset, x: np.ndarray) -> np.ndarray:
    """Sum numbers on (member, step) by session."""
    labels = sessions_plugged_in(fleet).to_numpy().ravel()
    place = pd.Index(sessions.indexes["session"]).get_indexer(labels)
    known = place >= 0
    return np.bincount(place[known], x.ravel()[known], len(sessions.session))
