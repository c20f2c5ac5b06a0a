"""The distribution of profit over scenarios: sorted, without penalties, on the axes it claims."""

import pytest
import xarray as xr
from report.made_results import result

from v2g_linopy.report import tables
from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.figures.distribution import distribution


def uneven() -> xr.DataTree:
    """Three scenarios at 5, -3 and 1 EUR; a lump sum of 1 EUR counts in each, a penalty of -100 and
    the weight of risk in none."""
    plan = result(scenarios=3, ladder=False)
    axis = {"scenario": plan["scenario"].to_numpy()}
    money = xr.DataArray([5.0, -3.0, 1.0], coords=axis, dims="scenario")
    entries = {
        "energy.energy": money,
        "connection.fixed": 1.0,
        "fleet.slack.unserved": -100.0,
        "risk.adjustment": -7.0,
    }
    plan["ledger"] = xr.Dataset(entries, coords=axis)
    plan["probability"] = xr.DataArray([0.25, 0.25, 0.5], coords=axis, dims="scenario")
    return plan


def test_profits_are_sorted_with_their_tail():
    """Profits 6, -2, 2 at 1/4, 1/4, 1/2: mean 2; the worst 5 % is the second scenario alone, -2."""
    found = distribution(uneven())
    assert [row["profit"] for row in found["scenarios"]] == [-2, 2, 6]
    assert [row["probability"] for row in found["scenarios"]] == [0.25, 0.5, 0.25]
    assert (found["mean"], found["value_at_risk"], found["cvar"]) == pytest.approx((2, -2, -2))
    assert tables.kpi(uneven())["profit_distribution"]["confidence"] == 0.95


def test_the_confidence_is_that_of_the_case():
    """At 0.5 the worst half is -2 and half of the middle one, 2: mean 0, value at risk 2."""
    plan = uneven()
    plan["risk"] = xr.Dataset({"weight": 0.5, "confidence": 0.5})
    found = distribution(plan)
    assert (found["value_at_risk"], found["cvar"]) == pytest.approx((2, 0))


def test_the_figure_shows_what_the_table_says():
    """Lines at mean, value at risk and CVaR; the steps are as wide as the scenarios are likely."""
    (axes,) = figures.profit_distribution(uneven()).axes
    heights = [line.get_ydata()[0] for line in axes.get_lines()]
    assert heights[:3] == pytest.approx([2, -2, -2])
    assert axes.patches[0].get_data().edges == pytest.approx([0, 25, 75, 100])


def test_without_scenarios_there_is_none():
    assert distribution(result()) is None
    assert tables.kpi(result())["profit_distribution"] is None
