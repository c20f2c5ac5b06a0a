"""The key figures at the head of the page: of the bill, of the meter, and of each kind of asset
there is.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from .. import labels, tables
from ..result_view import ResultView

Tile: TypeAlias = tuple[str, str, str, str]
"""Name, value, unit, and what stands below."""


def tiles(view: ResultView) -> list[dict[str, str]]:
    """Key figures: of the bill, the meter, and of each kind of asset there is."""
    figures = tables.kpi(view)
    profit = planned_profit(view)
    scaled = (
        f"{view.per}; {labels.money(profit)} {view.currency} over the horizon"
        if view.units
        else view.per
    )
    cells = [("profit", labels.amount(profit * view.scale), view.currency, scaled)]
    cells += _hindsight_tiles(view)
    cells += _meter_tiles(view, figures) if view.others or not len(view.members) else []
    cells += _fleet_tiles(view, figures) if len(view.members) else []
    return [dict(zip(("name", "value", "unit", "more"), cell, strict=True)) for cell in cells]


def _hindsight_tiles(view: ResultView) -> list[Tile]:
    """What was lost for want of foresight; nothing in a plan."""
    if "regret" not in view.attrs:
        return []
    best, less = (float(str(view.attrs[n])) for n in ("objective_hindsight", "regret"))
    more = f"over the horizon; {labels.money(best)} {view.currency} with hindsight"
    return [("regret", labels.amount(less), view.currency, more)]


def _meter_tiles(view: ResultView, figures: dict[str, Any]) -> list[Tile]:
    """What the meters see, and what loads, plants and batteries do."""
    pods, power, assets = figures["pods"], figures["power"], figures["assets"]
    drawn, fed = (sum(p[f"{way}_kWh"] for p in pods) for way in ("import", "export"))
    cells = [
        ("drawn from the grid", _shown(drawn), "kWh", f"{_shown(fed)} kWh fed in"),
        (
            "largest import",
            _shown(power["peak_import_kW"]),
            "kW",
            f"without flexibility {_shown(power['peak_without_flexibility_kW'])} kW",
        ),
    ]
    for name in view.others:
        found = assets.get(name, {})
        carrier = (
            ""
            if "drawn_kWh" in found
            else next((k for k in found if k.endswith("drawn_kWh")), "")[:-9]
        )
        used, made, lost = (
            found.get(key, 0.0) for key in (f"{carrier}drawn_kWh", "fed_in_kWh", "curtailed_kWh")
        )
        words = labels.asset(name, view.parts)
        more = f"{_shown(lost)} kWh curtailed" if "curtailed_kWh" in found else ""
        if "equivalent_full_cycles" in found:
            cycles = f"{_shown(found['equivalent_full_cycles'])} full cycles in all"
            cells.append((words, _shown(made), "kWh", f"discharged; {cycles}"))
        elif made > used:
            cells.append((words, _shown(made), "kWh", ", ".join(filter(None, ["fed in", more]))))
        else:
            cells.append(
                (
                    words,
                    _shown(used),
                    "kWh",
                    ", ".join(
                        filter(None, [f"of {carrier[:-1]} drawn" if carrier else "drawn", more])
                    ),
                )
            )
    return cells


def _fleet_tiles(view: ResultView, figures: dict[str, Any]) -> list[Tile]:
    """What the fleet does, against unmanaged charging."""
    energy, power, prices = figures["energy"], figures["power"], figures["prices"]
    per_mwh = f"{view.currency}/MWh"
    missing = energy["unserved_kWh"] + energy["unserved_trip_kWh"]
    share = (
        100 * energy["discharged_kWh"] / energy["charged_kWh"]
        if energy["charged_kWh"]
        else math.nan
    )
    mean = f"market mean {_shown(prices['mean'])} {per_mwh}"
    unmanaged = f"unmanaged {_shown(power['peak_unmanaged_kW'])} kW"
    cells = [
        (
            "energy charged",
            _shown(energy["charged_kWh"]),
            "kWh",
            f"unmanaged {_shown(energy['unmanaged_kWh'])} kWh",
        ),
        (
            "energy fed back",
            _shown(energy["discharged_kWh"]),
            "kWh",
            f"{labels.shown_number(share, 1)} % of what was charged",
        ),
        (
            "need not served",
            _shown(missing),
            "kWh",
            "named below" if missing > tables.SMALLEST_NEED else "",
        ),
    ]
    if not view.others:
        cells.append(("largest import", _shown(power["peak_import_kW"]), "kW", unmanaged))
    if prices["mean"] is not None:
        less = f"unmanaged {_shown(prices['unmanaged'])}, {mean}"
        cells.append(("price when charging", _shown(prices["charging"]), per_mwh, less))
        cells.append(("price when feeding in", _shown(prices["feeding_in"]), per_mwh, mean))
    cycles = _shown(energy["equivalent_full_cycles_per_unit"])
    return [
        *cells,
        (
            "battery use" if not view.others else "vehicles' batteries",
            cycles,
            "cycles",
            f"by feeding in, {view.per_member}",
        ),
    ]


def planned_profit(view: ResultView) -> float:
    """What the plan earns; NaN where it is not known."""
    profit = view.attrs.get("profit")
    return math.nan if profit is None else float(str(profit))


def _shown(value: float | None) -> str:
    return labels.shown_number(math.nan if value is None else value)
