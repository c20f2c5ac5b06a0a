"""The menu as a linear program with tangents of the utility, and the menu when shares are intervals
(docs/formulation.md §10).

It stands beside the closed form and shares no formula with it but the payments, which make what a
solver returns rational and incentive-compatible to the last digit.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import linopy
import numpy as np
import xarray as xr

from ...errors import SolveError, SolverError
from ...model.contracts import least_payments
from ...solve.solver import (
    Matrix,
    Optimum,
    Settings,
    by_constraint,
    by_variable,
    matrix_of,
    solve_matrix,
)
from .exact import revealing_payments
from .utilities import Utility, UtilityByClass

AnyUtility = Utility | UtilityByClass
Levels = Mapping[str, xr.DataArray]

TOLERANCE = 1e-6
"""EUR per owner that the tangents may lie above the utility; a solver does not reach below 1e-7."""
ROUNDS = 60
_FIRST_POINTS = np.geomspace(1e-6, 1.0, 120)
"""Shares of the cap at which a smooth utility has its first tangents."""
_NEXT_TO_NOTHING = 1e-12
"""Share of the cap at which a root has its steepest tangent."""
_OPTIONS = {
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}


_WAYS: tuple[dict[str, Any], ...] = ({}, {"presolve": "off"}, {"simplex_strategy": 4})
"""As it comes, without presolve, by the primal simplex: the dual one stops with an error at types
that are apart by a billionth.
"""


@dataclass(frozen=True)
class LinearMenu:
    """What the program found: the menu, a bound that no menu exceeds, and the shares it is for.

    Parameters
    ----------
    energy, payment : xarray.DataArray
        The menu (type), kWh and EUR.
    bound : xarray.DataArray
        Value of the program: no menu is worth more (EUR per owner).
    share : xarray.DataArray
        The shares that were given, or the worst ones within their intervals.
    """

    energy: xr.DataArray
    payment: xr.DataArray
    bound: xr.DataArray
    share: xr.DataArray


@dataclass(frozen=True)
class Classes:
    """Classes of sessions with utilities of their own.

    Parameters
    ----------
    share : xarray.DataArray
        Share of the sessions (class), in sum 1.
    claimable : xarray.DataArray
        Whether a class can pretend to be another one (class, claimed).
    """

    share: xr.DataArray
    claimable: xr.DataArray


@dataclass(frozen=True)
class Found:
    """Level of each variable of a program, and shadow price of each row."""

    level: Levels
    price: Levels


def linear_menu(
    ask: xr.DataArray,
    share: xr.DataArray,
    utility: AnyUtility,
    cap: xr.DataArray | float,
    tolerance: float = TOLERANCE,
    classes: Classes | None = None,
) -> LinearMenu:
    """Return the best menu of the linear program.

    ::

        max sum_m share_m (v_m - g_m)   s.t.
        g_m >= ask_m w_m                                (rational)
        g_m - ask_m w_m >= g_j - ask_m w_j              (incentive-compatible, each m and j)
        w_m >= w_{m-1},  0 <= w_m <= cap_m
        v_m <= u(p) + u'(p) (w_m - p)                   (tangents, more in each round)

    Caps may differ by type: energies rise, so that each is below the caps of the types above, too.
    Where classes of sessions have utilities of their own, no type may gain by a class k that it can
    pretend to be, and the objective is the mean over the classes::

        g_mc - ask_m w_mc >= g_jk - ask_m w_jk          (each m, j; c can pretend to be k)
    """
    ask, share, limit = _labelled(ask, share, cap)
    program = _program(ask, limit)
    value, payment = program.variables["value"], program.variables["payment"]
    if classes is not None:
        _add_claims(program, ask, classes.claimable)
    weight = share if classes is None else share * classes.share
    program.add_objective((weight * value - weight * payment).sum(), sense="max")
    found = _solve_with_tangents(program, utility, limit, lambda _: share, tolerance)
    worth = weight * (found.level["value"] - found.level["payment"])
    if classes is None:
        return _repaired(found, ask, limit, worth.sum("type"), share)
    repaired = _repaired(found, ask, limit, worth.sum(), share)
    payments = least_payments(repaired.energy, ask.isel({"class": 0}, drop=True), classes.claimable)
    return replace(repaired, payment=payments)


def _add_claims(program: linopy.Model, ask: xr.DataArray, claimable: xr.DataArray) -> None:
    """Keep each type of a class from the contracts of the classes that it can pretend to be."""
    energy, payment = program.variables["energy"], program.variables["payment"]
    others = {"type": "other", "class": "claimed"}
    asked = ask.isel({"class": 0}, drop=True)
    claimed = payment.rename(others) - asked * energy.rename(others)
    program.add_constraints(payment - asked * energy - claimed >= 0, name="claims", mask=claimable)


def robust_menu(
    ask: xr.DataArray,
    least: xr.DataArray,
    most: xr.DataArray,
    utility: AnyUtility,
    cap: xr.DataArray | float,
    tolerance: float = TOLERANCE,
) -> LinearMenu:
    """Return the menu that is best at its worst shares, where least <= share <= most, in sum 1.

    The worst shares of a menu are a linear program; its dual takes its place::

        max n + sum_m (least_m a_m - most_m b_m)   s.t.
        n + a_m - b_m <= v_m - g_m,   a, b >= 0,   and the rows of `linear_menu`

    The shadow prices of these rows are the worst shares. A type that may have no owners counts.
    """
    ask, least, limit = _labelled(ask, least, cap)
    most = most.broadcast_like(least).assign_coords(least.coords)
    program = _program(ask, limit)
    value, payment = program.variables["value"], program.variables["payment"]
    menus = [least.indexes[d] for d in least.dims if d != "type"]
    sure = program.add_variables(coords=menus, name="sure")
    below = program.add_variables(lower=0.0 * least, name="below")
    above = program.add_variables(lower=0.0 * most, name="above")
    program.add_constraints(sure + below - above - value + payment <= 0, name="worst")
    program.add_objective(sure.sum() + (least * below - most * above).sum(), sense="max")

    def worst_shares(price: Levels) -> xr.DataArray:
        """Shadow prices, within the intervals and in sum 1."""
        return _in_sum_one(abs(price["worst"]).clip(least, most), least, most)

    found = _solve_with_tangents(program, utility, limit, worst_shares, tolerance)
    level = found.level
    bound = level["sure"] + (least * level["below"] - most * level["above"]).sum("type")
    return _repaired(found, ask, limit, bound, worst_shares(found.price))


def worst_value(
    worth: xr.DataArray, least: xr.DataArray, most: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the least value of a menu over intervals of shares, and the shares at which it is.

    Each type has its least share; what is left of 1 goes to the types that are worth least.

    Parameters
    ----------
    worth : xarray.DataArray
        u(w) - payment (type), EUR.
    least, most : xarray.DataArray
        Intervals of the shares (type).
    """
    worth, least, most = xr.broadcast(worth, least, most)
    share = xr.apply_ufunc(
        _cheapest_first,
        *(worth, least, most),
        input_core_dims=[["type"]] * 3,
        output_core_dims=[["type"]],
    )
    return (share * worth).sum("type"), share


