"""The sheet of a day as a page to print: one vehicle on each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from ...case.label_text import printable
from ...model.part import Part
from ...parts.catalogue import PARTS
from .. import labels
from ..day_sheet import HELD, day_sheet
from ..result_view import ResultView
from .write import style_sheet, template


def render_day(
    result: xr.DataTree,
    day: str,
    vehicles: Sequence[str] | None = None,
    *,
    parts: Mapping[str, Part] = PARTS,
) -> str:
    """Return the sheet of a day as HTML, offline, one vehicle on each printed page.

    Parameters and errors are those of `day_sheet`.
    """
    view, table = ResultView.of(result, parts=parts), day_sheet(result, day, vehicles, parts=parts)
    page = template("day.html.j2").render(
        css=style_sheet(),
        title=str(view.attrs.get("title") or "Charging plan"),
        day=f"{pd.Timestamp(day):%A} {day}",
        timezone=view.timezone,
        held=HELD[0] in table,
        vehicles=[_vehicle(str(name), rows) for name, rows in table.groupby("vehicle", sort=False)],
    )
    return printable(page)


def _vehicle(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """One vehicle: a sentence and its rows, numbers written for people."""
    drawn, fed = (float(rows[n].sum()) for n in ("drawn_kWh", "fed_in_kWh"))
    shown = [_row(row) for row in rows.to_dict("records")]
    kwh = [f"{labels.shown_number(energy)} kWh" for energy in (drawn, fed)]
    sentence = f"Draws {kwh[0]} and feeds in {kwh[1]}."
    if HELD[0] in rows:
        sentence = f"Expected, in the mean of the calls: draws {kwh[0]} and feeds in {kwh[1]}."
    return {"name": name, "sentence": sentence, "rows": shown}


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row: power and energy positive where the vehicle charges, negative where it feeds in."""
    away = row["doing"] == "away"
    power, energy = (
        math.nan if away else float(row[drawn]) - float(row[fed])
        for drawn, fed in (("charge_kW", "discharge_kW"), ("drawn_kWh", "fed_in_kWh"))
    )
    numbers = [power, energy, row["energy_kWh"], row["soc_percent"], row["needed_kWh"]]
    cells = [_cell(x, places) for x, places in zip(numbers, (2, 2, 1, 0, 1), strict=True)]
    cells[3] += " %" if cells[3] else ""
    if HELD[0] in row:
        drawn, fed, up, down = (row[name] for name in HELD)
        cells = [_cell(x, 2) for x in (drawn - fed, up, down)] + cells
    return {
        "start": _clock(str(row["from"])),
        "stop": _clock(str(row["to"])),
        "doing": row["doing"],
        "cells": cells,
    }


def _cell(x: float | None, places: int) -> str:
    """A number, or nothing while the vehicle is away."""
    return "" if x is None or math.isnan(x) else labels.shown_number(float(x), places)


def _clock(moment: str) -> str:
    """The time of day with its offset."""
    return f"{moment[11:16]} {moment[16:]}"
