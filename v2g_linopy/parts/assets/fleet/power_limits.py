"""Powers a charger can run at: least powers but 0, the taper near full, and the room they leave
(docs/formulation.md §1).

`d` holds `charge_max`, `charge_min`, `discharge_max`, `discharge_min` [kW], `taper_from`,
`taper_to` and `energy_max`; `on` is a pair of binaries, 1 while it charges and while it discharges,
without terms where there is no least power."""

import xarray as xr

from ....algebra.expression import Constraint, Expression, Quantity

BACK = {"charge": "discharge", "discharge": "charge"}


def has_least_power(d: xr.Dataset, way: str) -> xr.DataArray:
    """Return True where charging (or discharging) has a least power."""
    return (d[f"{way}_min"] > 0) & (d[f"{way}_max"] > 0)


def tapered(d: xr.Dataset) -> xr.DataArray:
    """Return True where charging power falls as the battery fills."""
    return d.taper_from.notnull() & (d.charge_max > 0) & (d.energy_max > 0)


def either_off_or_above(
    d: xr.Dataset, way: str, power: Expression, back: Expression, on: Expression
) -> tuple[Constraint, Constraint, Constraint]:
    """Rows: power is 0 or within least and most, and what flows back is 0 while it is not."""
    most_back = d[f"{BACK[way]}_max"]
    return (
        power - d[f"{way}_max"] * on <= 0,
        power - d[f"{way}_min"] * on >= 0,
        back + most_back * on <= most_back,
    )


def taper_row(d: xr.Dataset, power: Expression, energy: Expression) -> Constraint:
    """Row: power below the line that falls with the energy on board.

    It falls from charge_max at taper_from to taper_to charge_max at energy_max.
    """
    slope = (
        d.charge_max
        * (1 - d.taper_to)
        / ((1 - d.taper_from) * d.energy_max.where(d.energy_max > 0, 1.0))
    )
    top = d.charge_max * (1 - d.taper_to * d.taper_from) / (1 - d.taper_from)
    return power + slope.fillna(0.0) * energy <= top.fillna(0.0)


def max_power(d: xr.Dataset, way: str, on: tuple[Expression, Expression]) -> Quantity:
    """Return the most power one way that crosses no gap (kW).

    It is all of it, or 0 while off or while on the other way.
    """
    own, other = on if way == "charge" else on[::-1]
    limit = d[f"{way}_max"]
    if not (own.has_terms or other.has_terms):  # there is no least power
        return limit
    least, least_back = has_least_power(d, way), has_least_power(d, BACK[way])
    free, off_for_back = limit.where(~least, 0.0), limit.where(~least & least_back, 0.0)
    return free - off_for_back * other + limit.where(least, 0.0) * own


def inconsistent(d: xr.Dataset) -> list[tuple[str, xr.DataArray, xr.DataArray, str]]:
    """Return field, where it is wrong, its values and why.

    Both rules hold for one battery, and leave some power.
    """
    bends, many, one = (
        d.taper_from.notnull(),
        d.aggregate > 0,
        "holds for one vehicle, and aggregate says many",
    )
    found = []
    if bool(bends.any()):
        missing = "missing: give the share of charge_max left when full"
        found += [
            ("taper_from", bends & many, d.taper_from, one),
            ("taper_from", d.taper_from >= 1, d.taper_from, "allowed [0, 1)"),
            ("taper_to", bends & d.taper_to.isnull(), d.taper_to, missing),
        ]
    for way in BACK:
        low, high = d[f"{way}_min"], d[f"{way}_max"]
        if not bool((low > 0).any()):
            continue
        above = (high > 0) & (low > high + 1e-9)
        found.append((f"{way}_min", above, low, f"more than {way}_max at that step"))
        found.append((f"{way}_min", (low > 0) & many, low, one))
    return found
