"""The jobs of a server, each in a process: begun in order, ended at once where that is asked for.

Whatever is killed, the server or a process, no job is lost and none is done twice: a row says
`running` before its process starts, what a process found is one file that is written last, and a
server that starts looks at every row that says `running`. A process does not outlive its server."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .case_sources import names_of_files
from .database import Database
from .file_store import FileStore
from .job_kinds import KINDS
from .problem_documents import problem_document, problems_of
from .settings import Settings

MOST_DEATHS = 3
"""Processes that a job may lose to others (a kill, a lack of memory) before it is given up."""
EXIT_WORDS = {
    2: "an option cannot be used",
    3: "the input is invalid",
    4: "no plan keeps every limit",
    5: "the solver is missing or failed",
    8: "the result cannot be written, or memory is used up",
}
KILLED = -9
"""What a process returns that SIGKILL has ended."""
LOG = "log.txt"
"""What the command of a job has said."""
_ATTEMPT, _PROGRESS = "{:d}", "progress.jsonl"
_ANSWERS = 1_000_000  # bytes of an answer that are read for its problems
_LAST = 4000  # bytes in which the last line of the progress stands


@dataclass
class Ending:
    """How a process ended.

    Parameters
    ----------
    code : int or None
        Of its command; None where it left none.
    returned : int or None
        Of the process, negative where a signal ended it; None where it is not known.
    files : mapping
        Hash and size of what it wrote, by name.
    answer : bytes
        What its command printed.
    stopped : bool
        Whether it was ended because it took too long.
    """

    code: int | None = None
    returned: int | None = None
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    answer: bytes = b""
    stopped: bool = False


class Processes:
    """Processes of a server that run commands in folders of their own.

    Parameters
    ----------
    settings : Settings
        Limits of each.
    store : FileStore
        Where what they wrote is kept.
    """

    def __init__(self, settings: Settings, store: FileStore):
        self._settings, self._store = settings, store
        self.active = 0

    async def run(
        self,
        folder: Path,
        words: Sequence[str],
        needs: Sequence[str],
    ) -> Ending:
        """Run a command in a folder, and tell how it ended. What it is told stands in the folder.

        Being cancelled ends the process, and comes back when it is gone.
        """
        told = folder / ".job"
        told.mkdir(exist_ok=True)
        (folder / "out").mkdir(exist_ok=True)
        order = {
            "parent": os.getpid(),
            "memory_mb": self._settings.memory_mb,
            "words": list(words),
            "needs": list(needs),
            "store": str(self._store.folder.resolve()),
            "progress": str((folder.parent / _PROGRESS).resolve()),
        }
        (told / "order.json").write_text(json.dumps(order), encoding="utf-8")
        stopped = False
        start = asyncio.ensure_future(self._start(folder))
        self.active += 1
        try:
            process = await asyncio.shield(start)
            await asyncio.wait_for(process.wait(), self._settings.time_limit)
        except TimeoutError:
            stopped = True
        finally:
            process = await start  # one that was cancelled while it started is ended as well
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            self.active -= 1
        return ending_of(folder, process.returncode, stopped)

    async def _start(self, folder: Path) -> asyncio.subprocess.Process:
        answer = (folder / ".job" / "answer.json").open("wb")
        with answer, (folder.parent / LOG).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", f"{__package__}.job_process", ".job/order.json"),
                cwd=folder,
                stdin=asyncio.subprocess.PIPE,  # closed when this process is gone
                stdout=answer,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the server is not one at the job
            )


def ending_of(folder: Path, returned: int | None = None, stopped: bool = False) -> Ending:
    """How the process of a folder ended, by what it left there."""
    told = folder / ".job"
    answer = b""
    with suppress(OSError), (told / "answer.json").open("rb") as file:
        answer = file.read(_ANSWERS)
    try:
        outcome = json.loads((told / "outcome.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Ending(returned=returned, answer=answer, stopped=stopped)
    files = {name: (str(digest), int(size)) for name, (digest, size) in outcome["files"].items()}
    return Ending(outcome["code"], returned, files, answer)


class JobQueue:
    """The jobs of a server.

    Parameters
    ----------
    settings : Settings
        How many run at once, and their limits.
    database : Database
        Their rows.
    store : FileStore
        Their inputs and results.
    """

    def __init__(self, settings: Settings, database: Database, store: FileStore):
        self.settings, self._rows, self._store = settings, database, store
        self.processes = Processes(settings, store)
        self._work = settings.data / "work"
        self._work.mkdir(exist_ok=True)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._hand_out: asyncio.Task[None] | None = None
        self.ending = False

    # --- begin and end -------------------------------------------------------------------------

    def recover(self) -> None:
        """Look at every job that was running when the last server ended: done, cancelled, or again.

        What no row names is removed.
        """
        for row in self._rows.all("select * from job where state = 'running'"):
            ending = ending_of(self._attempt(row))
            if row["cancelling"]:
                self._rows.end_job(row["id"], "cancelled")
            elif ending.code is None:
                self._rows.queue_again(row["id"], died=False)
            else:
                self._conclude(row, ending)
        known = {row["id"] for row in self._rows.all("select id from job")}
        for folder in self._work.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        for row in self._rows.all("select id from job"):
            self._remove_attempts(row["id"])
        self._store.sweep(self._rows.used_files())

    def start(self) -> None:
        """Begin to run jobs."""
        self._hand_out = asyncio.create_task(self._hand_out_jobs())

    async def stop(self) -> None:
        """End every process; what they were at waits for the next server."""
        self.ending = True
        tasks = [*self._tasks.values()]
        if self._hand_out is not None:
            tasks.append(self._hand_out)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """A job was added."""
        self._wake.set()

    async def _hand_out_jobs(self) -> None:
        while True:
            self._wake.clear()
            while len(self._tasks) < self.settings.jobs and (row := self._rows.take_job()):
                task = asyncio.create_task(self._run(row))
                self._tasks[row["id"]] = task
                task.add_done_callback(partial(self._has_ended, row["id"]))
            await self._wake.wait()

    def _has_ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        self._wake.set()

    # --- one job -------------------------------------------------------------------------------

    async def _run(self, row: dict[str, Any]) -> None:
        identity, folder = row["id"], self._attempt(row)
        try:
            words, needs = self._prepare(row, folder)
            ending = await self.processes.run(folder, words, needs)
        except asyncio.CancelledError:
            if self._is_cancelling(identity):
                self._rows.end_job(identity, "cancelled")
            else:
                self._rows.queue_again(identity, died=False)
            self._remove_attempts(identity)
            return
        self._conclude(row, ending)
        self._remove_attempts(identity)

    def _prepare(self, row: dict[str, Any], folder: Path) -> tuple[list[str], list[str]]:
        """Lay out what a job reads, and return its words and the documents that it needs."""
        job = KINDS[row["kind"]].model_validate_json(row["request"])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        found = {
            case: self._rows.one("select name, file from stored_case where id = ?", case)
            for case in job.cases()
        }
        names = names_of_files({case: x["name"] for case, x in found.items() if x}, ".nc")
        for case, name in names.items():
            self._store.lend(found[case]["file"], folder / name)  # type: ignore[index]
        for name, text in job.written(names).items():
            (folder / name).write_text(text, encoding="utf-8")
        return job.words([*names.values()]), [*job.needs]

    def _conclude(self, row: dict[str, Any], ending: Ending) -> None:
        """Let a job be what its process has come to."""
        identity = row["id"]
        if self._is_cancelling(identity):
            self._rows.end_job(identity, "cancelled")
        elif ending.code is not None and (ending.files or ending.code == 0):
            self._rows.end_job(identity, "done", files=ending.files)
        elif ending.code is not None:
            message, problems = problems_of(ending.answer)
            fault = "a fault of this program, or too little memory; the log of the job says more"
            detail = message or EXIT_WORDS.get(ending.code, fault)
            status = 422 if problems or ending.code in (2, 3, 4) else 500
            error = problem_document(status, detail, problems) | {"exit_code": ending.code}
            self._rows.end_job(identity, "failed", error)
        elif ending.stopped:
            limit = f"stopped after {self.settings.time_limit:g} s, the limit of this server"
            self._rows.end_job(identity, "failed", problem_document(500, limit))
        elif ending.returned == KILLED and row["deaths"] + 1 < MOST_DEATHS:
            self._rows.queue_again(identity, died=True)
        else:
            self._rows.end_job(identity, "failed", problem_document(500, self._death(ending)))

    def _death(self, ending: Ending) -> str:
        if ending.returned == KILLED:
            return f"its process was killed {MOST_DEATHS} times: memory may be too small"
        memory = self.settings.memory_mb
        limit = f"; it may take {memory} MB of memory" if memory else ""
        return f"its process ended without a result (code {ending.returned}){limit}"

    def _is_cancelling(self, identity: str) -> bool:
        row = self._rows.one("select cancelling from job where id = ?", identity)
        return bool(row and row["cancelling"])

    async def cancel(self, identity: str) -> str | None:
        """Cancel a job in whatever phase it is; comes back when no process of it is left.

        Returns the state that it was in; None where there is no such job.
        """
        state = self._rows.cancel_job(identity)
        task = self._tasks.get(identity)
        if state == "running" and task is not None:
            task.cancel()
            await asyncio.wait([task])
        return state

    # --- what is told of it --------------------------------------------------------------------

    def folder(self, identity: str) -> Path:
        """Where log and progress of a job stand."""
        return self._work / identity

    def log_path(self, identity: str) -> Path:
        """What the command of a job has said."""
        return self.folder(identity) / LOG

    def progress(self, identity: str) -> dict[str, Any] | None:
        """The last that a job has said of how far it is."""
        with suppress(OSError, ValueError, IndexError):
            with self.progress_path(identity).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST))
                lines = file.read().rpartition(b"\n")[0].splitlines()
            found: dict[str, Any] = json.loads(lines[-1])
            return found
        return None

    def progress_path(self, identity: str) -> Path:
        """The lines that a job writes of how far it is."""
        return self.folder(identity) / _PROGRESS

    def forget(self, identity: str) -> None:
        """Remove log, progress and results of a job that has ended."""
        self._rows.delete_job(identity)
        shutil.rmtree(self.folder(identity), ignore_errors=True)
        self.sweep()

    def sweep(self) -> None:
        """Remove stored files that no row names any more."""
        if not self.processes.active:
            self._store.sweep(self._rows.used_files())

    def _attempt(self, row: Mapping[str, Any]) -> Path:
        return self._work / str(row["id"]) / _ATTEMPT.format(row["attempt"])

    def _remove_attempts(self, identity: str) -> None:
        for folder in self.folder(identity).glob("*/"):
            shutil.rmtree(folder, ignore_errors=True)
