"""Peaks and years of a connection's tariff."""

import xarray as xr

from ....case import calendar as periods
from ....case.schema import Calendar
from .peak_tariff import Peaks


def peaks_of(d: xr.Dataset, calendar: Calendar, dt: float) -> Peaks:
    """Return the peak tariff of every pod over the steps of a calendar."""
    return Peaks(
        price=d.peak_price,
        count=d.peak_count,
        daily=d.peak_period == "day",
        weight=d.peak_weight,
        initial=d.get("peak_initial"),
        hour_initial=d.hour_initial,
        day_initial=d.day_initial,
        pro_rata=d.partial == "pro_rata",
        calendar=calendar,
        dt=dt,
    )


def years_of(tariff: Peaks) -> xr.DataArray:
    """Length of the part of each month that the horizon covers, in years of 8760 hours."""
    month = tariff.steps_by("month")
    return tariff.dt * periods.sum_by(xr.ones_like(month, dtype=float), month) / periods.YEAR
