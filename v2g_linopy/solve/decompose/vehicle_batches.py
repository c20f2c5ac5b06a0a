"""Vehicles that the oracle cannot plan, in small linear programmes that stay open: rows stand, and
prices move (docs/formulation.md §12 B).

Their rows are those of the product's own model, written once for all of them and cut into batches
of a few vehicles each, which go on from their last basis at every message."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from ...errors import SolveError, SolverError
from ...model.inputs import Inputs
from ...model.reserve_rules import acceptance
from .. import complementarity, solver
from ..assembly import Built, assemble_model
from ..merge import Merged
from ..oracle_members import FLEET, sold_products
from ..solution import read_solution
from ..solver import Matrix, Optimum, Settings
from .large_fleets_master import NODE, Columns
from .vehicle_groups import NotServed, group_numbers

ALLOCATION = "reserve.allocation"
VEHICLES = 20  # of a batch
_OF_MARKETS = ("capacity_price", "block", "minimum_bid", "step", "closed", "committed")
_MARKET = "node.market"
_FREE = ("reserve.block",)  # rows of volumes, which no vehicle stands in
_ROUNDING = 1e-9  # kW
_SLIPS = (0.0, _ROUNDING, 1e-7)  # kW: by how much a mix of plans may be missed, if it has to be


class _Batch:
    """A few vehicles of one pod: their rows in HiGHS, and what they give to their pod."""

    def __init__(
        self,
        matrix: Matrix,
        columns: np.ndarray,
        gives: sp.csr_array,
        pod: int,
        one_way: np.ndarray,
        settings: Settings,
    ):
        self.matrix, self.columns, self.gives, self.pod = matrix, columns, gives, pod
        self._one_way = one_way  # columns of charging and discharging that exclude each other
        self._last = np.full(len(columns), np.nan)
        self._settings = settings
        self._highs = solver.hand_over(matrix, settings)

    def plan(self, price: np.ndarray) -> np.ndarray:
        """Return the levels of the best plan at prices on (quantity, time)."""
        cost = self._priced(price)
        every = np.arange(len(cost), dtype=np.int32)
        self._highs.changeColsCost(len(cost), every, -cost)
        found = solver.rerun_highs(self._highs, self.matrix, self._last, self._settings)
        self._last = found.primal
        return found.primal

    def cheapest(self, given: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Return the levels of the cheapest plan that gives so much, on (quantity, time), and goes
        one way at a time; of the best one at some prices where there is none.
        """
        levels = _cheapest(self.matrix, self.gives, given)
        if self._least_way(levels) <= complementarity.TOLERANCE:
            return levels
        count = len(levels)
        apart = _with_one_way(self.matrix, self._one_way)
        try:
            return _cheapest(apart, self.gives, given)[:count]
        except SolveError:
            cost = np.concatenate([self._priced(price), apart.cost[count:]])
            return solver.solve_matrix(replace(apart, cost=cost), Settings(gap=0.0)).primal[:count]

    def _priced(self, price: np.ndarray) -> np.ndarray:
        cost: np.ndarray = self.matrix.cost + self.gives.T @ price.ravel()
        return cost

    def _least_way(self, levels: np.ndarray) -> float:
        """Return the most that flows both ways at once (kW)."""
        return float(levels[self._one_way].min(0).max(initial=0.0))


def _cheapest(matrix: Matrix, gives: sp.csr_array, given: np.ndarray) -> np.ndarray:
    """Return the levels of the cheapest plan that gives so much.

    What is mixed of several plans may be missed by what these miss their own limits.
    """
    more = sp.csr_array((gives.shape[0], matrix.a.shape[1] - gives.shape[1]))
    rows = sp.vstack([sp.csr_array(matrix.a), sp.hstack([gives, more])]).tocsc()
    due, last = given.ravel(), len(_SLIPS) - 1
    for k, slip in enumerate(_SLIPS):
        low = np.concatenate([matrix.row_lower, due - slip])
        high = np.concatenate([matrix.row_upper, due + slip])
        whole = replace(matrix, a=rows, row_lower=low, row_upper=high)
        try:
            return solver.solve_matrix(whole, Settings(gap=0.0)).primal
        except SolveError:
            if k == last:
                raise
    raise AssertionError("unreachable")


