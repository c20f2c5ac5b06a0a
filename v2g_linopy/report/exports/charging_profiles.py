"""OCPP: a plan as charging profiles, a `SetChargingProfile` request for each charge point.

The rules are those of the Open Charge Point Protocol: OCPP 2.1 Edition 1, part 2, functional blocks
K (smart charging) and Q (bidirectional power transfer), and OCPP 1.6 Edition 2, §3.13 and §5.16.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy
from ..result_view import Result, ResultView
from .exported import Exported, places, refuse

MOST_PERIODS = 1024
"""Periods of one schedule that the JSON schema of OCPP 2.1 allows; a station may take fewer."""
WATTS = 1000.0
DIGITS = 1
"""Digits after the point that a limit or set-point may have (as the schema of 1.6 says)."""
LEAST = 0.05
"""W that are written as nothing, being nothing at that many digits."""
Version = Literal["2.1", "1.6"]
PURPOSE = {False: "TxDefaultProfile", True: "TxProfile"}


@dataclass(frozen=True)
class _Rules:
    """What the caller says of the stations."""

    version: Version
    most_periods: int
    stack_level: int
    ramp: float | None
    transactions: Mapping[str, str]


def charging_profiles(
    result: Result,
    version: Version = "2.1",
    *,
    scenario: Hashable | None = None,
    most_periods: int = MOST_PERIODS,
    stack_level: int = 0,
    ramp: float | None = None,
    transactions: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return the `SetChargingProfile` requests that make charge points follow a plan.

    Every connector of the fleet is a charge point: its name is that of its `connector`, or of the
    member, or of its `charger`, whose plugs are then the EVSEs 1, 2, ... Schedules are absolute, in
    UTC and W, and begin with the plan. Steps alike are one period. A step without power is `Idle`
    (OCPP 2.1) or a limit of 0 (1.6). In OCPP 2.1 every other step is a `CentralSetpoint` between
    the limits of the case; discharge is negative. OCPP 1.6 knows limits of charging alone.

    Parameters
    ----------
    result : DataTree
        As `solve` or `simulate` gives it, with a fleet.
    version : {"2.1", "1.6"}, default "2.1"
        Of OCPP.
    scenario : hashable, optional
        Which one, where the plan has several.
    most_periods : int, default 1024
        Periods that a station takes in one schedule: `PeriodsPerSchedule` (2.1) or
        `ChargingScheduleMaxPeriods` (1.6). A longer plan becomes several profiles of OCPP 2.1, each
        valid until the next begins; in OCPP 1.6 a later one would replace the earlier, and a longer
        plan is refused.
    stack_level : int, default 0
        Of every profile; higher ones have precedence in the station.
    ramp : float, optional
        kW per minute by which a station can change its power. A change that takes longer than the
        step is refused.
    transactions : mapping of str to str, optional
        Number of the running transaction of a charge point, or of one plug of several
        (``"hub/2"``). Its profile is then a `TxProfile`, which ends with the session; all others
        are `TxDefaultProfile`.

    Returns
    -------
    list of dict
        One for each profile: ``chargePoint``, and ``message``, the call of OCPP-J (``[2, id,
        "SetChargingProfile", payload]``).

    Raises
    ------
    SchemaError
        Everything that the format or a station cannot do: discharge in OCPP 1.6, members of many
        vehicles, powers below the least, ramps, too many periods.

    References
    ----------
    The schemas of `SetChargingProfileRequest` of OCPP 2.1 and 1.6, and their descriptions.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> plan = v2g.solve(v2g.commuters(vehicles=1, days=1))
    >>> first = v2g.charging_profiles(plan)[0]
    >>> first["message"][3]["chargingProfile"]["chargingSchedule"][0]["chargingRateUnit"]
    'W'
    """
    rules = _Rules(version, most_periods, stack_level, ramp, dict(transactions or {}))
    found: list[dict[str, Any]] = profiles_of(result, rules, scenario).document
    return found


def export_profiles(
    result: Result,
    version: Version,
    *,
    scenario: str | None = None,
    most_periods: int = MOST_PERIODS,
    stack_level: int = 0,
    ramp: float | None = None,
    transactions: Mapping[str, str] | None = None,
) -> Exported:
    """Return the same with what it leaves out."""
    rules = _Rules(version, most_periods, stack_level, ramp, dict(transactions or {}))
    return profiles_of(result, rules, scenario)


