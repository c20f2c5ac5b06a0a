"""The whole model, written once: every part in its stage, the nodes of each carrier, the objective
(docs/architecture.md §2).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import linopy
import numpy as np
import xarray as xr

from ..algebra import linopy_adapter
from ..algebra.expression import Expression
from ..algebra.linopy_adapter import Target, exact_labels
from ..model.inputs import Inputs
from ..model.part import Part, Stage
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
    writer = _Writer(model, inputs, earlier, {*changed})
    for stage in Stage:
        for part, d in writer.taking_part:
            if part.stage is stage:
                writer.write(part, d)
        if stage is Stage.ASSET:
            _nodes(model, inputs, writer.terms)
        if stage is Stage.RULE:
            _market(model, writer.terms_of(Stage.MARKET, Stage.RULE))
    return Written(writer.terms, writer.reads)


class _Writer:
    """Writes one part after the other: none sees the terms of a later one."""

    def __init__(self, model: Target, inputs: Inputs, earlier: Written | None, changed: set[str]):
        self.model, self.inputs, self.earlier = model, inputs, earlier
        self.taking_part = [
            (part, d)
            for part, d in inputs
            if part.schema.member is None or d.sizes.get(part.schema.member, 0)
        ]
        self.known = {part.name: d for part, d in self.taking_part}
        self.changed = changed  # parts whose data or terms are not those of before
        self.terms: dict[str, Terms] = {}
        self.reads = {} if earlier is None else dict(earlier.reads)

    def write(self, part: Part, d: xr.Dataset) -> None:
        """Write a part, unless it stands as it would be written again."""
        before = None if self.earlier is None else self.earlier.terms[part.name]
        if before is not None and not self.changed & {part.name, *self.reads[part.name]}:
            self.terms[part.name] = before
            return
        calendar, dt, pods = self.inputs.calendar, self.inputs.dt, self.inputs.pods
        scope = Scope(
            self.model, part.name, part.schema, self.known, self.terms, calendar, dt, pods
        )
        terms = self.terms[part.name] = part.build(scope, d)
        self.reads[part.name] = frozenset(scope.read)
        self.changed.add(part.name)
        if before is not None and terms.offers != before.offers:
            # a part that reads what this one did not offer before has not asked for it
            self.changed.update(self.known)

    def terms_of(self, *stages: Stage) -> list[Terms]:
        """Return the terms of all parts of some stages."""
        return [self.terms[part.name] for part, _ in self.taking_part if part.stage in stages]


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
            found[name] = cash.coefficients()
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
    made: dict[str, xr.Dataset] = {}

    def plan_of(part: Part, d: xr.Dataset) -> xr.Dataset:
        """Return the inputs of a part with the levels of its variables, made once."""
        if part.name not in made:
            levels = {n.partition(".")[::2]: x for n, x in solution.items()}
            own = {n: x.fillna(0.0) for (group, n), x in levels.items() if group == part.name}
            made[part.name] = d.assign(own)
        return made[part.name]

    for part, d in inputs:
        if part.postprocess is None or not d.sizes.get(part.member, 1):
            continue
        seen = [
            (p, d) for p, d in inputs if p is part or part.stage is Stage.MARKET
        ]  # a market sees all plans
        plans = {p.name: plan_of(p, d) for p, d in seen}
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


def _nodes(model: Target, inputs: Inputs, terms: Mapping[str, Terms]) -> None:
    """exchange - sum power = 0 at each pod for electricity; sum power = 0 at each pod for every
    other carrier.
    """
    scenario, pods = inputs.calendar.scenario, inputs.pods
    labels = [*([] if scenario is None else [scenario]), pods, inputs.calendar.time.rename("time")]
    indexes = {str(index.name): index for index in labels}
    endless = np.full([len(index) for index in labels], np.inf)
    exchange = Expression.from_linopy(
        linopy_adapter.add_variable(model, "node.exchange", indexes, (-endless, endless))
    )
    nothing = Expression.without_terms(model, {})
    for carrier in dict.fromkeys(["electricity", *(c for t in terms.values() for c in t.power)]):
        total = exchange if carrier == "electricity" else nothing
        for part, t in terms.items():
            if carrier in t.power:
                net = nothing + t.power[carrier].net
                total = total - net.groupby_sum(pod_of(inputs.data[part]), pods)
        if total.has_terms:  # else nothing of this carrier can move anywhere
            (total == 0).write(model, f"node.{carrier}")
