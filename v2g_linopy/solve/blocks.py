"""Independent blocks of a matrix, solved apart and exactly.

Implied-free column singletons are substituted, again and again, then the rest falls into connected
components. A bound that can bind keeps its column, and with it the coupling."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from ..errors import SolveError
from . import solver
from .solver import TIME_LIMIT, Matrix, Optimum, Settings

# non-zeros solved in one call: enough to amortise the call, few enough to keep pivots cheap
_BATCH = 6_000
_TIGHT = 1e-9
_NONE = -1
_ROUNDS = 30
"""Of substitution: a sum that is carried from step to step goes one step in each, for nothing."""

logger = logging.getLogger(__name__)
SolveOne = Callable[[Matrix, float], Optimum]
Batches = list[tuple[np.ndarray, np.ndarray]]  # rows and columns


@dataclass
class _Reduction:
    """Rows solved for one column each, in order, and what the cost became."""

    rows: list[np.ndarray]
    columns: list[np.ndarray]
    cost: np.ndarray
    row_alive: np.ndarray
    column_alive: np.ndarray
    dual: np.ndarray

    @classmethod
    def none(cls, matrix: Matrix) -> "_Reduction":
        """Return what stands before anything is substituted."""
        n_rows, n_columns = matrix.a.shape
        alive = np.ones(n_rows, bool), np.ones(n_columns, bool)
        return cls([], [], matrix.cost.copy(), *alive, np.zeros(n_rows))

    def substitute(
        self, a: sp.csr_array, rows: np.ndarray, columns: np.ndarray, pivot: np.ndarray
    ) -> None:
        """Solve rows for a column each, and charge the cost of it to the others in the row."""
        dual = self.cost[columns] / pivot
        self.rows.append(rows)
        self.columns.append(columns)
        self.dual[rows] = dual
        self.cost -= a[rows].T @ dual
        self.row_alive[rows] = False
        self.column_alive[columns] = False


def solve_with_highs(matrix: Matrix, settings: Settings) -> Optimum:
    """Solve a matrix block by block with HiGHS, each within its share of the time that is left."""
    return solve_in_blocks(
        matrix, lambda part, share: solver.solve_matrix(part, settings.share(share))
    )


def solve_in_blocks(matrix: Matrix, solve_one: SolveOne) -> Optimum:
    """Solve a matrix block by block; primal, duals and reduced costs are those of the whole.

    Parameters
    ----------
    matrix : Matrix
        A linear or mixed-integer programme.
    solve_one : callable
        Solves one matrix within a share of the time that is left.

    Returns
    -------
    Optimum
        With `blocks` and, in `note`, what was substituted, and how much stopped at the time limit.

    Raises
    ------
    SolveError
        As `solve_one` does; at the time limit it says how much was solved.
    """
    matrix = replace(matrix, a=matrix.a.tocsr())
    reduction = _substitute(matrix)
    rows, columns = np.flatnonzero(reduction.row_alive), np.flatnonzero(reduction.column_alive)
    count, batches = _batches(matrix, rows, columns)
    if count <= 1:
        return replace(
            solve_one(matrix, 1.0),
            note="one block: a shared limit, a block or a rule couples the members",
        )
    try:
        found = _each(matrix, reduction, batches, solve_one)
    except SolveError as error:
        if "unbounded" not in error.status:
            raise
        return replace(solve_one(matrix, 1.0), note="one block: a limit that seemed idle binds")
    primal, dual = np.zeros(len(matrix.cost)), reduction.dual.copy()
    for (some_rows, some_columns), part in zip(batches, found, strict=True):
        primal[some_columns], dual[some_rows] = part.primal, part.dual
    _restore(matrix, reduction, primal)
    if not _within(matrix, np.concatenate(reduction.columns or [columns[:0]]), primal):
        return replace(solve_one(matrix, 1.0), note="one block: a limit that seemed idle binds")

    objective = float(matrix.cost @ primal)
    above = sum(part.bound - part.objective for part in found)
    stopped = [part.status for part in found if part.status != "optimal"]
    substituted = sum(map(len, reduction.rows))
    note = (
        f"{count} independent blocks; {substituted} columns whose limits cannot bind were"
        " substituted"
    )
    if stopped:
        note += (
            f"; {len(stopped)} of {len(found)} parts stopped at a limit"
            f" ({stopped[-1].replace('_', ' ')})"
        )
    return Optimum(
        primal,
        dual,
        reduced=matrix.cost - matrix.a.T @ dual,
        objective=objective,
        status=stopped[-1] if stopped else "optimal",
        gap=above / max(abs(objective), 1.0),
        bound=objective + above,
        note=note,
        blocks=count,
    )


def _each(
    matrix: Matrix, reduction: _Reduction, batches: Batches, solve_one: SolveOne
) -> list[Optimum]:
    """Solve every batch; of the time left, a search with binaries gets the share that is its share
    of the non-zeros.

    One that has found no plan by then is tried again in what the others leave.
    """
    a = matrix.a.tocsr()
    weight = [1.0 + float(np.diff(a.indptr)[rows].sum()) for rows, _ in batches]
    found: dict[int, Optimum] = {}
    for last in (False, True):
        waiting = [k for k in range(len(batches)) if k not in found]
        size = np.array([weight[k] for k in waiting])
        share = size / np.cumsum(size[::-1])[::-1]
        for k, fraction in zip(waiting, share, strict=True):
            logger.debug("solving part %d of %d", len(found) + 1, len(batches))
            part = _part(matrix, a, reduction.cost, *batches[k])
            try:
                found[k] = solve_one(part, 1.0 if part.is_lp else float(fraction))
            except SolveError as error:
                if error.status != TIME_LIMIT:
                    raise
                if last or part.is_lp:  # half a linear programme is worth nothing
                    solved = f"{error}; {len(found)} of {len(batches)} parts were solved"
                    raise SolveError(solved, status=TIME_LIMIT) from None
    return [found[k] for k in range(len(batches))]


def _part(
    matrix: Matrix, a: sp.csr_array, cost: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> Matrix:
    """Return some rows and columns of a matrix as one of their own."""
    return Matrix(
        sp.csr_array(a[rows][:, columns]),
        *(matrix.row_lower[rows], matrix.row_upper[rows], cost[columns]),
        *(matrix.lower[columns], matrix.upper[columns], matrix.integer[columns]),
    )


def _substitute(matrix: Matrix) -> _Reduction:
    """Solve equality rows for columns that appear nowhere else and whose bounds the row already
    implies.
    """
    a = matrix.a
    n_rows, n_columns = a.shape
    entry_row = np.repeat(np.arange(n_rows), np.diff(a.indptr))
    entry_column, value = a.indices, a.data
    equality = matrix.row_lower == matrix.row_upper

    state = _Reduction.none(matrix)
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    live = np.ones(len(value), bool)
    # the column that a row bounds; the row must not free any other column
    support = np.full(n_rows, _NONE)
    for _ in range(_ROUNDS):
        row, column = entry_row[live], entry_column[live]
        least, most = _implied(matrix, row, column, value[live], lower, upper, equality)
        single = np.bincount(column, minlength=n_columns) == 1
        tightened = _tighten(row, column, least, most, lower, upper, single, support)

        free = single & _cannot_bind(matrix, column, least, most) & ~matrix.integer
        unbound = (support[entry_row] == _NONE) | (support[entry_row] == entry_column)
        candidate = live & free[entry_column] & equality[entry_row] & unbound
        rows, first = np.unique(entry_row[candidate], return_index=True)
        if len(rows):
            where = np.flatnonzero(candidate)[first]
            state.substitute(a, rows, entry_column[where], value[where])
            live &= state.row_alive[entry_row]
        elif not tightened:
            break
    return state


def _cannot_bind(
    matrix: Matrix, column: np.ndarray, least: np.ndarray, most: np.ndarray
) -> np.ndarray:
    """Return True for columns that rows keep within their bounds; `least` and `most` are what each
    entry implies.
    """
    n_columns = len(matrix.lower)
    low, high = np.full(n_columns, -np.inf), np.full(n_columns, np.inf)
    np.maximum.at(low, column, least)
    np.minimum.at(high, column, most)
    finite = np.isfinite(matrix.upper)
    slack = _TIGHT * (1 + np.abs(matrix.upper, where=finite, out=np.zeros(n_columns)))
    within: np.ndarray = (low >= matrix.lower - slack) & (high <= matrix.upper + slack)
    return within


def _implied(
    matrix: Matrix,
    row: np.ndarray,
    column: np.ndarray,
    value: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    equality: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return, per entry, the bounds that its equality row implies of its column, from those of the
    other columns.
    """
    n_rows = matrix.a.shape[0]
    # least and largest contribution of the entry
    at_low = np.where(value > 0, lower[column], upper[column]) * value
    at_high = np.where(value > 0, upper[column], lower[column]) * value
    bounds = []
    for contribution, sign in ((at_high, -1.0), (at_low, 1.0)):
        infinite = ~np.isfinite(contribution)
        finite = np.where(infinite, 0.0, contribution)
        total = np.bincount(row, finite, n_rows)
        open_ends = np.bincount(row, infinite, n_rows)
        others = total[row] - finite
        bounded = open_ends[row] - infinite == 0
        # sign -1: x value >= rhs - max(others);  sign +1: x value <= rhs - min(others)
        left = matrix.row_lower[row] - others
        bounds.append(np.where(bounded & equality[row], left, sign * np.inf))
    least, most = (b / value for b in bounds)
    return np.where(value > 0, least, most), np.where(value > 0, most, least)


