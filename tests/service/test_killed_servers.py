"""A server that is killed at any moment: no process goes on, no job is lost, none is done twice."""

import os
import random
import signal
import time
from contextlib import suppress

from hypothesis import settings
from serving import PATIENCE, Server, processes_at_work
from test_jobs_over_http import CONTRACT

KILLS = settings().max_examples // 15
"""None but what is asked for below, and twenty where many are drawn."""
A_MOMENT = 2.0
"""Seconds in which a process without its server is gone, on a busy machine."""


def gone(server: Server) -> bool:
    """Whether no process of a job is left, within a moment."""
    end = time.monotonic() + A_MOMENT
    while processes_at_work(server.data) and time.monotonic() < end:
        time.sleep(0.01)
    return not processes_at_work(server.data)


def test_a_server_that_is_killed_goes_on(tmp_path):
    """Killed at moments that are drawn, while jobs wait and run: what was asked is done once it
    runs again, with each file of a result once. What users saved is there.
    """
    rng = random.Random("servers")
    server = Server(tmp_path / "data")
    server.ask("PUT", "/v1/configurations/mine", {"days": 2})
    jobs = []
    for _ in range(max(2, KILLS)):
        jobs.append(server.begin("menu", None, options=CONTRACT))
        time.sleep(rng.uniform(0.0, 5.0))
        server.end(signal.SIGKILL)
        assert gone(server)
        server = Server(tmp_path / "data")
    jobs.append(server.begin("menu", None, options=CONTRACT))
    end = time.monotonic() + PATIENCE
    while not processes_at_work(server.data) and time.monotonic() < end:
        time.sleep(0.01)
    assert server.end(signal.SIGTERM) == 0  # one that is asked to end waits for no job
    assert gone(server)

    server = Server(tmp_path / "data")
    ended = [server.ended(job) for job in jobs]
    assert [job["state"] for job in ended] == ["done"] * len(jobs)
    for job in ended:
        names = [x["name"] for x in job["results"]]
        assert len(names) == len({*names}) and {"menu.nc", "menu.csv"} <= {*names}
        assert server.ask("GET", f"/v1/jobs/{job['id']}/results/menu.nc").status == 200
    assert server.ask("GET", "/v1/configurations/mine").json["document"] == {"days": 2}
    assert sorted(x["id"] for x in server.ask("GET", "/v1/jobs").json) == sorted(jobs)
    assert server.end() == 0


def test_processes_that_are_killed_lose_no_job(tmp_path):
    """At moments that are drawn: another process does the job again, with each file once."""
    rng = random.Random("processes")
    server = Server(tmp_path / "data")
    for _ in range(max(1, KILLS)):
        job = server.begin("menu", None, options=CONTRACT)
        server.until(job, "running", "done")
        time.sleep(rng.uniform(0.0, 3.0))
        for process in processes_at_work(server.data):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        ended = server.ended(job)
        assert ended["state"] == "done" and ended["attempt"] <= 2
        names = [x["name"] for x in ended["results"]]
        assert len(names) == len({*names}) and {"menu.nc", "menu.csv"} <= {*names}
    assert server.end() == 0
