"""Power purchase agreements and contracts for difference, physical and financial (FORMULATION §6)."""

from typing import Any

import pandas as pd
import xarray as xr

from ..core import Flow, Part, Replay, Scope, Stage, Terms, View
from ..errors import Problem
from ..maths import closing, first, larger, local_period, previous, run_hours
from ..schema import ABSENT, Calendar, Field, Schema

NAN = float("nan")
SIDES, PERIODS = ("seller", "buyer"), ("month", "year", "horizon")
SETTLEMENTS, VOLUMES = ("two_way", "one_way", "physical"), ("output", "deemed", "baseload")


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: a volume that is known, energy that is not counted twice, a shortfall that costs."""
    plant, physical, buys, due = _plant(d) != "", d.settlement == "physical", d.side == "buyer", d.contracted > 0
    rules = (
        ("renewable", (d.volume_type != "baseload") & ~plant, "name the plant of /renewable whose energy counts"),
        ("baseload", (d.volume_type != "baseload") & (d.baseload > 0), 'counts only where volume_type is "baseload"'),
        (
            "settlement",
            physical & buys & (d.volume_type != "baseload"),
            "the plant feeds in already, its energy would count twice; settle the difference, or pay renewable.cost",
        ),
        ("shortfall_price", due & (d.shortfall_price == 0), "energy is contracted; give what a kWh short of it costs"),
        ("contracted", due & buys, "the portfolio buys; energy can be due from a seller only"),
    )
    problems = []
    for name, wrong, detail in rules:
        some = wrong.any([x for x in wrong.dims if x != "contract"])
        for contract in some.contract[some].indexes["contract"]:
            problems.append(Problem(f"ppa.{name}", "consistency", f"contract {contract}: {detail}"))
    return problems


SCHEMA = Schema(
    inputs=(
        Field("strike", "contract time", "EUR/MWh", "price agreed"),
        Field("side", "contract", "", "what the portfolio is", "seller", kind="choice", choices=SIDES),
        Field(
            "settlement",
            "contract",
            "",
            "the difference to the reference both ways, or only where it favours the seller, or the energy itself",
            "two_way",
            kind="choice",
            choices=SETTLEMENTS,
        ),
        Field(
            "volume_type",
            "contract",
            "",
            "the share counts of what the plant feeds in, or of what it could have; or a power is given",
            "output",
            kind="choice",
            choices=VOLUMES,
        ),
        Field(
            "renewable",
            "contract",
            "",
            "plant whose energy counts, empty for none",
            ABSENT,
            kind="label",
            of="renewable",
        ),
        Field("share", "contract time", "1", "share of the plant's energy under contract", default=1.0, ge=0, le=1),
        Field("baseload", "contract time", "kW", "power under a baseload contract", default=0.0, ge=0),
        Field(
            "reference",
            "contract",
            "",
            "energy market of the reference price; the first unless given",
            ABSENT,
            kind="label",
            of="energy",
        ),
        Field(
            "averaging",
            "contract",
            "",
            "the reference is the price of the step, or the mean of the local month as far as the horizon shows it",
            "spot",
            kind="choice",
            choices=("spot", "month"),
        ),
        Field(
            "negative_hours",
            "contract",
            "h",
            "the contract rests while the price of the step is below 0 for at least this long without a break; 0 rests"
            " in every such step, NaN never",
            default=NAN,
            ge=0,
            missing=True,
        ),
        Field(
            "contracted",
            "contract",
            "kWh",
            "energy agreed for each period; due pro rata of the time, also where the horizon cuts a month or year",
            default=0.0,
            ge=0,
        ),
        Field("tolerance", "contract", "1", "share of it that may be missing", default=0.0, ge=0, le=1),
        Field("shortfall_price", "contract", "EUR/MWh", "paid for energy missing beyond that", default=0.0, ge=0),
        Field(
            "period", "contract", "", "when energy is due: local month or year", "year", kind="choice", choices=PERIODS
        ),
        Field(
            "ahead_initial", "contract", "kWh", "ahead of what is due before the first step, in its period", 0.0, ge=0
        ),
        Field(
            "behind_initial", "contract", "kWh", "behind what is due before the first step, in its period", 0.0, ge=0
        ),
    ),
    outputs=(
        Field("ahead", "contract time", "kWh", "energy beyond what is due in the period so far, where some is"),
        Field("behind", "contract time", "kWh", "energy short of what is due in the period so far"),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Quantity Q of each contract [kW], and what is paid for it (FORMULATION §6).

    With strike K, reference R (price of a market at the step, or its mean over the local month), sign +1 for a seller
    and -1 for a buyer, p what the plant feeds in, and a = 0 where the contract rests, 1 elsewhere::

        Q = a share p  (output),   a share available  (deemed),   a baseload
        difference = dt sign (K - R) Q  (two-way),   dt sign max(K - R, 0) Q  (one-way)
        delivery = dt sign K Q,   Q leaves the market node for a seller and enters it for a buyer  (physical)

    Where energy is due, ahead A and behind B [kWh] since the period of H hours began::

        A - B = (A - B)_{t-1} + dt Q - (1 - tolerance) contracted a dt / H
        shortfall = -shortfall_price B  at the end of each period,   A, B >= 0

    Nothing is due while the contract rests; the end of the horizon ends a period. A run of negative prices that is long
    enough is without payment from its first step on (as in section 51 of the German EEG); what lies beyond the horizon
    is not seen. A reference that is published but not traded is a market with limit 0.
    """
    sign, physical = xr.where(d.side == "seller", 1.0, -1.0), d.settlement == "physical"
    cash: dict[str, Any] = {}
    if bool((~physical).any()):
        gap = d.strike - _reference(s, d)
        rate = xr.where(d.settlement == "one_way", larger(gap, 0.0), gap)
        cash["difference"] = sign * rate * s.dt * _quantity(s, d, ~physical)
    if bool(physical.any()):
        cash["delivery"] = sign * d.strike * s.dt * _quantity(s, d, physical)
    if bool((d.contracted > 0).any()):
        cash["shortfall"] = -d.shortfall_price * _shortfall(s, d)
    return Terms(power=_power(s, d, physical), cash=cash)


