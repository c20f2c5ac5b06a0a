"""One battery and one market: when it charges, when it trades, what wears it, how it travels."""

import pytest
from cases import case, market, row, vehicle
from pytest import approx


def test_charging_waits_for_the_cheap_hour(pipeline):
    """9 kWh are due in the battery after three hours at 50, 20 and 80 EUR/MWh, charging loses a
    tenth.

    10 kWh are bought, all at 20: it costs 0.20. Proves the choice of the hour and the efficiency:
    charging on arrival would cost 0.50, a lossless battery 0.18."""
    result = pipeline(case(vehicle(eta_charge=0.9, energy_min=[0, 0, 9]), market([50, 20, 80])))
    assert result.attrs["profit"] == approx(-0.20)
    assert row(result, "fleet.charge") == [0, 10, 0]
    assert row(result, "fleet.energy") == [0, 9, 9]
    assert row(result, "energy.position") == [0, -10, 0]


def test_arbitrage_beyond_losses_and_wear(pipeline):
    """Bought at 50, stored with 0.9 and 0.8, sold at 90: of 10 kWh bought 9 are stored, 9 leave the
    battery, 7.2 are sold.

    0.648 received, 0.50 paid, wear 0.01 EUR on each of the 9 kWh that leave: 0.058 EUR. Proves that
    wear counts what leaves the battery: on the 7.2 kWh sold the profit would be 0.076, without wear
    0.148."""
    trader = vehicle(discharge_max=10, eta_charge=0.9, eta_discharge=0.8, wear=0.01)
    result = pipeline(case(trader, market([50, 90])))
    assert result.attrs["profit"] == approx(0.058)
    assert row(result, "fleet.discharge") == [0, 7.2]
    assert row(result, "ledger.fleet.wear") == [0, -0.09]


def test_no_arbitrage_within_losses_and_wear(pipeline):
    """As above with 0.017 EUR wear: 0.648 - 0.50 - 0.153 = -0.005 EUR would be lost, so nothing
    moves.

    Proves that wear stands in the objective and not only in the bill: a plan blind to it would
    trade and lose."""
    trader = vehicle(discharge_max=10, eta_charge=0.9, eta_discharge=0.8, wear=0.017)
    result = pipeline(case(trader, market([50, 90])))
    assert result.attrs["profit"] == 0
    assert row(result, "fleet.charge") == row(result, "fleet.discharge") == [0, 0]


def test_wear_in_both_directions(pipeline):
    """0.01 EUR per kWh leaving and 0.005 per kWh entering: 9 kWh enter and leave, 0.058 - 0.045 =
    0.013 EUR remain.

    Proves that charging wear counts the 9 kWh that arrive in the battery: on the 10 kWh drawn the
    profit would be 0.008."""
    trader = vehicle(
        discharge_max=10, eta_charge=0.9, eta_discharge=0.8, wear=0.01, wear_charge=0.005
    )
    result = pipeline(case(trader, market([50, 90])))
    assert result.attrs["profit"] == approx(0.013)
    assert row(result, "ledger.fleet.wear_charge") == [-0.045, 0]


def test_drivers_pay_for_net_energy(pipeline):
    """Drivers pay 0.30 EUR per kWh drawn and are credited for what they feed in: on 10 kWh in and
    out it cancels.

    Bought at 50, sold at 90: 0.40 EUR, and the 10 kWh on board at the end bring 3.00 less 0.60 for
    their energy at
    60. Proves that retail counts net energy: on all 20 kWh drawn it would bring 6.00.
    """
    driver = vehicle(
        discharge_max=10, retail_price=0.3, energy_min=[0, 0, 10], energy_max=[10, 10, 10]
    )
    result = pipeline(case(driver, market([50, 90, 60])))
    assert result.attrs["profit"] == approx(0.40 + 3.00 - 0.60)
    assert sum(row(result, "ledger.fleet.drivers")) == approx(3.00)


