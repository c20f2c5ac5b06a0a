"""Hours and quarter-hours of a day by number: on the odd days of the year a file fits its count, or
is refused with the one that it fits.
"""

import numpy as np
import pandas as pd
import pytest

from v2g_linopy.data import read_prices
from v2g_linopy.errors import SchemaError

ROME = "Europe/Rome"
ODD = {"2026-03-29": 23, "2026-06-01": 24, "2026-10-25": 25}
COLUMNS = {"date": "Date", "hour": "Hour", "day_ahead": "Price"}


@pytest.fixture
def read(tmp_path):
    def from_rows(rows, columns=COLUMNS, header="Date,Hour,Price", **told):
        path = tmp_path / "day.csv"
        path.write_text("\n".join([header, *rows]))
        return read_prices(path, columns=columns, timezone=ROME, **told)

    return from_rows


def day(date, labels):
    return [f"{date},{label},{k}" for k, label in enumerate(labels)]


def midnight(date):
    return pd.Timestamp(date, tz=ROME).tz_convert("UTC").tz_localize(None)


@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("date", ODD)
def test_a_day_has_as_many_steps_as_it_is_long(read, date, parts):
    """23, 24, 25, 46, 48, 50, 92, 96 or 100 steps, one after the other in UTC."""
    count = ODD[date] * parts
    prices = read(day(date, range(1, count + 1)))
    expected = pd.date_range(midnight(date), periods=count, freq=pd.Timedelta("1h") / parts)
    assert prices.indexes["time"].equals(expected.rename("time"))
    assert prices.day_ahead.values.tolist() == list(range(count))


def test_from_hours_to_quarter_hours(read):
    """The market of 2025-10-01: 24 rows, then 96; a price of an hour holds in its quarters."""
    rows = day("2025-09-30", range(1, 25)) + day("2025-10-01", range(1, 97))
    with pytest.raises(SchemaError, match="steps of several lengths: 60 min.*15 min"):
        read(rows)
    fine = read(rows, resample="15min")
    assert fine.sizes["time"] == 192
    assert fine.day_ahead.values[:5].tolist() == [0, 0, 0, 0, 1]
    assert fine.day_ahead.values[96:98].tolist() == [0, 1]


@pytest.mark.parametrize("label", ["{0:02}", "H{0}", "Hour {0}", "{0}.0"])
def test_labels_of_hours(read, label):
    rows = day("2026-06-01", [label.format(k) for k in range(1, 25)])
    assert read(rows).indexes["time"][0] == midnight("2026-06-01")


@pytest.mark.parametrize(
    "labels",
    [
        [str(k) for k in range(24)],
        [f"{k:02} - {k + 1:02}" for k in range(24)],
        [f"{k:02}:00" for k in range(24)],
        [f"{k:02}:00" for k in range(1, 25)],  # 24:00 and no 00:00: the end of each hour
        [f"{k:02}:00-{(k + 1) % 24:02}:00" for k in range(24)],
    ],
)
def test_other_ways_to_write_the_hours_of_a_day(read, labels):
    prices = read(day("2026-06-01", labels))
    expected = pd.date_range(midnight("2026-06-01"), periods=24, freq="h", name="time")
    assert prices.indexes["time"].equals(expected)


def test_letters_where_the_clock_shows_an_hour_twice(read):
    labels = [1, 2, "3A", "3B", *range(4, 25)]
    prices = read(day("2026-10-25", labels))
    assert prices.sizes["time"] == 25
    assert prices.day_ahead.values.tolist() == list(range(25))


@pytest.mark.parametrize(
    ("date", "labels", "words", "told"),
    [
        # 24 labels in a day of 25 hours: one of them stands for two, or the file is cut
        ("2026-10-25", range(1, 25), "a day of 25 hours with 24 labels", {"ambiguous": "both"}),
        ("2026-10-25", [1, 2, 3, 3, *range(4, 25)], "or one twice", {"ambiguous": "infer"}),
        ("2026-03-29", [1, 2, *range(4, 25)], "without a label 3: not there, or skipped", {}),
        ("2026-03-29", range(1, 25), "hour 24: the day has no such hour", {"nonexistent": "drop"}),
        ("2026-10-25", range(1, 97), "96 steps .*day 25 or 50 or 100", {"ambiguous": "both"}),
    ],
)
def test_hours_on_the_clock_are_not_counted(read, date, labels, words, told):
    """The remedy is in the message, and works."""
    rows = day(date, labels)
    with pytest.raises(SchemaError, match=words) as error:
        read(rows)
    assert 'hours="clock"' in str(error.value)
    prices = read(rows, hours="clock", **told)
    assert prices.sizes["time"] in (ODD[date], 4 * ODD[date])
    assert prices.indexes["time"][0] == midnight(date)


