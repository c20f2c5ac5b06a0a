"""Prices in the records (JSON) that public interfaces send: one reader, one line per source."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pydantic
import xarray as xr

from ...case.units import price_units
from ...errors import InputFileError, Problem, Remedy, SchemaError
from ..tables.files import collect_problems
from ..tables.records import read_records
from ..tables.series import Missing
from ..tables.text import beginning, read_text
from ..tables.wording import first_few
from .choices import Where, choose_series
from .price_points import PricePoints, price_series

Clock = Literal["s", "ms", "iso"]
Found = list[tuple[str, pydantic.JsonValue]]
"""Values of a document, each with its place there."""


@dataclass(frozen=True)
class Shape:
    """Where the records of a source hold what.

    Parameters
    ----------
    source
        Its name.
    marks
        Names that all occur in such a document and in no other.
    start, price, end
        Paths of the values: names with dots between, a number for a place in a list, ``[]`` for
        all of a list, ``|`` for one or the other, ``*`` for all entries of a mapping by area.
    clock
        What times are: seconds or milliseconds since 1970, or text with an offset.
    unit
        Unit of the prices, or the path of it; ``{currency}`` stands for what `currency` says.
        None: the document does not say it.
    currency
        Path of the currency.
    kinds
        Paths of what tells one series of the document from another.
    zone
        Zone of the market.
    zones
        Zone by the beginning of an area, or by a word of the text at the path `zone_from`.
    pages
        Names that are not null where the document is one page of several.
    note
        A sentence on what the prices are.
    """

    source: str
    marks: tuple[str, ...]
    start: str
    price: str
    end: str = ""
    clock: Clock = "iso"
    unit: str | None = None
    currency: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    zones: Mapping[str, str] = field(default_factory=dict)
    zone_from: str = ""
    pages: tuple[str, ...] = ()
    note: str = ""


NORDIC = {
    "SE": "Europe/Stockholm",
    "NO": "Europe/Oslo",
    "DK": "Europe/Copenhagen",
    "FI": "Europe/Helsinki",
    "EE": "Europe/Tallinn",
    "LV": "Europe/Riga",
    "LT": "Europe/Vilnius",
    "AT": "Europe/Vienna",
    "BE": "Europe/Brussels",
    "FR": "Europe/Paris",
    "GER": "Europe/Berlin",
    "NL": "Europe/Amsterdam",
    "PL": "Europe/Warsaw",
}
"""Zone of the areas of Nord Pool, by the beginning of their names."""
LARGEST = 1e300
"""A number beyond is none that a price can be."""
HOMES = "data.viewer.homes[].currentSubscription.priceInfo.today|tomorrow[]."


def _nord_pool(source: str, entries: str) -> Shape:
    """Return the shape of a document of Nord Pool, whose records stand under `entries`."""
    return Shape(
        source,
        (entries, "deliveryStart"),
        start=f"{entries}[].deliveryStart",
        end=f"{entries}[].deliveryEnd",
        price=f"{entries}[].entryPerArea.*",
        unit="{currency}/MWh",
        currency="currency",
        zones=NORDIC,
    )


SHAPES = (
    Shape(
        "Energy-Charts",
        ("unix_seconds", "price"),
        start="unix_seconds[]",
        price="price[]",
        clock="s",
        unit="unit",
        zones={"SMARD": "Europe/Berlin"},
        zone_from="license_info",
    ),
    _nord_pool("Nord Pool", "multiAreaEntries"),
    _nord_pool("Nord Pool, indices", "multiIndexEntries"),
    Shape(
        "Octopus Energy",
        ("value_inc_vat", "valid_from"),
        start="results[].valid_from",
        end="results[].valid_to",
        price="results[].value_inc_vat",
        unit="p/kWh",
        kinds={"payment_method": "results[].payment_method"},
        zone="Europe/London",
        pages=("next", "previous"),
        note="Prices of Octopus Energy include VAT (value_inc_vat).",
    ),
    Shape(
        "SMARD",
        ("series", "meta_data"),
        start="series[].0",
        price="series[].1",
        clock="ms",
        zone="Europe/Berlin",
    ),
    Shape(
        "aWATTar",
        ("marketprice", "start_timestamp"),
        start="data[].start_timestamp",
        end="data[].end_timestamp",
        price="data[].marketprice",
        clock="ms",
        unit="data[].unit",
        zone="Europe/Berlin",
    ),
    Shape(
        "Tibber",
        ("priceInfo", "startsAt"),
        start=f"{HOMES}startsAt",
        price=f"{HOMES}total",
        unit="{currency}/kWh",
        currency=f"{HOMES}currency",
        kinds={"home": "data.viewer.homes[]"},
        note="Prices of Tibber include taxes and fees (total).",
    ),
)


class Document(pydantic.RootModel[pydantic.JsonValue]):
    """Any document; a `Shape` says where its prices stand."""


def read_price_records(
    path: str | Path,
    *,
    where: Where | None = None,
    unit: str | None = None,
    timezone: str | None = None,
    resample: str | None = None,
    missing: Missing = "problem",
) -> xr.Dataset:
    r"""Read prices from the records (JSON) of a public interface.

    It knows the documents of Energy-Charts, Nord Pool, Octopus Energy (Agile), SMARD, aWATTar and
    Tibber, each by the names in it. Prices of Octopus Energy and of Tibber include taxes; a note
    says so.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    where : mapping of str to str, optional
        Which series, where the file holds several, such as ``{"area": "SE3"}``.
    unit : str, optional
        Unit of the prices, such as SEK/kWh, where the document does not say it (SMARD, and Tibber
        where its currency was not asked for).
    timezone : str, optional
        IANA zone of local days, kept for later; the times of a document need none.
    resample : str, optional
        Step of the result, such as ``1h``, where the steps are not all as long.
    missing : {"problem", "nan", "hold"}, default "problem"
        What steps without a price become: an error, NaN, or the price before. A null at the end is
        a price to come, and is left out.

    Returns
    -------
    xarray.Dataset
        ``day_ahead`` on ``time`` (naive UTC, interval start, uniform), in the unit and currency of
        the file.

    Raises
    ------
    InputFileError
        The file cannot be read, or its records are of no known source. It is a `SchemaError`.
    SchemaError
        Several series and no choice, one page of several, no unit, and everything wrong with the
        times or the numbers.

    Examples
    --------
    >>> import pathlib
    >>> from v2g_linopy.data import read_price_records
    >>> hours = [[1772582400000, 85.2], [1772586000000, 80.1]]
    >>> text = f'{{"meta_data": {{"version": 1}}, "series": {hours}}}'
    >>> size = pathlib.Path("smard.json").write_text(text)
    >>> prices = read_price_records("smard.json", unit="EUR/MWh")
    >>> prices.day_ahead.values.tolist(), str(prices.time.values[0])[:16]
    ([85.2, 80.1], '2026-03-04T00:00')
    """
    source = str(path)
    document = read_records(path, Document).root
    shape = _shape_of(path)
    _check_pages(document, shape, source)
    points = _points(document, shape, where, unit, source)
    out = price_series(points, resample=resample, missing=missing, timezone=timezone, source=source)
    return out.assign_attrs(source=f"{shape.source}, {Path(path).name}")


def is_json(path: Path) -> bool:
    """Say whether a file begins as JSON does."""
    return beginning(path).lstrip().startswith(("{", "["))


def _shape_of(path: str | Path) -> Shape:
    """Return the shape whose names are in the text of a document."""
    text = read_text(path)
    fitting = (s for s in SHAPES if all(f'"{mark}"' in text for mark in s.marks))
    shape = next(fitting, None)
    if shape is None:
        known = first_few([s.source for s in SHAPES], len(SHAPES))
        detail = f"holds records of no known source of prices; these are {known}"
        raise InputFileError(path, detail)
    return shape


def _check_pages(document: pydantic.JsonValue, shape: Shape, source: str) -> None:
    """Refuse one page of several: the prices on the others would be missing."""
    problems = []
    for name in shape.pages:
        for place, value in _found(document, name):
            if value is not None:
                detail = (
                    "is not null: the file is one page of several, and the prices of the others"
                    " are not in it; ask for all in one (page_size=1500), or import each page"
                    f" with {name} set to null"
                )
                problems.append(Problem(place, "missing", detail))
    if problems:
        raise SchemaError(problems, source)


def _points(
    document: pydantic.JsonValue, shape: Shape, where: Where | None, unit: str | None, source: str
) -> PricePoints:
    """Return the prices of one series of a document."""
    price = _found(document, shape.price)
    start, end = _found(document, shape.start), _found(document, shape.end)
    if "*" in shape.price:
        price, start, end = _by_area(document, shape)
    if not price:
        raise InputFileError(source, f"has no prices where {shape.source} has them: {shape.price}")
    if len(start) != len(price):
        detail = f"{len(start)} times and {len(price)} prices"
        raise SchemaError([Problem(shape.start, "dims", detail)], source)
    kinds = _kinds(document, shape, price)
    picked = choose_series(kinds, where, source)
    price, start = [price[k] for k in picked], [start[k] for k in picked]

    problems: list[Problem] = []
    value = collect_problems(problems, lambda: _numbers(price, source))
    begin = collect_problems(problems, lambda: _times(start, shape.clock, source))
    until = None
    if end:
        last = [end[k] for k in picked]
        until = collect_problems(problems, lambda: _times(last, shape.clock, source))
    named = collect_problems(problems, lambda: _unit(document, shape, unit, source))
    if value is None or begin is None or named is None or problems:
        raise SchemaError(problems, source)
    area = kinds[picked[0]].get("area", "")
    return PricePoints(
        begin,
        value,
        named,
        None if until is None else _minutes(begin, until, start, source),
        _zone(document, shape, area),
        area,
        (shape.note,) if shape.note else (),
    )


def _found(value: pydantic.JsonValue, path: str) -> Found:
    """Return the values at a path of a document, each with its place; null where one is lacking."""
    if not path:
        return []
    found: Found = [("", value)]
    for step in path.split("."):
        names = step.removesuffix("[]").split("|")
        found = [
            inner
            for place, outer in found
            for name in names
            for inner in _entered(place, outer, name, step.endswith("[]"), len(names) > 1)
        ]
    return found


def _entered(
    place: str, value: pydantic.JsonValue, name: str, every: bool, optional: bool
) -> Iterator[tuple[str, pydantic.JsonValue]]:
    """Yield what a value holds under a name, or each of a list there."""
    if name.isdecimal():
        held = value[int(name)] if isinstance(value, list) and len(value) > int(name) else None
        here = f"{place}[{name}]"
    else:
        held = value.get(name) if isinstance(value, dict) else None
        here = f"{place}.{name}".lstrip(".")
    if not every:
        yield here, held
    elif isinstance(held, list):
        yield from ((f"{here}[{k}]", inner) for k, inner in enumerate(held))
    elif held is not None and not optional:
        yield here, None


def _by_area(document: pydantic.JsonValue, shape: Shape) -> tuple[Found, Found, Found]:
    """Return prices, starts and ends where each record holds the prices of several areas."""
    maps = _found(document, shape.price.removesuffix(".*"))
    price: Found = []
    start: Found = []
    end: Found = []
    begins, ends = _found(document, shape.start), _found(document, shape.end)
    areas = {area for _, held in maps if isinstance(held, dict) for area in held}
    for area in sorted(areas):
        for (place, held), begin, until in zip(maps, begins, ends, strict=True):
            price.append((f"{place}.{area}", held.get(area) if isinstance(held, dict) else None))
            start.append(begin)
            end.append(until)
    return price, start, end


def _kinds(document: pydantic.JsonValue, shape: Shape, price: Found) -> Sequence[Mapping[str, str]]:
    """Return what tells the series of a document apart, for each price."""
    if "*" in shape.price:
        return [{"area": place.rpartition(".")[2]} for place, _ in price]
    kinds: list[dict[str, str]] = [{} for _ in price]
    for name, path in shape.kinds.items():
        if path.endswith("[]"):  # one series per member of a list: its number
            for kind, (place, _) in zip(kinds, price, strict=True):
                kind[name] = str(int(place.removeprefix(path[:-1]).partition("]")[0]) + 1)
        else:
            for kind, (_, value) in zip(kinds, _found(document, path), strict=True):
                if value is not None:
                    kind[name] = str(value)
    return kinds


def _numbers(found: Found, source: str) -> np.ndarray:
    """Return prices, NaN for null."""
    wrong = [
        f"{place}: {value!r}"
        for place, value in found
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)))
    ]
    value = np.array([_as_float(v) for _, v in found], dtype=float)
    wrong += [f"{found[k][0]}: {found[k][1]!r}" for k in np.flatnonzero(np.isinf(value))]
    if wrong:
        raise SchemaError([Problem("price", "type", f"no number at {first_few(wrong)}")], source)
    return value


def _as_float(value: object) -> float:
    """Return a number, infinity for one that is too large to be one, NaN for what is none."""
    if not isinstance(value, (int, float)):
        return np.nan
    return np.inf if abs(value) >= LARGEST else float(value)


def _times(found: Found, clock: Clock, source: str) -> pd.DatetimeIndex:
    """Return times in UTC, as a naive index."""
    if clock == "iso":
        fits = [
            isinstance(value, str) and re.search(r"T.*(Z|[+-]\d\d:?\d\d)$", value) is not None
            for _, value in found
        ]
        wanted = "text with an offset, such as 2026-03-01T00:00:00Z"
    else:
        fits = [isinstance(v, (int, float)) and not isinstance(v, bool) for _, v in found]
        wanted = f"{'milliseconds' if clock == 'ms' else 'seconds'} since 1970"
    cells = pd.Series([value if fit else None for (_, value), fit in zip(found, fits, strict=True)])
    if clock == "iso":
        parsed = pd.to_datetime(cells, format="ISO8601", errors="coerce", utc=True)
    else:
        parsed = pd.to_datetime(cells, unit=clock, errors="coerce", utc=True)
    times = pd.DatetimeIndex(parsed).tz_localize(None)
    odd = np.flatnonzero(times.isna() | (times.year < 1990) | (times.year > 2100))
    if len(odd):
        where = first_few([f"{found[k][0]}: {found[k][1]!r}" for k in odd])
        raise SchemaError([Problem("time", "time", f"no {wanted} at {where}")], source)
    return times


def _minutes(
    begin: pd.DatetimeIndex, until: pd.DatetimeIndex, found: Found, source: str
) -> np.ndarray:
    """Return how many minutes each price holds."""
    minutes = np.asarray((until - begin) / timedelta(minutes=1))
    odd = np.flatnonzero((minutes <= 0) | (minutes % 1 != 0))
    if len(odd):
        where = first_few([f"{found[k][0]}: {minutes[k]:g} min" for k in odd])
        raise SchemaError([Problem("time", "time", f"no length of a step at {where}")], source)
    return minutes.astype(np.int64)


def _unit(document: pydantic.JsonValue, shape: Shape, given: str | None, source: str) -> str:
    """Return the unit of the prices, as the document says it or, where it does not, as given."""
    told = _told_units(document, shape)
    known = price_units()
    wrong = [unit for unit in told if unit not in known]
    if wrong or len(told) > 1:
        detail = f"prices in {first_few(told)}; one of these is read: {first_few(known, 8)}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    if told and given not in (None, told[0]):
        detail = f"{given} is given, the document says {told[0]}"
        raise SchemaError([Problem("unit", "unit", detail)], source)
    if told or given:
        return told[0] if told else str(given)
    examples = ("EUR/kWh", "SEK/kWh") if shape.currency else ("EUR/MWh",)
    such = Remedy("unit", examples, advice="give {}, as the source says")
    detail = f"the document of {shape.source} does not say the unit and currency of its prices"
    raise SchemaError([Problem("unit", "unit", detail, (such,))], source)


def _told_units(document: pydantic.JsonValue, shape: Shape) -> list[str]:
    """Return the units that a document names, each once, in the words of this package."""
    if shape.unit is None:
        return []
    if shape.currency:
        money = [value for _, value in _found(document, shape.currency) if value is not None]
        return list(dict.fromkeys(shape.unit.format(currency=value) for value in money))
    if "/" in shape.unit:
        return [shape.unit]
    written = [str(value) for _, value in _found(document, shape.unit) if value is not None]
    return list(dict.fromkeys(_in_our_words(unit) for unit in written))


def _in_our_words(unit: str) -> str:
    """Write a unit as it is written here.

    >>> _in_our_words("Eur / MWh"), _in_our_words("Cent/kWh")
    ('EUR/MWh', 'Cent/kWh')
    """
    plain = unit.replace(" ", "").replace("€", "EUR")
    money, slash, rest = plain.partition("/")
    return f"{money.upper()}/{rest}" if slash and len(money) == 3 else plain


def _zone(document: pydantic.JsonValue, shape: Shape, area: str) -> str | None:
    """Return the zone of the market, where the document tells it."""
    text = " ".join(str(value) for _, value in _found(document, shape.zone_from))
    for word, zone in shape.zones.items():
        if area.startswith(word) or word in text:
            return zone
    return shape.zone or None
