"""The value ladder: unmanaged, smart, V2G, with and without reserves, on one case and one ledger (FORMULATION §1)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Infeasible, Problem, SchemaError
from ..model.inputs import RESULT_GROUPS, Inputs, inputs_of
from ..model.part import Part, per_pod
from ..parts.catalogue import PARTS
from ..solve.audit import expected
from ..solve.result import in_profit
from ..solve.solve import solve

BEFORE = {"smart": "unmanaged", "V2G": "smart", "smart + reserves": "smart", "V2G + reserves": "V2G"}
CAUSES = ("energy", "reserve", "wear", "drivers", "grid", "penalties", "other")
WEAR = ("wear", "wear_charge", "wear_cycles", "wear_calendar")
_CAUSE_OF = {
    "energy.energy": "energy",
    "energy.spread": "energy",
    "imbalance.settlement": "energy",
    "connection.supply": "energy",
    "connection.feed_in": "energy",
    **{f"{part}.{entry}": "wear" for part in ("fleet", "battery") for entry in WEAR},
    "ppa.difference": "energy",
    "ppa.correction": "energy",
    "ppa.delivery": "energy",
    "ppa.shortfall": "energy",
    "fleet.drivers": "drivers",
    "chp.fuel": "energy",
    "chp.start": "wear",
    "hydrogen.sale": "energy",
    "hydrogen.wear": "wear",
    "hydrogen.wear_standby": "wear",
    "hydrogen.wear_start": "wear",
}
FORESIGHT = (
    "Every rung knows all prices and arrivals in advance (perfect foresight), and no position is taken without a"
    " physical plan: the figures are upper bounds on what operation earns."
)


def compare(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS, **options: Any) -> xr.DataTree:
    """Solve the rungs of the ladder on one case: three, and two more where it has reserves.

    Parameters
    ----------
    case : xarray.DataTree
        A case with a fleet; without a product in `/reserve` the ladder has no rungs with reserves.
    parts, **options
        As for `solve`.

    Returns
    -------
    xarray.DataTree
        The result of the top rung with the group `/ladder`: `profit(rung)`, `objective(rung)`, `ledger(rung, entry)`
        and `step(rung, cause)`, the change from the rung named in `before(rung)` (EUR); attributes `vehicles` and
        `years` give figures per vehicle and year.
    """
    if "fleet" not in case.children:
        raise SchemaError([Problem("fleet", "missing", "missing: the ladder compares ways to charge a fleet")])
    inputs = inputs_of(case, parts)
    results = {}
    for rung, variant, fix in _variants(case, inputs):
        try:
            results[rung] = solve(variant, fix=fix, parts=parts, **options)
        except Infeasible as error:
            raise Infeasible(f"  on the rung {rung!r} of the ladder:\n{error.explanation}") from None
    top = results[list(results)[-1]]
    top["ladder"] = xr.DataTree(_ladder(results, inputs))
    return top


def side_by_side(one: xr.DataTree, other: xr.DataTree) -> pd.DataFrame:
    """Two results entry by entry: the sums of both ledgers over the horizon, by cause, and the change.

    Returns
    -------
    pandas.DataFrame
        ``cause``, ``entry``, ``one``, ``other``, ``change``; money of the results, in the order of `CAUSES`.

    Raises
    ------
    SchemaError
        The results are in different currencies.
    """
    money = [str(tree.attrs.get("currency", "EUR")) for tree in (one, other)]
    if money[0] != money[1]:
        raise SchemaError([Problem("currency", "consistency", f"{money[0]} in one result, {money[1]} in the other")])
    table = pd.DataFrame({name: _sums(tree) for name, tree in (("one", one), ("other", other))}).fillna(0.0)
    table["change"] = table["other"] - table["one"]
    table.insert(0, "entry", table.index)
    table.insert(0, "cause", [_cause(entry) for entry in table["entry"]])
    order = [CAUSES.index(cause) for cause in table["cause"]]
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _sums(result: xr.DataTree) -> dict[str, float]:
    """The ledger of a result summed over the horizon, the mean over scenarios."""
    probability = result.to_dataset().get("probability")
    entries = result["ledger"].to_dataset().data_vars.items()
    return {str(n): float(expected(x, probability).sum()) for n, x in entries}


def unmanaged(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataArray:
    """Charge at full power from arrival until the need is met (a share fleet: until full), within import limits.

    Where the limit of a charger or of a pod's import binds, those that arrived first are served first, and who is left
    less than its least power waits. Power falls as the battery fills where it tapers. Where the last step would need
    less than the least power, the need is exceeded, or the step before leaves enough if that does not fit.

    Returns
    -------
    xarray.DataArray
        Charging power on (fleet, time), kW at the grid side.
    """
    inputs = inputs_of(case, parts)
    return _first_come(inputs)


def _variants(case: xr.DataTree, inputs: Inputs) -> list[tuple[str, xr.DataTree, dict[str, xr.DataArray] | None]]:
    def variant(v2g: bool, reserves: bool) -> xr.DataTree:
        tree = case.copy()
        for group in (*RESULT_GROUPS, *(() if reserves else ("reserve",))):
            if group in tree.children:
                del tree[group]
        if "energy" in tree.children:
            tree["energy"] = tree["energy"].assign(virtual_bidding=xr.DataArray(0.0, attrs={"units": "1"}))
        if not v2g:
            tree["fleet"] = tree["fleet"].assign(discharge_max=xr.DataArray(0.0, attrs={"units": "kW"}))
        return tree

    smart = variant(v2g=False, reserves=False)
    free = smart.copy()  # nobody schedules this plan: it is settled step by step, whatever the market time unit
    if "energy" in free.children:
        free["energy"] = free["energy"].assign(block=xr.DataArray(0.0, attrs={"units": "h"}))
    rungs = [
        ("unmanaged", free, {"fleet.charge": _first_come(inputs)}),
        ("smart", smart, None),
        ("V2G", variant(v2g=True, reserves=False), None),
    ]
    reserve = inputs.data.get("reserve")
    if reserve is None or not reserve.sizes["product"]:
        return rungs
    return [
        *rungs,
        ("smart + reserves", variant(v2g=False, reserves=True), None),
        ("V2G + reserves", variant(v2g=True, reserves=True), None),
    ]


_FIRST_COME = (
    *("charge_max", "charge_min", "eta_charge", "taper_from", "taper_to", "keep"),
    *("energy_min", "energy_max", "energy_in", "energy_out", "spill_max"),
)


def _first_come(inputs: Inputs) -> xr.DataArray:
    """One forward pass over time, all members at once."""
    if any("scenario" in x.dims for x in inputs.data["fleet"].data_vars.values()):
        detail = "the fleet differs by scenario: it has no one unmanaged plan"
        raise SchemaError([Problem("fleet", "dims", detail)])
    fleet, time = inputs.data["fleet"], inputs.calendar.time
    axes = {"fleet": fleet.indexes["fleet"], "time": time}
    template = xr.DataArray(0.0, coords=axes, dims=("fleet", "time"))
    d = {n: np.ascontiguousarray((fleet[n] + template).transpose("fleet", "time").to_numpy().T) for n in _FIRST_COME}
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
        energy = np.clip(start + inputs.dt * d["eta_charge"][t] * charge[t], 0.0, d["energy_max"][t])
    return xr.DataArray(
        charge.T, coords=axes, dims=("fleet", "time"), attrs={"units": "kW", "long_name": "unmanaged charging power"}
    )


def _wish(
    d: Mapping[str, np.ndarray], t: int, start: np.ndarray, target: np.ndarray, room: np.ndarray, dt: float
) -> np.ndarray:
    """Power that each member asks for: all it can until the target, within its taper, and not less than its least."""
    gain, least = dt * d["eta_charge"][t], d["charge_min"][t]
    bend, tail = np.nan_to_num(d["taper_from"][t]), np.nan_to_num(d["taper_to"][t], nan=1.0)
    slope = d["charge_max"][t] * (1 - tail) / ((1 - bend) * np.where(d["energy_max"][t] > 0, d["energy_max"][t], 1.0))
    top = d["charge_max"][t] * (1 - tail * bend) / (1 - bend)
    most = np.clip((top - slope * start) / (1 + slope * gain), 0.0, d["charge_max"][t])  # at the end of the step
    wish = np.clip((target - start) / gain, 0.0, most)
    if t + 1 < len(room):
        step = d["charge_min"][t + 1] * dt * d["eta_charge"][t + 1] * (d["keep"][t + 1] > 0)
        rest = target - start - gain * wish
        late = (rest > 1e-9) & (rest < step) & (start + gain * wish + step > room[t + 1] + 1e-9)
        wish = np.where(late, np.maximum((target - step - start) / gain, least), wish)
    possible = (least <= most + 1e-9) & (start + gain * least <= room[t] + 1e-9)
    return np.where((wish > 1e-9) & (wish < least), np.where(possible, least, 0.0), wish)


def _targets(d: Mapping[str, np.ndarray], full: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy to charge towards: the coming need, for a share fleet e_max; and the most that later steps can hold."""
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
    """Return the position of each member's charger, and the limits on (time, charger); None without one."""
    charger, fleet = inputs.data.get("charger"), inputs.data["fleet"]
    if charger is None or "charger" not in fleet:
        return None
    axes = {"time": inputs.calendar.time, "charger": charger.indexes["charger"]}
    limit = (charger.charge_max + xr.DataArray(0.0, coords=axes, dims=list(axes))).transpose("time", "charger")
    names, own = [str(c) for c in axes["charger"]], [str(c) for c in fleet["charger"].to_numpy()]
    position = np.array([names.index(c) if c else len(names) for c in own])
    return position, np.hstack([limit.to_numpy(), np.full((len(axes["time"]), 1), np.inf)])


