"""Menus of contracts: values found by hand, by enumeration, and what is wrong with bad data
(docs/formulation.md §10, §16 C).
"""

import re
from itertools import product as combinations

import numpy as np
import pytest
import xarray as xr
from invariants.enumeration import least_payments
from pytest import approx
from sessions_made import stays_of

import v2g_linopy as v2g
from v2g_linopy.model.contracts import contract_of, term_problems
from v2g_linopy.study.menus import linear
from v2g_linopy.study.menus.exact import exact_menu
from v2g_linopy.study.menus.utilities import log_utility

FIVE = {"theta": [0.5, 0.75, 1.0, 1.25, 1.5], "share": 0.2, "wear": 0.01, "term": 3, "power": 11}
LOG = FIVE | {"utility": "log", "utility_scale": 0.2}
BOTH = pytest.mark.parametrize("method", ["exact", "linear"])


def numbers(found: xr.DataTree, name: str) -> np.ndarray:
    group = "contract" if name in found["contract"] else "menu"
    return found[group][name].to_numpy()


@BOTH
def test_five_types_by_hand(method):
    """S_m a/theta_m = .02, .01067, .006, .0032, .00133: a kWh of type 1 costs (.02 - .01067)/.2 =
    .04667 with the rents above it, and .2/.04667 - 1 = 23/7 kWh are bought.

    Proves the closed form and the program apart; with the bare .02 instead it would be 9 kWh.
    """
    found = v2g.menu(**LOG, method=method)
    hand = [23 / 7, 53 / 7, 93 / 7, 143 / 7, 29]
    if method == "exact":  # the top is flat: of the program, values are certain and energies not
        assert numbers(found, "energy") == approx(hand, abs=1e-9)
        steps = np.diff(hand, prepend=0) * 0.01 / np.array(FIVE["theta"])
        assert numbers(found, "payment") == approx(np.cumsum(steps), abs=1e-9)
        assert numbers(found, "surplus")[[0, 4]] == approx([0.23 / 7, 0.2942857 - 0.29], abs=1e-6)
    assert float(found["menu"].value) == approx(0.329156, abs=1e-6)
    assert float(found["menu"].bound) == approx(0.329156, abs=1e-6)


@BOTH
def test_dear_wear_excludes_the_lowest_type(method):
    """At 0.05 EUR/kWh type 1 costs .2333 EUR/kWh, more than the first kWh is worth (0.2)."""
    found = v2g.menu(**LOG | {"wear": 0.05}, method=method)
    energy = numbers(found, "energy")
    assert energy == approx([0, 5 / 7, 13 / 7, 23 / 7, 5], abs=1e-9 if method == "exact" else 0.1)
    assert float(found["menu"].value) == approx(0.086768, abs=1e-6)
    if method == "exact":
        assert found["menu"].excluded.values.tolist() == [1, 0, 0, 0, 0]


@BOTH
def test_rare_types_are_pooled(method):
    """Types 1 and 2 get one contract: (.02 - .55·.01333 + .55·.01333 - .5·.01)/.5 = .03 EUR/kWh.

    Without pooling type 2 would get less than type 1, and take the contract of type 1.
    """
    found = v2g.menu(**LOG | {"share": [0.45, 0.05, 0.05, 0.05, 0.40]}, method=method)
    hand = [5.666667, 5.666667, 6.142857, 9.714286, 29]
    assert numbers(found, "energy") == approx(hand, abs=1e-6 if method == "exact" else 0.3)
    assert float(found["menu"].value) == approx(0.325185, abs=1e-6)
    assert found["menu"].pooled.values.tolist() == [1, 1, 0, 0, 0]


@BOTH
def test_what_is_dear_alone_is_not_excluded_where_it_is_pooled(method):
    """Alone a kWh of type 2 costs .25455 EUR, above the 0.2 of the first one; pooled with type 1 it
    costs (.10101·.9 + .25455·.02)/.92 = .104348, which buys .2/.104348 - 1 = .916667 kWh.
    """
    data = {"theta": [1, 1.1, 2], "share": [0.9, 0.02, 0.08], "wear": 0.1, "term": 3, "power": 11}
    found = v2g.menu(**data, utility="log", utility_scale=0.2, method=method)
    near = 1e-6 if method == "exact" else 5e-3
    assert numbers(found, "energy") == approx([0.916667, 0.916667, 3], abs=near)
    assert numbers(found, "payment") == approx([0.091667, 0.091667, 0.195833], abs=near)
    assert float(found["menu"].value) == approx(0.0418888, abs=1e-6)


