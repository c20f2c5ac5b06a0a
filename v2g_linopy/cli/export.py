"""`export`: a plan or a case in the format of those who execute it or compute with it."""

from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
import xarray as xr

from ..case.io import atomic
from ..case.label_text import nearest
from ..case.version import lacking
from ..errors import OutputError
from ..report.exports.export_formats import EXPORT_FORMATS, ExportFormat
from .input_files import read_case
from .inspect import verified
from .option_words import in_option_words
from .options import Force, command, pairs, result_path
from .output import refuse_file
from .terminal import Terminal

FLAGS = {"transactions": "--transaction", "sensors": "--sensor"}
"""Options that have another name than the parameter that they give."""

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="Result file, or the folder that holds it; of some formats a case file.",
        show_default=False,
    ),
]
Format = Annotated[
    str,
    typer.Option("--format", metavar="FORMAT", help=", ".join(EXPORT_FORMATS), show_default=False),
]
Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The file.", show_default=False)
]
Scenario = Annotated[
    str | None, typer.Option("--scenario", help="Which scenario, where there are several.")
]
MostPeriods = Annotated[
    int | None,
    typer.Option(
        "--most-periods", metavar="N", help="Periods that a station takes in one schedule."
    ),
]
StackLevel = Annotated[
    int | None, typer.Option("--stack-level", metavar="N", help="Of every charging profile.")
]
Ramp = Annotated[
    float | None,
    typer.Option("--ramp", metavar="KW", help="kW per minute by which a station changes power."),
]
Transactions = Annotated[
    list[str] | None,
    typer.Option(
        FLAGS["transactions"],
        metavar="NAME=ID",
        help="Transaction that runs at a charge point. Repeatable.",
    ),
]

Sensors = Annotated[
    list[str] | None,
    typer.Option(
        FLAGS["sensors"],
        metavar="NAME=ID",
        help="Power sensor of a vehicle, or of one of its stays. Repeatable.",
    ),
]
Relaxed = Annotated[
    bool,
    typer.Option(
        "--relaxed",
        help="Accept that PyPSA may charge and discharge at once, and finds a better objective.",
    ),
]


@dataclass(frozen=True)
class ExportOptions:
    """What a format may be told."""

    panel: ClassVar[str] = "Formats"
    scenario: Scenario = None
    most_periods: MostPeriods = None
    stack_level: StackLevel = None
    ramp: Ramp = None
    transactions: Transactions = None
    sensors: Sensors = None
    relaxed: Relaxed = False

    def told(self, name: str, form: ExportFormat) -> dict[str, Any]:
        """Return the keywords of a format; an option that it does not know is a usage error."""
        given = {k: x for k, x in asdict(self).items() if not (x is None or x is False or x == [])}
        known = signature(form.export).parameters
        for key in given:
            if key not in known:
                raise typer.BadParameter(
                    f"does not apply to the format {name}", param_hint=flag_of_option(key)
                )
        for key in FLAGS.keys() & given.keys():
            given[key] = pairs(given[key], FLAGS[key])
        return given


def flag_of_option(parameter: str) -> str:
    """The option that gives a parameter."""
    return FLAGS.get(parameter, f"--{parameter.replace('_', '-')}")


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "export",
        "v2g export out --format ocpp-2.1 -o profiles.json",
        "v2g export out --format ocpp-1.6 --most-periods 100 --ramp 2 -o profiles.json",
        "v2g export case.nc --format pypsa -o network.nc",
        "v2g export case.nc --format flexmeasures --sensor ev-1=42 -o request.json",
        notes={
            "Formats": [
                (name, form.suffix, f"of a {form.of}", form.meaning)
                for name, form in EXPORT_FORMATS.items()
            ]
        },
    )(export)


def export(
    terminal: Terminal,
    file: File,
    form: Format,
    output: Target,
    force: Force = False,
    *,
    options: ExportOptions,
) -> None:
    """Write a plan or a case in the format of those who execute it or compute with it."""
    if form not in EXPORT_FORMATS:
        raise typer.BadParameter(
            f"{form!r} is no format{nearest(form, EXPORT_FORMATS)}", param_hint="--format"
        )
    chosen = EXPORT_FORMATS[form]
    told = options.told(form, chosen)
    refuse_file(output, force)
    if chosen.extra and (lacks := lacking(*chosen.extra)):
        raise OutputError(f"{output} cannot be written: {lacks}")
    tree = _opened(terminal, file, chosen)
    with in_option_words({key: flag_of_option(key) for key in FLAGS}):
        made = chosen.export(tree, **told)
    with atomic(output, overwrite=force) as path:
        chosen.save(made.document, path)
    terminal.answer(
        "\n".join([*made.notes, f"wrote {output}"]),
        {
            "status": "ok",
            "format": form,
            "notes": list(made.notes),
            "files": {output.name: str(output)},
        },
    )


def _opened(terminal: Terminal, file: Path, form: ExportFormat) -> xr.DataTree:
    """Read a plan and replay it, or read a case (that of a result is a case, too)."""
    if form.of == "result":
        return verified(terminal, result_path(file))
    return read_case(result_path(file) if file.is_dir() else file)
