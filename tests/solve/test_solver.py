"""Solvers and their options: the same optimum, and a clear word for what a solver cannot do."""

import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, row, vehicle
from pytest import approx
from stories import assert_proven

import v2g_linopy as v2g
from v2g_linopy.algebra.expression import Expression
from v2g_linopy.algebra.linopy_adapter import exact_labels, maximise, new_model
from v2g_linopy.solve import solver
from v2g_linopy.study.explain import explain

TREE = case(
    {"a": vehicle(energy_min=[0, 0, 9]), "b": vehicle(energy_min=[0, 0, 6])}, market([50, 20, 80])
)
FULL = case(
    vehicle(discharge_max=10, energy_max=10, energy_initial=10, eta_discharge=0.8), market([-100])
)


@pytest.mark.parametrize(
    "options",
    [{}, {"solver": "ipx"}, {"presolve": "off", "simplex_strategy": 4}],
    ids=["simplex", "ipx", "primal"],
)
def test_algorithms_of_highs(options):
    """15 kWh at 20 EUR/MWh: 0.30 EUR, whatever the algorithm."""
    assert v2g.solve(TREE, options=options).attrs["profit"] == approx(-0.30)


def test_another_solver():
    """SCIP finds 15 kWh at 20 EUR/MWh, 0.30 EUR, and a vehicle that burns nothing at -100 EUR/MWh,
    0 EUR.
    """
    pytest.importorskip("pyscipopt")
    result = v2g.solve(TREE, solver="scip")
    assert result.attrs["profit"] == approx(-0.30)
    assert result.attrs["solver"] == "scip"
    assert row(result, "energy.position") == [0, -15, 0]
    assert_proven(result)
    assert v2g.solve(FULL, solver="scip", gap=1e-6, time_limit=60).attrs["profit"] == approx(
        0, abs=1e-6
    )


def failure(**options) -> v2g.SolverError:
    with pytest.raises(v2g.SolverError) as caught:
        v2g.solve(TREE, **options)
    assert caught.value.exit_code == 5
    return caught.value


def test_unknown_solver():
    """The message names what is installed."""
    message = str(failure(solver="gorubi"))
    assert "gorubi" in message
    assert "highs" in message


def test_unknown_option():
    """HiGHS itself would ignore it in silence."""
    assert "'treads'" in str(failure(options={"treads": 2}))


@pytest.mark.parametrize(
    "options",
    [
        {"threads": "many"},
        {"primal_feasibility_tolerance": -1},
        {"presolve": "maybe"},
        {"output_flag": "perhaps"},
    ],
)
def test_wrong_value_of_an_option(options):
    """The message names the option and the value."""
    (name, value), message = *options.items(), str(failure(options=options))
    assert name in message
    assert repr(value) in message


def test_levels_and_duals_stand_at_their_labels():
    """max x_0 + 3 x_2 with x <= 1 and 2, and no x_1: levels 1 and 2, the rows are worth 1 and 3,
    and what does not exist has neither.
    """
    time = pd.RangeIndex(3, name="time")
    there = xr.DataArray([True, False, True], coords={"time": time}, dims="time")
    with exact_labels():
        model = new_model()
        x = Expression.from_linopy(model.add_variables(coords=[time], name="x", mask=there))
        (x <= xr.DataArray([1.0, 0.0, 2.0], coords={"time": time})).write(model, "most", there)
        maximise(model, np.array([0, 2]), np.array([1.0, 3.0]))
    matrix = solver.matrix_of(model)
    found = solver.solve_matrix(matrix, solver.Settings())
    levels = solver.by_variable(model, matrix, found.primal)["x"]
    duals = solver.by_constraint(model, matrix, found.dual)["most"]
    assert levels.dims == duals.dims == ("time",)
    assert levels.fillna(-1).values.tolist() == [1, -1, 2]
    assert duals.fillna(-1).values.tolist() == [1, -1, 3]
    by_label = solver.primal_by_label(model, matrix, found)
    assert np.nan_to_num(by_label, nan=-1).tolist() == [1, -1, 2]


