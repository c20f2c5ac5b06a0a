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
from ..model.reserve_rules import on_two_paths
from ..parts.assets.fleet.schema import is_active
from .oracle import CHARGE, DISCHARGE, KINDS, SLACK_IN, SLACK_OUT, SPILL, Plans, Stays

FLEET = "fleet"


@dataclass(frozen=True)
class Choice:
    """True for each vehicle that the oracle can plan, and how many others there are, by reason."""

    planned: np.ndarray
    reasons: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """Why the others cannot be planned, in words."""
        return "; ".join(f"{count}: {why}" for why, count in self.reasons.items())


def choose(inputs: Inputs) -> Choice:
    """Choose the vehicles whose plan depends on prices and their own energy alone."""
    d = inputs.data[FLEET]
    names, time = d.indexes["fleet"], inputs.calendar.time.rename("time")
    planned, reasons = np.ones(len(names), bool), {}
    for why, wrong in _hindrances(inputs, d):
        here = broadcast(wrong, {"fleet": names, "time": time}).any(1)
        if (new := here & planned).any():
            reasons[why] = int(new.sum())
        planned &= ~here
    return Choice(planned, reasons)


def _hindrances(inputs: Inputs, d: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield what the oracle cannot carry, and where it is."""
    nowhere = xr.DataArray(False)
    if (reserve := inputs.data.get("reserve")) is not None:
        sold = xr.DataArray(bool((reserve.volume_max > 0).any()))
        yield "reserves tie the power of a step to the energy on board", sold & (d.energy_max > 0)
        yield "they follow two paths", xr.DataArray(on_two_paths(d, reserve))
    for way in ("charge", "discharge"):
        least = (d[f"{way}_min"] > 0) & (d[f"{way}_max"] > 0)
        yield "a least power is a choice between on and off", least
    yield "the power near full depends on the energy on board", d.taper_from.notnull()
    yield (
        "wear by depth depends on the whole path of the energy",
        xr.DataArray("replacement_cost" in d) & d.get("replacement_cost", nowhere).notnull(),
    )
    if "allowance" in d:
        yield "an owner limits what is discharged in sum", d.allowance.notnull()
    if "charger" in d:
        yield "a charger limits several vehicles in sum", d.charger.astype(str) != ""
    if "need_billed" in d:
        cost = d.unserved_cost + d.retail_price / d.eta_charge
        yield "not serving a need would pay", (d.need_billed > 0) & (cost < 0)
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


class _Grid:
    """Fields of some vehicles as plain arrays on (vehicle, step)."""

    def __init__(self, d: xr.Dataset, time: pd.Index):
        self.d, self.indexes = d, {"fleet": d.indexes["fleet"], "time": time}

    def __call__(self, x: xr.DataArray | str) -> np.ndarray:
        array = self.d[x] if isinstance(x, str) else x
        return broadcast(array, self.indexes)


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
    grid = _Grid(d, time)
    keep, active = grid("keep"), grid(is_active(d))
    power = _on_board(grid) & active
    arrival = grid(d.energy_in - d.energy_out)
    most_in = np.where(power, dt * grid(d.eta_charge * d.charge_max), 0.0)
    most_out = np.where(power, dt * grid(d.discharge_max / d.eta_discharge), 0.0)

    steps = keep.shape[1]
    begins = keep == 0
    begins[:, 0] = True
    flat = np.flatnonzero(begins)  # stays follow each other, vehicle by vehicle
    member, begin = np.divmod(flat, steps)
    ends = np.append(flat[1:], keep.size)
    before = grid(d.keep * d.energy_initial)[:, 0]
    start = np.where(begin == 0, before[member], 0.0)
    slack = grid(d.slack_cost.notnull()) & active
    moving = (most_in > 0) | (most_out > 0) | (arrival != 0) | slack | (grid("energy_out") > 0)
    some = np.logical_or.reduceat(moving.ravel(), flat) | (start > 0)
    flat, ends, member, start = flat[some], ends[some], member[some], start[some]

    many = ends - flat
    first = np.concatenate([[0], np.cumsum(many)]).astype(np.int64)
    cells = np.arange(first[-1]) + np.repeat(flat - first[:-1], many)
    pod = pods.get_indexer(d.pod.astype(str).to_numpy())
    place = np.repeat(pod, steps)[cells] * steps + cells % steps
    columns = _columns(grid, d, dt, active)
    columns["width"][..., CHARGE], columns["width"][..., DISCHARGE] = most_in, most_out
    columns |= {"keep": keep, "arrival": arrival}
    inside = {name: x.reshape(-1, *x.shape[2:])[cells] for name, x in columns.items()}
    return Stays(first, vehicles[member], start, place, **inside)


def _on_board(grid: _Grid) -> np.ndarray:
    """Return True where some energy can be on board in the step, or be due with what leaves."""
    most = grid("energy_max")
    before = np.concatenate([grid("energy_initial")[:, :1], most[:, :-1]], 1)
    passing = grid("energy_in") + grid("energy_out") + grid("spill_max")
    return most + grid("keep") * before + passing > 0


def _columns(grid: _Grid, d: xr.Dataset, dt: float, active: np.ndarray) -> dict[str, np.ndarray]:
    """Return the fields of `Stays` on (vehicle, step)."""
    eta_in, eta_out = grid("eta_charge"), grid("eta_discharge")
    soft = grid(d.unserved_cost.notnull())
    need, driven = grid("energy_min"), grid("energy_out")
    ceiling = np.where(active, grid("energy_max"), 0.0)
    missed = grid(d.unserved_cost.fillna(0.0))
    billed = grid(_billed(d))
    hold = grid(_holding(d, dt)) * active

    later = {name: np.zeros_like(x) for name, x in (("driven", driven), ("keep", driven))}
    later["driven"][:, :-1], later["keep"][:, :-1] = driven[:, 1:], grid("keep")[:, 1:]
    taken = (need > 0) & soft & (need <= later["driven"]) & (later["keep"] == 1)
    shared = np.zeros_like(taken)
    shared[:, 1:] = taken[:, :-1]
    before = np.zeros_like(billed)
    before[:, 1:] = billed[:, :-1]

    shape = (*need.shape, KINDS)
    width, rate, cost = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    rate[..., CHARGE], rate[..., DISCHARGE] = 1 / eta_in, eta_out
    retail = grid(d.retail_price) if "need_billed" not in d else 0.0
    cost[..., CHARGE] = grid("wear_charge") - retail / eta_in - hold / 2
    cost[..., DISCHARGE] = -grid("wear") - retail * eta_out - hold / 2
    width[..., SPILL] = np.where(active, grid("spill_max"), 0.0)
    _slack(grid, d, active, (width, cost), hold)
    return {
        "width": width,
        "rate": rate,
        "cost": cost,
        "ceiling": ceiling,
        "need": need,
        "hard": ~soft & (need > 0),
        "need_cost": np.where(soft & (need > 0) & ~taken, missed + billed, 0.0),
        "trip": np.where(soft, driven, 0.0),
        "trip_cost": missed + np.where(shared, before, 0.0),
        "shared": shared,
        "hold": hold,
    }


def _billed(d: xr.Dataset) -> xr.DataArray:
    """Return what drivers do not pay for a kWh that is missing from their need (EUR)."""
    if "need_billed" not in d:
        return xr.DataArray(0.0)
    return (d.retail_price / d.eta_charge).where(d.need_billed > 0, 0.0)


def _holding(d: xr.Dataset, dt: float) -> xr.DataArray:
    """Return what a kWh on board through a step costs by calendar wear (EUR)."""
    capacity = d.get("wear_capacity", d.energy_max)
    return dt * (d.calendar_cost_soc / capacity.where(capacity > 0, 1.0)).where(capacity > 0, 0.0)


def _slack(
    grid: _Grid,
    d: xr.Dataset,
    active: np.ndarray,
    into: tuple[np.ndarray, np.ndarray],
    hold: np.ndarray,
) -> None:
    """Slack of the balance: as wide as it could ever be used."""
    width, cost = into
    given = grid(d.slack_cost.notnull()) & active
    if not given.any():
        return
    price = grid(d.slack_cost.fillna(0.0))
    widest = grid(d.energy_max + d.energy_in + d.energy_out + d.spill_max).max(1, keepdims=True)
    widest = 2 * widest + grid(d.energy_initial)
    for kind in (SLACK_IN, SLACK_OUT):
        width[..., kind] = np.where(given, widest, 0.0)
    cost[..., SLACK_IN] = price / grid("eta_charge") - hold / 2
    cost[..., SLACK_OUT] = -price * grid("eta_discharge") - hold / 2


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

    x, rate = plans.moved, stays.rate
    levels = {
        "charge": x[:, CHARGE] * rate[:, CHARGE] / dt,
        "discharge": x[:, DISCHARGE] * rate[:, DISCHARGE] / dt,
        "energy": plans.energy,
        "spill": x[:, SPILL],
        "unserved": plans.unserved(stays),
        "unserved_trip": plans.trip_missing,
        "slack_in": x[:, SLACK_IN] * rate[:, CHARGE] / dt,
        "slack_out": x[:, SLACK_OUT] * rate[:, DISCHARGE] / dt,
    }
    soft = d.unserved_cost.notnull()
    possible = {
        "spill": d.spill_max > 0,
        "unserved": soft & (d.energy_min > 0),
        "unserved_trip": soft & (d.energy_out > 0),
        "slack_in": d.slack_cost.notnull(),
        "slack_out": d.slack_cost.notnull(),
    }
    return {
        f"{FLEET}.{name}": laid_out(level)
        for name, level in levels.items()
        if name not in possible or bool(possible[name].any())
    }


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
