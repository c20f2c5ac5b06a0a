"""A fleet replayed from the written plan."""

import xarray as xr

from ....model import battery_wear
from ....model.formulas import given, larger, smaller
from ....model.formulas_storage import not_on_board
from ....model.terms import Flow, Replay
from ....model.view import View
from ..reserve_room import most_drawn, of_vehicles, on_baseline, storing


def replay(v: View, d: xr.Dataset) -> Replay:
    """Energy balance, limits, needs and cash of every member, from the written numbers alone."""
    residuals = _replay_path(v, d, "")
    if "energy_baseline" in d:
        residuals |= {
            f"{k}_baseline": x for k, x in _replay_path(v, on_baseline(d), "_baseline").items()
        }
    leaving = v.dt * d.discharge / d.eta_discharge
    cash = {
        "wear": -(d.wear * leaving),
        "wear_charge": -(d.wear_charge * v.dt * d.charge * d.eta_charge),
        "drivers": d.retail_price * _billed(v, d),
        "slack.unserved": -(d.unserved_cost * given(d, "unserved")).fillna(0.0),
        "slack.unserved_trip": -(d.unserved_cost * given(d, "unserved_trip")).fillna(0.0),
        "slack.balance": (
            -(d.slack_cost * v.dt * (given(d, "slack_in") + given(d, "slack_out"))).fillna(0.0)
        ),
    }
    taken = v.dt * (d.discharge + given(d, "slack_out")) / d.eta_discharge
    driven = d.energy_out - given(d, "unserved_trip") + given(d, "spill")
    capacity = given(d, "wear_capacity", d.energy_max)
    residuals |= battery_wear.replayed(
        v, d, capacity, taken, d.energy_in.where(d.keep == 0, 0.0), driven
    )
    cash |= battery_wear.paid(v, d, capacity, _connected(d))
    residuals |= _replay_allowance(v, d)
    power = {"electricity": Flow(d.discharge, d.charge)}
    return Replay(residuals, cash, power, flex=lambda: of_vehicles(d))


def _billed(v: View, d: xr.Dataset) -> xr.DataArray:
    """Energy that drivers pay (kWh at the grid)."""
    if "need_billed" not in d:
        return v.dt * (d.charge - d.discharge)
    served = d.need_billed - not_on_board(d) / d.eta_charge
    return served.where(d.need_billed > 0, 0.0)


def _replay_allowance(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """What is discharged since each restart, counted again, and by how much it is too much."""
    if "used" not in d or "allowance" not in d:
        return {}
    path = "_baseline" if "energy_baseline" in d else ""
    before = xr.where(d.time == d.time[0], d.allowance_used, d.used.shift(time=1))
    more = v.dt * (d["discharge" + path] + given(d, "slack_out"))
    counted = before.where(d.restart == 0, 0.0) + more
    there = [dim for dim in d.allowance.dims if dim != "fleet"]
    miscounted = abs(d.used - counted).where(d.allowance.notnull().any(there), 0.0)
    over = (counted - d.allowance).clip(min=0).fillna(0.0)
    found = {"used": miscounted, "limit_allowance": over}
    return {name: x.assign_attrs(units="kWh") for name, x in found.items()}


def _replay_path(v: View, d: xr.Dataset, suffix: str) -> dict[str, xr.DataArray]:
    charge, discharge, energy = (d[name + suffix] for name in ("charge", "discharge", "energy"))
    trip = given(d, "unserved_trip")
    spill = given(d, "spill" + suffix)
    yesterday = energy.shift(time=1).fillna(d.energy_initial)
    gained = (charge + given(d, "slack_in")) * d.eta_charge * v.dt
    lost = (discharge + given(d, "slack_out")) * v.dt / d.eta_discharge
    expected = yesterday * d.keep + d.energy_in - (d.energy_out - trip) - spill + gained - lost
    plugged = storing(d)  # elsewhere no battery is there
    over = {
        "charge": charge - d.charge_max.where(plugged, 0.0),
        "discharge": discharge - d.discharge_max.where(plugged, 0.0),
        "energy": energy - d.energy_max,
        "spill": spill - d.spill_max,
        "sign": -smaller(smaller(charge, discharge), energy),
    }
    for way, power, back in (("charge", charge, discharge), ("discharge", discharge, charge)):
        over[f"{way}_min"] = _below_least(d[f"{way}_min"], power, back)
    over["taper"] = charge - most_drawn(d, "energy" + suffix)
    residuals = {"balance": abs(energy - expected).assign_attrs(units="kWh")}
    short = (d.energy_min - not_on_board(d) - energy).clip(min=0)
    residuals["need"] = short.assign_attrs(units="kWh")
    for name, excess in over.items():
        residuals[f"limit_{name}"] = excess.clip(min=0).assign_attrs(
            units="kWh" if name in ("energy", "spill") else "kW"
        )
    return residuals


def _below_least(least: xr.DataArray, power: xr.DataArray, back: xr.DataArray) -> xr.DataArray:
    """By how much power that flows is below its least, or flows both ways."""
    has_least = least > 0
    if not has_least.any():
        return xr.zeros_like(power)
    return larger(least - power, back).where(has_least & (power > 1e-6), 0.0)


def _connected(d: xr.Dataset) -> xr.DataArray:
    """Return False where nothing is plugged in: no energy stays, comes or goes, and no power."""
    return d.keep + d.energy_in + d.energy_out + d.charge_max + d.discharge_max > 0
