"""When markets close and what was known when: the groups `/gates` and `/vintage` of a case
(docs/formulation.md §4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import calendar_of
from ..case.schema import Calendar, Field, Schema, suggest
from ..errors import Problem, SchemaError
from .formulas_time import first_of_block, same_block
from .inputs import Inputs
from .part import Part, Trading

NAN = float("nan")
_TOGETHER = 100  # forecasts that are checked at once

GATES = Schema(
    inputs=(
        Field(
            "hour",
            "gate",
            "h",
            "local clock hour at which it closes, `days` before delivery",
            NAN,
            0,
            24,
            missing=True,
        ),
        Field("days", "gate", "1", "days from the gate to the day of delivery", default=1.0, ge=0),
        Field(
            "lead",
            "gate",
            "h",
            "hours before delivery at which it closes",
            default=NAN,
            ge=0,
            missing=True,
        ),
        Field(
            "rolling",
            "gate",
            "1",
            "1: every plan trades at once what it wants; 0: it trades when the gate closes; by"
            " default 1 with a lead",
            NAN,
            0,
            1,
            missing=True,
        ),
        Field(
            "penalty",
            "gate",
            "1",
            "share of the price that a plan reckons a trade to cost more, for uncertainty",
            0.0,
            0,
        ),
    ),
)


@dataclass(frozen=True)
class Gates:
    """When the position of every step is frozen, and how."""

    close: Mapping[str, xr.DataArray]  # part -> UTC time stamp on (member, time)
    rolling: Mapping[str, xr.DataArray]  # part -> True on (member) where every plan trades at once
    penalty: Mapping[str, xr.DataArray]  # part -> share of the price on (member)

    def closed(self, part: str, now: pd.Timestamp) -> xr.DataArray:
        """Return True where the gate has closed before `now`."""
        return self.close[part] < now.to_datetime64()

    def binding(self, part: str, now: pd.Timestamp, later: pd.Timestamp) -> xr.DataArray:
        """Return True where what is decided at `now` holds.

        It does where it trades at once, or its gate closes before `later`.
        """
        return ~self.closed(part, now) & (self.rolling[part] | self.closed(part, later))

    def moments(self, start: pd.Timestamp, stop: pd.Timestamp) -> pd.DatetimeIndex:
        """Return the moments before `stop` at which a gate closes for steps from `start` on.

        Only gates that trade when they close count.
        """
        found = [np.zeros(0, "datetime64[ns]")]
        for part, close in self.close.items():
            some = close.sel(time=slice(start, stop - pd.Timedelta(1, "ns"))).where(
                ~self.rolling[part]
            )
            found.append(some.to_numpy().ravel().astype("datetime64[ns]"))
        moments = pd.DatetimeIndex(np.unique(np.concatenate(found))).dropna()
        return moments[moments < stop]


def traded_parts(parts: Mapping[str, Part]) -> dict[str, Trading]:
    """Return how each part trades whose members are markets or products, by name of the part."""
    return {name: p.trading for name, p in sorted(parts.items()) if p.trading is not None}


def sequence_problems(case: xr.DataTree, parts: Mapping[str, Part]) -> list[Problem]:
    """Return what is wrong with gates and forecasts of a case with readable time stamps."""
    calendar, _ = calendar_of(case)
    if not len(calendar.time):
        return []
    return _table(case, parts, calendar)[1] + _arrays(case, parts, calendar)[1]


def _table(
    case: xr.DataTree, parts: Mapping[str, Part], calendar: Calendar
) -> tuple[xr.Dataset, list[Problem]]:
    """Read `/gates`, a row per market or product that has one."""
    empty = xr.Dataset(coords={"gate": np.zeros(0, str)})
    group = case["gates"].to_dataset() if "gates" in case.children else empty
    table, found = GATES.validate(group, "gates", calendar)
    if found or not group.sizes.get("gate"):
        return (empty if found else table), found
    traded = [name for name in traded_parts(parts) if name in case.children]
    names = [
        str(label)
        for name in traded
        for label in case[name].to_dataset().indexes.get(parts[name].member, ())
    ]
    found = [
        Problem(
            "gates.gate", "labels", f"{g!r} is no market and no product{suggest(str(g), names)}"
        )
        for g in table.indexes["gate"]
        if str(g) not in names
    ]
    hour, lead = (table[name].broadcast_like(table.gate) for name in ("hour", "lead"))
    detail = "give either the hour of the day or the lead, not both or none"
    wrong = table.indexes["gate"][(hour.notnull() == lead.notnull()).to_numpy()]
    return table, found + [
        Problem("gates.hour", "consistency", f"gate {g}: {detail}") for g in wrong
    ]


def gates_of(case: xr.DataTree, inputs: Inputs) -> Gates:
    """Read when the gate of every market and product closes.

    One that is not named is open until delivery.

    Raises
    ------
    SchemaError
        A gate names no market and no product, or says neither when it closes nor how long before
        delivery.
    """
    table, found = _table(case, inputs.parts, inputs.calendar)
    if found:
        raise SchemaError(found, source=str(case.attrs.get("title") or "the case"))
    traded = {
        name: inputs.data[name].indexes[inputs.parts[name].member]
        for name in traded_parts(inputs.parts)
        if inputs.parts[name].member in getattr(inputs.data.get(name), "indexes", {})
    }
    close, rolling, penalty = {}, {}, {}
    for part, labels in traded.items():
        closings, flags, shares = zip(
            *(_gate(table, str(x), part, inputs) for x in labels), strict=True
        )
        dim = inputs.parts[part].member
        close[part] = xr.concat(closings, labels.rename(dim)).transpose(dim, "time")
        rolling[part], penalty[part] = (
            xr.DataArray(np.array(x), coords={dim: labels}, dims=dim) for x in (flags, shares)
        )
    return Gates(close, rolling, penalty)


def _gate(
    table: xr.Dataset, label: str, part: str, inputs: Inputs
) -> tuple[xr.DataArray, bool, float]:
    """When the gate of one market closes for each step, whether it trades all along, and its
    penalty.
    """
    names = [str(g) for g in table.indexes["gate"]]
    row = table.isel(gate=names.index(label)) if label in names else None
    starts = _block_starts(inputs, part, label)
    if row is None or not np.isfinite(float(row.hour)):
        lead = 0.0 if row is None else float(row.lead)
        closing = starts - pd.Timedelta(hours=lead)
    else:
        zone = inputs.calendar.timezone
        day = starts.tz_localize("UTC").tz_convert(zone).tz_localize(None).normalize()
        wall = day - pd.Timedelta(days=float(row.days)) + pd.Timedelta(hours=float(row.hour))
        local = wall.tz_localize(
            zone, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward"
        )
        closing = local.tz_convert("UTC").tz_localize(None)
    given = NAN if row is None else float(row["rolling"])
    flag = given > 0 if np.isfinite(given) else (row is None or not np.isfinite(float(row.hour)))
    time = inputs.calendar.time
    array = xr.DataArray(
        closing.to_numpy().astype("datetime64[ns]"), coords={"time": time}, dims="time"
    )
    return array, bool(flag), 0.0 if row is None else float(row.penalty)


def _block_starts(inputs: Inputs, part: str, label: str) -> pd.DatetimeIndex:
    """Return when the market block of each step begins."""
    calendar, d = inputs.calendar, inputs.data[part]
    hours = d.block.sel({inputs.parts[part].member: label}, drop=True) if d.block.dims else d.block
    same = same_block(hours, calendar.time, calendar.timezone, inputs.dt)
    return calendar.time[first_of_block(same, calendar.time).to_numpy()]


def vintages_of(case: xr.DataTree, inputs: Inputs) -> dict[tuple[str, str], xr.DataArray]:
    """Read what was forecast when.

    By (part, field): an array with the dimension `vintage`, in coherent units.

    A missing value (NaN) means that the vintage says nothing, and an earlier one still counts.

    Raises
    ------
    SchemaError
        A name that is no series of the case, an array that does not fit its field or its members,
        or forecasts that break a rule between fields.
    """
    arrays, found = _arrays(case, inputs.parts, inputs.calendar)
    if found:
        raise SchemaError(found, source=str(case.attrs.get("title") or "the case"))
    return arrays


def _arrays(
    case: xr.DataTree, parts: Mapping[str, Part], calendar: Calendar
) -> tuple[dict[tuple[str, str], xr.DataArray], list[Problem]]:
    """Read `/vintage`, every array on all members of its part."""
    if "vintage" not in case.children:
        return {}, []
    group = case["vintage"].to_dataset()
    if found := _stamps(group):
        return {}, found
    fields = {
        f"{name}.{f.name}": f
        for name, part in parts.items()
        if name in case.children
        for f in part.schema.inputs
        if f.kind == "quantity" and "time" in f.dims.split()
    }
    arrays = {}
    for name, array in group.data_vars.items():
        part, _, leaf = str(name).partition(".")
        if str(name) not in fields:
            detail = f"is no series of numbers that the case gives{suggest(str(name), fields)}"
            found.append(Problem(f"vintage.{name}", "unknown", detail))
            continue
        if "vintage" not in array.dims:
            found.append(
                Problem(f"vintage.{name}", "dims", "has no dimension vintage: when was this known?")
            )
            continue
        dims = f"vintage {fields[str(name)].dims}"
        wide = replace(fields[str(name)], name=str(name), dims=dims, missing=True)
        clean, faults = wide.read(group, "vintage", calendar)
        if clean is not None and not faults:
            clean, faults = _on_members(
                clean, str(name), parts[part].schema.member, case[part].to_dataset()
            )
        found += faults
        if clean is not None and not faults:
            arrays[part, leaf] = clean
    return arrays, found or _contradictions(arrays, case, parts, calendar)


def _on_members(
    array: xr.DataArray, name: str, member: str | None, truth: xr.Dataset
) -> tuple[xr.DataArray, list[Problem]]:
    """Bring a forecast to the members of its part, in their order; one without members holds for
    all of them.
    """
    if member is None or member not in truth.indexes:
        return array, []
    labels = truth.indexes[member]
    if member not in array.dims:
        return array.expand_dims({member: labels}, axis=1), []
    there = array.indexes[member]
    if there.has_duplicates or set(map(str, there)) != set(map(str, labels)):
        detail = (
            f"has other labels along {member} than /{name.partition('.')[0]}:"
            f" {', '.join(map(str, there[:5]))}"
        )
        return array, [Problem(f"vintage.{name}", "labels", detail)]
    return array.sel({member: labels}), []


def _as_given(d: xr.Dataset, schema: Schema, group: xr.Dataset) -> xr.Dataset:
    """Return inputs as rules between fields see them: what follows from other inputs, which a
    forecast may change, is at its default.
    """
    derived = [f for f in schema.inputs if f.name in d and f.name not in group]
    numbers = {
        f.name: xr.full_like(d[f.name], f.default)
        for f in derived
        if isinstance(f.default, int | float) and d[f.name].dtype.kind == "f"
    }
    return d.assign(numbers)


def _contradictions(
    arrays: Mapping[tuple[str, str], xr.DataArray],
    case: xr.DataTree,
    parts: Mapping[str, Part],
    calendar: Calendar,
) -> list[Problem]:
    """Return the first rule between fields that a forecast breaks, with what it leaves to the
    truth.
    """
    found = []
    for name in dict.fromkeys(part for part, _ in arrays):
        schema = parts[name].schema
        truth, faults = schema.validate(case[name].to_dataset(), name, calendar)
        if not schema.checks or faults:
            continue
        truth = _as_given(truth, schema, case[name].to_dataset())
        mine = {leaf: x.ffill("vintage") for (part, leaf), x in arrays.items() if part == name}
        stamps = next(iter(mine.values())).indexes["vintage"]
        several = [stamps[k : k + _TOGETHER] for k in range(0, len(stamps), _TOGETHER)]
        for stamp in (
            one for some in several if _known(schema, truth, mine, some, calendar) for one in some
        ):
            if faults := _known(schema, truth, mine, stamp, calendar):
                when = f"as known at {calendar.local(stamp)}"
                found += [
                    replace(p, where=f"vintage.{p.where}", detail=f"{when}: {p.detail}")
                    for p in faults
                ]
                break
    return found


def _known(
    schema: Schema,
    truth: xr.Dataset,
    forecasts: Mapping[str, xr.DataArray],
    when: Any,
    calendar: Calendar,
) -> list[Problem]:
    """Return the rules between fields that a forecast breaks, or that any of several does."""
    known = truth.assign({leaf: x.sel(vintage=when, drop=True) for leaf, x in forecasts.items()})
    return [p for check in schema.checks for p in check(known, calendar)]


def _stamps(group: xr.Dataset) -> list[Problem]:
    index = group.indexes.get("vintage")
    if not isinstance(index, pd.DatetimeIndex) or index.tz is not None:
        return [
            Problem("vintage.vintage", "time", "give the UTC time at which each forecast was known")
        ]
    if not index.is_monotonic_increasing or index.has_duplicates:
        return [
            Problem(
                "vintage.vintage",
                "time",
                "unsorted or duplicated: give each forecast once, in order",
            )
        ]
    return []
