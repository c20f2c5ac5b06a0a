"""Fleets: vehicles, rows of sessions, cohorts, share fleets, and members with nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st
from invariants.wanted import Draw, Wanted, rows

Row = dict[str, Any]

POWERS = ("charge_max", "discharge_max")
ENERGIES = ("energy_min", "energy_max", "energy_in", "energy_out", "spill_max")
PER_TIME = (*POWERS, *ENERGIES, "keep", "eta_charge", "eta_discharge", "retail_price")
PER_MEMBER = ("energy_initial", "wear", "wear_charge", "unserved_cost", "slack_cost", "aggregate")


@st.composite
def fleets(draw: Draw, wanted: Wanted, steps: int) -> xr.Dataset:
    """Members of every kind, side by side."""
    members = []
    for _ in range(draw(st.integers(*wanted.members))):
        if members and draw(st.booleans()):
            members.append(
                members[0] | draw(_difference(members[0]))
            )  # a twin, or one that looks like it
        else:
            kind = draw(st.sampled_from(wanted.kinds))
            members.append(draw(_KINDS[kind](steps, wanted)) | draw(_money(wanted, steps)))
    for row in members:
        if row.pop("covered", False):
            row["unserved_cost"] = np.nan
    fleet = stacked(members, [f"ev-{i}" for i in range(len(members))], steps)
    if wanted.billed and draw(st.booleans()):
        fleet["need_billed"] = 0.5 * fleet.energy_min
    return fleet


@st.composite
def _difference(draw: Draw, row: Row) -> Row:
    """What sets two members apart that are alike otherwise: nothing, or one number."""
    name = draw(
        st.sampled_from(
            ("nothing", "wear", "unserved_cost", "charge_max", "energy_initial", "eta_charge")
        )
    )
    changed = {
        "nothing": {},
        "wear": {"wear": row["wear"] + 1 / 16},
        "unserved_cost": {"unserved_cost": row["unserved_cost"] + 1.0},
        "charge_max": {"charge_max": row["charge_max"] * 0.5},
        "energy_initial": {"energy_initial": row.get("energy_initial", 0.0) * 0.5},
        "eta_charge": {"eta_charge": 0.75},
    }
    return {} if name == "energy_initial" and row.get("covered") else changed[name]


def stacked(members: list[Row], names: list[str], steps: int) -> xr.Dataset:
    """Put rows under labels."""
    flat = {
        n: np.array([np.broadcast_to(m.get(n, _DEFAULT[n]), steps) for m in members], float)
        for n in PER_TIME
    }
    ds = xr.Dataset({n: (("fleet", "time"), a) for n, a in flat.items()}, coords={"fleet": names})
    return ds.assign(
        {
            n: ("fleet", np.array([m.get(n, _DEFAULT[n]) for m in members], float))
            for n in PER_MEMBER
        }
    )


_DEFAULT = dict.fromkeys((*PER_TIME, *PER_MEMBER), 0.0) | {"keep": 1.0, "slack_cost": np.nan}


@st.composite
def _money(draw: Draw, wanted: Wanted, steps: int) -> Row:
    """Efficiency and what energy costs: wear, the drivers' price, the price of missing a need."""
    eta = (1.0, 0.875, 0.75, 0.9) if wanted.lossless else (0.875, 0.75, 0.9)
    return {
        "eta_charge": draw(st.sampled_from(eta)),
        "eta_discharge": draw(st.sampled_from(eta)),
        "wear": draw(st.sampled_from((0.0, 1 / 16, 1 / 4))),
        "wear_charge": draw(st.sampled_from((0.0, 0.0, 1 / 32))),
        "retail_price": (
            draw(rows((0.0, 1 / 32, 1 / 8), steps))
            if wanted.retail and draw(st.booleans())
            else 0.0
        ),
        "unserved_cost": draw(st.sampled_from((1 / 4, 1.0, 10.0))),
    }


@st.composite
def _vehicle(draw: Draw, steps: int, wanted: Wanted) -> Row:
    """One battery that is always there, plugged in now and then, due to hold some energy at the
    end.
    """
    capacity = draw(st.sampled_from((4, 8, 12)))
    plugged = draw(rows((0, 1, 1), steps))
    initial = draw(st.integers(0, capacity))
    covered = wanted.hard and draw(st.booleans())
    need = np.zeros(steps)
    need[-1] = draw(st.integers(0, initial if covered else capacity))
    power = draw(st.sampled_from((1, 2, 4)))
    back = draw(st.sampled_from((0, 1, 2, 4)))
    return {
        "charge_max": power * plugged,
        "discharge_max": back * plugged,
        "energy_max": capacity,
        "energy_initial": initial,
        "energy_min": need,
        "covered": covered,
    }


