"""A menu that is designed with the plan of a case, and what it is worth there by the rule by which
owners choose (docs/formulation.md §10).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ...errors import Problem, SchemaError
from ...model.contracts import GROUP
from ...model.part import Part
from ...model.sessions import CONTRACTED
from ...operate.contract_entry import with_contracts
from ...parts.catalogue import PARTS
from ...solve.solve import check, solve
from .certificate import described, judged
from .copies import (
    ONE_CLASS,
    Classified,
    case_with_types,
    classified,
    copied,
    weighed,
    without_wear,
)
from .design import FOUND, Given, assigned, menu_file

_UTILITY = ("utility", "utility_scale", "utility_rate", "table_energy", "table_value")
_UNUSED = (*_UTILITY, "table_called", "called", "class_share")
"""What a plan says itself of the value of an energy, and of the sessions."""


def integrated_menu(
    case: xr.DataTree,
    *,
    room: float = 0.0,
    draws: int = 0,
    parts: Mapping[str, Part] = PARTS,
    options: Mapping[str, Any] | None = None,
    **fields: Given,
) -> xr.DataTree:
    """Design a menu of contracts together with the plan of a case, and say what it is worth there.

    The plan (`case_with_types`) sees every type of owner with its share, and classes of sessions.
    Its worth is more or less than what the menu earns, as it does not know that owners whose
    session cannot give their contract take a smaller one: that is told beside it. Both are what all
    contracts add to the plan without any; all prices are known (docs/formulation.md §10).

    Parameters
    ----------
    case : xarray.DataTree
        Of charging sessions. What it holds in `/contract` may be replaced by `fields`.
    room : float, default 0
        Without classes: sessions that can give less are not counted in the design (kWh).
    draws : int, default 0
        Say also what the menu earns where the type of each owner is drawn, so many times (seeds
        from 0 on). Where sessions are coupled, this is what is left of the mean over the types.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    options : mapping, optional
        Options of `solve` by name.
    **fields
        Arrays of `/contract`, as for `menu`. Where `energy` and `payment` are given, the menu is
        judged and not designed.

    Returns
    -------
    xarray.DataTree
        `/contract` with `energy` (type[, class], kWh) and `payment` (EUR); `/menu` with the proof
        that each type takes its own, `plan_value`, `choice_value`, `drawn_value` (EUR, of the whole
        case) and the number of stays.

    Raises
    ------
    SchemaError
        The contracts, the sessions or the case do not fit; every problem is listed.
    Infeasible, SolveError, SolverError, Interrupted
        As `solve`.

    Examples
    --------
    A full car stays for three hours at 60, 20 and 20 EUR/MWh. A kWh of the first hour earns 4
    cents; half of the owners ask 2 for it, half 1. All are paid 2, as nobody knows who is who:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> stay = {"arrival": time[0], "departure": time[3], "capacity": 40.0, "energy_arrival": 40.0}
    >>> stay |= {"energy_need": 40.0, "charge_max": 10.0, "discharge_max": 10.0}
    >>> stay |= {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> stay = {name: ("session", [value]) for name, value in stay.items()}
    >>> sessions = xr.Dataset(stay, coords={"session": ["monday"]})
    >>> prices = xr.Dataset({"day_ahead": ("time", [60.0, 20.0, 20.0, 20.0])}, {"time": time})
    >>> case = v2g.case_from_sessions(sessions, prices, timezone="UTC")
    >>> data = {"theta": [0.5, 1.0], "share": 0.5, "wear": 0.01, "term": 1.0, "power": 10.0}
    >>> found = v2g.integrated_menu(case, **data)
    >>> found["contract"].payment.round(6).values.tolist()
    [0.2, 0.2]
    >>> found["menu"].plan_value.round(6).item(), found["menu"].choice_value.round(6).item()
    (0.2, 0.2)
    """
    if draws < 0:
        raise SchemaError([Problem("draws", "range", f"{draws}: may not be below 0")], "the menu")
    source = _source(case, fields)
    found = classified(source, room)
    planned = case_with_types(source, room=room, parts=parts)
    check(planned, parts=parts)
    solver = {"parts": parts} | dict(options or {})

    nothing = _objective(_without_contracts(source, parts), solver)
    worth: dict[str, xr.DataArray | float] = {}
    offered = found.contract
    if "payment" not in offered:
        plan = solve(planned, **solver)
        worth["plan_value"] = float(plan.attrs["objective"]) - nothing
        offered = _designed(plan, found)
    menu = _menu(source, offered, found)
    worth["choice_value"] = _objective(_chosen(source, menu, found, parts), solver) - nothing
    if draws:
        drawn = [_objective(_drawn(source, menu, seed, parts), solver) for seed in range(draws)]
        worth["drawn_value"] = xr.DataArray(
            np.array(drawn) - nothing, {"seed": range(draws)}, "seed"
        )
    return _with_worth(menu, found, worth)


def _source(case: xr.DataTree, fields: Mapping[str, Given]) -> xr.DataTree:
    """Return the case with the arrays of `/contract` that a plan needs."""
    data = assigned(case, dict(fields))
    source = case.copy()
    source[GROUP] = xr.DataTree(data.drop_vars([n for n in _UNUSED if n in data]))
    return source


def _objective(case: xr.DataTree, solver: Mapping[str, Any]) -> float:
    """Return what the best plan of a case is worth (EUR)."""
    return float(solve(case, **solver).attrs["objective"])


def _without_contracts(source: xr.DataTree, parts: Mapping[str, Part]) -> xr.DataTree:
    """Return the case in which nothing is sold, and nothing fed in."""
    tree, fleet = source.copy(), without_wear(source, parts)
    none = 0.0 * source[GROUP].theta
    tree["fleet"] = xr.DataTree(fleet.assign(discharge_max=0.0))
    tree[GROUP] = xr.DataTree(_contracts(source).assign(energy=none, payment=none))
    return tree


def _contracts(source: xr.DataTree) -> xr.Dataset:
    """Return `/contract` without what is given for members or steps."""
    group = source.children[GROUP].to_dataset(inherit=False)
    return group.drop_dims(["time", "fleet"], errors="ignore")


def _designed(plan: xr.DataTree, found: Classified) -> xr.Dataset:
    """Return the contracts with the menu of a plan; without classes, if the case has none."""
    made = {n: plan[GROUP][f"designed_{n}"].reset_coords(drop=True) for n in ("energy", "payment")}
    if "class" not in found.contract.dims:
        made = {n: x.sel({"class": ONE_CLASS}, drop=True) for n, x in made.items()}
    plain = {n: (x.dims, x.to_numpy()) for n, x in made.items()}
    return found.contract.assign(plain)


def _menu(source: xr.DataTree, offered: xr.Dataset, found: Classified) -> xr.DataTree:
    """Return the menu as it is written, with the proof that no owner lies."""
    currency = str(source.attrs.get("currency", "EUR"))
    data, number = _contracts(source), found.number[found.number >= 0]
    if "class" in offered.dims:
        counts = np.bincount(number, minlength=len(found.names))
        data = data.assign(class_share=("class", counts / counts.sum()))
    return menu_file(source, data, offered, judged(offered, None, currency))


def _chosen(
    source: xr.DataTree, menu: xr.DataTree, found: Classified, parts: Mapping[str, Part]
) -> xr.DataTree:
    """Return the case in which the owner of each copy takes the best contract that fits."""
    copies = copied(source, found, parts)
    return weighed(with_contracts(copies.case, menu), copies.weight, parts)


def _drawn(
    source: xr.DataTree, menu: xr.DataTree, seed: int, parts: Mapping[str, Part]
) -> xr.DataTree:
    """Return the case in which types are drawn, and each owner takes the best contract."""
    tree, sessions = source.copy(), source.children["sessions"].to_dataset(inherit=False)
    tree["fleet"] = xr.DataTree(without_wear(source, parts))
    tree["sessions"] = xr.DataTree(sessions.drop_vars([n for n in CONTRACTED if n in sessions]))
    return with_contracts(tree, menu, seed=seed)


def _with_worth(
    menu: xr.DataTree, found: Classified, worth: dict[str, xr.DataArray | float]
) -> xr.DataTree:
    """Add what a menu is worth, and how many stays there are, to its proof."""
    counts = np.bincount(found.number[found.number >= 0], minlength=len(found.names))
    with_contract: Any = float(counts.sum())
    if "class" in found.contract.dims:
        with_contract = ("class", counts.astype(float))
    told = (
        menu[FOUND]
        .to_dataset()
        .assign(worth | {"stays": float(len(found.number)), "stays_with_contract": with_contract})
    )
    menu[FOUND] = xr.DataTree(described(told, str(menu.attrs["currency"])))
    return menu
