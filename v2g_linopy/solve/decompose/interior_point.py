"""One interior point over all vehicles and the rest of the case: prices near the best ones, and a
plan from which rounds may go on (docs/formulation.md §12 D).

Mehrotra's predictor and corrector (SIAM Journal on Optimization 2, 1992). What a vehicle adds to
the Newton system comes from a tridiagonal system of its own; what is left has the size of the rest.
Nothing is believed: the bound and the value that prove the plan are found without it."""

import logging
from dataclasses import dataclass

import numpy as np

from .. import oracle
from ..oracle import CHARGE, DISCHARGE, Plans, Stays
from ..solver import Matrix, Settings
from .interior_members import Arrays, Loops, Members, all_plain, compiled_newton, plans_of_point
from .interior_rest import Rest

logger = logging.getLogger(__name__)
_FEW_STEPS = 20  # with fewer, rounds are as quick
_SAMPLED_STEPS = (
    36  # with fewer, prices of a sample and rounds are quicker than all vehicles at once
)
_SAMPLE = 1000  # stays
_SAMPLE_GAP = 1e-5  # relative; what a sample says of the others is not as good
_MANY_CELLS = 50_000_000  # of the Schur complements; beyond, rounds
_ITERATIONS = 60
_SAMPLE_ITERATIONS = 20
_LAGGARDS = 0.05  # share of the stays that may go less far than the others
_BEHIND = 0.1
_BACK = 0.995  # of the way to the nearest limit
_LEAST_CENTRED = 1e-3
_ENOUGH = 0.5  # of the gap that is asked for
_OFF = 1e-7  # kWh by which a stay may miss its limits


@dataclass(frozen=True)
class Found:
    """Prices (EUR per kW on pod and time), a plan for all stays, and what it took."""

    price: np.ndarray
    plans: Plans | None  # None where a sample has found the prices
    iterations: int
    repaired: int  # stays that lagged, and take their best plan at these prices


def fits(stays: Stays, shape: tuple[int, int]) -> bool:
    """Return True where an interior point is worth it: plain stays, many steps, few pods."""
    pods, steps = shape
    return steps > _FEW_STEPS and pods * steps**2 <= _MANY_CELLS and all_plain(stays)


