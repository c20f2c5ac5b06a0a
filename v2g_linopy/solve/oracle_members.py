"""Which vehicles the segment oracle can plan, and their stays (docs/formulation.md §12 A).

The choice is made by data, vehicle by vehicle: whatever makes what a step costs depend on more than
the change of the energy on board keeps a vehicle in the linear programme."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.arrays import broadcast
from ..model.inputs import Inputs
from ..model.reserve_rules import acceptance, on_two_paths, told_by_states
from ..parts.assets.fleet.schema import is_active
from ..parts.markets.reserve.guarantees import energy_backed
from . import complementarity
from .oracle import CHARGE, DISCHARGE, RISES, SLACK_IN, SLACK_OUT, SPILL, Plans, Stays
from .oracle_reserves import Products

FLEET = "fleet"


@dataclass(frozen=True)
class Choice:
    """How each vehicle can be planned, and how many the oracle cannot plan, by reason."""

    planned: np.ndarray  # True where prices and its own energy decide: by the oracle
    batched: np.ndarray  # True of others where prices decide: by a linear programme of its own
    reasons: Mapping[str, int]

    @property
    def apart(self) -> np.ndarray:
        """True for vehicles that are tied to others by prices alone."""
        return self.planned | self.batched

    def in_batches(self, vehicles: np.ndarray, why: str) -> "Choice":
        """Return the choice in which some vehicles have a linear programme of their own."""
        moved = np.zeros_like(self.planned)
        moved[vehicles] = True
        count = int((moved & self.planned).sum()) + self.reasons.get(why, 0)
        reasons = {**self.reasons, why: count}
        return Choice(self.planned & ~moved, self.batched | moved, reasons)

    def by_the_oracle_alone(self) -> "Choice":
        """Return the choice that leaves all others in the model of the rest."""
        return Choice(self.planned, np.zeros_like(self.planned), self.reasons)

    @property
    def sentence(self) -> str:
        """Why the others cannot be planned, in words."""
        return "; ".join(f"{count}: {why}" for why, count in self.reasons.items())


def choose(inputs: Inputs) -> Choice:
    """Choose the vehicles whose plan depends on prices and their own energy alone."""
    d = inputs.data[FLEET]
    names, time = d.indexes["fleet"], inputs.calendar.time.rename("time")
    planned, apart, reasons = np.ones(len(names), bool), np.ones(len(names), bool), {}
    ties = ((False, _own_rules(inputs, d)), (True, _ties(inputs, d)))
    for tied, hindrances in ties:
        for why, wrong in hindrances:
            here = broadcast(wrong, {"fleet": names, "time": time}).any(1)
            if (new := here & planned).any():
                reasons[why] = int(new.sum())
            planned &= ~here
            apart &= ~(here & tied)
    return Choice(planned, apart & ~planned, reasons)


def _own_rules(inputs: Inputs, d: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield what a linear programme of a vehicle can hold and the oracle cannot, and where it
    is.
    """
    nowhere = xr.DataArray(False)
    if (reserve := inputs.data.get("reserve")) is not None:
        backed = xr.DataArray(bool((energy_backed(reserve) & (reserve.volume_max > 0)).any()))
        yield "reserves tie the power of a step to the energy on board", backed & (d.energy_max > 0)
        yield "they follow two paths", xr.DataArray(on_two_paths(d, reserve))
    yield "the power near full depends on the energy on board", d.taper_from.notnull()
    yield (
        "wear by depth depends on the whole path of the energy",
        xr.DataArray("replacement_cost" in d) & d.get("replacement_cost", nowhere).notnull(),
    )
    if "allowance" in d:
        yield "an owner limits what is discharged in sum", d.allowance.notnull()
    if "need_billed" in d:
        cost = d.unserved_cost + d.retail_price / d.eta_charge
        yield "not serving a need would pay", (d.need_billed > 0) & (cost < 0)


