"""Options that several commands share, and how their words are read."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args

import typer

from ..case.units import accepted, factor
from ..report.csv_style import CsvStyle

CaseFile = Annotated[
    Path, typer.Argument(metavar="CASE", help="Case file (NetCDF).", show_default=False)
]
ResultFile = Annotated[
    Path,
    typer.Argument(
        metavar="RESULT",
        help="Result file (result.nc), or the folder that holds it.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done and written, and stop.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PART.FIELD=VALUE",
        help=(
            "Change the case first: fleet.discharge_max=0, or one member:"
            " 'fleet[ev-3].charge_max=11'. Repeatable."
        ),
    ),
]
Solver = Annotated[
    str, typer.Option("--solver", help="Solver to use; `v2g doctor` lists those installed.")
]
Gap = Annotated[
    float | None,
    typer.Option(
        "--gap", min=0.0, help="Relative gap at which a mixed-integer solve may stop, e.g. 1e-4."
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        min=0.0,
        metavar="SECONDS",
        help="Stop the solver after this time; the best plan so far is written (exit code 6).",
    ),
]
SolverOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="KEY=VALUE", help="Option of the solver, e.g. threads=1. Repeatable."
    ),
]
SolverSeed = Annotated[int | None, typer.Option("--seed", help="Random seed of the solver.")]
Complementarity = Annotated[
    str,
    typer.Option(
        "--complementarity",
        metavar="RULE",
        help=(
            "Keeping a vehicle or battery from charging and discharging at once: lazy, audit, milp"
            " or off."
        ),
    ),
]
Calls = Annotated[
    str,
    typer.Option(
        "--calls",
        metavar="STATES",
        help=(
            "What a step of expected activation looks like inside: on-off (called in full or not at"
            " all, so that calls that cancel still cost losses and wear), netted (the mean alone),"
            " given (as the case says), or a frequency record (csv with columns time and frequency"
            " in UTC, or nc) that products are called by."
        ),
    ),
]
Blocks = Annotated[
    bool, typer.Option("--blocks/--no-blocks", help="Solve independent parts of the model apart.")
]

Separator = Annotated[
    str,
    typer.Option(
        "--csv-separator",
        metavar="MARK",
        help="Between the cells of CSV files: ',', ';' or tab; for a continental Excel ';'.",
    ),
]
DecimalMark = Annotated[
    str,
    typer.Option(
        "--csv-decimal",
        metavar="MARK",
        help="In the numbers of CSV files: '.' or ','; for a continental Excel ','.",
    ),
]

SEPARATORS = {",": ",", ";": ";", "tab": "\t", "\t": "\t"}
Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="METHOD",
        help=(
            "How: whole (one model), oracle (vehicles one by one, where nothing couples them),"
            " decompose (one by one until a bound proves their mix), sites (every pod by itself,"
            " until a bound proves the mix), or auto."
        ),
    ),
]
METHODS = ("auto", "whole", "decompose", "oracle", "sites")
COMPLEMENTARITY = ("lazy", "audit", "milp", "off")
RESULT_NAME = "result.nc"


@dataclass(frozen=True)
class CsvMarks:
    """How numbers and cells are told apart in CSV files."""

    panel: ClassVar[str] = "Tables"
    csv_separator: Separator = ","
    csv_decimal: DecimalMark = "."

    @property
    def style(self) -> CsvStyle:
        """The marks; the same one for both is a usage error."""
        one_of("--csv-separator", self.csv_separator, SEPARATORS)
        one_of("--csv-decimal", self.csv_decimal, (".", ","))
        if self.csv_separator == self.csv_decimal:
            raise typer.BadParameter(
                f"{self.csv_decimal!r} stands between cells already; give --csv-separator ';' too",
                param_hint="--csv-decimal",
            )
        return CsvStyle(SEPARATORS[self.csv_separator], self.csv_decimal)


@dataclass(frozen=True)
class Solving:
    """How a case is changed and solved: the options of `solve` and `compare`."""

    panel: ClassVar[str] = "Solving"
    set_: Set = None
    solver: Solver = "highs"
    gap: Gap = None
    time_limit: TimeLimit = None
    option: SolverOption = None
    seed: SolverSeed = None
    complementarity: Complementarity = "lazy"
    calls: Calls = "given"
    blocks: Blocks = True

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `v2g.solve`."""
        options: dict[str, Any] = {
            key: scalar(value) for key, value in pairs(self.option, "--option").items()
        }
        if self.seed is not None:
            if self.solver != "highs":
                raise typer.BadParameter(
                    "is an option of HiGHS here; give other solvers theirs with --option",
                    param_hint="--seed",
                )
            options["random_seed"] = self.seed
        return {
            "solver": self.solver,
            "options": options or None,
            "gap": self.gap,
            "time_limit": self.time_limit,
            "complementarity": one_of("--complementarity", self.complementarity, COMPLEMENTARITY),
            "blocks": self.blocks,
        }


