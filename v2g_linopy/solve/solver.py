"""From a linopy model to numbers: the matrix, HiGHS (interruptible, options verified), every other
solver of linopy.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import highspy
import linopy
import numpy as np
import scipy.sparse as sp
import xarray as xr

from ..algebra import linopy_adapter
from ..errors import Interrupted, SolveError, SolverError

TIME_LIMIT = "time_limit"
_LEAST = 0.001  # seconds; a limit of 0 would be none for some solvers
_LIMITS = {
    highspy.HighsModelStatus.kTimeLimit: TIME_LIMIT,
    highspy.HighsModelStatus.kIterationLimit: "iteration_limit",
    highspy.HighsModelStatus.kSolutionLimit: "solution_limit",
    highspy.HighsModelStatus.kObjectiveBound: "objective_bound",
    highspy.HighsModelStatus.kObjectiveTarget: "objective_target",
}
_OTHER_LIMITS = {
    "scip": {"gap": "limits/gap", "time_limit": "limits/time"},
    "gurobi": {"gap": "MIPGap", "time_limit": "TimeLimit"},
}
_PATIENCE = (
    3.0  # seconds in which HiGHS should look up after Ctrl-C; inside a factorisation it does not
)
_ALLOWED = 1e-6  # by how much a plan may break limits and still count as allowed
DUAL, PRIMAL = (int(highspy.simplex_constants.SimplexStrategy(n)) for n in (1, 4))
_SMALL = 20_000  # non-zeros; below, a solve ends before an interrupt could matter
_WEIGHTS_MATTER = 20_000  # non-zeros; below, how rows are weighted takes no time
_WEIGHTS = "simplex_dual_edge_weight_strategy"
DEVEX = int(highspy.simplex_constants.SimplexEdgeWeightStrategy(1))


@dataclass(frozen=True)
class Matrix:
    """A programme as numbers.

    It is max cost x s.t. row_lower <= A x <= row_upper, lower <= x <= upper, x integer where
    `integer`.
    """

    a: sp.csr_array | sp.csc_array
    row_lower: np.ndarray
    row_upper: np.ndarray
    cost: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    integer: np.ndarray
    column_labels: np.ndarray = field(
        default_factory=lambda: np.zeros(0, int)
    )  # linopy's labels, where it has any
    row_labels: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    @property
    def is_lp(self) -> bool:
        """True where no variable is integer."""
        return not self.integer.any()


@dataclass(frozen=True)
class Optimum:
    """A solution of a matrix.

    It has the primal, d objective / d rhs of each row, and d objective / d variable (reduced
    cost).
    """

    primal: np.ndarray
    dual: np.ndarray
    reduced: np.ndarray
    objective: float
    status: str = "optimal"
    gap: float = 0.0
    bound: float = float("nan")
    note: str = ""
    blocks: int = 1


@dataclass(frozen=True)
class Settings:
    """How to solve.

    `options` are those of the solver by its own names; the rest has the same meaning for every
    solver.
    """

    solver: str = "highs"
    options: Mapping[str, Any] = field(default_factory=dict)
    gap: float | None = None
    time_limit: float | None = None
    deadline: float | None = None

    def start(self) -> "Settings":
        """Start the clock of the time limit."""
        if self.gap is not None and not self.gap >= 0:
            raise SolverError(f"gap must be a number of at least 0, not {self.gap!r}")
        if self.time_limit is not None and not self.time_limit > 0:
            raise SolverError(
                f"time_limit must be a number of seconds above 0, not {self.time_limit!r}"
            )
        return (
            self
            if self.time_limit is None
            else replace(self, deadline=time.monotonic() + self.time_limit)
        )

    @property
    def left(self) -> float | None:
        """Seconds left, 0 where the time is up; None where there is no limit."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def share(self, fraction: float) -> "Settings":
        """Return settings with a fraction of the time that is left."""
        return (
            self
            if self.left is None
            else replace(self, deadline=time.monotonic() + fraction * self.left)
        )

    def grace(self, seconds: float) -> "Settings":
        """Return settings with some seconds beyond the limit, from now on if it has passed."""
        if self.deadline is None:
            return self
        return replace(self, deadline=max(self.deadline, time.monotonic()) + seconds)


