"""A whole case from sessions and prices, with every assumption written into it."""

import json
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ...model.sessions import SESSION_FIELDS
from ..tables.files import collect_problems
from ..tables.local_time import align, step_of, to_local
from ..tables.plausibility import plausibility_problems
from ..tables.series import notes_of
from ..tables.table_format import TableFormat, read_times
from ..tables.unit_conversion import in_unit
from ..tables.wording import first_few, with_count
from .assumptions import LARGEST_TRIP, MOST_NAMED, BatteryAssumption, Regulation, session_name
from .connectors import converters, with_connector_limits
from .currency import currency_of_prices, refuse_other_money, said_of_defaults
from .fleet_arrays import RetailOn
from .fleet_rows import Rows
from .markets import energy_market, imbalance_market, markets_for
from .new_case import new_case
from .sessions_to_fleet import sessions_to_fleet
from .stays_inside import refuse_none, stays_in_words


def case_from_sessions(
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
    linked: bool | None = None,
    markets: Sequence[str] = ("day_ahead",),
    imbalance: str | Sequence[str] = (),
    regulation: Regulation | None = None,
    limit: float | None = None,
    wear: float | None = None,
    retail_price: float | None = None,
    retail_on: RetailOn = "need",
    soc_floor: float = 0.0,
    unserved_cost: float = 10.0,
    currency: str | None = None,
    title: str = "",
    source: str = "",
    assumptions: Iterable[str] = (),
) -> xr.DataTree:
    """Assemble a case from charging sessions and prices.

    Parameters
    ----------
    sessions : xarray.Dataset
        On ``session``, as `sessions_to_fleet` takes it; what it lacks of battery and charger comes
        from `battery`.
    prices : xarray.Dataset
        On ``time`` (naive UTC, uniform), EUR/MWh, or a price of another money, such as p/kWh.
    timezone : str
        IANA zone of local days and of `start` and `end`.
    battery : BatteryAssumption, optional
        The rule for battery, energy on arrival, charger and efficiency where the sessions, and the
        connectors that they name, do not hold them.
    connectors : xarray.Dataset, optional
        Their table, as of `read_connectors`.
    step : str or pandas.Timedelta, optional
        Step of the model; that of the prices unless given. A finer one takes the price of its hour.
    start, end : str, optional
        Local times between which the case runs (`end` excluded); all that is priced unless given.
    rows : {"packed", "connector", "vehicle"}, optional
        What a member of the fleet is, see `sessions_to_fleet`. One row per vehicle where the
        sessions name them, else packed, unless given.
    outside : {"drop", "clip", "problem"}, default "drop"
        What becomes of sessions that are not inside the horizon altogether, see
        `sessions_to_fleet`; they are named in the root attribute ``warnings``.
    need : {"problem", "cap"}, default "problem"
        What becomes of a need that cannot be reached, see `sessions_to_fleet`.
    linked : bool, optional
        A vehicle is one battery all along, see `sessions_to_fleet`; as the attribute ``linked`` of
        the sessions says, unless given.
    markets : sequence of str, default ("day_ahead",)
        Prices that become energy markets, in order; the first settles reserves.
    imbalance : str or sequence of str, default ()
        Prices that settle imbalance, up to all charger power: one, or what surplus is paid and what
        shortage costs.
    regulation : Regulation, optional
        Adds the two regulation products.
    limit : float, optional
        Largest position of each market, kW; ample unless given.
    wear : float, optional
        EUR per kWh that leaves a battery; that of `battery` unless given, 0 without either.
    retail_price : float, optional
        EUR per kWh the drivers pay.
    retail_on : {"need", "net"}, default "need"
        What they pay it for: the energy that they need, less what is not served, or what is drawn
        less what is fed in, see `sessions_to_fleet`. On net energy losses and more than the need
        are paid as well.
    soc_floor : float, default 0.0
        Share of the battery below which discharging does not take a vehicle that is plugged in,
        where the sessions have no ``energy_floor``; one that comes with less keeps that. A
        vehicle whose sessions are one battery all along leaves with that much more than it then
        drives, as far as its charger gets there.
    unserved_cost : float, default 10.0
        EUR per kWh of need not served; NaN makes needs hard.
    currency : str, optional
        The money of all prices, that of their units unless given; read EUR as it everywhere
        here.
    title, source : str, default ""
        Words for the file.
    assumptions : iterable of str, default ()
        Those made before, one sentence each.

    Returns
    -------
    xarray.DataTree
        A case whose root attribute ``assumptions`` states every rule used, one per line: `/fleet`
        (kW, kWh on fleet and `time`), `/sessions`, `/energy`, and `/imbalance` and `/reserve` where
        they are asked for.

    Raises
    ------
    SchemaError
        Every fault of the sessions, or of the prices, at once; among them energies above 2 000 kWh
        and powers above 5 000 kW, unless the reader was given their unit.

    Examples
    --------
    A car needs 10 kWh from 8 to 12 at a charger of 10 kW, and the second hour is the cheapest:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> stay = {"arrival": pd.Timestamp("2026-03-02 08:00")}
    >>> stay |= {"departure": pd.Timestamp("2026-03-02 12:00")}
    >>> stay |= {"capacity": 40.0, "energy_arrival": 20.0, "energy_need": 30.0, "charge_max": 10.0}
    >>> stay |= {"eta_charge": 1.0}
    >>> stay = {name: ("session", [value]) for name, value in stay.items()}
    >>> sessions = xr.Dataset(stay, coords={"session": ["monday"]})
    >>> time = pd.date_range("2026-03-02 08:00", periods=4, freq="h")
    >>> prices = xr.Dataset({"day_ahead": ("time", [50.0, 20.0, 30.0, 60.0])}, {"time": time})
    >>> case = v2g.case_from_sessions(sessions, prices, timezone="UTC")
    >>> v2g.solve(case)["fleet"].charge.isel(fleet=0).round().astype(int).values.tolist()
    [0, 10, 0, 0]
    """
    currency = currency or currency_of_prices(prices)
    sentences = [
        *assumptions,
        *said_of_defaults(currency),
        *(note for read in (prices, sessions, connectors) for note in notes_of(read)),
    ]
    battery, cost, free = _wear(battery, wear, currency)
    rows = rows or ("vehicle" if "vehicle" in sessions else "packed")
    one_battery = bool(sessions.attrs.get("linked", False)) if linked is None else linked
    time = horizon(prices, timezone, step, start, end)
    prices = align(prices, time)
    believable = plausibility_problems(_with_every_trip(sessions))
    problems = [*believable, *refuse_other_money(sessions, currency)]
    believed = not problems

    def rows_of() -> tuple[xr.Dataset, xr.Dataset, list[str]]:
        known = _at_connectors(sessions, connectors, battery)
        table, more = (known, free) if battery is None else battery.apply(known, currency)
        table, floor = with_floor(table, soc_floor, one_battery)
        fleet, kept = sessions_to_fleet(
            table,
            time,
            rows=rows,
            outside=outside,
            need=need,
            linked=one_battery,
            retail_on=retail_on,
        )
        whole = start is None and end is None
        refuse_none(sessions, kept, time, timezone, "prices" if whole else "the case")
        paid = _paid_in_words(table, retail_price, retail_on, currency)
        said = [stays_in_words(sessions, kept, timezone, one_battery), *more, *floor, *paid]
        return fleet, kept, [*said, *_named(kept)]

    settled = (imbalance,) if isinstance(imbalance, str) else tuple(imbalance)
    made = collect_problems(problems, rows_of) if believed else None
    collect_problems(problems, lambda: _priced(prices, markets, settled, currency))
    collect_problems(
        problems, lambda: None if regulation is None else regulation.reserve(prices, 0.0, currency)
    )
    if made is None or problems:
        raise SchemaError(problems, "the sessions and prices")
    fleet, kept, named = made
    fleet = fleet.assign(
        _scalars(wear=cost, unserved_cost=unserved_cost, retail_price=retail_price)
    )
    traded, more = markets_for(fleet, prices, markets, regulation, limit, currency, settled)
    groups = {"fleet": fleet, "sessions": kept, **traded, **_chargers(connectors)}
    case = new_case(
        time,
        groups,
        timezone=timezone,
        title=title,
        source=source,
        currency=currency,
        assumptions=[*sentences, *named, *more],
        origins=dict.fromkeys(traded, notes_of(prices)),
    )
    case.attrs |= _warnings(_dropped(sessions, kept, timezone))
    return case