@pytest.mark.parametrize(
    "robust, value, shares, nominal",
    [
        (0.05, 0.318914, [0.25, 0.25, 0.2, 0.15, 0.15], 0.317677),
        (0.1, 0.310710, [0.3, 0.3, 0.2, 0.1, 0.1], 0.306198),
    ],
)
def test_a_robust_menu_is_better_where_shares_are_off(robust, value, shares, nominal):
    """Worst are more owners of the types that cost most, which is found from both sides: the value
    at the shares that are worst for the menu, and that of the best menu at these shares.
    """
    found = v2g.menu(**LOG, robust=robust)["menu"]
    assert float(found.value) == approx(value, abs=1e-6)
    assert float(found.bound) == approx(value, abs=1e-6)
    assert found.worst_share.to_numpy() == approx(shares, abs=1e-6)
    plain = v2g.menu(**LOG)["contract"]
    judged = v2g.menu(**LOG, robust=robust, energy=plain.energy, payment=plain.payment)["menu"]
    assert float(judged.value) == approx(nominal, abs=1e-6)


def test_a_table_against_every_menu_of_its_points():
    """All 4·4·4 assignments of 0, 2, 5, 9 kWh to three types, with the least payments that keep
    every owner at its own contract, by the longest path over the types.

    Proves closed form, pooling and payments with nothing of their formulas.
    """
    theta, share, wear = np.array([0.6, 0.9, 1.4]), np.array([0.5, 0.1, 0.4]), 0.02
    energy, value = np.array([0, 2.0, 5, 9]), np.array([0, 0.12, 0.24, 0.3])
    ask = wear / theta
    best = -np.inf
    for chosen in combinations(range(4), repeat=3):
        payment = least_payments(energy[list(chosen)], ask)
        if payment is not None:
            best = max(best, float(share @ (value[list(chosen)] - payment)))
    found = v2g.menu(
        theta=theta, share=share, wear=wear, term=1, power=11,
        utility="table", table_energy=energy, table_value=value,
    )  # fmt: skip
    assert best > 0.08
    assert float(found["menu"].value) == approx(best, abs=1e-12)


def test_menus_beside_each_other_are_menus_each():
    """Three stations with shares of their own and two terms: six menus at once, and one by one."""
    theta = xr.DataArray([0.5, 0.75, 1.0], dims="type")
    shares = xr.DataArray([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3], [0, 1, 0]], dims=("station", "type"))
    cap = xr.DataArray([4.0, 33.0], dims="term")
    ask, utility = 0.01 / theta, log_utility(0.2)
    at_once = exact_menu(ask, shares, utility, cap)
    assert at_once.energy.sizes == {"station": 3, "type": 3, "term": 2}
    for station, term in combinations(range(3), range(2)):
        alone = exact_menu(ask, shares.isel(station=station), utility, cap.isel(term=term))
        assert at_once.isel(station=station, term=term).equals(alone)


def test_one_type_is_paid_what_it_asks():
    """One type hides nothing: u'(w) = a/theta, so .2/.01 - 1 = 19 kWh for .19 EUR, no rent."""
    found = v2g.menu(theta=[1.0], share=1.0, wear=0.01, term=3, power=11, utility_scale=0.2)
    assert numbers(found, "energy") == approx([19]) and numbers(found, "payment") == approx([0.19])
    assert float(found["menu"].value) == approx(float(found["menu"].first_best))


def test_the_term_caps_the_energy():
    """1 h at 11 kW: types 3 to 5 would get 13.3 kWh and more, and get 11, side by side with 3 h."""
    found = v2g.menu(**LOG | {"term": [1, 3]})
    capped = found["menu"].capped.values
    assert numbers(found, "energy")[:, 0] == approx([23 / 7, 53 / 7, 11, 11, 11])
    assert capped[:, 0].tolist() == [0, 0, 1, 1, 1] and capped[:, 1].tolist() == [0] * 5
    assert (found["menu"].class_compatibility >= -1e-12).all()


