"""Small writers of published price files, made from the descriptions of their formats and without
a line of the readers: what they write is read back in tests.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
LINE = "\n"


@dataclass(frozen=True)
class Series:
    """Prices on a uniform step from a moment on."""

    start: datetime
    minutes: int
    values: tuple[float, ...]

    @property
    def edges(self) -> list[datetime]:
        """The start of every step, and the end of the last, in UTC."""
        return [
            self.start + k * timedelta(minutes=self.minutes) for k in range(len(self.values) + 1)
        ]


def steps_of_days(first: date, days: int, minutes: int) -> tuple[datetime, int]:
    """When local days in Berlin begin (UTC), and how many steps they have."""
    begin, end = (
        datetime.combine(first + timedelta(days=k), time(), BERLIN).astimezone(UTC)
        for k in (0, days)
    )
    return begin, round((end - begin) / timedelta(minutes=minutes))


def stamp(moment: datetime) -> str:
    """A moment as interfaces write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def milliseconds(moment: datetime) -> int:
    """A moment in milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def a44(path: Path, series: Series, curve: str = "A03") -> None:
    """A document of ENTSO-E with a TimeSeries per day; on curve A03 what repeats is left out."""
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Publication_MarketDocument'
        ' xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"><type>A44</type>'
    )
    days = "".join(time_series(day, curve) for day in by_day(series))
    path.write_text(head + days + "</Publication_MarketDocument>", encoding="utf-8")


def time_series(day: Series, curve: str) -> str:
    """A day of a document of ENTSO-E."""
    points = [
        f"<Point><position>{k + 1}</position><price.amount>{value}</price.amount></Point>"
        for k, value in enumerate(day.values)
        if curve != "A03" or k == 0 or value != day.values[k - 1]
    ]
    minute = "%Y-%m-%dT%H:%MZ"
    begin, end = day.edges[0].strftime(minute), day.edges[-1].strftime(minute)
    return (
        f"<TimeSeries><mRID>{begin}</mRID><in_Domain.mRID>10Y1001A1001A82H</in_Domain.mRID>"
        "<currency_Unit.name>EUR</currency_Unit.name>"
        "<price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
        f"<curveType>{curve}</curveType><Period><timeInterval><start>{begin}</start>"
        f"<end>{end}</end></timeInterval><resolution>PT{day.minutes}M</resolution>"
        f"{LINE.join(points)}</Period></TimeSeries>"
    )


def by_day(series: Series) -> list[Series]:
    """The local days of a series in Berlin, each as a series."""
    days: dict[date, list[int]] = {}
    for k, moment in enumerate(series.edges[:-1]):
        days.setdefault(moment.astimezone(BERLIN).date(), []).append(k)
    return [
        Series(series.edges[at[0]], series.minutes, tuple(series.values[k] for k in at))
        for at in days.values()
    ]


def export(path: Path, series: Series, new: bool) -> None:
    """A table of the website of ENTSO-E, in the layout before (old) or since 2025 (new)."""
    layout = "%d/%m/%Y %H:%M:%S" if new else "%d.%m.%Y %H:%M"
    twice = {
        moment.astimezone(BERLIN).replace(tzinfo=None)
        for moment in series.edges
        if moment.astimezone(BERLIN).utcoffset()
        != moment.astimezone(BERLIN).replace(fold=1 - moment.astimezone(BERLIN).fold).utcoffset()
    }

    def shown(moment: datetime) -> str:
        local = moment.astimezone(BERLIN)
        mark = f" ({local.tzname()})" if new and local.replace(tzinfo=None) in twice else ""
        return local.strftime(layout) + mark

    if new:
        head = (
            '"MTU (CET/CEST)","Area","Sequence","Day-ahead Price (EUR/MWh)",'
            '"Intraday Period (CET/CEST)","Intraday Price (EUR/MWh)"'
        )
        row = '"{a} - {b}","BZN|DE-LU","Sequence 1","{v}","",""'
    else:
        head = '"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"'
        row = '"{a} - {b}","{v}","EUR",""'
    rows = [
        row.format(a=shown(a), b=shown(b), v=v)
        for a, b, v in zip(series.edges[:-1], series.edges[1:], series.values, strict=True)
    ]
    path.write_text(LINE.join([head, *rows]) + LINE, encoding="utf-8")


def energy_charts(path: Path, series: Series) -> None:
    """A document of Energy-Charts."""
    seconds = [round(moment.timestamp()) for moment in series.edges[:-1]]
    document = {"license_info": "", "unix_seconds": seconds, "price": series.values}
    path.write_text(json.dumps(document | {"unit": "EUR / MWh"}), encoding="utf-8")


def nord_pool(path: Path, series: Series) -> None:
    """A document of Nord Pool with one area, in SEK."""
    entries = [
        {"deliveryStart": stamp(a), "deliveryEnd": stamp(b), "entryPerArea": {"SE3": v}}
        for a, b, v in rows_of(series)
    ]
    document = {"deliveryAreas": ["SE3"], "multiAreaEntries": entries, "currency": "SEK"}
    path.write_text(json.dumps(document), encoding="utf-8")


def octopus(path: Path, series: Series) -> None:
    """A document of Octopus Energy, newest first; times in local offsets."""
    london = ZoneInfo("Europe/London")
    results = [
        {
            "value_exc_vat": 0.0,
            "value_inc_vat": v,
            "valid_from": a.astimezone(london).isoformat(),
            "valid_to": b.astimezone(london).isoformat(),
            "payment_method": None,
        }
        for a, b, v in rows_of(series)
    ]
    document = {"count": len(results), "next": None, "previous": None, "results": results[::-1]}
    path.write_text(json.dumps(document), encoding="utf-8")


def smard(path: Path, series: Series) -> None:
    """A document of SMARD, from the public description of its interface."""
    pairs = [[milliseconds(a), v] for a, _, v in rows_of(series)]
    document = {"meta_data": {"version": 1, "created": 1772582400000}, "series": pairs}
    path.write_text(json.dumps(document), encoding="utf-8")


def awattar(path: Path, series: Series) -> None:
    """A document of aWATTar."""
    data = [
        {
            "start_timestamp": milliseconds(a),
            "end_timestamp": milliseconds(b),
            "marketprice": v,
            "unit": "Eur/MWh",
        }
        for a, b, v in rows_of(series)
    ]
    path.write_text(json.dumps({"object": "list", "data": data}), encoding="utf-8")


def tibber(path: Path, series: Series) -> None:
    """A document of Tibber with its currency: what is not of the last day stands under today."""
    records = [
        {"total": v, "energy": 0.0, "tax": v, "currency": "NOK", "startsAt": local_stamp(a)}
        for a, _, v in rows_of(series)
    ]
    half = len(records) // 2
    info = {"today": records[:half], "tomorrow": records[half:]}
    homes = [{"currentSubscription": {"priceInfo": info}}]
    path.write_text(json.dumps({"data": {"viewer": {"homes": homes}}}), encoding="utf-8")


def local_stamp(moment: datetime) -> str:
    """A moment on the clock of Berlin with its offset and milliseconds."""
    return moment.astimezone(BERLIN).isoformat(timespec="milliseconds")


def omie(path: Path, series: Series) -> None:
    """A file of OMIE: periods count on from local midnight; Portugal pays 1 more."""
    period, before, rows = 0, None, []
    for moment, _, value in rows_of(series):
        day = moment.astimezone(BERLIN).date()  # the clock of Madrid
        period = 1 if day != before else period + 1
        before = day
        rows.append(f"{day:%Y;%m;%d};{period};{value + 1:.2f};{value:.2f};")
    path.write_text(LINE.join(["MARGINALPDBC;", *rows, "*"]) + LINE, encoding="utf-8")


def pvgis(path: Path, series: Series, minute: int = 10) -> None:
    """An hourly output of PVGIS; the values are W."""
    rows = [f"{a:%Y%m%d:%H}{minute:02d},{v},0.0,0.0" for a, _, v in rows_of(series)]
    head = [
        "Latitude (decimal degrees):\t45.070",
        "Radiation database:\tPVGIS-SARAH3",
        "",
        "Nominal power of the PV system (c-Si) (kWp):\t5.0",
        "System losses (%):\t14.0",
        "",
        "time,P,G(i),Int",
    ]
    tail = ["", "P: PV system power (W)", "", "", "PVGIS (c) European Union, 2001-2026"]
    path.write_text("\r\n".join([*head, *rows, *tail]), encoding="utf-8")


def rows_of(series: Series) -> Iterator[tuple[datetime, datetime, float]]:
    """Start, end and value of every step."""
    edges: Sequence[datetime] = series.edges
    return zip(edges[:-1], edges[1:], series.values, strict=True)
