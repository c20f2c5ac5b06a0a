"""What the page says of the sites of a result of two levels."""

from __future__ import annotations

import math
from typing import Any

from ...flexibility.site_values import site_values
from .. import labels
from ..result_view import ResultView

MOST_SITES = 50
"""Sites that the page lists."""


def left_in_words(view: ResultView) -> list[str]:
    """What of the profit belongs to no site; empty where there are none."""
    if not has_sites(view):
        return []
    left = site_values(_source(view), parts=view.parts).attrs["left"]
    return [
        f"At the prices of the last round {labels.money(left)} {view.currency} are left with the"
        " portfolio: what its limits, blocks and bids are worth."
    ]


def site_rows(view: ResultView) -> dict[str, Any]:
    """Each site as shown, what is left with the portfolio, and the sum, which is the profit."""
    if not has_sites(view):
        return {"rows": [], "alone": False, "more": 0}
    found = site_values(_source(view), parts=view.parts)
    table, alone = found.to_dataframe(), "alone" in found
    weight = view.get("decomposition", "weight").to_series()
    pod = view.get("decomposition", "plan_pod").to_series().astype(str)
    heaviest = weight.groupby(pod).max()
    amounts = ["own", "paid", "value", *(["alone", "equal_share"] if alone else [])]

    def row(kind: str, name: str, counts: list[str], money: list[float]) -> dict[str, Any]:
        cells = [labels.NONE if math.isnan(x) else labels.money(x) for x in money]
        return {"kind": kind, "name": name, "cells": [*counts, *cells]}

    rows = [
        row(
            "",
            str(name),
            [
                labels.shown_number(x["fed"]),
                labels.shown_number(x["drawn"]),
                str(int(x["plans"])),
                f"{float(heaviest[str(name)]):.2f}",
            ],
            [float(x[n]) for n in amounts],
        )
        for name, x in table.head(MOST_SITES).iterrows()
    ]
    none, left = math.nan, float(found.attrs["left"])
    rest = [none, none, left, *([none, none] if alone else [])]
    rows.append(row("minor", "left with the portfolio", [""] * 4, rest))
    sums = [none, none, float(table["value"].sum()) + left]
    sums += [none, float(table["equal_share"].sum())] if alone else []
    rows.append(row("sum", "profit", [""] * 4, sums))
    return {"rows": rows, "alone": alone, "more": max(0, len(table) - MOST_SITES)}


def has_sites(view: ResultView) -> bool:
    """Whether it is a result of two levels."""
    return view.has("decomposition", "paid") and view.source is not None


def _source(view: ResultView) -> Any:
    assert view.source is not None
    return view.source
