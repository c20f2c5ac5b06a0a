"""Battery wear on the page: planned beside counted, the most used first, and the depth of cycles as
a figure.
"""

import numpy as np
import pytest
from cases import case, market, storage, vehicle
from test_figures import labels

import v2g_linopy as v2g
from v2g_linopy.report import tables
from v2g_linopy.report.figures import all as figures
from v2g_linopy.report.figures.style import svg
from v2g_linopy.report.page import write
from v2g_linopy.report.page.content import MOST_BATTERIES
from v2g_linopy.study.wear import with_wear

SQUARE = {"stress_factor": 1.0, "stress_exponent": 2.0, "segments": 1.0, "replacement_cost": 16.0}


@pytest.fixture(scope="module")
def worn():
    """10 kWh of a car at 2000 and 10 kWh of a battery at 1900 EUR/MWh cost 16 EUR each."""
    car = vehicle(energy_max=10, energy_initial=10, charge_max=0, discharge_max=[10, 0], **SQUARE)
    box = storage(energy_initial=10, charge_max=0, discharge_max=[0, 10], **SQUARE)
    return with_wear(
        v2g.solve(
            case(car, market([2000, 1900]), battery={"box": box, "idle": storage(charge_max=0)})
        )
    )


def test_table(worn):
    """The most used first; cost of the unpriced one unknown, not zero."""
    table = tables.wear_table(worn)
    assert list(table["storage"]) == ["fleet.ev", "battery.box", "battery.idle"]
    assert table["efc"].tolist() == pytest.approx([1, 1, 0])
    assert table["cost_counted"].tolist()[:2] == pytest.approx([16, 16])
    assert np.isnan(table["cost_counted"][2])
    assert tables.kpi(worn)["wear"][2]["cost_counted"] is None
    assert tables.kpi(worn)["wear"][0]["price_marginal"] == pytest.approx(3.2)


def test_page(worn):
    """A section with planned and counted wear, and the sum of all; without the group there is
    none.
    """
    text = write.render(worn)
    assert "<h2>Battery wear</h2>" in text
    assert "fleet.ev" in text
    assert '<td class="n">16.00</td><td class="n">16.00</td><td class="n">0.00</td>' in text
    assert "all 3" in text
    assert write.CAPTIONS["cycle_depth"] in text


def test_a_page_without_wear(no_pictures):
    """A result without the group has no section, and its figure says why it is empty."""
    plain = v2g.solve(case(vehicle(), market([10, 20])))
    assert "Battery wear" not in write.render(plain)
    assert "no cycles were counted" in svg(figures.cycle_depth(plain), "cycle_depth").lower()


def test_long_lists_are_cut(worn, no_pictures):
    """More batteries than the page lists are counted in a sentence."""
    many = worn.copy()
    wear = worn["wear"].to_dataset(inherit=False).isel(storage=[0] * (MOST_BATTERIES + 4))
    many["wear"] = wear.assign_coords(storage=[f"battery.{i}" for i in range(MOST_BATTERIES + 4)])
    assert "And 4 more" in write.render(many)


def test_figure(worn):
    """Two kinds of batteries, one full discharge each; both axes say what they count."""
    figure = figures.cycle_depth(worn)
    left, right = figure.axes
    assert max(p.get_y() + p.get_height() for p in left.patches) == 2
    assert max(p.get_y() + p.get_height() for p in right.patches) == pytest.approx(2 * 0.975)
    assert all("cycle" in label for label in labels(figure))
    assert svg(figure, "cycle_depth").startswith("<svg")
