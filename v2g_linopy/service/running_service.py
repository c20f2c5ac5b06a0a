"""What the routes of a server work with: its rows, files, queue and processes."""

import asyncio
import json
import secrets
import shutil
from typing import Annotated, Any

from fastapi import Depends, Request

from .database import Database
from .file_store import FileStore
from .job_queue import EXIT_WORDS, LOG, Ending, JobQueue
from .problem_documents import Refused, problems_of
from .settings import Settings

PROCESSES_FOR_CASES = 2
FAULT = "last-fault.txt"
"""What a process has said that ended as none should."""
_ASKED_WRONGLY = (2, 3, 4)


class RunningService:
    """What the routes of a server work with.

    Parameters
    ----------
    settings : Settings
        As the server was started.

    Raises
    ------
    DataInUse
        Another server works with its folder.
    """

    def __init__(self, settings: Settings):
        settings.data.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.rows = Database(settings.data)
        self.store = FileStore(settings.data.resolve() / "files")
        self.queue = JobQueue(settings, self.rows, self.store)
        self.streams = 0
        self.is_ready = False
        self._templates: Any = None
        self._turns = asyncio.Semaphore(PROCESSES_FOR_CASES)
        self._waiting = 0
        self._making = settings.data / "making"

    def start(self) -> None:
        """Tidy up after the last server, and begin to run jobs."""
        self.store.prepare()
        shutil.rmtree(self._making, ignore_errors=True)
        self._making.mkdir()
        self.queue.recover()
        self.queue.start()
        self.is_ready = True

    async def stop(self) -> None:
        """End every process, and let the folder go."""
        self.is_ready = False
        await self.queue.stop()
        self.rows.close()

    async def made(
        self, words: list[str], needs: list[str], lent: dict[str, str]
    ) -> tuple[Ending, dict[str, Any]]:
        """Run a command that is waited for; return what it wrote, and what it printed.

        Parameters
        ----------
        words, needs : list of str
            The command, and the documents that are made of what it wrote.
        lent : mapping
            Stored files that it reads: the hash of each, by its name.

        Raises
        ------
        Refused
            422 with its problems, 429 where too many wait.
        """
        if self._waiting >= self.settings.waiting:
            raise Refused(429, "too many cases are being made", headers={"retry-after": "5"})
        self._waiting += 1
        try:
            async with self._turns:
                ending = await self._in_a_folder(words, needs, lent)
        finally:
            self._waiting -= 1
        if ending.code != 0:
            raise self._refused(ending)
        return ending, json.loads(ending.answer) if ending.answer.strip() else {}

    async def _in_a_folder(
        self, words: list[str], needs: list[str], lent: dict[str, str]
    ) -> Ending:
        folder = self._making / secrets.token_hex(8)
        work = folder / "1"
        (work / "out").mkdir(parents=True)
        try:
            for place, digest in lent.items():
                self.store.lend(digest, work / place)
            ending = await self.queue.processes.run(work, words, needs)
            if ending.code != 0 and ending.code not in EXIT_WORDS and not ending.stopped:
                shutil.copyfile(folder / LOG, self.settings.data / FAULT)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return ending

    def _refused(self, ending: Ending) -> Refused:
        """Why a command has written nothing."""
        message, problems = problems_of(ending.answer)
        if ending.stopped:
            message = f"stopped after {self.settings.time_limit:g} s, the limit of this server"
        fault = f"a fault of this program, or too little memory; {FAULT} in its folder says more"
        detail = message or EXIT_WORDS.get(ending.code or 0, fault)
        return Refused(422 if ending.code in _ASKED_WRONGLY else 500, detail, problems)

    def document(self, ending: Ending, name: str) -> Any:
        """A document that a process has written."""
        return json.loads(self.store.path(ending.files[name][0]).read_text(encoding="utf-8"))

    async def templates(self) -> Any:
        """Templates of cases, as a process has listed them once."""
        if self._templates is None:
            ending, _ = await self.made([], ["templates"], {})
            self._templates = self.document(ending, "templates.json")
        return self._templates

    def job_row(self, identity: str) -> dict[str, Any]:
        """The row of a job; 404 where there is none."""
        row = self.rows.one("select * from job where id = ?", identity)
        if row is None:
            raise Refused(404, f"there is no job {identity}")
        return row

    def case_row(self, identity: str) -> dict[str, Any]:
        """The row of a case; 404 where there is none."""
        row = self.rows.one("select * from stored_case where id = ?", identity)
        if row is None:
            raise Refused(404, f"there is no case {identity}")
        return row


async def _service_of(request: Request) -> RunningService:
    found: RunningService = request.app.state.service
    return found


Served = Annotated[RunningService, Depends(_service_of)]
"""The service that a route works with."""
