"""The account of a plan that was made by hand: every figure in it is derived in the docstring."""

import pytest
import xarray as xr
from by_hand import lossless_case
from cases import case, market, product, storage, vehicle

import v2g_linopy as v2g
from v2g_linopy.data import commuters
from v2g_linopy.study.explain import NotInResult, explain


@pytest.fixture
def result(smart_result):
    return smart_result


def test_the_story_of_a_car(result):
    """15 kWh: 10 at 20 and 5 at 30 EUR/MWh, mean 350/15 = 23.3, mean of the stay (30 + 20 + 60)/3 =
    36.7.

    One kWh less would save the dearest bought, 0.03 EUR. One kW more of charger moves a kWh from 30
    to 20 EUR/MWh in the one hour at full power: 0.01 EUR."""
    words = explain(result, "ev-001")
    assert "1 stay of 3 h" in words
    assert (
        "Mon 2026-01-05 00:00+01:00 to 03:00: came with 0.0 kWh, left with 15.0 kWh (needed 15.0)"
        in words
    )
    assert (
        "drew 15.0 kWh at 23.3 EUR/MWh (mean of the stay 36.7 EUR/MWh), 1 h at full power" in words
    )
    assert "one kWh less would earn 0.0300 EUR" in words
    assert "may not feed in" in words
    assert "kW of charging power" in words and "0.0100 EUR, reached in 1 step" in words
    assert words.splitlines()[-1].split() == ["in", "all", "-0.35"]


def test_the_dear_hour(result):
    """At 60 EUR/MWh a stored kWh is worth what it costs at the margin, 30 EUR/MWh: drawing would
    lose 30.
    """
    words = explain(result, "ev-001", hour="2026-01-05 02:30")
    assert "02:00+01:00 to 03:00" in words
    assert (
        "The price of energy was 60.00 EUR/MWh, more stored energy was worth at most 30.00 EUR/MWh."
        in words
    )
    assert (
        "Drawing: +30.00 stored energy after losses -60.00 price = -30.00 EUR/MWh: it would lose at"
        " least that." in words
    )


def test_the_cheap_hour(result):
    """At 20 EUR/MWh drawing gains 30 - 20 = 10 EUR/MWh up to the charger's 10 kW."""
    words = explain(result, "ev-001", hour="2026-01-05T00:30+00:00")
    assert "It drew 10.00 of 10 kW" in words
    assert (
        "Drawing: +30.00 stored energy after losses -20.00 price = 10.00 EUR/MWh: it gains, and"
        " less of it would lose at least that." in words
    )


def test_the_marginal_hour(result):
    words = explain(result, "ev-001", hour="2026-01-05 00:00")
    assert "It drew 5.00 of 10 kW" in words
    assert "= 0.00 EUR/MWh: it just pays." in words


def test_not_plugged_in(result):
    assert "not plugged in" in explain(result, "ev-001", hour="2026-01-05 03:15")


def test_why_it_does_not_feed_in():
    """20 kWh on board, 25 needed, so 5 are bought at 30 EUR/MWh, the worth of a stored MWh; wear
    0.05 EUR/kWh.

    Feeding in at 40 EUR/MWh costs 30 + 50 = 80: the price would have to be 40 higher (50 and 45 in
    the other hours)."""
    car = {"discharge_max": 10.0, "energy_in": [20.0, 0.0, 0.0], "energy_min": [0.0, 0.0, 25.0]}
    case = lossless_case([40.0, 30.0, 35.0], {"ev-001": car})
    case["fleet"]["wear"] = 0.05
    words = explain(v2g.solve(case), "ev-001")
    assert (
        "fed in nothing: for it the price would have to be at least 40.0 EUR/MWh higher, nearest at"
        " 00:00" in words
    )
    assert "came with 20.0 kWh" in words


def test_unserved_need_is_named():
    """35 kWh in three hours of 10 kW: 5 are missing, in the story and in the summary."""
    result = v2g.solve(
        lossless_case([30.0, 20.0, 60.0], {"ev-001": {"energy_min": [0.0, 0.0, 35.0]}})
    )
    assert "5.00 kWh of its need could not be served" in explain(result, "ev-001")
    assert "ev-001: 5.00 kWh" in explain(result)


