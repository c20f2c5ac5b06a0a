"""The whole plan in words: money, energy, needs not served, and where limits bind."""

import shlex

import numpy as np
import xarray as xr

from .plan_facts import SMALL, Plan, steps_in_words, switching_note


def summary_lines(plan: Plan, listed: int) -> list[str]:
    """The plan in a page: money, energy, needs not served, and where limits bind."""
    fleet, attrs = plan.groups["fleet"], plan.attrs
    profit, status, size = (
        float(str(attrs.get("profit", "nan"))),
        attrs.get("status", "unknown"),
        len(plan.members),
    )
    lines = [
        *filter(None, [str(attrs.get("not_a_market", ""))]),
        (
            f"{attrs.get('title') or 'Plan'}: {size} member{'s' * (size != 1)},"
            f" {steps_in_words(plan, 0, len(plan.calendar.time))}"
        ),
        f"Profit {profit:.2f} {plan.money} ({status}): {_meaning(plan)}.",
        *filter(
            None,
            [
                plan.note,
                str(attrs.get("complementarity", "")),
                str(attrs.get("block_note", "")),
                switching_note(plan),
            ],
        ),
        *("", f"The bill ({plan.money})"),
    ]
    for entry, amounts in plan.groups.get("ledger", xr.Dataset()).data_vars.items():
        lines.append(f"  {entry!s:<28}{float(amounts.sum()):>12.2f}")
    drawn, given = (
        np.asarray(fleet[n].fillna(0.0).sum("fleet"), dtype=float) for n in ("charge", "discharge")
    )
    price, known = plan.market_price, "energy" in plan.groups
    lines += ["", "Energy"]
    for verb, power in (("drew", drawn), ("fed in", given)):
        mean = (
            f" at {power @ price / power.sum():.1f} {plan.money}/MWh"
            if power.sum() > SMALL and known
            else ""
        )
        lines.append(f"  {verb} {plan.dt * power.sum():.1f} kWh{mean}")
    if known:
        lines.append(f"  the mean price was {price.mean():.1f} {plan.money}/MWh")
    lines += [
        "",
        "Needs not served",
        *unserved_lines(plan, listed),
        "",
        "Where limits bind, and what one unit more everywhere would earn at most",
    ]
    lines += binding_lines(plan)
    return [
        *lines,
        "",
        f"Ask about one of them: explain --vehicle {shlex.quote(plan.members[0])}"
        if plan.members
        else "",
    ]


def _meaning(plan: Plan) -> str:
    """What kind of profit it is: of a plan that knows everything, of scenarios, or of what was
    operated.
    """
    if "decisions" in plan.attrs:
        known = (
            f"operated in {plan.attrs['decisions']} decisions, forecast:"
            f" {plan.attrs.get('forecast', 'unknown')}"
        )
        if "regret" not in plan.attrs:
            return known
        best, less = (float(str(plan.attrs[n])) for n in ("objective_hindsight", "regret"))
        return f"{known}; {best:.2f} with hindsight, regret {less:.2f}"
    known = "the mean of all scenarios" if plan.note else "the prices are taken as known"
    return f"{known}, {_how_good(plan)}"


def _how_good(plan: Plan) -> str:
    """How much better a plan could be: the gap that the search left."""
    gap = float(str(plan.attrs.get("mip_gap", 0.0)))
    if plan.attrs.get("status") == "optimal" and not gap > SMALL:
        return "so nothing can be better"
    return f"and no plan is better by more than {gap:.2g} of what this one is worth"


def unserved_lines(plan: Plan, listed: int) -> list[str]:
    """The members whose needs were not served, with the kWh missing."""
    fleet = plan.groups["fleet"]
    total = sum(
        (fleet[n].fillna(0.0).sum("time") for n in ("unserved", "unserved_trip") if n in fleet),
        xr.DataArray(0.0),
    )
    missing = {
        m: float(x)
        for m, x in zip(plan.members, np.atleast_1d(total), strict=False)
        if float(x) > SMALL
    }
    worst = sorted(missing, key=lambda m: -missing[m])
    lines = [f"  {name}: {missing[name]:.2f} kWh" for name in worst[:listed]]
    return [*lines, *([f"  … and {len(worst) - listed} more"] if len(worst) > listed else [])] or [
        "  none"
    ]


def binding_lines(plan: Plan) -> list[str]:
    """Return every kind of limit that costs something.

    With in how many places it does, and what one unit more everywhere would earn.
    """
    if not plan.explained:
        operated = (
            "; what was operated has none, only plans do" if "decisions" in plan.attrs else ""
        )
        return [f"  the result holds no shadow prices{operated}"]
    found: dict[str, tuple[int, float]] = {}  # several rows may be one limit
    for group, name in (
        (g, str(n))
        for g in ("reduced_cost", "dual")
        for n in plan.groups.get(g, xr.Dataset()).data_vars
    ):
        worth = (
            abs(plan.groups[group][name])
            if group == "dual"
            else plan.groups[group][name].clip(min=0)
        )
        count = int((worth > SMALL).sum())
        part, _, row = name.partition(".")
        if count and part in plan.parts and not plan.parts[part].is_balance(row):
            words = plan.parts[part].limit_label(row)
            places, earned = found.get(words, (0, 0.0))
            found[words] = places + count, earned + float(worth.sum())
    width = max(34, *map(len, found)) if found else 0
    lines = [
        f"  {words:<{width}}{count:>9} places {worth:>14.2f} {plan.money}"
        for words, (count, worth) in sorted(found.items(), key=lambda item: item[1])[::-1]
    ]
    return lines or ["  nowhere: only prices decided"]
