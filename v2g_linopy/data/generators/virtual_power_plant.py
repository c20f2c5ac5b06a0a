"""Generator: a virtual power plant of sites composed of loads, sun, wind, engines, storages and
vehicles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import SchemaError
from ..sessions.markets import ample_limit, energy_market
from ..sessions.new_case import new_case
from ..sessions.origins import SUN, SYNTHETIC
from ..sessions.sessions_to_fleet import sessions_to_fleet
from ..tables.wording import with_count
from .depot import CONTAINMENT, containment
from .noise_and_prices import days_of, hourly_prices, noise, steps_of, too_small
from .single_site import batteries
from .stays import (
    COSTS,
    OFFICE_WORKERS,
    RESIDENTS,
    VANS,
    WEAR_OF_BATTERIES,
    WEAR_OF_VEHICLES,
    Habit,
    stays,
    together,
)
from .sun_and_buildings import building, profiles, sun


@dataclass(frozen=True)
class Composition:
    """What a site of a kind is composed of, at its largest.

    Parameters
    ----------
    building
        Whose day its load has.
    fixed, compressible, shiftable
        Loads, kW: one that only draws, one that may do without some energy, one that may shift.
    solar, wind, engine
        Roof (kWp), turbine and engine of heat and power (kW).
    storage
        kWh, two hours at full power.
    habit, vehicles
        Who parks, and how many.
    """

    building: str
    fixed: float = 0.0
    compressible: float = 0.0
    shiftable: float = 0.0
    solar: float = 0.0
    wind: float = 0.0
    engine: float = 0.0
    storage: float = 0.0
    habit: Habit | None = None
    vehicles: int = 0


COMPOSITIONS: Mapping[str, Composition] = {
    "cold-store": Composition("depot", compressible=80.0, wind=60.0),
    "farm": Composition("homes", shiftable=30.0, solar=60.0, storage=40.0),
    "bakery": Composition("shop", compressible=40.0, shiftable=20.0, solar=50.0, storage=40.0),
    "campus": Composition(
        *("office", 60.0, 30.0, 20.0, 80.0, 60.0),
        storage=80.0,
        habit=OFFICE_WORKERS,
        vehicles=3,
    ),
    "factory": Composition(
        *("depot", 60.0, 60.0, 40.0, 100.0, 100.0, 50.0),
        storage=100.0,
        habit=VANS,
        vehicles=2,
    ),
    "village": Composition(
        *("homes", 60.0, 0.0, 30.0, 120.0, 100.0, 40.0),
        storage=80.0,
        habit=RESIDENTS,
        vehicles=3,
    ),
    "park": Composition(
        *("shop", 10.0, 60.0, 30.0, 200.0, 150.0), storage=200.0, habit=VANS, vehicles=2
    ),
}
SHIFTED, BUDGET, SPARED = 0.3, 0.5, 0.05
"""Share of its power that a load shifts; hours of full power a day that a load may do without, and
what it costs (EUR/kWh).
"""
POWER_TO_HEAT, ELECTRICAL, FUEL, HEAT = 0.8, 0.38, 30.0, 0.6
"""Of engines: electricity per heat, electricity per fuel, EUR/MWh of fuel, and the most heat that
is needed as a share of what they can make.
"""
FEE = 12.0
"""EUR/MWh, grid fee on import."""


def virtual_power_plant(
    pods: int = 7,
    days: int = 1,
    seed: int = 0,
    *,
    start: str = "2026-03-27",
    timezone: str = "Europe/Rome",
    step: str = "1h",
    discharge: bool = True,
    reserve: bool = True,
) -> xr.DataTree:
    """Return a case of sites composed of loads, sun, wind, engines, storages and vehicles.

    The seven kinds take turns; sizes vary by a third around those of their kind.

    Parameters
    ----------
    pods : int, default 7
        Sites.
    days : int, default 1
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, default "2026-03-27"
        First local day.
    timezone : str, default "Europe/Rome"
        IANA zone of the days.
    step : str, default "1h"
        Step of the case, such as 15min; prices are hourly.
    discharge : bool, default True
        False: chargers that cannot discharge.
    reserve : bool, default True
        Adds a symmetric reserve for which a quarter of an hour of full activation must be on board.

    Returns
    -------
    xarray.DataTree
        `/load`, `/renewable`, `/chp`, `/battery`, `/fleet` (kW, kWh), each with the pod of its
        members, `/energy`, `/connection` and, unless it is left out, `/reserve`. The attribute
        `assumptions` states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.virtual_power_plant(pods=5)
    >>> case["connection"]["pod"].values.tolist()
    ['cold-store-1', 'farm-1', 'bakery-1', 'campus-1', 'factory-1']
    >>> case["chp"]["chp"].values.tolist()
    ['factory-1 engine']
    """
    if problems := too_small(pods=pods):
        raise SchemaError(problems, "the size of the case")
    midnight = days_of(start, days, 1)
    time = steps_of(midnight, timezone, step)
    kinds = list(COMPOSITIONS)
    sites = {f"{kinds[k % 7]}-{k // 7 + 1}": COMPOSITIONS[kinds[k % 7]] for k in range(pods)}
    rngs = {pod: np.random.default_rng([seed, 11, k]) for k, pod in enumerate(sites)}
    size = {pod: float(np.round(rng.uniform(2 / 3, 4 / 3), 2)) for pod, rng in rngs.items()}

    groups = _loads(sites, size, time, timezone, rngs)
    groups |= _plants(sites, size, time, timezone, rngs)
    groups |= _vehicles(sites, midnight, time, timezone, rngs, discharge)
    groups["connection"] = _connections(sites, size)
    grid = groups["connection"]
    power = float(grid["import_max"].sum() + grid["export_max"].sum())
    prices = hourly_prices(midnight, time, timezone, seed)
    groups["energy"] = energy_market(prices, ("day_ahead",), ample_limit(power))
    stated = _sentences(sites, days, seed, start, timezone)
    if reserve:
        groups["reserve"] = containment(time, timezone, seed, power)
        stated.append(CONTAINMENT)
    return new_case(
        time,
        groups,
        timezone=timezone,
        title=f"Virtual power plant of {with_count(pods, 'site')}",
        source="v2g_linopy.virtual_power_plant, synthetic",
        assumptions=stated,
        origins={
            "energy": [SYNTHETIC],
            "renewable/*": [SUN],
            "load/*": ["Loads are synthetic."],
        },
    )


Sites = Mapping[str, Composition]
Sizes = Mapping[str, float]
Draws = Mapping[str, np.random.Generator]


def _loads(
    sites: Sites, size: Sizes, time: pd.DatetimeIndex, timezone: str, rngs: Draws
) -> dict[str, xr.Dataset]:
    """Return `/load`: up to three electric loads of a site, and the heat that its engine covers."""
    rows, fields = {}, []
    for pod, kind in sites.items():
        day = building(time, timezone, rngs[pod], kind.building)
        electric = {
            "load": (kind.fixed, 0.0, 0.0),
            "compressible load": (kind.compressible, 1.0, 0.0),
            "shiftable load": (kind.shiftable, 0.0, SHIFTED),
        }
        for name, (most, curtailed, shifted) in electric.items():
            if most:
                rows[f"{pod} {name}"] = size[pod] * most * day
                budget = BUDGET * size[pod] * most if curtailed else np.inf
                fields.append((pod, "electricity", curtailed, shifted, budget))
        if kind.engine:
            needed = building(time, timezone, rngs[pod], "homes")
            rows[f"{pod} heat"] = HEAT * size[pod] * kind.engine / POWER_TO_HEAT * needed
            fields.append((pod, "heat", 0.0, 0.0, np.inf))
    pods, carriers, sheds, moves, budgets = (list(x) for x in zip(*fields, strict=True))
    group = xr.Dataset({"baseline": profiles(time, rows, "load")})
    for name, shares in {
        "curtail_max": sheds,
        "shift_up_max": moves,
        "shift_down_max": moves,
    }.items():
        share = xr.DataArray(shares, dims="load", coords={"load": list(rows)})
        group[name] = (share * group["baseline"]).assign_attrs(units="kW")
    group["pod"] = ("load", pods)
    group["carrier"] = ("load", carriers)
    group["curtail_energy_max"] = ("load", budgets)
    return {"load": group.assign(curtail_cost=SPARED)}


def _plants(
    sites: Sites, size: Sizes, time: pd.DatetimeIndex, timezone: str, rngs: Draws
) -> dict[str, xr.Dataset]:
    """Return `/renewable`, `/chp` and `/battery`."""
    rows, engines, stores = {}, {}, {}
    for pod, kind in sites.items():
        if kind.solar:
            rows[f"{pod} roof"] = size[pod] * kind.solar * sun(time, timezone, rngs[pod])
        if kind.wind:
            rows[f"{pod} turbine"] = size[pod] * kind.wind * wind(time, rngs[pod])
        if kind.engine:
            engines[pod] = size[pod] * kind.engine
        if kind.storage:
            stores[pod] = size[pod] * kind.storage
    groups = {
        "renewable": xr.Dataset({"available": profiles(time, rows, "renewable")}).assign(
            pod=("renewable", [name.rpartition(" ")[0] for name in rows])
        )
    }
    if stores:
        groups["battery"] = batteries(stores, list(stores))
    if engines:
        most = np.array(list(engines.values()))
        groups["chp"] = xr.Dataset(
            {
                "power_max": ("chp", most, {"units": "kW"}),
                "power_to_heat": POWER_TO_HEAT,
                "eta_power": ELECTRICAL,
                "fuel_price": FUEL,
                "dump_max": ("chp", most / POWER_TO_HEAT, {"units": "kW"}),
                "pod": ("chp", list(engines)),
            },
            coords={"chp": [f"{pod} engine" for pod in engines]},
        )
    return groups


def wind(time: pd.DatetimeIndex, rng: np.random.Generator) -> np.ndarray:
    """Return what a kW of turbine gives in each step, kW; a third of it in the mean.

    It is the cube of a wind that comes and goes over half a day.
    """
    hours = (time[1] - time[0]) / pd.Timedelta("1h") if len(time) > 1 else 1.0
    speed = 0.62 + noise(rng, len(time), float(np.exp(-hours / 12)), 0.2)
    return np.asarray(np.round(np.clip(speed, 0.0, 1.0) ** 3, 4))


def _vehicles(
    sites: Sites,
    midnight: pd.DatetimeIndex,
    time: pd.DatetimeIndex,
    timezone: str,
    rngs: Draws,
    discharge: bool,
) -> dict[str, xr.Dataset]:
    """Return `/fleet` and `/sessions`; none where no vehicle ever comes."""
    days = pd.DatetimeIndex(midnight[:-1])
    tables = [
        stays(
            [f"{pod} ev-{k + 1}" for k in range(kind.vehicles)],
            *(pod, kind.habit, days, timezone, rngs[pod]),
            discharge=discharge,
        )
        for pod, kind in sites.items()
        if kind.habit is not None
    ]
    if not any(table.sizes["session"] for table in tables):
        return {}
    fleet, table = sessions_to_fleet(together(tables), time, rows="vehicle", outside="clip")
    return {"fleet": fleet.assign(COSTS), "sessions": table}


def _connections(sites: Sites, size: Sizes) -> xr.Dataset:
    """Return `/connection`: loads, storage and chargers one way, plants, storage and chargers the
    other.
    """
    drawn, fed = [], []
    for pod, kind in sites.items():
        chargers = kind.vehicles * kind.habit.charger if kind.habit else 0.0
        loads = kind.fixed + kind.compressible + (1 + SHIFTED) * kind.shiftable
        plants = kind.solar + kind.wind + kind.engine
        drawn.append(round(size[pod] * (loads + kind.storage / 2) + chargers, 2))
        fed.append(round(size[pod] * (plants + kind.storage / 2) + chargers, 2))
    fields: dict[str, Any] = {"import_max": drawn, "export_max": fed}
    fields["fee_import"] = [FEE] * len(sites)
    return xr.Dataset({n: ("pod", x) for n, x in fields.items()}, coords={"pod": list(sites)})


def _sentences(sites: Sites, days: int, seed: int, start: str, timezone: str) -> list[str]:
    """State what the case assumes, with its numbers."""
    there = {name for name, kind in COMPOSITIONS.items() if kind in sites.values()}
    return [
        (
            f"{with_count(len(sites), 'site')}, {with_count(days, 'local day')} from {start}"
            f" ({timezone}), seed {seed}."
        ),
        *(_sentence(name, COMPOSITIONS[name]) for name in COMPOSITIONS if name in there),
        "Sizes vary by a third either way; connections carry all that stands behind them.",
        (
            f"A compressible load may do without {BUDGET:g} hours of full power a day, at"
            f" {SPARED:g} EUR/kWh; a shiftable load moves {SHIFTED:g} of its power within the day."
        ),
        (
            f"Engines: {POWER_TO_HEAT:g} kWh of electricity per kWh of heat, efficiency"
            f" {ELECTRICAL:g}, fuel {FUEL:g} EUR/MWh; they cover the heat of their site, and a"
            " cooler takes what is more."
        ),
        (
            "Wind is the cube of a wind that comes and goes over half a day. Batteries: two hours"
            " at full power, as full at the end as at the start (half)."
        ),
        f"Every site pays {FEE:g} EUR/MWh of grid fee on what it draws.",
        *(habit.sentence(whom) for whom, habit in _habits(sites).items()),
        WEAR_OF_VEHICLES,
        WEAR_OF_BATTERIES,
    ]


def _habits(sites: Sites) -> dict[str, Habit]:
    words = {"Commuters": OFFICE_WORKERS, "Vans": VANS, "Residents": RESIDENTS}
    there = [kind.habit for kind in sites.values()]
    return {whom: habit for whom, habit in words.items() if habit in there}


def _sentence(name: str, kind: Composition) -> str:
    sizes = {
        "load": (kind.fixed, "kW"),
        "compressible load": (kind.compressible, "kW"),
        "shiftable load": (kind.shiftable, "kW"),
        "roof": (kind.solar, "kWp"),
        "turbine": (kind.wind, "kW"),
        "engine": (kind.engine, "kW"),
        "battery": (kind.storage, "kWh"),
    }
    words = [f"{what} {most:g} {unit}" for what, (most, unit) in sizes.items() if most]
    if kind.vehicles:
        words.append(with_count(kind.vehicles, "vehicle"))
    return f"Kind {name}: {', '.join(words)}."
