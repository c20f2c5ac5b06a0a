"""What of a result that was read from a file is still true: recomputed, not repeated."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..errors import Problem
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from .audit import TOLERANCE, mean_total, number_of, replay_with
from .result import hash_of, in_profit

UNCHECKED = ("status", "mip_gap", "price", "dual")
"""What only the solve can prove: that no plan is better, and what a unit more would be worth."""


@dataclass(frozen=True)
class Verification:
    """What was found: faults, and what could not be recomputed."""

    problems: tuple[Problem, ...]
    unchecked: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was checked, and what was not, in words."""
        said = "replayed: the plan keeps every limit, and bill, profit and case are as it says"
        if not self.unchecked:
            return said
        return f"{said}; not checked: {', '.join(self.unchecked)}"


def verify(result: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> Verification:
    """Recompute what a result says of itself, and tell what differs.

    Its plan is replayed, its profit and objective are summed from its ledger, and its inputs are
    compared with the hash of the case that was solved.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, as read from its file.
    parts : mapping of str to Part, default PARTS
        The catalogue that it was solved with.

    Returns
    -------
    Verification
        The faults, each with the quantity, the number found and the one recomputed; and the names
        of what cannot be recomputed.

    Raises
    ------
    SchemaError
        The inputs of the result do not fit the schema.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.solve.verification import verify
    >>> result = v2g.solve(v2g.commuters(vehicles=1, days=1, regulation=None))
    >>> verify(result).problems
    ()
    >>> result.attrs["profit"] = 1e6
    >>> [problem.where for problem in verify(result).problems]
    ['profit']
    """
    inputs = inputs_of(result, parts)
    problems = [*_replayed(inputs, result), *_profit(inputs, result), *_case(inputs, result)]
    unchecked = [name for name in UNCHECKED if name in result.attrs or name in result.children]
    return Verification(tuple(problems), tuple(unchecked))


def _replayed(inputs: Inputs, result: xr.DataTree) -> list[Problem]:
    """Return the checks of the replay that fail, the largest first."""
    checks = replay_with(inputs, result)
    failed = {str(n): float(x) for n, x in checks.data_vars.items() if not float(x) <= TOLERANCE}
    return [
        Problem(name, "audit", f"{by:.3g} {checks[name].attrs['units']} off when replayed")
        for name, by in sorted(failed.items(), key=lambda check: check[1], reverse=True)
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
