"""A whole case solved in two levels: sites answer prices with plans, the portfolio mixes them, and
the mix is handed back to every device and replayed (docs/formulation.md §11).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...errors import Infeasible, SolveError
from ...model.inputs import Inputs, inputs_of
from ...model.part import Part, Stage
from ..result import hash_of
from ..solver import Settings
from . import column_generation
from .column_generation import GAP, NOTHING_MISSING, Found
from .kept_rounds import KeptRounds, answering
from .message import PER_MWH, Message, products_of
from .plans import with_plans
from .pool import LocalSites, SharedSites, opened
from .portfolio_model import PortfolioModel
from .site_cases import Division

logger = logging.getLogger(__name__)
Solve = Callable[..., xr.DataTree]
"""`v2g.solve`, and what it does with a case whose inputs are known, the settings and what is held
fixed; handed in, because they stand one layer above.
"""
GAP_LIMIT = "gap_limit"
"""Status of a plan that is proved to within a gap, and not to be the best."""
_SHOWN = 5


def solve_in_two_levels(
    case: xr.DataTree,
    inputs: Inputs,
    settings: Settings,
    solve: Solve,
    solve_whole: Solve,
    *,
    processes: int = 1,
    checkpoint: Path | None = None,
) -> xr.DataTree:
    """Solve a case of several sites in two levels.

    Parameters
    ----------
    case : xarray.DataTree
        A case that `split` divides.
    inputs : Inputs
        Of it.
    settings : Settings
        `gap` is that between the bound and the value (1e-6).
    solve : callable
        `v2g.solve`, for the mix.
    solve_whole : callable
        What it does with a case, its inputs, settings and what is held fixed, for the whole plan.
    processes : int, default 1
        Processes that the sites are shared out to.
    checkpoint : Path, optional
        Folder in which every round is kept, and from which they are taken up.

    Returns
    -------
    xarray.DataTree
        A result of the whole case, and `/decomposition`: value, bound and missing power by round,
        what was told, and the plans of which the mix is made.

    Raises
    ------
    SchemaError
        The case cannot be divided.
    Infeasible
        A site has no plan by itself, or power is missing whatever the plans.
    SolveError
        A limit was reached before any mix gave all the power.
    """
    parts = inputs.parts
    division = Division.of_inputs(case, inputs)
    tree = division.portfolio()
    left = inputs_of(tree, parts)
    gap = column_generation.GAP if settings.gap is None else settings.gap
    settings = replace(settings, gap=min(gap, column_generation.GAP))
    with opened(division, settings, parts, processes) as sites:
        most = sites.most_held
        portfolio = PortfolioModel(tree, left, division.pods, parts, settings, most)
        first = Message.first(left)
        kept = None if checkpoint is None else KeptRounds(checkpoint, hash_of(inputs))
        answer = answering(sites.plans, kept)
        found = column_generation.generate_plans(portfolio, answer, first, settings, gap=gap)
        if sites.whole:
            found = _in_whole_numbers(found, portfolio, sites, settings, gap)
    mix = _mixed(solve, tree, left, portfolio, found, parts)
    result = _handed_back(solve_whole, division, mix, settings)
    return _told(result, mix, found, division, left, gap, processes)


def _in_whole_numbers(
    found: Found,
    portfolio: PortfolioModel,
    sites: LocalSites | SharedSites,
    settings: Settings,
    gap: float,
) -> Found:
    """Hold the decisions of the plan with the largest weight of each site, and price again.

    What is left of these sites is a linear programme, of which mixes are plans again; the bound is
    that of before.
    """
    assert found.mixed is not None
    weights, plans = found.mixed.weights, portfolio.plans
    heaviest = {
        pod: max((k for k, plan in enumerate(plans) if plan.pod == pod), key=lambda k: weights[k])
        for pod in sites.whole
    }
    found_levels = {pod: plans[k].levels for pod, k in heaviest.items()}
    levels = {pod: x for pod, x in found_levels.items() if x is not None}
    sites.fix(levels)
    portfolio.forbid([p.pod in levels and not _same(p.levels, levels[p.pod]) for p in plans])
    found.mixed = portfolio.solve()
    return column_generation.generate_plans(
        portfolio, answering(sites.plans, None), found.mixed.message, settings, gap=gap, found=found
    )


def _same(one: np.ndarray | None, other: np.ndarray) -> bool:
    return one is not None and np.array_equal(one, other)


def _mixed(
    solve: Solve,
    tree: xr.DataTree,
    inputs: Inputs,
    portfolio: PortfolioModel,
    found: Found,
    parts: Mapping[str, Part],
) -> xr.DataTree:
    """Return the result of level two, of the plans that have a weight."""
    assert found.mixed is not None
    plans, weights = portfolio.plans, found.mixed.weights
    whole = found.mixed.missing > NOTHING_MISSING and any(plan.whole for plan in plans)
    some = plans if whole else [p for p, w in zip(plans, weights, strict=True) if w > 0]
    of_plans = with_plans(tree, inputs, some, whole=whole)
    of_plans["flexibility"]["missing_cost"] *= portfolio.dearer
    mix = solve(of_plans, parts=parts, complementarity="off", audit=False)
    mix["flexibility"]["round"] = xr.Variable("plan", [plan.round for plan in some])
    slack = mix["flexibility"].to_dataset()
    missing = slack["missing"] + slack["excess"]
    if float(missing.max()) > NOTHING_MISSING:
        raise _lacking(mix, missing, found)
    return mix


def _lacking(mix: xr.DataTree, missing: xr.DataArray, found: Found) -> SolveError:
    """Say which steps lack power, and how much."""
    status = found.status if found.status != "optimal" or found.gap <= GAP else GAP_LIMIT
    if status != "optimal":  # whole numbers may hide a mix that would do
        words = f"{len(found.rounds)} rounds found no mix of plans that gives all the power"
        return SolveError(f"{words}: {status.replace('_', ' ')}", status=status)
    by_pod = missing.groupby(mix["flexibility"]["pod"].astype(str)).sum()
    lines = []
    for pod in by_pod.indexes["pod"]:
        row = by_pod.sel(pod=pod)
        steps = row[row > NOTHING_MISSING]
        lines += [
            f"  {pod} at {t:%Y-%m-%d %H:%M} UTC: {float(row.sel(time=t)):.6g} kW"
            for t in steps.indexes["time"]
        ]
    more = [f"  ... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    words = "no mix of plans gives or takes what the markets allow; power is missing or too much:"
    return Infeasible("\n".join([words, *lines[:_SHOWN], *more]))


def promised(mix: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Return what every site is asked for: power (kW on pod and time), and reserve that it holds.

    What is sold of a product is shared out over the sites as their plans hold it.
    """
    plans = mix["flexibility"].to_dataset()
    names = plans["pod"].to_numpy().astype(str)
    pods = np.unique(names)
    here = xr.DataArray(names[:, None] == pods, dims=("plan", "pod"), coords={"pod": pods})
    weight = plans["weight"] * here
    traded = xr.dot(weight, plans["traded"], dim="plan")
    if "reserve" not in mix.children or "held" not in plans:
        return traded, None
    held = xr.dot(weight, plans["held"], dim="plan")
    volume, every = mix["reserve"]["volume"], held.sum("pod")
    share = (volume / every.where(every > 0)).fillna(0.0).clip(max=1.0)
    return traded, held * share


