"""Contracts in operation in a picture: who took one and why not, and what was called of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...study.contract_outcome import contracts_taken, entry_counts, has_contracts
from ..result_view import Result, ResultView
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, empty, sheet, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REASONS = {
    "taken": ("took a contract", GREEN),
    "stay": ("stays too short", VERMILLION),
    "room": ("cannot give the energy", ORANGE),
    "excluded": ("nothing offered to its type", PURPLE),
    "no utility": ("nothing worth it to its type", GREY),
}
"""Why a session has a contract or none: words, and the colour."""
MOST = 12
"""Types and contracts that are named one by one."""
_BELOW = 34  # points from an axis to what stands under its label


def contracts(result: Result) -> Figure:
    """How many sessions of each type took a contract, or why not, and what was called of each.

    Left: sessions by type. Right: energy sold of each contract, and called in the mean of the
    sessions that took it.
    """
    view = ResultView.of(result)
    if view.source is None or not has_contracts(view.source):
        return empty("No contracts with owners in this result.")
    counts, taken = entry_counts(view.source), contracts_taken(view.source)
    return draw_contracts(counts, taken[["made_for", "energy", "called"]])


def draw_contracts(counts: pd.DataFrame, taken: pd.DataFrame) -> Figure:
    """Draw sessions by type and reason beside what was sold and called of each contract.

    Parameters
    ----------
    counts
        Sessions by type (rows) and reason (columns).
    taken
        A row for each contract: `made_for`, `energy` and `called` (kWh), and `same`, of the same
        stays under each contract, where that is known.
    """
    rows = min(MOST, max(len(counts), len(taken)))
    with sheet(1, 2, height=1.6 + 0.32 * rows, width_ratios=[1.15, 1]) as (figure, grid):
        _draw_entry(grid[0, 0], counts.head(MOST))
        _draw_called(grid[0, 1], taken.head(MOST))
        for axes in grid[0]:
            axes.grid(visible=True, axis="x")
            axes.grid(visible=False, axis="y")
            if axes.get_legend_handles_labels()[1]:
                _legend_below(axes, figure)
    return figure


def _legend_below(axes: Axes, figure: Figure) -> None:
    """Put the legend under the label of the axis, however high the panel is."""
    from matplotlib.transforms import ScaledTranslation

    lower = ScaledTranslation(0, -_BELOW / 72, figure.dpi_scale_trans)
    place = {"bbox_to_anchor": (0, 0), "bbox_transform": axes.transAxes + lower}
    axes.legend(loc="upper left", ncols=2, borderaxespad=0, **place)


def _draw_entry(axes: Axes, counts: pd.DataFrame) -> None:
    """Stack the sessions of each type by reason."""
    places, left = np.arange(len(counts)), np.zeros(len(counts))
    for reason in counts.columns:
        words, colour = REASONS.get(reason, (reason, SKY))
        number = counts[reason].to_numpy(dtype=float)
        axes.barh(places, number, left=left, height=0.62, color=colour, label=words)
        for place, begin, count in zip(places, left, number, strict=True):
            if count > 0.06 * max(float(counts.sum(axis=1).max()), 1.0):
                axes.text(float(begin + count / 2), float(place), f"{count:.0f}", **_WITHIN)
        left += number
    axes.set_yticks(places, [f"type {name.removeprefix('type ')}" for name in counts.index])
    axes.invert_yaxis()
    axes.set_xlabel("sessions")
    title(axes, "Who took a contract, and why not")


_WITHIN: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": 8,
    "color": "white",
    "fontweight": "bold",
}


def _draw_called(axes: Axes, taken: pd.DataFrame) -> None:
    """Put what was sold beside what was called in the mean."""
    places = np.arange(len(taken))
    axes.barh(places, taken["energy"], height=0.7, color="#d9d9d9", label="sold")
    axes.barh(places, taken["called"], height=0.42, color=BLUE, label="called, of who took it")
    if "same" in taken:
        axes.plot(taken["same"], places, "D", color=ORANGE, markersize=6, label="of the same stays")
    axes.set_yticks(
        places, [f"contract {name.removeprefix('type ')}" for name in taken["made_for"]]
    )
    axes.invert_yaxis()
    axes.set_xlabel("kWh per session")
    title(axes, "What was called of each contract")
