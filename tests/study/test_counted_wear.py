"""Wear counted after the fact: rainflow cycles by hand, their price, and what two published cells
would lose.
"""

from math import exp, sqrt

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, storage, vehicle
from pytest import approx

import v2g_linopy as v2g
from v2g_linopy.errors import SchemaError, V2GError
from v2g_linopy.study import cell_ageing
from v2g_linopy.study import wear as degradation

SQUARE = {"stress_factor": 1.0, "stress_exponent": 2.0, "segments": 4.0, "replacement_cost": 16.0}


def held(charge, discharge, part="battery", **fields):
    """A 10 kWh battery, or a car, held to a plan."""
    time = pd.date_range("2026-01-05", periods=len(charge), freq="h")
    powers = {"charge": charge, "discharge": discharge}
    plan = {
        f"{part}.{n}": xr.DataArray(v, coords={"time": time}, dims="time")
        for n, v in powers.items()
    }
    prices = market([0] * len(charge))
    if part == "battery":
        return v2g.solve(case(None, prices, battery=storage(**fields)), fix=plan)
    return v2g.solve(case(vehicle(energy_max=10, discharge_max=10, **fields), prices), fix=plan)


def figures(result, storage=0):
    """One storage as plain numbers."""
    table = v2g.wear(result).isel(storage=storage)
    return {str(n): float(a) for n, a in table.data_vars.items() if n != "cycles"}


def test_cycles_by_hand():
    """10 kWh fall to 2.5, rise to 5, fall to 0: by rainflow a fall of 10 and within it a cycle of
    2.5 kWh.

    1 + 0.25 full cycles; 16 x (1 + 1/16) = 17 EUR; 17 / 12.5 EUR/kWh on average, and 2 x 16 / 10 at
    the deepest fall. A count fall by fall would find 7.5 and 5 kWh, 13 EUR."""
    result = held([0, 2.5, 0], [7.5, 0, 5], energy_initial=10, **SQUARE)
    found = figures(result)
    assert found["efc"] == approx(1.25)
    assert found["throughput"] == approx(12.5)
    assert found["cost_counted"] == found["cost_planned"] == approx(17)
    assert found["price_mean"] == approx(1.36)
    assert found["price_marginal"] == approx(3.2)
    cycles = v2g.wear(result).cycles[0]
    assert float(cycles.sel(depth=1.0)) == float(cycles.sel(depth=0.25)) == 1
    assert float(cycles.sum()) == 2


def test_coarse_segments_count_too_much():
    """5 kWh in one segment of 10 cost half of 16 EUR, counted 4: 4 EUR too much; in four segments
    nothing.
    """
    assert figures(held([0], [5], energy_initial=10, **(SQUARE | {"segments": 1.0})))[
        "cost_over"
    ] == approx(4)
    assert figures(held([0], [5], energy_initial=10, **SQUARE))["cost_over"] == approx(0, abs=1e-9)


def test_a_circle():
    """From half full to empty, to full, to half: one cycle of 10 kWh where the end is cyclic, else
    two falls of 5.
    """
    circle, line = (
        held([0, 10, 0], [5, 0, 5], energy_initial=5, cyclic=c, **SQUARE) for c in (1, 0)
    )
    assert figures(circle)["cost_counted"] == approx(16)
    assert figures(line)["cost_counted"] == approx(8)


def test_priced_afterwards():
    """A plan made with a price per kWh has no depth of its own until a price of the battery is
    given to the result.
    """
    result = held([0], [5], energy_initial=10, wear=0.1)
    assert np.isnan(figures(result)["cost_counted"])
    assert figures(result)["cost_planned"] == approx(0.5)
    result["battery"] = (
        result["battery"].to_dataset().assign({n: ("battery", [x]) for n, x in SQUARE.items()})
    )
    assert figures(result)["cost_counted"] == approx(4)
    assert figures(result)["cost_planned"] == approx(0.5)


def test_time_stands_apart():
    """An hour at 8760 EUR a year: 1 EUR by time, nothing by cycles."""
    found = figures(held([0], [0], energy_initial=10, calendar_cost=8760.0, **SQUARE))
    assert found["cost_calendar"] == approx(1)
    assert found["cost_planned"] == found["cost_counted"] == found["efc"] == 0


def test_stays_are_paths_of_their_own():
    """A car sells 5 kWh from full, the next one comes with 5 kWh and sells them: 2 x 4 EUR, not 16
    for a fall of 10.
    """
    result = held([0, 0], [5, 5], "fleet", keep=[0, 0], energy_in=[10, 5], **SQUARE)
    assert figures(result)["cost_counted"] == figures(result)["cost_planned"] == approx(8)


def test_driving_counts():
    """5 kWh are driven, nothing is sold: half a full cycle, 4 EUR."""
    found = figures(held([0], [0], "fleet", energy_initial=10, energy_out=5, **SQUARE))
    assert (found["efc"], found["cost_counted"], found["throughput"]) == approx((0.5, 4, 0))


