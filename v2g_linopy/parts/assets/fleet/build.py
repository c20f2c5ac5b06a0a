"""Fleets: vehicles, packed rows of sessions, cohorts or whole fleets, as virtual batteries (FORMULATION §1)."""

from typing import Any

import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema, worst
from ....errors import Problem
from ....model import battery_wear
from ....model.formulas import first, larger, on_two_paths, one_way, previous, previous_data, smaller, within_step
from ....model.part import Edge, Flex, Flow, Part, Replay, Scope, Stage, Store, Terms, View
from ..reserve_room import baseline_initial, most_drawn, of_vehicles, on_baseline
from . import power_limits

NAN = float("nan")


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: room for the need, nothing needed while away, no arrival fuller than the battery."""
    rules = (
        ("energy_min", d.energy_min > d.energy_max + 1e-9, d.energy_min, "more than energy_max at that step"),
        (
            "energy_min",
            (d.energy_min > 0) & ~_alive(d),
            d.energy_min,
            "needed while nothing is connected (keep 0, no power)",
        ),
        (
            "energy_in",
            (d.aggregate == 0) & (d.energy_in - d.energy_out > d.energy_max + d.spill_max + 1e-9),
            d.energy_in,
            "kWh on arrival do not fit into energy_max at that step",
        ),
        *battery_wear.vehicle_rules(d),
        *power_limits.inconsistent(d),
    )
    problems = []
    for name, wrong, array, detail in rules:
        if count := int(wrong.sum()):
            place, value = worst(array.broadcast_like(wrong), wrong, calendar)
            more = f" (and {count - 1} more)" if count > 1 else ""
            problems.append(Problem(f"fleet.{name}", "consistency", f"{place}{value:g}{more}, {detail}"))
    return problems + battery_wear.problems(d, "fleet", calendar)


SCHEMA = Schema(
    inputs=(
        Field("charge_max", "fleet time", "kW", "power the plugged vehicles can draw", ge=0),
        Field("discharge_max", "fleet time", "kW", "power they can feed in; 0 is smart charging", default=0.0, ge=0),
        Field("energy_min", "fleet time", "kWh", "least energy on board at the end of the step", default=0.0, ge=0),
        Field("energy_max", "fleet time", "kWh", "most energy on board at the end of the step", ge=0),
        Field("energy_initial", "fleet", "kWh", "energy on board before the first step", default=0.0, ge=0),
        baseline_initial("fleet", "on board"),
        Field(
            "keep",
            "fleet time",
            "1",
            "share of the energy kept from step to step; 0 on arrival",
            default=1.0,
            ge=0,
            le=1,
        ),
        Field("energy_in", "fleet time", "kWh", "energy on board of arriving vehicles", default=0.0, ge=0),
        Field(
            "energy_out", "fleet time", "kWh", "energy driven, or due on board of departing vehicles", default=0.0, ge=0
        ),
        Field("spill_max", "fleet time", "kWh", "energy that may leave beyond that", default=0.0, ge=0),
        Field("eta_charge", "fleet time", "1", "charging efficiency", default=0.95, ge=0.5, le=1),
        Field("eta_discharge", "fleet time", "1", "discharging efficiency", default=0.95, ge=0.5, le=1),
        Field("wear", "fleet", "EUR/kWh", "wear per kWh leaving the battery", default=0.0, ge=0),
        Field("wear_charge", "fleet", "EUR/kWh", "wear per kWh entering the battery", default=0.0, ge=0),
        *battery_wear.inputs("fleet", "fleet time"),
        Field(
            "wear_capacity",
            "fleet time",
            "kWh",
            "battery that depth and state of charge refer to; by default the most it holds between two arrivals",
            ABSENT,
            ge=0,
        ),
        Field(
            "retail_price", "fleet time", "EUR/kWh", "drivers pay this on the expected net energy drawn", default=0.0
        ),
        Field(
            "unserved_cost", "fleet", "EUR/kWh", "penalty on need not served; NaN: must serve", 10.0, ge=0, missing=True
        ),
        Field("slack_cost", "fleet", "EUR/kWh", "penalty on balance slack; NaN: no slack", NAN, ge=0, missing=True),
        Field("charge_min", "fleet time", "kW", "least charging power but 0, as 6 A", 0.0, ge=0),
        Field("discharge_min", "fleet time", "kW", "least discharging power but 0", 0.0, ge=0),
        Field(
            "taper_from",
            "fleet time",
            "1",
            "share of energy_max where power starts to fall",
            NAN,
            ge=0,
            le=1,
            missing=True,
        ),
        Field("taper_to", "fleet time", "1", "share of charge_max left at energy_max", NAN, ge=0, le=1, missing=True),
        Field("aggregate", "fleet", "1", "1: many vehicles, may charge and discharge in one step", 0.0, kind="flag"),
        Field("vehicles", "fleet", "1", "vehicles the member stands for, in figures per vehicle", default=1.0, ge=0),
        Field("pod", "fleet", "", "point of delivery of the member", default="site", kind="label"),
        Field("connector", "fleet", "", "connector of the member", default=ABSENT, kind="label"),
        Field(
            "charger", "fleet", "", "charger its plug belongs to, empty for none", ABSENT, kind="label", of="charger"
        ),
        Field("session", "fleet time", "", "session connected in the step, -1 for none", default=ABSENT, kind="label"),
    ),
    outputs=(
        Field("charge", "fleet time", "kW", "charging power at the grid side"),
        Field("discharge", "fleet time", "kW", "discharging power at the grid side"),
        Field("energy", "fleet time", "kWh", "energy on board at the end of the step"),
        Field("spill", "fleet time", "kWh", "energy leaving beyond what had to leave"),
        Field("unserved", "fleet time", "kWh", "energy missing from energy_min"),
        Field("unserved_trip", "fleet time", "kWh", "energy missing from energy_out"),
        Field("slack_in", "fleet time", "kW", "slack acting as charge, settled nowhere"),
        Field("slack_out", "fleet time", "kW", "slack acting as discharge, settled nowhere"),
        Field("charging", "fleet time", "1", "1 charging, 0 discharging, where one excludes the other"),
        Field("charge_on", "fleet time", "1", "1 while it charges, where there is a least power"),
        Field("discharge_on", "fleet time", "1", "1 while it discharges, where there is a least power"),
        Field("charge_room", "fleet time", "kW", "charging power left by the taper, where reserves may need it"),
        Field("charge_baseline", "fleet time", "kW", "charging power if no reserve is activated"),
        Field("discharge_baseline", "fleet time", "kW", "discharging power if no reserve is activated"),
        Field("energy_baseline", "fleet time", "kWh", "energy on board if no reserve is activated"),
        Field("spill_baseline", "fleet time", "kWh", "energy leaving beyond what had to, if no reserve is activated"),
        Field("charging_baseline", "fleet time", "1", "1 charging, 0 discharging on the baseline"),
        *battery_wear.outputs("fleet"),
        Field("segment_trip", "fleet segment time", "kWh", "energy leaving each segment by driving"),
        Field("trip_passed", "fleet time", "kWh", "energy driven beyond what was on board, charged in the same step"),
    ),
    checks=(_consistent,),
    completions=(battery_wear.completed, battery_wear.longest_capacity),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Virtual battery of every member, with energy not served and slack (FORMULATION §1).

    With charge c, discharge g [kW at the grid], energy e at the end of the step [kWh], need not served u, slack s::

        e = start + dt (eta_c (c + s_in) - (g + s_out) / eta_d),   start = keep e_{t-1} + e_in - (e_out - u_out) - spill
        0 <= c <= charge_max,  0 <= g <= discharge_max,  e_min - u <= e <= e_max,  0 <= spill <= spill_max

    Where a replacement cost is given, each battery is cut into segments of depth with energy e_j, and with energy l_j
    leaving each by power and m_j by driving [kWh]; calendar wear follows the mean energy of the step::

        sum_j e_j = e,   sum_j l_j = dt (g + s_out) / eta_d,   sum_j m_j + passed = e_out - u_out + spill
        e_j - keep e_{j,t-1} - [keep = 0] shallow_j(e_in) + l_j + m_j >= 0,   0 <= e_j <= delta_j wear_capacity
        cash wear_cycles = -sum_j k_j (l_j + m_j) - k_J passed   (k_j as for a battery)
        cash wear_calendar = -dt (calendar_cost + calendar_cost_soc (mean energy) / wear_capacity)

    A trip is part of the cycle it deepens: what one fall of energy costs cannot be told apart between driving and
    selling. Calendar wear counts while the member holds or moves energy, plugged in or not.

    With a least power, x and y are 1 while it charges or discharges::

        charge_min x <= c <= charge_max x,   discharge_min y <= g <= discharge_max y,   one of c, g is 0

    Near full the charging power falls in a line. It is read at the end of the step, so that the plan can be followed at
    every moment of the step; with taper_to = 0 the battery is never quite full::

        c <= charge_max (1 - (1 - taper_to) (e / energy_max - taper_from) / (1 - taper_from))

    Reserves move the power within one of the ranges that least powers leave (charging, or discharging, or both where
    nothing lies between), and not above the taper at the energy of the plan; a long call fills the battery beyond.
    Energy not served relaxes a need; it never becomes energy that could be sold. A charger with nothing on board has
    no power, and no room for reserves. Where reserves guarantee energy while activation is expected, the same
    equations are written once more for the baseline path, in the same range (§3).
    """
    on_board = _on_board(d, s.axis("time"))
    d = d.assign({limit: d[limit].where(on_board, 0.0) for limit in ("charge_max", "discharge_max")})
    soft, alive = d.unserved_cost.notnull(), _alive(d)
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
            entry: x for entry, (rate, x) in cash.items() if bool((rate != 0).any()) and not isinstance(x, xr.DataArray)
        }
        | worn,
        flex=_flex(d, c, g, on, shared[-1], store, baseline),
    )


