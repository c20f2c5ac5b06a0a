"""A written plan recomputed from its file, and followed through activation signals."""

import json
import shutil
from pathlib import Path

import cases as by_hand
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import v2g_linopy as v2g


@pytest.fixture(scope="module")
def sold(tmp_path_factory):
    """A full battery of 10 kWh sells 10 kW upward for four hours, with no energy guaranteed: one
    hour can be called.
    """
    time = pd.date_range("2026-01-05", periods=4, freq="h", name="time")
    battery = {
        "charge_max": 10.0,
        "discharge_max": 10.0,
        "energy_max": 10.0,
        "energy_initial": 10.0,
    }
    lossless = {"eta_charge": 1.0, "eta_discharge": 1.0}
    groups = {
        "battery": xr.Dataset(
            {n: ("battery", [x]) for n, x in (battery | lossless).items()}, {"battery": ["box"]}
        ),
        "energy": xr.Dataset(
            {"price": (("market", "time"), [[50.0] * 4]), "limit": 0.0}, {"market": ["spot"]}
        ),
        "reserve": xr.Dataset(
            {
                "up": ("product", [1.0]),
                "down": ("product", [0.0]),
                "capacity_price": ("product", [20.0]),
            },
            {"product": ["fcr"]},
        ),
    }
    path = tmp_path_factory.mktemp("sold") / "result.nc"
    v2g.write(v2g.solve(v2g.assemble(time, groups)), path)
    return path


@pytest.fixture
def held(sold, tmp_path):
    """A copy of the result, which a test may change."""
    return Path(shutil.copy(sold, tmp_path))


def signals(path, up):
    """Write one signal, by step."""
    time = v2g.read(path).indexes["time"]
    array = xr.DataArray(
        [[up]], coords=[["one"], ["fcr"], time], dims=("signal", "product", "time")
    )
    xr.Dataset({"up": array, "down": 0 * array}).to_netcdf(path.parent / "calls.nc")
    return path.parent / "calls.nc"


def test_a_plan_passes_and_a_changed_one_does_not(run, held):
    """The bill and the physics are recomputed from the file; a changed number is named, with exit
    code 3.
    """
    assert "passed" in run("replay", held).stdout
    tree = v2g.read(held)
    tree["battery"] = tree["battery"].to_dataset().assign(energy=tree["battery"].energy - 1)
    v2g.write(tree, held, overwrite=True)
    refused = run("replay", held)
    assert refused.exit_code == 3
    assert "battery.balance" in refused.stderr


def test_calls_beyond_the_battery_are_not_delivered(run, held):
    """Called for two hours 20 kWh are asked and 10 delivered; the missing 10 kWh cost 5 EUR at 500
    EUR/MWh.
    """
    calls = signals(held, [1.0, 1.0, 0.0, 0.0])
    document = json.loads(
        run("replay", held, "--signals", calls, "--price", "500", "--json").stdout
    )
    (row,) = document["signals"]
    assert (row["called_up"], row["delivered_up"], row["penalty"]) == pytest.approx((20, 10, 5))
    assert row["violation_energy"] == pytest.approx(10)


def test_a_record_of_frequency_calls_by_the_droop(run, held):
    """At 49.7 Hz FCR-D is called by (49.9 - 49.7) / 0.4 = half: 5 kW for four hours, of which two
    are delivered.
    """
    tree = v2g.read(held)
    tree["reserve"] = (
        tree["reserve"]
        .to_dataset()[["up", "down", "capacity_price"]]
        .assign_coords(product=["FCR-D up"])
    )
    v2g.write(v2g.solve(tree), held, overwrite=True)
    stamps = pd.date_range("2026-01-05", periods=240, freq="min")
    record = held.parent / "record.csv"
    pd.DataFrame({"time": stamps, "frequency": 49.7}).to_csv(record, index=False)
    done = run("replay", held, "--frequency", record, "--json")
    assert done.exit_code == 9, "10 of 20 kWh are missing"
    (row,) = json.loads(done.stdout)["signals"]
    assert (row["signal"], row["called_up"], row["delivered_up"]) == (
        "record.csv",
        pytest.approx(20),
        pytest.approx(10),
    )


def test_the_path_of_each_signal_is_kept_if_asked():
    """Called at half for two hours and fully for one, 5 + 5 kWh are drawn, and then nothing is
    left.
    """
    time = pd.date_range("2026-01-05", periods=4, freq="h", name="time")
    battery = {
        "charge_max": 10.0,
        "discharge_max": 10.0,
        "energy_max": 10.0,
        "energy_initial": 10.0,
        "eta_discharge": 1.0,
    }
    groups = {
        "battery": xr.Dataset(
            {n: ("battery", [x]) for n, x in battery.items()}, {"battery": ["box"]}
        ),
        "energy": xr.Dataset(
            {"price": (("market", "time"), [[50.0] * 4]), "limit": 0.0}, {"market": ["spot"]}
        ),
        "reserve": xr.Dataset(
            {
                "up": ("product", [1.0]),
                "down": ("product", [0.0]),
                "capacity_price": ("product", [20.0]),
            },
            {"product": ["fcr"]},
        ),
    }
    result = v2g.solve(v2g.assemble(time, groups))
    call = xr.DataArray(
        [[[0.5, 0.5, 1.0, 0.0]]],
        coords=[["one"], ["fcr"], time],
        dims=("signal", "product", "time"),
    )
    found = v2g.stress(result, xr.Dataset({"up": call, "down": 0 * call}), paths=True)
    assert np.allclose(found["drawn"], [[5, 10, 10, 10]])
    assert "drawn" not in v2g.stress(result, xr.Dataset({"up": call, "down": 0 * call}))


