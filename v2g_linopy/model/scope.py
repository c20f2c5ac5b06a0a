"""The model as one part sees it: its own names, and read access to what came before."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.arrays import broadcast
from ..algebra.expression import Constraint, Data, Expression, Quantity
from ..algebra.linopy_adapter import Target, add_variable
from ..case import calendar as periods
from ..case.schema import Calendar, Schema
from .formulas_time import same_block
from .terms import Cash, Flex, Flow, Offered, Q, ReservedPower, Terms


class RecordingMapping(Mapping[str, Any]):
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
    """The model as one part sees it: its own names, and read access to what came before.

    It is made for the `build` of each part, and handed to it.

    Parameters
    ----------
    model : linopy.Model
        The model that is written.
    part : str
        Name of the part, which stands before the names of its variables and rows.
    schema : Schema
        Of the part: its outputs are what `var` may add.
    inputs : mapping of str to xarray.Dataset
        Validated inputs of every part, in coherent units.
    terms : mapping of str to Terms
        What the parts before this one returned.
    calendar : Calendar
        Time stamps, zone, money and scenarios of the case.
    dt : float
        Length of a step (h).
    pods : pandas.Index
        Every point of delivery.

    Examples
    --------
    The examples of the methods go on with this scope, of tanks in two places:

    >>> import linopy
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.case.schema import Calendar, Field, Schema
    >>> from v2g_linopy.model import Scope
    >>> time = pd.date_range("2026-01-01", periods=3, freq="h", name="time")
    >>> given = {"power_max": ("tank", [50.0, 0.0]), "pod": ("tank", ["north", "south"])}
    >>> tanks = xr.Dataset(given, coords={"tank": ["a", "b"], "time": time})
    >>> names = ("heat", "cool", "spare")
    >>> outputs = tuple(Field(name, "tank time", "kW", "power of the tank") for name in names)
    >>> schema = Schema(inputs=(Field("power_max", "tank", "kW", "most power"),), outputs=outputs)
    >>> pods, model = pd.Index(["north", "south"], name="pod"), linopy.Model(force_dim_names=True)
    >>> scope = Scope(model, "tank", schema, {"tank": tanks}, {}, Calendar(time), 1.0, pods)
    >>> scope.part, scope.dt
    ('tank', 1.0)
    """

    def __init__(
        self,
        model: Target,
        part: str,
        schema: Schema,
        inputs: Mapping[str, xr.Dataset],
        terms: Mapping[str, Terms],
        calendar: Calendar,
        dt: float,
        pods: pd.Index,
    ):
        self.read: set[str] = set()  # names of the parts whose data or terms were asked for
        self.model, self.part, self._terms = model, part, terms
        self.inputs = RecordingMapping(inputs, self.read)
        self.calendar, self.dt, self.pods = calendar, dt, pods
        self.data = inputs[part]
        self._axes: dict[str, pd.Index] = {}  # labels by dimension, as far as they were asked for
        self._outputs = {f.name: f for f in schema.outputs}

    def var(
        self,
        name: str,
        lower: Data = 0.0,
        upper: Data = np.inf,
        *,
        mask: xr.DataArray | None = None,
        binary: bool = False,
        integer: bool = False,
        over: Iterable[pd.Index] = (),
        suffix: str = "",
    ) -> Expression:
        """Add a declared output as a variable, and return it.

        Its dimensions come from the schema, after `scenario` and `over`.

        Parameters
        ----------
        name : str
            Name of the output in the schema of this part.
        lower, upper : float or xarray.DataArray, default 0, inf
            Bounds in the unit of the output, broadcast to the dimensions.
        mask : xarray.DataArray, optional
            False where the variable does not exist.
        binary : bool, default False
            0 or 1, whatever the bounds.
        integer : bool, default False
            A whole number within the bounds.
        over : iterable of pandas.Index, default ()
            Member dimensions of another part, for shares.
        suffix : str, default ""
            Appended to the name (`share` over the fleet is `share_fleet`).

        Returns
        -------
        Expression
            On the dimensions of the output, in its unit.

        Examples
        --------
        >>> heat = scope.var("heat", upper=tanks.power_max)
        >>> heat.dims, "tank.heat" in scope.model.variables
        (('tank', 'time'), True)
        """
        declared, indexes = self._outputs[name], self._indexes(name, over)

        def on_indexes(data: Data) -> np.ndarray:
            array = data if isinstance(data, xr.DataArray) else xr.DataArray(float(data))
            return broadcast(array, indexes)

        full = f"{self.part}.{name}{suffix}"
        variable = add_variable(
            self.model,
            full,
            indexes,
            (on_indexes(lower).astype(float), on_indexes(upper).astype(float)),
            mask=None if mask is None or bool(mask.all()) else on_indexes(mask),
            binary=binary,
            integer=integer,
        )
        x = Expression.from_linopy(variable)
        scenario = self.calendar.scenario
        if declared.first_stage and scenario is not None and len(scenario) > 1:
            self._nonanticipative(x, full, self.data[declared.first_stage])
        return x

    def var_where(
        self,
        name: str,
        possible: xr.DataArray,
        upper: Data = np.inf,
        *,
        lower: Data = 0.0,
        binary: bool = False,
        integer: bool = False,
        over: Iterable[pd.Index] = (),
        suffix: str = "",
    ) -> Expression:
        """Return `var(...)` where `possible`, 0 elsewhere.

        Where it is possible nowhere, no variable is added, and the expression has no terms. Rows
        with `mask=possible` are then left out by `add`, so that a `build` needs no second case.

        Parameters
        ----------
        name : str
            Name of the output in the schema of this part.
        possible : xarray.DataArray
            True where the variable exists.
        upper : float or xarray.DataArray, default inf
            Bound in the unit of the output, broadcast to the dimensions.
        lower : float or xarray.DataArray, default 0
            As `upper`.
        binary : bool, default False
            0 or 1, whatever the bounds.
        integer : bool, default False
            A whole number within the bounds.
        over : iterable of pandas.Index, default ()
            Member dimensions of another part, for shares.
        suffix : str, default ""
            Appended to the name.

        Returns
        -------
        Expression
            On the dimensions of the output, in its unit.

        Examples
        --------
        >>> nothing = scope.var_where("spare", tanks.power_max > 1000.0)
        >>> nothing.has_terms, "tank.spare" in scope.model.variables
        (False, False)
        """
        over = [*over]
        if not bool(possible.any()):
            return Expression.without_terms(self.model, self._indexes(name, over))
        return self.var(
            name,
            lower,
            upper,
            mask=possible,
            binary=binary,
            integer=integer,
            over=over,
            suffix=suffix,
        )

    def _indexes(self, name: str, over: Iterable[pd.Index]) -> dict[str, pd.Index]:
        """Return the labels of an output, `scenario` first unless it is the same in all."""
        declared = self._outputs[name]
        coords = [*over, *(self.axis(d) for d in declared.dims.split())]
        if self.calendar.scenario is not None and not declared.certain:
            coords.insert(0, self.calendar.scenario)
        return {str(c.name): c for c in coords}

    def add(self, name: str, rows: Constraint, mask: xr.DataArray | None = None) -> None:
        """Add rows under the name of this part.

        Parameters
        ----------
        name : str
            Of the rows; the name of the part is put before it.
        rows : Constraint
            Two expressions compared by ``<=``, ``>=`` or ``==``.
        mask : xarray.DataArray, optional
            False where there is no row.

        Raises
        ------
        TypeError
            It is no row of this package, but one of linopy or a truth value.

        Examples
        --------
        >>> cool = scope.var("cool")
        >>> scope.add("limit", cool <= tanks.power_max)
        >>> "tank.limit" in scope.model.constraints
        True
        """
        if not isinstance(rows, Constraint):
            raise TypeError(_not_a_row(f"{self.part}.{name}", rows))
        if mask is None or bool(mask.any()):
            rows.write(self.model, f"{self.part}.{name}", mask)

    def axis(self, dim: str) -> pd.Index:
        """Return the labels of a dimension of this part.

        Parameters
        ----------
        dim : str
            The dimension of its members, `time`, or clock hours, local days and months (`hour`,
            `day`, `month`), which are those of the steps.

        Returns
        -------
        pandas.Index
            Named as the dimension.

        Examples
        --------
        >>> scope.axis("tank").tolist(), len(scope.axis("time"))
        (['a', 'b'], 3)
        """
        if dim not in self._axes:
            self._axes[dim] = self._read_axis(dim)
        return self._axes[dim]

    def _read_axis(self, dim: str) -> pd.Index:
        if dim in periods.UNITS:
            return periods.axis(dim, self.calendar.time, self.calendar.timezone)
        return self.calendar.time.rename("time") if dim == "time" else self.data.indexes[dim]

    def __getitem__(self, name: str) -> Expression:
        return Expression.from_linopy(self.model.variables[name])

    def expression(self, quantity: Quantity) -> Expression:
        """Return what another part offers as an expression, data as one without terms.

        Parameters
        ----------
        quantity : Expression or xarray.DataArray
            In any unit.

        Returns
        -------
        Expression
            In the unit of the quantity.

        Examples
        --------
        >>> scope.expression(tanks.power_max).has_terms
        False
        """
        if isinstance(quantity, Expression):
            return quantity
        return Expression.without_terms(self.model, {}) + quantity

    def mean(self, x: Q) -> Q:
        """Return the mean over the scenarios, by their probability; the same where there are none.

        Parameters
        ----------
        x : Expression or xarray.DataArray
            In any unit.

        Returns
        -------
        Expression or xarray.DataArray
            In the unit of `x`, without `scenario`.

        Examples
        --------
        >>> scope.mean(tanks.power_max).dims
        ('tank',)
        """
        if "scenario" not in x.dims:
            return x
        return (x * self.calendar.probability).sum("scenario")

    @property
    def flex(self) -> dict[str, Flex[Expression]]:
        """The flexibility of every asset that offers some."""
        return self._offering(lambda t: t.flex)

    @property
    def offered(self) -> dict[str, Offered[Expression]]:
        """What every asset that names its reserve by product has ready to be sold."""
        return self._offering(lambda t: t.offered)

    @property
    def flows(self) -> dict[str, Flow[Expression]]:
        """The electricity of every part built so far."""
        return self._offering(lambda t: t.power.get("electricity"))

    @property
    def reserve_held(self) -> list[tuple[str, ReservedPower]]:
        """The reserve held by each asset, of every part built so far that sells some."""
        return [
            entry
            for held in self._offering(lambda t: t.reserve_held or None).values()
            for entry in held.items()
        ]

    @property
    def held_by_path(self) -> "dict[str, list[tuple[str, ReservedPower]]]":
        """The reserve held by each asset, by what it is held about: the expected power (""), and,
        where some asset has such a path, the power without calls ("_without_calls").
        """
        held = self.reserve_held
        if all(h.without_calls is None for _, h in held):
            return {"": held}
        return {"": held, "_without_calls": [(a, h.without_calls or h) for a, h in held]}

    @property
    def discharge_called(self) -> dict[str, Expression]:
        """By asset, what calls of reserves may discharge beyond the plan, where owners limit it."""
        found = self._offering(lambda t: t.discharge_called or None).values()
        return {asset: called for terms in found for asset, called in terms.items()}

    @property
    def cash(self) -> list[Cash]:
        """Every entry of the parts built so far."""
        return [
            entry for cash in self._offering(lambda t: t.cash).values() for entry in cash.values()
        ]

    def _offering(self, what: Callable[[Terms], Any]) -> dict[str, Any]:
        found = {name: x for name, terms in self._terms.items() if (x := what(terms)) is not None}
        self.read.update(found)
        return found

    def per_pod(self, quantity: Quantity, part: str) -> Expression:
        """Sum a quantity on (member, time) of an asset over the members of each pod.

        Parameters
        ----------
        quantity : Expression or xarray.DataArray
            With the dimension of the members.
        part : str
            The asset.

        Returns
        -------
        Expression
            On `pod` in place of the members, in the unit of the quantity.

        Examples
        --------
        >>> scope.per_pod(tanks.power_max, "tank").sizes
        {'pod': 2}
        """
        return self.expression(quantity).groupby_sum(pod_of(self.inputs[part]), self.pods)

    def per_label(self, quantity: Quantity, part: str, label: str, groups: pd.Index) -> Expression:
        """Sum a quantity on (member, time) of an asset over the members with each label.

        Members with another label are left out.

        Parameters
        ----------
        quantity : Expression or xarray.DataArray
            With the dimension of the members.
        part : str
            The asset.
        label : str
            The field of the asset that holds the labels.
        groups : pandas.Index
            The labels, named as the dimension that is made.

        Returns
        -------
        Expression
            On the dimension of `groups` in place of the members, in the unit of the quantity.

        Examples
        --------
        >>> north = pd.Index(["north"], name="place")
        >>> scope.per_label(tanks.power_max, "tank", "pod", north).sizes
        {'place': 1}
        """
        named = self.inputs[part][label].astype(str).rename(str(groups.name))
        return self.expression(quantity).groupby_sum(named, groups)

    def blocks(self, hours: xr.DataArray) -> xr.DataArray:
        """Return True where a step belongs to the same market block as the one before.

        Parameters
        ----------
        hours : xarray.DataArray
            Length of the blocks (h), which start at local midnight.

        Returns
        -------
        xarray.DataArray
            Truth values on `time`, and on the dimensions of `hours`.

        Examples
        --------
        >>> scope.blocks(xr.DataArray(2.0)).values.tolist()
        [False, True, False]
        """
        return same_block(hours, self.calendar.time, self.calendar.timezone, self.dt)

    def _nonanticipative(self, x: Expression, name: str, flag: xr.DataArray) -> None:
        """x[s] = x[first scenario] where the decision is taken before the scenario is known."""
        scenario = x.indexes["scenario"]
        row = x.sel(scenario=scenario[1:]) - x.sel(scenario=scenario[0]) == 0
        row.write(self.model, f"{name}.first_stage", flag > 0)


def pod_of(data: xr.Dataset) -> xr.DataArray:
    """Return the pod of each member of an asset."""
    return data["pod"].astype(str).rename("pod")


def per_pod(data: xr.DataArray, members: xr.Dataset, pods: pd.Index) -> xr.DataArray:
    """Sum data over the members of each pod; 0 for a pod without members."""
    by_pod = data.groupby(pod_of(members)).sum()
    return by_pod.reindex({pods.name: pods}, fill_value=0.0)


def _not_a_row(name: str, given: Any) -> str:
    """Say what was given instead of rows, and how to make rows of it."""
    kind = type(given)
    fault = f"{name}: rows are made by comparing Expressions, and this is {kind.__module__}"
    fault = f"{fault}.{kind.__name__}"
    if not kind.__module__.startswith("linopy"):
        return fault
    return (
        f"{fault}. linopy leaves out a row in which a term is missing, an Expression counts the"
        " term as 0: convert the side first, as in `Expression.from_linopy(x) <= 1`"
    )
