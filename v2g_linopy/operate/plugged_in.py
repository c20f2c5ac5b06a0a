"""What is plugged in, as plain numbers on (step, member): what online operation by a rule works on
(docs/formulation.md §4).
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..model.inputs import Inputs


@dataclass(frozen=True)
class Stays:
    """A fleet of stays that bind each other nowhere, each in one row of its own for a while.

    All arrays are on (step, member) unless something else is said. Energies at the grid are those
    of a whole step (kWh).
    """

    charge_max: np.ndarray  # kWh drawn at most
    discharge_max: np.ndarray  # kWh fed in at most
    energy_min: np.ndarray  # kWh on board at the end of the step, at least
    energy_max: np.ndarray
    energy_in: np.ndarray  # kWh on board of who arrives
    eta_charge: np.ndarray
    eta_discharge: np.ndarray
    allowance: np.ndarray  # kWh that the stay may feed in altogether; inf where nothing is agreed
    charge_cost: np.ndarray  # EUR per kWh drawn, besides its price
    discharge_cost: np.ndarray  # EUR per kWh fed in, besides its price
    first: np.ndarray  # first step of the stay, -1 where nothing is plugged in
    last: np.ndarray  # last step of the stay, -1 where nothing is plugged in
    begins: np.ndarray  # True where nothing is kept of the step before
    restarts: np.ndarray  # True where the allowance is counted anew

    def plugged(self, step: int) -> np.ndarray:
        """Return the members that something is plugged in at in a step."""
        return np.flatnonzero(self.last[step] >= 0)


def stays_of(inputs: Inputs) -> Stays:
    """Read the stays of a fleet whose rows restart at each arrival."""
    fleet = inputs.data["fleet"]
    on_steps = xr.DataArray(
        0.0,
        coords={"time": inputs.calendar.time, "fleet": fleet.indexes["fleet"]},
        dims=("time", "fleet"),
    )

    def numbers(x: xr.DataArray | float) -> np.ndarray:
        return np.ascontiguousarray((on_steps + x).transpose("time", "fleet").to_numpy())

    keep = numbers(fleet.keep)
    first, last = _ends(keep, numbers(fleet.charge_max), numbers(fleet.discharge_max))
    eta_charge, eta_discharge = numbers(fleet.eta_charge), numbers(fleet.eta_discharge)
    retail = 0.0 if "need_billed" in fleet else fleet.retail_price
    allowance = fleet.get("allowance", xr.DataArray(np.nan))
    contract = inputs.data.get("contract")
    dispatch = 0.0 if contract is None else contract.dispatch_cost.where(allowance.notnull(), 0.0)
    return Stays(
        charge_max=inputs.dt * numbers(fleet.charge_max),
        discharge_max=inputs.dt * numbers(fleet.discharge_max),
        energy_min=numbers(fleet.energy_min),
        energy_max=numbers(fleet.energy_max),
        energy_in=numbers(fleet.energy_in),
        eta_charge=eta_charge,
        eta_discharge=eta_discharge,
        allowance=numbers(allowance.fillna(np.inf)),
        charge_cost=numbers(fleet.wear_charge) * eta_charge - numbers(retail),
        discharge_cost=numbers(fleet.wear) / eta_discharge + numbers(retail) + numbers(dispatch),
        first=first,
        last=last,
        begins=(first >= 0) & (keep == 0),
        restarts=numbers(fleet.get("restart", 0.0)) > 0,
    )


def _ends(
    keep: np.ndarray, charge_max: np.ndarray, discharge_max: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last step of the stay in each cell; -1 where there is none.

    A stay begins where nothing is kept from the step before (`keep` 0) and power is there.
    """
    there = (keep > 0) | (charge_max > 0) | (discharge_max > 0)
    before = np.vstack([np.zeros_like(there[:1]), there[:-1]])
    begins = there & ((keep == 0) | ~before)
    steps = np.arange(len(there))[:, None]
    first = np.maximum.accumulate(np.where(begins, steps, -1), axis=0)

    after = np.vstack([~there[1:] | begins[1:], np.ones_like(there[:1])])
    ends = np.where(there & after, steps, len(there))
    last = np.minimum.accumulate(ends[::-1], axis=0)[::-1]
    return np.where(there, first, -1), np.where(there, last, -1)
