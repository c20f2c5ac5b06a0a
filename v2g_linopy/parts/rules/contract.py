"""Contracts with the owners of vehicles: what owners are paid, what drivers pay for their need, and
what discharging wears (docs/formulation.md §10).
"""

from collections.abc import Mapping

import xarray as xr

from ...algebra.expression import Expression
from ...case.schema import ABSENT, Calendar, Field, Schema
from ...errors import Problem
from ...model import contracts
from ...model.formulas import following
from ...model.formulas_storage import need_of_trip, not_on_board
from ...model.owner_payments import with_payments
from ...model.part import Entry, Part, Stage
from ...model.scope import Scope
from ...model.terms import Cash, Replay, Terms, decided_cash
from ...model.view import View

SCHEMA = Schema(
    inputs=(
        *contracts.FIELDS,
        Field(
            "owed",
            "fleet time",
            "EUR",
            "owed to the owner in the step in which a term ends; by default as of /sessions",
            ABSENT,
            ge=0,
        ),
    ),
    outputs=(
        Field(
            "owner_wear",
            "time",
            "EUR",
            "wear of the battery by what is discharged under a contract, which its owner bears",
            shared=True,
        ),
    ),
    checks=(contracts.contract_problems,),
)


def need_is_paid_once(
    data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float
) -> list[Problem]:
    """Drivers pay for their need here or in the fleet, and somebody has to say what it is."""
    fleet = data.get("fleet")
    if fleet is None or not bool((data["contract"].need_price > 0).any()):
        return []
    problems = []
    if bool((fleet.retail_price != 0).any()):
        detail = "beside contract.need_price drivers would pay twice; give one of the two"
        problems.append(Problem("fleet.retail_price", "consistency", detail))
    if "need_billed" not in fleet:
        detail = "missing: contract.need_price is paid on it (kWh at the grid)"
        problems.append(Problem("fleet.need_billed", "missing", detail))
    return problems


def wear_is_paid_once(
    data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float
) -> list[Problem]:
    """What is discharged under a contract is paid for by it, and is no wear of the fleet."""
    fleet = data.get("fleet")
    if fleet is None or not bool(_under_contract(fleet).any()):
        return []
    detail = (
        "beside contracts, whose payment is for the wear of what is discharged, it would be counted"
        " twice; leave it out, or give contract.dispatch_cost"
    )
    return [
        Problem(f"fleet.{name}", "consistency", detail)
        for name in ("wear", "replacement_cost")
        if name in fleet and bool((_under_contract(fleet) & (fleet[name].fillna(0.0) > 0)).any())
    ]


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Cash of contracts, which moves a plan only by the cost of dispatch (docs/formulation.md §10).

    With need b [kWh at the grid, need_billed], need not served u*, discharging g [kW] of members
    whose owner limits it (`allowance`)::

        cash owners = -owed                                    in the step in which a term ends
        cash need = need_price (b - u* / eta_c where b > 0)    u* as in the fleet
        cash slack.dispatch = -dispatch_cost dt g              no money, and no part of profit
        owner_wear = wear dt g                                 the owner's, and no part of cash
    """
    owners: dict[str, Cash] = {"owners": -1 * d.owed} if "owed" in d else {}
    fleet = s.inputs.get("fleet")
    if fleet is None:
        return Terms(cash=owners)
    return Terms(cash=owners | _paid_for_need(s, d, fleet) | _dispatch(s, d, fleet))


def _dispatch(s: Scope, d: xr.Dataset, fleet: xr.Dataset) -> dict[str, Cash]:
    """Note what discharging under a contract wears, and charge it the cost of dispatch."""
    under_contract = _under_contract(fleet)
    if not bool(under_contract.any()) or "fleet.discharge" not in s.model.variables:
        return {}
    discharged, members = s.dt * s["fleet.discharge"], fleet.indexes["fleet"]
    wear = s.var_where("owner_wear", under_contract, over=[members], suffix="_fleet")
    s.add("owner_wear_fleet", wear - d.wear * discharged == 0, mask=under_contract)
    rate = d.dispatch_cost * under_contract
    return decided_cash({"slack.dispatch": (rate, -1 * rate * discharged)})


def _under_contract(fleet: xr.Dataset) -> xr.DataArray:
    """Return True where a member can discharge and its owner limits that."""
    if "allowance" not in fleet:
        return xr.zeros_like(fleet.discharge_max, dtype=bool)
    return (fleet.discharge_max > 0) & fleet.allowance.notnull()


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


def replay(v: View, d: xr.Dataset) -> Replay:
    """What is paid and worn, from the written plan."""
    fleet, cash, residuals = v.get("fleet"), {}, {}
    if "owed" in d:
        cash["owners"] = -d.owed
    if fleet is None:
        return Replay(cash=cash)
    if "need_billed" in fleet:
        served = (fleet.need_billed - not_on_board(fleet) / fleet.eta_charge).where(
            fleet.need_billed > 0, 0.0
        )
        cash["need"] = d.need_price * served
    if "allowance" in fleet:
        discharged = (v.dt * fleet.discharge).where(fleet.allowance.notnull(), 0.0)
        cash["slack.dispatch"] = -d.dispatch_cost * discharged
        worn = d.get("owner_wear_fleet", 0.0) - d.wear * discharged
        residuals["owner_wear"] = abs(worn).assign_attrs(units="EUR")
    return Replay(residuals, cash)


PART = Part(
    "contract",
    Stage.RULE,
    SCHEMA,
    build,
    replay,
    case_checks=(need_is_paid_once, wear_is_paid_once),
    from_sessions=with_payments,
    label="contracts with owners",
    member_label="owner type",
    entries={
        "owners": Entry("payments to owners for discharging", "owners"),
        "need": Entry("drivers' payments for their need", "drivers"),
        "slack.dispatch": Entry("penalty: cost of dispatch under contracts"),
    },
    balances=frozenset({"owner_wear"}),
)
