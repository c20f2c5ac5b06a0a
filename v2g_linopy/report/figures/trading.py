"""Figures about markets: reserves against headroom, the answer to prices, and shadow prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import labels
from ..result_view import Moment, Result, ResultView
from .style import (
    ASSETS,
    BLACK,
    CHARGE,
    DISCHARGE,
    GREY,
    PURPLE,
    SKY,
    UNMANAGED,
    clock,
    empty,
    legend,
    sheet,
    title,
)
from .value import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PRICE_BINS = 12
MOST_POINTS = 1500


def reserve(result: Result, start: Moment = None, days: float | None = None) -> Figure:
    """Draw the reserve sold against the headroom of all assets about their baseline.

    It is drawn in the power it may need, up and down.
    """
    whole = ResultView.of(result)
    if (
        not len(whole.index("reserve", "product"))
        or not whole.has("reserve", "volume")
        or not len(whole.time)
    ):
        return empty("No reserve product in this result.")
    view = whole.window(start, days)
    volume = view.full("reserve", "volume", "product", "time")
    names = [str(p) for p in view.index("reserve", "product")]
    shade = colours(names)
    with sheet(2, 1, height=4.6, sharex=True) as (figure, grid):
        for axes, way in zip(grid[:, 0], ("up", "down"), strict=True):
            needed = np.asarray(
                (view.full("reserve", way, "product") * volume).transpose("product", "time").values
            )
            base = np.zeros(len(view.thin_edges) - 1)
            for name, values in zip(names, view.thin(needed), strict=True):
                if values.any():
                    axes.stairs(
                        base + values,
                        view.thin_edges,
                        baseline=base,
                        fill=True,
                        color=shade[name],
                        label=name,
                        linewidth=0,
                    )
                    base = base + values
            room = view.thin(headroom(view, way))
            axes.stairs(
                room, view.thin_edges, baseline=None, color=BLACK, linewidth=1.0, label="headroom"
            )
            axes.set_ylabel(f"{'upward' if way == 'up' else 'downward'}, kW")
            axes.set_ylim(0, None)
            if way == "up" or base.any():
                legend(axes, 6)
        title(grid[0, 0], "Reserve sold against headroom", view.note)
        clock(grid[0, 0], view, label=False)
        clock(grid[1, 0], view)
    return figure


def headroom(view: ResultView, way: str) -> np.ndarray:
    """Return by how much injection can still rise or fall about its baseline, kW per step.

    It is that of all assets.

    The baseline is the expected power less the expected activation of what is sold.
    """
    if view.assets:
        steps = slice(view.offset, view.offset + len(view.time))
        room = sum(
            np.asarray(a.room()[way].isel(time=steps).sum(a.member).values)
            for a in view.assets.values()
        )
        sign = 1 if way == "up" else -1
        net = view.activation("up") - view.activation("down")
        called = (net * view.full("reserve", "volume", "product", "time")).sum("product")
        return np.asarray(room + sign * called.values, dtype=float)
    if view.has("fleet", "charge_baseline"):
        base = view.total("discharge_baseline") - view.total("charge_baseline")
    else:
        net = view.activation("up") - view.activation("down")
        activated = (net * view.full("reserve", "volume", "product", "time")).sum("product")
        base = view.total("discharge") - view.total("charge") - np.asarray(activated.values)
    return view.total("discharge_max") - base if way == "up" else view.total("charge_max") + base


def price_response(result: Result) -> Figure:
    """Draw net power at each price, and energy drawn and fed in per price level.

    The energy (right) is that of the whole horizon.
    """
    view = ResultView.of(result)
    price = view.price
    known = np.isfinite(price)
    if not known.any():
        return empty("No energy market in this result.")
    charge, discharge = view.total("charge"), view.total("discharge")
    with sheet(1, 2, height=3.4, width_ratios=[1.1, 1]) as (figure, grid):
        left, right = grid[0]
        net = (charge - discharge)[known]
        many = len(net) > MOST_POINTS
        left.scatter(
            price[known],
            net,
            s=5 if many else 9,
            c=np.where(net >= 0, CHARGE, DISCHARGE),
            alpha=0.35 if many else 0.6,
            linewidths=0,
            rasterized=many,
        )
        left.axhline(0, color=GREY, linewidth=0.8)
        left.set_xlabel(f"{view.market} price, {view.currency}/MWh")
        left.set_ylabel("fleet power, kW\n(+ drawn, − fed in)")
        title(left, "Power at each price", view.note)
        power_at_prices(right, view, known)
    return figure


def power_at_prices(axes: Axes, view: ResultView, known: np.ndarray) -> None:
    """Energy drawn and fed in per price level; levels hold the same number of hours."""
    price = view.price[known]
    count = int(min(PRICE_BINS, len(np.unique(price))))
    rank = np.argsort(np.argsort(price, kind="stable"), kind="stable")
    level = np.minimum(rank * count // len(price), count - 1)

    def per_level(values: np.ndarray) -> np.ndarray:
        return np.bincount(level, weights=values[known] * view.hours, minlength=count)

    places = np.arange(count)
    axes.bar(places, per_level(view.total("charge")), color=CHARGE, width=0.8, label="charging")
    if view.total("discharge").any():
        axes.bar(
            places,
            -per_level(view.total("discharge")),
            color=DISCHARGE,
            width=0.8,
            label="feeding in",
        )
    if view.unmanaged_power.size:
        axes.step(
            np.append(places - 0.5, count - 0.5),
            np.append(per_level(view.unmanaged_power), per_level(view.unmanaged_power)[-1]),
            where="post",
            color=UNMANAGED,
            linestyle="--",
            linewidth=1.0,
            label="unmanaged",
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    middle = [np.median(price[level == i]) for i in places]
    axes.set_xticks(
        places[:: max(1, count // 6)],
        [f"{middle[i]:.0f}".replace("-", "−") for i in places[:: max(1, count // 6)]],
    )
    axes.set_xlabel(f"price level, median {view.currency}/MWh (equal hours each)")
    axes.set_ylabel("energy, kWh")
    legend(axes, 3)


def shadow_prices(result: Result, start: Moment = None, days: float | None = None) -> Figure:
    """Draw what one more unit would be worth.

    It is electricity at each pod, and energy in the batteries of the members.
    """
    whole = ResultView.of(result)
    if not whole.has("price", "electricity") and not any(
        whole.has("dual", f"{part}.balance") for part in whole.stores
    ):
        return empty("No shadow prices in this result.")
    if not len(whole.time):
        return empty("No time step in this result.")
    view = whole.window(start, days)
    stores = [part for part in view.stores if view.has("dual", f"{part}.balance")]
    with sheet(1 + bool(stores), 1, height=4.6 if stores else 2.6, sharex=True) as (figure, grid):
        top, lowest = grid[0, 0], grid[-1, 0]
        at_pods(top, view)
        title(top, "Shadow prices", view.note)
        legend(top)
        if stores:
            in_batteries(lowest, view, stores)
            legend(lowest)
            clock(top, view, label=False)
        clock(lowest, view)
    return figure


def at_pods(axes: Axes, view: ResultView) -> None:
    """Shadow price of electricity per pod (range and median of many) against the market price."""
    if view.has("price", "electricity"):
        value = np.asarray(view.full("price", "electricity", "pod", "time", default=np.nan).values)
        pods = [str(p) for p in view.index("price", "pod")]
        if len(pods) <= 4:
            shade = colours(pods)
            for pod, line in zip(pods, view.thin(value), strict=True):
                axes.stairs(
                    line,
                    view.thin_edges,
                    baseline=None,
                    color=shade[pod],
                    linewidth=2.2,
                    label=f"electricity at {pod}",
                )
        else:
            band(axes, view, value, "electricity at the pods", PURPLE)
    axes.stairs(
        view.thin(view.price),
        view.thin_edges,
        baseline=None,
        color=BLACK,
        linewidth=1.0,
        linestyle=(0, (4, 3)),
        zorder=3,
        label=f"{view.market} price",
    )
    axes.set_ylabel(f"electricity,\n{view.currency}/MWh")


def in_batteries(axes: Axes, view: ResultView, stores: list[str]) -> None:
    """Value of one more kWh in the battery of a plugged-in member, and in stationary ones."""
    axes.set_ylabel(f"stored energy,\n{view.currency}/MWh")
    for part in stores:
        value = view.full(
            "dual", f"{part}.balance", view.parts[part].member, "time", default=np.nan
        )
        colour = ASSETS.get(part, GREY)
        label, shade = labels.asset(part, view.parts), colour
        if part == "fleet":  # what is away has no use for energy
            label, shade, value = "plugged-in members", SKY, value.where(view.connected)
        band(axes, view, 1000 * np.asarray(value.values), f"stored energy, {label}", colour, shade)


def band(
    axes: Axes, view: ResultView, values: np.ndarray, label: str, colour: str, shade: str = SKY
) -> None:
    """Median over members, and the middle 90 % as a band."""
    values = view.pick(values)
    low, middle, high = (np.full(values.shape[1], np.nan) for _ in range(3))
    some = np.isfinite(values).any(axis=0)
    if some.any():
        low[some], middle[some], high[some] = np.nanquantile(
            values[:, some], (0.05, 0.5, 0.95), axis=0
        )
    if len(values) > 1:
        axes.stairs(
            high,
            view.thin_edges,
            baseline=low,
            fill=True,
            color=shade,
            alpha=0.4,
            linewidth=0,
            label="middle 90 %",
        )
    axes.stairs(
        middle,
        view.thin_edges,
        baseline=None,
        color=colour,
        label=f"{label}{', median' if len(values) > 1 else ''}",
    )