def test_a_need_is_told_apart_from_the_trip():
    """Two hours of 10 kW; the trip in the third takes 15 of the 18 kWh that are due. Where it takes
    24, 20 are on board and 4 are missing, from the trip alone.
    """

    def story(need, trip):
        van = vehicle(charge_max=[10, 10, 0], energy_min=[0, need, 0], energy_out=[0, 0, trip])
        return explain(v2g.solve(case(van, market([30, 20, 60]))), "ev")

    served = "left with 18.0 kWh (needed 18.0: 15.0 for the trip that follows and 3.0 to be left"
    assert served in story(18.0, 15.0)
    short = story(24.0, 24.0)
    assert "left with 20.0 kWh (needed 24.0: 24.0 for the trip that follows)" in short
    assert "4.00 of the 24.00 kWh of its trip could not be served" in short
    assert "of its need could not" not in short


def test_two_stays():
    """A restart (keep 0) in the third hour begins another stay, with what that car brings."""
    car = {"energy_in": [4.0, 0.0, 7.0, 0.0], "energy_min": [0.0, 6.0, 0.0, 9.0]}
    case = lossless_case([30.0, 20.0, 60.0, 40.0], {"row-1": car})
    case["fleet"]["keep"] = case["fleet"]["charge_max"] * 0 + [0.0, 1.0, 0.0, 1.0]
    words = explain(v2g.solve(case), "row-1")
    assert "2 stays of 4 h" in words
    assert "came with 4.0 kWh, left with 6.0 kWh (needed 6.0)" in words
    assert "came with 7.0 kWh, left with 9.0 kWh (needed 9.0)" in words


def test_the_whole_plan(result):
    words = explain(result)
    assert "Profit -0.35 EUR (optimal)" in words
    assert "drew 15.0 kWh at 23.3 EUR/MWh" in words
    assert "the mean price was 37.5 EUR/MWh" in words
    assert "explain --vehicle ev-001" in words


def test_a_limit_is_counted_where_it_is_reached():
    """10 kWh bought at 10 and 10 sold at 60 EUR/MWh: the battery is full after one of three
    hours, and a kWh of battery more would earn 0.05 EUR.
    """
    car = vehicle(discharge_max=20.0, charge_max=20.0, energy_max=10.0)
    words = explain(v2g.solve(case(car, market([10.0, 60.0, 30.0]))), "ev")
    (line,) = (x for x in words.splitlines() if "kWh of battery" in x)
    assert line.endswith("0.0500 EUR, reached in 1 step")


def test_limits_of_the_plan_are_said_in_words():
    """2 kWh on board back 2 kW for an hour, at 0.50 EUR a kW: one kWh more would earn that. Which
    row has the price, that of the begin of the step or of its end, is not the reader's matter.
    """
    up = product(up=1.0, hours_up=1.0, guarantee="endurance", capacity_price=500.0, volume_max=5.0)
    words = explain(v2g.solve(case(storage(energy_initial=2.0), market([0.0]), up)))
    (line,) = (x for x in words.splitlines() if "energy held to rise for hours_up" in x)
    assert line.split()[-2:] == ["0.50", "EUR"]
    assert "reserve.endurance" not in words


def test_names_of_rows_stand_for_those_that_begin_with_them():
    reserve, fleet = v2g.PARTS["reserve"], v2g.PARTS["fleet"]
    assert reserve.limit_label("up_battery") == "room to rise, for reserves"
    assert fleet.limit_label("charge_least_baseline") == fleet.limit_label("charge_least")
    assert fleet.limit_label("chargers") == "fleet chargers", "not those that only look alike"
    assert fleet.is_balance("balance_baseline")
    assert not fleet.is_balance("need")
    assert v2g.PARTS["connection"].is_balance("peak_day_before")


def test_summary_and_story_after_a_round_trip(result, tmp_path):
    v2g.write(result, tmp_path / "result.nc")
    again = v2g.read(tmp_path / "result.nc")
    assert explain(again, "ev-001") == explain(result, "ev-001")
    assert explain(again) == explain(result)


