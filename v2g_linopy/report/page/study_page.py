"""The results of a study of contracts as one page that opens anywhere, offline."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr

from ...case.label_text import printable
from ...study.profit_sources import MEANINGS
from .. import labels
from ..figures.accepted_contracts import draw_contracts
from ..figures.gain_map import gain_maps
from ..figures.positions_and_gains import gains_over, life_used, positions_over_time
from ..figures.style import svg
from ..study_tables import MAPS, SWEEPS, entry_table
from .write import style_sheet, template

CAPTIONS = {
    "positions": (
        "Positions. Above zero what was sold, below what was bought: day-ahead, and what was left"
        " to the imbalance. The line is what was delivered to the grid. Sums of local days where"
        " the study is longer than a month."
    ),
    "gains": (
        "What V2G earns more than smart charging while one number is varied; the others are as in"
        " the case and the menu (grey). The shaded part is paid to owners. At another term or wear"
        " the menu is designed anew, if it says what an energy is worth."
    ),
    "map": (
        "What V2G earns more than smart charging, owners paid, while two numbers are varied. On the"
        " black line it earns as much and no more."
    ),
    "contracts": (
        "Left: sessions of each type of owner, by what came of the offer. Right: energy that was"
        " sold and called. Stays that take different contracts differ; the diamonds are the same"
        " stays under each contract."
    ),
    "life": (
        "Owners in order of what they gave (left) and were paid (right). The share of the cycle"
        " life is the energy that left the battery, by the energy of all its full cycles."
    ),
}
_RUNS = (
    ("profit", "profit"),
    ("owners", "paid to owners"),
    ("fed_in", "fed in, kWh"),
    ("unserved", "need not served, kWh"),
)


def render_study(study: xr.DataTree) -> str:
    """Return a study of contracts as HTML, offline, with its figures and tables.

    Parameters
    ----------
    study : xarray.DataTree
        As `v2g.contract_study` returns it.
    """
    money = str(study.attrs["currency"])
    page = template("study.html.j2").render(
        css=style_sheet(),
        title=str(study.attrs["title"]) or "Charging sessions under contracts",
        headline=_headline(study, money),
        setting=_setting(study),
        money=money,
        runs=_runs(study["runs"].to_dataset()),
        contracts=_contracts(study["contracts"].to_dataset().to_dataframe()),
        preferred=_preferred(study["preferred"].to_dataset().to_dataframe()),
        owners=_owners_in_words(study, money),
        sources=[f"{name}: {words}" for name, words in MEANINGS.items()],
        figures=_figures(study),
    )
    return printable(page)


def _figures(study: xr.DataTree) -> dict[str, Any]:
    """Return each figure with its caption."""
    groups = {str(n): node.to_dataset() for n, node in study.children.items()}
    sweeps = {name: groups[name] for name in SWEEPS if name in groups}
    base = {name: float(study.attrs[name]) for name in ("term", "wear")}
    taken = groups["contracts"].to_dataframe().rename(columns={"called_same_stays": "same"})
    owners = groups["owners"].assign_attrs(money=study.attrs["currency"])
    drawn = {
        "positions": positions_over_time(groups["positions"], str(study.attrs["timezone"])),
        "gains": gains_over(sweeps, base | {"spread": 1.0, "share": 1.0}),
        "map": gain_maps([groups[name] for name in MAPS if name in groups]),
        "contracts": draw_contracts(entry_table(study), taken),
        "life": life_used(owners),
    }
    return {name: _with_caption(figure, name) for name, figure in drawn.items()}


def _with_caption(figure: Any, name: str) -> Any:
    from markupsafe import Markup

    picture, caption = svg(figure, name, CAPTIONS[name]), CAPTIONS[name]
    return Markup(f"<figure>\n{picture}\n<figcaption>{caption}</figcaption>\n</figure>")


def _headline(study: xr.DataTree, money: str) -> str:
    """Say in a sentence what V2G earned against smart charging, and who took part."""
    runs, entry = study["runs"].to_dataset(), study["entry"]["count"]
    profit = runs["profit"]
    more = float(profit.sel(run="V2G") - profit.sel(run="smart"))
    paid = float(runs["owners"].sel(run="V2G"))
    taken = int(entry.sel(reason="taken").sum())
    verb = "more" if more >= 0 else "less"
    return (
        f"V2G earns {labels.amount(abs(more))} {money} {verb} than smart charging, owners paid"
        f" {labels.amount(paid)} {money}; {taken} of"
        f" {labels.count(int(entry.sum()), 'session')} took a contract."
    )


def _setting(study: xr.DataTree) -> list[str]:
    """Say on what the study was made, so that it can be made again."""
    a, time = study.attrs, pd.DatetimeIndex(study["positions"].indexes["time"])
    local = time[[0, -1]].tz_localize("UTC").tz_convert(str(a["timezone"]))
    end = local[1] + pd.Timedelta(hours=float(a["step_hours"]))
    return [
        f"{local[0]:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({a['timezone']}), in steps of"
        f" {labels.span(float(a['step_hours']))}.",
        "Operated session by session on what was known by then (policy rule, forecast"
        f" {a['forecast']}, bids {a['bids']}), on the prices that came and one draw of types.",
        f"Types of owners are drawn with the seed {a['seed']}, the sessions of a smaller fleet with"
        f" {a['sample_seed']}; the same sessions have the same types in every run.",
        f"A battery is taken to last {float(a['cycles']):g} full cycles.",
    ]


def _runs(found: xr.Dataset) -> dict[str, Any]:
    """Return the three runs as rows of numbers for people: sources, then sums and energies."""
    rows = []
    if "by_source" in found:
        for name in found.indexes["source"]:
            x = found["by_source"].sel(source=name).to_numpy()
            if abs(x).max() > 0.005:
                rows.append({"name": str(name), "cells": [labels.money(v) for v in x], "kind": ""})
    for key, words in _RUNS:
        x = found[key].to_numpy()
        cells = [
            labels.money(v) if key in ("profit", "owners") else labels.shown_number(v) for v in x
        ]
        rows.append({"name": words, "cells": cells, "kind": "sum" if key == "profit" else "minor"})
    return {"columns": [str(x) for x in found.indexes["run"]], "rows": rows}


def _contracts(taken: pd.DataFrame) -> list[list[str]]:
    """Return what each contract came to, as cells."""
    return [
        [
            str(row["made_for"]),
            labels.shown_number(row["term"], 2),
            labels.shown_number(row["energy"], 2),
            labels.shown_number(row["payment"], 4),
            labels.shown_number(row["sessions"], 0),
            _number(row["called"], 2),
            _number(row["called_same_stays"], 2),
            labels.money(row["paid"]),
            _number(row["paid_per_kWh"], 4),
        ]
        for row in taken.to_dict("records")
    ]


def _preferred(table: pd.DataFrame) -> list[list[str]]:
    """Return which contract each type would prefer, as cells."""
    return [
        [str(name), _number(row["own"], 4), str(row["prefers"]), _number(row["more"], 4)]
        for name, row in table.iterrows()
    ]


def _owners_in_words(study: xr.DataTree, money: str) -> str:
    """Say how much of its battery's life an owner gave, and for how much."""
    owners = study["owners"].to_dataset()
    if not owners.sizes["owner"]:
        return "No owner took a contract."
    used, paid = 100 * owners["life_used"], owners["paid"]
    return (
        f"{labels.count(owners.sizes['owner'], 'owner')} gave {float(used.mean()):.2g} % of the"
        f" cycle life of a battery in the mean, {float(used.max()):.2g} % at most, and were paid"
        f" {float(paid.mean()):.3f} {money} in the mean, {float(paid.max()):.3f} at most."
    )


def _number(value: float, places: int) -> str:
    return labels.shown_number(value, places) if value == value else "–"
