"""`menu`: contracts for owners of vehicles, designed or judged, with their proof."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import recorded
from ..errors import OutputError, SchemaError
from ..model.contracts import CALLED, FULL, UTILITIES
from ..report.labels import NONE
from ..report.menu_table import STAYS, menu_table, proof_in_words, proof_of
from ..report.page.menu_page import render_menu
from ..report.table_files import CsvStyle, workbook_lacks, write_tables
from ..study.menus.design import METHODS
from .input_files import read_case
from .options import CsvMarks, DryRun, Force, command, one_of
from .output import refuse_existing, report_lacks, staged
from .solve import checked_case
from .terminal import Terminal

POINTS = 9
"""Energies that a case is planned with, where nobody says which."""
FILES = ("menu.nc", "menu.csv", "menu.html")
WRITTEN = (".nc", ".csv", ".xlsx", ".html")
Numbers = str | None

Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="MENU",
        help="A menu, or a case with /contract; the options below replace what it says.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help=(
            "The menu (.nc), its table (.csv, .xlsx) or its page (.html); a folder gets menu.nc,"
            " menu.csv and menu.html. Without it nothing is written."
        ),
    ),
]
Theta = Annotated[
    Numbers,
    typer.Option(
        "--theta",
        metavar="LIST",
        help="Openness of each type, from low to high: it asks wear / theta per kWh.",
    ),
]
Share = Annotated[
    Numbers,
    typer.Option("--share", metavar="LIST", help="Share of the owners of each type, in sum 1."),
]
Wear = Annotated[
    float | None, typer.Option("--wear", help="Wear of the battery, EUR per kWh discharged.")
]
Term = Annotated[
    Numbers,
    typer.Option("--term", metavar="LIST", help="Hours of the term; several give a menu each."),
]
Power = Annotated[float | None, typer.Option("--power", help="Discharging power, kW.")]
UtilityName = Annotated[
    str | None,
    typer.Option(
        "--utility", help=f"What an energy is worth: {', '.join(UTILITIES)}.", show_default=False
    ),
]
Scale = Annotated[
    float | None, typer.Option("--scale", help="Factor of the utility, EUR (log, sqrt, cara).")
]
Rate = Annotated[
    float | None, typer.Option("--rate", help="How fast the utility saturates, 1/kWh (cara).")
]
TableEnergy = Annotated[
    Numbers,
    typer.Option("--table-energy", metavar="LIST", help="Energies of a table, kWh, from 0."),
]
TableValue = Annotated[
    Numbers, typer.Option("--table-value", metavar="LIST", help="What they are worth, EUR, from 0.")
]
Reckons = Annotated[
    str | None,
    typer.Option(
        "--reckons",
        help=f"What owners expect to be discharged: {FULL} energy, or what is {CALLED} on average.",
        show_default=False,
    ),
]
Schedule = Annotated[
    Path | None,
    typer.Option(
        "--schedule",
        metavar="CASE",
        help=(
            "Take the table from this case of charging sessions, planned with each energy of"
            " --table-energy in turn; give --term and --power."
        ),
    ),
]
ClassRoom = Annotated[
    Numbers,
    typer.Option(
        "--class-room",
        metavar="LIST",
        help=(
            "Classes of sessions by the least energy that they can give, kWh, from low to high; no"
            " contract of a class is larger."
        ),
    ),
]
Integrated = Annotated[
    bool,
    typer.Option(
        "--integrated",
        help=(
            "Design the menu together with the plan of MENU, a case of charging sessions: limits of"
            " a site, markets and reserves count, and the plan says what an energy is worth."
        ),
    ),
]
Room = Annotated[
    float,
    typer.Option(
        "--room",
        help="Without --class-room: sessions that can give less are not counted in it, kWh.",
    ),
]
Draws = Annotated[
    int,
    typer.Option(
        "--draws",
        min=0,
        help="Say also what the menu earns where types are drawn, so many times.",
    ),
]
Robust = Annotated[
    float | None,
    typer.Option(
        "--robust",
        min=0.0,
        max=1.0,
        metavar="SHARE",
        help="Shares may be off by this much: the menu is best at the worst ones.",
    ),
]
Offer = Annotated[
    int | None, typer.Option("--offer", min=1, help="Offer the lowest contracts only, so many.")
]
MethodName = Annotated[
    str, typer.Option("--method", help=f"How it is designed: {' or '.join(METHODS)}.")
]
Again = Annotated[
    bool,
    typer.Option("--again", help="Design anew what MENU offers; without it that is judged."),
]
Stays = Annotated[
    float, typer.Option("--stays", min=0.0, help="Stays in a month, for what is earned in one.")
]


@dataclass(frozen=True)
class MenuData:
    """Numbers of `/contract` on the command line."""

    panel: ClassVar[str] = "Data"
    theta: Theta = None
    share: Share = None
    wear: Wear = None
    term: Term = None
    power: Power = None
    utility: UtilityName = None
    scale: Scale = None
    rate: Rate = None
    table_energy: TableEnergy = None
    table_value: TableValue = None
    reckons: Reckons = None
    class_room: ClassRoom = None

    def given(self) -> dict[str, Any]:
        """Return the fields that are given, lists as numbers."""
        renamed = {"scale": "utility_scale", "rate": "utility_rate"}
        words = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            renamed.get(name, name): _listed(f"--{name.replace('_', '-')}", word)
            if isinstance(word, str) and name not in ("utility", "reckons")
            else word
            for name, word in words.items()
            if word is not None
        }


@dataclass(frozen=True)
class WithPlan:
    """Whether a menu is designed with the plan of a case, and for which of its sessions."""

    panel: ClassVar[str] = "Together with a plan"
    integrated: Integrated = False
    room: Room = 0.0
    draws: Draws = 0


@dataclass(frozen=True)
class MenuFiles(CsvMarks):
    """Which files of a menu are written, over what, and in which marks."""

    panel: ClassVar[str] = ""
    output: Output = None
    stays: Stays = STAYS
    force: Force = False
    dry_run: DryRun = False

    def place(self) -> tuple[Path, list[str]]:
        """Return the folder and the names of the files in it; none where nothing is written."""
        if self.output is None:
            return Path(), []
        if self.output.suffix.lower() in WRITTEN and not self.output.is_dir():
            return self.output.parent, [self.output.name]
        return self.output, [n for n in FILES if not (n.endswith(".html") and report_lacks())]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "menu",
        "v2g menu --theta .5,.75,1,1.25,1.5 --share .2,.2,.2,.2,.2 --wear .01 --term 3 --power 11"
        " --utility log --scale .2 -o contracts",
        "v2g menu contracts/menu.nc --again --robust 0.05",
        "v2g menu contracts/menu.nc --offer 3 -o three.nc",
        "v2g menu contracts/menu.nc --wear 0.02 --json",
        "v2g menu contracts/menu.nc --again --schedule stays.nc --term 1,3 --power 11 -o paying",
        "v2g menu station.nc --integrated --theta .5,1,1.5 --share .3,.4,.3 --wear .01 --term 3"
        " --class-room 10,20,33 --draws 5 -o coupled",
    )(menu)


def menu(
    terminal: Terminal,
    source: Source = None,
    schedule: Schedule = None,
    robust: Robust = None,
    offer: Offer = None,
    method: MethodName = "exact",
    again: Again = False,
    *,
    data: MenuData,
    plan: WithPlan,
    files: MenuFiles,
) -> None:
    """Design contracts for owners of vehicles: an energy and a payment for each type, and the proof
    that each takes its own.
    """
    one_of("--method", method, METHODS)
    given, (folder, names) = data.given(), files.place()
    if source is None and again:
        raise typer.BadParameter("there is no menu to design anew", param_hint="--again")
    beside = {
        "--schedule": schedule is not None,
        "--robust": robust is not None,
        "--offer": offer is not None,
        "--method": method != METHODS[0],
    }
    _refuse_beside_a_plan(plan, source, [flag for flag, there in beside.items() if there])
    style = files.style
    _refuse_unwritable(folder, names, files.force)
    tree = None if source is None else _without_menu(read_case(source), again)
    if schedule is not None:
        given |= _scheduled(terminal, schedule, given)
    with terminal.solving("Designing a menu"):
        design = _with_plan(plan) if plan.integrated else v2g.menu
        how = {} if plan.integrated else {"method": method, "robust": robust, "offer": offer}
        found = _found(design, tree, source, **how, **given)
    if names and not files.dry_run:
        with staged(folder, names, files.force) as stage:
            _write(found, stage, names, style, files.stays)
    _answer(terminal, found, folder, names, files)


def _scheduled(terminal: Terminal, path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a utility from the plans of a case."""
    for name in ("term", "power"):
        if name not in given:
            raise typer.BadParameter(f"needs --{name}", param_hint="--schedule")
    term, power = given.pop("term"), given["power"]
    most = power * np.max(term)
    energies = np.atleast_1d(given.get("table_energy", np.linspace(0, most, POINTS))).tolist()
    case, _ = checked_case(terminal, path, None)
    with terminal.solving(f"Planning with {len(energies)} allowances"):
        table = v2g.schedule_table(case, energies, term=term, power=power)
    counts = {name: int(table.attrs[name]) for name in ("stays", "stays_with_contract")}
    terminal.say(f"{counts['stays_with_contract']} of {counts['stays']} stays may have a contract")
    told = {"utility": "schedule", "term": term}
    return told | {str(n): x for n, x in table.data_vars.items()}


