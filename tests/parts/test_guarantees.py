"""Reserves that survive every admissible call: what each level lets a battery sell, by hand
(docs/formulation.md §3).
"""

from itertools import product as every
from unittest.mock import patch

import numpy as np
import pytest
import xarray as xr
from cases import case, electrolyser, market, product, row, storage, vehicle
from pytest import approx
from tampering import audit_of_replaced

import v2g_linopy as v2g
from v2g_linopy.parts.markets.reserve import energy_backing, worst_case_activation

STILL = market([0, 0, 0])
IDLE = vehicle(charge_max=0, discharge_max=10)
UNMOVED = {f"battery.{way}": xr.DataArray(0.0) for way in ("charge", "discharge")}


def held(level, hours=3, **fields):
    """An upward product at 10 EUR/MW/h with one call of a step in any two."""
    return product(
        up=1, guarantee=level, capacity_price=[10] * hours, **({"activation_cycle": 2} | fields)
    )


@pytest.mark.parametrize(
    ("level", "sold"),
    [("expected", 30), ("physical", 24), ("budget", 16), ("box", 8)],
    ids=lambda x: str(x),
)
def test_each_level_sells_what_it_can_deliver(pipeline, level, sold):
    """8 kWh on board, 10 kW, three hours: all power; 8 kWh in every hour by itself; 8 kWh in the
    first and the third together, and in the second; 8 kWh in all.

    Proves the four levels: one that forgets the call before sells 24 kW, one that forbids calls for
    ever 8."""
    result = pipeline(case(IDLE | {"energy_initial": 8}, STILL, held(level)))
    assert sum(row(result, "reserve.volume")) == approx(sold)
    assert result.attrs["profit"] == approx(0.01 * sold)


def test_a_period_of_several_steps(pipeline):
    """12 kWh on board, calls of two hours in any three: 6 kW in each of three hours, 0.18 EUR.

    Proves the dual form: with calls of one hour 10 kW would be sold in each (any one is 10 kWh),
    for ever 4 on average."""
    up = held("budget", activation_cycle=3, activation_period=2)
    result = pipeline(case(IDLE | {"energy_initial": 12}, STILL, up))
    assert row(result, "reserve.volume") == [6, 6, 6]
    assert result.attrs["profit"] == approx(0.18)


def test_a_cycle_ends():
    """The same over four hours, where the first call may come back in the fourth: 18 kW in all,
    0.18 EUR.

    x1 + x2 + x4 <= 12, x1 + x3 + x4 <= 12, x2 + x3 <= 12. In cycles of four hours it were 6 kW in
    each, 24."""
    up = held("budget", 4, activation_cycle=3, activation_period=2)
    result = v2g.solve(case(IDLE | {"energy_initial": 12}, market([0] * 4), up))
    assert result.attrs["profit"] == approx(0.18)


def test_a_period_shorter_than_a_step(pipeline):
    """8 kWh on board, half an hour in any hour: 16 kW over two hours, 0.16 EUR; calls of an hour
    would leave 8 kW.
    """
    up = held("budget", hours=2, activation_cycle=1, activation_period=0.5)
    result = pipeline(case(IDLE | {"energy_initial": 8}, market([0, 0]), up))
    assert sum(row(result, "reserve.volume")) == approx(16)


LOSSY = {"eta_charge": 0.8, "eta_discharge": 0.8}


@pytest.mark.parametrize("beside", [{}, {"another": vehicle(charge_max=0, discharge_max=10)}])
def test_a_call_of_a_charger_only_stops_charging(pipeline, beside):
    """The same car at a charger that cannot discharge, two products, and with or without a car that
    can: a call takes 0.8 kWh per kW from the 4 that there are beyond the need: 5 kW, 0.5 EUR.

    Proves the audit, which must not ask for what a discharging car would lose, 1.25 kWh per kW: it
    refused the plan. Found by `make fuzz`."""
    ev = vehicle(energy_initial=4, energy_min=[8], energy_max=12, **LOSSY)
    paid, unpaid = (product(up=1, guarantee="box", capacity_price=[x]) for x in (100, 0))
    result = pipeline(case({"ev": ev} | beside, market([0]), {"paid": paid, "unpaid": unpaid}))
    assert result.attrs["profit"] == approx(0.5)
    assert result["audit"].attrs["passed"] == 1


