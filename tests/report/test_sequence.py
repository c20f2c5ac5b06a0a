"""A case that was operated: its figures and tables against numbers by hand; a plan looks as it
did.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.patches import StepPatch

import v2g_linopy as v2g
from v2g_linopy.operate.simulate import compare_days
from v2g_linopy.report import tables
from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.figures import sequence
from v2g_linopy.report.page import write
from v2g_linopy.report.result_view import ResultView


@pytest.fixture(scope="module")
def operated() -> xr.DataTree:
    """Two days of sun in Rome, 10 kW forecast, 8 delivered; sold day-ahead at 50, missing power
    costs 80 EUR/MWh.

    Each of the 48 hours 10 kW are sold for 0.50 EUR and 2 kW bought back for 0.16: profit 48 x 0.34
    = 16.32 EUR. With hindsight 8 kW are sold: 48 x 0.40 = 19.20. On 29 March the clock leaps: the
    run has 24 hours of the 28th, the 23 of the 29th and one of the 30th. Decisions: every six hours
    (8) and at the gates of the 28th (on the 27th) and the 30th (10:00 UTC); that of the 29th (11:00
    UTC) is one of the eight."""
    time = pd.date_range("2026-03-27 23:00", periods=48, freq="h", name="time")
    forecast = xr.DataArray(
        np.full((1, 1, 48), 10.0),
        {"vintage": [np.datetime64("2026-03-26", "ns")], "renewable": ["sun"], "time": time},
        ("vintage", "renewable", "time"),
    )
    groups = {
        "renewable": xr.Dataset(
            {"available": (("renewable", "time"), np.full((1, 48), 8.0))}, {"renewable": ["sun"]}
        ),
        "energy": xr.Dataset(
            {"price": ("market", [50.0]), "limit": 100.0}, {"market": ["day_ahead"]}
        ),
        "imbalance": xr.Dataset({"price_long": 20.0, "price_short": 80.0, "limit": 100.0}),
        "gates": xr.Dataset({"hour": ("gate", [12.0])}, {"gate": ["day_ahead"]}),
        "vintage": xr.Dataset({"renewable.available": forecast.assign_attrs(units="kW")}),
    }
    case = v2g.assemble(time, groups, timezone="Europe/Rome", title="sun")
    result = v2g.simulate(case, every=6.0)
    result["stages"] = xr.DataTree(v2g.stage_values(case, result, every=6.0))
    return result


def test_key_figures(operated):
    """Regret is 0.06 EUR in each hour: 24 hours on the 28th, 23 on the 29th, 1 on the 30th."""
    kpi = tables.kpi(operated)["sequence"]
    assert kpi["objective"] == pytest.approx(48 * 0.34)
    assert kpi["objective_hindsight"] == pytest.approx(48 * 0.40)
    assert [day["day"] for day in kpi["by_day"]] == ["2026-03-28", "2026-03-29", "2026-03-30"]
    assert [day["regret"] for day in kpi["by_day"]] == pytest.approx([24 * 0.06, 23 * 0.06, 0.06])
    assert kpi["by_stage"] == [
        {"stage": "day_ahead", "profit": pytest.approx(16.32), "value": None}
    ]


def test_markets_add_up(operated):
    """480 kWh sold for 24 EUR, 96 kWh missing for 7.68: 16.32 in all."""
    market, imbalance = sequence.run_summary(ResultView.of(operated))["markets"]
    assert market == {"name": "day-ahead", "cells": ["480", "0", "24.00"]}
    assert imbalance == {"name": "imbalance", "cells": ["0", "96", "\u22127.68"]}


def test_positions_stand_upon_each_other(operated):
    """10 kW sold above zero, 2 kW missing below, and the line of what was delivered at 8."""
    axes = figures.positions(operated).axes[0]
    stairs = {p.get_label(): p.get_data() for p in axes.patches if isinstance(p, StepPatch)}
    assert stairs["day-ahead"].values == pytest.approx(np.full(48, 10.0))
    assert stairs["imbalance"].values == pytest.approx(np.full(48, -2.0))
    assert stairs["delivered"].values == pytest.approx(np.full(48, 8.0))


def test_regret_by_local_day(operated):
    """Bars as wide as the local days: 24, 23 and 1 hours; the line ends at their sum."""
    top, low = figures.regret(operated).axes
    assert [b.get_height() for b in low.patches] == pytest.approx([1.44, 1.38, 0.06])
    assert [b.get_width() / 0.76 for b in low.patches] == pytest.approx([24, 23, 1])
    assert low.lines[0].get_ydata()[-1] == pytest.approx(2.88)
    assert [b.get_height() for b in top.patches[:3]] == pytest.approx([8.16, 7.82, 0.34])


def test_a_year_is_drawn_by_week(operated):
    """400 days become 58 weeks, the last of one day; the table lists the first days, and their sum
    is of all.
    """
    days = pd.date_range("2026-03-28", periods=400).strftime("%Y-%m-%d")
    long = v2g.assemble(
        pd.date_range("2026-03-27 23:00", periods=400 * 24, freq="h"), {}, timezone="Europe/Rome"
    )
    long["sequence"] = xr.Dataset(
        {n: ("day", np.ones(400)) for n in ("profit", "hindsight", "regret")}, {"day": days}
    )
    long.attrs["decisions"] = 1
    low = figures.regret(long).axes[1]
    assert [b.get_height() for b in low.patches] == [7.0] * 57 + [1.0]
    table = sequence.run_summary(ResultView.of(long))["days"]
    assert table["more"] == 400 - sequence.MOST_DAYS
    left = 400 - sequence.MOST_DAYS
    assert table["rows"][-2] == {"name": f"{left} days more", "cells": [f"{left}.00"] * 3}
    assert table["rows"][-1] == {"name": "in all", "cells": ["400.00"] * 3}


def test_page(operated):
    """The page says that this was operated, and nowhere that the plan knew everything."""
    text = write.render(operated)
    for words in (
        "Markets in sequence",
        "Operated through its gates",
        "With hindsight".lower(),
        "What each market adds",
    ):
        assert words in text
    assert "in 10 decisions" in text
    assert "Perfect foresight is assumed" not in text
    assert "2.88" in text


@pytest.mark.parametrize(
    ("forecast", "gates", "headline"),
    [
        ("naive", True, "Operated through its gates on forecasts, the case earns"),
        ("naive", False, "Operated on forecasts, the case earns"),
        ("perfect", True, "Decided in windows with perfect foresight, the case earns"),
        ("perfect", False, "Decided in windows with perfect foresight, the case earns"),
    ],
)
def test_who_knew_everything_is_not_said_to_be_operated(
    operated, no_pictures, forecast, gates, headline
):
    """Gates are named where the case has some, and foresight where nothing was forecast."""
    run = operated.copy()
    run.attrs["forecast"] = forecast
    if not gates:
        del run["gates"]
    text = write.render(run)
    assert headline in text
    assert ("Perfect foresight is assumed" in text) == (forecast == "perfect")
    assert ("Operated, not planned at once" in text) == (forecast != "perfect")


def test_the_table_by_day_closes_to_the_profit(operated, no_pictures):
    """8.16 + 7.82 + 0.34 = 16.32 by day. A fee of 5 of no single day leaves 11.32, which is the
    profit; a penalty of 2 on one day is part of the regret alone.
    """
    run, best = operated.copy(), operated.copy()
    entries = operated["ledger"].to_dataset(inherit=False)
    one = xr.zeros_like(entries["energy.energy"].sum("market"))
    one[30] = -2.0
    more = {"connection.peak": xr.DataArray(-5.0), "fleet.slack.unserved": one}
    run["ledger"] = xr.DataTree(entries.assign(more))
    run["sequence"] = xr.DataTree(compare_days(run, best))
    run.attrs["profit"] = 11.32
    found = sequence.run_summary(ResultView.of(run))["days"]
    rows = {row["name"]: row["cells"] for row in found["rows"]}
    assert rows["Sun 2026-03-29"] == ["7.82", "7.82", "2.00"]
    assert rows["of no single day (fees of a month or more)"] == ["\u22125.00", "0.00", "5.00"]
    assert rows["in all"] == ["11.32", "16.32", "7.00"]
    assert (
        "Regret counts penalties" in found["note"] and "\u22122.00 EUR as operated" in found["note"]
    )


def test_a_run_without_hindsight(operated, no_pictures):
    """Nothing is said of a regret that nobody knows."""
    plain = operated.copy()
    del plain["sequence"], plain.attrs["regret"], plain.attrs["objective_hindsight"]
    text = write.render(plain)
    assert "Markets in sequence" in text
    assert "regret" not in text


def test_a_plan_is_shown_as_before(no_pictures):
    """A plan has no sequence: no section, no key figure, no column for the gate."""
    time = pd.date_range("2026-03-28", periods=2, freq="h")
    sun = xr.Dataset({"available": ("renewable", [8.0])}, {"renewable": ["sun"]})
    market = xr.Dataset({"price": ("market", [50.0]), "limit": 100.0}, {"market": ["day_ahead"]})
    plan = v2g.solve(v2g.assemble(time, {"renewable": sun, "energy": market}))
    assert tables.kpi(plan)["sequence"] is None
    assert "gate" not in tables.bids(plan)
    text = write.render(plan)
    assert "Markets in sequence" not in text
    assert "Perfect foresight is assumed" in text
