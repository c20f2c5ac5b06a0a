"""`break-even`: the wear, cost of dispatch or spread of prices at which feeding in stops to pay."""

from pathlib import Path
from typing import Annotated, cast

import numpy as np
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import atomic, read
from ..report.table_files import write_tables
from ..study.break_even import OVER, ROUNDING
from ..study.break_even import Over as Varied
from .break_even_map import MapOptions, draw_map
from .case_size import size_in_words
from .options import CaseFile, CsvMarks, Force, Solving, command, one_of
from .output import refuse_file
from .simulate import MenuFile, TypeSeed, refuse_idle
from .solve import checked_case
from .terminal import Terminal

Over = Annotated[
    str,
    typer.Option(
        "--over",
        metavar="WHAT",
        help=(
            "What is varied: wear, spread (how far prices differ), or dispatch-cost (of what is"
            " discharged under contracts)."
        ),
    ),
]
Payments = Annotated[
    float | None,
    typer.Option(
        "--payments",
        min=0.0,
        help=(
            "What owners are owed in all, whatever the plan (EUR).  [default: what the contracts of"
            " the case say]"
        ),
        show_default=False,
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
CHOICES = {name.replace("_", "-"): name for name in OVER}
COSTS = {
    "wear": "a kWh out of the battery costs",
    "dispatch_cost": "the dispatch of a kWh under contracts costs",
}


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "break-even",
        "v2g break-even depot.nc",
        "v2g break-even depot.nc --payments 31.64",
        "v2g break-even depot.nc --over spread --to 3 -o spread.csv",
        "v2g break-even stays.nc --contracts menu.nc --over dispatch-cost",
        "v2g break-even stays.nc --contracts menu.nc --map spread,payment-scale -o map.png",
    )(break_even)


def break_even(
    terminal: Terminal,
    case: CaseFile,
    over: Over = "wear",
    payments: Payments = None,
    least: Least = GRID[0],
    largest: Largest = GRID[1],
    points: Points = GRID[2],
    contracts: MenuFile = None,
    type_seed: TypeSeed = 0,
    output: Table = None,
    force: Force = False,
    *,
    maps: MapOptions,
    solving: Solving,
    marks: CsvMarks,
) -> None:
    """Find the wear, cost of dispatch or spread of prices at which V2G earns no more than smart
    charging.
    """
    style = marks.style
    what = cast(Varied, CHOICES[one_of("--over", over, CHOICES)])
    _refuse_idle_options(what, (least, largest, points), contracts, type_seed, maps)
    if output is not None:
        refuse_file(output, force)
    tree, _ = checked_case(terminal, case, solving.set_, solving.calls)
    menu = None if contracts is None else read(contracts)
    if maps.map_ is not None and menu is not None:
        arguments = solving.arguments()
        draw_map(terminal, tree, menu, maps, type_seed, arguments, output, force, style)
        return
    if menu is not None:
        tree = v2g.with_contracts(tree, menu, seed=type_seed)
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
        lines.append(f"At no more cost the payments could be {scale:.4f} times as large.")
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


def _refuse_idle_options(
    what: str,
    grid: tuple[float, float, int],
    contracts: Path | None,
    type_seed: int,
    maps: MapOptions,
) -> None:
    """Raise for options that would do nothing."""
    if what != "spread" and grid != GRID:
        raise typer.BadParameter(
            "are of use only with --over spread", param_hint="--from, --to, --points"
        )
    if contracts is None:
        refuse_idle("with --contracts", {"--type-seed": type_seed != 0})
    if maps.map_ is None:
        other = maps.policy != MapOptions.policy
        refuse_idle("with --map", {"--try": maps.try_ is not None, "--policy": other})
    elif contracts is None:
        raise typer.BadParameter("needs the menu of --contracts", param_hint="--map")


def _in_words(found: xr.Dataset, what: str, roots: list[float], money: str) -> str:
    """What was found, in a sentence."""
    gain = found["gain"].values
    if what in COSTS:
        word = "wear" if what == "wear" else "cost"
        if np.isposinf(found["break_even"]):
            return (
                f"V2G pays whatever the {word}: when nothing is fed in any more it still earns"
                f" {gain[-1]:.2f} {money} above smart charging and the payments."
            )
        if not roots:
            less = f"it earns {-gain[0]:.2f} {money} less than"
            as_much = "it earns no more than"
            return (
                f"V2G never pays: even without more {word} {less if gain[0] < -0.005 else as_much}"
                " smart charging and the payments."
            )
        return (
            f"V2G pays while {COSTS[what]} less than {roots[0]:.6f} {money} more"
            f" than in the case; at no more it earns {gain[0]:.2f} {money} above smart charging"
            " and the payments."
        )
    if roots:
        told = ", ".join(f"{x:.4f}" for x in roots)
        return f"V2G begins or ends to pay where prices spread {told} times as much as in the case."
    always = "pays" if gain[-1] > ROUNDING else "does not pay"
    low, high = found["at"].values[[0, -1]]
    return f"V2G {always} at every spread tried, {low:g} to {high:g} times that of the case."
