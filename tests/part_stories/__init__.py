"""What every part has to show: each entry of its ledger and each limit of its replay, by hand.

A story is a case at half-hours with a plan that is held fixed. `cash` is each entry in sum (EUR).
`broken` has results that break just one limit: what is changed in the result, and by how much the
replay has to find that limit broken; all others must still hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr
from cases import MEMBER, case

import v2g_linopy as v2g
from v2g_linopy.case.schema import Field
from v2g_linopy.solve.merge import is_extensive

Change = Callable[[xr.DataArray], xr.DataArray]
Changes = Mapping[str, Change]


@dataclass(frozen=True)
class Broken:
    """One limit that a changed result breaks, by how much, and what it cannot but break as well."""

    limit: str
    changes: Changes
    amount: float
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """A case with a fixed plan, the cash of its parts, and ways to break its limits one by one."""

    given: Callable[[], xr.DataTree]
    plan: Mapping[str, Any]
    cash: Mapping[str, float] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()

    def solved(self, size: float = 1.0) -> xr.DataTree:
        """The result of holding the plan; a list is one number for each step, of each member.

        With a `size` it is that of the same case with so much as large members and limits.
        """
        tree = self.given()
        axes = {"time": tree["time"].to_index()}
        fix = {}
        for name, x in self.plan.items():
            part, _, output = name.partition(".")
            if isinstance(x, Mapping):
                steps = axes if isinstance([*x.values()][0], list) else {}
                fix[name] = xr.DataArray([*x.values()], coords={MEMBER[part]: list(x)} | steps)
            else:
                fix[name] = xr.DataArray(x, coords=axes if isinstance(x, list) else None)
            if grows(v2g.PARTS[part].schema.outputs, output):
                fix[name] = fix[name] * size
        return v2g.solve(tree if size == 1.0 else sized(tree, size), fix=fix or None)


def half_hours(*parts: Any, **more: Any) -> Callable[[], xr.DataTree]:
    """A case of half-hours from Monday 2026-01-05 00:00 UTC on, made when it is needed."""
    return lambda: case(*parts, step="30min", **more)


def plus(amount: float, **labels: Any) -> Change:
    """So much more in the cells that are named: by label, or `time` by number from 0."""

    def change(x: xr.DataArray) -> xr.DataArray:
        here = xr.ones_like(x)
        for dim, label in labels.items():
            at = x[dim].to_index()
            chosen = at[label] if dim == "time" else label
            here = here * xr.DataArray((at == chosen).astype(float), coords={dim: at}, dims=dim)
        return (x + amount * here).transpose(*x.dims)

    return change


def sized(tree: xr.DataTree, size: float) -> xr.DataTree:
    """A case with so much as large members and limits, at the same prices."""
    new = tree.copy()
    for part in tree.children:
        arrays, fields = tree[part].to_dataset(), v2g.PARTS[part].schema.inputs
        larger = {n: x * size for n, x in arrays.data_vars.items() if grows(fields, str(n))}
        new[part] = arrays.assign(larger)
    return new


def grows(fields: tuple[Field, ...], name: str) -> bool:
    """Whether a quantity doubles when everything does."""
    return any(f.names(name) and is_extensive(f) for f in fields)


def both(one: Change, other: Change) -> Change:
    """One change after the other."""
    return lambda x: other(one(x))


def to(*values: float) -> Change:
    """These numbers, in the order of the cells."""

    def change(x: xr.DataArray) -> xr.DataArray:
        return x.copy(data=xr.DataArray(list(values)).to_numpy().reshape(x.shape))

    return change


def changed(result: xr.DataTree, changes: Changes) -> xr.DataTree:
    """A copy of a result with other numbers; its objective stays the sum of its ledger."""
    new = result.copy()
    for name, change in changes.items():
        group, _, array = name.partition(".")
        dataset = new[group].to_dataset()
        before = _whole(dataset, group, array)
        new[group] = dataset.assign({array: change(before).assign_attrs(before.attrs)})
        if group == "ledger":
            weight = result["probability"] if "scenario" in before.dims else 1.0
            new.attrs["objective"] += float(((new[group][array] - before) * weight).sum())
    return new


def _whole(dataset: xr.Dataset, group: str, name: str) -> xr.DataArray:
    """An array with a cell for each member and step that it may differ by; the default of an input
    that the case leaves out.
    """
    known = {f.name: f for f in v2g.PARTS[group].schema.inputs} if group in v2g.PARTS else {}
    if name not in known:
        return dataset[name]
    x = dataset[name] if name in dataset else xr.DataArray(known[name].default)
    axes = [
        dataset[dim]
        for dim in known[name].dims.split()
        if dim in dataset.dims and dim not in x.dims
    ]
    return xr.broadcast(x, *axes)[0].assign_attrs(x.attrs)
