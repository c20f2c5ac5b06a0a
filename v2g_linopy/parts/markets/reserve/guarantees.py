"""Fields of what a product guarantees, and rules between them (docs/formulation.md §3)."""

import pandas as pd
import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, worst_violation
from ....errors import Problem

SURE = ("physical", "budget", "box", "recourse")
LEVELS = ("expected", "endurance", *SURE)
WAYS = ("up", "down")
NAN = float("nan")
INPUTS = (
    Field(
        "guarantee", "product", "", "what backs the bid", "expected", kind="choice", choices=LEVELS
    ),
    Field(
        "activation_period",
        "product",
        "h",
        "longest full activation in an activation cycle (budget, recourse); NaN: one step",
        NAN,
        ge=0,
        missing=True,
    ),
    Field(
        "activation_cycle",
        "product",
        "h",
        "any hours in which it is activated for the activation period at most (budget, recourse;"
        " NaN with recourse: it may be activated all the time)",
        NAN,
        ge=0,
        missing=True,
    ),
    Field(
        "excursion_up",
        "product time",
        "h",
        "most energy that calls within a step draw from the battery at any moment of it, per kW"
        " sold",
        0.0,
        ge=0,
    ),
    Field(
        "excursion_down",
        "product time",
        "h",
        "most energy that calls within a step store in the battery at any moment of it, per kW"
        " sold",
        0.0,
        ge=0,
    ),
    Field(
        "drawn_initial",
        "product lag",
        "kWh",
        "most energy that calls up to so many steps before the first (lag 1, 2, ...) have drawn, as"
        " left at the start",
        ABSENT,
        ge=0,
        shared=True,
    ),
    Field(
        "stored_initial",
        "product lag",
        "kWh",
        "the same for energy stored",
        ABSENT,
        ge=0,
        shared=True,
    ),
    Field(
        "discharged_initial",
        "product lag",
        "kWh",
        "the same for energy discharged at the grid, where an allowance limits it; not what has"
        " been called in truth and stands in allowance_used",
        ABSENT,
        ge=0,
        shared=True,
    ),
)
OUTPUTS = (
    Field(
        "charge_stopped",
        "product time",
        "kW",
        "baseline charging that calls of the product stop before they discharge, where an allowance"
        " limits that",
        shared=True,
    ),
    Field(
        "called_discharge",
        "product time",
        "kWh",
        "energy discharged by the worst calls so far, where an allowance limits it",
        shared=True,
        auxiliary=True,
    ),
    Field(
        "charge_share",
        "product time",
        "kW",
        "baseline charging that calls of the product stop first",
        shared=True,
    ),
    Field(
        "called_up",
        "product time",
        "kWh",
        "energy drawn by the worst calls so far",
        shared=True,
        auxiliary=True,
    ),
    Field(
        "called_down", "product time", "kWh", "energy stored by them", shared=True, auxiliary=True
    ),
    Field(
        "cycle_worth",
        "product time",
        "kWh",
        "worth of a call more per cycle",
        shared=True,
        auxiliary=True,
    ),
    Field(
        "call_worth",
        "product time",
        "kWh",
        "worth of a call more per step",
        shared=True,
        auxiliary=True,
    ),
)


def guarantee_problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return what no budget can be.

    These are a budget without a cycle, of no activation or of parts of steps, and lags out of
    order.
    """
    period, cycle = _given(d, calendar)
    budgeted = d.guarantee == "budget"
    rules = [
        (
            "activation_cycle",
            budgeted & d.activation_cycle.isnull(),
            "missing: a budget needs the cycle it is given for",
        ),
        ("activation_cycle", cycle < period - 1e-9, "h, less than activation_period"),
        ("activation_period", period <= 0, "h of activation; give more, or no period for one step"),
        *(
            (
                f"excursion_{w}",
                (d[f"excursion_{w}"] > 0) & (d[w] == 0),
                f"h, but {w} is 0: no power",
            )
            for w in WAYS
        ),
    ]
    if len(calendar.time) > 1:
        step = _step(calendar)
        whole = f"h, no multiple of the step of {60 * step:g} min"
        rules += [
            ("activation_cycle", (cycle > step) & _broken(cycle, step), whole),
            ("activation_period", (period > step) & _broken(period, step), whole),
            ("activation_cycle", (cycle < step - 1e-9) & (period < cycle - 1e-9), whole),
        ]
    found = []
    for name, wrong, detail in rules:
        if bool(wrong.any()):
            place, value = worst_violation(d[name].broadcast_like(wrong), wrong, calendar)
            number = "" if detail.startswith("missing") else f"{value:g} "
            found.append(Problem(f"reserve.{name}", "consistency", f"{place}{number}{detail}"))
    return found + _lags(d)


def _given(d: xr.Dataset, calendar: Calendar) -> tuple[xr.DataArray, xr.DataArray]:
    step = _step(calendar) if len(calendar.time) > 1 else 0.0
    return d.activation_period.fillna(step if step > 0 else NAN), d.activation_cycle


def _step(calendar: Calendar) -> float:
    return float((calendar.time[1] - calendar.time[0]) / pd.Timedelta(hours=1))


def _broken(hours: xr.DataArray, step: float) -> xr.DataArray:
    """Return True where hours are no whole number of steps."""
    return abs(hours / step - (hours / step).round()) > 1e-6


def _lags(d: xr.Dataset) -> list[Problem]:
    if "lag" not in d.indexes or list(d.indexes["lag"]) == [*range(1, d.sizes["lag"] + 1)]:
        return []
    detail = f"has the lags {list(d.indexes['lag'])}; give 1, 2, ... steps before the first"
    return [Problem("reserve.lag", "labels", detail)]


def robust(d: xr.Dataset) -> xr.DataArray:
    """Return True for products that are guaranteed against every admissible call."""
    return d.guarantee.isin(SURE)


def energy_backed(d: xr.Dataset) -> xr.DataArray:
    """Return True where a product stands on energy, of the baseline path."""
    return (d.guarantee != "expected") | (d.excursion_up > 0) | (d.excursion_down > 0)


def within_a_step(share: xr.DataArray) -> xr.DataArray:
    """Return True for a budget of at most one step in the cycle.

    Its worst calls a recursion finds.
    """
    return share <= 1 + 1e-9
