"""Energy behind reserves for every admissible call: the levels `physical`, `budget` and `box`
(docs/formulation.md §3).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ....algebra.expression import Constraint, Data, Expression, Quantity
from ....model.formulas import first, larger, previous
from ....model.formulas_time import run_hours
from ....model.scope import Scope
from ....model.terms import Store
from .guarantees import robust, within_a_step
from .recourse_fields import bought_back


def backing_rows(
    s: Scope,
    d: xr.Dataset,
    asset: str,
    x: Expression,
    possible: xr.DataArray,
    sold_back: Quantity,
) -> "list[Backing]":
    """Room for the worst admissible calls at the end of each step; return what they are.

    The equations stand in `build`. `sold_back` is the power at which a surplus of calls may be sold
    at the same time (kW on (member, time)): a call upward then takes more from the battery.

    Nothing of V outlives a restart (keep = 0). Before the first step it is what was carried here;
    in the dual form calls before it do not count against the cycles after it, which is safe.
    """
    store, found = s.flex[asset].store, list[Backing]()
    if store is None or not bool(robust(d).any()):
        return found
    _, end = store.edges()
    for way, room in (("up", end.above), ("down", end.below)):
        calls = WorstCalls(s, d, asset, way, store.keep, possible & robust(d) & (d[way] > 0))
        if bool(calls.held.any()):
            most = calls.variable(calls.held)
            rates = [*_rates(calls, store, d[way] * x, sold_back)]
            calls.bound(most, rates)
            s.add(
                f"calls_{way}_{asset}",
                most.sum("product") <= room,
                mask=calls.held.any("product"),
            )
            found.append(Backing(calls, most, rates))
    return found


def in_steps(d: xr.Dataset, dt: float) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the activation cycle in steps, and the activation of a step in it.

    With a cycle of 0, activation leaves nothing behind.
    """
    budgeted = (d.guarantee == "budget") | bought_back(d)
    cycle, calls = (
        larger((d.activation_cycle / dt).round(), 1.0),
        d.activation_period.fillna(dt) / dt,
    )
    limited = budgeted & (calls < cycle)
    steps = xr.where(limited, cycle, xr.where(d.guarantee == "physical", 0.0, 1.0))
    return steps, xr.where(limited, calls, 1.0)


Rate = tuple[str, Expression, xr.DataArray]  # name, kW, where it counts


class WorstCalls:
    """What the products of one direction may call from an asset: V on (member, product, time).

    The way is `up`, `down`, or `discharge`: what calls upward discharge beyond the plan.
    `keep` is the share of V that is left a step later; `calls` is True where a call is possible.
    """

    def __init__(
        self,
        s: Scope,
        d: xr.Dataset,
        asset: str,
        way: str,
        keep: Data,
        calls: xr.DataArray,
    ):
        self.s, self.d, self.asset, self.way = s, d, asset, way
        time, self.members = (
            s.axis("time"),
            s.inputs[asset].indexes[s.inputs[asset].attrs["member"]],
        )
        self.calls = calls & xr.DataArray(np.ones(len(time), bool), coords={"time": time})
        self.keep = keep + xr.zeros_like(first(time))
        self.steps, self.share = in_steps(d, s.dt)
        self.name, before, recent = {
            "up": ("called_up", "drawn_initial", "drawn_recent"),
            "down": ("called_down", "stored_initial", "stored_recent"),
            "discharge": ("called_discharge", "discharged_initial", ""),
        }[way]
        self.carried, self.recent = d.get(f"{before}_{asset}"), d.get(f"{recent}_{asset}")
        self.suffix = f"_{way}_{asset}"
        self.lasting = robust(d) & (self.steps > 0)
        self.held = self._held()

    def variable(self, where: xr.DataArray) -> Expression:
        """V, which `bound` keeps above what calls move."""
        return self.s.var(self.name, mask=where, over=[self.members], suffix=f"_{self.asset}")

    def bound(self, v: Expression, rates: list[Rate]) -> None:
        """V is at least what the worst admissible calls have moved by the end of each step.

        What is brought back before the next calls has rows of its own (`recourse`).
        """
        held = self.held & ~bought_back(self.d)
        self.add("kept", v - self.keep * previous(v) >= self.before(1), held & self.lasting)
        for name, rate, where in rates:
            for cycle in (int(c) for c in np.unique(self.steps)):
                mine = self.calls & held & where & (self.steps == cycle) & within_a_step(self.share)
                since = v - share_left(self.keep, cycle) * v.shift(time=cycle) if cycle else v
                call = self.s.dt * self.share * rate
                self.add(f"{name}_{cycle}", since - call >= self.before(cycle), mine)
        if bool((many := held & self.lasting & ~within_a_step(self.share)).any()):
            self._many(rates, v, many)

    def _many(self, rates: list[Rate], v: Expression, many: xr.DataArray) -> None:
        """Rows where the activation period is longer than a step: the dual of the worst calls up to
        each step.
        """
        ago = pd.RangeIndex(
            min(int(run_hours(self.keep > 0, 1.0).max()) + 1, self.keep.sizes["time"]), name="ago"
        )
        left = _left_since(self.keep, ago)
        lag = xr.DataArray(np.arange(min(len(ago), int(self.steps.max()))), dims="lag")
        there = many & (left > 0)
        cycle, call = (
            self.s.var(name, mask=there, over=[self.members, ago], suffix=self.suffix)
            for name in ("cycle_worth", "call_worth")
        )
        self.add(
            "dual", v - self.share * cycle.sum("ago") - call.sum("ago") >= self.before(1), many
        )
        worth = cycle.convolve((lag < self.steps).astype(float), dim="ago") + call
        for name, rate, where in rates:
            due = self.s.dt * left * rate.lags(ago)
            self.add(f"dual_{name}", worth - due >= 0, there & (_ago(self.calls & where, ago) > 0))

    def add(self, name: str, row: Constraint, mask: xr.DataArray) -> None:
        """Add rows under the name of what is called."""
        self.s.add(f"{self.name}_{name}_{self.asset}", row, mask=mask)

    def shared_out(self, name: str, charge: Quantity, where: xr.DataArray) -> Expression:
        """Return the baseline charging that calls of each product stop first, which is no more than
        there is.
        """
        c = self.s.var(name, mask=where, over=[self.members], suffix=f"_{self.asset}")
        rows = c.sum("product") <= charge
        self.s.add(f"{name}_{self.asset}", rows, mask=where.any("product"))
        return c

    def _held(self) -> xr.DataArray:
        """Return True where calls may have left something: since the last restart, or from before
        the start.
        """
        at = xr.zeros_like(self.keep, dtype=int) + xr.DataArray(
            np.arange(self.keep.sizes["time"]), dims="time"
        )
        called, restart = _latest(at.where(self.calls, -1)), _latest(at.where(self.keep == 0, 0))
        held = (called >= restart) & (self.lasting | self.calls)
        if self.carried is None:
            return held
        return held | (
            (self.carried > 0).any("lag") & (share_left(self.keep, None) > 0) & self.lasting
        )

    def before(self, steps: int, recent: bool = False) -> xr.DataArray | float:
        """What was called so many steps ago, where that is before the first step, as far as it is
        still there (kWh); `recent`: by the call of that step alone.
        """
        carried = self.recent if recent else self.carried
        if carried is None or not steps:
            return 0.0
        lag = steps - xr.DataArray(
            np.arange(self.keep.sizes["time"]), coords={"time": self.s.axis("time")}
        )
        known = carried.reindex(lag=range(1, steps + 1), fill_value=0.0).sel(lag=lag.clip(min=1))
        return known.where(lag >= 1, 0.0).drop_vars("lag") * share_left(self.keep, None)


