"""A whole case from sessions and prices: published values come out, and nothing is assumed
silently.
"""

import numpy as np
import pandas as pd
import pydantic
import pytest
import xarray as xr
from reference_data import reference
from sessions_made import START, stays, steps

import v2g_linopy as v2g
from v2g_linopy.data import (
    BatteryAssumption,
    Regulation,
    case_from_sessions,
    read_elaadnl,
    read_netcdf_prices,
    read_prices,
)
from v2g_linopy.errors import SchemaError

UTC = {"timezone": "UTC"}


def spot(*values, step="1h", **more):
    time = steps(len(values), step)
    data = {"day_ahead": np.array(values, float)} | {n: np.array(v, float) for n, v in more.items()}
    return xr.Dataset(
        {n: ("time", v, {"units": "EUR/MWh"}) for n, v in data.items()}, coords={"time": time}
    )


def metered(*spans, energy=10.0, power_max=10.0):
    table = stays(*spans)[["arrival", "departure"]]
    count = len(spans)
    return table.assign(
        energy=("session", np.broadcast_to(np.asarray(energy, float), count), {"units": "kWh"}),
        power_max=(
            "session",
            np.broadcast_to(np.asarray(power_max, float), count),
            {"units": "kW"},
        ),
    )


def test_the_cheap_hour_is_used():
    """10 kWh into a lossless battery in the cheaper of two hours: at 20 EUR/MWh 0.20 EUR; the dear
    one costs 0.50.
    """
    result = v2g.solve(case_from_sessions(stays((0, 2)), spot(50, 20), **UTC))
    assert result.attrs["profit"] == pytest.approx(-0.20)


def test_hourly_prices_on_a_finer_model():
    """A model step of 15 minutes takes the price of its hour: the same bill."""
    case = case_from_sessions(stays((0, 2)), spot(50, 20), step="15min", **UTC)
    assert case.sizes["time"] == 8
    assert v2g.solve(case).attrs["profit"] == pytest.approx(-0.20)


def test_start_and_end_are_local():
    """Rome in January is an hour ahead of UTC: from 1:00 to 3:00 local are the UTC hours 0 and
    1.
    """
    case = case_from_sessions(
        stays((0, 2)),
        spot(1, 2, 3),
        timezone="Europe/Rome",
        start="2026-01-05 01:00",
        end="2026-01-05 03:00",
    )
    assert case["energy"].price.values.tolist() == [[1, 2]]


def test_units_of_prices_are_read():
    """2 ct/kWh = 0.02 EUR/kWh = 20 EUR/MWh."""
    prices = spot(5, 2)
    prices.day_ahead.attrs["units"] = "ct/kWh"
    assert v2g.solve(case_from_sessions(stays((0, 2)), prices, **UTC)).attrs[
        "profit"
    ] == pytest.approx(-0.20)
    prices.day_ahead.attrs["units"] = "kW"
    with pytest.raises(SchemaError, match="unit 'kW' does not fit"):
        case_from_sessions(stays((0, 2)), prices, **UTC)


def test_another_money():
    prices = spot(50, 20)
    prices.day_ahead.attrs["units"] = "USD/MWh"
    case = case_from_sessions(stays((0, 2)), prices, currency="USD", **UTC)
    assert (
        case["energy"].price.attrs["units"] == "USD/MWh"
        and case["fleet"].wear.attrs["units"] == "USD/kWh"
    )
    assert v2g.solve(case).attrs["profit"] == pytest.approx(-0.20)


def test_hours_without_a_price_are_named():
    with pytest.raises(SchemaError) as error:
        case_from_sessions(stays((0, 2)), spot(50, np.nan), **UTC)
    assert "no price at 2026-01-05 01:00:00 UTC" in str(error.value)
    with pytest.raises(SchemaError, match="prices.intraday"):
        case_from_sessions(stays((0, 2)), spot(50, 20), markets=("day_ahead", "intraday"), **UTC)


