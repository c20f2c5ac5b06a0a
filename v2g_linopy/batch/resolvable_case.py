"""A case whose numbers are changed, solved again without being built again (docs/architecture.md
§8, rule 4)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from ..errors import SolveError, SolverError
from ..model.inputs import Inputs, checked_groups, inputs_of, same_numbers
from ..model.part import Part, Stage
from ..operate.model_update import RebuildNeeded, ResolvableModel
from ..parts.catalogue import PARTS
from ..solve import complementarity
from ..solve.merge import Merged, merge
from ..solve.result import Solved, result_of
from ..solve.solution import read_solution
from ..solve.solve import LARGE_FLEET, audited
from ..solve.solver import Settings


@dataclass(frozen=True)
class Plan:
    """What the model of a case has found.

    Parameters
    ----------
    inputs : Inputs
        The case it was found for.
    solved : Solved
        Levels, prices and ledger.
    settings : Settings
        How it was solved.
    rebuilt : bool
        Whether the model had to be built again.
    """

    inputs: Inputs
    solved: Solved
    settings: Settings
    rebuilt: bool

    def result(self, case: xr.DataTree, *, audit: bool = True) -> xr.DataTree:
        """Return the result as `solve` gives it, replayed where `audit` asks for it."""
        result = result_of(case, self.inputs, self.solved, self.settings)
        result.attrs["method"] = "whole"
        return audited(self.inputs, result) if audit else result


class ResolvableCase:
    """A case that is solved again and again, with other numbers in some of its parts.

    The model is written once. What differs from the case before goes to the solver, which goes on
    from its last basis. Where other rows or variables are needed the model is built again.

    Parameters
    ----------
    case : xarray.DataTree
        The case.
    touched : collection of str
        Parts whose numbers will differ.
    options : mapping, optional
        Options of the solver by its own names.
    gap : float, optional
        As of `solve`.
    complementarity : {"lazy", "audit", "off"}, default "lazy"
        As of `solve`.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    """

    def __init__(
        self,
        case: xr.DataTree,
        touched: Collection[str],
        *,
        options: Mapping[str, Any] | None = None,
        gap: float | None = None,
        complementarity: str = "lazy",
        parts: Mapping[str, Part] = PARTS,
    ):
        self._parts, self._mode = parts, complementarity
        self._settings = Settings(options=dict(options or {}), gap=gap).start()
        untouched = [name for name in parts if name in case.children and name not in touched]
        self._known = checked_groups(case, parts, untouched)
        self._standing: _Standing | None = None

    def plan(self, case: xr.DataTree, *, prices: bool = True) -> Plan | None:
        """Find the best plan of the case with other numbers, with shadow prices if they are wanted.

        None where `solve` has to find it, or has to say why there is none: whole numbers, a fleet
        that is planned vehicle by vehicle, and what no plan can keep.

        Raises
        ------
        SchemaError
            The case does not fit the schema.
        SolverError, Interrupted
            As `solve`.
        """
        inputs = inputs_of(case, self._parts, self._known)
        fleet = inputs.data.get("fleet")
        if fleet is not None and fleet.sizes["fleet"] >= LARGE_FLEET:
            return None
        standing, first = self._standing, self._standing is None
        rebuilt = standing is None or not standing.update(inputs)
        if standing is None or rebuilt:
            self._standing = standing = _Standing(inputs, self._settings)
        solved = standing.solved(self._mode, prices)
        return Plan(inputs, solved, self._settings, rebuilt and not first) if solved else None


class _Standing:
    """A model, and the inputs that it stands for."""

    def __init__(self, inputs: Inputs, settings: Settings):
        self._small, self._merged = merge(inputs)
        self._inputs = inputs
        self._model = ResolvableModel(self._small, settings)
        self._may_exclude = complementarity.eligible(inputs)

    def update(self, inputs: Inputs) -> bool:
        """Take other numbers; False where the model has to be built again."""
        # where nobody was alike nobody is merged: that is as exact
        small, merged = merge(inputs) if self._merged.members else (inputs, self._merged)
        if not self._fits(small, merged):
            return False
        changed = {n for n, d in small.data.items() if not same_numbers(d, self._small.data[n])}
        try:
            if changed:
                self._model.update(small, frozenset(changed))
        except RebuildNeeded:
            return False
        if any(n == "reserve" or inputs.parts[n].stage is Stage.ASSET for n in changed):
            self._may_exclude = complementarity.eligible(inputs)
        self._inputs, self._small = inputs, small
        return True

    def _fits(self, small: Inputs, merged: Merged) -> bool:
        """Whether inputs differ from those of the model in numbers alone."""
        before, tables = self._small, self._merged.members
        return (
            small.data.keys() == before.data.keys()
            and small.pods.equals(before.pods)
            and merged.members.keys() == tables.keys()
            and all(table.equals(tables[n]) for n, table in merged.members.items())
            and all(_alike(part, d, before.data[part.name]) for part, d in small)
        )

    def solved(self, mode: str, prices: bool) -> Solved | None:
        """Solve it; None where it takes whole numbers, or has no plan."""
        matrix = self._model.matrix
        if not matrix.is_lp:
            return None
        try:
            optimum = self._model.solve().optimum
        except SolverError:
            raise
        except SolveError:
            return None
        solved = read_solution(
            self._model.built, matrix, optimum, self._merged, self._small, prices=prices
        )
        if mode == "off":
            return solved
        at_once = complementarity.overlap(self._inputs, solved.solution, self._may_exclude)
        most = max((float(x.max()) for x in at_once.values()), default=0.0)
        if mode == "lazy" and most > complementarity.TOLERANCE:
            return None  # binaries stop that
        words = complementarity.sentence(self._inputs, mode, 0, 0, at_once, lost=0.0, others=0)
        return replace(solved, complementarity=words, overlap=most)


def _alike(part: Part, one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether two groups have the same labels, dimensions, words and flags, so that only quantities
    may differ.
    """
    names = list(map(str, one.data_vars))
    if names != list(map(str, other.data_vars)) or one.sizes != other.sizes:
        return False
    quantities = {f.name for f in part.schema.inputs if f.kind == "quantity"}
    pairs = [(n, one.variables[n], other.variables[n]) for n in names]
    return all(
        x is y or x.dims == y.dims and (n in quantities or x.equals(y)) for n, x, y in pairs
    ) and all(index.equals(other.indexes[d]) for d, index in one.indexes.items())
