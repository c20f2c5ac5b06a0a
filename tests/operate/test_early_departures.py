"""Cars that leave before the departure they declared, and chargers that are switched off: what is
paid, delivered and not served.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from contracts_made import full_cars, menu, parked
from sessions_made import START

import v2g_linopy as v2g

PRICE = [10.0, 20.0, 90.0, 30.0, 40.0, 5.0, 5.0, 5.0, *[50.0] * 16]


def leaving(*hours: float, **columns: object) -> xr.DataTree:
    """Cars of the high type that declare eight hours, and leave after so many; NaN: as declared."""
    cars = full_cars(*[(0, 8)] * len(hours), **columns)
    left = [pd.NaT if np.isnan(h) else START + pd.Timedelta(hours=h) for h in hours]
    cars = cars.assign(type=("session", ["high"] * len(hours)))
    return parked(
        cars.assign(left=("session", pd.DatetimeIndex(left).to_numpy("datetime64[ns]"))), PRICE
    )


def operated(tree: xr.DataTree, **options: object) -> xr.DataTree:
    given = {"policy": "rule", "forecast": "perfect", "bids": "none", "hindsight": False}
    result = v2g.simulate(tree, **given | options)
    assert result["audit"].attrs["passed"] == 1
    return result


def test_who_leaves_within_the_term_is_not_paid():
    """Cars sell 9 kWh at 90 EUR/MWh in the third hour and buy them back at 5 from the sixth on. One
    stays, one leaves after three and a half hours, one after two and a half: it gives the half hour
    it is there for, 5 of the 9 kWh called, and is owed nothing. Nobody calls one that left before.
    """
    result = operated(leaving(np.nan, 3.5, 2.5, 2.0), contracts=menu())
    sessions = result["sessions"]
    assert sessions.energy_called.values == pytest.approx([9, 9, 9, 0], abs=1e-6)
    assert sessions.energy_discharged.values == pytest.approx([9, 9, 5, 0], abs=1e-6)
    assert sessions.energy_unserved.values == pytest.approx([0, 9, 5, 0], abs=1e-6)
    assert sessions.unserved_reason.values.tolist() == ["", "left early", "left early", ""]
    owed = result["ledger"]["contract.owners"].sum()
    assert float(owed) == pytest.approx(-2 * 0.06)
    sold, bought = 23 * 0.09, 9 * 0.005
    assert result.attrs["profit"] == pytest.approx(sold - bought - 0.12, abs=1e-6)


def test_a_plan_does_not_know_that_a_car_leaves():
    """A need of 10 kWh is cheapest in the sixth hour; who leaves after four has drawn nothing."""
    tree = leaving(4.0, energy_need=40.0, discharge_max=0.0)
    result = operated(tree)
    assert float(result["fleet"].charge.sum()) == pytest.approx(0)
    assert result["sessions"].unserved_reason.item() == "left early"
    at_once = operated(tree, policy="unmanaged")
    assert at_once["fleet"].charge.values.ravel()[:2] == pytest.approx([10, 0])
    assert at_once["sessions"].unserved_reason.item() == ""


def test_the_step_in_which_a_car_leaves_counts_in_part():
    """Half of the first hour, at 10 kW: 5 of 10 kWh."""
    result = operated(leaving(0.5, energy_need=40.0), policy="unmanaged")
    assert float(result["fleet"].charge.sum()) == pytest.approx(5)
    assert result["sessions"].energy_unserved.item() == pytest.approx(5)


def test_a_model_that_would_know_it_is_refused():
    """It plans on the powers of the case; it says what to do."""
    with pytest.raises(v2g.SchemaError, match="operate it by a rule"):
        operated(leaving(4.0), policy="model")


def switched(*hours: tuple[float, float], price: list[float] = PRICE) -> xr.DataTree:
    """Cars of the high type that stay eight hours, each with its charger off from and to; NaN: not
    off, or off to the departure.
    """
    cars = full_cars(*[(0, 8)] * len(hours)).assign(type=("session", ["high"] * len(hours)))
    moments = [
        [pd.NaT if np.isnan(h) else START + pd.Timedelta(hours=h) for h in way]
        for way in zip(*hours, strict=True)
    ]
    off, on = (pd.DatetimeIndex(x).to_numpy("datetime64[ns]") for x in moments)
    return parked(cars.assign(switched_off=("session", off), switched_on=("session", on)), price)


def test_an_owner_who_switches_off_is_paid_for_the_part_that_was_not_missed():
    """Each has sold 9 kWh for 0.06 EUR, called in the third hour at 10 kW. Off from half past two:
    5 are given, 4 missed, 0.06 (1 - 4/9) = 0.0333 are owed. Off all the hour: nothing. Off before
    the call, or after the term: all of it. A charger that stays off misses the recharge, too.
    """
    nan = np.nan
    result = operated(switched((2.5, 4), (2, nan), (0, 1), (3, 5), (nan, nan)), contracts=menu())
    sessions = result["sessions"]
    assert sessions.energy_called.values == pytest.approx([9, 9, 9, 9, 9], abs=1e-6)
    assert sessions.energy_discharged.values == pytest.approx([5, 0, 9, 9, 9], abs=1e-6)
    owed = result["ledger"]["contract.owners"].sum()
    assert float(owed) == pytest.approx(-(0.06 * 5 / 9 + 0 + 3 * 0.06), abs=1e-6)
    assert sessions.energy_unserved.values == pytest.approx(np.zeros(5), abs=1e-6)
    assert v2g.verify(result).problems == ()


def test_need_that_a_charger_was_off_for_says_so():
    """10 kWh are cheapest in the sixth hour, in which the charger is off until the departure."""
    cars = full_cars((0, 6), energy_need=40.0).assign(
        switched_off=("session", (pd.DatetimeIndex([START]) + pd.Timedelta(hours=5)).to_numpy())
    )
    sessions = operated(parked(cars, PRICE))["sessions"]
    assert sessions.energy_unserved.item() == pytest.approx(10)
    assert sessions.unserved_reason.item() == "switched off"


def test_what_was_missed_is_not_called_again():
    """9 kWh are best sold at 90 in the second hour, then at 80 in the third. Off in the second, all
    are called and missed: no more than what was sold is ever called.
    """
    result = operated(
        switched((1, 2), price=[10.0, 90.0, 80.0, 30.0, *[5.0] * 20]), contracts=menu()
    )
    sessions = result["sessions"]
    assert sessions.energy_called.item() == pytest.approx(9)
    assert sessions.energy_discharged.item() == pytest.approx(0)
    assert float(result["ledger"]["contract.owners"].sum()) == pytest.approx(0)


def test_chargers_that_are_on_before_they_are_off_are_listed():
    with pytest.raises(v2g.SchemaError, match="session 1: on again, but not off before .*: 2"):
        operated(switched((1, 2), (3, 2), (np.nan, 2)), contracts=menu())
    with pytest.raises(v2g.SchemaError, match="operate it by a rule"):
        operated(switched((1, 2)), policy="model", contracts=menu())
