"""Linear expressions whose terms stay apart until their rows are written.

A `build` reads like its formulas, and each row becomes sparse in one step instead of being copied
by every operator: the cost is that of the numbers, not of the number of operators. A term that does
not exist (a masked variable, the step before the first) counts as 0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr
from linopy.constraints import CSRConstraint
from linopy.csr import Grid

from .arrays import (
    ONE,
    ZERO,
    Named,
    added,
    counted,
    gathered,
    joined,
    numbers,
    placed,
    spread,
    there_only,
    whole,
)

_ROUNDING = 1e-9
_fresh = count()


@dataclass(frozen=True)
class _Term:
    """factor times variable, summed over the dimensions `over`; a label of -1 is no variable."""

    labels: Named
    factor: Named
    over: tuple[str, ...] = ()
    repeated: bool = False  # one variable may stand in several cells

    def renamed(self, dim: str, name: str) -> "_Term":
        return replace(
            self, labels=self.labels.renamed(dim, name), factor=self.factor.renamed(dim, name)
        )

    def shape(self) -> Mapping[str, int]:
        sizes = dict(zip(self.factor.dims, self.factor.values.shape, strict=True))
        return sizes | dict(zip(self.labels.dims, self.labels.values.shape, strict=True))


@dataclass(frozen=True)
class Row:
    """left (sign) 0, one row per label."""

    left: "Sum"
    sign: str

    @property
    def axes(self) -> Mapping[str, pd.Index]:
        """Labels of the rows."""
        return self.left.axes

    def write(self, model: linopy.Model, name: str, mask: xr.DataArray | None = None) -> None:
        """Add the rows to the model, those without `mask` left out.

        Raises
        ------
        ValueError
            A coefficient or a right-hand side is missing, or a row without variables does not hold.
        """
        axes = dict(self.axes)
        wanted = None if mask is None else np.flatnonzero(spread(mask, axes))
        labels, factors, offset = self.left.lines(wanted)
        if np.isnan(offset.sum()):
            raise ValueError(f"{name}: a right-hand side is missing")
        there = labels >= 0
        length = counted(there)
        _holds(name, self.sign, offset[length == 0])
        some = length > 0
        ends = np.cumsum(length[some])
        starts = np.concatenate([[0], ends]).astype(sp.get_index_dtype(maxval=int(length.sum())))
        active = np.flatnonzero(some) if wanted is None else wanted[some]
        shape = (len(active), model._xCounter)
        matrix = sp.csr_array((factors[there], labels[there], starts), shape=shape)
        if np.isnan(matrix.data.sum()):
            raise ValueError(f"{name}: a coefficient is missing")
        if self.left.repeats():
            matrix.sum_duplicates()
            matrix.eliminate_zeros()
        kept = (np.diff(matrix.indptr) > 0) | (
            _excess(self.sign, offset[some]) > _ROUNDING
        )  # the others hold as 0 = 0
        if not kept.all():
            matrix, active = matrix[kept], active[kept]
        rows = CSRConstraint(matrix, active, -offset[some][kept], self.sign, Grid(axes), model)
        model.add_constraints(rows, name=name)


class Sum(linopy.LinearExpression):
    """A linopy expression as a list of terms; every operator that is not written here falls back to
    linopy's own.
    """

    __slots__ = ("axes", "names", "offset", "terms")

    def __init__(
        self,
        model: linopy.Model,
        terms: tuple[_Term, ...],
        offset: Named,
        axes: Mapping[str, pd.Index],
        names: tuple[str, ...] = (),
    ):
        self._model, self._csr, self._data = model, None, None  # type: ignore[assignment]
        self.terms, self.offset, self.axes, self.names = terms, offset, axes, names

    @classmethod
    def of(cls, variable: linopy.Variable) -> "Sum":
        """Read a variable as an expression of one term."""
        dims = tuple(map(str, variable.dims))
        labels = Named(variable.labels.to_numpy(), dims)
        axes = {d: variable.indexes[d].rename(d) for d in dims}
        return cls(variable.model, (_Term(labels, ONE),), ZERO, axes, (variable.name,))

    @property
    def data(self) -> xr.Dataset:
        """The dense form of linopy: coefficients and variables along `_term`."""
        labels, factors, offset = self.lines()
        shape = [len(i) for i in self.axes.values()]
        dims = [*self.axes, "_term"]
        return xr.Dataset(
            {
                "coeffs": (dims, np.where(labels >= 0, factors, np.nan).reshape([*shape, -1])),
                "vars": (dims, labels.reshape([*shape, -1])),
                "const": (dims[:-1], offset.reshape(shape)),
            },
            coords=dict(self.axes),
        )

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(self.axes)

    coord_dims = dims

    @property
    def indexes(self) -> Mapping[str, pd.Index]:  # type: ignore[override]
        """Labels of the dimensions."""
        return self.axes

    def lines(self, cells: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels and factors with one line per cell of the axes, and the constant of each
        cell.

        `cells` names the ones wanted by their position, all unless given.
        """
        grid, shape = tuple(self.axes), tuple(len(i) for i in self.axes.values())
        places = (
            None
            if cells is None
            else dict(zip(grid, np.unravel_index(cells, shape) if grid else (), strict=True))
        )
        head = shape if cells is None else (len(cells),)
        extras = [tuple(term.shape()[d] for d in term.over) for term in self.terms]
        ends = np.cumsum([0, *(int(np.prod(extra, dtype=np.int64)) for extra in extras)])
        labels = np.empty(
            (*head, ends[-1]), np.result_type(np.int32, *(t.labels.values for t in self.terms))
        )
        factors = np.empty((*head, ends[-1]))
        for term, extra, start, end in zip(self.terms, extras, ends[:-1], ends[1:], strict=True):
            for lines, array in ((labels, term.labels), (factors, term.factor)):
                lines[..., start:end].reshape((*head, *extra))[...] = placed(
                    array, grid, term.over, places
                )
        constant = np.empty(head)
        constant[...] = placed(self.offset, grid, (), places)
        return labels.reshape(-1, ends[-1]), factors.reshape(-1, ends[-1]), constant.reshape(-1)

    def repeats(self) -> bool:
        """Return True where one variable may stand in a row twice."""
        return len(set(self.names)) < len(self.names) or any(term.repeated for term in self.terms)

    def costs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return labels and factors of the sum over all cells, one pair per term; a label may be in
        several.
        """
        pairs = []
        for term in self.terms:
            missing = [len(i) for d, i in self.axes.items() if d not in term.shape()]
            dims = term.labels.dims
            extra = tuple(d for d in term.factor.dims if d not in dims)
            factor = term.factor.over(extra + dims)
            factor = factor.sum(axis=tuple(range(len(extra)))) if extra else factor
            used = (term.labels.values >= 0) & (factor != 0)
            price = np.broadcast_to(np.prod(missing, dtype=float) * factor, used.shape)
            pairs.append((term.labels.values[used], price[used]))
        return pairs

    def value(self, primal: np.ndarray) -> xr.DataArray:
        """Evaluate at a solution given by label."""
        labels, factors, offset = self.lines()
        used = np.where(labels >= 0, primal[labels], 0.0)
        values = (used * factors).sum(axis=1) + offset
        shape = [len(i) for i in self.axes.values()]
        return xr.DataArray(values.reshape(shape), coords=self.axes, dims=list(self.axes))

    def sum(self, dim: Any = None, drop_zeros: bool = False, **kwargs: Any) -> "Sum":
        """Sum over one dimension, several, or all."""
        dims = list(self.axes) if dim is None else [dim] if isinstance(dim, str) else list(dim)
        result = self
        for d in dims:
            result = result._summed(d)
        return result

    def _summed(self, dim: str) -> "Sum":
        size = len(self.axes[dim])
        name = f"{dim}~{next(_fresh)}"
        terms = []
        for term in self.terms:
            if dim in term.labels.dims or dim in term.factor.dims:
                labels, factor = term.labels.renamed(dim, name), term.factor.renamed(dim, name)
                terms.append(replace(term, labels=labels, factor=factor, over=(*term.over, name)))
            else:
                terms.append(
                    replace(term, factor=term.factor.times(Named(np.asarray(float(size)))))
                )
        offset = self.offset
        if dim in offset.dims:
            axis = offset.dims.index(dim)
            offset = Named(offset.values.sum(axis=axis), tuple(d for d in offset.dims if d != dim))
        else:
            offset = Named(offset.values * size, offset.dims)
        return self._with(terms, offset, {d: i for d, i in self.axes.items() if d != dim})

    def shift(self, shifts: Any = None, **by: int) -> "Sum":
        """Move by a number of steps, one or more, along a dimension; what comes from outside counts
        as 0.
        """
        ((dim, steps),) = (shifts or by).items()
        if steps < 1:
            raise ValueError("only a shift forward is defined")

        def later(fill: float) -> Callable[[np.ndarray, int], np.ndarray]:
            def change(values: np.ndarray, axis: int) -> np.ndarray:
                moved = np.roll(values, steps, axis)
                moved[(slice(None),) * axis + (slice(steps),)] = fill
                return moved

            return change

        axes = self.axes[dim]
        terms = [
            replace(
                t,
                labels=whole(t.labels, dim, len(axes)).mapped(dim, later(-1)),
                factor=t.factor.mapped(dim, later(0.0)),
            )
            for t in self.terms
        ]
        return self._with(
            terms, whole(self.offset, dim, len(axes)).mapped(dim, later(0.0)), self.axes
        )

    def sel(self, indexers: Any = None, drop: bool = False, **by: Any) -> "Sum":
        """Take labels of one dimension, a scalar label dropping it."""
        ((dim, wanted),) = (indexers or by).items()
        scalar = np.ndim(wanted) == 0
        index = pd.Index([wanted] if scalar else wanted, name=dim)
        position = self.axes[dim].get_indexer(index)
        if (position < 0).any():
            raise KeyError(f"{list(index[position < 0])} not in {dim}")

        def take(array: Named) -> Named:
            taken = array.mapped(dim, lambda values, axis: np.take(values, position, axis))
            if not scalar or dim not in array.dims:
                return taken
            axis = array.dims.index(dim)
            return Named(taken.values.squeeze(axis), tuple(d for d in array.dims if d != dim))

        terms = [replace(t, labels=take(t.labels), factor=take(t.factor)) for t in self.terms]
        axes = {
            d: index if d == dim else i for d, i in self.axes.items() if not (scalar and d == dim)
        }
        return self._with(terms, take(self.offset), axes)

    def grouped(self, label: xr.DataArray, groups: pd.Index) -> "Sum":
        """Sum the members of each of `groups`; `label` names the group of each member, and some may
        be in none.
        """
        (dim,) = map(str, label.dims)
        code = groups.get_indexer(pd.Index(label.to_numpy()))
        inside = np.flatnonzero(code >= 0)
        if len(groups) == 1 and len(inside) == len(code):
            axes = {str(groups.name): groups, **{d: i for d, i in self.axes.items() if d != dim}}
            return self._summed(dim)._with(None, None, axes)
        order = inside[np.argsort(code[inside], kind="stable")]
        sizes = np.bincount(code[inside], minlength=len(groups))
        slot = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        members = np.full((len(groups), max(1, int(sizes.max()))), -1)
        members[code[order], slot] = order
        fresh = f"{dim}~{next(_fresh)}"
        group = str(groups.name)

        def gather(array: Named, fill: float) -> Named:
            return gathered(whole(array, dim, len(code)), dim, members, (group, fresh), fill)

        terms = [
            replace(
                t, labels=gather(t.labels, -1), factor=gather(t.factor, 0.0), over=(*t.over, fresh)
            )
            for t in self.terms
        ]
        offset = added(gather(self.offset, 0.0), fresh)
        return self._with(
            terms, offset, {group: groups, **{d: i for d, i in self.axes.items() if d != dim}}
        )

    def earlier(self, steps: pd.Index, dim: str = "time") -> "Sum":
        """Return x[t - k] for every k of `steps`, whose name is a new dimension; before the first
        label it is 0.
        """
        name, size = str(steps.name), len(self.axes[dim])
        places = np.arange(size)[:, None] - steps.to_numpy()

        def gather(array: Named, fill: float) -> Named:
            return gathered(whole(array, dim, size), dim, places, (dim, name), fill)

        terms = [
            replace(t, labels=gather(t.labels, -1), factor=gather(t.factor, 0.0), repeated=True)
            for t in self.terms
        ]
        return self._with(terms, gather(self.offset, 0.0), {**self.axes, name: steps})

    def lagged(self, kernel: xr.DataArray, dim: str = "time") -> "Sum":
        """Sum over `lag` of kernel[lag] x[t - lag]; what comes before the first label counts as 0.

        `kernel` has the dimension `lag` (0, 1, ... steps back) and any of x; where it is 0 there is
        no term."""
        lag = f"lag~{next(_fresh)}"
        weight = kernel.rename(lag=lag)
        return (
            self.earlier(pd.RangeIndex(kernel.sizes["lag"], name=lag), dim).kept(weight != 0)
            * weight
        )._summed(lag)

    def kept(self, mask: xr.DataArray) -> "Sum":
        """Return the same where `mask` is True; elsewhere there is no term, and it is 0."""
        data = numbers(mask)
        assert data is not None
        terms = [replace(t, labels=there_only(t.labels, data[0])) for t in self.terms]
        return self._with(terms, self.offset.times(data[0]), joined(self.axes, data[1]))

    def at(self, label: xr.DataArray) -> "Sum":
        """Take, for each cell of `label`, the value at the label it names, 0 where that is none:
        `x[day of each hour]`.

        The name of `label` is the dimension that it replaces.
        """
        (dim,), named = map(str, label.dims), str(label.name)
        position = self.axes[named].get_indexer(pd.Index(label.to_numpy()))
        none = position < 0

        def take(array: Named, fill: float) -> Named:
            def change(values: np.ndarray, axis: int) -> np.ndarray:
                taken = np.take(values, position, axis)
                taken[(slice(None),) * axis + (none,)] = fill
                return taken

            return (whole(array, named, len(self.axes[named])) if none.any() else array).mapped(
                named, change
            )

        terms = [
            replace(
                t, labels=take(t.labels, -1), factor=take(t.factor, 0.0), repeated=True
            ).renamed(named, dim)
            for t in self.terms
        ]
        axes = {
            dim if d == named else d: label.get_index(dim) if d == named else i
            for d, i in self.axes.items()
        }
        return self._with(terms, take(self.offset, 0.0).renamed(named, dim), axes)

    def _with(self, terms: Any, offset: Named | None, axes: Mapping[str, pd.Index]) -> "Sum":
        kept = self.terms if terms is None else tuple(terms)
        return Sum(self._model, kept, self.offset if offset is None else offset, axes, self.names)

    def __neg__(self) -> "Sum":
        return self * -1.0

    def __mul__(self, other: Any) -> Any:
        data = numbers(other)
        if data is None:
            return super().__mul__(other)
        factor, axes = data
        terms = [replace(t, factor=t.factor.times(factor)) for t in self.terms]
        return self._with(terms, self.offset.times(factor), joined(self.axes, axes))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self * (1.0 / other)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, linopy.Variable):
            other = Sum.of(other)
        if isinstance(other, Sum):
            axes, names = joined(self.axes, other.axes), self.names + other.names
            return Sum(
                self._model, self.terms + other.terms, self.offset.plus(other.offset), axes, names
            )
        data = numbers(other)
        if data is None:
            return super().__add__(other)
        constant, axes = data
        return self._with(None, self.offset.plus(constant), joined(self.axes, axes))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __le__(self, other: Any) -> Row:  # type: ignore[override]
        return Row(self - other, "<=")

    def __ge__(self, other: Any) -> Row:  # type: ignore[override]
        return Row(self - other, ">=")

    def __eq__(self, other: Any) -> Row:  # type: ignore[override]
        return Row(self - other, "=")

    __hash__ = None  # type: ignore[assignment]


def _holds(name: str, sign: str, constant: np.ndarray) -> None:
    """Rows without variables must hold by themselves: constant (sign) 0."""
    if wrong := int((_excess(sign, constant) > _ROUNDING).sum()):
        raise ValueError(f"{name}: {wrong} row(s) that no variable can satisfy")


def _excess(sign: str, constant: np.ndarray) -> np.ndarray:
    """Return by how much constant (sign) 0 is missed."""
    return {"=": abs(constant), "<=": constant, ">=": -constant}[sign]
