"""Time stamps: naive UTC, sorted, unique, uniform and the same in every group, or a message that
shows where not.
"""

import pandas as pd
import pytest
import xarray as xr
from cases import case, market, vehicle
from faulty import HOURS, QUARTERS, good, on_stamps, problems

import v2g_linopy as v2g

STAMPS = {
    "unsorted": (HOURS[[0, 2, 1, 3]], "unsorted: it runs backwards at 2026-01-05 02:00 +0100"),
    "duplicated": (
        HOURS[[0, 1, 1, 2]],
        "duplicated: 1 stamps repeat, the first at 2026-01-05 02:00 +0100",
    ),
    "mixed 60 and 15 minutes": (
        QUARTERS,
        "60 min, then 15 min before 2026-01-05 02:15 +0100; give one uniform step",
    ),
    "a gap": (
        HOURS[[0, 1, 3]].append(HOURS[3:] + pd.Timedelta("1h")),
        "60 min, then 120 min before 2026-01-05 04:00",
    ),
    "missing": (
        pd.DatetimeIndex([HOURS[0], pd.NaT, HOURS[2], HOURS[3]]),
        "1 time stamps are missing",
    ),
    "numbers": (pd.Index([0, 1, 2, 3]), "holds int64, needs time stamps in UTC"),
    "with a zone": (
        HOURS.tz_localize("Europe/Rome"),
        "has the time zone Europe/Rome; give naive UTC",
    ),
}


@pytest.mark.parametrize(("time", "words"), STAMPS.values(), ids=STAMPS)
def test_time_stamps(time, words):
    """Time must be naive UTC, sorted, unique and uniform; the message shows where it is not, on the
    local clock.
    """
    (problem,) = problems(on_stamps(time))
    assert problem.where == "time"
    assert words in problem.detail


def test_no_time_at_all():
    """Without time stamps the message asks for them."""
    tree = xr.DataTree.from_dict({"/energy": xr.Dataset({"price": 1.0, "limit": 1.0})})
    assert "time" in {p.where for p in problems(tree)}


@pytest.mark.parametrize("step", [None, 0, -1, "an hour", float("nan"), float("inf")])
def test_single_step_needs_its_length(step):
    """One time stamp has no step; `step_hours` must be a positive number."""
    tree = case(vehicle(energy_min=[1.0]), market([20.0]))
    del tree.attrs["step_hours"]
    if step is not None:
        tree.attrs["step_hours"] = step
    (problem,) = problems(tree)
    assert problem.where == "step_hours"


def test_groups_on_other_time_stamps():
    """`assemble` names every group whose time differs from the case: shorter, shifted."""
    groups = {name: node.to_dataset() for name, node in good().children.items()}
    groups["energy"] = groups["energy"].isel(time=slice(3))
    groups["fleet"] = groups["fleet"].assign_coords(time=HOURS + pd.Timedelta("1h"))
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.assemble(HOURS, groups)
    found = {p.where: p.detail for p in caught.value.problems}
    assert found["energy.time"] == "has 3 steps, the case has 4"
    assert "other time stamps" in found["fleet.time"]
    assert len(found) == 2
