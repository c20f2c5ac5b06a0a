"""From the last mix of a large fleet to the plan of every vehicle, its bill and the certificate
(docs/formulation.md §12 C).
"""

import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import Infeasible, Problem, SchemaError, SolveError, SolverError
from ...model.inputs import Inputs
from .. import complementarity, solver
from ..merge import Merged
from ..oracle import Plans
from ..oracle_members import FLEET, Choice, choose, ledger_of, outputs_of
from ..result import Solved
from ..solution import read_solution
from ..solver import Settings
from .interior_point import fits
from .large_fleets import NEGLIGIBLE, Loop, in_groups, one_way_at_a_time
from .large_fleets_master import LevelTwo, Rest, Round
from .planned_vehicles import OFFERED, PLANNED, SHARE, with_planned_vehicles
from .vehicle_batches import VEHICLES, Kept, in_batches

GAP_LIMIT = "gap_limit"
_ROUNDS = {"decompose": 300, "oracle": 2}
_SMOOTHING = 0.8  # of the best prices so far, where there are many steps
_MANY_STEPS = 48
_GROUPS = 100
_TOLERANCE = {"decompose": 1e-6, "oracle": 1e-9}  # relative, where none is asked for
_ROUNDING = 1e-9
_WASTING = "room for reserves is worth so much that charging and discharging at once pays"
_IDLE = (
    *("charge_max", "discharge_max", "energy_min", "energy_max", "energy_initial", "keep"),
    *("energy_in", "energy_out", "spill_max", "need_billed", "calendar_cost", "calendar_cost_soc"),
)


@dataclass(frozen=True)
class Decomposed:
    """A plan of all vehicles, and what it took."""

    solved: Solved
    attributes: Mapping[str, str | int | float]
    rounds: xr.Dataset

    def by_its_own_method(self) -> "Decomposed":
        """Return the same, named after the oracle where its first answer alone was the plan."""
        told = self.attributes
        alone = told["messages"] == 1 and told["batched_members"] == 0
        return replace(self, attributes={**told, "method": "oracle"}) if alone else self


def solve_large_fleet(inputs: Inputs, settings: Settings, method: str) -> Decomposed:
    """Plan a fleet by the oracle, and the rest of the case by level two.

    Parameters
    ----------
    inputs : Inputs
        A validated case with a fleet.
    settings : Settings
        With the relative gap that is wanted (1e-6 where none is given).
    method : {"oracle", "decompose"}
        `oracle` takes the first answer to the prices of the rest and refuses where it is not the
        best plan, as something couples the vehicles; `decompose` goes on.

    Raises
    ------
    SchemaError
        The case cannot be solved so, with the reasons.
    NotServed
        No plan of some vehicles keeps their limits.
    Infeasible
        The vehicles together cannot keep a limit, with the steps and kW.
    """
    start = clock.perf_counter()
    choice = choose(inputs)
    if method == "oracle":
        choice = choice.by_the_oracle_alone()
    if problems := _unfit(inputs, settings, choice):
        raise SchemaError(problems, source=f"method {method}")
    tolerance = _TOLERANCE[method] if settings.gap is None else settings.gap
    rounds = _ROUNDS[method]
    loop, now = solved_by_rounds(inputs, choice, settings, tolerance, rounds)
    is_open = loop.bound - now.value > tolerance * max(1.0, abs(now.value))
    if is_open and loop.wasting and method == "decompose":
        choice = choice.in_batches(np.array(sorted(loop.wasting)), _WASTING)
        loop, now = solved_by_rounds(inputs, choice, settings, tolerance, rounds)
        is_open = loop.bound - now.value > tolerance * max(1.0, abs(now.value))
    if loop.bound == np.inf:
        detail = f"{_WASTING}; use decompose or whole"
        raise SchemaError([Problem("reserve", "coupling", detail)], source=f"method {method}")
    if method == "oracle" and is_open:
        raise _coupled(loop.level, now)
    level, rest = loop.level, loop.level.inputs
    _all_there(now, rest, settings)

    given = _Given.mixed(loop, now)
    given, beside = _final(given)
    optimum = beside.optimum
    found = read_solution(beside.built, beside.matrix, optimum, Merged({}), rest)
    dual, reduced = level.prices(now.optimum)
    found = replace(found, dual=dual, reduced=reduced)
    outputs, bill, own_cost = given.as_sold(found).read(inputs, choice)

    whole = _with_vehicles(inputs, choice, _without_planned(found), outputs, bill)
    whole = _one_way(inputs, whole, method)
    total = sum(float(x.sum()) for x in whole.ledger.values())
    constant = total - (optimum.objective - own_cost)
    whole = replace(whole, solve_seconds=clock.perf_counter() - start)
    return _certified(inputs, settings, method, choice, loop, whole, constant)


