"""Imbalance prices in the file of prices become `/imbalance`, in a new case and in one there is."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.data import commuters
from v2g_linopy.errors import SchemaError

COLUMNS = (
    "--column",
    "time=when",
    "--column",
    "spot=spot",
    "--column",
    "surplus=plus",
    "--column",
    "shortage=minus",
)


@pytest.fixture
def prices(tmp_path):
    """A day in Rome: 30 to 53 EUR/MWh, imbalance 10 below and 20 above."""
    when = pd.date_range("2026-03-03", periods=24, freq="h")
    spot = np.arange(30.0, 54.0)
    path = tmp_path / "prices.csv"
    pd.DataFrame({"when": when, "spot": spot, "plus": spot - 10, "minus": spot + 20}).to_csv(
        path, index=False
    )
    return path


@pytest.fixture
def stays(tmp_path):
    path = tmp_path / "stays.csv"
    path.write_text(
        "from,to,kwh,kw\n2026-03-03 08:00,2026-03-03 16:00,20,11\n2026-03-03 09:00,2026-03-03"
        " 17:00,10,7\n"
    )
    return path


def imported(run, stays, prices, tmp_path, *options):
    """Prices first, then the sessions with them, as a user would."""
    spot = tmp_path / "spot.nc"
    read = run("import", "prices", prices, *COLUMNS, "--timezone", "Europe/Rome", "-o", spot)
    assert read.exit_code == 0, read.output
    columns = [
        w
        for c in ("arrival=from", "departure=to", "energy=kwh", "power_max=kw")
        for w in ("--column", c)
    ]
    words = (
        "--timezone",
        "Europe/Rome",
        "--prices",
        spot,
        "--assume",
        "defaults",
        "--market",
        "spot",
        *options,
    )
    return run("import", "sessions", stays, *columns, *words, "-o", tmp_path / "case.nc")


def test_two_prices(run, stays, prices, tmp_path):
    """Surplus is paid 10 less than the market, shortage costs 20 more, up to 2 x (11 + 7) = 36 kW:
    chargers both ways.

    The case can be operated: it has what a forecast that
    goes wrong is settled at.
    """
    done = imported(
        run, stays, prices, tmp_path, "--imbalance", "surplus", "--imbalance", "shortage"
    )
    assert done.exit_code == 0, done.output
    assert "Imbalance is settled at surplus and shortage; at most" in done.output
    case = v2g.read(tmp_path / "case.nc")
    imbalance, price = case["imbalance"].to_dataset(), case["energy"].price.sel(market="spot")
    assert imbalance.price_long.values == pytest.approx(price.values - 10)
    assert imbalance.price_short.values == pytest.approx(price.values + 20)
    assert float(imbalance.limit) == pytest.approx(36.0)
    assert [imbalance[n].attrs["units"] for n in ("price_long", "price_short", "limit")] == [
        "EUR/MWh",
        "EUR/MWh",
        "kW",
    ]
    assert v2g.solve(case)["audit"].attrs["passed"]


def test_one_price(run, stays, prices, tmp_path):
    done = imported(run, stays, prices, tmp_path, "--imbalance", "surplus")
    assert done.exit_code == 0, done.output
    group = v2g.read(tmp_path / "case.nc")["imbalance"].to_dataset()
    assert set(group.data_vars) == {"price_long", "limit"}


@pytest.mark.parametrize(
    ("names", "code", "told"),
    [
        (("surpluss",), 2, "did you mean surplus?"),
        (("shortage", "surplus"), 3, "being long and short at once would earn"),
        (("spot", "surplus", "shortage"), 2, "that of surplus and that of shortage"),
    ],
)
def test_wrong_prices(run, stays, prices, tmp_path, names, code, told):
    done = imported(run, stays, prices, tmp_path, *(w for n in names for w in ("--imbalance", n)))
    assert done.exit_code == code, done.output
    assert told in done.output
    assert not (tmp_path / "case.nc").exists()


def test_into_a_case(run, prices, tmp_path):
    """The market keeps its name; imbalance is limited as the market is, and where there is one
    already, as it was.
    """
    v2g.write(
        commuters(vehicles=1, days=1, start="2026-03-03", regulation=None), tmp_path / "cars.nc"
    )
    words = ("import", "prices", prices, *COLUMNS, "--timezone", "Europe/Rome", "--market", "spot")
    words += ("--imbalance", "surplus", "--imbalance", "shortage")
    assert run(*words, "--into", tmp_path / "cars.nc", "-o", tmp_path / "new.nc").exit_code == 0
    new = v2g.read(tmp_path / "new.nc")
    assert float(new["imbalance"].limit) == float(new["energy"].limit.max())
    assert new["imbalance"].price_short.values == pytest.approx(np.arange(50.0, 74.0))
    new["imbalance"]["limit"] = new["imbalance"].limit * 0 + 3.0
    v2g.write(new, tmp_path / "new.nc", overwrite=True)
    assert run(*words, "--into", tmp_path / "new.nc", "-o", tmp_path / "again.nc").exit_code == 0
    assert float(v2g.read(tmp_path / "again.nc")["imbalance"].limit) == 3.0


def test_forecasts_of_replaced_prices_are_dropped(run, prices, tmp_path):
    """What was known of prices that are no longer there says nothing; what was known of the cars
    stays.
    """
    case = commuters(vehicles=1, days=1, start="2026-03-03", regulation=None)
    guess = xr.DataArray([[1.0] * case.sizes["time"]], dims=("vintage", "time"))
    stamp = pd.DatetimeIndex(["2026-03-01"])
    both = {"energy.price": guess, "fleet.charge_max": guess}
    case["vintage"] = xr.DataTree(
        xr.Dataset(both, {"vintage": stamp, "time": case.indexes["time"]})
    )
    words = ("prices", prices, *COLUMNS, "--timezone", "Europe/Rome", "--market", "spot")
    words += ("--imbalance", "surplus", "--imbalance", "shortage")
    v2g.write(case, tmp_path / "known.nc")
    done = run("import", *words, "--into", tmp_path / "known.nc", "-o", tmp_path / "new.nc")
    assert done.exit_code == 0, done.output
    assert list(v2g.read(tmp_path / "new.nc")["vintage"].data_vars) == ["fleet.charge_max"]


def test_the_only_other_price_is_the_market(run, stays, prices, tmp_path):
    """Of three prices two settle imbalance: the third is the market, without a word."""
    done = imported(
        run, stays, prices, tmp_path, "--imbalance", "surplus", "--imbalance", "shortage"
    )
    assert done.exit_code == 0
    columns = [
        w
        for c in ("arrival=from", "departure=to", "energy=kwh", "power_max=kw")
        for w in ("--column", c)
    ]
    words = ("--timezone", "Europe/Rome", "--prices", tmp_path / "spot.nc", "--assume", "defaults")
    words += ("--imbalance", "surplus", "--imbalance", "shortage")
    done = run("import", "sessions", stays, *columns, *words, "-o", tmp_path / "bare.nc")
    assert done.exit_code == 0, done.output
    assert list(v2g.read(tmp_path / "bare.nc")["energy"].market.values) == ["spot"]


def test_hours_without_an_imbalance_price_are_named():
    """A gap is told with its hour, like one of the market; nothing is filled in."""
    time = pd.date_range("2026-03-02 23:00", periods=24, freq="h", name="time")
    from_file = {
        "day_ahead": ("time", np.full(24, 50.0)),
        "settled": ("time", np.r_[np.nan, np.full(23, 60.0)]),
    }
    prices = (
        commuters(vehicles=1, days=1, start="2026-03-03")["energy"].to_dataset().drop_dims("market")
    )
    prices = prices.drop_vars("time", errors="ignore").assign(from_file).assign_coords(time=time)
    with pytest.raises(SchemaError, match="no price at 2026-03-02 23:00"):
        commuters(
            vehicles=1,
            days=1,
            start="2026-03-03",
            prices=prices,
            regulation=None,
            imbalance="settled",
        )
