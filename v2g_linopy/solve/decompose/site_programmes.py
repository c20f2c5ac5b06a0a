"""The linear programmes of single sites, cut out of the one model that was built for all of them.

Sites share the market and the reserves that they sell at, and nothing else. Without these rows, and
with their prices on what each site gives, each is a small programme of its own, from whose last
basis the solver goes on: a simplex over all of them together takes longer the more there are.
"""

from collections.abc import Sequence
from dataclasses import replace

import highspy
import numpy as np
import scipy.sparse as sp

from ...errors import SolveError
from ..solver import Matrix, Settings, hand_over, rerun_highs


class SiteError(SolveError):
    """A site has no plan; `site` is its number."""

    def __init__(self, error: SolveError, site: int):
        super().__init__(str(error), status=error.status)
        self.site = site


class SiteProgrammes:
    """One programme of each site, held by the solver.

    Parameters
    ----------
    matrix : Matrix
        Of all sites.
    site : numpy.ndarray
        Number of the site of each column.
    sold : numpy.ndarray
        Columns of what is sold, which sites share.
    shared : numpy.ndarray
        Rows that say what is sold.
    settings : Settings
        How to solve.
    """

    def __init__(
        self,
        matrix: Matrix,
        site: np.ndarray,
        sold: np.ndarray,
        shared: np.ndarray,
        settings: Settings,
    ):
        self._settings, self._size = settings, len(matrix.cost)
        rows, free = sp.csr_array(matrix.a), np.setdiff1d(np.arange(self._size), sold)
        closed = replace(matrix, upper=_nothing_unsold(matrix, rows, sold, shared))
        own = np.setdiff1d(np.arange(rows.shape[0]), shared)
        own = own[np.diff(rows.indptr)[own] > 0]
        site_of_row = site[rows.indices[rows.indptr[own]]]
        self._pieces = [
            _Piece(closed, rows, own[site_of_row == k], free[site[free] == k])
            for k in range(int(site.max(initial=-1)) + 1)
        ]

    def solve(self, cost: np.ndarray) -> np.ndarray:
        """Return the best plan of all sites at what each column earns.

        Raises
        ------
        SiteError
            A site has none.
        SolverError, Interrupted
        """
        x = np.zeros(self._size)
        for k, piece in enumerate(self._pieces):
            try:
                x[piece.columns] = piece.solve(cost[piece.columns], self._settings)
            except SolveError as error:
                raise SiteError(error, k) from None
        return x


class _Piece:
    """The programme of one site."""

    def __init__(self, matrix: Matrix, by_row: sp.csr_array, rows: np.ndarray, columns: np.ndarray):
        self.columns = columns
        self._matrix = Matrix(
            sp.csc_array(sp.csc_array(by_row[rows])[:, columns]),
            *(bound[rows] for bound in (matrix.row_lower, matrix.row_upper)),
            *(x[columns] for x in (matrix.cost, matrix.lower, matrix.upper, matrix.integer)),
        )
        self._primal = np.full(len(columns), np.nan)
        self._highs: highspy.Highs | None = None

    def solve(self, cost: np.ndarray, settings: Settings) -> np.ndarray:
        """Return the best plan, from the last basis if there is one."""
        matrix = replace(self._matrix, cost=cost)
        if self._highs is None:
            self._highs = hand_over(matrix, settings)
        else:
            every = np.arange(len(cost), dtype=np.int32)
            self._highs.changeColsCost(len(every), every, -cost)
        self._primal = rerun_highs(self._highs, matrix, self._primal, settings).primal
        return self._primal


def _nothing_unsold(
    matrix: Matrix, rows: sp.csr_array, sold: np.ndarray, shared: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Return upper bounds: where nothing can be sold, nothing is held."""
    some = sp.coo_array(rows[shared])
    unsold = np.isin(some.col, sold) & (matrix.upper[some.col] <= 0) & (matrix.lower[some.col] >= 0)
    here = np.isin(some.row, some.row[unsold]) & ~np.isin(some.col, sold)
    upper = matrix.upper.copy()
    upper[some.col[here]] = 0.0
    return upper
