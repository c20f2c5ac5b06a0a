"""Plans held fixed: unmanaged charging, frozen bids; and what cannot be held."""

import pytest
import xarray as xr
from cases import case, market, row, vehicle
from pytest import approx

import v2g_linopy as v2g

TREE = case(
    {"a": vehicle(energy_min=[0, 0, 10]), "b": vehicle(energy_min=[0, 0, 5])}, market([50, 20, 80])
)


def profile(**rows: list[float]) -> xr.DataArray:
    coords = {"fleet": list(rows), "time": TREE["time"].to_index()}
    return xr.DataArray(list(rows.values()), coords=coords, dims=("fleet", "time"))


def test_a_fixed_plan_is_billed(pipeline):
    """Both charge at once on arrival: 10 + 5 kWh at 50, 0.75 EUR where the best plan pays 0.30.

    Proves that a fixed plan runs through the same ledger, with its needs served.
    """
    result = pipeline(TREE, fix={"fleet.charge": profile(b=[5, 0, 0], a=[10, 0, 0])})
    assert result.attrs["profit"] == approx(-0.75)
    assert row(result, "fleet.charge") == [10, 0, 0, 5, 0, 0]
    assert row(result, "fleet.energy", fleet="b") == [5, 5, 5]


def test_a_frozen_bid_decides_the_charging(pipeline):
    """A purchase of 9 kW in the dear hour is fixed; the rest of the 15 kWh is bought at 20: 9 x 50
    + 6 x 20 = 0.57 EUR."""
    bid = xr.DataArray(
        [[-9, -6, 0]],
        coords={"market": ["day_ahead"], "time": TREE["time"].to_index()},
        dims=("market", "time"),
    )
    result = pipeline(TREE, fix={"energy.position": bid})
    assert result.attrs["profit"] == approx(-0.57)


def test_a_fixed_number_holds_for_all(pipeline):
    """5 kW for every car and hour: 15 kWh each, (50 + 20 + 80) x 10 kWh: 1.50 EUR."""
    result = pipeline(TREE, fix={"fleet.charge": xr.DataArray(5.0)})
    assert result.attrs["profit"] == approx(-1.50)


@pytest.mark.parametrize(
    ("name", "plan", "words"),
    [
        ("fleet.chargee", profile(a=[0, 0, 0], b=[0, 0, 0]), "did you mean fleet.charge?"),
        ("fleet.charge", profile(a=[0, 0, 0]), "does not cover every label"),
        (
            "fleet.charge",
            profile(a=[0, 0, 0], b=[0, float("nan"), 0]),
            "does not cover every label",
        ),
        (
            "fleet.charge",
            profile(a=[0, 0, 0], b=[0, 11, 0]),
            "fleet b at 2026-01-05 01:00 +0000: 11, allowed [0, 10]",
        ),
        (
            "fleet.charge",
            profile(a=[-1, 0, 0], b=[0, 0, 0]),
            "fleet a at 2026-01-05 00:00 +0000: -1, allowed [0, 10]",
        ),
        ("fleet.discharge", profile(a=[0, 3, 0], b=[0, 0, 0]), "has no freedom"),
    ],
    ids=["name", "label", "nan", "above", "below", "no freedom"],
)
def test_what_cannot_be_fixed(name, plan, words):
    """A plan must name a variable, cover it, and keep its limits; the message says which does
    not.
    """
    with pytest.raises(v2g.SchemaError, match="fixed plans") as caught:
        v2g.solve(TREE, fix={name: plan})
    assert words in str(caught.value)
    assert name in str(caught.value)


def test_every_fixed_plan_that_fails_is_listed():
    """Three plans, two of them wrong: two problems."""
    good = profile(a=[0, 0, 0], b=[0, 0, 0])
    with pytest.raises(v2g.SchemaError) as caught:
        v2g.solve(
            TREE,
            fix={"fleet.charge": good, "fleet.power": good, "fleet.energy": good.isel(fleet=[0])},
        )
    assert [problem.where for problem in caught.value.problems] == [
        "fix fleet.power",
        "fix fleet.energy",
    ]
