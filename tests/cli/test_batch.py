"""`v2g batch`: a study from its file to its page, as an array job, and after a kill."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr
from cases import case, market, vehicle
from hypothesis import settings

import v2g_linopy as v2g

STUDY = """
title = "two prices"
case = "car.nc"
[grid]
"energy.price.scale" = [1.0, 2.0]
"fleet.energy_min" = [{needs}]
"""


@pytest.fixture
def study_file(tmp_path):
    """Two prices and some needs; the first of two hours is the cheaper one."""

    def make(needs="10.0"):
        car = vehicle(energy_min=[0.0, 0.0], unserved_cost=float("nan"))
        if not (tmp_path / "car.nc").exists():  # a file written anew is another one
            v2g.write(case({"ev": car}, market([20.0, 30.0])), tmp_path / "car.nc")
        path = tmp_path / "prices.toml"
        path.write_text(STUDY.replace("{needs}", needs))
        return path

    return make


def test_a_study_and_its_page(run, study_file, tmp_path):
    """10 kWh at 20 EUR/MWh, and at twice the price; 30 kWh cannot be had in an hour of 10 kW."""
    out = tmp_path / "out"
    done = run("batch", study_file(), "-o", out, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["ended"] == {"optimal": 2} and document["done_before"] == 0
    assert set(document["files"]) == {"study.nc", "study.csv", "cases.csv", "study.html"}
    page = (out / "study.html").read_text()
    assert "two prices" in page and "2 cases: 2 optimal." in page
    assert "The best earns \N{MINUS SIGN}0.20 EUR, the worst \N{MINUS SIGN}0.40" in page

    again = run("batch", study_file("10.0, 30.0"), "-o", out)
    assert again.exit_code == 7
    assert "4 cases: 2 infeasible, 2 optimal\n  2 of them done before" in again.stdout
    assert v2g.open_study(out).profit.count() == 2


def test_the_table_first(run, study_file, tmp_path):
    done = run("batch", study_file("5.0, 10.0"), "-o", tmp_path / "out", "--dry-run")
    assert done.exit_code == 0 and not (tmp_path / "out").exists()
    assert "4 cases to solve in" in done.stdout and "fleet.energy_min" in done.stdout


def test_an_array_job(run, study_file, tmp_path):
    """The script that slurm is given, run as slurm would, once for each case."""
    path, out = study_file(), tmp_path / "out"
    script = run("batch", path, "-o", out, "--emit", "slurm").stdout
    assert "#SBATCH --array=0-1" in script
    for index in range(2):
        words = [sys.executable, "-m", "v2g_linopy"]
        one = f'v2g() {{ {" ".join(words)} "$@"; }}\n{script}'
        place = os.environ | {"SLURM_ARRAY_TASK_ID": str(index)}
        job = subprocess.run(["bash", "-c", one], env=place, capture_output=True, text=True)
        assert job.returncode == 0, job.stderr
    together = run("batch", path, "-o", out, "--no-report", "--json")
    assert json.loads(together.stdout)["done_before"] == 2
    assert run("batch", path, "-o", out, "--index", 2).exit_code == 2
    assert "is done already" in run("batch", path, "-o", out, "--index", 1).stdout
    snakes = run("batch", path, "-o", out, "--emit", "snakemake").stdout
    assert "range(2)" in snakes and "{wildcards.index}" in snakes


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--executor", "ray"], "'ray' is not among local, dask"),
        (["--address", "tcp://x:1"], "is of use only with --executor dask"),
        (["--emit", "pbs"], "'pbs' is not among slurm, snakemake"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_words_that_are_wrong(run, study_file, words, told):
    done = run("batch", study_file(), *words)
    assert done.exit_code == 2 and told in done.stderr


def test_a_study_that_is_killed_goes_on(study_file, tmp_path):
    """The whole process is killed; the same command runs what is missing, and finds the same."""
    kills = 10 if settings().max_examples >= 100 else 1
    path = study_file(", ".join(str(float(k)) for k in range(1, 6)))
    words = [sys.executable, "-m", "v2g_linopy", "batch", str(path), "--jobs", "2", "--no-report"]

    def started(out: Path) -> subprocess.Popen:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([*words, "-o", str(out)], **quiet)

    begin = time.perf_counter()
    assert started(tmp_path / "whole").wait() == 0
    seconds = time.perf_counter() - begin
    whole, rng = v2g.open_study(tmp_path / "whole"), random.Random(5)
    for k in range(kills):
        out = tmp_path / f"cut-{k}"
        process = started(out)
        time.sleep((0.4 + 0.6 * rng.random()) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = len(list(out.glob("car-*.json")))
        study = v2g.read_study(path)
        ran = []
        again = v2g.run_study(study, out, progress=lambda o, *_, ran=ran: ran.append(o.name))
        assert len(ran) <= len(study) - done
        xr.testing.assert_identical(again.found.drop_vars("seconds"), whole.drop_vars("seconds"))
