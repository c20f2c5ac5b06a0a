"""The best plan of one plant: every sequence of states is tried, each with a small LP of its own
(scipy alone).
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import linprog

NOTHING = -np.inf


def best_engine(
    plant: dict[str, Any], price: Sequence[float], heat: Sequence[float], missed: float, dt: float
) -> float:
    """Most profit of a heat and power plant [EUR]; prices in EUR/kWh, heat demand that may be
    missed at `missed`.
    """
    states = [on for on in product((0, 1), repeat=len(price)) if _lasting(plant, on, dt)]
    return max(_engine(plant, on, price, heat, missed, dt) for on in states)


def _lasting(plant: dict[str, Any], on: Sequence[int], dt: float) -> bool:
    """True where every state that ends has lasted as long as it must."""
    state, hours = plant["on_initial"], plant["hours_initial"]
    for now in on:
        if now == state:
            hours += dt
            continue
        if hours < plant["up_time_min" if state else "down_time_min"] - 1e-9:
            return False
        state, hours = now, dt
    return True


def _engine(
    plant: dict[str, Any], on: Sequence[int], price: Any, heat: Any, missed: float, dt: float
) -> float:
    """Columns: power, heat missed, heat dumped, for each step."""
    steps = len(price)
    starts = sum(now > before for before, now in zip([plant["on_initial"], *on], on, strict=False))
    fuel = plant["fuel_price"] / plant["eta_power"]
    cost = np.concatenate(
        [dt * (fuel - np.array(price)), dt * missed * np.ones(steps), np.zeros(steps)]
    )
    bounds = [(plant["power_min"] * u, plant["power_max"] * u) for u in on]
    bounds += [(0, h) for h in heat] + [(0, plant["dump_max"])] * steps
    balance = np.hstack([np.eye(steps) / plant["power_to_heat"], np.eye(steps), -np.eye(steps)])
    rows, limits = [], []
    for t, u in enumerate(on):
        before = on[t - 1] if t else plant["on_initial"]
        known = 0.0 if t else plant["power_initial"]
        for sign, rate, stays in ((1, "ramp_up", before), (-1, "ramp_down", u)):
            if np.isnan(known) or np.isinf(plant[rate]):
                continue
            step = dt * plant[rate]
            row = np.zeros(3 * steps)
            row[t] = sign
            if t:
                row[t - 1] = -sign
            rows.append(row)
            limits.append((step if stays else max(step, plant["power_min"])) + sign * known)
    found = linprog(
        cost, np.array(rows) if rows else None, limits or None, balance, np.array(heat), bounds
    )
    return -found.fun - plant["start_cost"] * starts if found.status == 0 else NOTHING


def best_site(
    site: dict[str, Any], price: Sequence[float], demand: Sequence[float], missed: float, dt: float
) -> float:
    """Most profit of electrolyser, tank and fuel cell [EUR]; a hydrogen demand may be missed at
    `missed` EUR/kWh.

    Sequences that begin alike are left out together where even with every later step free they earn
    no more than the best one known: of 3^8 few are left."""
    best = NOTHING

    def follow(states: tuple[str, ...]) -> None:
        nonlocal best
        most = _site(site, states, price, demand, missed, dt)
        if most <= best:
            return
        if len(states) == len(price):
            best = most
            return
        for state in _next(site, states):
            follow((*states, state))

    follow(())
    return best


def _next(site: dict[str, Any], states: tuple[str, ...]) -> list[str]:
    """States that may follow: standby only on or standby."""
    awake = states[-1] != "off" if states else site["on_initial"] + site["standby_initial"] > 0
    return ["on", "off", *(["standby"] if awake and not np.isnan(site["standby_power"]) else [])]


def _site(
    site: dict[str, Any], states: Sequence[str], price: Any, demand: Any, missed: float, dt: float
) -> float:
    """Columns: electrolyser, fuel cell, sale, missed demand, tank, for each step; steps without a
    state are free.
    """
    n, known = len(price), len(states)
    first = "off" if not site["on_initial"] + site["standby_initial"] else "awake"
    starts = sum(b == "on" and a == "off" for a, b in zip((first, *states), states, strict=False))
    hours = {name: dt * sum(s == name for s in states) for name in ("on", "standby")}
    held = np.nan_to_num(site["standby_power"])
    waiting = dt * held * sum(p for p, s in zip(price, states, strict=False) if s == "standby")
    waiting += dt * held * sum(min(p, 0.0) for p in price[known:])  # at best it is paid to wait
    fixed = (
        starts * site["wear_start"]
        + hours["on"] * site["wear"]
        + hours["standby"] * site["wear_standby"]
        + waiting
    )
    p = np.array(price)
    cost = dt * np.concatenate(
        [p, -p, -site["sale_price"] * np.ones(n), missed * np.ones(n), np.zeros(n)]
    )
    on = [float(s == "on") for s in states]
    bounds = [(site["electrolyser_min"] * u, site["electrolyser_max"] * u) for u in on]
    bounds += [(0, site["electrolyser_max"])] * (n - known)
    bounds += (
        [(0, site["fuel_cell_max"])] * n + [(0, site["sale_max"])] * n + [(0, d) for d in demand]
    )
    bounds += [(0, site["energy_max"])] * n
    if site["cyclic"]:
        bounds[-1] = (site["energy_initial"],) * 2
    eye = np.eye(n)
    tank = (eye - site["keep"] * np.eye(n, k=-1)) / dt
    balance = np.hstack(
        [site["eta_electrolyser"] * eye, -eye / site["eta_fuel_cell"], -eye, eye, -tank]
    )
    due = np.array(demand, float)
    due[0] -= site["keep"] * site["energy_initial"] / dt
    found = linprog(cost, A_eq=balance, b_eq=due, bounds=bounds)
    return -found.fun - fixed if found.status == 0 else NOTHING


def least_payments(energy: np.ndarray, ask: np.ndarray) -> np.ndarray | None:
    """The least payments at which type m prefers its own energy, None where there are none.

    g_m >= g_j + ask_m (w_m - w_j) for all j, and g_m >= ask_m w_m: a longest path.
    """
    payment = ask * energy
    for _ in range(len(ask) + 1):
        claims = payment[None, :] + ask[:, None] * (energy[:, None] - energy[None, :])
        higher = np.maximum(payment, claims.max(axis=1))
        if np.allclose(higher, payment, atol=1e-12):
            return payment
        payment = higher
    return None
