"""Units as people write them: in the header of a column, or in its cells."""

import re
from collections.abc import Iterable

from ...case.units import TABLE, factor
from ...errors import Problem, SchemaError
from .wording import first_few

CURRENCIES = (
    *("EUR", "GBP", "USD", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "BGN", "ISK"),
    *("TRY", "UAH", "RSD", "MKD", "BAM", "AUD", "NZD", "CAD", "JPY", "CNY", "INR", "KRW", "SGD"),
    *("HKD", "BRL", "MXN", "ZAR", "ILS"),
)
_SIGNS = {
    "EUR": ("€", "euro", "euros"),
    "GBP": ("£",),
    "USD": ("$", "us$"),
    "AUD": ("a$", "au$"),
    "NZD": ("nz$",),
    "CAD": ("c$", "ca$"),
    "PLN": ("zł",),
    "CZK": ("kč",),
    "HUF": ("ft",),
    "RON": ("lei",),
    "TRY": ("₺",),
    "INR": ("₹",),
    "kr": ("kr", "kr."),  # of Sweden, Norway or Denmark: it does not say
    "ct": (
        *("ct", "ct.", "cent", "cents", "c", "¢", "€ct", "ct€", "c€", "€cent", "eurct"),
        *("eur-ct", "euro-ct", "euro-cent", "eurocent", "eurocents", "eur-cent"),
    ),
    "p": ("p", "pence", "penny"),
    "öre": ("öre", "øre"),
    "Rp": ("rp", "rp.", "rappen"),
}
_MONEY = {code.lower(): code for code in CURRENCIES}
_MONEY |= {sign: money for money, signs in _SIGNS.items() for sign in signs}
_UNSURE = frozenset({"p", "c", "ft", "lei", "kr", "try", "rp", "$", "€", "£"})
"""Money that needs a stroke or `per` behind it, or a word for a price before it."""

_PRICE_WORDS = (
    *("price", "preis", "prijs", "prix", "prezzo", "precio", "pris", "cena"),
    *("tarif", "rate", "cost"),
)
_ENERGY_WORDS = ("energ", "énerg", "arbeit", "verbrauch", "consum", "deliver", "meter")
_POWER_WORDS = ("power", "leistung", "puissance", "poten", "vermogen", "effekt", "load", "demand")

_SYMBOLS = {unit.lower(): unit for unit in ("W", "kW", "MW", "GW", "Wh", "kWh", "MWh", "GWh")}
_TABLE = {unit.lower(): unit for unit in TABLE if unit != "1"}
_SPANS = {"h": "h", "hour": "h", "hr": "h", "month": "month", "year": "year", "a": "a"}

_PER = r"\s*/\s*|[\s_-]+(?:per|pro|par|por|je)[\s_-]+"
_NO_LETTER_BEFORE = r"(?<![^\W\d_])"
_NO_LETTER_AFTER = r"(?![^\W\d_])"
_MONEY_PER = re.compile(
    rf"{_NO_LETTER_BEFORE}(?P<money>{'|'.join(map(re.escape, sorted(_MONEY, key=len)[::-1]))})"
    rf"(?:(?P<stroke>{_PER})|[\s_-]*)"
    rf"(?P<per>[kmg]?w[\s·*]?h|[km]w)"
    rf"(?:(?:{_PER}|_)(?P<span>{'|'.join(_SPANS)}))?{_NO_LETTER_AFTER}",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    rf"{_NO_LETTER_BEFORE}(?P<symbol>[kmg]?wh?){_NO_LETTER_AFTER}(?!{_PER})", re.IGNORECASE
)
_WORD_PER = re.compile(r"([^\W\d_]+)\s*/\s*$|[\s_-](?:per|pro|par|por|je)[\s_-]+$", re.IGNORECASE)
_A_NUMBER = re.compile(rf"{_NO_LETTER_BEFORE}\d+[.,]?\d+\s?$")
_OTHER_UNIT = re.compile(
    r"(?<![^\W_])(?:[kMGT]?J|[kM]?VA|MMBtu|BTU(?:/h)?|therms?|PS|[kM]?cal|TWh|Ah|kilowattstunden?)"
    r"(?![^\W_])"
)
_ENERGY_OF_A_STEP = re.compile(
    r"[kMG]?Wh\s*(?:/|per|pro|je)\s*[0-9]*\s*(?:min|h\b|hours?|quarter|viertel)\S*", re.IGNORECASE
)
_MULTIPLIED = re.compile(
    r"(?:[0-9]\s*[kMG]?Wh?\b|[x×*^]\s*-?[0-9]|(?<![^\W\d_])(?:[tmkTMK]|Mio\.?\s*|Tsd\.?\s*)(?:EUR|€|GBP|USD))"
)
_LIKE_A_UNIT = re.compile(
    r"(?:€|£|\$|EUR|GBP|USD|CHF|SEK|NOK|DKK|PLN|ct|cents?|pence|\bp)\s*(?:/|per)"
    rf"|{_OTHER_UNIT.pattern}|^(?:sec|seconds?|s|hrs|A|V|ms)$",
    re.IGNORECASE,
)
_PER_CENT = re.compile(r"(?<!\d)(?<!\d\s)%")


