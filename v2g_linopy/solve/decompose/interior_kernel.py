"""Newton's method of `interior_members` as plain loops, one stay after the other: what numba
compiles (docs/formulation.md §12 D).

Pairs are those of `interior_members`, beside each other on (step, pair)."""

from typing import NamedTuple

import numpy as np

LEAST = 1e-12  # slacks and prices stay above it


class Given(NamedTuple):
    """What is known of the steps of stays, as in `oracle.Stays`; `rises` and `trades` by kind."""

    rises: np.ndarray  # +1 brings energy on board, -1 takes it
    trades: np.ndarray  # +1 feeds in, -1 draws, 0 does neither
    width: np.ndarray
    rate: np.ndarray
    cost: np.ndarray
    keep: np.ndarray  # 0 in the first step of a stay
    arrival: np.ndarray
    hold: np.ndarray
    need: np.ndarray
    need_cost: np.ndarray


class State(NamedTuple):
    """Where the interior point has the stays."""

    energy: np.ndarray
    worth: np.ndarray  # of a kWh on board
    slack: np.ndarray  # (step, pair)
    price: np.ndarray  # (step, pair)
    missed: np.ndarray  # (step, 2)
    missed_price: np.ndarray  # (step, 2)


class Newton(NamedTuple):
    """The Newton system of the stays, what pulls, and the direction that is taken."""

    inverse: np.ndarray  # (step, pair) of the slacks
    free: np.ndarray  # (step, kind) 1 / curvature of x
    hard: np.ndarray  # 1 / curvature of e
    lower: np.ndarray
    pivot: np.ndarray
    tie: np.ndarray
    pull: np.ndarray  # (step, kind + 1) at each x and at e, toward products of 0
    first: np.ndarray  # change of `worth` toward products of 0
    bent: np.ndarray  # (step, pair) what products change by in second order
    bent_missed: np.ndarray  # (step, 2)
    move: State  # the direction


def _factorise(a: int, b: int, given: Given, state: State, newton: Newton) -> float:
    """Find the curvatures of a stay, and N = L D L' without a difference; return the sum of its
    products.
    """
    rises, trades, width, rate, _, keep, _, _, _, need_cost = given
    _, _, slack, price, missed, missed_price = state
    inverse, free, hard, lower, pivot, tie = newton[:6]
    kinds = len(rises)
    delta, products = 0.0, 0.0
    for j in range(a, b):
        moved, tied = 0.0, 0.0
        for k in range(kinds + 1):
            i, o = (k, kinds + k) if k < kinds else (2 * kinds, 2 * kinds + 1)
            products += slack[j, i] * price[j, i] + slack[j, o] * price[j, o]
        for k in range(kinds):
            one, other = 1.0 / slack[j, k], 1.0 / slack[j, kinds + k]
            inverse[j, k], inverse[j, kinds + k] = one, other
            f = 1.0 / (price[j, k] * one + price[j, kinds + k] * other)
            free[j, k] = f
            f *= width[j, k] * width[j, k]
            moved += f
            tied += rises[k] * trades[k] * rate[j, k] * f
        one, other = 1.0 / slack[j, 2 * kinds], 1.0 / slack[j, 2 * kinds + 1]
        inverse[j, 2 * kinds], inverse[j, 2 * kinds + 1] = one, other
        curve = price[j, 2 * kinds] * one + price[j, 2 * kinds + 1] * other
        if need_cost[j] > 0:
            up, down = missed_price[j, 0] / missed[j, 0], missed_price[j, 1] / missed[j, 1]
            curve += up * down / (up + down)
            products += missed[j, 0] * missed_price[j, 0] + missed[j, 1] * missed_price[j, 1]
        if j == a:
            lower[j], delta = 0.0, moved
        else:
            lower[j] = keep[j] * hard[j - 1] / pivot[j - 1]
            delta = moved + keep[j] * lower[j] * delta
        tie[j], hard[j] = tied, 1.0 / curve
        pivot[j] = delta + hard[j]
    return products


def _solve(a: int, b: int, newton: Newton, right: np.ndarray) -> None:
    """Solve N x = right, in place; `right` begins with the stay."""
    lower, pivot = newton[3], newton[4]
    for j in range(a + 1, b):
        right[j - a] += lower[j] * right[j - a - 1]
    right[b - a - 1] /= pivot[b - 1]
    for j in range(b - 2, a - 1, -1):
        right[j - a] = right[j - a] / pivot[j] + lower[j + 1] * right[j - a + 1]


