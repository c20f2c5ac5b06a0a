"""Cash of contracts, and the menu that is designed together with the plan
(docs/formulation.md §10).
"""

from dataclasses import dataclass

import xarray as xr

from ....algebra.expression import Expression
from ....model.contracts import cap_of, claimable
from ....model.formulas import following, following_data
from ....model.formulas_storage import need_of_trip
from ....model.scope import Scope
from ....model.terms import Cash, Terms, decided_cash
from .schema import under_contract


@dataclass(frozen=True)
class _Menu:
    """What is offered, on (type, class): decided with the plan, or as given."""

    energy: Expression  # kWh
    payment: Expression  # EUR


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Cash of contracts, and a menu that is designed with the plan (docs/formulation.md §10).

    With need b [kWh at the grid, need_billed], need not served u*, discharging g [kW] of members
    whose owner limits it (`allowance`)::

        cash owners = -owed                                    in the step in which a term ends
        cash need = need_price (b - u* / eta_c where b > 0)    u* as in the fleet
        cash slack.dispatch = -dispatch_cost dt g              no money, and no part of profit
        owner_wear = wear dt g                                 the owner's, and no part of cash

    Where contracts are in force, n [contracts of class k that member i has in the step; a copy of a
    vehicle for the owners of a type m counts their share], what is used of its allowance and the
    most that calls of reserves discharge beyond, V, keep to the energy w, and the payment G is owed
    where the term ends::

        used_it + V_it <= sum_k n_ikt w_m(i)k
        cash owners = -sum_k n_ikt G_m(i)k                     in the last step of the term

    w and G are as given, or decided with the plan. Then no owner loses, none gains by the contract
    of another type l, also of a class j that its session can pretend to be, and energies rise::

        G_mk >= a_m w_mk,   G_mk - a_m w_mk >= G_lj - a_m w_lj,   w_mk >= w_{m-1,k},
        0 <= w_mk <= min(power term, class_room)               a_m = wear / theta_m

    They are the same in all scenarios, as owners choose before anything is known."""
    owners: dict[str, Cash] = {"owners": -1 * d.owed} if "owed" in d else {}
    fleet = s.inputs.get("fleet")
    if fleet is None:
        return Terms(cash=owners)
    if "in_force" in d:
        menu = _offered(s, d) if "energy" in d else _designed(s, d)
        owners = {"owners": _sold(s, d, fleet, menu)}
    return Terms(cash=owners | _paid_for_need(s, d, fleet) | _dispatch(s, d, fleet))


def _offered(s: Scope, d: xr.Dataset) -> _Menu:
    """Return the menu that is given."""
    each = xr.zeros_like(d.theta) + xr.zeros_like(d.coords["class"], dtype=float)
    return _Menu(s.expression(d.energy + each), s.expression(d.payment + each))


def _designed(s: Scope, d: xr.Dataset) -> _Menu:
    """Return a menu from which each owner takes its own contract."""
    w, payment, ask = (
        s.var("designed_energy", upper=cap_of(d)),
        s.var("designed_payment"),
        d.wear / d.theta,
    )
    rent = payment - ask * w
    other, claimed = d.type.rename(type="other"), d["class"].rename({"class": "claimed"})
    w_other, payment_other = (x.sel(type=other).sel({"class": claimed}) for x in (w, payment))
    s.add("rational", rent >= 0)
    s.add("incentive", rent - (payment_other - ask * w_other) >= 0, mask=claimable(d))
    s.add("rising", w - w.shift(type=1) >= 0)
    return _Menu(w, payment)


def _sold(s: Scope, d: xr.Dataset, fleet: xr.Dataset, menu: _Menu) -> Expression:
    """Keep what is discharged to what was sold, and return what owners are paid."""
    owner = d.owner_type.astype(str)
    is_copy = owner != ""
    owner = owner.where(is_copy, d.type[0].drop_vars("type"))
    n = d.in_force.where(is_copy, 0.0)
    w, payment = (x.sel(type=owner) for x in (menu.energy, menu.payment))

    goes_on = (following_data(n, s.axis("time")) > 0) & (
        following_data(fleet.restart, s.axis("time")) == 0
    )
    ends, in_force = n.where(~goes_on, 0.0), n > 0
    called = s.discharge_called.get("fleet")
    counted = in_force if called is not None else ends > 0
    used = s["fleet.used"] if called is None else s["fleet.used"] + called
    s.add("sold", used - (n * w).sum("class") <= 0, mask=counted.any("class"))
    return -1 * (ends * payment).sum("class")


def _dispatch(s: Scope, d: xr.Dataset, fleet: xr.Dataset) -> dict[str, Cash]:
    """Note what discharging under a contract wears, and charge it the cost of dispatch."""
    limited = under_contract(fleet)
    if not bool(limited.any()) or "fleet.discharge" not in s.model.variables:
        return {}
    discharged, members = s.dt * s["fleet.discharge"], fleet.indexes["fleet"]
    wear = s.var_where("owner_wear", limited, over=[members], suffix="_fleet")
    s.add("owner_wear_fleet", wear - d.wear * discharged == 0, mask=limited)
    rate = d.dispatch_cost * limited
    return decided_cash({"slack.dispatch": (rate, -1 * rate * discharged)})


def _paid_for_need(s: Scope, d: xr.Dataset, fleet: xr.Dataset) -> dict[str, Cash]:
    """What drivers pay: a constant, less what is not served."""
    if "need_billed" not in fleet or not bool((d.need_price > 0).any()):
        return {}
    due, asked = d.need_price * fleet.need_billed, fleet.need_billed > 0
    missing = _lacking(s, fleet)
    if missing is None:
        return {"need": due}
    rate = (d.need_price / fleet.eta_charge).where(asked, 0.0)
    return {"need": s.expression(due) - rate * missing}


def _lacking(s: Scope, fleet: xr.Dataset) -> Expression | None:
    """Energy missing from needs, that of the trip included which takes all of a need (kWh)."""
    time, there = s.axis("time"), s.model.variables
    of_trip = need_of_trip(fleet, time)
    trip = None
    if "fleet.unserved_trip" in there and bool(of_trip.any()):
        trip = following(s["fleet.unserved_trip"]).where(of_trip)
    if "fleet.unserved" not in there:
        return trip
    return s["fleet.unserved"] if trip is None else s["fleet.unserved"] + trip
