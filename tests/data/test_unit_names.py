"""Units in headers and cells: as real files write them, and words that only look like one."""

import pytest

from v2g_linopy.case.units import factor
from v2g_linopy.data import read_prices
from v2g_linopy.data.tables.unit_names import named_unit, unit_of_cells
from v2g_linopy.errors import SchemaError

NAMED = {
    "EUR/MWh": (
        *("Price EUR/MWh", "price_eur_mwh", "EUR per MWh", "Day-ahead Price [EUR/MWh]", "€/MWh"),
        *("Eur/MWh", "Price (in EUR/MWh)", "PriceEurMWh", "price_eur_per_mwh", "Preis EUR / MWh"),
        *("EURMWh", "euro/MWh", "Price (EUR/MWh, incl. VAT)", "EUR pro MWh", "DE-LU €/MWh"),
        *("Price (CET) EUR/MWh", "Price (€/(MW h))", "EUR/mwh", "price eur-mwh", "Price €_MWh"),
    ),
    "EUR/kWh": ("€/kWh", "price_eur_kwh", "Preis Euro je kWh [EUR/kWh]"),
    "ct/kWh": (
        *("Preis ct/kWh", "Preis (Cent/kWh)", "c€/kWh", "€ct/kWh", "EUR-ct/kWh", "Eurocent/kWh"),
        *("ct per kWh", "Cent je kWh", "price_ct_kwh", "c/kWh", "¢/kWh", "ct€/kWh", "price_c_kwh"),
    ),
    "p/kWh": ("p/kWh", "pence/kWh", "Pence per kWh", "value (p/kWh)", "unit_rate_p_kwh"),
    "öre/kWh": ("öre/kWh", "Elpris öre/kWh", "øre/kWh", "pris_öre_kwh"),
    "Rp/kWh": ("Rp./kWh", "Tarif Rp/kWh"),
    "GBP/MWh": ("£/MWh", "Price (£/MWh)", "price_gbp_mwh", "GBP/MWh", "gbp per mwh"),
    "SEK/MWh": ("SEK/MWh", "SE3 (SEK/MWh)"),
    "USD/MWh": ("LMP ($/MWh)", "lmp_usd_mwh", "US$/MWh"),
    "PLN/MWh": ("Cena [zł/MWh]", "PLN/MWh"),
    "kr/kWh": ("pris kr/kWh", "Pris (kr/kWh)"),
    "XYZ/MWh": ("Price [XYZ/MWh]",),
    "EUR/MW": ("CAPACITY_PRICE_[EUR/MW]",),
    "EUR/MW/h": (
        "CAPACITY_PRICE_[(EUR/MW)/h]",
        "EUR/MW/h",
        "price_eur_mw_h",
        "EUR per MW per hour",
    ),
    "EUR/kW/month": ("Peak EUR/kW/month", "peak (EUR/kW/month)"),
    "Wh": ("Energy Wh", "energy_wh", "Energie [Wh]", "energyWh", "Wh"),
    "kWh": (
        *("energy_kwh", "kWhDelivered", "kWh", "Energy (kWh)", "energyKWh", "totalkwh", "KWH"),
        *("Energie/kWh", "Energy in kWh", "kwhDelivered", "Verbrauch [kWh]", "Load2 kWh"),
        "CCS 50 kW energy kWh",
    ),
    "MWh": ("Generation MWh", "mwh", "actual_mwh"),
    "W": ("Power W", "power_w", "P (W)", "Ladeleistung W"),
    "kW": ("Leistung/kW", "kW", "p_kw", "powerKW", "maxPowerKW", "L1 kW", "kWDelivered"),
    "MW": ("Load (MW)", "load_mw", "Actual Total Load [MW] - BZN|DE-LU"),
    "%": ("SoC [%]", "SoC %", "soc%"),
    "min": ("Duration (min)", "stay [min]"),
    "h": ("Dauer (h)",),
    "EUR": ("Cost (EUR)", "Amount [€]"),
    "GBP": ("Cost (GBP)",),
    "g/kWh": ("CO2 g/kWh",),
}
NO_UNIT = (
    *("Price (CET)", "Wholesale", "which", "Hour", "BZN|DE-LU", "Price", "PUN €", "MTU (CET/CEST)"),
    *("Session(s)", "Price (min)", "Price per kWh", "Preis je kWh", "Preis/MWh", "Zone 1", "W"),
    *("West", "raw", "W-1", "G(i) W/m2", "Consumption kWh/100 km", "Yield kWh/kWp", "Power kWp"),
    *("Price incl. 19 % VAT", "Price incl. 19% VAT", "Charger 50 kW", "7.4kW charger", "Growth"),
    *("min", "s", "h", "Start h", "Warehouse WH", "Try", "now", "Duration (hh:mm:ss)", "Week"),
    *("price_p", "Hour (CET/CEST)", "time (UTC)", "", "Price (incl. VAT)", "EUR", "kVA", "Energy"),
)


