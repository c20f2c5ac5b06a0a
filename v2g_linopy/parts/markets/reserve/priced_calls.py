"""What calls cost: the states that reserves are called in within a step, and the rows that let
losses and wear follow each of them (docs/formulation.md §3).
"""

from dataclasses import replace

import numpy as np
import xarray as xr

from ....algebra.expression import Expression
from ....case.schema import ABSENT, Calendar, Field, violations
from ....errors import Problem
from ....model.reserve_rules import given_back, told_by_states
from ....model.scope import Scope
from ....model.terms import ReservedPower
from ....model.upper_sets import MOST_ROWS, sets_of_states

INPUTS = (
    Field(
        "call",
        "product call_state",
        "1",
        "power called per kW sold in a state of the calls: above 0 upward, below 0 downward",
        ABSENT,
    ),
    Field(
        "call_share",
        "call_state time",
        "1",
        "share of the step in which the calls are in this state; the states of a step sum to 1",
        ABSENT,
        ge=0,
        le=1,
        beside="call",
        uncertain=True,
        drawn=False,
    ),
    Field(
        "recovery_delay",
        "product",
        "h",
        "time from a call until what it took can be bought back; NaN: one step",
        float("nan"),
        ge=0,
        missing=True,
    ),
    Field(
        "recovery_flow",
        "product",
        "1",
        "power fed in, in the mean, to give back what calls brought beyond their mean, per kW sold"
        " and before losses; as much is drawn to buy back what they took",
        default=0.0,
        ge=0,
        le=1,
    ),
)
OUTPUTS = (
    Field(
        "fed_in",
        "time",
        "kW",
        "power fed in while the calls are in a state, 0 where power is drawn",
        shared=True,
        auxiliary=True,
    ),
    Field(
        "feeds_in",
        "time",
        "1",
        "1 where power is fed in while the calls are in a state, where that had to be decided",
        shared=True,
        auxiliary=True,
    ),
)
_NEAR = 1e-9
MOST_STATES = 64


