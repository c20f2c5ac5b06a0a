"""The connection of each pod to the grid: its limits and its bill, from supply to peak tariff (FORMULATION §5)."""

from typing import Any

import numpy as np
import xarray as xr

from ....case import calendar as periods
from ....case.schema import ABSENT, Calendar, Field, Schema, worst
from ....errors import Problem
from ....model.formulas import activated_at_suppliers, smaller, supplied
from ....model.part import Flow, Part, Replay, Scope, Stage, Terms, View
from . import meter_replay
from .peak_tariff import Peaks, largest_overrun, unmetered

INF, NAN = float("inf"), float("nan")
_ROUNDING = 1e-9  # EUR/kWh


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: contracts are whole, prices have what they are for, and nothing pays without end."""
    begun = d.feed_in_price.notnull()
    contract = supplied(d) | begun.any([x for x in begun.dims if x != "pod"])
    part = "missing, but the pod has a supply contract elsewhere: give it in every step, or in none"
    cost = _round_trip(d)
    whole = d.supply_price.notnull() == d.feed_in_price.notnull()
    both, each = whole & _pays(d, cost), 1000 * cost
    loop = f"{calendar.currency}/MWh is all that importing and exporting at once costs, which pays without end; give"
    used = (d.subscribed_price > 0) | (d.overrun_price > 0)
    rules = (
        ("supply_price", contract & d.supply_price.isnull(), d.supply_price, part),
        ("feed_in_price", contract & d.feed_in_price.isnull(), d.feed_in_price, f"{part}; 0 where export is not paid"),
        ("import_max", both & np.isinf(d.import_max), each, f"{loop} import_max (kW) or other prices"),
        ("export_max", both & np.isinf(d.export_max), each, f"{loop} export_max (kW) or other prices"),
        ("subscribed", used & d.subscribed.isnull(), d.subscribed, "missing, but it has a price; give it (kW)"),
        ("capacity", (d.capacity_cost > 0) & (d.capacity == 0), d.capacity, "kW, but capacity_cost is paid for it"),
        ("peak_count", d.peak_count % 1 != 0, d.peak_count, "is no whole number"),
    )
    problems = []
    for name, wrong, array, detail in rules:
        if count := int(wrong.sum()):
            place, value = worst(array.broadcast_like(wrong), wrong, calendar)
            more = f" (and {count - 1} more)" if count > 1 else ""
            shown = f"{place}{'' if np.isnan(value) else f'{value:g} '}{detail}{more}"
            problems.append(Problem(f"connection.{name}", "consistency", shown))
    return problems + [Problem(f"connection.{name}", "consistency", x) for name, x in unmetered(d, calendar)]


SCHEMA = Schema(
    inputs=(
        Field("import_max", "pod time", "kW", "most power drawn from the grid", default=INF, ge=0, infinite=True),
        Field("export_max", "pod time", "kW", "most power fed into the grid", default=INF, ge=0, infinite=True),
        Field(
            "supply_price",
            "pod time",
            "EUR/MWh",
            "price of import under a supply contract of the pod; NaN: it trades on the portfolio's markets",
            default=NAN,
            missing=True,
        ),
        Field(
            "feed_in_price",
            "pod time",
            "EUR/MWh",
            "paid for export under the supply contract; NaN: no contract",
            default=NAN,
            missing=True,
        ),
        Field("fee_import", "pod time", "EUR/MWh", "grid fee on import", default=0.0),
        Field("fee_export", "pod time", "EUR/MWh", "grid fee on export", default=0.0),
        Field("tax", "pod time", "EUR/MWh", "tax on import", default=0.0, ge=0),
        Field(
            "vat",
            "pod",
            "1",
            "value added tax on purchases: supply, fee and tax of import, peak, subscription and overrun",
            default=0.0,
            ge=0,
            le=1,
        ),
        Field("peak_price", "pod", "EUR/kW", "for the mean of the largest imports of each month", default=0.0, ge=0),
        Field("peak_count", "pod", "1", "how many of the largest imports are averaged", default=1.0, ge=1),
        Field(
            "peak_period",
            "pod",
            "",
            "an import is the mean of a clock hour, or of the largest clock hour of a local day",
            default="hour",
            kind="choice",
            choices=("hour", "day"),
        ),
        Field("peak_weight", "pod time", "1", "with which import counts for the peak", default=1.0, ge=0),
        Field(
            "peak_initial",
            "pod rank",
            "kW",
            "largest imports of the month so far, of a month that began before the first step; ranks 1, 2, ...",
            default=ABSENT,
            ge=0,
            missing=True,
        ),
        Field("hour_initial", "pod", "kWh", "weighted import in a clock hour that began before", default=0.0, ge=0),
        Field("day_initial", "pod", "kW", "largest clock hour in a local day that began before", default=0.0, ge=0),
        Field(
            "partial",
            "pod",
            "",
            "what a month that the horizon covers in part pays of the prices of peak and overrun",
            default="full",
            kind="choice",
            choices=("full", "pro_rata"),
        ),
        Field("subscribed", "pod", "kW", "subscribed import; NaN: none", default=NAN, ge=0, missing=True),
        Field("subscribed_price", "pod", "EUR/kW/year", "for the subscribed import", default=0.0, ge=0),
        Field("overrun_price", "pod", "EUR/kW", "for the largest import above it in each month", default=0.0, ge=0),
        Field("overrun_initial", "pod", "kW", "largest overrun of a month that began before", default=0.0, ge=0),
        Field("fixed_cost", "pod", "EUR/year", "operation, maintenance, administration", default=0.0, ge=0),
        Field("capacity", "pod", "kW", "rated capacity that capacity_cost is paid for", default=0.0, ge=0),
        Field("capacity_cost", "pod", "EUR/kW/year", "operation and maintenance per capacity", default=0.0, ge=0),
        Field("usage_cost", "pod", "EUR/kWh", "operation per energy through the meter, either way", default=0.0, ge=0),
    ),
    outputs=(
        Field("import_", "pod time", "kW", "power drawn from the grid"),
        Field("export", "pod time", "kW", "power fed into the grid"),
        Field("importing", "pod time", "1", "1 importing, 0 exporting, where both at once would pay"),
        Field("peak", "pod month", "kW", "mean of the largest imports of the month, where it is priced"),
        Field("overrun", "pod month", "kW", "largest import above the subscribed one, where it is priced"),
        Field("hour_energy", "pod time", "kWh", "weighted import in the clock hour so far, at the end of the step"),
        Field("day_peak", "pod time", "kW", "largest clock hour of the local day so far"),
        Field("peak_to_date", "pod rank time", "kW", "largest closed periods of the month so far", missing=True),
        Field("overrun_to_date", "pod time", "kW", "largest overrun of the month so far"),
        Field("peak_threshold", "pod month", "kW", "the smallest import that counts", auxiliary=True),
        Field("peak_excess", "pod hour", "kW", "clock hour above the threshold", auxiliary=True),
        Field("peak_excess_day", "pod day", "kW", "local day above the threshold", auxiliary=True),
        Field("peak_excess_before", "pod rank", "kW", "what was metered before, above it", auxiliary=True),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Meter of each pod; its limits hold as planned and with every reserve held there fully activated; its bill.

    With exchange the injection of the pod [kW] and `held` the reserve measured from the expected power::

        export - import = exchange,   0 <= import <= import_max,   0 <= export <= export_max
        exchange + held_up <= export_max,   -exchange + held_down <= import_max

    A pod with a supply contract buys all it draws and sells all it feeds in there, activated reserves included, and
    none of it reaches the markets of the portfolio. Per step [EUR/kWh] and per month [EUR/kW]::

        cash = dt (feed_in_price - fee_export - usage_cost) export
             - dt ((1 + vat) (supply_price + fee_import + tax) + usage_cost) import
             - (1 + vat) (peak_price peak + subscribed_price subscribed hours / 8760 + overrun_price overrun)
             - (fixed_cost + capacity_cost capacity / 8760) hours
        peak = mean of the K largest weight import of the month,   overrun >= import - subscribed

    Where the price of import less that of export is negative, one more binary keeps them apart::

        import <= import_max importing,   export <= export_max (1 - importing)

    Where it is zero, the plan is written without what flows both ways. The mean of the K = peak_count largest is the
    linear programme peak = eta + sum z / K, z >= weight P - eta, z, eta >= 0, with P the import of a clock hour; K is
    the number of periods in the horizon where a month has fewer. A month that began before the first step pays for
    what exceeds its peak so far (`peak_initial`, `day_initial`, `hour_initial`, `overrun_initial`).

    The overrun is that of the largest step of each month and priced per kW, as where a maximeter reads quarter-hours.
    A window of a longer horizon pays months in full (`partial`): then the windows add up to the bill of the whole.
    """
    drawn, fed = s.var("import_", upper=d.import_max), s.var("export", upper=d.export_max)
    exchange = s["node.exchange"].sel(pod=d.indexes["pod"])
    s.add("meter", fed - drawn - exchange == 0)
    both = _pays(d, _round_trip(d))
    importing = s.maybe("importing", both, binary=True)
    s.add("importing", drawn - d.import_max.where(both, 0.0) * importing <= 0, mask=both)
    s.add("exporting", fed + d.export_max.where(both, 0.0) * (importing - 1) <= 0, mask=both)
    _under_activation(s, d, exchange)
    power = {}
    if bool(supplied(d).any()):
        lowered, raised = (activated_at_suppliers(s, way) for way in ("down", "up"))
        power["electricity"] = Flow(raised, lowered + (supplied(d) * exchange).sum("pod"))
    return Terms(power=power, cash=_per_step(d, s.dt, drawn, fed) | _per_month(s, d, drawn))


