"""One case at many values of some of its fields, solved in place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from ..case.io import step_hours
from ..data.case_changes import part_of_target, refused_targets, with_changes
from ..errors import Interrupted, Problem, SchemaError, SolveError, SolverError, V2GError
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total
from ..solve.result import in_profit
from ..solve.solve import solve
from .resolvable_case import ResolvableCase
from .run_case import key_figures

IN_PLACE, BUILT_AGAIN, ALONE = "in place", "built again", "alone"
FLOWS = {"energy.charged_kWh": "fleet.charge", "energy.discharged_kWh": "fleet.discharge"}
"""Key figures that every sweep has, and the output whose energy they are."""


def sweep(
    case: xr.DataTree,
    fields: Mapping[str, Sequence[Any]],
    *,
    figures: Sequence[str] = (),
    arrays: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    gap: float | None = None,
    complementarity: str = "lazy",
    audit: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
    parts: Mapping[str, Part] = PARTS,
) -> xr.Dataset:
    """Solve a case at every combination of some values of its fields.

    The model is written once, and what differs from one point to the next goes to the solver, which
    goes on from its last plan. The objectives are those of separate solves; where several plans are
    equally good, another one may be found. Points that cannot be solved so are solved otherwise,
    and `way` says it: the model is built again for those that need other rows or variables, and
    those that need whole numbers, or have no plan, are solved alone.

    Parameters
    ----------
    case : xarray.DataTree
        A case; it is not changed.
    fields : mapping of str to sequence
        Values by target. A target is ``fleet.wear``, of one member ``fleet[ev-3].charge_max``, or
        ``energy.price.scale``, a factor on what the field is; values are numbers in the unit of the
        field, or its words. Each target is a dimension.
    figures : sequence of str, default ()
        More key figures, by the names that they have in a study: ``"power.peak_import_kW"``.
    arrays : sequence of str, default ()
        Arrays of the result, by group and name: ``"fleet.charge"``, ``"price.electricity"``.
    options : mapping, optional
        Options of HiGHS by its own names.
    gap : float, optional
        As of `solve`.
    complementarity : {"lazy", "audit", "off"}, default "lazy"
        As of `solve`.
    audit : bool, default False
        Replay every plan.
    progress : callable
        Is told how many points are done, and of how many.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.Dataset
        On the targets: `profit` and `objective` (money of the case), ``energy.charged_kWh`` and
        ``energy.discharged_kWh`` (kWh of the fleet), `ledger` (money, also on `entry`), the figures
        and arrays asked for; `status`, `message` (what was wrong, else empty) and `way` (``in
        place``, ``built again``, or ``alone``). Numbers are NaN where a point has no plan.

    Raises
    ------
    SchemaError
        The case does not fit the schema, or a target, a value, a figure or an array is none; every
        problem is listed.
    V2GError
        The solver fails, or is interrupted, as of `solve`.

    Examples
    --------
    A lossless charger buys 10 kWh at 20 EUR/MWh, and sells them at 60 while a kWh of wear costs
    less than the 0.04 EUR between:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> car = {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 10.0, "wear": 0.0}
    >>> car |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> market = {"price": ("time", [20.0, 60.0]), "limit": 100.0}
    >>> fleet = xr.Dataset(car, coords={"fleet": ["ev"]})
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> case = v2g.assemble(time, {"fleet": fleet, "energy": energy})
    >>> fields = {"fleet.wear": [0.0, 0.03, 0.05], "energy.price.scale": [1.0, 2.0]}
    >>> found = v2g.sweep(case, fields)
    >>> found.profit.round(6).values.tolist()
    [[0.4, 0.8], [0.1, 0.5], [0.0, 0.3]]
    """
    values = {target: list(some) for target, some in fields.items()}
    _refuse(case, values, complementarity, arrays)
    standing = ResolvableCase(
        case,
        {part_of_target(target) for target in values},
        options=options,
        gap=gap,
        complementarity=complementarity,
        parts=parts,
    )

    def solved_alone(changed: xr.DataTree) -> xr.DataTree:
        return solve(
            changed,
            options=options,
            gap=gap,
            complementarity=complementarity,
            audit=audit,
            parts=parts,
        )

    asked = _Asked(tuple(figures), tuple(arrays), audit)
    many = prod(map(len, values.values()))
    points = []
    for number, combination in enumerate(product(*values.values())):
        progress(number, many)
        changed = with_changes(case, dict(zip(values, combination, strict=True)))
        points.append(_point(changed, standing, solved_alone, asked))
    progress(many, many)
    return _dataset(case, values, points, asked)


@dataclass(frozen=True)
class _Asked:
    """What is wanted of every point."""

    figures: tuple[str, ...]
    arrays: tuple[str, ...]
    audit: bool

    @property
    def of_a_result(self) -> bool:
        """Whether a whole result is needed for it."""
        return self.audit or bool(self.figures or self.arrays)


@dataclass(frozen=True)
class _Point:
    """What was found at one point."""

    status: str
    way: str
    message: str = ""
    ledger: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, xr.DataArray] = field(default_factory=dict)


def _point(
    case: xr.DataTree,
    standing: ResolvableCase,
    solved_alone: Callable[[xr.DataTree], xr.DataTree],
    asked: _Asked,
) -> _Point:
    """Solve one point, in place or alone; what is wrong with it is told in it."""
    try:
        plan = standing.plan(case, prices=asked.of_a_result)
        if plan is None:
            return _read(solved_alone(case), ALONE, asked)
        way = BUILT_AGAIN if plan.rebuilt else IN_PLACE
        if asked.of_a_result:
            return _read(plan.result(case, audit=asked.audit), way, asked)
    except (SolverError, Interrupted):
        raise
    except SolveError as error:
        return _Point(error.status, ALONE, str(error))
    except V2GError as error:
        return _Point("invalid input", ALONE, str(error))
    solved, probability = plan.solved, plan.inputs.probability
    ledger = {n: mean_total(x, probability) for n, x in solved.ledger.items()}
    figures = {
        name: _energy(solved.solution.get(output), probability, plan.inputs.dt)
        for name, output in FLOWS.items()
    }
    return _Point(solved.optimum.status, way, "", ledger, figures)


def _energy(power: xr.DataArray | None, probability: xr.DataArray | None, hours: float) -> float:
    """Energy of a power over all members and steps (kWh)."""
    return 0.0 if power is None else hours * mean_total(power.clip(min=0.0), probability)


def _read(result: xr.DataTree, way: str, asked: _Asked) -> _Point:
    """What is wanted of a whole result."""
    probability = result.to_dataset().get("probability")
    entries = result["ledger"].to_dataset().data_vars
    ledger = {str(n): mean_total(x, probability) for n, x in entries.items()}
    figures = {
        name: _energy(_array(result, output), probability, step_hours(result))
        for name, output in FLOWS.items()
    }
    if asked.figures:
        every = key_figures(result)
        figures |= {name: every.get(name, np.nan) for name in asked.figures}
    found = {name: _array(result, name) for name in asked.arrays}
    arrays = {name: x for name, x in found.items() if x is not None}
    return _Point(str(result.attrs["status"]), way, "", ledger, figures, arrays)


def _array(result: xr.DataTree, name: str) -> xr.DataArray | None:
    """An array of a result by group and name, None where there is none."""
    group, _, own = name.partition(".")
    return result[group].to_dataset().get(own) if group in result.children else None


def _refuse(
    case: xr.DataTree,
    values: Mapping[str, Sequence[Any]],
    complementarity: str,
    arrays: Sequence[str],
) -> None:
    """List all that is wrong with what was asked for."""
    problems = refused_targets(case, values)
    if not values:
        detail = 'names no field: write {"fleet.wear": [0.02, 0.05]}'
        problems.append(Problem("fields", "sweep", detail))
    if complementarity not in ("lazy", "audit", "off"):
        detail = f"{complementarity!r} is none of lazy, audit, off; with milp solve each case alone"
        problems.append(Problem("complementarity", "choice", detail))
    problems += [
        Problem("arrays", "sweep", f"{name!r} is not GROUP.NAME, such as fleet.charge")
        for name in arrays
        if not all(name.partition("."))
    ]
    if problems:
        raise SchemaError(problems)


def _dataset(
    case: xr.DataTree,
    values: Mapping[str, list[Any]],
    points: Sequence[_Point],
    asked: _Asked,
) -> xr.Dataset:
    """All points on the dimensions of the sweep."""
    dims, shape = tuple(values), tuple(map(len, values.values()))
    money = {"units": str(case.attrs.get("currency", "EUR"))}

    def on_dims(per_point: Sequence[Any] | np.ndarray, dtype: Any, **attrs: str) -> tuple[Any, ...]:
        return dims, np.array(per_point, dtype=dtype).reshape(shape), attrs

    entries = list(dict.fromkeys(name for point in points for name in point.ledger))
    without_plan = np.array([bool(point.message) for point in points])
    sums = np.array([[point.ledger.get(n, 0.0) for n in entries] for point in points])
    sums[without_plan] = np.nan
    profit, objective = (
        np.where(without_plan, np.nan, sums[:, some].sum(1))
        for some in ([in_profit(entry) for entry in entries], [True] * len(entries))
    )
    figures = dict.fromkeys((*FLOWS, *asked.figures))
    return xr.Dataset(
        {
            "profit": on_dims(profit, float, **money),
            "objective": on_dims(objective, float, **money),
            "ledger": ((*dims, "entry"), sums.reshape(*shape, len(entries)), money),
            **{n: on_dims([p.figures.get(n, np.nan) for p in points], float) for n in figures},
            **{n: _stacked(dims, shape, [p.arrays.get(n) for p in points]) for n in asked.arrays},
            "status": on_dims([p.status for p in points], object),
            "message": on_dims([p.message for p in points], object),
            "way": on_dims([p.way for p in points], object),
        },
        coords={**values, "entry": entries},
        attrs={"title": str(case.attrs.get("title", "")), "currency": money["units"]},
    )


def _stacked(
    dims: tuple[str, ...], shape: tuple[int, ...], found: Sequence[xr.DataArray | None]
) -> xr.DataArray | float:
    """An array of every point, NaN where a point has none."""
    there = [x for x in found if x is not None]
    if not there:
        return np.nan
    first = there[0]
    blank = xr.full_like(first, np.nan, dtype=float)
    every = [blank if x is None else x.reindex_like(first).transpose(*first.dims) for x in found]
    numbers = np.stack([np.asarray(x.data, dtype=float) for x in every])
    along = tuple(map(str, first.dims))
    coords = {d: first.indexes[d] for d in along if d in first.indexes}
    return xr.DataArray(
        numbers.reshape(*shape, *first.shape), coords, (*dims, *along), attrs=first.attrs
    )
