"""What a command says, and where: the answer on stdout, everything else on stderr."""

import ctypes
import json as json_format
import logging
import math
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from ..case.label_text import UNSEEN, printable
from ..errors import SolverError
from .logs import MoveBar, PrintableLog, Reports, appending, keep_in, log_file
from .process import notice

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document on stdout; everything else goes to stderr."
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Nothing on stderr but errors: no notices, no progress."),
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        help="Notices and the solver's log on stderr; twice: debugging.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Log = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="Append to this file, with dates: the command, what it does and finds, how it ended.",
    ),
]

LOGGERS = ("v2g_linopy", "linopy", "py.warnings", "matplotlib")
"""Whose words are shown: ours, and those that other programs have for the user."""
OWN = LOGGERS[:1]
LOG_LINES = 15
"""How many of a solver's last lines are shown when it fails."""


@dataclass(frozen=True)
class Terminal:
    """How much a command says: the options that every command has."""

    panel: ClassVar[str] = "Every command"
    json: Json = False
    quiet: Quiet = False
    verbose: Verbose = 0
    debug: Debug = False
    log: Log = None

    def answer(self, words: str, document: Mapping[str, Any]) -> None:
        """Print the one answer of the command on stdout: words, or the document with `--json`."""
        log_file.info(words.rstrip("\n"))
        if self.json:
            sys.stdout.write(to_json(document, ascii_only(sys.stdout)))
        else:
            sys.stdout.write(printable(words.rstrip("\n")) + "\n")
        sys.stdout.flush()

    def say(self, words: str) -> None:
        """Print a notice on stderr, unless quiet."""
        log_file.info(words.rstrip("\n"))
        if not self.quiet:
            notice(printable(words.rstrip("\n")) + "\n")

    def listen(self) -> None:
        """Show what this package and others log on stderr, from the level the user asked for.

        With `--log` all notices are appended to a file as well.

        Raises
        ------
        OSError
            The file cannot be opened.
        """
        level = (
            logging.ERROR
            if self.quiet
            else (logging.WARNING, logging.INFO, logging.DEBUG)[min(self.verbose, 2)]
        )
        shown = RichHandler(console=Console(stderr=True), show_path=False)
        shown.setFormatter(PrintableLog())
        shown.setLevel(level)
        kept = appending(self.log)
        for name in LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = [shown, *kept]
            logger.propagate = False
            logger.setLevel(logging.DEBUG if name in OWN else level)
        keep_in(kept)
        log_file.info("v2g %s", shlex.join(sys.argv[1:]))

    @contextmanager
    def progress(self, label: str, counted: bool = False) -> Iterator[MoveBar]:
        """Show a spinner and the time spent; where nobody watches, a line a minute.

        With `counted` it is a bar that `move(done, of)` sets.
        """
        console = Console(stderr=True)
        watched = console.is_terminal and not self.verbose
        with Reports(label, None if self.quiet or watched else notice) as reports:
            if self.quiet or not watched:
                yield reports.move
                return
            count = (BarColumn(), MofNCompleteColumn()) if counted else ()
            words = TextColumn(
                "{task.description}", table_column=Column(no_wrap=True, ratio=1)
            )  # gives way to the count
            columns = (SpinnerColumn(), words, *count, TimeElapsedColumn())
            with Progress(*columns, console=console, transient=True, expand=True) as bar:
                task = bar.add_task(label, total=None)

                def move(done: int, of: int) -> None:
                    reports.move(done, of)
                    bar.update(task, completed=done, total=of)

                yield move

    @contextmanager
    def solving(self, label: str, counted: bool = False) -> Iterator[MoveBar]:
        """Keep what a solver prints off stdout.

        It goes to stderr with `-v`, else aside, and is shown only if the solver fails.
        """
        with self.progress(label, counted) as move, tempfile.TemporaryFile() as log:
            try:
                with redirected(
                    sys.stderr.fileno()
                    if self.verbose and has_descriptor(sys.stderr)
                    else log.fileno()
                ):
                    yield move
            except SolverError:
                log.seek(0)
                last = log.read().decode(errors="replace").splitlines()[-LOG_LINES:]
                self.say("\n".join(["The solver's last lines:", *last]) if last else "")
                raise


def headed(attrs: Mapping[Any, Any]) -> list[str]:
    """The line that heads what is told of a case that no market pays; none for others."""
    return [str(attrs["not_a_market"])] if attrs.get("not_a_market") else []


def has_descriptor(stream: Any) -> bool:
    """Whether a stream stands on a file of the operating system (a test's stream need not)."""
    try:
        return stream.fileno() >= 0
    except (OSError, AttributeError):
        return False


@contextmanager
def redirected(target: int) -> Iterator[None]:
    """Send file descriptor 1 to `target`, C library buffers included.

    A solver does not print through Python.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(target, 1)
    try:
        yield
    finally:
        flush_c_streams()
        os.dup2(kept, 1)
        os.close(kept)


def flush_c_streams() -> None:
    """Write out what the C library holds back for stdout while it is not a terminal."""
    ctypes.CDLL("msvcrt" if os.name == "nt" else None).fflush(None)


def ascii_only(stream: Any) -> bool:
    """Whether a stream takes no other letters than those of ASCII, or is not known to."""
    return not str(stream.encoding or "").lower().startswith("utf")


def to_json(document: Any, in_ascii: bool = False) -> str:
    """Return one JSON document with a final newline.

    NaN and infinity become null, arrays lists, times ISO 8601. Control characters are escaped, also
    those that JSON allows.
    """
    text = json_format.dumps(plain(document), indent=2, ensure_ascii=in_ascii, allow_nan=False)
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON knows it.

    Arrays and numbers of numpy are known by their `dtype`: it is not loaded to report an error.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):  # a time stamp of pandas as well
        return None if value != value else value.isoformat()
    if hasattr(value, "dtype"):
        is_time = value.dtype.kind == "M"
        return plain((value.astype("datetime64[us]") if is_time else value).tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool)) or value is None else str(value)
