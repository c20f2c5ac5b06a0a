"""What parts hand to each other: power, cash, flexibility, reserve held; and what a replay hands
back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from ..algebra.expression import Sum

SITE = "site"  # the pod of members that name none
CARRIERS = (
    "electricity",
    "heat",
    "hydrogen",
)  # heat and hydrogen stay in their pod; hydrogen in kWh (LHV)


@dataclass(frozen=True)
class Flow:
    """Power into and out of the node of a carrier, kW, both ≥ 0 in the plan. `net` is what the
    balance sees.
    """

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
    """Room at one edge of the step on the baseline path, kWh in the battery: above the floor, below
    the ceiling.
    """

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
    span: Any = (
        None  # kW, as data: no room is ever larger; 0 where there is none. A replay leaves it out
    )
    store: Store | None = None  # energy behind it
    # kW injection of the baseline path less that of the expected path, where the two differ
    baseline: Any = None


@dataclass(frozen=True)
class Held:
    """Reserve held by the members of an asset, measured from their expected power, kW on (member,
    time).
    """

    up: Any
    down: Any


@dataclass(frozen=True)
class Terms:
    """What a part adds to the whole: power per carrier, named cash (EUR, + is income), flexibility,
    reserve held.
    """

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
    """What a part's `replay` found: residuals (0 is perfect, with `units`), and its terms
    recomputed.
    """

    residuals: Mapping[str, xr.DataArray] = field(default_factory=dict)
    cash: Mapping[str, xr.DataArray] = field(default_factory=dict)  # EUR, + is income
    power: Mapping[str, Flow] = field(
        default_factory=dict
    )  # carrier -> injection and withdrawal, kW
    held: Mapping[str, tuple[xr.DataArray, xr.DataArray]] = field(
        default_factory=dict
    )  # asset -> kW up, kW down
    flex: Flex | None = None  # room for reserves, recomputed
