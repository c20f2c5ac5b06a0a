"""Operate a fleet step by step on what is known by then, by a rule for each session: no model of
the whole is solved (docs/formulation.md §4).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs
from .charging_rules import Operated, operate_sessions
from .day_ahead_bids import SPREAD_BIDS, BidRule, day_ahead_bids
from .plugged_in import stays_of
from .price_forecasts import KNOWN_BY_RULES, auction_of, price_forecast
from .separable import coupling
from .windows import Sequence, State

Policy = Literal["model", "rule", "latest", "unmanaged"]
POLICIES = ("model", "rule", "latest", "unmanaged")
"""How a case is operated: by its model, or by one of three rules for each session."""
RULE_NOTE = "no row of the case binds two sessions together: each is operated by itself"
"""What a result says of a case that was operated by a rule."""


@dataclass(frozen=True)
class Run:
    """What was operated by a rule, beside what stands in the state of its sequence."""

    called: np.ndarray  # kWh that decisions called for on (step, member)
    expected: np.ndarray  # kW that was expected to be delivered (sale +), on the steps operated


def operate_by_rule(
    truth: Inputs,
    comes: Inputs,
    gone: np.ndarray,
    q: Sequence,
    state: State,
    policy: str,
    rule: BidRule,
    history: int = 0,
) -> Run:
    """Operate all steps of a sequence, and write what was decided into its state.

    Given its position, a session costs what the imbalance costs in the steps in which it draws,
    where there is one price for both ways. So its best plan depends on no other session, nor on
    the position, as long as no row of the case binds members together; this is checked. A rule
    that does not look at imbalance prices is the same whatever they are.

    Parameters
    ----------
    truth : Inputs
        The case as its sessions declare it.
    comes : Inputs
        The case as it comes, where cars may leave before and chargers may be off.
    gone : numpy.ndarray
        True on (step, member) where a car has left.
    q : Sequence
        Which steps are operated, by which forecast, and when gates close.
    state : State
        As it is where the steps begin; `realised` and `committed` are written.
    policy : {"rule", "latest", "unmanaged"}
        `rule` draws in the steps that are cheapest by the forecast and plans sessions that may
        feed in one by one; `latest` draws as late as the need allows, `unmanaged` at once.
    rule : BidRule
        What the day-ahead auction is bid.
    history : int, default 0
        Steps before the first that are operated as well, for what bids look back to; sessions
        under way come from there.

    Returns
    -------
    Run
        What was called and expected.

    Raises
    ------
    SchemaError
        Listing everything that binds members together, forecasts and bids that do not fit, and
        steps in which the imbalance is beyond its limit.
    """
    stays, as_comes = stays_of(truth), stays_of(comes)
    by_imbalance = policy == "rule" and q.forecast.name != "published"
    problems = [
        *_unknown(q.forecast.name, policy),
        *coupling(truth, stays, by_imbalance=by_imbalance),
        *_not_for_prices(rule, truth),
    ]
    if problems:
        raise SchemaError(problems, source="the simulation")
    steps = range(q.steps.start, q.steps.stop)
    before = range(steps.start - history, steps.start)
    forecast = price_forecast(q.forecast.name, truth, q.gates) if policy == "rule" else None
    came = operate_sessions(stays, as_comes, gone, before, policy, forecast, *_before(truth, state))
    if history:
        _begin_with(came, truth, state)
    done = operate_sessions(stays, as_comes, gone, steps, policy, forecast, came.energy, came.used)

    fed_in = came.discharge + done.discharge - came.charge - done.charge
    net = _with_loads(truth, fed_in.sum(axis=1) / truth.dt)
    powers = np.maximum(stays.charge_max, stays.discharge_max).sum(axis=1) / truth.dt
    connected = powers - _with_loads(truth, np.zeros_like(powers))
    bids = day_ahead_bids(rule, net, connected, range(before.start, steps.stop), truth, q.gates)
    position = np.where(np.isin(np.arange(len(net)), steps), bids.position, 0.0)
    _check_imbalance(truth, net - position, steps)
    _write(truth, q, state, done, position)
    return Run(done.called, bids.expected[q.steps])


def _not_for_prices(rule: BidRule, truth: Inputs) -> list[Problem]:
    """Return what keeps a bid from being made for the imbalance prices of a case."""
    d = truth.data.get("imbalance")
    two = d is not None and "price_short" in d and bool((d.price_short > d.price_long).any())
    if two and rule.kind in SPREAD_BIDS:
        detail = (
            f"{rule.kind!r} is made for one imbalance price, and the case has two; choose"
            " quantile, mean-of-days or week-ago"
        )
        return [Problem("bids", "choice", detail)]
    return []


def _begin_with(came: Operated, truth: Inputs, state: State) -> None:
    """Write what is on board where the steps begin, and what has been fed in by then."""
    fleet = truth.data["fleet"]
    members = {"fleet": fleet.indexes["fleet"]}
    found = {"energy_initial": came.energy}
    if "allowance" in fleet:
        found["allowance_used"] = came.used
    for name, x in found.items():
        state.initial_inputs["fleet", name] = xr.DataArray(x, coords=members, dims="fleet")


def _unknown(forecast: str, policy: str) -> list[Problem]:
    """Return what a rule cannot do."""
    problems = []
    if policy == "rule" and forecast not in KNOWN_BY_RULES:
        detail = f"{forecast!r} is not known to a rule; choose {', '.join(KNOWN_BY_RULES)}"
        problems.append(Problem("forecast", "choice", detail))
    return problems


def _before(truth: Inputs, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Return what is on board of each member where the steps begin, and what it has fed in."""
    fleet = truth.data["fleet"]
    members = fleet.indexes["fleet"]
    given = state.initial_inputs.get(("fleet", "energy_initial"), fleet.energy_initial)
    zeros = xr.zeros_like(fleet.fleet, float)
    energy = given.sel(fleet=members) if "fleet" in given.dims else given
    used = fleet.get("allowance_used", zeros)
    return (energy + zeros).to_numpy().astype(float), (used + zeros).to_numpy().astype(float)


