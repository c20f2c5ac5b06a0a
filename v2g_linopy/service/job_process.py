"""One job, in a process of its own: `python -P -m v2g_linopy.service.job_process ORDER`.

It runs the command that a user would type, and keeps what it wrote. It ends with its server: the
server holds the other end of its standard input, which is closed when the server is gone, whatever
ended it; on Linux the kernel sees to it as well, also while a library does not let Python run."""

import ctypes
import json
import logging
import os
import runpy
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from .file_store import FileStore

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

PROGRESS = "v2g progress"
"""The logger that hears how far a command is (`cli/logs.py`)."""
HAS_RESULT = (0, 6, 7, 9)
"""Exit codes of commands that have written what was asked for."""
ANSWER = "answer.json"
"""What a command has printed, beside the files that it wrote."""
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def run_order(path: Path) -> None:
    """Do what an order says, and write how it ended beside it, whole, as the last thing.

    Parameters
    ----------
    path : Path
        JSON with `parent` (process), `memory_mb`, `words` of the command, `store` and
        `progress` (paths) and `needs`: which further documents are made of what it wrote.
    """
    order = json.loads(path.read_text(encoding="utf-8"))
    end_with_server(order["parent"])
    limit_memory(order["memory_mb"])
    logging.getLogger(PROGRESS).addHandler(ProgressFile(Path(order["progress"])))
    code = command_code(order["words"]) if order["words"] else 0
    files = {}
    if code in HAS_RESULT:
        _documents(order["needs"], path.with_name(ANSWER))
        store = FileStore(Path(order["store"]))
        written = [x for x in sorted(Path("out").rglob("*")) if x.is_file()]
        files = {x.relative_to("out").as_posix(): store.keep(x) for x in written}
    sys.stdout.flush()
    outcome = path.with_name("outcome.new")
    outcome.write_text(json.dumps({"code": code, "files": files}), encoding="utf-8")
    os.replace(outcome, path.with_name("outcome.json"))


def end_with_server(server: int) -> None:
    """Let this process end as soon as its server has, whatever it is doing then."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != server:  # it ended before this was said
            os._exit(1)


def _wait_for_the_end() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def limit_memory(megabytes: int) -> None:
    """Let no more address space be taken, where the system has such a limit; 0 for none."""
    if megabytes and resource is not None:
        size = megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def command_code(words: list[str]) -> int:
    """Run a command of `v2g` and return its exit code; 1 is a fault of this program."""
    sys.argv = ["v2g", *words]
    try:
        runpy.run_module("v2g_linopy", run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _documents(needs: list[str], answer: Path) -> None:
    """Write what the page draws, made of what the command has written."""
    sys.stdout.flush()
    shutil.copyfile(answer, Path("out") / ANSWER)
    if needs:
        runpy.run_module(f"{__package__}.result_documents")["write_documents"](needs, Path("out"))


class ProgressFile(logging.Handler):
    """Keep how far a command is, a line for each step, for the server to read.

    Parameters
    ----------
    path : Path
        The file that lines are appended to.
    """

    def __init__(self, path: Path):
        super().__init__()
        self._file = path.open("a", encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        said: dict[str, Any] = {"at": round(time.time(), 3), "words": record.getMessage()}
        said |= getattr(record, "counted", {})
        self._file.write(json.dumps(said) + "\n")
        self._file.flush()


if __name__ == "__main__":
    run_order(Path(sys.argv[1]))
