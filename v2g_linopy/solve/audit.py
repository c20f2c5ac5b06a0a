"""Proof that a written plan is physical and its bill adds up, from the result alone.

Every part's `replay` recomputes what the part has written.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..model.inputs import Inputs, inputs_of
from ..model.part import Part, Stage
from ..model.scope import per_pod
from ..model.terms import Replay
from ..model.view import View, scenario_mean
from ..parts.catalogue import PARTS

TOLERANCE = 1e-6  # kWh, kW, and EUR relative


def replay(result: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> xr.Dataset:
    """Recompute a result from its written numbers alone, and compare.

    What is recomputed: balances, limits, departures, connection, reserve room and settlement. The
    model that made the plan has no part in it.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as returned or as read from its file.
    parts : mapping of str to Part, default PARTS
        The catalogue that it was solved with.

    Returns
    -------
    xarray.Dataset
        One scalar per check, the worst residual (kW, kWh; ledger entries relative to the turnover
        of the entry), with attributes `passed` (1 where all are within 1e-6) and `worst` (the
        largest, in words).

    Raises
    ------
    SchemaError
        The inputs of the result do not fit the schema.

    Examples
    --------
    A plan passes; a plan in which somebody writes one kW more does not:

    >>> import v2g_linopy as v2g
    >>> result = v2g.solve(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> v2g.replay(result).attrs["passed"]
    1
    >>> result["fleet"] = result["fleet"].to_dataset().assign(charge=result["fleet"].charge + 1.0)
    >>> v2g.replay(result).attrs["passed"]
    0
    """
    return replay_with(inputs_of(result, parts), result)


def replay_with(inputs: Inputs, result: xr.DataTree) -> xr.Dataset:
    """Return the same for a result whose inputs are known to be these."""
    with xr.set_options(arithmetic_join="exact"):  # faster, and no label is left out silently
        return _checks(inputs, result)


def _checks(inputs: Inputs, result: xr.DataTree) -> xr.Dataset:
    groups = {name: _with_outputs(inputs, name, result) for name in inputs.data}
    ledger = result["ledger"].to_dataset()
    done: dict[str, Replay] = {}
    found: dict[str, xr.Variable] = {}
    for part, d in inputs:
        if d.sizes.get(part.member, 1) == 0:
            continue
        done[part.name] = replayed = part.replay(
            View(groups, inputs.calendar, inputs.dt, done), groups[part.name]
        )
        if twice := replayed.residuals.keys() & replayed.cash.keys():
            raise ValueError(
                f"{part.name}: {', '.join(twice)} names both a check and an entry of the ledger"
            )
        for name, residual in replayed.residuals.items():
            found[f"{part.name}.{name}"] = _worst(residual)
        for entry, cash in replayed.cash.items():
            found[f"{part.name}.{entry}"] = _cash(ledger, f"{part.name}.{entry}", cash)
        found |= _first_stage(part, groups[part.name])
    found["node.electricity"] = _worst(_node(inputs, done))
    found |= {
        f"node.{carrier}": _worst(x) for carrier, x in _behind_the_meter(inputs, done).items()
    }
    found["ledger.objective"] = _objective(result, inputs)
    checks = xr.Dataset(found)
    return checks.assign_attrs(verdict_of(checks))


def verdict_of(checks: xr.Dataset) -> dict[str, str | int | float]:
    """Return what the residuals of a replay say: whether all are small, and the largest."""
    found = {str(name): float(x) for name, x in checks.data_vars.items()}
    name = max(found, key=lambda n: found[n])
    worst = f"{name}: {found[name]:.3g} {checks[name].attrs.get('units', '')}"
    passed = all(x <= TOLERANCE for x in found.values())
    return {"passed": int(passed), "worst": worst, "tolerance": TOLERANCE}


def assets(result: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> dict[str, Replay]:
    """Return the replay of every kind of asset.

    Power and room for reserves are in kW on (member, time).
    """
    return assets_with(inputs_of(result, parts), result)


def assets_with(inputs: Inputs, result: xr.DataTree) -> dict[str, Replay]:
    """Return the same for a result whose inputs are known to be these."""
    groups = {name: _with_outputs(inputs, name, result) for name in inputs.data}
    return _asset_replays(inputs, groups)


def _asset_replays(inputs: Inputs, groups: Mapping[str, xr.Dataset]) -> dict[str, Replay]:
    view = View(groups, inputs.calendar, inputs.dt, {})
    some = [p for p, d in inputs if p.stage is Stage.ASSET and d.sizes.get(p.member, 0)]
    return {part.name: part.replay(view, groups[part.name]) for part in some}


def unbacked(result: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> xr.DataArray:
    """Return by how much positions differ from what the plan injects and withdraws, kW on (time).

    It is what `energy.unbacked` has to be for the same positions in open markets.
    """
    inputs = inputs_of(result, parts)
    groups = {name: _with_outputs(inputs, name, result) for name in inputs.data}
    position, none = groups["energy"].position, xr.zeros_like(groups["energy"].position)
    whole: dict[str, Any] = {
        "closed": none,
        "committed": none,
        "sold": position.clip(min=0),
        "bought": (-position).clip(min=0),
    }
    whole |= {name: xr.DataArray(0.0) for name in ("unbacked", "virtual_bidding")}
    groups["energy"] = groups["energy"].drop_vars("turnover", errors="ignore").assign(whole)
    done: dict[str, Replay] = {}
    for part, d in inputs:
        if d.sizes.get(part.member, 1):
            done[part.name] = part.replay(
                View(groups, inputs.calendar, inputs.dt, done), groups[part.name]
            )
    found = [done["energy"].residuals[name] for name in ("backed_sales", "backed_purchases")]
    if "imbalance" in done:
        planned = done["imbalance"].residuals["backed"]
        found.append(planned.max([dim for dim in planned.dims if dim != "time"]))
    return xr.concat(found, "rule", coords="minimal", compat="override").max("rule")


def next_states_of_result(
    result: xr.DataTree, steps: int, parts: Mapping[str, Part] = PARTS
) -> dict[str, dict[str, xr.DataArray]]:
    """Return by part what carries on into a window that starts after `steps` of a plan.

    It is what the `next_state` of each part says.
    """
    inputs = inputs_of(result, parts)
    groups = {name: _with_outputs(inputs, name, result) for name in inputs.data}
    return next_states(inputs, groups, steps)


def next_states(
    inputs: Inputs, groups: Mapping[str, xr.Dataset], steps: int
) -> dict[str, dict[str, xr.DataArray]]:
    """Return the same from inputs and outputs by part."""
    with_state = [
        (p, p.next_state)
        for p, d in inputs
        if p.next_state is not None and d.sizes.get(p.member, 1)
    ]
    if not with_state:
        return {}
    done = _asset_replays(inputs, groups)
    view = View(groups, inputs.calendar, inputs.dt, done)
    return {p.name: dict(next_state(view, groups[p.name], steps)) for p, next_state in with_state}


def _with_outputs(inputs: Inputs, name: str, result: xr.DataTree) -> xr.Dataset:
    """Inputs in coherent units together with the outputs of the file (already coherent: kW,
    kWh).
    """
    group, part = result[name].to_dataset(), inputs.parts[name]
    given = part.schema.inputs
    made = {n: a for n, a in group.data_vars.items() if not any(f.names(str(n)) for f in given)}
    return inputs.data[name].assign(made)


def _first_stage(part: Part, d: xr.Dataset) -> dict[str, xr.Variable]:
    """How far decisions taken before the scenario is known differ between scenarios."""
    found = {}
    for f in part.schema.outputs:
        if f.first_stage and f.name in d and "scenario" in d[f.name].dims:
            spread = d[f.name].max("scenario") - d[f.name].min("scenario")
            spread = spread.where(d[f.first_stage] > 0, 0.0).assign_attrs(units=f.unit)
            found[f"{part.name}.{f.name}_first_stage"] = _worst(spread)
    return found


def _node(inputs: Inputs, done: Mapping[str, Replay]) -> xr.DataArray:
    """What all parts inject and withdraw, in sum: 0 at every step."""
    total: Any = xr.zeros_like(
        xr.DataArray(np.zeros(len(inputs.calendar.time)), coords={"time": inputs.calendar.time})
    )
    for part, replayed in done.items():
        if "electricity" in replayed.power:
            power, member = replayed.power["electricity"].net, inputs.data[part].attrs["member"]
            total = total + (power.sum(member) if member in power.dims else power)
    return abs(total).assign_attrs(units="kW")


def _behind_the_meter(inputs: Inputs, done: Mapping[str, Replay]) -> dict[str, xr.DataArray]:
    """What all parts inject and withdraw of every other carrier, in sum: 0 at every pod and
    step.
    """
    total: dict[str, Any] = {}
    for part, replayed in done.items():
        for carrier in replayed.power.keys() - {"electricity"}:
            net = per_pod(replayed.power[carrier].net, inputs.data[part], inputs.pods)
            total[carrier] = total.get(carrier, 0.0) + net
    return {carrier: abs(net).assign_attrs(units="kW") for carrier, net in sorted(total.items())}


def _worst(residual: xr.DataArray, meaning: str = "worst residual") -> xr.Variable:
    """Return the largest residual; a missing number is as bad as can be."""
    worst = float(residual.to_numpy().max()) if residual.size else 0.0
    worst = np.inf if np.isnan(worst) else worst
    return xr.Variable((), worst, {"units": residual.attrs["units"], "long_name": meaning})


def _cash(ledger: xr.Dataset, name: str, cash: xr.DataArray) -> xr.Variable:
    """Largest difference to the ledger of the file, relative to the largest entry."""
    entry = ledger[name] if name in ledger else xr.DataArray(0.0)
    if not _same_labels(cash, entry):
        # what only one of both has counts in full
        cash, entry = xr.align(cash, entry, join="outer", fill_value=0.0, copy=False)
    gap = (cash.variable - entry.variable).to_numpy()
    scale = max(1.0, float(abs(cash.to_numpy()).max())) if cash.size else 1.0
    relative = xr.DataArray(np.max(abs(gap), initial=0.0) / scale, attrs={"units": "1"})
    return _worst(relative, "ledger entry, relative")


def _same_labels(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Return True where what both have on one dimension has the same labels there."""
    shared = one.indexes.keys() & other.indexes.keys()
    return all(one.indexes[dim].equals(other.indexes[dim]) for dim in shared)


def _objective(result: xr.DataTree, inputs: Inputs) -> xr.Variable:
    """Difference between the objective and the sum of the ledger, relative."""
    total = sum(
        float(scenario_mean(x, inputs.probability).sum())
        for x in result["ledger"].data_vars.values()
    )
    objective = number_of(result, "objective")
    scale = max(1.0, abs(objective)) if np.isfinite(objective) else 1.0
    gap = abs(objective - total) / scale
    return xr.Variable((), gap, {"units": "1", "long_name": "objective less ledger"})


def number_of(result: xr.DataTree, name: str) -> float:
    """Return a number that a result says of itself; infinite where it says none."""
    told = result.attrs.get(name)
    if not isinstance(told, (int, float, np.number)) or not np.isfinite(told):
        return np.inf
    return float(told)


def mean_total(x: xr.DataArray, probability: xr.DataArray | None) -> float:
    """Return the sum over all steps and members, as a mean over scenarios."""
    return float(scenario_mean(x, probability).sum())