def _schur(
    a: int,
    b: int,
    at: int,
    given: Given,
    newton: Newton,
    column: np.ndarray,
    schur: np.ndarray,
) -> None:
    """Add sum of inject^2 / R - K N^-1 K from its diagonal on; N^-1 is semiseparable."""
    trades, width, rate = given[1], given[2], given[3]
    free, lower, pivot, tie = newton[1], newton[3], newton[4], newton[5]
    day, inverse = at % schur.shape[1], 0.0
    for j in range(b - 1, a - 1, -1):
        later = lower[j + 1] if j + 1 < b else 0.0
        inverse = 1.0 / pivot[j] + later * later * inverse
        own, tied = 0.0, tie[j]
        for k in range(len(trades)):
            grid = trades[k] * rate[j, k] * width[j, k]
            own += grid * grid * free[j, k]
        after = column[j - a + 1 : b - a]
        row = schur[at + j - a, day + j - a + 1 : day + b - a]
        for i in range(len(after)):
            after[i] *= later
            row[i] -= tied * after[i]
        column[j - a] = inverse * tied
        schur[at + j - a, day + j - a] += own - inverse * tied * tied


def _toward(
    a: int,
    b: int,
    at: int,
    given: Given,
    state: State,
    newton: Newton,
    price: np.ndarray,
    power: np.ndarray,
    change: np.ndarray,
) -> None:
    """Fill `pull`, and the right side of the system whose solution is `first`."""
    rises, trades, width, rate, cost, keep, arrival, hold, need, need_cost = given
    energy, worth, slack, _, missed, missed_price = state
    free, hard, pull, right = newton[1], newton[2], newton[6], newton[7]
    kinds, before = len(rises), 0.0
    for j in range(a, b):
        here, pulled, now = price[at + j - a], 0.0, 0.0
        moved = arrival[j] - energy[j]
        for k in range(kinds):
            grid, inside = trades[k] * rate[j, k] * width[j, k], rises[k] * width[j, k]
            p = grid * here - inside * (cost[j, k] + worth[j])
            pull[j, k] = p
            moved += inside * (free[j, k] * p + slack[j, k])
            pulled += grid * free[j, k] * p
            now += grid * slack[j, k]
        p = worth[j] - hold[j]
        if j + 1 < b:
            p -= keep[j + 1] * worth[j + 1]
        pull[j, kinds] = p
        if need_cost[j] > 0:
            one, other = missed_price[j, 0] / missed[j, 0], missed_price[j, 1] / missed[j, 1]
            lacks = energy[j] + missed[j, 1] - need[j] - missed[j, 0]
            p -= one / (one + other) * (other * lacks - need_cost[j])
        elastic = hard[j] * p
        right[j] = moved - elastic
        if j > a:
            right[j] += keep[j] * (energy[j - 1] + before)
        before = elastic
        power[at + j - a] += now
        change[at + j - a] += pulled


def predict(
    first: np.ndarray,
    start: np.ndarray,
    place: np.ndarray,
    given: Given,
    state: State,
    newton: Newton,
    price: np.ndarray,
    schur: np.ndarray,
    power: np.ndarray,
    change: np.ndarray,
    products: np.ndarray,
) -> None:
    """Factor the systems of all stays; add their Schur complements, what they inject, and by how
    much more at these prices at the grid toward products of 0; fill their sums of products.
    """
    tie, worth = newton[5], newton[7]
    column = np.zeros(np.max(np.diff(first)))
    for w in range(len(first) - 1):
        a, b, at = first[w], first[w + 1], place[w]
        products[w] = _factorise(a, b, given, state, newton)
        _schur(a, b, at, given, newton, column, schur)
        _toward(a, b, at, given, state, newton, price, power, change)
        worth[a] += start[w]
        _solve(a, b, newton, worth[a:b])
        for j in range(a, b):
            change[at + j - a] -= tie[j] * worth[j]