def solve_by_interior_point(
    stays: Stays,
    matrix: Matrix,
    node: np.ndarray,
    penalty: float,
    dt: float,
    price: np.ndarray,
    gap: float,
    scale: float,
    settings: Settings,
) -> Found | None:
    """Find prices near the best ones, and a plan of all stays where they are not too many for the
    steps that they have; else the prices of a sample, in which each stands for several.

    Parameters
    ----------
    stays : Stays
        Of all vehicles; `fits` says which can be solved so.
    matrix, node, penalty
        The rest of the case, as `Rest` takes it.
    dt : float
        Hours of a step.
    price : numpy.ndarray
        Where prices begin (EUR per kW on pod and time).
    gap : float
        EUR at which it is enough.
    scale : float
        EUR that are at stake, about: what a sample finds is judged by it.
    settings : Settings
        With the time that is left.

    Returns
    -------
    Found or None
        None where the numbers break down, or time is up.
    """
    steps, every = node.shape[1], len(stays)
    number = max(1, every // _SAMPLE) if steps <= _SAMPLED_STEPS else 1
    iterations = _ITERATIONS
    if number > 1:
        stays, iterations = stays.every(number), _SAMPLE_ITERATIONS
        gap = max(gap, _SAMPLE_GAP * scale)
    times = every / len(stays)

    run, product = compiled_newton(), _typical(stays, price / dt)
    members: Members = (
        Arrays(stays, node.shape, product)
        if run is None
        else Loops(stays, node.shape, product, run)
    )
    injected = plans_of_point(stays, members.state()).injected(stays) / dt
    power = times * np.bincount(stays.place, injected, node.size).reshape(node.shape)
    loop = _Loop(members, Rest(matrix, node, penalty, power, price), dt, times)
    for _ in range(iterations):
        try:
            left = loop.look()
            if not np.isfinite(left) or settings.left == 0:
                return None
            if left <= _ENOUGH * gap:
                break
            loop.step()
        except RuntimeError:  # the system is singular
            return None
    if number > 1:
        return Found(loop.rest.price, None, loop.steps, 0)
    plans, repaired = _repaired(stays, members, loop.rest.price / dt)
    return Found(loop.rest.price, plans, loop.steps, repaired)


def _typical(stays: Stays, worth: np.ndarray) -> float:
    """Return what a step at full power costs (EUR), about."""
    power = (stays.kinds == CHARGE) | (stays.kinds == DISCHARGE)
    return float(np.abs(worth).mean() * (stays.width * stays.rate)[:, power].mean()) or 1.0


class _Loop:
    """Vehicles and the rest, step by step; each has the mean of its own products as its aim.

    Each stay counts `times`, as it stands for others that are like it.
    """

    def __init__(self, members: Members, rest: Rest, dt: float, times: float = 1.0):
        self.members, self.rest, self._dt, self._times = members, rest, dt, times
        self.steps = 0

    def look(self) -> float:
        """Factor the systems; return how far it is from the end (EUR): by the sum of all products,
        or by what the rest and the vehicles disagree on.
        """
        dt, times = self._dt, self._times
        schur, power, change, own = self.members.predict(self.rest.price / dt)
        self._schur = times * schur / dt**2
        self._power, self._change = times * power / dt, times * change / dt
        self._left = times * own + self.rest.products
        self._off = self.rest.off(self._power)
        return max(self._left, self._off)

    def step(self) -> None:
        """Go one step from where it has looked."""
        members, rest, dt, times = self.members, self.rest, self._dt, self._times
        rest.factorise(self._schur)
        power = self._power + self._change
        rest.aim(power, 0.0, 0.0)
        most, parts, second, each = members.bend(rest.toward / dt)
        far, dear, own = self._steps(most, np.minimum(rest.most(), 1.0))
        after = parts[0] + own[0] * parts[1] + own[1] * parts[2] + own[0] * own[1] * parts[3]
        ratio = (times * float(after.sum()) + rest.products_after(far, dear)) / self._left
        # what is left of disagreement must not outlast the products: there is no way back then
        behind = min(_BEHIND * self._off / self._left, 1.0)
        centred = max(min(ratio, 1.0) ** 3, _LEAST_CENTRED, behind)

        target = centred * float(parts[0].sum()) / members.pairs
        bent = rest.second(far * dear)
        power = power + times * (second + target * each) / dt
        rest.aim(power, centred * rest.products / rest.pairs, bent)
        most = np.minimum(_BACK * members.turn(rest.toward / dt, target), 1.0)
        far, dear, own = self._steps(most, np.minimum(_BACK * rest.most(), 1.0))
        members.go(own)
        rest.go(far, dear)
        self.steps += 1
        left = max(self._left, self._off)
        logger.debug("interior point, iteration %d: %.3g EUR to go", self.steps, left)

    def _steps(self, most: np.ndarray, rest: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Return the steps of the plan and of the prices, and those of each stay: laggards go as
        far as they can.
        """
        common = np.minimum(np.quantile(most, _LAGGARDS, axis=1), rest)
        return float(common[0]), float(common[1]), np.minimum(most, common[:, None])


def _repaired(stays: Stays, members: Members, worth: np.ndarray) -> tuple[Plans, int]:
    """Return the plans, with those of the oracle for stays that are outside their limits."""
    plans = plans_of_point(stays, members.state())
    lagging = np.flatnonzero(~(plans.missed <= _OFF))
    for k in lagging.tolist():
        here = slice(stays.first[k], stays.first[k + 1])
        best = oracle.best_plans(stays.part(k, k + 1), worth.ravel())
        plans.moved[here], plans.energy[here] = best.moved, best.energy
    plans.missed[:] = 0.0
    return plans, len(lagging)


__all__ = ["Found", "fits", "solve_by_interior_point"]
