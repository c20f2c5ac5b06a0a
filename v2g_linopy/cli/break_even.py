"""`break-even`: the wear, or the spread of prices, at which feeding in stops to pay."""

from pathlib import Path
from typing import Annotated, Literal, cast

import numpy as np
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import atomic
from ..report.table_files import write_tables
from ..study.break_even import OVER, ROUNDING
from .case_size import size_in_words
from .options import CaseFile, CsvMarks, Force, Solving, command, one_of
from .output import refuse_file
from .solve import checked_case
from .terminal import Terminal

Over = Annotated[
    str,
    typer.Option(
        "--over", metavar="WHAT", help="What is varied: wear, or spread (how far prices differ)."
    ),
]
Payments = Annotated[
    float,
    typer.Option(
        "--payments", min=0.0, help="What owners are owed in all, whatever the plan (EUR)."
    ),
]
Least = Annotated[float, typer.Option("--from", min=0.0, help="Smallest factor of the spread.")]
Largest = Annotated[float, typer.Option("--to", min=0.0, help="Largest factor of the spread.")]
Points = Annotated[int, typer.Option("--points", min=2, help="Factors of the spread to try.")]
Table = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write every point that was tried as a table (csv, xlsx)."),
]
GRID = (0.0, 2.0, 9)


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "break-even",
        "v2g break-even depot.nc",
        "v2g break-even depot.nc --payments 31.64",
        "v2g break-even depot.nc --over spread --to 3 -o spread.csv",
    )(break_even)


def break_even(
    terminal: Terminal,
    case: CaseFile,
    over: Over = "wear",
    payments: Payments = 0.0,
    least: Least = GRID[0],
    largest: Largest = GRID[1],
    points: Points = GRID[2],
    output: Table = None,
    force: Force = False,
    *,
    solving: Solving,
    marks: CsvMarks,
) -> None:
    """Find the wear, or the spread of prices, at which V2G earns no more than smart charging."""
    style = marks.style
    what = cast(Literal["wear", "spread"], one_of("--over", over, OVER))
    if what == "wear" and (least, largest, points) != GRID:
        raise typer.BadParameter(
            "are of use only with --over spread", param_hint="--from, --to, --points"
        )
    if output is not None:
        refuse_file(output, force)
    tree, _ = checked_case(terminal, case, solving.set_)
    with terminal.solving(f"Solving {size_in_words(tree)}, with V2G and without, some times"):
        found = v2g.break_even(
            tree,
            what,
            payments=payments,
            between=(least, largest),
            points=points,
            **solving.arguments(),
        )
    scale = float(found["payment_scale"]) if "payment_scale" in found else None
    table = found[["gain", "fed_in"]].to_dataframe().reset_index()
    roots = [float(x) for x in np.atleast_1d(found["break_even"].values) if np.isfinite(x)]
    lines = [_in_words(found, what, roots, str(tree.attrs.get("currency", "EUR")))]
    if scale is not None:
        lines.append(f"At no more wear the payments could be {scale:.4f} times as large.")
    lines.append("")
    lines += (
        table.rename(columns={"at": what}).to_string(index=False, float_format="%.6g").split("\n")
    )
    if output is not None:
        with atomic(output, overwrite=force) as path:
            write_tables(path, {"break_even": table}, style)
        lines += ["", f"wrote {output}"]
    terminal.answer(
        "\n".join(lines),
        {
            "status": "ok",
            "over": what,
            "break_even": roots,
            "payment_scale": scale,
            "tried": table.to_dict("records"),
        },
    )


def _in_words(found: xr.Dataset, what: str, roots: list[float], money: str) -> str:
    """What was found, in a sentence."""
    gain = found["gain"].values
    if what == "wear":
        if np.isposinf(found["break_even"]):
            return (
                f"V2G pays whatever the wear: when nothing is fed in any more it still earns"
                f" {gain[-1]:.2f} {money} above smart charging and the payments."
            )
        if not roots:
            less = f"it earns {-gain[0]:.2f} {money} less than"
            as_much = "it earns no more than"
            return (
                f"V2G never pays: even without more wear {less if gain[0] < -0.005 else as_much}"
                " smart charging and the payments."
            )
        return (
            f"V2G pays while a kWh out of the battery costs less than {roots[0]:.6f} {money} more"
            f" than in the case; at no more it earns {gain[0]:.2f} {money} above smart charging"
            " and the payments."
        )
    if roots:
        told = ", ".join(f"{x:.4f}" for x in roots)
        return f"V2G begins or ends to pay where prices spread {told} times as much as in the case."
    always = "pays" if gain[-1] > ROUNDING else "does not pay"
    low, high = found["at"].values[[0, -1]]
    return f"V2G {always} at every spread tried, {low:g} to {high:g} times that of the case."
