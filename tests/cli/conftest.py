"""A hand-made case, its result, and the command line in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
from by_hand import smart
from typer.testing import CliRunner

import v2g_linopy as v2g
from v2g_linopy.cli import app


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
