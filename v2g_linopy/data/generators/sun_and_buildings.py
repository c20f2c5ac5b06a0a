"""Synthetic sun and buildings, seeded: they look like a meter's readings, they are none."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..tables.local_time import nanoseconds, to_local
from .noise_and_prices import local_day, noise

FINE = pd.Timedelta("5min").value
LATITUDE, LONGITUDE = 45.0, 9.0

# share of the largest power at local hours 0, 3, 6, ..., 21 (linear between them): working day,
# weekend
BUILDINGS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "office": (
        (0.22, 0.20, 0.30, 0.90, 1.00, 0.92, 0.45, 0.25),
        (0.20, 0.18, 0.19, 0.24, 0.26, 0.24, 0.21, 0.20),
    ),
    "homes": (
        (0.30, 0.22, 0.45, 0.50, 0.55, 0.55, 0.95, 0.80),
        (0.32, 0.24, 0.35, 0.65, 0.70, 0.65, 0.95, 0.80),
    ),
    "shop": (
        (0.30, 0.30, 0.40, 0.85, 0.95, 0.95, 1.00, 0.40),
        (0.30, 0.30, 0.35, 0.80, 0.95, 0.90, 0.70, 0.35),
    ),
    "depot": (
        (0.45, 0.50, 1.00, 0.60, 0.50, 0.60, 0.85, 0.50),
        (0.40, 0.40, 0.45, 0.45, 0.40, 0.40, 0.42, 0.40),
    ),
}


def by_hour(clock: pd.DatetimeIndex, working: Sequence[float], free: Sequence[float]) -> np.ndarray:
    """Return values given at every third local hour, linear between them.

    They are given at 0, 3, 6, ..., 21, of a working day and of the weekend.
    """
    hour = np.asarray(clock.hour + clock.minute / 60)
    day, rest = (
        np.interp(hour, np.arange(0, 27, 3), (*shape, shape[0])) for shape in (working, free)
    )
    return np.where(np.asarray(clock.day_of_week >= 5), rest, day)


def sun(time: pd.DatetimeIndex, timezone: str, rng: np.random.Generator) -> np.ndarray:
    """Return what one kWp on a roof gives in each step, kW.

    It is about 1100 kWh in a year at 45 degrees north.

    ::

        0.82 max(0, sin elevation)^1.15 cloud,
        sin elevation = sin lat sin dec + cos lat cos dec cos hour

    with the declination of Cooper (1969), dec = 23.45 degrees sin(2 pi (284 + day) / 365), and the
    hour angle of the mean sun. `cloud` is one share for each local day, and flickers the more the
    cloudier the day is.
    """
    step = int(time[1].value - time[0].value) if len(time) > 1 else FINE
    parts = max(1, step // FINE)
    offset = (np.arange(parts) + 0.5) * step / parts
    hours = (nanoseconds(time)[:, None] + offset) / 3.6e12  # since 1970, UTC
    day = np.asarray(time.day_of_year)[:, None]
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    angle = np.deg2rad(15 * (hours % 24 - 12) + LONGITUDE)
    height = np.deg2rad(LATITUDE)
    elevation = np.sin(height) * np.sin(declination) + np.cos(height) * np.cos(
        declination
    ) * np.cos(angle)
    clear = 0.82 * np.maximum(elevation, 0.0) ** 1.15
    number = local_day(to_local(time, timezone))
    share = np.clip(rng.beta(2.2, 0.8, int(number[-1]) + 1), 0.1, 1.0)[number]
    cloud = np.clip(share + (1 - share) * noise(rng, len(time), 0.9, 0.5), 0.05, 1.0)
    return np.asarray(np.round(clear.mean(axis=1) * cloud, 4))


def building(
    time: pd.DatetimeIndex, timezone: str, rng: np.random.Generator, kind: str
) -> np.ndarray:
    """Return what a building draws in each step as a share of its largest power.

    It follows the local hour, within a few percent.

    `kind` is one of `BUILDINGS`.
    """
    shape = by_hour(to_local(time, timezone), *BUILDINGS[kind])
    return np.asarray(
        np.round(np.clip(shape * (1 + noise(rng, len(time), 0.8, 0.05)), 0.05, 1.0), 4)
    )


def profiles(time: pd.DatetimeIndex, rows: Mapping[str, np.ndarray], dim: str) -> xr.DataArray:
    """Put profiles of several members together, kW on (`dim`, time)."""
    values = np.array(list(rows.values())).reshape(len(rows), len(time))
    return xr.DataArray(
        np.round(values, 4),
        coords={dim: list(rows), "time": time},
        dims=(dim, "time"),
        attrs={"units": "kW"},
    )
