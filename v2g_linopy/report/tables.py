"""The result in numbers: key figures, the bill, the ladder, and the tables of the plan."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.result import in_profit
from ..study.cost_of_calls import cost_of_calls
from . import labels
from .bill import by_pod, monthly, total
from .figures.distribution import distribution
from .figures.value import PENALTIES, changes_by_cause, rung_before
from .found_in_rounds import found_in_rounds
from .power_at_meter import ELECTRICITY, net
from .result_view import Result, ResultView
from .schedule_and_bids import bid_curves, bids, curved, schedule, session_labels

__all__ = [
    "bid_curves",
    "bids",
    "bill_table",
    "call_table",
    "calls",
    "connection_limits",
    "curved",
    "kpi",
    "ladder",
    "monthly",
    "schedule",
    "unserved",
    "wear_table",
]

AT_LIMIT = 1e-6
"""kW below a limit that still count as at it."""
SMALLEST_NEED = 1e-6
"""kWh below which a need counts as served."""
PROVENANCE = (
    "solver", "solver_version", "linopy_version", "v2g_linopy_version", "build_seconds",
    "solve_seconds", "rows", "columns", "nonzeros", "binaries", "mip_gap", "blocks", "block_note",
    "merged_members", "method", "bound", "certified_gap", "oracle_members", "lp_members",
    "batched_members", "case_hash",
)  # fmt: skip


def kpi(result: Result, *, parts: Mapping[str, Part] = PARTS) -> dict[str, Any]:
    """Return key figures, ready for JSON.

    What is not a number is None. Money is in the currency of the case.

    ``vehicles`` are those that the data name, or that the members stand for; None where sessions
    name none.

    Figures ``per_unit`` are per vehicle and year (connector and year; charging session where
    sessions of any vehicle were packed into rows; year where other assets share the bill), as
    ``unit`` says; None without either, and where ``not_a_market`` says that no market pays them.
    Equivalent full cycles are the energy leaving the batteries towards the grid over what they hold
    when full. `parts` is the catalogue that the result was made with.
    """
    return ResultView.of(result, parts=parts).once(_key_figures)


def _key_figures(view: ResultView) -> dict[str, Any]:
    figures = {
        "title": view.attrs.get("title", ""),
        "not_a_market": view.not_a_market,
        "status": view.attrs.get("status", ""),
        "currency": view.currency,
        "horizon": _horizon(view),
        "vehicles": view.known_vehicles,
        "years": view.years,
        "profit": view.attrs.get("profit"),
        "objective": view.attrs.get("objective"),
        "profit_per_unit": _number(view.attrs.get("profit")) / view.units if view.units else None,
        "unit": view.unit if view.units else None,
        "energy": _energy(view),
        "power": _power(view),
        "assets": _assets(view),
        "pods": _pods(view),
        "connection_limits": connection_limits(view).to_dict("records"),
        "prices": _mean_prices(view),
        "reserve": _reserve(view),
        "ledger": _ledger(view),
        "bill_by_month": monthly(view).to_dict("records"),
        "ledger_per_unit": (
            {k: v * view.scale for k, v in _ledger(view).items()} if view.units else None
        ),
        "sequence": _sequence(view),
        "ladder": ladder(view).to_dict("records"),
        "unserved": unserved(view).to_dict("records"),
        "wear": wear_table(view).to_dict("records"),
        "calls": calls(view),
        "complementarity": view.attrs.get("complementarity", ""),
        "audit": _audit(view),
        "rounds": found_in_rounds(view),
        "run": {name: view.attrs[name] for name in PROVENANCE if name in view.attrs},
        "scenarios": view.scenarios,
        "profit_distribution": distribution(view),
    }
    return _plain(figures)


def bill_table(result: Result, *, parts: Mapping[str, Part] = PARTS) -> pd.DataFrame:
    """Return every entry of the ledger.

    Of each its name, in words, its sum, its share per unit, and whether it is a penalty.

    Penalties are part of the objective, not of profit. `parts` is the catalogue that the result was
    made with.
    """
    view = ResultView.of(result, parts=parts)
    sums = _ledger(view)
    return pd.DataFrame(
        {
            "entry": list(sums),
            "words": [labels.entry(name, view.parts) for name in sums],
            "amount": list(sums.values()),
            "per_unit": [v * view.scale for v in sums.values()],
            "penalty": [not in_profit(name) for name in sums],
        }
    )


def ladder(result: Result) -> pd.DataFrame:
    """Return the value ladder, a row per rung.

    With its profit, the rung it is compared with, and the change by cause.

    Columns ``rung, profit, per_unit, against, change, energy, reserve, wear, drivers, grid,
    penalties, other``, money over the horizon except ``per_unit``. Penalties are no part of profit,
    nor of its change. Empty where the result holds no ladder.
    """
    view = ResultView.of(result)
    if not view.has("ladder", "profit"):
        return pd.DataFrame(columns=["rung", "profit", "per_unit", "against", "change"])
    profit = np.asarray(view.get("ladder", "profit").values, dtype=float)
    changes = changes_by_cause(view)
    rungs = list(changes.index)
    table = pd.DataFrame(
        {
            "rung": rungs,
            "profit": profit,
            "per_unit": profit * view.scale,
            "against": [rung_before(view, rung) for rung in rungs],
            "change": changes.drop(columns=PENALTIES, errors="ignore").sum(axis=1).to_numpy(),
        }
    )
    return pd.concat([table, changes.reset_index(drop=True)], axis=1)


def connection_limits(result: Result) -> pd.DataFrame:
    """Return how far the limits of each connection are used, a row per pod and way with a limit.

    Columns ``pod``, ``way`` (`import` or `export`), ``limit`` (kW, the largest over time),
    ``most`` (kW, the largest power), ``hours`` at the limit of the step, and ``worth``: what one kW
    more at all times would earn at most, over the horizon (money). That is the sum of shadow prices
    of the limit and of the room that reserves need below it; NaN without shadow prices.
    """
    return ResultView.of(result).once(_connection_limits)


def _connection_limits(view: ResultView) -> pd.DataFrame:
    rows = []
    for way, name, room in (
        ("import", "import_", "activated_down"),
        ("export", "export", "activated_up"),
    ):
        if not view.has("connection", name):
            continue
        limit = view.full("connection", f"{way}_max", "pod", "time", default=np.inf)
        power = view.full("connection", name, "pod", "time")
        at = (power >= limit - AT_LIMIT) & (limit < np.inf)
        for pod in view.index("connection", "pod"):
            here = limit.sel(pod=pod)
            finite = here.where(here < np.inf)
            if bool(finite.isnull().all()):
                continue
            rows.append(
                {
                    "pod": str(pod),
                    "way": way,
                    "limit": float(finite.max()),
                    "most": float(power.sel(pod=pod).max()),
                    "hours": float(at.sel(pod=pod).sum()) * view.hours,
                    "worth": _worth(view, pod, name, room),
                }
            )
    return pd.DataFrame(rows, columns=["pod", "way", "limit", "most", "hours", "worth"])


def _worth(view: ResultView, pod: Hashable, name: str, room: str) -> float:
    """Sum the shadow prices of a limit of a pod; those of scenarios count by probability."""
    if view.source is None or "reduced_cost" not in view.source.children:
        return math.nan
    total, known = 0.0, False
    for group, key in (("reduced_cost", name), ("dual", room)):
        found = view.source[group].to_dataset() if group in view.source.children else xr.Dataset()
        if f"connection.{key}" in found:
            worth = found[f"connection.{key}"].sel(pod=pod)
            known = known or bool(worth.notnull().any())
            total += float(worth.clip(min=0).sum())
    return total if known else math.nan


def unserved(result: Result) -> pd.DataFrame:
    """Return the needs not served, worst first.

    Of each the member, session, local time by which it was needed, kWh missing, of what, and the
    kWh that were needed and on board. A trip is that of the session that departs for it.
    """
    return ResultView.of(result).once(_unserved)


def _unserved(view: ResultView) -> pd.DataFrame:
    table = pd.concat([_missing_at_departure(view), _missing_from_trips(view)], ignore_index=True)
    return table.sort_values("kWh", ascending=False, kind="stable").reset_index(drop=True)


def _missing_at_departure(view: ResultView) -> pd.DataFrame:
    """Needs missed at the end of a step."""
    missing, needed, energy = (
        np.asarray(view.fleet(name).values, dtype=float)
        for name in ("unserved", "energy_min", "energy")
    )
    at = np.nonzero(missing > SMALLEST_NEED)
    ends = view.local[at[1]] + pd.Timedelta(hours=view.hours)
    sessions = session_labels(view) if view.has("fleet", "session") else None
    return _missed(view, "departure", at, ends, sessions, missing[at], needed[at], energy[at])


def _missing_from_trips(view: ResultView) -> pd.DataFrame:
    """Trips missed at the begin of a step, in which their session has departed."""
    missing, needed = (
        np.asarray(view.fleet(name).values, dtype=float) for name in ("unserved_trip", "energy_out")
    )
    at = np.nonzero(missing > SMALLEST_NEED)
    some = bool(at[0].size) and view.has("fleet", "session")
    departed = _sessions_departed(view) if some else None
    on_board = needed[at] - missing[at]
    begins = view.local[at[1]]
    return _missed(view, "trip", at, begins, departed, missing[at], needed[at], on_board)


def _sessions_departed(view: ResultView) -> np.ndarray:
    """Return the last session before each step, on (fleet, time); empty where there is none."""
    plugged = pd.DataFrame(session_labels(view))
    before = plugged.where(plugged != "-1").ffill(axis=1).shift(axis=1)
    return before.fillna("").to_numpy()


def _missed(
    view: ResultView,
    need: str,
    at: tuple[np.ndarray, ...],
    moments: pd.DatetimeIndex,
    sessions: np.ndarray | None,
    missing: np.ndarray,
    needed: np.ndarray,
    on_board: np.ndarray,
) -> pd.DataFrame:
    """Return a row for each place on (fleet, time) at which something is missing."""
    table: dict[str, list[object]] = {"member": [str(m) for m in view.members[at[0]]]}
    if sessions is not None:
        table["session"] = sessions[at].tolist()
    table["by"] = [moment.isoformat(timespec="minutes") for moment in moments]
    table |= {"kWh": missing.tolist(), "need": [need] * len(missing)}
    table |= {"needed_kWh": needed.tolist(), "on_board_kWh": on_board.tolist()}
    return pd.DataFrame(table)


def wear_table(result: Result) -> pd.DataFrame:
    """Wear of each battery, the most used first; empty where no cycles were counted.

    Columns ``storage, capacity, throughput, efc, cost_planned, cost_calendar, cost_counted,
    cost_over, price_mean, price_marginal`` as in :func:`v2g_linopy.wear`."""
    view = ResultView.of(result)
    if not view.has("wear", "efc"):
        return pd.DataFrame(columns=["storage", "efc"])
    data = view.groups["wear"]
    table = pd.DataFrame({"storage": [str(s) for s in view.index("wear", "storage")]})
    costs = ("cost_planned", "cost_calendar", "cost_counted", "cost_over")
    for name in ("capacity", "throughput", "efc", *costs, "price_mean", "price_marginal"):
        table[name] = np.asarray(data[name].values, dtype=float)
    return table.sort_values("efc", ascending=False, kind="stable").reset_index(drop=True)


def call_table(result: Result) -> pd.DataFrame:
    """Return the states that reserves are called in, a row per state.

    Columns ``state``, ``share`` (of the time, in the mean over the steps) and one for each product,
    the kW called per kW sold, upward above 0. Empty where calls are not told by states.
    """
    view = ResultView.of(result)
    if not view.has("reserve", "call") or not view.has("reserve", "call_share"):
        return pd.DataFrame(columns=["state", "share"])
    call = view.groups["reserve"]["call"].transpose("call_state", ...)
    share = view.groups["reserve"]["call_share"]
    mean = share.mean([d for d in share.dims if d != "call_state"])
    table = pd.DataFrame({"state": call.indexes["call_state"].astype(str), "share": mean.values})
    for product in view.index("reserve", "product"):
        each = call.sel(product=product) if "product" in call.dims else call
        table[str(product)] = each.values
    return table


def calls(result: Result) -> dict[str, Any]:
    """Return what calls take of the plan.

    ``taken``, by asset, as in :func:`v2g_linopy.cost_of_calls`; ``states`` as in `call_table`, and
    ``source``, where they come from. Empty where calls are not told by states.
    """
    view = ResultView.of(result)
    states = call_table(view)
    if states.empty or view.source is None:
        return {}
    taken = cost_of_calls(view.source, parts=view.parts)
    source = str(view.groups["reserve"]["call"].attrs.get("source", ""))
    return {
        "taken": taken.to_dataframe().reset_index().to_dict("records"),
        "states": states.to_dict("records"),
        "source": source,
    }


def _horizon(view: ResultView) -> dict[str, Any]:
    moments = list(view.local[:1]) + [m + pd.Timedelta(hours=view.hours) for m in view.local[-1:]]
    start, end = (m.isoformat(timespec="minutes") for m in moments) if moments else ("", "")
    zone = {
        "timezone": view.timezone,
        "steps": len(view.time),
        "step_hours": view.hours,
        "days": view.days,
    }
    return {"start": start, "end": end, **zone}


def _energy(view: ResultView) -> dict[str, float]:
    full = view.fleet("energy_max")
    if view.kind != "row" and len(view.time):  # a row holds another battery in every session
        full = full.max("time")
    leaving = view.fleet("discharge") / view.fleet("eta_discharge", 0.95) * view.hours
    vehicles = view.full(
        "fleet", "vehicles", "fleet", default=1.0
    )  # each cycles its share of the member's battery
    cycles = float((vehicles * leaving / full.where(full > 0)).fillna(0).sum())
    return {
        "charged_kWh": float(view.total("charge").sum() * view.hours),
        "discharged_kWh": float(view.total("discharge").sum() * view.hours),
        "unmanaged_kWh": (
            float(view.unmanaged_power.sum() * view.hours)
            if view.unmanaged_power.size
            else math.nan
        ),
        "unserved_kWh": float(view.total("unserved").sum()),
        "unserved_trip_kWh": float(view.total("unserved_trip").sum()),
        "spilled_kWh": float(view.total("spill").sum()),
        "equivalent_full_cycles": cycles,
        "equivalent_full_cycles_per_unit": (
            cycles / view.fleet_units if view.fleet_units else math.nan
        ),
    }


def _power(view: ResultView) -> dict[str, float]:
    """Largest powers at the meter, those of all pods together."""
    power = np.asarray(net(view.meter).sum("pod").values, dtype=float)
    if not view.assets:  # parts that are not in the catalogue: the fleet is what is known
        power = view.total("charge") - view.total("discharge")
    before = (
        np.asarray(view.meter["before"].sum("pod").values)
        if "before" in view.meter
        else np.empty(0)
    )
    return {
        "peak_import_kW": float(power.max(initial=0.0)),
        "peak_export_kW": float((-power).max(initial=0.0)),
        "peak_unmanaged_kW": (
            float(view.unmanaged_power.max()) if view.unmanaged_power.size else math.nan
        ),
        "peak_without_flexibility_kW": float(before.max(initial=0.0)) if before.size else math.nan,
    }


def _assets(view: ResultView) -> dict[str, dict[str, float]]:
    """Members and energy of every kind of asset, kWh over the horizon; `storage_cycles` of
    batteries.
    """
    table = {}
    for name, asset in view.assets.items():
        found: dict[str, float] = {"members": asset.pod.size}
        for carrier, flow in asset.flows.items():
            word = "" if carrier == ELECTRICITY else f"{carrier}_"
            found[f"{word}drawn_kWh"] = float(flow.withdrawal.sum() * view.hours)
            found[f"{word}fed_in_kWh"] = float(flow.injection.sum() * view.hours)
        if view.has(name, "curtail"):
            found["curtailed_kWh"] = float(view.get(name, "curtail").sum() * view.hours)
        if name != "fleet" and name in view.stores:
            full = view.full(name, "energy_max", asset.member, "time").max("time")
            leaving = (view.get(name, "discharge") / view.get(name, "eta_discharge", 0.95)).sum(
                "time"
            ) * view.hours
            found["equivalent_full_cycles"] = float(
                (leaving / full.where(full > 0)).fillna(0.0).sum()
            )
        table[name] = found
    return table


def _pods(view: ResultView) -> list[dict[str, Any]]:
    """Energy and peaks at each meter, and what its own entries of the bill come to."""
    power, meter, rows = net(view.meter), view.meter, []
    bills = {pod: total(table) for pod, table in by_pod(monthly(view)).items()}
    for pod in map(str, view.pods):
        own = np.asarray(power.sel(pod=pod).values, dtype=float)
        before = np.asarray(meter["before"].sel(pod=pod).values) if "before" in meter else None
        rows.append(
            {
                "pod": pod,
                "import_kWh": float(own.clip(min=0).sum() * view.hours),
                "export_kWh": float((-own).clip(min=0).sum() * view.hours),
                "peak_import_kW": float(own.max(initial=0.0)),
                "peak_export_kW": float((-own).max(initial=0.0)),
                "peak_without_flexibility_kW": (
                    math.nan if before is None else float(before.max(initial=0.0))
                ),
                "own_bill": bills.get(pod, 0.0) if bills else None,
            }
        )
    return rows if view.assets else []


def _mean_prices(view: ResultView) -> dict[str, Any]:
    """Mean of the first market's price, plain and weighted by what is drawn, fed in, or charged
    unmanaged.
    """

    def weighted(power: np.ndarray) -> float:
        known = np.isfinite(view.price) & (len(power) == len(view.price))
        total = power[known].sum() if known.any() else 0.0
        return float((view.price[known] * power[known]).sum() / total) if total > 1e-9 else math.nan

    return {
        "market": view.market,
        "mean": weighted(np.ones(len(view.time))),
        "charging": weighted(view.total("charge")),
        "feeding_in": weighted(view.total("discharge")),
        "unmanaged": weighted(view.unmanaged_power),
    }


def _reserve(view: ResultView) -> dict[str, dict[str, float]]:
    volume = view.full("reserve", "volume", "product", "time")
    table = {}
    for product in view.index("reserve", "product"):
        sold = np.asarray(volume.sel(product=product).values, dtype=float)
        offered = float((sold > SMALLEST_NEED).sum() * view.hours)
        table[str(product)] = {
            "mean_kW": float(sold.mean()) if sold.size else math.nan,
            "most_kW": float(sold.max(initial=0.0)),
            "hours_sold": offered,
        }
    return table


def _ledger(view: ResultView) -> dict[str, float]:
    ledger = view.groups.get("ledger")
    return {} if ledger is None else {str(k): float(v.sum()) for k, v in ledger.data_vars.items()}


def _audit(view: ResultView) -> dict[str, Any]:
    audit = view.groups.get("audit")
    if audit is None:
        return {}
    worst = {
        str(k): float(v)
        for k, v in audit.data_vars.items()
        if v.ndim == 0 and v.dtype.kind in "fiub"
    }
    return {**{str(k): v for k, v in audit.attrs.items()}, "residuals": worst}


def _sequence(view: ResultView) -> dict[str, Any] | None:
    """What came of a run through its gates, against hindsight; by local day, and by market added.
    None of a plan.
    """
    if "decisions" not in view.attrs:
        return None
    names = ("forecast", "decisions", "objective", "objective_hindsight", "regret")
    found = {name: view.attrs.get(name) for name in names}
    for group, dim in (("sequence", "day"), ("stages", "stage")):
        table = (
            view.groups[group].drop_vars("time", errors="ignore")
            if view.has(group)
            else xr.Dataset()
        )
        each = table[[n for n, x in table.data_vars.items() if dim in x.dims]]
        found[f"by_{dim}"] = each.to_dataframe().reset_index().to_dict("records") if table else []
        found |= {str(n): float(x) for n, x in table.data_vars.items() if not x.dims}
    return found


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    """Values that JSON knows: no numpy scalars, None for what is not a number."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