def profiles_of(result: Result, rules: _Rules, scenario: Hashable | None) -> Exported:
    """Return the requests and the notes of a plan."""
    view = _view(result, scenario)
    plan = _plan(view)
    stations = _stations(view)
    refuse(
        [*_arguments(rules, stations), *_faults(view, plan, rules)],
        "the plan as charging profiles",
    )
    messages: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for member, (station, evse) in stations.items():
        begun = [m for m in messages if m["chargePoint"] == station]
        one = plan.sel(fleet=member, drop=True).assign_attrs(member=member)
        pieces, wrong = _pieces(one, view, rules, _plug((station, evse), stations))
        problems += wrong
        for k, piece in enumerate(pieces, len(begun) + 1):
            call = [2, str(len(messages) + 1), "SetChargingProfile", _payload(piece, evse, k)]
            messages.append({"chargePoint": station, "message": call})
    refuse(problems, "the plan as charging profiles")
    return Exported(messages, _notes(view, plan, rules))


# --- what the plan says -----------------------------------------------------------------------


def _view(result: Result, scenario: Hashable | None) -> ResultView:
    """Open one scenario of a plan that has a fleet."""
    view = ResultView.of(result)
    problems = []
    if not len(view.members):
        detail = "nothing to export: the plan has no fleet, and charge points are its members"
        problems.append(Problem("/fleet", "missing", detail))
    elif not view.has("fleet", "charge") and not view.has("ledger"):
        detail = "is a case without a plan: run `v2g solve` and give its result.nc"
        problems.append(Problem("/fleet", "missing", detail))
    names = [str(name) for name in view.scenario_names]
    if names and str(scenario) not in names:
        detail = "a charge point follows one scenario, and the plan has several"
        problems.append(Problem("scenario", "choice", detail, (Remedy("scenario", tuple(names)),)))
    elif scenario is not None and not names:
        problems.append(Problem("scenario", "unknown", "the plan has none"))
    refuse(problems, "the plan as charging profiles")
    chosen = next((n for n in view.scenario_names if str(n) == str(scenario)), None)
    return view.of_scenario(chosen)


def _plan(view: ResultView) -> xr.Dataset:
    """Return set-points, limits and least powers in W, and who is connected, on (fleet, time)."""
    limits = {
        name: (WATTS * view.fleet(field)).round(DIGITS)
        for name, field in (
            ("most", "charge_max"),
            ("most_out", "discharge_max"),
            ("least", "charge_min"),
            ("least_out", "discharge_min"),
        )
    }
    power = (WATTS * (view.fleet("charge") - view.fleet("discharge"))).round(DIGITS)
    power = power.where(abs(power) >= LEAST, 0.0).clip(-limits["most_out"], limits["most"])
    return xr.Dataset({"power": power, "connected": view.connected, **limits})


def _stations(view: ResultView) -> dict[Hashable, tuple[str, int]]:
    """Return the charge point and the EVSE of every member, in the order of the fleet."""
    plugs: dict[str, int] = {}
    found: dict[Hashable, tuple[str, int]] = {}
    for member in view.members:
        charger, connector = (_label(view, name, member) for name in ("charger", "connector"))
        station = charger or connector or str(member)
        plugs[station] = plugs.get(station, 0) + 1
        found[member] = station, plugs[station]
    return found


def _label(view: ResultView, name: str, member: Hashable) -> str:
    """Return a label of a member, empty where it has none."""
    if not view.has("fleet", name):
        return ""
    array = view.groups["fleet"][name]
    return str((array.sel(fleet=member) if "fleet" in array.dims else array).item())


# --- what a station cannot do -----------------------------------------------------------------


def _arguments(rules: _Rules, stations: Mapping[Hashable, tuple[str, int]]) -> list[Problem]:
    """Return what is wrong with what the caller says of the stations."""
    problems = []
    if rules.version not in ("2.1", "1.6"):
        detail = f"{rules.version!r} is no version of OCPP that can be written"
        problems.append(Problem("version", "choice", detail, (Remedy("version", ("2.1", "1.6")),)))
    if not 1 <= rules.most_periods <= MOST_PERIODS:
        detail = f"{rules.most_periods}, allowed [1, {MOST_PERIODS}]"
        problems.append(Problem("most_periods", "range", detail))
    if rules.stack_level < 0:
        problems.append(Problem("stack_level", "range", f"{rules.stack_level}, allowed [0, inf]"))
    if rules.ramp is not None and not rules.ramp > 0:
        problems.append(Problem("ramp", "range", f"{rules.ramp:g} kW per minute is no ramp"))
    return problems + _unknown_transactions(rules, [_plug(s, stations) for s in stations.values()])


