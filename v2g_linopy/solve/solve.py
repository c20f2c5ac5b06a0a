"""Case in, result out. The groups of the case decide which parts take part; `assemble_model` writes
the whole model.
"""

import logging
import time as clock
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import linopy
import numpy as np
import xarray as xr

from ..algebra.expression import Expression
from ..case.checksum import ATTRIBUTE, EDITED
from ..case.schema import suggest, worst_violation
from ..errors import Infeasible, Problem, SchemaError, SolveError, SolverError, Unbounded
from ..model import gates
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from . import audit as auditing
from . import blocks, complementarity, infeasibility
from . import solver as solvers
from .assembly import Built, assemble_model
from .decompose.large_fleets_plan import GAP_LIMIT, Decomposed, solve_large_fleet
from .decompose.two_levels import solve_in_two_levels
from .decompose.vehicle_groups import NotServed
from .merge import Merged, merge
from .result import Solved, result_of
from .solution import read_solution
from .solver import Optimum, Settings

logger = logging.getLogger(__name__)
Fixed = xr.DataArray | tuple[xr.DataArray, xr.DataArray]  # a plan, or a plan and where it holds


def check(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> tuple[str, ...]:
    """Validate a case and return what had to be assumed.

    Parameters
    ----------
    case : xarray.DataTree
        A case, or a result, of which the inputs are read.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    tuple of str
        One sentence for each default taken, and for each array without a unit.

    Raises
    ------
    SchemaError
        Listing every problem of every group at once.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> notes = v2g.check(v2g.commuters(vehicles=1, days=1))
    >>> [note for note in notes if note.startswith("fleet.charge_min")]
    ['fleet.charge_min: not given, taken as 0 kW (least charging power but 0, as 6 A)']
    """
    found: list[Problem] = []
    notes: tuple[str, ...] = ()
    try:
        notes = (*_edited(case), *inputs_of(case, parts).notes)
    except SchemaError as error:
        if not isinstance(case, xr.DataTree):
            raise
        found += error.problems
    if found := found + gates.sequence_problems(case, parts):
        raise SchemaError(found, source=str(case.attrs.get("title") or "the case"))
    return notes


def _edited(case: xr.DataTree) -> tuple[str, ...]:
    """Say that a case which was part of a result is not as it was written there."""
    if isinstance(case, xr.DataTree) and case.encoding.get(ATTRIBUTE) == EDITED:
        return ("checksum: the case is not as it was written in a result, and is taken as it is",)
    return ()


def build(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> linopy.Model:
    """Return the linopy model of a case, ready for any solver.

    Parameters
    ----------
    case : xarray.DataTree
        A case; it is not changed.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    linopy.Model
        Variables `part.output` (kW, kWh), rows `part.rule`, and the entries of the ledger as
        expressions `cash.part.entry` (EUR, + is income), whose sum is maximised.

    Raises
    ------
    SchemaError
        The case does not fit the schema.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> model = v2g.build(v2g.commuters(vehicles=1, days=1))
    >>> model.variables["fleet.charge"].dims, model.objective.sense
    (('fleet', 'time'), 'max')
    >>> "fleet.balance" in model.constraints
    True
    """
    built = assemble_model(inputs_of(case, parts))
    for name, cash in built.ledger.items():
        x = (
            cash.to_linopy()
            if isinstance(cash, Expression)
            else linopy.LinearExpression.from_constant(built.model, cash)
        )
        built.model.add_expressions(x, name=f"cash.{name}")
    return built.model


def solve(
    case: xr.DataTree,
    *,
    method: str = "auto",
    processes: int = 1,
    checkpoint: str | Path | None = None,
    solver: str = "highs",
    options: Mapping[str, Any] | None = None,
    gap: float | None = None,
    time_limit: float | None = None,
    complementarity: str = "lazy",
    blocks: bool = True,
    fix: Mapping[str, Fixed] | None = None,
    audit: bool = True,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Find the most profitable plan of a case.

    Parameters
    ----------
    case : xarray.DataTree
        As returned by `read`, `assemble` or a generator; it is not changed.
    method : {"auto", "whole", "decompose", "oracle", "sites"}, default "auto"
        `whole` writes one model. `oracle` plans vehicles one by one at the prices of the rest, and
        refuses where something couples them; `decompose` goes on until a bound proves the mix of
        their plans (docs/formulation.md §12). `auto` decomposes fleets of at least 20 000 vehicles
        where that is possible; the result says `oracle` where its first answer was the best plan.
        `sites` lets every pod plan by itself at prices, mixes their plans until a bound proves the
        mix, and hands it back to every device (§11).
    processes : int, default 1
        Processes that the pods are shared out to, with `sites`.
    checkpoint : str or pathlib.Path, optional
        With `sites`: a folder for what the pods answered in every round. A run goes on from the
        rounds that it finds there; those of another case are refused. Remove it when done.
    solver : str, default "highs"
        `highs`, or any other solver that linopy finds on this machine.
    options : mapping, optional
        Options of the solver by its own names; an unknown one is an error.
    gap : float, optional
        Relative gap at which a search with binaries may stop (HiGHS: 1e-4), or rounds of a
        decomposition (1e-6).
    time_limit : float, optional
        Seconds for all blocks and rounds together. A search with binaries returns the best plan it
        has by then, with the status `time_limit`; without one it is a SolveError.
    complementarity : {"lazy", "audit", "milp", "off"}, default "lazy"
        How simultaneous charging and discharging is kept out (docs/formulation.md §1): `lazy` adds
        binaries where the relaxation needs them, `milp` everywhere from the start, `audit` only
        reports, `off` does not look.
    blocks : bool, default True
        Merge identical members and solve independent blocks apart; both are exact.
    fix : mapping, optional
        Plans to hold fixed, `{"fleet.charge": profile}`, in kW or kWh on the dimensions of the
        output; `(profile, where)` holds only what is True in `where`.
    audit : bool, default True
        Replay the result and write what it finds into `/audit`.
    parts : mapping of str to Part, default PARTS
        The catalogue, extended at will: `PARTS | {"flywheel": flywheel.PART}`.

    Returns
    -------
    xarray.DataTree
        The inputs verbatim with the outputs beside them (kW, kWh on member and `time`, with
        `scenario` where the case has it), and the groups `/ledger` (EUR, + is income), `/price`
        (EUR/MWh), `/dual`, `/reduced_cost`, `/audit`. Attributes: `profit` and `objective` (EUR),
        `status`, and what it took.

    Raises
    ------
    SchemaError
        The case or an argument does not fit; every problem is listed.
    Infeasible
        No plan keeps every limit; it says where and why. It is a `SolveError`.
    SolveError
        No plan was found within the limits, or the data let one earn without end (`Unbounded`).
    SolverError
        The solver is missing, failed, does not know an option, or made a plan that fails the audit.
    OutputError
        A checkpoint cannot be written.
    Interrupted
        Ctrl-C while the solver was at work.

    Examples
    --------
    A car at a lossless 10 kW charger needs 20 kWh in four hours. It draws them in the two cheapest
    hours, 10 kWh at 20 EUR/MWh and 10 kWh at 30 EUR/MWh, which cost 0.50 EUR:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> need = ("time", [0.0, 0.0, 0.0, 20.0])
    >>> car = {"charge_max": 10.0, "energy_max": 40.0, "energy_min": need, "eta_charge": 1.0}
    >>> market = {"price": ("time", [50.0, 20.0, 30.0, 60.0]), "limit": 100.0}
    >>> fleet = xr.Dataset(car, coords={"fleet": ["ev"]})
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> result = v2g.solve(v2g.assemble(time, {"fleet": fleet, "energy": energy}))
    >>> result["fleet"].charge.sel(fleet="ev").round().astype(int).values.tolist()
    [0, 10, 10, 0]
    >>> round(result.attrs["profit"], 6)
    -0.5
    >>> result["audit"].attrs["passed"]
    1
    """
    if complementarity not in _MODES:
        detail = f"{complementarity!r} is not one of {', '.join(_MODES)}"
        raise SchemaError([Problem("complementarity", "choice", detail)])
    inputs = inputs_of(case, parts)
    settings = Settings(solver, dict(options or {}), gap, time_limit).start()
    if method == "sites":
        if problems := _unfit_for_sites(solver, fix, processes):
            raise SchemaError(problems)
        whole = partial(_planned_whole, complementarity=complementarity, audit=audit)
        return solve_in_two_levels(
            case,
            inputs,
            settings,
            partial(solve, method="whole"),
            whole,
            processes=processes,
            checkpoint=None if checkpoint is None else Path(checkpoint),
        )
    _refuse_checkpoint(checkpoint, method)
    found = _decomposed(inputs, settings, method, dict(fix or {}))
    if found is None:
        return _planned_whole(
            case,
            inputs,
            settings,
            dict(fix or {}),
            complementarity=complementarity,
            audit=audit,
            blocks=blocks,
        )
    result = result_of(case, inputs, found.solved, settings)
    result.attrs.update(found.attributes)
    result["decomposition"] = xr.DataTree(found.rounds)
    return audited(inputs, result) if audit else result


def _planned_whole(
    case: xr.DataTree,
    inputs: Inputs,
    settings: Settings,
    fix: dict[str, Fixed],
    *,
    complementarity: str,
    audit: bool,
    blocks: bool = True,
) -> xr.DataTree:
    """Return the result of a case as one model, of which the inputs are known."""
    try:
        solved = _Search(inputs, settings, blocks, fix).run(complementarity)
    except SolveError as error:
        raise _explained(error, inputs, settings, fix) from None
    result = result_of(case, inputs, solved, settings)
    result.attrs["method"] = "whole"
    return audited(inputs, result) if audit else result


def audited(inputs: Inputs, result: xr.DataTree) -> xr.DataTree:
    """Replay a plan, and put what is found beside it.

    Raises
    ------
    SolverError
        It does not pass.
    """
    logger.info("replaying the plan")
    checks = auditing.replay_with(inputs, result)
    if not checks.attrs["passed"]:
        worst = checks.attrs["worst"]
        raise SolverError(
            f"the plan does not pass its audit ({worst}); look at it with the audit switched off"
        )
    result["audit"] = xr.DataTree(checks)
    return result


_MODES = complementarity.MODES
_METHODS = ("auto", "whole", "decompose", "oracle", "sites")
LARGE_FLEET = 20_000  # vehicles from which on a fleet is decomposed unasked
_SHOWN = 20  # vehicles that are looked at where some have no plan
_SLIP = 1e-6  # by how much a fixed plan may miss a limit: what an earlier solve leaves
_ROUNDS = 20
# of the time left is for the search with binaries, the rest for the prices of what it found
_SEARCH = 0.9
_GRACE = 0.5  # seconds beyond the time limit for these prices
_WORDS = 1.0  # seconds beyond the time limit to say why there is no plan
_NO_PRICES = "no time was left for prices"


def _decomposed(
    inputs: Inputs, settings: Settings, method: str, fix: Mapping[str, Fixed]
) -> Decomposed | None:
    """Return the plan of a decomposition; None where the case is to be solved as a whole."""
    if method not in _METHODS:
        detail = f"{method!r} is not one of {', '.join(_METHODS)}"
        raise SchemaError([Problem("method", "choice", detail + suggest(method, _METHODS))])
    fleet = inputs.data.get("fleet")
    many = 0 if fleet is None else fleet.sizes["fleet"]
    if method == "whole" or method == "auto" and (many < LARGE_FLEET or fix):
        return None
    if fix or not many:
        detail = "plans are held fixed" if fix else "there are no vehicles"
        raise SchemaError([Problem("method", "choice", f"{method}: {detail}; use whole")])
    try:
        found = _large_fleet(inputs, settings, "decompose" if method == "auto" else method)
        # a gap that does not close takes binaries, which one model can have
        if method == "auto" and found.solved.optimum.status == GAP_LIMIT:
            return None
        return found.by_its_own_method() if method == "auto" else found
    except SchemaError as error:
        if method != "auto":
            raise
        logger.info("solving as a whole: %s", error)
        return None


def _large_fleet(inputs: Inputs, settings: Settings, method: str) -> Decomposed:
    """Return the plan of a decomposition, or say why there is none."""
    try:
        return solve_large_fleet(inputs, settings, method)
    except NotServed as error:
        some = np.unique(error.vehicles)[:_SHOWN]
        data = {**inputs.data, "fleet": inputs.data["fleet"].isel(fleet=some)}
        none = SolveError("infeasible", status="infeasible")
        raise _explained(none, replace(inputs, data=data), settings, {}) from None
    except Infeasible:
        raise
    except SolveError as error:  # of what is left beside the fleet
        raise _explained(error, inputs, settings, {}) from None


def _unfit_for_sites(solver: str, fix: Mapping[str, Fixed] | None, processes: int) -> list[Problem]:
    """Return what stands against solving a case by its sites."""
    problems = []
    if processes < 1:
        problems.append(Problem("processes", "range", f"{processes}: give at least 1"))
    if fix:
        detail = "sites: plans are held fixed, which sites do not know of; use whole"
        problems.append(Problem("method", "choice", detail))
    if solver != "highs":
        problems.append(Problem("solver", "choice", "sites are solved by highs"))
    return problems


def _refuse_checkpoint(checkpoint: str | Path | None, method: str) -> None:
    """Raise where there are no rounds to keep."""
    if checkpoint is not None:
        detail = f"of use only with the method sites, not with {method}"
        raise SchemaError([Problem("checkpoint", "choice", detail)])


class _Search:
    """Solve, look for charging and discharging at once, add binaries where needed, until there is
    none left.
    """

    def __init__(self, inputs: Inputs, settings: Settings, apart: bool, fix: dict[str, Fixed]):
        self.inputs, self.settings, self.apart, self.fix = inputs, settings, apart, fix
        self.build_seconds = self.solve_seconds = 0.0

    def run(self, mode: str) -> Solved:
        """Return the solved model, and what it took."""
        where = {} if mode == "off" else complementarity.eligible(self.inputs)
        flags = where if mode == "milp" else {}
        solved = first = self._solved(flags)
        at_once, rounds = complementarity.overlap(self.inputs, solved.solution, where), 0

        while mode == "lazy" and rounds < _ROUNDS and not _exact(solved, at_once):
            more = complementarity.candidates(
                self.inputs, where, at_once, solved.dual, solved.reduced
            )
            flags = {key: x | flags[key] if key in flags else x for key, x in more.items()}
            solved = self._solved(flags)
            at_once, rounds = (
                complementarity.overlap(self.inputs, solved.solution, where),
                rounds + 1,
            )

        deciding = {complementarity.direction(*storage).binary for storage in flags}
        binaries = sum(int(x.notnull().sum()) for n, x in solved.solution.items() if n in deciding)
        words = complementarity.sentence(
            self.inputs,
            mode,
            rounds,
            binaries,
            at_once,
            lost=first.optimum.objective - solved.optimum.objective,
            others=solved.binaries - binaries,
        )
        return replace(
            solved,
            complementarity=words,
            fixed=", ".join(sorted(self.fix)),
            overlap=_largest(at_once),
            build_seconds=self.build_seconds,
            solve_seconds=self.solve_seconds,
        )

    def _solved(self, flags: complementarity.Flags) -> Solved:
        """Build the model with binaries at the flagged places, and solve it."""
        start = clock.perf_counter()
        logger.info("building the model")
        built, merged, inputs = self._built(flags)
        _fix(built.model, self.fix, inputs)
        matrix = solvers.matrix_of(built.model)
        ready = clock.perf_counter()
        logger.info("solving %d rows and %d columns", *matrix.a.shape)
        optimum = self._optimum(built.model, matrix)
        solved = read_solution(built, matrix, optimum, merged, inputs)
        self.build_seconds += ready - start
        self.solve_seconds += clock.perf_counter() - ready
        return solved

    def _built(self, flags: complementarity.Flags) -> tuple[Built, Merged, Inputs]:
        """Write the model; identical members are merged where nothing is asked of one of them."""
        if not self.apart or flags or self.fix:
            inputs, merged = self.inputs, Merged({})
        else:
            inputs, merged = merge(self.inputs)
        built = assemble_model(complementarity.with_flags(inputs, flags))
        if unmerged := _with_binaries(built.model, merged):
            inputs, merged = merge(self.inputs, unmerged)
            built = assemble_model(inputs)
        return built, merged, inputs

    def _optimum(self, model: linopy.Model, matrix: solvers.Matrix) -> Optimum:
        """Solve the model; where it has binaries, once more as a linear programme that has them
        fixed: for prices, and without residues of the search.
        """
        if self.settings.solver != "highs":
            return solvers.solve_other(model, matrix, self.settings)
        if matrix.is_lp:
            return self._in_blocks(matrix, self.settings)
        search = self._in_blocks(matrix, self.settings.share(_SEARCH))
        fixed = solvers.at_levels(matrix, search.primal)
        try:
            priced = self._in_blocks(fixed, self.settings.grace(_GRACE))
        except SolveError as error:
            if error.status != solvers.TIME_LIMIT:
                raise
            return _without_prices(search)
        return replace(
            priced,
            status=search.status,
            gap=search.gap,
            bound=search.bound,
            note=search.note,
            blocks=search.blocks,
        )

    def _in_blocks(self, matrix: solvers.Matrix, settings: Settings) -> Optimum:
        """Solve independent blocks of a matrix apart, where that is wanted."""
        if self.apart:
            return blocks.solve_with_highs(matrix, settings)
        optimum = solvers.solve_matrix(matrix, settings)
        return replace(optimum, note="blocks off: solved in one piece")


def _exact(solved: Solved, at_once: complementarity.Overlap) -> bool:
    """Return True where nothing charges and discharges at once, or time to mend it is up."""
    small = _largest(at_once) <= complementarity.TOLERANCE
    return small or solved.optimum.status != "optimal"


def _largest(at_once: complementarity.Overlap) -> float:
    """Return the most that is charged and discharged at once anywhere (kW)."""
    return max((float(x.max()) for x in at_once.values()), default=0.0)


def _without_prices(search: Optimum) -> Optimum:
    """Return what a search found where there was no time for duals and reduced costs."""
    unknown = np.full(len(search.dual), np.nan), np.full(len(search.reduced), np.nan)
    note = f"{search.note}; {_NO_PRICES}"
    return replace(search, dual=unknown[0], reduced=unknown[1], note=note)


def _with_binaries(model: linopy.Model, merged: Merged) -> dict[str, set[str]]:
    """Members, by part, that have binaries and stand for several: what is exact for an LP is not
    for them.
    """
    found: dict[str, set[str]] = {}
    for name in model.binaries:
        part = name.partition(".")[0]
        if part in merged.members:
            table = merged.members[part]
            labels = model.variables[name].labels
            some = (labels != -1).any([d for d in labels.dims if d != table.index.name])
            shared = set(table["stands_in"][table["count"] > 1])
            found[part] = found.get(part, set()) | (
                set(some.get_index(table.index.name)[some.to_numpy()]) & shared
            )
    return {part: names for part, names in found.items() if names}


def _fix(model: linopy.Model, fix: Mapping[str, Fixed], inputs: Inputs) -> None:
    """Hold variables at given values."""
    problems = []
    for name, given in fix.items():
        profile, where = given if isinstance(given, tuple) else (given, xr.DataArray(True))
        if name in model.variables:
            problems += _hold(model.variables[name], name, profile, where, inputs)
        else:
            problems += _not_held(name, profile, inputs)
    if problems:
        raise SchemaError(problems, source="the fixed plans")


def _hold(
    x: linopy.Variable, name: str, profile: xr.DataArray, where: xr.DataArray, inputs: Inputs
) -> list[Problem]:
    """Hold a variable where it is asked for, and say where it cannot be."""
    everywhere = profile + xr.zeros_like(x.lower, dtype=float)
    value = everywhere.reindex_like(x.lower).transpose(*x.dims)
    held = (where & xr.ones_like(x.lower, dtype=bool)).transpose(*x.dims)
    if bool((value.isnull() & held).any()):
        detail = "does not cover every label of the variable"
        return [Problem(f"fix {name}", "labels", detail)]

    problems = []
    low, high = (bound.where(x.labels != -1, 0.0) for bound in (x.lower, x.upper))
    beyond = held & ((value < low - _SLIP) | (value > high + _SLIP))
    if bool(beyond.any()):
        place, number = worst_violation(value, beyond, inputs.calendar)
        bounds = f"[{float(low.where(beyond).min()):g}, {float(high.where(beyond).max()):g}]"
        problems = [Problem(f"fix {name}", "range", f"{place}{number:g}, allowed {bounds}")]
    x.update(lower=value.where(held, x.lower), upper=value.where(held, x.upper))
    return problems


def _not_held(name: str, profile: xr.DataArray, inputs: Inputs) -> list[Problem]:
    """Say why a variable that the model does not have cannot be held; at 0 it may be missing."""
    outputs = [f"{p.name}.{f.name}" for p, _ in inputs for f in p.schema.outputs]
    if name not in outputs:
        return [Problem(f"fix {name}", "unknown", f"unknown{suggest(name, outputs)}")]
    if float(abs(profile).max()) > 0:
        return [Problem(f"fix {name}", "unknown", "has no freedom in this case")]
    return []


def _explained(
    error: SolveError, inputs: Inputs, settings: Settings, fix: Mapping[str, Fixed]
) -> SolveError:
    """Say in the user's words why there is no plan."""

    def assemble(inputs: Inputs) -> Built:
        built = assemble_model(inputs)
        _fix(built.model, fix, inputs)
        return built

    if "infeasible" in error.status and "unbounded" not in error.status:
        return Infeasible(infeasibility.why(inputs, settings.grace(_WORDS), assemble))
    if "unbounded" in error.status:
        detail = (
            "the plan could earn without end; look for a price that pays for an unlimited quantity"
        )
        return Unbounded(f"unbounded: {detail}", status="unbounded")
    return error


__all__ = ["Infeasible", "assemble_model", "build", "check", "solve"]
