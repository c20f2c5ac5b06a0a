"""Units at the door: files speak the market's units, the model speaks kW, kWh, h and EUR. Knows
nothing else.
"""

# unit -> (kind, factor to the coherent unit of that kind)
_POWER = {"kW": 1.0, "MW": 1e3, "W": 1e-3, "GW": 1e6}
_ENERGY = {"kWh": 1.0, "MWh": 1e3, "Wh": 1e-3, "GWh": 1e6}
_ENERGY_PRICE = {"EUR/kWh": 1.0, "EUR/MWh": 1e-3, "ct/kWh": 1e-2}
_CAPACITY_PRICE = {"EUR/kW/h": 1.0, "EUR/MW/h": 1e-3}
_RAMP = {"kW/h": 1.0, "MW/h": 1e3, "kW/min": 60.0, "MW/min": 60e3}
_PEAK_PRICE = {
    "EUR/kW": 1.0,
    "EUR/MW": 1e-3,
    "EUR/kW/month": 1.0,
    "EUR/MW/month": 1e-3,
}  # per kW of a month's peak
_YEARLY_PRICE = {"EUR/kW/year": 1.0, "EUR/kW/a": 1.0, "EUR/MW/year": 1e-3, "EUR/MW/a": 1e-3}
_MONEY_RATE = {"EUR/h": 1.0, "EUR/year": 1 / 8760, "EUR/a": 1 / 8760, "EUR/month": 12 / 8760}
TABLE: dict[str, tuple[str, float]] = {
    **{u: ("power", f) for u, f in _POWER.items()},
    **{u: ("energy", f) for u, f in _ENERGY.items()},
    **{u: ("energy price", f) for u, f in _ENERGY_PRICE.items()},
    **{u: ("capacity price", f) for u, f in _CAPACITY_PRICE.items()},
    **{u: ("ramp", f) for u, f in _RAMP.items()},
    **{u: ("peak price", f) for u, f in _PEAK_PRICE.items()},
    **{u: ("yearly capacity price", f) for u, f in _YEARLY_PRICE.items()},
    "h": ("duration", 1.0),
    "min": ("duration", 1 / 60),
    "s": ("duration", 1 / 3600),
    "1/kWh": ("rate per energy", 1.0),
    "1/MWh": ("rate per energy", 1e-3),
    "1": ("number", 1.0),
    "%": ("number", 1e-2),
    "EUR": ("money", 1.0),
    **{u: ("money rate", f) for u, f in _MONEY_RATE.items()},
}
MINOR_UNITS = {"p/kWh": ("GBP",), "öre/kWh": ("SEK", "NOK", "DKK"), "Rp/kWh": ("CHF",)}
"""Prices per kWh in a hundredth of one money, and the currencies in which it is that; ct/kWh is a
hundredth of any.
"""

CURRENCIES = (
    "EUR",
    "GBP",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CHF",
    "USD",
    "CZK",
    "HUF",
    "RON",
    "BGN",
)
"""Money that published prices are in. The currency of a case may be any word."""


def factor(unit: str, declared: str, currency: str = "EUR") -> float | None:
    """Return what turns values in `unit` into the coherent unit of `declared`.

    None where the two do not match.

    `currency` is the money of the case: a case in USD writes `USD/MWh` where the schema declares
    `EUR/MWh`.

    >>> factor("MW", "kW")
    1000.0
    >>> factor("USD/MWh", "EUR/kWh", currency="USD")
    0.001
    >>> factor("p/kWh", "EUR/kWh", currency="GBP"), factor("p/kWh", "EUR/kWh")
    (0.01, None)
    >>> factor("kWh", "kW") is None
    True
    """
    if currency in MINOR_UNITS.get(unit, ()):
        unit = "ct/kWh"
    if currency != "EUR":
        if "EUR" in unit:
            return None
        unit = unit.replace(currency, "EUR")
    known, wanted = TABLE.get(unit), TABLE[declared]
    return known[1] if known and known[0] == wanted[0] else None


def accepted(declared: str, currency: str = "EUR") -> list[str]:
    """Return the units a file may use for a quantity declared in `declared`."""
    kind = TABLE[declared][0]
    units = [u.replace("EUR", currency) for u, (k, _) in TABLE.items() if k == kind]
    minor = [u for u, money in MINOR_UNITS.items() if currency in money]
    return units + (minor if kind == TABLE["ct/kWh"][0] else [])


def price_units(declared: str = "EUR/MWh") -> list[str]:
    """Return the units that prices may be in, in any of the currencies, such as SEK/MWh.

    >>> "SEK/MWh" in price_units(), "p/kWh" in price_units(), "EUR/kW" in price_units()
    (True, True, False)
    """
    units = [unit for currency in CURRENCIES for unit in accepted(declared, currency)]
    return list(dict.fromkeys(units))


def currency_of_price(unit: str) -> str | None:
    """Return the money of a price, None where the unit names none.

    Cents are of EUR, and öre are Swedish.

    >>> currency_of_price("GBP/MWh"), currency_of_price("öre/kWh"), currency_of_price("kWh")
    ('GBP', 'SEK', None)
    """
    if unit == "ct/kWh":
        return "EUR"
    if unit in MINOR_UNITS:
        return MINOR_UNITS[unit][0]
    money, slash, _ = unit.partition("/")
    return money if slash and len(money) == 3 and money.isupper() else None