def test_a_call_first_stops_charging(pipeline):
    """4 kWh and 10 kW of charging make 12 of the 8 that are due: a call may take 4, at 0.8 kWh per
    kW: 5 kW, 0.5 EUR.

    Proves the loss on a charging baseline: as if fed in, 1.25 kWh per kW, it were 3.2 kW; by the
    meter 4."""
    ev = vehicle(discharge_max=10, energy_initial=4, energy_min=[8], energy_max=12, **LOSSY)
    up = product(up=1, guarantee="box", capacity_price=[100])
    result = pipeline(case(ev, market([0]), up))
    assert row(result, "reserve.volume") == [5]
    assert result.attrs["profit"] == approx(0.5)


@pytest.mark.parametrize("names", [["one"], ["one", "other"]], ids=len)
def test_products_share_the_charging_they_stop(pipeline, names):
    """Charging at 10 kW, 15 kWh at the end of which 10 may go: 1.25 x - 4.5 <= 10, 11.6 kW, of one
    product or of two.

    Proves that two products do not stop the same charging twice: each with all of it took 0.8 kWh
    per kW, 12.5 kW."""
    ev = vehicle(discharge_max=10, energy_initial=7, energy_min=[5], energy_max=15, **LOSSY)
    offers = {name: product(up=1, guarantee="box", capacity_price=[100]) for name in names}
    result = pipeline(case(ev, market([0]), offers))
    assert result.attrs["profit"] == approx(1.16)


@pytest.mark.parametrize(("feeds_in", "sold"), [(10, 6.4), (0, 10)])
def test_a_call_downward(pipeline, feeds_in, sold):
    """8 kWh of room at 0.8: a charger that cannot feed in stores 0.8 kWh per kW and sells 10; where
    it may, a call could stop that, 1.25 kWh per kW: 6.4.

    Proves the safe rate, and the exact one where data show which it is.
    """
    ev = vehicle(discharge_max=feeds_in, energy_max=8, **LOSSY)
    down = product(down=1, guarantee="box", capacity_price=[100])
    result = pipeline(case(ev, market([0]), down))
    assert row(result, "reserve.volume") == [sold]


def test_an_arrival_starts_anew(pipeline):
    """A car with 8 kWh leaves after an hour, another with 6 arrives: calls without end take 8 and
    6, 0.14 EUR.

    Proves that nothing outlives a restart: of one battery 8 at most would be sold in both hours
    together."""
    ev = IDLE | {"energy_initial": 8, "keep": [1, 0], "energy_in": [0, 6]}
    result = pipeline(case(ev, market([0, 0]), held("box", 2)))
    assert row(result, "reserve.volume") == [8, 6]


def test_what_was_drawn_leaks_too(pipeline):
    """16 kWh of which half is kept each hour, 8 and 4: a call of 8 in the first hour leaves 4
    missing in the second.

    8 kW in the first hour, none in the second, 0.08 EUR. Proves keep in the recursion: without it 8
    would be missing where 4 are, so that 4 kW could be sold."""
    box = storage(charge_max=0, energy_max=20, energy_initial=16, keep=0.5)
    result = pipeline(case(None, market([0, 0]), held("box", 2), battery=box))
    assert row(result, "reserve.volume") == [8, 0]


