"""Results in order, step by step: what each adds to the one before, from which source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import typer
import xarray as xr

from ..errors import OutputError, SchemaError
from ..report.page.steps_page import render_steps
from ..report.table_files import CsvStyle, write_tables
from ..study.attribution import letters
from ..study.profit_sources import has_sources, profit_steps, worth_of_known_prices
from .inspect import all_verified
from .options import result_path
from .output import refuse_existing, report_lacks, staged
from .terminal import Terminal

TABLE, PAGE = "steps.csv", "steps.html"


@dataclass(frozen=True)
class Steps:
    """What results earn, each beside the one before it."""

    table: pd.DataFrame  # sources on rows, steps on columns
    foresight: Mapping[str, float]  # by name of a result, what known prices would add
    money: str
    places: Mapping[str, str]  # by name of a result, the file it was read from

    def lines(self) -> list[str]:
        """Return the table as it is printed."""
        width = max(13, *(len(str(name)) + 2 for name in self.table.columns))

        def line(name: str, cells: Sequence[str]) -> str:
            return f"{name:<30}" + "".join(f"{cell:>{width}}" for cell in cells)

        rows = [
            line(f"  {name}", [f"{round(x, 2) + 0.0:.2f}" for x in row])
            for name, row in zip(self.table.index, self.table.to_numpy(), strict=True)
        ]
        known = [
            line(f"  {name}, if it knew all prices", [f"{x:+.2f}"])
            for name, x in self.foresight.items()
        ]
        heads = line("step by step, in this order", list(self.table.columns))
        return [heads, *rows, *(["beside it, and no row of it", *known] if known else [])]

    def sheet(self) -> pd.DataFrame:
        """Return the table for a spreadsheet, where a name that begins with + is a formula."""
        plain = self.table.rename(columns=lambda name: str(name).replace("+ ", "change by ", 1))
        return plain.rename_axis("source").reset_index()

    def document(self) -> dict[str, Any]:
        """Return the same for machines."""
        return {"steps": self.table.to_dict("index"), "known_prices": dict(self.foresight)}


def steps_between(
    terminal: Terminal,
    trees: Sequence[xr.DataTree],
    paths: Sequence[Path],
    known: Mapping[str, Path],
) -> Steps | None:
    """Return the steps from each result to the next; None where one has no imbalance.

    Raises
    ------
    typer.BadParameter
        Runs that know all prices stand beside results without imbalance.
    SchemaError
        A run that knows all prices is not the same simulation.
    """
    if not all(map(has_sources, trees)):
        if known:
            detail = "is of use only with results that have a market and imbalance"
            raise typer.BadParameter(detail, param_hint="--perfect")
        return None
    names = run_names(paths)
    found = dict(zip(names, trees, strict=True))
    runs = all_verified(terminal, [result_path(path) for path in known.values()])
    foresight = {}
    for (name, path), run in zip(known.items(), runs, strict=True):
        try:
            foresight[name] = worth_of_known_prices(found[name], run)
        except SchemaError as error:
            raise SchemaError(error.problems, source=f"{path}, beside {name}") from None
    money = str(trees[0].attrs.get("currency", "EUR"))
    places = dict(zip(names, map(str, paths), strict=True))
    return Steps(profit_steps(found), foresight, money, places)


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return how results are called: as their folders, or by letters where two are alike.

    >>> run_names([Path("out/smart/result.nc"), Path("out/V2G")])
    ['smart', 'V2G']
    >>> run_names([Path("a/result.nc"), Path("b/a")])
    ['A', 'B']
    """
    names = [path.parent.name if path.name == "result.nc" else path.stem for path in paths]
    return names if all(names) and len({*names}) == len(names) else letters(len(paths))


def runs_that_know(perfect: Sequence[str] | None, paths: Sequence[Path]) -> dict[str, Path]:
    """Return the file of each run that knows all prices, by the name of its result.

    Raises
    ------
    typer.BadParameter
        `--perfect` names no result, neither by its name nor by its letter, or no file.
    """
    names, found = run_names(paths), {}
    by_letter = dict(zip(letters(len(names)), names, strict=True))
    for word in perfect or ():
        name, _, path = word.partition("=")
        name = name if name in names else by_letter.get(name, name)
        if not path or name not in names:
            raise typer.BadParameter(
                f"{word!r}: write it as NAME=RESULT with one of {', '.join(names)}",
                param_hint="--perfect",
            )
        found[name] = Path(path)
    return found


def written_steps(steps: Steps, folder: Path, style: CsvStyle, *, page: bool, force: bool) -> str:
    """Write the table, and its page unless it cannot or shall not be written; say which."""
    lacking = report_lacks() if page else ""
    if lacking:
        raise OutputError(
            f"{folder / PAGE} cannot be written: {lacking}; --no-report leaves it out"
        )
    names = [TABLE, *([PAGE] if page else [])]
    refuse_existing(folder, names, force)
    with staged(folder, names, force) as stage:
        write_tables(stage / TABLE, {"steps": steps.sheet()}, style)
        if page:
            text = render_steps(
                steps.table, money=steps.money, foresight=steps.foresight, places=steps.places
            )
            (stage / PAGE).write_text(text, encoding="utf-8")
    return f"wrote {', '.join(names)} to {folder}"
