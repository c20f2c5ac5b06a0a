"""Menus that are designed with the plan of a case: against the closed form where nothing couples
the stays, by hand where something does, and what they are worth by the rule by which owners choose.
"""

import re

import numpy as np
import pytest
import xarray as xr
from pytest import approx
from sessions_made import stays_of

import v2g_linopy as v2g

FULL = {"energy_arrival": 40.0, "energy_need": 40.0, "discharge_max": 10.0}
TYPES = {"theta": [0.5, 1.0], "share": 0.5, "wear": 0.01}


def worth(found: xr.DataTree, name: str) -> float:
    return float(found["menu"][f"{name}_value"])


def paying_stays() -> xr.DataTree:
    """Three full cars come at the same time and stay for three hours; one more can give 5 kWh and
    take them back before it leaves. Of the first kWh each earns more than of the next.
    """
    cars = {"a": FULL | {"hours": 3.0}, "b": FULL | {"hours": 4.0}, "d": FULL | {"hours": 1.0}}
    cars["c"] = FULL | {"hours": 3.0, "energy_arrival": 36.0}
    return stays_of(cars, [60.0, 20.0, 45.0, 50.0, 10.0])


@pytest.fixture(scope="module")
def found() -> xr.DataTree:
    """The menu of the stays that can give 10 kWh."""
    return v2g.integrated_menu(paying_stays(), **TYPES, term=1.0, class_room=[10.0])


def test_without_coupling_it_is_the_closed_form(found):
    """The table of the schedule at each of its bends gives the same menu and the same worth: each
    owner's, times the owners.
    """
    table = v2g.schedule_table(paying_stays(), [5, 6, 10], term=1.0, power=10.0)
    alone = v2g.menu(**table, **TYPES, utility="schedule", power=10.0, term=1.0)
    owners = table.attrs["stays_with_contract"]
    assert owners == float(found["menu"].stays_with_contract[0]) == 3
    assert worth(found, "plan") == approx(owners * float(alone["menu"].value), abs=1e-6)
    assert worth(found, "plan") == approx(0.5)
    assert worth(found, "choice") == approx(worth(found, "plan"), abs=1e-9)
    for name in ("energy", "payment"):
        assert found["contract"][name].to_numpy()[:, 0] == approx(
            alone["contract"][name].to_numpy(), abs=1e-6
        )


def test_a_limit_of_the_site_lowers_what_a_menu_is_worth():
    """Three cars would each sell 10 kWh of both types, worth .5 EUR; 9 kW may leave the site. As
    shares, half of the owners sell 6 kWh for .06 EUR: 9 kWh at .06 - .02 in sum, less .09.

    Where types are drawn, all three may be of the type that sells, and 9 of their 18 kWh are paid
    for nothing; or none is.
    """
    case = paying_stays()
    data = TYPES | {"term": 1.0, "class_room": [10.0]}
    case["connection"] = xr.Dataset({"export_max": ("pod", [9.0])}, {"pod": ["site"]})
    tight = v2g.integrated_menu(case, **data, draws=2)
    assert tight["contract"].energy.to_numpy()[:, 0] == approx([0, 6])
    assert worth(tight, "plan") == approx(9 * 0.04 - 3 * 0.5 * 0.06)
    assert worth(tight, "choice") == approx(worth(tight, "plan"), abs=1e-6)
    drawn = tight["menu"].drawn_value.to_numpy()
    assert drawn.mean() < worth(tight, "plan") and drawn.min() == approx(0, abs=1e-9)


def test_owners_who_cannot_give_their_contract_take_another():
    """One car can give 5 kWh, the other 15; a kWh earns 4 cents and is paid 1.

    One contract for both is one of 10 kWh, .1 EUR each: .4 + .2 - .2 in the plan, though whoever
    can give 5 takes no contract of 10, and .4 - .1 are left. Two classes bring the other car in:
    .2 - .05 more, and what was planned.
    """
    full = FULL | {"hours": 3.0}
    case = stays_of(
        {"five": full | {"energy_floor": 35.0}, "ten": full | {"energy_floor": 0.0}},
        [60.0, 20.0, 20.0, 90.0],
    )
    data = {"theta": [1.0], "share": 1.0, "wear": 0.01, "term": 1.0, "power": 10.0}
    both = v2g.integrated_menu(case, **data)
    assert (worth(both, "plan"), worth(both, "choice")) == approx((0.4, 0.3))
    classes = v2g.integrated_menu(case, **data, class_room=[5.0, 10.0])
    assert (worth(classes, "plan"), worth(classes, "choice")) == approx((0.45, 0.45))
    assert classes["menu"].stays_with_contract.to_numpy().tolist() == [1, 1]
    assert classes["contract"].class_share.to_numpy().tolist() == [0.5, 0.5]