def test_what_leaks_is_no_cycle():
    """Half is lost from hour to hour, 10 to 5 to 2.5 kWh, then 1.25 are left and sold: a fall of
    1.25, 0.25 EUR.

    Full segments leak alike: 1.25 kWh are the halves of halves of all four, and the plan pays 0.5
    EUR. A count of the energy itself would find a fall of 10 kWh, 16 EUR, above the plan."""
    found = figures(held([0, 0, 0], [0, 0, 1.25], energy_initial=10, keep=0.5, **SQUARE))
    assert (found["efc"], found["throughput"], found["cost_counted"]) == approx((0.125, 1.25, 0.25))
    assert found["cost_planned"] >= found["cost_counted"]


def test_a_cell_sees_its_leak():
    """Models of cells are given the energy that is there: half of it leaks, and the cell rests at
    less.
    """
    tight, leaking = (held([0, 0], [0, 0], energy_initial=10, keep=k, **SQUARE) for k in (1.0, 0.5))
    lost = [float(v2g.capacity_loss(r, "LFP", years=1).loss[0]) for r in (tight, leaking)]
    assert lost[0] != approx(lost[1])


def test_scenarios_are_averaged():
    """5 kWh are sold in one of two futures: 0.5 x 4 EUR, a quarter of a full cycle, 2.5 kWh on
    average: 0.80 EUR/kWh.
    """
    prices = market({"dear": [1e4], "cheap": [-1e4]}, first_stage=0.0)
    half = storage(energy_initial=10, energy_min=5, charge_max=0, **SQUARE)
    result = v2g.solve(case(None, prices, battery=half, scenarios={"dear": 0.5, "cheap": 0.5}))
    assert figures(result)["cost_counted"] == figures(result)["cost_planned"] == approx(2)
    assert figures(result)["efc"] == approx(0.25)
    assert figures(result)["throughput"] == approx(2.5)
    assert figures(result)["price_mean"] == approx(0.80)
    assert figures(result)["price_marginal"] == approx(16 * 2 * 0.5 / 10)


def test_several_kinds_and_files(tmp_path):
    """A car and a battery in one table, in the order of the parts, and the same from a file that
    holds the group.
    """
    result = degradation.with_wear(
        v2g.solve(
            case(vehicle(), market([0, 500]), battery={"a": storage(**SQUARE), "b": storage()})
        )
    )
    assert list(result["wear"].storage.values) == ["fleet.ev", "battery.a", "battery.b"]
    v2g.write(result, tmp_path / "result.nc")
    again = v2g.read(tmp_path / "result.nc")
    xr.testing.assert_allclose(v2g.wear(again), result["wear"].to_dataset(inherit=False))
    assert v2g.replay(again).attrs["passed"] == 1
    assert "wear" not in v2g.solve(again).children


def test_what_cannot_be_counted(monkeypatch):
    """Without a battery, before a solve, and without the extra, a sentence says so."""
    house = v2g.solve(case(None, market([10]), load={"baseline": 1.0}))
    assert degradation.with_wear(house) is house
    with pytest.raises(SchemaError, match="no battery"):
        v2g.wear(house)
    with pytest.raises(SchemaError, match="solve the case first"):
        v2g.wear(case(None, market([10]), battery=storage()))
    monkeypatch.setattr(degradation, "find_spec", lambda name: None)
    result = held([0], [0])
    assert degradation.with_wear(result) is result
    for count in (v2g.wear, v2g.capacity_loss):
        with pytest.raises(V2GError, match=r"v2g-linopy\[wear\]"):
            count(result)


def full_cycle():
    """Empty to full to empty in two hours, 1 C."""
    return held([10, 0], [0, 10])


def test_an_lfp_cell():
    """A thousand full cycles at 1 C in 2000 h at 25 degrees, on average half full: Naumann et al.
    2018 and 2020.

    k_C = 0.0630 + 0.0971, k_DOC = 4.0253 x 0.4^3 + 1.0923, so 6.8 %; by time 1.2571e-5 x 0.60225 x
    sqrt(7.2e6), 2.0 %."""
    found = v2g.capacity_loss(full_cycle(), "LFP", years=2000 / 8760)
    assert float(found.loss_cycles[0]) == approx(
        0.1601 * (4.0253 * 0.064 + 1.0923) * sqrt(1000) / 100, rel=1e-9
    )
    assert float(found.loss_cycles[0]) == approx(0.0683, abs=5e-4)
    assert float(found.loss_time[0]) == approx(1.2571e-5 * 0.60225 * sqrt(7.2e6), rel=1e-9)
    slow = v2g.capacity_loss(full_cycle(), "LFP", years=2000 / 8760, c_rate=0.5)
    assert float(slow.loss_cycles[0]) == approx(
        float(found.loss_cycles[0]) * 0.1286 / 0.1601, rel=1e-9
    )
    warm = v2g.capacity_loss(full_cycle(), "LFP", temperature=40.0)
    cool = v2g.capacity_loss(full_cycle(), "LFP")
    factor = exp(-17126 / 8.3144598 * (1 / 313.15 - 1 / 298.15))
    assert float(warm.loss_time[0] / cool.loss_time[0]) == approx(factor, rel=1e-9)


