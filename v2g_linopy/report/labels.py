"""Numbers and entries in words, the same on the page, in figures and on the terminal."""

import math
from collections.abc import Mapping

from ..model.part import Part
from ..parts.catalogue import PARTS

THIN, MINUS, NONE = "\u202f", "\u2212", "\u2013"
"""Narrow no-break space between thousands, a true minus, and a dash where there is no number."""

CAUSES = {
    "energy": "energy",
    "reserve": "reserves",
    "wear": "battery wear",
    "drivers": "drivers' payments",
    "owners": "payments to owners",
    "grid": "grid tariffs and taxes",
    "penalties": "penalties (not in profit)",
    "other": "other entries",
}
RUNGS = {
    "unmanaged": "Every vehicle charges at full power from arrival until its need is met.",
    "smart": (
        "Energy shift: the same charging need is met in the cheapest hours of the stay. Nothing is"
        " fed back."
    ),
    "V2G": (
        "Arbitrage: batteries also buy in cheap hours and sell in dear ones, as far as losses and"
        " wear allow."
    ),
    "smart + reserves": (
        "Reserve revenue without feeding back: charging is lowered or raised on call,"
        " and being ready is paid."
    ),
    "V2G + reserves": (
        "Reserve revenue with the whole range between full charging and full feeding back."
    ),
    "calls netted": (
        "The same as if calls upward and downward that cancel within a step cost neither wear nor"
        " losses: what it earns more is what calls take."
    ),
    "no least bids": (
        "The same as if any volume could be bid: what it earns more is what least bids and bid"
        " steps take."
    ),
    "all accepted": (
        "The same as if every offer were accepted: what it earns more is what offers take that are"
        " not."
    ),
    "operated": "What a simulation came to: decided on what was known by then.",
    "known in advance": (
        "The best plan for the same accepted offers: what it earns more is what not knowing the"
        " future takes."
    ),
}
TAKES = {
    "calls netted": "calls take",
    "no least bids": "least bids take",
    "all accepted": "offers that are not accepted take",
    "known in advance": "not knowing the future takes",
}
"""What is left out on the rungs beside the last one, and takes of what that earns."""

ADDS = {
    "unmanaged": "unmanaged charging",
    "smart": "smart charging",
    "V2G": "V2G",
    "smart + reserves": "reserves",
    "V2G + reserves": "reserves",
}
"""What a rung adds to the one that it is compared with."""


def rung_adds(rung: str, against: str, change: float) -> str:
    """Return what a rung of the ladder adds, and to which one.

    >>> rung_adds("V2G + reserves", "V2G", 3130.6), rung_adds("V2G", "smart", 1e-9)
    ('reserves add +3\u202f131 to V2G', 'V2G adds 0 to smart charging')
    """
    added, base = ADDS.get(rung, rung), ADDS.get(against, against)
    return f"{added} {'add' if added == 'reserves' else 'adds'} {rung_amount(change)} to {base}"


def rung_amount(change: float) -> str:
    """Return money with its sign, 0 where there is next to none.

    >>> rung_amount(3130.6), rung_amount(1e-9)
    ('+3\u202f131', '0')
    """
    return signed_amount(change) if abs(change) >= 0.005 else "0"


def entry(name: str, parts: Mapping[str, Part] = PARTS) -> str:
    """A ledger entry in words, as its part declares; an unknown one keeps its name.

    >>> entry("chp.fuel"), entry("renewable.cost")
    ('fuel of the heat and power plants', 'renewable: cost')
    """
    part, _, leaf = name.partition(".")
    declared = parts[part].entries.get(leaf) if part in parts else None
    label = "" if declared is None else declared.label
    return label or name.replace("_", " ").replace(".", ": ", 1)


def asset(name: str, parts: Mapping[str, Part] = PARTS) -> str:
    """A kind of asset in words, as it declares; an unknown one keeps its name."""
    label = parts[name].label if name in parts else ""
    return label or name.replace("_", " ")


def member(name: str, parts: Mapping[str, Part] = PARTS) -> str:
    """One member of a part in words, as it declares; an unknown one has the name of the part."""
    label = parts[name].member_label if name in parts else ""
    return label or name


def market(name: str) -> str:
    """A market as it is called.

    >>> market("day_ahead")
    'day-ahead'
    """
    return name.replace("_", "-")


def shown_number(value: float, decimals: int | None = None) -> str:
    """Return a number for people.

    It has spaces between thousands, a true minus, and about four digits unless `decimals` says
    otherwise.

    >>> shown_number(-1234567.8)
    '−1 234 568'
    >>> shown_number(0.0833333), shown_number(12.5), shown_number(float("nan"))
    ('0.08333', '12.5', '–')
    """
    if value is None or not math.isfinite(value):
        return NONE
    places = decimals
    if places is None:
        places = 0 if value == 0 else min(max(3 - math.floor(math.log10(abs(value))), 0), 8)
    text = f"{value:,.{places}f}"
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")
    if "." in text and decimals is None:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", THIN).replace("-", MINUS)


def money(value: float) -> str:
    """An amount to the cent.

    >>> money(-1234.5), money(0.001), money(-0.001)
    ('−1\u202f234.50', '0.00', '0.00')
    """
    return shown_number(value, 2)


def amount(value: float) -> str:
    """An amount in prose: no cents where they do not matter.

    >>> amount(3350.64), amount(43.64), amount(0.5214)
    ('3\u202f351', '43.6', '0.52')
    """
    return shown_number(value, _places(abs(value)))


def signed_amount(value: float) -> str:
    """A difference in prose, with its sign."""
    return signed(value, _places(abs(value)))


def _places(largest: float) -> int:
    return 0 if largest >= 100 else 1 if largest >= 10 else 2


def signed(value: float, decimals: int | None = None) -> str:
    """A difference, with its sign."""
    text = shown_number(value, decimals)
    return text if text.startswith(MINUS) or text.strip("0.") in ("", NONE) else f"+{text}"


def parts(amounts: dict[str, float]) -> str:
    """Signed amounts, the largest first, to the same place; what would read 0 is left out.

    >>> parts({"energy": -251.04, "reserves": 3647.2, "wear": 0.1})
    'reserves +3\u202f647, energy −251'
    """
    places = _places(max((abs(a) for a in amounts.values()), default=0.0))
    kept = {name: a for name, a in amounts.items() if abs(a) >= 0.5 * 10.0**-places}
    order = sorted(kept, key=lambda name: -abs(kept[name]))
    return ", ".join(f"{name} {signed(kept[name], places)}" for name in order)


def count(number_of: float, word: str) -> str:
    """A count and its noun.

    >>> count(1, "vehicle"), count(1200, "vehicle"), count(2, "battery")
    ('1 vehicle', '1\u202f200 vehicles', '2 batteries')
    """
    return f"{shown_number(number_of, 0)} {word if number_of == 1 else plural(word)}"


def plural(noun: str) -> str:
    """Several of a noun.

    >>> plural("day"), plural("battery")
    ('days', 'batteries')
    """
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def span(hours: float) -> str:
    """A length of time in its natural unit."""
    if hours < 1:
        return (
            count(round(hours * 60, 1), "minute")
            if hours * 60 == round(hours * 60)
            else f"{hours * 60:g} minutes"
        )
    if hours < 48:
        return f"{hours:g} hour" + ("" if hours == 1 else "s")
    return f"{shown_number(hours / 24, 0 if hours % 24 == 0 else 1)} days"