def test_any_order_of_thread_counts_in_one_process():
    """HiGHS has one scheduler per thread of the process; from 1.16 on it stops "not set" where an
    earlier solve chose another number. Each of 1 and 2 comes after the other, after 0 and after
    none: whatever ran before, one differs."""
    for options in (
        {"threads": 1},
        {"threads": 2},
        {},
        {"threads": 1},
        {"threads": 0},
        {"threads": 2},
        {"threads": 1},
    ):
        assert v2g.solve(TREE, options=options).attrs["profit"] == approx(-0.30), options


@pytest.mark.parametrize(
    "limits", [{"gap": -0.1}, {"gap": float("nan")}, {"time_limit": -1}, {"time_limit": 0}]
)
def test_wrong_limit(limits):
    """A gap or a time limit that makes no sense is an error, not ignored."""
    assert next(iter(limits)) in str(failure(**limits))


def test_unknown_option_of_another_solver():
    pytest.importorskip("pyscipopt")
    assert "limits/tim" in str(failure(solver="scip", options={"limits/tim": 3}))


def test_unknown_complementarity():
    with pytest.raises(v2g.SchemaError, match="'lazzy' is not one of lazy, audit, milp, off"):
        v2g.solve(TREE, complementarity="lazzy")


def test_time_limit():
    """A limit far too short for the case ends in an error that says so, soon, and not in half a
    plan.
    """
    big = v2g.commuters(vehicles=60, days=20)
    start = time.perf_counter()
    with pytest.raises(v2g.SolveError, match="time limit") as caught:
        v2g.solve(big, time_limit=0.01, blocks=False)
    assert caught.value.exit_code == 5
    assert time.perf_counter() - start < 60


def test_no_time_for_prices(monkeypatch, tmp_path):
    """Where the limit comes between the search and its prices, the plan is kept and proven, and
    says that it has none.

    A full vehicle waits at -100 EUR/MWh and sells 8 kWh at 50: 0.40 EUR. What is told of it uses
    the price of the market: at the missing shadow prices, read as 0, it would have fed in for
    nothing."""
    solve = solver.solve_matrix

    def late(matrix, settings):
        if matrix.is_lp:
            raise v2g.SolveError("too late", status="time_limit")
        return solve(matrix, settings)

    monkeypatch.setattr(solver, "solve_matrix", late)
    full = vehicle(discharge_max=10, energy_max=10, energy_initial=10, eta_discharge=0.8)
    result = v2g.solve(case(full, market([-100, 50])), complementarity="milp", time_limit=60)
    assert result.attrs["status"] == "optimal"
    assert result.attrs["profit"] == approx(0.40, abs=1e-6)
    assert "fed in 8.0 kWh at 50.0 EUR/MWh" in explain(result, "ev")
    assert "no time was left for prices" in result.attrs["block_note"]
    assert bool(result["price"].electricity.isnull().all())
    assert_proven(result)
    v2g.write(result, tmp_path / "result.nc")
    assert v2g.replay(v2g.read(tmp_path / "result.nc")).attrs["passed"] == 1


def test_time_is_up():
    """Once the time is up nothing is started; a share is one of what is left, and a grace is
    counted from the limit.
    """
    settings = solver.Settings(time_limit=100).start()
    assert settings.share(0.25).left == approx(25, abs=1)
    assert settings.share(0.5).share(0.5).left == approx(25, abs=1)
    assert settings.grace(10).left == approx(110, abs=1)
    over = solver.Settings(time_limit=1e-9).start()
    assert over.left == 0
    assert over.grace(10).left == approx(10, abs=1)
    unlimited = solver.Settings().start()
    assert unlimited.left is unlimited.share(0.1).left is unlimited.grace(1).left is None
    with pytest.raises(v2g.SolveError, match="time limit") as caught:
        solver.solve_matrix(solver.matrix_of(v2g.build(TREE)), over)
    assert caught.value.status == "time_limit"
