"""Loads of electricity, heat or hydrogen: fixed, curtailable at a cost, also with a budget of
energy, shiftable within a window (docs/formulation.md §7).
"""

import numpy as np
import xarray as xr

from ...case.schema import Calendar, Field, Schema, violations, worst_violation
from ...errors import Problem
from ...model.formulas import first, larger, previous, smaller
from ...model.formulas_time import closing, same_window, window_ends
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope
from ...model.terms import CARRIERS, Flex, Flow, Replay, Terms
from ...model.view import View

INF = float("inf")


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """What was shifted before the start has to be made up by a load that shifts; what it draws at
    least is within its profile, and what was curtailed before within the budget.
    """
    rules = (
        ("power_min", d.power_min > d.baseline + 1e-9, d.power_min, "kW, more than baseline"),
        (
            "curtailed_initial",
            d.curtailed_initial > d.curtail_energy_max + 1e-6,
            d.curtailed_initial,
            "kWh, more than curtail_energy_max",
        ),
    )
    problems = violations("load", rules, calendar)
    for name in ("advanced_initial", "owed_initial"):
        wrong = (d[name] > 1e-6) & ~_shiftable(d)
        if bool(wrong.any()):
            place, value = worst_violation(d[name].broadcast_like(wrong), wrong, calendar)
            detail = (
                f"{place}{value:g} kWh to be made up, but the load cannot shift; give shift_up_max,"
                " shift_down_max"
            )
            problems.append(Problem(f"load.{name}", "consistency", detail))
    return problems


