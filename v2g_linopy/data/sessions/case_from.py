"""A whole case from sessions and prices, with every assumption written into it."""

import json
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.files import attempt, stamps
from ..tables.local_time import align, counted, listed, local, step_of, to_utc
from ..tables.series import notes_of
from ..tables.units import in_unit, stacked
from .assumptions import MOST_NAMED, BatteryAssumption, Regulation, session_name
from .connectors import converters, plugged
from .described import described_case
from .rasterise import Rows, rasterise

AMPLE = 2.0


def installed_power(fleet: xr.Dataset) -> float:
    """Return the sum over the fleet of the largest charging plus the largest discharging power of
    each member, kW.
    """
    total = 0.0
    for name in ("charge_max", "discharge_max"):
        if name in fleet:
            values = fleet[name]
            total += float((values.max("time") if "time" in values.dims else values).sum())
    return total


def energy_market(
    prices: xr.Dataset, markets: Sequence[str], limit: float, currency: str = "EUR"
) -> xr.Dataset:
    """Return the group `/energy`: one market per named price, each with the same limit (kW, either
    way).

    Raises
    ------
    SchemaError
        A price that is not there, or hours without a price, named.
    """
    price = stacked(prices, {n: n for n in markets}, "market", currency)
    problems = []
    for name in markets:
        gaps = price.indexes["time"][np.asarray(price.sel(market=name).isnull())]
        if len(gaps):
            detail = (
                f'no price at {listed(gaps)} UTC; import it with missing="hold" or give those hours'
            )
            problems.append(Problem(f"prices.{name}", "nan", detail))
    if problems:
        raise SchemaError(problems, "the prices")
    return xr.Dataset({"price": price, "limit": ("market", np.full(len(markets), float(limit)))})


def settlement(
    prices: xr.Dataset, names: Sequence[str], limit: float, currency: str = "EUR"
) -> xr.Dataset:
    """Return the group `/imbalance`: one price, or that of surplus and that of shortage; the limit
    in kW, either way.

    Raises
    ------
    SchemaError
        More than two names, a price that is not there, or hours without a price, named.
    """
    if not 1 <= len(names) <= 2:
        detail = "give one price, or two: what surplus is paid, then what shortage costs"
        raise SchemaError([Problem("imbalance", "labels", detail)], "the prices")
    each = energy_market(prices, names, limit, currency)["price"]
    fields = dict(
        zip(
            ("price_long", "price_short"),
            (each.sel(market=n, drop=True) for n in names),
            strict=False,
        )
    )
    return xr.Dataset({**fields, "limit": ((), float(limit))})


def ample_limit(power: float, volume: float = 0.0, activation: float = 0.0) -> float:
    """Return a position limit that cannot bind: twice all charger power and all expected
    activation, kW.
    """
    return AMPLE * (power + activation * volume)


def markets_for(
    fleet: xr.Dataset,
    prices: xr.Dataset,
    markets: Sequence[str],
    regulation: Regulation | None,
    limit: float | None,
    currency: str = "EUR",
    settled: Sequence[str] = (),
) -> tuple[dict[str, xr.Dataset], list[str]]:
    """Return `/energy`, `/imbalance` and `/reserve` for a fleet, and the sentences that state their
    limits.
    """
    power = installed_power(fleet)
    said = []
    groups: dict[str, xr.Dataset] = {}
    if limit is None:
        share = max(regulation.activation_up, regulation.activation_down) if regulation else 0.0
        limit = ample_limit(power, AMPLE * power, share)
        said.append(
            f"Position limit {limit:g} kW: {AMPLE:g} times all charger power, both directions, plus"
            " what reserves are expected to activate; it cannot bind."
        )
    groups["energy"] = energy_market(prices, markets, limit, currency)
    if settled:
        groups["imbalance"] = settlement(prices, settled, power, currency)
        said.append(
            f"Imbalance is settled at {' and '.join(settled)}; at most {power:g} kW, all charger"
            " power, either way."
        )
    if regulation is not None:
        groups["reserve"] = regulation.reserve(prices, AMPLE * power, currency)
        said += regulation.sentences()
        said.append(
            f"At most {AMPLE * power:g} kW of each product ({AMPLE:g} times all charger power): it"
            " cannot bind."
        )
    return groups, said


