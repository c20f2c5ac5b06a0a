"""The group `/sessions` is kept and not modelled, and validated like any other."""

import numpy as np
import pytest
import xarray as xr
from faulty import good, problems

import v2g_linopy as v2g

HOUR = np.timedelta64(1, "h")
NOON = np.datetime64("2026-01-05T12:00", "ns")


def sessions() -> xr.Dataset:
    return xr.Dataset(
        {
            "arrival": ("session", [NOON, NOON + HOUR]),
            "departure": ("session", [NOON + HOUR, NOON + 2 * HOUR]),
            "energy_need": ("session", [5.0, 0.0], {"units": "kWh"}),
            "energy": ("session", [5.0, np.nan], {"units": "kWh"}),
            "vehicle": ("session", ["a", "b"]),
        },
        coords={"session": [0, 1]},
    )


FAULTS = {
    "an unknown array": (
        lambda d: d.assign(energy_ned=d.energy_need),
        ("sessions.energy_ned", "unknown", "did you mean sessions.energy_need?"),
    ),
    "a unit": (
        lambda d: d.assign(energy_need=d.energy_need.assign_attrs(units="kW")),
        ("sessions.energy_need", "unit", "'kW' does not fit"),
    ),
    "a number below zero": (
        lambda d: d.assign(energy_need=-d.energy_need),
        ("sessions.energy_need", "range", "session 0: -5"),
    ),
    "a number that is missing": (
        lambda d: d.assign(energy_need=d.energy_need * np.nan),
        ("sessions.energy_need", "nan", "missing"),
    ),
    "words for numbers": (
        lambda d: d.assign(energy_need=("session", ["five", "none"])),
        ("sessions.energy_need", "type", "needs numbers (kWh)"),
    ),
    "another dimension": (
        lambda d: d.assign(energy_need=d.energy_need.expand_dims(stray=3)),
        ("sessions.energy_need", "dims", "has dimension stray"),
    ),
    "a label twice": (
        lambda d: d.assign_coords(session=[0, 0]),
        ("sessions.session", "labels", "0 appears more than once"),
    ),
    "an arrival in words": (
        lambda d: d.assign(arrival=("session", ["noon", "later"])),
        ("sessions.arrival", "type", "needs time stamps in UTC"),
    ),
    "an arrival that is missing": (
        lambda d: d.assign(arrival=("session", [NOON, np.datetime64("NaT", "ns")])),
        ("sessions.arrival", "nan", "1 time stamps are missing"),
    ),
    "one arrival for all": (
        lambda d: d.assign(arrival=NOON),
        ("sessions.arrival", "dims", "has the dimensions none, needs session"),
    ),
    "a contract below none": (
        lambda d: d.assign(contract=("session", [0, -2])),
        ("sessions.contract", "range", "session 1: -2"),
    ),
    "a plug-out in words": (
        lambda d: d.assign(left=("session", ["soon", ""])),
        ("sessions.left", "type", "needs time stamps in UTC"),
    ),
    "a stay that ends before it begins": (
        lambda d: d.assign(departure=d.arrival - HOUR),
        ("sessions.departure", "consistency", "2 sessions end before they begin"),
    ),
}


def test_sessions_without_a_fault():
    """What was metered may be missing; every other number of a session is one."""
    tree = good()
    tree["sessions"] = xr.DataTree(sessions())
    v2g.check(tree)


def test_sessions_with_contracts_without_a_fault():
    """One owner sold 3 kWh and left early, the other sold nothing and stayed."""
    owners = {
        "type": ("session", ["low", "high"]),
        "contract": ("session", [1, -1]),
        "contract_energy": ("session", [3.0, np.nan], {"units": "kWh"}),
        "contract_payment": ("session", [0.05, np.nan], {"units": "EUR"}),
        "left": ("session", [NOON + HOUR / 2, np.datetime64("NaT", "ns")]),
    }
    tree = good()
    tree["sessions"] = xr.DataTree(sessions().assign(owners))
    v2g.check(tree)


@pytest.mark.parametrize("kind", FAULTS)
def test_sessions_are_validated(kind):
    change, (where, rule, words) = FAULTS[kind]
    tree = good()
    tree["sessions"] = xr.DataTree(change(sessions()))
    (problem,) = problems(tree)
    assert (problem.where, problem.rule) == (where, rule)
    assert words in problem.detail
