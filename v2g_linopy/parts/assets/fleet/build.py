"""The virtual battery of every member of a fleet (docs/formulation.md §1)."""

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from ....algebra.expression import Expression
from ....model import battery_wear
from ....model.formulas import (
    first,
    following,
    larger,
    previous,
    previous_data,
    smaller,
)
from ....model.formulas_storage import need_of_trip, one_way, within_step
from ....model.reserve_rules import on_two_paths
from ....model.scope import Scope
from ....model.terms import Allowance, Cash, Edge, Flex, Flow, Powers, Store, Terms, decided_cash
from ..reserve_room import on_baseline
from . import power_limits
from .schema import is_active


@dataclass(frozen=True)
class _Shared:
    """What both paths of a battery have in common, on (fleet, time)."""

    active: xr.DataArray  # True where a member holds or moves energy
    unserved: Expression  # kWh missing from what is needed on board
    unserved_trip: Expression  # kWh missing from what leaves with a trip
    missing: Expression  # kWh missing from what is needed on board, those of its trip included
    slack_in: Expression  # kW that act like charging and come from nowhere, at a penalty
    slack_out: Expression  # kW that act like discharging and go nowhere, at a penalty
    on: tuple[Expression, Expression]  # 1 while it charges, 1 while it discharges
    tapered: xr.DataArray  # True where the taper bounds the room for reserves
    charge_room: Expression  # kW, the most charging power that the taper allows there


