"""Where V2G pays, over two numbers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..labels import signed
from .style import BLACK, diverging, sheet, tick_number, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {
    "spread": "spread of prices, times that of the case",
    "payment_scale": "payments to owners, times those of the menu",
    "dispatch_cost": "cost of dispatch, {unit}",
    "wear": "wear that owners bear, {unit}",
    "term": "term of the contracts, {unit}",
    "share": "share of the sessions that come",
}
"""Names of what is varied, with its unit."""
SHORT = {
    "spread": "spread",
    "payment_scale": "payments",
    "dispatch_cost": "cost of dispatch",
    "wear": "wear",
    "term": "term",
    "share": "share",
}
MOST_NUMBERS = 80
"""Points of a map up to which each says its gain."""


def gain_map(found: xr.Dataset) -> Figure:
    """Draw what V2G earns more than smart charging over two numbers, and the line where it is 0.

    Parameters
    ----------
    found
        As `v2g.break_even_map` returns it: `gain` on two dimensions.
    """
    return gain_maps([found])


def gain_maps(found: list[xr.Dataset]) -> Figure:
    """Draw several maps side by side, in the same colours."""
    largest = max(float(abs(one["gain"]).max()) for one in found) or 1.0
    with sheet(1, len(found), height=4.0) as (figure, grid):
        for axes, one in zip(grid[0], found, strict=True):
            shown = _draw(axes, one["gain"], largest)
        bar = figure.colorbar(shown, ax=list(grid[0]), fraction=0.03, pad=0.02)
        bar.set_label(f"V2G less smart charging, {found[0]['gain'].attrs['units']}")
        bar.outline.set_visible(False)
    return figure


def axis_name(x: xr.DataArray) -> str:
    """Return what an axis shows, with its unit."""
    return NAMES[str(x.name)].format(unit=x.attrs.get("units", ""))


def mark_values(axis: Any, values: np.ndarray) -> None:
    """Put a tick at each value that was tried, however small."""
    axis.set_ticks(values)
    axis.set_major_formatter(tick_number)


def _draw(axes: Axes, gain: xr.DataArray, largest: float) -> Any:
    """Draw one map: a cell around each point that was tried, and the line of no gain."""
    across, up = (gain[str(d)] for d in gain.dims)
    x, y, z = across.to_numpy(), up.to_numpy(), gain.transpose(*reversed(gain.dims)).to_numpy()
    shown = axes.pcolormesh(
        x, y, z, cmap=diverging(), vmin=-largest, vmax=largest, shading="nearest", alpha=0.85
    )
    if z.min() < 0 < z.max():
        axes.contour(x, y, z, levels=[0.0], colors=BLACK, linewidths=2.0)
    if z.size <= MOST_NUMBERS:
        for column, row in np.ndindex(len(x), len(y)):
            text = signed(float(z[row, column]), 0 if largest >= 10 else 2)
            axes.text(float(x[column]), float(y[row]), text, ha="center", va="center", fontsize=7)
    mark_values(axes.xaxis, x)
    mark_values(axes.yaxis, y)
    axes.grid(visible=False)
    axes.set_xlabel(axis_name(across))
    axes.set_ylabel(axis_name(up))
    title(axes, f"Over {' and '.join(SHORT[str(d)] for d in gain.dims)}")
    return shown
