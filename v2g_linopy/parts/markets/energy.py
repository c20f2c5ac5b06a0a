"""Energy markets: day-ahead, intraday and others, traded side by side (docs/formulation.md §2)."""

from typing import Any

import xarray as xr

from ...algebra.expression import Expression, Quantity
from ...case.schema import ABSENT, Calendar, Field, Schema, violations
from ...errors import Problem
from ...model import bid_curves
from ...model.bid_sizes import gate_problems
from ...model.formulas import larger, previous, smaller
from ...model.part import Entry, Part, Stage, Trading
from ...model.reserve_rules import activated_at_suppliers, supplied
from ...model.scope import Scope
from ...model.terms import Cash, Flow, Replay, Terms
from ...model.view import View


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """A market block is one contract: its gate is open, or closed, for all of its steps; a position
    takes trading.
    """
    traded = d.get("turnover", abs(d.committed))
    less = traded < abs(d.committed) - 1e-9
    problems = violations(
        "energy",
        [("turnover", less, traded, "kW, less than the committed position takes")],
        calendar,
    )
    return problems + gate_problems("energy", "position", d, calendar)


def _with_firm(d: xr.Dataset) -> xr.Dataset:
    """`firm` is 1 where one quantity is decided before the scenario is known."""
    return d.assign(firm=d.first_stage * (d.bid == "quantity"))


