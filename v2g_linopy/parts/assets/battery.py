"""Stationary batteries: storage with constants, a cyclic or a valued end, and a cap on cycles
(docs/formulation.md §1, §7).
"""

import xarray as xr

from ...algebra.expression import Expression
from ...case.schema import ABSENT, Calendar, Field, Schema, violations
from ...errors import Problem
from ...model import battery_wear, formulas_storage
from ...model.formulas import first, larger, last, previous, previous_data, smaller
from ...model.formulas_storage import one_way, within_step
from ...model.part import Entry, Part, Stage
from ...model.reserve_rules import on_two_paths
from ...model.scope import Scope
from ...model.terms import CARRIERS, Edge, Flex, Flow, Powers, Replay, Store, Terms, decided_cash
from ...model.view import View
from .reserve_room import baseline_initial, of_storage, on_baseline

NAN = float("nan")


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: the range is one, the battery starts within it, and within its cap on
    cycles.
    """
    start = d.energy_initial
    before = d.get("baseline_initial", start.clip(d.energy_min, d.energy_max))
    final = d.get("energy_final", start.clip(d.energy_min, d.energy_max))
    rules = (
        (
            "energy_min",
            d.energy_min > d.energy_max + 1e-9,
            d.energy_min,
            "kWh, more than energy_max",
        ),
        ("energy_initial", start > d.energy_max + 1e-6, start, "kWh, more than energy_max"),
        ("energy_initial", start < d.energy_min - 1e-6, start, "kWh, less than energy_min"),
        ("baseline_initial", before > d.energy_max + 1e-6, before, "kWh, more than energy_max"),
        ("baseline_initial", before < d.energy_min - 1e-6, before, "kWh, less than energy_min"),
        ("energy_final", final > d.energy_max + 1e-6, final, "kWh, more than energy_max"),
        ("energy_final", final < d.energy_min - 1e-6, final, "kWh, less than energy_min"),
        (
            "throughput_initial",
            d.throughput_initial > d.cycles_max * d.energy_max + 1e-6,
            d.throughput_initial,
            "kWh, more than cycles_max times energy_max allows",
        ),
    )
    return violations("battery", rules, calendar) + battery_wear.wear_problems(
        d, "battery", calendar
    )


SCHEMA = Schema(
    inputs=(
        Field("charge_max", "battery time", "kW", "power it can draw", ge=0),
        Field("discharge_max", "battery time", "kW", "power it can feed in", ge=0),
        Field("energy_max", "battery", "kWh", "usable capacity, most energy stored", ge=0),
        Field("energy_min", "battery", "kWh", "least energy stored", default=0.0, ge=0),
        Field(
            "energy_initial",
            "battery",
            "kWh",
            "energy stored before the first step",
            default=0.0,
            ge=0,
        ),
        baseline_initial("battery", "stored"),
        Field(
            "keep",
            "battery",
            "1",
            "share of the energy kept from step to step",
            default=1.0,
            ge=0,
            le=1,
        ),
        Field("eta_charge", "battery", "1", "charging efficiency", default=0.95, ge=0.5, le=1),
        Field(
            "eta_discharge", "battery", "1", "discharging efficiency", default=0.95, ge=0.5, le=1
        ),
        Field("wear", "battery", "EUR/kWh", "wear per kWh leaving the battery", default=0.0, ge=0),
        Field(
            "wear_charge",
            "battery",
            "EUR/kWh",
            "wear per kWh entering the battery",
            default=0.0,
            ge=0,
        ),
        *battery_wear.inputs("battery", "battery"),
        Field(
            "cyclic",
            "battery",
            "1",
            "1: ends with the energy it started with",
            default=0.0,
            kind="flag",
        ),
        Field(
            "energy_final",
            "battery",
            "kWh",
            "energy of a cyclic end, if another than energy_initial",
            ABSENT,
            ge=0,
        ),
        Field(
            "energy_value",
            "battery",
            "EUR/kWh",
            "value of a kWh gained from start to end",
            default=0.0,
        ),
        Field(
            "cycles_max",
            "battery",
            "1",
            "most equivalent full cycles, energy leaving the battery over energy_max; NaN: no cap",
            default=NAN,
            ge=0,
            missing=True,
        ),
        Field(
            "throughput_initial",
            "battery",
            "kWh",
            "energy that has left it before, under cycles_max",
            0.0,
            ge=0,
        ),
        Field(
            "carrier",
            "battery",
            "",
            "what it stores",
            "electricity",
            kind="choice",
            choices=CARRIERS,
        ),
        Field(
            "pod", "battery", "", "point of delivery of the member", default="site", kind="label"
        ),
    ),
    outputs=(
        Field("charge", "battery time", "kW", "charging power at the grid side"),
        Field("discharge", "battery time", "kW", "discharging power at the grid side"),
        Field("energy", "battery time", "kWh", "energy stored at the end of the step"),
        Field(
            "throughput",
            "battery time",
            "kWh",
            "energy that has left the battery so far, where cycles are capped",
        ),
        Field(
            "charging",
            "battery time",
            "1",
            "1 charging, 0 discharging, where one excludes the other",
        ),
        Field("charge_baseline", "battery time", "kW", "charging power if no reserve is activated"),
        Field(
            "discharge_baseline",
            "battery time",
            "kW",
            "discharging power if no reserve is activated",
        ),
        Field("energy_baseline", "battery time", "kWh", "energy stored if no reserve is activated"),
        Field(
            "charging_baseline", "battery time", "1", "1 charging, 0 discharging on the baseline"
        ),
        *battery_wear.outputs("battery"),
        Field(
            "segment_start",
            "battery segment",
            "kWh",
            "energy in each segment at the start, where the end is cyclic",
        ),
    ),
    checks=(_consistent,),
    completions=(battery_wear.completed,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Storage between constant bounds, with a cyclic or a valued end and a cap on cycles.

    See docs/formulation.md §1 and §7.

    With charge c, discharge g [kW at the grid], energy e at the end of the step, throughput q
    [kWh]::

        e = keep e_{t-1} + dt (eta_c c - g / eta_d),   energy_min <= e <= energy_max
        0 <= c <= charge_max,   0 <= g <= discharge_max
        cyclic => e_T = energy_final, by default energy_initial
        cash energy_left = energy_value (e_T - energy_initial)
        q = q_{t-1} + dt g / eta_d <= cycles_max energy_max

    Where a replacement cost is given, the battery is cut into segments of depth with energy e_j,
    and with energy l_j leaving each in the step [kWh]; calendar wear follows the mean energy of the
    step::

        sum_j e_j = e,   sum_j l_j = dt g / eta_d,   e_j - keep e_{j,t-1} + l_j >= 0,
        0 <= e_j <= delta_j energy_max
        k_j = replacement_cost (Phi(Delta_j) - Phi(Delta_{j-1})) / (delta_j energy_max),
        Phi(delta) = a delta^b
        cyclic => e_{j,T} = e_{j,-1}, unless energy_final is given,
        cash wear_cycles = -sum_j k_j l_j
        cash wear_calendar = -dt (calendar_cost
                             + calendar_cost_soc (e - dt (eta_c c - g / eta_d) / 2) / energy_max)

    What it stores comes from and goes to the node of its carrier; only electricity is held as
    reserve. The end and the cycles are those of the expected path. Where reserves guarantee energy
    while activation is expected, balance and bounds are written once more for the baseline path
    (§3). Without capacity there is no power, and no room for reserves. A circle that is cut into
    windows closes in energy; how its segments close is known only to the whole.
    """
    time = s.axis("time")
    d = d.assign(
        {limit: d[limit].where(d.energy_max > 0, 0.0) for limit in ("charge_max", "discharge_max")}
    )
    c, g, e, store = _path(s, d, "")
    s.add(
        "cyclic",
        e == d.get("energy_final", d.energy_initial),
        mask=(d.cyclic > 0) & (last(time) > 0),
    )

    capped = d.cycles_max.notnull()
    q = s.var_where("throughput", capped, (d.cycles_max * d.energy_max).fillna(0.0))
    s.add(
        "cycles",
        q - previous(q) - s.dt / d.eta_discharge * g == d.throughput_initial * first(time),
        mask=capped,
    )

    baseline = backlog = None
    if on_two_paths(d, s.inputs.get("reserve")):
        c0, g0, e0, store = _path(s, on_baseline(d), "_baseline")
        baseline, backlog = (g0 - c0) - (g - c), e0 - e

    cash = {
        "wear": (d.wear, -d.wear * s.dt / d.eta_discharge * g),
        "wear_charge": (d.wear_charge, -d.wear_charge * s.dt * d.eta_charge * c),
        "energy_left": (d.energy_value, d.energy_value * last(time) * (e - d.energy_initial)),
    }
    into, out = s.dt * d.eta_charge * c, s.dt / d.eta_discharge * g
    ageing_cash = battery_wear.cycles(s, d, d.energy_max, e, out, d.discharge_max > 0)
    return Terms(
        power=Flow(injection=g, withdrawal=c).split(d.carrier),
        cash=decided_cash(cash)
        | ageing_cash
        | battery_wear.by_time(s, d, d.energy_max, e, into - out),
        flex=Flex(
            up=d.discharge_max - g + c,
            down=d.charge_max - c + g,
            range_max=(d.charge_max + d.discharge_max).where(d.carrier == "electricity", 0.0),
            store=store,
            baseline=baseline,
            backlog=backlog,
            powers=Powers(c, g, (d.charge_max > 0) & (d.discharge_max > 0)),
        ),
    )


