"""Day-ahead bids against all positions that they could have taken (docs/formulation.md §15: 42)."""

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants.wanted import Draw

from v2g_linopy.model.risk_measures import mean_of_lowest
from v2g_linopy.operate.bid_scenarios import Outcome
from v2g_linopy.operate.day_ahead_bids import OF_SCENARIOS, BidRule

SHARES = np.linspace(0, 1, 9)


@st.composite
def earlier_days(draw: Draw, steps: int = 2) -> Outcome:
    """Up to six days of whole kW and EUR/MWh, of cars that draw or feed in."""
    count = draw(st.integers(1, 6))

    def numbers(low: int, high: int) -> np.ndarray:
        cells = st.integers(low, high)
        rows = st.lists(cells, min_size=count * steps, max_size=count * steps)
        return np.array(draw(rows), float).reshape(count, steps)

    quantity, day_ahead, imbalance = numbers(-5, 3), numbers(-10, 60), numbers(-40, 90)
    return Outcome(quantity, abs(quantity) + numbers(0, 3), day_ahead, imbalance, imbalance)


def value(days: Outcome, position: np.ndarray, rule: BidRule) -> float:
    """What a position is worth: the mean of the days, and the mean of the worst."""
    earned = (position * days.spread + days.quantity * days.shortage).sum(axis=1)
    if not rule.kind.startswith("cvar"):
        return float(earned.mean())
    by_day = xr.DataArray(earned, dims="scenario")
    weight = xr.full_like(by_day, 1 / len(earned))
    worst = float(mean_of_lowest(by_day, weight, 1 - rule.confidence))
    return (1 - rule.risk_weight) * float(earned.mean()) + rule.risk_weight * worst


def caps(days: Outcome, rule: BidRule) -> np.ndarray:
    """Least and largest position, as they are defined."""
    if rule.kind.endswith("backed"):
        mean = days.quantity.mean(axis=0)
        return np.stack([np.minimum(mean, 0), np.maximum(mean, 0)])
    statistic = {"mean": np.mean, "min": np.min}[rule.caps](days.connected, axis=0)
    return np.stack([-statistic, statistic])


@given(
    earlier_days(),
    st.sampled_from(["saa-backed", "saa-virtual", "cvar-backed", "cvar-virtual"]),
    st.sampled_from(["mean", "min"]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 0.5, 0.9]),
)
def test_no_position_within_the_caps_is_worth_more(days, kind, statistic, weight, confidence):
    """Against a grid of positions between the caps, and each within them."""
    rule = BidRule(kind, caps=statistic, risk_weight=weight, confidence=confidence)
    low, high = caps(days, rule)
    found = OF_SCENARIOS[kind](days, rule)
    assert (low - 1e-9 <= found).all()
    assert (found <= high + 1e-9).all()
    best = value(days, found, rule)
    grid = low + SHARES[:, None] * (high - low)
    for first in grid[:, 0]:
        for second in grid[:, 1]:
            assert value(days, np.array([first, second]), rule) <= best + 1e-6


@given(earlier_days(steps=1))
def test_a_quantile_is_best_where_price_and_quantity_are_independent(days):
    """Each price meets each quantity: no quantity between the least and the largest earns more."""
    two = days.of_two_prices
    quantity = days.quantity[:, 0]

    def earned(position: float) -> float:
        more = np.maximum(quantity - position, 0.0).mean()
        less = np.maximum(position - quantity, 0.0).mean()
        prices = two.day_ahead.mean(), two.surplus.mean(), two.shortage.mean()
        return position * prices[0] + more * prices[1] - less * prices[2]

    (found,) = OF_SCENARIOS["quantile"](days, BidRule("quantile"))
    assert quantity.min() <= found <= quantity.max()
    assert all(earned(x) <= earned(found) + 1e-9 for x in np.linspace(-5, 3, 33))
