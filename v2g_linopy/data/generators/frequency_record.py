"""A record of grid frequency, drawn."""

import numpy as np
import pandas as pd
import xarray as xr

from .noise_and_prices import noise


def frequency_record(
    start: str | pd.Timestamp, hours: float, *, step: str = "1s", seed: int = 0, size: float = 0.04
) -> xr.Dataset:
    """Return a synthetic frequency record about 50 Hz.

    It has a memory of some minutes.

    Parameters
    ----------
    start : str or pandas.Timestamp
        First moment, UTC.
    hours : float
        Length of the record (h).
    step : str, default "1s"
        Its step.
    seed : int, default 0
        The same seed gives the same record.
    size : float, default 0.04
        Standard deviation (Hz).

    Returns
    -------
    xarray.Dataset
        ``frequency`` (Hz) on ``time`` (naive UTC, interval start, uniform).

    Examples
    --------
    >>> from v2g_linopy.data import frequency_record
    >>> record = frequency_record("2026-03-02 08:00", hours=1.0, step="10s")
    >>> record.sizes["time"], bool(abs(record.frequency - 50.0).max() < 1.0)
    (360, True)
    """
    length = pd.Timedelta(step)
    time = pd.date_range(
        start, periods=round(pd.Timedelta(hours=hours) / length), freq=length, name="time"
    )
    memory = float(np.exp(-length / pd.Timedelta("6min")))
    hertz = 50.0 + noise(np.random.default_rng([seed, 7]), len(time), memory, size)
    attrs = {"units": "Hz", "long_name": "frequency of the grid (synthetic)"}
    return xr.Dataset({"frequency": ("time", np.round(hertz, 4), attrs)}, coords={"time": time})
