"""Power purchase agreements replayed from the written plan: settled month by month in plain
numbers.
"""

import pandas as pd
import xarray as xr

from ....model.terms import Flow, Replay
from ....model.view import View

PERIODS = ("month", "year", "horizon")


def replay(v: View, d: xr.Dataset) -> Replay:
    """Settlement, deliveries and shortfall of every contract.

    They follow from prices and the written output of the plants.
    """
    time = v.calendar.time
    price = v.groups["energy"].price + xr.DataArray(
        [0.0] * len(time), coords={"time": time}, dims="time"
    )
    if "reference" in d:
        price = price.sel(market=d.reference.astype(str)).drop_vars("market")
    else:
        price = price.isel(market=0, drop=True)
    at_rest = rests(v, d, price)
    power = power_of(v, d, price).where(~at_rest, 0.0)
    mean, before, residuals = months(v, d, price, power)
    gap = d.strike - price.where(d.averaging == "spot", mean)
    physical, sign = d.settlement == "physical", (d.side == "seller") * 2.0 - 1.0
    paid = gap.where(d.settlement == "two_way", gap.clip(min=0.0)).where(~physical, d.strike)
    money = sign * paid * power * v.dt
    cash = {"difference": money.where(~physical, 0.0), "delivery": money.where(physical, 0.0)}
    opening = [(d.strike - m).isel(time=0, drop=True) for m in (mean, d.mean_initial + 0.0 * mean)]
    now, then = (x.where(d.settlement == "two_way", x.clip(min=0.0)) for x in opening)
    cash["correction"] = (sign * (now - then) * before).where(~physical, 0.0)
    if "negative_run" in d:
        wrong = abs(d.negative_run - run(v, d, price)).where(d.negative_hours.notnull(), 0.0)
        residuals["negative_run"] = wrong.assign_attrs(units="h")
    if "behind" in d:
        wrong_volumes, cash["shortfall"] = due(v, d, power, at_rest)
        residuals |= wrong_volumes
    sold, bought = (power.where(physical & (sign == way), 0.0).sum("contract") for way in (1, -1))
    return Replay(
        residuals, cash, {"electricity": Flow(bought, sold)} if bool(physical.any()) else {}
    )


def months(
    v: View, d: xr.Dataset, price: xr.DataArray, power: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray, dict[str, xr.DataArray]]:
    """Return the mean price of the month of each step, month by month.

    With the energy settled before the horizon, and wrong readings.
    """
    began, monthly, readings = _period(v, "month")[0], d.averaging == "month", []
    for month in began.unique():
        here = began == month
        goes_on = monthly & bool(month < v.calendar.time[0])
        earlier, energy = (x.where(goes_on, 0.0) for x in (d.mean_hours_initial, d.settled_initial))
        shown, moved = v.dt * price.isel(time=here), v.dt * power.isel(time=here)
        hours = earlier + v.dt * xr.ones_like(shown).cumsum("time")
        mean = (earlier * d.mean_initial + shown.cumsum("time")) / hours
        whole = mean.isel(time=-1, drop=True) + 0.0 * mean
        reading = {
            "mean_to_date": mean,
            "mean_hours": hours,
            "settled": energy + moved.cumsum("time"),
            "whole": whole,
        }
        readings.append(xr.Dataset(reading | {"before": energy + 0.0 * mean}))
    read = xr.concat(readings, "time", join="exact")
    units = {"mean_to_date": "EUR/kWh", "mean_hours": "h", "settled": "kWh"}
    wrong = {
        n: abs(d[n] - read[n]).where(monthly, 0.0).assign_attrs(units=u)
        for n, u in units.items()
        if n in d
    }
    return read.whole, read.before.isel(time=0, drop=True), wrong


def rests(v: View, d: xr.Dataset, price: xr.DataArray) -> xr.DataArray:
    """Return True while a run of negative prices is long enough.

    It is counted forward, and spread back over the run.
    """
    below = price < 0
    count = run(v, d, price)
    ends = below & ~below.shift(time=-1, fill_value=False)
    return below & (count.where(ends).bfill("time") >= d.negative_hours - 1e-9)


