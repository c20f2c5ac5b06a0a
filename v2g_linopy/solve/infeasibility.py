"""Why there is no plan, in the user's words: first from the data, then from relaxed slacks, then
from the solver.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from ..errors import SolveError
from ..model.inputs import Inputs
from . import blocks, solver
from .relaxation import least_relaxation
from .solver import Settings

_SHOWN = 8  # lines of an explanation


def why(inputs: Inputs, settings: Settings, assemble: Callable[[Inputs], Any]) -> str:
    """Explain an infeasible case.

    Parameters
    ----------
    inputs : Inputs
        The validated case.
    settings : Settings
        Solver settings, for the relaxed solve.
    assemble : callable
        Builds the model of inputs (handed in, because it stands one layer above).
    """
    lines = _reach(inputs) or _unbalanced(inputs, assemble)
    if not lines:
        lines = least_relaxation(inputs, settings, assemble, assets=False)
    if not lines:
        lines = _relaxed(inputs, settings, assemble)
    if not lines:
        lines = least_relaxation(inputs, settings, assemble, assets=True)
    if not lines:
        lines = _conflict(inputs, settings, assemble)
    shown = lines[:_SHOWN]
    if len(lines) > _SHOWN:
        shown.append(f"... and {len(lines) - _SHOWN} more")
    return "\n".join(f"  {line}" for line in shown)


def _reach(inputs: Inputs) -> list[str]:
    """Members that cannot hold what they must, or must hold more than fits, whatever the plan."""
    fleet = inputs.data.get("fleet")
    if fleet is None or not fleet.sizes.get("fleet", 0):
        return []
    if any("scenario" in x.dims for x in fleet.data_vars.values()):
        return []  # one pass per scenario would be needed; relaxed slacks tell as much
    axes = xr.Dataset(coords={"fleet": fleet["fleet"], "time": inputs.calendar.time})
    d = {
        str(name): x.transpose("fleet", "time", ...).to_numpy()
        for name, x in fleet.broadcast_like(axes).data_vars.items()
        if x.dtype.kind == "f"
    }
    highest, lowest = _envelope(d, inputs.dt)
    hard, rigid = np.isnan(d["unserved_cost"]), np.isnan(d["slack_cost"])
    short = np.where(hard & rigid, d["energy_min"] - highest, 0.0)
    over = np.where(rigid, lowest - d["energy_max"], 0.0)
    lines = []
    for i, member in enumerate(fleet.indexes["fleet"]):
        row = {n: a[i] for n, a in d.items()}
        for excess, text in ((short[i], _needs), (over[i], _overflows)):
            steps = np.flatnonzero(excess > 1e-6)
            if len(steps):
                more = f" ({len(steps)} steps in all)" if len(steps) > 1 else ""
                words = text(int(steps[0]), row, highest[i], lowest[i], inputs)
                lines.append(f"fleet {member}: {words}{more}")
    return lines


def _envelope(d: dict[str, np.ndarray], dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Highest and lowest energy that each member can reach at the end of each step, one forward
    pass over time.
    """
    highest, lowest = np.zeros_like(d["charge_max"]), np.zeros_like(d["charge_max"])
    high, low = d["energy_initial"][:, 0], d["energy_initial"][:, 0]
    for t in range(highest.shape[1]):
        keep, moved = d["keep"][:, t], d["energy_in"][:, t] - d["energy_out"][:, t]
        charged = dt * d["eta_charge"][:, t] * d["charge_max"][:, t]
        discharged = dt * d["discharge_max"][:, t] / d["eta_discharge"][:, t]
        high = keep * high + moved + charged
        low = keep * low + moved - d["spill_max"][:, t] - discharged
        highest[:, t], lowest[:, t] = high, low

        high = np.minimum(high, d["energy_max"][:, t])
        floor = np.where(np.isnan(d["unserved_cost"][:, t]), d["energy_min"][:, t], 0.0)
        low = np.minimum(np.maximum(low, floor), d["energy_max"][:, t])
    return highest, lowest


def _step(inputs: Inputs, t: int) -> str:
    return f"the step {inputs.calendar.local(inputs.calendar.time[t])} (hour {t * inputs.dt:g})"


def _needs(
    t: int, d: Mapping[str, np.ndarray], high: np.ndarray, low: np.ndarray, inputs: Inputs
) -> str:
    if high[t] < 0:
        remedy = "charge more before, or let it be missed at a price (unserved_cost)"
        return (
            f"drives {-high[t]:.6g} kWh more in {_step(inputs, t)} than can be on board; {remedy}"
        )
    missing = d["energy_min"][t] - high[t]
    speed = inputs.dt * d["eta_charge"][t] * d["charge_max"][t]  # kWh in a step
    remedy = "raise the power, lower the need, or let it be missed at a price (unserved_cost)"
    if speed > 0:
        later = (1 + int(np.ceil(missing / speed - 1e-9))) * pd.Timedelta(hours=inputs.dt)
        stamp = inputs.calendar.local(inputs.calendar.time[t] + later)
        remedy = f"the earliest departure that works is {stamp}; or {remedy}"
    return (
        f"needs {d['energy_min'][t]:.6g} kWh at the end of {_step(inputs, t)}, at most"
        f" {high[t]:.6g} kWh can be reached ({missing:.4g} kWh missing); {remedy}"
    )


