"""Operate a fleet step by step on what is known by then, by a rule for each session: no model of
the whole is solved (docs/formulation.md §4).
"""

from typing import Literal

import numpy as np
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.inputs import Inputs
from .charging_rules import Operated, operate_sessions
from .day_ahead_bids import bid_quantities
from .plugged_in import stays_of
from .price_forecasts import KNOWN_BY_RULES, auction_of, price_forecast
from .separable import coupling
from .windows import Sequence, State

Policy = Literal["model", "rule", "latest", "unmanaged"]
POLICIES = ("model", "rule", "latest", "unmanaged")
"""How a case is operated: by its model, or by one of three rules for each session."""
RULE_NOTE = "no row of the case binds two sessions together: each is operated by itself"
"""What a result says of a case that was operated by a rule."""


def operate_by_rule(
    truth: Inputs,
    comes: Inputs,
    gone: np.ndarray,
    q: Sequence,
    state: State,
    policy: str,
    bids: str,
    days: int,
) -> np.ndarray:
    """Operate all steps of a sequence, and write what was decided into its state.

    Given its position, a session costs what the imbalance costs in the steps in which it draws,
    where there is one price for both ways. So its best plan depends on no other session, nor on
    the position, as long as no row of the case binds members together; this is checked.

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
    bids : {"week-ago", "mean-of-days", "none", "known"}
        What the day-ahead auction is bid.
    days : int
        How many days `mean-of-days` looks back to.

    Returns
    -------
    numpy.ndarray
        Energy that decisions called for on (step, member) (kWh).

    Raises
    ------
    SchemaError
        Listing everything that binds members together, forecasts that a rule does not know, and
        steps in which the imbalance is beyond its limit.
    """
    stays = stays_of(truth)
    problems = [*_unknown(q.forecast.name, policy), *coupling(truth, stays)]
    if problems:
        raise SchemaError(problems, source="the simulation")
    steps = range(q.steps.start, q.steps.stop)
    forecast = price_forecast(q.forecast.name, truth, q.gates) if policy == "rule" else None
    energy, used = _before(truth, state)
    done = operate_sessions(stays, stays_of(comes), gone, steps, policy, forecast, energy, used)

    net = _with_loads(truth, (done.discharge - done.charge).sum(axis=1) / truth.dt)
    position = bid_quantities(bids, net, steps, truth, q.gates, days)
    _check_imbalance(truth, net - position, steps)
    _write(truth, q, state, done, position)
    return done.called


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
