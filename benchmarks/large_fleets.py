"""The fleet that large-fleet numbers are given for, of any size, from square roots of primes."""

import numpy as np
import pandas as pd
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.model.inputs import Inputs, inputs_of
from v2g_linopy.solve import solver
from v2g_linopy.solve.assembly import assemble_model
from v2g_linopy.solve.decompose.large_fleets_plan import solved_by_rounds
from v2g_linopy.solve.oracle import Stays
from v2g_linopy.solve.oracle_members import choose, vehicle_stays
from v2g_linopy.solve.solver import Settings

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)
POWERS = np.array([3.7, 7.4, 11.0, 22.0])
HOURS = 24


def fleet_of(count: int, per_hour: int = 1) -> xr.Dataset:
    """Cars with one stay of 8 to 15 hours; every second one may feed in. With more steps in an hour
    they come and go at any of them.

    With u_k(i) the fractional part of (i + 1) sqrt(p_k), and p_k the k-th prime: arrival, length of
    the stay, power, battery, energy on arrival, both efficiencies, and wear."""
    i = np.arange(count)
    u = [((i + 1) * np.sqrt(p)) % 1.0 for p in PRIMES]
    steps = HOURS * per_hour
    arrival = np.floor(per_hour * (4 + 5 * u[0])).astype(int)
    stay = np.minimum(np.floor(per_hour * (8 + 8 * u[1])).astype(int), steps - arrival)
    power, battery = POWERS[np.floor(4 * u[2]).astype(int)], 40 + 40 * u[3]
    came, eta = battery * (0.15 + 0.4 * u[4]), 0.88 + 0.08 * u[5]
    need = np.minimum(0.8 * battery, came + 0.9 * power * eta * stay / per_hour)
    step = np.arange(steps)
    plugged = (step >= arrival[:, None]) & (step < (arrival + stay)[:, None])
    arrives, leaves = step == arrival[:, None], step == (arrival + stay - 1)[:, None]

    each = {
        "charge_max": plugged * power[:, None],
        "discharge_max": plugged * power[:, None] * (i % 2 == 0)[:, None],
        "energy_min": leaves * need[:, None],
        "keep": (plugged & ~arrives).astype(float),
        "energy_in": arrives * came[:, None],
    }
    numbers = {"energy_max": battery, "eta_charge": eta, "eta_discharge": 0.88 + 0.08 * u[6]}
    numbers["wear"] = 0.02 + 0.04 * u[7]
    data = {name: (("fleet", "time"), x) for name, x in each.items()}
    data |= {name: ("fleet", x) for name, x in numbers.items()}
    return xr.Dataset(data, coords={"fleet": [f"ev-{k:06d}" for k in i]})


def fleet_case(count: int, per_hour: int = 1, **connection: float) -> xr.DataTree:
    """The fleet at one ample market, and behind one connection where its fields are given."""
    steps, length = HOURS * per_hour, pd.Timedelta(hours=1 / per_hour)
    time = pd.date_range("2026-01-05", periods=steps, freq=length, name="time")
    t = np.arange(steps) / per_hour
    day, half = np.sin(2 * np.pi * (t + 2) / 24), np.sin(4 * np.pi * (t - 1) / 24)
    price = 1000 * (0.12 + 0.05 * day + 0.03 * half)
    market = {"price": ("time", price), "limit": 100.0 * count}
    groups = {
        "fleet": fleet_of(count, per_hour),
        "energy": xr.Dataset(market, coords={"market": ["day_ahead"]}),
    }
    if connection:
        fields = {name: ("pod", [x]) for name, x in connection.items()}
        groups["connection"] = xr.Dataset(fields, coords={"pod": ["site"]})
    return v2g.assemble(time, groups, title=f"{count} cars")


def stays_and_prices(count: int) -> tuple[Stays, np.ndarray]:
    """The stays of the fleet, and the prices of its market (EUR/kWh)."""
    inputs = inputs_of(fleet_case(count), v2g.PARTS)
    stays = vehicle_stays(inputs, np.arange(count), inputs.pods)
    return stays, inputs.data["energy"].price.to_numpy().ravel()


def with_reserves(case: xr.DataTree, hours: float = 0.0) -> xr.DataTree:
    """The same with a product upward and one both ways, which ask for room, or for so many hours of
    energy behind it.
    """
    time = case.indexes["time"]
    day = np.sin(2 * np.pi * np.arange(len(time)) / len(time))
    reserve = {
        "up": ("product", [1.0, 1.0]),
        "down": ("product", [0.0, 1.0]),
        "capacity_price": (("product", "time"), [10 + 5 * day, 12 - 5 * day]),
    }
    if hours:
        reserve |= {"guarantee": ("product", ["endurance"] * 2)}
        reserve |= {"hours_up": ("product", [hours] * 2), "hours_down": ("product", [0.0, hours])}
    names = {"product": ["upward", "both_ways"], "time": time}
    found = case.copy()
    found["reserve"] = xr.Dataset(reserve, coords=names)
    return found


def prices_of(inputs: Inputs) -> np.ndarray:
    """What a kW given earns in each step at the markets, power first and then each product, on
    (pod, quantity, time).
    """
    power = inputs.data["energy"].price.to_numpy().reshape(1, -1)
    held = inputs.data["reserve"].capacity_price.transpose("product", "time").to_numpy()
    found: np.ndarray = inputs.dt * np.concatenate([power, held])[None]
    return found


def by_rounds(inputs: Inputs, gap: float = 1e-6) -> tuple[float, float]:
    """The value of a fleet by rounds of prices and plans, and its relative gap."""
    loop, now = solved_by_rounds(inputs, choose(inputs), Settings().start(), gap)
    left = (loop.bound - now.value) / abs(now.value)
    assert left <= gap, left
    return now.value, left


def by_one_programme(inputs: Inputs) -> float:
    """The value of the same by one linear programme of all vehicles."""
    matrix = solver.matrix_of(assemble_model(inputs).model)
    return solver.solve_matrix(matrix, Settings().start()).objective
