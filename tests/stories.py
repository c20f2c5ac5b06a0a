"""Every story runs three ways: solve; save the case, load, solve; solve, save the result, load."""

from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr

import v2g_linopy as v2g

WAYS = ("solve", "solve-save-load", "save-load-solve")
Solve = Callable[..., xr.DataTree]


@pytest.fixture(params=WAYS)
def pipeline(
    request: pytest.FixtureRequest, tmp_path: Path, solved: dict[str, xr.DataTree]
) -> Solve:
    """Solve a case in one of the three ways, and see that the plan is proven and the bill adds
    up.
    """
    calls = 0

    def run(case: xr.DataTree, **options: object) -> xr.DataTree:
        nonlocal calls
        calls += 1
        if request.param == "save-load-solve":
            result = v2g.solve(through_a_file(case, tmp_path / "case.nc"), **options)
        else:
            given = {
                name: value
                for name, value in request.node.callspec.params.items()
                if name != "pipeline"
            }
            story = f"{request.node.path} {request.node.originalname} {given} {calls}"
            if story not in solved:
                solved[story] = v2g.solve(case, **options)
            result = solved[story]
        if request.param == "solve-save-load":
            result = through_a_file(result, tmp_path / "result.nc")
            assert v2g.replay(result).attrs["passed"] == 1
        assert_proven(result)
        return result

    return run


@pytest.fixture(scope="session")
def solved() -> dict[str, xr.DataTree]:
    """Results of the way `solve`, for the way that only saves and loads them."""
    return {}


def assert_proven(result: xr.DataTree) -> None:
    """The audit found nothing, and the objective is the sum of the ledger, penalties included."""
    assert result["audit"].attrs["passed"] == 1, result["audit"].attrs["worst"]
    sums = {
        name: float(_expected(entry, result).sum())
        for name, entry in result["ledger"].data_vars.items()
    }
    assert sum(sums.values()) == pytest.approx(result.attrs["objective"], abs=1e-9)
    income = [
        value for name, value in sums.items() if ".slack." not in name and name != "risk.adjustment"
    ]
    assert sum(income) == pytest.approx(result.attrs["profit"], abs=1e-9)


def through_a_file(tree: xr.DataTree, path: Path) -> xr.DataTree:
    """Save and load."""
    v2g.write(tree, path, overwrite=True)
    return v2g.read(path)


def _expected(entry: xr.DataArray, result: xr.DataTree) -> xr.DataArray:
    return entry * result["probability"] if "scenario" in entry.dims else entry
