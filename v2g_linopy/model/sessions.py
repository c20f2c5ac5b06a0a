"""Charging sessions: every array that a table of them may hold.

The group `/sessions` of a case is kept beside the fleet that was made of it, and not modelled.
"""

from dataclasses import replace

import numpy as np
import xarray as xr

from ..case.schema import ABSENT, REQUIRED, Calendar, Field, Schema
from ..errors import Problem


def _column(
    name: str,
    unit: str,
    doc: str,
    default: object = REQUIRED,
    *,
    ge: float = 0.0,
    le: float = np.inf,
) -> Field:
    """Declare one number per session; it may not be negative unless that is said."""
    return Field(name, "session", unit, doc, default, ge, le)


def _label(name: str, doc: str) -> Field:
    """Declare one word per session."""
    return Field(name, "session", "", doc, ABSENT, kind="label")


def _by_name(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


COLUMNS = _by_name(
    _column("capacity", "kWh", "most energy the battery may hold"),
    _column("energy_arrival", "kWh", "energy in the battery at arrival"),
    _column("energy_need", "kWh", "energy that must be in the battery at departure"),
    _column(
        "energy_floor",
        "kWh",
        "energy that discharging leaves in the battery while plugged in, or what it came with if"
        " that is less",
        0.0,
    ),
    _column("charge_max", "kW", "charger power at the grid"),
    _column("discharge_max", "kW", "discharging power at the grid", 0.0),
    _column("eta_charge", "1", "charging efficiency", 0.95, le=1.0),
    _column("eta_discharge", "1", "discharging efficiency", 0.95, le=1.0),
    _column(
        "energy_trip",
        "kWh",
        "energy driven, out of the battery, between this departure and the next arrival",
        0.0,
    ),
    _column("charge_min", "kW", "least charging power other than 0", 0.0),
    _column(
        "taper_from", "1", "share of the capacity where charging power starts to fall", 0.0, le=1.0
    ),
    _column("taper_to", "1", "share of charge_max left at full capacity", 0.0, le=1.0),
    _column("retail_price", "EUR/kWh", "price the driver pays per kWh", 0.0, ge=-np.inf),
)
"""What a fleet is made of, for each session."""
METERED = _by_name(
    _column("energy", "kWh", "metered energy charged, at the grid", ABSENT),
    _column("power_max", "kW", "largest power seen in the session, at the grid", ABSENT),
    _column("charge_time", "h", "hours in which power flowed", ABSENT),
)
"""What a meter says of a session; the rest of it is assumed."""
TOLD = _by_name(
    _column("energy_asked", "kWh", "energy that the driver asked for", ABSENT),
    _column("soc_first", "1", "first state of charge seen", ABSENT),
    _column("soc_last", "1", "last state of charge seen", ABSENT),
)
"""What some interfaces say of a session besides what its meter says."""
ONBOARD = _by_name(
    Field(
        "onboard_max",
        "session",
        "kW",
        "power of the car's own charger, at AC connectors",
        np.inf,
        ge=0,
        infinite=True,
    ),
    _column("eta_onboard_charge", "1", "its efficiency, charging", 1.0, ge=0.5, le=1),
    _column("eta_onboard_discharge", "1", "its efficiency, discharging", 1.0, ge=0.5, le=1),
)
"""What a car adds to the connector that it uses."""
LABELS = _by_name(
    _label("pod", "point of delivery, by whose limits and prices the session is bound"),
    _label("charger", "charger, whose converter its plugs share"),
    _label("connector", "connector; one member of the fleet each, where vehicles are not named"),
    _label("vehicle", "vehicle; one member of the fleet each"),
)
MOMENTS = _by_name(_label("arrival", "plug-in, UTC"), _label("departure", "plug-out, UTC"))
MADE = _by_name(
    _label("row", "member of the fleet"),
    _column(
        "energy_missing",
        "kWh",
        "need beyond what the charger delivers in time, not required of the plan",
    ),
    _column("energy_trip_max", "kWh", "largest trip of the vehicle", ABSENT),
)
"""What is added where sessions become a fleet."""
CONTRACTED = _by_name(
    _label("type", "type of the owner, as in /contract"),
    _column(
        "contract",
        "1",
        "position of the contract in the menu, from 0 on; -1 for none",
        ABSENT,
        ge=-1.0,
    ),
    _column("contract_energy", "kWh", "energy that may be discharged, at the charger", ABSENT),
    _column("contract_payment", "EUR", "owed at the end of the term, called or not", ABSENT),
    _column(
        "contract_term",
        "h",
        "hours after arrival in which it may be discharged; by default the term of the menu",
        ABSENT,
    ),
    _label("contract_reason", "why there is this contract, or none"),
    _column("energy_called", "kWh", "energy called under the contract, at the charger", ABSENT),
    _column("energy_discharged", "kWh", "energy discharged under it, at the charger", ABSENT),
    _column("energy_unserved", "kWh", "need that was not served, on board", ABSENT),
    _label("unserved_reason", "why it was not served"),
)
"""What its owner has agreed to, and what became of it."""
EARLY = _by_name(
    _label("left", "plug-out that came before the departure, UTC"),
    _label("switched_off", "moment at which the owner switched the charger off, UTC"),
    _label("switched_on", "moment at which it was on again, UTC; by default the departure"),
)
"""What came otherwise than declared on arrival; nobody knows it before."""
SESSION_FIELDS = {
    **{**MOMENTS, **COLUMNS, **METERED, **TOLD, **ONBOARD, **LABELS, **MADE},
    **{**CONTRACTED, **EARLY},
}
"""Every array that a table of sessions may hold, declared once."""
_KEPT = Schema(
    tuple(
        replace(
            field, default=ABSENT, missing=name in METERED or name in TOLD or name in CONTRACTED
        )
        for name, field in SESSION_FIELDS.items()
        if name not in MOMENTS and name not in EARLY
    )
    + (_label("name", "what the data call it"), _label("transaction", "its number in the data"))
)


def session_problems(case: xr.DataTree, calendar: Calendar) -> list[Problem]:
    """Return what is wrong with `/sessions`.

    Parameters
    ----------
    case : xarray.DataTree
        A case, with the group or without.
    calendar : Calendar
        Time stamps, zone, money and scenarios of the case.

    Returns
    -------
    list of Problem
        Arrays that are unknown, or not of the unit, range and dimension that is declared, labels
        that appear twice, and stays that end before they begin. None of the arrays has to be there.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.case.io import calendar_of
    >>> from v2g_linopy.model.sessions import session_problems
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> session_problems(case, calendar_of(case)[0])
    []
    """
    return validated_sessions(case, calendar)[1]


def validated_sessions(
    case: xr.DataTree, calendar: Calendar
) -> tuple[xr.Dataset | None, list[Problem]]:
    """Return `/sessions` in coherent units, and what is wrong with it.

    Parameters
    ----------
    case : xarray.DataTree
        A case, with the group or without.
    calendar : Calendar
        Time stamps, zone, money and scenarios of the case.

    Returns
    -------
    xarray.Dataset or None
        The arrays on session; None where the case has no sessions, or something is wrong.
    list of Problem
        As `session_problems`.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.case.io import calendar_of
    >>> from v2g_linopy.model.sessions import validated_sessions
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> sessions, problems = validated_sessions(case, calendar_of(case)[0])
    >>> sessions.sizes["session"], problems
    (1, [])
    """
    if "sessions" not in case.children:
        return None, []
    group = case.children["sessions"].to_dataset(inherit=False)
    moments = [name for name in (*MOMENTS, *EARLY) if name in group]
    clean, problems = _KEPT.validate(group.drop_vars(moments), "sessions", calendar)
    unfit = [problem for name in moments for problem in _moment(name, group[name])]
    if {*MOMENTS} <= {*moments} and not unfit:
        backwards = group["departure"] < group["arrival"]
        if count := int(backwards.sum()):
            first = group["departure"][backwards.to_numpy()].to_index()[0]
            detail = f"{count} sessions end before they begin, the first at {first:%Y-%m-%d %H:%M}"
            unfit.append(Problem("sessions.departure", "consistency", f"{detail} UTC"))
    problems += unfit + ([] if unfit else _off_in_wrong_order(group))
    return None if problems else clean.assign({n: group[n] for n in moments}), problems


def _off_in_wrong_order(group: xr.Dataset) -> list[Problem]:
    """Return chargers that were on again before they were off, or never off."""
    if "switched_on" not in group:
        return []
    on = group["switched_on"]
    off = group.get("switched_off", xr.full_like(on, np.datetime64("NaT")))
    wrong = on.notnull() & (off.isnull() | (off >= on))
    if count := int(wrong.sum()):
        first = group["session"][wrong.to_numpy()][0].item()
        detail = f"session {first}: on again, but not off before (sessions in all: {count})"
        return [Problem("sessions.switched_on", "consistency", detail)]
    return []


def _moment(name: str, x: xr.DataArray) -> list[Problem]:
    """Return what is wrong with moments of the stays; only some leave early."""
    where = f"sessions.{name}"
    if x.dims != ("session",):
        detail = f"has the dimensions {', '.join(map(str, x.dims)) or 'none'}, needs session"
        return [Problem(where, "dims", detail)]
    if x.dtype.kind != "M":
        return [Problem(where, "type", f"holds {x.dtype}, needs time stamps in UTC")]
    if name not in EARLY and (missing := int(x.isnull().sum())):
        return [Problem(where, "nan", f"{missing} time stamps are missing")]
    return []


def sessions_plugged_in(fleet: xr.Dataset) -> xr.DataArray:
    """Return the label of the session in each cell of a fleet, on (fleet, time).

    Parameters
    ----------
    fleet : xarray.Dataset
        Of a case or a result, with `session` on both dimensions or on one of them, and its labels.

    Returns
    -------
    xarray.DataArray

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.model.sessions import sessions_plugged_in
    >>> sessions_plugged_in(v2g.commuters(vehicles=2, days=1)["fleet"].to_dataset()).dims
    ('fleet', 'time')
    """
    label = fleet["session"]
    missing = {d: fleet.indexes[d] for d in ("fleet", "time") if d not in label.dims}
    return label.expand_dims(missing).transpose("fleet", "time")
