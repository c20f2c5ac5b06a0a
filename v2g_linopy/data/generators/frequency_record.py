"""A record of grid frequency, drawn."""

import numpy as np
import pandas as pd
import xarray as xr

from .noise_and_prices import noise


def frequency_record(
    start: str | pd.Timestamp, hours: float, *, step: str = "1s", seed: int = 0, size: float = 0.04
) -> xr.Dataset:
    """Return a synthetic frequency record about 50 Hz.

    It has a memory of some minutes, and the standard deviation `size` (Hz).
    """
    length = pd.Timedelta(step)
    time = pd.date_range(
        start, periods=round(pd.Timedelta(hours=hours) / length), freq=length, name="time"
    )
    memory = float(np.exp(-length / pd.Timedelta("6min")))
    hertz = 50.0 + noise(np.random.default_rng([seed, 7]), len(time), memory, size)
    attrs = {"units": "Hz", "long_name": "frequency of the grid (synthetic)"}
    return xr.Dataset({"frequency": ("time", np.round(hertz, 4), attrs)}, coords={"time": time})
