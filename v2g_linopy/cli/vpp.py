"""`vpp`: a portfolio and its sites in two levels, by files or in one command."""

import shutil
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import xarray as xr

import v2g_linopy as v2g

from ..errors import InputFileError
from ..solve.decompose.kept_rounds import rounds_in
from .case_size import counted
from .input_files import named_file, read_case
from .options import CaseFile, Force, Solving, command
from .output import refuse_file
from .solve import Files, Folder, solve_and_write
from .terminal import Terminal

MESSAGE, MIXED, PORTFOLIO, WHOLE = "message-{:03d}.nc", "mixed.nc", "portfolio.nc", "whole.nc"
SITES = "sites"
ROUNDS = ".rounds"
Processes = Annotated[
    int, typer.Option("--processes", min=1, help="Processes that the sites are shared out to.")
]
Alone = Annotated[
    bool,
    typer.Option("--alone/--no-alone", help="Find what every site would earn by itself as well."),
]
Bands = Annotated[
    bool,
    typer.Option("--bands/--no-bands", help="Find between which powers every site can be as well."),
]
Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go.")
]
PlanFile = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The plan.")]
SiteFile = Annotated[Path, typer.Argument(metavar="SITE", help="The case of a site.")]
SiteFiles = Annotated[list[Path], typer.Argument(metavar="SITE...", help="The cases of sites.")]
MessageFile = Annotated[Path, typer.Argument(metavar="MESSAGE", help="What the portfolio says.")]
PortfolioFile = Annotated[
    Path, typer.Argument(metavar="PORTFOLIO", help="What `split` left of the case.")
]
PlanFiles = Annotated[
    list[Path], typer.Argument(metavar="PLAN...", help="Plans of all sites, of all rounds so far.")
]
MixedFile = Annotated[Path, typer.Argument(metavar="MIXED", help="What `join` has found.")]
Told = Annotated[
    Path | None,
    typer.Option(
        "--told", metavar="MESSAGE", help="What the latest plans answer: the bound is told then."
    ),
]


def add(app: typer.Typer) -> None:
    """Add the commands to the app."""
    command(app, "solve", "v2g vpp solve group.nc --processes 2 -o group")(solve_sites)
    command(app, "split", "v2g vpp split group.nc -o group")(split)
    command(
        app, "plan", "v2g vpp plan group/sites/shop-1.nc group/message-000.nc -o shop-1-000.nc"
    )(plan)
    command(
        app,
        "join",
        "v2g vpp join group/portfolio.nc plans/*.nc --told group/message-000.nc -o group",
    )(join)
    command(app, "share", "v2g vpp share group/mixed.nc group/sites/*.nc -o shares")(share)


def solve_sites(
    terminal: Terminal,
    case: CaseFile,
    solving: Solving,
    output: Folder = None,
    processes: Processes = 1,
    alone: Alone = True,
    bands: Bands = True,
    *,
    files: Files,
) -> None:
    """Solve a case in two levels: its sites plan at prices, and a bound proves the mix of their
    plans; files as of `solve`.

    What the sites answer is kept in DIR/.rounds as soon as it is there: after an interruption the
    same command goes on from it.
    """
    folder = output or Path(named_file(case).stem)
    checkpoint = folder / ROUNDS
    if files.force and not files.dry_run:
        shutil.rmtree(checkpoint, ignore_errors=True)
    if kept := len(rounds_in(checkpoint)):
        terminal.say(f"{counted(kept, 'round')} kept in {checkpoint}; going on from there")
    work = partial(solved_in_rounds, processes, checkpoint, alone, bands)
    solve_and_write(
        terminal, case, solving, output, files, work, "Solving", done=partial(forget, checkpoint)
    )


def solved_in_rounds(
    processes: int, checkpoint: Path, alone: bool, bands: bool, tree: xr.DataTree, **options: Any
) -> xr.DataTree:
    """Return the result, with what every site would earn alone, and can do, where it is asked."""
    result = v2g.solve(tree, method="sites", processes=processes, checkpoint=checkpoint, **options)
    if alone:
        result = v2g.with_values_alone(result)
    if bands:
        found = v2g.flexibility(tree, nodes=0)
        result["flexibility_bands"] = found["flexibility_bands"]
    return result


def forget(checkpoint: Path) -> None:
    """Remove the rounds of a run that is written."""
    shutil.rmtree(checkpoint, ignore_errors=True)


