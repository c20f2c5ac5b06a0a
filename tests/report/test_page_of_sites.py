"""The page of a result of two levels: rounds, sites and what they are paid, and the bands."""

import html
import re

import pytest
from cases import case, market

import v2g_linopy as v2g
from v2g_linopy.report.page.write import render


@pytest.fixture(scope="module")
def page():
    """Two roofs of 10 kW, one of which costs 0.05 EUR/kWh, and a market of 12 kW at 100 EUR/MWh."""
    roofs = {
        "near": {"available": 10.0, "pod": "near"},
        "far & away": {"available": 10.0, "cost": 0.05, "pod": "far & away"},
    }
    tree = case(None, market([100.0], limit=12.0), renewable=roofs, timezone="Europe/Rome")
    result = v2g.with_values_alone(v2g.solve(tree, method="sites"))
    result["flexibility_bands"] = v2g.flexibility(tree, nodes=0)["flexibility_bands"]
    result.attrs |= {"bid_note": "bids look at nothing", "policy_note": "no row binds"}
    return render(result)


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
    for words in ("Rounds. Left: what the best mix", "Bands of the portfolio.", "Bands of near."):
        assert f'aria-label="{words}' in page
    assert "local time, 2026 (Europe/Rome)" in page and "<summary>far &amp; away</summary>" in page


def test_notes_of_an_operation_are_shown(page):
    """How day-ahead bids were made, and what a rule does not look at."""
    assert "<p>bids look at nothing.</p>" in page and "<p>no row binds.</p>" in page


def test_a_plan_without_sites_says_nothing_of_them():
    """One model: no section."""
    assert "The sites" not in render(
        v2g.solve(case(None, market([100.0]), renewable={"available": 1.0}))
    )