def test_the_files_of_a_stress_test(run, held):
    """A table with a row per signal and product, and a picture; neither is overwritten without
    --force.
    """
    folder = held.parent / "stress"
    done = run("replay", held, "--random", "5", "--seed", "1", "-o", folder)
    assert done.exit_code == 0
    assert len(pd.read_csv(folder / "stress.csv")) == 5
    assert (folder / "stress.png").read_bytes().startswith(b"\x89PNG")
    assert run("replay", held, "--random", "5", "-o", folder).exit_code == 8
    marks = ("--csv-separator", ";", "--csv-decimal", ",")
    again = run("replay", held, "--random", "5", "-o", folder, "--force", *marks)
    assert again.exit_code == 0, again.output
    head, first, *_ = (folder / "stress.csv").read_text(encoding="utf-8-sig").splitlines()
    assert head.count(";") == first.count(";") > 0 and "." not in first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--random", "5", "--extreme"], "one kind of signals"),
        (["-o", "there"], "give signals"),
        (["--random", "0"], "random"),
    ],
)
def test_what_is_refused(run, held, words, said):
    """A wrong use is told in the words of the command, with exit code 2."""
    refused = run("replay", held, *words)
    assert refused.exit_code == 2
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("given", "hours", "calls", "said"),
    [
        (None, 0.0, [1.0, 1.0, 0.0, 0.0], "`expected` promises the mean activation alone"),
        ("endurance", 1.0, [1.0, 1.0, 0.0, 0.0], "`endurance` promises calls of hours_up"),
        ("endurance", 1.0, [1.0, 0.0, 0.0, 0.0], ""),
    ],
)
def test_what_the_guarantee_promises(run, held, given, hours, calls, said):
    """Two hours of calls ask for 20 of 10 kWh, which the plan does not promise: it is said why.
    One hour is there, and nothing is said.
    """
    tree = v2g.read(held)
    fields = tree["reserve"].to_dataset()[["up", "down", "capacity_price"]]
    fields["hours_up"] = ("product", [hours])
    if given is not None:
        fields["guarantee"] = given
    tree["reserve"] = fields
    v2g.write(v2g.solve(tree), held, overwrite=True)
    done = run("replay", held, "--signals", signals(held, calls))
    assert done.exit_code == (9 if said else 0), done.output
    assert "the plan itself: passed, worst" in done.stdout
    assert said in done.stdout
    assert ("the plan keeps its word" in done.stdout) == bool(said)


@pytest.mark.parametrize(("allowed", "code"), [(None, 9), (9.9, 9), (10.0, 0), (12.0, 0)])
def test_signals_that_cannot_be_followed_are_no_success(run, held, allowed, code):
    """20 kWh are called and 10 delivered: 10 are missing. Nothing says that it passed before that
    is said.
    """
    options = () if allowed is None else ("--max-missed", allowed)
    done = run("replay", held, "--signals", signals(held, [1.0, 1.0, 0.0, 0.0]), *options)
    assert done.exit_code == code, done.output
    first = done.stdout.splitlines()[0]
    assert ("can NOT be followed: 10.000 kWh are missing" in first) == (code == 9)
    assert "passed" not in first
    document = json.loads(
        run("replay", held, "--signals", held.parent / "calls.nc", *options, "--json").stdout
    )
    assert document["status"] == ("not followed" if code else "ok")
    assert document["missed_kWh"] == pytest.approx(10)


def test_an_allowance_that_calls_break_is_named(run, tmp_path):
    """A car holds 10 kW upward for two hours, and its owner allows 5 kWh: called in both, 20 kWh
    are delivered, 15 too many by the end of the second. One call of a quarter is within it.
    """
    car = by_hand.vehicle(charge_max=0.0, discharge_max=10.0, energy_initial=40.0, allowance=5.0)
    paid = by_hand.product(up=1, capacity_price=[10, 10])
    path = tmp_path / "result.nc"
    v2g.write(v2g.solve(by_hand.case(car, by_hand.market([0, 0]), {"fcr": paid})), path)
    done = run("replay", path, "--signals", signals(path, [1.0, 1.0]), "-o", tmp_path / "out")
    assert done.exit_code == 9
    assert "only beyond what owners allow" in done.stdout
    assert "at worst ev by 15.000 kWh at the end of the step of 2026-01-05 01:00" in done.stdout
    told = json.loads(run("replay", path, "--signals", path.parent / "calls.nc", "--json").stdout)
    assert told["status"] == "not followed" and told["allowance"].startswith("1 vehicle")
    (row,) = told["signals"]
    assert row["over_allowance"] == pytest.approx(15)
    assert run("replay", path, "--signals", signals(path, [0.25, 0.25])).exit_code == 0
