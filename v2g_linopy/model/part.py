"""The three ideas of the package: Part, Scope, Terms. Knows linopy and the schema."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.arrays import spread
from ..algebra.expression import Row, Sum
from ..case import calendar as periods
from ..case.schema import Calendar, Schema
from .formulas import same_block

SITE = "site"  # the pod of members that name none
CARRIERS = ("electricity", "heat", "hydrogen")  # heat and hydrogen stay in their pod; hydrogen in kWh (LHV)


class Stage(IntEnum):
    """Build order: markets see assets, rules see both, risk sees all cash."""

    ASSET, MARKET, RULE, RISK = range(4)


@dataclass(frozen=True)
class Flow:
    """Power into and out of the node of a carrier, kW, both ≥ 0 in the plan. `net` is what the balance sees."""

    injection: Any = 0.0
    withdrawal: Any = 0.0

    @property
    def net(self) -> Any:
        """Injection less withdrawal (kW)."""
        return self.injection - self.withdrawal

    def split(self, carrier: xr.DataArray) -> "dict[str, Flow]":
        """Return the flow of each carrier that a member names."""
        names = list(dict.fromkeys(map(str, carrier.to_numpy().ravel())))
        if len(names) == 1:
            return {names[0]: self}

        def of(x: Any, name: str) -> Any:
            return x.kept(carrier == name) if isinstance(x, Sum) else x

        return {name: Flow(of(self.injection, name), of(self.withdrawal, name)) for name in names}


@dataclass(frozen=True)
class Edge:
    """Room at one edge of the step on the baseline path, kWh in the battery: above the floor, below the ceiling."""

    above: Any
    below: Any


@dataclass(frozen=True)
class Store:
    """What a reserve needs to know of a battery, on (member, time)."""

    edges: Callable[[], tuple[Edge, Edge]]  # start and end of the step, written down when asked for
    eta_charge: xr.DataArray
    eta_discharge: xr.DataArray
    keep: Any = 1.0  # share of a deviation that is still there a step later, as data
    charge: Any = 0.0  # kW that the baseline draws
    discharge: Any = 0.0  # kW that it feeds in
    charges: Any = True  # False where the baseline never draws, and
    discharges: Any = True  # where it never feeds in: data


@dataclass(frozen=True)
class Flex:
    """Room a member leaves for reserves, about its expected power, on (member, time).

    Without a store nothing runs out: the room lasts as long as the reserve is called.
    """

    up: Any  # kW that injection can still rise
    down: Any  # kW that injection can still fall
    span: Any = None  # kW, as data: no room is ever larger; 0 where there is none. A replay leaves it out
    store: Store | None = None  # energy behind it
    baseline: Any = None  # kW injection of the baseline path less that of the expected path, where the two differ


@dataclass(frozen=True)
class Held:
    """Reserve held by the members of an asset, measured from their expected power, kW on (member, time)."""

    up: Any
    down: Any


@dataclass(frozen=True)
class Terms:
    """What a part adds to the whole: power per carrier, named cash (EUR, + is income), flexibility, reserve held."""

    power: Mapping[str, Flow] = field(default_factory=dict)
    cash: Mapping[str, Any] = field(default_factory=dict)
    flex: Flex | None = None
    held: Mapping[str, Held] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[Any, ...]:
        """What of it other parts can ask for."""
        return self.power.keys(), self.cash.keys(), self.held.keys(), self.flex is None


@dataclass(frozen=True)
class Replay:
    """What a part's `replay` found: residuals (0 is perfect, with `units`), and its terms recomputed."""

    residuals: Mapping[str, xr.DataArray] = field(default_factory=dict)
    cash: Mapping[str, xr.DataArray] = field(default_factory=dict)  # EUR, + is income
    power: Mapping[str, Flow] = field(default_factory=dict)  # carrier -> injection and withdrawal, kW
    held: Mapping[str, tuple[xr.DataArray, xr.DataArray]] = field(default_factory=dict)  # asset -> kW up, kW down
    flex: Flex | None = None  # room for reserves, recomputed


