"""What is written comes back: whole or not at all, equal, and good for another solve."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from cases import case, market, product, vehicle

import v2g_linopy as v2g

CAN_WRITE_ANYWHERE = hasattr(os, "geteuid") and os.geteuid() == 0


def depot(**attrs: str) -> xr.DataTree:
    """A case with units, labels, missing values, an infinite limit, scenarios and sessions."""
    fleet = {
        "ev-1": vehicle(energy_min=[0.0, 0, 5], unserved_cost=np.nan, pod="north"),
        "ev-2": vehicle(discharge_max=5, unserved_cost=2.0, pod="south"),
    }
    up = product(
        up=1, capacity_price=5, volume_max=np.inf, guarantee="endurance", settlement="day_ahead"
    )
    weights = {"calm": 0.75, "windy": 0.25}
    prices = {"calm": [30.0, 20, 60], "windy": [10.0, 5, 20]}
    tree = case(
        fleet,
        {"day_ahead": market(prices)},
        {"up": up},
        scenarios=weights,
        timezone="Europe/Rome",
        **attrs,
    )
    stays = {
        "arrival": pd.to_datetime(["2026-01-05 00:10", "2026-01-05 01:00"]),
        "departure": pd.to_datetime(["2026-01-05 02:50"] * 2),
    }
    sessions = xr.Dataset({k: ("session", v) for k, v in stays.items()}, coords={"session": [0, 1]})
    tree["sessions"] = sessions.assign(energy_need=("session", [5.0, 0.0], {"units": "kWh"}))
    for name in ("charge_max", "energy_max"):
        tree["fleet"][name].attrs["units"] = {"charge_max": "kW", "energy_max": "kWh"}[name]
    return tree


@pytest.fixture(scope="module")
def result() -> xr.DataTree:
    return v2g.solve(depot())


def saved(tree: xr.DataTree, path: Path) -> xr.DataTree:
    v2g.write(tree, path)
    return v2g.read(path)


def assert_same(a: xr.DataTree, b: xr.DataTree) -> None:
    """Same groups, numbers, labels, units and attributes."""
    xr.testing.assert_equal(a, b)
    assert {n.path for n in a.subtree} == {n.path for n in b.subtree}
    for node in a.subtree:
        other = b[node.path]
        assert set(node.attrs) == set(other.attrs)
        for key, value in node.attrs.items():
            assert np.array_equal(np.asarray(value), np.asarray(other.attrs[key])), key
        for name, array in node.data_vars.items():
            assert array.attrs == other[name].attrs, name


def test_a_case_comes_back(tmp_path: Path):
    """Groups, labels, NaN, infinity, sessions, units, attributes: as they were."""
    tree = depot()
    assert_same(tree, saved(tree, tmp_path / "case.nc"))


def test_a_result_comes_back(tmp_path: Path, result: xr.DataTree):
    """Inputs, plan, ledger, prices, duals, audit: as they were."""
    assert_same(result, saved(result, tmp_path / "result.nc"))


def test_twice_is_once(tmp_path: Path):
    """Reading and writing again changes nothing more."""
    once = saved(depot(), tmp_path / "once.nc")
    assert_same(once, saved(once, tmp_path / "twice.nc"))


def test_inputs_of_a_result_are_verbatim(result: xr.DataTree):
    """A result holds the inputs of its case, in their units, unchanged."""
    for name, node in depot().children.items():
        for field, array in node.data_vars.items():
            xr.testing.assert_identical(array, result[name][field])


def test_units_are_kept(tmp_path: Path):
    """A file in MW stays in MW; only the model inside speaks kW."""
    tree = depot()
    tree["fleet"] = (
        tree["fleet"].to_dataset().assign(charge_max=xr.DataArray(0.01, attrs={"units": "MW"}))
    )
    back = saved(v2g.solve(tree), tmp_path / "result.nc")
    assert back["fleet"].charge_max.attrs["units"] == "MW"
    assert float(back["fleet"].charge_max) == 0.01
    assert back["fleet"].charge.attrs["units"] == "kW"


def test_every_output_has_units_and_a_name(result: xr.DataTree):
    """Every number of a result says what it is."""
    for part in v2g.PARTS.values():
        if part.name in result.children:
            for field in part.schema.outputs:
                for name, array in result[part.name].data_vars.items():
                    if field.names(name):
                        assert {"units", "long_name"} <= set(array.attrs), f"{part.name}.{name}"


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_time_is_stored_as_seconds(tmp_path: Path, unit: str):
    """Whatever pandas holds in memory, the file has int64 seconds since 1970, so that every reader
    agrees.
    """
    time = pd.date_range("2026-01-05", periods=3, freq="15min", unit=unit)
    v2g.write(
        v2g.assemble(time, {"energy": xr.Dataset({"price": 1.0, "limit": 1.0})}),
        tmp_path / "case.nc",
    )
    with netCDF4.Dataset(tmp_path / "case.nc") as file:
        stored = file["time"]
        assert stored.dtype == np.int64
        assert stored.units == "seconds since 1970-01-01"
        assert stored[:].tolist() == [1767571200, 1767572100, 1767573000]
    assert (v2g.read(tmp_path / "case.nc")["time"].to_index() == time).all()


def test_a_result_is_solved_again_from_its_own_file(tmp_path: Path, result: xr.DataTree):
    """The file of a result is a case: the same objective, the same groups, nothing doubled."""
    back = saved(result, tmp_path / "result.nc")
    again = v2g.solve(back)
    assert again.attrs["objective"] == pytest.approx(result.attrs["objective"], rel=1e-12)
    assert again.attrs["case_hash"] == result.attrs["case_hash"]
    assert set(again.children) == set(result.children)
    for name in result.children:
        assert set(again[name].data_vars) == set(result[name].data_vars)


def case_hash(tree: xr.DataTree) -> str:
    return v2g.solve(tree, audit=False).attrs["case_hash"]


def test_case_hash_is_of_the_case(tmp_path: Path):
    """Units, order of dimensions and variables, number types, file or memory: the same case, the
    same hash.
    """
    reference, other = depot(), depot()
    fleet, energy = other["fleet"].to_dataset(), other["energy"].to_dataset()
    fleet["charge_max"] = (fleet["charge_max"] / 1000).assign_attrs(units="MW")
    fleet["energy_max"] = fleet["energy_max"].astype("int16").assign_attrs(units="kWh")
    fleet["energy_min"] = fleet["energy_min"].transpose("time", "fleet").astype("float32")
    energy["price"] = (energy["price"] / 10).assign_attrs(units="ct/kWh").transpose()
    other["fleet"], other["energy"] = (
        fleet[sorted(fleet.data_vars)],
        energy[sorted(energy.data_vars)],
    )
    assert case_hash(saved(other, tmp_path / "case.nc")) == case_hash(reference)


def test_case_hash_survives_prices_that_binary_cannot_hold():
    """7.2 kW and 52.37 EUR/MWh are 0.0072 MW and 0.05237 EUR/kWh, to the last digit or the one
    before it.
    """
    numbers = np.random.default_rng(1).uniform(0.1, 99, 500).round(2)

    def tree(power: float, power_unit: str, price: np.ndarray, price_unit: str) -> xr.DataTree:
        made = case(vehicle(), market(price))
        fleet, energy = made["fleet"].to_dataset(), made["energy"].to_dataset()
        made["fleet"] = fleet.assign(charge_max=xr.DataArray(power, attrs={"units": power_unit}))
        made["energy"] = energy.assign(price=energy["price"].assign_attrs(units=price_unit))
        return made

    assert case_hash(tree(7.2, "kW", numbers, "EUR/MWh")) == case_hash(
        tree(0.0072, "MW", numbers / 1000, "EUR/kWh")
    )


def other_probability(tree: xr.DataTree) -> None:
    tree["probability"] = tree["probability"].copy(data=[0.5, 0.5])


def other_zone(tree: xr.DataTree) -> None:
    tree.attrs["timezone"] = "UTC"


def other_price(tree: xr.DataTree) -> None:
    tree["energy"] = tree["energy"].to_dataset() + 1


@pytest.mark.parametrize("change", [other_probability, other_zone, other_price])
def test_case_hash_tells_cases_apart(change):
    """What can change the plan changes the hash: a price, a probability, the clock that market
    blocks follow.
    """
    tree = depot()
    change(tree)
    assert case_hash(tree) != case_hash(depot())


def test_case_hash_knows_the_length_of_a_single_step():
    hour, quarter = (case(vehicle(), market([20.0]), step=step) for step in ("1h", "15min"))
    assert case_hash(hour) != case_hash(quarter)


def nothing_else_in(folder: Path, *names: str) -> bool:
    return sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_an_existing_file_is_not_replaced(tmp_path: Path):
    """Without `overwrite` the old file stays, byte for byte; with it the new one takes its
    place.
    """
    path = tmp_path / "case.nc"
    path.write_bytes(b"precious")
    with pytest.raises(v2g.OutputError, match="exists already") as caught:
        v2g.write(depot(), path)
    assert caught.value.exit_code == 8
    assert path.read_bytes() == b"precious"
    tree = depot()
    v2g.write(tree, path, overwrite=True)
    assert_same(tree, v2g.read(path))
    assert nothing_else_in(tmp_path, "case.nc")


def test_folders_on_the_way_are_made(tmp_path: Path):
    v2g.write(depot(), tmp_path / "new" / "deep" / "case.nc")
    assert nothing_else_in(tmp_path / "new" / "deep", "case.nc")


def test_a_directory_is_not_a_file(tmp_path: Path):
    for overwrite in (False, True):
        with pytest.raises(v2g.OutputError, match="is a directory"):
            v2g.write(depot(), tmp_path, overwrite=overwrite)


def test_a_file_is_not_a_folder(tmp_path: Path):
    """A path through a file cannot be written, and says so."""
    (tmp_path / "case.nc").write_bytes(b"precious")
    with pytest.raises(v2g.OutputError, match="cannot write"):
        v2g.write(depot(), tmp_path / "case.nc" / "result.nc")
    assert (tmp_path / "case.nc").read_bytes() == b"precious"


@pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to"
)
def test_a_folder_that_nobody_can_write_to():
    with pytest.raises(v2g.OutputError, match="cannot write"):
        v2g.write(depot(), Path("/proc/self/case.nc"))


@pytest.mark.skipif(CAN_WRITE_ANYWHERE, reason="the administrator may write anywhere")
def test_a_folder_without_permission(tmp_path: Path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(v2g.OutputError, match="cannot write"):
        v2g.write(depot(), locked / "case.nc")


GROWING = """
import resource, sys
import numpy as np, pandas as pd, xarray as xr
import v2g_linopy as v2g
from v2g_linopy.case.io import atomic