def _pods(inputs: Inputs) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the position of each member's pod, and what its import limit leaves on (time, pod); None without one."""
    connection, fleet = inputs.data.get("connection"), inputs.data["fleet"]
    names = [str(p) for p in fleet["pod"].to_numpy()]
    if connection is None or not bool(np.isfinite(connection.import_max).any()):
        return None
    pods = [str(p) for p in connection.indexes["pod"]]
    every = pods + [n for n in dict.fromkeys(names) if n not in pods]
    axes = {"time": inputs.calendar.time, "pod": connection.indexes["pod"]}
    left = (connection.import_max - _drawn(inputs, axes["pod"])).clip(min=0.0)
    limit = (left + xr.DataArray(0.0, coords=axes, dims=("time", "pod"))).transpose("time", "pod").to_numpy()
    limit = np.hstack([limit, np.full((len(limit), len(every) - len(pods)), np.inf)])
    return np.array([every.index(n) for n in names]), limit


def _drawn(inputs: Inputs, pods: pd.Index) -> xr.DataArray | float:
    """Power that the electric loads of each pod draw, the most of all scenarios (kW): unmanaged charging leaves it."""
    load = inputs.data.get("load")
    if load is None or not load.sizes["load"]:
        return 0.0
    drawn: xr.DataArray = per_pod(load.baseline.where(load.carrier == "electricity", 0.0), load, pods)
    return drawn.max("scenario") if "scenario" in drawn.dims else drawn