def test_classes_may_cap_by_room():
    """Sessions that can give 10 or 20 kWh: the menu of each class stops there."""
    found = v2g.menu(**LOG | {"class_room": [10.0, 20.0]})
    assert numbers(found, "energy").max(axis=0) == approx([10, 20])


def test_fewer_contracts_are_still_taken_as_meant():
    """Of five contracts the lowest three are offered: types 4 and 5 take the third, none lies.

    Proves that "the largest smaller contract" is what an owner would choose."""
    found = v2g.menu(**LOG, offer=3)
    full = v2g.menu(**LOG)
    energy = numbers(full, "energy")
    assert numbers(found, "energy") == approx([*energy[:3], energy[2], energy[2]])
    assert float(found["menu"].compatibility) >= -1e-12
    assert float(found["menu"].value) < float(full["menu"].value)


def test_owners_who_reckon_with_calls_are_paid_for_calls():
    """Nine tenths are called of a contract, and owners know it: payments are nine tenths.

    Paid for all of it, type 1 would take 23/7 kWh for .065714; so it is .059143. A menu of full
    calls that is called unevenly is not compatible: type 2 then prefers the contract of type 5.
    """
    plain = v2g.menu(**LOG)["contract"]
    offered = LOG | {"energy": plain.energy, "reckons": "called"}
    found = v2g.menu(**offered, called=0.9 * plain.energy)
    assert numbers(found, "payment") == approx(0.9 * plain.payment.to_numpy())
    assert float(found["menu"].compatibility) >= -1e-12

    share = np.array([0.9, 0.5, 0.5, 0.5, 0.5])
    uneven = v2g.menu(**offered, payment=plain.payment, called=share * plain.energy)["menu"]
    gains = plain.payment.to_numpy() - 0.01 / 0.75 * share * plain.energy.to_numpy()
    assert float(uneven.compatibility) < -0.01
    assert uneven.preferred.values[1] == str(1 + gains.argmax())


def test_a_menu_is_designed_on_the_energy_that_is_called():
    """Half of each energy is called, so the table says u(x) at x = w/2: types take twice the energy
    that they would be sold if all of it were called, for the same money.
    """
    points = np.array([0, 1.0, 3, 6, 10, 15])
    value = np.array([0, 0.1, 0.22, 0.32, 0.38, 0.4])
    table = FIVE | {"utility": "table", "table_value": value}
    called = v2g.menu(**table, table_energy=2 * points, table_called=points, reckons="called")
    full = v2g.menu(**table, table_energy=points)
    assert numbers(called, "energy") == approx(2 * numbers(full, "energy"))
    assert numbers(called, "payment") == approx(numbers(full, "payment"))
    assert float(called["menu"].value) == approx(float(full["menu"].value))


def test_calls_that_bend_the_table_are_enumerated():
    """The second kWh that is called is worth more than the first: two types, all pairs by hand.

    Points (x, u) = (0, 0), (1, .01), (2, .06), each type half of the owners, asking .02 and .01 per
    kWh. Pairs (0, 2): .5·(.06 - .02) = .02; (2, 2): .06 - .04 = .02, (1, 2): .5·(.01 - .02) +
    .5·(.06 - .02 - .01) = .01. With .07 instead of .06 both at 2 are best: .03 against .025.
    """
    data = {"theta": [0.5, 1.0], "share": 0.5, "wear": 0.01, "term": 1, "power": 11}
    table = {"utility": "table", "reckons": "called", "table_energy": [0.0, 4, 5]}
    table |= {"table_called": [0.0, 1, 2], "table_value": [0.0, 0.01, 0.07]}
    found = v2g.menu(**data, **table)
    assert numbers(found, "energy").tolist() == [5, 5]
    assert float(found["menu"].value) == approx(0.03)
    weak = v2g.menu(**data | {"power": 4.5}, **table)  # the point of 5 kWh is out of reach
    assert numbers(weak, "energy").tolist() == [0, 0] and float(weak["menu"].first_best) == 0