def _handed_back(
    solve_whole: Solve, division: Division, mix: xr.DataTree, settings: Settings
) -> xr.DataTree:
    """Return the plan of every device that gives what the portfolio has promised."""
    traded, _ = promised(mix)
    exchanging = _exchanging(division)
    exchanged = [pod in exchanging for pod in division.pods]
    where = xr.DataArray(exchanged, coords={"pod": division.pods}, dims="pod")
    fix: dict[str, Any] = {"node.exchange": (traded.sel(pod=division.pods), where)}
    if "reserve" in mix.children:
        fix["reserve.volume"] = mix["reserve"]["volume"]
    alone = Settings(gap=settings.gap)
    try:
        return solve_whole(division.case, division.inputs, alone.start(), fix)
    except Infeasible as error:
        # plans that charge and discharge at once, or hold less than they said: see the formulation
        logger.info("the sites share out the power anew: %s", error)
        del fix["node.exchange"]
        fix["energy.position"] = mix["energy"]["position"]
        return solve_whole(division.case, division.inputs, alone.start(), fix)


def _exchanging(division: Division) -> list[str]:
    """Return the pods of which all that is exchanged reaches the markets, and nothing else does.

    A pod with a supplier trades nothing of its exchange; contracts of its plants may deliver beside
    it.
    """
    inputs = division.inputs
    others = {
        pod
        for name, of_member in division.homes.items()
        if inputs.parts[name].stage is Stage.MARKET
        for pod in of_member.values()
    }
    return [pod for pod in division.pods if pod not in {*others, *division.supplied}]