def _bend(
    a: int,
    b: int,
    given: Given,
    state: State,
    newton: Newton,
    toward: np.ndarray,
    parts: np.ndarray,
    most: np.ndarray,
) -> None:
    """Find what products change by in second order along the direction toward 0, scaled by how far
    the stay can go, and the parts of its products.
    """
    rises, trades, width, rate, _, keep, _, _, need, need_cost = given
    energy, _, slack, price, missed, missed_price = state
    inverse, free, hard, _, _, _, pull, worth, bent, bent_missed, _ = newton
    kinds = len(rises)
    now, far, dear, both = 0.0, 0.0, 0.0, 0.0
    up, down = 1e-9, 1e-9
    for j in range(a, b):
        own = worth[j] - (keep[j + 1] * worth[j + 1] if j + 1 < b else 0.0) + pull[j, kinds]
        u, r = 0.0, 0.0
        if need_cost[j] > 0:
            one, other = missed_price[j, 0] / missed[j, 0], missed_price[j, 1] / missed[j, 1]
            lacks = energy[j] + missed[j, 1] - need[j] - missed[j, 0]
            own = hard[j] * (own - one / (one + other) * (other * lacks - need_cost[j]))
            u = (-need_cost[j] - one * (own + lacks)) / (one + other)
            r = own + u + lacks
            for i in range(2):
                d = u if i else r
                relative, p = d / missed[j, i], missed_price[j, i]
                up, down = max(up, -relative), max(down, 1.0 + relative)
                now += missed[j, i] * p
                far += d * p
                dear -= missed[j, i] * p * (1.0 + relative)
                bent_missed[j, i] = -d * p * (1.0 + relative)
                both += bent_missed[j, i]
        else:
            own *= hard[j]
        for k in range(kinds + 1):
            d, i, o = own, 2 * kinds, 2 * kinds + 1
            if k < kinds:
                grid = trades[k] * rate[j, k] * toward[j - a] - rises[k] * worth[j]
                d, i, o = free[j, k] * (pull[j, k] + width[j, k] * grid), k, kinds + k
            # toward a product of 0 the relative changes of slack and price add up to -1
            relative, p, x = d * inverse[j, i], price[j, i], slack[j, i]
            up, down = max(up, -relative), max(down, 1.0 + relative)
            now += x * p
            far += d * p
            dear -= x * p * (1.0 + relative)
            second = -d * p * (1.0 + relative)
            bent[j, i] = second
            both += second
            relative, p, x = -d * inverse[j, o], price[j, o], slack[j, o]
            up, down = max(up, -relative), max(down, 1.0 + relative)
            now += x * p
            far -= d * p
            dear -= x * p * (1.0 + relative)
            second = d * p * (1.0 + relative)
            bent[j, o] = second
            both += second
    parts[0], parts[1], parts[2], parts[3] = now, far, dear, both
    most[0], most[1] = min(1.0, 1.0 / up), min(1.0, 1.0 / down)


def _answer(
    a: int,
    b: int,
    at: int,
    given: Given,
    state: State,
    newton: Newton,
    scale: float,
    right: np.ndarray,
    each_right: np.ndarray,
    second: np.ndarray,
    each: np.ndarray,
) -> None:
    """Fill the right sides of what the worth on board does by second order, and for each EUR of the
    target; `scale` the second order.
    """
    rises, trades, width, rate, _, keep, _, _, _, need_cost = given
    missed, missed_price = state[4], state[5]
    inverse, free, hard, bent, bent_missed = newton[0], newton[1], newton[2], newton[8], newton[9]
    kinds = len(rises)
    before, each_before = 0.0, 0.0
    for j in range(a, b):
        t = j - a
        moved, each_moved, pulled, each_pulled = 0.0, 0.0, 0.0, 0.0
        for k in range(kinds):
            i, o = k, kinds + k
            bent[j, i] *= scale
            bent[j, o] *= scale
            p = free[j, k] * (bent[j, o] * inverse[j, o] - bent[j, i] * inverse[j, i])
            q = free[j, k] * (inverse[j, i] - inverse[j, o])
            grid, inside = trades[k] * rate[j, k] * width[j, k], rises[k] * width[j, k]
            moved += inside * p
            each_moved += inside * q
            pulled += grid * p
            each_pulled += grid * q
        i, o = 2 * kinds, 2 * kinds + 1
        bent[j, i] *= scale
        bent[j, o] *= scale
        p = bent[j, o] * inverse[j, o] - bent[j, i] * inverse[j, i]
        q = inverse[j, i] - inverse[j, o]
        if need_cost[j] > 0:
            one, other = missed_price[j, 0] / missed[j, 0], missed_price[j, 1] / missed[j, 1]
            share, up, down = one / (one + other), 1.0 / missed[j, 0], 1.0 / missed[j, 1]
            bent_missed[j, 0] *= scale
            bent_missed[j, 1] *= scale
            p -= bent_missed[j, 0] * up * (1.0 - share) - share * bent_missed[j, 1] * down
            q += up * (1.0 - share) - share * down
        p, q = hard[j] * p, hard[j] * q
        right[t], each_right[t] = moved - p, each_moved - q
        if t:
            right[t] += keep[j] * before
            each_right[t] += keep[j] * each_before
        before, each_before = p, q
        second[at + t] += pulled
        each[at + t] += each_pulled


