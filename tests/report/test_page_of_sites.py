"""The page of a result of two levels: rounds, sites and what they are paid, and the bands."""

import html
import json
import re
from pathlib import Path

import pytest
from cases import case, market, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.cli.solve import summary
from v2g_linopy.report import tables
from v2g_linopy.report.page.write import render


@pytest.fixture(scope="module")
def solved():
    """Two roofs of 10 kW, one of which costs 0.05 EUR/kWh, and a market of 12 kW at 100 EUR/MWh."""
    roofs = {
        "near": {"available": 10.0, "pod": "near"},
        "far & away": {"available": 10.0, "cost": 0.05, "pod": "far & away"},
    }
    tree = case(None, market([100.0], limit=12.0), renewable=roofs, timezone="Europe/Rome")
    result = v2g.with_values_alone(v2g.solve(tree, method="sites"))
    result["flexibility_bands"] = v2g.flexibility(tree, nodes=0)["flexibility_bands"]
    result.attrs |= {"bid_note": "bids look at nothing", "policy_note": "no row binds"}
    return result


@pytest.fixture(scope="module")
def page(solved):
    """Its page."""
    return render(solved)


def rows(page):
    """The table of sites, cell by cell."""
    section = page[page.index("<h2>The sites</h2>") :]
    table = section[section.index("<tbody>") : section.index("</tbody>")]
    found = re.findall(r"<tr.*?</tr>", table, flags=re.DOTALL)
    return [[html.unescape(c) for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", x)] for x in found]


def test_what_each_site_is_asked_and_paid(page):
    """The numbers of `test_site_values.py`: paid 0.10 and 0.50, 0.60 left, 1.10 in all, and the
    same 1.10 by equal shares.
    """
    far, near, left, profit = rows(page)
    assert far == ["far & away", "2", "0", *far[3:5], "−0.10", "0.10", "0.00", "0.50", "0.30"]
    assert near == ["near", "10", "0", "1", "1.00", "0.00", "0.50", "0.50", "1.00", "0.80"]
    assert left[7] == "0.60" and profit[7] == profit[9] == "1.10"


def test_how_it_was_proved(page):
    """Value, bound and gap in words; both figures with what they show, read out in their place."""
    assert "no plan more than 1.10 EUR" in page and "0.60 EUR are left with the portfolio" in page
    for words in (
        "Rounds. Left: what the best mix",
        "Weights. Each row is a site",
        "Bands of the portfolio.",
        "Bands of near.",
    ):
        assert f'aria-label="{words}' in page
    assert "local time, 2026 (Europe/Rome)" in page and "<summary>far &amp; away</summary>" in page


def told(result, page):
    """The group `rounds` of `kpi.json`; its sentences stand in the terminal and on the page."""
    words, shown = summary(result, Path("out"), ["result.nc"]), html.unescape(page)
    kpi = json.loads(json.dumps(tables.kpi(result), allow_nan=False))["rounds"]
    lines = words.splitlines()[1:4]
    assert [f"<p>{line}</p>" in shown for line in lines] == [True] * 3
    for name in ("Rounds. Left", *(["Weights."] if "sites" in kpi else [])):
        assert f'aria-label="{name}' in shown
    return kpi, lines


def test_sites_are_told_in_one_way(solved, page):
    """Value, bound and gap of two roofs, and who planned: in the terminal, on the page and in
    `kpi.json` the same.

    First the cheap roof and the dear one both sell 10 kW, 8 more than the market takes; 1.10 EUR is
    the worth of 12 kW at 0.1, less 2 kWh at 0.05.
    """
    found, lines = told(solved, page)
    assert found["value"] == approx(1.1) == found["bound"] and found["certified_gap"] < 1e-9
    assert found["rounds"] == solved["decomposition"].sizes["round"] > 1
    assert (found["sites"], found["processes"], found["missing_kW"]) == (2, 1, 0)
    assert (found["rounds_that_lack_power"], found["most_missing_kW"]) == (1, approx(8.0))
    assert lines[0].startswith(f"2 sites planned by themselves at prices, in {found['rounds']} ")
    assert "worth 1.10 EUR, no plan more than 1.10 EUR" in lines[1]
    assert (
        lines[2]
        == "1 round lacked power or had too much, by up to 8 kW; at the end none is missing."
    )


def test_vehicles_are_told_in_one_way():
    """Two cars need 20 kWh each behind 15 kW: 15 kWh at 20, 15 at 30 and 10 at 50 EUR/MWh, 1.25
    EUR. Both at once want 20 kW, 5 more than there is.
    """
    cars = {name: vehicle(energy_min=[0, 0, 0, 20]) for name in "ab"}
    tree = case(cars, market([50, 20, 30, 60]), None, {"import_max": 15.0})
    result = v2g.solve(tree, method="decompose")
    found, lines = told(result, render(result))
    assert found["value"] == approx(-1.25) == found["bound"]
    assert (found["vehicles_one_by_one"], found["vehicles_in_batches"]) == (2, 0)
    assert found["most_missing_kW"] == approx(5.0) and found["missing_kW"] == 0
    assert lines[0].endswith("of prices and plans: 2 one by one.")
    assert "worth −1.25 EUR, no plan more than −1.25 EUR" in lines[1]
    alone = v2g.solve(case(cars, market([50, 20, 30, 60])), method="oracle")
    assert "No power is missing, in any round." in summary(alone, Path("out"), [])


def test_notes_of_an_operation_are_shown(page):
    """How day-ahead bids were made, and what a rule does not look at."""
    assert "<p>bids look at nothing.</p>" in page and "<p>no row binds.</p>" in page


def test_a_plan_without_sites_says_nothing_of_them():
    """One model: no section, no line in the terminal, nothing in `kpi.json`."""
    result = v2g.solve(case(None, market([100.0]), renewable={"available": 1.0}))
    assert "The sites" not in (text := render(result)) and "how it was found" not in text.lower()
    assert "no plan more than" not in summary(result, Path("out"), [])
    assert tables.kpi(result)["rounds"] is None
