"""Fleets known by the share that is plugged in."""

import numpy as np
import pytest
import xarray as xr
from reference_data import reference
from sessions_made import steps

import v2g_linopy as v2g
from v2g_linopy.data import from_availability
from v2g_linopy.errors import Infeasible, SchemaError

CAR = {"vehicles": 10, "capacity": 30.0, "charge_max": 7.2}


def share(*rows):
    return xr.DataArray(
        np.array(rows),
        coords={"fleet": [f"f{k}" for k in range(len(rows))], "time": steps(len(rows[0]))},
    ).rename("availability")


def test_limits_follow_the_share():
    """10 cars of 30 kWh and 7.2 kW, half plugged in, 80 % usable: 36 kW, 30 to 150 kWh; 300 kWh at
    the start.
    """
    fleet = from_availability(share([1.0, 0.5]), contract_limit=0.8, **CAR)
    assert fleet.charge_max.values.tolist() == [[72, 36]]
    assert fleet.discharge_max.values.tolist() == [[72, 36]]
    assert fleet.energy_min.values[0] == pytest.approx([60, 30])
    assert fleet.energy_max.values.tolist() == [[300, 150]]
    assert fleet.energy_initial.values.tolist() == [300]
    assert fleet.aggregate.values.tolist() == [1] and "slack_cost" not in fleet
    assert np.isnan(fleet.unserved_cost.values).all(), "the floor is hard unless a cost is given"


def test_parameters_per_fleet_and_percent():
    """A mapping names the fleets; a share in % is read as such."""
    k = share([50.0, 50.0], [100.0, 0.0])
    k.attrs["units"] = "%"
    fleet = from_availability(
        k, **CAR | {"vehicles": {"f0": 10, "f1": 20}}, start=0.05, slack_cost=10.0
    )
    assert fleet.charge_max.values.tolist() == [[36, 36], [144, 0]]
    assert fleet.energy_initial.values.tolist() == [15, 30]
    assert fleet.slack_cost.values.tolist() == [10, 10]


def test_every_fault_is_listed():
    with pytest.raises(SchemaError) as error:
        from_availability(share([1.0, 1.8], [np.nan, 0.5]), **CAR)
    assert [p.detail for p in error.value.problems] == [
        "fleet f0: 1.8 at 2026-01-05 01:00:00 (1 such steps), allowed [0, 1]",
        "fleet f1: nan at 2026-01-05 00:00:00 (1 such steps), allowed [0, 1]",
    ]
    with pytest.raises(SchemaError) as error:
        from_availability(
            share([1.0, 0.5]),
            vehicles=-1,
            capacity={"x": 1.0},
            charge_max=7.2,
            eta_charge=0.0,
            start=2,
        )
    assert {p.where for p in error.value.problems} == {
        "vehicles",
        "capacity",
        "eta_charge",
        "start",
    }
    with pytest.raises(SchemaError, match="labelled dimensions fleet and time"):
        from_availability(xr.DataArray([1.0, 0.5], dims="time"), **CAR)


def arbitrage(hours, profile, start, slack_cost):
    data = xr.load_dataset(reference("fleet_arbitrage_2024.nc")).isel(time=slice(0, hours))
    fleet = from_availability(
        data[f"availability_{profile}"],
        vehicles=1000,
        capacity=30.0,
        charge_max=7.2,
        contract_limit=0.8,
        eta_charge=0.85,
        eta_discharge=0.78,
        start=start,
        slack_cost=slack_cost,
        aggregate=False,
    )
    price = data.price.sel(case="case0", drop=True).expand_dims(market=["day_ahead"])
    energy = xr.Dataset({"price": price, "limit": ((), 1e6, {"units": "kW"})})
    return v2g.assemble(data.indexes["time"], {"fleet": fleet, "energy": energy}, currency="USD")


def test_published_day_of_four_fleets():
    """Four fleets of 1000 cars, 24 h: the published optimum."""
    assert v2g.solve(arbitrage(24, "multiple", 1.0, None)).attrs["objective"] == pytest.approx(
        5299.902162, rel=1e-8
    )


def test_a_steep_fall_leaves_no_plan_without_slack():
    """From 5 % of the energy the commercial fleets cannot follow their share: no plan without
    slack.
    """
    with pytest.raises(Infeasible):
        v2g.solve(arbitrage(168, "commercial", 0.05, None), complementarity="off")
