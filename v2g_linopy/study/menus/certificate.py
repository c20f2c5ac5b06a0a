"""What a menu is worth, and the proof that every owner takes the contract that is meant for it
(docs/formulation.md §10).
"""

import numpy as np
import xarray as xr

from ...case.schema import Field, with_attributes
from ...model.contracts import CALLED, cap_of, claimable, of_each_class
from .exact import virtual_costs
from .linear import worst_value
from .utilities import Utility, calls_are_tabulated, differs_by_class, is_bent, utility_of

NOTHING = "none"
"""What a type takes that every contract would cost something."""
_SAME = 1e-9
"""Energies, and parts of a virtual cost, that are apart by no more are the same."""

MENU_FIELDS = (
    Field("rent", "type class", "EUR", "what is left to the type, as it reckons itself"),
    Field("surplus", "type class", "EUR", "payment less the wear of what is discharged"),
    Field(
        "preferred",
        "type class",
        "",
        "contract that the type likes best; none where each would cost it",
        kind="label",
    ),
    Field("virtual_cost", "type class", "EUR/kWh", "cost of a kWh, rent of higher types included"),
    Field("pooled", "type class", "1", "1: shares its contract with the type below or above"),
    Field("excluded", "type class", "1", "1: is offered nothing"),
    Field("capped", "type class", "1", "1: is offered all that the term allows"),
    Field("worst_share", "type class", "1", "shares at which the menu is worth least"),
    Field("value", "class", "EUR", "value of the menu to the aggregator, per owner"),
    Field("mean_value", "", "EUR", "value over all classes, by their shares of the sessions"),
    Field("value_chosen", "class", "EUR", "value where each type takes what it likes best"),
    Field("bound", "class", "EUR", "no menu is worth more"),
    Field("first_best", "class", "EUR", "value if the type of an owner were known"),
    Field("rationality", "class", "EUR", "least rent of a type: no owner loses by its contract"),
    Field("compatibility", "class", "EUR", "least loss by taking the contract of another type"),
    Field("class_compatibility", "class", "EUR", "the same over classes that can be pretended"),
    Field("least_rise", "class", "kWh", "least rise of the energy from a type to the next"),
    Field(
        "plan_value",
        "",
        "EUR",
        "worth of all contracts in the plan that designed them, types as shares",
    ),
    Field(
        "choice_value",
        "",
        "EUR",
        "the same where each owner takes the best contract that its session can give",
    ),
    Field("drawn_value", "seed", "EUR", "the same where the type of each owner is drawn"),
    Field("stays", "", "1", "stays that were planned"),
    Field("stays_with_contract", "class", "1", "stays that may have a contract"),
)
"""What is found of a menu, beside `/contract` in its file."""


def reckoned(d: xr.Dataset) -> xr.DataArray:
    """Return the energy that owners expect to be discharged (kWh)."""
    return d.called if str(d.reckons.item()) == CALLED else d.energy


def judged(d: xr.Dataset, bound: xr.DataArray | None = None, currency: str = "EUR") -> xr.Dataset:
    """Return what a menu is worth and proves, whoever designed it.

    ::

        rent_m = payment_m - ask_m x_m >= 0                       (rational)
        rent_m >= payment_j - ask_m x_j,  each j                  (incentive-compatible)
        rent_m of a class >= that of each type in a class with no longer term and no more room

    Parameters
    ----------
    d : xarray.Dataset
        `/contract` in coherent units, with `energy` and `payment`.
    bound : xarray.DataArray, optional
        A value that no menu exceeds, where one is known (EUR per owner).
    currency : str, default "EUR"
        The money in the units of what is returned.

    Returns
    -------
    xarray.Dataset
        The arrays of `MENU_FIELDS` that can be told; without a utility there is no value.
    """
    if differs_by_class(d):
        classes = d.coords["class"]
        found = xr.concat([_of_one_class(one) for _, one in of_each_class(d)], classes.variable)
        found = found.assign_coords({"class": classes})
    else:
        found = _of_one_class(d)
    rent = found.rent
    if "class" in rent.dims:
        found["class_compatibility"] = _over_classes(d, rent, d.wear / d.theta, reckoned(d))
    if "value" in found and "class" in found.value.dims:
        found["mean_value"] = over_classes(d, found.value)
    return described(found if bound is None else found.assign(bound=bound), currency)


def over_classes(d: xr.Dataset, value: xr.DataArray) -> xr.DataArray:
    """Return the mean of a value over the classes, by their shares of the sessions."""
    if "class" not in value.dims:
        return value
    return value.weighted(class_shares(d)).mean("class")


def class_shares(d: xr.Dataset) -> xr.DataArray:
    """Return how sessions with a contract are spread over the classes; all alike unless given."""
    alike = xr.ones_like(d.coords["class"], dtype=float) / d.sizes["class"]
    return d.class_share if "class_share" in d else alike


