"""Synthetic cases: seeded, stated, and on local clocks."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError
from v2g_linopy.ingest import commuters, depot, fleets
from v2g_linopy.ingest.described import FIELDS
from v2g_linopy.ingest.synthetic import italian_prices, world_prices
from v2g_linopy.units import TABLE

MAKERS = {
    "commuters": lambda seed: commuters(vehicles=4, days=3, seed=seed),
    "fleets": lambda seed: fleets(hours=48, seed=seed),
    "depot": lambda seed: depot(vehicles=3, days=2, seed=seed),
}


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
    """Solved without a need left over, a residual or slack; every array has units that the schema reads."""
    case = MAKERS[name](0)
    assert not [note for note in v2g.check(case) if "no units" in note]
    assert "seed 0" in case.attrs["assumptions"] and "synthetic" in case.attrs["assumptions"]
    result = v2g.solve(case)
    for missing in ("unserved", "unserved_trip", "slack_in", "slack_out"):
        if missing in result["fleet"]:
            assert float(result["fleet"][missing].sum()) == pytest.approx(0, abs=1e-6)


def test_units_are_those_of_the_schema():
    """What ingest writes of an array is what the part that reads it declares."""
    for part, fields in FIELDS.items():
        declared = {f.name: f for f in v2g.PARTS[part].schema.inputs}
        for name, (unit, _) in fields.items():
            assert unit == (declared[name].unit if declared[name].kind in ("quantity", "flag") else ""), name
            assert not unit or unit in TABLE


def test_commuters_keep_local_hours():
    """Ninety-two local days of Rome are 2209 hours; on both sides of October arrivals lie in 6 to 9 local."""
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
    """Days begin at the first local midnight that is priced; what is not priced is refused with the number of days."""
    time = pd.date_range("2026-03-27 12:00", "2026-03-30 22:00", freq="h", inclusive="left", name="time")
    prices = italian_prices(time)
    case = commuters(vehicles=2, days=3, prices=prices)
    assert local(case.time)[0] == pd.Timestamp("2026-03-28", tz="Europe/Rome")
    assert case.sizes["time"] == 24 + 23 + 24
    price = case["energy"].price.isel(market=0)
    assert price.values.tolist() == prices.day_ahead.sel(time=case.time).values.tolist()
    with pytest.raises(SchemaError, match="4 days from .* asked for, .*: 3 of the days"):
        commuters(vehicles=2, days=4, prices=prices)


def test_commuters_without_regulation_or_discharge():
    case = commuters(vehicles=2, days=1, regulation=None, discharge=False)
    assert "reserve" not in case.children and float(case["fleet"].discharge_max.max()) == 0


@pytest.mark.parametrize(
    ("start", "days", "quarters"), [("2026-10-24", 3, 292), ("2026-03-29", 1, 92), ("2026-10-25", 1, 100)]
)
def test_depot_on_days_of_23_and_25_hours(start, days, quarters):
    """96 + 100 + 96 quarter-hours in October, 92 on the short day of March; away from 6 to 8, back from 15 to 18."""
    case = depot(vehicles=3, days=days, start=start)
    assert case.sizes["time"] == quarters
    table = case["sessions"]
    leaves, back = local(table.departure).hour, local(table.arrival)
    assert leaves.min() >= 6 and leaves.max() < 8
    later = back[np.asarray(table.arrival) > np.asarray(case.time)[0]]
    assert later.hour.min() >= 15 and later.hour.max() < 18
    assert case["connection"].import_max.values.tolist() == [0.5 * 22 * 3]


def test_fleets_in_three_worlds():
    """Same hours, same noise: unmanaged charging raises the evening, smart charging halves the spread."""
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
    """A year: the means, the share of hours without upward regulation, peaks in the evening of the local clock."""
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
    for maker, words in ((commuters, "vehicles"), (depot, "vehicles"), (fleets, "vehicles")):
        with pytest.raises(SchemaError, match=f"{words} .*0: must be at least 1"):
            maker(vehicles=0)
    with pytest.raises(SchemaError, match="choose one of few, unmanaged, smart"):
        fleets(world="none")
