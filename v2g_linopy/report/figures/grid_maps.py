"""A key figure over the cases of a study: a map over two dimensions, small maps over a third."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..labels import amount
from .style import BLUE, VERMILLION, empty, sheet, tick_number, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_MAPS = 6
"""Labels of a third dimension that are drawn."""
MOST_NUMBERS = 80
"""Cells of a map up to which each says its number."""
MOST_TICKS = 12


def grid_map(found: xr.Dataset, name: str = "profit") -> Figure:
    """Draw a key figure over the dimensions of a study.

    One dimension is a line, two are a map, a third is a row of maps; of further ones the first
    label is drawn. Cases that were drawn at random are points over each field.

    Parameters
    ----------
    found
        As `v2g.open_study` returns it.
    name
        The key figure.
    """
    if name not in found or not bool(found[name].notnull().any()):
        return empty(f"no case has {name}")
    x = found[name]
    unit = str(found.attrs.get("currency", "")) if name == "profit" else ""
    words = f"{name}, {unit}" if unit else name
    if "draw" in x.dims:
        return _over_draws(x, words)
    dims = [str(d) for d in x.dims if x.sizes[d] > 1]
    if not dims:
        return empty(f"one case: {words} {amount(float(x.max()))}")
    if len(dims) == 1:
        return _line(x.squeeze(), words)
    return _maps(x.squeeze(), words)


def _line(x: xr.DataArray, words: str) -> Figure:
    """One dimension: a point for each label."""
    (dim,) = map(str, x.dims)
    labels = x[dim].to_numpy()
    numeric = np.issubdtype(labels.dtype, np.number)
    place = labels if numeric else np.arange(len(labels))
    with sheet(height=3.0) as (figure, axes):
        panel = axes[0, 0]
        panel.plot(place, x.to_numpy(), "o-" if numeric else "o", color=BLUE, markersize=4)
        if not numeric:
            _name_ticks(panel.xaxis, labels)
        if numeric:
            panel.xaxis.set_major_formatter(tick_number)
        panel.set_xlabel(dim)
        panel.set_ylabel(words)
        title(panel, f"{_title_of(words)} by {dim}")
    return figure


def _maps(x: xr.DataArray, words: str) -> Figure:
    """Two dimensions: a map; a third: a map for each of its labels."""
    *more, up, across = map(str, x.dims)
    shown = x.isel({dim: 0 for dim in more[1:]})
    beside = more[0] if more else ""
    labels = shown[beside].to_numpy()[:MOST_MAPS] if beside else [None]
    low, high = float(shown.min()), float(shown.max())
    with sheet(1, len(labels), height=3.6, sharey=True) as (figure, grid):
        for axes, label in zip(grid[0], labels, strict=True):
            part = shown if label is None else shown.sel({beside: label})
            mesh = _map(axes, part.transpose(up, across), low, high)
            axes.set_xlabel(across)
            title(axes, "" if label is None else f"{beside} {_text(label)}")
        grid[0, 0].set_ylabel(up)
        bar = figure.colorbar(mesh, ax=list(grid[0]), fraction=0.04, pad=0.02)
        bar.set_label(words)
        bar.outline.set_visible(False)
    return figure


def _map(axes: Axes, x: xr.DataArray, low: float, high: float) -> Any:
    """One map: a cell for each case; cells without a result are left white."""
    z = x.to_numpy()
    mesh = axes.pcolormesh(
        np.arange(z.shape[1] + 1) - 0.5,
        np.arange(z.shape[0] + 1) - 0.5,
        np.ma.masked_invalid(z),
        cmap="cividis",
        vmin=low,
        vmax=high if high > low else low + 1.0,
    )
    if z.size <= MOST_NUMBERS:
        middle = (low + high) / 2
        for row, column in np.ndindex(*z.shape):
            value = z[row, column]
            if np.isfinite(value):
                colour = "white" if value < middle else "black"
                text = amount(float(value))
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    for axis, dim in ((axes.xaxis, x.dims[1]), (axes.yaxis, x.dims[0])):
        _name_ticks(axis, x[dim].to_numpy())
    axes.grid(visible=False)
    return mesh


def _over_draws(x: xr.DataArray, words: str) -> Figure:
    """Cases drawn at random: a point for each, over every field that was drawn."""
    fields = [str(c) for c in x.coords if x[c].dims == ("draw",) and c != "draw"]
    rows = -(-len(fields) // 3)
    columns = min(3, len(fields))
    with sheet(rows, columns, height=0.6 + 2.4 * rows, sharey=True) as (figure, grid):
        panels = list(grid.ravel())
        for axes, name in zip(panels, fields, strict=False):
            at = x[name].broadcast_like(x).to_numpy().ravel()
            axes.plot(at, x.to_numpy().ravel(), "o", color=VERMILLION, markersize=3, alpha=0.7)
            axes.xaxis.set_major_formatter(tick_number)
            axes.set_xlabel(name)
        for axes in panels[len(fields) :]:
            axes.set_visible(False)
        grid[0, 0].set_ylabel(words)
        title(grid[0, 0], f"{_title_of(words)} of {x.sizes['draw']} draws")
    return figure


def _title_of(words: str) -> str:
    """The name of a figure without its unit, as a title begins."""
    name = words.partition(",")[0]
    return name[:1].upper() + name[1:]


def _name_ticks(axis: Any, labels: np.ndarray) -> None:
    """Labels at the middle of their cells; of many only some."""
    step = -(-len(labels) // MOST_TICKS)
    axis.set_ticks(np.arange(0, len(labels), step), [_text(label) for label in labels[::step]])


def _text(label: Any) -> str:
    return tick_number(float(label)) if isinstance(label, int | float | np.number) else str(label)
