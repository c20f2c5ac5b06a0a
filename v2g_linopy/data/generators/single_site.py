"""Generator: one workplace with chargers, a battery, a solar roof and a building behind one
meter.
"""

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..sessions.battery_costs import STATIONARY_WEAR
from ..sessions.new_case import new_case
from ..sessions.origins import SUN
from ..sessions.sessions_to_fleet import sessions_to_fleet
from .noise_and_prices import days_of, hourly_prices, steps_of
from .stays import COSTS, OFFICE_WORKERS, WEAR_OF_BATTERIES, WEAR_OF_VEHICLES, stays, vehicle_labels
from .sun_and_buildings import building, profiles, sun

POD = "site"
MARGIN, DISCOUNT, FEE, TAX = 15.0, 5.0, 35.0, 20.0
"""EUR/MWh: the supplier's margin, what export earns less than the market, grid fee and tax on
import.
"""
PEAK_PRICE, PEAK_COUNT = 8.0, 3
"""EUR/kW for the mean of so many largest clock hours of a month."""


def site(
    vehicles: int = 10,
    days: int = 7,
    seed: int = 0,
    *,
    start: str = "2026-03-23",
    timezone: str = "Europe/Rome",
    step: str = "1h",
    load: float = 60.0,
    solar: float = 50.0,
    battery: float = 40.0,
    import_max: float | None = None,
    discharge: bool = True,
) -> xr.DataTree:
    """Return a case of one site behind one meter: commuters, battery, solar roof and building.

    It has its own bill, with a supply contract, a grid fee and a tariff on its peaks, and trades on
    no market. The default week holds the day on which the clock goes forward.

    Parameters
    ----------
    vehicles : int, default 10
        Cars. Commuters come on working days only.
    days : int, default 7
        Local days.
    seed : int, default 0
        The same size and seed always give the same case.
    start : str, default "2026-03-23"
        First local day, a Monday unless given.
    timezone : str, default "Europe/Rome"
        IANA zone of the days.
    step : str, default "1h"
        Step of the case, such as 15min; prices and peaks are hourly.
    load : float, default 60.0
        Largest power of the building, kW; 0 leaves it out.
    solar : float, default 50.0
        Size of the roof, kWp; 0 leaves it out.
    battery : float, default 40.0
        Size of the battery, kWh, two hours at full power; 0 leaves it out.
    import_max : float, optional
        Most the site may draw, kW; the building and half of the chargers unless given.
    discharge : bool, default True
        False: chargers that cannot discharge.

    Returns
    -------
    xarray.DataTree
        `/fleet`, `/sessions`, `/battery`, `/renewable`, `/load` (kW, kWh) and `/connection`. The
        attribute `assumptions` states every rule.

    Raises
    ------
    SchemaError
        A size that is not positive, or days without a working day.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.site(vehicles=1, days=1, battery=0.0)
    >>> sorted(case.children)
    ['connection', 'fleet', 'load', 'renewable', 'sessions']
    >>> float(case["load"].baseline.max()) <= 60.0
    True
    """
    midnight = days_of(start, days, vehicles)
    if not bool((midnight[:-1].day_of_week < 5).any()):
        detail = (
            f"{start}: commuters come on working days, and there is none in {days} day(s) from here"
        )
        raise SchemaError([Problem("start", "time", detail)], "the size of the case")
    time = steps_of(midnight, timezone, step)
    rng = np.random.default_rng([seed, 6])
    sessions = stays(
        vehicle_labels("ev", vehicles),
        POD,
        OFFICE_WORKERS,
        midnight[:-1],
        timezone,
        rng,
        discharge=discharge,
    )
    fleet, table = sessions_to_fleet(sessions, time, rows="vehicle")
    groups = {"fleet": fleet.assign(COSTS), "sessions": table}
    groups |= _plants(time, timezone, rng, load, solar, battery)
    if import_max is None:
        import_max = load + 0.5 * vehicles * OFFICE_WORKERS.charger
    price = hourly_prices(midnight, time, timezone, seed)["day_ahead"].drop_attrs()
    groups["connection"] = _contract(price, import_max)
    return new_case(
        time,
        groups,
        timezone=timezone,
        title=f"Site with {vehicles} commuters, {days} days",
        source="v2g_linopy.site, synthetic",
        assumptions=_sentences(
            vehicles, days, seed, start, timezone, load, solar, battery, import_max
        ),
        origins={"renewable/*": [SUN], "load/*": ["The building is synthetic."]},
    )


