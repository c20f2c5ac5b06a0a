"""The hours that set a peak, against meters read by hand; and the report of a meter with a bill of
its own.
"""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, vehicle

import v2g_linopy as v2g
from v2g_linopy.report import bill, tables
from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.figures.peaks import hourly, priced_pods
from v2g_linopy.report.page import write
from v2g_linopy.report.result_view import ResultView


def metered(power, *, start="2026-01-05", step="1h", timezone="UTC", **tariff):
    """A house that draws this, whose peak costs 10 EUR/kW."""
    house = {"baseline": [float(p) for p in power]}
    return v2g.solve(
        case(
            None, market(0), load=house, connection={"peak_price": 10.0} | tariff,
            start=start, step=step, timezone=timezone,
        )
    )  # fmt: skip


def marked(result):
    """The clock hours that set a peak, by number."""
    return list(np.flatnonzero(hourly(ResultView.of(result), "site")["sets"]))


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [1]), (2, [1, 3]), (3, [1, 2, 3, 4]), (9, [0, 1, 2, 3, 4])]
)
def test_the_largest_hours_are_marked_and_their_equals(count, expected):
    """Hours of 1, 8, 5, 7 and 5 kW: the two of 5 are as good as each other for the third place."""
    assert marked(metered([1, 8, 5, 7, 5], peak_count=count)) == expected


def test_quarter_hours_make_clock_hours():
    """20 kW for a quarter-hour are 5 in the hour: the next one, 6 throughout, sets the peak."""
    plan = metered([20, 0, 0, 0, 6, 6, 6, 6], step="15min")
    hours = hourly(ResultView.of(plan), "site")
    assert list(hours["import"]) == [5, 6]
    assert marked(plan) == [1]


def test_each_local_month_has_its_own():
    """Rome leaves March at 22:00 UTC: of 9, 4, 3 and 5 kW from 20:00 on, 9 is of March and 5 of
    April.
    """
    plan = metered([9, 4, 3, 5], start="2026-03-31T20:00", timezone="Europe/Rome")
    assert marked(plan) == [0, 3]
    figure = figures.peaks(plan)
    assert {t.get_text() for t in figure.axes[0].texts} == {"2026-03: 9 kW", "2026-04: 5 kW"}
    markers = next(line for line in figure.axes[0].lines if line.get_marker() == "v")
    assert list(markers.get_xdata()) == [0.5, 3.5]
    assert list(markers.get_ydata()) == [9, 5]


def test_the_repeated_hour_is_two_hours():
    """October repeats an hour: 2 kW in the first and 4 in the second are two hours, not one of
    6.
    """
    plan = metered([1, 2, 4, 1], start="2026-10-24T23:00", timezone="Europe/Rome")
    assert list(hourly(ResultView.of(plan), "site")["import"]) == [1, 2, 4, 1]
    assert marked(plan) == [2]


def test_of_a_day_the_largest_hour_counts():
    """By days with K = 2: the 7 of the first day and the 3 of the second, not the 6 beside the
    7.
    """
    power = [6.0, 7.0, *[0.0] * 22, 3.0, 1.0]
    assert marked(metered(power, peak_count=2, peak_period="day")) == [1, 24]


def test_an_hour_counts_with_its_weight():
    """10 kW at night with weight 0.5 are less than 6 by day."""
    assert marked(metered([10, 6], peak_weight=[0.5, 1.0])) == [1]


def test_one_who_draws_nothing_has_no_peak():
    plan = metered([0, 0])
    assert marked(plan) == []
    assert figures.peaks(plan).axes


def test_of_several_pods_the_dearest():
    """8 kW at 10 EUR/kW come before 20 kW at 1; a pod without a price is none of them."""
    load = {
        "a": {"baseline": [20.0], "pod": "a"},
        "b": {"baseline": [8.0], "pod": "b"},
        "c": {"baseline": [9.0], "pod": "c"},
    }
    meters = {"a": {"peak_price": 1.0}, "b": {"peak_price": 10.0}, "c": {"peak_price": 0.0}}
    plan = v2g.solve(case(None, market(0), load=load, connection=meters))
    assert priced_pods(ResultView.of(plan)) == ["b", "a"]
    assert "one of 2 pods" in figures.peaks(plan).axes[0].get_title(loc="left")
    assert "(a," in figures.peaks(plan, pod="a").axes[0].get_title(loc="left")
    assert not figures.peaks(plan, pod="c").axes[0].axison
    assert (
        priced_pods(
            ResultView.of(v2g.solve(case(None, market(0), load={"house": {"baseline": [1.0]}})))
        )
        == []
    )


@pytest.fixture(scope="module")
def supplied() -> xr.DataTree:
    """A car behind a meter with a supply contract, no market: 10 kWh in the one hour of its stay,
    taxed.

    By hand: 10 kWh at 100 EUR/MWh, 50 of tax, 20 % VAT on both, 10 kW of peak at 2 EUR/kW, VAT on
    that as well, and 8760 EUR/year over 3 hours: 1 + 0.5 + 0.3 + 20 + 4 + 3 = 28.80 EUR."""
    car = vehicle(energy_min=[0.0, 10.0, 0.0], charge_max=[0.0, 10.0, 0.0], energy_max=10.0)
    contract = {
        "supply_price": [200.0, 100.0, 300.0],
        "feed_in_price": 0.0,
        "tax": 50.0,
        "vat": 0.2,
    }
    contract |= {"peak_price": 2.0, "fixed_cost": 8760.0}
    return v2g.solve(case({"ev": car}, None, connection=contract, start="2026-01-31T22:00"))


def test_a_meter_with_a_bill_of_its_own(supplied):
    """Two hours of January and one of February: the fixed cost is shared by hours, the rest is of
    January.
    """
    assert supplied.attrs["profit"] == pytest.approx(-28.8)
    table = bill.monthly(supplied)
    assert table["amount"].sum() == pytest.approx(-28.8)
    assert set(table.loc[table["amount"] != 0, "pod"]) == {"site"}
    cell = table.set_index(["entry", "month"])["amount"]
    assert cell["connection.fixed", "2026-01"] == pytest.approx(-2)
    assert cell["connection.fixed", "2026-02"] == pytest.approx(-1)
    assert cell["connection.peak", "2026-01"] == pytest.approx(-20)
    assert cell["connection.supply", "2026-01"] == pytest.approx(-1)
    prices = tables.kpi(supplied)["prices"]
    assert (prices["market"], prices["mean"], prices["charging"]) == ("supply", 200, 100)


def test_the_page_of_a_supplied_meter(supplied):
    """The peak and the months stand on it; no market is named that is not there."""
    text = write.render(supplied)
    assert write.CAPTIONS["peaks"] in text
    assert write.CAPTIONS["price_response"] in text
    assert "2026-02" in text
    assert "day-ahead" not in text
    assert len(tables.bids(supplied)) == 0