def mean_calls(d: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the mean share activated upward and downward, per kW sold, on (product[, time])."""
    up = (d.call_share * d.call.clip(min=0)).sum("call_state")
    down = (d.call_share * (-d.call).clip(min=0)).sum("call_state")
    return up, down


def with_mean_activation(d: xr.Dataset) -> xr.Dataset:
    """Set the expected activation to the mean of the states, if there are states."""
    if not told_by_states(d) or "call_share" not in d:
        return d
    up, down = mean_calls(d)
    return d.assign(activation_up=up, activation_down=down)


def state_problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return what no states of calls can be: shares that miss 1, and calls of more than is held.

    An activation that is given beside them, other than 0, has to be their mean.
    """
    if not told_by_states(d):
        return []
    if "call_share" not in d:
        detail = "missing: say in which share of each step the calls are in each state"
        return [Problem("reserve.call_share", "missing", detail)]
    if d.sizes["call_state"] > MOST_STATES:
        detail = f"{d.sizes['call_state']} states, at most {MOST_STATES}; take fewer, wider ones"
        return [Problem("reserve.call_state", "range", detail)]
    total = d.call_share.sum("call_state")
    if bool((abs(total - 1) > 1e-6).any()):
        worst = float(total.where(abs(total - 1) == abs(total - 1).max(), drop=True).max())
        detail = f"the shares of the states sum to {worst:g} in some step, not to 1"
        return [Problem("reserve.call_share", "consistency", detail)]
    rules = [
        ("call", d.call > d.up + _NEAR, d.call, "more than is held upward (up)"),
        ("call", -d.call > d.down + _NEAR, d.call, "more than is held downward (down)"),
    ]
    for way, mean in zip(("up", "down"), mean_calls(d), strict=True):
        given = d[f"activation_{way}"]
        wrong = (abs(given - mean) > 1e-6) & (given > 0)
        detail = "other than the mean of the states of the calls; leave it out, or give that"
        rules.append((f"activation_{way}", wrong, given + 0.0 * mean, detail))
    return violations("reserve", rules, calendar) + _one_way_with_energy(d)


def _one_way_with_energy(d: xr.Dataset) -> list[Problem]:
    """Energy is guaranteed beside priced calls where these cancel in the mean of every step."""
    up, down = mean_calls(d)
    drifts = (abs(up - down) > 1e-6).any([n for n in up.dims if n != "product"])
    energy = (d.guarantee != "expected") | ((d.excursion_up + d.excursion_down) > 0).any(
        [n for n in d.excursion_up.dims if n != "product"]
    )
    wrong = energy & drifts
    if not bool(wrong.any()):
        return []
    names = ", ".join(str(x) for x in wrong.where(wrong, drop=True).indexes["product"])
    detail = (
        f"of {names} the calls move energy in the mean of a step, and energy is guaranteed; the"
        " states of calls are not written for both: give guarantee expected, or activation_up and"
        " activation_down in place of the states"
    )
    return [Problem("reserve.call", "consistency", detail)]


def call_rows(s: Scope, d: xr.Dataset, asset: str, x: Expression, possible: xr.DataArray) -> None:
    """Rows: the discharge is at least what is fed in over the states of the calls.

    With charge c and discharge g of the expected path [kW, means over the step], the power b that
    is traded, shares w_s of the states, and a_rs what product r is called per kW sold::

        b = g - c - sum_r abar_r x_r,   abar_r = sum_s w_s a_rs
        g >= sum_s w_s max(0, b + sum_r a_rs x_r)

    As x >= 0, the states that feed in are, at any plan, an upper set U: with a state, all those
    that call as much or more of every product. So the maximum is that of one row for each U::

        sum_{s in U} w_s (b + sum_r a_rs x_r) <= g

    Where there are more than `MOST_ROWS` such sets, each state has a column in their place::

        f_s >= b + sum_r a_rs x_r,   f_s >= 0,   sum_s w_s f_s <= g

    c >= sum_s w_s max(0, -(b + ...)) follows, so that losses and wear are those of every state.

    The mean call of a step is not the one that is expected. What it brings beyond that is given
    back some steps later, and what it takes is bought back: throughput that stands on the left of
    every row, those of no state and of all of them included (`recovery_flow` is B_r)::

        h x = eta_c eta_d sum_r B_r x_r,   h x <= g,   h x <= c

    It counts in the step of the call, though it flows later.

    A plan that feeds in more than that burns energy, which only pays at prices far below zero.
    Where one did (`exclusive_called`), a binary z_s says which way the power goes in each state::

        f_s <= discharge_max z_s,   f_s <= b + sum_r a_rs x_r + charge_max (1 - z_s),
        g = sum_s w_s f_s + h x
    """
    powers = s.flex[asset].powers
    if powers is None or not told_by_states(d) or not x.has_terms:
        return
    c, g, both_ways = powers.charge, powers.discharge, powers.both_ways
    where = possible.any("product") & both_ways
    called, mean = d.call_share * d.call, (d.call_share * d.call).sum("call_state")
    asset_data = s.inputs[asset]
    back = (given_back(d, asset_data) * x).sum("product")
    if bool((d.recovery_flow > 0).any()):
        s.add(f"given_back_{asset}", back - g <= 0, mask=where)
        s.add(f"drawn_again_{asset}", back - c <= 0, mask=where)
    sets = sets_of_states(d.call, MOST_ROWS)
    flagged = asset_data.get("exclusive_called")
    if sets is not None:
        share = (sets * d.call_share).sum("call_state")
        more = (sets * called).sum("call_state") - share * mean
        fed_in = share * (g - c) + (more * x).sum("product")
        s.add(f"fed_in_{asset}", fed_in + back - g <= 0, mask=where)
        if flagged is None:
            return
        where = where & flagged

    members = asset_data.indexes[asset_data.attrs["member"]]
    every = where & xr.ones_like(d.call_share, dtype=bool)
    axes = [members, d.indexes["call_state"]]
    f = s.var_where("fed_in", every, over=axes, suffix=f"_{asset}")
    in_state = g - c + ((d.call - mean) * x).sum("product")
    mean_fed_in = (d.call_share * f).sum("call_state")
    s.add(f"fed_in_state_{asset}", in_state - f <= 0, mask=every)
    if sets is None:
        s.add(f"fed_in_{asset}", mean_fed_in + back - g <= 0, mask=where)
    if flagged is None:
        return

    where, every = where & flagged, every & flagged
    z = s.var_where("feeds_in", every, binary=True, over=axes, suffix=f"_{asset}")
    s.add(f"fed_in_all_{asset}", g - mean_fed_in - back <= 0, mask=where)
    s.add(f"fed_in_on_{asset}", f - asset_data.discharge_max * z <= 0, mask=every)
    drawn = f - in_state + asset_data.charge_max * z <= asset_data.charge_max
    s.add(f"fed_in_off_{asset}", drawn, mask=every)


def with_baseline(
    s: Scope, d: xr.Dataset, asset: str, x: Expression, held: ReservedPower
) -> ReservedPower:
    """The reserve held, and the same about the baseline, where that trades by itself: limits of
    connections and chargers hold where nothing has been called, too.
    """
    f = s.flex[asset]
    if not told_by_states(d) or f.baseline is None or not x.has_terms:
        return held
    apart = f.baseline + ((d.activation_up - d.activation_down) * x).sum("product")
    return replace(held, without_calls=ReservedPower(held.up + apart, held.down - apart))


def backlog_rows(s: Scope, d: xr.Dataset, asset: str, x: Expression, some: xr.DataArray) -> None:
    """Rows that tie the baseline path to the expected one, where energy is guaranteed on it.

    Calls lose energy that the plan buys back on the market, which is free of the baseline then.
    With energies e of the expected path and e0 of the baseline, k steps until a call can be bought
    back, and states whose mean is 0::

        0 <= e0 - e <= k dt sum_r x_r sum_s w_s (a_rs+ / eta_d - eta_c a_rs-)

    Without calls the baseline alone has the room to deliver; with the mean call the expected path
    has (`up` and `down`)::

        sum_r up x_r <= discharge_max - b0,   sum_r down x_r <= charge_max + b0
    """
    f = s.flex[asset]
    if f.baseline is None or f.backlog is None or f.store is None or not x.has_terms:
        return
    lost = d.call.clip(min=0) / f.store.eta_discharge - f.store.eta_charge * (-d.call).clip(min=0)
    steps = recovery_steps(d, s.dt)
    due = (steps * s.dt * (d.call_share * lost).sum("call_state") * x).sum("product")
    s.add(f"backlog_most_{asset}", f.backlog - due <= 0)
    s.add(f"backlog_least_{asset}", f.backlog >= 0)
    s.add(f"up_baseline_{asset}", (d.up * x).sum("product") <= f.up - f.baseline, mask=some)
    s.add(f"down_baseline_{asset}", (d.down * x).sum("product") <= f.down + f.baseline, mask=some)


def recovery_steps(d: xr.Dataset, dt: float) -> xr.DataArray:
    """Return in how many steps what a call took can be bought back: one at least."""
    return np.ceil(d.recovery_delay.fillna(dt) / dt - _NEAR).clip(min=1)
