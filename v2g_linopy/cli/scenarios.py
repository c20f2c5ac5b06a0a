"""`scenarios` and `value`: cases with several futures, and what knowing or planning for them is
worth.
"""

from pathlib import Path
from typing import Annotated

import typer
import xarray as xr

import v2g_linopy as v2g

from ..study.value_of_information import MEANINGS
from .case_size import size_in_words
from .import_common import Target
from .input_files import read_case
from .new import Writing
from .options import CaseFile, Solving, command
from .solve import checked_case
from .terminal import Terminal

Number = Annotated[
    int | None, typer.Option("--number", "-n", min=1, help="Scenarios to draw.", show_default=False)
]
Keep = Annotated[
    int | None,
    typer.Option("--reduce-to", min=1, help="Scenarios to keep of them, the most telling ones."),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Of what is drawn: the same seed, the same scenarios.")
]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="PART.FIELD",
        help=(
            "What to draw, such as energy.price, or sessions. Repeatable.  [default: prices, load,"
            " sun, sessions]"
        ),
    ),
]
History = Annotated[
    Path | None,
    typer.Option(
        "--history", metavar="CASE", help="Case whose days are drawn.  [default: the case itself]"
    ),
]
Risk = Annotated[
    float | None,
    typer.Option(
        "--risk",
        min=0.0,
        max=1.0,
        metavar="WEIGHT",
        help="Weigh the worst scenarios: 0 the mean, 1 CVaR.",
    ),
]
Confidence = Annotated[
    float | None,
    typer.Option(
        "--confidence",
        min=0.0,
        max=1.0,
        help="The worst 1 - confidence of them count.  [default: 0.95]",
    ),
]


def add(app: typer.Typer) -> None:
    """Add the commands to the app."""
    command(
        app,
        "scenarios",
        "v2g scenarios depot.nc -n 20 --reduce-to 5 -o futures.nc",
        "v2g scenarios depot.nc -n 40 --reduce-to 10 --risk 0.5 --confidence 0.8 -o careful.nc",
        "v2g scenarios tomorrow.nc -n 50 --history year.nc --vary energy.price -o futures.nc",
    )(scenarios)
    command(app, "value", "v2g value futures.nc", "v2g value futures.nc --gap 1e-3 --json")(value)


def scenarios(
    terminal: Terminal,
    case: CaseFile,
    output: Target,
    number: Number = None,
    reduce_to: Keep = None,
    seed: Seed = 0,
    vary: Vary = None,
    history: History = None,
    risk: Risk = None,
    confidence: Confidence = None,
    *,
    writing: Writing,
) -> None:
    """Draw scenarios of a case from its own days or those of another case, keep the most telling
    ones, or both.
    """
    path = writing.path(output)
    if number is None and reduce_to is None:
        raise typer.BadParameter(
            "say how many to draw, or with --reduce-to how many to keep", param_hint="--number"
        )
    if confidence is not None and risk is None:
        raise typer.BadParameter("is of use only with --risk", param_hint="--confidence")
    tree, _ = checked_case(terminal, case, writing.set_)
    past = None if history is None else read_case(history)
    made = v2g.scenarios(
        tree, n=number, reduce_to=reduce_to, seed=seed, vary=vary or None, history=past
    )
    if risk is not None:
        made["risk"] = xr.Dataset(
            {"weight": risk} | ({} if confidence is None else {"confidence": confidence})
        )
    writing.write(terminal, made, path)


def value(terminal: Terminal, case: CaseFile, solving: Solving) -> None:
    """Say what it is worth to know the scenario in advance (EVPI), and to plan for all of them
    (VSS).
    """
    tree, _ = checked_case(terminal, case, solving.set_, solving.calls)
    options = solving.arguments()
    with terminal.solving(f"Solving {size_in_words(tree)}"):
        found = values(tree, options)
    money = str(tree.attrs.get("currency", "EUR"))
    lines = [
        f"{name:<6}{float(found[name]):>14.2f} {money}   {MEANINGS[name]}" for name in MEANINGS
    ]
    if "infeasible" in found.attrs:
        lines += [
            "The plan for the mean leaves some scenario without a plan:",
            str(found.attrs["infeasible"]),
        ]
    document = {
        "status": "ok",
        "case": str(case),
        "currency": money,
        **{n: float(found[n]) for n in MEANINGS},
    }
    terminal.answer("\n".join(lines), document | {"infeasible": found.attrs.get("infeasible")})


def values(tree: xr.DataTree, options: dict) -> xr.Dataset:
    """Everything that is known of a case with scenarios; its own plan is found once."""
    best = v2g.solve(tree, **options)
    knowing, planning = (
        function(tree, here_and_now=best, **options) for function in (v2g.evpi, v2g.vss)
    )
    return knowing.assign(planning.data_vars).assign_attrs(planning.attrs)