def split(terminal: Terminal, case: CaseFile, output: Target, force: Force = False) -> None:
    """Divide a case: a case for each site, what stays with the portfolio, and the first message."""
    tree = read_case(case)
    left = v2g.portfolio_case(tree)
    made = {output / SITES / f"{file_name(pod)}.nc": x for pod, x in v2g.split(tree).items()}
    made |= {output / PORTFOLIO: left, output / MESSAGE.format(0): v2g.message(left)}
    write_all(made, force)
    terminal.answer(
        f"wrote {len(made) - 2} sites, {PORTFOLIO} and {MESSAGE.format(0)} to {output}",
        {"status": "ok", "files": [str(path) for path in made]},
    )


def plan(
    terminal: Terminal,
    site: SiteFile,
    message: MessageFile,
    output: PlanFile,
    force: Force = False,
) -> None:
    """Answer a message with the best plan of a site: power, reserve held and own cash, no more."""
    refuse_file(output, force)
    found = v2g.plan(read_case(site), read_tree(message))
    write_all({output: found}, force)
    money, value = found.attrs["currency"], float(found.attrs["value"])
    words = f"{found.attrs['pod']}: worth {value:.2f} {money} at these prices; wrote {output}"
    terminal.answer(words, {"status": "ok", "value": value, "files": [str(output)]})


def join(
    terminal: Terminal,
    portfolio: PortfolioFile,
    plans: PlanFiles,
    output: Target,
    told: Told = None,
    force: Force = False,
) -> None:
    """Mix the plans of all sites in the best way, and write what they are told next."""
    left, known = read_case(portfolio), [read_tree(path) for path in plans]
    mixed = v2g.solve(v2g.aggregate(known, left))
    told_next = v2g.message(mixed)
    number = int(told_next.attrs["round"])
    made = {output / MIXED: mixed, output / MESSAGE.format(number): told_next}
    write_all(made, force)

    slack = mixed["flexibility"].to_dataset()
    missing, money = float((slack.missing + slack.excess).max()), mixed.attrs["currency"]
    value = float(mixed.attrs["objective"])
    bound = None if told is None else v2g.bound(known, read_tree(told), left)
    words = [f"the best mix of {slack.sizes['plan']} plans is worth {value:.6f} {money}"]
    if bound is not None:
        gap = (bound - value) / max(1.0, abs(value))
        words.append(f"no plan is worth more than {bound:.6f} {money}: a gap of {gap:.2g}")
    if missing > 1e-6:
        words.append(f"up to {missing:.6g} kW are missing or too much: go on with the next message")
    words.append(f"wrote {', '.join(path.name for path in made)} to {output}")
    terminal.answer(
        "\n".join(words),
        {
            "status": "ok",
            "value": value,
            "bound": bound,
            "missing_kw": missing,
            "files": [str(path) for path in made],
        },
    )


def share(
    terminal: Terminal,
    mixed: MixedFile,
    sites: SiteFiles,
    output: Target,
    force: Force = False,
) -> None:
    """Hand a mix back: the plan of each site that keeps what is promised of it; of all sites also
    the whole, replayed.
    """
    result = read_case(mixed)
    cases = {pod_of_site(path): read_case(path) for path in sites}
    kept = {pod: v2g.keep_promise(result, pod, site) for pod, site in cases.items()}
    made = {output / f"{file_name(pod)}.nc": tree for pod, tree in kept.items()}
    words = [f"{len(kept)} sites keep what was promised of them"]
    pods = str(result.attrs.get("pods", "")).split("\n")
    if {*pods} <= {*kept}:
        made[output / WHOLE] = whole = v2g.disaggregate(result, kept)
        value, money = float(whole.attrs["objective"]), whole.attrs["currency"]
        words.append(f"the whole was replayed and passes: {value:.6f} {money}")
    write_all(made, force)
    words.append(f"wrote {len(made)} files to {output}")
    terminal.answer("\n".join(words), {"status": "ok", "files": [str(path) for path in made]})


def file_name(pod: str) -> str:
    """Return the name of a site as one of a file."""
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in pod)


def pod_of_site(path: Path) -> str:
    """Return the name of the site that a file holds."""
    pods = list(v2g.split(read_case(path)))
    if len(pods) != 1:
        raise InputFileError(path, f"holds {len(pods)} sites, not one: split the case first")
    return pods[0]


def read_tree(path: Path) -> xr.DataTree:
    """Read a message or a plan."""
    return v2g.read(named_file(path))


def write_all(made: dict[Path, xr.DataTree], force: bool) -> None:
    """Write files, none of which may be there already."""
    for path in made:
        refuse_file(path, force)
    for path, tree in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        v2g.write(tree, path, overwrite=force)
