"""Contracts replayed from the written plan."""

import xarray as xr

from ....model.formulas_storage import not_on_board
from ....model.terms import Replay
from ....model.view import View


def replay(v: View, d: xr.Dataset) -> Replay:
    """What is paid and worn, from the written plan; and of a menu that was designed with it, that
    nobody loses, lies, or is discharged beyond its contract.
    """
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
    if "in_force" in d:
        cash["owners"], residuals["sold"] = _settled(v, d, fleet)
    if "designed_energy" in d:
        residuals |= _no_owner_lies(d)
    return Replay(residuals, cash)


def _settled(v: View, d: xr.Dataset, fleet: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """What owners are paid when their terms end, and what is discharged beyond their contracts
    (kWh), the worst calls of reserves included.
    """
    kind = "designed_" if "designed_energy" in d else ""
    energy, payment = d[f"{kind}energy"], d[f"{kind}payment"]
    by_member = d.owner_type.astype(str).rename("type")
    of_type = by_member == d.type.astype(str)
    limit, price = ((x.where(of_type, 0.0)).sum("type") for x in (energy, payment))

    allowed = (d.in_force * limit).sum("class")
    has_contract = (d.in_force > 0).any("class")
    worst = v.done["reserve"].discharge_called if "reserve" in v.done else {}
    over = (fleet.used + worst.get("fleet", 0.0) - allowed).where(has_contract, 0.0)

    later = d.in_force.shift(time=-1, fill_value=0.0)
    anew = (fleet.restart + xr.zeros_like(later)).shift(time=-1, fill_value=1.0)
    due = d.in_force.where((later == 0) | (anew > 0), 0.0)
    return -(due * price).sum("class"), over.clip(min=0).assign_attrs(units="kWh")


def _no_owner_lies(d: xr.Dataset) -> dict[str, xr.DataArray]:
    """By how much an owner loses by its contract, gains by that of another type or of a class that
    it can pretend to be, and how far energies fall or pass their cap.
    """
    ask, energy, payment = d.wear / d.theta, d.designed_energy, d.designed_payment
    rent = payment - ask * energy
    as_told = {"type": "other", "class": "claimed"}
    gain = payment.rename(as_told) - ask * energy.rename(as_told)
    can_claim = xr.ones_like(gain + rent, dtype=bool)
    for name in ("term", "class_room"):
        if name in d and "class" in d[name].dims:
            can_claim = can_claim & (d[name].rename({"class": "claimed"}) <= d[name])

    falls = -energy.diff("type") if energy.sizes["type"] > 1 else 0.0 * energy
    beyond = xr.zeros_like(energy)
    if "power" in d:
        beyond = energy - d.power * d.term
    if "class_room" in d:
        beyond = beyond.where(beyond > energy - d.class_room, energy - d.class_room)
    money = {"rational": -rent, "incentive": (gain - rent).where(can_claim, 0.0)}
    amounts = {"rising": falls, "limit_designed_energy": beyond}
    return {
        **{name: x.clip(min=0).assign_attrs(units="EUR") for name, x in money.items()},
        **{name: x.clip(min=0).assign_attrs(units="kWh") for name, x in amounts.items()},
    }
