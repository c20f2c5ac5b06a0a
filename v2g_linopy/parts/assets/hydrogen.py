"""Hydrogen sites: electrolyser, tank and fuel cell, hydrogen used in the pod or sold
(docs/formulation.md §7)."""

import xarray as xr

from ...algebra.expression import Expression
from ...case.schema import ABSENT, Calendar, Field, Schema, violations
from ...errors import Problem
from ...model.formulas import first, larger, last, previous, previous_data, smaller
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope
from ...model.terms import Edge, Flex, Flow, Replay, Store, Terms, decided_cash
from ...model.view import View

INF, NAN = float("inf"), float("nan")


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: a load it can run at, a tank that is one and starts within it, one
    state to start from.
    """
    least, start = d.electrolyser_min, d.energy_initial
    final = d.get("energy_final", start.clip(d.energy_min, d.energy_max))
    both = (d.on_initial > 0) & (d.standby_initial > 0)
    nowhere = (d.standby_initial > 0) & d.standby_power.isnull()
    rules = (
        (
            "electrolyser_min",
            (least > d.electrolyser_max + 1e-9) & (d.electrolyser_max > 0),
            least,
            "kW, more than electrolyser_max",
        ),
        (
            "energy_min",
            d.energy_min > d.energy_max + 1e-9,
            d.energy_min,
            "kWh, more than energy_max",
        ),
        ("energy_initial", start > d.energy_max + 1e-6, start, "kWh, more than energy_max"),
        ("energy_initial", start < d.energy_min - 1e-6, start, "kWh, less than energy_min"),
        ("energy_final", final > d.energy_max + 1e-6, final, "kWh, more than energy_max"),
        ("energy_final", final < d.energy_min - 1e-6, final, "kWh, less than energy_min"),
        ("standby_initial", both, d.standby_initial, "and on_initial too: it is on or in standby"),
        (
            "standby_initial",
            nowhere,
            d.standby_initial,
            "but it has no standby; give standby_power",
        ),
    )
    return violations("hydrogen", rules, calendar)


SCHEMA = Schema(
    inputs=(
        Field(
            "electrolyser_max",
            "hydrogen time",
            "kW",
            "most electricity the electrolyser takes",
            default=0.0,
            ge=0,
        ),
        Field(
            "electrolyser_min",
            "hydrogen",
            "kW",
            "least it takes while it is on (minimum load)",
            0.0,
            ge=0,
        ),
        Field(
            "eta_electrolyser",
            "hydrogen",
            "1",
            "hydrogen (LHV) per electricity",
            default=0.65,
            ge=0.1,
            le=1,
        ),
        Field(
            "standby_power",
            "hydrogen",
            "kW",
            "power drawn in standby; NaN: no standby",
            NAN,
            ge=0,
            missing=True,
        ),
        Field(
            "fuel_cell_max",
            "hydrogen time",
            "kW",
            "most electricity the fuel cell makes",
            default=0.0,
            ge=0,
        ),
        Field(
            "eta_fuel_cell",
            "hydrogen",
            "1",
            "electricity per hydrogen (LHV)",
            default=0.5,
            ge=0.1,
            le=1,
        ),
        Field(
            "energy_max",
            "hydrogen",
            "kWh",
            "capacity of the tank (LHV; 33.33 kWh per kg)",
            default=0.0,
            ge=0,
        ),
        Field(
            "energy_min",
            "hydrogen",
            "kWh",
            "least hydrogen in the tank (cushion)",
            default=0.0,
            ge=0,
        ),
        Field(
            "energy_initial",
            "hydrogen",
            "kWh",
            "hydrogen in it before the first step",
            default=0.0,
            ge=0,
        ),
        Field(
            "keep", "hydrogen", "1", "share of it kept from step to step", default=1.0, ge=0, le=1
        ),
        Field(
            "cyclic",
            "hydrogen",
            "1",
            "1: ends with the hydrogen it started with",
            default=0.0,
            kind="flag",
        ),
        Field(
            "energy_final",
            "hydrogen",
            "kWh",
            "that of a cyclic end, if another than energy_initial",
            ABSENT,
            ge=0,
        ),
        Field(
            "energy_value",
            "hydrogen",
            "EUR/kWh",
            "value of a kWh gained in the tank from start to end",
            default=0.0,
        ),
        Field("sale_price", "hydrogen time", "EUR/kWh", "price of hydrogen sold", default=0.0),
        Field(
            "sale_max",
            "hydrogen time",
            "kW",
            "most hydrogen sold",
            default=0.0,
            ge=0,
            infinite=True,
        ),
        Field(
            "wear",
            "hydrogen",
            "EUR/h",
            "wear of the electrolyser while it is on",
            default=0.0,
            ge=0,
        ),
        Field(
            "wear_standby",
            "hydrogen",
            "EUR/h",
            "wear of the electrolyser in standby",
            default=0.0,
            ge=0,
        ),
        Field("wear_start", "hydrogen", "EUR", "wear of a start from off", default=0.0, ge=0),
        Field(
            "on_initial",
            "hydrogen",
            "1",
            "1: electrolyser on before the first step",
            default=0.0,
            kind="flag",
        ),
        Field(
            "standby_initial",
            "hydrogen",
            "1",
            "1: in standby before the first step",
            default=0.0,
            kind="flag",
        ),
        Field(
            "pod", "hydrogen", "", "point of delivery of the member", default="site", kind="label"
        ),
    ),
    outputs=(
        Field(
            "electrolysis",
            "hydrogen time",
            "kW",
            "electricity the electrolyser takes, standby apart",
        ),
        Field("generation", "hydrogen time", "kW", "electricity the fuel cell makes"),
        Field("energy", "hydrogen time", "kWh", "hydrogen in the tank at the end of the step"),
        Field("sold", "hydrogen time", "kW", "hydrogen sold"),
        Field(
            "on", "hydrogen time", "1", "1 while the electrolyser is on, where that is a decision"
        ),
        Field("standby", "hydrogen time", "1", "1 in standby"),
        Field("start", "hydrogen time", "1", "1 in the step in which it starts from off"),
    ),
    checks=(_consistent,),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Electrolyser c, fuel cell g [kW electric], tank e [kWh], sale q [kW].

    All are on the hydrogen node (docs/formulation.md §7).

    With u on, b in standby (binaries), y a start from off (it follows)::

        hydrogen fed = eta_electrolyser c - g / eta_fuel_cell - q - (e - keep e_{t-1}) / dt
        electrolyser_min u <= c <= electrolyser_max u,   electricity drawn = c + standby_power b
        u + b <= 1,   b <= u_{t-1} + b_{t-1},
        u - u_{t-1} - b_{t-1} <= y <= min(u, 1 - u_{t-1} - b_{t-1})
        0 <= g <= fuel_cell_max,   energy_min <= e <= energy_max,   0 <= q <= sale_max
        cyclic => e_T = energy_final, by default e_0
        cash = dt sale_price q - dt wear u - dt wear_standby b - wear_start y
               + energy_value (e_T - e_0)

    Standby is entered from on, never from off. The mass balance is that of the pod: sites of one
    pod share a pipe, and a load of the carrier hydrogen draws from it. An electrolyser without
    minimum load, standby and wear takes no binaries. Electrolyser and fuel cell are two devices and
    may run in one step.

    Both hold reserve in their present state: up (c - electrolyser_min u) + (fuel_cell_max - g),
    down (electrolyser_max u - c) + g. Endurance is counted in the tank, at the rate of the fuel
    cell where there is one, else of the electrolyser; what is sold or drawn by loads is not
    touched. The guarantee `expected` asks for no hydrogen: a fuel cell that has none can sell it,
    as an empty battery can.
    """
    time, decided = s.axis("time"), _committed(d)
    c = s.var_where("electrolysis", d.electrolyser_max > 0, d.electrolyser_max)
    g = s.var_where("generation", d.fuel_cell_max > 0, d.fuel_cell_max)
    q = s.var_where("sold", d.sale_max > 0, d.sale_max)
    e = s.var("energy", lower=d.energy_min, upper=d.energy_max)
    s.add(
        "cyclic",
        e == d.get("energy_final", d.energy_initial),
        mask=(d.cyclic > 0) & (last(time) > 0),
    )
    u, b, y = _states(s, d, c, decided)
    on = u + _always(d)

    start, rate = d.keep * (previous(e) + d.energy_initial * first(time)), _rate(d)

    def edges() -> tuple[Edge[Expression], Edge[Expression]]:
        low = smaller(d.energy_min, d.keep * previous_data(d.energy_min, d.energy_initial, time))
        high = larger(d.energy_max, d.keep * previous_data(d.energy_max, d.energy_initial, time))
        return Edge(start - low, high - start), Edge(e - d.energy_min, d.energy_max - e)

    cash = {
        "sale": (d.sale_price, d.sale_price * s.dt * q),
        "wear": (d.wear, -d.wear * s.dt * u),
        "wear_standby": (d.wear_standby, -d.wear_standby * s.dt * b),
        "wear_start": (d.wear_start, -d.wear_start * y),
        "energy_left": (d.energy_value, d.energy_value * last(time) * (e - d.energy_initial)),
    }
    return Terms(
        power={
            "electricity": Flow(injection=g, withdrawal=c + d.standby_power.fillna(0.0) * b),
            "hydrogen": Flow(
                injection=d.eta_electrolyser * c + start / s.dt,
                withdrawal=g / d.eta_fuel_cell + q + e / s.dt,
            ),
        },
        cash=decided_cash(cash),
        flex=Flex(
            up=c - d.electrolyser_min * on + d.fuel_cell_max - g,
            down=d.electrolyser_max * on - c + g,
            range_max=d.electrolyser_max + d.fuel_cell_max,
            store=Store(edges, rate, 1 / rate, d.keep),
        ),
    )