def _power(s: Scope, d: xr.Dataset, physical: xr.DataArray) -> dict[str, Flow]:
    """Energy bought enters the market node, energy sold leaves it."""
    ways = {side: physical & (d.side == side) for side in SIDES}
    sold, bought = (
        _quantity(s, d, some).sum("contract") if bool(some.any()) else 0.0 for some in (ways["seller"], ways["buyer"])
    )
    return {"electricity": Flow(injection=bought, withdrawal=sold)} if bool(physical.any()) else {}


def _quantity(s: Scope, d: xr.Dataset, where: xr.DataArray) -> Any:
    """Power under each contract, 0 but for those named in `where`: data, and the output of plants where that counts."""
    plant, active = _plant(d), _active(s, d)
    fixed = where & (d.volume_type == "baseload")
    power: Any = active * d.baseload.where(fixed, 0.0)
    if bool((deemed := where & (d.volume_type == "deemed")).any()):
        available = _of_plants(s.inputs["renewable"].available, plant, deemed)
        power = power + active * d.share * available
    if bool((output := where & (d.volume_type == "output")).any()):
        fed = s.flows["renewable"].injection.at(plant.where(output, "").rename("renewable"))
        power = power + active * d.share * fed
    return power


def _of_plants(x: xr.DataArray, plant: xr.DataArray, where: xr.DataArray) -> xr.DataArray:
    """x of the plant that each contract names, 0 elsewhere."""
    some = x.renewable.astype(str).isel(renewable=0, drop=True)
    return x.sel(renewable=plant.where(where, some)).drop_vars("renewable").where(where, 0.0)


