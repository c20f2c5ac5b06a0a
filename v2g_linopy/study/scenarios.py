"""Scenarios of a case: drawn from a history, and reduced to the few that say the most
(docs/formulation.md §8)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import recorded
from ..case.schema import Field, suggest
from ..data.generators.bootstrap import bootstrap_series
from ..data.generators.resample_sessions import resample_sessions
from ..errors import Problem, SchemaError
from ..model.inputs import RESULT_GROUPS, inputs_of
from ..model.part import Part, Stage
from ..parts.catalogue import PARTS

SESSIONS = "sessions"


def scenarios(
    case: xr.DataTree,
    *,
    n: int | None = None,
    reduce_to: int | None = None,
    seed: int = 0,
    vary: Sequence[str] | None = None,
    history: xr.DataTree | None = None,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Return the case with scenarios: drawn anew, reduced to few, or both.

    Series (prices, load, sun) are drawn together as whole days of residuals on a profile by time of
    day and class of day, see `data.generators.bootstrap`; sessions as stays of the same kind of
    day, see `data.generators.resample_sessions`. Scenarios that are drawn are equally likely. The
    reduction keeps those of the scenarios that are nearest to all, and gives each the probability
    of those it stands for (`reduced`).

    Parameters
    ----------
    case : xarray.DataTree
        A case; it is not changed. With scenarios of its own it can only be reduced.
    n : int, optional
        How many scenarios to draw.
    reduce_to : int, optional
        How many to keep.
    seed : int, default 0
        The same seed draws the same.
    vary : sequence of str, optional
        What to draw: fields that vary over time, as ``energy.price``, and ``sessions``. All of
        the case that its parts declare uncertain (prices, loads, sun), and its sessions, unless
        given.
    history : xarray.DataTree, optional
        The case whose days are drawn, with the same members; the case itself unless given. Only
        what varies is read.
    parts : mapping of str to Part, default PARTS
        The catalogue, as for `solve`.

    Returns
    -------
    xarray.DataTree
        The case with the dimension `scenario` on what was drawn, in the units of the case, and with
        `probability` (1) on `scenario` at its root.

    Raises
    ------
    SchemaError
        The case does not fit the schema, or there is nothing to draw from, or nothing to reduce.

    References
    ----------
    Heitsch, Römisch (2003), "Scenario reduction algorithms in stochastic programming",
    Computational Optimization and Applications 24, algorithm 2.4; Dupačová, Gröwe-Kuska, Römisch
    (2003), Mathematical Programming 95, theorem 2. The mathematics is in docs/formulation.md §8.

    Examples
    --------
    Ten days of prices are drawn from eight days of commuters, and the three most telling are kept:

    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=8, regulation=None)
    >>> drawn = v2g.scenarios(case, n=10, reduce_to=3, vary=["energy.price"])
    >>> dict(drawn["energy"].price.sizes)
    {'scenario': 3, 'market': 1, 'time': 192}
    >>> round(float(drawn["probability"].sum()), 9)
    1.0
    """
    inputs_of(case, parts)  # every problem of the case is told first
    problems = _asked(case, n, reduce_to)
    if problems:
        raise SchemaError(problems, "the scenarios")
    if n is not None:
        case = _drawn(case, n, seed, vary, history or case, parts)
    return case if reduce_to is None else reduced(case, reduce_to)


