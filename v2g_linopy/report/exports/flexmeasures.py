"""FlexMeasures: a fleet as flex-model and flex-context, and schedules there and back.

The fields are those of the StorageScheduler, as the page "Flexibility configuration" of the
documentation of FlexMeasures has them (API v3.0; looked up on 2026-12-01, in the state in which
`soc-unit` is deprecated and quantities carry their unit).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...case.units import factor
from ...errors import Problem
from ...model.inputs import Inputs, inputs_of
from ...model.reserve_rules import supplied
from ...parts.assets.fleet import power_limits
from ...parts.catalogue import PARTS
from ...solve.solve import solve
from ..result_view import ResultView
from .exported import Exported, places, refuse

SOURCE = "the fleet as a request to FlexMeasures"
MONEY = ("wear", "wear_charge", "retail_price", "calendar_cost", "calendar_cost_soc")
"""Fields of money that the scheduler has no words for; it plans without them."""
TARIFF = ("peak_price", "overrun_price", "subscribed_price", "fixed_cost", "capacity_cost")
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")
FIELDS = (
    *("charge_max", "discharge_max", "energy_min", "energy_max", "energy_initial", "keep"),
    *("energy_in", "energy_out", "eta_charge", "eta_discharge"),
)


Sensors = Mapping[str, int | str]
"""Number of the power sensor of each device."""


@dataclass(frozen=True)
class _Stay:
    """One battery at one plug: a device of FlexMeasures, with a power sensor of its own."""

    name: str
    member: str
    begin: int
    end: int
    sensor: int


def to_flexmeasures(case: xr.DataTree, *, sensors: Sensors | None = None) -> dict[str, Any]:
    """Return what FlexMeasures is asked to plan a fleet: its flex-model and its flex-context.

    Every stay of a vehicle is a device of its own, as another battery comes next: ``ev-1`` where a
    member has one stay, else ``ev-1/1``, ``ev-1/2``. Before and after its stay a device has no
    power. Needs are `soc-minima` at the end of their step, driving is `soc-usage`.

    Parameters
    ----------
    case : DataTree
        With a fleet at one point of delivery that trades at one market, or has a supplier.
    sensors : mapping of str to int, optional
        Number of the power sensor of each device. By default 1, 2, ... in the order of the fleet.

    Returns
    -------
    dict
        The body of a request to ``/api/v3_0/assets/(id)/schedules/trigger``: ``start``,
        ``duration``, ``flex-model`` and ``flex-context``. Every quantity has its unit; times are
        UTC with offset.

    Raises
    ------
    SchemaError
        Every limit that the scheduler has no words for, with its place.

    References
    ----------
    FlexMeasures, documentation, "Flexibility configuration" and API v3.0 (looked up on 2026-12-01).

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> asked = v2g.to_flexmeasures(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> sorted(asked)
    ['duration', 'flex-context', 'flex-model', 'start']
    """
    found: dict[str, Any] = export_request(case, sensors=sensors).document
    return found


def export_request(case: xr.DataTree, *, sensors: Sensors | None = None) -> Exported:
    """Return the same with what it leaves out."""
    inputs = inputs_of(case, PARTS)
    refuse(_unsaid(inputs), SOURCE)
    stays = _stays(inputs, sensors)
    d = _full(inputs)
    models = [_flex_model(stay, d.sel(fleet=stay.member, drop=True), inputs) for stay in stays]
    body = _span(inputs) | {"flex-model": models, "flex-context": _flex_context(inputs)}
    return Exported(body, _notes(inputs, stays))


def flexmeasures_schedules(
    result: xr.DataTree, *, sensors: Sensors | None = None
) -> dict[str, Any]:
    """Return a plan as FlexMeasures gives and takes schedules: kW of each device, drawing positive.

    Parameters
    ----------
    result : DataTree
        As `solve` gives it, without scenarios.
    sensors : mapping of str to int, optional
        As of `to_flexmeasures`.

    Returns
    -------
    dict
        By name of the device: ``sensor``, ``start``, ``duration``, ``unit``, ``values``.

    Raises
    ------
    SchemaError
        The plan has scenarios, or no fleet.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> plan = v2g.solve(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> len(v2g.flexmeasures_schedules(plan)["ev-001"]["values"])
    24
    """
    inputs = inputs_of(result, PARTS)
    refuse(_no_fleet(inputs), SOURCE)
    view = ResultView.of(result)
    net = (view.fleet("charge") - view.fleet("discharge")).transpose("fleet", "time")
    found = {}
    for stay in _stays(inputs, sensors):
        power = np.zeros(len(inputs.calendar.time))
        power[stay.begin : stay.end] = net.sel(fleet=stay.member)[stay.begin : stay.end]
        told = {"sensor": stay.sensor, "unit": "kW", "values": power.tolist()}
        found[stay.name] = _span(inputs) | told
    return found


def export_schedules(result: xr.DataTree, *, sensors: Sensors | None = None) -> Exported:
    """Return the same, with a note on signs."""
    note = "values are positive for drawing, as FlexMeasures gives schedules"
    return Exported(flexmeasures_schedules(result, sensors=sensors), (note,))


def follow_schedules(case: xr.DataTree, schedules: Mapping[str, Any]) -> xr.DataTree:
    """Return the result of a case whose fleet follows schedules of FlexMeasures, replayed.

    Parameters
    ----------
    case : DataTree
        The case that `to_flexmeasures` was asked of.
    schedules : mapping of str to dict
        By name of the device, each as FlexMeasures gives it: ``start``, ``duration``, ``unit`` and
        ``values``, positive for drawing.

    Returns
    -------
    DataTree
        As of `solve`, with the powers of the fleet held: energies, bill and audit are those of the
        schedule.

    Raises
    ------
    SchemaError
        Devices that are missing or unknown, other times or units, powers beyond the limits.
    Infeasible
        The schedule cannot be followed: it says which vehicle misses what.
    SolveError
        The solver is missing, or has failed.
    Interrupted
        The user stopped it.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1, regulation=None)
    >>> plan = v2g.solve(case)
    >>> again = v2g.follow_schedules(case, v2g.flexmeasures_schedules(plan))
    >>> abs(again.attrs["profit"] - plan.attrs["profit"]) < 1e-6
    True
    """
    inputs = inputs_of(case, PARTS)
    refuse(_no_fleet(inputs), "the schedules")
    time, fleet = inputs.calendar.time, inputs.data["fleet"].indexes["fleet"]
    power = xr.DataArray(np.zeros((len(fleet), len(time))), {"fleet": fleet, "time": time})
    problems: list[Problem] = []
    stays = {stay.name: stay for stay in _stays(inputs, None)}
    for name in [*schedules, *(n for n in stays if n not in schedules)]:
        if name not in stays or name not in schedules:
            detail = "is no device of the case" if name not in stays else "has no schedule"
            problems.append(Problem(f"schedule {name}", "labels", detail))
            continue
        values = _values(name, schedules[name], inputs, problems)
        if values is not None:
            power.loc[{"fleet": stays[name].member}] += values
    refuse(problems, "the schedules")
    held = {"fleet.charge": power.clip(min=0), "fleet.discharge": (-power).clip(min=0)}
    return solve(case, fix=held)


def _values(name: str, given: Any, inputs: Inputs, problems: list[Problem]) -> np.ndarray | None:
    """Return the powers of one schedule (kW), or say what is wrong with it."""
    where, time = f"schedule {name}", inputs.calendar.time
    try:
        values = np.asarray(given["values"], float)
        start = pd.Timestamp(given["start"])
        length = _length(str(given["duration"]))
        scale = factor(str(given["unit"]), "kW")
    except (KeyError, TypeError, ValueError) as error:
        detail = f"give start, duration, unit and values as FlexMeasures does ({error})"
        problems.append(Problem(where, "type", detail))
        return None
    begin = time[0].tz_localize("UTC")
    if start.tzinfo is None:
        problems.append(Problem(where, "time", f"start {start} has no offset"))
    elif start != begin or length != pd.Timedelta(hours=inputs.dt * len(time)):
        detail = f"{length} from {start}, and the case has {len(time)} steps from {begin}"
        problems.append(Problem(where, "time", detail))
    if values.shape != time.shape:
        detail = f"{values.size} values, and the case has {len(time)} steps"
        problems.append(Problem(where, "dims", detail))
    elif not np.isfinite(values).all():
        problems.append(Problem(where, "nan", "some values are no numbers"))
    if scale is None:
        problems.append(Problem(where, "unit", f"{given['unit']!r} is no unit of power"))
    if scale is None or values.shape != time.shape:
        return None
    return np.asarray(values * scale, float)


# --- devices ----------------------------------------------------------------------------------


def _full(inputs: Inputs) -> xr.Dataset:
    """Return the fields of the fleet that the scheduler reads, each on (fleet, time)."""
    d = inputs.data["fleet"]
    every = xr.DataArray(
        np.zeros((d.sizes["fleet"], len(inputs.calendar.time))),
        {"fleet": d.indexes["fleet"], "time": inputs.calendar.time},
    )
    return xr.Dataset({n: d[n].broadcast_like(every) for n in FIELDS})


def _stays(inputs: Inputs, sensors: Sensors | None) -> list[_Stay]:
    """Return every stay in which there is any power, in the order of the fleet and of time."""
    d, found, problems = _full(inputs), list[_Stay](), list[Problem]()
    for member in d.indexes["fleet"]:
        one = d.sel(fleet=member)
        keep, power = one.keep.to_numpy(), (one.charge_max + one.discharge_max).to_numpy()
        cuts = sorted({0, *np.flatnonzero(keep == 0).tolist(), len(keep)})
        spans = [(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if power[a:b].any()]
        for k, (a, b) in enumerate(spans, 1):
            name = str(member) if len(spans) == 1 else f"{member}/{k}"
            number = str(len(found) + 1 if sensors is None else sensors.get(name, ""))
            if not number.isdecimal():
                detail = f"{name}: {number!r} is no number of a power sensor"
                problems.append(Problem("sensors", "missing", detail))
            found.append(_Stay(name, str(member), a, b, int(number) if number.isdecimal() else 0))
    unknown = {*(sensors or ())} - {stay.name for stay in found}
    problems += [Problem("sensors", "unknown", f"{n!r} is no device") for n in sorted(unknown)]
    refuse(problems, SOURCE)
    return found


def _flex_model(stay: _Stay, d: xr.Dataset, inputs: Inputs) -> dict[str, Any]:
    """Return the flex-model of one stay."""
    a, b, dt = stay.begin, stay.end, inputs.dt
    here = np.zeros(len(inputs.calendar.time), bool)
    here[a:b] = True
    arrived = float((d.energy_in - d.energy_out)[a]) if float(d.keep[a]) == 0 else None
    start = float(d.energy_initial[0]) if arrived is None else arrived
    most = float(d.energy_max[a:b].max())
    into, out = (np.where(here, d[n].to_numpy(), 0.0) for n in ("charge_max", "discharge_max"))
    flows = (d.energy_out - d.energy_in).to_numpy() * here / dt
    if arrived is not None:
        flows[a] = 0.0
    model: dict[str, Any] = {
        "sensor": stay.sensor,
        "soc-at-start": _said(start, "kWh"),
        "soc-min": "0 kWh",
        "soc-max": _said(max(most, start), "kWh"),
        "power-capacity": _said(max(into.max(), out.max()), "kW"),
        "consumption-capacity": _segments(into, "kW", inputs),
        "production-capacity": _segments(out, "kW", inputs),
        "charging-efficiency": _said(100 * float(d.eta_charge[a]), "%"),
        "discharging-efficiency": _said(100 * float(d.eta_discharge[a]), "%"),
        "storage-efficiency": _said(100 * float(d.keep[b - 1] if b - a > 1 else 1.0), "%"),
        "prefer-charging-sooner": False,
    }
    ends = inputs.calendar.time + pd.Timedelta(hours=dt)
    need, limit = d.energy_min.to_numpy(), d.energy_max.to_numpy()
    minima = [(ends[k], need[k]) for k in range(a, b) if need[k] > 0]
    maxima = [(ends[k], limit[k]) for k in range(a, b) if limit[k] < most]
    for name, points in (("soc-minima", minima), ("soc-maxima", maxima)):
        if points:
            model[name] = [{"datetime": _utc(t), "value": _said(x, "kWh")} for t, x in points]
    for name, flow in (("soc-usage", flows.clip(min=0)), ("soc-gain", (-flows).clip(min=0))):
        if flow.any():
            model[name] = [_segments(flow, "kW", inputs)]
    return model


def _flex_context(inputs: Inputs) -> dict[str, Any]:
    """Return prices and capacities of the site."""
    currency, data = inputs.calendar.currency, inputs.data
    zero = xr.DataArray(np.zeros(len(inputs.calendar.time)), {"time": inputs.calendar.time})
    buy = sell = zero
    into = out = zero + np.inf
    connection = _connection(inputs)
    if connection is None or not bool(supplied(data["connection"]).sel(pod=_pod(inputs))):
        energy = _market(inputs)
        buy, sell = energy.price + energy.spread / 2, energy.price - energy.spread / 2
        into = out = energy.limit + zero
    if connection is not None:
        c = connection
        buy = buy + (1 + c.vat) * (c.supply_price.fillna(0.0) + c.fee_import + c.tax) + c.usage_cost
        sell = sell + c.feed_in_price.fillna(0.0) - c.fee_export - c.usage_cost
        into, out = np.minimum(into, c.import_max), np.minimum(out, c.export_max)
    unit = f"{currency}/MWh"
    context: dict[str, Any] = {
        "consumption-price": _segments(1000 * (buy + zero).to_numpy(), unit, inputs),
        "production-price": _segments(1000 * (sell + zero).to_numpy(), unit, inputs),
    }
    for name, limit in (("consumption", into), ("production", out)):
        if bool(np.isfinite(limit).all()):
            told = _segments((limit + zero).to_numpy(), "kW", inputs)
            context[f"site-{name}-capacity"] = told
    costs = inputs.data["fleet"].unserved_cost
    if bool(costs.notnull().any()):
        context["soc-minima-breach-price"] = _said(float(costs.max()), f"{currency}/kWh")
    return context


def _pod(inputs: Inputs) -> str:
    return str(np.ravel(inputs.data["fleet"].pod.to_numpy())[0])


def _connection(inputs: Inputs) -> xr.Dataset | None:
    """Return the connection of the fleet, if it has one."""
    d = inputs.data.get("connection")
    there = d is not None and _pod(inputs) in d.indexes["pod"]
    return d.sel(pod=_pod(inputs), drop=True) if d is not None and there else None


def _market(inputs: Inputs) -> xr.Dataset:
    d = inputs.data["energy"]
    return d.sel(market=_open(d)[0], drop=True)


def _open(d: xr.Dataset) -> list[Any]:
    """Return the markets in which anything can be traded."""
    traded = (d.limit > 0) & (d.closed == 0)
    some = traded.any([x for x in traded.dims if x != "market"])
    return [m for m in d.indexes["market"] if bool(some.sel(market=m) if some.dims else some)]


# --- what the scheduler cannot keep -----------------------------------------------------------


def _no_fleet(inputs: Inputs) -> list[Problem]:
    problems = []
    if "fleet" not in inputs.data or not inputs.data["fleet"].sizes.get("fleet"):
        problems.append(Problem("/fleet", "missing", "there is no fleet to plan"))
    if inputs.calendar.scenario is not None:
        detail = "a schedule has one future; give a case without scenarios"
        problems.append(Problem("scenario", "consistency", detail))
    return problems


def _unsaid(inputs: Inputs) -> list[Problem]:
    """Return every limit that the scheduler has no words for."""
    if problems := _no_fleet(inputs):
        return problems
    d, time = inputs.data["fleet"], inputs.calendar.time
    full = _full(inputs)
    stays = full.keep.where(full.keep > 0)
    varies = (abs(stays.max("time") - stays.min("time")) > 1e-12) | (
        (stays.min("time") < 1) & (full.keep == 0).any("time")
    )
    cost = d.unserved_cost
    faults = [
        ("aggregate", d.aggregate > 0, "a device is one battery, and this is many vehicles"),
        ("charge_min", power_limits.has_least_power(d, "charge"), "a least power but 0"),
        ("discharge_min", power_limits.has_least_power(d, "discharge"), "a least power but 0"),
        ("taper_from", power_limits.tapered(d), "power that falls with the energy on board"),
        ("spill_max", d.spill_max > 0, "energy that may leave beyond what is driven"),
        ("keep", varies, "losses that are not the same in each step of one stay"),
        ("unserved_cost", cost != cost.max(), "the breach price is one for all devices"),
    ]
    for name in ("eta_charge", "eta_discharge"):
        x = full[name]
        faults.append((name, x.max("time") - x.min("time") > 1e-12, "one efficiency for a stay"))
    if "allowance" in d:
        faults.append(("allowance", d.allowance.notnull(), "what an owner lets be discharged"))
    if "charger" in d:
        faults.append(("charger", d.charger != "", "plugs that share a converter"))

    def shown(cell: dict[str, Any]) -> str:
        moment = cell.get("time")
        at = "" if moment is None else f" {inputs.calendar.local(moment)}"
        return f"{cell['fleet']}{at}"

    every = xr.zeros_like(full.keep.isel(time=0, drop=True), dtype=bool)
    problems = [
        Problem(f"fleet.{name}", "consistency", f"the scheduler has no words for {words}: {at}")
        for name, wrong, words in faults
        if (at := places((xr.DataArray(wrong) | every).transpose("fleet", ...), shown))
    ]
    return problems + _site_problems(inputs, time)


def _site_problems(inputs: Inputs, time: pd.DatetimeIndex) -> list[Problem]:
    """Return what FlexMeasures cannot say of the site: it knows one, with one price each way."""
    problems = []
    pods = sorted({str(x) for x in np.ravel(inputs.data["fleet"].pod.to_numpy())})
    if len(pods) > 1:
        detail = f"{', '.join(pods[:5])}: a request is for one site; give a case for each"
        problems.append(Problem("fleet.pod", "consistency", detail))
    energy = inputs.data.get("energy")
    if energy is None or not energy.sizes.get("market"):
        return problems
    if len(names := _open(energy)) != 1:
        detail = f"{len(names)} markets are open; the flex-context has one price each way"
        problems.append(Problem("energy", "consistency", detail))
    if bool((energy.committed != 0).any()):
        detail = "the scheduler knows no position that was taken before"
        problems.append(Problem("energy.committed", "consistency", detail))
    return problems


def _notes(inputs: Inputs, stays: list[_Stay]) -> tuple[str, ...]:
    """Return what the request leaves out."""
    d = inputs.data["fleet"]
    money = [f"fleet.{n}" for n in MONEY if bool((d[n] != 0).any())]
    money += ["fleet.replacement_cost"] if bool(d.replacement_cost.notnull().any()) else []
    if (c := inputs.data.get("connection")) is not None:
        money += [f"connection.{n}" for n in TARIFF if bool((c[n] > 0).any())]
    notes = []
    if money:
        notes.append(f"the scheduler plans without {', '.join(money)}")
    if other := [n for n in inputs.data if n not in ("fleet", "energy", "connection")]:
        groups = ", ".join(f"/{n}" for n in other)
        notes.append(f"not in the request: {groups}; loads and sun are sensors of your server")
    if bool(d.unserved_cost.notnull().any()):
        notes.append(
            "the breach price is paid on the highest miss and on each hour of it, and not on the"
            " energy alone"
        )
    named = ", ".join(f"{stay.name}={stay.sensor}" for stay in stays[:5])
    return (*notes, f"{len(stays)} devices, with the power sensors {named}")


# --- how quantities and times are written -----------------------------------------------------


def _span(inputs: Inputs) -> dict[str, str]:
    minutes = round(60 * inputs.dt * len(inputs.calendar.time))
    hours, rest = divmod(minutes, 60)
    length = f"PT{hours}H{rest}M" if rest else f"PT{hours}H"
    return {"start": _utc(inputs.calendar.time[0]), "duration": length}


def _length(text: str) -> pd.Timedelta:
    """Read a duration of ISO 8601; pandas reads no long ones."""
    found = DURATION.fullmatch(text)
    if found is None or text in ("P", "PT"):
        raise ValueError(f"{text!r} is no duration such as PT24H")
    days, hours, minutes, seconds = (float(x or 0) for x in found.groups())
    return pd.Timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _segments(values: np.ndarray, unit: str, inputs: Inputs) -> list[dict[str, str]]:
    """Return a quantity over time: one range for steps that are alike."""
    edges = inputs.calendar.time.append(inputs.calendar.time[-1:] + pd.Timedelta(hours=inputs.dt))
    begins = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist()]
    spans = zip(begins, [*begins[1:], len(values)], strict=True)
    return [
        {"start": _utc(edges[a]), "end": _utc(edges[b]), "value": _said(values[a], unit)}
        for a, b in spans
    ]


def _said(value: float, unit: str) -> str:
    """Return a quantity as FlexMeasures reads it."""
    return f"{float(value):.12g} {unit}"


def _utc(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}+00:00"
