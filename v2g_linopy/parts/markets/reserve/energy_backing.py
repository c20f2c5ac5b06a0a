"""Energy behind reserves for every admissible call: the levels `physical`, `budget` and `box` (FORMULATION §3)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, worst
from ....errors import Problem
from ....model.formulas import first, larger, previous, run_hours
from ....model.part import Scope, Store

SURE = ("physical", "budget", "box")
LEVELS = ("expected", "endurance", *SURE)
WAYS = ("up", "down")
NAN = float("nan")

INPUTS = (
    Field("guarantee", "product", "", "what backs the bid", "expected", kind="choice", choices=LEVELS),
    Field(
        "activation_period",
        "product",
        "h",
        "longest full activation in an activation cycle (budget); NaN: one step",
        NAN,
        ge=0,
        missing=True,
    ),
    Field(
        "activation_cycle",
        "product",
        "h",
        "any hours in which it is activated for the activation period at most (budget)",
        NAN,
        ge=0,
        missing=True,
    ),
    Field(
        "excursion_up",
        "product time",
        "h",
        "most energy that calls within a step draw from the battery at any moment of it, per kW sold",
        0.0,
        ge=0,
    ),
    Field(
        "excursion_down",
        "product time",
        "h",
        "most energy that calls within a step store in the battery at any moment of it, per kW sold",
        0.0,
        ge=0,
    ),
    Field(
        "drawn_initial",
        "product lag",
        "kWh",
        "most energy that calls up to so many steps before the first (lag 1, 2, ...) have drawn, as left at the start",
        ABSENT,
        ge=0,
        shared=True,
    ),
    Field("stored_initial", "product lag", "kWh", "the same for energy stored", ABSENT, ge=0, shared=True),
)
OUTPUTS = (
    Field("charge_share", "product time", "kW", "baseline charging that calls of the product stop first", shared=True),
    Field("called_up", "product time", "kWh", "energy drawn by the worst calls so far", shared=True, auxiliary=True),
    Field("called_down", "product time", "kWh", "energy stored by them", shared=True, auxiliary=True),
    Field("cycle_worth", "product time", "kWh", "worth of a call more per cycle", shared=True, auxiliary=True),
    Field("call_worth", "product time", "kWh", "worth of a call more per step", shared=True, auxiliary=True),
)


def problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return what no budget can be: without a cycle, of no activation, of parts of steps; and lags out of order."""
    period, cycle = _given(d, calendar)
    budgeted = d.guarantee == "budget"
    rules = [
        (
            "activation_cycle",
            budgeted & d.activation_cycle.isnull(),
            "missing: a budget needs the cycle it is given for",
        ),
        ("activation_cycle", cycle < period - 1e-9, "h, less than activation_period"),
        ("activation_period", period <= 0, "h of activation; give more, or no period for one step"),
        *((f"excursion_{w}", (d[f"excursion_{w}"] > 0) & (d[w] == 0), f"h, but {w} is 0: no power") for w in WAYS),
    ]
    if len(calendar.time) > 1:
        step = _step(calendar)
        whole = f"h, no multiple of the step of {60 * step:g} min"
        rules += [
            ("activation_cycle", (cycle > step) & _broken(cycle, step), whole),
            ("activation_period", (period > step) & _broken(period, step), whole),
        ]
    found = []
    for name, wrong, detail in rules:
        if bool(wrong.any()):
            place, value = worst(d[name].broadcast_like(wrong), wrong, calendar)
            number = "" if detail.startswith("missing") else f"{value:g} "
            found.append(Problem(f"reserve.{name}", "consistency", f"{place}{number}{detail}"))
    return found + _lags(d)


def _given(d: xr.Dataset, calendar: Calendar) -> tuple[xr.DataArray, xr.DataArray]:
    step = _step(calendar) if len(calendar.time) > 1 else 0.0
    return d.activation_period.fillna(step if step > 0 else NAN), d.activation_cycle


def _step(calendar: Calendar) -> float:
    return float((calendar.time[1] - calendar.time[0]) / pd.Timedelta(hours=1))


def _broken(hours: xr.DataArray, step: float) -> xr.DataArray:
    """Return True where hours are no whole number of steps."""
    return abs(hours / step - (hours / step).round()) > 1e-6


def _lags(d: xr.Dataset) -> list[Problem]:
    if "lag" not in d.indexes or list(d.indexes["lag"]) == [*range(1, d.sizes["lag"] + 1)]:
        return []
    detail = f"has the lags {list(d.indexes['lag'])}; give 1, 2, ... steps before the first"
    return [Problem("reserve.lag", "labels", detail)]