def _path(
    s: Scope, d: xr.Dataset, suffix: str
) -> tuple[Expression, Expression, Expression, Store[Expression]]:
    """One trajectory: charge, discharge, energy, and the room left at both edges of each step."""
    time = s.axis("time")
    c = s.var_where("charge" + suffix, d.charge_max > 0, d.charge_max)
    g = s.var_where("discharge" + suffix, d.discharge_max > 0, d.discharge_max)
    e = s.var("energy" + suffix, lower=d.energy_min, upper=d.energy_max)

    before, given = d.keep * previous(e), d.keep * d.energy_initial * first(time)
    into, out = s.dt * d.eta_charge * c, s.dt / d.eta_discharge * g
    s.add("balance" + suffix, e - before - into + out == given)

    low = smaller(d.energy_min, d.keep * previous_data(d.energy_min, d.energy_initial, time))
    high = larger(d.energy_max, d.keep * previous_data(d.energy_max, d.energy_initial, time))
    if (flag := d.get("exclusive" + suffix)) is not None:
        flag = flag & (d.charge_max > 0)
        z = s.var_where("charging" + suffix, flag, binary=True)
        charging, discharging = one_way(c, g, z, d.charge_max, d.discharge_max)
        cut_high, cut_low = within_step(before, into, out, low - given, high - given)
        s.add("charging_only" + suffix, charging, mask=flag)
        s.add("discharging_only" + suffix, discharging, mask=flag)
        s.add("cut_high" + suffix, cut_high, mask=flag)
        s.add("cut_low" + suffix, cut_low, mask=flag)

    def edges() -> tuple[Edge[Expression], Edge[Expression]]:
        start = before + given
        return Edge(start - low, high - start), Edge(e - d.energy_min, d.energy_max - e)

    sides = c, g, d.charge_max > 0, d.discharge_max > 0
    return c, g, e, Store(edges, d.eta_charge, d.eta_discharge, d.keep, *sides)


