"""`simulate`: operate a case through its gates on what is known by then, and settle it on what
happened.
"""

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr

from ..case.io import read
from ..errors import Interrupted, OutputError, SchemaError
from ..operate.checkpoint import windows_in
from ..operate.day_ahead_bids import BIDS
from ..operate.online import POLICIES
from ..operate.simulate import FORECASTS, simulate
from ..operate.stage_values import stage_values
from ..study.wear import with_wear
from .case_size import counted, size_in_words
from .options import CaseFile, Solving, command, named_file, one_of
from .output import refuse_existing, staged
from .solve import Files, Folder, checked_case, would_write, write_files, wrote
from .terminal import Terminal

WINDOWS = ".windows"
"""Folder beside the result in which an unfinished run keeps what it has decided."""
EVERY, SIZE, AHEAD, DAYS = 1.0, 24.0, 48.0, 10
"""Hours between decisions, of a window and beyond it, and days of a mean, unless given."""
ForecastOf = Annotated[
    str | None,
    typer.Option(
        "--forecast",
        metavar="KIND",
        help=(
            "What a plan knows of later steps: vintage (the forecasts of /vintage), published"
            " (prices of auctions from an hour after their gate on, imbalance expected at them),"
            " naive (the same hour of an earlier day) or perfect.  [default: vintage where the case"
            " has them, else perfect]"
        ),
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        help="Operate from here (UTC, e.g. 2026-03-08); what lies before is known.",
    ),
]
Stop = Annotated[str | None, typer.Option("--stop", metavar="TIME", help="Operate to here (UTC).")]
Every = Annotated[
    float,
    typer.Option(
        "--every",
        metavar="HOURS",
        help="Hours between decisions; gates in between are one as well.",
    ),
]
Size = Annotated[
    float, typer.Option("--window", metavar="HOURS", help="Hours decided in one model, then kept.")
]
Ahead = Annotated[
    float,
    typer.Option(
        "--ahead",
        metavar="HOURS",
        help="How far a plan reaches beyond its window; inf: to the end.",
    ),
]
MenuFile = Annotated[
    Path | None,
    typer.Option(
        "--contracts",
        metavar="MENU",
        help="Offer this menu (of v2g menu) to the owner of each session on its arrival.",
    ),
]
TypeSeed = Annotated[
    int, typer.Option("--type-seed", min=0, help="Of the types of owners, drawn from the shares.")
]
PolicyOf = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="KIND",
        help=(
            "How it is operated: model (of the whole case), or session by session where no row of"
            " the case binds two together: rule (in the steps that are cheapest by the forecast),"
            " latest (as late as the need allows) or unmanaged (at once)."
        ),
    ),
]
BidsOf = Annotated[
    str,
    typer.Option(
        "--bids",
        metavar="QUANTITY",
        help=(
            "What session by session is bought day-ahead: week-ago (as at that hour), mean-of-days"
            " (of the same class), none, or known (what is drawn, as if it were known)."
        ),
    ),
]
Days = Annotated[int, typer.Option("--days", min=1, metavar="N", help="Most days of mean-of-days.")]
Hindsight = Annotated[
    bool,
    typer.Option(
        "--hindsight/--no-hindsight", help="Solve it once more knowing everything, for the regret."
    ),
]
StageValues = Annotated[
    bool,
    typer.Option(
        "--stage-values", help="Run it again with one market more each time: what is each worth?"
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with a run that was interrupted, from its last window."),
]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "simulate",
        "v2g simulate depot.nc -o out",
        "v2g simulate depot.nc -o out --forecast naive --start 2026-03-08 --stop 2026-03-15",
        "v2g simulate depot.nc -o out --policy rule --forecast published --bids mean-of-days",
        "v2g simulate stays.nc -o out --contracts menu.nc --type-seed 7 --policy rule",
        "v2g simulate depot.nc -o out --resume",
        "v2g simulate depot.nc -o out --every 0.25 --window 24 --ahead 36 --stage-values",
    )(simulated)