def _charge_room(s: Scope, d: xr.Dataset, on: tuple[Any, Any]) -> Any:
    """Charging power within the taper of every path, and in the range that least powers leave; 0 if nothing tapers."""
    tapered = power_limits.tapered(d)
    if "reserve" not in s.inputs or not bool(tapered.any()):
        return 0.0
    room = s.var("charge_room", upper=d.charge_max, mask=tapered)
    gaps = power_limits.least(d, "charge") | power_limits.least(d, "discharge")
    s.add("charge_room", room - power_limits.most(d, "charge", on) <= 0, mask=tapered & gaps)
    return room


def _flex(d: xr.Dataset, c: Any, g: Any, on: tuple[Any, Any], room: Any, store: Store, baseline: Any) -> Flex:
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


def _path(s: Scope, d: xr.Dataset, suffix: str, alive: xr.DataArray, shared: tuple[Any, ...]) -> tuple[Any, Any, Store]:
    """One trajectory of the battery: its charge, its discharge, and the room it leaves at both edges of each step."""
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


def _worn(s: Scope, d: xr.Dataset, alive: xr.DataArray, shared: tuple[Any, ...], c: Any, g: Any) -> dict[str, Any]:
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
    high = d.keep * previous_data(d.energy_max, d.energy_initial, time) + arriving + xr.where(soft, d.energy_out, 0.0)
    return low, high


