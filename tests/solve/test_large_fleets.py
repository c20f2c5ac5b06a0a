"""Vehicles planned one by one at prices, and mixed behind a limit until a bound proves the mix
(docs/formulation.md §12).
"""

from importlib import import_module

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, row, storage, vehicle
from hypothesis import settings
from pytest import approx
from stories import through_a_file

import v2g_linopy as v2g
from benchmarks.large_fleets import fleet_case
from v2g_linopy.model.inputs import inputs_of
from v2g_linopy.solve import oracle, oracle_kernel
from v2g_linopy.solve.decompose import large_fleets_plan, vehicle_batches
from v2g_linopy.solve.decompose.large_fleets import Loop, in_groups
from v2g_linopy.solve.decompose.large_fleets_master import LevelTwo
from v2g_linopy.solve.decompose.large_fleets_plan import _rest
from v2g_linopy.solve.oracle_members import vehicle_stays
from v2g_linopy.solve.solver import Settings

PRICES = [50, 20, 30, 60]
CAR = vehicle(energy_min=[0, 0, 0, 20])


# ---- one vehicle at given prices -----------------------------------------------------------------


def test_a_car_draws_in_the_cheapest_hours(pipeline):
    """20 kWh at 10 kW: the hours at 20 and at 30, 0.50 EUR, and nothing is left to prove."""
    result = pipeline(case(CAR, market(PRICES)), method="oracle")
    assert row(result, "fleet.charge") == [0, 10, 10, 0]
    assert result.attrs["profit"] == approx(-0.50)
    told = {name: result.attrs[name] for name in ("method", "oracle_members", "lp_members")}
    assert told == {"method": "oracle", "oracle_members": 1, "lp_members": 0}
    assert result.attrs["certified_gap"] <= 1e-12
    assert row(result, "price.market") == PRICES


def test_a_car_feeds_in_what_pays_for_its_wear(pipeline):
    """Bought at 20, sold at 60 with 0.9 each way and 0.01 of wear per kWh from the battery.

    10 kW drawn make 9 kWh, of which 8.1 reach the grid: 0.486 - 0.2 - 0.09 = 0.196 EUR.
    """
    car = vehicle(discharge_max=10, eta_charge=0.9, eta_discharge=0.9, wear=0.01)
    result = pipeline(case(car, market([20, 60])), method="oracle")
    assert row(result, "fleet.discharge") == [0, 8.1]
    assert result.attrs["profit"] == approx(0.196)


def test_a_trip_that_takes_the_need_is_missed_once(pipeline):
    """12 kWh are due at the end of the second hour and leave in the third; 10 can be drawn.

    2 kWh are missing at 0.5 EUR/kWh: 1 EUR. Paid for the need and again for the trip, it would be
    1.20: 2 kWh would be drawn on the way, at 0.1 EUR/kWh.
    """
    car = vehicle(energy_min=[0, 12, 0], energy_out=[0, 0, 12], unserved_cost=0.5)
    car |= {"charge_max": [0, 10, 10]}
    result = pipeline(case(car, market([0, 0, 100])), method="oracle")
    assert result.attrs["objective"] == approx(-1.0)
    assert row(result, "fleet.unserved_trip") == [0, 0, 2]


def test_a_need_and_a_trip_that_is_not_all_of_it_are_missed_apart(pipeline):
    """The same, but half of the energy is gone before the trip: 2 kWh are missing at first, and
    7 of 12 from the trip, 4.50 EUR.
    """
    car = vehicle(energy_min=[0, 12, 0], energy_out=[0, 0, 12], unserved_cost=0.5)
    car |= {"charge_max": [0, 10, 0], "keep": [1, 1, 0.5]}
    result = pipeline(case(car, market([0, 0, 0])), method="oracle")
    assert result.attrs["objective"] == approx(-4.5)


