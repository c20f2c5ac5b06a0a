"""A hand-made case, its result, and the command line in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
from by_hand import lossless_case
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.cli import app


def smart() -> xr.DataTree:
    """One car, plugged for three hours at 30, 20 and 60 EUR/MWh, needs 15 kWh after them.

    Best: 10 kWh at 20 and 5 kWh at 30, which costs 0.35 EUR.
    """
    car = {"charge_max": [10.0, 10.0, 10.0, 0.0], "energy_min": [0.0, 0.0, 15.0, 0.0]}
    return lossless_case([30.0, 20.0, 60.0, 40.0], {"ev-001": car})


@pytest.fixture
def smart_case() -> xr.DataTree:
    """The hand-made case."""
    return smart()


@pytest.fixture(scope="session")
def smart_result() -> xr.DataTree:
    """The hand-made case, solved once."""
    return v2g.solve(smart())


@pytest.fixture
def case_file(smart_case: xr.DataTree, tmp_path: Path) -> Path:
    """The hand-made case in a file."""
    path = tmp_path / "case.nc"
    v2g.write(smart_case, path)
    return path


@pytest.fixture
def result_file(smart_result: xr.DataTree, tmp_path: Path) -> Path:
    """The solved hand-made case in a file of its own folder."""
    path = tmp_path / "solved" / "result.nc"
    v2g.write(smart_result, path)
    return path


@pytest.fixture
def run() -> Callable:
    """Run a command line in this process."""

    def invoke(*words: object):
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    return invoke
