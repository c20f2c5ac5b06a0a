"""Contracts and charging technology: what adds nothing changes nothing; least powers against all
that is possible.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants.changes import at_least, close, edit, group, objective
from invariants.strategies import cases
from invariants.wanted import CENTS, Draw, Wanted, few, rows

import v2g_linopy as v2g

LEAST = 1e-6


def with_group(case: xr.DataTree, name: str, ds: xr.Dataset) -> xr.DataTree:
    """The case with one more part; `edit` gives units only to the parts that it knows."""
    tree = edit(case)
    tree[name] = ds.assign_coords(time=case.to_dataset().indexes["time"])
    return tree


def contract(**fields: Any) -> xr.Dataset:
    """One contract."""
    return xr.Dataset(
        {n: ("contract", [v]) for n, v in fields.items()}, coords={"contract": ["deal"]}
    )


@few(4)
@given(
    case=cases(),
    settlement=st.sampled_from(("two_way", "one_way", "physical")),
    side=st.sampled_from(("seller", "buyer")),
    strike=st.integers(-4, 12),
)
def test_a_contract_on_nothing_changes_nothing(case, settlement, side, strike):
    """32: 0 kW under contract, at any strike: the same objective."""
    deal = contract(
        strike=CENTS * strike,
        settlement=settlement,
        side=side,
        volume_type="baseload",
        baseload=0.0,
    )
    assert close(objective(with_group(case, "ppa", deal)), objective(case))


@few(4)
@given(
    case=cases(Wanted(simple_market=True)),
    power=st.integers(1, 3),
    strike=st.integers(-4, 12),
    month=st.booleans(),
)
def test_buyer_and_seller_cancel(case, power, strike, month):
    """Both sides of one contract, settled or delivered: the same objective.

    With one market: between two, what is bought under one contract backs a sale, and the other a
    purchase."""
    fields = {
        "strike": CENTS * strike,
        "volume_type": ("contract", ["baseload"] * 4),
        "baseload": float(power),
        "side": ("contract", ["seller", "buyer"] * 2),
        "settlement": ("contract", ["two_way", "two_way", "physical", "physical"]),
        "averaging": ("contract", ["month" if month else "spot"] * 4),
    }
    deals = xr.Dataset(fields, coords={"contract": list("abcd")})
    assert close(objective(with_group(case, "ppa", deals)), objective(case))


@few(4)
@given(
    case=cases(Wanted(connection=False)),
    power=st.integers(0, 2),
    side=st.sampled_from(("seller", "buyer")),
)
def test_a_strike_at_the_reference_is_merchant(case, power, side):
    """A difference of 0 in every step and every future, settled against the first market."""
    price = group(case, "energy").price.isel(market=0, drop=True)
    deal = contract(side=side, volume_type="baseload", baseload=float(power))
    deal["strike"] = price.expand_dims(
        contract=["deal"], axis=price.ndim - 1 if "time" in price.dims else 0
    )
    assert close(objective(with_group(case, "ppa", deal)), objective(case), 1e-9)


@few(5)
@given(case=cases(), data=st.data())
def test_a_converter_without_limit_changes_nothing(case, data):
    """32: chargers that let everything through, some named and some not: the same objective."""
    fleet = group(case, "fleet")
    fleet["charger"] = (
        "fleet",
        [data.draw(st.sampled_from(("", "one", "two"))) for _ in fleet.fleet],
    )
    hubs = xr.Dataset(
        {"charge_max": np.inf, "discharge_max": np.inf}, coords={"charger": ["one", "two", "none"]}
    )
    assert close(
        objective(with_group(edit(case, fleet=fleet), "charger", hubs)), objective(case), 1e-9
    )


@few(5)
@given(case=cases(), limit=st.sampled_from((0.0, 1.0, 3.0)), data=st.data())
def test_a_smaller_converter_is_never_better(case, limit, data):
    """A limit lowers the objective or leaves it, and a plan behind it keeps to it, reserves called
    or not.
    """
    fleet = group(case, "fleet")
    if bool((fleet.unserved_cost.isnull() & (fleet.energy_min > 0).any("time")).any()):
        fleet["unserved_cost"] = fleet.unserved_cost.fillna(
            10.0
        )  # a need that the converter cannot serve is missed
    fleet["slack_cost"] = fleet.slack_cost.fillna(10.0)
    fleet["charger"] = ("fleet", [data.draw(st.sampled_from(("", "hub"))) for _ in fleet.fleet])
    soft = edit(case, fleet=fleet)
    wide, narrow = (
        with_group(
            soft,
            "charger",
            xr.Dataset({"charge_max": x, "discharge_max": x}, coords={"charger": ["hub"]}),
        )
        for x in (np.inf, limit)
    )
    result = v2g.solve(narrow, gap=0.0)
    assert at_least(objective(wide), result.attrs["objective"])
    behind = xr.DataArray((fleet.charger == "hub").astype(float))
    net = ((result["fleet"].charge - result["fleet"].discharge) * behind).sum("fleet")
    assert float(abs(net).max()) <= limit + LEAST


@st.composite
def chargers(draw: Draw) -> dict[str, Any]:
    """One lossless car in whole kW and kWh, which both have a least power or not."""
    steps = draw(st.integers(1, 5))
    most_in, most_out = draw(st.integers(1, 4)), draw(st.integers(0, 4))
    capacity = draw(st.integers(1, 8))
    return {
        "price": CENTS * draw(rows(range(-4, 13), steps)),
        "plugged": draw(rows((0, 1, 1), steps)),
        "most_in": most_in,
        "most_out": most_out,
        "least_in": draw(st.integers(0, most_in)),
        "least_out": draw(st.integers(0, most_out)),
        "capacity": capacity,
        "initial": draw(st.integers(0, capacity)),
        "need": draw(st.integers(0, capacity)),
    }


@few(10)
@given(car=chargers())
def test_least_powers_against_all_plans_in_whole_kw(car):
    """The best of every sequence of whole powers, step by step over what is on board: no model, no
    solver.

    Without losses, and with every number whole, a best plan is whole.
    """
    best = {car["initial"]: 0.0}
    for price, plugged in zip(car["price"] / 1000, car["plugged"], strict=True):
        powers = {0}
        if plugged:
            powers |= {p for p in range(1, car["most_in"] + 1) if p >= car["least_in"]}
            powers |= {-p for p in range(1, car["most_out"] + 1) if p >= car["least_out"]}
        after: dict[int, float] = {}
        for energy, money in best.items():
            for p in powers:
                if 0 <= energy + p <= car["capacity"]:
                    after[energy + p] = max(after.get(energy + p, -np.inf), money - price * p)
        best = after
    expected = max(money - 10.0 * max(car["need"] - energy, 0) for energy, money in best.items())
    time = pd.date_range("2026-01-05", periods=len(car["price"]), freq="h", name="time")
    need = np.zeros(len(time))
    need[-1] = car["need"]
    fleet = {
        "charge_max": (("fleet", "time"), [car["most_in"] * car["plugged"]]),
        "discharge_max": (("fleet", "time"), [car["most_out"] * car["plugged"]]),
        "energy_min": (("fleet", "time"), [need]),
        "energy_max": float(car["capacity"]),
        "energy_initial": float(car["initial"]),
        "charge_min": float(car["least_in"]),
        "discharge_min": float(car["least_out"]),
        "eta_charge": 1.0,
        "eta_discharge": 1.0,
    }
    groups = {
        "fleet": xr.Dataset(fleet, coords={"fleet": ["ev"]}),
        "energy": xr.Dataset(
            {"price": ("time", car["price"]), "limit": 100.0}, coords={"market": ["spot"]}
        ),
    }
    result = v2g.solve(v2g.assemble(time, groups, step_hours=1.0), gap=0.0)
    assert close(result.attrs["objective"], expected)


@few(6)
@given(
    case=cases(Wanted(kinds=("vehicle", "sessions"), members=(1, 3))),
    share=st.sampled_from((0.25, 0.5, 1.0)),
    bend=st.sampled_from((0.0, 0.5, 0.75)),
)
def test_technology_never_helps_and_is_kept(case, share, bend):
    """Least powers and a taper lower the objective or leave it; each written power is 0 or allowed
    at its energy.
    """
    fleet = group(case, "fleet")
    fleet["unserved_cost"] = fleet.unserved_cost.fillna(10.0)
    fleet["slack_cost"] = fleet.slack_cost.fillna(10.0)
    free = edit(case, fleet=fleet)
    bound = fleet.assign(
        charge_min=share * fleet.charge_max,
        discharge_min=share * fleet.discharge_max,
        taper_from=xr.zeros_like(fleet.energy_initial) + bend,
        taper_to=xr.zeros_like(fleet.energy_initial) + 0.25,
    )
    result = v2g.solve(edit(case, fleet=bound), gap=0.0)
    assert at_least(objective(free), result.attrs["objective"])
    out = result["fleet"].to_dataset()
    for path in ("", "_baseline") if "energy_baseline" in out else ("",):
        for way in ("charge", "discharge"):
            power, least = out[f"{way}{path}"], bound[f"{way}_min"]
            assert bool(((power < LEAST) | (power > least - LEAST)).all())
        full = out[f"energy{path}"] / bound.energy_max.where(bound.energy_max > 0, 1.0)
        line = bound.charge_max * (1 - 0.75 * (full - bend).clip(min=0) / (1 - bend))
        assert bool((out[f"charge{path}"] <= line + LEAST).all())
        assert bool((np.minimum(out[f"charge{path}"], out[f"discharge{path}"]) < LEAST).all())
