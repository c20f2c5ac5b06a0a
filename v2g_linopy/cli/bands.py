"""`flexibility`: what the sites of a case can do at each moment, and what shifting costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pandas as pd
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import atomic
from ..errors import OutputError
from ..flexibility.bands import NODES, PORTFOLIO
from ..report.band_table import band_table
from ..report.figures.site_bands import bands as bands_figure
from ..report.table_files import write_tables
from .break_even_map import PICTURES, numbers
from .case_size import size_in_words
from .options import CaseFile, CsvMarks, Force, Set, command, pairs
from .output import refuse_file, report_lacks
from .solve import checked_case
from .terminal import Terminal

Table = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write all values as a table (csv, xlsx)."),
]
Picture = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw power and energy (.png, .svg)."),
]


@dataclass(frozen=True)
class Asked:
    """What is looked at."""

    panel: ClassVar[str] = "What is asked"
    pod: Annotated[
        list[str] | None,
        typer.Option(
            "--pod", metavar="NAME", help="Only this site.  [default: all, and their sum]"
        ),
    ] = None
    window: Annotated[
        list[str] | None,
        typer.Option(
            "--window",
            metavar="NAME=START..END",
            help="Energy in a part of the horizon (UTC, as 2026-03-27T06:00..2026-03-27T10:00).",
        ),
    ] = None
    hours: Annotated[
        str,
        typer.Option("--hours", metavar="LIST", help="Most power held for so many hours, as 1,4."),
    ] = ""
    shift: Annotated[
        str,
        typer.Option(
            "--shift",
            metavar="LIST",
            help="Answer to a price of one step that is higher by these shares, as 0.5,-0.5.",
        ),
    ] = ""
    nodes: Annotated[
        int,
        typer.Option(
            "--nodes",
            min=0,
            help="Places that a search looks at for each value; 0: no search, bounds stand.",
        ),
    ] = NODES

    def windows(self) -> dict[str, tuple[str, str]]:
        """Return where each window begins and ends."""
        found = {}
        for name, word in pairs(self.window, "--window").items():
            start, dots, end = word.partition("..")
            if not dots or not start or not end:
                detail = f"{name}={word}: give START..END, as 2026-03-27T06:00..2026-03-27T10:00"
                raise typer.BadParameter(detail, param_hint="--window")
            found[name] = start, end
        return found


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "flexibility",
        "v2g flexibility group.nc",
        "v2g flexibility group.nc -o bands.csv --plot bands.png",
        "v2g flexibility group.nc --window morning=2026-03-27T05:00..2026-03-27T09:00",
        "v2g flexibility group.nc --hours 1,4 --shift 0.5 --nodes 0 -o bands.csv",
    )(flexibility)


def flexibility(
    terminal: Terminal,
    case: CaseFile,
    output: Table = None,
    plot: Picture = None,
    set_: Set = None,
    force: Force = False,
    *,
    asked: Asked,
    marks: CsvMarks,
) -> None:
    """Say between which powers and energies every site of a case can be at each moment, what it can
    hold for hours, and what shifting costs; each value stands alone.
    """
    style = marks.style
    windows = asked.windows()
    hours = numbers("--hours", asked.hours) if asked.hours else []
    prices = numbers("--shift", asked.shift) if asked.shift else []
    for path in (output, plot):
        if path is not None:
            refuse_file(path, force)
    if plot is not None:
        refuse_picture(plot)
    tree, _ = checked_case(terminal, case, set_)
    with terminal.solving(f"Solving {size_in_words(tree)}, once for each value"):
        found = v2g.flexibility(
            tree, pods=asked.pod, windows=windows, hours=hours, prices=prices, nodes=asked.nodes
        )
    table = band_table(found)
    lines, files = bands_in_words(found["flexibility_bands"].to_dataset()), {}
    if output is not None:
        with atomic(output, overwrite=force) as path:
            write_tables(path, {"flexibility": table}, style)
        files[output.name] = str(output)
    if plot is not None:
        with atomic(plot, overwrite=force) as path:
            kind = plot.suffix[1:]
            bands_figure(found).savefig(path, dpi=150, format=kind)
        files[plot.name] = str(plot)
    if files:
        lines.append(f"wrote {', '.join(files.values())}")
    terminal.answer("\n".join(lines), _document(table, found, files))


def refuse_picture(path: Path) -> None:
    """Raise where a picture cannot be drawn."""
    if path.suffix not in PICTURES:
        raise typer.BadParameter(
            f"{path.name}: a picture ends in {' or '.join(PICTURES)}", param_hint="--plot"
        )
    if lacking := report_lacks():
        raise OutputError(f"{path} cannot be drawn: {lacking}")


def bands_in_words(found: xr.Dataset) -> list[str]:
    """Return the most of every site, and how to read it."""
    most = found.max("time").sel(edge="max").power
    least = found.min("time").sel(edge="min").power
    pods = [str(pod) for pod in found.indexes["pod"]]
    lines = [
        f"{pod}: draws at most {float(most.sel(pod=pod)):.6g} kW and feeds in at most"
        f" {max(-float(least.sel(pod=pod)), 0.0):.6g} kW"
        for pod in pods
    ]
    if "window_energy" in found:
        for window in found.indexes["window"]:
            low, high = (
                float(found.window_energy.sel(pod=pods[-1], window=window, edge=edge))
                for edge in ("min", "max")
            )
            lines.append(f"{window}: {pods[-1]} draws {low:.6g} to {high:.6g} kWh")
    flags = [x.sel(pod=[p for p in pods if p != PORTFOLIO]) for x in _flags(found)]
    values, proved = sum(x.size for x in flags), sum(int(x.sum()) for x in flags)
    lines.append(str(found.attrs["meaning"]))
    lines.append(f"sums over sites: {found.attrs['sum_meaning']}")
    if proved < values:
        lines.append(
            f"{values - proved} of {values} values are bounds, not verified: their plans charge and"
            " discharge at once; more --nodes may find what can be reached"
        )
    return lines


def _flags(found: xr.Dataset) -> list[xr.DataArray]:
    return [x for name, x in found.data_vars.items() if str(name).endswith("_verified")]


def _document(table: pd.DataFrame, found: xr.DataTree, files: dict[str, str]) -> dict[str, object]:
    bands = found["flexibility_bands"].attrs
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return {
        "status": "ok",
        "timezone": str(found.attrs.get("timezone") or "UTC"),
        "meaning": bands["meaning"],
        "exact_sum": bool(bands["exact_sum"]),
        "sum_meaning": bands["sum_meaning"],
        "flexibility": rows,
        "files": files,
    }