def simulated(
    terminal: Terminal,
    case: CaseFile,
    solving: Solving,
    output: Folder = None,
    forecast: ForecastOf = None,
    start: Start = None,
    stop: Stop = None,
    every: Every = EVERY,
    window: Size = SIZE,
    ahead: Ahead = AHEAD,
    contracts: MenuFile = None,
    type_seed: TypeSeed = 0,
    policy: PolicyOf = "model",
    bids: BidsOf = "week-ago",
    days: Days = DAYS,
    hindsight: Hindsight = True,
    stage_values: StageValues = False,
    resume: Resume = False,
    *,
    files: Files,
) -> None:
    """Operate a case through its gates on forecasts, and settle it on what happened; files as of
    `solve`.

    Every window is kept in DIR/.windows as soon as it is decided: a run that was interrupted goes
    on with --resume."""
    if forecast is not None:
        one_of("--forecast", forecast, FORECASTS)
    one_of("--policy", policy, POLICIES)
    one_of("--bids", bids, BIDS)
    if policy == "model":
        refuse_idle("with --policy rule, latest or unmanaged", {"--bids": bids != BIDS[0]})
    else:
        windows = {"--every": every != EVERY, "--window": window != SIZE, "--ahead": ahead != AHEAD}
        refuse_idle("with --policy model: a rule decides in each step", windows)
        refuse_idle("with --policy model: a rule keeps no windows", {"--resume": resume})
    if bids != "mean-of-days":
        refuse_idle("with --bids mean-of-days", {"--days": days != DAYS})
    if contracts is None:
        refuse_idle("with --contracts", {"--type-seed": type_seed != 0})
    folder, arguments = output or Path(named_file(case).stem), solving.arguments()
    names, style = files.names(terminal), files.style
    refuse_existing(folder, names, files.force)
    kept = unfinished(folder, resume, files.force)
    tree, notes = checked_case(terminal, case, solving.set_)
    if files.dry_run:
        would_write(terminal, f"Simulating {case}", tree, notes, folder, names)
        return
    if kept and not resume:
        shutil.rmtree(folder / WINDOWS)
    if resume:
        terminal.say(
            f"{counted(kept, 'window')} kept; going on from there"
            if kept
            else "nothing to resume: a new run"
        )
    arguments |= {
        "forecast": forecast,
        "start": start,
        "stop": stop,
        "every": every,
        "window": window,
        "contracts": None if contracts is None else read(contracts),
        "seed": type_seed,
        "policy": policy,
        "bids": bids,
        "days": days,
    }
    arguments |= {"ahead": None if math.isinf(ahead) else ahead}
    with saying_what_is_kept(terminal, folder):
        with staged(folder, names, files.force) as stage:
            result = run_through_gates(terminal, tree, folder, arguments, hindsight, stage_values)
            kpi = write_files(terminal, result, stage, names, style)
        shutil.rmtree(folder / WINDOWS, ignore_errors=True)
    wrote(terminal, case, result, folder, names, kpi)
    tell_sessions(terminal, result)


def refuse_idle(use: str, given: Mapping[str, bool]) -> None:
    """Raise for options that are given and would do nothing; `use` says where they do something."""
    if idle := [flag for flag, is_given in given.items() if is_given]:
        raise typer.BadParameter(f"is of use only {use}", param_hint=", ".join(idle))


def tell_sessions(terminal: Terminal, result: xr.DataTree) -> None:
    """Say how many owners agreed to a contract, and which need was not served."""
    if "sessions" not in result.children:
        return
    sessions = result.children["sessions"].to_dataset(inherit=False)
    if "contract_reason" in sessions:
        reasons = sessions.contract_reason.to_series().value_counts()
        said = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        terminal.say(f"contracts of {counted(sessions.sizes['session'], 'session')}: {said}")
    short = sessions.energy_unserved.to_numpy() if "energy_unserved" in sessions else np.zeros(0)
    if some := int((short > 1e-6).sum()):
        why = sessions.unserved_reason.to_series()[short > 1e-6].value_counts()
        said = ", ".join(f"{reason} {count}" for reason, count in why.items())
        terminal.say(f"{counted(some, 'session')} missed {short.sum():.6g} kWh of need: {said}")


def run_through_gates(
    terminal: Terminal,
    tree: xr.DataTree,
    folder: Path,
    arguments: Mapping[str, Any],
    hindsight: bool,
    stages: bool,
) -> xr.DataTree:
    """Run the case, and again with each market left out that closes later, if asked for."""
    checkpoint = folder / WINDOWS
    with terminal.solving(f"Simulating {size_in_words(tree)}", counted=True) as move:
        result = simulate(
            tree, checkpoint=checkpoint, hindsight=hindsight, progress=move, **arguments
        )
    if stages:
        with terminal.solving("Value of each market", counted=True) as move:
            values = stage_values(tree, result, progress=lambda stage: move, **arguments)
            result["stages"] = xr.DataTree(values)
    return with_wear(result)


def unfinished(folder: Path, resume: bool, force: bool) -> int:
    """Count the windows of a run that was interrupted.

    One that is neither resumed nor given up is refused.
    """
    kept = len(windows_in(folder / WINDOWS))
    if kept and not (resume or force):
        raise OutputError(
            f"{folder}: holds a run that was interrupted, {counted(kept, 'window')} of it in"
            f" {WINDOWS}; go on with --resume, or start anew with --force"
        )
    return kept


@contextmanager
def saying_what_is_kept(terminal: Terminal, folder: Path) -> Iterator[None]:
    """Tell what is kept where a run does not come to its end."""
    try:
        yield
    except BaseException as error:
        kept = len(windows_in(folder / WINDOWS))
        if not kept or isinstance(error, SchemaError):
            raise
        notice = (
            f"{counted(kept, 'window')} kept in {folder / WINDOWS}; the same command with --resume"
            " goes on"
        )
        if isinstance(error, KeyboardInterrupt | Interrupted):
            raise Interrupted(f"interrupted: {notice}") from error
        terminal.say(notice)
        raise
