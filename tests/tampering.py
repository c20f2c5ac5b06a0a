"""Change one number of a result, and audit what comes out."""

import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.model.inputs import Inputs, inputs_of
from v2g_linopy.solve.audit import replay_with

READ: list[tuple[xr.DataTree, Inputs]] = []  # the inputs of results that were audited before


def tampered(result: xr.DataTree, name: str, change: float) -> xr.DataTree:
    """Return a copy in which the last number of one array is another; `name` as in
    `ledger.battery.wear`.
    """
    changed = result.copy()
    group, _, quantity = name.partition(".")
    array = changed[group][quantity].copy()
    array[..., -1] = array[..., -1] + change
    changed[group] = changed[group].to_dataset().assign({quantity: array})
    return changed


def replaced(result: xr.DataTree, name: str, step: int, value: float) -> xr.DataTree:
    """Return a copy in which every member of one array has another number in one step."""
    changed = result.copy()
    group, _, quantity = name.partition(".")
    array = changed[group][quantity].copy()
    array[..., step] = value
    changed[group] = changed[group].to_dataset().assign({quantity: array})
    return changed


def audit_of_tampered(result: xr.DataTree, name: str, change: float) -> xr.Dataset:
    """Return what `replay` finds where the last number of an output is another."""
    return _audited(result, name, tampered(result, name, change))


def audit_of_replaced(result: xr.DataTree, name: str, step: int, value: float) -> xr.Dataset:
    """Return what `replay` finds where an output has another number in one step."""
    return _audited(result, name, replaced(result, name, step, value))


def _audited(result: xr.DataTree, name: str, changed: xr.DataTree) -> xr.Dataset:
    """Audit a changed copy of a result, whose inputs are read once unless one of them changed."""
    group, _, output = name.partition(".")
    given = v2g.PARTS[group].schema.inputs if group in v2g.PARTS else ()
    if any(f.names(output) for f in given):
        return v2g.replay(changed)
    inputs = next((known for one, known in READ if one is result), None)
    if inputs is None:
        inputs = inputs_of(result, v2g.PARTS)
        READ.append((result, inputs))
    return replay_with(inputs, changed)
