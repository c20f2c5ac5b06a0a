"""Tables of a result: numbers against plans worked out by hand, local clocks against the
calendar.
"""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, storage, vehicle
from made_results import result

import v2g_linopy as v2g
from v2g_linopy.report import tables
from v2g_linopy.report.result_view import ResultView
from v2g_linopy.report.schedule_and_bids import starts


def test_key_figures_follow_from_the_plan():
    """Three cars draw 3 x 6 kWh a day for two days and feed in 2 kWh; every figure is that plan
    counted by hand.
    """
    figures = tables.kpi(result(members=3, days=2))
    assert figures["energy"]["charged_kWh"] == pytest.approx(3 * 2 * 18)
    assert figures["energy"]["discharged_kWh"] == pytest.approx(3 * 2 * 2)
    assert figures["energy"]["equivalent_full_cycles"] == pytest.approx(3 * 2 * 2 / 0.9 / 24)
    assert figures["power"]["peak_import_kW"] == pytest.approx(18)
    assert figures["power"]["peak_export_kW"] == pytest.approx(6)
    assert figures["prices"]["charging"] == pytest.approx(50 + 13)  # hours 12, 13, 14
    assert figures["prices"]["feeding_in"] == pytest.approx(59)
    assert figures["reserve"]["up"] == {
        "mean_kW": pytest.approx(9 * 9 / 24),
        "most_kW": 9.0,
        "hours_sold": 18.0,
    }
    assert figures["profit_per_unit"] == pytest.approx(figures["profit"] / 3 / (2 / 365))


def test_the_bill_adds_up_to_profit_and_objective():
    """Penalties are part of the objective and not of profit: 1.5 kWh missing at 10 EUR lie between
    the two.
    """
    plan = result(unserved=1.5)
    bill = tables.bill_table(plan)
    assert bill.loc[~bill["penalty"], "amount"].sum() == pytest.approx(plan.attrs["profit"])
    assert bill["amount"].sum() == pytest.approx(plan.attrs["objective"])
    assert plan.attrs["profit"] - plan.attrs["objective"] == pytest.approx(15)
    ledger = plan["ledger"].to_dataset()
    for name, amount in zip(bill["entry"], bill["amount"], strict=True):
        assert amount == pytest.approx(float(ledger[name].sum()))


def test_every_step_of_the_ladder_adds_up():
    """The causes of a rung sum to its change, which is the difference of the two profits; penalties
    stay outside.
    """
    ladder = tables.ladder(result(unserved=1.5)).set_index("rung")
    assert ladder["penalties"].abs().max() > 0
    for rung, against in ladder["against"].items():
        if against:
            difference = ladder.loc[rung, "profit"] - ladder.loc[against, "profit"]
            assert ladder.loc[rung, "change"] == pytest.approx(difference)
    assert ladder.loc["unmanaged", "against"] == ""


def test_key_figures_are_json_without_nan():
    """JSON has no NaN: a fleet without vehicles gives null where a figure per vehicle does not
    exist.
    """
    text = json.dumps(tables.kpi(result(members=0, ladder=False)), allow_nan=False)
    assert json.loads(text)["profit_per_unit"] is None


def test_unserved_needs_are_named_with_the_moment_they_were_due():
    """The departure at 17:00 local is the end of the step 16 to 17: that is when the energy was
    missing.
    """
    table = tables.unserved(result(unserved=1.5))
    (missed,) = table.to_dict("records")
    assert missed.pop("needed_kWh") == 22.0
    assert missed.pop("on_board_kWh") >= 20.5
    assert missed == {
        "member": "ev-000",
        "by": "2019-08-05T17:00+02:00",
        "kWh": 1.5,
        "need": "departure",
    }


def test_a_trip_is_missed_by_the_session_that_departs():
    """Session 7 is plugged in until 01:00 and drives at 02:00 with 5 of 8 kWh, session 8 at 04:00
    with 2 of 6; no session is plugged in when the trips begin. Session 8 is another battery
    (keep = 0), so that no trip can be missed in place of the other.
    """
    van = vehicle(charge_max=[5, 0, 0, 2, 0], energy_out=[0, 0, 8, 0, 6])
    van |= {"session": [7, -1, -1, 8, -1], "energy_min": [0, 0, 0, 6, 0], "keep": [1, 1, 1, 0, 1]}
    missed = tables.unserved(v2g.solve(case(van, market([1] * 5)))).to_dict("records")
    common = {"member": "ev", "need": "trip"}
    assert missed == [
        {"session": "8", "by": "2026-01-05T04:00+00:00", "kWh": 4.0, **common}
        | {"needed_kWh": 6.0, "on_board_kWh": 2.0},
        {"session": "7", "by": "2026-01-05T02:00+00:00", "kWh": 3.0, **common}
        | {"needed_kWh": 8.0, "on_board_kWh": 5.0},
    ]


