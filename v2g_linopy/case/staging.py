"""A hidden folder beside files while they are made.

It is locked as long as its process lives, so that what a killed process left is known as such and
taken away by the next one that writes there.
"""

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

try:
    import fcntl
except ImportError:  # Windows has no such locks: there leftovers stay
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

STAGE = ".v2g-"
logger = logging.getLogger(__name__)


@contextmanager
def stage_in(folder: Path) -> Iterator[Path]:
    """Yield a hidden folder in another, and take it away at the end.

    What processes that were killed left there is taken away first, and named in a warning. A stage
    whose process lives is never touched, on this machine or another: the lock is one of the system,
    which gives it up with the process.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    remove_leftovers(folder)
    made: list[tuple[Path, int | None]] = []
    try:
        with uninterrupted():  # no moment at which it is there and nobody knows
            made.append(_locked_stage(folder))
        yield made[0][0]
    finally:
        _take_away(made)


def _take_away(made: list[tuple[Path, int | None]]) -> None:
    """Remove stages and give up their locks, also when a signal comes meanwhile."""
    try:
        with uninterrupted():
            while made:
                stage, lock = made.pop()
                shutil.rmtree(stage, ignore_errors=True)
                if lock is not None:
                    os.close(lock)
    except KeyboardInterrupt:
        if made:  # it came before it was held back
            _take_away(made)
        raise


def remove_leftovers(folder: Path) -> None:
    """Take away the stages of processes that are no more."""
    for stage in sorted(folder.glob(f"{STAGE}*")):
        if stage.is_symlink() or not stage.is_dir():
            continue
        lock = _lock(stage)
        if lock is None:
            continue
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)
        logger.warning("%s: removed %s, left by a run that was killed", folder, stage.name)


def _locked_stage(folder: Path) -> tuple[Path, int | None]:
    """Return a new stage and its lock; one that was taken for a leftover before is made again."""
    while True:
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=folder))
        lock = _lock(stage)
        if stage.exists():
            return stage, lock
        if lock is not None:
            os.close(lock)


def _lock(stage: Path) -> int | None:
    """Lock a folder; None where another process has it, or where the system has no locks."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(stage, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and signals to end wait until a file is written: netCDF4 may never come back from
    an interruption, or go on writing beside what cleans up.
    """
    held: list[tuple[int, FrameType | None]] = []
    usual: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and callable(signal.getsignal(number)):
                usual[number] = signal.signal(number, lambda *words: held.append(words))
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
    for number, frame in held[:1]:
        usual[number](number, frame)