@dataclass(frozen=True)
class _Path:
    """One trajectory of the battery, and the room it leaves at both edges of each step."""

    charge: Expression
    discharge: Expression
    store: Store[Expression]

    @property
    def power(self) -> Expression:
        """Injection less withdrawal (kW)."""
        return self.discharge - self.charge


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Virtual battery of every member, with energy not served and slack (docs/formulation.md §1).

    With charge c, discharge g [kW at the grid], energy e at the end of the step [kWh], need not
    served u, slack s::

        e = start + dt (eta_c (c + s_in) - (g + s_out) / eta_d),
        start = keep e_{t-1} + e_in - (e_out - u_out) - spill
        0 <= c <= charge_max,   0 <= g <= discharge_max,   e_min - u* <= e <= e_max,
        0 <= spill <= spill_max
        u*_t = u_t + u_out_{t+1}   where a trip takes the need: e_min_t <= e_out_{t+1}, k_{t+1} = 1
        u*_t = u_t                 elsewhere (k is keep)

    Where a replacement cost is given, each battery is cut into segments of depth with energy e_j,
    and with energy l_j leaving each by power and m_j by driving [kWh]; calendar wear follows the
    mean energy of the step::

        sum_j e_j = e,   sum_j l_j = dt (g + s_out) / eta_d,
        sum_j m_j + passed = e_out - u_out + spill
        e_j - keep e_{j,t-1} - [keep = 0] shallow_j(e_in) + l_j + m_j >= 0,
        0 <= e_j <= delta_j wear_capacity
        cash wear_cycles = -sum_j k_j (l_j + m_j) - k_J passed   (k_j as for a battery)
        cash wear_calendar = -dt (calendar_cost + calendar_cost_soc (mean energy) / wear_capacity)

    `passed` is what a trip takes beyond the energy on board at its start, while the member charges
    in the same step; it is paid at k_J, the price of the deepest segment.

    Drivers pay for what they asked for, b [kWh at the grid, need_billed], or for net energy::

        cash drivers = retail_price (b - u* / eta_c where b > 0)   where need_billed is given
        cash drivers = retail_price dt (c - g)                     elsewhere

    Where an owner has sold an allowance [kWh], what is discharged is counted from one restart to
    the next, whatever the battery keeps; on the baseline path, to which reserves add their calls::

        used = (1 - restart) used_{t-1} + dt (g + s_out),   used <= allowance,
        used_{-1} = allowance_used

    A trip is part of the cycle it deepens: what one fall of energy costs cannot be told apart
    between driving and selling. Calendar wear counts while the member holds or moves energy,
    plugged in or not.

    With a least power, x and y are 1 while it charges or discharges::

        charge_min x <= c <= charge_max x,   discharge_min y <= g <= discharge_max y,
        one of c, g is 0

    Near full the charging power falls in a line. It is read at the end of the step, so that the
    plan can be followed at every moment of the step; with taper_to = 0 the battery is never quite
    full::

        c <= charge_max (1 - (1 - taper_to) (e / energy_max - taper_from) / (1 - taper_from))

    Reserves move the power within one of the ranges that least powers leave (charging, or
    discharging, or both where nothing lies between), and not above the taper at the energy of the
    plan; a long call fills the battery beyond. Energy not served relaxes a need; it never becomes
    energy that could be sold. A charger with nothing on board has no power, and no room for
    reserves. Where reserves guarantee energy while activation is expected, the same equations are
    written once more for the baseline path, in the same range (§3)."""
    on_board = _on_board(d, s.axis("time"))
    d = d.assign(
        {limit: d[limit].where(on_board, 0.0) for limit in ("charge_max", "discharge_max")}
    )
    soft, shared = d.unserved_cost.notnull(), _shared(s, d)
    plan = baseline = _path(s, d, "", shared)
    c, g = plan.charge, plan.discharge
    worn = _worn(s, d, shared, plan)
    if two_paths := on_two_paths(d, s.inputs.get("reserve")):
        baseline = _path(s, on_baseline(d), "_baseline", shared)

    missing, slack = d.unserved_cost.fillna(0), shared.slack_in + shared.slack_out
    cash = {
        "wear": (d.wear, -d.wear * s.dt / d.eta_discharge * g),
        "wear_charge": (d.wear_charge, -d.wear_charge * s.dt * d.eta_charge * c),
        "slack.unserved": (soft & (d.energy_min > 0), -missing * shared.unserved),
        "slack.unserved_trip": (soft & (d.energy_out > 0), -missing * shared.unserved_trip),
        "slack.balance": (d.slack_cost.notnull(), -d.slack_cost.fillna(0) * s.dt * slack),
    }
    return Terms(
        power={"electricity": Flow(injection=g, withdrawal=c)},
        cash=_paid_by_drivers(s, d, shared, plan) | decided_cash(cash) | worn,
        flex=Flex(
            *_room(d, plan, shared),
            range_max=d.charge_max + d.discharge_max,
            store=baseline.store,
            baseline=baseline.power - plan.power if two_paths else None,
            backlog=s["fleet.energy_baseline"] - s["fleet.energy"] if two_paths else None,
            allowance=_allowance(s, d, baseline, shared),
            powers=Powers(c, g, (d.charge_max > 0) & (d.discharge_max > 0)),
        ),
    )


def _paid_by_drivers(s: Scope, d: xr.Dataset, shared: _Shared, plan: _Path) -> dict[str, Cash]:
    """What drivers pay: for their need, a constant less what is not served, or for net energy."""
    if "need_billed" not in d:
        net = d.retail_price * s.dt * (plan.charge - plan.discharge)
        return decided_cash({"drivers": (d.retail_price, net)})
    due = d.retail_price * d.need_billed
    if not bool((due != 0).any()):
        return {}
    not_served = (d.retail_price / d.eta_charge).where(d.need_billed > 0, 0.0) * shared.missing
    return {"drivers": s.expression(due) - not_served if not_served.has_terms else due}


def _shared(s: Scope, d: xr.Dataset) -> _Shared:
    """Variables of needs, slack, least powers and the taper, which are one on both paths."""
    soft, active = d.unserved_cost.notnull(), is_active(d)
    unserved = s.var_where("unserved", (d.energy_min > 0) & soft, d.energy_min)
    unserved_trip = s.var_where("unserved_trip", (d.energy_out > 0) & soft, d.energy_out)
    slack = d.slack_cost.notnull() & active
    slack_in, slack_out = s.var_where("slack_in", slack), s.var_where("slack_out", slack)

    least_in, least_out = (power_limits.has_least_power(d, way) for way in ("charge", "discharge"))
    on = (
        s.var_where("charge_on", least_in, binary=True),
        s.var_where("discharge_on", least_out, binary=True),
    )

    # where reserves are sold, charging stays within the taper of every path and within its range
    tapered = power_limits.tapered(d) & ("reserve" in s.inputs)
    room = s.var_where("charge_room", tapered, d.charge_max)
    if room.has_terms:
        within = room - power_limits.max_power(d, "charge", on) <= 0
        s.add("charge_room", within, mask=tapered & (least_in | least_out))
    missing = unserved
    if bool((of_trip := need_of_trip(d, s.axis("time"))).any()):
        missing = missing + following(unserved_trip).where(of_trip)
    return _Shared(active, unserved, unserved_trip, missing, slack_in, slack_out, on, tapered, room)


def _room(d: xr.Dataset, plan: _Path, shared: _Shared) -> tuple[Expression, Expression]:
    """Room up and down about the expected power."""
    c, g, (charge_on, discharge_on) = plan.charge, plan.discharge, shared.on
    most_in = power_limits.max_power(d, "charge", shared.on)
    most_out = power_limits.max_power(d, "discharge", shared.on)
    if shared.charge_room.has_terms:
        most_in = most_in * (~shared.tapered).astype(float) + shared.charge_room
    up = most_out - g + c - d.charge_min * charge_on
    return up, most_in - c + g - d.discharge_min * discharge_on


def _path(s: Scope, d: xr.Dataset, suffix: str, shared: _Shared) -> _Path:
    """One trajectory of the battery, and its rows."""
    time, u = s.axis("time"), shared.missing
    c = s.var_where("charge" + suffix, d.charge_max > 0, d.charge_max)
    g = s.var_where("discharge" + suffix, d.discharge_max > 0, d.discharge_max)
    e = s.var("energy" + suffix, upper=d.energy_max, mask=shared.active)
    spill = s.var_where("spill" + suffix, d.spill_max > 0, d.spill_max)

    # energy at the start of the step: what is decided of it, and what is known
    start_variable = d.keep * previous(e) - spill + shared.unserved_trip
    start_data = d.keep * d.energy_initial * first(time) + d.energy_in - d.energy_out
    into = s.dt * d.eta_charge * (c + shared.slack_in)
    out = s.dt / d.eta_discharge * (g + shared.slack_out)
    s.add("balance" + suffix, e - start_variable - into + out == start_data, mask=shared.active)
    s.add("need" + suffix, e + u >= d.energy_min, mask=d.energy_min > 0)
    _power_rows(s, d, suffix, (c, g), e, shared)

    if "exclusive" + suffix in d:
        flag = d["exclusive" + suffix] & (d.charge_max > 0)
        z = s.var_where("charging" + suffix, flag, binary=True)
        only_in, only_out = one_way(c, g, z, d.charge_max, d.discharge_max)
        low, high = _start_range(d, time)
        low_left, high_left = low - start_data, high - start_data
        cut_high, cut_low = within_step(start_variable, into, out - u, low_left, high_left)
        s.add("charging_only" + suffix, only_in, mask=flag)
        s.add("discharging_only" + suffix, only_out, mask=flag)
        s.add("cut_high" + suffix, cut_high, mask=flag)
        s.add("cut_low" + suffix, cut_low, mask=flag)

    def edges() -> tuple[Edge[Expression], Edge[Expression]]:
        start, (low, high) = start_variable + start_data, _start_range(d, time)
        begin = Edge(start - low, high - start)
        return begin, Edge(e + u - d.energy_min, d.energy_max - e)

    sides = c, g, d.charge_max > 0, d.discharge_max > 0
    return _Path(c, g, Store(edges, d.eta_charge, d.eta_discharge, d.keep, *sides))


def _power_rows(
    s: Scope,
    d: xr.Dataset,
    suffix: str,
    powers: tuple[Expression, Expression],
    e: Expression,
    shared: _Shared,
) -> None:
    """Rows of least powers and of the taper near full."""
    c, g = powers
    for way, power, back, on in (
        ("charge", c, g, shared.on[0]),
        ("discharge", g, c, shared.on[1]),
    ):
        if not on.has_terms:  # there is no least power
            continue
        has_least_power = power_limits.has_least_power(d, way)
        most, least, alone = power_limits.either_off_or_above(d, way, power, back, on)
        s.add(f"{way}_most{suffix}", most, mask=has_least_power)
        s.add(f"{way}_least{suffix}", least, mask=has_least_power)
        both_ways = has_least_power & (d[f"{power_limits.BACK[way]}_max"] > 0)
        s.add(f"{way}_alone{suffix}", alone, mask=both_ways)
    if bool((tapered := power_limits.tapered(d)).any()):
        s.add("taper" + suffix, power_limits.taper_row(d, c, e), mask=tapered)
        room = power_limits.taper_row(d, shared.charge_room, e)
        s.add("taper_room" + suffix, room, mask=shared.tapered)


def _worn(s: Scope, d: xr.Dataset, shared: _Shared, plan: _Path) -> dict[str, Cash]:
    """Wear by depth and by time along the expected path."""
    active = shared.active
    if "wear_capacity" not in d:
        return battery_wear.by_time(s, d, d.energy_max, 0.0, 0.0, active)
    taken = d.energy_out - shared.unserved_trip
    if bool((d.spill_max > 0).any()):
        taken = taken + s["fleet.spill"]
    e = s["fleet.energy"]
    into = s.dt * d.eta_charge * (plan.charge + shared.slack_in)
    out = s.dt / d.eta_discharge * (plan.discharge + shared.slack_out)
    by_depth = battery_wear.cycles(
        s,
        d,
        d.wear_capacity,
        e,
        out,
        (d.discharge_max > 0) | d.slack_cost.notnull(),
        active=active,
        arriving=d.energy_in.where(d.keep == 0, 0.0),
        driven=taken,
        drives=(d.energy_out > 0) | (d.spill_max > 0),
        charges=(d.charge_max > 0) | d.slack_cost.notnull() | (d.energy_in > 0),
    )
    return by_depth | battery_wear.by_time(s, d, d.wear_capacity, e, into - out, active)


def _allowance(
    s: Scope, d: xr.Dataset, path: _Path, shared: _Shared
) -> Allowance[Expression] | None:
    """Count what is discharged without a call against what owners allow."""
    if "allowance" not in d or not bool(d.allowance.notnull().any()):
        return None
    begin, goes_on = first(s.axis("time")), 1 - d.restart
    counted = _has_allowance(d) & (begin >= 0)
    limit = d.allowance.where(d.allowance.notnull(), float("inf"))
    used = s.var_where("used", counted, limit)
    discharged = s.dt * (path.discharge + shared.slack_out)
    count = used - goes_on * previous(used) - discharged == goes_on * d.allowance_used * begin
    s.add("count", count, mask=counted)
    left = limit.where(d.allowance.notnull(), 0.0) - used
    return Allowance(
        left, counted & d.allowance.notnull(), goes_on, path.charge, d.discharge_max > 0
    )


def _has_allowance(d: xr.Dataset) -> xr.DataArray:
    """Return True for members whose owner limits what is discharged, at any step."""
    limited = d.allowance.notnull()
    return limited.any([name for name in limited.dims if name != "fleet"])


def _start_range(d: xr.Dataset, time: pd.Index) -> tuple[xr.DataArray, xr.DataArray]:
    """Floor and ceiling at the start of a step, before power flows: the least and the most energy
    that a legal plan can hold there, if they are further apart than the bounds of the step.
    """
    soft = d.unserved_cost.notnull()
    floor = xr.where((d.energy_min > 0) & soft, 0.0, d.energy_min)
    arriving = d.energy_in - d.energy_out
    low = d.keep * previous_data(floor, d.energy_initial, time) + arriving - d.spill_max
    high = (
        d.keep * previous_data(d.energy_max, d.energy_initial, time)
        + arriving
        + xr.where(soft, d.energy_out, 0.0)
    )
    return smaller(d.energy_min, low), larger(d.energy_max, high)


def _on_board(d: xr.Dataset, time: pd.Index) -> xr.DataArray:
    """Return True where some energy can be on board in the step, or be due with what leaves."""
    held = d.keep * previous_data(d.energy_max, d.energy_initial, time) + d.energy_max
    return held + d.energy_in + d.energy_out + d.spill_max > 0
