"""Room for reserves in a written plan of a storage, in plain xarray: what a replay of a battery or
a fleet shows.
"""

from dataclasses import replace

import xarray as xr

from ...case.schema import ABSENT, Field
from ...model.formulas import given, larger, smaller
from ...model.formulas_storage import not_on_board
from ...model.terms import Allowance, Edge, Flex, Powers, Store


def baseline_initial(member: str, where: str) -> Field:
    """Input: where the path without activation begins."""
    meaning = (
        f"energy {where} before the first step if no reserve had been activated; by default"
        " energy_initial"
    )
    return Field("baseline_initial", member, "kWh", meaning, ABSENT, ge=0)


def on_baseline(d: xr.Dataset) -> xr.Dataset:
    """Return a storage as it begins if no reserve had been activated before the first step."""
    return d.assign(energy_initial=given(d, "baseline_initial", d.energy_initial))


def of_storage(d: xr.Dataset) -> Flex:
    """Return the room of a storage for reserves.

    It is about the expected power, and about the energy at both edges of the step on the path
    that is guaranteed.

    At the start edge floor and ceiling are what a legal plan can hold there before power flows
    (docs/formulation.md §3).
    """
    there, power = storing(d), d.discharge - d.charge
    return Flex(
        up=d.discharge_max.where(there, 0.0) - power,
        down=d.charge_max.where(there, 0.0) + power,
        store=_store(d),
        baseline=_moved_by_baseline(d),
        backlog=d.energy_baseline - d.energy if _path(d) else None,
        powers=_powers(d),
    )


def of_vehicles(d: xr.Dataset) -> Flex:
    """The same for a fleet, whose least powers and taper narrow the room."""
    there = storing(d)
    d = d.assign({limit: d[limit].where(there, 0.0) for limit in ("charge_max", "discharge_max")})
    up, down = _ranges(d)
    return Flex(
        up,
        down,
        store=_store(d),
        baseline=_moved_by_baseline(d),
        backlog=d.energy_baseline - d.energy if _path(d) else None,
        allowance=_allowance_left(d),
        powers=replace(_powers(d), single=d.aggregate == 0),
    )


def _powers(d: xr.Dataset) -> Powers[xr.DataArray]:
    """What is drawn and fed in over the step on the expected path."""
    return Powers(d.charge, d.discharge, (d.charge_max > 0) & (d.discharge_max > 0))


def _path(d: xr.Dataset) -> str:
    """What the outputs of the path that is guaranteed are called by."""
    return "_baseline" if "energy_baseline" in d else ""


def _store(d: xr.Dataset) -> Store:
    """The energy behind a promise, on the path that is guaranteed."""
    path = _path(d)
    begun = on_baseline(d) if path else d
    sides = (d[way + path] for way in ("charge", "discharge"))
    can = (d[f"{way}_max"] > 0 for way in ("charge", "discharge"))
    keep = given(d, "keep", 1.0)
    return Store(lambda: _edges(begun, path), d.eta_charge, d.eta_discharge, keep, *sides, *can)


def _moved_by_baseline(d: xr.Dataset) -> xr.DataArray | None:
    """Power of the path without activation less that of the plan, where there are two."""
    if not _path(d):
        return None
    return d.discharge_baseline - d.charge_baseline - (d.discharge - d.charge)


def _allowance_left(d: xr.Dataset) -> Allowance[xr.DataArray] | None:
    """What owners still let be discharged without a call."""
    if "allowance" not in d or "used" not in d:
        return None
    allowance = d.allowance + xr.zeros_like(d.charge)
    limited, path = allowance.notnull(), _path(d)
    left = (allowance - d.used).where(limited, 0.0)
    return Allowance(left, limited, 1 - d.restart, d["charge" + path], d.discharge_max > 0)


def _ranges(d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Room up and down about the expected power: to the ends of the range of powers that it stands
    in.
    """
    charging, discharging = d.charge > 1e-6, d.discharge > 1e-6
    gap_in, gap_out = (
        (d.charge_min > 0) & (d.charge_max > 0),
        (d.discharge_min > 0) & (d.discharge_max > 0),
    )
    low, high = -most_drawn(d, "energy"), d.discharge_max + xr.zeros_like(d.charge)
    if "energy_baseline" in d:
        low = larger(low, -most_drawn(d, "energy_baseline"))
    if bool((gap_in | gap_out).any()):
        low, high = low.where(~gap_in | charging, 0.0), high.where(~gap_out | discharging, 0.0)
        low = low.where(~(gap_out & discharging), d.discharge_min)
        high = high.where(~(gap_in & charging), -d.charge_min)
    power = d.discharge - d.charge
    return high - power, power - low


def most_drawn(d: xr.Dataset, energy: str) -> xr.DataArray:
    """Most charging power at the state in which the step ends."""
    if d.taper_from.isnull().all():
        return d.charge_max
    full = (d[energy] / d.energy_max - d.taper_from) / (1 - d.taper_from)
    share = (1 - (1 - d.taper_to) * full.clip(min=0.0)).where(
        d.taper_from.notnull() & (d.energy_max > 0), 1.0
    )
    return d.charge_max * share


def storing(d: xr.Dataset) -> xr.DataArray:
    """Return False where nothing can hold energy in the step, so that its power delivers
    nothing.
    """
    before = _before(d.energy_max + xr.zeros_like(d.energy), d.energy_initial) * given(
        d, "keep", 1.0
    )
    passing = given(d, "energy_in") + given(d, "energy_out") + given(d, "spill_max")
    return xr.DataArray(d.energy_max + before + passing > 0)


def _edges(d: xr.Dataset, path: str) -> tuple[Edge, Edge]:
    energy = d["energy" + path]
    full = xr.zeros_like(energy)
    keep, arriving = given(d, "keep", 1.0), given(d, "energy_in") - given(d, "energy_out")
    start = _before(energy, d.energy_initial) * keep + arriving
    start = start + given(d, "unserved_trip") - given(d, "spill" + path)
    soft = d.unserved_cost.notnull() if "unserved_cost" in d else False
    floor = (d.energy_min + full).where(~((d.energy_min > 0) & soft), 0.0)
    lowest = _before(floor, d.energy_initial) * keep + arriving - given(d, "spill_max")
    highest = _before(d.energy_max + full, d.energy_initial) * keep + arriving
    highest = highest + (given(d, "energy_out") + full).where(soft, 0.0)
    return (
        Edge(
            start - smaller(d.energy_min + full, lowest),
            larger(d.energy_max + full, highest) - start,
        ),
        Edge(energy + not_on_board(d) - d.energy_min, d.energy_max - energy),
    )


def _before(x: xr.DataArray, initial: xr.DataArray) -> xr.DataArray:
    """x one step earlier, and `initial` before the first."""
    return xr.where(x.time == x.time[0], initial, x.shift(time=1))
