"""What an allowance is worth in a plan: the table of a utility from the sessions of a case
(docs/formulation.md §10).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...case.io import step_hours
from ...errors import Problem, SchemaError
from ...model.contracts import WEAR_OF_OWNERS
from ...model.part import Part
from ...model.sessions import COLUMNS
from ...parts.catalogue import PARTS
from ...solve.solve import solve

_LEFT_OUT = (*WEAR_OF_OWNERS, "retail_price", "need_billed")
"""What is the owner's, or does not change with an allowance."""


def schedule_table(
    case: xr.DataTree,
    energies: Sequence[float],
    *,
    term: float | Sequence[float],
    power: float,
    parts: Mapping[str, Part] = PARTS,
    **options: Any,
) -> xr.Dataset:
    """Return what an owner is worth on average who lets so much energy be discharged.

    Each stay that is long enough, and can give the largest of the energies, has the allowance; the
    case is planned with each of them. Wear by discharging is the owner's and counts nothing, and
    what drivers pay for their need does not change (docs/formulation.md §10)::

        value(w) = (profit with allowance w - profit with 0) / stays that have it

    Parameters
    ----------
    case : xarray.DataTree
        A case of charging sessions: `/fleet`, and `/sessions` with `row`, `arrival`, `departure`.
    energies : sequence of float
        Allowances to try, kWh at the charger; 0 is added.
    term : float or sequence of float
        Hours after arrival in which the energy may be discharged. Several make a class of sessions
        each: a stay has the longest term that it lasts.
    power : float
        Discharging power, kW.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    **options
        As for `solve`.

    Returns
    -------
    xarray.Dataset
        ``table_energy`` (kWh), ``table_value`` (EUR) and ``table_called`` (kWh discharged on
        average) along ``point``, to be given to `menu` with ``utility="schedule"``; of several
        terms also along ``class``, with ``term`` and ``class_share``. The attributes ``stays`` and
        ``stays_with_contract`` count.

    Raises
    ------
    SchemaError
        The case has no such groups, or no stay is long enough and can give the energies.
    Infeasible, SolveError, SolverError, Interrupted
        As `solve`.

    Examples
    --------
    A full car stays for three hours at 60, 20 and 20 EUR/MWh. What it gives in the first hour is
    bought back at a third; without losses a kWh is worth 4 cents:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> time = pd.date_range("2026-03-02", periods=4, freq="h")
    >>> stay = {"arrival": time[0], "departure": time[3], "capacity": 40.0, "energy_arrival": 40.0}
    >>> stay |= {"energy_need": 40.0, "charge_max": 10.0, "eta_charge": 1.0, "eta_discharge": 1.0}
    >>> stay = {name: ("session", [value]) for name, value in stay.items()}
    >>> sessions = xr.Dataset(stay, coords={"session": ["monday"]})
    >>> prices = xr.Dataset({"day_ahead": ("time", [60.0, 20.0, 20.0, 20.0])}, {"time": time})
    >>> case = v2g.case_from_sessions(sessions, prices, timezone="UTC")
    >>> table = v2g.schedule_table(case, [4, 8], term=1, power=10)
    >>> table.table_value.round(6).values.tolist()
    [0.0, 0.16, 0.32]
    """
    points = np.unique([0.0, *map(float, energies)])
    terms = np.unique(np.atleast_1d(np.asarray(term, dtype=float)))
    stays = _stays(case)
    tables = []
    for least, next_term in zip(terms, [*terms[1:], np.inf], strict=True):
        able = _has_contract(stays, float(min(points[-1], power * least)), least, next_term, power)
        tables.append(
            _planned(case, stays.isel(session=able), points, least, power, parts, options)
        )
    owners = np.array([table.attrs["stays_with_contract"] for table in tables])
    counts = {"stays": stays.sizes["session"], "stays_with_contract": int(owners.sum())}
    if np.ndim(term) == 0:
        return tables[0].assign_attrs(counts)
    found = xr.concat(tables, pd.Index([f"{hours:g} h" for hours in terms], name="class"))
    found = found.assign(table_energy=tables[0].table_energy, term=("class", terms))
    return found.assign(class_share=("class", owners / owners.sum())).assign_attrs(counts)


