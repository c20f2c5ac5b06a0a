"""A study of contracts in pictures: positions over time, gains, battery life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from .gain_map import axis_name, mark_values
from .style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    VERMILLION,
    hours_from,
    legend,
    sheet,
    tick_number,
    ticks,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST = 32
"""Days up to which positions are drawn step by step; beyond, days are summed."""
TITLES = {
    "term": "Over the term of the contracts",
    "wear": "Over the wear that owners bear",
    "spread": "Over the spread of prices",
    "share": "Over the size of the fleet",
}
COLOURS = {"day_ahead": BLUE, "imbalance": VERMILLION}


def positions_over_time(found: xr.Dataset, timezone: str) -> Figure:
    """Draw the day-ahead and imbalance positions of each run in local time, and what was drawn.

    Parameters
    ----------
    found
        On (run, time): `day_ahead`, `imbalance` and `drawn` (kW; sold above 0).
    timezone
        Of the local clock.
    """
    runs = [str(x) for x in found.indexes["run"]]
    local = pd.DatetimeIndex(found.indexes["time"]).tz_localize("UTC").tz_convert(timezone)
    hours = float((local[1] - local[0]) / pd.Timedelta(hours=1)) if len(local) > 1 else 1.0
    by_day = len(local) * hours > 24 * LONGEST
    with sheet(len(runs), 1, height=1.0 + 1.7 * len(runs), sharex=True, sharey=True) as (fig, grid):
        for axes, run in zip(grid[:, 0], runs, strict=True):
            power = {str(n): x.sel(run=run).to_numpy() for n, x in found.data_vars.items()}
            _draw_positions(axes, power, local, hours, by_day)
            title(axes, run[0].upper() + run[1:])
            axes.set_ylabel("kWh a day" if by_day else "kW")
        _local_clock(grid[-1, 0], local, hours)
        legend(grid[0, 0])
    return fig


def _draw_positions(
    axes: Axes,
    power: Mapping[str, np.ndarray],
    local: pd.DatetimeIndex,
    hours: float,
    by_day: bool,
) -> None:
    """Draw positions as areas from zero, one upon the other, and the delivery as a line."""
    edges = np.arange(len(local) + 1) * hours
    if by_day:
        days = local.normalize()
        power = {n: hours * pd.Series(x).groupby(days).sum().to_numpy() for n, x in power.items()}
        edges = np.append(hours_from(days.unique(), local[0]).clip(min=0), edges[-1])
    above, below = np.zeros((2, len(edges) - 1))
    for name, label in (("day_ahead", "day-ahead"), ("imbalance", "imbalance")):
        if name not in power:
            continue
        x = power[name]
        start = np.where(x >= 0, above, below)
        axes.stairs(
            start + x,
            edges,
            baseline=start,
            fill=True,
            color=COLOURS[name],
            alpha=0.75,
            label=label,
        )
        above, below = above + np.maximum(x, 0), below + np.minimum(x, 0)
    axes.stairs(
        -power["drawn"], edges, color=BLACK, linewidth=0.9, label="delivered", baseline=None
    )
    axes.axhline(0, color=GREY, linewidth=0.6)


def _local_clock(axes: Axes, local: pd.DatetimeIndex, hours: float) -> None:
    """Local time along the x axis, in hours from the first step."""
    span = len(local) * hours
    axes.set_xlim(0, span)
    moments, labels = ticks(local[0], span)
    axes.set_xticks(hours_from(moments, local[0]), labels)
    years = sorted({local[0].year, local[-1].year})
    axes.set_xlabel(f"local time, {' to '.join(map(str, years))} ({local.tz})")


def gains_over(sweeps: Mapping[str, xr.Dataset], base: Mapping[str, float]) -> Figure:
    """Draw what V2G earns more than smart charging over each number that was varied.

    Parameters
    ----------
    sweeps
        By name of the number: `gain` and `owners` (money) on it.
    base
        The value of each number in the case and the menu, marked where it is known.
    """
    rows = -(-len(sweeps) // 2)
    with sheet(rows, 2, height=0.8 + 2.5 * rows) as (figure, grid):
        for axes, (name, one) in zip(grid.flat, sweeps.items(), strict=False):
            x, gain = one[name].to_numpy(), one["gain"].to_numpy()
            before = gain + one["owners"].to_numpy()
            axes.axhline(0, color=BLACK, linewidth=0.8)
            if name in base:
                axes.axvline(base[name], color=PALE, linewidth=4, zorder=0)
            axes.fill_between(x, gain, before, color=ORANGE, alpha=0.2, label="paid to owners")
            axes.plot(x, before, "s--", color=ORANGE, markersize=4, label="before payments")
            axes.plot(x, gain, "o-", color=BLUE, markersize=5, label="V2G less smart charging")
            axes.set_xlabel(axis_name(one[name]))
            axes.set_ylabel(str(one["gain"].attrs["units"]))
            mark_values(axes.xaxis, x)
            title(axes, TITLES[name])
        for axes in list(grid.flat)[len(sweeps) :]:
            axes.axis("off")
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=1.8)
    return figure


def life_used(owners: xr.Dataset) -> Figure:
    """Draw the share of its battery's life that each owner gave, and what each was paid.

    Parameters
    ----------
    owners
        On owner: `life_used` (1), `paid` (money) and `discharged` (kWh).
    """
    used = 100 * np.sort(owners["life_used"].to_numpy())[::-1]
    paid = np.sort(owners["paid"].to_numpy())[::-1]
    money = str(owners.attrs.get("money", "EUR"))
    with sheet(1, 2, height=2.9) as (figure, grid):
        left, right = grid[0]
        for axes, x, colour in ((left, used, GREEN), (right, paid, ORANGE)):
            axes.stairs(x, np.arange(len(x) + 1), fill=True, color=colour, alpha=0.8)
            if len(x):
                axes.axhline(x.mean(), color=BLACK, linewidth=0.9, linestyle="--")
                axes.annotate("mean", (len(x), x.mean()), ha="right", va="bottom", fontsize=8)
            axes.yaxis.set_major_formatter(tick_number)
            axes.set_xlabel("owners with a contract, most first")
        left.set_ylabel("% of the cycle life")
        right.set_ylabel(money)
        title(left, "Share of the battery's cycle life")
        title(right, "What owners were paid")
    return figure