def test_regulation_is_two_products():
    """NaN and 0 are hours in which nothing is accepted: volume 0 and price 0 there, never a price
    of 0 that pays.
    """
    prices = spot(50, 50, 50, regulation_up=[90, np.nan, 0], regulation_down=[0, 20, 30])
    reserve = case_from_sessions(stays((0, 2)), prices, regulation=Regulation(), **UTC)["reserve"]
    assert reserve.product.values.tolist() == ["up", "down"]
    assert (reserve.volume_max.values > 0).tolist() == [[True, False, False], [False, True, True]]
    assert reserve.capacity_price.values.tolist() == [[90, 0, 0], [0, 20, 30]]
    assert reserve.activation_up.values.tolist() == [0.25, 0]
    assert reserve.activation_down.values.tolist() == [0, 0.75]
    settled = case_from_sessions(
        stays((0, 2)), prices, regulation=Regulation(settlement="energy"), **UTC
    )["reserve"]
    assert "capacity_price" not in settled
    assert settled.activation_price_up.values.tolist() == [[90, 0, 0], [0, 20, 30]]


def test_ample_limits_do_not_bind():
    """Halving limit and volume leaves the profit alone; the case says what they are."""
    prices = spot(50, 20, 80, regulation_up=[90, 95, 70], regulation_down=[20, 20, 30])
    sessions = stays((0, 3), (1, 3), energy_need=30.0, discharge_max=10.0)
    case = case_from_sessions(sessions, prices, regulation=Regulation(), **UTC)
    assert case["energy"].limit.item() == 2 * (40 + 0.75 * 80)
    assert "it cannot bind" in case.attrs["assumptions"]
    profit = v2g.solve(case).attrs["profit"]
    case["energy"]["limit"] = case["energy"].limit / 2
    case["reserve"]["volume_max"] = case["reserve"].volume_max / 2
    assert v2g.solve(case).attrs["profit"] == pytest.approx(profit)


def test_battery_assumption_by_hand():
    """20 kWh metered, 0.95 in: 19 kWh. Battery max(60, 23.75) = 60, leaves with 54, came with
    35.
    """
    table, said = BatteryAssumption().apply(metered((0, 4), energy=20.0))
    assert [
        float(table[n][0]) for n in ("capacity", "energy_need", "energy_arrival")
    ] == pytest.approx([60, 54, 35])
    assert float(table.charge_max[0]) == 10 and float(table.discharge_max[0]) == 10
    assert len(said) == 7
    large, _ = BatteryAssumption().apply(metered((0, 10), energy=80.0))
    expected = [95, 85.5, 9.5]
    assert [
        float(large[n][0]) for n in ("capacity", "energy_need", "energy_arrival")
    ] == pytest.approx(expected)


def test_a_charger_too_small_for_the_meter_is_raised_and_named():
    """25 kWh in 2 h at 10 kW at most is impossible: 12.5 kW on average, 12.75 with the margin of 2
    %.
    """
    table, said = BatteryAssumption().apply(metered((0, 2), (0, 4), energy=25.0))
    assert table.charge_max.values == pytest.approx([12.75, 10.0])
    assert "1 session, worst first: 0 from 10 to 12.75 kW." in said[-1]


def test_a_charger_is_not_raised_without_end():
    """20 kWh in 2 h at 3 kW: 10.2 kW are 3.4 times what was seen. Refused by name, the worst first,
    unless allowed.
    """
    table = metered((0, 2), (0, 1), (0, 9), energy=[20.0, 20.0, 5.0], power_max=3.0)
    with pytest.raises(SchemaError) as error:
        BatteryAssumption().apply(table)
    first, second, rule = error.value.problems
    assert (
        "session 1: its energy over its stay is 20 kW on average, its power_max 3 kW"
        in first.detail
    )
    assert "session 0: its energy over its stay is 10 kW" in second.detail
    assert "give charger_raise=1000" in str(rule)
    allowed, _ = BatteryAssumption(charger_raise=7).apply(table)
    assert allowed.charge_max.values == pytest.approx([10.2, 20.4, 3.0])
    within, _ = BatteryAssumption().apply(table.assign(power_max=("session", [3.5, 7.0, 3.0])))
    assert within.charge_max.values == pytest.approx([10.2, 20.4, 3.0])