def test_a_call_after_a_cycle_finds_what_is_left(pipeline):
    """The same over three hours, 8, 4 and 2 kWh at their ends, one call in any two: 8 + 4 + 0 kW,
    0.12 EUR.

    The first and the second are not called together, a quarter of the first is missing in the
    third: x1 <= 8, x2 <= 4, x1/4 + x3 <= 2. Proves K: with all of the first still missing (x1 + x3
    <= 2) it were 4 + 2, with nothing 8 + 4 + 2."""
    box = storage(charge_max=0, energy_max=20, energy_initial=16, keep=0.5)
    result = pipeline(case(None, market([0, 0, 0]), held("budget"), battery=box))
    assert row(result, "reserve.volume") == [8, 4, 0]


def test_the_guarantee_stands_on_the_baseline(pipeline):
    """5 kWh back 5 kW for an hour while half of them are expected to be called, which takes 2.5 kWh
    at 50 EUR/MWh.

    5 kW at 4 EUR and 0.125. Proves the baseline path: on the expected one x <= 5 - 0.5 x leaves
    3.33 kW."""
    up = product(
        up=1, guarantee="budget", activation_cycle=4, activation_up=0.5, capacity_price=[4000]
    )
    result = pipeline(case(IDLE | {"energy_initial": 5}, market([50]), up))
    assert result.attrs["profit"] == approx(20.125)
    assert row(result, "fleet.energy_baseline") == [5]


def test_a_missed_need_backs_nothing(pipeline):
    """20 kWh are due after an hour, 10 can be reached: 10 are missed at 10 EUR each, and stopping
    the charging for reserve at 1 EUR/kW would miss more. Proves the floor of a need that is missed
    anyway."""
    ev = vehicle(discharge_max=10, energy_min=[20])
    result = pipeline(case(ev, market([0]), product(up=1, guarantee="box", capacity_price=[1000])))
    assert row(result, "reserve.volume") == [0]
    assert result.attrs["objective"] == approx(-100)


SWINGS = vehicle(charge_max=20, discharge_max=10, energy_initial=2, energy_max=14)


def test_excursions_within_a_step(pipeline):
    """From 2 to 10 of 14 kWh in the first hour, to be sold in the second. Calls that draw a quarter
    of an hour at worst: 8 kW, as the 2 kWh at the start allow; that store half an hour: 8 kW, as 4
    kWh of room at the end allow.

    Proves the rows at both ends of the undisturbed step: by the end alone 10 kW upward, by the
    start alone 10 downward."""
    for fields in ({"up": 1, "excursion_up": [0.25, 0]}, {"down": 1, "excursion_down": [0.5, 0]}):
        offer = product(capacity_price=[10, 0], volume_max=[10, 0], **fields)
        result = pipeline(case(SWINGS, market([10, 90]), offer))
        assert row(result, "fleet.energy") == [10, 0]
        assert row(result, "reserve.volume") == [8, 0]


def test_hydrogen_guarantees_on_a_path_it_knows(pipeline):
    """5 kWh of hydrogen are 2.5 kWh of electricity at 0.5: 2.5 kW for an hour; none while
    activation is expected.
    """
    plant = electrolyser(
        electrolyser_max=0, fuel_cell_max=5, eta_fuel_cell=0.5, energy_max=10, energy_initial=5
    )
    plant |= {"sale_max": 0}
    for expected, sold in ((0.0, 2.5), (0.1, 0.0)):
        up = product(up=1, guarantee="box", capacity_price=[1000], activation_up=expected)
        result = pipeline(case(None, market([0]), up, hydrogen=plant))
        assert row(result, "reserve.volume") == [sold]


def test_a_vehicle_does_not_charge_and_discharge_at_once():
    """A battery paid to draw that could lose energy by doing both: where it is guaranteed, neither
    path does.

    With c0 d0 > 0 the losses of a call would be underrated. It holds where no activation is
    expected (one path), where it is in one direction, and in both (the baseline alone)."""
    box = storage(energy_initial=10, eta_charge=0.9, eta_discharge=0.9, energy_min=9)
    for shares in ({}, {"activation_up": 0.1}, {"activation_up": 0.1, "activation_down": 0.1}):
        both = product(
            up=1,
            down=1,
            guarantee="budget",
            activation_cycle=2,
            capacity_price=[1, 1],
            volume_max=[1, 1],
        )
        result = v2g.solve(case(None, market([-100, -90]), both | shares, battery=box))
        path = "_baseline" if shares else ""
        plan = result["battery"]
        at_once = np.minimum(plan["charge" + path], plan["discharge" + path])
        assert float(at_once.max()) < 1e-6


