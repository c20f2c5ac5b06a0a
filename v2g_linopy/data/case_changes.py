"""Change a copy of a case: a value for a field, for one member of it, or a factor on what it is."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..case.io import recorded
from ..case.label_text import nearest
from ..case.schema import REQUIRED, Field
from ..errors import Problem, V2GError
from ..model.gates import GATES
from ..parts.catalogue import PARTS
from .sessions.grid_connection import pods_with_assets

SCHEMAS = {name: part.schema for name, part in PARTS.items()} | {"gates": GATES}
TARGET = re.compile(r"(?P<part>\w+)(\[(?P<member>[^\]]+)\])?\.(?P<field>\w+)(?P<scale>\.scale)?")
FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
OPPOSITE = {"charge_max": "discharge_max", "discharge_max": "charge_max"}
"""Limits of power: over time they are power times the share plugged in, so one value may not
replace every step.
"""


class ChangeRefused(V2GError):  # noqa: N818  the words say what is wrong with it
    """A change names what is not there, or its value is none of the field."""

    exit_code = 3


def silent(words: str) -> None:
    """Tell nobody."""


def with_changes(
    case: xr.DataTree,
    changes: Mapping[str, Any],
    say: Callable[[str], None] = silent,
    prefix: str = "",
) -> xr.DataTree:
    """Return the case with every change applied; the case given is left as it is.

    A limit of power that varies over time keeps its shape: each member's profile is scaled so that
    its largest value is the one given. Any other array takes the value at every step. Where the
    case varied over time, `say` is told; so it is of a part that the case lacked and that is added:
    `/connection` at the points of delivery that there are, or one without members.

    Parameters
    ----------
    case : xarray.DataTree
        A case.
    changes : mapping
        New value by target. A target is ``fleet.wear``, of one member ``fleet[ev-3].charge_max``;
        ``energy.price.scale`` multiplies what the field is by the value. Values are numbers in the
        unit of the field, or its words.
    say : callable
        Is told what a user may not expect.
    prefix : str, default ""
        Stands before a target where it is told, as ``--set`` on the command line.

    Raises
    ------
    ChangeRefused
        A target cannot be read, or names a part, a field or a member that is not there (with a
        suggestion), or the value is none of the field.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.data.case_changes import with_changes
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> dearer = with_changes(case, {"energy.price.scale": 2.0, "fleet.wear": 0.05})
    >>> bool((dearer["energy"].price == 2 * case["energy"].price).all())
    True
    >>> float(dearer["fleet"].wear)
    0.05
    """
    case = case.copy()
    if changes:
        told = " ".join(f"{target}={value}" for target, value in changes.items())
        case.attrs["history"] = recorded(case, f"changed: {told}")
    for target, value in changes.items():
        found = TARGET.fullmatch(target)
        if not found:
            raise refused(f"{target!r} is not PART.FIELD or PART[MEMBER].FIELD")
        part, word = found["part"], f"{prefix}{target}={value}"
        if part not in case.children or part not in SCHEMAS:
            added = added_part(case, part, changes, prefix)
            case[part] = xr.DataTree(added)
            say(f"{word}: the case had no /{part}; it is added{standing(added)}")
        group = case.children[part].to_dataset(inherit=False)
        field = declared_field(part, found["field"])
        if found["scale"]:
            array, note = multiplied(group, part, field, value), ""
        else:
            array, note = replaced(case, group, field, value)
        if found["member"]:
            array = for_member(group, case, part, field, found["member"], array)
        if note:
            say(f"{word}: {note}")
        case[part] = xr.DataTree(
            group.drop_vars(field.name, errors="ignore").assign({field.name: array})
        )
    return case


def part_of_target(target: str) -> str:
    """The part that a target names: fleet of ``fleet[ev-3].charge_max``."""
    found = TARGET.fullmatch(target)
    return found["part"] if found else ""


def target_problems(target: str, values: Iterable[Any]) -> list[str]:
    """What is wrong with a target and its values, whatever the case.

    Parameters
    ----------
    target : str
        As of `with_changes`.
    values : iterable
        What it is to become.

    Returns
    -------
    list of str
        Each fault once.
    """
    found = TARGET.fullmatch(target)
    if not found:
        return ["is not PART.FIELD, PART[MEMBER].FIELD or PART.FIELD.scale"]
    part, name = found["part"], found["field"]
    if part not in SCHEMAS:
        return [f"there is no part {part!r}{nearest(part, SCHEMAS)}"]
    details: dict[str, None] = {}
    for value in values:
        try:
            field = declared_field(part, name)
            if found["scale"]:
                scale_factor(part, field, value)
            else:
                parsed_value(field, str(value))
        except ChangeRefused as error:
            details[str(error)] = None
    return list(details)


def refused_targets(case: xr.DataTree, values: Mapping[str, Sequence[Any]]) -> list[Problem]:
    """Every target that a case cannot take, or a value that is none of its field."""
    problems = []
    for target, some in values.items():
        details = target_problems(target, some)
        details += [] if len(some) else ["needs a list of values"]
        details += ["names a value twice"] if len(set(map(str, some))) < len(some) else []
        problems += [Problem(target, "change", detail) for detail in details]
    if problems:
        return problems
    firsts = {target: some[0] for target, some in values.items()}
    for target in firsts:
        others = {t: v for t, v in firsts.items() if part_of_target(t) == part_of_target(target)}
        try:  # with the others of its part, which may be what adds it
            with_changes(case, {target: firsts[target], **others})
        except ChangeRefused as error:
            problems.append(Problem(target, "change", str(error)))
    return problems


def replaced(
    case: xr.DataTree, group: xr.Dataset, field: Field, value: Any
) -> tuple[xr.DataArray, str]:
    """The field with a new value, and what that did to an array that varied over time."""
    new = parsed_value(field, str(value))
    shaped = scaled(group, field, new)
    note = change_note(group, field, new, shaped is not None)
    if shaped is None:
        return same_everywhere(case, field, new), note
    return shaped.assign_attrs(attributes(case, field)), note


def multiplied(group: xr.Dataset, part: str, field: Field, value: Any) -> xr.DataArray:
    """The field as it stands in the case, times a factor."""
    factor = scale_factor(part, field, value)
    if field.name not in group:
        raise refused(f"{part}.{field.name} is not in the case, so there is nothing to scale")
    return group[field.name] * factor


def scale_factor(part: str, field: Field, value: Any) -> float:
    """The factor that a value is, for a field that can be scaled."""
    if field.kind != "quantity":
        raise refused(f"{part}.{field.name} is no number, and cannot be scaled")
    try:
        factor = float(value)
    except (TypeError, ValueError):
        factor = np.nan
    if not np.isfinite(factor):
        raise refused(f"{part}.{field.name}.scale needs a factor, not {value!r}")
    return factor


def added_part(
    case: xr.DataTree, part: str, given: Mapping[str, Any], prefix: str = ""
) -> xr.Dataset:
    """A part that the case lacks, still empty: its members are known, and what it needs is given.

    Raises
    ------
    ChangeRefused
        There is no such part, its members cannot be known, or it needs more fields.
    """
    lacking = f"the case has no part {part!r}"
    if part not in PARTS:
        raise refused(f"{lacking}{nearest(part, PARTS)}")
    schema = PARTS[part].schema
    if schema.member not in (None, "pod"):
        fields = [f.name for f in schema.inputs if f.default is REQUIRED]
        raise refused(
            f"{lacking}, and a change names no members of it; a file of the case, or Python, adds"
            f" them, with {', '.join(fields) or 'their fields'}"
        )
    required = [f for f in schema.inputs if f.default is REQUIRED]
    needed = [f for f in required if f"{part}.{f.name}" not in given]
    if needed:
        more = ", ".join(f"{prefix}{part}.{f.name}=… ({f.unit or 'text'})" for f in needed)
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


def refused(message: str) -> ChangeRefused:
    """A change that cannot be made."""
    return ChangeRefused(message)
