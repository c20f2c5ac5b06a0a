"""Contracts with owners as a part of a case."""

import xarray as xr

from ....model.contracts import cap_of, claimable, least_payments, rising_energies
from ....model.owner_payments import with_payments
from ....model.part import Entry, Part, Stage
from ....model.view import View
from .build import build
from .replay import replay
from .schema import SCHEMA, copies_are_whole, need_is_paid_once, wear_is_paid_once


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """A designed menu without the tolerances of a solver: energies that rise, and the least
    payments at which nobody loses or lies.
    """
    if "designed_energy" not in d:
        return {}
    energy = d.designed_energy.clip(min=0.0)
    capped = energy.where(energy < cap_of(d), cap_of(d))
    others = [dim for dim in d.in_force.dims if dim != "class"]
    rising = rising_energies(capped, d.share > 0, (d.in_force > 0).any(others))
    payment = least_payments(rising, d.wear / d.theta, claimable(d))
    return {"designed_energy": rising, "designed_payment": payment}


PART = Part(
    "contract",
    Stage.RULE,
    SCHEMA,
    build,
    replay,
    case_checks=(need_is_paid_once, wear_is_paid_once, copies_are_whole),
    from_sessions=with_payments,
    label="contracts with owners",
    member_label="owner type",
    entries={
        "owners": Entry("payments to owners for discharging", "owners"),
        "need": Entry("drivers' payments for their need", "drivers"),
        "slack.dispatch": Entry("penalty: cost of dispatch under contracts"),
    },
    limit_labels={
        "sold": "energy that the owner has sold",
        "rational": "no owner loses by its contract",
        "incentive": "no owner gains by the contract of another",
        "rising": "energies that rise from type to type",
        "designed_energy": "most energy of a contract",
    },
    balances=frozenset({"owner_wear"}),
    postprocess=postprocess,
)
