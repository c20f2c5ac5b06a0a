"""Figures about sites: the balance at the meter, the load duration curve, and where the energy
comes from and goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ...case.schema import suggest
from ...errors import Problem, SchemaError
from .. import labels
from ..power_at_meter import net
from ..result_view import MOST_STEPS, Moment, Result, ResultView
from .style import ASSETS, BLACK, BLUE, CYCLE, GREY, beneath, clock, empty, legend, sheet, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PODS = 12
"""Pods with bars of their own; of a larger portfolio, those through which most energy passes."""
NOTHING = "No asset whose power is known in this result."
GRID = "grid"
SMALLEST_BAR = 1e-9
"""kWh below which nothing is drawn."""
BESIDE: dict[str, Any] = {
    "xytext": (4, 0),
    "textcoords": "offset points",
    "va": "center",
    "fontsize": 7.5,
}
"""Where the words at the end of a bar stand."""


def balance(
    result: Result, pod: str | None = None, start: Moment = None, days: float | None = None
) -> Figure:
    """Stacked power of every asset, drawn above zero and fed in below.

    The line is what the meter sees.

    Parameters
    ----------
    result
        A result of ``solve`` or ``compare``.
    pod
        One point of delivery; all together unless given.
    start, days
        Part of the horizon to draw, on the local clock; by default everything, or the busiest week
        of a long horizon.
    """
    whole = ResultView.of(result)
    if not powered(whole):
        return empty(NOTHING)
    view = whole.window(start, days)
    meter = meter_at(view, pod)
    with sheet(height=4.1) as (figure, grid):
        axes = grid[0, 0]
        above = np.zeros(len(view.thin_edges) - 1)
        below = above.copy()
        for name, shade in colours_of_assets(meter).items():
            drawn, fed = (
                view.thin(meter[way].sel(asset=name).to_numpy()) for way in ("drawn", "fed")
            )
            for base, values in ((above, above + drawn), (below, below - fed)):
                if np.abs(values - base).max(initial=0) > 1e-9:
                    words = labels.asset(name, view.parts)
                    label = None if words in legend_labels(axes) else words
                    band = {"baseline": base.copy(), "fill": True, "color": shade, "linewidth": 0}
                    axes.stairs(values, view.thin_edges, label=label, **band)
            above, below = above + drawn, below - fed
        line = view.thin(net(meter).to_numpy())
        axes.stairs(
            line, view.thin_edges, baseline=None, color=BLACK, linewidth=1.2, label="at the meter"
        )
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_ylabel("power, kW\n(+ drawn, − fed in)")
        title(axes, f"Power balance, {place_in_words(whole, pod)}", view.note)
        clock(axes, view)
        beneath(figure, axes)
    return figure


def load_duration(result: Result, pod: str | None = None) -> Figure:
    """Power at the meter of every step, sorted: as planned, and as it would be without flexibility.

    Without flexibility vehicles charge at full power from arrival until their need is met,
    batteries stand idle, loads draw their baseline and sun and wind give all they can; what else
    there is (plants) runs as planned.

    Parameters
    ----------
    result
        A result of ``solve`` or ``compare``.
    pod
        One point of delivery; all together unless given.
    """
    view = ResultView.of(result)
    if not powered(view) or not len(view.time):
        return empty(NOTHING)
    meter = meter_at(view, pod)
    with sheet(height=3.4) as (figure, grid):
        axes = grid[0, 0]
        if "before" in meter:
            curve(
                axes,
                view,
                meter["before"].to_numpy(),
                color=BLACK,
                linestyle="--",
                label="without flexibility",
            )
        curve(axes, view, net(meter).to_numpy(), color=BLUE, linewidth=1.8, label="as planned")
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_xlim(0, view.edges[-1])
        axes.set_xlabel("hours of the horizon in which the power is at least this, h")
        axes.set_ylabel("power at the meter, kW\n(+ drawn, − fed in)")
        mean = f"mean of {view.scenarios} scenarios" if view.scenarios else ""
        title(axes, f"Load duration, {place_in_words(view, pod)}", mean)
        legend(axes)
    return figure


def curve(axes: Axes, view: ResultView, power: np.ndarray, **line: object) -> None:
    """Power in falling order over hours; of many steps a selection with both ends."""
    power = np.sort(power)[::-1]
    chosen = np.unique(
        np.linspace(0, len(power) - 1, min(len(power), MOST_STEPS)).round().astype(int)
    )
    axes.stairs(power[chosen], np.append(chosen, len(power)) * view.hours, baseline=None, **line)  # type: ignore[arg-type]


def energy_flow(result: Result) -> Figure:
    """Draw the energy of each pod over the horizon.

    The upper bar is where it comes from, the lower one where it goes.
    """
    view = ResultView.of(result)
    if not powered(view) or not len(view.time):
        return empty(NOTHING)
    table = energies(view)
    pods = busiest_pods(table)
    with sheet(height=1.7 + 0.5 * len(pods)) as (figure, grid):
        axes = grid[0, 0]
        places = np.arange(len(pods))
        for way, shift in (("from", -0.19), ("to", 0.19)):
            ends = stacked_bars(axes, view, table[way].sel(pod=pods), places + shift)
            for place, end in zip(places + shift, ends, strict=True):
                axes.annotate(f"{way} {labels.shown_number(end, 0)}", (end, place), **BESIDE)

        axes.set_yticks(places, [str(p)[:24] for p in pods])
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(
            "energy over the horizon, kWh (upper bar: where it comes from; lower bar: where it"
            " goes)"
        )
        some = (
            f"{len(pods)} of {len(view.pods)} pods, by energy" if len(pods) < len(view.pods) else ""
        )
        title(axes, "Energy by source and use", ", ".join(filter(None, [some, view.note])))
        beneath(figure, axes)
    return figure


def stacked_bars(
    axes: Axes, view: ResultView, energy: xr.DataArray, places: np.ndarray
) -> np.ndarray:
    """One bar per pod, stacked of the assets and the grid; return where each ends, kWh."""
    ends = np.zeros(len(places))
    for name, colour in (colours_of_assets(view.meter) | {GRID: "white"}).items():
        values = energy.sel(asset=name).to_numpy()
        if values.max(initial=0) < SMALLEST_BAR:
            continue
        words = labels.asset(name, view.parts)
        edge: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.6}
        if name == GRID:
            edge |= {"edgecolor": GREY, "hatch": "////"}
        axes.barh(
            places,
            values,
            left=ends,
            height=0.34,
            color=colour,
            label=None if words in legend_labels(axes) else words,
            **edge,
        )
        ends = ends + values
    return ends


def energies(view: ResultView) -> xr.Dataset:
    """Return the energy over the horizon by pod, kWh on (asset, pod).

    It is `from` an asset or the grid, and `to` one.
    """
    meter = view.meter
    exchange = net(meter)
    drawn, fed = (meter[way].sum("time") for way in ("drawn", "fed"))
    grid = {"from": exchange.clip(min=0).sum("time"), "to": (-exchange).clip(min=0).sum("time")}
    label = xr.DataArray([GRID], dims="asset", coords={"asset": [GRID]})
    sides = {
        way: xr.concat([power, grid[way].expand_dims(asset=label)], "asset") * view.hours
        for way, power in (("from", fed), ("to", drawn))
    }
    return xr.Dataset(sides)


def busiest_pods(table: xr.Dataset) -> list[str]:
    """The pods to draw, in their own order: those through which most energy passes."""
    passed = table["to"].sum("asset")
    order = np.argsort(-passed.to_numpy(), kind="stable")[:MOST_PODS]
    return [str(p) for p in passed.indexes["pod"][np.sort(order)]]


def powered(view: ResultView) -> bool:
    """Whether there is an asset whose power is known."""
    return bool(view.meter.sizes["asset"]) and len(view.time) > 0


def meter_at(view: ResultView, pod: str | None) -> xr.Dataset:
    """Power at one meter, or at all together.

    Raises
    ------
    SchemaError
        There is no such pod.
    """
    if pod is None:
        return view.meter.sum("pod")
    if pod not in view.pods:
        known = ", ".join(map(str, view.pods))
        raise SchemaError(
            [
                Problem(
                    "pod", "labels", f"{pod!r} is not one of {known}{suggest(pod, list(view.pods))}"
                )
            ]
        )
    return view.meter.sel(pod=pod)


def place_in_words(view: ResultView, pod: str | None) -> str:
    """Which meter is drawn, in words."""
    if pod is not None:
        return f"at {pod}"
    return "at the meter" if len(view.pods) == 1 else f"{len(view.pods)} pods together"


def colours_of_assets(meter: xr.Dataset) -> dict[str, str]:
    """A colour per asset: that of its kind, or the next free one."""
    known = list(ASSETS)
    names = sorted(
        map(str, meter.indexes["asset"]), key=lambda a: known.index(a) if a in known else len(known)
    )
    free = [c for c in CYCLE if c not in ASSETS.values()]
    strangers = [n for n in names if n not in ASSETS]
    return {
        n: ASSETS.get(n, free[strangers.index(n) % len(free)] if n in strangers else GREY)
        for n in names
    }


def legend_labels(axes: Axes) -> list[str]:
    """The names in the legend so far."""
    return axes.get_legend_handles_labels()[1]
