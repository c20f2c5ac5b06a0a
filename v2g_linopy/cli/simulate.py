"""`simulate`: operate a case through its gates on what is known by then, and settle it on what
happened.
"""

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import typer
import xarray as xr

from ..case.io import read
from ..errors import Interrupted, OutputError, SchemaError
from ..operate.checkpoint import windows_in
from ..operate.day_ahead_bids import BIDS, CAPS, QUANTITIES, BidRule
from ..operate.dual_settlement import SETTLEMENTS
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
EVERY, SIZE, AHEAD = 1.0, 24.0, 48.0
"""Hours between decisions, of a window and beyond it, unless given."""
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
AcceptanceSeed = Annotated[
    int,
    typer.Option(
        "--acceptance-seed",
        min=0,
        help="Of which reserve offers are accepted, drawn by reserve.accept_probability.",
    ),
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
        metavar="KIND",
        help=(
            "What is bid day-ahead: a quantity (week-ago, mean-of-days, none), the best position in"
            " the mean of earlier days (saa-backed, saa-virtual) or with their worst weighed in"
            " (cvar-backed, cvar-virtual), a quantile for two imbalance prices, or known: a"
            " benchmark, no bid."
        ),
    ),
]
Days = Annotated[
    int,
    typer.Option(
        "--days", min=1, metavar="N", help="Most days of the same class that a bid is made of."
    ),
]
Caps = Annotated[
    str,
    typer.Option(
        "--caps",
        metavar="STATISTIC",
        help=f"Of the connected power, over these days: {', '.join(CAPS)}; caps a virtual bid.",
    ),
]
CapLevel = Annotated[
    float, typer.Option("--cap-level", min=0.0, max=1.0, help="Of the quantile, with --caps.")
]
RiskWeight = Annotated[
    float,
    typer.Option("--risk-weight", min=0.0, max=1.0, help="Weight of the worst days (cvar)."),
]
Confidence = Annotated[
    float,
    typer.Option(
        "--confidence", min=0.0, max=1.0, help="The worst 1 - confidence of the days (cvar)."
    ),
]
Expects = Annotated[
    str,
    typer.Option(
        "--expects",
        metavar="QUANTITY",
        help=(
            f"What is expected to be delivered: {', '.join(QUANTITIES)}; a position beyond it"
            " counts as virtual.  [default: what is bid, or the mean of the days]"
        ),
        show_default=False,
    ),
]
History = Annotated[
    float,
    typer.Option(
        "--history",
        min=0.0,
        metavar="DAYS",
        help="Operate so many days before --start as well, for bids to look back to.",
    ),
]
Settlement = Annotated[
    str,
    typer.Option(
        "--settlement",
        metavar="KIND",
        help=(
            f"How imbalance is settled: {' or '.join(SETTLEMENTS)}. dual: at the worse of the"
            " day-ahead and the imbalance price, which bids but quantile do not reckon with."
        ),
    ),
]


@dataclass(frozen=True)
class Bidding:
    """How the day-ahead auction is bid session by session, on the command line."""

    panel: ClassVar[str] = "Bids"
    bids: BidsOf = "week-ago"
    days: Days = BidRule.days
    caps: Caps = BidRule.caps
    cap_level: CapLevel = BidRule.cap_level
    risk_weight: RiskWeight = BidRule.risk_weight
    confidence: Confidence = BidRule.confidence
    expects: Expects = ""
    history: History = 0.0
    settlement: Settlement = "given"

    def rule(self, policy: str) -> BidRule:
        """Return the rule; options that would do nothing are refused."""
        one_of("--bids", self.bids, BIDS)
        one_of("--caps", self.caps, CAPS)
        one_of("--settlement", self.settlement, SETTLEMENTS)
        if self.expects:
            one_of("--expects", self.expects, QUANTITIES)
        rule = BidRule(
            kind=self.bids,
            days=self.days,
            caps=self.caps,
            cap_level=self.cap_level,
            risk_weight=self.risk_weight,
            confidence=self.confidence,
            expects=self.expects,
        )
        if policy == "model":
            given = {flag(f.name): getattr(self, f.name) != f.default for f in fields(self)}
            refuse_idle("with --policy rule, latest or unmanaged", given)
        self._refuse_idle(rule)
        return rule

    def _refuse_idle(self, rule: BidRule) -> None:
        def given(*names: str) -> dict[str, bool]:
            return {flag(n): getattr(self, n) != getattr(Bidding, n) for n in names}

        if rule.expected != "mean-of-days" and not rule.of_scenarios:
            refuse_idle("with bids that are made of earlier days", given("days"))
        if not self.bids.endswith("virtual"):
            refuse_idle("with --bids saa-virtual or cvar-virtual", given("caps"))
        if self.caps != "quantile":
            refuse_idle("with --caps quantile", given("cap_level"))
        if not self.bids.startswith("cvar"):
            told = "with --bids cvar-backed or cvar-virtual"
            refuse_idle(told, given("risk_weight", "confidence"))


def flag(name: str) -> str:
    """Return the option of a field."""
    return f"--{name.replace('_', '-')}"


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
        "v2g simulate stays.nc -o out --policy rule --bids cvar-virtual --caps min",
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
    acceptance_seed: AcceptanceSeed = 0,
    policy: PolicyOf = "model",
    hindsight: Hindsight = True,
    stage_values: StageValues = False,
    resume: Resume = False,
    *,
    bidding: Bidding,
    files: Files,
) -> None:
    """Operate a case through its gates on forecasts, and settle it on what happened; files as of
    `solve`.

    Every window is kept in DIR/.windows as soon as it is decided: a run that was interrupted goes
    on with --resume."""
    if forecast is not None:
        one_of("--forecast", forecast, FORECASTS)
    one_of("--policy", policy, POLICIES)
    rule = bidding.rule(policy)
    if policy != "model":
        windows = {"--every": every != EVERY, "--window": window != SIZE, "--ahead": ahead != AHEAD}
        refuse_idle("with --policy model: a rule decides in each step", windows)
        refuse_idle("with --policy model: a rule keeps no windows", {"--resume": resume})
    if contracts is None:
        refuse_idle("with --contracts", {"--type-seed": type_seed != 0})
    folder, arguments = output or Path(named_file(case).stem), solving.arguments()
    names, style = files.names(terminal), files.style
    refuse_existing(folder, names, files.force)
    kept = unfinished(folder, resume, files.force)
    tree, notes = checked_case(terminal, case, solving.set_, solving.calls)
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
        "acceptance_seed": acceptance_seed,
        "policy": policy,
        "bids": rule,
        "history": bidding.history,
        "settlement": bidding.settlement,
    }
    arguments |= {"ahead": None if math.isinf(ahead) else ahead}
    with saying_what_is_kept(terminal, folder):
        with staged(folder, names, files.force) as stage:
            result = run_through_gates(terminal, tree, folder, arguments, hindsight, stage_values)
            kpi = write_files(terminal, result, stage, names, style)
        shutil.rmtree(folder / WINDOWS, ignore_errors=True)
    wrote(terminal, case, result, folder, names, kpi)
    tell_sessions(terminal, result)
    if "bid_note" in result.attrs:
        terminal.say(str(result.attrs["bid_note"]))


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
