"""What the page draws and lists, made of what a command has written; a job's process does this.

Times are seconds of UTC with the zone of the market beside them, so that a day of 23 or 25 hours is
drawn as it is, whatever clock the reader has."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import read, step_hours
from ..data.generators.templates import templates
from ..flexibility.site_values import site_values
from ..report.page.site_tables import has_sites
from ..report.power_at_meter import net
from ..report.result_view import ResultView
from ..report.tables import ladder

MOST_LINES = 60
"""Lines of one chart; more are summed up in the last."""
_PLACES = ("pod", "quantity", "edge", "direction", "hours", "price", "window", "start", "end")


def write_documents(needs: Sequence[str], folder: Path) -> None:
    """Write what is needed beside what a command has written.

    Parameters
    ----------
    needs : sequence of str
        Words of `DOCUMENTS`.
    folder : Path
        Where ``result.nc``, ``case.nc`` or ``answer.json`` of a command stand.
    """
    for need in needs:
        name, made = DOCUMENTS[need](folder)
        text = json.dumps(_plain(made), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        (folder / name).write_text(text, encoding="utf-8")


def _arrays(folder: Path) -> tuple[str, dict[str, Any]]:
    """Positions, prices, reserves and power of each site by step, bands, and the ladder."""
    view = ResultView.of(read(folder / "result.nc"))
    charts = {
        "positions": _chart(view, "energy", "position", "market"),
        "prices": _chart(view, "energy", "price", "market"),
        "reserves": _chart(view, "reserve", "volume", "product"),
        "sites": _of_sites(view),
        "vehicles": _of_fleet(view),
    }
    rungs = ladder(view)
    return "arrays.json", {
        **_clock(view.time, view.hours, view.timezone),
        "currency": view.currency,
        "charts": {name: chart for name, chart in charts.items() if chart["lines"]},
        "bands": _bands_of(view),
        "ladder": rungs.to_dict("records") if len(rungs) else [],
    }


def _clock(time: pd.DatetimeIndex, hours: float, zone: str) -> dict[str, Any]:
    """Begin of each step, how long it is, and the clock that people read."""
    return {"zone": zone, "step_hours": hours, "time": _seconds(time)}


def _seconds(time: pd.DatetimeIndex) -> list[int]:
    found: list[int] = time.as_unit("s").asi8.tolist()
    return found


def _chart(view: ResultView, group: str, name: str, dim: str) -> dict[str, Any]:
    """A line for each label along a dimension."""
    if not view.has(group, name):
        return {"unit": "", "lines": []}
    values = view.full(group, name, dim, "time").transpose(dim, "time")
    unit = str(view.get(group, name).attrs.get("units", ""))
    return {"unit": unit, "lines": _lines(values, dim)}


def _lines(values: xr.DataArray, dim: str) -> list[dict[str, Any]]:
    labels, numbers = values.indexes[dim].astype(str), values.to_numpy()
    shown = [{"label": x, "values": y} for x, y in zip(labels, numbers, strict=True)]
    if len(shown) <= MOST_LINES:
        return shown
    rest = numbers[MOST_LINES - 1 :]
    return [*shown[: MOST_LINES - 1], {"label": f"{len(rest)} more", "values": rest.sum(axis=0)}]


def _of_sites(view: ResultView) -> dict[str, Any]:
    """Power of each site at its meter: + is drawn from the grid."""
    drawn = net(view.meter)
    return {"unit": "kW", "lines": _lines(drawn.transpose("pod", "time"), "pod")}


def _of_fleet(view: ResultView) -> dict[str, Any]:
    """Power of all vehicles together."""
    if not view.has("fleet", "charge"):
        return {"unit": "kW", "lines": []}
    both = {name: view.total(name) for name in ("charge", "discharge")}
    return {"unit": "kW", "lines": [{"label": x, "values": y} for x, y in both.items()]}


def _bands_of(view: ResultView) -> list[dict[str, Any]]:
    """Bands of power and energy of each site, where the result has them."""
    if not view.has("flexibility_bands", "power"):
        return []
    found = view.groups["flexibility_bands"]
    return [
        {"pod": str(pod)}
        | {
            name: {edge: found[name].sel(pod=pod, edge=edge).to_numpy() for edge in ("min", "max")}
            for name in ("power", "energy")
        }
        for pod in found.indexes["pod"]
    ]


def _site_shares(folder: Path) -> tuple[str, dict[str, Any]]:
    """What is asked of each site, what it is worth, and what of it cannot be delivered."""
    result = read(folder / "result.nc")
    view = ResultView.of(result)
    if not has_sites(view):
        return "sites.json", {"sites": [], "left": 0.0, "undeliverable_kwh": 0.0}
    values = site_values(result)
    promised = result["decomposition"]["promise"].transpose("pod", "time")
    delivered = -net(view.meter).sel(pod=promised["pod"]).transpose("pod", "time")
    short = np.abs(promised.to_numpy() - delivered.to_numpy())
    missing = (short * (short > 1e-6)).sum(axis=1) * view.hours
    table = values.to_dataframe()
    sites = [
        {"pod": str(pod), **{str(k): float(x) for k, x in row.items()}}
        | {"undeliverable_kwh": float(lost), "power": power}
        for (pod, row), lost, power in zip(
            table.iterrows(), missing, promised.to_numpy(), strict=True
        )
    ]
    return "sites.json", {
        **_clock(view.time, view.hours, view.timezone),
        "currency": view.currency,
        "unit": "kW",
        "profit": float(values.attrs["profit"]),
        "left": float(values.attrs["left"]),
        "undeliverable_kwh": float(missing.sum()),
        "sites": sites,
    }


def _band_arrays(folder: Path) -> tuple[str, dict[str, Any]]:
    """Bands by step, and every other value of `flexibility` as it is told."""
    answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    rows = pd.DataFrame(answer["flexibility"], columns=[*_PLACES, "value", "unit", "note"])
    by_step = rows[rows["quantity"].isin(["power", "energy"])]
    ends = pd.DatetimeIndex(pd.to_datetime(by_step["end"], utc=True)).tz_localize(None)
    edges = ends.unique().sort_values()
    starts = pd.DatetimeIndex(pd.to_datetime(by_step["start"], utc=True)).tz_localize(None)
    hours = (edges[0] - starts.min()) / pd.Timedelta("1h")
    begins = edges - pd.Timedelta(hours=hours)
    bands = []
    for pod, of_pod in by_step.groupby("pod", sort=False):
        band: dict[str, Any] = {"pod": str(pod)}
        for (name, edge), found in of_pod.groupby(["quantity", "edge"]):
            band.setdefault(str(name), {})[str(edge)] = found["value"].to_numpy()
            proved = bool((found["note"] == "").all())
            band["verified"] = band.get("verified", True) and proved
        bands.append(band)
    others = rows[~rows["quantity"].isin(["power", "energy"])]
    return "arrays.json", {
        **_clock(begins, hours, answer.get("timezone", "UTC")),
        "unit": {"power": "kW", "energy": "kWh"},
        "bands": bands,
        "others": others.to_dict("records"),
        "meaning": answer["meaning"],
        "exact_sum": answer["exact_sum"],
        "sum_meaning": answer["sum_meaning"],
    }


def _case_summary(folder: Path) -> tuple[str, dict[str, Any]]:
    """What a case is about, in a few lines."""
    case = read(folder / "case.nc")
    time = pd.DatetimeIndex(case.to_dataset().indexes["time"]) if "time" in case.dims else None
    groups = {
        name: {str(dim): size for dim, size in node.to_dataset().sizes.items() if dim != "time"}
        for name, node in case.children.items()
    }
    pods = {
        str(pod)
        for node in case.children.values()
        for name, x in node.to_dataset().variables.items()
        if name == "pod"
        for pod in np.atleast_1d(x.to_numpy()).ravel()
    }
    summary: dict[str, Any] = {
        "title": str(case.attrs.get("title", "")),
        "zone": str(case.attrs.get("timezone") or "UTC"),
        "currency": str(case.attrs.get("currency") or "EUR"),
        "groups": groups,
        "pods": sorted(pods),
        "assumptions": str(case.attrs.get("assumptions", "")).splitlines(),
        "warnings": str(case.attrs.get("warnings", "")).splitlines(),
    }
    if time is not None:
        hours = step_hours(case)
        first, last = _seconds(time[[0, -1]])
        summary |= {
            "start": first,
            "end": last + round(3600 * hours),
            "steps": len(time),
            "step_hours": hours,
        }
    return "summary.json", summary


def _templates(folder: Path) -> tuple[str, dict[str, Any]]:
    """Every template of a case, with its parameters."""
    return "templates.json", {"templates": templates()}


DOCUMENTS: Mapping[str, Callable[[Path], tuple[str, dict[str, Any]]]] = {
    "arrays": _arrays,
    "sites": _site_shares,
    "bands": _band_arrays,
    "summary": _case_summary,
    "templates": _templates,
}
"""Every document by the word that asks for it."""


def _plain(value: Any) -> Any:
    """Numbers as JSON knows them, to seven digits; what is missing is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(x) for key, x in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(x) for x in value.tolist()]
    if isinstance(value, (list, tuple)):
        return [_plain(x) for x in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
