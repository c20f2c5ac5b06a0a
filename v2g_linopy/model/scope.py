"""The model as one part sees it: its own names, and read access to what came before."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import linopy
import numpy as np
import pandas as pd
import xarray as xr

from ..algebra.arrays import spread
from ..algebra.expression import Row, Sum
from ..case import calendar as periods
from ..case.schema import Calendar, Schema
from .formulas_time import same_block
from .terms import Flex, Flow, Held, Terms


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
        part: str,
        schema: Schema,
        inputs: Mapping[str, xr.Dataset],
        terms: Mapping[str, Terms],
        calendar: Calendar,
        dt: float,
        pods: pd.Index,
    ):
        self.read: set[str] = set()  # names of the parts whose data or terms were asked for
        self.model, self.part, self.inputs, self._terms = (
            model,
            part,
            Watched(inputs, self.read),
            terms,
        )
        self.calendar, self.dt, self.pods = calendar, dt, pods
        self.data = inputs[part]
        self._outputs = {f.name: f for f in schema.outputs}

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
        """Add a declared output as a variable; its dimensions come from the schema, after
        `scenario` and `over`.

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
            return (
                xr.DataArray(spread(data, axes), coords=axes, dims=list(axes)) if labelled else data
            )

        bounds: dict[str, Any] = {
            "lower": numbers(lower),
            "upper": numbers(upper),
            "integer": integer,
        }
        if binary:
            bounds = {"binary": True}
        full = f"{self.part}.{name}{suffix}"
        x = Sum.of(self.model.add_variables(coords=coords, name=full, mask=numbers(mask), **bounds))
        if (
            declared.first_stage
            and self.calendar.scenario is not None
            and len(self.calendar.scenario) > 1
        ):
            self._nonanticipative(x, full, self.data[declared.first_stage])
        return x

    def maybe(self, name: str, possible: xr.DataArray, upper: Any = np.inf, **options: Any) -> Any:
        """Return `var(...)` where `possible`, 0 elsewhere; plain 0 when it is possible nowhere."""
        if not bool(possible.any()):
            return 0.0
        return self.var(name, upper=upper, mask=possible, **options)

    def add(self, name: str, constraint: Any, mask: xr.DataArray | None = None) -> None:
        """Add rows, or a constraint of linopy, under the name of this part; `mask` is False where
        there is none.
        """
        if mask is not None and not bool(mask.any()):
            return
        if isinstance(constraint, Row):
            constraint.write(self.model, f"{self.part}.{name}", mask)
        else:
            self.model.add_constraints(constraint, name=f"{self.part}.{name}", mask=mask)

    def axis(self, dim: str) -> pd.Index:
        """Return the labels of a dimension of this part; clock hours, local days and months are
        those of the steps.
        """
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
        return [
            entry
            for held in self._offering(lambda t: t.held or None).values()
            for entry in held.items()
        ]

    @property
    def cash(self) -> list[Any]:
        """Every entry of the parts built so far."""
        return [
            entry for cash in self._offering(lambda t: t.cash).values() for entry in cash.values()
        ]

    def _offering(self, what: Callable[[Terms], Any]) -> dict[str, Any]:
        found = {name: x for name, terms in self._terms.items() if (x := what(terms)) is not None}
        self.read.update(found)
        return found

    def per_pod(self, expression: Any, part: str) -> Any:
        """Sum an expression on (member, time) of an asset over the members of each pod."""
        return per_pod(expression, self.inputs[part], self.pods)

    def per_label(self, expression: Any, part: str, label: str, groups: pd.Index) -> Any:
        """Sum an expression on (member, time) of an asset over the members with each label; others
        are left out.
        """
        return per_group(
            expression, self.inputs[part][label].astype(str).rename(str(groups.name)), groups
        )

    def blocks(self, hours: xr.DataArray) -> xr.DataArray:
        """Return True where a step belongs to the same market block (of `hours`) as the one
        before.
        """
        return same_block(hours, self.calendar.time, self.calendar.timezone, self.dt)

    def _nonanticipative(self, x: Sum, name: str, flag: xr.DataArray) -> None:
        """x[s] = x[first scenario] where the decision is taken before the scenario is known."""
        scenario = x.indexes["scenario"]
        row = x.sel(scenario=scenario[1:]) - x.sel(scenario=scenario[0]) == 0
        row.write(self.model, f"{name}.first_stage", flag > 0)


def per_pod(expression: Any, data: xr.Dataset, pods: pd.Index) -> Any:
    """Sum over the members of each pod; 0 for a pod without members, and where nothing can move at
    all.
    """
    return per_group(expression, data["pod"].astype(str).rename("pod"), pods)


def per_group(expression: Any, label: xr.DataArray, groups: pd.Index) -> Any:
    """Sum over the members that carry the label of each group."""
    if isinstance(expression, Sum):
        return expression.grouped(label, groups)
    if isinstance(expression, xr.DataArray):
        return expression.groupby(label).sum().reindex({groups.name: groups}, fill_value=0.0)
    return 0.0
