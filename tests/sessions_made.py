"""Small tables of sessions for tests."""

import numpy as np
import pandas as pd
import xarray as xr

START = pd.Timestamp("2026-01-05 00:00")


def steps(count, step="1h", start=START):
    return pd.date_range(start, periods=count, freq=step, name="time")


def stays(*spans, start=START, **columns):
    """Stays from and to so many hours after the start: 40 kWh, 10 on arrival, 20 needed, 10 kW,
    lossless.
    """
    given = {
        "capacity": 40.0,
        "energy_arrival": 10.0,
        "energy_need": 20.0,
        "charge_max": 10.0,
    } | columns
    given |= {
        "eta_charge": given.get("eta_charge", 1.0),
        "eta_discharge": given.get("eta_discharge", 1.0),
    }
    moments = [
        [start + pd.Timedelta(hours=h) for h in hours] for hours in zip(*spans, strict=True)
    ] or [[], []]
    data = {
        name: ("session", np.asarray(pd.DatetimeIndex(moment), "datetime64[ns]"))
        for name, moment in zip(("arrival", "departure"), moments, strict=True)
    }
    data |= {
        n: ("session", np.broadcast_to(np.asarray(v), len(spans)).copy()) for n, v in given.items()
    }
    return xr.Dataset(data, coords={"session": np.arange(len(spans))})
