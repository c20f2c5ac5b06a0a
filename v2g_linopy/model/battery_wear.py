"""Wear of a storage by the depth of its cycles and by time, for every part that has batteries
(docs/formulation.md §9).

The part keeps its own equations; here stand the fields, the rows of the segments and their
independent check."""

import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.expression import Data, Expression, Quantity
from ..case.schema import ABSENT, Calendar, Field, Rule, violations
from ..errors import Problem
from .formulas import first, larger, last, previous, previous_data, smaller
from .formulas_storage import most_between, segment_price, segment_rows, shallow_first
from .scope import Scope
from .terms import Cash
from .view import View

NAN = float("nan")
PRICE = "replacement_cost"
LIMIT_LABELS = {
    "segment_energy": "energy in a segment of depth (wear)",
    "segment_at_hand": "energy at hand for a trip (wear)",
}
BALANCES = (
    *("segment_level", "segment_entering", "segment_leaving", "segment_driving"),
    *("segment_cyclic", "segment_start"),
)
"""Rows of wear by depth that say where energy is, and limit nothing by themselves."""


def inputs(member: str, dims: str) -> tuple[Field, ...]:
    """Fields of a part with batteries along `member`.

    The price of a battery may vary over `dims`.
    """
    by_segment = f"{member} segment"
    return (
        Field(
            "replacement_cost",
            dims,
            "EUR",
            "price of a new battery, of which the depth of cycles takes shares; NaN: depth is not"
            " priced",
            default=NAN,
            ge=0,
            missing=True,
            beside=PRICE,
        ),
        Field(
            "segments",
            member,
            "1",
            "equal segments into which the depth is cut",
            16.0,
            ge=1,
            le=1024,
            beside=PRICE,
        ),
        Field(
            "segment_depth",
            by_segment,
            "1",
            "depth of each segment, in sum 1; by default they are equal",
            ABSENT,
            0,
        ),
        Field(
            "segment_initial",
            by_segment,
            "kWh",
            "energy in each segment before the first step",
            ABSENT,
            ge=0,
        ),
        Field(
            "stress_factor",
            member,
            "1",
            "share of its life that one full cycle takes; to be fitted to the cell (default Xu et"
            " al. 2018)",
            default=5.24e-4,
            ge=0,
            beside=PRICE,
        ),
        Field(
            "stress_exponent",
            member,
            "1",
            "power of the depth by which that share falls; to be fitted to the cell (default Xu et"
            " al. 2018)",
            default=2.03,
            ge=1,
            le=10,
            beside=PRICE,
        ),
        Field(
            "calendar_cost",
            member,
            "EUR/year",
            "wear by time of an empty battery",
            0.0,
            ge=0,
            beside=PRICE,
        ),
        Field(
            "calendar_cost_soc",
            member,
            "EUR/year",
            "what it is more when full, in proportion to the energy",
            default=0.0,
            ge=0,
            beside=PRICE,
        ),
    )


def outputs(member: str) -> tuple[Field, ...]:
    """What the segments add to a result."""
    every = f"{member} segment time"
    return (
        Field(
            "segment_energy", every, "kWh", "energy in each segment of depth at the end of the step"
        ),
        Field("segment_discharge", every, "kW", "power leaving each segment, in the battery"),
        Field(
            "segment_level",
            every,
            "kWh",
            "the same energy filled and emptied shallow first, for the next window",
        ),
    )


