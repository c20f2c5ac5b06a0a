"""Processes that have loaded everything when they start: a command in a twentieth of the time."""

import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.context import ForkServerContext
from pathlib import Path

from v2g_linopy.cli import process

app = import_module("v2g_linopy.cli.app")  # the door of the room has a Typer of this name
READY = "ready.txt"
"""Made by a process that ends at signals from here on."""
LOADED = (
    "highspy",
    "v2g_linopy.cli.inspect",
    "v2g_linopy.cli.replay",
    "v2g_linopy.cli.simulate",
    "v2g_linopy.cli.solve",
    "v2g_linopy.solve.solve",
    "v2g_linopy.study.ladder",
)


def started() -> ForkServerContext:
    """The context that starts such processes, without a solver that has run before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    return context


def command(words: list[str], folder: str, limit: int | None = None) -> None:
    """Run `v2g` as a process does, with its streams in files; after `limit` seconds of computing it
    writes where it is and ends.
    """
    os.chdir(folder)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{name}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        faulthandler.register(signal.SIGXCPU, file=2, chain=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # where the tests run under nohup, it is ignored
    end_at_signals = process.end_at_signals

    def then_ready() -> None:
        end_at_signals()
        Path(READY).touch()

    vars(app)["end_at_signals"] = then_ready
    sys.argv = ["v2g", *words]
    app.main()


def command_ended_behind(file: Path, end: signal.Signals, words: list[str], folder: str) -> None:
    """Run `v2g`, and send it a signal once a file is there.

    A thread of the process sends it, so that no other process has to see the file in time.
    """

    def end_behind() -> None:
        while not file.exists():
            time.sleep(0.001)
        os.kill(os.getpid(), end)

    threading.Thread(target=end_behind, daemon=True).start()
    command(words, folder)


@dataclass
class Done:
    """How a process ended."""

    code: int
    seconds: float
    said: str


def run(
    words: str,
    folder: Path,
    end: int = 0,
    after: float = 0.0,
    limit: int | None = None,
) -> Done:
    """Run a command to its end, or send it a signal some seconds after it is ready; a fault of ours
    fails.
    """
    (folder / READY).unlink(missing_ok=True)
    child = started().Process(target=command, args=(words.split(), str(folder), limit))
    begun = time.monotonic()
    child.start()
    if end:
        while child.is_alive() and not (folder / READY).exists():
            time.sleep(0.001)
        child.join(after)
        if child.is_alive():
            os.kill(child.pid, end)
    child.join(300)
    assert child.exitcode is not None, "it did not end"
    said = "".join((folder / f"{name}.txt").read_text() for name in ("err", "out"))
    assert "Traceback" not in said and "fault of this program" not in said, (words, said)
    return Done(child.exitcode, time.monotonic() - begun, said)
