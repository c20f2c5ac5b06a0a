"""A model whose numbers move while its rows stay: solved again and again without being built again
(docs/architecture.md §8, rule 4).

The parts whose data changed, and those that read them, write themselves once more; what they write
is compared with what stands there, and the bounds, right-hand sides, costs and coefficients that
differ go to the solver, which goes on from its last basis."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import linopy
import numpy as np
import scipy.sparse as sp
import xarray as xr

from ..algebra import linopy_adapter
from ..algebra.linopy_adapter import Rows, StandIn, exact_labels
from ..errors import SolveError, V2GError
from ..model.inputs import Inputs
from ..solve import assembly, complementarity, solver
from ..solve.solver import Matrix, Optimum, Settings

_GAP = 1e-4  # relative, as that of HiGHS
_MANY = 20_000  # coefficients that differ; beyond, a new model is faster


class RebuildNeeded(V2GError):  # noqa: N818  no fault: the caller builds anew
    """The data ask for a variable or a row that the model does not have.

    It has to be built again.
    """


@dataclass(frozen=True)
class _Rows:
    """Rows of one name: where they are on their grid, where in the matrix, and their sign."""

    active: np.ndarray
    place: np.ndarray
    sign: str

    def find(self, name: str, positions: np.ndarray) -> np.ndarray:
        """Return where in the matrix the rows at these positions of the grid are."""
        at = np.searchsorted(self.active, positions)
        if at[-1] >= len(self.active) or (self.active[at] != positions).any():
            raise RebuildNeeded(f"{name} has a row where there was none")
        return self.place[at]


@dataclass(frozen=True)
class _Coefficients:
    """Coefficients that differ: where they stand, what they are to be, by how much that is more."""

    row: np.ndarray
    column: np.ndarray
    value: np.ndarray
    more: np.ndarray


@dataclass(frozen=True)
class _Past:
    """What has happened, by column of the matrix."""

    step: np.ndarray  # number of the time step, -1 where a variable has none
    level: np.ndarray  # what is held, NaN where it is still to be decided
    free: np.ndarray  # True where the data say what has happened; never held here

    @classmethod
    def none(cls, step: np.ndarray) -> "_Past":
        """Return a past in which nothing has happened."""
        return cls(step, np.full(len(step), np.nan), np.zeros(len(step), bool))

    def fix(self, start: int, stop: int, level: np.ndarray) -> None:
        """Hold the levels of the steps from `start` to before `stop`."""
        happened = (self.step >= start) & (self.step < stop) & ~self.free
        self.level[happened] = level[happened]

    def held_in(self, matrix: Matrix) -> Matrix:
        """Return the matrix whose variables of the past stand where they are held."""
        held = ~np.isnan(self.level)
        lower = np.where(held, self.level, matrix.lower)
        upper = np.where(held, self.level, matrix.upper)
        return replace(matrix, lower=lower, upper=upper)


@dataclass(frozen=True)
class ModelSolution(Mapping[str, xr.DataArray]):
    """A solution of a resolvable model: levels and duals by name."""

    resolvable: "ResolvableModel"
    optimum: Optimum

    @property
    def rows(self) -> Collection[str]:
        """Names of the rows."""
        return self.resolvable.rows.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(map(str, self.resolvable.model.variables))

    def __len__(self) -> int:
        return len(self.resolvable.model.variables)

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return the levels of a variable, NaN where there is none."""
        x = self.resolvable.model.variables[name]
        return self._spread(self.optimum.primal, x, self.resolvable.columns(x))

    def reduced(self, name: str) -> xr.DataArray:
        """Return d objective / d variable, NaN where there is none."""
        x = self.resolvable.model.variables[name]
        return self._spread(self.optimum.reduced, x, self.resolvable.columns(x))

    def dual(self, name: str) -> xr.DataArray:
        """Return d objective / d right-hand side of the rows of a name, NaN where there is none."""
        rows, constraint = self.resolvable.rows[name], self.resolvable.model.constraints[name]
        place = np.full(constraint.shape, -1).ravel()
        place[rows.active] = rows.place
        place[rows.active[self.resolvable.binds_nothing(rows.place)]] = -1
        return self._spread(self.optimum.dual, constraint, place.reshape(constraint.shape))

    def _spread(self, values: np.ndarray, like: Any, place: np.ndarray) -> xr.DataArray:
        """Values of the matrix on the labels of a variable or of rows."""
        spread = np.where(place >= 0, values[place], np.nan)
        dims = [str(d) for d in like.indexes]
        return xr.DataArray(spread, coords=dict(like.indexes), dims=dims)


