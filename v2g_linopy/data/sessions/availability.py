"""A fleet known only by the share of it that is plugged in."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..tables.unit_conversion import in_unit
from ..tables.wording import first_few

PerFleet = float | Mapping[str, float] | xr.DataArray


def from_availability(
    availability: xr.DataArray,
    *,
    vehicles: PerFleet,
    capacity: PerFleet,
    charge_max: PerFleet,
    discharge_max: PerFleet | None = None,
    contract_limit: PerFleet = 1.0,
    eta_charge: PerFleet = 0.95,
    eta_discharge: PerFleet = 0.95,
    start: PerFleet = 1.0,
    wear: PerFleet = 0.0,
    slack_cost: PerFleet | None = None,
    unserved_cost: PerFleet | None = None,
    aggregate: bool = True,
) -> xr.Dataset:
    """Return the group `/fleet` of fleets known by the share of their vehicles that is plugged in.

    With the share k, n vehicles, chargers of p and batteries of E::

        charge_max = n p k,   energy_min = (1 - L) n E k,   energy_max = n E k,
        energy_initial = start n E

    No energy arrives or leaves with the vehicles: a leaving one sells its energy first, so that a
    steep fall of k can leave no plan at all; `slack_cost` admits one at a price.

    Parameters
    ----------
    availability : xarray.DataArray
        Share k plugged in, 0 to 1, on ``(fleet, time)``.
    vehicles : float, mapping or xarray.DataArray
        Number n of vehicles of each fleet. This and every other number: one, or one per fleet.
    capacity : float, mapping or xarray.DataArray
        Battery E of one vehicle, kWh.
    charge_max : float, mapping or xarray.DataArray
        Charger p of one vehicle, kW at the grid.
    discharge_max : float, mapping or xarray.DataArray, optional
        Discharging power of one vehicle, kW at the grid; like charging unless given.
    contract_limit : float, mapping or xarray.DataArray, default 1.0
        Share L of the battery that may be used; ``1 - L`` stays on board.
    eta_charge, eta_discharge : float, mapping or xarray.DataArray, default 0.95
        Efficiency each way.
    start : float, mapping or xarray.DataArray, default 1.0
        Energy before the first step, as a share of ``n E`` (not of what is plugged in).
    wear : float, mapping or xarray.DataArray, default 0.0
        EUR per kWh that leaves the battery.
    slack_cost : float, mapping or xarray.DataArray, optional
        EUR per kWh of penalised slack; without it there is none.
    unserved_cost : float, mapping or xarray.DataArray, optional
        EUR per kWh by which ``energy_min`` may be missed; without it that limit is hard.
    aggregate : bool, default True
        Many vehicles: one may charge while another discharges. False: the fleet does one at a time.

    Returns
    -------
    xarray.Dataset
        The arrays of `/fleet` on fleet and `time`: powers in kW, energies in kWh.

    Raises
    ------
    SchemaError
        Every parameter out of range, and every fleet and hour whose share is.

    Examples
    --------
    A hundred cars at 7 kW chargers, of which all and then half are plugged in:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=2, freq="h")
    >>> share = xr.DataArray([[1.0, 0.5]], coords={"fleet": ["home"], "time": time})
    >>> fleet = v2g.from_availability(share, vehicles=100, capacity=40.0, charge_max=7.0)
    >>> fleet.charge_max.values.tolist(), fleet.energy_max.values.tolist()
    ([[700.0, 350.0]], [[4000.0, 2000.0]])
    """
    availability = in_unit(availability, "1", "availability")
    problems = _share(availability)
    if problems:
        raise SchemaError(problems, "the availability")
    k = availability.transpose("fleet", "time").astype(float)
    fleets = k.indexes["fleet"]
    given: dict[str, PerFleet] = {
        "vehicles": vehicles,
        "capacity": capacity,
        "charge_max": charge_max,
        "discharge_max": charge_max if discharge_max is None else discharge_max,
        "contract_limit": contract_limit,
        "eta_charge": eta_charge,
        "eta_discharge": eta_discharge,
        "start": start,
        "wear": wear,
    }
    given |= {
        n: v
        for n, v in (("slack_cost", slack_cost), ("unserved_cost", unserved_cost))
        if v is not None
    }
    p = {name: _per_fleet(name, value, fleets, problems) for name, value in given.items()}
    if problems:
        raise SchemaError(problems, "the fleets")
    energy = p["vehicles"] * p["capacity"]
    data: dict[str, xr.DataArray] = {
        "charge_max": p["vehicles"] * p["charge_max"] * k,
        "discharge_max": p["vehicles"] * p["discharge_max"] * k,
        "energy_min": (1 - p["contract_limit"]) * energy * k,
        "energy_max": energy * k,
        "energy_initial": p["start"] * energy,
        **{
            n: p[n]
            for n in ("eta_charge", "eta_discharge", "wear", "vehicles", "slack_cost")
            if n in p
        },
        "unserved_cost": p.get("unserved_cost", xr.full_like(energy, np.nan)),
        "aggregate": xr.DataArray(np.full(len(fleets), int(aggregate)), coords={"fleet": fleets}),
    }
    return xr.Dataset(data).transpose("fleet", "time", missing_dims="ignore")


def _share(k: xr.DataArray) -> list[Problem]:
    if set(k.dims) != {"fleet", "time"} or not {"fleet", "time"} <= set(k.indexes):
        detail = f"has dimensions {first_few(k.dims)}; it needs labelled dimensions fleet and time"
        return [Problem("availability", "dims", detail)]
    problems = []
    for name, values in zip(
        k.indexes["fleet"], np.asarray(k.transpose("fleet", "time")), strict=True
    ):
        wrong = ~((values >= 0) & (values <= 1))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            at = k.indexes["time"][first]
            detail = (
                f"fleet {name}: {values[first]:g} at {at} ({wrong.sum()} such steps), allowed"
                " [0, 1]"
            )
            problems.append(Problem("availability", "range", detail))
    return problems


def _per_fleet(
    name: str, value: PerFleet, fleets: pd.Index, problems: list[Problem]
) -> xr.DataArray:
    """Return one number per fleet; note what is missing or out of range."""
    if isinstance(value, Mapping):
        if missing := [f for f in fleets if f not in value]:
            problems.append(
                Problem(name, "labels", f"gives nothing for fleet {first_few(missing)}")
            )
        numbers = [float(value.get(f, 0.0)) for f in fleets]
        value = xr.DataArray(numbers, coords={"fleet": fleets})
    elif not isinstance(value, xr.DataArray):
        value = xr.DataArray(np.full(len(fleets), float(value)), coords={"fleet": fleets})
    value = value.drop_attrs()
    share = name in ("contract_limit", "start", "eta_charge", "eta_discharge")
    low, high = (0.0, 1.0) if share else (0.0, np.inf)
    bad = ~((value >= low) & (value <= high) & np.isfinite(value)) | (
        name.startswith("eta") & (value == 0)
    )
    if bool(bad.any()):
        allowed = "[0, 1]" if share else "at least 0 and finite"
        problems.append(
            Problem(name, "range", f"{first_few(np.asarray(value[bad]))}, allowed {allowed}")
        )
    return value