def solved_by_rounds(
    inputs: Inputs,
    choice: Choice,
    settings: Settings,
    tolerance: float,
    rounds: int = _ROUNDS["decompose"],
) -> tuple[Loop, Round]:
    """Return the rounds of prices and plans, and the last of level two."""
    planned, batched = np.flatnonzero(choice.planned), np.flatnonzero(choice.batched)
    rest = _rest(inputs, choice.apart)
    rest = with_planned_vehicles(inputs, rest, np.flatnonzero(choice.apart))
    fleet = in_groups(inputs, planned, rest.pods, min(_GROUPS, max(1, len(planned) // 4)))
    endless = replace(settings, gap=None, deadline=None)  # the loop looks at the clock
    some = len(batched) > 0
    batches = in_batches(inputs, batched, rest.pods, _GROUPS, endless) if some else None
    groups = fleet.groups + (0 if batches is None else batches.groups)
    level = LevelTwo(rest, groups, _penalty(inputs), endless)
    smoothing = _SMOOTHING if fleet.steps > _MANY_STEPS else 0.0
    jumps = rounds > _ROUNDS["oracle"] and not some and fits(fleet.stays, level.node.shape)
    loop = Loop(level, fleet, tolerance, smoothing, batches, jumps)
    return loop, loop.run(rounds, settings)


# ---- what is solved so ---------------------------------------------------------------------------


def _unfit(inputs: Inputs, settings: Settings, choice: Choice) -> list[Problem]:
    """Return why a case cannot be solved so."""
    problems = []
    if settings.solver != "highs":
        problems.append(Problem("solver", "choice", f"{settings.solver!r}; level two needs highs"))
    if inputs.calendar.scenario is not None:
        problems.append(Problem("scenario", "coupling", "scenarios share decisions; use whole"))
    for name, d in inputs.data.items():
        if name != FLEET and (name == "contract" or FLEET in d.dims):
            detail = "says something of each vehicle; use whole"
            problems.append(Problem(f"/{name}", "coupling", detail))
    if not choice.apart.any():
        detail = f"no vehicle can be planned by itself ({choice.sentence}); use whole"
        problems.append(Problem("fleet", "coupling", detail))
    return problems


def _rest(inputs: Inputs, planned: np.ndarray) -> Inputs:
    """Return the case with the vehicles that stay in the linear programme, and an idle one where a
    pod would have none.
    """
    d = inputs.data[FLEET]
    pods = pd.Series(d.pod.astype(str).to_numpy())
    first = ~pods.duplicated().to_numpy()
    kept = ~planned | first
    some = d.isel(fleet=np.flatnonzero(kept))
    works = xr.DataArray(~planned[kept], {"fleet": some.indexes["fleet"]}, dims=["fleet"])
    idle = {name: some[name].where(works, 0.0) for name in _IDLE if name in some}
    idle["slack_cost"] = some.slack_cost.where(works)
    return replace(inputs, data={**inputs.data, FLEET: some.assign(idle).assign_attrs(d.attrs)})


def _penalty(inputs: Inputs) -> float:
    """Return what missing power costs at first (EUR/kWh): more than what vehicles would pay."""
    d = inputs.data[FLEET]
    own = float(d.unserved_cost.fillna(0.0).max()) + float(d.slack_cost.fillna(0.0).max())
    traded = inputs.data["energy"].price if "energy" in inputs.data else xr.DataArray(0.0)
    return 3.0 + 2.0 * (own + float(abs(traded).max()))


def _coupled(level: LevelTwo, now: Round) -> SchemaError:
    """Say what couples the vehicles."""
    words = "; ".join(level.binding(now.optimum)) or "the rest of the case"
    detail = f"the vehicles are coupled by {words}; solve with method decompose or whole"
    return SchemaError([Problem("method", "coupling", detail)], source="method oracle")


def _all_there(now: Round, rest: Inputs, settings: Settings) -> None:
    """Raise where power is missing in the last mix."""
    if float(now.missing.max()) <= NEGLIGIBLE:
        return
    if settings.left == 0:
        raise SolveError("stopped without a plan: time limit", status=solver.TIME_LIMIT)
    lines = []
    for pod, step in np.argwhere(now.missing > NEGLIGIBLE)[:5]:
        at = f"{rest.calendar.time[step]:%Y-%m-%d %H:%M}"
        lines.append(f"{now.missing[pod, step]:.6g} kW at {rest.pods[pod]}, {at}")
    raise Infeasible("no plans of the vehicles keep every limit together: " + "; ".join(lines))


# ---- the plan ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    """Plans of all vehicles that are planned apart from the rest."""

    loop: Loop
    price: np.ndarray  # the last of level two, on (pod, quantity, time)
    plans: Plans  # by the oracle
    kept: Kept | None  # in batches

    @classmethod
    def mixed(cls, loop: Loop, now: Round) -> "_Given":
        """Return the mix of level two."""
        weight, own = loop.weights(now), loop.fleet.groups
        plans = loop.fleet.mixed(weight[:, :own], loop.messages)
        kept = None if loop.batches is None else loop.batches.kept(weight[:, own:], now.price)
        return cls(loop, now.price, plans, kept)

    def one_way(self) -> "_Given":
        """Return the plans in which no vehicle of the oracle charges and discharges at once."""
        return replace(self, plans=one_way_at_a_time(self.loop.fleet.stays, self.plans))

    def total(self) -> np.ndarray:
        """Return what all give (kW, on pod, quantity and time)."""
        given, _ = self.loop.fleet.sums(self.plans)
        found = np.zeros(self.loop.level.place.shape)
        np.add.at(found, self.loop.fleet.pod, given)
        if self.loop.batches is not None and self.kept is not None:
            found += self.loop.batches.at_pods(self.kept, len(found))
        return found

    def as_sold(self, found: Solved) -> "_Given":
        """Return the plans with the reserve that is sold of what they hold."""
        held = self.total()[:, 1:]
        sold = np.zeros_like(held)
        if SHARE in found.solution:
            sold = found.solution[SHARE].transpose(PLANNED, "product", "time").fillna(0).to_numpy()
        part = np.where(held > 0, np.clip(sold / np.where(held > 0, held, 1.0), 0.0, 1.0), 1.0)
        pods, products, steps = part.shape
        of_place = part.transpose(0, 2, 1).reshape(pods * steps, products)
        plans = replace(self.plans, held=self.plans.held * of_place[self.loop.fleet.stays.place])
        if self.loop.batches is None or self.kept is None:
            return replace(self, plans=plans)
        kept = self.loop.batches.sold(self.kept, part, self.price)
        return replace(self, plans=plans, kept=kept)

    def read(
        self, inputs: Inputs, choice: Choice
    ) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray], float]:
        """Return outputs and bill of the vehicles by name, and their own cost (EUR)."""
        vehicles, stays = np.flatnonzero(choice.planned), self.loop.fleet.stays
        outputs, bill, own_cost = dict[str, xr.DataArray](), dict[str, xr.DataArray](), 0.0
        if len(vehicles):
            outputs = outputs_of(inputs, vehicles, stays, self.plans)
            bill = ledger_of(inputs, vehicles, outputs)
            own_cost = float(self.plans.own_cost(stays).sum())
            _same_bill(inputs, vehicles, bill, own_cost)
        if self.loop.batches is None or self.kept is None:
            return outputs, bill, own_cost
        more, paid, cost = self.loop.batches.read(self.kept)
        return side_by_side(outputs, more), side_by_side(bill, paid), own_cost + cost


def _final(given: _Given) -> tuple[_Given, Rest]:
    """Return the plans of all vehicles, none of which charges and discharges at once, and the best
    rest beside them.
    """
    for plans in (given.one_way(), given):
        try:
            return plans, given.loop.level.beside(plans.total())
        except SolveError as error:
            problem = error
    raise problem


def _without_planned(found: Solved) -> Solved:
    """Leave out what stands for all vehicles together: they stand in the result themselves."""

    def others(arrays: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
        return {n: x for n, x in arrays.items() if n not in (SHARE, OFFERED)}

    solution, dual, reduced = map(others, (found.solution, found.dual, found.reduced))
    return replace(found, solution=solution, dual=dual, reduced=reduced)


def _same_bill(
    inputs: Inputs, vehicles: np.ndarray, bill: Mapping[str, xr.DataArray], own_cost: float
) -> None:
    """Raise where the bill of the vehicles is not what the oracle has minimised."""
    paid = -sum(float(x.sum()) for x in bill.values())
    fixed = -sum(float(x.sum()) for x in ledger_of(inputs, vehicles, {}).values())
    moved = sum(float(abs(x).sum()) for x in bill.values())
    if (off := abs(paid - fixed - own_cost)) > 1e-6 * max(1.0, moved):
        raise SolverError(f"the plans of the vehicles and their bill differ by {off:.3g}")


def _with_vehicles(
    inputs: Inputs,
    choice: Choice,
    found: Solved,
    outputs: Mapping[str, xr.DataArray],
    bill: Mapping[str, xr.DataArray],
) -> Solved:
    """Put the plans of the vehicles beside the rest."""
    names = inputs.data[FLEET].indexes["fleet"]
    others = names[~choice.apart]

    def joined(
        rest: Mapping[str, xr.DataArray], more: Mapping[str, xr.DataArray]
    ) -> dict[str, xr.DataArray]:
        """Return arrays of both, those of vehicles on all of them."""
        own = {n: x.sel(fleet=others) if "fleet" in x.dims else x for n, x in rest.items()}
        both = side_by_side(own, more)
        return {n: x.reindex(fleet=names) if "fleet" in x.dims else x for n, x in both.items()}

    ledger = joined(found.ledger, bill)
    return replace(
        found,
        solution=joined(found.solution, outputs),
        ledger={n: x.fillna(0.0) if "fleet" in x.dims else x for n, x in ledger.items()},
        dual=joined(found.dual, {}),
        reduced=joined(found.reduced, {}),
    )


def side_by_side(
    first: Mapping[str, xr.DataArray], more: Mapping[str, xr.DataArray]
) -> dict[str, xr.DataArray]:
    """Return arrays by name of two sets of vehicles, without those that are of none."""
    found: dict[str, xr.DataArray] = {}
    for name in dict.fromkeys([*first, *more]):
        some = [x for x in (first.get(name), more.get(name)) if x is not None]
        there = [x for x in some if x.sizes.get("fleet", 1)]
        if there and "fleet" in there[0].dims:
            there = [x.transpose("fleet", ...) for x in there]
        if there:
            found[name] = xr.concat(there, "fleet") if len(there) > 1 else there[0]
    return found


def _one_way(inputs: Inputs, whole: Solved, method: str) -> Solved:
    """Say that nothing charges and discharges at once, or raise where it does."""
    at_once = complementarity.overlap(inputs, whole.solution, complementarity.eligible(inputs))
    largest = max((float(x.max()) for x in at_once.values()), default=0.0)
    if largest > complementarity.TOLERANCE:
        detail = f"a storage charges and discharges at once, by up to {largest:.3g} kW; use whole"
        raise SchemaError(
            [Problem("complementarity", "coupling", detail)], source=f"method {method}"
        )
    words = complementarity.sentence(inputs, "lazy", 0, 0, at_once, lost=0.0)
    return replace(whole, complementarity=words, overlap=largest)


def _certified(
    inputs: Inputs,
    settings: Settings,
    method: str,
    choice: Choice,
    loop: Loop,
    whole: Solved,
    constant: float,
) -> Decomposed:
    """Return the result with its bound; both are of the whole bill, with what nobody decides."""
    total = sum(float(x.sum()) for x in whole.ledger.values())
    bound = loop.bound + constant
    gap = max(0.0, bound - total) / max(1.0, abs(total))
    status = "optimal" if gap <= loop.tolerance + _ROUNDING else GAP_LIMIT
    if status != "optimal" and settings.left == 0:
        status = solver.TIME_LIMIT
    planned, batched = int(choice.planned.sum()), int(choice.batched.sum())
    attributes: dict[str, str | int | float] = {
        "method": method,
        "rounds": len(loop.log),
        "messages": len(loop.messages),
        "first_prices": _first_prices(loop),
        "groups": loop.groups,
        "bound": bound,
        "certified_gap": gap,
        "oracle_members": planned,
        "lp_members": len(choice.planned) - planned,
        "batched_members": batched,
        "lp_reasons": choice.sentence,
    }
    words = [f"{planned} vehicles planned by the segment oracle"] if planned else []
    words += [f"{batched} in batches of {VEHICLES}"] if batched else []
    note = f"{', '.join(words)}, the rest as one block"
    optimum = replace(whole.optimum, status=status, gap=gap, bound=bound, note=note)
    return Decomposed(replace(whole, optimum=optimum), attributes, _rounds(loop, constant, inputs))


def _first_prices(loop: Loop) -> str:
    """Say where the prices of the rounds began."""
    if (found := loop.interior) is None:
        return "those of the rest alone"
    words = f"interior point of {found.iterations} iterations"
    if found.plans is None:
        return f"{words} over a sample of the vehicles"
    return words + (f", {found.repaired} stays planned again" if found.repaired else "")


def _rounds(loop: Loop, constant: float, inputs: Inputs) -> xr.Dataset:
    """Return value and bound by round."""
    money, power = inputs.calendar.currency, "kW"
    value, bound, missing, seconds = np.array(loop.log).T.reshape(4, -1)
    words = {
        "value": (value + constant, money, "value of the mix, with what missing power costs"),
        "bound": (bound + constant, money, "no plan is worth more"),
        "missing_power": (missing, power, "largest power that no plan injects or draws"),
        "seconds": (seconds, "s", "since the first round began"),
    }
    found = {n: ("round", x, {"units": u, "long_name": w}) for n, (x, u, w) in words.items()}
    return xr.Dataset(found, coords={"round": np.arange(1, len(value) + 1)})


__all__ = ["Decomposed", "solve_large_fleet"]
