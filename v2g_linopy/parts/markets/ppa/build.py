"""Power purchase agreements and contracts for difference, physical and financial (FORMULATION §6)."""

from typing import Any

import pandas as pd
import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema
from ....errors import Problem
from ....model.formulas import closing, first, hours_before, larger, local_period, previous, run_hours
from ....model.part import Flow, Part, Replay, Scope, Stage, Terms, View
from . import settling

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
        (
            "mean_hours_initial",
            (d.mean_hours_initial == 0) & ((d.mean_initial != 0) | (d.settled_initial > 0)),
            "give the hours before the first step that mean_initial is the mean of",
        ),
    )
    problems = []
    for name, wrong, detail in rules:
        some = wrong.any([x for x in wrong.dims if x != "contract"])
        for contract in some.contract[some].indexes["contract"]:
            problems.append(Problem(f"ppa.{name}", "consistency", f"contract {contract}: {detail}"))
    return problems


def _with_length(d: xr.Dataset) -> xr.Dataset:
    """Give a period that is the horizon its length, which a window of it does not have."""
    time = d.indexes["time"]
    if "period_hours" in d or len(time) < 2 or not bool((d.period == "horizon").any()):
        return d
    length = len(time) * (time[1] - time[0]) / pd.Timedelta(hours=1)
    return d.assign(period_hours=xr.full_like(d.contracted, length))


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
            "the reference is the price of the step, or the mean of the local month: of its hours before the horizon"
            " (mean_initial) and of those in it",
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
        Field("negative_initial", "contract", "h", "how long the price has been below 0 before the first step", 0.0, 0),
        Field(
            "mean_initial",
            "contract",
            "EUR/MWh",
            "mean reference price of the hours before the first step, in its local month",
            default=0.0,
        ),
        Field("mean_hours_initial", "contract", "h", "hours that mean_initial is the mean of; 0: none", 0.0, ge=0),
        Field("settled_initial", "contract", "kWh", "energy of those hours, settled at mean_initial so far", 0.0, ge=0),
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
            "period_hours", "contract", "h", 'length of the period "horizon"; by default that of the case', ABSENT, ge=0
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
        Field("negative_run", "contract time", "h", "how long the price has been below 0, where that is in a clause"),
        Field(
            "mean_to_date",
            "contract time",
            "EUR/kWh",
            "mean price of the month so far, where it is the reference",
            signed=True,
        ),
        Field("mean_hours", "contract time", "h", "hours that it is the mean of"),
        Field("settled", "contract time", "kWh", "energy of the month so far, to be settled at its mean"),
    ),
    checks=(_consistent,),
    completions=(_with_length,),
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
    enough is without payment from its first step on (as in section 51 of the German EEG). A reference that is published
    but not traded is a market with limit 0.

    What came before the horizon is given, what comes after it is not seen. A run goes on from `negative_initial` hours;
    steps of it that were paid for before it was long enough stay paid. A month that began with h hours at the mean M
    goes on from there, and what was settled at M, E kWh, is settled again, as is what was charged for a shortfall::

        R = (h M + dt sum of prices) / (h + hours in the horizon)
        correction = sign ((K - R) - (K - M)) E  (two-way),   sign (max(K - R, 0) - max(K - M, 0)) E  (one-way)
        shortfall = shortfall_price behind_initial  in the first step of a period that began before

    with the strike K of the first step. So windows that follow each other add up to the bill of the whole, but for a
    run of negative prices that becomes long enough only after the window in which it began.
    """
    sign, physical = xr.where(d.side == "seller", 1.0, -1.0), d.settlement == "physical"
    cash: dict[str, Any] = {}
    if bool((~physical).any()):
        reference = _reference(s, d)
        cash["difference"] = sign * _rate(d, d.strike, reference) * s.dt * _quantity(s, d, ~physical)
        if bool((d.settled_initial > 0).any()):
            cash["correction"] = sign * _corrected(s, d, reference)
    if bool(physical.any()):
        cash["delivery"] = sign * d.strike * s.dt * _quantity(s, d, physical)
    if bool((d.contracted > 0).any()):
        cash["shortfall"] = -d.shortfall_price * _shortfall(s, d)
    return Terms(power=_power(s, d, physical), cash=cash)


def _rate(d: xr.Dataset, strike: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """What a seller is paid beside the market (EUR/kWh)."""
    return xr.where(d.settlement == "one_way", larger(strike - reference, 0.0), strike - reference)


def _corrected(s: Scope, d: xr.Dataset, reference: xr.DataArray) -> xr.DataArray:
    """What energy settled before the horizon is worth more at the mean of now, where its month goes on (EUR)."""
    strike, now = (x.isel(time=0, drop=True) if "time" in x.dims else x for x in (d.strike, reference))
    goes_on = (d.averaging == "month") & (d.settlement != "physical") & (_over(s.calendar, "month") > 0)
    return (_rate(d, strike, now) - _rate(d, strike, d.mean_initial)).where(goes_on, 0.0) * d.settled_initial


def _over(calendar: Calendar, kind: str) -> float:
    """Hours of the local month or year that are over at the first step."""
    return float(local_period(calendar.time, calendar.timezone, kind)[2][0])


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


def _price(energy: xr.Dataset, time: pd.Index, d: xr.Dataset) -> xr.DataArray:
    """Price of the reference market at every step."""
    market = d.reference.astype(str) if "reference" in d else energy.market[0]
    return energy.price.sel(market=market).drop_vars("market") + xr.zeros_like(first(time))


def _reference(s: Scope, d: xr.Dataset) -> xr.DataArray:
    """Price of each step, or the mean over its local month: over what came before the horizon, and over the horizon."""
    price = _price(s.inputs["energy"], s.axis("time"), d)
    if not bool((d.averaging == "month").any()):
        return price
    month, known = _months(d, s.calendar)
    hours = known + s.dt * xr.ones_like(price).groupby(month).sum().sel(month=month).drop_vars("month")
    total = known * d.mean_initial + s.dt * price.groupby(month).sum().sel(month=month).drop_vars("month")
    return xr.where(d.averaging == "month", total / hours, price)


def _months(d: xr.Dataset, calendar: Calendar) -> tuple[xr.DataArray, xr.DataArray]:
    """Local month of each step, and the hours of it before the horizon that are given."""
    month = local_period(calendar.time, calendar.timezone, "month")[0].rename("month")
    return month, (month == month[0]) * (_over(calendar, "month") > 0) * d.mean_hours_initial


def _active(s: Scope, d: xr.Dataset) -> xr.DataArray:
    """0 where a clause on negative prices lets the contract rest, 1 elsewhere; on every step."""
    return _unless_negative(_price(s.inputs["energy"], s.axis("time"), d), d, s.dt)


def _unless_negative(price: xr.DataArray, d: xr.Dataset, dt: float) -> xr.DataArray:
    """1 but in runs of negative prices that last long enough, with what came before the horizon."""
    below = price < 0
    run = run_hours(below, dt) + below.cumprod("time") * d.negative_initial
    return 1.0 - (below & (run >= d.negative_hours - 1e-9))


def _shortfall(s: Scope, d: xr.Dataset) -> Any:
    """Energy behind what is due at the end of each period (kWh)."""
    owed, start = (1 - d.tolerance) * d.contracted, first(s.axis("time"))
    same, hours, continues = _periods(s, d)
    due = (d.contracted > 0) & (same >= 0)
    ahead, behind = s.var("ahead", mask=due), s.var("behind", mask=due)
    since = ahead - behind - same * previous(ahead - behind)
    given = (d.ahead_initial - d.behind_initial) * continues * start - owed * _active(s, d) * s.dt / hours
    s.add("due", since - s.dt * _quantity(s, d, d.contracted > 0) == given, mask=due)
    return closing(same) * behind - (d.contracted > 0) * continues * start * d.behind_initial


def _periods(s: Scope, d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """1 where a step is in the period of the one before, hours of its period, 1 where that began before the horizon."""
    later = 1.0 - first(s.axis("time"))
    same: Any = later + 0.0 * d.contracted
    hours: Any = d.get("period_hours", len(s.axis("time")) * s.dt)
    continues: Any = 1.0
    for kind in ("month", "year"):
        number, length, over = local_period(s.calendar.time, s.calendar.timezone, kind)
        here = d.period == kind
        same = xr.where(here, later * (number == number.shift(time=1)), same)
        hours, continues = xr.where(here, length, hours), xr.where(here, over > 0, continues)
    return same, hours, continues


def finish(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """How far the month and a run of negative prices have come at the end of each step, for the next window."""
    price = _price(v.groups["energy"], v.calendar.time, d)
    found = {}
    if bool(d.negative_hours.notnull().any()):
        passed = hours_before(v.calendar.time, v.dt) + v.dt
        since = passed.where(price >= 0).ffill("time").fillna(-d.negative_initial)
        found["negative_run"] = (passed - since).where(d.negative_hours.notnull(), 0.0)
    if bool((monthly := d.averaging == "month").any()):
        month, known = _months(d, v.calendar)
        hours = known + v.dt * xr.ones_like(price).groupby(month).cumsum("time")
        total = known * d.mean_initial + v.dt * price.groupby(month).cumsum("time")
        energy = (v.dt * _planned(v, d) * _unless_negative(price, d, v.dt)).groupby(month).cumsum("time")
        before = d.settled_initial * (known > 0)
        states = {"mean_to_date": total / hours, "mean_hours": hours, "settled": energy + before}
        found |= {name: x.drop_vars("month", errors="ignore").where(monthly, 0.0) for name, x in states.items()}
    return found


def _planned(v: View, d: xr.Dataset) -> xr.DataArray:
    """Power under each contract if none rests, from the plan of the plants."""
    plant, power = _plant(d), d.baseload.where(d.volume_type == "baseload", 0.0)
    if "renewable" in v.groups:
        sun = v.groups["renewable"]
        for kind, x in (("output", sun.available - sun.curtail), ("deemed", sun.available)):
            power = power + d.share * _of_plants(x, plant, d.volume_type == kind)
    return power


def replay(v: View, d: xr.Dataset) -> Replay:
    """Settlement, deliveries and shortfall of every contract, from prices and the written output of the plants."""
    time = v.calendar.time
    price = v.groups["energy"].price + xr.DataArray([0.0] * len(time), coords={"time": time}, dims="time")
    if "reference" in d:
        price = price.sel(market=d.reference.astype(str)).drop_vars("market")
    else:
        price = price.isel(market=0, drop=True)
    rests = settling.rests(v, d, price)
    power = settling.power_of(v, d, price).where(~rests, 0.0)
    mean, before, residuals = settling.months(v, d, price, power)
    gap = d.strike - price.where(d.averaging == "spot", mean)
    physical, sign = d.settlement == "physical", (d.side == "seller") * 2.0 - 1.0
    paid = gap.where(d.settlement == "two_way", gap.clip(min=0.0)).where(~physical, d.strike)
    money = sign * paid * power * v.dt
    cash = {"difference": money.where(~physical, 0.0), "delivery": money.where(physical, 0.0)}
    opening = [(d.strike - m).isel(time=0, drop=True) for m in (mean, d.mean_initial + 0.0 * mean)]
    now, then = (x.where(d.settlement == "two_way", x.clip(min=0.0)) for x in opening)
    cash["correction"] = (sign * (now - then) * before).where(~physical, 0.0)
    if "negative_run" in d:
        wrong = abs(d.negative_run - settling.run(v, d, price)).where(d.negative_hours.notnull(), 0.0)
        residuals["negative_run"] = wrong.assign_attrs(units="h")
    if "behind" in d:
        due, cash["shortfall"] = settling.due(v, d, power, rests)
        residuals |= due
    sold, bought = (power.where(physical & (sign == way), 0.0).sum("contract") for way in (1, -1))
    return Replay(residuals, cash, {"electricity": Flow(bought, sold)} if bool(physical.any()) else {})


PART = Part(
    "ppa",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
    carry={
        "ahead_initial": "ahead",
        "behind_initial": "behind",
        "negative_initial": "negative_run",
        "mean_initial": "mean_to_date",
        "mean_hours_initial": "mean_hours",
        "settled_initial": "settled",
    },
    finish=finish,
)