path, what, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
time = pd.date_range("2026-01-05", periods=20_000, freq="h")
values = np.random.default_rng(0).uniform(size=20_000)
price = xr.DataArray(values, coords={"time": time}, dims="time")
tree = v2g.assemble(time, {"energy": xr.Dataset({"price": price, "limit": 1.0})})
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    if what == "case":
        v2g.write(tree, path, overwrite=True)
    else:
        with atomic(path, overwrite=True) as file:
            file.write_text("x" * 160_000)
except v2g.OutputError as error:
    print(error.exit_code, error)
"""


@pytest.mark.parametrize("what", ["case", "text"])
def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path, what: str):
    """Beyond 40 kB the system refuses: the message says so with the path, the old file is whole, no
    half is left.

    The same words for a case, of which the NetCDF library would only say "HDF error", as for a
    text."""
    path = tmp_path / "case.nc"
    path.write_bytes(b"precious")
    done = subprocess.run(
        [sys.executable, "-c", GROWING, path, what, "40000"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    words = f"8 cannot write {path}: the file would be larger than this system allows (ulimit -f)\n"
    assert (done.stdout, done.stderr, done.returncode) == (words, "", 0)
    assert path.read_bytes() == b"precious"
    assert nothing_else_in(tmp_path, "case.nc")


def own_disk(kilobytes: int, folder: Path, *command: object) -> subprocess.CompletedProcess:
    """Run a command that has a small disk of its own at `folder`, and list what stands on it in the
    end.
    """
    shell = (
        'mount -t tmpfs -o size="$1"k tmpfs "$2" && cd "$2" && echo precious > case.nc && shift 2'
        ' && "$@"; ls -A .'
    )
    words = ["unshare", "-rm", "sh", "-c", shell, "sh", kilobytes, folder, *command]
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, timeout=120
    )


def has_disks() -> bool:
    """Whether this system lets a process mount a disk that only it sees."""
    if shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        return own_disk(64, Path(folder), "true").stdout == "case.nc\n"


@pytest.mark.skipif(not has_disks(), reason="needs a disk of its own (unshare, tmpfs)")
@pytest.mark.parametrize("what", ["case", "text"])
def test_a_full_disk_is_called_a_full_disk(tmp_path: Path, what: str):
    """A disk of 64 kB: the message says that it is full, with the path, and nothing but the old
    file is on it.
    """
    path = tmp_path / "case.nc"
    done = own_disk(64, tmp_path, sys.executable, "-c", GROWING, path, what, 0)
    assert done.stdout == f"8 cannot write {path}: the disk is full\ncase.nc\n"
    assert done.stderr == ""


def test_a_pipe_is_no_file(tmp_path: Path):
    """Nor is a device: it would be replaced by a file of that name."""
    os.mkfifo(tmp_path / "pipe")
    for overwrite in (False, True):
        with pytest.raises(v2g.OutputError, match="is no file"):
            v2g.write(depot(), tmp_path / "pipe", overwrite=overwrite)
    assert (tmp_path / "pipe").is_fifo()


def test_time_stamps_with_a_unit_are_written(tmp_path: Path):
    """An attribute `units` of the time axis, as other programs leave it: what counts is that of the
    file, and the stamps come back. Found by damaging fields: it was an error of xarray.
    """
    tree, time = depot(), depot().to_dataset().indexes["time"]
    tree["time"] = tree["time"].assign_attrs(units="hours", calendar="standard")
    v2g.write(tree, tmp_path / "case.nc")
    assert v2g.read(tmp_path / "case.nc").to_dataset().indexes["time"].equals(time)
    assert tree["time"].attrs["units"] == "hours"