SCHEMA = Schema(
    inputs=(
        Field(
            "baseline",
            "load time",
            "kW",
            "power it draws if nothing is curtailed or shifted",
            ge=0,
            uncertain=True,
        ),
        Field(
            "curtail_max",
            "load time",
            "kW",
            "power that may be curtailed, at most baseline",
            0.0,
            ge=0,
            infinite=True,
        ),
        Field(
            "curtail_cost", "load time", "EUR/kWh", "cost of energy curtailed", default=10.0, ge=0
        ),
        Field(
            "curtail_energy_max",
            "load",
            "kWh",
            "most energy that may be curtailed within each window",
            INF,
            ge=0,
            infinite=True,
        ),
        Field(
            "shift_up_max",
            "load time",
            "kW",
            "power that may be drawn above baseline",
            default=0.0,
            ge=0,
        ),
        Field(
            "shift_down_max",
            "load time",
            "kW",
            "power below baseline, made up in the window",
            default=0.0,
            ge=0,
        ),
        Field(
            "power_min",
            "load time",
            "kW",
            "power it draws at least, whatever is curtailed or shifted",
            default=0.0,
            ge=0,
        ),
        Field(
            "window",
            "load",
            "h",
            "shifted energy is made up within windows of this length from local midnight on; 24 is"
            " the local day, 0 the whole horizon",
            default=24.0,
            ge=0,
            le=24,
        ),
        Field(
            "advanced_initial",
            "load",
            "kWh",
            "drawn ahead before the first step, in its window",
            default=0.0,
            ge=0,
        ),
        Field(
            "owed_initial",
            "load",
            "kWh",
            "put off before the first step, in its window",
            default=0.0,
            ge=0,
        ),
        Field(
            "curtailed_initial",
            "load",
            "kWh",
            "curtailed before the first step, in its window, of curtail_energy_max",
            default=0.0,
            ge=0,
        ),
        Field(
            "carrier",
            "load",
            "",
            "what it draws; heat and hydrogen",
            "electricity",
            kind="choice",
            choices=CARRIERS,
        ),
        Field("pod", "load", "", "point of delivery of the member", default="site", kind="label"),
    ),
    outputs=(
        Field("power", "load time", "kW", "power drawn"),
        Field("curtail", "load time", "kW", "power curtailed, where it may be"),
        Field(
            "advanced",
            "load time",
            "kWh",
            "energy drawn ahead in the window so far, at the end of the step",
        ),
        Field(
            "owed",
            "load time",
            "kWh",
            "energy put off in the window so far, at the end of the step",
        ),
        Field(
            "curtailed",
            "load time",
            "kWh",
            "energy curtailed in the window so far, where it is limited; 0 when the window ends",
        ),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """One template: a box about the baseline and the energy of a window (docs/formulation.md §7).

    With power p, curtailment r [kW], and energy drawn ahead a and put off o since the window began
    [kWh]::

        -shift_down_max <= p + r - baseline <= shift_up_max,   p >= power_min,
        0 <= r <= min(curtail_max, baseline)
        a - o = (a - o)_{t-1} + dt (p + r - baseline),   a = o = 0 at the end of each window
        sum of dt r over each window <= curtail_energy_max
        cash = -dt curtail_cost r

    A window that the end of the horizon cuts closes there. What a load draws comes from the node of
    its carrier at its pod. An electric load holds reserve: up what can still be curtailed,
    min(curtail_max, baseline) - r, and down what is curtailed, r. Shiftable energy is not offered,
    and a load that shifts offers curtailment only where shifting always leaves as much to be
    curtailed; one whose curtailed energy has a limit offers none."""
    time, same, most = (
        s.axis("time"),
        same_window(d.window, s.calendar.time, s.calendar.timezone, s.dt),
        _most(d),
    )
    least = larger(d.baseline - d.shift_down_max - most, d.power_min)
    p = s.var("power", lower=least, upper=d.baseline + d.shift_up_max)
    r = s.var_where("curtail", most > 0, most)
    s.add("shift_up", p + r <= d.baseline + d.shift_up_max, mask=most > 0)
    s.add("shift_down", p + r >= d.baseline - d.shift_down_max, mask=most > 0)

    shiftable = _shiftable(d)
    free = xr.where(closing(same), 0.0, np.inf)
    a, o = s.var_where("advanced", shiftable, free), s.var_where("owed", shiftable, free)
    given = (d.advanced_initial - d.owed_initial) * first(time) - s.dt * d.baseline
    s.add("window", a - o - previous(a - o) - s.dt * (p + r) == given, mask=shiftable)

    limited, budget = np.isfinite(d.curtail_energy_max) & _ever(most > 0), d.curtail_energy_max
    ends = window_ends(d.window, s.calendar.time, s.calendar.timezone, s.dt)
    q = s.var_where("curtailed", limited, xr.where(ends, 0.0, budget))
    used, before = previous(q) + s.dt * r, d.curtailed_initial * first(time)
    s.add("curtailed", q - used == before, mask=limited & ~ends)
    s.add("curtail_energy", used <= budget.where(limited, 0.0) - before, mask=limited & ends)

    paid = bool(((most > 0) & (d.curtail_cost > 0)).any())
    offered = _offered(d)
    return Terms(
        power=Flow(withdrawal=p).split(d.carrier),
        cash={"curtailment": -d.curtail_cost * s.dt * r} if paid else {},
        flex=Flex(up=offered - r, down=r, range_max=offered),
    )


def _most(d: xr.Dataset) -> xr.DataArray:
    """Most power that can be curtailed."""
    return smaller(d.curtail_max, d.baseline)


def _offered(d: xr.Dataset) -> xr.DataArray:
    """Most power that can be offered for curtailment: what is drawn before curtailment is never
    less.
    """
    most = _most(d)
    firm = (d.baseline - d.shift_down_max - d.power_min >= most) & (d.carrier == "electricity")
    return xr.DataArray(most.where(firm & np.isinf(d.curtail_energy_max), 0.0))


def _shiftable(d: xr.Dataset) -> xr.DataArray:
    """Return True for a load that can shift at any time."""
    return _ever((d.shift_up_max > 0) | (d.shift_down_max > 0))


def _ever(some: xr.DataArray) -> xr.DataArray:
    """Return True for a load of which it holds at any time."""
    return some.any([x for x in some.dims if x != "load"])


def replay(v: View, d: xr.Dataset) -> Replay:
    """The box about the baseline, the energy of every window, what is curtailed and its cost."""
    r = d.get("curtail", xr.zeros_like(d.power))
    most = xr.where(d.baseline < d.curtail_max, d.baseline, d.curtail_max)
    moved = d.power + r - d.baseline
    same = same_window(d.window, v.calendar.time, v.calendar.timezone, v.dt)
    before = d.advanced_initial - d.owed_initial
    total = (before + v.dt * moved.cumsum("time")).transpose(*moved.dims)
    ends = closing(same)
    since = (
        total.where(ends).ffill("time").shift(time=1).fillna(0.0)
    )  # what earlier windows left open, 0 if nothing
    residuals = {
        "curtail": larger(-r, r - most).clip(min=0).assign_attrs(units="kW"),
        "limit_shift": (
            larger(moved - d.shift_up_max, -moved - d.shift_down_max)
            .clip(min=0)
            .assign_attrs(units="kW")
        ),
        "limit_least": (d.power_min - d.power).clip(min=0).assign_attrs(units="kW"),
        "window": abs(total - since).where(ends, 0.0).assign_attrs(units="kWh"),
    }
    over = window_ends(d.window, v.calendar.time, v.calendar.timezone, v.dt)
    cut = (d.curtailed_initial + v.dt * r.cumsum("time")).transpose(*moved.dims)
    cut = cut - cut.where(over).ffill("time").shift(time=1).fillna(0.0)
    residuals["curtail_energy"] = (cut - d.curtail_energy_max).clip(min=0).assign_attrs(units="kWh")
    if "curtailed" in d:
        counts = (d.curtail_energy_max < INF) & (
            most.max([x for x in most.dims if x != "load"]) > 0
        )
        wrong = abs(d.curtailed - cut.where(~over, 0.0)).where(counts, 0.0)
        residuals["curtailed"] = wrong.assign_attrs(units="kWh")
    if "advanced" in d:
        reach = d.shift_up_max + d.shift_down_max
        shifts = reach.max([x for x in reach.dims if x != "load"]) > 0
        wrong = abs(d.advanced - d.owed - (total - since)).where(shifts, 0.0)
        residuals["shifted"] = wrong.assign_attrs(units="kWh")
    cash = {"curtailment": -(d.curtail_cost * v.dt * r)}
    here = {c: (d.carrier == c).astype(float) for c in CARRIERS if bool((d.carrier == c).any())}
    power = {carrier: Flow(withdrawal=d.power * mine) for carrier, mine in here.items()}
    sheds = (d.carrier == "electricity") & (d.curtail_energy_max == INF)
    sheds = sheds & (d.baseline - d.shift_down_max - d.power_min >= most)
    return Replay(
        residuals, cash, power, flex=Flex((most - r).where(sheds, 0.0), r.where(sheds, 0.0))
    )


def limits_sums(d: xr.Dataset) -> bool:
    """Return True for electric loads that shift nothing: their power, and what is curtailed within
    a window, are limited by sums.
    """
    shifts = d.shift_up_max + d.shift_down_max > 0
    return not bool((shifts | (d.carrier != "electricity")).any())


PART = Part(
    "load",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    label="loads",
    entries={"curtailment": Entry()},
    limit_labels={
        "power": "power of a load",
        "curtail": "curtailment of a load",
        "curtail_energy": "energy of a load that may be curtailed",
        "shift_up": "load shifted here",
        "shift_down": "load shifted away",
        "advanced": "load drawn early, due within its window",
        "owed": "load owed, due within its window",
    },
    balances=frozenset({"window", "curtailed"}),
    without_flexibility=lambda d: d.baseline.where(d.carrier == "electricity", 0.0),
    limits_sums=limits_sums,
    state_inputs={
        "advanced_initial": "advanced",
        "owed_initial": "owed",
        "curtailed_initial": "curtailed",
    },
)
