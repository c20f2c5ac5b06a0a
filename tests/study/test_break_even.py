"""Where feeding in stops to pay: by hand, and against a scan of the gain itself."""

import numpy as np
import pytest
from cases import case, market, product, vehicle
from contracts_made import full_cars, menu, parked

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError
from v2g_linopy.study.break_even import with_spread

PRICES = [20.0, 60.0, 20.0, 40.0]


def trader(**fields):
    """10 kW and 10 kWh, empty, with nothing to drive for: it only trades."""
    return vehicle(discharge_max=10.0, charge_max=10.0, energy_max=10.0) | fields


def test_steps_rise_to_the_root_and_the_gain_there_is_nothing():
    """10 kWh earn 0.40 EUR and 10 more 0.20: without payments the dearer ones pay up to 0.04.

    From 0: (0.40 + 0.20) / 20 = 0.03, where only the first 10 kWh are left, 0.10; 0.03 + 0.10 / 10.
    """
    found = v2g.break_even(case(trader(), market(PRICES)))
    assert found["at"].values == pytest.approx([0.0, 0.03, 0.04])
    assert found["gain"].values == pytest.approx([0.60, 0.10, 0.0], abs=1e-9)
    assert float(found["break_even"]) == pytest.approx(0.04)
    assert found["at"].attrs["units"] == "EUR/kWh"


def test_energy_is_counted_out_of_the_battery():
    """At an efficiency of 0.8, 10 kWh of the battery are 8 kWh fed in, at 60: 0.48 EUR; they were
    12.5 kWh bought at 20: 0.25. The 0.23 EUR break even at 0.023 per kWh of the battery.
    """
    lossy = trader(eta_charge=0.8, eta_discharge=0.8, charge_max=20.0)
    found = v2g.break_even(case(lossy, market([20.0, 60.0])))
    assert float(found["break_even"]) == pytest.approx(0.023)
    assert float(found["fed_in"][0]) == pytest.approx(10.0)


def test_a_small_battery_counts_too():
    """Half a kWh bought at 20 and sold at 60 earns 0.02 EUR: 0.04 per kWh."""
    small = trader(energy_max=0.5)
    assert float(v2g.break_even(case(small, market([20.0, 60.0])))["break_even"]) == (
        pytest.approx(0.04)
    )


def test_wear_that_is_there_is_not_counted_twice():
    """Of the 0.04 EUR that a kWh earns, 0.015 are spent: 0.025 are left. Whatever the unit."""
    worn = case(trader(wear=0.015), market(PRICES))
    assert float(v2g.break_even(worn)["break_even"]) == pytest.approx(0.025)
    in_mwh = worn.copy()
    fleet = in_mwh["fleet"].to_dataset()
    in_mwh["fleet"] = fleet.assign(wear=(1000 * fleet.wear).assign_attrs(units="EUR/MWh"))
    assert float(v2g.break_even(in_mwh)["break_even"]) == pytest.approx(0.025)


def test_reserves_that_are_held_pay_whatever_the_wear():
    """Nothing is worth feeding in, at one price; a full battery that is never called is paid 0.01
    EUR per kW and hour for 10 kW.
    """
    up = product(up=1.0, capacity_price=10.0, volume_max=10.0)
    full = trader(energy_initial=10.0, energy_min=10.0)
    found = v2g.break_even(case(full, market([20.0]), up))
    assert np.isposinf(float(found["break_even"]))
    assert found["gain"].values[-1] == pytest.approx(0.1)
    assert found["fed_in"].values[-1] == pytest.approx(0.0, abs=1e-6)


def test_payments_beyond_the_gain_never_pay():
    """0.60 EUR can be earned; owners get 0.61."""
    found = v2g.break_even(case(trader(), market(PRICES)), payments=0.61)
    assert np.isnan(float(found["break_even"]))
    assert float(found["payment_scale"]) == pytest.approx(0.60 / 0.61)
    assert found["gain"].values == pytest.approx([-0.01])


def test_the_spread_at_which_it_pays():
    """Prices 20 and 60 about 40: 10 kWh earn 0.40 f. Owners get 0.11, so f is 0.275."""
    found = v2g.break_even(
        case(trader(), market([20.0, 60.0])), "spread", payments=0.11, between=(0.0, 1.0), points=3
    )
    assert found["break_even"].values == pytest.approx([0.275], abs=3e-4)  # 1e-4 EUR of gain
    after = int(np.searchsorted(found["at"].values, float(found["break_even"][0])))
    low, high = found["gain"].values[after - 1 : after + 1]
    assert low < high and low == pytest.approx(high, abs=1e-6), "both plans beside it are kept"


def test_prices_keep_their_mean_and_imbalance_its_order():
    both = {"price_long": [10.0, 30.0], "price_short": [50.0, 30.0]}
    wide = with_spread(case(trader(), market([20.0, 60.0]), imbalance=both), 2.0)
    assert wide["energy"]["price"].values.ravel() == pytest.approx([0.0, 80.0])
    moved = wide["imbalance"].to_dataset()  # about 30, the mean of all four
    assert moved["price_long"].values.ravel() == pytest.approx([-10.0, 30.0])
    assert moved["price_short"].values.ravel() == pytest.approx([70.0, 30.0])


def test_all_that_is_wrong_is_listed():
    with pytest.raises(SchemaError) as caught:
        v2g.break_even(
            case(trader(discharge_max=0.0), market(PRICES)), "wages", between=(2.0, 1.0), points=1
        )
    places = [p.where for p in caught.value.problems]
    assert places == ["over", "between", "points", "fleet.discharge_max"]


def agreed(price=PRICES):
    """A full car that lends 9 kWh for 0.06 EUR within three hours, as its owner has agreed to; it
    loses a tenth each way.
    """
    losses = {"eta_charge": 0.9, "eta_discharge": 0.9, "charge_max": 20.0}
    cars = full_cars((0, 4), energy_arrival=40.0, energy_need=40.0, **losses)
    cars = cars.assign(type=("session", ["high"]))
    return v2g.with_contracts(parked(cars, list(price)), menu())


def test_the_cost_of_dispatch_that_contracts_bear():
    """9 kWh are sold at 60, of 10 that leave the battery; 11.11 are bought back at 20: 0.3178 EUR.
    The owner is owed 0.06 of them, and the other 0.2578 are 0.02864 EUR per kWh at the grid.
    """
    earned = 9 * 0.06 - 10 / 0.9 * 0.02
    found = v2g.break_even(agreed(), "dispatch_cost")
    assert found.attrs["payments"] == pytest.approx(0.06)
    assert found["gain"].values == pytest.approx([earned - 0.06, 0.0], abs=1e-6)
    assert found["fed_in"].values == pytest.approx([9.0, 9.0])
    assert float(found["break_even"]) == pytest.approx((earned - 0.06) / 9)
    assert float(found["payment_scale"]) == pytest.approx(earned / 0.06)


def test_each_cost_is_for_those_who_bear_it():
    with pytest.raises(SchemaError, match="the owners' under contracts"):
        v2g.break_even(agreed())
    with pytest.raises(SchemaError, match="the case has none"):
        v2g.break_even(case(trader(), market(PRICES)), "dispatch_cost")
