"""A mix handed back: what every site is asked for, the plan of its devices that gives it, and all
of them side by side (docs/formulation.md §11).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..case.io import stamped
from ..case.version import package_version
from ..errors import Problem, SchemaError, SolverError
from ..model.inputs import inputs_of
from ..model.part import Part, Stage
from ..model.reserve_rules import acceptance
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total, replay_with
from ..solve.decompose.two_levels import promised
from ..solve.result import hash_of, in_profit
from ..solve.solve import solve


def keep_promise(
    result: xr.DataTree, pod: str, site: xr.DataTree, *, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Return the plan of a site that gives what a portfolio has promised of it.

    Parameters
    ----------
    result : xarray.DataTree
        The result of solving what `aggregate` returned.
    pod : str
        Name of the site.
    site : xarray.DataTree
        Its case, as of `v2g.split`.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        A result of the site, audited, whose power traded and reserve held are those promised.

    Raises
    ------
    SchemaError
        The site is not one of the portfolio.
    Infeasible
        Decisions in whole numbers do not allow the promise. It is a `SolveError`.
    SolveError
        No plan was found.
    SolverError
        The solver failed, or its plan does not pass the audit.
    Interrupted
        Ctrl-C while the solver was at work.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=3, days=1, pods=2)
    >>> sites, told = v2g.split(case), v2g.message(case)
    >>> mixed = v2g.solve(v2g.aggregate([v2g.plan(s, told) for s in sites.values()], case))
    >>> kept = v2g.keep_promise(mixed, "depot-1", sites["depot-1"])
    >>> kept["audit"].attrs["passed"], "fleet" in kept.children
    (1, True)
    """
    traded, held = promised(result)
    if pod not in traded.indexes["pod"]:
        raise SchemaError([Problem("pod", "labels", f"{pod!r} is no site of the portfolio")])
    inputs = inputs_of(site, parts)
    position, fix = traded.sel(pod=pod, drop=True), dict[str, Any]()
    if held is not None:
        fix["reserve.volume"] = own = held.sel(pod=pod, drop=True)
        d = inputs.data["reserve"]
        if pod not in _supplied(result):
            net = acceptance(d) * (d.activation_up - d.activation_down)
            position = position - (net * own).sum("product")
    markets = inputs.data["energy"].indexes["market"]
    first = xr.DataArray(markets == markets[0], coords={"market": markets}, dims="market")
    fix["energy.position"] = position * xr.ones_like(first, dtype=float), first
    return solve(site, fix=fix, method="whole", parts=parts)


def _supplied(result: xr.DataTree) -> list[str]:
    """Return the pods with a supplier."""
    if "connection" not in result.children:
        return []
    price = result["connection"].to_dataset()["supply_price"]
    return [str(pod) for pod in price.indexes["pod"][np.asarray(price.notnull())]]


