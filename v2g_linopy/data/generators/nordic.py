"""Generator: a battery and a depot of vans that sell Nordic containment reserves."""

import numpy as np
import pandas as pd
import xarray as xr

from ...parts.markets.reserve.nordic_products import Reservoir, products
from ..sessions.markets import ample_limit, energy_market
from ..sessions.new_case import new_case
from ..sessions.origins import SYNTHETIC
from ..sessions.sessions_to_fleet import sessions_to_fleet
from ..tables.local_time import align, to_local
from .noise_and_prices import days_of, local_day, noise, steps_of, world_prices
from .single_site import batteries
from .stays import COSTS, VANS, WEAR_OF_BATTERIES, WEAR_OF_VEHICLES, stays, vehicle_labels

PRODUCTS = ("FCR-N", "FCR-D up", "FCR-D down")
LEAST = 100.0
"""kW of the least bid; operators differ, see `CATALOGUE`."""
LEVELS = {"FCR-N": (22.0, 8.0), "FCR-D up": (9.0, 4.0), "FCR-D down": (12.0, 5.0)}
"""EUR/MW/h: mean and spread of the synthetic capacity prices."""


def nordic_fcr(
    vehicles: int = 20,
    days: int = 2,
    seed: int = 0,
    *,
    start: str = "2026-03-28",
    timezone: str = "Europe/Helsinki",
    step: str = "1h",
    battery: float = 1000.0,
    power: float = 1000.0,
    discharge: bool = True,
) -> xr.DataTree:
    """Return a case of a battery and vans that sell FCR-N and FCR-D by the Nordic rules.

    The rules are those for limited reservoirs, see `products`. Bids are by the hour, from 0.1 MW of
    each product, and of any size above it: whole steps of a tenth of a megawatt can take minutes to
    prove best (`--set reserve.step=100`). The default days hold the day on which the clock goes
    forward.

    Parameters
    ----------
    vehicles : int, default 20
        Vans.
    days : int, default 2
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, default "2026-03-28"
        First local day.
    timezone : str, default "Europe/Helsinki"
        IANA zone of the days.
    step : str, default "1h"
        Step of the case, such as 15min; prices are hourly.
    battery : float, default 1000.0
        Size of the battery, kWh; 0: none.
    power : float, default 1000.0
        Power of the battery, kW each way.
    discharge : bool, default True
        False: chargers that cannot discharge, and no battery: a pool that must sustain its reserves
        for two hours.

    Returns
    -------
    xarray.DataTree
        `/fleet`, `/sessions`, `/battery` (kW, kWh), `/energy` (EUR/MWh) and `/reserve` with
        capacity prices (EUR/MW/h). The attribute `assumptions` states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.nordic_fcr(vehicles=1, days=1)
    >>> case["reserve"]["product"].values.tolist()
    ['FCR-N', 'FCR-D up', 'FCR-D down']
    >>> "battery" in v2g.nordic_fcr(vehicles=1, days=1, discharge=False).children
    False
    """
    midnight = days_of(start, days, vehicles)
    time, hours = (steps_of(midnight, timezone, s) for s in (step, "1h"))
    rng = np.random.default_rng([seed, 8])
    sessions = stays(
        vehicle_labels("van", vehicles),
        "depot",
        VANS,
        midnight[:-1],
        timezone,
        rng,
        discharge=discharge,
    )
    fleet, table = sessions_to_fleet(sessions, time, rows="vehicle", outside="clip")
    groups = {"fleet": fleet.assign(COSTS), "sessions": table}
    stored = battery if discharge else 0.0
    if stored:
        groups["battery"] = batteries({"battery": stored}, power=power)
    limit = ample_limit(power + 2 * vehicles * VANS.charger, power + vehicles * VANS.charger)
    spot = align(world_prices(hours, "few", timezone, seed), time)
    groups["energy"] = energy_market(spot, ("day_ahead",), limit)
    groups["energy"]["block"] = ("market", [1.0], {"units": "h"})
    offered = align(capacity_prices(hours, timezone, seed), time)
    groups["reserve"] = _reserve(offered, "limited" if discharge else "ample")
    return new_case(
        time,
        groups,
        timezone=timezone,
        title=f"Nordic containment reserves, {vehicles} vans, {days} days",
        source="v2g_linopy.nordic_fcr, synthetic",
        assumptions=_sentences(
            vehicles, days, seed, start, timezone, stored, power, discharge, limit
        ),
        origins={"energy": [SYNTHETIC], "reserve": ["Capacity prices are synthetic."]},
    )


def _reserve(prices: xr.Dataset, reservoir: Reservoir) -> xr.Dataset:
    """Return `/reserve`: products at their capacity prices, with bids of any size from the least
    on.
    """
    reserve = products(PRODUCTS, reservoir=reservoir)
    price = prices.to_dataarray("product").transpose("product", "time")
    return reserve.assign(
        minimum_bid=xr.full_like(reserve.minimum_bid, LEAST),
        step=xr.zeros_like(reserve.step),
        capacity_price=price.assign_attrs(units="EUR/MW/h"),
    )


def _sentences(
    vehicles: int,
    days: int,
    seed: int,
    start: str,
    timezone: str,
    stored: float,
    power: float,
    discharge: bool,
    limit: float,
) -> list[str]:
    """State what the case assumes, with its numbers."""
    return [
        (f"{vehicles} vans at a depot, {days} local days from {start} ({timezone}), seed {seed}."),
        VANS.sentence("Vans"),
        (
            f"Battery {stored:g} kWh, {power:g} kW each way; as full at the end as at the start"
            " (half)."
            if stored
            else "No battery; the chargers cannot discharge."
        ),
        "Efficiency 0.93 each way for vans, 0.95 for the battery.",
        WEAR_OF_VEHICLES,
        WEAR_OF_BATTERIES,
        (
            "FCR-N, FCR-D up and FCR-D down for"
            f" {'limited reservoirs' if discharge else 'two hours of full activation'} (Nordic"
            f" technical requirements of 2023, section 3.5); bids by the hour, at least {LEAST:g}"
            " kW each, of any size above that. No activation is expected."
        ),
        f"Energy is traded by the hour, at most {limit:g} kW.",
    ]


def capacity_prices(time: pd.DatetimeIndex, timezone: str, seed: int) -> xr.Dataset:
    """Return synthetic hourly capacity prices (EUR/MW/h).

    They are higher by night, when few machines run, and vary from day to day.
    """
    rng = np.random.default_rng([seed, 9])
    clock = to_local(time, timezone)
    night = np.cos(2 * np.pi * (np.asarray(clock.hour) - 3) / 24)
    day = local_day(clock)
    series = {}
    for name, (mean, spread) in LEVELS.items():
        level = rng.normal(0.0, 0.5 * spread, int(day[-1]) + 1)[day]
        price = mean + spread * night + level + noise(rng, len(time), 0.7, 0.3 * spread)
        series[name] = ("time", np.round(np.maximum(price, 0.5), 2), {"units": "EUR/MW/h"})
    return xr.Dataset(series, coords={"time": time})
