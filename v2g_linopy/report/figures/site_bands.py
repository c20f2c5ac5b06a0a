"""Bands of sites, and what is planned within them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..power_at_meter import net
from ..result_view import Moment, Result, ResultView
from .style import BLACK, BLUE, GREY, SKY, clock, empty, legend, sheet, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BANDS = "flexibility_bands"


def bands(
    result: Result, pod: str | None = None, start: Moment = None, days: float | None = None
) -> Figure:
    """Draw between which powers and energies a site can be, and what is planned.

    Without a name it is the portfolio. An edge that was not verified is dotted.
    """
    whole = ResultView.of(result)
    if not whole.has(BANDS, "power") or not len(whole.time):
        return empty("No bands in this result: `v2g flexibility` finds them.")
    view = whole.window(start, days)
    known = [str(p) for p in view.index(BANDS, "pod")]
    name = pod if pod in known else known[-1]
    plan = _planned(view, name)
    with sheet(2, 1, height=5.0, sharex=True) as (figure, grid):
        power, energy = grid[:, 0]
        _band(power, view, view.groups[BANDS], "power", name, states=False)
        if plan is not None:
            line = view.thin(plan)
            power.stairs(line, view.thin_edges, baseline=None, color=BLACK, label="planned")
        power.axhline(0, color=GREY, linewidth=0.8)
        power.set_ylabel("power, kW\n(+ drawn, − fed in)")
        title(power, f"What {_called(name)} can do, each moment alone", view.note)
        legend(power)
        _band(energy, view, view.groups[BANDS], "energy", name, states=True)
        if plan is not None:
            before = _planned(whole, name)
            assert before is not None
            drawn = whole.hours * np.cumsum(before)
            begun = drawn[view.offset - 1] if view.offset else 0.0
            path = np.append(begun, view.pick(drawn[view.offset : view.offset + len(view.time)]))
            energy.plot(view.thin_edges, path, color=BLACK, linewidth=1.4)
        energy.axhline(0, color=GREY, linewidth=0.8)
        legend(energy)
        energy.set_ylabel("energy since the\nstart, kWh")
        clock(power, view, label=False)
        clock(energy, view)
    return figure


def _called(name: str) -> str:
    return "the portfolio" if name == "portfolio" else name


def _planned(view: ResultView, name: str) -> np.ndarray | None:
    """Return what is drawn at a pod, or at all of them; None where nothing is planned."""
    if view.source is None or "ledger" not in view.source.children:
        return None
    drawn: xr.DataArray = net(view.meter)
    if name not in drawn.indexes["pod"]:
        return np.asarray(drawn.sum("pod"))
    return np.asarray(drawn.sel(pod=name))


def _band(
    axes: Axes, view: ResultView, found: xr.Dataset, name: str, pod: str, *, states: bool
) -> None:
    """Draw what lies between the edges; the edges of states are lines, of power steps."""
    values, flags = found[name].sel(pod=pod), found[f"{name}_verified"].sel(pod=pod)
    low, high = (np.asarray(values.sel(edge=edge), float) for edge in ("min", "max"))
    unsure = [np.asarray(flags.sel(edge=edge) == 0) for edge in ("min", "max")]
    edges = view.thin_edges
    if states:
        ends, least, most = edges[1:], view.pick(low), view.pick(high)
        if not view.offset:  # nothing has been drawn at the start
            ends, least, most = (np.insert(x, 0, 0.0) for x in (ends, least, most))
        axes.fill_between(ends, least, most, color=SKY, alpha=0.35, linewidth=0)
    else:
        axes.stairs(
            view.thin(high),
            edges,
            baseline=view.thin(low),
            fill=True,
            color=SKY,
            alpha=0.35,
            linewidth=0,
            label="within reach",
        )
    label = "bound, not verified"
    for line, doubtful in ((low, unsure[0]), (high, unsure[1])):
        if doubtful.any():
            shown = view.pick(np.where(doubtful, line, np.nan))
            axes.plot(edges[1:], shown, color=BLUE, linestyle=":", linewidth=1.2, label=label)
            label = ""
