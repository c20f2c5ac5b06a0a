"""Bid curves: a quantity for each price, the same whenever that price comes, and not falling as the
price rises.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ..algebra.arrays import Named
from ..algebra.expression import Sum


def curve_rows(quantity: Sum, price: xr.DataArray) -> Iterator[tuple[str, Any, xr.DataArray]]:
    """Name, rows and mask of what makes decisions per scenario one curve, at every step by itself::

        p_s >= p_s'  =>  q_s >= q_s',     p_s = p_s'  =>  q_s = q_s'

    Scenarios are put in the order of their price, which is data; each row is between two
    neighbours."""
    price = price + xr.DataArray(
        np.zeros([len(i) for i in quantity.axes.values()]), quantity.axes, list(quantity.axes)
    )
    price = price.transpose("scenario", ...)
    order = price.copy(data=np.argsort(price.to_numpy(), axis=0, kind="stable"))
    ascending = price.copy(data=np.sort(price.to_numpy(), axis=0))
    later = price["scenario"].to_numpy()[1:]
    below, above = order.isel(scenario=slice(-1)), order.isel(scenario=slice(1, None))
    below, above = below.assign_coords(scenario=later), above.assign_coords(scenario=later)
    rise = ascending.diff("scenario", label="upper")
    step = arranged(quantity, above) - arranged(quantity, below)
    yield "curve", step >= 0, rise > 0
    yield "curve_equal", step == 0, rise == 0


def arranged(x: Sum, order: xr.DataArray) -> Sum:
    """Return x with its scenarios in another order at each label of the other dimensions: `order`
    holds positions.
    """
    dims = tuple(map(str, order.dims))
    places = order.to_numpy()

    def take(array: Named, shape: dict[str, int]) -> Named:
        every = dims + tuple(d for d in array.dims if d not in dims)
        sizes = [shape.get(d, 1) for d in every]
        values = np.broadcast_to(
            array.over(every), [*sizes[: len(dims)], *array.over(every).shape[len(dims) :]]
        )
        index = places.reshape(places.shape + (1,) * (len(every) - len(dims)))
        return Named(np.take_along_axis(values, index, axis=0), every)

    whole = {d: len(x.axes[d]) for d in dims}
    terms = [
        replace(t, labels=take(t.labels, whole), factor=take(t.factor, whole)) for t in x.terms
    ]
    axes = {d: order.get_index(d) if d == "scenario" else i for d, i in x.axes.items()}
    return x._with(terms, take(x.offset, whole), axes)


def fall(quantity: xr.DataArray, price: xr.DataArray) -> xr.DataArray:
    """By how much a written plan breaks its curve (kW): a fall to a dearer scenario, a difference
    at one price.
    """

    def largest(q: np.ndarray, p: np.ndarray) -> np.ndarray:
        order = np.argsort(p, axis=-1)
        step, rise = (np.diff(np.take_along_axis(x, order, axis=-1), axis=-1) for x in (q, p))
        return np.where(rise > 0, -step, abs(step)).max(axis=-1, initial=0.0)

    found: xr.DataArray = xr.apply_ufunc(
        largest, *xr.broadcast(quantity, price), input_core_dims=[["scenario"]] * 2
    )
    return found
