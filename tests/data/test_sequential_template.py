"""The generator of markets in sequence: forecasts that a market could have, and a case that runs
through its gates.
"""

import numpy as np
import pandas as pd
import pytest

import v2g_linopy as v2g
from v2g_linopy.data import sequential


@pytest.fixture(scope="module")
def month():
    """Thirty days, so that errors can be counted; forecasts every six hours."""
    return sequential(vehicles=1, days=30, seed=3, start="2026-03-02")


def error(month, part: str, name: str):
    """Truth less forecast, and hours from forecast to step, on (vintage, time)."""
    told, came = month["vintage"].to_dataset()[f"{part}.{name}"], month[part].to_dataset()[name]
    return told - came, (told.time - told.vintage) / np.timedelta64(1, "h")


def test_errors_grow_with_the_root_of_the_lead(month):
    """Each six hours add a revision of variance 12^2 / 4 EUR/MWh squared, until a price is
    published.

    A step 30 to 36 h ahead has one to three of them to come, by its hour of the day; at 54 to 60 h
    four more: its variance is about three times as large. Without growth it would be the same.
    Three days ahead there is no more."""
    wrong, lead = (
        x.sel(market="day_ahead") if "market" in x.dims else x
        for x in error(month, "energy", "price")
    )
    size = [
        float((wrong.where((lead >= a) & (lead < a + 6)) ** 2).mean()) for a in (6, 30, 54, 78, 200)
    ]
    assert size[0] < 0.5 * size[1]
    assert 1.5 < size[2] / size[1] < 5.0
    assert size[4] == pytest.approx(size[3], rel=0.3)
    assert abs(float(wrong.where(lead > 0).mean())) < 3.0, "no bias"


def test_what_has_happened_and_what_was_published_is_known(month):
    """No forecast revises the past; day-ahead prices of a day are known from 13:00 of the day
    before in Rome.
    """
    for part, name in (("energy", "price"), ("renewable", "available")):
        wrong, lead = error(month, part, name)
        assert float(abs(wrong.where(lead < 0, 0.0)).max()) <= 0.011, "rounded"
    wrong, _ = error(month, "energy", "price")
    day = (
        pd.DatetimeIndex(wrong.time)
        .tz_localize("UTC")
        .tz_convert("Europe/Rome")
        .normalize()
        .tz_localize(None)
    )
    out = (day - pd.Timedelta("11h")).tz_localize("Europe/Rome").tz_convert("UTC").tz_localize(None)
    known = wrong.vintage >= wrong.time.copy(data=np.asarray(out))
    ahead = wrong.sel(market="day_ahead")
    assert float(abs(ahead.where(known, 0.0)).max()) <= 0.011
    assert float(abs(ahead.where(~known)).mean()) > 3.0
    assert (
        float(abs(wrong.sel(market="intraday").where(known & (wrong.time > wrong.vintage))).mean())
        > 1.0
    )


def test_no_price_lets_a_plan_pump_money(month):
    """Imbalance costs more than it pays, in what comes and in every forecast, and intraday lies
    between.
    """
    told = month["vintage"].to_dataset()
    came = {
        "imbalance.price_long": month["imbalance"].price_long,
        "imbalance.price_short": month["imbalance"].price_short,
    }
    for known, price in ((told, told["energy.price"]), (came, month["energy"].price)):
        within = price.sel(market="intraday")
        assert bool((known["imbalance.price_long"] < within).all())
        assert bool((within < known["imbalance.price_short"]).all())


def test_sun_is_forecast_by_day_only(month):
    """No forecast sees sun at night or more than the roof gives; by day it is wrong before and
    right at last.
    """
    told, came = month["vintage"].to_dataset()["renewable.available"], month["renewable"].available
    night = came.isel(renewable=0) == 0
    assert float(told.where(night, 0.0).max()) == 0.0
    assert float(told.max()) <= 100.0 and float(told.min()) == 0.0
    assert float(abs(told - came).where(~night).mean()) > 1.0


def test_quarter_hours_have_errors_of_the_same_size():
    """The step changes how finely the error is drawn, not its size."""
    size = []
    for step in ("1h", "15min"):
        wrong, lead = error(
            sequential(vehicles=1, days=20, seed=1, start="2026-03-02", step=step),
            "energy",
            "price",
        )
        size.append(float(wrong.where(lead > 30).std()))
    assert size[1] == pytest.approx(size[0], rel=0.35)


def test_it_runs_through_its_gates():
    """Settled and audited; what was decided on forecasts earns no more than what knew
    everything.
    """
    result = v2g.simulate(sequential(vehicles=2, days=1, seed=2), every=6.0)
    assert bool(result["audit"].attrs["passed"])
    assert result.attrs["forecast"] == "vintage"
    assert result.attrs["regret"] > 0.01, "forecasts were wrong"
    assert float(result["fleet"].unserved.sum()) == pytest.approx(0, abs=1e-6)
