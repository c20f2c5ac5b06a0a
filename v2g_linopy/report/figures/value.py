"""Figures about money: the value ladder and the bill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...solve.result import in_profit
from .. import labels as words
from ..result_view import Result, ResultView
from .style import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    empty,
    legend_entries,
    sheet,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAUSES = {
    "energy": BLUE,
    "reserve": GREEN,
    "wear": VERMILLION,
    "drivers": ORANGE,
    "owners": YELLOW,
    "grid": PURPLE,
    "other": GREY,
}
PENALTIES = "penalties"
"""The cause that changes the objective and not the profit."""


def changes_by_cause(view: ResultView) -> pd.DataFrame:
    """Return what changes from the compared rung to each rung, by cause.

    It is money over the horizon: rungs by causes.
    """
    ladder = view.groups["ladder"]
    return pd.DataFrame(
        ladder["step"].transpose("rung", "cause").values,
        index=[str(r) for r in ladder.indexes["rung"]],
        columns=[str(c) for c in ladder.indexes["cause"]],
    ).fillna(0.0)


def rung_before(view: ResultView, rung: str) -> str:
    """The rung that `rung` is compared with; empty for the first."""
    return str(view.groups["ladder"]["before"].sel(rung=rung).item())


def value_ladder(result: Result) -> Figure:
    """Profit of every rung of the ladder, and which causes make the difference to the rung before.

    Left: profit, per vehicle and year. Right: the change by cause; the diamond is their sum.
    """
    view = ResultView.of(result)
    if not view.has("ladder", "profit"):
        return empty(
            "No value ladder: this result was solved alone. `v2g compare` adds the ladder."
        )
    factor, unit = view.scale, view.unit
    rungs = [str(r) for r in view.index("ladder", "rung")]
    profit = np.asarray(view.get("ladder", "profit").values, dtype=float) * factor
    with sheet(1, 2, height=1.2 + 0.46 * len(rungs), sharey=True, width_ratios=[1, 1.15]) as (
        figure,
        axes,
    ):
        left, right = axes[0]
        places = np.arange(len(rungs))
        left.barh(places, profit, color=PALE, height=0.62)
        write_values(left, places, profit)
        left.set_yticks(places, rungs)
        left.invert_yaxis()
        left.set_xlabel(f"profit, {unit}")
        title(left, "What each rung earns")
        changes(right, view, rungs, factor)
        right.set_xlabel(f"change, {unit}")
        title(right, "Where the change comes from")
        handles, labels = legend_entries(right)
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(labels), handlelength=1.6
        )
        for panel in (left, right):
            panel.grid(visible=True, axis="x")
            panel.grid(visible=False, axis="y")
            panel.axvline(0, color=BLACK, linewidth=0.8)
    return figure


def changes(axes: Axes, view: ResultView, rungs: list[str], factor: float) -> None:
    """Stack the causes of each rung's change, gains to the right and losses to the left of zero."""
    table = changes_by_cause(view).drop(columns=PENALTIES, errors="ignore") * factor
    places = np.arange(len(rungs))
    gain, loss = np.zeros(len(rungs)), np.zeros(len(rungs))
    for cause in table.columns:
        values = table[cause].to_numpy()
        if not np.any(np.abs(values) > 1e-9):
            continue
        start = np.where(values >= 0, gain, loss)
        label = words.CAUSES.get(cause, cause)
        axes.barh(
            places, values, left=start, height=0.62, color=CAUSES.get(cause, SKY), label=label
        )
        gain, loss = gain + np.maximum(values, 0), loss + np.minimum(values, 0)
    shown = [i for i, rung in enumerate(rungs) if rung_before(view, rung)]
    total = table.sum(axis=1).to_numpy()
    axes.plot(
        total[shown],
        places[shown],
        "D",
        color=BLACK,
        markersize=4.5,
        markeredgecolor="white",
        label="sum",
    )
    reach = float(gain.max(initial=0)) - float(loss.min(initial=0)) or 1.0
    for i in shown:
        text = f"{words.signed(total[i])}  on {rung_before(view, rungs[i])}"
        axes.annotate(
            text,
            (gain[i], places[i]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xlim(
        float(loss.min(initial=0)) - 0.06 * reach, float(gain.max(initial=0)) + 0.55 * reach
    )


def write_values(axes: Axes, places: np.ndarray, values: np.ndarray) -> None:
    """Write each bar's value at its end, with room for the text."""
    low, high = min(0.0, float(values.min(initial=0))), max(0.0, float(values.max(initial=0)))
    reach = (high - low) or 1.0
    for place, value in zip(places, values, strict=True):
        side, where = ("left", 4) if value >= 0 else ("right", -4)
        axes.annotate(
            words.shown_number(value),
            (value, place),
            xytext=(where, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=8,
        )
    axes.set_xlim(
        low - (0.3 * reach if low < 0 else 0),
        high + (0.3 * reach if high > 0 or low == 0 else 0.02 * reach),
    )


def bill(result: Result) -> Figure:
    """Every entry of the ledger: income to the right, costs to the left; penalties are hatched."""
    view = ResultView.of(result)
    if not view.has("ledger") or not view.groups["ledger"].data_vars:
        return empty("No ledger in this result.")
    factor, unit = view.scale, view.unit
    sums = {str(k): float(v.sum()) * factor for k, v in view.groups["ledger"].data_vars.items()}
    names = [k for k, v in sums.items() if abs(v) > 1e-9] or list(sums)
    values = np.array([sums[k] for k in names])
    profit = sum(v for k, v in sums.items() if in_profit(k))
    with sheet(height=1.0 + 0.34 * (len(names) + 1)) as (figure, grid):
        axes = grid[0, 0]
        places = np.arange(len(names) + 1)
        colours = [GREEN if v >= 0 else VERMILLION for v in values]
        bars = axes.barh(places[:-1], values, color=colours, height=0.62)
        for bar, name in zip(bars, names, strict=True):
            if not in_profit(name):
                bar.set_hatch("////")
        axes.barh(places[-1:], [profit], color=BLUE, height=0.62)
        write_values(axes, places, np.append(values, profit))
        axes.set_yticks(places, [words.entry(k, view.parts) for k in names] + ["profit"])
        axes.invert_yaxis()
        axes.axvline(0, color=BLACK, linewidth=0.8)
        axes.axhline(len(names) - 0.5, color=GREY, linewidth=0.6)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"income (+) and cost (−), {unit}")
        title(axes, "Bill", view.note)
    return figure


def colours(labels: list[str]) -> dict[str, str]:
    """A colour per label, in order."""
    return {label: CYCLE[i % len(CYCLE)] for i, label in enumerate(labels)}
