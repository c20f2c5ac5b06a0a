"""What a plan may know: forecasts of the file, those of earlier days, or everything
(docs/formulation.md §4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs

Key = tuple[str, str]  # part, field
EXPECTED_VISIT = "expected "  # before the name of a row that holds the visits of an earlier week
_VISIT = (
    *("charge_max", "discharge_max", "charge_min", "discharge_min", "energy_min", "energy_max"),
    *("energy_in", "energy_out", "spill_max", "keep"),
)


class Forecast(Protocol):
    """A source of forecasts."""

    @property
    def name(self) -> str:
        """Return what it is called in a result."""
        ...

    @property
    def fields(self) -> frozenset[Key]:
        """Part and field of everything that is not known in advance."""
        ...

    def planned(self, truth: Inputs) -> Inputs:
        """Return the inputs that plans are made on, which may have more members than the truth."""
        ...

    def at(
        self, now: pd.Timestamp, until: pd.Timestamp, first: int, last: int
    ) -> Mapping[Key, xr.DataArray]:
        """Return what is known at `now` of the steps from position `first` to before `last`, by
        part and field.

        What is not named is known in advance. What is measured (all but prices) is known before
        `until`, the next decision; such steps may be given as anything."""
        ...


class Perfect:
    """Everything is known in advance."""

    name = "perfect"
    fields: frozenset[Key] = frozenset()

    def planned(self, truth: Inputs) -> Inputs:
        """Return the truth."""
        return truth

    def at(
        self, now: pd.Timestamp, until: pd.Timestamp, first: int, last: int
    ) -> Mapping[Key, xr.DataArray]:
        """Return nothing: there is nothing to forecast."""
        return {}


@dataclass(frozen=True)
class Vintages:
    """Forecasts as the case gives them: of each array the newest that is not later than now."""

    arrays: Mapping[Key, xr.DataArray]  # with the dimension vintage; NaN: the one before counts
    name: str = "vintage"

    @property
    def fields(self) -> frozenset[Key]:
        """Return what the file has forecasts of."""
        return frozenset(self.arrays)

    def planned(self, truth: Inputs) -> Inputs:
        """Return the truth."""
        return truth

    def at(
        self, now: pd.Timestamp, until: pd.Timestamp, first: int, last: int
    ) -> Mapping[Key, xr.DataArray]:
        """Return the newest value known of each array."""
        found = {}
        for (part, leaf), array in self.arrays.items():
            known = array.isel(time=slice(first, last)) if "time" in array.dims else array
            known = known.sel(vintage=slice(None, now))
            if not known.sizes["vintage"]:
                detail = (
                    f"nothing is known at {now} UTC, where the first decision is taken; give an"
                    " earlier vintage"
                )
                raise SchemaError([Problem(f"vintage.{part}.{leaf}", "missing", detail)])
            filled = known.ffill("vintage").isel(vintage=-1, drop=True)
            ahead = (
                filled.where(filled.time >= now.to_datetime64(), 0.0)
                if "time" in filled.dims
                else filled
            )
            if bool((unknown := ahead.isnull().any([d for d in ahead.dims if d != "time"])).any()):
                when = (
                    f" of {known.indexes['time'][unknown.to_numpy()][0]} UTC"
                    if "time" in known.dims
                    else ""
                )
                detail = (
                    f"nothing is known at {now} UTC{when}; a forecast must reach to the end of the"
                    " plan"
                )
                raise SchemaError([Problem(f"vintage.{part}.{leaf}", "missing", detail)])
            found[part, leaf] = filled
        return found


class Naive:
    """As it was a week ago at the same hour, or on the latest earlier day where the case does not
    reach back as far.

    Prices, sun and load are those of that day. A visit of a vehicle is known from its arrival on;
    those to come are expected as they were then, in rows of their own that never come true. Rows
    without restarts (a vehicle followed all along) are known in advance."""

    name = "naive"

    def __init__(self, truth: Inputs, days: int = 7):
        self._truth, self._days = truth, days
        self._steps = round(24 / truth.dt)
        self._visits: dict[str, xr.DataArray] = {}
        self._since: np.ndarray | None = None
        self.fields = frozenset(
            (part.name, field.name)
            for part, d in truth
            for field in part.schema.inputs
            if field.uncertain and "time" in getattr(d.get(field.name), "dims", ())
        )
        fleet = truth.data.get("fleet")
        if fleet is not None and fleet.sizes.get("fleet") and bool((fleet.keep == 0).any()):
            like = xr.DataArray(
                0.0,
                coords={"fleet": fleet.fleet, "time": truth.calendar.time},
                dims=("fleet", "time"),
            )
            self._visits = {n: (fleet[n] + like).transpose("fleet", "time") for n in _VISIT}
            self.fields |= {("fleet", n) for n in _VISIT}
            begins = self._visits["keep"].to_numpy() == 0
            self._since = np.maximum.accumulate(
                np.where(begins, np.arange(begins.shape[1]), -1), axis=1
            )

    def planned(self, truth: Inputs) -> Inputs:
        """Add a row of expected visits beside every row of a fleet whose rows restart; they are
        empty in truth.
        """
        if self._since is None:
            return truth
        fleet = truth.data["fleet"]
        empty = {n: xr.zeros_like(x) for n, x in self._visits.items()}
        names = [f"{EXPECTED_VISIT}{x}" for x in fleet.indexes["fleet"]]
        twin = fleet.assign(empty).drop_vars("session", errors="ignore").assign_coords(fleet=names)
        twin["energy_initial"] = xr.zeros_like(fleet.energy_initial.astype(float)).assign_coords(
            fleet=names
        )
        both = xr.concat(
            [fleet.drop_vars("session", errors="ignore"), twin],
            "fleet",
            data_vars="minimal",
            coords="minimal",
            compat="override",
            join="outer",
        )
        both.attrs = dict(fleet.attrs)
        return replace(truth, data={**truth.data, "fleet": both})

    def at(
        self, now: pd.Timestamp, until: pd.Timestamp, first: int, last: int
    ) -> Mapping[Key, xr.DataArray]:
        """Return the values of the earlier day for all steps from `now` on."""
        time = self._truth.calendar.time
        known = int(time.searchsorted(now))
        source = self._source(known, first, last)
        found: dict[Key, xr.DataArray] = {}
        for part, leaf in self.fields:
            if part != "fleet":
                found[part, leaf] = (
                    self._truth.data[part][leaf]
                    .isel(time=source)
                    .assign_coords(time=time[first:last])
                )
        if self._since is not None:
            seen = int(time.searchsorted(until))
            found |= self._fleet(seen, first, last, self._source(seen, first, last))
        return found

    def _source(self, known: int, first: int, last: int) -> np.ndarray:
        """Position of the step that stands for each step: itself where it has happened."""
        place = np.arange(first, last)
        ahead = place >= known
        source = np.where(ahead, -1, place)
        whole = -(
            -(last - known) // self._steps
        )  # as many days as the plan reaches ahead: one for all
        for days in (self._days, whole, *range(1, whole + 1)):
            earlier = place - days * self._steps
            fits = (source < 0) & (earlier >= 0) & (earlier < known)
            source = np.where(fits, earlier, source)
        if (source < 0).any():
            when = self._truth.calendar.local(self._truth.calendar.time[place[source < 0][0]])
            detail = (
                f"there is no earlier day to forecast {when} from; start at least a day into the"
                " case"
            )
            raise SchemaError([Problem("start", "time", detail)])
        return source

    def _fleet(
        self, known: int, first: int, last: int, source: np.ndarray
    ) -> dict[Key, xr.DataArray]:
        """Visits that have begun as they are, those to come as they were a number of days ago."""
        time, since = self._truth.calendar.time, self._since
        assert since is not None
        begun = since[:, first:last] < known
        moved = np.arange(first, last) - source
        came = since[:, source] + moved >= known  # the earlier visit, moved, begins after now
        came &= (np.arange(first, last) >= known) & (since[:, source] >= 0)
        found = {}
        for name, array in self._visits.items():
            numbers = array.to_numpy()
            now, then = (
                np.where(begun, numbers[:, first:last], 0.0),
                np.where(came, numbers[:, source], 0.0),
            )
            rows = [
                *map(str, array.indexes["fleet"]),
                *(f"{EXPECTED_VISIT}{x}" for x in array.indexes["fleet"]),
            ]
            axes = {"fleet": rows, "time": time[first:last]}
            found["fleet", name] = xr.DataArray(
                np.concatenate([now, then]), coords=axes, dims=("fleet", "time")
            )
        return found
