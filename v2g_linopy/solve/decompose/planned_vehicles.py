"""Vehicles that are planned elsewhere, as level two of a large fleet sees them: reserve of each
product that they hold at each pod, and nothing else (docs/formulation.md §12 B).

An asset like any other, so that what connections, suppliers and bids ask of a reserve they ask of
this one. What is held comes as columns of its rows `reserve.offered_planned`.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from ...case.schema import Field, Schema
from ...model.inputs import Inputs
from ...model.part import Part, Stage
from ...model.scope import Scope
from ...model.terms import Offered, Replay, Terms
from ...model.view import View

PLANNED = "planned"
SHARE, OFFERED = f"reserve.share_{PLANNED}", f"reserve.offered_{PLANNED}"
_AMPLE = 2.0  # times what all vehicles could hold: a bound that never binds has no price

SCHEMA = Schema(
    inputs=(
        Field("held_max", "planned product time", "kW", "more than the vehicles can hold", ge=0),
        Field("pod", "planned", "", "point of delivery", "site", kind="label"),
    )
)


def _build(s: Scope, d: xr.Dataset) -> Terms:
    """Rows share <= 0, to which each plan of a group adds what it holds."""
    if "held_max" not in d:
        return Terms()
    return Terms(offered=Offered(s.expression(xr.zeros_like(d.held_max)), d.held_max))


def _replay(v: View, d: xr.Dataset) -> Replay:
    """Nothing: the vehicles themselves are replayed."""
    return Replay()


PART = Part(PLANNED, Stage.ASSET, SCHEMA, _build, _replay, label="vehicles planned one by one")


def with_planned_vehicles(inputs: Inputs, rest: Inputs, planned: np.ndarray) -> Inputs:
    """Return the rest of a case with the reserve that `planned` vehicles may hold at each pod.

    Parameters
    ----------
    inputs, rest : Inputs
        A case, and what is left of it beside these vehicles.
    planned : numpy.ndarray
        Positions of the vehicles.
    """
    pods = [str(pod) for pod in rest.pods]
    d = xr.Dataset({"pod": (PLANNED, pods)}, coords={PLANNED: pods}, attrs={"member": PLANNED})
    if (reserve := inputs.data.get("reserve")) is not None:
        fleet = inputs.data["fleet"].isel(fleet=planned)
        power = fleet.charge_max + fleet.discharge_max
        at = fleet.pod.astype(str).rename(PLANNED)
        room = power.groupby(at).sum().reindex({PLANNED: pd.Index(pods)}, fill_value=0.0)
        least = (reserve.up + reserve.down) / 2  # the larger room of the two that a kW takes
        every = xr.zeros_like(reserve.volume_max) + xr.zeros_like(fleet.time, float)
        d["held_max"] = (_AMPLE * room / least + every).transpose(PLANNED, "product", "time")
    # assets stand first, as in every case
    return replace(rest, parts={**rest.parts, PLANNED: PART}, data={PLANNED: d, **rest.data})