def _with_one_way(matrix: Matrix, one_way: np.ndarray) -> Matrix:
    """Return a matrix with binaries z: charge <= charge_max z, discharge <= discharge_max (1 - z).

    `one_way` holds the columns of both, on (way, pair).
    """
    rows, columns = matrix.a.shape
    many, (charge, discharge) = one_way.shape[1], one_way
    pairs = np.arange(many)
    most_in, most_out = matrix.upper[charge], matrix.upper[discharge]
    one, shape = np.ones(many), (many, columns + many)
    ways = [
        sp.coo_array(
            (
                np.concatenate([one, most]),
                (np.tile(pairs, 2), np.concatenate([power, columns + pairs])),
            ),
            shape,
        )
        for power, most in ((charge, -most_in), (discharge, most_out))
    ]
    whole = sp.hstack([matrix.a, sp.csc_array((rows, many))])
    none, endless = np.zeros(many), np.full(2 * many, -np.inf)
    return replace(
        matrix,
        a=sp.vstack([whole, *ways]).tocsc(),
        row_lower=np.concatenate([matrix.row_lower, endless]),
        row_upper=np.concatenate([matrix.row_upper, none, most_out]),
        cost=np.concatenate([matrix.cost, none]),
        lower=np.concatenate([matrix.lower, none]),
        upper=np.concatenate([matrix.upper, one]),
        integer=np.concatenate([matrix.integer, one > 0]),
    )


@dataclass(frozen=True)
class Kept:
    """Plans of all batches: levels of their columns, and what they give."""

    levels: list[np.ndarray]
    given: np.ndarray  # kW on (batch, quantity, time)


@dataclass
class Batches:
    """Vehicles in batches, and batches in groups."""

    inputs: Inputs  # of these vehicles and the reserves alone
    vehicles: np.ndarray  # their positions among all vehicles
    pods: np.ndarray  # (group) position of its point of delivery
    _built: Built
    _matrix: Matrix
    _batches: list[_Batch]
    _group: np.ndarray  # (batch)
    _given: list[np.ndarray]  # by message: kW on (batch, quantity, time)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.pods)

    def __len__(self) -> int:
        return len(self._batches)

    def answer(self, price: np.ndarray, message: int) -> Columns:
        """Return the best plans at some prices, summed by group.

        They are EUR per kW given in the step, on (pod, quantity, time).
        """
        given = np.zeros((len(self), *price.shape[1:]))
        own_cost = np.zeros(len(self))
        for number, batch in enumerate(self._batches):
            try:
                levels = batch.plan(price[batch.pod])
            except SolveError as error:
                raise self._without_plan(batch, error) from None
            given[number] = (batch.gives @ levels).reshape(given.shape[1:])
            own_cost[number] = -float(batch.matrix.cost @ levels)
        self._given.append(given)
        total, cost = np.zeros((self.groups, *given.shape[1:])), np.zeros(self.groups)
        np.add.at(total, self._group, given)
        np.add.at(cost, self._group, own_cost)
        return Columns(np.arange(self.groups), self.pods, total, cost, message)

    def kept(self, weight: np.ndarray, price: np.ndarray) -> "Kept":
        """Return plans of all vehicles that give what the mix by `weight` on (message, group) does,
        at the least cost.

        `price` is on (pod, quantity, time), for vehicles of which no plan does that one way at a
        time.
        """
        given = np.zeros_like(self._given[0])
        for part, plans in zip(weight / weight.sum(0), self._given, strict=True):
            given += part[self._group, None, None] * plans
        each = zip(self._batches, given, strict=True)
        return self._kept([b.cheapest(promised, price[b.pod]) for b, promised in each])

    def sold(self, kept: "Kept", part: np.ndarray, price: np.ndarray) -> "Kept":
        """Return the plans with the part of each product that is sold, on (pod, product, time)."""
        levels = []
        for batch, own, given in zip(self._batches, kept.levels, kept.given, strict=True):
            due = given.copy()
            due[1:] *= part[batch.pod]
            same = bool((abs(due - given) <= _ROUNDING).all())
            levels.append(own if same else batch.cheapest(due, price[batch.pod]))
        return self._kept(levels)

    def _kept(self, levels: list[np.ndarray]) -> "Kept":
        given = np.zeros_like(self._given[0])
        for number, (batch, own) in enumerate(zip(self._batches, levels, strict=True)):
            given[number] = (batch.gives @ own).reshape(given.shape[1:])
        return Kept(levels, given)

    def at_pods(self, kept: "Kept", pods: int) -> np.ndarray:
        """Return what the vehicles give (kW, on pod, quantity and time)."""
        found = np.zeros((pods, *kept.given.shape[1:]))
        np.add.at(found, [batch.pod for batch in self._batches], kept.given)
        return found

    def read(self, kept: "Kept") -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray], float]:
        """Return outputs and bill of all vehicles by name, and their own cost (EUR)."""
        rows, columns = self._matrix.a.shape
        primal, cost = np.zeros(columns), 0.0
        for batch, levels in zip(self._batches, kept.levels, strict=True):
            primal[batch.columns] = levels
            cost -= float(batch.matrix.cost @ levels)
        found = Optimum(primal, np.zeros(rows), np.zeros(columns), -cost)
        plans = read_solution(self._built, self._matrix, found, Merged({}), self.inputs)
        outputs = {n: x for n, x in plans.solution.items() if "fleet" in x.dims}
        return outputs, {n: x for n, x in plans.ledger.items() if n.startswith(f"{FLEET}.")}, cost

    def _without_plan(self, batch: _Batch, error: SolveError) -> Exception:
        """Return what to raise where a batch has no plan."""
        if "infeasible" not in error.status:
            return error
        members = _members(self._built, self._matrix)[0][batch.columns]
        return NotServed(self.vehicles[np.unique(members)])


