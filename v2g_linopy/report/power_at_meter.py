"""Power at the meter of each pod: what every kind of asset draws and feeds in, and what it would
without flexibility.

The numbers are those of each asset's `replay`, so that a new asset stands in every figure and table
with no edit here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..model.scope import per_pod
from ..model.terms import Flow, Replay
from ..model.view import scenario_mean
from ..solve.audit import assets_with

ELECTRICITY = "electricity"


@dataclass(frozen=True)
class Asset:
    """One kind of asset, as the meter sees it.

    It has the pod of each member, per carrier its injection and withdrawal, and its room for
    reserves.

    All in kW on (member, time); the room is that about the expected power, up and down, and made
    when it is asked for.
    `without_flexibility` is what it would draw (+) if it did not react; None where that is not
    known.
    """

    member: str
    pod: xr.DataArray
    flows: Mapping[str, Flow]
    room: Callable[[], Mapping[str, xr.DataArray]]
    without_flexibility: xr.DataArray | None

    def at_pods(self, power: xr.DataArray, pods: pd.Index) -> xr.DataArray:
        """Sum power over the members of each pod."""
        total: xr.DataArray = per_pod(power, xr.Dataset({"pod": self.pod}), pods)
        return total.transpose("pod", "time")


def assets_of(
    source: xr.DataTree | None, weight: xr.DataArray | None, parts: Mapping[str, Part]
) -> tuple[dict[str, Asset], pd.Index]:
    """Every kind of asset that has members, averaged over scenarios, and the pods.

    None where it cannot be replayed.
    """
    try:
        inputs = None if source is None else inputs_of(source, parts)
        found = {} if source is None or inputs is None else assets_with(inputs, source)
    except SchemaError:  # a case with parts that are not in the catalogue
        inputs, found = None, {}
    if inputs is None:
        return {}, pd.Index([], name="pod")
    listed = inputs.data.get("connection")
    pods = inputs.pods if listed is None else listed.indexes["pod"].astype(str)
    return {name: _asset(inputs, name, replayed, weight) for name, replayed in found.items()}, pods


def _asset(inputs: Inputs, name: str, replayed: Replay, weight: xr.DataArray | None) -> Asset:
    data = inputs.data[name]
    member = str(data.attrs["member"])
    shape = xr.DataArray(
        0.0,
        coords={member: data.indexes[member], "time": inputs.calendar.time},
        dims=(member, "time"),
    )

    def on_members(power: xr.DataArray) -> xr.DataArray:
        full = scenario_mean(power, weight)
        return (full.reset_coords(drop=True).fillna(0.0) + shape).transpose(member, "time")

    def room() -> dict[str, xr.DataArray]:
        return {"up": on_members(replayed.room.up), "down": on_members(replayed.room.down)}

    flows = {
        carrier: Flow(on_members(flow.injection), on_members(flow.withdrawal))
        for carrier, flow in replayed.power.items()
    }
    declared = inputs.parts[name].without_flexibility
    rigid = -flows[ELECTRICITY].net if ELECTRICITY in flows else None
    if declared is not None:
        rigid = on_members(declared(data))
    return Asset(
        member,
        data["pod"],
        flows,
        room,
        rigid,
    )


def metered(assets: Mapping[str, Asset], pods: pd.Index, time: pd.DatetimeIndex) -> xr.Dataset:
    """Return the electricity of the meter, kW.

    `drawn` and `fed` are on (asset, pod, time); `before` is on (pod, time) where it is known.

    `before` is what the meter would see without flexibility: unmanaged charging, batteries idle,
    loads at their baseline, all that sun and wind give (as each part declares), everything else as
    planned; + is drawn.
    """
    powered = {name: a for name, a in assets.items() if ELECTRICITY in a.flows}
    axes = {"asset": pd.Index(list(powered), name="asset"), "pod": pods, "time": time}
    shape = tuple(len(axis) for axis in axes.values())
    drawn, fed = np.zeros(shape), np.zeros(shape)
    for k, asset in enumerate(powered.values()):
        flow = asset.flows[ELECTRICITY]
        drawn[k] = asset.at_pods(flow.withdrawal, pods).to_numpy()
        fed[k] = asset.at_pods(flow.injection, pods).to_numpy()
    both = xr.Dataset({"drawn": (tuple(axes), drawn), "fed": (tuple(axes), fed)}, coords=axes)
    rigid = [asset.without_flexibility for asset in powered.values()]
    if not powered or any(power is None for power in rigid):
        return both
    at_pods = (
        asset.at_pods(power, pods)
        for asset, power in zip(powered.values(), rigid, strict=True)
        if power is not None
    )
    return both.assign(before=sum(at_pods))


def net(meter: xr.Dataset) -> xr.DataArray:
    """Power drawn from the grid (+) or fed into it (−) by each pod, kW on (pod, time)."""
    return (meter["drawn"] - meter["fed"]).sum("asset")
