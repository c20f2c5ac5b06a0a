"""What an import replaces, it replaces whole: numbers, source, assumptions, zone."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.data import with_prices, with_profiles

CASES = {
    "commuters": lambda: v2g.commuters(vehicles=1, days=1),
    "sequential": lambda: v2g.sequential(vehicles=1, days=1),
    "depot": lambda: v2g.depot(vehicles=1, days=1, reserve=True),
}
MARKETS = {"sequential": ["day_ahead", "intraday"]}
HELSINKI = {"timezone": "Europe/Helsinki"}


def series(case: xr.DataTree, value: float, names: list[str], unit: str, **attrs) -> xr.Dataset:
    time = case.to_dataset().indexes["time"]
    arrays = {name: ("time", np.full(len(time), value), {"units": unit}) for name in names}
    return xr.Dataset(arrays, {"time": time}, attrs)


def same_files(one: xr.DataTree, other: xr.DataTree, folder) -> None:
    """Written and read, both have the same groups, arrays and attributes."""
    stored = []
    for k, case in enumerate((one, other)):
        v2g.write(case, folder / f"{k}.nc", overwrite=True)
        stored.append(v2g.read(folder / f"{k}.nc"))
    for tree in stored:
        tree.attrs.pop("history")
    assert list(stored[0].children) == list(stored[1].children)
    xr.testing.assert_identical(*stored)


@pytest.mark.parametrize(
    ("template", "settled", "first", "second"),
    [
        ("commuters", False, HELSINKI | {"notes": "An hour was held."}, {"notes": "Two were."}),
        ("commuters", True, {}, HELSINKI),
        ("sequential", True, {"notes": "One note."}, {"notes": "One note."}),
        ("depot", False, HELSINKI, {"notes": "One note."}),
    ],
)
def test_prices_a_then_b_are_prices_b(template, settled, first, second, tmp_path):
    """Whatever A brought is gone after B: no word, no zone, no forecast of A stays."""
    case = CASES[template]()
    markets = MARKETS.get(template, ["day_ahead"])
    settling = ["balance"] if settled else []
    a, b = (
        series(case, value, [*markets, *settling], "EUR/MWh", **attrs)
        for value, attrs in ((10.0, first), (20.0, second))
    )
    through = with_prices(case, a, markets, settling, source="a.csv")
    through = with_prices(through, b, markets, settling, source="b.csv")
    direct = with_prices(case, b, markets, settling, source="b.csv")
    same_files(through, direct, tmp_path)
    words = direct.attrs["assumptions"] + direct.attrs["source"]
    assert "b.csv" in words and "a.csv" not in words
    of_reserves = "/reserve: Prices are synthetic"  # those of the template are still what they were
    assert "Prices are synthetic" not in words.replace(of_reserves, "")
    assert (of_reserves in words) is (template == "commuters")


@pytest.mark.parametrize("template", ["commuters", "depot"])
def test_reserves_a_then_b_are_reserves_b(template, tmp_path):
    case = CASES[template]()
    a, b = (
        series(case, 5.0, names, "EUR/MW/h", notes=note)
        for names, note in ((["FCR-N"], "One."), (["aFRR up", "aFRR down"], "Two."))
    )
    through = v2g.with_reserves(v2g.with_reserves(case, a, source="a"), b, source="b.csv")
    direct = v2g.with_reserves(case, b, source="b.csv")
    same_files(through, direct, tmp_path)
    assert "/reserve, aFRR up, aFRR down: from b.csv" in direct.attrs["assumptions"]
    assert "One." not in through.attrs["assumptions"]


@pytest.mark.parametrize(
    ("part", "field", "member"),
    [("renewable", "available", "roof"), ("load", "baseline", "hall")],
)
def test_profiles_a_then_b_are_profiles_b(part, field, member, tmp_path):
    """A second import of a member that is there leaves nothing of the first."""
    case = CASES["sequential"]()
    a, b = (
        series(case, value, [member], "kW", notes=note)
        for value, note in ((1.0, "One."), (2.0, "Two."))
    )
    through = with_profiles(case, part, field, a, source="a.csv")
    through = with_profiles(through, part, field, b, source="b.csv")
    same_files(through, with_profiles(case, part, field, b, source="b.csv"), tmp_path)
    assert f"/{part}, {member}: from b.csv." in through.attrs["assumptions"]


def test_words_on_a_member_that_stays_stay():
    """Of two loads of one file one gets other numbers: what was done to the file still holds of the
    other.
    """
    case = v2g.depot(vehicles=1, days=1)
    both = series(case, 1.0, ["hall", "shed"], "kW", notes="Gaps were held.")
    case = with_profiles(case, "load", "baseline", both, source="meters.csv")
    one = with_profiles(case, "load", "baseline", series(case, 2.0, ["hall"], "kW"), source="new")
    lines = one.attrs["assumptions"].splitlines()
    assert "/load, hall: from meters.csv." not in lines
    assert {"/load, hall: from new.", "/load, shed: from meters.csv."} <= set(lines)
    assert "/load: Gaps were held." in lines
    assert one.attrs["source"].split("; ")[-2:] == ["meters.csv", "new"]

    none = with_profiles(one, "load", "baseline", series(case, 2.0, ["shed"], "kW"), source="new")
    assert "Gaps" not in none.attrs["assumptions"] and "meters" not in none.attrs["source"]


def test_the_zone_is_that_of_the_site():
    """Months of a peak tariff are those of the depot in Rome, whatever the exchange's clock; one
    that shows the same hours is no contradiction.
    """
    case = v2g.depot(vehicles=1, days=1)
    helsinki = series(case, 1.0, ["x"], "EUR/MWh", timezone="Europe/Helsinki")
    new = with_prices(case, helsinki, ["x"])
    assert new.attrs["timezone"] == "Europe/Rome"
    assert "days of Europe/Helsinki; days, months and gates" in new.attrs["assumptions"]
    berlin = series(case, 1.0, ["x"], "EUR/MWh", timezone="Europe/Berlin")
    assert "Berlin" not in with_prices(case, berlin, ["x"]).attrs["assumptions"]
    stamps = series(case, 1.0, ["x"], "EUR/MWh", timezone="UTC")
    assert "days of" not in with_prices(case, stamps, ["x"]).attrs["assumptions"]


def test_what_is_of_the_market_stays():
    """Limit, spread and market time unit are the trader's; forecasts of the old prices are not."""
    case = v2g.sequential(vehicles=1, days=1)
    new = with_prices(
        case, series(case, 7.0, MARKETS["sequential"], "EUR/MWh"), MARKETS["sequential"]
    )
    old = case["energy"].to_dataset().drop_vars("price")
    xr.testing.assert_identical(
        new["energy"].to_dataset().drop_vars("price").drop_attrs(), old.drop_attrs()
    )
    assert "energy.price" in case["vintage"] and "energy.price" not in new["vintage"]
    xr.testing.assert_identical(new["gates"].to_dataset(), case["gates"].to_dataset())