@st.composite
def _trips(draw: Draw, steps: int, wanted: Wanted) -> Row:
    """The same, driving while unplugged, and losing some energy by itself."""
    row = draw(_vehicle(steps, wanted.only(hard=False)))
    away = row["charge_max"] == 0
    return row | {
        "energy_out": draw(rows((0, 1, 2, 3), steps)) * away,
        "keep": draw(rows((1.0, 1.0, 0.75), steps)),
        "energy_min": row["energy_min"] * draw(st.booleans()),
    }


@st.composite
def _sessions(draw: Draw, steps: int, wanted: Wanted) -> Row:
    """A row of charging sessions, each with its own battery, charger, arrival energy and need."""
    names = ("charge_max", "discharge_max", "energy_min", "energy_max", "energy_in", "keep")
    row = {n: np.zeros(steps) for n in names}
    covered = wanted.hard and draw(st.booleans())
    t = draw(st.integers(0, 1))
    while t < steps:
        end = min(steps, t + draw(st.integers(1, 4)))
        capacity = draw(st.sampled_from((4, 8, 12)))
        arrival = draw(st.integers(0, capacity))
        row["charge_max"][t:end] = draw(st.sampled_from((1, 2, 4)))
        row["discharge_max"][t:end] = draw(st.sampled_from((0, 1, 2, 4)))
        row["energy_max"][t:end] = capacity
        row["energy_in"][t] = arrival
        row["energy_min"][end - 1] = draw(st.integers(0, arrival if covered else capacity))
        row["keep"][t + 1 : end] = 1
        t = end + draw(st.integers(0, 2))
    return row | {"covered": covered}


@st.composite
def _cohort(draw: Draw, steps: int, wanted: Wanted) -> Row:
    """Cars that come and go: arriving energy, energy due with those that leave, and what else they
    may take.
    """
    capacity = draw(st.sampled_from((4, 8)))
    arrival, due = draw(st.integers(0, capacity)), draw(st.integers(0, capacity))
    here = first = draw(st.integers(0, 2))
    count, came, went = np.zeros(steps), draw(rows((0, 0, 1, 2), steps)), np.zeros(steps)
    for t in range(steps):
        went[t] = draw(st.integers(0, here))
        here = here + int(came[t]) - int(went[t])
        count[t] = here
    return {
        "charge_max": count * draw(st.sampled_from((1, 2))),
        "discharge_max": count * draw(st.sampled_from((0, 1, 2))),
        "energy_max": count * capacity,
        "energy_initial": first * draw(st.integers(0, capacity)),
        "energy_in": came * arrival,
        "energy_out": went * due,
        "spill_max": went * (capacity - due),
        "aggregate": 1.0,
    }


@st.composite
def _shares(draw: Draw, steps: int, wanted: Wanted) -> Row:
    """A fleet of which a share is plugged in; what leaves has to be sold first, or goes through
    slack.
    """
    cars, capacity = 4, draw(st.sampled_from((2, 4)))
    share = draw(rows((0.0, 0.25, 0.5, 0.75, 1.0), steps))
    limit = draw(st.sampled_from((0.0, 0.5, 0.75, 1.0)))
    return {
        "charge_max": cars * draw(st.sampled_from((1, 2))) * share,
        "discharge_max": cars * draw(st.sampled_from((0, 1, 2))) * share,
        "energy_max": cars * capacity * share,
        "energy_min": (1 - limit) * cars * capacity * share,
        "energy_initial": cars * capacity * share[0] * draw(st.sampled_from((0.0, 0.5, 1.0))),
        "slack_cost": draw(st.sampled_from((1.0, 10.0))),
        "aggregate": float(draw(st.booleans())),
    }


@st.composite
def _nothing(draw: Draw, steps: int, wanted: Wanted) -> Row:
    """Never plugged in, or without a battery; one vehicle or many."""
    battery, charger = draw(st.sampled_from(((0, 0), (4, 0), (0, 2), (0, 2))))
    row = {
        "charge_max": charger,
        "discharge_max": charger,
        "energy_max": battery,
        "keep": float(battery > 0),
    }
    return row | {"aggregate": float(draw(st.booleans()))}


_KINDS: dict[str, Callable[[int, Wanted], st.SearchStrategy[Row]]] = {
    "vehicle": _vehicle,
    "trips": _trips,
    "sessions": _sessions,
    "cohort": _cohort,
    "shares": _shares,
    "nothing": _nothing,
}
