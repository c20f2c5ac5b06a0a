"""Prices from any table: a column map, a zone, rules, and refusals that say what to do."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.data import combine, read_netcdf_prices, read_prices
from v2g_linopy.errors import InputFileError, SchemaError

COLUMNS = {"time": "Hour", "day_ahead": "PUN €/MWh"}


@pytest.fixture
def table(tmp_path):
    def write(rows, header="Hour,PUN €/MWh", name="prices.csv"):
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def day(date, timezone="Europe/Rome", freq="1h"):
    """The hours of a local day as its clock shows them, numbered."""
    edges = pd.DatetimeIndex([date, pd.Timestamp(date) + pd.Timedelta("1D")]).tz_localize(timezone)
    local = pd.date_range(*edges, freq=freq, inclusive="left")
    return [f"{t:%Y-%m-%d %H:%M},{k}" for k, t in enumerate(local)]


def message(error):
    return str(error.value)


@pytest.mark.parametrize(
    ("date", "quarters"), [("2026-03-29", 92), ("2026-06-01", 96), ("2026-10-25", 100)]
)
def test_quarter_hours_of_odd_days(table, date, quarters):
    """92, 96 or 100 local quarter-hours become as many consecutive ones in UTC, in their order."""
    prices = read_prices(
        table(day(date, freq="15min")), columns=COLUMNS, timezone="Europe/Rome", ambiguous="infer"
    )
    assert prices.sizes["time"] == quarters
    assert prices.day_ahead.values.tolist() == list(range(quarters))
    assert prices.day_ahead.attrs["units"] == "EUR/MWh"
    assert prices.time.values[0] == np.datetime64(
        pd.Timestamp(date, tz="Europe/Rome").tz_convert("UTC").tz_localize(None)
    )


def test_times_with_an_offset(table):
    """The same hours with their offset need no zone and no rule: 2:00+02:00 and 2:00+01:00 are an
    hour apart.
    """
    prices = read_prices(
        table(["2026-10-25T02:00+02:00,5", "2026-10-25T02:00+01:00,6"]), columns=COLUMNS
    )
    assert prices.time.values[0] == np.datetime64("2026-10-25T00:00")
    assert prices.day_ahead.values.tolist() == [5, 6]


def test_local_times_without_a_zone_are_refused(table):
    with pytest.raises(SchemaError, match="give timezone, an IANA name") as error:
        read_prices(table(day("2026-06-01")), columns=COLUMNS)
    assert error.value.exit_code == 3


def test_october_without_a_rule_names_the_hour(table):
    with pytest.raises(SchemaError, match="2026-10-25 02:00: the clock shows this hour twice"):
        read_prices(table(day("2026-10-25")), columns=COLUMNS, timezone="Europe/Rome")


def test_one_value_for_both_hours_of_october(table):
    """24 rows, 2:00 once: the value stands for 0:00 and 1:00 UTC, and the day is whole."""
    rows = [f"2026-10-25 {h:02d}:00,{h}" for h in range(24)]
    prices = read_prices(table(rows), columns=COLUMNS, timezone="Europe/Rome", ambiguous="both")
    assert prices.day_ahead.values.tolist() == [0, 1, 2, 2, *range(3, 24)]


def test_date_and_hour_labels(table):
    """25 counted hours, or 24 on the clock of which one stands for two."""
    columns = {"date": "Date", "hour": "Hour", "day_ahead": "P"}
    rows = [f"2026-10-25,{h},{h}" for h in range(1, 26)]
    counted = read_prices(table(rows, "Date,Hour,P"), columns=columns, timezone="Europe/Rome")
    assert counted.day_ahead.values.tolist() == list(range(1, 26))
    rules = {"hours": "clock", "timezone": "Europe/Rome", "ambiguous": "both"}
    on_clock = read_prices(table(rows[:24], "Date,Hour,P"), columns=columns, **rules)
    assert on_clock.day_ahead.values.tolist() == [1, 2, 3, *range(3, 25)]
    with pytest.raises(
        SchemaError, match='2026-10-25 hour 25: a clock shows hours 1 to 24; give hours="elapsed"'
    ):
        read_prices(table(rows, "Date,Hour,P"), columns=columns, **rules)


def test_mixed_steps_are_refused_unless_resampled(table):
    """Two hours, then two hours of quarters: the places are named. On quarters the hour holds, on
    hours the mean.
    """
    rows = ["2026-06-01 00:00,10", "2026-06-01 01:00,20"]
    rows += [f"2026-06-01 0{2 + k // 4}:{15 * (k % 4):02d},{k}" for k in range(8)]
    path = table(rows)
    with pytest.raises(
        SchemaError, match="60 min from 2026-06-01 00:00:00, 15 min from 2026-06-01 02:00:00"
    ) as error:
        read_prices(path, columns=COLUMNS, timezone="UTC")
    assert 'resample="15min"' in message(error)
    fine = read_prices(path, columns=COLUMNS, timezone="UTC", resample="15min")
    assert fine.day_ahead.values.tolist() == [10] * 4 + [20] * 4 + list(range(8))
    coarse = read_prices(path, columns=COLUMNS, timezone="UTC", resample="60min")
    assert coarse.day_ahead.values.tolist() == [10, 20, 1.5, 5.5]


def test_quarters_then_hours(table):
    """The change the other way round."""
    rows = [f"2026-06-01 00:{15 * k:02d},{k}" for k in range(4)] + [
        f"2026-06-01 0{h}:00,{h}" for h in (1, 2, 3)
    ]
    fine = read_prices(table(rows), columns=COLUMNS, timezone="UTC", resample="15min")
    assert fine.day_ahead.values.tolist() == [0, 1, 2, 3] + [1] * 4 + [2] * 4 + [3] * 4


def test_a_gap_is_a_gap_not_a_step(table):
    """3:00 and 5:00 are missing of nine hours: refused by name, left NaN, or the hour before is
    held.
    """
    path = table([f"2026-06-01 0{h}:00,{h}" for h in (0, 1, 2, 4, 6, 7, 8)])
    with pytest.raises(
        SchemaError, match="2 steps without a row: 2026-06-01 03:00:00, 2026-06-01 05:00:00"
    ):
        read_prices(path, columns=COLUMNS, timezone="UTC")
    left = read_prices(path, columns=COLUMNS, timezone="UTC", missing="nan")
    assert np.flatnonzero(left.day_ahead.isnull()).tolist() == [3, 5]
    held = read_prices(path, columns=COLUMNS, timezone="UTC", missing="hold")
    assert held.day_ahead.values.tolist() == [0, 1, 2, 2, 4, 4, 6, 7, 8]


def test_a_time_twice_is_refused(table):
    with pytest.raises(SchemaError, match="2026-06-01 01:00:00 UTC: given more than once"):
        read_prices(
            table([f"2026-06-01 0{h}:00,1" for h in (0, 1, 1, 2)]), columns=COLUMNS, timezone="UTC"
        )


def test_unsorted_rows_are_sorted(table):
    prices = read_prices(
        table([f"2026-06-01 0{h}:00,{h}" for h in (2, 0, 1)]), columns=COLUMNS, timezone="UTC"
    )
    assert prices.day_ahead.values.tolist() == [0, 1, 2]


def test_semicolons_and_commas(table):
    path = table(["01/06/2026 00:00;1,5", "01/06/2026 01:00;-2,5"], header="Hour;PUN €/MWh")
    given = {"columns": COLUMNS, "timezone": "UTC", "separator": ";"}
    prices = read_prices(path, decimal=",", time_format="%d/%m/%Y %H:%M", **given)
    assert prices.day_ahead.values.tolist() == [1.5, -2.5]
    assert prices.time.values[0] == np.datetime64("2026-06-01")
    # 1,5 is a number in one way only; the first of June or the sixth of January is not known
    proven = read_prices(path, time_format="%d/%m/%Y %H:%M", **given)
    assert proven.equals(prices)
    with pytest.raises(SchemaError, match="not a number at row 2: '1,5', row 3: '-2,5'"):
        read_prices(path, decimal=".", time_format="%d/%m/%Y %H:%M", **given)
    with pytest.raises(SchemaError, match="day or month first. row 2: '01/06/2026 00:00'"):
        read_prices(path, decimal=",", **given)


def test_a_wrong_column_is_suggested(table):
    path = table(day("2026-06-01"))
    with pytest.raises(SchemaError) as error:
        read_prices(path, columns={"time": "Ora", "day_ahead": "PUN EUR/MWh"}, timezone="UTC")
    assert [p.where for p in error.value.problems] == ["time", "day_ahead"]
    assert "did you mean 'PUN €/MWh'?" in message(error)
    with pytest.raises(SchemaError, match="name the column of at least one price"):
        read_prices(path, columns={"time": "Hour"}, timezone="UTC")


def test_files_that_are_none(tmp_path, table):
    (tmp_path / "empty.csv").touch()
    whole = xr.Dataset(
        {"p": ("time", np.arange(999.0))},
        coords={"time": pd.date_range("2026", periods=999, freq="h")},
    )
    whole.to_netcdf(tmp_path / "whole.nc")
    (tmp_path / "broken.nc").write_bytes((tmp_path / "whole.nc").read_bytes()[:4000])
    for name, words in {
        "empty.csv": "is empty",
        ".": "is a directory",
        "nowhere.csv": "does not exist",
    }.items():
        with pytest.raises(InputFileError, match=words):
            read_prices(tmp_path / name, columns=COLUMNS, timezone="UTC")
    with pytest.raises(InputFileError, match="no rows"):
        read_prices(table([]), columns=COLUMNS, timezone="UTC")
    with pytest.raises(InputFileError, match="cannot be read as NetCDF"):
        read_netcdf_prices(tmp_path / "broken.nc")
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)) * 8)
    with pytest.raises(InputFileError, match="is no text in UTF-8: line 1 has the byte 0x80"):
        read_prices(tmp_path / "binary.csv", columns=COLUMNS, timezone="UTC")


def test_combine():
    """Two files side by side on all hours of both; one name twice, or two steps, are refused."""
    time = pd.date_range("2026-01-01", periods=3, freq="h", name="time")
    one = xr.Dataset({"a": ("time", [1.0, 2.0])}, coords={"time": time[:2]})
    two = xr.Dataset({"b": ("time", [5.0, 6.0])}, coords={"time": time[1:]})
    both = combine(one, two)
    assert both.a.values[:2].tolist() == [1, 2] and np.isnan(both.a.values[2])
    assert np.isnan(both.b.values[0]) and both.b.values[1:].tolist() == [5, 6]
    fine = xr.Dataset(
        {"a": ("time", [5.0, 6.0])}, coords={"time": time[0] + pd.to_timedelta([0, 15], unit="min")}
    )
    with pytest.raises(SchemaError) as error:
        combine(one, fine)
    assert len(error.value.problems) == 2


def test_a_column_of_units(table):
    """It says the unit of all rows, whether it is named or called unit; several are refused."""
    rows = [f"{row},ct/kWh" for row in day("2026-06-01")]
    for header, more in (("Hour,P,Unit", {}), ("Hour,P,in", {"unit": "in"})):
        columns = {"time": "Hour", "day_ahead": "P", **more}
        prices = read_prices(table(rows, header=header), columns=columns, timezone="Europe/Rome")
        assert prices.day_ahead.attrs["units"] == "ct/kWh"
        assert prices.attrs["notes"] == "day_ahead: ct/kWh, as the file says."
    rows[3] = rows[3].replace("ct/kWh", "EUR/MWh")
    with pytest.raises(SchemaError, match=r"several units: ct/kWh .*, EUR/MWh \(row 5\)"):
        read_prices(table(rows, header=header), columns=columns, timezone="Europe/Rome")
    kilowatts = table([f"{row},kW" for row in day("2026-06-01")], header="Hour,P,Unit")
    with pytest.raises(SchemaError, match="the column of units says kW, EUR/MWh is assumed"):
        read_prices(kilowatts, columns={"time": "Hour", "day_ahead": "P"}, timezone="UTC")


def test_a_unit_that_the_file_does_not_name_is_said(table):
    """Nothing tells euros from cents; half a unit is asked for."""
    columns = {"time": "Hour", "day_ahead": "Preis"}
    path = table(day("2026-06-01"), header="Hour,Preis")
    prices = read_prices(path, columns=columns, timezone="Europe/Rome")
    assert prices.attrs["notes"] == "day_ahead: EUR/MWh is assumed, the file names no unit."
    told = read_prices(path, columns=columns, timezone="Europe/Rome", unit="ct/kWh")
    assert "notes" not in told.attrs
    path = table(day("2026-06-01"), header="Hour,Preis ct")
    with pytest.raises(SchemaError, match="names a hundredth of a money, but not per what"):
        read_prices(path, columns=columns | {"day_ahead": "Preis ct"}, timezone="Europe/Rome")


def test_a_case_is_no_file_of_prices(tmp_path):
    v2g.write(v2g.commuters(vehicles=1, days=1), tmp_path / "case.nc")
    with pytest.raises(InputFileError, match="holds no prices on time; a case"):
        read_netcdf_prices(tmp_path / "case.nc")


def test_whole_numbers_in_a_flat_file_are_prices(tmp_path):
    time = pd.date_range("2026-06-01", periods=3, freq="h", name="time")
    xr.Dataset({"p": ("time", [1, 2, 3])}, {"time": time}).to_netcdf(tmp_path / "whole.nc")
    assert read_netcdf_prices(tmp_path / "whole.nc").p.values.tolist() == [1.0, 2.0, 3.0]


def test_units_that_contradict_each_other_or_are_not_known(table):
    rows = [f"{row},ct/kWh" for row in day("2026-06-01")]
    columns = {"time": "Hour", "day_ahead": "P [EUR/MWh]"}
    path = table(rows, header="Hour,P [EUR/MWh],Unit")
    with pytest.raises(SchemaError, match="says EUR/MWh, the column of units ct/kWh"):
        read_prices(path, columns=columns, timezone="Europe/Rome")
    for unit in ("EUR/GJ", "tEUR/MWh", "EUR/100kWh", "10^-3 EUR/kWh"):
        path = table(day("2026-06-01"), header=f"Hour,P [{unit}]")
        with pytest.raises(SchemaError, match="names a unit that is not known|another quantity"):
            read_prices(path, columns=columns | {"day_ahead": f"P [{unit}]"}, timezone="UTC")


def test_two_lost_rows_are_no_longer_step(table):
    """Quarter-hours of which two are lost: no step of half an hour, filled in silence."""
    time = pd.date_range("2026-06-01", periods=12, freq="15min").delete([2, 4])
    path = table([f"{t:%Y-%m-%d %H:%M},1" for t in time])
    with pytest.raises(SchemaError, match="2 steps without a row: .*00:30:00, .*01:00:00"):
        read_prices(path, columns=COLUMNS, timezone="UTC", resample="15min")
