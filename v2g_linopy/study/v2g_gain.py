"""What V2G under contracts earns more than smart charging, planned with all prices known or by a
rule, while numbers are varied (docs/formulation.md §9).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from ..case.io import step_hours
from ..errors import Problem, SchemaError
from ..model.contracts import GROUP, contract_of
from ..model.sessions import sessions_plugged_in
from ..operate.contract_entry import with_contracts_of_any_term
from ..operate.simulate import simulate
from ..solve.solve import solve
from .break_even import owed_to_owners, with_dispatch_cost, with_spread
from .ladder import with_smart_charging
from .menus.design import menu as designed

Operate = Callable[[xr.DataTree], xr.DataTree]
"""From a case to its result."""
_OF_SESSIONS = (
    *("charge_max", "discharge_max", "energy_min", "energy_in", "energy_out"),
    *("need_billed", "keep"),
)
"""Fields of a fleet that are 0 where nobody stands."""


def planned(**options: Any) -> Operate:
    """Return a way to plan a case with all prices known; options as for `solve`."""
    return lambda case: solve(case, **options)


def by_rule(**options: Any) -> Operate:
    """Return a way to operate a case session by session; options as for `simulate`."""
    given: dict[str, Any] = {
        "policy": "rule",
        "hindsight": False,
        "forecast": "published",
    } | options
    return lambda case: simulate(case, **given)


@dataclass(frozen=True)
class Setting:
    """What is varied; None leaves it as the menu or the case has it."""

    term: float | None = None  # h
    wear: float | None = None  # EUR/kWh that owners bear
    spread: float = 1.0  # of prices about their mean
    dispatch_cost: float = 0.0  # EUR/kWh at the grid, beside that of the menu
    share: float = 1.0  # of the sessions


@dataclass(frozen=True)
class Earned:
    """What a run earned; what owners are owed stands apart."""

    earned: float  # money, payments to owners not deducted
    owed: float
    fed_in: float  # kWh at the grid
    accepted: int
    sessions: int

    @classmethod
    def of(cls, result: xr.DataTree) -> "Earned":
        """Read it from a result."""
        sessions = result.children["sessions"].to_dataset(inherit=False)
        owed, fed = owed_to_owners(result), float(result["fleet"]["discharge"].sum())
        return cls(
            earned=float(result.attrs["objective"]) + owed,
            owed=owed,
            fed_in=fed * step_hours(result),
            accepted=int((sessions.contract >= 0).sum()) if "contract" in sessions else 0,
            sessions=sessions.sizes["session"],
        )


@dataclass
class Comparison:
    """V2G under a menu beside smart charging, run once for each setting."""

    case: xr.DataTree
    menu: xr.DataTree
    operate: Operate
    seed: int = 0
    sample_seed: int = 0
    told: Callable[[], None] = lambda: None
    _known: dict[tuple[Setting, bool], Earned] = field(default_factory=dict)

    def v2g(self, at: Setting) -> Earned:
        """Return what V2G earns in a setting."""
        d = contract_of(self.menu)
        own: dict[str, Any] = {n: None for n in ("term", "wear") if np.all(d[n] == getattr(at, n))}
        return self._once(replace(at, **own), True)

    def smart(self, at: Setting) -> Earned:
        """Return what smart charging earns; neither menu nor dispatch move it."""
        return self._once(Setting(spread=at.spread, share=at.share), False)

    def gain(self, at: Setting, payment_scale: float = 1.0) -> float:
        """Return what V2G earns more than smart charging, owners paid so many times as much."""
        v2g = self.v2g(at)
        return v2g.earned - payment_scale * v2g.owed - self.smart(at).earned

    def result(self, at: Setting, feeds_in: bool = True) -> xr.DataTree:
        """Return the result of a setting, which is run for it."""
        case = with_share_of_sessions(self.case, at.share, self.sample_seed)
        case = case if at.spread == 1 else with_spread(case, at.spread)
        menu = varied_menu(self.menu, at.term, at.wear)
        agreed = with_contracts_of_any_term(case, menu, seed=self.seed)
        if not feeds_in:
            return self.operate(with_smart_charging(agreed))
        if at.dispatch_cost:
            agreed = with_dispatch_cost(agreed, at.dispatch_cost)
        return self.operate(agreed)

    def _once(self, at: Setting, feeds_in: bool) -> Earned:
        if (at, feeds_in) not in self._known:
            self._known[at, feeds_in] = Earned.of(self.result(at, feeds_in))
            self.told()
        return self._known[at, feeds_in]

    def keep(self, at: Setting, feeds_in: bool, result: xr.DataTree) -> None:
        """Take a result that is there already as that of a setting."""
        self._known[at, feeds_in] = Earned.of(result)


def varied_menu(
    menu: xr.DataTree, term: float | None = None, wear: float | None = None
) -> xr.DataTree:
    """Return a menu of another term or wear.

    One that says what an energy is worth to its designer is designed anew. One that does not keeps
    its energies; payments are in proportion to wear, which changes nobody's choice.

    Parameters
    ----------
    menu : xarray.DataTree
        With the group `/contract`, its energies and payments.
    term : float, optional
        Hours, in place of that of the menu.
    wear : float, optional
        EUR per kWh discharged, in place of that of the menu.

    Returns
    -------
    xarray.DataTree
        The menu itself where nothing is varied.

    Raises
    ------
    SchemaError
        Several terms stand in the menu and one is asked for, or the menu does not fit.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.study.v2g_gain import varied_menu
    >>> offered = v2g.menu(theta=[1.0], share=1.0, wear=0.01, term=3, power=11, utility_scale=0.2)
    >>> dearer = varied_menu(offered, wear=0.02)["contract"]
    >>> [float(x) for x in (*offered["contract"].energy, *dearer.energy)]
    [19.0, 9.0]
    """
    asked: dict[str, Any] = {n: x for n, x in (("term", term), ("wear", wear)) if x is not None}
    d = contract_of(menu)
    if not asked or all(np.all(d[name] == x) for name, x in asked.items()):
        return menu
    if term is not None and d.term.size > 1:
        detail = "the menu has several terms; a study over terms needs a menu of one"
        raise SchemaError([Problem("contract.term", "value", detail)], source="the menu")
    group = menu[GROUP].to_dataset().drop_dims("time", errors="ignore")
    if _can_be_designed(d):
        offered = [n for n in ("energy", "payment", "called") if n in group]
        data = xr.DataTree.from_dict(
            {"/": xr.Dataset(attrs=menu.attrs), f"/{GROUP}": group.drop_vars(offered)}
        )
        return designed(data, **asked)
    scale = 1.0 if wear is None else wear / float(d.wear)
    fields = {
        name: ((), x, {"units": {"term": "h"}.get(name, "EUR/kWh")}) for name, x in asked.items()
    }
    kept = group.assign(payment=(scale * group.payment).assign_attrs(group.payment.attrs))
    return menu.assign({GROUP: xr.DataTree(kept.assign(fields))})


def _can_be_designed(d: xr.Dataset) -> bool:
    """Whether a menu says what an energy is worth and what caps it."""
    valued = "utility_scale" in d or {"table_energy", "table_value"} <= set(d)
    return valued and ("power" in d or "class_room" in d)


def with_share_of_sessions(case: xr.DataTree, share: float, seed: int = 0) -> xr.DataTree:
    """Return the case with a share of its sessions; the others never come.

    Sessions are drawn by ``numpy.random.default_rng(seed)``, each share from the same order: a
    larger share holds the smaller ones.

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/sessions`, and a `/fleet` whose `session` says who stands where.
    share : float
        Of the sessions, rounded to whole ones.
    seed : int, default 0
        Of the draw.

    Returns
    -------
    xarray.DataTree
        The case itself for a share of 1.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.study.v2g_gain import with_share_of_sessions
    >>> case = v2g.charging_station(vehicles=3, days=2)
    >>> half = with_share_of_sessions(case, 0.5)
    >>> case["sessions"].sizes["session"], half["sessions"].sizes["session"]
    (7, 4)
    """
    if share >= 1:
        return case
    sessions = case.children["sessions"].to_dataset(inherit=False)
    count = sessions.sizes["session"]
    order = np.random.default_rng(seed).permutation(count)
    kept = np.sort(order[: round(share * count)])
    fleet = case.children["fleet"].to_dataset(inherit=False)
    gone = np.delete(sessions.session.to_numpy(), kept)
    there = ~sessions_plugged_in(fleet).isin(gone)
    emptied = {
        name: fleet[name].where(there, 0.0).assign_attrs(fleet[name].attrs)
        for name in _OF_SESSIONS
        if name in fleet
    }
    return case.assign(
        fleet=xr.DataTree(fleet.assign(emptied)),
        sessions=xr.DataTree(sessions.isel(session=kept)),
    )


AXES: Mapping[str, str] = {
    "spread": "1",
    "term": "h",
    "wear": "EUR/kWh",
    "dispatch_cost": "EUR/kWh",
    "payment_scale": "1",
}
"""What can be varied, and its unit."""


def gains(comparison: Comparison, over: tuple[str, str], values: Mapping[str, Any]) -> np.ndarray:
    """Return the gain of V2G at each pair of two values that are varied, on (first, second)."""
    first, second = (list(values[name]) for name in over)
    return np.array(
        [
            [_gain_at(comparison, dict(zip(over, (a, b), strict=True))) for b in second]
            for a in first
        ]
    )


def _gain_at(comparison: Comparison, at: Mapping[str, float]) -> float:
    moved = {n: float(x) for n, x in at.items() if n != "payment_scale"}
    return comparison.gain(replace(Setting(), **moved), float(at.get("payment_scale", 1.0)))
