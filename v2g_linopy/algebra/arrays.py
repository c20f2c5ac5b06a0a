"""Numbers on named dimensions: the little of xarray that an expression needs, at the cost of
numpy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr


@dataclass(frozen=True)
class Named:
    """Numbers on named dimensions."""

    values: np.ndarray
    dims: tuple[str, ...] = ()

    def over(self, dims: tuple[str, ...]) -> np.ndarray:
        """Return the values with an axis for every one of `dims`, in that order."""
        have = [d for d in dims if d in self.dims]
        values = (
            self.values
            if tuple(have) == self.dims
            else self.values.transpose([self.dims.index(d) for d in have])
        )
        return values.reshape([values.shape[have.index(d)] if d in have else 1 for d in dims])

    def times(self, other: "Named") -> "Named":
        """Multiply, each dimension with its own."""
        dims = self.dims + tuple(d for d in other.dims if d not in self.dims)
        return Named(self.over(dims) * other.over(dims), dims)

    def plus(self, other: "Named") -> "Named":
        """Add, each dimension to its own."""
        dims = self.dims + tuple(d for d in other.dims if d not in self.dims)
        return Named(self.over(dims) + other.over(dims), dims)

    def renamed(self, dim: str, name: str) -> "Named":
        """Give a dimension another name, if it is there."""
        return replace(self, dims=tuple(name if d == dim else d for d in self.dims))

    def mapped(self, dim: str, change: Callable[[np.ndarray, int], np.ndarray]) -> "Named":
        """Apply `change(values, axis)` where the dimension is there."""
        return (
            replace(self, values=change(self.values, self.dims.index(dim)))
            if dim in self.dims
            else self
        )


ONE, ZERO = Named(np.asarray(1.0)), Named(np.asarray(0.0))


def numbers(data: Any) -> tuple[Named, dict[str, pd.Index]] | None:
    """Read numbers and labelled data; None for anything else."""
    if isinstance(data, (int, float, np.number)):
        return Named(np.asarray(float(data))), {}
    if isinstance(data, xr.DataArray):
        dims = tuple(map(str, data.dims))
        return Named(data.to_numpy().astype(float, copy=False), dims), {
            d: data.get_index(d) for d in dims
        }
    return None


def joined(axes: Mapping[str, pd.Index], more: Mapping[str, pd.Index]) -> dict[str, pd.Index]:
    """Return the axes of both; equal names need equal labels."""
    every = dict(axes)
    for dim, index in more.items():
        have = every.setdefault(dim, index.rename(dim))
        if have is not index and not have.equals(index):
            raise ValueError(
                f"labels of {dim} differ: {list(have[:3])} ... and {list(index[:3])} ..."
            )
    return every


def whole(array: Named, dim: str, size: int) -> Named:
    """Give the array the dimension, last, if it has not got it."""
    if dim in array.dims:
        return array
    return Named(np.repeat(array.values[..., None], size, axis=-1), (*array.dims, dim))


def spread(data: xr.DataArray, axes: Mapping[str, pd.Index]) -> np.ndarray:
    """Return labelled data as numbers with every one of `axes`, in their order."""
    joined(axes, {str(d): data.get_index(d) for d in data.dims})
    values = Named(data.to_numpy(), tuple(map(str, data.dims))).over(tuple(axes))
    return np.broadcast_to(values, [len(i) for i in axes.values()])


def placed(
    array: Named,
    grid: tuple[str, ...],
    over: tuple[str, ...],
    places: Mapping[str, np.ndarray] | None,
) -> np.ndarray:
    """Return the numbers ready to broadcast over the grid, or over the places on it, and over the
    dimensions `over`.
    """
    if places is None:
        return array.over(grid + over)
    have, more = (tuple(d for d in dims if d in array.dims) for dims in (grid, over))
    values = array.over(have + more)
    sizes = dict(zip(more, values.shape[len(have) :], strict=True))
    picked = values[tuple(places[d] for d in have)] if have else values[None]
    return picked.reshape(len(picked), *(sizes.get(d, 1) for d in over))


def gathered(
    array: Named, dim: str, places: np.ndarray, into: tuple[str, str], fill: float
) -> Named:
    """Take the values at `places` along a dimension, two-dimensional itself; `fill` where a place
    is below 0.
    """
    axis = array.dims.index(dim)
    values = np.take(array.values, places.clip(min=0), axis)
    empty = (places < 0).reshape([1] * axis + [*places.shape] + [1] * (values.ndim - axis - 2))
    dims = (*array.dims[:axis], *into, *array.dims[axis + 1 :])
    return Named(np.where(empty, fill, values).astype(array.values.dtype), dims)


def added(array: Named, dim: str) -> Named:
    """Sum a dimension of plain numbers."""
    return Named(
        array.values.sum(axis=array.dims.index(dim)), tuple(d for d in array.dims if d != dim)
    )


def there_only(labels: Named, mask: Named) -> Named:
    """Labels where the mask is not 0, elsewhere -1: no variable."""
    dims = labels.dims + tuple(d for d in mask.dims if d not in labels.dims)
    return Named(np.where(mask.over(dims) != 0, labels.over(dims), -1), dims)


def counted(there: np.ndarray) -> np.ndarray:
    """Count True in each line; by columns, of which there are few, where lines are many."""
    if there.shape[1] > 16:
        return there.sum(axis=1)
    length = np.zeros(len(there), np.int64)
    for column in there.T:
        length += column
    return length
