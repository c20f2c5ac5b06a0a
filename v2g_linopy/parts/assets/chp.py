"""Combined heat and power: engines and turbines that make electricity and heat from fuel
(docs/formulation.md §7).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ...algebra.expression import Expression
from ...case.schema import Calendar, Field, Schema, violations
from ...errors import Problem
from ...model.formulas import first, larger, previous, smaller
from ...model.formulas_commitment import at_least, switched, time_left
from ...model.formulas_time import hours_before
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope
from ...model.terms import Flex, Flow, Replay, Terms, decided_cash
from ...model.view import View

INF, NAN = float("inf"), float("nan")
_MOST_EFFICIENT = 1.1  # of the lower heating value; a condensing engine stays below


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: a load it can run at, heat it can make of its fuel, a state it can
    start from.
    """
    decided, start = _committed(d), d.power_initial
    overall = d.eta_power * (1 + 1 / d.power_to_heat)
    running = (d.on_initial > 0) & decided
    elapsed = hours_before(calendar.time, _step(calendar))
    obliged = running & (d.power_min > 0) & (d.up_time_min - d.hours_initial > elapsed + 1e-9)
    stuck = obliged & (d.power_max == 0)
    rules = (
        (
            "power_min",
            (d.power_min > d.power_max + 1e-9) & (d.power_max > 0),
            d.power_min,
            "kW, more than power_max",
        ),
        (
            "eta_power",
            overall > _MOST_EFFICIENT,
            overall,
            "kWh of electricity and heat from a kWh of fuel",
        ),
        (
            "power_initial",
            (start > 1e-6) & (d.on_initial == 0) & decided,
            start,
            "kW, but on_initial is 0",
        ),
        (
            "power_initial",
            (start < d.power_min - 1e-6) & running,
            start,
            "kW while on, less than power_min",
        ),
        ("power_max", stuck, d.power_max, "kW, but up_time_min and hours_initial keep it on"),
    )
    return violations("chp", rules, calendar)


def _step(calendar: Calendar) -> float:
    """Hours of a step; 0 where there is one only, before which nothing has passed."""
    time = calendar.time
    return (time[1] - time[0]) / pd.Timedelta(hours=1) if len(time) > 1 else 0.0