def test_two_owners_one_after_the_other_are_paid_each():
    """At one charger, each for two hours of 60 and 20 EUR/MWh, all of them within the term: 10 kWh
    of each earn .4 and are paid .1 EUR.

    Proves that a contract ends where the next one begins: taken for one, .1 EUR would do for both.
    """
    full = FULL | {"hours": 2.0}
    case = stays_of({"a": full | {"begin": 0.0}, "b": full | {"begin": 2.0}}, [60.0, 20.0] * 2)
    assert case["fleet"].sizes["fleet"] == 1
    data = {"theta": ("type", [1.0]), "share": ("type", [1.0]), "wear": 0.01, "term": 2.0}
    case["contract"] = xr.Dataset(data | {"power": 10.0}, {"type": ["any"]})
    plan = v2g.solve(v2g.case_with_types(case))
    assert plan["ledger"]["contract.owners"].to_numpy().ravel() == approx([0, -0.1, 0, -0.1])
    assert float(plan["ledger"]["energy.energy"].sum()) == approx(2 * 0.4)


def test_a_menu_that_is_given_is_judged():
    """Types that ask 2 and 1 cents are offered 5 kWh for .1 and 10 for .16 EUR: the first is as
    well off with none, the second gains .06. What they sell earns 4 cents.
    """
    case = stays_of({"a": FULL | {"hours": 3.0}}, [60.0, 20.0, 20.0, 90.0])
    menu = {"energy": [5.0, 10.0], "payment": [0.1, 0.16]}
    found = v2g.integrated_menu(case, **TYPES, term=1.0, power=10.0, **menu)
    assert "plan_value" not in found["menu"]
    assert worth(found, "choice") == approx(0.5 * (0.2 - 0.1) + 0.5 * (0.4 - 0.16))
    assert found["menu"].preferred.values.tolist() == ["1", "2"]


def test_drivers_and_wear_do_not_change_what_is_sold():
    """The same menu where wear would cost 8 cents per kWh; drivers pay for what they asked, which
    stays in the profit of the plan.
    """
    case = stays_of({"a": FULL | {"hours": 3.0, "energy_arrival": 30.0}}, [60.0, 20.0, 20.0, 90.0])
    fleet = case["fleet"].to_dataset()
    assert float(fleet.retail_price) == 0.2 and float(fleet.wear) == 0.01
    case["contract"] = v2g.menu(**TYPES, term=1.0, power=10.0, utility_scale=1.0)[
        "contract"
    ].to_dataset()[["theta", "share", "wear", "term", "power"]]
    plain = v2g.solve(v2g.case_with_types(case))
    case["fleet"] = fleet.assign(wear=0.0 * fleet.wear + 0.08)
    worn = v2g.solve(v2g.case_with_types(case))
    assert worn.attrs["profit"] == approx(plain.attrs["profit"])
    assert float(plain["ledger"]["fleet.drivers"].sum()) == approx(10 * 0.2)
    assert plain["contract"].designed_energy.to_numpy().ravel() == approx([10, 10])
    assert float(plain["fleet"].vehicles.sum()) == 1


def test_a_designed_menu_can_be_offered(found, tmp_path):
    """Through a file, and to the sessions of the case, three of which take a contract."""
    v2g.write(found, tmp_path / "menu.nc")
    again = v2g.read(tmp_path / "menu.nc")
    assert again["contract"].equals(found["contract"]) and again["menu"].equals(found["menu"])
    agreed = v2g.with_contracts(paying_stays(), again)
    assert int((agreed["sessions"].contract >= 0).sum()) == 3
    told = v2g.menu(again)["menu"]
    assert float(told.compatibility.min()) >= -1e-12 and float(told.rationality.min()) >= -1e-12


