"""The segment oracle as plain loops over numbers, one stay after the other: what numba compiles
(docs/formulation.md §12 A).

It is the recursion of `oracle.by_numpy`, which has the same numbers without a compiler. Segments
are `head` to before `tail` of two arrays, with slopes that fall; they begin at the energy `low`,
and end at `high`."""

from typing import NamedTuple

import numpy as np

TOLERANCE = 1e-7  # kWh by which a stay may miss its limits


class Steps(NamedTuple):
    """What is known of every step, as in `oracle.Stays`; the first three as in `oracle.Pieces`."""

    rises: np.ndarray
    width: np.ndarray
    price: np.ndarray
    keep: np.ndarray
    arrival: np.ndarray
    ceiling: np.ndarray
    need: np.ndarray
    hard: np.ndarray
    need_cost: np.ndarray
    trip: np.ndarray
    trip_cost: np.ndarray
    shared: np.ndarray
    hold: np.ndarray


class Found(NamedTuple):
    """What is filled: energy by kind, missing from trips, on board, and missed by each stay."""

    moved: np.ndarray
    trip_missing: np.ndarray
    energy: np.ndarray
    missed: np.ndarray


# one function: where how energy moves is another, compiled code takes three times as long
def fill_plans(  # noqa: C901
    first: np.ndarray, start: np.ndarray, steps: Steps, found: Found
) -> None:
    """Fill `found` with the best plan of every stay."""
    # plain arrays: to take one out of a tuple at each use costs as much as the work
    rises, width, price, keep, arrival, ceiling, need = steps[:7]
    hard, need_cost, trip, trip_cost, shared, hold = steps[7:]
    moved, trip_missing, energy, missed = found
    longest = np.max(np.diff(first))
    most = (len(rises) + 4) * (longest + 1)  # segments: each way, and what splits add
    slope, length = np.zeros(most), np.zeros(most)
    edge, trip_edge = np.zeros((longest, len(rises))), np.zeros(longest)
    order = np.zeros(len(rises), np.int64)

    for w in range(len(first) - 1):
        begin, end = first[w], first[w + 1]
        head, tail, low, high = 0, 1, 0.0, ceiling[end - 1]
        slope[0], length[0], lacking = 0.0, high, 0.0
        for j in range(end - 1, begin - 1, -1):
            floor = need[j] if hard[j] else 0.0
            lacking = max(lacking, floor - high, low - ceiling[j])
            if lacking > TOLERANCE:
                break
            head, tail, low, high = _within(floor, ceiling[j], length, head, tail, low, high)
            _add(slope, head, tail, -hold[j])
            if need_cost[j] > 0.0:
                tail = _split(slope, length, head, tail, low, need[j], need_cost[j], 0.0)

            k = j - begin
            # energy moves: sup-convolution with one piece for each kind; `edge` remembers up to
            # which energy a kWh more is worth more than each piece costs
            for q in range(len(rises)):
                if width[j, q] > 0.0:
                    edge[k, q] = _above(slope, length, head, tail, low, price[j, q])
            for q in range(len(rises)):
                if width[j, q] > 0.0:
                    tail = _insert(slope, length, head, tail, price[j, q], width[j, q])
                    low -= width[j, q] * rises[q]
                    high += width[j, q] * (1 - rises[q])
            trip_edge[k] = low
            if trip[j] > 0.0:
                at = need[j - 1] + arrival[j]
                trip_edge[k], tail = _trip(
                    trip[j], trip_cost[j], shared[j], at, slope, length, head, tail, low
                )
                low -= trip[j]
            if j > begin:  # seen from the end of the step before
                low, high = (low - arrival[j]) / keep[j], (high - arrival[j]) / keep[j]
                _stretch(slope, length, head, tail, keep[j])

        level = start[w] + arrival[begin]
        lacking = max(lacking, low - level, level - high)
        missed[w] = lacking if lacking > TOLERANCE else 0.0
        for j in range(begin, end if missed[w] == 0.0 else begin):
            k = j - begin
            level = keep[j] * level + arrival[j] if j > begin else level
            trip_missing[j] = min(max(trip_edge[k] - level, 0.0), trip[j])
            level += trip_missing[j]
            _sort(j, price, order)
            for q in range(len(rises)):
                level -= width[j, q] * (1 - rises[q])
            for r in range(len(rises)):
                q = order[r]
                if width[j, q] > 0.0:
                    more = min(max(edge[k, q] - level, 0.0), width[j, q])
                    level += more
                    moved[j, q] = more if rises[q] else width[j, q] - more
            energy[j] = level