def _with_loads(truth: Inputs, net: np.ndarray) -> np.ndarray:
    """Return the feed-in of the fleet less what electric loads draw (kW)."""
    load = truth.data.get("load")
    if load is None or not load.sizes["load"]:
        return net
    drawn = load.baseline.where(load.carrier == "electricity", 0.0).sum("load")
    return net - np.broadcast_to(drawn.to_numpy(), net.shape)


def _check_imbalance(truth: Inputs, imbalance: np.ndarray, steps: range) -> None:
    """Raise where more imbalance comes than is allowed: it can be neither bought nor left out."""
    limit = np.zeros(len(imbalance))
    if "imbalance" in truth.data:
        limit = np.broadcast_to(truth.data["imbalance"].limit.to_numpy(), imbalance.shape)
    beyond = (abs(imbalance) - limit)[steps.start : steps.stop]
    if count := int((beyond > 1e-6).sum()):
        worst = steps.start + int(beyond.argmax())
        detail = (
            f"{abs(imbalance[worst]):g} kW at {truth.calendar.local(truth.calendar.time[worst])}"
            f" ({count} steps in all) are more than the limit of {limit[worst]:g} kW; a rule does"
            " not keep it: raise it, or operate by the model"
        )
        raise SchemaError([Problem("imbalance.limit", "range", detail)], source="the simulation")


def _write(truth: Inputs, q: Sequence, state: State, done: Operated, position: np.ndarray) -> None:
    """Write powers and positions as a run through the gates leaves them."""
    time, members = truth.calendar.time[q.steps], truth.data["fleet"].indexes["fleet"]
    axes = {"fleet": members, "time": time}
    state.realised = [
        {
            f"fleet.{name}": xr.DataArray(x[q.steps].T / truth.dt, coords=axes, dims=list(axes))
            for name, x in (("charge", done.charge), ("discharge", done.discharge))
        }
    ]
    state.decisions = len(time)
    if "energy" not in state.committed:
        return
    committed = state.committed["energy"].copy()
    auction = auction_of(q.gates)
    if auction is not None:
        committed[auction] += position
    state.committed["energy"] = committed
    state.turnover["energy"] = abs(committed)
