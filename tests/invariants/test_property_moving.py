"""A model whose numbers move is the model that would be built anew."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, storage, vehicle
from hypothesis import given, settings
from hypothesis import strategies as st

import v2g_linopy as v2g
from v2g_linopy.model.inputs import Inputs, inputs_of
from v2g_linopy.operate.model_update import RebuildNeeded, ResolvableModel
from v2g_linopy.solve import assembly, solver

STEPS = 4
SETTINGS = solver.Settings()


def opened() -> Inputs:
    """Everything is possible: two gates, a car and a battery, reserve, imbalance, a connection."""
    car = vehicle(
        charge_max=[8.0] * STEPS,
        discharge_max=[4.0] * STEPS,
        energy_min=[1.0, 1, 1, 4],
        energy_initial=2.0,
        eta_charge=[0.9] * STEPS,
        keep=[1.0] * STEPS,
        slack_cost=2.0,
        wear=0.02,
    )
    opening = {"spread": 2.0, "closed": [0.0] * STEPS, "committed": [1.0] * STEPS}
    markets = {
        n: market([p] * STEPS, limit=[20.0] * STEPS) | opening
        for n, p in (("early", 40.0), ("late", 60.0))
    }
    up = product(
        up=1,
        hours_up=0.5,
        guarantee="endurance",
        capacity_price=[5.0] * STEPS,
        volume_max=[4.0] * STEPS,
    )
    prices = {"price_long": [10.0] * STEPS, "price_short": [90.0] * STEPS, "limit": [10.0] * STEPS}
    given = {"battery": storage(charge_max=[5.0] * STEPS, wear=0.01), "imbalance": prices}
    return inputs_of(
        case(car, markets, up, {"site": {"import_max": [15.0] * STEPS}}, **given), v2g.PARTS
    )


def dyadic(draw: st.DrawFn, like: xr.DataArray, values: tuple[float, ...]) -> xr.DataArray:
    """Draw every number of an array."""
    numbers = draw(st.lists(st.sampled_from(values), min_size=like.size, max_size=like.size))
    return like.copy(data=np.reshape(numbers, like.shape).astype(float))


DRAWN = {
    "energy": {
        "price": tuple(16.0 * k for k in range(-2, 8)),
        "limit": (0.0, 8.0, 20.0),
        "closed": (0.0, 0.0, 1.0),
        "committed": (-2.0, 0.0, 1.0),
        "spread": (0.0, 2.0, 4.0),
    },
    "fleet": {
        "charge_max": (0.0, 4.0, 8.0),
        "discharge_max": (0.0, 2.0, 4.0),
        "energy_min": (0.0, 2.0, 6.0),
        "eta_charge": (0.75, 0.875, 1.0),
        "keep": (0.5, 1.0),
        "slack_cost": (1.0, 2.0),
    },
    "battery": {"charge_max": (0.0, 2.0, 5.0), "wear": (0.0, 0.25)},
    "reserve": {"capacity_price": (0.0, 16.0, 32.0), "volume_max": (0.0, 2.0, 4.0)},
    "imbalance": {
        "price_long": (-16.0, 0.0, 16.0),
        "price_short": (96.0, 128.0),
        "limit": (8.0, 40.0),
    },
    "connection": {"import_max": (8.0, 16.0, 64.0)},
}


@st.composite
def moves(draw: st.DrawFn, inputs: Inputs) -> tuple[Inputs, frozenset[str]]:
    """New numbers for some parts."""
    parts = draw(st.lists(st.sampled_from(list(DRAWN)), min_size=1, max_size=4, unique=True))
    data = dict(inputs.data)
    for part in parts:
        names = draw(st.lists(st.sampled_from(list(DRAWN[part])), min_size=1, unique=True))
        data[part] = data[part].assign(
            {n: dyadic(draw, data[part][n], DRAWN[part][n]) for n in names}
        )
    return replace(inputs, data=data), frozenset(parts)


def anew(inputs: Inputs) -> float:
    """The optimum of a model built for these data."""
    matrix = solver.matrix_of(assembly.assemble_model(inputs).model)
    return solver.solve_matrix(matrix, SETTINGS).objective


@settings(max_examples=3)
@given(st.data())
def test_an_updated_model_is_the_one_built_anew(data):
    """Prices, limits, needs, efficiencies, gates, losses, penalties are drawn, five times in a row:
    each time the objective is that of a new model.

    Proves what is sent to the solver and what is not: one bound, cost or coefficient forgotten
    would stay for good."""
    inputs = opened()
    model = ResolvableModel(inputs, SETTINGS)
    assert model.solve().optimum.objective == pytest.approx(anew(inputs), rel=1e-9, abs=1e-9)
    for _ in range(5):
        inputs, changed = data.draw(moves(inputs))
        try:
            expected = anew(inputs)
        except v2g.SolveError:
            expected = None
        model.update(inputs, changed)
        if expected is None:
            with pytest.raises(v2g.SolveError):
                model.solve()
        else:
            assert model.solve().optimum.objective == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_charger_that_was_closed_opens_with_another_efficiency():
    """A coefficient of a variable that was 0 anyway is moved once the variable is possible."""
    inputs = opened()
    fleet = inputs.data["fleet"]

    def with_charger(power: float, efficiency: float) -> Inputs:
        more = {
            "charge_max": xr.full_like(fleet.charge_max, power),
            "eta_charge": xr.full_like(fleet.eta_charge, efficiency),
        }
        return replace(inputs, data={**inputs.data, "fleet": fleet.assign(more)})

    model = ResolvableModel(inputs, SETTINGS)
    for power, efficiency in ((0.0, 0.9), (0.0, 0.5), (8.0, 0.5)):
        now = with_charger(power, efficiency)
        model.update(now, frozenset({"fleet"}))
        assert model.solve().optimum.objective == pytest.approx(anew(now), rel=1e-9)


def test_a_model_that_cannot_move_is_left_as_it_was():
    """Data that ask for rows which are not there are refused; the model still solves, and still
    moves, as before.
    """
    inputs = opened()
    battery = inputs.data["battery"]
    closed = replace(
        inputs, data={**inputs.data, "battery": battery.assign(charge_max=0 * battery.charge_max)}
    )
    model = ResolvableModel(closed, SETTINGS)
    before = model.solve().optimum.objective
    cyclic = battery.assign(
        cyclic=xr.ones_like(battery.cyclic), energy_initial=xr.ones_like(battery.energy_initial)
    )
    with pytest.raises(RebuildNeeded):
        model.update(
            replace(inputs, data={**inputs.data, "battery": cyclic}), frozenset({"battery"})
        )
    assert model.solve().optimum.objective == before
    energy = closed.data["energy"]
    dearer = replace(closed, data={**closed.data, "energy": energy.assign(price=energy.price * 2)})
    model.update(dearer, frozenset({"energy"}))
    assert model.solve().optimum.objective == pytest.approx(anew(dearer), rel=1e-9)


def test_the_past_stays_as_it_was():
    """What happened is held when prices of the past and of the future move: only later steps are
    planned again.
    """
    inputs = opened()
    model = ResolvableModel(inputs, SETTINGS)
    first = model.solve()["battery.energy"]
    model.fix_past(0, 2)
    energy = inputs.data["energy"]
    turned = replace(
        inputs, data={**inputs.data, "energy": energy.assign(price=200 - energy.price)}
    )
    model.update(turned, frozenset({"energy"}))
    model.free_past(("energy", "imbalance"))
    again = model.solve()["battery.energy"]
    np.testing.assert_array_equal(again.isel(time=slice(0, 2)), first.isel(time=slice(0, 2)))