def test_a_vehicle_has_one_battery():
    """80 kWh metered once: 95 kWh at both stays of the van; a stay without a name keeps the least,
    60 kWh.
    """
    table = metered((0, 10), (12, 20), (0, 10), energy=[80.0, 8.0, 8.0])
    table["vehicle"] = ("session", ["van", "van", ""])
    made, said = BatteryAssumption().apply(table)
    assert made.capacity.values == pytest.approx([95.0, 95.0, 60.0])
    assert made.energy_need.values == pytest.approx([85.5, 85.5, 54.0])
    assert made.energy_arrival.values == pytest.approx([9.5, 85.5 - 7.6, 54 - 7.6])
    assert "of a vehicle that is named, the largest of its stays" in said[0]


def test_wear_is_part_of_the_assumption():
    """A battery of 120 EUR/kWh that lasts 4000 full cycles: 0.03 EUR/kWh; told, overridden, or told
    to be 0.
    """
    sessions, prices = metered((0, 2)), spot(50, 20)
    assumed = case_from_sessions(sessions, prices, battery=BatteryAssumption(), **UTC)
    assert float(assumed["fleet"].wear) == pytest.approx(120 / 4000)
    assert "Wear 0.03 EUR per kWh leaving the battery: 120 EUR/kWh" in assumed.attrs["assumptions"]
    given = case_from_sessions(sessions, prices, battery=BatteryAssumption(), wear=0.01, **UTC)
    assert float(given["fleet"].wear) == 0.01
    assert "Wear 0.01 EUR per kWh leaving the battery." in given.attrs["assumptions"]
    free = case_from_sessions(stays((0, 2)), prices, **UTC)
    assert float(free["fleet"].wear) == 0
    assert "No wear: a kWh leaving a battery costs 0 EUR." in free.attrs["assumptions"]


def test_assumptions_that_make_no_sense_are_refused():
    with pytest.raises(pydantic.ValidationError, match="arrives with less than 0"):
        BatteryAssumption(full=0.7, capacity_per_energy=1.2)
    with pytest.raises(pydantic.ValidationError):
        BatteryAssumption(ful=0.7)
    with pytest.raises(SchemaError) as error:
        BatteryAssumption().apply(metered((0, 2)).drop_vars(["energy", "power_max"]))
    assert [p.where for p in error.value.problems] == ["sessions.energy"]


def test_a_charger_that_nobody_saw_is_assumed():
    """10 kWh in 2 h need no more than 11 kW. 60 kWh in 4 h need 15.3 with the margin of 2 %, and 30
    in 4 h, of which it charged 1 h, 30.6. Where a power was seen it holds: 3.7 kW.
    """
    table = metered((0, 2), (0, 4), (0, 4), energy=[10.0, 60.0, 30.0]).drop_vars("power_max")
    table["charge_time"] = ("session", [np.nan, np.nan, 1.0], {"units": "h"})
    made, said = BatteryAssumption().apply(table)
    assert made.charge_max.values == pytest.approx([11.0, 15.3, 30.6])
    assert any("Charger: 11 kW, as none is seen" in sentence for sentence in said)
    assert "in 2 sessions: 1 15.3 kW, 2 30.6 kW." in said[-1]
    some = table.assign(power_max=("session", [3.7, np.nan, 50.0]))
    made, said = BatteryAssumption(charger_power=22).apply(some.isel(session=[0, 1]))
    assert made.charge_max.values == pytest.approx([5.1, 22.0])
    assert "No power is seen in 1 session: a charger of 22 kW." in said