def _told(
    result: xr.DataTree,
    mix: xr.DataTree,
    found: Found,
    division: Division,
    inputs: Inputs,
    gap: float,
    processes: int,
) -> xr.DataTree:
    """Say how the plan was found: attributes, prices of level two, and `/decomposition`."""
    objective = float(result.attrs["objective"])
    certified = (found.bound - objective) / max(1.0, abs(objective))
    status = str(result.attrs["status"])
    if certified > gap:
        status = found.status if found.status != "optimal" else GAP_LIMIT
    result.attrs |= {
        "method": "sites",
        "status": status,
        "fixed": "",
        "bound": found.bound,
        "certified_gap": certified,
        "mip_gap": max(certified, 0.0),
        "rounds": len(found.rounds),
        "sites": len(division.pods),
        "pool_processes": processes,
    }
    result["price"] = xr.DataTree(mix.children["price"].to_dataset(inherit=False))
    for name in ("dual", "reduced_cost"):
        if name in result.children:
            del result[name]
    history = _history(found, inputs, mix, division.supplied)
    result["decomposition"] = xr.DataTree(history)
    return result


def _history(found: Found, inputs: Inputs, mix: xr.DataTree, supplied: Sequence[str]) -> xr.Dataset:
    """Return what was told and found in every round, and what every site is asked for."""
    money, rounds = inputs.calendar.currency, found.rounds
    traded, held = promised(mix)

    def by_round(values: list[float], unit: str, words: str) -> tuple[str, list[float], dict]:
        return "round", values, {"units": unit, "long_name": words}

    told = {
        "power": (
            ("round", "time"),
            PER_MWH * np.array([r.message.power for r in rounds]),
            {"units": f"{money}/MWh", "long_name": "price of power that sites were told"},
        ),
        "value": by_round([r.value for r in rounds], money, "worth of the best mix so far"),
        "bound": by_round([r.bound for r in rounds], money, "no plan is worth more"),
        "missing_power": by_round(
            [r.missing for r in rounds], "kW", "most power that the mix lacks or has too much"
        ),
        "seconds": by_round([r.seconds for r in rounds], "s", "time that it took"),
    }
    coords: dict[str, Any] = {
        "round": np.arange(len(rounds)),
        "time": inputs.calendar.time,
    }
    if products := products_of(inputs):
        told["held"] = (
            ("round", "product", "time"),
            PER_MWH * np.array([r.message.held for r in rounds]),
            {"units": f"{money}/MW/h", "long_name": "price of reserve that sites were told"},
        )
        coords["product"] = products
    history = xr.Dataset(told, coords=coords)
    used = mix.children["flexibility"].to_dataset(inherit=False)
    history = history.assign(
        weight=used["weight"],
        plan_pod=used["pod"].astype(object),
        plan_round=used["round"].assign_attrs(long_name="round in which the plan came"),
        own_cash=used["own_cash"],
        promise=traded.assign_attrs(units="kW", long_name="power asked of the site"),
    )
    paid = {
        "units": money,
        "long_name": "what power and reserve asked are worth at the last prices",
    }
    history["paid"] = _paid(rounds[-1].message, traded, held, supplied, inputs.dt, paid)
    if held is not None:
        words = {"units": "kW", "long_name": "reserve asked of the site"}
        history["promise_held"] = held.assign_attrs(words)
    return history


def _paid(
    told: Message,
    traded: xr.DataArray,
    held: xr.DataArray | None,
    supplied: Sequence[str],
    dt: float,
    attrs: Mapping[str, str],
) -> xr.DataArray:
    """Return what each site is paid at the prices of a message (EUR on pod)."""
    time = xr.DataArray(told.power, coords={"time": traded.indexes["time"]})
    amount = dt * (time * traded).sum("time")
    if held is not None:
        of_pod = [told.held_supplied if p in supplied else told.held for p in held.indexes["pod"]]
        names = ("pod", "product", "time")
        price = xr.DataArray(np.array(of_pod), {n: held.indexes[n] for n in names}, names)
        amount = amount + dt * (price * held).sum(["product", "time"])
    return amount.assign_attrs(attrs)