def bend(
    first: np.ndarray,
    place: np.ndarray,
    given: Given,
    state: State,
    newton: Newton,
    toward: np.ndarray,
    parts: np.ndarray,
    most: np.ndarray,
    second: np.ndarray,
    each: np.ndarray,
) -> None:
    """Look along the direction toward products of 0, where prices at the grid move by `toward`:
    how far each stay can go, the parts of its products, and by how much it injects more by second
    order and for each EUR of the target.
    """
    tie, worth = newton[5], newton[7]
    longest = np.max(np.diff(first))
    right, each_right = np.zeros(longest), np.zeros(longest)
    for w in range(len(first) - 1):
        a, b, at = first[w], first[w + 1], place[w]
        for j in range(a, b):
            right[j - a] = tie[j] * toward[at + j - a]
        _solve(a, b, newton, right)
        for j in range(a, b):
            worth[j] += right[j - a]
        _bend(a, b, given, state, newton, toward[at : at + b - a], parts[:, w], most[:, w])
        scale = most[0, w] * most[1, w]
        _answer(a, b, at, given, state, newton, scale, right, each_right, second, each)
        _solve(a, b, newton, right)
        _solve(a, b, newton, each_right)
        for j in range(a, b):
            second[at + j - a] -= tie[j] * right[j - a]
            each[at + j - a] -= tie[j] * each_right[j - a]


def _aim(
    a: int,
    b: int,
    given: Given,
    state: State,
    newton: Newton,
    toward: np.ndarray,
    target: float,
) -> None:
    """Fill what pulls toward products of `target`, and the right side of the system."""
    rises, _, width, _, _, keep, arrival, _, need, need_cost = given
    energy, _, slack, _, missed, missed_price = state
    inverse, free, hard, _, _, tie, pull, _, bent, bent_missed, move = newton
    right, pulls = move[1], move[2]
    kinds, before = len(rises), 0.0
    for j in range(a, b):
        moved = arrival[j] - energy[j] + tie[j] * toward[j - a]
        for k in range(kinds):
            i, o, inside = k, kinds + k, rises[k] * width[j, k]
            p = pull[j, k] + (target - bent[j, i]) * inverse[j, i]
            p -= (target - bent[j, o]) * inverse[j, o]
            pulls[j, k] = p
            moved += inside * (free[j, k] * p + slack[j, k])
        i, o = 2 * kinds, 2 * kinds + 1
        p = pull[j, kinds] + (target - bent[j, i]) * inverse[j, i]
        p -= (target - bent[j, o]) * inverse[j, o]
        if need_cost[j] > 0:
            one, other = missed_price[j, 0] / missed[j, 0], missed_price[j, 1] / missed[j, 1]
            up = (target - bent_missed[j, 0]) / missed[j, 0]
            both = up + (target - bent_missed[j, 1]) / missed[j, 1] - need_cost[j]
            lacks = energy[j] + missed[j, 1] - need[j] - missed[j, 0]
            p += up - one / (one + other) * (both + other * lacks)
        pulls[j, i] = p
        elastic = hard[j] * p
        right[j] = moved - elastic
        if j > a:
            right[j] += keep[j] * (energy[j - 1] + before)
        before = elastic