def run(v: View, d: xr.Dataset, price: xr.DataArray) -> xr.DataArray:
    """Hours without a break at a price below 0 at the end of each step."""
    below = price < 0
    steps = below.astype(float).cumsum("time")
    unbroken = (~below).astype(float).cumsum("time") == 0
    count = v.dt * (steps - steps.where(~below).ffill("time").fillna(0.0))
    return count + xr.where(unbroken, d.negative_initial, 0.0)


def power_of(v: View, d: xr.Dataset, price: xr.DataArray) -> xr.DataArray:
    """Power under each contract if none rests."""
    power = d.baseload.where(d.volume_type == "baseload", 0.0) * xr.ones_like(price)
    if "renewable" in d and "renewable" in v.done:
        fed, available = (
            v.done["renewable"].power["electricity"].injection,
            v.groups["renewable"].available,
        )
        for kind, x in (("output", fed), ("deemed", available)):
            names = d.renewable.where(d.renewable != "", x.renewable.isel(renewable=0, drop=True))
            power = power + (d.share * x.sel(renewable=names).drop_vars("renewable")).where(
                d.volume_type == kind, 0.0
            )
    return power


def due(
    v: View, d: xr.Dataset, power: xr.DataArray, rests: xr.DataArray
) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    """Return energy against what is due, summed up period by period.

    With what the shortfall at each end costs.
    """
    owed, time = (1 - d.tolerance) * d.contracted, v.calendar.time
    balance, ends, charged = 0.0 * power, xr.zeros_like(power, dtype=bool), 0.0 * d.behind_initial
    for kind in PERIODS:
        began, ended = _period(v, kind)
        hours = xr.DataArray(
            (ended - began) / pd.Timedelta(hours=1), coords={"time": time}, dims="time"
        )
        if kind == "horizon" and "period_hours" in d:
            hours = d.period_hours
        label = xr.DataArray(began, coords={"time": time}, dims="time", name="period")
        goes_on = float(began[0] < time[0] or kind == "horizon")
        before = (d.ahead_initial - d.behind_initial) * goes_on
        gained = v.dt * (power - (owed / hours).where(~rests, 0.0))
        total = gained.groupby(label).cumsum("time") + before.where(label == began[0], 0.0)
        here = (d.period == kind) & (d.contracted > 0)
        balance, ends = (
            balance.where(~here, total),
            ends.where(~here, label != label.shift(time=-1)),
        )
        charged = charged.where(~here, d.behind_initial * goes_on)
    missed = abs(d.ahead - d.behind - balance).where(d.contracted > 0, 0.0)
    below = (-d.ahead).clip(min=0) + (-d.behind).clip(min=0)
    residuals = {"due": missed.assign_attrs(units="kWh"), "sign": below.assign_attrs(units="kWh")}
    known = charged.where(label.time == time[0], 0.0)  # paid for before the horizon
    return residuals, d.shortfall_price * (known - (-balance).clip(min=0).where(ends, 0.0))


def _period(v: View, kind: str) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """When the local month or year of each step, or the horizon, begins and ends (UTC)."""
    time, zone = v.calendar.time, v.calendar.timezone
    if kind == "horizon":
        return time[:1].repeat(len(time)), time[:1].repeat(len(time)) + len(time) * pd.Timedelta(
            hours=v.dt
        )
    day = time.tz_localize("UTC").tz_convert(zone).tz_localize(None).normalize()
    first_day = day - pd.to_timedelta(
        (day.day if kind == "month" else day.day_of_year) - 1, unit="D"
    )
    next_first = first_day + (
        pd.DateOffset(months=1) if kind == "month" else pd.DateOffset(years=1)
    )
    first_utc, next_utc = (
        x.tz_localize(zone, ambiguous=x == x, nonexistent="shift_forward")
        .tz_convert("UTC")
        .tz_localize(None)
        for x in (first_day, next_first)
    )
    return first_utc, next_utc
