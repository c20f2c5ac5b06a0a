"""`check`, `solve`, `compare`: from a case file to the plan, the bids, the figures and the
report.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import atomic
from ..delivery.call_states import CALLS
from ..errors import Interrupted, OutputError, SchemaError
from ..model.contracts import SCHEMA as CONTRACT_SCHEMA
from ..model.contracts import contract_of, is_menu
from ..report import tables
from ..report.found_in_rounds import rounds_in_words
from ..report.page import write
from ..report.page.content import headline
from ..report.result_view import ResultView
from ..report.schedule_and_bids import rests_on_buying_back, rests_on_mean_calls
from ..report.table_files import CsvStyle, workbook_lacks, write_tables
from ..study.attribution import bills, letters
from ..study.input_differences import input_differences
from ..study.profit_sources import SOURCES, has_sources, profit_sources
from ..study.wear import with_wear
from .case_size import counted, member_counts, size_in_words
from .input_files import read_case, read_record
from .inspect import all_verified
from .options import (
    METHODS,
    CaseFile,
    CsvMarks,
    DryRun,
    Force,
    Method,
    Set,
    Solving,
    command,
    named_file,
    one_of,
    result_path,
)
from .output import refuse_existing, report_lacks, staged
from .set_option import changed
from .steps_of_profit import PAGE, TABLE, runs_that_know, steps_between, written_steps
from .terminal import Terminal, headed, to_json

FILES = ("result.nc", "schedule.csv", "bids.csv", "bill.csv", "kpi.json", "report.html")
WORKBOOK = "tables.xlsx"
BID_CURVE = "bid_curve.csv"
"""Written as well where a market takes curves."""
STOPPED_AT_A_LIMIT = 6
MOST_DIFFERENCES = 20
"""Inputs that are listed before the rest is only counted."""
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for the files.  [default: the case's name]"
    ),
]
Others = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="RESULT",
        help="With one or more, CASE is a result as well, and all are compared.",
        show_default=False,
    ),
]
Perfect = Annotated[
    list[str] | None,
    typer.Option(
        "--perfect",
        metavar="NAME=RESULT",
        help=(
            "Of several results, the run of one of them with --forecast perfect: what it would earn"
            " more is told beside the steps."
        ),
    ),
]
Operated = Annotated[
    Path | None,
    typer.Option(
        "--operated",
        metavar="RESULT",
        help="A run of v2g simulate of the case: what does not knowing the future take?",
    ),
]
Xlsx = Annotated[
    bool, typer.Option("--xlsx/--no-xlsx", help="Write the tables as one workbook as well.")
]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html as well.")]


@dataclass(frozen=True)
class Files(CsvMarks):
    """Which files of a result are written, over what, and in which marks."""

    panel: ClassVar[str] = ""
    report: Report = True
    xlsx: Xlsx = False
    force: Force = False
    dry_run: DryRun = False

    def names(self, terminal: Terminal) -> list[str]:
        """The files of a result, without the report where it cannot or shall not be written."""
        lacking = report_lacks()
        if self.report and lacking:
            terminal.say(f"no report.html: {lacking}")
        if self.xlsx and (missing := workbook_lacks()):
            raise OutputError(f"{WORKBOOK} cannot be written: {missing}")
        names = [name for name in FILES if name != "report.html" or (self.report and not lacking)]
        return [*names, *([WORKBOOK] if self.xlsx else [])]


def add(app: typer.Typer) -> None:
    """Add the commands to the app."""
    command(app, "check", "v2g check depot.nc", "v2g check depot.nc --json")(check)
    command(
        app,
        "solve",
        "v2g solve depot.nc -o out",
        "v2g solve depot.nc -o smart --set fleet.discharge_max=0",
        "v2g solve depot.nc -o out --force --gap 1e-4 --time-limit 60 --option threads=1",
        "v2g solve city.nc -o out --method decompose",
    )(solve)
    command(
        app,
        "compare",
        "v2g compare depot.nc -o ladder",
        "v2g compare depot.nc -o ladder --json -q",
        "v2g compare depot.nc -o ladder --operated out",
        "v2g compare out smart slow",
        "v2g compare no-control smart v2g --perfect smart=smart-known -o steps",
    )(compare)


def check(terminal: Terminal, case: CaseFile, set_: Set = None) -> None:
    """Check a case and list everything that is wrong with it, or what had to be assumed."""
    if is_menu(tree := read_case(case)) and not set_:
        check_menu(terminal, case, tree)
        return
    tree, notes = checked_case(terminal, case, set_)
    words = [f"{case}: no problems; {size_in_words(tree)}", *(f"  {note}" for note in notes)]
    terminal.answer(
        "\n".join(words),
        {"status": "ok", "case": str(case), **member_counts(tree), "assumptions": list(notes)},
    )


def check_menu(terminal: Terminal, path: Path, tree: xr.DataTree) -> None:
    """Check a file that holds a menu alone."""
    try:
        contracts = contract_of(tree)
    except SchemaError as error:
        raise SchemaError(error.problems, source=str(path)) from None
    types, state = (
        contracts.sizes["type"],
        "offered" if "payment" in contracts else "to be designed",
    )
    notes = CONTRACT_SCHEMA.assumptions(
        tree["contract"].to_dataset(), "contract", str(tree.attrs.get("currency", "EUR"))
    )
    words = f"{path}: no problems; a menu for {counted(types, 'type')} of owners, {state}"
    document = {"status": "ok", "case": str(path), "types": types, "assumptions": notes}
    terminal.answer("\n".join([words, *(f"  {note}" for note in notes)]), document)


def solve(
    terminal: Terminal,
    case: CaseFile,
    solving: Solving,
    output: Folder = None,
    *,
    method: Method = "auto",
    files: Files,
) -> None:
    """Find the best plan of a case; write result.nc, schedule.csv, bids.csv, bill.csv, kpi.json and
    report.html.
    """
    work = partial(v2g.solve, method=one_of("--method", method, METHODS))
    solve_and_write(terminal, case, solving, output, files, work, "Solving")


def compare(
    terminal: Terminal,
    case: CaseFile,
    solving: Solving,
    others: Others = None,
    output: Folder = None,
    perfect: Perfect = None,
    operated: Operated = None,
    *,
    files: Files,
) -> None:
    """Climb the value ladder of a case (unmanaged, smart, V2G, reserves); write the files of the
    top rung.

    Of several results, show the bills side by side, the inputs that differ, and step by step from
    which source each earns more than the one before, where there is imbalance; nothing is solved,
    and -o writes the steps as steps.csv and a page with their figure, steps.html.
    """
    if others and operated is not None:
        raise typer.BadParameter("is of use only with one case", param_hint="--operated")
    if others:
        allowed = ("--force", "--report", "--csv-separator", "--csv-decimal") if output else ()
        useless = [*given_of(solving), *(x for x in given_of(files) if x not in allowed)]
        if useless:
            raise typer.BadParameter(
                "results are compared as they are, nothing is solved, and only -o writes a table"
                " and a page; leave it out, or take the table from --json",
                param_hint=", ".join(useless),
            )
        compare_results(terminal, [case, *others], perfect, output, files)
        return
    if perfect:
        raise typer.BadParameter("is of use only with several results", param_hint="--perfect")
    run = None if operated is None else all_verified(terminal, [result_path(operated)])[0]
    work = partial(v2g.compare, operated=run)
    solve_and_write(terminal, case, solving, output, files, work, "Comparing")


def given_of(options: Solving | Files) -> list[str]:
    """Return the options that are not as they are by default."""
    return [
        f"--{field.name.strip('_').replace('_', '-')}"
        for field in fields(options)
        if getattr(options, field.name) != field.default
    ]


def compare_results(
    terminal: Terminal,
    paths: Sequence[Path],
    perfect: Sequence[str] | None,
    output: Path | None,
    files: Files,
) -> None:
    """Print the bills of results by cause, entry by entry, which inputs differ from the first, and
    what each adds to the one before it, by source.
    """
    known = runs_that_know(perfect, paths)
    trees = all_verified(terminal, [result_path(path) for path in paths])
    lines, document = bills_side_by_side(trees, paths)
    if steps := steps_between(terminal, trees, paths, known):
        lines += ["", *steps.lines()]
        document |= steps.document()
    if output and steps is None:
        detail = "there is nothing to write: only results with a market and imbalance have steps"
        raise typer.BadParameter(detail, param_hint="--output")
    if output and steps:
        page = files.report
        said = written_steps(steps, output, files.style, page=page, force=files.force)
        lines += ["", said]
        document["files"] = {n: str(output / n) for n in (TABLE, *([PAGE] if page else []))}
    terminal.answer("\n".join(lines), document)


def bills_side_by_side(
    trees: Sequence[xr.DataTree], paths: Sequence[Path]
) -> tuple[list[str], dict[str, Any]]:
    """Return bills, sources and the inputs that differ, in words and for machines."""
    money, names = trees[0].attrs.get("currency", "EUR"), letters(len(paths))
    table = bills(trees)
    profit = [float(tree.attrs["profit"]) for tree in trees]
    lines = [
        ": ".join([f"{name} is {path}", *headed(tree.attrs)])
        for name, path, tree in zip(names, paths, trees, strict=True)
    ]
    changes = [f"{name} - {names[0]}" for name in names[1:]]
    lines += ["", f"{money:<30}" + "".join(f"{head:>13}" for head in (*names, *changes))]
    lines.append(bill_line("profit", profit))
    for cause, entries in table.groupby("cause", sort=False):
        told = "penalties (not in profit)" if cause == "penalties" else str(cause)
        lines.append(bill_line(told, list(entries[names].sum())))
        lines += [
            bill_line(f"  {entry}", list(row))
            for entry, row in zip(entries["entry"], entries[names].to_numpy(), strict=True)
        ]
    if sources := sources_of(trees):
        lines += ["", "where the objective comes from"]
        lines += [bill_line(f"  {name}", [x[name] for x in sources]) for name in SOURCES]
    differ = [input_differences(trees[0], tree) for tree in trees[1:]]
    for name, found in zip(names[1:], differ, strict=True):
        lines += ["", *difference_lines(names[0], name, found)]
    entries = table.rename(columns={"A": "one", "B": "other"}) if len(paths) == 2 else table
    document = {
        "status": "ok",
        "currency": money,
        "results": dict(zip(names, map(str, paths), strict=True)),
        "profit": profit,
        "entries": entries.to_dict("records"),
        "sources": [x.to_dict() for x in sources],
        "inputs": {
            name: found.to_dict("records") for name, found in zip(names[1:], differ, strict=True)
        },
    }
    return lines, document


def sources_of(trees: Sequence[xr.DataTree]) -> list[pd.Series]:
    """What each result earned by source; empty where one has no market or no imbalance."""
    return [profit_sources(tree) for tree in trees] if all(map(has_sources, trees)) else []


def bill_line(name: str, amounts: Sequence[float]) -> str:
    """A line of the table: what stands in each result, and the changes against the first."""
    changes = "".join(f"{x - amounts[0]:>+13.2f}" for x in amounts[1:])
    return f"{name:<30}" + "".join(f"{x:>13.2f}" for x in amounts) + changes


def difference_lines(first: str, name: str, found: pd.DataFrame) -> list[str]:
    """The inputs that differ between two results, in words."""
    if found.empty:
        return [f"{first} and {name} have the same inputs"]
    lines = [f"inputs that differ, {first} -> {name}"]
    for row in found.head(MOST_DIFFERENCES).to_dict("records"):
        field = f"{row['field']} ({row['unit']})" if row["unit"] else f"{row['field']}"
        at = "" if row["where"] in ("", "everywhere") else f"  [{row['where']}]"
        lines.append(f"  {field:<32} {row['one']} -> {row['other']}{at}")
    more = len(found) - MOST_DIFFERENCES
    return [*lines, *([f"  … and {more} more; --json lists all"] if more > 0 else [])]


def solve_and_write(
    terminal: Terminal,
    case: Path,
    solving: Solving,
    output: Path | None,
    files: Files,
    work: Callable[..., xr.DataTree],
    verb: str,
    *,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Read, change, check, solve and write; exit code 6 where a limit stopped the solver.

    `done` is called once the files stand.
    """
    folder, arguments = output or Path(named_file(case).stem), solving.arguments()
    style = files.style
    names = files.names(terminal)
    refuse_existing(folder, names, files.force)
    tree, notes = checked_case(terminal, case, solving.set_, solving.calls)
    if tables.curved(tree):
        names.insert(names.index("bids.csv") + 1, BID_CURVE)
        refuse_existing(folder, names, files.force)
    if files.dry_run:
        would_write(terminal, f"{verb} {case}", tree, notes, folder, names)
        return
    for note in notes if terminal.verbose else ():
        terminal.say(f"assumed {note}")
    if notes and not terminal.verbose:
        terminal.say(f"{counted(len(notes), 'default')} assumed; `v2g check {case}` lists them")
    with staged(folder, names, files.force) as stage:
        with terminal.solving(f"{verb} {size_in_words(tree)}"):
            result = with_wear(work(tree, **arguments))
        kpi = write_files(terminal, result, stage, names, style)
    done()
    wrote(terminal, case, result, folder, names, kpi)