def _under_activation(s: Scope, d: xr.Dataset, exchange: Any) -> None:
    """Rows: the limits hold with every reserve of the pod fully activated, either way."""
    held = s.held
    if not held:
        return
    up: Any = sum(s.per_pod(h.up, asset).sel(pod=d.indexes["pod"]) for asset, h in held)
    down: Any = sum(s.per_pod(h.down, asset).sel(pod=d.indexes["pod"]) for asset, h in held)
    limit_up, limit_down = np.isfinite(d.export_max), np.isfinite(d.import_max)
    s.add("activated_up", exchange + up <= d.export_max.where(limit_up, 0.0), mask=limit_up)
    s.add("activated_down", down - exchange <= d.import_max.where(limit_down, 0.0), mask=limit_down)


def _round_trip(d: xr.Dataset) -> xr.DataArray:
    """What a kWh costs at the meter that is imported and exported at once, beside the markets (EUR/kWh)."""
    bought = (1 + d.vat) * (d.supply_price.fillna(0.0) + d.fee_import + d.tax)
    return bought - d.feed_in_price.fillna(0.0) + d.fee_export + 2 * d.usage_cost


def _pays(d: xr.Dataset, cost: xr.DataArray) -> xr.DataArray:
    """Return True where importing and exporting at once would be paid for."""
    return (cost < -_ROUNDING) & (d.import_max > 0) & (d.export_max > 0)


