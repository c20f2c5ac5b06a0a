"""`flexibility`: between which powers and energies the sites of a case can be."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

import v2g_linopy as v2g

from ..case.io import atomic
from ..report.table_files import write_tables
from .case_size import size_in_words
from .options import CaseFile, CsvMarks, Force, Set, command
from .output import refuse_file
from .solve import checked_case
from .terminal import Terminal

Table = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write all bands as a table (csv, xlsx)."),
]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app, "flexibility", "v2g flexibility group.nc", "v2g flexibility group.nc -o bands.csv"
    )(flexibility)


def flexibility(
    terminal: Terminal,
    case: CaseFile,
    output: Table = None,
    set_: Set = None,
    force: Force = False,
    *,
    marks: CsvMarks,
) -> None:
    """Say between which powers and energies every site of a case can be at each moment; each value
    stands alone.
    """
    style = marks.style
    if output is not None:
        refuse_file(output, force)
    tree, _ = checked_case(terminal, case, set_)
    with terminal.solving(f"Solving {size_in_words(tree)}, once for each value"):
        found = v2g.flexibility(tree)["flexibility_bands"].to_dataset()
    table = found.to_dataframe().reset_index()
    most = found.max("time").sel(edge="max").power
    least = found.min("time").sel(edge="min").power
    lines = [
        f"{pod}: draws at most {float(most.sel(pod=pod)):.6g} kW and feeds in at most"
        f" {max(-float(least.sel(pod=pod)), 0.0):.6g} kW"
        for pod in found.indexes["pod"]
    ]
    lines.append(f"{found.attrs['meaning']}")
    files = {}
    if output is not None:
        with atomic(output, overwrite=force) as path:
            write_tables(path, {"flexibility": table}, style)
        lines.append(f"wrote {output}")
        files = {output.name: str(output)}
    terminal.answer("\n".join(lines), _document(table, found.attrs["meaning"], files))


def _document(table: pd.DataFrame, meaning: str, files: dict[str, str]) -> dict[str, object]:
    rows = table.assign(time=table["time"].astype(str)).to_dict("records")
    return {"status": "ok", "meaning": meaning, "flexibility": rows, "files": files}
