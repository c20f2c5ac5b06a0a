"""Figures about the wear of batteries: how deep their cycles were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import labels
from ..result_view import Result, ResultView
from .style import BLUE, GREY, ORANGE, empty, legend_entries, sheet, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {"fleet": ("vehicles", BLUE), "battery": ("stationary batteries", ORANGE)}


def cycle_depth(result: Result) -> Figure:
    """Draw how often the batteries were discharged how deep, and what that adds up to.

    Cycles are counted by the rainflow method.

    Left: discharging half cycles by depth. Right: the equivalent full cycles that they make.
    """
    view = ResultView.of(result)
    if not view.has("wear", "cycles"):
        return empty(
            "No cycles were counted in this result: install the extra, pip install"
            " 'v2g-linopy[wear]'."
        )
    counts = view.full("wear", "cycles", "storage", "depth")
    edges = np.append(0.0, np.asarray(view.index("wear", "depth"), dtype=float)) * 100
    kinds = np.array([str(name).partition(".")[0] for name in view.index("wear", "storage")])
    depth = (edges[1:] + edges[:-1]) / 200
    with sheet(1, 2, height=2.9) as (figure, axes):
        for panel, weight in zip(axes[0], (np.ones_like(depth), depth), strict=True):
            below = np.zeros_like(depth)
            for kind in dict.fromkeys(kinds.tolist()):
                label, colour = KINDS.get(kind, (labels.asset(kind, view.parts), GREY))
                bars = np.asarray(counts.values)[kinds == kind].sum(axis=0) * weight
                style = {"align": "edge", "color": colour, "edgecolor": "white", "linewidth": 0.5}
                panel.bar(edges[:-1], bars, np.diff(edges), below, label=label, **style)
                below = below + bars
            panel.set_xlim(0, 100)
            panel.set_xlabel("depth of the cycle, % of capacity")
        axes[0, 0].set_ylabel("discharging half cycles")
        title(axes[0, 0], "How often, how deep", view.note)
        axes[0, 1].set_ylabel("equivalent full cycles")
        title(axes[0, 1], "What they add up to")
        if len(set(kinds.tolist())) > 1:
            handles, names = legend_entries(axes[0, 1])
            figure.legend(
                handles, names, loc="outside lower center", ncols=len(names), handlelength=1.6
            )
    return figure
