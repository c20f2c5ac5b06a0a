"""Every private name of linopy that this package uses; no other file may touch one.

Read in linopy 0.10.1. `tests/algebra/test_linopy_adapter.py` states what is expected of each name,
and says which one has changed when a new linopy breaks it.

What is used, and why the public names do not do:

* `Model._xCounter`, `Model._cCounter`: how many labels variables and rows have been given; a vector
  by label has that length.
* `Model._allocate_labels` and the dataset of a variable (`lower`, `upper`, `scaling`, `labels`):
  `Model.add_variables` aligns and copies bounds that are on their labels already, which takes four
  times as long as the rest.
* `CSRConstraint` and `csr.Grid`: rows that are written as a sparse matrix, without a dense form in
  between; `_csr`, `_rhs`, `_sign`, `_grid`, `active_positions`, `active_labels` read them back as
  they are.
* `variables.label_index` (`vlabels`, `label_to_pos`): from labels to columns.
* `to_matrix_with_rhs`: the rows of a constraint that linopy itself wrote.
* the dataset of an expression (`vars`, `coeffs`, `const`, `_term`), which is how one is made.
* `options["semantics"]`: the arithmetic in which labels must be equal.
* `monkey_patch_xarray._LINOPY_TYPES`: for these types an operator of xarray leaves the work to the
  other side, so that `array * expression` is an expression.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr
from linopy import monkey_patch_xarray
from linopy.constraints import CSRConstraint
from linopy.csr import Grid

READ_IN = "0.10.1"  # the version of linopy in which all of this was read
_TERM = "_term"  # the dimension along which linopy keeps the terms of a row


@dataclass(frozen=True)
class Rows:
    """Rows of one name: left (sign) rhs, columns by the label of a variable."""

    matrix: sp.csr_array
    positions: np.ndarray  # where each row is on the grid of labels
    rhs: np.ndarray
    sign: str


@dataclass(frozen=True)
class SolverRows:
    """Rows as a solver takes them: columns by label, the label of each row, rhs, sign."""

    matrix: sp.csr_array
    labels: np.ndarray
    rhs: np.ndarray
    sign: np.ndarray  # "<", ">" or "=", one for all rows or one for each


class StandIn(ABC):
    """What takes the place of a model while something is written.

    It gives the variables of that model, and notes what would become of them.
    """

    def __init__(self, model: linopy.Model):
        self.variables, self._xCounter = model.variables, model._xCounter

    @abstractmethod
    def add_variables(self, *bounds: Any, **options: Any) -> linopy.Variable:
        """Note bounds, and return the variable that stands."""

    @abstractmethod
    def add_constraints(self, rows: CSRConstraint, name: str = "") -> Any:
        """Note rows."""


Target = linopy.Model | StandIn  # what expressions are written to


# ---- a model, its labels and its solution --------------------------------------------------------


def new_model() -> linopy.Model:
    """Return an empty model whose constraints stay sparse; call it under `exact_labels`."""
    return linopy.Model(force_dim_names=True, sparse=True)


@contextmanager
def exact_labels() -> Iterator[None]:
    """Demand equal labels, in linopy and in xarray, for this block only.

    The v1 arithmetic of linopy, which it switches on, also refuses NaN.
    """
    with linopy.options as options, xr.set_options(arithmetic_join="exact"):
        options["semantics"] = "v1"
        yield


def variable_labels(model: Target) -> int:
    """Return how many labels of variables there are, of variables that are masked too."""
    return model._xCounter


def row_labels(model: linopy.Model) -> int:
    """Return how many labels of rows there are, of rows that are masked too."""
    return model._cCounter


def columns(model: linopy.Model) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of each column, and the column of each label (-1: masked)."""
    index = model.variables.label_index
    return index.vlabels, index.label_to_pos


def add_variable(
    model: Target,
    name: str,
    indexes: Mapping[str, pd.Index],
    bounds: tuple[np.ndarray, np.ndarray],
    *,
    mask: np.ndarray | None = None,
    binary: bool = False,
    integer: bool = False,
) -> linopy.Variable:
    """Add a variable whose bounds and mask have the shape of its labels; call it as `new_model`.

    It is the variable that `Model.add_variables` adds.
    """
    lower, upper = bounds
    if binary:
        lower, upper = np.zeros(lower.shape), np.ones(upper.shape)
    if isinstance(model, StandIn):
        whole = {"binary": binary, "integer": integer}
        return model.add_variables(lower, upper, name=name, mask=mask, **whole)
    if name in model.variables:
        raise ValueError(f"the model has a variable {name} already")
    start = model._xCounter
    model._xCounter = end = start + lower.size
    labels = model._allocate_labels(start, end).reshape(lower.shape)
    arrays = {
        "lower": lower,
        "upper": upper,
        "scaling": np.ones(lower.shape),
        "labels": labels if mask is None else np.where(mask, labels, -1),
    }
    data = xr.Dataset(
        {n: (list(indexes), x) for n, x in arrays.items()},
        coords=dict(indexes),
        attrs={
            "label_range": (start, end),
            "name": name,
            "binary": binary,
            "integer": integer,
            "semi_continuous": False,
        },
    )
    variable = linopy.Variable(data, model, name, skip_broadcast=True)
    model.variables.add(variable)
    return variable


