"""Contracts with owners: paid at the end of the term, drivers pay for their need, owners bear
wear.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, row, vehicle
from faulty import problems
from pytest import approx

import v2g_linopy as v2g

NOON = np.datetime64("2026-01-05T00:00", "ns")
HOUR = np.timedelta64(1, "h")
MENU = {
    "theta": ("type", [0.5, 1.0]),
    "share": ("type", [0.5, 0.5]),
    "energy": ("type", [2.0, 6.0]),
    "payment": ("type", [0.05, 0.12]),
    "wear": 0.01,
    "term": 2.0,
}


def contracted(car: dict[str, Any], price: list[float], **changes: Any) -> xr.DataTree:
    """A car whose owner has sold 6 kWh for 0.12 EUR within two hours; it comes at midnight."""
    tree = case(vehicle(**car), market(price))
    tree["contract"] = xr.DataTree(xr.Dataset(MENU | changes.pop("menu", {}), {"type": ["a", "b"]}))
    stay = {
        "arrival": NOON,
        "departure": NOON + len(price) * HOUR,
        "row": "ev",
        "contract": 1,
        "contract_energy": 6.0,
        "contract_payment": 0.12,
    } | changes
    columns = {n: ("session", np.array([x])) for n, x in stay.items() if x is not None}
    tree["sessions"] = xr.DataTree(xr.Dataset(columns, {"session": [7]}))
    return tree


SOLD = {"discharge_max": 10.0, "energy_initial": 40.0, "allowance": 6.0}


def test_an_owner_is_paid_when_the_term_ends(pipeline):
    """6 kWh are sold at 90 EUR/MWh in the first hour, 0.54 EUR; the owner gets 0.12 in the second
    of three hours, in which the term ends, and bears 6 x 0.01 EUR of wear, which is no cash.
    """
    result = pipeline(contracted(SOLD, [90, 50, 50]))
    assert row(result, "ledger.contract.owners") == [0, -0.12, 0]
    assert row(result, "contract.owner_wear_fleet") == [0.06, 0, 0]
    assert result.attrs["profit"] == approx(0.54 - 0.12)


def test_an_owner_is_paid_whether_called_or_not(pipeline):
    """Nothing is fed in at a price below 0: 0.12 EUR all the same."""
    result = pipeline(contracted(SOLD, [-1, -1, -1]))
    assert sum(row(result, "fleet.discharge")) == 0
    assert sum(row(result, "ledger.contract.owners")) == approx(-0.12)


ENDS = {
    "in the middle of a step": ({"contract_term": 1.25}, [0, -0.12, 0]),
    "with a step": ({"contract_term": 3.0}, [0, 0, -0.12]),
    "before the case": ({"arrival": NOON - 3 * HOUR}, [0, 0, 0]),
    "after the case": ({"departure": NOON + 9 * HOUR, "contract_term": 4.0}, [0, 0, 0]),
    "after the owner has left": ({"left": NOON + HOUR}, [0, 0, 0]),
    "before the owner leaves early": ({"left": NOON + 2 * HOUR}, [0, -0.12, 0]),
    "with a third missed": ({"energy_called": 5.0, "energy_discharged": 3.0}, [0, -0.08, 0]),
    "with all delivered": ({"energy_called": 5.0, "energy_discharged": 5.0}, [0, -0.12, 0]),
}


@pytest.mark.parametrize("when", ENDS)
def test_what_is_owed_and_when(when):
    """A term that ends outside the case is paid elsewhere; who leaves before forfeits all, and 2 of
    6 kWh that were called and not delivered cost a third.
    """
    changes, owed = ENDS[when]
    result = v2g.solve(contracted(SOLD, [0, 0, 0], **changes))
    assert result["audit"].attrs["passed"]
    paid = row(result, "ledger.contract.owners")
    assert paid == approx(owed)


def test_windows_pay_an_owner_once():
    """Cut anywhere, the payments of both windows are those of the whole."""
    tree = contracted(SOLD, [90, 50, 50])
    whole = v2g.solve(tree)
    for at in (1, 2):
        first, later = v2g.select_window(tree, 0, at), v2g.with_initial_state(tree, whole, at)
        paid = [
            float(v2g.solve(part)["ledger"]["contract.owners"].sum()) for part in (first, later)
        ]
        assert sum(paid) == approx(-0.12)


def test_drivers_pay_for_need_under_contracts(pipeline):
    """12.5 kWh at the grid are asked for at 0.8 and paid 0.20 EUR each; 5 kW bring 4 of 10 kWh in
    an hour: 5 kWh x 0.20 are paid, and 6 kWh are missing.
    """
    car = {"charge_max": 5.0, "eta_charge": 0.8, "energy_min": 10.0, "need_billed": 12.5}
    tree = contracted(car, [0.0], contract=-1, menu={"need_price": 0.2})
    result = pipeline(tree)
    assert row(result, "ledger.contract.need") == [1.0]
    assert row(result, "fleet.unserved") == [6]


def test_need_that_nobody_asked_for_is_not_refunded(pipeline):
    """2 kWh of 5 that must stay on board are missing in the first hour, where nothing is billed."""
    car = {"charge_max": [3, 0], "energy_min": [5, 0], "need_billed": [0, 1]}
    result = pipeline(contracted(car, [0.0, 0.0], contract=-1, menu={"need_price": 0.2}))
    assert row(result, "fleet.unserved") == [2, 0]
    assert row(result, "ledger.contract.need") == approx([0, 0.2])


def test_a_trip_that_lacks_energy_is_not_paid_either(pipeline):
    """A trip takes 9 kWh of a car that had to leave with them, and 5 could be charged."""
    car = {"charge_max": [5, 0], "energy_min": [9, 0], "energy_out": [0, 9], "need_billed": [9, 0]}
    result = pipeline(contracted(car, [0.0, 0.0], contract=-1, menu={"need_price": 0.2}))
    assert row(result, "ledger.contract.need") == approx([1.0, 0])


def test_a_cost_of_dispatch_moves_the_plan_and_is_no_money(pipeline):
    """At 0.06 EUR/kWh nothing is fed in at 50 EUR/MWh, and 6 kWh at 90 cost 0.36 beside the
    profit.
    """
    tree = contracted(SOLD, [50, 90], menu={"dispatch_cost": 0.06})
    result = pipeline(tree)
    assert row(result, "fleet.discharge") == [0, 6]
    assert result.attrs["profit"] == approx(0.54 - 0.12)
    assert result.attrs["objective"] == approx(0.54 - 0.12 - 0.36)


def test_what_nobody_sold_wears_for_nobody(pipeline):
    """Without an allowance discharging is the driver's own, and no memo is kept."""
    result = pipeline(contracted({"discharge_max": 10.0, "energy_initial": 5.0}, [90, 50, 50]))
    assert "owner_wear_fleet" not in result["contract"]


