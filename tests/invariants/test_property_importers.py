"""What is written in a format is read back equal, over both changes of the clock: the formats that
are tables or flat files. Those of public interfaces are in tests/data, beside their samples.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants.tables_made import DAYS, ZONE, tables
from workbooks import workbook

from v2g_linopy.data import (
    read_capacity_prices,
    read_elaadnl,
    read_frequency,
    read_gme,
    read_netcdf_frequency,
    read_netcdf_prices,
    read_netcdf_sessions,
    read_prices,
    read_profiles,
    read_sessions,
    read_terna,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("formats")


def same(found, series, atol=1e-9):
    assert found.indexes["time"].equals(series.index.rename("time"))
    np.testing.assert_allclose(found.values, series.to_numpy(), rtol=0, atol=atol)


def columns_of(table, name):
    return {name if key == "day_ahead" else key: head for key, head in table.columns.items()}


@given(tables(), st.sampled_from(("kW", "MW", "kWh")))
def test_profiles(folder, table, unit):
    """The energy of a step is its power times its hours."""
    path = folder / "profile.csv"
    path.write_bytes(table.data())
    found = read_profiles(path, columns=columns_of(table, "roof"), unit=unit, **table.told)
    step = (table.series.index[1] - table.series.index[0]) / pd.Timedelta("1h")
    same(found.roof, table.series * {"kW": 1.0, "MW": 1000.0, "kWh": 1 / step}[unit], 1e-6)


@given(tables())
def test_capacity_prices(folder, table):
    path = folder / "reserve.csv"
    path.write_bytes(table.data())
    same(
        read_capacity_prices(path, columns=columns_of(table, "FCR-N"), **table.told)["FCR-N"],
        table.series,
    )


@given(tables())
def test_a_tidy_file_of_prices(folder, table):
    """What was read comes back out of its own file, in UTC."""
    path = folder / "prices.csv"
    path.write_bytes(table.data())
    prices = read_prices(path, columns=table.columns, **table.told)
    prices.to_netcdf(folder / "prices.nc")
    same(read_netcdf_prices(folder / "prices.nc").day_ahead, table.series)


moments = st.sampled_from(DAYS).map(lambda day: pd.Timestamp(f"{day} 00:00", tz=ZONE))


@st.composite
def records(draw):
    """A frequency record of some minutes about a change of the clock."""
    start = draw(moments).tz_convert("UTC").tz_localize(None) + pd.Timedelta("30min")
    count, seconds = draw(st.integers(2, 400)), draw(st.sampled_from((1, 10, 60)))
    time = pd.date_range(start, periods=count, freq=f"{seconds}s")
    seed = draw(st.integers(0, 2**32 - 1))
    return pd.Series(np.random.default_rng(seed).normal(50, 0.05, count).round(4), time)


@given(records())
def test_frequency(folder, record):
    local = record.index.tz_localize("UTC").tz_convert(ZONE)
    rows = [f"{t:%Y-%m-%dT%H:%M:%S%z},{f}" for t, f in zip(local, record, strict=True)]
    path = folder / "frequency.csv"
    path.write_text("\n".join(["at,Hz", *rows]))
    same(read_frequency(path, columns={"time": "at", "frequency": "Hz"}).frequency, record)
    flat = xr.Dataset({"f": ("at", record.to_numpy())}, {"at": record.index})
    flat.to_netcdf(folder / "frequency.nc")
    same(read_netcdf_frequency(folder / "frequency.nc").frequency, record)


@st.composite
def stays(draw):
    """Up to twelve stays of up to 40 hours, by arrival; to the minute."""
    rows = []
    for k in range(draw(st.integers(1, 12))):
        begin = draw(moments) + pd.Timedelta(minutes=draw(st.integers(0, 2000)))
        length = pd.Timedelta(minutes=draw(st.integers(1, 2400)))
        energy = draw(st.integers(1, 99_999)) / 1000
        rows.append((f"{draw(st.integers(0, 9))}0{k}", begin, begin + length, energy, 11.0))
    return sorted(rows, key=lambda row: row[1])


def assert_stays(found, rows):
    known = pd.DatetimeIndex([row[1] for row in rows]).tz_convert("UTC").tz_localize(None)
    assert (pd.DatetimeIndex(found.arrival.values) == known).all()
    length = (found.departure - found.arrival).values
    assert (length == [(row[2] - row[1]).to_numpy() for row in rows]).all()
    np.testing.assert_allclose(found.energy, [row[3] for row in rows], rtol=0, atol=1e-9)


@given(stays())
def test_sessions(folder, rows):
    """With the name of the zone in a column of its own, and labels with zeros before them."""
    cells = [
        f"{n};{a:%d.%m.%Y %H:%M};{a.tzname()};{b:%d.%m.%Y %H:%M};{b.tzname()};{energy:.3f};11"
        for n, a, b, energy, _ in rows
    ]
    path = folder / "stays.csv"
    path.write_text("\n".join(["id;in;zin;out;zout;kWh [kWh];kW", *cells]))
    columns = {"session": "id", "arrival": "in", "departure": "out", "energy": "kWh [kWh]"}
    columns |= {"arrival_zone": "zin", "departure_zone": "zout"}
    found = read_sessions(path, columns=columns, decimal=".")
    assert_stays(found, rows)
    labels = [row[0] for row in rows]
    wanted = labels if any(label.startswith("0") for label in labels) else [*map(int, labels)]
    assert sorted(found.session.values.tolist()) == sorted(wanted)
    found.to_netcdf(folder / "stays.nc")
    assert_stays(read_netcdf_sessions(folder / "stays.nc"), rows)


@given(stays())
def test_elaadnl(folder, rows):
    head = "TransactionId,ChargePoint,Connector,UTCTransactionStart,UTCTransactionStop,StartCard"
    utc = [(n, a.tz_convert("UTC"), b.tz_convert("UTC"), e) for n, a, b, e, _ in rows]
    cells = [
        f"{k},P{n},1,{a.month}/{a.day}/{a:%Y} {a.hour}:{a:%M},{b:%m/%d/%Y %H:%M},c,1.0,{e},11"
        for k, (n, a, b, e) in enumerate(utc)
    ]
    path = folder / "elaadnl.csv"
    path.write_text("\n".join([f"{head},ChargeTime,TotalEnergy,MaxPower", *cells]))
    assert_stays(read_elaadnl(path), rows)


@given(tables(("positions",)))
def test_gme(folder, table):
    """Hours and quarter-hours; the shape of the latter, and of halves, is our own reading."""
    rows = [
        [int(day.replace("-", "")), int(k), value]
        for (day, k, _), value in zip(table.rows, table.series, strict=True)
    ]
    path = workbook(folder / "gme.xlsx", ["Data/Date\n(YYYYMMDD)", "Ora\n/Hour", "PUN"], rows)
    same(read_gme(path).day_ahead, table.series)


@given(tables(("local",)))
def test_terna(folder, table):
    """On the clock: of the two hours of October the file has the first; 0 is nothing accepted."""
    local = table.series.index.tz_localize("UTC").tz_convert(ZONE)
    step = (local[1] - local[0]) // pd.Timedelta("1min")
    number = (local.hour * 60 + local.minute) // step + 1
    first = ~pd.Index(local.strftime("%Y%m%d") + number.astype(str)).duplicated()
    values = table.series.where(table.series != 0, 1.0)
    rows = [
        [int(f"{t:%Y%m%d}"), int(k), value, value + 5000]
        for t, k, value in zip(local[first], number[first], values[first], strict=True)
    ]
    path = workbook(folder / "terna.xlsx", ["Date", "Hour", "Pmed-DOWN", "Pmed-UP"], rows)
    found = read_terna(path)
    assert found.indexes["time"].equals(table.series.index.rename("time"))
    np.testing.assert_allclose(
        found.regulation_down.values[first], values[first], rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(found.regulation_up.values[first], values[first] + 5000, atol=1e-9)
    assert np.isnan(found.regulation_up.values[~first]).all()
