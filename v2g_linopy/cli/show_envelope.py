"""`vpp envelope`: the box of two plans of every site, and what of it cannot be delivered."""

from pathlib import Path
from typing import Annotated

import typer

import v2g_linopy as v2g

from ..case.io import atomic
from ..errors import OutputError
from ..report.figures.envelope_box import envelope_figure
from ..report.figures.style import svg
from ..report.table_files import write_tables
from .case_size import size_in_words
from .options import CaseFile, CsvMarks, Force, Set, command
from .output import refuse_file, report_lacks
from .solve import checked_case
from .terminal import Terminal

PICTURES = (".png", ".svg")
Target = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write it as a table (csv, xlsx) or a picture."
    ),
]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app, "envelope", "v2g vpp envelope group.nc", "v2g vpp envelope group.nc -o envelope.png"
    )(show_envelope)


def show_envelope(
    terminal: Terminal,
    case: CaseFile,
    output: Target = None,
    set_: Set = None,
    force: Force = False,
    *,
    marks: CsvMarks,
) -> None:
    """Show what a box of two plans of each site promises, and how much of it cannot be
    delivered.
    """
    style = marks.style
    suffix = "" if output is None else output.suffix.lower()
    if output is not None:
        refuse_file(output, force)
    if suffix in PICTURES and (lacks := report_lacks()):
        raise OutputError(f"{output} cannot be written: {lacks}")
    tree, _ = checked_case(terminal, case, set_)
    with terminal.solving(f"Solving {size_in_words(tree)}"):
        found = v2g.envelope(tree)
    d = found["envelope"].to_dataset()
    missed, share = (float(d.attrs[n]) for n in ("undeliverable", "undeliverable_share"))
    money, profit = found.attrs["currency"], d["profit"].sum("time")
    lines = [
        f"at least {missed:.6g} kWh of what is asked of the box of {d.sizes['pod']} sites cannot be"
        f" delivered: {100 * share:.3g} % of the energy between its edges",
        *(
            f"{words}: {float(profit.sel(plan_kind=name)):.2f} {money} at the market"
            for name, words in PLANS.items()
        ),
    ]
    table = d[["lower", "upper", *PLANS]].to_dataframe().reset_index()
    if output is not None:
        with atomic(output, overwrite=force) as path:
            if suffix == ".png":
                envelope_figure(found).savefig(path, dpi=150, format="png")
            elif suffix == ".svg":
                text = svg(envelope_figure(found), "envelope", "box of two plans of every site")
                path.write_text(text, encoding="utf-8")
            else:
                write_tables(path, {"envelope": table}, style)
        lines.append(f"wrote {output}")
    terminal.answer(
        "\n".join(lines),
        {
            "status": "ok",
            "undeliverable_kwh": missed,
            "undeliverable_share": share,
            "profit": {str(n): float(profit.sel(plan_kind=n)) for n in PLANS},
            "envelope": table.assign(time=table["time"].astype(str)).to_dict("records"),
            "files": {} if output is None else {output.name: str(output)},
        },
    )


PLANS = {
    "asked": "what is asked of the box would earn",
    "delivered": "the nearest that can be delivered",
    "best": "the best plan of all sites",
}
"""Plans that are compared, in words."""
