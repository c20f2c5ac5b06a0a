"""Bid curves: a quantity for each price, the same whenever that price comes, and not falling as the
price rises.
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ..algebra.expression import Constraint, Expression


def curve_rows(
    quantity: Expression, price: xr.DataArray
) -> Iterator[tuple[str, Constraint, xr.DataArray]]:
    """Name, rows and mask of what makes decisions per scenario one curve, at every step by itself::

        p_s >= p_s'  =>  q_s >= q_s',     p_s = p_s'  =>  q_s = q_s'

    Scenarios are put in the order of their price, which is data; each row is between two
    neighbours."""
    shape = [*quantity.sizes.values()]
    price = price + xr.DataArray(np.zeros(shape), quantity.indexes, list(quantity.dims))
    price = price.transpose("scenario", ...)
    order = price.copy(data=np.argsort(price.to_numpy(), axis=0, kind="stable"))
    ascending = price.copy(data=np.sort(price.to_numpy(), axis=0))
    later = price["scenario"].to_numpy()[1:]
    below, above = order.isel(scenario=slice(-1)), order.isel(scenario=slice(1, None))
    below, above = below.assign_coords(scenario=later), above.assign_coords(scenario=later)
    rise = ascending.diff("scenario", label="upper")
    step = quantity.take_along("scenario", above) - quantity.take_along("scenario", below)
    yield "curve", step >= 0, rise > 0
    yield "curve_equal", step == 0, rise == 0


def curve_violation(quantity: xr.DataArray, price: xr.DataArray) -> xr.DataArray:
    """Return by how much a written plan breaks its curve (kW).

    It is a fall to a dearer scenario, or a difference at one price.
    """

    def largest(q: np.ndarray, p: np.ndarray) -> np.ndarray:
        order = np.argsort(p, axis=-1)
        step, rise = (np.diff(np.take_along_axis(x, order, axis=-1), axis=-1) for x in (q, p))
        return np.where(rise > 0, -step, abs(step)).max(axis=-1, initial=0.0)

    found: xr.DataArray = xr.apply_ufunc(
        largest, *xr.broadcast(quantity, price), input_core_dims=[["scenario"]] * 2
    )
    return found
