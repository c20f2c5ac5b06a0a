"""Imbalance settlement: what is delivered beyond the position, and what is missing from it
(docs/formulation.md §4).
"""

import xarray as xr

from ...algebra.expression import Expression
from ...case.schema import ABSENT, Calendar, Field, Schema
from ...errors import Problem
from ...model.formulas import smaller
from ...model.formulas_time import block_so_far, first_of_block, last_of_block, sum_so_far
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
        Field("sale_met", "time", "1", "1: the plan of this scenario delivers what was sold"),
        Field("purchase_met", "time", "1", "1: the plan of this scenario uses what was bought"),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """What the positions do not cover is settled at the imbalance price (docs/formulation.md §4).

    delivered - position = long - short,   0 <= long, short <= limit

    cash = dt (price_long long - price_short short),   price_short >= price_long

    With a single price both are the same, and the limit is what keeps a plan from living on the
    imbalance. Deviations of the pods with a supply contract of their own are their supplier's.

    Imbalance is settled, not traded. Unless virtual bidding is on, a market that is still open
    takes a position that leaves none in the mean over a market block B and the scenarios s, whose
    probability is p. A market decided after the scenario is known leaves none in each scenario.
    After the gate deviations are free.

        |sum_B sum_s p (long - short)| <= sum_B unbacked

    Where a shortage costs more than a surplus earns, a quantity between those of the scenarios is
    a hedge and no bet: it may be any that one of them falls short of, and one uses up. A position
    beyond all of them pays only where the market does not lie between the two mean prices, so only
    there are binaries z needed for it:

        E price > E price_short:  sum_B (long - short)_s >= -sum_B (unbacked + (1 - z_s) limit)
        E price < E price_long:   sum_B (long - short)_s <=  sum_B (unbacked + (1 - z_s) limit)
        sum_s z_s >= 1
    """
    long, short = s.var("long", upper=d.limit), s.var("short", upper=d.limit)
    energy = s.inputs.get("energy")
    if energy is not None and not bool(energy.virtual_bidding.any()):
        _add_backing(s, d, energy, long - short)
    return Terms(
        power={"electricity": Flow(injection=short, withdrawal=long)},
        cash={
            "settlement": s.dt * (d.price_long * long - d.get("price_short", d.price_long) * short)
        },
    )


def _add_backing(s: Scope, d: xr.Dataset, energy: xr.Dataset, imbalance: Expression) -> None:
    """Let open markets plan no imbalance (kW), but for a hedge against two prices."""
    every = xr.zeros_like(energy.market, bool)
    first_step = first_of_block(s.blocks(energy.block) | every, s.calendar.time)
    room = sum_so_far(energy.unbacked, first_step)
    ends = _open_blocks(energy, first_step) & last_of_block(first_step)
    before = ends & (energy.first_stage > 0)  # decided before the scenario is known

    hedged = before & _two_prices(s, d, first_step)
    for name, x, rows in (
        ("backed", s.mean(imbalance), before & ~hedged),
        ("backed_each", imbalance, ends & ~before),
    ):
        if bool(rows.any()):
            of_block = x.convolve(block_so_far(first_step))
            s.add(f"{name}_long", of_block <= room, mask=rows)
            s.add(f"{name}_short", of_block >= -room, mask=rows)
    if not bool(hedged.any()):
        return

    price, price_long, price_short = (
        sum_so_far(s.mean(x), first_step)
        for x in (energy.price, d.price_long, d.get("price_short", d.price_long))
    )
    most = sum_so_far(d.limit, first_step)
    for name, pays, way in (
        ("sale_met", price > price_short, -1.0),
        ("purchase_met", price < price_long, 1.0),
    ):
        bet = hedged & pays
        met = s.var_where(name, bet, binary=True, over=[energy.indexes["market"]])
        beyond = (way * imbalance).convolve(block_so_far(first_step))
        s.add(name, beyond + most * met <= room + most, mask=bet)
        s.add(f"{name}_once", met.sum("scenario") >= 1, mask=bet)


def _two_prices(s: Scope, d: xr.Dataset, first_step: xr.DataArray) -> xr.DataArray:
    """Return True for blocks in which scenarios differ and a shortage costs more than a surplus
    earns.
    """
    if s.calendar.scenario is None or "price_short" not in d:
        return xr.zeros_like(first_step, bool)
    return sum_so_far(s.mean(d.price_short - d.price_long), first_step) > 1e-12


def _open_blocks(energy: xr.Dataset, first_step: xr.DataArray) -> xr.DataArray:
    """Return True where a market can still be traded in all steps of its block so far."""
    shut = ((energy.closed == 1) | (energy.limit == 0)).astype(float)
    return sum_so_far(shut, first_step) == 0


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
    energy = v.get("energy")
    if energy is not None:
        residuals |= _replay_backing(v, d, energy)
    cash = {"settlement": v.dt * d.long * d.price_long - v.dt * d.short * short_price}
    return Replay(residuals, cash, {"electricity": Flow(injection=d.short, withdrawal=d.long)})


def _replay_backing(v: View, d: xr.Dataset, energy: xr.Dataset) -> dict[str, xr.DataArray]:
    """What open markets plan of imbalance in their blocks, beyond what is allowed."""

    def of_blocks(x: xr.DataArray) -> xr.DataArray:
        return v.sum_of_blocks(x, energy.block)

    shut = xr.where((energy.closed == 1) | (energy.limit == 0), 1.0, 0.0)
    strict = (of_blocks(shut) == 0) & (energy.virtual_bidding == 0)
    room, imbalance = of_blocks(energy.unbacked), of_blocks(d.long - d.short)
    one_for_all = strict & (energy.first_stage == 1)

    hedged, excess = xr.zeros_like(strict), {}
    if "price_short" in d and "scenario" in imbalance.dims:
        price, price_long, price_short = (
            of_blocks(v.mean(x)) for x in (energy.price, d.price_long, d.price_short)
        )
        hedged = one_for_all & (price_short - price_long > 1e-12)
        sells, buys = hedged & (price > price_short), hedged & (price < price_long)
        excess["sale_met"] = (-imbalance.max("scenario") - room).where(sells, 0.0)
        excess["purchase_met"] = (imbalance.min("scenario") - room).where(buys, 0.0)
    excess["backed"] = (abs(v.mean(imbalance)) - room).where(one_for_all & ~hedged, 0.0)
    excess["backed_each"] = (abs(imbalance) - room).where(strict & (energy.first_stage == 0), 0.0)
    return {n: x.clip(min=0).assign_attrs(units="kW") for n, x in excess.items()}


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
    limit_labels={
        "backed": "no imbalance planned while a market is open",
        "long": "imbalance limit",
        "short": "imbalance limit",
    },
    conflict_labels=dict.fromkeys(
        ("backed_long", "backed_short", "backed_each_long", "backed_each_short"),
        "an open market cannot take the position that the plan needs, and no imbalance is planned"
        " while it is open: raise energy.limit, or allow some with energy.unbacked",
    ),
)
