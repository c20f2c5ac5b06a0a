"""Generator: four fleets known by the share that is plugged in, in three price worlds."""

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, SchemaError
from ..sessions.availability import from_availability
from ..sessions.battery_costs import WEAR, WEAR_SOURCE
from ..sessions.markets import markets_for
from ..sessions.new_case import new_case
from ..tables.local_time import to_local
from ..tables.wording import first_few
from .noise_and_prices import WORLDS, World, too_small, world_prices
from .sun_and_buildings import by_hour

# share plugged in at local hours 0, 3, 6, 9, 12, 15, 18, 21 (linear between them): working day,
# weekend
PROFILES = {
    "home": (
        (0.95, 0.98, 0.90, 0.30, 0.25, 0.30, 0.65, 0.88),
        (0.92, 0.97, 0.95, 0.75, 0.60, 0.60, 0.72, 0.85),
    ),
    "office": (
        (0.08, 0.06, 0.10, 0.80, 0.85, 0.80, 0.30, 0.12),
        (0.05, 0.05, 0.05, 0.10, 0.12, 0.10, 0.07, 0.05),
    ),
    "vans": (
        (0.95, 0.95, 0.80, 0.20, 0.25, 0.35, 0.80, 0.95),
        (0.97, 0.97, 0.97, 0.90, 0.90, 0.90, 0.95, 0.97),
    ),
    "sharing": (
        (0.75, 0.80, 0.75, 0.50, 0.50, 0.48, 0.40, 0.55),
        (0.60, 0.72, 0.80, 0.62, 0.48, 0.45, 0.40, 0.45),
    ),
}


def fleets(
    hours: int = 168,
    world: World = "few",
    seed: int = 0,
    *,
    vehicles: int = 1000,
    start: str = "2026-03-02",
    timezone: str = "Europe/Rome",
    contract_limit: float = 0.8,
    slack_cost: float | None = 10.0,
    discharge: bool = True,
) -> xr.DataTree:
    """Return a case of four fleets (home, office, vans, sharing) that trade energy, hourly.

    Each is known by the share of its vehicles that is plugged in, see `from_availability`.

    Parameters
    ----------
    hours : int, default 168
        Steps of the case.
    world : {"few", "unmanaged", "smart"}, default "few"
        The prices: of a system with few vehicles, or with many that charge unmanaged or smart.
    seed : int, default 0
        It also varies the shares plugged in, alike in all worlds.
    vehicles : int, default 1000
        Vehicles of each fleet: 30 kWh, 7.2 kW each way, 0.9 each way.
    start : str, default "2026-03-02"
        First local day.
    timezone : str, default "Europe/Rome"
        IANA zone of the days.
    contract_limit : float, default 0.8
        Share of each battery that may be used.
    slack_cost : float, default 10.0
        EUR per kWh of penalised slack; None for none.
    discharge : bool, default True
        False: chargers that cannot discharge.

    Returns
    -------
    xarray.DataTree
        `/fleet` (kW, kWh on fleet and `time`) and `/energy`. The attribute `assumptions` states
        every rule.

    Raises
    ------
    SchemaError
        An unknown world, or a size that is not positive.

    Examples
    --------
    A thousand chargers of 7.2 kW, of which those draw that are plugged in:

    >>> import v2g_linopy as v2g
    >>> case = v2g.fleets(hours=24)
    >>> case["fleet"]["fleet"].values.tolist()
    ['home', 'office', 'vans', 'sharing']
    >>> bool((case["fleet"].charge_max <= 7200.0).all())
    True
    """
    problems = too_small(hours=hours, vehicles=vehicles)
    if world not in WORLDS:
        problems.append(
            Problem("world", "unknown", f"{world!r}; choose one of {first_few(WORLDS)}")
        )
    if problems:
        raise SchemaError(problems, "the size of the case")
    first = pd.Timestamp(start).tz_localize(timezone).tz_convert("UTC").tz_localize(None)
    time = pd.date_range(first, periods=hours, freq="h", name="time")
    plugged = _plugged(time, timezone, seed)
    group = from_availability(
        plugged,
        vehicles=vehicles,
        capacity=30.0,
        charge_max=7.2,
        discharge_max=7.2 * discharge,
        contract_limit=contract_limit,
        eta_charge=0.9,
        eta_discharge=0.9,
        start=plugged.isel(time=0, drop=True),
        wear=WEAR,
        slack_cost=slack_cost,
    )
    groups, sentences = markets_for(
        group, world_prices(time, world, timezone, seed), ("day_ahead",), None, None
    )
    slack = "none" if slack_cost is None else f"{slack_cost:g} EUR per kWh"
    text = [
        (
            f"Four fleets of {vehicles} vehicles, {hours} hours from {start} ({timezone}), seed"
            f" {seed}."
        ),
        f"Prices (synthetic): {WORLDS[world]}.",
        (
            "Shares plugged in follow a profile by local hour, apart for working days and weekends,"
            " within 2 % at random."
        ),
        (
            "Each vehicle 30 kWh, 7.2 kW, efficiency 0.9 each way; the batteries plugged in at the"
            " start are full."
        ),
        (
            f"{contract_limit:g} of each battery may be used; wear {WEAR:g} EUR per kWh leaving it:"
            f" {WEAR_SOURCE}; slack: {slack}."
        ),
        "A fleet stands for many vehicles: one may charge while another discharges.",
    ]
    return new_case(
        time,
        {"fleet": group, **groups},
        timezone=timezone,
        title=f"Four fleets, {hours} hours, {world}",
        source="v2g_linopy.fleets, synthetic",
        assumptions=text + sentences,
        origins={"energy": [f"Prices (synthetic): {WORLDS[world]}."]},
    )


def _plugged(time: pd.DatetimeIndex, timezone: str, seed: int) -> xr.DataArray:
    rng = np.random.default_rng([seed, 3])
    clock = to_local(time, timezone)
    shares = [by_hour(clock, *profile) for profile in PROFILES.values()]
    values = np.clip(
        np.asarray(shares) + rng.uniform(-0.02, 0.02, (len(shares), len(time))), 0.0, 1.0
    )
    return xr.DataArray(
        np.round(values, 3), coords={"fleet": list(PROFILES), "time": time}, dims=("fleet", "time")
    )
