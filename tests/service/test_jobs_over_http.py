"""A real server, spoken to over HTTP: a job's result is that of the command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr
from cases import case, market, vehicle
from serving import ROOT, Server

import v2g_linopy as v2g


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    car = vehicle(energy_min=[0.0, 0.0, 15.0], discharge_max=10.0)
    v2g.write(case({"ev": car}, market([30.0, 20.0, 60.0])), folder / "a.nc")
    return folder


@pytest.fixture(scope="module")
def server(folder) -> Iterator[Server]:
    server = Server(folder / "data")
    yield server
    assert server.end() == 0


def test_a_job_has_the_result_of_the_command(server, folder):
    """Every variable and every attribute of `result.nc` but times and history."""
    job = server.ended(server.begin("solve", server.stored_case(folder / "a.nc")))
    assert job["state"] == "done", job
    answer = server.ask("GET", f"/v1/jobs/{job['id']}/results/result.nc")
    (folder / "job.nc").write_bytes(answer.body)
    words = [sys.executable, "-m", "v2g_linopy", "solve", "a.nc", "-o", "out", "--no-report"]
    subprocess.run(words, cwd=folder, check=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"})
    one, other = v2g.read(folder / "job.nc"), v2g.read(folder / "out" / "result.nc")
    assert set(one.groups) == set(other.groups)
    for group in one.groups:
        xr.testing.assert_equal(one[group].to_dataset(), other[group].to_dataset())
    assert one.attrs["objective"] == other.attrs["objective"]

    arrays = server.ask("GET", f"/v1/jobs/{job['id']}/results/arrays.json").json
    lines = arrays["charts"]["positions"]["lines"]
    position = other["energy"]["position"].sel(market=lines[0]["label"]).to_numpy()
    assert lines[0]["values"] == pytest.approx(position)
    assert json.loads(server.ask("GET", f"/v1/jobs/{job['id']}/results/kpi.json").body)["profit"]