@pytest.mark.parametrize("beside", [None, {"box": storage()}])
def test_the_schedule_says_what_is_missing_before_a_trip(beside):
    """5 of 8 kWh are on board when the trip begins: 3 are missing at the end of the first hour."""
    van = vehicle(charge_max=[5, 0], energy_out=[0, 8], energy_min=[8, 0])
    plan = v2g.solve(case(van, market([1, 1]), battery=beside))
    table = tables.schedule(plan)
    rows = table[(table["member"] == "ev") & table["time"].str.contains("T00:00")]
    assert rows["unserved_kWh"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("start", "quarters", "first", "last"),
    [
        ("2019-03-30T23:00", 92, "2019-03-31T00:00+01:00", "2019-03-31T23:45+02:00"),
        ("2019-10-26T22:00", 100, "2019-10-27T00:00+02:00", "2019-10-27T23:45+01:00"),
    ],
)
def test_days_of_92_and_100_quarter_hours(start, quarters, first, last):
    """Rome skips an hour in March and repeats one in October: one row per quarter hour, each with
    its own label.
    """
    plan = result(members=1, start=start, days=quarters / 96, minutes=15, ladder=False)
    table = tables.schedule(plan)
    total = table[table["member"] == "total"]
    assert len(total) == quarters
    assert total["time"].is_unique
    assert (total["time"].iloc[0], total["time"].iloc[-1]) == (first, last)
    assert (
        pd.to_datetime(total["time"], utc=True).diff().dropna().eq(pd.Timedelta(minutes=15)).all()
    )
    if quarters == 100:
        assert sum(t.startswith("2019-10-27T02:30") for t in total["time"]) == 2
    else:
        assert not any(t.startswith("2019-03-31T02") for t in total["time"])


def test_schedule_has_rows_only_where_something_is_connected():
    """Nine hours plugged in, two days, three cars, and a total in each of 48 hours."""
    plan = result(members=3, days=2)
    table = tables.schedule(plan)
    assert len(table) == 3 * 2 * 9 + 48
    parts = table[table["member"] != "total"].groupby("time")["charge_kW"].sum()
    total = table[table["member"] == "total"].set_index("time")["charge_kW"]
    pd.testing.assert_series_equal(parts, total[parts.index], check_names=False)
    assert total.sum() == pytest.approx(108)
    assert table["price_day_ahead_EUR_per_MWh"].between(50, 73).all()


def test_bids_say_side_quantity_and_moment():
    """Three cars feed in 6 kW from 9 to 10 and draw 18 kW from 12 to 15: one sale and three
    purchases a day.
    """
    table = tables.bids(result(days=1))
    energy = table[table["market"] == "day_ahead"]
    assert list(
        zip(energy["start"].str[11:16], energy["side"], energy["quantity_kW"], strict=True)
    ) == [
        ("09:00", "sell", 6.0),
        ("12:00", "buy", 18.0),
        ("13:00", "buy", 18.0),
        ("14:00", "buy", 18.0),
    ]
    assert list(energy["price"]) == [59, 62, 63, 64]
    reserve = table[table["market"] == "up"]
    assert set(reserve["side"]) == {"up"}
    assert set(reserve["price_unit"]) == {"EUR/MW/h"}
    assert len(reserve) == 9


def test_bids_join_the_quarters_of_a_market_hour():
    """On a 15-minute model an hourly market has one bid per hour, not four."""
    plan = result(days=1, minutes=15)
    plan["energy"] = plan["energy"].to_dataset().assign(block=("market", [1.0]))
    energy = tables.bids(plan).query("market == 'day_ahead'")
    assert list(energy["start"].str[11:16]) == ["09:00", "12:00", "13:00", "14:00"]
    assert list(energy["end"].str[11:16]) == ["10:00", "13:00", "14:00", "15:00"]


def test_a_closed_gate_is_no_bid():
    """What was sold before the gate closed cannot be offered again."""
    plan = result(days=1)
    hour = plan["energy"].to_dataset()
    plan["energy"] = hour.assign(closed=(hour["position"] > 0).astype(float))
    assert "sell" not in set(tables.bids(plan).query("market == 'day_ahead'")["side"])


