"""The loop of two levels: prices go out, plans come back, until a bound proves the mix
(docs/formulation.md §11).
"""

import logging
import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field

from ..solver import TIME_LIMIT, Settings
from .message import Message
from .plans import Plan
from .portfolio_model import Mixed, PortfolioModel

logger = logging.getLogger(__name__)
GAP = 1e-6
ROUNDS = 200
NOTHING_MISSING = 1e-6  # kW


@dataclass(frozen=True)
class Round:
    """One round: what was told, and what came of it."""

    message: Message
    value: float
    bound: float
    missing: float
    seconds: float


@dataclass
class Found:
    """What the loop has found so far."""

    mixed: Mixed | None = None
    bound: float = float("inf")
    rounds: list[Round] = field(default_factory=list)
    status: str = "optimal"

    @property
    def gap(self) -> float:
        """Bound less value, relative to the value (to 1 EUR where that is less)."""
        if self.mixed is None:
            return float("inf")
        return (self.bound - self.mixed.value) / max(1.0, abs(self.mixed.value))


Answer = Callable[[Message], tuple[Message, list[Plan]]]
"""Gives the plans of all sites at the prices of a message, and that message; while a run goes on
from rounds that it finds, these in place of an answer."""


def generate_plans(
    portfolio: PortfolioModel,
    answer: Answer,
    first: Message,
    settings: Settings,
    *,
    gap: float = GAP,
    rounds: int = ROUNDS,
    found: Found | None = None,
) -> Found:
    """Price, plan and mix until the gap is closed, no plan is new, or a limit is reached.

    Parameters
    ----------
    portfolio : PortfolioModel
        Level two.
    answer : callable
        Level one.
    first : Message
        What the sites are told first.
    settings : Settings
        Its time limit holds for all rounds.
    gap : float, default 1e-6
        Relative gap at which it ends.
    rounds : int, default 200
        Most rounds.
    found : Found, optional
        What was found before; its bound no longer moves then, as something is held fixed now.

    Returns
    -------
    Found
    """
    bounded = found is None
    found = Found() if found is None else found
    message = first
    for _ in range(rounds):
        start = clock.perf_counter()
        message, plans = answer(message)
        if bounded:
            found.bound = min(
                found.bound, sum(plan.value for plan in plans) + portfolio.worth(message)
            )
        new = portfolio.add(plans)
        if new or found.mixed is None:
            found.mixed = portfolio.solve()
        mixed = found.mixed
        seconds = clock.perf_counter() - start
        found.rounds.append(Round(message, mixed.value, found.bound, mixed.missing, seconds))
        logger.info(
            "round %d: value %.6f, bound %.6f, missing %.3g kW",
            *(len(found.rounds), mixed.value, found.bound, mixed.missing),
        )
        complete = mixed.missing <= NOTHING_MISSING
        if complete and found.gap <= gap:
            break
        if not new:
            if complete or not portfolio.raise_missing_cost():
                break
            found.mixed = mixed = portfolio.solve()
        if settings.left == 0:
            found.status = TIME_LIMIT
            break
        message = mixed.message
    else:
        found.status = "iteration_limit"
    return found
