"""Fleets as a part of a case."""

import xarray as xr

from ....model import battery_wear, formulas_storage
from ....model.formulas import given
from ....model.part import Entry, Part, Stage
from ....model.view import View
from .build import build
from .replay import replay
from .schema import SCHEMA


def postprocess(v: View, d: xr.Dataset) -> dict[str, xr.DataArray]:
    """Where the segments stand if they fill and empty shallow first, for the next window."""
    driven = d.energy_out - given(d, "unserved_trip") + given(d, "spill")
    return battery_wear.levels(
        d, given(d, "wear_capacity", d.energy_max), d.energy_in.where(d.keep == 0, 0.0), driven
    )


def limits_sums(d: xr.Dataset) -> bool:
    """Return True for vehicles that take any power up to the most, and lose nothing or only charge.

    What owners allow, and power that falls near full, limit something else.
    """
    steady = d.taper_from.isnull() & (d.charge_min == 0) & (d.discharge_min == 0)
    limited = "allowance" in d and bool(d.allowance.notnull().any())
    return formulas_storage.counts_alike(d) and bool(steady.all()) and not limited


PART = Part(
    "fleet",
    Stage.ASSET,
    SCHEMA,
    build,
    replay,
    label="vehicles",
    member_label="fleet member",
    entries={
        "drivers": Entry("drivers' payments for charging", "drivers"),
        "wear": Entry("battery wear, discharging", "wear"),
        "wear_charge": Entry("battery wear, charging", "wear"),
        "wear_cycles": Entry("battery wear, depth of cycles (driving included)", "wear"),
        "wear_calendar": Entry("battery wear, by time", "wear"),
        "slack.unserved": Entry("penalty: energy missing at departure"),
        "slack.unserved_trip": Entry("penalty: energy missing for trips"),
        "slack.balance": Entry("penalty: slack in the energy balance"),
    },
    limit_labels={
        "charge": "charging power",
        "discharge": "discharging power",
        "energy": "battery full",
        "need": "need at departure",
        "spill": "energy leaving beyond the need",
        "used": "energy that the owner lets be discharged",
        "taper": "charging power near full",
        "charge_least": "least charging power",
        "discharge_least": "least discharging power",
        **formulas_storage.LIMIT_LABELS,
        **battery_wear.LIMIT_LABELS,
    },
    balances=frozenset({"balance", "count", *battery_wear.BALANCES}),
    limits_sums=limits_sums,
    state_inputs={
        "energy_initial": "energy",
        "baseline_initial": "energy_baseline",
        "segment_initial": "segment_level",
        "allowance_used": "used",
    },
    postprocess=postprocess,
    terminal_storage={"energy": "balance"},
)
