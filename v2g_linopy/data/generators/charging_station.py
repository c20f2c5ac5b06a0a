"""Generator: visitors of a public charging station, whose owners may lend their batteries."""

import numpy as np
import pandas as pd
import xarray as xr

from ..sessions.case_from_sessions import case_from_sessions
from ..sessions.new_case import with_meaning
from ..sessions.origins import SYNTHETIC
from .noise_and_prices import days_of, hourly_prices, noise, steps_of
from .stays import moments

POD = "station"
POWER, EFFICIENCY = 11.0, 0.95
LEAST_BATTERY, NEED, FLOOR = 60.0, 0.97, 0.03
"""kWh; share of the battery on board at departure; share that feeding in leaves."""
RETAIL = 0.13
GATE = 12.0
DAY_STAYS, NIGHT_STAYS = 0.8, 0.6
"""Visits of a connector by day and by night, on average."""


def charging_station(
    vehicles: int = 10,
    days: int = 7,
    seed: int = 0,
    *,
    start: str = "2026-03-02",
    timezone: str = "Europe/Amsterdam",
    step: str = "1h",
    discharge: bool = True,
) -> xr.DataTree:
    """Return a case of sessions at a public charging station that trades day-ahead.

    A connector is visited by day (four in five days) and by night (three in five). By day a
    vehicle comes at a random minute from 8 to 11 local time and stays 2 to 8 hours, not beyond 17;
    at night it comes from 17 to 21 and leaves from 6 to 8. It asks for an energy, which drivers pay
    for: gamma distributed with a mean of 14 kWh, but at least 1 and at most 0.9 of what its charger
    gives in that time. What is drawn beyond or short of the day-ahead position is settled at one
    imbalance price.

    Parameters
    ----------
    vehicles : int, default 10
        Connectors of the station.
    days : int, default 7
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, default "2026-03-02"
        First local day.
    timezone : str, default "Europe/Amsterdam"
        IANA zone of the days.
    step : str, default "1h"
        Step of the case, such as 15min; prices are hourly.
    discharge : bool, default True
        False: chargers that cannot discharge.

    Returns
    -------
    xarray.DataTree
        `/fleet` (kW, kWh), `/sessions`, `/energy` and `/imbalance` (EUR/MWh), and `/gates` (h). The
        attribute `assumptions` states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.charging_station(vehicles=3, days=2)
    >>> int(case["sessions"].sizes["session"]) > 3
    True
    >>> float(case["sessions"].energy_need.min().round(3))  # 97 % of 60 kWh
    58.2
    """
    midnight = days_of(start, days, vehicles)
    time = steps_of(midnight, timezone, step)
    rng = np.random.default_rng([seed, 12])
    ahead = hourly_prices(midnight, time, timezone, seed)["day_ahead"].to_numpy()
    apart = noise(rng, len(time), 0.7, 20.0)
    prices = xr.Dataset(
        {
            "day_ahead": ("time", np.round(ahead, 2), {"units": "EUR/MWh"}),
            "imbalance": ("time", np.round(ahead + apart, 2), {"units": "EUR/MWh"}),
        },
        coords={"time": time},
        attrs={"notes": SYNTHETIC},
    )
    sentences = _sentences(vehicles, days, start, timezone, seed)
    case = case_from_sessions(
        _visits(vehicles, midnight, timezone, rng, discharge),
        prices,
        timezone=timezone,
        imbalance="imbalance",
        retail_price=RETAIL,
        title=f"Charging station of {vehicles} connectors, {days} days",
        source="v2g_linopy.charging_station, synthetic",
        assumptions=sentences,
    )
    gates = xr.Dataset(
        {"hour": ("gate", [GATE]), "lead": ("gate", [np.nan]), "rolling": ("gate", [0.0])},
        coords={"gate": ["day_ahead"]},
    )
    case["gates"] = with_meaning("gates", gates)
    return case


