"""A day-ahead gate for a case: when it closes, what is forecast until then, and what imbalance
costs after it.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .noise_and_prices import noise
from .sequential import (
    ERRORS,
    GATE,
    ISSUED,
    LONG,
    PUBLISHED,
    SHORT,
    issued_and_published,
    revisions,
    to_come,
)


def gate_and_forecasts(
    time: pd.DatetimeIndex,
    timezone: str,
    price: np.ndarray,
    plants: xr.DataArray | None,
    limit: float,
    rng: np.random.Generator,
    first_gate: float = GATE,
) -> dict[str, xr.Dataset]:
    """Return `/gates`, `/imbalance` and `/vintage` of one day-ahead market.

    Forecasts are revised as those of `sequential`: of the price until it is published, of all
    plants by the same weather.

    Parameters
    ----------
    time : pandas.DatetimeIndex
        Steps.
    timezone : str
        Zone of the hours of the gate.
    price : numpy.ndarray
        EUR/MWh, as it comes.
    plants : xarray.DataArray, optional
        kW on (renewable, time), as it comes; None where there are none.
    limit : float
        kW of imbalance, either way.
    rng : numpy.random.Generator
        Draws.
    first_gate : float, default 12.0
        Local hour of the day before, before which the first forecast is there.

    Returns
    -------
    dict of str to xarray.Dataset
        The groups.
    """
    issued, published = issued_and_published(time, timezone, first_gate)
    of_price = revisions(rng, issued, time, ERRORS["price"])
    of_price = np.where(np.asarray(issued)[:, None] < published[None, :], of_price, 0.0)
    of_plants = revisions(rng, issued, time, ERRORS["sun"])
    ahead = price - to_come(of_price)

    long, short = np.abs(noise(rng, len(time), 0.8, 8.0)), np.abs(noise(rng, len(time), 0.8, 10.0))
    euro, on_vintage = {"units": "EUR/MWh"}, ("vintage", "time")
    vintage: dict[str, Any] = {
        "energy.price": (("vintage", "market", "time"), np.round(ahead[:, None, :], 2), euro),
        "imbalance.price_long": (on_vintage, np.round(ahead - LONG - long.mean(), 2), euro),
        "imbalance.price_short": (on_vintage, np.round(ahead + SHORT + short.mean(), 2), euro),
    }
    if plants is not None:
        later = xr.DataArray(to_come(of_plants), coords={"vintage": issued, "time": time})
        vintage["renewable.available"] = _seen(plants, later)
    labels = {"vintage": issued, "time": time, "market": ["day_ahead"]}
    return {
        "gates": xr.Dataset({"hour": ("gate", [GATE])}, coords={"gate": ["day_ahead"]}),
        "imbalance": xr.Dataset(
            {
                "price_long": ("time", np.round(price - LONG - long, 2), euro),
                "price_short": ("time", np.round(price + SHORT + short, 2), euro),
                "limit": ((), limit, {"units": "kW"}),
            },
            coords={"time": time},
        ),
        "vintage": xr.Dataset(vintage, coords=labels),
    }


def _seen(plants: xr.DataArray, later: xr.DataArray) -> xr.DataArray:
    """Return what each forecast says of plants, `later` being what is still revised."""
    most = plants.max("time")
    bright = ((plants / most.where(most > 0, 1.0)) + 0.2).clip(max=1.0).where(plants > 0, 0.0)
    seen = (plants - most * bright * later).clip(min=0.0)
    seen = xr.where(seen > most, most, seen).transpose("vintage", "renewable", "time")
    return seen.round(3).assign_attrs(units="kW")


def gate_sentences(plants: bool = True) -> list[str]:
    """State what the groups assume."""
    of_plants = f" and {100 * ERRORS['sun']:g} % of what plants give at most" if plants else ""
    return [
        (
            f"Day-ahead closes at {GATE:g}:00 local on the day before and is published at"
            f" {PUBLISHED:g}:00. Imbalance pays at least {LONG:g} EUR/MWh less, and costs at least"
            f" {SHORT:g} more."
        ),
        (
            f"Forecasts are issued every {ISSUED / pd.Timedelta('1h'):g} h; a day before, their"
            f" standard error is {ERRORS['price']:g} EUR/MWh of the price{of_plants}; it grows with"
            " the root of the lead, up to three days."
        ),
    ]
