"""What comes of reserve offers that are not accepted for sure: expected activation, and the states
of calls with those in which an offer is not accepted (docs/formulation.md §3).
"""

from collections.abc import Iterator
from itertools import product as every_pair

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

    States that call the same of every product are one.

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
    expected = reserve.assign(rates | {"bought_back": share * reserve.bought_back})
    if not told_by_states(reserve):
        return expected
    states = _states_with_acceptance(reserve.call, reserve.call_share, share, _refused(reserve))
    return expected.drop_dims("call_state").merge(states)


def states_of_offers(reserve: xr.Dataset) -> int:
    """Return the number of states of the calls with those in which an offer is not accepted."""
    return len(_distinct(reserve.call, _patterns(_refused(reserve)))[0])


def _refused(reserve: xr.Dataset) -> xr.DataArray:
    """Return True for products whose offer may not be accepted, in some step."""
    maybe = reserve.accept_probability < 1
    return (maybe & xr.ones_like(reserve.up, dtype=bool)).any(set(maybe.dims) - {"product"})


def _patterns(refused: xr.DataArray) -> list[np.ndarray]:
    """Return every set of products that may be accepted together, 1 for a member."""
    choices = [(True, False) if x else (True,) for x in refused.to_numpy()]
    return [np.array(x, bool) for x in every_pair(*choices)]


def _distinct(call: xr.DataArray, patterns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct calls on (state, product), and which of them each state and set is."""
    given = call.transpose("call_state", "product").to_numpy()
    every = np.concatenate([given * accepted for accepted in patterns])
    found, place = np.unique((every / _NEAR).round() * _NEAR, axis=0, return_inverse=True)
    return found, place.reshape(len(patterns), len(given))


def _states_with_acceptance(
    call: xr.DataArray, call_share: xr.DataArray, share: xr.DataArray, refused: xr.DataArray
) -> xr.Dataset:
    """Return `call` and `call_share` of every distinct state."""
    patterns = _patterns(refused)
    found, place = _distinct(call, patterns)
    names = pd.Index([f"state {n}" for n in range(len(found))], name="call_state")
    total: xr.DataArray | float = 0.0
    for number, weight in enumerate(_weights(patterns, share, refused)):
        into = np.arange(len(found))[:, None] == place[number]
        axes = {"call_state": names, "given": call.indexes["call_state"].rename("given")}
        moved = xr.DataArray(into.astype(float), axes, dims=["call_state", "given"])
        total = total + (moved * call_share.rename(call_state="given") * weight).sum("given")
    calls = xr.DataArray(found, {"call_state": names, "product": call.indexes["product"]})
    return xr.Dataset({"call": calls.transpose("product", "call_state"), "call_share": total})


def _weights(
    patterns: list[np.ndarray], share: xr.DataArray, refused: xr.DataArray
) -> Iterator[xr.DataArray]:
    """Yield the probability of each set of accepted products."""
    for accepted in patterns:
        taken = xr.DataArray(accepted, refused.coords, refused.dims)
        yield xr.where(taken, share, 1 - share).where(refused, 1.0).prod("product")