def _tighten(
    row: np.ndarray,
    column: np.ndarray,
    least: np.ndarray,
    most: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    single: np.ndarray,
    support: np.ndarray,
) -> bool:
    """Bound columns that have no bound of their own, in place, by rows that stay; return True where
    one was found.

    A row that bounds a column here must not free another column: its bounds would then imply
    themselves. So a row that holds a bounded column found nowhere else (a position, which the row
    may free) bounds none, and `support` remembers the column that every other row bounds."""
    bounded = np.isfinite(lower) | np.isfinite(upper)
    held = np.bincount(row, single[column] & bounded[column], len(support)) > 0
    usable = ~held[row] & ((support[row] == _NONE) | (support[row] == column))
    below = usable & np.isinf(lower[column]) & np.isfinite(least)
    above = usable & np.isinf(upper[column]) & np.isfinite(most)
    some = below | above
    named, first = np.unique(row[some], return_index=True)
    support[named] = column[some][first]
    owner = support[row] == column
    np.maximum.at(lower, column[below & owner], least[below & owner])
    np.minimum.at(upper, column[above & owner], most[above & owner])
    return bool(some.any())


def components(matrix: Matrix) -> np.ndarray:
    """Return the number of the independent block of each column; -1 where it was substituted."""
    matrix = replace(matrix, a=matrix.a.tocsr())
    reduction = _substitute(matrix)
    rows, columns = np.flatnonzero(reduction.row_alive), np.flatnonzero(reduction.column_alive)
    _, label = _connected(matrix.a[rows][:, columns].tocoo())
    found = np.full(len(matrix.cost), _NONE)
    found[columns] = label[len(rows) :]
    return found


