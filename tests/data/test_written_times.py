"""Written times: what each cell means is in the cell, in the format, or asked for."""

import pandas as pd
import pytest

from v2g_linopy.data.tables.table_format import TableFormat, read_times
from v2g_linopy.data.tables.written_times import split_ranges, zone_offset
from v2g_linopy.errors import SchemaError

BERLIN = "Europe/Berlin"


def utc(*cells, form=None, zone=None, zones=None, **rules):
    column = pd.Series(cells, index=range(2, len(cells) + 2), name="time", dtype=object)
    table = TableFormat({}, zone, time_format=form, **rules)
    beside = None if zones is None else pd.Series(zones, index=column.index, name="zone")
    return read_times(column, table, "a file", zones=beside).time.strftime("%y%m%d %H:%M").tolist()


@pytest.mark.parametrize(
    ("cell", "form", "zone", "expected"),
    [
        # the end of a text is no offset
        ("00:00 02-07-2026", "%H:%M %d-%m-%Y", BERLIN, "260701 22:00"),
        ("01-07-2026", "%d-%m-%Y", BERLIN, "260630 22:00"),
        ("2026-07-02", None, BERLIN, "260701 22:00"),
        ("20260702", None, BERLIN, "260701 22:00"),
        ("202607021400", None, BERLIN, "260702 12:00"),
        # an offset after a time of day
        ("2026-07-02T14:00Z", None, None, "260702 14:00"),
        ("2026-07-02 14:00+02", None, None, "260702 12:00"),
        ("2026-07-02T14:00:00.000-0330", None, None, "260702 17:30"),
        ("2026-07-02 14:00 CEST", None, None, "260702 12:00"),
        ("02.07.2026 14:00 MESZ", None, None, "260702 12:00"),
        ("02.07.2026 14:00 (CEST)", "%d.%m.%Y %H:%M (%Z)", None, "260702 12:00"),
        ("02/07/2026 14:00 +0200", "%d/%m/%Y %H:%M %z", None, "260702 12:00"),
        ("2026-07-02 14:00 CDT", None, "America/Chicago", "260702 19:00"),
        # midnight at both ends of a day
        ("2026-12-31 24:00", None, "UTC", "270101 00:00"),
        ("31/12/2026 24:00", "%d/%m/%Y %H:%M", "UTC", "270101 00:00"),
        ("31/12/2026", "%d/%m/%Y %H:%M", "UTC", "261231 00:00"),
        # the order of day and month where it can be one only
        ("31/12/2026 14:00", None, "UTC", "261231 14:00"),
        ("12/31/2026 2:00 PM", None, "UTC", "261231 14:00"),
        ("12/31/2026 12:30 am", None, "UTC", "261231 00:30"),
        ("02.07.2026 14:00", None, "UTC", "260702 14:00"),
        ("14:00 31-12-2026", None, "UTC", "261231 14:00"),
        ("2026/7/2 9:05", None, "UTC", "260702 09:05"),
        # since 1970
        ("1772582400", None, None, "260304 00:00"),
        ("1772582400000", None, BERLIN, "260304 00:00"),
        ("1772582400000.0", None, None, "260304 00:00"),
    ],
)
def test_a_time_is_read(cell, form, zone, expected):
    assert utc(cell, form=form, zone=zone) == [expected]


@pytest.mark.parametrize(
    ("cells", "form", "words"),
    [
        (["02-07-2026"], None, "day or month first. .*%d-%m-%Y.* or .*%m-%d-%Y"),
        (["13/07/2026", "07/13/2026"], None, "neither day first nor month first"),
        (["2026-07-02-1400"], None, "an offset without a time of day: row 2"),
        (["2026-07-02 14:00Z", "2026-07-02 15:00"], None, "others have none: row 3"),
        (["2026-07-02 00:00-01:00", "2026-07-02 02:00-03:00"], None, "end of a step. Write"),
        (["2026-07-02 08:00-09:00"], None, "an offset, or the end of a step"),
        (["2026-07-02 08:00-03:00", "2026-07-02 09:00-07:00"], None, "is this a range"),
        (["2026070200"], None, "no seconds since 1970 .*%Y%m%d%H"),
        (["2607020000"], None, "no seconds since 1970 .*%y%m%d%H%M"),
        (["3/13/2026 9:00 AM", "3/13/2026 1:00"], None, "no AM or PM, which other cells have"),
        (["٢٠٢٦-07-02"], None, "not a time in ISO 8601"),
        (["2026-07-02 14:00+19:00"], None, "not one offset"),
        (["2026-07-02 14:00 CST"], None, "CST: not one offset .*timezone"),
        (["2026-07-02 14:00 XYZ"], None, "XYZ: not one offset"),
        (["2026-02-30 00:00"], None, "no such day .*row 2: '2026-02-30 00:00'"),
        (["2026-02-03 24:01"], None, "no such day or time of day"),
        (["9999-12-31 00:00"], None, "a year outside 1970 to 2199"),
        (["1600-01-01"], None, "a year outside"),
        (["31/12/1600"], "%d/%m/%Y", "a year outside"),
        (["31-Dec-2026 14:00"], None, "%d-%b-%Y %H:%M"),
        (["soon"], None, "not a time in ISO 8601"),
        ([""], None, "no time in row 2"),
        (["2026-07-02"], "%Y-%Q-%d", "%Q in .* cannot be read"),
        (["2026-07-02"], "%Y-%m-%d %", "cannot be read"),
        (["14:00"], "%H:%M", "does not name a day"),
        (["2026"], "%Y", "does not name a day"),
        (["x"], "%z %Y-%m-%d", "in the middle"),
        (["x"], "%Y-%m-%d %Y", "twice"),
        (["2026-07-02"], "%d.%m.%Y", "not a time in the format '%d.%m.%Y' at row 2"),
        (["2026-07-02 14:00"], "%Y-%m-%d %H:%M %z", "no offset and no zone"),
    ],
)
def test_what_is_not_known_is_refused(cells, form, words):
    with pytest.raises(SchemaError, match=words):
        utc(*cells, form=form, zone="UTC" if "CST" not in cells[0] else None)