def test_a_need_without_a_charger_is_missed(pipeline):
    """5 kWh are needed where nothing moves, at 0.5 EUR/kWh: 2.50 EUR."""
    idle = vehicle(charge_max=0, energy_min=5, unserved_cost=0.5)
    result = pipeline(case({"idle": idle, "car": vehicle()}, market([50])), method="oracle")
    assert row(result, "fleet.unserved") == [5, 0]
    assert result.attrs["objective"] == approx(-2.5)


def test_energy_that_is_lost_is_not_drawn_early(pipeline):
    """Half of the energy is gone after an hour: 5 kWh at 30 EUR/MWh, not 10 kWh at 20 before."""
    car = vehicle(energy_min=[0, 5], keep=[1, 0.5])
    result = pipeline(case(car, market([20, 30])), method="oracle")
    assert row(result, "fleet.charge") == [0, 5]
    assert result.attrs["profit"] == approx(-0.15)


def test_what_drivers_do_not_get_they_do_not_pay(pipeline):
    """12 kWh asked for at 0.3, 10 come: 3 EUR are paid, 2 kWh missing cost 0.1 EUR/kWh more."""
    car = vehicle(energy_min=[12], need_billed=[12], retail_price=0.3, unserved_cost=0.1)
    result = pipeline(case(car, market([0])), method="oracle")
    assert result.attrs["profit"] == approx(3.0)
    assert result.attrs["objective"] == approx(2.8)
    # the bound is one of the whole bill, with the 3.60 EUR that nobody decides
    assert result.attrs["bound"] == approx(2.8)


def test_energy_on_board_ages_by_the_hour(pipeline):
    """Calendar wear of 40 kWh of battery, 0.4 EUR/h when full: 10 kWh for the last hour cost 0.05.

    Mean energy of that hour is 5 kWh. Drawn an hour before, they would cost 0.15.
    """
    car = vehicle(energy_min=[0, 10], calendar_cost_soc=0.4 * 8760)
    result = pipeline(case(car, market([50, 50])), method="oracle")
    assert row(result, "fleet.charge") == [0, 10]
    assert result.attrs["profit"] == approx(-0.5 - 0.05)


# ---- reserves that ask for room alone ------------------------------------------------------------

SYMMETRIC = product(up=1, down=1, capacity_price=15)


def test_room_for_reserves_moves_a_car(pipeline):
    """20 kWh at 10 kW, and 0.015 EUR for each kW that can rise and fall: with 5, 10, 5 kW drawn 5
    kW are sold twice, 0.60 - 0.15 EUR. In the two cheapest hours at 10 kW nothing is: 0.50.
    """
    result = pipeline(case(CAR, market(PRICES), SYMMETRIC), method="oracle")
    assert row(result, "fleet.charge") == [5, 10, 5, 0]
    assert row(result, "reserve.share_fleet") == [5, 0, 5, 0]
    assert result.attrs["profit"] == approx(-0.45)
    assert result.attrs["oracle_members"] == 1


def test_what_is_activated_on_average_takes_room(pipeline):
    """A car at rest with 10 kW each way; a quarter of what it sells up is called on average.

    Injecting p it sells what fits into both: 3/4 x <= 10 - p and 5/4 x <= 10 + p, that is 10 kW at
    p = 2.5: the grid gets what is called, and the car 0.10 EUR for capacity, which the price of
    0 leaves. Without the activation 10 kW fit at rest, too, with nothing discharged.
    """
    car = vehicle(discharge_max=10, energy_initial=20)
    sold = product(up=1, down=1, activation_up=0.25, capacity_price=10)
    result = pipeline(case(car, market([0]), sold), method="oracle")
    assert row(result, "fleet.discharge") == [2.5]
    assert row(result, "reserve.volume") == [10]
    assert result.attrs["profit"] == approx(0.10)


def test_products_share_the_room_of_a_car(pipeline):
    """10 kW each way at rest: both ways at 10 EUR/MW, or up at 8 and down at 3, which is more."""
    sold = {
        "both": product(up=1, down=1, capacity_price=10),
        "up": product(up=1, down=0, capacity_price=8),
        "down": product(up=0, down=1, capacity_price=3),
    }
    car = vehicle(discharge_max=10, energy_initial=20, eta_charge=0.9, wear=1.0)
    result = pipeline(case(car, market([50]), sold), method="oracle")
    assert [row(result, "reserve.volume", product=n) for n in sold] == [[0], [10], [10]]
    assert result.attrs["profit"] == approx(0.11)


