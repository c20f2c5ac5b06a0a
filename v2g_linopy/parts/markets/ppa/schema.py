"""Fields of power purchase agreements, and rules between them."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema
from ....errors import Problem
from ....model.inputs import has_market, pods_at_markets

NAN = float("nan")
SIDES, PERIODS = ("seller", "buyer"), ("month", "year", "horizon")
SETTLEMENTS, VOLUMES = ("two_way", "one_way", "physical"), ("output", "deemed", "baseload")


def reference_market(
    data: Mapping[str, xr.Dataset], calendar: Calendar, dt: float
) -> list[Problem]:
    """Contracts refer to the prices of a market, also where every pod has its supplier."""
    if has_market(data) or pods_at_markets(data):
        return []
    detail = (
        "missing: the contracts of /ppa refer to its prices; give a market (limit 0: nobody"
        " trades it)"
    )
    return [Problem("energy", "missing", detail)]


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: a volume that is known, energy that is not counted twice, a shortfall
    that costs.
    """
    plant, physical, buys, due = (
        plant_of(d) != "",
        d.settlement == "physical",
        d.side == "buyer",
        d.contracted > 0,
    )
    rules = (
        (
            "renewable",
            (d.volume_type != "baseload") & ~plant,
            "name the plant of /renewable whose energy counts",
        ),
        (
            "baseload",
            (d.volume_type != "baseload") & (d.baseload > 0),
            'counts only where volume_type is "baseload"',
        ),
        (
            "settlement",
            physical & buys & (d.volume_type != "baseload"),
            (
                "the plant feeds in already, its energy would count twice; settle the difference,"
                " or pay renewable.cost"
            ),
        ),
        (
            "shortfall_price",
            due & (d.shortfall_price == 0),
            "energy is contracted; give what a kWh short of it costs",
        ),
        ("contracted", due & buys, "the portfolio buys; energy can be due from a seller only"),
        (
            "mean_hours_initial",
            (d.mean_hours_initial == 0) & ((d.mean_initial != 0) | (d.settled_initial > 0)),
            "give the hours before the first step that mean_initial is the mean of",
        ),
    )
    problems = []
    for name, wrong, detail in rules:
        some = wrong.any([x for x in wrong.dims if x != "contract"])
        for contract in some.contract[some].indexes["contract"]:
            problems.append(Problem(f"ppa.{name}", "consistency", f"contract {contract}: {detail}"))
    return problems


def _with_length(d: xr.Dataset) -> xr.Dataset:
    """Give a period that is the horizon its length, which a window of it does not have."""
    time = d.indexes["time"]
    if "period_hours" in d or len(time) < 2 or not bool((d.period == "horizon").any()):
        return d
    length = len(time) * (time[1] - time[0]) / pd.Timedelta(hours=1)
    return d.assign(period_hours=xr.full_like(d.contracted, length))


SCHEMA = Schema(
    inputs=(
        Field("strike", "contract time", "EUR/MWh", "price agreed"),
        Field(
            "side", "contract", "", "what the portfolio is", "seller", kind="choice", choices=SIDES
        ),
        Field(
            "settlement",
            "contract",
            "",
            "the difference to the reference both ways, or only where it favours the seller, or the"
            " energy itself",
            "two_way",
            kind="choice",
            choices=SETTLEMENTS,
        ),
        Field(
            "volume_type",
            "contract",
            "",
            "the share counts of what the plant feeds in, or of what it could have; or a power is"
            " given",
            "output",
            kind="choice",
            choices=VOLUMES,
        ),
        Field(
            "renewable",
            "contract",
            "",
            "plant whose energy counts, empty for none",
            ABSENT,
            kind="label",
            of="renewable",
        ),
        Field(
            "share",
            "contract time",
            "1",
            "share of the plant's energy under contract",
            default=1.0,
            ge=0,
            le=1,
        ),
        Field(
            "baseload", "contract time", "kW", "power under a baseload contract", default=0.0, ge=0
        ),
        Field(
            "reference",
            "contract",
            "",
            "energy market of the reference price; the first unless given",
            ABSENT,
            kind="label",
            of="energy",
        ),
        Field(
            "averaging",
            "contract",
            "",
            "the reference is the price of the step, or the mean of the local month: of its hours"
            " before the horizon (mean_initial) and of those in it",
            "spot",
            kind="choice",
            choices=("spot", "month"),
        ),
        Field(
            "negative_hours",
            "contract",
            "h",
            "the contract rests while the price of the step is below 0 for at least this long"
            " without a break; 0 rests in every such step, NaN never",
            default=NAN,
            ge=0,
            missing=True,
        ),
        Field(
            "negative_initial",
            "contract",
            "h",
            "how long the price has been below 0 before the first step",
            0.0,
            0,
        ),
        Field(
            "mean_initial",
            "contract",
            "EUR/MWh",
            "mean reference price of the hours before the first step, in its local month",
            default=0.0,
        ),
        Field(
            "mean_hours_initial",
            "contract",
            "h",
            "hours that mean_initial is the mean of; 0: none",
            0.0,
            ge=0,
        ),
        Field(
            "settled_initial",
            "contract",
            "kWh",
            "energy of those hours, settled at mean_initial so far",
            0.0,
            ge=0,
        ),
        Field(
            "contracted",
            "contract",
            "kWh",
            "energy agreed for each period; due pro rata of the time, also where the horizon cuts a"
            " month or year",
            default=0.0,
            ge=0,
        ),
        Field(
            "tolerance", "contract", "1", "share of it that may be missing", default=0.0, ge=0, le=1
        ),
        Field(
            "shortfall_price",
            "contract",
            "EUR/MWh",
            "paid for energy missing beyond that",
            default=0.0,
            ge=0,
        ),
        Field(
            "period",
            "contract",
            "",
            "when energy is due: local month or year",
            "year",
            kind="choice",
            choices=PERIODS,
        ),
        Field(
            "period_hours",
            "contract",
            "h",
            'length of the period "horizon"; by default that of the case',
            ABSENT,
            ge=0,
        ),
        Field(
            "ahead_initial",
            "contract",
            "kWh",
            "ahead of what is due before the first step, in its period",
            0.0,
            ge=0,
        ),
        Field(
            "behind_initial",
            "contract",
            "kWh",
            "behind what is due before the first step, in its period",
            0.0,
            ge=0,
        ),
    ),
    outputs=(
        Field(
            "ahead",
            "contract time",
            "kWh",
            "energy beyond what is due in the period so far, where some is",
        ),
        Field("behind", "contract time", "kWh", "energy short of what is due in the period so far"),
        Field(
            "negative_run",
            "contract time",
            "h",
            "how long the price has been below 0, where that is in a clause",
        ),
        Field(
            "mean_to_date",
            "contract time",
            "EUR/kWh",
            "mean price of the month so far, where it is the reference",
            signed=True,
        ),
        Field("mean_hours", "contract time", "h", "hours that it is the mean of"),
        Field(
            "settled",
            "contract time",
            "kWh",
            "energy of the month so far, to be settled at its mean",
        ),
    ),
    checks=(_consistent,),
    completions=(_with_length,),
)


def plant_of(d: xr.Dataset) -> xr.DataArray:
    """Name of the plant of each contract, empty for none."""
    none = xr.full_like(d.contract, "", dtype=object)
    return d["renewable"].astype(str).astype(object) if "renewable" in d else none
