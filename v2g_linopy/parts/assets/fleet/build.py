"""The virtual battery of every member of a fleet (docs/formulation.md §1)."""

from typing import Any

import xarray as xr

from ....model import battery_wear
from ....model.formulas import first, larger, previous, previous_data, smaller
from ....model.formulas_storage import one_way, within_step
from ....model.reserve_rules import on_two_paths
from ....model.scope import Scope
from ....model.terms import Edge, Flex, Flow, Store, Terms
from ..reserve_room import on_baseline
from . import power_limits
from .schema import is_active


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Virtual battery of every member, with energy not served and slack (docs/formulation.md §1).

    With charge c, discharge g [kW at the grid], energy e at the end of the step [kWh], need not
    served u, slack s::

        e = start + dt (eta_c (c + s_in) - (g + s_out) / eta_d),
        start = keep e_{t-1} + e_in - (e_out - u_out) - spill
        0 <= c <= charge_max,   0 <= g <= discharge_max,   e_min - u <= e <= e_max,
        0 <= spill <= spill_max

    Where a replacement cost is given, each battery is cut into segments of depth with energy e_j,
    and with energy l_j leaving each by power and m_j by driving [kWh]; calendar wear follows the
    mean energy of the step::

        sum_j e_j = e,   sum_j l_j = dt (g + s_out) / eta_d,
        sum_j m_j + passed = e_out - u_out + spill
        e_j - keep e_{j,t-1} - [keep = 0] shallow_j(e_in) + l_j + m_j >= 0,
        0 <= e_j <= delta_j wear_capacity
        cash wear_cycles = -sum_j k_j (l_j + m_j) - k_J passed   (k_j as for a battery)
        cash wear_calendar = -dt (calendar_cost + calendar_cost_soc (mean energy) / wear_capacity)

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
    soft, alive = d.unserved_cost.notnull(), is_active(d)
    slack = d.slack_cost.notnull() & alive
    u = s.maybe("unserved", (d.energy_min > 0) & soft, d.energy_min)
    u_out = s.maybe("unserved_trip", (d.energy_out > 0) & soft, d.energy_out)
    s_in, s_out = s.maybe("slack_in", slack), s.maybe("slack_out", slack)
    on = (
        s.maybe("charge_on", power_limits.least(d, "charge"), binary=True),
        s.maybe("discharge_on", power_limits.least(d, "discharge"), binary=True),
    )
    shared = u, u_out, s_in, s_out, on, _charge_room(s, d, on)

    c, g, store = _path(s, d, "", alive, shared)
    worn = _worn(s, d, alive, shared, c, g)
    baseline = None
    if on_two_paths(d, s.inputs.get("reserve")):
        c0, g0, store = _path(s, on_baseline(d), "_baseline", alive, shared)
        baseline = (g0 - c0) - (g - c)

    cash = {
        "wear": (d.wear, -d.wear * s.dt / d.eta_discharge * g),
        "wear_charge": (d.wear_charge, -d.wear_charge * s.dt * d.eta_charge * c),
        "drivers": (d.retail_price, d.retail_price * s.dt * (c - g)),
        "slack.unserved": (soft & (d.energy_min > 0), -d.unserved_cost.fillna(0) * u),
        "slack.unserved_trip": (soft & (d.energy_out > 0), -d.unserved_cost.fillna(0) * u_out),
        "slack.balance": (slack, -d.slack_cost.fillna(0) * s.dt * (s_in + s_out)),
    }
    return Terms(
        power={"electricity": Flow(injection=g, withdrawal=c)},
        cash={
            entry: x
            for entry, (rate, x) in cash.items()
            if bool((rate != 0).any()) and not isinstance(x, xr.DataArray)
        }
        | worn,
        flex=_flex(d, c, g, on, shared[-1], store, baseline),
    )


def _charge_room(s: Scope, d: xr.Dataset, on: tuple[Any, Any]) -> Any:
    """Charging power within the taper of every path, and in the range that least powers leave; 0 if
    nothing tapers.
    """
    tapered = power_limits.tapered(d)
    if "reserve" not in s.inputs or not bool(tapered.any()):
        return 0.0
    room = s.var("charge_room", upper=d.charge_max, mask=tapered)
    gaps = power_limits.least(d, "charge") | power_limits.least(d, "discharge")
    s.add("charge_room", room - power_limits.most(d, "charge", on) <= 0, mask=tapered & gaps)
    return room


def _flex(
    d: xr.Dataset, c: Any, g: Any, on: tuple[Any, Any], room: Any, store: Store, baseline: Any
) -> Flex:
    """Room about the expected power, and the energy behind it."""
    most_in, most_out = power_limits.most(d, "charge", on), power_limits.most(d, "discharge", on)
    if not isinstance(room, float):
        most_in = most_in * (~power_limits.tapered(d)).astype(float) + room
    return Flex(
        up=most_out - g + c - d.charge_min * on[0],
        down=most_in - c + g - d.discharge_min * on[1],
        span=d.charge_max + d.discharge_max,
        store=store,
        baseline=baseline,
    )