@dataclass(frozen=True, eq=False)
class Part:
    """A kind of asset, market or rule. `build` is its mathematics, `replay` its independent check."""

    name: str
    stage: Stage
    schema: Schema
    build: Callable[["Scope", xr.Dataset], Terms]
    replay: Callable[["View", xr.Dataset], Replay]
    carry: Mapping[str, str] = field(default_factory=dict)  # input of the next window <- output at its start
    finish: Callable[["View", xr.Dataset], Mapping[str, xr.DataArray]] | None = None
    """Outputs rewritten before the ledger is read, where many are equally good, and outputs that no row needs."""
    stock: Mapping[str, str] = field(default_factory=dict)  # energy that may be left at the end <- rows that value it
    ongoing: Mapping[str, float] = field(default_factory=dict)  # inputs where the horizon ends and the case goes on
    roll: Callable[["View", xr.Dataset, int], Mapping[str, xr.DataArray]] | None = None
    """Inputs of a window that starts after so many steps, where they are more than outputs at its start (`carry`)."""

    def has(self, name: str) -> bool:
        """Return True where a field of that name is among the inputs."""
        return any(f.name == name for f in self.schema.inputs)


@dataclass(frozen=True)
class View:
    """A written result as one part's `replay` sees it: every group with inputs and outputs in coherent units."""

    groups: Mapping[str, xr.Dataset]
    calendar: Calendar
    dt: float
    done: Mapping[str, Replay]  # replays of the parts before this one

    def moved(self, x: xr.DataArray, hours: xr.DataArray) -> xr.DataArray:
        """Return by how much x changes within market blocks of `hours`: 0 where it keeps to them."""
        same = same_block(hours, self.calendar.time, self.calendar.timezone, self.dt)
        return abs(x - x.shift(time=1)).where(same, 0.0)

    def get(self, part: str) -> xr.Dataset | None:
        """Return the group of another part, if it takes part."""
        return self.groups.get(part)


class Watched(Mapping[str, Any]):
    """A mapping that notes which names are asked for."""

    def __init__(self, mapping: Mapping[str, Any], read: set[str]):
        self._mapping, self._read = mapping, read

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        return self._mapping[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mapping)

    def __len__(self) -> int:
        return len(self._mapping)