def replay(v: View, d: xr.Dataset) -> Replay:
    """Energy balance, limits, end, cycles and cash of every battery, from the numbers alone."""
    residuals = _replay_path(v, d, "")
    if "energy_baseline" in d:
        residuals |= {
            f"{k}_baseline": x for k, x in _replay_path(v, on_baseline(d), "_baseline").items()
        }
    gained = d.energy.isel(time=-1, drop=True) - d.energy_initial
    leaving = v.dt * d.discharge / d.eta_discharge
    left = d.throughput_initial + leaving.cumsum("time")
    missed = abs(d.energy.isel(time=-1, drop=True) - d.get("energy_final", d.energy_initial))
    residuals["cyclic"] = missed.where(d.cyclic > 0, 0.0).assign_attrs(units="kWh")
    over = (left - d.cycles_max * d.energy_max).clip(min=0)
    residuals["cycles"] = over.where(d.cycles_max.notnull(), 0.0).assign_attrs(units="kWh")
    if "throughput" in d:
        counted = abs(d.throughput - left).where(d.cycles_max.notnull(), 0.0)
        residuals["throughput"] = counted.assign_attrs(units="kWh")
    cash = {
        "wear": -(d.wear * leaving),
        "wear_charge": -(d.wear_charge * v.dt * d.charge * d.eta_charge),
        "energy_left": d.energy_value * gained * last(v.calendar.time),
    }
    here = {c: (d.carrier == c).astype(float) for c in CARRIERS if bool((d.carrier == c).any())}
    power = {carrier: Flow(d.discharge * mine, d.charge * mine) for carrier, mine in here.items()}
    residuals |= battery_wear.replayed(v, d, d.energy_max, leaving)
    cash |= battery_wear.paid(v, d, d.energy_max)
    return Replay(residuals, cash, power, flex=lambda: of_storage(d))


