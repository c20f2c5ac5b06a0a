"""How profit differs between scenarios: the distribution, its value at risk, and the mean of its
worst part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ...model import risk_measures
from ...solve.result import in_profit
from ..display_units import probability
from ..result_view import Result, ResultView
from .style import BLACK, BLUE, ORANGE, VERMILLION, beneath, empty, sheet, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.95
"""Confidence level where the case names none in /risk."""


def distribution(result: Result) -> dict[str, Any] | None:
    """Profit of each scenario, worst first, and what the worst of them come to.

    None without scenarios.

    ``confidence`` is that of `/risk`, else 0.95; ``value_at_risk`` is the profit that the worst 1 -
    confidence do not exceed, ``cvar`` their mean. Money over the horizon, penalties not counted.
    """
    view = ResultView.of(result)
    weight = None if view.source is None else probability(view.source.to_dataset())
    if view.source is None or weight is None or not view.has("ledger"):
        return None
    profit = xr.zeros_like(weight)
    for name, entry in view.source["ledger"].to_dataset().data_vars.items():
        if in_profit(str(name)):
            profit = profit + entry.sum([d for d in entry.dims if d != "scenario"])
    level = float(view.source["risk"]["confidence"]) if view.has("risk", "confidence") else LEVEL
    order = np.argsort(profit.to_numpy(), kind="stable")
    rows = {"scenario": weight["scenario"].astype(str), "probability": weight, "profit": profit}
    return {
        "confidence": level,
        "mean": float((profit * weight).sum()),
        "value_at_risk": float(risk_measures.quantile(profit, weight, 1 - level)),
        "cvar": float(risk_measures.mean_of_lowest(profit, weight, 1 - level)),
        "scenarios": (
            pd.DataFrame({n: x.to_numpy()[order] for n, x in rows.items()}).to_dict("records")
        ),
    }


def profit_distribution(result: Result) -> Figure:
    """Profit of the scenarios, the worst on the left, each as wide as it is likely.

    With mean, VaR and CVaR.
    """
    view = ResultView.of(result)
    found = distribution(view)
    if found is None:
        return empty("No scenarios in this result.")
    table = pd.DataFrame(found["scenarios"])
    table = table[table["probability"] > 0]
    profit, tail = table["profit"].to_numpy(), 100 * (1 - found["confidence"])
    edges = 100 * np.append(0.0, table["probability"].cumsum())
    with sheet(height=3.4) as (figure, grid):
        axes = grid[0, 0]
        base = min(0.0, float(profit.min()))
        axes.stairs(profit, edges, baseline=0.0, fill=True, color=BLUE, alpha=0.35)
        axes.stairs(
            profit, edges, baseline=None, color=BLUE, linewidth=1.6, label="profit of the scenarios"
        )
        axes.axvspan(0, tail, color=ORANGE, alpha=0.25, label=f"worst {tail:.3g} %", linewidth=0)
        lines = (("mean", "mean", BLACK, "-"), ("value_at_risk", "value at risk", VERMILLION, ":"))
        for key, label, colour, style in (
            *lines,
            ("cvar", "CVaR: mean of the worst", VERMILLION, "--"),
        ):
            axes.axhline(found[key], color=colour, linestyle=style, linewidth=1.2, label=label)
        axes.axhline(0, color=BLACK, linewidth=0.6)
        axes.set_xlim(0, 100)
        axes.margins(y=0.08)
        axes.set_ylim(bottom=None if base < 0 else 0)
        axes.set_xlabel("scenarios by profit, cumulative probability, %")
        axes.set_ylabel(f"profit, {view.currency}")
        title(axes, "Profit over the scenarios", f"{len(table)} scenarios")
        beneath(figure, axes)
    return figure