def _ties(inputs: Inputs, d: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield what keeps a vehicle in the model of the rest, and where it is."""
    for way in ("charge", "discharge"):
        least = (d[f"{way}_min"] > 0) & (d[f"{way}_max"] > 0)
        yield "a least power is a choice between on and off", least
    if told_by_states(inputs.data.get("reserve")):
        yield "calls of reserves are told by states", xr.DataArray(True)
    if "charger" in d:
        yield "a charger limits several vehicles in sum", d.charger.astype(str) != ""
    named = _named_elsewhere(inputs)
    yield "another part names them", d.fleet.astype(str).isin(sorted(named))


def _named_elsewhere(inputs: Inputs) -> set[str]:
    """Return the vehicles that another part names."""
    found: set[str] = set()
    for part, d in inputs:
        for field in part.schema.inputs:
            if field.of == FLEET and field.name in d:
                found |= {*map(str, d[field.name].to_numpy().ravel())}
    return found


class _Cells:
    """Fields of some vehicles, at every step and at the steps of their stays."""

    def __init__(self, d: xr.Dataset, time: pd.Index):
        self.d, self.indexes = d, {"fleet": d.indexes["fleet"], "time": time}
        self.vehicle, self.step = np.zeros(0, int), np.zeros(0, int)

    def every(self, x: xr.DataArray | str) -> np.ndarray:
        """Return a field on (vehicle, step), without a copy where it is the same at all steps."""
        return broadcast(self.d[x] if isinstance(x, str) else x, self.indexes)

    def at(self, x: xr.DataArray | str, later: int = 0) -> np.ndarray:
        """Return a field at the steps of stays, or some steps later; 0 beyond the last."""
        values, step = self.every(x), self.step + later
        if not later:
            return np.asarray(values[self.vehicle, step])
        there = (step >= 0) & (step < values.shape[1])
        return np.where(there, values[self.vehicle, np.clip(step, 0, values.shape[1] - 1)], 0.0)


def vehicle_stays(inputs: Inputs, vehicles: np.ndarray, pods: pd.Index) -> Stays:
    """Return the stays of some vehicles, in the order given.

    Parameters
    ----------
    inputs : Inputs
        A validated case.
    vehicles : numpy.ndarray
        Positions of vehicles that `choose` has chosen.
    pods : pandas.Index
        Points of delivery, in the order of the prices.
    """
    time, dt = inputs.calendar.time.rename("time"), inputs.dt
    d = inputs.data[FLEET].isel(fleet=vehicles)
    cells = _Cells(d, time)
    keep, steps = cells.every("keep"), len(time)
    begins = keep == 0
    begins[:, 0] = True
    flat = np.flatnonzero(begins)  # stays follow each other, vehicle by vehicle
    member, begin = np.divmod(flat, steps)
    ends = np.append(flat[1:], keep.size)
    before = cells.every(d.keep * d.energy_initial)[:, 0]
    start = np.where(begin == 0, before[member], 0.0)

    moves = (d.charge_max > 0) | (d.discharge_max > 0) | (d.energy_in > 0) | (d.energy_out > 0)
    moves = moves | (d.energy_min > 0) | (d.slack_cost.notnull() & is_active(d))
    some = np.logical_or.reduceat(cells.every(moves).ravel(), flat) | (start > 0)
    flat, ends, member, start = flat[some], ends[some], member[some], start[some]
    many = ends - flat
    first = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
    inside = np.arange(first[-1]) + np.repeat(flat - first[:-1], many)
    cells.vehicle, cells.step = np.divmod(inside, steps)

    pod = pods.get_indexer(d.pod.astype(str).to_numpy())
    place = pod[cells.vehicle] * steps + cells.step
    nowhere = xr.DataArray(False)
    one_way = complementarity.eligible(inputs).get((FLEET, complementarity.EXPECTED_PATH), nowhere)
    if "fleet" in one_way.dims:
        one_way = one_way.isel(fleet=vehicles)
    return Stays(
        first,
        vehicles[member],
        start,
        place=place,
        exclusive=cells.at(one_way),
        products=sold_products(inputs, len(pods)),
        **_at_steps(cells, dt),
    )


def sold_products(inputs: Inputs, pods: int) -> Products | None:
    """Return the room that a kW sold of each product takes at every pod and step; None where no
    reserve can be sold.
    """
    d = inputs.data.get("reserve")
    if d is None or not bool((d.volume_max > 0).any()):
        return None
    net = acceptance(d) * (d.activation_up - d.activation_down)
    axes = {"product": d.indexes["product"], "time": inputs.calendar.time.rename("time")}
    room = (np.maximum(broadcast(x, axes), 0.0) for x in (d.up - net, d.down + net))
    return Products(*(np.tile(x, (1, pods)) for x in room))


def _at_steps(cells: _Cells, dt: float) -> dict[str, np.ndarray]:
    """Return the fields of `Stays` that each step has."""
    d, at = cells.d, cells.at
    soft, need, driven = at(d.unserved_cost.notnull()), at("energy_min"), at("energy_out")
    missed = at(d.unserved_cost.fillna(0.0))
    taken = (need > 0) & soft & (need <= at("energy_out", 1)) & (at("keep", 1) == 1)
    earlier = at("energy_min", -1)
    shared = (earlier > 0) & soft & (earlier <= driven) & (at("keep") == 1) & (cells.step > 0)
    billed = _billed(d)
    return {
        **_movements(cells, dt),
        "keep": at("keep"),
        "arrival": at(d.energy_in - d.energy_out),
        "ceiling": np.where(at(is_active(d)), at("energy_max"), 0.0),
        "need": need,
        "hard": ~soft & (need > 0),
        "need_cost": np.where(soft & (need > 0) & ~taken, missed + at(billed), 0.0),
        "trip": np.where(soft, driven, 0.0),
        "trip_cost": missed + np.where(shared, at(billed, -1), 0.0),
        "shared": shared,
        "hold": at(_holding(d, dt)) * at(is_active(d)),
    }


def _movements(cells: _Cells, dt: float) -> dict[str, np.ndarray]:
    """Return how much energy can move in each step, and what that costs, on (step, kind), and which
    kinds there are.
    """
    d, at = cells.d, cells.at
    eta_in, eta_out, active = at("eta_charge"), at("eta_discharge"), at(is_active(d))
    before = np.where(cells.step == 0, at("energy_initial"), at("energy_max", -1))
    held = at("energy_max") + at("keep") * before + at("energy_in") + at("energy_out")
    works = active & (held + at("spill_max") > 0)  # else nothing can be on board
    hold = at(_holding(d, dt)) * active
    retail = at("retail_price") if "need_billed" not in d else 0.0

    width = {CHARGE: np.where(works, dt * eta_in * at("charge_max"), 0.0)}
    width[DISCHARGE] = np.where(works, dt / eta_out * at("discharge_max"), 0.0)
    width[SPILL] = np.where(active, at("spill_max"), 0.0)
    rate = {CHARGE: 1 / eta_in, DISCHARGE: eta_out}
    cost = {
        CHARGE: at("wear_charge") - retail / eta_in - hold / 2,
        DISCHARGE: -at("wear") - retail * eta_out - hold / 2,
    }
    if bool(d.slack_cost.notnull().any()):
        given, price = at(d.slack_cost.notnull()) & active, at(d.slack_cost.fillna(0.0))
        widest = d.energy_max + d.energy_in + d.energy_out + d.spill_max
        most = 2 * float(widest.max()) + at("energy_initial")  # more than could ever be used
        width[SLACK_IN] = width[SLACK_OUT] = np.where(given, most, 0.0)
        cost[SLACK_IN] = price / eta_in - hold / 2
        cost[SLACK_OUT] = -price * eta_out - hold / 2
    kinds = [kind for kind in range(len(RISES)) if kind in width and width[kind].any()]
    none = np.zeros(len(eta_in))

    def by_kind(x: Mapping[int, np.ndarray]) -> np.ndarray:
        return np.stack([x.get(kind, none) for kind in kinds or [CHARGE]], axis=1)

    found = {"width": by_kind(width), "rate": by_kind(rate), "cost": by_kind(cost)}
    return found | {"kinds": np.array(kinds or [CHARGE])}


def _billed(d: xr.Dataset) -> xr.DataArray:
    """Return what drivers do not pay for a kWh that is missing from their need (EUR)."""
    if "need_billed" not in d:
        return xr.DataArray(0.0)
    return (d.retail_price / d.eta_charge).where(d.need_billed > 0, 0.0)


def _holding(d: xr.Dataset, dt: float) -> xr.DataArray:
    """Return what a kWh on board through a step costs by calendar wear (EUR)."""
    capacity = d.get("wear_capacity", d.energy_max)
    return dt * (d.calendar_cost_soc / capacity.where(capacity > 0, 1.0)).where(capacity > 0, 0.0)


def outputs_of(
    inputs: Inputs, vehicles: np.ndarray, stays: Stays, plans: Plans
) -> dict[str, xr.DataArray]:
    """Return the outputs of some vehicles, as `/fleet` declares them, on (fleet, time).

    Only what is possible for one of them is there.
    """
    d = inputs.data[FLEET].isel(fleet=vehicles)
    time, dt = inputs.calendar.time.rename("time"), inputs.dt
    position = np.full(len(inputs.data[FLEET].fleet), -1)
    position[vehicles] = np.arange(len(vehicles))
    row = np.repeat(position[stays.member], np.diff(stays.first))
    column = stays.place % len(time)
    coords = {"fleet": d.indexes["fleet"], "time": time}

    def laid_out(x: np.ndarray) -> xr.DataArray:
        full = np.zeros((len(vehicles), len(time)))
        full[row, column] = x
        return xr.DataArray(full, coords, dims=["fleet", "time"])

    def shares() -> xr.DataArray:
        names = inputs.data["reserve"].indexes["product"]
        return xr.concat([laid_out(x / dt) for x in plans.held.T], names)

    moved = {kind: laid_out(plans.of(stays, kind)) for kind in range(len(RISES))}
    levels = {
        "charge": moved[CHARGE] / d.eta_charge / dt,
        "discharge": moved[DISCHARGE] * d.eta_discharge / dt,
        "energy": laid_out(plans.energy),
        "spill": moved[SPILL],
        "unserved": laid_out(plans.unserved(stays)),
        "unserved_trip": laid_out(plans.trip_missing),
        "slack_in": moved[SLACK_IN] / d.eta_charge / dt,
        "slack_out": moved[SLACK_OUT] * d.eta_discharge / dt,
    }
    soft = d.unserved_cost.notnull()
    possible = {
        "spill": d.spill_max > 0,
        "unserved": soft & (d.energy_min > 0),
        "unserved_trip": soft & (d.energy_out > 0),
        "slack_in": d.slack_cost.notnull(),
        "slack_out": d.slack_cost.notnull(),
    }
    found = {
        f"{FLEET}.{name}": level.transpose("fleet", "time")
        for name, level in levels.items()
        if name not in possible or bool(possible[name].any())
    }
    if stays.products is not None:
        found["reserve.share_fleet"] = shares().transpose("fleet", "product", "time")
    return found


def ledger_of(
    inputs: Inputs, vehicles: np.ndarray, outputs: Mapping[str, xr.DataArray]
) -> dict[str, xr.DataArray]:
    """Return the bill of some vehicles from their outputs (EUR, + is income), on (fleet, time).

    Entries that are 0 everywhere are left out; without outputs, what is paid whatever they do.
    """
    d, dt = inputs.data[FLEET].isel(fleet=vehicles), inputs.dt
    none = xr.zeros_like(d.fleet, dtype=float) + xr.zeros_like(d.time, dtype=float)
    plan = {name.partition(".")[2]: x for name, x in outputs.items()}

    def of(name: str) -> xr.DataArray:
        return plan.get(name, none)

    came = dt * d.eta_charge * (of("charge") + of("slack_in"))
    left = dt / d.eta_discharge * (of("discharge") + of("slack_out"))
    later, keep = d.energy_out + none, d.keep + none
    later, keep = later.shift(time=-1, fill_value=0.0), keep.shift(time=-1, fill_value=0.0)
    with_trip = (d.energy_min > 0) & (d.energy_min <= later) & (keep == 1)
    missing = of("unserved") + of("unserved_trip").shift(time=-1, fill_value=0.0).where(
        with_trip, 0.0
    )
    if "need_billed" in d:
        due = (d.need_billed - missing / d.eta_charge).where(d.need_billed > 0, 0.0)
    else:
        due = dt * (of("charge") - of("discharge"))
    mean = of("energy") - (came - left) / 2
    rate = _holding(d, dt)
    entries = {
        "drivers": d.retail_price * due,
        "wear": -d.wear * dt / d.eta_discharge * of("discharge"),
        "wear_charge": -d.wear_charge * dt * d.eta_charge * of("charge"),
        "wear_calendar": -(dt * d.calendar_cost + rate * mean) * is_active(d),
        "slack.unserved": -d.unserved_cost.fillna(0.0) * of("unserved"),
        "slack.unserved_trip": -d.unserved_cost.fillna(0.0) * of("unserved_trip"),
        "slack.balance": -d.slack_cost.fillna(0.0) * dt * (of("slack_in") + of("slack_out")),
    }
    return {
        f"{FLEET}.{name}": (x + none).transpose("fleet", "time")
        for name, x in entries.items()
        if bool((x != 0).any())
    }
