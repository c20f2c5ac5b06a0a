"""Cars that leave before the departure they declared (docs/formulation.md §10)."""

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
    number, begin, end = cells_of(case, sessions)
    arrival, departure = (sessions[n].to_numpy()[number] for n in ("arrival", "departure"))
    left = np.minimum(sessions.left.fillna(sessions.departure).to_numpy()[number], departure)
    came = np.maximum(arrival, begin)
    declared, stayed = np.minimum(departure, end) - came, np.minimum(left, end) - came
    nothing = np.timedelta64(0, "ns")
    declared = np.where(declared > nothing, declared, end - begin)
    share = np.where(number >= 0, np.clip(stayed / declared, 0.0, 1.0), 1.0)
    on_fleet = xr.DataArray(
        share,
        coords={"fleet": fleet.indexes["fleet"], "time": begin},
        dims=("fleet", "time"),
    )
    powers = [name for name in ("charge_max", "discharge_max") if name in fleet]
    cut = {name: (fleet[name] * on_fleet).assign_attrs(fleet[name].attrs) for name in powers}
    return case.assign(fleet=xr.DataTree(fleet.assign(cut)))
