"""A year of public charging sessions with day-ahead prices, from the reference folder beside the
repository.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from v2g_linopy import data

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"
SESSIONS, PRICES = REFERENCE / "nl_sessions_2019.nc", REFERENCE / "nl_prices_2019.nc"


def available() -> bool:
    """Return True where the reference files are there."""
    return SESSIONS.is_file() and PRICES.is_file()


def year(days: int) -> xr.DataTree:
    """The sessions inside the first `days` days of 2019 at 15 minutes, as V2G, with assumed
    batteries.

    The prices stand on local clock hours: the hour that March skips is dropped, that of October
    counts twice."""
    prices = data.read_netcdf_prices(PRICES, ambiguous="both", nonexistent="drop")
    sessions = data.read_netcdf_sessions(SESSIONS)
    end = np.datetime64("2019-01-01") + np.timedelta64(days, "D")
    battery = data.BatteryAssumption()
    return data.case_from_sessions(
        sessions,
        prices,
        timezone="Europe/Amsterdam",
        battery=battery,
        step="15min",
        end=str(end),
        wear=0.02,
    )
