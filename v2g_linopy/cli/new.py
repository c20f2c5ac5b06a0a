"""`new`: a case to start from, made by a generator with a seed."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
import xarray as xr

import v2g_linopy as v2g

from .. import data
from ..data.generators.templates import GENERATORS, HOURS
from .case_size import member_counts, size_in_words
from .options import DryRun, Force, Set, command, one_of
from .output import case_path, refuse_file
from .set_option import changed
from .terminal import Terminal, headed

LONGEST = 300
"""Letters of an assumption shown; a list of sessions can be long."""


class Template(StrEnum):
    """The names of `GENERATORS`."""

    COMMUTERS = "commuters"
    FLEETS = "fleets"
    DEPOT = "depot"
    HOMES_AND_DEPOT = "homes-and-depot"
    SITE = "site"
    PORTFOLIO = "portfolio"
    VPP = "vpp"
    NORDIC_FCR = "nordic-fcr"
    SEQUENTIAL = "sequential"
    CHARGING_STATION = "charging-station"


class PriceWorld(StrEnum):
    """The price worlds of the template `fleets`."""

    FEW = "few"
    UNMANAGED = "unmanaged"
    SMART = "smart"


Name = Annotated[
    Path,
    typer.Argument(metavar="NAME", help="Case file to make; .nc is added.", show_default=False),
]
Kind = Annotated[Template, typer.Option("--template", "-t", help="What kind of case.")]
Vehicles = Annotated[
    int | None,
    typer.Option(
        "--vehicles", min=1, help="Vehicles; of each fleet for fleets, of all for portfolio."
    ),
]
Days = Annotated[int | None, typer.Option("--days", min=1, help="Local days.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Of all that is random: the same seed, the same case.")
]
Start = Annotated[
    str | None, typer.Option("--start", metavar="DATE", help="First local day, e.g. 2026-03-28.")
]
Pods = Annotated[
    int | None, typer.Option("--pods", min=1, help="Points of delivery of portfolio or vpp.")
]
Gates = Annotated[
    bool, typer.Option("--gates", help="A portfolio with a day-ahead gate, forecasts, imbalance.")
]
Settlement = Annotated[
    str | None,
    typer.Option(
        "--settlement",
        metavar="RULE",
        help="What commuters' regulation is paid: capacity or energy.",
    ),
]
Prices = Annotated[PriceWorld | None, typer.Option("--world", help="Price world of fleets.")]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "new",
        "v2g new demo --template homes-and-depot",
        "v2g new study --template commuters --settlement energy",
        "v2g new summer --template commuters --vehicles 100 --days 92 --seed 7",
        "v2g new islands --template fleets --world smart --days 7",
        "v2g new office --template site --vehicles 20 --days 31 --start 2026-03-01",
        "v2g new group --template portfolio --pods 10 --vehicles 30 --days 3",
        "v2g new plant --template vpp --pods 50",
        "v2g new reserves --template nordic-fcr --vehicles 20 --days 2",
        "v2g new markets --template sequential --days 3",
        "v2g new vans --template depot --start 2026-03-28 --set fleet.discharge_max=0",
    )(new)


@dataclass(frozen=True)
class Writing:
    """How the case that a command makes is changed and written."""

    panel: ClassVar[str] = ""
    set_: Set = None
    force: Force = False
    dry_run: DryRun = False

    def path(self, name: Path) -> Path:
        """The case file to write; one that exists is refused before the work starts."""
        path = case_path(name)
        refuse_file(path, self.force)
        return path

    def finish(self, terminal: Terminal, case: xr.DataTree, path: Path) -> None:
        """Change, check and write a case, and tell what it assumes."""
        self.write(terminal, changed(case, self.set_, terminal.say), path)

    def write(self, terminal: Terminal, case: xr.DataTree, path: Path) -> None:
        """Check and write a case, and tell what it assumes."""
        v2g.check(case)
        if not self.dry_run:
            v2g.write(case, path, overwrite=self.force)
        notes = str(case.attrs.get("assumptions", "")).splitlines()
        warnings = str(case.attrs.get("warnings", "")).splitlines()
        for warning in warnings:
            terminal.say(f"warning: {warning}")
        lines = headed(case.attrs)
        lines += [f"{'would write' if self.dry_run else 'wrote'} {path}: {size_in_words(case)}"]
        if not terminal.quiet:
            lines += [
                f"  {n if len(n) <= LONGEST else n[:LONGEST] + ' … (all in the file)'}"
                for n in notes
            ]
            lines += [] if self.dry_run else [f"next: v2g {next_command(case)} {path}"]
        status = "dry run" if self.dry_run else "ok"
        document = {
            "status": status,
            "case": str(path),
            **member_counts(case),
            "assumptions": notes,
            "warnings": warnings,
            "not_a_market": str(case.attrs.get("not_a_market", "")),
        }
        terminal.answer("\n".join(lines), document)


def new(
    terminal: Terminal,
    name: Name,
    template: Kind = Template.HOMES_AND_DEPOT,
    vehicles: Vehicles = None,
    days: Days = None,
    seed: Seed = 0,
    start: Start = None,
    pods: Pods = None,
    world: Prices = None,
    gates: Gates = False,
    settlement: Settlement = None,
    *,
    writing: Writing,
) -> None:
    """Make a case from a template; what it assumes is written into the file and told."""
    path = writing.path(name)
    given = {"vehicles": vehicles, "days": days, "start": day(start), "pods": pods}
    given |= {"gates": gates or None, "world": None if world is None else world.value}
    given |= {"settlement": settlement}
    chosen = {key: value for key, value in given.items() if value is not None}
    writing.finish(terminal, generated(template, seed, chosen), path)


ONLY = {
    "world": (Template.FLEETS,),
    "pods": (Template.PORTFOLIO, Template.VPP),
    "gates": (Template.PORTFOLIO,),
    "settlement": (Template.COMMUTERS,),
    "vehicles": tuple(kind for kind in Template if kind is not Template.VPP),
}
"""Options that are for some templates, by their names."""


def generated(template: Template, seed: int, given: dict[str, Any]) -> xr.DataTree:
    """Call the generator with what was given; the rest is its own default."""
    for name, kinds in ONLY.items():
        if name in given and template not in kinds:
            words = f"is for {' and '.join(kinds)}, not for {template}"
            raise typer.BadParameter(words, param_hint=f"--{name}")
    if template is Template.FLEETS:
        of_fleets = {"days": "hours"}
        given = {of_fleets.get(name, name): value for name, value in given.items()}
        given |= {"hours": HOURS * given["hours"]} if "hours" in given else {}
    if "settlement" in given:
        rule = one_of("--settlement", given.pop("settlement"), ("capacity", "energy"))
        given["regulation"] = data.Regulation(settlement=rule)  # type: ignore[arg-type]
    return GENERATORS[template.value](seed=seed, **given)


def day(word: str | None, flag: str = "--start") -> str | None:
    """A date as ISO 8601, if it is given: 02.08.2019 is one day here and another there."""
    try:
        return None if word is None else date.fromisoformat(word).isoformat()
    except ValueError:
        raise typer.BadParameter(
            f"{word!r} is not a date; write it as 2026-03-28", param_hint=flag
        ) from None


def next_command(case: xr.DataTree) -> str:
    """The command that a case is made for."""
    if "scenario" in case.dims:
        return "value"
    return (
        "simulate"
        if "gates" in case.children
        else "compare"
        if "fleet" in case.children
        else "solve"
    )