def reduced(case: xr.DataTree, to: int) -> xr.DataTree:
    """Keep `to` scenarios, by fast forward selection.

    The others lend their probability to the nearest one kept. The distance of two scenarios is the
    Euclidean one over every number that differs between scenarios, each array scaled by its spread,
    so that units do not matter and long arrays weigh no more than short ones.
    """
    groups = {
        name: node.to_dataset(inherit=False)
        for name, node in case.children.items()
        if name not in RESULT_GROUPS
    }
    root = case.to_dataset()
    numbers = [
        x.transpose("scenario", ...).to_numpy().reshape(root.sizes["scenario"], -1).astype(float)
        for ds in groups.values()
        for x in ds.data_vars.values()
        if "scenario" in x.dims and x.dtype.kind in "fiub"
    ]
    scaled = [x / (x.std() or 1.0) / np.sqrt(x.shape[1]) for x in map(_finite, numbers)]
    features = np.hstack(scaled or [np.zeros((root.sizes["scenario"], 1))])
    chosen, probability = fast_forward(
        distances(features), root["probability"].to_numpy().astype(float), to
    )
    kept = {
        f"/{n}": ds.isel(scenario=chosen) if "scenario" in ds.dims else ds
        for n, ds in groups.items()
    }
    root = root.isel(scenario=chosen)
    root["probability"] = root["probability"].copy(data=probability)
    made = xr.DataTree.from_dict({"/": root, **kept})
    made.attrs["history"] = recorded(
        case, f"{to} of {len(features)} scenarios kept (fast forward selection)"
    )
    return made