def sure(d: xr.Dataset) -> xr.DataArray:
    """Return True for products that are guaranteed against every admissible call."""
    return d.guarantee.isin(SURE)


def stored(d: xr.Dataset) -> xr.DataArray:
    """Return True where a product stands on energy, of the baseline path."""
    return (d.guarantee != "expected") | (d.excursion_up > 0) | (d.excursion_down > 0)


def rows(s: Scope, d: xr.Dataset, asset: str, x: Any, possible: xr.DataArray) -> None:
    """Room for the worst admissible calls at the end of each step (the equations stand in `markets/reserve.py`).

    Nothing of V outlives a restart (keep = 0). Before the first step it is what was carried here; in the dual form
    calls before it do not count against the cycles after it, which is safe.
    """
    store = s.flex[asset].store
    if store is None or not bool(sure(d).any()):
        return
    _, end = store.edges()
    for way, room in (("up", end.above), ("down", end.below)):
        reserve = _Reserve(s, d, asset, way, store, possible & sure(d) & (d[way] > 0))
        if bool(reserve.held.any()):
            most = reserve.worst(d[way] * x)
            s.add(f"calls_{way}_{asset}", most.sum("product") <= room, mask=reserve.held.any("product"))


def in_steps(d: xr.Dataset, dt: float) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the activation cycle in steps (0: a call leaves nothing behind), and the calls of a step in it."""
    budgeted = d.guarantee == "budget"
    cycle, calls = larger((d.activation_cycle / dt).round(), 1.0), d.activation_period.fillna(dt) / dt
    limited = budgeted & (calls < cycle)
    steps = xr.where(limited, cycle, xr.where(d.guarantee == "physical", 0.0, 1.0))
    return steps, xr.where(limited, calls, 1.0)


Rate = tuple[str, Any, xr.DataArray]  # name, kW, where it counts


class _Reserve:
    """What the products of one direction may call from an asset: V on (member, product, time)."""

    def __init__(self, s: Scope, d: xr.Dataset, asset: str, way: str, store: Store, calls: xr.DataArray):
        self.s, self.d, self.asset, self.way, self.store = s, d, asset, way, store
        time, self.members = s.axis("time"), s.inputs[asset].indexes[s.inputs[asset].attrs["member"]]
        self.calls = calls & xr.DataArray(np.ones(len(time), bool), coords={"time": time})
        self.keep = store.keep + xr.zeros_like(first(time))
        self.steps, self.share = in_steps(d, s.dt)
        self.name, before = {"up": ("called_up", "drawn_initial"), "down": ("called_down", "stored_initial")}[way]
        self.carried = d.get(f"{before}_{asset}")
        self.lasting = sure(d) & (self.steps > 0)
        self.held = self._held()

    def worst(self, power: Any) -> Any:
        """V, at least what the worst admissible calls have moved by the end of each step."""
        v = self.s.var(self.name, mask=self.held, over=[self.members], suffix=f"_{self.asset}")
        self._add("kept", v - self.keep * previous(v) >= self._before(1), self.held & self.lasting)
        rates = [*self._rates(power)]
        for name, rate, where in rates:
            for cycle in (int(c) for c in np.unique(self.steps)):
                mine = self.calls & where & (self.steps == cycle) & within_a_step(self.share)
                since = v - _left(self.keep, cycle) * v.shift(time=cycle) if cycle else v
                call = self.s.dt * self.share * rate
                self._add(f"{name}_{cycle}", since - call >= self._before(cycle), mine)
        if bool((many := self.held & self.lasting & ~within_a_step(self.share)).any()):
            self._many(rates, v, many)
        return v

    def _many(self, rates: list[Rate], v: Any, many: xr.DataArray) -> None:
        """Rows where the activation period is longer than a step: the dual of the worst calls up to each step."""
        ago = pd.RangeIndex(min(int(run_hours(self.keep > 0, 1.0).max()) + 1, self.keep.sizes["time"]), name="ago")
        left = _left_since(self.keep, ago)
        lag = xr.DataArray(np.arange(min(len(ago), int(self.steps.max()))), dims="lag")
        there, suffix = many & (left > 0), f"_{self.way}_{self.asset}"
        cycle, call = (
            self.s.var(name, mask=there, over=[self.members, ago], suffix=suffix)
            for name in ("cycle_worth", "call_worth")
        )
        self._add("dual", v - self.share * cycle.sum("ago") - call.sum("ago") >= self._before(1), many)
        worth = cycle.lagged((lag < self.steps).astype(float), dim="ago") + call
        for name, rate, where in rates:
            due = self.s.dt * left * rate.earlier(ago)
            self._add(f"dual_{name}", worth - due >= 0, there & (_ago(self.calls & where, ago) > 0))

    def _add(self, name: str, row: Any, mask: xr.DataArray) -> None:
        self.s.add(f"{self.name}_{name}_{self.asset}", row, mask=mask)

    def _rates(self, power: Any) -> Iterator[Rate]:
        """Yield what a call takes from or brings to the battery, kW; the largest counts, each where it can be that."""
        store, always = self.store, xr.ones_like(self.calls)
        if not bool(self.calls.any()):
            return
        if self.way == "down":
            yield "call", power * xr.where(store.discharges, 1 / store.eta_discharge, store.eta_charge), always
            return
        loss = 1 / store.eta_discharge - store.eta_charge
        saved = always & store.charges & store.discharges & (loss > 0)
        stops, feeds = saved | ~(always & store.discharges), always & store.discharges
        if bool((self.calls & stops).any()):
            yield "stop", power * store.eta_charge, stops
        if bool((self.calls & feeds).any()):
            yield "feed", power / store.eta_discharge - loss * self._stopped(self.calls & saved), feeds

    def _stopped(self, where: xr.DataArray) -> Any:
        """Baseline charging that is stopped for calls of each product: all of it for one, shared out to several."""
        if not bool(where.any()):
            return 0.0
        if int((sure(self.d) & (self.d.up > 0)).sum()) == 1:
            return self.store.charge
        c = self.s.var("charge_share", mask=where, over=[self.members], suffix=f"_{self.asset}")
        self.s.add(f"charge_share_{self.asset}", c.sum("product") <= self.store.charge, mask=where.any("product"))
        return c

    def _held(self) -> xr.DataArray:
        """Return True where calls may have left something: since the last restart, or from before the start."""
        at = xr.zeros_like(self.keep, dtype=int) + xr.DataArray(np.arange(self.keep.sizes["time"]), dims="time")
        called, restart = _latest(at.where(self.calls, -1)), _latest(at.where(self.keep == 0, 0))
        held = (called >= restart) & (self.lasting | self.calls)
        if self.carried is None:
            return held
        return held | ((self.carried > 0).any("lag") & (_left(self.keep, None) > 0) & self.lasting)

    def _before(self, cycle: int) -> Any:
        """What was called a cycle ago, where that is before the first step, as far as it is still there (kWh)."""
        if self.carried is None or not cycle:
            return 0.0
        lag = cycle - xr.DataArray(np.arange(self.keep.sizes["time"]), coords={"time": self.s.axis("time")})
        known = self.carried.reindex(lag=range(1, cycle + 1), fill_value=0.0).sel(lag=lag.clip(min=1))
        return known.where(lag >= 1, 0.0).drop_vars("lag") * _left(self.keep, None)


def within_a_step(share: xr.DataArray) -> xr.DataArray:
    """Return True for a budget of at most one step in the cycle, whose worst calls a recursion finds."""
    return share <= 1 + 1e-9


def _ago(x: xr.DataArray, ago: pd.Index) -> xr.DataArray:
    """Return x[t - k] for every k of `ago`, 0 before the first step."""
    past = x.astype(float).rolling(time=len(ago)).construct("ago", fill_value=0.0)
    return past.isel(ago=slice(None, None, -1)).assign_coords(ago=ago)


def _left_since(keep: xr.DataArray, ago: pd.Index) -> xr.DataArray:
    """Share of a deviation of so many steps ago that is left; 0 of one from before the first step."""
    gone, log = (keep == 0).astype(int).cumsum("time") + 1, _log(keep).cumsum("time")
    return xr.where(_ago(gone, ago) == gone, np.exp(log - _ago(log, ago)), 0.0)


def _log(keep: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(np.log(keep.where(keep > 0, 1.0)))


def _latest(at: xr.DataArray) -> xr.DataArray:
    """Return the largest number so far."""
    return xr.DataArray(
        xr.apply_ufunc(
            np.maximum.accumulate, at, input_core_dims=[["time"]], output_core_dims=[["time"]], kwargs={"axis": -1}
        )
    )


def _left(keep: xr.DataArray, steps: int | None) -> xr.DataArray:
    """Share of a deviation that is left `steps` later, at each step; None: of one from before the first step."""
    gone, log = (keep == 0).astype(int).cumsum("time"), _log(keep).cumsum("time")
    if steps is not None:
        gone, log = (x - x.shift(time=steps, fill_value=0) for x in (gone, log))
    return xr.where(gone == 0, np.exp(log), 0.0)
