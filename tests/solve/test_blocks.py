"""Blocks of a matrix: the optimum, the bounds and the duals are those of the whole, whatever binds;
time is shared.
"""

import time

import numpy as np
import pytest
import scipy.sparse as sp

import v2g_linopy as v2g
from v2g_linopy.errors import SolveError
from v2g_linopy.solve import blocks, solver

INF = np.inf


def solve_one(matrix, share=1.0):
    return solver.solve_matrix(matrix, solver.Settings())


def matrix(a, low, high, cost, lower, upper):
    a = sp.csr_array(np.asarray(a, float))
    a.eliminate_zeros()
    arrays = [np.asarray(x, float) for x in (low, high, cost, lower, upper)]
    return solver.Matrix(a, *arrays, np.zeros(a.shape[1], bool))


def attempt(solve):
    try:
        return solve()
    except SolveError:
        return None


def drawn(random):
    """A small LP with a known feasible point, some bounds missing, most rows equalities."""
    n, m = random.integers(3, 9), random.integers(2, 7)
    a = random.choice([0, 0, 0, 1, -1, 2], (m, n)).astype(float)
    point = random.integers(-3, 4, n).astype(float)
    lower, upper = point - random.integers(0, 4, n), point + random.integers(0, 4, n)
    lower = np.where(random.random(n) < 0.3, -INF, lower)
    upper = np.where(random.random(n) < 0.3, INF, upper)
    middle, exact = a @ point, random.random(m) < 0.7
    low = np.where(
        exact, middle, np.where(random.random(m) < 0.5, middle - random.integers(0, 3, m), -INF)
    )
    high = np.where(exact, middle, np.where(np.isinf(low), middle + random.integers(0, 3, m), INF))
    return matrix(a, low, high, random.integers(-2, 3, n), lower, upper)


def test_bounds_that_imply_each_other():
    """x1 + x2 = 5, x1 + x3 = 7, x2 in [0, 3], x3 in [2, 5]: max x1 = 5.

    Without the bounds of x2 and of x3, each implied by the other through the free x1, it would be
    unbounded."""
    pair = matrix([[1, 1, 0], [1, 0, 1]], [5, 7], [5, 7], [1, 0, 0], [-INF, 0, 2], [INF, 3, 5])
    assert blocks.solve_in_blocks(pair, solve_one).objective == pytest.approx(5.0)


def test_an_idle_limit_is_substituted_and_a_binding_one_is_not():
    """Sales p = c1 + c2, c in [0, 1], paid 1 each: 2 where p may reach 3 (two blocks), 1.5 where p
    ends there (one).
    """
    for limit, value, count in ((3.0, 2.0, 2), (1.5, 1.5, 1)):
        # p - c1 - c2 = 0;  c1 + s1 = 1;  c2 + s2 = 1   (inequality rows keep c1 and c2 in the
        # matrix)
        rows = [[1, -1, -1], [0, 1, 0], [0, 0, 1]]
        lp = matrix(rows, [0, -INF, -INF], [0, 1, 1], [1, 0, 0], [0, 0, 0], [limit, 5, 5])
        lp = solver.Matrix(
            lp.a,
            lp.row_lower,
            lp.row_upper,
            lp.cost,
            lp.lower,
            np.array([limit, 1.0, 1.0]),
            lp.integer,
        )
        found = blocks.solve_in_blocks(lp, solve_one)
        assert found.objective == pytest.approx(value)
        assert found.blocks == count


def test_random_programmes_keep_optimum_bounds_and_duals():
    """Each of 400 small LPs against its solve in one piece; over a hundred of them fall apart."""
    random, apart = np.random.default_rng(1), 0
    for k in range(400):
        lp = drawn(random)
        whole, found = (
            attempt(lambda lp=lp: solve_one(lp)),
            attempt(lambda lp=lp: blocks.solve_in_blocks(lp, solve_one)),
        )
        assert (whole is None) == (found is None), k
        if whole is None:
            continue
        apart += found.blocks > 1
        assert found.objective == pytest.approx(whole.objective, rel=1e-7, abs=1e-7), k
        activity = lp.a @ found.primal
        for value, low, high in (
            (found.primal, lp.lower, lp.upper),
            (activity, lp.row_lower, lp.row_upper),
        ):
            assert (value >= low - 1e-6).all() and (value <= high + 1e-6).all(), k
        # a column that could rise has no gain from rising, one that could fall none from falling
        assert (found.reduced[found.primal < lp.upper - 1e-6] <= 1e-6).all(), k
        assert (found.reduced[found.primal > lp.lower + 1e-6] >= -1e-6).all(), k
    assert apart > 100