def matrix_of(model: linopy.Model) -> Matrix:
    """Read the matrix of a linopy model whose objective is to be maximised."""
    column_labels, position = linopy_adapter.columns(model)
    lower, upper, integer = [], [], []
    for name, x in model.variables.items():
        exists = x.labels.to_numpy().ravel() >= 0
        lower.append(x.lower.to_numpy().ravel()[exists].astype(float, copy=False))
        upper.append(x.upper.to_numpy().ravel()[exists].astype(float, copy=False))
        integer.append(np.full(len(lower[-1]), name not in model.continuous))
    pieces = [linopy_adapter.solver_rows_of(c, model) for _, c in model.constraints.items()]
    a = _columnwise([rows.matrix for rows in pieces], len(column_labels), position)
    low = [np.where(rows.sign == "<", -np.inf, rows.rhs) for rows in pieces]
    high = [np.where(rows.sign == ">", np.inf, rows.rhs) for rows in pieces]
    used, price = linopy_adapter.objective_terms(model)
    cost = np.bincount(position[used[used >= 0]], price[used >= 0], a.shape[1])
    return Matrix(
        a,
        _stacked(low),
        _stacked(high),
        cost.astype(float, copy=False),
        _stacked(lower),
        _stacked(upper),
        _stacked(integer).astype(bool),
        column_labels,
        _stacked([rows.labels for rows in pieces]),
    )


def _columnwise(pieces: list[sp.csr_array], n_columns: int, position: np.ndarray) -> sp.csc_array:
    """Stack rows by variable label into one matrix by position, column by column: HiGHS takes it
    twice as fast.
    """
    lengths = np.concatenate([np.zeros(1, int), *(np.diff(rows.indptr) for rows in pieces)])
    starts = np.cumsum(lengths)
    data, columns = (
        np.empty(starts[-1]),
        np.empty(starts[-1], sp.get_index_dtype(maxval=max(starts[-1], n_columns))),
    )
    end = 0
    for rows in pieces:  # kinds of rows
        here, end = end, end + rows.nnz
        data[here:end] = rows.data
        np.take(position, rows.indices, out=columns[here:end], mode="clip")
    return sp.csr_array(
        (data, columns, starts.astype(columns.dtype)), (len(starts) - 1, n_columns)
    ).tocsc()


