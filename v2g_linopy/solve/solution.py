"""From the levels and duals of a matrix back to a plan: by name, on labels, for every member."""

from collections.abc import Mapping

import linopy
import numpy as np
import xarray as xr

from ..errors import SolverError
from ..model.inputs import Inputs
from . import solver as solvers
from .assembly import Built, postprocessed
from .merge import Merged, expand
from .result import Solved
from .solver import Optimum


def read_solution(
    built: Built,
    matrix: solvers.Matrix,
    found: Optimum,
    merged: Merged,
    inputs: Inputs,
    *,
    prices: bool = True,
) -> Solved:
    """Read solution, duals, reduced costs and ledger from the model, for every member of its
    own; without duals and reduced costs where `prices` is false.
    """
    model = built.model
    primal = solvers.primal_by_label(model, matrix, found)
    solution = solvers.by_variable(model, matrix, found.primal)
    solution |= _finish(model, solution, primal, inputs)
    _same_objective(matrix, found, primal)
    dual = solvers.by_constraint(model, matrix, found.dual) if prices else {}
    reduced = solvers.by_variable(model, matrix, found.reduced) if prices else {}
    return Solved(
        optimum=found,
        solution={n: expand(x, merged, share=True) for n, x in solution.items()},
        ledger={
            n: expand(x if isinstance(x, xr.DataArray) else x.value(primal), merged, share=True)
            for n, x in built.ledger.items()
        },
        dual={n: expand(x, merged, share=False) for n, x in dual.items()},
        reduced={n: expand(x, merged, share=False) for n, x in reduced.items()},
        binaries=int(matrix.integer.sum()),
        size=(*matrix.a.shape, int(matrix.a.nnz)),
        merged=merged.saved,
    )


def _same_objective(matrix: solvers.Matrix, found: Optimum, primal: np.ndarray) -> None:
    """Raise where a rewritten plan is worth more or less than the optimum: the rows then say
    another bill.
    """
    paid = matrix.cost * found.primal
    moved = abs(float(matrix.cost @ primal[matrix.column_labels]) - float(paid.sum()))
    allowed = 1e-6 * max(1.0, float(abs(paid).sum())) + found.gap * abs(found.objective)
    if found.status == "optimal" and moved > allowed:
        raise SolverError(f"the optimum and the bill of its plan differ by {moved:.3g}")


def _finish(
    model: linopy.Model,
    solution: Mapping[str, xr.DataArray],
    primal: np.ndarray,
    inputs: Inputs,
) -> dict[str, xr.DataArray]:
    """Return the outputs that parts rewrite or add, and write those that are variables into the
    solution by label.
    """
    found = postprocessed(inputs, solution)
    for name, x in found.items():
        if name in model.variables:
            own = model.variables[name]
            exists = own.labels >= 0
            level = x.transpose(*own.dims).where(exists)
            there = exists.to_numpy()
            primal[own.labels.to_numpy()[there]] = level.to_numpy()[there]
            found[name] = level
    return found
