"""For those who do not watch a terminal: the file of `--log`, and a line a minute of long work."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ..case.label_text import printable

EVERY = 60.0  # seconds
PACKAGE = "v2g_linopy"
MoveBar = Callable[[int, int], None]
"""Takes how much is done, and of how much."""

DATED = "%Y-%m-%d %H:%M:%S%z"
MOST = 20
"""Lines of a message that a log keeps; a table can have thousands."""
log_file = logging.getLogger("v2g log")
"""What `--log` keeps beside the records of the package: it is shown nowhere else."""
log_file.propagate = False
log_file.setLevel(logging.INFO)
log_file.addHandler(logging.NullHandler())
progress_log = logging.getLogger("v2g progress")
"""How far a command is, for a program that runs it and listens here: its words, and `counted`."""
progress_log.propagate = False
progress_log.setLevel(logging.INFO)


class PrintableLog(logging.Formatter):
    """The words of a record without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record's message, control characters as what they are."""
        return printable(super().format(record))


class DatedLog(logging.Formatter):
    """Every line of a record with date, time, offset and level, so that each says when it was."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the first lines of the record's message, and how many there are beyond them."""
        lines = printable(super().format(record)).splitlines()
        if len(lines) > MOST:
            lines = [*lines[:MOST], f"... {len(lines) - MOST} lines more"]
        start = f"{self.formatTime(record, DATED)} {record.levelname}"
        return "\n".join(f"{start} {line}" for line in lines)


def appending(path: Path | None) -> list[logging.Handler]:
    """Return what appends records to a file; nothing without one.

    Of what the package and others log it takes warnings and errors.
    """
    if path is None:
        return []
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.addFilter(
        lambda record: record.name == log_file.name or record.levelno >= logging.WARNING
    )
    handler.setFormatter(DatedLog())
    return [handler]


def keep_in(handlers: list[logging.Handler]) -> None:
    """Let `log_file` be kept by these handlers, whose predecessors are closed."""
    for handler in log_file.handlers:
        handler.close()
    log_file.handlers = handlers or [logging.NullHandler()]


def is_kept() -> bool:
    """Whether there is a file of `--log`."""
    return any(isinstance(handler, logging.FileHandler) for handler in log_file.handlers)


class Reports(logging.Handler):
    """Say every minute what is being done, and how far it is.

    How far is what the work counts (`move`), or else what the package has logged last. Work that is
    done within a minute says nothing.

    Parameters
    ----------
    label : str
        What is being done.
    say : callable or None
        Takes each line, with its end; None where only the file of `--log` is to have it.
    """

    def __init__(self, label: str, say: Callable[[str], None] | None):
        super().__init__()
        self.label, self.say = label, say
        self.reached = ""
        self.begun = time.monotonic()
        self.done = threading.Event()
        self.clock = threading.Thread(target=self.report, daemon=True)

    def __enter__(self) -> "Reports":
        """Begin to listen and to count the minutes, where anybody is told."""
        if self.say or is_kept() or progress_log.handlers:
            logging.getLogger(PACKAGE).addHandler(self)
            self.clock.start()
        progress_log.info(self.label)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; a line that is being written is finished."""
        logging.getLogger(PACKAGE).removeHandler(self)
        self.done.set()
        if self.clock.is_alive():
            self.clock.join()

    def move(self, done: int, of: int) -> None:
        """Take how much is done, and of how much."""
        self.reached = f"{done} of {of}"
        progress_log.info(self.label, extra={"counted": {"done": done, "of": of}})

    def emit(self, record: logging.LogRecord) -> None:
        """Take what the package says of its work."""
        if record.levelno <= logging.INFO:
            self.reached = record.getMessage()
        if record.levelno == logging.INFO:
            progress_log.info("%s: %s", self.label, record.getMessage())

    def report(self) -> None:
        """Write a line every minute, until the work is done."""
        while not self.done.wait(EVERY):
            minutes = (time.monotonic() - self.begun) / 60
            line = ", ".join(filter(None, (self.label, self.reached, f"{minutes:.0f} min")))
            log_file.info(line)
            if self.say:
                self.say(printable(f"{line}\n"))