def wear_problems(d: xr.Dataset, part: str, calendar: Calendar) -> list[Problem]:
    """Return what breaks the rules between the fields.

    There are whole segments, in sum 1, and an initial split that adds up and fits.
    """
    rules: list[Rule] = [("segments", d.segments % 1 != 0, d.segments, "is no whole number")]
    if "segment_depth" in d:
        total = d.segment_depth.sum("segment")
        rules.append(
            ("segment_depth", abs(total - 1) > 1e-9, total, "is the sum over segments; make it 1")
        )
    found = violations(part, rules, calendar)
    if "segment_initial" not in d or not _priced(d).any() or found:
        return found
    depth = _depths(d)
    if not depth.get_index("segment").equals(d.segment_initial.get_index("segment")):
        detail = (
            f"has {d.sizes['segment']} labels along segment, not the {depth.sizes['segment']} of"
            " the depths, from 1"
        )
        return [*found, Problem(f"{part}.segment_initial", "labels", detail)]
    given, room = d.segment_initial, depth * capacity_of(d).isel(time=0, drop=True)
    total = given.sum("segment")
    apart = _priced(d) & (abs(total - d.energy_initial) > 1e-6)
    sums = ("segment_initial", apart, total, "kWh in all segments; make it energy_initial")
    fits = ("segment_initial", given > room + 1e-6, given, "kWh, more than the segment holds")
    return violations(part, (sums, fits), calendar)


def vehicle_rules(d: xr.Dataset) -> tuple[tuple[str, xr.DataArray, xr.DataArray, str], ...]:
    """Return what speaks against the depth of cycles of a member.

    Only a battery has one: it holds what it must, stays the same while it is there, and is no
    crowd.
    """
    if not refers_to_capacity(d):
        return ()
    capacity = capacity_of(d)
    turnover = (d.energy_in > 0) | (d.energy_out > 0) | (d.spill_max > 0)
    return (
        (
            "wear_capacity",
            d.energy_max > capacity + 1e-9,
            capacity,
            "kWh, less than energy_max at that step",
        ),
        (
            "wear_capacity",
            (abs(capacity - previous_data(capacity, capacity, d.indexes["time"])) > 1e-9)
            & (d.keep > 0),
            capacity,
            "kWh, another battery than the step before while nothing arrived (keep above 0)",
        ),
        (
            "replacement_cost",
            (d.replacement_cost > 0) & (d.aggregate > 0) & (d.keep > 0) & turnover,
            d.replacement_cost,
            (
                "of vehicles that come and go in one member, whose level is no depth; use wear, or"
                " one member per vehicle"
            ),
        ),
    )


def completed(d: xr.Dataset) -> xr.Dataset:
    """Give equal segments their depths, where the depth of cycles is priced without them."""
    return d.assign(segment_depth=_depths(d)) if _priced(d).any() else d


def _depths(d: xr.Dataset) -> xr.DataArray:
    """Return the depths given, by default as many equal ones as each battery has segments."""
    if "segment_depth" in d:
        return d.segment_depth
    number = pd.RangeIndex(1, int(d.segments.where(_priced(d)).max()) + 1, name="segment")
    place = xr.DataArray(np.asarray(number, float), coords={"segment": number}, dims="segment")
    return xr.where(place <= d.segments, 1 / d.segments, 0.0)


def longest_capacity(d: xr.Dataset) -> xr.Dataset:
    """Give batteries the capacity that depth and state of charge refer to, where it matters."""
    return d.assign(wear_capacity=capacity_of(d)) if refers_to_capacity(d) else d


def refers_to_capacity(d: xr.Dataset) -> bool:
    """Whether any wear depends on how full a battery is."""
    return bool(_priced(d).any() or (d.calendar_cost_soc > 0).any())


def capacity_of(d: xr.Dataset) -> xr.DataArray:
    """Return the capacity (kWh): as given, or the most held between two arrivals."""
    if "wear_capacity" in d:
        return d.wear_capacity
    everywhere = xr.DataArray(0.0, coords={"time": d.indexes["time"]}, dims=["time"])
    return most_between(d.energy_max + everywhere, d.keep == 0)


def _priced(d: xr.Dataset) -> xr.DataArray:
    return d.replacement_cost > 0  # False where it is missing