def _plants(
    time: pd.DatetimeIndex,
    timezone: str,
    rng: np.random.Generator,
    load: float,
    solar: float,
    battery: float,
) -> dict[str, xr.Dataset]:
    """Return `/battery`, `/load` and `/renewable`, those of a size that is not 0."""
    roof, house = sun(time, timezone, rng), building(time, timezone, rng, "office")
    groups = {}
    if battery:
        groups["battery"] = batteries({"battery": battery}, [POD])
    if load:
        baseline = profiles(time, {"building": load * house}, "load")
        groups["load"] = xr.Dataset({"baseline": baseline, "pod": ("load", [POD])})
    if solar:
        available = profiles(time, {"roof": solar * roof}, "renewable")
        groups["renewable"] = xr.Dataset({"available": available, "pod": ("renewable", [POD])})
    return groups


def _sentences(
    vehicles: int,
    days: int,
    seed: int,
    start: str,
    timezone: str,
    load: float,
    solar: float,
    battery: float,
    import_max: float,
) -> list[str]:
    """State what the case assumes, with its numbers."""
    return [
        (
            f"{vehicles} commuters at one site, {days} local days from {start} ({timezone}), seed"
            f" {seed}; prices are synthetic."
        ),
        OFFICE_WORKERS.sentence("Vehicles"),
        (
            f"Building: at most {load:g} kW by day, about a fifth of it at night and at weekends;"
            " it cannot be shifted."
        ),
        (
            f"Roof {solar:g} kWp at 45 degrees north; one share of the clear sky for each day. It"
            " may be curtailed."
        ),
        f"Battery {battery:g} kWh, {battery / 2:g} kW; as full at the end as at the start (half).",
        "Efficiency 0.93 each way for vehicles, 0.95 for the battery.",
        WEAR_OF_VEHICLES,
        WEAR_OF_BATTERIES,
        f"The site draws at most {import_max:g} kW.",
        (
            f"It buys at the hourly price of the market and {MARGIN:g} EUR/MWh, sells at that price"
            f" less {DISCOUNT:g}, and pays {FEE:g} EUR/MWh of grid fee and {TAX:g} EUR/MWh of tax"
            " on what it draws; no VAT, which a company recovers."
        ),
        (
            f"The mean of the {PEAK_COUNT} largest clock hours of a month costs {PEAK_PRICE:g}"
            " EUR/kW; a part of a month costs in proportion to its hours."
        ),
    ]


def _contract(price: xr.DataArray, import_max: float) -> xr.Dataset:
    """Return the group `/connection`: the limit of the meter, its supply contract and its grid
    tariff.
    """
    priced = {"supply_price": price + MARGIN, "feed_in_price": price - DISCOUNT}
    fields: dict[str, object] = {n: (("pod", "time"), x.values[None, :]) for n, x in priced.items()}
    fields |= {"import_max": ("pod", [import_max]), "partial": ("pod", ["pro_rata"])}
    rates = {
        "fee_import": FEE,
        "tax": TAX,
        "peak_price": PEAK_PRICE,
        "peak_count": float(PEAK_COUNT),
    }
    fields |= {name: ("pod", [rate]) for name, rate in rates.items()}
    return xr.Dataset(fields, coords={"pod": [POD], "time": price.indexes["time"]})


def batteries(
    sizes: dict[str, float], pods: list[str] | None = None, power: float | None = None
) -> xr.Dataset:
    """Return the group `/battery`, half full at both ends.

    Sizes are in kWh; `power` is in kW, or the size in two hours.
    """
    size = np.array(list(sizes.values()), dtype=float)
    power_max = size / 2 if power is None else np.full(len(size), power)
    data = {
        "charge_max": power_max,
        "discharge_max": power_max,
        "energy_max": size,
        "energy_initial": size / 2,
    }
    same = {"eta_charge": 0.95, "eta_discharge": 0.95, "cyclic": 1.0, "wear": STATIONARY_WEAR}
    fields = {n: ("battery", x) for n, x in data.items()} | {n: ((), x) for n, x in same.items()}
    out = xr.Dataset(fields, coords={"battery": list(sizes)})
    return out if pods is None else out.assign(pod=("battery", pods))