BAD = {
    "no contracts": ({}, {}, "contract.theta: missing"),
    "shares": ({"share": 0.3}, {}, "shares of the types sum to 0.6"),
    "a term beyond all stays": ({"term": 9.0}, {}, "9 h is longer than every stay"),
    "terms that fall": (
        {"term": [2.0, 1.0], "class_room": [5.0, 10.0], "power": 10.0},
        {},
        "contract.term: falls from class to class",
    ),
    "nobody who can give it": ({"class_room": [90.0]}, {}, "can give 90 kWh"),
    "a room twice": ({"class_room": [5.0]}, {"room": 5.0}, "room: 5 kWh, beside contract.class"),
    "a room below 0": ({}, {"room": -1.0}, "room: -1 kWh"),
    "draws below 0": ({}, {"draws": -1}, "draws: -1"),
    "calls": ({"reckons": "called"}, {}, "contract.reckons"),
    "intervals": ({"share_min": 0.4, "share_max": 0.6}, {}, "contract.share_min: is an interval"),
    "nothing that limits it": ({"power": None}, {}, "contract.power: missing"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_data_are_told(fault):
    change, options, words = BAD[fault]
    data = TYPES | {"term": 1.0, "power": 10.0} | change
    data = {} if fault == "no contracts" else {n: x for n, x in data.items() if x is not None}
    with pytest.raises(v2g.SchemaError) as error:
        v2g.integrated_menu(paying_stays(), **data, **options)
    said = "\n".join(map(str, error.value.problems))
    assert re.search(words, said), said


def test_wear_of_charging_is_no_part_of_a_contract():
    """A full car sells 10 kWh at 60 EUR/MWh and buys them back at 20. Owners are paid for what is
    discharged: of 4 cents a kWh, 3 stay the fleet's own where charging wears the battery, as they
    do where the menu is operated.
    """
    case = stays_of({"a": FULL | {"hours": 3.0}}, [60.0, 20.0, 20.0, 20.0])
    fleet = case["fleet"].to_dataset()
    for wear, gain in ((0.0, 0.04), (0.03, 0.01)):
        fleet["wear_charge"] = xr.DataArray(wear, attrs={"units": "EUR/kWh"})
        tree = case.assign(fleet=xr.DataTree(fleet))
        table = v2g.schedule_table(tree, [10], term=1.0, power=10.0)
        assert table["table_value"].to_numpy() == approx([0, 10 * gain])
        menu = {"theta": [1.0], "share": 1.0, "wear": 0.002, "term": 1.0, "power": 10.0}
        planned = v2g.integrated_menu(tree, **menu)
        assert worth(planned, "plan") == approx(10 * (gain - 0.002))


def test_many_vehicles_in_one_have_no_contracts():
    """An aggregate has no owner, and what a case gives for each member has no copies."""
    case = paying_stays()
    case["fleet"] = case["fleet"].to_dataset().assign(aggregate=1.0)
    with pytest.raises(v2g.SchemaError, match="one session at a time"):
        v2g.integrated_menu(case, **TYPES, term=1.0, power=10.0)
    case = paying_stays()
    members = {"fleet": case["fleet"]["fleet"]}
    case["vintage"] = xr.Dataset({"x": ("fleet", np.zeros(len(members["fleet"])))}, members)
    with pytest.raises(v2g.SchemaError, match="vintage.x"):
        v2g.case_with_types(
            case.assign(
                contract=xr.DataTree(
                    v2g.menu(**TYPES, term=1.0, power=10.0, utility_scale=1.0)[
                        "contract"
                    ].to_dataset()
                )
            )
        )
    fleet = v2g.commuters(vehicles=1, days=1)
    with pytest.raises(v2g.SchemaError, match="sessions"):
        v2g.integrated_menu(
            fleet.filter(lambda node: node.name != "sessions"), **TYPES, term=1.0, power=10.0
        )


def test_a_plan_for_types_is_not_operated():
    """Nobody is half of one type: a simulation needs sessions with owners."""
    case = paying_stays()
    group = v2g.menu(**TYPES, term=1.0, power=10.0, utility_scale=1.0)["contract"].to_dataset()
    case["contract"] = group.drop_vars(["energy", "payment", "utility_scale"])
    planned = v2g.case_with_types(case)
    with pytest.raises(v2g.SchemaError, match="offer a menu to the sessions"):
        v2g.simulate(planned, hindsight=False)
