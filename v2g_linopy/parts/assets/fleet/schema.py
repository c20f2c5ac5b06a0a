"""Fields of a fleet, and rules between them."""

import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema, violations, worst_violation
from ....errors import Problem
from ....model import battery_wear
from ..reserve_room import baseline_initial
from . import power_limits

NAN = float("nan")


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: room for the need, nothing needed while away, no arrival fuller than
    the battery.
    """
    rules = (
        (
            "energy_min",
            d.energy_min > d.energy_max + 1e-9,
            d.energy_min,
            "more than energy_max at that step",
        ),
        (
            "energy_min",
            (d.energy_min > 0) & ~is_active(d),
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
            place, value = worst_violation(array.broadcast_like(wrong), wrong, calendar)
            more = f" (and {count - 1} more)" if count > 1 else ""
            problems.append(
                Problem(f"fleet.{name}", "consistency", f"{place}{value:g}{more}, {detail}")
            )
    return problems + battery_wear.wear_problems(d, "fleet", calendar)


def _allowance_problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """What owners allow holds for one vehicle at a time, and more cannot have been used before."""
    if "allowance" not in d:
        return []
    limited = d.allowance.notnull()
    begin = d.allowance.isel(time=0, drop=True) if "time" in d.allowance.dims else d.allowance
    goes_on = 1 - d.get("restart", xr.zeros_like(begin))
    goes_on = goes_on.isel(time=0, drop=True) if "time" in goes_on.dims else goes_on
    many = "kWh for many vehicles at once; contracts need rows that hold one session at a time"
    more = "kWh, more than allowance at the first step; give what is left, or restart there"
    rules = [
        ("allowance", limited & (d.aggregate > 0), d.allowance, many),
        ("allowance_used", d.allowance_used * goes_on > begin + 1e-9, d.allowance_used, more),
    ]
    return violations("fleet", rules, calendar)


def with_restarts(d: xr.Dataset) -> xr.Dataset:
    """Count the allowance anew where another session begins, unless `restart` says where.

    At the first step `allowance_used` says what has been used.
    """
    if "allowance" not in d or "restart" in d:
        return d
    if "session" not in d or "time" not in d.session.dims:
        return d.assign(restart=0.0)
    began = (d.session != d.session.shift(time=1)) & (d.time != d.time[0])
    return d.assign(restart=began.astype(float))


SCHEMA = Schema(
    inputs=(
        Field("charge_max", "fleet time", "kW", "power the plugged vehicles can draw", ge=0),
        Field(
            "discharge_max",
            "fleet time",
            "kW",
            "power they can feed in; 0 is smart charging",
            default=0.0,
            ge=0,
        ),
        Field(
            "energy_min",
            "fleet time",
            "kWh",
            "least energy on board at the end of the step",
            default=0.0,
            ge=0,
        ),
        Field(
            "energy_max", "fleet time", "kWh", "most energy on board at the end of the step", ge=0
        ),
        Field(
            "energy_initial",
            "fleet",
            "kWh",
            "energy on board before the first step",
            default=0.0,
            ge=0,
        ),
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
        Field(
            "energy_in",
            "fleet time",
            "kWh",
            "energy on board of arriving vehicles",
            default=0.0,
            ge=0,
        ),
        Field(
            "energy_out",
            "fleet time",
            "kWh",
            "energy driven, or due on board of departing vehicles",
            default=0.0,
            ge=0,
        ),
        Field(
            "spill_max", "fleet time", "kWh", "energy that may leave beyond that", default=0.0, ge=0
        ),
        Field("eta_charge", "fleet time", "1", "charging efficiency", default=0.95, ge=0.5, le=1),
        Field(
            "eta_discharge", "fleet time", "1", "discharging efficiency", default=0.95, ge=0.5, le=1
        ),
        Field("wear", "fleet", "EUR/kWh", "wear per kWh leaving the battery", default=0.0, ge=0),
        Field(
            "wear_charge",
            "fleet",
            "EUR/kWh",
            "wear per kWh entering the battery",
            default=0.0,
            ge=0,
        ),
        *battery_wear.inputs("fleet", "fleet time"),
        Field(
            "wear_capacity",
            "fleet time",
            "kWh",
            "battery that depth and state of charge refer to; by default the most it holds between"
            " two arrivals",
            ABSENT,
            ge=0,
        ),
        Field(
            "retail_price",
            "fleet time",
            "EUR/kWh",
            "drivers pay this on need_billed less what is not served; without need_billed, on the"
            " expected net energy drawn",
            default=0.0,
        ),
        Field(
            "need_billed",
            "fleet time",
            "kWh",
            "energy at the grid that drivers asked for, in the step of departure",
            ABSENT,
            ge=0,
        ),
        Field(
            "unserved_cost",
            "fleet",
            "EUR/kWh",
            "penalty on need not served; NaN: must serve",
            10.0,
            ge=0,
            missing=True,
        ),
        Field(
            "slack_cost",
            "fleet",
            "EUR/kWh",
            "penalty on balance slack; NaN: no slack",
            NAN,
            ge=0,
            missing=True,
        ),
        Field(
            "allowance",
            "fleet time",
            "kWh",
            "energy at the grid that the owner lets be discharged since the last restart, by the"
            " end of the step; NaN: any",
            ABSENT,
            ge=0,
            missing=True,
        ),
        Field(
            "restart",
            "fleet time",
            "1",
            "1: what is discharged counts anew from this step on; by default where another session"
            " begins",
            ABSENT,
            kind="flag",
        ),
        Field(
            "allowance_used",
            "fleet",
            "kWh",
            "energy discharged under the allowance before the first step, as metered",
            default=0.0,
            ge=0,
            beside="allowance",
        ),
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
        Field(
            "taper_to",
            "fleet time",
            "1",
            "share of charge_max left at energy_max",
            NAN,
            ge=0,
            le=1,
            missing=True,
        ),
        Field(
            "aggregate",
            "fleet",
            "1",
            "1: many vehicles, may charge and discharge in one step",
            0.0,
            kind="flag",
        ),
        Field(
            "vehicles",
            "fleet",
            "1",
            "vehicles the member stands for, in figures per vehicle",
            default=1.0,
            ge=0,
        ),
        Field("pod", "fleet", "", "point of delivery of the member", default="site", kind="label"),
        Field("connector", "fleet", "", "connector of the member", default=ABSENT, kind="label"),
        Field(
            "charger",
            "fleet",
            "",
            "charger its plug belongs to, empty for none",
            ABSENT,
            kind="label",
            of="charger",
        ),
        Field(
            "session",
            "fleet time",
            "",
            "session connected in the step, -1 for none",
            default=ABSENT,
            kind="label",
        ),
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
        Field(
            "charging", "fleet time", "1", "1 charging, 0 discharging, where one excludes the other"
        ),
        Field("charge_on", "fleet time", "1", "1 while it charges, where there is a least power"),
        Field(
            "discharge_on", "fleet time", "1", "1 while it discharges, where there is a least power"
        ),
        Field(
            "charge_room",
            "fleet time",
            "kW",
            "charging power left by the taper, where reserves may need it",
        ),
        Field(
            "used",
            "fleet time",
            "kWh",
            "energy discharged since the last restart, where an allowance limits it",
        ),
        Field("charge_baseline", "fleet time", "kW", "charging power if no reserve is activated"),
        Field(
            "discharge_baseline", "fleet time", "kW", "discharging power if no reserve is activated"
        ),
        Field("energy_baseline", "fleet time", "kWh", "energy on board if no reserve is activated"),
        Field(
            "spill_baseline",
            "fleet time",
            "kWh",
            "energy leaving beyond what had to, if no reserve is activated",
        ),
        Field("charging_baseline", "fleet time", "1", "1 charging, 0 discharging on the baseline"),
        *battery_wear.outputs("fleet"),
        Field(
            "segment_trip", "fleet segment time", "kWh", "energy leaving each segment by driving"
        ),
        Field(
            "trip_passed",
            "fleet time",
            "kWh",
            "energy driven beyond what was on board, charged in the same step",
        ),
    ),
    checks=(_consistent, _allowance_problems),
    completions=(battery_wear.completed, battery_wear.longest_capacity, with_restarts),
)


def is_active(d: xr.Dataset) -> xr.DataArray:
    """Return True where the member holds or moves energy.

    Elsewhere nothing is connected, and its energy is 0.
    """
    return (
        (d.keep > 0)
        | (d.charge_max > 0)
        | (d.discharge_max > 0)
        | (d.energy_in > 0)
        | (d.energy_out > 0)
    )