@pytest.mark.parametrize(("start", "hours"), [("2019-03-30T23:00", 23), ("2019-10-26T22:00", 25)])
def test_market_hours_and_four_hour_blocks_across_the_change_of_the_clock(start, hours):
    """A long day has 25 market hours and still six blocks from local midnight, the first of them
    five hours long.
    """
    view = ResultView.of(result(members=1, start=start, days=hours / 24, minutes=15, ladder=False))
    assert len(starts(view, 1.0)) == hours
    lengths = np.diff(np.append(starts(view, 4.0), len(view.time))) / 4
    assert list(lengths) == [hours - 20, 4, 4, 4, 4, 4]


def test_first_stage_bids_stand_once_and_recourse_per_scenario():
    """A day-ahead bid is one for all scenarios; an intraday position exists in each."""
    plan = result(days=1, scenarios=2)
    once = tables.bids(plan)
    assert set(once["scenario"]) == {""}
    plan["energy"] = plan["energy"].to_dataset().assign(first_stage=("market", [0.0]))
    later = tables.bids(plan).query("market == 'day_ahead'")
    assert sorted(later["scenario"]) == ["s0"] * 4 + ["s1"] * 4


def sessions_of(plan, **labels):
    """A /sessions group with one session per label."""
    size = len(next(iter(labels.values())))
    data = xr.Dataset(
        {k: ("session", v) for k, v in labels.items()}, coords={"session": np.arange(size)}
    )
    plan["sessions"] = xr.DataTree(data)
    return plan


def test_packed_rows_are_no_vehicles():
    """Rows into which sessions of any vehicle are packed have no amount per vehicle: it is given
    per session.
    """
    rows = ["ev-000", "ev-001", "ev-000", "ev-002"]
    packed = tables.kpi(sessions_of(result(), row=rows))
    assert packed["unit"] == "EUR per charging session"
    assert packed["profit_per_unit"] == pytest.approx(packed["profit"] / 4)
    vehicles = tables.kpi(sessions_of(result(), row=rows, vehicle=["a", "b", "a", "c"]))
    assert vehicles["unit"] == "EUR per vehicle and year"
    connectors = tables.kpi(
        sessions_of(result(), row=rows, vehicle=["a", "b", "d", "c"], connector=[7, 8, 7, 9])
    )
    assert connectors["unit"] == "EUR per connector and year"
    assert connectors["profit_per_unit"] == pytest.approx(vehicles["profit_per_unit"])


def test_identical_scenarios_give_the_figures_of_one():
    """The mean over equal scenarios is the plan itself, in every table."""
    one, two = result(), result(scenarios=2)
    first, second = tables.kpi(one), tables.kpi(two)
    for key in ("energy", "power", "prices", "ledger"):
        same = {name for name in first[key] if "unmanaged" not in name}
        assert {n: second[key][n] for n in same} == pytest.approx(
            {n: first[key][n] for n in same}
        ), key
    assert set(tables.schedule(two)["scenario"]) == {"s0", "s1"}


def test_figures_do_not_depend_on_the_units_of_the_file():
    """A case in MW, MWh and ct/kWh is the same case."""
    plain, other = result(), result()
    fleet, energy = other["fleet"].to_dataset(), other["energy"].to_dataset()
    other["fleet"] = fleet.assign(
        charge_max=(fleet["charge_max"] / 1000).assign_attrs(units="MW"),
        energy_max=(fleet["energy_max"] / 1000).assign_attrs(units="MWh"),
    )
    other["energy"] = energy.assign(price=(energy["price"] / 10).assign_attrs(units="ct/kWh"))
    first, second = tables.kpi(plain), tables.kpi(other)
    for key in ("energy", "power", "prices"):
        assert second[key] == pytest.approx(first[key]), key


@pytest.mark.parametrize("scenarios", [None, {"dear": 0.5, "cheap": 0.5}])
def test_one_session_for_all_members_is_named_in_each_row(scenarios):
    """The label of a session may be given once for all members, on time alone."""
    cars = {name: vehicle(energy_min=[0.0, 5.0]) for name in ("one", "two")}
    price = [50.0, 20.0] if scenarios is None else {"dear": [50.0, 90.0], "cheap": [50.0, 20.0]}
    given = case(cars, market(price), scenarios=scenarios)
    given["fleet"] = given["fleet"].to_dataset().assign(session=("time", [7, 8]))
    table = tables.schedule(v2g.solve(given))
    assert set(table.loc[table["member"] == "two", "session"].astype(str)) == {"7", "8"}
