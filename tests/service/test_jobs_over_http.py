"""A real server, spoken to over HTTP: a job is the command of its name, and what is asked wrongly
is told with every problem.
"""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import xarray as xr
from cases import case, market, vehicle
from serving import ROOT, Server, processes_at_work

import v2g_linopy as v2g
from v2g_linopy.service.case_sources import TemplateParameter

CONTRACT = {"theta": [0.5, 1.5], "share": [0.5, 0.5], "wear": 0.01, "term": [3.0], "power": 11.0}
CONTRACT |= {"utility": "log", "scale": 0.2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three hours: 15 kWh are bought in the cheap one, which is the second, and 25 are sold on."""
    folder = tmp_path_factory.mktemp("service")
    car = vehicle(energy_min=[0.0, 0.0, 15.0], discharge_max=10.0)
    v2g.write(case({"ev": car}, market([30.0, 20.0, 60.0])), folder / "a.nc")
    return folder


@pytest.fixture(scope="module")
def server(folder) -> Iterator[Server]:
    server = Server(folder / "data", "--upload", "2", "--waiting", "3")
    yield server
    maps = Path(f"/proc/{server.process.pid}/maps")
    loaded = maps.read_text() if maps.exists() else ""
    assert server.end() == 0
    assert not re.findall(r"/(numpy|netCDF4|highspy|pandas)/", loaded)
    assert processes_at_work(server.data) == []


@pytest.fixture(scope="module")
def stored(server, folder) -> str:
    return server.stored_case(folder / "a.nc")


@pytest.fixture(scope="module")
def solved(server, stored) -> dict:
    job = server.ended(server.begin("solve", stored, options={"report": False}))
    assert job["state"] == "done", job
    return job


def test_a_job_has_the_result_of_the_command(server, folder, solved):
    """Every variable, and every attribute that does not say when, how long and by which words."""
    answer = server.ask("GET", f"/v1/jobs/{solved['id']}/results/result.nc")
    assert answer.status == 200
    (folder / "job.nc").write_bytes(answer.body)
    words = ["solve", "a.nc", "-o", "out", "--no-report", "-q"]
    line = [sys.executable, "-m", "v2g_linopy", *words]
    subprocess.run(line, cwd=folder, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    one, other = v2g.read(folder / "job.nc"), v2g.read(folder / "out" / "result.nc")
    assert set(one.groups) == set(other.groups)
    for group in one.groups:
        xr.testing.assert_identical(
            one[group].dataset.drop_attrs(), other[group].dataset.drop_attrs()
        )
    moments = {"history", "build_seconds", "solve_seconds"}
    for node in (one, other):
        node.attrs = {k: x for k, x in node.attrs.items() if k not in moments}
    assert one.attrs == other.attrs

    bought = float((-other["energy"]["position"]).clip(min=0).sum())
    arrays = server.ask("GET", f"/v1/jobs/{solved['id']}/results/arrays.json").json
    assert arrays["time"] == [1767571200 + 3600 * k for k in range(3)]  # 2026-01-05 00:00 UTC
    (line,) = arrays["charts"]["positions"]["lines"]
    assert sum(-x for x in line["values"] if x < 0) == pytest.approx(bought)
    kpi = server.ask("GET", f"/v1/jobs/{solved['id']}/results/kpi.json").json
    assert kpi["profit"] == pytest.approx(other.attrs["profit"])


def test_what_is_told_of_a_job(server, solved):
    """Its events from the beginning, for one who comes late: states, progress, log and the end."""
    text = server.ask("GET", f"/v1/jobs/{solved['id']}/events").body.decode()
    kinds = re.findall(r"^event: (\w+)$", text, re.MULTILINE)
    assert {"state", "progress", "log"} <= {*kinds} and kinds[-1] == "end"
    assert "Solving 1 fleet member" in text
    place = re.findall(r"^id: (.+)$", text, re.MULTILINE)[-1]
    again = server.ask("GET", f"/v1/jobs/{solved['id']}/events", headers={"Last-Event-ID": place})
    assert set(re.findall(r"^event: (\w+)$", again.body.decode(), re.MULTILINE)) == {"state", "end"}
    names = {x["name"] for x in server.ask("GET", f"/v1/jobs/{solved['id']}/results").json}
    files = {"result.nc", "schedule.csv", "bids.csv", "bill.csv", "kpi.json"}
    assert names == files | {"answer.json", "arrays.json"}


def test_a_request_that_is_sent_again_is_one_job(server, stored, solved):
    """The same key is the same job, also when it has ended; with other words it is refused."""
    key = {"Idempotency-Key": "monday"}
    body = {"kind": "menu", "options": CONTRACT}
    first, second = (server.ask("POST", "/v1/jobs", body, key) for _ in range(2))
    assert (first.status, second.status) == (201, 200)
    assert first.json["id"] == second.json["id"]
    other = server.ask("POST", "/v1/jobs", {"kind": "solve", "case": stored}, key)
    assert other.status == 409
    job = server.ended(first.json["id"])
    assert {"menu.nc", "menu.csv"} <= {x["name"] for x in job["results"]}
    assert server.ask("DELETE", f"/v1/jobs/{job['id']}").status == 204
    assert server.ask("GET", f"/v1/jobs/{job['id']}").status == 404


def test_cancelling_leaves_nothing_that_runs(server, stored):
    """At once after the request, while it runs, and while it waits; a job that waits goes on."""
    runs = server.begin("solve", stored)  # cancelled before its process has said anything
    waits = server.begin("solve", stored)
    for identity in (runs, waits):
        answer = server.ask("POST", f"/v1/jobs/{identity}/cancel")
        assert (answer.status, answer.json["state"]) == (200, "cancelled")
    assert processes_at_work(server.data) == []
    late = server.begin("solve", stored)
    next_ = server.begin("menu", None, options=CONTRACT)
    server.until(late, "running")
    assert server.ask("DELETE", f"/v1/cases/{stored}").status == 409
    assert server.ask("DELETE", f"/v1/jobs/{late}").status == 409
    while not server.job(late)["progress"]:  # its command has begun
        pass
    assert server.ask("POST", f"/v1/jobs/{late}/cancel").json["state"] == "cancelled"
    assert server.ask("POST", f"/v1/jobs/{late}/cancel").status == 409
    assert server.ended(next_)["state"] == "done"
    assert server.job(late)["results"] == []
    assert processes_at_work(server.data) == []


def problems(answer, status: int) -> list[str]:
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert {"type", "title", "status", "detail", "problems"} <= {*answer.json}
    return [f"{x['where']}: {x['detail']}" for x in answer.json["problems"]]


def test_bad_input_is_told_with_every_problem(server, stored, folder, tmp_path):
    """A case that does not fit, a file that is none, and words that no command knows."""
    car = vehicle(energy_max=-1.0, charge_max=-2.0)
    v2g.write(case({"ev": car}, market([30.0])), tmp_path / "bad.nc")
    for name, words in (("bad.nc", ("charge_max", "energy_max")), ("none.nc", ())):
        path = tmp_path / name
        path.write_bytes(path.read_bytes() if path.exists() else b"no netcdf")
        answer = server.ask("POST", "/v1/cases", {"source": "file", "file": server.upload(path)})
        said = " ".join(problems(answer, 422)) + answer.json["detail"]
        assert all(word in said for word in (*words, name)), said
        assert str(folder) not in said
    assert server.ask("GET", "/v1/cases").json[0]["id"] == stored  # nothing was kept

    wrong = {"kind": "solve", "case": stored, "options": {"gap": -1, "option": ["log_file=x"]}}
    assert len(problems(server.ask("POST", "/v1/jobs", wrong), 422)) == 2
    lost = {"kind": "solve", "case": "0" * 16}
    assert problems(server.ask("POST", "/v1/jobs", lost), 404) == []
    changed = {"kind": "solve", "case": stored, "options": {"set": ["fleet.wearr=1"]}}
    job = server.ended(server.ask("POST", "/v1/jobs", changed).json["id"])
    assert job["state"] == "failed" and "wearr" in job["error"]["detail"]
    assert problems(server.ask("GET", f"/v1/jobs/{job['id']}/results/result.nc"), 404) == []
    assert problems(server.ask("GET", "/v1/nothing"), 404) == []


def test_what_is_too_large_is_refused_however_it_is_sent(server):
    """With a length, and in chunks without one; the server goes on."""
    assert problems(server.ask("POST", "/v1/uploads?name=x", b"x" * 2_000_001), 413) == []
    assert server.ask("POST", "/v1/uploads?name=x", b"x" * 2_000_000).status == 201
    for path, size in (("/v1/uploads?name=y", 3_000_000), ("/v1/jobs", 1_500_000)):
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        head = {"Content-Type": "application/json"}
        line.request("POST", path, iter([b"x" * 100_000] * (size // 100_000)), head)
        answer = line.getresponse()
        assert (answer.status, json.loads(answer.read())["status"]) == (413, 413)
        line.close()
    assert not list((server.data / "files" / "arriving").iterdir())


def test_more_jobs_than_may_wait_are_refused(server, stored):
    begun = [server.begin("solve", stored)]
    server.until(begun[0], "running")
    begun += [server.begin("solve", stored) for _ in range(3)]
    answer = server.ask("POST", "/v1/jobs", {"kind": "solve", "case": stored})
    assert answer.status == 429 and int(answer.headers["retry-after"]) > 0
    for identity in reversed(begun):
        assert server.ask("POST", f"/v1/jobs/{identity}/cancel").status == 200


def test_templates_and_what_users_save(server):
    """Each parameter of a template is an option of `v2g new`, with the default of its generator."""
    found = {x["name"]: x for x in server.ask("GET", "/v1/templates").json["templates"]}
    pods = {p["name"]: p for p in found["portfolio"]["parameters"]}["pods"]
    assert (pods["default"], pods["low"], pods["type"]) == (10, 1, "integer")
    made = {"source": "template", "template": "site", "parameters": {"vehicles": 1, "days": 1}}
    answer = server.ask("POST", "/v1/cases", made | {"set": ["fleet.wear=0.125"]})
    assert answer.status == 201, answer.body
    summary = answer.json["summary"]
    assert (summary["steps"], summary["groups"]["fleet"]) == (24, {"fleet": 1})
    assert summary["end"] - summary["start"] == 24 * 3600
    offered = {p["name"] for x in found.values() for p in x["parameters"]}
    assert offered == {*get_args(TemplateParameter)}
    for name in ("log", "output", "force", "set"):  # options of the command that name files
        assert server.ask("POST", "/v1/cases", made | {"parameters": {name: "x"}}).status == 422
    wrong = made | {"parameters": {"pods": 2}}
    assert "--pods" in server.ask("POST", "/v1/cases", wrong).json["detail"]

    mine = {"name": "Monday ☀", "document": {"template": "site", "days": 2}}
    assert server.ask("POST", "/v1/configurations", mine).status == 201
    assert server.ask("POST", "/v1/configurations", mine).status == 409
    path = "/v1/configurations/Monday%20%E2%98%80"
    assert server.ask("PUT", path, {"days": 3}).status == 200
    assert server.ask("GET", path).json["document"] == {"days": 3}
    assert [x["name"] for x in server.ask("GET", "/v1/configurations").json] == ["Monday ☀"]
    assert [server.ask("DELETE", path).status for _ in range(2)] == [204, 404]


def test_no_other_site_and_no_other_name_gets_in(server):
    """A page of another site cannot begin a job through the browser of one who may, nor read one by
    a name that leads here.
    """
    strange = {"Origin": "http://elsewhere.example"}
    assert server.ask("POST", "/v1/jobs", {"kind": "menu"}, strange).status == 403
    assert server.ask("GET", "/v1/jobs", headers={"Host": "elsewhere.example"}).status == 403
    page = server.ask("GET", "/")
    policy = page.headers["content-security-policy"]
    assert page.status == 200 and "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.findall(rb"<script(?![^>]*src=)[^>]*>|\son\w+=|<style", page.body)
