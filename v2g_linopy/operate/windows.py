"""Windows of a sequence: plan on what is known, freeze what closes, deliver what is due, hand over
(docs/formulation.md §4).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Infeasible, SolveError, SolverError
from ..model.formulas import last
from ..model.gates import Gates, traded_parts
from ..model.inputs import Inputs, same_numbers
from ..model.part import Part
from ..model.reserve_rules import guarantees_energy
from ..solve import audit, complementarity, infeasibility
from ..solve.assembly import assemble_model, postprocessed
from ..solve.solver import Settings
from .forecasts import Forecast, Key
from .model_update import ModelSolution, RebuildNeeded, ResolvableModel

_ROUNDS = 20
_NOISE = 1e-9  # kW; a smaller position is none
_MAY_OPEN = ("kW", "kWh")  # units of limits that may open later


@dataclass(frozen=True)
class Window:
    """Steps decided in one model.

    `first` to `stop` - 1 are executed; the plan looks ahead to `end` - 1.
    """

    first: int
    stop: int
    end: int

    @property
    def steps(self) -> slice:
        """All steps of its plans."""
        return slice(self.first, self.end)


@dataclass
class State:
    """What has been decided so far: all that a run needs to go on from where it stopped."""

    # part -> kW on (member, time), and what was traded to get there
    committed: dict[str, xr.DataArray]
    turnover: dict[str, xr.DataArray]
    # what was offered of it, where offers may not be accepted
    offered: dict[str, xr.DataArray] = field(default_factory=dict)

    # inputs as they are where the run begins, and where the next window does
    initial_inputs: dict[Key, xr.DataArray] = field(default_factory=dict)
    next_inputs: dict[Key, xr.DataArray] = field(default_factory=dict)

    # part -> EUR per kWh left at the end of a plan
    terminal_value: dict[str, xr.DataArray] = field(default_factory=dict)

    # forecasts at the last decision, and whether any has changed since the first
    last_forecast: dict[Key, xr.DataArray] = field(default_factory=dict)
    revised: bool = False

    # of each window: variable -> what was done
    realised: list[dict[str, xr.DataArray]] = field(default_factory=list)
    decisions: int = 0
    rebuilt: int = 0


@dataclass(frozen=True)
class Sequence:
    """How a case is run.

    It says what plans are made on, what they know, when gates close, and which windows there
    are.
    """

    inputs: Inputs
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
        return self.inputs.calendar.time

    @property
    def steps(self) -> slice:
        """The steps that are operated."""
        return slice(self.windows[0].first, self.windows[-1].end)

    def edge(self, step: int) -> pd.Timestamp:
        """Return when a step begins; also for the one after the last."""
        return pd.Timestamp(self.time[0]) + step * pd.Timedelta(hours=self.inputs.dt)

    def moments(self, window: Window) -> pd.DatetimeIndex:
        """Return when decisions are taken in a window.

        In the first one also at gates that close before it.
        """
        begin, end = self.edge(window.first), self.edge(window.stop)
        regular = pd.date_range(begin, end, freq=pd.Timedelta(hours=self.every), inclusive="left")
        gates = self.gates.moments(
            self.edge(self.windows[0].first), self.edge(self.windows[-1].stop)
        )
        if window is not self.windows[0]:
            gates = gates[gates >= begin]
        return regular.union(gates[gates < end])

    def goes_on_after(self, window: Window) -> bool:
        """Return True where the case has steps beyond the plans of a window."""
        return window.end < self.windows[-1].end


def run_windows(
    sequence: Sequence,
    state: State,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Iterator[State]:
    """Run the windows that are left; yield the state after each."""
    for window in sequence.windows[len(state.realised) :]:
        progress(len(state.realised), len(sequence.windows))
        WindowRun(sequence, window, state).run()
        yield state
    progress(len(state.realised), len(sequence.windows))


class WindowRun:
    """The run of one window: its decisions one after the other, in one model."""

    def __init__(self, sequence: Sequence, window: Window, state: State):
        self.sequence, self.window, self.state = sequence, window, state
        self.base = self._inputs_in_truth()
        self.known = self.base
        self.flags: dict[tuple[str, str], xr.DataArray] = {}  # where binaries were needed
        self.answered: dict[str, xr.DataArray] = {}  # offers that this decision was answered
        self.model: ResolvableModel | None = None

    def run(self) -> None:
        """Take every decision of the window, and hand over to the next."""
        moments = self.sequence.moments(self.window)
        until = [*moments[1:], self.sequence.edge(self.window.stop)]
        for now, later in zip(moments, until, strict=True):
            plan = self._decide(now, later)
        self._hand_over(plan)

    def _decide(self, now: pd.Timestamp, later: pd.Timestamp) -> ModelSolution:
        """Plan on what is known now, and hold what is decided or delivered before the next
        decision.
        """
        self.answered.clear()
        known = self._inputs_known(now, later)
        try:
            plan = self._plan(known, now)
        except SolveError as error:
            raise self._explained(error, known, now) from None

        if self.sequence.goes_on_after(self.window) and not self.state.terminal_value:
            # the first plan of a run gives the value of the energy left at the end, so the plan is
            # made again
            self.state.terminal_value = self._value_of_storage(plan, 0)
            self._set_terminal_value()
            plan = self._plan(known, now)

        if self._answer_offers(plan, now, later):
            plan = self._plan(self._inputs_known(now, later), now)

        self.state.decisions += 1
        self._commit(plan, now, later)
        plan.resolvable.fix_past(self._step_number(now), self._step_number(later))
        return plan

    def _explained(self, error: SolveError, known: Inputs, now: pd.Timestamp) -> SolveError:
        """Say at which decision there is no plan, and why."""
        if error.status != "infeasible":
            return error
        when = (
            f"  at the decision of {self.base.calendar.local(now)}, with what had been committed"
            " and delivered by then:"
        )
        why = infeasibility.why(known, self.sequence.settings, assemble_model)
        return Infeasible(f"{when}\n{why}")

    # ---- the window in truth ---------------------------------------------------------------------

    def _inputs_in_truth(self) -> Inputs:
        """Return the inputs of the window as they are in truth, with the states handed over."""
        inputs, time = self.sequence.inputs, self.sequence.time[self.window.steps]
        data = {}
        for part, d in inputs:
            cut = d.isel(time=self.window.steps) if "time" in d.dims else d
            cut = self._with_states(part, cut)
            cut = self._with_conditions_at_the_end(part, cut, d)
            data[part.name] = cut.assign_coords(time=time).assign_attrs(d.attrs)
        return replace(inputs, data=data, calendar=replace(inputs.calendar, time=time))

    def _with_states(self, part: Part, cut: xr.Dataset) -> xr.Dataset:
        """Begin where the window before has ended."""
        handed_over = self.state.next_inputs.items()
        cut = cut.assign({name: x for (owner, name), x in handed_over if owner == part.name})

        reserve = self.sequence.inputs.data.get("reserve")
        if guarantees_energy(reserve) and part.has("baseline_initial"):
            # the two paths go on side by side, also in a window that sells no reserve
            cut = cut.assign(baseline_initial=cut.get("baseline_initial", cut.energy_initial))
        return cut

    def _with_conditions_at_the_end(
        self, part: Part, cut: xr.Dataset, whole: xr.Dataset
    ) -> xr.Dataset:
        """End a cycle where the case began; ask for nothing at an end after which the case goes
        on.
        """
        if "cyclic" in whole and self.window is not self.sequence.windows[0]:
            cut = cut.assign(energy_final=whole.energy_initial)
        if self.sequence.goes_on_after(self.window):
            ongoing = {
                name: xr.zeros_like(whole[name]) + x
                for name, x in part.end_of_window_inputs.items()
            }
            cut = cut.assign(ongoing)
        return cut

    # ---- what a plan knows -----------------------------------------------------------------------

    def _inputs_known(self, now: pd.Timestamp, later: pd.Timestamp) -> Inputs:
        """Return the inputs as they are known at a moment, with what has been committed."""
        data = dict(self.base.data)
        for part, arrays in self._forecasts(now, later).items():
            data[part] = data[part].assign(arrays)
        for part in self._traded():
            d = self._with_commitments(part, data[part], now)
            if "spread" in d:
                d = self._with_cost_of_revising(part, d, now, later)
            for complete in self.base.parts[part].schema.completions:
                d = complete(d)
            data[part] = d
        return replace(self.base, data=data)

    def _forecasts(
        self, now: pd.Timestamp, later: pd.Timestamp
    ) -> dict[str, dict[str, xr.DataArray]]:
        """Return what is forecast at a moment, by part and field; what has happened by then is as
        it came.
        """
        window, found = self.window, dict[str, dict[str, xr.DataArray]]()
        forecasts = self.sequence.forecast.at(now, later, window.first, window.end)
        for (part, field_name), x in forecasts.items():
            if "time" in x.dims:
                # what is measured is known until the next decision, a price only when it is made
                realised_until = now if self._is_price(part, field_name) else later
                steps = self._step_number(realised_until)
                x = _with_realised_past(x, self.base.data[part][field_name], steps)
            found.setdefault(part, {})[field_name] = x
            self._note_revision((part, field_name), x, now)
        return found

    def _note_revision(self, key: Key, x: xr.DataArray, now: pd.Timestamp) -> None:
        """Remember whether a forecast says something else than at the decision before.

        After the first revision nothing is recorded.
        """
        state = self.state
        if state.revised:
            state.last_forecast.clear()
            return
        before = state.last_forecast.get(key)
        state.revised = before is not None and _revised(before, x, now)
        state.last_forecast[key] = x

    def _is_price(self, part: str, field_name: str) -> bool:
        fields = self.sequence.inputs.parts[part].schema.inputs
        return any(f.name == field_name and "EUR" in f.unit for f in fields)

    def _traded(self) -> list[str]:
        return [part for part in self.sequence.gates.close if "closed" in self.base.data[part]]

    def _with_commitments(self, part: str, d: xr.Dataset, now: pd.Timestamp) -> xr.Dataset:
        """Close what closes before a moment, at the position that was committed."""
        gate_closed = self._in_window(self.sequence.gates.closed(part, now))
        if part in self.answered:
            gate_closed = gate_closed | self.answered[part]
        return d.assign(
            closed=xr.where((d.closed > 0) | gate_closed, 1.0, 0.0),
            committed=self._in_window(self.state.committed[part]),
        )

    def _with_cost_of_revising(
        self, part: str, d: xr.Dataset, now: pd.Timestamp, later: pd.Timestamp
    ) -> xr.Dataset:
        """Say what a trade that may be revised costs beyond its price, and which are executed
        now.
        """
        gates = self.sequence.gates
        risk = 2 * gates.penalty[part] * abs(d.price)
        return d.assign(
            spread=d.spread + risk,
            turnover=self._in_window(self.state.turnover[part]),
            revisable=xr.DataArray(1.0 if self.state.revised else 0.0),
            executed=self._in_window(gates.binding(part, now, later)).astype(float),
        )

    # ---- planning --------------------------------------------------------------------------------

    def _plan(self, known: Inputs, now: pd.Timestamp) -> ModelSolution:
        """Find the best plan; where it charges and discharges at once, again with binaries
        there.
        """
        for _ in range(_ROUNDS):
            plan = self._solved(complementarity.with_flags(known, self.flags))
            if self.sequence.mode != "lazy":
                return plan
            where = complementarity.eligible(self._as_offered(known))
            at_once = complementarity.overlap(known, plan, where)
            offending = {
                key: x for key, x in at_once.items() if float(x.max()) > complementarity.TOLERANCE
            }
            if not offending:
                return plan
            self._add_binaries(known, now, plan, where, offending)
        raise SolverError(
            "a plan that does not charge and discharge at once was not found; solve with"
            " complementarity milp"
        )

    def _add_binaries(
        self,
        known: Inputs,
        now: pd.Timestamp,
        plan: ModelSolution,
        where: complementarity.Flags,
        offending: complementarity.Overlap,
    ) -> None:
        """Build the model again with binaries where it would pay to waste energy; what has happened
        stays.
        """
        duals, reduced = LazyMapping(plan.dual), LazyMapping(plan.reduced)
        wasteful = complementarity.candidates(known, where, offending, duals, reduced)
        for key, x in wasteful.items():
            ahead = x & (x.time >= now.to_datetime64())
            self.flags[key] = ahead | self.flags[key] if key in self.flags else ahead
        self.state.rebuilt += 1
        self.model = self._built(complementarity.with_flags(known, self.flags))

    def _as_offered(self, known: Inputs) -> Inputs:
        """Return inputs with what may be sold as the case says: what was committed does not change
        a rule behind it.
        """
        reserve = self.base.data.get("reserve")
        return known if reserve is None else replace(known, data={**known.data, "reserve": reserve})

    def _solved(self, known: Inputs) -> ModelSolution:
        """Solve the model that stands, on new data; build another where it cannot take them."""
        before = self.known.data
        changed = frozenset(
            part for part, d in known.data.items() if not same_numbers(d, before[part])
        )
        if self.model is None or not self.sequence.in_place:
            self.model = self._built(known)
        elif changed:
            try:
                self.model.update(known, changed)
            except RebuildNeeded:
                self.state.rebuilt += 1
                self.model = self._built(known)
        self.known = known
        return self.model.solve()

    def _built(self, known: Inputs) -> ResolvableModel:
        """Return a model in which all is possible that may become so, brought to what is known.

        One that is not updated again is built on what is known alone.
        """
        in_place = self.sequence.in_place
        opened = _with_open_gates(known, self.sequence) if in_place else known
        model = ResolvableModel(opened, self.sequence.settings)
        model.free_past(tuple(self._traded()))
        if self.model is not None:
            model.copy_past(self.model)
        self.model = model
        if in_place:
            model.update(known, frozenset(known.data))
        self._set_terminal_value()
        return model

    # ---- what is left at the end -----------------------------------------------------------------

    def _set_terminal_value(self) -> None:
        """What is left at the end of a plan is worth what it was in the plan before, where the case
        goes on.
        """
        if not self.sequence.goes_on_after(self.window) or self.model is None:
            return
        at_the_end = last(self.base.calendar.time)
        for part, price in self.state.terminal_value.items():
            (stock,) = self.base.parts[part].terminal_storage
            self.model.set_terminal_value(f"{part}.{stock}", price * at_the_end)

    def _value_of_storage(self, plan: ModelSolution, first: int) -> dict[str, xr.DataArray]:
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

    def _commit(self, plan: ModelSolution, now: pd.Timestamp, later: pd.Timestamp) -> None:
        """Freeze positions that trade now, or whose gate closes before the next decision."""
        steps = self.window.steps
        for part in self._traded():
            name = traded_parts(self.base.parts)[part].quantity
            open_in_case = self.base.data[part].closed == 0
            binding = self._in_window(self.sequence.gates.binding(part, now, later)) & open_in_case
            if part in self.answered:
                binding = binding & ~self.answered[part]

            committed, turnover = self.state.committed[part], self.state.turnover[part]
            before = self._in_window(committed)
            wanted = plan[f"{part}.{name}"]
            position = wanted.where(abs(wanted) > _NOISE, 0.0)
            after = xr.where(binding, position, before).transpose(*before.dims)

            traded = self._in_window(turnover) + abs(after - before)
            self.state.committed[part] = _replaced(committed, steps, after)
            self.state.turnover[part] = _replaced(turnover, steps, traded)
            if part in self.state.offered:
                sure = xr.where(binding, after, self._in_window(self.state.offered[part]))
                self.state.offered[part] = _replaced(self.state.offered[part], steps, sure)

    def _answer_offers(self, plan: ModelSolution, now: pd.Timestamp, later: pd.Timestamp) -> bool:
        """Commit what is accepted of the reserve offered where the gate closes now; return whether
        a plan has to be made that knows it.

        Reserves are answered before energy is traded at the same moment.
        """
        d, part = self.base.data.get("reserve"), "reserve"
        if d is None or part not in self.state.offered:
            return False
        gates = self.sequence.gates
        closing = gates.closed(part, later) & ~gates.closed(part, now)
        closing = self._in_window(closing) & (d.closed == 0)
        wanted = plan[f"{part}.volume"]
        offer = wanted.where(wanted > _NOISE, 0.0)
        sure = (d.accept_probability == 1) & (d["accepted"] == 1)
        if not bool((closing & (offer > 0) & ~sure).any()):
            return False

        steps = self.window.steps
        answers = ((self.state.offered, offer), (self.state.committed, d["accepted"] * offer))
        for kept, volume in answers:
            before = self._in_window(kept[part])
            after = xr.where(closing, volume, before).transpose(*before.dims)
            kept[part] = _replaced(kept[part], steps, after)
        self.answered[part] = closing
        return True

    def _hand_over(self, plan: ModelSolution) -> None:
        """Keep what was done, and the states that the parts declare, as they are where the next
        window begins.
        """
        size = self.window.stop - self.window.first
        levels = {n: plan[n] for n in plan if not n.startswith("node.")}
        self.state.realised.append(
            {n: x.isel(time=slice(0, size)) for n, x in levels.items() if "time" in x.dims}
        )
        if self.sequence.goes_on_after(self.window):
            self.state.terminal_value = self._value_of_storage(plan, size)

        outputs = {n: x.fillna(0.0) for n, x in levels.items()}
        outputs |= postprocessed(self.known, outputs)
        self.state.next_inputs |= self._states_after(outputs, size)
        for owner, inputs in audit.next_states(self.known, self._plans(outputs), size).items():
            self.state.next_inputs |= {(owner, name): x for name, x in inputs.items()}

    def _states_after(
        self, outputs: Mapping[str, xr.DataArray], size: int
    ) -> dict[Key, xr.DataArray]:
        """Inputs of the next window that are outputs at the end of this one."""
        found = {}
        for part, _ in self.base:
            flags = {f.name for f in part.schema.inputs if f.kind == "flag"}
            for name, output in part.state_inputs.items():
                x = outputs.get(f"{part.name}.{output}")
                if x is not None and "time" in x.dims:
                    at_the_end = x.isel(time=size - 1, drop=True)
                    found[part.name, name] = at_the_end.round() if name in flags else at_the_end
        return found

    def _plans(self, outputs: Mapping[str, xr.DataArray]) -> dict[str, xr.Dataset]:
        """Inputs of each part together with its outputs."""
        found = {}
        for part, d in self.known.data.items():
            own = {n.partition(".")[2]: x for n, x in outputs.items() if n.startswith(f"{part}.")}
            found[part] = d.assign(own)
        return found

    # ---- steps -----------------------------------------------------------------------------------

    def _in_window(self, x: xr.DataArray) -> xr.DataArray:
        """Cut an array over all steps of the case to those of the window."""
        return x.isel(time=self.window.steps)

    def _step_number(self, moment: pd.Timestamp) -> int:
        """Return the number of steps of the window that begin before a moment."""
        return int(self.base.calendar.time.searchsorted(moment))


class LazyMapping(Mapping[str, xr.DataArray]):
    """A function of a name, read as a mapping: what nobody asks for is not computed."""

    def __init__(self, value_of: Callable[[str], xr.DataArray]):
        self._value_of = value_of

    def __getitem__(self, name: str) -> xr.DataArray:
        return self._value_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _with_realised_past(x: xr.DataArray, truth: xr.DataArray, steps: int) -> xr.DataArray:
    """Return a forecast with its first steps as they came in truth."""
    if steps <= 0:
        return x
    if set(truth.dims) != set(x.dims):
        truth = truth.broadcast_like(x)
    # numbers without labels: thousands of forecasts are handled in a run
    came, axis = truth.transpose(*x.dims).to_numpy(), x.dims.index("time")
    happened = np.arange(x.sizes["time"]) < steps
    along_time = happened.reshape([-1 if k == axis else 1 for k in range(x.ndim)])
    return x.copy(data=np.where(along_time, came, x.to_numpy()))


def _revised(before: xr.DataArray, x: xr.DataArray, now: pd.Timestamp) -> bool:
    """Return True where two forecasts differ in a step ahead that both have."""
    if "time" not in x.dims:
        return not x.equals(before)
    ahead = x.sel(time=slice(now, None))
    if ahead.sizes["time"]:
        before = before.sel(time=slice(now, ahead.time[-1]))
    if before.sizes["time"]:
        ahead = ahead.sel(time=slice(None, before.time[-1]))
    return not ahead.equals(before)


def _with_open_gates(known: Inputs, sequence: Sequence) -> Inputs:
    """Return inputs in which every gate is open, and every limit that is a forecast leaves
    something possible.
    """
    data = dict(known.data)
    for part, field_name in sequence.forecast.fields:
        declared = next(f for f in known.parts[part].schema.inputs if f.name == field_name)
        # a limit that is 0 all along stays so: least powers would take binaries for it
        ever_open = bool((sequence.inputs.data[part][field_name] > 0).any())
        if declared.unit in _MAY_OPEN and ever_open:
            x = data[part][field_name]
            data[part] = data[part].assign({field_name: xr.where(x == 0, 1.0, x)})
    for part in sequence.gates.close:
        if "closed" in data[part]:
            data[part] = _with_open_gate(data[part])
    return replace(known, data=data)


def _with_open_gate(d: xr.Dataset) -> xr.Dataset:
    """Return the inputs of one part with all its gates open and something committed already."""
    none = xr.zeros_like(d.closed)
    d = d.assign(closed=none, committed=none + 1.0).drop_vars("turnover", errors="ignore")
    if "revisable" in d:
        d = d.assign(revisable=xr.DataArray(1.0), executed=none + 1.0)
    return d


def _replaced(x: xr.DataArray, steps: slice, new: xr.DataArray) -> xr.DataArray:
    x = x.copy()
    x[{"time": steps}] = new.transpose(*x.dims).to_numpy()
    return x
