"""Generator: cars at homes and vans at a depot that trade by quarter-hours and sell frequency
containment as a part of a pool.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ...case.calendar import instants
from ...delivery.calls_from_record import with_calls_from_record
from ..sessions.markets import ample_limit, energy_market, installed_power
from ..sessions.new_case import new_case
from ..sessions.origins import SYNTHETIC
from ..sessions.sessions_to_fleet import sessions_to_fleet
from ..tables.local_time import to_local
from .frequency_record import frequency_record
from .gate_of_portfolio import gate_and_forecasts, gate_sentences
from .noise_and_prices import days_of, local_day, steps_of, world_prices
from .sequential import GATE
from .stays import COSTS, WEAR_OF_VEHICLES, moments, together, vehicle_labels

CAPACITY, CHARGER, EFFICIENCY, NEED = 60.0, 11.0, 0.93, 0.8
"""kWh of each battery, kW of each charger either way, its efficiency, and the share of the battery
at departure.
"""
LEAST, MOST = 0.1, 0.95
"""Shares of the battery that the energy stays between: what is below and above is more than the 15
minutes of all that a charger can sell.
"""
SPREAD, FEE, CONTAINMENT, ACCEPTED, POOL = 90.0, 120.0, 12.0, 0.5, 5000.0
"""EUR/MWh between the dearest and the cheapest quarter-hour of a day, in the mean; EUR/MWh of grid
fees and taxes; EUR/MW/h for frequency containment; probability that an offer is accepted; kW that
others offer in the same bid.
"""
GATE_OF_RESERVES = 8.0
"""Local hour of the day before at which the auction of frequency containment closes."""
HERTZ = 0.02
"""Standard deviation of the frequency."""


def homes_and_depot(
    vehicles: int = 10,
    days: int = 7,
    seed: int = 0,
    *,
    start: str = "2026-03-09",
    timezone: str = "Europe/Berlin",
    discharge: bool = True,
    reserve: bool = True,
) -> xr.DataTree:
    """Return a case of cars at homes and vans at a depot, half of each, on quarter-hours.

    On three days of five a car leaves at a random minute from 6:30 to 8:30, drives 4 to 12 kWh and
    is back from 16:30 to 19:30; on nine working days of ten a van leaves from 6 to 7, drives 10 to
    25 kWh and is back from 15:30 to 17:30. Else they stand plugged in. A vehicle is one battery all
    along. Fees and taxes are paid on what is drawn, and refunded on what is fed back.

    Parameters
    ----------
    vehicles : int, default 10
        Cars and vans together.
    days : int, default 7
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, default "2026-03-09"
        First local day, a Monday unless given.
    timezone : str, default "Europe/Berlin"
        IANA zone of the days.
    discharge : bool, default True
        False: chargers that cannot discharge.
    reserve : bool, default True
        Adds frequency containment (FCR): 1.25 kW for each kW that is sold, both ways, one volume
        for four hours, accepted half the time, in bids of whole MW together with a pool of others.
        It is called by a synthetic record of frequency, in seven states. The energy stays between
        10 and 95 % of the battery, so that 15 minutes of every call are on board.

    Returns
    -------
    xarray.DataTree
        `/fleet` (kW, kWh on fleet and `time`), `/sessions`, `/energy`, `/imbalance`, `/connection`,
        `/gates`, `/vintage` and, unless it is left out, `/reserve`. The attribute `assumptions`
        states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.homes_and_depot(vehicles=2, days=1)
    >>> case["fleet"].pod.values.tolist(), case["reserve"].sizes["call_state"]
    (['homes', 'depot'], 7)
    >>> price = case["energy"].price
    >>> round(float(price.max() - price.min()), 1)
    90.0
    """
    midnight = days_of(start, days, vehicles)
    time = steps_of(midnight, timezone, "15min")
    rng = np.random.default_rng([seed, 9])
    vans = vehicles // 2
    sessions = together(
        [
            _stays(vehicle_labels("car", vehicles - vans), "homes", CARS, midnight, timezone, rng),
            _stays(vehicle_labels("van", vans), "depot", VANS, midnight, timezone, rng),
        ]
    )
    power = {"charge_max": CHARGER, "discharge_max": CHARGER * discharge}
    sessions = sessions.assign({n: ((), v, {"units": "kW"}) for n, v in power.items()})
    sessions = sessions.assign(eta_charge=((), EFFICIENCY), eta_discharge=((), EFFICIENCY))
    fleet, table = sessions_to_fleet(sessions, time, rows="vehicle", outside="clip", linked=True)
    fleet["energy_min"] = np.maximum(fleet.energy_min, LEAST * CAPACITY)
    fleet["energy_max"] = np.minimum(fleet.energy_max, MOST * CAPACITY)
    limit = ample_limit(installed_power(fleet), installed_power(fleet))
    market = energy_market(quarter_hourly_prices(midnight, timezone, seed), ("day_ahead",), limit)
    fee = {"units": "EUR/MWh"}
    pods = pd.Index(["homes", "depot"][: 1 + (vans > 0)], name="pod")
    charged = {"fee_import": ((), FEE, fee), "fee_export": ((), -FEE, fee)}
    groups = {
        "fleet": fleet.assign(COSTS),
        "sessions": table,
        "energy": market,
        "connection": xr.Dataset(charged, coords={"pod": pods}),
    }
    if reserve:
        groups["reserve"] = _containment()
    price = market.price.isel(market=0, drop=True).to_numpy()
    draws = np.random.default_rng([seed, 11])
    first = GATE_OF_RESERVES if reserve else GATE
    groups |= gate_and_forecasts(time, timezone, price, None, limit, draws, first)
    if reserve:
        groups["gates"] = xr.Dataset(
            {"hour": ("gate", [GATE, GATE_OF_RESERVES])}, coords={"gate": ["day_ahead", "FCR"]}
        )
    case = new_case(
        time,
        groups,
        timezone=timezone,
        title=f"{vehicles - vans} cars at homes and {vans} vans at a depot, {days} days",
        source="v2g_linopy.homes_and_depot, synthetic",
        assumptions=_sentences(vehicles - vans, vans, days, start, timezone, seed, reserve),
        origins={"energy": [SYNTHETIC]},
    )
    if not reserve:
        return case
    record = frequency_record("2026-01-01", 24 * 28, step="1min", seed=seed, size=HERTZ)
    return with_calls_from_record(case, record["frequency"])


def quarter_hourly_prices(midnight: pd.DatetimeIndex, timezone: str, seed: int) -> xr.Dataset:
    """Return day-ahead prices by quarter-hours whose days differ by `SPREAD` in the mean.

    Days of many solar panels: a valley at noon, a peak in the evening, and within each hour a slope
    towards the next.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2026-03-09", periods=8)
    >>> price = quarter_hourly_prices(days, "Europe/Berlin", 0).day_ahead
    >>> price.sizes["time"], round(float(price.mean()))
    (672, 80)
    """
    time = steps_of(midnight, timezone, "15min")
    hours = world_prices(steps_of(midnight, timezone, "1h"), "few", timezone, seed)
    between = hours.interp(time=time, kwargs={"fill_value": "extrapolate"})["day_ahead"]
    noise = np.random.default_rng([seed, 10]).normal(0.0, 4.0, len(time))
    level, day = between + noise, local_day(to_local(time, timezone))
    by_day = pd.Series(level.values).groupby(day)
    scale = SPREAD / float((by_day.max() - by_day.min()).mean())
    price = (80.0 + (level - level.mean()) * scale).round(2)
    attrs = {"units": "EUR/MWh", "long_name": "day-ahead price (synthetic)"}
    return xr.Dataset({"day_ahead": price.assign_attrs(attrs)})


@dataclass(frozen=True)
class Use:
    """When vehicles of a kind are away: earliest and latest minute of leaving and of coming back,
    least and most kWh of the trip, the share of days on which they are used, and whether that is
    on working days only.
    """

    leaves: tuple[int, int]
    comes: tuple[int, int]
    driven: tuple[float, float]
    share: float
    working: bool


CARS = Use((6 * 60 + 30, 8 * 60 + 30), (16 * 60 + 30, 19 * 60 + 30), (4.0, 12.0), 0.6, False)
VANS = Use((6 * 60, 7 * 60), (15 * 60 + 30, 17 * 60 + 30), (10.0, 25.0), 0.9, True)


def _stays(
    labels: list[str],
    pod: str,
    use: Use,
    midnight: pd.DatetimeIndex,
    timezone: str,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return the stays of vehicles: from the start, or an arrival, to the next departure."""
    days = midnight[:-1]
    shape = (len(labels), len(days))
    used = (rng.random(shape) < use.share) & ((days.day_of_week < 5) | (not use.working))
    away = moments(days, rng.integers(*use.leaves, shape), timezone).reshape(shape)
    back = moments(days, rng.integers(*use.comes, shape), timezone).reshape(shape)
    driven = np.round(rng.uniform(*use.driven, shape), 2)
    begin, end = instants(midnight[[0, -1]], timezone).to_numpy()

    arrival, departure, trip, whose = [], [], [], []
    for label, some, out, home, kilowatt_hours in zip(
        labels, used, away, back, driven, strict=True
    ):
        arrival += [begin, *home[some]]
        departure += [*out[some], end]
        trip += [*kilowatt_hours[some], 0.0]
        whose += [label] * (int(some.sum()) + 1)
    first = np.array(arrival) == begin
    unit = {"units": "kWh"}
    return xr.Dataset(
        {
            "arrival": ("session", np.array(arrival, "datetime64[ns]")),
            "departure": ("session", np.array(departure, "datetime64[ns]")),
            "vehicle": ("session", np.array(whose, str)),
            "pod": ("session", np.full(len(whose), pod)),
            "energy_arrival": ("session", NEED * CAPACITY * first, unit),
            "energy_trip": ("session", np.array(trip), unit),
            "energy_need": ("session", np.full(len(whose), NEED * CAPACITY), unit),
            "capacity": ("session", np.full(len(whose), CAPACITY), unit),
        },
        coords={"session": np.arange(len(whose))},
    )


