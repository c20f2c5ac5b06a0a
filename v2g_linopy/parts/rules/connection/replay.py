"""Connections replayed from the written plan: limits, and every line of the bill."""

from typing import Any

import xarray as xr

from ....case import calendar as periods
from ....model.called_outcomes import called_outcomes
from ....model.formulas import larger, smaller
from ....model.terms import Flow, Replay
from ....model.view import View
from . import meter_replay

_ROUNDING = 1e-9  # EUR/kWh


def replay(v: View, d: xr.Dataset) -> Replay:
    """Meter, limits, limits under full activation, and every line of the bill, recomputed per pod.

    Peaks and overruns are read off the written import step by step, as a meter would, and the
    largest are sorted."""
    nothing = 0.0 * d.export
    net: Any = 0.0
    up: Any = nothing - float("inf")
    down: Any = up
    for held in v.held_by_path:
        more = sum((_at_pod(v, d, asset, x) for asset, (x, _) in held.items()), nothing)
        less = sum((_at_pod(v, d, asset, x) for asset, (_, x) in held.items()), nothing)
        up, down = larger(up, more), larger(down, less)
    for part, done in v.done.items():
        if "pod" in v.groups[part] and "electricity" in done.power:
            net = net + _at_pod(v, d, part, done.power["electricity"].net)
    called = _fed_in_by_calls(v, d)
    residuals = {
        "meter": abs(d.export - d.import_ - net),
        "import": (d.import_ - d.import_max).clip(min=0),
        "export": (d.export - d.export_max).clip(min=0),
        "sign": (-smaller(d.import_, d.export)).clip(min=0),
        "both_ways": smaller(d.import_, d.export - called).clip(min=0),
        "activated_up": (net + up - d.export_max).clip(min=0),
        "activated_down": (down - net - d.import_max).clip(min=0),
    }
    if "call" in (v.get("reserve") or {}):
        residuals["export_under_calls"] = (called - d.export).clip(min=0)
    residuals = {name: x.assign_attrs(units="kW") for name, x in residuals.items()}
    metered = meter_replay.read_meters(v, d) if "peak" in d or "overrun" in d else {}
    for name, x in metered.items():
        if name in d:
            written = d[name].reindex_like(x)  # another number of ranks is another tariff
            wrong = abs(written - x).where(written.notnull() | x.notnull(), 0.0)
            priced = d.overrun_price > 0 if name.startswith("overrun") else d.peak_price > 0
            unit = "kWh" if name == "hour_energy" else "kW"
            residuals[f"metered_{name}"] = wrong.where(priced, 0.0).assign_attrs(units=unit)
    return Replay(residuals, _replay_bill(v, d, metered), _replay_supply(v, d))


def _replay_bill(
    v: View, d: xr.Dataset, metered: dict[str, xr.DataArray]
) -> dict[str, xr.DataArray]:
    """Every line of the bill from the written import and export, and from what the meter shows."""
    drawn, fed = v.dt * d.import_, v.dt * d.export
    month = periods.steps_by("month", v.calendar.time, v.calendar.timezone)
    hours = (v.dt * xr.ones_like(month, dtype=float)).groupby(month).sum()
    length = periods.hours_in(hours.get_index("month"), v.calendar.timezone)
    share = xr.where(d.partial == "full", 1.0, hours / length)
    cash = {
        "supply": -(drawn * d.supply_price).fillna(0.0),
        "feed_in": (fed * d.feed_in_price).fillna(0.0),
        "fee_import": -(drawn * d.fee_import),
        "fee_export": -(fed * d.fee_export),
        "tax": -(drawn * d.tax),
        "usage": -((drawn + fed) * d.usage_cost),
        "subscribed": -(d.subscribed_price * d.subscribed).fillna(0.0) * hours / 8760,
        "fixed": -(d.fixed_cost * hours),
        "capacity": -(d.capacity_cost * d.capacity * hours / 8760),
        "peak": 0.0 * share,
        "overrun": 0.0 * share,
    }
    for entry, price in (("peak", d.peak_price), ("overrun", d.overrun_price)):
        if entry in metered:
            cash[entry] = -(price * share * (metered[entry] - metered[f"{entry}_before"]))
    cash["vat"] = d.vat * (cash["supply"] + cash["fee_import"] + cash["tax"])
    cash["vat_capacity"] = d.vat * (cash["peak"] + cash["subscribed"] + cash["overrun"])
    return cash


def _fed_in_by_calls(v: View, d: xr.Dataset) -> xr.DataArray:
    """What the meter counts as fed in while calls are in each of their states, in the mean; 0 where
    a kWh drawn costs what one fed in earns, or there are no states (kW).
    """
    reserve, nothing = v.get("reserve"), 0.0 * d.export
    if reserve is None or "call" not in reserve:
        return nothing
    paid = (1 + d.vat) * (d.supply_price.fillna(0.0) + d.fee_import + d.tax) + d.usage_cost
    earned = d.feed_in_price.fillna(0.0) - d.fee_export - d.usage_cost
    sold: Any = 0.0
    for name in map(str, reserve.data_vars):
        if name.startswith("share_"):
            sold = sold + _at_pod(v, d, name.removeprefix("share_"), reserve[name])
    taken = reserve.accept_probability.where(reserve.closed == 0, 1.0)
    mean = taken * (reserve.call_share * reserve.call).sum("call_state")
    traded = d.export - d.import_ - (mean * sold).sum("product")
    found: Any = nothing
    for called, likely in called_outcomes(reserve, reserve.call * sold, taken):
        in_state = (traded + called).clip(min=0)
        found = found + likely * (reserve.call_share * in_state).sum("call_state")
    return found.where((paid - earned > _ROUNDING) & (d.import_max > 0), 0.0)


def _replay_supply(v: View, d: xr.Dataset) -> dict[str, Flow]:
    """What the pods with a supply contract exchange, and what is activated there, stays with the
    supplier.
    """
    contract = d.supply_price.notnull()
    injection, withdrawal = (
        d.import_.where(contract, 0.0).sum("pod"),
        d.export.where(contract, 0.0).sum("pod"),
    )
    reserve = v.get("reserve")
    for name in map(str, reserve.data_vars if reserve is not None else ()):
        if reserve is not None and name.startswith("share_"):
            taken = reserve.accept_probability.where(reserve.closed == 0, 1.0) * reserve[name]
            power = {
                way: (reserve[f"activation_{way}"] * taken).sum("product") for way in ("up", "down")
            }
            up, down = (_at_pod(v, d, name.removeprefix("share_"), x) for x in power.values())
            injection = injection + up.where(contract, 0.0).sum("pod")
            withdrawal = withdrawal + down.where(contract, 0.0).sum("pod")
    return {"electricity": Flow(injection, withdrawal)}


def _at_pod(v: View, d: xr.Dataset, part: str, power: xr.DataArray) -> xr.DataArray:
    here = (v.groups[part].pod.astype(str) == d.pod.astype(str)).astype(float)
    member = v.groups[part].attrs["member"]
    return (power * here).sum(member)
