"""A model whose numbers move while its rows stay: solved again and again without being built again
(docs/architecture.md §8, rule 4).

The parts whose data changed, and those that read them, write themselves once more; what they write
is compared with what stands there, and the bounds, right-hand sides, costs and coefficients that
differ go to the solver, which goes on from its last basis."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import xarray as xr
from linopy.constraints import CSRConstraint

from ..errors import SolveError, V2GError
from ..model.inputs import Inputs
from ..solve import assembly, solver
from ..solve.solver import Matrix, Optimum, Settings

_GAP = 1e-4  # relative, as that of HiGHS
_MANY = 20_000  # coefficients that differ; beyond, a new model is faster


class StaleError(V2GError):
    """The data ask for a variable or a row that the model does not have: it has to be built
    again.
    """


@dataclass(frozen=True)
class _Rows:
    """Rows of one name: where they are on their grid, where in the matrix, and their sign."""

    active: np.ndarray
    place: np.ndarray
    sign: str


@dataclass(frozen=True)
class _Cells:
    """Coefficients that differ: where they stand, what they are to be, by how much that is more."""

    row: np.ndarray
    column: np.ndarray
    value: np.ndarray
    more: np.ndarray


@dataclass(frozen=True)
class Plan(Mapping[str, xr.DataArray]):
    """A solution: variables and duals by name."""

    moving: "Moving"
    found: Optimum

    @property
    def rows(self) -> Collection[str]:
        """Names of the rows."""
        return self.moving.rows.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(map(str, self.moving.model.variables))

    def __len__(self) -> int:
        return len(self.moving.model.variables)

    def __getitem__(self, name: str) -> xr.DataArray:
        """Return the levels of a variable, NaN where there is none."""
        x = self.moving.model.variables[name]
        return self._spread(self.found.primal, x, self.moving.columns(x))

    def reduced(self, name: str) -> xr.DataArray:
        """Return d objective / d variable, NaN where there is none."""
        x = self.moving.model.variables[name]
        return self._spread(self.found.reduced, x, self.moving.columns(x))

    def dual(self, name: str) -> xr.DataArray:
        """Return d objective / d right-hand side of the rows of a name, NaN where there is none."""
        rows, constraint = self.moving.rows[name], self.moving.model.constraints[name]
        place = np.full(constraint.shape, -1).ravel()
        place[rows.active] = rows.place
        place[rows.active[self.moving.loose(rows.place)]] = -1
        return self._spread(self.found.dual, constraint, place.reshape(constraint.shape))

    def _spread(self, values: np.ndarray, like: Any, place: np.ndarray) -> xr.DataArray:
        numbers = np.where(place >= 0, values[place], np.nan)
        dims = [str(d) for d in like.indexes]
        return xr.DataArray(numbers, coords=dict(like.indexes), dims=dims)


class Moving:
    """The model of a case, held by the solver.

    Build it on data in which everything is possible that may become possible: the rows and
    variables are then there, and later data close them again by their bounds."""

    def __init__(self, inputs: Inputs, settings: Settings):
        self._settings = settings
        self._built = assembly.assemble_model(inputs)
        self.model = self._built.model
        self._matrix = self._sent = solver.matrix_of(self.model)
        self._column = _positions(self._matrix.column_labels, self.model._xCounter)
        row = _positions(self._matrix.row_labels, self.model._cCounter)
        self.rows = {
            name: _Rows(c.active_positions, row[c.active_labels()], str(c._sign))
            for name, c in self.model.constraints.items()
            if isinstance(c, CSRConstraint)
        }
        self._costs = assembly.costs(self._built.ledger, inputs.probability)
        self._step = np.full(len(self._matrix.lower), -1)
        for x in self.model.variables.data.values():
            if "time" in x.dims:
                step = xr.DataArray(np.arange(x.sizes["time"]), dims="time").broadcast_like(
                    x.labels
                )
                self._step[self.columns(x)[self.there(x)]] = step.transpose(*x.dims).to_numpy()[
                    self.there(x)
                ]
        self._past = np.full(len(self._step), np.nan)
        self._free = np.zeros(len(self._step), bool)
        self._worth = np.zeros(len(self._step))
        self._cells: list[_Cells] = []
        self._primal = self._past
        self._highs = solver.hand_over(
            replace(self._matrix, integer=np.zeros_like(self._matrix.integer)), settings
        )

    # ---- what changes ----------------------------------------------------------------------------

    def move(self, inputs: Inputs, changed: frozenset[str]) -> None:
        """Take new data for the parts named in `changed`.

        Raises
        ------
        StaleError
            Rows or variables that they need are not there; nothing has changed then.
        """
        written = _Written(self.model)
        with assembly.strict():
            built = assembly.write(written, inputs, self._built, changed)
        again = {
            name for name, terms in built.terms.items() if terms is not self._built.terms.get(name)
        }
        matrix, cells = self._rerowed(self._rebound(written, again), written, again)
        fresh = {n: x for n, x in built.ledger.items() if n.partition(".")[0] in again}
        kept = {n: x for n, x in self._costs.items() if n.partition(".")[0] not in again}
        self._costs = kept | assembly.costs(fresh, inputs.probability)
        self._built, self._matrix = built, matrix
        self._cells += cells

    def release(self, parts: tuple[str, ...]) -> None:
        """Leave the past of some parts to their data."""
        for name, x in self.model.variables.items():
            if name.partition(".")[0] in parts:
                self._free[self.columns(x)[self.there(x)]] = True

    def inherit(self, other: "Moving") -> None:
        """Take the past from a model of the same steps that this one replaces; what is new in it
        stays free.
        """
        for name, x in self.model.variables.items():
            old = other.model.variables.data.get(name)
            if old is None or old.shape != x.shape:
                continue
            place = other.columns(old)
            past = np.where(place >= 0, other._past[place], np.nan)
            there = self.there(x)
            self._past[self.columns(x)[there]] = past[there]

    def happened(self, start: int, stop: int) -> None:
        """Hold what the last plan says of the steps from `start` to before `stop`."""
        some = (self._step >= start) & (self._step < stop) & ~self._free
        self._past[some] = self._primal[some]

    def worth(self, name: str, price: xr.DataArray) -> None:
        """Add an income per unit to a variable: what is left at the end is worth something
        (EUR).
        """
        x = self.model.variables[name]
        add = (price + xr.zeros_like(x.labels, dtype=float)).transpose(*x.dims).to_numpy()
        self._worth[self.columns(x)[self.there(x)]] = add[self.there(x)]

    # ---- solving ---------------------------------------------------------------------------------

    def solve(self) -> Plan:
        """Find the best plan for what is left.

        Raises
        ------
        SolveError, SolverError, Interrupted
        """
        held = ~np.isnan(self._past)
        lower, upper = (
            np.where(held, self._past, x) for x in (self._matrix.lower, self._matrix.upper)
        )
        matrix = replace(self._matrix, lower=lower, upper=upper, cost=self._cost() + self._worth)
        found = self._again(replace(matrix, integer=np.zeros_like(matrix.integer)))
        if not matrix.is_lp:
            found = self._whole(matrix, found)
        self._primal = found.primal
        return Plan(self, found)

    def _whole(self, matrix: Matrix, relaxed: Optimum) -> Optimum:
        """Find the best plan in whole numbers: those next to the relaxation if they are as good,
        else search for them.

        As good is within the gap of what the relaxation promises, which no plan exceeds.
        """
        gap = _GAP if self._settings.gap is None else self._settings.gap
        try:
            found = self._again(solver.at_levels(matrix, self._next_to(relaxed.primal)))
            if relaxed.objective - found.objective <= gap * abs(relaxed.objective):
                return found
        except SolveError as error:
            if error.status != "infeasible":
                raise
        search = solver.solve(matrix, self._settings)
        return self._again(solver.at_levels(matrix, search.primal))

    def _next_to(self, relaxed: np.ndarray) -> np.ndarray:
        """Whole numbers next to a relaxation; a storage goes the way in which more of its power
        flows.
        """
        levels = np.round(relaxed)
        for name in self.model.binaries:
            if (way := name.rpartition(".")[2]) in ("charging", "charging_baseline"):
                there = self.there(z := self.model.variables[name])
                pair = (
                    self.model.variables[name.replace(way, w + way[8:])]
                    for w in ("charge", "discharge")
                )
                into, out = (relaxed[self.columns(x)[there]] for x in pair)
                levels[self.columns(z)[there]] = into > out
        return levels

    def _again(self, matrix: Matrix) -> Optimum:
        """Send what differs from what the solver holds, and go on from there."""
        h, sent = self._highs, self._sent
        for send, old, new in (
            (h.changeColsBounds, (sent.lower, sent.upper), (matrix.lower, matrix.upper)),
            (
                h.changeRowsBounds,  # type: ignore[attr-defined]
                (sent.row_lower, sent.row_upper),
                (matrix.row_lower, matrix.row_upper),
            ),
            (h.changeColsCost, (-sent.cost,), (-matrix.cost,)),
        ):
            differs = np.any([a != b for a, b in zip(old, new, strict=True)], axis=0)
            some = np.flatnonzero(differs).astype(np.int32)
            if len(some):
                send(len(some), some, *(x[some] for x in new))
        for cells in self._cells:
            for row, column, value in zip(cells.row, cells.column, cells.value, strict=True):
                h.changeCoeff(int(row), int(column), float(value))
        self._cells, self._sent = [], matrix
        return solver.run_on(h, matrix, self._primal, self._settings)

    # ---- what was written, against what stands there ---------------------------------------------

    def columns(self, x: Any) -> np.ndarray:
        """Return the column of each cell of a variable, -1 where there is none."""
        labels = x.labels.to_numpy()
        return np.where(labels >= 0, self._column[labels], -1)

    def loose(self, place: np.ndarray) -> np.ndarray:
        """Return True for rows that bind nothing."""
        return np.isinf(self._matrix.row_lower[place]) & np.isinf(self._matrix.row_upper[place])

    @staticmethod
    def there(x: Any) -> np.ndarray:
        """Return True where a variable exists."""
        return x.labels.to_numpy() >= 0

    def _cost(self) -> np.ndarray:
        pairs = [pair for entry in self._costs.values() for pair in entry]
        labels, prices = (
            np.concatenate([pair[k] for pair in pairs] or [np.zeros(0, int)]) for k in (0, 1)
        )
        return np.bincount(self._column[labels], prices, len(self._step)).astype(float)

    def _rebound(self, written: "_Written", again: set[str]) -> Matrix:
        """Bounds of every variable of the parts written again; one that they did not write is 0."""
        lower, upper = self._matrix.lower.copy(), self._matrix.upper.copy()
        for name, x in self.model.variables.items():
            if name.partition(".")[0] not in again:
                continue
            low, high = written.bounds.get(name, (np.zeros(x.shape), np.zeros(x.shape)))
            there = self.there(x)
            if ((low[~there] != 0) | (high[~there] != 0)).any():
                raise StaleError(f"{name} is possible where it was not")
            columns = self.columns(x)[there]
            lower[columns], upper[columns] = low[there], high[there]
        return replace(self._matrix, lower=lower, upper=upper)

    def _rerowed(
        self, matrix: Matrix, written: "_Written", again: set[str]
    ) -> tuple[Matrix, list[_Cells]]:
        """Right-hand sides and coefficients of the rows written again; a row that is not among them
        is none.
        """
        low, high, cells = matrix.row_lower.copy(), matrix.row_upper.copy(), []
        if unknown := written.rows.keys() - self.rows.keys():
            raise StaleError(f"rows {', '.join(sorted(unknown))} are new")
        closed = (matrix.lower == 0) & (matrix.upper == 0)
        standing = matrix.a.tocsr()
        for name, now in self.rows.items():
            new = written.rows.get(name)
            if new is None and name.partition(".")[0] not in again:
                continue
            low[now.place], high[now.place] = -np.inf, np.inf
            if new is None or not len(new.active_positions):
                continue
            at = np.searchsorted(now.active, new.active_positions)
            if at[-1] >= len(now.active) or (now.active[at] != new.active_positions).any():
                raise StaleError(f"{name} has a row where there was none")
            place = now.place[at]
            low[place] = -np.inf if now.sign == "<=" else new._rhs
            high[place] = np.inf if now.sign == ">=" else new._rhs
            cells.append(self._differing(new._csr, standing, place, closed))
        if sum(len(c.value) for c in cells) > _MANY:
            raise StaleError("many coefficients differ")
        if cells := [c for c in cells if len(c.value)]:
            row, column, more = (
                np.concatenate([getattr(c, n) for c in cells]) for n in ("row", "column", "more")
            )
            change = sp.coo_array((more, (row, column)), matrix.a.shape)
            matrix = replace(matrix, a=sp.csc_array(matrix.a + change))
        return replace(matrix, row_lower=low, row_upper=high), cells

    def _differing(
        self, new: sp.csr_array, standing: sp.csr_array, place: np.ndarray, closed: np.ndarray
    ) -> _Cells:
        """Coefficients of some rows that differ from those that stand, but for variables that are 0
        anyway.
        """
        columns = self._column[new.indices]
        if (columns < 0).any():
            raise StaleError("a row has a variable that the model does not have")
        rows = sp.csr_array((new.data, columns, new.indptr), (len(place), standing.shape[1]))
        gap = sp.coo_array(rows - standing[place])
        some = (gap.data != 0) & ~closed[gap.col]
        row, column, more = gap.row[some], gap.col[some], gap.data[some]
        value = np.asarray(rows[row, column]).ravel() if len(row) else np.zeros(0)
        return _Cells(place[row], column, value, more)


class _Written:
    """Takes what a build writes in place of the model that stands, whose variables it gives."""

    def __init__(self, model: Any):
        self.variables, self._xCounter = model.variables, model._xCounter
        self.bounds: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.rows: dict[str, Any] = {}

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
            raise StaleError(f"{name} is new")
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
        if not isinstance(rows, CSRConstraint):
            raise StaleError(f"{name} is not written as rows of a Sum")
        self.rows[name] = rows


def _positions(labels: np.ndarray, size: int) -> np.ndarray:
    """Return the place of each label, -1 for those that are nowhere."""
    place = np.full(size, -1)
    place[labels] = np.arange(len(labels))
    return place