@dataclass(frozen=True)
class Backing:
    """The worst calls of one direction to an asset, and the energy that they have moved (kWh)."""

    calls: WorstCalls
    most: Expression
    rates: list[Rate]


def _rates(
    calls: WorstCalls, store: Store[Expression], power: Expression, sold_back: Quantity
) -> Iterator[Rate]:
    """Yield what a call takes from or brings to the battery, kW; the largest counts, each where it
    can be that.

    Charging that a sale has stopped already, no call can stop.
    """
    always = xr.ones_like(calls.calls)
    if not bool(calls.calls.any()):
        return
    if calls.way == "down":
        yield (
            "call",
            power * xr.where(store.discharges, 1 / store.eta_discharge, store.eta_charge),
            always,
        )
        return
    loss = 1 / store.eta_discharge - store.eta_charge
    saved = always & store.charges & store.discharges & (loss > 0)
    stops, feeds = saved | ~(always & store.discharges), always & store.discharges
    if bool((calls.calls & stops).any()):
        yield "stop", power * store.eta_charge, stops
    if bool((calls.calls & feeds).any()):
        stopped = _stopped(calls, store, calls.calls & saved)
        yield (
            "feed",
            power / store.eta_discharge - loss.where(saved, 0.0) * (stopped - sold_back),
            feeds,
        )


def _stopped(calls: WorstCalls, store: Store[Expression], where: xr.DataArray) -> Quantity:
    """Baseline charging that is stopped for calls of each product: all of it for one, shared out to
    several.
    """
    if not bool(where.any()):
        return 0.0
    if int((robust(calls.d) & (calls.d.up > 0)).sum()) == 1:
        return store.charge
    return calls.shared_out("charge_share", store.charge, where)


def _ago(x: xr.DataArray, ago: pd.Index) -> xr.DataArray:
    """Return x[t - k] for every k of `ago`, 0 before the first step."""
    past = x.astype(float).rolling(time=len(ago)).construct("ago", fill_value=0.0)
    return past.isel(ago=slice(None, None, -1)).assign_coords(ago=ago)


def _left_since(keep: xr.DataArray, ago: pd.Index) -> xr.DataArray:
    """Share of a deviation of so many steps ago that is left; 0 of one from before the first
    step.
    """
    gone, log = (keep == 0).astype(int).cumsum("time") + 1, _log(keep).cumsum("time")
    return xr.where(_ago(gone, ago) == gone, np.exp(log - _ago(log, ago)), 0.0)


def _log(keep: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(np.log(keep.where(keep > 0, 1.0)))


def _latest(at: xr.DataArray) -> xr.DataArray:
    """Return the largest number so far."""
    return xr.DataArray(
        xr.apply_ufunc(
            np.maximum.accumulate,
            at,
            input_core_dims=[["time"]],
            output_core_dims=[["time"]],
            kwargs={"axis": -1},
        )
    )


def share_left(keep: xr.DataArray, steps: int | None) -> xr.DataArray:
    """Share of a deviation that is left `steps` later, at each step; None: of one from before the
    first step.
    """
    gone, log = (keep == 0).astype(int).cumsum("time"), _log(keep).cumsum("time")
    if steps is not None:
        gone, log = (x - x.shift(time=steps, fill_value=0) for x in (gone, log))
    return xr.where(gone == 0, np.exp(log), 0.0)
