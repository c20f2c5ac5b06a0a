"""Generator: a portfolio of sites of several kinds that trade together."""

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
from .gate_of_portfolio import gate_and_forecasts, gate_sentences
from .noise_and_prices import days_of, hourly_prices, steps_of, too_small
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
class SiteKind:
    """What stands at a site of a kind.

    These are its largest load (kW), roof (kWp), battery (kWh), who parks, and the price of its
    peak (EUR/kW).
    """

    load: float
    solar: float
    battery: float
    habit: Habit | None = None
    peak_price: float = 0.0


FEE = 12.0
"""EUR/MWh, grid fee on import."""
SITE_KINDS: Mapping[str, SiteKind] = {
    "office": SiteKind(80.0, 60.0, 0.0, OFFICE_WORKERS, 6.0),
    "depot": SiteKind(30.0, 40.0, 60.0, VANS, 6.0),
    "homes": SiteKind(40.0, 30.0, 0.0, RESIDENTS),
    "shop": SiteKind(50.0, 100.0, 80.0),
    "park": SiteKind(0.0, 200.0, 200.0),
}


def portfolio(
    vehicles: int = 30,
    days: int = 3,
    seed: int = 0,
    *,
    pods: int = 10,
    start: str = "2026-03-27",
    timezone: str = "Europe/Rome",
    step: str = "1h",
    discharge: bool = True,
    reserve: bool = True,
    gates: bool = False,
) -> xr.DataTree:
    """Return a case of offices, depots, homes, shops and solar parks that trade together.

    The kinds take turns; sizes vary by a third around those of their kind. The default days are a
    Friday and a weekend, on which the clock goes forward.

    Parameters
    ----------
    vehicles : int, default 30
        Of the whole portfolio; the pods with chargers share them evenly.
    days : int, default 3
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    pods : int, default 10
        Points of delivery.
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
    gates : bool, default False
        Adds a day-ahead gate, forecasts until then, and imbalance, so that it can be operated.

    Returns
    -------
    xarray.DataTree
        `/fleet`, `/battery`, `/renewable`, `/load` (kW, kWh), each with the pod of its members,
        `/energy`, `/connection` and, unless it is left out, `/reserve`; with gates `/gates`,
        `/imbalance` and `/vintage`. The attribute `assumptions` states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive, or vehicles that never come.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=3, days=1, pods=5)
    >>> case["connection"]["pod"].values.tolist()
    ['office-1', 'depot-1', 'homes-1', 'shop-1', 'park-1']
    """
    midnight = days_of(start, days, vehicles)
    if problems := too_small(pods=pods):
        raise SchemaError(problems, "the size of the case")
    time = steps_of(midnight, timezone, step)
    kinds = {
        f"{kind}-{k // len(SITE_KINDS) + 1}": kind
        for k, kind in zip(range(pods), list(SITE_KINDS) * pods, strict=False)
    }
    rngs = {pod: np.random.default_rng([seed, 7, k]) for k, pod in enumerate(kinds)}
    size = {pod: float(np.round(rng.uniform(2 / 3, 4 / 3), 2)) for pod, rng in rngs.items()}
    cars = _cars(kinds, vehicles)
    groups = _fleet(kinds, cars, midnight, time, timezone, rngs, discharge)
    groups |= _plants(kinds, size, time, timezone, rngs)
    groups["connection"] = _connections(kinds, size, cars)
    power = float(
        groups["connection"]["import_max"].sum() + groups["connection"]["export_max"].sum()
    )
    hourly = hourly_prices(midnight, time, timezone, seed)
    groups["energy"] = energy_market(hourly, ("day_ahead",), ample_limit(power))
    stated = _sentences(kinds, cars, vehicles, days, seed, start, timezone)
    if reserve:
        groups["reserve"] = containment(time, timezone, seed, power)
        stated.append(CONTAINMENT)
    if gates:
        price, available = hourly["day_ahead"].to_numpy(), groups["renewable"]["available"]
        draws = np.random.default_rng([seed, 13])
        groups |= gate_and_forecasts(time, timezone, price, available, power, draws)
        stated += gate_sentences()
    return new_case(
        time,
        groups,
        timezone=timezone,
        title=f"Portfolio of {with_count(pods, 'pod')}, {days} days",
        source="v2g_linopy.portfolio, synthetic",
        assumptions=stated,
        origins={
            "energy": [SYNTHETIC],
            "renewable/*": [SUN],
            "load/*": ["Buildings are synthetic."],
            "imbalance": ["Prices of imbalance are synthetic."],
            "vintage": ["Forecasts are synthetic."],
        },
    )


def _sentences(
    kinds: Mapping[str, str],
    cars: Mapping[str, int],
    vehicles: int,
    days: int,
    seed: int,
    start: str,
    timezone: str,
) -> list[str]:
    """State what the case assumes, with its numbers."""
    return [
        (
            f"{with_count(len(kinds), 'pod')}, {vehicles} vehicles, {days} local days from {start}"
            f" ({timezone}), seed {seed}."
        ),
        *(habit.sentence(whom) for whom, habit in _habits(kinds, cars).items()),
        "Nights that reach beyond the case are cut at its edges.",
        *(_sentence(name, kind) for name, kind in SITE_KINDS.items() if name in kinds.values()),
        (
            "Sizes vary by a third either way. Homes may put off, or draw ahead, a fifth of their"
            " load within the day."
        ),
        "Batteries: two hours at full power, as full at the end as at the start (half).",
        (
            f"Every pod pays {FEE:g} EUR/MWh of grid fee on what it draws. Offices and depots pay 6"
            " EUR/kW for the largest clock hour of a month; a part of a month costs in proportion"
            " to its hours."
        ),
        "Efficiency 0.93 each way for vehicles, 0.95 for batteries.",
        WEAR_OF_VEHICLES,
        WEAR_OF_BATTERIES,
    ]


