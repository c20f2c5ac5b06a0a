"""What the page says: headline, tiles, rows of its tables, and sentences; numbers already written
for people.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ...errors import SchemaError
from ...model.inputs import inputs_of
from ...solve.result import ADJUSTMENT, in_profit
from ...study.contract_outcome import contracts_taken, has_contracts, preferred_contracts
from .. import bill, labels, tables
from ..result_view import ResultView
from ..schedule_and_bids import (
    is_operated,
    on_forecasts,
    rests_on_buying_back,
    rests_on_mean_calls,
)
from .key_figures import planned_profit

MOST_NEEDS = 25
"""Needs not served that the page lists by name."""
MOST_PODS = 25
"""Pods whose bill the page sets out."""
MOST_STATES = 20
"""States of calls that the page lists."""
MOST_BATTERIES = 15
"""Batteries that the page lists by name."""
RARE = ("reserve", "owners", "grid", "other", "penalties")
"""Causes whose column is left out where nothing stands in it."""
LONGEST_SENTENCE = 320
"""Characters of a stated assumption that the page shows."""


def headline(view: ResultView) -> str:
    """The result in one sentence: what each rung of the ladder adds, else what the plan earns."""
    ladder = tables.ladder(view)
    scaled = f", scaled up from {labels.span(24 * view.days)}" if _scaled_up(view) else ""
    if len(ladder) < 2:
        profit = planned_profit(view) * view.scale
        verb = "earns" if profit >= 0 else "costs"
        return f"{_what(view)} {verb} {labels.amount(abs(profit))} {view.unit}{scaled}."
    added = [
        labels.rung_adds(str(row["rung"]), str(row["against"]), row["change"] * view.scale)
        for _, row in ladder.iterrows()
        if row["against"] and row["rung"] not in labels.TAKES
    ]
    taken = [
        f"{labels.TAKES[row['rung']]} {labels.amount(row['change'] * view.scale)}"
        for _, row in ladder.iterrows()
        if row["rung"] in labels.TAKES
    ]
    per_unit = dict(zip(ladder["rung"], ladder["per_unit"], strict=True))
    if {"smart + reserves", "V2G + reserves"} <= per_unit.keys():
        more = labels.rung_amount(per_unit["V2G + reserves"] - per_unit["smart + reserves"])
        added.append(f"so with reserves V2G adds {more} to smart charging")
    words = ", ".join([*added, *taken])
    return f"{words[0].upper()}{words[1:]} ({view.unit}{scaled})."


def _what(view: ResultView) -> str:
    """What earns: a plan, or a case that was operated, and how."""
    if not is_operated(view):
        return "The plan"
    if not on_forecasts(view):
        return "Decided in windows with perfect foresight, the case"
    gates = "through its gates on forecasts" if "gates" in view.groups else "on forecasts"
    return f"Operated {gates}, the case"


def _scaled_up(view: ResultView) -> bool:
    """Whether amounts are of a year, and the horizon is shorter."""
    yearly = view.kind != "row" or bool(view.others)
    return yearly and 0 < view.years < 0.9 and bool(view.units)


def setting(view: ResultView) -> str:
    """What was planned: whom, when, on which clock."""
    if not len(view.time):
        return "No time step."
    start, end = view.local[0], view.local[-1] + pd.Timedelta(hours=view.hours)
    span = f"{start.day} {start:%B %Y %H:%M} to {end.day} {end:%B %Y %H:%M} ({view.timezone})"
    length = f"{labels.span(len(view.time) * view.hours)} in steps of {labels.span(view.hours)}"
    scale = f" Amounts {view.per} are scaled up from this horizon." if _scaled_up(view) else ""
    return f"{', '.join(_whom(view))}; {span}, {length}.{scale}"


def warnings(view: ResultView) -> list[str]:
    """What a reader must know before the numbers."""
    notes = []
    status = str(view.attrs.get("status", "optimal"))
    if status != "optimal":
        gap = view.attrs.get("mip_gap")
        proof = (
            f"; it may be up to {labels.shown_number(100 * float(gap))} % below the best"
            if gap is not None
            else ""
        )
        notes.append(
            f"The solver stopped early ({status.replace('_', ' ')}): this is the best plan"
            f" found{proof}."
        )
    notes += str(view.attrs.get("warnings", "")).splitlines()
    missing = float(view.total("unserved").sum() + view.total("unserved_trip").sum())
    if missing > tables.SMALLEST_NEED:
        notes.append(
            f"{labels.shown_number(missing)} kWh of need are not served; they are named below."
        )
    if rests_on_mean_calls(view):
        notes.append(
            "Reserves are backed for the mean of the calls only (guarantee expected): what other"
            " calls would break, v2g replay shows."
        )
    if assumed := rests_on_buying_back(view):
        notes.append(assumed)
    audit = view.groups.get("audit")
    if audit is not None and "passed" in audit.attrs and not int(audit.attrs["passed"]):
        notes.append("The audit found deviations above its tolerance; see the foot of this page.")
    return notes


def ladder_rows(view: ResultView) -> list[dict[str, Any]]:
    """The ladder as shown: text per cell, and the sentence of each rung."""
    ladder, scale = tables.ladder(view), view.scale
    rows = []
    for _, row in ladder.iterrows():
        first = not row["against"]
        values = [row["change"] * scale] + [row[c] * scale for c in _causes(ladder)]
        rows.append(
            {
                "rung": row["rung"],
                "profit": labels.money(row["profit"] * scale),
                "against": row["against"],
                "cells": [_cell(None if first else v) for v in values],
                "words": _rung_in_words(view, row, _causes(ladder), first),
            }
        )
    return rows


def causes(view: ResultView) -> list[str]:
    """Heads of the change columns."""
    return [labels.CAUSES.get(c, c) for c in _causes(tables.ladder(view))]


def bill_rows(view: ResultView) -> list[dict[str, str]]:
    """The bill as shown, with its sums: profit, and the objective where penalties were paid."""
    table, scale = tables.bill_table(view), view.scale

    def row(kind: str, text: str, name: str, amount: float) -> dict[str, str]:
        return {
            "kind": kind,
            "words": text,
            "entry": name,
            "amount": labels.money(amount),
            "scaled": labels.money(amount * scale),
        }

    money, penalty = table[~table["penalty"]], table[table["penalty"]]
    rows = [
        row("", *entry)
        for entry in zip(money["words"], money["entry"], money["amount"], strict=True)
    ]
    rows.append(row("sum", "profit", "", float(money["amount"].sum())))
    if len(penalty):
        rows += [
            row("minor", *entry)
            for entry in zip(penalty["words"], penalty["entry"], penalty["amount"], strict=True)
        ]
        rows.append(row("sum", _objective_is(penalty), "", float(table["amount"].sum())))
    return rows


def _objective_is(beside: pd.DataFrame) -> str:
    """What the objective adds to profit."""
    some = {
        "penalties": beside["entry"] != ADJUSTMENT,
        "the weight of risk": beside["entry"] == ADJUSTMENT,
    }
    return (
        "objective (profit and"
        f" {' and '.join(name for name, there in some.items() if there.any())})"
    )


def bill_by_month(view: ResultView) -> dict[str, Any]:
    """The bill by local month as shown, and that of each pod where there are several.

    Empty for a bill of one month.
    """
    table = bill.monthly(view)
    whole, pods = bill.by_month(table), bill.by_pod(table)
    if not pods and len(whole.columns) <= 2:
        return {}
    columns = list(whole.columns)
    sheets = [
        {
            "pod": pod or "the portfolio",
            "rows": _month_rows(part, columns),
            "sum": labels.money(bill.total(part)),
        }
        for pod, part in list(pods.items())[:MOST_PODS]
    ]
    return {
        "columns": columns,
        "rows": _month_rows(table, columns),
        "pods": sheets,
        "more": max(0, len(pods) - MOST_PODS),
    }


def _month_rows(table: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    """Entries with their amounts by month, their sum, and penalties below it."""
    wide = bill.by_month(table).reindex(columns=columns, fill_value=0.0)
    penalty = ~wide.index.map(in_profit).to_numpy(dtype=bool)
    words = dict(zip(table["entry"], table["description"], strict=True))

    def row(kind: str, text: str, amounts: pd.Series) -> dict[str, Any]:
        return {"kind": kind, "words": text, "cells": [labels.money(float(x)) for x in amounts]}

    rows = [row("", words[name], amounts) for name, amounts in wide[~penalty].iterrows()]
    rows.append(row("sum", "profit", wide[~penalty].sum()))
    rows += [row("minor", words[name], amounts) for name, amounts in wide[penalty].iterrows()]
    return rows


def needs(view: ResultView) -> dict[str, Any]:
    """Needs not served, the worst by name."""
    table = tables.unserved(view)
    shown = table.head(MOST_NEEDS)
    rows = [
        {
            **{str(k): v for k, v in row.items()},
            **{
                amount: labels.shown_number(row[amount])
                for amount in ("kWh", "needed_kWh", "on_board_kWh")
            },
            "by": row["by"].replace("T", " "),
        }
        for row in shown.to_dict("records")
    ]
    missing = labels.shown_number(float(table["kWh"].sum()))
    sentence = (
        f"{labels.count(len(table), 'need')} could not be served, {missing} kWh in all. Worst"
        " first:"
    )
    return {
        "rows": rows,
        "session": "session" in table,
        "more": max(0, len(table) - len(shown)),
        "sentence": sentence,
    }


def connection_rows(view: ResultView) -> dict[str, Any]:
    """Limits of the connections as shown: how far they are used, and what a kW more is worth."""
    table = tables.connection_limits(view)
    rows = [
        {
            "pod": row["pod"],
            "way": row["way"],
            "cells": [
                labels.shown_number(row["limit"]),
                labels.shown_number(row["most"]),
                labels.shown_number(row["hours"]),
                labels.money(row["worth"]),
            ],
        }
        for row in table.head(2 * MOST_PODS).to_dict("records")
    ]
    return {"rows": rows, "more": max(0, len(table) - 2 * MOST_PODS)}


def wear_rows(view: ResultView) -> dict[str, Any]:
    """Wear of the batteries as shown: the most used ones, and the sum of all."""
    table = tables.wear_table(view)
    costs = ("cost_planned", "cost_counted", "cost_over", "cost_calendar")

    def shown(name: str, row: Any) -> dict[str, Any]:
        cells = [
            labels.shown_number(row["efc"]),
            labels.shown_number(row["throughput"]),
            *(labels.money(row[n]) for n in costs),
        ]
        prices = [
            labels.shown_number(row.get(n, math.nan)) for n in ("price_mean", "price_marginal")
        ]
        return {"name": name, "cells": cells + prices}

    rows = [shown(row["storage"], row) for row in table.head(MOST_BATTERIES).to_dict("records")]
    if len(table) > 1:
        total = table[["efc", "throughput", *costs]].sum(skipna=False).to_dict()
        rows.append(shown(f"all {labels.shown_number(len(table), 0)}", total))
    return {"rows": rows, "more": max(0, len(table) - MOST_BATTERIES)}


def cost_of_call_rows(view: ResultView) -> dict[str, Any]:
    """What calls take as shown: by asset, and the states that they are told by."""
    found = tables.calls(view)
    if not found:
        return {}
    costs = ("wear", "loss", "wear_unseen", "loss_unseen")
    taken = [
        {
            "name": labels.asset(row["asset"], view.parts),
            "cells": [
                *(labels.money(row[n] * view.scale) for n in costs),
                labels.shown_number(row["energy_lost"]),
            ],
        }
        for row in found["taken"]
    ]
    products = [n for n in found["states"][0] if n not in ("state", "share")]
    states = [
        {
            "name": row["state"],
            "cells": [
                f"{labels.shown_number(100 * row['share'], 1)} %",
                *(labels.shown_number(row[n]) for n in products),
            ],
        }
        for row in found["states"][:MOST_STATES]
    ]
    more = max(0, len(found["states"]) - MOST_STATES)
    source = found["source"] or "as the case gives them"
    count = labels.count(len(found["states"]), "state")
    return {
        "taken": taken,
        "products": products,
        "states": states,
        "more": more,
        "sentence": (
            f"The calls of reserves are told by {count} ({source}); losses and wear are those of"
            " each."
        ),
    }


def contract_rows(view: ResultView) -> dict[str, Any]:
    """Contracts as shown: what each came to, and which one each type would prefer at its calls."""
    if view.source is None or not has_contracts(view.source):
        return {"rows": [], "preferred": []}
    taken, preferred = contracts_taken(view.source), preferred_contracts(view.source)
    rows = [
        {"name": row["made_for"], "cells": [*_amounts(row)]} for row in taken.to_dict("records")
    ]
    choices = [
        {
            "name": row["type"],
            "prefers": row["prefers"],
            "cells": [_shown(row["own"], 4), _shown(row["more"], 4)],
        }
        for row in preferred.to_dict("records")
    ]
    return {"rows": rows, "preferred": choices}


def _amounts(row: dict[Any, Any]) -> list[str]:
    """What one contract came to, written for people."""
    places = {"term": 2, "energy": 2, "payment": 4, "sessions": 0, "called": 2, "missed": 2}
    found = [_shown(row[name], count) for name, count in places.items()]
    return [*found, labels.money(row["paid"]), _shown(row["paid_per_kWh"], 4)]


def _shown(value: float, places: int) -> str:
    return labels.NONE if math.isnan(value) else labels.shown_number(value, places)


def solution(view: ResultView) -> list[str]:
    """Return how the plan was found.

    It tells of the exclusion of simultaneous charging and discharging, of blocks, and of
    merging.
    """
    attrs = view.attrs
    texts = [_sentence(str(attrs[note])) for note in ("bid_note", "policy_note") if attrs.get(note)]
    if attrs.get("complementarity"):
        texts.append(_sentence(f"Charging and discharging at once: {attrs['complementarity']}"))
    if attrs.get("block_note"):
        texts.append(_sentence(f"Independent blocks: {attrs['block_note']}"))
    if int(attrs.get("merged_members") or 0):
        texts.append(
            f"{labels.count(int(attrs['merged_members']), 'identical member')} merged, which is"
            " exact."
        )
    return texts


def audit(view: ResultView) -> dict[str, Any]:
    """The audit as shown."""
    data = view.groups.get("audit")
    if data is None:
        return {"sentence": "This result was not audited.", "rows": []}
    passed = bool(int(data.attrs.get("passed", 1)))
    rows = [
        {
            "name": str(k).replace("_", " "),
            "value": f"{float(v):.2g}".replace("-", labels.MINUS),
            "unit": str(v.attrs.get("units", "")),
        }
        for k, v in data.data_vars.items()
        if v.ndim == 0 and v.dtype.kind in "fiub"
    ]
    verdict = (
        "kept every limit and every entry of the bill was confirmed"
        if passed
        else "DEVIATES from the limits or the bill"
    )
    return {
        "sentence": (
            f"The written plan was replayed independently of the optimisation: it {verdict}."
        ),
        "rows": rows,
    }


def facts(view: ResultView) -> list[tuple[str, str]]:
    """Provenance: versions, sizes, times, hash."""
    a = view.attrs
    found = [
        ("status", a.get("status")),
        ("solver", " ".join(str(a[k]) for k in ("solver", "solver_version") if k in a)),
        (
            "v2g-linopy, linopy",
            ", ".join(str(a[k]) for k in ("v2g_linopy_version", "linopy_version") if k in a),
        ),
        ("build and solve", _seconds(a)),
        ("size", _size(a)),
        ("case hash", a.get("case_hash")),
        ("source", a.get("source")),
    ]
    return [(name, str(value)) for name, value in found if value not in (None, "")]


def stated_assumptions(view: ResultView) -> list[str]:
    """What the case states as its assumptions; long lists are cut short."""
    given = view.attrs.get("assumptions", "")
    lines = (
        given.splitlines()
        if isinstance(given, str)
        else [str(line) for line in np.atleast_1d(np.asarray(given))]
    )
    return [_short(line.strip(" -*")) for line in lines if line.strip(" -*")]


def defaults(view: ResultView) -> list[str]:
    """What had to be assumed to read the case: defaults and missing units."""
    try:
        return list(inputs_of(view.source, view.parts).notes) if view.source is not None else []
    except SchemaError:  # parts that are not in the catalogue
        return []


def cause_words() -> str:
    """What the columns of the ladder mean."""
    return (
        "Energy: what the energy markets pay or cost; the energy shift on the rung smart, arbitrage"
        " on the rung V2G. Reserves: what is paid for being ready and for activated energy. Battery"
        " wear: replacement cost of the energy that passes through the batteries. Drivers'"
        " payments: what drivers pay for their energy. Payments to owners: for the energy that they"
        " let be discharged. Grid tariffs and taxes: what the meter pays"
        " beside its energy."
    )


def _causes(ladder: pd.DataFrame) -> list[str]:
    fixed = {"rung", "profit", "per_unit", "against", "change"}
    return [
        c
        for c in ladder.columns
        if c not in fixed and (c not in RARE or ladder[c].abs().max() > 0.005)
    ]


def _cell(value: float | None) -> dict[str, str]:
    if value is None:
        return {"text": "", "tone": ""}
    tone = " gain" if value > 0.005 else " loss" if value < -0.005 else ""
    return {"text": labels.signed(value, 2), "tone": tone}


def _rung_in_words(view: ResultView, row: pd.Series, names: list[str], first: bool) -> str:
    text = labels.RUNGS.get(row["rung"], "")
    if first:
        return text
    scale = view.scale
    parts = labels.parts({labels.CAUSES.get(c, c): row[c] * scale for c in names})
    change = labels.parts({view.unit: row["change"] * scale})
    if not change:
        return f"{text} Against {row['against']}: no change."
    return (
        f"{text} Against {row['against']}: {labels.signed_amount(row['change'] * scale)}"
        f" {view.unit} ({parts})."
    )


def _whom(view: ResultView) -> list[str]:
    """How many of what: the fleet, the other assets, their pods, and what was averaged."""
    parts = _fleet(view) if len(view.members) or not view.others else []
    parts += [
        labels.count(len(view.index(n, view.assets[n].member)), labels.member(n, view.parts))
        for n in view.others
        if n in view.assets
    ]
    if len(view.pods) > 1:
        parts.append(f"at {len(view.pods)} points of delivery")
    return parts + ([view.note] if view.scenarios else [])


def _fleet(view: ResultView) -> list[str]:
    """How many of what in the fleet."""
    sessions = view.groups["sessions"].sizes.get("session", 0) if view.has("sessions") else 0
    kind = "member" if view.kind == "row" else view.kind
    parts = [labels.count(view.vehicles, kind)]
    if len(view.members) != view.vehicles:
        parts.append(f"modelled as {labels.count(len(view.members), 'member')}")
    if view.kind == "row":
        parts = [
            f"{labels.count(sessions, 'charging session')}, packed into"
            f" {labels.count(len(view.members), 'row')}"
        ]
    elif sessions:
        parts.append(labels.count(sessions, "charging session"))
    return parts


def _short(text: str) -> str:
    """A sentence of bearable length; the case file has the whole of it."""
    if len(text) <= LONGEST_SENTENCE:
        return text
    return text[:LONGEST_SENTENCE].rsplit(" ", 1)[0].rstrip(",;") + " … (in full in the case file)"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _seconds(attrs: Any) -> str:
    times = [f"{float(attrs[k]):.2f} s" for k in ("build_seconds", "solve_seconds") if k in attrs]
    return ", ".join(times)


def _size(attrs: Any) -> str:
    return ", ".join(
        f"{labels.shown_number(float(attrs[k]), 0)} {k}"
        for k in ("rows", "columns", "nonzeros", "binaries")
        if k in attrs
    )
