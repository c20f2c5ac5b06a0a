"""What a solve says in a few lines."""

from pathlib import Path

import pytest
from cases import case, market, product, vehicle

import v2g_linopy as v2g
from v2g_linopy.cli.solve import summary
from v2g_linopy.report.page.content import warnings
from v2g_linopy.report.page.write import render
from v2g_linopy.report.result_view import ResultView
from v2g_linopy.report.tables import kpi


@pytest.mark.parametrize(
    ("fields", "is_said"),
    [
        ({}, True),
        ({"guarantee": "endurance", "hours_up": 1.0}, False),
        ({"volume_max": 0.0}, False),
    ],
    ids=["mean calls", "an hour of full call", "none is sold"],
)
def test_reserve_that_rests_on_mean_calls_is_named(fields, is_said):
    """5 kW upward with 20 kWh on board: the summary says so only where nothing more than the mean
    of the calls is backed, and how to see what other calls would break.
    """
    up = product(up=1.0, capacity_price=500.0, volume_max=5.0) | fields
    car = vehicle(discharge_max=5.0, energy_initial=20.0)
    result = v2g.solve(case(car, market([50.0]), up))
    words = summary(result, Path("out"), ["result.nc"])
    assert ("`v2g replay out --random 20`" in words) == is_said
    assert any("mean of the calls" in w for w in warnings(ResultView.of(result))) == is_said


@pytest.mark.parametrize("settlement", ["capacity", "energy"])
def test_what_no_market_pays_is_headed_and_not_scaled_to_a_year(settlement):
    """The published study of commuters says in the first line of the terminal and at the head of
    the page what it is; a day is a day and nothing is shown for a year.
    """
    study = v2g.commuters(1, 1, regulation=v2g.data.Regulation(settlement=settlement))
    result = v2g.solve(study)
    head = "published study: an energy price paid for capacity; not a market"
    assert summary(result, Path("out"), ["result.nc"]).splitlines()[0] == head
    page = render(result)
    assert page.index(head) < page.index("EUR over the horizon") and "and year" not in page
    figures = kpi(result)
    assert figures["not_a_market"] == head and figures["profit_per_unit"] is None


def test_what_has_to_be_bought_back_is_said():
    """2 kWh on board back 2 kW in each of two hours if 2 kWh are bought back in the second: the
    summary and the page say that markets have to sell them.
    """
    up = product(up=1.0, capacity_price=[500.0, 500.0], guarantee="recourse")
    car = vehicle(charge_max=2.0, discharge_max=5.0, energy_initial=2.0, energy_max=2.0)
    result = v2g.solve(case(car, market([50.0, 50.0]), up))
    said = "at most 2 kWh are bought back and 0 kWh sold in a step"
    assert said in summary(result, Path("out"), ["result.nc"])
    assert any(said in note for note in warnings(ResultView.of(result)))
