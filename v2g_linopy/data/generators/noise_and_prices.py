"""What the generators share: local days and steps, noise, and synthetic prices, seeded, that look
like a market.
"""

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.local_time import align, to_local

World = Literal["few", "unmanaged", "smart"]
WORLDS = {
    "few": "few electric vehicles: a midday valley of solar power, an evening peak",
    "unmanaged": (
        "many vehicles that charge when they come home: the evening peak is higher and longer"
    ),
    "smart": "many vehicles that charge in the valley: valley and peak are half as deep and high",
}


# EUR/MWh above the daily mean, by local hour
_ITALIAN_DAY = (
    -4,
    -7,
    -9,
    -10,
    -10,
    -8,
    -2,
    3,
    5,
    4,
    1,
    -1,
    -5,
    -6,
    -3,
    0,
    3,
    6,
    10,
    16,
    15,
    9,
    1,
    -4,
)
_SOLAR_DAY = (
    -4,
    -6,
    -7,
    -7,
    -6,
    -3,
    6,
    14,
    2,
    -18,
    -34,
    -44,
    -48,
    -46,
    -36,
    -20,
    4,
    34,
    52,
    50,
    38,
    22,
    10,
    2,
)


def too_small(**sizes: int) -> list[Problem]:
    """Return a problem for every size below 1."""
    return [Problem(n, "range", f"{v}: must be at least 1") for n, v in sizes.items() if v < 1]


def days_of(start: str | pd.Timestamp, days: int, vehicles: int) -> pd.DatetimeIndex:
    """Return the local midnights of a case, that of its end included.

    Raises `SchemaError` for sizes below 1.
    """
    if problems := too_small(vehicles=vehicles, days=days):
        raise SchemaError(problems, "the size of the case")
    return pd.date_range(pd.Timestamp(start).normalize(), periods=days + 1, freq="D")


def steps_of(midnight: pd.DatetimeIndex, timezone: str, step: str) -> pd.DatetimeIndex:
    """Return the steps between the first and the last local midnight, naive UTC."""
    utc = midnight[[0, -1]].tz_localize(timezone).tz_convert("UTC").tz_localize(None)
    return pd.date_range(utc[0], utc[1], freq=step, inclusive="left", name="time")


def local_day(clock: pd.DatetimeIndex) -> np.ndarray:
    """Return the number of the local day of each stamp, 0 for the first.

    Days of 23 and 25 hours count as one.
    """
    dates = clock.tz_localize(None).normalize()
    return np.asarray((dates - dates[0]).days)


def noise(rng: np.random.Generator, count: int, memory: float, size: float) -> np.ndarray:
    """Return a first-order autoregressive series with standard deviation `size`."""
    steps = rng.standard_normal(count) * size * np.sqrt(1 - memory**2)
    out = np.empty(count)
    value = rng.standard_normal() * size
    for k, step in enumerate(steps):
        value = memory * value + step
        out[k] = value
    return out


def italian_prices(
    time: pd.DatetimeIndex, timezone: str = "Europe/Rome", seed: int = 0
) -> xr.Dataset:
    """Return hourly prices with the shape of the Italian market of 2019: day-ahead and regulation.

    Day-ahead: about 51 EUR/MWh, a morning and an evening peak in local time, 7 lower at weekends,
    never below 5. Upward regulation: about 90 EUR/MWh where accepted; in about 28 % of the hours,
    in runs of about seven and more at night, nothing is accepted. Downward: about 27 EUR/MWh,
    nothing accepted in about 0.3 %. NaN: nothing was accepted."""
    rng = np.random.default_rng([seed, 1])
    clock, count = to_local(time, timezone), len(time)
    weekend = np.asarray(clock.day_of_week >= 5)
    ahead = 53.5 + np.take(_ITALIAN_DAY, clock.hour) - 7.0 * weekend + noise(rng, count, 0.95, 8.0)
    up = (
        90.0
        + 5.0 * np.asarray((clock.hour >= 6) & (clock.hour < 12))
        + np.abs(noise(rng, count, 0.8, 17.0))
        - 13.5
    )
    down = 27.0 + noise(rng, count, 0.9, 3.0) + 0.1 * np.take(_ITALIAN_DAY, clock.hour)
    idle = _runs(rng, np.asarray(clock.hour < 6))
    return _prices(
        time,
        day_ahead=(np.maximum(ahead, 5.0), "day-ahead price (synthetic)"),
        regulation_up=(
            np.where(idle, np.nan, np.maximum(up, 50.0)),
            "upward regulation price (synthetic), NaN: not accepted",
        ),
        regulation_down=(
            np.where(rng.random(count) < 0.003, np.nan, np.clip(down, 5.0, 45.0)),
            "downward regulation price (synthetic), NaN: not accepted",
        ),
    )


def hourly_prices(
    midnight: pd.DatetimeIndex, time: pd.DatetimeIndex, timezone: str, seed: int
) -> xr.Dataset:
    """Return `italian_prices` between local midnights, on the steps of a case."""
    return align(italian_prices(steps_of(midnight, timezone, "1h"), timezone, seed), time)


def world_prices(
    time: pd.DatetimeIndex, world: World = "few", timezone: str = "Europe/Rome", seed: int = 0
) -> xr.Dataset:
    """Return hourly day-ahead prices of one of three worlds; the noise of all three is the same.

    Sunny days push the midday valley below zero.
    """
    rng = np.random.default_rng([seed, 2])
    clock = to_local(time, timezone)
    shape = np.take(np.asarray(_SOLAR_DAY, float), clock.hour)
    day = local_day(clock)
    shape = np.where(shape < -10, shape * rng.uniform(0.4, 1.4, int(day[-1]) + 1)[day], shape)
    shape = shape - 6.0 * np.asarray(clock.day_of_week >= 5)
    if world == "unmanaged":
        shape = shape + 30.0 * np.exp(-(((np.asarray(clock.hour) - 19.5) / 2.5) ** 2))
    elif world == "smart":
        shape = 0.5 * shape
    return _prices(
        time,
        day_ahead=(
            55.0 + shape + noise(rng, len(time), 0.9, 4.0),
            f"day-ahead price (synthetic, {world})",
        ),
    )


def _runs(rng: np.random.Generator, night: np.ndarray) -> np.ndarray:
    """Return a two-state chain: nothing accepted (True) begins more often at night and lasts about
    seven hours.
    """
    begin, end = np.where(night, 0.1, 0.04), 0.15
    draw, idle, state = rng.random(len(night)), np.empty(len(night), bool), False
    for k, chance in enumerate(draw):
        state = chance >= end if state else chance < begin[k]
        idle[k] = state
    return idle


def _prices(time: pd.DatetimeIndex, **series: tuple[np.ndarray, str]) -> xr.Dataset:
    data = {
        name: xr.DataArray(
            np.round(values, 2),
            coords={"time": time},
            dims="time",
            attrs={"units": "EUR/MWh", "long_name": text},
        )
        for name, (values, text) in series.items()
    }
    return xr.Dataset(data)