def _plant(d: xr.Dataset) -> xr.DataArray:
    """Name of the plant of each contract, empty for none."""
    none = xr.full_like(d.contract, "", dtype=object)
    return d["renewable"].astype(str).astype(object) if "renewable" in d else none


def _price(s: Scope, d: xr.Dataset) -> xr.DataArray:
    """Price of the reference market at every step."""
    price, flat = s.inputs["energy"].price, xr.zeros_like(first(s.axis("time")))
    if "reference" in d:
        return price.sel(market=d.reference.astype(str)).drop_vars("market") + flat
    return price.isel(market=0, drop=True) + flat


def _reference(s: Scope, d: xr.Dataset) -> xr.DataArray:
    """Price of each step, or the mean over its local month within the horizon."""
    price = _price(s, d)
    if not bool((d.averaging == "month").any()):
        return price
    month = local_period(s.calendar.time, s.calendar.timezone, "month")[0].rename("month")
    mean = price.groupby(month).mean().sel(month=month).drop_vars("month")
    return xr.where(d.averaging == "month", mean, price)


def _active(s: Scope, d: xr.Dataset) -> xr.DataArray:
    """0 where a clause on negative prices lets the contract rest, 1 elsewhere; on every step."""
    price = _price(s, d)
    rests = (price < 0) & (run_hours(price < 0, s.dt) >= d.negative_hours - 1e-9)
    return 1.0 - rests


def _shortfall(s: Scope, d: xr.Dataset) -> Any:
    """Energy behind what is due at the end of each period (kWh)."""
    owed, start = (1 - d.tolerance) * d.contracted, first(s.axis("time"))
    same, hours, continues = _periods(s, d)
    due = (d.contracted > 0) & (same >= 0)
    ahead, behind = s.var("ahead", mask=due), s.var("behind", mask=due)
    since = ahead - behind - same * previous(ahead - behind)
    given = (d.ahead_initial - d.behind_initial) * continues * start - owed * _active(s, d) * s.dt / hours
    s.add("due", since - s.dt * _quantity(s, d, d.contracted > 0) == given, mask=due)
    return closing(same) * behind


