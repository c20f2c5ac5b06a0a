"""What activation signals do to the energy on board: a fan about the plan without calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..result_view import Result, ResultView
from .style import BLACK, BLUE, GREY, SKY, clock, empty, legend, sheet, title

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

BANDS = (
    (0.0, 1.0, 0.25, "all signals"),
    (0.05, 0.95, 0.5, "5 to 95 % of them"),
    (0.25, 0.75, 0.9, "the middle half"),
)


def stress_fan(result: Result, found: xr.Dataset) -> Figure:
    """Draw the energy on board of all that hold reserve, over the signals of a stress test.

    It lies between floor and capacity.

    `found` is what `v2g.stress(result, signals, paths=True)` returns.
    """
    view = ResultView.of(result)
    stores = [a for a in view.stores if view.has("reserve", f"share_{a}") and view.has(a, "energy")]
    if not stores or "drawn" not in found:
        return empty("No battery holds reserve in this result.")

    plan = total_of(view, stores, "energy_baseline", "energy")
    others = [d for d in found["drawn"].dims if d != "time"]
    drawn = found["drawn"].stack(run=others).transpose("run", "time").to_numpy()
    at = (np.arange(len(view.time)) + 1) * view.hours
    with sheet(height=3.4) as (figure, grid):
        axes = grid[0, 0]
        for low, high, alpha, name in BANDS:
            edges = plan - np.quantile(drawn, [high, low], axis=0)
            axes.fill_between(
                at,
                edges[0],
                edges[1],
                color=SKY if alpha < 0.9 else BLUE,
                alpha=alpha,
                lw=0,
                label=name,
            )
        axes.plot(at, plan, color=BLACK, linewidth=1.2, label="no call")
        for name, label in (("energy_max", "least and most"), ("energy_min", "")):
            axes.plot(
                at,
                total_of(view, stores, name),
                color=GREY,
                linewidth=0.9,
                linestyle="--",
                label=label,
            )
        axes.set_ylabel("energy on board (kWh)")
        title(axes, f"{len(drawn)} activation signals")
        legend(axes)
        clock(axes, view)
    return figure


def total_of(view: ResultView, stores: list[str], *names: str) -> np.ndarray:
    """Return a quantity of all that hold reserve, one value per step.

    Of each asset it is the first of `names` that it has.
    """
    total = np.zeros(len(view.time))
    for asset in stores:
        name = next((n for n in names if view.has(asset, n)), names[0])
        array = view.full(asset, name, asset, "time")
        total += np.asarray(array.sum(asset).values, dtype=float)
    return total
