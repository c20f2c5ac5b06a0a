"""One money in a case: that of its prices."""

import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.data import with_prices
from v2g_linopy.data.sessions.currency import currency_of_prices
from v2g_linopy.errors import SchemaError


def prices(time: pd.DatetimeIndex, **units: str) -> xr.Dataset:
    """Constant prices of 20 in the units given."""
    columns = {name: ("time", [20.0] * len(time), {"units": unit}) for name, unit in units.items()}
    return xr.Dataset(columns, coords={"time": time})


HOURS = pd.date_range("2026-03-02", periods=24, freq="h", name="time")


@pytest.mark.parametrize(
    ("units", "money"),
    [
        (["p/kWh"], "GBP"),
        (["öre/kWh"], "SEK"),
        (["öre/kWh", "NOK/MWh"], "NOK"),  # öre are of the money that another price names
        (["ct/kWh"], "EUR"),
        (["CZK/MWh", "CZK/kWh"], "CZK"),
        ([], "EUR"),
    ],
)
def test_money_of_prices(units, money):
    """Major units name it, minor ones follow."""
    read = prices(HOURS, **{f"price_{k}": unit for k, unit in enumerate(units)})
    assert currency_of_prices(read) == money


def test_prices_in_two_currencies():
    """Both are named."""
    with pytest.raises(SchemaError, match=r"prices.a\s+in p/kWh, other prices in SEK"):
        currency_of_prices(prices(HOURS, a="p/kWh", b="SEK/MWh"))


def test_a_case_without_amounts_changes_its_money():
    """Where wear is 0 and nothing else costs, SEK take the place of EUR in every unit; the case
    that was given stays as it is.
    """
    case = v2g.commuters(
        vehicles=1, days=1, replacement=0.0, retail_price=0.0, unserved_cost=0.0, regulation=None
    )
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    new = with_prices(case, prices(time, spot="SEK/kWh"), ["spot"])
    assert new.attrs["currency"] == "SEK"
    assert float(new["energy"].price.mean()) == 20_000
    assert new["fleet"].wear.attrs["units"] == "SEK/kWh"
    assert v2g.check(new)
    assert case["fleet"].wear.attrs["units"] == "EUR/kWh"
    assert case.attrs["currency"] == "EUR"
    assert v2g.check(case)


def test_imbalance_in_the_money_that_was():
    """Prices of imbalance that stay in EUR keep SEK out."""
    case = v2g.sequential(days=2)
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    read = prices(time, day_ahead="SEK/MWh", intraday="SEK/MWh")
    with pytest.raises(SchemaError, match=r"the prices are in SEK, the case in EUR.*imbalance"):
        with_prices(case, read, ["day_ahead", "intraday"])


def test_sessions_in_another_money():
    """What drivers pay stands in EUR in the table of sessions, the prices are in GBP."""
    stay = {
        "arrival": pd.Timestamp("2026-03-02 08:00"),
        "departure": pd.Timestamp("2026-03-02 12:00"),
        "capacity": 40.0,
        "energy_arrival": 20.0,
        "energy_need": 30.0,
        "charge_max": 10.0,
    }
    sessions = xr.Dataset(
        {name: ("session", [value]) for name, value in stay.items()}, coords={"session": ["a"]}
    )
    paid = sessions.assign(retail_price=("session", [0.3], {"units": "EUR/kWh"}))
    pence = prices(HOURS, day_ahead="p/kWh")
    with pytest.raises(SchemaError, match=r"sessions.retail_price\s+in EUR/kWh, the prices are"):
        v2g.case_from_sessions(paid, pence, timezone="UTC")
    case = v2g.case_from_sessions(sessions, pence, timezone="UTC")
    assert case.attrs["currency"] == "GBP"
    assert float(case["energy"].price.mean()) == pytest.approx(200)
    assert "defaults made for EUR, taken as so many GBP" in case.attrs["assumptions"]
    v2g.check(case)