def _committed(d: xr.Dataset) -> xr.DataArray:
    """Return True for an electrolyser whose state is a decision."""
    some = (d.electrolyser_min > 0) | d.standby_power.notnull() | (d.wear > 0) | (d.wear_start > 0)
    return some & _able(d)


def _able(d: xr.Dataset) -> xr.DataArray:
    """Return True for an electrolyser that can run at all."""
    return (d.electrolyser_max > 0).any([x for x in d.electrolyser_max.dims if x == "time"])


def _always(d: xr.Dataset) -> xr.DataArray:
    """Return 1 for an electrolyser that is always on."""
    return (_able(d) & ~_committed(d)).astype(float)


def _rate(d: xr.Dataset) -> xr.DataArray:
    """Most hydrogen that moves with a kWh of activated electricity."""
    return xr.where(d.fuel_cell_max > 0, 1 / d.eta_fuel_cell, d.eta_electrolyser)


def _states(
    s: Scope, d: xr.Dataset, c: Expression, decided: xr.DataArray
) -> tuple[Expression, Expression, Expression]:
    """On, standby and start of the electrolysers whose state is a decision."""
    ready = decided & d.standby_power.notnull()
    u = s.var_where("on", decided, binary=True)
    b = s.var_where("standby", ready, binary=True)
    y = s.var_where("start", decided, 1.0)
    before = previous(u + b) + (d.on_initial + d.standby_initial) * first(s.axis("time"))
    s.add("electrolyser_max", c - d.electrolyser_max * u <= 0, mask=decided)
    s.add(
        "electrolyser_min", c - d.electrolyser_min * u >= 0, mask=decided & (d.electrolyser_min > 0)
    )
    s.add("one_state", u + b <= 1, mask=ready)
    s.add("standby_from_on", b - before <= 0, mask=ready)
    s.add("start_from_off", y - u + before >= 0, mask=decided)
    s.add("start_is_on", y - u <= 0, mask=decided)
    s.add("start_was_off", y + before <= 1, mask=decided)
    return u, b, y


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """An electrolyser that is out of service all along is off, for the next window."""
    return (
        {}
        if bool(_able(d).all())
        else {n: xr.zeros_like(d.energy) for n in ("on", "standby") if n not in d}
    )