def test_one_scenario_of_two(smart_case):
    """Prices as above with probability 1/4, twice as high with 3/4: each worth is the scenario's
    own, not weighted.
    """
    factor = xr.DataArray([1.0, 2.0], coords={"scenario": ["low", "high"]}, dims="scenario")
    energy = smart_case["energy"].to_dataset(inherit=False)
    energy["price"] = (energy.price * factor).assign_attrs(units="EUR/MWh")
    energy["first_stage"] = 0.0
    root = smart_case.to_dataset().assign_coords(scenario=factor.scenario)
    root["probability"] = ("scenario", [0.25, 0.75])
    fleet = smart_case["fleet"].to_dataset(inherit=False)
    result = v2g.solve(xr.DataTree.from_dict({"/": root, "/fleet": fleet, "/energy": energy}))
    assert "Profit -0.61 EUR (optimal): the mean of all scenarios" in explain(result)
    low, high = (explain(result, "ev-001", scenario=label) for label in ("low", "high"))
    assert "one kWh less would earn at most 0.0300 EUR" in low
    assert "one kWh less would earn at most 0.0600 EUR" in high
    assert high.splitlines()[-1].split() == ["in", "all", "-0.70"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"vehicle": "ev-01"}, "did you mean ev-001"),
        ({"vehicle": "ev-001", "hour": "2027-01-01"}, "outside the plan"),
        ({"vehicle": "ev-001", "hour": "noon-ish"}, "cannot read the moment"),
    ],
)
def test_what_the_result_does_not_hold(result, options, expected):
    with pytest.raises(NotInResult, match=expected):
        explain(result, **options)


def test_the_sum_of_a_vehicle_with_reserves_is_complete():
    """Energy, wear, driver and room for reserves explain every decision of a commuter: no other
    limit is left over.
    """
    result = v2g.solve(commuters(vehicles=2, days=1))
    for hour in range(9, 16):
        words = explain(result, "ev-001", hour=f"2019-08-01 {hour:02d}:00")
        assert "room for reserves" in words
        assert "other limits" not in words


@pytest.fixture(scope="module")
def three_commuters():
    """Three cars on two days, with retail, wear and reserves."""
    return v2g.solve(commuters(vehicles=3, days=2))


def test_members_add_up_to_the_ledger(three_commuters):
    """The money of the cars, with retail, wear and reserves, is the profit of the plan. What one
    unit more would earn is no part of it, and is not solved for.
    """
    cars = [str(label) for label in three_commuters["fleet"]["fleet"].values]
    stories = [explain(three_commuters, car, solve_again=False) for car in cars]
    total = sum(float(story.splitlines()[-1].split()[-1]) for story in stories)
    assert total == pytest.approx(three_commuters.attrs["profit"], abs=0.02)


def reserved(price: float, way: str, **fields: float) -> str:
    """The story of a lossless car, 10 kWh on board, that sells 10 kW both ways for an hour; half is
    called one way.

    With all of its power sold both ways it can plan no flow of its own, so that what is called is
    what flows."""
    case = lossless_case(
        [price, price], {"ev-001": {"discharge_max": 10.0, "energy_in": [10.0, 0.0], **fields}}
    )
    time, product = case["energy"]["time"], {"product": [way]}
    kind = {"up": 1.0, "down": 1.0, f"activation_{way}": 0.5, "volume_max": 10.0}
    reserve = xr.Dataset(
        {n: ("product", [v]) for n, v in kind.items()}, coords=product | {"time": time}
    )
    reserve["capacity_price"] = (("product", "time"), [[200.0, 0.0]])
    case["reserve"] = xr.DataTree(reserve.drop_vars("time"))
    case["fleet"]["wear"] = 0.083
    return explain(v2g.solve(case), "ev-001")


def test_feeding_in_below_its_wear_is_what_the_reserve_pays_for():
    """Fed in at 50.5 EUR/MWh with 83 of wear looks like a loss: it is the half of the reserve that
    is called.
    """
    words = reserved(50.5, "up", energy_min=[0.0, 0.0])
    assert "fed in 5.0 kWh at 50.5 EUR/MWh, up to 5.0 kWh of it activated upward reserve" in words
    assert "for which the reserve pays as well" in words


def test_a_battery_that_is_worth_more_empty():
    """12 kWh fit, 10 are there: 4 kW sold, half called, fill it. A kWh less on board would let 2 kW
    more be sold.
    """
    words = reserved(50.0, "down", energy_max=[12.0, 12.0])
    assert "one kWh more on arrival would cost at least" in words
    assert "(it takes room that downward reserve pays for filling)" in words
    assert "activated downward reserve" in words


def test_room_is_explained():
    """With all its power sold, one kW of room more would sell one kW more; what room is stands
    below.
    """
    words = reserved(50.0, "down")
    assert "a kW of room to rise (reserves)" in words
    assert (
        "room to rise: power by which it could still feed in more or draw less, which upward"
        " reserve needs" in words
    )
    assert "room to fall: power by which it could draw more or feed in less" in words


