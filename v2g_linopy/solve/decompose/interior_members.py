"""Newton's method for many stays at once, as the interior point needs it
(docs/formulation.md §12 D).

What moves in a step is a share x of the most that can, by kind, and each limit is a pair of a slack
> 0 and a price > 0. Pairs are, in this order, x of every kind, 1 - x of every kind, e - floor and
ceiling - e. A need that may be missed by u has two more, e + u - need and u.

`Loops` goes through stay after stay and is compiled; `Arrays` has many stays beside each other,
without a compiler. Both have the same numbers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np

from ..compiler import compiled_loops
from ..oracle import CHARGE, DISCHARGE, RISES, SPILL, Plans, Stays
from . import interior_kernel as kernel
from .interior_kernel import LEAST, Given, Newton, State

_START = {CHARGE: 0.3, DISCHARGE: 0.2, SPILL: 0.05}  # shares of what can move
_CELLS = 16_384  # of a batch of `Arrays`: few enough for the cache


def all_plain(stays: Stays) -> bool:
    """Return True where energy moves by power and spill alone, always has room to move, and no
    reserves are sold.
    """
    floor = np.where(stays.hard, stays.need, 0.0)
    kinds = all(int(kind) in _START for kind in stays.kinds)
    plain = kinds and stays.products is None and not stays.trip.any()
    return plain and bool((stays.ceiling > floor).all())


def given_steps(stays: Stays) -> Given:
    """Return what the steps of stays are given."""
    rises = np.where(RISES[stays.kinds], 1.0, -1.0)
    trades = np.where(stays.kinds == CHARGE, -1.0, 1.0) * (stays.kinds <= DISCHARGE)
    keep = stays.keep.copy()
    keep[stays.first[:-1]] = 0.0  # of what is on board at first, `start` is what is kept
    power = stays.width, stays.rate, stays.cost
    return Given(
        rises, trades, *power, keep, stays.arrival, stays.hold, stays.need, stays.need_cost
    )


def begin(stays: Stays, product: float) -> State:
    """Return a beginning inside all limits, in which slack and price of all pairs but those of
    needs have the same product (EUR).
    """
    kinds, many = len(stays.kinds), len(stays.place)
    floor = np.where(stays.hard, stays.need, 0.0)
    half = 0.5 * (stays.ceiling - floor)
    slack = np.empty((many, 2 * kinds + 2))
    slack[:, :kinds] = [_START[int(kind)] for kind in stays.kinds]
    slack[:, kinds : 2 * kinds] = 1 - slack[:, :kinds]
    slack[:, -2:] = half[:, None]

    asked = stays.need_cost > 0
    cost = np.where(asked, stays.need_cost, 1.0)
    room = np.maximum(floor + half - stays.need, half)
    missed = np.stack([np.where(asked, room, 1.0), np.where(asked, product / cost, 1.0)], 1)
    missed_price = np.stack([product / missed[:, 0], cost], 1)
    return State(floor + half, np.zeros(many), slack, product / slack, missed, missed_price)


class Members(Protocol):
    """Many stays, as the loop of the interior point sees them."""

    pairs: int

    def predict(self, price: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Return Schur complements on (pod, time, time), on (pod, time) what stays inject (kWh at
        the grid), and by how much more toward products of 0 at these prices there (EUR/kWh), and
        the sum of all products (EUR).
        """

    def bend(self, toward: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Look along that direction where prices move by `toward`: how far each stay can go in plan
        and prices, on (2, stay); parts of its products, on (4, stay): now, for a whole step of the
        plan, of the prices, and of both; what is injected more by second order, and by EUR of a
        target.
        """

    def turn(self, toward: np.ndarray, target: float) -> np.ndarray:
        """Turn toward products of `target`; return how far each stay can go, on (2, stay)."""

    def go(self, most: np.ndarray) -> None:
        """Go as far as `most` says, on (2, stay)."""

    def state(self) -> State:
        """Return where the stays are."""


@cache
def compiled_newton() -> Mapping[str, Callable[..., None]] | None:
    """Return the loops as numba compiles them; None where numba is not installed."""
    return compiled_loops(kernel.LINKED, kernel.ENTRIES, fused=True)


class Loops:
    """Members by the loops of `interior_kernel`, compiled or not."""

    def __init__(
        self,
        stays: Stays,
        shape: tuple[int, int],
        product: float,
        run: Mapping[str, Callable[..., None]],
    ):
        self._stays, self._shape, self._run = stays, shape, run
        self._given, self._state = given_steps(stays), begin(stays, product)
        self._place = stays.place[stays.first[:-1]].astype(np.int64)
        many, kinds, pairs = len(stays.place), len(stays.kinds), self._state.slack.shape[1]
        self.pairs = many * pairs + 2 * int((stays.need_cost > 0).sum())

        def zeros(*size: int) -> np.ndarray:
            return np.zeros((many, *size))

        self._newton = Newton(
            inverse=zeros(pairs),
            free=zeros(kinds),
            hard=zeros(),
            lower=zeros(),
            pivot=zeros(),
            tie=zeros(),
            pull=zeros(kinds + 1),
            first=zeros(),
            bent=zeros(pairs),
            bent_missed=zeros(2),
            move=State(*(np.zeros_like(x) for x in self._state)),
        )

    def predict(self, price: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """As `Members` says."""
        pods, steps = self._shape
        schur, products = np.zeros((pods * steps, steps)), np.zeros(len(self._stays))
        power, change = np.zeros(pods * steps), np.zeros(pods * steps)
        ends = self._stays.first, self._stays.start, self._place
        self._run["predict"](
            *(*ends, self._given, self._state, self._newton),
            *(price.ravel(), schur, power, change, products),
        )
        upper = schur.reshape(pods, steps, steps)
        both = upper + np.triu(upper, 1).transpose(0, 2, 1)
        total = float(products.sum())
        return both, power.reshape(self._shape), change.reshape(self._shape), total

    def bend(self, toward: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As `Members` says."""
        parts, most = np.zeros((4, len(self._stays))), np.zeros((2, len(self._stays)))
        second, each = np.zeros(toward.size), np.zeros(toward.size)
        self._run["bend"](
            *(self._stays.first, self._place, self._given, self._state, self._newton),
            *(toward.ravel(), parts, most, second, each),
        )
        return most, parts, second.reshape(self._shape), each.reshape(self._shape)

    def turn(self, toward: np.ndarray, target: float) -> np.ndarray:
        """As `Members` says."""
        most = np.zeros((2, len(self._stays)))
        ends = self._stays.first, self._stays.start, self._place
        self._run["turn"](
            *(*ends, self._given, self._state, self._newton), *(toward.ravel(), target, most)
        )
        return most

    def go(self, most: np.ndarray) -> None:
        """As `Members` says."""
        self._run["go"](self._stays.first, self._given, self._state, self._newton, most)

    def state(self) -> State:
        """As `Members` says."""
        return self._state


# ---- the same without a compiler: stays of a point of delivery beside each other -----------------


class Arrays:
    """Members by arrays, batch by batch."""

    def __init__(self, stays: Stays, shape: tuple[int, int], product: float):
        self._stays, self._shape = stays, shape
        self._flat, given = begin(stays, product), given_steps(stays)
        self.pairs = self._flat.slack.size + 2 * int((stays.need_cost > 0).sum())
        self._batches = [
            _Batch(stays, given, self._flat, some, shape[1]) for some in self._in_batches()
        ]

    def _in_batches(self) -> Iterator[np.ndarray]:
        """Yield stays of one pod that begin and end near each other."""
        steps, place = np.diff(self._stays.first), self._stays.place[self._stays.first[:-1]]
        order = np.lexsort((steps, place))
        pod = place[order] // self._shape[1]
        size = max(1, _CELLS // int(steps.max()))
        for some in np.split(order, np.flatnonzero(np.diff(pod)) + 1):
            yield from np.split(some, range(size, len(some), size))

    def _sum(self, parts: list[np.ndarray]) -> np.ndarray:
        """Sum what batches have on their steps, on (pod, time)."""
        found = np.zeros(self._shape)
        for b, x in zip(self._batches, parts, strict=True):
            found[b.pod, b.begin : b.end] += x
        return found

    def _by_stay(self, parts: list[np.ndarray]) -> np.ndarray:
        """Put what batches have of their stays where these are, on (row, stay)."""
        found = np.zeros((len(parts[0]), len(self._stays)))
        for b, x in zip(self._batches, parts, strict=True):
            found[:, b.which] = x
        return found

    def predict(self, price: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """As `Members` says."""
        schur = np.zeros((*self._shape, self._shape[1]))
        for b in self._batches:
            schur[b.pod, b.begin : b.end, b.begin : b.end] += b.factorise()
        power = self._sum([b.injected() for b in self._batches])
        change = self._sum([b.predict(b.here(price)) for b in self._batches])
        return schur, power, change, sum(b.products() for b in self._batches)

    def bend(self, toward: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As `Members` says."""
        found = [b.bend(b.here(toward)) for b in self._batches]
        most, parts, second, each = ([x[k] for x in found] for k in range(4))
        return self._by_stay(most), self._by_stay(parts), self._sum(second), self._sum(each)

    def turn(self, toward: np.ndarray, target: float) -> np.ndarray:
        """As `Members` says."""
        return self._by_stay([b.turn(b.here(toward), target) for b in self._batches])

    def go(self, most: np.ndarray) -> None:
        """As `Members` says."""
        for b in self._batches:
            b.go(most[:, b.which])

    def state(self) -> State:
        """As `Members` says."""
        for b in self._batches:
            b.write(self._flat)
        return self._flat


@dataclass(frozen=True)
class _Pull:
    """What pulls at x, on (kind, step, stay), at e, on (step, stay), and at u, on (row, stay)."""

    x: np.ndarray
    energy: np.ndarray
    missed: np.ndarray


class _Batch:
    """Stays beside each other, on (step, stay); outside a stay nothing moves."""

    def __init__(self, stays: Stays, given: Given, flat: State, which: np.ndarray, steps: int):
        first, many = stays.first[which], np.diff(stays.first)[which]
        self.which = which
        self.pod, start = int(stays.place[first[0]] // steps), stays.place[first] % steps
        self.begin, self.end = int(start.min()), int((start + many).max())
        inside = np.repeat(np.arange(len(which)), many)
        offset = np.arange(len(inside)) - np.repeat(np.cumsum(many) - many, many)
        self._from = first[inside] + offset
        self._to = start[inside] - self.begin + offset, inside
        self._size = self.end - self.begin, len(which)

        self.rises, self.trades = given.rises[:, None, None], given.trades[:, None, None]
        width = self._laid(given.width)
        self.move, self.inject = self.rises * width, self.trades * width * self._laid(given.rate)
        self.cost = self.move * self._laid(given.cost)
        self.keep, self.hold = self._laid(given.keep), self._laid(given.hold)
        arrival = given.arrival.copy()
        arrival[stays.first[:-1]] += stays.start
        self.arrival, self.there = self._laid(arrival, 1.0), self._laid(np.ones(len(arrival)))
        cost = self._laid(given.need_cost)
        self.rows = np.flatnonzero((cost > 0).any(1))
        self.asked = (cost[self.rows] > 0).astype(float)
        self.need = self.asked * self._laid(given.need)[self.rows]
        self.need_cost = np.where(self.asked > 0, cost[self.rows], 2.0)
        self._take(flat)

    def _laid(self, x: np.ndarray, outside: float = 0.0) -> np.ndarray:
        """Return an array of steps on (step, stay), with its other axis first."""
        full = np.full((*x.shape[1:], *self._size), outside)
        full[..., *self._to] = x[self._from].T
        return full

    def _take(self, flat: State) -> None:
        self.energy, self.worth = self._laid(flat.energy, 1.0), self._laid(flat.worth)
        self.slack, self.price = self._laid(flat.slack, 1.0), self._laid(flat.price, 1.0)
        self.missed = self._laid(flat.missed, 1.0)[:, self.rows]
        self.missed_price = self._laid(flat.missed_price, 1.0)[:, self.rows]

    def write(self, flat: State) -> None:
        """Write where the stays are."""
        for name in ("energy", "worth", "slack", "price"):
            getattr(flat, name)[self._from] = getattr(self, name)[..., *self._to].T
        for name in ("missed", "missed_price"):
            full = np.ones((2, *self._size))
            full[:, self.rows] = getattr(self, name)
            getattr(flat, name)[self._from] = full[..., *self._to].T

    def here(self, price: np.ndarray) -> np.ndarray:
        """Return prices at the steps of the batch."""
        return price[self.pod, self.begin : self.end, None]

    # ---- the Newton system -----------------------------------------------------------------------

    def factorise(self) -> np.ndarray:
        """Factor N = L D L' of each stay without a difference; return the sum of their Schur
        complements, on (step, step).
        """
        kinds, steps = len(self.move), len(self.energy)
        self.inverse = 1.0 / self.slack
        curve = self.price * self.inverse
        self.steep = self.missed_price / self.missed
        self.share = self.steep[0] / self.steep.sum(0)
        hard = curve[-2] + curve[-1]
        hard[self.rows] += self.asked * self.share * self.steep[1]
        self.hard = 1.0 / hard
        self.free = 1.0 / (curve[:kinds] + curve[kinds : 2 * kinds])
        moved = self.move * self.free
        self.tie = np.einsum("kts,kts->ts", moved, self.inject)
        moved = np.einsum("kts,kts->ts", moved, self.move)

        self.pivot, self.lower, delta = np.empty_like(moved), np.zeros_like(moved), moved[0]
        self.pivot[0] = delta + self.hard[0]
        for t in range(1, steps):
            self.lower[t] = self.keep[t] * self.hard[t - 1] / self.pivot[t - 1]
            delta = moved[t] + self.keep[t] * self.lower[t] * delta
            self.pivot[t] = delta + self.hard[t]
        return self._schur(np.einsum("kts,kts,kts->t", self.inject, self.inject, self.free))

    def _schur(self, own: np.ndarray) -> np.ndarray:
        """Sum of inject^2 / R - K N^-1 K, one diagonal of N^-1, semiseparable, after the other."""
        lower, inverse = self.lower, 1.0 / self.pivot
        for t in range(len(own) - 2, -1, -1):
            inverse[t] += lower[t + 1] ** 2 * inverse[t + 1]
        column, product = inverse * self.tie, np.ones_like(lower)
        found, place = np.zeros((len(own), len(own))), np.arange(len(own))
        found[place, place] = own - np.einsum("ts,ts->t", column, self.tie)
        for apart in range(1, len(own)):
            product = product[:-1] * lower[apart:]
            x = np.einsum("ts,ts->t", product * column[apart:], self.tie[:-apart])
            found[place[apart:], place[:-apart]] = found[place[:-apart], place[apart:]] = -x
        return found

    def _solve(self, right: np.ndarray) -> np.ndarray:
        """Solve N x = right, in place."""
        for t in range(1, len(right)):
            right[t] += self.lower[t] * right[t - 1]
        right /= self.pivot
        for t in range(len(right) - 2, -1, -1):
            right[t] += self.lower[t + 1] * right[t + 1]
        return right

    def _less_later(self, worth: np.ndarray) -> np.ndarray:
        """What a kWh is worth now, less what is left of it in the next step."""
        found = worth.copy()
        found[:-1] -= self.keep[1:] * worth[1:]
        return found

    def _pulled(
        self,
        x: np.ndarray,
        energy: np.ndarray,
        up: np.ndarray,
        cost: np.ndarray | float,
        lacks: float,
    ) -> _Pull:
        """Add what needs pull at e; `up` pulls at their two slacks."""
        missed = up.sum(0) - cost
        own = up[0] - self.share * (missed + self.steep[1] * self.lacks * lacks)
        energy[self.rows] += self.asked * own
        return _Pull(x, energy, missed)

    def _response(self, pull: _Pull, residual: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """What the worth on board does where something pulls, and the injection, on (step)."""
        elastic, moved = self.hard * pull.energy, self.free * pull.x
        right = residual - elastic + np.einsum("kts,kts->ts", self.move, moved)
        right[1:] += self.keep[1:] * elastic[:-1]
        worth = self._solve(right)
        injected = np.einsum("kts,kts->t", self.inject, moved)
        return worth, injected - np.einsum("ts,ts->t", self.tie, worth)

    def injected(self) -> np.ndarray:
        """What the batch injects (kWh at the grid)."""
        return np.einsum("kts,kts->t", self.inject, self.slack[: len(self.move)])

    def products(self) -> float:
        """Sum of the products of all pairs (EUR)."""
        pairs = float(np.einsum("pts,pts,ts->", self.slack, self.price, self.there))
        return pairs + float(np.einsum("pts,pts,ts->", self.missed, self.missed_price, self.asked))

    # ---- directions ------------------------------------------------------------------------------

    def predict(self, price: np.ndarray) -> np.ndarray:
        """By how much the batch injects more toward products of 0 at these prices."""
        kinds, none = len(self.move), np.zeros_like(self.missed)
        self.pull = price * self.inject - self.cost - self.move * self.worth
        self.pull_energy = self._less_later(self.worth) - self.hold
        e = self.energy[self.rows]
        self.lacks = self.asked * e + self.missed[1] - self.need - self.missed[0]
        self.residual = self.arrival - self.energy
        self.residual[1:] += self.keep[1:] * self.energy[:-1]
        self.residual += np.einsum("kts,kts->ts", self.move, self.slack[:kinds])
        pull = self._pulled(self.pull, self.pull_energy.copy(), none, self.need_cost, 1.0)
        self.first, change = self._response(pull, self.residual)
        return change

    def _direction(self, toward: np.ndarray, worth: np.ndarray, pull: _Pull, aim: State) -> State:
        """Changes where prices at the grid move by `toward` and the worth on board by `worth`,
        toward the products of `aim`.
        """
        kinds, slack = len(self.move), np.empty_like(self.slack)
        slack[:kinds] = self.free * (pull.x + self.inject * toward - self.move * worth)
        slack[kinds : 2 * kinds] = -slack[:kinds]
        slack[-2] = self.hard * (pull.energy + self._less_later(worth))
        slack[-1] = -slack[-2]
        price = (aim.price - self.price * slack) * self.inverse - self.price
        own = self.asked * slack[-2][self.rows] + self.lacks
        u = (pull.missed - self.steep[0] * own) / self.steep.sum(0)
        missed = np.stack([own + u, u])
        missed_price = aim.missed_price / self.missed - self.missed_price - self.steep * missed
        missed, missed_price = missed * self.asked, missed_price * self.asked
        return State(slack[-2], worth, slack, price * self.there, missed, missed_price)

    def _most(self, d: State) -> np.ndarray:
        """How far each stay can go until a slack, or a price, is 0, on (2, stay)."""
        found = np.full((2, len(self.which)), 1e-9)
        for most, change, now in (
            (found[0], d.slack, self.slack),
            (found[1], d.price, self.price),
            (found[0], d.missed, self.missed),
            (found[1], d.missed_price, self.missed_price),
        ):
            np.maximum(most, -(change / now).min((0, 1), initial=0.0), out=most)
        return 1.0 / found

    def bend(self, toward: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As `Members` says, of the stays of the batch."""
        self.first += self._solve(self.tie * toward)
        none = np.zeros_like(self.missed)
        pull = self._pulled(self.pull, self.pull_energy.copy(), none, self.need_cost, 1.0)
        zero = np.zeros_like(self.slack)
        aim = State(self.energy, self.worth, self.slack, zero, self.missed, none)
        d = self._direction(toward, self.first, pull, aim)
        most, parts = np.minimum(1.0, self._most(d)), self._parts(d)
        scale = most[0] * most[1]
        self.bent, self.bent_missed = d.slack * d.price * scale, d.missed * d.missed_price * scale

        x, energy = self._sides(-self.bent * self.inverse)
        up = -self.bent_missed / self.missed
        _, second = self._response(self._pulled(x, energy, up, 0.0, 0.0), 0.0)
        x, energy = self._sides(self.inverse)
        _, each = self._response(self._pulled(x, energy, 1.0 / self.missed, 0.0, 0.0), 0.0)
        return most, parts, second, each

    def _sides(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What pulls at the slacks of pairs, as pulls at x and at e."""
        kinds = len(self.move)
        return x[:kinds] - x[kinds : 2 * kinds], x[-2] - x[-1]

    def _parts(self, d: State) -> np.ndarray:
        """Parts of the products of each stay, on (4, stay)."""
        found = []
        for slack, price, missed, missed_price in (
            (self.slack, self.price, self.missed, self.missed_price),
            (d.slack, self.price, d.missed, self.missed_price),
            (self.slack, d.price, self.missed, d.missed_price),
            (d.slack, d.price, d.missed, d.missed_price),
        ):
            pairs = np.einsum("pts,pts->s", slack * self.there, price)
            found.append(pairs + np.einsum("pts,pts->s", missed * self.asked, missed_price))
        return np.stack(found)

    def turn(self, toward: np.ndarray, target: float) -> np.ndarray:
        """As `Members` says, of the stays of the batch."""
        goal, goal_missed = target - self.bent, target - self.bent_missed
        x, energy = self._sides(goal * self.inverse)
        up = goal_missed / self.missed
        pull = self._pulled(self.pull + x, self.pull_energy + energy, up, self.need_cost, 1.0)
        worth, _ = self._response(pull, self.residual + self.tie * toward)
        aim = State(self.energy, worth, self.slack, goal, self.missed, goal_missed)
        self.direction = self._direction(toward, worth, pull, aim)
        return self._most(self.direction)

    def go(self, most: np.ndarray) -> None:
        """Go as far as each stay may, on (2, stay)."""
        d, (far, dear) = self.direction, most
        self.energy += far * d.energy
        self.worth += dear * d.worth
        for now, change, step in (
            (self.slack, d.slack, far),
            (self.price, d.price, dear),
            (self.missed, d.missed, far),
            (self.missed_price, d.missed_price, dear),
        ):
            now += step * change
            np.maximum(now, LEAST, out=now)


def plans_of_point(stays: Stays, state: State) -> Plans:
    """Return the plan that moves what `state` does, one way at a time; `missed` is by how much a
    stay is outside its limits.
    """
    found = Plans.none(stays)
    found.moved[:] = state.slack[:, : len(stays.kinds)] * stays.width
    both = np.minimum(found.of(stays, CHARGE), found.of(stays, DISCHARGE)) * stays.exclusive
    found.moved[:, stays.kinds <= DISCHARGE] -= both[:, None]
    change = found.moved @ np.where(RISES[stays.kinds], 1.0, -1.0) + stays.arrival
    steps = np.diff(stays.first)
    order = np.argsort(-steps, kind="stable")
    first, level = stays.first[:-1][order], stays.start[order]
    for k in range(int(steps.max())):
        many = int((steps[order] > k).sum())
        j, level = first[:many] + k, level[:many]
        level = (stays.keep[j] if k else 1.0) * level + change[j]
        found.energy[j] = level
    floor = np.where(stays.hard, stays.need, 0.0)
    off = np.maximum(floor - found.energy, found.energy - stays.ceiling)
    found.missed[:] = np.maximum(np.maximum.reduceat(off, stays.first[:-1]), 0.0)
    return found


__all__ = ["Arrays", "Loops", "Members", "all_plain", "begin", "compiled_newton", "plans_of_point"]