def lively(**reserve):
    """Two members with losses, a restart and a leak; two products with expected activation."""
    keep, arriving = [1, 1, 1, 0, 1, 1, 1, 1], [0, 0, 0, 16, 0, 0, 0, 0]
    stay = vehicle(
        discharge_max=10, energy_initial=20, energy_min=[0, 0, 12, 0, 0, 0, 0, 14], **LOSSY
    )
    stay |= {"keep": keep, "energy_in": arriving, "wear": 0.01}
    leak = vehicle(
        discharge_max=6, charge_max=8, energy_initial=9, energy_max=15, eta_charge=0.9, keep=0.95
    )
    price = [30, 45, 20, 60, 35, 25, 70, 40]
    both = product(
        up=1,
        down=1,
        capacity_price=[20, 9, 14, 22, 6, 17, 12, 25],
        activation_up=0.1,
        activation_down=0.05,
    )
    up = product(up=1, capacity_price=[8, 18, 23, 5, 14, 21, 16, 7], activation_up=0.1)
    limits = {"activation_cycle": 3}, {"activation_cycle": 4, "activation_period": 2}
    ways = {
        name: p | lim | reserve
        for name, p, lim in zip(("both", "up"), (both, up), limits, strict=True)
    }
    return case({"stay": stay, "leak": leak}, market(price), ways)


@pytest.fixture(scope="module")
def kept():
    """The lively case with a budget, one product in the epigraph and one in the dual form."""
    return v2g.solve(lively(guarantee="budget"))


def test_epigraph_and_dual_are_one(kept):
    """Where a period is one step both forms are the same bound: equal objectives to 1e-8 (invariant
    12).
    """
    given = lively(guarantee="budget", activation_period=1)
    plans = [v2g.solve(given, complementarity="off")]
    with patch.object(energy_backing, "within_a_step", lambda share: share < 0):
        plans.append(v2g.solve(given, complementarity="off"))
    assert plans[0].attrs["rows"] < plans[1].attrs["rows"]
    assert plans[0].attrs["objective"] == approx(plans[1].attrs["objective"], abs=1e-8)
    assert sum(row(plans[0], "reserve.volume")) > 10


TAMPERED = {
    "more of a product": ("reserve.share_fleet", 2, 9.0, "reserve.calls_up_fleet"),
    "more than the room": ("reserve.share_fleet", 7, 40.0, "reserve.calls_down_fleet"),
    "less on board": ("fleet.energy_baseline", 4, 0.0, "reserve.calls_up_fleet"),
    "too much on board": ("fleet.energy_baseline", 7, 40.0, "reserve.calls_down_fleet"),
    "charging that is not there": (
        "reserve.charge_share_fleet",
        6,
        30.0,
        "reserve.charge_share_fleet",
    ),
    "charging that nobody stops": (
        "reserve.charge_share_fleet",
        6,
        -1.0,
        "reserve.charge_share_fleet",
    ),
}


@pytest.mark.parametrize(("name", "step", "value", "check"), TAMPERED.values(), ids=TAMPERED)
def test_the_audit_sees_what_no_call_survives(kept, name, step, value, check):
    """A share, a baseline or the charging behind it is changed in one step: the worst calls are
    found to break it.
    """
    assert v2g.replay(kept).attrs["passed"] == 1
    checks = audit_of_replaced(kept, name, step, value)
    assert checks.attrs["passed"] == 0
    assert float(checks[check]) > 0.1


