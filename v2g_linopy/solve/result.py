"""The result of a solve: inputs verbatim, outputs beside them, ledger, prices, duals, and what it
took.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

import xarray as xr

from ..case.io import CONVENTIONS, SCHEMA_VERSION, fingerprint, stamped
from ..case.schema import Field, Schema, with_attributes
from ..case.version import package_version
from ..model.inputs import RESULT_GROUPS, Inputs
from .audit import mean_total
from .solver import Optimum, Settings

PENALTY = ".slack."  # entries of the ledger that belong to the objective, not to profit
ADJUSTMENT = "risk.adjustment"  # so does what the rule of risk adds


@dataclass(frozen=True)
class Solved:
    """What a solve found, by name of variable, expression and constraint, and what it took."""

    optimum: Optimum
    solution: Mapping[str, xr.DataArray]
    ledger: Mapping[str, xr.DataArray]
    dual: Mapping[str, xr.DataArray]
    reduced: Mapping[str, xr.DataArray]
    size: tuple[int, int, int]
    merged: int
    complementarity: str = ""
    fixed: str = ""
    binaries: int = 0
    overlap: float = 0.0
    build_seconds: float = 0.0
    solve_seconds: float = 0.0


def result_of(case: xr.DataTree, inputs: Inputs, solved: Solved, settings: Settings) -> xr.DataTree:
    """Put a result together."""
    groups = {
        name: node.to_dataset(inherit=False)
        for name, node in case.children.items()
        if name not in RESULT_GROUPS
    }
    for part, _ in inputs:
        groups[part.name] = _with_outputs(groups[part.name], inputs, part.name, solved)

    currency = inputs.calendar.currency
    ledger = {n: x.assign_attrs(units=currency) for n, x in solved.ledger.items()}
    duals = {n: x for n, x in solved.dual.items() if "node." not in n}
    groups["ledger"] = xr.Dataset(ledger)
    groups["price"] = xr.Dataset(_prices(inputs, solved))
    groups["dual"] = _plain({n: _every_scenario(x, inputs) for n, x in duals.items()})
    groups["reduced_cost"] = _plain(dict(solved.reduced))

    root = case.to_dataset().assign_attrs(_attributes(case, inputs, solved, settings, ledger))
    return xr.DataTree.from_dict({"/": root, **{f"/{name}": ds for name, ds in groups.items()}})


def _prices(inputs: Inputs, solved: Solved) -> dict[str, xr.DataArray]:
    """Shadow prices of the nodes, per MWh of the scenario in which they hold."""
    weight = inputs.dt * inputs.weight(solved.dual)
    units = f"{inputs.calendar.currency}/MWh"
    prices = {}
    for row, dual in solved.dual.items():
        node = row.removeprefix("node.")
        traded = node != "market" or "energy" in inputs.data
        if row.startswith("node.") and traded:
            words = f"shadow price, {node} node"
            prices[node] = (1000.0 * dual / weight).assign_attrs(units=units, long_name=words)
    return prices


def in_profit(entry: str) -> bool:
    """Return True for an entry of the ledger that is money.

    It is no penalty, and not the weight of risk.
    """
    return PENALTY not in f".{entry}" and entry != ADJUSTMENT


def _with_outputs(group: xr.Dataset, inputs: Inputs, part: str, solved: Solved) -> xr.Dataset:
    """Replace the outputs of an earlier solve by those of this one."""
    schema = inputs.parts[part].schema
    levels = {
        name.partition(".")[2]: x
        for name, x in solved.solution.items()
        if name.partition(".")[0] == part
    }
    made: dict[str, xr.DataArray] = {}
    for field in schema.outputs:
        if field.auxiliary:
            continue
        found = {name: x for name, x in levels.items() if field.names(name)}
        if not found and field.name in _always_shown(levels):
            found = {field.name: _zeros(field, inputs, part)}
        for name, x in found.items():
            made[name] = with_attributes(_clean(x, field), field, inputs.calendar.currency)
    return without_outputs(group, schema).assign(made)


def without_outputs(group: xr.Dataset, schema: Schema) -> xr.Dataset:
    """Leave the outputs of an earlier solve out, and labels that were theirs alone: months and
    ranks may differ now.
    """
    outputs = [n for n in map(str, group.data_vars) if any(f.names(n) for f in schema.outputs)]
    group = group.drop_vars(outputs)
    used = {"time", schema.member, *(d for x in group.data_vars.values() for d in x.dims)}
    return group.drop_vars([str(label) for label in group.indexes if label not in used])


def _always_shown(levels: Mapping[str, xr.DataArray]) -> tuple[str, ...]:
    """Outputs of a storage that stand in a result also where nothing could move."""
    power = ("charge", "discharge")
    on_baseline = tuple(f"{n}_baseline" for n in power) if "energy_baseline" in levels else ()
    return (*power, "energy", *on_baseline)


def _zeros(field: Field, inputs: Inputs, part: str) -> xr.DataArray:
    """Return an output that is 0 everywhere."""
    data, time = inputs.data[part], inputs.calendar.time
    axes = {dim: time if dim == "time" else data.indexes[dim] for dim in field.dims.split()}
    return xr.DataArray(0.0, coords=axes, dims=list(axes))


def _clean(x: xr.DataArray, field: Field) -> xr.DataArray:
    """Return an output as its field declares it: no gaps, no residues, no labels of other axes."""
    clean = x if field.missing else x.fillna(0.0)
    if extra := [c for c in x.coords if c not in x.dims]:
        clean = clean.drop_vars(extra)
    # a residue of -1e-12 is a zero, and + 0.0 makes a zero of -0.0
    return clean if field.signed else clean.clip(min=0.0) + 0.0


def hash_of(inputs: Inputs) -> str:
    """Return the hash of all that can change a plan or its money."""
    return fingerprint({**inputs.data, "/": root_of(inputs)})


def root_of(inputs: Inputs) -> xr.Dataset:
    """Return what stands at the root of a case and can change its plan or its money."""
    calendar = inputs.calendar
    root = xr.Dataset(
        {"step": inputs.dt, "timezone": calendar.timezone, "currency": calendar.currency}
    )
    return root if inputs.probability is None else root.assign(probability=inputs.probability)


def _every_scenario(row: xr.DataArray, inputs: Inputs) -> xr.DataArray:
    """Give rows between scenarios (first-stage equality) the labels of all, so that groups align;
    NaN where none is.
    """
    return row.reindex(scenario=inputs.calendar.scenario) if "scenario" in row.dims else row


def _plain(arrays: dict[str, xr.DataArray]) -> xr.Dataset:
    """Arrays side by side, without coordinates that label no axis, and without attributes."""
    axes = {n: {d: i for d, i in x.indexes.items() if d in x.dims} for n, x in arrays.items()}
    bare = {name: xr.Variable(x.dims, x.to_numpy()) for name, x in arrays.items()}
    labels = {dim: index for own in axes.values() for dim, index in own.items()}
    if all(i is labels[d] or i.equals(labels[d]) for own in axes.values() for d, i in own.items()):
        return xr.Dataset(bare, coords=labels)
    # some rows stand at other labels than others
    return xr.Dataset({n: xr.DataArray(x, coords=axes[n]) for n, x in bare.items()})


@cache
def _installed(package: str) -> str:
    """Return the version of an installed package, which is read from its files."""
    return version(package)


def _attributes(
    case: xr.DataTree,
    inputs: Inputs,
    solved: Solved,
    settings: Settings,
    ledger: Mapping[str, xr.DataArray],
) -> dict[str, str | int | float]:
    sums = {n: mean_total(x, inputs.probability) for n, x in ledger.items()}
    rows, columns, nonzeros = solved.size
    solved_now = stamped(f"solved by v2g-linopy {package_version()}")
    return {
        "Conventions": CONVENTIONS,
        "schema_version": SCHEMA_VERSION,
        "currency": inputs.calendar.currency,
        "timezone": inputs.calendar.timezone,
        "history": "\n".join((solved_now, str(case.attrs.get("history", "")))).strip(),
        "case_hash": hash_of(inputs),
        "status": solved.optimum.status,
        "objective": sum(sums.values()),
        "profit": sum(x for n, x in sums.items() if in_profit(n)),
        "solver": settings.solver,
        "solver_version": _installed("highspy") if settings.solver == "highs" else "",
        "linopy_version": _installed("linopy"),
        "v2g_linopy_version": package_version(),
        "build_seconds": round(solved.build_seconds, 3),
        "solve_seconds": round(solved.solve_seconds, 3),
        "rows": rows,
        "columns": columns,
        "nonzeros": nonzeros,
        "blocks": solved.optimum.blocks,
        "block_note": solved.optimum.note,
        "merged_members": solved.merged,
        "complementarity": solved.complementarity,
        "fixed": solved.fixed,
        "overlap_kw": solved.overlap,
        "binaries": solved.binaries,
        "mip_gap": solved.optimum.gap,
    }
