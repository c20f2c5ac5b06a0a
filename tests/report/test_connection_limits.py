"""The limit of a connection: hours at it, and what one kW more is worth, tried by solving again."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, storage, vehicle

import v2g_linopy as v2g
from v2g_linopy.report import tables
from v2g_linopy.report.page import write


def wider(tree: xr.DataTree, way: str) -> xr.DataTree:
    more = tree.copy()
    group = more["connection"].to_dataset()
    more["connection"] = group.assign({f"{way}_max": group[f"{way}_max"] + 1.0})
    return more


def test_hours_at_the_limit_and_a_kw_more(no_pictures):
    """15 kWh behind 6 kW: 6 at 20 and 6 at 30 EUR/MWh in two hours at the limit, 3 at 60. With 7 kW
    two kWh less are bought at 60: 0.12 - 0.02 - 0.03 = 0.07 EUR.
    """
    car = vehicle(energy_min=[0.0, 0.0, 15.0])
    limits = {"import_max": 6.0, "export_max": 50.0}
    tree = case(car, market([30.0, 20.0, 60.0]), connection=limits)
    result = v2g.solve(tree)
    table = tables.connection_limits(result).set_index("way")
    assert table.loc["import", ["limit", "most", "hours", "worth"]].tolist() == pytest.approx(
        [6.0, 6.0, 2.0, 0.07]
    )
    assert table.loc["export", ["hours", "worth"]].tolist() == pytest.approx([0.0, 0.0])
    gain = v2g.solve(wider(tree, "import")).attrs["objective"] - result.attrs["objective"]
    assert gain == pytest.approx(0.07)
    text = write.render(result)
    assert "hours at the limit" in text and '<td class="n">0.07</td>' in text
    assert tables.kpi(result)["connection_limits"][0]["hours"] == 2.0


@pytest.mark.parametrize("way", ["import", "export"])
def test_a_kw_more_earns_no_more_than_is_said(way):
    """Also where reserves need the room below a limit."""
    rng = np.random.default_rng(2)
    tree = case(
        vehicle(discharge_max=10.0, energy_initial=10.0, energy_min=[0.0] * 5 + [20.0]),
        market([*rng.uniform(10, 90, 6)]),
        product(up=1.0, down=1.0, capacity_price=[*rng.uniform(0, 60, 6)]),
        connection={"import_max": 9.0, "export_max": 8.0},
        battery=storage(energy_initial=5.0),
    )
    result = v2g.solve(tree)
    worth = tables.connection_limits(result).set_index("way").loc[way, "worth"]
    gain = v2g.solve(wider(tree, way)).attrs["objective"] - result.attrs["objective"]
    assert worth > 0.01, "the limit binds"
    assert gain <= worth + 1e-9


def test_a_connection_without_limit_has_no_row():
    result = v2g.solve(case(vehicle(), market([1.0, 2.0]), connection={"fixed_cost": 0.0}))
    assert tables.connection_limits(result).empty
