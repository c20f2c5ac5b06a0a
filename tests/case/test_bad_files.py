"""Files that cannot be read as a case: one line with the path and the reason."""

from pathlib import Path

import netCDF4
import pandas as pd
import pytest
from faulty import HOURS, good

import v2g_linopy as v2g
from v2g_linopy.errors import InputFileError


def test_reading_names_the_file_and_the_fault(tmp_path: Path):
    """Missing, empty, a directory, another kind, cut short: one line each with the path, exit code
    3.
    """
    whole = tmp_path / "whole.nc"
    v2g.write(good(), whole)
    (tmp_path / "empty.nc").touch()
    (tmp_path / "text.nc").write_text("arrival,departure\n08:00,17:00\n")
    (tmp_path / "cut.nc").write_bytes(whole.read_bytes()[:3000])
    (tmp_path / "head.nc").write_bytes(whole.read_bytes()[:5])
    faults = {
        "absent.nc": "does not exist",
        "empty.nc": "is empty",
        "text.nc": "cannot be read as NetCDF",
        "cut.nc": "cannot be read as NetCDF",
        "head.nc": "cannot be read as NetCDF",
        ".": "is a directory",
    }
    for name, words in faults.items():
        with pytest.raises(InputFileError) as caught:
            v2g.read(tmp_path / name)
        assert words in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 2
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("unit", ["days", "hours", "seconds", "microseconds"])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_time_stamp_that_is_no_date(tmp_path: Path, unit, place):
    """A number that no date can hold, at the ends or between them, in any unit of time."""
    path = tmp_path / "case.nc"
    v2g.write(good(), path)
    with netCDF4.Dataset(path, "a") as file:
        file["time"].units = f"{unit} since 1970-01-01"
        numbers = file["time"][:]
        numbers[place] = 2**63 - 1
        file["time"][:] = numbers
    with pytest.raises(InputFileError, match="cannot be read as NetCDF"):
        v2g.read(path)


@pytest.mark.parametrize(("version", "words"), [(99, "upgrade"), ("new", "schema version")])
def test_a_newer_file_is_refused(tmp_path: Path, version, words):
    """A file of a later package asks for an upgrade instead of being half understood."""
    path = tmp_path / "case.nc"
    v2g.write(good(schema_version=version), path)
    with pytest.raises(InputFileError, match=words):
        v2g.read(path)


def test_a_file_whose_groups_disagree(tmp_path: Path):
    """A group with other time stamps than the root is named."""
    path = tmp_path / "case.nc"
    v2g.write(good(), path)
    shifted = good()["energy"].to_dataset().assign_coords(time=HOURS + pd.Timedelta("1h"))
    shifted.to_netcdf(path, group="other", mode="a")
    with pytest.raises(InputFileError, match="do not share the time stamps.*other"):
        v2g.read(path)
