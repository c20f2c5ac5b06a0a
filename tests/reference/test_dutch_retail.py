"""Two weeks of public sessions in the Netherlands, and what their drivers pay."""

import numpy as np
import pytest
import xarray as xr
from reference_data import reference

import v2g_linopy as v2g
from v2g_linopy import data

RETAIL = 0.13  # EUR/kWh


@pytest.fixture(scope="module")
def fortnight() -> xr.DataTree:
    """Stays wholly inside 4 to 17 March 2019, at 11 kW and 0.95, cars that leave at 97 %."""
    prices = data.read_netcdf_prices(
        reference("nl_prices_2019.nc"), ambiguous="both", nonexistent="drop"
    )
    sessions = data.read_netcdf_sessions(reference("nl_sessions_2019.nc"))
    charged = 0.95 * sessions["energy"]
    capacity = np.maximum(60.0, charged / 0.97)
    columns = {
        "capacity": capacity,
        "energy_need": 0.97 * capacity,
        "energy_arrival": (0.97 * capacity - charged).clip(min=0),
    }
    stays = sessions[["arrival", "departure"]].assign(
        {name: x.assign_attrs(units="kWh") for name, x in columns.items()}
        | {"charge_max": 11.0, "eta_charge": 0.95}
    )
    days = {"start": "2019-03-04", "end": "2019-03-18", "timezone": "Europe/Amsterdam"}
    return v2g.case_from_sessions(stays, prices, **days, need="cap", wear=0.0, retail_price=RETAIL)


def test_two_weeks_of_drivers_pay_for_what_they_need(fortnight):
    """349 stays that need 4627.08 kWh at the grid, at 0.13 EUR/kWh: 601.5207 EUR, whatever the
    plan.
    """
    assert fortnight["sessions"].sizes["session"] == 349
    billed = float(fortnight["fleet"].need_billed.sum())
    assert RETAIL * billed == pytest.approx(601.5207, abs=5e-5)
    smart = v2g.solve(fortnight)
    assert smart["audit"].attrs["passed"]
    assert float(smart["ledger"]["fleet.drivers"].sum()) == pytest.approx(601.5207, abs=5e-5)
    assert float(smart["fleet"].charge.sum()) == pytest.approx(billed)


def test_on_net_energy_batteries_are_filled(fortnight):
    """Paid for what is drawn, 0.13 EUR is more than most prices: nearly all of the 3 % of each
    battery that nobody needs is filled as well.
    """
    net = fortnight.copy()
    net["fleet"] = xr.DataTree(net["fleet"].to_dataset().drop_vars("need_billed"))
    more = float(v2g.solve(net)["fleet"].charge.sum() - fortnight["fleet"].need_billed.sum())
    room = float((0.03 * fortnight["sessions"].capacity).sum()) / 0.95
    assert 0.9 * room < more <= room
