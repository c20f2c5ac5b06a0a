"""Generator: a small portfolio that trades day-ahead and intraday on forecasts, and settles its
imbalance.
"""

import numpy as np
import pandas as pd
import xarray as xr

from ..sessions.markets import AMPLE, installed_power
from ..sessions.new_case import new_case
from ..sessions.origins import SUN, SYNTHETIC
from ..sessions.sessions_to_fleet import sessions_to_fleet
from ..tables.local_time import to_local
from .noise_and_prices import days_of, hourly_prices, noise, steps_of
from .single_site import batteries
from .stays import COSTS, OFFICE_WORKERS, WEAR_OF_BATTERIES, WEAR_OF_VEHICLES, stays, vehicle_labels
from .sun_and_buildings import profiles, sun

POD = "portfolio"
GATE, PUBLISHED, LEAD, SPREAD = 12.0, 13.0, 1.0, 1.0
"""Local hours of the day before at which day-ahead closes and is published; intraday: h before
delivery, EUR/MWh.
"""
LONG, SHORT = 12.0, 18.0
"""EUR/MWh below and above the intraday price at which imbalance is settled, at least."""
ISSUED, HORIZON = pd.Timedelta(hours=6), pd.Timedelta(days=3)
"""How often forecasts are issued, and from how far ahead they are revised."""
ERRORS = {"price": 12.0, "difference": 5.0, "sun": 0.12}
"""What is revised in a day of lead (standard deviation): EUR/MWh, EUR/MWh, share of the roof."""


def sequential(
    vehicles: int = 6,
    days: int = 3,
    seed: int = 0,
    *,
    start: str = "2026-03-24",
    timezone: str = "Europe/Rome",
    step: str = "1h",
    solar: float = 100.0,
    battery: float = 100.0,
    discharge: bool = True,
) -> xr.DataTree:
    """Return a case to be operated through its gates: battery, solar roof and commuters.

    Day-ahead closes at 12:00 local on the day before, by the hour; intraday trades one hour before
    delivery; what is left is imbalance, at two prices. What happens is in the groups of the parts;
    `/vintage` says every six hours what was forecast, `/gates` when the markets close.

    A forecast is what comes of later revisions, which are independent of it: `forecast = truth -
    sum of the revisions still to come`, each as large as the root of its share of a day. The error
    so grows with the root of the lead, up to three days; what is farther ahead is not revised.

    Parameters
    ----------
    vehicles : int, default 6
        Cars. Commuters come on working days only.
    days : int, default 3
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, default "2026-03-24"
        First local day.
    timezone : str, default "Europe/Rome"
        IANA zone of the days.
    step : str, default "1h"
        Step of the case, such as 15min; day-ahead prices are hourly.
    solar : float, default 100.0
        Size of the roof, kWp.
    battery : float, default 100.0
        Size of the battery, kWh, two hours at full power.
    discharge : bool, default True
        False: chargers that cannot discharge.

    Returns
    -------
    xarray.DataTree
        `/fleet`, `/sessions`, `/battery`, `/renewable` (kW, kWh), `/energy`, `/imbalance`
        (EUR/MWh), `/gates` (h) and `/vintage`, on `vintage` and `time`. The attribute `assumptions`
        states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.sequential(vehicles=1, days=1)
    >>> case["energy"]["market"].values.tolist()
    ['day_ahead', 'intraday']
    >>> case["gates"].hour.sel(gate="day_ahead").item()
    12.0
    >>> case["gates"].lead.sel(gate="intraday").item()
    1.0
    """
    midnight = days_of(start, days, vehicles)
    time = steps_of(midnight, timezone, step)
    rng = np.random.default_rng([seed, 9])
    sessions = stays(
        vehicle_labels("ev", vehicles),
        POD,
        OFFICE_WORKERS,
        midnight[:-1],
        timezone,
        rng,
        discharge=discharge,
    )
    fleet, table = sessions_to_fleet(sessions, time, rows="vehicle")
    ahead = hourly_prices(midnight, time, timezone, seed)["day_ahead"].to_numpy()
    roof = solar * sun(time, timezone, rng)
    markets, imbalance, vintage = _prices(time, timezone, ahead, roof, solar, rng)
    power = installed_power(fleet) + battery + solar
    markets = markets.assign(
        limit=("market", [AMPLE * power] * 2),
        block=("market", [1.0, 0.0], {"units": "h"}),
        spread=("market", [0.0, SPREAD], {"units": "EUR/MWh"}),
        first_stage=(
            "market",
            [1.0, 0.0],
        ),  # with scenarios, day-ahead is decided before the day is known
    )
    groups = {
        "fleet": fleet.assign(COSTS),
        "sessions": table,
        "battery": batteries({"battery": battery}, [POD]),
        "renewable": xr.Dataset({"available": profiles(time, {"roof": roof}, "renewable")}),
        "energy": markets,
        "imbalance": imbalance.assign(limit=((), AMPLE * power, {"units": "kW"})),
        "gates": _gates(),
        "vintage": xr.Dataset(vintage),
    }
    groups["renewable"]["pod"] = ("renewable", [POD])
    sentences = _sentences(vehicles, days, start, timezone, seed, solar, battery)
    return new_case(
        time,
        groups,
        timezone=timezone,
        title=f"Markets in sequence, {days} days",
        source="v2g_linopy.sequential, synthetic",
        assumptions=sentences,
        origins={
            "energy": [SYNTHETIC],
            "imbalance": ["Prices of imbalance are synthetic.", sentences[-2]],
            "renewable/*": [SUN],
            "vintage": ["Forecasts are synthetic.", sentences[-1]],
        },
    )


