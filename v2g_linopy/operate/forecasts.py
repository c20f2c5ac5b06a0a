"""What a plan may know: forecasts of the file, those of earlier days, or everything
(docs/formulation.md §4)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.gates import Gates
from ..model.inputs import Inputs
from .offer_acceptance import with_known_acceptance

Key = tuple[str, str]  # part, field
EXPECTED_VISIT = "expected "  # before the name of a row that holds the visits of an earlier week
_VISIT = (  # as far as the case gives them
    *("charge_max", "discharge_max", "charge_min", "discharge_min", "energy_min", "energy_max"),
    *("energy_in", "energy_out", "spill_max", "keep", "need_billed"),
    *("allowance", "restart"),
)
_NO_VISIT = {"allowance": math.nan}
"""What holds where there is no visit, of what is not 0."""


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
        """Return what is known at `now` of some steps, by part and field.

        They are those from position `first` to before `last`.

        What is not named is known in advance. What is measured (all but prices) is known before
        `until`, the next decision; such steps may be given as anything.
        """
        ...


class Perfect:
    """Everything is known in advance."""

    name = "perfect"
    fields: frozenset[Key] = frozenset()

    def planned(self, truth: Inputs) -> Inputs:
        """Return the truth; which offers of reserves are accepted is known, too."""
        if "reserve" not in truth.data:
            return truth
        reserve = with_known_acceptance(truth.data["reserve"])
        return replace(truth, data={**truth.data, "reserve": reserve})

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
        return {
            key: self._newest(key, array, now, slice(first, last))
            for key, array in self.arrays.items()
        }

    def _newest(
        self, key: Key, array: xr.DataArray, now: pd.Timestamp, steps: slice
    ) -> xr.DataArray:
        """Return the newest value of one array; every step ahead must have one."""
        where = f"vintage.{'.'.join(key)}"
        window = array.isel(time=steps) if "time" in array.dims else array
        known = window.sel(vintage=slice(None, now))
        if not known.sizes["vintage"]:
            detail = (
                f"nothing is known at {now} UTC, where the first decision is taken; give an"
                " earlier vintage"
            )
            raise SchemaError([Problem(where, "missing", detail)])

        newest = known.ffill("vintage").isel(vintage=-1, drop=True)
        in_time = "time" in newest.dims
        ahead = newest.where(newest.time >= now.to_datetime64(), 0.0) if in_time else newest
        unknown = ahead.isnull().any([d for d in ahead.dims if d != "time"])
        if bool(unknown.any()):
            when = f" of {known.indexes['time'][unknown.to_numpy()][0]} UTC" if in_time else ""
            detail = (
                f"nothing is known at {now} UTC{when}; a forecast must reach to the end of the plan"
            )
            raise SchemaError([Problem(where, "missing", detail)])
        return newest


class Naive:
    """As it was a week ago at the same hour.

    Where the case does not reach back as far, it is the latest earlier day.

    Prices, sun and load are those of that day. A visit of a vehicle is known from its arrival on;
    those to come are expected as they were then, in rows of their own that never come true. Rows
    without restarts (a vehicle followed all along) are known in advance.
    """

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
            known = [n for n in _VISIT if n in fleet]
            self._visits = {n: (fleet[n] + like).transpose("fleet", "time") for n in known}
            self.fields |= {("fleet", n) for n in known}
            begins = self._visits["keep"].to_numpy() == 0
            self._since = np.maximum.accumulate(
                np.where(begins, np.arange(begins.shape[1]), -1), axis=1
            )

    def planned(self, truth: Inputs) -> Inputs:
        """Add a row of expected visits beside every row of a fleet whose rows restart.

        They are empty in truth.
        """
        if self._since is None:
            return truth
        fleet = truth.data["fleet"]
        empty = {n: xr.full_like(x, _NO_VISIT.get(n, 0.0)) for n, x in self._visits.items()}
        names = [f"{EXPECTED_VISIT}{x}" for x in fleet.indexes["fleet"]]
        twin = fleet.assign(empty).drop_vars("session", errors="ignore").assign_coords(fleet=names)
        for name in ("energy_initial", "allowance_used"):
            twin[name] = xr.zeros_like(fleet[name].astype(float)).assign_coords(fleet=names)
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
        source = self._source(int(time.searchsorted(now)), first, last)
        found: dict[Key, xr.DataArray] = {}
        for part, field_name in self.fields:
            if part != "fleet":
                earlier = self._truth.data[part][field_name].isel(time=source)
                found[part, field_name] = earlier.assign_coords(time=time[first:last])
        if self._since is not None:
            # arrivals are measured: they are known until the next decision
            seen = int(time.searchsorted(until))
            found |= self._fleet(seen, first, last, self._source(seen, first, last))
        return found

    def _source(self, known: int, first: int, last: int) -> np.ndarray:
        """Position of the step that stands for each step: itself where it has happened."""
        place = np.arange(first, last)
        source = np.where(place >= known, -1, place)
        # as many days back as the plan reaches ahead: one number of days for all of it
        days_ahead = math.ceil((last - known) / self._steps)
        for days in (self._days, days_ahead, *range(1, days_ahead + 1)):
            earlier = place - days * self._steps
            fits = (source < 0) & (earlier >= 0) & (earlier < known)
            source = np.where(fits, earlier, source)
        if (source < 0).any():
            calendar = self._truth.calendar
            when = calendar.local(calendar.time[place[source < 0][0]])
            detail = f"there is no earlier day to forecast {when} from; start a day later"
            raise SchemaError([Problem("start", "time", detail)])
        return source

    def _fleet(
        self, known: int, first: int, last: int, source: np.ndarray
    ) -> dict[Key, xr.DataArray]:
        """Visits that have begun as they are, those to come as they were a number of days ago."""
        time, since = self._truth.calendar.time, self._since
        assert since is not None
        place = np.arange(first, last)
        begun = since[:, first:last] < known
        # a visit to come is an earlier one, moved, if it then begins after now
        moved = since[:, source] + (place - source)
        to_come = (moved >= known) & (place >= known) & (since[:, source] >= 0)

        members = [str(x) for x in self._truth.data["fleet"].indexes["fleet"]]
        rows = [*members, *(f"{EXPECTED_VISIT}{x}" for x in members)]
        axes = {"fleet": rows, "time": time[first:last]}
        found = {}
        for name, array in self._visits.items():
            levels, none = array.to_numpy(), _NO_VISIT.get(name, 0.0)
            there = np.where(begun, levels[:, first:last], none)
            expected = np.where(to_come, levels[:, source], none)
            found["fleet", name] = xr.DataArray(
                np.concatenate([there, expected]), coords=axes, dims=("fleet", "time")
            )
        return found


class Published(Naive):
    """Prices of auctions as they are published, an hour after the gate closes; imbalance as dear as
    the first auction; all else, and prices before they are published, as `Naive`.

    Markets that trade until shortly before delivery are expected at the price of the auction as
    well. Where a shortage costs more than a surplus earns, each lies as far from it as in the mean
    of all that has happened. What imbalance cost a week ago says nothing of what it will cost; what
    the market expects does.
    """

    name = "published"

    def __init__(self, truth: Inputs, gates: Gates):
        super().__init__(truth)
        rolling = gates.rolling.get("energy")
        if rolling is None or bool(rolling.all()):
            detail = "no energy market has a gate at an hour of the day, so no price is published"
            remedy = "give one in /gates, or choose naive"
            raise SchemaError([Problem("gates.hour", "missing", f"{detail}; {remedy}")])
        self._is_auction = ~rolling
        self._auction = rolling.indexes["market"][self._is_auction.to_numpy()][0]
        prices = xr.broadcast(truth.data["energy"].price, rolling)[0]
        self._auction_price = prices.sel(market=self._auction, drop=True)
        self._published = gates.close["energy"] + np.timedelta64(1, "h")

    def at(
        self, now: pd.Timestamp, until: pd.Timestamp, first: int, last: int
    ) -> Mapping[Key, xr.DataArray]:
        """Return prices as they are published at `now`, all else as of the earlier day."""
        found, steps = dict(super().at(now, until, first, last)), slice(first, last)
        if ("energy", "price") not in found:
            return found
        came, expected = self._truth.data["energy"].price.isel(time=steps), found["energy", "price"]
        is_known = self._published.isel(time=steps) <= now.to_datetime64()
        price = xr.where(is_known, came, expected)
        reference = price.sel(market=self._auction, drop=True)
        found["energy", "price"] = xr.where(self._is_auction, price, reference).transpose(
            "market", "time"
        )
        for name in ("price_long", "price_short"):
            if ("imbalance", name) in found:
                found["imbalance", name] = reference + self._premium(name, now)
        return found

    def _premium(self, name: str, now: pd.Timestamp) -> float:
        """Return by how much an imbalance price has exceeded the auction in the mean (EUR/MWh); 0
        where both ways have one price.
        """
        imbalance = self._truth.data["imbalance"]
        happened = slice(0, int(self._truth.calendar.time.searchsorted(now)))
        if "price_short" not in imbalance or happened.stop == 0:
            return 0.0
        return float((imbalance[name] - self._auction_price).isel(time=happened).mean())
