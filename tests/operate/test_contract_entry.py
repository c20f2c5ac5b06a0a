"""What owners agree to on arrival, and sessions that are operated under it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from contracts_made import ENERGY, PAYMENT, full_cars, menu, parked
from sessions_made import START, stays, steps
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.cli.app import app
from v2g_linopy.operate.contract_entry import room_to_give

TERMS = xr.DataArray([8.0, 9.0, 10.0], {"class": ["short", "long", "longer"]})


def test_the_room_is_what_stays_above_the_floor_or_can_be_brought_back():
    """Four hours, 5 kWh to charge at 10 kW: 3.5 hours are left, of which half discharge: 17.5 kWh.
    30 kWh on board and a floor of 20 leave 10. Lossy, with 0.9 each way, the 5 kWh take 5/9 h, and
    of the other 3.444 h the share 0.81 / 1.81 discharges; 10 kWh above the floor are 9 at the
    charger. Who needs more than fits gives nothing.
    """
    floor = [0.0, 20.0, 0.0, 20.0, 0.0]
    cars = full_cars(*[(0, 4)] * 4, (0, 1), energy_need=35.0, energy_floor=floor)
    lossy = ("session", [1.0, 1.0, 0.9, 0.9, 1.0])
    missing = ("session", [0.0, 0.0, 0.0, 0.0, 1.0])
    cars = cars.assign(eta_charge=lossy, eta_discharge=lossy, energy_missing=missing)
    expected = [17.5, 10.0, (4 - 5 / 9) * 10 * 0.81 / 1.81, 9.0, 0.0]
    assert room_to_give(cars).values == pytest.approx(expected)


def test_each_type_takes_its_own_contract_or_the_largest_that_fits():
    """The high type takes 9 kWh, with room for 6 it takes 5, and with room for 1 none; who leaves
    after two hours is not asked. The low type takes 2, though it is as well off without.
    """
    cars = full_cars(*[(0, 8)] * 4, (0, 2), energy_floor=[0.0, 24.0, 29.0, 0.0, 0.0]).assign(
        type=("session", ["high", "high", "high", "low", "high"])
    )
    agreed = v2g.with_contracts(parked(cars), menu())["sessions"]
    assert agreed.contract.values.tolist() == [2, 1, -1, 0, -1]
    assert agreed.contract_energy.values == pytest.approx([9, 5, 0, 2, 0])
    assert agreed.contract_payment.values == pytest.approx([0.06, 0.04, 0, 0.02, 0])
    assert agreed.contract_reason.values.tolist() == ["taken", "taken", "room", "taken", "stay"]


def test_who_gains_nothing_or_has_no_contract_takes_none():
    """The low type is excluded from a menu without energy for it; where its contract pays 0.01 for
    what wears 0.02 it takes none, as what is meant for others pays it less still.
    """
    car = parked(full_cars((0, 8)).assign(type=("session", ["low"])))
    excluded = menu(energy=("type", [0.0, 3.0, 7.0]), payment=("type", [0.0, 0.02, 0.04]))
    assert v2g.with_contracts(car, excluded)["sessions"].contract_reason.item() == "excluded"
    poor = menu(payment=("type", [0.01, 0.03, 0.05]))
    assert v2g.with_contracts(car, poor)["sessions"].contract_reason.item() == "no utility"


def test_owners_who_reckon_with_what_is_called_compare_that():
    """Of the 9 kWh of the high contract 2 are called on average, of 5 all 5: at 0.0067 EUR per kWh
    called they leave the middle type 0.047 and 0.007. For full calls it takes its own.
    """
    called = menu(reckons="called", called=("type", [2.0, 5.0, 2.0]))
    car = parked(full_cars((0, 8)).assign(type=("session", ["middle"])))
    assert v2g.with_contracts(car, called)["sessions"].contract.item() == 2
    assert v2g.with_contracts(car, menu())["sessions"].contract.item() == 1


def test_of_two_terms_the_longer_is_taken_where_both_are_worth_the_same():
    """Classes of one and of three hours with the same contracts; a stay of two has the first."""
    two = menu(
        term=("class", [1.0, 3.0]),
        energy=(("type", "class"), np.transpose([ENERGY, ENERGY])),
        payment=(("type", "class"), np.transpose([PAYMENT, PAYMENT])),
    ).assign_coords({"class": ["short", "long"]})
    cars = full_cars((0, 2), (0, 8)).assign(type=("session", ["low", "low"]))
    agreed = v2g.with_contracts(parked(cars), two)["sessions"]
    assert agreed.contract_term.values.tolist() == [1.0, 3.0]


def test_types_are_drawn_by_arrival_and_the_seed_is_kept():
    """One draw for each session in the order of arrival, whatever their order in the file."""
    cars = full_cars((5, 12), (1, 12), (3, 12), (1, 11))
    agreed = v2g.with_contracts(parked(cars), menu(), seed=7)["sessions"]
    drawn = np.random.default_rng(7).choice(3, 4, p=[0.5, 0.3, 0.2])
    expected = np.array(["low", "middle", "high"])[drawn[[3, 1, 2, 0]]]
    assert agreed["type"].values.tolist() == expected.tolist()
    assert agreed.attrs["seed"] == 7


def test_a_fleet_feeds_in_within_the_term_only():
    """A stay from half past one, for three hours: half of the second and of the fifth hour; and
    nothing for the car beside it that has no contract.
    """
    cars = full_cars((1.5, 8), (2, 4)).assign(type=("session", ["high", "high"]))
    fleet = v2g.with_contracts(parked(cars), menu())["fleet"]
    power = fleet.discharge_max.values
    assert power[0, :6] == pytest.approx([0, 5, 10, 10, 5, 0])
    assert power.sum() == 30
    assert np.nanmax(fleet.allowance.values[0]) == 9


def test_a_contract_is_called_paid_and_written_down():
    """Prices of 10, 90, 80, 10 ... EUR/MWh: 9 kWh are sold at 90 and bought at 10, none at 80, and
    0.06 EUR are owed.

    0.72 - 0.06 EUR; a car without a contract earns nothing. Proves the allowance, the payment at
    the end of the term, and the columns of the result; both ways of operating agree.
    """
    cars = full_cars((0, 8), (0, 2)).assign(type=("session", ["high", "high"]))
    tree = parked(cars, [10.0, 90.0, 80.0, *[10.0] * 21])
    for policy in ("rule", "model"):
        result = v2g.simulate(
            tree, contracts=menu(), policy=policy, forecast="perfect", bids="none", hindsight=False
        )
        assert result["audit"].attrs["passed"] == 1
        assert result.attrs["profit"] == pytest.approx(0.72 - 0.06, abs=1e-5)
        owed = result["ledger"]["contract.owners"].sum("fleet").values
        assert owed[:4] == pytest.approx([0, 0, -0.06, 0])
        sessions = result["sessions"]
        assert sessions.energy_discharged.values == pytest.approx([9, 0], abs=1e-5)
        assert sessions.energy_called.values == pytest.approx([9, 0], abs=1e-5)
        assert result.attrs["seed"] == 0


def test_need_that_was_not_served_is_listed():
    """A need of 30 kWh with 20 within reach: 10 are missing, beyond the charger; a car that is
    plugged in for a later hour than it was planned has all it needs.
    """
    cars = stays((0, 1), (2, 5), energy_need=[30.0, 20.0])
    fleet, table = v2g.sessions_to_fleet(cars, steps(24), need="cap")
    tree = parked(stays((0, 1), (2, 5)))
    tree["fleet"], tree["sessions"] = xr.DataTree(fleet), xr.DataTree(table)
    sessions = v2g.simulate(tree, policy="unmanaged", bids="none", hindsight=False)["sessions"]
    assert sessions.energy_unserved.values == pytest.approx([10, 0])
    assert sessions.unserved_reason.values.tolist() == ["beyond charger", ""]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_nodes("sessions"), "contracts are offered to sessions"),
        (lambda t: without(t, "sessions", "energy_need"), "sessions.energy_need +missing"),
        (lambda t: without(t, "fleet", "session"), "fleet.session +missing"),
    ],
)
def test_what_a_case_lacks_is_listed(change, words):
    """Sessions, their needs, and where they stand."""
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.with_contracts(change(parked(full_cars((0, 8)))), menu())


def without(tree: xr.DataTree, group: str, name: str) -> xr.DataTree:
    return tree.assign({group: xr.DataTree(tree[group].to_dataset().drop_vars(name))})


def test_menus_that_are_not_designed_and_unknown_types_are_refused():
    """A menu without energies, a type that it does not have, and a tree without a menu."""
    tree = parked(full_cars((0, 8)).assign(type=("session", ["giant"])))
    with pytest.raises(v2g.SchemaError, match="do so with v2g menu"):
        bare = menu(power=11.0, utility_scale=0.2).drop_vars(["energy", "payment"])
        v2g.with_contracts(tree, bare)
    with pytest.raises(v2g.SchemaError, match="'giant' is not a type of the menu"):
        v2g.with_contracts(tree, menu())
    with pytest.raises(v2g.SchemaError, match="no group /contract"):
        v2g.with_contracts(tree, tree)


def test_terms_longer_than_every_stay_are_listed():
    """The longest of two stays is 8 h: terms of 9 and 10 h are listed, one of 8 h is offered."""
    tree = parked(full_cars((0, 8), (1, 7)))
    terms = menu().assign(energy=menu().energy * xr.ones_like(TERMS), term=TERMS)
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.with_contracts(tree, terms.assign(payment=menu().payment * xr.ones_like(TERMS)))
    listed = [p.detail for p in caught.value.problems]
    assert [detail.split(" is ")[0] for detail in listed] == ["9 h", "10 h"]
    assert all("the longest is 8 h" in detail for detail in listed)
    offered = v2g.with_contracts(tree, menu().assign(term=8.0))
    assert offered["sessions"].contract_reason.values.tolist() == ["taken", "stay"]


def test_contracts_from_files_by_the_command(tmp_path: Path):
    """`v2g simulate --contracts` reads a menu and writes what was agreed, by its seed."""
    start = START + pd.Timedelta(hours=0)
    tree = parked(full_cars((0, 8), (1, 9)), [10.0, 90.0, *[10.0] * 22])
    assert tree.to_dataset().indexes["time"][0] == start
    v2g.write(tree, tmp_path / "case.nc")
    offered = xr.DataTree.from_dict({"/": xr.Dataset(), "/contract": menu()})
    v2g.write(offered, tmp_path / "menu.nc")
    words = ["simulate", str(tmp_path / "case.nc"), "-o", str(tmp_path / "out"), "--no-hindsight"]
    words += ["--contracts", str(tmp_path / "menu.nc"), "--type-seed", "3", "--policy", "rule"]
    done = CliRunner().invoke(app, [*words, "--forecast", "perfect", "--bids", "none"])
    assert done.exit_code == 0, done.output
    assert "contracts of 2 sessions: taken 2" in done.output
    result = v2g.read(tmp_path / "out" / "result.nc")
    drawn = np.random.default_rng(3).choice(3, 2, p=[0.5, 0.3, 0.2])
    assert result["sessions"].contract.values.tolist() == drawn.tolist()
    assert result.attrs["seed"] == 3


def test_wear_of_what_is_sold_under_contracts_is_the_owners():
    """A case with wear of its own, 0.05 EUR/kWh: the payment is for that. 9 kWh bought back at 30
    and sold at 90 earn 0.54 - 0.06 EUR; with wear on top they would earn 0.03. It is told.
    """
    cars = full_cars((0, 8)).assign(type=("session", ["high"]))
    tree = parked(cars, [30.0, 30.0, 90.0, *[30.0] * 21])
    worn = tree["fleet"].to_dataset().assign(wear=((), 0.05, {"units": "EUR/kWh"}))
    tree["fleet"] = xr.DataTree(worn)
    options = {"policy": "rule", "forecast": "perfect", "bids": "none", "hindsight": False}
    result = v2g.simulate(tree, contracts=menu(), **options)
    assert result.attrs["profit"] == pytest.approx(9 * 0.06 - 0.06, abs=1e-6)
    assert "Wear by discharging is the owners'" in result.attrs["assumptions"]
    assert float(tree["fleet"].wear) == 0.05  # the case itself is as it was

    agreed = v2g.with_contracts(tree, menu())
    again = agreed["fleet"].to_dataset().assign(wear=((), 0.05, {"units": "EUR/kWh"}))
    agreed["fleet"] = xr.DataTree(again)
    with pytest.raises(v2g.SchemaError, match=r"fleet\.wear .* it would be counted twice"):
        v2g.simulate(agreed, **options)
