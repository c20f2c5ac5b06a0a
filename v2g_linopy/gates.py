"""When markets close and what was known when: the groups `/gates` and `/vintage` of a case (FORMULATION §4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from .checking import Inputs
from .errors import Problem, SchemaError
from .maths import same_block
from .schema import Field, Schema, suggest

NAN = float("nan")
TRADED = {"energy": ("market", "position"), "reserve": ("product", "volume")}  # part -> member, what a gate freezes

GATES = Schema(
    inputs=(
        Field(
            "hour", "gate", "h", "local clock hour at which it closes, `days` before delivery", NAN, 0, 24, missing=True
        ),
        Field("days", "gate", "1", "days from the gate to the day of delivery", default=1.0, ge=0),
        Field("lead", "gate", "h", "hours before delivery at which it closes", default=NAN, ge=0, missing=True),
        Field(
            "rolling",
            "gate",
            "1",
            "1: every plan trades at once what it wants; 0: it trades when the gate closes; by default 1 with a lead",
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
        """Return True where what is decided at `now` holds: it trades at once, or its gate closes before `later`."""
        return ~self.closed(part, now) & (self.rolling[part] | self.closed(part, later))

    def moments(self, start: pd.Timestamp, stop: pd.Timestamp) -> pd.DatetimeIndex:
        """Return the moments before `stop` at which a gate closes for steps from `start` on that trades only then."""
        found = [np.zeros(0, "datetime64[ns]")]
        for part, close in self.close.items():
            some = close.sel(time=slice(start, stop - pd.Timedelta(1, "ns"))).where(~self.rolling[part])
            found.append(some.to_numpy().ravel().astype("datetime64[ns]"))
        moments = pd.DatetimeIndex(np.unique(np.concatenate(found))).dropna()
        return moments[moments < stop]


def gates_of(case: xr.DataTree, inputs: Inputs) -> Gates:
    """Read when the gate of every market and product closes; one that is not named is open until delivery.

    Raises
    ------
    SchemaError
        A gate names no market and no product, or says neither when it closes nor how long before delivery.
    """
    group = case["gates"].to_dataset() if "gates" in case.children else xr.Dataset(coords={"gate": np.zeros(0, str)})
    table, problems = GATES.validate(group, "gates", inputs.calendar)
    traded = {
        p: inputs.data[p].indexes[dim]
        for p, (dim, _) in TRADED.items()
        if dim in getattr(inputs.data.get(p), "indexes", {})
    }
    if not problems:
        names = [str(x) for labels in traded.values() for x in labels]
        problems = [
            Problem("gates.gate", "labels", f"{g!r} is no market and no product{suggest(str(g), names)}")
            for g in table.indexes["gate"]
            if str(g) not in names
        ]
        both = table.hour.notnull() == table.lead.notnull()
        wrong = both + 0 * xr.DataArray(np.zeros(table.sizes["gate"]), dims="gate") > 0
        problems += [
            Problem(
                "gates.hour", "consistency", f"gate {g}: give either the hour of the day or the lead, not both or none"
            )
            for g in table.indexes["gate"][wrong.to_numpy()]
        ]
    if problems:
        raise SchemaError(problems, source=str(case.attrs.get("title") or "the case"))
    close, rolling, penalty = {}, {}, {}
    for part, labels in traded.items():
        closings, flags, shares = zip(*(_gate(table, str(x), part, inputs) for x in labels), strict=True)
        dim = TRADED[part][0]
        close[part] = xr.concat(closings, labels.rename(dim)).transpose(dim, "time")
        rolling[part], penalty[part] = (
            xr.DataArray(np.array(x), coords={dim: labels}, dims=dim) for x in (flags, shares)
        )
    return Gates(close, rolling, penalty)


def _gate(table: xr.Dataset, label: str, part: str, inputs: Inputs) -> tuple[xr.DataArray, bool, float]:
    """When the gate of one market closes for each step, whether it trades all along, and its penalty."""
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
        local = wall.tz_localize(zone, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward")
        closing = local.tz_convert("UTC").tz_localize(None)
    given = NAN if row is None else float(row["rolling"])
    flag = given > 0 if np.isfinite(given) else (row is None or not np.isfinite(float(row.hour)))
    time = inputs.calendar.time
    array = xr.DataArray(closing.to_numpy().astype("datetime64[ns]"), coords={"time": time}, dims="time")
    return array, bool(flag), 0.0 if row is None else float(row.penalty)


def _block_starts(inputs: Inputs, part: str, label: str) -> pd.DatetimeIndex:
    """Return when the market block of each step begins."""
    calendar, d = inputs.calendar, inputs.data[part]
    hours = d.block.sel({TRADED[part][0]: label}, drop=True) if d.block.dims else d.block
    same = np.broadcast_to(
        same_block(hours, calendar.time, calendar.timezone, inputs.dt).to_numpy(), len(calendar.time)
    )
    begins = np.maximum.accumulate(np.where(same, 0, np.arange(len(calendar.time))))
    return calendar.time[begins]


def vintages_of(case: xr.DataTree, inputs: Inputs) -> dict[tuple[str, str], xr.DataArray]:
    """Read what was forecast when: (part, field) -> array with the dimension `vintage`, in coherent units.

    A missing value (NaN) means that the vintage says nothing, and an earlier one still counts.

    Raises
    ------
    SchemaError
        A name that is no input of a part of the case, or an array that does not fit its field.
    """
    if "vintage" not in case.children:
        return {}
    group = case["vintage"].to_dataset()
    problems = _stamps(group)
    found = {}
    for name, array in group.data_vars.items() if not problems else ():
        part, _, leaf = str(name).partition(".")
        fields = {f.name: f for f in inputs.parts[part].schema.inputs} if part in inputs.data else {}
        if leaf not in fields:
            known = [f"{p}.{f.name}" for p, _ in inputs.data.items() for f in inputs.parts[p].schema.inputs]
            problems.append(
                Problem(f"vintage.{name}", "unknown", f"is no input of the case{suggest(str(name), known)}")
            )
            continue
        wide = replace(fields[leaf], name=str(name), dims=f"vintage {fields[leaf].dims}", missing=True)
        clean, faults = wide.read(xr.Dataset({str(name): array}), "vintage", inputs.calendar)
        problems += faults
        if clean is not None and not faults:
            found[part, leaf] = clean
    if problems:
        raise SchemaError(problems, source=str(case.attrs.get("title") or "the case"))
    return found


def _stamps(group: xr.Dataset) -> list[Problem]:
    index = group.indexes.get("vintage")
    if not isinstance(index, pd.DatetimeIndex) or index.tz is not None:
        return [Problem("vintage.vintage", "time", "give the UTC time at which each forecast was known")]
    if not index.is_monotonic_increasing or index.has_duplicates:
        return [Problem("vintage.vintage", "time", "unsorted or duplicated: give each forecast once, in order")]
    return []
