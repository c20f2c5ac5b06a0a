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
class Array:
    """Numbers on named dimensions."""

    values: np.ndarray
    dims: tuple[str, ...] = ()

    def expanded(self, dims: tuple[str, ...]) -> np.ndarray:
        """Return the values with an axis for every one of `dims`, in that order."""
        own = [d for d in dims if d in self.dims]
        values = (
            self.values
            if tuple(own) == self.dims
            else self.values.transpose([self.dims.index(d) for d in own])
        )
        return values.reshape([values.shape[own.index(d)] if d in own else 1 for d in dims])

    def __mul__(self, other: "Array") -> "Array":
        """Multiply, each dimension with its own; 0 stays 0, and 1 costs nothing."""
        if self is ZERO or other is ONE:
            return self
        if other is ZERO or self is ONE:
            return other
        dims = self._dims_with(other)
        return Array(self.expanded(dims) * other.expanded(dims), dims)

    def __add__(self, other: "Array") -> "Array":
        """Add, each dimension to its own."""
        if self is ZERO:
            return other
        if other is ZERO:
            return self
        dims = self._dims_with(other)
        return Array(self.expanded(dims) + other.expanded(dims), dims)

    def rename(self, dim: str, name: str) -> "Array":
        """Give a dimension another name, if it is there."""
        return replace(self, dims=tuple(name if d == dim else d for d in self.dims))

    def apply(self, dim: str, change: Callable[[np.ndarray, int], np.ndarray]) -> "Array":
        """Apply `change(values, axis)` where the dimension is there."""
        if dim not in self.dims:
            return self
        return replace(self, values=change(self.values, self.dims.index(dim)))

    def squeeze(self, dim: str) -> "Array":
        """Drop a dimension of length 1, if it is there."""
        if dim not in self.dims:
            return self
        return Array(self.values.squeeze(self.dims.index(dim)), self._dims_without(dim))

    def sum(self, dim: str, size: int) -> "Array":
        """Sum over a dimension of `size` labels; what does not depend on it counts for each."""
        if dim in self.dims:
            return Array(self.values.sum(axis=self.dims.index(dim)), self._dims_without(dim))
        return self * number(size)

    def with_dim(self, dim: str, size: int) -> "Array":
        """Give the array a dimension, last, if it has not got it; 0 stays 0 without it."""
        if dim in self.dims or self is ZERO:
            return self
        return Array(np.repeat(self.values[..., None], size, axis=-1), (*self.dims, dim))

    def _dims_with(self, other: "Array") -> tuple[str, ...]:
        return self.dims + tuple(d for d in other.dims if d not in self.dims)

    def _dims_without(self, dim: str) -> tuple[str, ...]:
        return tuple(d for d in self.dims if d != dim)


ONE, ZERO = Array(np.asarray(1.0)), Array(np.asarray(0.0))


def number(x: float) -> Array:
    """Return one number, without dimensions."""
    return ZERO if x == 0 else Array(np.asarray(float(x)))


def array_of(data: Any) -> tuple[Array, dict[str, pd.Index]] | None:
    """Read a number or labelled data, with its labels; None for anything else."""
    if isinstance(data, (int, float, np.number)):
        return number(float(data)), {}
    if isinstance(data, xr.DataArray):
        dims = tuple(map(str, data.dims))
        if not dims:
            return number(float(data)), {}
        values = data.to_numpy().astype(float, copy=False)
        return Array(values, dims), {d: data.get_index(d) for d in dims}
    return None


def joined_indexes(
    indexes: Mapping[str, pd.Index], more: Mapping[str, pd.Index]
) -> dict[str, pd.Index]:
    """Return the labels of both; equal names need equal labels."""
    every = dict(indexes)
    for dim, index in more.items():
        own = every.get(dim)
        if own is None:
            every[dim] = index.rename(dim)
        elif own is not index and not own.equals(index):
            raise ValueError(
                f"labels of {dim} differ: {list(own[:3])} ... and {list(index[:3])} ..."
            )
    return every


def broadcast(data: xr.DataArray, indexes: Mapping[str, pd.Index]) -> np.ndarray:
    """Return labelled data as numbers with every dimension of `indexes`, in their order."""
    joined_indexes(indexes, {str(d): data.get_index(d) for d in data.dims})
    values = Array(data.to_numpy(), tuple(map(str, data.dims))).expanded(tuple(indexes))
    return np.broadcast_to(values, [len(i) for i in indexes.values()])


def at_cells(
    array: Array,
    grid: tuple[str, ...],
    summed: tuple[str, ...],
    cells: Mapping[str, np.ndarray] | None,
) -> np.ndarray:
    """Return the numbers ready to broadcast over some cells of the grid, and over `summed`.

    All cells of the grid unless they are given by their place along each dimension.
    """
    if cells is None:
        return array.expanded(grid + summed)
    own, more = (tuple(d for d in dims if d in array.dims) for dims in (grid, summed))
    values = array.expanded(own + more)
    sizes = dict(zip(more, values.shape[len(own) :], strict=True))
    picked = values[tuple(cells[d] for d in own)] if own else values[None]
    return picked.reshape(len(picked), *(sizes.get(d, 1) for d in summed))


def take_table(
    array: Array, dim: str, places: np.ndarray, into: tuple[str, str], fill: float
) -> Array:
    """Replace a dimension by two, with the value at each of `places`, which is a table.

    `fill` stands where a place is below 0.
    """
    axis = array.dims.index(dim)
    values = np.take(array.values, places.clip(min=0), axis)
    empty = (places < 0).reshape([1] * axis + [*places.shape] + [1] * (values.ndim - axis - 2))
    dims = (*array.dims[:axis], *into, *array.dims[axis + 1 :])
    return Array(np.where(empty, fill, values).astype(array.values.dtype), dims)


def masked_labels(labels: Array, mask: Array) -> Array:
    """Labels of variables where the mask is not 0, elsewhere -1: no variable."""
    dims = labels.dims + tuple(d for d in mask.dims if d not in labels.dims)
    return Array(np.where(mask.expanded(dims) != 0, labels.expanded(dims), -1), dims)


def count_by_row(there: np.ndarray) -> np.ndarray:
    """Count True in each row; by columns, of which there are few, where rows are many."""
    if there.shape[1] > 16:
        return there.sum(axis=1)
    length = np.zeros(len(there), np.int64)
    for column in there.T:
        length += column
    return length
