"""Synthetic stays of vehicles at a pod, seeded, on local clocks: at work by day, at home or a depot
by night.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ...case.calendar import instants
from ..sessions.battery_costs import STATIONARY_WEAR, STATIONARY_WEAR_SOURCE, WEAR, WEAR_SOURCE

DAY = pd.Timedelta("1D")
UNSERVED_COST = 10.0
"""EUR per kWh of need not served."""
COSTS = {"wear": ((), WEAR), "unserved_cost": ((), UNSERVED_COST)}
"""EUR per kWh that leaves the battery of a vehicle, and per kWh of need not served."""
WEAR_OF_VEHICLES = f"Wear {WEAR:g} EUR per kWh leaving a vehicle: {WEAR_SOURCE}."
WEAR_OF_BATTERIES = (
    f"Wear {STATIONARY_WEAR:g} EUR per kWh leaving a battery that stands still:"
    f" {STATIONARY_WEAR_SOURCE}."
)


@dataclass(frozen=True)
class Habit:
    """When vehicles of a kind come and go (minutes of the local day), what they carry and need.

    `arrives`, `leaves`: earliest and latest minute; at night they leave on the morning after.
    `on_board`: least and largest share of the battery on arrival (uniform); `need`: share at
    departure. `working`: on working days only.
    """

    arrives: tuple[int, int]
    leaves: tuple[int, int]
    on_board: tuple[float, float]
    need: float
    capacity: float
    charger: float
    night: bool = False
    working: bool = False

    def sentence(self, whom: str) -> str:
        """State the habit in words, with its numbers."""
        clock = [f"{m // 60}:{m % 60:02d}" for m in (*self.arrives, *self.leaves)]
        days = " on working days" if self.working else " every day"
        after = " the morning after" if self.night else ""
        low, high = (f"{100 * x:g}" for x in self.on_board)
        return (
            f"{whom} arrive{days} at a random minute from {clock[0]} to {clock[1]} with {low} to"
            f" {high} % of {self.capacity:g} kWh on board (uniform), leave from {clock[2]} to"
            f" {clock[3]}{after} and need {100 * self.need:g} %; chargers {self.charger:g} kW."
        )


OFFICE_WORKERS = Habit(
    (7 * 60, 9 * 60 + 30), (16 * 60, 18 * 60 + 30), (0.3, 0.7), 0.8, 60.0, 11.0, working=True
)
RESIDENTS = Habit(
    (17 * 60, 21 * 60), (6 * 60 + 30, 8 * 60 + 30), (0.3, 0.8), 0.8, 60.0, 11.0, night=True
)
VANS = Habit((15 * 60, 18 * 60), (6 * 60, 8 * 60), (0.3, 0.6), 0.9, 60.0, 22.0, night=True)


def vehicle_labels(word: str, count: int, width: int = 2) -> list[str]:
    """Name vehicles.

    >>> vehicle_labels("van", 2)
    ['van-01', 'van-02']
    """
    width = max(width, len(str(count)))
    return [f"{word}-{k + 1:0{width}d}" for k in range(count)]


def stays(
    labels: Sequence[str],
    pod: str,
    habit: Habit,
    midnight: pd.DatetimeIndex,
    timezone: str,
    rng: np.random.Generator,
    *,
    discharge: bool = True,
    efficiency: float = 0.93,
) -> xr.Dataset:
    """Return the charging sessions of vehicles with a habit, as `sessions_to_fleet` takes them.

    `midnight` are the local days; nights begin the evening before the first. May be empty: no
    working day, no vehicle."""
    days = pd.DatetimeIndex([midnight[0] - DAY, *midnight]) if habit.night else midnight
    if habit.working:
        days = days[days.day_of_week < 5]
    shape = (len(labels), len(days))
    arrival, departure = (rng.integers(*span, shape) for span in (habit.arrives, habit.leaves))
    board = np.round(rng.uniform(*habit.on_board, shape) * habit.capacity, 2)
    departure = departure + habit.night * 24 * 60
    count = len(labels) * len(days)

    def same(value: float, unit: str) -> tuple[str, np.ndarray, dict[str, str]]:
        return "session", np.full(count, value), {"units": unit}

    return xr.Dataset(
        {
            "arrival": ("session", moments(days, arrival, timezone)),
            "departure": ("session", moments(days, departure, timezone)),
            "vehicle": ("session", np.repeat(np.array(labels, dtype=str), len(days))),
            "pod": ("session", np.full(count, pod)),
            "energy_arrival": ("session", board.ravel(), {"units": "kWh"}),
            "energy_need": same(habit.need * habit.capacity, "kWh"),
            "capacity": same(habit.capacity, "kWh"),
            "charge_max": same(habit.charger, "kW"),
            "discharge_max": same(habit.charger * discharge, "kW"),
            "eta_charge": same(efficiency, "1"),
            "eta_discharge": same(efficiency, "1"),
        },
        coords={"session": np.arange(count)},
    )


def together(tables: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the sessions of several habits and pods under one numbering."""
    some = [t for t in tables if t.sizes["session"]] or list(tables[:1])
    joined = xr.concat(some, "session")
    return joined.assign_coords(session=np.arange(joined.sizes["session"]))


def moments(days: pd.DatetimeIndex, minutes: np.ndarray, timezone: str) -> np.ndarray:
    """Return minutes of local days as naive UTC, a row of days for each row of minutes.

    See `instants`.
    """
    clock = np.asarray(days, "datetime64[m]")[None, :] + minutes.astype("timedelta64[m]")
    return np.asarray(
        instants(pd.DatetimeIndex(clock.ravel().astype("datetime64[ns]")), timezone),
        "datetime64[ns]",
    )