def test_a_connection_survives_what_all_hold(pipeline):
    """Two cars could fall by 10 kW each; behind 12 kW 12 are sold at 10 EUR/MW, not 20: 0.12."""
    sold = product(up=0, down=1, capacity_price=10)
    cars = {"a": vehicle(charge_max=[10]), "b": vehicle(charge_max=[10])}
    story = case(cars, market([50]), sold, {"import_max": 12.0})
    result = pipeline(story, method="decompose")
    assert row(result, "reserve.volume") == [12]
    assert result.attrs["profit"] == approx(0.12)
    assert result.attrs["certified_gap"] <= 1e-6


def test_reserves_at_a_supplier_and_at_a_market():
    """A car behind a supplier, whose reserves are settled there, and one at the market; both sell
    two products, of which one is bought up to 8 kW in blocks, and one is called: the value and the
    bound are those of one model.
    """
    cars = {"a": CAR | {"discharge_max": 10, "pod": "north"}, "b": CAR | {"pod": "south"}}
    sold = {
        "called": SYMMETRIC | {"activation_up": 0.2, "activation_down": 0.1},
        "block": product(up=1, down=0, capacity_price=[10, 20, 30, 40], volume_max=8.0, block=2.0),
    }
    supplied = {"import_max": 8.0, "export_max": 9.0, "supply_price": 40.0, "feed_in_price": 20.0}
    pods = {"north": supplied, "south": {"import_max": 15.0}}
    story = case(cars, market(PRICES), sold, pods)
    result, whole = (v2g.solve(story, method=m) for m in ("decompose", "whole"))
    assert result.attrs["objective"] == approx(whole.attrs["objective"], abs=1e-6)
    assert result.attrs["bound"] == approx(whole.attrs["objective"], abs=1e-6)
    assert float(result["reserve"].volume.sum()) > 0


def test_room_that_is_worth_losing_energy_for():
    """A full car, 10 kW in and 4 kW out at 0.9 each way, 120 EUR/MW for what can rise and fall.

    By rest 4 kW are sold, 0.48 EUR. Charging 4.94 and discharging 4 leaves it full and draws 0.94:
    4.94 kW are sold for 0.05 EUR of energy, 0.546 EUR. Many cars may do so, which the oracle does
    not plan: they get a linear programme. One car may not, and what that costs stands in the gap.
    """
    sold = product(up=1, down=1, capacity_price=120)
    car = vehicle(discharge_max=4, energy_initial=40, eta_charge=0.9, eta_discharge=0.9)
    many = case(car | {"aggregate": 1.0}, market([50]), sold)
    with pytest.raises(v2g.SchemaError, match="charging and discharging at once pays"):
        v2g.solve(many, method="oracle")
    result = v2g.solve(many, method="decompose")
    assert result.attrs["profit"] == approx(0.12 * (4 / 0.81) - 0.05 * (4 / 0.81 - 4))
    assert (result.attrs["oracle_members"], result.attrs["batched_members"]) == (0, 1)
    assert result.attrs["certified_gap"] <= 1e-9

    result = v2g.solve(case(car, market([50]), sold), method="decompose")
    assert result.attrs["profit"] == approx(0.48)
    assert (result.attrs["status"], result.attrs["overlap_kw"]) == ("gap_limit", 0.0)
    assert result.attrs["bound"] > 0.48


@pytest.mark.parametrize("own", [{}, {"taper_from": 0.9, "taper_to": 0.5}])
@pytest.mark.parametrize("method", ["oracle", "decompose", "whole"])
def test_a_need_that_cannot_be_served_is_named(method, own):
    """30 kWh in two hours at 10 kW, and they must be served: the car and what is missing."""
    must = vehicle(energy_min=[0, 30, 0, 0], unserved_cost=float("nan"))
    fleet = {"calm": CAR, "late": must | own}
    with pytest.raises(v2g.Infeasible, match="late"):
        v2g.solve(case(fleet, market(PRICES)), method=method)