def _refuse_beside_a_plan(plan: WithPlan, source: Path | None, others: list[str]) -> None:
    """Refuse a plan without a case, and options that would do nothing."""
    if not plan.integrated:
        for flag, number in (("--room", plan.room), ("--draws", plan.draws)):
            if number:
                raise typer.BadParameter("needs --integrated", param_hint=flag)
        return
    if source is None:
        raise typer.BadParameter("needs a case of charging sessions", param_hint="--integrated")
    if others:
        detail = f"designs with the plan, in which {', '.join(others)} would do nothing"
        raise typer.BadParameter(detail, param_hint="--integrated")


def _with_plan(plan: WithPlan) -> Callable[..., xr.DataTree]:
    """Return the design of a menu with its plan."""
    return partial(v2g.integrated_menu, room=plan.room, draws=plan.draws)


def _found(
    design: Callable[..., xr.DataTree],
    tree: xr.DataTree | None,
    source: Path | None,
    **options: Any,
) -> xr.DataTree:
    """Return the menu; problems are told under the name of the file."""
    try:
        found = design(tree, **options)
    except SchemaError as error:
        place = "the menu" if source is None else str(source)
        raise SchemaError(error.problems, source=place) from None
    return found


def _without_menu(tree: xr.DataTree, again: bool) -> xr.DataTree:
    """Return the data without the contracts that are to be designed anew."""
    if not again or "contract" not in tree.children:
        return tree
    group = tree["contract"].to_dataset()
    offered = [n for n in ("energy", "payment", "called") if n in group]
    changed = tree.copy()
    changed["contract"] = group.drop_vars(offered)
    changed.attrs["history"] = recorded(tree, "contracts taken out")
    return changed


