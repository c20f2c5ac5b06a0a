"""Sites that are known by plans alone: a portfolio mixes what they offer (docs/formulation.md §11).

A site solves its own case at prices that it is told, and answers with a plan: what it trades in
every step, what it holds for reserves, and what that costs it. Nothing else of it is known here.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ...case.schema import Calendar, Field, Schema
from ...errors import Problem
from ...model.formulas import larger
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope, pod_of
from ...model.terms import Flow, Offered, Replay, Terms
from ...model.view import View

_PER_MWH = 1000.0


def missing_costs_more(
    data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float
) -> list[Problem]:
    """Power that no plan gives costs more than any market pays, else it would be sold."""
    highest = max(
        (
            float(abs(data[part][price]).max())
            for part in ("energy", "imbalance")
            for price in ("price", "price_long", "price_short")
            if part in data and price in data[part]
        ),
        default=0.0,
    )
    cost = float(data["flexibility"].missing_cost.min())
    if cost > highest:
        return []
    detail = (
        f"{_PER_MWH * cost:g} {calendar.currency}/MWh is not above the largest price of a market,"
        f" {_PER_MWH * highest:g}: power that no plan gives would be sold; give more"
    )
    return [Problem("flexibility.missing_cost", "consistency", detail)]


def every_product(data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float) -> list[Problem]:
    """Plans say of every product what they hold, and 0 of those that they do not hold."""
    held, reserve = data["flexibility"].held, data.get("reserve")
    if reserve is None or "product" not in held.dims:
        return []
    known = {str(p) for p in held.indexes["product"]}
    absent = [p for p in map(str, reserve.indexes["product"]) if p not in known]
    detail = "missing: give what each plan holds of {}, or 0"
    return [Problem("flexibility.held", "labels", detail.format(p)) for p in absent]


def _with_first_plans(d: xr.Dataset) -> xr.Dataset:
    """Name the first plan of the same pod beside each plan: what is one for a pod stands there."""
    pods = pod_of(d).to_series()
    first = pods.index.to_series().groupby(pods).transform("first")
    return d.assign(first_plan=("plan", pd.Index(first)))


SCHEMA = Schema(
    inputs=(
        Field(
            "traded",
            "plan time",
            "kW",
            "power of the pod that reaches the markets; + is fed in, activated reserves included",
        ),
        Field(
            "held", "plan product time", "kW", "reserve that the members of the pod hold", 0.0, ge=0
        ),
        Field(
            "own_cash",
            "plan",
            "EUR",
            "what the plan earns the site beyond energy and reserves, + is income",
            default=0.0,
        ),
        Field(
            "whole",
            "plan",
            "1",
            "1: taken as a whole or not at all, as the site has decisions that no mix keeps",
            default=0.0,
            kind="flag",
        ),
        Field(
            "missing_cost",
            "",
            "EUR/kWh",
            "penalty of energy that no mix of plans gives or takes, above every price",
            default=3.0,
            ge=0,
        ),
        Field("pod", "plan", "", "point of delivery that the plan is of", "site", kind="label"),
    ),
    outputs=(
        Field("weight", "plan", "1", "share of the plan in the mix of its pod"),
        Field("chosen", "plan", "1", "1: the plan is taken as a whole", auxiliary=True),
        Field(
            "missing",
            "plan time",
            "kW",
            "power that the mix of the pod lacks, at the first plan of the pod",
        ),
        Field(
            "excess",
            "plan time",
            "kW",
            "power that the mix of the pod has too much, at the first plan of the pod",
        ),
    ),
    completions=(_with_first_plans,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Mix the plans of every pod (docs/formulation.md §11).

    With weights w, power traded p [kW, + fed in], reserve held h [kW] of each plan k of a pod, and
    slack m (missing) and x (excess)::

        sum_k w = 1,   0 <= w <= 1,   w = 0 or 1 where `whole`
        power = sum_k w p + m - x,   offered = sum_k w h
        cash = sum_k w own_cash - dt missing_cost (m + x)

    A mix of plans is a plan where the site is a linear programme: all its rows hold for the mix,
    and convex costs (peaks, wear by depth) are at most the mix of the costs. Of each product the
    pod sells at most what the mix holds. What is one number for a pod (m, x, what is offered)
    stands at the first of its plans, so that more plans are more columns and no more rows.
    """
    whole, first = d.whole > 0, d.first_plan == d.plan
    w = s.var("weight", upper=1.0)
    chosen = s.var_where("chosen", whole, binary=True)
    s.add("whole", w - chosen == 0, mask=whole)

    here = xr.DataArray(s.pods.isin(pod_of(d).to_series()), coords={"pod": s.pods}, dims="pod")
    s.add("mix", s.per_pod(w, "flexibility") == 1, mask=here)
    missing, excess = (s.var_where(n, first, np.inf) for n in ("missing", "excess"))

    offered = (w * d.held).groupby_sum(d.first_plan, s.axis("plan"))
    most = _largest_of_pod(d).where(first, 0.0)
    fed, drawn = d.traded.clip(min=0), (-d.traded).clip(min=0)
    return Terms(
        power={"electricity": Flow(w * fed + missing, w * drawn + excess)},
        cash={
            "own": d.own_cash * w,
            "slack.missing": -s.dt * d.missing_cost * (missing + excess),
        },
        offered=Offered(offered, most),
    )


def _largest_of_pod(d: xr.Dataset) -> xr.DataArray:
    """Most that any plan of the pod holds (kW), beside each of its plans."""
    return d.held.groupby(d.first_plan).max().sel(first_plan=d.first_plan).drop_vars("first_plan")


def replay(v: View, d: xr.Dataset) -> Replay:
    """Weights that add up to 1 in every pod, whole plans, slack, and the cash of the mix."""
    pod = d.pod.astype(str)
    mix = d.weight.groupby(pod.rename("of_pod")).sum()
    split = xr.where(d.weight < 0.5, d.weight, 1 - d.weight)
    negative = larger(-d.missing, -d.excess)
    residuals = {
        "mix": abs(mix - 1).assign_attrs(units="1"),
        "weight": (-d.weight).clip(min=0).assign_attrs(units="1"),
        "whole": abs(split).where(d.whole == 1, 0.0).assign_attrs(units="1"),
        "sign": negative.clip(min=0).assign_attrs(units="kW"),
    }
    power, slack = d.weight * d.traded, d.missing + d.excess
    cash = {"own": d.weight * d.own_cash, "slack.missing": -(slack * v.dt * d.missing_cost)}
    held = d.weight * d.held
    at_first = held.groupby(d.first_plan).sum().rename(first_plan="plan")
    return Replay(
        residuals,
        cash,
        {"electricity": Flow(power.clip(min=0) + d.missing, (-power).clip(min=0) + d.excess)},
        offered=at_first.reindex(plan=d.plan, fill_value=0.0),
    )


PART = Part(
    "flexibility",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    case_checks=(missing_costs_more, every_product),
    label="sites known by plans",
    member_label="plan of a site",
    entries={
        "own": Entry("what the sites earn and pay themselves"),
        "slack.missing": Entry("power that no plan of a site gives or takes"),
    },
    limit_labels={
        "weight": "a plan that is all of its mix",
        "missing": "power that no plan of the site gives",
        "excess": "power that no plan of the site takes",
    },
    balances=frozenset({"mix", "whole"}),
    merges=False,
)