# ---- who can be planned so, and when -------------------------------------------------------------

BESIDE = {
    "taper": ({"taper_from": 0.5, "taper_to": 0.1}, "near full"),
    "wear by depth": (
        {"replacement_cost": 100.0, "stress_factor": 5e-4, "stress_exponent": 2.0},
        "depth",
    ),
    "allowance": ({"discharge_max": 10.0, "allowance": 5.0}, "owner"),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_vehicles_that_prices_do_not_explain_have_a_linear_programme(kind):
    """One car with the rule, one without: the first is in the linear programme of the rest, or in
    one of its own that answers prices, and the sum is that of one model.
    """
    more, why = BESIDE[kind]
    none = {"allowance": float("nan")} if kind == "allowance" else {}
    story = case({"plain": CAR | none, "other": CAR | more}, market(PRICES))
    whole = v2g.solve(story, method="whole").attrs["objective"]
    for method, batched in (("oracle", 0), ("decompose", 1)):
        result = v2g.solve(story, method=method)
        told = [result.attrs[f"{name}_members"] for name in ("oracle", "lp", "batched")]
        assert told == [1, 1, batched]
        assert why in result.attrs["lp_reasons"]
        assert result.attrs["objective"] == approx(whole)
        assert list(result["fleet"].fleet) == ["plain", "other"]


def test_batches_of_one_group_add_up(monkeypatch):
    """Two cars that slow down near full, each a batch by itself, in one group: 15 of 20 kWh fit at
    20 EUR/MWh and 5 are drawn at 30, 0.45 EUR, and each car wears by 0.10 EUR. The bound counts
    both: with the wear of one it would be -0.55.
    """
    monkeypatch.setattr(vehicle_batches, "VEHICLES", 1)
    monkeypatch.setattr(large_fleets_plan, "_GROUPS", 1)
    car = vehicle(energy_min=[0, 0, 0, 10], wear_charge=0.01, taper_from=0.9, taper_to=0.5)
    story = case({"a": car, "b": car}, market(PRICES), None, {"import_max": 15.0})
    result = v2g.solve(story, method="decompose", gap=1e-9)
    assert (result.attrs["batched_members"], result.attrs["groups"]) == (2, 1)
    assert result.attrs["objective"] == approx(-0.65)
    assert result.attrs["bound"] == approx(-0.65)


def test_a_choice_between_on_and_off_is_refused():
    """A least power of 4 kW makes level two a search in whole numbers, which has no prices."""
    story = case({"plain": CAR, "other": CAR | {"charge_min": 4.0}}, market(PRICES))
    with pytest.raises(v2g.SchemaError, match="whole numbers"):
        v2g.solve(story, method="oracle")


def test_reserves_with_energy_behind_them_are_not_for_the_oracle():
    """A kW of reserve needs an hour of energy up and down: with u = 0 kWh moved it is worth 0 EUR
    on 0 kWh on board, and 1 EUR on 1 kWh, which is no function of what moves in the step.

    The oracle refuses it; a linear programme of the car finds both, and 1.5 EUR with 0.5 kWh more
    on board.
    """
    held = product(up=1, down=1, hours_up=1, hours_down=1, capacity_price=1000)
    worth = []
    for on_board in (0.0, 1.0):
        car = vehicle(charge_max=1, discharge_max=1, energy_max=2, energy_initial=on_board)
        story = case(car, market([0]), held | {"guarantee": "endurance"})
        with pytest.raises(v2g.SchemaError, match="reserves tie the power"):
            v2g.solve(story, method="oracle")
        still = {"fleet.charge": xr.DataArray(0.0), "fleet.discharge": xr.DataArray(0.0)}
        worth.append(v2g.solve(story, fix=still).attrs["profit"])

        result = v2g.solve(story, method="decompose")
        told = {n: result.attrs[n] for n in ("oracle_members", "lp_members", "batched_members")}
        assert told == {"oracle_members": 0, "lp_members": 1, "batched_members": 1}
        assert result.attrs["profit"] == approx(v2g.solve(story, method="whole").attrs["profit"])
    assert worth == approx([0.0, 1.0])


COUPLED = {
    "import limit": {"connection": {"import_max": 15.0}},
    "export limit": {"connection": {"export_max": 3.0}},
    "connection peak hour": {"connection": {"peak_price": 1.0}},
    "position limit": {"energy": {"limit": 15.0}},
    "one position per market block": {"energy": {"block": 2.0}},
}


@pytest.mark.parametrize("words", COUPLED)
def test_what_couples_is_named(words):
    """Two cars want the same hour: the oracle alone says what keeps them from it, and the bound
    proves the mix.
    """
    changes = COUPLED[words]
    connection = changes.get("connection")
    energy = market(PRICES) | changes.get("energy", {})
    other = vehicle(energy_min=[0, 0, 0, 11], discharge_max=10)
    story = case({"a": CAR, "b": other}, energy, None, connection)
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.solve(story, method="oracle")
    result, whole = (v2g.solve(story, method=m) for m in ("decompose", "whole"))
    assert result.attrs["objective"] == approx(whole.attrs["objective"], abs=1e-9)
    assert result.attrs["bound"] == approx(whole.attrs["objective"], abs=1e-6)
    assert result["decomposition"].sizes["round"] == result.attrs["rounds"] > 1


def test_a_limit_that_does_not_bind_couples_nobody():
    """30 kW of connection, a peak that costs nothing: what couples is decided by the plan."""
    story = case({"a": CAR, "b": CAR}, market(PRICES), None, {"import_max": 30.0})
    result = v2g.solve(story, method="oracle")
    assert result.attrs["profit"] == approx(-1.0)


def test_a_battery_and_a_house_stay_in_the_model():
    """A battery lends the car 5 kW behind a limit of 5 kW: the rest of the case is level two.

    10 kWh for the last hour, 5 of them from the battery, which drew them at 20: 0.40 EUR.
    """
    car = vehicle(charge_max=[0, 10], energy_min=[0, 10])
    box = storage(energy_initial=0.0)
    limit = {"import_max": 5.0}
    story = case(car, market([20, 60]), None, limit, battery=box)
    result = v2g.solve(story, method="decompose")
    assert row(result, "battery.discharge") == [0, 5]
    assert result.attrs["profit"] == approx(-0.40)


def test_what_no_plans_can_keep_together_is_named():
    """Two cars must have 10 kWh after an hour, behind 12 kW: 8 kW are missing there."""
    must = vehicle(energy_min=[10], unserved_cost=float("nan"))
    story = case({"a": must, "b": must}, market([50]), None, {"import_max": 12.0})
    with pytest.raises(v2g.Infeasible, match="8 kW at site, 2026-01-05 00:00"):
        v2g.solve(story, method="decompose")


def test_missing_power_is_never_cheaper_than_a_limit():
    """A peak of 200 EUR/kW costs more than missing power at first: still 5 kW in both hours.

    10 kWh that must be served: 1000 EUR for the peak, 0.25 and 0.10 for the energy.
    """
    car = vehicle(energy_min=[0, 10], unserved_cost=float("nan"))
    story = case(car, market([50, 20]), None, {"peak_price": 200.0})
    result = v2g.solve(story, method="decompose")
    assert row(result, "fleet.charge") == [5, 5]
    assert result.attrs["objective"] == approx(-1000.35)
    assert result.attrs["certified_gap"] <= 1e-6


REFUSED = {
    "no vehicles": (case(None, market(PRICES), battery=storage()), {}),
    "scenarios": (
        case(CAR, market({"a": PRICES, "b": PRICES}), scenarios={"a": 0.5, "b": 0.5}),
        {},
    ),
    "whole numbers .reserve.steps": (
        case(CAR, market(PRICES), product(up=1, down=1, step=1.0)),
        {},
    ),
    "held fixed": (case(CAR, market(PRICES)), {"fix": {"fleet.charge": xr.DataArray(5.0)}}),
    "level two needs highs": (case(CAR, market(PRICES)), {"solver": "scip"}),
    "allow virtual_bidding": (
        case(CAR, {"now": market(PRICES), "later": market(PRICES)}),
        {},
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_decomposed_is_refused(words):
    """Asked for by name, a decomposition says why it cannot be; unasked, it is one model."""
    story, options = REFUSED[words]
    with pytest.raises(v2g.SchemaError, match=words):
        v2g.solve(story, method="decompose", **options)


def test_an_unknown_method_is_refused():
    """`blocks` is no method."""
    with pytest.raises(v2g.SchemaError, match="auto, whole, decompose, oracle"):
        v2g.solve(case(CAR, market(PRICES)), method="blocks")


def test_burning_energy_is_no_plan():
    """At a negative price a car that may feed in would lose energy on purpose: it does not, and
    what that costs stands in the gap.
    """
    car = vehicle(discharge_max=10, eta_charge=0.9, eta_discharge=0.9, energy_initial=40)
    result = v2g.solve(case(car, market([-50])), method="decompose")
    assert row(result, "fleet.charge") == [0]
    assert result.attrs["status"] == "gap_limit"
    assert result.attrs["bound"] > result.attrs["objective"] + 0.01


AUTO = {
    "decompose": case({"a": CAR, "b": CAR}, market(PRICES), None, {"import_max": 15.0}),
    "oracle": case({"a": CAR, "b": CAR}, market(PRICES)),
    # the oracle knows no least power; a negative price would have energy burnt
    "whole": case({"a": CAR, "b": CAR | {"charge_min": 4.0}}, market(PRICES)),
    "whole, at a negative price": case(
        {n: vehicle(discharge_max=10, eta_charge=0.9, energy_initial=40) for n in "ab"},
        market([-50]),
    ),
}


@pytest.mark.parametrize("words", AUTO)
def test_auto_decomposes_where_that_finds_the_optimum(words, monkeypatch):
    """Fleets of two are large here: a limit is decomposed, without one the oracle's first answer is
    the plan, and what needs binaries is one model.
    """
    monkeypatch.setattr(import_module("v2g_linopy.solve.solve"), "LARGE_FLEET", 2)
    result = v2g.solve(AUTO[words])
    assert result.attrs["method"] == words.partition(",")[0]
    assert result.attrs["status"] == "optimal"
    whole = v2g.solve(AUTO[words], method="whole")
    assert result.attrs["objective"] == approx(whole.attrs["objective"], abs=1e-6)


def test_time_that_is_up_ends_the_rounds():
    """No round has time to close the gap: the best mix so far, if nothing is missing in it."""
    story = fleet_case(50, peak_price=0.5)
    result = v2g.solve(story, method="decompose", time_limit=1e-4)
    assert result.attrs["status"] == "time_limit"
    assert result.attrs["bound"] >= -KNOWN[50, "peak"] >= result.attrs["objective"]
    with pytest.raises(v2g.SolveError, match="time limit"):
        v2g.solve(fleet_case(50, import_max=125.0), method="decompose", time_limit=1e-4)


# ---- numbers of large fleets ---------------------------------------------------------------------

# cost in EUR, from one linear programme of all cars written by hand elsewhere
KNOWN = {
    (50, "nothing"): 116.2327813156,
    (400, "nothing"): 929.8083705303,
    (50, "peak"): 189.3704060261,
    (400, "peak"): 1535.8160100449,
    (50, "cap"): 128.7709336884,
    (400, "cap"): 1046.3284974918,
}
if settings().max_examples > 10:  # `make prove`: these have a bound that proves them
    KNOWN |= {
        (10_000, "nothing"): 23201.9925415,
        (10_000, "peak"): 38385.8965301,
        (10_000, "cap"): 26149.009305,
        (100_000, "nothing"): 231934.933884,
        (100_000, "peak"): 383961.295392,
        (100_000, "cap"): 261548.9034,
    }
EXACT = {50: 1e-9, 400: 1e-9, 10_000: 1e-8, 100_000: 1e-6}
"""To how much of the value it is known; for the gap, a tenth of it."""
LIMITS = {"nothing": {}, "peak": {"peak_price": 0.5}, "cap": {"import_max": 2.5}}


@pytest.mark.parametrize(("count", "kind"), KNOWN)
def test_fleets_cost_what_one_linear_programme_finds(count, kind, tmp_path):
    """Without a limit, under a peak tariff of 0.5 EUR/kW, behind 2.5 kW per car; from a file."""
    limits = {n: x * (count if n == "import_max" else 1.0) for n, x in LIMITS[kind].items()}
    story = through_a_file(fleet_case(count, **limits), tmp_path / "fleet.nc")
    method = "oracle" if kind == "nothing" else "decompose"
    result = v2g.solve(story, method=method, gap=0.1 * EXACT[count])
    assert result.attrs["objective"] == approx(-KNOWN[count, kind], rel=EXACT[count])
    assert result.attrs["bound"] == approx(-KNOWN[count, kind], rel=EXACT[count])
    assert result["audit"].attrs["passed"]
    if count > 400:
        return
    if kind == "peak":
        kilowatts = {50: 109.288600, 400: 893.623463}[count]
        assert float(result["connection"].peak.max()) == approx(kilowatts, abs=1e-5)
    loaded = through_a_file(result, tmp_path / "result.nc")
    assert not v2g.verify(loaded).problems
    assert "vehicles were planned one by one" in v2g.verify(loaded).sentence


@pytest.mark.parametrize(("groups", "smoothing"), [(1, 0.0), (7, 0.8), (50, 0.0)])
def test_groups_change_rounds_and_not_the_optimum(groups, smoothing):
    """All cars in one group, in seven, each by itself; at the prices of level two, or at prices
    near the best ones so far: the value and the bound are the same, and no bound is below.
    """
    inputs = inputs_of(fleet_case(50, import_max=125.0), v2g.PARTS)
    cars, settings = np.arange(50), Settings().start()
    rest = _rest(inputs, np.ones(50, bool))
    fleet = in_groups(inputs, cars, rest.pods, groups)
    assert fleet.groups == groups
    loop = Loop(LevelTwo(rest, groups, 30.0, settings), fleet, 1e-10, smoothing)
    last = loop.run(300, settings)
    assert min(bound for _, bound, _, _ in loop.log) >= -KNOWN[50, "cap"] - 1e-8
    assert last.value == approx(-KNOWN[50, "cap"], rel=1e-9)
    assert loop.bound == approx(-KNOWN[50, "cap"], rel=1e-9)


def test_bounds_hold_in_every_round():
    """Each bound is above the optimum and each value below it, by a smoothed message, too."""
    result = v2g.solve(fleet_case(50, import_max=125.0), method="decompose")
    rounds = result["decomposition"].to_dataset()
    assert (rounds.bound >= -KNOWN[50, "cap"] - 1e-9).all()
    assert (rounds.value <= -KNOWN[50, "cap"] + 1e-9).all()
    assert (rounds.bound.diff("round") <= 1e-9).all()


def test_the_kernel_has_the_numbers_of_numpy():
    """The loops that numba compiles, here as plain Python, and compiled where it is installed."""
    inputs = inputs_of(fleet_case(60), v2g.PARTS)
    stays = vehicle_stays(inputs, np.arange(60), inputs.pods)
    random = np.random.default_rng(5)
    for worth in (random.uniform(low, 0.5, 24) for low in (0.0, -0.3)):  # batteries fill and empty
        plans = oracle.by_numpy(stays, worth)
        assert plans.missed.max() == 0
        for run in filter(None, (oracle_kernel.fill_plans, oracle.compiled())):
            other = oracle.by_kernel(stays, worth, run)
            for name in ("moved", "trip_missing", "energy", "missed"):
                assert np.abs(getattr(other, name) - getattr(plans, name)).max() <= 1e-9
