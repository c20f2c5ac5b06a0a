"""January 2019 in the Netherlands through its markets: public sessions, day-ahead and imbalance
prices as published.

Assumed, as the data have none: batteries, one imbalance price for both ways, an intraday market at
the day-ahead price with a spread of 2 EUR/MWh."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from reference_data import reference

import v2g_linopy as v2g
from v2g_linopy import data
from v2g_linopy.data.tables.local_time import align
from v2g_linopy.report import labels
from v2g_linopy.report.page import write

START, STOP = (
    pd.Timestamp("2019-01-07 23:00"),
    pd.Timestamp("2019-01-08 23:00"),
)  # 8 January in Amsterdam
NAN = float("nan")


@pytest.fixture(scope="module")
def january() -> xr.DataTree:
    """The sessions of the first nine days in steps of an hour, with gates."""
    prices = data.read_netcdf_prices(
        reference("nl_prices_2019.nc"), ambiguous="both", nonexistent="drop"
    )
    sessions = data.read_netcdf_sessions(reference("nl_sessions_2019.nc"))
    battery = data.BatteryAssumption()
    zone = "Europe/Amsterdam"
    tree = data.case_from_sessions(
        sessions, prices, timezone=zone, battery=battery, step="1h", end="2019-01-10", wear=0.02
    )
    energy, time = tree["energy"].to_dataset(), tree.indexes["time"]
    day_ahead, limit = energy.price.isel(market=0, drop=True), float(energy.limit.max())
    both = xr.concat([day_ahead, day_ahead], pd.Index(["day_ahead", "intraday"], name="market"))
    per_market = {
        "limit": ("market", [limit, limit], {"units": "kW"}),
        "spread": ("market", [0.0, 2.0]),
    }
    tree["energy"] = xr.DataTree(
        xr.Dataset({"price": both.assign_attrs(units="EUR/MWh"), **per_market})
    )
    imbalance = align(prices["imbalance"], time).assign_attrs(units="EUR/MWh")
    tree["imbalance"] = xr.DataTree(
        xr.Dataset({"price_long": imbalance, "limit": ((), limit, {"units": "kW"})})
    )
    gates = {"hour": ("gate", [12.0, NAN]), "lead": ("gate", [NAN, 1.0])}
    tree["gates"] = xr.DataTree(xr.Dataset(gates, {"gate": ["day_ahead", "intraday"]}))
    return tree


def test_sessions_that_nobody_controls_pay_the_day_ahead_price(january):
    """A load that cannot be shifted, with real prices of the day ahead and of imbalance: nothing is
    earned on their difference, though the lower of both would cost less.
    """
    drawn = v2g.unmanaged(january).sum("fleet")
    price = january["energy"].price.sel(market="day_ahead", drop=True)
    settled = january["imbalance"].price_long
    limit = {"limit": ((), float(january["energy"].limit.max()), {"units": "kW"})}
    load = xr.Dataset({"baseline": drawn.expand_dims(load=["station"])})
    market = xr.Dataset({"price": price.expand_dims(market=["day_ahead"]), **limit})
    imbalance = xr.Dataset({"price_long": settled, **limit})
    groups = {"load": load, "energy": market, "imbalance": imbalance}
    result = v2g.solve(v2g.assemble(january.to_dataset().indexes["time"], groups))
    paid = float((drawn * price).sum()) / 1000
    assert result.attrs["profit"] == pytest.approx(-paid, abs=1e-9)
    assert float((drawn * np.minimum(price, settled)).sum()) / 1000 < 0.9 * paid


def operated(tree: xr.DataTree, **options: object) -> xr.DataTree:
    return v2g.simulate(
        tree, forecast="naive", start=START, stop=STOP, every=3.0, ahead=6.0, **options
    )


@pytest.fixture(scope="module")
def day(january) -> xr.DataTree:
    return operated(january)


def test_a_day_on_naive_forecasts_is_proven_and_earns_no_more_than_hindsight(day):
    """Cars that come are not those of a week ago: all three ways to trade are used, and not to know
    costs something.
    """
    assert day["audit"].attrs["passed"] == 1
    assert day.attrs["regret"] > 0
    sold = float(abs(day["energy"].position.sel(market="day_ahead")).sum())
    traded_on = float(day["energy"].turnover.sel(market="intraday").sum())
    settled = float((day["imbalance"].long + day["imbalance"].short).sum())
    assert min(sold, traded_on, settled) > 1
    delivered = (day["fleet"].discharge - day["fleet"].charge).sum("fleet")
    position = day["energy"].position.sum("market") + day["imbalance"].long - day["imbalance"].short
    assert float(abs(position - delivered).max()) < 1e-6


def test_the_report_shows_policy_hindsight_and_regret(day):
    """The figures of the run stand on the page, and both pictures of a sequence."""
    text = write.render(day)
    for name in ("profit", "objective_hindsight", "regret"):
        assert labels.money(float(day.attrs[name])) in text
    assert text.count("<figure>") >= 2
    assert "Hindsight. Above" in text and "Positions" in text


def test_a_day_is_paid_at_published_prices(day):
    """The bill again, from prices and positions in the file: energy, half the spread on all
    turnover, imbalance.
    """
    energy, imbalance = day["energy"].to_dataset(), day["imbalance"].to_dataset()
    mega = 1e-3  # MWh per kWh, one hour a step
    assert float((energy.price * energy.position).sum()) * mega == pytest.approx(
        float(day["ledger"]["energy.energy"].sum()), abs=1e-9
    )
    assert float(energy.turnover.sel(market="intraday").sum()) * mega == pytest.approx(
        -float(day["ledger"]["energy.spread"].sum()), abs=1e-9
    )
    net = float((imbalance.price_long * (imbalance.long - imbalance.short)).sum()) * mega
    assert net == pytest.approx(float(day["ledger"]["imbalance.settlement"].sum()), abs=1e-9)


def test_forecasts_are_of_earlier_days(january, day):
    """Prices of the day itself and after, doubled: what was bid before they were known is the same
    to the bit.
    """
    changed = january.copy(deep=True)
    for part, name in (("energy", "price"), ("imbalance", "price_long")):
        group = changed[part].to_dataset()
        later = group.time >= np.datetime64(STOP - pd.Timedelta(hours=12))
        changed[part] = xr.DataTree(
            group.assign({name: xr.where(later, 2 * group[name], group[name], keep_attrs=True)})
        )
    other = operated(changed, hindsight=False)
    xr.testing.assert_equal(
        other["energy"].position.sel(market="day_ahead"),
        day["energy"].position.sel(market="day_ahead"),
    )
    early = slice(None, STOP - pd.Timedelta(hours=13))
    for name in ("charge", "discharge", "energy"):
        xr.testing.assert_equal(
            other["fleet"][name].sel(time=early), day["fleet"][name].sel(time=early)
        )
    assert other.attrs["profit"] != day.attrs["profit"]
