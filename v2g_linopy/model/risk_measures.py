"""Quantiles and means of the worst scenarios (Rockafellar, Uryasev 2000, "Optimization of
conditional value-at-risk").

As rows of a linear programme, and from a written plan by sorting. Nothing here knows what is
counted."""

from typing import Any, TypeVar

import numpy as np
import xarray as xr

from ..algebra.expression import Data, Expression

Q = TypeVar("Q", Expression, xr.DataArray)  # decided in a model, or read from a plan


def cvar(threshold: Q, shortfall: Q, probability: xr.DataArray, tail: Data) -> Q:
    """CVaR = zeta - 1/tail sum_s p_s xi_s.

    The largest value over zeta is the mean of the lowest `tail`.

    With the rows xi_s >= zeta - x_s, xi_s >= 0 beside it; `tail` is 1 - alpha.
    """
    return threshold - (probability * shortfall).sum("scenario") / tail


def mean_of_lowest(x: xr.DataArray, probability: xr.DataArray, tail: Data) -> xr.DataArray:
    """Return the mean of the lowest `tail` of the probability, the scenario at its edge in part."""

    def mean(values: np.ndarray, weight: np.ndarray, tail: np.ndarray) -> np.ndarray:
        values, weight = _ascending(values, weight)
        taken = np.clip(tail[..., None] - (weight.cumsum(axis=-1) - weight), 0.0, weight)
        return (taken * values).sum(axis=-1) / taken.sum(axis=-1)

    return _over_scenarios(mean, x, probability, tail)


def quantile(x: xr.DataArray, probability: xr.DataArray, tail: Data) -> xr.DataArray:
    """Return the value at risk.

    It is the lowest value that x does not exceed with a probability of at least `tail`.
    """

    def lowest(values: np.ndarray, weight: np.ndarray, tail: np.ndarray) -> np.ndarray:
        values, weight = _ascending(values, weight)
        first = (weight.cumsum(axis=-1) >= tail[..., None] * (1 - 1e-12)).argmax(axis=-1)
        return np.take_along_axis(values, first[..., None], axis=-1)[..., 0]

    return _over_scenarios(lowest, x, probability, tail)


def _ascending(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort along the last axis."""
    order = np.argsort(values, axis=-1, kind="stable")
    weight = np.broadcast_to(weight, values.shape)
    return np.take_along_axis(values, order, axis=-1), np.take_along_axis(weight, order, axis=-1)


def _over_scenarios(
    function: Any, x: xr.DataArray, probability: xr.DataArray, tail: Data
) -> xr.DataArray:
    dims = [["scenario"], ["scenario"], []]
    found: xr.DataArray = xr.apply_ufunc(
        function, x, probability, xr.DataArray(tail), input_core_dims=dims
    )
    return found
