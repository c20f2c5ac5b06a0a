"""The box of two plans of every site, what can be delivered of it, and what that earns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from .style import BLACK, BLUE, GREEN, GREY, PALE, hours_from, sheet, ticks, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {
    "asked": (GREY, "--", "asked of the box"),
    "delivered": (BLUE, "-", "nearest that can be delivered"),
    "best": (GREEN, "-", "best plan of all sites"),
}
"""Colour, line and name of what is drawn."""


def envelope_figure(tree: xr.DataTree) -> Figure:
    """Draw the box of all sites before anything is planned, three plans, and what each earns.

    Parameters
    ----------
    tree
        As `v2g.envelope` returns it.
    """
    d, money = tree["envelope"].to_dataset(), str(tree.attrs["currency"])
    utc = pd.DatetimeIndex(d["time"].to_numpy()).tz_localize("UTC")
    clock = utc.tz_convert(str(tree.attrs["timezone"]))
    span = d.sizes["time"] * float(tree.attrs["step_hours"])
    edges = np.linspace(0.0, span, d.sizes["time"] + 1)
    share, sites = float(d.attrs["undeliverable_share"]), d.sizes["pod"]
    with sheet(2, 1, height=5.6, sharex=True) as (figure, grid):
        power, profit = grid[:, 0]
        lower, upper = (np.append(d[n].to_numpy(), d[n].to_numpy()[-1]) for n in ("lower", "upper"))
        box = "box of the plans of least and most energy"
        power.fill_between(edges, lower, upper, step="post", color=PALE, linewidth=0, label=box)
        for name, (colour, line, words) in KINDS.items():
            _steps(power, edges, d[name].to_numpy(), colour, line, words)
            each = d["profit"].sel(plan_kind=name).to_numpy() / sites
            _steps(profit, edges, each, colour, line, words)
        power.set_ylabel("drawn by all sites, kW")
        missed = f"{float(d.attrs['undeliverable']):.3g} kWh, {100 * share:.3g} % of the box"
        title(power, "What a box promises", f"{missed}, cannot be delivered")
        profit.axhline(0.0, color=BLACK, linewidth=0.6)
        profit.set_ylabel(f"mean profit of a site, {money}")
        title(profit, "What each plan earns in a step", "at the prices of the market")
        moments, labels = ticks(clock[0], span)
        profit.set_xticks(hours_from(moments, clock[0]), labels)
        profit.set_xlim(0.0, span)
        handles, names = power.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, handlelength=1.8)
    return figure


def _steps(
    axes: Axes, edges: np.ndarray, values: np.ndarray, colour: str, line: str, words: str
) -> None:
    """Draw a value of each step."""
    axes.step(
        edges,
        np.append(values, values[-1]),
        where="post",
        color=colour,
        linestyle=line,
        label=words,
    )
