"""The most that each site can do of one thing at a time, found in models that are held open
(docs/formulation.md §11).

All sites are one model, of which costs and bounds move; they share nothing, so that each finds its
own best. Where a plan charges and discharges at once, the site is looked at again: first for a plan
that is as good and passes less energy through its storages, then with binaries where they overlap.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
import xarray as xr

from ..errors import SolveError
from ..model.inputs import Inputs
from ..solve import complementarity
from ..solve.blocks import solve_with_highs
from ..solve.decompose.message import Message
from ..solve.decompose.sites import Sites
from ..solve.solver import (
    Settings,
    hand_over,
    rerun_highs,
    solve_matrix,
)

ENOUGH = 1e-7  # of kW, kWh or EUR: a plan as good as the relaxation
_NODE_LIMIT = "solution_limit"
_LIGHT = 1e-5  # of the largest price: what passing energy through a storage costs, to break ties


class Goal(Protocol):
    """What a site should have the most of."""

    def cost(self, model: "SiteModel") -> np.ndarray:
        """Return what each column is worth."""
        ...

    def upper(self, model: "SiteModel") -> np.ndarray:
        """Return the most of each column."""
        ...


@dataclass(frozen=True)
class Drawn:
    """sum_t weights_t drawn_t of each site."""

    weights: np.ndarray

    def cost(self, model: "SiteModel") -> np.ndarray:
        """Return the weights where power is fed in, with the other sign."""
        cost = np.zeros(len(model.matrix.cost))
        cost[model.exchange] = -self.weights
        return cost

    def upper(self, model: "SiteModel") -> np.ndarray:
        """Return those of the model."""
        return model.matrix.upper


@dataclass(frozen=True)
class Held:
    """Power held in every one of some steps."""

    steps: slice

    def cost(self, model: "SiteModel") -> np.ndarray:
        """Return 1 for what is held in all steps."""
        cost = np.zeros(len(model.matrix.cost))
        cost[model.least_held] = 1.0
        return cost

    def upper(self, model: "SiteModel") -> np.ndarray:
        """Return the bounds, with which less may be held in the other steps."""
        upper = model.matrix.upper.copy()
        upper[model.held_less] = np.inf
        upper[model.held_less[:, self.steps]] = 0.0
        return upper


@dataclass(frozen=True)
class Earned:
    """EUR at the prices of a message."""

    message: Message

    def cost(self, model: "SiteModel") -> np.ndarray:
        """Return what each column earns."""
        cost = np.zeros(len(model.matrix.cost))
        earned = model.sites.cost_at(self.message)
        cost[: len(earned)] = earned
        return cost

    def upper(self, model: "SiteModel") -> np.ndarray:
        """Return those of the model."""
        return model.matrix.upper


class SiteModel:
    """The model of some sites, in which costs and bounds move.

    Parameters
    ----------
    inputs : Inputs
        Of the case of these sites.
    pods : sequence of str
        Their names.
    homes : mapping of str to mapping of str to str
        By part, the pod of each member.
    holding : bool
        Whether power held in several steps is asked for; there is one product then.
    """

    def __init__(
        self,
        inputs: Inputs,
        pods: Sequence[str],
        homes: Mapping[str, Mapping[str, str]],
        *,
        holding: bool,
    ):
        self.sites = sites = Sites(inputs, pods, homes, Settings())
        self.pods, self._homes = list(pods), homes
        self._inputs, self.where = inputs, complementarity.eligible(inputs)
        self.matrix, self.site = sites.matrix, sites.site
        columns = sites.places.column
        self.exchange = (
            columns["node.exchange"].transpose("pod", "time").sel(pod=self.pods).to_numpy()
        )
        self.least_held, self.held_less = np.zeros(0, int), np.zeros((len(pods), 0), int)
        if holding:
            self._hold_in_all_steps()
        self.moved = _both_ways(columns, self.where)
        self._highs: Any = None
        self._upper, self._primal = self.matrix.upper, np.full(len(self.matrix.cost), np.nan)

    def _hold_in_all_steps(self) -> None:
        """Add a column of each site that is at most what it holds in each step, or more by a slack.

        ::

            held_t + held_less_t - least_held >= 0
        """
        count, steps = self.exchange.shape
        rows, n = self.sites.holding, len(self.matrix.cost)
        every = count * steps
        block = sp.hstack(
            [
                rows,
                sp.csr_array(-np.repeat(np.eye(count), steps, axis=0)),
                sp.eye_array(every, format="csr"),
            ]
        )
        above = sp.hstack([self.matrix.a, sp.csr_array((self.matrix.a.shape[0], count + every))])
        self.least_held = n + np.arange(count)
        self.held_less = (n + count + np.arange(every)).reshape(count, steps)
        some = np.zeros(count + every)
        self.matrix = replace(
            self.matrix,
            a=sp.csc_array(sp.vstack([above, block])),
            row_lower=np.append(self.matrix.row_lower, np.zeros(every)),
            row_upper=np.append(self.matrix.row_upper, np.full(every, np.inf)),
            cost=np.append(self.matrix.cost, some),
            lower=np.append(self.matrix.lower, some),
            upper=np.append(self.matrix.upper, np.full(count + every, np.inf)),
            integer=np.append(self.matrix.integer, some.astype(bool)),
        )
        numbers = np.arange(count)
        self.site = np.concatenate([self.site, numbers, np.repeat(numbers, steps)])

    def relaxed(self, cost: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Return the best plan, in which storages may do both at once; it goes on from the last."""
        matrix = replace(self.matrix, cost=cost, upper=upper)
        if not matrix.is_lp:
            return solve_matrix(matrix, Settings(gap=0.0)).primal
        if self._highs is None:
            self._highs = hand_over(matrix, Settings())
        else:
            every = np.arange(len(cost), dtype=np.int32)
            self._highs.changeColsCost(len(every), every, -cost)
            some = np.flatnonzero(upper != self._upper).astype(np.int32)
            if len(some):
                self._highs.changeColsBounds(len(some), some, matrix.lower[some], upper[some])
        self._upper = upper
        self._primal = rerun_highs(self._highs, matrix, self._primal, Settings()).primal
        return self._primal

    def by_site(self, cost: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return what each site has of some cost."""
        return np.bincount(self.site, cost * x, len(self.pods))

    def at_once(self, x: np.ndarray) -> dict[tuple[str, str], xr.DataArray]:
        """Return the power charged and discharged at once, by part and path (kW)."""
        levels = _levels(self.sites.places.column, x, self.where)
        return complementarity.overlap(self._inputs, levels, self.where)

    def overlapping(self, x: np.ndarray) -> set[str]:
        """Return the sites of which something charges and discharges at once."""
        found = set[str]()
        for (part, _), both in self.at_once(x).items():
            member = next(d for d in both.dims if d != "time")
            some = (both > complementarity.TOLERANCE).any([d for d in both.dims if d != member])
            home = self._homes[part]
            found |= {home[str(m)] for m in some.indexes[member][some.to_numpy()]}
        return found


class ExactSite:
    """The model of one site with a binary wherever charging excludes discharging.

    The binaries are whole for members that overlap; the others need none.
    """

    def __init__(self, model: SiteModel):
        self.model = model
        columns_of = model.sites.places.column
        names = {key: complementarity.direction(*key).binary for key in model.where}
        self._binary = {key: columns_of[n] for key, n in names.items() if n in columns_of}
        flags = np.zeros(len(model.matrix.cost), bool)
        for columns in self._binary.values():
            flags[_there(columns)] = True
        self._others = model.matrix.integer & ~flags

    def solve(
        self, cost: np.ndarray, upper: np.ndarray, nodes: int
    ) -> tuple[np.ndarray, float, bool]:
        """Return a plan, a bound on what is best, and whether it is proved that the plan is it.

        A search ends after so many nodes; with 0 there is none.
        """
        settings = Settings(gap=0.0, options={"mip_max_nodes": nodes})
        matrix = replace(self.model.matrix, cost=cost, upper=upper, integer=self._others)
        optimum, proved = solve_with_highs(matrix, Settings(gap=0.0)), True
        while proved and (offending := self._overlapping(optimum.primal)):
            if nodes == 0:
                return optimum.primal, optimum.bound, False
            integer = matrix.integer.copy()
            integer[np.concatenate(offending)] = True
            matrix = replace(matrix, integer=integer)
            try:
                optimum = solve_with_highs(matrix, settings)
            except SolveError as error:
                if error.status != _NODE_LIMIT:
                    raise
                return optimum.primal, optimum.bound, False
            proved = optimum.status == "optimal"
        one_way = not self.model.overlapping(optimum.primal)
        return optimum.primal, optimum.bound, proved and one_way

    def _overlapping(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the binaries of all members that charge and discharge at once somewhere."""
        found = []
        for key, both in self.model.at_once(x).items():
            if key not in self._binary:
                continue
            columns = self._binary[key]
            ever = (both > complementarity.TOLERANCE).any("time")
            if len(there := _there(columns.where(ever.broadcast_like(columns), -1).astype(int))):
                found.append(there)
        return found


@dataclass(frozen=True)
class Extreme:
    """What is found for each site.

    Parameters
    ----------
    value : numpy.ndarray
        The most of the goal, or a bound on it.
    verified : numpy.ndarray
        Whether a plan that goes one way at a time has it.
    others : numpy.ndarray
        What the plans have of other costs, on (site, cost).
    """

    value: np.ndarray
    verified: np.ndarray
    others: np.ndarray


Others = Sequence[Goal]


class Extremes:
    """The best plans of all sites for one goal after the other.

    Parameters
    ----------
    inputs : Inputs
        Of the case of all sites.
    pods : sequence of str
        Their names.
    homes : mapping of str to mapping of str to str
        By part, the pod of each member.
    alone : callable
        Gives the inputs of one site, by its name.
    nodes : int
        Places at which a search for a plan that goes one way at a time looks at most.
    holding : bool, default False
        Whether power held is a goal.
    """

    def __init__(
        self,
        inputs: Inputs,
        pods: Sequence[str],
        homes: Mapping[str, Mapping[str, str]],
        alone: Callable[[str], Inputs],
        nodes: int,
        *,
        holding: bool = False,
    ):
        self.pods, self._alone, self._nodes = list(pods), alone, nodes
        self._homes, self._holding = homes, holding
        self._together = SiteModel(inputs, pods, homes, holding=holding)
        self._exact: dict[str, ExactSite] = {}

    def most(self, goal: Goal, others: Others = ()) -> Extreme:
        """Return the most that each site can have of a goal."""
        model = self._together
        cost, upper = goal.cost(model), goal.upper(model)
        x = model.relaxed(cost, upper)
        value, verified = model.by_site(cost, x), np.ones(len(self.pods), bool)
        found = self._others(model, others, x)
        if overlapping := model.overlapping(x):
            light = cost.copy()
            light[model.moved] -= _LIGHT * max(float(abs(cost).max(initial=0.0)), _LIGHT)
            x = model.relaxed(light, upper)
            as_good = model.by_site(cost, x) >= value - ENOUGH * np.maximum(1.0, abs(value))
            still = model.overlapping(x)
            again = self._others(model, others, x)
            for k, pod in enumerate(self.pods):
                if pod not in overlapping:
                    continue
                if as_good[k] and pod not in still:
                    found[k] = again[k]
                else:
                    value[k], verified[k], found[k] = self._one_way(pod, goal, others)
        return Extreme(value, verified, found)

    def _one_way(self, pod: str, goal: Goal, others: Others) -> tuple[float, bool, np.ndarray]:
        """Return the most of one site, whose storages go one way at a time."""
        if pod not in self._exact:
            inputs = self._alone(pod)
            flagged = complementarity.with_flags(inputs, complementarity.eligible(inputs))
            self._exact[pod] = ExactSite(
                SiteModel(flagged, [pod], self._homes, holding=self._holding)
            )
        exact = self._exact[pod]
        cost = goal.cost(exact.model)
        x, bound, proved = exact.solve(cost, goal.upper(exact.model), self._nodes)
        value = float(cost @ x) if proved else bound
        return value, proved, self._others(exact.model, others, x)[0]

    @staticmethod
    def _others(model: SiteModel, others: Others, x: np.ndarray) -> np.ndarray:
        return (
            np.array([model.by_site(goal.cost(model), x) for goal in others])
            .reshape(len(others), len(model.pods))
            .T
        )


def _both_ways(columns: Mapping[str, xr.DataArray], where: complementarity.Flags) -> np.ndarray:
    """Return the columns of charging and discharging where one excludes the other."""
    found = [np.zeros(0, int)]
    for key, mask in where.items():
        names = complementarity.direction(*key)
        for name in (names.charge, names.discharge):
            if name in columns:
                there = columns[name].where(mask.broadcast_like(columns[name]), -1)
                found.append(_there(there.astype(int)))
    return np.concatenate(found)


def _levels(
    columns: Mapping[str, xr.DataArray], x: np.ndarray, where: complementarity.Flags
) -> dict[str, xr.DataArray]:
    """Return the levels of what may charge and discharge, and of the reserve that it holds."""
    names = [name for key in where for name in complementarity.direction(*key)[1:]]
    names += [f"reserve.share_{part}" for part, _ in where]
    return {
        name: columns[name].copy(data=np.where(columns[name] >= 0, x[columns[name]], np.nan))
        for name in names
        if name in columns
    }


def _there(columns: xr.DataArray) -> np.ndarray:
    """Return the columns that exist."""
    places = columns.to_numpy().ravel()
    return places[places >= 0]