def _refuse_unwritable(folder: Path, names: list[str], force: bool) -> None:
    """Refuse files that are there, and those for which something is not installed."""
    if not names:
        return
    refuse_existing(folder, names, force)
    suffix = Path(names[0]).suffix.lower()
    lacking = {".html": report_lacks, ".xlsx": workbook_lacks}.get(suffix, str)()
    if lacking:
        raise OutputError(f"{folder / names[0]} cannot be written: {lacking}")


def _write(
    found: xr.DataTree, stage: Path, names: list[str], style: CsvStyle, stays: float
) -> None:
    """Write the files of a menu, each by the end of its name."""

    def table(path: Path) -> None:
        write_tables(path, {"menu": menu_table(found, stays)}, style)

    def page(path: Path) -> None:
        path.write_text(render_menu(found, stays), encoding="utf-8")

    writers: dict[str, Callable[[Path], None]] = {
        ".nc": lambda path: v2g.write(found, path),
        ".csv": table,
        ".xlsx": table,
        ".html": page,
    }
    for name in names:
        writers[Path(name).suffix.lower()](stage / name)


def _answer(
    terminal: Terminal, found: xr.DataTree, folder: Path, names: list[str], files: MenuFiles
) -> None:
    """Print the table and the proof, and say what was written."""
    table, paths = menu_table(found, files.stays), {n: str(folder / n) for n in names}
    lines = [*_table_lines(table), "", *proof_in_words(found)]
    if names:
        verb = "would write" if files.dry_run else "wrote"
        lines.append(f"{verb} {', '.join(names)} to {folder}")
    document: dict[str, Any] = {
        "status": "dry run" if files.dry_run else "ok",
        "currency": str(found.attrs.get("currency", "EUR")),
        "contracts": table.to_dict("records"),
        "proof": proof_of(found),
        "files": paths,
    }
    if "drawn_value" in found["menu"]:
        document["drawn_value"] = found["menu"]["drawn_value"].to_numpy()
    if "worst_share" in found["menu"]:
        document["worst_share"] = found["menu"]["worst_share"].to_numpy()
    terminal.answer("\n".join(lines), document)


def _table_lines(table: pd.DataFrame) -> list[str]:
    """Return the table in columns, as wide as they need."""
    money = next(n for n in table.columns if n.startswith("payment_")).removeprefix("payment_")
    heads = {
        "class": "class",
        "type": "type",
        "share": "share",
        "energy_kWh": "kWh",
        f"payment_{money}": money,
        f"{money}_per_kWh": f"{money}/kWh",
        f"rent_{money}": "rent",
        f"{money}_per_month": f"{money}/month",
        "takes": "takes",
        "note": "",
    }
    shown = {head: [_shown(x) for x in table[n]] for n, head in heads.items() if n in table}
    widths = {head: max(len(head), *map(len, cells)) for head, cells in shown.items()}
    rows = [list(shown), *map(list, zip(*shown.values(), strict=True))]
    return ["  ".join(x.rjust(w) for x, w in zip(r, widths.values(), strict=True)) for r in rows]


def _shown(x: object) -> str:
    """A number to four places, nothing where there is none, a text as it is."""
    if isinstance(x, float):
        return NONE if x != x else f"{x:.4f}"
    return str(x)


def _listed(flag: str, word: str) -> list[float] | float:
    """Numbers between commas; one alone is a number."""
    try:
        numbers = [float(x) for x in word.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{word!r} is no list of numbers; write it as 0.5,1,1.5", param_hint=flag
        ) from None
    return numbers if len(numbers) > 1 else numbers[0]
