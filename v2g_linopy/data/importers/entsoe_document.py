"""Documents of the ENTSO-E transparency platform: prices in XML of type A44, by IEC 62325-351."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from ...errors import InputFileError, Problem, SchemaError
from ..tables.files import collect_problems
from ..tables.numbers import plain_number
from ..tables.text import read_text
from .choices import COUPLED, Where, choose_series
from .price_points import MINUTE, STEPS, PricePoints

PRICES = "A44"
FIXED_BLOCKS, VARIABLE_BLOCKS = "A01", "A03"
RESOLUTIONS = {"PT15M": 15, "PT30M": 30, "PT60M": 60, "PT1H": 60}
ATTRIBUTES = {
    "area": "in_Domain.mRID",
    "sequence": "classificationSequence_AttributeInstanceComponent.position",
    "contract": "contract_MarketAgreement.type",
    "auction": "auction.type",
}
"""Elements that tell one series of a document from another."""
ZONES: Mapping[str, str] = {
    "10Y1001A1001A82H": "Europe/Berlin",
    "10Y1001A1001A63L": "Europe/Berlin",
    "10YAT-APG------L": "Europe/Vienna",
    "10YBE----------2": "Europe/Brussels",
    "10YCA-BULGARIA-R": "Europe/Sofia",
    "10YCH-SWISSGRIDZ": "Europe/Zurich",
    "10YCZ-CEPS-----N": "Europe/Prague",
    "10YDK-1--------W": "Europe/Copenhagen",
    "10YDK-2--------M": "Europe/Copenhagen",
    "10YES-REE------0": "Europe/Madrid",
    "10YFI-1--------U": "Europe/Helsinki",
    "10YFR-RTE------C": "Europe/Paris",
    "10YGR-HTSO-----Y": "Europe/Athens",
    "10YHU-MAVIR----U": "Europe/Budapest",
    "10YNL----------L": "Europe/Amsterdam",
    "10YPL-AREA-----S": "Europe/Warsaw",
    "10YPT-REN------W": "Europe/Lisbon",
    "10YRO-TEL------P": "Europe/Bucharest",
    "10Y1001A1001A44P": "Europe/Stockholm",
    "10Y1001A1001A45N": "Europe/Stockholm",
    "10Y1001A1001A46L": "Europe/Stockholm",
    "10Y1001A1001A47J": "Europe/Stockholm",
    "10YNO-1--------2": "Europe/Oslo",
    "10YNO-2--------T": "Europe/Oslo",
    "10Y1001A1001A73I": "Europe/Rome",
}
"""Zones of the clocks of some areas, by their code (EIC)."""

Element = ElementTree.Element


def points_of_document(path: str | Path, where: Where | None) -> PricePoints:
    """Return the prices of one series of a document.

    Raises
    ------
    InputFileError
        The file is no document of prices.
    SchemaError
        Several series and no choice, or faults of a series, all at once.
    """
    source = str(path)
    every = [child for child in _document(path) if _name(child) == "TimeSeries"]
    if not every:
        raise InputFileError(path, "holds no TimeSeries")
    kinds = [
        {name: text for name, tag in ATTRIBUTES.items() if (text := _text(one, tag))}
        for one in every
    ]
    picked = [every[place] for place in choose_series(kinds, where, source, COUPLED)]

    problems: list[Problem] = []
    blocks = [
        collect_problems(problems, partial(_block, one, at, source))
        for one in picked
        for at in _children(one, "Period")
    ]
    units = list(dict.fromkeys(_unit(one, problems) for one in picked))
    if len(units) > 1:
        problems.append(Problem("TimeSeries", "unit", f"prices in {' and '.join(units)}"))
    if problems:
        raise SchemaError(problems, source)
    found = [block for block in blocks if block is not None]
    if not found:
        raise InputFileError(path, "holds no Period")
    area = kinds[every.index(picked[0])].get("area", "")
    return PricePoints(
        pd.DatetimeIndex(np.concatenate([start.to_numpy() for start, _, _ in found])),
        np.concatenate([value for _, value, _ in found]),
        units[0],
        np.concatenate([minutes for _, _, minutes in found]),
        ZONES.get(area),
        area,
        _left_out(kinds, every, picked),
    )


def _document(path: str | Path) -> Element:
    """Return the root of a document of prices."""
    text = read_text(path)
    if "<!DOCTYPE" in text:
        raise InputFileError(path, "declares a DOCTYPE, which no document of the platform has")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        detail = f"cannot be read as XML, it may be cut off: {error}"
        raise InputFileError(path, detail) from error
    kind, reason = _text(root, "type"), " ".join(_text(one, "text") for one in root)
    if _name(root) == "Acknowledgement_MarketDocument":
        detail = f"is a refusal of the platform and holds no prices: {reason.strip()}"
        raise InputFileError(path, detail)
    if kind != PRICES:
        detail = f"is a document of type {kind or 'none'}; prices are of type {PRICES}"
        raise InputFileError(path, detail)
    return root


def _block(
    series: Element, period: Element, source: str
) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """Return start, price and minutes of every position of a period."""
    place = f"TimeSeries {_text(series, 'mRID')}"
    curve = _text(series, "curveType") or FIXED_BLOCKS
    resolution = _text(period, "resolution")
    problems = []
    if curve not in (FIXED_BLOCKS, VARIABLE_BLOCKS):
        detail = f"curve type {curve}; {FIXED_BLOCKS} and {VARIABLE_BLOCKS} are read"
        problems.append(Problem(place, "choice", detail))
    if resolution not in RESOLUTIONS:
        steps = ", ".join(STEPS.values())
        detail = f"resolution {resolution or 'none'}; steps of {steps} are read"
        problems.append(Problem(place, "time", detail))
    if problems:
        raise SchemaError(problems, source)

    minutes = RESOLUTIONS[resolution]
    start, count = _interval(period, minutes, place, source)
    value = _values(period, count, curve, place, source)
    time = start + pd.to_timedelta(np.arange(count) * minutes, unit="min")
    return pd.DatetimeIndex(time), value, np.full(count, minutes)


def _interval(period: Element, minutes: int, place: str, source: str) -> tuple[pd.Timestamp, int]:
    """Return when a period begins, and how many steps it has."""
    interval = next(_children(period, "timeInterval"), period)
    edges = []
    for tag in ("start", "end"):
        text = _text(interval, tag)
        edge = pd.to_datetime(text, errors="coerce")
        if pd.isna(edge) or edge.tzinfo is None:
            detail = f"{tag} of the period is {text!r}, no time with its zone (2026-03-01T23:00Z)"
            raise SchemaError([Problem(place, "time", detail)], source)
        edges.append(edge.tz_convert("UTC").tz_localize(None))
    length = (edges[1] - edges[0]).value
    if length <= 0 or length % (minutes * MINUTE):
        detail = f"the period {edges[0]} to {edges[1]} UTC is no whole number of {minutes} min"
        raise SchemaError([Problem(place, "time", detail)], source)
    return edges[0], length // (minutes * MINUTE)


def _values(period: Element, count: int, curve: str, place: str, source: str) -> np.ndarray:
    """Return the price of every position; one that is left out is NaN, or the one before (A03)."""
    value, given = np.full(count, np.nan), np.zeros(count, bool)
    problems = []
    for point in _children(period, "Point"):
        at, price = _text(point, "position"), _text(point, "price.amount")
        if not at.isdecimal() or not 1 <= int(at) <= count:
            detail = f"position {at!r}; the period has the positions 1 to {count}"
            problems.append(Problem(place, "range", detail))
        elif given[int(at) - 1]:
            problems.append(Problem(place, "time", f"position {at} is given more than once"))
        elif (number := plain_number(price)) is None:
            detail = f"position {at}: {price!r} is no price"
            problems.append(Problem(place, "type", detail))
        else:
            value[int(at) - 1], given[int(at) - 1] = number, True
    if curve == VARIABLE_BLOCKS and count and not given[0] and not problems:
        problems.append(Problem(place, "missing", "the first position of the period is left out"))
    if problems:
        raise SchemaError(problems, source)
    if curve == VARIABLE_BLOCKS:
        value = value[np.maximum.accumulate(np.where(given, np.arange(count), 0))]
    return value


def _unit(series: Element, problems: list[Problem]) -> str:
    """Return the unit of a series; add a problem where it has none or another."""
    currency = _text(series, "currency_Unit.name")
    measure = _text(series, "price_Measure_Unit.name")
    if len(currency) != 3 or not currency.isalpha() or measure != "MWH":
        words = f"{currency or 'no currency'} per {measure or 'no measure'}"
        detail = f"prices in {words}; a currency per MWH is read"
        problems.append(Problem(f"TimeSeries {_text(series, 'mRID')}", "unit", detail))
    return f"{currency}/MWh"


def _left_out(
    kinds: list[dict[str, str]], every: list[Element], picked: list[Element]
) -> tuple[str, ...]:
    """Say which series of the file were not chosen."""
    others = [
        ", ".join(f"{name} {value}" for name, value in kind.items())
        for kind, one in zip(kinds, every, strict=True)
        if one not in picked
    ]
    return tuple(f"Left out, another series of the file: {words}." for words in others)


def _name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _children(element: Element, name: str) -> Iterator[Element]:
    """Yield the children of one name."""
    return (child for child in element if _name(child) == name)


def _text(element: Element, name: str) -> str:
    """Return the text of a child, empty where there is none."""
    return next(((child.text or "").strip() for child in _children(element, name)), "")
