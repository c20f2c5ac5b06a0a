"""`follow`: schedules that FlexMeasures gave, held in a case and replayed."""

import json
from pathlib import Path
from typing import Annotated

import typer

import v2g_linopy as v2g

from ..case.io import existing
from ..errors import InputFileError
from .input_files import read_case
from .options import CaseFile, Force, command, named_file
from .output import refuse_file
from .terminal import Terminal

Schedules = Annotated[
    Path,
    typer.Argument(
        metavar="SCHEDULES",
        help="Schedules (JSON), by name of the device, as FlexMeasures gives each.",
        show_default=False,
    ),
]
Target = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="The result (nc).", show_default=False),
]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(app, "follow", "v2g follow case.nc schedules.json -o followed.nc")(follow)


def follow(
    terminal: Terminal, case: CaseFile, schedules: Schedules, output: Target, force: Force = False
) -> None:
    """Hold the fleet of a case to schedules of FlexMeasures, and replay and settle what comes of
    it.
    """
    refuse_file(output, force)
    tree = read_case(named_file(case))
    try:
        told = json.loads(existing(schedules).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputFileError(schedules, f"cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise InputFileError(schedules, "holds no schedules by name of the device")
    with terminal.solving("Following the schedules"):
        result = v2g.follow_schedules(tree, told)
    v2g.write(result, output, overwrite=force)
    profit, currency = float(result.attrs["profit"]), str(result.attrs.get("currency", "EUR"))
    terminal.answer(
        f"followed {len(told)} schedules: profit {profit:.2f} {currency}\nwrote {output}",
        {"status": "ok", "profit": profit, "files": {output.name: str(output)}},
    )