def _with_every_trip(sessions: xr.Dataset) -> xr.Dataset:
    """Return sessions whose trips are the largest of their vehicle, as its battery is sized by."""
    if LARGEST_TRIP not in sessions:
        return sessions
    return sessions.assign(energy_trip=sessions[LARGEST_TRIP])


def with_floor(
    sessions: xr.Dataset, share: float, one_battery: bool = False
) -> tuple[xr.Dataset, list[str]]:
    """Return sessions with the energy that discharging leaves in each battery, and say so.

    Nothing is added where the sessions say it, or none can discharge.

    Raises
    ------
    SchemaError
        A share that is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        detail = f"{share:g} is no share of a battery; give one from 0 to 1"
        raise SchemaError([Problem("soc_floor", "range", detail)], "the sessions")
    there = {"capacity", "discharge_max"} <= set(sessions.data_vars)
    if share == 0 or not there or "energy_floor" in sessions:
        return sessions, []
    if not bool((sessions["discharge_max"] > 0).any()):
        return sessions, []
    floor = share * in_unit(sessions["capacity"], "kWh", "sessions.capacity")
    attributes = {"units": "kWh", "long_name": f"{SESSION_FIELDS['energy_floor'].doc} (assumed)"}
    said = (
        f"Discharging leaves {share:g} of the battery on board of a vehicle that is plugged in, or"
        " what it came with if that is less."
    )
    if one_battery:
        said += " It leaves with that much more than its trip takes, as far as its charger allows."
    return sessions.assign(energy_floor=floor.assign_attrs(attributes)), [said]


def _scalars(**given: float | None) -> dict[str, tuple[tuple[()], float]]:
    """Return numbers that hold for the whole fleet, without those that are not given."""
    return {name: ((), value) for name, value in given.items() if value is not None}


def _paid_in_words(
    sessions: xr.Dataset, price: float | None, on: RetailOn, currency: str
) -> list[str]:
    """Say what drivers pay for, where they pay."""
    if not price and "retail_price" not in sessions:
        return []
    amount = f"{price:g} {currency}" if price else "the price of their session"
    what = "that they need, less what is not served" if on == "need" else "drawn on balance"
    return [f"Drivers pay {amount} per kWh {what}."]


def _warnings(text: str) -> dict[str, str]:
    return {"warnings": text} if text else {}


def _priced(
    prices: xr.Dataset, markets: Sequence[str], settled: Sequence[str], currency: str
) -> None:
    """Raise `SchemaError` for markets or imbalance without a price."""
    energy_market(prices, markets, 0.0, currency)
    if settled:
        imbalance_market(prices, settled, 0.0, currency)


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
    table = with_connector_limits(cars, connectors)
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
        to_local(pd.DatetimeIndex(lost[n].to_numpy()), timezone) for n in ("arrival", "departure")
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
    return (
        f"{with_count(len(places), 'session')} dropped{total} ({why}): {'; '.join(_first(places))}."
    )


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
            cells, clock = pd.Series([text], name=where), TableFormat({}, timezone)
            edges[k] = read_times(cells, clock, "the horizon", where=where, rules=()).time[0]
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
    sentences, a = [], sessions.attrs
    for what in ("clipped", "capped"):
        if f"{what}_count" in a:
            names = first_few(json.loads(a[f"{what}_sessions"]), 400)
            sentences.append(
                f"{with_count(a[f'{what}_count'], 'session')} {what} ({a[f'{what}_why']}): {names}."
            )
    if "capped_count" in sessions.attrs:
        sentences.append(
            f"Energy missing in all: {float(sessions['energy_missing'].sum()):.3f} kWh."
        )
    return sentences