def _path(
    s: Scope, d: xr.Dataset, suffix: str, alive: xr.DataArray, shared: tuple[Any, ...]
) -> tuple[Any, Any, Store]:
    """One trajectory of the battery: its charge, its discharge, and the room it leaves at both
    edges of each step.
    """
    u, u_out, s_in, s_out, on, room = shared
    time = s.axis("time")
    c = s.maybe("charge" + suffix, d.charge_max > 0, d.charge_max)
    g = s.maybe("discharge" + suffix, d.discharge_max > 0, d.discharge_max)
    e = s.var("energy" + suffix, upper=d.energy_max, mask=alive)
    spill = s.maybe("spill" + suffix, d.spill_max > 0, d.spill_max)

    before = d.keep * previous(e) - spill + u_out
    given = d.keep * d.energy_initial * first(time) + d.energy_in - d.energy_out
    into, out = s.dt * d.eta_charge * (c + s_in), s.dt / d.eta_discharge * (g + s_out)
    s.add("balance" + suffix, e - before - into + out == given, mask=alive)
    s.add("need" + suffix, e + u >= d.energy_min, mask=d.energy_min > 0)
    for way, power, back, state in (("charge", c, g, on[0]), ("discharge", g, c, on[1])):
        least = power_limits.least(d, way)
        if not bool(least.any()):
            continue
        most, some, alone = power_limits.either_off_or_above(d, way, power, back, state)
        s.add(f"{way}_most{suffix}", most, mask=least)
        s.add(f"{way}_least{suffix}", some, mask=least)
        s.add(f"{way}_alone{suffix}", alone, mask=least & (d[f"{power_limits.BACK[way]}_max"] > 0))
    if bool((tapered := power_limits.tapered(d)).any()):
        s.add("taper" + suffix, power_limits.within_taper(d, c, e), mask=tapered)
        if not isinstance(room, float):
            s.add("taper_room" + suffix, power_limits.within_taper(d, room, e), mask=tapered)

    if (flag := d.get("exclusive" + suffix)) is not None:
        flag = flag & (d.charge_max > 0)
        low, high = _start_range(d, time)
        z = s.maybe("charging" + suffix, flag, binary=True)
        only_in, only_out = one_way(c, g, z, d.charge_max, d.discharge_max)
        floor, ceiling = smaller(d.energy_min, low) - given, larger(d.energy_max, high) - given
        cut_high, cut_low = within_step(before, into, out - u, floor, ceiling)
        s.add("charging_only" + suffix, only_in, mask=flag)
        s.add("discharging_only" + suffix, only_out, mask=flag)
        s.add("cut_high" + suffix, cut_high, mask=flag)
        s.add("cut_low" + suffix, cut_low, mask=flag)

    def edges() -> tuple[Edge, Edge]:
        low, high = _start_range(d, time)
        start = before + given
        begin = Edge(start - smaller(d.energy_min, low), larger(d.energy_max, high) - start)
        return begin, Edge(e + u - d.energy_min, d.energy_max - e)

    sides = c, g, d.charge_max > 0, d.discharge_max > 0
    return c, g, Store(edges, d.eta_charge, d.eta_discharge, d.keep, *sides)


def _worn(
    s: Scope, d: xr.Dataset, alive: xr.DataArray, shared: tuple[Any, ...], c: Any, g: Any
) -> dict[str, Any]:
    """Wear by depth and by time along the expected path."""
    if "wear_capacity" not in d:
        return battery_wear.by_time(s, d, d.energy_max, 0.0, 0.0, alive)
    _, u_out, s_in, s_out, *_ = shared
    e, spill = s["fleet.energy"], s["fleet.spill"] if bool((d.spill_max > 0).any()) else 0.0
    into, out = s.dt * d.eta_charge * (c + s_in), s.dt / d.eta_discharge * (g + s_out)
    by_depth = battery_wear.cycles(
        s,
        d,
        d.wear_capacity,
        e,
        out,
        (d.discharge_max > 0) | d.slack_cost.notnull(),
        there=alive,
        arriving=d.energy_in.where(d.keep == 0, 0.0),
        driven=d.energy_out - u_out + spill,
        drives=(d.energy_out > 0) | (d.spill_max > 0),
        charges=(d.charge_max > 0) | d.slack_cost.notnull() | (d.energy_in > 0),
    )
    return by_depth | battery_wear.by_time(s, d, d.wear_capacity, e, into - out, alive)


def _start_range(d: xr.Dataset, time: Any) -> tuple[xr.DataArray, xr.DataArray]:
    """Least and most energy a legal plan can hold at the start of a step, before power flows."""
    soft = d.unserved_cost.notnull()
    floor = xr.where((d.energy_min > 0) & soft, 0.0, d.energy_min)
    arriving = d.energy_in - d.energy_out
    low = d.keep * previous_data(floor, d.energy_initial, time) + arriving - d.spill_max
    high = (
        d.keep * previous_data(d.energy_max, d.energy_initial, time)
        + arriving
        + xr.where(soft, d.energy_out, 0.0)
    )
    return low, high


def _on_board(d: xr.Dataset, time: Any) -> xr.DataArray:
    """Return True where some energy can be on board in the step, or be due with what leaves."""
    held = d.keep * previous_data(d.energy_max, d.energy_initial, time) + d.energy_max
    return held + d.energy_in + d.energy_out + d.spill_max > 0
