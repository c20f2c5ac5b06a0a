"""Bands of sites: each value is one that the site can reach, and no other is beyond it."""

import pytest
import xarray as xr
from cases import case, market, storage, vehicle
from pytest import approx

import v2g_linopy as v2g


def bands(tree):
    """The bands of a case."""
    return v2g.flexibility(tree)["flexibility_bands"].to_dataset()


def edges(band, pod, edge):
    """The values of a site along time."""
    return [round(float(x), 6) + 0.0 for x in band.sel(pod=pod, edge=edge)]


def test_a_battery_that_is_half_full():
    """10 kW each way, 10 kWh, half full, efficiency 0.5 each way. In the first hour it takes 10 kW
    (5 kWh into the battery), and gives 2.5 kW (all 5 kWh). Later it takes 10 kW, if it waits, and
    gives 5 kW, if it filled up before. In sum it takes 10 kWh by the first hour, no more by the
    last, and gives 2.5.

    Proves efficiency, and that each value has a plan of its own: 10 kW in each hour is no plan.
    """
    lossy = storage(energy_initial=5.0, eta_charge=0.5, eta_discharge=0.5, pod="hall")
    found = bands(case(None, market([10.0, 10.0]), battery=lossy))
    assert edges(found.power, "hall", "max") == [10, 10]
    assert edges(found.power, "hall", "min") == [-2.5, -5]
    assert edges(found.energy, "hall", "min") == [-2.5, -2.5]
    assert found.attrs["meaning"] == "each value alone can be reached; all together need not be"


def test_burning_energy_is_no_flexibility():
    """A full battery with losses cannot draw anything in the first hour, nor in sum: if it could
    charge and discharge at once it would draw 10 kW and give 2.5, 7.5 kW that are burnt.

    Proves that each value is one of a plan that goes one way at a time.
    """
    full = storage(energy_initial=10.0, eta_charge=0.5, eta_discharge=0.5, pod="hall")
    found = bands(case(None, market([10.0]), battery=full))
    assert edges(found.power, "hall", "max") == [0]
    assert edges(found.power, "hall", "min") == [-5]


def test_sites_add_up():
    """A roof that may curtail its 4 kW, and a car that needs 10 kWh within two hours at 10 kW: the
    portfolio is drawn by the sum of both, as they share nothing.
    """
    car = vehicle(energy_min=[0.0, 10.0], energy_max=10.0, unserved_cost=float("nan"), pod="garage")
    roof = {"available": [4.0, 4.0], "pod": "roof"}
    found = bands(case(car, market([10.0, 10.0], limit=1.0), renewable=roof))
    assert edges(found.power, "garage", "max") == [10, 10]
    assert edges(found.energy, "garage", "min") == [0, 10]
    assert edges(found.power, "roof", "min") == [-4, -4]
    assert edges(found.power, "portfolio", "max") == [10, 10]
    assert edges(found.energy, "portfolio", "min") == [-4, 2]


def test_every_edge_is_reached_by_a_plan():
    """Each value of a car, a battery and a house behind 12 kW is that of a plan of `v2g.solve` that
    is paid for what the site draws, or feeds in, in that step alone.
    """
    behind = {"import_max": 12.0, "export_max": 12.0}
    need = {"energy_min": [0.0, 4.0, 14.0], "unserved_cost": float("nan")}
    car = vehicle(discharge_max=5.0, energy_initial=3.0, eta_charge=0.8, **need)
    box = storage(energy_initial=6.0, eta_discharge=0.9, cyclic=1.0)

    def tree(price):
        house = {"baseline": [1.0, 3.0, 2.0]}
        return case(car, market(price), None, behind, battery=box, load=house)

    found = bands(tree([0.0] * 3))
    for step in range(3):
        for edge, sign in (("max", -1000.0), ("min", 1000.0)):
            price = [sign if k == step else 0.0 for k in range(3)]
            sold = v2g.solve(tree(price))["energy"]["position"].isel(market=0, time=step)
            expected = found.power.sel(pod="site", edge=edge).isel(time=step)
            assert float(expected) == approx(-float(sold), abs=1e-6)


def test_bands_are_kept_by_a_file(tmp_path):
    """Written and read as any tree."""
    tree = v2g.flexibility(case(None, market([10.0]), battery=storage(pod="hall")))
    v2g.write(tree, tmp_path / "bands.nc")
    loaded = v2g.read(tmp_path / "bands.nc")
    xr.testing.assert_equal(
        loaded["flexibility_bands"].to_dataset(), tree["flexibility_bands"].to_dataset()
    )


def test_what_cannot_be_divided_has_no_bands():
    """Plans are no sites."""
    with pytest.raises(v2g.SchemaError, match="holds plans already"):
        v2g.flexibility(case(None, market([10.0]), flexibility={"traded": [1.0]}))