def in_batches(
    inputs: Inputs, vehicles: np.ndarray, pods: pd.Index, groups: int, settings: Settings
) -> Batches:
    """Return vehicles in batches of one pod each, and these in about as many groups.

    Parameters
    ----------
    inputs : Inputs
        A validated case.
    vehicles : numpy.ndarray
        Positions of vehicles that are tied to each other by prices alone.
    pods : pandas.Index
        Points of delivery, in the order of the prices.
    groups : int
        How many groups are wanted.
    settings : Settings
        Of the solver, without an end.
    """
    own = _alone(inputs, vehicles)
    built = assemble_model(own)
    matrix = solver.matrix_of(built.model)
    member, of_row = _members(built, matrix)
    _tied_by_prices_alone(built, matrix, of_row)
    gives = _gives(built, matrix, own)

    pod = pods.get_indexer(own.data[FLEET].pod.astype(str).to_numpy())
    order = np.argsort(pod, kind="stable")
    rank = np.arange(len(pod)) - np.searchsorted(pod[order], pod[order])
    begin = np.flatnonzero(rank % VEHICLES == 0)
    batch = np.empty(len(pod), int)
    batch[order] = np.repeat(np.arange(len(begin)), np.diff([*begin, len(pod)]))

    columns, rows = (_places_by_batch(batch, of, len(begin)) for of in (member, of_row))
    one_way, place = _one_way(built, matrix, own), np.empty(len(member), int)
    both = _places_by_batch(batch, member[one_way[0]], len(begin))
    batches = []
    for b, at in enumerate(pod[order][begin]):
        here = columns[b]
        place[here] = np.arange(len(here))
        cut, given = _cut(matrix, rows[b], here), gives[str(pods[at])][:, here]
        pairs = place[one_way[:, both[b]]]
        batches.append(_Batch(cut, here, given, int(at), pairs, settings))
    group, pod_of_group = group_numbers(pod[order][begin], len(pods), groups)
    return Batches(own, vehicles, pod_of_group, built, matrix, batches, group, [])


def _alone(inputs: Inputs, vehicles: np.ndarray) -> Inputs:
    """Return the vehicles and what their reserves have to keep, without markets and money."""
    fleet = inputs.data[FLEET]
    data = {FLEET: fleet.isel(fleet=vehicles).assign_attrs(fleet.attrs)}
    if sold_products(inputs, 1) is not None:
        d = inputs.data["reserve"]
        bought = xr.where(d.volume_max > 0, np.inf, 0.0)
        free = {name: xr.zeros_like(d[name], float) for name in _OF_MARKETS if name in d}
        paid = {f"activation_price_{way}": xr.DataArray(0.0) for way in ("up", "down")}
        paid |= {"accept_probability": acceptance(d)}
        held = {"volume_max": bought, "shortfall_price": d.shortfall_price.where(False)}
        data["reserve"] = d.drop_vars("settlement", errors="ignore").assign(free | paid | held)
    return replace(inputs, data=data)


