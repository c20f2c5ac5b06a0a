"""Nordic reserve products by name: power and energy per kW sold, calls, and sizes of bids.

Power, energy and thresholds of FCR: *Technical Requirements for Frequency Containment Reserve
Provision in the Nordic Synchronous Area* (ENTSO-E, 26 May 2023), section 3.5 with Tables 10 and
11, here "§3.5". Bids: Fingrid's bid validation rules for FCR and its pages on the aFRR and mFRR
capacity markets; the other Nordic operators differ (Svenska kraftnät takes FCR-D from 0.1 MW):
set `minimum_bid` and `step` of the case where they do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import xarray as xr

from ....case.schema import suggest
from ....errors import Problem, SchemaError

Reservoir = Literal["limited", "ample"]
AMPLE_HOURS = 2.0
"""§3.5: an entity is one of limited energy reservoir (LER) where it cannot sustain full activation
for two hours.
"""
NOMINAL = 50.0  # Hz
NONE = (np.nan, np.nan)


@dataclass(frozen=True)
class Management:
    """Energy management: power in the normal state (NEM), and when each of its modes is on.

    Parameters
    ----------
    power : float, default 0.0
        Of NEM, per kW sold, beyond the activation and against it.
    nem, aem : tuple of two floats, default NaN
        Minutes of full activation left below which the mode begins, and above which it ends.
    """

    power: float = 0.0
    nem: tuple[float, float] = NONE
    aem: tuple[float, float] = NONE


@dataclass(frozen=True)
class Product:
    """One product, per kW sold.

    Parameters
    ----------
    up, down : float
        1 where it is activated that way, else 0.
    hours : float
        Energy that must be held each such way (h).
    least, lot : float
        The least bid and its step (kW).
    management : Management, default without
        Energy management of a limited reservoir.
    rise, fall : tuple of two floats, default NaN
        Frequencies (Hz) at which activation begins and is full, upward and downward; NaN where a
        product follows no droop.
    """

    up: float
    down: float
    hours: float
    least: float
    lot: float
    management: Management = Management()
    rise: tuple[float, float] = NONE
    fall: tuple[float, float] = NONE


_NORMAL = Management(0.34, nem=(30.0, 57.5), aem=(5.0, 10.0))  # §3.5, Tables 10 and 11
_DISTURBED = Management(0.20, nem=(20.0, 20.0), aem=(5.0, 10.0))
CATALOGUE: Mapping[str, Product] = MappingProxyType(
    {
        "FCR-N": Product(1, 1, 1.0, 100.0, 100.0, _NORMAL, (50.0, 49.9), (50.0, 50.1)),
        "FCR-D up": Product(1, 0, 1 / 3, 1000.0, 100.0, _DISTURBED, rise=(49.9, 49.5)),
        "FCR-D down": Product(0, 1, 1 / 3, 1000.0, 100.0, _DISTURBED, fall=(50.1, 50.5)),
        "aFRR up": Product(1, 0, 1.0, 1000.0, 1000.0),
        "aFRR down": Product(0, 1, 1.0, 1000.0, 1000.0),
        "mFRR up": Product(1, 0, 1.0, 1000.0, 1000.0),
        "mFRR down": Product(0, 1, 1.0, 1000.0, 1000.0),
    }
)
"""Every product that can be named. aFRR and mFRR are held for the hour that they are sold for (an
assumption).
"""


def products(names: Iterable[str], *, reservoir: Reservoir = "limited") -> xr.Dataset:
    """Return Nordic reserve products as arrays of `/reserve`, without their capacity price.

    Per kW sold, `limited` (§3.5, Tables 10 and 11; the default)::

                        FCR-N         FCR-D up      FCR-D down
        power up/down   1.34 / 1.34   1.00 / 0.20   0.20 / 1.00
        energy up/down  1 h / 1 h     20 min / -    - / 20 min

    The power beyond 1 is for energy management in the normal state (NEM). `ample` is for reservoirs
    of two hours of full activation, which manage no energy: power 1, energy 2 h in each direction
    that is sold. Chargers that cannot discharge have no NEM and hold two hours in either table
    (`hours_one_way`), also where a case is compared without discharging; a pool of them is sold as
    `ample`, without the power for NEM: `reservoir_of` tells which a case needs.

    Parameters
    ----------
    names : iterable of str
        Of `CATALOGUE`: FCR-N, FCR-D up, FCR-D down, aFRR up, aFRR down, mFRR up, mFRR down.
    reservoir : {"limited", "ample"}, default "limited"
        What stands behind the FCR products; aFRR and mFRR are the same either way.

    Returns
    -------
    xarray.Dataset
        On (product): `up`, `down` (1), `hours_up`, `hours_down`, `hours_one_way` (h),
        `minimum_bid`, `step` (kW); for all of them `guarantee` (endurance) and `block` (1 h).

    Raises
    ------
    SchemaError
        Names that are not in the catalogue, or that are given twice; another reservoir.

    References
    ----------
    ENTSO-E (26 May 2023), *Technical Requirements for Frequency Containment Reserve Provision in
    the Nordic Synchronous Area*, section 3.5 with Tables 10 and 11.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> sold = v2g.products(["FCR-N", "FCR-D up"])
    >>> sold.up.to_series().to_dict(), sold.down.to_series().to_dict()
    ({'FCR-N': 1.34, 'FCR-D up': 1.0}, {'FCR-N': 1.34, 'FCR-D up': 0.2})
    >>> v2g.products(["FCR-N"], reservoir="ample").hours_up.item()
    2.0
    """
    names = listed(names)
    if reservoir not in get_args(Reservoir):
        detail = f"{reservoir!r} is not one of {', '.join(get_args(Reservoir))}"
        raise SchemaError([Problem("reservoir", "choice", detail)], "the products")
    rows = []
    for p in (CATALOGUE[name] for name in names):
        ample = reservoir == "ample" and p.management.power > 0
        spare, hours = (0.0, AMPLE_HOURS) if ample else (p.management.power, p.hours)
        power = p.up + spare * p.down, p.down + spare * p.up
        alone = AMPLE_HOURS if p.management.power > 0 else 0.0
        rows.append((*power, hours * p.up, hours * p.down, alone, p.least, p.lot))
    hours_of = dict.fromkeys(("hours_up", "hours_down", "hours_one_way"), "h")
    units = {"up": "1", "down": "1"} | hours_of | {"minimum_bid": "kW", "step": "kW"}
    columns = zip(units.items(), np.array(rows).reshape(-1, len(units)).T, strict=True)
    data = {name: ("product", column, {"units": unit}) for (name, unit), column in columns}
    same = {"guarantee": ((), "endurance"), "block": ((), 1.0, {"units": "h"})}
    return xr.Dataset({**data, **same}, coords={"product": names})


def reservoir_of(case: xr.DataTree) -> Reservoir:
    """Return `ample` where no vehicle and no battery of a case can discharge, else `limited`.

    Without discharging there is no NEM. A pool of both kinds counts as `limited`; sell its
    unidirectional chargers apart where the operator asks for it.
    """
    stores = [case[name].to_dataset() for name in ("fleet", "battery") if name in case.children]
    powers = [d.get("discharge_max") for d in stores]
    return "limited" if any(x is not None and bool((x > 0).any()) for x in powers) else "ample"


def management(names: Iterable[str]) -> xr.Dataset:
    """Return what energy management of named products goes by, on (product).

    `low`, `high`: 1 where an empty, a full reservoir is in the way; `nem`: power per kW sold;
    `nem_enable`, `nem_disable`, `aem_enable`, `aem_disable`: minutes of full activation left (§3.5,
    Table 11). Products without energy management have 0 and NaN.
    """
    names = listed(names)
    chosen = [CATALOGUE[name] for name in names]
    columns = {
        "low": [p.up for p in chosen],
        "high": [p.down for p in chosen],
        "nem": [p.management.power for p in chosen],
    }
    for mode in ("nem", "aem"):
        for k, edge in enumerate(("enable", "disable")):
            columns[f"{mode}_{edge}"] = [getattr(p.management, mode)[k] for p in chosen]
    return xr.Dataset(
        {n: ("product", np.array(c, float)) for n, c in columns.items()}, coords={"product": names}
    )


def droop(frequency: xr.DataArray, names: Iterable[str]) -> xr.DataArray:
    """Return the activation of products at a grid frequency, as a share of what is sold, + upward.

    It is, with the frequency f in Hz::

        FCR-N   clip((50 - f) / 0.1, -1, 1)
        FCR-D   up clip((49.9 - f) / 0.4, 0, 1),   down -clip((f - 50.1) / 0.4, 0, 1)

    Raises
    ------
    SchemaError
        Products that follow no droop: aFRR and mFRR are called by a signal of the operator.
    """
    names = listed(names)
    if problems := [
        Problem("products", "choice", f"{n} follows no frequency: the operator calls it")
        for n in names
        if n not in driven()
    ]:
        raise SchemaError(problems, "the products")
    signals = [
        _share(frequency, *CATALOGUE[n].rise) - _share(frequency, *CATALOGUE[n].fall) for n in names
    ]
    stacked = xr.concat(signals, xr.Variable("product", np.array(names, dtype=object)))
    return stacked.assign_attrs(units="1", long_name="share activated, + upward")


def driven() -> list[str]:
    """Return the names of the products that follow the frequency."""
    return [
        n for n, p in CATALOGUE.items() if np.isfinite(p.rise).any() or np.isfinite(p.fall).any()
    ]


def _share(frequency: xr.DataArray, begins: float, full: float) -> xr.DataArray:
    if np.isnan(begins):
        return xr.zeros_like(frequency)
    return ((frequency - begins) / (full - begins)).clip(0.0, 1.0)


def listed(names: Iterable[str]) -> list[str]:
    """Return names as a list; every one must be in the catalogue, once."""
    names = [names] if isinstance(names, str) else [str(n) for n in names]
    problems = [
        Problem(
            "products",
            "choice",
            f"{n!r} is no product{suggest(n, CATALOGUE)}; there are {', '.join(CATALOGUE)}",
        )
        for n in names
        if n not in CATALOGUE
    ]
    problems += [
        Problem("products", "labels", f"{n} appears more than once")
        for n in {*names}
        if names.count(n) > 1
    ]
    if problems or not names:
        raise SchemaError(
            problems or [Problem("products", "missing", "name at least one product")],
            "the products",
        )
    return names