def _periods(s: Scope, d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """1 where a step is in the period of the one before, hours of its period, 1 where that began before the horizon."""
    later = 1.0 - first(s.axis("time"))
    same: Any = later + 0.0 * d.contracted
    hours: Any = len(s.axis("time")) * s.dt
    continues: Any = 1.0
    for kind in ("month", "year"):
        number, length, over = local_period(s.calendar.time, s.calendar.timezone, kind)
        here = d.period == kind
        same = xr.where(here, later * (number == number.shift(time=1)), same)
        hours, continues = xr.where(here, length, hours), xr.where(here, over > 0, continues)
    return same, hours, continues


def replay(v: View, d: xr.Dataset) -> Replay:
    """Settlement, deliveries and shortfall of every contract, from prices and the written output of the plants."""
    time = v.calendar.time
    price = v.groups["energy"].price + xr.DataArray([0.0] * len(time), coords={"time": time}, dims="time")
    if "reference" in d:
        price = price.sel(market=d.reference.astype(str)).drop_vars("market")
    else:
        price = price.isel(market=0, drop=True)
    rests = _rests(v, d, price)
    power = _replay_power(v, d, price).where(~rests, 0.0)
    month = xr.DataArray(_replay_period(v, "month")[0], coords={"time": time}, dims="time", name="month")
    mean = price.groupby(month).mean().sel(month=month).drop_vars("month")
    gap = d.strike - price.where(d.averaging == "spot", mean)
    physical, sign = d.settlement == "physical", (d.side == "seller") * 2.0 - 1.0
    paid = gap.where(d.settlement == "two_way", gap.clip(min=0.0)).where(~physical, d.strike)
    money = sign * paid * power * v.dt
    cash = {"difference": money.where(~physical, 0.0), "delivery": money.where(physical, 0.0)}
    residuals: dict[str, xr.DataArray] = {}
    if "behind" in d:
        residuals, cash["shortfall"] = _replay_due(v, d, power, rests)
    sold, bought = (power.where(physical & (sign == way), 0.0).sum("contract") for way in (1, -1))
    return Replay(residuals, cash, {"electricity": Flow(bought, sold)} if bool(physical.any()) else {})


def _rests(v: View, d: xr.Dataset, price: xr.DataArray) -> xr.DataArray:
    """Return True while a run of negative prices is long enough: counted forward, and spread back over the run."""
    below = price < 0
    steps = below.astype(float).cumsum("time")
    count = steps - steps.where(~below).ffill("time").fillna(0.0)
    ends = below & ~below.shift(time=-1, fill_value=False)
    return below & (count.where(ends).bfill("time") * v.dt >= d.negative_hours - 1e-9)


def _replay_power(v: View, d: xr.Dataset, price: xr.DataArray) -> xr.DataArray:
    """Power under each contract if none rests."""
    power = d.baseload.where(d.volume_type == "baseload", 0.0) * xr.ones_like(price)
    if "renewable" in d and "renewable" in v.done:
        fed, available = v.done["renewable"].power["electricity"].injection, v.groups["renewable"].available
        for kind, x in (("output", fed), ("deemed", available)):
            names = d.renewable.where(d.renewable != "", x.renewable.isel(renewable=0, drop=True))
            power = power + (d.share * x.sel(renewable=names).drop_vars("renewable")).where(d.volume_type == kind, 0.0)
    return power


def _replay_due(
    v: View, d: xr.Dataset, power: xr.DataArray, rests: xr.DataArray
) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    """Energy against what is due, summed up period by period, and what the shortfall at each end costs."""
    owed, time = (1 - d.tolerance) * d.contracted, v.calendar.time
    balance, ends = 0.0 * power, xr.zeros_like(power, dtype=bool)
    for kind in PERIODS:
        began, ended = _replay_period(v, kind)
        hours = xr.DataArray((ended - began) / pd.Timedelta(hours=1), coords={"time": time}, dims="time")
        label = xr.DataArray(began, coords={"time": time}, dims="time", name="period")
        before = (d.ahead_initial - d.behind_initial) * float(began[0] < time[0] or kind == "horizon")
        gained = v.dt * (power - (owed / hours).where(~rests, 0.0))
        total = gained.groupby(label).cumsum("time") + before.where(label == began[0], 0.0)
        here = (d.period == kind) & (d.contracted > 0)
        balance, ends = balance.where(~here, total), ends.where(~here, label != label.shift(time=-1))
    missed = abs(d.ahead - d.behind - balance).where(d.contracted > 0, 0.0)
    below = (-d.ahead).clip(min=0) + (-d.behind).clip(min=0)
    residuals = {"due": missed.assign_attrs(units="kWh"), "sign": below.assign_attrs(units="kWh")}
    return residuals, -(d.shortfall_price * (-balance).clip(min=0)).where(ends, 0.0)


def _replay_period(v: View, kind: str) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """When the local month or year of each step, or the horizon, begins and ends (UTC)."""
    time, zone = v.calendar.time, v.calendar.timezone
    if kind == "horizon":
        return time[:1].repeat(len(time)), time[:1].repeat(len(time)) + len(time) * pd.Timedelta(hours=v.dt)
    day = time.tz_localize("UTC").tz_convert(zone).tz_localize(None).normalize()
    first_day = day - pd.to_timedelta((day.day if kind == "month" else day.day_of_year) - 1, unit="D")
    next_first = first_day + (pd.DateOffset(months=1) if kind == "month" else pd.DateOffset(years=1))
    first_utc, next_utc = (
        x.tz_localize(zone, ambiguous=x == x, nonexistent="shift_forward").tz_convert("UTC").tz_localize(None)
        for x in (first_day, next_first)
    )
    return first_utc, next_utc


PART = Part(
    "ppa",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
    carry={"ahead_initial": "ahead", "behind_initial": "behind"},
)
