"""Figures about the whole fleet in time: dispatch against prices, and the energy corridor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..result_view import Moment, Result, ResultView
from .style import (
    BLUE,
    CHARGE,
    DISCHARGE,
    GREY,
    PRICE,
    SKY,
    UNMANAGED,
    clock,
    empty,
    hours_from,
    legend,
    sheet,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AHEAD = 7.0
"""Days beyond the window in which a need can force charging inside it."""


def dispatch(result: Result, start: Moment = None, days: float | None = None) -> Figure:
    """Power of the fleet against the price, with unmanaged charging.

    A long horizon also as energy per local day.

    Parameters
    ----------
    result
        A result of ``solve`` or ``compare``.
    start, days
        Part of the horizon to draw, on the local clock; by default everything, or the busiest week
        of a long horizon.
    """
    whole = ResultView.of(result)
    if not len(whole.time):
        return empty("No time step in this result.")
    view = whole.window(start, days)
    daily = bool(view.label)
    ratios = [1.0, 2.2] + ([1.6] if daily else [])
    with sheet(len(ratios), 1, height=4.6 + (1.7 if daily else 0), height_ratios=ratios) as (
        figure,
        grid,
    ):
        price, power = grid[0, 0], grid[1, 0]
        price.stairs(
            view.thin(view.price), view.thin_edges, color=PRICE, baseline=None, linewidth=1.2
        )
        price.set_ylabel(f"{view.market}\n{view.currency}/MWh")
        title(price, "Fleet dispatch against prices", view.note)
        clock(price, view, label=False)
        price.tick_params(labelbottom=False)
        powers(power, view)
        clock(power, view)
        if daily:
            per_day(grid[2, 0], whole)
    return figure


def powers(axes: Axes, view: ResultView) -> None:
    """Charging above zero, feeding in below, unmanaged charging as a dashed line."""
    charge, discharge = view.thin(view.total("charge")), view.thin(view.total("discharge"))
    axes.stairs(charge, view.thin_edges, fill=True, color=CHARGE, label="charging", linewidth=0)
    if discharge.any():
        axes.stairs(
            -discharge, view.thin_edges, fill=True, color=DISCHARGE, label="feeding in", linewidth=0
        )
    if view.unmanaged_power.size:
        unmanaged = view.thin(view.unmanaged_power)
        axes.stairs(
            unmanaged,
            view.thin_edges,
            baseline=None,
            color=UNMANAGED,
            linestyle="--",
            label="unmanaged",
            linewidth=1.0,
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_ylabel("fleet power, kW\n(+ drawn, − fed in)")
    legend(axes)


def per_day(axes: Axes, whole: ResultView) -> None:
    """Energy per local day over the whole horizon; beyond 200 days as weekly means."""
    table = pd.DataFrame(
        {
            "charge": whole.per_day(whole.total("charge")),
            "discharge": whole.per_day(whole.total("discharge")),
        }
    )
    if whole.unmanaged_power.size:
        table["unmanaged"] = whole.per_day(whole.unmanaged_power)
    word = "The whole horizon, per local day"
    if len(table) > 200:
        word = "The whole horizon, weekly means"
        table = table.groupby(np.arange(len(table)) // 7).mean().set_index(table.index[::7])
    starts = np.maximum(hours_from(pd.DatetimeIndex(table.index), whole.local[0]), 0.0)
    edges = np.append(starts, whole.edges[-1])
    axes.stairs(table["charge"], edges, fill=True, color=CHARGE, linewidth=0)
    if table["discharge"].any():
        axes.stairs(-table["discharge"], edges, fill=True, color=DISCHARGE, linewidth=0)
    if "unmanaged" in table:
        axes.stairs(
            table["unmanaged"], edges, baseline=None, color=UNMANAGED, linestyle="--", linewidth=0.9
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set_ylabel("energy, kWh per day\n(+ drawn, − fed in)")
    title(axes, word)
    clock(axes, whole)


def corridor(result: Result, start: Moment = None, days: float | None = None) -> Figure:
    """Draw the cumulative energy charged, between what the fleet must and what it can.

    It begins with the window.

    The upper edge charges every vehicle at full power on arrival until it is full; the lower edge
    charges (and feeds in) so late that every need is just met. Each edge is reachable at each
    moment, not along the whole way.
    """
    whole = ResultView.of(result)
    if not len(whole.members) or not len(whole.time):
        return empty("No vehicle in this result.")
    view = whole.window(start, days)
    low, high, plan = corridor_of(whole, view.offset, view.offset + len(view.time))
    ends = np.concatenate([[0.0], view.thin_edges[1:]])
    with sheet(height=3.4) as (figure, grid):
        axes = grid[0, 0]

        def line(values: np.ndarray) -> np.ndarray:
            return np.concatenate([[0.0], view.pick(values)])

        axes.fill_between(
            ends, line(low), line(high), color=SKY, alpha=0.3, linewidth=0, label="corridor"
        )
        axes.plot(ends, line(high), color=SKY, linewidth=1.1, label="charge now")
        axes.plot(ends, line(low), color=GREY, linewidth=1.1, linestyle=":", label="must charge")
        axes.plot(ends, line(plan), color=BLUE, linewidth=1.8, label="plan")
        if view.unmanaged_power.size and not float(view.get("fleet", "aggregate").max()):
            axes.plot(
                ends,
                line(view.unmanaged_stored),
                color=UNMANAGED,
                linestyle="--",
                linewidth=1.0,
                label="unmanaged",
            )
        axes.set_ylabel("energy charged into the\nbatteries since the start, kWh")
        title(axes, "Energy corridor", view.note)
        clock(axes, view)
        legend(axes, 5)
    return figure


def corridor_of(
    whole: ResultView, first: int, last: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the least, most and planned net energy charged (kWh) by the end of each step.

    It counts from the state of the plan at `first`.
    """
    view = whole.cut(first, min(len(whole.time), last + round(AHEAD * 24 / whole.hours)))
    limit, need, kept = (
        np.asarray(view.fleet(n, d).values)
        for n, d in (("energy_max", 0), ("energy_min", 0), ("keep", 1))
    )
    eta_in, eta_out = (
        np.asarray(view.fleet(n, 0.95).values) for n in ("eta_charge", "eta_discharge")
    )
    up = view.hours * eta_in * np.asarray(view.fleet("charge_max").values)
    down = view.hours / eta_out * np.asarray(view.fleet("discharge_max").values)
    gain = np.asarray((view.fleet("energy_in") - view.fleet("energy_out")).values)
    spill = np.asarray(view.fleet("spill_max").values)
    if first:
        begin = np.asarray(whole.cut(first - 1, first).fleet("energy").isel(time=0).values)
    else:
        begin = np.asarray(view.full("fleet", "energy_initial", "fleet").values)
    floor = least_charged(limit, need, kept, gain, up)
    net = (
        np.asarray((view.fleet("charge") * eta_in - view.fleet("discharge") / eta_out).values)
        * view.hours
    )
    paths = np.zeros((2, *limit.shape))
    state = np.stack([begin, begin])
    for t in range(limit.shape[1]):
        start = kept[:, t] * state + gain[:, t]
        high = np.minimum(start[1] + up[:, t], np.maximum(limit[:, t], 0))
        low = np.minimum(
            np.maximum(start[0] - down[:, t], floor[:, t]),
            np.minimum(start[0] + up[:, t], limit[:, t]),
        )
        state = np.stack([low, np.maximum(high, low)])
        moved = state - start
        paths[:, :, t] = moved + np.clip(-moved, 0, spill[:, t])
    steps = last - first
    low_path, high_path = (np.cumsum(p.sum(axis=0))[:steps] for p in paths)
    return low_path, high_path, np.cumsum(net.sum(axis=0))[:steps]


def least_charged(
    limit: np.ndarray, need: np.ndarray, kept: np.ndarray, gain: np.ndarray, up: np.ndarray
) -> np.ndarray:
    """Return the least energy from which every later need can still be met (kWh).

    It is that at the end of each step, by backward recursion.
    """
    floor = np.maximum(need, 0)
    for t in range(floor.shape[1] - 2, -1, -1):
        later = np.where(
            kept[:, t + 1] > 0,
            (floor[:, t + 1] - gain[:, t + 1] - up[:, t + 1]) / np.maximum(kept[:, t + 1], 1e-9),
            0,
        )
        floor[:, t] = np.minimum(np.maximum(floor[:, t], later), limit[:, t])
    return floor