def _planned(
    case: xr.DataTree,
    stays: xr.Dataset,
    points: np.ndarray,
    term: float,
    power: float,
    parts: Mapping[str, Part],
    options: Mapping[str, Any],
) -> xr.Dataset:
    """Return the table of the stays that have a contract, from a plan with each allowance."""
    window, first, share = _window(case, stays, term)
    fleet = case["fleet"].to_dataset().drop_vars(_LEFT_OUT, errors="ignore")
    fleet = fleet.assign(discharge_max=power * share, restart=first)

    profit, called = [], []
    for energy in points:
        plan = case.copy()
        plan["fleet"] = fleet.assign(allowance=xr.where(window, energy, np.nan))
        result = solve(plan, parts=parts, **options)
        profit.append(float(result.attrs["objective"]))
        called.append(float(result["fleet"].discharge.sum()) * step_hours(case))

    owners = stays.sizes["session"]
    value = (np.array(profit) - profit[0]) / owners
    table = _as_table(points, value, np.array(called) / owners)
    return table.assign_attrs(stays_with_contract=owners)


def _stays(case: xr.DataTree) -> xr.Dataset:
    """Return the sessions of a case, which have to be there with their rows."""
    if "fleet" not in case.children or "sessions" not in case.children:
        detail = "missing: a schedule needs /fleet and /sessions, as case_from_sessions makes them"
        raise SchemaError([Problem("/sessions", "missing", detail)], "the case")
    stays = case.children["sessions"].to_dataset(inherit=False)
    problems = [
        Problem(f"sessions.{name}", "missing", "missing: a schedule needs it of each session")
        for name in ("row", "arrival", "departure", "energy_arrival", "energy_need", "charge_max")
        if name not in stays
    ]
    if problems:
        raise SchemaError(problems, "the case")
    return stays


def _has_contract(
    stays: xr.Dataset, energy: float, term: float, next_term: float, power: float
) -> np.ndarray:
    """Return which stays last the term, not the next one, can give the energy and charge it again::

    room = min((e_arrival - e_floor) eta_d, slack / (1/power + 1/(eta_c eta_d charge_max)))
    slack = stay - (e_need - e_arrival) / (eta_c charge_max)
    """
    hours = (stays.departure - stays.arrival) / np.timedelta64(1, "h")
    charge, discharge, floor = (
        stays.get(name, xr.DataArray(COLUMNS[name].default))
        for name in ("eta_charge", "eta_discharge", "energy_floor")
    )
    slack = hours - (stays.energy_need - stays.energy_arrival) / (charge * stays.charge_max)
    turnaround = 1 / power + 1 / (charge * discharge * stays.charge_max)
    room = np.minimum((stays.energy_arrival - floor) * discharge, slack / turnaround)
    able = ((hours >= term) & (hours < next_term) & (room >= energy)).to_numpy()
    if not able.any():
        detail = f"no stay is {term:g} h long and can give {energy:g} kWh"
        raise SchemaError([Problem("sessions", "consistency", detail)], "the case")
    return np.asarray(able)


def _window(
    case: xr.DataTree, stays: xr.Dataset, term: float
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return the steps of stays with a contract, the first of each, and the share of each step in
    the term (fleet, time).
    """
    fleet = case["fleet"].to_dataset()
    begin, step = (
        fleet.indexes["time"].to_numpy(),
        np.timedelta64(round(3600 * step_hours(case)), "s"),
    )
    window, first, share = (np.zeros((fleet.sizes["fleet"], begin.size)) for _ in range(3))
    row = fleet.indexes["fleet"].astype(str).get_indexer(stays.row.astype(str).to_numpy())
    ends = stays.arrival.to_numpy() + np.timedelta64(round(3600 * term), "s")
    moments = zip(row, stays.arrival.to_numpy(), stays.departure.to_numpy(), ends, strict=True)
    for place, arrival, departure, end in moments:
        here = np.flatnonzero((begin + step > arrival) & (begin < departure))
        window[place, here], first[place, here[:1]] = 1.0, 1.0
        until = np.minimum(begin[here] + step, min(end, departure))
        share[place, here] = np.maximum((until - np.maximum(begin[here], arrival)) / step, 0.0)
    labels = {"fleet": fleet.indexes["fleet"], "time": fleet.indexes["time"]}
    arrays = [xr.DataArray(x, labels, ("fleet", "time")) for x in (window, first, share)]
    return arrays[0] > 0, arrays[1], arrays[2]


def _as_table(energy: np.ndarray, value: np.ndarray, called: np.ndarray) -> xr.Dataset:
    """Return the table of a menu; what rounding of a solver bent is made concave again."""
    slopes = np.minimum.accumulate(np.clip(np.diff(value) / np.diff(energy), 0.0, None))
    concave = np.append(0.0, np.cumsum(slopes * np.diff(energy)))
    arrays = {
        "table_energy": ("point", energy, {"units": "kWh"}),
        "table_value": ("point", concave, {"units": "EUR"}),
        "table_called": ("point", np.maximum.accumulate(called), {"units": "kWh"}),
    }
    return xr.Dataset(arrays, coords={"point": [str(i) for i in range(energy.size)]})
