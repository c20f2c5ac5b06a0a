"""Bands: what every site can do at each moment, and what it costs to shift
(docs/formulation.md §11).

Each value alone can be reached. All together need not be: a site that takes the most in one hour
cannot take the most in the next. Bands are to look at; what is promised is a plan.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..case.schema import suggest
from ..errors import Problem, SchemaError, SolveError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part, Stage
from ..parts.catalogue import PARTS
from ..solve.decompose.message import Message, root_of_exchange
from ..solve.decompose.site_cases import Division
from ..solve.decompose.sites import no_plan_of
from ..solve.solver import Settings
from .extremes import Drawn, Earned, Extreme, Extremes, Held

EACH_ALONE = "each value alone can be reached; all together need not be"
OUTER_BOUNDS = "outer bounds: each band alone can be reached, all together need not be"
SUMS_ARE_EXACT = (
    "the portfolio can follow every trajectory whose energy over each set of steps lies between the"
    " sums of the least and the most of its sites; of these sets the bands show single steps, those"
    " from the start, and the windows"
)
NOT_VERIFIED = {
    "min": "lower bound, not verified",
    "max": "upper bound, not verified",
}
PORTFOLIO = "portfolio"
EDGES = {"min": -1.0, "max": 1.0}
DIRECTIONS = ("up", "down")
NODES = 20
Moment = str | pd.Timestamp
Windows = Mapping[str, tuple[Moment, Moment]]


def flexibility(
    case: xr.DataTree,
    *,
    pods: Sequence[str] | None = None,
    windows: Windows | None = None,
    hours: Sequence[float] = (),
    prices: Sequence[float] = (),
    nodes: int = NODES,
    parts: Mapping[str, Part] = PARTS,
) -> xr.DataTree:
    """Return what every site of a case can do at each moment.

    Of power and energy nothing has a price: limits and connections count, and needs that must be
    served; a need that may be missed for a penalty counts as none, and no reserve is held. Each
    value is found by itself, with nobody charging and discharging at once, so that it can be
    reached; values of different steps or edges need not be reached together. A value for which no
    such plan was found within `nodes` is a bound beyond which nothing can be reached, and says so.

    Parameters
    ----------
    case : xarray.DataTree
        A case that `v2g.split` divides; it is not changed.
    pods : sequence of str, optional
        The sites to look at; all unless given, and then also their sum, as pod `portfolio`.
    windows : mapping of str to (start, end), optional
        Names of parts of the horizon, from the start of a step to that of another (UTC, or with a
        zone): the least and most energy drawn in each.
    hours : sequence of float, default ()
        For each the most power that can be held from a step on for so many hours, upward and
        downward, with energy for so many hours of full activation behind it all the time.
    prices : sequence of float, default ()
        For each, as a share of the market price, what a site does if the price of one step is so
        much higher, and what that costs it: 0.5 is half as much again.
    nodes : int, default 20
        Places that the search for a plan without charging and discharging at once looks at, for
        each value; 0: no search.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        `/flexibility_bands` with, where they were asked for:

        * `power` (pod, edge, time), the least and most drawn from the grid in the step (kW,
          negative is fed in);
        * `energy` (pod, edge, time), the least and most drawn from the start to its end (kWh);
        * `window_energy` (pod, edge, window), the same in a window (kWh);
        * `product` (pod, direction, hours, time), the most power held from the step on (kW), NaN
          where the horizon ends before;
        * `shift` (pod, price, time), what is drawn more in the step than at the market prices (kW),
          and `shift_cost`, what the plan at market prices earns more than the one that shifts, both
          at market prices (EUR).

        Each has a flag `..._verified`, 0 where no plan without charging and discharging at once is
        known. The attribute `meaning` says that each value stands alone; `exact_sum` is 1 where all
        members are lossless or charge only, and the sums over sites are exact for every set of
        steps (`sum_meaning`).

    Raises
    ------
    SchemaError
        The case does not fit, or cannot be divided; an argument is wrong: all problems are listed.
    Infeasible
        A site has no plan at all.
    SolverError
        The solver failed.
    Interrupted
        Ctrl-C while the solver was at work.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=2, days=1, pods=2, reserve=False)
    >>> morning = {"morning": ("2026-03-27T05:00", "2026-03-27T11:00")}
    >>> bands = v2g.flexibility(case, windows=morning)["flexibility_bands"]
    >>> bands["power"].dims, bands["window_energy"].dims
    (('pod', 'edge', 'time'), ('pod', 'edge', 'window'))
    >>> bool((bands["power"].sel(edge="min") <= bands["power"].sel(edge="max") + 1e-9).all())
    True
    """
    division = Division.of(case, parts)
    steps_of, problems = _steps_of_windows(windows or {}, division.inputs)
    problems += [
        *_unknown(pods, division.pods),
        *_not_whole(hours, division.inputs),
        *_no_prices(prices, division.inputs),
        *([] if nodes >= 0 else [Problem("nodes", "range", f"{nodes}: give 0 or more")]),
    ]
    if problems:
        raise SchemaError(problems, source="the bands that were asked for")
    found = _Bands(division, pods or division.pods, parts, nodes)
    try:
        found.drawn(steps_of)
    except SolveError as error:
        if "infeasible" not in error.status:
            raise
        raise no_plan_of("a site", found.inputs_of_sites(None), Settings()) from None
    if hours:
        found.held(hours)
    if prices:
        found.shifted(prices)
    return found.tree(with_sum=not pods)


class _Bands:
    """What is asked of the sites of a case, one kind after the other."""

    def __init__(
        self, division: Division, pods: Sequence[str], parts: Mapping[str, Part], nodes: int
    ):
        self._division, self._parts, self._nodes = division, parts, nodes
        self._pods, self._inputs = list(dict.fromkeys(pods)), division.inputs
        time = pd.DatetimeIndex(self._inputs.calendar.time)
        self._steps = len(time)
        self._bands = xr.Dataset(coords={"pod": self._pods, "edge": list(EDGES), "time": time})

    def drawn(self, windows: Mapping[str, slice]) -> None:
        """Find the least and most power of each step, and energy to its end and in windows."""
        extremes = self._extremes(None)
        dt, identity = self._inputs.dt, np.eye(self._steps)
        asked = {
            "power": (identity, "time", "kW", "least and most power drawn in the step"),
            "energy": (
                dt * np.tri(self._steps),
                "time",
                "kWh",
                "least and most energy drawn from the start to the end of the step",
            ),
        }
        if windows:
            weights = np.array([dt * identity[steps].sum(axis=0) for steps in windows.values()])
            words = "least and most energy drawn in the window"
            asked["window_energy"] = (weights, "window", "kWh", words)
            self._bands = self._bands.assign_coords(window=list(windows))
        for name, (weights, dim, unit, words) in asked.items():
            found = [[extremes.most(Drawn(way * w)) for w in weights] for way in EDGES.values()]
            value = np.array([[e.value for e in some] for some in found])
            value *= np.array([*EDGES.values()])[:, None, None]
            self._put(name, ("edge", dim), value, _verified(found), unit, words)
        if windows:
            time = self._bands.indexes["time"]
            ends = time.append(pd.DatetimeIndex([time[-1] + pd.Timedelta(hours=dt)]))
            starts = [steps.start for steps in windows.values()]
            stops = [steps.stop for steps in windows.values()]
            self._bands = self._bands.assign_coords(
                window_start=("window", ends[starts]), window_end=("window", ends[stops])
            )

    def held(self, hours: Sequence[float]) -> None:
        """Find the most power held from each step on."""
        lengths = list(dict.fromkeys(float(h) for h in hours))
        shape = (len(DIRECTIONS), len(lengths), self._steps, len(self._pods))
        value, verified = np.full(shape, np.nan), np.ones(shape, bool)
        for i, way in enumerate(DIRECTIONS):
            for j, length in enumerate(lengths):
                extremes, count = self._extremes((way, length)), round(length / self._inputs.dt)
                for t in range(self._steps - count + 1):
                    found = extremes.most(Held(slice(t, t + count)))
                    value[i, j, t], verified[i, j, t] = found.value, found.verified
        self._bands = self._bands.assign_coords(direction=list(DIRECTIONS), hours=lengths)
        words = "most power held from the step on, with energy for as many hours behind it"
        self._put("product", ("direction", "hours", "time"), value, verified, "kW", words)

    def shifted(self, prices: Sequence[float]) -> None:
        """Find what a site does if the price of a step is another, and what that costs it."""
        shares = list(dict.fromkeys(float(p) for p in prices))
        tree = self._division.site(self._pods)
        extremes = self._made(tree, lambda pod: self._division.site([pod]))
        told = Message.first(inputs_of(self._division.portfolio(), self._parts))
        here = [Drawn(w) for w in np.eye(self._steps)]
        base = extremes.most(Earned(told), here)
        shape = (len(shares), self._steps, len(self._pods))
        power, cost, verified = np.zeros(shape), np.zeros(shape), np.ones(shape, bool)
        for i, share in enumerate(shares):
            for t in range(self._steps):
                price = told.power.copy()
                price[t] *= 1.0 + share
                found = extremes.most(Earned(replace(told, power=price)), [Earned(told), here[t]])
                power[i, t] = found.others[:, 1] - base.others[:, t]
                cost[i, t] = base.value - found.others[:, 0]
                verified[i, t] = base.verified & found.verified
        money = self._inputs.calendar.currency
        self._bands = self._bands.assign_coords(price=shares)
        dims, words = ("price", "time"), "drawn more in the step than at market prices"
        self._put("shift", dims, power, verified, "kW", words)
        words = "what the plan at market prices earns more, at these, than the one that shifts"
        self._put("shift_cost", dims, cost, verified, money, words)

    def tree(self, *, with_sum: bool) -> xr.DataTree:
        """Return all that was found, with the sum over all sites."""
        bands = self._bands
        if with_sum:
            bands = xr.concat([bands, _sum_over(bands)], "pod", data_vars="minimal")
        exact = int(_sums_are_exact(self.inputs_of_sites(None)))
        bands.attrs = {
            "meaning": EACH_ALONE,
            "exact_sum": exact,
            "sum_meaning": SUMS_ARE_EXACT if exact else OUTER_BOUNDS,
            "not_verified": ", ".join(f"{edge}: {words}" for edge, words in NOT_VERIFIED.items()),
        }
        root = root_of_exchange(self._inputs)
        return xr.DataTree.from_dict({"/": root, "/flexibility_bands": bands})

    def _put(
        self,
        name: str,
        dims: tuple[str, ...],
        value: np.ndarray,
        verified: np.ndarray,
        unit: str,
        words: str,
    ) -> None:
        """Take in values that are on some dimensions, and on pods at the end."""
        by_pod = ("pod", *dims)
        attrs = {"units": unit, "long_name": words}
        flag = {"units": "1", "long_name": f"1 where a plan is known that reaches {name}"}
        self._bands[name] = xr.DataArray(np.moveaxis(value, -1, 0) + 0.0, dims=by_pod, attrs=attrs)
        whole = np.moveaxis(verified, -1, 0).astype(np.int8)
        self._bands[f"{name}_verified"] = xr.DataArray(whole, dims=by_pod, attrs=flag)

    def _extremes(self, product: tuple[str, float] | None) -> Extremes:
        """Return the sites without a price, and without reserves but the one that is asked for."""
        return self._made(
            self._without_reserves(self._pods, product),
            lambda pod: self._without_reserves([pod], product),
            holding=product is not None,
        )

    def _made(self, tree: xr.DataTree, alone: Any, *, holding: bool = False) -> Extremes:
        return Extremes(
            inputs_of(tree, self._parts),
            self._pods,
            self._division.homes,
            lambda pod: inputs_of(alone(pod), self._parts),
            self._nodes,
            holding=holding,
        )

    def inputs_of_sites(self, product: tuple[str, float] | None) -> Inputs:
        """Return all sites that are looked at, with one product or none."""
        return inputs_of(self._without_reserves(self._pods, product), self._parts)

    def _without_reserves(
        self, pods: Collection[str], product: tuple[str, float] | None
    ) -> xr.DataTree:
        """Return the case of some sites, with one product or none."""
        tree = self._division.site(pods)
        if "reserve" in tree.children:
            del tree["reserve"]
        if product is not None:
            way, hours = product
            kinds: dict[str, Any] = {
                n: ("product", [float(n == way)], {"units": "1"}) for n in DIRECTIONS
            }
            kinds[f"hours_{way}"] = ("product", [hours], {"units": "h"})
            kinds["guarantee"] = ("product", np.array(["endurance"], dtype=object), {})
            tree["reserve"] = xr.Dataset(kinds, coords={"product": [way]})
        return tree


def _verified(found: Sequence[Sequence[Extreme]]) -> np.ndarray:
    return np.array([[e.verified for e in some] for some in found])


def _sum_over(bands: xr.Dataset) -> xr.Dataset:
    """Return the sum over all sites, verified where each is."""
    made = {}
    for name, x in bands.data_vars.items():
        flag = str(name).endswith("_verified")
        every = x.min("pod") if flag else x.sum("pod", skipna=False)
        made[name] = every.assign_attrs(x.attrs).expand_dims(pod=[PORTFOLIO])
    return xr.Dataset(made)


def _sums_are_exact(inputs: Inputs) -> bool:
    """Return True where every member only limits sums of power over sets of steps."""
    for part, d in inputs:
        if part.stage not in (Stage.ASSET, Stage.RULE):
            continue
        if part.limits_sums is None or not bool(part.limits_sums(d)):
            return False
    return True


def _unknown(pods: Sequence[str] | None, known: Sequence[str]) -> list[Problem]:
    """Return names of sites that the case does not have."""
    return [
        Problem("pods", "labels", f"{pod!r} is no site of the case{suggest(pod, known)}")
        for pod in pods or ()
        if pod not in known
    ]


def _steps_of_windows(windows: Windows, inputs: Inputs) -> tuple[dict[str, slice], list[Problem]]:
    """Return the steps of every window, and what is wrong with them."""
    found, problems = {}, list[Problem]()
    for name, ends in windows.items():
        steps = [_position(inputs, at, f"windows.{name}", problems) for at in ends]
        first, end = (-1 if at is None else at for at in steps)
        if None in steps:
            continue
        if end <= first:
            detail = f"ends at {ends[1]}, and begins at {ends[0]}: give a later end"
            problems.append(Problem(f"windows.{name}", "time", detail))
        found[name] = slice(first, end)
    return found, problems


def _position(inputs: Inputs, at: Moment, where: str, problems: list[Problem]) -> int | None:
    """Return at which edge of the steps a moment is."""
    time, dt = pd.DatetimeIndex(inputs.calendar.time), pd.Timedelta(hours=inputs.dt)
    try:
        stamp = pd.Timestamp(at)
    except ValueError:
        detail = f"{at!r} is no time; give UTC such as 2026-03-01T12:00"
        problems.append(Problem(where, "time", detail))
        return None
    stamp = stamp if stamp.tz is None else stamp.tz_convert("UTC").tz_localize(None)
    steps = (stamp - time[0]) / dt
    if not 0 <= steps <= len(time):
        detail = f"{stamp} UTC is outside the case, {time[0]} to {time[-1] + dt} UTC"
        problems.append(Problem(where, "time", detail))
        return None
    if steps != round(steps):
        detail = f"{stamp} UTC is within a step of {inputs.dt:g} h; give the start of a step"
        problems.append(Problem(where, "time", detail))
        return None
    return round(steps)


def _not_whole(hours: Sequence[float], inputs: Inputs) -> list[Problem]:
    """Return lengths that are no whole number of steps of the case."""
    dt, most = inputs.dt, inputs.dt * len(inputs.calendar.time)
    problems = []
    for length in hours:
        steps = length / dt
        if not (math.isfinite(length) and steps >= 1 and abs(steps - round(steps)) < 1e-9):
            detail = f"{length:g} h is no whole number of steps of {dt:g} h"
            problems.append(Problem("hours", "range", detail))
        elif length > most:
            detail = f"{length:g} h is longer than the case, which has {most:g} h"
            problems.append(Problem("hours", "range", detail))
    return problems


def _no_prices(prices: Sequence[float], inputs: Inputs) -> list[Problem]:
    """Return shares of prices that are no numbers, or that there is no price for."""
    problems = [
        Problem("prices", "range", f"{p:g} is no share of a price; give 0.5 for half as much again")
        for p in prices
        if not math.isfinite(p)
    ]
    if prices and "energy" not in inputs.data:
        detail = "there is no market, and so no price that could change"
        problems.append(Problem("prices", "missing", detail))
    return problems
