"""The waterfall of steps: where each bar begins and ends, and what its page says."""

import matplotlib.colors
import pandas as pd

from v2g_linopy.report.figures.waterfall import SOURCES, profit_waterfall, waterfall_bars
from v2g_linopy.report.page.steps_page import render_steps
from v2g_linopy.study.profit_sources import SOURCES as KNOWN


def steps(**columns: list[float]) -> pd.DataFrame:
    """Retail, energy and owners of a few steps, with their sums."""
    table = pd.DataFrame(columns, index=["retail", "energy", "owners"])
    names = {n: n if k == 0 else f"+ {n}" for k, n in enumerate(table.columns)}
    table = table.rename(columns=names).assign(total=table.sum(axis=1))
    return pd.concat([table, table.sum().rename("sum").to_frame().T])


def test_each_bar_begins_where_the_one_above_ended():
    """Drivers pay 10, energy costs 14: -4. Smart charging saves 6: 2. V2G sells for 3 more and pays
    owners 8: -3. What does not change is no bar.
    """
    table = steps(plain=[10, -14, 0], smart=[0, 6, 0], v2g=[0, 3, -8])
    found = [(bar.label, bar.begin, bar.end) for bar in waterfall_bars(table)]
    assert found == [
        ("plain: retail", 0, 10),
        ("plain: energy", 10, -4),
        ("plain", 0, -4),
        ("smart: energy", -4, 2),
        ("smart", 0, 2),
        ("v2g: energy", 2, 5),
        ("v2g: owners", 5, -3),
        ("v2g", 0, -3),
    ]


def test_the_figure_has_units_a_bar_of_each_change_and_room_for_its_amount():
    table = steps(plain=[10, -14, 0], smart=[0, 6, 0], v2g=[0, 3, -8])
    (axes,) = profit_waterfall(table, "SEK").axes
    assert axes.get_xlabel() == "profit, SEK"
    assert [text.get_text() for text in axes.get_yticklabels()][:2] == [
        "plain: retail",
        "plain: energy",
    ]
    edges = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert edges[1] == (10, -4)
    low, high = axes.get_xlim()
    assert low < -4
    assert high > 10 + 0.1 * 14
    assert "−14.00" in [text.get_text() for text in axes.texts]


def test_every_source_has_a_colour_of_its_own():
    """All of them are told apart by all common kinds of colour vision (Okabe and Ito)."""
    assert list(SOURCES) == list(KNOWN)
    assert len({*map(matplotlib.colors.to_hex, SOURCES.values())}) == len(KNOWN)


def test_nothing_that_changes_is_said():
    assert not profit_waterfall(steps(plain=[0, 0, 0], smart=[0, 0, 0])).axes[0].axison


def test_the_page_says_what_stands_in_the_table():
    """The headline is the last total and how far it is from the first; what is 0 in every step is
    left out; known prices stand beside; markup in a name is text.
    """
    table = steps(plain=[10, -14, 0], smart=[0, 6, 0])
    foresight, places = {"smart": 1.5}, {"smart": "<b>out</b>/result.nc"}
    page = render_steps(table, foresight=foresight, places=places)
    assert "smart earns 2.00 EUR, +6.00 EUR against plain" in page
    assert "<b>owners</b>" not in page
    assert "smart: +1.50 EUR" in page
    assert "&lt;b&gt;out&lt;/b&gt;" in page
    assert "default-src 'none'" in page
    assert "known every price" not in render_steps(table)
