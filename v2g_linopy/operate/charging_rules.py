"""Operate sessions one by one, step after step, by a rule that needs no model of the whole fleet
(docs/formulation.md §4).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import session_schedule
from .plugged_in import Stays
from .price_forecasts import PriceForecast
from .session_schedule import Ahead

RULES = ("rule", "latest", "unmanaged")
_NEAR = 1e-9  # kWh

Expected = Callable[[int, int], np.ndarray]
"""`expected(now, count)`: the price of `count` steps from `now` on (EUR/kWh)."""


@dataclass
class Operated:
    """What was done in each step, and what it leaves to the steps to come."""

    charge: np.ndarray  # kWh drawn on (step, member)
    discharge: np.ndarray  # kWh fed in
    called: np.ndarray  # kWh that the decisions wanted to be fed in
    energy: np.ndarray  # kWh on board of each member
    used: np.ndarray  # kWh of its allowance that each stay was called for


def operate_sessions(
    stays: Stays,
    comes: Stays,
    gone: np.ndarray,
    steps: range,
    policy: str,
    forecast: PriceForecast | None,
    energy: np.ndarray,
    used: np.ndarray,
) -> Operated:
    """Operate every stay through some steps; each decision knows who is plugged in by then.

    A stay is planned to its own departure, also where that lies beyond the steps.

    Parameters
    ----------
    stays : Stays
        What is plugged in when, as it is declared on arrival.
    comes : Stays
        The same as it comes, where cars may leave before and chargers may be off.
    gone : numpy.ndarray
        True on (step, member) where a car has left, so that it is not called. A charger that is off
        is: what is called and not delivered counts against the allowance as if it had been.
    steps : range
        The steps that are operated.
    policy : {"rule", "latest", "unmanaged"}
        `rule` draws in the steps that are cheapest by the forecast, and plans stays that may feed
        in one by one; `latest` draws as late as the need allows, `unmanaged` at once.
    forecast : PriceForecast, optional
        What the rule knows of prices.
    energy, used : numpy.ndarray
        On board of each member before the first step, and what its stay has fed in (kWh).

    Returns
    -------
    Operated
        Energy drawn and fed in on all steps of the case, 0 where nothing is operated.
    """
    charge, discharge, called = (np.zeros_like(stays.charge_max) for _ in range(3))
    done = Operated(charge, discharge, called, energy.copy(), used.copy())
    for now in steps:
        members = stays.plugged(now)
        members = members[~gone[now, members]]
        if len(members):
            _arrive(stays, now, members, done)
            ahead = _ahead(stays, now, members, done)
            _deliver(comes, now, members, _decided(ahead, now, policy, forecast), done)
    return done


def _arrive(stays: Stays, now: int, members: np.ndarray, done: Operated) -> None:
    """Begin the stays of a step with what came with them; nothing of their allowance is used."""
    came = members[stays.begins[now, members]]
    done.energy[came] = stays.energy_in[now, came]
    done.used[came] = 0.0


def _ahead(stays: Stays, now: int, members: np.ndarray, done: Operated) -> Ahead:
    """Return what each stay may still do until its departure, on (step ahead, member)."""
    count = stays.last[now, members] - now + 1
    window = slice(now, now + int(count.max()))
    there = np.arange(window.stop - now)[:, None] < count

    def of_stay(x: np.ndarray) -> np.ndarray:
        return np.where(there, x[window][:, members], 0.0)

    left = np.maximum(stays.allowance[now, members] - done.used[members], 0.0)
    return Ahead(
        charge_max=of_stay(stays.charge_max),
        discharge_max=np.where(left > _NEAR, of_stay(stays.discharge_max), 0.0),
        energy_min=of_stay(stays.energy_min),
        count=count,
        energy=done.energy[members],
        energy_max=stays.energy_max[now, members],
        eta_charge=stays.eta_charge[now, members],
        eta_discharge=stays.eta_discharge[now, members],
        allowance=left,
        charge_cost=stays.charge_cost[window][:, members],
        discharge_cost=stays.discharge_cost[window][:, members],
    )


def _decided(
    ahead: Ahead, now: int, policy: str, forecast: PriceForecast | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each stay draws and feeds in now (kWh)."""
    nothing = np.zeros_like(ahead.energy)
    if policy == "unmanaged":
        return _first_of(ahead, np.zeros_like(ahead.charge_max, bool), ahead.need), nothing
    if policy == "latest":
        return _first_of(ahead, np.ones_like(ahead.charge_max, bool), ahead.need), nothing

    assert forecast is not None
    price = forecast.at(now, len(ahead.charge_max))
    charge, discharge = cheapest_first(ahead, price), nothing
    both_ways = np.any(ahead.discharge_max > 0, axis=0)
    if both_ways.any():
        some = ahead.of(both_ways)
        charge[both_ways], discharge[both_ways] = session_schedule.first_step(some, price)
    return charge, discharge


def cheapest_first(ahead: Ahead, price: np.ndarray) -> np.ndarray:
    """Return what each stay draws now where the cheapest steps until its departure serve its need.

    Of equal prices the earlier step comes first. Where drawing earns money, the battery is filled
    beyond the need::

        draw = what the steps that are cheaper than this one cannot hold,  0 <= draw <= charge_max
    """
    cost = price[:, None] + ahead.charge_cost
    wanted = np.where(cost[0] < 0, ahead.room, ahead.need)
    return _first_of(ahead, cost < cost[0], wanted)


def _first_of(ahead: Ahead, come_before: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return what is drawn now of what is wanted, beyond what the steps that come before can."""
    held = np.where(come_before, ahead.charge_max, 0.0)[1:].sum(axis=0)
    return np.clip(wanted - held, 0.0, ahead.charge_max[0])


def _deliver(
    stays: Stays,
    now: int,
    members: np.ndarray,
    decided: tuple[np.ndarray, np.ndarray],
    done: Operated,
) -> None:
    """Carry a decision out, and meter it."""
    charge, called = decided
    charge = np.minimum(charge, stays.charge_max[now, members])
    discharge = np.minimum(called, stays.discharge_max[now, members])
    done.charge[now, members], done.discharge[now, members] = charge, discharge
    done.called[now, members] = called
    gained = stays.eta_charge[now, members] * charge - discharge / stays.eta_discharge[now, members]
    done.energy[members] += gained
    done.used[members] += called
