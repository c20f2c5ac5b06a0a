"""Synthetic cases: seeded, stated, and on local clocks."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.data import (
    charging_station,
    commuters,
    depot,
    fleets,
    nordic_fcr,
    portfolio,
    sequential,
    site,
    virtual_power_plant,
)
from v2g_linopy.data.generators.noise_and_prices import italian_prices, world_prices
from v2g_linopy.data.generators.portfolio import SITE_KINDS
from v2g_linopy.data.generators.sun_and_buildings import BUILDINGS, building, sun
from v2g_linopy.data.generators.virtual_power_plant import COMPOSITIONS
from v2g_linopy.errors import SchemaError
from v2g_linopy.report.tables import kpi

MAKERS = {
    "commuters": lambda seed: commuters(vehicles=4, days=3, seed=seed),
    "fleets": lambda seed: fleets(hours=48, seed=seed),
    "depot": lambda seed: depot(vehicles=3, days=2, seed=seed),
    "homes_and_depot": lambda seed: v2g.homes_and_depot(vehicles=2, days=1, seed=seed),
    "site": lambda seed: site(vehicles=3, days=2, seed=seed),
    "nordic_fcr": lambda seed: nordic_fcr(vehicles=3, days=1, seed=seed),
    "sequential": lambda seed: sequential(vehicles=3, days=2, seed=seed),
    "portfolio": lambda seed: portfolio(vehicles=4, days=2, seed=seed, pods=6),
    "virtual_power_plant": lambda seed: virtual_power_plant(pods=5, seed=seed),
    "charging_station": lambda seed: charging_station(vehicles=3, days=2, seed=seed),
}

OTHER_WEAR = ("commuters", "charging_station")
"""The published study has its own, and contracts state that of their menu."""


def local(stamps, timezone="Europe/Rome"):
    return pd.DatetimeIndex(np.asarray(stamps)).tz_localize("UTC").tz_convert(timezone)


@pytest.mark.parametrize("name", MAKERS)
def test_the_seed_decides(name):
    one, same, other = (MAKERS[name](seed) for seed in (0, 0, 1))
    for group in one.children:
        xr.testing.assert_identical(one[group].to_dataset(), same[group].to_dataset())
    assert not one["fleet"].to_dataset().equals(other["fleet"].to_dataset())


@pytest.mark.parametrize("name", MAKERS)
def test_a_case_is_valid_served_and_says_what_it_is(name):
    """Solved without a need left over, a residual or slack; every array has units that the schema
    reads; no vehicle earns over 1000 EUR a year.
    """
    case = MAKERS[name](0)
    assert not [note for note in v2g.check(case) if "no units" in note]
    assert "seed 0" in case.attrs["assumptions"] and "synthetic" in case.attrs["assumptions"]
    result = v2g.solve(case)
    for missing in ("unserved", "unserved_trip", "slack_in", "slack_out"):
        if missing in result["fleet"]:
            assert float(result["fleet"][missing].sum()) == pytest.approx(0, abs=1e-6)
    figures = kpi(result)
    if figures["unit"] == "EUR per vehicle and year":  # more than that no market pays
        assert abs(figures["profit_per_unit"]) <= 1000


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in OTHER_WEAR])
def test_wear_is_that_of_2026(name):
    """A battery of 120 EUR/kWh over 4000 full cycles is 0.03 EUR/kWh, and stated; one that stands
    still lasts 6000: 0.02.
    """
    case = MAKERS[name](0)
    assert set(np.ravel(case["fleet"].wear)) == {120 / 4000}
    assert "120 EUR/kWh for a new battery and 4000 full cycles" in case.attrs["assumptions"]
    if "battery" in case:
        assert set(np.ravel(case["battery"].wear)) == {120 / 6000}
        assert "120 EUR/kWh and 6000 full cycles" in case.attrs["assumptions"]


def test_commuters_keep_local_hours():
    """Ninety-two local days of Rome are 2209 hours; on both sides of October arrivals lie in 6 to 9
    local.
    """
    case = commuters(vehicles=5)
    assert case.sizes["time"] == 2209
    table = case["sessions"]
    assert table.sizes["session"] == 5 * 92
    for name, first, last in (("arrival", 6, 8), ("departure", 16, 18)):
        hour = local(table[name]).hour
        assert hour.min() == first and hour.max() == last
    assert case["fleet"].fleet.values.tolist() == [f"ev-{k:03d}" for k in range(1, 6)]
    assert float(table.energy_need.max()) == pytest.approx(0.99 * 24)
    board = table.energy_arrival / table.capacity
    assert float(board.min()) >= 0.2 and float(board.max()) <= 0.8
    assert float(case["fleet"].wear) == pytest.approx(0.083333, abs=1e-6)


def test_commuters_with_imported_prices():
    """Days begin at the first local midnight that is priced; what is not priced is refused with the
    number of days.
    """
    time = pd.date_range(
        "2026-03-27 12:00", "2026-03-30 22:00", freq="h", inclusive="left", name="time"
    )
    prices = italian_prices(time)
    case = commuters(vehicles=2, days=3, prices=prices)
    assert local(case.time)[0] == pd.Timestamp("2026-03-28", tz="Europe/Rome")
    assert case.sizes["time"] == 24 + 23 + 24
    price = case["energy"].price.isel(market=0)
    assert price.values.tolist() == prices.day_ahead.sel(time=case.time).values.tolist()
    with pytest.raises(SchemaError, match="prices cover only 3 of the 4 days .*; they go from"):
        commuters(vehicles=2, days=4, prices=prices)


def test_commuters_without_regulation_or_discharge():
    case = commuters(vehicles=2, days=1, regulation=None, discharge=False)
    assert "reserve" not in case.children and float(case["fleet"].discharge_max.max()) == 0


@pytest.mark.parametrize(
    ("start", "days", "quarters"),
    [("2026-10-24", 3, 292), ("2026-03-29", 1, 92), ("2026-10-25", 1, 100)],
)
def test_depot_on_days_of_23_and_25_hours(start, days, quarters):
    """96 + 100 + 96 quarter-hours in October, 92 on the short day of March; away from 6 to 8, back
    from 15 to 18.
    """
    case = depot(vehicles=3, days=days, start=start)
    assert case.sizes["time"] == quarters
    table = case["sessions"]
    leaves, back = local(table.departure).hour, local(table.arrival)
    assert leaves.min() >= 6 and leaves.max() < 8
    later = back[np.asarray(table.arrival) > np.asarray(case.time)[0]]
    assert later.hour.min() >= 15 and later.hour.max() < 18
    assert case["connection"].import_max.values.tolist() == [0.5 * 22 * 3]


def test_fleets_in_three_worlds():
    """Same hours, same noise: unmanaged charging raises the evening, smart charging halves the
    spread.
    """
    time = fleets(hours=24 * 28)["energy"].indexes["time"]
    few, many, smart = (world_prices(time, w).day_ahead for w in ("few", "unmanaged", "smart"))
    evening = (local(time).hour >= 18) & (local(time).hour < 22)
    assert float((many - few)[evening].mean()) > 15
    assert float(smart.std()) < 0.65 * float(few.std())
    assert int((few < 0).sum()) > 5, "sunny middays fall below zero"
    shares = fleets(hours=168)["fleet"]
    assert shares.fleet.values.tolist() == ["home", "office", "vans", "sharing"]
    k = shares.energy_max / 30000
    night, noon = (k.isel(time=np.flatnonzero(local(shares.time).hour == h)[0]) for h in (3, 12))
    assert (night > noon).values.tolist() == [True, False, True, True]


def test_italian_prices_have_the_stated_shape():
    """A year: the means, the share of hours without upward regulation, peaks in the evening of the
    local clock.
    """
    time = pd.date_range("2026-01-01", periods=8760, freq="h", name="time")
    prices = italian_prices(time)
    assert float(prices.day_ahead.mean()) == pytest.approx(51, abs=2)
    assert float(prices.regulation_up.mean()) == pytest.approx(90, abs=3)
    assert float(prices.regulation_down.mean()) == pytest.approx(27, abs=1)
    assert float(prices.regulation_up.isnull().mean()) == pytest.approx(0.28, abs=0.04)
    assert float(prices.regulation_down.isnull().mean()) == pytest.approx(0.003, abs=0.002)
    by_hour = prices.day_ahead.to_series().groupby(np.asarray(local(time).hour)).mean()
    assert by_hour.idxmax() in (19, 20)


def test_sizes_are_checked():
    for maker, words in (
        (commuters, "vehicles"),
        (depot, "vehicles"),
        (fleets, "vehicles"),
        (site, "vehicles"),
    ):
        with pytest.raises(SchemaError, match=f"{words} .*0: must be at least 1"):
            maker(vehicles=0)
    for sizes, words in (
        ({"pods": 0}, "pods"),
        ({"days": 0}, "days"),
        ({"vehicles": 0}, "vehicles"),
    ):
        with pytest.raises(SchemaError, match=f"{words} .*0: must be at least 1"):
            portfolio(**sizes)
    with pytest.raises(SchemaError, match="choose one of few, unmanaged, smart"):
        fleets(world="none")


def test_a_site_on_the_days_the_clock_changes():
    """A week with the day of 23 hours; commuters come on its five working days, by the local
    clock.
    """
    case = site(vehicles=4)
    assert case.sizes["time"] == 7 * 24 - 1
    assert site(vehicles=1, days=7, step="15min").sizes["time"] == (7 * 24 - 1) * 4
    table = case["sessions"]
    assert table.sizes["session"] == 4 * 5
    arrival, departure = local(table.arrival), local(table.departure)
    assert arrival.hour.min() >= 7 and (arrival.hour * 60 + arrival.minute).max() < 9 * 60 + 30
    assert (
        departure.hour.min() >= 16 and (departure.hour * 60 + departure.minute).max() < 18 * 60 + 30
    )
    assert set(arrival.day_of_week) == set(range(5))
    assert case["connection"].import_max.values.tolist() == [60 + 0.5 * 4 * 11]
    with pytest.raises(SchemaError, match="there is none in 2 day"):
        site(start="2026-03-28", days=2)


def test_a_site_may_lack_a_part():
    """A size of 0 leaves a part out; what is left is a valid case."""
    case = site(vehicles=1, days=1, load=0.0, solar=0.0, battery=0.0)
    assert not {"load", "renewable", "battery"} & set(case.children)
    v2g.check(case)
    assert {"load", "renewable", "battery"} <= set(site(vehicles=1, days=1).children)


@pytest.mark.parametrize(("start", "hours"), [("2026-03-27", 71), ("2026-10-23", 73)])
def test_a_portfolio_of_every_kind(start, hours):
    """Ten pods, two of each kind; thirty vehicles are shared by the six that have chargers; nights
    cross the edges.
    """
    case = portfolio(start=start)
    assert case.sizes["time"] == hours
    pods = list(case["connection"].pod.values)
    assert [p.split("-")[0] for p in pods] == list(SITE_KINDS) * 2
    fleet = case["fleet"].to_dataset()
    # on a Friday and a weekend all of them come at least once
    assert pd.Series(fleet.pod.values).value_counts().to_dict() == {
        p: 5 for p in pods if p[:2] in ("of", "de", "ho")
    }
    plugged = (fleet.charge_max > 0).isel(time=0)
    kinds = pd.Series(fleet.pod.values).str.split("-").str[0]
    assert dict(plugged.to_series().groupby(kinds.values).all()) == {
        "depot": True,
        "homes": True,
        "office": False,
    }
    shift = case["load"].shift_up_max.max("time")
    assert {
        str(p)[:5] for p, most in zip(shift["load"].values, shift.values, strict=True) if most > 0
    } == {"homes"}


def test_a_portfolio_without_anyone_to_park():
    """One office on a Saturday has no fleet; with a depot beside it there is one."""
    saturday = {"days": 1, "vehicles": 3, "start": "2026-03-28"}
    assert "fleet" not in portfolio(pods=1, **saturday).children
    v2g.check(portfolio(pods=1, **saturday))
    assert "fleet" in portfolio(pods=2, **saturday).children


def test_the_sun_shines_by_day():
    """A year of one kWp at 45 degrees: about 1100 kWh, none at night, most about 11:24 UTC, nine
    degrees east.
    """
    time = pd.date_range("2026-01-01", "2027-01-01", freq="15min", inclusive="left", name="time")
    power = np.mean([sun(time, "Europe/Rome", np.random.default_rng(k)) for k in range(3)], axis=0)
    assert power.sum() / 4 == pytest.approx(1100, rel=0.08)
    assert power.min() >= 0 and power.max() < 0.82
    clock = time.hour + time.minute / 60
    assert power[(clock < 3.5) | (clock > 19.5)].max() == 0
    by_quarter = pd.Series(power).groupby(np.asarray(clock)).mean()
    noon = float((by_quarter * (by_quarter.index + 0.125)).sum() / by_quarter.sum())
    assert noon == pytest.approx(12 - 9 / 15, abs=0.15)
    summer, winter = (power[np.asarray(time.month) == m].sum() for m in (6, 12))
    assert 3 < summer / winter < 8


@pytest.mark.parametrize("kind", BUILDINGS)
def test_buildings_have_their_hours(kind):
    """By the local clock, on both sides of October: on working days the shape of the kind, within
    its noise.
    """
    time = pd.date_range("2026-10-01", "2026-11-30", freq="h", name="time")
    share = pd.Series(
        building(time, "Europe/Rome", np.random.default_rng(0), kind), index=local(time)
    )
    assert share.between(0, 1).all()
    working = share[share.index.day_of_week < 5]
    for part in (working[:"2026-10-24"], working["2026-10-26":]):
        by_hour = part.groupby(part.index.hour).mean()
        shape = BUILDINGS[kind][0]
        assert by_hour[12] == pytest.approx(shape[4], rel=0.1)
        assert by_hour[3] == pytest.approx(shape[1], rel=0.1)


def test_a_virtual_power_plant_of_every_kind():
    """Nine sites: seven kinds and two of them again, of another size; engines cover the heat, and
    nothing but sites is left to the portfolio. In two levels it is worth as much as in one, after
    one round, as nothing of the portfolio binds.
    """
    case = virtual_power_plant(pods=9)
    pods = [str(pod) for pod in case["connection"].indexes["pod"]]
    assert [pod.rpartition("-")[0] for pod in pods] == [*COMPOSITIONS, "cold-store", "farm"]
    parts = {"load", "renewable", "chp", "battery", "fleet"}
    assert parts <= set(case.children)
    assert {pod for part in parts for pod in case[part]["pod"].to_numpy()} == set(pods)
    roofs = case["renewable"]["available"].max("time")
    assert float(roofs.sel(renewable="farm-1 roof")) != float(roofs.sel(renewable="farm-2 roof"))
    whole, sites = v2g.solve(case), v2g.solve(case, method="sites")
    assert sites["audit"].attrs["passed"] == 1 and sites.attrs["rounds"] == 1
    assert sites.attrs["objective"] == pytest.approx(whole.attrs["objective"], abs=1e-6)
    assert sites.attrs["bound"] == pytest.approx(whole.attrs["objective"], abs=1e-6)


def test_a_portfolio_with_gates():
    """The plan that knows everything is that of the case without gates, as imbalance never pays.
    Two days before, the price is another than it comes, and the sun at night is none.
    Operated through the gate, it passes its audit and earns no more.
    """
    sizes = {"vehicles": 2, "days": 2, "pods": 3, "reserve": False}
    plain, case = portfolio(**sizes), portfolio(**sizes, gates=True)
    best = v2g.solve(plain).attrs["objective"]
    assert v2g.solve(case).attrs["objective"] == pytest.approx(best, abs=1e-6)
    told = case["vintage"].to_dataset()
    price = case["energy"]["price"]
    assert not np.allclose(told["energy.price"].isel(vintage=0), price)
    assert np.allclose(told["energy.price"].isel(vintage=-1), price)
    dark = case["renewable"]["available"] == 0
    assert float(told["renewable.available"].where(dark).max()) == 0
    operated = v2g.simulate(case)
    assert operated["audit"].attrs["passed"] == 1
    assert operated.attrs["objective"] <= best + 1e-6
