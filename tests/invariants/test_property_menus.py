"""Menus of contracts on drawn types, shares and utilities: the closed form against the linear
program, and what no owner can gain (docs/formulation.md §15: 36).
"""

from collections import Counter
from itertools import product

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants.enumeration import least_payments
from invariants.wanted import Draw
from pytest import approx
from scipy.optimize import linprog

import v2g_linopy as v2g

DRAWN = settings.default.max_examples if settings.default else 10
FEW = max(1, DRAWN // 3)
ENOUGH = 300
"""Examples that `make prove` draws."""
KINDS = ("zero share", "equal types", "capped", "pooled", "excluded", "one type")
UTILITIES = ("log", "sqrt", "cara", "table")


@st.composite
def menus(draw: Draw, least: int = 1) -> dict:
    """Data of a menu: a few types, some alike, some that nobody is of, a utility, a term."""
    number = draw(st.integers(least, 6))
    steps = draw(
        st.lists(st.sampled_from((0.0, 1e-9, 0.05, 0.3, 1.0)), min_size=number, max_size=number)
    )
    weights = draw(st.lists(st.sampled_from((0, 0, 1, 2, 5, 20)), min_size=number, max_size=number))
    weights = np.array(weights if any(weights) else [1] * number, float)
    utility = draw(st.sampled_from(UTILITIES))
    data = {
        "theta": draw(st.sampled_from((0.2, 0.5, 1.0))) + np.cumsum(steps),
        "share": weights / weights.sum(),
        "wear": draw(st.sampled_from((0.005, 0.02, 0.08))),
        "term": draw(st.sampled_from((1.0, 3.0))),
        "power": draw(st.sampled_from((3.7, 11.0))),
        "utility": utility,
    }
    if utility != "table":
        return data | {
            "utility_scale": draw(st.sampled_from((0.05, 0.2, 1.0))),
            "utility_rate": 0.2,
        }
    slopes = np.sort(draw(st.lists(st.sampled_from((0, 0.01, 0.03, 0.1)), min_size=3, max_size=3)))
    energy = np.cumsum([0, *draw(st.lists(st.integers(1, 8), min_size=3, max_size=3))])
    value = np.cumsum([0, *(slopes[::-1] * np.diff(energy))])
    return data | {"table_energy": energy.astype(float), "table_value": value}


def contracts(found: xr.DataTree) -> tuple[np.ndarray, np.ndarray]:
    return tuple(found["contract"][name].to_numpy() for name in ("energy", "payment"))


def assert_nobody_lies(data: dict, found: xr.DataTree) -> None:
    """Rational, incentive-compatible and rising, written out pair by pair (1e-9)."""
    energy, payment = contracts(found)
    ask = data["wear"] / data["theta"]
    for m in range(len(ask)):
        rent = payment[m] - ask[m] * energy[m]
        assert rent >= -1e-9
        for j in range(len(ask)):
            assert rent >= payment[j] - ask[m] * energy[j] - 1e-9
    assert (np.diff(energy) >= -1e-9).all()
    assert (energy >= 0).all() and (energy <= data["power"] * data["term"] + 1e-9).all()


def count(seen: Counter[str], data: dict, found: xr.Dataset) -> None:
    """Remember which kinds were drawn."""
    has = {
        "zero share": (data["share"] == 0).any(),
        "equal types": (np.diff(data["theta"]) < 1e-6).any(),
        "capped": found.capped.any(),
        "pooled": found.pooled.any(),
        "excluded": found.excluded.any(),
        "one type": data["theta"].size == 1,
    }
    seen.update([name for name, there in has.items() if there])
    seen[data["utility"]] += 1


@settings(max_examples=500 if DRAWN >= ENOUGH else DRAWN)
@given(menus())
def test_closed_form_and_program_agree(data):
    """Two ways to one value (1e-6), each with owners who do not lie, below the value of known types
    and below what no menu exceeds.
    """
    exact, linear = v2g.menu(**data), v2g.menu(**data, method="linear")
    for found in (exact, linear):
        assert_nobody_lies(data, found)
        told = found["menu"]
        assert float(told.value) <= float(told.first_best) + 1e-9
        assert float(told.value) <= float(told.bound) + 1e-9
        assert float(told.rationality) >= -1e-9 and float(told.compatibility) >= -1e-9
    if data["theta"].size == 1:  # nothing is hidden
        assert float(exact["menu"].value) == approx(float(exact["menu"].first_best), abs=1e-9)
    assert float(exact["menu"].bound) == approx(float(exact["menu"].value), abs=1e-9)
    assert float(linear["menu"].value) == approx(float(exact["menu"].value), abs=1e-6)


def test_every_kind_is_drawn():
    """Zero shares, equal types, caps, pooling, exclusion and every utility come once in 60 menus
    that are drawn, ten times in 300.
    """
    seen: Counter[str] = Counter()
    many = DRAWN >= ENOUGH

    @settings(max_examples=ENOUGH if many else 60, database=None)
    @given(menus())
    def draw(data):
        count(seen, data, v2g.menu(**data)["menu"].to_dataset())

    draw()
    assert all(seen[name] >= (10 if many else 1) for name in (*KINDS, *UTILITIES)), seen


@given(menus(), st.sampled_from((0.1, 3.0, 40.0)))
def test_money_has_no_unit(data, factor):
    """All money times a factor: the same energies, payments and value times the factor."""
    names = ("wear", "utility_scale", "table_value")
    scaled = data | {name: factor * data[name] for name in names if name in data}
    one, other = v2g.menu(**data), v2g.menu(**scaled)
    energy, payment = contracts(one)
    assert contracts(other)[0] == approx(energy, abs=1e-6)
    assert contracts(other)[1] == approx(factor * payment, rel=1e-6, abs=1e-9)
    assert float(other["menu"].value) == approx(
        factor * float(one["menu"].value), abs=1e-9 * factor
    )


@given(menus(), st.integers(0, 5), st.sampled_from((0.0, 0.3, 0.5, 1.0)))
def test_a_type_may_be_split(data, which, part):
    """A type that is split into two alike changes nothing, not even where one has no owners."""
    place = which % data["theta"].size
    share = np.insert(data["share"], place, part * data["share"][place])
    share[place + 1] *= 1 - part
    split = v2g.menu(
        **data | {"theta": np.insert(data["theta"], place, data["theta"][place]), "share": share}
    )
    whole = v2g.menu(**data)
    assert float(split["menu"].value) == approx(float(whole["menu"].value), abs=1e-9)
    taken = share > 0
    places = np.insert(np.arange(data["theta"].size), place, place)
    assert contracts(split)[0][taken] == approx(contracts(whole)[0][places][taken], abs=1e-6)


@settings(max_examples=FEW)
@given(menus(least=2), st.sampled_from((0.05, 0.2)), st.integers(0, 1000))
def test_robust_menus_are_certified_from_both_sides(data, robust, seed):
    """The value at the worst shares, by a linear program of scipy, is what the menu is said to be
    worth, and no menu is better: some shares leave every menu no more than 1e-6 above.
    """
    found = v2g.menu(**data, robust=robust)
    told, contract = found["menu"], found["contract"]
    assert_nobody_lies(data, found)
    low, high = contract.share_min.to_numpy(), contract.share_max.to_numpy()
    worth = utility(data, contract.energy.to_numpy()) - contract.payment.to_numpy()
    worst = linprog(worth, A_eq=np.ones((1, worth.size)), b_eq=[1], bounds=np.c_[low, high])
    assert float(told.value) == approx(worst.fun, abs=1e-8)
    assert float(told.value) >= float(told.bound) - 1e-6
    drawn = np.random.default_rng(seed).dirichlet(np.ones(worth.size))
    between = data["share"] + 0.5 * robust * (drawn - data["share"])  # inside the intervals
    best = float(v2g.menu(**data | {"share": between})["menu"].value)
    assert best >= float(told.value) - 1e-9


def utility(data: dict, energy: np.ndarray) -> np.ndarray:
    """The utilities, written down once more."""
    scale, rate = data.get("utility_scale", 0), data.get("utility_rate", 0)
    return {
        "log": lambda: scale * np.log(1 + energy),
        "sqrt": lambda: scale * energy**0.5,
        "cara": lambda: scale * (1 - np.exp(-rate * energy)),
        "table": lambda: np.interp(energy, data["table_energy"], data["table_value"]),
    }[data["utility"]]()


@given(
    menus(), st.lists(st.sampled_from((0.5, 1.0, 2.0, 4.0)), min_size=2, max_size=3, unique=True)
)
def test_no_report_pays(data, terms):
    """No type gains by the contract of another type, whether it tells its stay or a shorter one."""
    data = data | {"term": np.sort(terms)}
    found = v2g.menu(**data)
    energy, payment = contracts(found)
    ask = data["wear"] / data["theta"]
    own = payment - ask[:, None] * energy
    for k in range(len(terms)):
        for j in range(k + 1):
            claimed = payment[:, j] - ask[:, None] * energy[:, j]  # own type, then the one told
            assert (own[:, k] >= claimed.max(axis=1) - 1e-9).all()
    assert (found["menu"].class_compatibility >= -1e-9).all()


@settings(max_examples=FEW)
@given(menus(least=2))
def test_a_richer_menu_is_worth_no_less(data):
    """One contract more, or a longer term, never costs the aggregator, and nobody lies for it."""
    values = []
    for offer in range(1, data["theta"].size + 1):
        found = v2g.menu(**data, offer=offer)
        assert_nobody_lies(data, found)
        values.append(float(found["menu"].value))
    longer = v2g.menu(**data | {"term": data["term"] + 2})
    assert (np.diff([*values, float(longer["menu"].value)]) >= -1e-9).all()


STEPS = st.lists(st.sampled_from((0.0, 0.5, 1.0, 3.0)), min_size=3, max_size=3)
GAINS = st.lists(st.sampled_from((0.0, 0.01, 0.05, 0.2)), min_size=3, max_size=3)


@given(menus(least=2), STEPS, GAINS)
def test_menus_of_what_is_called_are_the_best_of_the_table(data, steps, gains):
    """Three types at most and any table of calls and values, concave or not: no choice of its
    points, with the least payments that keep each owner at its own, is worth more, and none lies.
    """
    kept = slice(0, 3)
    share = data["share"][kept]
    share = share / share.sum() if share.sum() else np.full(share.size, 1 / share.size)
    ask = data["wear"] / data["theta"][kept]
    called, value = (np.append(0, np.cumsum(x)) for x in (steps, gains))
    found = v2g.menu(
        theta=data["theta"][kept], share=share, wear=data["wear"], term=1, power=50,
        utility="table", reckons="called", table_energy=np.arange(4.0) * 3,
        table_called=called, table_value=value,
    )  # fmt: skip
    best = max(
        float(share @ (value[list(points)] - payment))
        for points in product(range(4), repeat=share.size)
        if (payment := least_payments(called[list(points)], ask)) is not None
    )
    assert float(found["menu"].value) == approx(best, abs=1e-9)
    assert float(found["menu"].compatibility) >= -1e-9
    assert float(found["menu"].rationality) >= -1e-9


VALUES = st.lists(st.sampled_from((0.0, 0.02, 0.1, 0.4)), min_size=2, max_size=2)


@settings(max_examples=FEW)
@given(st.sampled_from((0.2, 0.5, 0.8)), st.sampled_from((1.0, 1.5, 3.0)), VALUES, VALUES)
def test_classes_that_can_be_pretended_are_designed_together(part, theta, short, long):
    """Two types in two classes, of which the long one can pretend to be the short one: against all
    81 choices of 0, 3 and 6 kWh, with the least payments for which nobody pretends anything.
    """
    energy, ask = np.array([0.0, 3.0, 6.0]), 0.02 / np.array([1.0, theta])
    values = np.array([np.append(0, np.cumsum(np.sort(x)[::-1])) for x in (short, long)])
    share = np.array([part, 1 - part])
    owners = [(m, c) for c in (0, 1) for m in (0, 1)]  # type and class
    best = -np.inf
    for points in product(range(3), repeat=4):
        taken = energy[list(points)]
        payment = ask[[m for m, _ in owners]] * taken
        for _ in range(5):
            for n, (m, c) in enumerate(owners):
                claims = [
                    payment[k] + ask[m] * (taken[n] - taken[k])
                    for k, (_, claimed) in enumerate(owners)
                    if claimed <= c
                ]
                payment[n] = max(payment[n], *claims)
        if (taken[[1, 3]] >= taken[[0, 2]]).all():  # else payments rise without end
            worth = [values[c][points[n]] - payment[n] for n, (_, c) in enumerate(owners)]
            best = max(best, 0.5 * float(np.tile(share, 2) @ worth))
    found = v2g.menu(
        theta=[1.0, theta], share=share, wear=0.02, term=[1, 3], power=11, method="linear",
        utility="table", table_energy=energy, table_value=values.T,
    )["menu"]  # fmt: skip
    assert float(found.mean_value) == approx(best, abs=1e-6)
    assert float(found.bound) >= best - 1e-9
    assert (found.class_compatibility >= -1e-9).all() and (found.rationality >= -1e-9).all()
