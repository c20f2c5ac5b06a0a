"""The charge on the mean of the largest imports of each month, on the clock of the meter."""

import numpy as np
import pytest
import xarray as xr
from cases import case, market, row, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.case import calendar as periods

FREE = market(0)


def house(*power: float, **fields: object) -> dict:
    return {"baseline": [float(p) for p in power]} | fields


def peak(**fields: object) -> dict:
    """10 EUR per kW of a month's peak."""
    return {"peak_price": 10.0} | fields


@pytest.mark.parametrize(("count", "expected"), [(1, 6), (2, 5), (4, 3.5)])
def test_a_battery_shaves_the_largest_hours(pipeline, count, expected):
    """2 kWh on board against hours of 2, 8, 4 and 2 kW.

    K = 1: off the 8, a peak of 6. K = 2: (8 + 4 - 2) / 2 = 5. K = 4: (16 - 2) / 4. Without the
    battery 8, 6 and 4; a peak of the mean of all hours, or of the largest whatever K is, would give
    one number for the three."""
    battery = storage(charge_max=0.0, energy_initial=2.0)
    result = pipeline(
        case(None, FREE, connection=peak(peak_count=count), load=house(2, 8, 4, 2), battery=battery)
    )
    assert row(result, "connection.peak") == [expected]
    assert row(result, "ledger.connection.peak") == [-10 * expected]
    assert result.attrs["profit"] == approx(-10 * expected)


def test_charging_ahead_is_a_peak_as_well(pipeline):
    """An empty battery of 4 kWh before hours of 2, 8, 4 and 2 kW: 3 kWh are charged in the first, 5
    kW in both.

    Proves that the peak is of what the meter sees: of the load alone it would be 8, with free
    charging 4."""
    battery = storage(energy_max=4.0)
    result = pipeline(case(None, FREE, connection=peak(), load=house(2, 8, 4, 2), battery=battery))
    assert row(result, "connection.peak") == [5]


def test_fewer_hours_than_are_counted(pipeline):
    """K = 5 and two hours of 2 and 4 kW: their mean, 3. A sum over 5 would be 1.2."""
    assert row(
        pipeline(case(None, FREE, connection=peak(peak_count=5), load=house(2, 4))),
        "connection.peak",
    ) == [3]


def test_quarter_hours_are_averaged_to_the_clock_hour(pipeline):
    """12 kW for a quarter-hour are 3 in the clock hour, the next one has 4: a peak of 4, not 12."""
    load = house(12, 0, 0, 0, 4, 4, 4, 4)
    result = pipeline(case(None, FREE, connection=peak(), load=load, step="15min"))
    assert row(result, "connection.peak") == [4]


def test_the_clock_hour_is_that_of_the_meter(pipeline):
    """Two half-hours of 6 kW around a full hour are two clock hours of 3 kW; where local time is a
    half-hour off, one of 6."""
    at = {"start": "2026-01-05 00:30", "step": "30min", "load": house(6, 6)}
    result = pipeline(case(None, FREE, connection=peak(), timezone="UTC", **at))
    assert row(result, "connection.peak") == [3]
    result = pipeline(case(None, FREE, connection=peak(), timezone="Asia/Kolkata", **at))
    assert row(result, "connection.peak") == [6]


@pytest.mark.through_file
@pytest.mark.parametrize(
    ("timezone", "expected"),
    [("UTC", [6, 5]), ("Europe/Rome", [2, 6])],
    ids=["in UTC", "one hour ahead"],
)
def test_each_local_month_has_its_peak(pipeline, timezone, expected):
    """2, 6, 3 and 5 kW from 22:00 UTC on 31 January: in Rome it is February an hour later.

    Proves that months are local and apart: one peak for both would cost 60 only.
    """
    at = {"start": "2026-01-31 22:00", "timezone": timezone}
    result = pipeline(case(None, FREE, connection=peak(), load=house(2, 6, 3, 5), **at))
    assert row(result, "connection.peak") == expected
    assert [str(m) for m in result["connection"].indexes["month"]] == ["2026-01", "2026-02"]
    assert result.attrs["profit"] == approx(-10 * sum(expected))