def _sentences(
    vehicles: int, days: int, start: str, timezone: str, seed: int, solar: float, battery: float
) -> list[str]:
    """Return what the case assumes."""
    return [
        (
            f"{vehicles} commuters, a roof and a battery, {days} local days from {start}"
            f" ({timezone}), seed {seed}."
        ),
        OFFICE_WORKERS.sentence("Vehicles") + " Their stays are known in advance.",
        (
            f"Roof {solar:g} kWp; battery {battery:g} kWh, {battery / 2:g} kW, as full at the end"
            " as at the start (half)."
        ),
        WEAR_OF_VEHICLES,
        WEAR_OF_BATTERIES,
        (
            f"Day-ahead, by the hour, closes at {GATE:g}:00 local on the day before and is"
            f" published at {PUBLISHED:g}:00; intraday trades {LEAD:g} h before delivery and costs"
            f" {SPREAD / 2:g} EUR/MWh each way."
        ),
        (
            f"Imbalance pays at least {LONG:g} EUR/MWh less than intraday and costs at least"
            f" {SHORT:g} more."
        ),
        (
            f"Forecasts are issued every {ISSUED / pd.Timedelta('1h'):g} h; a day before, their"
            f" standard error is {ERRORS['price']:g} EUR/MWh of the day-ahead price,"
            f" {ERRORS['difference']:g} of what intraday pays more, and {100 * ERRORS['sun']:g} %"
            " of the roof at noon; it grows with the root of the lead, up to three days."
        ),
    ]


