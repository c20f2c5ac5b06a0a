"""Windows of a sequence: plan on what is known, freeze what closes, deliver what is due, hand over
(docs/formulation.md §4).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Infeasible, SolveError, SolverError
from ..model.formulas import last
from ..model.gates import TRADED, Gates
from ..model.inputs import Inputs
from ..model.reserve_rules import guarantees_energy
from ..solve import audit, complementarity, infeasibility
from ..solve.assembly import assemble_model, postprocessed
from ..solve.solver import Settings
from .forecasts import Forecast, Key
from .model_update import Moving, Plan, StaleError

_ROUNDS = 20
_NOISE = 1e-9  # kW; a smaller position is none
_OPEN = ("kW", "kWh")  # units of limits that may open later


@dataclass(frozen=True)
class Window:
    """Steps decided in one model: those from `first` to before `stop` happen, the plan reaches to
    before `last`.
    """

    first: int
    stop: int
    last: int


@dataclass
class State:
    """What has been decided so far: all that a run needs to go on from where it stopped."""

    committed: dict[str, xr.DataArray]  # part -> kW on (member, time)
    turnover: dict[str, xr.DataArray]  # part -> kW traded to get there
    started: dict[Key, xr.DataArray] = field(
        default_factory=dict
    )  # inputs as they are where the run begins
    carried: dict[Key, xr.DataArray] = field(default_factory=dict)  # inputs of the next window
    worth: dict[str, xr.DataArray] = field(
        default_factory=dict
    )  # part -> EUR per kWh left at the end of a plan
    revised: bool = False  # what is known has changed since the first decision
    happened: list[dict[str, xr.DataArray]] = field(
        default_factory=list
    )  # of each window: variable -> what was done
    told: dict[Key, xr.DataArray] = field(default_factory=dict)  # forecasts at the last decision
    decisions: int = 0
    rebuilt: int = 0


@dataclass(frozen=True)
class Sequence:
    """How a case is run: what plans are made on, what they know, when gates close, which
    windows.
    """

    planned: Inputs
    gates: Gates
    forecast: Forecast
    windows: tuple[Window, ...]
    every: float  # hours between decisions
    settings: Settings = field(default_factory=Settings)
    mode: str = "lazy"  # complementarity
    in_place: bool = True

    @property
    def time(self) -> pd.DatetimeIndex:
        """Every step of the case."""
        return self.planned.calendar.time

    def edge(self, step: int) -> pd.Timestamp:
        """Return when a step begins; also for the one after the last."""
        return pd.Timestamp(self.time[0]) + step * pd.Timedelta(hours=self.planned.dt)

    def moments(self, window: Window) -> pd.DatetimeIndex:
        """Return when decisions are taken in a window; in the first one also at gates that close
        before it.
        """
        begin, end = self.edge(window.first), self.edge(window.stop)
        regular = pd.date_range(begin, end, freq=pd.Timedelta(hours=self.every), inclusive="left")
        gates = self.gates.moments(
            self.edge(self.windows[0].first), self.edge(self.windows[-1].stop)
        )
        if window is not self.windows[0]:
            gates = gates[gates >= begin]
        return regular.union(gates[gates < end])


def run(
    q: Sequence, state: State, tell: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[State]:
    """Run the windows that are left; yield the state after each."""
    for window in q.windows[len(state.happened) :]:
        tell(len(state.happened), len(q.windows))
        _Run(q, window, state).go()
        yield state
    tell(len(state.happened), len(q.windows))


class _Run:
    """One window."""

    def __init__(self, q: Sequence, window: Window, state: State):
        self.q, self.window, self.state = q, window, state
        self.base = self._start()
        self.moving: Moving | None = None
        self.seen = self.base
        self.flags: dict[tuple[str, str], xr.DataArray] = {}

    def go(self) -> None:
        """Take every decision of the window, and hand over to the next."""
        q, window = self.q, self.window
        moments = q.moments(window)
        for now, until in zip(moments, [*moments[1:], q.edge(window.stop)], strict=True):
            seen = self._known(now, until)
            try:
                plan = self._plan(seen, now)
            except SolveError as error:
                raise self._explained(error, seen, now) from None
            if self.window.last < q.windows[-1].last and not self.state.worth:
                self.state.worth = self._worth(plan, 0)
                self._value_the_end()
                plan = self._plan(seen, now)
            self.state.decisions += 1
            self._commit(plan, now, until)
            assert self.moving is not None
            self.moving.happened(*(self._position(t) for t in (now, until)))
        self._hand_over(plan)

    def _explained(self, error: SolveError, seen: Inputs, now: pd.Timestamp) -> SolveError:
        """Say at which decision there is no plan, and why."""
        if error.status != "infeasible":
            return error
        when = (
            f"  at the decision of {self.base.calendar.local(now)}, with what had been committed"
            " and delivered by then:"
        )
        return Infeasible(f"{when}\n{infeasibility.why(seen, self.q.settings, assemble_model)}")

    # ---- what a plan knows -----------------------------------------------------------------------

    def _start(self) -> Inputs:
        """Return the inputs of the window as they are in truth, with the states handed over."""
        q, w = self.q, self.window
        steps, data = slice(w.first, w.last), {}
        for part, d in q.planned:
            cut = d.isel(time=steps) if "time" in d.dims else d
            cut = cut.assign(
                {name: x for (p, name), x in self.state.carried.items() if p == part.name}
            )
            if guarantees_energy(q.planned.data.get("reserve")) and part.has("baseline_initial"):
                # the two paths go on side by side, also in a window that sells no reserve
                cut = cut.assign(baseline_initial=cut.get("baseline_initial", cut.energy_initial))
            if "cyclic" in d and w is not q.windows[0]:
                cut = cut.assign(energy_final=d.energy_initial)
            if w.last < q.windows[-1].last:
                cut = cut.assign(
                    {
                        name: xr.zeros_like(d[name]) + x
                        for name, x in part.end_of_window_inputs.items()
                    }
                )
            data[part.name] = cut.assign_coords(time=q.time[steps]).assign_attrs(d.attrs)
        return replace(
            q.planned, data=data, calendar=replace(q.planned.calendar, time=q.time[steps])
        )

    def _known(self, now: pd.Timestamp, until: pd.Timestamp) -> Inputs:
        """Return the inputs as they are known at a moment, with what has been committed."""
        q, w, data = self.q, self.window, dict(self.base.data)
        told: dict[str, dict[str, xr.DataArray]] = {}
        for (part, leaf), x in q.forecast.at(now, until, w.first, w.last).items():
            if "time" in x.dims:
                past = now if self._is_price(part, leaf) else until
                x = _as_it_came(x, data[part][leaf], self._position(past))
            told.setdefault(part, {})[leaf] = x
            self._note_change((part, leaf), x, now)
        data |= {part: data[part].assign(arrays) for part, arrays in told.items()}
        for part in self._traded():
            member, _ = TRADED[part]
            gate_closed = q.gates.closed(part, now).isel(time=slice(w.first, w.last))
            d = data[part]
            data[part] = d.assign(
                closed=xr.where((d.closed > 0) | gate_closed, 1.0, 0.0),
                committed=self.state.committed[part].isel(time=slice(w.first, w.last)),
            )
            if "spread" in d:
                risk = 2 * q.gates.penalty[part] * abs(d.price)
                turnover = self.state.turnover[part].isel(time=slice(w.first, w.last))
                revisable = xr.DataArray(1.0 if self.state.revised else 0.0)
                executed = (
                    q.gates.binding(part, now, until)
                    .isel(time=slice(w.first, w.last))
                    .astype(float)
                )
                data[part] = data[part].assign(
                    spread=d.spread + risk,
                    turnover=turnover,
                    revisable=revisable,
                    executed=executed,
                )
            for complete in self.base.parts[part].schema.completions:
                data[part] = complete(data[part])
        return replace(self.base, data=data)

    def _note_change(self, key: Key, x: xr.DataArray, now: pd.Timestamp) -> None:
        """Remember whether a forecast says something else than at the decision before; once one
        has, nothing more.
        """
        if self.state.revised:
            self.state.told.clear()
            return
        before, ahead = self.state.told.get(key), x
        if "time" in x.dims:
            ahead = x.sel(time=slice(now, None))
            if before is not None:
                before = (
                    before.sel(time=slice(now, ahead.time[-1])) if ahead.sizes["time"] else before
                )
                ahead = (
                    ahead.sel(time=slice(None, before.time[-1])) if before.sizes["time"] else ahead
                )
        self.state.revised = self.state.revised or (before is not None and not ahead.equals(before))
        self.state.told[key] = x

    def _is_price(self, part: str, leaf: str) -> bool:
        return any(
            f.name == leaf and "EUR" in f.unit for f in self.q.planned.parts[part].schema.inputs
        )

    def _traded(self) -> list[str]:
        return [part for part in self.q.gates.close if "closed" in self.base.data[part]]

    # ---- planning --------------------------------------------------------------------------------

    def _plan(self, seen: Inputs, now: pd.Timestamp) -> Plan:
        """Find the best plan; where it charges and discharges at once, again with binaries
        there.
        """
        for _ in range(_ROUNDS):
            plan = self._solved(complementarity.with_flags(seen, self.flags))
            where = {} if self.q.mode == "off" else complementarity.eligible(self._as_offered(seen))
            both = complementarity.overlap(plan, where)
            offending = {
                k: x for k, x in both.items() if float(x.max()) > complementarity.TOLERANCE
            }
            if self.q.mode != "lazy" or not offending:
                return plan
            duals, reduced = _By(plan.dual), _By(plan.reduced)
            more = complementarity.candidates(seen, where, offending, duals, reduced)
            more = {
                k: x & (x.time >= now.to_datetime64()) for k, x in more.items()
            }  # what has happened stays
            self.flags = self.flags | {
                k: x | self.flags[k] if k in self.flags else x for k, x in more.items()
            }
            self.state.rebuilt += 1
            self.moving = self._built(complementarity.with_flags(seen, self.flags))
        raise SolverError(
            "a plan that does not charge and discharge at once was not found; solve with"
            " complementarity milp"
        )

    def _as_offered(self, seen: Inputs) -> Inputs:
        """Return inputs with what may be sold as the case says: what was committed does not change
        a rule behind it.
        """
        reserve = self.base.data.get("reserve")
        return seen if reserve is None else replace(seen, data={**seen.data, "reserve": reserve})

    def _solved(self, seen: Inputs) -> Plan:
        changed = frozenset(n for n, d in seen.data.items() if not _same(d, self.seen.data[n]))
        if self.moving is None or not self.q.in_place:
            self.moving = self._built(seen)
        elif changed:
            try:
                self.moving.move(seen, changed)
            except StaleError:
                self.state.rebuilt += 1
                self.moving = self._built(seen)
        self.seen = seen
        return self.moving.solve()

    def _built(self, seen: Inputs) -> Moving:
        """Return a model in which all is possible that may become so, moved to what is known.

        One that is not moved again is built on what is known alone.
        """
        moving = Moving(_opened(seen, self.q) if self.q.in_place else seen, self.q.settings)
        moving.release(tuple(self._traded()))
        if self.moving is not None:
            moving.inherit(self.moving)
        self.moving = moving
        if self.q.in_place:
            moving.move(seen, frozenset(seen.data))
        self._value_the_end()
        return moving

    def _value_the_end(self) -> None:
        """What is left at the end of a plan is worth what it was in the plan before, where the case
        goes on.
        """
        if self.window.last == self.q.windows[-1].last or self.moving is None:
            return
        for part, price in self.state.worth.items():
            (stock,) = self.base.parts[part].terminal_storage
            self.moving.worth(f"{part}.{stock}", price * last(self.base.calendar.time))

    def _worth(self, plan: Plan, first: int) -> dict[str, xr.DataArray]:
        """Return the mean value of a kWh stored over a day of a plan, for every member
        (EUR/kWh).
        """
        day = slice(first, first + max(1, round(24 / self.base.dt)))
        found = {}
        for part, _ in self.base:
            for stock, rows in part.terminal_storage.items():
                if f"{part.name}.{stock}" in plan and f"{part.name}.{rows}" in plan.rows:
                    value = plan.dual(f"{part.name}.{rows}").isel(time=day).mean("time")
                    found[part.name] = value.fillna(0.0).clip(min=0.0)
        return found

    # ---- what comes of it ------------------------------------------------------------------------

    def _commit(self, plan: Plan, now: pd.Timestamp, until: pd.Timestamp) -> None:
        """Freeze positions that trade now, or whose gate closes before the next decision."""
        steps = slice(self.window.first, self.window.last)
        for part in self._traded():
            _, name = TRADED[part]
            binding = self.q.gates.binding(part, now, until).isel(time=steps) & (
                self.base.data[part].closed == 0
            )
            before = self.state.committed[part]
            held = before.isel(time=steps)
            wanted = plan[f"{part}.{name}"]
            new = xr.where(binding, wanted.where(abs(wanted) > _NOISE, 0.0), held).transpose(
                *held.dims
            )
            self.state.committed[part] = _replaced(before, steps, new)
            turnover = self.state.turnover[part]
            self.state.turnover[part] = _replaced(
                turnover, steps, turnover.isel(time=steps) + abs(new - held)
            )

    def _hand_over(self, plan: Plan) -> None:
        """Keep what was done, and the states that the parts declare, as they are where the next
        window begins.
        """
        size = self.window.stop - self.window.first
        done = {n: plan[n] for n in plan if not n.startswith("node.")}
        self.state.happened.append(
            {n: x.isel(time=slice(0, size)) for n, x in done.items() if "time" in x.dims}
        )
        if self.window.last < self.q.windows[-1].last:
            self.state.worth = self._worth(plan, size)
        outputs = {n: x.fillna(0.0) for n, x in done.items()}
        outputs |= postprocessed(self.seen, outputs)
        for part, _ in self.base:
            flags = {f.name for f in part.schema.inputs if f.kind == "flag"}
            for name, output in part.state_inputs.items():
                x = outputs.get(f"{part.name}.{output}")
                if x is not None and "time" in x.dims:
                    x = x.isel(time=size - 1, drop=True)
                    self.state.carried[part.name, name] = x.round() if name in flags else x
        plans = {
            p: d.assign(
                {n.partition(".")[2]: x for n, x in outputs.items() if n.startswith(f"{p}.")}
            )
            for p, d in self.seen.data.items()
        }
        for owner, inputs in audit.next_states(self.seen, plans, size).items():
            self.state.carried |= {(owner, name): x for name, x in inputs.items()}

    def _position(self, moment: pd.Timestamp) -> int:
        """Return the number of steps of the window that begin before a moment."""
        return int(self.base.calendar.time.searchsorted(moment))


class _By(Mapping[str, Any]):
    """A function of a name, read as a mapping."""

    def __init__(self, of: Callable[[str], xr.DataArray]):
        self._of = of

    def __getitem__(self, name: str) -> xr.DataArray:
        return self._of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _as_it_came(x: xr.DataArray, truth: xr.DataArray, steps: int) -> xr.DataArray:
    """Return x with its first steps as they are in truth."""
    if steps <= 0:
        return x
    if set(truth.dims) != set(x.dims):
        truth = truth.broadcast_like(x)
    came, axis = truth.transpose(*x.dims).to_numpy(), x.dims.index("time")
    happened = np.arange(x.sizes["time"]) < steps
    return x.copy(
        data=np.where(
            happened.reshape([-1 if k == axis else 1 for k in range(x.ndim)]), came, x.to_numpy()
        )
    )


def _same(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Return True where two datasets hold the same numbers; arrays that were not touched are the
    same objects.
    """
    if one.data_vars.keys() != other.data_vars.keys():
        return False
    return all(
        one[n].variable is other[n].variable or one[n].equals(other[n]) for n in one.data_vars
    )


def _opened(seen: Inputs, q: Sequence) -> Inputs:
    """Return inputs in which every gate is open, and every limit that is a forecast leaves
    something possible.
    """
    data = dict(seen.data)
    for part, leaf in q.forecast.fields:
        f = next(f for f in seen.parts[part].schema.inputs if f.name == leaf)
        if f.unit in _OPEN and bool(
            (q.planned.data[part][leaf] > 0).any()
        ):  # least powers take binaries
            x = data[part][leaf]
            data[part] = data[part].assign({leaf: xr.where(x == 0, 1.0, x)})
    for part in q.gates.close:
        if "closed" in data[part]:
            none = xr.zeros_like(data[part].closed)
            data[part] = (
                data[part]
                .assign(closed=none, committed=none + 1.0)
                .drop_vars("turnover", errors="ignore")
            )
            if "revisable" in data[part]:
                data[part] = data[part].assign(revisable=xr.DataArray(1.0), executed=none + 1.0)
    return replace(seen, data=data)


def _replaced(x: xr.DataArray, steps: slice, new: xr.DataArray) -> xr.DataArray:
    x = x.copy()
    x[{"time": steps}] = new.transpose(*x.dims).to_numpy()
    return x