def replay(v: View, d: xr.Dataset) -> Replay:
    """Limits, states and their order, tank and cash of every site.

    The audit adds up the hydrogen of each pod.
    """
    able, decided = _replay_able(d), _replay_decided(d)
    none = xr.zeros_like(d.energy)
    taken, made, sold = (d.get(name, none) for name in ("electrolysis", "generation", "sold"))
    u, b = (d.get(name, none).where(decided, 0.0) for name in ("on", "standby"))
    on = u + (able & ~decided)
    awake = _before(u + b, d.on_initial + d.standby_initial)
    started = (u - awake).clip(min=0).where(decided, 0.0)
    over = {
        "limit_electrolyser": taken - d.electrolyser_max * on,
        "limit_load": d.electrolyser_min * on - taken,
        "limit_fuel_cell": made - d.fuel_cell_max,
        "limit_sold": sold - d.sale_max,
        "limit_sign": -smaller(smaller(taken, made), sold),
    }
    residuals = {name: excess.clip(min=0).assign_attrs(units="kW") for name, excess in over.items()}
    outside = larger(d.energy - d.energy_max, d.energy_min - d.energy)
    gained = d.energy.isel(time=-1, drop=True) - d.energy_initial
    residuals["limit_energy"] = outside.clip(min=0).assign_attrs(units="kWh")
    missed = abs(d.energy.isel(time=-1, drop=True) - d.get("energy_final", d.energy_initial))
    residuals["cyclic"] = missed.where(d.cyclic > 0, 0.0).assign_attrs(units="kWh")
    states = {
        "state": larger(abs(u - u.round()), abs(b - b.round())),
        "one_state": (u + b - 1).clip(min=0),
        "standby": (
            larger(b - awake, b.where(d.standby_power.isnull(), 0.0))
            .where(decided, 0.0)
            .clip(min=0)
        ),
        "started": abs(d.get("start", none) - started).where(decided, 0.0),
    }
    residuals |= {name: wrong.assign_attrs(units="1") for name, wrong in states.items()}
    cash = {
        "sale": d.sale_price * v.dt * sold,
        "wear": -(d.wear * v.dt * u),
        "wear_standby": -(d.wear_standby * v.dt * b),
        "wear_start": -(d.wear_start * started),
        "energy_left": d.energy_value * gained * last(v.calendar.time),
    }
    tank = (d.energy - d.keep * _before(d.energy, d.energy_initial)) / v.dt
    used = made / d.eta_fuel_cell + sold
    power = {
        "electricity": Flow(made, taken + d.standby_power.fillna(0.0) * b),
        "hydrogen": Flow(d.eta_electrolyser * taken, used + tank),
    }
    return Replay(residuals, cash, power, flex=_replay_flex(d, taken, made, on))