def would_write(
    terminal: Terminal,
    doing: str,
    tree: xr.DataTree,
    notes: Sequence[str],
    folder: Path,
    names: list[str],
) -> None:
    """Say what a run without `--dry-run` would do."""
    document = {
        "status": "dry run",
        **member_counts(tree),
        "files": file_paths(folder, names),
        "assumptions": list(notes),
    }
    files = f"{', '.join(names)} to {folder}"
    words = f"{doing} ({size_in_words(tree)}) would write {files}; nothing was done"
    terminal.answer(words, document)


def wrote(
    terminal: Terminal,
    case: Path,
    result: xr.DataTree,
    folder: Path,
    names: list[str],
    kpi: Mapping[str, Any],
) -> None:
    """Say what was found and written; exit code 6 where a limit stopped the solver."""
    for name in sorted({*FILES, BID_CURVE, WORKBOOK} - {*names}):
        if (folder / name).exists():
            terminal.say(f"{folder / name} is of an earlier run, and was left as it is")
    status = str(result.attrs["status"])
    document = {"status": status, "case": str(case), "files": file_paths(folder, names), "kpi": kpi}
    try:
        terminal.answer(summary(result, folder, names, terminal.verbose > 0), document)
    except KeyboardInterrupt as late:
        raise Interrupted(f"interrupted, but all files were written to {folder}") from late
    if status != "optimal":
        raise typer.Exit(STOPPED_AT_A_LIMIT)


