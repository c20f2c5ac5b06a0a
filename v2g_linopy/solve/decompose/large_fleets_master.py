"""Level two of a large fleet: the rest of the product's own model, with plans of groups of vehicles
as columns (docs/formulation.md §12 B).

The model of the rest is written once and stays in HiGHS; each round adds columns and goes on from
the last basis. `portfolio_model.PortfolioModel` is another master: there only the markets stand in
the model, and a site is a member of the part `/flexibility` with whole plans, bids in whole numbers
and a bound of its own. Here connections, batteries and other vehicles stay, there are no pods
to hide, and a column is the sum of a group."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import linopy
import numpy as np
import scipy.sparse as sp
import xarray as xr

from ...errors import Problem, SchemaError, SolveError
from ...model.inputs import Inputs
from ...model.part import Stage
from .. import complementarity, solver
from ..assembly import Built, assemble_model
from ..oracle_members import sold_products
from ..solver import Matrix, Optimum, Settings
from .planned_vehicles import OFFERED, PLANNED

NODE = "node.electricity"
_BINDS = 1e-7  # EUR per unit; below, nothing binds
_NOWHERE = -1
# a weight stands for the power of many vehicles: what it misses is missed by all of them, and a
# bound must not be less than it is
_EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
_BACKED = ("energy.backed_sales", "energy.backed_purchases")


@dataclass(frozen=True)
class Columns:
    """Plans of groups: what each gives at its pod (kW), and what it costs beside (EUR).

    What is given is power injected, and reserve held of each product.
    """

    group: np.ndarray
    pod: np.ndarray
    given: np.ndarray  # (column, quantity, time): power first, then each product
    own_cost: np.ndarray
    message: int  # number of the prices that they answer

    def of(self, some: np.ndarray) -> "Columns":
        """Return the columns of some groups."""
        return Columns(
            self.group[some], self.pod[some], self.given[some], self.own_cost[some], self.message
        )

    def joined(self, more: "Columns") -> "Columns":
        """Return these columns and those of more groups."""
        first, second = (
            (x.group, x.pod, x.given, x.own_cost)
            for x in (self, replace(more, group=more.group + len(self.group)))
        )
        group, pod, given, own_cost = map(np.concatenate, zip(first, second, strict=True))
        return Columns(group, pod, given, own_cost, self.message)

    def worth(self, price: np.ndarray) -> np.ndarray:
        """Return what each column earns at some prices (EUR per kW, on pod, quantity and time)."""
        found: np.ndarray = (self.given * price[self.pod]).sum((1, 2)) - self.own_cost
        return found


@dataclass(frozen=True)
class Round:
    """What level two found: its value (EUR), prices, and how much of each column it takes."""

    value: float
    price: np.ndarray  # (pod, quantity, time), EUR per kW given there in that step
    group_value: np.ndarray  # (group) what its convexity is worth (EUR)
    weight: np.ndarray
    missing: np.ndarray  # (pod, time) kW that no plan injects or draws
    optimum: Optimum  # of the columns and rows of the rest alone


@dataclass(frozen=True)
class Rest:
    """The rest of a case beside a plan of the fleet: its model, matrix and optimum."""

    built: Built
    matrix: Matrix
    optimum: Optimum


class LevelTwo:
    """The rest of a case as a linear programme that takes plans of groups as columns."""

    def __init__(self, inputs: Inputs, groups: int, missing_cost: float, settings: Settings):
        self.inputs = inputs
        self.built: Built = assemble_model(inputs)
        self.matrix = solver.matrix_of(self.built.model)
        if problems := [*self._unfit()]:
            raise SchemaError(problems, source="what is left beside the fleet")
        self._products = 0 if (sold := sold_products(inputs, 1)) is None else len(sold)
        self.place = self._positions(self.built.model, self.matrix)
        self._exact = replace(settings, options={**_EXACT, **settings.options})
        self._highs = solver.hand_over(self.matrix, self._exact)
        self._rows, self._own = self.matrix.a.shape
        self._missing_cost = missing_cost
        self._slack = self._add_slack(missing_cost)
        self._first = self._own + self._slack
        self._groups = groups
        self._add_convexity(groups)
        self._columns = 0

    def _unfit(self) -> Iterator[Problem]:
        """Yield what level two of a large fleet cannot hold."""
        if not self.matrix.is_lp:
            model = self.built.model
            names = ", ".join(n for n in model.variables if n not in model.continuous)
            yield Problem("case", "coupling", f"its rest decides in whole numbers ({names})")
        if any(name in self.built.model.constraints for name in _BACKED):
            detail = (
                "several gates are open at once and trades are backed by what each vehicle draws"
                " and feeds in; allow virtual_bidding or solve with method whole"
            )
            yield Problem("energy.virtual_bidding", "coupling", detail)

    # ---- what it holds ---------------------------------------------------------------------------

    def _add_slack(self, cost: float) -> int:
        """Let power be missing or in excess at each node, at a penalty: there are always prices."""
        places = self.place[:, 0].ravel()
        many = 2 * len(places)
        price = np.full(many, cost * self.inputs.dt)
        low, high = np.zeros(many), np.full(many, np.inf)
        rows = np.concatenate([places, places]).astype(np.int32)
        sign = np.repeat([-1.0, 1.0], len(places))
        self._highs.addCols(many, price, low, high, many, np.arange(many), rows, sign)
        return many

    def _add_convexity(self, groups: int) -> None:
        """The weights of the plans of a group add up to 1, or to 0 as long as it has none."""
        none, starts = np.zeros(0), np.zeros(groups, np.int32)
        low, high = np.zeros(groups), np.ones(groups)
        self._highs.addRows(groups, low, high, 0, starts, none.astype(np.int32), none)

    def raise_penalty(self, times: float) -> None:
        """Make missing power dearer, as somebody would still rather pay."""
        self._missing_cost *= times
        places = np.arange(self._own, self._own + self._slack, dtype=np.int32)
        price = np.full(self._slack, self._missing_cost * self.inputs.dt)
        self._highs.changeColsCost(self._slack, places, price)

    def everybody_plans(self) -> None:
        """From now on the weights of each group add up to 1: each has a plan."""
        rows = np.arange(self._rows, self._rows + self._groups, dtype=np.int32)
        one = np.ones(self._groups)
        self._highs.changeRowsBounds(self._groups, rows, one, one)  # type: ignore[attr-defined]

    def add(self, columns: Columns) -> None:
        """Add plans of some groups."""
        many = len(columns.group)
        place = self.place[columns.pod].reshape(many, -1)
        convexity = self._rows + columns.group
        rows = np.concatenate([place, convexity[:, None]], 1).astype(np.int32)
        values = np.concatenate([-columns.given.reshape(many, -1), np.ones((many, 1))], 1)
        there = (values != 0) & (rows != _NOWHERE)
        starts = np.concatenate([[0], np.cumsum(there.sum(1))[:-1]]).astype(np.int32)
        low, high = np.zeros(many), np.full(many, np.inf)
        count = int(there.sum())
        self._highs.addCols(
            many, columns.own_cost, low, high, count, starts, rows[there], values[there]
        )
        self._columns += many

    # ---- what it finds ---------------------------------------------------------------------------

    def solve(self) -> Round:
        """Find the best mix of the plans so far, and its prices."""
        if self._columns:  # plans were added to the last mix, which is allowed still
            self._highs.setOptionValue("simplex_strategy", solver.PRIMAL)
        found = solver.run_highs(self._highs, self.matrix)
        own, first = self._own, self._first
        missing = found.primal[own:first].reshape(2, *self.place[:, 0].shape).max(0)
        rest = replace(found, primal=found.primal[:own], dual=found.dual[: self._rows])
        return Round(
            found.objective,
            np.where(self.place == _NOWHERE, 0.0, found.dual[: self._rows][self.place]),
            found.dual[self._rows :],
            found.primal[first:],
            missing,
            replace(rest, reduced=found.reduced[:own]),
        )

    @property
    def node(self) -> np.ndarray:
        """Row that takes the power of the fleet, on (pod, time)."""
        found: np.ndarray = self.place[:, 0]
        return found

    @property
    def penalty(self) -> float:
        """EUR for a kW that is missing in a step."""
        return self._missing_cost * self.inputs.dt

    def worth(self, price: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
        """Return the most that the rest earns where power can be had at some prices, from `low` to
        `high` (all on pod and time); infinite where it finds no plan then.

        Prices of an interior point keep the rules of the duals only nearly: what the vehicles could
        ever inject bounds what that costs.
        """
        places, matrix = self.node.ravel(), self.matrix
        many = len(places)
        more = sp.csc_array((-np.ones(many), (places, np.arange(many))), (matrix.a.shape[0], many))
        whole = replace(
            matrix,
            a=sp.csc_array(sp.hstack([matrix.a, more])),
            cost=np.append(matrix.cost, -price.ravel()),
            lower=np.append(matrix.lower, low.ravel()),
            upper=np.append(matrix.upper, high.ravel()),
            integer=np.append(matrix.integer, np.zeros(many, bool)),
        )
        try:
            return solver.solve_matrix(whole, self._exact).objective
        except SolveError:
            return float("inf")

    def beside(self, given: np.ndarray) -> Rest:
        """Find the best rest where the fleet gives so much (kW, on pod, quantity and time).

        No storage of it charges and discharges at once: binaries are added where the relaxation
        does.
        """
        where, flags = complementarity.eligible(self.inputs), dict[tuple[str, str], xr.DataArray]()
        built = self.built
        while True:
            matrix = self._with_given(built, given)
            found = solver.solve_matrix(matrix, Settings(gap=0.0))
            levels = solver.by_variable(built.model, matrix, found.primal)
            at_once = {
                key: x > complementarity.TOLERANCE
                for key, x in complementarity.overlap(self.inputs, levels, where).items()
            }
            if not any(bool(x.any()) for x in at_once.values()):
                return Rest(built, matrix, found)
            flags = {key: x | flags[key] if key in flags else x for key, x in at_once.items()}
            built = assemble_model(complementarity.with_flags(self.inputs, flags))

    def prices(self, found: Optimum) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray]]:
        """Return duals and reduced costs of the rest by name."""
        model = self.built.model
        return (
            solver.by_constraint(model, self.matrix, found.dual),
            solver.by_variable(model, self.matrix, found.reduced),
        )

    def binding(self, found: Optimum) -> list[str]:
        """Return in words what limits of markets and rules have a price: they tie the vehicles
        together.
        """
        matrix, model, parts = self.matrix, self.built.model, self.inputs.parts
        one_sided = matrix.row_lower != matrix.row_upper
        used = np.where(abs(found.primal) > _BINDS, found.reduced, 0.0)
        rows, _ = self.prices(found)
        limits = solver.by_constraint(model, matrix, np.where(one_sided, found.dual, 0.0))
        found_prices = limits | solver.by_variable(model, matrix, used)
        for name, x in rows.items():
            part, _, own = name.partition(".")
            if part in parts and not parts[part].is_balance(own):
                found_prices[name] = x
        found_prices.pop(OFFERED, None)  # what is given, no limit

        words: dict[str, None] = {}
        for name, x in found_prices.items():
            part, _, own = name.partition(".")
            ties = part in parts and parts[part].stage is not Stage.ASSET
            if ties and float(abs(x).max()) > _BINDS:
                words[f"{parts[part].limit_label(own)} ({name})"] = None
        return list(words)

    def _with_given(self, built: Built, given: np.ndarray) -> Matrix:
        """Return the matrix of a rest where the fleet gives so much (kW)."""
        matrix = solver.matrix_of(built.model)
        place = self._positions(built.model, matrix)
        there = place != _NOWHERE
        low, high = matrix.row_lower.copy(), matrix.row_upper.copy()
        low[place[there]] += given[there]
        high[place[there]] += given[there]
        return replace(matrix, row_lower=low, row_upper=high)

    def _positions(self, model: linopy.Model, matrix: Matrix) -> np.ndarray:
        """Return the rows of the matrix that power of each pod and reserve of each product enter.

        They are on (pod, quantity, time), _NOWHERE where a product cannot be held.
        """
        numbers = solver.by_constraint(model, matrix, np.arange(matrix.a.shape[0], dtype=float))
        power = numbers[NODE].transpose("pod", "time")
        held = np.full((len(power), self._products, power.sizes["time"]), np.nan)
        if OFFERED in numbers:
            rows = numbers[OFFERED].transpose(PLANNED, "product", "time")
            held = rows.sel({PLANNED: power.indexes["pod"]}).to_numpy()
        found = np.concatenate([power.to_numpy()[:, None], held], 1)
        return np.where(np.isnan(found), _NOWHERE, found).astype(int)
