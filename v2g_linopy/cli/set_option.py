"""`--set part.field=value`: change a copy of a case before it is used."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import typer
import xarray as xr

from ..case.io import recorded
from ..case.schema import REQUIRED, Field
from ..data.sessions.grid_connection import pods_with_assets
from ..model.gates import GATES
from ..parts.catalogue import PARTS
from .options import nearest, pairs

SCHEMAS = {name: part.schema for name, part in PARTS.items()} | {"gates": GATES}
TARGET = re.compile(r"(?P<part>\w+)(\[(?P<member>[^\]]+)\])?\.(?P<field>\w+)")
FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
OPPOSITE = {"charge_max": "discharge_max", "discharge_max": "charge_max"}
"""Limits of power: over time they are power times the share plugged in, so one value may not
replace every step.
"""


def silent(words: str) -> None:
    """Tell nobody."""


def changed(
    case: xr.DataTree, words: Sequence[str] | None, say: Callable[[str], None] = silent
) -> xr.DataTree:
    """Return the case with every `--set` applied; the case given is left as it is.

    A limit of power that varies over time keeps its shape: each member's profile is scaled so that
    its largest value is the one given. Any other array takes the value at every step. Where the
    case varied over time, `say` is told; so it is of a part that the case lacked and that is added:
    `/connection` at the points of delivery that there are, or one without members.

    Raises
    ------
    BadParameter
        A word cannot be read, or names a part, a field or a member that is not there (with a
        suggestion).
    """
    case = case.copy()
    if words:
        case.attrs["history"] = recorded(case, f"changed: {' '.join(words)}")
    for target, word in pairs(words, "--set").items():
        found = TARGET.fullmatch(target)
        if not found:
            raise refused(f"{target!r} is not PART.FIELD or PART[MEMBER].FIELD")
        part = found["part"]
        if part not in case.children or part not in SCHEMAS:
            added = added_part(case, part, words)
            case[part] = xr.DataTree(added)
            say(f"--set {target}={word}: the case had no /{part}; it is added{standing(added)}")
        group = case.children[part].to_dataset(inherit=False)
        field = declared_field(part, found["field"])
        new = parsed_value(field, word)
        shaped = scaled(group, field, new)
        array = (
            same_everywhere(case, field, new)
            if shaped is None
            else shaped.assign_attrs(attributes(case, field))
        )
        if found["member"]:
            array = for_member(group, case, part, field, found["member"], array)
        if note := change_note(group, field, new, shaped is not None):
            say(f"--set {target}={word}: {note}")
        case[part] = xr.DataTree(
            group.drop_vars(field.name, errors="ignore").assign({field.name: array})
        )
    return case


def added_part(case: xr.DataTree, part: str, words: Sequence[str] | None) -> xr.Dataset:
    """A part that the case lacks, still empty: its members are known, and what it needs is given.

    Raises
    ------
    BadParameter
        There is no such part, its members cannot be known, or it needs more fields.
    """
    lacking = f"the case has no part {part!r}"
    if part not in PARTS:
        raise refused(f"{lacking}{nearest(part, PARTS)}")
    schema = PARTS[part].schema
    if schema.member not in (None, "pod"):
        fields = [f.name for f in schema.inputs if f.default is REQUIRED]
        raise refused(
            f"{lacking}, and --set names no members of it; a file of the case, or Python, adds"
            f" them, with {', '.join(fields) or 'their fields'}"
        )
    given = pairs(words, "--set")
    required = [f for f in schema.inputs if f.default is REQUIRED]
    needed = [f for f in required if f"{part}.{f.name}" not in given]
    if needed:
        more = ", ".join(f"--set {part}.{f.name}=… ({f.unit or 'text'})" for f in needed)
        raise refused(f"{lacking}; to add it give {more}, too")
    return xr.Dataset(coords={} if schema.member is None else {"pod": pods_with_assets(case)})


def standing(group: xr.Dataset) -> str:
    """The points of delivery of a part that was added."""
    return f" for {', '.join(map(str, group['pod'].values))}" if "pod" in group.coords else ""


def scaled(group: xr.Dataset, field: Field, new: Any) -> xr.DataArray | None:
    """Return a limit of power that varies over time, scaled to a new largest value.

    The profile of each member is scaled by itself.

    A member whose limit is 0 everywhere takes the profile of its limit the other way. None where
    nothing varies.
    """
    if field.name not in OPPOSITE or new == 0:
        return None
    profiles = [
        scaled_profile(group[n], field, new)
        for n in (field.name, OPPOSITE[field.name])
        if n in group
    ]
    if not profiles:
        return None
    found = profiles[0] if len(profiles) == 1 else profiles[0].fillna(profiles[1])
    if not varies(found):
        return None
    return found.fillna(0.0).transpose(
        "scenario", field.dims.split()[0], "time", missing_dims="ignore"
    )


def scaled_profile(array: xr.DataArray, field: Field, new: float) -> xr.DataArray:
    """The profile of every member, scaled; missing where it is 0 everywhere."""
    largest = array.max([d for d in array.dims if d != field.dims.split()[0]])
    return (array * (new / largest.where(largest > 0))).drop_attrs()


def varies(array: xr.DataArray) -> bool:
    """Whether an array has different values at different steps."""
    return "time" in array.dims and bool((array != array.isel(time=0)).any())


def change_note(group: xr.Dataset, field: Field, new: Any, shaped: bool) -> str:
    """What one value did to an array that varies over time; empty where nothing varied."""
    if shaped:
        return (
            f"the profile over time is kept, scaled so that its largest value is {new:g}"
            f" {field.unit}"
        )
    limit_closed = field.name in OPPOSITE and new == 0
    if limit_closed or field.name not in group or not varies(group[field.name]):
        return ""
    return "this one value at every step replaces values that varied over time"


def declared_field(part: str, name: str) -> Field:
    """The field of a part, or a usage error with a suggestion."""
    known = {f.name: f for f in SCHEMAS[part].inputs}
    if name not in known:
        raise refused(f"{part} has no field {name!r}{nearest(name, known)}")
    return known[name]


def parsed_value(field: Field, word: str) -> Any:
    """The word as a value of the field: a number in its declared unit, a flag, or text."""
    if field.kind in ("label", "choice"):
        return word
    if word.lower() in FLAGS and field.kind == "flag":
        return FLAGS[word.lower()]
    try:
        number = float(word.replace("_", "?"))
    except ValueError:
        raise refused(f"{field.name} needs a number ({field.unit}), not {word!r}") from None
    if np.isnan(number) and not field.missing:
        raise refused(f"{field.name} needs a number ({field.unit}), not {word!r}")
    return number


def same_everywhere(case: xr.DataTree, field: Field, new: Any) -> xr.DataArray:
    """One value for every member and step."""
    return xr.DataArray(new, attrs=attributes(case, field))


def for_member(
    group: xr.Dataset, case: xr.DataTree, part: str, field: Field, member: str, new: xr.DataArray
) -> xr.DataArray:
    """The field as it stands, with the new values for one member."""
    dim = next((d for d in field.dims.split() if d != "time"), None)
    if dim is None or dim not in group.indexes:
        raise refused(f"{part}.{field.name} has no members; write {part}.{field.name}=VALUE")
    labels = group.indexes[dim].astype(str)
    if member not in labels:
        raise refused(f"{part} has no member {member!r}{nearest(member, labels)}")
    if field.name not in group and field.default in (REQUIRED, None):
        raise refused(f"{part}.{field.name} is not in the case; set it for every member first")
    old = group[field.name] if field.name in group else same_everywhere(case, field, field.default)
    units = old.attrs.get("units", field.unit)
    if units != attributes(case, field).get("units", units):
        raise refused(
            f"{part}.{field.name} is in {units} in the case; one member can be set only where it is"
            f" in {field.unit}"
        )
    kept = xr.DataArray(labels != member, coords={dim: group.indexes[dim]})
    return old.where(kept, new.drop_attrs()).assign_attrs(old.attrs)


def attributes(case: xr.DataTree, field: Field) -> dict[str, str]:
    """Unit and description of a field, in the money of the case."""
    unit = field.unit.replace("EUR", str(case.attrs.get("currency", "EUR")))
    return {"long_name": field.doc} | ({} if field.kind in ("label", "choice") else {"units": unit})


def refused(message: str) -> typer.BadParameter:
    """A usage error of `--set`."""
    return typer.BadParameter(message, param_hint="--set")
