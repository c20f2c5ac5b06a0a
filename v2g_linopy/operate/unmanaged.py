"""Charging without optimising: at full power from arrival until the need is met, first come, first
served.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..model.scope import per_pod
from ..parts.catalogue import PARTS


def unmanaged(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataArray:
    """Charge at full power from arrival until the need is met, without optimising.

    A share fleet charges until it is full. Where the limit of a charger or of a pod's import binds,
    those that arrived first are served first, and who is left less than its least power waits.
    Power falls as the battery fills where it tapers. Where the last step would need less than the
    least power, the need is exceeded, or the step before leaves enough if that does not fit.

    Parameters
    ----------
    case : xarray.DataTree
        A case with a fleet that is the same in all scenarios.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataArray
        Charging power on (fleet, time), kW at the grid side.

    Raises
    ------
    SchemaError
        The case does not fit the schema, or its fleet differs by scenario.

    Examples
    --------
    Two hours at 10 kW, and the need of 20 kWh is met:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> need = ("time", [0.0, 0.0, 0.0, 20.0])
    >>> car = {"charge_max": 10.0, "energy_max": 40.0, "energy_min": need, "eta_charge": 1.0}
    >>> market = {"price": ("time", [50.0, 20.0, 30.0, 60.0]), "limit": 100.0}
    >>> fleet = xr.Dataset(car, coords={"fleet": ["ev"]})
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> case = v2g.assemble(time, {"fleet": fleet, "energy": energy})
    >>> v2g.unmanaged(case).sel(fleet="ev").values.tolist()
    [10.0, 10.0, 0.0, 0.0]
    """
    return first_come(inputs_of(case, parts))


_FIRST_COME = (
    *("charge_max", "charge_min", "eta_charge", "taper_from", "taper_to", "keep"),
    *("energy_min", "energy_max", "energy_in", "energy_out", "spill_max"),
)


def first_come(inputs: Inputs) -> xr.DataArray:
    """Return the same of inputs: one forward pass over time, all members at once."""
    if any("scenario" in x.dims for x in inputs.data["fleet"].data_vars.values()):
        detail = "the fleet differs by scenario: it has no one unmanaged plan"
        raise SchemaError([Problem("fleet", "dims", detail)])
    fleet, time = inputs.data["fleet"], inputs.calendar.time
    axes = {"fleet": fleet.indexes["fleet"], "time": time}
    template = xr.DataArray(0.0, coords=axes, dims=("fleet", "time"))
    d = {
        n: np.ascontiguousarray((fleet[n] + template).transpose("fleet", "time").to_numpy().T)
        for n in _FIRST_COME
    }
    full = fleet.aggregate.to_numpy() > 0
    target, room = _targets(d, full)
    shared = [limits for limits in (_chargers(inputs), _pods(inputs)) if limits is not None]
    charge = np.zeros_like(target)
    energy = fleet.energy_initial.to_numpy().astype(float).copy()
    since = np.zeros(len(energy))
    order = np.arange(len(energy))
    plugged = d["charge_max"] > 0
    for t in range(len(time)):
        arrived = plugged[t] & ((d["keep"][t] == 0) | ~plugged[max(t - 1, 0)])
        if arrived.any():
            since[arrived] = t
            order = np.argsort(since, kind="stable")
        start = d["keep"][t] * energy + d["energy_in"][t] - d["energy_out"][t]
        charge[t] = _wish(d, t, start, target[t], room, inputs.dt)
        for group, limit in shared:
            served = _share(charge[t], order, group, limit[t])
            charge[t] = np.where(served < d["charge_min"][t] - 1e-9, 0.0, served)
        energy = np.clip(
            start + inputs.dt * d["eta_charge"][t] * charge[t], 0.0, d["energy_max"][t]
        )
    return xr.DataArray(
        charge.T,
        coords=axes,
        dims=("fleet", "time"),
        attrs={"units": "kW", "long_name": "unmanaged charging power"},
    )


def _wish(
    d: Mapping[str, np.ndarray],
    t: int,
    start: np.ndarray,
    target: np.ndarray,
    room: np.ndarray,
    dt: float,
) -> np.ndarray:
    """Power that each member asks for: all it can until the target, within its taper, and not less
    than its least.
    """
    least = d["charge_min"][t]
    gain = dt * d["eta_charge"][t]  # kWh on board per kW
    highest = _within_taper(d, t, start, gain)
    wish = np.clip((target - start) / gain, 0.0, highest)

    if t + 1 < len(room):
        # where the next step would need less than its least power, and that would not fit: leave
        # enough for it
        step = d["charge_min"][t + 1] * dt * d["eta_charge"][t + 1] * (d["keep"][t + 1] > 0)
        rest = target - start - gain * wish
        late = (rest > 1e-9) & (rest < step) & (start + gain * wish + step > room[t + 1] + 1e-9)
        wish = np.where(late, np.maximum((target - step - start) / gain, least), wish)

    possible = (least <= highest + 1e-9) & (start + gain * least <= room[t] + 1e-9)
    return np.where((wish > 1e-9) & (wish < least), np.where(possible, least, 0.0), wish)


def _within_taper(
    d: Mapping[str, np.ndarray], t: int, start: np.ndarray, gain: np.ndarray
) -> np.ndarray:
    """Highest power that the taper allows with the energy at the end of the step (kW)."""
    charge_max, energy_max = d["charge_max"][t], d["energy_max"][t]
    bend, tail = np.nan_to_num(d["taper_from"][t]), np.nan_to_num(d["taper_to"][t], nan=1.0)
    capacity = np.where(energy_max > 0, energy_max, 1.0)
    slope = charge_max * (1 - tail) / ((1 - bend) * capacity)
    top = charge_max * (1 - tail * bend) / (1 - bend)
    return np.clip((top - slope * start) / (1 + slope * gain), 0.0, charge_max)


def _targets(d: Mapping[str, np.ndarray], full: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy to charge towards: the coming need, for a share fleet e_max; and the most that later
    steps can hold.
    """
    need, room = np.zeros_like(d["energy_min"]), d["energy_max"].copy()
    later_need, later_room = np.zeros(len(full)), np.full(len(full), np.inf)
    for t in range(len(need) - 1, -1, -1):
        need[t] = np.maximum(d["energy_min"][t], later_need)
        room[t] = np.minimum(room[t], later_room)
        linked = d["keep"][t] > 0
        keep = np.where(linked, d["keep"][t], 1.0)
        moved = d["energy_out"][t] - d["energy_in"][t]
        later_need = np.where(linked, (need[t] + moved) / keep, 0.0)
        later_room = np.where(linked, (room[t] + moved + d["spill_max"][t]) / keep, np.inf)
    return np.minimum(np.where(full, d["energy_max"], need), room), room