def _cheapest_first(worth: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Fill the shares of the types worth least first; types are the last axis."""
    order = np.argsort(worth, axis=-1, kind="stable")
    room = np.take_along_axis(most - least, order, axis=-1)
    left = 1 - least.sum(axis=-1, keepdims=True)
    before = np.cumsum(room, axis=-1) - room
    more = np.empty_like(room)
    np.put_along_axis(more, order, np.clip(left - before, 0.0, room), axis=-1)
    return np.asarray(least + more)


def _in_sum_one(share: xr.DataArray, least: xr.DataArray, most: xr.DataArray) -> xr.DataArray:
    """Take rounding out of shares: what misses 1 is spread over the room to the limits."""
    missing = 1 - share.sum("type")
    room = xr.where(missing > 0, most - share, share - least)
    total = room.sum("type")
    return share + room * (missing / total.where(total > 0, 1.0))


def _labelled(
    ask: xr.DataArray, share: xr.DataArray, cap: xr.DataArray | float
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return arrays of one shape with labels on each dimension, and the cap that binds a type."""
    arrays = xr.broadcast(ask, share, xr.DataArray(cap))
    bare = [d for d in arrays[0].dims if d not in arrays[0].indexes]
    ask, share, limit = (x.assign_coords({d: np.arange(x.sizes[d]) for d in bare}) for x in arrays)
    falling = limit.isel(type=slice(None, None, -1))
    least = falling.copy(
        data=np.minimum.accumulate(falling.to_numpy(), axis=falling.get_axis_num("type"))
    )
    return ask, share, least.isel(type=slice(None, None, -1))


def _program(ask: xr.DataArray, cap: xr.DataArray) -> linopy.Model:
    """Return energies, payments and values of the types, and the rows that every menu keeps."""
    program = linopy.Model()
    energy = program.add_variables(lower=0.0 * cap, upper=cap, name="energy")
    payment = program.add_variables(lower=0.0 * ask, name="payment")
    program.add_variables(coords=[ask.indexes[d] for d in ask.dims], name="value")
    program.add_constraints(payment - ask * energy >= 0, name="rational")
    others = {"type": "other"}
    claimed = payment.rename(others) - ask * energy.rename(others)
    program.add_constraints(payment - ask * energy - claimed >= 0, name="incentive")
    below = energy.shift(type=1).fillna(0)
    program.add_constraints(energy - below >= 0, name="rising")
    return program


def _solve_with_tangents(
    program: linopy.Model,
    utility: AnyUtility,
    cap: xr.DataArray,
    weight: Callable[[Levels], xr.DataArray],
    tolerance: float,
) -> Found:
    """Solve, with tangents where the last menu stands, until they are as good as the utility.

    `weight` gives the shares (type) at which their distance counts, from the shadow prices.
    """
    _add_tangents(program, utility, _first_points(utility, cap))
    for _ in range(ROUNDS):
        matrix = matrix_of(program)
        optimum = _optimum(matrix)
        found = Found(
            by_variable(program, matrix, optimum.primal),
            by_constraint(program, matrix, optimum.dual),
        )
        energy = found.level["energy"].clip(0.0, cap)
        excess = found.level["value"] - utility.of(energy)
        if float((weight(found.price) * excess).sum("type").max()) <= tolerance:
            return found
        _add_tangents(program, utility, energy.clip(min=_NEXT_TO_NOTHING * cap))
    raise SolverError(f"the program of a menu is not within {tolerance:g} after {ROUNDS} rounds")


def _optimum(matrix: Matrix) -> Optimum:
    """Return the optimum, on another way where HiGHS gives up on the first one.

    The program has a menu and a bound whatever the data: what goes wrong is a matter of numbers.
    """
    *ways, last = _WAYS
    for options in ways:
        with suppress(SolveError):
            return solve_matrix(matrix, Settings(options=_OPTIONS | options))
    return solve_matrix(matrix, Settings(options=_OPTIONS | last))


def _first_points(utility: AnyUtility, cap: xr.DataArray) -> xr.DataArray:
    """Return where the first tangents touch: at every bend of a table, else over the whole cap."""
    if utility.points.size:
        return xr.DataArray(utility.points, dims="tangent") + 0.0 * cap
    return xr.DataArray(_FIRST_POINTS, dims="tangent") * cap


def _add_tangents(program: linopy.Model, utility: AnyUtility, points: xr.DataArray) -> None:
    """Keep the value of each type below a tangent at each of its points."""
    energy, value = program.variables["energy"], program.variables["value"]
    slope = utility.slopes(points)
    program.add_constraints(value - slope * energy <= utility.of(points) - slope * points)


def _repaired(
    found: Found,
    ask: xr.DataArray,
    cap: xr.DataArray,
    bound: xr.DataArray,
    share: xr.DataArray,
) -> LinearMenu:
    """Return the menu with energies that rise, and the payments that reveal the types."""
    free = found.level["energy"].clip(0.0, cap)
    rising = np.maximum.accumulate(free.to_numpy(), axis=free.get_axis_num("type"))
    energy = free.copy(data=rising)
    return LinearMenu(energy, revealing_payments(energy, ask), bound, share)
