"""States that reserves are called in within a step, from what is known of their activation
(docs/formulation.md §3).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product as every_pair

import numpy as np
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.accepted_offers import offers_by_product
from ..model.inputs import inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..parts.markets.reserve.priced_calls import MOST_STATES

_NEAR = 1e-9
TOLD_BY_STATES = "call", "call_share", "recovery_flow"


@dataclass(frozen=True)
class State:
    """A state of a signal that calls products."""

    name: str  # empty where nothing is called
    call: xr.DataArray  # on (product), kW per kW sold, upward above 0
    share: xr.DataArray  # of the step, on nothing or (time)


def with_on_off_calls(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Tell the calls of every reserve product by states: called in full, or not at all.

    A product that is activated upward in a share of 0.2 of its kW is called in full in a fifth of
    each step. Different products are called independently of each other::

        share of a state = product over r of (alpha_up,r / up_r, alpha_dn,r / down_r, or the rest)

    The losses and the wear of a plan are then those of each state, where a mean alone would let
    calls upward and downward cancel.

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/reserve` and its `activation_up` and `activation_down`.
    parts : mapping of str to Part, default PARTS
        Catalogue of parts.

    Returns
    -------
    xarray.DataTree
        The case with `call` (kW per kW sold, on product and `call_state`) and `call_share` (on
        `call_state` and, where activation varies, time) in place of them. A case in which nothing
        is activated comes back as it is.

    Raises
    ------
    SchemaError
        There is no reserve; activation depends on a scenario; more than 64 states.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> reserve = v2g.with_on_off_calls(case)["reserve"]
    >>> reserve.call_state.values.tolist()
    ['none', 'down down', 'up up', 'up up, down down']
    >>> reserve.call_share.values.tolist()
    [0.1875, 0.5625, 0.0625, 0.1875]
    """
    if "reserve" not in case.children:
        raise SchemaError([Problem("reserve", "missing", "missing: there is nothing to call")])
    d = inputs_of(case, parts).data["reserve"]
    signals = on_off_signals(d, map(str, d.indexes["product"]))
    source = "called in full or not at all, products independently of each other"
    return with_signals(case, d, signals, source) if signals else case


def on_off_signals(d: xr.Dataset, products: Iterable[str]) -> list[list[State]]:
    """Return for each product that is activated how it is called: in full one way, or not.

    Raises
    ------
    SchemaError
        Activation depends on a scenario.
    """
    if "scenario" in (*d.activation_up.dims, *d.activation_down.dims):
        detail = "depends on the scenario, which states of calls cannot; give one for all"
        raise SchemaError([Problem("reserve.activation_up", "dims", detail)])
    wanted, labels = {*products}, d.indexes["product"].astype(str)
    signals = []
    for name, places in offers_by_product(d).items():
        mine = [place for place in places if labels[place] in wanted]
        if mine:
            signals.append(_states_of(name, d.isel(product=mine)))
    return [states for states in signals if len(states) > 1]


def with_signals(
    case: xr.DataTree, d: xr.Dataset, signals: Sequence[Sequence[State]], source: str
) -> xr.DataTree:
    """Return a case whose calls are told by the states of independent signals, each with each.

    Raises
    ------
    SchemaError
        More than 64 states.
    """
    count = int(np.prod([len(states) for states in signals]))
    if count > MOST_STATES:
        detail = f"{count} states of independent calls, at most {MOST_STATES}; give `call` itself"
        raise SchemaError([Problem("reserve.call_state", "range", detail)])
    names, calls, shares = list[str](), list[xr.DataArray](), list[xr.DataArray]()
    silent = xr.zeros_like(d.up)
    for states in every_pair(*signals):
        names.append(", ".join(one.name for one in states if one.name) or "none")
        calls.append(sum((one.call.reindex_like(silent, fill_value=0.0) for one in states), silent))
        share = xr.DataArray(1.0)
        for one in states:
            share = share * one.share
        shares.append(share)

    labels = {"call_state": names}
    known = [f"activation_{way}" for way in ("up", "down")]
    group = case.children["reserve"].to_dataset(inherit=False)
    group = group.drop_vars([*known, *TOLD_BY_STATES], errors="ignore").assign_coords(labels)
    call = xr.concat(calls, "call_state").transpose("product", "call_state")
    group["call"] = as_declared("call", call.assign_coords(labels)).assign_attrs(source=source)
    share = xr.concat(shares, "call_state").assign_coords(labels)
    group["call_share"] = as_declared("call_share", share)
    return case.assign(reserve=xr.DataTree(group))


