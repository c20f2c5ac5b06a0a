"""Room for reserves in a written plan of a storage, in plain xarray: what a replay of a battery or a fleet shows."""

import xarray as xr

from .core import Edge, Flex, Store
from .maths import larger, smaller


def of_storage(d: xr.Dataset) -> Flex:
    """Room about the expected power, and about the energy at both edges of the step on the path that is guaranteed.

    At the start edge floor and ceiling are what a legal plan can hold there before power flows (FORMULATION §3).
    """
    path = "_baseline" if "energy_baseline" in d else ""
    power, idle = (d["discharge" + p] - d["charge" + p] for p in ("", path))
    there = _storing(d)
    return Flex(
        up=d.discharge_max.where(there, 0.0) - power,
        down=d.charge_max.where(there, 0.0) + power,
        store=Store(lambda: _edges(d, path), d.eta_charge, d.eta_discharge),
        baseline=idle - power if path else None,
    )


def _storing(d: xr.Dataset) -> xr.DataArray:
    """Return False where nothing can hold energy in the step, so that its power delivers nothing."""
    before = _before(d.energy_max + xr.zeros_like(d.energy), d.energy_initial) * d.get("keep", 1.0)
    passing = d.get("energy_in", 0.0) + d.get("energy_out", 0.0) + d.get("spill_max", 0.0)
    return xr.DataArray(d.energy_max + before + passing > 0)


def _edges(d: xr.Dataset, path: str) -> tuple[Edge, Edge]:
    energy = d["energy" + path]
    full = xr.zeros_like(energy)
    keep, arriving = d.get("keep", 1.0), d.get("energy_in", 0.0) - d.get("energy_out", 0.0)
    start = _before(energy, d.energy_initial) * keep + arriving
    start = start + d.get("unserved_trip", 0.0) - d.get("spill" + path, 0.0)
    soft = d.unserved_cost.notnull() if "unserved_cost" in d else False
    floor = (d.energy_min + full).where(~((d.energy_min > 0) & soft), 0.0)
    lowest = _before(floor, d.energy_initial) * keep + arriving - d.get("spill_max", 0.0)
    highest = _before(d.energy_max + full, d.energy_initial) * keep + arriving
    highest = highest + (d.get("energy_out", 0.0) + full).where(soft, 0.0)
    return (
        Edge(start - smaller(d.energy_min + full, lowest), larger(d.energy_max + full, highest) - start),
        Edge(energy + d.get("unserved", 0.0) - d.energy_min, d.energy_max - energy),
    )


def _before(x: xr.DataArray, initial: xr.DataArray) -> xr.DataArray:
    """x one step earlier, and `initial` before the first."""
    return xr.where(x.time == x.time[0], initial, x.shift(time=1))
