"""Connections of pods to the grid, as planned and with held reserves activated."""

from cases import case, market, product, row, vehicle
from pytest import approx


def test_import_limit(pipeline):
    """Two cars of 10 kW need 10 kWh each by the end of hours at 20 and 60 EUR/MWh; 12 kW come
    through: 12 x 20 + 8 x 60 = 0.72 EUR.

    Proves the shared limit: without it 0.40. A kWh more in the first hour would save one at 60:
    that is its price at the site."""
    fleet = {name: vehicle(energy_min=[0, 10]) for name in "ab"}
    result = pipeline(case(fleet, market([20, 60]), connection={"import_max": 12}))
    assert result.attrs["profit"] == approx(-0.72)
    assert row(result, "connection.import_") == [12, 8]
    assert row(result, "price.electricity") == [60, 60]


def test_export_limit(pipeline):
    """20 kWh on board in two cars, 10 kW may leave the site: 10 at 90 and 10 at 30 EUR/MWh, 1.20
    EUR and not 1.80.
    """
    fleet = {name: vehicle(discharge_max=10, energy_initial=10) for name in "ab"}
    result = pipeline(case(fleet, market([90, 30]), connection={"export_max": 10}))
    assert result.attrs["profit"] == approx(1.20)
    assert row(result, "connection.export") == [10, 10]


def test_import_limit_under_held_reserve(pipeline):
    """A charger of 10 kW behind 6 kW charges 2 kWh that are due and holds 4 kW of downward reserve,
    not 8.

    -0.10 for the energy at 50, +0.04 at 10 EUR/MW. Proves that the limit holds when the reserve is
    fully activated: without that +0.08."""
    down = product(down=1, capacity_price=[10])
    result = pipeline(case(vehicle(energy_min=[2]), market([50]), down, {"import_max": 6}))
    assert row(result, "reserve.volume") == [4]
    assert result.attrs["profit"] == approx(-0.06)


def test_export_limit_under_held_reserve(pipeline):
    """A discharger of 10 kW behind 6 kW holds 6 kW of upward reserve, 0.06 EUR, also where half of
    it is expected to be activated.

    Expected activation is part of the 6 kW: measured on top of the expected power without it, 12 kW
    could be sold."""
    up = product(up=1, activation_up=0.5, capacity_price=[10], activation_price_up=[0])
    ev = vehicle(charge_max=0, discharge_max=10, energy_initial=3)
    result = pipeline(case(ev, market([1]), up, {"export_max": 6}))
    assert row(result, "reserve.volume") == [6]
    assert result.attrs["profit"] == approx(0.06)


def test_two_pods(pipeline):
    """Each car needs 10 kWh; pod `a` draws at most 5 kW, pod `b` has an ample one.

    a: 5 x 20 + 5 x 60 = 0.40, b: 0.20. Proves that a limit binds its own pod, and that each pod has
    its own price."""
    fleet = {name: vehicle(pod=name, energy_min=[0, 10]) for name in "ab"}
    result = pipeline(
        case(fleet, market([20, 60]), connection={"a": {"import_max": 5}, "b": {"import_max": 100}})
    )
    assert result.attrs["profit"] == approx(-0.60)
    assert row(result, "fleet.charge", fleet="a") == [5, 5]
    assert row(result, "fleet.charge", fleet="b") == [10, 0]
    assert row(result, "price.electricity", pod="a") == [60, 60]
    assert row(result, "price.electricity", pod="b")[0] == 20