def test_retail_is_paid_once():
    tree = contracted({"retail_price": 0.1, "need_billed": 1.0}, [0.0], menu={"need_price": 0.2})
    (problem,) = problems(tree)
    assert problem.where == "fleet.retail_price"
    assert "twice" in problem.detail


def test_a_price_of_need_wants_the_need():
    (problem,) = problems(contracted({}, [0.0, 0.0], menu={"need_price": 0.2}))
    assert (problem.where, problem.rule) == ("fleet.need_billed", "missing")


FAULTS = {
    "no payment": ({"contract_payment": None}, "sessions.contract_payment", "session 7 has a"),
    "a payment that is missing": ({"contract_payment": np.nan}, "sessions.contract_payment", "7"),
    "no arrival": ({"arrival": None}, "sessions.arrival", "session 7 has a contract"),
    "another row": ({"row": "van"}, "sessions.row", "a row that the fleet does not have"),
    "no such contract": ({"contract": 2}, "sessions.contract", "the menu of 2 does not"),
    "a term beyond the stay": ({"contract_term": 9.0}, "sessions.contract", "before the term"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_contracts_of_sessions_are_whole(fault):
    changes, where, words = FAULTS[fault]
    (problem,) = problems(contracted(SOLD, [0.0, 0.0], **changes))
    assert problem.where == where
    assert words in problem.detail


def test_several_terms_need_that_of_the_session():
    """A menu with a term for each class does not say which one was sold."""
    menu = {"term": ("class", [1.0, 2.0]), "energy": (("type", "class"), [[2.0, 2], [6, 6]])}
    menu["payment"] = (("type", "class"), [[0.05, 0.05], [0.12, 0.12]])
    menu["class"] = pd.Index(["short", "long"])
    (problem,) = problems(contracted(SOLD, [0.0, 0.0], menu=menu))
    assert problem.where == "sessions.contract_term"
    tree = contracted(SOLD, [0.0, 0.0], menu=menu, contract_term=1.0)
    assert row(v2g.solve(tree), "ledger.contract.owners") == [-0.12, 0]
