"""The connection of each pod to the grid: its limits and its bill, from supply to peak tariff
(docs/formulation.md §5).
"""

import numpy as np
import xarray as xr

from ....algebra.expression import Expression, Quantity
from ....case import calendar as periods
from ....model.reserve_rules import activated_at_suppliers, supplied
from ....model.scope import Scope
from ....model.terms import Cash, Flow, Terms
from .metered_calls import metered_calls
from .peak_tariff import peaks_of, years_of
from .schema import both_ways_pay, round_trip


def build(s: Scope, d: xr.Dataset) -> Terms:
    """Meter of each pod, its limits and its bill.

    The limits hold as planned and with every reserve held there fully activated.

    With exchange the injection of the pod [kW] and `held` the reserve measured from the expected
    power::

        export - import = exchange,   0 <= import <= import_max,   0 <= export <= export_max
        exchange + held_up <= export_max,   -exchange + held_down <= import_max

    A pod with a supply contract buys all it draws and sells all it feeds in there, activated
    reserves included, and none of it reaches the markets of the portfolio. Per step [EUR/kWh] and
    per month [EUR/kW]::

        cash = dt (feed_in_price - fee_export - usage_cost) export
             - dt ((1 + vat) (supply_price + fee_import + tax) + usage_cost) import
             - (1 + vat) (peak_price peak + subscribed_price subscribed hours / 8760
                           + overrun_price overrun)
             - (fixed_cost + capacity_cost capacity / 8760) hours
        peak = mean of the K largest weight import of the month,   overrun >= import - subscribed

    Where the price of import less that of export is negative, one more binary keeps them apart::

        import <= import_max importing,   export <= export_max (1 - importing)

    Where it is zero, the plan is written without what flows both ways. Where it is positive and
    reserves tell their calls by states, import and export are those of every state, not of the mean
    (`metered_calls` has the rows). The mean of the K =
    peak_count largest is the linear programme peak = eta + sum z / K, z >= weight P - eta, z, eta
    >= 0, with P the import of a clock hour; K is the number of periods in the horizon where a month
    has fewer. A month that began before the first step pays for what exceeds its peak so far
    (`peak_initial`, `day_initial`, `hour_initial`, `overrun_initial`).

    The overrun is that of the largest step of each month and priced per kW, as where a maximeter
    reads quarter-hours. A window of a longer horizon pays months in full (`partial`): then the
    windows add up to the bill of the whole.
    """
    drawn, fed = s.var("import_", upper=d.import_max), s.var("export", upper=d.export_max)
    exchange = s["node.exchange"].sel(pod=d.indexes["pod"])
    s.add("meter", fed - drawn - exchange == 0)
    both = both_ways_pay(d, round_trip(d))
    importing = s.var_where("importing", both, binary=True)
    s.add("importing", drawn - d.import_max.where(both, 0.0) * importing <= 0, mask=both)
    s.add("exporting", fed + d.export_max.where(both, 0.0) * (importing - 1) <= 0, mask=both)
    _under_activation(s, d, exchange)
    metered_calls(s, d, drawn, fed)
    power = {}
    if bool(supplied(d).any()):
        lowered, raised = (activated_at_suppliers(s, way) for way in ("down", "up"))
        own = lowered + (supplied(d) * exchange).sum("pod")
        power["electricity"] = Flow(s.expression(raised), s.expression(own))
    return Terms(power=power, cash=_per_step(d, s.dt, drawn, fed) | _per_month(s, d, drawn))


def _under_activation(s: Scope, d: xr.Dataset, exchange: Expression) -> None:
    """Rows: the limits hold with every reserve of the pod fully activated, either way, and so they
    do where nothing has been called before.
    """
    pods, limit_up, limit_down = d.indexes["pod"], *map(np.isfinite, (d.export_max, d.import_max))
    for path, held in s.held_by_path.items():
        if held:
            up: Quantity = sum(s.per_pod(h.up, asset).sel(pod=pods) for asset, h in held)
            down: Quantity = sum(s.per_pod(h.down, asset).sel(pod=pods) for asset, h in held)
            most_out, most_in = d.export_max.where(limit_up, 0.0), d.import_max.where(limit_down, 0)
            s.add(f"activated_up{path}", exchange + up <= most_out, mask=limit_up)
            s.add(f"activated_down{path}", down - exchange <= most_in, mask=limit_down)


def _per_step(d: xr.Dataset, dt: float, drawn: Expression, fed: Expression) -> dict[str, Cash]:
    """What the meter counts, EUR on (pod, time)."""
    supply = d.supply_price.fillna(0.0)
    rates = {
        "supply": (-supply, drawn),
        "feed_in": (d.feed_in_price.fillna(0.0), fed),
        "fee_import": (-d.fee_import, drawn),
        "fee_export": (-d.fee_export, fed),
        "tax": (-d.tax, drawn),
        "vat": (-d.vat * (supply + d.fee_import + d.tax), drawn),
        "usage": (-d.usage_cost, drawn + fed),
    }
    return {
        entry: dt * rate * power
        for entry, (rate, power) in rates.items()
        if bool((rate != 0).any())
    }


def _per_month(s: Scope, d: xr.Dataset, drawn: Expression) -> dict[str, Cash]:
    """What a month costs, EUR on (pod, month)."""
    tariff = peaks_of(d, s.calendar, s.dt)
    years = years_of(tariff)
    fees = {
        "subscribed": -d.subscribed.fillna(0.0) * d.subscribed_price * years,
        "fixed": -d.fixed_cost * years * periods.YEAR,
        "capacity": -d.capacity * d.capacity_cost * years,
    }
    cash: dict[str, Cash] = {entry: x for entry, x in fees.items() if bool((x != 0).any())}
    if bool((d.peak_price > 0).any()):
        cash["peak"] = -1 * tariff.charge(tariff.billed(s, drawn))
    priced, known = d.overrun_price > 0, d.overrun_initial * tariff.first("month")
    if bool(priced.any()):
        overrun = s.var("overrun", lower=known, mask=priced)
        beyond = overrun.sel(month=tariff.steps_by("month")) - drawn
        s.add("overrun", beyond >= -d.subscribed.fillna(0.0), mask=priced)
        cash["overrun"] = -d.overrun_price * tariff.share * (overrun - known)
    taxed = [cash[entry] for entry in ("subscribed", "peak", "overrun") if entry in cash]
    if bool((d.vat > 0).any()) and taxed:
        cash["vat_capacity"] = d.vat * sum(taxed)
    return cash
