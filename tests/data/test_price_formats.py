"""Published formats of prices and of sun: made-up files in their shapes against values written
beside them, and random series that are written and read back over both changes of the clock.
"""

import json
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import price_writers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from price_writers import Series, steps_of_days
from reference_data import sample

from v2g_linopy.data import read_entsoe, read_omie, read_price_records, read_pvgis
from v2g_linopy.data.importers.formats import PRICE_FORMATS, PROFILE_FORMATS, recognised

SAMPLES = {
    "entsoe-a44.xml": (read_entsoe, {"where": {"Sequence": "1"}}, "values"),
    "energy-charts-price.json": (read_price_records, {}, "values"),
    "nordpool-day-ahead.json": (read_price_records, {"where": {"Area": "se3"}}, "values"),
    "octopus-agile.json": (read_price_records, {}, "values"),
    "marginalpdbc_20261025.1": (read_omie, {"where": {"area": "ES"}}, "values"),
    "pvgis-hourly.csv": (read_pvgis, {}, "available_kW"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_read_as_expected(name):
    """Every instant and every number is that of the file beside the sample, found by its makers."""
    read, options, key = SAMPLES[name]
    got = read(sample(f"formats/{name}"), **options)
    expected = json.loads(sample(f"formats/{name}.expected.json").read_text(encoding="utf-8"))
    (column,) = got.data_vars
    times = pd.to_datetime(expected["time_utc"]).tz_localize(None)
    assert got.indexes["time"].tolist() == times.tolist()
    np.testing.assert_allclose(got[column], expected[key], rtol=0, atol=1e-9)
    assert got[column].attrs["units"] == expected.get("unit", "kW")
    if "timezone" in expected:
        assert got.attrs["timezone"] == expected["timezone"]


def test_other_series_of_the_samples():
    """What is not taken by default can be chosen: Portugal, SE4, and the hourly auction."""
    omie = sample("formats/marginalpdbc_20261025.1")
    expected = json.loads(sample(f"formats/{omie.name}.expected.json").read_text(encoding="utf-8"))
    got = read_omie(omie, where={"area": "PT"})
    np.testing.assert_allclose(got.day_ahead, expected["other_area"]["PT"], rtol=0, atol=1e-9)
    assert got.attrs["timezone"] == "Europe/Lisbon"

    nord_pool = sample("formats/nordpool-day-ahead.json")
    expected = json.loads(
        sample(f"formats/{nord_pool.name}.expected.json").read_text(encoding="utf-8")
    )
    got = read_price_records(nord_pool, where={"area": "SE4"})
    np.testing.assert_allclose(got.day_ahead, expected["other_area"]["SE4"], rtol=0, atol=1e-9)

    hourly = read_entsoe(sample("formats/entsoe-a44.xml"), where={"sequence": "2"})
    assert hourly.sizes["time"] == 25
    assert hourly.day_ahead.values[-3:].tolist() == [1021, 1022, 1023]
    assert "sequence 1" in hourly.attrs["notes"]


def test_of_two_auctions_the_first_is_meant(tmp_path):
    """That of the coupled markets; a row of the second is left out, and that is said."""
    text = sample("tables/entsoe_export_new_layout.csv").read_text(encoding="utf-8")
    path = tmp_path / "two.csv"
    path.write_text(text.replace('"Sequence 1"', '"Sequence 2"', 1), encoding="utf-8")
    coupled = read_entsoe(path)
    assert coupled.sizes["time"] == 483
    assert coupled.time.values[0] == np.datetime64("2025-10-23T22:15")
    assert "sequence 2" in coupled.attrs["notes"]


@pytest.mark.parametrize("layout", ["old", "new"])
def test_tables_of_the_transparency_platform(layout):
    """484 quarter-hours from -29.49 to 141.17 EUR/MWh; both hours at 2:00 in their order, 33.90 of
    summer time before 40.82 of winter time.
    """
    prices = read_entsoe(sample(f"tables/entsoe_export_{layout}_layout.csv"))
    assert prices.sizes["time"] == 484
    assert (float(prices.day_ahead.min()), float(prices.day_ahead.max())) == (-29.49, 141.17)
    assert prices.time.values[0] == np.datetime64("2025-10-23T22:00")
    assert float(prices.day_ahead.sel(time="2025-10-26T00:00")) == 33.90
    assert float(prices.day_ahead.sel(time="2025-10-26T01:00")) == 40.82
    assert prices.attrs["area"] == "BZN|DE-LU"


def test_small_records():
    """Milliseconds since 1970, and offsets: the instants are those of the files, and what is in
    the price is said.
    """
    awattar = read_price_records(sample("tables/awattar.json"))
    assert awattar.day_ahead.values.tolist() == [85.2, 80.1]
    assert awattar.time.values[0] == np.datetime64("2026-03-04T00:00")
    assert awattar.day_ahead.attrs["units"] == "EUR/MWh"

    tibber = read_price_records(sample("tables/tibber.json"), unit="EUR/kWh")
    assert tibber.day_ahead.values.tolist() == [0.31, 0.29]
    assert tibber.time.values[0] == np.datetime64("2026-03-03T23:00")
    assert "taxes" in tibber.attrs["notes"]

    octopus = read_price_records(sample("formats/octopus-agile.json"))
    assert "VAT" in octopus.attrs["notes"]


def test_size_of_the_plant_is_kept():
    """5 kWp stand in the header of the file, and the numbers are for them."""
    got = read_pvgis(sample("formats/pvgis-hourly.csv"))
    assert got["pvgis-hourly"].attrs["peak_power"] == 5.0


def test_a_year_of_the_past():
    """20 June 2023 10:00 UTC becomes 20 June 2026 10:00 UTC, whatever day of the week it is."""
    got = read_pvgis(sample("formats/pvgis-hourly.csv"), year=2026)
    assert float(got["pvgis-hourly"].sel(time="2026-06-20T10:00")) == pytest.approx(4.0342)
    assert "laid on 2026" in got.attrs["notes"]


def test_the_leap_day_of_the_past(tmp_path):
    """A day with no counterpart is left out: 28 February 2024 to 1 March are 48 hours of 2026."""
    path = tmp_path / "roof.csv"
    start = datetime(2024, 2, 28, tzinfo=UTC)
    price_writers.pvgis(path, Series(start, 60, tuple(float(k) for k in range(72))))
    got = read_pvgis(path, year=2026)
    assert got.sizes["time"] == 48
    assert float(got.roof.sel(time="2026-03-01T00:00")) == pytest.approx(0.048)


def test_json_of_pvgis(tmp_path):
    """The other output of the same calculation has the same numbers."""
    hours = [{"time": f"20230620:{h:02d}10", "P": 100.5 * h, "Int": float(h == 3)} for h in (2, 3)]
    document = {
        "inputs": {"meteo_data": {}, "pv_module": {"peak_power": 4.5}},
        "outputs": {"hourly": hours},
        "meta": {},
    }
    path = tmp_path / "roof.json"
    path.write_text(json.dumps(document))
    assert recognised(path, PROFILE_FORMATS) == "pvgis"
    got = read_pvgis(path)
    assert got.roof.values == pytest.approx([0.201, 0.3015])
    assert got.time.values[0] == np.datetime64("2023-06-20T02:00")
    assert got.roof.attrs["peak_power"] == 4.5
    assert "1 hour with radiation that PVGIS reconstructed" in got.attrs["notes"]


def test_nulls_of_smard(tmp_path):
    """A null between prices is missing under the rule; those at the end are prices to come."""
    path = tmp_path / "4169_DE_hour.json"
    hour, first = 3_600_000, 1772582400000
    pairs = [[first + k * hour, value] for k, value in enumerate([85.2, None, 80.1, None, None])]
    path.write_text(json.dumps({"meta_data": {"version": 1}, "series": pairs}))
    with pytest.raises(
        ValueError, match="1 (row without a number|step without a row): 2026-03-04 01:00"
    ):
        read_price_records(path, unit="EUR/MWh")
    held = read_price_records(path, unit="EUR/MWh", missing="hold")
    assert held.day_ahead.values.tolist() == [85.2, 85.2, 80.1]
    left = read_price_records(path, unit="EUR/MWh", missing="nan")
    assert np.isnan(left.day_ahead.values).tolist() == [False, True, False]
    assert "2 steps without a price at the end are left out" in left.attrs["notes"]


def test_indices_of_nord_pool(tmp_path):
    """The system price stands in records of the same shape under another name."""
    path = tmp_path / "system.json"
    entry = {"deliveryStart": "2026-03-01T23:00:00Z", "deliveryEnd": "2026-03-02T00:00:00Z"}
    entries = [entry | {"entryPerArea": {"SYS": 51.25}}]
    path.write_text(json.dumps({"multiIndexEntries": entries, "currency": "NOK"}))
    got = read_price_records(path)
    assert got.day_ahead.values.tolist() == [51.25]
    assert got.day_ahead.attrs["units"] == "NOK/MWh"


def test_rates_that_hold_for_hours(tmp_path):
    """4 h at 8.5 and 2 h at 30 become six hours where a step is named, and are refused else."""
    path = tmp_path / "go.json"
    rates = [
        ("2026-03-02T00:00:00Z", "2026-03-02T04:00:00Z", 8.5),
        ("2026-03-02T04:00:00Z", "2026-03-02T06:00:00Z", 30.0),
    ]
    results = [{"valid_from": a, "valid_to": b, "value_inc_vat": v} for a, b, v in rates]
    path.write_text(json.dumps({"next": None, "previous": None, "results": results}))
    with pytest.raises(ValueError, match="240 min from 2026-03-02 00:00:00, 120 min"):
        read_price_records(path)
    got = read_price_records(path, resample="60min")
    assert got.day_ahead.values.tolist() == [8.5] * 4 + [30.0] * 2


def test_hours_before_quarters(tmp_path):
    """An hour at 40 and quarters at 10, 20, 30 and 40: 25 in the second hour, as their mean."""
    path = tmp_path / "change.json"
    times = [f"2025-09-30T{t}:00Z" for t in ("21:00", "22:00", "22:15", "22:30", "22:45", "23:00")]
    prices = (40.0, 10.0, 20.0, 30.0, 40.0)
    entries = [
        {"deliveryStart": a, "deliveryEnd": b, "entryPerArea": {"SE3": v}}
        for a, b, v in zip(times[:-1], times[1:], prices, strict=True)
    ]
    path.write_text(json.dumps({"multiAreaEntries": entries, "currency": "EUR"}))
    with pytest.raises(ValueError, match="60 min from 2025-09-30 21:00:00, 15 min"):
        read_price_records(path)
    hourly = read_price_records(path, resample="60min")
    assert hourly.day_ahead.values.tolist() == [40.0, 25.0]
    assert "brought to 60min" in hourly.attrs["notes"]
    quarters = read_price_records(path, resample="15min")
    assert quarters.day_ahead.values.tolist() == [40.0] * 4 + [10.0, 20.0, 30.0, 40.0]


def test_points_that_are_null_do_not_stretch_others(tmp_path):
    """Quarter-hours of which every second is null stay quarter-hours: they are missing, and no
    price holds for half an hour.
    """
    path = tmp_path / "gaps.json"
    start, count = steps_of_days(date(2026, 3, 2), 1, 15)
    price_writers.nord_pool(path, Series(start, 15, tuple(float(k) for k in range(count))))
    content = json.loads(path.read_text())
    for entry in content["multiAreaEntries"][1::2]:
        entry["entryPerArea"]["SE3"] = None
    path.write_text(json.dumps(content))
    got = read_price_records(path, missing="nan")
    assert got.sizes["time"] == 95
    assert int(got.day_ahead.isnull().sum()) == 47
    assert "47 rows without a number" in got.attrs["notes"]


def test_which_two_oclock_is_said(tmp_path):
    """Times without a mark are told apart by their order, and a note says so."""
    path = tmp_path / "old.csv"
    start, count = steps_of_days(date(2026, 10, 25), 1, 60)
    price_writers.export(path, Series(start, 60, tuple(float(k) for k in range(count))), False)
    assert (
        "2026-10-25 02:00: shown twice, taken in the order of the file"
        in read_entsoe(path).attrs["notes"]
    )
    price_writers.export(path, Series(start, 60, tuple(float(k) for k in range(count))), True)
    assert "notes" not in read_entsoe(path).attrs


DAYS = (date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 24), date(2026, 10, 25))
"""Two days from each of them hold a change of the clock, one before or after it."""
WRITERS = {
    "a44_a03": (lambda p, s: price_writers.a44(p, s, "A03"), read_entsoe, {}, "EUR/MWh"),
    "a44_a01": (lambda p, s: price_writers.a44(p, s, "A01"), read_entsoe, {}, "EUR/MWh"),
    "export_old": (lambda p, s: price_writers.export(p, s, False), read_entsoe, {}, "EUR/MWh"),
    "export_new": (lambda p, s: price_writers.export(p, s, True), read_entsoe, {}, "EUR/MWh"),
    "energy_charts": (price_writers.energy_charts, read_price_records, {}, "EUR/MWh"),
    "nord_pool": (price_writers.nord_pool, read_price_records, {}, "SEK/MWh"),
    "octopus": (price_writers.octopus, read_price_records, {}, "p/kWh"),
    "smard": (price_writers.smard, read_price_records, {"unit": "EUR/MWh"}, "EUR/MWh"),
    "awattar": (price_writers.awattar, read_price_records, {}, "EUR/MWh"),
    "tibber": (price_writers.tibber, read_price_records, {}, "NOK/kWh"),
    "omie": (price_writers.omie, read_omie, {"where": {"area": "ES"}}, "EUR/MWh"),
}


@st.composite
def series(draw, minutes=(15, 60)) -> Series:
    """Days around a change of the clock, with prices that often repeat."""
    step = draw(st.sampled_from(minutes))
    start, count = steps_of_days(draw(st.sampled_from(DAYS)), draw(st.integers(1, 2)), step)
    few = draw(st.lists(st.integers(-50_000, 400_000), min_size=2, max_size=5, unique=True))
    choice = draw(st.lists(st.sampled_from(few), min_size=count, max_size=count))
    return Series(start, step, tuple(cents / 100 for cents in choice))


@pytest.mark.parametrize("kind", WRITERS)
@given(data=st.data())
def test_what_is_written_is_read_back(kind, data, tmp_path_factory):
    """Steps of 15 and 60 min over days of 23, 24 and 25 hours: same instants, same numbers."""
    write, read, options, unit = WRITERS[kind]
    written = data.draw(series((15,) if kind == "omie" else (15, 60)))
    path = tmp_path_factory.mktemp("prices") / "file"
    write(path, written)
    assert PRICE_FORMATS[str(recognised(path, PRICE_FORMATS))].read is read
    got = read(path, **options)
    assert got.day_ahead.values.tolist() == list(written.values)
    instants = [moment.replace(tzinfo=None) for moment in written.edges[:-1]]
    assert got.indexes["time"].to_pydatetime().tolist() == instants
    assert got.day_ahead.attrs["units"] == unit


@pytest.mark.parametrize("day", [date(2025, 3, 30), date(2025, 9, 1), date(2024, 10, 27)])
def test_hours_of_omie_before_the_quarters(day, tmp_path):
    """Until 30 September 2025 a day has 23, 24 or 25 prices, one per hour."""
    start, count = steps_of_days(day, 1, 60)
    written = Series(start, 60, tuple(float(k) for k in range(count)))
    price_writers.omie(tmp_path / "file", written)
    got = read_omie(tmp_path / "file", where={"area": "ES"})
    assert got.day_ahead.values.tolist() == list(written.values)
    assert got.indexes["time"][-1].to_pydatetime() == written.edges[-2].replace(tzinfo=None)


@given(written=series((60,)))
def test_sun_is_read_back(written, tmp_path_factory):
    """W become kW at the full hour of UTC, whatever the local clock does."""
    path = tmp_path_factory.mktemp("sun") / "roof.csv"
    price_writers.pvgis(path, written)
    assert recognised(path, PROFILE_FORMATS) == "pvgis"
    got = read_pvgis(path)
    np.testing.assert_allclose(got.roof, np.array(written.values) / 1000, rtol=1e-12)
    instants = [moment.replace(tzinfo=None) for moment in written.edges[:-1]]
    assert got.indexes["time"].to_pydatetime().tolist() == instants