SCHEMA = Schema(
    inputs=(
        Field(
            "power_max",
            "chp time",
            "kW",
            "most electricity it makes; 0 while it is out of service",
            ge=0,
        ),
        Field(
            "power_min",
            "chp",
            "kW",
            "least electricity while it is on (minimum load)",
            default=0.0,
            ge=0,
        ),
        Field(
            "power_to_heat",
            "chp",
            "1",
            "electricity per heat; inf: its heat is not used",
            ge=0.01,
            infinite=True,
        ),
        Field(
            "eta_power",
            "chp",
            "1",
            "electrical efficiency, electricity per fuel (LHV)",
            ge=0.05,
            le=1,
        ),
        Field("fuel_price", "chp time", "EUR/MWh", "price of fuel (LHV)"),
        Field(
            "dump_max",
            "chp time",
            "kW",
            "most heat that a cooler beside it throws away",
            default=0.0,
            ge=0,
        ),
        Field("start_cost", "chp", "EUR", "cost of a start", default=0.0, ge=0),
        Field("up_time_min", "chp", "h", "least time it stays on", default=0.0, ge=0),
        Field("down_time_min", "chp", "h", "least time it stays off", default=0.0, ge=0),
        Field(
            "ramp_up",
            "chp",
            "kW/h",
            "most rise of power while it is on",
            default=INF,
            ge=0,
            infinite=True,
        ),
        Field(
            "ramp_down",
            "chp",
            "kW/h",
            "most fall of power while it is on",
            default=INF,
            ge=0,
            infinite=True,
        ),
        Field("on_initial", "chp", "1", "1: on before the first step", default=0.0, kind="flag"),
        Field(
            "hours_initial",
            "chp",
            "h",
            "for how long it has been on or off",
            default=INF,
            ge=0,
            infinite=True,
        ),
        Field(
            "power_initial",
            "chp",
            "kW",
            "power before the first step; NaN: no ramp into it",
            NAN,
            ge=0,
            missing=True,
        ),
        Field("pod", "chp", "", "point of delivery of the member", default="site", kind="label"),
    ),
    outputs=(
        Field("power", "chp time", "kW", "electricity made"),
        Field("dump", "chp time", "kW", "heat thrown away"),
        Field("on", "chp time", "1", "1 while it is on, where that is a decision"),
        Field("start", "chp time", "1", "1 in the step in which it starts"),
        Field("stop", "chp time", "1", "1 in the step in which it has stopped"),
        Field(
            "hours",
            "chp time",
            "h",
            "for how long it has been on or off, up to the least time of that state",
        ),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Electricity p and heat p / power_to_heat from fuel, and when the plant is on.

    See docs/formulation.md §7.

    With u on, y a start, z a stop (u binary; y and z follow) and heat w thrown away [kW]::

        power_min u <= p <= power_max u,   0 <= w <= dump_max,   heat fed = p / power_to_heat - w
        u - u_{t-1} = y - z,   sum of y over the last up_time_min <= u,
        of z over the last down_time_min <= 1 - u
        p - p_{t-1} <= dt ramp_up u_{t-1} + max(power_min, dt ramp_up) y
        p_{t-1} - p <= dt ramp_down u + max(power_min, dt ramp_down) z
        cash = -dt fuel_price p / eta_power - start_cost y

    The minimum times are those of Rajan and Takriti (2005). A ramp below the minimum load does not
    keep a plant from starting or stopping: it then moves to or from its minimum load. A plant
    without minimum load, start cost and minimum times is always on, and takes no binaries. A
    minimum time that the end of the horizon cuts goes on in the next window (`hours`).

    It holds reserve while it is on: up power_max u - p, down p - power_min u, for as long as it is
    called. The heat that follows activated power is met in expectation; beyond that it is left to
    the inertia of the heat network. Ramps bind the plan, not the activation.
    """
    decided = _committed(d)
    p = s.var("power", upper=d.power_max)
    w = s.var_where("dump", d.dump_max > 0, d.dump_max)
    states = _states(s, d, p, decided)
    if bool((np.isfinite(d.ramp_up) | np.isfinite(d.ramp_down)).any()):
        _ramps(s, d, p, states)
    fuel = d.fuel_price / d.eta_power
    cash = {
        "fuel": (fuel, -fuel * s.dt * p),
        "start": (d.start_cost.where(decided, 0.0), -d.start_cost * states.start),
    }
    return Terms(
        power={
            "electricity": Flow(injection=p),
            "heat": Flow(injection=p / d.power_to_heat, withdrawal=w),
        },
        cash=decided_cash(cash),
        flex=Flex(
            up=d.power_max * states.on - p,
            down=p - d.power_min * states.on,
            range_max=larger(d.power_max - d.power_min, 0.0),
        ),
    )


def _committed(d: xr.Dataset) -> xr.DataArray:
    """Return True for a plant whose state is a decision."""
    return _switched(d) & _able(d)


def _switched(d: xr.Dataset) -> xr.DataArray:
    """Return True for a plant that is on or off."""
    return (d.power_min > 0) | (d.start_cost > 0) | (d.up_time_min > 0) | (d.down_time_min > 0)


def _able(d: xr.Dataset) -> xr.DataArray:
    """Return True for a plant that can run at all."""
    return (d.power_max > 0).any([x for x in d.power_max.dims if x == "time"])


def _always(d: xr.Dataset) -> xr.DataArray:
    """Return 1 for a plant that is always on."""
    return (_able(d) & ~_committed(d)).astype(float)


@dataclass(frozen=True)
class _States:
    """State of each plant, 1 or 0: on, on in the step before, started, stopped."""

    on: Expression
    before: Expression
    start: Expression
    stop: Expression


def _states(s: Scope, d: xr.Dataset, p: Expression, decided: xr.DataArray) -> _States:
    """States and the rows between them; a plant whose state is no decision is always on, if it can
    run at all.
    """
    time, always = s.axis("time"), _always(d)
    u = s.var_where("on", decided, binary=True)
    y, z = s.var_where("start", decided, 1.0), s.var_where("stop", decided, 1.0)
    s.add("power_max", p - d.power_max * u <= 0, mask=decided)
    s.add("power_min", p - d.power_min * u >= 0, mask=decided & (d.power_min > 0))
    s.add("switch", switched(u, y, z, d.on_initial, time), mask=decided)

    left = (
        xr.where(d.on_initial > 0, d.up_time_min, d.down_time_min)
        - d.hours_initial
        - hours_before(time, s.dt)
    )
    still, was_on = (
        left > 1e-9,
        d.on_initial > 0,
    )  # the first state has to last for `left` hours from each step on
    s.add("up_time", at_least(u, y, d.up_time_min, still & was_on, s.dt), mask=decided)
    s.add("down_time", at_least(1 - u, z, d.down_time_min, still & ~was_on, s.dt), mask=decided)
    counted = decided & ((d.up_time_min > 0) | (d.down_time_min > 0))
    if bool(counted.any()):
        hours = s.var("hours", upper=larger(d.up_time_min, d.down_time_min), mask=counted)
        due = (
            time_left(y, d.up_time_min, s.dt)
            + time_left(z, d.down_time_min, s.dt)
            + larger(left - s.dt, 0.0)
        )
        s.add(
            "hours", hours + due - d.up_time_min * u - d.down_time_min * (1 - u) == 0, mask=counted
        )
    initial = xr.where(decided, d.on_initial * first(time), always)
    return _States(u + always, previous(u) + initial, y, z)


def _ramps(s: Scope, d: xr.Dataset, p: Expression, states: _States) -> None:
    """Rise and fall of power from step to step; from and to standstill at least the minimum
    load.
    """
    begin = first(s.axis("time"))
    last_p = previous(p) + d.power_initial.fillna(0.0) * begin
    known = (d.power_initial.notnull() | (begin == 0)) & _able(d)
    for name, rate, change, state, switch in (
        ("ramp_up", d.ramp_up, p - last_p, states.before, states.start),
        ("ramp_down", d.ramp_down, last_p - p, states.on, states.stop),
    ):
        limited = np.isfinite(rate)
        step = s.dt * rate.where(limited, 0.0)
        s.add(
            name,
            change - step * state - larger(d.power_min, step) * switch <= 0,
            mask=known & limited,
        )


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """State of plants that are out of service all along, for the next window.

    They are off, and it says for how long.
    """
    idle, none = _switched(d) & ~_able(d), xr.zeros_like(d.power)
    if not bool(idle.any()):
        return {}
    off = (
        xr.where(d.on_initial > 0, 0.0, d.hours_initial)
        + hours_before(v.calendar.time, v.dt)
        + v.dt
    )
    hours = xr.where(idle, smaller(off, d.down_time_min), d.get("hours", none))
    return {name: none for name in ("on", "start", "stop") if name not in d} | {"hours": hours}


def replay(v: View, d: xr.Dataset) -> Replay:
    """Limits, states, ramps, fuel and starts of every plant, from power and state alone.

    States have their least times.
    """
    able, decided = _replay_able(d), _replay_decided(d)
    always = (able & ~decided).astype(float)
    shape = xr.ones_like(d.power)
    on = d.get("on", shape).where(decided, always)
    before = _shifted(on, d.on_initial.where(decided, always) * shape)
    started, stopped = (on - before).clip(min=0), (before - on).clip(min=0)
    rise = d.power - _shifted(
        d.power, d.power_initial.where(able) * shape
    )  # NaN: nothing known of the step before
    lifted, dropped = (larger(d.power_min, v.dt * rate) for rate in (d.ramp_up, d.ramp_down))
    dump = d.get("dump", 0.0 * shape)
    over = {
        "limit_power": d.power - d.power_max * on,
        "limit_load": d.power_min * on - d.power,
        "limit_dump": larger(dump - d.dump_max, -dump),
        "limit_sign": -d.power,
        "ramp_up": (rise - xr.where(before > 0.5, v.dt * d.ramp_up, lifted)).fillna(0.0),
        "ramp_down": (-rise - xr.where(on > 0.5, v.dt * d.ramp_down, dropped)).fillna(0.0),
    }
    residuals = {name: excess.clip(min=0).assign_attrs(units="kW") for name, excess in over.items()}
    if "on" in d:
        residuals |= _replay_states(v, d, on, started, stopped)
    cash = {
        "fuel": -(v.dt * d.fuel_price * d.power / d.eta_power),
        "start": -(d.start_cost * started).where(decided, 0.0),
    }
    power = {
        "electricity": Flow(d.power, 0.0 * shape),
        "heat": Flow(d.power / d.power_to_heat, dump),
    }
    return Replay(
        residuals, cash, power, flex=Flex(d.power_max * on - d.power, d.power - d.power_min * on)
    )


def _replay_able(d: xr.Dataset) -> xr.DataArray:
    """Return True for a plant that has power in some step."""
    axis = [x for x in ("time",) if x in d.power_max.dims]
    return d.power_max.max(axis) > 0


def _replay_decided(d: xr.Dataset) -> xr.DataArray:
    """Return True for such a plant that has a reason to stand still: load, start or times."""
    reasons = (d.power_min, d.start_cost, d.up_time_min, d.down_time_min)
    return _replay_able(d) & (sum(x.clip(min=0) for x in reasons) > 0)


def _replay_states(
    v: View, d: xr.Dataset, on: xr.DataArray, started: xr.DataArray, stopped: xr.DataArray
) -> dict[str, xr.DataArray]:
    """States are 0 or 1, and when one ends it has lasted as long as it must."""
    count = xr.ones_like(on).cumsum("time")
    since = (
        (count - 1).where(started + stopped > 0.5).ffill("time")
    )  # steps before the state began; NaN: the first one
    lasted = xr.where(since.isnull(), d.hours_initial + v.dt * count, v.dt * (count - since))
    ended = _shifted(lasted, d.hours_initial * xr.ones_like(on))
    least = xr.where(on > 0.5, d.up_time_min, d.down_time_min)
    decided = _replay_decided(d)
    residuals = {
        "state": (abs(on - on.round()), "1"),
        "started": (abs(d.start - started).where(decided, 0.0), "1"),
        "stopped": (abs(d.stop - stopped).where(decided, 0.0), "1"),
        "up_time": ((d.up_time_min - ended).where(stopped > 0.5, 0.0).clip(min=0), "h"),
        "down_time": ((d.down_time_min - ended).where(started > 0.5, 0.0).clip(min=0), "h"),
    }
    if "hours" in d:
        residuals["hours"] = (abs(d.hours - smaller(lasted, least)).where(decided, 0.0), "h")
    return {name: x.assign_attrs(units=unit) for name, (x, unit) in residuals.items()}


def _shifted(x: xr.DataArray, initial: xr.DataArray) -> xr.DataArray:
    """x one step earlier, and `initial` before the first."""
    return xr.where(x.time == x.time[0], initial, x.shift(time=1))


PART = Part(
    "chp",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    label="heat and power plants",
    member_label="heat and power plant",
    entries={
        "fuel": Entry("fuel of the heat and power plants", "energy"),
        "start": Entry("starts of the heat and power plants", "wear"),
    },
    limit_labels={
        "power": "power of a plant",
        "power_max": "power of a plant",
        "power_min": "least power of a plant while it is on",
        "dump": "heat that may be dumped",
        "ramp_up": "how fast a plant rises",
        "ramp_down": "how fast a plant falls",
        "up_time": "least time on",
        "down_time": "least time off",
    },
    balances=frozenset({"switch", "hours"}),
    state_inputs={"on_initial": "on", "hours_initial": "hours", "power_initial": "power"},
    postprocess=postprocess,
)
