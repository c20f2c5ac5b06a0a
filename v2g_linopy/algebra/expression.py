"""Linear expressions whose terms stay apart until their rows are written.

A `build` reads like its formulas, and each row becomes sparse in one step instead of being copied
by every operator: the cost is that of the numbers, not of the number of operators."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from . import linopy_adapter
from .arrays import (
    ONE,
    ZERO,
    Array,
    array_of,
    at_cells,
    broadcast,
    count_by_row,
    joined_indexes,
    masked_labels,
    take_table,
)
from .linopy_adapter import Rows, Target

_ROUNDING = 1e-9
_fresh = count()


@dataclass(frozen=True)
class _Term:
    """factor times variable, summed over the dimensions `summed`; a label of -1 is no variable."""

    labels: Array
    factor: Array
    summed: tuple[str, ...] = ()
    repeated: bool = False  # one variable may stand in several cells

    def rename(self, dim: str, name: str) -> "_Term":
        return replace(
            self, labels=self.labels.rename(dim, name), factor=self.factor.rename(dim, name)
        )

    @property
    def sizes(self) -> Mapping[str, int]:
        sizes = dict(zip(self.factor.dims, self.factor.values.shape, strict=True))
        return sizes | dict(zip(self.labels.dims, self.labels.values.shape, strict=True))


class Expression:
    """A sum of factors times variables, and a constant, on labelled dimensions.

    It has the method names of xarray and linopy, with one difference of meaning. A term that does
    not exist counts as 0: a variable where it is masked, the step before the first, what `where`
    takes out. For linopy (v1 arithmetic) one missing term makes the whole sum missing, and its row
    is left out: `x - x.shift(time=1) <= 1` over three steps is two rows there, and three here. What
    linopy calls `fillna(0)` is the rule here.

    Labels must be equal wherever two things meet; nothing is aligned or filled.

    Examples
    --------
    >>> import pandas as pd
    >>> from v2g_linopy.algebra.linopy_adapter import exact_labels, new_model
    >>> with exact_labels():
    ...     model = new_model()
    >>> time = pd.RangeIndex(3, name="time")
    >>> x = Expression.from_linopy(model.add_variables(coords=[time], name="x"))
    >>> rows = x - x.shift(time=1) <= 1
    >>> rows.write(model, "ramp")
    >>> model.constraints["ramp"].ncons
    3
    """

    __slots__ = ("constant", "indexes", "model", "names", "terms")
    __array_ufunc__ = None  # numpy leaves its operators to this class
    __hash__ = None  # type: ignore[assignment]  # `==` is a row

    def __init__(
        self,
        model: Target,
        terms: tuple[_Term, ...],
        constant: Array,
        indexes: Mapping[str, pd.Index],
        names: tuple[str, ...] = (),
    ):
        self.model, self.terms, self.constant = model, terms, constant
        self.indexes, self.names = indexes, names

    # ---- from and to -----------------------------------------------------------------------------

    @classmethod
    def from_linopy(cls, x: "linopy.Variable | linopy.LinearExpression") -> "Expression":
        """Read a variable or an expression of linopy; what is absent there is 0 here."""
        if isinstance(x, linopy.LinearExpression):
            return cls._from_linear_expression(x)
        dims = tuple(map(str, x.dims))
        labels = Array(x.labels.to_numpy(), dims)
        indexes = {d: x.indexes[d].rename(d) for d in dims}
        return cls(x.model, (_Term(labels, ONE),), ZERO, indexes, (x.name,))

    @classmethod
    def _from_linear_expression(cls, x: linopy.LinearExpression) -> "Expression":
        labels, factors, constant, indexes = linopy_adapter.terms_of(x)
        dims, fresh = tuple(indexes), _fresh_name("term")
        term = _Term(
            Array(labels, (*dims, fresh)), Array(factors, (*dims, fresh)), (fresh,), repeated=True
        )
        return cls(x.model, (term,), Array(constant, dims), indexes)

    @classmethod
    def without_terms(cls, model: Target, indexes: Mapping[str, pd.Index]) -> "Expression":
        """Return 0 on some dimensions: where no variable is possible."""
        return cls(model, (), ZERO, indexes)

    def to_linopy(self) -> linopy.LinearExpression:
        """Return the same as an expression of linopy."""
        labels, factors, constant = self.lines()
        shape = [len(i) for i in self.indexes.values()]
        arrays = (labels.reshape([*shape, -1]), factors.reshape([*shape, -1]))
        return linopy_adapter.linear_expression(
            self.model, *arrays, constant.reshape(shape), self.indexes
        )

    # ---- what it is ------------------------------------------------------------------------------

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(self.indexes)

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each dimension."""
        return {d: len(i) for d, i in self.indexes.items()}

    @property
    def has_terms(self) -> bool:
        """False for a constant: nothing that a solver decides is in it."""
        return bool(self.terms)

    @property
    def repeats(self) -> bool:
        """True where one variable may stand in a row twice."""
        return len(set(self.names)) < len(self.names) or any(t.repeated for t in self.terms)

    def lines(self, cells: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels and factors, one line per cell of the grid, and the constant of each cell.

        `cells` names the ones wanted by their position, all unless given.
        """
        grid, shape = self.dims, tuple(len(i) for i in self.indexes.values())
        places = None
        if cells is not None:
            along = np.unravel_index(cells, shape) if grid else ()
            places = dict(zip(grid, along, strict=True))
        head = shape if cells is None else (len(cells),)

        extras = [tuple(term.sizes[d] for d in term.summed) for term in self.terms]
        ends = np.cumsum([0, *(int(np.prod(extra, dtype=np.int64)) for extra in extras)])
        kind = np.result_type(np.int32, *(t.labels.values for t in self.terms))
        labels, factors = np.empty((*head, ends[-1]), kind), np.empty((*head, ends[-1]))

        for term, extra, start, end in zip(self.terms, extras, ends[:-1], ends[1:], strict=True):
            for lines, array in ((labels, term.labels), (factors, term.factor)):
                target = lines[..., start:end].reshape((*head, *extra))
                target[...] = at_cells(array, grid, term.summed, places)
        constant = np.empty(head)
        constant[...] = at_cells(self.constant, grid, (), places)

        width = ends[-1]
        rows = int(np.prod(head, dtype=np.int64))
        return labels.reshape(rows, width), factors.reshape(rows, width), constant.reshape(rows)

    def coefficients(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return labels and factors of the sum over all cells, one pair per term.

        The same variable may occur in several pairs.
        """
        pairs = []
        for term in self.terms:
            missing = [len(i) for d, i in self.indexes.items() if d not in term.sizes]
            dims = term.labels.dims
            extra = tuple(d for d in term.factor.dims if d not in dims)
            factor = term.factor.expanded(extra + dims)
            factor = factor.sum(axis=tuple(range(len(extra)))) if extra else factor
            used = (term.labels.values >= 0) & (factor != 0)
            cells = np.prod(missing, dtype=float)
            coefficient = np.broadcast_to(cells * factor, used.shape)
            pairs.append((term.labels.values[used], coefficient[used]))
        return pairs

    def value(self, primal: np.ndarray) -> xr.DataArray:
        """Evaluate at a solution given by label."""
        labels, factors, constant = self.lines()
        used = np.where(labels >= 0, primal[labels], 0.0)
        values = (used * factors).sum(axis=1) + constant
        shape = [len(i) for i in self.indexes.values()]
        return xr.DataArray(values.reshape(shape), coords=self.indexes, dims=list(self.indexes))

    # ---- sums ------------------------------------------------------------------------------------

    def sum(self, dim: str | Iterable[Hashable] | None = None) -> "Expression":
        """Sum over one dimension, several, or all."""
        dims = self.dims if dim is None else [dim] if isinstance(dim, str) else map(str, dim)
        result = self
        for d in dims:
            result = result._summed(d)
        return result

    def _summed(self, dim: str) -> "Expression":
        size, name = len(self.indexes[dim]), _fresh_name(dim)
        terms = []
        for term in self.terms:
            if dim in term.labels.dims or dim in term.factor.dims:
                apart = term.rename(dim, name)
                terms.append(replace(apart, summed=(*term.summed, name)))
            else:
                terms.append(replace(term, factor=term.factor.sum(dim, size)))
        return self._with(terms, self.constant.sum(dim, size), self._indexes_without(dim))

    def groupby_sum(self, label: xr.DataArray, groups: pd.Index) -> "Expression":
        """Sum the members of each of `groups`.

        `label` names the group of each label of its one dimension; some may be in none.
        """
        (dim,) = map(str, label.dims)
        if not label.indexes[dim].equals(self.indexes[dim]):  # by label, in whatever order
            label = label.sel({dim: self.indexes[dim]})
        group, indexes = str(groups.name), {str(groups.name): groups, **self._indexes_without(dim)}
        code = groups.get_indexer(pd.Index(label.to_numpy()))
        inside = np.flatnonzero(code >= 0)
        if len(groups) == 1 and len(inside) == len(code):
            return self._summed(dim)._with(None, None, indexes)

        order = inside[np.argsort(code[inside], kind="stable")]
        sizes = np.bincount(code[inside], minlength=len(groups))
        slot = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        members = np.full((len(groups), max(1, int(sizes.max()))), -1)
        members[code[order], slot] = order

        fresh = _fresh_name(dim)
        table = _Table(dim, len(code), members, (group, fresh))
        terms = [replace(table.term(t), summed=(*t.summed, fresh)) for t in self.terms]
        constant = self.constant
        if constant is not ZERO:
            constant = table.constant(constant).sum(fresh, members.shape[1])
        return self._with(terms, constant, indexes)

    # ---- other labels ----------------------------------------------------------------------------

    def shift(self, shifts: Mapping[str, int] | None = None, **by: int) -> "Expression":
        """Move by a number of steps along a dimension: forward, or back where it is negative.

        What comes from outside counts as 0.
        """
        ((dim, steps),) = (shifts or by).items()
        if steps == 0:
            raise ValueError("a shift by 0 steps moves nothing")
        from_outside = slice(steps) if steps > 0 else slice(steps, None)

        def later(fill: float) -> Callable[[np.ndarray, int], np.ndarray]:
            def change(values: np.ndarray, axis: int) -> np.ndarray:
                moved = np.roll(values, steps, axis)
                moved[(slice(None),) * axis + (from_outside,)] = fill
                return moved

            return change

        size = len(self.indexes[dim])
        terms = [
            replace(
                t,
                labels=t.labels.with_dim(dim, size).apply(dim, later(-1)),
                factor=t.factor.apply(dim, later(0.0)),
            )
            for t in self.terms
        ]
        constant = self.constant.with_dim(dim, size).apply(dim, later(0.0))
        return self._with(terms, constant, self.indexes)

    def sel(self, indexers: Mapping[str, Any] | None = None, **by: Any) -> "Expression":
        """Take labels of one dimension.

        A scalar label drops the dimension; labels on another dimension replace it by that one, as
        in `peak.sel(month=month_of_hour)`.

        Raises
        ------
        KeyError
            A label is not there.
        """
        ((dim, wanted),) = (indexers or by).items()
        if isinstance(wanted, xr.DataArray):
            (name,) = map(str, wanted.dims)
            index = wanted.get_index(name)
            return self._taken(dim, pd.Index(wanted.to_numpy()), name, index, repeated=True)
        if np.ndim(wanted) > 0:
            index = pd.Index(wanted, name=dim)
            return self._taken(dim, index, dim, index)
        one = self._taken(dim, pd.Index([wanted], name=dim), dim, self.indexes[dim][:1])
        terms = [
            replace(t, labels=t.labels.squeeze(dim), factor=t.factor.squeeze(dim))
            for t in one.terms
        ]
        return one._with(terms, one.constant.squeeze(dim), self._indexes_without(dim))

    def _taken(
        self, dim: str, labels: pd.Index, name: str, index: pd.Index, *, repeated: bool = False
    ) -> "Expression":
        """Take labels of a dimension, which is then called `name` and has the labels `index`."""
        position = self.indexes[dim].get_indexer(labels)
        if (position < 0).any():
            raise KeyError(f"{list(labels[position < 0])} not in {dim}")

        def take(array: Array) -> Array:
            taken = array.apply(dim, lambda values, axis: np.take(values, position, axis))
            return taken.rename(dim, name)

        terms = [
            replace(
                t, labels=take(t.labels), factor=take(t.factor), repeated=t.repeated or repeated
            )
            for t in self.terms
        ]
        indexes = {(name if d == dim else d): (index if d == dim else i) for d, i in self._items()}
        return self._with(terms, take(self.constant), indexes)

    def take_along(self, dim: str, order: xr.DataArray) -> "Expression":
        """Put a dimension in another order at each label of the others.

        It works as `take_along_axis` of numpy: `order` holds positions, and `dim` is its first
        dimension.
        """
        dims = tuple(map(str, order.dims))
        places, sizes = order.to_numpy(), {d: len(self.indexes[d]) for d in dims}

        def take(array: Array) -> Array:
            every = dims + tuple(d for d in array.dims if d not in dims)
            values = array.expanded(every)
            shape = [sizes[d] for d in dims] + [*values.shape[len(dims) :]]
            index = places.reshape(places.shape + (1,) * (len(every) - len(dims)))
            return Array(np.take_along_axis(np.broadcast_to(values, shape), index, axis=0), every)

        terms = [replace(t, labels=take(t.labels), factor=take(t.factor)) for t in self.terms]
        constant = self.constant if self.constant is ZERO else take(self.constant)
        indexes = {d: order.get_index(d) if d == dim else i for d, i in self._items()}
        return self._with(terms, constant, indexes)

    def lags(self, steps: pd.Index, dim: str = "time") -> "Expression":
        """Return x[t - k] for every k of `steps`, whose name is a new dimension.

        Before the first label it is 0.
        """
        name, size = str(steps.name), len(self.indexes[dim])
        places = np.arange(size)[:, None] - steps.to_numpy()
        table = _Table(dim, size, places, (dim, name))
        terms = [replace(table.term(t), repeated=True) for t in self.terms]
        constant = self.constant if self.constant is ZERO else table.constant(self.constant)
        return self._with(terms, constant, {**self.indexes, name: steps})

    def convolve(self, kernel: xr.DataArray, dim: str = "time") -> "Expression":
        """Sum over `lag` of kernel[lag] x[t - lag]; what comes before the first label counts as 0.

        `kernel` has the dimension `lag` (0, 1, ... steps back) and any of x; where it is 0 there is
        no term."""
        lag = _fresh_name("lag")
        weight = kernel.rename(lag=lag)
        past = self.lags(pd.RangeIndex(kernel.sizes["lag"], name=lag), dim)
        return (past.where(weight != 0) * weight)._summed(lag)

    def where(self, mask: xr.DataArray, other: "Data" = 0.0) -> "Expression":
        """Return the same where `mask` is True; elsewhere there is no term, and it is `other`."""
        if not (isinstance(other, float) and other == 0.0):
            return self.where(mask) + xr.where(mask, 0.0, other)
        there, indexes = _data(mask, "mask")
        terms = [replace(t, labels=masked_labels(t.labels, there)) for t in self.terms]
        return self._with(terms, self.constant * there, joined_indexes(self.indexes, indexes))

    def _with(
        self,
        terms: Iterable[_Term] | None,
        constant: Array | None,
        indexes: Mapping[str, pd.Index],
    ) -> "Expression":
        return Expression(
            self.model,
            self.terms if terms is None else tuple(terms),
            self.constant if constant is None else constant,
            indexes,
            self.names,
        )

    def _indexes_without(self, dim: str) -> dict[str, pd.Index]:
        return {d: i for d, i in self.indexes.items() if d != dim}

    def _items(self) -> Iterable[tuple[str, pd.Index]]:
        return self.indexes.items()

    # ---- arithmetic ------------------------------------------------------------------------------

    def __neg__(self) -> "Expression":
        return self * -1.0

    def __mul__(self, other: "Data") -> "Expression":
        factor, indexes = _data(other, "multiply")
        terms = [replace(t, factor=t.factor * factor) for t in self.terms]
        return self._with(terms, self.constant * factor, joined_indexes(self.indexes, indexes))

    __rmul__ = __mul__

    def __truediv__(self, other: "Data") -> "Expression":
        return self * (1.0 / other)

    def __add__(self, other: "Quantity") -> "Expression":
        if isinstance(other, Expression):
            return Expression(
                self.model,
                self.terms + other.terms,
                self.constant + other.constant,
                joined_indexes(self.indexes, other.indexes),
                self.names + other.names,
            )
        constant, indexes = _data(other, "add")
        return self._with(None, self.constant + constant, joined_indexes(self.indexes, indexes))

    __radd__ = __add__

    def __sub__(self, other: "Quantity") -> "Expression":
        return self + (-other)

    def __rsub__(self, other: "Quantity") -> "Expression":
        return -self + other

    def __le__(self, other: "Quantity") -> "Constraint":
        return Constraint(self - other, "<=")

    def __ge__(self, other: "Quantity") -> "Constraint":
        return Constraint(self - other, ">=")

    def __eq__(self, other: "Quantity") -> "Constraint":  # type: ignore[override]  # a row
        return Constraint(self - other, "=")


Data = xr.DataArray | float  # what is known before anything is solved
Quantity = Expression | Data  # either: what is decided, or what is known
linopy_adapter.let_arrays_yield_to(Expression)


@dataclass(frozen=True)
class _Table:
    """Replaces a dimension by two, with the position that each cell takes its value from.

    A negative position means no source cell.
    """

    dim: str
    size: int
    places: np.ndarray
    into: tuple[str, str]

    def term(self, term: _Term) -> _Term:
        """Return a term on the two dimensions; its factor follows only where it varies."""
        labels = take_table(
            term.labels.with_dim(self.dim, self.size), self.dim, self.places, self.into, -1
        )
        factor = term.factor
        if self.dim in factor.dims:
            factor = take_table(factor, self.dim, self.places, self.into, 0.0)
        return replace(term, labels=labels, factor=factor)

    def constant(self, constant: Array) -> Array:
        """Return a constant on the two dimensions, 0 where a place is nowhere."""
        return take_table(
            constant.with_dim(self.dim, self.size), self.dim, self.places, self.into, 0.0
        )


@dataclass(frozen=True)
class Constraint:
    """left (sign) 0, one row per label."""

    left: Expression
    sign: str

    def write(self, model: Target, name: str, mask: xr.DataArray | None = None) -> None:
        """Add the rows to the model, those without `mask` left out.

        Where no variable is in any row, nothing is added.

        Raises
        ------
        ValueError
            A coefficient or a right-hand side is missing, or a row without variables does not hold.
        """
        wanted = None if mask is None else np.flatnonzero(broadcast(mask, self.left.indexes))
        labels, factors, constant = self.left.lines(wanted)
        if np.isnan(constant.sum()):
            raise ValueError(f"{name}: a right-hand side is missing")
        there = labels >= 0
        length = count_by_row(there)
        _check_without_variables(name, self.sign, constant[length == 0])
        if not self.left.has_terms:
            return

        some = length > 0
        ends = np.cumsum(length[some])
        starts = np.concatenate([[0], ends]).astype(sp.get_index_dtype(maxval=int(length.sum())))
        positions = np.flatnonzero(some) if wanted is None else wanted[some]
        shape = (len(positions), linopy_adapter.variable_labels(model))
        matrix = sp.csr_array((factors[there], labels[there], starts), shape=shape)
        if not np.isfinite(matrix.data.sum()):
            raise ValueError(f"{name}: a coefficient is missing")
        if self.left.repeats:
            matrix.sum_duplicates()
            matrix.eliminate_zeros()

        # a row whose terms cancel is left out where it holds: 0 = 0
        kept = (np.diff(matrix.indptr) > 0) | (_excess(self.sign, constant[some]) > _ROUNDING)
        if not kept.all():
            matrix, positions = matrix[kept], positions[kept]
        rows = Rows(matrix, positions, -constant[some][kept], self.sign)
        linopy_adapter.add_rows(model, name, rows, self.left.indexes)


def _data(other: Any, verb: str) -> tuple[Array, dict[str, pd.Index]]:
    """Read the other side of an operator, which must be data."""
    found = array_of(other)
    if found is None:
        kind = f"{type(other).__module__}.{type(other).__name__}"
        remedy = ""
        if isinstance(other, linopy.Variable | linopy.LinearExpression):
            remedy = "; convert it with Expression.from_linopy"
        elif isinstance(other, Expression):
            remedy = ", which is no longer linear"
        raise TypeError(f"cannot {verb} an Expression and a {kind}{remedy}")
    return found


def _fresh_name(dim: str) -> str:
    """Return a name for a dimension that no one else has."""
    return f"{dim}~{next(_fresh)}"


def _check_without_variables(name: str, sign: str, constant: np.ndarray) -> None:
    """Rows without variables must hold by themselves: constant (sign) 0."""
    if wrong := int((_excess(sign, constant) > _ROUNDING).sum()):
        raise ValueError(f"{name}: {wrong} row(s) that no variable can satisfy")


def _excess(sign: str, constant: np.ndarray) -> np.ndarray:
    """Return by how much constant (sign) 0 is missed."""
    return {"=": abs(constant), "<=": constant, ">=": -constant}[sign]