def _share(wish: np.ndarray, order: np.ndarray, pod: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Serve members in the given order until the limit of their pod is used up."""
    served = np.zeros_like(wish)
    for p in np.unique(pod):
        queue = order[pod[order] == p]
        before = np.cumsum(wish[queue]) - wish[queue]
        served[queue] = np.clip(limit[p] - before, 0.0, wish[queue])
    return served


def _ladder(results: Mapping[str, xr.DataTree], inputs: Inputs) -> xr.Dataset:
    """Sums per rung and entry, and what each step changed."""
    sums = {}
    for rung, r in results.items():
        entries = r["ledger"].to_dataset().data_vars.items()
        sums[rung] = {str(n): float(expected(x, inputs.probability).sum()) for n, x in entries}
    rungs = list(results)
    ledger = pd.DataFrame(sums).T.fillna(0.0).loc[rungs]
    causes = ledger.T.groupby(_cause).sum().T.reindex(columns=list(CAUSES), fill_value=0.0)
    step = causes.copy()
    step.loc["unmanaged"] = 0.0
    for rung in rungs[1:]:
        step.loc[rung] = causes.loc[rung] - causes.loc[BEFORE[rung]]
    money = {"units": inputs.calendar.currency}
    ladder = xr.Dataset(
        {
            "profit": ("rung", [r.attrs["profit"] for r in results.values()], money),
            "objective": ("rung", [r.attrs["objective"] for r in results.values()], money),
            "ledger": (("rung", "entry"), ledger.to_numpy(), money),
            "step": (("rung", "cause"), step.to_numpy(), money),
            "before": ("rung", [BEFORE.get(r, "") for r in rungs]),
            "energy_charged": ("rung", [_energy(r, "charge", inputs) for r in results.values()], {"units": "kWh"}),
            "energy_discharged": (
                "rung",
                [_energy(r, "discharge", inputs) for r in results.values()],
                {"units": "kWh"},
            ),
            "unserved": ("rung", [_unserved(r, inputs) for r in results.values()], {"units": "kWh"}),
        },
        coords={"rung": rungs, "entry": list(ledger.columns), "cause": list(CAUSES)},
    )
    hours = inputs.dt * len(inputs.calendar.time)
    vehicles = float(inputs.data["fleet"].vehicles.sum())
    return ladder.assign_attrs(vehicles=vehicles, years=hours / 8760.0, foresight=FORESIGHT)


def _cause(entry: str) -> str:
    if not in_profit(entry):
        return "penalties"
    by_part = {"reserve": "reserve", "connection": "grid"}
    return _CAUSE_OF.get(entry) or by_part.get(entry.partition(".")[0], "other")


def _energy(result: xr.DataTree, side: str, inputs: Inputs) -> float:
    return float(expected(result["fleet"].to_dataset()[side], inputs.probability).sum()) * inputs.dt


def _unserved(result: xr.DataTree, inputs: Inputs) -> float:
    fleet = result["fleet"].to_dataset()
    return sum(float(expected(fleet[n], inputs.probability).sum()) for n in ("unserved", "unserved_trip") if n in fleet)
