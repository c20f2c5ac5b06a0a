"""What one unit more is worth to a vehicle, found by solving again.

A shadow price is the slope of the profit on one side of a kink, and a solver may return either: it
bounds what a unit more earns, and no more. A second solve tells it.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...errors import SchemaError
from ...model.inputs import DATA_GROUPS, RESULT_GROUPS, Inputs
from ...solve.assembly import assemble_model
from ...solve.blocks import components
from ...solve.solve import solve
from ...solve.solver import by_variable, matrix_of
from .plan_facts import Plan

LARGE = 20_000
"""Rows of a fleet times steps; beyond, a solve takes seconds, and only bounds are told."""


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A vehicle, with all that is coupled to it, ready to be solved again."""

    plan: Plan
    case: xr.DataTree
    label: object
    objective: float

    @classmethod
    def of(cls, plan: Plan, position: int) -> "WhatIf | None":
        """Return None where a second solve would not tell more than the shadow prices, or too late.

        That is so without shadow prices, with scenarios (each has its own), with binaries (what is
        switched stays as it is), where a limit stopped the solver, and where it takes long.
        """
        exact = plan.explained and str(plan.attrs.get("status")) == "optimal"
        if not exact or plan.calendar.scenario is not None or plan.binaries:
            return None
        label = plan.groups["fleet"].indexes["fleet"][position]
        coupled = _coupled(plan.inputs, label)
        if len(coupled) * len(plan.calendar.time) > LARGE:
            return None
        case = _only(plan.case, coupled)
        try:
            again = solve(case, audit=False, parts=plan.parts)
        except SchemaError:  # another group names a vehicle that was left out
            case = _only(plan.case, [*plan.groups["fleet"].indexes["fleet"]])
            again = solve(case, audit=False, parts=plan.parts)
        if again.attrs["binaries"]:
            return None
        return cls(plan, case, label, float(again.attrs["objective"]))

    def gain(self, field: str, change: np.ndarray) -> float:
        """Return what a change of a field of the vehicle earns (EUR); `change` is on time."""
        here, given = self.case["fleet"].to_dataset(), self.plan.groups["fleet"][field]
        unit = next(f.unit for f in self.plan.parts["fleet"].schema.inputs if f.name == field)
        if "fleet" in given.dims:
            given = given.sel(fleet=here["fleet"])
        mine = xr.where(here["fleet"] == self.label, 1.0, 0.0)
        more = given + mine * xr.DataArray(change, coords={"time": self.plan.calendar.time})
        case = self.case.copy()
        changed = more.transpose("fleet", "time").assign_attrs(units=unit)
        case["fleet"] = case["fleet"].assign({field: changed})
        again = solve(case, audit=False, parts=self.plan.parts)
        return float(again.attrs["objective"]) - self.objective


def _coupled(inputs: Inputs, label: object) -> list[object]:
    """Return the vehicles that share a limit that can bind with this one, itself among them."""
    model = assemble_model(inputs).model
    matrix = matrix_of(model)
    block = components(matrix).astype(float)
    of_member = [x for x in by_variable(model, matrix, block).values() if "fleet" in x.dims]
    mine = {k for x in of_member for k in np.unique(x.sel(fleet=label)) if k >= 0}
    together = {label}
    for x in of_member:
        shared = x.isin([*mine]).any([d for d in x.dims if d != "fleet"])
        together |= {*shared["fleet"].to_numpy()[shared.to_numpy()]}
    return [other for other in inputs.data["fleet"].indexes["fleet"] if other in together]


def _only(result: xr.DataTree, members: list[object]) -> xr.DataTree:
    """Return the case of a result with some of its vehicles."""
    case = result.copy()
    for group in (*RESULT_GROUPS, *DATA_GROUPS):
        if group in case.children:
            del case[group]
    case["fleet"] = xr.DataTree(
        result.children["fleet"].to_dataset(inherit=False).sel(fleet=members)
    )
    return case
