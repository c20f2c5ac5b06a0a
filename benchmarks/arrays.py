"""A case as plain dense numpy arrays, in kW, kWh, h and EUR: what the hand-written and the Pyomo
model start from.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
DEFAULTS = {
    "discharge_max": 0.0,
    "energy_min": 0.0,
    "energy_initial": 0.0,
    "keep": 1.0,
    "energy_in": 0.0,
    "eta_charge": 0.95,
    "eta_discharge": 0.95,
    "wear": 0.0,
    "retail_price": 0.0,
    "unserved_cost": 10.0,
    "activation_up": 0.0,
    "activation_down": 0.0,
    "capacity_price": 0.0,
    "volume_max": np.inf,
}


@dataclass(frozen=True)
class Arrays:
    """Fleet arrays on (fleet, time), market arrays on (market, time), reserve arrays on (product,
    time).
    """

    dt: float
    fleet: dict[str, Array]
    energy: dict[str, Array]
    reserve: dict[str, Array]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of members, steps, markets and products."""
        members, steps = self.fleet["charge_max"].shape
        return members, steps, len(self.energy["price"]), len(self.reserve["up"])

    @property
    def plugged(self) -> Flags:
        """True where a member can move power."""
        return self.fleet["charge_max"] + self.fleet["discharge_max"] > 0

    @property
    def alive(self) -> Flags:
        """True where a member holds or moves energy; elsewhere it has none."""
        return self.plugged | (self.fleet["keep"] > 0) | (self.fleet["energy_in"] > 0)

    @property
    def share_max(self) -> Array:
        """Most that a member can hold of a product (kW), on (fleet, product, time): its whole span
        for both rooms.
        """
        r, net = self.reserve, self.reserve["activation_up"] - self.reserve["activation_down"]
        span = self.fleet["charge_max"] + self.fleet["discharge_max"]
        return span[:, None] / np.maximum(r["up"] - net, r["down"] + net)


RESERVE = ["up", "down", "activation_up", "activation_down", "capacity_price", "volume_max"]
FLEET = [
    "charge_max",
    "discharge_max",
    "energy_min",
    "energy_max",
    "energy_initial",
    "keep",
    "energy_in",
]
FLEET += ["eta_charge", "eta_discharge", "wear", "retail_price", "unserved_cost"]


def read(case: xr.DataTree) -> Arrays:
    """The arrays of a case with a fleet, energy markets and reserves of level `expected` (declared
    units only).
    """
    time = case["time"].values
    dt = float((time[1] - time[0]) / np.timedelta64(1, "h"))
    energy = _group(case["energy"].to_dataset(), ["price", "limit"], "market", len(time))
    energy["price"] = energy["price"] / 1000
    if "reserve" not in case.children:
        reserve = {name: np.zeros((0, len(time))) for name in (*RESERVE, "activation_cash")}
    else:
        reserve = _reserve(case["reserve"].to_dataset(), energy["price"][0], len(time))
    return Arrays(
        dt, _group(case["fleet"].to_dataset(), FLEET, "fleet", len(time)), energy, reserve
    )


def _reserve(group: xr.Dataset, market_price: Array, steps: int) -> dict[str, Array]:
    arrays = _group(group, RESERVE, "product", steps)
    arrays["capacity_price"] = arrays["capacity_price"] / 1000
    settled = {}
    for way in (
        "up",
        "down",
    ):  # EUR/kWh of activated energy: the first energy market's price where none is given
        name = f"activation_price_{way}"
        given = name in group
        settled[way] = (
            _group(group, [name], "product", steps)[name] / 1000 if given else market_price
        )
    up, down = arrays["activation_up"], arrays["activation_down"]
    return arrays | {"activation_cash": up * settled["up"] - down * settled["down"]}


def _group(group: xr.Dataset, names: list[str], member: str, steps: int) -> dict[str, Array]:
    shape = (group.sizes[member], steps)
    return {name: _dense(group, name, (member, "time"), shape) for name in names}


def _dense(group: xr.Dataset, name: str, dims: tuple[str, str], shape: tuple[int, int]) -> Array:
    if name not in group:
        return np.broadcast_to(np.float64(DEFAULTS[name]), shape)
    array = group[name]
    values = array.transpose(*(d for d in dims if d in array.dims)).values.astype(
        np.float64, copy=False
    )
    return np.broadcast_to(values[:, None] if array.dims == dims[:1] else values, shape)
