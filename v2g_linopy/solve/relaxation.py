"""The least by which limits would have to give way, in the quantities of the user.

Every limit gets a slack. The largest slack of each limit of each member over time is made small,
and as a tie-break all of them: what is then told for the worst step works in all. Markets and rules
give way first, then needs and plans that are held, then what assets can do. Balances stay.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from ..errors import SolveError
from ..model.inputs import Inputs
from ..model.part import Part, Stage
from . import blocks, solver
from .solver import Matrix, Settings

_SMALL = 1e-6
_TIE = 1e-4  # what a slack counts beside the largest of its limit
_HELD = "held"


@dataclass(frozen=True)
class _Limit:
    """A kind of limit that may give way: bounds of a variable, or inequalities."""

    name: str  # part.variable or part.row
    is_bound: bool
    part: Part
    places: np.ndarray  # columns or rows of the matrix
    members: np.ndarray  # for each of them a number for its member, whatever the step


def least_relaxation(
    inputs: Inputs, settings: Settings, assemble: Callable[[Inputs], Any], assets: bool
) -> list[str]:
    """Say which limits would have to give way, by how much at least; empty where balances clash.

    Parameters
    ----------
    inputs : Inputs
        The validated case.
    settings : Settings
        Solver settings.
    assemble : callable
        Builds the model of inputs.
    assets : bool
        Whether needs, plans that are held and limits of assets may give way as well.

    Returns
    -------
    list of str
        A sentence for each limit of each member: what is allowed, what is needed, in which step,
        and what would work. All of them together admit a plan.
    """
    model = assemble(inputs).model
    matrix = solver.matrix_of(model)
    limits = list(_limits(model, matrix, inputs))
    outside = ((Stage.MARKET, Stage.RULE),)
    for stages in (("rows", *Stage), ("all", *Stage)) if assets else outside:
        some = [x for x in limits if _may_give(x, stages)]
        if not some:
            continue
        try:
            slack = _solved(matrix, some, settings)
        except SolveError as error:
            if "infeasible" not in error.status:
                return []
            continue
        return [line for x in some for line in _lines(x, slack[x.name], model, matrix, inputs)]
    return []


def _may_give(limit: _Limit, stages: tuple[object, ...]) -> bool:
    """Whether a limit may give way: assets come after markets and rules, bounds after rows."""
    if limit.part.stage not in stages:
        return False
    first = limit.part.stage is not Stage.ASSET or not limit.is_bound or _HELD in limit.name
    return "all" in stages or first


def _limits(model: linopy.Model, matrix: Matrix, inputs: Inputs) -> Iterator[_Limit]:
    """Every kind of limit: finite bounds but 0 from below, and inequalities but balances."""
    bounded = np.isfinite(matrix.upper) | (np.isfinite(matrix.lower) & (matrix.lower != 0))
    bounded &= ~matrix.integer
    held = matrix.lower == matrix.upper
    for name, x in model.variables.items():
        part = inputs.parts.get(str(name).partition(".")[0])
        if part is None:
            continue
        own, members = _positions(x.labels, matrix.column_labels)
        for suffix, chosen in (("", ~held[own]), (f" {_HELD}", held[own])):
            here = bounded[own] & chosen
            if here.any():
                yield _Limit(f"{name}{suffix}", True, part, own[here], members[here])
    one_sided = matrix.row_lower != matrix.row_upper
    for name, rows in model.constraints.items():
        owner, _, row = str(name).partition(".")
        part = inputs.parts.get(owner)
        if part is None or part.is_balance(row):
            continue
        own, members = _positions(rows.labels, matrix.row_labels)
        here = one_sided[own]
        if here.any():
            yield _Limit(str(name), False, part, own[here], members[here])


def _positions(labels: xr.DataArray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the matrix of what has a label, and numbers of their members."""
    dims = [d for d in labels.dims if d not in ("time", "scenario")]
    sizes = [labels.sizes[d] for d in dims]
    number = xr.DataArray(np.arange(int(np.prod(sizes))).reshape(sizes), dims=dims)
    members = (number + xr.zeros_like(labels).reset_coords(drop=True)).transpose(*labels.dims)
    own, order = np.asarray(labels).ravel(), np.argsort(known)
    there = own >= 0
    found = order[np.searchsorted(known, own[there], sorter=order)]
    return found, np.asarray(members).ravel()[there]


