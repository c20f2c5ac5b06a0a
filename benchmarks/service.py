"""The service under load: `python -m benchmarks.service` prints the figures of docs/service.md.

How much CPU time it takes to be ready, how long cancelling takes in every phase of a job, whether
lists of jobs are answered while a job runs, and how long stop and restart take."""

import argparse
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300.0
MOST_CPU, LONGEST_CANCEL = 5.0, 2.0
"""Gates: CPU seconds until ready, seconds until a job is cancelled."""
EVERY_JOB = {"source": "template", "template": "commuters"}


class Served:
    """A server of its own, and requests to it."""

    def __init__(self, folder: Path):
        self.log = folder / "log"
        words = ["-m", "v2g_linopy", "serve", "--port", "0", "--data", str(folder / "data")]
        path = {"PYTHONPATH": str(ROOT)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *words], stderr=log, env=os.environ | path
            )
        while not (found := re.search(r'"port": (\d+)(?s:.*)"ready"', self.log.read_text())):
            if self.process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            time.sleep(0.01)
        self.port = int(found[1])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; its document."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = None if body is None else json.dumps(body).encode()
        line.request(method, path, data, {"Content-Type": "application/json"})
        answer = line.getresponse()
        text = answer.read()
        line.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def case(self, vehicles: int, days: int) -> str:
        """A case of commuters."""
        made = EVERY_JOB | {"parameters": {"vehicles": vehicles, "days": days}}
        return str(self.ask("POST", "/v1/cases", made)["id"])

    def begin(self, case: str) -> str:
        """A job that solves it, and draws its report."""
        return str(self.ask("POST", "/v1/jobs", {"kind": "solve", "case": case})["id"])

    def cpu(self) -> float:
        """CPU seconds of its process so far (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> float:
        """End it; seconds until it was gone."""
        start = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(PATIENCE):
            raise RuntimeError(self.log.read_text())
        return time.perf_counter() - start


@contextmanager
def served() -> Iterator[Served]:
    """A server in a folder that is removed."""
    with tempfile.TemporaryDirectory() as folder:
        server = Served(Path(folder))
        try:
            yield server
        finally:
            server.process.kill()
            server.process.wait()


def until_ready() -> float:
    """CPU seconds of a server's process until it is ready."""
    with served() as server:
        server.ask("GET", "/readyz")
        return server.cpu()


def cancelled_by_phase(server: Served, case: str, rounds: int) -> dict[str, list[float]]:
    """Seconds from the request to cancel until it is answered, when nothing runs any more."""
    phases = {"at once": "", "reading": "started", "solving": "solving", "writing": "Writing"}
    found: dict[str, list[float]] = {phase: [] for phase in phases}
    for _ in range(rounds):
        for phase, words in phases.items():
            job = server.begin(case)
            while words and not reached(server.ask("GET", f"/v1/jobs/{job}"), words):
                time.sleep(0.005)
            start = time.perf_counter()
            answer = server.ask("POST", f"/v1/jobs/{job}/cancel")
            found[phase].append(time.perf_counter() - start)
            assert answer["state"] == "cancelled"
    return found


def reached(job: dict[str, Any], words: str) -> bool:
    """Whether a job is in a phase."""
    if job["state"] in ("done", "failed"):
        raise RuntimeError(f"the job was faster than the phase {words!r}")
    if words == "started":
        return bool(job["state"] == "running")
    return words in (job["progress"] or {}).get("words", "")


def under_load(server: Served, requests: int, a_second: float) -> list[float]:
    """Seconds that each of many lists of jobs takes, sent at a fixed pace."""
    taken = [0.0] * requests
    wrong: list[Exception] = []
    begin = time.perf_counter()

    def ask(k: int) -> None:
        start = time.perf_counter()
        try:
            server.ask("GET", "/v1/jobs")
        except Exception as error:  # counted, and raised below
            wrong.append(error)
        taken[k] = time.perf_counter() - start

    threads = []
    for k in range(requests):
        time.sleep(max(0.0, begin + k / a_second - time.perf_counter()))
        threads.append(threading.Thread(target=ask, args=(k,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {requests} requests failed: {wrong[0]}")
    return taken


def main(words: Sequence[str] | None = None) -> None:
    """Print every figure; a gate that does not hold ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--pace", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args(words)
    cpu = median(until_ready() for _ in range(told.rounds))
    print(f"ready after {cpu:.2f} s of CPU time")
    assert cpu <= MOST_CPU
    with tempfile.TemporaryDirectory() as name:
        server = Served(Path(name))
        case = server.case(100, 30)
        for phase, times in cancelled_by_phase(server, case, told.rounds).items():
            print(f"cancelled {phase}: {median(times):.3f} s, at most {max(times):.3f} s")
            assert max(times) <= LONGEST_CANCEL
        jobs = [server.begin(case) for _ in range(3)]
        before = server.cpu()
        taken = under_load(server, told.requests, told.pace)
        states = [server.ask("GET", f"/v1/jobs/{job}")["state"] for job in jobs]
        share = (server.cpu() - before) / (told.requests / told.pace)
        print(
            f"{told.requests} lists of jobs at {told.pace:g} a second, no error: median"
            f" {1000 * median(taken):.1f} ms, 99 % within {1000 * quantiles(taken, n=100)[98]:.0f}"
            f" ms, {share:.0%} of a core; the jobs meanwhile: {', '.join(states)}"
        )
        jobs.append(server.begin(case))
        print(f"stopped after {server.end():.2f} s, with a job that ran")
        start = time.perf_counter()
        server = Served(Path(name))
        print(f"started again after {time.perf_counter() - start:.2f} s")
        while server.ask("GET", f"/v1/jobs/{jobs[-1]}")["state"] in ("queued", "running"):
            time.sleep(0.1)
        states = [server.ask("GET", f"/v1/jobs/{job}")["state"] for job in jobs]
        print(f"and the jobs: {', '.join(states)}")
        server.end()


if __name__ == "__main__":
    main()