def _per_step(d: xr.Dataset, dt: float, drawn: Any, fed: Any) -> dict[str, Any]:
    """What the meter counts, EUR on (pod, time)."""
    supply = d.supply_price.fillna(0.0)
    rates = {
        "supply": (-supply, drawn),
        "feed_in": (d.feed_in_price.fillna(0.0), fed),
        "fee_import": (-d.fee_import, drawn),
        "fee_export": (-d.fee_export, fed),
        "tax": (-d.tax, drawn),
        "vat": (-d.vat * (supply + d.fee_import + d.tax), drawn),
        "usage": (-d.usage_cost, drawn + fed),
    }
    return {entry: dt * rate * power for entry, (rate, power) in rates.items() if bool((rate != 0).any())}


def _per_month(s: Scope, d: xr.Dataset, drawn: Any) -> dict[str, Any]:
    """What a month costs, EUR on (pod, month)."""
    tariff = _peaks(d, s.calendar, s.dt)
    years = _years(tariff)
    cash: dict[str, Any] = {
        "subscribed": -d.subscribed.fillna(0.0) * d.subscribed_price * years,
        "fixed": -d.fixed_cost * years * periods.YEAR,
        "capacity": -d.capacity * d.capacity_cost * years,
    }
    cash = {entry: x for entry, x in cash.items() if bool((x != 0).any())}
    if bool((d.peak_price > 0).any()):
        cash["peak"] = -1 * tariff.charge(tariff.billed(s, drawn))
    priced, known = d.overrun_price > 0, d.overrun_initial * tariff.first("month")
    overrun = s.maybe("overrun", priced, lower=known)
    if not isinstance(overrun, float):
        month = tariff.steps_by("month")
        s.add("overrun", overrun.at(month) - drawn >= -d.subscribed.fillna(0.0), mask=priced)
        cash["overrun"] = -d.overrun_price * tariff.share * (overrun - known)
    taxed = sum(cash[entry] for entry in ("subscribed", "peak", "overrun") if entry in cash)
    if bool((d.vat > 0).any()) and not isinstance(taxed, int):
        cash["vat_capacity"] = d.vat * taxed
    return cash


