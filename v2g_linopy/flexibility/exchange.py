"""Messages, plans and promises as trees that files hold: what passes between a portfolio and its
sites, and nothing else (docs/sites.md).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from ..case.schema import suggest
from ..errors import Problem, SchemaError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.decompose.message import (
    PER_MWH,
    Message,
    different,
    message_of,
    message_tree,
    products_of,
    root_of_exchange,
)
from ..solve.decompose.plans import Plan, plans_group, with_plans
from ..solve.decompose.portfolio_model import PortfolioModel
from ..solve.decompose.site_cases import Division
from ..solve.decompose.sites import Sites
from ..solve.result import hash_of
from ..solve.solver import Settings


def portfolio_case(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Return what stays with a portfolio when a case is split: markets, bids, and names of sites.

    Parameters
    ----------
    case : xarray.DataTree
        A case; it is not changed. One that comes from here is returned as it is.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        A case whose sites are not in it; `aggregate` puts their plans there.

    Raises
    ------
    SchemaError
        The case cannot be divided, as of `v2g.split`.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> left = v2g.portfolio_case(v2g.portfolio(vehicles=3, days=1, pods=2))
    >>> sorted(left.children), left.attrs["pods"].split()
    (['energy', 'reserve'], ['depot-1', 'office-1'])
    """
    return case if "pods" in case.attrs else Division.of(case, parts).portfolio()


def message(tree: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Return what a portfolio tells its sites: a price of power and of each reserve held.

    Parameters
    ----------
    tree : xarray.DataTree
        A case, for the first message: the prices of its markets. Or the result of solving what
        `aggregate` returned, for the next one: what a kW more is worth there.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        `/price` with `power` (EUR/MWh on time), `held` and, for pods with a supplier,
        `held_supplied` (EUR/MW/h on product and time); the attributes `round` and `case_hash`.

    Raises
    ------
    SchemaError
        The case does not fit, or a result has no prices.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=3, days=1, pods=2)
    >>> told = v2g.message(case)
    >>> away = told["price"]["power"] - case["energy"]["price"].isel(market=0)
    >>> bool(abs(away).max() < 1e-9)
    True
    """
    if "ledger" not in tree.children:
        inputs = inputs_of(portfolio_case(tree, parts=parts), parts)
        return message_tree(Message.first(inputs), inputs)
    inputs = inputs_of(tree, parts)
    if "dual" not in tree.children or "market" not in tree["price"].to_dataset():
        detail = "missing: solve what `aggregate` returned, which has shadow prices"
        raise SchemaError([Problem("price.market", "missing", detail)])
    power = np.asarray(tree["price"].to_dataset()["market"]) / PER_MWH
    sold = np.zeros((len(products_of(inputs)), len(power)))
    if len(sold):
        dual = tree["dual"].to_dataset()["reserve.allocation"].transpose("product", "time")
        sold = np.asarray(dual.fillna(0.0)) / inputs.dt
    number = 1 + int(tree.attrs.get("round", 0))
    return message_tree(Message.of_duals(power, sold, inputs, number), inputs)


def plan(site: xr.DataTree, told: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Return the best plan of a site at the prices of a message.

    Parameters
    ----------
    site : xarray.DataTree
        The case of one site, as of `v2g.split`; it is not changed.
    told : xarray.DataTree
        A message.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        `/flexibility` with one plan: power traded and reserve held (kW), own cash (EUR). Attributes
        `round`, `value` (EUR, no plan earns more at these prices), `pod` and `case_hash` of the
        site. Nothing else of the site is in it.

    Raises
    ------
    SchemaError
        The message is not one for this site, or the case has more than one site.
    Infeasible
        The site has no plan by itself.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=3, days=1, pods=5)
    >>> answer = v2g.plan(v2g.split(case)["shop-1"], v2g.message(case))
    >>> answer["flexibility"]["traded"].sizes["time"], answer.attrs["pod"]
    (24, 'shop-1')
    """
    division = Division.of(site, parts)
    if len(division.pods) != 1:
        detail = f"has the pods {', '.join(division.pods)}; a plan is of one: split the case first"
        raise SchemaError([Problem("pod", "sites", detail)])
    inputs = division.inputs
    prices = message_of(told, inputs)
    settings = Settings().start()
    (found,) = Sites(inputs, division.pods, division.homes, settings).plans(prices)
    group = plans_group(inputs, [found], whole=True).drop_vars("missing_cost")
    root = root_of_exchange(inputs).assign_attrs(
        round=found.round, pod=found.pod, value=found.value, case_hash=hash_of(inputs)
    )
    return xr.DataTree.from_dict({"/": root, "/flexibility": group})


