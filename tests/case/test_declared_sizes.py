"""A file is looked at before it is loaded: what no memory could hold is refused at once."""

import time
import tracemalloc
from pathlib import Path

import netCDF4
import pytest
from faulty import good

import v2g_linopy as v2g
from v2g_linopy.case import declared_sizes
from v2g_linopy.data.tables.files import read_netcdf
from v2g_linopy.errors import InputFileError

AT_ONCE = 2.0  # seconds of CPU time, on any machine; reading 8 GB takes more


@pytest.fixture
def path(tmp_path: Path) -> Path:
    v2g.write(good(), tmp_path / "case.nc")
    return tmp_path / "case.nc"


def declare(path: Path, group: str, count: int, kind: str = "f8") -> None:
    """Add an array of which no number is written: it takes no room in the file."""
    with netCDF4.Dataset(path, "a") as file:
        node = file[group] if group else file
        node.createDimension("n", count)
        node.createVariable("stray", kind, ("n",), chunksizes=(2**20,))


@pytest.mark.parametrize("group", ["", "fleet", "windmill"])
@pytest.mark.parametrize("read", [v2g.read, read_netcdf])
def test_a_thousand_million_numbers(path, group, read):
    """At the root, in a group that a case has, and in one that it has not."""
    if group == "windmill":
        with netCDF4.Dataset(path, "a") as file:
            file.createGroup(group)
    declare(path, group, 10**9)
    tracemalloc.start()
    before = time.process_time()
    with pytest.raises(InputFileError, match=f"{group}/stray declares 1,000,000,000 numbers"):
        read(path)
    assert time.process_time() - before < AT_ONCE
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_many_arrays_together(path, monkeypatch):
    """None is too large by itself."""
    monkeypatch.setattr(declared_sizes, "MOST_NUMBERS_IN_ALL", 2**21)
    declare(path, "fleet", 2**20)
    assert "fleet" in v2g.read(path).children
    declare(path, "energy", 2**20)
    with pytest.raises(InputFileError, match="up to .*/.*, declares 2,097,"):
        v2g.read(path)


def test_four_hundred_groups_within_each_other(path):
    with netCDF4.Dataset(path, "a") as file:
        node = file
        for number in range(400):
            node = node.createGroup(f"g{number}")
    before = time.process_time()
    with pytest.raises(InputFileError, match="/g0/g1: groups hold arrays, not groups"):
        v2g.read(path)
    assert time.process_time() - before < AT_ONCE
