"""Outputs of a PPA that no row needs, and what it hands to the next window."""

import xarray as xr

from ....model.formulas_time import hours_before
from ....model.view import View
from .build import _months, _of_plants, _price, _unless_negative
from .schema import plant_of


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """How far the month and a run of negative prices have come, for the next window.

    It is what they are at the end of each step.
    """
    price = _price(v.groups["energy"], v.calendar.time, d)
    found = {}
    if bool(d.negative_hours.notnull().any()):
        passed = hours_before(v.calendar.time, v.dt) + v.dt
        since = passed.where(price >= 0).ffill("time").fillna(-d.negative_initial)
        found["negative_run"] = (passed - since).where(d.negative_hours.notnull(), 0.0)
    if bool((monthly := d.averaging == "month").any()):
        month, known = _months(d, v.calendar)
        hours = known + v.dt * xr.ones_like(price).groupby(month).cumsum("time")
        total = known * d.mean_initial + v.dt * price.groupby(month).cumsum("time")
        energy = (
            (v.dt * _planned(v, d) * _unless_negative(price, d, v.dt)).groupby(month).cumsum("time")
        )
        before = d.settled_initial * (known > 0)
        states = {"mean_to_date": total / hours, "mean_hours": hours, "settled": energy + before}
        found |= {
            name: x.drop_vars("month", errors="ignore").where(monthly, 0.0)
            for name, x in states.items()
        }
    return found


def _planned(v: View, d: xr.Dataset) -> xr.DataArray:
    """Power under each contract if none rests, from the plan of the plants."""
    plant, power = plant_of(d), d.baseload.where(d.volume_type == "baseload", 0.0)
    if "renewable" in v.groups:
        sun = v.groups["renewable"]
        for kind, x in (("output", sun.available - sun.curtail), ("deemed", sun.available)):
            power = power + d.share * _of_plants(x, plant, d.volume_type == kind)
    return power
