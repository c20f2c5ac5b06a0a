"""What is bid in the day-ahead auction before it is known who comes (docs/formulation.md §4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..errors import Problem
from ..model.formulas_time import first_of_block, same_block
from ..model.gates import Gates
from ..model.inputs import Inputs
from ..solve.solver import Matrix, Settings, solve_matrix
from .bid_scenarios import Outcome, days_before
from .price_forecasts import auction_of, on_steps

QUANTITIES = ("week-ago", "mean-of-days", "none", "known")
"""Bids of a quantity that is expected, and what may be expected beside another bid."""
SPREAD_BIDS = ("saa-backed", "saa-virtual", "cvar-backed", "cvar-virtual")
"""Bids that trade the spread between day-ahead and one imbalance price."""
BIDS = (*QUANTITIES[:2], *SPREAD_BIDS, "quantile", *QUANTITIES[2:])
"""Everything that may be bid, by name."""
CAPS = ("mean", "min", "quantile")
"""Statistics over scenarios of the connected power, which caps a virtual position."""
_LEAST = 1e-12  # EUR/kWh; a smaller difference of mean prices is none


@dataclass(frozen=True)
class BidRule:
    """How the day-ahead auction is bid where a case is operated session by session.

    Parameters
    ----------
    kind : str, default "week-ago"
        A quantity: ``week-ago``, that of the same hour a week ago; ``mean-of-days``, the mean over
        the scenarios; ``none``; or ``known``, what will be delivered, which nobody knows: a
        benchmark, no bid.

        A position that is best in the mean of the scenarios (sample average approximation):
        ``saa-backed`` between nothing and their mean quantity, ``saa-virtual`` between the caps;
        ``cvar-backed`` and ``cvar-virtual`` weigh the worst scenarios as well.

        ``quantile``: the quantity that two imbalance prices make best.
    days : int, default 10
        Most scenarios: the latest days of the same class that are over when the gate closes, price
        and quantity together.
    caps : {"mean", "min", "quantile"}, default "mean"
        The statistic over the scenarios of the connected power that caps a virtual position, both
        ways.
    cap_level : float, default 0.5
        Of the caps, where they are a quantile.
    risk_weight : float, default 0.5
        Weight of the worst scenarios, for ``cvar-backed`` and ``cvar-virtual``.
    confidence : float, default 0.9
        The worst 1 - confidence of the scenarios count.
    expects : str, default ""
        The quantity that is expected when the gate closes, from which the sources of profit tell a
        virtual position: one of ``week-ago``, ``mean-of-days``, ``none``, ``known``. By default the
        mean over the scenarios for bids that are made of scenarios, else what is bid.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> v2g.BidRule("cvar-virtual", caps="min").confidence
    0.9
    """

    kind: str = "week-ago"
    days: int = 10
    caps: str = "mean"
    cap_level: float = 0.5
    risk_weight: float = 0.5
    confidence: float = 0.9
    expects: str = ""

    @property
    def of_scenarios(self) -> bool:
        """Return True where the bid is made of scenarios."""
        return self.kind in (*SPREAD_BIDS, "quantile", "mean-of-days")

    @property
    def expected(self) -> str:
        """Return which quantity is expected."""
        if self.expects:
            return self.expects
        return "mean-of-days" if self.of_scenarios else self.kind

    @property
    def note(self) -> str:
        """Return what whoever reads a result must know of the bid; empty where it is plain."""
        if self.kind.startswith("saa"):
            return (
                f"{self.kind}: a bet on the spread and nothing else. At one imbalance price the"
                " position earns position x (day-ahead - imbalance), whatever is delivered; so, by"
                f" the mean of up to {self.days} days, it goes to one of its caps in each step"
            )
        return NOTES.get(self.kind, "")

    def recorded(self) -> dict[str, str | float]:
        """Return what a result keeps of it; nothing is drawn, so there is no seed."""
        kept: dict[str, str | float] = {"bids": self.kind, "bids_expected": self.expected}
        if self.of_scenarios or self.expected == "mean-of-days":
            kept["bid_days"] = self.days
        if self.kind.endswith("virtual"):
            kept["bid_caps"] = self.caps
            if self.caps == "quantile":
                kept["bid_cap_level"] = self.cap_level
        if self.kind.startswith("cvar"):
            kept |= {"bid_risk_weight": self.risk_weight, "bid_confidence": self.confidence}
        if self.note:
            kept["bid_note"] = self.note
        return kept

    def problems(self) -> list[Problem]:
        """Return everything that is wrong with the rule by itself."""
        words = {"bids": (self.kind, BIDS), "caps": (self.caps, CAPS)}
        words |= {"expects": (self.expected, QUANTITIES)} if self.kind in BIDS else {}
        found = [
            Problem(name, "choice", f"{word!r} is not one of {', '.join(known)}")
            for name, (word, known) in words.items()
            if word not in known
        ]
        ranges = {
            "days": (self.days >= 1, "at least 1"),
            "cap_level": (0 <= self.cap_level <= 1, "from 0 to 1"),
            "risk_weight": (0 <= self.risk_weight <= 1, "from 0 to 1"),
            "confidence": (0 <= self.confidence < 1, "from 0 to less than 1"),
        }
        return found + [
            Problem(name, "range", f"{getattr(self, name)!r} is not {told}")
            for name, (holds, told) in ranges.items()
            if not holds
        ]


NOTES = {
    "known": (
        "known: a benchmark, no bid. What is delivered is bid as if it were known before the gate"
        " closes (wait and see)"
    ),
    "cvar-backed": (
        "cvar-backed: a position between nothing and the mean quantity, with the worst days weighed"
        " in: it hedges them"
    ),
    "cvar-virtual": (
        "cvar-virtual: a bet on the spread, as far as the worst days that are weighed in allow it"
    ),
}


@dataclass(frozen=True)
class Bids:
    """Positions and what was expected to be delivered, on the steps of a case (kW; sale +)."""

    position: np.ndarray
    expected: np.ndarray


def day_ahead_bids(
    rule: BidRule,
    net: np.ndarray,
    connected: np.ndarray,
    steps: range,
    inputs: Inputs,
    gates: Gates,
) -> Bids:
    """Return the position of each step in the auction, and the quantity that was expected.

    All that a bid knows was delivered before its gate closes, by the same policy; what has not been
    operated is not known, so near the begin nothing is bid. With K scenarios s of quantity q and
    prices pi (day-ahead), iota (imbalance), the position x of a day with caps l <= x <= h::

        saa     max  mean_s sum x (pi_s - iota_s),      so x = h where the mean spread is positive
        cvar    max  (1 - w) mean_s r_s + w CVaR(r),    r_s = sum x (pi_s - iota_s) + q_s iota_s
        backed  l = min(0, mean_s q_s),  h = max(0, mean_s q_s)
        virtual h = -l = the statistic `caps` of the connected power

    ``quantile`` is for two imbalance prices: with the mean prices pi, iota- of a surplus and iota+
    of a shortage, it is the quantile (pi - iota-) / (iota+ - iota-) of the quantities, which is
    best where prices and quantities are independent.

    Parameters
    ----------
    rule : BidRule
        What is bid.
    net : numpy.ndarray
        What was delivered in each step of the case (kW; feed-in +).
    connected : numpy.ndarray
        What could be drawn or fed in at most (kW).
    steps : range
        The steps that were operated.
    inputs : Inputs
        The case, for its clock, its prices and its market blocks.
    gates : Gates
        When the auction closes.

    Returns
    -------
    Bids
        On the steps of the case, the same in all steps of a market block, and positions within
        `energy.limit`.
    """
    auction = auction_of(gates)
    if auction is None:
        return Bids(np.zeros_like(net), np.zeros_like(net))
    begin = _block_begins(inputs, auction)
    operated = np.isin(np.arange(len(net)), steps)
    came = _outcome(net, connected, operated, inputs, auction).each(lambda x: _means(x, begin))
    # steps that are over when the gate closes, counted from the begin of the case
    closes = gates.close["energy"].isel(market=auction).to_numpy()
    step = np.timedelta64(round(inputs.dt * 3600), "s")
    over = np.searchsorted(inputs.calendar.time.to_numpy(), closes - step, side="right")

    def on_blocks(kind: str) -> np.ndarray:
        known = _by_kind(kind, rule, came, over, inputs)
        return _means(np.where(operated, np.nan_to_num(known), 0.0), begin)

    limit = inputs.data["energy"].limit
    most = limit.isel(market=auction) if "market" in limit.dims else limit
    position = np.clip(on_blocks(rule.kind), -most.to_numpy(), most.to_numpy())
    as_bid = rule.expected == rule.kind
    return Bids(position, position if as_bid else on_blocks(rule.expected))


def _by_kind(
    kind: str, rule: BidRule, came: Outcome, over: np.ndarray, inputs: Inputs
) -> np.ndarray:
    """Return a quantity on the steps of a case; NaN where nothing is known."""
    if kind == "none":
        return np.zeros_like(came.quantity)
    if kind == "known":
        return came.quantity
    if kind == "week-ago":
        return _week_ago(came.quantity, over, round(7 * 24 / inputs.dt))
    bid = np.full(len(came.quantity), np.nan)
    for steps, days in days_before(came, over, inputs, rule.days):
        bid[steps] = OF_SCENARIOS[kind](days, rule)
    return bid


def _week_ago(delivered: np.ndarray, over: np.ndarray, week: int) -> np.ndarray:
    """Return what was delivered a week of steps ago, where that is over when the gate closes."""
    steps = np.arange(len(delivered))
    before = np.concatenate([np.full(week, np.nan), delivered])[: len(delivered)]
    return np.where(steps - week < over, before, np.nan)


def _mean(days: Outcome, rule: BidRule) -> np.ndarray:
    return np.asarray(days.quantity.mean(axis=0))


def _saa_backed(days: Outcome, rule: BidRule) -> np.ndarray:
    return _best_in_the_mean(days, *_backed(days))


def _saa_virtual(days: Outcome, rule: BidRule) -> np.ndarray:
    return _best_in_the_mean(days, *_virtual(days, rule))


def _cvar_backed(days: Outcome, rule: BidRule) -> np.ndarray:
    return _best_with_risk(days, rule, *_backed(days))


def _cvar_virtual(days: Outcome, rule: BidRule) -> np.ndarray:
    return _best_with_risk(days, rule, *_virtual(days, rule))


def _backed(days: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Caps between nothing and the mean quantity."""
    mean = days.quantity.mean(axis=0)
    return np.minimum(mean, 0.0), np.maximum(mean, 0.0)