def test_drivers_pay_for_their_need(pipeline):
    """8 kWh are due of a car that comes with 3, at 0.8: 6.25 kWh at the grid are billed at 0.30,
    1.875 EUR. It is sold full at 90 EUR/MWh: 3 kWh feed in 2.4, and the 8 are bought at 50 for 10
    kWh: 0.216 - 0.50 EUR.

    Proves that losses and V2G are not the driver's: on net energy the bill would be 7.6 x 0.30 and
    to arrive at 20 kWh, bought at 50 and paid at 300, would be the plan.
    """
    driver = vehicle(
        discharge_max=[10, 0],
        retail_price=0.3,
        energy_initial=3,
        energy_max=20,
        energy_min=[0, 8],
        eta_charge=0.8,
        eta_discharge=0.8,
        need_billed=[0, 6.25],
    )
    result = pipeline(case(driver, market([90, 50])))
    assert sum(row(result, "ledger.fleet.drivers")) == approx(1.875)
    assert result.attrs["profit"] == approx(1.875 + 0.216 - 0.5)
    assert row(result, "fleet.energy") == [0, 8]


def test_what_is_not_served_is_not_paid(pipeline):
    """9 kWh are due, at 0.5 their 18 kWh at the grid are billed; 10 kW bring 5 in the hour: the
    bill is 10 kWh x 0.30, and 4 kWh are missing at 10 EUR each. On the need alone it would be 5.40.
    """
    driver = vehicle(retail_price=0.3, energy_min=9, eta_charge=0.5, need_billed=18.0)
    result = pipeline(case(driver, market([0.0])))
    assert row(result, "ledger.fleet.drivers") == [3.0]
    assert result.attrs["objective"] == approx(3 - 40)


def test_what_a_trip_lacks_is_not_paid(pipeline):
    """A trip takes 9 kWh of a car that had to leave with them, and could charge 5 kW in an hour at
    no loss: it is billed for 5 kWh. Billed at departure, where the trip lacks them a step later.
    """
    driver = vehicle(
        charge_max=[5, 0],
        retail_price=0.3,
        energy_min=[9, 0],
        energy_out=[0, 9],
        need_billed=[9.0, 0],
    )
    result = pipeline(case(driver, market([0.0, 0.0])))
    assert row(result, "ledger.fleet.drivers") == approx([1.5, 0])


def test_who_needs_nothing_is_owed_nothing(pipeline):
    """A car that came with 5 kWh of the 3 it needs is not billed, and 2 are missing after a drive
    of 4; an hour later 1 kWh is billed.

    Proves that only a need that is billed is refunded: 2 x 0.30 would go to the driver.
    """
    driver = vehicle(
        charge_max=0,
        retail_price=0.3,
        energy_initial=5,
        energy_out=[4, 0],
        energy_min=[3, 0],
        need_billed=[0.0, 1.0],
    )
    result = pipeline(case(driver, market([0.0, 0.0])))
    assert row(result, "fleet.unserved") == [2, 0]
    assert row(result, "ledger.fleet.drivers") == [0, 0.3]


def test_battery_is_no_larger_than_it_is(pipeline):
    """4 kWh fit above the 6 on board, so 4 are bought at 10 and 10 sold at 90 EUR/MWh: 0.90 - 0.04
    = 0.86 EUR.

    Proves the ceiling: without it 10 would be bought and 10 sold, 0.80, and 6 kept for later.
    """
    small = vehicle(charge_max=20, discharge_max=10, energy_max=10, energy_initial=6)
    result = pipeline(case(small, market([10, 90])))
    assert result.attrs["profit"] == approx(0.86)
    assert row(result, "fleet.energy") == [10, 0]


def test_energy_leaks(pipeline):
    """Half the energy is kept from hour to hour: 5 kWh at the end need 5 bought in the last hour at
    90 or 10 in the one before at 50.

    5 x 0.09 = 0.45 beats 10 x 0.05 = 0.50. Proves that `keep` acts on the stored energy: lossless
    storage would buy at 50."""
    result = pipeline(case(vehicle(keep=0.5, energy_min=[0, 5]), market([50, 90])))
    assert result.attrs["profit"] == approx(-0.45)


