"""A menu as a page for owners: what each type is offered, takes and earns."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import xarray as xr

from ...case.label_text import printable
from ...model.contracts import contract_of
from .. import labels
from ..figures.menu_lines import indifference_lines
from ..figures.style import svg
from ..menu_table import STAYS, menu_table, proof_in_words, reckoning
from .write import style_sheet, template


def render_menu(menu: xr.DataTree, stays: float = STAYS) -> str:
    """Return a menu as HTML, offline, with its figure, terms and proof.

    Parameters are those of `menu_table`.
    """
    from markupsafe import Markup

    table, money = menu_table(menu, stays), str(menu.attrs.get("currency", "EUR"))
    d = contract_of(menu)
    table["asks"] = [
        float(d.wear) / theta if theta else math.nan for theta in table["theta"].to_numpy()
    ]
    groups = table.groupby("class", sort=False) if "class" in table else [("", table)]
    page = template("menu.html.j2").render(
        css=style_sheet(),
        title=str(menu.attrs.get("title") or "Contracts for owners"),
        headline=_headline(table),
        stays=f"{stays:g}",
        reckoning=reckoning(menu),
        money=money,
        menus=[_menu(str(name), rows, money) for name, rows in groups],
        figure=Markup(svg(indifference_lines(menu), "menu", "contracts and indifference lines")),
        proof=proof_in_words(menu),
    )
    return printable(page)


def _headline(table: pd.DataFrame) -> str:
    """Say how much the largest contract gives and pays, and how many there are."""
    offered = table[table["energy_kWh"] > 0]
    if offered.empty:
        return "No contract is worth its payment: nothing is offered."
    per_month = next(n for n in table.columns if n.endswith("_per_month") and n[:3] != "kWh")
    most = offered[per_month].max()
    kinds = offered[["energy_kWh", "term_h"]].round(6).drop_duplicates()
    money = per_month.removesuffix("_per_month")
    return f"{labels.count(len(kinds), 'contract')}: up to {labels.amount(most)} {money} a month"


def _menu(name: str, rows: pd.DataFrame, money: str) -> dict[str, Any]:
    """Return the table of one class, numbers written for people."""
    term = f"Within {rows['term_h'].iloc[0]:g} h after arrival"
    return {
        "name": f"Class {name}: {term[0].lower()}{term[1:]}" if name else term,
        "rows": [_row(row, money) for row in rows.to_dict("records")],
    }


def _row(row: dict[Any, Any], money: str) -> dict[str, Any]:
    """Return one type: shares in percent, money to a hundredth of a cent."""
    numbers = [
        (row["asks"], 4),
        (row["energy_kWh"], 2),
        (row[f"payment_{money}"], 4),
        (row[f"{money}_per_kWh"], 4),
        (row[f"rent_{money}"], 4),
        (row[f"surplus_{money}"], 4),
        (row["kWh_per_month"], 0),
        (row[f"{money}_per_month"], 2),
    ]
    cells = [f"{100 * row['share']:.3g} %", *(labels.shown_number(x, n) for x, n in numbers)]
    return {"type": row["type"], "cells": cells, "takes": row["takes"], "note": row["note"]}