def test_offsets_that_change_within_a_file():
    """Two o'clock comes twice in October: at +02, then at +01."""
    cells = ("2026-10-25 02:00+02", "2026-10-25 02:00+01")
    assert utc(*cells) == ["261025 00:00", "261025 01:00"]


def test_marks_in_the_hour_that_is_shown_twice_only():
    """The other rows are on the clock of the zone that is given; without one they are not known."""
    cells = ("2026-10-25 02:00 (CEST)", "2026-10-25 02:00 (CET)", "2026-10-25 03:00")
    assert utc(*cells, zone=BERLIN) == ["261025 00:00", "261025 01:00", "261025 02:00"]
    with pytest.raises(SchemaError, match="others have none"):
        utc(*cells)


def test_a_zone_for_each_row():
    """A word for an offset, an offset, or a name of the time zone database."""
    cells = ("2026-10-25 01:30",) * 4
    zones = ["PDT", "+01:00", "Europe/Rome", "Asia/Tokyo"]
    expected = ["261025 08:30", "261025 00:30", "261024 23:30", "261024 16:30"]
    assert utc(*cells, zones=zones) == expected
    with pytest.raises(SchemaError, match="'Europe/Roma' is not a time zone"):
        utc(*cells[:2], zones=["PDT", "Europe/Roma"])
    with pytest.raises(SchemaError, match="2026-10-25 02:30: the clock shows this hour twice"):
        utc("2026-10-25 02:30", "2026-10-25 02:30", zones=["PDT", "Europe/Rome"])


def test_ranges():
    def parts(*cells):
        begin, end = split_ranges(pd.Series(cells, name="time"))
        return begin.tolist(), None if end is None else end.tolist()

    assert parts("1.2.2026 00:00 - 1.2.2026 01:00") == (["1.2.2026 00:00"], ["1.2.2026 01:00"])
    assert parts("2026-02-01 23:00 – 24:00") == (["2026-02-01 23:00"], ["2026-02-01 24:00"])
    assert parts("2026-02-01T00:00Z/2026-02-01T01:00Z")[0] == ["2026-02-01T00:00Z"]
    assert parts("2026-02-01 00:00+01:00")[1] is None
    assert parts("01-02-2026 00:00")[1] is None


def test_ranges_without_spaces():
    """An offset does not change with the hour: these are steps, also to the hour alone."""
    for cells in (
        ("2026-03-02 00:00-01:00", "2026-03-02 01:00-02:00", "2026-03-02 23:00-00:00"),
        ("02.03.2026 00-01", "02.03.2026 01-02", "02.03.2026 23-24"),
    ):
        begin, end = split_ranges(pd.Series(cells, name="time"))
        assert [cell[-5:] for cell in begin] == ["00:00", "01:00", "23:00"]
        assert [cell[-5:] for cell in end][:2] == ["01:00", "02:00"]
    same = split_ranges(pd.Series(["2026-03-02 00:00-01:00", "2026-03-02 05:00-01:00"]))
    assert same[1] is None


def test_a_zone_that_contradicts_the_one_given():
    with pytest.raises(SchemaError, match="EST: no clock of Australia/Sydney"):
        utc("2026-07-01 00:00 EST", zone="Australia/Sydney")
    with pytest.raises(SchemaError, match="leave the column of zones out"):
        utc("2026-07-01 00:00+05:00", zones=["CET"])


@pytest.mark.parametrize("zone", ["", "US", "Europe", "x" * 300])
def test_what_is_no_zone(zone):
    with pytest.raises(SchemaError, match="is not a time zone"):
        utc("2026-07-01 00:00", zone=zone)


def test_years_are_no_offsets():
    words = ("-2026", "-1400", "+1400", "CET", "-2400", "+01:75")
    assert [zone_offset(word) for word in words] == [None, -840, 840, 60, None, None]