def _sentences(vehicles: int, days: int, start: str, timezone: str, seed: int) -> list[str]:
    """Return what the case assumes."""
    return [
        f"{vehicles} connectors, {days} local days from {start} ({timezone}), seed {seed}.",
        (
            f"Each is visited by day with probability {DAY_STAYS:g} (from 8:00 to 11:00, for 2 to 8"
            f" hours, not beyond 17:00) and by night with {NIGHT_STAYS:g} (from 17:00 to 21:00,"
            " until 6:00 to 8:00)."
        ),
        (
            "A visitor asks for a gamma distributed energy with a mean of 14 kWh, at least 1 and at"
            f" most 0.9 of what {POWER:g} kW give in its stay; its battery holds"
            f" {LEAST_BATTERY:g} kWh or what it asks for, leaves {100 * NEED:g} % full,"
            f" and is not discharged below {100 * FLOOR:g} %."
        ),
        (
            f"Day-ahead closes at {GATE:g}:00 local on the day before; the imbalance price is that"
            " of day-ahead and a difference of its own."
        ),
    ]


def _visits(
    vehicles: int,
    midnight: pd.DatetimeIndex,
    timezone: str,
    rng: np.random.Generator,
    discharge: bool,
) -> xr.Dataset:
    """Return the sessions, in order of arrival; nobody is there when the case begins or ends."""
    shape = (vehicles, len(midnight) - 1)
    came = rng.integers(8 * 60, 11 * 60, shape)
    left = np.minimum(came + rng.integers(2 * 60, 8 * 60, shape), 17 * 60 - 1)
    by_day = rng.uniform(size=shape) < DAY_STAYS
    by_day[0, 0] = True  # a station that nobody visits has nothing to decide
    evening, morning = rng.integers(17 * 60, 21 * 60, shape), rng.integers(6 * 60, 8 * 60, shape)
    overnight = rng.uniform(size=shape) < NIGHT_STAYS
    overnight[:, -1] = False  # the morning after is no day of the case

    day = moments(midnight[:-1], came, timezone), moments(midnight[:-1], left, timezone)
    night = moments(midnight[:-1], evening, timezone), moments(midnight[1:], morning, timezone)
    arrival, departure = (
        np.concatenate([a[by_day.ravel()], b[overnight.ravel()]])
        for a, b in zip(day, night, strict=True)
    )
    number = np.broadcast_to(np.arange(vehicles)[:, None], shape)
    connector = np.concatenate([number[by_day], number[overnight]])
    order = np.argsort(arrival, kind="stable")
    arrival, departure, connector = arrival[order], departure[order], connector[order]

    hours = (departure - arrival) / np.timedelta64(1, "h")
    asked = np.clip(rng.gamma(2.0, 7.0, len(hours)), 1.0, 0.9 * POWER * hours).round(3)
    capacity = np.maximum(LEAST_BATTERY, EFFICIENCY * asked / NEED)
    kilowatt_hours, kilowatt = {"units": "kWh"}, {"units": "kW"}
    on_board = NEED * capacity - EFFICIENCY * asked
    return xr.Dataset(
        {
            "arrival": ("session", arrival),
            "departure": ("session", departure),
            "connector": ("session", [f"bay-{k + 1:02d}" for k in connector]),
            "pod": ("session", np.full(len(hours), POD)),
            "capacity": ("session", capacity, kilowatt_hours),
            "energy_arrival": ("session", on_board, kilowatt_hours),
            "energy_need": ("session", NEED * capacity, kilowatt_hours),
            "energy_floor": ("session", FLOOR * capacity, kilowatt_hours),
            "charge_max": ((), POWER, kilowatt),
            "discharge_max": ((), POWER * discharge, kilowatt),
            "eta_charge": ((), EFFICIENCY),
            "eta_discharge": ((), EFFICIENCY),
        },
        coords={"session": np.arange(len(hours))},
    )
