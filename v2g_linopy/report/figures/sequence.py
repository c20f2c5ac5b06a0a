"""A case that was operated through its gates: positions against what was delivered, and what
foresight was worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from .. import labels
from ..result_view import Moment, Result, ResultView
from ..schedule_and_bids import is_operated, on_forecasts
from .style import (
    BLACK,
    GREEN,
    GREY,
    PALE,
    SKY,
    VERMILLION,
    clock,
    empty,
    hours_from,
    legend,
    sheet,
    title,
)
from .value import colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMBALANCE = "imbalance"
SMALLEST = 1e-6
"""kW below which nothing was traded."""
MOST_DAYS = 62
"""Days that a table lists, and that a figure draws apart."""
FORECASTS = {
    "vintage": "on the forecasts that the case gives, each as it was known at the time",
    "published": (
        "on prices of auctions once published, with imbalance expected at them, and forecasts that"
        " else repeat the same hour of an earlier day"
    ),
    "naive": "on forecasts that repeat the same hour of an earlier day",
    "perfect": "knowing everything in advance",
}


def traded(view: ResultView) -> dict[str, np.ndarray]:
    """Power of every market and of the imbalance (kW per step, sale +).

    They add up to what was delivered.
    """
    position = view.full("energy", "position", "market", "time")
    table = {
        str(m): np.asarray(position.sel(market=m).values, dtype=float)
        for m in view.index("energy", "market")
    }
    if view.has(IMBALANCE, "long"):
        left = view.full(IMBALANCE, "long", "time") - view.full(IMBALANCE, "short", "time")
        table[IMBALANCE] = np.asarray(left.values, dtype=float)
    return table


def positions(result: Result, start: Moment = None, days: float | None = None) -> Figure:
    """Position of every market and the imbalance, one upon the other, and what was delivered.

    Local time.

    Parameters
    ----------
    result
        A result of ``simulate``, or a plan with several markets.
    start, days
        Part of the horizon to draw, on the local clock; by default everything, or the busiest week
        of a long horizon.
    """
    whole = ResultView.of(result)
    if (
        not len(whole.index("energy", "market"))
        or not whole.has("energy", "position")
        or not len(whole.time)
    ):
        return empty("No position in an energy market in this result.")
    view = whole.window(start, days)
    table = traded(view)
    shade = colours([m for m in table if m != IMBALANCE]) | {IMBALANCE: VERMILLION}
    with sheet(height=3.8) as (figure, grid):
        axes = grid[0, 0]
        above, below = (np.zeros(len(view.thin_edges) - 1) for _ in range(2))
        for name, power in table.items():
            values = view.thin(power)
            label: str | None = labels.market(name)
            for base, part in ((above, values.clip(min=0)), (below, values.clip(max=0))):
                if (abs(part) > SMALLEST).any():
                    style = {"fill": True, "color": shade[name], "linewidth": 0}
                    axes.stairs(
                        base + part, view.thin_edges, baseline=base.copy(), label=label, **style
                    )
                    base += part
                    label = None
        delivered = view.thin(sum(table.values(), np.zeros(len(view.time))))
        axes.stairs(
            delivered, view.thin_edges, baseline=None, color=BLACK, linewidth=1.2, label="delivered"
        )
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_ylabel("position, kW\n(+ sold, − bought)")
        title(axes, "Positions against what was delivered", view.note)
        clock(axes, view)
        legend(axes, 6)
    return figure


def regret(result: Result) -> Figure:
    """Profit by local day as it came and with hindsight, and the regret, also added up."""
    view = ResultView.of(result)
    if not view.has("sequence", "regret"):
        return empty(
            "This result was not compared with hindsight: it is of no simulation, or of one"
            " without it."
        )
    table = by_day(view)
    word = "per local day"
    if len(table) > MOST_DAYS:
        word = "per week"
        table = table.groupby(np.arange(len(table)) // 7).sum().set_index(table.index[::7])
    starts = np.maximum(hours_from(pd.DatetimeIndex(table.index), view.local[0]), 0.0)
    edges = np.append(starts, view.edges[-1])
    middle, width = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    with sheet(2, 1, height=4.4, sharex=True, height_ratios=[1.5, 1.0]) as (figure, grid):
        top, low = grid[:, 0]
        top.bar(middle - 0.2 * width, table["profit"], 0.36 * width, color=GREEN, label="profit")
        known = {"color": SKY, "label": "with hindsight"}
        top.bar(middle + 0.2 * width, table["hindsight"], 0.36 * width, **known)
        title(top, "Profit and hindsight", view.note)

        each = {"color": PALE, "edgecolor": GREY, "linewidth": 0.6, "label": "regret"}
        low.bar(middle, table["regret"], 0.76 * width, **each)
        summed = {"color": VERMILLION, "markersize": 3, "label": "regret, added up"}
        low.plot(edges[1:], table["regret"].cumsum(), "o-", **summed)
        title(low, "Regret")

        for axes in (top, low):
            axes.set_ylabel(f"{view.currency} {word}")
            legend(axes)
            axes.axhline(0, color=GREY, linewidth=0.8)
            clock(axes, view, label=axes is low)
    return figure


def by_day(view: ResultView) -> pd.DataFrame:
    """Profit, hindsight and regret, on local midnights."""
    table = view.groups["sequence"][["profit", "hindsight", "regret"]].to_dataframe()
    return table.set_index(pd.DatetimeIndex(table.index).tz_localize(view.timezone))


def run_summary(view: ResultView) -> dict[str, Any]:
    """The run as the page tells it: sentence, markets, days and stages; empty for a plan."""
    if not is_operated(view):
        return {}
    return {
        "sentence": _sentence(view),
        "markets": _markets(view),
        "days": _days(view),
        "stages": _stages(view),
    }


def _sentence(view: ResultView) -> str:
    forecast = str(view.attrs.get("forecast", ""))
    known = FORECASTS.get(forecast, f"on forecasts of the kind {forecast}")
    decided = labels.count(float(view.attrs["decisions"]), "decision")
    text = (
        f"The case was {'operated' if on_forecasts(view) else 'decided'} in {decided}, {known}."
        " What is shown was delivered and settled on what happened."
    )
    if "regret" not in view.attrs:
        return text
    best, less = (float(view.attrs[n]) for n in ("objective_hindsight", "regret"))
    return (
        f"{text} Knowing everything in advance it would have earned {labels.money(best)}"
        f" {view.currency}; the regret is {labels.money(less)} {view.currency}."
    )


def _markets(view: ResultView) -> list[dict[str, Any]]:
    """Energy sold and bought in every market and as imbalance, and what it came to."""
    rows = []
    for name, power in traded(view).items():
        income, energy = _income(view, name), power * view.hours
        if not abs(energy).any() and abs(income) < SMALLEST:
            continue
        sold, bought = energy.clip(min=0).sum(), -energy.clip(max=0).sum()
        cells = [labels.shown_number(sold), labels.shown_number(bought), labels.money(income)]
        rows.append({"name": labels.market(name), "cells": cells})
    return rows + _reserves(view)


def _reserves(view: ResultView) -> list[dict[str, Any]]:
    """What every reserve product came to: capacity, activation, and what was not held."""
    ledger = view.groups["ledger"].data_vars if view.has("ledger") else {}
    entries = [
        x for n, x in ledger.items() if str(n).startswith("reserve.") and "product" in x.dims
    ]
    products = entries[0].indexes["product"] if entries else []
    income = {str(p): sum(float(x.sel(product=p).sum()) for x in entries) for p in products}
    return [{"name": name, "cells": ["", "", labels.money(paid)]} for name, paid in income.items()]


def _income(view: ResultView, name: str) -> float:
    if name == IMBALANCE:
        return float(view.get("ledger", "imbalance.settlement").sum())
    entries = [view.get("ledger", f"energy.{entry}") for entry in ("energy", "spread")]
    return sum(float(x.sel(market=name).sum()) for x in entries if "market" in x.dims)


def _days(view: ResultView) -> dict[str, Any]:
    """Profit, hindsight and regret by day, and their sum."""
    if not view.has("sequence", "regret"):
        return {"rows": [], "more": 0, "note": ""}
    columns = ["profit", "hindsight", "regret"]
    table, found = by_day(view)[columns], view.groups["sequence"]
    rest = np.array([float(found.get(f"{name}_undated", xr.DataArray(0.0))) for name in columns])
    names = [*pd.DatetimeIndex(table.index).strftime("%a %Y-%m-%d")[:MOST_DAYS]]
    amounts = [*table.to_numpy()[:MOST_DAYS]]
    if more := max(0, len(table) - MOST_DAYS):
        names = [*names, f"{labels.count(more, 'day')} more"]
        amounts = [*amounts, table.to_numpy()[MOST_DAYS:].sum(axis=0)]
    if abs(rest).max() > SMALLEST:
        names, amounts = [*names, "of no single day (fees of a month or more)"], [*amounts, rest]
    names, amounts = [*names, "in all"], [*amounts, table.sum().to_numpy() + rest]
    shown = [
        {"name": n, "cells": [labels.money(float(x)) for x in row]}
        for n, row in zip(names, amounts, strict=True)
    ]
    return {"rows": shown, "more": more, "note": _penalties(view)}


def _penalties(view: ResultView) -> str:
    """Say that regret counts penalties, where there are any."""
    found = view.groups["sequence"]
    if "penalties" not in found:
        return ""
    here, best = float(found["penalties"]), float(found["penalties_hindsight"])
    if max(abs(here), abs(best)) < SMALLEST:
        return ""
    return (
        f"Regret counts penalties, which are no part of profit: {labels.money(here)}"
        f" {view.currency} as operated, {labels.money(best)} with hindsight."
    )


def _stages(view: ResultView) -> list[dict[str, Any]]:
    """What each market added."""
    if not view.has("stages", "profit"):
        return []
    table = view.groups["stages"]
    levels = zip(table.indexes["stage"], table["profit"].values, table["value"].values, strict=True)
    return [
        {
            "name": labels.market(str(name)),
            "cells": [labels.money(float(x)), labels.signed(float(y), 2)],
        }
        for name, x, y in levels
    ]