def _virtual(days: Outcome, rule: BidRule) -> tuple[np.ndarray, np.ndarray]:
    """Caps of the connected power, both ways."""
    statistic: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
        "mean": lambda x: np.asarray(x.mean(axis=0)),
        "min": lambda x: np.asarray(x.min(axis=0)),
        "quantile": lambda x: np.quantile(x, rule.cap_level, axis=0),
    }
    cap = statistic[rule.caps](days.connected)
    return -cap, cap


def _best_in_the_mean(days: Outcome, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The position is at a cap, but for a mean spread of nothing: there it is the mean quantity."""
    spread = days.spread.mean(axis=0)
    even = np.clip(days.quantity.mean(axis=0), low, high)
    return np.where(spread > _LEAST, high, np.where(spread < -_LEAST, low, even))


def _best_with_risk(days: Outcome, rule: BidRule, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the position x of a day that is best with the worst scenarios weighed in.

    With the value at risk v, and what is missing to it in each scenario m_s >= 0::

        max  (1 - w) mean_s r_s + w (v - mean_s m_s / (1 - confidence)),   v - r_s <= m_s
        r_s = sum x (pi_s - iota_s) + q_s iota_s

    (Rockafellar, Uryasev 2000).
    """
    count, steps = days.spread.shape
    delivered = (days.quantity * days.shortage).sum(axis=1)
    weight = rule.risk_weight
    a = np.hstack([-days.spread, np.ones((count, 1)), -np.eye(count)])
    tail = weight / (1 - rule.confidence) / count
    free = np.inf
    found = solve_matrix(
        Matrix(
            a=sp.csc_array(a),
            row_lower=np.full(count, -np.inf),
            row_upper=delivered,
            cost=np.concatenate(
                [(1 - weight) * days.spread.mean(axis=0), [weight], np.full(count, -tail)]
            ),
            lower=np.concatenate([low, [-free], np.zeros(count)]),
            upper=np.concatenate([high, [free], np.full(count, free)]),
            integer=np.zeros(a.shape[1], bool),
        ),
        Settings(),
    )
    return np.clip(found.primal[:steps], low, high)


def _quantile(days: Outcome, rule: BidRule) -> np.ndarray:
    """Return the smallest quantity whose share of scenarios at or below it is the ratio of prices.

    It is one of the quantities, so never beyond all of them; where both prices are one, their mean.
    """
    two = days.of_two_prices
    price, surplus, shortage = (x.mean(axis=0) for x in (two.day_ahead, two.surplus, two.shortage))
    differ = shortage - surplus > _LEAST
    ratio = (price - surplus) / np.where(differ, shortage - surplus, 1.0)
    count = len(days.quantity)
    rank = np.clip(np.ceil(ratio * count - 1e-9).astype(int) - 1, 0, count - 1)
    chosen = np.take_along_axis(np.sort(days.quantity, axis=0), rank[None, :], axis=0)[0]
    return np.where(differ, chosen, days.quantity.mean(axis=0))


OF_SCENARIOS: Mapping[str, Callable[[Outcome, BidRule], np.ndarray]] = {
    "mean-of-days": _mean,
    "saa-backed": _saa_backed,
    "saa-virtual": _saa_virtual,
    "cvar-backed": _cvar_backed,
    "cvar-virtual": _cvar_virtual,
    "quantile": _quantile,
}
"""Positions of a day, on its steps, from scenarios on (scenario, step)."""


def _outcome(
    net: np.ndarray, connected: np.ndarray, operated: np.ndarray, inputs: Inputs, auction: int
) -> Outcome:
    """What came in each step; imbalance costs what day-ahead does where there is none."""
    day_ahead = on_steps(inputs, inputs.data["energy"].price, auction)
    surplus = shortage = day_ahead
    if "imbalance" in inputs.data:
        d = inputs.data["imbalance"]
        surplus = on_steps(inputs, d.price_long)
        shortage = on_steps(inputs, d.get("price_short", d.price_long))
    return Outcome(np.where(operated, net, np.nan), connected, day_ahead, surplus, shortage)


def _block_begins(inputs: Inputs, auction: int) -> np.ndarray:
    """Return the number of the step in which the market block of each step begins."""
    calendar, hours = inputs.calendar, inputs.data["energy"].block
    hours = hours.isel(market=auction, drop=True) if "market" in hours.dims else hours
    same = same_block(hours, calendar.time, calendar.timezone, inputs.dt)
    return np.asarray(first_of_block(same, calendar.time).to_numpy())


def _means(x: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Return the mean of each market block, on its steps."""
    mean = np.bincount(begin, x) / np.maximum(np.bincount(begin), 1)
    return np.asarray(mean[begin])
