"""The command `v2g`: all commands in one app, and the way into it."""

import logging
import sys
from types import TracebackType
from typing import Annotated, Any

import typer

from ..case.label_text import printable
from ..case.version import package_version
from .exit_codes import Guarded
from .listed import MARKUP, Listed, ListedGroup
from .logs import log_file
from .process import Ended, code_of_signal, complete_streams, end_at_once, end_at_signals, notice

EXIT_CODES = (
    "Exit codes: 0 optimal, 2 usage, 3 invalid input, 4 infeasible, 5 solver missing or failed, 6"
    " stopped at a limit (the best plan so far is written), 7 some cases of a study have no result,"
    " 8 output exists or cannot be written, 9 calls of reserves cannot be followed, 130 interrupted"
    " (143 by SIGTERM, 129 by SIGHUP)."
)
IMPORTS = (
    Listed(
        "prices",
        "import_prices",
        "Import prices: as a tidy file in UTC, as a case of commuters, or into a case there is.",
    ),
    Listed(
        "sessions",
        "import_sessions",
        "Import charging sessions and the prices they trade at, as a case.",
    ),
    Listed(
        "pv",
        "import_profiles",
        "Import what sun or wind would give into /renewable, of a case there is or of a new one"
        " with prices.",
    ),
    Listed(
        "load",
        "import_profiles",
        "Import what buildings or machines draw into /load, of a case there is or of a new one"
        " with prices.",
    ),
    Listed(
        "sites",
        "import_sites",
        "Import published types of sites, composed from profiles of one day, as a case of sites.",
    ),
    Listed(
        "reserves",
        "import_reserves",
        "Let a case sell Nordic reserve products, named by their columns, at capacity prices from"
        " a file.",
    ),
    Listed(
        "frequency",
        "import_reserves",
        "Fold a frequency record into a case: expected activation and worst excursions of FCR-N"
        " and FCR-D.",
    ),
    Listed(
        "acceptance",
        "import_reserves",
        "Let a case choose at which price it offers its reserve products, each accepted as often as"
        " in a history of marginal prices.",
    ),
)
PORTFOLIOS = (
    Listed(
        "solve",
        "vpp",
        "Solve a case in two levels: its sites plan at prices, and a bound proves the mix of their"
        " plans; files as of `solve`.",
    ),
    Listed(
        "split",
        "vpp",
        "Divide a case: a case for each site, what stays with the portfolio, and the first"
        " message.",
    ),
    Listed(
        "plan",
        "vpp",
        "Answer a message with the best plan of a site: power, reserve held and own cash, no more.",
    ),
    Listed(
        "join",
        "vpp",
        "Mix the plans of all sites in the best way, and write what they are told next.",
    ),
    Listed(
        "share",
        "vpp",
        "Hand a mix back: the plan of each site that keeps what is promised of it; of all sites"
        " also the whole, replayed.",
    ),
    Listed(
        "envelope",
        "show_envelope",
        "Show what a box of two plans of each site promises, and how much of it cannot be"
        " delivered.",
    ),
)
COMMANDS = (
    Listed(
        "doctor",
        "doctor",
        "Show versions, solvers and extras, and solve a tiny case whose answer is known.",
    ),
    Listed(
        "new",
        "new",
        "Make a case from a template; what it assumes is written into the file and told.",
    ),
    Listed(
        "check",
        "solve",
        "Check a case and list everything that is wrong with it, or what had to be assumed.",
    ),
    Listed(
        "solve",
        "solve",
        "Find the best plan of a case; write result.nc, schedule.csv, bids.csv, bill.csv, kpi.json"
        " and report.html.",
    ),
    Listed(
        "compare",
        "solve",
        "Climb the value ladder of a case (unmanaged, smart, V2G, reserves); write the files of"
        " the top rung.",
    ),
    Listed(
        "simulate",
        "simulate",
        "Operate a case through its gates on forecasts, and settle it on what happened; files as"
        " of `solve`.",
    ),
    Listed(
        "scenarios",
        "scenarios",
        "Draw scenarios of a case from its own days or those of another case, keep the most"
        " telling ones, or both.",
    ),
    Listed(
        "value",
        "scenarios",
        "Say what it is worth to know the scenario in advance (EVPI), and to plan for all of them"
        " (VSS).",
    ),
    Listed(
        "break-even",
        "break_even",
        "Find the wear, cost of dispatch or spread of prices at which V2G earns no more than smart"
        " charging.",
    ),
    Listed(
        "menu",
        "menu",
        "Design contracts for owners of vehicles: an energy and a payment for each type, and the"
        " proof that each takes its own.",
    ),
    Listed(
        "contract-study",
        "contract_study",
        "Offer a menu to charging sessions and operate them under it, beside smart charging, while"
        " term, wear, spread of prices and size of the fleet are varied: a page, and every number"
        " of it.",
    ),
    Listed(
        "flexibility",
        "bands",
        "Say between which powers and energies every site of a case can be at each moment, what it"
        " can hold for hours, and what shifting costs; each value stands alone.",
    ),
    Listed(
        "batch",
        "batch",
        "Run every case of a study that is not done yet; write study.nc, study.csv and study.html.",
    ),
    Listed(
        "serve",
        "serve",
        "Serve cases, jobs and results over HTTP, and a page for them, until Ctrl-C.",
    ),
    Listed("report", "inspect", "Write the offline HTML report of a result."),
    Listed(
        "bids",
        "inspect",
        "Give the bids of a result: one row per market or product and step, local time with"
        " offset.",
    ),
    Listed(
        "day",
        "inspect",
        "Give the sheet of a day: what each vehicle does and holds, in local time; .html is to"
        " print.",
    ),
    Listed(
        "export",
        "export",
        "Write a plan or a case in the format of those who execute it or compute with it.",
    ),
    Listed(
        "follow",
        "follow",
        "Hold the fleet of a case to schedules of FlexMeasures, and replay and settle what comes of"
        " it.",
    ),
    Listed(
        "explain",
        "inspect",
        "Say in words why a vehicle did what it did: needs, prices, shadow prices and the limits"
        " that bind.",
    ),
    Listed(
        "replay",
        "replay",
        "Recompute a result from its file; with signals, follow them with every member: what"
        " breaks, what is missed. It leaves with 9 where more is missed than may be, or owners"
        " allow less.",
    ),
    Listed(
        "schema",
        "schema",
        "Describe the arrays of a case and of a result: dimensions, units, defaults, meaning.",
    ),
    ListedGroup("import", "From published files to a case.", IMPORTS),
    ListedGroup("vpp", "A portfolio of sites that keep their data.", PORTFOLIOS),
)
"""Every command, in the order of the help; a test compares the sentences with the docstrings."""


class Commands(Guarded):
    """The group `v2g`, with all its commands listed."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.commands = {str(command.name): command for command in COMMANDS}


app = typer.Typer(
    cls=Commands,
    name="v2g",
    no_args_is_help=True,
    add_completion=False,
    epilog=EXIT_CODES,
    rich_markup_mode=MARKUP,
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


def main() -> None:
    """Run the command line of this process.

    An error nobody foresaw is told in one line, and in full with `--debug`.
    """
    complete_streams()
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log on a full disk is no reason to stop
    if "--debug" not in sys.argv:
        sys.excepthook = briefly
    end_at_signals()
    try:
        typer.main.get_command(app)(prog_name="v2g")
    except Ended as ended:  # before the command began
        sys.exit(code_of_signal(ended))
    finally:
        end_at_once()


def briefly(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """Tell of a fault of this program in one line."""
    fault = printable(f"{kind.__name__}: {error}")
    notice(f"v2g: a fault of this program, not of your input: {fault}\n")
    log_file.error("a fault of this program: %s", fault)
    notice("     run it again with --debug and report what it shows\n")
