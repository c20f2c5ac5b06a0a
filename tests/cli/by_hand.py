"""Cases small enough to solve by hand, and the command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import v2g_linopy as v2g

ROOT = Path(__file__).parents[2]


def lossless_case(
    prices: list[float], cars: dict[str, dict[str, list[float] | float]], **attrs: str
) -> xr.DataTree:
    """Hours from Monday 2026-01-05 00:00 in Rome, one market, lossless 10 kW chargers and 40 kWh
    batteries.
    """
    time = pd.date_range("2026-01-04 23:00", periods=len(prices), freq="h", name="time")
    steps, members = {"time": time}, {"fleet": list(cars)}

    def array(name: str, default: float) -> xr.DataArray:
        rows = [
            np.broadcast_to(np.asarray(car.get(name, default)), len(prices))
            for car in cars.values()
        ]
        return xr.DataArray(np.array(rows), coords=members | steps, dims=("fleet", "time"))

    defaults = {
        "charge_max": 10.0,
        "discharge_max": 0.0,
        "energy_min": 0.0,
        "energy_max": 40.0,
        "energy_in": 0.0,
    }
    fleet = {name: array(name, value) for name, value in defaults.items()} | {
        "eta_charge": xr.DataArray(1.0),
        "eta_discharge": xr.DataArray(1.0),
    }
    market = {"market": ["day_ahead"]}
    price = xr.DataArray([prices], coords=market | steps, dims=("market", "time"))
    energy = {"price": price, "limit": xr.full_like(price, 1000.0)}
    groups = {"fleet": xr.Dataset(fleet), "energy": xr.Dataset(energy)}
    return v2g.assemble(time, groups, timezone="Europe/Rome", title="by hand", **attrs)


def smart() -> xr.DataTree:
    """One car, plugged for three hours at 30, 20 and 60 EUR/MWh, needs 15 kWh after them.

    Best: 10 kWh at 20 and 5 kWh at 30, which costs 0.35 EUR.
    """
    car = {"charge_max": [10.0, 10.0, 10.0, 0.0], "energy_min": [0.0, 0.0, 15.0, 0.0]}
    return lossless_case([30.0, 20.0, 60.0, 40.0], {"ev-001": car})


def process(*words: object, **options: object) -> subprocess.CompletedProcess:
    """Run a command line in a process of its own."""
    settings = {
        "capture_output": True,
        "text": True,
        "timeout": 120,
        "env": environment(),
    } | options
    return subprocess.run(command_line(*words), check=False, **settings)


def command_line(*words: object) -> list[str]:
    """The words that start `v2g` from the checkout."""
    return [sys.executable, str(ROOT / "cli.py"), *map(str, words)]


def environment() -> dict[str, str]:
    """The environment of a plain terminal: in it the C library holds back what it prints to a
    pipe.
    """
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("COV_", "PYTEST", "PYTHONUNBUFFERED"))
    }