def _stacked(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.zeros(0)


def primal_by_label(model: linopy.Model, matrix: Matrix, found: Optimum) -> np.ndarray:
    """Return the level of each variable by its label, NaN where it is masked."""
    return _scatter(found.primal, matrix.column_labels, linopy_adapter.variable_labels(model))


def by_variable(model: linopy.Model, matrix: Matrix, values: np.ndarray) -> dict[str, xr.DataArray]:
    """Spread a value per column over the variables of the model."""
    full = _scatter(values, matrix.column_labels, linopy_adapter.variable_labels(model))
    arrays = {}
    for name, x in model.variables.items():
        start, end = x.range
        arrays[str(name)] = x.labels.copy(deep=False, data=full[start:end].reshape(x.shape))
    return arrays


def by_constraint(
    model: linopy.Model, matrix: Matrix, values: np.ndarray
) -> dict[str, xr.DataArray]:
    """Spread a value per row over the constraints of the model."""
    full = _scatter(values, matrix.row_labels, linopy_adapter.row_labels(model))
    arrays = {}
    for name, x in model.constraints.items():
        (start, end), indexes = x.range, linopy_adapter.row_indexes(x)
        on_grid = full[start:end].reshape([len(index) for index in indexes.values()])
        arrays[str(name)] = xr.DataArray(on_grid, indexes, dims=list(indexes))
    return arrays


def solve_matrix(matrix: Matrix, settings: Settings) -> Optimum:
    """Solve a matrix with HiGHS.

    Raises
    ------
    SolverError
        An option is unknown or has a wrong value, or HiGHS failed.
    SolveError
        Infeasible or unbounded (`.status` says which), or stopped at a limit without a plan.
    Interrupted
        Ctrl-C.
    """
    if matrix.a.shape[1] == 0:
        return Optimum(np.zeros(0), np.zeros(matrix.a.shape[0]), np.zeros(0), 0.0)
    if settings.left == 0:
        raise SolveError("HiGHS stopped without a plan: time limit", status=TIME_LIMIT)
    return run_highs(hand_over(matrix, settings), matrix)


def rerun_highs(h: highspy.Highs, matrix: Matrix, last: np.ndarray, settings: Settings) -> Optimum:
    """Go on from the last plan and its basis.

    In the primal simplex where `matrix` still allows it, else in the dual.

    Where prices alone have changed that takes a few steps instead of hundreds.
    """
    rows = matrix.a @ last
    beyond = (
        matrix.lower - last,
        last - matrix.upper,
        matrix.row_lower - rows,
        rows - matrix.row_upper,
    )
    allowed = all(
        bool((x <= _ALLOWED).all()) for x in beyond
    )  # NaN, where nothing was found, is not
    if "simplex_strategy" not in settings.options:
        h.setOptionValue("simplex_strategy", PRIMAL if allowed else DUAL)
    return run_highs(h, matrix)


def run_highs(h: highspy.Highs, matrix: Matrix) -> Optimum:
    """Let HiGHS solve what it holds, which is `matrix`, from its last basis if it has one.

    Raises as `solve_matrix`.
    """
    _run(h, matrix.a.nnz)
    if h.getModelStatus() == highspy.HighsModelStatus.kUnknown:
        # from a degenerate basis HiGHS may stop at a point that it can neither prove nor refuse
        h.clearSolver()
        _run(h, matrix.a.nnz)
    status = h.getModelStatus()
    info = h.getInfo()
    if status == highspy.HighsModelStatus.kOptimal:
        word = "optimal"
    elif status in _LIMITS and not matrix.is_lp and info.primal_solution_status == 2:
        word = _LIMITS[status]
    else:
        word = _LIMITS.get(status) or h.modelStatusToString(status).lower()
        raise SolveError(f"HiGHS stopped without a plan: {word.replace('_', ' ')}", status=word)
    x = h.getSolution()
    return Optimum(
        np.asarray(x.col_value),
        -np.asarray(x.row_dual) if matrix.is_lp else np.full(matrix.a.shape[0], np.nan),
        -np.asarray(x.col_dual) if matrix.is_lp else np.full(matrix.a.shape[1], np.nan),
        -float(info.objective_function_value),
        word,
        0.0 if matrix.is_lp else float(info.mip_gap),
        -float(info.objective_function_value if matrix.is_lp else info.mip_dual_bound),
    )


def at_levels(matrix: Matrix, primal: np.ndarray) -> Matrix:
    """Return the linear programme whose integer variables stand where a search has put them."""
    level = np.where(matrix.integer, np.round(primal), 0.0)
    return replace(
        matrix,
        lower=np.where(matrix.integer, level, matrix.lower),
        upper=np.where(matrix.integer, level, matrix.upper),
        integer=np.zeros_like(matrix.integer),
    )


def solve_other(model: linopy.Model, matrix: Matrix, settings: Settings) -> Optimum:
    """Solve a model with any other solver that linopy knows and this machine has."""
    if settings.solver not in linopy.available_solvers:
        have = ", ".join(sorted(linopy.available_solvers))
        raise SolverError(f"solver {settings.solver!r} is not available here; installed: {have}")
    options = {**_limits_of(settings), **settings.options}
    try:
        _, condition = model.solve(settings.solver, progress=False, **options)
    except (ValueError, RuntimeError, OSError, KeyError, AttributeError, TypeError) as error:
        given = f" (options {options})" if options else ""
        raise SolverError(f"{settings.solver} failed: {error}{given}") from error
    if condition != "optimal":
        raise SolveError(f"{settings.solver} stopped without a plan: {condition}", status=condition)
    has_duals = matrix.is_lp and all("dual" in c for _, c in model.constraints.items())
    dual = model.matrices.dual if has_duals else np.full(len(matrix.row_labels), np.nan)
    primal = model.matrices.sol
    reduced, objective = matrix.cost - matrix.a.T @ dual, float(matrix.cost @ primal)
    return Optimum(primal, dual, reduced, objective, bound=objective, note="solved in one piece")


def _limits_of(settings: Settings) -> dict[str, float]:
    """Return gap and time limit by the names that a solver has for them."""
    known = _OTHER_LIMITS.get(settings.solver, {})
    limits = {
        "gap": settings.gap,
        "time_limit": None if settings.left is None else max(settings.left, _LEAST),
    }
    wanted = {name: value for name, value in limits.items() if value is not None}
    if missing := [name for name in wanted if name not in known]:
        raise SolverError(
            f"give {' and '.join(missing)} as options of {settings.solver} itself, by its own names"
        )
    return {known[name]: value for name, value in wanted.items()}


def irreducible(matrix: Matrix, settings: Settings) -> np.ndarray:
    """Return the rows of an irreducible infeasible subset, by position.

    Empty where HiGHS finds none.
    """
    h = hand_over(matrix, settings)
    h.setOptionValue("iis_strategy", 2)
    status, iis = h.getIis()
    return (
        np.asarray(iis.row_index_, dtype=int)
        if status != highspy.HighsStatus.kError
        else np.zeros(0, dtype=int)
    )


def hand_over(matrix: Matrix, settings: Settings) -> highspy.Highs:
    """Return HiGHS with the matrix and the options, ready to run."""
    h = _Silent()
    for name, value in settings.options.items():
        _set_option(h, name, value)
    if settings.gap is not None:
        h.setOptionValue("mip_rel_gap", float(settings.gap))
    if settings.left is not None:
        h.setOptionValue("time_limit", max(settings.left, _LEAST))
    if _has_many_rows(matrix) and _WEIGHTS not in settings.options:
        h.setOptionValue(_WEIGHTS, DEVEX)
    _pass(h, matrix)
    return h


def _has_many_rows(matrix: Matrix) -> bool:
    """Return True where the exact weights of the dual simplex, one for each row, cost more than the
    steps that they save, as with the states of calls.
    """
    rows, columns = matrix.a.shape
    return rows > columns and matrix.a.nnz > _WEIGHTS_MATTER


class _Silent(highspy.Highs):
    """HiGHS without a word: it prints its banner while it is made, before an option can be set."""

    def enableCallbacks(self) -> None:  # noqa: N802  highspy's name
        """Switch its output off first, as this is what prints."""
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


def _set_option(h: highspy.Highs, name: str, value: Any) -> None:
    status, kind = h.getOptionType(name)
    if status != highspy.HighsStatus.kOk:
        raise SolverError(f"HiGHS has no option {name!r}")
    try:
        typed = _TYPES[kind](value)
    except (ValueError, KeyError):
        typed = value
    if h.setOptionValue(name, typed) != highspy.HighsStatus.kOk:
        raise SolverError(f"HiGHS does not accept {value!r} for option {name!r}")


def _flag(value: Any) -> bool:
    words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
    return words[str(value).lower()]


_TYPES: dict[Any, Any] = {
    highspy.HighsOptionType.kBool: _flag,
    highspy.HighsOptionType.kInt: int,
    highspy.HighsOptionType.kDouble: float,
    highspy.HighsOptionType.kString: str,
}


def _pass(h: highspy.Highs, matrix: Matrix) -> None:
    a = sp.csc_array(matrix.a)
    columns = (-matrix.cost, matrix.lower, matrix.upper)
    status = h.passModel(
        *(
            a.shape[1],
            a.shape[0],
            a.nnz,
            int(highspy.MatrixFormat.kColwise),
            int(highspy.ObjSense.kMinimize),
            0.0,
        ),
        *(*columns, matrix.row_lower, matrix.row_upper),
        *(a.indptr, a.indices, a.data, matrix.integer.astype(np.int32)),
    )
    if status == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refused the model")


def _run(h: highspy.Highs, nonzeros: int) -> None:
    """Run HiGHS; on Ctrl-C stop it at its next check and raise."""
    if nonzeros < _SMALL or threading.current_thread() is not threading.main_thread():
        _run_here(h)
        return
    h.HandleUserInterrupt = True
    worker = threading.Thread(target=_run_here, args=(h,), daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            worker.join(0.05)
    except KeyboardInterrupt:
        h.cancelSolve()
        worker.join(_PATIENCE)
        raise Interrupted("interrupted: the solve was stopped, nothing was written") from None


def _run_here(h: highspy.Highs) -> None:
    """Run HiGHS in this thread, with as many threads of its own as its option `threads` says.

    HiGHS keeps one scheduler for all of them, and from 1.16 on does not start where an earlier
    solve gave it another number of threads; nothing has been solved then, and a new scheduler is
    made."""
    if (
        h.run() == highspy.HighsStatus.kError
        and h.getModelStatus() == highspy.HighsModelStatus.kNotset
    ):
        highspy.Highs.resetGlobalScheduler(True)
        h.run()


def _scatter(values: np.ndarray, labels: np.ndarray, size: int) -> np.ndarray:
    full = np.full(size, np.nan)
    full[labels] = values
    return full
