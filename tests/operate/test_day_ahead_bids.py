"""Day-ahead bids that are made of earlier days: by hand, one step or two at a time."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.model.gates import gates_of
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.operate.bid_scenarios import Outcome
from v2g_linopy.operate.day_ahead_bids import OF_SCENARIOS, BidRule, day_ahead_bids
from v2g_linopy.parts.catalogue import PARTS


def days(quantity, connected, day_ahead, imbalance, shortage=None) -> Outcome:
    """Scenarios on (day, step); one number holds for all."""
    rows = np.broadcast_arrays(quantity, connected, day_ahead, imbalance, shortage or imbalance)
    return Outcome(*(np.atleast_2d(np.asarray(x, float)) for x in rows))


def bid(kind: str, outcome: Outcome, **options) -> list[float]:
    return OF_SCENARIOS[kind](outcome, BidRule(kind, **options)).tolist()


def test_in_the_mean_of_days_a_position_is_a_bet_on_the_spread():
    """Two days draw 2 and 4 kW, 6 and 10 kW are connected. Day-ahead is 5 dearer than imbalance in
    the mean of the first step, 1 cheaper in the second: sell all that is allowed, then buy.
    """
    two = days(
        [[-2.0, -2.0], [-4.0, -4.0]],
        [[6.0, 6.0], [10.0, 10.0]],
        [[20, 20], [20, 20]],
        [[5, 31], [25, 11]],
    )
    assert bid("saa-backed", two) == [0.0, -3.0]
    assert bid("saa-virtual", two) == [8.0, -8.0]
    assert bid("saa-virtual", two, caps="min") == [6.0, -6.0]
    assert bid("saa-virtual", two, caps="quantile", cap_level=0.75) == [9.0, -9.0]
    assert bid("mean-of-days", two) == [-3.0, -3.0]


def test_a_spread_of_nothing_is_no_reason_to_bet():
    """Day-ahead and imbalance cost the same in the mean: the mean quantity is bid."""
    even = days([[-2.0], [-4.0]], 10.0, 20.0, [[10.0], [30.0]])
    assert bid("saa-virtual", even) == bid("saa-backed", even) == [-3.0]


@pytest.mark.parametrize(("weight", "position"), [(0.0, 8.0), (0.4, 8.0), (0.6, 0.0), (1.0, 0.0)])
def test_the_worst_day_weighs_against_a_bet(weight, position):
    """Selling earns 3 on one day and loses 1 on the other, 1 in the mean. With weight w on the
    worst of the two days a kWh is worth (1 - w) - w: more than nothing up to one half.
    """
    two = days(0.0, 8.0, [[3.0], [3.0]], [[0.0], [4.0]])
    found = bid("cvar-virtual", two, risk_weight=weight, confidence=0.5)
    assert found == pytest.approx([position], abs=1e-6)


def test_the_worst_day_makes_a_bid_hedge():
    """1 kW is drawn on both days, at 10 or at 2. With x bought at 5 the days cost 5x + 10 (1 - x)
    and 5x + 2 (1 - x): as much as each other where all of it is bought, and then the worst day
    costs least.
    """
    two = days(-1.0, 8.0, 5.0, [[10.0], [2.0]])
    for kind in ("cvar-virtual", "cvar-backed"):
        found = bid(kind, two, risk_weight=1.0, confidence=0.5)
        assert found == pytest.approx([-1.0], abs=1e-6), kind


def test_confidence_says_how_many_days_are_the_worst():
    """Selling earns 9 on four days of five and loses 10 on one. Of the worst fifth it loses 10 in
    the mean, of the worst two fifths 0.5, of the worst three fifths it earns 8/3.
    """
    five = days(0.0, 4.0, 9.0, [[0.0], [0.0], [0.0], [0.0], [19.0]])
    for confidence, position in ((0.8, 0.0), (0.6, 0.0), (0.4, 4.0)):
        found = bid("cvar-virtual", five, risk_weight=1.0, confidence=confidence)
        assert found == pytest.approx([position], abs=1e-6), confidence


def test_two_prices_make_a_quantile():
    """Day-ahead costs 20; what is too much earns 10 and what is missing costs 50. A kWh too few
    loses 10, one too many 30: the quantile is 10 / 40. Of four days that draw 1, 2, 3 and 8 kW the
    lowest quarter of the deliveries is -8.
    """
    four = days([[-1.0], [-2.0], [-3.0], [-8.0]], 10.0, 20.0, 10.0, 50.0)
    assert bid("quantile", four) == [-8.0]
    dearer = days([[-1.0], [-2.0], [-3.0], [-8.0]], 10.0, 45.0, 10.0, 50.0)
    assert bid("quantile", dearer) == [-1.0], "35 / 40"
    middle = days([[-1.0], [-2.0], [-3.0], [-8.0]], 10.0, 30.0, 10.0, 50.0)
    assert bid("quantile", middle) == [-3.0], "20 / 40: the smallest with half at or below it"


def test_of_one_price_two_are_made_for_a_quantile():
    """Imbalance at 40 and at 10 beside 20 day-ahead: 15 is paid and 30 charged in the mean, so the
    quantile is (20 - 15) / (30 - 15), a third.
    """
    six = days([[-float(k)] for k in range(6, 0, -1)], 9.0, 20.0, [[40.0], [10.0]] * 3)
    assert bid("quantile", six) == [-5.0]


def test_where_both_prices_are_one_the_mean_quantity_is_as_good_as_any():
    """Imbalance costs 20 both ways, as day-ahead does: no quantity is better, the mean is bid."""
    assert bid("quantile", days([[-1.0], [-2.0], [-6.0]], 9.0, 20.0, 20.0)) == [-3.0]


def house(
    day_ahead, imbalance, drawn, *, zone: str = "UTC", start: str = "2026-03-02"
) -> xr.DataTree:
    """A load with a day-ahead gate at noon, prices by hour; no car comes."""
    time = pd.date_range(start, periods=len(day_ahead), freq="h")
    groups = {
        "load": xr.Dataset({"baseline": (("load", "time"), [drawn])}, {"load": ["house"]}),
        "fleet": xr.Dataset(
            {"charge_max": 0.0, "energy_max": 10.0, "energy_initial": 5.0}, {"fleet": ["ev"]}
        ),
        "energy": xr.Dataset(
            {"price": ("time", day_ahead), "limit": 99.0}, {"market": ["day_ahead"]}
        ),
        "imbalance": xr.Dataset({"price_long": ("time", imbalance), "limit": 99.0}),
        "gates": xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["day_ahead"]}),
    }
    return v2g.assemble(time, groups, timezone=zone)


def test_price_and_quantity_of_a_day_stay_together_and_the_noon_rule_holds():
    """Seven days from Monday on. When the gate for Friday closes on Thursday noon, Wednesday is
    over: of the last two days (Tuesday, Wednesday) day-ahead is 10 cheaper than imbalance. The
    spread of Thursday, 1000 the other way, is not known. The mean of 2 and 3 kW is bought.
    """
    by_day = np.repeat([[20.0], [20], [20], [1000], [20], [20], [20]], 24, axis=1).ravel()
    settled = np.repeat([[0.0], [30], [30], [0], [30], [30], [30]], 24, axis=1).ravel()
    drawn = np.repeat(np.arange(1.0, 8.0), 24)
    tree = house(by_day, settled, drawn)
    result = v2g.simulate(
        tree,
        policy="unmanaged",
        forecast="published",
        bids=v2g.BidRule("saa-backed", days=2),
        hindsight=False,
    )
    position = result["energy"].position.isel(market=0).values.reshape(7, 24)
    expected = result["energy"].expected.values.reshape(7, 24)
    assert position[4].tolist() == [-2.5] * 24
    assert expected[4].tolist() == [-2.5] * 24
    assert position[2].tolist() == [0.0] * 24, "of Wednesday only Monday is known: sell nothing"
    assert expected[2].tolist() == [-1.0] * 24
    assert not position[:2].any(), "nothing is over when these gates close"
    assert result["audit"].attrs["passed"] == 1
    assert "bet on the spread" in result.attrs["bid_note"]
    assert (result.attrs["bids_expected"], result.attrs["bid_days"]) == ("mean-of-days", 2)


def test_a_day_that_was_not_operated_from_its_begin_is_no_scenario():
    """The run begins at noon of Monday, 2 kW are drawn; from Tuesday on 4 kW. For Thursday only
    Tuesday was operated as a whole: 4 kW are bought in each hour, before noon and after.
    """
    drawn = np.repeat([2.0, 4.0, 4.0, 4.0], 24)
    tree = house(np.full(96, 20.0), np.full(96, 30.0), drawn)
    options = {"policy": "unmanaged", "forecast": "published", "hindsight": False}
    result = v2g.simulate(tree, bids="mean-of-days", start="2026-03-02T12:00", **options)
    position = result["energy"].position.isel(market=0).values
    assert position[-24:].tolist() == [-4.0] * 24
    assert not position[:60].any()


def test_a_virtual_position_is_capped_by_what_could_be_drawn_or_fed_in():
    """A load draws 3 kW, and of two cars one can draw 5 and feed in 7, the other draw 4: 14 kW in
    all. Day-ahead is dearer than imbalance on Monday and Tuesday, so that much is sold on Thursday.
    """
    tree = house(np.full(96, 40.0), np.full(96, 30.0), np.full(96, 3.0))
    cars = {
        "charge_max": ("fleet", [5.0, 4.0]),
        "discharge_max": ("fleet", [7.0, 0.0]),
        "energy_max": 10.0,
        "energy_initial": 10.0,
    }
    tree["fleet"] = xr.DataTree(xr.Dataset(cars, {"fleet": ["two-way", "one-way"]}))
    options = {"policy": "unmanaged", "forecast": "published", "hindsight": False}
    result = v2g.simulate(tree, bids="saa-virtual", **options)
    position = result["energy"].position.isel(market=0).values
    assert position[-24:] == pytest.approx([14.0] * 24)


def test_clocks_that_skip_an_hour_and_show_one_twice():
    """Two Sundays and Saturdays around the change of 25 October 2026 in Rome, 1 kW in each hour of
    the day before, 25 in all on the day itself: each hour of the Saturday after is the mean of what
    that clock time drew, the hour that came twice as the mean of both.
    """
    time = pd.date_range("2026-10-23 22:00", "2026-11-01 22:00", freq="h")
    local = time.tz_localize("UTC").tz_convert("Europe/Rome")
    drawn = np.where(local.day == 24, 1.0, 3.0)
    twice = (local.day == 25) & (local.hour == 2)
    drawn[twice] = [5.0, 9.0]
    flat = np.full(len(time), 20.0)
    tree = house(flat, flat, drawn, zone="Europe/Rome", start=str(time[0]))
    truth = inputs_of(tree, PARTS)
    found = day_ahead_bids(
        BidRule("mean-of-days"), -drawn, drawn, range(len(time)), truth, gates_of(tree, truth)
    )
    saturday = local.day == 31
    bought = -found.position[saturday]
    assert bought[2] == pytest.approx((1 + (5 + 9) / 2) / 2)
    assert np.allclose(np.delete(bought, 2), 2.0)


def test_dual_settlement_by_hand():
    """6 kW are drawn in each hour of ten days, and as much is bid once a day of the class is known.
    Day-ahead costs 20 and imbalance 50 on even, 5 on odd days. On the first two days of each class
    nothing is bid: with two prices 50 and 20 (not 5) are paid for 144 kWh each.
    """
    drawn = np.full(240, 6.0)
    settled = np.repeat(np.resize([50.0, 5.0], 10), 24)
    tree = house(np.full(240, 20.0), settled, drawn)
    options = {"policy": "unmanaged", "forecast": "published", "hindsight": False}
    rule = v2g.BidRule("mean-of-days", days=5)
    dual = v2g.simulate(tree, bids=rule, settlement="dual", **options)
    # Monday, Tuesday; then the weekend, of which no day is known: Saturday 5 and Sunday 50
    one, both = 0.144 * (50 + 5), 0.144 * (50 + 20)
    rest = 6 * 0.144 * 20
    assert dual.attrs["profit"] == pytest.approx(-(2 * both + rest))
    given = v2g.simulate(tree, bids=rule, **options)
    assert given.attrs["profit"] == pytest.approx(-(2 * one + rest))
    assert dual["imbalance"].price_long.max() == pytest.approx(0.02)
    assert (given.attrs["settlement"], dual.attrs["settlement"]) == ("given", "dual")


def test_what_a_bid_cannot_be_is_listed():
    """Words and ranges at once; a bet on one spread has no meaning with two prices."""
    tree = house(np.full(48, 20.0), np.full(48, 30.0), np.ones(48))
    options = {"policy": "unmanaged", "forecast": "published", "hindsight": False}
    wrong = v2g.BidRule(
        "saa-virtual", caps="max", days=0, risk_weight=2, confidence=1, cap_level=-1, expects="all"
    )
    with pytest.raises(v2g.SchemaError) as raised:
        v2g.simulate(tree, bids=wrong, settlement="both", history=-1, **options)
    assert [p.where for p in raised.value.problems] == [
        *("settlement", "caps", "expects", "days", "cap_level", "risk_weight", "confidence"),
        "history",
    ]
    two = v2g.with_dual_prices(tree)
    with pytest.raises(v2g.SchemaError, match="made for one imbalance price"):
        v2g.simulate(two, bids="cvar-backed", **options)
    with pytest.raises(v2g.SchemaError, match="which has 1"):
        v2g.simulate(tree, start="2026-03-03", history=2, **options)
    for name, value in (("settlement", "dual"), ("history", 1.0)):
        with pytest.raises(v2g.SchemaError, match="a model"):
            v2g.simulate(tree, **{name: value})
    del two["imbalance"]
    with pytest.raises(v2g.SchemaError, match="two prices are made of one"):
        v2g.with_dual_prices(two)
    with pytest.raises(v2g.SchemaError, match="not among: day_ahead"):
        v2g.with_dual_prices(tree, market="auction")


def test_a_result_is_bid_anew_without_what_it_expected():
    """The result of a bet is a case again: operated with another bid nothing of it is left."""
    drawn = np.ones(24 * 9)
    tree = house(np.full(24 * 9, 20.0), np.full(24 * 9, 30.0), drawn)
    options = {"policy": "unmanaged", "forecast": "published", "hindsight": False}
    bet = v2g.simulate(tree, bids="saa-virtual", **options)
    assert "expected" in bet["energy"]
    again = v2g.simulate(bet, bids="week-ago", **options)
    assert "expected" not in again["energy"]
