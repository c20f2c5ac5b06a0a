"""Units of money: what a case in one currency takes, and what it refuses."""

import pytest

from v2g_linopy.case.units import accepted, factor


@pytest.mark.parametrize(
    ("unit", "currency", "expected"),
    [
        ("p/kWh", "GBP", 0.01),  # 100 pence are a pound
        ("öre/kWh", "SEK", 0.01),
        ("öre/kWh", "NOK", 0.01),
        ("ct/kWh", "GBP", 0.01),  # a hundredth of any money
        ("p/kWh", "EUR", None),
        ("öre/kWh", "GBP", None),
        ("EUR/kWh", "GBP", None),
        ("GBP/MWh", "GBP", 0.001),
    ],
)
def test_minor_units_belong_to_their_money(unit, currency, expected):
    """Pence in a case in EUR would be priced as cents if no currency were asked for."""
    assert factor(unit, "EUR/MWh", currency) == expected
    assert (unit in accepted("EUR/MWh", currency)) is (expected is not None)
    assert factor(unit, "kWh", currency) is None
