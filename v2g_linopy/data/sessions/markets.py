"""Prices as the markets of a case, and limits that cannot bind."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...errors import Problem, Remedy, SchemaError
from ..tables.unit_conversion import stacked
from ..tables.wording import first_few
from .assumptions import Regulation

AMPLE = 2.0
"""How often the power that there is fits into a limit that shall not bind."""


def installed_power(fleet: xr.Dataset) -> float:
    """Return the sum over the fleet of its largest charging plus discharging power, kW."""
    total = 0.0
    for name in ("charge_max", "discharge_max"):
        if name in fleet:
            values = fleet[name]
            total += float((values.max("time") if "time" in values.dims else values).sum())
    return total


def energy_market(
    prices: xr.Dataset, markets: Sequence[str], limit: float, currency: str = "EUR"
) -> xr.Dataset:
    """Return the group `/energy` with one market per named price.

    Each has the same limit (kW, either way).

    Raises
    ------
    SchemaError
        A price that is not there, or hours without a price, named.
    """
    price = stacked(prices, {n: n for n in markets}, "market", currency)
    problems = []
    for name in markets:
        gaps = price.indexes["time"][np.asarray(price.sel(market=name).isnull())]
        if len(gaps):
            hold = Remedy("missing", ("hold",), advice="import it with {} or give those hours")
            detail = f"no price at {first_few(gaps)} UTC"
            problems.append(Problem(f"prices.{name}", "nan", detail, (hold,)))
    if problems:
        raise SchemaError(problems, "the prices")
    return xr.Dataset({"price": price, "limit": ("market", np.full(len(markets), float(limit)))})


def imbalance_market(
    prices: xr.Dataset, names: Sequence[str], limit: float, currency: str = "EUR"
) -> xr.Dataset:
    """Return the group `/imbalance`.

    It has one price, or that of surplus and that of shortage; the limit is in kW, either way.

    Raises
    ------
    SchemaError
        More than two names, a price that is not there, or hours without a price, named.
    """
    if not 1 <= len(names) <= 2:
        detail = "give one price, or two: what surplus is paid, then what shortage costs"
        raise SchemaError([Problem("imbalance", "labels", detail)], "the prices")
    each = energy_market(prices, names, limit, currency)["price"]
    fields = dict(
        zip(
            ("price_long", "price_short"),
            (each.sel(market=n, drop=True) for n in names),
            strict=False,
        )
    )
    return xr.Dataset({**fields, "limit": ((), float(limit))})


def ample_limit(power: float, volume: float = 0.0, activation: float = 0.0) -> float:
    """Return a position limit that cannot bind, kW.

    It is twice all charger power and all expected activation.
    """
    return AMPLE * (power + activation * volume)


def markets_for(
    fleet: xr.Dataset,
    prices: xr.Dataset,
    markets: Sequence[str],
    regulation: Regulation | None,
    limit: float | None,
    currency: str = "EUR",
    settled: Sequence[str] = (),
) -> tuple[dict[str, xr.Dataset], list[str]]:
    """Return `/energy`, `/imbalance` and `/reserve` of a fleet, and sentences on their limits."""
    power = installed_power(fleet)
    sentences = []
    groups: dict[str, xr.Dataset] = {}
    if limit is None:
        share = max(regulation.activation_up, regulation.activation_down) if regulation else 0.0
        limit = ample_limit(power, AMPLE * power, share)
        sentences.append(
            f"Position limit {limit:g} kW: {AMPLE:g} times all charger power, both directions, plus"
            " what reserves are expected to activate; it cannot bind."
        )
    groups["energy"] = energy_market(prices, markets, limit, currency)
    if settled:
        groups["imbalance"] = imbalance_market(prices, settled, power, currency)
        sentences.append(
            f"Imbalance is settled at {' and '.join(settled)}; at most {power:g} kW, all charger"
            " power, either way."
        )
    if regulation is not None:
        groups["reserve"] = regulation.reserve(prices, AMPLE * power, currency)
        sentences += regulation.sentences()
        sentences.append(
            f"At most {AMPLE * power:g} kW of each product ({AMPLE:g} times all charger power): it"
            " cannot bind."
        )
    return groups, sentences
