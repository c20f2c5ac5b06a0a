"""The whole model, written once: every part in its stage, the nodes of each carrier, the objective
(docs/architecture.md §2).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from ..algebra import linopy_adapter
from ..algebra.expression import Expression
from ..algebra.linopy_adapter import Target, exact_labels
from ..model.inputs import Inputs
from ..model.part import Stage
from ..model.scope import Scope, pod_of
from ..model.terms import Cash, Terms
from ..model.view import View


@dataclass(frozen=True)
class Written:
    """What each part added to a model, and what each part read of others to write itself."""

    terms: Mapping[str, Terms]
    reads: Mapping[str, frozenset[str]]

    @property
    def ledger(self) -> dict[str, Cash]:
        """Every entry of the ledger as an expression or as plain data (EUR)."""
        return {
            f"{part}.{entry}": x for part, t in self.terms.items() for entry, x in t.cash.items()
        }


@dataclass(frozen=True)
class Built(Written):
    """The model beside it."""

    model: linopy.Model


def assemble_model(inputs: Inputs) -> Built:
    """Write the whole model.

    max sum cash   s.t.   exchange[pod] = sum power of the assets there,   sum position = sum
    exchange, and the rows of each part."""
    with exact_labels():
        model = linopy_adapter.new_model()
        written = write_model(model, inputs)
        set_objective(model, costs(written.ledger, inputs.probability))
    return Built(written.terms, written.reads, model)


def write_model(
    model: Target,
    inputs: Inputs,
    earlier: Written | None = None,
    changed: frozenset[str] = frozenset(),
) -> Written:
    """Write the rows of every part and of the nodes to a model.

    Parameters
    ----------
    earlier : Written, optional
        What was written before; only parts whose own data changed, and those that read them, are
        written again.
    changed : frozenset of str
        Names of the parts whose data changed since.
    """
    terms: dict[str, Terms] = {}  # of the parts so far: none sees a later one
    reads: dict[str, frozenset[str]] = {} if earlier is None else dict(earlier.reads)
    staged = [
        (p, d) for p, d in inputs if p.schema.member is None or d.sizes.get(p.schema.member, 0)
    ]
    known = {p.name: d for p, d in staged}
    pods, moved = inputs.pods, set(changed)
    for stage in Stage:
        for part, d in staged:
            if part.stage is not stage:
                continue
            before = None if earlier is None else earlier.terms[part.name]
            if before is not None and not moved & {part.name, *reads[part.name]}:
                terms[part.name] = before
                continue
            scope = Scope(
                model, part.name, part.schema, known, terms, inputs.calendar, inputs.dt, pods
            )
            terms[part.name] = part.build(scope, d)
            reads[part.name] = frozenset(scope.read)
            moved.add(part.name)
            if before is not None and terms[part.name].offers != before.offers:
                moved.update(
                    known
                )  # a part that reads what this one did not offer before has not asked for it
        if stage is Stage.ASSET:
            _nodes(
                model,
                inputs,
                known,
                {p.name: terms[p.name] for p, _ in staged if p.stage is stage},
                pods,
            )
        if stage is Stage.RULE:
            _market(
                model, [terms[p.name] for p, _ in staged if p.stage in (Stage.MARKET, Stage.RULE)]
            )
    return Written(terms, reads)


def costs(
    ledger: Mapping[str, Cash], probability: xr.DataArray | None
) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Return labels and prices of every entry, weighted by the probability of its scenario.

    Constants have none.
    """
    found = {}
    for name, cash in ledger.items():
        if isinstance(cash, Expression):
            if probability is not None and "scenario" in cash.dims:
                cash = cash * probability
            found[name] = cash.costs()
    return found


def set_objective(
    model: linopy.Model, priced: Mapping[str, list[tuple[np.ndarray, np.ndarray]]]
) -> None:
    """max sum of all cash; constants stay in the ledger alone."""
    pairs = [pair for entry in priced.values() for pair in entry]
    labels, prices = (
        np.concatenate([pair[k] for pair in pairs] or [np.zeros(0, int)]) for k in (0, 1)
    )
    linopy_adapter.maximise(model, labels, prices)


def postprocessed(inputs: Inputs, solution: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return the outputs that parts rewrite or add, from the levels of the variables by name."""
    found = {}
    for part, d in inputs:
        if part.postprocess is None or not d.sizes.get(part.member, 1):
            continue
        seen = {
            p.name: d for p, d in inputs if p is part or part.stage is Stage.MARKET
        }  # a market sees all plans
        plans = {
            p: d.assign(
                {
                    n.partition(".")[2]: x.fillna(0.0)
                    for n, x in solution.items()
                    if n.startswith(f"{p}.")
                }
            )
            for p, d in seen.items()
        }
        declared = {f.name: f.dims.split() for f in part.schema.outputs}
        view = View(plans, inputs.calendar, inputs.dt, {})
        for name, x in part.postprocess(view, plans[part.name]).items():
            found[f"{part.name}.{name}"] = x.transpose(..., *declared[name])
    return found


def _market(model: Target, terms: list[Terms]) -> None:
    """sum exchange = sum position; a supply contract keeps the exchange of its pod from the
    markets.
    """
    traded = Expression.from_linopy(model.variables["node.exchange"]).sum("pod")
    for t in terms:
        if "electricity" in t.power:
            traded = traded + t.power["electricity"].net
    (-1 * traded == 0).write(model, "node.market")


def _nodes(
    model: Target,
    inputs: Inputs,
    known: Mapping[str, xr.Dataset],
    terms: Mapping[str, Terms],
    pods: pd.Index,
) -> None:
    """exchange - sum power = 0 at each pod for electricity; sum power = 0 at each pod for every
    other carrier.
    """
    scenario = inputs.calendar.scenario
    coords = [*([] if scenario is None else [scenario]), pods, inputs.calendar.time.rename("time")]
    exchange = Expression.from_linopy(
        model.add_variables(lower=-np.inf, upper=np.inf, coords=coords, name="node.exchange")
    )
    nothing = Expression.without_terms(model, {})
    for carrier in dict.fromkeys(["electricity", *(c for t in terms.values() for c in t.power)]):
        total = exchange if carrier == "electricity" else nothing
        for part, t in terms.items():
            if carrier in t.power:
                net = nothing + t.power[carrier].net
                total = total - net.groupby_sum(pod_of(known[part]), pods)
        if total.has_terms:  # else nothing of this carrier can move anywhere
            (total == 0).write(model, f"node.{carrier}")
