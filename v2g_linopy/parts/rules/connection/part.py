"""Connections as a part of a case."""

import xarray as xr

from ....model.formulas import smaller
from ....model.part import Part, Stage
from ....model.view import View
from .build import build
from .peak_tariff import largest_overrun
from .replay import replay
from .schema import SCHEMA
from .tariff import peaks_of


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Take out what flows both ways where that costs nothing, and read the meter of each month."""
    both = smaller(d.import_, d.export)
    found = {"import_": d.import_ - both, "export": d.export - both}
    tariff = peaks_of(d, v.calendar, v.dt)
    if "peak_threshold" in d:
        found |= tariff.read(found["import_"])
    if "overrun" in d:
        excess = (found["import_"] - d.subscribed).where(d.overrun_price > 0, 0.0)
        found |= largest_overrun(excess, tariff, d.overrun_initial)
    return found


PART = Part(
    "connection",
    Stage.RULE,
    SCHEMA,
    build,
    replay,
    state_inputs={
        "peak_initial": "peak_to_date",
        "hour_initial": "hour_energy",
        "day_initial": "day_peak",
        "overrun_initial": "overrun_to_date",
    },
    postprocess=postprocess,
)