def knapsacks(count, integer=True):
    """Independent knapsacks of 200 things and 30 limits: a plan is found at once, the best one not
    in minutes.
    """
    random = np.random.default_rng(0)
    a = sp.block_diag(
        [random.integers(1, 60, (30, 200)).astype(float) for _ in range(count)], format="csr"
    )
    things, value = 200 * count, random.integers(1, 60, 200 * count).astype(float)
    room = np.asarray(a.sum(axis=1)).ravel() // 3
    low, whole = np.full(30 * count, -INF), np.full(things, integer)
    return solver.Matrix(
        sp.csr_array(a), low, room, value, np.zeros(things), np.ones(things), whole
    )


def in_time(matrix, limit):
    """Solve in a limit of seconds; return what was found, if anything, the message if not, and how
    long it took.
    """
    settings = solver.Settings(time_limit=limit).start()
    start = time.monotonic()
    try:
        found, told = blocks.solve_with_highs(matrix, settings), ""
    except SolveError as error:
        found, told = None, str(error)
        assert error.status == "time_limit"
    return found, told, time.monotonic() - start


def test_many_blocks_share_the_time_limit():
    """Four searches that could go on for minutes, in 3 seconds: all of them have a plan, the whole
    says it is not the best."""
    sacks = knapsacks(4)
    found, told, seconds = in_time(sacks, 3.0)
    assert seconds < 4
    assert found is not None, told
    assert found.status == "time_limit"
    assert "4 of 4 parts stopped at a limit (time limit)" in found.note
    assert 0 < found.gap < 1
    assert (sacks.a @ found.primal <= sacks.row_upper + 1e-6).all()
    assert found.objective == pytest.approx(float(sacks.cost @ found.primal))


@pytest.mark.parametrize("limit", [0.05, 0.5])
def test_many_searches_and_a_tiny_limit(limit):
    """40 searches end within a second of the limit; with a tenth of a second for each they would
    take 4 seconds.
    """
    _, told, seconds = in_time(knapsacks(40), limit)
    assert seconds < limit + 1
    assert not told or "of 40 parts were solved" in told


def test_many_vehicles_and_a_tiny_limit():
    """A month of 40 commuters is 1200 blocks: at a limit of 0.2 s there is no plan, within a
    second, in so many words.

    Proves that the limit is that of the whole: with a tenth of a second for each part it would go
    on to the end."""
    whole = solver.matrix_of(v2g.build(v2g.commuters(vehicles=40, days=30)))
    found, told, seconds = in_time(whole, 0.2)
    assert seconds < 1.2
    assert found is None
    assert told.startswith("HiGHS stopped without a plan: time limit; ")
    solved, parts = (int(word) for word in told.split() if word.isdigit())
    assert 0 <= solved < parts > 10


def test_a_search_gets_its_share_and_a_second_try():
    """Of four equal searches the first gets a quarter of the time, the next a third of the rest;
    one that finds no plan is tried again when the others are done. A linear programme may take all
    there is."""
    asked = []

    def solve_part(part, share):
        asked.append(share)
        if len(asked) == 2:
            raise SolveError("no plan yet", status="time_limit")
        return solver.solve_matrix(part, solver.Settings(gap=0.5))

    found = blocks.solve_in_blocks(knapsacks(4), solve_part)
    assert asked == pytest.approx([1 / 4, 1 / 3, 1 / 2, 1, 1])
    assert (found.status, found.blocks) == ("optimal", 4)
    asked.clear()
    with pytest.raises(SolveError, match="no plan yet; 1 of 4 parts were solved"):
        blocks.solve_in_blocks(knapsacks(4, integer=False), solve_part)
    assert asked == [1, 1]
