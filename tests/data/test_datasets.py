"""The small cases in `datasets/` are what their generators make."""

from pathlib import Path

import pytest
import xarray as xr

import v2g_linopy as v2g
from v2g_linopy.data.generators.datasets import CASES, main, make

FOLDER = Path(__file__).resolve().parents[2] / "datasets"


@pytest.mark.parametrize("name", CASES)
def test_regenerated(name):
    """Same arrays, same words: whoever changes a generator runs `python -m
    v2g_linopy.data.generators.datasets` again.
    """
    stored, made = v2g.read(FOLDER / name), make(name)
    assert set(stored.children) == set(made.children)
    for group in made.children:
        xr.testing.assert_equal(stored[group].to_dataset(), made[group].to_dataset())
        for variable, array in made[group].data_vars.items():
            assert stored[group][variable].attrs == array.attrs, f"{group}.{variable}"
    assert stored.attrs == made.attrs


def test_folder_holds_nothing_else():
    assert {p.name for p in FOLDER.iterdir()} == {*CASES, "README.md"}


def test_written_files_are_small(tmp_path):
    main(str(tmp_path))
    assert all((tmp_path / name).stat().st_size < 200_000 for name in CASES)