def _of_one_class(d: xr.Dataset) -> xr.Dataset:
    """Return the same where one utility holds for all, without what is between classes."""
    ask, x = d.wear / d.theta, reckoned(d)
    rent = d.payment - ask * x
    gain = d.payment.rename(type="other") - ask * x.rename(type="other")
    several = x.sizes["type"] > 1
    found = xr.Dataset(
        {
            "rent": rent,
            "surplus": d.payment - d.wear * x,
            "preferred": _preferred(gain, rent),
            "excluded": _flag(d.energy <= _SAME),
            "rationality": rent.min("type"),
            "compatibility": (rent - gain.max("other")).min("type"),
            "least_rise": x.diff("type").min("type") if several else 0.0 * x.sum("type"),
        }
    )
    if "power" in d or "class_room" in d:
        found["capped"] = _flag(d.energy >= cap_of(d) - _SAME)
    known = {"utility_scale", "table_value"} & set(d)
    return _valued(d, found, x) if known else found


def _preferred(gain: xr.DataArray, rent: xr.DataArray) -> xr.DataArray:
    """Return the contract that each type likes best: its own unless another is better."""
    best = gain.idxmax("other").astype(str)
    own = rent.coords["type"].astype(str)
    liked = xr.where(gain.max("other") > rent + _SAME, best, own)
    return xr.where(gain.max("other") < -_SAME, NOTHING, liked)


def _over_classes(
    d: xr.Dataset, rent: xr.DataArray, ask: xr.DataArray, x: xr.DataArray
) -> xr.DataArray:
    """Return the least loss by pretending a shorter stay or less room, and any type."""
    other = {"type": "other", "class": "claimed"}
    claim = d.payment.rename(other) - ask * x.rename(other)
    best = claim.where(claimable(d)).max(["other", "claimed"])
    return (rent - best).min("type")


def _valued(d: xr.Dataset, found: xr.Dataset, x: xr.DataArray) -> xr.Dataset:
    """Add what the menu is worth, what it would be worth to know the types, and how types pool."""
    ask, utility = d.wear / d.theta, utility_of(d)
    worth = value_of_contracts(d, utility) - d.payment
    share = d.share
    if "share_min" in d:
        share = worst_value(worth, d.share_min, d.share_max)[1]
        found["worst_share"] = share
    liked = worth.rename(type="other").where(_is_liked(found.preferred)).sum("other")
    cost = virtual_costs(ask, share)
    found = found.assign(
        value=(worth * share).sum("type"),
        value_chosen=(liked * share).sum("type"),
        virtual_cost=cost.where(np.isfinite(cost)) + 0.0 * x,
        pooled=_flag(_shares_a_block(cost, share)) + 0.0 * x,
    )
    if str(d.reckons.item()) != CALLED or calls_are_tabulated(d):
        found = found.assign(first_best=(_if_known(d, utility, ask + 0.0 * x) * share).sum("type"))
    return found


def _is_liked(preferred: xr.DataArray) -> xr.DataArray:
    """Return which contract (other) each type takes."""
    return preferred == preferred.coords["type"].astype(str).rename(type="other")


def _if_known(d: xr.Dataset, utility: Utility, ask: xr.DataArray) -> xr.DataArray:
    """Return what an owner is worth whose type is known, and who is paid what it asks::

    max_w u(w) - ask w,    0 <= w <= cap
    """
    if is_bent(d):
        gain = d.table_value - ask * d.table_called
        return gain.where(d.table_energy <= cap_of(d) + _SAME).max("point")
    best = utility.wanted(ask, cap_called(d))
    return utility.of(best) - ask * best


def value_of_contracts(d: xr.Dataset, utility: Utility) -> xr.DataArray:
    """Return u of each contract (EUR); where calls are reckoned, from the table at its energy."""
    if calls_are_tabulated(d):
        table = np.interp(d.energy.to_numpy(), d.table_energy.to_numpy(), d.table_value.to_numpy())
        return d.energy.copy(data=table)
    return utility.of(d.energy)


def cap_called(d: xr.Dataset) -> xr.DataArray:
    """Return the cap in the energy that owners reckon with: what is called of it."""
    cap = cap_of(d)
    if not calls_are_tabulated(d):
        return cap
    called = np.interp(cap.to_numpy(), d.table_energy.to_numpy(), d.table_called.to_numpy())
    return cap.copy(data=called)


def _shares_a_block(cost: xr.DataArray, share: xr.DataArray) -> xr.DataArray:
    """Return where a type with owners has the virtual cost of a neighbour with owners."""
    cost, share = xr.broadcast(cost, share)
    real = cost.where(share > 0)
    same = abs(real - real.rename(type="other")) <= _SAME * abs(real)
    return same.sum("other") > 1


def _flag(x: xr.DataArray) -> xr.DataArray:
    return x.astype(float)


def described(found: xr.Dataset, currency: str) -> xr.Dataset:
    """Give each array its unit and its meaning, in the order of the fields."""
    order = [f for f in MENU_FIELDS if f.name in found]
    arrays = {f.name: with_attributes(_ordered(found[f.name]), f, currency) for f in order}
    return xr.Dataset(arrays)


def _ordered(x: xr.DataArray) -> xr.DataArray:
    return x.transpose(*(d for d in ("type", "class") if d in x.dims))
