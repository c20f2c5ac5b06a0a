"""What parts hand to each other, and what a replay hands back.

These are power, cash, flexibility and the reserve held.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
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
    """Power into and out of the node of a carrier.

    Both are kW, on (member, time), and at least 0 in the plan; `net` is what the balance sees.

    Parameters
    ----------
    injection : Expression or xarray.DataArray, default 0
        Power into the node (kW).
    withdrawal : Expression or xarray.DataArray, default 0
        Power out of it (kW).

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model import Flow
    >>> flow = Flow(injection=xr.DataArray(3.0), withdrawal=xr.DataArray([1.0, 2.0], dims="pump"))
    >>> flow.net.values.tolist()
    [2.0, 1.0]
    """

    injection: Q = field(default_factory=_nothing)
    withdrawal: Q = field(default_factory=_nothing)

    @property
    def net(self) -> Q:
        """Injection less withdrawal (kW)."""
        return self.injection - self.withdrawal

    def split(self, carrier: xr.DataArray) -> "dict[str, Flow[Q]]":
        """Return the flow of each carrier that a member names.

        Parameters
        ----------
        carrier : xarray.DataArray
            Name of the carrier of each member.

        Returns
        -------
        dict of str to Flow
            By carrier, kW on (member, time); 0 for members of another carrier.

        Examples
        --------
        >>> by_carrier = flow.split(xr.DataArray(["electricity", "heat"], dims="pump"))
        >>> {name: x.withdrawal.values.tolist() for name, x in by_carrier.items()}
        {'electricity': [1.0, 0.0], 'heat': [0.0, 2.0]}
        """
        names = list(dict.fromkeys(map(str, carrier.to_numpy().ravel())))
        if len(names) == 1:
            return {names[0]: self}
        return {name: self._where(carrier == name) for name in names}

    def _where(self, mask: xr.DataArray) -> "Flow[Q]":
        return Flow(self.injection.where(mask, 0.0), self.withdrawal.where(mask, 0.0))


@dataclass(frozen=True)
class Edge(Generic[Q]):
    """Room at one edge of the step on the baseline path, kWh in the battery.

    Parameters
    ----------
    above : Expression or xarray.DataArray
        Above the floor (kWh).
    below : Expression or xarray.DataArray
        Below the ceiling (kWh).

    Examples
    --------
    A battery of 40 kWh that holds 15 and must keep 5:

    >>> from v2g_linopy.model import Edge
    >>> Edge(above=15.0 - 5.0, below=40.0 - 15.0)
    Edge(above=10.0, below=25.0)
    """

    above: Q
    below: Q


@dataclass(frozen=True)
class Store(Generic[Q]):
    """What a reserve needs to know of a battery, on (member, time).

    Parameters
    ----------
    edges : callable
        ``edges() -> (Edge, Edge)``, at the start and at the end of the step, asked for when needed.
    eta_charge, eta_discharge : xarray.DataArray
        Efficiency each way (1).
    keep : float or xarray.DataArray, default 1.0
        Share of a deviation that is still there a step later.
    charge : Expression, xarray.DataArray or float, default 0.0
        What the baseline draws (kW).
    discharge : Expression, xarray.DataArray or float, default 0.0
        What it feeds in (kW).
    charges : xarray.DataArray or bool, default True
        False where the baseline never draws.
    discharges : xarray.DataArray or bool, default True
        False where it never feeds in.

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model import Edge, Store
    >>> full = Edge(above=xr.DataArray(40.0), below=xr.DataArray(0.0))
    >>> battery = Store(lambda: (full, full), xr.DataArray(0.95), xr.DataArray(0.95))
    >>> battery.edges()[1].above.item()
    40.0
    """

    edges: Callable[[], tuple[Edge[Q], Edge[Q]]]  # start and end of the step, when asked for
    eta_charge: xr.DataArray
    eta_discharge: xr.DataArray
    keep: Data = 1.0  # share of a deviation that is still there a step later
    charge: Q | float = 0.0  # kW that the baseline draws
    discharge: Q | float = 0.0  # kW that it feeds in
    charges: xr.DataArray | bool = True  # False where the baseline never draws, and
    discharges: xr.DataArray | bool = True  # where it never feeds in


@dataclass(frozen=True)
class Allowance(Generic[Q]):
    """What contracts with owners still let members discharge, on (member, time).

    Parameters
    ----------
    left : Expression or xarray.DataArray
        Energy that may still be discharged at the end of the step if no reserve is called (kWh at
        the grid).
    limited : xarray.DataArray
        True where there is such a limit.
    goes_on : xarray.DataArray
        0 where counting begins anew in the step, 1 elsewhere.
    charge : Expression or xarray.DataArray
        What the baseline draws (kW): a call stops that before it discharges.
    discharges : xarray.DataArray
        False where the members never feed in.

    Examples
    --------
    Of 10 kWh that an owner has sold 4 are used, while the vehicle charges at 7 kW:

    >>> import xarray as xr
    >>> from v2g_linopy.model import Allowance
    >>> yes, one, charging = xr.DataArray(True), xr.DataArray(1.0), xr.DataArray(7.0)
    >>> sold = Allowance(xr.DataArray(10.0 - 4.0), yes, one, charge=charging, discharges=yes)
    >>> sold.left.item()
    6.0
    """

    left: Q
    limited: xr.DataArray
    goes_on: xr.DataArray
    charge: Q
    discharges: xr.DataArray


@dataclass(frozen=True)
class Powers(Generic[Q]):
    """What a storage draws and feeds in over a step, each by itself, on (member, time).

    Losses and wear follow them: where calls turn the power within a step, both are above 0.

    Parameters
    ----------
    charge : Expression or xarray.DataArray
        Mean power drawn (kW at the grid).
    discharge : Expression or xarray.DataArray
        Mean power fed in (kW at the grid).
    both_ways : xarray.DataArray
        True where the member can do both.
    single : xarray.DataArray or bool, default True
        False for many vehicles in one member, of which some may draw while others feed in.

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model import Powers
    >>> called_half_the_time = Powers(xr.DataArray(2.0), xr.DataArray(3.0), xr.DataArray(True))
    >>> (called_half_the_time.discharge - called_half_the_time.charge).item()
    1.0
    """

    charge: Q
    discharge: Q
    both_ways: xr.DataArray
    single: xr.DataArray | bool = True


@dataclass(frozen=True)
class Flex(Generic[Q]):
    """Room a member leaves for reserves, about its expected power, on (member, time).

    Without a store nothing runs out: the room lasts as long as the reserve is called.

    Parameters
    ----------
    up : Expression or xarray.DataArray
        By how much injection can still rise (kW).
    down : Expression or xarray.DataArray
        By how much injection can still fall (kW).
    range_max : xarray.DataArray, optional
        No room is ever larger (kW); 0 where there is none. A replay leaves it out.
    store : Store, optional
        The energy behind it.
    baseline : Expression or xarray.DataArray, optional
        Injection of the baseline path less that of the expected path (kW), where the two differ.
    backlog : Expression or xarray.DataArray, optional
        Energy of the baseline path less that of the expected path at the end of the step (kWh):
        what calls have taken and nobody has bought back.
    allowance : Allowance, optional
        What contracts with the owners still let the members discharge.
    powers : Powers, optional
        What a storage draws and feeds in on the expected path.

    Examples
    --------
    A load of 3 kW that can be switched off can raise the injection by 3 kW:

    >>> import xarray as xr
    >>> from v2g_linopy.model import Flex
    >>> room = Flex(up=xr.DataArray(3.0), down=xr.DataArray(0.0))
    >>> room.up.item(), room.store
    (3.0, None)
    """

    up: Q  # kW that injection can still rise
    down: Q  # kW that injection can still fall
    # kW: no room is ever larger; 0 where there is none. A replay leaves it out
    range_max: xr.DataArray | None = None
    store: Store[Q] | None = None  # energy behind it
    # kW injection of the baseline path less that of the expected path, where the two differ
    baseline: Q | None = None
    backlog: Q | None = None  # kWh that calls have taken and nobody has bought back
    allowance: Allowance[Q] | None = None  # kWh that may still be discharged
    powers: Powers[Q] | None = None  # kW drawn and fed in on the expected path


@dataclass(frozen=True)
class Offered(Generic[Q]):
    """Reserve of each product that an asset has ready to be sold, on (member, product, time).

    Unlike room (`Flex`), which all products share, each product has its own: what was held for one
    cannot be sold as another.

    Parameters
    ----------
    amount : Expression or xarray.DataArray
        What may be sold at most (kW).
    range_max : xarray.DataArray, optional
        No amount is ever larger (kW); 0 where there is none. A replay leaves it out.

    Examples
    --------
    Two sites have 3 and 5 kW of a product ready:

    >>> import xarray as xr
    >>> from v2g_linopy.model import Offered
    >>> Offered(xr.DataArray([3.0, 5.0], dims="plan")).amount.values.tolist()
    [3.0, 5.0]
    """

    amount: Q
    range_max: xr.DataArray | None = None


def no_room() -> Flex[xr.DataArray]:
    """Return the room of an asset that offers no reserves.

    It is made when it is asked for: the first array of a process loads all of dask.
    """
    return Flex(xr.DataArray(0.0), xr.DataArray(0.0))


@dataclass(frozen=True)
class Recovery(Generic[Q]):
    """Most power that brings back what calls of reserves have moved, on (member, time).

    Parameters
    ----------
    bought : Expression or xarray.DataArray
        Drawn, or no longer fed in, for what calls upward took (kW at the grid).
    sold : Expression or xarray.DataArray
        Fed in, or no longer drawn, for what calls downward brought (kW at the grid).

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model import Recovery
    >>> Recovery(bought=xr.DataArray(3.0), sold=xr.DataArray(0.0)).bought.item()
    3.0
    """

    bought: Q
    sold: Q


@dataclass(frozen=True)
class ReservedPower:
    """Reserve held by the members of an asset, measured from their expected power.

    Parameters
    ----------
    up, down : Expression
        kW on (member, time), with the power that brings back what calls have moved.
    recovery : Recovery, optional
        That power by itself: the market has to take it, too.
    without_calls : ReservedPower, optional
        The same about the path without calls, where that is another than the expected one less the
        mean call; also measured from the expected power.

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model import ReservedPower
    >>> ReservedPower(up=xr.DataArray(2.0), down=xr.DataArray(0.0)).up.item()
    2.0
    """

    up: Expression
    down: Expression
    recovery: Recovery[Expression] | None = None
    without_calls: "ReservedPower | None" = None


@dataclass(frozen=True)
class Terms:
    """What a part adds to the whole.

    Parameters
    ----------
    power : mapping of str to Flow, default {}
        By carrier, kW on (member, time).
    cash : mapping of str to Expression or xarray.DataArray, default {}
        Entries of the ledger by name (EUR, + is income).
    flex : Flex, optional
        Room that an asset leaves for reserves.
    reserve_held : mapping of str to ReservedPower, default {}
        By asset, what its members hold (kW).
    offered : Offered, optional
        Reserve of each product that an asset has ready to be sold, in place of room.
    discharge_called : mapping of str to Expression, default {}
        By asset, the most that calls of reserves discharge beyond the plan, where owners limit it
        (kWh on (member, time), as `Allowance.left`).

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model import Flow, Terms
    >>> rent = xr.DataArray(-2.0)
    >>> Terms(power={"electricity": Flow()}, cash={"rent": rent}).cash["rent"].item()
    -2.0
    """

    power: Mapping[str, Flow[Expression]] = field(default_factory=dict)
    cash: Mapping[str, Cash] = field(default_factory=dict)
    flex: Flex[Expression] | None = None
    reserve_held: Mapping[str, ReservedPower] = field(default_factory=dict)
    offered: Offered[Expression] | None = None
    discharge_called: Mapping[str, Expression] = field(default_factory=dict)

    @property
    def offers(self) -> tuple[Any, ...]:
        """What of it other parts can ask for."""
        absent = self.flex is None, self.offered is None
        held, called = self.reserve_held.keys(), self.discharge_called.keys()
        return self.power.keys(), self.cash.keys(), held, called, absent


@dataclass(frozen=True)
class Replay:
    """What the `replay` of a part found in a written result.

    Parameters
    ----------
    residuals : mapping of str to xarray.DataArray, default {}
        By how much each check is missed, 0 where it holds; each has the attribute `units`.
    cash : mapping of str to xarray.DataArray, default {}
        Entries of the ledger, recomputed (EUR, + is income).
    power : mapping of str to Flow, default {}
        By carrier, kW on (member, time).
    reserve_held : mapping of str to tuple of two xarray.DataArray, default {}
        By asset, up and down (kW).
    discharge_called : mapping of str to xarray.DataArray, default {}
        By asset, the most that calls discharge beyond the plan, where owners limit it (kWh).
    flex : Flex or callable, optional
        Room for reserves, recomputed; or what returns it, asked where a reserve needs it.
    offered : xarray.DataArray, optional
        Reserve ready to be sold, kW on (member, product, time), recomputed.
    held_without_calls : mapping of str to tuple of two xarray.DataArray, default {}
        `reserve_held` about the path without calls, where that is another.

    Examples
    --------
    >>> import xarray as xr
    >>> from v2g_linopy.model import Replay
    >>> over = xr.DataArray([0.0, 0.5], dims="time", attrs={"units": "kW"})
    >>> found = Replay(residuals={"power": over})
    >>> float(found.residuals["power"].max()), found.residuals["power"].units
    (0.5, 'kW')
    """

    residuals: Mapping[str, xr.DataArray] = field(default_factory=dict)
    cash: Mapping[str, xr.DataArray] = field(default_factory=dict)  # EUR, + is income
    power: Mapping[str, Flow[xr.DataArray]] = field(
        default_factory=dict
    )  # carrier -> injection and withdrawal, kW
    reserve_held: Mapping[str, tuple[xr.DataArray, xr.DataArray]] = field(
        default_factory=dict
    )  # asset -> kW up, kW down
    discharge_called: Mapping[str, xr.DataArray] = field(default_factory=dict)  # asset -> kWh
    flex: Flex[xr.DataArray] | Callable[[], Flex[xr.DataArray]] | None = None
    offered: xr.DataArray | None = None  # kW on (member, product, time)
    held_without_calls: Mapping[str, tuple[xr.DataArray, xr.DataArray]] = field(
        default_factory=dict
    )  # asset -> kW up, kW down

    @cached_property
    def room(self) -> Flex[xr.DataArray]:
        """Room for reserves, made when it is first asked for; none where the part shows none."""
        return self.flex() if callable(self.flex) else self.flex or no_room()


def decided_cash(entries: Mapping[str, tuple[Any, Expression]]) -> dict[str, Cash]:
    """Return the entries of the ledger that matter.

    Their rate is not 0 everywhere, and something is decided in them. Each is given as its rate
    and its cash.
    """
    return {
        name: cash
        for name, (rate, cash) in entries.items()
        if bool((rate != 0).any()) and cash.has_terms
    }