class Scope:
    """The model as one part sees it: its own names, and read access to what came before."""

    def __init__(
        self,
        model: linopy.Model,
        part: Part,
        inputs: Mapping[str, xr.Dataset],
        terms: Mapping[str, Terms],
        calendar: Calendar,
        dt: float,
        pods: pd.Index,
    ):
        self.read: set[str] = set()  # names of the parts whose data or terms were asked for
        self.model, self.part, self.inputs, self._terms = model, part, Watched(inputs, self.read), terms
        self.calendar, self.dt, self.pods = calendar, dt, pods
        self.data = inputs[part.name]
        self._outputs = {f.name: f for f in part.schema.outputs}

    def var(
        self,
        name: str,
        lower: Any = 0.0,
        upper: Any = np.inf,
        *,
        mask: xr.DataArray | None = None,
        binary: bool = False,
        integer: bool = False,
        over: Iterable[pd.Index] = (),
        suffix: str = "",
    ) -> Sum:
        """Add a declared output as a variable; its dimensions come from the schema, after `scenario` and `over`.

        Parameters
        ----------
        name : str
            Name of the output in the schema of this part.
        lower, upper : float or xarray.DataArray
            Bounds, broadcast to the dimensions.
        mask : xarray.DataArray, optional
            False where the variable does not exist.
        binary, integer
            0 or 1, whatever the bounds; a whole number within them.
        over : iterable of pandas.Index
            Member dimensions of another part, for shares.
        suffix : str
            Appended to the name (`share` over the fleet is `share_fleet`).
        """
        declared = self._outputs[name]
        coords = [*over, *(self.axis(d) for d in declared.dims.split())]
        if self.calendar.scenario is not None and not declared.certain:
            coords.insert(0, self.calendar.scenario)
        axes = {str(c.name): c for c in coords}

        def numbers(data: Any) -> Any:
            labelled = isinstance(data, xr.DataArray)
            return xr.DataArray(spread(data, axes), coords=axes, dims=list(axes)) if labelled else data

        bounds: dict[str, Any] = {"lower": numbers(lower), "upper": numbers(upper), "integer": integer}
        if binary:
            bounds = {"binary": True}
        full = f"{self.part.name}.{name}{suffix}"
        x = Sum.of(self.model.add_variables(coords=coords, name=full, mask=numbers(mask), **bounds))
        if declared.first_stage and self.calendar.scenario is not None and len(self.calendar.scenario) > 1:
            self._nonanticipative(x, full, self.data[declared.first_stage])
        return x

    def maybe(self, name: str, possible: xr.DataArray, upper: Any = np.inf, **options: Any) -> Any:
        """Return `var(...)` where `possible`, 0 elsewhere; plain 0 when it is possible nowhere."""
        if not bool(possible.any()):
            return 0.0
        return self.var(name, upper=upper, mask=possible, **options)

    def add(self, name: str, constraint: Any, mask: xr.DataArray | None = None) -> None:
        """Add rows, or a constraint of linopy, under the name of this part; `mask` is False where there is none."""
        if mask is not None and not bool(mask.any()):
            return
        if isinstance(constraint, Row):
            constraint.write(self.model, f"{self.part.name}.{name}", mask)
        else:
            self.model.add_constraints(constraint, name=f"{self.part.name}.{name}", mask=mask)

    def axis(self, dim: str) -> pd.Index:
        """Return the labels of a dimension of this part; clock hours, local days and months are those of the steps."""
        if dim in periods.UNITS:
            return periods.axis(dim, self.calendar.time, self.calendar.timezone)
        return self.calendar.time.rename("time") if dim == "time" else self.data.indexes[dim]

    def __getitem__(self, name: str) -> Sum:
        return Sum.of(self.model.variables[name])

    @property
    def flex(self) -> dict[str, Flex]:
        """The flexibility of every asset that offers some."""
        return self._offering(lambda t: t.flex)

    @property
    def flows(self) -> dict[str, Flow]:
        """The electricity of every part built so far."""
        return self._offering(lambda t: t.power.get("electricity"))

    @property
    def held(self) -> list[tuple[str, Held]]:
        """The reserve held by each asset, of every part built so far that sells some."""
        return [entry for held in self._offering(lambda t: t.held or None).values() for entry in held.items()]

    @property
    def cash(self) -> list[Any]:
        """Every entry of the parts built so far."""
        return [entry for cash in self._offering(lambda t: t.cash).values() for entry in cash.values()]

    def _offering(self, what: Callable[[Terms], Any]) -> dict[str, Any]:
        found = {name: x for name, terms in self._terms.items() if (x := what(terms)) is not None}
        self.read.update(found)
        return found

    def per_pod(self, expression: Any, part: str) -> Any:
        """Sum an expression on (member, time) of an asset over the members of each pod."""
        return per_pod(expression, self.inputs[part], self.pods)

    def per_label(self, expression: Any, part: str, label: str, groups: pd.Index) -> Any:
        """Sum an expression on (member, time) of an asset over the members with each label; others are left out."""
        return per_group(expression, self.inputs[part][label].astype(str).rename(str(groups.name)), groups)

    def blocks(self, hours: xr.DataArray) -> xr.DataArray:
        """Return True where a step belongs to the same market block (of `hours`) as the one before."""
        return same_block(hours, self.calendar.time, self.calendar.timezone, self.dt)

    def _nonanticipative(self, x: Sum, name: str, flag: xr.DataArray) -> None:
        """x[s] = x[first scenario] where the decision is taken before the scenario is known."""
        scenario = x.indexes["scenario"]
        row = x.sel(scenario=scenario[1:]) - x.sel(scenario=scenario[0]) == 0
        row.write(self.model, f"{name}.first_stage", flag > 0)


def per_pod(expression: Any, data: xr.Dataset, pods: pd.Index) -> Any:
    """Sum over the members of each pod; 0 for a pod without members, and where nothing can move at all."""
    return per_group(expression, data["pod"].astype(str).rename("pod"), pods)


def per_group(expression: Any, label: xr.DataArray, groups: pd.Index) -> Any:
    """Sum over the members that carry the label of each group."""
    if isinstance(expression, Sum):
        return expression.grouped(label, groups)
    if isinstance(expression, xr.DataArray):
        return expression.groupby(label).sum().reindex({groups.name: groups}, fill_value=0.0)
    return 0.0