def _chargers(inputs: Inputs) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the position of each member's charger, and the limits on (time, charger); None without
    one.
    """
    charger, fleet = inputs.data.get("charger"), inputs.data["fleet"]
    if charger is None or "charger" not in fleet:
        return None
    axes = {"time": inputs.calendar.time, "charger": charger.indexes["charger"]}
    limit = (charger.charge_max + xr.DataArray(0.0, coords=axes, dims=list(axes))).transpose(
        "time", "charger"
    )
    names, own = [str(c) for c in axes["charger"]], [str(c) for c in fleet["charger"].to_numpy()]
    position = np.array([names.index(c) if c else len(names) for c in own])
    return position, np.hstack([limit.to_numpy(), np.full((len(axes["time"]), 1), np.inf)])


def _pods(inputs: Inputs) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the position of each member's pod, and what its import limit leaves on (time, pod);
    None without one.
    """
    connection, fleet = inputs.data.get("connection"), inputs.data["fleet"]
    names = [str(p) for p in fleet["pod"].to_numpy()]
    if connection is None or not bool(np.isfinite(connection.import_max).any()):
        return None
    pods = [str(p) for p in connection.indexes["pod"]]
    every = pods + [n for n in dict.fromkeys(names) if n not in pods]
    axes = {"time": inputs.calendar.time, "pod": connection.indexes["pod"]}
    left = (connection.import_max - _drawn(inputs, axes["pod"])).clip(min=0.0)
    limit = (
        (left + xr.DataArray(0.0, coords=axes, dims=("time", "pod")))
        .transpose("time", "pod")
        .to_numpy()
    )
    limit = np.hstack([limit, np.full((len(limit), len(every) - len(pods)), np.inf)])
    return np.array([every.index(n) for n in names]), limit


def _drawn(inputs: Inputs, pods: pd.Index) -> xr.DataArray | float:
    """Power that the electric loads of each pod draw, the most of all scenarios (kW): unmanaged
    charging leaves it.
    """
    load = inputs.data.get("load")
    if load is None or not load.sizes["load"]:
        return 0.0
    drawn: xr.DataArray = per_pod(
        load.baseline.where(load.carrier == "electricity", 0.0), load, pods
    )
    return drawn.max("scenario") if "scenario" in drawn.dims else drawn


def _share(wish: np.ndarray, order: np.ndarray, pod: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Serve members in the given order until the limit of their pod is used up."""
    served = np.zeros_like(wish)
    for p in np.unique(pod):
        queue = order[pod[order] == p]
        before = np.cumsum(wish[queue]) - wish[queue]
        served[queue] = np.clip(limit[p] - before, 0.0, wish[queue])
    return served