def test_one_charger_for_all_is_taken_whatever_was_seen():
    """Two sessions of 60 kWh in 4 h, one at 3.7 kW and one unseen: 11 kW in both, and nobody is
    raised to the 15.3 kW that would do.
    """
    table = metered((0, 4), (0, 4), energy=60.0).assign(power_max=("session", [3.7, np.nan]))
    made, said = BatteryAssumption(charger_of_all=11).apply(table)
    assert made.charge_max.values.tolist() == made.discharge_max.values.tolist() == [11.0, 11.0]
    assert "Charger: 11 kW, whatever power was seen." in said
    assert not any("aised" in sentence or "seen in" in sentence for sentence in said)


def test_energy_on_board_says_what_was_charged():
    """Trips know what is needed and no meter: 80 kWh from empty need a battery of 100 kWh, and
    80 / 0.95 / 4 h with the margin of 2 % a charger of 21.5 kW.
    """
    table = metered((0, 4)).drop_vars(["energy", "power_max"])
    table = table.assign(energy_arrival=("session", [0.0]), energy_need=("session", [80.0]))
    made, _ = BatteryAssumption().apply(table)
    assert made.capacity.values == pytest.approx([100.0])
    assert made.energy_need.values.tolist() == [80.0]
    assert made.charge_max.values == pytest.approx([80 / 0.95 / 4 * 1.02])


def test_what_the_data_hold_is_not_assumed():
    """A capacity in the data stays; without any assumption a table of meter readings is refused,
    column by column.
    """
    table, _ = BatteryAssumption().apply(metered((0, 4)).assign(capacity=("session", [77.0])))
    assert table.capacity.values.tolist() == [77.0]
    with pytest.raises(SchemaError) as error:
        case_from_sessions(metered((0, 2)), spot(50, 20), **UTC)
    missing = {p.where for p in error.value.problems if p.rule == "missing"}
    assert missing == {
        f"sessions.{n}" for n in ("capacity", "energy_arrival", "energy_need", "charge_max")
    }


def test_the_case_says_what_was_assumed():
    case = case_from_sessions(
        metered((0, 1), (1, 2), (1, 9), energy=[20.0, 5.0, 5.0]),
        spot(50, 20),
        battery=BatteryAssumption(),
        assumptions=["Said before."],
        **UTC,
    )
    text = case.attrs["assumptions"].splitlines()
    assert text[0] == "Said before."
    assert any("60 kWh and 1.25 times" in line for line in text)
    lost = case.attrs["warnings"]
    assert (
        lost.startswith("1 session dropped, 5 kWh in all")
        and ": 2, 2026-01-05 01:00 to 2026-01-05 09:00, 5" in lost
    )
    assert v2g.check(case)
    for group in ("fleet", "energy"):
        for name, array in case[group].data_vars.items():
            assert array.attrs["long_name"], name


def italian_commuters(vehicles, days):
    data = xr.load_dataset(reference("italy_commuters_2019.nc")).isel(
        ev=slice(0, vehicles), day=slice(0, days)
    )
    date = pd.date_range("2019-08-01", periods=days, freq="D").to_numpy("datetime64[h]")
    moment = {
        name: (date + (np.asarray(data[f"{word}_hour"], int) - 1)).ravel().astype("datetime64[ns]")
        for name, word in (("arrival", "arrive"), ("departure", "depart"))
    }
    sessions = xr.Dataset(
        {n: ("session", m) for n, m in moment.items()}
        | {
            "vehicle": ("session", np.repeat([f"ev-{k:03d}" for k in range(vehicles)], days)),
            "energy_arrival": (
                "session",
                np.asarray(data.soc_initial.transpose("ev", "day")).ravel(),
            ),
            "energy_need": 0.99 * 24,
            "capacity": 24.0,
            "charge_max": 7.2,
            "discharge_max": 7.2,
            "eta_charge": 0.9,
            "eta_discharge": 0.9,
        }
    )
    names = {"day_ahead": "price_pun", "regulation_up": "price_up", "regulation_down": "price_down"}
    time = pd.date_range("2019-08-01", periods=24 * days, freq="h", name="time")
    return sessions, xr.Dataset(
        {n: ("time", np.asarray(data[c]).ravel()) for n, c in names.items()}, {"time": time}
    )


