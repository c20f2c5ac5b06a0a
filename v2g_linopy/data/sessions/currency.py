"""The one money of a case: that of its prices, and no other beside it."""

from collections.abc import Collection, Iterator

import numpy as np
import xarray as xr

from ...case.units import currency_of_price, factor
from ...errors import Problem, SchemaError
from ..tables.wording import first_few
from .new_case import currency_of
from .origins import FORECASTS

ONE_MONEY = "a case has one currency"


def currency_of_prices(prices: xr.Dataset) -> str:
    """Return the money of prices, EUR where none of their units names one.

    Raises
    ------
    SchemaError
        Prices in several currencies.
    """
    units = {str(name): str(array.attrs.get("units", "")) for name, array in prices.items()}
    money = {name: currency_of_price(unit) for name, unit in units.items()}
    named = [word for name, word in money.items() if word and word in units[name]]
    first = next(iter([*named, *filter(None, money.values())]), "EUR")
    others = [
        Problem(f"prices.{name}", "unit", f"in {unit}, other prices in {first}: {ONE_MONEY}")
        for name, unit in units.items()
        if money[name] and factor(unit, "EUR/MWh", first) is None and money[name] != first
    ]
    if others:
        raise SchemaError(others, "the prices")
    return first


def said_of_defaults(currency: str) -> list[str]:
    """Say that defaults in EUR are taken as another money."""
    if currency == "EUR":
        return []
    return [
        f"Money is {currency}, that of the prices, also in amounts that were given. Those that"
        " nobody gave (wear, penalties, what drivers pay) are defaults made for EUR, taken as so"
        f" many {currency}."
    ]


def refuse_other_money(sessions: xr.Dataset, currency: str) -> list[Problem]:
    """Return a problem for each column of sessions that is in another money than the prices."""
    return [
        Problem(
            f"sessions.{name}",
            "unit",
            f"in {array.attrs['units']}, the prices are in {currency}: {ONE_MONEY}",
        )
        for name, array in sessions.items()
        if currency_of_price(unit := str(array.attrs.get("units", "")))
        and factor(unit, "EUR/MWh", currency) is None
    ]


def in_currency(case: xr.DataTree, currency: str, replaced: Collection[str]) -> xr.DataTree:
    """Return a case whose money is that of new prices, where it holds no amounts of another one.

    Parameters
    ----------
    case
        It is not changed.
    currency
        The money of the new prices.
    replaced
        What the new prices replace, such as ``energy.price``.

    Raises
    ------
    SchemaError
        Every field that holds an amount in the money that the case had.
    """
    before = currency_of(case)
    if currency == before:
        return case
    kept = [(group, array) for group, array in _money(case) if _place(group, array) not in replaced]
    held = [
        _place(group, array)
        for group, array in kept
        if np.any(np.nan_to_num(array.to_numpy()) != 0)
    ]
    if held:
        detail = (
            f"the prices are in {currency}, the case in {before}, with amounts in"
            f" {first_few(held)}: {ONE_MONEY}"
        )
        raise SchemaError([Problem("currency", "unit", detail)], "the case and the prices")
    case = case.copy()
    for group, array in kept:
        units = str(array.attrs["units"]).replace(before, currency)
        case[group][str(array.name)].attrs["units"] = units
    case.attrs["currency"] = currency
    said = "\n".join(said_of_defaults(currency))
    case.attrs["assumptions"] = f"{case.attrs.get('assumptions', '')}\n{said}".strip()
    return case


def _place(group: str, array: xr.DataArray) -> str:
    """Return the place of an array; a forecast stands where what it foretells does."""
    return str(array.name) if group == FORECASTS else f"{group}.{array.name}"


def _money(case: xr.DataTree) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield every array whose unit is in the money of a case, with its group."""
    for group, node in case.children.items():
        for array in node.to_dataset(inherit=False).values():
            if currency_of(case) in str(array.attrs.get("units", "")):
                yield group, array
