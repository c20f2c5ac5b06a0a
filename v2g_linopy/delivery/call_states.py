"""States that reserves are called in within a step, from what is known of their activation
(docs/formulation.md §3).
"""

from collections.abc import Mapping
from itertools import product as every_pair

import numpy as np
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..parts.markets.reserve.priced_calls import MOST_STATES


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
    up, down = d.activation_up, d.activation_down
    if "scenario" in (*up.dims, *down.dims):
        detail = "depends on the scenario, which states of calls cannot; give one for all"
        raise SchemaError([Problem("reserve.activation_up", "dims", detail)])

    names, called, shares = list[str](), list[np.ndarray](), list[xr.DataArray]()
    ways = [_ways(d.sel(product=name)) for name in d.indexes["product"]]
    count = int(np.prod([len(some) for some in ways]))
    if count == 1:
        return case
    if count > MOST_STATES:
        detail = f"{count} states of independent calls, at most {MOST_STATES}; give `call` itself"
        raise SchemaError([Problem("reserve.call_state", "range", detail)])
    for some in every_pair(*ways):
        said = [
            f"{name} {way}" for name, (way, _, _) in zip(d.indexes["product"], some, strict=True)
        ]
        names.append(", ".join(x for x in said if not x.endswith(" ")) or "none")
        called.append(np.array([amplitude for _, amplitude, _ in some]))
        share = xr.DataArray(1.0)
        for _, _, part in some:
            share = share * part
        shares.append(share)

    states = {"call_state": names}
    share = xr.concat(shares, "call_state").assign_coords(states)
    known = [f"activation_{way}" for way in ("up", "down")]
    group = case["reserve"].to_dataset().drop_vars(known, errors="ignore").assign_coords(states)
    source = "called in full or not at all, products independently of each other"
    attrs = {"units": "1", "source": source}
    group["call"] = (("product", "call_state"), np.stack(called, axis=1), attrs)
    group["call_share"] = share.assign_attrs(units="1")
    return case.assign(reserve=xr.DataTree(group))


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
    for name in ("activation_up", "activation_down"):
        group[name] = d[name].assign_attrs(units="1")
    return case.assign(reserve=xr.DataTree(group))


def _ways(p: xr.Dataset) -> list[tuple[str, float, xr.DataArray]]:
    """Return how a product may be called: the way, the kW per kW sold, and the share of a step."""
    rest, found = xr.DataArray(1.0), list[tuple[str, float, xr.DataArray]]()
    for way, sign in (("down", -1.0), ("up", 1.0)):
        full = float(p[way])
        if full > 0 and bool((p[f"activation_{way}"] > 0).any()):
            share = (p[f"activation_{way}"] / full).drop_vars("product")
            found.append((way, sign * full, share))
            rest = rest - share
    return [("", 0.0, rest), *found]