def test_words_on_forecasts_go_with_the_last_of_them():
    case = v2g.sequential(vehicles=1, days=1)
    assert "Forecasts are" in case.attrs["assumptions"]
    names = MARKETS["sequential"]
    prices = series(case, 7.0, [*names, "b"], "EUR/MWh")
    new = with_prices(case, prices, names, ["b"])
    new = with_profiles(new, "renewable", "available", series(case, 1.0, ["roof"], "kW"))
    assert "Imbalance pays at least" in case.attrs["assumptions"]
    assert "Imbalance pays at least" not in new.attrs["assumptions"]
    assert "vintage" not in new.children
    assert "orecasts are" not in new.attrs["assumptions"]


def test_a_case_in_pounds_takes_prices_in_pounds():
    case = v2g.commuters(vehicles=1, days=1, regulation=None)
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"])
    market = {"price": (("market", "time"), np.ones((1, len(time)))), "limit": 1.0}
    group = xr.Dataset(market, coords={"market": ["day_ahead"]})
    british = v2g.assemble(time, {"energy": group}, currency="GBP")
    new = with_prices(british, series(british, 3.0, ["x"], "GBP/MWh"), ["x"])
    assert new["energy"]["price"].attrs["units"] == "GBP/MWh"
    v2g.check(new)


def test_a_zone_that_only_prices_told_is_that_of_the_new_prices(tmp_path):
    """Where they tell none it is the one that the case was made with, whatever came between."""
    case = v2g.depot(vehicles=1, days=1)
    case["energy"].attrs["timezone"] = "Europe/Rome"
    a = series(case, 1.0, ["x"], "EUR/MWh", **HELSINKI)
    b = series(case, 2.0, ["x"], "EUR/MWh")
    through = with_prices(case, a, ["x"], source="a")
    assert through.attrs["timezone"] == "Europe/Helsinki"
    assert "days of" not in through.attrs["assumptions"]
    back = with_prices(through, b, ["x"], source="b")
    assert back.attrs["timezone"] == "Europe/Rome"
    same_files(back, with_prices(case, b, ["x"], source="b"), tmp_path)
