"""The map of `break-even`: what V2G earns more than smart charging over two numbers at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import atomic
from ..errors import OutputError
from ..report.figures.gain_map import gain_map
from ..report.figures.style import svg
from ..report.study_tables import map_table
from ..report.table_files import CsvStyle, write_tables
from ..study.break_even_map import POLICIES
from ..study.v2g_gain import AXES
from .options import one_of, pairs
from .output import report_lacks
from .terminal import Terminal

CHOICES = {name.replace("_", "-"): name for name in AXES}
PICTURES = (".png", ".svg")


@dataclass(frozen=True)
class MapOptions:
    """What is varied on a map, and how each point is found."""

    panel: ClassVar[str] = "Map of two numbers"
    map_: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="A,B",
            help=(
                f"Vary two of {', '.join(CHOICES)} under the menu of --contracts; -o may be a"
                " picture (.png, .svg)."
            ),
            show_default=False,
        ),
    ] = None
    try_: Annotated[
        list[str] | None,
        typer.Option(
            "--try", metavar="NAME=LIST", help="Values of one of them, as spread=0.5,1,1.5."
        ),
    ] = None
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            help="plan (all prices known) or rule (session by session on what is known).",
        ),
    ] = POLICIES[0]

    def asked(self) -> tuple[str, str]:
        """Return the two that are varied."""
        words = [one_of("--map", word.strip(), CHOICES) for word in str(self.map_).split(",")]
        if len(words) != 2 or words[0] == words[1]:
            raise typer.BadParameter("needs two different ones: spread,term", param_hint="--map")
        return CHOICES[words[0]], CHOICES[words[1]]

    def values(self) -> dict[str, list[float]]:
        """Return the values to try, by name."""
        found = {}
        for name, word in pairs(self.try_, "--try").items():
            one_of("--try", name, CHOICES)
            found[CHOICES[name]] = numbers("--try", word)
        return found


def numbers(flag: str, word: str) -> list[float]:
    """Numbers between commas."""
    try:
        return [float(x) for x in word.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{word!r} is no list of numbers; write it as 0.5,1,2", param_hint=flag
        ) from None


def draw_map(
    terminal: Terminal,
    case: xr.DataTree,
    menu: xr.DataTree,
    options: MapOptions,
    seed: int,
    solving: dict[str, Any],
    output: Path | None,
    force: bool,
    style: CsvStyle,
) -> None:
    """Find the gain at each pair of values, and write it as a table or a picture."""
    over, policy = options.asked(), one_of("--policy", options.policy, POLICIES)
    if output is not None and output.suffix.lower() in PICTURES and (lacks := report_lacks()):
        raise OutputError(f"{output} cannot be written: {lacks}")
    given = solving if policy == "plan" else {n: solving[n] for n in ("solver", "options")}
    with terminal.solving(f"V2G and smart charging over {over[0]} and {over[1]}", True) as move:
        found = v2g.break_even_map(
            case,
            menu,
            over,
            values=options.values(),
            seed=seed,
            policy=policy,
            progress=move,
            **given,
        )
    table = map_table(found)
    lines = [_in_words(found), "", *_grid(found)]
    if output is not None:
        with atomic(output, overwrite=force) as path:
            _write(found, table, path, output.suffix.lower(), style)
        lines += ["", f"wrote {output}"]
    terminal.answer(
        "\n".join(lines),
        {"status": "ok", "over": list(over), "policy": policy, "points": table.to_dict("records")},
    )


def _write(
    found: xr.Dataset, table: pd.DataFrame, path: Path, suffix: str, style: CsvStyle
) -> None:
    """Write the map as what the end of its name says."""
    if suffix == ".png":
        gain_map(found).savefig(path, dpi=150, format="png")
    elif suffix == ".svg":
        path.write_text(svg(gain_map(found), "map", "gain of V2G"), encoding="utf-8")
    else:
        write_tables(path, {"break_even": table}, style)


def _in_words(found: xr.Dataset) -> str:
    """Say at how many points V2G pays, and where most."""
    gain = found["gain"]
    first, second = map(str, gain.dims)
    best = gain.isel(gain.argmax(...))
    return (
        f"V2G pays at {int((gain > 0).sum())} of {gain.size} points; most at {first}"
        f" {float(best[first]):g} and {second} {float(best[second]):g}: {float(best):.2f}"
        f" {gain.attrs['units']} above smart charging and the payments."
    )


def _grid(found: xr.Dataset) -> list[str]:
    """Return the gains as a table, the second number downwards."""
    first, second = map(str, found["gain"].dims)
    wide = found["gain"].to_series().unstack(first)
    wide.index.name = f"{second} \\ {first}"
    return wide.to_string(float_format="%.2f").split("\n")
