"""What comes otherwise than an owner declared: cars that leave before their departure, and chargers
that are switched off (docs/formulation.md §10).
"""

import numpy as np
import xarray as xr

from .contract_entry import cells_of


def with_early_departures(case: xr.DataTree) -> xr.DataTree:
    """Return the case as it comes: who has left can neither draw nor feed in.

    Parameters
    ----------
    case : xarray.DataTree
        A case whose fleet stands there until each declared `departure`.

    Returns
    -------
    xarray.DataTree
        With `charge_max` and `discharge_max` (kW) up to `left` of `/sessions` only; the step in
        which a car leaves pro rata. The case itself where nobody leaves early.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.operate.early_departures import with_early_departures
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> with_early_departures(case) is case
    True
    """
    if "sessions" not in case.children or "left" not in case["sessions"]:
        return case
    sessions = case.children["sessions"].to_dataset(inherit=False)
    fleet = case.children["fleet"].to_dataset(inherit=False)
    if "session" not in fleet or not bool((sessions.left < sessions.departure).any()):
        return case
    left = xr.where(sessions.left < sessions.departure, sessions.left, sessions.departure)
    stayed = _share_between(case, sessions, sessions.arrival, left)
    return _with_share_of_power(case, stayed)


def has_left(case: xr.DataTree) -> np.ndarray:
    """Return True on (step, member) where the car of the cell has left before the step begins.

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/fleet`.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.operate.early_departures import has_left
    >>> bool(has_left(v2g.commuters(vehicles=1, days=1)).any())
    False
    """
    sizes = {**case.sizes, **case["fleet"].sizes}
    nobody = np.zeros((sizes["time"], sizes["fleet"]), bool)
    if "sessions" not in case.children or "left" not in case["sessions"]:
        return nobody
    sessions = case.children["sessions"].to_dataset(inherit=False)
    if "session" not in case["fleet"]:
        return nobody
    number, begin, _ = cells_of(case, sessions)
    left = sessions.left.fillna(sessions.departure).to_numpy()[number]
    return np.asarray(((number >= 0) & (left <= begin)).T)


def with_chargers_off(case: xr.DataTree) -> xr.DataTree:
    """Return the case as it comes: a charger that its owner has switched off gives no power.

    Parameters
    ----------
    case : xarray.DataTree
        A case whose owners keep their chargers on.

    Returns
    -------
    xarray.DataTree
        With `charge_max` and `discharge_max` (kW) less the share of each step from `switched_off`
        of `/sessions` to `switched_on`, or the departure where that is missing. The case itself
        where no charger is switched off.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.operate.early_departures import with_chargers_off
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> with_chargers_off(case) is case
    True
    """
    if "sessions" not in case.children or "switched_off" not in case["sessions"]:
        return case
    sessions = case.children["sessions"].to_dataset(inherit=False)
    fleet = case.children["fleet"].to_dataset(inherit=False)
    if "session" not in fleet or not bool(sessions.switched_off.notnull().any()):
        return case
    off = sessions.switched_off.fillna(sessions.departure)
    on = sessions.get("switched_on", sessions.departure).fillna(sessions.departure)
    return _with_share_of_power(case, 1 - _share_between(case, sessions, off, on, 0.0))


def _share_between(
    case: xr.DataTree,
    sessions: xr.Dataset,
    since: xr.DataArray,
    until: xr.DataArray,
    elsewhere: float = 1.0,
) -> np.ndarray:
    """Share of the declared stay of each cell between two moments of its session, on (fleet, time).

    The power of a step is already that of the part of it for which the car was to be there.
    """
    number, begin, end = cells_of(case, sessions)
    arrival, departure, first, last = (
        x.to_numpy()[number] for x in (sessions.arrival, sessions.departure, since, until)
    )
    come, go = np.maximum(arrival, begin), np.minimum(departure, end)
    declared, nothing = go - come, np.timedelta64(0, "ns")
    inside = np.minimum(go, last) - np.maximum(come, first)
    share = inside / np.where(declared > nothing, declared, end - begin)
    return np.where(number >= 0, np.clip(share, 0.0, 1.0), elsewhere)


def _with_share_of_power(case: xr.DataTree, share: np.ndarray) -> xr.DataTree:
    """Return the case with a share of its powers, on (fleet, time)."""
    fleet = case.children["fleet"].to_dataset(inherit=False)
    time = case.to_dataset().indexes["time"]
    axes = {"fleet": fleet.indexes["fleet"], "time": time}
    on_fleet = xr.DataArray(share, coords=axes, dims=("fleet", "time"))
    powers = [name for name in ("charge_max", "discharge_max") if name in fleet]
    cut = {name: (fleet[name] * on_fleet).assign_attrs(fleet[name].attrs) for name in powers}
    return case.assign(fleet=xr.DataTree(fleet.assign(cut)))