def _alive(d: xr.Dataset) -> xr.DataArray:
    """Return True where the member holds or moves energy; elsewhere nothing is connected, and its energy is 0."""
    return (d.keep > 0) | (d.charge_max > 0) | (d.discharge_max > 0) | (d.energy_in > 0) | (d.energy_out > 0)


def _on_board(d: xr.Dataset, time: Any) -> xr.DataArray:
    """Return True where some energy can be on board in the step, or be due with what leaves."""
    held = d.keep * previous_data(d.energy_max, d.energy_initial, time) + d.energy_max
    return held + d.energy_in + d.energy_out + d.spill_max > 0


def replay(v: View, d: xr.Dataset) -> Replay:
    """Energy balance, limits and needs of every member and step, and its cash, from the written numbers alone."""
    residuals = _replay_path(v, d, "")
    if "energy_baseline" in d:
        residuals |= {f"{k}_baseline": x for k, x in _replay_path(v, on_baseline(d), "_baseline").items()}
    leaving = v.dt * d.discharge / d.eta_discharge
    cash = {
        "wear": -(d.wear * leaving),
        "wear_charge": -(d.wear_charge * v.dt * d.charge * d.eta_charge),
        "drivers": d.retail_price * v.dt * (d.charge - d.discharge),
        "slack.unserved": -(d.unserved_cost * d.get("unserved", 0.0)).fillna(0.0),
        "slack.unserved_trip": -(d.unserved_cost * d.get("unserved_trip", 0.0)).fillna(0.0),
        "slack.balance": -(d.slack_cost * v.dt * (d.get("slack_in", 0.0) + d.get("slack_out", 0.0))).fillna(0.0),
    }
    taken = v.dt * (d.discharge + d.get("slack_out", 0.0)) / d.eta_discharge
    driven = d.energy_out - d.get("unserved_trip", 0.0) + d.get("spill", 0.0)
    capacity = d.get("wear_capacity", d.energy_max)
    residuals |= battery_wear.replayed(v, d, capacity, taken, d.energy_in.where(d.keep == 0, 0.0), driven)
    cash |= battery_wear.paid(v, d, capacity, _alive(d))
    return Replay(residuals, cash, {"electricity": Flow(d.discharge, d.charge)}, flex=of_vehicles(d))


