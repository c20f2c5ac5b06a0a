"""Fleets as a part of a case."""

import xarray as xr

from ....model import battery_wear
from ....model.part import Part, Stage
from ....model.view import View
from .build import build
from .replay import replay
from .schema import SCHEMA


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Where the segments stand if they fill and empty shallow first, for the next window."""
    driven = d.energy_out - d.get("unserved_trip", 0.0) + d.get("spill", 0.0)
    return battery_wear.levels(
        d, d.get("wear_capacity", d.energy_max), d.energy_in.where(d.keep == 0, 0.0), driven
    )


PART = Part(
    "fleet",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    state_inputs={
        "energy_initial": "energy",
        "baseline_initial": "energy_baseline",
        "segment_initial": "segment_level",
    },
    postprocess=postprocess,
    terminal_storage={"energy": "balance"},
)
