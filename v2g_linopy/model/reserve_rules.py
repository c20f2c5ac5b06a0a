"""What reserves mean for the parts that hold them: two paths, activation, suppliers."""

import xarray as xr

from ..algebra.expression import Quantity
from .scope import Scope


def activated_both_ways(reserve: xr.Dataset | None) -> xr.DataArray | bool:
    """Return True where activation is expected upward and downward.

    Charging and discharging then share the step.
    """
    if reserve is None:
        return False
    sold = reserve.volume_max > 0
    up, down = (reserve.activation_up > 0) & sold, (reserve.activation_down > 0) & sold
    return up.any("product") & down.any("product")


def may_be_refused(reserve: xr.Dataset) -> bool:
    """Return True where some offer is accepted with a probability below 1."""
    return bool((reserve.accept_probability < 1).any())


def acceptance(reserve: xr.Dataset) -> xr.DataArray:
    """Return the probability that an offer is accepted; what has been committed is, for sure."""
    if not may_be_refused(reserve):
        return xr.DataArray(1.0)
    return reserve.accept_probability.where(reserve.closed == 0, 1.0)


def told_by_states(reserve: xr.Dataset | None) -> bool:
    """Return True where the calls of a step are told by their states, not by their mean alone."""
    return reserve is not None and "call" in reserve


def given_back(reserve: xr.Dataset, storage: xr.Dataset) -> xr.DataArray:
    """Return the mean power fed in to give back what calls brought beyond their mean, per kW sold.

    Of what came, the losses of both ways are gone (docs/formulation.md §3)::

        h_r = eta_c eta_d B_r
    """
    return storage.eta_charge * storage.eta_discharge * reserve.recovery_flow


def fed_in_beyond_states(
    reserve: xr.Dataset,
    storage: xr.Dataset,
    charge: xr.DataArray,
    discharge: xr.DataArray,
    share: xr.DataArray,
) -> xr.DataArray:
    """Return what a storage feeds in beyond the mean of what each state of the calls feeds in (kW).

    With charge c, discharge g and shares x of a plan (docs/formulation.md §3)::

        g - sum_s w_s max(0, b + sum_r a_rs x_r) - h x,   b = g - c - sum_r abar_r x_r
    """
    mean = (reserve.call_share * reserve.call).sum("call_state")
    in_state = discharge - charge + ((reserve.call - mean) * share).sum("product")
    fed_in = (reserve.call_share * in_state.clip(min=0)).sum("call_state")
    return discharge - fed_in - (given_back(reserve, storage) * share).sum("product")


def turned_within_steps(reserve: xr.Dataset | None) -> xr.DataArray | bool:
    """Return True where calls may turn the power within a step, so that both ways share it.

    That is where activation is expected both ways, or where calls are told by their states.
    """
    both = activated_both_ways(reserve)
    if reserve is None or not told_by_states(reserve):
        return both
    return both | (reserve.volume_max > 0).any("product")


def guarantees_energy(reserve: xr.Dataset | None) -> bool:
    """Return True where a baseline path is needed.

    Energy is then guaranteed while some activation is expected.
    """
    if reserve is None:
        return False
    sold = reserve.volume_max > 0
    expected = ((reserve.activation_up > 0) | (reserve.activation_down > 0)) & sold
    if not bool(expected.any()):
        return False
    stands = (
        (reserve.guarantee != "expected")
        | (reserve.excursion_up > 0)
        | (reserve.excursion_down > 0)
    )
    return bool((stands & sold).any())


def on_two_paths(d: xr.Dataset, reserve: xr.Dataset | None) -> bool:
    """Return True where a storage has a baseline path beside the expected one.

    That is where it is needed, or has begun elsewhere.
    """
    return reserve is not None and (guarantees_energy(reserve) or "baseline_initial" in d)


def supplied(connection: xr.Dataset | None, pods: xr.DataArray | None = None) -> xr.DataArray:
    """Return True for pods with a supply contract of their own.

    Where `pods` names the pods of members, it is for each member.
    """
    if connection is None:
        return xr.DataArray(False)
    contract = connection.supply_price.notnull()
    contract = contract.any([d for d in contract.dims if d != "pod"])
    if pods is None:
        return contract
    return contract.sel(pod=pods.astype(str).rename("pod")).drop_vars("pod")


def activated_at_suppliers(s: Scope, way: str) -> Quantity:
    """Return the expected activation at pods with a supply contract, kW on (time).

    `way` is `up` or `down`; all their members count.
    """
    total: Quantity = 0.0
    if (reserve := s.inputs.get("reserve")) is None:
        return total
    for asset in (*s.flex, *s.offered):
        here = supplied(s.inputs.get("connection"), s.inputs[asset].pod)
        if f"reserve.share_{asset}" in s.model.variables and bool(here.any()):
            rate = here * acceptance(reserve) * reserve[f"activation_{way}"]
            share = rate * s[f"reserve.share_{asset}"]
            total = total + share.sum(["product", s.inputs[asset].attrs["member"]])
    return total