def case_from(
    sessions: xr.Dataset,
    prices: xr.Dataset,
    *,
    timezone: str,
    battery: BatteryAssumption | None = None,
    connectors: xr.Dataset | None = None,
    step: str | pd.Timedelta | None = None,
    start: str | None = None,
    end: str | None = None,
    rows: Rows | None = None,
    outside: Literal["problem", "drop", "clip"] = "drop",
    need: Literal["problem", "cap"] = "problem",
    markets: Sequence[str] = ("day_ahead",),
    imbalance: str | Sequence[str] = (),
    regulation: Regulation | None = None,
    limit: float | None = None,
    wear: float | None = None,
    retail_price: float | None = None,
    unserved_cost: float = 10.0,
    currency: str = "EUR",
    title: str = "",
    source: str = "",
    assumptions: Iterable[str] = (),
) -> xr.DataTree:
    """Assemble a case from charging sessions and prices.

    Parameters
    ----------
    sessions
        Dataset on ``session`` as `rasterise` takes it; what it lacks of battery and charger comes
        from `battery`.
    prices
        Dataset on ``time`` (naive UTC, uniform), EUR/MWh.
    timezone
        IANA zone of local days and of `start` and `end`.
    battery, connectors
        The rule for battery, energy on arrival, charger and efficiency where the sessions, and the
        connectors that they name (`read_connectors`), do not hold them.
    step
        Step of the model; that of the prices unless given. A finer one takes the price of its hour.
    start, end
        Local times between which the case runs (`end` excluded); all that is priced unless given.
    rows, outside, need
        See `rasterise`. One row per vehicle where the sessions name them, else packed, unless
        `rows` is given. Sessions that are not inside the horizon altogether are dropped, and named
        in the root attribute ``warnings``.
    markets, imbalance
        Prices that become energy markets, in order; the first settles reserves. Prices that settle
        imbalance, up to all charger power: one, or what surplus is paid and what shortage costs.
    regulation
        Adds the two regulation products.
    limit
        Largest position of each market, kW; ample unless given.
    wear
        EUR per kWh that leaves a battery; that of `battery` unless given, 0 without either.
    retail_price
        EUR per kWh the drivers pay on what the fleet draws.
    unserved_cost
        EUR per kWh of need not served; NaN makes needs hard.
    currency
        The money of all prices; read EUR as it everywhere here.
    title, source, assumptions
        Words for the file; `assumptions` are those made before.

    Returns
    -------
    xarray.DataTree
        A case whose root attribute ``assumptions`` states every rule used, one per line.

    Raises
    ------
    SchemaError
        Every fault of the sessions, or of the prices, at once.
    """
    said = [
        *assumptions,
        *(note for read in (prices, sessions, connectors) for note in notes_of(read)),
    ]
    battery, cost, free = _wear(battery, wear, currency)
    rows = rows or ("vehicle" if "vehicle" in sessions else "packed")
    time = horizon(prices, timezone, step, start, end)
    prices = align(prices, time)
    problems: list[Problem] = []

    def rows_of() -> tuple[xr.Dataset, xr.Dataset, list[str]]:
        known = _at_connectors(sessions, connectors, battery)
        table, more = (known, free) if battery is None else battery.apply(known, currency)
        fleet, kept = rasterise(table, time, rows=rows, outside=outside, need=need)
        return fleet, kept, more + _named(kept)

    settled = (imbalance,) if isinstance(imbalance, str) else tuple(imbalance)
    made = attempt(problems, rows_of)
    attempt(problems, lambda: _priced(prices, markets, settled, currency))
    attempt(
        problems, lambda: None if regulation is None else regulation.reserve(prices, 0.0, currency)
    )
    if made is None or problems:
        raise SchemaError(problems, "the sessions and prices")
    fleet, kept, named = made
    fleet = fleet.assign(
        _scalars(wear=cost, unserved_cost=unserved_cost, retail_price=retail_price)
    )
    groups, more = markets_for(fleet, prices, markets, regulation, limit, currency, settled)
    groups = {"fleet": fleet, "sessions": kept, **groups, **_chargers(connectors)}
    words = {"title": title, "source": source, "assumptions": "\n".join(said + named + more)}
    case = described_case(time, groups, timezone=timezone, currency=currency, **words)
    case.attrs |= _warnings(_dropped(sessions, kept, timezone))
    return case


def _scalars(**given: float | None) -> dict[str, tuple[tuple[()], float]]:
    """Return numbers that hold for the whole fleet, without those that are not given."""
    return {name: ((), value) for name, value in given.items() if value is not None}


def _warnings(text: str) -> dict[str, str]:
    return {"warnings": text} if text else {}


def _priced(
    prices: xr.Dataset, markets: Sequence[str], settled: Sequence[str], currency: str
) -> None:
    """Raise `SchemaError` for markets or imbalance without a price."""
    energy_market(prices, markets, 0.0, currency)
    if settled:
        settlement(prices, settled, 0.0, currency)


