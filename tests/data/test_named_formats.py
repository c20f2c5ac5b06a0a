"""Published files as an importer meets them, against the same data prepared by others."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from reference_data import reference
from workbooks import workbook

from v2g_linopy.data import (
    combine,
    read_elaadnl,
    read_gme,
    read_netcdf_prices,
    read_netcdf_sessions,
    read_prices,
    read_terna,
)
from v2g_linopy.errors import InputFileError, SchemaError


def test_italian_prices():
    """2209 hours with the 25-hour day; Terna's 27 October lacks the second 2:00, and 0 there means
    not accepted.
    """
    prices = combine(
        read_gme(reference("raw/gme_pun_2019.xlsx")),
        read_terna(reference("raw/terna_nord_2019.xlsx")),
    )
    expected = xr.load_dataset(reference("italy_prices_2019.nc"))
    assert (prices.time.values == expected.time.values).all()
    for name, theirs in {
        "day_ahead": "pun",
        "regulation_up": "up",
        "regulation_down": "down",
    }.items():
        np.testing.assert_array_equal(prices[name], expected[f"price_{theirs}"])
        assert prices[name].attrs["units"] == "EUR/MWh"
    assert int(prices.regulation_up.isnull().sum()) == 616


def test_the_other_of_the_two_october_hours():
    """Given to the second 2:00, Terna's row leaves the first one empty."""
    later = read_terna(reference("raw/terna_nord_2019.xlsx"), ambiguous="second")
    gap = later.time.values[
        np.isnan(later.regulation_down) & (later.time.dt.date == pd.Timestamp("2019-10-27").date())
    ]
    assert gap.tolist() == [np.datetime64("2019-10-27T00:00", "ns").astype(gap.dtype).item()]


def test_dutch_sessions():
    """10 000 rows in order of arrival, UTC, the same connectors as in the prepared file."""
    sessions = read_elaadnl(reference("raw/elaadnl_sessions_2019.csv"))
    expected = xr.load_dataset(reference("nl_sessions_2019.nc"))
    for name in ("arrival", "departure", "energy", "charge_time", "power_max"):
        np.testing.assert_array_equal(sessions[name], expected[name])
    pairs = set(
        zip(sessions.connector.values.tolist(), expected.connector.values.tolist(), strict=True)
    )
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == 1293
    xr.testing.assert_equal(read_netcdf_sessions(reference("nl_sessions_2019.nc")), expected)


def test_dutch_prices_stand_on_local_clocks():
    """8760 local hours: the skipped one of March is dropped, the doubled one of October serves
    twice.
    """
    path = reference("nl_prices_2019.nc")
    with pytest.raises(SchemaError) as error:
        read_netcdf_prices(path)
    assert [p.where for p in error.value.problems] == ["local_hour", "local_hour"]
    prices = read_netcdf_prices(path, ambiguous="both", nonexistent="drop")
    assert prices.sizes["time"] == 8760
    assert prices.time.values[0] == np.datetime64("2018-12-31T23:00")
    october = prices.day_ahead.sel(time=slice("2019-10-26 23:00", "2019-10-27 02:00")).values
    assert october == pytest.approx([27.11, 25.35, 25.35, 22.86])
    march = prices.day_ahead.sel(time=slice("2019-03-31 00:00", "2019-03-31 01:00")).values
    assert march == pytest.approx([37.33, 40.03]), (
        "1:00 local, then 3:00: the filled 2:00 is not there"
    )


def test_a_workbook_of_the_other_kind(tmp_path):
    with pytest.raises(SchemaError) as error:
        read_terna(reference("raw/gme_pun_2019.xlsx"))
    assert [p.where for p in error.value.problems] == ["regulation_down", "regulation_up"]
    (tmp_path / "fake.xlsx").write_text("no workbook")
    with pytest.raises(InputFileError, match="cannot be read as an Excel workbook"):
        read_gme(tmp_path / "fake.xlsx")


@pytest.mark.parametrize(("date", "hours"), [(20260329, 23), (20260601, 24), (20261025, 25)])
@pytest.mark.parametrize("parts", [1, 4])
def test_workbooks_of_odd_days(tmp_path, date, hours, parts):
    """GME counts on, 23 to 25 hours or 92 to 100 quarters; Terna has 24 or 96 on the clock, of
    which the one in October stands for the first hour, and that of March for none.
    """
    midnight = pd.Timestamp(str(date), tz="Europe/Rome").tz_convert("UTC").tz_localize(None)
    step = pd.Timedelta("1h") / parts
    prices = [[date, k + 1, 50.25 + k] for k in range(hours * parts)]
    gme = read_gme(workbook(tmp_path / "gme.xlsx", ["Data/Date", "Ora/Hour", "PUN"], prices))
    expected = pd.date_range(midnight, periods=hours * parts, freq=step, name="time")
    assert gme.indexes["time"].equals(expected)
    assert gme.day_ahead.values.tolist() == [row[2] for row in prices]

    skipped = range(2 * parts, 3 * parts) if hours == 23 else range(0)
    shown = [k for k in range(24 * parts) if k not in skipped]
    rows = [[date, k + 1, 20.5 + k, 80.5 + k] for k in shown]
    header = ["Data/Date", "Hour", "Pmed-DOWN", "Pmed-UP"]
    terna = read_terna(workbook(tmp_path / "terna.xlsx", header, rows))
    assert terna.indexes["time"].equals(expected)
    later = np.arange(hours * parts)
    if hours == 25:
        second_hour = (later >= 3 * parts) & (later < 4 * parts)
        assert np.isnan(terna.regulation_up.values[second_hour]).all()
        terna = terna.isel(time=~second_hour)
    assert terna.regulation_up.values.tolist() == [row[3] for row in rows]


def test_a_workbook_that_changes_to_quarter_hours(tmp_path):
    rows = [[20250930, k, 10.0 * k] for k in range(1, 25)]
    rows += [[20251001, k, 1.0 * k] for k in range(1, 97)]
    path = workbook(tmp_path / "gme.xlsx", ["Data/Date", "Periodo/Period", "PUN"], rows)
    with pytest.raises(SchemaError, match="steps of several lengths"):
        read_gme(path)
    fine = read_gme(path, resample="15min")
    assert fine.sizes["time"] == 192
    assert fine.day_ahead.values[[0, 3, 4, 96, 191]].tolist() == [10, 10, 20, 1, 96]


def test_any_table_can_say_the_same(tmp_path):
    """ElaadNL times written anew with a zone, and the PUN as a plain table, come out alike."""
    prices = read_gme(reference("raw/gme_pun_2019.xlsx"))
    local = (
        pd.DatetimeIndex(prices.time.values)
        .tz_localize("UTC")
        .tz_convert("Europe/Rome")
        .tz_localize(None)
    )
    frame = pd.DataFrame(
        {"when": local.strftime("%d/%m/%Y %H.%M"), "PUN €/MWh": prices.day_ahead.values}
    )
    frame.to_csv(tmp_path / "pun.csv", index=False)
    again = read_prices(
        tmp_path / "pun.csv",
        columns={"time": "when", "day_ahead": "PUN €/MWh"},
        timezone="Europe/Rome",
        ambiguous="infer",
        time_format="%d/%m/%Y %H.%M",
    )
    np.testing.assert_array_equal(again.day_ahead, prices.day_ahead)
    assert (again.time.values == prices.time.values).all()