def test_the_audit_sees_a_smaller_budget(kept):
    """The same plan under calls twice as often: the worst of them is found."""
    for field, value in (("activation_cycle", [2.0, 3.0]), ("activation_period", [1.0, 3.0])):
        changed = kept.copy()
        group = changed["reserve"].to_dataset()
        changed["reserve"] = group.assign({field: ("product", value, {"units": "h"})})
        assert float(v2g.replay(changed)["reserve.calls_up_fleet"]) > 0.01


def test_a_call_that_stops_charging_takes_what_is_lost_both_ways_less():
    """A battery with efficiencies of 0.8 draws 5 kW, 10.25 kWh are on board after an hour. A call
    of 10 kW stops that and feeds in 5 kW: 4 kWh do not come and 6.25 go. 11 kW take 11.5 kWh.
    """
    box = storage(
        eta_charge=0.8,
        eta_discharge=0.8,
        charge_max=5.0,
        discharge_max=20.0,
        energy_initial=6.25,
        energy_max=40.0,
    )
    up = product(up=1, guarantee="budget", activation_cycle=1, capacity_price=[500])
    result = v2g.solve(case(None, market([-10]), up, battery=box))
    assert row(result, "battery.charge") == approx([5])
    assert row(result, "reserve.volume") == approx([10])
    checks = audit_of_replaced(result, "reserve.share_battery", 0, 11.0)
    assert float(checks["reserve.calls_up_battery"]) == approx(1.25)


def test_the_audit_sees_an_excursion():
    """8 kW where a quarter of an hour of 2 kWh is on board; a kW more is found at the edge that
    binds.
    """
    offer = product(up=1, excursion_up=[0.25, 0], capacity_price=[10, 0], volume_max=[10, 0])
    result = v2g.solve(case(SWINGS, market([10, 90]), offer))
    checks = audit_of_replaced(result, "reserve.share_fleet", 0, 9.0)
    assert float(checks["reserve.excursion_up_start_fleet"]) == approx(0.25)


@pytest.mark.parametrize(
    ("cycle", "calls"), [(1, 1), (2, 1), (4, 1), (3, 2), (4, 2), (5, 3), (9, 2)]
)
def test_worst_calls_against_every_sequence(cycle, calls):
    """Dynamic programming finds what trying every sequence of calls finds, with leaks and
    restarts.
    """
    random = np.random.default_rng(10 * cycle + calls)
    steps = 8
    energy, keep = random.random((3, steps)), random.choice((1.0, 0.9, 0.0), (3, steps))
    most = np.zeros((3, steps))
    for sequence in every((0, 1), repeat=steps):
        if all(sum(sequence[t : t + cycle]) <= calls for t in range(steps)):
            moved = np.zeros(3)
            for t, called in enumerate(sequence):
                moved = keep[:, t] * moved + called * energy[:, t]
                most[:, t] = np.maximum(most[:, t], moved)
    dims = ("fleet", "time")
    found = worst_case_activation._followed(
        xr.DataArray(energy, dims=dims), xr.DataArray(keep, dims=dims), cycle, calls, None, False
    )
    assert found.to_numpy() == approx(most, abs=1e-12)


def test_too_many_patterns_are_followed_in_runs():
    """Where patterns are too many, calls come in runs of the whole period: admissible, so never
    more than the worst.
    """
    random = np.random.default_rng(0)
    energy, keep = (xr.DataArray(random.random((2, 12)), dims=("fleet", "time")) for _ in range(2))
    exact = worst_case_activation._followed(energy, keep, 5, 2, None, False)
    with patch.object(worst_case_activation, "PATTERNS", 3):
        runs = worst_case_activation._followed(energy, keep, 5, 2, None, False)
    assert (runs <= exact + 1e-12).all()
    assert float((runs / exact).mean()) > 0.9


