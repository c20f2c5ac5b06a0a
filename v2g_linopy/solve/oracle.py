"""The best plan of every stay at given prices, without a solver: the segment oracle
(docs/formulation.md §12 A).

A stay goes from one arrival to the next. What the rest of it is worth is a concave, piecewise
linear function of the energy on board; it is kept as a list of segments, and one step of a stay
inserts as many segments as there are ways to move energy."""

from collections.abc import Callable
from dataclasses import Field, dataclass, fields, replace
from functools import cache

import numpy as np

from .compiler import compiled_loops
from .oracle_kernel import LINKED, TOLERANCE, Found, Steps
from .oracle_reserves import Envelope, Products

CHARGE, DISCHARGE, SPILL, SLACK_IN, SLACK_OUT = range(5)
RISES = np.array([1, 0, 0, 1, 0])  # 1: brings energy on board
_BATCH = 2048  # stays at once without a compiler: few enough for the cache
_OF_STAYS = ("first", "member", "start", "kinds", "products")  # what is not of each step
_EQUAL = 1e-12  # EUR/kWh; prices that differ by less are the same


@dataclass(frozen=True)
class Stays:
    """Stays of many members, step after step; the arrays of steps are flat, those of one stay
    beside each other.

    Energies are kWh in the battery, costs EUR/kWh there unless said otherwise.
    """

    first: np.ndarray  # where each stay begins among the steps, and where the last one ends
    member: np.ndarray  # position of the member of each stay
    start: np.ndarray  # kept on board from before the first step
    kinds: np.ndarray  # ways to move energy within a step that occur: CHARGE, ...
    place: np.ndarray  # of each step: position in a table of prices by pod and time
    width: np.ndarray  # (step, kind) most that can move
    rate: np.ndarray  # (step, kind) kWh at the grid for one in the battery; 0: not traded
    cost: np.ndarray  # (step, kind) beside the trade: of what comes in, or saved by what stays in
    keep: np.ndarray
    arrival: np.ndarray  # energy_in - energy_out
    ceiling: np.ndarray
    need: np.ndarray
    hard: np.ndarray  # True where the need must be served
    need_cost: np.ndarray  # 0 also where the trip of the next step takes the need
    trip: np.ndarray  # most that can be missing from a trip
    trip_cost: np.ndarray
    shared: np.ndarray  # True where what is missing from the trip was missing the step before, too
    hold: np.ndarray  # of energy on board at the end of the step
    exclusive: np.ndarray  # True where nobody charges and discharges at once
    products: Products | None = None  # reserves that are sold out of headroom

    def __len__(self) -> int:
        return len(self.member)

    def _of_steps(self) -> list[Field[np.ndarray]]:
        return [f for f in fields(self) if f.name not in _OF_STAYS]

    def part(self, begin: int, end: int) -> "Stays":
        """Return the stays from `begin` to before `end`."""
        here = slice(self.first[begin], self.first[end])
        some = {f.name: getattr(self, f.name)[here] for f in self._of_steps()}
        first, which = self.first[begin : end + 1] - self.first[begin], slice(begin, end)
        own = self.member[which], self.start[which], self.kinds
        return Stays(first, *own, **some, products=self.products)

    def every(self, number: int) -> "Stays":
        """Return every second, third ... of the stays: a sample of them."""
        which = np.arange(number // 2, len(self), number)
        many = np.diff(self.first)[which]
        first = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
        here = np.arange(first[-1]) + np.repeat(self.first[which] - first[:-1], many)
        some = {f.name: getattr(self, f.name)[here] for f in self._of_steps()}
        own = self.member[which], self.start[which], self.kinds
        return Stays(first, *own, **some, products=self.products)

    def column(self, kind: int) -> np.ndarray:
        """Return the column of a kind, none where it does not occur."""
        return np.flatnonzero(self.kinds == kind)

    def grid_energy(self, kind: int) -> np.ndarray:
        """Return how much a step can draw (CHARGE) or feed in (DISCHARGE), kWh at the grid."""
        column = self.column(kind)
        none = np.zeros(len(self.place))
        return (self.width * self.rate)[:, column[0]] if len(column) else none

    def pieces(self, worth: np.ndarray, held: np.ndarray | None = None) -> "Pieces":
        """Return the ways to move energy at the prices of `best_plans`."""
        price = worth[self.place][:, None] * self.rate + self.cost
        if self.products is None or held is None:
            never = np.zeros(len(self.place), bool)
            return Pieces(self.kinds, self.width, price, np.arange(len(self.kinds)), never)
        return self._with_room(price, self.products.envelope(held))

    def _with_room(self, price: np.ndarray, envelope: Envelope) -> "Pieces":
        """Divide power where the worth of room for reserves changes."""
        slope = envelope.slope[self.place]
        energy = self.grid_energy(CHARGE), self.grid_energy(DISCHARGE)
        parts = dict(zip((CHARGE, DISCHARGE), envelope.divided(*energy, self.place), strict=True))
        width, prices, origin = [], [], []
        for column, kind in enumerate(self.kinds):
            rate, own = self.rate[:, [column]], price[:, [column]]
            there = parts[kind] / rate if kind in parts else self.width[:, [column]]
            width.append(there)
            prices.append(own + slope * rate if kind in parts else own)
            origin += [column] * there.shape[1]
        found = np.array(origin)
        both = [self.column(kind) for kind in parts]
        wastes = np.zeros(len(self.place), bool)
        if all(map(len, both)):
            charge, discharge = (prices[column[0]] for column in both)
            there = parts[CHARGE] + parts[DISCHARGE] > 0
            wastes = (there & (charge < discharge - _EQUAL)).any(1) & (there.sum(1) > 1)
            wastes &= (energy[0] > 0) & (energy[1] > 0)
        every = np.concatenate(width, 1), np.concatenate(prices, 1)
        return Pieces(self.kinds[found], *every, found, wastes)


@dataclass(frozen=True)
class Pieces:
    """Ways to move energy in each step at given prices.

    Power is one piece each way, and where reserves are sold several: one as long as a kW injected
    adds the same to what the room earns.
    """

    kinds: np.ndarray  # (piece)
    width: np.ndarray  # (step, piece) most that can move, kWh in the battery
    price: np.ndarray  # (step, piece) what a kWh in the battery costs or saves
    column: np.ndarray  # (piece) among the kinds of the stays
    wasting: np.ndarray  # (step) True where losing energy on purpose pays for room

    @property
    def rises(self) -> np.ndarray:
        """1 for each piece that brings energy on board."""
        return RISES[self.kinds]


@dataclass(frozen=True)
class Plans:
    """What each stay does in each step, kWh in the battery."""

    moved: np.ndarray  # (step, kind)
    trip_missing: np.ndarray
    energy: np.ndarray  # at the end of the step
    missed: np.ndarray  # (stay) what no plan of the stay can mend; 0: it has a plan
    held: np.ndarray  # (step, product) reserve held through the step, kWh at the grid
    wasting: np.ndarray  # (step) True where losing energy on purpose may be better still

    def at(self, steps: slice) -> "Plans":
        """Return what stays do in some steps; what they miss is of all of them."""
        some = {f.name: getattr(self, f.name)[steps] for f in fields(self) if f.name != "missed"}
        return Plans(missed=self.missed, **some)

    @classmethod
    def none(cls, stays: Stays, kinds: int | None = None) -> "Plans":
        """Return plans in which nothing moves, in as many ways as the stays have or as asked
        for.
        """
        steps, ways = len(stays.place), len(stays.kinds) if kinds is None else kinds
        products = 0 if stays.products is None else len(stays.products)
        return cls(
            np.zeros((steps, ways)),
            np.zeros(steps),
            np.zeros(steps),
            np.zeros(len(stays)),
            np.zeros((steps, products)),
            np.zeros(steps, bool),
        )

    def collected(self, stays: Stays, pieces: Pieces, held: np.ndarray | None) -> "Plans":
        """Return what moves by kind, and what is held of each product in the room that is left."""
        if stays.products is None or held is None:
            return self
        moved = np.zeros((len(self.energy), len(stays.kinds)))
        for piece, column in enumerate(pieces.column):
            moved[:, column] += self.moved[:, piece]
        found = replace(self, moved=moved, wasting=pieces.wasting)
        charge, discharge = stays.grid_energy(CHARGE), stays.grid_energy(DISCHARGE)
        room = charge + discharge
        up = discharge - found.injected(stays)
        share = np.clip(up / np.where(room > 0, room, 1.0), 0.0, 1.0)
        envelope = stays.products.envelope(held)
        sold = envelope.sold(share, stays.place, stays.products)
        return replace(found, held=sold * room[:, None])

    def unserved(self, stays: Stays) -> np.ndarray:
        """Return what is missing from each need, besides what its trip misses (kWh)."""
        found = np.where(stays.hard, 0.0, np.maximum(stays.need - self.energy, 0.0))
        if not stays.shared.any():
            return found
        missing = np.append(np.where(stays.shared, self.trip_missing, 0.0)[1:], 0.0)
        return np.maximum(found - missing, 0.0)

    def of(self, stays: Stays, kind: int) -> np.ndarray:
        """Return what moves one way (kWh in the battery)."""
        column = stays.column(kind)
        return self.moved[:, column[0]] if len(column) else np.zeros(len(self.energy))

    def injected(self, stays: Stays) -> np.ndarray:
        """Return what flows to the grid less what is drawn, in each step (kWh at the grid)."""
        sign = np.where(stays.kinds == CHARGE, -1.0, 1.0) * (stays.kinds <= DISCHARGE)
        return self._weighed(stays.rate, sign)

    def _weighed(self, each: np.ndarray, sign: np.ndarray) -> np.ndarray:
        """Return the sum of what moves by kind, each with its own weight (step, kind) and sign."""
        found = np.zeros(len(self.moved))
        for kind in np.flatnonzero(sign):
            found += sign[kind] * self.moved[:, kind] * each[:, kind]
        return found

    def own_cost(self, stays: Stays) -> np.ndarray:
        """Return what each step costs beside the energy at the grid (EUR).

        The constants of a bill are left out.
        """
        sign = np.where(RISES[stays.kinds], 1.0, -1.0)
        found = self._weighed(stays.cost, sign)
        if stays.need_cost.any() or stays.shared.any():
            due = np.append((stays.trip_cost * stays.shared)[1:], 0.0)
            found += (stays.need_cost + due) * self.unserved(stays)
        if stays.trip.any():
            found += stays.trip_cost * self.trip_missing
        if stays.hold.any():
            found += stays.hold * self.energy
        return found


def best_plans(stays: Stays, worth: np.ndarray, held: np.ndarray | None = None) -> Plans:
    """Find the best plan of every stay at given prices.

    Parameters
    ----------
    stays : Stays
        Stays of any number of members.
    worth : numpy.ndarray
        What a kWh at the grid is worth by pod and time, flat (EUR/kWh).
    held : numpy.ndarray, optional
        What a kW held of each product is worth for an hour, on (product, pod and time) (EUR/kWh).

    Returns
    -------
    Plans
        Compiled by numba where it is installed (extra `fast`), else by numpy; the same numbers.
    """
    if not len(stays):
        return Plans.none(stays)
    run = compiled()
    return by_numpy(stays, worth, held) if run is None else by_kernel(stays, worth, run, held)


def by_kernel(
    stays: Stays, worth: np.ndarray, run: Callable[..., None], held: np.ndarray | None = None
) -> Plans:
    """Return the best plans by the loops of `oracle_kernel`, compiled or not."""
    pieces = stays.pieces(worth, held)
    found = Plans.none(stays, len(pieces.kinds))
    given = {n: getattr(pieces, n) for n in ("rises", "width", "price")}
    steps = Steps(*(given[n] if n in given else getattr(stays, n) for n in Steps.__annotations__))
    run(stays.first, stays.start, steps, Found(*(getattr(found, n) for n in Found.__annotations__)))
    return found.collected(stays, pieces, held)


@cache
def compiled() -> Callable[..., None] | None:
    """Return the kernel as numba compiles it; None where numba is not installed.

    It is compiled once for all processes.
    """
    found = compiled_loops(LINKED, LINKED[-1:])
    return None if found is None else found[LINKED[-1].__name__]


# ---- the same without a compiler: a batch of stays at once, from their last steps backward ------


def by_numpy(stays: Stays, worth: np.ndarray, held: np.ndarray | None = None) -> Plans:
    """Return the best plans, batch by batch; in a batch the longest stay comes first."""
    pieces = stays.pieces(worth, held)
    found = Plans.none(stays, len(pieces.kinds))
    steps = np.diff(stays.first)
    order = np.argsort(-steps, kind="stable")
    for begin in range(0, len(order), _BATCH):
        _Batch(stays, pieces, order[begin : begin + _BATCH]).run(found)
    return found.collected(stays, pieces, held)


class _Batch:
    """Value functions of some stays: segments on (stay, segment), slopes descending; a segment
    without length has the slope -inf.
    """

    def __init__(self, stays: Stays, pieces: Pieces, which: np.ndarray):
        self.stays, self.pieces, self.which = stays, pieces, which
        self.first, self.last = stays.first[which], stays.first[which + 1] - 1
        self.steps = self.last - self.first + 1
        self.low = np.zeros(len(which))
        self.slope = np.zeros((len(which), 1))
        self.length = stays.ceiling[self.last][:, None].copy()
        self.missed = np.zeros(len(which))
        shape = len(which), int(self.steps.max())
        self.edge, self.trip_edge = np.zeros((*shape, len(pieces.kinds))), np.zeros(shape)

    def run(self, found: Plans) -> None:
        """Go backward through the steps, then forward."""
        for back in range(int(self.steps.max())):
            many = int((self.steps > back).sum())  # they come first
            self._one_step(many, self.last[:many] - back, self.steps[:many] - 1 - back)
        self._forward(found)

    def _one_step(self, many: int, j: np.ndarray, k: np.ndarray) -> None:
        """Value before a step of the first stays, from that after it."""
        s, waiting = self.stays, (self.low[many:], self.slope[many:], self.length[many:])
        self.low, self.slope, self.length = (x[:many] for x in (self.low, self.slope, self.length))
        self._within(j, many)
        self.slope = self.slope - s.hold[j][:, None]
        if (s.need_cost[j] > 0).any():
            self._split(s.need[j], s.need_cost[j], 0.0)
        self._move(many, j, k)
        if (s.trip[j] > 0).any():
            self._trip(many, j, k)

        goes_on = k > 0
        keep = np.where(goes_on, s.keep[j], 1.0)
        self.low = (self.low - np.where(goes_on, s.arrival[j], 0.0)) / keep
        self.slope, self.length = self.slope * keep[:, None], self.length / keep[:, None]
        self._with_waiting(waiting)

    def _with_waiting(self, waiting: tuple[np.ndarray, ...]) -> None:
        """Put the stays that had not this step behind those that had it."""
        low, slope, length = waiting
        size = max(self.slope.shape[1], slope.shape[1])
        self.low = np.concatenate([self.low, low])
        self.slope = np.concatenate([_wide(self.slope, size, -np.inf), _wide(slope, size, -np.inf)])
        self.length = np.concatenate([_wide(self.length, size, 0.0), _wide(length, size, 0.0)])

    def _within(self, j: np.ndarray, many: int) -> None:
        """Cut at the limits of the energy at the end of the step."""
        ceiling = self.stays.ceiling[j]
        floor = np.where(self.stays.hard[j], self.stays.need[j], 0.0)
        high = self.low + self.length.sum(1)
        lacking = np.maximum(floor - high, self.low - ceiling)
        self.missed[:many] = np.maximum(self.missed[:many], lacking)

        from_right = np.cumsum(self.length[:, ::-1], 1)[:, ::-1]
        over = np.maximum(high - ceiling, 0.0)[:, None]
        self.length = np.minimum(self.length, np.maximum(from_right - over, 0.0))
        under = np.maximum(floor - self.low, 0.0)[:, None]
        left = np.maximum(np.cumsum(self.length, 1) - under, 0.0)
        self.length = np.minimum(self.length, left)
        self.low = np.minimum(np.maximum(self.low, floor), ceiling)

    def _split(self, at: np.ndarray, left: np.ndarray, right: float | np.ndarray) -> None:
        """Add to the slopes left and right of a point."""
        begin = self.low[:, None] + np.cumsum(self.length, 1) - self.length
        before = np.clip(at[:, None] - begin, 0.0, self.length)
        cut = (before > 0) & (before < self.length)
        rest = np.where(cut, self.length - before, 0.0).sum(1)
        slope = np.where(cut, self.slope, 0.0).sum(1)
        left, right = (np.broadcast_to(x, rest.shape)[:, None] for x in (left, right))
        self.slope = self.slope + np.where(before > 0, left, right)
        self.length = np.where(cut, before, self.length)
        self._insert((slope[:, None] + right), rest[:, None])

    def _insert(self, price: np.ndarray, width: np.ndarray) -> None:
        """Insert pieces on (stay, piece) where their prices belong."""
        slope = np.concatenate([self.slope, price], 1)
        length = np.concatenate([self.length, width], 1)
        slope = np.where(length > 0, slope, -np.inf)
        order = np.argsort(-slope, axis=1, kind="stable")
        slope, length = (np.take_along_axis(x, order, 1) for x in (slope, length))
        size = max(1, int((length > 0).sum(1).max(initial=0)))
        self.slope, self.length = slope[:, :size], length[:, :size]

    def _above(self, price: np.ndarray) -> np.ndarray:
        """Return the energy up to which a kWh more is worth more than a price."""
        worth_more = self.slope > price[:, None]
        return self.low + np.where(worth_more, self.length, 0.0).sum(1)

    def _move(self, many: int, j: np.ndarray, k: np.ndarray) -> None:
        """Sup-convolution with one piece for each way to move energy."""
        width, price, rows = self.pieces.width[j], self.pieces.price[j], np.arange(many)
        some = np.flatnonzero((width > 0).any(0))
        for kind in some:
            self.edge[rows, k, kind] = self._above(price[:, kind])
        if len(some):
            self._insert(price[:, some], width[:, some])
        self.low = self.low - width @ self.pieces.rises

    def _trip(self, many: int, j: np.ndarray, k: np.ndarray) -> None:
        """What may be missing from a trip, and from the need of the step before with it."""
        s, rows = self.stays, np.arange(many)
        own = np.where(s.shared[j], 0.0, s.trip_cost[j])
        both = np.where(s.shared[j], s.trip_cost[j], 0.0)
        if s.shared[j].any():
            before = np.where(s.shared[j], s.need[np.maximum(j - 1, 0)] + s.arrival[j], np.inf)
            self._split(before, np.zeros(many), -both)
        self.trip_edge[rows, k] = self._above(own)
        self._insert(own[:, None], s.trip[j][:, None])
        self.low = self.low - s.trip[j]
        self.slope = self.slope + both[:, None]

    def _forward(self, found: Plans) -> None:
        """Walk through the steps from what is on board at the start."""
        s, first = self.stays, self.first
        level = s.start[self.which] + s.arrival[first]
        high = self.low + self.length.sum(1)
        lacking = np.maximum(self.missed, np.maximum(self.low - level, level - high))
        found.missed[self.which] = np.where(lacking > TOLERANCE, lacking, 0.0)
        for k in range(int(self.steps.max())):
            many = int((self.steps > k).sum())
            j, level = first[:many] + k, level[:many]
            if k:
                level = s.keep[j] * level + s.arrival[j]
            missing = np.clip(self.trip_edge[:many, k] - level, 0.0, s.trip[j])
            width, rises = self.pieces.width[j], self.pieces.rises
            level = level + missing - width @ (1 - rises)
            order = np.argsort(self.pieces.price[j], axis=1, kind="stable")
            moved, rows = np.zeros_like(width), np.arange(many)
            for kind in order.T:
                more = np.clip(self.edge[rows, k, kind] - level, 0.0, width[rows, kind])
                level = level + more
                moved[rows, kind] = np.where(rises[kind], more, width[rows, kind] - more)
            found.moved[j], found.trip_missing[j], found.energy[j] = moved, missing, level


def _wide(x: np.ndarray, size: int, fill: float) -> np.ndarray:
    """Return an array with as many columns as asked for."""
    more = np.full((len(x), size - x.shape[1]), fill)
    return np.concatenate([x, more], 1)
