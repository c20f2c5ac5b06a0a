"""How a plan was found where prices and plans were exchanged in rounds, and what proves it: as
numbers for `kpi.json`, and the same numbers in words for the page and the terminal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import labels
from .result_view import Result, ResultView

COMPLETE = 1e-6
"""kW of missing power below which a mix of plans counts as complete."""


def found_in_rounds(result: Result) -> dict[str, Any] | None:
    """Return value, bound, gap, rounds, missing power, and who planned what.

    Parameters
    ----------
    result : xarray.DataTree or ResultView
        A result of `solve`.

    Returns
    -------
    dict or None
        ``value`` and ``bound`` in the currency of the case, ``certified_gap`` (their difference,
        relative to the value, to 1 where that is less), ``rounds``, ``rounds_that_lack_power``,
        ``most_missing_kW`` in any round and ``missing_kW`` at the end; and either ``sites``,
        ``plans_mixed`` and ``processes``, or ``vehicles_one_by_one``, ``vehicles_in_batches``,
        ``vehicles_in_one_model``, ``why_not_one_by_one`` and ``groups``. None where the case was
        solved as one model.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.report.found_in_rounds import found_in_rounds
    >>> result = v2g.solve(v2g.portfolio(vehicles=6, days=1, pods=5), method="sites")
    >>> found_in_rounds(result)["sites"]
    5
    """
    view = ResultView.of(result)
    if not view.has("decomposition", "bound"):
        return None
    attrs = view.attrs
    missing = np.asarray(view.get("decomposition", "missing_power"), float)
    found: dict[str, Any] = {
        "method": str(attrs["method"]),
        "value": float(attrs["objective"]),
        "bound": float(attrs["bound"]),
        "certified_gap": max(0.0, float(attrs["certified_gap"])),
        "rounds": int(attrs["rounds"]),
        "rounds_that_lack_power": int((missing > COMPLETE).sum()),
        "most_missing_kW": float(missing.max()),
        "missing_kW": float(missing[-1]) if missing[-1] > COMPLETE else 0.0,
    }
    if "sites" in attrs:
        weight = np.asarray(view.get("decomposition", "weight"), float)
        return found | {
            "sites": int(attrs["sites"]),
            "plans_mixed": int((weight > COMPLETE).sum()),
            "processes": int(attrs["pool_processes"]),
        }
    batched = int(attrs["batched_members"])
    return found | {
        "vehicles_one_by_one": int(attrs["oracle_members"]),
        "vehicles_in_batches": batched,
        "vehicles_in_one_model": int(attrs["lp_members"]) - batched,
        "why_not_one_by_one": str(attrs["lp_reasons"]),
        "groups": int(attrs["groups"]),
    }


def rounds_in_words(result: Result) -> list[str]:
    """Return the same in sentences: who planned, what proves the plan, and whether power lacked.

    Parameters
    ----------
    result : xarray.DataTree or ResultView
        A result of `solve`.

    Returns
    -------
    list of str
        Empty where the case was solved as one model.
    """
    found, money = found_in_rounds(result), ResultView.of(result).currency
    if found is None:
        return []
    gap = f"{found['certified_gap']:.1g}"
    proof = (
        f"The plan is worth {labels.money(found['value'])} {money}, no plan more than"
        f" {labels.money(found['bound'])} {money}: a relative gap of {gap}."
    )
    return [_who_planned(found), proof, _what_lacked(found)]


def _who_planned(found: dict[str, Any]) -> str:
    rounds = f"in {labels.count(found['rounds'], 'round')} of prices and plans"
    if "sites" in found:
        pool, mixed = (found[name] for name in ("processes", "plans_mixed"))
        where = f", in {labels.count(pool, 'process')}" if pool > 1 else ""
        return (
            f"{labels.count(found['sites'], 'site')} planned by themselves at prices{where},"
            f" {rounds}; the portfolio mixed {labels.count(mixed, 'plan')} of theirs, and each site"
            " gives its part of the mix."
        )
    ways = {
        "one by one": found["vehicles_one_by_one"],
        "in batches": found["vehicles_in_batches"],
        "in one model with the rest": found["vehicles_in_one_model"],
    }
    who = ", ".join(f"{labels.shown_number(n)} {way}" for way, n in ways.items() if n)
    why = f" ({found['why_not_one_by_one']})" if found["why_not_one_by_one"] else ""
    return f"Vehicles were planned {rounds}: {who}{why}."


def _what_lacked(found: dict[str, Any]) -> str:
    some = found["rounds_that_lack_power"]
    if not some:
        return "No power is missing, in any round."
    most = labels.shown_number(found["most_missing_kW"])
    before = f"{labels.count(some, 'round')} lacked power or had too much, by up to {most} kW"
    if found["missing_kW"] > 0:
        left = labels.shown_number(found["missing_kW"])
        return f"{before}; at the end {left} kW are missing or too much."
    return f"{before}; at the end none is missing."
