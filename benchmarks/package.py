"""The package's side of each comparison."""

import highspy
import linopy
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.solve import blocks as independent
from v2g_linopy.solve import solver
from v2g_linopy.solve.solve import assemble_model

SETTINGS = solver.Settings()


def build(case: xr.DataTree) -> linopy.Model:
    """Check a case and build its model, as `v2g.solve` does."""
    return assemble_model(inputs_of(case, v2g.PARTS)).model


def hand_over(model: linopy.Model) -> highspy.Highs:
    """Hand a model to HiGHS the way `v2g.solve` does."""
    return solver.hand_over(solver.matrix_of(model), SETTINGS)


def build_and_hand_over(case: xr.DataTree) -> tuple[linopy.Model, highspy.Highs]:
    """Both; the model is kept, as `solve` keeps it to read the result."""
    model = build(case)
    return model, hand_over(model)


def optimise(model: linopy.Model, blocks: bool) -> float:
    """Objective (EUR) of the LP of a model, in blocks or in one piece."""
    matrix = solver.matrix_of(model)
    if blocks:
        return independent.solve_in_blocks(matrix, _solve).objective
    return _solve(matrix).objective


def _solve(matrix: solver.Matrix, share: float = 1.0) -> solver.Optimum:
    return solver.solve_matrix(matrix, SETTINGS)