class ResolvableModel:
    """The model of a case, held by the solver and solved again as its data change.

    Build it on data in which everything is possible that may become possible: the rows and
    variables are then there, and later data close them again by their bounds. Three things change
    on their own: the data (`update`), what has happened (`fix_past`, `copy_past`, `free_past`) and
    the worth of what is left at the end (`set_terminal_value`)."""

    def __init__(self, inputs: Inputs, settings: Settings):
        self._settings = settings
        built = assembly.assemble_model(inputs)
        self.model, self._built = built.model, assembly.Written(built.terms, built.reads)

        self._matrix = self._sent = solver.matrix_of(self.model)
        self._column = _positions(
            self._matrix.column_labels, linopy_adapter.variable_labels(self.model)
        )
        row = _positions(self._matrix.row_labels, linopy_adapter.row_labels(self.model))
        self.rows = {}
        for name, constraint in self.model.constraints.items():
            rows = linopy_adapter.rows_of(constraint)
            place = row[constraint.active_labels()]
            self.rows[name] = _Rows(rows.positions, place, rows.sign)
        self._unsent: list[_Coefficients] = []

        self._costs = assembly.costs(self._built.ledger, inputs.probability)
        self._terminal_value = np.zeros(self._n_columns)
        self._past = _Past.none(self._step_of_columns())
        self._primal = np.full(self._n_columns, np.nan)  # the last plan: none yet

        relaxation = replace(self._matrix, integer=np.zeros_like(self._matrix.integer))
        self._highs = solver.hand_over(relaxation, settings)

    # ---- what changes ----------------------------------------------------------------------------

    def update(self, inputs: Inputs, changed: frozenset[str]) -> None:
        """Take new data for the parts named in `changed`.

        Raises
        ------
        RebuildNeeded
            Rows or variables that they need are not there; nothing has changed then.
        """
        written = _Recorder(self.model)
        with exact_labels():
            built = assembly.write_model(written, inputs, self._built, changed)

        before = self._built.terms
        again = {part for part, terms in built.terms.items() if terms is not before.get(part)}
        bounded = self._with_bounds(written, again)
        matrix, coefficients = self._with_rows(bounded, written, again)

        fresh = {n: x for n, x in built.ledger.items() if _part_of(n) in again}
        kept = {n: x for n, x in self._costs.items() if _part_of(n) not in again}
        self._costs = kept | assembly.costs(fresh, inputs.probability)
        self._built, self._matrix = built, matrix
        self._unsent += coefficients

    def fix_past(self, start: int, stop: int) -> None:
        """Hold what the last plan says of the steps from `start` to before `stop`."""
        self._past.fix(start, stop, self._primal)

    def copy_past(self, other: "ResolvableModel") -> None:
        """Take the past from a model of the same steps that this one replaces.

        What is new in it stays free.
        """
        for name, x in self.model.variables.items():
            old = other.model.variables.data.get(name)
            if old is None or old.shape != x.shape:
                continue
            place = other.columns(old)
            past = np.where(place >= 0, other._past.level[place], np.nan)
            exists = self.exists(x)
            self._past.level[self.columns(x)[exists]] = past[exists]

    def free_past(self, parts: tuple[str, ...]) -> None:
        """Leave the past of some parts to their data."""
        for name, x in self.model.variables.items():
            if _part_of(name) in parts:
                self._past.free[self.columns(x)[self.exists(x)]] = True

    def set_terminal_value(self, name: str, price: xr.DataArray) -> None:
        """Set an income per unit of a variable (EUR).

        What is left at the end is then worth something.
        """
        x = self.model.variables[name]
        everywhere = (price + xr.zeros_like(x.labels, dtype=float)).transpose(*x.dims).to_numpy()
        exists = self.exists(x)
        self._terminal_value[self.columns(x)[exists]] = everywhere[exists]

    # ---- solving ---------------------------------------------------------------------------------

    def solve(self) -> ModelSolution:
        """Find the best plan for what is left.

        Raises
        ------
        SolveError, SolverError, Interrupted
        """
        priced = replace(self._matrix, cost=self._cost() + self._terminal_value)
        matrix = self._past.held_in(priced)
        optimum = self._resume(replace(matrix, integer=np.zeros_like(matrix.integer)))
        if not matrix.is_lp:
            optimum = self._in_whole_numbers(matrix, optimum)
        self._primal = optimum.primal
        return ModelSolution(self, optimum)

    def _in_whole_numbers(self, matrix: Matrix, relaxed: Optimum) -> Optimum:
        """Find the best plan in whole numbers: those next to the relaxation if they are as good,
        else search for them.

        As good is within the gap of what the relaxation promises, which no plan exceeds.
        """
        gap = _GAP if self._settings.gap is None else self._settings.gap
        try:
            near = self._resume(solver.at_levels(matrix, self._next_to(relaxed.primal)))
            if relaxed.objective - near.objective <= gap * abs(relaxed.objective):
                return near
        except SolveError as error:
            if error.status != "infeasible":
                raise
        search = solver.solve_matrix(matrix, self._settings)
        return self._resume(solver.at_levels(matrix, search.primal))

    def _next_to(self, relaxed: np.ndarray) -> np.ndarray:
        """Whole numbers next to a relaxation; a storage goes the way in which more of its power
        flows.
        """
        levels = np.round(relaxed)
        for names in complementarity.directions(self.model.binaries):
            binary, charge, discharge = (self.model.variables[n] for n in names)
            exists = self.exists(binary)
            into, out = (relaxed[self.columns(x)[exists]] for x in (charge, discharge))
            levels[self.columns(binary)[exists]] = into > out
        return levels

    def _resume(self, matrix: Matrix) -> Optimum:
        """Send what differs from what the solver holds, and go on from the last plan."""
        self._send(matrix)
        return solver.rerun_highs(self._highs, matrix, self._primal, self._settings)

    def _send(self, matrix: Matrix) -> None:
        """Send bounds, right-hand sides, costs and coefficients that differ to the solver."""
        highs, sent = self._highs, self._sent
        _send_where_different(
            highs.changeColsBounds, (sent.lower, sent.upper), (matrix.lower, matrix.upper)
        )
        _send_where_different(
            highs.changeRowsBounds,  # type: ignore[attr-defined]
            (sent.row_lower, sent.row_upper),
            (matrix.row_lower, matrix.row_upper),
        )
        _send_where_different(highs.changeColsCost, (-sent.cost,), (-matrix.cost,))

        for some in self._unsent:
            for row, column, value in zip(some.row, some.column, some.value, strict=True):
                highs.changeCoeff(int(row), int(column), float(value))
        self._unsent, self._sent = [], matrix

    # ---- what stands -----------------------------------------------------------------------------

    @property
    def built(self) -> assembly.Built:
        """The model with what each part has added to it, as of the last data."""
        return assembly.Built(self._built.terms, self._built.reads, self.model)

    @property
    def matrix(self) -> Matrix:
        """The matrix of the last data, without a past and without a worth of what is left."""
        return replace(self._matrix, cost=self._cost())

    # ---- variables and rows, and where they are in the matrix ------------------------------------

    def columns(self, x: Any) -> np.ndarray:
        """Return the column of each cell of a variable, -1 where there is none."""
        labels = x.labels.to_numpy()
        return np.where(labels >= 0, self._column[labels], -1)

    @staticmethod
    def exists(x: Any) -> np.ndarray:
        """Return True where a variable exists."""
        return x.labels.to_numpy() >= 0

    def binds_nothing(self, place: np.ndarray) -> np.ndarray:
        """Return True for rows that bind nothing."""
        return np.isinf(self._matrix.row_lower[place]) & np.isinf(self._matrix.row_upper[place])

    @property
    def _n_columns(self) -> int:
        return len(self._matrix.lower)

    def _step_of_columns(self) -> np.ndarray:
        """Number of the time step of each column, -1 where its variable has no time."""
        found = np.full(self._n_columns, -1)
        for x in self.model.variables.data.values():
            if "time" in x.dims:
                steps = xr.DataArray(np.arange(x.sizes["time"]), dims="time")
                everywhere = steps.broadcast_like(x.labels).transpose(*x.dims).to_numpy()
                exists = self.exists(x)
                found[self.columns(x)[exists]] = everywhere[exists]
        return found

    def _cost(self) -> np.ndarray:
        """Income per unit of each column, over all entries of the ledger."""
        pairs = [pair for entry in self._costs.values() for pair in entry]
        labels = np.concatenate([label for label, _ in pairs] or [np.zeros(0, int)])
        prices = np.concatenate([price for _, price in pairs] or [np.zeros(0, int)])
        return np.bincount(self._column[labels], prices, self._n_columns).astype(float)

    # ---- what was written, against what stands there ---------------------------------------------

    def _with_bounds(self, written: "_Recorder", again: set[str]) -> Matrix:
        """Bounds of every variable of the parts written again; one that they did not write is 0."""
        lower, upper = self._matrix.lower.copy(), self._matrix.upper.copy()
        for name, x in self.model.variables.items():
            if _part_of(name) not in again:
                continue
            low, high = written.bounds.get(name, (np.zeros(x.shape), np.zeros(x.shape)))
            exists = self.exists(x)
            if ((low[~exists] != 0) | (high[~exists] != 0)).any():
                raise RebuildNeeded(f"{name} is possible where it was not")
            columns = self.columns(x)[exists]
            lower[columns], upper[columns] = low[exists], high[exists]
        return replace(self._matrix, lower=lower, upper=upper)

    def _with_rows(
        self, matrix: Matrix, written: "_Recorder", again: set[str]
    ) -> tuple[Matrix, list[_Coefficients]]:
        """Right-hand sides and coefficients of the rows written again; a row that is not among them
        binds nothing.
        """
        if unknown := written.rows.keys() - self.rows.keys():
            raise RebuildNeeded(f"rows {', '.join(sorted(unknown))} are new")
        low, high = matrix.row_lower.copy(), matrix.row_upper.copy()
        standing = matrix.a.tocsr()
        closed = (matrix.lower == 0) & (matrix.upper == 0)

        differing = []
        for name, now in self.rows.items():
            new = written.rows.get(name)
            if new is None and _part_of(name) not in again:
                continue
            low[now.place], high[now.place] = -np.inf, np.inf
            if new is None or not len(new.positions):
                continue
            if new.sign != now.sign:
                raise RebuildNeeded(f"{name} bounds the other side")
            place = now.find(name, new.positions)
            low[place] = -np.inf if now.sign == "<=" else new.rhs
            high[place] = np.inf if now.sign == ">=" else new.rhs
            differing.append(self._differing(new.matrix, standing, place, closed))

        if sum(len(c.value) for c in differing) > _MANY:
            raise RebuildNeeded("many coefficients differ")
        differing = [c for c in differing if len(c.value)]
        matrix = replace(matrix, row_lower=low, row_upper=high)
        return _with_coefficients(matrix, differing), differing

    def _differing(
        self, new: sp.csr_array, standing: sp.csr_array, place: np.ndarray, closed: np.ndarray
    ) -> _Coefficients:
        """Coefficients of some rows that differ from those that stand, but for variables that are 0
        anyway.
        """
        columns = self._column[new.indices]
        if (columns < 0).any():
            raise RebuildNeeded("a row has a variable that the model does not have")
        rows = sp.csr_array((new.data, columns, new.indptr), (len(place), standing.shape[1]))
        gap = sp.coo_array(rows - standing[place])
        some = (gap.data != 0) & ~closed[gap.col]
        row, column, more = gap.row[some], gap.col[some], gap.data[some]
        value = np.asarray(rows[row, column]).ravel() if len(row) else np.zeros(0)
        return _Coefficients(place[row], column, value, more)