def disaggregate(
    result: xr.DataTree,
    sites: Mapping[str, xr.DataTree],
    *,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Hand a mix back to all sites, and put their plans side by side into one result.

    Parameters
    ----------
    result : xarray.DataTree
        The result of solving what `aggregate` returned.
    sites : mapping of str to xarray.DataTree
        The case of every site by its name, as of `v2g.split`, or its result of `keep_promise`.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        A result of the whole: every device at its site, bids and positions of the portfolio, and
        the ledger of both. Its replay has passed: that is the proof that the mix can be delivered.

    Raises
    ------
    SchemaError
        A site is missing.
    SolveError
        A site cannot give what is promised of it.
    SolverError
        The whole does not pass its audit.
    Interrupted
        Ctrl-C while the solver was at work.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=3, days=1, pods=2)
    >>> sites, told = v2g.split(case), v2g.message(case)
    >>> mixed = v2g.solve(v2g.aggregate([v2g.plan(s, told) for s in sites.values()], case))
    >>> whole = v2g.disaggregate(mixed, sites)
    >>> gain = whole.attrs["objective"] - mixed.attrs["objective"]
    >>> whole["audit"].attrs["passed"], abs(gain) < 1e-6
    (1, True)
    """
    pods = str(result.attrs["pods"]).split("\n")
    if missing := [pod for pod in pods if pod not in sites]:
        detail = f"there is no case of {', '.join(missing)}"
        raise SchemaError([Problem("sites", "missing", detail)])
    done = {
        pod: sites[pod]
        if "ledger" in sites[pod].children
        else keep_promise(result, pod, sites[pod], parts=parts)
        for pod in pods
    }
    whole = _side_by_side(result, done, parts)
    inputs = inputs_of(whole, parts)
    whole.attrs["case_hash"] = hash_of(inputs)
    found = replay_with(inputs, whole)
    if not found.attrs["passed"]:
        raise SolverError(f"the joined plan does not pass its audit ({found.attrs['worst']})")
    whole["audit"] = xr.DataTree(found)
    return whole


def _side_by_side(
    result: xr.DataTree, done: Mapping[str, xr.DataTree], parts: Mapping[str, Part]
) -> xr.DataTree:
    """Put the groups of the sites and of the portfolio together."""
    trading = {"energy", "reserve", "imbalance"}
    names = dict.fromkeys(n for site in done.values() for n in site.children if n in parts)
    groups = {n: x.to_dataset(inherit=False) for n, x in result.children.items() if n in parts}
    groups.pop("flexibility")
    for name in (n for n in names if n not in trading):
        own = [
            s.children[name].to_dataset(inherit=False) for s in done.values() if name in s.children
        ]
        member = parts[name].member
        held = [groups[name]] if name in groups and parts[name].stage is Stage.MARKET else []
        groups[name] = _members_together([*own, *held], member)
    if "reserve" in groups:
        shares = _together(done.values(), "reserve", "share_", parts)
        kept = groups["reserve"].drop_vars("share_flexibility", errors="ignore")
        groups["reserve"] = kept.drop_dims("plan", errors="ignore").assign(shares)
    ledger = _ledger(result, done, parts, trading)
    groups["ledger"] = ledger
    groups["price"] = result.children["price"].to_dataset(inherit=False)
    sums = {str(n): mean_total(x, None) for n, x in ledger.data_vars.items()}
    kept_attrs = ("Conventions", "schema_version", "currency", "timezone", "step_hours", "source")
    attrs = {n: x for n, x in result.attrs.items() if n in kept_attrs} | {
        "title": str(result.attrs.get("title", "")).removesuffix(": the portfolio"),
        "history": stamped(f"joined from {len(done)} sites by v2g-linopy {package_version()}"),
        "status": str(result.attrs["status"]),
        "method": "sites",
        "objective": sum(sums.values()),
        "profit": sum(x for n, x in sums.items() if in_profit(n)),
        "fixed": "",
    }
    root = xr.Dataset(coords={"time": result["time"]}, attrs=attrs)
    return xr.DataTree.from_dict({"/": root, **{f"/{n}": d for n, d in groups.items()}})


def _members_together(groups: list[xr.Dataset], member: str) -> xr.Dataset:
    """Return the members of several groups in one; an output that a group lacks is 0 there."""
    every = dict.fromkeys(str(n) for d in groups for n in d.data_vars)
    made: dict[str, xr.DataArray] = {}
    for name in every:
        there = [d[name] for d in groups if name in d]
        if member not in there[0].dims:
            made[name] = there[0]
            continue
        full = xr.concat(there, member, coords="minimal", compat="override", join="outer")
        members = np.concatenate([np.asarray(d.indexes[member]) for d in groups])
        made[name] = full.reindex({member: members}, fill_value=_nothing(there[0]))
        made[name].attrs = there[0].attrs
    return xr.Dataset(made)


def _nothing(x: xr.DataArray) -> object:
    return 0.0 if x.dtype.kind == "f" else ""


def _together(
    sites: Iterable[xr.DataTree], group: str, prefix: str, parts: Mapping[str, Part]
) -> dict[str, xr.DataArray]:
    """Return arrays that a group has by asset, of the members of all sites."""
    found: dict[str, list[xr.DataArray]] = {}
    for site in sites:
        for name, x in site.children[group].to_dataset(inherit=False).data_vars.items():
            if str(name).startswith(prefix):
                found.setdefault(str(name), []).append(x)
    made = {}
    for name, arrays in found.items():
        member = parts[name.removeprefix(prefix)].member
        made[name] = xr.concat(arrays, member, coords="minimal", compat="override")
        made[name].attrs = arrays[0].attrs
    return made


def _ledger(
    result: xr.DataTree,
    done: Mapping[str, xr.DataTree],
    parts: Mapping[str, Part],
    trading: set[str],
) -> xr.Dataset:
    """Return the entries of the sites but what they trade, and those of the portfolio."""
    found: dict[str, list[xr.DataArray]] = {}
    for site in done.values():
        for name, x in site.children["ledger"].to_dataset(inherit=False).data_vars.items():
            if str(name).partition(".")[0] not in trading:
                found.setdefault(str(name), []).append(x)
    entries = {
        str(n): x
        for n, x in result.children["ledger"].to_dataset(inherit=False).data_vars.items()
        if not str(n).startswith("flexibility.")
    }
    for name, arrays in found.items():
        member = parts[name.partition(".")[0]].member
        some = [*arrays, *([entries[name]] if name in entries else [])]
        entries[name] = xr.concat(some, member, coords="minimal", compat="override", join="outer")
        entries[name].attrs = arrays[0].attrs
    return xr.Dataset(entries).fillna(0.0)  # an entry that a site does not have
