"""Numbers and entries in words, the same on the page, in figures and on the terminal."""

import math

THIN, MINUS, NONE = "\u202f", "\u2212", "\u2013"
"""Narrow no-break space between thousands, a true minus, and a dash where there is no number."""

ENTRIES = {
    "energy.energy": "energy bought and sold",
    "energy.spread": "market spread paid",
    "imbalance.settlement": "imbalance settled",
    "ppa.difference": "contracts: difference to the reference price",
    "ppa.correction": "contracts: earlier hours of the month at its mean of now",
    "ppa.delivery": "contracts: energy delivered at the strike",
    "ppa.shortfall": "contracts: energy short of what was due",
    "reserve.shortfall": "reserve committed and not held",
    "reserve.capacity": "reserve capacity",
    "reserve.activation": "activated reserve energy",
    "connection.supply": "energy bought from the supplier",
    "connection.feed_in": "energy sold to the supplier",
    "connection.fee_import": "grid fee, import",
    "connection.fee_export": "grid fee, export",
    "connection.tax": "energy tax",
    "connection.vat": "value added tax on energy",
    "connection.vat_capacity": "value added tax on capacity",
    "connection.peak": "peak tariff",
    "connection.subscribed": "subscribed capacity",
    "connection.overrun": "overrun of subscribed capacity",
    "connection.fixed": "operation of the connection, fixed",
    "connection.capacity": "operation of the connection, per capacity",
    "connection.usage": "operation of the connection, per energy",
    "fleet.drivers": "drivers' payments for charging",
    "chp.fuel": "fuel of the heat and power plants",
    "chp.start": "starts of the heat and power plants",
    "hydrogen.sale": "hydrogen sold",
    "hydrogen.wear": "electrolyser wear, running",
    "hydrogen.wear_standby": "electrolyser wear, in standby",
    "hydrogen.wear_start": "electrolyser wear, starts",
    "hydrogen.energy_left": "hydrogen gained in the tank, at its value",
    "fleet.wear": "battery wear, discharging",
    "fleet.wear_charge": "battery wear, charging",
    "fleet.wear_cycles": "battery wear, depth of cycles (driving included)",
    "fleet.wear_calendar": "battery wear, by time",
    "battery.wear": "stationary battery wear, discharging",
    "battery.wear_charge": "stationary battery wear, charging",
    "battery.wear_cycles": "stationary battery wear, depth of cycles",
    "battery.wear_calendar": "stationary battery wear, by time",
    "fleet.slack.unserved": "penalty: energy missing at departure",
    "fleet.slack.unserved_trip": "penalty: energy missing for trips",
    "fleet.slack.balance": "penalty: slack in the energy balance",
    "risk.adjustment": "weight of the worst scenarios (no money)",
}
ASSETS = {
    "fleet": "vehicles",
    "battery": "batteries",
    "load": "loads",
    "renewable": "sun and wind",
    "chp": "heat and power plants",
    "hydrogen": "hydrogen plants",
}
MEMBERS = {
    "chp": "heat and power plant",
    "hydrogen": "hydrogen plant",
    "renewable": "solar or wind plant",
}
CAUSES = {
    "energy": "energy",
    "reserve": "reserves",
    "wear": "battery wear",
    "drivers": "drivers' payments",
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
}


def entry(name: str) -> str:
    """A ledger entry in words; an unknown one keeps its name."""
    return ENTRIES.get(name, name.replace("_", " ").replace(".", ": ", 1))


def asset(name: str) -> str:
    """A kind of asset in words; an unknown one keeps its name."""
    return ASSETS.get(name, name.replace("_", " "))


def market(name: str) -> str:
    """A market as it is called.

    >>> market("day_ahead")
    'day-ahead'
    """
    return name.replace("_", "-")


def number(value: float, decimals: int | None = None) -> str:
    """A number for people: thousands apart, a true minus, about four digits unless `decimals` says
    otherwise.

    >>> number(-1234567.8)
    '−1\u202f234\u202f568'
    >>> number(0.0833333), number(12.5), number(float("nan"))
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
    return number(value, 2)


def amount(value: float) -> str:
    """An amount in prose: no cents where they do not matter.

    >>> amount(3350.64), amount(43.64), amount(0.5214)
    ('3\u202f351', '43.6', '0.52')
    """
    return number(value, _places(abs(value)))


def signed_amount(value: float) -> str:
    """A difference in prose, with its sign."""
    return signed(value, _places(abs(value)))


def _places(largest: float) -> int:
    return 0 if largest >= 100 else 1 if largest >= 10 else 2


def signed(value: float, decimals: int | None = None) -> str:
    """A difference, with its sign."""
    text = number(value, decimals)
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
    return f"{number(number_of, 0)} {word if number_of == 1 else plural(word)}"


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
    return f"{number(hours / 24, 0 if hours % 24 == 0 else 1)} days"
