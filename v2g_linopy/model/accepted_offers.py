"""What comes of reserve offers that are not accepted for sure: expected activation, and the states
of calls with those in which an offer is not accepted (docs/formulation.md §3).
"""

import numpy as np
import pandas as pd
import xarray as xr

from .reserve_rules import acceptance, may_be_refused, told_by_states

_NEAR = 1e-9


def as_expected(reserve: xr.Dataset) -> xr.Dataset:
    """Return the reserve with the activation that is expected of a kW offered.

    Activation, and the calls in a state, are those of an offer that is accepted. With the
    probability P_r that it is, a kW offered is activated (and bought back) by P_r alpha in the
    mean, and each state s
    becomes one for each set A of accepted products, independent of each other::

        call of (s, A) = a_rs for r in A, else 0
        share of (s, A) = w_s prod_{r in A} P_r prod_{r not in A} (1 - P_r)

    States that call the same of every product are one. Of the offers of one product at several
    prices, P_1 >= P_2 >= ..., the first k are accepted with the probability P_k - P_k+1.

    Parameters
    ----------
    reserve : xarray.Dataset
        Inputs of `/reserve`, completed.

    Returns
    -------
    xarray.Dataset
        The same where every offer is accepted.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.model.accepted_offers import as_expected
    >>> from v2g_linopy.model.inputs import inputs_of
    >>> case = v2g.with_acceptance(v2g.commuters(vehicles=1, days=1), 0.5)
    >>> as_expected(inputs_of(case, v2g.PARTS).data["reserve"]).activation_up.max().item()
    0.125
    """
    if not may_be_refused(reserve):
        return reserve
    share = acceptance(reserve)
    rates = {f"activation_{way}": share * reserve[f"activation_{way}"] for way in ("up", "down")}
    expected = reserve.assign(rates | {"recovery_flow": share * reserve.recovery_flow})
    if not told_by_states(reserve):
        return expected
    states = _states_with_acceptance(reserve, share)
    return expected.drop_dims("call_state").merge(states)


def offers_by_product(reserve: xr.Dataset) -> dict[str, list[int]]:
    """Return the places of the offers of each product; alone, a product is its own offer."""
    labels = reserve.indexes["product"].astype(str)
    of = [""] * len(labels)
    if "offer_of" in reserve:
        given = reserve["offer_of"].astype(str)
        of = given.broadcast_like(reserve["product"]).to_numpy().tolist()
    found: dict[str, list[int]] = {}
    for place, (label, product) in enumerate(zip(labels, of, strict=True)):
        found.setdefault(product or label, []).append(place)
    return found


def states_of_offers(reserve: xr.Dataset) -> int:
    """Return the number of states of the calls with those in which an offer is not accepted."""
    patterns = [accepted for accepted, _ in _outcomes(reserve, reserve.accept_probability)]
    return len(_distinct(reserve.call, patterns)[0])


def _outcomes(reserve: xr.Dataset, share: xr.DataArray) -> list[tuple[np.ndarray, xr.DataArray]]:
    """Return every set of offers that may be accepted together, 1 for a member, and how likely it
    is at the probabilities `share`.

    Offers of one product are accepted from the cheapest on, products independently of each other.
    """
    wide = share + xr.zeros_like(reserve.up)
    sure = (reserve.accept_probability + xr.zeros_like(reserve.up)) >= 1
    certain = sure.all([n for n in sure.dims if n != "product"]).to_numpy()
    found = [(np.ones(len(certain), bool), xr.DataArray(1.0))]
    for places in offers_by_product(reserve).values():
        first = next((k for k, place in enumerate(places) if not certain[place]), len(places))
        found = [
            (accepted & ~np.isin(np.arange(len(certain)), places[level:]), likely * one)
            for accepted, likely in found
            for level in range(first, len(places) + 1)
            for one in [_likely(wide, places, level)]
        ]
    return found


def _likely(share: xr.DataArray, places: list[int], level: int) -> xr.DataArray:
    """Return how likely the first offers of a product are accepted, and no more."""
    bounds = [xr.DataArray(1.0), *(share.isel(product=k, drop=True) for k in places)]
    bounds.append(xr.DataArray(0.0))
    return bounds[level] - bounds[level + 1]


def _distinct(call: xr.DataArray, patterns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct calls on (state, product), and which of them each state and set is."""
    given = call.transpose("call_state", "product").to_numpy()
    every = np.concatenate([given * accepted for accepted in patterns])
    found, place = np.unique((every / _NEAR).round() * _NEAR, axis=0, return_inverse=True)
    return found, place.reshape(len(patterns), len(given))


def _states_with_acceptance(reserve: xr.Dataset, share: xr.DataArray) -> xr.Dataset:
    """Return `call` and `call_share` of every distinct state."""
    outcomes = _outcomes(reserve, share)
    found, place = _distinct(reserve.call, [accepted for accepted, _ in outcomes])
    names = pd.Index([f"state {n}" for n in range(len(found))], name="call_state")
    axes = {"call_state": names, "given": reserve.indexes["call_state"].rename("given")}
    shares = reserve.call_share.rename(call_state="given")
    total: xr.DataArray | float = 0.0
    for number, (_, likely) in enumerate(outcomes):
        into = np.arange(len(found))[:, None] == place[number]
        moved = xr.DataArray(into.astype(float), axes, dims=["call_state", "given"])
        total = total + (moved * shares * likely).sum("given")
    calls = xr.DataArray(found, {"call_state": names, "product": reserve.indexes["product"]})
    return xr.Dataset({"call": calls.transpose("product", "call_state"), "call_share": total})
