"""What a process gets from its surroundings and may lose again: streams; and signals to end."""

import os
import signal
import sys
import threading
from types import FrameType

INTERRUPTED = 130
ENDING = ("SIGTERM", "SIGHUP")
"""Signals that end a command as Ctrl-C does, where the system has them; not those that whoever
started it has told it to ignore, as `nohup` does."""


A_MOMENT = 0.02
"""Seconds after which a signal that was dropped comes again."""


class Ended(KeyboardInterrupt):
    """A signal has asked the process to end.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int):
        self.number = number
        super().__init__(signal.Signals(number).name)


def end_at_signals() -> None:
    """Let every signal that ends a process be an interruption, after which nothing is left.

    One that falls into a callback, from which no exception gets out, is sent once more.
    """
    sys.unraisablehook = _send_again
    for number in _numbers():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def end_at_once() -> None:
    """Let signals kill again: the work is done, and nothing is left that could be cleaned."""
    for number in (signal.SIGINT, *_numbers()):
        if signal.getsignal(number) in (_end, signal.default_int_handler):
            signal.signal(number, signal.SIG_DFL)


def _numbers() -> list[signal.Signals]:
    return [signal.Signals[name] for name in ENDING if name in signal.Signals.__members__]


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


def _send_again(lost: "sys.UnraisableHookArgs") -> None:
    """Interrupt once more, a moment later, where the interpreter has dropped an interruption."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    number = getattr(lost.exc_value, "number", signal.SIGINT)
    again = threading.Timer(A_MOMENT, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


def code_of_signal(error: BaseException | None) -> int | None:
    """Return 128 and the number of the signal that is behind an error, as shells do.

    It is None where an error has no signal behind it. What fails while a command is being ended,
    such as a terminal that is gone, is part of the end.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return 128 + error.number if isinstance(error, Ended) else INTERRUPTED
        error = error.__cause__ or error.__context__
    return None


def complete_streams() -> None:
    """Open what was closed when the process started (`>&-`), and let no letter be a fault.

    Nothing is read from there, and what is written is lost. Without it the first file that is
    opened would take the place of stdout, and what a solver prints would go into it. A letter that
    a terminal does not know is written as its number (`\\u2264`).
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  for good
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # both are text


def notice(words: str) -> None:
    """Write to stderr; where nobody can read it (a terminal that is gone, a full disk), do not."""
    try:
        sys.stderr.write(words)
        sys.stderr.flush()
    except OSError:
        send_nowhere(2)


def flush_or_drop() -> None:
    """Leave nothing in the buffer of a stdout that cannot take it.

    The interpreter would complain when it ends.
    """
    try:
        sys.stdout.flush()
    except OSError:
        send_nowhere(1)


def send_nowhere(descriptor: int) -> None:
    """Send what is left for stdout (1) or stderr (2) nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