def _unknown_transactions(rules: _Rules, plugs: list[str]) -> list[Problem]:
    """Return transactions of no charge point, and those that OCPP cannot number."""
    problems = []
    for plug, number in rules.transactions.items():
        if plug not in plugs:
            detail = f"{plug!r} is no charge point of the plan ({', '.join(sorted(plugs)[:5])})"
            problems.append(Problem("transactions", "unknown", detail))
        elif rules.version == "1.6" and not number.isdecimal():
            detail = f"{plug}: {number!r}; the transactions of OCPP 1.6 have whole numbers"
            problems.append(Problem("transactions", "type", detail))
        elif len(number) > 36:
            problems.append(Problem("transactions", "range", f"{plug}: more than 36 characters"))
    return problems


def _plug(place: tuple[str, int], stations: Mapping[Hashable, tuple[str, int]]) -> str:
    """Return the name of an EVSE: that of its charge point, with its number where it has more."""
    station, evse = place
    alone = sum(other == station for other, _ in stations.values()) == 1
    return station if alone else f"{station}/{evse}"


def _faults(view: ResultView, plan: xr.Dataset, rules: _Rules) -> list[Problem]:
    """Return what no charge point can do of a plan."""
    dt = view.hours
    time = view.time

    def shown(cell: dict[str, Any]) -> str:
        moment = time[time.get_loc(cell["time"])].tz_localize("UTC").tz_convert(view.timezone)
        watts = float(plan.power.sel(fleet=cell["fleet"], time=cell["time"]))
        return f"{cell['fleet']} {moment:%Y-%m-%d %H:%M %z} ({watts / WATTS:g} kW)"

    many = view.full("fleet", "aggregate", "fleet") > 0
    many = many | (view.full("fleet", "vehicles", "fleet", default=1.0) > 1)
    below = (plan.power > 0) & (plan.power < plan.least)
    below_out = (plan.power < 0) & (-plan.power < plan.least_out)
    problems = [
        Problem(where, rule, f"{words}: {at}")
        for where, rule, words, wrong in (
            ("fleet.charge_min", "range", "less than a charger can give", below),
            ("fleet.discharge_min", "range", "less than a charger can take back", below_out),
        )
        if (at := places(wrong, shown))
    ]
    if at := places(many, lambda cell: str(cell["fleet"])):
        detail = f"stand for many vehicles, and a charge point has one: {at}"
        problems.append(Problem("fleet.aggregate", "consistency", detail))
    if rules.version == "1.6" and (at := places(plan.power < 0, shown)):
        detail = (
            "OCPP 1.6 has limits of charging and no word for discharging: its limit may not be"
            f" negative, and no station would feed in: {at}; export it as OCPP 2.1, or plan it with"
            " discharge_max 0"
        )
        problems.append(Problem("fleet.discharge", "consistency", detail))
    if rules.ramp is not None and rules.ramp > 0:
        takes = abs(_changes(plan.power)) / WATTS / rules.ramp  # minutes
        if at := places(takes > 60 * dt + 1e-9, shown):
            detail = f"{rules.ramp:g} kW per minute take longer than the step to reach it: {at}"
            problems.append(Problem("ramp", "range", detail))
    return problems


def _changes(power: xr.DataArray) -> xr.DataArray:
    """Return by how much the power of each step is above that of the one before; it starts at 0."""
    return power - power.shift(time=1).fillna(0.0)


def _notes(view: ResultView, plan: xr.Dataset, rules: _Rules) -> tuple[str, ...]:
    """Return what the profiles leave out."""
    notes = []
    if not bool(plan.connected.any()):
        notes.append("no member is ever connected: there is no profile")
    if any(str(name).startswith("share_fleet") for name in view.groups.get("reserve", ())):
        notes.append(
            "the set-points are those of the plan without calls; reserves that are held are not in"
            " the profiles"
        )
    if rules.version == "1.6":
        notes.append("a limit of OCPP 1.6 is an upper bound: a vehicle may draw less")
    if rules.ramp:
        lag = abs(_changes(plan.power)) / WATTS
        energy = lag**2 / (2 * rules.ramp * 60)  # kWh, half of the change while it lasts
        notes.append(
            f"a change of power takes up to {60 * float(lag.max()) / rules.ramp:.0f} s at"
            f" {rules.ramp:g} kW per minute, and delays up to {float(energy.max()):.3g} kWh"
        )
    return tuple(notes)


