"""Level two held open: the markets of a portfolio, whose plans come in as columns
(docs/formulation.md §11).

The rows are those of the part `/flexibility` and of the markets, written once by the product's own
model on two plans of each pod, which trade one kW each way and hold every product: their columns
say where a kW traded and a kW held stand. A plan is then one column more, and no row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np
import scipy.sparse as sp
import xarray as xr

from ...errors import SolveError
from ...model.inputs import Inputs, inputs_of, pods_at_markets
from ...model.part import Part
from ..assembly import assemble_model
from ..solver import (
    Matrix,
    Optimum,
    Settings,
    at_levels,
    hand_over,
    matrix_of,
    run_highs,
    solve_matrix,
)
from .message import Message
from .places import Places
from .plans import Plan, most_volume, unit_plans, with_plans
from .sites import constants

_PRIMAL = int(highspy.simplex_constants.SimplexStrategy(4))
_DEARER, _DEAREST = 10.0, 1e4  # how missing power becomes dearer where plans leave it missing


@dataclass(frozen=True)
class Mixed:
    """What a portfolio makes of the plans that it knows.

    Parameters
    ----------
    value : float
        EUR, with the penalties for what no plan gives.
    weights : numpy.ndarray
        Of each plan, in the order in which they came.
    missing : float
        kW, the most that is missing or too much anywhere.
    message : Message
        What a kW more is worth.
    """

    value: float
    weights: np.ndarray
    missing: float
    message: Message


class PortfolioModel:
    """Markets and reserve bids over mixes of plans.

    Parameters
    ----------
    tree : xarray.DataTree
        What `Division.portfolio` returns.
    inputs : Inputs
        Of it.
    pods : sequence of str
        Names of the sites.
    parts : mapping of str to Part
        The catalogue.
    settings : Settings
        How to solve.
    most_held : numpy.ndarray, optional
        kW on (product, time) that the sites hold at most, where they say it.
    """

    def __init__(
        self,
        tree: xr.DataTree,
        inputs: Inputs,
        pods: Sequence[str],
        parts: Mapping[str, Part],
        settings: Settings,
        most_held: np.ndarray | None = None,
    ):
        self.pods, self.plans, self._settings = list(pods), list[Plan](), settings
        self.dearer = 1.0  # than `missing_cost`
        units = unit_plans(inputs, pods, most_held)
        own = inputs_of(with_plans(tree, inputs, units), parts)
        built = assemble_model(own)
        matrix = matrix_of(built.model)
        places = Places.of(built.model, matrix)
        self._inputs, self._shape = own, units[0].held.shape
        self._rows = {n: places.row[n] for n in _PRICED if n in places.row}
        self._constant = float(constants(built.ledger, matrix, ["all"], {}).sum())

        weight = places.column["flexibility.weight"].to_numpy()
        slack = [_there(places.column[f"flexibility.{n}"]) for n in ("missing", "excess")]
        self._slack = np.concatenate(slack)
        upper = matrix.upper.copy()
        upper[weight] = 0.0
        if "reserve.share_flexibility" in places.column:
            upper[_there(places.column["reserve.share_flexibility"])] = np.inf
        self._matrix = replace(matrix, upper=upper)
        self._columns = _Columns(self._matrix, places, weight.reshape(len(pods), 2), units)
        limited = _limited(self._matrix, places, most_volume(inputs, most_held))
        self._market = _Market(limited, self._columns, self._slack, own, settings)
        self._highs: highspy.Highs | None = None

    def add(self, plans: Sequence[Plan]) -> int:
        """Take plans in, and return how many of them are new: equal plans are one."""
        new = [p for p in plans if not any(p.equals(known) for known in self.plans)]
        self.plans += new
        if not new:
            return 0
        pieces = [self._columns.of(plan) for plan in new]
        own = np.array([plan.own for plan in new])
        zeros, ones = np.zeros(len(new)), np.ones(len(new))
        self._matrix = _with_columns(self._matrix, pieces, own, zeros, ones)
        if self._highs is not None:
            for rows, values, income in zip(*zip(*pieces, strict=True), own, strict=True):
                self._highs.addCol(-income, 0.0, 1.0, len(rows), rows, values)
        return len(new)

    def forbid(self, plans: Sequence[bool]) -> None:
        """Leave plans out of every mix from now on."""
        upper = self._matrix.upper.copy()
        upper[len(upper) - len(self.plans) :][np.asarray(plans, bool)] = 0.0
        self._matrix = replace(self._matrix, upper=upper)
        self._highs = None

    def raise_missing_cost(self) -> bool:
        """Make missing power ten times as dear; return False where it has been raised enough.

        A site may pay more for a kWh than any market: for need that is not served, as a rule.
        """
        if self.dearer >= _DEAREST:
            return False
        self.dearer *= _DEARER
        cost = self._matrix.cost.copy()
        cost[self._slack] *= _DEARER
        self._matrix, self._highs = replace(self._matrix, cost=cost), None
        return True

    def solve(self) -> Mixed:
        """Mix the plans in the best way, and say what a kW more would be worth.

        Raises
        ------
        SolveError, SolverError, Interrupted
        """
        optimum = self._linear() if self._matrix.is_lp else self._in_whole_numbers()
        x, prices = optimum.primal, self._prices(optimum)
        missing = float(x[self._slack].max(initial=0.0))
        weights = x[len(x) - len(self.plans) :].clip(0.0, 1.0)
        return Mixed(optimum.objective + self._constant, weights, missing, prices)

    def worth(self, message: Message) -> float:
        """Return the most that the markets earn if power and reserve cost what a message says.

        It is EUR, infinite where they would buy without end.
        """
        return self._market.worth(message) + self._constant

    def _linear(self) -> Optimum:
        if self._highs is None:
            self._highs = hand_over(self._matrix, self._settings)
        elif "simplex_strategy" not in self._settings.options:
            self._highs.setOptionValue("simplex_strategy", _PRIMAL)
        return run_highs(self._highs, self._matrix)

    def _in_whole_numbers(self) -> Optimum:
        """Bids in whole numbers are searched for; prices are those of the bids that are found."""
        search = solve_matrix(self._matrix, self._settings)
        return solve_matrix(at_levels(self._matrix, search.primal), self._settings)

    def _prices(self, optimum: Optimum) -> Message:
        power = optimum.dual[self._rows["node.market"].to_numpy()] / self._inputs.dt
        held = np.zeros(self._shape)
        if "reserve.allocation" in self._rows:
            rows = self._rows["reserve.allocation"].transpose("product", "time").to_numpy()
            held = np.where(rows >= 0, optimum.dual[rows], 0.0) / self._inputs.dt
        number = 1 + max((plan.round for plan in self.plans), default=-1)
        return Message.of_duals(power, held, self._inputs, number)


_PRICED = ("node.market", "reserve.allocation")


def _limited(matrix: Matrix, places: Places, most: np.ndarray) -> Matrix:
    """Return a matrix in which no volume is without end: else rounding makes a bound infinite."""
    if "reserve.volume" not in places.column:
        return matrix
    columns = places.column["reserve.volume"].transpose("product", "time").to_numpy()
    upper = matrix.upper.copy()
    upper[columns] = np.minimum(upper[columns], most)
    return replace(matrix, upper=upper)


Column = tuple[np.ndarray, np.ndarray]
"""Rows and coefficients of a column."""


class _Columns:
    """Where a kW that a plan trades, or holds, stands in the matrix."""

    def __init__(self, matrix: Matrix, places: Places, weight: np.ndarray, units: Sequence[Plan]):
        self.pods = [plan.pod for plan in units[::2]]
        self._step, self._product = _labels_of_rows(places, matrix.a.shape[0])
        self._held = units[0].held
        columns = sp.csc_array(matrix.a)
        self._fed, self._drawn = (
            {pod: _column(columns, k) for pod, k in zip(self.pods, weight[:, way], strict=True)}
            for way in (0, 1)
        )

    def of(self, plan: Plan) -> Column:
        """Return rows and coefficients of a plan."""
        rows, unit = self._fed[plan.pod]
        step, product = self._step[rows], self._product[rows]
        fed = np.where(step >= 0, plan.traded.clip(min=0.0)[step], 1.0)
        if self._held.size:
            share = (plan.held / self._held)[product, step]
            fed = np.where(product >= 0, share, fed)
        others, other_unit = self._drawn[plan.pod]
        timed = self._step[others] >= 0  # the sum of weights has its 1 already
        others, other_unit = others[timed], other_unit[timed]
        drawn = (-plan.traded).clip(min=0.0)[self._step[others]]
        places, values = np.append(rows, others), np.append(unit * fed, other_unit * drawn)
        return places[values != 0].astype(np.int32), values[values != 0]

    def of_power(self, pod: str) -> list[Column]:
        """Return columns that give a kW at a pod, one for each step."""
        return [self._some(pod, -1, t, 1.0) for t in range(self._held.shape[1])]

    def of_held(self, pod: str) -> list[Column]:
        """Return columns that hold a kW at a pod, one for each product and step."""
        every = np.ndindex(*self._held.shape)
        return [self._some(pod, k, t, float(self._held[k, t])) for k, t in every]

    def _some(self, pod: str, product: int, step: int, unit: float) -> Column:
        """Return what the first plan of a pod has of a product (-1: of power) and step."""
        rows, values = self._fed[pod]
        here = (self._product[rows] == product) & (self._step[rows] == step)
        return rows[here].astype(np.int32), values[here] / unit

    def sums_of_weights(self) -> np.ndarray:
        """Return the rows in which weights add up to 1."""
        rows = np.concatenate([self._fed[pod][0] for pod in self.pods])
        return rows[self._step[rows] < 0]


class _Market:
    """The markets alone, where power and reserve can be had at the prices of a message."""

    def __init__(
        self,
        matrix: Matrix,
        columns: _Columns,
        slack: np.ndarray,
        inputs: Inputs,
        settings: Settings,
    ):
        sums, upper = columns.sums_of_weights(), matrix.upper.copy()
        upper[slack] = 0.0
        low, high = matrix.row_lower.copy(), matrix.row_upper.copy()
        low[sums], high[sums] = -np.inf, np.inf
        alone = replace(matrix, upper=upper, row_lower=low, row_upper=high)

        names = pods_at_markets(inputs.data)
        trading = [pod for pod in columns.pods if pod in names][:1]
        others = [pod for pod in columns.pods if pod not in names][:1]
        power = [column for pod in trading for column in columns.of_power(pod)]
        held = [column for pod in (*trading, *others) for column in columns.of_held(pod)]
        self._has = bool(trading), bool(others)
        self._count = len(power) + len(held)
        lower = np.append(np.full(len(power), -np.inf), np.zeros(len(held)))
        zeros, endless = np.zeros(self._count), np.full(self._count, np.inf)
        self._matrix = _with_columns(alone, [*power, *held], zeros, lower, endless)
        self._dt, self._settings = inputs.dt, settings
        self._highs: highspy.Highs | None = None

    def worth(self, message: Message) -> float:
        """Return the most that the markets earn (EUR), infinite where they buy without end."""
        trading, others = self._has
        paid = np.concatenate(
            [
                message.power if trading else np.zeros(0),
                message.held.ravel() if trading else np.zeros(0),
                message.held_supplied.ravel() if others else np.zeros(0),
            ]
        )
        cost = self._matrix.cost.copy()
        cost[len(cost) - self._count :] = -self._dt * paid
        matrix = replace(self._matrix, cost=cost)
        try:
            return self._bound(matrix)
        except SolveError as error:
            if "unbounded" in error.status:
                self._highs = None
                return float("inf")
            raise

    def _bound(self, matrix: Matrix) -> float:
        if not matrix.is_lp:
            return solve_matrix(matrix, self._settings).bound
        if self._highs is None:
            self._highs = hand_over(matrix, self._settings)
        else:
            every = np.arange(len(matrix.cost), dtype=np.int32)
            self._highs.changeColsCost(len(every), every, -matrix.cost)
        return run_highs(self._highs, matrix).objective


def _there(places: xr.DataArray) -> np.ndarray:
    """Return the columns that exist."""
    columns = places.to_numpy().ravel()
    return columns[columns >= 0]


def _labels_of_rows(places: Places, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the step and the product of each row, -1 where it has none."""
    step, product = np.full(count, -1), np.full(count, -1)
    for name, rows in places.row.items():
        if "time" not in rows.dims:
            continue
        axes = [(step, "time")]
        if name == "reserve.offered_flexibility":
            axes.append((product, "product"))
        exists = rows.to_numpy() >= 0
        for labels, dim in axes:
            number = xr.DataArray(np.arange(rows.sizes[dim]), dims=dim)
            everywhere = number.broadcast_like(rows).transpose(*rows.dims).to_numpy()
            labels[rows.to_numpy()[exists]] = everywhere[exists]
    return step, product


def _column(columns: sp.csc_array, k: int) -> Column:
    """Return rows and coefficients of a column."""
    some = slice(columns.indptr[k], columns.indptr[k + 1])
    return columns.indices[some], columns.data[some]


def _with_columns(
    matrix: Matrix,
    pieces: Sequence[Column],
    cost: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> Matrix:
    """Return a matrix with more columns at its end."""
    starts = np.cumsum([0, *(len(rows) for rows, _ in pieces)])
    rows = np.concatenate([rows for rows, _ in pieces])
    values = np.concatenate([values for _, values in pieces])
    more = sp.csc_array((values, rows, starts), (matrix.a.shape[0], len(pieces)))
    return replace(
        matrix,
        a=sp.csc_array(sp.hstack([matrix.a, more])),
        cost=np.append(matrix.cost, cost),
        lower=np.append(matrix.lower, lower),
        upper=np.append(matrix.upper, upper),
        integer=np.append(matrix.integer, np.zeros(len(pieces), bool)),
    )