def test_what_is_worth_its_price_exactly_is_not_bought():
    """Slopes of .5 and .25 EUR/kWh at .25 EUR asked: of all best energies the smallest, 1 kWh."""
    table = {"utility": "table", "table_energy": [0.0, 1, 2], "table_value": [0.0, 0.5, 0.75]}
    found = v2g.menu(theta=[1.0], share=1.0, wear=0.25, term=1, power=11, **table)
    assert numbers(found, "energy") == [1]
    for money in (0.1, 1.0, 3.0):  # (.025 - .5 .02)/.5 = .03 whatever rounding makes of it
        drawn = {"table_energy": [0.0, 1, 2], "table_value": [0.0, 0.03 * money, 0.03 * money]}
        data = {"theta": [0.2, 0.25], "share": 0.5, "wear": 0.005 * money, "term": 1, "power": 11}
        assert numbers(v2g.menu(**data, utility="table", **drawn), "energy").tolist() == [0, 1]


def test_of_energies_that_are_called_alike_the_worthiest_is_sold():
    """Of 2 and of 4 kWh 2 are called, worth .1 and .12 EUR: 4 kWh are sold, and 2 are paid at .02.

    The third kWh called is worth .01, less than it costs."""
    table = {"utility": "schedule", "reckons": "called", "table_energy": [0.0, 2, 4, 6]}
    table |= {"table_called": [0.0, 2, 2, 3], "table_value": [0.0, 0.1, 0.12, 0.13]}
    found = v2g.menu(theta=[1.0], share=1.0, wear=0.02, term=1, power=11, **table)
    assert numbers(found, "energy") == approx([4]) and numbers(found, "payment") == approx([0.04])
    assert float(found["menu"].value) == approx(0.08) == float(found["menu"].first_best)


def test_a_type_without_owners_gets_the_contract_below():
    """Nobody is of type 1, 3 or 5: type 3 gets what type 2 gets, type 1 nothing."""
    found = v2g.menu(**LOG | {"share": [0, 0.5, 0, 0.5, 0]})
    energy = numbers(found, "energy")
    alone = v2g.menu(**LOG | {"theta": [0.75, 1.25], "share": 0.5})
    assert energy[0] == 0 and energy[1] == energy[2] and energy[3] == energy[4]
    assert energy[[1, 3]] == approx(numbers(alone, "energy"))


def test_caps_that_differ_by_type_need_the_program():
    """Type 5 has a weak charger: no contract may be above 3·5 = 15 kWh, as energies rise.

    The closed form is refused; the value of the program is below that without the weak charger.
    """
    data = LOG | {"power": [11, 11, 11, 11, 5]}
    with pytest.raises(v2g.SchemaError, match=r"contract.power.*method=\"linear\""):
        v2g.menu(**data)
    found = v2g.menu(**data, method="linear")
    assert numbers(found, "energy").max() == approx(15)
    weak = v2g.menu(**LOG | {"power": 5})
    assert float(found["menu"].value) == approx(float(weak["menu"].value), abs=1e-6)


def test_types_that_are_next_to_equal_have_a_program(monkeypatch):
    """Types apart by a billionth, and one of them with owners: HiGHS 1.16 ends in an error at
    the fourth round of tangents. Asked .025 per kWh, .05 sqrt(w) buys one kWh, for .025.
    """
    monkeypatch.setattr(linear, "_FIRST_POINTS", np.geomspace(1e-6, 1.0, 25))
    found = v2g.menu(
        theta=0.2 + 1e-9 * np.array([0, 0, 0, 1, 1, 2]), share=[0, 0, 0, 0, 0, 1], wear=0.005,
        term=1, power=3.7, utility="sqrt", utility_scale=0.05, method="linear",
    )  # fmt: skip
    assert float(found["menu"].value) == approx(0.025, abs=1e-6)


def test_a_menu_is_a_file(tmp_path):
    """Written, read and judged again, with the money and the titles that it has."""
    found = v2g.menu(**LOG)
    v2g.write(found, tmp_path / "menu.nc")
    again = v2g.read(tmp_path / "menu.nc")
    assert again["contract"].equals(found["contract"]) and again["menu"].equals(found["menu"])
    assert again["contract"].payment.attrs["units"] == "EUR"
    judged = v2g.menu(again)["menu"].to_dataset()
    assert judged.identical(again["menu"].to_dataset().drop_vars("bound"))
    assert float(contract_of(again).energy[4]) == approx(29)


