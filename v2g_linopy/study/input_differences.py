"""Which inputs differ between two results, or cases: field, where, from, to."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS

COLUMNS = ("field", "unit", "where", "one", "other")


def input_differences(
    one: xr.DataTree, other: xr.DataTree, *, parts: Mapping[str, Part] = PARTS
) -> pd.DataFrame:
    """Return the inputs that differ, with what stands in each.

    Parameters
    ----------
    one, other : xarray.DataTree
        Cases or results, each with what its parts took as given, defaults included.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    pandas.DataFrame
        ``field`` (such as `fleet.discharge_max`), ``unit``, ``where`` (members and steps), ``one``
        and ``other`` in words: a number, the smallest and the largest, or what is there. Members
        and steps that only one of them has are rows of their own; arrays are compared on those that
        both have.

    Raises
    ------
    SchemaError
        The inputs do not fit the schema.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.study.input_differences import input_differences
    >>> case = v2g.commuters(vehicles=2, days=1, regulation=None)
    >>> smart = case.copy()
    >>> smart["fleet"] = smart["fleet"].to_dataset().assign(wear=0.1)
    >>> print(input_differences(case, smart).to_string(index=False, header=False))
    fleet.wear EUR/kWh everywhere 0.083333 0.1
    """
    left, right = inputs_of(one, parts), inputs_of(other, parts)
    rows = _clocks(left, right)
    for name in dict.fromkeys([*left.data, *right.data]):
        there = [("there" if name in inputs.data else "absent") for inputs in (left, right)]
        if there[0] != there[1]:
            rows.append((f"/{name}", "", "the whole group", *there))
            continue
        a, b = left.data[name], right.data[name]
        rows += _members(name, parts[name], a, b)
        a, b = xr.align(a, b, join="inner")
        for field in parts[name].schema.inputs:
            if field.name in a or field.name in b:
                rows += _of_field(f"{name}.{field.name}", field.unit, a, b, left)
    return pd.DataFrame(rows, columns=[*COLUMNS])


Row = tuple[str, ...]


def _clocks(one: Inputs, other: Inputs) -> list[Row]:
    """Return how clock, money and scenarios differ."""
    told = []
    for inputs in (one, other):
        time = inputs.calendar.time
        scenarios = inputs.calendar.scenario
        told.append(
            {
                "time": f"{len(time)} steps of {inputs.dt:g} h from {time[0]} UTC"
                if len(time)
                else "no step",
                "timezone": str(inputs.calendar.timezone),
                "currency": inputs.calendar.currency,
                "scenario": "none" if scenarios is None else f"{len(scenarios)}",
            }
        )
    return [(n, "", "", told[0][n], told[1][n]) for n in told[0] if told[0][n] != told[1][n]]


def _members(name: str, part: Part, one: xr.Dataset, other: xr.Dataset) -> list[Row]:
    """Return members that only one of them has."""
    dim = part.member
    if dim not in one.indexes or dim not in other.indexes:
        return []
    only = [a.indexes[dim].difference(b.indexes[dim]) for a, b in ((one, other), (other, one))]
    if not (len(only[0]) or len(only[1])):
        return []
    return [(f"{name}", "", "members that the other has not", *(_few(labels) for labels in only))]


def _few(labels: pd.Index) -> str:
    names = ", ".join(map(str, labels[:3])) + (", …" if len(labels) > 3 else "")
    return f"{len(labels)}: {names}" if len(labels) else "none"


def _of_field(name: str, unit: str, a: xr.Dataset, b: xr.Dataset, inputs: Inputs) -> list[Row]:
    """Return where a field differs, and what stands there in each."""
    leaf = name.partition(".")[2]
    if leaf not in a or leaf not in b:
        return [
            (name, unit, "everywhere", *("given" if leaf in d else "not given" for d in (a, b)))
        ]
    x, y = xr.broadcast(a[leaf], b[leaf])
    differs = x != y
    if x.dtype.kind == "f" and y.dtype.kind == "f":
        close = np.isclose(x, y, rtol=1e-9, atol=1e-12, equal_nan=True)
        differs = xr.zeros_like(differs, dtype=bool) | ~close
    if not bool(differs.any()):
        return []
    here = np.asarray(differs)
    return [(name, unit, _where(differs, inputs), *(_told(np.asarray(v)[here]) for v in (x, y)))]


def _where(differs: xr.DataArray, inputs: Inputs) -> str:
    """Say at which members and steps."""
    words = []
    for dim in sorted(map(str, differs.dims), key=lambda d: d == "time"):
        some = differs.any([d for d in differs.dims if d != dim])
        labels, total = differs.indexes[dim][np.asarray(some)], differs.sizes[dim]
        if len(labels) == total:
            continue
        if dim == "time":
            first = inputs.calendar.local(labels[0])
            words.append(first if len(labels) == 1 else f"{len(labels)} steps from {first}")
        else:
            words.append(
                str(labels[0]) if len(labels) == 1 else f"{len(labels)} of {total} of {dim}"
            )
    return ", ".join(words) or "everywhere"


def _told(values: np.ndarray) -> str:
    """Say the values: one, or from the smallest to the largest."""
    if values.dtype.kind not in "fiu":
        names = list(dict.fromkeys(str(v) for v in values.ravel()))
        return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    numbers = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not len(numbers):
        return "not given"
    least, most = (f"{float(v):.5g}" for v in (numbers.min(), numbers.max()))
    return least if least == most else f"{least} to {most}"
