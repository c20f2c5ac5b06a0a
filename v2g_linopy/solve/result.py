"""The result of a solve: inputs verbatim, outputs beside them, ledger, prices, duals, and what it
took.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import xarray as xr

from ..case.io import CONVENTIONS, SCHEMA_VERSION, fingerprint, stamped
from ..case.schema import describe
from ..case.version import package_version
from ..model.inputs import RESULT_GROUPS, Inputs
from .audit import expected
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
    binaries: int = 0
    overlap: float = 0.0
    build_seconds: float = 0.0
    solve_seconds: float = 0.0


def result_of(case: xr.DataTree, inputs: Inputs, solved: Solved, settings: Settings) -> xr.DataTree:
    """Put a result together."""
    currency = inputs.calendar.currency
    groups = {
        name: node.to_dataset(inherit=False)
        for name, node in case.children.items()
        if name not in RESULT_GROUPS
    }
    for part, _ in inputs:
        groups[part.name] = _with_outputs(groups[part.name], inputs, part.name, solved)
    ledger = {n: x.assign_attrs(units=currency) for n, x in solved.ledger.items()}
    weight = inputs.dt * inputs.weight(solved.dual)
    prices = {
        name.removeprefix("node."): (
            (1000.0 * row / weight).assign_attrs(
                units=f"{currency}/MWh",
                long_name=f"shadow price, {name.removeprefix('node.')} node",
            )
        )
        for name, row in solved.dual.items()
        if name.startswith("node.") and (name != "node.market" or "energy" in inputs.data)
    }
    groups["ledger"] = xr.Dataset(ledger)
    groups["price"] = xr.Dataset(prices)
    groups["dual"] = _plain(
        {n: _every_scenario(x, inputs) for n, x in solved.dual.items() if "node." not in n}
    )
    groups["reduced_cost"] = _plain(dict(solved.reduced))
    root = case.to_dataset().assign_attrs(_attributes(case, inputs, solved, settings, ledger))
    return xr.DataTree.from_dict({"/": root, **{f"/{name}": ds for name, ds in groups.items()}})


def in_profit(entry: str) -> bool:
    """Return True for an entry of the ledger that is money: no penalty, and not the weight of
    risk.
    """
    return PENALTY not in f".{entry}" and entry != ADJUSTMENT


def _with_outputs(group: xr.Dataset, inputs: Inputs, part: str, solved: Solved) -> xr.Dataset:
    """Replace the outputs of an earlier solve; a battery shows its plan also where nothing could
    move.
    """
    fields, data = inputs.parts[part].schema.outputs, inputs.data[part]
    group = group.drop_vars(
        [str(v) for v in group.data_vars if any(f.names(str(v)) for f in fields)]
    )
    used = {
        "time",
        inputs.parts[part].schema.member,
        *(d for v in group.data_vars.values() for d in v.dims),
    }
    group = group.drop_vars(
        [str(c) for c in group.indexes if c not in used]
    )  # months, ranks: they may differ now
    made: dict[str, xr.DataArray] = {}
    for field in (f for f in fields if not f.auxiliary):
        found = {
            n.partition(".")[2]: x
            for n, x in solved.solution.items()
            if n.partition(".")[0] == part
        }
        found = {n: x for n, x in found.items() if field.names(n)}
        path = "_baseline" if f"{part}.energy_baseline" in solved.solution else ""
        if not found and field.name in (
            "charge",
            "discharge",
            "energy",
            "charge" + path,
            "discharge" + path,
        ):
            axes = {
                d: inputs.calendar.time if d == "time" else data.indexes[d]
                for d in field.dims.split()
            }
            found = {field.name: xr.DataArray(0.0, coords=axes, dims=list(axes))}
        for name, x in found.items():
            clean = (x if field.missing else x.fillna(0.0)).drop_vars(
                [c for c in x.coords if c not in x.dims]
            )
            if not field.signed:
                clean = clean.clip(min=0.0) + 0.0  # a residue of -1e-12 is a zero
            made[name] = describe(clean, field, inputs.calendar.currency)
    return group.assign(made)


def _root(inputs: Inputs) -> xr.Dataset:
    """What stands at the root of a case and can change its plan or its money."""
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
    return xr.Dataset(
        {n: x.drop_vars([c for c in x.coords if c not in x.dims]) for n, x in arrays.items()}
    ).drop_attrs()


def _attributes(
    case: xr.DataTree,
    inputs: Inputs,
    solved: Solved,
    settings: Settings,
    ledger: Mapping[str, xr.DataArray],
) -> dict[str, str | int | float]:
    sums = {n: float(expected(x, inputs.probability).sum()) for n, x in ledger.items()}
    rows, columns, nonzeros = solved.size
    solved_now = stamped(f"solved by v2g-linopy {package_version()}")
    return {
        "Conventions": CONVENTIONS,
        "schema_version": SCHEMA_VERSION,
        "currency": inputs.calendar.currency,
        "timezone": inputs.calendar.timezone,
        "history": "\n".join((solved_now, str(case.attrs.get("history", "")))).strip(),
        "case_hash": fingerprint({**inputs.data, "/": _root(inputs)}),
        "status": solved.optimum.status,
        "objective": sum(sums.values()),
        "profit": sum(x for n, x in sums.items() if in_profit(n)),
        "solver": settings.solver,
        "solver_version": version("highspy") if settings.solver == "highs" else "",
        "linopy_version": version("linopy"),
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
        "overlap_kw": solved.overlap,
        "binaries": solved.binaries,
        "mip_gap": solved.optimum.gap,
    }