def _replay_path(v: View, d: xr.Dataset, suffix: str) -> dict[str, xr.DataArray]:
    charge, discharge, energy = (d[name + suffix] for name in ("charge", "discharge", "energy"))
    yesterday = energy.shift(time=1).fillna(d.energy_initial)
    expected = d.keep * yesterday + v.dt * (d.eta_charge * charge - discharge / d.eta_discharge)
    over = {
        "limit_charge": (charge - d.charge_max * (d.energy_max > 0), "kW"),
        "limit_discharge": (discharge - d.discharge_max * (d.energy_max > 0), "kW"),
        "limit_sign": (-smaller(charge, discharge), "kW"),
        "limit_energy": (larger(energy - d.energy_max, d.energy_min - energy), "kWh"),
    }
    residuals = {"balance": abs(energy - expected).assign_attrs(units="kWh")}
    return residuals | {
        name: excess.clip(min=0).assign_attrs(units=unit) for name, (excess, unit) in over.items()
    }


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Where the segments stand if they fill and empty shallow first, for the next window."""
    return battery_wear.levels(d, d.energy_max)


PART = Part(
    "battery",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    label="batteries",
    entries={
        "wear": Entry("stationary battery wear, discharging", "wear"),
        "wear_charge": Entry("stationary battery wear, charging", "wear"),
        "wear_cycles": Entry("stationary battery wear, depth of cycles", "wear"),
        "wear_calendar": Entry("stationary battery wear, by time", "wear"),
        "energy_left": Entry(),
    },
    limit_labels={
        "charge": "charging power of a battery",
        "discharge": "discharging power of a battery",
        "energy": "battery full",
        "throughput": "cycles of a battery",
        "cyclic": "energy at the end as at the start",
        **formulas_storage.LIMIT_LABELS,
        **battery_wear.LIMIT_LABELS,
    },
    balances=frozenset({"balance", "cycles", *battery_wear.BALANCES}),
    without_flexibility=lambda d: xr.zeros_like(d.charge_max),
    limits_sums=lambda d: (
        formulas_storage.counts_alike(d)
        and bool((d.cycles_max.isnull() & (d.carrier == "electricity")).all())
    ),
    state_inputs={
        "energy_initial": "energy",
        "baseline_initial": "energy_baseline",
        "throughput_initial": "throughput",
        "segment_initial": "segment_level",
        "energy_final": "energy_initial",
    },
    postprocess=postprocess,
    terminal_storage={"energy": "balance"},
    end_of_window_inputs={"cyclic": 0.0, "energy_value": 0.0},
)
