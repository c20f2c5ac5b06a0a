"""Menus that are designed with a plan, on drawn stays behind a drawn limit, against every menu of a
grid (docs/formulation.md §15: 43).

The plans of the grid are linear programs of scipy, written here once more: copies of each stay for
each type, with an energy that each may discharge and the limit on the mean over the types.
"""

from itertools import product

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants.enumeration import least_payments
from invariants.wanted import Draw
from pytest import approx
from scipy.optimize import linprog
from sessions_made import stays_of

import v2g_linopy as v2g

DRAWN = settings.default.max_examples if settings.default else 10
STEPS = 5
POWER = 10.0
GRID = np.arange(0.0, 21.0, 2.5)


@st.composite
def stations(draw: Draw) -> dict:
    """One or two lossless cars of 40 kWh and 10 kW, some of which need energy; two types."""
    cars = {}
    for name in ("a", "b")[: draw(st.integers(1, 2))]:
        arrival = draw(st.sampled_from((20.0, 30.0, 40.0)))
        cars[name] = {
            "begin": float(draw(st.integers(0, 1))),
            "hours": float(draw(st.integers(2, 4))),
            "energy_arrival": arrival,
            "energy_need": draw(st.sampled_from((arrival, min(40.0, arrival + 10.0)))),
            "discharge_max": POWER,
        }
    share = draw(st.sampled_from((0.25, 0.5, 0.8)))
    return {
        "cars": cars,
        "price": draw(st.lists(st.integers(1, 9), min_size=STEPS, max_size=STEPS)),
        "term": float(draw(st.integers(1, 2))),
        "theta": np.array([0.5, draw(st.sampled_from((0.5, 0.75, 2.0)))]),
        "share": np.array([share, 1 - share]),
        "wear": draw(st.sampled_from((0.005, 0.01))),
        "limit": draw(st.sampled_from((2.0, 5.0, 8.0))),
    }


def designed(data: dict, limit: float | None) -> xr.DataTree:
    """The case with its copies, and what it is worth."""
    case = stays_of(data["cars"], [10.0 * p for p in data["price"]])
    case["fleet"] = case["fleet"].to_dataset().drop_vars("need_billed")
    names = {"theta": "type", "share": "type"}
    menu = {n: (names[n], data[n]) if n in names else data[n] for n in (*names, "wear", "term")}
    group = xr.Dataset(menu | {"power": POWER}, {"type": ["close", "open"]})
    case["contract"] = group
    if limit is not None:
        case["connection"] = xr.Dataset({"export_max": ("pod", [limit])}, {"pod": ["site"]})
    return v2g.solve(v2g.case_with_types(case))


def earned(data: dict, energy: np.ndarray, limit: float | None) -> float:
    """What the best plan of the copies earns (EUR) where each type may discharge so much of each
    stay, in its term; columns are charging and discharging of each copy and step.
    """
    price = np.array(data["price"]) / 100
    cost, bounds, rows, most = [], [], [], []
    copies = [(car, m) for car in data["cars"].values() for m in (0, 1)]
    width = 2 * STEPS * len(copies)
    leaving = np.zeros((STEPS, width))
    for place, (car, m) in enumerate(copies):
        weight, begin = data["share"][m], int(car["begin"])
        end = begin + int(car["hours"])
        here = (np.arange(STEPS) >= begin) & (np.arange(STEPS) < end)
        in_term = here & (np.arange(STEPS) < begin + data["term"])
        cost += [*(weight * price), *(-weight * price)]
        bounds += [(0, POWER * x) for x in here] + [(0, POWER * x) for x in in_term]
        c = slice(2 * STEPS * place, 2 * STEPS * place + STEPS)
        d = slice(c.stop, c.stop + STEPS)
        for t in range(begin, end):
            on_board = np.zeros(width)
            on_board[c][: t + 1], on_board[d][: t + 1] = 1.0, -1.0
            least = car["energy_need"] if t == end - 1 else 0.0
            rows += [on_board, -on_board]
            most += [40.0 - car["energy_arrival"], car["energy_arrival"] - least]
        used = np.zeros(width)
        used[d] = 1.0
        rows.append(used)
        most.append(energy[m])
        leaving[:, c], leaving[:, d] = -weight * np.eye(STEPS), weight * np.eye(STEPS)
    if limit is not None:
        rows += [*leaving]
        most += [limit] * STEPS
    found = linprog(cost, np.array(rows), most, bounds=bounds)
    assert found.status == 0
    return -float(found.fun)


def able(data: dict) -> int:
    """Stays that may have a contract: all that last the term and can give something."""
    stays = [car for car in data["cars"].values() if car["hours"] >= data["term"]]
    spare = [car["hours"] - (car["energy_need"] - car["energy_arrival"]) / POWER for car in stays]
    return sum(x > 0 for x in spare)


@settings(max_examples=max(1, DRAWN // 3))
@given(stations())
def test_no_menu_of_a_grid_beats_the_one_of_the_plan(data):
    """Worth of the plan: that of its own energies and the least payments for them, in the program
    of scipy, no less than that of any two energies of the grid, and no more than without a limit.
    """
    ask = data["wear"] / data["theta"]
    result, free = designed(data, data["limit"]), designed(data, None)
    value = result.attrs["objective"]
    assert value <= free.attrs["objective"] + 1e-6

    def worth(energy: np.ndarray, limit: float | None) -> float:
        payment = least_payments(energy, ask)
        assert payment is not None
        return earned(data, energy, limit) - able(data) * float(data["share"] @ payment)

    for found, limit in ((result, data["limit"]), (free, None)):
        energy = found["contract"].designed_energy.to_numpy()[:, 0]
        assert found.attrs["objective"] == approx(worth(energy, limit), abs=1e-6)
    rising = [np.array(w) for w in product(GRID[POWER * data["term"] >= GRID], repeat=2)]
    best = max(worth(w, data["limit"]) for w in rising if w[0] <= w[1])
    assert value >= best - 1e-6