def named_unit(header: str) -> str | None:
    """The unit that a header names, in brackets or as a word.

    Parameters
    ----------
    header : str
        The header of a column, such as ``Price [EUR/MWh]``, ``price_eur_mwh`` or ``kWhDelivered``.

    Returns
    -------
    str or None
        As `case.units` writes it, another currency in place of EUR: ``GBP/MWh``; prices in a
        hundredth of a money are ``ct/kWh``, ``p/kWh``, ``öre/kWh`` and ``Rp/kWh``. A price in money
        that is not known is returned as it is written; ``$`` alone is USD. None where the header
        names no unit.

    Examples
    --------
    >>> headers = ("Preis (Cent/kWh)", "DE-LU [€/MWh]", "Energie [Wh]", "Price (CET)")
    >>> [named_unit(header) for header in headers]
    ['ct/kWh', 'EUR/MWh', 'Wh', None]
    >>> headers = ("price_eur_mwh", "Pence per kWh", "kWhDelivered", "Power W", "£/MWh")
    >>> [named_unit(header) for header in headers]
    ['EUR/MWh', 'p/kWh', 'kWh', 'W', 'GBP/MWh']
    >>> headers = ("Wholesale", "which", "Hour", "BZN|DE-LU", "Price per kWh", "PUN €")
    >>> [named_unit(header) for header in headers]
    [None, None, None, None, None, None]
    """
    header = re.sub(r"(?<=[^\W\d_])\(s\)", "", header)  # Price(s)
    for pair in re.findall(r"\[([^\]]+)\]|\(([^)]+)\)", header):
        if unit := _in_brackets("".join(pair), header):
            return unit
    return _money_per(header, header) or _quantity(header, header)


def strange_unit(header: str) -> str | None:
    """What of a header looks like a unit and is none that is known; None where nothing does.

    >>> headers = ("Load [MJ]", "kWh/15min", "P [kVA]", "[EUR/GJ]", "[tEUR/MWh]", "[EUR/100kWh]")
    >>> [strange_unit(header) for header in headers]
    ['MJ', 'kWh/15min', 'kVA', 'EUR/GJ', 'tEUR/MWh', 'EUR/100kWh']
    >>> headers = ("Price (CET)", "Price [EUR/MWh]", "Power (kW)", "Load (site 1)", "Current plan")
    >>> [strange_unit(header) for header in headers]
    [None, None, None, None, None]
    """
    for pair in re.findall(r"\[([^\]]+)\]|\(([^)]+)\)", header):
        text = "".join(pair).strip()
        known = named_unit(f"[{text}]") is not None
        if _MULTIPLIED.search(text) or (not known and _LIKE_A_UNIT.search(text)):
            return text
    found = _ENERGY_OF_A_STEP.search(header) or _OTHER_UNIT.search(_in_words(header))
    return found[0].strip() if found else None


def unit_of_cells(cells: Iterable[object], source: str = "the input") -> str | None:
    """The one unit that the cells of a column name, such as ``Eur/MWh`` or ``GBP`` in each row.

    Parameters
    ----------
    cells : iterable
        One of each row, from the first below the header; empty cells say nothing.
    source : str, default "the input"
        The file, for the message.

    Returns
    -------
    str or None
        As `named_unit` writes it; a currency alone is its code. None where all cells are empty.

    Raises
    ------
    SchemaError
        Cells that name no unit, or several units, with the rows where they stand.

    Examples
    --------
    >>> unit_of_cells(["Eur/MWh", "EUR/MWh", ""]), unit_of_cells(["GBP"]), unit_of_cells([None])
    ('EUR/MWh', 'GBP', None)
    >>> unit_of_cells(["EUR/MWh", "ct/kWh", "ct/kWh"])
    Traceback (most recent call last):
    ...
    v2g_linopy.errors.SchemaError: 1 problem in the input
      unit   has several units: EUR/MWh (row 2), ct/kWh (row 3, 4); give a file of one
    """
    rows: dict[str, list[int]] = {}
    for k, cell in enumerate(cells):
        text = "" if cell is None or cell != cell else str(cell).strip()
        if text:
            rows.setdefault(text, []).append(k + 2)

    unknown = [text for text in rows if named_unit(f"[{text}]") is None]
    units: dict[str, list[int]] = {}
    for text in rows:
        units.setdefault(named_unit(f"[{text}]") or text, []).extend(rows[text])

    problems = []
    if unknown:
        places = first_few(f"row {first_few(rows[text])}: {text!r}" for text in unknown)
        problems.append(Problem("unit", "unit", f"not a unit at {places}"))
    elif len(units) > 1:
        several = first_few(f"{u} (row {first_few(sorted(at))})" for u, at in units.items())
        detail = f"has several units: {several}; give a file of one"
        problems.append(Problem("unit", "unit", detail))
    if problems:
        raise SchemaError(problems, source)
    return next(iter(units), None)


