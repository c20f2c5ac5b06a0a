"""Fields of contracts with owners, and rules between them and the fleet."""

from collections.abc import Mapping

import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema, violations
from ....errors import Problem
from ....model import contracts

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
        Field(
            "owner_type",
            "fleet",
            "",
            "type of owner that the member is a copy for, with the share of the type in"
            " everything; empty for none",
            ABSENT,
            kind="label",
            of="contract",
        ),
        Field(
            "in_force",
            "fleet class time",
            "1",
            "contracts of each class that the member has in the step, from the arrival to the end"
            " of the term; a copy counts its share",
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
        Field(
            "designed_energy",
            "type class",
            "kWh",
            "energy that may be discharged under each contract, designed together with the plan",
            certain=True,
        ),
        Field(
            "designed_payment",
            "type class",
            "EUR",
            "what is paid for it at the end of the term, called or not",
            certain=True,
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
    if fleet is None or not bool(under_contract(fleet).any()):
        return []
    detail = (
        "beside contracts, whose payment is for the wear of what is discharged, it would be counted"
        " twice; leave it out, or give contract.dispatch_cost"
    )
    return [
        Problem(f"fleet.{name}", "consistency", detail)
        for name in contracts.WEAR_OF_OWNERS
        if name in fleet and bool((under_contract(fleet) & (fleet[name].fillna(0.0) > 0)).any())
    ]


def copies_are_whole(
    data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float
) -> list[Problem]:
    """A plan with contracts in force says whose they are, and has an energy that limits each."""
    d, fleet = data["contract"], data.get("fleet")
    given = [name for name in ("owner_type", "in_force") if name in d]
    if not given:
        return []
    if len(given) == 1:
        other = "in_force" if given == ["owner_type"] else "owner_type"
        detail = f"missing: give it beside {given[0]}, as case_with_types does"
        return [Problem(f"contract.{other}", "missing", detail)]
    problems = [*_unfit_for_a_plan(d)]
    if "class" not in d.in_force.dims:
        detail = "has no classes; give the contracts of each class, even of a single one"
        return [*problems, Problem("contract.in_force", "dims", detail)]
    return [*problems, *_misplaced(d, fleet, calendar)]


def _unfit_for_a_plan(d: xr.Dataset) -> list[Problem]:
    """Return what a menu that is designed together with a plan cannot have."""
    problems = []
    if "owed" in d:
        detail = "given beside in_force, so that owners would be paid twice; give one of the two"
        problems.append(Problem("contract.owed", "consistency", detail))
    if "energy" not in d:
        if "share_min" in d:
            detail = "is an interval; a plan needs shares that are known"
            problems.append(Problem("contract.share_min", "consistency", detail))
        if bool((d.reckons == contracts.CALLED).any()):
            detail = "is called; in a plan owners reckon with all of the energy (full)"
            problems.append(Problem("contract.reckons", "consistency", detail))
    elif "payment" not in d:
        detail = "missing: contracts with an energy need what is paid for it"
        problems.append(Problem("contract.payment", "missing", detail))
    return problems


def _misplaced(d: xr.Dataset, fleet: xr.Dataset | None, calendar: Calendar) -> list[Problem]:
    """Return contracts in force where nobody owns, allows or can tell them apart."""
    if fleet is None:
        return []
    some = d.in_force > 0
    allowed = fleet.allowance.notnull() if "allowance" in fleet else False
    rules = [
        ("in_force", some & (d.owner_type.astype(str) == ""), d.in_force, "without an owner_type"),
        ("in_force", some & ~xr.DataArray(allowed), d.in_force, "without a fleet.allowance"),
        (
            "in_force",
            some & (some.sum("class") > 1),
            d.in_force,
            "beside a contract of another class",
        ),
    ]
    return violations("contract", rules, calendar)


def under_contract(fleet: xr.Dataset) -> xr.DataArray:
    """Return True where a member can discharge and its owner limits that."""
    if "allowance" not in fleet:
        return xr.zeros_like(fleet.discharge_max, dtype=bool)
    return (fleet.discharge_max > 0) & fleet.allowance.notnull()