def test_a_day_of_25_hours_is_one_day(pipeline):
    """The day the clock goes back in Rome, and one hour of the next: 5 kW in the 25th hour, 7 kW
    after midnight.

    The mean of the two largest days is 6. With days of 24 hours the 5 would be of the second day,
    the mean (1 + 7) / 2."""
    load = house(*[1] * 24, 5, 7)
    at = {"start": "2026-10-24 22:00", "timezone": "Europe/Rome"}
    result = pipeline(
        case(None, FREE, connection=peak(peak_period="day", peak_count=2), load=load, **at)
    )
    assert row(result, "connection.peak") == [6]


@pytest.mark.through_file
def test_a_day_of_23_hours_is_one_day(pipeline):
    """The day the clock goes forward: 5 kW in its 23rd and last hour, 7 kW in the 24th since
    midnight: mean 6, not (1 + 7) / 2."""
    load = house(*[1] * 22, 5, 7)
    at = {"start": "2026-03-28 23:00", "timezone": "Europe/Rome"}
    result = pipeline(
        case(None, FREE, connection=peak(peak_period="day", peak_count=2), load=load, **at)
    )
    assert row(result, "connection.peak") == [6]


def test_an_hour_that_the_clock_shows_twice_is_two_hours(pipeline):
    """Half-hours from 02:00 to 03:00, twice: 8 kW the first time, nothing the second. The peak is
    8, not their mean 4, nor the 8 kWh of both together."""
    at = {"start": "2026-10-25 00:00", "timezone": "Europe/Rome", "step": "30min"}
    result = pipeline(case(None, FREE, connection=peak(), load=house(8, 8, 0, 0), **at))
    assert row(result, "connection.peak") == [8]


def test_months_are_as_long_as_the_clock_makes_them():
    """743 hours in March, 745 in October, where the clock changes; 696 in a February of a leap
    year.
    """
    months = periods.hours_in(np.array(["2026-03", "2026-10", "2024-02"]), "Europe/Rome")
    assert months.values.tolist() == [743, 745, 696]


@pytest.mark.parametrize(("night", "expected"), [(1.0, 6), (0.5, 4), (0.0, 4), (2.0, 12)])
def test_the_night_counts_with_its_weight(pipeline, night, expected):
    """6 kW in the night and 4 in the day: at half weight the night is 3, and the day is the
    peak.
    """
    connection = peak(peak_weight=[night, 1.0])
    assert row(
        pipeline(case(None, FREE, connection=connection, load=house(6, 4))), "connection.peak"
    ) == [expected]


def test_the_night_fills_the_battery(pipeline):
    """At weight 0 the night is free: all 4 kWh that fit are charged there, and the 8 kW of the day
    are 4.
    """
    battery = storage(energy_max=4.0)
    connection = peak(peak_weight=[0.0, 1.0])
    result = pipeline(case(None, FREE, connection=connection, load=house(6, 8), battery=battery))
    assert row(result, "connection.import_") == [10, 4]
    assert result.attrs["profit"] == approx(-40)


def test_daily_periods_count_a_day_once(pipeline):
    """7 and 6 kW today, 4 tomorrow, K = 2: days 7 and 4, 5.5. By the hour 7 and 6, 6.5."""
    load = house(*[7, 6] + [0] * 22 + [4])
    for period, expected in (("day", 5.5), ("hour", 6.5)):
        result = pipeline(
            case(None, FREE, connection=peak(peak_count=2, peak_period=period), load=load)
        )
        assert row(result, "connection.peak") == [expected]


BEGUN = {"start": "2026-01-10"}


def test_peaks_of_the_month_so_far(pipeline):
    """5 and 3 kW are on the meter since 1 January; 4 and 2 kW make the two largest 5 and 4: 0.5 kW
    more than before.

    Costs 5 EUR. Without the memory (4 + 2) / 2 = 3 kW, 30 EUR; the whole month anew would be 45.
    """
    connection = {"site": peak(peak_count=2, peak_initial=ranked(5, 3))}
    result = pipeline(case(None, FREE, connection=connection, load=house(4, 2), **BEGUN))
    assert row(result, "connection.peak") == [4.5]
    assert result.attrs["profit"] == approx(-5)