def test_an_nmc_cell():
    """The same at a voltage of 3.667 V at every state of charge: Schmalstieg et al. 2014.

    beta = 7.6e-4 + 4.081e-3 and 2 x 2.15 Ah x 1000, so 31.7 %; alpha = (7.543 x 3.667 - 23.75) 1e6
    exp(-6976 / T) over 83.3 days to the power 0.75."""
    flat = cell_ageing.nmc(voltage={0.0: 3.667, 1.0: 3.667})
    found = v2g.capacity_loss(full_cycle(), laws=flat, years=2000 / 8760)
    assert float(found.loss_cycles[0]) == approx(4.841e-3 * sqrt(4300), rel=1e-9)
    alpha = (7.543 * 3.667 - 23.75) * 1e6 * exp(-6976 / 298.15)
    assert float(found.loss_time[0]) == approx(alpha * (2000 / 24) ** 0.75, rel=1e-9)
    assert float(found.loss[0]) == approx(float(found.loss_time[0] + found.loss_cycles[0]))


def test_the_voltage_of_the_published_cell_rises_with_its_charge():
    """By tenths, from 3.33 V when empty to 4.16 V when full, 3.70 V half full (Schmalstieg)."""
    charge, voltage = zip(*cell_ageing.NMC_VOLTAGE.items(), strict=True)
    assert charge == approx([k / 10 for k in range(11)])
    assert (voltage[0], voltage[5], voltage[10]) == (3.33, 3.70, 4.16)
    assert all(low < high for low, high in zip(voltage, voltage[1:], strict=False))


def test_the_voltage_of_a_cycle_is_its_quadratic_mean():
    """From 3 to 4 V over the whole range the mean square is (9 + 12 + 16) / 3."""
    found = v2g.capacity_loss(
        full_cycle(), laws=cell_ageing.nmc(voltage={0.0: 3.0, 1.0: 4.0}, charge=1.0)
    )
    beta = 7.348e-3 * (sqrt(37 / 3) - 3.667) ** 2 + 4.841e-3
    assert float(found.loss_cycles[0]) == approx(beta * sqrt(2), rel=1e-6)


def test_deeper_and_fuller_lose_more():
    """NMC as published: a full battery loses more by time than an empty one, and two half cycles
    less than a whole.
    """
    stood = [
        v2g.capacity_loss(held([0], [0], energy_initial=e, energy_max=10)).loss_time
        for e in (0.01, 5, 10)
    ]
    assert float(stood[0][0]) < float(stood[1][0]) < float(stood[2][0])
    halves = held([0, 5, 0, 5], [5, 0, 5, 0], energy_initial=7.5, energy_max=10)
    whole = held([0, 10], [10, 0], energy_initial=10)
    loss = [float(v2g.capacity_loss(r).loss_cycles[0]) for r in (halves, whole)]
    assert 0 < loss[0] < loss[1]


def test_an_unknown_cell_is_named():
    with pytest.raises(SchemaError, match="'LTO' is not one of NMC, LFP"):
        v2g.capacity_loss(full_cycle(), "LTO")


COST = 4000.0


@pytest.fixture(scope="module")
def week():
    """A week of day-ahead prices as shipped with the package."""
    return v2g.read("datasets/commuters_10x7.nc")


def earned(week, **wear):
    """Trade less the counted cost of a 100 kWh battery that is planned with some wear."""
    fields = {
        "charge_max": 50.0,
        "discharge_max": 50.0,
        "energy_max": 100.0,
        "energy_initial": 50.0,
        "cyclic": 1.0,
    }
    battery = xr.Dataset(
        {n: ("battery", [x]) for n, x in (fields | wear).items()}, coords={"battery": ["box"]}
    )
    time = week.to_dataset().indexes["time"]
    plan = v2g.assemble(
        time, {"battery": battery, "energy": week["energy"].to_dataset()}, timezone="Europe/Rome"
    )
    result = v2g.solve(plan)
    result["battery"] = result["battery"].to_dataset().assign(replacement_cost=("battery", [COST]))
    trade = float(result["ledger"].to_dataset()["energy.energy"].sum())
    return trade - float(v2g.wear(result).cost_counted[0])


def test_depth_earns_more_than_the_best_price_per_kwh(week):
    """After the cost of the cycles found by rainflow counting: segments, then the best of 16
    prices, then no wear.

    Proves what the segments are for: no one price per kWh tells shallow cycles from deep ones.
    """
    segments = earned(week, replacement_cost=COST)
    best = max(earned(week, wear=k) for k in np.linspace(0.004, 0.064, 16))
    assert segments > best + 0.5
    assert best > earned(week) + 0.5
