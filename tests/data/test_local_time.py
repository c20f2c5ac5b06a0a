"""Local clocks, days of 23 and 25 hours, and steps that nest."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sessions_made import steps

from v2g_linopy.data import align, to_utc
from v2g_linopy.data.tables.local_time import nanoseconds, step_of
from v2g_linopy.data.tables.positions import Labels, starts_of
from v2g_linopy.errors import SchemaError

ROME = "Europe/Rome"


def clock(*words):
    return pd.DatetimeIndex(words)


def utc(words, **rules):
    return to_utc(clock(*words), ROME, **rules).time.strftime("%m-%d %H:%M").tolist()


def test_summer_and_winter():
    """Rome is two hours ahead of UTC in July and one in January."""
    assert utc(["2026-07-01 12:00", "2026-01-01 12:00"]) == ["07-01 10:00", "01-01 11:00"]


def test_an_offset_needs_no_zone():
    aware = pd.DatetimeIndex(["2026-07-01 12:00"]).tz_localize(ROME)
    assert to_utc(aware, None).time[0] == pd.Timestamp("2026-07-01 10:00")


def test_a_naive_clock_without_a_zone_is_an_error_with_the_remedy():
    with pytest.raises(SchemaError, match="local times without a zone; give timezone"):
        to_utc(clock("2026-07-01 12:00"), None)
    with pytest.raises(SchemaError, match="'Europe/Room' is not a time zone"):
        to_utc(clock("2026-07-01 12:00"), "Europe/Room")


def test_both_odd_hours_are_named_at_once():
    """Without rules the skipped hour of March and the double one of October are two problems of one
    message.
    """
    with pytest.raises(SchemaError) as error:
        utc(["2026-03-29 02:30", "2026-10-25 02:15"])
    details = [p.sentence() for p in error.value.problems]
    assert len(details) == 2
    assert (
        "2026-03-29 02:30: the clock skips this hour" in details[0] and "nonexistent=" in details[0]
    )
    assert (
        "2026-10-25 02:15: the clock shows this hour twice" in details[1]
        and "ambiguous=" in details[1]
    )


@pytest.mark.parametrize(
    ("rule", "hours"), [("first", ["00:30"]), ("second", ["01:30"]), ("both", ["00:30", "01:30"])]
)
def test_one_row_in_october(rule, hours):
    """2:30 is 0:30 UTC in summer time and 1:30 UTC in winter time."""
    assert utc(["2026-10-25 02:30"], ambiguous=rule) == [f"10-25 {h}" for h in hours]


def test_two_rows_in_october_are_inferred_in_their_order():
    """Quarter-hours written twice: the first four are summer time, also where the file ends amid
    the second, or runs backwards. Where no set-back is seen, nothing can be inferred.
    """
    quarters = [f"2026-10-25 02:{m:02d}" for m in (0, 15, 30, 45)]
    assert utc(quarters * 2, ambiguous="infer") == [
        f"10-25 0{h}:{m:02d}" for h in (0, 1) for m in (0, 15, 30, 45)
    ]
    cut = utc((quarters * 2)[:-2], ambiguous="infer")
    assert cut == [f"10-25 0{h}:{m:02d}" for h in (0, 1) for m in (0, 15, 30, 45)][:-2]
    backwards = ["2026-10-25 03:00", *(quarters * 2)[::-1], "2026-10-25 01:45"]
    expected = [f"10-25 0{h}:{m:02d}" for h in (1, 0) for m in (45, 30, 15, 0)]
    assert utc(backwards, ambiguous="infer")[1:-1] == expected
    for odd in (quarters, quarters * 3):
        with pytest.raises(SchemaError, match="02:45: not written twice in order") as error:
            utc(odd, ambiguous="infer")
        assert "infer" not in str(error.value).partition("give")[2]


@pytest.mark.parametrize(("rule", "hours"), [("drop", []), ("shift", ["03-29 01:30"])])
def test_the_hour_that_march_skips(rule, hours):
    """2:30 does not exist; an hour later it is 3:30 = 1:30 UTC."""
    assert utc(["2026-03-29 02:30"], nonexistent=rule) == hours


def test_an_hour_moved_on_beside_others():
    """An hour later than 1:00 is an hour that is skipped, too, but 1:00 is not moved."""
    result = to_utc(clock("2026-03-29 01:00", "2026-03-29 02:00"), ROME, nonexistent="shift")
    assert result.time.strftime("%H:%M").tolist() == ["00:00", "01:00"]


def test_rows_are_traced():
    """The value of a row stands where its instants stand: the doubled row twice, the dropped one
    never.
    """
    words = clock("2026-03-29 02:00", "2026-10-25 01:00", "2026-10-25 02:00")
    result = to_utc(words, ROME, ambiguous="both", nonexistent="drop")
    assert result.row.tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-06-01", 24), ("2026-10-25", 25)]
)
def test_hours_counted_since_midnight(day, hours):
    """A market day has 23, 24 or 25 hours, one after the other in UTC; an hour beyond is
    refused.
    """

    def hour_starts(numbers):
        labels = Labels(np.asarray(numbers, float), np.full(len(numbers), ""))
        return starts_of(pd.DatetimeIndex([day] * len(numbers)), labels, ROME).time

    result = hour_starts(range(1, hours + 1))
    assert result[0] == pd.Timestamp(day, tz=ROME).tz_convert("UTC").tz_localize(None)
    assert set(np.diff(nanoseconds(result))) == {3_600_000_000_000}
    beyond = "a whole day 25" if hours == 25 else f"hour {hours + 1}: the day has no such hour"
    with pytest.raises(SchemaError, match=f"{day} .*{beyond}"):
        hour_starts([hours + 1])


def test_a_step_that_is_not_the_same_everywhere_is_shown():
    with pytest.raises(SchemaError, match="2026-01-05 01:00:00 -> 2026-01-05 03:00:00"):
        step_of(steps(5)[[0, 1, 3, 4]])


def hourly(values, **kw):
    time = steps(len(values), **kw)
    return xr.Dataset(
        {"p": ("time", np.asarray(values, float), {"units": "EUR/MWh"})}, coords={"time": time}
    )


def test_hourly_prices_on_quarter_hours():
    """Each quarter-hour has the price of its hour; the model may begin within one."""
    fine = align(hourly([1, 2, 3]), steps(8, "15min", steps(1)[0] + pd.Timedelta("45min")))
    assert fine.p.values.tolist() == [1, 2, 2, 2, 2, 3, 3, 3]
    assert fine.p.attrs["units"] == "EUR/MWh"


def test_quarter_hours_on_an_hourly_model():
    """The mean of the four; a missing one makes the hour missing, not the mean of three."""
    coarse = align(hourly([1, 2, 3, 6, 5, 5, np.nan, 5], step="15min"), steps(2))
    assert coarse.p.values[0] == 3.0 and np.isnan(coarse.p.values[1])


def test_prices_must_cover_the_model_and_nest_with_it():
    with pytest.raises(SchemaError, match="missing for 1 of 4 model steps"):
        align(hourly([1, 2, 3]), steps(4))
    with pytest.raises(SchemaError, match="do not nest"):
        align(hourly([1, 2, 3]), steps(2, "45min"))
    with pytest.raises(SchemaError, match="do not nest"):
        align(hourly([1, 2, 3]), steps(2, "1h", steps(1)[0] + pd.Timedelta("30min")))