def _within(
    floor: float,
    ceiling: float,
    length: np.ndarray,
    head: int,
    tail: int,
    low: float,
    high: float,
) -> tuple[int, int, float, float]:
    """Cut at the limits of the energy at the end of the step."""
    while tail > head and high - length[tail - 1] >= ceiling:
        tail -= 1
        high -= length[tail]
    if tail > head and high > ceiling:
        length[tail - 1] -= high - ceiling
    while tail > head and low + length[head] <= floor:
        low += length[head]
        head += 1
    if tail > head and low < floor:
        length[head] -= floor - low
    return head, tail, max(low, floor), min(high, ceiling)


def _sort(j: int, price: np.ndarray, order: np.ndarray) -> None:
    """Fill `order` with the pieces of a step by ascending price."""
    for q in range(len(order)):
        r = q
        while r > 0 and price[j, order[r - 1]] > price[j, q]:
            order[r] = order[r - 1]
            r -= 1
        order[r] = q


def _trip(
    width: float,
    cost: float,
    shared: bool,
    at: float,
    slope: np.ndarray,
    length: np.ndarray,
    head: int,
    tail: int,
    low: float,
) -> tuple[float, int]:
    """Value before something is missing from a trip, and from the need of the step before with
    it.
    """
    own = 0.0 if shared else cost
    if shared:
        tail = _split(slope, length, head, tail, low, at, 0.0, -cost)
    edge = _above(slope, length, head, tail, low, own)
    tail = _insert(slope, length, head, tail, own, width)
    _add(slope, head, tail, cost - own)
    return edge, tail


def _add(slope: np.ndarray, head: int, tail: int, more: float) -> None:
    """Add to every slope."""
    if more != 0.0:
        for s in range(head, tail):
            slope[s] += more


def _stretch(slope: np.ndarray, length: np.ndarray, head: int, tail: int, keep: float) -> None:
    """See the energy from before a share of it was lost."""
    if keep != 1.0:
        for s in range(head, tail):
            slope[s] *= keep
            length[s] /= keep


def _above(
    slope: np.ndarray, length: np.ndarray, head: int, tail: int, low: float, price: float
) -> float:
    """Return the energy up to which a kWh more is worth more than a price."""
    s = head  # as a loop that breaks it is compiled to twice the time
    while s < tail and slope[s] > price:
        low += length[s]
        s += 1
    return low


def _split(
    slope: np.ndarray,
    length: np.ndarray,
    head: int,
    tail: int,
    low: float,
    at: float,
    left: float,
    right: float,
) -> int:
    """Add to the slopes left and right of a point; return the new end of the list."""
    s = head
    while s < tail and low + length[s] <= at:
        low += length[s]
        s += 1
    if s < tail and at > low:
        for r in range(tail, s, -1):
            slope[r], length[r] = slope[r - 1], length[r - 1]
        tail += 1
        length[s] = at - low
        length[s + 1] -= length[s]
        s += 1
    for r in range(head, s):
        slope[r] += left
    for r in range(s, tail):
        slope[r] += right
    return tail


def _insert(
    slope: np.ndarray, length: np.ndarray, head: int, tail: int, price: float, width: float
) -> int:
    """Insert a piece where its price belongs; return the new end of the list."""
    s = tail
    while s > head and slope[s - 1] < price:
        slope[s], length[s] = slope[s - 1], length[s - 1]
        s -= 1
    slope[s], length[s] = price, width
    return tail + 1


LINKED = (_sort, _within, _add, _stretch, _above, _split, _insert, _trip, fill_plans)
"""In the order in which one uses the other."""
