"""Generator: delivery vans that come home to one depot."""

import numpy as np
import pandas as pd
import xarray as xr

from ..sessions.markets import ample_limit, energy_market, installed_power
from ..sessions.new_case import new_case
from ..sessions.origins import SYNTHETIC
from ..sessions.sessions_to_fleet import sessions_to_fleet
from ..tables.local_time import to_local
from .noise_and_prices import days_of, hourly_prices, local_day, steps_of
from .stays import COSTS, WEAR_OF_VEHICLES, moments

POD = "depot"
CONTAINMENT = (
    "A symmetric reserve, sold by the hour; 15 minutes of full activation must be on board; no"
    " activation."
)


def depot(
    vehicles: int = 12,
    days: int = 3,
    seed: int = 0,
    *,
    start: str = "2026-10-24",
    timezone: str = "Europe/Rome",
    capacity: float = 60.0,
    charger: float = 22.0,
    efficiency: float = 0.93,
    connection: float = 0.5,
    discharge: bool = True,
    reserve: bool = True,
) -> xr.DataTree:
    """Return a case of vans at one depot on quarter-hours.

    Each van leaves at a random minute from 6 to 8 local time, drives 15 to 35 kWh, is back from 15
    to 18, and needs 90 % of its battery when it leaves. A van is one battery all along: what it
    drives leaves the battery. The default days hold the longest of the year: 2026-10-25 has 100
    quarter-hours in Europe/Rome.

    Parameters
    ----------
    vehicles : int, default 12
        Vans.
    days : int, default 3
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, default "2026-10-24"
        First local day.
    timezone : str, default "Europe/Rome"
        IANA zone of the days.
    capacity : float, default 60.0
        Of each battery, kWh.
    charger : float, default 22.0
        Power of each charger, kW each way.
    efficiency : float, default 0.93
        Of each charger, each way.
    connection : float, default 0.5
        Power of the connection, either way, as a share of all chargers.
    discharge : bool, default True
        False: chargers that cannot discharge.
    reserve : bool, default True
        Adds a symmetric reserve for which a quarter of an hour of full activation must be on board.

    Returns
    -------
    xarray.DataTree
        `/fleet` (kW, kWh on fleet and `time`), `/sessions`, `/energy`, `/connection` and, unless it
        is left out, `/reserve`. The attribute `assumptions` states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.depot(vehicles=2, days=1, start="2026-10-25")
    >>> dict(case["fleet"].charge_max.sizes)
    {'fleet': 2, 'time': 100}
    >>> case["connection"].import_max.item()
    22.0
    """
    midnight = days_of(start, days, vehicles)
    time = steps_of(midnight, timezone, "15min")
    sessions = _nights(vehicles, midnight, seed, timezone, capacity)
    power = {"charge_max": charger, "discharge_max": charger * discharge}
    sessions = sessions.assign({n: ((), v, {"units": "kW"}) for n, v in power.items()})
    sessions = sessions.assign(eta_charge=((), efficiency), eta_discharge=((), efficiency))
    fleet, table = sessions_to_fleet(sessions, time, rows="vehicle", outside="clip", linked=True)
    limit = ample_limit(installed_power(fleet), installed_power(fleet))
    market = energy_market(hourly_prices(midnight, time, timezone, seed), ("day_ahead",), limit)
    market["block"] = ("market", [1.0], {"units": "h"})
    site = connection * charger * vehicles
    limits = {n: ("pod", [site], {"units": "kW"}) for n in ("import_max", "export_max")}
    groups = {
        "fleet": fleet.assign(COSTS),
        "sessions": table,
        "energy": market,
        "connection": xr.Dataset(limits, coords={"pod": [POD]}),
    }
    if reserve:
        groups["reserve"] = containment(time, timezone, seed, site)
    stated = _sentences(
        vehicles, days, seed, start, timezone, capacity, charger, efficiency, site, limit
    )
    if reserve:
        stated.append(CONTAINMENT)
    return new_case(
        time,
        groups,
        timezone=timezone,
        title=f"Depot of {vehicles} vans, {days} days",
        source="v2g_linopy.depot, synthetic",
        assumptions=stated,
        origins={"energy": [SYNTHETIC]},
    )


