"""Connections as a part of a case."""

import xarray as xr

from ....model.formulas import smaller
from ....model.part import Entry, Part, Stage
from ....model.view import View
from .build import build
from .case_checks import clock_hours, listed_pods
from .peak_tariff import largest_overrun, peaks_of
from .replay import replay
from .schema import SCHEMA, counts_apart

_ROUNDING = 1e-6  # kW


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Take out what flows both ways where that costs nothing, and read the meter of each month.

    Where it costs something, calls of reserves make it flow.
    """
    both = smaller(d.import_, d.export)
    both = both.where(~counts_apart(d) | (both < _ROUNDING), 0.0)
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
    limits_sums=lambda d: True,
    case_checks=(listed_pods, clock_hours),
    entries={
        "supply": Entry("energy bought from the supplier", "energy"),
        "feed_in": Entry("energy sold to the supplier", "energy"),
        "fee_import": Entry("grid fee, import", "grid"),
        "fee_export": Entry("grid fee, export", "grid"),
        "tax": Entry("energy tax", "grid"),
        "vat": Entry("value added tax on energy", "grid"),
        "vat_capacity": Entry("value added tax on capacity", "grid"),
        "peak": Entry("peak tariff", "grid"),
        "subscribed": Entry("subscribed capacity", "grid"),
        "overrun": Entry("overrun of subscribed capacity", "grid"),
        "fixed": Entry("operation of the connection, fixed", "grid"),
        "capacity": Entry("operation of the connection, per capacity", "grid"),
        "usage": Entry("operation of the connection, per energy", "grid"),
    },
    limit_labels={
        "import_": "import limit",
        "export": "export limit",
        "overrun": "subscribed capacity",
        "activated_up": "export limit, reserves activated",
        "activated_down": "import limit, reserves activated",
    },
    balances=frozenset({"meter", "peak_hour", "peak_day", "peak_before", "peak_day_before"}),
    state_inputs={
        "peak_initial": "peak_to_date",
        "hour_initial": "hour_energy",
        "day_initial": "day_peak",
        "overrun_initial": "overrun_to_date",
    },
    postprocess=postprocess,
)
