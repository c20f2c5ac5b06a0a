"""Identical members merged exactly: n copies are one member with n times the power and energy.

Only members without binaries: two engines, one on and one off, are not an engine of twice the size.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr

from ..case.schema import Field
from ..case.units import TABLE
from ..model.inputs import Inputs
from ..model.part import Stage

EXTENSIVE = ("power", "energy", "money", "ramp", "money rate")


@dataclass(frozen=True)
class Merged:
    """Which member stands for which, by part.

    Of every member the one that stands for it, and how many that one stands for.
    """

    members: Mapping[str, pd.DataFrame]

    @property
    def saved(self) -> int:
        """Number of members that another one stands for."""
        return sum(len(t) - t["stands_in"].nunique() for t in self.members.values())


def merge(
    inputs: Inputs, apart: Mapping[str, Collection[str]] = MappingProxyType({})
) -> tuple[Inputs, Merged]:
    """Replace members with equal data by one; return the smaller inputs and what undoes it.

    `apart` names, by part, members that stand for nobody but themselves.
    """
    data, members = dict(inputs.data), {}
    for part, d in inputs:
        dim = part.schema.member
        if part.stage is not Stage.ASSET or dim is None or d.sizes.get(dim, 0) < 2:
            continue
        if not part.merges:
            continue
        beside = _beside(inputs, part.name, dim)
        every = d.assign({f"{other}.{n}": x for (other, n), x in beside.items()})
        alone = {*apart.get(part.name, ()), *_named(inputs, part.name)}
        table = _alike(every, dim, part.schema.inputs, alone)
        if table["stands_in"].nunique() == len(table):
            continue
        members[part.name] = table

        count = _counts(table, dim)
        data[part.name] = _times(d, count, dim, part.schema.inputs)
        for other in {other for other, _ in beside}:
            known = {n: x for (o, n), x in beside.items() if o == other}
            small = {n: _scaled(x.sel({dim: count.indexes[dim]}), count) for n, x in known.items()}
            whole = data[other]
            data[other] = whole.drop_dims(dim).assign(small).assign_attrs(whole.attrs)
    return replace(inputs, data=data), Merged(members)


def _counts(table: pd.DataFrame, dim: str) -> xr.DataArray:
    """Return how many members each one that is kept stands for."""
    kept = table.drop_duplicates("stands_in")
    labels = pd.Index(kept["stands_in"], name=dim)
    return xr.DataArray(kept["count"].to_numpy(float), coords={dim: labels})


def _scaled(x: xr.DataArray, count: xr.DataArray) -> xr.DataArray:
    """Return what another part knows of members, for as many of them; labels stay."""
    return x * count if x.dtype.kind in "fiub" else x


def _times(d: xr.Dataset, count: xr.DataArray, dim: str, fields: tuple[Field, ...]) -> xr.Dataset:
    """Return the members that are kept, as many times as large as they stand for."""
    small = d.sel({dim: count.indexes[dim]})
    for field in fields:
        if field.name in small and is_extensive(field):
            small[field.name] = small[field.name] * count
    return small.assign_attrs(d.attrs)


def expand(array: xr.DataArray, merged: Merged, share: bool) -> xr.DataArray:
    """Give every member its own labels back.

    `share` divides by the number that shared the value.
    """
    for table in merged.members.values():
        dim = str(table.index.name)
        if dim in array.dims:
            every = array.sel({dim: table["stands_in"].to_numpy()})
            array = every.assign_coords({dim: table.index})
            if share:
                count = table["count"].to_numpy(float)
                array = array / xr.DataArray(count, coords={dim: table.index})
    return array


def is_extensive(field: Field) -> bool:
    """Return True for a quantity that doubles when the member doubles."""
    return field.kind == "quantity" and TABLE.get(field.unit, ("",))[0] in EXTENSIVE


def _beside(inputs: Inputs, part: str, dim: str) -> dict[tuple[str, str], xr.DataArray]:
    """Return what other parts know of each member: labels, and quantities that double with it."""
    others = ((other.name, d) for other, d in inputs if other.name != part)
    return {
        (other, str(n)): x for other, d in others for n, x in d.data_vars.items() if dim in x.dims
    }


def _named(inputs: Inputs, part: str) -> set[str]:
    """Return the members that another part names: they stay themselves."""
    named = [(f.name, data) for other, data in inputs for f in other.schema.inputs if f.of == part]
    return {str(m) for name, data in named if name in data for m in data[name].to_numpy().ravel()}


def _alike(
    d: xr.Dataset, dim: str, fields: tuple[Field, ...], apart: Collection[str]
) -> pd.DataFrame:
    """Table of the members on `dim`: which one stands for each, and for how many; those `apart`
    stand for themselves.
    """
    # labels say nothing of what a member can do, but for its pod and what it belongs to
    labels = {f.name for f in fields if f.kind == "label" and f.name != "pod" and not f.of}
    index = d.indexes[dim]
    table = pd.DataFrame({"key": _digests(d, dim, labels | {"vehicles"})}, index=index)
    table.index.name = dim

    first = ~table["key"].duplicated()
    stands_in = dict(zip(table["key"][first], index[first], strict=True))
    table["stands_in"] = table["key"].map(stands_in)
    names = [str(name) for name in apart]
    alone = table["stands_in"].isin(list(apart)) | index.astype(str).isin(names)
    table.loc[alone, "key"] = table.loc[alone, "stands_in"] = index[alone]
    table["count"] = table.groupby("key")["key"].transform("size")
    return table


def _digests(d: xr.Dataset, dim: str, skip: Collection[str]) -> list[str]:
    """Return a digest of the data of each member: members with the same one are alike."""
    digests = [hashlib.blake2b(digest_size=16) for _ in range(d.sizes[dim])]
    for name in sorted(map(str, d.data_vars)):
        array = d.variables[name]
        if name in skip or dim not in array.dims:
            continue
        rows = array.transpose(dim, ...).to_numpy()
        if rows.dtype.kind not in "fiub":
            rows = rows.astype(str)
        for digest, row in zip(digests, np.ascontiguousarray(rows), strict=True):
            digest.update(name.encode())
            digest.update(row.tobytes())
    return [digest.hexdigest() for digest in digests]