def as_declared(name: str, x: xr.DataArray) -> xr.DataArray:
    """Return an array with the unit and the meaning that `/reserve` declares under a name."""
    field = next(f for f in PARTS["reserve"].schema.inputs if f.name == name)
    return x.drop_attrs().assign_attrs(units=field.unit, long_name=field.doc)


def with_netted_calls(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Tell the calls of every reserve product by their mean in each step alone.

    Calls upward and downward that cancel within a step then cost neither losses nor wear. It shows,
    beside the case itself, what calls take.

    Parameters
    ----------
    case : xarray.DataTree
        A case; one without states of calls comes back as it is.
    parts : mapping of str to Part, default PARTS
        Catalogue of parts.

    Returns
    -------
    xarray.DataTree
        The case with `activation_up` and `activation_down` in place of `call` and `call_share`.

    Raises
    ------
    SchemaError
        Listing every problem of the case.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> told = v2g.with_on_off_calls(v2g.commuters(vehicles=1, days=1))
    >>> v2g.with_netted_calls(told)["reserve"].activation_down.values.tolist()
    [0.0, 0.75]
    """
    if "reserve" not in case.children or "call" not in case["reserve"]:
        return case
    d = inputs_of(case, parts).data["reserve"]
    group = case["reserve"].to_dataset().drop_dims("call_state")
    group = group.drop_vars(TOLD_BY_STATES, errors="ignore")
    for name in ("activation_up", "activation_down"):
        group[name] = d[name].assign_attrs(units="1")
    return case.assign(reserve=xr.DataTree(group))


def _states_of(name: str, d: xr.Dataset) -> list[State]:
    """Return how a product may be called: not at all, in full downward, in full upward.

    Of several offers of it, those that are called less are called only together with all others.
    """
    none = xr.zeros_like(d.up)
    rest, found = xr.DataArray(1.0), list[State]()
    for way, sign in (("down", -1.0), ("up", 1.0)):
        full = d[way] + none
        rate = (d[f"activation_{way}"] / full.where(full > 0, 1.0)).where(full > 0, 0.0) + none
        mean = rate.mean([n for n in rate.dims if n != "product"]).to_numpy()
        order = np.argsort(-mean, kind="stable")
        for count, place in enumerate(order, start=1):
            less = rate.isel(product=order[count], drop=True) if count < len(order) else 0.0
            share = rate.isel(product=place, drop=True) - less
            if bool((share < -_NEAR).any()):
                detail = f"of two offers of {name} each is called more often in some step"
                raise SchemaError([Problem(f"reserve.activation_{way}", "consistency", detail)])
            if bool((share > _NEAR).any()):
                called = none.copy(data=np.isin(np.arange(len(order)), order[:count]).astype(float))
                some = "" if count == len(order) else f", {count} of {len(order)} offers"
                found.append(State(f"{name} {way}{some}", sign * full * called, share))
        rest = rest - rate.max("product")
    return [State("", none, rest), *found]


CALLS: dict[str, Callable[[xr.DataTree], xr.DataTree] | None] = {
    "given": None,
    "on-off": with_on_off_calls,
    "netted": with_netted_calls,
}
"""How the calls of reserves are told, by the words of `--calls` and of a study."""