def checked_case(
    terminal: Terminal, path: Path, changes: list[str] | None, calls: str = "given"
) -> tuple[xr.DataTree, tuple[str, ...]]:
    """Read, change and check a case; problems are told under the name of the file."""
    tell, tree = calls_told(calls), changed(read_case(path), changes, terminal.say)
    try:
        if tell is not None:
            tree = tell(tree)
        return tree, v2g.check(tree)
    except SchemaError as error:
        raise SchemaError(error.problems, source=str(path)) from None


def calls_told(word: str) -> Callable[[xr.DataTree], xr.DataTree] | None:
    """Return what tells the calls of a case: a word of `--calls`; any other names a record."""
    if word in CALLS:
        return CALLS[word]
    if not Path(word).suffix:
        one_of("--calls", word, [*CALLS, "a file"])
    record = read_record(Path(word))
    return lambda tree: v2g.with_calls_from_record(tree, record)


def write_files(
    terminal: Terminal,
    result: xr.DataTree,
    folder: Path,
    names: list[str],
    style: CsvStyle,
) -> Mapping[str, Any]:
    """Write the files of a result into a folder; return the key figures."""
    with terminal.progress("Writing"):
        view = ResultView.of(result)
        kpi = tables.kpi(view)
        v2g.write(result, folder / "result.nc")
        tables_of: dict[str, Callable[..., Any]] = {
            "schedule.csv": tables.schedule,
            "bids.csv": tables.bids,
            "bill.csv": tables.monthly,
        }
        if BID_CURVE in names:
            tables_of[BID_CURVE] = tables.bid_curves
        sheets = {name: table(view) for name, table in tables_of.items()}
        for name, table in sheets.items():
            with atomic(folder / name) as path:
                write_tables(path, {name: table}, style)
        if WORKBOOK in names:
            with atomic(folder / WORKBOOK) as path:
                write_tables(path, {Path(name).stem: table for name, table in sheets.items()})
        with atomic(folder / "kpi.json") as path:
            path.write_text(to_json(kpi), encoding="utf-8")
        if "report.html" in names:
            write.write_page(view, folder / "report.html", check=False)
    return kpi


