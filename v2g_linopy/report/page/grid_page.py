"""A study of many cases as one page that opens anywhere, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...case.io import atomic
from ...case.label_text import printable
from .. import labels
from ..figures.grid_maps import grid_map
from ..figures.style import svg
from .write import style_sheet, template

PAGE = "study.html"
MOST_ROWS = 500
"""Cases in the table of the page; study.csv has all."""
SHOWN = ("profit", "energy.charged_kWh", "energy.discharged_kWh", "energy.unserved_kWh")
CAPTIONS = {
    "profit": "What each case earns. A cell without a number has no result.",
    "energy.discharged_kWh": "Energy that the vehicles feed back, kWh.",
    "energy.unserved_kWh": "Energy that vehicles needed and did not get, kWh.",
}


def write_grid_page(found: xr.Dataset, path: str | Path, overwrite: bool = False) -> None:
    """Write the page of a study, whole or not at all.

    Parameters
    ----------
    found : xarray.Dataset
        As `v2g.open_study` returns it.
    path : str or pathlib.Path
        Where the page will stand.
    overwrite : bool, default False
        Replace a file that is there already.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or it cannot be written.
    V2GError
        The extra ``[report]`` is not installed.
    """
    with atomic(path, overwrite) as temporary:
        temporary.write_text(render_grid(found), encoding="utf-8")


def render_grid(found: xr.Dataset) -> str:
    """The page of a study as HTML; the same study gives the same text."""
    shown = [name for name in SHOWN if name in found]
    page = template("grid.html.j2").render(
        css=style_sheet(),
        title=str(found.attrs.get("title") or "Study"),
        headline=_headline(found),
        figures=[_figure(found, name) for name in CAPTIONS if _differs(found, name)],
        columns=[*map(str, found.dims), "how it ended", *shown],
        rows=_rows(found, shown),
        left_out=max(0, found["status"].size - MOST_ROWS),
    )
    return printable(page)


def _differs(found: xr.Dataset, name: str) -> bool:
    """Whether there is anything to see: profit always, other figures where cases differ."""
    if name not in found:
        return name == "profit"
    return name == "profit" or float(found[name].max() - found[name].min()) > 1e-6


def _figure(found: xr.Dataset, name: str) -> Any:
    from markupsafe import Markup

    picture = svg(grid_map(found, name), name.replace(".", "-"), CAPTIONS[name])
    return Markup(f"<figure>\n{picture}\n<figcaption>{CAPTIONS[name]}</figcaption>\n</figure>")


def _headline(found: xr.Dataset) -> str:
    """How many cases there are, how they ended, and the best of them."""
    status, counts = np.unique(found["status"].values.astype(str), return_counts=True)
    ended = ", ".join(f"{n} {word}" for word, n in zip(status, counts, strict=True))
    words = f"{labels.count(found['status'].size, 'case')}: {ended}."
    if "profit" not in found or not bool(found["profit"].notnull().any()):
        return words
    best = found["profit"]
    money = found.attrs.get("currency", "")
    most = labels.amount(float(best.max()))
    return f"{words} The best earns {most} {money}, the worst {labels.amount(float(best.min()))}."


def _rows(found: xr.Dataset, shown: list[str]) -> list[list[str]]:
    """The cases as text, a row each."""
    dims = list(map(str, found.dims))
    rows = []
    for place in list(np.ndindex(*found["status"].shape))[:MOST_ROWS]:
        one = found.isel(dict(zip(dims, place, strict=True)))
        cells = [_cell(one[dim].item()) for dim in dims]
        message = " ".join(str(one["message"].item()).split())
        cells.append(f"{one['status'].item()}: {message}" if message else str(one["status"].item()))
        rows.append([*cells, *(_cell(one[name].item()) for name in shown)])
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    return "" if value is None or np.isnan(value) else f"{value:,.6g}"
