"""`contract-study`: a menu offered to charging sessions, and when V2G under it pays."""

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import atomic
from ..operate.day_ahead_bids import BIDS
from ..operate.price_forecasts import KNOWN_BY_RULES
from ..report.page.study_page import render_study
from ..report.study_tables import study_tables
from ..report.table_files import CsvStyle, write_tables
from ..study.contract_study import CYCLES, SHARES, SPREADS
from .break_even_map import numbers
from .case_size import size_in_words
from .input_files import read_case
from .options import CaseFile, CsvMarks, Force, command, named_file, one_of
from .output import refuse_existing, report_lacks, staged
from .simulate import BidsOf, Start, Stop, TypeSeed
from .solve import checked_case
from .terminal import Terminal

PAGE = "study.html"
TABLES = (
    *("positions", "runs", "sweeps", "map"),
    *("entry", "contracts", "preferred", "owners"),
)
SPREAD, SHARE = (",".join(f"{x:g}" for x in values) for values in (SPREADS, SHARES))
Menu = Annotated[
    Path, typer.Argument(metavar="MENU", help="A menu of v2g menu.", show_default=False)
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder of study.html and the tables.  [default: the name of the case, -contracts]",
        show_default=False,
    ),
]
Forecast = Annotated[
    str,
    typer.Option(
        "--forecast", help=f"What is known of prices: {', '.join(KNOWN_BY_RULES)}; see simulate."
    ),
]
Numbers = str | None
Terms = Annotated[
    Numbers,
    typer.Option(
        "--term",
        metavar="LIST",
        help="Hours of the term to try.  [default: a third of that of the menu to twice]",
        show_default=False,
    ),
]
Wears = Annotated[
    Numbers,
    typer.Option(
        "--wear",
        metavar="LIST",
        help="Wear of the owners to try, EUR/kWh.  [default: half of that of the menu to five"
        " times]",
        show_default=False,
    ),
]
Spreads = Annotated[
    str, typer.Option("--spread", metavar="LIST", help="Spreads of prices about their mean to try.")
]
Shares = Annotated[
    str, typer.Option("--share", metavar="LIST", help="Shares of the sessions that come to try.")
]
Cycles = Annotated[
    float, typer.Option("--cycles", min=0.0, help="Full cycles that a battery lasts.")
]
SampleSeed = Annotated[
    int, typer.Option("--sample-seed", min=0, help="Of the sessions that come in a smaller fleet.")
]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "contract-study",
        "v2g contract-study stays.nc menu.nc -o study",
        "v2g contract-study stays.nc menu.nc -o study --start 2026-03-04 --stop 2026-03-07",
        "v2g contract-study stays.nc menu.nc --term 1,2,3 --spread 0.5,1,2 --bids none",
    )(contract_study)


def contract_study(
    terminal: Terminal,
    case: CaseFile,
    menu: Menu,
    output: Folder = None,
    forecast: Forecast = "published",
    bids: BidsOf = "week-ago",
    start: Start = None,
    stop: Stop = None,
    term: Terms = None,
    wear: Wears = None,
    spread: Spreads = SPREAD,
    share: Shares = SHARE,
    cycles: Cycles = CYCLES,
    type_seed: TypeSeed = 0,
    sample_seed: SampleSeed = 0,
    force: Force = False,
    *,
    marks: CsvMarks,
) -> None:
    """Offer a menu to charging sessions and operate them under it, beside smart charging, while
    term, wear, spread of prices and size of the fleet are varied: a page, and every number of it.
    """
    one_of("--bids", bids, BIDS)
    one_of("--forecast", forecast, KNOWN_BY_RULES)
    tried = {"--term": term, "--wear": wear, "--spread": spread, "--share": share}
    values = {flag: numbers(flag, word) for flag, word in tried.items() if word is not None}
    folder = output or Path(f"{named_file(case).stem}-contracts")
    names = [*([] if report_lacks() else [PAGE]), *(f"{name}.csv" for name in TABLES)]
    style = marks.style
    refuse_existing(folder, names, force)
    tree, _ = checked_case(terminal, case, None)
    offered = read_case(menu)
    with staged(folder, names, force) as stage:
        with terminal.solving(f"Operating {size_in_words(tree)}", counted=True) as move:
            found = v2g.contract_study(
                tree,
                offered,
                terms=values.get("--term"),
                wears=values.get("--wear"),
                spreads=values["--spread"],
                shares=values["--share"],
                cycles=cycles,
                seed=type_seed,
                sample_seed=sample_seed,
                progress=move,
                forecast=forecast,
                bids=bids,
                start=start,
                stop=stop,
            )
        _write(found, stage, names, style)
    _answer(terminal, found, folder, names)


def _write(found: xr.DataTree, stage: Path, names: list[str], style: CsvStyle) -> None:
    """Write the page and the tables."""
    for name, table in study_tables(found).items():
        with atomic(stage / f"{name}.csv") as path:
            write_tables(path, {name: table}, style)
    if PAGE in names:
        with atomic(stage / PAGE) as path:
            path.write_text(render_study(found), encoding="utf-8")


def _answer(terminal: Terminal, found: xr.DataTree, folder: Path, names: list[str]) -> None:
    """Say what V2G earned, and what was written."""
    runs, money = found["runs"].to_dataset().set_coords([]), str(found.attrs["currency"])
    profit = {str(name): float(x) for name, x in runs["profit"].to_series().items()}
    more = profit["V2G"] - profit["smart"]
    owners = float(runs["owners"].sel(run="V2G"))
    entry = found["entry"]["count"]
    counts = {str(r): int(x) for r, x in entry.sum("type").to_series().items()}
    lines = [
        f"V2G earns {abs(more):.2f} {money} {'more' if more >= 0 else 'less'} than smart charging;"
        f" owners are paid {owners:.2f} {money}",
        f"contracts: {', '.join(f'{reason} {count}' for reason, count in counts.items())}",
        f"wrote {', '.join(names)} to {folder}",
    ]
    document = {
        "status": "ok",
        "currency": money,
        "profit": profit,
        "gain": more,
        "owners": owners,
        "entry": counts,
        "files": {name: str(folder / name) for name in names},
    }
    terminal.answer("\n".join(lines), document)