def segment_prices(d: xr.Dataset, capacity: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the price of each segment (EUR/kWh) and its room (kWh).

    Both are 0 where the depth is not priced.
    """
    room = (d.segment_depth * capacity).where(_priced(d), 0.0)
    price = segment_price(
        d.replacement_cost.fillna(0.0), room, d.segment_depth, d.stress_factor, d.stress_exponent
    )
    return price, room


def cycles(
    s: Scope,
    d: xr.Dataset,
    capacity: xr.DataArray,
    energy: Expression,
    out: Expression,
    discharges: xr.DataArray,
    *,
    active: xr.DataArray | bool = True,
    arriving: Data = 0.0,
    driven: Quantity = 0.0,
    drives: xr.DataArray | None = None,
    charges: xr.DataArray | bool = True,
) -> dict[str, Cash]:
    """Return the cash of the depth of cycles, with a battery cut into segments of depth.

    Xu et al. 2018; docs/formulation.md §9.

    With energy e_j in segment j at the end of the step, and energy leaving it by power l_j and by
    driving m_j [kWh]::

        sum_j e_j = e,   sum_j l_j = out,   sum_j m_j + passed = driven,   0 <= e_j <= delta_j E
        before_j = keep e_{j,t-1} + arriving_j,   m_j <= before_j,   e_j - before_j + l_j + m_j >= 0
        cash wear_cycles = -sum_j k_j (l_j + m_j) - k_J passed

    A trip comes before the charging of its step; what it takes beyond what is on board (`passed`)
    is paid at k_J, the price of the deepest segment. k_j does not fall with j: shallow segments
    empty and fill first by themselves. Energy on board at an arrival and before the first step
    stands in the shallowest; a cyclic end holds in each segment, the split at the start is free.

    Parameters
    ----------
    energy, out, driven
        Energy at the end of the step, and what leaves in it by power and otherwise (kWh in the
        battery).
    active, discharges, drives, charges
        Where a battery holds or moves energy, where energy can leave it by power and otherwise
        (None: never), and where it can enter meanwhile.
    arriving
        Energy on board at a restart (kWh).
    """
    if "segment_depth" not in d:
        return {}
    time = s.axis("time")
    price, room = segment_prices(d, capacity)
    possible = (room > 0) & active
    level = s.var("segment_energy", upper=room, mask=possible)
    power = s.var_where("segment_discharge", possible & discharges)
    worn = s.dt * power
    if drives is not None:
        trip = s.var_where("segment_trip", possible & drives)
        worn = worn + trip

    start = _start(s, d, room, level)
    before = d.keep * previous(level) + d.keep * first(time) * start + shallow_first(arriving, room)
    total, entering = segment_rows(level, before, worn, energy)
    some = possible.any("segment")
    s.add("segment_level", total, mask=some)
    s.add("segment_entering", entering, mask=possible)
    leaving = s.dt * power.sum("segment") - out == 0
    s.add("segment_leaving", leaving, mask=some & discharges)

    cost = (price * worn).sum("segment")
    if drives is not None:
        passed = s.var_where("trip_passed", some & drives & charges)
        s.add("segment_driving", trip.sum("segment") + passed - driven == 0, mask=some & drives)
        s.add("segment_at_hand", trip - before <= 0, mask=possible & drives & charges)
        cost = cost + price.max("segment") * passed
    return {"wear_cycles": -cost} if cost.has_terms else {}


def _start(s: Scope, d: xr.Dataset, room: xr.DataArray, level: Expression) -> Quantity:
    """Energy in each segment before the first step, and the rows of a cyclic end (kWh)."""
    time = s.axis("time")
    if "segment_initial" in d:
        total = d.segment_initial.sum("segment")  # what a file rounds is not energy
        given = d.segment_initial * (d.energy_initial / total.where(total > 0, 1.0))
    else:
        given = shallow_first(d.energy_initial, room)
    if "cyclic" not in d or "energy_final" in d:  # another end has no split to come back to
        return given
    free = (d.cyclic > 0) & (room > 0) & ("segment_initial" not in d) & ("energy_final" not in d)
    split = s.var_where("segment_start", free, room)
    start = split + given.where(~free, 0.0)
    closes = (d.cyclic > 0) & ("energy_final" not in d)
    s.add("segment_cyclic", level - start == 0, mask=closes & (room > 0) & (last(time) > 0))
    s.add("segment_start", split.sum("segment") == d.energy_initial, mask=free.any("segment"))
    return start


def by_time(
    s: Scope,
    d: xr.Dataset,
    capacity: xr.DataArray,
    energy: Quantity,
    net: Quantity,
    active: xr.DataArray | bool = True,
) -> dict[str, Cash]:
    """Return the cash of calendar wear at the mean state of charge of the step.

    It is `-dt (k0 + k1 SOC)` (docs/formulation.md §9).

    `net` is the energy that power brought in the step, so that the mean energy is `energy - net /
    2`; both ends count.
    """
    if not bool((d.calendar_cost > 0).any() or (d.calendar_cost_soc > 0).any()):
        return {}
    steps = first(s.axis("time")) >= 0
    fixed = -(s.dt * d.calendar_cost * (steps & active))
    if not bool((d.calendar_cost_soc > 0).any()):
        return {"wear_calendar": fixed}
    rate = (d.calendar_cost_soc / capacity.where(capacity > 0, 1.0)).where(
        (capacity > 0) & active, 0.0
    )
    return {"wear_calendar": fixed - s.dt * rate * (energy - 0.5 * net)}


def levels(
    d: xr.Dataset, capacity: xr.DataArray, arriving: Data = 0.0, driven: Data = 0.0
) -> dict[str, xr.DataArray]:
    """Return the energy in each segment if it fills and empties shallow first, step by step (kWh).

    It costs what `segment_energy` costs, and is unique: of energy that does not leave within the
    horizon the plan may leave any in deep segments, which a next window would pay for."""
    if "segment_energy" not in d:
        return {}
    shape = d.segment_energy.transpose(..., "segment", "time")
    flat = shape.isel(segment=0, drop=True)

    def over(x: Data, like: xr.DataArray) -> np.ndarray:
        return (xr.zeros_like(like) + x).transpose(*like.dims).to_numpy()

    size = over(_size(d, capacity), shape)
    energy, keep, came, went = (over(x, flat) for x in (d.energy, d.keep, arriving, driven))
    level = over(_beginning(d, _size(d, capacity)), shape.isel(time=0, drop=True))
    found = np.zeros_like(size)
    for t in range(size.shape[-1]):
        room = size[..., t]
        level = keep[..., None, t] * level + _poured(came[..., None, t], room)
        level = level - _poured(went[..., None, t], level)
        net = energy[..., None, t] - level.sum(axis=-1, keepdims=True)
        level = (
            level
            + _poured(np.maximum(net, 0.0), room - level)
            - _poured(np.maximum(-net, 0.0), level)
        )
        level = level * (room > 0)
        found[..., t] = level
    return {"segment_level": shape.copy(data=found).transpose(*d.segment_energy.dims)}


def _poured(amount: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Spread an amount over the last axis, one after the other."""
    room = np.maximum(room, 0.0)
    return np.clip(amount - (room.cumsum(axis=-1) - room), 0.0, room)


def replayed(
    v: View,
    d: xr.Dataset,
    capacity: xr.DataArray,
    out: xr.DataArray,
    arriving: xr.DataArray | float = 0.0,
    driven: xr.DataArray | float = 0.0,
) -> dict[str, xr.DataArray]:
    """Return what the segments lack (kWh).

    It is energy, what left them, and what can stand in them.
    """
    if "segment_energy" not in d:
        return {}
    size, level = _size(d, capacity), d.segment_energy
    here = (size > 0).any("segment")
    power, trip = (_segments(d, name) for name in ("segment_discharge", "segment_trip"))
    passed = d.get("trip_passed", 0.0)
    cyclic, initial = _cyclic(d), _beginning(d, size)
    yesterday = level.shift(time=1)
    held = d.keep * yesterday.where(yesterday.notnull(), initial) + _filled(arriving, size)
    gained = abs(level.isel(time=-1, drop=True) - initial)
    ordered = d.get("segment_level", level)
    residuals = {
        "segment_level": abs(level.sum("segment") - d.energy).where(here, 0.0),
        "segment_order": larger(
            abs(ordered.sum("segment") - d.energy).where(here, 0.0), -ordered.min("segment")
        ),
        "segment_limit": larger(larger(level - size, -level), larger(-power, -trip)).clip(min=0.0),
        "segment_entering": (held - level - v.dt * power - trip).clip(min=0.0).where(size > 0, 0.0),
        "segment_leaving": abs(v.dt * power.sum("segment") - out).where(here, 0.0),
        "segment_driven": abs(trip.sum("segment") + passed - driven).where(here, 0.0),
        "segment_at_hand": (trip - held).clip(min=0.0).where(size > 0, 0.0),
        "segment_cyclic": gained.where(cyclic & ("energy_final" not in d) & (size > 0), 0.0),
        "segment_start": abs(initial.sum("segment") - d.energy_initial).where(cyclic & here, 0.0),
    }
    return {name: x.assign_attrs(units="kWh") for name, x in residuals.items()}


def paid(
    v: View, d: xr.Dataset, capacity: xr.DataArray, active: xr.DataArray | bool = True
) -> dict[str, xr.DataArray]:
    """Return the wear by depth and by time.

    The first follows what left each segment, the second the mean of the energy at both ends of
    each step.
    """
    cash = {"wear_calendar": _calendar(v, d, capacity, active)}
    if "segment_energy" not in d:
        return cash
    edge, size = d.segment_depth.cumsum("segment"), _size(d, capacity)
    inner = edge.shift(segment=1, fill_value=0.0)
    life = d.stress_factor * (edge**d.stress_exponent - inner**d.stress_exponent)
    price = (d.replacement_cost * life / size).where(size > 0, 0.0)
    left, driven = v.dt * _segments(d, "segment_discharge"), _segments(d, "segment_trip")
    passed = price.max("segment") * d.get("trip_passed", 0.0)
    return cash | {"wear_cycles": -(price * (left + driven)).sum("segment") - passed}


def _calendar(
    v: View, d: xr.Dataset, capacity: xr.DataArray, active: xr.DataArray | bool
) -> xr.DataArray:
    """Return the wear by time."""
    if not ((d.calendar_cost > 0) | (d.calendar_cost_soc > 0)).any():
        return xr.zeros_like(d.energy)
    brought = v.dt * ((d.charge + d.get("slack_in", 0.0)) * d.eta_charge)
    taken = v.dt * ((d.discharge + d.get("slack_out", 0.0)) / d.eta_discharge)
    mean = (d.energy + (d.energy - brought + taken)) / 2
    share = (mean / capacity).where(capacity > 0, 0.0)
    paid_per_step = v.dt * (d.calendar_cost + d.calendar_cost_soc * share)
    return -paid_per_step.where(active, 0.0)


def _beginning(d: xr.Dataset, size: xr.DataArray) -> xr.DataArray:
    """Return the energy in each segment before the first step: as given, as the plan chose it, or
    shallow first.
    """
    if "segment_initial" in d:
        return d.segment_initial
    size = size.isel(time=0, drop=True) if "time" in size.dims else size
    filled = _filled(d.energy_initial, size)
    return d.segment_start.where(_cyclic(d), filled) if "segment_start" in d else filled


def _cyclic(d: xr.Dataset) -> xr.DataArray:
    """Return True where the end is that of the start."""
    return (d.get("cyclic", xr.zeros_like(d.energy_initial)) > 0) & ("energy_final" not in d)


def _size(d: xr.Dataset, capacity: xr.DataArray) -> xr.DataArray:
    """Energy each segment holds; none where the depth is not priced."""
    return (d.segment_depth * capacity).where(d.replacement_cost > 0, 0.0)


def _segments(d: xr.Dataset, name: str) -> xr.DataArray:
    """Return an output by segment, 0 where the plan had no use for it."""
    return d[name] if name in d else xr.zeros_like(d.segment_energy)


def _filled(energy: xr.DataArray | float, size: xr.DataArray) -> xr.DataArray:
    """Energy poured into one segment after the other."""
    top = size.cumsum("segment")
    return smaller(energy, top) - smaller(energy, top - size)
