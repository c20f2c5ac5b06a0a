"""A menu of contracts that is decided with the plan: copies of a vehicle for each type of owner."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, row, vehicle
from faulty import problems
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.model.contracts import rising_energies

HALF = {"charge_max": 5.0, "energy_max": 20.0, "energy_initial": 20.0, "allowance": 5.0}
FULL = [0.0, 0.0, 20.0]


def copies(
    *parts: Any, menu: dict[str, Any] | None = None, need: Any = FULL, **more: Any
) -> xr.DataTree:
    """A full car with a lossless charger of 10 kW stays for three hours, and may be discharged in
    the first of them. Its owner is as likely of the type that asks 2 cents per kWh as of the one
    that asks 1: there is half a car of each.
    """
    half = vehicle(**HALF, discharge_max=[5, 0, 0], energy_min=need)
    tree = case({"car, type close": half, "car, type open": half}, *parts, **more)
    data = {"theta": ("type", [0.5, 1.0]), "share": ("type", [0.5, 0.5]), "wear": 0.01}
    data |= {"term": 1.0, "power": 10.0, "owner_type": ("fleet", ["close", "open"])}
    in_force = np.zeros((2, 1, 3))
    in_force[:, :, 0] = 0.5
    data |= {"in_force": (("fleet", "class", "time"), in_force)} | (menu or {})
    labels = {"type": ["close", "open"], "class": ["all"], "fleet": tree["fleet"]["fleet"]}
    group = xr.Dataset({n: x for n, x in data.items() if x is not None}, labels)
    tree["contract"] = xr.DataTree(group.assign_coords(time=tree["time"]))
    return tree


def test_both_types_are_bought_where_a_kwh_is_worth_it(pipeline):
    """A kWh of the first hour earns 4 cents. One of the close type costs (.02 - .5 .01)/.5 = 3, the
    rent of the open type included: both sell 10 kWh for 0.20 EUR, and 0.20 is left of 0.40.
    """
    result = pipeline(copies(market([60.0, 20.0, 20.0])))
    assert row(result, "contract.designed_energy") == [10, 10]
    assert row(result, "contract.designed_payment") == [0.2, 0.2]
    assert result.attrs["profit"] == approx(0.2)


def test_a_limit_of_the_site_sees_the_mean_of_the_types(pipeline):
    """3 kW may be fed in: half of the owners sell 6 kWh for 0.06 EUR, and the others nothing, so
    that 3 kWh earn 12 cents of which 3 are paid.

    Proves that the copies share the site: a limit for each would let 6 kWh go.
    """
    site = {"export_max": 3.0, "import_max": 100.0}
    result = pipeline(copies(market([60.0, 20.0, 20.0]), None, site))
    assert row(result, "contract.designed_energy") == [0, 6]
    assert row(result, "contract.designed_payment") == [0, 0.06]
    assert result.attrs["profit"] == approx(0.09)


def test_owners_choose_before_the_prices_are_known(pipeline):
    """In one of two scenarios a kWh earns 4 cents, in the other nothing: 2 in the mean, below the 3
    that one of the close type costs. The open type is paid for 10 kWh in both.

    Proves that the menu is one for all scenarios; of each by itself both types would sell in one.
    """
    price = {"high": [60.0, 20.0, 20.0], "low": [20.0, 20.0, 20.0]}
    result = pipeline(copies(market(price), scenarios={"high": 0.5, "low": 0.5}))
    assert result["contract"].designed_energy.dims == ("type", "class")
    assert row(result, "contract.designed_energy") == [0, 10]
    assert result.attrs["profit"] == approx(0.5 * (0.5 * 0.4) - 0.5 * 0.1)


@pytest.mark.parametrize("level", ["endurance", "box", "physical"])
def test_calls_of_reserves_use_what_is_sold(pipeline, level):
    """A kW of reserve in the first hour earns 2.5 cents and may be called for the hour: of the open
    type, at 1 cent per kWh, 10 kWh are bought for it, of the close one at 3 none.

    Proves that calls count against the contract: else nothing would be bought, and all 10 kW sold.
    """
    reserve = product(up=1.0, hours_up=1.0, capacity_price=[25.0, 0, 0], guarantee=level)
    result = pipeline(copies(market([0.0] * 3), reserve, need=0.0))
    assert row(result, "contract.designed_energy") == [0, 10]
    assert row(result, "reserve.volume")[0] == 5
    assert result.attrs["profit"] == approx(0.125 - 0.05)


def test_calls_count_in_every_step_of_a_term(pipeline):
    """The same where the term goes on for an hour in which no reserve is sold, and a call of the
    first hour is no call of the second: what is sold covers each of them.

    Proves that the last step of a term is not enough beside reserves: 0 kWh would do there.
    """
    reserve = product(up=1.0, hours_up=1.0, capacity_price=[25.0, 0, 0], guarantee="endurance")
    reserve["volume_max"] = [100.0, 0.0, 0.0]
    tree = copies(market([0.0] * 3), reserve, need=0.0)
    long = tree["contract"].in_force.copy(data=[[[0.5, 0.5, 0.0]]] * 2)
    tree["contract"] = tree["contract"].to_dataset().assign(in_force=long, term=2.0)
    power = xr.DataArray([5.0, 5.0, 0.0], {"time": tree["time"]}, "time")
    tree["fleet"] = tree["fleet"].to_dataset().assign(discharge_max=power)
    result = pipeline(tree)
    assert row(result, "contract.designed_energy") == [0, 10]
    assert row(result, "ledger.contract.owners") == [0, 0, 0, 0, -0.05, 0]


def test_calls_beyond_a_contract_are_seen():
    """The audit finds 5 kWh that may be called of somebody who has sold 2."""
    reserve = product(up=1.0, hours_up=1.0, capacity_price=[25.0, 0, 0], guarantee="box")
    result = v2g.solve(copies(market([0.0] * 3), reserve, need=0.0))
    group = result["contract"].to_dataset()
    smaller = xr.where(group["type"] == "open", 4.0, 0.0) + 0.0 * group.designed_energy
    result["contract"] = group.assign(designed_energy=smaller)
    assert float(v2g.replay(result)["contract.sold"]) == approx(5 - 0.5 * 4)


def test_a_menu_may_be_given(pipeline):
    """Both types have sold 4 kWh for 0.10 EUR: 4 kWh earn 16 cents."""
    menu = {"energy": ("type", [4.0, 4.0]), "payment": ("type", [0.1, 0.1])}
    result = pipeline(copies(market([60.0, 20.0, 20.0]), menu=menu))
    assert "designed_energy" not in result["contract"]
    assert result.attrs["profit"] == approx(0.06)
    assert row(result, "ledger.contract.owners") == [-0.05, 0, 0, -0.05, 0, 0]


def test_who_stands_for_nobody_has_the_contract_below():
    """Nobody has a contract of the first or the third class, nor is of the third type: these have
    nothing, that of the class below, and that of the type below.
    """
    in_force = np.zeros((2, 3, 3))
    in_force[:, 1, 0] = 0.5
    menu = {"in_force": (("fleet", "class", "time"), in_force)}
    menu |= {"class_room": ("class", [4.0, 8.0, 9.0])}
    tree = copies(market([60.0, 20.0, 20.0]))
    group = tree["contract"].to_dataset().drop_vars(["in_force", "class", "theta", "share"])
    three = {"theta": ("type", [0.5, 1.0, 1.5]), "share": ("type", [0.5, 0.5, 0.0])}
    labels = {"type": ["close", "open", "none"], "class": ["small", "middle", "large"]}
    group = group.drop_vars("type").assign(menu | three).assign_coords(labels)
    tree["contract"] = xr.DataTree(group)
    result = v2g.solve(tree)
    assert row(result, "contract.designed_energy") == [0, 8, 8] * 3
    assert row(result, "contract.designed_payment") == approx([0, 0.16, 0.16] * 3)


def test_what_stands_for_nobody_is_not_left_to_the_solver():
    """Of three types the second has no owner, of three classes the first and the last no session:
    whatever a solver returns there, and however it rounds, is replaced.
    """
    labels = {"type": ["a", "b", "c"], "class": ["small", "middle", "large"]}
    levels = xr.DataArray([[9.0, 2.0, 9.0], [9, 8, 9], [9, 2 - 1e-9, 9]], labels, ("type", "class"))
    owners = xr.DataArray([True, False, True], {"type": labels["type"]}, "type")
    sessions = xr.DataArray([False, True, False], {"class": labels["class"]}, "class")
    found = rising_energies(levels, owners, sessions)
    assert found.transpose("type", "class").to_numpy().tolist() == [[0, 2, 2]] * 3


FAULTS = {
    "no types": ({"owner_type": None}, "contract.owner_type", "beside in_force"),
    "no contracts": ({"in_force": None, "utility_scale": 1.0}, "contract.in_force", "owner_type"),
    "no cap": ({"power": None}, "contract.power", "or class_room"),
    "another type": ({"owner_type": ("fleet", ["close", "opn"])}, "contract.owner_type", "'opn'"),
    "no owner": ({"owner_type": ("fleet", ["close", ""])}, "contract.in_force", "owner_type"),
    "no class": ({"in_force": 0.5}, "contract.in_force", "of a single one"),
    "owed twice": ({"owed": 0.1}, "contract.owed", "paid twice"),
    "calls": ({"reckons": "called"}, "contract.reckons", "all of the energy"),
    "an energy alone": ({"energy": 4.0}, "contract.payment", "what is paid for it"),
    "shares": ({"share": ("type", [0.5, 0.6])}, "contract.share", "sum to 1.1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plan_needs_whole_contracts(fault):
    menu, where, words = FAULTS[fault]
    (problem,) = problems(copies(market([0.0, 0.0, 0.0]), menu=menu))
    assert problem.where == where
    assert words in f"{problem.detail}"


def test_contracts_need_an_allowance_and_are_one_at_a_time():
    tree = copies(market([0.0, 0.0, 0.0]))
    tree["fleet"] = tree["fleet"].to_dataset().drop_vars("allowance")
    (problem,) = problems(tree)
    assert (problem.where, "without a fleet.allowance" in problem.detail) == (
        "contract.in_force",
        True,
    )
    twice = np.full((2, 2, 3), 0.5)
    tree = copies(market([0.0, 0.0, 0.0]), menu={"in_force": None})
    group = tree["contract"].to_dataset().drop_vars("class")
    group = group.assign(in_force=(("fleet", "class", "time"), twice))
    tree["contract"] = xr.DataTree(group.assign_coords({"class": ["a", "b"]}))
    (problem,) = problems(tree)
    assert "beside a contract of another class" in problem.detail
