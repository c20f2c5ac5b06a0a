"""A result read for explaining: inputs in coherent units, outputs, duals, one member as a table
over time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...case.io import calendar_of, step_hours
from ...case.schema import Calendar
from ...errors import V2GError
from ...model.inputs import Inputs, inputs_of
from ...model.part import Part
from ...model.terms import SITE
from ...parts.catalogue import PARTS

Frame = Any  # a pandas table, or a row of it: its stubs know no columns reached by name
SMALL = 1e-6
"""kW, kWh or EUR below which nothing happens."""
_FLEET = (
    *(
        "charge",
        "discharge",
        "energy",
        "unserved",
        "charge_max",
        "discharge_max",
        "energy_min",
        "energy_max",
        "keep",
        "energy_in",
        "energy_out",
        "unserved_trip",
        "used",
        "allowance",
    ),
    *("eta_charge", "eta_discharge", "wear", "wear_charge"),
)


class NotInResult(V2GError, LookupError):  # noqa: N818
    """A vehicle, an hour or a scenario that the result does not hold.

    The message offers the nearest. The command line leaves with 2. It is a `LookupError`, too.
    """

    exit_code = 2


@dataclass(frozen=True, eq=False)
class Plan:
    """A result read for explaining, in one scenario.

    It has inputs in coherent units with defaults, outputs and duals.
    """

    groups: dict[str, xr.Dataset]
    attrs: dict[str, object]
    calendar: Calendar
    dt: float
    note: str = ""
    parts: Mapping[str, Part] = field(default_factory=lambda: PARTS)
    case: xr.DataTree = field(default_factory=xr.DataTree)

    @classmethod
    def of(
        cls,
        result: xr.DataTree,
        scenario: str | None = None,
        parts: Mapping[str, Part] = PARTS,
    ) -> "Plan":
        """Read a result; duals are per unit of probability of the scenario chosen."""
        if "fleet" not in result.children or "charge" not in result["fleet"].data_vars:
            raise NotInResult(_without_fleet(result, parts))
        calendar, _ = calendar_of(result)
        groups = {str(name): node.to_dataset() for name, node in result.children.items()}
        for name in groups.keys() & parts.keys():
            clean, _ = parts[name].schema.validate(groups[name], name, calendar)
            groups[name] = (
                groups[name]
                .drop_vars(list(clean.data_vars), errors="ignore")
                .assign(clean.data_vars)
            )
        attrs, note = {str(k): v for k, v in result.attrs.items()}, ""
        if calendar.scenario is not None:
            label = calendar.scenario[
                position_of(scenario or str(calendar.scenario[0]), calendar.scenario, "scenario")
            ]
            weight = float(result["probability"].sel(scenario=label))
            note = (
                f"This is scenario {label}, one of {len(calendar.scenario)}, of probability"
                f" {weight:g}."
            )
            groups = {
                k: v.sel(scenario=label, drop=True) if "scenario" in v.dims else v
                for k, v in groups.items()
            }
            for name in {"dual", "reduced_cost"} & groups.keys():
                groups[name] = groups[name] / (weight or 1.0)
        return cls(groups, attrs, calendar, step_hours(result), note, parts, result)

    @cached_property
    def inputs(self) -> Inputs:
        """The inputs of the result."""
        return inputs_of(self.case, self.parts)

    @property
    def binaries(self) -> int:
        """How many decisions are yes or no; where there are any, shadow prices leave them."""
        return int(str(self.attrs.get("binaries", 0)))

    @property
    def money(self) -> str:
        """The money of the case."""
        return self.calendar.currency

    @cached_property
    def local(self) -> pd.DatetimeIndex:
        """Edges of the steps on the local clock: one more than there are steps."""
        start = self.calendar.time
        edges = start.append(start[-1:] + pd.Timedelta(hours=self.dt))
        return pd.DatetimeIndex(edges).tz_localize("UTC").tz_convert(self.calendar.timezone)

    @property
    def members(self) -> list[str]:
        """Labels of the fleet."""
        return [str(label) for label in self.groups["fleet"].indexes["fleet"]]

    def member(self, name: str) -> int:
        """Position of a fleet member."""
        return position_of(name, self.members, "vehicle")

    def step_at(self, hour: str) -> int:
        """Return the position of the step that holds a moment, in ISO 8601.

        Other dates are refused, as 02.08. is one day here and another there.
        """
        try:
            stamp = pd.Timestamp(datetime.fromisoformat(hour))
        except ValueError:
            example = f"{self.local[0]:%Y-%m-%d %H:%M}"
            raise NotInResult(
                f"cannot read the moment {hour!r}; write it in ISO 8601, such as '{example}'"
            ) from None
        if stamp.tzinfo is None:
            stamp = self.on_the_clock(stamp, hour)
        step = int(self.local.searchsorted(stamp, side="right")) - 1
        if not 0 <= step < len(self.calendar.time):
            horizon = f"{with_offset(self.local[0])} to {with_offset(self.local[-1])}"
            raise NotInResult(
                f"{with_offset(stamp)} is outside the plan, which runs from {horizon}"
            )
        return step

    def on_the_clock(self, stamp: pd.Timestamp, hour: str) -> pd.Timestamp:
        """A moment of the local clock.

        One that the clock shows twice or skips needs another word.
        """
        zone = self.calendar.timezone
        either = pd.DatetimeIndex([stamp, stamp]).tz_localize(
            zone, ambiguous=np.array([True, False]), nonexistent="NaT"
        )
        if either.isna().any():
            raise NotInResult(
                f"{hour!r} does not exist: the clock of {zone} skips this hour; give one before or"
                " after"
            )
        if either[0] != either[1]:
            first, second = (moment.isoformat()[-6:] for moment in either)
            raise NotInResult(
                f"{hour!r} happens twice on the clock of {zone}; add {first} or {second}"
            )
        return either[0]

    def array(self, group: str, name: str) -> xr.DataArray | None:
        """An array of the result, None where it has none."""
        return (
            self.groups[group][name]
            if group in self.groups and name in self.groups[group]
            else None
        )

    def series(self, group: str, name: str, **labels: object) -> np.ndarray:
        """An array over time at some labels; zeros where the result has none."""
        found = self.array(group, name)
        return (
            np.zeros(len(self.calendar.time)) if found is None else self.on_steps(found, **labels)
        )

    def activation(self, way: str, product: object) -> np.ndarray:
        """Return the expected activation of a product per kW offered, `way` is up or down."""
        rate = self.series("reserve", f"activation_{way}", product=product)
        likely = self.array("reserve", "accept_probability")
        if likely is None:
            return rate
        gate = self.series("reserve", "closed", product=product)
        return rate * np.where(gate > 0, 1.0, self.on_steps(likely, product=product))

    def on_steps(self, found: xr.DataArray | float, **labels: object) -> np.ndarray:
        """Numbers over time at some labels, 0 where they are missing."""
        found = xr.DataArray(found)
        chosen = found.sel({k: v for k, v in labels.items() if k in found.dims}, drop=True)
        every_step = xr.DataArray(
            np.zeros(len(self.calendar.time)), coords={"time": self.calendar.time}
        )
        return np.asarray((chosen.fillna(0.0) + every_step).transpose("time"), dtype=float)

    def price(self, pod: str = SITE) -> np.ndarray:
        """Return the price of energy at a pod (EUR/MWh).

        It is its shadow price, or that of the first market where there is none.
        """
        if (found := self.array("price", "electricity")) is not None and bool(
            found.notnull().any()
        ):
            return self.series("price", "electricity", pod=pod)
        return self.market_price

    @property
    def market_price(self) -> np.ndarray:
        """Price of the first market (EUR/MWh); zeros without a market."""
        markets = (
            list(self.groups["energy"].indexes.get("market", [])) if "energy" in self.groups else []
        )
        return 1000 * self.series("energy", "price", **({"market": markets[0]} if markets else {}))

    @property
    def explained(self) -> bool:
        """Whether the result holds shadow prices (a solver may give none)."""
        value = self.array("dual", "fleet.balance")
        return value is not None and bool(value.notnull().any())

    @property
    def products(self) -> list[str]:
        """Labels of the reserve products."""
        return (
            [str(p) for p in self.groups["reserve"].indexes["product"]]
            if "reserve" in self.groups
            else []
        )


def table(plan: Plan, position: int) -> pd.DataFrame:
    """Return one member over time, in kW and kWh.

    `price` and `value` are in EUR/MWh; `*_gain` in EUR per unit of the variable.
    """
    label = plan.groups["fleet"].indexes["fleet"][position]
    pods = plan.array("fleet", "pod")
    pod = (
        SITE
        if pods is None
        else str((pods.sel(fleet=label) if "fleet" in pods.dims else pods).item())
    )
    car = pd.DataFrame(
        {name: plan.series("fleet", name, fleet=label) for name in _FLEET}, index=plan.calendar.time
    )
    on_need = plan.array("fleet", "need_billed") is not None  # a kWh more is then not paid
    car["retail_on_net"] = 0.0 if on_need else plan.series("fleet", "retail_price", fleet=label)
    limited = plan.array("fleet", "allowance")
    given = 0.0 if limited is None else limited.notnull().astype(float)
    car["has_allowance"] = plan.on_steps(given, fleet=label) > 0
    car["price"] = plan.price(pod)
    car["value"] = 1000 * plan.series("dual", "fleet.balance", fleet=label)
    car["need_cost"] = -plan.series("dual", "fleet.need", fleet=label)
    for name in ("charge", "discharge", "energy", "used"):
        car[f"{name}_gain"] = plan.series("reduced_cost", f"fleet.{name}", fleet=label)
    for way in ("up", "down"):
        car[f"{way}_gain"] = plan.series("dual", f"reserve.{way}_fleet", fleet=label)
    for product in plan.products:
        car[f"held {product}"] = plan.series("reserve", "share_fleet", fleet=label, product=product)
    for way in ("up", "down"):
        shares = (plan.activation(way, p) * car[f"held {p}"] for p in plan.products)
        car[f"called_{way}"] = sum(shares, np.zeros(len(car)))
    car["plugged"] = (car.charge_max > 0) | (car.discharge_max > 0)
    began = car.plugged & (~car.plugged.shift(fill_value=False) | (car.keep == 0))
    car["stay"] = began.cumsum().where(car.plugged, 0)
    start = float(plan.series("fleet", "energy_initial", fleet=label)[0])
    car["arrived"] = car.keep * car.energy.shift(fill_value=start) + car.energy_in
    return car


def money_of(plan: Plan, name: str, car: Frame) -> dict[str, float]:
    """Return what a member earned (EUR) per entry.

    Energy counts at the price of its pod, reserves by its share of the volume.
    """
    label, time = plan.groups["fleet"].indexes["fleet"][plan.member(name)], plan.calendar.time
    bill: dict[str, float] = {}
    activated = np.zeros(len(time))
    for product in plan.products:
        share, volume = car[f"held {product}"], plan.series("reserve", "volume", product=product)
        part = np.divide(share, volume, out=np.zeros(len(time)), where=volume > SMALL)
        up, down = (plan.activation(way, product) for way in ("up", "down"))
        activated += (up - down) * share
        for entry in ("reserve.capacity", "reserve.acceptance", "reserve.activation"):
            bill[entry] = bill.get(entry, 0.0) + float(
                plan.series("ledger", entry, product=product) @ part
            )
    bill["energy"] = float((car.discharge - car.charge - activated) @ car.price) * plan.dt / 1000
    for entry in map(str, plan.groups.get("ledger", xr.Dataset()).data_vars):
        if entry.startswith("fleet."):
            bill[entry] = float(plan.series("ledger", entry, fleet=label).sum())
    return {entry: amount for entry, amount in bill.items() if abs(amount) > 5e-5}


def with_offset(stamp: pd.Timestamp) -> str:
    """A moment of the local clock with its offset."""
    return f"{stamp:%a %Y-%m-%d %H:%M}{stamp.isoformat()[-6:]}"


def steps_in_words(plan: Plan, start: int, stop: int) -> str:
    """From the start of a step to the start of another, on the local clock."""
    first, last = plan.local[start], plan.local[stop]
    short = first.date() == last.date() and first.utcoffset() == last.utcoffset()
    return f"{with_offset(first)} to {f'{last:%H:%M}' if short else with_offset(last)}"


def switching_note(plan: Plan) -> str:
    """Return what is taken as given where something is switched on or off."""
    if not plan.binaries or not plan.explained:
        return ""
    return (
        f"What is switched on or off ({plan.binaries} yes-or-no decisions) stays so in what is said"
        " of prices and limits."
    )


def position_of(name: str, known: Iterable[object], kind: str) -> int:
    """Position of a name among those known, or an error that offers the nearest."""
    names = [str(label) for label in known]
    if name in names:
        return names.index(name)
    close = get_close_matches(name, names, 3, cutoff=0.5)
    offer = (
        f"did you mean {' or '.join(close)}?"
        if close
        else f"there are {', '.join(names[:5])}{' …' if len(names) > 5 else ''}"
    )
    raise NotInResult(f"there is no {kind} {name!r} in the result; {offer}")


def _without_fleet(result: xr.DataTree, parts: Mapping[str, Part]) -> str:
    """Say what to do where there is no plan of a fleet: solve it, or look elsewhere."""
    if "ledger" not in result.children:
        return "this file holds no plan of a fleet: give the result.nc that `v2g solve` wrote"
    there = ", ".join(name for name in result.children if name in parts) or "nothing"
    return (
        f"the result has no fleet ({there}), and only the plan of vehicles is told in words; see"
        " `v2g report`"
    )