def _members(built: Built, matrix: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of the vehicle of each column and of each row, -1 where it is of none."""
    found = []
    for spread, count in (
        (solver.by_variable, matrix.a.shape[1]),
        (solver.by_constraint, matrix.a.shape[0]),
    ):
        member = np.full(count, -1)
        for x in spread(built.model, matrix, np.arange(count, dtype=float)).values():
            if "fleet" in x.dims:
                x = x.transpose("fleet", ...)
                vehicle = np.broadcast_to(
                    np.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1)), x.shape
                )
                there = ~np.isnan(x.to_numpy())
                member[x.to_numpy()[there].astype(int)] = vehicle[there]
        found.append(member)
    return found[0], found[1]


def _tied_by_prices_alone(built: Built, matrix: Matrix, of_row: np.ndarray) -> None:
    """Raise where a row that is not of one vehicle limits several of them."""
    priced = solver.by_constraint(built.model, matrix, np.arange(len(of_row), dtype=float))
    shared = np.concatenate([priced[n].to_numpy().ravel() for n in (NODE, _MARKET) if n in priced])
    others = np.setdiff1d(np.flatnonzero(of_row < 0), shared)
    names = [n for n, x in priced.items() if np.isin(x.to_numpy(), others).any()]
    unknown = sorted(set(names) - {ALLOCATION, *_FREE})
    if unknown:
        raise SolverError(f"vehicles cannot be planned apart: {', '.join(unknown)} ties them")


def _gives(built: Built, matrix: Matrix, own: Inputs) -> dict[str, sp.csr_array]:
    """Return, by pod, what a unit of each column gives: power at each step, then each product."""
    numbers = solver.by_constraint(built.model, matrix, np.arange(matrix.a.shape[0], dtype=float))
    node, by_row = numbers[NODE].transpose("pod", "time"), sp.csr_array(matrix.a)
    held = np.zeros((0, node.sizes["time"]))
    if ALLOCATION in numbers:
        held = numbers[ALLOCATION].transpose("product", "time").to_numpy()
    return {
        str(pod): sp.csr_array(-by_row[np.concatenate([row, held.ravel()]).astype(int)])
        for pod, row in zip(node.indexes["pod"], node.to_numpy(), strict=True)
    }


def _one_way(built: Built, matrix: Matrix, own: Inputs) -> np.ndarray:
    """Return the columns of charging and discharging that exclude each other, on (way, pair)."""
    numbers = solver.by_variable(built.model, matrix, np.arange(matrix.a.shape[1], dtype=float))
    pairs = [np.zeros((2, 0))]
    for (part, path), where in complementarity.eligible(own).items():
        names = complementarity.direction(part, path)
        if names.charge in numbers and names.discharge in numbers:
            charge, discharge = numbers[names.charge], numbers[names.discharge]
            possible = where & charge.notnull() & discharge.notnull()
            there = possible.transpose(*charge.dims).to_numpy()
            both = charge, discharge.transpose(*charge.dims)
            pairs.append(np.stack([x.to_numpy()[there] for x in both]))
    return np.concatenate(pairs, 1).astype(int)


def _places_by_batch(batch: np.ndarray, member: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the columns (or rows) of each batch, where `member` says whose each one is."""
    some = np.flatnonzero(member >= 0)
    of = batch[member[some]]
    order = np.argsort(of, kind="stable")
    return np.split(some[order], np.searchsorted(of[order], np.arange(1, count)))


def _cut(matrix: Matrix, rows: np.ndarray, columns: np.ndarray) -> Matrix:
    """Return some rows and columns of a matrix."""
    by_column = ("cost", "lower", "upper", "integer", "column_labels")
    by_row = ("row_lower", "row_upper", "row_labels")
    some = {n: getattr(matrix, n)[columns] for n in by_column}
    some |= {n: getattr(matrix, n)[rows] for n in by_row}
    return replace(matrix, a=sp.csc_array(sp.csr_array(matrix.a[:, columns])[rows]), **some)