# ---- rows ----------------------------------------------------------------------------------------


def add_rows(model: Target, name: str, rows: Rows, indexes: Mapping[str, pd.Index]) -> None:
    """Add rows to a model, on a grid of labels."""
    constraint = CSRConstraint(
        rows.matrix,
        rows.positions,
        rows.rhs,
        rows.sign,
        Grid(dict(indexes)),
        model,  # type: ignore[arg-type]  # or what stands in for one
    )
    model.add_constraints(constraint, name=name)


def is_sparse(constraint: Any) -> bool:
    """Return True for rows that `add_rows` has written."""
    return isinstance(constraint, CSRConstraint)


def row_indexes(constraint: Any) -> dict[str, pd.Index]:
    """Return the labels of the rows of any constraint, by dimension."""
    return dict(constraint._grid.indexes if is_sparse(constraint) else constraint.indexes)


def rows_of(constraint: Any) -> Rows:
    """Return rows that `add_rows` has written, without a copy."""
    return Rows(
        constraint._csr, constraint.active_positions, constraint._rhs, str(constraint._sign)
    )


def solver_rows_of(constraint: Any, model: linopy.Model) -> SolverRows:
    """Return any constraint as rows for a solver; those of `add_rows` without a copy."""
    if is_sparse(constraint):
        sign = np.array(constraint._sign, "U1")
        return SolverRows(constraint._csr, constraint.active_labels(), constraint._rhs, sign)
    index = model.variables.label_index
    rows, labels, rhs, sign = constraint.to_matrix_with_rhs(index)
    by_label = sp.csr_array((rows.data, index.vlabels[rows.indices], rows.indptr))
    return SolverRows(by_label, labels, rhs, sign)


# ---- expressions ---------------------------------------------------------------------------------


def linear_expression(
    model: Target,
    labels: np.ndarray,
    factors: np.ndarray,
    constant: np.ndarray,
    indexes: Mapping[str, pd.Index],
) -> linopy.LinearExpression:
    """Return an expression of linopy; labels and factors have the terms along their last axis."""
    dims = [*indexes, _TERM]
    data = {
        "coeffs": (dims, np.where(labels >= 0, factors, np.nan)),
        "vars": (dims, labels),
        "const": (dims[:-1], constant),
    }
    dense = xr.Dataset(data, coords=dict(indexes))
    return linopy.LinearExpression(dense, model)  # type: ignore[arg-type]  # as in `add_rows`


def terms_of(
    expression: linopy.LinearExpression,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, pd.Index]]:
    """Return labels and factors, constant and indexes of an expression of linopy.

    Terms stand along the last axis; what linopy says is absent is 0.
    """
    data = expression.data
    dims = [str(d) for d in data["const"].dims]
    labels = data["vars"].transpose(*dims, _TERM).to_numpy()
    factors = data["coeffs"].transpose(*dims, _TERM).fillna(0.0).to_numpy()
    constant = data["const"].fillna(0.0).to_numpy()
    return labels, factors, constant, {d: data.get_index(d).rename(d) for d in dims}


def maximise(model: linopy.Model, labels: np.ndarray, prices: np.ndarray) -> None:
    """Set the objective to the largest sum of prices times variables; a label may come twice."""
    terms = xr.Dataset({"coeffs": (_TERM, prices), "vars": (_TERM, labels), "const": 0.0})
    model.add_objective(linopy.LinearExpression(terms, model), sense="max")


def objective_terms(model: linopy.Model) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and prices of the objective, in one line; a label below 0 is no variable."""
    terms = model.objective.expression.data
    return terms["vars"].to_numpy().ravel(), terms["coeffs"].to_numpy().ravel()


def let_arrays_yield_to(kind: type) -> None:
    """Let an operator between an array of xarray and a value of this type be that of the type."""
    known: tuple[type, ...] = monkey_patch_xarray._LINOPY_TYPES
    if kind not in known:
        vars(monkey_patch_xarray)["_LINOPY_TYPES"] = (*known, kind)
