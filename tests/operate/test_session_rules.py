"""Sessions operated one by one: by the rule, as late as possible, at once; and what is bid for
them."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sessions_made import START, stays, steps

import v2g_linopy as v2g
from v2g_linopy.model.gates import gates_of
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.operate.day_ahead_bids import BidRule, day_ahead_bids
from v2g_linopy.operate.price_forecasts import price_forecast
from v2g_linopy.parts.catalogue import PARTS


def station(
    sessions: xr.Dataset, day_ahead: list[float], imbalance: list[float] | None = None
) -> xr.DataTree:
    """Sessions at one station, a day-ahead auction at noon of the day before, and imbalance that
    costs as much unless its price is given (EUR/MWh).
    """
    time = steps(len(day_ahead))
    fleet, table = v2g.sessions_to_fleet(sessions, time)
    limit = {"limit": ((), 1000.0, {"units": "kW"})}
    groups = {
        "fleet": fleet,
        "sessions": table,
        "energy": xr.Dataset(
            {"price": (("market", "time"), [day_ahead]), **limit}, {"market": ["day_ahead"]}
        ),
        "imbalance": xr.Dataset({"price_long": ("time", imbalance or day_ahead), **limit}),
        "gates": xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["day_ahead"]}),
    }
    return v2g.assemble(time, groups)


def operated(tree: xr.DataTree, policy: str, **options: object) -> xr.DataTree:
    options = {"forecast": "perfect", "hindsight": False, "bids": "none"} | options
    result = v2g.simulate(tree, policy=policy, **options)
    assert result["audit"].attrs["passed"] == 1
    return result


@pytest.mark.parametrize(
    ("policy", "drawn", "paid"),
    [
        ("unmanaged", [10, 10, 5, 0], 10 * 50 + 10 * 20 + 5 * 30),
        ("rule", [0, 10, 10, 5], 10 * 20 + 10 * 30 + 5 * 40),
        ("latest", [0, 5, 10, 10], 5 * 20 + 10 * 30 + 10 * 40),
    ],
)
def test_a_need_is_served_at_once_in_cheap_hours_or_late(policy, drawn, paid):
    """25 kWh at 10 kW in four hours at 50, 20, 30, 40 EUR/MWh: 0.85, 0.70 and 0.80 EUR.

    Proves what each rule does: the last full hour before it must, the cheapest, or the first.
    """
    car = stays((0, 4), energy_need=35.0)
    result = operated(station(car, [50.0, 20.0, 30.0, 40.0]), policy)
    assert result["fleet"].charge.values.ravel() == pytest.approx(drawn)
    assert result.attrs["profit"] == pytest.approx(-paid / 1000)


def test_who_is_paid_to_draw_fills_the_battery_and_no_more():
    """A need of 10 kWh and room for 30; prices of 40, -5, -10, 20 EUR/MWh: 20 kWh in the hours that
    pay, and of equal prices the earlier one comes first: with 20 in the first hour 10 are needed
    of it, none with the negative ones.
    """
    car = stays((0, 4))
    result = operated(station(car, [40.0, -5.0, -10.0, 20.0]), "rule")
    assert result["fleet"].charge.values.ravel() == pytest.approx([0, 10, 10, 0])
    even = operated(station(car, [20.0, 20.0, 30.0, 20.0]), "rule")
    assert even["fleet"].charge.values.ravel() == pytest.approx([10, 0, 0, 0])


def test_who_comes_later_is_not_known_and_the_departure_is():
    """Two sessions in turn. The first leaves at two and draws in the dearer of its hours only what
    does not fit; the second begins within an hour, of which half is left.
    """
    cars = stays((0, 2), (2.5, 5), energy_need=[25.0, 24.0])
    result = operated(station(cars, [30.0, 60.0, 20.0, 10.0, 50.0]), "rule")
    assert result["fleet"].charge.sum("fleet").values == pytest.approx([10, 5, 4, 10, 0])


def trader(**columns: float) -> xr.Dataset:
    """A stay of four hours at 5 kW either way, with 10 kWh on arrival and never less than 5."""
    return stays((0, 4), charge_max=5.0, discharge_max=5.0, energy_floor=5.0, **columns)


def fed_in_by_enumeration(price: np.ndarray, to_draw: float = 0.0, to_feed: float = 0.0) -> float:
    """Least cost of four hours at -5, 0 or 5 kW from 10 to 20 kWh, never below 5 or above 25, with
    costs per kWh beside the price.
    """
    best = np.inf
    for power in itertools.product((-5.0, 0.0, 5.0), repeat=4):
        energy = 10.0 + np.cumsum(power)
        if (energy >= 5).all() and (energy <= 25).all() and energy[-1] >= 20:
            drawn, fed = np.maximum(power, 0.0).sum(), np.maximum(np.negative(power), 0.0).sum()
            best = min(best, float(np.dot(power, price)) + to_draw * drawn + to_feed * fed)
    return best


@pytest.mark.parametrize(
    ("rates", "to_draw", "to_feed"),
    [
        ({"wear_charge": 0.03}, 30.0, 0.0),
        ({"wear": 0.02}, 0.0, 20.0),
        ({"retail_price": 0.03}, -30.0, 30.0),
    ],
)
def test_what_a_kwh_costs_beside_its_price_is_weighed(rates, to_draw, to_feed):
    """Prices 50 EUR/MWh apart: what is worn by drawing, 30, or by feeding in, 20, or what drivers
    pay on net energy, is paid in the best of the 81 schedules.
    """
    car = trader(capacity=25.0, energy_need=20.0)
    price = [30.0, 70.0, 20.0, 45.0]
    tree = station(car, price)
    priced = {n: ((), x, {"units": "EUR/kWh"}) for n, x in rates.items()}
    on_net = tree["fleet"].to_dataset().drop_vars("need_billed")
    tree["fleet"] = on_net.assign(priced)
    result = operated(tree, "rule")
    expected = fed_in_by_enumeration(np.array(price), to_draw, to_feed)
    assert result.attrs["profit"] == pytest.approx(-expected / 1000, abs=1e-6)


@pytest.mark.parametrize(
    "price", [(10, 80, 20, 30), (90, 10, 20, 30), (50, 10, 70, 5), (-20, 5, -30, 1)]
)
def test_a_session_that_feeds_in_has_the_best_of_all_schedules(price):
    """Every schedule of 5 kW steps, 81 of them, against the programme of the rule (EUR/MWh)."""
    car = trader(capacity=25.0, energy_need=20.0)
    result = operated(station(car, [float(p) for p in price]), "rule")
    expected = -fed_in_by_enumeration(np.array(price)) / 1000
    assert result.attrs["profit"] == pytest.approx(expected, abs=1e-6)


def test_what_is_fed_in_is_not_paid_by_the_driver():
    """Prices fall by 1 EUR/MWh; drivers pay 30 on what is drawn less what is fed in. 5 kWh sold at
    30 and bought back at 27 earn 0.015 EUR; selling twice would earn less, and no more is paid.
    """
    car = trader(capacity=10.0, energy_need=10.0)
    tree = station(car, [30.0, 29.0, 28.0, 27.0])
    on_net = tree["fleet"].to_dataset().drop_vars("need_billed")
    tree["fleet"] = on_net.assign(retail_price=((), 0.03, {"units": "EUR/kWh"}))
    result = operated(tree, "rule")
    assert result.attrs["profit"] == pytest.approx(0.015, abs=1e-6)
    assert float(result["fleet"].discharge.sum()) == pytest.approx(5.0, abs=1e-6)


def test_a_floor_at_what_came_asks_for_nothing():
    """It came with 10 kWh, and 10 are to stay on board: that is no need before the departure."""
    car = stays((0, 4), discharge_max=10.0, energy_floor=10.0, energy_need=20.0)
    result = operated(station(car, [50.0, 40.0, 30.0, 20.0]), "rule")
    assert result["fleet"].charge.values.ravel() == pytest.approx([0, 0, 0, 10])


def test_nobody_burns_energy_where_prices_are_negative():
    """At -30 EUR/MWh and losses of 19 %, drawing and feeding in at once would pay: a binary forbids
    it. The battery is full after 10 kWh, and what it took is all that is paid for.
    """
    car = stays(
        (0, 2),
        discharge_max=10.0,
        capacity=20.0,
        energy_need=20.0,
        eta_charge=0.9,
        eta_discharge=0.9,
    )
    result = operated(station(car, [-30.0, -30.0]), "rule")
    fleet = result["fleet"]
    assert float(np.minimum(fleet.charge, fleet.discharge).max()) == pytest.approx(0, abs=1e-6)
    assert result.attrs["profit"] == pytest.approx(0.03 * 10 / 0.9, abs=1e-6)


def test_the_rule_is_the_model_where_no_two_prices_are_equal():
    """Three sessions that may feed in, on the third day of a case, decided every hour on published
    prices: the model of the whole and the rule do the same in every hour.
    """
    day = 100 + 7.3 * ((np.arange(72) * 17) % 24) + 0.01 * np.arange(72)
    cars = stays((49, 55), (51.5, 64), (50, 70), discharge_max=10.0, energy_floor=5.0)
    tree = station(cars.assign(eta_charge=0.9 + 0 * cars.eta_charge), day.tolist())
    options = {"forecast": "published", "start": START + pd.Timedelta(days=2), "hindsight": False}
    model = v2g.simulate(tree, **options)
    rule = v2g.simulate(tree, policy="rule", **options)
    for name in ("charge", "discharge", "energy"):
        xr.testing.assert_allclose(rule["fleet"][name], model["fleet"][name], atol=1e-6)
    assert float(rule["fleet"].discharge.sum()) > 10


def test_what_binds_sessions_together_is_listed():
    """A limit of the site, a spread, a least power and two imbalance prices: each is named, with
    what to do.
    """
    tree = station(stays((0, 3), charge_min=4.0), [10.0, 20.0, 30.0])
    tree["connection"] = xr.DataTree(xr.Dataset({"import_max": ("pod", [5.0])}, {"pod": ["site"]}))
    tree["energy"] = tree["energy"].to_dataset().assign(spread=("market", [1.0]))
    short = tree["imbalance"].price_long + 5.0
    tree["imbalance"] = tree["imbalance"].to_dataset().assign(price_short=short)
    with pytest.raises(v2g.SchemaError) as raised:
        operated(tree, "rule")
    named = [p.where for p in raised.value.problems]
    assert named == ["/connection", "energy.spread", "imbalance.price_short", "fleet.charge_min"]
    assert "operate it by the model" in str(raised.value)


def test_a_forecast_needs_a_known_day_before():
    """Prices are published at one o'clock of the day before: at noon those of tomorrow are expected
    as today, an hour later they are known; a week later they are those of a week ago.
    """
    day_ahead = [100.0 * (k // 24) + k % 24 for k in range(24 * 9)]
    tree = station(stays((0, 1)), day_ahead)
    truth = inputs_of(tree, PARTS)
    forecast = price_forecast("published", truth, gates_of(tree, truth))
    hour = 23  # local clocks are UTC here
    assert 1e3 * forecast.at(12, 24)[hour] == pytest.approx(11)
    assert 1e3 * forecast.at(13, 24)[hour] == pytest.approx(100 + 12)
    assert 1e3 * forecast.at(7 * 24 + 12, 24)[hour] == pytest.approx(100 + 11)


def test_bids_are_what_was_drawn_before_the_gate():
    """Monday to Sunday twice, so many kW in every hour: 1 to 7, then 11 to 17.

    For the second Wednesday (13) a week ago says 3. When its gate closes at noon of Tuesday,
    Monday is over: the mean of the last three working days is (11 + 5 + 4) / 3, and for the
    second Saturday (16) that of the weekend (6 + 7) / 2. Proves the noon rule and the classes.
    """
    week = np.repeat(np.arange(1.0, 8.0), 24)
    net = -np.concatenate([week, week + 10])
    tree = station(stays((0, 1)), [10.0] * len(net))
    truth = inputs_of(tree, PARTS)
    gates = gates_of(tree, truth)

    def bid(kind: str, day: int) -> float:
        rule = BidRule(kind, days=3)
        found = day_ahead_bids(rule, net, -net, range(len(net)), truth, gates)
        return -float(found.position[24 * day + 5])

    assert bid("week-ago", 9) == 3
    assert bid("mean-of-days", 9) == pytest.approx((11 + 5 + 4) / 3)
    assert bid("mean-of-days", 12) == pytest.approx(13 / 2)
    assert (bid("known", 9), bid("none", 9), bid("week-ago", 2)) == (13, 0, 0)


def test_a_bid_is_settled_at_both_prices():
    """10 kWh are drawn at one o'clock of the eighth day and 10 were drawn a week before: they are
    bought day-ahead at 20 EUR/MWh, and imbalance at 90 costs nothing of it. Without a bid it costs
    0.90 EUR. The first day is settled at 90 either way.
    """
    hours = 8 * 24
    cars = stays((1, 2), (7 * 24 + 1, 7 * 24 + 2))
    tree = station(cars, [20.0] * hours, [90.0] * hours)
    bought = operated(tree, "unmanaged", bids="week-ago")
    assert bought.attrs["profit"] == pytest.approx(-0.9 - 0.2)
    assert operated(tree, "unmanaged").attrs["profit"] == pytest.approx(-1.8)


def test_history_is_operated_and_left_out():
    """A car comes in the evening of each of ten days, the last before the start stays on beyond
    it. With eight days of history the last two are what they are in a run of all ten: the same
    power, energy on board and positions, and no step of the days before.
    """
    hours = 10 * 24
    price = [20.0 + (7 * k) % 24 for k in range(hours)]
    settled = [25.0 + (5 * k) % 24 for k in range(hours)]
    cars = stays(*((24 * k + 20, 24 * k + 30) for k in range(9)), discharge_max=4.0)
    tree = station(cars, price, settled)
    options = {"forecast": "published", "bids": "week-ago"}
    every = operated(tree, "rule", **options)
    start = str(every.time.values[8 * 24])
    last = operated(tree, "rule", start=start, history=8, **options)
    assert last.sizes["time"] == 48
    for name in ("charge", "discharge", "energy"):
        whole = every["fleet"][name].isel(time=slice(8 * 24, None))
        assert np.allclose(last["fleet"][name], whole, atol=1e-9), name
    bought = every["energy"].position.isel(time=slice(8 * 24, None))
    assert np.allclose(last["energy"].position, bought)
    assert abs(bought).max() > 0
    alone = operated(tree, "rule", start=start, **options)
    assert not alone["energy"].position.any(), "without history nothing is known"


def test_imbalance_beyond_its_limit_is_refused():
    """10 kW are drawn without a bid, and 5 kW of imbalance are allowed."""
    tree = station(stays((0, 1)), [10.0, 20.0])
    tree["imbalance"] = tree["imbalance"].to_dataset().assign(limit=((), 5.0, {"units": "kW"}))
    with pytest.raises(v2g.SchemaError, match="10 kW at .* more than the limit of 5 kW"):
        operated(tree, "unmanaged")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "fast"}, "model, rule, latest, unmanaged"),
        ({"policy": "rule", "bids": "all"}, "week-ago, mean-of-days, saa-backed"),
    ],
)
def test_words_that_are_not_known_are_refused(options, words):
    """They are told with those that are."""
    tree = station(stays((0, 1)), [10.0, 20.0])
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.simulate(tree, **options)


def test_a_label_on_time_alone_names_the_session_of_the_member():
    """A case may say once, on time, which session is plugged in: it is offered its contract, and
    feeds in 5 kWh at 50 that it bought back at 20 EUR/MWh.
    """
    tree = station(stays((0, 2), discharge_max=10.0, energy_need=10.0), [50.0, 20.0])
    fleet = tree["fleet"].to_dataset()
    tree["fleet"] = fleet.assign(session=fleet.session.isel(fleet=0, drop=True))
    menu = xr.Dataset(
        {
            "theta": ("type", [1.0]),
            "share": ("type", [1.0]),
            "wear": 0.001,
            "term": 2.0,
            "energy": ("type", [5.0]),
            "payment": ("type", [0.01]),
        },
        {"type": ["any"]},
    )
    agreed = v2g.with_contracts(tree, menu)
    for result in (operated(tree, "rule", contracts=menu), operated(agreed, "model")):
        assert result["sessions"].energy_discharged.values == pytest.approx([5.0], abs=1e-6)
        assert result.attrs["profit"] == pytest.approx(0.15 - 0.01, abs=1e-6)


def test_a_run_goes_on_from_what_is_on_board():
    """The first of three hours lies before the start, where everyone charges at once: 10 of 15 kWh
    are on board then, and the last 5 are drawn in the cheaper of the two hours that are left.
    """
    car = stays((0, 3), energy_need=25.0)
    tree = station(car, [10.0, 30.0, 20.0])
    result = operated(tree, "rule", start=START + pd.Timedelta(hours=1))
    assert result["fleet"].charge.values.ravel() == pytest.approx([0, 5])


def test_a_session_is_planned_to_its_departure_beyond_the_stop():
    """Operated for two hours of four, at 30, 40, 10 and 20 EUR/MWh: 20 kWh fit into the later two,
    so nothing is drawn; of 25 kWh the last 5 go into the cheaper hour of the two.
    """
    for need, drawn in ((30.0, 0.0), (35.0, 5.0)):
        tree = station(stays((0, 4), energy_need=need), [30.0, 40.0, 10.0, 20.0])
        result = operated(tree, "rule", stop=START + pd.Timedelta(hours=2))
        assert result["fleet"].charge.values.ravel() == pytest.approx([drawn, 0])


def test_the_explanation_says_what_hindsight_would_add_where_it_was_asked_for():
    """25 kWh at once cost 0.85 EUR; in the cheapest hours 0.70: 0.15 less."""
    tree = station(stays((0, 4), energy_need=35.0), [50.0, 20.0, 30.0, 40.0])
    alone = v2g.explain(operated(tree, "unmanaged"))
    assert "operated in" in alone and "hindsight" not in alone
    beside = v2g.explain(operated(tree, "unmanaged", hindsight=True))
    assert "-0.70 with hindsight, regret 0.15" in beside