def test_a_peak_that_is_paid_is_free_to_use(pipeline):
    """After a peak of 6 kW the battery need not shave hours of 2, 8 and 4 kW below it: 2 of its 4
    kWh are enough, and the other 2 replace purchases at 100 EUR/MWh in the last hour. 2 kWh are
    left to buy there, 0.20 EUR."""
    battery = storage(charge_max=0.0, energy_initial=4.0, energy_max=4.0)
    given = {"load": house(2, 8, 4), "battery": battery} | BEGUN
    connection = {"site": peak(peak_initial=ranked(6))}
    result = pipeline(case(None, market([0, 0, 100]), connection=connection, **given))
    assert row(result, "connection.import_") == [2, 6, 2]
    assert result.attrs["profit"] == approx(-0.2)


def test_peaks_of_last_month_are_gone(pipeline):
    """On the first of the month the meter starts from nothing, whatever is handed over."""
    connection = {"site": peak(peak_initial=ranked(6), hour_initial=9, day_initial=9)}
    result = pipeline(case(None, FREE, connection=connection, load=house(4), start="2026-02-01"))
    assert result.attrs["profit"] == approx(-40)


def test_an_hour_that_has_begun(pipeline):
    """2 kWh are metered since the full hour; half an hour of 4 kW makes the hour 4 kW: 2 more than
    it showed.
    """
    given = {"start": "2026-01-10 00:30", "step": "30min", "load": house(4)}
    result = pipeline(case(None, FREE, connection=peak(hour_initial=2), **given))
    assert row(result, "connection.peak") == [4]
    assert row(result, "connection.hour_energy") == [4]
    assert result.attrs["profit"] == approx(-20)


def test_a_day_that_has_begun(pipeline):
    """The day had an hour of 5 kW; 4 and, tomorrow, 3 kW make the days 5 and 3, their mean 4.
    Before it was 5 alone.

    The bill falls by 10: with K = 2 the mean of one day is that day. Windows add up because of it.
    """
    given = {"start": "2026-01-10 23:00", "load": house(4, 3)}
    connection = peak(peak_period="day", peak_count=2, day_initial=5)
    result = pipeline(case(None, FREE, connection=connection, **given))
    assert row(result, "connection.peak") == [4]
    assert row(result, "connection.day_peak") == [5, 3]
    assert result.attrs["profit"] == approx(10)


def test_part_of_a_month_pays_its_part(pipeline):
    """Two of the 744 hours of January at 3 kW: 30 EUR in full, 30 x 2 / 744 pro rata."""
    load = house(3, 3)
    assert pipeline(case(None, FREE, connection=peak(), load=load)).attrs["profit"] == approx(-30)
    result = pipeline(case(None, FREE, connection=peak(partial="pro_rata"), load=load))
    assert result.attrs["profit"] == approx(-30 * 2 / 744)


def test_each_pod_has_its_own_peak(pipeline):
    """Peaks of 5 and 4 kW in different hours at 10 and 20 EUR/kW: 50 + 80. Of the sum, 6 kW, it
    would be 60 or 120.
    """
    load = {"a": house(5, 1, pod="a"), "b": house(1, 4, pod="b")}
    connection = {"a": peak(), "b": {"peak_price": 20, "peak_period": "day"}}
    result = pipeline(case(None, FREE, connection=connection, load=load))
    assert row(result, "connection.peak") == [5, 4]
    assert result.attrs["profit"] == approx(-130)


@pytest.mark.through_file
def test_a_peak_in_each_scenario(pipeline):
    """6 kW with probability 1/4, 2 kW with 3/4: 10 x (1.5 + 1.5) EUR are expected."""
    load = {"house": {"baseline": {"cold": [6.0, 1.0], "mild": [2.0, 1.0]}}}
    given = {"scenarios": {"cold": 0.25, "mild": 0.75}, "load": load}
    result = pipeline(case(None, market(0, first_stage=0), connection=peak(), **given))
    assert row(result, "connection.peak", scenario="cold") == [6]
    assert result.attrs["profit"] == approx(-30)