def aggregate(
    plans: Iterable[xr.DataTree], case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Return the case of a portfolio that mixes plans of its sites.

    `v2g.solve` finds the best mix, `v2g.message` what sites are told next, and `disaggregate` hands
    the mix back.

    Parameters
    ----------
    plans : iterable of xarray.DataTree
        Of every site at least one, of all rounds so far; equal ones count once.
    case : xarray.DataTree
        The whole case, or what `portfolio_case` has left of it; it is not changed.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The case with `/flexibility`, and the attribute `round` of the latest plan.

    Raises
    ------
    SchemaError
        Plans that do not fit the case or each other; every problem is listed.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=3, days=1, pods=2)
    >>> told = v2g.message(case)
    >>> plans = [v2g.plan(site, told) for site in v2g.split(case).values()]
    >>> mixed = v2g.solve(v2g.aggregate(plans, case))
    >>> abs(mixed.attrs["objective"] - v2g.solve(case).attrs["objective"]) < 1e-6
    True
    """
    tree = portfolio_case(case, parts=parts)
    inputs = inputs_of(tree, parts)
    pods = str(tree.attrs["pods"]).split("\n")
    trees = list(plans)
    read, problems = _read_plans(trees, inputs, pods)
    problems += _changed(trees)
    problems += [
        Problem("plans", "missing", f"there is no plan of {pod}")
        for pod in pods
        if pod not in {str(t.attrs.get("pod")) for t in trees}
    ]
    if problems:
        raise SchemaError(problems, source="the plans")
    some: list[Plan] = []
    for one in read:
        if not any(one.equals(known) for known in some):
            some.append(one)
    mixed = with_plans(tree, inputs, some, whole=True)
    mixed.attrs["round"] = max(p.round for p in read)
    return mixed


def bound(plans: Iterable[xr.DataTree], told: xr.DataTree, case: xr.DataTree) -> float:
    """Return a bound on what any portfolio of these sites is worth, from the answers to a message.

    Parameters
    ----------
    plans : iterable of xarray.DataTree
        The answers of all sites to the message.
    told : xarray.DataTree
        The message.
    case : xarray.DataTree
        The whole case, or what `portfolio_case` has left of it.

    Returns
    -------
    float
        EUR; infinite where a site has not answered.

    Raises
    ------
    SchemaError
        The message is not one of this portfolio.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=3, days=1, pods=2)
    >>> told = v2g.message(case)
    >>> plans = [v2g.plan(site, told) for site in v2g.split(case).values()]
    >>> v2g.bound(plans, told, case) >= v2g.solve(case).attrs["objective"] - 1e-9
    True
    """
    tree = portfolio_case(case)
    inputs = inputs_of(tree, PARTS)
    pods = str(tree.attrs["pods"]).split("\n")
    prices = message_of(told, inputs)
    values = {
        str(t.attrs["pod"]): float(t.attrs["value"])
        for t in plans
        if int(t.attrs["round"]) == prices.round
    }
    if not {*pods} <= {*values}:
        return float("inf")
    worth = PortfolioModel(tree, inputs, pods, PARTS, Settings().start()).worth(prices)
    return worth + sum(values[pod] for pod in pods)


def _read_plans(
    trees: list[xr.DataTree], inputs: Inputs, pods: list[str]
) -> tuple[list[Plan], list[Problem]]:
    """Return the plans of some trees, and what is wrong with them."""
    found, problems = [], list[Problem]()
    for number, tree in enumerate(trees, 1):
        pod = str(tree.attrs.get("pod", ""))
        name = f"plan {number}" + (f" ({pod} {tree.attrs.get('round', '')})" if pod else "")
        wrong = _plan_problems(tree, inputs, pods)
        problems += [Problem(f"{name}: {p.where}", p.rule, p.detail) for p in wrong]
        if not wrong:
            found.append(_plan_of(tree, inputs))
    return found, problems


def _plan_problems(tree: xr.DataTree, inputs: Inputs, pods: list[str]) -> list[Problem]:
    """Return what is wrong with a plan."""
    if "flexibility" not in tree.children:
        return [Problem("/flexibility", "missing", "is no plan: it has no such group")]
    group, pod = tree["flexibility"].to_dataset(), str(tree.attrs.get("pod", ""))
    problems = different(tree, inputs, "the plan")
    if pod not in pods:
        detail = f"{pod!r} is no site of the portfolio{suggest(pod, pods)}"
        problems.append(Problem("pod", "labels", detail))
    own, held = products_of(inputs), [str(p) for p in group.indexes.get("product", [])]
    if sorted(own) != sorted(held):
        detail = f"holds {', '.join(held) or 'none'}; sold are {', '.join(own) or 'none'}"
        problems.append(Problem("product", "labels", detail))
    for name in ("traded", "own_cash", *(["held"] if own else [])):
        if name not in group:
            problems.append(Problem(name, "missing", "missing: give it"))
        elif not bool(np.isfinite(group[name]).all()):
            problems.append(Problem(name, "nan", "is not finite everywhere"))
        elif name == "held" and bool((group[name] < 0).any()):
            problems.append(Problem(name, "range", "is below 0: less than nothing is not held"))
    return problems


def _plan_of(tree: xr.DataTree, inputs: Inputs) -> Plan:
    group = tree["flexibility"].to_dataset().isel(plan=0)
    own = products_of(inputs)
    held = np.zeros((0, len(inputs.calendar.time)))
    if own:
        held = group["held"].sel(product=own).transpose("product", "time").to_numpy()
    attrs = tree.attrs
    return Plan(
        str(attrs["pod"]),
        group["traded"].to_numpy(),
        held,
        float(group["own_cash"]),
        float(attrs.get("value", np.nan)),
        int(attrs.get("round", 0)),
        bool(group["whole"] > 0) if "whole" in group else False,
    )


def _changed(trees: list[xr.DataTree]) -> list[Problem]:
    """Return sites whose case is not what it was in an earlier round."""
    hashes: dict[str, set[str]] = {}
    for tree in trees:
        hashes.setdefault(str(tree.attrs.get("pod")), set()).add(str(tree.attrs.get("case_hash")))
    return [
        Problem(
            "case_hash",
            "consistency",
            f"{pod} has changed between rounds: its earlier plans may no longer be possible; plan"
            " all rounds anew",
        )
        for pod, some in hashes.items()
        if len(some) > 1
    ]
