"""`report`, `bids`, `explain`: what a result says."""

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

from ..case.io import atomic
from ..errors import InputFileError, OutputError
from ..report import tables
from ..report.page import write
from ..report.table_files import csv_text
from ..solve.verification import Verification, verify
from ..study.explain import explain as explained
from .input_files import read_case
from .options import DryRun, Force, ResultFile, command, result_path
from .output import refuse_file, report_lacks
from .terminal import Terminal

Html = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="The page.  [default: report.html beside the result]"
    ),
]
Csv = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="CSV file; without it the table goes to stdout."
    ),
]
Vehicle = Annotated[
    str | None,
    typer.Option("--vehicle", help="Label of one fleet member; without it the whole plan."),
]
Hour = Annotated[
    str | None,
    typer.Option(
        "--hour",
        metavar="MOMENT",
        help="One step of that vehicle, e.g. '2019-08-01 14:00' (local clock).",
    ),
]
Scenario = Annotated[
    str | None, typer.Option("--scenario", help="Which scenario, where there are several.")
]
Most = Annotated[
    int,
    typer.Option("--most", min=1, help="Stays or names listed before the rest is only counted."),
]
SolveAgain = Annotated[
    bool,
    typer.Option(
        "--solve-again/--no-solve-again",
        help=(
            "Find what the limits of a vehicle are worth by solving again with one unit more, or"
            " bound it by shadow prices."
        ),
    ),
]


def add(app: typer.Typer) -> None:
    """Add the commands to the app."""
    command(app, "report", "v2g report out/result.nc", "v2g report out -o august.html --force")(
        report
    )
    command(
        app, "bids", "v2g bids out/result.nc", "v2g bids out -o bids.csv", "v2g bids out --json"
    )(bids)
    command(
        app,
        "explain",
        "v2g explain out/result.nc",
        "v2g explain out --vehicle ev-017",
        "v2g explain out --vehicle ev-017 --hour '2019-08-01 14:00'",
    )(explain)


def report(
    terminal: Terminal,
    result: ResultFile,
    output: Html = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Write the offline HTML report of a result."""
    source = result_path(result)
    target = output or source.with_name("report.html")
    refuse_file(target, force)
    if lacking := report_lacks():
        raise OutputError(f"{target} cannot be written: {lacking}")
    tree = verified(terminal, source)
    if not dry_run:
        with terminal.progress("Drawing"):
            write.write_page(tree, target, overwrite=force, check=False)
    terminal.answer(
        f"{'would write' if dry_run else 'wrote'} {target}",
        {"status": "dry run" if dry_run else "ok", "files": {target.name: str(target)}},
    )


def bids(terminal: Terminal, result: ResultFile, output: Csv = None, force: Force = False) -> None:
    """Give the bids of a result: one row per market or product and step, local time with offset."""
    if output is not None:
        refuse_file(output, force)
    table = tables.bids(verified(terminal, result_path(result)))
    text = csv_text(table)
    rows = table.to_dict("records")
    if output is None:
        terminal.answer(text, {"status": "ok", "bids": rows})
        return
    with atomic(output, overwrite=force) as path:
        path.write_bytes(text.encode())
    terminal.answer(
        f"wrote {len(rows)} bids to {output}",
        {"status": "ok", "files": {output.name: str(output)}, "bids": rows},
    )


def explain(
    terminal: Terminal,
    result: ResultFile,
    vehicle: Vehicle = None,
    hour: Hour = None,
    scenario: Scenario = None,
    most: Most = 12,
    solve_again: SolveAgain = True,
) -> None:
    """Say in words why a vehicle did what it did: needs, prices, shadow prices and the limits that
    bind.
    """
    if hour is not None and vehicle is None:
        raise typer.BadParameter(
            "explains one vehicle's step: give --vehicle too", param_hint="--hour"
        )
    plan = verified(terminal, result_path(result))
    with terminal.solving("Solving again with one unit more"):
        words = explained(
            plan, vehicle, hour=hour, scenario=scenario, listed=most, solve_again=solve_again
        )
    terminal.answer(
        words, {"status": "ok", "vehicle": vehicle, "hour": hour, "words": words.splitlines()}
    )


def verified(terminal: Terminal, path: Path) -> xr.DataTree:
    """Read a result, replay it, and say what was found and what was not checked.

    Raises
    ------
    SchemaError
        Everything that is no longer as the file says.
    """
    return read_verified(terminal, path)[0]


def read_verified(terminal: Terminal, path: Path) -> tuple[xr.DataTree, Verification]:
    """Return the same with what was found."""
    tree = solved(path)
    found = verify(tree)
    found.raise_for(str(path))
    terminal.say(f"{path.name} was {found.sentence}")
    return tree, found


def solved(path: Path) -> xr.DataTree:
    """Read a result; a case without a plan is refused with the remedy."""
    tree = read_case(path)
    if "ledger" not in tree.children:
        raise InputFileError(
            path, "is a case without a plan: run `v2g solve` and give its result.nc"
        )
    return tree
