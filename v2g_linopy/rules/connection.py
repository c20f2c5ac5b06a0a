"""The connection of each pod to the grid: import and export limits, also under held reserves (FORMULATION §5)."""

from typing import Any

import numpy as np
import xarray as xr

from ..core import Part, Replay, Scope, Stage, Terms, View
from ..schema import Field, Schema

INF = float("inf")

SCHEMA = Schema(
    inputs=(
        Field("import_max", "pod time", "kW", "most power drawn from the grid", default=INF, ge=0, infinite=True),
        Field("export_max", "pod time", "kW", "most power fed into the grid", default=INF, ge=0, infinite=True),
    ),
    outputs=(
        Field("import_", "pod time", "kW", "power drawn from the grid"),
        Field("export", "pod time", "kW", "power fed into the grid"),
    ),
)


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Meter of each pod; its limits hold as planned and with every reserve held there fully activated (FORMULATION §5).

    With exchange the injection of the pod [kW] and `held` the reserve measured from the expected power::

        export - import = exchange,   0 <= import <= import_max,   0 <= export <= export_max
        exchange + held_up <= export_max,   -exchange + held_down <= import_max
    """
    drawn, fed = s.var("import_", upper=d.import_max), s.var("export", upper=d.export_max)
    exchange = s["node.exchange"].sel(pod=d.indexes["pod"])
    s.add("meter", fed - drawn - exchange == 0)
    held = [(asset, h) for terms in s.terms.values() for asset, h in terms.held.items()]
    if held:
        up: Any = sum(s.per_pod(h.up, asset).sel(pod=d.indexes["pod"]) for asset, h in held)
        down: Any = sum(s.per_pod(h.down, asset).sel(pod=d.indexes["pod"]) for asset, h in held)
        limit_up, limit_down = np.isfinite(d.export_max), np.isfinite(d.import_max)
        s.add("activated_up", exchange + up <= d.export_max.where(limit_up, 0.0), mask=limit_up)
        s.add("activated_down", down - exchange <= d.import_max.where(limit_down, 0.0), mask=limit_down)
    return Terms()


def replay(v: View, d: xr.Dataset) -> Replay:
    """Meter, limits, and limits under full activation, recomputed per pod."""
    net: Any = 0.0
    up: Any = 0.0
    down: Any = 0.0
    for done in v.done.values():
        for asset, (more, less) in done.held.items():
            up, down = up + _at_pod(v, d, asset, more), down + _at_pod(v, d, asset, less)
    for part, done in v.done.items():
        if "pod" in v.groups[part] and "electricity" in done.power:
            net = net + _at_pod(v, d, part, done.power["electricity"].net)
    residuals = {
        "meter": abs(d.export - d.import_ - net),
        "import": (d.import_ - d.import_max).clip(min=0),
        "export": (d.export - d.export_max).clip(min=0),
        "activated_up": (net + up - d.export_max).clip(min=0),
        "activated_down": (down - net - d.import_max).clip(min=0),
    }
    return Replay({name: x.assign_attrs(units="kW") for name, x in residuals.items()})


def _at_pod(v: View, d: xr.Dataset, part: str, power: xr.DataArray) -> xr.DataArray:
    here = (v.groups[part].pod.astype(str) == d.pod.astype(str)).astype(float)
    member = v.groups[part].attrs["member"]
    return (power * here).sum(member)


PART = Part("connection", Stage.RULE, SCHEMA, build, replay)
