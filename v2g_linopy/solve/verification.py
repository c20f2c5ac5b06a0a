"""What of a result that was read from a file is still true: recomputed, not repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import linopy
import numpy as np
import xarray as xr

from ..case.checksum import ATTRIBUTE, NONE
from ..case.schema import Field
from ..errors import Problem, SchemaError
from ..model.inputs import DATA_GROUPS, RESULT_GROUPS, Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from . import complementarity
from .assembly import Built, assemble_model
from .audit import TOLERANCE, mean_total, number_of, replay_with, verdict_of
from .optimality import GROUPS, faulty_indexes, names_by_reason, prove, with_flags_of
from .result import hash_of, in_profit

CHECKED = ("profit", "objective", "case_hash", "currency", "timezone", "status", "mip_gap")
"""Attributes of a result that are recomputed; every other is the word of who wrote the file."""
_WORD = "what the file says of itself"
_UNPROTECTED = "the file has none, as those of other programs and earlier versions: a flipped bit"
_UNPROTECTED += " would not be noticed everywhere"
WORDS = ("long_name", "origin")
"""Attributes of arrays and groups that say in words what they are."""


@dataclass(frozen=True)
class Verification:
    """What was found: faults, and what could not be recomputed, each with the reason if it has
    one; and the checks of the replay.
    """

    problems: tuple[Problem, ...]
    unchecked: Mapping[str, str]
    checks: xr.Dataset = field(default_factory=xr.Dataset)

    @property
    def sentence(self) -> str:
        """What was checked, and what was not, in words."""
        best = "" if "status" in self.unchecked else ", and by its prices no plan is better"
        said = f"replayed: the plan keeps every limit, bill, profit and case are as it says{best}"
        return f"{said}; not checked: {names_by_reason(self.unchecked)}" if self.unchecked else said

    def raise_for(self, source: str) -> None:
        """Raise a `SchemaError` that lists every fault, if there is one."""
        if self.problems:
            raise SchemaError(self.problems, f"{source}, which was replayed")


def verify(result: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> Verification:
    """Recompute what a result says of itself, and tell what differs.

    Its plan is replayed, its profit and objective are summed from its ledger, and its inputs are
    compared with the hash of the case that was solved. Its prices are checked by reduced costs,
    and prove that no plan is better (docs/formulation.md §14). It takes about as long as the
    replay and building the model, and solves nothing.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as read from its file.
    parts : mapping of str to Part, default PARTS
        The catalogue that it was solved with.

    Returns
    -------
    Verification
        `problems`: each with the quantity, the number found and the one recomputed. `unchecked`:
        names of what cannot be recomputed, with the reason where it depends on the case. `sentence`
        says both in words, and `checks` are those of `replay`.

    Raises
    ------
    SchemaError
        The inputs of the result do not fit the schema, or it has no plan.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> result = v2g.solve(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> v2g.verify(result).problems
    ()
    >>> result.attrs["profit"] = 1e6
    >>> [problem.where for problem in v2g.verify(result).problems]
    ['profit']
    """
    inputs = inputs_of(result, parts)
    if "ledger" not in result.children:
        detail = "missing: this is a case without a plan; solve it first"
        raise SchemaError([Problem("ledger", "missing", detail)])
    built = assemble_model(with_flags_of(inputs, result))
    if malformed := [*_outputs(inputs, result, built), *_ledger(inputs, result)]:
        return Verification((*malformed, *_case(inputs, result)), {})

    checks = replay_with(inputs, result)
    proof = prove(inputs, result, built)
    problems = [
        *_replayed(checks),
        *_entries(result, checks),
        *_profit(inputs, result),
        *_case(inputs, result),
        *_verdict(result, checks),
        *proof.problems,
    ]
    return Verification(tuple(problems), dict(proof.unchecked) | _untold(result), checks)


def _outputs(inputs: Inputs, result: xr.DataTree, built: Built) -> list[Problem]:
    """Return every output that is not as its field declares it, or missing."""
    problems = []
    for part, _ in inputs:
        group = result[part.name].to_dataset()
        outputs = [f for f in part.schema.outputs if not f.auxiliary]
        for name in map(str, group.data_vars):
            declared = [f for f in outputs if f.names(name)]
            if declared and not any(f.names(name) for f in part.schema.inputs):
                where = f"{part.name}.{name}"
                problems += _misfit(where, group[name], declared[0], inputs)
                if where in built.model.variables:
                    problems += _other_labels(where, group[name], built.model.variables[where])
                elif declared[0].shared:
                    problems.append(Problem(where, "unknown", "belongs to nothing of this case"))
        own = [n for n in built.model.variables if n.partition(".")[0] == part.name]
        for leaf in (n.partition(".")[2] for n in own):
            if leaf not in group and any(f.names(leaf) for f in outputs):
                detail = "missing: the plan does not say it"
                problems.append(Problem(f"{part.name}.{leaf}", "missing", detail))
    return problems


def _misfit(where: str, x: xr.DataArray, field: Field, inputs: Inputs) -> list[Problem]:
    """Return what is wrong with the numbers of an output."""
    units = field.unit.replace("EUR", inputs.calendar.currency)
    if x.dtype.kind not in "fiub":
        return [Problem(where, "type", f"holds {x.dtype}, needs numbers ({units})")]
    numbers, problems = x.to_numpy().astype(float), []
    if x.attrs.get("units") != units:
        problems.append(Problem(where, "unit", f"unit {x.attrs.get('units')!r}, needs {units}"))
    missing = int(np.isnan(numbers).sum())
    if missing and not field.missing:
        problems.append(Problem(where, "nan", f"{missing} numbers are missing (NaN)"))
    if endless := int(np.isinf(numbers).sum()):
        problems.append(Problem(where, "range", f"{endless} numbers are infinite"))
    if not field.signed and (numbers < 0).any():
        problems.append(Problem(where, "range", f"{np.nanmin(numbers):g}, needs at least 0"))
    return problems


def _other_labels(where: str, x: xr.DataArray, own: linopy.Variable) -> list[Problem]:
    """Return whether an output stands on other labels than its variable."""
    if set(x.dims) != set(own.dims):
        has, needs = (", ".join(map(str, dims)) or "none" for dims in (x.dims, own.dims))
        return [Problem(where, "dims", f"has the dimensions {has}, needs {needs}")]
    other = [dim for dim in own.dims if {*own.indexes[dim]} != {*x.get_index(dim)}]
    return [Problem(where, "labels", f"has other labels of {dim} than the case") for dim in other]


def _ledger(inputs: Inputs, result: xr.DataTree) -> list[Problem]:
    """Return every entry of the bill that holds no amounts of money."""
    ledger, currency = result["ledger"].to_dataset(), inputs.calendar.currency
    problems = faulty_indexes(result, "ledger")
    for name, x in ledger.data_vars.items():
        where = f"ledger.{name}"
        if x.dtype.kind not in "fiu":
            problems.append(Problem(where, "type", f"holds {x.dtype}, needs numbers ({currency})"))
        elif not bool(np.isfinite(x).all()):
            problems.append(Problem(where, "nan", "some amounts are missing or infinite"))
        if x.attrs.get("units") != currency:
            detail = f"unit {x.attrs.get('units')!r}, needs {currency}"
            problems.append(Problem(where, "unit", detail))
    return problems


def _replayed(checks: xr.Dataset) -> list[Problem]:
    """Return the checks of the replay that fail, the largest first."""
    failed = {str(n): float(x) for n, x in checks.data_vars.items() if not float(x) <= TOLERANCE}
    return [
        Problem(name, "audit", f"{by:.3g} {checks[name].attrs['units']} off when replayed")
        for name, by in sorted(failed.items(), key=lambda check: check[1], reverse=True)
    ]


def _entries(result: xr.DataTree, checks: xr.Dataset) -> list[Problem]:
    """Return every entry of the ledger that no part has paid or earned."""
    detail = "an entry of the ledger that nothing in the case pays or earns"
    return [
        Problem(f"ledger.{name}", "unknown", detail)
        for name in result["ledger"].to_dataset().data_vars
        if name not in checks
    ]


def _profit(inputs: Inputs, result: xr.DataTree) -> list[Problem]:
    """Return whether the profit is the sum of the ledger; of the objective the replay tells it."""
    ledger = result["ledger"].to_dataset().data_vars
    sums = {str(name): mean_total(x, inputs.probability) for name, x in ledger.items()}
    profit = sum(x for name, x in sums.items() if in_profit(name))
    told = number_of(result, "profit")
    scale = max(1.0, *(abs(x) for x in sums.values())) if sums else 1.0
    if abs(told - profit) <= TOLERANCE * scale:
        return []
    shown = f"{told:.12g}" if np.isfinite(told) else repr(result.attrs.get("profit"))
    detail = f"{shown} in the file, {profit:.6g} is the sum of the ledger"
    return [Problem("profit", "audit", detail)]


def _case(inputs: Inputs, result: xr.DataTree) -> list[Problem]:
    """Return whether the inputs are those that were solved."""
    solved, there = result.attrs.get("case_hash"), hash_of(inputs)
    if solved == there:
        return []
    detail = f"{solved!r} in the file, {there!r} are its inputs: they are not those it was made of"
    return [Problem("case_hash", "audit", detail)]


def _verdict(result: xr.DataTree, checks: xr.Dataset) -> list[Problem]:
    """Return where the verdict in the file is not that of the replay, or not that of its own
    numbers.
    """
    if "audit" not in result.children:
        return []
    told = result["audit"].to_dataset()
    kinds = {str(name): x.dtype.kind + str(x.ndim) for name, x in told.data_vars.items()}
    if wrong := [name for name, kind in kinds.items() if kind != "f0"]:
        return [Problem(f"audit.{name}", "type", "is no number") for name in wrong]
    problems = [
        Problem(f"audit.{n}", "audit", f"{float(x):.3g} in the file, {float(checks[n]):.3g} found")
        for n, x in told.data_vars.items()
        if n in checks and not abs(float(x) - float(checks[n])) <= TOLERANCE
    ]
    verdict = {key: told.attrs.get(key) for key in ("passed", "worst", "tolerance")}
    if problems or verdict == verdict_of(told):
        return problems
    return [Problem("audit", "audit", f"{verdict} in the file is not what its own numbers say")]


def _untold(result: xr.DataTree) -> dict[str, str]:
    """Return the names of what nothing here looks at, in the order of the file."""
    names = [str(name) for name in result.attrs if name not in CHECKED]
    groups = [g for g in (*DATA_GROUPS, *RESULT_GROUPS) if g in result.children]
    names += [g for g in groups if g not in ("ledger", "audit", *GROUPS)]
    plan = [f"{g}.{x}" for g, node in result.children.items() for x in node.data_vars]
    names += [ways.binary for ways in complementarity.directions(plan)]
    said = {word for node in result.subtree for word in node.attrs}
    said |= {
        w for node in result.subtree for x in node.to_dataset().variables.values() for w in x.attrs
    }
    names += [word for word in WORDS if word in said]
    unprotected = {ATTRIBUTE: _UNPROTECTED} if result.encoding.get(ATTRIBUTE) == NONE else {}
    return dict.fromkeys(names, _WORD) | unprotected