def test_an_hour_too_many_on_the_clock(read):
    with pytest.raises(SchemaError, match='a clock shows hours 1 to 24; give hours="elapsed"'):
        read(day("2026-10-25", range(1, 26)), hours="clock", ambiguous="first")


def test_quarters_need_whole_days(read):
    """30 numbers of a day may be hours of nothing and quarters of anything."""
    with pytest.raises(SchemaError, match="2026-06-01 has 30 steps up to 30, a whole day 24 or 48"):
        read(day("2026-06-01", range(1, 31)))


def test_wide_tables(read):
    """A column for each hour; the 25th and the 24th are empty where the day has none."""
    hours = range(1, 26)
    rows = []
    for date, count in ODD.items():
        cells = [str(k) if k <= count else "" for k in hours]
        rows.append(",".join([date, *cells]))
    header = ",".join(["Date", *(f"H{k}" for k in hours)])
    columns = {"date": "Date", "day_ahead": "H*"}
    for row, (date, count) in zip(rows, ODD.items(), strict=True):
        prices = read([row], columns, header)
        assert prices.sizes["time"] == count
        assert prices.indexes["time"][0] == midnight(date)
        assert prices.day_ahead.values.tolist() == list(range(1, count + 1))


def test_a_date_beside_an_hour_is_a_local_day(read):
    with pytest.raises(SchemaError, match="has no offset"):
        read(["2026-06-01 00:00Z,1,5"])
    with pytest.raises(SchemaError, match="has no time of day"):
        read(["2026-06-01 07:00,1,5"])


def test_ends_of_steps(read):
    """The end of a step is the begin of the next, also over the change of the clock."""
    stamps = pd.date_range("2026-03-28 23:00", periods=6, freq="15min", tz="UTC")
    rows = [f"{stamp.tz_convert(ROME):%Y-%m-%d %H:%M},{k}" for k, stamp in enumerate(stamps)]
    prices = read(rows, {"end": "End", "day_ahead": "Price"}, "End,Price")
    expected = stamps.tz_localize(None) - pd.Timedelta("15min")
    np.testing.assert_array_equal(prices.time.values, expected.values)


def test_nothing_shows_the_first_hour(read):
    """22 and 23 of a day, without a 0 and without a 24: asked, and each answer is possible."""
    rows = day("2026-06-01", [21, 22, 23])
    with pytest.raises(SchemaError, match="whether the first hour of a day is 0 or 1") as error:
        read(rows)
    assert "shown" in str(error.value)
    late = {told: read(rows, hours=told).indexes["time"][0] for told in ("elapsed", "shown")}
    assert late["shown"] - late["elapsed"] == pd.Timedelta("1h")
    assert late["shown"] == midnight("2026-06-01") + pd.Timedelta("21h")
    with pytest.raises(SchemaError, match="'x' is no rule"):
        read(rows, hours="x")


def test_five_minutes_by_number(read):
    prices = read(day("2026-03-29", range(1, 277)))
    assert prices.sizes["time"] == 276
    assert prices.indexes["time"][1] - prices.indexes["time"][0] == pd.Timedelta("5min")


def test_ends_of_several_lengths(read):
    """Nothing tells how long a step is before the first end of a day."""
    rows = day("2025-09-30", [f"{k:02}:00" for k in range(1, 25)])
    rows += day("2025-10-01", [f"{k // 4:02}:{15 * (k % 4):02}" for k in range(1, 97)])
    with pytest.raises(SchemaError, match="how long the steps are cannot be seen"):
        read(rows, resample="15min")
    with pytest.raises(SchemaError, match="cannot be seen"):
        read(["2025-09-30,24:00,1"])


def test_time_and_end_are_one_too_many(read):
    with pytest.raises(SchemaError, match="both say when a step is"):
        read(["a,b,1"], {"time": "A", "end": "B", "day_ahead": "P"}, "A,B,P")
