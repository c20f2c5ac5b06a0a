"""Contracts in the report: who took one, what came of it, and pictures of a study."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from contracts_made import full_cars, menu, parked

import v2g_linopy as v2g
from v2g_linopy.report.figures.gain_map import gain_map
from v2g_linopy.report.figures.positions_and_gains import positions_over_time
from v2g_linopy.report.figures.style import svg
from v2g_linopy.report.page import content, write
from v2g_linopy.report.result_view import ResultView

OPTIONS = {"policy": "rule", "forecast": "perfect", "bids": "none", "hindsight": False}


@pytest.fixture(scope="module")
def operated():
    """At 4 kW in one dear hour a low type gives 2 kWh of 2 and a high one 4 of 9; one leaves early
    on and has no contract.
    """
    kinds = ("session", ["low", "high", "high"])
    cars = full_cars((0, 8), (0, 8), (0, 2), discharge_max=4.0).assign(type=kinds)
    price = [5.0, 5.0, 90.0, 30.0, *[5.0] * 20]
    return v2g.simulate(parked(cars, price), contracts=menu(), **OPTIONS)


def test_the_page_says_what_became_of_the_menu(operated):
    rows = content.contract_rows(ResultView.of(operated))
    assert [row["name"] for row in rows["rows"]] == ["low", "high"]
    energy, called, paid, per_kwh = (rows["rows"][1]["cells"][k] for k in (1, 4, 6, 7))
    assert (energy, called, paid, per_kwh) == ("9.00", "4.00", "0.06", "0.0150")
    # 4 kWh for 0.06 EUR are 0.02 more to the low type, which asks 0.01, than nothing by its own
    low = rows["preferred"][0]
    assert (low["name"], low["prefers"], low["cells"]) == ("low", "high", ["0.0000", "0.0200"])
    middle = rows["preferred"][1]
    assert middle["cells"][0] == "–", "nobody took the contract of the middle type"

    page = write.render(operated)
    assert "Contracts with owners" in page and "Who took a contract" in page
    assert "stays too short" in page
    assert "nan" not in re.sub("unmanaged", "", page)


def test_a_result_without_contracts_has_no_such_section():
    plain = v2g.simulate(parked(full_cars((0, 8))), **OPTIONS)
    assert content.contract_rows(ResultView.of(plain)) == {"rows": [], "preferred": []}


@pytest.mark.parametrize(
    ("days", "unit", "first"), [(14, "kW", "Mon"), (60, "kWh a day", "Jan")], ids=["days", "months"]
)
def test_positions_are_steps_of_days_and_days_of_months(days, unit, first):
    """Two weeks are drawn hour by hour; two months, across a change of the clock, as sums of days
    which are 24 times a steady 2 kW, and 46 kWh on the day that lacks an hour.
    """
    start = "2026-03-01 23:00" if days == 14 else "2026-02-28 23:00"
    time = pd.date_range(start, periods=24 * days, freq="h")
    power = xr.Dataset(
        {
            n: (("run", "time"), np.full((1, len(time)), x))
            for n, x in (("day_ahead", -2.0), ("imbalance", 0.0), ("drawn", 2.0))
        },
        {"run": ["V2G"], "time": time},
    )
    (axes,) = positions_over_time(power, "Europe/Amsterdam").axes
    assert axes.get_ylabel() == unit
    values = axes.patches[-1].get_data().values
    assert axes.get_xticklabels()[0].get_text().startswith(first if days == 14 else ("Sun", "Mar"))
    if days == 14:
        assert set(values) == {-2.0}
    else:
        assert sorted({*np.round(values, 6)}) == [-48.0, -46.0, -2.0]


def test_the_line_of_no_gain_stands_between_signs():
    """Gains of -1 and 1 at spreads of 0 and 1: the line is at 0.5."""
    axes = {"spread": [0.0, 1.0], "payment_scale": [0.0, 1.0]}
    gain = xr.DataArray([[-1.0, -1.0], [1.0, 1.0]], axes, ("spread", "payment_scale"))
    found = xr.Dataset({"gain": gain.assign_attrs(units="EUR")})
    (line,) = [
        x
        for x in gain_map(found).axes[0].collections
        if hasattr(x, "get_array") and len(x.get_paths()) == 1 and x.get_linewidth()[0] == 2.0
    ]
    assert {*line.get_paths()[0].vertices[:, 0]} == {0.5}
    flat = svg(gain_map(found.assign(gain=abs(gain).assign_attrs(units="EUR"))), "map")
    assert flat.startswith("<svg")
