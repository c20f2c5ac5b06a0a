"""Shadow prices: what a kWh is worth at the site and in the battery, also through blocks and
binaries.
"""

import pytest
from cases import case, market, row, vehicle
from pytest import approx

TRADER = vehicle(charge_max=20, discharge_max=10, eta_charge=0.9, eta_discharge=0.8)


@pytest.mark.parametrize(
    "options",
    [{}, {"blocks": False}, {"complementarity": "milp"}],
    ids=["blocks", "one piece", "binaries"],
)
def test_value_of_stored_energy(pipeline, options):
    """Bought at 45, stored with 0.9: a kWh on board is worth 0.05 EUR, until it is sold at 90,
    where 10 kW bind.

    10 kW sold take 12.5 kWh from the battery and 13.889 from the grid: 0.90 - 0.625 = 0.275 EUR.
    The site pays the market price. The same with binaries: they are fixed and the prices read from
    the linear programme that remains."""
    result = pipeline(case(TRADER, market([45, 90])), **options)
    assert result.attrs["profit"] == approx(0.275)
    assert row(result, "price.electricity") == [45, 90]
    assert row(result, "dual.fleet.balance") == [0.05, 0.05]
    assert result["price"].electricity.attrs["units"] == "EUR/MWh"


def test_value_of_a_need(pipeline):
    """9 kWh due, bought at 45 with 0.9: one more kWh of need costs 0.05 EUR; the power limit of the
    cheap hour is worth its saving.

    Charging 1 kW more at 27 in the first hour (10 kW bind) would save a kWh at 45: 0.018 EUR per
    kW."""
    ev = vehicle(charge_max=[5, 10], eta_charge=0.9, energy_min=[0, 9])
    result = pipeline(case(ev, market([27, 45])))
    assert result.attrs["profit"] == approx(-(5 * 0.027 + 5 * 0.045))
    assert row(result, "dual.fleet.need", time="2026-01-05T01:00") == [-0.05]
    assert row(result, "reduced_cost.fleet.charge")[0] == approx(0.018)


def test_missed_need_sets_the_price(pipeline):
    """A need of 15 kWh against 10 kW: one more kWh at the battery saves the penalty, 10 EUR, a kW
    more of charger 10
    - 0.04.
    """
    result = pipeline(case(vehicle(energy_min=[15]), market([40])))
    assert row(result, "dual.fleet.balance") == [10]
    assert row(result, "reduced_cost.fleet.charge") == [9.96]


def test_quarter_hours_pay_per_energy(pipeline):
    """Prices are per MWh whatever the step: 40 in a quarter of an hour is 40."""
    result = pipeline(case(vehicle(energy_min=[1]), market([40]), step="15min"))
    assert row(result, "price.electricity") == [40]
    assert row(result, "dual.fleet.balance") == [0.04]
