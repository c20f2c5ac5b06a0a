"""A new case whose arrays say what they hold, in the words of the parts that will read them."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import xarray as xr

from ...case.io import assemble
from ...case.schema import Field
from ...model.gates import GATES
from ...model.sessions import SESSION_FIELDS
from ...parts.catalogue import PARTS
from .origins import FORECASTS, replace_origin

SESSIONS = "sessions"


def new_case(
    time: pd.DatetimeIndex,
    groups: Mapping[str, xr.Dataset],
    *,
    timezone: str,
    title: str,
    source: str,
    assumptions: Iterable[str],
    currency: str = "EUR",
    origins: Mapping[str, Sequence[str]] | None = None,
) -> xr.DataTree:
    """Assemble a case with a unit and a meaning for every array.

    Parameters
    ----------
    time
        Start of each step, naive UTC, uniform.
    groups
        One dataset per part, and ``sessions``, ``gates``, ``vintage``.
    timezone, title, source, currency
        As in `assemble`.
    assumptions
        Sentences on what was assumed; each is a line of the file.
    origins
        Sentences on the numbers of a group, by its name, or as ``load/*`` of each of its members;
        they go when others replace those numbers.
    """
    documented = {name: with_meaning(name, group, currency) for name, group in groups.items()}
    case = assemble(
        time,
        documented,
        timezone=timezone,
        title=title,
        source=source,
        currency=currency,
        assumptions="\n".join(assumptions),
    )
    for name, sentences in (origins or {}).items():
        group, each, _ = name.partition("/")
        if group in case.children:
            members = [str(x) for x in case[group].indexes[group]] if each else [""]
            replace_origin(case, case, group, dict.fromkeys(members, sentences), whole=False)
    return case


def with_meaning(group: str, dataset: xr.Dataset, currency: str = "EUR") -> xr.Dataset:
    """Give the arrays of a group the meaning that the schema declares.

    They get its unit, too, where they have none.

    A table of sessions may hold what was read from files of others: there a meaning that is given
    stays.
    """
    declared = declared_fields(group)
    arrays = {}
    for name, array in dataset.data_vars.items():
        field = declared.get(str(name))
        if field is None:
            continue
        attributes = attributes_of(field, currency) | {
            key: text
            for key, text in array.attrs.items()
            if key != "long_name" or group == SESSIONS
        }
        arrays[name] = array.assign_attrs(attributes)
    return dataset.assign(arrays)


def currency_of(case: xr.DataTree) -> str:
    """Return the money of a case."""
    return str(case.attrs.get("currency") or "EUR")


def declared_fields(group: str) -> dict[str, Field]:
    """Return every field that a group of a case may hold, by its name in the file."""
    if group == SESSIONS:
        return dict(SESSION_FIELDS)
    if group == FORECASTS:
        return {
            f"{part}.{name}": field
            for part in PARTS
            for name, field in declared_fields(part).items()
        }
    schema = GATES if group == "gates" else PARTS[group].schema
    return {field.name: field for field in schema.inputs}


def attributes_of(field: Field, currency: str = "EUR") -> dict[str, str]:
    """Return the attributes of an array that stands in the declared unit of its field."""
    meaning = {"long_name": field.doc}
    if field.kind in ("label", "choice"):
        return meaning
    return {"units": field.unit.replace("EUR", currency)} | meaning
