"""The menu in closed form: types are pooled on what a kWh costs the aggregator, rent included
(docs/formulation.md §10).

Mussa, Rosen (1978), "Monopoly and product quality"; Myerson (1981), "Optimal auction design", for
the pooling of types. Arrays have the dimension `type`; all others (`class`) are menus beside each
other.
"""

import numpy as np
import xarray as xr

from .utilities import Utility


def virtual_costs(ask: xr.DataArray, share: xr.DataArray) -> xr.DataArray:
    """Return what a kWh of each type costs the aggregator, the rent of higher types included.

    Types are pooled until it falls from type to type, so that energies rise (EUR/kWh)::

        S_m = sum_{k>=m} share_k,    b_m = S_m ask_m - S_{m+1} ask_{m+1}
        cost_m = min_{i<=m} max_{j>=m} (b_i + ... + b_j) / (share_i + ... + share_j)

    It depends on neither utility nor cap. A type without owners costs infinitely much alone, which
    pools it with the type below.

    Parameters
    ----------
    ask : xarray.DataArray
        wear / theta (type), EUR/kWh, which does not rise.
    share : xarray.DataArray
        Share of the owners (type), in sum 1.
    """
    ask, share = xr.broadcast(ask, share)
    return xr.apply_ufunc(
        _pooled, ask, share, input_core_dims=[["type"], ["type"]], output_core_dims=[["type"]]
    )


def _pooled(ask: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The same on plain arrays whose last axis is the type.

    b_m has no differences of large numbers, for shares and thetas that are nearly equal.
    """
    above = np.cumsum(share[..., ::-1], axis=-1)[..., ::-1] - share
    falls = -np.diff(ask, axis=-1, append=ask[..., -1:])
    cost = share * ask + above * falls

    types = np.arange(share.shape[-1])
    starts, ends = types[:, None], types
    costs, shares = (np.cumsum(x[..., None, :] * (ends >= starts), axis=-1) for x in (cost, share))
    average = np.divide(costs, shares, out=np.full_like(costs, np.inf), where=shares > 0)

    largest_from = np.maximum.accumulate(average[..., ::-1], axis=-1)[..., ::-1]
    return np.where(ends >= starts, largest_from, np.inf).min(axis=-2)


def revealing_payments(energy: xr.DataArray, ask: xr.DataArray) -> xr.DataArray:
    """Return the least payments for which each type takes its own energy (EUR).

    Energies that rise from type to type are then individually rational and incentive-compatible::

        payment_m = sum_{j<=m} (energy_j - energy_{j-1}) ask_j,    energy_0 = 0
    """
    more = energy - energy.shift(type=1, fill_value=0.0)
    return (more * ask).cumsum("type")


def exact_menu(
    ask: xr.DataArray, share: xr.DataArray, utility: Utility, cap: xr.DataArray | float
) -> xr.Dataset:
    """Return the best menu: `energy` (type, kWh), `payment` (EUR) and `virtual_cost` (EUR/kWh)::

    energy_m = smallest maximiser of u(w) - virtual_cost_m w over 0 <= w <= cap
    """
    cost = virtual_costs(ask, share)
    energy = utility.wanted(cost, cap)
    return xr.Dataset(
        {"energy": energy, "payment": revealing_payments(energy, ask), "virtual_cost": cost}
    )


def best_on_points(
    ask: xr.DataArray, share: xr.DataArray, energy: np.ndarray, value: np.ndarray
) -> xr.DataArray:
    """Return the best rising choice of points for the types, whatever the shape of the table.

    By dynamic programming over the types::

        V_m(i) = share_m value_i - b_m energy_i + max_{j<=i} V_{m-1}(j)

    Parameters
    ----------
    ask, share : xarray.DataArray
        As for `virtual_costs`.
    energy, value : numpy.ndarray
        Points of the table: kWh, which do not fall, and EUR.

    Returns
    -------
    xarray.DataArray
        Position of the point that each type takes.
    """
    ask, share = xr.broadcast(ask, share)
    best = xr.apply_ufunc(
        _rising, ask, share, input_core_dims=[["type"], ["type"]], output_core_dims=[["type"]],
        kwargs={"energy": energy, "value": value},
    )  # fmt: skip
    return best.astype(int)


def _rising(
    ask: np.ndarray, share: np.ndarray, energy: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """The same on plain arrays whose last axis is the type."""
    rest = np.cumsum(share[..., ::-1], axis=-1)[..., ::-1]
    paid = rest * ask
    cost = paid - np.append(paid[..., 1:], np.zeros_like(paid[..., :1]), axis=-1)
    gains = share[..., None] * value - cost[..., None] * energy

    from_here: list[np.ndarray] = []
    best = np.zeros_like(gains[..., 0, :])
    for m in range(share.shape[-1]):
        best = best + gains[..., m, :]
        first = _first_of_largest(best)
        from_here.append(first)
        best = np.take_along_axis(best, first, axis=-1)

    last = np.full((*share.shape[:-1], 1), energy.size - 1)
    chosen = []
    for first in reversed(from_here):
        last = np.take_along_axis(first, last, axis=-1)
        chosen.append(last)
    return np.concatenate(chosen[::-1], axis=-1)


def _first_of_largest(x: np.ndarray) -> np.ndarray:
    """For each position, the first of those up to it with the largest value."""
    places = np.arange(x.shape[-1])
    before = np.concatenate([np.full_like(x[..., :1], -np.inf), x[..., :-1]], axis=-1)
    is_new = x > np.maximum.accumulate(before, axis=-1)
    return np.maximum.accumulate(np.where(is_new, places, 0), axis=-1)
