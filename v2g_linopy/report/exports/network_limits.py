"""What a case may say that a network of PyPSA cannot, each by its name and place."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Problem, Remedy
from ...model.formulas import following_data, previous_data
from ...model.formulas_storage import need_of_trip
from ...model.inputs import Inputs
from ...parts.assets.fleet import power_limits
from ...parts.rules.connection.schema import both_ways_pay, round_trip
from .exported import places

SAID = ("energy", "connection", "fleet", "battery", "load", "renewable")
"""Parts that a network can say."""
Fault = tuple[str, Any, str]
"""A field, where it says what no network can, and why; all places are listed."""


def unsaid(inputs: Inputs, relaxed: bool) -> list[Problem]:
    """Return everything in a case that PyPSA has no words for.

    With `relaxed`, charging and discharging at once is no such thing.
    """
    problems = []
    if inputs.calendar.scenario is not None:
        detail = "a network has one future; export a case without scenarios"
        problems.append(Problem("scenario", "consistency", detail))
    for name, d in inputs.data.items():
        member = d.attrs["member"]
        if name not in SAID and (member is None or d.sizes.get(member, 0)):
            detail = "PyPSA has no component for it; take the group out of the case, or solve here"
            problems.append(Problem(f"/{name}", "unknown", detail))
    for name, faults in _FAULTS.items():
        if name in inputs.data and inputs.data[name].sizes.get(inputs.data[name].attrs["member"]):
            problems += _listed(name, faults(inputs.data[name], inputs), inputs)
    if not problems and not relaxed:
        problems += _burning(inputs)
    return problems


def _listed(part: str, faults: Iterator[Fault], inputs: Inputs) -> list[Problem]:
    """Return a problem for each field that says what no network can."""

    def shown(cell: dict[str, Any]) -> str:
        moment = cell.pop("time", None)
        words = [str(label) for label in cell.values()]
        return " ".join(words + ([] if moment is None else [inputs.calendar.local(moment)]))

    return [
        Problem(f"{part}.{name}", "consistency", f"{detail}: {at}")
        for name, wrong, detail in faults
        if (at := places(_on_members(wrong, part, inputs), shown))
    ]


def _on_members(wrong: Any, part: str, inputs: Inputs) -> xr.DataArray:
    """Return the truth for each member that has one."""
    d = inputs.data[part]
    member = str(d.attrs["member"])
    every = xr.DataArray(np.zeros(d.sizes[member], bool), coords={member: d.indexes[member]})
    found = xr.DataArray(wrong) | every
    return found.transpose(member, ...)


# --- what each part may not say ---------------------------------------------------------------


def _energy(d: xr.Dataset, inputs: Inputs) -> Iterator[Fault]:
    yield (
        "block",
        d.block > inputs.dt * (1 + 1e-9),
        "a market has one position for several steps, and a generator has no such rule",
    )
    is_open = (d.closed == 0) & (d.limit > 0)
    ways = is_open.sum("market")
    held = (is_open | (d.committed != 0)).sum("market")
    several = (ways > 1) | ((held > 1) & (d.revisable == 0))
    yield (
        "virtual_bidding",
        (several & (d.virtual_bidding == 0)) & is_open,
        "several markets are open at once, and only what the plan backs may be traded there; set"
        " virtual_bidding to 1, or leave one market",
    )


def _connection(d: xr.Dataset, inputs: Inputs) -> Iterator[Fault]:
    monthly = "a price on the largest power of a month has no counterpart"
    yield "peak_price", d.peak_price > 0, monthly
    yield "overrun_price", d.overrun_price > 0, monthly
    both = both_ways_pay(d, round_trip(d))
    why = "importing and exporting at once would pay, and a link has no binary against it"
    yield "feed_in_price", both, why


def _storage(d: xr.Dataset) -> Iterator[Fault]:
    yield "replacement_cost", d.replacement_cost.notnull(), "wear by depth of cycles is not linear"
    for name in ("calendar_cost", "calendar_cost_soc"):
        yield name, d[name] > 0, "wear by time has no counterpart"


def _battery(d: xr.Dataset, inputs: Inputs) -> Iterator[Fault]:
    yield from _storage(d)
    yield "cycles_max", d.cycles_max.notnull(), "a store has no cap on cycles"
    yield "carrier", d.carrier != "electricity", "only electricity is exported"


def _load(d: xr.Dataset, inputs: Inputs) -> Iterator[Fault]:
    yield "carrier", d.carrier != "electricity", "only electricity is exported"
    curtails = d.curtail_max > 0
    yield (
        "curtail_energy_max",
        curtails & np.isfinite(d.curtail_energy_max),
        "a generator has no budget of energy for each window",
    )
    most = d.curtail_max.clip(max=d.baseline)
    tight = d.baseline - d.shift_down_max - most < d.power_min - 1e-9
    shifts = (d.shift_up_max > 0) | (d.shift_down_max > 0)
    yield (
        "power_min",
        curtails & shifts & tight,
        "what is curtailed and what is shifted share a least power, and components share nothing",
    )


def _fleet(d: xr.Dataset, inputs: Inputs) -> Iterator[Fault]:
    time = inputs.calendar.time
    yield from _storage(d)
    for way in ("charge", "discharge"):
        why = "off, or above a least power, needs a binary for each step"
        yield f"{way}_min", power_limits.has_least_power(d, way), why
    yield "taper_from", power_limits.tapered(d), "power that falls with the energy on board"
    yield "slack_cost", d.slack_cost.notnull(), "slack in the balance of energy"
    if "allowance" in d:
        yield "allowance", d.allowance.notnull(), "a count of what an owner lets be discharged"
    moves = (following_data(d.charge_max, time) > 0) | (following_data(d.energy_in, time) > 0)
    yield (
        "energy_min",
        need_of_trip(d, time) & moves,
        "a need that the next trip takes, while energy arrives during that trip",
    )
    soft = d.unserved_cost.fillna(0.0) + (
        d.retail_price / d.eta_charge if "need_billed" in d else 0.0
    )
    yield "retail_price", soft < 0, "not serving a need would pay"


_FAULTS: dict[str, Callable[[xr.Dataset, Inputs], Iterator[Fault]]] = {
    "energy": _energy,
    "connection": _connection,
    "battery": _battery,
    "load": _load,
    "fleet": _fleet,
}


# --- where charging and discharging at once would pay -----------------------------------------


def _burning(inputs: Inputs) -> list[Problem]:
    """Return where power may be worth less than nothing while a store could burn it.

    `solve` then writes binaries; PyPSA has none between two links. It is asked of prices and limits
    alone, so that some cases are refused whose plan would be the same.
    """
    stores = [name for name in ("fleet", "battery") if _may_burn(inputs.data.get(name))]
    if not stores:
        return []
    time = inputs.calendar.time
    reasons = [
        (f"{part}.{name}", at)
        for part, name, wrong in _worthless(inputs, time)
        if (at := _first(wrong, inputs))
    ]
    advice = "{} accepts that, and an objective that is at least as good"
    remedy = Remedy("relaxed", advice=advice)
    detail = (
        f"{' and '.join(stores)} could charge and discharge at once where power is worth less than"
        " nothing, and PyPSA has no rule against it"
    )
    return [Problem(where, "consistency", f"{at}: {detail}", (remedy,)) for where, at in reasons]


def _may_burn(d: xr.Dataset | None) -> bool:
    """Return True for storage that loses energy on the way in and out, and may do both."""
    if d is None:
        return False
    both = (d.charge_max > 0) & (d.discharge_max > 0) & (d.eta_charge * d.eta_discharge < 1)
    return bool((both & (d.aggregate == 0) if "aggregate" in d else both).any())


def _worthless(inputs: Inputs, time: pd.DatetimeIndex) -> Iterator[tuple[str, str, Any]]:
    """Yield what may make power worth less than nothing."""
    data = inputs.data
    paid = 0.0  # what drivers pay for a kWh that is burnt
    if "fleet" in data and "need_billed" not in data["fleet"]:
        paid = float(data["fleet"].retail_price.max())
    fees, narrow, connection = 0.0, False, data.get("connection")
    if connection is not None:
        out = connection.fee_export + connection.usage_cost
        fees = float(out.max())
        narrow = bool(np.isfinite(connection.export_max).any())
        sold = connection.feed_in_price - out - paid
        yield "connection", "feed_in_price", sold < 0
    if (energy := data.get("energy")) is not None:
        traded = (energy.limit > 0) | (energy.committed != 0)
        yield "energy", "price", traded & (energy.price - energy.spread / 2 - fees - paid < 0)
        narrow = narrow or bool((energy.closed > 0).any())
        yield "energy", "committed", (energy.committed < 0) & (energy.closed > 0)
    if (sun := data.get("renewable")) is not None:
        yield "renewable", "cost", sun.cost < 0
        stuck = (sun.curtailable == 0) & (sun.available > 0)
        yield "renewable", "curtailable", stuck & (narrow or energy is not None)
    if (fleet := data.get("fleet")) is not None:
        before = fleet.keep * previous_data(fleet.energy_max, fleet.energy_initial, time)
        full = before + fleet.energy_in - fleet.energy_out - fleet.spill_max
        yield "fleet", "energy_max", full > fleet.energy_max + 1e-9
    if (box := data.get("battery")) is not None:
        less = box.get("energy_final", box.energy_initial) < box.energy_initial
        yield "battery", "energy_final", less & (box.cyclic > 0)
        yield "battery", "energy_value", box.energy_value < 0


def _first(wrong: xr.DataArray, inputs: Inputs) -> str:
    """Return the first places where something holds, empty where it holds nowhere."""

    def shown(cell: dict[str, Any]) -> str:
        moment = cell.pop("time", None)
        words = [str(label) for label in cell.values()]
        return " ".join(words + ([] if moment is None else [inputs.calendar.local(moment)]))

    if not wrong.dims:
        return "always" if bool(wrong) else ""
    return places(wrong, shown)
