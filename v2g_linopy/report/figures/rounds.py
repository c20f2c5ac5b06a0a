"""Rounds of two levels: value and bound until the gap is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..result_view import Result, ResultView
from .style import BLUE, GREY, ORANGE, beneath, empty, sheet, tick_number, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_GAP = 1e-9  # of the value; below it a gap is nothing
_COMPLETE = 1e-6  # kW missing


def rounds(result: Result) -> Figure:
    """Draw what the best mix of plans is worth after every round, and how far the bound is."""
    view = ResultView.of(result)
    if not view.has("decomposition", "bound"):
        return empty("This result was not found in rounds.")
    value, bound, missing = (
        np.asarray(view.get("decomposition", name), float)
        for name in ("value", "bound", "missing_power")
    )
    number = np.arange(1, len(value) + 1)
    complete = missing <= _COMPLETE
    with sheet(1, 2, height=3.0) as (figure, grid):
        left, right = grid[0]
        known = np.isfinite(bound)
        left.plot(number[known], bound[known], color=ORANGE, marker=".", label="bound")
        mixed = np.where(complete, value, np.nan)
        left.plot(number, mixed, color=BLUE, marker=".", label="value of the mix")
        left.set_ylabel(view.currency)
        title(left, "Value and bound by round")
        least = _LEAST_GAP * max(1.0, abs(float(value[-1])))
        gap = np.where(complete & known, np.maximum(bound - value, least), np.nan)
        right.plot(number, gap, color=BLUE, marker=".", label="bound less value")
        right.set_yscale("log")
        right.set_ylabel(f"{view.currency} (logarithmic)")
        title(right, "What is not yet proved")
        for axes in (left, right):
            _whole_rounds(axes, len(value))
            if not complete.all():
                first = int(np.argmax(complete)) if complete.any() else len(value)
                axes.axvspan(0.5, first + 0.5, color=GREY, alpha=0.15, linewidth=0)
        if not complete.all():
            left.plot([], [], color=GREY, alpha=0.3, linewidth=6, label="power is missing")
        beneath(figure, left)
    return figure


def _whole_rounds(axes: Axes, count: int) -> None:
    """Ticks at whole rounds."""
    every = max(1, -(-count // 10))
    axes.set_xticks(range(1, count + 1, every))
    axes.set_xlim(0.5, count + 0.5)
    axes.xaxis.set_major_formatter(tick_number)
    axes.set_xlabel("rounds of prices and plans")