def _connected(part: sp.coo_array) -> tuple[int, np.ndarray]:
    """Return the number of connected components, and that of each row, then of each column."""
    # loaded when it is used: it takes longer to load than this package
    from scipy.sparse.csgraph import connected_components

    n_rows, n_columns = part.shape
    graph = sp.coo_array(
        (np.ones(part.nnz, np.int8), (part.coords[0], part.coords[1] + n_rows)),
        shape=(n_rows + n_columns,) * 2,
    )
    count, label = connected_components(graph, directed=False)
    return int(count), label


def _batches(matrix: Matrix, rows: np.ndarray, columns: np.ndarray) -> tuple[int, Batches]:
    """Return the number of connected components, and the components gathered into batches of rows
    and columns.
    """
    part = matrix.a[rows][:, columns].tocoo()
    n_rows = len(rows)
    count, label = _connected(part)
    if count <= 1:
        return count, []
    size = np.bincount(label[part.coords[0]], minlength=count)  # non-zeros of each component
    batch_of = (np.cumsum(size) - size) // _BATCH
    batch_row, batch_column = batch_of[label[:n_rows]], batch_of[label[n_rows:]]
    order_row = np.argsort(batch_row, kind="stable")
    order_column = np.argsort(batch_column, kind="stable")
    names = np.unique(batch_of)
    row_start = np.searchsorted(batch_row[order_row], names)
    column_start = np.searchsorted(batch_column[order_column], names)
    row_groups = np.split(rows[order_row], row_start[1:])
    column_groups = np.split(columns[order_column], column_start[1:])
    return count, list(zip(row_groups, column_groups, strict=True))


def _restore(matrix: Matrix, reduction: _Reduction, primal: np.ndarray) -> None:
    """Compute the substituted columns from their rows, last first."""
    for rows, columns in zip(reversed(reduction.rows), reversed(reduction.columns), strict=True):
        primal[columns] = 0.0
        part = matrix.a[rows]
        pivot = np.asarray(part[np.arange(len(rows)), columns]).ravel()
        primal[columns] = (matrix.row_lower[rows] - part @ primal) / pivot


def _within(matrix: Matrix, columns: np.ndarray, primal: np.ndarray) -> bool:
    """Return True where the substituted columns keep their bounds: with it the optimum of the
    blocks is that of all.
    """
    x, low, high = primal[columns], matrix.lower[columns], matrix.upper[columns]
    return bool(((x >= low - 1e-7 * (1 + abs(x))) & (x <= high + 1e-7 * (1 + abs(x)))).all())
