"""Large fleets: vehicles answer prices one by one, level two mixes the plans of groups, until a
bound proves the mix (docs/formulation.md §12 B).

Dantzig-Wolfe decomposition (Dantzig & Wolfe, Operations Research 8, 1960), with the segment oracle
in place of a linear programme for each vehicle."""

import logging
import time as clock
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr

from ...model.inputs import Inputs
from .. import oracle
from ..oracle import CHARGE, DISCHARGE, Plans, Stays
from ..oracle_members import FLEET, vehicle_stays
from ..solver import Settings
from .interior_point import Found, solve_by_interior_point
from .large_fleets_master import Columns, LevelTwo, Round
from .vehicle_batches import Batches
from .vehicle_groups import NotServed, group_numbers

logger = logging.getLogger(__name__)
NEGLIGIBLE = 1e-9  # kW of missing power
_NO_WEIGHT = 1e-12  # of a plan
_FINEST = 1e-8  # relative gap that an interior point is asked for; the rest is for rounds
_DEARER = 10.0  # by how much missing power becomes dearer where it does not end
_RAISES = 4


@dataclass(frozen=True)
class Fleet:
    """Vehicles in groups: their stays in the order of the groups."""

    stays: Stays
    begin: np.ndarray  # where each group begins among the stays, and where the last one ends
    pod: np.ndarray  # (group) position of its point of delivery
    steps: int
    dt: float

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.pod)

    def answer(self, price: np.ndarray, message: int) -> tuple[Columns, Plans]:
        """Return the best plans at some prices, summed by group.

        They are EUR per kW given in the step, on (pod, quantity, time).
        """
        plans = self.plans(self.stays, price)
        if (plans.missed > 0).any():
            raise NotServed(self.stays.member[plans.missed > 0])
        given, own_cost = self.sums(plans)
        return Columns(np.arange(self.groups), self.pod, given, own_cost, message), plans

    def plans(self, stays: Stays, price: np.ndarray) -> Plans:
        """Return the best plans of some stays."""
        pods, quantities, steps = price.shape
        worth = (price / self.dt).transpose(1, 0, 2).reshape(quantities, pods * steps)
        return oracle.best_plans(stays, worth[0], worth[1:] if quantities > 1 else None)

    def may_waste(self, plans: Plans) -> np.ndarray:
        """Return the vehicles that may charge and discharge at once, and would do so for room.

        Their plans are not the best that there are.
        """
        wasting = plans.wasting & ~self.stays.exclusive
        if not wasting.any():
            return np.zeros(0, int)
        return np.unique(np.repeat(self.stays.member, np.diff(self.stays.first))[wasting])

    def sums(self, plans: Plans) -> tuple[np.ndarray, np.ndarray]:
        """Return what each group gives (kW, on group, quantity and time): power injected and
        reserve held of each product; and its own cost (EUR).
        """
        s = self.stays
        of_step = np.repeat(np.arange(self.groups), np.diff(s.first[self.begin]))
        cell = of_step * self.steps + s.place % self.steps
        size = self.groups * self.steps
        quantities = [plans.injected(s), *plans.held.T]
        given = np.stack(
            [np.bincount(cell, x, size).reshape(self.groups, self.steps) for x in quantities], 1
        )
        own_cost = np.bincount(of_step, plans.own_cost(s), self.groups)
        return given / self.dt, own_cost

    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the most that vehicles could ever inject (kW, on pod and time)."""
        s, size = self.stays, (int(self.pod.max()) + 1) * self.steps
        drawn, fed = (
            np.bincount(s.place, s.grid_energy(kind), size).reshape(-1, self.steps) / self.dt
            for kind in (CHARGE, DISCHARGE)
        )
        return -drawn, fed

    def mixed(self, weight: np.ndarray, messages: list[np.ndarray | Plans]) -> Plans:
        """Return the plans that level two mixes, by `weight` on (message, group).

        A message is prices, which are answered once more, or plans that were kept.
        """
        found = Plans.none(self.stays)
        for message, weights in zip(messages, weight, strict=True):
            for group in np.flatnonzero(weights > _NO_WEIGHT):
                first, last = self.begin[group], self.begin[group + 1]
                here = slice(self.stays.first[first], self.stays.first[last])
                if isinstance(message, Plans):
                    plans = message.at(here)
                else:
                    plans = self.plans(self.stays.part(first, last), message)
                share = weights[group] / weight[:, group].clip(min=0.0).sum()
                for mix, own in (
                    (found.moved, plans.moved),
                    (found.trip_missing, plans.trip_missing),
                    (found.energy, plans.energy),
                    (found.held, plans.held),
                ):
                    mix[here] += share * own
        return found


def one_way_at_a_time(stays: Stays, plans: Plans) -> Plans:
    """Return the same energy on board without charging and discharging in one step, where that
    excludes each other.

    It draws less from the grid, and leaves less room up for reserves.
    """
    at_once = np.minimum(plans.of(stays, CHARGE), plans.of(stays, DISCHARGE))
    both = np.where(stays.exclusive, at_once, 0.0)
    power = (stays.kinds == CHARGE) | (stays.kinds == DISCHARGE)
    return within_room(stays, replace(plans, moved=plans.moved - both[:, None] * power))


def within_room(stays: Stays, plans: Plans) -> Plans:
    """Return the plans with no more reserve than their power leaves room for."""
    if stays.products is None:
        return plans
    injected = plans.injected(stays)
    left = np.ones(len(injected))
    for room, rate in (
        (stays.grid_energy(DISCHARGE) - injected, stays.products.up),
        (stays.grid_energy(CHARGE) + injected, stays.products.down),
    ):
        taken = (plans.held * rate.T[stays.place]).sum(1)
        over = taken > np.maximum(room, 0.0)
        left[over] = np.minimum(left[over], np.maximum(room[over], 0.0) / taken[over])
    return replace(plans, held=plans.held * left[:, None])


def in_groups(inputs: Inputs, vehicles: np.ndarray, pods: pd.Index, groups: int) -> Fleet:
    """Return vehicles in about as many groups, of one pod each and alike in power and arrival."""
    d = inputs.data[FLEET].isel(fleet=vehicles)
    pod = pods.get_indexer(d.pod.astype(str).to_numpy())
    each = xr.zeros_like(d.fleet, dtype=float) + xr.zeros_like(d.time, dtype=float)
    power = (d.charge_max + each).transpose("fleet", "time").to_numpy()
    order = np.lexsort((np.argmax(power > 0, axis=1), power.max(1), pod))
    vehicles, pod = vehicles[order], pod[order]

    group, of_group = group_numbers(pod, len(pods), groups)
    stays = vehicle_stays(inputs, vehicles, pods)
    place = np.empty(len(inputs.data[FLEET].fleet), int)
    place[vehicles] = group
    begin = np.searchsorted(place[stays.member], np.arange(len(of_group) + 1))
    return Fleet(stays, begin, of_group, len(inputs.calendar.time), inputs.dt)


@dataclass
class Loop:
    """Rounds of prices and plans, and the best bound so far."""

    level: LevelTwo
    fleet: Fleet
    tolerance: float
    smoothing: float = 0.0
    batches: Batches | None = None  # vehicles that the oracle cannot plan
    jumps: bool = False  # begin near the best prices, by an interior point
    bound: float = np.inf
    interior: Found | None = None
    messages: list[np.ndarray | Plans] = field(default_factory=list)
    log: list[tuple[float, float, float, float]] = field(default_factory=list)
    wasting: set[int] = field(default_factory=set)  # vehicles that a message had no bound for
    _best: tuple[np.ndarray, float] | None = None  # prices of the best bound, worth of the rest
    _columns: list[tuple[int, np.ndarray]] = field(default_factory=list)  # message, groups

    def run(self, rounds: int, settings: Settings) -> Round:
        """Exchange prices and plans until the bound is met, or rounds or time are up.

        Returns
        -------
        Round
            The last of level two: its mix, and the prices of that mix.
        """
        start = clock.perf_counter()
        alone = self.level.solve()
        self._ask(alone.price, alone.value)
        self.level.everybody_plans()
        raises = 0
        for k in range(rounds):
            now = self.level.solve()
            if k == 0 and self.jumps and not self._closed(now):
                now = self._jump(alone.price, settings)
            goes_on = self._closed(now) or self._ask_next(now)
            missing = float(now.missing.max())
            self.log.append((now.value, self.bound, missing, clock.perf_counter() - start))
            logger.info("round %d: value %.10g, bound %.10g", k + 1, now.value, self.bound)
            if settings.left == 0:
                break
            if self._closed(now):
                if missing <= NEGLIGIBLE or raises == _RAISES:
                    break
                self.level.raise_penalty(_DEARER)
                raises += 1
            elif not goes_on:
                break  # the gap stays: no plan is worth more at these prices
        return now

    @property
    def groups(self) -> int:
        """Number of groups: those of the oracle first, then those of batches."""
        return self.fleet.groups + (0 if self.batches is None else self.batches.groups)

    def _closed(self, now: Round) -> bool:
        return self.bound - now.value <= self.tolerance * max(1.0, abs(now.value))

    def _jump(self, price: np.ndarray, settings: Settings) -> Round:
        """Take prices and plans of an interior point, and return what level two makes of them."""
        scale = max(1.0, abs(self.bound))
        gap = max(self.tolerance, _FINEST) * scale
        level, fleet = self.level, self.fleet
        rest = level.matrix, level.node, level.penalty
        found = solve_by_interior_point(
            fleet.stays, *rest, fleet.dt, price[:, 0], gap, scale, settings
        )
        if found is None:
            return level.solve()
        self.interior, every = found, np.arange(fleet.groups)
        if found.plans is not None:
            given, own_cost = fleet.sums(found.plans)
            level.add(Columns(every, fleet.pod, given, own_cost, len(self.messages)))
            self._columns.append((len(self.messages), every))
            self.messages.append(found.plans)
        self._ask(found.price[:, None], level.worth(found.price, *fleet.reach()))
        return level.solve()

    def weights(self, now: Round) -> np.ndarray:
        """Return how much of each message each group follows, on (message, group)."""
        found, begin = np.zeros((len(self.messages), self.groups)), 0
        for message, groups in self._columns:
            if begin == len(now.weight):
                break  # plans that came after this round
            found[message, groups] = now.weight[begin : begin + len(groups)]
            begin += len(groups)
        return found

    def _ask_next(self, now: Round) -> bool:
        """Ask the vehicles at the prices of level two, or between them and the best so far.

        Returns True where they have plans that level two can use.
        """
        rest = now.value - float(now.group_value.sum())
        if self.smoothing and self._best is not None:
            a, (price, worth) = self.smoothing, self._best
            # what the rest is worth is convex in the prices
            between = a * price + (1 - a) * now.price
            if self._ask(between, a * worth + (1 - a) * rest, now):
                return True
        return self._ask(now.price, rest, now)

    def _ask(self, price: np.ndarray, rest: float, now: Round | None = None) -> bool:
        """Take the plans at some prices; return True where one is worth more to level two than
        what it has.
        """
        columns, plans = self.fleet.answer(price, len(self.messages))
        if self.batches is not None:
            columns = columns.joined(self.batches.answer(price, len(self.messages)))
        bound = float(columns.worth(price).sum()) + rest
        unproven = self.fleet.may_waste(plans)
        self.wasting.update(unproven.tolist())
        if not len(unproven) and bound < self.bound:
            self.bound, self._best = bound, (price, rest)
        better = np.ones(self.groups, bool)
        if now is not None:
            worth = columns.worth(now.price)
            better = worth > now.group_value + 1e-9 * (1 + abs(now.group_value))
        if better.any():
            self.level.add(columns.of(better))
            self._columns.append((len(self.messages), np.flatnonzero(better)))
        self.messages.append(price)
        return bool(better.any())
