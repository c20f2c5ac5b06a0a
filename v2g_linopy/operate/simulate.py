"""Operate a case through its gates on forecasts, settle it on what happened, against hindsight
(docs/formulation.md §4).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError, SolverError
from ..model.gates import Gates, gates_of, traded_parts, vintages_of
from ..model.inputs import RESULT_GROUPS, Inputs, inputs_of
from ..model.part import Part, Stage
from ..model.reserve_rules import guarantees_energy
from ..parts.catalogue import PARTS
from ..solve import audit, solve
from ..solve.result import in_profit
from ..solve.solver import Settings
from . import windows
from .checkpoint import Checkpoint, run_of
from .contract_entry import with_contracts
from .day_ahead_bids import BidRule
from .dual_settlement import SETTLEMENTS, with_dual_prices
from .early_departures import has_left, with_chargers_off, with_early_departures
from .forecasts import EXPECTED_VISIT, Forecast, Naive, Perfect, Published, Vintages
from .offer_acceptance import with_drawn_acceptance, with_known_acceptance
from .online import POLICIES, RULE_NOTE, Run, operate_by_rule
from .price_forecasts import first_auction
from .session_outcome import with_calls, with_outcome, without_calls
from .unmanaged import unmanaged
from .windows import Sequence, State, Window

FORECASTS = ("vintage", "published", "naive", "perfect")
_FOLLOWS = (
    "charging",
    "segment",
    "trip_passed",
)  # which way it goes, and in which segments, follows from the power


def simulate(
    case: xr.DataTree,
    *,
    forecast: str | Forecast | None = None,
    start: str | pd.Timestamp | None = None,
    stop: str | pd.Timestamp | None = None,
    every: float = 1.0,
    window: float = 24.0,
    ahead: float | None = 48.0,
    contracts: xr.DataTree | xr.Dataset | None = None,
    seed: int = 0,
    acceptance_seed: int = 0,
    policy: str = "model",
    bids: str | BidRule = "week-ago",
    history: float = 0.0,
    settlement: str = "given",
    hindsight: bool = True,
    checkpoint: str | Path | None = None,
    resume_from: State | None = None,
    on_window: Callable[[State], None] = lambda state: None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    in_place: bool = True,
    complementarity: str = "lazy",
    parts: Mapping[str, Part] = PARTS,
    **options: Any,
) -> xr.DataTree:
    """Operate a case through its gates on forecasts, and settle it on what happened.

    At every decision it plans on what is known by then, freezes what closes, and delivers
    (docs/formulation.md §4). What the groups of the parts say is what happens. `/vintage` says
    what was forecast when, `/gates` when each market and product closes; one without a gate is open
    until delivery.

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/energy`, and with `/imbalance` unless everything is known in advance.
    forecast : {"vintage", "published", "naive", "perfect"} or Forecast, optional
        What a plan knows of later steps: the forecasts of `/vintage` (the default where the case
        has them); prices of auctions once they are published, an hour after the gate, with
        imbalance expected at them; the same hour of an earlier day, a week ago; or all.
    start, stop : str or pandas.Timestamp, optional
        UTC; the part of the case to operate. What lies before is known: naive forecasts need a day
        or a week of it.
    every : float, default 1.0
        Hours between decisions; gates that close between two are a decision of their own.
    window : float, default 24.0
        Hours that are decided in one model.
    ahead : float, default 48.0
        By how many hours the plans of a model reach beyond its window; None: to the end.
    contracts : xarray.DataTree or xarray.Dataset, optional
        A menu with its energies and payments, offered to each session on its arrival as
        `with_contracts` does. A case that has contracts keeps them unless a menu is given.
    seed : int, default 0
        Of the types of owners that `/sessions` does not give.
    acceptance_seed : int, default 0
        Of which reserve offers are accepted, as `with_drawn_acceptance` draws them where the case
        does not say it. It is known once the gate has closed, before energy is traded at the same
        moment; the forecast `perfect` and hindsight know it from the start.
    policy : {"model", "rule", "latest", "unmanaged"}, default "model"
        How it is operated: by a model of the whole case, or session by session, which is exact
        where no row binds two sessions together, and refused elsewhere. `rule` draws in the steps
        that are cheapest by the forecast, and plans each session that may feed in to its own
        departure; `latest` draws as late as the need allows, `unmanaged` at once. A rule decides
        in every step.
    bids : str or BidRule, default "week-ago"
        What a rule bids day-ahead, see `BidRule`: a quantity that was delivered before
        (`week-ago`, `mean-of-days`), nothing (`none`), a position on the spread of prices
        (`saa-backed`, `saa-virtual`, `cvar-backed`, `cvar-virtual`), a `quantile` for two imbalance
        prices, or `known`, a benchmark. The model chooses by itself.
    history : float, default 0.0
        Days before `start` that a rule operates as well, only for its bids to look back to.
    settlement : {"given", "dual"}, default "given"
        `dual`: a rule operates and bids by the prices of the case, and imbalance is settled at two,
        the worse of that of day-ahead and of imbalance (`with_dual_prices`); only the bid
        `quantile` reckons with it.
    hindsight : bool, default True
        Solve the case once more knowing everything, for the regret.
    checkpoint : str or pathlib.Path, optional
        A folder for what every window decided. A run goes on from the windows it finds there, to
        the same result as without the interruption; those of another case or with other options are
        refused. Remove it when done.
    resume_from : State, optional
        Go on from a state that `on_window` was given.
    on_window : callable, default does nothing
        `on_window(state)` is called after every window.
    progress : callable, default does nothing
        `progress(done, of)` is called before every window.
    in_place : bool, default True
        False builds every model anew (slow; for comparison).
    complementarity : {"lazy", "audit", "milp", "off"}, default "lazy"
        As for `solve`.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    **options
        Of the solver, as for `solve`: `solver`, `gap`, `time_limit` (s), `options`.

    Returns
    -------
    xarray.DataTree
        The settled result, as of `solve`, on the steps that were operated, with the group
        `/sequence`: by local day `profit`, `hindsight`, `regret` (EUR); attributes `decisions`,
        `objective_hindsight`, `regret` (EUR), `forecast`.

    Raises
    ------
    SchemaError
        The case, its gates, its forecasts or an argument do not fit; every problem is listed.
    Infeasible
        A decision leaves no plan that keeps every limit.
    SolveError, SolverError, Interrupted
        As `solve`; a solver that cannot take up a model again is a SolverError.
    OutputError
        A checkpoint cannot be written, or is of another run.

    Examples
    --------
    Two hours of a portfolio, decided every two hours. Who knows everything never earns less:

    >>> import v2g_linopy as v2g
    >>> case = v2g.select_window(v2g.sequential(vehicles=1, days=1), 8, 10)
    >>> result = v2g.simulate(case, every=2.0)
    >>> result.attrs["forecast"], result.attrs["regret"] >= -1e-6
    ('vintage', True)
    >>> result["audit"].attrs["passed"]
    1
    """
    rule = bids if isinstance(bids, BidRule) else BidRule(bids)
    _check_policy(policy, rule, history, settlement)
    case = _without_expected(without_calls(case))
    if contracts is not None:
        case = with_contracts(case, contracts, seed=seed)
    case = with_drawn_acceptance(case, acceptance_seed, parts=parts)
    truth = inputs_of(case, parts)
    q = sequence(
        case, truth, forecast, start, stop, every, window, ahead, complementarity, in_place, options
    )
    before = _steps_before(q, history)
    state = fresh(case, q, before) if resume_from is None else resume_from
    comes, run = with_chargers_off(with_early_departures(case)), None
    if comes is not case:
        _check_departures(policy)
    if policy == "model":
        folder = None if checkpoint is None else Path(checkpoint)
        kept = None if folder is None else Checkpoint(folder, run_of(case, truth, q))
        state = _through_windows(q, state, kept, progress, on_window)
    else:
        as_it_comes = truth if comes is case else inputs_of(comes, parts)
        left = has_left(case)
        run = operate_by_rule(truth, as_it_comes, left, q, state, policy, rule, before)
        comes = with_calls(comes, run.called, _delivered(state, truth, q))
        comes = _as_settled(comes, truth, q, run, rule, settlement)

    result = settled(comes, q, state, parts, options)
    result.attrs |= {
        "decisions": state.decisions,
        "models_rebuilt": state.rebuilt,
        "forecast": q.forecast.name,
        "policy": policy,
    }
    if policy != "model":
        result.attrs.update(rule.recorded())
        result.attrs |= {"settlement": settlement, "policy_note": RULE_NOTE}
    if policy != "model" or "contract" in comes.children:
        result = with_outcome(result, None if run is None else run.called[q.steps])
    if contracts is not None:
        result.attrs["seed"] = seed
    if hindsight:
        best = with_hindsight(comes, q, state, result, parts, options)
        result["sequence"] = xr.DataTree(compare_days(result, best))
        result.attrs["objective_hindsight"] = best.attrs["objective"]
        result.attrs["regret"] = best.attrs["objective"] - result.attrs["objective"]
    return result


def _through_windows(
    q: Sequence,
    state: State,
    kept: Checkpoint | None,
    progress: Callable[[int, int], None],
    on_window: Callable[[State], None],
) -> State:
    """Run all windows that are not kept yet, and keep each."""
    if kept is not None:
        state = kept.restore(q, state)
    for after in windows.run_windows(q, state, progress):
        if kept is not None:
            kept.save(q, after)
        on_window(after)
    return state


def _delivered(state: State, truth: Inputs, q: Sequence) -> np.ndarray:
    """Energy fed in by a rule on (step, member), 0 where nothing was operated (kWh)."""
    power = state.realised[0]["fleet.discharge"].transpose("time", "fleet").to_numpy()
    delivered = np.zeros((len(truth.calendar.time), power.shape[1]))
    delivered[q.steps] = truth.dt * power
    return delivered


def _check_policy(policy: str, rule: BidRule, history: float, settlement: str) -> None:
    """Raise for words that are not known and numbers out of range, all at once."""
    known = {"policy": (policy, POLICIES), "settlement": (settlement, SETTLEMENTS)}
    problems = [
        Problem(name, "choice", f"{word!r} is not one of {', '.join(words)}")
        for name, (word, words) in known.items()
        if word not in words
    ]
    problems += rule.problems()
    if not history >= 0:
        problems.append(Problem("history", "range", f"{history!r} is not at least 0 days"))
    if policy == "model" and settlement == "dual":
        detail = "a model plans for the prices of its case; give it a case with two prices"
        problems.append(Problem("settlement", "choice", detail))
    if policy == "model" and history:
        detail = "a model does not look back to what it delivered; leave it out"
        problems.append(Problem("history", "choice", detail))
    if problems:
        raise SchemaError(problems, source="the simulation")


def _steps_before(q: Sequence, history: float) -> int:
    """Return the number of steps before the first that are operated for their history.

    Raises
    ------
    SchemaError
        The case begins later than that.
    """
    steps = round(history * 24 / q.inputs.dt)
    if steps > q.steps.start:
        there = q.steps.start * q.inputs.dt / 24
        detail = f"{history:g} days before the start are not in the case, which has {there:g}"
        raise SchemaError([Problem("history", "range", detail)], source="the simulation")
    return steps


def _without_expected(case: xr.DataTree) -> xr.DataTree:
    """Return the case without what an earlier run expected, where it is the result of one."""
    if "energy" not in case.children or "expected" not in case["energy"]:
        return case
    energy = case.children["energy"].to_dataset(inherit=False).drop_vars("expected")
    return case.assign(energy=xr.DataTree(energy))


def _as_settled(
    comes: xr.DataTree, truth: Inputs, q: Sequence, run: Run, rule: BidRule, settlement: str
) -> xr.DataTree:
    """Return the case with the quantity that was expected, at the prices it is settled at."""
    tree = comes
    if rule.expected != rule.kind:
        on_time = np.zeros(len(q.time))
        on_time[q.steps] = run.expected
        expected = xr.DataArray(on_time, {"time": q.time}, attrs={"units": "kW"})
        energy = comes.children["energy"].to_dataset(inherit=False).assign(expected=expected)
        tree = comes.assign(energy=xr.DataTree(energy))
    if settlement == "given":
        return tree
    return with_dual_prices(tree, market=first_auction(truth, q.gates), parts=truth.parts)


def _check_departures(policy: str) -> None:
    """Raise where cars leave early and a model would know it in advance."""
    if policy == "model":
        detail = (
            "some sessions leave before their departure, or their chargers are switched off, which"
            " a model of the case would know in advance; operate it by a rule"
        )
        raise SchemaError([Problem("sessions.left", "choice", detail)], source="the simulation")


def sequence(
    case: xr.DataTree,
    truth: Inputs,
    forecast: str | Forecast | None,
    start: str | pd.Timestamp | None,
    stop: str | pd.Timestamp | None,
    every: float,
    window: float,
    ahead: float | None,
    complementarity: str,
    in_place: bool,
    options: Mapping[str, Any],
) -> Sequence:
    """Read how a case is to be run.

    Raises
    ------
    SchemaError
        Listing every problem of the gates, the forecasts and the arguments.
    SolverError
        A solver that cannot take up a model again.
    """
    if options.get("solver", "highs") != "highs":
        raise SolverError(
            "a sequence solves its models in place, which HiGHS does; choose the solver highs"
        )
    known = vintages_of(case, truth)
    gates = gates_of(case, truth)
    source = _forecast(forecast, truth, known, gates)
    problems = _unfit(truth, source, every, window, ahead)
    first, end = (
        _step(truth, at, name, problems) for at, name in ((start, "start"), (stop, "stop"))
    )
    if not problems and first >= end:
        problems.append(Problem("stop", "time", "must lie after start"))
    if problems:
        raise SchemaError(problems, source="the simulation")

    settings = Settings(
        options.get("solver", "highs"),
        dict(options.get("options") or {}),
        options.get("gap"),
        options.get("time_limit"),
    )
    return Sequence(
        inputs=source.planned(truth),
        gates=gates,
        forecast=source,
        windows=_windows(first, end, window, ahead, truth.dt),
        every=every,
        settings=settings,
        mode=complementarity,
        in_place=in_place,
    )


def _windows(
    first: int, end: int, window: float, ahead: float | None, dt: float
) -> tuple[Window, ...]:
    """Cut steps into windows of some hours, whose plans reach some hours beyond them."""
    size = max(1, round(window / dt))
    beyond = end if ahead is None else max(1, round(ahead / dt))
    begins = range(first, end, size)
    return tuple(
        Window(begin, min(begin + size, end), min(begin + size + beyond, end)) for begin in begins
    )


def _forecast(
    wanted: str | Forecast | None,
    truth: Inputs,
    known: Mapping[Any, xr.DataArray],
    gates: Gates,
) -> Forecast:
    if wanted is None:
        wanted = "vintage" if known else "perfect"
    if not isinstance(wanted, str):
        return wanted
    if wanted == "vintage" and not known:
        detail = "the case has no group /vintage; give it, or choose naive or perfect"
        raise SchemaError([Problem("forecast", "missing", detail)], source="the simulation")
    sources: dict[str, Callable[[], Forecast]] = {
        "vintage": lambda: Vintages(known),
        "published": lambda: Published(truth, gates),
        "naive": lambda: Naive(truth),
        "perfect": Perfect,
    }
    if wanted not in sources:
        detail = f"{wanted!r} is not one of {', '.join(FORECASTS)}"
        raise SchemaError([Problem("forecast", "choice", detail)], source="the simulation")
    return sources[wanted]()


def _unfit(
    truth: Inputs, source: Forecast, every: float, window: float, ahead: float | None
) -> list[Problem]:
    """What keeps a case from being run in sequence."""
    problems = []
    if truth.calendar.scenario is not None:
        detail = "a case with scenarios is solved, not simulated; take one of them"
        problems.append(Problem("scenario", "dims", detail))
    if "energy" not in truth.data:
        detail = "missing: a sequence needs at least one energy market"
        problems.append(Problem("energy", "missing", detail))
    elif source.fields and "imbalance" not in truth.data:
        detail = (
            "missing: what is sold on a forecast is not what is delivered; give its price_long and"
            " limit"
        )
        problems.append(Problem("imbalance", "missing", detail))
    if "in_force" in truth.data.get("contract", ()):
        detail = "is a plan for types of owners, not one with owners; offer a menu to the sessions"
        problems.append(Problem("contract.in_force", "consistency", detail))
    for name, hours in (("every", every), ("window", window), ("ahead", ahead)):
        if hours is None:
            continue
        steps = hours / truth.dt
        fewest = 0 if name == "ahead" else 1
        if steps < fewest or abs(steps - round(steps)) > 1e-9:
            detail = f"{hours:g} h is no whole number of steps of {truth.dt:g} h"
            problems.append(Problem(name, "range", detail))
    return problems


def _step(truth: Inputs, at: str | pd.Timestamp | None, name: str, problems: list[Problem]) -> int:
    """Return the position of a time stamp among the steps; the ends where none is given."""
    time = truth.calendar.time
    if at is None:
        return 0 if name == "start" else len(time)
    try:
        stamp = pd.Timestamp(at)
    except ValueError:
        detail = f"{at!r} is no time; give UTC such as 2026-03-01 or 2026-03-01T12:00"
        problems.append(Problem(name, "time", detail))
        return 0
    stamp = stamp if stamp.tz is None else stamp.tz_convert("UTC").tz_localize(None)
    steps = (stamp - time[0]) / pd.Timedelta(hours=truth.dt)
    if not 0 <= steps <= len(time) or steps != round(steps):
        detail = f"{stamp} UTC is no step of the case, {time[0]} to {time[-1]} UTC"
        problems.append(Problem(name, "time", detail))
        return 0
    return int(steps)


def fresh(case: xr.DataTree, q: Sequence, before: int = 0) -> State:
    """Return the state before anything is decided, so many steps before the first.

    Vehicles that came earlier have charged unmanaged.
    """
    committed, turnover = {}, {}
    for part in traded_parts(q.inputs.parts):
        member, d = q.inputs.parts[part].member, q.inputs.data.get(part)
        if d is None or "committed" not in d:
            continue
        axes = {member: d.indexes[member], "time": q.time}
        zeros = xr.DataArray(0.0, coords=axes, dims=list(axes))
        committed[part] = (d.committed + zeros).transpose(member, "time")
        traded = d["turnover"] + zeros if "turnover" in d else abs(committed[part])
        turnover[part] = traded.transpose(member, "time")
    state = State(committed, turnover)
    if "accepted" in q.inputs.data.get("reserve", ()):
        state.offered["reserve"] = xr.zeros_like(committed["reserve"])
    first = q.windows[0].first - before
    if first and (energy := _charged_before(case, q, first)) is not None:
        key = "fleet", "energy_initial"
        state.initial_inputs[key] = state.next_inputs[key] = energy
    return state


def _charged_before(case: xr.DataTree, q: Sequence, first: int) -> xr.DataArray | None:
    """Energy on board before a step, kWh on fleet; expected visits have none."""
    fleet = q.inputs.data.get("fleet")
    if fleet is None or not fleet.sizes["fleet"]:
        return None
    charge = unmanaged(case, parts=q.inputs.parts)
    before = slice(0, first)
    d = fleet.isel(time=before).sel(fleet=charge.indexes["fleet"])
    zeros = xr.zeros_like(charge.isel(time=before))
    names = ("keep", "energy_in", "energy_out", "eta_charge", "energy_max")
    x = {n: (d[n] + zeros).transpose("time", "fleet").to_numpy() for n in names}
    drawn = charge.transpose("time", "fleet").to_numpy()

    energy = d.energy_initial.to_numpy() + 0.0 * drawn[0]
    for t in range(first):
        arrived = x["keep"][t] * energy + x["energy_in"][t] - x["energy_out"][t]
        gained = q.inputs.dt * x["eta_charge"][t] * drawn[t]
        energy = np.clip(arrived + gained, 0.0, x["energy_max"][t])
    there = xr.DataArray(energy, coords={"fleet": charge.indexes["fleet"]}, dims="fleet")
    return there.reindex(fleet=fleet.indexes["fleet"], fill_value=0.0)


def settled(
    case: xr.DataTree,
    q: Sequence,
    state: State,
    parts: Mapping[str, Part],
    options: Mapping[str, Any],
) -> xr.DataTree:
    """Return what was delivered, at the prices that came.

    It is a result, solved with every decision fixed.

    It has no shadow prices: where nothing is left to decide, there is only what imbalance costs.
    """
    tree = _cut(case, q, state)
    for part, committed in state.committed.items():
        group = tree[part].to_dataset()
        kilowatt = {"units": "kW"}
        traded = {"closed": xr.ones_like(committed), "committed": committed.assign_attrs(kilowatt)}
        if parts[part].has("turnover"):
            traded["turnover"] = state.turnover[part].assign_attrs(kilowatt)
        group = group.drop_vars([n for n in traded if n in group])
        if part in state.offered:
            traded["volume_offered"] = state.offered[part].assign_attrs(kilowatt)
        operated = {n: x.isel(time=q.steps) for n, x in traded.items()}
        tree[part] = xr.DataTree(group.assign(operated))
    # with every decision fixed nothing is left that blocks would make faster
    asked = {**options, "blocks": False, "complementarity": "off", "parts": parts}
    result = solve.solve(tree, fix=_done(q, state), **asked)
    result.attrs["complementarity"] = ""
    return result.filter(lambda node: node.name not in ("price", "dual", "reduced_cost"))


def _cut(case: xr.DataTree, q: Sequence, state: State) -> xr.DataTree:
    """Return the case on the steps that were operated, as it stood where they begin."""
    groups = {}
    for name, node in case.children.items():
        if name not in (*RESULT_GROUPS, "vintage"):
            group = node.to_dataset(inherit=False)
            groups[name] = group.isel(time=q.steps) if "time" in group.dims else group

    for (asset, field), before in state.initial_inputs.items():
        group = groups[asset]
        at_start = before.sel(fleet=group.indexes["fleet"]).assign_attrs(units="kWh")
        groups[asset] = group.assign({field: at_start})

    if guarantees_energy(q.inputs.data.get("reserve")):
        # on two paths from the start, also where nothing came to be sold
        empty = xr.DataArray(0.0, attrs={"units": "kWh"})
        for part, _ in q.inputs:
            group = groups[part.name]
            if part.has("baseline_initial") and "baseline_initial" not in group:
                on_board = group.get("energy_initial", empty)
                groups[part.name] = group.assign(baseline_initial=on_board)

    root = case.to_dataset().isel(time=q.steps)
    return xr.DataTree.from_dict({"/": root, **{f"/{n}": g for n, g in groups.items()}})


def _done(q: Sequence, state: State) -> dict[str, xr.DataArray]:
    """Every decision about assets, and the shares of reserves that they hold, over all windows."""
    assets = {p.name for p, _ in q.inputs if p.stage is Stage.ASSET}
    found = {}
    for name in dict.fromkeys(n for window in state.realised for n in window):
        part, _, field_name = name.partition(".")
        share = part == "reserve" and field_name.startswith("share_")
        if field_name.startswith(_FOLLOWS) or not (part in assets or share):
            continue
        x = _over_all_windows(q, state, name)
        if part in assets or float(x.max()) > 0:
            found[name] = x
    return found


def _over_all_windows(q: Sequence, state: State, name: str) -> xr.DataArray:
    """Put what was done with a variable in each window together, without expected visits."""
    known = [window[name] for window in state.realised if name in window]
    x = xr.concat(known, "time").reindex(time=q.time[q.steps]).fillna(0.0)
    x = x.transpose(*known[0].dims)
    for dim in x.dims:
        if dim != "time" and x.indexes[dim].dtype.kind in "OUT":
            expected = x.indexes[dim].astype(str).str.startswith(EXPECTED_VISIT)
            x = x.isel({dim: ~expected})
    return x


def with_hindsight(
    case: xr.DataTree,
    q: Sequence,
    state: State,
    result: xr.DataTree,
    parts: Mapping[str, Part],
    options: Mapping[str, Any],
) -> xr.DataTree:
    """Return the best plan that knows everything.

    Its positions may exceed it by as much as those of the run did.
    """
    tree = _cut(case, q, state)
    if "accepted" in tree.children.get("reserve", ()):
        tree["reserve"] = xr.DataTree(with_known_acceptance(tree["reserve"].to_dataset()))
    energy = tree["energy"].to_dataset()
    beyond = audit.unbacked(result, parts).drop_attrs()
    tree["energy"] = xr.DataTree(energy.assign(unbacked=beyond.assign_attrs(units="kW")))
    return solve.solve(tree, complementarity=q.mode, parts=parts, **options)


def compare_days(result: xr.DataTree, best: xr.DataTree) -> xr.Dataset:
    """Return the profit by local day, as it came and with hindsight, and the regret (EUR).

    The regret is that of the objective: penalties count. What has no time, such as a fee of a
    month, stands in `profit_undated`, `hindsight_undated` and `regret_undated`; with it the days
    add up to the profit. `penalties` and `penalties_hindsight` are those of the whole run.
    """
    money = {"units": str(result.attrs.get("currency", "EUR"))}
    found = xr.Dataset()
    for name, tree in (("profit", result), ("hindsight", best)):
        found[name], found[f"{name}_undated"] = _by_day(tree, in_profit)
    (all_days, all_rest), (best_days, best_rest) = (
        _by_day(tree, lambda entry: True) for tree in (result, best)
    )
    found["regret"], found["regret_undated"] = best_days - all_days, best_rest - all_rest
    for name, tree in (("penalties", result), ("penalties_hindsight", best)):
        days, rest = _by_day(tree, lambda entry: not in_profit(entry))
        found[name] = days.sum() + rest
    for x in found.data_vars.values():
        x.attrs |= money
    return found


def _by_day(tree: xr.DataTree, counts: Callable[[str], bool]) -> tuple[xr.DataArray, xr.DataArray]:
    """Sum the entries of the ledger that count by local day, and those that have no time."""
    time = pd.DatetimeIndex(tree.to_dataset().indexes["time"])
    zone = str(tree.attrs.get("timezone", "UTC"))
    day = time.tz_localize("UTC").tz_convert(zone).strftime("%Y-%m-%d")
    total = xr.zeros_like(xr.DataArray(np.zeros(len(time)), coords={"time": time}, dims="time"))
    rest = xr.DataArray(0.0)
    for name, x in tree["ledger"].to_dataset().data_vars.items():
        if not counts(str(name)):
            continue
        if "time" in x.dims:
            total = total + x.sum([d for d in x.dims if d != "time"])
        else:
            rest = rest + x.sum()
    days = xr.DataArray(day, coords={"time": time}, dims="time", name="day")
    return total.groupby(days).sum(), rest
