"""Energy markets: day-ahead, intraday and others, traded side by side (FORMULATION §2)."""

from typing import Any

import pandas as pd
import xarray as xr

from ..core import Flow, Part, Replay, Scope, Stage, Terms, View
from ..errors import Problem
from ..maths import activated_at_suppliers, previous, same_block, supplied
from ..schema import Calendar, Field, Schema, worst


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """A market block is one contract: its gate is open, or closed, for all of its steps."""
    if "time" not in d.closed.dims or len(calendar.time) < 2:
        return []
    dt = (calendar.time[1] - calendar.time[0]) / pd.Timedelta(hours=1)
    parted = same_block(d.block, calendar.time, calendar.timezone, dt) & (d.closed != d.closed.shift(time=1))
    if not (count := int(parted.sum())):
        return []
    place, hours = worst(d.block.broadcast_like(parted), parted, calendar)
    more = f" (and {count - 1} more)" if count > 1 else ""
    remedy = "close all of its steps, with the position that is committed, or none"
    detail = f"{place.removesuffix(': ')}{more} the gate changes inside a market block of {hours:g} h; {remedy}"
    return [Problem("energy.closed", "consistency", detail)]


SCHEMA = Schema(
    inputs=(
        Field("price", "market time", "EUR/MWh", "price of energy"),
        Field("spread", "market time", "EUR/MWh", "what a purchase costs above a sale", default=0.0, ge=0),
        Field("limit", "market time", "kW", "largest position, either way", ge=0),
        Field(
            "block", "market", "h", "market time unit with one position; 0 is the model step", default=0.0, ge=0, le=24
        ),
        Field("closed", "market time", "1", "1 once the gate has closed, for a whole block", 0.0, kind="flag"),
        Field(
            "committed", "market time", "kW", "position already taken where the gate has closed, sale +", default=0.0
        ),
        Field("virtual_bidding", "", "1", "1 allows positions that no physical plan backs", default=0.0, kind="flag"),
        Field("first_stage", "market", "1", "1: decided before the scenario is known", default=1.0, kind="flag"),
    ),
    outputs=(
        Field("position", "market time", "kW", "sale; negative is a purchase", first_stage="first_stage", signed=True),
        Field("sold", "market time", "kW", "power sold"),
        Field("bought", "market time", "kW", "power bought"),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Positions within their limits, or as committed once the gate has closed (FORMULATION §2).

    With price pi and spread sigma::

        position = sold - bought,   0 <= sold, bought <= limit;   closed => position = committed
        cash = dt (pi position - sigma / 2 (sold + bought))

    Where several gates are open at once and virtual bidding is off, sales are backed by the plan's injection and
    purchases by its withdrawal (each widened by what closed gates have already bought or sold), at the pods that trade
    here: those with a supply contract back nothing. The backing is gross: what one member draws and another feeds in
    backs a purchase and a sale at once, and so does activation that is expected, as energy delivered there is
    injection and withdrawal. Up to that much is still traded on paper between two open markets.
    """
    room, held = (1 - d.closed) * d.limit, d.closed * d.committed
    position = s.var("position", lower=held - room, upper=held + room)
    s.add("block", position - previous(position) == 0, mask=s.blocks(d.block) & (d.closed == 0))
    cash: dict[str, Any] = {"energy": d.price * s.dt * position}

    backed = (((1 - d.closed) * (d.limit > 0)).sum("market") > 1) & (d.virtual_bidding == 0)
    if bool((d.spread > 0).any()) or bool(backed.any()):
        sold, bought = (s.var(name, upper=room + abs(held)) for name in ("sold", "bought"))
        s.add("split", position - sold + bought == 0)
        cash["spread"] = -d.spread / 2 * s.dt * (sold + bought)
        if bool(backed.any()):
            due = held.sum("market")
            injection = _total(s, "injection") + (-due).clip(min=0)
            withdrawal = _total(s, "withdrawal") + due.clip(min=0)
            s.add("backed_sales", ((1 - d.closed) * sold).sum("market") - injection <= 0, mask=backed)
            s.add("backed_purchases", ((1 - d.closed) * bought).sum("market") - withdrawal <= 0, mask=backed)
    return Terms(power={"electricity": Flow(withdrawal=position.sum("market"))}, cash=cash)


def _total(s: Scope, side: str) -> Any:
    """Gross injection or withdrawal of everything built so far, without the pods that have a supplier (kW)."""
    total: Any = -activated_at_suppliers(s, "down" if side == "injection" else "up")
    connection = s.inputs.get("connection")
    for part, flow in s.flows.items():
        power, d = getattr(flow, side), s.inputs[part]
        if connection is not None and "pod" in d:
            power = power * (1 - supplied(connection, d.pod))
        if hasattr(power, "sum") and (member := d.attrs["member"]) in power.dims:
            power = power.sum(member)
        total = total + power
    return total


def replay(v: View, d: xr.Dataset) -> Replay:
    """Limits, gates and settlement of every position."""
    position = d.position
    over = abs(position.where(d.closed == 0, 0.0)) - d.limit
    moved = abs(position - d.committed).where(d.closed == 1, 0.0)
    residuals = {
        "limit": over.clip(min=0).assign_attrs(units="kW"),
        "committed": moved.assign_attrs(units="kW"),
        "block": v.moved(position, d.block).where(d.closed == 0, 0.0).assign_attrs(units="kW"),
    }
    cash = {"energy": d.price * position * v.dt}
    if "sold" in d:
        residuals["split"] = abs(d.sold - d.bought - position).assign_attrs(units="kW")
        cash["spread"] = -(d.sold + d.bought) * d.spread * v.dt / 2
        residuals |= _replay_backing(v, d)
    return Replay(residuals, cash, {"electricity": Flow(withdrawal=position.sum("market"))})


def _replay_backing(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """What is sold and bought beyond the plan where several gates are open and virtual bidding is off."""
    is_open = d.closed == 0
    several = (is_open & (d.limit > 0)).sum("market") > 1
    due = d.committed.where(~is_open, 0.0).sum("market")
    injection, withdrawal = (-due).clip(min=0), due.clip(min=0)
    for part, done in v.done.items():
        flow = done.power.get("electricity", Flow())
        injection = injection + _replay_traded(v, part, flow.injection)
        withdrawal = withdrawal + _replay_traded(v, part, flow.withdrawal)
    for x, here in _replay_supplied_shares(v):
        injection = injection - (v.groups["reserve"].activation_down * x).where(here, 0.0).sum([*here.dims, "product"])
        withdrawal = withdrawal - (v.groups["reserve"].activation_up * x).where(here, 0.0).sum([*here.dims, "product"])
    excess = {
        "backed_sales": d.sold.where(is_open, 0.0).sum("market") - injection,
        "backed_purchases": d.bought.where(is_open, 0.0).sum("market") - withdrawal,
    }
    strict = several & (d.virtual_bidding == 0)
    return {name: x.where(strict, 0.0).clip(min=0).assign_attrs(units="kW") for name, x in excess.items()}


def _replay_traded(v: View, part: str, power: Any) -> Any:
    """Power of a part in sum, without the members of pods that have a supplier."""
    group = v.groups[part]
    member = group.attrs["member"]
    if not isinstance(power, xr.DataArray) or member not in power.dims:
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
    shares = {n.removeprefix("share_"): reserve[n] for n in names if reserve is not None and n.startswith("share_")}
    return [(x, v.groups[asset].pod.astype(str).isin(contracts)) for asset, x in shares.items()]


PART = Part("energy", Stage.MARKET, SCHEMA, build, replay)