class _Recorder(StandIn):
    """Takes what a build writes in place of the model that stands, whose variables it gives."""

    def __init__(self, model: linopy.Model):
        super().__init__(model)
        self.in_whole_numbers = {*model.binaries, *model.integers}
        self.bounds: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.rows: dict[str, Rows] = {}

    def add_variables(
        self,
        lower: Any = 0.0,
        upper: Any = np.inf,
        coords: Any = None,
        name: str = "",
        mask: Any = None,
        binary: bool = False,
        **kind: Any,
    ) -> Any:
        """Note the bounds of a variable, 0 where it is masked, and return the one that stands."""
        if name not in self.variables:
            raise RebuildNeeded(f"{name} is new")
        if (binary or kind.get("integer", False)) != (name in self.in_whole_numbers):
            raise RebuildNeeded(f"{name} is in whole numbers, or is so no more")
        x = self.variables[name]
        if binary:
            lower, upper = 0.0, 1.0
        low, high = (np.broadcast_to(np.asarray(b, float), x.shape) for b in (lower, upper))
        if mask is not None:
            exists = np.broadcast_to(np.asarray(mask, bool), x.shape)
            low, high = np.where(exists, low, 0.0), np.where(exists, high, 0.0)
        self.bounds[name] = low, high
        return x

    def add_constraints(self, rows: Any, name: str = "", **others: Any) -> None:
        """Note rows."""
        self.rows[name] = linopy_adapter.rows_of(rows)


def _positions(labels: np.ndarray, size: int) -> np.ndarray:
    """Return the place of each label, -1 for those that are nowhere."""
    place = np.full(size, -1)
    place[labels] = np.arange(len(labels))
    return place


def _part_of(name: str) -> str:
    """Return the part that a variable, row or entry of the ledger belongs to."""
    return name.partition(".")[0]


def _with_coefficients(matrix: Matrix, differing: list[_Coefficients]) -> Matrix:
    """Return the matrix with the coefficients that differ."""
    if not differing:
        return matrix
    row, column, more = (
        np.concatenate([getattr(some, n) for some in differing]) for n in ("row", "column", "more")
    )
    change = sp.coo_array((more, (row, column)), matrix.a.shape)
    return replace(matrix, a=sp.csc_array(matrix.a + change))


def _send_where_different(
    send: Callable[..., Any], old: tuple[np.ndarray, ...], new: tuple[np.ndarray, ...]
) -> None:
    """Send the columns or rows in which any of some arrays differs."""
    differs = np.any([a != b for a, b in zip(old, new, strict=True)], axis=0)
    where = np.flatnonzero(differs).astype(np.int32)
    if len(where):
        send(len(where), where, *(x[where] for x in new))
