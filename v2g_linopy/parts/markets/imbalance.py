"""Imbalance settlement: what is delivered beyond the position, and what is missing from it
(docs/formulation.md §4).
"""

import xarray as xr

from ...case.schema import ABSENT, Calendar, Field, Schema
from ...errors import Problem
from ...model.formulas import smaller
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope
from ...model.terms import Flow, Replay, Terms
from ...model.view import View

_SHOWN = 5  # hours named of those that are wrong


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """A shortfall costs at least what a surplus earns: else the plan would be long and short at
    once without end.
    """
    if "price_short" not in d:
        return []
    below = d.price_short < d.price_long - 1e-12
    if not (count := int(below.sum())):
        return []
    where = ""
    if "time" in below.dims:
        some = below.any([x for x in below.dims if x != "time"])
        stamps = [calendar.local(t) for t in some[some].indexes["time"]]
        where = f": {', '.join(stamps[:_SHOWN])}{', ...' if len(stamps) > _SHOWN else ''}"
    detail = (
        f"below price_long in {count} step(s){where}; being long and short at once would earn"
        " without risk"
    )
    return [Problem("imbalance.price_short", "consistency", detail)]


SCHEMA = Schema(
    inputs=(
        Field(
            "price_long",
            "time",
            "EUR/MWh",
            "received for energy delivered beyond the position",
            uncertain=True,
        ),
        Field(
            "price_short",
            "time",
            "EUR/MWh",
            "paid for energy missing; by default price_long",
            ABSENT,
            uncertain=True,
            not_below="price_long",
        ),
        Field("limit", "time", "kW", "largest imbalance, either way", ge=0),
    ),
    outputs=(
        Field("long", "time", "kW", "delivered beyond the position"),
        Field("short", "time", "kW", "missing from the position"),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """What the positions do not cover is settled at the imbalance price (docs/formulation.md §4).

    delivered - position = long - short,   0 <= long, short <= limit

    cash = dt (price_long long - price_short short),   price_short >= price_long

    With a single price both are the same, and the limit is what keeps a plan from living on the
    imbalance. Deviations of the pods with a supply contract of their own are their supplier's."""
    long, short = s.var("long", upper=d.limit), s.var("short", upper=d.limit)
    return Terms(
        power={"electricity": Flow(injection=short, withdrawal=long)},
        cash={
            "settlement": s.dt * (d.price_long * long - d.get("price_short", d.price_long) * short)
        },
    )


def replay(v: View, d: xr.Dataset) -> Replay:
    """Limits and settlement of the imbalance; never long and short in one step."""
    short_price = d["price_short"] if "price_short" in d else d["price_long"]
    residuals = {
        "limit": (
            xr.concat([d.long - d.limit, d.short - d.limit], "way")
            .clip(min=0)
            .assign_attrs(units="kW")
        ),
        "sign": xr.concat([-d.long, -d.short], "way").clip(min=0).assign_attrs(units="kW"),
        "both": xr.where(d.long < d.short, d.long, d.short).clip(min=0).assign_attrs(units="kW"),
    }
    cash = {"settlement": v.dt * d.long * d.price_long - v.dt * d.short * short_price}
    return Replay(residuals, cash, {"electricity": Flow(injection=d.short, withdrawal=d.long)})


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """With a single price only the difference counts: it is long or short, never both."""
    both = smaller(d.long, d.short)
    return {"long": d.long - both, "short": d.short - both}


PART = Part(
    "imbalance",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
    entries={"settlement": Entry("imbalance settled", "energy")},
    postprocess=postprocess,
)
