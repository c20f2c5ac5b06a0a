"""Risk: the expected profit against the mean of the worst scenarios (docs/formulation.md §8)."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ...algebra.expression import Quantity
from ...case.schema import Calendar, Field, Schema
from ...errors import Problem
from ...model import risk_measures
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope
from ...model.terms import Cash, Replay, Terms
from ...model.view import View


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Risk needs scenarios, one weight and one level for all of them, and a tail that is not
    empty.
    """
    if calendar.scenario is None:
        detail = (
            "the case has no scenarios; give scenario and probability at the root, or leave"
            " /risk out"
        )
        return [Problem("risk", "missing", detail)]
    problems = [
        Problem(f"risk.{name}", "dims", "differs by scenario; give one number for all of them")
        for name in ("weight", "confidence")
        if "scenario" in d[name].dims
    ]
    if not problems and float(d.confidence) >= 1:
        problems.append(
            Problem(
                "risk.confidence",
                "range",
                "1 leaves no scenario in the tail; give less, such as 0.95",
            )
        )
    return problems


SCHEMA = Schema(
    inputs=(
        Field(
            "weight",
            "",
            "1",
            "weight of the worst scenarios in the objective; 0: the mean alone",
            ge=0,
            le=1,
        ),
        Field(
            "confidence",
            "",
            "1",
            "confidence level: the worst 1 - confidence of the scenarios count",
            0.95,
            ge=0,
            le=1,
        ),
    ),
    outputs=(
        Field("profit", "", "EUR", "profit of each scenario, penalties deducted", signed=True),
        Field(
            "value_at_risk",
            "",
            "EUR",
            "profit not exceeded in the worst 1 - confidence",
            signed=True,
            certain=True,
        ),
        Field("shortfall", "", "EUR", "profit missing to the value at risk", auxiliary=True),
        Field(
            "cvar", "", "EUR", "mean profit in the worst 1 - confidence", signed=True, certain=True
        ),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Mean profit and the mean of its worst scenarios, weighed against each other.

    See docs/formulation.md §8.

    With the weight beta, the confidence level alpha and the probabilities p_s::

        max (1 - beta) sum_s p_s profit_s + beta CVaR,
        CVaR = zeta - 1/(1 - alpha) sum_s p_s xi_s
        xi_s >= zeta - profit_s,   xi_s >= 0,
        profit_s = sum of all cash of the scenario [EUR]

    All other parts have put sum_s p_s profit_s into the objective; the ledger entry `adjustment`,
    which is no money, adds beta (CVaR - sum_s p_s profit_s). Cash that is the same in every
    scenario, or no decision at all, counts in each. Penalties count as in the objective, so that a
    need weighs against money in a bad scenario as in a good one. At beta = 1 the plan of a scenario
    outside the tail is any that stays outside.
    """
    p = s.calendar.probability
    profit, shortfall = s.var("profit", lower=-np.inf), s.var("shortfall")
    threshold = s.var("value_at_risk", lower=-np.inf)
    earned: Quantity = sum(_per_scenario(cash) for cash in s.cash)
    s.add("accounts", profit - earned == 0)
    s.add("tail", shortfall - threshold + profit >= 0)
    cvar = risk_measures.cvar(threshold, shortfall, p, 1 - d.confidence)
    return Terms(cash={"adjustment": d.weight * (cvar - (p * profit).sum("scenario"))})


def _per_scenario(cash: Cash) -> Cash:
    """Sum of an entry over everything but the scenario."""
    return cash.sum([n for n in cash.dims if n != "scenario"])


def postprocess(v: View, d: xr.Dataset) -> Mapping[str, xr.DataArray]:
    """Value at risk and CVaR from the sorted profits.

    Where beta is 0 the programme leaves both open.
    """
    p, tail = v.calendar.probability, 1 - d.confidence
    threshold = risk_measures.quantile(d.profit, p, tail)
    shortfall = (threshold - d.profit).clip(min=0.0)
    return {
        "value_at_risk": threshold,
        "shortfall": shortfall,
        "cvar": risk_measures.cvar(threshold, shortfall, p, tail),
    }


def replay(v: View, d: xr.Dataset) -> Replay:
    """Profit of every scenario from the cash that the other replays found.

    Value at risk and CVaR by sorting.
    """
    p = v.calendar.probability
    profit = xr.zeros_like(p)
    for done in v.done.values():
        for cash in done.cash.values():
            profit = profit + cash.sum([n for n in cash.dims if n != "scenario"])
    mean, cvar = (
        (p * profit).sum("scenario"),
        risk_measures.mean_of_lowest(profit, p, 1 - d.confidence),
    )
    scale = 1.0 + abs(profit).max()
    gaps = {
        "profit": d.profit - profit,
        "value_at_risk": d.value_at_risk - risk_measures.quantile(profit, p, 1 - d.confidence),
        "cvar": d.cvar - cvar,
    }
    return Replay(
        {name: (abs(gap) / scale).assign_attrs(units="1") for name, gap in gaps.items()},
        {"adjustment": d.weight * (cvar - mean)},
    )


PART = Part(
    "risk",
    Stage.RISK,
    SCHEMA,
    build,
    replay,
    entries={"adjustment": Entry("weight of the worst scenarios (no money)")},
    postprocess=postprocess,
)
