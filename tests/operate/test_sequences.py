"""Markets in sequence by hand: imbalance, positions traded on, gates that close, what was known
when.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, row, storage, vehicle
from pytest import approx
from tampering import audit_of_tampered

import v2g_linopy as v2g
from v2g_linopy.model import gates as gating
from v2g_linopy.model import inputs as checking
from v2g_linopy.operate.forecasts import Naive

NAN = float("nan")


def settled(**fields: object) -> dict[str, object]:
    """Imbalance prices, ample unless `limit` is given."""
    return {"limit": 100.0} | fields


# ---- imbalance -----------------------------------------------------------------------------------


def test_single_price_settles_what_is_missing(pipeline):
    """10 kW were sold at 50 EUR/MWh for two hours, 6 kW shine: 4 kW are missing, at 80 and at 20
    EUR/MWh.

    2 x 0.50 - 4 x (0.08 + 0.02) = 0.60 EUR. Proves the sign of a shortfall; taken as a surplus it
    would be 1.40."""
    sun = {"available": [6.0, 6]}
    sold = market([50, 50], closed=1, committed=10)
    result = pipeline(case(None, sold, renewable=sun, imbalance=settled(price_long=[80, 20])))
    assert result.attrs["profit"] == approx(0.60)
    assert row(result, "imbalance.short") == [4, 4]
    assert row(result, "imbalance.long") == [0, 0]


def test_single_price_settles_what_is_too_much(pipeline):
    """4 kW were sold at 50, 6 kW shine: 2 kW too much at 80 EUR/MWh; at -20 being short of 4 kW
    earns.

    0.40 + 0.16 + 0.08 = 0.64 EUR. Proves that a negative imbalance price is avoided, not paid: else
    0.52."""
    sun = {"available": [6.0, 6]}
    sold = market([50, 50], closed=1, committed=4)
    result = pipeline(case(None, sold, renewable=sun, imbalance=settled(price_long=[80, -20])))
    assert result.attrs["profit"] == approx(0.64)
    assert (row(result, "imbalance.long"), row(result, "imbalance.short")) == ([2, 0], [0, 4])


def test_dual_price_settles_each_way_at_its_own(pipeline):
    """4 kW were sold at 50; 6 kW shine, then 1: 2 kW too much at 30, 3 kW missing at 90 EUR/MWh.

    0.40 + 0.06 - 0.27 = 0.19 EUR. Proves two prices: with 30 for both 0.37, with 90 for both 0.31.
    """
    sun = {"available": [6.0, 1]}
    sold = market([50, 50], closed=1, committed=4)
    result = pipeline(
        case(None, sold, renewable=sun, imbalance=settled(price_long=[30, 30], price_short=90))
    )
    assert result.attrs["profit"] == approx(0.19)
    assert (row(result, "imbalance.long"), row(result, "imbalance.short")) == ([2, 0], [0, 3])


def test_a_battery_serves_the_position_or_the_imbalance(pipeline):
    """5 kWh stored, 10 kW sold at 50: delivered where a shortfall costs 90, not where it costs 20.

    1.00 - 5 x 0.09 - 10 x 0.02 = 0.35 EUR. Proves that settlement is part of the plan; the other
    way round 0.00."""
    box = storage(energy_initial=5.0, charge_max=0.0)
    sold = market([50, 50], closed=1, committed=10)
    result = pipeline(
        case(None, sold, battery=box, imbalance=settled(price_long=0, price_short=[90, 20]))
    )
    assert result.attrs["profit"] == approx(0.35)
    assert row(result, "imbalance.short") == [5, 10]


def test_the_limit_of_imbalance_binds(pipeline):
    """6 kW shine, nothing is sold, 80 EUR/MWh are paid for imbalance of at most 2 kW: 0.16 EUR.

    Proves the limit: without it 0.48.
    """
    closed = market([50], closed=1)
    result = pipeline(
        case(
            None,
            closed,
            renewable={"available": [6.0]},
            imbalance=settled(price_long=[80], limit=2.0),
        )
    )
    assert result.attrs["profit"] == approx(0.16)
    assert row(result, "imbalance.long") == [2]


def test_more_than_the_limit_missing_has_no_plan():
    """10 kW sold, 6 kW shine, 2 kW may be missing: the position cannot be met."""
    sold = market([50], closed=1, committed=10)
    short = case(
        None, sold, renewable={"available": [6.0]}, imbalance=settled(price_long=[80], limit=2.0)
    )
    with pytest.raises(v2g.Infeasible):
        v2g.solve(short)


def test_a_plan_does_not_live_on_the_imbalance(pipeline):
    """Day-ahead at 50, imbalance at 80 EUR/MWh, 6 kW shine: they are sold day-ahead, 0.30 EUR.

    Proves that no imbalance is planned while a market is open: left to it, they would bring 0.48,
    and 100 kW bought at 50 3 EUR more."""
    result = pipeline(
        case(None, market([50]), renewable={"available": [6.0]}, imbalance=settled(price_long=[80]))
    )
    assert result.attrs["profit"] == approx(0.30)
    assert row(result, "energy.position") == [6]


@pytest.fixture(scope="module")
def honest() -> xr.DataTree:
    """4 kW sold day-ahead, traded on within the day, both gates closed; sun of 9, then 0.5 kW, and
    a battery: too much, then missing.
    """
    markets = {
        "day_ahead": market([50, 50], closed=1, committed=4, turnover=8, spread=2),
        "intraday": market([60, 40], closed=1, spread=4, committed=1, turnover=3),
    }
    prices = settled(price_long=[55, 5], price_short=[90, 90], limit=20.0)
    return v2g.solve(
        case(
            None,
            markets,
            battery=storage(energy_max=2),
            renewable={"available": [9.0, 0.5]},
            imbalance=prices,
        )
    )


def test_never_long_and_short(honest):
    """Long and short exclude each other in every step (invariant 23), and both occur."""
    long, short = row(honest, "imbalance.long"), row(honest, "imbalance.short")
    assert [a * b for a, b in zip(long, short, strict=True)] == [0, 0]
    assert long[0] > 0.1 and short[1] > 0.1


TAMPERED = {
    "a surplus that nobody delivers": ("imbalance.long", 0.5, "node.electricity"),
    "a shortfall forgotten": ("imbalance.short", -0.1, "node.electricity"),
    "a surplus below zero": ("imbalance.long", -0.5, "imbalance.sign"),
    "a shortfall below zero": ("imbalance.short", -30.0, "imbalance.sign"),
    "long and short at once": ("imbalance.long", 0.5, "imbalance.both"),
    "beyond the limit": ("imbalance.short", 30.0, "imbalance.limit"),
    "a surplus beyond the limit": ("imbalance.long", 30.0, "imbalance.limit"),
    "settled at another price": ("imbalance.price_short", 5.0, "imbalance.settlement"),
    "settlement unpaid": ("ledger.imbalance.settlement", 0.01, "imbalance.settlement"),
    "a sale of before forgotten": ("energy.committed", -0.5, "energy.split"),
    "turnover forgotten": ("energy.turnover", -1.0, "energy.spread"),
}


@pytest.mark.parametrize(("name", "change", "check"), TAMPERED.values(), ids=TAMPERED)
def test_a_false_settlement_is_found(honest, name, change, check):
    """The last number of one array is changed: the audit does not pass, and the expected check sees
    it.
    """
    checks = audit_of_tampered(honest, name, change)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 1e-6


def test_single_prices_are_netted():
    """Both ways at one price cancel: whatever the solver says, 3 kW are missing and none too
    much.
    """
    d = xr.Dataset({"long": ("time", [2.0, 5.0]), "short": ("time", [5.0, 2.0])})
    netted = v2g.PARTS["imbalance"].postprocess(None, d)
    assert netted["long"].to_numpy().tolist() == [0, 3]
    assert netted["short"].to_numpy().tolist() == [3, 0]


# ---- positions traded on -------------------------------------------------------------------------


def test_an_open_position_is_traded_on(pipeline):
    """4 kW were sold, the gate is still open, 6 kW shine: 2 kW more at 50, with a spread of 10 on
    all 6.

    0.30 - 6 x 0.005 = 0.27 EUR. Proves that what is committed counts while a gate is open: on top
    of a whole new position it would be 10 kW.
    """
    sold = market([50], committed=4, spread=10)
    result = pipeline(case(None, sold, renewable={"available": [6.0]}))
    assert result.attrs["profit"] == approx(0.27)
    assert (row(result, "energy.position"), row(result, "energy.sold")) == ([6], [2])


def test_trading_back_pays_the_spread_again(pipeline):
    """6 kW were sold and 1 kW shines: 5 kW are bought back at 50, the spread of 10 is paid on 6 and
    on 5 kW.

    0.05 - 11 x 0.005 = -0.005 EUR. Proves that every increment pays: on the position alone it would
    be 0.045."""
    sold = market([50], committed=6, spread=10)
    result = pipeline(case(None, sold, renewable={"available": [1.0]}))
    assert result.attrs["profit"] == approx(-0.005)
    assert row(result, "energy.bought") == [5]


def test_turnover_of_before_pays(pipeline):
    """10 kW sold, 4 bought back, 6 committed, all of which shine: the spread of 10 is paid on 14
    kW.

    0.30 - 14 x 0.005 = 0.23 EUR. Proves that turnover is billed; on the position alone 0.27.
    """
    sold = market([50], committed=6, turnover=14, spread=10)
    result = pipeline(case(None, sold, renewable={"available": [6.0]}))
    assert result.attrs["profit"] == approx(0.23)


def test_a_position_beyond_the_plan_is_allowed_by_data(pipeline):
    """Day-ahead at 50, intraday at 80, nothing to deliver, 3 kW allowed beyond the plan: 3 kW of
    paper, 0.09 EUR.

    Proves the number: 0 without it.
    """
    gates = {n: market([p], unbacked=3.0) for n, p in (("day_ahead", 50), ("intraday", 80))}
    result = pipeline(case(None, gates, renewable={"available": [0.0]}))
    assert result.attrs["profit"] == approx(0.09)
    assert row(result, "energy.position") == [-3, 3]


def test_what_was_sold_stays_backed_while_nothing_is_new(pipeline):
    """6 kW were sold at 50 of 6 that shine; two auctions within the day are at 40 and 45 EUR/MWh.

    As nothing has changed since, the sale stays backed: 0.30 EUR. Where it may be revised, all 6
    are bought back at 40 and sold at 45, 0.30 - 0.24 + 0.27 = 0.33. Proves the flag."""
    gates = {
        "day_ahead": market([50], closed=1, committed=6),
        "first": market([40]),
        "second": market([45]),
    }

    def profit(revisable: float) -> float:
        free = {n: g | {"revisable": revisable} for n, g in gates.items()}
        result = pipeline(case(None, free, renewable={"available": [6.0]}))
        return float(result.attrs["profit"])

    assert profit(0.0) == approx(0.30)
    assert profit(1.0) == approx(0.33)


# ---- a run ---------------------------------------------------------------------------------------

TWO_GATES = xr.Dataset(
    {"hour": ("gate", [12.0, NAN]), "lead": ("gate", [NAN, 1.0])},
    coords={"gate": ["day_ahead", "intraday"]},
)


def operated(
    tree: xr.DataTree, gates: xr.Dataset = TWO_GATES, **known: xr.DataArray
) -> xr.DataTree:
    """Add gates and forecasts to a case; `energy__price=` stands for `energy.price`."""
    tree["gates"] = xr.DataTree(gates)
    if known:
        tree["vintage"] = xr.DataTree(
            xr.Dataset({name.replace("__", "."): x for name, x in known.items()})
        )
    return tree


def forecasts(tree: xr.DataTree, **known: list[float]) -> xr.DataArray:
    """Numbers for every step, or NaN, by the hour (UTC) at which they were known: `forecasts(tree,
    d04T11=[...])`.
    """
    stamps = [pd.Timestamp(f"2026-01-{at[1:]}:00") for at in known]
    axes = {"vintage": stamps, "time": tree.indexes["time"]}
    return xr.DataArray(list(known.values()), coords=axes, dims=list(axes))


def test_day_ahead_on_the_forecast_the_rest_within_the_day():
    """8 kW are forecast at noon of the day before and sold day-ahead at 50; at midnight it is 5
    from 01:00 on, at 02:00 it is 6 for 04:00.

    Intraday costs 60 + 1: at midnight 3 kW are bought for four hours, at 02:00 one is sold again at
    60 - 1. By hand 5 x 8 x 0.05 - 4 x 3 x 0.061 + 0.059 = 1.327 EUR. With hindsight all of the 29
    kWh are sold within the day, 1.711, and as the run stood 3, 3, 3 and 2 kW beyond its plan, so
    many are bought day-ahead and sold at 59: 0.099 more. Proves gates, forecasts, increments and
    settlement in one."""
    markets = {"day_ahead": market([50.0] * 5), "intraday": market([60.0] * 5, spread=2.0)}
    sun = {"available": [8.0, 5, 5, 5, 6]}
    tree = case(
        None, markets, renewable=sun, imbalance=settled(price_long=[0.0] * 5, price_short=500.0)
    )
    known = forecasts(
        tree, d04T11=[8.0] * 5, d05T00=[8.0, 5, 5, 5, 5], d05T02=[NAN, NAN, NAN, NAN, 6]
    )
    price = [
        forecasts(tree, d04T11=[50.0] * 5, d05T00=[x] * 5) for x in (50.0, 60.0)
    ]  # intraday is expected at 50, too
    both = xr.concat(price, pd.Index(["day_ahead", "intraday"], name="market"))
    result = v2g.simulate(operated(tree, renewable__available=known, energy__price=both))
    assert row(result, "energy.position", market="day_ahead") == [8, 8, 8, 8, 8]
    assert row(result, "energy.position", market="intraday") == [0, -3, -3, -3, -2]
    assert row(result, "energy.turnover", market="intraday") == [0, 3, 3, 3, 4]
    assert result.attrs["profit"] == approx(1.327)
    assert result.attrs["objective_hindsight"] == approx(1.711 + 0.099)
    assert result.attrs["regret"] == approx(0.483)


def test_what_is_sold_may_wait_for_the_gate_that_buys_it_back():
    """As above, but intraday is an auction an hour before each delivery: what is missing from 8 kW
    is bought there.

    5 x 8 x 0.05 - (3 x 3 + 2) x 0.061 = 1.329 EUR. Proves that a plan need not back what was sold
    before the market trades that can buy it back: without storage it could not."""
    markets = {"day_ahead": market([50.0] * 5), "intraday": market([60.0] * 5, spread=2.0)}
    sun = {"available": [8.0, 5, 5, 5, 6]}
    tree = case(
        None, markets, renewable=sun, imbalance=settled(price_long=[0.0] * 5, price_short=500.0)
    )
    known = forecasts(
        tree, d04T11=[8.0] * 5, d05T00=[8.0, 5, 5, 5, 5], d05T02=[NAN, NAN, NAN, NAN, 6]
    )
    auctions = TWO_GATES.assign(rolling=("gate", [0.0, 0.0]))
    price = [forecasts(tree, d04T11=[50.0] * 5, d05T00=[x] * 5) for x in (50.0, 60.0)]
    both = xr.concat(price, pd.Index(["day_ahead", "intraday"], name="market"))
    result = v2g.simulate(operated(tree, auctions, renewable__available=known, energy__price=both))
    assert row(result, "energy.position", market="intraday") == [0, -3, -3, -3, -2]
    assert result.attrs["profit"] == approx(1.329)


def test_what_comes_after_the_last_gate_is_imbalance():
    """5 kW are forecast and sold at 50; 4 and 6 shine, known an hour too late: 1 kW missing at 90,
    1 too much at 20.

    0.50 - 0.09 + 0.02 = 0.43 EUR. Proves that nothing is traded after its gate: known in time it
    would be 0.50."""
    tree = case(
        None,
        market([50.0] * 2),
        renewable={"available": [4.0, 6]},
        imbalance=settled(price_long=[20.0] * 2, price_short=90.0),
    )
    gates = xr.Dataset({"hour": ("gate", [12.0])}, coords={"gate": ["day_ahead"]})
    result = v2g.simulate(
        operated(tree, gates, renewable__available=forecasts(tree, d04T11=[5.0, 5]))
    )
    assert row(result, "energy.position") == [5, 5]
    assert (row(result, "imbalance.short"), row(result, "imbalance.long")) == ([1, 0], [0, 1])
    assert result.attrs["profit"] == approx(0.43)


@pytest.mark.parametrize("days", ["2026-03-28 23:00", "2026-10-24 22:00"])
def test_gates_follow_the_local_clock(days):
    """The gate of a day in Rome closes at noon of the day before in Rome, also where the clock is
    set in between.

    Proves the time zone and the clock: for 29 March it is 11:00 UTC, for the 30th 10:00. A lead
    of an hour counts from the block of an hour, not from the quarter.
    """
    time = pd.date_range(days, periods=4 * 30, freq="15min")
    flat = [50.0] * len(time)
    markets = {"day_ahead": market(flat, block=1.0), "intraday": market(flat, block=1.0)}
    tree = case(None, markets, battery=storage(), start=days, step="15min", timezone="Europe/Rome")
    inputs = checking.inputs_of(tree, v2g.PARTS)
    close = gating.gates_of(operated(tree), inputs).close["energy"]
    local = time.tz_localize("UTC").tz_convert("Europe/Rome")
    noon = [
        pd.Timestamp(f"{d - pd.Timedelta(days=1):%Y-%m-%d} 12:00", tz="Europe/Rome")
        for d in local.tz_localize(None)
    ]
    assert list(pd.DatetimeIndex(close.sel(market="day_ahead"))) == [
        t.tz_convert(None) for t in noon
    ]
    assert list(pd.DatetimeIndex(close.sel(market="intraday"))) == list(
        time.floor("h") - pd.Timedelta(hours=1)
    )


# ---- what is known between two decisions ---------------------------------------------------------

JUST_BEFORE = xr.Dataset({"lead": ("gate", [0.0])}, coords={"gate": ["intraday"]})


def test_a_price_is_known_once_its_hour_is_over():
    """At midnight 10 and 50 are forecast, 100 and 20 come: 10 kWh are kept for one o'clock, 0.20
    EUR.

    Proves that the price of the hour that is decided is a forecast still: else 1.00.
    """
    tree = case(
        None,
        {"intraday": market([100.0, 20.0])},
        battery=storage(energy_initial=10.0, charge_max=0.0),
        imbalance=settled(price_long=[0.0, 0.0], price_short=500.0),
    )
    known = forecasts(tree, d04T23=[10.0, 50.0]).expand_dims(market=["intraday"])
    result = v2g.simulate(operated(tree, JUST_BEFORE, energy__price=known))
    assert row(result, "battery.discharge") == [0, 10]
    assert result.attrs["profit"] == approx(0.20)


def test_sun_is_measured_until_the_next_decision():
    """No sun is forecast and 5 kW come in both hours: each is sold in its hour, 0.25 EUR.

    Proves that what flows is known between two decisions: were it known at them only, it would be
    left to the imbalance, which pays nothing.
    """
    tree = case(
        None,
        {"intraday": market([50.0, 50.0])},
        renewable={"available": [5.0, 5.0]},
        imbalance=settled(price_long=[0.0, 0.0], price_short=500.0),
    )
    known = forecasts(tree, d04T23=[0.0, 0.0])
    result = v2g.simulate(operated(tree, JUST_BEFORE, renewable__available=known))
    assert row(result, "energy.position") == [5, 5]
    assert row(result, "imbalance.long") == [0, 0]


def test_a_car_that_comes_at_the_next_decision_is_not_known():
    """A car comes at noon with 3 kWh, and nobody came the day before. A plan at eleven does not
    know of it if the next is made at noon, which will; one that holds until one o'clock does.
    """
    hours = 48
    here = np.arange(hours) >= 36
    car = vehicle(
        charge_max=[10.0 * x for x in here],
        keep=[float(x) for x in np.arange(hours) > 36],
        energy_in=[3.0 * x for x in np.arange(hours) == 36],
    )
    truth = checking.inputs_of(case(car, market([50.0] * hours)), v2g.PARTS)
    naive = Naive(truth)
    now = truth.calendar.time[35]
    for later, seen in ((36, 0.0), (37, 10.0)):
        found = naive.at(now, truth.calendar.time[later], 24, 48)
        assert float(found["fleet", "charge_max"].sel(fleet="ev").max()) == seen
        assert float(found["fleet", "energy_in"].sel(fleet="ev").max()) == 0.3 * seen


def test_a_departure_is_paid_once():
    """A car that comes every day at noon needs 2 kWh by two o'clock and pays 0.30 EUR for each; the
    third of three days is planned every hour on the visits of the day before: 0.60 EUR.

    Proves that windows that see the same departure do not add up, and that a visit that is
    expected has the bill of its own: a copy of the true one would be paid beside it.
    """
    hours = np.arange(72)
    here, last = np.isin(hours % 24, [12, 13]), hours % 24 == 13
    car = vehicle(
        charge_max=10.0 * here,
        keep=1.0 * last,
        energy_min=2.0 * last,
        need_billed=2.0 * last,
        retail_price=0.3,
    )
    price = 50.0 + hours % 7
    tree = case(car, market(price), imbalance=settled(price_long=price - 5, price_short=price + 5))
    run = v2g.simulate(
        tree, forecast="naive", start="2026-01-07", every=1.0, ahead=24.0, hindsight=False
    )
    assert float(run["ledger"]["fleet.drivers"].sum()) == approx(0.60)
    assert float((run["fleet"].charge).sum()) == approx(2.0)
    truth = checking.inputs_of(tree, v2g.PARTS)
    naive, expected = Naive(truth), {"fleet": "expected ev"}
    assert float(naive.planned(truth).data["fleet"].need_billed.sel(expected).sum()) == 0
    seen = naive.at(truth.calendar.time[48], truth.calendar.time[49], 48, 72)
    assert float(seen["fleet", "need_billed"].sel(expected).sum()) == 2


def test_a_forecast_may_leave_the_past_out():
    """Forecasts that say nothing of hours gone by give the same run as those that repeat them."""
    markets = {"day_ahead": market([50.0] * 4), "intraday": market([40.0, 60, 45, 70], spread=2.0)}
    prices = settled(price_long=[20.0] * 4, price_short=90.0)
    tree = case(
        None, markets, battery=storage(), renewable={"available": [5.0, 5, 5, 6]}, imbalance=prices
    )
    price = tree["energy"].price.drop_attrs().transpose("market", "time")
    known = pd.Index(pd.to_datetime(["2026-01-04 11:00", "2026-01-05 02:00"]), name="vintage")
    whole = xr.concat([price - 3, price], known)
    gappy = whole.where(
        (whole.time >= np.datetime64("2026-01-05 02:00")) | (whole.vintage == known[0])
    )
    lost = gappy.where(
        (whole.time >= np.datetime64("2026-01-05 02:00")) | (whole.vintage != known[0])
    )
    first = v2g.simulate(operated(tree.copy(), energy__price=whole), hindsight=False)
    second = v2g.simulate(operated(tree.copy(), energy__price=gappy), hindsight=False)
    xr.testing.assert_equal(first["energy"].position, second["energy"].position)
    late = v2g.simulate(
        operated(tree.copy(), energy__price=lost), start="2026-01-05 02:00", hindsight=False
    )
    assert late["audit"].attrs["passed"]


# ---- the bill of a run ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run() -> xr.DataTree:
    """A day of sun, battery and load in half hours, forecast with errors, through three ways to
    trade.
    """
    rng = np.random.default_rng(3)
    steps = 48
    hour = np.arange(steps) / 2
    sun = np.clip(40 * np.sin(np.pi * (hour - 6) / 12), 0, None)
    price = 60 + 25 * np.sin(2 * np.pi * (hour - 14) / 24)
    hourly = np.repeat(price[::2], 2)
    markets = {
        "day_ahead": market(hourly, block=1.0, limit=60.0),
        "intraday": market(price + rng.normal(0, 5, steps), spread=2.0, limit=30.0),
    }
    tree = case(
        None,
        markets,
        battery={"box": storage(energy_max=40.0, wear=0.01, eta_charge=0.9, eta_discharge=0.9)},
        renewable={"available": sun * rng.uniform(0.5, 1.0, steps)},
        load={"baseline": 4 + rng.uniform(0, 3, steps)},
        imbalance=settled(price_long=price - 20, price_short=price + 25),
        start="2026-01-05",
        step="30min",
    )
    axes = {
        "vintage": pd.to_datetime(["2026-01-04 00:00", "2026-01-05 00:00", "2026-01-05 06:00"]),
        "time": tree.indexes["time"],
    }
    known = {
        "renewable__available": np.stack([sun * 0.9, sun * 0.7, sun * 0.8]),
        "load__baseline": np.stack([5.0 + 0 * sun, 5.5 + 0 * sun, 5.2 + 0 * sun]),
    }
    return v2g.simulate(
        operated(
            tree, **{n: xr.DataArray(x, coords=axes, dims=list(axes)) for n, x in known.items()}
        )
    )


def test_the_bill_of_a_run_is_what_was_traded_at_what_price(run):
    """sum of the ledger = sum dt (pi q - sigma / 2 turnover) + dt (long, short at their prices) -
    wear, to 1e-9 EUR.

    Recomputed from the numbers of the file, and every term is there to be seen.
    """
    energy, imbalance, box = (run[n].to_dataset() for n in ("energy", "imbalance", "battery"))
    dt = 0.5 / 1000  # h, MWh per kWh
    traded = float((dt * energy.price * energy.position).sum())
    turned = float((dt * energy.spread / 2 * energy.turnover).sum())
    settlement = float(
        (
            dt * (imbalance.price_long * imbalance.long - imbalance.price_short * imbalance.short)
        ).sum()
    )
    wear = float((0.5 * 0.01 * box.discharge / 0.9).sum())
    assert traded - turned + settlement - wear == approx(run.attrs["profit"], abs=1e-9)
    assert min(abs(traded), turned, abs(settlement), wear) > 1e-3
    paid = sum(float(x.sum()) for x in run["ledger"].data_vars.values())
    assert paid == approx(run.attrs["objective"], abs=1e-9)


def test_what_was_sold_and_settled_is_what_was_delivered(run):
    """Day-ahead + intraday + long - short = sun - load + discharge - charge in every half hour, to
    1e-9 kW.
    """
    energy, imbalance, box = (run[n].to_dataset() for n in ("energy", "imbalance", "battery"))
    sun, house = run["renewable"].to_dataset(), run["load"].to_dataset()
    sold = energy.position.sum("market") + imbalance.long - imbalance.short
    delivered = (
        (sun.available - sun.curtail).sum("renewable")
        - house.baseline
        + (box.discharge - box.charge).sum("battery")
    )
    assert float(abs(sold - delivered).max()) < 1e-9
    assert float(imbalance.long.max()) > 0.1 and float(imbalance.short.max()) > 0.1
    assert float((imbalance.long * imbalance.short).max()) == 0


def test_intraday_turnover_is_the_sum_of_its_increments(run):
    """More was traded within the day than the position shows, and the spread is paid on all of
    it.
    """
    intraday = run["energy"].to_dataset().sel(market="intraday")
    assert float((intraday.turnover - abs(intraday.position)).min()) > -1e-9
    assert float((intraday.turnover - abs(intraday.position)).max()) > 0.1
    assert float(run["ledger"]["energy.spread"].sum()) == approx(
        -float(intraday.turnover.sum()) * 0.5e-3
    )


def test_what_was_operated_has_no_shadow_prices(run):
    """Where every decision is fixed they would all be those of imbalance; none is written."""
    assert not {"price", "dual", "reduced_cost"} & set(run.children)


def test_a_run_earns_no_more_than_hindsight(run):
    """Forecasts that miss cost something; by day the differences add up to the regret."""
    assert run["audit"].attrs["passed"] == 1
    assert run.attrs["regret"] > 0.01
    days = run["sequence"].to_dataset(inherit=False)
    assert float(days.regret.sum()) == approx(run.attrs["regret"], abs=1e-9)
    assert float(days.profit.sum()) == approx(run.attrs["profit"], abs=1e-9)


def test_a_settled_run_is_audited_again_from_its_file(run, tmp_path):
    """What was written is read back and proven; a position changed in it is found."""
    v2g.write(run, tmp_path / "run.nc")
    again = v2g.read(tmp_path / "run.nc")
    assert v2g.replay(again).attrs["passed"] == 1
    assert audit_of_tampered(again, "energy.position", 0.5).attrs["passed"] == 0


# ---- what owners let be discharged ---------------------------------------------------------------


def test_an_allowance_holds_for_each_visit_and_over_windows():
    """A car comes every day from noon to six with 20 kWh and needs 10: of what it has beyond, its
    owner lets 6 kWh be discharged on the second day and 4 on the third. Plans of every hour expect
    the visit of the day before.

    Proves that what was used is handed over (else each window would sell it anew), that a visit
    that is expected has the allowance of an earlier one, and that each owner is paid once.
    """
    hours = np.arange(72)
    here, first, last = hours % 24 // 6 == 2, hours % 24 == 12, hours % 24 == 17
    allowed = np.where(hours < 24, np.nan, np.where(hours < 48, 6.0, 4.0))
    car = vehicle(
        charge_max=10.0 * here,
        discharge_max=3.0 * here,
        keep=1.0 * (here & ~first),
        energy_in=20.0 * first,
        energy_min=10.0 * last,
        allowance=np.where(here, allowed, np.nan),
        session=np.where(here, hours // 24, -1),
    )
    price = 100.0 + hours % 7
    menu = {"theta": 1.0, "share": 1.0, "energy": 6.0, "payment": 0.1, "wear": 0.01, "term": 3.0}
    imbalance = settled(price_long=price - 5, price_short=price + 5)
    tree = case(car, market(price), imbalance=imbalance, contract=menu)
    came = tree.indexes["time"][first]
    stays = {"arrival": came, "departure": came + pd.Timedelta("6h"), "row": ["ev"] * 3}
    stays |= {"contract": [-1, 0, 0], "contract_energy": [0.0, 6.0, 4.0]}
    stays |= {"contract_payment": [0.0, 0.1, 0.08]}
    columns = {name: ("session", np.asarray(x)) for name, x in stays.items()}
    tree["sessions"] = xr.DataTree(xr.Dataset(columns, {"session": [0, 1, 2]}))
    options = {"forecast": "naive", "every": 1.0, "ahead": 24.0, "hindsight": False}
    run = v2g.simulate(tree, start="2026-01-06", **options)
    discharged = run["fleet"].discharge.sel(fleet="ev").groupby("time.date").sum()
    assert discharged.values == approx([6.0, 4.0])
    assert float(run["ledger"]["contract.owners"].sum()) == approx(-0.18)
    assert run["audit"].attrs["passed"]
    tree["fleet"]["allowance_used"] = xr.DataArray(1.0)
    naive = Naive(truth := checking.inputs_of(tree, v2g.PARTS))
    assert naive.planned(truth).data["fleet"].allowance_used.values.tolist() == [1, 0]
    seen = naive.at(truth.calendar.time[48], truth.calendar.time[49], 48, 72)
    expected = seen["fleet", "allowance"].sel(fleet="expected ev")
    assert expected.dropna("time").values.tolist() == [6.0] * 6