def _peaks(d: xr.Dataset, calendar: Calendar, dt: float) -> Peaks:
    return Peaks(
        price=d.peak_price,
        count=d.peak_count,
        daily=d.peak_period == "day",
        weight=d.peak_weight,
        initial=d.get("peak_initial"),
        hour_initial=d.hour_initial,
        day_initial=d.day_initial,
        pro_rata=d.partial == "pro_rata",
        calendar=calendar,
        dt=dt,
    )


def _years(tariff: Peaks) -> xr.DataArray:
    """Length of the part of each month that the horizon covers, in years of 8760 hours."""
    month = tariff.steps_by("month")
    return tariff.dt * periods.sums(xr.ones_like(month, dtype=float), month) / periods.YEAR


def finish(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Take out what flows both ways where that costs nothing, and read the meter of each month."""
    both = smaller(d.import_, d.export)
    found = {"import_": d.import_ - both, "export": d.export - both}
    tariff = _peaks(d, v.calendar, v.dt)
    if "peak_threshold" in d:
        found |= tariff.read(found["import_"])
    if "overrun" in d:
        excess = (found["import_"] - d.subscribed).where(d.overrun_price > 0, 0.0)
        found |= largest_overrun(excess, tariff, d.overrun_initial)
    return found


def replay(v: View, d: xr.Dataset) -> Replay:
    """Meter, limits, limits under full activation, and every line of the bill, recomputed per pod.

    Peaks and overruns are read off the written import step by step, as a meter would, and the largest are sorted.
    """
    net: Any = 0.0
    up: Any = 0.0
    down: Any = 0.0
    for done in v.done.values():
        for asset, (more, less) in done.held.items():
            up, down = up + _at_pod(v, d, asset, more), down + _at_pod(v, d, asset, less)
    for part, done in v.done.items():
        if "pod" in v.groups[part] and "electricity" in done.power:
            net = net + _at_pod(v, d, part, done.power["electricity"].net)
    residuals = {
        "meter": abs(d.export - d.import_ - net),
        "import": (d.import_ - d.import_max).clip(min=0),
        "export": (d.export - d.export_max).clip(min=0),
        "sign": (-smaller(d.import_, d.export)).clip(min=0),
        "both_ways": smaller(d.import_, d.export).clip(min=0),
        "activated_up": (net + up - d.export_max).clip(min=0),
        "activated_down": (down - net - d.import_max).clip(min=0),
    }
    residuals = {name: x.assign_attrs(units="kW") for name, x in residuals.items()}
    metered = meter_replay.read(v, d) if "peak" in d or "overrun" in d else {}
    for name, x in metered.items():
        if name in d:
            wrong = abs(d[name] - x).where(d[name].notnull() | x.notnull(), 0.0)
            priced = d.overrun_price > 0 if name.startswith("overrun") else d.peak_price > 0
            unit = "kWh" if name == "hour_energy" else "kW"
            residuals[f"metered_{name}"] = wrong.where(priced, 0.0).assign_attrs(units=unit)
    return Replay(residuals, _replay_bill(v, d, metered), _replay_supply(v, d))


def _replay_bill(v: View, d: xr.Dataset, metered: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
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


def _replay_supply(v: View, d: xr.Dataset) -> dict[str, Flow]:
    """What the pods with a supply contract exchange, and what is activated there, stays with the supplier."""
    contract = d.supply_price.notnull()
    injection, withdrawal = d.import_.where(contract, 0.0).sum("pod"), d.export.where(contract, 0.0).sum("pod")
    reserve = v.get("reserve")
    for name in map(str, reserve.data_vars if reserve is not None else ()):
        if reserve is not None and name.startswith("share_"):
            power = {way: (reserve[f"activation_{way}"] * reserve[name]).sum("product") for way in ("up", "down")}
            up, down = (_at_pod(v, d, name.removeprefix("share_"), x) for x in power.values())
            injection = injection + up.where(contract, 0.0).sum("pod")
            withdrawal = withdrawal + down.where(contract, 0.0).sum("pod")
    return {"electricity": Flow(injection, withdrawal)}


def _at_pod(v: View, d: xr.Dataset, part: str, power: xr.DataArray) -> xr.DataArray:
    here = (v.groups[part].pod.astype(str) == d.pod.astype(str)).astype(float)
    member = v.groups[part].attrs["member"]
    return (power * here).sum(member)


PART = Part(
    "connection",
    Stage.RULE,
    SCHEMA,
    build,
    replay,
    carry={
        "peak_initial": "peak_to_date",
        "hour_initial": "hour_energy",
        "day_initial": "day_peak",
        "overrun_initial": "overrun_to_date",
    },
    finish=finish,
)