def is_money(named: str, unit: str) -> bool:
    """Whether a unit that a header names is `unit` in other money.

    >>> is_money("GBP/MWh", "EUR/MWh"), is_money("p/kWh", "EUR/MWh"), is_money("kWh", "EUR/MWh")
    (True, True, False)
    """
    money = named.partition("/")[0]
    scale = factor(named.replace(money, "EUR", 1), unit) if money in _MONEY.values() else None
    return scale is not None


def _in_brackets(text: str, header: str) -> str | None:
    """The unit that stands in brackets: all of them is one, or they name one."""
    unit = _money_per(text, "price")
    word = text.replace(" ", "")
    if unit is None and word.lower() in _TABLE and not _a_least(word, header):
        unit = _TABLE[word.lower()]
    if unit is None and word in (*CURRENCIES, *"€£", "Euro", "euro"):
        unit = _MONEY[word.lower()]
    if unit is None and re.fullmatch(r"[^/()]+/[kMG]?Wh", word):
        unit = word
    return unit or _quantity(text, header)


def _a_least(word: str, header: str) -> bool:
    """Whether `min` says the least of a price or a power, not minutes."""
    return word.lower() == "min" and _speaks_of(header, _PRICE_WORDS + _POWER_WORDS + _ENERGY_WORDS)


def _money_per(text: str, header: str) -> str | None:
    """The price per energy or power that a text names."""
    for found in _MONEY_PER.finditer(_in_words(text)):
        word = found["money"].lower()
        if word in _UNSURE and not (found["stroke"] or _speaks_of(header, _PRICE_WORDS)):
            continue
        symbol = _SYMBOLS[re.sub(r"[\s·*]", "", found["per"]).lower()]
        span = f"/{_SPANS[found['span'].lower()]}" if found["span"] else ""
        return f"{_MONEY[word]}/{symbol}{span}"
    return None


def _quantity(text: str, header: str) -> str | None:
    """The unit of power or energy, or the per cent, that a text names; not that of a price."""
    written = _in_words(text)
    for found in _QUANTITY.finditer(written):
        symbol, before = found["symbol"], written[: found.start()]
        if _A_NUMBER.search(before) or not _is_sure(symbol, header):
            continue
        over = _WORD_PER.search(before)
        if over is None or _speaks_of(over[1] or "", _ENERGY_WORDS + _POWER_WORDS):
            return _SYMBOLS[symbol.lower()]
        if over[1] in ("g", "kg", "t"):
            return f"{over[1]}/{_SYMBOLS[symbol.lower()]}"
    return "%" if _PER_CENT.search(text) else None


def _is_sure(symbol: str, header: str) -> bool:
    """Whether letters are a unit: w, wh and gw may be other words, if none tells what they are."""
    if symbol in ("Wh", "GW") or symbol.lower() not in ("w", "wh", "gw"):
        return True
    return _speaks_of(header, _ENERGY_WORDS if symbol.lower() == "wh" else _POWER_WORDS)


def _speaks_of(text: str, words: Iterable[str]) -> bool:
    return any(word in text.lower() for word in words)


def _in_words(text: str) -> str:
    """Write a text without brackets, and with `_` between words that capital letters part.

    >>> _in_words("kWhDelivered"), _in_words("maxPowerKW"), _in_words("[(EUR/MW)/h]")
    ('kWh_Delivered', 'max_Power_KW', ' EUR/MW /h ')
    """
    text = re.sub(r"[()\[\]]+", " ", text)
    text = re.sub(r"(?<=[a-zäöåø])(?=[A-ZÄÖÅØ])", "_", text)
    text = re.sub(r"(?<=[km])_(?=W)", "", text)  # kW is one word
    text = re.sub(r"(?<=[kMG]W)(?=[A-GI-Z][a-z])", "_", text)  # kWDelivered
    return re.sub(r"(?<=[^\W\d_])(?=[km]wh(?![^\W\d_]))", "_", text, flags=re.IGNORECASE)
