"""Exclusion: of the reserve products that a rule names, at most one is sold at a time
(docs/formulation.md §3)."""

import xarray as xr

from ...case.schema import Calendar, Field, Schema
from ...errors import Problem
from ...model.bid_sizes import products_in_rules
from ...model.part import Part, Stage
from ...model.scope import Scope
from ...model.terms import Replay, Terms
from ...model.view import View

_NONE = 1e-6  # kW that count as nothing sold


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """A rule that never names two products at once excludes nothing: a label is missing, or
    misspelt.
    """
    most = d.group.sum("product")
    most = most.max([x for x in most.dims if x != "rule"])
    detail = (
        "rule {}: it names {:g} product{} at a time, and excludes nothing; give a 1 to at least two"
    )
    return [
        Problem("exclusion.group", "consistency", detail.format(rule, n, "" if n == 1 else "s"))
        for rule, n in zip(d.indexes["rule"], most.transpose("rule").data, strict=True)
        if n < 2
    ]


SCHEMA = Schema(
    inputs=(
        Field("group", "rule product time", "1", "1: the rule names this product", kind="flag"),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """At most one product of each rule is sold in a step, z being 1 where `/reserve` may sell it::

        sum_product group z <= 1,
        minimum_bid z <= volume <= X z     (the second in `/reserve`, X from the data)

    Whatever was committed before its gate closed stays; the rule then lets no other product of it
    be sold. Rules are policy: by the Nordic requirements for FCR products may be sold together
    where their power and energy add up."""
    reserve = s.inputs["reserve"]
    group = products_in_rules(d, reserve.indexes["product"])
    if "reserve.offered" in s.model.variables:
        taken = ((group > 0) & (reserve.closed > 0) & (reserve.committed > _NONE)).any("product")
        s.add("exclusive", (group * s["reserve.offered"]).sum("product") <= 1 - taken)
    return Terms()


def replay(v: View, d: xr.Dataset) -> Replay:
    """Capacity sold beside the largest of a rule's products, or beside one committed (kW)."""
    reserve = v.groups["reserve"]
    group = products_in_rules(d, reserve.indexes["product"])
    sold = (reserve.volume * group).fillna(0.0)
    is_open = (reserve.closed == 0) + sold * 0 > 0
    bid, kept = sold.where(is_open, 0.0), sold.where(~is_open, 0.0)
    beside = bid.sum("product") - bid.max("product").where(kept.max("product") <= _NONE, 0.0)
    return Replay({"exclusive": beside.clip(min=0).assign_attrs(units="kW")})


PART = Part("exclusion", Stage.RULE, SCHEMA, build, replay)
