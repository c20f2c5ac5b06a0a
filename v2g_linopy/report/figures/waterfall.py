"""From the first way of operating to the last: what each step adds to the profit, by source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from .. import labels as words
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    empty,
    sheet,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOURCES = {
    "retail": GREEN,
    "energy": BLUE,
    "deviation": SKY,
    "virtual": VERMILLION,
    "later markets": PURPLE,
    "owners": ORANGE,
    "other": YELLOW,
}
TOTAL, SUM = "total", "sum"
"""The last column and the last row of the table of steps."""
_LEAST = 0.005  # money; a change that rounds to nothing is no bar


@dataclass(frozen=True)
class Bar:
    """A change that begins where the one before ended, or a total, which begins at zero."""

    label: str
    begin: float
    end: float
    colour: str
    is_total: bool = False


def profit_waterfall(steps: pd.DataFrame, money: str = "EUR") -> Figure:
    """Draw what each way of operating adds to the one before it, source by source.

    Every bar begins where the one above ended; bars from zero are what a way of operating earns
    in all.

    Parameters
    ----------
    steps
        As `v2g.profit_steps` returns it: sources on rows, steps on columns, the last of each the
        sum.
    money
        The currency, for the axis.
    """
    bars = waterfall_bars(steps)
    if all(bar.is_total for bar in bars):
        return empty("No step changes anything.")
    with sheet(height=1.3 + 0.3 * len(bars)) as (figure, grid):
        axes = grid[0, 0]
        _draw(axes, bars)
        axes.set_xlabel(f"profit, {money}")
        title(axes, "What each step adds, and where it comes from")
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
    return figure


def waterfall_bars(steps: pd.DataFrame) -> list[Bar]:
    """Return the bars from top to bottom: of each step its changes, and the total after it."""
    bars, level = [], 0.0
    sources = steps.drop(index=SUM)
    for step in (n for n in steps.columns if n != TOTAL):
        name = str(step).removeprefix("+ ")
        for source, change in sources[step].items():
            if abs(change) >= _LEAST:
                colour = SOURCES.get(str(source), GREY)
                bars.append(Bar(f"{name}: {source}", level, level + change, colour))
            level += float(change)
        bars.append(Bar(name, 0.0, level, PALE, is_total=True))
    return bars


def _draw(axes: Axes, bars: list[Bar]) -> None:
    """Draw bars, the lines that lead from one to the next, and their amounts."""
    low = min(0.0, *(min(bar.begin, bar.end) for bar in bars))
    high = max(0.0, *(max(bar.begin, bar.end) for bar in bars))
    reach = (high - low) or 1.0
    for place, bar in enumerate(bars):
        axes.barh(
            place,
            bar.end - bar.begin,
            left=bar.begin,
            height=0.66,
            color=bar.colour,
            edgecolor=BLACK if bar.is_total else bar.colour,
            linewidth=0.6,
        )
        if place:
            axes.plot([bars[place - 1].end] * 2, [place - 1, place], color=GREY, linewidth=0.6)
        amount = bar.end if bar.is_total else bar.end - bar.begin
        text = words.money(amount) if bar.is_total else words.signed(amount, 2)
        axes.annotate(
            text,
            (max(bar.begin, bar.end), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold" if bar.is_total else "normal",
        )
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    for label, bar in zip(axes.get_yticklabels(), bars, strict=True):
        label.set_fontweight("bold" if bar.is_total else "normal")
    axes.invert_yaxis()
    axes.axvline(0, color=BLACK, linewidth=0.8)
    axes.set_xlim(low - 0.02 * reach * (low < 0), high + 0.14 * reach)