def test_every_arrival_starts_anew(pipeline):
    """Two stays of two hours; each arrives with 2 kWh and needs 6, and the energy of the first
    leaves with it.

    4 kWh at 20 and 4 kWh at 60: 0.32. Proves the restart: carried over, the 6 kWh of the first stay
    would serve the second."""
    stays = vehicle(keep=[0, 1, 0, 1], energy_in=[2, 0, 2, 0], energy_min=[0, 6, 0, 6])
    result = pipeline(case(stays, market([20, 30, 70, 60])))
    assert result.attrs["profit"] == approx(-0.32)
    assert row(result, "fleet.energy") == [6, 6, 2, 6]


def test_trips_link_the_days(pipeline):
    """8 kWh are driven in hours 1 and 3, plugged in hours 0 (20 EUR/MWh) and 2 (60): all 16 are
    bought in hour 0 for 0.32.

    Proves that the energy of one stay serves a later trip: with a restart at each arrival it would
    be 0.16 + 0.48 = 0.64."""
    commuter = vehicle(charge_max=[20, 0, 20, 0], energy_out=[0, 8, 0, 8])
    result = pipeline(case(commuter, market([20, 1, 60, 1])))
    assert result.attrs["profit"] == approx(-0.32)
    assert row(result, "fleet.energy") == [16, 8, 8, 0]


def test_trip_beyond_the_battery_is_named(pipeline):
    """5 kWh can be charged, the trip takes 8: 3 are missing, at 10 EUR per kWh, and 5 are bought at
    40.

    Profit -0.20, objective -30.20. Proves that a missed trip is a penalty and not income or energy:
    the battery is empty after it."""
    commuter = vehicle(charge_max=[5, 0], energy_out=[0, 8])
    result = pipeline(case(commuter, market([40, 40])))
    assert result.attrs["profit"] == approx(-0.20)
    assert result.attrs["objective"] == approx(-30.20)
    assert row(result, "fleet.unserved_trip") == [0, 3]
    assert row(result, "fleet.energy") == [5, 0]


@pytest.mark.through_file
def test_single_step(pipeline):
    """One quarter of an hour at 40 EUR/MWh, 2 kWh due: 8 kW, 0.08 EUR.

    Proves that one time stamp with `step_hours` is a horizon: read as an hour it would be 2 kW.
    """
    result = pipeline(case(vehicle(energy_min=[2]), market([40]), step="15min"))
    assert row(result, "fleet.charge") == [8]
    assert result.attrs["profit"] == approx(-0.08)


@pytest.mark.through_file
def test_no_vehicles(pipeline):
    """An empty fleet earns 0, with and without something to sell. Proves that nothing divides by
    the number of vehicles."""
    result = pipeline(
        case({}, market([40, 20]), {"up": 1.0, "down": 0.0, "capacity_price": [5, 5]})
    )
    assert result.attrs["profit"] == result.attrs["objective"] == 0
    assert result["fleet"].charge.shape == (0, 2)
    assert row(result, "energy.position") == row(result, "reserve.volume") == [0, 0]


def test_never_plugged(pipeline):
    """A vehicle that is never connected earns 0 and no number is missing. Proves that masks leave
    zeros, not NaN.
    """
    absent = vehicle(charge_max=[0, 0], discharge_max=[0, 0], keep=0, energy_max=0)
    result = pipeline(
        case(absent, market([40, 20]), {"up": 1.0, "down": 1.0, "capacity_price": [5, 5]})
    )
    assert result.attrs["profit"] == 0
    for name in ("charge", "discharge", "energy"):
        assert row(result, f"fleet.{name}") == [0, 0]
    assert row(result, "reserve.volume") == [0, 0]
