"""Fields of connections, and rules between them."""

import numpy as np
import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, Schema, worst_violation
from ....errors import Problem
from ....model.reserve_rules import supplied
from .peak_tariff import unmetered

INF, NAN = float("inf"), float("nan")
_ROUNDING = 1e-9  # EUR/kWh


def _consistent(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Rules between fields: contracts are whole, prices have what they are for, and nothing pays
    without end.
    """
    begun = d.feed_in_price.notnull()
    contract = supplied(d) | begun.any([x for x in begun.dims if x != "pod"])
    part = "missing, but the pod has a supply contract elsewhere: give it in every step, or in none"
    cost = round_trip(d)
    whole = d.supply_price.notnull() == d.feed_in_price.notnull()
    both, each = whole & both_ways_pay(d, cost), 1000 * cost
    loop = (
        f"{calendar.currency}/MWh is all that importing and exporting at once costs, which pays"
        " without end; give"
    )
    used = (d.subscribed_price > 0) | (d.overrun_price > 0)
    rules = (
        ("supply_price", contract & d.supply_price.isnull(), d.supply_price, part),
        (
            "feed_in_price",
            contract & d.feed_in_price.isnull(),
            d.feed_in_price,
            f"{part}; 0 where export is not paid",
        ),
        (
            "import_max",
            both & np.isinf(d.import_max),
            each,
            f"{loop} import_max (kW) or other prices",
        ),
        (
            "export_max",
            both & np.isinf(d.export_max),
            each,
            f"{loop} export_max (kW) or other prices",
        ),
        (
            "subscribed",
            used & d.subscribed.isnull(),
            d.subscribed,
            "missing, but it has a price; give it (kW)",
        ),
        (
            "capacity",
            (d.capacity_cost > 0) & (d.capacity == 0),
            d.capacity,
            "kW, but capacity_cost is paid for it",
        ),
        ("peak_count", d.peak_count % 1 != 0, d.peak_count, "is no whole number"),
    )
    problems = []
    for name, wrong, array, detail in rules:
        if count := int(wrong.sum()):
            place, value = worst_violation(array.broadcast_like(wrong), wrong, calendar)
            more = f" (and {count - 1} more)" if count > 1 else ""
            shown = f"{place}{'' if np.isnan(value) else f'{value:g} '}{detail}{more}"
            problems.append(Problem(f"connection.{name}", "consistency", shown))
    return problems + [
        Problem(f"connection.{name}", "consistency", x) for name, x in unmetered(d, calendar)
    ]


SCHEMA = Schema(
    inputs=(
        Field(
            "import_max",
            "pod time",
            "kW",
            "most power drawn from the grid",
            default=INF,
            ge=0,
            infinite=True,
        ),
        Field(
            "export_max",
            "pod time",
            "kW",
            "most power fed into the grid",
            default=INF,
            ge=0,
            infinite=True,
        ),
        Field(
            "supply_price",
            "pod time",
            "EUR/MWh",
            "price of import under a supply contract of the pod; NaN: it trades on the portfolio's"
            " markets",
            default=NAN,
            missing=True,
        ),
        Field(
            "feed_in_price",
            "pod time",
            "EUR/MWh",
            "paid for export under the supply contract; NaN: no contract",
            default=NAN,
            missing=True,
        ),
        Field("fee_import", "pod time", "EUR/MWh", "grid fee on import", default=0.0),
        Field("fee_export", "pod time", "EUR/MWh", "grid fee on export", default=0.0),
        Field("tax", "pod time", "EUR/MWh", "tax on import", default=0.0, ge=0),
        Field(
            "vat",
            "pod",
            "1",
            "value added tax on purchases: supply, fee and tax of import, peak, subscription and"
            " overrun",
            default=0.0,
            ge=0,
            le=1,
        ),
        Field(
            "peak_price",
            "pod",
            "EUR/kW",
            "for the mean of the largest imports of each month",
            default=0.0,
            ge=0,
        ),
        Field(
            "peak_count",
            "pod",
            "1",
            "how many of the largest imports are averaged",
            default=1.0,
            ge=1,
        ),
        Field(
            "peak_period",
            "pod",
            "",
            "an import is the mean of a clock hour, or of the largest clock hour of a local day",
            default="hour",
            kind="choice",
            choices=("hour", "day"),
        ),
        Field(
            "peak_weight",
            "pod time",
            "1",
            "with which import counts for the peak",
            default=1.0,
            ge=0,
        ),
        Field(
            "peak_initial",
            "pod rank",
            "kW",
            "largest imports of the month so far, of a month that began before the first step;"
            " ranks 1, 2, ...",
            default=ABSENT,
            ge=0,
            missing=True,
        ),
        Field(
            "hour_initial",
            "pod",
            "kWh",
            "weighted import in a clock hour that began before",
            default=0.0,
            ge=0,
        ),
        Field(
            "day_initial",
            "pod",
            "kW",
            "largest clock hour in a local day that began before",
            default=0.0,
            ge=0,
        ),
        Field(
            "partial",
            "pod",
            "",
            "what a month that the horizon covers in part pays of the prices of peak and overrun",
            default="full",
            kind="choice",
            choices=("full", "pro_rata"),
        ),
        Field(
            "subscribed",
            "pod",
            "kW",
            "subscribed import; NaN: none",
            default=NAN,
            ge=0,
            missing=True,
        ),
        Field(
            "subscribed_price", "pod", "EUR/kW/year", "for the subscribed import", default=0.0, ge=0
        ),
        Field(
            "overrun_price",
            "pod",
            "EUR/kW",
            "for the largest import above it in each month",
            default=0.0,
            ge=0,
        ),
        Field(
            "overrun_initial",
            "pod",
            "kW",
            "largest overrun of a month that began before",
            default=0.0,
            ge=0,
        ),
        Field(
            "fixed_cost",
            "pod",
            "EUR/year",
            "operation, maintenance, administration",
            default=0.0,
            ge=0,
        ),
        Field(
            "capacity",
            "pod",
            "kW",
            "rated capacity that capacity_cost is paid for",
            default=0.0,
            ge=0,
        ),
        Field(
            "capacity_cost",
            "pod",
            "EUR/kW/year",
            "operation and maintenance per capacity",
            default=0.0,
            ge=0,
        ),
        Field(
            "usage_cost",
            "pod",
            "EUR/kWh",
            "operation per energy through the meter, either way",
            default=0.0,
            ge=0,
        ),
    ),
    outputs=(
        Field("import_", "pod time", "kW", "power drawn from the grid"),
        Field("export", "pod time", "kW", "power fed into the grid"),
        Field(
            "export_in_state",
            "pod time",
            "kW",
            "power fed into the grid while the calls of reserves are in a state",
            auxiliary=True,
        ),
        Field(
            "importing", "pod time", "1", "1 importing, 0 exporting, where both at once would pay"
        ),
        Field(
            "peak",
            "pod month",
            "kW",
            "mean of the largest imports of the month, where it is priced",
        ),
        Field(
            "overrun",
            "pod month",
            "kW",
            "largest import above the subscribed one, where it is priced",
        ),
        Field(
            "hour_energy",
            "pod time",
            "kWh",
            "weighted import in the clock hour so far, at the end of the step",
        ),
        Field("day_peak", "pod time", "kW", "largest clock hour of the local day so far"),
        Field(
            "peak_to_date",
            "pod rank time",
            "kW",
            "largest closed periods of the month so far",
            missing=True,
        ),
        Field("overrun_to_date", "pod time", "kW", "largest overrun of the month so far"),
        Field(
            "peak_threshold", "pod month", "kW", "the smallest import that counts", auxiliary=True
        ),
        Field("peak_excess", "pod hour", "kW", "clock hour above the threshold", auxiliary=True),
        Field("peak_excess_day", "pod day", "kW", "local day above the threshold", auxiliary=True),
        Field(
            "peak_excess_before",
            "pod rank",
            "kW",
            "what was metered before, above it",
            auxiliary=True,
        ),
    ),
    checks=(_consistent,),
)


def round_trip(d: xr.Dataset) -> xr.DataArray:
    """Return what a kWh imported and exported at once costs at the meter (EUR/kWh).

    What markets pay for it is left out.
    """
    bought = (1 + d.vat) * (d.supply_price.fillna(0.0) + d.fee_import + d.tax)
    return bought - d.feed_in_price.fillna(0.0) + d.fee_export + 2 * d.usage_cost


def both_ways_pay(d: xr.Dataset, cost: xr.DataArray) -> xr.DataArray:
    """Return True where importing and exporting at once would be paid for."""
    return (cost < -_ROUNDING) & (d.import_max > 0) & (d.export_max > 0)


def counts_apart(d: xr.Dataset) -> xr.DataArray:
    """Return True where a kWh imported costs more than one exported earns: what flows both ways
    within a step is then paid for.
    """
    return (round_trip(d) > _ROUNDING) & (d.import_max > 0)
