"""Scenarios drawn from a history, and reduced: seeded, on the local clock, with what binds hours
and series kept.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, vehicle

import v2g_linopy as v2g
from v2g_linopy.study.scenarios import distances, fast_forward, reduced


def priced(
    values: np.ndarray, start: str = "2026-01-05", zone: str = "UTC", **more: np.ndarray
) -> xr.DataTree:
    """A case of a market and sun, hourly."""
    sun = {"roof": {"available": list(more.get("sun", np.ones(len(values))))}}
    return case(None, market(list(values)), renewable=sun, start=start, timezone=zone)


def days(tree: xr.DataTree, part: str, field: str) -> np.ndarray:
    """A field on (scenario, day, hour)."""
    x = tree[part][field].transpose("scenario", "time", ...).to_numpy()
    return x.reshape(len(x), -1, 24)


SHAPE = np.array([40.0 + h for h in range(24)])


def test_whole_days_of_residuals_on_the_profile():
    """Four days, 1, 2, 3 and 6 EUR above one shape: profile is the shape + 3, residuals -2, -1, 0
    and 3, day by day.

    Every day drawn is the shape and one of the four; drawn hour by hour, days would mix.
    """
    history = np.concatenate([SHAPE + level for level in (1, 2, 3, 6)])
    drawn = v2g.scenarios(priced(history), n=40, seed=3, vary=["energy.price"])
    level = days(drawn, "energy", "price") - SHAPE
    assert np.allclose(level, level[:, :, :1])
    assert set(np.round(level[:, :, 0].ravel(), 9)) == {1, 2, 3, 6}
    assert drawn["probability"].to_numpy() == pytest.approx(1 / 40)


def test_series_of_a_day_stay_together():
    """The dear day is the dull one, always: sun and price are drawn from the same day."""
    history = np.concatenate([SHAPE + level for level in (0, 10, 20)])
    sun = np.concatenate([np.full(24, 8.0 - level / 4) for level in (0, 10, 20)])
    drawn = v2g.scenarios(priced(history, sun=sun), n=20, seed=1)
    price, light = days(drawn, "energy", "price"), days(drawn, "renewable", "available")
    assert np.allclose((price - SHAPE) / 4 + light, 8.0)
    assert len(np.unique(light)) == 3


def test_working_days_and_weekends_have_a_profile_each():
    """Two weeks, 60 on working days and 20 at weekends, without noise: so is every scenario of the
    next week.
    """
    time = pd.date_range("2026-01-05", periods=14 * 24, freq="h")
    history = priced(np.where(time.day_of_week >= 5, 20.0, 60.0))
    week = priced(np.zeros(7 * 24), start="2026-01-19")
    drawn = v2g.scenarios(week, n=3, history=history, vary=["energy.price"])
    assert np.allclose(
        days(drawn, "energy", "price"), np.repeat([60.0] * 5 + [20.0] * 2, 24).reshape(7, 24)
    )


def test_the_season_is_kept():
    """July alternates between 5 and 15, every other month between 99 and 101: drawn for a July
    Wednesday, prices are at least 4 (July's residuals) from its profile, 9: those of another month
    would be within 2."""
    time = pd.date_range("2025-01-01", "2025-12-31 23:00", freq="h")
    month, even = time.month, time.day % 2 == 0
    values = np.where(month == 7, np.where(even, 5.0, 15.0), np.where(even, 99.0, 101.0))
    july = priced(np.zeros(24), start="2026-07-08")
    drawn = v2g.scenarios(
        july, n=50, seed=2, history=priced(values, start="2025-01-01"), vary=["energy.price"]
    )
    away = abs(days(drawn, "energy", "price") - 9)
    assert away.min() > 3.9 and away.max() < 8


@pytest.mark.parametrize(("start", "hours"), [("2026-03-28 23:00", 23), ("2026-10-24 22:00", 25)])
def test_days_on_which_the_clock_changes(start, hours):
    """Hours are those of the local clock: noon is noon on a day of 23 or 25 hours, and the repeated
    hour has its value.

    The history has price = local hour, so that every scenario must be the local hour.
    """
    past = pd.date_range("2026-01-04 23:00", periods=4 * 24, freq="h")
    history = priced(
        past.tz_localize("UTC").tz_convert("Europe/Rome").hour.to_numpy() * 1.0, str(past[0])
    )
    history.attrs["timezone"] = "Europe/Rome"
    target = priced(np.zeros(hours), start=start, zone="Europe/Rome")
    drawn = v2g.scenarios(target, n=2, history=history, vary=["energy.price"])
    local = target["time"].to_index().tz_localize("UTC").tz_convert("Europe/Rome")
    assert len(local.normalize().unique()) == 1
    assert np.allclose(drawn["energy"].price.squeeze(), local.hour.to_numpy())


def test_a_history_over_a_clock_change_has_all_hours():
    """A drawn day of 23 hours lends its 1 o'clock to 2 o'clock: nothing is missing."""
    rng = np.random.default_rng(0)
    history = priced(rng.normal(50, 5, 24 * 6 - 1), start="2026-03-26 23:00", zone="Europe/Rome")
    target = priced(np.zeros(48), start="2026-03-01 23:00", zone="Europe/Rome")
    drawn = v2g.scenarios(target, n=30, history=history, vary=["energy.price"])
    assert bool(np.isfinite(drawn["energy"].price).all())


def test_the_same_seed_draws_the_same():
    """Bit by bit; another seed draws others. Sun stays at or above 0, where profile and residual
    would fall below.
    """
    rng = np.random.default_rng(7)
    sun = np.clip(rng.normal(1, 2, 96), 0, None)
    tree = priced(rng.normal(50, 9, 96), sun=sun)
    one, same, other = (v2g.scenarios(tree, n=5, seed=s) for s in (4, 4, 5))
    xr.testing.assert_equal(one["energy"].to_dataset(), same["energy"].to_dataset())
    assert not one["energy"].price.equals(other["energy"].price)
    usual, first = v2g.scenarios(tree, n=2), v2g.scenarios(tree, n=2, seed=0)
    xr.testing.assert_equal(usual["energy"].to_dataset(), first["energy"].to_dataset())
    assert float(one["renewable"].available.min()) == 0.0
    assert "scenario" not in tree.to_dataset().coords


def test_stays_are_drawn_whole():
    """Cars that come at 8 for 2 h and need 4 kWh, or at 14 for 4 h and need 16: each drawn is one
    of the two.

    Arrival, stay and energy of different cars would mix if they were drawn apart: 16 kWh in 2 h is
    out of reach."""
    start = pd.Timestamp("2026-01-05")
    hour, stay, need = np.tile([8, 14], 4), np.tile([2, 4], 4), np.tile([4.0, 16.0], 4)
    arrival = start + pd.to_timedelta(np.repeat(range(4), 2), "D") + pd.to_timedelta(hour, "h")
    sessions = xr.Dataset(
        {
            "arrival": ("session", arrival),
            "departure": ("session", arrival + pd.to_timedelta(stay, "h")),
            "capacity": 40.0,
            "energy_arrival": 10.0,
            "energy_need": ("session", 10.0 + need),
            "charge_max": 5.0,
        },
        coords={"session": range(8)},
    )
    time = pd.date_range(start, periods=96, freq="h", name="time")
    prices = xr.Dataset({"day_ahead": ("time", np.full(96, 30.0))}, coords={"time": time})
    tree = v2g.case_from_sessions(sessions, prices, timezone="UTC")
    drawn = v2g.scenarios(tree, n=6, seed=2, vary=["sessions"])
    fleet = drawn["fleet"].to_dataset()
    assert "sessions" not in drawn.children and float(fleet.unserved_cost) == 10.0
    charged = (fleet.energy_min > 0).sum(["fleet", "time"])
    assert (charged == 8).all()
    for_two, for_four = ((fleet.energy_min == 10 + kwh) for kwh in (4, 16))
    assert set(
        fleet.time.dt.hour.where(for_two.any(["scenario", "fleet"]), drop=True).to_numpy()
    ) == {9}
    assert set(
        fleet.time.dt.hour.where(for_four.any(["scenario", "fleet"]), drop=True).to_numpy()
    ) == {17}
    assert len(set(for_four.sum(["fleet", "time"]).to_numpy())) > 1
    assert v2g.solve(drawn, complementarity="off")["audit"].attrs["passed"] == 1


def test_fast_forward_selection_by_hand():
    """Scenarios 0, 1, 2 and 10 on a line, equally likely. The first kept is 1 or 2, cost (1 + 0 + 1
    + 9) / 4 at 1.

    The second is 10: what is left then is 0 and 2, each 1 from the first. 1 stands for three of
    them, 10 for itself."""
    line = np.array([[0.0], [1.0], [2.0], [10.0]])
    chosen, probability = fast_forward(distances(line), np.full(4, 0.25), 2)
    assert chosen.tolist() == [1, 3]
    assert probability == pytest.approx([0.75, 0.25])


def test_probability_weighs_in_the_selection():
    """The outlier is kept first where it is nearly all the probability: 0.9 x 9 outweighs the
    rest.
    """
    line = np.array([[0.0], [1.0], [10.0]])
    chosen, probability = fast_forward(distances(line), np.array([0.05, 0.05, 0.9]), 1)
    assert chosen.tolist() == [2] and probability == pytest.approx([1.0])


def test_a_long_series_weighs_no_more_than_a_number():
    """A limit of 1, 3 and 2 kW and a day of sun at 0, 0.2 and 1 kW: b and c are nearest, c goes.

    By spread, 0.816 kW and 0.432: a and b are 2.45 and 0.46 apart, a and c 1.22 and 2.31, b and c
    1.22 and 1.85. Hour by hour sun would weigh 24 times as much: then a goes.
    """
    limits, sun = (
        dict(zip("abc", values, strict=True)) for values in ((1.0, 3.0, 2.0), (0.0, 0.2, 1.0))
    )
    shines = {"available": {name: [x] * 24 for name, x in sun.items()}, "cost": 0.0}
    futures = dict.fromkeys("abc", 1 / 3)
    tree = case(None, market(0.0, limit=limits), renewable=shines, scenarios=futures)
    kept = reduced(tree, 2)
    assert list(kept["scenario"].to_numpy()) == ["a", "b"]
    assert kept["probability"].to_numpy() == pytest.approx([1 / 3, 2 / 3])


def test_two_futures_that_are_the_same_are_both_kept():
    """Each keeps its half: none is chosen twice."""
    chosen, probability = fast_forward(np.zeros((2, 2)), np.array([0.5, 0.5]), 2)
    assert chosen.tolist() == [0, 1]
    assert probability.tolist() == [0.5, 0.5]


def test_fast_forward_against_the_definition():
    """Each step takes the scenario that leaves the least distance, checked by trying every one."""
    rng = np.random.default_rng(3)
    points, p = rng.normal(size=(9, 3)), rng.dirichlet(np.ones(9))
    d = np.linalg.norm(points[:, None] - points, axis=2)
    kept: list[int] = []
    for _ in range(4):
        left = [u for u in range(9) if u not in kept]
        kept.append(min(left, key=lambda u: sum(p[j] * min(d[j, [*kept, u]]) for j in range(9))))
    chosen, probability = fast_forward(distances(points), p, 4)
    assert chosen.tolist() == sorted(kept)
    owner = [min(chosen, key=lambda u: d[j, u]) for j in range(9)]
    assert probability == pytest.approx(
        [sum(p[j] for j in range(9) if owner[j] == u) for u in chosen]
    )


def test_reduction_does_not_see_units():
    """Prices in ct/kWh or EUR/MWh, power in kW or W: the same scenarios stay."""
    rng = np.random.default_rng(1)
    tree = v2g.scenarios(priced(rng.normal(50, 9, 96), sun=rng.uniform(0, 5, 96)), n=8)
    scaled = tree.copy()
    scaled["renewable"] = (
        scaled["renewable"].to_dataset().assign(available=tree["renewable"].available * 1000)
    )
    scaled["renewable"].available.attrs["units"] = "W"
    one, other = (list(reduced(t, 3)["scenario"].to_numpy()) for t in (tree, scaled))
    assert one == other
    assert v2g.check(reduced(tree, 3))


def test_reducing_to_all_of_them_changes_nothing():
    """All kept: labels, probabilities and numbers as they were; reduced to one, it has probability
    1.
    """
    tree = v2g.scenarios(
        priced(np.random.default_rng(1).normal(50, 9, 96)), n=4, vary=["energy.price"]
    )
    same = v2g.scenarios(tree, reduce_to=4)
    xr.testing.assert_equal(same["energy"].to_dataset(), tree["energy"].to_dataset())
    assert same["probability"].to_numpy() == pytest.approx(tree["probability"].to_numpy())
    assert v2g.scenarios(tree, reduce_to=1)["probability"].to_numpy() == pytest.approx([1.0])


def test_a_price_that_may_not_fall_below_another_is_raised_to_it():
    """Friday to Monday, what is missing costs 0, 1, 1 and 20 EUR/MWh, what is too much earns
    nothing: a mean of 10 on working days and of 1 at the weekend.

    Friday's residual, -10, drawn for a weekend would be -9: it is raised to 0, which the other
    price is. A weekend day with Monday's residual is 11."""
    short = np.repeat([0.0, 1.0, 1.0, 20.0], 24)
    imbalance = {"price_long": 0.0, "price_short": list(short), "limit": 10.0}
    tree = case(None, market(list(short)), imbalance=imbalance, start="2026-01-09")
    made = v2g.scenarios(tree, n=30, seed=1, vary=["imbalance.price_short"])
    weekend = days(made, "imbalance", "price_short")[:, 1:3]
    assert set(weekend.round(6).ravel()) == {0.0, 1.0, 11.0}
    assert v2g.check(made)


LONG, SHORT = priced(np.arange(96.0)), priced(np.arange(20.0))
DRAWN = v2g.scenarios(LONG, n=3)


@pytest.mark.parametrize(
    ("tree", "options", "words"),
    [
        (LONG, {}, "say how many scenarios to draw"),
        (LONG, {"n": 0}, "draw at least 1"),
        (LONG, {"reduce_to": 2}, "no scenarios; draw some"),
        (LONG, {"n": 3, "reduce_to": 4}, "keep 1 to 3"),
        (LONG, {"n": 3, "reduce_to": 0}, "keep 1 to 3"),
        (DRAWN, {"n": 3}, "has 3 scenarios; only reduce_to"),
        (LONG, {"n": 3, "vary": ["energy.prize"]}, "did you mean energy.price?"),
        (LONG, {"n": 3, "vary": ["sessions"]}, "no /sessions"),
        (LONG, {"n": 3, "vary": []}, "nothing varies"),
        (SHORT, {"n": 3}, "at least 2"),
        (
            LONG,
            {"n": 3, "history": case(vehicle(), market(list(range(96))))},
            "missing in the history",
        ),
        (LONG, {"n": 3, "history": priced(np.where(np.arange(96) == 5, np.nan, 1.0))}, "gaps"),
    ],
    ids=lambda x: "" if isinstance(x, xr.DataTree) else str(x)[:40],
)
def test_what_cannot_be_drawn(tree, options, words):
    """Every wrong wish is a Problem with its remedy."""
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.scenarios(tree, **options)
    assert words in str(caught.value)
