"""Picture and table of the README, from the result of `make demo`."""

import io
from pathlib import Path

import matplotlib
import xarray as xr
from matplotlib.figure import Figure

import v2g_linopy as v2g
from docs.markdown import filled, table, write
from v2g_linopy.report import labels

PICTURE = "docs/images/value-ladder.svg"
NARROW = "\u202f"


def show(folder: Path) -> None:
    """Draw the picture of the README and fill in its table."""
    result = v2g.read(folder / "result.nc")
    write(PICTURE, svg(result.plot.value_ladder(), drawn_from(result)))
    write("README.md", filled("README.md", "ladder", ladder_table(result)))


def ladder_table(result: xr.DataTree) -> str:
    """Return the value ladder of a result as the README shows it."""
    ladder, currency = result["ladder"].to_dataset(), result.attrs["currency"]
    profit = {str(rung): float(p) for rung, p in ladder["profit"].to_series().items()}
    before = {str(rung): str(b) for rung, b in ladder["before"].to_series().items()}
    scale = 1 / (ladder.attrs["vehicles"] * ladder.attrs["years"])
    rows = [
        (
            rung,
            labels.shown_number(p, 0),
            labels.shown_number(p * scale, 0),
            (
                f"{labels.signed(p - profit[before[rung]], 0)} on {before[rung]}"
                if before[rung]
                else ""
            ),
        )
        for rung, p in profit.items()
    ]
    head = (
        "way to charge",
        f"profit, {currency}",
        f"{currency} per vehicle and year",
        f"change, {currency}",
    )
    return "\n".join(table(head, rows)).replace(NARROW, " ")


def drawn_from(result: xr.DataTree) -> str:
    """Say which profits a picture of the ladder shows."""
    profit = result["ladder"]["profit"].to_series()
    return "; ".join(f"{rung} {value:.2f}" for rung, value in profit.items())


def svg(figure: Figure, description: str) -> str:
    """Return a figure as SVG, the same bytes each time, text drawn as outlines."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "v2g"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Description": description})
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"
