"""`replay`: a written plan recomputed from its file, and followed through activation signals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
import xarray as xr

import v2g_linopy as v2g

from ..case.io import atomic
from ..data.tables.files import read_netcdf
from ..report.figures.stress_fan import stress_fan
from ..report.table_files import CsvStyle, write_tables
from .input_files import read_record
from .inspect import read_verified
from .options import CsvMarks, Force, ResultFile, command, result_path
from .output import refuse_existing, report_lacks, staged
from .terminal import Terminal

BROKEN = 1e-6  # kWh, kW
PROMISED = {
    "expected": "the mean activation alone, no single call",
    "endurance": "calls of hours_up and hours_down from either edge of any step, none that last"
    " longer or follow each other",
    "physical": "one full activation of any step, not that of several steps",
    "budget": "every signal within activation_period in any activation_cycle, none beyond",
    "recourse": "every signal within activation_period in any activation_cycle (without a cycle:"
    " every signal), if what calls moved can be traded back recovery_delay later",
}
"""What each guarantee promises and what not (docs/reserves.md); `box` promises everything."""

Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Write stress.csv, and stress.png beside it.",
        show_default=False,
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--frequency",
        metavar="FILE",
        help=(
            "Follow the calls of a frequency record (csv with columns time and frequency in UTC, or"
            " nc)."
        ),
        show_default=False,
    ),
]
Signals = Annotated[
    Path | None,
    typer.Option(
        "--signals",
        metavar="FILE",
        help="Follow signals of a file (nc): up, down on signal, product, time.",
    ),
]
Draw = Annotated[
    int | None,
    typer.Option("--random", metavar="N", min=1, help="Follow N admissible signals, drawn."),
]
Extreme = Annotated[
    bool, typer.Option("--extreme", help="Follow every extreme admissible signal (few steps only).")
]
MANY = 100_000  # signals; more take minutes
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the signals that are drawn.")]
Price = Annotated[
    float,
    typer.Option("--price", min=0.0, help="Penalty on energy called and not delivered, per MWh."),
]
MaxMissed = Annotated[
    float,
    typer.Option(
        "--max-missed",
        min=0.0,
        metavar="KWH",
        help="Energy that may be missing under one signal; above it the command leaves with 9.",
    ),
]
NOT_FOLLOWED = 9


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "replay",
        "v2g replay out/result.nc",
        "v2g replay out/result.nc --random 1000 --price 500 -o stress",
        "v2g replay out/result.nc --frequency hertz.csv",
        "v2g replay out/result.nc --random 1000 --max-missed 5",
    )(replay)


def replay(
    terminal: Terminal,
    result: ResultFile,
    frequency: Record = None,
    signals: Signals = None,
    random: Draw = None,
    extreme: Extreme = False,
    seed: Seed = 0,
    price: Price = 0.0,
    max_missed: MaxMissed = 0.0,
    output: Folder = None,
    force: Force = False,
    *,
    marks: CsvMarks,
) -> None:
    """Recompute a result from its file; with signals, follow them with every member: what breaks,
    what is missed. It leaves with 9 where more is missed than may be, or owners allow less.
    """
    kind, style = _one_kind(frequency, signals, random, extreme), marks.style
    names = ["stress.csv", *([] if report_lacks() else ["stress.png"])]
    if output is not None:
        if not kind:
            raise typer.BadParameter(
                "give signals to follow: --random, --extreme, --signals or --frequency"
            )
        refuse_existing(output, names, force)

    path = result_path(result)
    tree, found = read_verified(terminal, path)
    worst = str(found.checks.attrs["worst"])
    verdict = f"passed, worst {worst}"
    words, missed = [f"{path}: {verdict}"], 0.0
    document: dict[str, object] = {
        "status": "ok",
        "passed": True,
        "worst": worst,
        "unchecked": list(found.unchecked),
    }

    if kind:
        activations = _signals(tree, frequency, signals, random, seed)
        followed = _followed(terminal, tree, activations, price)
        table, missed = _table(followed), _missed(followed)
        whether = _whether_followed(missed, max_missed, str(followed.attrs["allowance"]))
        words = [f"{path}: {whether}", f"the plan itself: {verdict}"]
        words += [str(followed.attrs["worst"]), *_sums(followed, tree)]
        words += _beyond_promise(followed, tree)
        document |= {"stress": followed.attrs["worst"], "missed_kWh": missed}
        beyond = str(followed.attrs["allowance"])
        if beyond:
            words.append(beyond)
            document |= {"allowance": beyond, "status": "not followed"}
        document["signals"] = table.to_dict("records")
        if missed > max_missed + BROKEN:
            document["status"] = "not followed"
        if output is not None:
            _write(tree, followed, {"stress": table}, output, names, force, style)
            words.append(f"wrote {', '.join(names)} to {output}")

    terminal.answer("\n".join(words), document)
    if document["status"] != "ok":
        raise typer.Exit(NOT_FOLLOWED)


def _missed(found: xr.Dataset) -> float:
    """Most energy that is missing under one signal: not delivered, or short of a need (kWh)."""
    return max(float(found.undelivered.sum("product").max()), float(found.missed.max()))


def _whether_followed(missed: float, most: float, beyond: str) -> str:
    """Say whether the members can follow the signals."""
    allowed = f", {most:g} kWh may be missing" if most else ""
    if missed > most + BROKEN:
        return (
            f"the signals can NOT be followed: {missed:.3f} kWh are missing under the worst one"
            f"{allowed}"
        )
    if beyond:
        return "the signals can be followed only beyond what owners allow"
    if missed > BROKEN:
        return f"the signals can be followed: {missed:.3f} kWh are missing at most{allowed}"
    return "every signal can be followed"


def _one_kind(
    frequency: Path | None, signals: Path | None, random: int | None, extreme: bool
) -> str:
    """The option that gives the signals, if any; two are a usage error."""
    options = {
        "--frequency": frequency,
        "--signals": signals,
        "--random": random,
        "--extreme": extreme,
    }
    given = [option for option, value in options.items() if value]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)}: give one kind of signals")
    return given[0] if given else ""


def _followed(
    terminal: Terminal, tree: xr.DataTree, activations: xr.Dataset, price: float
) -> xr.Dataset:
    """Follow the signals with every member."""
    count = activations.sizes["signal"]
    if count > MANY:
        terminal.say(f"{count} signals to follow: this takes minutes, with fewer steps less")
    with terminal.progress("Following"):
        return v2g.stress(tree, activations, price=price, paths=True)


def _signals(
    tree: xr.DataTree, frequency: Path | None, signals: Path | None, random: int | None, seed: int
) -> xr.Dataset:
    """Read the signals, or make them."""
    if frequency is not None:
        record = read_record(frequency)
        return v2g.frequency_signals(tree, record).assign_coords(signal=[frequency.name])
    if signals is not None:
        return read_netcdf(signals)
    return (
        v2g.extreme_signals(tree) if random is None else v2g.random_signals(tree, random, seed=seed)
    )


def _table(found: xr.Dataset) -> pd.DataFrame:
    """One row per signal and product."""
    flat = found.drop_vars("drawn").drop_dims(["time", "fleet"], errors="ignore")
    return flat.to_dataframe().reset_index()


def _sums(found: xr.Dataset, tree: xr.DataTree) -> list[str]:
    """What was called, delivered and fined, at the worst signal."""
    currency = str(tree.attrs.get("currency", "EUR"))
    broken = (found.violation_energy > BROKEN) | (found.violation_power > BROKEN)
    others = [d for d in broken.dims if d != "signal"]
    count = int(broken.any(others).sum())
    missing = found.undelivered.sum("product")
    return [
        f"{count} of {found.sizes['signal']} signals ask for more than a member has",
        (
            f"most energy not delivered under one signal: {float(missing.max()):.3f} kWh of"
            f" {float((found.called_up + found.called_down).sum('product').max()):.3f} kWh called"
            " at most"
        ),
        (
            f"largest penalty under one signal: {float(found.penalty.sum('product').max()):.2f}"
            f" {currency}"
        ),
    ]


def _beyond_promise(found: xr.Dataset, tree: xr.DataTree) -> list[str]:
    """Say what the guarantees promise of products that miss calls in a plan that keeps them."""
    reserve = tree["reserve"].to_dataset()
    given = reserve.get("guarantee", xr.DataArray("expected")).astype(str)
    missing = _most_by_product(found.undelivered)
    fell_short = _most_by_product(reserve["shortfall"]) if "shortfall" in reserve else 0.0
    missed = given.where((missing > BROKEN) & (fell_short <= BROKEN), "")
    said = [
        f"`{name}` promises {promise}"
        for name, promise in PROMISED.items()
        if bool((missed == name).any())
    ]
    return [f"the plan keeps its word: {'; '.join(said)} (docs/reserves.md)"] if said else []


def _most_by_product(x: xr.DataArray) -> xr.DataArray:
    return x.max([d for d in x.dims if d != "product"])


def _write(
    tree: xr.DataTree,
    found: xr.Dataset,
    tables: Mapping[str, pd.DataFrame],
    folder: Path,
    names: list[str],
    force: bool,
    style: CsvStyle,
) -> None:
    """Write the table, and the fan of energy on board."""
    with staged(folder, names, force) as stage:
        with atomic(stage / "stress.csv") as path:
            write_tables(path, tables, style)
        if "stress.png" in names:
            stress_fan(tree, found).savefig(stage / "stress.png", dpi=150)
