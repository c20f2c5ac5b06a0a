"""Fields of the guarantee `recourse`, and what it cannot be combined with (docs/formulation.md
§3).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ....case.schema import ABSENT, Calendar, Field
from ....errors import Problem
from .priced_calls import recovery_steps

INPUTS = (
    Field(
        "drawn_recent",
        "product lag",
        "kWh",
        "energy that a call so many steps before the first (lag 1, 2, ...) has drawn and that is"
        " not bought back yet, as left at the start (recourse)",
        ABSENT,
        ge=0,
        shared=True,
    ),
    Field(
        "stored_recent",
        "product lag",
        "kWh",
        "the same for energy stored",
        ABSENT,
        ge=0,
        shared=True,
    ),
)
OUTPUTS = (
    Field(
        "bought_back",
        "product time",
        "kWh",
        "most energy, in the battery, that is bought back in the step for calls upward (recourse)",
        shared=True,
    ),
    Field(
        "sold_back",
        "product time",
        "kWh",
        "most energy, in the battery, that is sold in the step of what calls downward brought"
        " (recourse)",
        shared=True,
    ),
    Field(
        "buying_power",
        "time",
        "kW",
        "most power at which energy is bought back",
        shared=True,
        auxiliary=True,
    ),
    Field(
        "called_energy",
        "product time",
        "kWh",
        "energy in the battery that a full call of the step moves",
        shared=True,
        auxiliary=True,
    ),
    Field(
        "queued_since",
        "product time",
        "kWh",
        "energy moved and not brought back, by the steps since the last call",
        shared=True,
        auxiliary=True,
    ),
    Field(
        "queued_rest",
        "product time",
        "kWh",
        "the same where a call may come again",
        shared=True,
        auxiliary=True,
    ),
)


def bought_back(d: xr.Dataset) -> xr.DataArray:
    """Return True for products whose calls are bought back."""
    return d.guarantee == "recourse"


def recourse_problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return what the guarantee is not written for, in the fields of the products alone."""
    mine = bought_back(d)
    if not bool(mine.any()):
        return []
    found = []
    if bool((mine & d.activation_cycle.isnull() & d.activation_period.notnull()).any()):
        detail = "missing: an activation_period needs the cycle it is given for"
        found.append(Problem("reserve.activation_cycle", "consistency", detail))
    if len(calendar.time) > 1:
        dt = float((calendar.time[1] - calendar.time[0]) / pd.Timedelta(hours=1))
        found += _in_steps(d, mine, dt)
    return found


def _in_steps(d: xr.Dataset, mine: xr.DataArray, dt: float) -> list[Problem]:
    """Return what does not fit the step: long calls, delays that differ or pass the cycle."""
    found = []
    limited = mine & (d.activation_cycle > d.activation_period.fillna(dt) + 1e-9)
    if bool((limited & (d.activation_period > dt + 1e-9)).any()):
        longest = float(d.activation_period.where(limited).max())
        detail = (
            f"{longest:g} h, longer than the step of {60 * dt:g} min: recourse is not written for"
            " calls of several steps; give no activation_cycle (calls all the time), or the"
            " guarantee budget"
        )
        found.append(Problem("reserve.activation_period", "consistency", detail))
    delays = recovery_steps(d, dt)
    if len(np.unique(delays.where(mine, drop=True))) > 1:
        detail = "differs among products with the guarantee recourse; give all of them the longest"
        found.append(Problem("reserve.recovery_delay", "consistency", detail))
    late = limited & (delays > (d.activation_cycle / dt).round())
    if bool(late.any()):
        cycle = float(d.activation_cycle.where(late).min())
        detail = (
            f"{cycle:g} h, less than recovery_delay: the next call would come before the last can"
            " be bought back; give no activation_cycle (calls all the time)"
        )
        found.append(Problem("reserve.activation_cycle", "consistency", detail))
    return found


def recourse_with_others(
    data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float
) -> list[Problem]:
    """Return what of a fleet the guarantee is not written for."""
    sold = data["reserve"]
    if not bool((bought_back(sold) & (sold.volume_max > 0)).any()) or "fleet" not in data:
        return []
    d = data["fleet"]
    absent = xr.DataArray(float("nan"))
    unfit = {
        "charge_min": ((d.charge_min > 0) & (d.charge_max > 0), "a least power"),
        "discharge_min": ((d.discharge_min > 0) & (d.discharge_max > 0), "a least power"),
        "taper_from": (d.taper_from.notnull(), "charging that falls near full"),
        "slack_cost": (d.slack_cost.notnull(), "energy that comes from nowhere"),
        "allowance": (d.get("allowance", absent).notnull(), "what owners allow to be discharged"),
    }
    detail = (
        "not written together with the guarantee recourse ({}): leave it out, or give the products"
        " the guarantee budget, physical or endurance"
    )
    return [
        Problem(f"fleet.{name}", "consistency", detail.format(what))
        for name, (where, what) in unfit.items()
        if bool(where.any())
    ]