def test_a_table_may_be_replaced_by_a_longer_one():
    """Two points, then three: of the second menu the last piece is worth .25, what it costs."""
    table = {"utility": "table", "table_energy": [0.0, 1], "table_value": [0.0, 0.75]}
    first = v2g.menu(theta=[1.0], share=1.0, wear=0.25, term=1, power=11, **table)
    asked = first["contract"].to_dataset().drop_vars(["energy", "payment"])
    longer = {"table_energy": [0.0, 1, 2, 3], "table_value": [0.0, 0.75, 1.25, 1.5]}
    second = v2g.menu(xr.DataTree.from_dict({"/contract": asked}), **longer)
    assert numbers(first, "energy") == [1] and numbers(second, "energy") == [2]


BAD = {
    "shares that sum to 1.5": ({"share": 0.3}, "contract.share: shares of the types sum to 1.5"),
    "unordered": ({"theta": [1, 2, 1.5, 3, 4]}, r"contract.theta: type 3: 1.5 is below that of"),
    "no openness": ({"theta": [0, 2, 2.5, 3, 4]}, r"contract.theta: type 1: 0 must be above 0"),
    "negative wear": ({"wear": -0.1}, r"contract.wear: -0.1, allowed \[0, inf\] EUR/kWh"),
    "unknown utility": ({"utility": "lgo"}, "'lgo' is not one of .*did you mean log"),
    "unknown field": ({"thta": 1.0}, "did you mean contract.theta"),
    "no scale": ({"utility_scale": xr.DataArray(0.0)}, "contract.utility_scale: 0 must be above 0"),
    "no table": ({"utility": "table"}, "contract.table_energy: missing"),
    "intervals without a sum of 1": (
        {"share_min": 0.0, "share_max": 0.1},
        "shares from 0 to 0.5 in sum are allowed, which leaves out 1",
    ),
    "payment alone": ({"payment": 1.0}, "contract.energy: given without energy"),
    "a table that is not concave": (
        {"utility": "table", "table_energy": [0, 1, 2], "table_value": [0, 0.1, 0.3]},
        "contract.table_value: is not concave at 1 kWh",
    ),
    "a table that falls": (
        {"utility": "table", "table_energy": [0, 1, 2], "table_value": [0, 0.1, 0.05]},
        "contract.table_value: falls after 1 kWh",
    ),
    "a table that begins elsewhere": (
        {"utility": "table", "table_energy": [1, 2, 3], "table_value": [0, 0.1, 0.15]},
        "begins at 1 kWh with 0 EUR",
    ),
    "more than a class can give": (
        {"energy": [1, 2, 3, 4, 50], "class_room": [40.0]},
        "contract.energy: type 5 class 1: 50 kWh is more than a session of the class can give",
    ),
    "lists that do not fit": ({"share": [0.5, 0.5]}, "arrays do not fit together"),
    "a word of the method": ({"method": "magic"}, "method: 'magic' is not one of exact, linear"),
    "no types": ({"theta": []}, "contract.theta: has no types"),
    "no contract offered": ({"offer": 0}, "offer: 0: at least one contract is offered"),
    "more than all shares": ({"robust": 2.0}, r"robust: 2, allowed \[0, 1\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data_is_told_in_words(name):
    """Each fault is named with its place and number."""
    change, words = BAD[name]
    with pytest.raises(v2g.SchemaError) as error:
        v2g.menu(**LOG | change)
    said = "\n".join(map(str, error.value.problems))
    assert re.search(words, said), said


def test_all_faults_are_listed_at_once():
    """Three faults, three lines."""
    with pytest.raises(v2g.SchemaError) as error:
        v2g.menu(**LOG | {"theta": [1, 2, 1.5, 3, 4], "share": 0.3, "term": 0})
    assert {p.where for p in error.value.problems} == {
        *("contract.theta", "contract.share", "contract.term")
    }


def test_a_case_without_contracts_is_refused():
    with pytest.raises(v2g.SchemaError, match="/contract"):
        contract_of(v2g.commuters(vehicles=1, days=1))


def test_classes_with_utilities_of_their_own_may_need_each_other():
    """Short stays are worth more: 6 kWh .6 EUR, and .12 in long ones. Types ask .12 and .06 EUR.

    Apart, both types of the short class are paid .12, and of the long class type 2 alone, .06: it
    would gain .06 by pretending a short stay. Together it is paid .12 as well: (.48 + 0)/2 = .24,
    more than .15 with type 2 alone in both.
    """
    data = {"theta": [0.5, 1.0], "share": 0.5, "wear": 0.01, "term": [1, 3], "power": 11}
    table = {"utility": "table", "table_energy": [0.0, 6], "table_value": [[0, 0], [0.6, 0.12]]}
    with pytest.raises(v2g.SchemaError, match="gain 0.06 by a shorter stay.*linear"):
        v2g.menu(**data, **table)
    found = v2g.menu(**data, **table, method="linear")
    assert float(found["menu"].class_compatibility.min()) >= -1e-12
    assert float(found["menu"].mean_value) == approx(0.24, abs=1e-6)
    assert float(found["menu"].bound) == approx(0.24, abs=1e-6)
    even = v2g.menu(
        **data, **table | {"table_value": [[0, 0], [0.12, 0.6]]}, class_share=[0.25, 0.75]
    )
    assert (even["menu"].class_compatibility >= 0).all()  # long stays are worth more: nothing binds
    assert even["menu"].value.to_numpy() == approx([0.03, 0.48])
    assert float(even["menu"].mean_value) == approx(0.25 * 0.03 + 0.75 * 0.48)


def test_terms_beyond_every_stay():
    """Stays of 2 and 5 h: a term of 6 h would never be called."""
    moment = np.datetime64("2026-03-02T08:00", "ns")
    hours = np.array([2, 5]) * np.timedelta64(1, "h")
    stays = xr.Dataset(
        {"arrival": ("session", [moment, moment]), "departure": ("session", moment + hours)}
    )
    terms = xr.Dataset({"term": ("class", [3.0, 6.0])}, coords={"class": ["short", "long"]})
    (problem,) = term_problems(terms, stays)
    assert "6 h is longer than every stay, the longest is 5 h" in str(problem)


def test_a_case_gives_its_money_and_its_stays():
    """Contracts of a case in USD whose longest stay is some hours: a term of 90 h is refused."""
    case = v2g.commuters(vehicles=1, days=1)
    case.attrs["currency"] = "USD"
    data = xr.Dataset({"theta": ("type", [0.5, 1.0]), "share": 0.5, "utility_scale": 0.2})
    data = data.assign(
        wear=((), 1.0, {"units": "ct/kWh"}), term=1.0, power=((), 0.011, {"units": "MW"})
    )
    case["contract"] = data.assign_coords(type=["a", "b"])
    found = v2g.menu(case)
    assert list(found.children) == ["contract", "menu"] and found.attrs["currency"] == "USD"
    assert found["contract"].payment.attrs["units"] == found["menu"].value.attrs["units"] == "USD"
    # b_1 = .02 - .5 .01 = .015, so .2/.03 - 1 = 17/3 kWh; type 2 would take 19 and is capped at 11
    assert numbers(found, "energy") == approx([17 / 3, 11])
    with pytest.raises(v2g.SchemaError, match="90 h is longer than every stay"):
        v2g.menu(case, term=90)


def test_the_table_of_a_schedule_by_hand():
    """One car stays for three hours at 60, 20, 50 and is full: 6 kWh of 60 are bought back at 20.
    Another needs 10 kWh: it gives no more than what it has, and charges 10 + w in two hours at 20
    and 50, the first 10 at 20. A third leaves too soon. Term 1 h.

    w = 6: .24 for the first; the second buys 10 at 20 anyway, so 6 kWh cost 50: .06. Mean .15 of
    two. With wear or retail, which are the owner's and the driver's, it would be less.
    """
    cars = {
        "full": {"hours": 3.0, "energy_arrival": 40.0, "energy_need": 40.0},
        "needs": {"hours": 3.0, "energy_arrival": 10.0, "energy_need": 20.0},
        "short": {"hours": 0.5, "energy_arrival": 30.0, "energy_need": 30.0},
    }
    case = stays_of(cars, [60.0, 20.0, 50.0, 90.0])
    table = v2g.schedule_table(case, [3, 6], term=1, power=10)
    assert table.table_value.to_numpy() == approx([0, 0.075, 0.15])
    assert table.table_called.to_numpy() == approx([0, 3, 6])
    assert (table.attrs["stays"], table.attrs["stays_with_contract"]) == (3, 2)
    found = v2g.menu(
        **table, utility="schedule", theta=[1.0], share=1.0, wear=0.02, term=1, power=10
    )
    assert numbers(found, "energy") == approx([6]) and numbers(found, "payment") == approx([0.12])


def test_each_stay_has_an_allowance_of_its_own():
    """Two full cars one after the other at one charger, at 60, 20, 60, 20 EUR/MWh, give 4 kWh each.

    Were they counted together, the second would give nothing, and the mean be .08.
    """
    full = {"energy_arrival": 40.0, "energy_need": 40.0, "hours": 2.0}
    case = stays_of({"one": full | {"begin": 0.0}, "two": full | {"begin": 2.0}}, [60.0, 20.0] * 2)
    assert case["fleet"].sizes["fleet"] == 1
    table = v2g.schedule_table(case, [4], term=1, power=10)
    assert table.table_value.to_numpy() == approx([0, 0.16])


def test_what_cannot_be_charged_again_is_no_contract():
    """A full car that stays for an hour gives and takes back 5 kWh at 10 kW, and no 6."""
    cars = {"full": {"energy_arrival": 40.0, "energy_need": 40.0, "hours": 1.0}}
    case = stays_of(cars, [60.0, 20.0])
    assert v2g.schedule_table(case, [5], term=1, power=10).attrs["stays_with_contract"] == 1
    with pytest.raises(v2g.SchemaError, match="no stay is 1 h long and can give 6 kWh"):
        v2g.schedule_table(case, [6], term=1, power=10)


def test_a_schedule_counts_half_hours_and_keeps_the_floor():
    """36 of 40 kWh stay on board: 4 kWh are given within the first half hour, and no 5."""
    car = {"energy_arrival": 40.0, "energy_need": 40.0, "energy_floor": 36.0, "hours": 2.0}
    case = stays_of({"full": car}, [60.0, 20.0, 20.0, 20.0], step="30min")
    table = v2g.schedule_table(case, [4], term=0.5, power=10)
    assert table.table_value.to_numpy() == approx([0, 0.16])
    assert table.table_called.to_numpy() == approx([0, 4])
    with pytest.raises(v2g.SchemaError, match="can give 5 kWh"):
        v2g.schedule_table(case, [5], term=0.5, power=10)


def test_each_term_has_the_stays_that_last_no_longer_one():
    """One stay of 1.5 h and two of 3 h at 60, 20, 20: terms of 1 and 2 h are worth 4 cents a kWh of
    the first hour, 10 kWh of it; a third of the sessions has the shorter term.
    """
    full = {"energy_arrival": 40.0, "energy_need": 40.0}
    cars = {"a": full | {"hours": 2.0}, "b": full | {"hours": 3.0}, "c": full | {"hours": 3.0}}
    case = stays_of(cars, [60.0, 20.0, 20.0, 20.0])
    table = v2g.schedule_table(case, [5, 10], term=[1, 2.5], power=10)
    assert table.table_value.to_numpy() == approx(np.array([[0, 0.2, 0.4]] * 2))
    assert table.class_share.to_numpy() == approx([1 / 3, 2 / 3])
    assert table.indexes["class"].tolist() == ["1 h", "2.5 h"]
    found = v2g.menu(**table, utility="schedule", theta=[1.0], share=1.0, wear=0.02, power=10)
    assert numbers(found, "energy") == approx(np.array([[10, 10]]))
    assert float(found["menu"].mean_value) == approx(0.2)


def test_a_schedule_keeps_to_its_term():
    """Prices of 60 in the second hour: within a term of half an hour nothing is gained of them."""
    cars = {"full": {"hours": 3.0, "energy_arrival": 40.0, "energy_need": 40.0}}
    case = stays_of(cars, [20.0, 60.0, 20.0, 20.0])
    for term, value in ((0.5, 0.0), (1.25, 0.1), (2.0, 0.16)):  # 0, 2.5 and 4 kWh at 4 cents
        table = v2g.schedule_table(case, [4], term=term, power=10)
        assert table.table_value.to_numpy() == approx([0, value], abs=1e-9)
    with pytest.raises(v2g.SchemaError, match="no stay is 4 h long"):
        v2g.schedule_table(case, [4], term=4, power=10)
    with pytest.raises(v2g.SchemaError, match="/sessions"):
        v2g.schedule_table(v2g.fleets(), [4], term=1, power=10)
