"""The command `v2g`: all commands in one app, and the way into it."""

import sys
from types import TracebackType
from typing import Annotated

import typer

from ..case.io import package_version
from . import doctor, import_sessions, inspect, new, replay, scenarios, schema, simulate, solve
from .errors import Guarded

EXIT_CODES = (
    "Exit codes: 0 optimal, 2 usage, 3 invalid input, 4 infeasible, 5 solver missing or failed, 6"
    " stopped at a limit (the best plan so far is written), 8 output exists or cannot be written,"
    " 130 interrupted."
)

app = typer.Typer(
    cls=Guarded,
    name="v2g",
    no_args_is_help=True,
    add_completion=False,
    epilog=EXIT_CODES,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"v2g-linopy {package_version()}")
        raise typer.Exit()


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Best plans for EV fleets: a case file in; a plan, a bill that adds up and a report out.

    Start with `v2g new demo --template commuters`, then `v2g compare demo.nc`.
    """


for group in (doctor, new, import_sessions, solve, simulate, scenarios, inspect, replay, schema):
    group.add(app)


def main() -> None:
    """Run the command line of this process; an error nobody foresaw is told in one line, and in
    full with `--debug`.
    """
    if "--debug" not in sys.argv:
        sys.excepthook = briefly
    typer.main.get_command(app)(prog_name="v2g")


def briefly(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """Tell of a fault of this program in one line."""
    sys.stderr.write(f"v2g: a fault of this program, not of your input: {kind.__name__}: {error}\n")
    sys.stderr.write("     run it again with --debug and report what it shows\n")
