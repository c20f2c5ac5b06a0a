"""Power purchase agreements and contracts for difference, physical and financial
(docs/formulation.md §6)."""

import pandas as pd
import xarray as xr

from ....algebra.expression import Expression
from ....case.schema import Calendar
from ....model.formulas import first, larger, previous
from ....model.formulas_time import closing, local_period, run_hours
from ....model.scope import Scope
from ....model.terms import Cash, Flow, Terms
from .schema import plant_of


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Quantity Q of each contract [kW], and what is paid for it (docs/formulation.md §6).

    With strike K, reference R (price of a market at the step, or its mean over the local month),
    sign +1 for a seller and -1 for a buyer, p what the plant feeds in, and a = 0 where the contract
    rests, 1 elsewhere::

        Q = a share p  (output),   a share available  (deemed),   a baseload
        difference = dt sign (K - R) Q  (two-way),   dt sign max(K - R, 0) Q  (one-way)
        delivery = dt sign K Q,
        Q leaves the market node for a seller and enters it for a buyer  (physical)

    Where energy is due, ahead A and behind B [kWh] since the period of H hours began::

        A - B = (A - B)_{t-1} + dt Q - (1 - tolerance) contracted a dt / H
        shortfall = -shortfall_price B  at the end of each period,   A, B >= 0

    Nothing is due while the contract rests; the end of the horizon ends a period. A run of negative
    prices that is long enough is without payment from its first step on (as in section 51 of the
    German EEG). A reference that is published but not traded is a market with limit 0.

    What came before the horizon is given, what comes after it is not seen. A run goes on from
    `negative_initial` hours; steps of it that were paid for before it was long enough stay paid. A
    month that began with h hours at the mean M goes on from there, and what was settled at M, E
    kWh, is settled again, as is what was charged for a shortfall::

        R = (h M + dt sum of prices) / (h + hours in the horizon)
        correction = sign ((K - R) - (K - M)) E  (two-way),
        sign (max(K - R, 0) - max(K - M, 0)) E  (one-way)
        shortfall = shortfall_price behind_initial  in the first step of a period that began before

    with the strike K of the first step. So windows that follow each other add up to the bill of the
    whole, but for a run of negative prices that becomes long enough only after the window in which
    it began."""
    sign, physical = xr.where(d.side == "seller", 1.0, -1.0), d.settlement == "physical"
    cash: dict[str, Cash] = {}
    if bool((~physical).any()):
        reference = _reference(s, d)
        cash["difference"] = (
            sign * _rate(d, d.strike, reference) * s.dt * _quantity(s, d, ~physical)
        )
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
    """What energy settled before the horizon is worth more at the mean of now, where its month goes
    on (EUR).
    """
    strike, now = (
        x.isel(time=0, drop=True) if "time" in x.dims else x for x in (d.strike, reference)
    )
    goes_on = (
        (d.averaging == "month") & (d.settlement != "physical") & (_over(s.calendar, "month") > 0)
    )
    return (_rate(d, strike, now) - _rate(d, strike, d.mean_initial)).where(
        goes_on, 0.0
    ) * d.settled_initial


def _over(calendar: Calendar, kind: str) -> float:
    """Hours of the local month or year that are over at the first step."""
    return float(local_period(calendar.time, calendar.timezone, kind)[2][0])


def _power(s: Scope, d: xr.Dataset, physical: xr.DataArray) -> dict[str, Flow[Expression]]:
    """Energy bought enters the market node, energy sold leaves it."""
    if not bool(physical.any()):
        return {}

    def by(side: str) -> Expression:
        contracts = physical & (d.side == side)
        if not bool(contracts.any()):
            return s.expression(0.0)
        return s.expression(_quantity(s, d, contracts).sum("contract"))

    return {"electricity": Flow(injection=by("buyer"), withdrawal=by("seller"))}


def _quantity(s: Scope, d: xr.Dataset, where: xr.DataArray) -> Cash:
    """Power under each contract, 0 but for those named in `where`: data, and the output of plants
    where that counts.
    """
    plant, active = plant_of(d), _active(s, d)
    fixed = where & (d.volume_type == "baseload")
    power: Cash = active * d.baseload.where(fixed, 0.0)
    if bool((deemed := where & (d.volume_type == "deemed")).any()):
        available = _of_plants(s.inputs["renewable"].available, plant, deemed)
        power = power + active * d.share * available
    if bool((output := where & (d.volume_type == "output")).any()):
        some = s.inputs["renewable"].indexes["renewable"][0]
        fed = s.expression(s.flows["renewable"].injection)
        fed = fed.sel(renewable=plant.where(output, some)).where(output)
        power = power + active * d.share * fed
    return power


def _of_plants(x: xr.DataArray, plant: xr.DataArray, where: xr.DataArray) -> xr.DataArray:
    """x of the plant that each contract names, 0 elsewhere."""
    some = x.renewable.astype(str).isel(renewable=0, drop=True)
    return x.sel(renewable=plant.where(where, some)).drop_vars("renewable").where(where, 0.0)


def _price(energy: xr.Dataset, time: pd.Index, d: xr.Dataset) -> xr.DataArray:
    """Price of the reference market at every step."""
    market = d.reference.astype(str) if "reference" in d else energy.market[0]
    return energy.price.sel(market=market).drop_vars("market") + xr.zeros_like(first(time))


def _reference(s: Scope, d: xr.Dataset) -> xr.DataArray:
    """Price of each step, or the mean over its local month: over what came before the horizon, and
    over the horizon.
    """
    price = _price(s.inputs["energy"], s.axis("time"), d)
    if not bool((d.averaging == "month").any()):
        return price
    month, known = _months(d, s.calendar)
    hours = known + s.dt * xr.ones_like(price).groupby(month).sum().sel(month=month).drop_vars(
        "month"
    )
    total = known * d.mean_initial + s.dt * price.groupby(month).sum().sel(month=month).drop_vars(
        "month"
    )
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


def _shortfall(s: Scope, d: xr.Dataset) -> Expression:
    """Energy behind what is due at the end of each period (kWh)."""
    owed, start = (1 - d.tolerance) * d.contracted, first(s.axis("time"))
    same, hours, continues = _periods(s, d)
    due = (d.contracted > 0) & (same >= 0)
    ahead, behind = s.var("ahead", mask=due), s.var("behind", mask=due)
    since = ahead - behind - same * previous(ahead - behind)
    given = (d.ahead_initial - d.behind_initial) * continues * start - owed * _active(
        s, d
    ) * s.dt / hours
    s.add("due", since - s.dt * _quantity(s, d, d.contracted > 0) == given, mask=due)
    return closing(same) * behind - (d.contracted > 0) * continues * start * d.behind_initial


def _periods(s: Scope, d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """1 where a step is in the period of the one before, hours of its period, 1 where that began
    before the horizon.
    """
    later = 1.0 - first(s.axis("time"))
    same = later + 0.0 * d.contracted
    hours = xr.DataArray(d.get("period_hours", len(s.axis("time")) * s.dt))
    continues = xr.DataArray(1.0)
    for kind in ("month", "year"):
        number, length, over = local_period(s.calendar.time, s.calendar.timezone, kind)
        here = d.period == kind
        same = xr.where(here, later * (number == number.shift(time=1)), same)
        hours, continues = xr.where(here, length, hours), xr.where(here, over > 0, continues)
    return same, hours, continues
