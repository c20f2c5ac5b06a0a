"""The record that a kind of asset, market or rule is: everything that the rest of the package asks
of a part stands here, so that one file and one line in the catalogue add it everywhere.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, get_args

import xarray as xr

from ..case.schema import Calendar, Schema, suggest
from ..errors import Problem, SchemaError
from .scope import Scope
from .terms import Replay, Terms
from .view import View

Cause = Literal["energy", "reserve", "wear", "drivers", "owners", "grid", "other"]
"""What an entry of the ledger counts as where two results are compared."""


class Stage(IntEnum):
    """Build order: markets see assets, rules see both, risk sees all cash."""

    ASSET, MARKET, RULE, RISK = range(4)


@dataclass(frozen=True)
class Entry:
    """One cash entry of a part, as people read it.

    Parameters
    ----------
    label : str, default ""
        The entry in words, in the bill and in figures: ``"fuel of the heat and power plants"``.
        Empty: its name, ``"chp: fuel"``.
    cause : str, default "other"
        What it counts as in the value ladder, one of `Cause`: ``"energy"``. Entries that are no
        part of profit count as penalties, whatever is said here.

    Raises
    ------
    SchemaError
        A cause that is none.

    Examples
    --------
    >>> from v2g_linopy.model import Entry
    >>> Entry("rent of the flywheels").cause
    'other'
    """

    label: str = ""
    cause: Cause = "other"

    def __post_init__(self) -> None:
        if self.cause not in (causes := get_args(Cause)):
            detail = f"{self.cause!r} is not one of {', '.join(causes)}"
            hint = suggest(self.cause, causes)
            raise SchemaError([Problem("entry.cause", "choice", detail + hint)])


@dataclass(frozen=True)
class Trading:
    """How a part trades, for gates, bids and the value of each market.

    Its members are what gates name.

    Parameters
    ----------
    quantity : str
        The output that a gate freezes: ``"position"`` of a market. The part has the inputs `closed`
        (1 where the gate has closed), `committed` (what was frozen) and `block` (h, the market time
        unit) for it.
    limit : str
        The input that shuts a market where it is 0: ``"limit"``.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> v2g.PARTS["energy"].trading
    Trading(quantity='position', limit='limit')
    """

    quantity: str
    limit: str


CaseCheck = Callable[[Mapping[str, xr.Dataset], Calendar, float], list[Problem]]
"""Takes the inputs of every part by name, the calendar, and the length of a step (h)."""

FromSessions = Callable[
    [Mapping[str, xr.Dataset], xr.Dataset | None, Calendar, float],
    tuple[xr.Dataset, list[Problem]],
]
"""Takes the inputs of every part by name, `/sessions`, the calendar, and the length of a step (h).
"""


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """A kind of asset, market or rule.

    Parameters
    ----------
    name : str
        Its group in a case, and what stands before the names of its variables, rows and cash
        entries: ``"flywheel"`` writes `flywheel.energy`.
    stage : Stage
        When it is built, and what it is: ``Stage.ASSET``.
    schema : Schema
        The arrays that a case gives and a result adds.
    build : callable
        ``build(scope, inputs) -> Terms``, its mathematics.
    replay : callable
        ``replay(view, inputs and outputs) -> Replay``, its check: from the written numbers alone,
        without `build`.
    case_checks : tuple of callable, default ()
        ``f(inputs by part, calendar, hours of a step) -> [Problem]``, rules between its group and
        others; those within its group stand in the schema.
    from_sessions : callable, optional
        ``f(inputs by part, sessions, calendar, hours of a step) -> (its inputs, [Problem])``,
        inputs that follow from the charging sessions of a case, which may have none (None).
    label : str, default ""
        The kind in words, plural: ``"heat and power plants"``. Empty: its name.
    member_label : str, default ""
        One member in words, singular: ``"heat and power plant"``. Empty: the name of the part.
    entries : mapping of str to Entry, default {}
        Words and cause of its cash entries: ``{"fuel": Entry("fuel of the plants", "energy")}``.
        One that is missing is shown by its name, with the cause other.
    trading : Trading, optional
        Where its members are markets or products with gates: ``Trading("position", "limit")``.
    without_flexibility : callable, optional
        ``f(inputs) -> DataArray``, the electric power (kW, + is drawn) on (member, time) that an
        asset draws where it does not react, the comparison in reports: ``lambda d: -d.available``.
        Without it, as planned.
    limit_labels : mapping of str to str, default {}
        What binds where a variable is at its bound or a row holds with a price, in words:
        ``{"charge": "charging power"}``. A name also stands for those that begin with it
        (``charge_most``, ``charge_baseline``). For one that is missing see `limit_label`.
    balances : frozenset of str, default empty
        Rows that are balances, and no limits that could be relaxed: ``{"balance"}``. A name also
        stands for those that begin with it (``balance_baseline``).
    conflict_labels : mapping of str to str, default {}
        What it means that a row cannot hold, said where no plan keeps every limit:
        ``{"allocation": "more capacity was committed than all members can hold"}``.
    state_inputs : mapping of str to str, default {}
        State at the start of a window: the input that holds it, and the output that it is at the
        end of the step before: ``{"energy_initial": "energy"}``.
    next_state : callable, optional
        ``f(view, inputs and outputs, steps) -> {input: DataArray}``, inputs of a window that starts
        after so many steps, where they are more than outputs at the end of a step.
    end_of_window_inputs : mapping of str to float, default {}
        Inputs of a window that ends before the case does, where an end rule would do harm:
        ``{"cyclic": 0.0}``.
    terminal_storage : mapping of str to str, default {}
        Energy that may be left at the end of a window, and the rows whose prices say what it is
        worth: ``{"energy": "balance"}``. At most one.
    postprocess : callable, optional
        ``f(view, inputs and outputs) -> {output: DataArray}``, outputs rewritten before the ledger
        is read, where many are equally good, and outputs that no row needs.
    limits_sums : callable, optional
        ``f(inputs) -> bool``, whether its members limit nothing but sums of power over sets of
        steps, each kWh counted alike, as a battery without losses does: then the bands of sites
        add up exactly. Without it, they do not.
    merges : bool, default True
        Whether n equal members are one of n times the size. False where a member is no thing that
        doubles, as a plan of which shares add up to 1.

    Examples
    --------
    A pump that must run draws 3 kW for two hours; at 50 and 20 EUR/MWh it costs 0.21 EUR:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.case.schema import Field, Schema
    >>> from v2g_linopy.model import Flow, Part, Replay, Stage, Terms
    >>> needed = Field("needed", "pump time", "kW", "power that must be drawn", ge=0)
    >>> pod = Field("pod", "pump", "", "point of delivery", default="site", kind="label")
    >>> drawn = Field("drawn", "pump time", "kW", "power drawn")
    >>> def build(scope, inputs):
    ...     power = scope.var("drawn", lower=inputs.needed)
    ...     return Terms(power={"electricity": Flow(withdrawal=power)})
    >>> def replay(view, plan):
    ...     missing = (plan.needed - plan.drawn).clip(min=0).assign_attrs(units="kW")
    ...     return Replay({"needed": missing}, power={"electricity": Flow(withdrawal=plan.drawn)})
    >>> schema = Schema(inputs=(needed, pod), outputs=(drawn,))
    >>> parts = v2g.PARTS | {"pump": Part("pump", Stage.ASSET, schema, build, replay)}
    >>> time = pd.date_range("2026-01-01", periods=2, freq="h")
    >>> pump = xr.Dataset({"needed": 3.0}, coords={"pump": ["p-1"]})
    >>> market = {"price": ("time", [50.0, 20.0]), "limit": 100.0}
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> case = v2g.assemble(time, {"pump": pump, "energy": energy})
    >>> result = v2g.solve(case, parts=parts)
    >>> round(result.attrs["profit"], 6), result["audit"].attrs["passed"]
    (-0.21, 1)
    """

    name: str
    stage: Stage
    schema: Schema
    build: Callable[[Scope, xr.Dataset], Terms]
    replay: Callable[[View, xr.Dataset], Replay]
    case_checks: tuple[CaseCheck, ...] = ()
    from_sessions: FromSessions | None = None
    label: str = ""
    member_label: str = ""
    entries: Mapping[str, Entry] = field(default_factory=dict)
    trading: Trading | None = None
    without_flexibility: Callable[[xr.Dataset], xr.DataArray] | None = None
    limit_labels: Mapping[str, str] = field(default_factory=dict)
    balances: frozenset[str] = frozenset()
    conflict_labels: Mapping[str, str] = field(default_factory=dict)
    state_inputs: Mapping[str, str] = field(default_factory=dict)
    next_state: Callable[[View, xr.Dataset, int], Mapping[str, xr.DataArray]] | None = None
    end_of_window_inputs: Mapping[str, float] = field(default_factory=dict)
    terminal_storage: Mapping[str, str] = field(default_factory=dict)
    postprocess: Callable[[View, xr.Dataset], Mapping[str, xr.DataArray]] | None = None
    limits_sums: Callable[[xr.Dataset], bool] | None = None
    merges: bool = True

    def __repr__(self) -> str:
        """Return its name: a catalogue stands in the signature of many functions."""
        return f"Part({self.name!r})"

    @property
    def member(self) -> str:
        """The dimension that labels its members; empty where it has none."""
        return self.schema.member or ""

    @property
    def stores_energy(self) -> bool:
        """Whether its members are batteries behind a charger, whose cycles can be counted."""
        return {"charge", "discharge", "energy"} <= {f.name for f in self.schema.outputs}

    def limit_label(self, row: str) -> str:
        """Return what binds where a variable or a row of the part does, in words.

        Parameters
        ----------
        row : str
            Its name without that of the part: ``charge``, ``endurance_up_fleet_end``.

        Returns
        -------
        str
            From `limit_labels`; else the meaning of the output of that name; else the name itself.

        Examples
        --------
        >>> v2g.PARTS["reserve"].limit_label("endurance_up_fleet_end")
        'energy held to rise for hours_up, for reserves'
        """
        if known := _longest_beginning(row, self.limit_labels):
            return self.limit_labels[known]
        meanings = {f.name: f.doc for f in self.schema.outputs}
        return meanings.get(row, f"{self.name} {row.replace('_', ' ').strip()}")

    def is_balance(self, row: str) -> bool:
        """Return True for a row that defines a quantity, and limits nothing.

        Parameters
        ----------
        row : str
            Its name without that of the part.

        Returns
        -------
        bool

        Examples
        --------
        >>> v2g.PARTS["fleet"].is_balance("balance_baseline")
        True
        """
        return bool(_longest_beginning(row, self.balances))

    def has(self, name: str) -> bool:
        """Return True where a field of that name is among the inputs.

        Parameters
        ----------
        name : str
            Name of a field.

        Returns
        -------
        bool

        Examples
        --------
        >>> v2g.PARTS["fleet"].has("charge_max")
        True
        """
        return any(f.name == name for f in self.schema.inputs)


def _longest_beginning(row: str, names: Iterable[str]) -> str:
    """Return the longest name that a row has or begins with; empty where there is none."""
    some = [n for n in names if row == n or row.startswith((f"{n}_", f"{n}."))]
    return max(some, key=len, default="")