def _solved(matrix: Matrix, limits: list[_Limit], settings: Settings) -> dict[str, np.ndarray]:
    """Return the slack of each limit, negative below a lower one, of the least relaxation."""
    n_rows, n_columns = matrix.a.shape
    rows, columns = (
        np.concatenate([np.zeros(0, int), *(x.places for x in limits if x.is_bound == bound)])
        for bound in (False, True)
    )
    ordered = [x for x in limits if not x.is_bound] + [x for x in limits if x.is_bound]
    starts = np.cumsum([0, *(len(x.places) for x in ordered)])
    numbers = [x.members + 1 for x in ordered]  # the members of each kind of limit after another
    offset = np.cumsum([0, *(int(n.max()) for n in numbers)])
    group = np.concatenate([n - 1 + o for n, o in zip(numbers, offset, strict=False)])
    n_slack, n_groups = len(group), int(offset[-1])

    # A x + more - less within its limits; bounds as rows; more + less at most the largest of all
    a = sp.vstack([sp.csr_array(matrix.a), _units(np.arange(len(columns)), columns, n_columns)])
    slack = _units(np.arange(n_slack), np.arange(n_slack), n_slack)
    softened = np.concatenate([rows, n_rows + np.arange(len(columns))])
    unit = sp.csr_array(
        (np.ones(n_slack), (softened, np.arange(n_slack))), shape=(a.shape[0], n_slack)
    )
    largest = _units(np.arange(n_slack), group, n_groups)
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    lower[columns], upper[columns] = np.where(lower[columns] >= 0, 0.0, -np.inf), np.inf
    added = 2 * n_slack + n_groups
    relaxed = Matrix(
        sp.block_array([[a, unit, -unit, None], [None, slack, slack, -largest]]).tocsc(),
        np.concatenate([matrix.row_lower, matrix.lower[columns], np.full(n_slack, -np.inf)]),
        np.concatenate([matrix.row_upper, matrix.upper[columns], np.zeros(n_slack)]),
        np.concatenate([np.zeros(n_columns), np.full(2 * n_slack, -_TIE), np.full(n_groups, -1.0)]),
        np.concatenate([lower, np.zeros(added)]),
        np.concatenate([upper, np.full(added, np.inf)]),
        np.concatenate([matrix.integer, np.zeros(added, bool)]),
    )
    primal = blocks.solve_with_highs(relaxed, settings).primal
    more, less = np.split(primal[n_columns : n_columns + 2 * n_slack], 2)
    cut = np.split(less - more, starts[1:-1])
    return {x.name: found for x, found in zip(ordered, cut, strict=True)}


def _units(row: np.ndarray, column: np.ndarray, width: int) -> sp.csr_array:
    """Return a matrix with a one in each row."""
    return sp.csr_array((np.ones(len(row)), (row, column)), shape=(len(row), width))


def _lines(
    limit: _Limit, slack: np.ndarray, model: linopy.Model, matrix: Matrix, inputs: Inputs
) -> list[str]:
    """Return a sentence for each member whose limit gives way: its worst step, and how many."""
    worst: dict[str, list[tuple[float, dict[str, Any], float]]] = {}
    for k in np.flatnonzero(abs(slack) > _SMALL):
        place = limit.places[k]
        if limit.is_bound:
            label = int(matrix.column_labels[place])
            found: Any = model.variables.get_label_position(label)
            low, high = matrix.lower[place], matrix.upper[place]
        else:
            found = model.constraints.get_label_position(int(matrix.row_labels[place]))
            low, high = matrix.row_lower[place], matrix.row_upper[place]
        where = dict(found[1])
        member = ", ".join(str(v) for d, v in where.items() if d not in ("time", "scenario"))
        bound = float(high if slack[k] > 0 else low)
        worst.setdefault(member, []).append((float(slack[k]), where, bound))
    return [_sentence(limit, member, cells, inputs) for member, cells in worst.items()]


