"""Where feeding in stops to pay: the wear, cost of dispatch or spread of prices at which V2G earns
no more than smart charging (docs/formulation.md §9).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from ..errors import Problem, SchemaError
from ..model.inputs import inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.audit import mean_total
from ..solve.solve import solve
from .ladder import with_smart_charging, without_results

NAN = float("nan")
SMALL = 1e-9  # EUR/kWh: smaller steps are rounding
NOTHING = 1e-6  # kWh
ROUNDING = 1e-4  # money of the case
OVER = ("wear", "dispatch_cost", "spread")
Over = Literal["wear", "dispatch_cost", "spread"]
PRICE = "EUR/MWh"


@dataclass(frozen=True)
class _Gain:
    """What V2G earns more than smart charging, payments to owners deducted."""

    at: float
    gain: float  # money of the case
    fed_in: float  # kWh out of the batteries

    @property
    def pays(self) -> bool:
        """Whether it earns more than rounding."""
        return self.gain > ROUNDING


def break_even(
    case: xr.DataTree,
    over: Over = "wear",
    *,
    payments: float | None = None,
    between: tuple[float, float] = (0.0, 2.0),
    points: int = 9,
    parts: Mapping[str, Part] = PARTS,
    **options: Any,
) -> xr.Dataset:
    """Find where V2G earns as much as smart charging and no more.

    Of wear: the cost k per kWh leaving the battery, in addition to that of the case. Of the cost of
    dispatch: the same per kWh discharged under a contract, at the grid (`contract.dispatch_cost`);
    what owners have agreed to and are owed is fixed. The best V2G plan earns V(k) = max (A - k D),
    A without that cost and D the energy that bears it: it is convex and falls in k. From k = 0,
    with payments G to owners that are owed in any case::

        k <- k + (V(k) - G - V_smart) / D(k)

    rises to the only root in finitely many steps (Newton's method; Dinkelbach 1967, where G is 0).

    Of the spread: every price is moved away from its mean over time, by a factor f::

        price <- mean + f (price - mean)

    The gain is a difference of two convex functions of f and may begin and end to pay more than
    once. It is found on a grid, and each change on it is narrowed down (Brent 1973).

    Parameters
    ----------
    case : xarray.DataTree
        A case whose fleet may discharge.
    over : {"wear", "dispatch_cost", "spread"}, default "wear"
        What is varied. Beside contracts wear is their owners', and the cost of dispatch the
        aggregator's.
    payments : float, optional
        What owners are owed in all, whatever the plan; money of the case. By default what the
        contracts of the case say, as `with_contracts` leaves them; nothing without contracts.
    between : tuple of float, default (0.0, 2.0)
        Smallest and largest factor of the spread.
    points : int, default 9
        Points of the grid of factors.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    **options
        As for `solve`.

    Returns
    -------
    xarray.Dataset
        On `at` (EUR/kWh, or 1), in rising order: `gain` (money of the case), what V2G earns more
        than smart charging and payments, and `fed_in` (kWh), what left the batteries for it, or
        what was discharged under contracts, at the grid, of the cost of dispatch. Of either cost:
        `break_even` (EUR/kWh), NaN where V2G does not even pay without any cost, and infinite where
        it pays whatever the cost, as with reserves that are held and seldom called. The last point
        is its certificate: nothing is gained there, and the gain falls by `fed_in` per EUR/kWh.
        Where there are payments also `payment_scale`, how many times as large they could be. Of the
        spread: `break_even` on `root`, one for each change on the grid. The attribute `payments` is
        what owners are owed.

    Raises
    ------
    SchemaError
        The case does not fit the schema, has no fleet that may discharge, or `over`, `between` or
        `points` are none.
    Infeasible, SolveError, SolverError, Interrupted
        As `solve`.

    References
    ----------
    Dinkelbach (1967), "On nonlinear fractional programming", Management Science 13(7).

    Examples
    --------
    Ten kWh are bought at 20 EUR/MWh and sold at 60, and ten more bought at 20 and sold at 40.
    Owners get 0.10 EUR for that. From 0.02 EUR/kWh on only the first pay: 0.10 at 0.03:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> car = {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 10.0}
    >>> car |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> market = {"price": ("time", [20.0, 60.0, 20.0, 40.0]), "limit": 100.0}
    >>> fleet = xr.Dataset(car, coords={"fleet": ["ev"]})
    >>> energy = xr.Dataset(market, coords={"market": ["day_ahead"]})
    >>> case = v2g.assemble(time, {"fleet": fleet, "energy": energy})
    >>> found = v2g.break_even(case, payments=0.1)
    >>> [round(float(x), 6) for x in found["at"]]
    [0.0, 0.025, 0.03]
    >>> round(float(found["break_even"]), 6)
    0.03
    """
    bare = without_results(case)
    _refuse(bare, over, between, points, parts)
    money = str(case.attrs.get("currency", "EUR"))

    def earned(varied: xr.DataTree) -> xr.DataTree:
        return solve(varied, parts=parts, **options)

    def gain(at: float, varied: xr.DataTree, smart: xr.DataTree) -> _Gain:
        best = earned(varied)
        more = float(best.attrs["objective"] - smart.attrs["objective"])
        return _Gain(at, more - _owed(smart, payments), _borne(best, over, parts))

    if over == "spread":

        def gain_at_spread(factor: float) -> _Gain:
            varied = with_spread(bare, factor, parts=parts)
            return gain(factor, varied, earned(with_smart_charging(varied)))

        tried, roots = _spread(gain_at_spread, np.linspace(*between, points))
        found = _table(tried, "1", money)
        return found.assign(break_even=("root", roots, {"units": "1"}))

    smart = earned(with_smart_charging(bare))  # it feeds in nothing, whatever that costs
    owed, costly = _owed(smart, payments), {"wear": _with_wear, "dispatch_cost": with_dispatch_cost}
    tried, root = _rising(lambda more: gain(more, costly[over](bare, more, parts), smart))
    found = _table(tried, f"{money}/kWh", money).assign_attrs(payments=owed)
    if owed > 0:
        found["payment_scale"] = (tried[0].gain + owed) / owed
    return found.assign(break_even=((), root, {"units": f"{money}/kWh"}))


def owed_to_owners(result: xr.DataTree) -> float:
    """Return what owners are owed for the contracts of a result (money, not below 0)."""
    entry = result["ledger"].to_dataset().get("contract.owners")
    return 0.0 if entry is None else -mean_total(entry, result.to_dataset().get("probability"))


def _owed(smart: xr.DataTree, payments: float | None) -> float:
    """Return what owners are owed, as it is given or as the contracts of the case say.

    Smart charging owes it, too, so that it stands in neither side of the gain.
    """
    return owed_to_owners(smart) if payments is None else payments


def with_spread(
    case: xr.DataTree, factor: float, *, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Return the case with its energy prices moved away from their mean over time.

    Long and short prices of imbalance share a mean, so that their difference is multiplied too.
    Prices of energy are the uncertain fields of a part in EUR/MWh.

    Parameters
    ----------
    case : xarray.DataTree
        A case.
    factor : float
        1 leaves the prices as they are, 0 makes each the same at all times.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
    """
    varied = case.copy()
    for part in parts.values():
        if part.name not in case.children:
            continue
        ds = case[part.name].to_dataset()
        names = [f.name for f in part.schema.inputs if f.uncertain and f.unit == PRICE]
        prices = [ds[name] for name in names if name in ds]
        if not prices:
            continue
        mean = sum(p.mean("time") if "time" in p.dims else p for p in prices) / len(prices)
        moved = {p.name: (mean + factor * (p - mean)).assign_attrs(p.attrs) for p in prices}
        varied[part.name] = ds.assign(moved)
    return varied


def _rising(gain: Callable[[float], _Gain]) -> tuple[list[_Gain], float]:
    """Newton's steps from no cost; the root is NaN where V2G does not pay there, and infinite where
    it still pays when it feeds in nothing any more.
    """
    here = gain(0.0)
    tried = [here]
    if not here.pays:
        return tried, NAN
    while here.fed_in >= NOTHING and here.gain > SMALL * here.fed_in:
        here = gain(here.at + here.gain / here.fed_in)
        tried.append(here)
    return tried, math.inf if here.pays else here.at


def _spread(gain: Callable[[float], _Gain], grid: np.ndarray) -> tuple[list[_Gain], list[float]]:
    """The gain on a grid, and within each change the factor where it begins or ends to pay."""
    tried = {float(factor): gain(float(factor)) for factor in grid}

    def beyond_rounding(factor: float) -> float:
        if factor not in tried:
            tried[factor] = gain(factor)
        return tried[factor].gain - ROUNDING

    on_grid = list(tried.values())
    roots = [
        float(brentq(beyond_rounding, left.at, right.at, xtol=1e-6))
        for left, right in zip(on_grid, on_grid[1:], strict=False)
        if left.pays != right.pays
    ]
    return sorted(tried.values(), key=lambda x: x.at), roots


def _borne(result: xr.DataTree, over: str, parts: Mapping[str, Part]) -> float:
    """Energy that the cost is for, the mean over scenarios (kWh): what leaves the batteries to be
    fed in, or what is discharged under contracts, at the grid.
    """
    inputs = inputs_of(result, parts)
    fleet = inputs.data["fleet"]
    out = inputs.dt * result["fleet"]["discharge"]
    if over != "dispatch_cost":
        return mean_total(out / fleet.eta_discharge, inputs.probability)
    return mean_total(out.where(fleet.allowance.notnull(), 0.0), inputs.probability)


def _with_wear(case: xr.DataTree, more: float, parts: Mapping[str, Part]) -> xr.DataTree:
    """The case with a cost more per kWh leaving the battery."""
    return _with_cost(case, "fleet", "wear", more, parts)


def with_dispatch_cost(
    case: xr.DataTree, more: float, parts: Mapping[str, Part] = PARTS
) -> xr.DataTree:
    """Return the case with a cost more per kWh discharged under a contract, EUR/kWh at the grid."""
    return _with_cost(case, "contract", "dispatch_cost", more, parts)


def _with_cost(
    case: xr.DataTree, group: str, name: str, more: float, parts: Mapping[str, Part]
) -> xr.DataTree:
    inputs = inputs_of(case, parts)
    cost = inputs.data[group][name] + more  # in the unit of the model, whatever that of the case
    varied = case.copy()
    units = {"units": f"{inputs.calendar.currency}/kWh"}
    there = case[group].to_dataset()
    varied[group] = there.assign({name: cost.assign_attrs(units)})
    return varied


def _refuse(
    case: xr.DataTree,
    over: str,
    between: tuple[float, float],
    points: int,
    parts: Mapping[str, Part],
) -> None:
    """List all that is wrong with what was asked for."""
    problems = []
    if over not in OVER:
        problems.append(Problem("over", "value", f"{over!r} is not among: {', '.join(OVER)}"))
    low, high = between
    if not 0 <= low < high:
        problems.append(Problem("between", "value", f"{low:g} to {high:g} is no range from 0 on"))
    if points < 2:
        problems.append(Problem("points", "value", f"{points}: a grid has two points or more"))
    data = inputs_of(case, parts).data
    fleet = data.get("fleet")
    problems += _wrong_cost(over, data)
    if fleet is None or not bool((fleet.discharge_max > 0).any()):
        detail = "0 everywhere, or no fleet: nothing can be fed in, so there is no V2G to compare"
        problems.append(Problem("fleet.discharge_max", "missing", detail))
    if problems:
        raise SchemaError(problems)


def _wrong_cost(over: str, data: Mapping[str, xr.Dataset]) -> list[Problem]:
    """Return the cost that nothing bears: each kWh is paid for by its contract, or by wear."""
    agreed = "contract" in data and "fleet" in data and "allowance" in data["fleet"]
    if over == "wear" and agreed:
        detail = "is the owners' under contracts; vary dispatch_cost, per kWh at the grid"
        return [Problem("over", "value", f"'wear' {detail}")]
    if over == "dispatch_cost" and not agreed:
        detail = "'dispatch_cost' is for contracts that owners have agreed to; the case has none"
        return [Problem("over", "value", detail)]
    return []


def _table(tried: list[_Gain], unit: str, money: str) -> xr.Dataset:
    return xr.Dataset(
        {
            "gain": ("at", [x.gain for x in tried], {"units": money}),
            "fed_in": ("at", [x.fed_in for x in tried], {"units": "kWh"}),
        },
        coords={"at": ("at", [x.at for x in tried], {"units": unit})},
    )
