"""`import sites`: published types of sites, composed from profiles of one day, as a case."""

from pathlib import Path
from typing import Annotated

import typer

from .. import data
from ..case.units import accepted
from .import_common import Target
from .input_files import named_file
from .new import Start, Writing, day
from .option_words import in_option_words
from .options import command, one_of
from .terminal import Terminal

STORAGES = ("with losses", "as published")

TypesFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Profiles and templates (JSON).", show_default=False)
]
Count = Annotated[
    int | None,
    typer.Option("--pods", min=1, help="Sites; the types take turns.  [default: one of each]"),
]
Unit = Annotated[
    str, typer.Option("--unit", help=f"Unit of the profiles: {', '.join(accepted('kW'))}.")
]
Storage = Annotated[
    str,
    typer.Option(
        "--storage",
        metavar="RULE",
        help="How storages lose energy: 'with losses', or 'as published', which loses none.",
    ),
]


def add(group: typer.Typer) -> None:
    """Add the command to the group `import`."""
    command(group, "sites", "v2g import sites sites.json --pods 50 -o group.nc")(sites)


def sites(
    terminal: Terminal,
    file: TypesFile,
    output: Target,
    pods: Count = None,
    start: Start = None,
    unit: Unit = "W",
    storage: Storage = STORAGES[0],
    *,
    writing: Writing,
) -> None:
    """Import published types of sites, composed from profiles of one day, as a case of sites."""
    path = writing.path(output)
    one_of("--storage", storage, STORAGES)
    chosen = {key: value for key, value in {"start": day(start)}.items() if value is not None}
    with in_option_words():
        case = data.read_site_types(
            named_file(file),
            pods=pods,
            unit=unit,
            storage=storage,  # type: ignore[arg-type]  # `one_of` above
            **chosen,
        )
    writing.finish(terminal, case, path)
