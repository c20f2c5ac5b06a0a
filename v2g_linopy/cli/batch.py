"""`batch`: run every case of a study that is not done, and put all of them together."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from ..batch.array_jobs import SCHEDULERS, job_script
from ..batch.run_case import Outcome
from ..batch.run_study import CASES, DATASET, EXECUTORS, TABLE, run_one, run_study, table_of
from ..batch.study_file import Study, read_study, solved_in_place
from ..report.page.grid_page import PAGE, write_grid_page
from .case_size import counted
from .options import DryRun, command, one_of
from .output import report_lacks
from .terminal import Terminal

SOME_FAILED = 7
MOST_TOLD = 10
"""Cases without a result that are told one by one."""
StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY", help="Study file (TOML).", show_default=False)
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR", help="Folder for the files.  [default: the study's name]"
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Cases that are run at once.")]
Executor = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="KIND",
        help="Who runs them: local (processes of this machine) or dask (workers of a cluster).",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="TCP",
        help="Scheduler of a cluster of dask, e.g. tcp://10.0.0.1:8786; without it one is made.",
    ),
]
Index = Annotated[
    int | None,
    typer.Option(
        "--index",
        min=0,
        metavar="N",
        help="Run only the case of this number, from 0, as an array job does.",
    ),
]
InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help=(
            "Go on from the plan of the case before, where cases differ in numbers only: the same"
            " objectives, sooner; where several plans are as good, another one may be found."
        ),
    ),
]
Emit = Annotated[
    str | None,
    typer.Option(
        "--emit",
        metavar="SCHEDULER",
        help="Print what a scheduler takes to run the study, slurm or snakemake, and stop.",
    ),
]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write study.html as well.")]


def add(app: typer.Typer) -> None:
    """Add the command to the app."""
    command(
        app,
        "batch",
        "v2g batch study.toml -o out --jobs 2",
        "v2g batch study.toml --dry-run",
        "v2g batch study.toml -o out --executor dask --address tcp://10.0.0.1:8786",
        "v2g batch study.toml -o out --emit slurm",
    )(batch)


def batch(
    terminal: Terminal,
    study: StudyFile,
    output: Folder = None,
    jobs: Jobs = 1,
    executor: Executor = "local",
    address: Address = None,
    index: Index = None,
    in_place: InPlace = False,
    emit: Emit = None,
    report: Report = True,
    dry_run: DryRun = False,
) -> None:
    """Run every case of a study that is not done yet; write study.nc, study.csv and study.html.

    Each case keeps NAME.nc and NAME.json in the folder as soon as it has ended: the same command
    goes on with a study that was stopped, and a study may grow."""
    one_of("--executor", executor, EXECUTORS)
    if address is not None and executor != "dask":
        detail = "is of use only with --executor dask"
        raise typer.BadParameter(detail, param_hint="--address")
    if in_place and (emit is not None or index is not None):
        detail = "array jobs run a case each, and have none to go on from"
        raise typer.BadParameter(detail, param_hint="--in-place")
    asked = read_study(study)
    asked = solved_in_place(asked) if in_place else asked
    folder = output or Path(study.stem)
    if emit is not None:
        schedule = one_of("--emit", emit, SCHEDULERS)
        script = job_script(schedule, len(asked), shlex.quote(str(study)), shlex.quote(str(folder)))
        terminal.answer(script, {"status": "ok", "script": script})
    elif dry_run:
        tell_cases(terminal, asked, folder)
    elif index is not None:
        run_of_array(terminal, asked, folder, index)
    else:
        run_all(terminal, asked, folder, jobs, executor, address, report)


def tell_cases(terminal: Terminal, study: Study, folder: Path) -> None:
    """Print the table of the cases that would be run."""
    table = table_of(study)
    words = f"{counted(len(table), 'case')} to {study.command} in {folder}; nothing was done"
    with pd.option_context("display.max_rows", 60, "display.width", 200):
        lines = table.drop(columns="file").to_string(index=True)
    document = {"status": "dry run", "cases": table.to_dict("records"), "folder": str(folder)}
    terminal.answer(f"{lines}\n{words}", document)


def run_of_array(terminal: Terminal, study: Study, folder: Path, index: int) -> None:
    """Run one case of the study, and leave with 7 where it has no result."""
    try:
        with terminal.solving(f"Case {index}"):
            outcome = run_one(study, folder, index)
    except IndexError as error:
        raise typer.BadParameter(str(error), param_hint="--index") from None
    if outcome is None:
        terminal.answer(f"case {index} is done already", {"status": "done", "index": index})
        return
    words = f"case {index}, {outcome.name}: {outcome.status}"
    words += f"\n{outcome.message}" if outcome.message else ""
    document = {"status": outcome.status, "name": outcome.name, "message": outcome.message}
    terminal.answer(words, document)
    if not outcome.has_result:
        raise typer.Exit(SOME_FAILED)


def run_all(
    terminal: Terminal,
    study: Study,
    folder: Path,
    jobs: int,
    executor: str,
    address: str | None,
    report: bool,
) -> None:
    """Run what is missing, put all cases together, and say how they ended."""
    lacking = report_lacks() if report else ""
    if lacking:
        terminal.say(f"no {PAGE}: {lacking}")
    with terminal.solving(f"{counted(len(study), 'case')}", counted=True) as move:

        def progress(outcome: Outcome, done: int, of: int) -> None:
            move(done, of)

        run = run_study(
            study, folder, jobs=jobs, executor=executor, address=address, progress=progress
        )
        names = [DATASET, TABLE, CASES]
        if report and not lacking:
            write_grid_page(run.found, folder / PAGE, overwrite=True)
            names.append(PAGE)
    ended = ", ".join(f"{count} {status}" for status, count in sorted(run.ended.items()))
    words = [f"{counted(len(study), 'case')}: {ended}"]
    words += [f"  {run.before} of them done before"] if run.before else []
    words += told_failures(run.found)
    words.append(f"wrote {', '.join(names)} to {folder}")
    document: dict[str, Any] = {
        "status": "ok" if not run.failed else "some failed",
        "cases": len(study),
        "ended": dict(run.ended),
        "done_before": run.before,
        "files": {name: str(folder / name) for name in names},
    }
    terminal.answer("\n".join(words), document)
    if run.failed:
        raise typer.Exit(SOME_FAILED)


def told_failures(found: Any) -> list[str]:
    """The first cases without a result, and what was wrong with them."""
    names = found["name"].values.ravel()
    wrong = [(n, m) for n, m in zip(names, found["message"].values.ravel(), strict=True) if m]
    lines = [f"  {name}: {' '.join(str(message).split())}" for name, message in wrong[:MOST_TOLD]]
    more = len(wrong) - MOST_TOLD
    rest = f"  … and {more} more without a result; study.csv has all"
    return [*lines, *([rest] if more > 0 else [])]
