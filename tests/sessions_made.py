"""Small tables of sessions for tests."""

import numpy as np
import pandas as pd
import xarray as xr

import v2g_linopy as v2g

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


def stays_of(cars: dict[str, dict], prices: list[float], step: str = "1h") -> xr.DataTree:
    """Stays that begin `begin` hours after 8:00, lossless, 10 kW; prices (EUR/MWh) of each step."""
    time = pd.date_range("2026-03-02 08:00", periods=len(prices), freq=step)
    table = pd.DataFrame.from_dict(cars, orient="index").assign(
        capacity=40.0, charge_max=10.0, eta_charge=1.0, eta_discharge=1.0
    )
    begin = pd.to_timedelta(table.pop("begin") if "begin" in table else 0.0, unit="h")
    table["arrival"] = time[0] + begin
    table["departure"] = table["arrival"] + pd.to_timedelta(table.pop("hours"), unit="h")
    sessions = xr.Dataset.from_dataframe(table.rename_axis("session"))
    market = xr.Dataset({"day_ahead": ("time", prices)}, {"time": time})
    return v2g.case_from_sessions(sessions, market, timezone="UTC", retail_price=0.2, wear=0.01)
