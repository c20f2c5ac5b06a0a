"""A server of the service as tests use it: a process of its own, spoken to over HTTP."""

import atexit
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0


class Answer:
    """Status, headers and body of an answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """A server that runs until it is ended.

    Parameters
    ----------
    data : Path
        Its folder.
    *words : str
        Options of `v2g serve`.
    """

    def __init__(self, data: Path, *words: str, env: dict[str, str] | None = None):
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        line = [sys.executable, "-m", "v2g_linopy", "serve", "--port", "0", "--data", str(data)]
        with self.log.open("ab") as log:
            place = log.tell()
            self.process = subprocess.Popen(
                [*line, *words],
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=data.parent,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
            )
        atexit.register(self.process.kill)  # of a test that failed
        self.token = (env or {}).get("V2G_TOKEN")
        self.port = self._port(place)

    def _port(self, place: int) -> int:
        for _ in range(int(PATIENCE / 0.05)):
            text = self.log.read_bytes()[place:].decode()
            if '"ready"' in text:
                return int(re.search(r'"port": (\d+)', text)[1])  # type: ignore[index]
            assert self.process.poll() is None, text
            time.sleep(0.05)
        raise AssertionError(f"not ready: {text}")

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request; a body that is no bytes goes as JSON."""
        told = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None and not isinstance(body, bytes):
            body, told["Content-Type"] = json.dumps(body).encode(), "application/json"
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            line.request(method, path, body, told | (headers or {}))
            answer = line.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            line.close()

    def upload(self, path: Path) -> str:
        """Upload a file; its identity."""
        answer = self.ask("POST", f"/v1/uploads?name={path.name}", path.read_bytes())
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def stored_case(self, path: Path) -> str:
        """Upload a case; its identity."""
        answer = self.ask("POST", "/v1/cases", {"source": "file", "file": self.upload(path)})
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def begin(self, kind: str, case: str, **more: Any) -> str:
        """Begin a job; its identity."""
        answer = self.ask("POST", "/v1/jobs", {"kind": kind, "case": case, **more})
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def job(self, identity: str) -> Any:
        return self.ask("GET", f"/v1/jobs/{identity}").json

    def ended(self, identity: str) -> Any:
        """The job, when it has ended."""
        return self.until(identity, "done", "failed", "cancelled")

    def until(self, identity: str, *states: str) -> Any:
        """The job, when it is in one of these states."""
        end = time.monotonic() + PATIENCE
        while (job := self.job(identity))["state"] not in states:
            assert time.monotonic() < end, job
            time.sleep(0.05)
        return job

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the server; what it returned."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def processes_at_work(data: Path) -> list[int]:
    """Processes of jobs whose folder is in that of a server (Linux)."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                if Path(os.readlink(place / "cwd")).is_relative_to(data.resolve()):
                    found.append(int(place.name))
            except OSError:
                continue
    return found