@pytest.mark.parametrize("rows", ["vehicle", "packed"])
def test_published_commuters(rows):
    """10 vehicles, 7 days, V2G with regulation, capacity settled: the published profit, packed in
    rows or not.
    """
    sessions, prices = italian_commuters(10, 7)
    given = {"wear": 200 / 2400, "retail_price": 0.01, "retail_on": "net", "rows": rows, **UTC}
    result = v2g.solve(case_from_sessions(sessions, prices, regulation=Regulation(), **given))
    assert result.attrs["profit"] == pytest.approx(567.515896, rel=1e-8)


def test_a_dutch_week_is_served():
    """Real sessions of a week at 15 minutes: every need is served, sessions beyond the week are
    named.
    """
    sessions = read_elaadnl(reference("raw/elaadnl_sessions_2019.csv"))
    prices = read_netcdf_prices(
        reference("nl_prices_2019.nc"), ambiguous="both", nonexistent="drop"
    )
    sessions = sessions.isel(session=slice(0, 220))
    case = case_from_sessions(
        sessions,
        prices,
        timezone="Europe/Amsterdam",
        battery=BatteryAssumption(),
        step="15min",
        start="2019-01-01",
        end="2019-01-08",
    )
    assert case.sizes["time"] == 7 * 96
    count = case["sessions"].sizes["session"]
    assert case["sessions"].attrs["dropped_count"] == 220 - count
    result = v2g.solve(case)
    assert float(result["fleet"].unserved.sum()) == pytest.approx(0, abs=1e-6)
    table = case["sessions"]
    need = float((table.energy_need - table.energy_arrival).sum())
    drawn = float((0.95 * result["fleet"].charge - result["fleet"].discharge / 0.95).sum()) / 4
    assert drawn == pytest.approx(need, rel=1e-6), (
        "prices above zero: what is needed, not more, stays in the batteries"
    )


def test_faults_of_sessions_and_prices_come_together():
    """A need too large, a price that is missing and another that is not there: three problems, one
    message.
    """
    with pytest.raises(SchemaError) as error:
        case_from_sessions(
            stays((0, 2), energy_need=35.0), spot(50, np.nan), regulation=Regulation(), **UTC
        )
    where = [p.where for p in error.value.problems]
    assert where == [
        "sessions.energy_need",
        "prices.day_ahead",
        "prices.regulation_up",
        "prices.regulation_down",
    ]


def test_rules_of_the_clock_are_told(tmp_path):
    """What a rule did to which hour while reading stands among the assumptions of the case."""
    hours = [f"2026-10-25 {h:02d}:00,{h}" for h in range(24) if h != 20]
    (tmp_path / "p.csv").write_text("\n".join(["t,p", *hours]) + "\n")
    columns = {"time": "t", "day_ahead": "p"}
    rules = {"timezone": "Europe/Rome", "ambiguous": "both", "missing": "hold"}
    prices = read_prices(tmp_path / "p.csv", columns=columns, **rules)
    start = pd.Timestamp("2026-10-25 10:00")
    case = case_from_sessions(stays((0, 2), start=start), prices, timezone="Europe/Rome")
    assert case.attrs["assumptions"].splitlines()[:2] == [
        "1 step without a row, 2026-10-25 19:00:00 UTC: the price before holds.",
        (
            "Local clock of Europe/Rome: 2026-10-25 02:00: shown twice, one value taken for both"
            " hours."
        ),
    ]


def test_an_empty_horizon_is_refused():
    with pytest.raises(SchemaError, match="no step between"):
        case_from_sessions(stays((0, 2)), spot(1, 2), start=str(START + pd.Timedelta("2h")), **UTC)
