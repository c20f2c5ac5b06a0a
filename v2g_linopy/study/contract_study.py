"""A study of contracts: a menu offered to charging sessions and operated session by session, beside
smart charging and no control, over term, wear, spread of prices and share of the sessions
(docs/formulation.md §10).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..case.io import step_hours
from ..errors import Problem, SchemaError
from ..model.contracts import contract_of
from ..model.sessions import COLUMNS
from ..operate.contract_entry import with_contracts
from ..operate.simulate import simulate
from .break_even_map import as_map
from .contract_outcome import (
    contracts_taken,
    entry_counts,
    paid_by_session,
    preferred_contracts,
)
from .ladder import with_smart_charging
from .profit_sources import has_sources, profit_sources
from .v2g_gain import AXES, Comparison, Earned, Setting, by_rule, gains

RUNS = ("no control", "smart", "V2G")
SWEPT = ("term", "wear", "spread", "share")
UNITS = dict(AXES) | {"share": "1"}
SPREADS = (0.0, 0.5, 1.0, 1.5, 2.0)
SHARES = (0.25, 0.5, 0.75, 1.0)
OF_TERM, OF_WEAR = (1 / 3, 2 / 3, 1.0, 4 / 3, 2.0), (0.5, 1.0, 2.0, 3.0, 5.0)
"""Terms and wear that are tried, in those of the menu."""
SCALES = tuple(np.round(np.linspace(0.0, 2.5, 11), 6))
"""Payments on the map, in those of the menu."""
CYCLES = 3000.0
"""Full cycles that a battery lasts, where nobody says how many."""


def contract_study(
    case: xr.DataTree,
    contracts: xr.DataTree,
    *,
    terms: Sequence[float] | None = None,
    wears: Sequence[float] | None = None,
    spreads: Sequence[float] = SPREADS,
    shares: Sequence[float] = SHARES,
    cycles: float = CYCLES,
    seed: int = 0,
    sample_seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
    **options: Any,
) -> xr.DataTree:
    """Operate charging sessions under a menu, and say when V2G pays and what owners get.

    Three runs are kept in full: no control (at once, at full power), smart charging, and V2G under
    the menu. The others vary one number, and two of them together: the term and the wear of owners,
    at which the menu is designed anew (see `varied_menu`), the spread of prices about their mean,
    and the share of the sessions that come. All are operated session by session on what is known by
    then (`simulate`, policy `rule`), with the same types of owners wherever they are the same
    sessions.

    Parameters
    ----------
    case : xarray.DataTree
        A case of charging sessions that may feed in, without contracts.
    contracts : xarray.DataTree
        A menu with its energies and payments, as of `v2g.menu`.
    terms : sequence of float, optional
        Hours, in rising order; by default from a third to twice the term of the menu, if it has
        one term alone.
    wears : sequence of float, optional
        EUR per kWh discharged that owners bear, in rising order; by default from half to five times
        that of the menu.
    spreads : sequence of float, default (0, 0.5, 1, 1.5, 2)
        How far prices are from their mean, 1: as they are.
    shares : sequence of float, default (0.25, 0.5, 0.75, 1)
        Shares of the sessions that come.
    cycles : float, default 3000
        Full cycles that the battery of an owner lasts.
    seed, sample_seed : int, default 0
        Of the types of owners, and of the sessions that come.
    progress : callable, default does nothing
        `progress(done, of)` is called before every run.
    **options
        Of `simulate`: `forecast` (by default `published`), `bids`, `days`, `start`, `stop`.

    Returns
    -------
    xarray.DataTree
        `/positions` (run, time): `day_ahead` and `imbalance` (kW; sold above 0), `drawn` (kW).
        `/runs` (run): `profit` and `owners` (money), `fed_in` and `unserved` (kWh), and `source` of
        the profit, where the case has imbalance. `/term`, `/wear`, `/spread`, `/share`: `smart`,
        `v2g`, `gain`, `owners` (money), `fed_in` (kWh), `accepted` and `sessions` on each of them.
        `/map_payment` (spread, payment_scale) and `/map_term` (spread, term): `gain` (money).
        `/entry` (type, reason): `count`. `/contracts` and `/preferred`: what each contract came to,
        and which one each type would prefer at the calls that happened, the same stays under each
        contract. `/owners` (owner): `sessions`, `discharged` (kWh out of the battery), `paid`
        (money), `life_used` (1).

    Raises
    ------
    SchemaError
        Case, menu or values do not fit, or something binds sessions together; problems are listed.
    SolveError, SolverError, Interrupted
        As `simulate`.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.charging_station(vehicles=2, days=2)
    >>> menu = v2g.menu(theta=[1.0], share=1.0, wear=0.001, term=3, power=11, utility_scale=0.2)
    >>> found = v2g.contract_study(case, menu, spreads=[1, 2], shares=[0.5, 1.0], wears=[0.001, 1])
    >>> found["runs"].run.values.tolist()
    ['no control', 'smart', 'V2G']
    >>> found["share"].sessions.values.tolist()
    [2, 3]
    """
    values = _values(contracts, terms, wears, spreads, shares)
    _refuse(case, contracts, values, cycles)
    counter = _Counter(progress, _count(values, contracts))
    operate = by_rule(**options)
    comparison = Comparison(case, contracts, operate, seed, sample_seed, counter.tell)
    runs = _three_runs(case, comparison, counter, options)

    groups = {"/positions": _positions(runs), "/runs": _of_runs(runs)}
    groups |= {f"/{name}": _sweep(comparison, name, x) for name, x in values.items()}
    groups |= _maps(comparison, values, case)
    groups |= _contracts(case, contracts, runs["V2G"], operate, counter)
    groups["/owners"] = life_given(runs["V2G"], cycles)
    attrs = _said(case, contracts, runs["V2G"], seed, sample_seed, cycles)
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups})


@dataclass
class _Counter:
    """How many of all runs are done."""

    progress: Callable[[int, int], None]
    of: int
    done: int = 0

    def tell(self) -> None:
        self.done += 1
        self.progress(min(self.done, self.of), self.of)


def _values(
    menu: xr.DataTree,
    terms: Sequence[float] | None,
    wears: Sequence[float] | None,
    spreads: Sequence[float],
    shares: Sequence[float],
) -> dict[str, list[float]]:
    """Return what is tried of each number that is varied."""
    d = contract_of(menu)
    if terms is None and d.term.size == 1:
        terms = [float(x) for x in np.round(float(d.term.squeeze()) * np.array(OF_TERM), 6)]
    if wears is None:
        wears = [float(x) for x in np.round(float(d.wear) * np.array(OF_WEAR), 9)]
    given = {"term": terms, "wear": wears, "spread": spreads, "share": shares}
    return {name: list(map(float, x)) for name, x in given.items() if x is not None}


def _refuse(
    case: xr.DataTree, menu: xr.DataTree, values: Mapping[str, list[float]], cycles: float
) -> None:
    """List all that is wrong with what was asked for."""
    problems = []
    if not {"sessions", "fleet", "energy"} <= set(case.children):
        detail = "missing: contracts are offered to charging sessions that trade in a market"
        problems.append(Problem("sessions", "missing", detail))
    most = {"share": 1.0}
    for name, given in values.items():
        x = np.asarray(given)
        if x.size < 2 or (np.diff(x) <= 0).any() or not np.isfinite(x).all():
            detail = "needs two values or more, in rising order"
            problems.append(Problem(name, "value", detail))
        elif (name != "spread" and x[0] <= 0) or x[0] < 0 or x[-1] > most.get(name, np.inf):
            problems.append(Problem(name, "range", f"{x[0]:g} to {x[-1]:g} is beyond what may be"))
    if not 0 < cycles < np.inf:
        problems.append(Problem("cycles", "range", f"{cycles:g}: a battery lasts some cycles"))
    if problems:
        raise SchemaError(problems, source="the study")


def _count(values: Mapping[str, list[float]], menu: xr.DataTree) -> int:
    """Return how many runs there are at most."""
    spreads = len(values["spread"])
    on_map = spreads * len(values.get("term", [0]))
    return (
        3
        + on_map
        + spreads
        + len(values["wear"])
        + 2 * len(values["share"])
        + len(contract_of(menu)["type"])
    )


def _three_runs(
    case: xr.DataTree, comparison: Comparison, counter: _Counter, options: Mapping[str, Any]
) -> dict[str, xr.DataTree]:
    """Return no control, smart charging and V2G under the menu, all of the same sessions."""
    agreed = with_contracts(case, comparison.menu, seed=comparison.seed)
    nobody = with_smart_charging(agreed)
    nobody = nobody.assign(sessions=xr.DataTree(_without_contracts(nobody)))
    given = dict(options) | {"policy": "unmanaged", "hindsight": False}
    runs = {"no control": simulate(nobody, **given)}
    counter.tell()
    for name, feeds_in in (("smart", False), ("V2G", True)):
        runs[name] = comparison.operate(agreed if feeds_in else nobody)
        comparison.keep(Setting(), feeds_in, runs[name])
        counter.tell()
    return runs


def _without_contracts(case: xr.DataTree) -> xr.Dataset:
    """Return `/sessions` without what their owners have agreed to: it is owed by V2G alone."""
    sessions = case.children["sessions"].to_dataset(inherit=False)
    return sessions.drop_vars([n for n in sessions.data_vars if str(n).startswith("contract")])


def _positions(runs: Mapping[str, xr.DataTree]) -> xr.Dataset:
    """Return positions and power of each run over time (kW)."""
    found = []
    for result in runs.values():
        energy = result["energy"].to_dataset()["position"]
        power = {"drawn": (result["fleet"].charge - result["fleet"].discharge).sum("fleet")}
        power["day_ahead"] = energy.isel(market=0, drop=True)
        if "imbalance" in result.children:
            power["imbalance"] = result["imbalance"]["long"] - result["imbalance"]["short"]
        found.append(xr.Dataset({n: x.drop_attrs() for n, x in power.items()}))
    together = xr.concat(found, pd.Index(list(runs), name="run"))
    return together.map(lambda x: x.transpose("run", "time").assign_attrs(units="kW"))


def _of_runs(runs: Mapping[str, xr.DataTree]) -> xr.Dataset:
    """Return what each run earned, from where, and what was fed in and not served."""
    money = {"units": str(next(iter(runs.values())).attrs.get("currency", "EUR"))}
    energy = {"units": "kWh"}
    earned = {name: Earned.of(result) for name, result in runs.items()}
    unserved = [float(r["sessions"].energy_unserved.sum()) for r in runs.values()]
    profit = [e.earned - e.owed for e in earned.values()]
    found = xr.Dataset(
        {
            "profit": ("run", profit, money),
            "owners": ("run", [e.owed for e in earned.values()], money),
            "fed_in": ("run", [e.fed_in for e in earned.values()], energy),
            "unserved": ("run", unserved, energy),
        },
        coords={"run": list(runs)},
    )
    if not all(has_sources(result) for result in runs.values()):
        return found
    sources = pd.DataFrame({name: profit_sources(result) for name, result in runs.items()})
    return found.assign_coords(source=list(sources.index)).assign(
        by_source=(("run", "source"), sources.T.to_numpy(), money)
    )


def _sweep(comparison: Comparison, name: str, values: Sequence[float]) -> xr.Dataset:
    """Return smart charging and V2G at each value of one number."""
    settings = [Setting(**{name: x}) for x in values]
    both = [(comparison.smart(at), comparison.v2g(at)) for at in settings]
    money = str(comparison.case.attrs.get("currency", "EUR"))
    columns = {
        "smart": ([s.earned for s, _ in both], money),
        "v2g": ([v.earned - v.owed for _, v in both], money),
        "gain": ([v.earned - v.owed - s.earned for s, v in both], money),
        "owners": ([v.owed for _, v in both], money),
        "fed_in": ([v.fed_in for _, v in both], "kWh"),
        "accepted": ([v.accepted for _, v in both], "1"),
        "sessions": ([v.sessions for _, v in both], "1"),
    }
    unit = UNITS[name].replace("EUR", money)
    return xr.Dataset(
        {key: (name, x, {"units": units}) for key, (x, units) in columns.items()},
        coords={name: (name, list(values), {"units": unit})},
    )


def _maps(
    comparison: Comparison, values: Mapping[str, list[float]], case: xr.DataTree
) -> dict[str, xr.Dataset]:
    """Return the gain over the spread and the scale of payments, and over spread and term."""
    tried = {**values, "payment_scale": list(SCALES)}
    pairs = {"/map_payment": ("spread", "payment_scale"), "/map_term": ("spread", "term")}
    return {
        group: as_map(gains(comparison, over, tried), over, tried, case, "rule")
        for group, over in pairs.items()
        if over[1] in tried
    }


def _contracts(
    case: xr.DataTree,
    menu: xr.DataTree,
    result: xr.DataTree,
    operate: Callable[[xr.DataTree], xr.DataTree],
    counter: _Counter,
) -> dict[str, xr.Dataset]:
    """Return who took what, what it came to, and what each type would prefer."""
    counts, taken = entry_counts(result), contracts_taken(result)
    taken["called_same_stays"] = called_of_same_stays(case, menu, taken, operate, counter.tell)
    preferred = preferred_contracts(result, taken["called_same_stays"])
    entry = xr.Dataset(
        {"count": (("type", "reason"), counts.to_numpy())},
        coords={"type": list(counts.index), "reason": list(counts.columns)},
    )
    return {
        "/entry": entry,
        "/contracts": _as_dataset(taken, "contract"),
        "/preferred": _as_dataset(preferred.set_index("type"), "type"),
    }


def called_of_same_stays(
    case: xr.DataTree,
    menu: xr.DataTree,
    taken: pd.DataFrame,
    operate: Callable[[xr.DataTree], xr.DataTree],
    told: Callable[[], None] = lambda: None,
) -> list[float]:
    """Return the mean energy called of each contract by stays that can take every one of them.

    Each type is given to all sessions in turn: they differ by the contract alone.

    Parameters
    ----------
    case, menu : xarray.DataTree
        As for `contract_study`.
    taken : pandas.DataFrame
        A row for each contract, as of `contracts_taken`.
    operate : callable
        From a case with contracts to its result.
    told : callable, default does nothing
        Called after every run.

    Returns
    -------
    list of float
        kWh on the rows of `taken`; NaN where no stay can take every contract.
    """
    sessions = case.children["sessions"].to_dataset(inherit=False)
    types = [str(x) for x in contract_of(menu).indexes["type"]]
    called, own = {}, {}
    for number, name in enumerate(types):
        all_of_one = sessions.assign(type=("session", [name] * sessions.sizes["session"]))
        offered = case.assign(sessions=xr.DataTree(all_of_one))
        after = operate(with_contracts(offered, menu))["sessions"].to_dataset()
        called[name] = after.energy_called.to_numpy()
        own[name] = (after.contract == number).to_numpy()
        told()
    held = [name for name in types if name in set(taken["made_for"])]
    same = np.logical_and.reduce([own[name] for name in held]) if held else np.zeros(0, bool)
    means = {name: float(called[name][same].mean()) if same.any() else np.nan for name in held}
    return [means[name] for name in taken["made_for"]]


def _as_dataset(table: pd.DataFrame, dim: str) -> xr.Dataset:
    """Return a table on its rows; texts as texts."""
    rows = table if table.index.name == dim else table.rename_axis(dim)
    columns = {
        str(name): (dim, x.to_numpy(dtype=float if x.dtype.kind in "if" else str))
        for name, x in rows.items()
    }
    return xr.Dataset(columns, coords={dim: rows.index.to_numpy()})


def life_given(result: xr.DataTree, cycles: float = CYCLES) -> xr.Dataset:
    """Return what each owner gave and was paid, and how much of its battery's life that took.

    An owner is a vehicle where sessions name theirs, else a session. Of the life of a battery that
    lasts n cycles of its capacity C, the energy E that left it takes E / (n C).

    Parameters
    ----------
    result : xarray.DataTree
        As `simulate` returns it with contracts.
    cycles : float, default 3000
        Full cycles that a battery lasts.

    Returns
    -------
    xarray.Dataset
        On owner: `sessions`, `capacity` and `discharged` (kWh, out of the battery), `paid` (money)
        and `life_used` (1), of those who took a contract.
    """
    group = result.children["sessions"].to_dataset(inherit=False)
    agreed = group.isel(session=np.flatnonzero(group.contract.to_numpy() >= 0))
    named = "vehicle" in agreed and bool((agreed["vehicle"] != "").all())
    who = agreed["vehicle"] if named else agreed["session"]
    lossy = agreed.get("eta_discharge", xr.DataArray(COLUMNS["eta_discharge"].default))
    table = pd.DataFrame(
        {
            "owner": who.to_numpy().astype(str),
            "capacity": agreed.capacity.to_numpy(),
            "discharged": (agreed.energy_discharged / lossy).to_numpy(),
            "paid": paid_by_session(result),
        }
    )
    of_owner = table.groupby("owner", sort=False)
    found = of_owner.agg(
        sessions=("paid", "size"),
        capacity=("capacity", "max"),
        discharged=("discharged", "sum"),
        paid=("paid", "sum"),
    )
    found["life_used"] = found["discharged"] / (cycles * found["capacity"])
    return _as_dataset(found, "owner")


def _said(
    case: xr.DataTree,
    menu: xr.DataTree,
    result: xr.DataTree,
    seed: int,
    sample_seed: int,
    cycles: float,
) -> dict[str, Any]:
    """Return what the study was made of, so that it can be made again."""
    d = contract_of(menu)
    first = result["energy"].to_dataset().indexes["market"][0]
    return {
        "market": str(first),
        "title": str(case.attrs.get("title", "")),
        "timezone": str(case.attrs.get("timezone", "UTC")),
        "currency": str(case.attrs.get("currency", "EUR")),
        "step_hours": step_hours(case),
        "term": float(d.term.max()),
        "wear": float(d.wear),
        "forecast": str(result.attrs["forecast"]),
        "bids": str(result.attrs["bids"]),
        "seed": seed,
        "sample_seed": sample_seed,
        "cycles": cycles,
    }
