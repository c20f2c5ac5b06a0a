"""Generator: commuters who plug in at work."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ..sessions.assumptions import Regulation
from ..sessions.case_from_sessions import case_from_sessions
from ..sessions.currency import currency_of_prices
from ..sessions.fleet_arrays import RetailOn
from ..tables.local_time import nanoseconds
from ..tables.series import add_notes
from .noise_and_prices import days_of, italian_prices, steps_of
from .stays import DAY, moments, vehicle_labels

REGULATION = Regulation()
NOT_A_MARKET = "published study: an energy price paid for capacity; not a market"
"""What heads all that is told of the study."""
OTHERWISE = "Settled as energy, only what is activated is paid; the study pays what is held."


def commuters(
    vehicles: int = 100,
    days: int = 92,
    seed: int = 0,
    *,
    start: str | None = None,
    timezone: str = "Europe/Rome",
    prices: xr.Dataset | None = None,
    regulation: Regulation | None = REGULATION,
    discharge: bool = True,
    capacity: float = 24.0,
    charger: float = 7.2,
    efficiency: float = 0.9,
    replacement: float = 200.0,
    retail_price: float = 0.01,
    retail_on: RetailOn = "net",
    **options: Any,
) -> xr.DataTree:
    """Return a case of commuters who plug in at work every day, hourly, with regulation.

    Each local day each vehicle arrives at a random minute from 6 to 9 and leaves at one from 16 to
    19, with a random 20 to 80 % of its battery on board, and needs 99 % at departure. The rest of
    the day is not modelled.

    Parameters
    ----------
    vehicles : int, default 100
        Cars.
    days : int, default 92
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, optional
        First local day; 2019-08-01 unless given, or the first whole day of `prices`.
    timezone : str, default "Europe/Rome"
        IANA zone of the days.
    prices : xarray.Dataset, optional
        Imported prices on ``time`` (UTC, hourly): ``day_ahead`` and, for regulation,
        ``regulation_up`` and ``regulation_down`` (EUR/MWh, or another money, which is then that of
        the case). Synthetic ones unless given.
    regulation : Regulation, default Regulation()
        The two regulation products; on average 0.25 of what is held upward and 0.75 of what is
        held downward is activated. None for none.
    discharge : bool, default True
        False: chargers that cannot discharge.
    capacity : float, default 24.0
        Of each battery, kWh.
    charger : float, default 7.2
        Power of each charger, kW each way.
    efficiency : float, default 0.9
        Of each charger, each way.
    replacement : float, default 200.0
        Of a battery, EUR/kWh; spread over 3000 cycles of 80 % it is the wear.
    retail_price : float, default 0.01
        EUR/kWh that the drivers pay.
    retail_on : {"need", "net"}, default "net"
        What they pay it for, see `sessions_to_fleet`; on net energy in the published study.
    **options
        Handed to `case_from_sessions`: `limit`, `markets`, `unserved_cost`, `step`.

    Returns
    -------
    xarray.DataTree
        `/fleet` (kW, kWh on fleet and `time`), `/sessions`, `/energy` and, unless it is left out,
        `/reserve` with `up` and `down`. The attribute `assumptions` states every rule; with
        regulation `not_a_market` heads every report, and nothing is scaled to a year.

    Raises
    ------
    SchemaError
        Prices that do not cover the days, or a size that is not positive.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=3, days=1)
    >>> list(case.children), case["reserve"]["product"].values.tolist()
    (['fleet', 'sessions', 'energy', 'reserve'], ['up', 'down'])
    >>> round(float(case["sessions"].energy_need.max()), 2)
    23.76
    """
    midnight = days_of(_first_day(start, prices, timezone), days, vehicles)
    if prices is None:
        prices = italian_prices(steps_of(midnight, timezone, "1h"), timezone, seed)
        prices = add_notes(prices, "Prices are synthetic, with an Italian shape.")
        origin = "v2g_linopy.commuters, synthetic"
    else:
        _covers(prices, midnight.tz_localize(timezone).tz_convert("UTC").tz_localize(None), days)
        prices = add_notes(prices, "Prices are imported.")
        origin = "v2g_linopy.commuters"
    sessions = _sessions(vehicles, midnight[:-1], seed, timezone, capacity)
    power = {"charge_max": charger, "discharge_max": charger * discharge}
    sessions = sessions.assign({n: ((), v, {"units": "kW"}) for n, v in power.items()})
    sessions = sessions.assign(eta_charge=((), efficiency), eta_discharge=((), efficiency))
    wear = replacement / (3000 * 0.8)
    sentences = [
        f"{vehicles} vehicles on {days} local days ({timezone}), seed {seed}.",
        (
            "Every day each arrives at a random minute from 6:00 to 9:00 and leaves at one from"
            " 16:00 to 19:00, with 20 to 80 % of the battery on board (uniform), and needs 99 % at"
            " departure."
        ),
        f"Battery {capacity:g} kWh, charger {charger:g} kW, efficiency {efficiency:g} each way.",
        (
            f"Wear {wear:.6f} EUR per kWh leaving the battery: {replacement:g} EUR/kWh, 3000 cycles"
            " of 80 %."
        ),
    ]
    if regulation is not None and regulation.settlement == "energy":
        sentences.append(OTHERWISE)
    currency = currency_of_prices(prices)
    case = case_from_sessions(
        sessions,
        prices,
        timezone=timezone,
        currency=currency,
        start=str(midnight[0]),
        end=str(midnight[-1]),
        rows="vehicle",
        outside="problem",
        regulation=regulation,
        wear=wear,
        retail_price=retail_price,
        retail_on=retail_on,
        title=f"{vehicles} commuters, {days} days",
        source=origin,
        assumptions=[sentence.replace("EUR", currency) for sentence in sentences],
        **options,
    )
    if regulation is not None:
        case.attrs["not_a_market"] = NOT_A_MARKET
    return case


def _sessions(
    vehicles: int, days: pd.DatetimeIndex, seed: int, timezone: str, capacity: float
) -> xr.Dataset:
    rng = np.random.default_rng([seed, 0])
    shape = (vehicles, len(days))
    arrival, departure = rng.integers(6 * 60, 9 * 60, shape), rng.integers(16 * 60, 19 * 60, shape)
    board = np.round(rng.uniform(0.2, 0.8, shape) * capacity, 3)
    kilowatt_hours = {"units": "kWh"}
    return xr.Dataset(
        {
            "arrival": ("session", moments(days, arrival, timezone)),
            "departure": ("session", moments(days, departure, timezone)),
            "vehicle": ("session", np.repeat(vehicle_labels("ev", vehicles, 3), len(days))),
            "energy_arrival": ("session", board.ravel(), kilowatt_hours),
            "energy_need": ((), 0.99 * capacity, kilowatt_hours),
            "capacity": ((), capacity, kilowatt_hours),
        },
        coords={"session": np.arange(vehicles * len(days))},
    )


def _first_day(start: str | None, prices: xr.Dataset | None, timezone: str) -> pd.Timestamp:
    if start is not None:
        return pd.Timestamp(start).normalize()
    if prices is None:
        return pd.Timestamp("2019-08-01")
    first = pd.Timestamp(prices.indexes["time"][0], tz="UTC").tz_convert(timezone).tz_localize(None)
    return first.normalize() if first == first.normalize() else first.normalize() + DAY


def _covers(prices: xr.Dataset, edges: pd.DatetimeIndex, days: int) -> None:
    time = prices.indexes["time"]
    end = time[-1] + (time[-1] - time[-2] if len(time) > 1 else pd.Timedelta("1h"))
    if nanoseconds(time)[0] > edges[0].value or end < edges[-1]:
        whole = int(((edges[:-1] >= time[0]) & (edges[1:] <= end)).sum())
        detail = (
            f"prices cover only {whole} of the {days} days ({edges[0]} to {edges[-1]} UTC); they go"
            f" from {time[0]} to {end}"
        )
        fewer = (Remedy("days", (whole,)),) if whole and edges[0] >= time[0] else ()
        raise SchemaError([Problem("prices", "time", detail, fewer)], "the prices")
