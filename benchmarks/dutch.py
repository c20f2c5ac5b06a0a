"""A year of public charging sessions with day-ahead prices, from the reference folder beside the
repository.
"""

from pathlib import Path

import numpy as np
import xarray as xr

import v2g_linopy as v2g
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


def contracted(days: int) -> xr.DataTree:
    """The same at 11 kW with imbalance at one price and the gate at noon, and under the contracts
    of a menu of three hours for five types.
    """
    prices = data.read_netcdf_prices(PRICES, ambiguous="both", nonexistent="drop")
    sessions = data.read_netcdf_sessions(SESSIONS).drop_vars(["power_max", "charge_time"])
    tree = data.case_from_sessions(
        sessions.assign(charge_max=("session", np.full(sessions.sizes["session"], 11.0))),
        prices,
        timezone="Europe/Amsterdam",
        battery=data.BatteryAssumption(),
        step="15min",
        end=str(np.datetime64("2019-01-01") + np.timedelta64(days, "D")),
        need="cap",
        wear=0.0,
        imbalance="imbalance",
    )
    tree["gates"] = xr.DataTree(xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["day_ahead"]}))
    theta, power = [0.5, 0.75, 1.0, 1.25, 1.5], {"term": 3.0, "power": 11.0}
    menu = v2g.menu(theta=theta, share=0.2, wear=0.01, utility_scale=0.2, **power)
    return v2g.with_contracts(tree, menu)
