"""Cases and results that something has damaged: a field, a bit; drawn from a seed."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

NUMBERS = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-320, 1e30, 1e308, 0.5, 2.0)
TEXTS = (
    "",
    "x",
    "kWh",
    "EUR/MWh",
    "1",
    "nan",
    "2026-01-05",
    "Ünïcode ≤",
    "=1+1",
    "a" * 5000,
    "\x1b[31m",
)
UNITS = ("", "MW", "kWh", "EUR", "furlong", 7, 1.5, [1.0, 2.0], "Ω")
ATTRIBUTES = {
    "timezone": ("", "Mars/Olympus", 3, "Europe/Rome\n", [1, 2]),
    "currency": ("", "USD", 5, "EUR\x00", "€€"),
    "schema_version": (0, -1, 2, "1", 1.0, [1, 1]),
    "step_hours": (0.0, -1.0, "x", np.nan, [1.0]),
    "title": (3, "\x1b", "a" * 9999, [1]),
    "history": (3, ""),
    "Conventions": (0, "CF"),
    "assumptions": (1.0, "x"),
}
Damage = Callable[[random.Random, xr.Dataset, str], xr.Dataset]


def other_number(rng: random.Random, ds: xr.Dataset, name: str) -> xr.Dataset:
    """One number, or all of them, that this field may not be."""
    is_number = ds[name].dtype.kind in "fiub"
    values = np.array(ds[name].values, float) if is_number else np.full(ds[name].shape, 1.0)
    cell = rng.randrange(max(1, values.size))
    values.reshape(-1)[slice(None) if rng.random() < 0.3 else slice(cell, cell + 1)] = rng.choice(
        NUMBERS
    )
    return ds.assign({name: (ds[name].dims, values, ds[name].attrs)})


def other_type(rng: random.Random, ds: xr.Dataset, name: str) -> xr.Dataset:
    """Text, whole numbers, flags or moments in place of what was there."""
    shape, dims = ds[name].shape, ds[name].dims
    kinds = (
        lambda: np.full(shape, rng.choice(TEXTS), dtype=object),
        lambda: np.full(shape, rng.choice((0, 1, -7, 2**40)), dtype=np.int64),
        lambda: np.full(shape, rng.random() < 0.5),
        lambda: np.full(shape, np.datetime64("2026-01-05T00:00", "ns")),
        lambda: np.full(shape, np.float32(1.1)),
        lambda: np.full(shape, np.uint8(255)),
    )
    return ds.drop_vars(name).assign({name: (dims, rng.choice(kinds)(), ds[name].attrs)})


def other_shape(rng: random.Random, ds: xr.Dataset, name: str) -> xr.Dataset:
    """A dimension less, one more, one of another name, in another order, or of no length."""
    x = ds[name].variable
    if not x.dims or rng.random() < 0.3:
        more = rng.choice(("time", "fleet", "market", "extra", "scenario"))
        if more in x.dims:
            return ds.drop_vars(name).assign({name: x.transpose(*reversed(x.dims))})
        size = ds.sizes.get(more, rng.choice((0, 1, 3)))
        return ds.drop_vars(name).assign({name: x.set_dims({more: size, **x.sizes})})
    dim = rng.choice(x.dims)
    if rng.random() < 0.3 and name not in ds.indexes:
        dims = ["another" if d == dim else d for d in x.dims]
        return ds.drop_vars(name).assign({name: (dims, x.values, x.attrs)})
    if rng.random() < 0.2:
        return ds.isel({dim: []})
    return ds.drop_vars(name).assign({name: x.isel({dim: 0})})


def no_more(rng: random.Random, ds: xr.Dataset, name: str) -> xr.Dataset:
    """The field is missing, or has another name."""
    return ds.drop_vars(name) if rng.random() < 0.5 else ds.rename({name: name + rng.choice("sx_")})


def other_units(rng: random.Random, ds: xr.Dataset, name: str) -> xr.Dataset:
    """The attribute `units` says something else."""
    return ds.assign({name: ds[name].assign_attrs(units=rng.choice(UNITS))})


def other_labels(rng: random.Random, ds: xr.Dataset, name: str) -> xr.Dataset:
    """Members with one name, with numbers as names, with none."""
    if not ds.indexes:
        return no_more(rng, ds, name)
    dim = str(rng.choice(sorted(map(str, ds.indexes))))
    size = ds.sizes[dim]
    kinds = (
        lambda: ["same"] * size,
        lambda: list(range(size)),
        lambda: [""] * size,
        lambda: [rng.choice(TEXTS) or "y" for _ in range(size)],
        lambda: np.arange(size) + 0.5,
        lambda: np.full(size, np.datetime64("2026-01-05", "ns")),
    )
    if rng.random() < 0.2:
        return ds.drop_vars(dim)
    return ds.drop_vars(dim).assign_coords({dim: (dim, rng.choice(kinds)())})


DAMAGES: tuple[Damage, ...] = (
    other_number,
    other_number,
    other_type,
    other_shape,
    no_more,
    other_units,
    other_labels,
)


def damaged_field(rng: random.Random, tree: xr.DataTree) -> tuple[xr.DataTree, str]:
    """A copy in which one field is not as it was, and what was done to it."""
    groups = {path: tree[path].to_dataset(inherit=False) for path in tree.groups}
    if rng.random() < 0.08:
        key = rng.choice(sorted(ATTRIBUTES))
        value = rng.choice(ATTRIBUTES[key])
        groups["/"] = groups["/"].assign_attrs({key: value})
        return xr.DataTree.from_dict(groups), f"/{key} = {value!r}"
    path, name = rng.choice([(p, str(n)) for p, ds in groups.items() for n in ds.variables])
    damage = rng.choice(DAMAGES)
    done = damage(rng, groups[path], name)
    return xr.DataTree.from_dict(groups | {path: done}), f"{damage.__name__} of {path}/{name}"


def flip_a_bit(rng: random.Random, source: Path, target: Path) -> str:
    """Write a copy of a file in which one bit is another, and say which."""
    data = bytearray(source.read_bytes())
    place, bit = rng.randrange(len(data)), rng.randrange(8)
    data[place] ^= 1 << bit
    target.write_bytes(data)
    return f"bit {bit} of byte {place}"
