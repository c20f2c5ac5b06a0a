"""`report`, `bids`, `explain`: what a result says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
import xarray as xr

from ..case.io import atomic
from ..errors import InputFileError, OutputError
from ..report import tables
from ..report.day_sheet import day_sheet, steps_of_day
from ..report.page import write
from ..report.page.day import render_day
from ..report.result_view import ResultView
from ..report.table_files import CsvStyle, csv_text, write_tables
from ..solve.verification import Verification, verify
from ..study.explain import explain as explained
from .input_files import read_case
from .options import CsvMarks, DryRun, Force, ResultFile, command, result_path
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
        "--output",
        "-o",
        metavar="FILE",
        help="CSV, or a workbook (.xlsx); without it CSV goes to stdout.",
    ),
]
Sheet = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="To print (.html), a workbook (.xlsx) or CSV; without it CSV goes to stdout.",
    ),
]
Day = Annotated[
    str | None, typer.Option("--day", metavar="DATE", help="One local day, e.g. 2019-08-02.")
]
WhichDay = Annotated[
    str,
    typer.Option(
        "--day", metavar="DATE", help="The local day, e.g. 2019-08-02.", show_default=False
    ),
]
Vehicles = Annotated[
    list[str] | None,
    typer.Option("--vehicle", help="Label of one fleet member; repeatable. Without it all."),
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
        app,
        "bids",
        "v2g bids out/result.nc",
        "v2g bids out -o bids.csv",
        "v2g bids out --day 2019-08-02 -o friday.xlsx",
        "v2g bids out -o bids.csv --csv-separator ';' --csv-decimal ,",
        "v2g bids out --json",
    )(bids)
    command(
        app,
        "day",
        "v2g day out --day 2019-08-02",
        "v2g day out --day 2019-08-02 -o friday.html",
        "v2g day out --day 2019-08-02 --vehicle ev-003 --vehicle ev-007 -o friday.xlsx",
    )(day)
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


def bids(
    terminal: Terminal,
    result: ResultFile,
    day: Day = None,
    output: Csv = None,
    force: Force = False,
    *,
    marks: CsvMarks,
) -> None:
    """Give the bids of a result: one row per market or product and step, local time with offset."""
    style = marks.style
    if output is not None:
        refuse_file(output, force)
    tree = verified(terminal, result_path(result))
    table = tables.bids(tree)
    if day is not None:
        steps_of_day(ResultView.of(tree), day)  # refused where the result has no such day
        table = table[table["start"].str.startswith(day)]
    answer_table(terminal, table, "bids", output, force, style)


def day(
    terminal: Terminal,
    result: ResultFile,
    day: WhichDay,
    vehicle: Vehicles = None,
    output: Sheet = None,
    force: Force = False,
    *,
    marks: CsvMarks,
) -> None:
    """Give the sheet of a day: what each vehicle does and holds, in local time; .html is to
    print.
    """
    style = marks.style
    if output is not None:
        refuse_file(output, force)
    tree = verified(terminal, result_path(result))
    table = day_sheet(tree, day, vehicle)
    if output is None or output.suffix.lower() != ".html":
        answer_table(terminal, table, "rows", output, force, style)
        return
    if lacking := report_lacks():
        raise OutputError(f"{output} cannot be written: {lacking}")
    page = render_day(tree, day, vehicle)
    with atomic(output, overwrite=force) as path:
        path.write_text(page, encoding="utf-8")
    answer_written(terminal, table, "rows", output)


def answer_table(
    terminal: Terminal,
    table: pd.DataFrame,
    what: str,
    output: Path | None,
    force: bool,
    style: CsvStyle,
) -> None:
    """Print a table as CSV, or write it as CSV or as a workbook."""
    if output is None:
        rows = table.to_dict("records")
        terminal.answer(csv_text(table, style), {"status": "ok", what: rows})
        return
    with atomic(output, overwrite=force) as path:
        write_tables(path, {what: table}, style)
    answer_written(terminal, table, what, output)


def answer_written(terminal: Terminal, table: pd.DataFrame, what: str, output: Path) -> None:
    """Say what was written."""
    terminal.answer(
        f"wrote {len(table)} {what} to {output}",
        {"status": "ok", "files": {output.name: str(output)}, what: table.to_dict("records")},
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
    tree, found = _replayed(path)
    terminal.say(f"{path.name} was {found.sentence}")
    return tree, found


def all_verified(terminal: Terminal, paths: Sequence[Path]) -> list[xr.DataTree]:
    """Read several results and replay them; what was found of more than one is said once."""
    trees, said = [], dict[str, list[str]]()
    for path in paths:
        tree, found = _replayed(path)
        trees.append(tree)
        said.setdefault(found.sentence, []).append(str(path))
    for sentence, files in said.items():
        verb = "was" if len(files) == 1 else "were"
        terminal.say(f"{', '.join(files)} {verb} {sentence}")
    return trees


def _replayed(path: Path) -> tuple[xr.DataTree, Verification]:
    tree = solved(path)
    found = verify(tree)
    found.raise_for(str(path))
    return tree, found


def solved(path: Path) -> xr.DataTree:
    """Read a result; a case without a plan is refused with the remedy."""
    tree = read_case(path)
    if "ledger" not in tree.children:
        raise InputFileError(
            path, "is a case without a plan: run `v2g solve` and give its result.nc"
        )
    return tree
