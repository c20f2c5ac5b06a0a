"""What the objective does when money changes (docs/formulation.md §15: 3, 4, 6, 8, 9)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from invariants import physics
from invariants.changes import at_least, close, edit, every, group, money, objective, plan
from invariants.strategies import cases
from invariants.wanted import CENTS, Wanted, few

SHIFTS = st.lists(st.integers(-6, 6), min_size=8, max_size=8)


@few(5)
@given(case=cases(), k=st.sampled_from((0.25, 4.0)))
def test_scaling_every_euro_scales_the_objective(case, k):
    """3: k times every euro coefficient, k > 0, is k times the objective; penalties are euros too,
    all given.
    """
    scaled = every(case, lambda name, array: array * k if money(name) else array)
    assert close(objective(scaled), k * objective(case))


@few(4)
@given(case=cases(), shifts=SHIFTS)
def test_the_objective_is_convex_in_prices(case, shifts):
    """4: half way between two prices the objective is at most half way between theirs; volumes stay
    as they are.
    """
    moved = np.array(shifts[: case.sizes["time"]]) * CENTS

    def at(share: float):
        prices = {
            "price": share,
            "capacity_price": -share,
            "activation_price_up": share,
            "retail_price": share / 1000,
        }
        return every(
            case, lambda name, array: array + prices[name] * moved if name in prices else array
        )

    assert at_least((objective(at(0.0)) + objective(at(1.0))) / 2, objective(at(0.5)))


@few(5)
@given(case=cases(), more=st.sampled_from((1 / 16, 1.0)))
def test_more_wear_never_pays(case, more):
    """6: higher wear, in either direction, never raises the objective."""
    worn = every(
        case, lambda name, array: array + more if name in ("wear", "wear_charge") else array
    )
    assert at_least(objective(case), objective(worn))


NO_MARGIN = Wanted(simple_market=True, reserve=True, activation_prices=False, scenarios=False)


@few(5)
@given(case=cases(NO_MARGIN))
def test_a_reserve_that_pays_nothing_brings_nothing(case):
    """8: no capacity price, activation at the price of the only market: no benefit.

    Holds with one open market without a spread, a binding limit, a block or a closed gate; without
    scenarios, in which a volume decided later would loosen a position decided before; and on the
    relaxation, because where activation is expected both ways a battery may charge and discharge in
    one step, which alone can pay."""
    free = edit(
        case,
        reserve=group(case, "reserve").assign(
            capacity_price=0 * group(case, "reserve").capacity_price
        ),
    )
    without = edit(case, reserve=None)
    assert close(objective(free, complementarity="off"), objective(without, complementarity="off"))


@few(4)
@given(case=cases(Wanted(reserve=True)), steps=st.sampled_from(((0, 1, 3), (2, 3, 8))))
def test_more_capacity_is_sold_at_a_higher_price(case, steps):
    """9: in one uniform capacity price the objective is convex, what is sold is its slope, and does
    not fall.
    """
    best, sold = [], []
    for k in steps:
        reserve = group(case, "reserve")
        first = (reserve["product"] == reserve["product"][0]).astype(float)
        dearer = reserve.assign(capacity_price=reserve.capacity_price + k * CENTS * first)
        result = plan(edit(case, reserve=dearer))
        p = physics.Plan(result)
        best.append(result.attrs["objective"])
        sold.append(
            physics.expected(
                p.reserve("volume")[:, :1] * p.dt + np.zeros((len(p.weight), 1, 1)), p.weight
            )
        )
    prices = np.array(steps) * CENTS / 1000
    for i in (0, 1):
        rise = prices[i + 1] - prices[i]
        assert at_least(best[i + 1], best[i] + sold[i] * rise)
        assert at_least(best[i] + sold[i + 1] * rise, best[i + 1])
        assert at_least(sold[i + 1], sold[i] - 1e-6)