def _replay_path(v: View, d: xr.Dataset, suffix: str) -> dict[str, xr.DataArray]:
    charge, discharge, energy = (d[name + suffix] for name in ("charge", "discharge", "energy"))
    unserved, trip = d.get("unserved", 0.0), d.get("unserved_trip", 0.0)
    spill = d.get("spill" + suffix, 0.0)
    yesterday = energy.shift(time=1).fillna(d.energy_initial)
    gained = (charge + d.get("slack_in", 0.0)) * d.eta_charge * v.dt
    lost = (discharge + d.get("slack_out", 0.0)) * v.dt / d.eta_discharge
    expected = yesterday * d.keep + d.energy_in - (d.energy_out - trip) - spill + gained - lost
    plugged = _present(d, energy)
    over = {
        "charge": charge - d.charge_max.where(plugged, 0.0),
        "discharge": discharge - d.discharge_max.where(plugged, 0.0),
        "energy": energy - d.energy_max,
        "spill": spill - d.spill_max,
        "sign": -smaller(smaller(charge, discharge), energy),
    }
    for way, power, back in (("charge", charge, discharge), ("discharge", discharge, charge)):
        runs = (d[f"{way}_min"] > 0) & (power > 1e-6)
        over[f"{way}_min"] = larger(d[f"{way}_min"] - power, back).where(runs, 0.0)
    over["taper"] = charge - most_drawn(d, "energy" + suffix)
    residuals = {"balance": abs(energy - expected).assign_attrs(units="kWh")}
    residuals["need"] = (d.energy_min - unserved - energy).clip(min=0).assign_attrs(units="kWh")
    for name, excess in over.items():
        residuals[f"limit_{name}"] = excess.clip(min=0).assign_attrs(
            units="kWh" if name in ("energy", "spill") else "kW"
        )
    return residuals


def _present(d: xr.Dataset, energy: xr.DataArray) -> xr.DataArray:
    """Return False where no battery is there: none that holds energy now, none from before, none that comes or goes."""
    fits = d.energy_max + xr.zeros_like(energy)
    stayed = xr.where(fits.time == fits.time[0], d.energy_initial, fits.shift(time=1))
    absent = (fits == 0) & ((stayed == 0) | (d.keep == 0))
    return ~(absent & (d.energy_in == 0) & (d.energy_out == 0) & (d.spill_max == 0))


def finish(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Where the segments stand if they fill and empty shallow first, for the next window."""
    driven = d.energy_out - d.get("unserved_trip", 0.0) + d.get("spill", 0.0)
    return battery_wear.levels(d, d.get("wear_capacity", d.energy_max), d.energy_in.where(d.keep == 0, 0.0), driven)


PART = Part(
    "fleet",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    carry={"energy_initial": "energy", "baseline_initial": "energy_baseline", "segment_initial": "segment_level"},
    finish=finish,
    stock={"energy": "balance"},
)
