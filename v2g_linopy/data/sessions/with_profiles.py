"""Measured profiles into a case: new members of a part, or new numbers for those it has."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...case.schema import REQUIRED, Field
from ...case.units import factor
from ...parts.catalogue import PARTS
from ..tables.local_time import align
from ..tables.series import notes_of
from ..tables.unit_conversion import in_unit
from .new_case import attributes_of, currency_of
from .origins import drop_forecasts, other_clock, replace_origin


def with_profiles(
    case: xr.DataTree,
    part: str,
    field: str,
    profiles: xr.Dataset,
    *,
    pods: Mapping[str, str] | None = None,
    source: str | Mapping[str, str] = "",
) -> xr.DataTree:
    """Return a case with profiles in one array of a part, such as ``available`` of ``/renewable``.

    A name that the part has keeps its other fields, which say how the member is used; its numbers,
    their forecasts, and what was said of them in the attributes `source` and `assumptions` are
    replaced. A new name gets the defaults of the schema. The zone of the case stays.

    Parameters
    ----------
    case : xarray.DataTree
        It is not changed.
    part : str
        The part, as ``load``.
    field : str
        The array, as ``baseline``.
    profiles : xarray.Dataset
        Power on ``time`` (naive UTC, uniform), one variable per member, as `read_profiles` returns
        it; it has to cover the case.
    pods : mapping of str to str, optional
        Point of delivery by name; the others keep theirs, or stand at the default one.
    source : str or mapping of str to str, default ""
        Where the profiles come from, such as the name of their file; or what to say of each.

    Returns
    -------
    xarray.DataTree
        The case with the array (kW) on the members and `time`.

    Raises
    ------
    SchemaError
        Steps that the profiles do not cover, or units of another kind.

    Examples
    --------
    A hall that draws 12 kW all day beside the commuters:

    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.data import with_profiles
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> power = ("time", [12.0] * 24, {"units": "kW"})
    >>> profiles = xr.Dataset({"hall": power}, coords={"time": case["time"].values})
    >>> with_profiles(case, "load", "baseline", profiles)["load"].baseline.sizes["time"]
    24
    """
    schema = PARTS[part].schema
    before, case, member = case, case.copy(), str(schema.member)
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    fresh = align(profiles, time, source="the profiles").to_dataarray(member).astype(float)
    fresh = fresh.assign_coords({member: fresh[member].astype(str)})
    currency = currency_of(case)
    old = (
        case.children[part].to_dataset(inherit=False)
        if part in case.children
        else xr.Dataset(coords={member: []})
    )
    there = [str(name) for name in old.indexes[member]] if member in old.indexes else []
    names = list(dict.fromkeys([*there, *map(str, fresh[member].values)]))
    declared = {f.name: f for f in schema.inputs}
    grown = {
        str(name): _grown(x, declared[str(name)], member, there, names, currency)
        for name, x in old.data_vars.items()
        if str(name) in declared and str(name) != field
    }
    values = fresh.reindex({member: names})
    if field in old:
        kept = in_unit(old[field], "kW", f"{part}.{field}")
        kept = kept if member in kept.dims else kept.expand_dims({member: there})
        kept = kept.assign_coords({member: there}).reindex({member: names})
        values = values.where(
            xr.DataArray(np.isin(names, fresh[member]), dims=member, coords={member: names}), kept
        )
        values = values.transpose(*(d for d in ("scenario", member, "time") if d in values.dims))
    grown[field] = values.assign_attrs(attributes_of(declared[field]))
    if pods:
        place = grown.get("pod", xr.DataArray([declared["pod"].default] * len(names), dims=member))
        labels = [pods.get(name, str(pod)) for name, pod in zip(names, place.values, strict=True)]
        grown["pod"] = xr.DataArray(labels, dims=member, attrs=attributes_of(declared["pod"]))
    case[part] = xr.DataTree(xr.Dataset(grown, coords={member: names}, attrs=old.attrs))
    drop_forecasts(case, f"{part}.{field}")
    _replace_origins(case, before, part, profiles, source)
    return case


def _replace_origins(
    case: xr.DataTree,
    before: xr.DataTree,
    part: str,
    profiles: xr.Dataset,
    source: str | Mapping[str, str],
) -> None:
    """Put where profiles come from, and what was done to them, where the words on the old stood."""
    given = source if isinstance(source, Mapping) else {}
    notes = [line for line in (other_clock(case, profiles), *notes_of(profiles)) if line]
    for name in map(str, profiles.data_vars):
        origin = given.get(name, "") if given else str(source)
        said = [f"/{part}, {name}: from {origin or 'imported profiles'}."]
        said += [f"/{part}: {line}" for line in notes]
        replace_origin(case, before, part, {name: said}, origin, whole=False)
        before = case


def _grown(
    x: xr.DataArray, field: Field, member: str, before: list[str], names: list[str], currency: str
) -> xr.DataArray:
    """Return an array for all names: the new ones get the default, in the unit of the array."""
    if member not in field.dims.split():
        return x
    x = x if member in x.dims else x.expand_dims({member: before})
    fill: Any = np.nan if field.default is REQUIRED or field.default is None else field.default
    if isinstance(fill, int | float) and "units" in x.attrs:
        scale = factor(str(x.attrs["units"]), field.unit, currency)
        fill = fill * (factor(field.unit, field.unit) or 1.0) / scale if scale else fill
    kind = object if x.dtype.kind in "OUST" else float
    grown = x.astype(kind).assign_coords({member: before}).reindex({member: names}, fill_value=fill)
    return grown.astype(str) if kind is object else grown
