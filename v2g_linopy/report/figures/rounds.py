"""Rounds of two levels: value and bound until the gap is closed, and the plans that are mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..found_in_rounds import COMPLETE
from ..result_view import Result, ResultView
from .style import BLUE, GREY, ORANGE, beneath, empty, matplotlib, sheet, tick_number, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_GAP = 1e-9  # of the value; below it a gap is nothing
_MOST_SITES = 50  # that are drawn
_MOST_NUMBERS = 300  # cells up to which each says its weight
_DARK = 0.6  # weight from which on a number is white


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
    complete = missing <= COMPLETE
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


def weights(result: Result) -> Figure:
    """Draw of which plans the mix is made: by site, and by the round in which each plan came."""
    view = ResultView.of(result)
    if not view.has("decomposition", "weight"):
        return empty("No plans of sites are mixed in this result.")
    weight, pod, came = (
        np.asarray(view.get("decomposition", name)) for name in ("weight", "plan_pod", "plan_round")
    )
    used = weight > COMPLETE
    every = np.unique(pod[used].astype(str))
    sites, columns = every[:_MOST_SITES], np.unique(came[used])
    share = np.zeros((len(every), len(columns)))
    place = np.searchsorted(every, pod[used].astype(str)), np.searchsorted(columns, came[used])
    np.add.at(share, place, weight[used].astype(float))
    share = share[: len(sites)]
    map_of_colours = matplotlib().colors.LinearSegmentedColormap.from_list(
        "weights", ["#ffffff", BLUE]
    )
    with sheet(height=1.6 + 0.17 * len(sites)) as (figure, grid):
        axes = grid[0, 0]
        mesh = axes.imshow(share, map_of_colours, aspect="auto", vmin=0.0, vmax=1.0)
        if share.size <= _MOST_NUMBERS:
            for row, column in np.argwhere(share > 0):
                _write_share(axes, row, column, share[row, column])
        axes.set_yticks(range(len(sites)), [name[:18] for name in sites])
        axes.set_ylabel("site")
        shown = columns[:: max(1, -(-len(columns) // 20))]
        axes.set_xticks(np.searchsorted(columns, shown), [str(int(n) + 1) for n in shown])
        axes.set_xlabel("rounds from which plans are mixed")
        axes.grid(visible=False)
        some = f"{len(sites)} of {len(every)} sites" if len(sites) < len(every) else ""
        title(axes, "Weights of the plans", some)
        bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=25)
        bar.set_label("weight, %")
        bar.set_ticks([0.0, 0.5, 1.0], labels=["0", "50", "100"])
        bar.outline.set_visible(False)
    return figure


def _write_share(axes: Axes, row: int, column: int, share: float) -> None:
    """Write a weight into its cell, in a colour that can be read there."""
    text = f"{100 * share:.0f}" if share >= 0.005 else "<1"
    colour = "white" if share >= _DARK else "black"
    axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def _whole_rounds(axes: Axes, count: int) -> None:
    """Ticks at whole rounds."""
    every = max(1, -(-count // 10))
    axes.set_xticks(range(1, count + 1, every))
    axes.set_xlim(0.5, count + 0.5)
    axes.xaxis.set_major_formatter(tick_number)
    axes.set_xlabel("rounds of prices and plans")