def left_before(values, dim="fleet", names=("a", "b"), lags=2):
    """Energy that calls before the first step have drawn of each member, at every lag."""
    axes = {dim: list(names), "product": ["regulation"], "lag": list(range(1, lags + 1))}
    numbers = np.broadcast_to(np.reshape(values, (-1, 1, 1)), [len(a) for a in axes.values()])
    return xr.DataArray(numbers, coords=axes, dims=list(axes))


def test_calls_before_the_start_are_not_forgotten():
    """Two cars alike with 8 kWh, one call in any two hours; calls before may have drawn 5 of one:
    it sells 3 kW.

    The first hour comes on top of a call two hours earlier, the second on one an hour before the
    start; if that is all there was, the first hour excludes it: 8 kW and 3. Proves the carried
    state by its lags, and that cars that differ in it are not merged."""
    cars = {"a": IDLE | {"energy_initial": 8}, "b": IDLE | {"energy_initial": 8}}
    given = case(cars, market([0, 0]), held("budget", 2, volume_max=100))
    reserve = given["reserve"].to_dataset()
    given["reserve"] = reserve.assign(drawn_initial_fleet=left_before([5.0, 0.0]))
    result = v2g.solve(given)
    assert row(result, "reserve.share_fleet", fleet="b") == [8, 8]
    assert row(result, "reserve.share_fleet", fleet="a") == [3, 3]
    given["reserve"] = reserve.assign(drawn_initial_fleet=left_before([5.0, 0.0], lags=1))
    assert row(v2g.solve(given), "reserve.share_fleet", fleet="a") == [8, 3]


def test_calls_before_the_start_of_cars_that_are_merged():
    """As above, but 5 of 8 kWh may have been drawn of each: they are solved as one of twice the
    size, and each sells 3 kW in both hours.
    """
    cars = {"a": IDLE | {"energy_initial": 8}, "b": IDLE | {"energy_initial": 8}}
    given = case(cars, market([0, 0]), held("budget", 2, volume_max=100))
    reserve = given["reserve"].to_dataset()
    given["reserve"] = reserve.assign(drawn_initial_fleet=left_before([5.0, 5.0]))
    result = v2g.solve(given)
    assert result.attrs["merged_members"] == 1
    assert row(result, "reserve.share_fleet") == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("way", "before", "energy"),
    [("up", "drawn", {"energy_initial": 16}), ("down", "stored", {"energy_max": 8})],
)
def test_what_calls_before_the_start_moved_leaks(way, before, energy):
    """16 kWh of which half is kept, 4 of them drawn before: 2 are missing of 8 at the end of the
    hour: 6 kW. The same of 8 kWh of room in an empty battery, of which 4 were taken before.

    Proves that what was carried leaks like the rest: else 4 kW.
    """
    offered = product(**{way: 1}, guarantee="box", capacity_price=[10, 0], volume_max=[100, 0])
    full = {"energy_max": 16} | energy
    given = case(None, market([0, 0]), offered, battery=storage(keep=0.5, **full))
    reserve = given["reserve"].to_dataset()
    known = left_before([4.0], dim="battery", names=["box"], lags=1)
    given["reserve"] = reserve.assign({f"{before}_initial_battery": known})
    result = v2g.solve(given, fix=UNMOVED)
    assert row(result, "reserve.share_battery") == [6, 0]


def test_the_audit_knows_that_a_call_stops_feeding_in():
    """8 kWh are sold, 10 of room are left: a call downward stops that, 1.25 kWh per kW: 8 kW; 9 are
    1.25 short.
    """
    ev = vehicle(discharge_max=10, energy_initial=8, energy_max=10, **LOSSY)
    result = v2g.solve(
        case(ev, market([90]), product(down=1, guarantee="box", capacity_price=[10]))
    )
    assert row(result, "fleet.energy") == [0]
    assert row(result, "reserve.volume") == [8]
    checks = audit_of_replaced(result, "reserve.share_fleet", 0, 9.0)
    assert float(checks["reserve.calls_down_fleet"]) == approx(1.25)