def test_a_result_without_vehicles():
    """A battery alone is a result: the hint names what is there, and does not ask for the file that
    was given.
    """
    result = v2g.solve(case(None, market([0, 90]), battery=storage()))
    with pytest.raises(NotInResult, match=r"no fleet \(energy, battery\).*v2g report"):
        v2g.explain(result)
    with pytest.raises(NotInResult, match="result.nc"):
        v2g.explain(case(None, market([0, 90]), battery=storage()))


@pytest.mark.parametrize(
    ("need", "battery", "worth"),
    [(20.0, 20.0, "0.0300"), (30.0, 40.0, "0.0600"), (30.0, 30.0, "0.0600")],
)
def test_a_need_at_a_kink_is_worth_what_one_less_saves(need, battery, worth):
    """A need as large as the battery, as all that the charger gives, or both, has no one shadow
    price: one kWh less saves the dearest kWh bought (30 or 60 EUR/MWh), one more would be missing
    and cost 170 EUR. What solving again finds is told.
    """
    car = {"energy_min": [0.0, 0.0, need], "energy_max": [battery] * 3}
    one = lossless_case([30.0, 20.0, 60.0], {"ev-001": car})
    one["fleet"]["unserved_cost"] = 170.0
    words = explain(v2g.solve(one), "ev-001")
    assert f"the need at departure binds: one kWh less would earn {worth} EUR" in words


def test_what_is_not_tried_says_that_it_is_a_bound(result):
    words = explain(result, "ev-001", solve_again=False)
    assert "one kWh less would earn at most 0.0300 EUR" in words
    assert "one unit more at all times would earn (at most, by shadow prices)" in words


def test_no_reason_that_the_numbers_do_not_show(three_commuters):
    """The prices of the commuters are above zero: none of them pays for filling a battery."""
    plan = three_commuters
    assert float(plan["energy"].price.min()) > 0
    for car in plan["fleet"]["fleet"].values:
        words = explain(plan, str(car), solve_again=False)
        assert "a price below zero" not in words
        assert "upward reserve pays for" in words


def test_a_driver_who_pays_for_filling_is_the_reason():
    """A car that may fill up, at 50 EUR/MWh, while its driver pays 100: a kWh more on board is 0.05
    EUR less from the driver.
    """
    one = lossless_case([50.0, 50.0], {"ev-001": {"energy_max": 12.0}})
    one["fleet"]["retail_price"] = 0.1
    words = explain(v2g.solve(one), "ev-001")
    assert (
        "one kWh more on arrival would cost at least 0.0500 EUR (it takes room that the driver pays"
        " for filling)" in words
    )


@pytest.mark.parametrize("again", [True, False])
def test_an_allowance_is_what_holds_a_vehicle_back(again):
    """5 of 12 kWh may be fed in at 90 EUR/MWh: one more earns 0.09 EUR, by solving again and by
    its shadow price.
    """
    car = vehicle(discharge_max=10.0, energy_initial=12.0, energy_max=12.0, allowance=5.0)
    words = explain(v2g.solve(case(car, market([90.0, 80.0]))), "ev", solve_again=again)
    (line,) = [x for x in words.splitlines() if "owner lets be fed in" in x]
    assert "0.0900 EUR" in line
    assert "nothing of its own" not in words


def test_a_price_that_is_just_not_enough_is_no_negative_number():
    """Bought at 30, wear 10, sold at 40: feeding in would gain and lose nothing."""
    car = {"discharge_max": 10.0, "energy_min": [0.0, 5.0]}
    one = lossless_case([30.0, 40.0], {"ev-001": car})
    one["fleet"]["wear"] = 0.0101
    words = explain(v2g.solve(one), "ev-001")
    assert "fed in nothing: for it the price would have to be at least 0.1 EUR/MWh higher" in words
    one["fleet"]["wear"] = 0.01000001
    words = explain(v2g.solve(one), "ev-001")
    assert "fed in nothing: at 01:00 it would have gained and lost next to nothing" in words


def test_a_plan_within_a_gap_is_not_called_the_best(result):
    found = result.copy()
    found.attrs |= {"status": "time_limit", "mip_gap": 0.02}
    assert "no plan is better by more than 0.02 of what this one is worth" in explain(found)
    assert "nothing can be better" not in explain(found)
