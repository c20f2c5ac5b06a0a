"""`--set part.field=value`: change a copy of a case before it is used."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer
import xarray as xr

from ..catalogue import PARTS
from ..schema import REQUIRED, Field
from .options import nearest, pairs

TARGET = re.compile(r"(?P<part>\w+)(\[(?P<member>[^\]]+)\])?\.(?P<field>\w+)")
FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


def changed(case: xr.DataTree, words: Sequence[str] | None) -> xr.DataTree:
    """Return the case with every `--set` applied; the case given is left as it is.

    Raises
    ------
    BadParameter
        A word cannot be read, or names a part, a field or a member that is not there (with a suggestion).
    """
    case = case.copy()
    if words:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case.attrs["history"] = f"{case.attrs.get('history', '')}\n{stamp} changed: {' '.join(words)}".strip()
    for target, word in pairs(words, "--set").items():
        found = TARGET.fullmatch(target)
        if not found:
            raise refused(f"{target!r} is not PART.FIELD or PART[MEMBER].FIELD")
        part = found["part"]
        if part not in case.children:
            raise refused(f"the case has no part {part!r}{nearest(part, [n for n in case.children if n in PARTS])}")
        group = case.children[part].to_dataset(inherit=False)
        field = declared(part, found["field"])
        new = value(field, word)
        array = (
            for_member(group, case, part, field, found["member"], new)
            if found["member"]
            else everywhere(case, field, new)
        )
        case[part] = xr.DataTree(group.drop_vars(field.name, errors="ignore").assign({field.name: array}))
    return case


def declared(part: str, name: str) -> Field:
    """The field of a part, or a usage error with a suggestion."""
    known = {f.name: f for f in PARTS[part].schema.inputs}
    if name not in known:
        raise refused(f"{part} has no field {name!r}{nearest(name, known)}")
    return known[name]


def value(field: Field, word: str) -> Any:
    """The word as a value of the field: a number in its declared unit, a flag, or text."""
    if field.kind in ("label", "choice"):
        return word
    try:
        return FLAGS[word.lower()] if word.lower() in FLAGS else float(word)
    except ValueError:
        raise refused(f"{field.name} needs a number ({field.unit}), not {word!r}") from None


def everywhere(case: xr.DataTree, field: Field, new: Any) -> xr.DataArray:
    """One value for every member and step."""
    return xr.DataArray(new, attrs=attributes(case, field))


def for_member(group: xr.Dataset, case: xr.DataTree, part: str, field: Field, member: str, new: Any) -> xr.DataArray:
    """The field as it stands, with a new value for one member."""
    dim = next((d for d in field.dims.split() if d != "time"), None)
    if dim is None or dim not in group.indexes:
        raise refused(f"{part}.{field.name} has no members; write {part}.{field.name}={new}")
    labels = group.indexes[dim].astype(str)
    if member not in labels:
        raise refused(f"{part} has no member {member!r}{nearest(member, labels)}")
    if field.name not in group and field.default in (REQUIRED, None):
        raise refused(f"{part}.{field.name} is not in the case; set it for every member first")
    old = group[field.name] if field.name in group else everywhere(case, field, field.default)
    units = old.attrs.get("units", field.unit)
    if units != attributes(case, field).get("units", units):
        raise refused(
            f"{part}.{field.name} is in {units} in the case; one member can be set only where it is in {field.unit}"
        )
    return old.where(xr.DataArray(labels != member, coords={dim: group.indexes[dim]}), new).assign_attrs(old.attrs)


def attributes(case: xr.DataTree, field: Field) -> dict[str, str]:
    """Unit and description of a field, in the money of the case."""
    unit = field.unit.replace("EUR", str(case.attrs.get("currency", "EUR")))
    return {"long_name": field.doc} | ({} if field.kind in ("label", "choice") else {"units": unit})


def refused(message: str) -> typer.BadParameter:
    """A usage error of `--set`."""
    return typer.BadParameter(message, param_hint="--set")
