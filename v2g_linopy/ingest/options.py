"""What the data does not hold: stated assumptions, never silent guesses."""

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import Problem, SchemaError
from .clock import counted, listed
from .quantities import in_unit, stacked


class BatteryAssumption(BaseModel):
    """Battery, energy on arrival and charger of a session of which only the metered energy is known.

    ::

        capacity       = max(capacity_min, capacity_per_energy * eta_charge * energy)
        energy_need    = full * capacity                       it left as full as this
        energy_arrival = energy_need - eta_charge * energy     and had charged what the meter says
        charge_max     = power_max; charger_margin * energy / hours plugged in where the energy does not fit otherwise
        discharge_max  = discharge_share * charge_max
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity_min: float = Field(default=60.0, gt=0, description="smallest battery, kWh")
    capacity_per_energy: float = Field(default=1.25, ge=1, description="battery per kWh that went into it")
    full: float = Field(default=0.9, gt=0, le=1, description="energy at departure, as a share of the battery")
    eta_charge: float = Field(default=0.95, gt=0, le=1, description="charging efficiency")
    eta_discharge: float = Field(default=0.95, gt=0, le=1, description="discharging efficiency")
    charger_margin: float = Field(
        default=1.02, ge=1, description="charger per mean power, where power_max is too little"
    )
    discharge_share: float = Field(default=1.0, ge=0, description="discharging per charging power; 0: smart charging")

    @model_validator(mode="after")
    def _leaves_room(self) -> "BatteryAssumption":
        if self.full * self.capacity_per_energy < 1:
            raise ValueError("full * capacity_per_energy must be at least 1: otherwise a car arrives with less than 0")
        return self

    def sentences(self) -> list[str]:
        """State the rules in words, with their numbers."""
        return [
            f"Battery of a session: the larger of {self.capacity_min:g} kWh and {self.capacity_per_energy:g} times the "
            f"energy that went into it (metered energy times the charging efficiency of {self.eta_charge:g}).",
            f"Energy at departure: {self.full:g} of the battery; energy on arrival: that, less what went into it.",
            "Charger: the largest power seen in the session; where the metered energy does not fit the stay at that, "
            f"{self.charger_margin:g} times the energy over the hours plugged in; "
            f"discharging: {self.discharge_share:g} times the charger; efficiencies {self.eta_charge:g} in, "
            f"{self.eta_discharge:g} out.",
        ]

    def apply(self, sessions: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
        """Add the columns that are not there yet; return them and sentences on what was assumed and for whom.

        Parameters
        ----------
        sessions
            Dataset on ``session`` with ``arrival``, ``departure``, ``energy`` (kWh, metered at the grid) and
            ``power_max`` (kW).

        Raises
        ------
        SchemaError
            ``energy`` or ``power_max`` is missing, or the hours plugged in are not positive.
        """
        problems = [
            Problem(f"sessions.{name}", "missing", f"the battery assumption needs the {what}")
            for name, what in (("energy", "metered energy (kWh)"), ("power_max", "largest power seen (kW)"))
            if name not in sessions
        ]
        hours = (sessions["departure"] - sessions["arrival"]) / np.timedelta64(1, "h")
        if bool((~(hours > 0)).any()):
            bad = sessions["session"].where(~(hours > 0), drop=True)
            detail = f"session {listed(np.asarray(bad).astype(int), 50)}: leaves before or when it arrives"
            problems.append(Problem("sessions.departure", "consistency", detail))
        if problems:
            raise SchemaError(problems, "the sessions")
        energy = in_unit(sessions["energy"], "kWh", "sessions.energy")
        power = in_unit(sessions["power_max"], "kW", "sessions.power_max")
        into = self.eta_charge * energy
        capacity = np.maximum(self.capacity_min, self.capacity_per_energy * into)
        mean = energy / hours
        raised = mean > power
        charger = xr.where(raised, self.charger_margin * mean, power)
        made = {
            "capacity": (capacity, "kWh", "battery (assumed)"),
            "energy_need": (self.full * capacity, "kWh", "energy on board needed at departure (assumed)"),
            "energy_arrival": (self.full * capacity - into, "kWh", "energy on board at arrival (assumed)"),
            "charge_max": (charger, "kW", "charger power at the grid (assumed)"),
            "discharge_max": (self.discharge_share * charger, "kW", "discharging power at the grid (assumed)"),
            "eta_charge": (xr.DataArray(self.eta_charge), "1", "charging efficiency (assumed)"),
            "eta_discharge": (xr.DataArray(self.eta_discharge), "1", "discharging efficiency (assumed)"),
        }
        new = {n: a.assign_attrs(units=u, long_name=t) for n, (a, u, t) in made.items() if n not in sessions}
        said = self.sentences()
        names = np.asarray(sessions["session"])[np.asarray(raised)]
        if "charge_max" in new and len(names):
            said.append(
                "Charger raised above the largest power seen, so that the metered energy fits the stay, in "
                f"{counted(len(names), 'session')}: {listed(names, 400)}."
            )
        return sessions.assign(new), said


class Regulation(BaseModel):
    """Regulation sold as two products, `up` and `down`, from one pair of prices; NaN or 0 is an hour not accepted.

    ``settlement="capacity"``: the price is paid on capacity and activated energy is settled at the energy market.
    ``"energy"``: no capacity price, activated energy is settled at the regulation prices.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    up: str = Field(default="regulation_up", description="name of the upward price, EUR/MWh")
    down: str = Field(default="regulation_down", description="name of the downward price, EUR/MWh")
    activation_up: float = Field(default=0.25, ge=0, lt=1, description="expected share of upward capacity used")
    activation_down: float = Field(default=0.75, ge=0, lt=1, description="expected share of downward capacity used")
    settlement: Literal["capacity", "energy"] = "capacity"

    def sentences(self) -> list[str]:
        """State the rules in words, with their numbers."""
        money = {
            "capacity": "The price is paid per MW and hour; activated energy is settled at the energy market.",
            "energy": "Nothing is paid for capacity; activated energy is settled at the regulation prices.",
        }
        return [
            f"Regulation is sold as two products; on average {self.activation_up:g} of upward and "
            f"{self.activation_down:g} of downward capacity is activated.",
            money[self.settlement],
            "In hours in which nothing was accepted nothing can be sold.",
        ]

    def reserve(self, prices: xr.Dataset, volume: float, currency: str = "EUR") -> xr.Dataset:
        """Return the group `/reserve` for prices on ``time``; at most `volume` kW of each product can be sold."""
        price = stacked(prices, {"up": self.up, "down": self.down}, "product", currency)
        accepted = price.fillna(0.0) != 0
        price = price.where(accepted, 0.0)
        data: dict[str, object] = {
            "up": ("product", [1.0, 0.0]),
            "down": ("product", [0.0, 1.0]),
            "activation_up": ("product", [self.activation_up, 0.0]),
            "activation_down": ("product", [0.0, self.activation_down]),
            "volume_max": accepted * volume,
        }
        if self.settlement == "capacity":
            data["capacity_price"] = price
        else:
            data |= {"activation_price_up": price, "activation_price_down": price}
        return xr.Dataset(data)
