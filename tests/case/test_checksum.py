"""A result is read only as it was written: a flipped bit is refused, or changes nothing."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from cases import case, market, product, vehicle

import v2g_linopy as v2g
from v2g_linopy.case.checksum import checksum
from v2g_linopy.errors import InputFileError

FLIPS = 40


@pytest.fixture(scope="module")
def result() -> xr.DataTree:
    """A solved case with scenarios, labels with an accent, gaps, and moments of sessions."""
    car = vehicle(discharge_max=5.0, energy_min=[0.0, 0.0, 5.0], unserved_cost=np.nan)
    prices = {"calm": [30.0, 20.0, 60.0], "windy": [10.0, 5.0, 20.0]}
    tree = case(
        {"Zoé": car, "ev-2": vehicle()},
        market(prices),
        product(up=1.0, capacity_price=5.0),
        scenarios={"calm": 0.75, "windy": 0.25},
    )
    arrival = ("session", np.array(["2026-01-05T00:10"] * 2, dtype="datetime64[ns]"))
    tree["sessions"] = xr.Dataset({"arrival": arrival}, coords={"session": [0, 1]})
    return v2g.solve(tree)


@pytest.fixture(scope="module")
def written(result: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result in a file."""
    path = tmp_path_factory.mktemp("written") / "result.nc"
    v2g.write(result, path)
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    """A copy of the file, which a test may damage."""
    return Path(shutil.copy(written, tmp_path))


def test_a_result_comes_back_as_it_was(result, path):
    """The checksum stands in the file alone: in memory results are what they were."""
    back = v2g.read(path)
    assert "checksum" not in back.attrs and "checksum" not in result.attrs
    assert xr.open_datatree(path).attrs["checksum"] == checksum(result) == checksum(back)
    assert "checksum" not in v2g.verify(back).unchecked


def test_a_flipped_bit_is_refused_or_changes_nothing(path, tmp_path):
    """Drawn over the whole file: what is read is what was written."""
    whole, rng = path.read_bytes(), random.Random(11)
    written, refused = checksum(v2g.read(path)), 0
    for number in range(FLIPS):
        at, bit = rng.randrange(len(whole)), rng.randrange(8)
        damaged = bytearray(whole)
        damaged[at] ^= 1 << bit
        flipped = tmp_path / f"flipped-{number}.nc"
        flipped.write_bytes(damaged)
        try:
            assert checksum(v2g.read(flipped)) == written, (at, bit)
        except InputFileError as error:
            assert str(flipped) in str(error)
            refused += 1
    assert refused > FLIPS / 6  # much of a small file is empty space between its blocks


CHANGES = {
    "a number": lambda tree: tree["fleet"].charge.data.__setitem__(0, 9.0),
    "a scalar": lambda tree: tree["audit"]["fleet.need"].data.__setitem__(..., 9.0),
    "a label": lambda tree: tree["fleet"].coords.update({"fleet": ["Zoe", "ev-2"]}),
    "a moment": lambda tree: tree["sessions"].arrival.data.__setitem__(
        0, np.datetime64("2026-01-05T00:11")
    ),
    "a title": lambda tree: tree.attrs.update(title="another"),
    "a profit": lambda tree: tree.attrs.update(profit=np.nextafter(tree.attrs["profit"], 1e9)),
    "a unit": lambda tree: tree["fleet"].charge.attrs.update(units="MW"),
    "a sign of nothing": lambda tree: tree["fleet"].charge.data.__setitem__(0, -0.0),
    "a group left out": lambda tree: tree.__delitem__("dual"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_another_program_changed_is_refused(result, path, tmp_path, kind):
    tree = xr.load_datatree(path)
    CHANGES[kind](tree)
    assert checksum(tree) != checksum(result)
    tree.to_netcdf(tmp_path / "changed.nc")
    with pytest.raises(InputFileError, match="is not as it was written"):
        v2g.read(tmp_path / "changed.nc")


def test_what_another_program_only_copied_is_read(result, path, tmp_path):
    """Other compression, another order of groups: the same numbers."""
    tree = xr.load_datatree(path)
    turned = {node.path: node.to_dataset(inherit=False) for node in reversed([*tree.subtree])}
    xr.DataTree.from_dict(turned).to_netcdf(tmp_path / "copied.nc")
    assert checksum(v2g.read(tmp_path / "copied.nc")) == checksum(result)


def test_a_change_of_ones_own_is_read_and_named(path, tmp_path):
    """Without the attribute, as results of earlier versions are."""
    tree = xr.load_datatree(path)
    del tree.attrs["checksum"]
    tree.to_netcdf(tmp_path / "older.nc")
    found = v2g.verify(v2g.read(tmp_path / "older.nc"))
    assert found.problems == () and "the file has none" in found.sentence
    assert "checksum" in found.unchecked


def test_a_case_is_made_to_be_edited(path, tmp_path):
    """A case has no checksum. One that was cut out of a result is read, and it is said."""
    v2g.write(case(vehicle(), market([10.0, 20.0])), tmp_path / "case.nc")
    assert "checksum" not in xr.open_datatree(tmp_path / "case.nc").attrs
    tree = xr.load_datatree(path)
    groups = ("ledger", "audit", "price", "dual", "reduced_cost")
    tree.filter(lambda node: node.name not in groups).to_netcdf(tmp_path / "cut.nc")
    assert any("not as it was written" in note for note in v2g.check(v2g.read(tmp_path / "cut.nc")))


def test_written_again_it_has_a_checksum_of_its_own(path, tmp_path):
    """No signature: who changes a result and writes it stands for it."""
    tree = v2g.read(path)
    tree.attrs["title"] = "another"
    v2g.write(tree, tmp_path / "again.nc")
    assert v2g.read(tmp_path / "again.nc").attrs["title"] == "another"