def _containment() -> xr.Dataset:
    """Return `/reserve` with frequency containment of continental Europe."""
    hours, kilowatt = {"units": "h"}, {"units": "kW"}
    return xr.Dataset(
        {
            "up": ("product", [1.25]),
            "down": ("product", [1.25]),
            "capacity_price": ("product", [CONTAINMENT], {"units": "EUR/MW/h"}),
            "block": ("product", [4.0], hours),
            "recovery_delay": ("product", [4.0], hours),
            "accept_probability": ("product", [ACCEPTED], {"units": "1"}),
            "minimum_bid": ("product", [1000.0], kilowatt),
            "step": ("product", [1000.0], kilowatt),
            "pool": ("product", [POOL], kilowatt),
        },
        coords={"product": ["FCR"]},
    )


def _sentences(
    cars: int, vans: int, days: int, start: str, timezone: str, seed: int, reserve: bool
) -> list[str]:
    """State what the case assumes, with its numbers."""
    stated = [
        f"{cars} cars and {vans} vans, {days} local days from {start} ({timezone}), seed {seed}.",
        (
            "Cars leave their homes on 60 % of the days from 6:30 to 8:30, drive 4 to 12 kWh and"
            " are back from 16:30 to 19:30; vans leave the depot on 90 % of the working days from"
            " 6:00 to 7:00, drive 10 to 25 kWh and are back from 15:30 to 17:30 (all uniform). Else"
            " they are plugged in."
        ),
        (
            f"Batteries {CAPACITY:g} kWh, {100 * NEED:g} % at every departure, at the start and at"
            f" the end; chargers {CHARGER:g} kW each way, efficiency {EFFICIENCY:g} each way."
        ),
        WEAR_OF_VEHICLES,
        (
            f"Day-ahead prices by quarter-hours differ by {SPREAD:g} EUR/MWh within a day, in the"
            f" mean; fees and taxes of {FEE:g} EUR/MWh are refunded on what is fed back."
        ),
    ]
    stated += gate_sentences(plants=False)
    if reserve:
        stated.append(
            f"Frequency containment at {CONTAINMENT:g} EUR/MW/h in blocks of 4 hours, accepted with"
            f" probability {ACCEPTED:g}, as a part of bids of whole MW of a pool of {POOL:g} kW;"
            " 1.25 kW per kW sold, and at least 15 minutes of energy both ways, as batteries stay"
            f" between {100 * LEAST:g} and {100 * MOST:g} %. The auction closes at"
            f" {GATE_OF_RESERVES:g}:00 on the day before. Activated energy is settled at the"
            " day-ahead price, and bought back four hours later."
        )
        stated.append(
            f"The frequency is a synthetic record of four weeks, {1000 * HERTZ:g} mHz about 50 Hz."
        )
    return stated