SCHEMA = Schema(
    inputs=(
        Field("price", "market time", "EUR/MWh", "price of energy", uncertain=True),
        Field(
            "spread",
            "market time",
            "EUR/MWh",
            "what a purchase costs above a sale",
            default=0.0,
            ge=0,
        ),
        Field("limit", "market time", "kW", "largest position, either way", ge=0),
        Field(
            "block",
            "market",
            "h",
            "market time unit with one position; 0 is the model step",
            default=0.0,
            ge=0,
            le=24,
        ),
        Field(
            "closed",
            "market time",
            "1",
            "1 once the gate has closed, for a whole block",
            0.0,
            kind="flag",
        ),
        Field(
            "committed",
            "market time",
            "kW",
            "position taken before; more is traded while the gate is open",
            0.0,
        ),
        Field(
            "turnover",
            "market time",
            "kW",
            "sold and bought in all to take that position; by default its size",
            default=ABSENT,
            ge=0,
        ),
        Field(
            "virtual_bidding",
            "",
            "1",
            "1 allows positions that no physical plan backs",
            default=0.0,
            kind="flag",
        ),
        Field(
            "unbacked",
            "time",
            "kW",
            "position beyond the plan that is allowed where virtual bidding is off",
            0.0,
            ge=0,
        ),
        Field(
            "revisable",
            "time",
            "1",
            "1: committed positions may be traded back, as what is known has changed since; 0: they"
            " stay backed",
            1.0,
            kind="flag",
        ),
        Field(
            *(
                "executed",
                "market time",
                "1",
                "1: what is traded holds; 0: it is planned for a gate that closes later",
            ),
            default=ABSENT,
            kind="flag",
        ),
        Field(
            "expected",
            "time",
            "kW",
            "delivery (sale +) that was expected when the gate of the first market closed: a"
            " position beyond it is virtual; by default the position",
            default=ABSENT,
        ),
        Field(
            "first_stage",
            "market",
            "1",
            "1: decided before the scenario is known",
            default=1.0,
            kind="flag",
        ),
        Field(
            *(
                "bid",
                "market",
                "",
                "what is decided before the scenario is known: a quantity, or one for each price",
            ),
            default="quantity",
            kind="choice",
            choices=("quantity", "curve"),
        ),
    ),
    outputs=(
        Field(
            "position",
            "market time",
            "kW",
            "sale; negative is a purchase",
            first_stage="firm",
            signed=True,
        ),
        Field("sold", "market time", "kW", "power sold, without what was committed before"),
        Field("bought", "market time", "kW", "power bought, without what was committed before"),
    ),
    checks=(_consistent,),
    completions=(_with_firm,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Positions within their limits, or as committed once the gate has closed.

    See docs/formulation.md §2.

    With price pi and spread sigma, and what was traded before as data::

        position = committed + sold - bought,   sold, bought >= 0,   |position| <= limit
        closed => sold = bought = 0
        cash = dt (pi position - sigma / 2 (sold + bought + turnover))

    A market decided before the scenario is known takes one quantity, or with `bid` "curve" one for
    each price: equal prices have equal positions, and a higher price no smaller one (sale +), at
    every step by itself.

    Where several gates are open at once and virtual bidding is off, what is sold is backed by the
    plan's injection and what is bought by its withdrawal, both in the mean of the scenarios, at the
    pods that trade here: those with a supply contract back nothing. Imbalance is no gate; what is
    planned of it is bounded by `/imbalance`. What was committed before has taken its part, also
    where its gate has closed; if it is revisable, it may be traded back, and the net position is
    what the plan backs; where something is traded now, also without the trades that are only
    planned (`executed` 0). `unbacked` widens all of them. The backing is gross: what one member
    draws and another feeds in backs a purchase and a sale at once, and so does activation that is
    expected, as energy delivered there is injection and withdrawal. Up to that much is still traded
    on paper between two open markets.

    What calls of reserves have moved is brought back here, too, where that is guaranteed: beside
    all positions there is the power for it, in some market::

        sum position + sold <= sum limit,   sum position - bought >= -sum limit
    """
    is_open = d.closed == 0
    lowest, highest = (
        xr.where(is_open, x, d.committed)
        for x in (smaller(-d.limit, d.committed), larger(d.limit, d.committed))
    )
    position = s.var("position", lower=lowest, upper=highest)
    _recovery_rows(s, d, position.sum("market"))
    s.add("block", position - previous(position) == 0, mask=s.blocks(d.block) & is_open)
    if s.calendar.scenario is not None and bool((curve := _by_price(d)).any()):
        for name, rows, mask in bid_curves.curve_rows(position, d.price):
            s.add(name, rows, mask=curve & mask)
    cash: dict[str, Cash] = {"energy": d.price * s.dt * position}

    backed = _several_gates(d) & (d.virtual_bidding == 0)
    if bool((d.spread > 0).any()) or bool(backed.any()):
        sold = s.var("sold", upper=highest - d.committed)
        bought = s.var("bought", upper=d.committed - lowest)
        s.add("split", position - sold + bought == d.committed)
        cash["spread"] = (
            -d.spread / 2 * s.dt * (sold + bought + d.get("turnover", abs(d.committed)))
        )
        if bool(backed.any()):
            sales, purchases = s.mean(sold), s.mean(bought)
            injection, withdrawal = (
                s.mean(s.expression(_total(s, side))) + d.unbacked
                for side in ("injection", "withdrawal")
            )
            for way, one, other, plan in (
                ("sales", sales, purchases, injection),
                ("purchases", purchases, sales, withdrawal),
            ):
                room, net, known = _room_to_trade(
                    d, 1.0 if way == "sales" else -1.0, lowest, highest
                )
                s.add(f"backed_{way}", one.sum("market") - plan <= room, mask=backed)
                s.add(
                    f"backed_net_{way}",
                    (one - other).sum("market") - plan <= net,
                    mask=backed & known,
                )
                if "executed" in d:
                    now = (d.executed * (one - other)).sum("market")
                    trades = ((d.executed > 0) & is_open).any("market")
                    s.add(f"backed_now_{way}", now - plan <= net, mask=backed & known & trades)
    return Terms(power={"electricity": Flow(withdrawal=position.sum("market"))}, cash=cash)


def _recovery_rows(s: Scope, d: xr.Dataset, position: Expression) -> None:
    """Rows: markets take what brings back the calls of reserves, at pods that trade here (kW)."""
    sold: Quantity = 0.0
    bought: Quantity = 0.0
    for asset, held in s.reserve_held:
        if held.recovery is None:
            continue
        here = 1 - supplied(s.inputs.get("connection"), s.inputs[asset].pod)
        member = s.inputs[asset].attrs["member"]
        sold = sold + (here * held.recovery.sold).sum(member)
        bought = bought + (here * held.recovery.bought).sum(member)
    most = larger(d.limit, abs(d.committed)).sum("market")
    for name, row in (("sold_back", position + sold), ("bought_back", bought - position)):
        if not isinstance(sold, float):
            s.add(name, row <= most)


def _several_gates(d: xr.Dataset) -> xr.DataArray:
    """Return True where a step can be traded in several markets, whose gates are open.

    A market that has closed is one of them while what it committed may not be revised: the flows
    that backed it stay."""
    is_open = (d.closed == 0) & (d.limit > 0)
    ways = is_open.sum("market")
    held = (is_open | (d.committed != 0)).sum("market")
    return (ways > 1) | ((held > 1) & (d.revisable == 0))


def _room_to_trade(
    d: xr.Dataset, way: float, lowest: xr.DataArray, highest: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Power that may be traded one way (sale +) beyond the plan, in gross and in net; True where
    the net has a row.

    What was traded the other way may be traded back; what was traded this way has taken its part of
    the plan. Of what may be revised, more than the open gates can still trade back is left as it
    is."""
    due, back = way * d.committed.sum("market"), d.revisable > 0
    taken = (way * d.committed).clip(min=0).sum("market")
    reach = ((d.committed - lowest) if way > 0 else (highest - d.committed)).sum("market")
    lost = (due - reach).clip(min=0)
    return xr.where(back, (-due).clip(min=0), -taken), lost - due, back & (due != 0)


def _by_price(d: xr.Dataset) -> xr.DataArray:
    """Return True for markets that take a curve and whose scenario is not known yet."""
    return (d.bid == "curve") & (d.first_stage > 0)


def _total(s: Scope, side: str) -> Quantity:
    """Gross injection or withdrawal of everything built so far, without the pods that have a
    supplier (kW).
    """
    total = -activated_at_suppliers(s, "down" if side == "injection" else "up")
    connection = s.inputs.get("connection")
    for part, flow in s.flows.items():
        power = s.expression(flow.injection if side == "injection" else flow.withdrawal)
        d = s.inputs[part]
        if connection is not None and "pod" in d:
            power = power * (1 - supplied(connection, d.pod))
        if (member := d.attrs["member"]) in power.dims:
            power = power.sum(member)
        total = total + power
    return total


def replay(v: View, d: xr.Dataset) -> Replay:
    """Limits, gates and settlement of every position."""
    position = d.position
    over = (abs(position) - larger(d.limit, abs(d.committed))).where(d.closed == 0, 0.0)
    moved = abs(position - d.committed).where(d.closed == 1, 0.0)
    residuals = {
        "limit": over.clip(min=0).assign_attrs(units="kW"),
        "committed": moved.assign_attrs(units="kW"),
        "block": v.change_within_blocks(position, d.block)
        .where(d.closed == 0, 0.0)
        .assign_attrs(units="kW"),
    }
    if "scenario" in position.dims:
        by_price = (d.first_stage == 1) & (d.bid == "curve")
        fall = bid_curves.curve_violation(position, d.price).where(by_price, 0.0)
        residuals["curve"] = fall.assign_attrs(units="kW")
    residuals |= _replay_recovery(v, d)
    cash = {"energy": d.price * position * v.dt}
    if "sold" in d:
        residuals["split"] = abs(d.committed + d.sold - d.bought - position).assign_attrs(
            units="kW"
        )
        before = d["turnover"] if "turnover" in d else abs(d.committed)
        cash["spread"] = -(d.sold + d.bought + before) * d.spread * v.dt / 2
        residuals |= _replay_backing(v, d)
    return Replay(residuals, cash, {"electricity": Flow(withdrawal=position.sum("market"))})


def _replay_recovery(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """By how much markets cannot take what brings back the calls of reserves (kW).

    Read from the energy that is brought back at most: what is bought stops what is fed in, or is
    charged; what is sold stops the charging, or is fed in.
    """
    room = larger(d.limit, abs(d.committed)).sum("market")
    residuals: dict[str, xr.DataArray] = {}
    contracts, reserve = _replay_contracts(v), v.get("reserve")
    if reserve is None:
        return residuals
    for name, way in (("sold_back", 1.0), ("bought_back", -1.0)):
        total: Any = 0.0
        for column in (str(n) for n in reserve.data_vars if str(n).startswith(f"{name}_")):
            asset = column.removeprefix(f"{name}_")
            members = v.groups[asset]
            path = "_baseline" if "energy_baseline" in members else ""
            per_hour = reserve[column].sum("product") / v.dt
            into, out = members.eta_charge, members.eta_discharge
            if way > 0:
                stopped = smaller(per_hour / into, members["charge" + path])
                power = stopped + (per_hour - stopped * into) * out
            else:
                stopped = smaller(per_hour * out, members["discharge" + path])
                power = stopped + (per_hour - stopped / out) / into
            power = power.where(~members.pod.astype(str).isin(contracts), 0.0)
            total = total + power.sum(members.attrs["member"])
        beyond = way * d.position.sum("market") + total - room
        if not isinstance(total, float):
            residuals[name] = beyond.clip(min=0).assign_attrs(units="kW")
    return residuals


def _replay_backing(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """What is sold and bought beyond the plan where several gates are open and virtual bidding is
    off.
    """
    is_open = d.closed == 0
    several = _replay_ways(d) > 1
    injection = withdrawal = d.unbacked
    for part, done in v.done.items():
        flow = done.power.get("electricity", Flow())
        injection = injection + _replay_traded(v, part, flow.injection)
        withdrawal = withdrawal + _replay_traded(v, part, flow.withdrawal)
    for x, here in _replay_supplied_shares(v):
        reserve = v.groups["reserve"]
        x = x * reserve.accept_probability.where(reserve.closed == 0, 1.0)
        injection = injection - (reserve.activation_down * x).where(here, 0.0).sum(
            [*here.dims, "product"]
        )
        withdrawal = withdrawal - (reserve.activation_up * x).where(here, 0.0).sum(
            [*here.dims, "product"]
        )
    due, free = d.committed.sum("market"), d.revisable == 1
    room = {
        way: xr.where(is_open, larger(d.limit - way * d.committed, 0.0), 0.0).sum("market")
        for way in (1, -1)
    }
    excess = {}
    for name, way, one, plan in (
        ("sales", 1, d.sold, injection),
        ("purchases", -1, d.bought, withdrawal),
    ):
        stuck = larger(way * due - room[-way], 0.0)
        counted = xr.where(
            free, smaller(way * due, 0.0), larger(way * d.committed, 0.0).sum("market")
        )
        excess[f"backed_{name}"] = one.sum("market") + counted - plan
        excess[f"backed_net_{name}"] = (way * d.position.sum("market") - stuck - plan).where(
            free & (due != 0), 0.0
        )
        if "executed" in d:
            held = due + (d.executed * (d.sold - d.bought)).sum("market")
            now = (is_open & (d.executed == 1)).any("market")
            excess[f"backed_now_{name}"] = (way * held - stuck - plan).where(
                free & (due != 0) & now, 0.0
            )
    strict = several & (d.virtual_bidding == 0)
    return {
        name: v.mean(x).where(strict, 0.0).clip(min=0).assign_attrs(units="kW")
        for name, x in excess.items()
    }


def _replay_ways(d: xr.Dataset) -> xr.DataArray:
    """Markets in which each step can be traded; those of before count where they hold."""
    trades = (d.limit > 0) & (d.closed == 0)
    bound = xr.where(trades, True, d.committed != 0).sum("market")
    return xr.where(d.revisable == 0, bound, trades.sum("market"))


def _replay_traded(v: View, part: str, power: xr.DataArray) -> xr.DataArray:
    """Power of a part in sum, without the members of pods that have a supplier."""
    group = v.groups[part]
    member = group.attrs["member"]
    if member not in power.dims:
        return power
    if "pod" in group and (contracts := _replay_contracts(v)):
        power = power.where(~group.pod.astype(str).isin(contracts), 0.0)
    return power.sum(member)


def _replay_contracts(v: View) -> list[str]:
    """Names of the pods that have a supplier."""
    connection = v.get("connection")
    if connection is None:
        return []
    priced = connection.supply_price.notnull()
    return [str(pod) for pod in connection.indexes["pod"] if bool(priced.sel(pod=pod).any())]


def _replay_supplied_shares(v: View) -> list[tuple[xr.DataArray, xr.DataArray]]:
    """Reserve shares of each asset, and which of its members have a supplier."""
    reserve, contracts = v.get("reserve"), _replay_contracts(v)
    names = [str(n) for n in (reserve.data_vars if reserve is not None and contracts else ())]
    shares = {
        n.removeprefix("share_"): reserve[n]
        for n in names
        if reserve is not None and n.startswith("share_")
    }
    return [(x, v.groups[asset].pod.astype(str).isin(contracts)) for asset, x in shares.items()]


PART = Part(
    "energy",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
    member_label="market",
    entries={
        "energy": Entry("energy bought and sold", "energy"),
        "spread": Entry("market spread paid", "energy"),
    },
    trading=Trading("position", "limit"),
    limit_labels={
        "position": "position limit of a market",
        "block": "one position per market block",
        "bought": "position limit of a market",
        "sold": "position limit of a market",
        "sold_back": "limit of markets, for selling what calls of reserves brought",
        "bought_back": "limit of markets, for buying back what calls of reserves took",
        "backed_sales": "sales that feed-in backs",
        "backed_purchases": "purchases that the draw backs",
        "curve": "bids that rise with the price",
    },
    balances=frozenset({"split"}),
)