def distances(features: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of every two rows."""
    squares = (features**2).sum(axis=1)
    found: np.ndarray = np.sqrt(
        np.clip(squares[:, None] + squares - 2 * features @ features.T, 0.0, None)
    )
    np.fill_diagonal(found, 0.0)
    return found


def fast_forward(
    distance: np.ndarray, probability: np.ndarray, to: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose `to` scenarios one after the other, each the best beside those chosen before.

    The best is the one that brings those not chosen nearest to the chosen::

        u_k = argmin over u not chosen of sum_j p_j min(c_ju, least distance of j to those chosen)

    Parameters
    ----------
    distance : numpy.ndarray
        Of every two scenarios, square.
    probability : numpy.ndarray
        Of each scenario, in sum 1.
    to : int
        How many to keep.

    Returns
    -------
    chosen, probability : numpy.ndarray
        Positions in ascending order, and the new probability of each.

    References
    ----------
    Heitsch, Römisch (2003), "Scenario reduction algorithms in stochastic programming",
    Computational Optimization and Applications 24, algorithm 2.4; Dupačová, Gröwe-Kuska, Römisch
    (2003), Mathematical Programming 95, theorem 2, for the probabilities: those of the nearest one.
    """
    nearest = np.full(len(distance), np.inf)
    chosen: list[int] = []
    for _ in range(to):
        cost = probability @ np.minimum(distance, nearest[:, None])
        cost[chosen] = np.inf
        chosen.append(int(cost.argmin()))
        nearest = np.minimum(nearest, distance[:, chosen[-1]])
    places = np.sort(chosen)
    owner = distance[:, places].argmin(axis=1)
    owner[places] = np.arange(to)
    return places, np.bincount(owner, probability, to)


def _asked(case: xr.DataTree, n: int | None, reduce_to: int | None) -> list[Problem]:
    """What is wrong with the numbers asked for."""
    have = case.to_dataset().sizes.get("scenario")
    if n is None and reduce_to is None:
        detail = "missing: say how many scenarios to draw, or how many to keep (reduce_to)"
        return [Problem("n", "missing", detail)]
    if n is not None and have is not None:
        detail = f"the case has {have} scenarios; only reduce_to is possible"
        return [Problem("n", "consistency", detail)]
    if n is not None and n < 1:
        return [Problem("n", "range", f"{n}: draw at least 1 scenario")]

    count = n or have
    if reduce_to is not None and count is None:
        return [Problem("reduce_to", "missing", "the case has no scenarios; draw some with n")]
    if reduce_to is not None and not 1 <= reduce_to <= (count or 0):
        detail = f"{reduce_to}: there are {count} scenarios; keep 1 to {count}"
        return [Problem("reduce_to", "range", detail)]
    return []


def _drawn(
    case: xr.DataTree,
    n: int,
    seed: int,
    vary: Sequence[str] | None,
    history: xr.DataTree,
    parts: Mapping[str, Part],
) -> xr.DataTree:
    """Draw every series and the sessions, and put them in the place of those of the case."""
    time, zone = pd.DatetimeIndex(case["time"].to_index()), str(case.attrs.get("timezone", "UTC"))
    series = _series(case, vary, parts)
    past = _pasts(history, series, case)
    groups = {
        f"/{name}": node.to_dataset(inherit=False)
        for name, node in case.children.items()
        if name not in RESULT_GROUPS
    }
    for name, drawn in (bootstrap_series(past, time, zone, n, seed) if past else {}).items():
        part, _, field = name.partition(".")
        declared = _field(parts, name)
        groups[f"/{part}"][field] = drawn.clip(declared.ge, declared.le, keep_attrs=True)
    for name in past:
        # such as the price of what is missing, which is never below that of what is too much
        part, _, field = name.partition(".")
        if floor := _field(parts, name).not_below:
            group = groups[f"/{part}"]
            group[field] = group[field].clip(group[floor], keep_attrs=True)

    words = list(series)
    if SESSIONS in (vary or ()) or (vary is None and _packed(case)):
        groups["/fleet"] = _fleet(case, time, zone, n, seed)
        del groups["/sessions"]
        words.append("sessions")

    label = np.array([f"s{k + 1:0{max(2, len(str(n)))}d}" for k in range(n)], dtype=object)
    root = case.to_dataset().assign_coords(scenario=label)
    root["probability"] = ("scenario", np.full(n, 1 / n))
    groups = {
        name: ds.assign_coords(scenario=label) if "scenario" in ds.dims else ds
        for name, ds in groups.items()
    }
    made = xr.DataTree.from_dict({"/": root, **groups})
    made.attrs["history"] = recorded(
        case, f"{n} scenarios of {', '.join(words)} drawn, seed {seed}"
    )
    return made


def _field(parts: Mapping[str, Part], name: str) -> Field:
    """What the schema says of an input, by its name with that of the part in front."""
    part, _, field = name.partition(".")
    return next(f for f in parts[part].schema.inputs if f.name == field)


def drawn_by_default(parts: Mapping[str, Part]) -> list[str]:
    """Fields that scenarios draw unless others are asked for: markets first, then by part."""
    ordered = sorted(parts.values(), key=lambda p: (p.stage is not Stage.MARKET, p.name))
    return [
        f"{part.name}.{field.name}"
        for part in ordered
        for field in part.schema.inputs
        if field.uncertain and field.drawn
    ]


def _series(case: xr.DataTree, vary: Sequence[str] | None, parts: Mapping[str, Part]) -> list[str]:
    """Fields to draw, those named or those that are there."""
    usual = drawn_by_default(parts)
    there = [
        f"{part}.{field.name}"
        for part, node in case.children.items()
        if part in parts
        for field in parts[part].schema.inputs
        if field.kind == "quantity"
        and field.name in node.data_vars
        and "time" in node[field.name].dims
    ]
    if vary is None:
        found = [name for name in usual if name in there]
    else:
        found = [name for name in vary if name != SESSIONS]
        problems = [
            Problem(
                f"vary {name}",
                "unknown",
                f"no field of the case that varies over time{suggest(name, there)}",
            )
            for name in found
            if name not in there
        ]
        if SESSIONS in vary and not _packed(case):
            detail = "the case has no /sessions whose batteries arrive and leave (keep 0)"
            problems.append(Problem("vary sessions", "missing", detail))
        if problems:
            raise SchemaError(problems, "the scenarios")
    if not found and not (vary is None and _packed(case)) and SESSIONS not in (vary or ()):
        detail = f"nothing varies over time; name fields in vary, such as {usual[0]}"
        raise SchemaError([Problem("vary", "missing", detail)], "the scenarios")
    return found


def _pasts(
    history: xr.DataTree, series: Sequence[str], case: xr.DataTree
) -> dict[str, xr.DataArray]:
    """Read the past of every series, on the labels and in the unit that it has in the case."""
    found: dict[str, xr.DataArray] = {}
    problems = []
    for name in series:
        past = _past(history, name, case)
        if isinstance(past, Problem):
            problems.append(past)
        else:
            found[name] = past
    if problems:
        raise SchemaError(problems, "the history")
    return found


def _past(history: xr.DataTree, name: str, case: xr.DataTree) -> xr.DataArray | Problem:
    """The past of a field, on the labels and in the unit that it has in the case."""
    part, _, field = name.partition(".")
    if part not in history.children or field not in history[part].data_vars:
        return Problem(name, "missing", "missing in the history; leave it out of vary")
    past, own = history[part].to_dataset()[field], case[part].to_dataset()[field]
    if set(past.dims) != set(own.dims):
        detail = f"has {list(past.dims)} in the history and {list(own.dims)} in the case"
        return Problem(name, "dims", detail)
    theirs, ours = past.attrs.get("units"), own.attrs.get("units")
    if theirs != ours:
        return Problem(name, "unit", f"is in {theirs}, in the case in {ours}")
    if not _same_steps(history, case):
        return Problem("time", "time", "the history has steps of another length than the case")
    return _on_labels_of(past, own, part, name)


def _on_labels_of(
    past: xr.DataArray, own: xr.DataArray, part: str, name: str
) -> xr.DataArray | Problem:
    """The past of the members that the case has, in their order and without gaps."""
    for dim in own.dims:
        if dim == "time":
            continue
        missing = [str(label) for label in own.indexes[dim] if label not in past.indexes[dim]]
        if missing:
            detail = f"{', '.join(missing[:5])} not in the history"
            return Problem(f"{part}.{dim}", "labels", detail)
        past = past.sel({dim: own.indexes[dim]})
    past = past.transpose(*own.dims)
    if not bool(np.isfinite(past).all()):
        return Problem(name, "nan", "the history has gaps; fill them")
    return past


def _same_steps(history: xr.DataTree, case: xr.DataTree) -> bool:
    """Return True where both have steps of one length; a case of a single step has none."""
    theirs, ours = (np.unique(np.diff(tree["time"].to_numpy())) for tree in (history, case))
    return not len(ours) or np.array_equal(theirs, ours)


_OF_A_CASE = ("session", "connector", "vehicles")
_TABLE = ("arrival", "departure", "capacity", "energy_arrival", "energy_need", "charge_max")


def _packed(case: xr.DataTree) -> bool:
    """Return True where the fleet can be made of the sessions again: each brings its battery, and
    takes it away.
    """
    if SESSIONS not in case.children or "fleet" not in case.children:
        return False
    fleet, sessions = case["fleet"].to_dataset(), case[SESSIONS].to_dataset()
    restarts = "keep" in fleet and "time" in fleet["keep"].dims and "energy_in" in fleet
    return bool(restarts) and all(name in sessions for name in _TABLE)


def _fleet(case: xr.DataTree, time: pd.DatetimeIndex, zone: str, n: int, seed: int) -> xr.Dataset:
    """The fleet of every scenario; what is not of a session is as in the case."""
    old = case.children["fleet"].to_dataset(inherit=False)
    fleet = resample_sessions(
        case.children[SESSIONS].to_dataset(inherit=False), time, zone, n, seed
    )
    if "need_billed" not in old:
        fleet = fleet.drop_vars("need_billed")
    problems = []
    for name, x in old.data_vars.items():
        if name in fleet or name in _OF_A_CASE:
            continue
        if "fleet" in x.dims:
            first = x.isel(fleet=0, drop=True)
            same = (x == first) | (x.isnull() & first.isnull())
            if not bool(same.all()):
                detail = (
                    "differs between members, which are made anew of the sessions drawn; give one"
                    " for all of them"
                )
                problems.append(Problem(f"fleet.{name}", "consistency", detail))
            x = first
        fleet[name] = x
    if problems:
        raise SchemaError(problems, "the scenarios")
    return fleet


def _finite(x: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x), x, 0.0)
