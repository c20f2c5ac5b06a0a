"""Whether the prices of a written result are its own, and prove that no plan is better: by duality,
without solving again.

With y the shadow prices of the rows and z = c - A'y the reduced costs, no plan that keeps the rows
and bounds earns more than

    D = sum_i max(y_i lower_i, y_i upper_i) + sum_j max(z_j lower_j, z_j upper_j),

the bound of weak duality (Bertsimas & Tsitsiklis, Introduction to Linear Optimization, 1997, §4.3).
A plan that keeps them and earns D is the best, and y is what a unit more is worth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from ..algebra import linopy_adapter
from ..case.schema import worst_violation
from ..errors import Problem
from ..model.inputs import Inputs
from . import complementarity
from .assembly import Built
from .audit import TOLERANCE, mean_total, number_of
from .solver import Matrix, matrix_of

GROUPS = ("price", "dual", "reduced_cost")
_CLAIMS = ("status", "mip_gap")
_WITHOUT = "there are no shadow prices to prove them by"
_BINARIES = "of a plan with binaries they are checked against each other only"
_BOUNDED = "vehicles were planned one by one, and have no shadow prices; the bound stands for them"
_BY_BOUND = {
    "oracle": _BOUNDED,
    "decompose": _BOUNDED,
    "sites": "sites were planned one by one; the bound in /decomposition stands for shadow prices",
}
_FIXED = "a plan was held fixed, or the file does not say that none was"


@dataclass(frozen=True)
class Proof:
    """What shadow prices say of a plan: faults, and what they cannot tell, with the reason."""

    problems: tuple[Problem, ...] = ()
    unchecked: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Grid:
    """Where numbers of one name stand: in the result, labels of each axis, and in the model from
    which of its labels on, and to before which.
    """

    place: str
    indexes: Mapping[str, pd.Index]
    range: tuple[int, int]


def with_flags_of(inputs: Inputs, result: xr.DataTree) -> Inputs:
    """Return inputs whose parts write the binaries against charging and discharging at once that
    the solve of a result has added: those that have a reduced cost.
    """
    reduced = result["reduced_cost"].to_dataset() if "reduced_cost" in result.children else {}
    flags = {}
    for name, d in inputs.data.items():
        for path in complementarity.PATHS:
            binary = complementarity.direction(name, path).binary
            if binary in reduced and not faulty_indexes(result, *GROUPS):
                some = reduced[binary].notnull()
                some = some.any([dim for dim in some.dims if dim == "scenario"])
                known = {dim: x for dim, x in d.indexes.items() if dim in some.dims}
                flags[name, path] = some.reindex(known, fill_value=False)
    return complementarity.with_flags(inputs, {k: x for k, x in flags.items() if bool(x.any())})


def faulty_indexes(result: xr.DataTree, *groups: str) -> list[Problem]:
    """Return every axis of some groups on which a label stands more than once."""
    return [
        Problem(f"{group}.{dim}", "labels", "a label appears more than once")
        for group in groups
        if group in result.children
        for dim, index in result[group].to_dataset().indexes.items()
        if index.has_duplicates
    ]


def prove(inputs: Inputs, result: xr.DataTree, built: Built) -> Proof:
    """Check prices, duals and reduced costs against the model of the case, and with them the claim
    that no plan is better.

    Parameters
    ----------
    inputs : Inputs
        Those of the result.
    result : xarray.DataTree
        A result whose plan keeps its limits and whose ledger is right: the replay says so.
    built : Built
        The model of these inputs, with the binaries that the solve has added.

    Returns
    -------
    Proof
        Reduced costs that are not those of the shadow prices, and a plan that earns less than these
        allow; names of what could not be proven, each with the reason.
    """
    if (reason := _BY_BOUND.get(str(result.attrs.get("method")))) is not None:
        return Proof(unchecked=dict.fromkeys([*_CLAIMS, *GROUPS], reason))
    missing = [group for group in GROUPS if group not in result.children]
    if len(missing) == len(GROUPS) or not missing and _all_missing(result):
        some = [group for group in GROUPS if group in result.children]
        return Proof(unchecked=dict.fromkeys([*_CLAIMS, *some], _WITHOUT))
    if missing:
        detail = "missing: prices, duals and reduced costs belong together"
        return Proof(tuple(Problem(group, "missing", detail) for group in missing))

    if twice := faulty_indexes(result, *GROUPS):
        return Proof(tuple(twice))

    matrix = matrix_of(built.model)
    prices, faults = _prices_by_row(inputs, result)
    y, more = _rows(built.model, matrix, prices)
    reduced = {str(n): x for n, x in result["reduced_cost"].to_dataset().data_vars.items()}
    z, less = _columns(built.model, matrix, reduced)
    if problems := [*faults, *more, *less]:
        return Proof(tuple(problems))

    own = matrix.cost - matrix.a.T @ y
    if problems := _not_their_own(built.model, matrix, z, own, inputs):
        return Proof(tuple(problems))
    if not matrix.is_lp:
        return Proof(unchecked=dict.fromkeys([*_CLAIMS, *GROUPS], _BINARIES))
    return _claims(inputs, result, _room(inputs, result, built, matrix, y, own))


def _all_missing(result: xr.DataTree) -> bool:
    """Return True where a solve had no time, or no way, to find prices."""
    arrays = [x for g in GROUPS for x in result[g].to_dataset().data_vars.values()]
    return all(x.dtype.kind == "f" and bool(x.isnull().all()) for x in arrays)


def _prices_by_row(
    inputs: Inputs, result: xr.DataTree
) -> tuple[dict[str, xr.DataArray], list[Problem]]:
    """Return what a unit more on the right of each row is worth (EUR), from prices per MWh of a
    scenario and from the duals.
    """
    price, dual = result["price"].to_dataset(), result["dual"].to_dataset()
    by_row = {str(name): x for name, x in dual.data_vars.items()}
    words = [f"price.{n}" for n, x in price.data_vars.items() if x.dtype.kind != "f"]
    words += [f"dual.{n}" for n, x in by_row.items() if x.dtype.kind != "f"]
    if words:
        return {}, [Problem(name, "type", "holds no numbers") for name in words]

    weight = inputs.dt * inputs.weight(by_row)
    problems = []
    for name, x in price.data_vars.items():
        units = f"{inputs.calendar.currency}/MWh"
        if x.attrs.get("units") != units:
            detail = f"unit {x.attrs.get('units')!r}, needs {units}"
            problems.append(Problem(f"price.{name}", "unit", detail))
        worth = x * weight / 1000.0
        if isinstance(weight, xr.DataArray):  # a scenario that does not count has no price
            idle = weight.isnull()
            if bool((x.notnull() & idle).any()):
                detail = "has a price in a scenario that does not count"
                problems.append(Problem(f"price.{name}", "audit", detail))
            worth = worth.where(~idle, 0.0)
        by_row[f"node.{name}"] = worth
    if "node.market" not in by_row and "node.electricity" in by_row:
        # nothing is traded, and what is exchanged is worth the same on both sides
        by_row["node.market"] = by_row["node.electricity"].isel(pod=0, drop=True)
    return by_row, problems


def _rows(
    model: linopy.Model, matrix: Matrix, arrays: Mapping[str, xr.DataArray]
) -> tuple[np.ndarray, list[Problem]]:
    """Return one number per row of the matrix."""
    grids = {
        str(name): _Grid(_place_of_row(str(name)), dict(x.indexes), x.range)
        for name, x in model.constraints.items()
    }
    size = linopy_adapter.row_labels(model)
    return _by_label(grids, arrays, matrix.row_labels, size, "dual")


def _place_of_row(name: str) -> str:
    """Return where a result holds the shadow prices of some rows."""
    return f"price.{name.removeprefix('node.')}" if "node." in name else f"dual.{name}"


def _columns(
    model: linopy.Model, matrix: Matrix, arrays: Mapping[str, xr.DataArray]
) -> tuple[np.ndarray, list[Problem]]:
    """Return one number per column of the matrix."""
    grids = {
        str(name): _Grid(
            f"reduced_cost.{name}", {str(dim): x.indexes[dim] for dim in x.dims}, x.range
        )
        for name, x in model.variables.items()
    }
    size = linopy_adapter.variable_labels(model)
    return _by_label(grids, arrays, matrix.column_labels, size, "reduced_cost")


def _by_label(
    grids: Mapping[str, _Grid],
    arrays: Mapping[str, xr.DataArray],
    labels: np.ndarray,
    size: int,
    group: str,
) -> tuple[np.ndarray, list[Problem]]:
    """Return one number for each label that the matrix has, from arrays by name; and what does not
    fit on its grid.
    """
    values, exists, problems = np.full(size, np.nan), np.zeros(size, bool), []
    exists[labels] = True
    for name, grid in grids.items():
        here = slice(*grid.range)
        if not exists[here].any():
            continue
        if name not in arrays:
            problems.append(Problem(grid.place, "missing", "missing"))
            continue
        laid, fault = _laid_out(arrays[name], grid, exists[here])
        problems += fault
        if not fault:
            values[here] = laid
    strange = [name for name in arrays if name not in grids]
    problems += [
        Problem(f"{group}.{n}", "unknown", "belongs to nothing of this case") for n in strange
    ]
    return values[labels], problems


def _laid_out(x: xr.DataArray, grid: _Grid, exists: np.ndarray) -> tuple[np.ndarray, list[Problem]]:
    """Return an array on a grid, flat; or what is wrong with it. `exists` is True where the model
    has something.
    """
    if x.dtype.kind != "f":
        return np.zeros(0), [Problem(grid.place, "type", f"holds {x.dtype}, needs numbers")]
    if set(x.dims) != set(grid.indexes):
        has, needs = (", ".join(map(str, dims)) or "none" for dims in (x.dims, grid.indexes))
        detail = f"has the dimensions {has}, needs {needs}"
        return np.zeros(0), [Problem(grid.place, "dims", detail)]
    laid = x.reindex(grid.indexes).transpose(*grid.indexes).to_numpy().ravel()
    there, needed = int(np.isfinite(x.to_numpy()).sum()), int(exists.sum())
    if there != needed or not np.isfinite(laid[exists]).all():
        detail = f"{there} numbers in the file, {needed} belong to this case"
        return np.zeros(0), [Problem(grid.place, "nan", detail)]
    return laid, []


def _not_their_own(
    model: linopy.Model, matrix: Matrix, z: np.ndarray, own: np.ndarray, inputs: Inputs
) -> list[Problem]:
    """Return where a reduced cost is not what the shadow prices of the rows make of it."""
    off = abs(z - own) > TOLERANCE * np.maximum(1.0, np.maximum(abs(z), abs(own)))
    problems = []
    for name, x in model.variables.items() if off.any() else ():
        start, end = x.range
        mine = (matrix.column_labels >= start) & (matrix.column_labels < end)
        if not (mine & off).any():
            continue
        found, told, wrong = np.zeros((3, end - start))
        at = matrix.column_labels[mine] - start
        found[at], told[at], wrong[at] = own[mine], z[mine], off[mine]
        on_grid = [xr.DataArray(v.reshape(x.shape), x.coords, x.dims) for v in (told, found, wrong)]
        place, number = worst_violation(on_grid[0], on_grid[2] > 0, inputs.calendar)
        detail = f"{place}{number:.6g} in the file is not what /price and /dual make of it"
        problems.append(Problem(f"reduced_cost.{name}", "audit", detail))
    return problems


def _room(
    inputs: Inputs,
    result: xr.DataTree,
    built: Built,
    matrix: Matrix,
    y: np.ndarray,
    z: np.ndarray,
) -> tuple[float, float]:
    """Return how much more than the plan the shadow prices allow (EUR), and how much of it is
    rounding.
    """
    nothing = np.zeros(linopy_adapter.variable_labels(built.model))
    constant = sum(
        mean_total(x if isinstance(x, xr.DataArray) else x.value(nothing), inputs.probability)
        for x in built.ledger.values()
    )
    ledger = result["ledger"].to_dataset().data_vars.values()
    earned = sum(mean_total(x, inputs.probability) for x in ledger) - constant
    most = np.concatenate(
        [
            _most(y, matrix.row_lower, matrix.row_upper),
            _most(z, matrix.lower, matrix.upper),
        ]
    )
    return float(most.sum()) - earned, TOLERANCE * max(1.0, float(abs(most).sum()))


def _most(worth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """max worth x over lower <= x <= upper; a residue counts nothing where x has no end."""
    end = np.where(worth > 0, upper, lower)
    counts = (worth != 0) & (np.isfinite(end) | (abs(worth) > TOLERANCE))
    return np.multiply(worth, end, out=np.zeros(len(worth)), where=counts)


def _claims(inputs: Inputs, result: xr.DataTree, room: tuple[float, float]) -> Proof:
    """Return whether a file says of its plan what its prices prove."""
    more, rounding = room
    status, gap = result.attrs.get("status"), number_of(result, "mip_gap")
    if abs(more) <= rounding:
        wrong = []
        if status != "optimal":
            detail = f"{status!r} in the file, but its shadow prices prove that no plan is better"
            wrong.append(Problem("status", "audit", detail))
        if not 0.0 <= gap <= TOLERANCE:
            detail = f"{result.attrs.get('mip_gap')!r} in the file, 0 by its shadow prices"
            wrong.append(Problem("mip_gap", "audit", detail))
        return Proof(tuple(wrong))
    if result.attrs.get("fixed") != "":
        return Proof(unchecked=dict.fromkeys([*_CLAIMS, *GROUPS], _FIXED))
    detail = (
        f"{status!r} in the file, but its shadow prices allow {more:.6g}"
        f" {inputs.calendar.currency} more: the plan is not the best, or /price and /dual are not"
        " its own"
    )
    return Proof((Problem("status", "audit", detail),))


def names_by_reason(unchecked: Mapping[str, str]) -> str:
    """Return names with their reasons, as `status, mip_gap (why); title (why)`."""
    names: dict[str, list[str]] = {}
    for name, reason in unchecked.items():
        names.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(some)} ({reason})" for reason, some in names.items())
