"""A job as server-sent events: its states, how far it is, and what its command says.

They are read from rows and files, so that a client that comes later, or again, sees all of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .database import ENDED
from .job_queue import JobQueue

EVERY = 0.2
QUIET = 15.0
"""Seconds after which a comment is sent, so that nothing between takes the stream for dead."""
_MOST = 64_000  # bytes of a file in one event


async def events_of(
    queue: JobQueue, told: Callable[[], Any], identity: str, last: str | None
) -> AsyncIterator[str]:
    """Yield the events of a job until it has ended.

    Parameters
    ----------
    queue : JobQueue
        Where its files stand.
    told : callable
        The job as it is told now; None where it is no more.
    identity : str
        Of the job.
    last : str or None
        The identity of the last event that the client has seen; it goes on after it.
    """
    logged, moved = _places(last)
    shown, spoken = "", time.monotonic()
    while True:
        job = told()
        state = "" if job is None else job.model_dump_json(exclude={"progress", "results"})
        ended = job is None or job.state in ENDED
        found = []
        if state != shown and job is not None:
            shown = state
            found.append(("state", job.model_dump_json()))
        lines, moved = _lines_after(queue.progress_path(identity), moved)
        found += [("progress", line) for line in lines]
        lines, logged = _lines_after(queue.log_path(identity), logged, rest=ended)
        found += [("log", "\n".join(lines))] if lines else []
        for kind, data in found:
            yield _event(kind, data, f"{logged}.{moved}")
        if ended:
            yield _event("end", "" if job is None else job.state, f"{logged}.{moved}")
            return
        if queue.ending:
            return
        if found:
            spoken = time.monotonic()
        elif time.monotonic() - spoken > QUIET:
            spoken = time.monotonic()
            yield ":\n\n"
        await asyncio.sleep(EVERY)


def _places(last: str | None) -> tuple[int, int]:
    """How much of log and progress a client has seen."""
    one, _, other = (last or "").partition(".")
    known = one.isdecimal() and other.isdecimal()
    return (int(one), int(other)) if known else (0, 0)


def _lines_after(path: Path, place: int, rest: bool = False) -> tuple[list[str], int]:
    """Whole lines of a file after a place, and the place behind them; at the end also the rest."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(place)
        found = file.read(_MOST)
        whole = found if rest or len(found) == _MOST else found[: found.rfind(b"\n") + 1]
        return whole.decode("utf-8", "replace").splitlines(), place + len(whole)
    return [], place


def _event(kind: str, data: str, identity: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"id: {identity}\nevent: {kind}\n{lines}\n"
