"""Formulas of storages: one direction at a time, wear by the depth of cycles."""

import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.expression import Constraint, Data, Expression, Quantity
from .formulas import following_data, given, larger, smaller

LIMIT_LABELS = dict.fromkeys(
    ("charging_only", "discharging_only", "cut_high", "cut_low"),
    "charging or discharging, not both",
)
"""What the rows of `one_way` and `within_step` say where they bind."""


def one_way(
    charge: Expression,
    discharge: Expression,
    charging: Expression,
    charge_max: Data,
    discharge_max: Data,
) -> tuple[Constraint, Constraint]:
    """Rows: charge only where `charging` is 1, discharge only where it is 0."""
    return (
        charge - charge_max * charging <= 0,
        discharge + discharge_max * charging <= discharge_max,
    )


def counts_alike(d: xr.Dataset) -> bool:
    """Return True where a kWh at the grid counts alike in every step for what is stored.

    A storage that only charges, always at one efficiency, or that loses nothing either way; and
    what it holds is kept, or all of it leaves.
    """
    first = d.eta_charge.isel(time=0, drop=True) if "time" in d.eta_charge.dims else d.eta_charge
    charges_only = (d.discharge_max == 0) & (d.eta_charge == first)
    lossless = (d.eta_charge == 1) & (d.eta_discharge == 1)
    charges_only, lossless = xr.broadcast(charges_only, lossless)
    along = [dim for dim in lossless.dims if dim == "time"]
    alike = charges_only.all(along) | lossless.all(along)
    return bool(alike.all()) and bool(((d.keep == 0) | (d.keep == 1)).all())


def within_step(
    before: Expression, into: Expression, out: Expression, floor: Data, ceiling: Data
) -> tuple[Constraint, Constraint]:
    """Rows: what flows in, and what flows out, each fits by itself (kWh).

    What flows in fits before anything flows out, and what flows out is there by itself.
    """
    return before + into <= ceiling, before - out >= floor


def depth_stress(depth: xr.DataArray, factor: Data, exponent: Data) -> xr.DataArray:
    """Phi(delta) = a delta^b, the share of a battery's life that a cycle of this depth takes."""
    return factor * depth**exponent


def segment_price(
    cost: Data, room: xr.DataArray, depth: xr.DataArray, factor: Data, exponent: Data
) -> xr.DataArray:
    """Return the price k_j of each segment [EUR/kWh].

    k_j = R (Phi(Delta_j) - Phi(Delta_{j-1})) / (delta_j E), Delta_j = delta_1 + ... + delta_j

    `room` is delta_j E; a segment without room has no price (0). With b >= 1 the prices do not fall
    with j, so that a linear programme uses shallow segments first.
    """
    below = (depth.cumsum("segment") - depth).clip(min=0.0)
    taken = depth_stress(below + depth, factor, exponent) - depth_stress(below, factor, exponent)
    return (cost * taken / room.where(room > 0, 1.0)).where(room > 0, 0.0)


def shallow_first(energy: Data, room: xr.DataArray) -> xr.DataArray:
    """Return the energy in the shallowest segments that hold it (kWh).

    e_j = clip(e - Delta_{j-1} E, 0, delta_j E)
    """
    return smaller(larger(energy - (room.cumsum("segment") - room), 0.0), room)


def segment_rows(
    level: Expression, before: Expression, leaving: Expression, energy: Quantity
) -> tuple[Constraint, Constraint]:
    """Rows of a battery cut into segments, by what stands in each [kWh].

    Energy may enter any of them::

    sum_j e_j = e,   e_j - before_j + leaving_j >= 0   (what enters segment j)
    """
    return level.sum("segment") - energy == 0, level - before + leaving >= 0


def most_between(values: xr.DataArray, restarts: xr.DataArray) -> xr.DataArray:
    """Return at each step the largest value between the restart before it and the next one."""
    values, restarts = xr.broadcast(values, restarts)
    values = values.transpose(..., "time")
    cells = values.to_numpy()
    begin = restarts.transpose(*values.dims).to_numpy().copy()
    begin[..., :1] = True
    places = np.flatnonzero(begin)
    if not len(places):
        return values
    most = np.maximum.reduceat(cells.ravel(), places)
    lengths = np.diff(np.append(places, cells.size))
    return values.copy(data=np.repeat(most, lengths).reshape(cells.shape))


def need_of_trip(d: xr.Dataset, time: pd.Index) -> xr.DataArray:
    """Return True where the next step takes from the same battery all that is needed on board."""
    driven, keep = following_data(d.energy_out, time), following_data(d.keep, time)
    soft = d.unserved_cost.notnull()
    return xr.DataArray((d.energy_min > 0) & soft & (d.energy_min <= driven) & (keep == 1))


def not_on_board(d: xr.Dataset) -> xr.DataArray | float:
    """Return the kWh missing from the need of each step.

    Where the trip of the next step takes all that is needed, what is missing from it is missing
    here, too.
    """
    unserved: xr.DataArray | float = given(d, "unserved")
    if "unserved_trip" not in d:
        return unserved
    full = xr.zeros_like(d.energy)
    trip, keep, stays = ((a + full).shift(time=-1) for a in (d.energy_out, d.keep, d.unserved_trip))
    takes_all = (d.energy_min > 0) & (d.energy_min <= trip) & (keep == 1)
    return unserved + stays.where(takes_all, 0.0)