def _cars(kinds: Mapping[str, str], vehicles: int) -> dict[str, int]:
    """Share vehicles evenly among the pods with chargers, the first ones get those left over."""
    some = [pod for pod, kind in kinds.items() if SITE_KINDS[kind].habit is not None]
    return {pod: len(range(k, vehicles, len(some))) for k, pod in enumerate(some)}


def _habits(kinds: Mapping[str, str], cars: Mapping[str, int]) -> dict[str, Habit]:
    words = {"office": "Commuters", "depot": "Vans", "homes": "Residents"}
    found = {kinds[pod]: SITE_KINDS[kinds[pod]].habit for pod, count in cars.items() if count}
    return {words[kind]: habit for kind, habit in found.items() if habit is not None}


def _fleet(
    kinds: Mapping[str, str],
    cars: Mapping[str, int],
    midnight: pd.DatetimeIndex,
    time: pd.DatetimeIndex,
    timezone: str,
    rngs: Mapping[str, np.random.Generator],
    discharge: bool,
) -> dict[str, xr.Dataset]:
    """Return `/fleet` and `/sessions`; none where no vehicle ever comes."""
    tables = []
    for pod, count in cars.items():
        habit = SITE_KINDS[kinds[pod]].habit
        if habit is not None and count:
            names = [f"{pod} ev-{k + 1:02d}" for k in range(count)]
            days = pd.DatetimeIndex(midnight[:-1])
            tables.append(stays(names, pod, habit, days, timezone, rngs[pod], discharge=discharge))
    if not any(table.sizes["session"] for table in tables):
        return {}
    fleet, table = sessions_to_fleet(together(tables), time, rows="vehicle", outside="clip")
    return {"fleet": fleet.assign(COSTS), "sessions": table}


def _plants(
    kinds: Mapping[str, str],
    size: Mapping[str, float],
    time: pd.DatetimeIndex,
    timezone: str,
    rngs: Mapping[str, np.random.Generator],
) -> dict[str, xr.Dataset]:
    """Return `/load`, `/renewable` and `/battery`, a member for each pod that has one."""
    groups = {}
    loads = {
        p: size[p] * SITE_KINDS[k].load * building(time, timezone, rngs[p], k)
        for p, k in kinds.items()
        if k != "park"
    }
    if loads:
        baseline = profiles(time, loads, "load")
        share = xr.DataArray(
            [0.2 * (kinds[p] == "homes") for p in loads], coords={"load": list(loads)}, dims="load"
        )
        moved = (share * baseline).assign_attrs(units="kW")
        groups["load"] = xr.Dataset(
            {"baseline": baseline, "shift_up_max": moved, "shift_down_max": moved}
        )
        groups["load"]["pod"] = ("load", list(loads))
    roofs = {
        p: size[p] * SITE_KINDS[k].solar * sun(time, timezone, rngs[p]) for p, k in kinds.items()
    }
    groups["renewable"] = xr.Dataset(
        {"available": profiles(time, roofs, "renewable"), "pod": ("renewable", list(roofs))}
    )
    stores = {p: size[p] * SITE_KINDS[k].battery for p, k in kinds.items() if SITE_KINDS[k].battery}
    if stores:
        groups["battery"] = batteries(stores, list(stores))
    return groups


def _connections(
    kinds: Mapping[str, str], size: Mapping[str, float], cars: Mapping[str, int]
) -> xr.Dataset:
    """Return `/connection`: what stands at the pod and half of its chargers, each way, and what the
    grid costs.
    """
    drawn, fed = [], []
    for pod, name in kinds.items():
        kind = SITE_KINDS[name]
        chargers = 0.5 * cars.get(pod, 0) * (kind.habit.charger if kind.habit else 0.0)
        drawn.append(round(size[pod] * (kind.load + kind.battery / 2) + chargers, 2))
        fed.append(round(size[pod] * (kind.solar + kind.battery / 2) + chargers, 2))
    peak = [SITE_KINDS[name].peak_price for name in kinds.values()]
    fields: dict[str, list[Any]] = {"import_max": drawn, "export_max": fed, "peak_price": peak}
    fields |= {"fee_import": [FEE] * len(kinds), "partial": ["pro_rata"] * len(kinds)}
    return xr.Dataset(
        {name: ("pod", values) for name, values in fields.items()}, coords={"pod": list(kinds)}
    )


def _sentence(name: str, kind: SiteKind) -> str:
    return (
        f"Kind {name}: load at most {kind.load:g} kW, roof {kind.solar:g} kWp, battery"
        f" {kind.battery:g} kWh; the connection carries these and half of the chargers."
    )
