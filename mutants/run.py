"""`make mutants`: draw mutants, run the tests that reach each, print the score and who survived.

Each mutant is a process that is forked from this one, where all but the package is imported. It
imports the package with one change, and runs the tests that reach the changed statement until one
fails, or until they have taken a minute as measured before: what passes is called a survivor.
"""

import os
import random
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

import pytest

from mutants.loading import Finder
from mutants.places import ROOT, Mutant, files, mutants
from mutants.reach import KEPT, QUIET, Reach, known, measure, test_files, tests_for

SAMPLE, WORKERS = (int(os.environ.get(n, d)) for n, d in (("SAMPLE", "200"), ("WORKERS", "1")))
FILES, LINES = (os.environ.get(name, "") for name in ("FILES", "LINES"))
"""Only files whose names hold this (`parts/markets`), and lines that match this (`dt`)."""
BUDGET = 60.0  # CPU seconds of tests for one mutant
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
Task = Callable[[], int]


def main() -> None:
    """Measure what has changed, draw, run, print; the exit code is 0 whatever the score."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    _preload()
    reaches = _reaches()
    every = [m for file in files() if FILES in file for m in mutants(file) if _wanted(m)]
    drawn = random.Random(int(commit[:8], 16)).sample(every, min(SAMPLE, len(every)))
    print(f"{len(drawn)} of {len(every)} mutants, seed {commit[:8]}", flush=True)
    argued, killed, survivors, equivalent = equivalents(), 0, [], []
    chosen = {m: _within_budget(tests_for(reaches, m.file, m.line)) for m in drawn}
    tasks = {m: (lambda m=m: _run(m, [t for t, _ in chosen[m]])) for m in drawn}
    limits = {m: 30 + 4 * sum(seconds for _, seconds in chosen[m]) for m in drawn}
    for done, (m, code) in enumerate(_each(tasks, limits), start=1):
        before, after = m.change()
        if code != 0:
            killed += 1
        elif (m.file, before, after) in argued:
            equivalent.append(m)
        else:
            survivors.append(m)
            print(f"[{done}] {m.file}:{m.line} survived {len(chosen[m])} tests", flush=True)
            print(f"    {before}\n    → {after}", flush=True)
    asked = len(drawn) - len(equivalent)
    print(f"\n{killed} of {asked} killed: {killed / max(asked, 1):.1%}", end="")
    print(f"; {len(survivors)} survived, {len(equivalent)} more change nothing ({EQUIVALENT.name})")


def _wanted(mutant: Mutant) -> bool:
    lines = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    return re.search(LINES, lines[mutant.line - 1]) is not None


def _preload() -> None:
    """Import what the package and its tests use, and what does not change with a mutant."""
    import highspy  # noqa: F401
    import hypothesis  # noqa: F401
    import linopy  # noqa: F401
    import netCDF4  # noqa: F401
    import pydantic  # noqa: F401
    import scipy.sparse  # noqa: F401


def _reaches() -> list[Reach]:
    """What each file of tests reaches; files that changed since are run first."""
    KEPT.mkdir(exist_ok=True)
    stale = [file for file in test_files() if known(file) is None]
    if stale:
        print(f"which statements tests reach: {len(stale)} files to run", flush=True)
    tasks = {file: (lambda file=file: measure(file)) for file in stale}
    codes = dict(_each(tasks, dict.fromkeys(stale, 3600.0)))
    if failing := [file for file, code in codes.items() if code != 0]:
        sys.exit(f"tests that fail as they are; mend them first: {', '.join(failing)}")
    return [reach for file in test_files() if (reach := known(file)) is not None]


def _within_budget(tests: list[tuple[str, float]]) -> list[tuple[str, float]]:
    chosen, spent = [], 0.0
    for test, seconds in tests:
        if spent + seconds <= BUDGET:
            chosen.append((test, seconds))
            spent += seconds
    return chosen


def _run(mutant: Mutant, tests: list[str]) -> int:
    """Import the package with a mutant, and run tests until one fails; 0 if none did."""
    code = compile(mutant.text(), str(ROOT / mutant.file), "exec", dont_inherit=True)
    Finder(lambda file: code if file == mutant.file else None).install()
    return int(pytest.main([*tests, "-x", *QUIET])) if tests else 0


def _each(tasks: dict[Any, Task], limits: dict[Any, float]) -> Iterator[tuple[Any, int]]:
    """Each task in a process of its own, with so many seconds of CPU time, and its exit code."""
    waiting, running = [*tasks], {}
    while waiting or running:
        while waiting and len(running) < WORKERS:
            name = waiting.pop(0)
            process = get_context("fork").Process(target=_alone, args=(tasks[name], limits[name]))
            process.start()
            running[process.sentinel] = (name, process)
        for sentinel in connection.wait([*running]):
            name, process = running.pop(sentinel)
            process.join()
            yield name, process.exitcode


def _alone(task: Task, limit: float) -> None:
    """Run a task without a word; the system ends it where it takes longer."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
    with (KEPT / f"log-{os.getpid()}").open("w+") as log:
        Path(log.name).unlink()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        code = task()
    os._exit(code)


def equivalents() -> dict[tuple[str, str, str], str]:
    """Mutants that change nothing, with the reason: file, line before and after."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])
    return {(e["file"], e["before"], e["after"]): e["why"] for e in entries}


if __name__ == "__main__":
    main()