def _direction(
    a: int,
    b: int,
    given: Given,
    state: State,
    newton: Newton,
    toward: np.ndarray,
    target: float,
    most: np.ndarray,
) -> None:
    """Fill the direction, and how far the stay can go until a slack, or a price, is 0."""
    rises, trades, width, rate, _, keep, _, _, need, need_cost = given
    energy, _, _, price, missed, missed_price = state
    inverse, free, hard, _, _, _, _, _, bent, bent_missed, move = newton
    d_energy, d_worth, d_slack, d_price, d_missed, d_missed_price = move
    kinds, up, down = len(rises), 1e-9, 1e-9
    for j in range(a, b):
        own = d_worth[j] - (keep[j + 1] * d_worth[j + 1] if j + 1 < b else 0.0)
        own = hard[j] * (d_slack[j, 2 * kinds] + own)
        d_energy[j] = own
        for k in range(kinds + 1):
            d, i, o = own, 2 * kinds, 2 * kinds + 1
            if k < kinds:
                grid = trades[k] * rate[j, k] * toward[j - a] - rises[k] * d_worth[j]
                d, i, o = free[j, k] * (d_slack[j, k] + width[j, k] * grid), k, kinds + k
            d_slack[j, i], d_slack[j, o] = d, -d
            p, q = price[j, i], price[j, o]
            z = (target - bent[j, i] - p * d) * inverse[j, i] - p
            y = (target - bent[j, o] + q * d) * inverse[j, o] - q
            d_price[j, i], d_price[j, o] = z, y
            up = max(up, -d * inverse[j, i], d * inverse[j, o])
            down = max(down, -z / p, -y / q)
        if need_cost[j] > 0:
            one, other = missed_price[j, 0] / missed[j, 0], missed_price[j, 1] / missed[j, 1]
            both = (target - bent_missed[j, 0]) / missed[j, 0] - need_cost[j]
            both += (target - bent_missed[j, 1]) / missed[j, 1]
            lacks = energy[j] + missed[j, 1] - need[j] - missed[j, 0]
            u = (both - one * (own + lacks)) / (one + other)
            for i in range(2):
                d = u if i else own + u + lacks
                p, x = missed_price[j, i], missed[j, i]
                z = (target - bent_missed[j, i] - p * d) / x - p
                d_missed[j, i], d_missed_price[j, i] = d, z
                up, down = max(up, -d / x), max(down, -z / p)
    most[0], most[1] = 1.0 / up, 1.0 / down


def turn(
    first: np.ndarray,
    start: np.ndarray,
    place: np.ndarray,
    given: Given,
    state: State,
    newton: Newton,
    toward: np.ndarray,
    target: float,
    most: np.ndarray,
) -> None:
    """Find the direction toward products of `target`, where prices at the grid move by `toward`,
    and how far each stay can go.
    """
    worth = newton[10][1]
    for w in range(len(first) - 1):
        a, b, at = first[w], first[w + 1], place[w]
        here = toward[at : at + b - a]
        _aim(a, b, given, state, newton, here, target)
        worth[a] += start[w]
        _solve(a, b, newton, worth[a:b])
        _direction(a, b, given, state, newton, here, target, most[:, w])


def go(first: np.ndarray, given: Given, state: State, newton: Newton, most: np.ndarray) -> None:
    """Let each stay go as far as `most` says, on (2, stay): in its plan and in its prices."""
    need_cost = given[9]
    energy, worth, slack, price, missed, missed_price = state
    d_energy, d_worth, d_slack, d_price, d_missed, d_missed_price = newton[10]
    for w in range(len(first) - 1):
        far, dear = most[0, w], most[1, w]
        for j in range(first[w], first[w + 1]):
            energy[j] += far * d_energy[j]
            worth[j] += dear * d_worth[j]
            for i in range(slack.shape[1]):
                slack[j, i] = max(slack[j, i] + far * d_slack[j, i], LEAST)
                price[j, i] = max(price[j, i] + dear * d_price[j, i], LEAST)
            if need_cost[j] > 0:
                for i in range(2):
                    missed[j, i] = max(missed[j, i] + far * d_missed[j, i], LEAST)
                    more = missed_price[j, i] + dear * d_missed_price[j, i]
                    missed_price[j, i] = max(more, LEAST)


ENTRIES = (predict, bend, turn, go)
LINKED = (
    *(_factorise, _solve, _schur, _toward, predict, _bend, _answer, bend),
    *(_aim, _direction, turn, go),
)
"""In the order in which one uses the other."""
