"""Whether the plans of two members of a fleet depend on each other: where none does, each can be
operated by itself (docs/formulation.md §4).
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ..errors import Problem
from ..model.inputs import Inputs
from .plugged_in import Stays

ALONE = frozenset({"fleet", "energy", "imbalance", "load", "contract"})
"""Parts beside which each member of a fleet can be operated by itself."""
_NEAR = 1e-9
_PLAIN = {
    "aggregate": (0.0, "a member of several vehicles has no one departure"),
    "charge_min": (0.0, "a least power is a choice between on and off"),
    "discharge_min": (0.0, "a least power is a choice between on and off"),
    "energy_out": (0.0, "a vehicle that is followed from stay to stay has no plan of one stay"),
    "calendar_cost": (0.0, "calendar ageing makes energy on board cost something"),
    "calendar_cost_soc": (0.0, "calendar ageing makes energy on board cost something"),
}
"""Fields of a fleet that a rule cannot follow, and what they would have to be."""
_ABSENT = {
    "taper_from": "power that falls near full depends on the energy on board",
    "replacement_cost": "wear by depth depends on the whole path of the energy",
    "slack_cost": "slack of the balance is a choice of the model",
}


def coupling(inputs: Inputs, stays: Stays, *, by_imbalance: bool = True) -> list[Problem]:
    """Return everything that keeps members from being operated one by one.

    Each problem says where it stands and why; an empty list means that the plan of each session
    depends on prices alone. Whoever plans by imbalance prices needs one for both ways.
    """
    return [
        *_other_parts(inputs),
        *_flexible_loads(inputs),
        *(_two_prices(inputs) if by_imbalance else ()),
        *_fields(inputs.data["fleet"]),
        *_within_stays(inputs.data["fleet"], stays),
    ]


def _problem(where: str, why: str) -> Problem:
    return Problem(where, "coupling", f"{why}; operate it by the model")


def _other_parts(inputs: Inputs) -> Iterator[Problem]:
    for name in inputs.data:
        if name not in ALONE:
            yield _problem(f"/{name}", "its rows or its plan bind members together")
    if float(inputs.data["energy"].spread.max()) > 0:
        yield _problem("energy.spread", "with a spread it matters which market energy is bought in")


def _flexible_loads(inputs: Inputs) -> Iterator[Problem]:
    load = inputs.data.get("load")
    for name in ("curtail_max", "shift_up_max", "shift_down_max"):
        if load is not None and load.sizes["load"] and float(load[name].max()) > 0:
            yield _problem(f"load.{name}", "a load that can move is planned by the model")


def _two_prices(inputs: Inputs) -> Iterator[Problem]:
    imbalance = inputs.data.get("imbalance")
    if imbalance is None or "price_short" not in imbalance:
        return
    if bool((abs(imbalance.price_short - imbalance.price_long) > _NEAR).any()):
        why = (
            "with two prices, what one member costs depends on the imbalance of the others; the"
            " forecast published does not look at them, else"
        )
        yield _problem("imbalance.price_short", why)


def _fields(fleet: xr.Dataset) -> Iterator[Problem]:
    for name, (plain, why) in _PLAIN.items():
        if name in fleet and bool((fleet[name].fillna(plain) != plain).any()):
            yield _problem(f"fleet.{name}", why)
    for name, why in _ABSENT.items():
        if name in fleet and bool(fleet[name].notnull().any()):
            yield _problem(f"fleet.{name}", why)


def _within_stays(fleet: xr.Dataset, stays: Stays) -> Iterator[Problem]:
    """Yield what changes within a stay, so that it is more than a need and a battery."""
    keep = fleet.keep.to_numpy()
    if ((keep > 0) & (keep < 1)).any():
        yield _problem("fleet.keep", "energy that is lost over time makes it matter when to draw")
    first, there = np.maximum(stays.first, 0), stays.last >= 0
    members = np.arange(first.shape[1])
    for name in ("energy_max", "eta_charge", "eta_discharge", "allowance"):
        x = getattr(stays, name)
        if (there & (x != x[first, members])).any():
            yield _problem(f"fleet.{name}", "changes within a stay")

    counted_on = np.isfinite(stays.allowance) & there & (stays.restarts != stays.begins)
    if counted_on[1:].any():
        why = "what owners allow is not counted from arrival to departure"
        yield _problem("fleet.restart", why)

    came = stays.energy_in[first, members]
    before_last = there & (np.arange(len(there))[:, None] < stays.last)
    begun = stays.begins[first, members]
    if (before_last & begun & (stays.energy_min > came + _NEAR)).any():
        yield _problem("fleet.energy_min", "asks for more than came before the departure")
    later = there & ~stays.begins & (stays.energy_in > 0)
    if later.any():
        yield _problem("fleet.energy_in", "energy comes on board within a stay")