def _sentences(
    vehicles: int,
    days: int,
    seed: int,
    start: str,
    timezone: str,
    capacity: float,
    charger: float,
    efficiency: float,
    site: float,
    limit: float,
) -> list[str]:
    """State what the case assumes, with its numbers."""
    return [
        (f"{vehicles} vans, {days} local days from {start} ({timezone}), seed {seed}."),
        (
            "Each leaves at a random minute from 6:00 to 8:00, is back from 15:00 to 18:00, every"
            " day; all stand at the depot when the case begins, with 40 to 90 % on board, and when"
            " it ends."
        ),
        (
            f"Each drives 15 to 35 kWh a day and needs 90 % of its {capacity:g} kWh when it leaves;"
            " what must be on board at the end is what still lets it leave so."
        ),
        f"Chargers {charger:g} kW each way, efficiency {efficiency:g} each way.",
        WEAR_OF_VEHICLES,
        (
            f"The connection carries {site:g} kW either way; energy is traded by the hour, at most"
            f" {limit:g} kW."
        ),
    ]


def _nights(
    vehicles: int, midnight: pd.DatetimeIndex, seed: int, timezone: str, capacity: float
) -> xr.Dataset:
    """Return the stays at the depot: from the start or an arrival to the next departure."""
    rng = np.random.default_rng([seed, 4])
    shape = (vehicles, len(midnight) - 1)
    away, back = rng.integers(6 * 60, 8 * 60, shape), rng.integers(15 * 60, 18 * 60, shape)
    later = rng.integers(6 * 60, 8 * 60, (vehicles, 1))
    driven = np.round(rng.uniform(15.0, 35.0, shape), 2)
    board = np.round(rng.uniform(0.4, 0.9, vehicles) * capacity, 2)
    arrival = np.concatenate([np.zeros((vehicles, 1), int), back], axis=1)
    departure = np.concatenate([away, later], axis=1)
    since = midnight[[0, *range(len(midnight) - 1)]]
    count = arrival.shape[1]
    first = np.zeros((vehicles, count))
    first[:, 0] = board
    trips = np.concatenate([driven, np.zeros((vehicles, 1))], axis=1)
    label = np.array([f"van-{k + 1:02d}" for k in range(vehicles)])
    kilowatt_hours = {"units": "kWh"}
    return xr.Dataset(
        {
            "arrival": ("session", moments(since, arrival, timezone)),
            "departure": ("session", moments(midnight, departure, timezone)),
            "vehicle": ("session", np.repeat(label, count)),
            "pod": ("session", np.full(vehicles * count, POD)),
            "energy_arrival": ("session", first.ravel(), kilowatt_hours),
            "energy_trip": ("session", trips.ravel(), kilowatt_hours),
            "energy_need": ((), 0.9 * capacity, kilowatt_hours),
            "capacity": ((), capacity, kilowatt_hours),
        },
        coords={"session": np.arange(vehicles * count)},
    )


def containment(time: pd.DatetimeIndex, timezone: str, seed: int, volume: float) -> xr.Dataset:
    """Return `/reserve` with a symmetric product by the hour.

    At most `volume` kW are bought, and 15 minutes of energy must be on board.
    """
    rng = np.random.default_rng([seed, 5])
    clock = to_local(time, timezone)
    block = local_day(clock) * 24 + np.asarray(clock.hour)
    price = np.round(rng.uniform(4.0, 16.0, int(block.max()) + 1), 2)[block]
    return xr.Dataset(
        {
            "up": ("product", [1.0]),
            "down": ("product", [1.0]),
            "hours_up": ("product", [0.25], {"units": "h"}),
            "hours_down": ("product", [0.25], {"units": "h"}),
            "capacity_price": (("product", "time"), price[None, :], {"units": "EUR/MW/h"}),
            "guarantee": ("product", ["endurance"]),
            "volume_max": ("product", [volume], {"units": "kW"}),
            "block": ("product", [1.0], {"units": "h"}),
        },
        coords={"product": ["fcr"], "time": time},
    )