def _at_connectors(
    sessions: xr.Dataset, connectors: xr.Dataset | None, battery: BatteryAssumption | None
) -> xr.Dataset:
    """Return sessions as their connectors let them charge; what nobody gives is left to the
    assumption.
    """
    if connectors is None:
        return sessions
    cars = sessions
    if battery is not None and battery.discharge_share > 0 and "discharge_max" not in cars:
        cars = cars.assign(discharge_max=("session", np.full(cars.sizes["session"], np.inf)))
    table = plugged(cars, connectors)
    given = {*sessions.data_vars, *connectors.data_vars}
    unknown = [
        n
        for n in ("eta_charge", "eta_discharge")
        if not given & {n, n.replace("eta", "eta_onboard")}
    ]
    return table.drop_vars(unknown)


def _chargers(connectors: xr.Dataset | None) -> dict[str, xr.Dataset]:
    """Return the group of the converters that connectors share, where they do."""
    shared = None if connectors is None else converters(connectors)
    return {} if shared is None else {"charger": shared}


def _wear(
    battery: BatteryAssumption | None, wear: float | None, currency: str
) -> tuple[BatteryAssumption | None, float, list[str]]:
    """The assumption with the wear given, the wear that holds, and what to say where there is
    neither.
    """
    if battery is not None:
        battery = battery if wear is None else battery.model_copy(update={"wear": wear})
        return battery, battery.wear, []
    return (
        None,
        wear or 0.0,
        [] if wear is not None else [f"No wear: a kWh leaving a battery costs 0 {currency}."],
    )


def _dropped(sessions: xr.Dataset, kept: xr.Dataset, timezone: str) -> str:
    """Say which sessions are not in the case: when, whose, and how many kWh; empty where all
    are.
    """
    if "dropped_sessions" not in kept.attrs:
        return ""
    lost = sessions.isel(
        session=np.isin(sessions["session"], json.loads(kept.attrs["dropped_sessions"]))
    )
    energy = None
    if "energy" in lost:
        energy = in_unit(lost["energy"], "kWh", "sessions.energy")
    elif "energy_need" in lost and "energy_arrival" in lost:
        need, there = (
            in_unit(lost[n], "kWh", f"sessions.{n}") for n in ("energy_need", "energy_arrival")
        )
        energy = need - there
    stays = [
        local(pd.DatetimeIndex(lost[n].to_numpy()), timezone) for n in ("arrival", "departure")
    ]
    kwh = (
        np.full(lost.sizes["session"], np.nan)
        if energy is None
        else np.broadcast_to(energy, lost.sizes["session"])
    )
    places = [
        f"{session_name(lost, k)}, {come:%Y-%m-%d %H:%M} to {go:%Y-%m-%d %H:%M}"
        + (f", {kwh[k]:.6g} kWh" if np.isfinite(kwh[k]) else "")
        for k, (come, go) in enumerate(zip(*stays, strict=True))
    ]
    total = f", {np.nansum(kwh):.6g} kWh in all" if energy is not None else ""
    why = kept.attrs["dropped_why"]
    return f"{counted(len(places), 'session')} dropped{total} ({why}): {'; '.join(_first(places))}."


def _first(places: list[str]) -> list[str]:
    return (
        places
        if len(places) <= MOST_NAMED
        else [*places[:MOST_NAMED], f"and {len(places) - MOST_NAMED} more"]
    )


def horizon(
    prices: xr.Dataset,
    timezone: str,
    step: str | pd.Timedelta | None,
    start: str | None,
    end: str | None,
) -> pd.DatetimeIndex:
    """Return the steps between two local times, within what is priced."""
    given = pd.DatetimeIndex(prices.indexes["time"])
    width = step_of(given, source="the prices")
    edges = [given[0], given[-1] + width]
    for k, text in enumerate((start, end)):
        if text is not None:
            where = ("start", "end")[k]
            stamp = stamps(pd.Series([text], name=where), None, "the horizon")
            edges[k] = to_utc(stamp, timezone, rules=(), where=where, source="the horizon").time[0]
    if edges[1] <= edges[0]:
        raise SchemaError(
            [Problem("start", "time", f"no step between {edges[0]} and {edges[1]} UTC")],
            "the horizon",
        )
    return pd.date_range(
        edges[0], edges[1], freq=pd.Timedelta(step or width), inclusive="left", name="time"
    )


def _named(sessions: xr.Dataset) -> list[str]:
    """Say which sessions were clipped or capped."""
    said, a = [], sessions.attrs
    for what in ("clipped", "capped"):
        if f"{what}_count" in a:
            names = listed(json.loads(a[f"{what}_sessions"]), 400)
            said.append(
                f"{counted(a[f'{what}_count'], 'session')} {what} ({a[f'{what}_why']}): {names}."
            )
    if "capped_count" in sessions.attrs:
        said.append(f"Energy missing in all: {float(sessions['energy_missing'].sum()):.3f} kWh.")
    return said