def _overflows(
    t: int, d: Mapping[str, np.ndarray], high: np.ndarray, low: np.ndarray, inputs: Inputs
) -> str:
    return (
        f"holds at least {low[t]:.6g} kWh at the end of {_step(inputs, t)}, but only"
        f" {d['energy_max'][t]:.6g} kWh fit into what stays connected; give slack_cost, spill_max"
        " or more discharge power"
    )


def _unbalanced(inputs: Inputs, assemble: Callable[[Inputs], Any]) -> list[str]:
    """Pods at which more heat or hydrogen is drawn than can be fed, whatever runs."""
    model = assemble(inputs).model
    matrix = solver.matrix_of(model)
    a = sp.csr_array(matrix.a)
    # withdrawal less injection, at its least
    short = a.maximum(0) @ matrix.lower + a.minimum(0) @ matrix.upper - matrix.row_upper
    found: dict[tuple[str, str], list[tuple[pd.Timestamp, float]]] = {}
    for row in np.flatnonzero(short > 1e-6):
        name, place = model.constraints.get_label_position(int(matrix.row_labels[row]))
        prefix, _, carrier = str(name).partition(".")
        if prefix == "node" and carrier not in ("electricity", "market"):
            found.setdefault((carrier, str(place["pod"])), []).append((place["time"], short[row]))
    lines = []
    for (carrier, pod), steps in found.items():
        stamp, missing = steps[0]
        step = _step(inputs, int(np.flatnonzero(inputs.calendar.time == stamp)[0]))
        more = f" ({len(steps)} steps in all)" if len(steps) > 1 else ""
        remedy = "add a source there, or let a load be curtailed"
        lines.append(
            f"pod {pod}: {missing:.6g} kW of {carrier} are missing in {step}, whatever runs;"
            f" {remedy}{more}"
        )
    return lines


def _relaxed(inputs: Inputs, settings: Settings, assemble: Callable[[Inputs], Any]) -> list[str]:
    """Allow every need to be missed and every balance to slip; where the cheapest plan does so is
    where it hurts.
    """
    data = dict(inputs.data)
    if "fleet" not in data:
        return []
    fleet = data["fleet"]
    data["fleet"] = fleet.assign(
        unserved_cost=fleet.unserved_cost.fillna(1e4), slack_cost=fleet.slack_cost.fillna(1e5)
    )
    model = assemble(replace(inputs, data=data)).model
    matrix = solver.matrix_of(model)
    try:
        found = blocks.solve_with_highs(matrix, settings)
    except SolveError:
        return []
    levels = solver.by_variable(model, matrix, found.primal)
    lines = []
    words = {
        "unserved": "kWh short of its need",
        "slack_in": "kW too little",
        "slack_out": "kW too much",
        "unserved_trip": "kWh short of its trip",
    }
    for name, text in words.items():
        if (used := levels.get(f"fleet.{name}")) is not None:
            lines += _places(used.fillna(0.0), text, inputs)
    return lines


def _places(used: xr.DataArray, text: str, inputs: Inputs) -> list[str]:
    lines = []
    for member in used.indexes["fleet"]:
        row = used.sel(fleet=member)
        if "scenario" in row.dims:
            row = row.max("scenario")
        if float(row.max()) > 1e-6:
            t = int((row > 1e-6).argmax("time"))
            lines.append(
                f"fleet {member}: {float(row[t]):.6g} {text} in {_step(inputs, t)}, given all else"
                " that binds it"
            )
    return lines


def _conflict(inputs: Inputs, settings: Settings, assemble: Callable[[Inputs], Any]) -> list[str]:
    """Name the rows of an irreducible conflict, as the solver finds it."""
    model = assemble(inputs).model
    matrix = solver.matrix_of(model)
    rows = solver.irreducible(matrix, settings)
    names: dict[str, Any] = {}
    for label in matrix.row_labels[rows]:
        found: Any = model.constraints.get_label_position(int(label))
        names.setdefault(found[0], found[1])
    if not names:
        return ["the solver gives no reason; relax limits one by one"]
    lines = ["these rules contradict each other:"]
    for name, place in names.items():
        where = ", ".join(
            f"{dim} {inputs.calendar.local(label) if dim == 'time' else label}"
            for dim, label in dict(place).items()
        )
        lines.append(f"{name} ({where}){_meaning(name, inputs)}")
    return lines


def _meaning(row: str, inputs: Inputs) -> str:
    """What it means that a row cannot hold, where its part says so."""
    part, _, name = row.partition(".")
    if part not in inputs.parts or name not in inputs.parts[part].conflict_labels:
        return ""
    return f": {inputs.parts[part].conflict_labels[name]}"
