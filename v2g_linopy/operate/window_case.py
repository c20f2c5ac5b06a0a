"""Windows of a case: some of its steps, begun in the state that an earlier plan left."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from ..case.io import calendar_of, step_hours
from ..case.schema import Calendar, with_attributes
from ..errors import Problem, SchemaError
from ..model.inputs import RESULT_GROUPS
from ..model.part import Part
from ..parts.catalogue import PARTS

Moment = int | str | pd.Timestamp | None


def select_window(
    case: xr.DataTree,
    start: Moment = None,
    stop: Moment = None,
    *,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Cut a case to the steps from `start` until before `stop`.

    The states that it begins in are those of the case: `with_initial_state` replaces them. What
    holds at an end (a cyclic end, the value of energy left, shifted load made up) holds at the end
    of the window. Capacities that a case leaves to be found from its whole length
    (`fleet.wear_capacity`) are written down before it is cut.

    Parameters
    ----------
    case : xarray.DataTree
        A case, or a result, of which only the inputs are kept; it is not changed.
    start, stop : int, str or pandas.Timestamp, optional
        Number of a step from 0 on, or a moment (UTC); the ends of the case unless given.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case on these steps, in the units of the case.

    Raises
    ------
    SchemaError
        No step of the case lies between the two, or its time stamps cannot be read.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=2)
    >>> v2g.select_window(case, 24).sizes["time"], v2g.select_window(case, 6, 12).sizes["time"]
    (24, 6)
    >>> morning = v2g.select_window(case, "2019-08-01 04:00", "2019-08-01 10:00")
    >>> str(morning["time"].values[0])[:16]
    '2019-08-01T04:00'
    """
    calendar, problems = calendar_of(case)
    if problems:
        raise SchemaError(problems)
    first, last = (
        _position(start, calendar.time, 0),
        _position(stop, calendar.time, len(calendar.time)),
    )
    if not 0 <= first < last <= len(calendar.time):
        span = f"{calendar.local(calendar.time[0])} to {calendar.local(calendar.time[-1])}"
        raise SchemaError(
            [
                Problem(
                    "time", "time", f"no step from {start} until before {stop}; the case has {span}"
                )
            ]
        )
    steps = slice(first, last)
    groups = {
        f"/{name}": _cut(_inputs(node.to_dataset(), parts.get(name), calendar), steps)
        for name, node in case.children.items()
        if name not in RESULT_GROUPS
    }
    root = _cut(case.to_dataset(), steps).assign_attrs(step_hours=step_hours(case))
    return xr.DataTree.from_dict({"/": root, **groups})


def with_initial_state(
    case: xr.DataTree, result: xr.DataTree, at: Moment, *, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Cut a case to the steps from `at` on, begun in the state in which a result is then.

    Each part says in `state_inputs` which of its inputs is which of its outputs at the end of the
    step before: energy on board, how long a plant has been on, the peaks of the month so far. An
    output that the result does not have, as nothing depended on it, leaves the input as the case
    has it.

    Parameters
    ----------
    case : xarray.DataTree
        The case that goes on; its steps before `at` are left out.
    result : xarray.DataTree
        A result that has the step before `at`: of the same case, of a window of it, or of what
        happened.
    at : int, str or pandas.Timestamp
        Number of a step of the case, or its time stamp (UTC).
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case on the steps from `at` on, in the units of the case.

    Raises
    ------
    SchemaError
        The case ends before `at`, or the result does not have the step before it.

    Examples
    --------
    A battery buys 10 kWh in the first of two hours, and has them where the second begins:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> box = {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 10.0, "energy_initial": 0.0}
    >>> box |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> battery = xr.Dataset(box, coords={"battery": ["box"]})
    >>> market = {"price": ("time", [20.0, 60.0]), "limit": 100.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> case = v2g.assemble(time, {"battery": battery, "energy": energy})
    >>> later = v2g.with_initial_state(case, v2g.solve(case), 1)
    >>> later["battery"].energy_initial.round(6).values.tolist()
    [10.0]
    """
    later = select_window(case, at, parts=parts)
    stamp = later.to_dataset().indexes["time"][0]
    before = stamp - pd.Timedelta(hours=step_hours(case))
    if before not in result.to_dataset().indexes["time"]:
        raise SchemaError(
            [
                Problem(
                    "result.time",
                    "time",
                    f"the result has no step at {before}, just before {stamp}",
                )
            ]
        )
    for name, node in list(later.children.items()):
        if name in parts and name in result.children:
            given = node.to_dataset(inherit=False)
            state = _state(parts[name], result.children[name].to_dataset(), given, before)
            later[name] = xr.DataTree(
                given.drop_vars([n for n in state if n in given]).assign(state)
            )
    return later


def _state(
    part: Part, done: xr.Dataset, given: xr.Dataset, before: pd.Timestamp
) -> dict[str, xr.DataArray]:
    """Inputs of the next window, from the outputs at the end of a step; what does not change is
    taken on once.
    """
    state = {}
    for into, out in part.state_inputs.items():
        if out not in done or ("time" not in done[out].dims and into in given):
            continue
        x: Any = done[out]
        x = x.sel(time=before, drop=True) if "time" in x.dims else x
        flag = next(f.kind for f in part.schema.inputs if f.name == into) == "flag"
        state[into] = (x.round() if flag else x).assign_attrs(
            {n: a for n, a in x.attrs.items() if n == "units"}
        )
    return state


def _inputs(group: xr.Dataset, part: Part | None, calendar: Calendar) -> xr.Dataset:
    """Only what a case gives, with what follows from the whole of it."""
    if part is None:
        return group
    kept = group[[f.name for f in part.schema.inputs if f.name in group]]
    kept = kept.drop_vars(
        [str(d) for d in kept.indexes if d not in (part.schema.member, *kept.dims)]
    )
    if part.schema.completions:
        clean, problems = part.schema.validate(kept, part.name, calendar)
        if not problems:  # else `check` tells them
            absent = [
                f
                for f in part.schema.inputs
                if f.default is None and f.name in clean and f.name not in kept
            ]
            kept = kept.assign(
                {f.name: with_attributes(clean[f.name], f, calendar.currency) for f in absent}
            )
    return kept


def _cut(ds: xr.Dataset, steps: slice) -> xr.Dataset:
    return ds.isel(time=steps) if "time" in ds.dims else ds


def _position(moment: Moment, time: pd.DatetimeIndex, otherwise: int) -> int:
    """Return the number of the first step that begins at a moment or later."""
    if moment is None:
        return otherwise
    if isinstance(moment, int):
        return moment
    return int(time.searchsorted(pd.Timestamp(moment)))