# --- what is sent -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Piece:
    """One profile: when it begins and ends, and its periods."""

    start: pd.Timestamp
    seconds: int
    periods: list[dict[str, Any]]
    least: float
    rules: _Rules
    transaction: str | None


def _pieces(
    one: xr.Dataset, view: ResultView, rules: _Rules, plug: str
) -> tuple[list[_Piece], list[Problem]]:
    """Cut the plan of a charge point into schedules that a station takes."""
    transaction = rules.transactions.get(plug)
    connected = one.connected.to_numpy()
    if not connected.any():
        return [], []
    steps = len(view.time)
    if transaction is not None:
        if not connected[0]:
            detail = f"{plug}: nothing is connected when the plan begins, so none is running"
            return [], [Problem("transactions", "consistency", detail)]
        steps = int(np.argmin(connected & _same_session(view, one))) or steps
    seconds = round(view.hours * 3600)
    rows = [_period(one.isel(time=k), rules.version) for k in range(steps)]
    begins = [k for k in range(steps) if k == 0 or rows[k] != rows[k - 1]]
    if rules.version == "1.6" and len(begins) > rules.most_periods:
        detail = (
            f"{plug}: {len(begins)} periods, and a station takes {rules.most_periods} in one"
            " schedule; a second one would replace the first in OCPP 1.6; export a shorter plan"
        )
        return [], [Problem("most_periods", "range", detail)]
    least = float(one.least.where(one.connected).max())
    pieces = []
    for k in range(0, len(begins), rules.most_periods):
        mine = begins[k : k + rules.most_periods]
        end = begins[k + rules.most_periods] if k + rules.most_periods < len(begins) else steps
        periods = [{"startPeriod": (i - mine[0]) * seconds} | rows[i] for i in mine]
        start, length = view.time[mine[0]], (end - mine[0]) * seconds
        pieces.append(_Piece(start, length, periods, least, rules, transaction))
    return pieces, []


def _same_session(view: ResultView, one: xr.Dataset) -> np.ndarray:
    """Return True where the session of the first step is connected, as far as sessions are told."""
    if not view.has("fleet", "session"):
        return np.ones(len(view.time), bool)
    labels = view.groups["fleet"]["session"].broadcast_like(view.connected)
    mine = labels.sel(fleet=one.attrs["member"]).transpose("time").to_numpy()
    return np.asarray(mine == mine[0], bool)


def _period(step: xr.Dataset, version: Version) -> dict[str, Any]:
    """Return what a station does in a step."""
    watts, most, most_out = (float(step[n]) for n in ("power", "most", "most_out"))
    if version == "1.6":
        return {"limit": watts}
    if watts == 0:
        return {"operationMode": "Idle"}
    return {
        "operationMode": "CentralSetpoint",
        "setpoint": watts,
        "limit": most,
        "dischargeLimit": -most_out if most_out else 0.0,
    }


def _payload(piece: _Piece, evse: int, number: int) -> dict[str, Any]:
    """Return the request of one profile."""
    rules, start = piece.rules, _utc(piece.start)
    schedule = {
        "startSchedule": start,
        "duration": piece.seconds,
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": piece.periods,
    }
    if piece.least > 0:
        schedule["minChargingRate"] = piece.least
    profile = {
        "stackLevel": rules.stack_level,
        "chargingProfilePurpose": PURPOSE[piece.transaction is not None],
        "chargingProfileKind": "Absolute",
        "validFrom": start,
        "validTo": _utc(piece.start + pd.Timedelta(seconds=piece.seconds)),
    }
    if rules.version == "1.6":
        if piece.transaction is not None:
            profile["transactionId"] = int(piece.transaction)
        profile |= {"chargingProfileId": number, "chargingSchedule": schedule}
        return {"connectorId": evse, "csChargingProfiles": profile}
    if piece.transaction is not None:
        profile["transactionId"] = piece.transaction
    profile |= {"id": number, "chargingSchedule": [{"id": number} | schedule]}
    return {"evseId": evse, "chargingProfile": profile}


def _utc(moment: pd.Timestamp) -> str:
    """Return a moment as OCPP writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