def _prices(
    time: pd.DatetimeIndex,
    timezone: str,
    ahead: np.ndarray,
    roof: np.ndarray,
    solar: float,
    rng: np.random.Generator,
) -> tuple[xr.Dataset, xr.Dataset, dict[str, xr.DataArray]]:
    """Return `/energy` and `/imbalance` as they come, and the arrays of `/vintage`."""
    issued, published = issued_and_published(time, timezone)
    of_price, of_difference, of_sun = (
        revisions(rng, issued, time, size) for size in ERRORS.values()
    )
    of_price = np.where(np.asarray(issued)[:, None] < published[None, :], of_price, 0.0)
    between = of_difference.sum(axis=0)
    extra = np.abs(noise(rng, len(time), 0.8, 8.0)), np.abs(noise(rng, len(time), 0.8, 10.0))
    price_ahead = ahead - to_come(of_price)
    price_within = price_ahead + between - to_come(of_difference)
    bright = np.where(roof > 0, np.minimum(1.0, roof / max(roof.max(), 1e-9) + 0.2), 0.0)
    seen = np.clip(roof - solar * bright * to_come(of_sun), 0.0, solar)
    mean = np.array([extra[0].mean(), extra[1].mean()])

    labels, stamps = {"market": ["day_ahead", "intraday"]}, {"vintage": issued, "time": time}
    euro, kilowatt = {"units": "EUR/MWh"}, {"units": "kW"}
    markets = xr.Dataset(
        {"price": (("market", "time"), np.round([ahead, ahead + between], 2), euro)},
        labels | {"time": time},
    )
    settled = {
        "price_long": ahead + between - LONG - extra[0],
        "price_short": ahead + between + SHORT + extra[1],
    }
    imbalance = xr.Dataset(
        {n: ("time", np.round(x, 2), euro) for n, x in settled.items()}, {"time": time}
    )
    foretold = {
        "price_long": price_within - LONG - mean[0],
        "price_short": price_within + SHORT + mean[1],
    }
    both = np.round(np.stack([price_ahead, price_within], axis=1), 2)
    vintage = {
        "energy.price": xr.DataArray(
            both, labels | stamps, ("vintage", "market", "time"), attrs=euro
        ),
        "renewable.available": (
            xr.DataArray(
                np.round(seen[:, None, :], 3),
                {"renewable": ["roof"], **stamps},
                ("vintage", "renewable", "time"),
            ).assign_attrs(kilowatt)
        ),
        **{
            f"imbalance.{n}": xr.DataArray(np.round(x, 2), stamps, ("vintage", "time"), attrs=euro)
            for n, x in foretold.items()
        },
    }
    return markets, imbalance, vintage


def issued_and_published(
    time: pd.DatetimeIndex, timezone: str, first_gate: float = GATE
) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Return when forecasts are issued, from an hour before the first gate on (local hour of the
    day before), and when each step is published.
    """
    day = to_local(time, timezone).tz_localize(None).normalize() - pd.Timedelta("1D")
    moments = (
        (day + pd.Timedelta(hours=PUBLISHED))
        .tz_localize(timezone)
        .tz_convert("UTC")
        .tz_localize(None)
    )
    first = moments[0] - pd.Timedelta(hours=PUBLISHED - first_gate + 1)
    return pd.date_range(first, time[-1], freq=ISSUED), np.asarray(moments)


def revisions(
    rng: np.random.Generator, issued: pd.DatetimeIndex, time: pd.DatetimeIndex, size: float
) -> np.ndarray:
    """Return by how much each forecast revises the one before, on (issued, time).

    What has happened is revised no more.

    Neighbouring steps are revised alike; the first forecast revises nothing, and what the last one
    leaves open is revised with it. `size` is the standard deviation over a day of lead.
    """
    hours, per_day = ISSUED / pd.Timedelta("1h"), 24.0
    steps = max(1, round(pd.Timedelta("1h") / (time[1] - time[0]))) if len(time) > 1 else 1
    drawn = [
        noise(rng, len(time), 0.9 ** (1 / steps), size * np.sqrt(hours / per_day)) for _ in issued
    ]
    lead = time.to_numpy()[None, :] - issued.to_numpy()[:, None]
    found = np.where((lead >= pd.Timedelta(0)) & (lead < HORIZON), drawn, 0.0)
    found[0] = 0.0
    return found


def to_come(revised: np.ndarray) -> np.ndarray:
    """Return the sum of the revisions after each forecast, on (issued, time)."""
    return revised[::-1].cumsum(axis=0)[::-1] - revised


def _gates() -> xr.Dataset:
    """Return the group `/gates`."""
    never = np.nan
    return xr.Dataset(
        {
            "hour": ("gate", [GATE, never]),
            "lead": ("gate", [never, LEAD]),
            "rolling": ("gate", [0.0, 0.0]),  # each trades when its gate closes
        },
        coords={"gate": ["day_ahead", "intraday"]},
    )
