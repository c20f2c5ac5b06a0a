"""What parts hand to each other: power, cash, flexibility, reserve held; and what a replay hands
back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import xarray as xr

from ..algebra.expression import Data, Expression

SITE = "site"  # the pod of members that name none
CARRIERS = (
    "electricity",
    "heat",
    "hydrogen",
)  # heat and hydrogen stay in their pod; hydrogen in kWh (LHV)

Cash = Expression | xr.DataArray  # an entry of the ledger, EUR
Q = TypeVar("Q", Expression, xr.DataArray)  # decided in a `build`, read from a plan in a `replay`


def _nothing() -> Any:
    return xr.DataArray(0.0)


@dataclass(frozen=True)
class Flow(Generic[Q]):
    """Power into and out of the node of a carrier, kW, both ≥ 0 in the plan. `net` is what the
    balance sees.
    """

    injection: Q = field(default_factory=_nothing)
    withdrawal: Q = field(default_factory=_nothing)

    @property
    def net(self) -> Q:
        """Injection less withdrawal (kW)."""
        return self.injection - self.withdrawal

    def split(self, carrier: xr.DataArray) -> "dict[str, Flow[Q]]":
        """Return the flow of each carrier that a member names."""
        names = list(dict.fromkeys(map(str, carrier.to_numpy().ravel())))
        if len(names) == 1:
            return {names[0]: self}
        return {name: self._where(carrier == name) for name in names}

    def _where(self, mask: xr.DataArray) -> "Flow[Q]":
        return Flow(self.injection.where(mask, 0.0), self.withdrawal.where(mask, 0.0))


@dataclass(frozen=True)
class Edge(Generic[Q]):
    """Room at one edge of the step on the baseline path, kWh in the battery: above the floor, below
    the ceiling.
    """

    above: Q
    below: Q


@dataclass(frozen=True)
class Store(Generic[Q]):
    """What a reserve needs to know of a battery, on (member, time)."""

    edges: Callable[[], tuple[Edge[Q], Edge[Q]]]  # start and end of the step, when asked for
    eta_charge: xr.DataArray
    eta_discharge: xr.DataArray
    keep: Data = 1.0  # share of a deviation that is still there a step later
    charge: Q | float = 0.0  # kW that the baseline draws
    discharge: Q | float = 0.0  # kW that it feeds in
    charges: xr.DataArray | bool = True  # False where the baseline never draws, and
    discharges: xr.DataArray | bool = True  # where it never feeds in


@dataclass(frozen=True)
class Flex(Generic[Q]):
    """Room a member leaves for reserves, about its expected power, on (member, time).

    Without a store nothing runs out: the room lasts as long as the reserve is called.
    """

    up: Q  # kW that injection can still rise
    down: Q  # kW that injection can still fall
    # kW: no room is ever larger; 0 where there is none. A replay leaves it out
    range_max: xr.DataArray | None = None
    store: Store[Q] | None = None  # energy behind it
    # kW injection of the baseline path less that of the expected path, where the two differ
    baseline: Q | None = None


NO_ROOM = Flex(xr.DataArray(0.0), xr.DataArray(0.0))  # of an asset that offers no reserves


@dataclass(frozen=True)
class ReservedPower:
    """Reserve held by the members of an asset, measured from their expected power, kW on (member,
    time).
    """

    up: Expression
    down: Expression


@dataclass(frozen=True)
class Terms:
    """What a part adds to the whole: power per carrier, named cash (EUR, + is income), flexibility,
    reserve held.
    """

    power: Mapping[str, Flow[Expression]] = field(default_factory=dict)
    cash: Mapping[str, Cash] = field(default_factory=dict)
    flex: Flex[Expression] | None = None
    reserve_held: Mapping[str, ReservedPower] = field(default_factory=dict)

    @property
    def offers(self) -> tuple[Any, ...]:
        """What of it other parts can ask for."""
        return self.power.keys(), self.cash.keys(), self.reserve_held.keys(), self.flex is None


@dataclass(frozen=True)
class Replay:
    """What a part's `replay` found: residuals (0 is perfect, with `units`), and its terms
    recomputed.
    """

    residuals: Mapping[str, xr.DataArray] = field(default_factory=dict)
    cash: Mapping[str, xr.DataArray] = field(default_factory=dict)  # EUR, + is income
    power: Mapping[str, Flow[xr.DataArray]] = field(
        default_factory=dict
    )  # carrier -> injection and withdrawal, kW
    reserve_held: Mapping[str, tuple[xr.DataArray, xr.DataArray]] = field(
        default_factory=dict
    )  # asset -> kW up, kW down
    flex: Flex[xr.DataArray] | None = None  # room for reserves, recomputed


def decided_cash(entries: Mapping[str, tuple[Any, Expression]]) -> dict[str, Cash]:
    """Return the entries of the ledger that matter: those whose rate is not 0 everywhere, and in
    which something is decided. Each is given as its rate and its cash.
    """
    return {
        name: cash
        for name, (rate, cash) in entries.items()
        if bool((rate != 0).any()) and cash.has_terms
    }
