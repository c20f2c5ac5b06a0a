"""Plants with states, against every sequence of states; and what must hold of any of them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invariants.enumeration import best_engine, best_site
from invariants.strategies import cases
from invariants.wanted import Draw, few, rows
from pytest import approx

import v2g_linopy as v2g

INF, NAN = float("inf"), float("nan")
MISSED = 0.5  # EUR per kWh of heat or hydrogen that is missed


def chosen(draw: Draw, **values):
    """One of the values of each name."""
    return {name: draw(st.sampled_from(options)) for name, options in values.items()}


@st.composite
def engines(draw: Draw):
    """A plant, what it is in before the start, prices and heat."""
    steps, dt = draw(st.integers(3, 8)), draw(st.sampled_from((1.0, 0.5)))
    plant = {"power_max": 8.0, "power_to_heat": 0.5, "eta_power": 0.25, "fuel_price": 1 / 64}
    plant |= chosen(
        draw,
        power_min=(0.0, 2.0, 4.0, 8.0),
        start_cost=(0.0, 0.125, 0.5),
        up_time_min=(0.0, 1.0, 1.5, 3.0, 9.0),
        down_time_min=(0.0, 1.0, 1.5, 2.0, 9.0),
        ramp_up=(INF, 3.0, 8.0),
        ramp_down=(INF, 3.0, 8.0),
        dump_max=(0.0, 4.0, 16.0),
        on_initial=(0.0, 1.0),
        hours_initial=(0.0, 0.5, 1.0, 20.0),
    )
    running = plant["power_min"] if plant["on_initial"] else 0.0
    plant["power_initial"] = draw(st.sampled_from((NAN, running)))
    price = draw(rows((-1 / 16, 0.0, 1 / 16, 1 / 8, 1 / 4), steps))
    return plant, price, draw(rows((0.0, 4.0, 8.0), steps)), dt


@st.composite
def sites(draw: Draw):
    """A hydrogen site, prices and a demand."""
    steps, dt = draw(st.integers(3, 8)), draw(st.sampled_from((1.0, 0.5)))
    site = {"eta_electrolyser": 0.5, "eta_fuel_cell": 0.5, "electrolyser_max": 8.0}
    site |= chosen(
        draw,
        electrolyser_min=(0.0, 2.0, 8.0),
        standby_power=(NAN, 0.0, 1.0),
        fuel_cell_max=(0.0, 4.0),
        energy_max=(0.0, 4.0, 16.0),
        keep=(1.0, 0.5),
        cyclic=(0.0, 1.0),
        sale_price=(0.0, 1 / 4),
        sale_max=(0.0, 2.0),
        wear=(0.0, 1 / 16),
        wear_standby=(0.0, 1 / 16),
        wear_start=(0.0, 1 / 4, 1.0),
        on_initial=(0.0, 1.0),
    )
    site["standby_initial"] = float(
        not site["on_initial"] and site["standby_power"] >= 0 and draw(st.booleans())
    )
    site["energy_initial"] = site["energy_max"] * draw(st.sampled_from((0.0, 0.5)))
    site["cyclic"] *= float(site["keep"] == 1.0)
    price = draw(rows((-1 / 16, 0.0, 1 / 16, 1 / 8, 1 / 4), steps))
    return site, price, draw(rows((0.0, 1.0, 4.0), steps)), dt


def by_hand(
    part: str, fields: dict, carrier: str, price, demand, dt: float, start: int = 0
) -> xr.DataTree:
    """A case of one plant, a market, and a demand that may be missed."""
    time = pd.date_range("2026-01-05", periods=len(price), freq=pd.Timedelta(hours=dt), name="time")
    member = {part: ["one"]}
    groups = {
        part: xr.Dataset({n: (part, [x]) for n, x in fields.items()}, coords=member),
        "energy": xr.Dataset(
            {"price": (("market", "time"), [1000 * np.array(price)]), "limit": 100.0},
            coords={"market": ["day_ahead"], "time": time},
        ),
        "load": xr.Dataset(
            {
                "baseline": (("load", "time"), [demand]),
                "curtail_max": INF,
                "curtail_cost": MISSED,
                "carrier": ("load", [carrier]),
            },
            coords={"load": ["demand"], "time": time},
        ),
    }
    if part == "chp":
        groups[part]["fuel_price"] = groups[part].fuel_price.assign_attrs(units="EUR/kWh")
    return v2g.assemble(time, groups, step_hours=dt)


@few(12)
@given(engines())
def test_the_best_of_all_sequences_of_an_engine(drawn):
    """Objective of the unit commitment = the best of all 2^T sequences of states, each with its own
    LP.
    """
    plant, price, heat, dt = drawn
    expected = best_engine(plant, price, heat, MISSED, dt)
    site = by_hand("chp", plant, "heat", price, heat, dt)
    if np.isneginf(expected):
        with pytest.raises(v2g.Infeasible):
            v2g.solve(site, gap=0.0)
    else:
        assert v2g.solve(site, gap=0.0).attrs["objective"] == approx(expected, abs=1e-6)


@few(12)
@given(sites())
def test_the_best_of_all_sequences_of_a_hydrogen_site(drawn):
    """Objective = the best of all 3^T sequences of off, standby and on."""
    site, price, demand, dt = drawn
    expected = best_site(site, price, demand, MISSED, dt)
    result = v2g.solve(by_hand("hydrogen", site, "hydrogen", price, demand, dt), gap=0.0)
    assert result.attrs["objective"] == approx(expected, abs=1e-6)


@few(6)
@given(st.data())
def test_the_rest_of_a_plan_starts_from_what_is_carried(data):
    """Cut anywhere, the second window begins with the outputs of the first: it finds the rest of
    the plan as good.

    Proves that what is carried is the whole state (on or off, for how long, power, tank).
    """
    part, strategy, carrier = data.draw(
        st.sampled_from((("chp", engines, "heat"), ("hydrogen", sites, "hydrogen")))
    )
    fields, price, demand, dt = data.draw(strategy())
    tree = by_hand(part, fields, carrier, price, demand, dt)
    try:
        whole = v2g.solve(tree, gap=0.0)
    except v2g.Infeasible:
        return
    cut = data.draw(st.integers(1, len(price) - 1))
    rest = v2g.solve(v2g.with_initial_state(tree, whole, cut), gap=0.0)
    after = sum(
        float(x.isel(time=slice(cut, None)).sum()) for x in whole["ledger"].data_vars.values()
    )
    assert rest.attrs["objective"] == approx(after, abs=1e-6)


NULL = {
    "chp": {
        "power_max": 0.0,
        "power_min": 3.0,
        "power_to_heat": 1.0,
        "eta_power": 0.4,
        "fuel_price": 20.0,
    }
    | {"start_cost": 1.0, "up_time_min": 2.0, "ramp_up": 1.0},
    "hydrogen": {
        "electrolyser_min": 3.0,
        "standby_power": 1.0,
        "wear_start": 1.0,
        "wear": 1.0,
        "cyclic": 1.0,
    },
    "renewable": {"available": 0.0, "cost": 1.0},
    "load": {"baseline": 0.0, "curtail_max": 5.0, "carrier": "heat"},
}


@few(6)
@given(cases())
def test_nothing_adds_nothing(case):
    """Plants, sun and heat of zero capacity change no objective (invariant 31), and leave no
    NaN.
    """
    alone = v2g.solve(case)
    groups = {
        name: xr.Dataset({n: (name, [x]) for n, x in f.items()}, coords={name: ["null"]})
        for name, f in NULL.items()
    }
    beside = case.copy()
    if "connection" in case.children:
        groups = {name: ds.assign(pod=(name, ["north"])) for name, ds in groups.items()}
    for name, ds in groups.items():
        beside[name] = xr.DataTree(ds)
    result = v2g.solve(beside)
    assert result.attrs["objective"] == approx(alone.attrs["objective"], abs=1e-6)
    for name in groups:
        outputs = [f.name for f in v2g.PARTS[name].schema.outputs if f.name in result[name]]
        assert all(float(abs(result[name][o]).max()) == 0 for o in outputs)


@few(4)
@given(engines())
def test_a_plant_never_hurts(drawn):
    """A plant that is off and may stay so never lowers the objective, nor does a product for it
    (invariant 32).
    """
    plant, price, heat, dt = drawn
    idle = plant | {"on_initial": 0.0, "power_initial": NAN}
    site = by_hand("chp", idle, "heat", price, heat, dt)
    without = site.copy()
    del without["chp"]
    offered = site.copy()
    offered["reserve"] = xr.DataTree(
        xr.Dataset(
            {"up": 1.0, "down": 0.25, "capacity_price": ("product", [20.0])},
            coords={"product": ["fcr"]},
        )
    )
    few_, one, two = (v2g.solve(c, gap=0.0).attrs["objective"] for c in (without, site, offered))
    assert few_ <= one + 1e-6 <= two + 2e-6
