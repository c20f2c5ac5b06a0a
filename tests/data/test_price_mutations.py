"""Files of prices that something happened to: each is read right, or refused with the place and
with what to do, and never read wrong.
"""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import price_writers
import pytest
import xarray as xr
from price_writers import Series, steps_of_days
from reference_data import sample

from v2g_linopy.data import read_entsoe, read_omie, read_price_records, read_pvgis
from v2g_linopy.errors import SchemaError

Change = Callable[[str], str | bytes]
BOM = "﻿"
SAME = ""
"""The file is read as the sample is."""


def cut(text: str) -> str:
    """The first half: a download that broke off."""
    return text[: len(text) // 2]


def with_bom(text: str) -> str:
    """As editors of Windows save it."""
    return BOM + text


def with_crlf(text: str) -> bytes:
    """With the ends of lines of Windows."""
    return text.replace("\n", "\r\n").encode()


def in_utf16(text: str) -> bytes:
    """As spreadsheets save "Unicode text"."""
    return text.replace('encoding="UTF-8"', "").encode("utf-16")


def put(old: str, new: str) -> Change:
    """The first of a text by another."""

    def changed(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return changed


def each(old: str, new: str) -> Change:
    """Every one of a text by another."""
    return lambda text: text.replace(old, new)


def line_again(at: int) -> Change:
    """A line that stands there twice."""

    def changed(text: str) -> str:
        lines = text.splitlines()
        return "\n".join([*lines[: at + 1], *lines[at:]])

    return changed


def without_line(at: int) -> Change:
    """A line that is lost."""

    def changed(text: str) -> str:
        lines = text.splitlines()
        return "\n".join([*lines[:at], *lines[at + 1 :]])

    return changed


def backwards(text: str) -> str:
    """The rows of a table with the newest first."""
    header, *rows = text.splitlines()
    return "\n".join([header, *rows[::-1]])


def document(change: Callable[[dict], object]) -> Change:
    """A document in which something is changed."""

    def changed(text: str) -> str:
        content = json.loads(text)
        change(content)
        return json.dumps(content)

    return changed


Cases = dict[str, tuple[Change, str]]
COMMON: Cases = {"bom": (with_bom, SAME), "crlf": (with_crlf, SAME), "utf16": (in_utf16, SAME)}
A44: Cases = COMMON | {
    "cut off": (cut, r"cannot be read as XML, it may be cut off"),
    "another measure": (
        put("<price_Measure_Unit.name>MWH", "<price_Measure_Unit.name>KWH"),
        r"TimeSeries 1\s+prices in EUR per KWH",
    ),
    "no currency": (
        put("<currency_Unit.name>EUR</currency_Unit.name>", ""),
        r"TimeSeries 1\s+prices in no currency per MWH",
    ),
    "not a number": (
        put("<price.amount>44.3<", "<price.amount>NaN<"),
        r"TimeSeries 1\s+position 1: 'NaN' is no price",
    ),
    "doubled point": (
        put("<position>2</position>", "<position>1</position>"),
        r"position 1 is given more than once",
    ),
    "no zone": (each("Z</start>", "</start>"), r"no time with its zone"),
    "another resolution": (each("PT15M", "P1D"), r"resolution P1D; steps of 15 min, 30 min"),
    "two areas": (
        lambda text: text.replace("position>2</class", "position>1</class").replace(
            "10YNL----------L</in_", "10YBE----------2</in_", 1
        ),
        r"area 10YBE----------2, 10YNL----------L; give where=\{\"area\": ",
    ),
    "another document": (put("<type>A44<", "<type>A65<"), r"document of type A65"),
    "another curve": (each("<curveType>A03", "<curveType>A02"), r"curve type A02"),
    "first point lost": (
        put("<Point><position>1</position><price.amount>44.3</price.amount></Point>", ""),
        r"the first position of the period is left out",
    ),
    "point beyond": (
        put("<position>100</position>", "<position>101</position>"),
        r"position '101'; the period has the positions 1 to 100",
    ),
    "end is wrong": (each("<end>2026-10-25T23:00Z", "<end>2026-10-25T23:05Z"), r"no whole number"),
    "entities": (put("<Publication", "<!DOCTYPE x><Publication"), r"declares a DOCTYPE"),
}
EXPORT: Cases = COMMON | {
    "cut off": (lambda text: text[:20_010], r"line 240 cannot be split into cells"),
    "another clock": (put("(CET/CEST)", "(MSK)"), r"times of the clock MSK"),
    "no unit": (put(" (EUR/MWh)", ""), r"no columns 'Day-ahead Price' with a unit"),
    "no number": (put('"73.93"', '"73,93"'), r"a comma in row 2: '73,93'"),
    "no price": (
        put('"73.14"', '"n/e"'),
        r"1 (row without a number|step without a row): 2025-10-23 22:15.*missing=",
    ),
    "lost row": (without_line(7), r"1 (row without a number|step without a row): 2025-10-23 23:30"),
    "row again": (line_again(7), r"2025-10-23 23:30:00 UTC: given more than once"),
    "two areas": (put('"BZN|DE-LU"', '"BZN|FR"'), r"area BZN\|FR, BZN\|DE-LU; give where="),
    "no such day": (each("24/10/2025", "34/10/2025"), r"no such day or time of day: row 97"),
    "newest first": (backwards, SAME),
    "intraday": (put('"73.93","",""', '"73.93","x","5.5"'), SAME),
}
OLD: Cases = {
    "another currency": (put('"73.93","EUR"', '"73.93","GBP"'), r"GBP in the column, EUR/MWh in"),
    "newest first": (backwards, SAME),
    "half hours lost": (
        lambda text: "\n".join(
            re.sub(r'"[\d.-]+","EUR"', '"","EUR"', x) if k % 2 else x
            for k, x in enumerate(text.splitlines()[:11])
        ),
        r"rows without a number",
    ),
}
NORDIC: Cases = COMMON | {
    "cut off": (cut, r"file\s+Invalid JSON"),
    "no area": (lambda text: text.replace("SE3", "DK1", 1), SAME),
    "another currency": (put('"EUR"', '"XYZ"'), r"prices in XYZ/MWh; one of these is read"),
    "no currency": (document(lambda d: d.pop("currency")), r"does not say the unit and currency"),
    "null": (
        document(lambda d: d["multiAreaEntries"][1]["entryPerArea"].update(SE3=None)),
        r"1 (row without a number|step without a row): 2026-10-24 22:15",
    ),
    "text for a number": (
        document(lambda d: d["multiAreaEntries"][1]["entryPerArea"].update(SE3="42.72")),
        r"no number at multiAreaEntries\[1\].entryPerArea.SE3: '42.72'",
    ),
    "doubled": (
        document(lambda d: d["multiAreaEntries"].insert(1, d["multiAreaEntries"][0])),
        r"2026-10-24 22:00:00 UTC: given more than once",
    ),
    "lost": (
        document(lambda d: d["multiAreaEntries"].pop(4)),
        r"1 (row without a number|step without a row): 2026-10-24 23:00",
    ),
    "no zone": (
        each("22:00:00Z", "22:00:00"),
        r"no text with an offset.* at multiAreaEntries\[0\].deliveryStart",
    ),
    "ends before it begins": (
        document(lambda d: d["multiAreaEntries"][0].update(deliveryEnd="2026-10-24T21:00:00Z")),
        r"no length of a step at multiAreaEntries\[0\].deliveryStart: -60 min",
    ),
}
OCTOPUS: Cases = COMMON | {
    "cut off": (cut, r"file\s+Invalid JSON"),
    "page 1 of 2": (
        document(lambda d: d.update(next="https://example.org/?page=2")),
        r"next\s+is not null: the file is one page of several",
    ),
    "page 2 of 2": (
        document(lambda d: d.update(previous="https://example.org/?page=1")),
        r"previous\s+is not null",
    ),
    "null": (
        document(lambda d: d["results"][3].update(value_inc_vat=None)),
        r"1 (row without a number|step without a row): 2026-03-29 20:00",
    ),
    "not a number": (
        put("19.386", "NaN"),
        r"1 (row without a number|step without a row): 2026-03-29 19:30",
    ),
    "doubled": (
        document(lambda d: d["results"].append(d["results"][5])),
        r"given more than once",
    ),
    "no end": (
        document(lambda d: d["results"][0].update(valid_to=None)),
        r"no text with an offset.* at results\[0\].valid_to: None",
    ),
    "two ways to pay": (
        document(
            lambda d: [r.update(payment_method=str(k % 2)) for k, r in enumerate(d["results"])]
        ),
        r"payment_method 0, 1; give where=",
    ),
    "oldest first": (document(lambda d: d["results"].reverse()), SAME),
    "another source": (each("value_inc_vat", "cost"), r"records of no known source"),
}
CHARTS: Cases = COMMON | {
    "cut off": (cut, r"Invalid JSON"),
    "another unit": (put("EUR / MWh", "MW"), r"prices in MW; one of these is read"),
    "no unit": (document(lambda d: d.pop("unit")), r"does not say the unit"),
    "fewer prices": (document(lambda d: d["price"].pop()), r"93 times and 92 prices"),
    "null between": (
        document(lambda d: d["price"].__setitem__(5, None)),
        r"1 (row without a number|step without a row): 2026-03-29 00:15",
    ),
    "lost": (
        document(lambda d: [d[name].pop(9) for name in ("price", "unix_seconds")]),
        r"1 step without a row: 2026-03-29 01:15",
    ),
    "doubled": (
        document(lambda d: d["unix_seconds"].__setitem__(1, d["unix_seconds"][0])),
        r"2026-03-28 23:00:00 UTC: given more than once",
    ),
    "milliseconds": (
        document(lambda d: d.update(unix_seconds=[1000 * t for t in d["unix_seconds"]])),
        r"no seconds since 1970 at unix_seconds\[0\]: 1774738800000",
    ),
    "true for a number": (
        document(lambda d: d["price"].__setitem__(5, True)),
        r"no number at price\[5\]: True",
    ),
}
OMIE: Cases = COMMON | {
    "cut off": (cut, r"no line '\*' at its end: it is cut off"),
    "lost row": (without_line(5), r"2026-10-25 has 99 of 100 periods of 15 min"),
    "row again": (line_again(5), r"given more than once"),
    "decimal comma": (each(".", ","), r"line 2\s+.*a price that is none"),
    "a price is lost": (
        put(";1;44.30;44.30;", ";1;44.30;;"),
        r"1 (row without a number|step without a row): 2026-10-24 22:00",
    ),
    "not a number": (put("44.30", "NaN"), r"line 2\s+.*a price that is none"),
    "another day": (
        each("2026;10;25", "2026;10;26"),
        r"period 97.*: the day has the periods 1 to 96",
    ),
    "no such day": (each("2026;10;25", "2026;13;25"), r"line 2\s+.*a date"),
    "hours": (
        lambda text: "\n".join([*text.splitlines()[:25], "*"]),
        r"2026-10-25 has 24 of 100 periods of 15 min",
    ),
    "fewer cells": (put("44.30;44.30;", "44.30;"), r"line 2\s+.* is no year;month;day"),
}
PVGIS: Cases = COMMON | {
    "cut off": (cut, r"no line 'PVGIS \(c\)' after its rows: it is cut off"),
    "row cut off": (put(",4034.2,938.2,57.63,20.50,1.4,0.0", ",4034.2"), r"header: line 23"),
    "no power": (put("time,P,", "time,Q,"), r"no power of a plant"),
    "not a number": (put("4034.2", "NaN"), r"not a number at line 23: 'NaN'"),
    "doubled": (line_again(20), r"2023-06-20 08:00:00 UTC: given more than once"),
    "lost": (without_line(20), r"1 step without a row: 2023-06-20 08:00"),
    "another stamp": (put("20230620:1010", "2023-06-20 10:10"), r"no time such as 20230620:0010"),
    "two minutes": (put("20230620:1010", "20230620:1030"), r"minutes 10, 30 of their hours"),
    "no size": (each("(kWp):\t5.0", "(kWp):\t"), r"nominal power in the header"),
    "minute of ERA5": (each("10,", "30,"), SAME),
}
EVERY = {
    "formats/entsoe-a44.xml": (read_entsoe, {}, A44),
    "tables/entsoe_export_new_layout.csv": (read_entsoe, {}, EXPORT),
    "tables/entsoe_export_old_layout.csv": (read_entsoe, {}, OLD),
    "formats/nordpool-day-ahead.json": (read_price_records, {"where": {"area": "SE3"}}, NORDIC),
    "formats/octopus-agile.json": (read_price_records, {}, OCTOPUS),
    "formats/energy-charts-price.json": (read_price_records, {}, CHARTS),
    "formats/marginalpdbc_20261025.1": (read_omie, {"where": {"area": "ES"}}, OMIE),
    "formats/pvgis-hourly.csv": (read_pvgis, {}, PVGIS),
}


def numbers(read: xr.Dataset) -> np.ndarray:
    """The one column of a dataset."""
    (column,) = read.data_vars.values()
    return column.to_numpy()


@pytest.mark.parametrize(
    ("name", "change"),
    [(name, change) for name, (_, _, cases) in EVERY.items() for change in cases],
)
def test_right_or_refused(name, change, tmp_path):
    """Same numbers and instants as the sample, or a sentence with the place."""
    read, options, cases = EVERY[name]
    changed, message = cases[change]
    path = sample(name)
    content = changed(path.read_text(encoding="utf-8"))
    other = tmp_path / Path(name).name
    other.write_bytes(content if isinstance(content, bytes) else content.encode())
    if message:
        with pytest.raises(SchemaError, match=re.compile(message, re.DOTALL)):
            read(other, **options)
        return
    got, right = read(other, **options), read(path, **options)
    np.testing.assert_array_equal(numbers(got), numbers(right))
    assert [a.attrs["units"] for a in got.values()] == [a.attrs["units"] for a in right.values()]
    assert got.indexes["time"].equals(right.indexes["time"])


OTHER = {
    "formats/entsoe-a44.xml": ("Unit.name>EUR", "Unit.name>PLN", "PLN/MWh"),
    "tables/entsoe_export_new_layout.csv": ("EUR/MWh", "BGN/MWh", "BGN/MWh"),
    "formats/nordpool-day-ahead.json": ('"EUR"', '"SEK"', "SEK/MWh"),
    "formats/energy-charts-price.json": ("EUR / MWh", "CHF / MWh", "CHF/MWh"),
    "tables/awattar.json": ("Eur/MWh", "Cent/kWh", None),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_money(name, tmp_path):
    """The currency is that of the file; a word that is no unit is refused, not taken for one."""
    read, options, _ = EVERY.get(name, (read_price_records, {}, {}))
    old, new, unit = OTHER[name]
    path = tmp_path / Path(name).name
    path.write_text(sample(name).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    if unit is None:
        with pytest.raises(SchemaError, match=f"prices in {new}; one of these is read"):
            read(path, **options)
    else:
        assert read(path, **options).day_ahead.attrs["units"] == unit


WRITTEN: dict[str, tuple[Callable[..., None], Change, str]] = {
    "aWATTar: null": (
        price_writers.awattar,
        document(lambda d: d["data"][3].update(marketprice=None)),
        r"1 (row without a number|step without a row): 2026-03-02 02:00",
    ),
    "aWATTar: two units": (
        price_writers.awattar,
        document(lambda d: d["data"][3].update(unit="Eur/kWh")),
        r"prices in EUR/MWh, EUR/kWh; one of these",
    ),
    "aWATTar: seconds": (
        price_writers.awattar,
        document(
            lambda d: [r.update(start_timestamp=r["start_timestamp"] // 1000) for r in d["data"]]
        ),
        r"no milliseconds since 1970 at data\[0\].start_timestamp",
    ),
    "aWATTar: doubled": (
        price_writers.awattar,
        document(lambda d: d["data"].append(d["data"][7])),
        r"given more than once",
    ),
    "aWATTar: cut off": (price_writers.awattar, cut, r"Invalid JSON"),
    "Tibber: two homes": (
        price_writers.tibber,
        document(lambda d: d["data"]["viewer"]["homes"].append(d["data"]["viewer"]["homes"][0])),
        r"home 1, 2; give where=\{\"home\": ",
    ),
    "Tibber: no zone": (
        price_writers.tibber,
        each("+01:00", ""),
        r"no text with an offset.* at data.viewer.homes.*priceInfo.today\[0\]",
    ),
    "Tibber: two currencies": (
        price_writers.tibber,
        put("NOK", "SEK"),
        r"prices in SEK/kWh, NOK/kWh; one of these",
    ),
    "Tibber: no total": (
        price_writers.tibber,
        put('"total"', '"totalled"'),
        r"1 (row without a number|step without a row): 2026-03-01 23:00",
    ),
    "SMARD: no unit": (price_writers.smard, with_bom, r"does not say the unit and currency"),
    "SMARD: text": (
        price_writers.smard,
        document(lambda d: d["series"][2].__setitem__(1, "5,5")),
        r"no number at series\[2\]\[1\]: '5,5'",
    ),
    "no record": (
        price_writers.awattar,
        document(lambda d: d["data"].clear()),
        r"holds records of no known source|has no prices where aWATTar has them",
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_small_files_are_refused(case, tmp_path):
    """A day of hours, written and then changed."""
    write, changed, message = WRITTEN[case]
    start, count = steps_of_days(date(2026, 3, 2), 1, 60)
    path = tmp_path / "day.json"
    write(path, Series(start, 60, tuple(float(k) for k in range(count))))
    path.write_text(str(changed(path.read_text(encoding="utf-8"))), encoding="utf-8")
    with pytest.raises(SchemaError, match=re.compile(message, re.DOTALL)):
        read_price_records(path)


@pytest.mark.parametrize("read", [read_price_records, read_pvgis])
def test_no_such_zone(read, tmp_path):
    """A zone for local days is checked where it is given, not where it is used."""
    write = price_writers.awattar if read is read_price_records else price_writers.pvgis
    start, count = steps_of_days(date(2026, 3, 2), 1, 60)
    write(tmp_path / "day", Series(start, 60, (1.0,) * count))
    with pytest.raises(SchemaError, match="'Europe/Romee' is not a time zone"):
        read(tmp_path / "day", timezone="Europe/Romee")