def _replay_able(d: xr.Dataset) -> xr.DataArray:
    """Return True for an electrolyser that has power in some step."""
    axis = [x for x in ("time",) if x in d.electrolyser_max.dims]
    return d.electrolyser_max.max(axis) > 0


def _replay_decided(d: xr.Dataset) -> xr.DataArray:
    """Return True for such an electrolyser whose state matters: load, standby or wear."""
    reasons = (d.electrolyser_min, d.wear, d.wear_start)
    matters = sum(x.clip(min=0) for x in reasons) > 0
    return _replay_able(d) & (matters | ~d.standby_power.isnull())


def _replay_flex(d: xr.Dataset, taken: xr.DataArray, made: xr.DataArray, on: xr.DataArray) -> Flex:
    """Room in the present state, and hydrogen and space in the tank at both edges of the step."""
    left, shape = d.keep * _before(d.energy, d.energy_initial), xr.ones_like(d.energy)
    low = smaller(d.energy_min, d.keep * _before(d.energy_min * shape, d.energy_initial))
    high = larger(d.energy_max, d.keep * _before(d.energy_max * shape, d.energy_initial))
    edges = Edge(left - low, high - left), Edge(d.energy - d.energy_min, d.energy_max - d.energy)
    moved = d.eta_electrolyser.where(d.fuel_cell_max <= 0, 1 / d.eta_fuel_cell)
    return Flex(
        up=(taken - d.electrolyser_min * on) + (d.fuel_cell_max - made),
        down=(d.electrolyser_max * on - taken) + made,
        store=Store(lambda: edges, moved, 1 / moved, d.keep),
    )


def _before(x: xr.DataArray, initial: xr.DataArray) -> xr.DataArray:
    """x one step earlier, and `initial` before the first."""
    return xr.where(x.time == x.time[0], initial, x.shift(time=1))


PART = Part(
    "hydrogen",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    label="hydrogen plants",
    member_label="hydrogen plant",
    entries={
        "sale": Entry("hydrogen sold", "energy"),
        "wear": Entry("electrolyser wear, running", "wear"),
        "wear_standby": Entry("electrolyser wear, in standby", "wear"),
        "wear_start": Entry("electrolyser wear, starts", "wear"),
        "energy_left": Entry("hydrogen gained in the tank, at its value"),
    },
    limit_labels={
        "electrolysis": "electrolyser power",
        "electrolyser_max": "electrolyser power",
        "electrolyser_min": "least electrolyser power while it is on",
        "generation": "fuel cell power",
        "sold": "hydrogen that may be sold",
        "energy": "hydrogen store full",
        "cyclic": "hydrogen at the end as at the start",
    },
    state_inputs={
        "energy_initial": "energy",
        "on_initial": "on",
        "standby_initial": "standby",
        "energy_final": "energy_initial",
    },
    postprocess=postprocess,
    end_of_window_inputs={"cyclic": 0.0, "energy_value": 0.0},
)
