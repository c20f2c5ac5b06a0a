"""Figures about the members of the fleet: who charges when, and how full the batteries are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..result_view import Moment, Result, ResultView
from .style import BLUE, PALE, SKY, clock, diverging, empty, legend, sheet, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ROWS = 40
"""Members drawn in the heat map; of a larger fleet, those that move most energy."""
MOST_NAMES = 25
"""Members named at the edge of the heat map."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def heat_map(
    result: Result,
    start: Moment = None,
    days: float | None = None,
    members: int = MOST_ROWS,
) -> Figure:
    """Draw the net power of each member in local time.

    Charging is blue, feeding in orange, not plugged in grey.

    Parameters
    ----------
    result
        A result of ``solve`` or ``compare``.
    start, days
        Part of the horizon, on the local clock; by default everything, or the busiest week of a
        long horizon.
    members
        How many members to draw; of a larger fleet, those that move most energy.
    """
    whole = ResultView.of(result)
    if not len(whole.members) or not len(whole.time):
        return empty("No vehicle in this result.")
    view = whole.window(start, days)
    shown, labels = net_power_of_members(view, members)
    reach = float(np.abs(shown.data).max(initial=0)) or 1.0

    with sheet(height=1.3 + 0.115 * max(len(labels), 9)) as (figure, grid):
        axes = grid[0, 0]
        axes.set_facecolor(PALE)
        mesh = axes.imshow(
            shown,
            aspect="auto",
            cmap=diverging(),
            vmin=-reach,
            vmax=reach,
            interpolation="nearest",
            extent=(0, view.edges[-1], len(labels) - 0.5, -0.5),
        )
        name_rows(axes, labels)
        some = f"{len(labels)} of {len(view.members)} members, by energy moved"
        note = [some if len(labels) < len(view.members) else "", view.note]
        title(axes, "Who charges when", ", ".join(filter(None, note)))

        bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=25)
        bar.set_label("kW (+ charging, − feeding in)")
        bar.outline.set_visible(False)
        clock(axes, view)
        axes.set_xlim(0, view.edges[-1])
    return figure


def net_power_of_members(view: ResultView, most: int) -> tuple[np.ma.MaskedArray, list[str]]:
    """Return the net power of those that move most energy (kW, one row each), and their labels.

    It is masked while nothing is plugged in.
    """
    charge, discharge = view.fleet("charge"), view.fleet("discharge")
    moved = np.asarray((charge + discharge).sum("time").values)
    chosen = np.sort(np.argsort(-moved, kind="stable")[:most])

    net = np.asarray((charge - discharge).isel(fleet=chosen).values)
    plugged = np.asarray(view.connected.isel(fleet=chosen).values, dtype=float)
    net, plugged = view.thin(net), view.thin(plugged)
    return np.ma.masked_where(plugged == 0, net), [str(m) for m in view.members[chosen]]


def name_rows(axes: Axes, labels: list[str]) -> None:
    """The members at the left edge, at most 25 of them."""
    rows = np.arange(len(labels))[:: max(1, -(-len(labels) // MOST_NAMES))]
    axes.set_yticks(rows, [labels[i][:18] for i in rows])
    axes.tick_params(axis="y", labelsize=7)
    axes.grid(visible=False)
    axes.set_ylabel("member")


def state_of_energy(result: Result, start: Moment = None, days: float | None = None) -> Figure:
    """Draw how full the plugged-in batteries are.

    These are median, middle half and middle 90 % of the members, per step.

    The share is energy on board at the end of the step over the most the member can hold then.
    """
    whole = ResultView.of(result)
    if not len(whole.members) or not len(whole.time):
        return empty("No vehicle in this result.")
    view = whole.window(start, days)
    size = view.fleet("energy_max")
    share = np.asarray(
        (100 * view.fleet("energy") / size.where((size > 0) & view.connected)).values
    )
    share = view.pick(share)
    bands = quantiles(share)
    count = np.isfinite(share).sum(axis=0)
    ends = view.thin_edges[1:]
    with sheet(2, 1, height=4.0, height_ratios=[2.6, 1], sharex=True) as (figure, grid):
        axes, below = grid[0, 0], grid[1, 0]
        if len(view.members) > 1:
            axes.fill_between(
                ends, bands[0], bands[4], color=SKY, alpha=0.35, linewidth=0, label="middle 90 %"
            )
            axes.fill_between(
                ends, bands[1], bands[3], color=SKY, alpha=0.8, linewidth=0, label="middle half"
            )
        label = "median" if len(view.members) > 1 else str(view.members[0])
        axes.plot(
            ends,
            bands[2],
            color=BLUE,
            linewidth=1.5,
            label=label,
            marker="." if len(ends) == 1 else "",
        )
        axes.set_ylim(0, 103)
        axes.set_ylabel("state of energy of\nplugged-in members, %")
        title(axes, "State of energy", view.note)
        legend(axes)
        below.stairs(count, view.thin_edges, fill=True, color=PALE)
        below.set_ylabel("members\nplugged in")
        below.set_ylim(0, None)
        clock(axes, view, label=False)
        clock(below, view)
    return figure


def quantiles(share: np.ndarray) -> np.ndarray:
    """Return quantiles over members of each step, an array (quantile, step).

    They are NaN where nobody is plugged in.
    """
    bands = np.full((len(QUANTILES), share.shape[1]), np.nan)
    some = np.isfinite(share).any(axis=0)
    if some.any():
        bands[:, some] = np.nanquantile(share[:, some], QUANTILES, axis=0)
    return bands
