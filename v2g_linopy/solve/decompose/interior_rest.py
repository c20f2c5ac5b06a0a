"""The rest of a case as an interior point sees it: rows A x = b + power of the vehicles, and limits
of x on one side, on both, or none (docs/formulation.md §12 D)."""

import numpy as np
import scipy.sparse as sp

from ..solver import Matrix
from .interior_kernel import LEAST

_TINY = 1e-13  # keeps the system regular where a row says what another says, or x has no limit


class Rest:
    """A small linear programme, and where the interior point has it.

    Parameters
    ----------
    matrix : Matrix
        The rest's own model.
    node : numpy.ndarray
        Row of each pod and step that takes the power of the vehicles.
    penalty : float
        EUR for a kW that is missing, or in excess, in a step.
    power : numpy.ndarray
        What the vehicles inject at first (kW on pod and time).
    price : numpy.ndarray
        What a kW is worth at first (EUR on pod and time).
    """

    def __init__(
        self,
        matrix: Matrix,
        node: np.ndarray,
        penalty: float,
        power: np.ndarray,
        price: np.ndarray,
    ):
        low, high, many = matrix.row_lower, matrix.row_upper, node.size
        fixed, equal = matrix.lower == matrix.upper, low == high
        a, own = sp.csc_array(matrix.a), np.flatnonzero(~fixed)
        moved = a @ np.where(fixed, matrix.lower, 0.0)
        sided = np.flatnonzero(~equal & (np.isfinite(low) | np.isfinite(high)))
        slack, side = _unit(node.ravel(), a.shape[0]), _unit(sided, a.shape[0])
        whole = sp.csr_array(sp.hstack([a[:, own], slack, -slack, -side]))
        rows = np.flatnonzero((equal | np.isin(np.arange(len(low)), sided)) & (_count(whole) > 0))

        self._a = sp.csc_array(whole[rows])
        self._b = np.where(equal, low - moved, 0.0)[rows]
        self._cost = np.concatenate(
            [-matrix.cost[own], np.full(2 * many, penalty), np.zeros(len(sided))]
        )
        limits = np.stack([matrix.lower[own], matrix.upper[own]])
        slacks = np.stack([np.zeros(2 * many), np.full(2 * many, np.inf)])
        sides = np.stack([low[sided], high[sided]]) - moved[sided]
        limits = np.concatenate([limits, slacks, sides], 1)
        self._there = np.isfinite(limits)
        self.pairs = int(self._there.sum())
        position = np.full(a.shape[0], -1)
        position[rows] = np.arange(len(rows))
        self._node = position[node]
        self._begin(limits, power, price)

    def _begin(self, limits: np.ndarray, power: np.ndarray, price: np.ndarray) -> None:
        """Begin near what the power of the vehicles needs, inside the limits."""
        from scipy.sparse.linalg import splu

        a, (low, high) = self._a, limits
        self.y = np.zeros(a.shape[0])
        self.y[self._node] = price
        typical, size = float(np.abs(price).mean()) or 1.0, float(np.abs(power).mean()) or 1.0
        steep = np.maximum(np.abs(self._cost + a.T @ self.y), typical)
        # the dearer a column is, the less it moves: nothing begins at a penalty
        light = sp.csr_array(a.multiply((typical / steep) ** 2))
        system = light @ a.T + 1e-8 * sp.eye_array(a.shape[0])
        x = light.T @ splu(sp.csc_matrix(system)).solve(self._right(power))
        inside = np.minimum(typical * size / steep, 0.1 * (high - low))
        x = np.clip(x, low + inside, high - inside)
        self.x = x
        self._slack = np.where(self._there, np.abs(x - limits), 1.0)
        self._price = np.where(self._there, typical * size / self._slack, 0.0)

    def _right(self, power: np.ndarray) -> np.ndarray:
        right = self._b.copy()
        right[self._node] += power
        return right

    @property
    def price(self) -> np.ndarray:
        """What a kW more is worth at each pod and step (EUR)."""
        found: np.ndarray = self.y[self._node]
        return found

    @property
    def toward(self) -> np.ndarray:
        """By how much that moves in the direction."""
        found: np.ndarray = self._dy[self._node]
        return found

    @property
    def products(self) -> float:
        """Sum of the products of all pairs (EUR)."""
        return float((self._slack * self._price).sum())

    def off(self, power: np.ndarray) -> float:
        """Return what it costs that the rows do not hold yet (EUR), about."""
        return float(np.abs((self._right(power) - self._a @ self.x) * self.y).sum())

    def products_after(self, far: float, dear: float) -> float:
        """Return that sum after a step of the plan and of the prices."""
        slack, price = self._slack + far * self._d_slack, self._price + dear * self._d_price
        return float((slack * price).sum())

    def factorise(self, schur: np.ndarray) -> None:
        """Factor [D A'; A -H], H on (pod, time, time)."""
        from scipy.sparse.linalg import splu

        curve = (self._price / self._slack).sum(0) + _TINY
        pods, steps = self._node.shape
        row = np.repeat(self._node, steps, axis=1).ravel()
        column = np.broadcast_to(self._node[:, None, :], (pods, steps, steps)).ravel()
        size = len(self.y)
        h = sp.csc_array((schur.ravel(), (row, column)), (size, size)) + _TINY * sp.eye_array(size)
        system = sp.block_array([[sp.diags_array(curve), self._a.T], [self._a, -h]])
        self._factor = splu(sp.csc_matrix(system))

    def aim(self, power: np.ndarray, target: float, bend: np.ndarray | float) -> None:
        """Turn toward products of `target` less `bend`, where the vehicles inject `power` at the
        prices of now.
        """
        pull = np.where(self._there, (target - bend) / self._slack - self._price, 0.0)
        dual = self._cost + self._a.T @ self.y - self._price[0] + self._price[1]
        lacks = self._right(power) - self._a @ self.x
        found = self._factor.solve(np.concatenate([pull[0] - pull[1] - dual, lacks]))
        self._dx, self._dy = found[: len(self.x)], found[len(self.x) :]
        self._d_slack = np.stack([self._dx, -self._dx]) * self._there
        self._d_price = pull - self._price / self._slack * self._d_slack

    def second(self, scale: float) -> np.ndarray:
        """Return what products change by in second order along the direction."""
        found: np.ndarray = self._d_slack * self._d_price * scale
        return found

    def most(self) -> np.ndarray:
        """How far it can go until a slack, or a price, is 0."""
        there = self._there
        slack = (-self._d_slack / self._slack)[there].max(initial=1e-9)
        price = (-self._d_price[there] / self._price[there]).max(initial=1e-9)
        return 1.0 / np.array([slack, price])

    def go(self, far: float, dear: float) -> None:
        """Go that far, in its plan and in its prices."""
        self.x += far * self._dx
        self.y += dear * self._dy
        self._slack = np.maximum(self._slack + far * self._d_slack, LEAST)
        price = np.maximum(self._price + dear * self._d_price, LEAST)
        self._price = np.where(self._there, price, 0.0)


def _unit(rows: np.ndarray, size: int) -> sp.csc_array:
    """Return columns with a 1 in one row each."""
    return sp.csc_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), (size, len(rows)))


def _count(a: sp.csr_array) -> np.ndarray:
    return np.asarray(np.diff(a.indptr))


__all__ = ["Rest"]