def summary(result: xr.DataTree, folder: Path, names: list[str], detailed: bool = False) -> str:
    """The result in a few lines; how it was found in blocks only where details are asked for."""
    attrs, currency = result.attrs, result.attrs.get("currency", "EUR")
    lines = [
        *headed(attrs),
        f"{attrs['status']}: profit {attrs['profit']:.2f} {currency} ({size_in_words(result)})",
    ]
    if "ladder" in result.children:
        profit = result["ladder"].to_dataset()["profit"]
        lines += [
            f"  {rung!s:<20}{float(profit.sel(rung=rung)):>14.2f} {currency}"
            for rung in profit["rung"].values
        ]
        lines.append(headline(ResultView.of(result)))
    lines += summary_of_gates(result)
    lines += rounds_in_words(result)
    fleet = result["fleet"].to_dataset() if "fleet" in result.children else xr.Dataset()
    missing = sum(float(fleet[n].sum()) for n in ("unserved", "unserved_trip") if n in fleet)
    if missing > 1e-6:
        lines.append(
            f"{missing:.2f} kWh of need could not be served; `v2g explain {folder}` names the"
            " vehicles"
        )
    if rests_on_mean_calls(ResultView.of(result)):
        lines.append(
            "reserves are backed for mean calls only (reserve.guarantee is expected); `v2g replay"
            f" {folder} --random 20` shows what other calls would break"
        )
    if assumed := rests_on_buying_back(ResultView.of(result)):
        lines.append(assumed)
    for attribute in ("complementarity", *(["block_note"] if detailed else [])):
        if attrs.get(attribute):
            lines.append(str(attrs[attribute]))
    return "\n".join([*lines, f"wrote {', '.join(names)} to {folder}"])


def summary_of_gates(result: xr.DataTree) -> list[str]:
    """Return what a run through the gates adds to the headline.

    These are decisions, hindsight, regret, and the value of each market.
    """
    attrs, currency = result.attrs, result.attrs.get("currency", "EUR")
    if "decisions" not in attrs:
        return []
    lines = [f"  {counted(int(attrs['decisions']), 'decision')}, forecast: {attrs['forecast']}"]
    if "regret" in attrs:
        best = attrs["objective_hindsight"]
        lines.append(
            f"  with hindsight {best:.2f} {currency}; regret {attrs['regret']:.2f} {currency}"
        )
    if "stages" in result.children:
        table = result["stages"].to_dataset()
        lines += [
            f"  {'with ' if k == 0 else '  and '}{stage}".ljust(22)
            + f"{float(x):>14.2f} {currency}"
            for k, (stage, x) in enumerate(zip(table.stage.values, table["profit"], strict=True))
        ]
    return lines


def file_paths(folder: Path, names: list[str]) -> dict[str, str]:
    """Where each file stands."""
    return {name: str(folder / name) for name in names}