def test_the_price_of_energy_carries_the_peak(pipeline):
    """A kWh less in the peak hour saves its market price and the whole peak price: 40 + 10 000
    EUR/MWh.
    """
    result = pipeline(case(None, market([30, 40]), connection=peak(), load=house(2, 8)))
    assert row(result, "price.electricity") == [30, 10040]


def ranked(*power: float) -> xr.DataArray:
    """Peaks of the month so far, largest first."""
    return xr.DataArray(
        list(map(float, power)), coords={"rank": np.arange(len(power)) + 1}, dims="rank"
    )


@pytest.mark.parametrize("period", ["hour", "day"])
def test_windows_add_up_to_the_whole(period):
    """Eight half-hours across a month's end, in one window, and in two with what the meter carries
    over.

    Proves that the states are complete: cut in the middle of an hour, of a day and of a month, the
    two bills are the one. Without them the second window would pay its own peak anew."""
    load = [4.0, 6, 2, 8, 1, 3, 5, 7]
    at = {"step": "30min", "start": "2026-01-31 21:30"}
    fields = peak(
        peak_count=2,
        peak_period=period,
        vat=0.2,
        subscribed=3,
        overrun_price=2,
        subscribed_price=100,
    )
    whole = v2g.solve(case(None, FREE, connection=fields, load=house(*load), **at))
    for cut in (2, 5, 6):
        first, second = windows(whole, cut)
        for entry in ("peak", "overrun", "vat_capacity", "subscribed"):
            sums = [float(r["ledger"][f"connection.{entry}"].sum()) for r in (whole, first, second)]
            assert sums[1] + sums[2] == approx(sums[0], abs=1e-9), (cut, entry)


def windows(whole: xr.DataTree, cut: int) -> tuple[xr.DataTree, xr.DataTree]:
    """Solve the first steps and the rest of a solved case, the second with what the first
    carries.
    """
    results: list[xr.DataTree] = []
    for part in (slice(0, cut), slice(cut, None)):
        groups = {}
        for name in ("load", "energy", "connection"):
            schema = v2g.PARTS[name].schema
            given = whole[name].to_dataset(inherit=False)
            given = given[[f.name for f in schema.inputs if f.name in given]]
            groups[f"/{name}"] = given.isel(time=part) if "time" in given.dims else given
        if results:
            ends = results[0]["connection"].to_dataset(inherit=False).isel(time=-1, drop=True)
            carried = {
                i: ends[o] for i, o in v2g.PARTS["connection"].state_inputs.items() if o in ends
            }
            groups["/connection"] = groups["/connection"].assign(carried)
        root = whole.to_dataset().isel(time=part)
        root.attrs["step_hours"] = 0.5
        results.append(v2g.solve(xr.DataTree.from_dict({"/": root, **groups})))
    return results[0], results[1]


def test_the_ladder_pays_peaks():
    """A car needs 10 kWh by the end of two hours beside a house of 2 and 4 kW, at 10 EUR per kW of
    the month's peak.

    Unmanaged 12 kW in the first hour; smart (2 + 4 + 10) / 2 = 8 kW in both. The difference of 40
    EUR is the grid's, and the change by cause says so."""
    car = vehicle(energy_min=[0, 10], energy_max=[40, 10])
    result = v2g.compare(case(car, FREE, connection=peak(), load=house(2, 4)))
    ladder = result["ladder"].to_dataset()
    assert ladder["profit"].values.tolist() == approx([-120, -80, -80])
    assert float(ladder["step"].sel(rung="smart", cause="grid")) == approx(40)
    assert result["audit"].attrs["passed"] == 1


def test_a_fixed_plan_pays_its_peak():
    """The same car held to 10 kW in the second hour: 14 kW."""
    car = vehicle(energy_min=[0, 10], energy_max=[40, 10])
    tree = case(car, FREE, connection=peak(), load=house(2, 4))
    profile = xr.DataArray(
        [[0.0, 10.0]], coords={"fleet": ["ev"], "time": tree["time"].values}, dims=("fleet", "time")
    )
    result = v2g.solve(tree, fix={"fleet.charge": profile})
    assert row(result, "connection.peak") == [14]