def _sentence(
    limit: _Limit, member: str, cells: list[tuple[float, dict[str, Any], float]], inputs: Inputs
) -> str:
    """Return what is allowed, what is needed, and what would work."""
    slack, where, bound = max(cells, key=lambda cell: abs(cell[0]))
    name = limit.name.removesuffix(f" {_HELD}").partition(".")[2]
    what = limit.part.limit_label(name)
    who = f"{limit.part.member_label or limit.part.name} {member}".strip()
    if limit.part.member == "pod":
        who = f"pod {member}"
    step = ""
    if "time" in where:
        stamp = inputs.calendar.local(pd.Timestamp(where["time"]))
        hour = (pd.Timestamp(where["time"]) - inputs.calendar.time[0]) / pd.Timedelta(hours=1)
        step = f" in the step {stamp} (hour {hour:g})"
    if len(cells) > 1:
        step += f" ({len(cells)} steps in all; this is the worst)"
    field = _field(limit, name, where, bound, inputs)
    unit = _unit(limit, name, field)
    needed = bound + slack
    there = "in these steps" if len(cells) > 1 else "there"
    larger = abs(needed) > abs(bound)
    every = [abs(b + x) for x, _, b in cells]
    works = _rounded(max(every), up=True) if larger else _rounded(min(every), up=False)
    given = f"{limit.part.name}.{field}" if field else "it"
    remedy = f"; what would work: {given} of {works} {unit} {there}"
    if limit.name.endswith(_HELD):
        return (
            f"{who}: {name.rstrip('_')} is held at {bound:.6g} {unit}, and {needed:.6g} {unit} can"
            f" be kept{step}{remedy}"
        )
    if limit.is_bound or field:
        verb = "are needed" if larger else "can be kept"
        return (
            f"{who}: {what} is {abs(bound):.6g} {unit}, and {abs(needed):.6g} {unit} {verb}"
            f"{step}{remedy if field else ''}"
        )
    return f"{who}: {what} is missed by {abs(slack):.6g} {unit}".rstrip() + step


def _rounded(value: float, *, up: bool) -> str:
    """Return six figures of a number, on the side that still works."""
    if abs(value) <= _SMALL:
        return "0"
    unit = 10.0 ** (np.floor(np.log10(value)) - 5)
    figures = value / unit
    return f"{unit * (np.ceil(figures - 1e-3) if up else np.floor(figures + 1e-3)):.6g}"


def _unit(limit: _Limit, name: str, field: str) -> str:
    """Return the unit of a limit, where its field or its output has one."""
    schema = limit.part.schema
    for declared in (*schema.inputs, *schema.outputs):
        if declared.name in (field, name):
            return declared.unit
    return ""


def _field(limit: _Limit, name: str, where: Mapping[str, Any], bound: float, inputs: Inputs) -> str:
    """Return the input of the part that has the value of the limit there, by name if several do."""
    data, outputs = inputs.data[limit.part.name], {f.name: f for f in limit.part.schema.outputs}
    found = []
    for field in limit.part.schema.inputs:
        if field.kind != "quantity" or field.name not in data:
            continue
        if limit.is_bound and name in outputs and field.unit != outputs[name].unit:
            continue
        x = data[field.name]
        here = x.sel({d: v for d, v in where.items() if d in x.dims})
        if here.ndim == 0 and abs(abs(float(here)) - abs(bound)) <= 1e-9 * max(1.0, abs(bound)):
            found.append(field.name)
    if not limit.is_bound and len(found) != 1:
        return ""
    if limit.name.endswith(_HELD) and "committed" in found:
        return "committed"
    return max(found, key=lambda f: len(commonprefix([f, name])), default="")
