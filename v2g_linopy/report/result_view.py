"""A result as figures and tables read it: one clock, one unit system, one scenario view.

Nothing here draws. A :class:`ResultView` opens a result once; figures cut windows out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from ..case.calendar import localized
from ..case.io import step_hours
from ..errors import SchemaError
from ..model.part import Part, Stage
from ..operate.unmanaged import unmanaged
from ..parts.catalogue import PARTS
from .display_units import displayed, probability, scenario_means
from .power_at_meter import Asset, assets_of, metered

LONGEST_WINDOW = 10.0
"""Days drawn step by step; a longer horizon is drawn as its busiest week beside totals per day."""
WEEK = 7.0
MOST_STEPS = 700
"""Steps drawn along one axis; finer data are averaged."""
HOURS_PER_YEAR = 8760.0
Moment: TypeAlias = str | pd.Timestamp | None
Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class ResultView:
    """The groups of a result over (part of) its horizon, averaged over scenarios.

    Parameters
    ----------
    groups
        Group name to dataset; every ``time`` is naive UTC at interval start.
    attrs
        Root attributes of the result.
    hours
        Length of a step, h.
    weight
        Probability of the scenarios averaged; None where the result has none.
    parts
        The catalogue of the parts that the result was made with.
    """

    groups: Mapping[str, xr.Dataset]
    attrs: Mapping[Hashable, Any]
    time: pd.DatetimeIndex
    hours: float
    weight: xr.DataArray | None = None
    source: xr.DataTree | None = None
    parent: ResultView | None = None
    offset: int = 0
    label: str = ""
    parts: Mapping[str, Part] = field(default_factory=lambda: PARTS)
    _found: dict[Callable[..., Any], Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        result: Result,
        scenario: Hashable | None = None,
        parts: Mapping[str, Part] = PARTS,
    ) -> ResultView:
        """Open a result, in the scenario named or in the mean over scenarios.

        A view is returned as it is.
        """
        if isinstance(result, ResultView):
            return result
        root = result.to_dataset()
        time = pd.DatetimeIndex(root.indexes["time"])
        weight = probability(root)
        if scenario is not None and weight is not None:
            weight = xr.DataArray(weight["scenario"] == scenario).astype(float)
        currency = str(result.attrs.get("currency") or "EUR")
        groups = {}
        for name, node in result.children.items():
            means = scenario_means(node.to_dataset(), weight, name)
            groups[name] = displayed(means, name, parts.get(name), currency)
        return cls(
            groups, dict(result.attrs), time, step_hours(result), weight, result, parts=parts
        )

    def once(self, reckon: Callable[[ResultView], Found]) -> Found:
        """What `reckon` finds in this view, reckoned the first time only.

        Several files and the page show the same figures; nobody may change what is returned.
        """
        if reckon not in self._found:
            self._found[reckon] = reckon(self)
        found: Found = self._found[reckon]
        return found

    @property
    def scenarios(self) -> int:
        """Number of scenarios averaged; 0 where the result has none."""
        return 0 if self.weight is None else self.weight.size

    @property
    def scenario_names(self) -> list[Hashable]:
        """Labels of the scenarios; empty where the result has none."""
        return [] if self.weight is None else list(self.weight.indexes["scenario"])

    def of_scenario(self, name: Hashable | None) -> ResultView:
        """The whole result in one scenario; the view itself where there is none to choose."""
        if name is None or self.source is None:
            return self
        return ResultView.of(self.source, name, self.parts)

    # ---- the clock -------------------------------------------------------------------------------

    @property
    def timezone(self) -> str:
        """IANA name of the clock that people read."""
        return str(self.attrs.get("timezone") or "UTC")

    @cached_property
    def local(self) -> pd.DatetimeIndex:
        """Start of every step on the local clock, with offset."""
        return self.time.tz_localize("UTC").tz_convert(self.timezone)

    @property
    def currency(self) -> str:
        """The money in all amounts."""
        return str(self.attrs.get("currency") or "EUR")

    @property
    def days(self) -> float:
        """Length of the horizon, days of 24 h."""
        return len(self.time) * self.hours / 24

    @property
    def years(self) -> float:
        """Length of the horizon, years of 8760 h."""
        return len(self.time) * self.hours / HOURS_PER_YEAR

    @cached_property
    def edges(self) -> np.ndarray:
        """Hours from the first step to the edges of every step (one more than there are steps)."""
        return np.arange(len(self.time) + 1) * self.hours

    # ---- arrays ----------------------------------------------------------------------------------

    def has(self, group: str, name: str | None = None) -> bool:
        """Whether the result holds the group (and the array in it)."""
        return group in self.groups and (name is None or name in self.groups[group])

    def get(self, group: str, name: str, default: float = 0.0) -> xr.DataArray:
        """An array as stored, or a scalar default; missing values are the default."""
        if not self.has(group, name):
            return xr.DataArray(default)
        return self.groups[group][name].reset_coords(drop=True).fillna(default)

    def activation(self, way: str) -> xr.DataArray:
        """Return the expected activation of reserves per kW offered, `way` is up or down (1)."""
        if self.has("reserve", "call"):
            sign = 1 if way == "up" else -1
            called = (sign * self.get("reserve", "call")).clip(min=0)
            rate = (called * self.get("reserve", "call_share")).sum("call_state")
        else:
            rate = self.get("reserve", f"activation_{way}")
        likely = self.get("reserve", "accept_probability", 1.0)
        return rate * likely.where(self.get("reserve", "closed") == 0, 1.0)

    def full(self, group: str, name: str, *dims: str, default: float = 0.0) -> xr.DataArray:
        """An array over exactly `dims`, broadcast where it has fewer."""
        coords = {d: self.index(group, d) for d in dims}
        return (
            self.get(group, name, default)
            .broadcast_like(xr.DataArray(coords=coords, dims=dims))
            .transpose(*dims)
        )

    def index(self, group: str, dim: str) -> pd.Index:
        """Labels of a dimension; empty where the group is absent."""
        if dim == "time":
            return self.time
        data = self.groups.get(group)
        return (
            data.indexes[dim]
            if data is not None and dim in data.indexes
            else pd.Index([], name=dim)
        )

    def fleet(self, name: str, default: float = 0.0) -> xr.DataArray:
        """A fleet quantity on (fleet, time)."""
        return self.full("fleet", name, "fleet", "time", default=default)

    def total(self, name: str) -> np.ndarray:
        """A fleet quantity summed over members, one value per step."""
        stored = self.get("fleet", name)
        if (
            stored.dims
            and set(stored.dims) <= {"fleet", "time"}
            and "fleet" in stored.dims
            and "time" in stored.dims
        ):
            return np.asarray(stored.sum("fleet").values, dtype=float)
        return np.asarray(self.fleet(name).sum("fleet").values, dtype=float)

    @property
    def members(self) -> pd.Index:
        """Labels of the fleet."""
        return self.index("fleet", "fleet")

    @cached_property
    def connected(self) -> xr.DataArray:
        """Where a member can draw or feed in, on (fleet, time)."""
        return (self.fleet("charge_max") > 0) | (self.fleet("discharge_max") > 0)

    @cached_property
    def unmanaged(self) -> xr.DataArray | None:
        """Unmanaged charging of every member, kW on (fleet, time).

        None where there is no such plan.
        """
        if self.parent is not None:
            whole = self.parent.unmanaged
            return (
                None
                if whole is None
                else whole.isel(time=slice(self.offset, self.offset + len(self.time)))
            )
        if self.source is None or not len(self.members):
            return None
        try:
            return unmanaged(self.source, parts=self.parts).transpose("fleet", "time")
        # the fleet differs between scenarios, or the case has parts that are not in the catalogue
        except SchemaError:
            return None

    @cached_property
    def unmanaged_power(self) -> np.ndarray:
        """Unmanaged charging of the fleet, kW per step; empty without a fleet."""
        return (
            np.empty(0)
            if self.unmanaged is None
            else np.asarray(self.unmanaged.sum("fleet").values, dtype=float)
        )

    @cached_property
    def unmanaged_stored(self) -> np.ndarray:
        """Energy that unmanaged charging has stored by the end of each step, kWh.

        Empty without a fleet.
        """
        if self.unmanaged is None:
            return np.empty(0)
        stored = (self.unmanaged * self.fleet("eta_charge", 0.95)).sum("fleet") * self.hours
        return np.asarray(stored.values, dtype=float).cumsum()

    @cached_property
    def _assets(self) -> tuple[dict[str, Asset], pd.Index]:
        return assets_of(self.source, self.weight, self.parts)

    @property
    def assets(self) -> dict[str, Asset]:
        """Every kind of asset that has members, over the whole horizon."""
        return self.parent.assets if self.parent is not None else self._assets[0]

    @property
    def pods(self) -> pd.Index:
        """Every point of delivery."""
        return self.parent.pods if self.parent is not None else self._assets[1]

    @cached_property
    def meter(self) -> xr.Dataset:
        """Power at the meter of each pod by asset: see `metered`."""
        if self.parent is not None:
            return self.parent.meter.isel(time=slice(self.offset, self.offset + len(self.time)))
        return metered(self._with_unmanaged_fleet(), self.pods, self.time)

    def _with_unmanaged_fleet(self) -> dict[str, Asset]:
        """The assets; without flexibility vehicles charge unmanaged, which needs chargers and pods
        beside them.
        """
        assets = dict(self.assets)
        if "fleet" in assets:
            assets["fleet"] = replace(assets["fleet"], without_flexibility=self.unmanaged)
        return assets

    @property
    def others(self) -> list[str]:
        """The kinds of assets beside the fleet."""
        assets = [p for p in self.parts.values() if p.stage is Stage.ASSET and p.name != "fleet"]
        return [p.name for p in assets if len(self.index(p.name, p.member))]

    @property
    def stores(self) -> list[str]:
        """The kinds of batteries, those of vehicles among them."""
        return [name for name, p in self.parts.items() if p.stores_energy and self.has(name)]

    @cached_property
    def vehicles(self) -> float:
        """Vehicles in the fleet."""
        return float(self.full("fleet", "vehicles", "fleet", default=1.0).sum())

    @property
    def known_vehicles(self) -> float | None:
        """How many vehicles there are, as far as it is known.

        Members are or stand for vehicles, or every session names its own.
        """
        if self.kind == "vehicle":
            return self.vehicles
        names = self.groups["sessions"].get("vehicle")
        if names is None or bool((names == "").any()):
            return None
        return float(len(set(names.values.astype(str).ravel())))

    @cached_property
    def kind(self) -> str:
        """What a member is.

        It is ``vehicle``, ``connector``, or ``row`` into which sessions of any vehicle were
        packed.
        """
        sessions = self.groups.get("sessions")
        if sessions is None or "row" not in sessions or self.has("fleet", "vehicles"):
            return "vehicle"
        for kind in ("vehicle", "connector"):
            if kind in sessions and one_to_one(sessions["row"], sessions[kind]):
                return kind
        return "row"

    @property
    def not_a_market(self) -> str:
        """Why no market pays what the case pays: the head of all that is told; empty for others."""
        return str(self.attrs.get("not_a_market", ""))

    @cached_property
    def units(self) -> float:
        """What amounts are divided by.

        It is vehicles (or connectors) times years, or years where other assets share the bill; 0
        for what is not a market, which is never scaled to a year.
        """
        if self.not_a_market:
            return 0.0
        return self.years if self.others else self.fleet_units

    @cached_property
    def fleet_units(self) -> float:
        """Vehicles or connectors times years; sessions where they were packed; vehicles alone where
        nothing is scaled to a year.
        """
        if self.kind == "row":
            return float(self.groups["sessions"].sizes["session"])
        return self.vehicles * (1.0 if self.not_a_market else self.years)

    @property
    def per_member(self) -> str:
        """What figures of a vehicle are given per."""
        if self.kind == "row":
            return "per charging session"
        return f"per {self.kind}" + ("" if self.not_a_market else " and year")

    @property
    def per(self) -> str:
        """What amounts are given per; the horizon where there is no vehicle."""
        if not self.units:
            return "over the horizon"
        if self.others:
            return "per year"
        return self.per_member

    @property
    def scale(self) -> float:
        """Factor from money over the horizon to what is shown."""
        return 1 / self.units if self.units else 1.0

    @property
    def unit(self) -> str:
        """Unit of the money that is shown."""
        return f"{self.currency} {self.per}"

    @cached_property
    def price(self) -> np.ndarray:
        """Price of the first energy market, else of the first supply contract, EUR/MWh.

        NaN without either.
        """
        if not len(self.index("energy", "market")):
            supply = self.full("connection", "supply_price", "pod", "time", default=np.nan)
            whole = np.flatnonzero(np.asarray(supply.notnull().all("time").values))
            return np.asarray(
                supply[whole[0]] if whole.size else np.full(len(self.time), np.nan), dtype=float
            )
        return np.asarray(
            self.full("energy", "price", "market", "time", default=np.nan).isel(market=0).values,
            dtype=float,
        )

    @property
    def market(self) -> str:
        """Name of the first energy market in words, or that it is a supply contract."""
        labels = self.index("energy", "market")
        if len(labels):
            return str(labels[0]).replace("_", "-")
        return "supply" if np.isfinite(self.price).any() else "no market"

    @cached_property
    def note(self) -> str:
        """Which part of the horizon is shown, and what was averaged.

        Empty where it is all there is.
        """
        mean = f"mean of {self.scenarios} scenarios" if self.scenarios else ""
        return ", ".join(filter(None, [self.label, mean]))

    # ---- windows ---------------------------------------------------------------------------------

    @property
    def long(self) -> bool:
        """Whether the horizon is too long to be drawn step by step."""
        return self.days > LONGEST_WINDOW

    def cut(self, start: int, stop: int) -> ResultView:
        """Steps ``start`` to ``stop`` (exclusive)."""
        part = slice(start, stop)
        groups = {k: v.isel(time=part) if "time" in v.dims else v for k, v in self.groups.items()}
        return replace(self, groups=groups, time=self.time[part], parent=self, offset=start)

    def window(self, start: Moment = None, days: float | None = None) -> ResultView:
        """The part to draw, from `start` (local clock) for `days`.

        It is all, or the busiest week of a long horizon.
        """
        if start is None and days is None and not self.long:
            return self.cut(0, len(self.time))
        steps = max(1, round((days or WEEK) * 24 / self.hours))
        first = self.busiest(steps) if start is None else self.position(start)
        label = (
            ""
            if start is not None
            else "busiest week"
            if days is None
            else f"busiest {days:g} days"
        )
        return replace(self.cut(first, min(first + steps, len(self.time))), label=label)

    def position(self, start: str | pd.Timestamp) -> int:
        """Step at a moment of the local clock (a moment with an offset is taken as it is)."""
        moment = pd.Timestamp(start)
        if moment.tzinfo is None:
            moment = localized(pd.DatetimeIndex([moment]), self.timezone)[0]
        found = int(self.local.searchsorted(moment, side="right")) - 1
        return min(max(found, 0), len(self.time) - 1)

    def busiest(self, steps: int) -> int:
        """First step, at a local midnight, of the `steps` with most energy moved."""
        if len(self.time) <= steps:
            return 0
        power = self.total("charge") + self.total("discharge")
        if not len(self.members):
            power = np.asarray(
                (self.meter["drawn"] + self.meter["fed"]).sum(["asset", "pod"]).values
            )
        moved = np.concatenate([[0.0], np.cumsum(power)])
        midnight = np.flatnonzero(np.asarray(self.local == self.local.normalize()))
        midnight = midnight[midnight + steps <= len(self.time)]
        if not midnight.size:
            return 0
        return int(midnight[np.argmax(np.round(moved[midnight + steps] - moved[midnight], 6))])

    @cached_property
    def stride(self) -> int:
        """Steps averaged into one so that at most :data:`MOST_STEPS` are drawn."""
        return -(-len(self.time) // MOST_STEPS)

    def thin(self, values: np.ndarray) -> np.ndarray:
        """Average the last axis (time) over the stride; the last group may be shorter."""
        starts = np.arange(0, len(self.time), self.stride)
        counts = np.diff(np.append(starts, len(self.time)))
        return values if self.stride == 1 else np.add.reduceat(values, starts, axis=-1) / counts

    def pick(self, values: np.ndarray) -> np.ndarray:
        """The last step of every group of the stride, for states at the end of a step."""
        ends = np.append(np.arange(self.stride, len(self.time), self.stride), len(self.time)) - 1
        return values[..., ends]

    @cached_property
    def thin_edges(self) -> np.ndarray:
        """Edges (h) of the groups of the stride."""
        return np.append(np.arange(0, len(self.time), self.stride), len(self.time)) * self.hours

    def per_day(self, values: np.ndarray) -> pd.Series:
        """kW per step summed to kWh per local day."""
        return pd.Series(values * self.hours, index=self.local.normalize()).groupby(level=0).sum()


Result: TypeAlias = xr.DataTree | ResultView
"""What figures and tables accept: a result, or a view of one."""


def one_to_one(left: xr.DataArray, right: xr.DataArray) -> bool:
    """Whether the two label each session alike, up to the names."""
    pairs = pd.DataFrame(
        {"left": left.values.astype(str), "right": right.values.astype(str)}
    ).drop_duplicates()
    return bool(pairs["left"].is_unique and pairs["right"].is_unique)