@pytest.mark.parametrize(("unit", "header"), [(u, h) for u, hs in NAMED.items() for h in hs])
def test_headers_that_name_a_unit(unit, header):
    """Each says what its numbers are; taken for another unit, they would be off by ten or more."""
    assert named_unit(header) == unit


@pytest.mark.parametrize("header", NO_UNIT)
def test_headers_that_name_none(header):
    """A unit seen where there is none would refuse a good file."""
    assert named_unit(header) is None


@pytest.mark.parametrize(
    ("unit", "currency", "euros_per_kwh"),
    [("p/kWh", "GBP", 0.01), ("öre/kWh", "NOK", 0.01), ("Rp/kWh", "CHF", 0.01)],
)
def test_minor_units_that_headers_name_are_known(unit, currency, euros_per_kwh):
    assert factor(unit, "EUR/MWh", currency) == euros_per_kwh


def test_a_column_of_units():
    cells = ["Eur/MWh", "EUR/MWh", None, float("nan"), " ", "€/MWh"]
    assert unit_of_cells(cells) == "EUR/MWh"
    assert unit_of_cells(["GBP", "GBP"]) == "GBP"
    assert unit_of_cells(["", None]) is None


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["EUR", "EUR", "GBP"], ("EUR (row 2, 3)", "GBP (row 4)", "give a file of one")),
        (["kWh", "spam"], ("row 3: 'spam'",)),
        (["EUR/MWh", "ct/kWh"], ("EUR/MWh (row 2)", "ct/kWh (row 3)")),
    ],
)
def test_a_column_of_several_units_is_refused(cells, words):
    """Half of the rows would be off by ten; the message says which."""
    with pytest.raises(SchemaError) as refused:
        unit_of_cells(cells, "prices.csv")
    assert all(word in str(refused.value) for word in words)
    assert "prices.csv" in str(refused.value)


@pytest.mark.parametrize(
    ("header", "unit"),
    [("price_gbp_mwh", "GBP/MWh"), ("Price p/kWh", "p/kWh"), ("Price ct/kWh", "ct/kWh")],
)
def test_a_header_says_the_unit_of_prices(tmp_path, header, unit):
    """5 ct/kWh are 50 EUR/MWh, not 5; pounds are not euros."""
    path = tmp_path / "prices.csv"
    path.write_text(f"T,{header}\n2026-06-01 00:00,5\n2026-06-01 01:00,6\n")
    prices = read_prices(path, columns={"time": "T", "day_ahead": header}, timezone="UTC")
    assert prices.day_ahead.attrs["units"] == unit


def test_a_header_of_another_quantity_is_refused(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("T,delivered kWh\n2026-06-01 00:00,5\n")
    words = "says kWh, EUR/MWh is assumed, which is another quantity"
    with pytest.raises(SchemaError, match=words):
        read_prices(path, columns={"time": "T", "day_ahead": "delivered kWh"}, timezone="UTC")
