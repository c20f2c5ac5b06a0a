"""Formulas of plants that are on or off, and stay so for a while."""

import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.expression import Constraint, Data, Expression
from .formulas import first, larger, previous, smaller


def switched(
    on: Expression, start: Expression, stop: Expression, initial: Data, time: pd.Index
) -> Constraint:
    """Row: on_t - on_{t-1} = start_t - stop_t,   on_{-1} = initial."""
    return on - previous(on) - start + stop == initial * first(time)


def at_least(
    state: Expression, entered: Expression, hours: xr.DataArray, still: xr.DataArray, dt: float
) -> Constraint:
    """Row: a state lasts `hours` once entered.

    `still` is 1 in the steps in which it has to last from before the start.

    still_t + sum_{k = t - n + 1 .. t} entered_k <= state_t,   n = ceil(hours / dt), at least 1

    Rajan, Takriti (2005), IBM Research Report RC23628: for both states, and with `switched`, these
    rows are the convex hull of all sequences of one unit, so that start and stop need no binaries.
    """
    return entered.convolve(_recent(entered, hours, dt)) + still <= state


def time_left(entered: Expression, hours: xr.DataArray, dt: float) -> Expression:
    """Return for how many hours a state, once entered, still has to last after each step."""
    recent = _recent(entered, hours, dt)
    return entered.convolve(larger(hours - (recent.lag + 1) * dt, 0.0) * recent)


def _recent(entered: Expression, hours: xr.DataArray, dt: float) -> xr.DataArray:
    """Return 1 for each of the ceil(hours / dt) last steps, at least this one, at most those of the
    horizon.
    """
    needed = xr.DataArray(np.ceil(hours / dt - 1e-9))
    steps = smaller(larger(needed, 1.0), len(entered.indexes["time"]))
    lag = xr.DataArray(np.arange(int(steps.max())), dims="lag")
    return (lag < steps).astype(float)
