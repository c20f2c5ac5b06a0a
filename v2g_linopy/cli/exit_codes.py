"""The one place where an error becomes a message and an exit code."""

import os
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from ..case.label_text import printable
from ..errors import Interrupted, V2GError
from .logs import log_file
from .process import INTERRUPTED, code_of_signal, flush_or_drop, notice, send_nowhere
from .terminal import ascii_only, to_json

OUTPUT_FAILED = 8
UsageProblem: Any = typer.BadParameter.__mro__[
    2
]  # ClickException, of click or of the copy that newer Typers carry
NOTHING_WRITTEN = "interrupted: nothing was written"


class Guarded(TyperGroup):
    """A group of commands in which no error leaves a traceback unless `--debug` asks for it.

    Exit codes: 0 optimal, 2 usage, 3 invalid input, 4 infeasible, 5 solver missing or failed, 6
    stopped at a limit with an incumbent, 8 output exists or cannot be written, 9 calls that cannot
    be followed, 130 interrupted (143 by SIGTERM, 129 by SIGHUP). With `--json` the error is the
    document on stdout."""

    def main(self, args: Sequence[str] | None = None, *positional: Any, **extra: Any) -> Any:
        """Run a command line and leave with its exit code."""
        line = list(sys.argv[1:] if args is None else args)
        before = set(threading.enumerate())
        try:
            code = super().main(line, *positional, **(extra | {"standalone_mode": False}))
        except (
            UsageProblem,
            typer.Abort,
            V2GError,
            OSError,
            KeyboardInterrupt,
            MemoryError,
        ) as error:
            code = report_error(error, flags_of(line))
            if code_of_signal(error):
                leave_a_running_solver(code, before)
        log_file.info("ended with exit code %d", code if isinstance(code, int) else 0)
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *words: Any, **extra: Any) -> Any:
        """Read the first words; what ends it here comes before Typer makes a silent exit of it."""
        try:
            return super().make_context(*words, **extra)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(NOTHING_WRITTEN) from interrupt

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and see what else would end it.

        Ctrl-C and a pipe that nobody reads arrive here before Typer makes silent exits of them.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(NOTHING_WRITTEN) from interrupt
        except BrokenPipeError:
            send_nowhere(1)
            return 0


def leave_a_running_solver(code: int, before: set[threading.Thread]) -> None:
    """End the process where HiGHS has not yet looked up.

    An interpreter that ends under its thread aborts. Threads from before the command are not its
    own, and no reason to end the process of another program.
    """
    if set(threading.enumerate()) - before:
        log_file.info("ended with exit code %d", code)
        flush_or_drop()
        os._exit(code)


def flags_of(line: Sequence[str]) -> set[str]:
    """The flags of a command line, also of one that cannot be parsed."""
    end = line.index("--") if "--" in line else len(line)
    return {word for word in line[:end] if word.startswith("-")}


def report_error(error: BaseException, flags: set[str]) -> int:
    """Tell the user what happened, once; return the exit code."""
    code, message = code_and_message(error)
    if "--debug" in flags:
        notice(printable("".join(traceback.format_exception(error))))
    if message:  # `v2g` alone has shown its help
        notice(printable(f"{usage_hint(error)}v2g: {message}\n"))
        log_file.error(message)
    if "--json" in flags:
        document = {
            "status": "error",
            "exit_code": code,
            "error": type(error).__name__,
            "message": message,
            "problems": problems_as_data(error),
        }
        try:
            sys.stdout.write(to_json(document, ascii_only(sys.stdout)))
            sys.stdout.flush()
        except OSError:
            send_nowhere(1)
    flush_or_drop()
    return code


def code_and_message(error: BaseException) -> tuple[int, str]:
    """The exit code and the message of an error."""
    signalled = code_of_signal(error)
    if signalled is not None:
        return signalled, str(error) if isinstance(error, Interrupted) else NOTHING_WRITTEN
    if isinstance(error, V2GError):
        return error.exit_code, str(error)
    if isinstance(error, UsageProblem):
        return error.exit_code, error.format_message()
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return OUTPUT_FAILED, f"{place}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return OUTPUT_FAILED, "out of memory: try fewer vehicles or a shorter horizon"
    return INTERRUPTED, NOTHING_WRITTEN


def usage_hint(error: BaseException) -> str:
    """The usage line of the command whose words could not be understood."""
    context = getattr(error, "ctx", None)
    if context is None:
        return ""
    return f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n"


def problems_as_data(error: BaseException) -> list[dict[str, str]]:
    """The single problems of an error, for machines."""
    return [
        {"where": p.where, "rule": p.rule, "detail": p.sentence()}
        for p in getattr(error, "problems", ())
    ]