Notes = Mapping[str, Iterable[tuple[str, str, str, str]]]
"""Tables under the help of a command: heading to rows of name, unit or default, when it is needed,
meaning.
"""


def command(
    app: typer.Typer, name: str, *examples: str, notes: Notes | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command.

    A parameter whose type is a dataclass becomes one option per field.

    Every command has a parameter `terminal`, which comes last in its help. A bundle has a `panel`,
    its heading in the help; the options of one without a heading stand among the command's own.

    Parameters
    ----------
    app : Typer
        The group that gets the command.
    name : str
        Its name on the command line.
    *examples : str
        Command lines shown under the help.
    notes : mapping
        Tables shown under the examples.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        given = sorted(
            inspect.signature(function).parameters.values(), key=lambda p: p.name == "terminal"
        )
        bundles: dict[str, Any] = {
            p.name: p.annotation for p in given if is_dataclass(p.annotation)
        }
        own: list[inspect.Parameter] = []
        headed: list[inspect.Parameter] = []
        for p in given:
            if bundle := bundles.get(p.name):
                (headed if bundle.panel else own).extend(
                    parameter(f, bundle.panel) for f in fields(bundle)
                )
            else:
                own.append(p.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        options = own + headed

        def run(**words: Any) -> None:
            made = {
                n: bundle(**{f.name: words.pop(f.name) for f in fields(bundle)})
                for n, bundle in bundles.items()
            }
            made["terminal"].listen()
            function(**made, **words)

        run.__doc__ = function.__doc__
        run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {p.name: p.annotation for p in options}
        below = ["**Examples:**", *(f"`{line}`" for line in examples)]
        for heading, rows in (notes or {}).items():
            below += ["", f"**{heading}:**", *(noted(*row) for row in rows)]
        app.command(name, epilog="  \n".join(below))(run)
        return function

    return register


def noted(key: str, unit: str, need: str, meaning: str) -> str:
    """A row of a table under the help; no marks of code, which are kept for examples."""
    return f"{key} ({', '.join(filter(None, [unit, need]))}): {meaning}".replace("`", "")


def parameter(field: Field[Any], panel: str) -> inspect.Parameter:
    """Return a field of a bundle as a parameter of the command.

    It stands in the panel of its bundle in the help, if it has one.
    """
    kind, option = get_args(field.type)
    option = copy(option)
    option.rich_help_panel = panel or None
    annotation = Annotated[kind, option]  # type: ignore[valid-type]  # made at run time
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
    )


def pairs(words: Iterable[str] | None, option: str) -> dict[str, str]:
    """Read `key=value` words; a word without `=` is a usage error that names the option."""
    read = {}
    for word in words or ():
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"{word!r} is not KEY=VALUE", param_hint=option)
        read[key.strip()] = value.strip()
    return read


def scalar(word: str) -> bool | int | float | str:
    """A word as a flag, a whole number, a number, or itself."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        try:
            return word if "_" in word else kind(word)
        except ValueError:
            continue
    return word


def kilowatts(word: str, flag: str) -> float:
    """A power with its unit, such as 200kW or 0.2 MW, in kW."""
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*([A-Za-z]+)\s*", word)
    known = {unit.lower(): unit for unit in accepted("kW")}
    scale = factor(known.get(found[2].lower(), ""), "kW") if found else None
    try:
        power = float(found[1]) * (scale or float("nan")) if found else float("nan")
    except ValueError:
        power = float("nan")
    if not 0 <= power < float("inf"):
        units = " or ".join(accepted("kW"))
        detail = f"{word!r} is no power; give a number and its unit ({units}), such as 200kW"
        raise typer.BadParameter(detail, param_hint=flag)
    return power


def share_of(word: str, flag: str) -> float:
    """A share, such as 20% or 0.2."""
    number = word.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = float("nan")
    if not 0 <= share <= 1:
        detail = f"{word!r} is no share; give one such as 20% or 0.2"
        raise typer.BadParameter(detail, param_hint=flag)
    return share


def one_of(flag: str, word: str, choices: Iterable[str]) -> str:
    """A word that must be among the choices of an option."""
    if word not in choices:
        raise typer.BadParameter(f"{word!r} is not among {', '.join(choices)}", param_hint=flag)
    return word


def clock_hour(flag: str, word: str) -> float:
    """An hour of the clock such as 12:00."""
    hours, _, minutes = word.strip().partition(":")
    fits = hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(minutes) < 60
    hour = int(hours) + int(minutes) / 60 if fits else 25.0
    if hour > 24:
        raise typer.BadParameter(
            f"{word!r} is no time of a day; write it as 12:00", param_hint=flag
        )
    return hour


def result_path(path: Path) -> Path:
    """The result file of a folder, or the file itself."""
    return path / RESULT_NAME if path.is_dir() and (path / RESULT_NAME).exists() else path


def named_file(path: Path) -> Path:
    """The file that a name means: NAME.nc where there is no file NAME, as `v2g new` writes it."""
    with_suffix = Path(f"{path}.nc")
    return with_suffix if not path.is_file() and with_suffix.is_file() else path
