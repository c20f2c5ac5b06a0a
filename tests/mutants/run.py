"""`make mutants`: draw mutants, run the tests that reach each, print the score and who survived.

Each mutant is a process that is forked from this one, where the package and its tests are
imported. It puts the changed function in the place of the one that stands, and runs the tests that
reach the changed statement until one fails, or until they have taken 20 seconds as measured before:
what passes is called a survivor. What runs when the package is imported (fields of a schema,
constants) is changed before: such a mutant is forked where all but the package is imported.
"""

import gc
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
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from mutants.loading import Finder
from mutants.places import ROOT, Mutant, files, mutants
from mutants.reach import (
    KEPT,
    QUIET,
    Reach,
    function_at,
    known,
    measure,
    run_on_import,
    test_files,
    tests_for,
)

SAMPLE, WORKERS = (int(os.environ.get(n, d)) for n, d in (("SAMPLE", "200"), ("WORKERS", "1")))
FILES, LINES = (os.environ.get(name, "") for name in ("FILES", "LINES"))
"""Only files whose names hold this (`parts/markets`), and lines that match this (`dt`)."""
BUDGET = 20.0  # CPU seconds of tests for one mutant
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
    chosen = {m: _within_budget(tests_for(reaches, m.file, m.line)) for m in drawn}
    at_import = run_on_import()
    functions = {m: function_at(m.file, m.line) for m in drawn}
    early = [m for m, f in functions.items() if f is None or (m.file, *f) in at_import]

    score = Score(len(drawn))
    score.count(early, chosen, lambda m: _run_anew(m, [t for t, _ in chosen[m]]))
    late = [m for m in drawn if m not in {*early}]
    pytest.main([*test_files(), *QUIET, "-s"], plugins=[_Forks(score, late, chosen)])
    score.tell()


class Score:
    """Who was killed, who survived, and who changes nothing."""

    def __init__(self, drawn: int) -> None:
        self.drawn, self.argued = drawn, equivalents()
        self.done = self.killed = self.equivalent = self.survived = 0

    def count(
        self,
        some: list[Mutant],
        chosen: dict[Mutant, list[tuple[str, float]]],
        run: Callable[[Mutant], int],
    ) -> None:
        """Run mutants, each in a process of its own, and tell who survives."""
        tasks = {m: (lambda m=m: run(m)) for m in some}
        limits = {m: 30 + 4 * sum(seconds for _, seconds in chosen[m]) for m in some}
        for m, code in _each(tasks, limits):
            before, after = m.change()
            self.done += 1
            if code != 0:
                self.killed += 1
            elif (m.file, before, after) in self.argued:
                self.equivalent += 1
            else:
                self.survived += 1
                print(f"[{self.done}] {m.file}:{m.line} survived {len(chosen[m])} tests")
                print(f"    {before}\n    → {after}", flush=True)

    def tell(self) -> None:
        """Print the sum."""
        asked = self.done - self.equivalent
        print(f"\n{self.killed} of {asked} killed: {self.killed / max(asked, 1):.1%}", end="")
        print(f"; {self.survived} survived, {self.equivalent} more change nothing")


class _Forks:
    """In place of the tests: for each mutant a copy of this process, which runs its tests."""

    def __init__(
        self, score: Score, some: list[Mutant], chosen: dict[Mutant, list[tuple[str, float]]]
    ) -> None:
        self.score, self.some, self.chosen = score, some, chosen

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        gc.unfreeze()  # the tests freeze what they import, which hides it
        items = {item.nodeid: item for item in session.items}
        functions = [x for x in gc.get_objects() if isinstance(x, FunctionType)]

        def run(m: Mutant) -> int:
            _put_in_place(m, functions)
            return _until_one_fails([items[test] for test, _ in self.chosen[m]])

        self.score.count(self.some, self.chosen, run)
        return True


def _until_one_fails(items: list[pytest.Item]) -> int:
    for item, after in zip(items, [*items[1:], None], strict=True):
        if any(report.failed for report in runtestprotocol(item, nextitem=after, log=False)):
            return 1
    return 0


def _put_in_place(mutant: Mutant, functions: list[FunctionType]) -> None:
    """Give the function that holds the changed line its changed code, wherever it is kept."""
    first = function_at(mutant.file, mutant.line)
    code = compile(mutant.text(), str(ROOT / mutant.file), "exec", dont_inherit=True)
    (new,) = (c for c in _codes(code) if first is not None and _is(c, first, mutant.file))
    old = [f for f in functions if _is(f.__code__, first, mutant.file)]
    assert old, f"nobody has the function of {mutant.file}:{mutant.line}"
    for function in old:
        function.__code__ = new


def _is(code: CodeType, place: tuple[str, int] | None, file: str) -> bool:
    """Whether it is the code of a function of this name and first line (that of a decorator)."""
    if place is None or code.co_filename != str(ROOT / file):
        return False
    return (code.co_name, code.co_firstlineno) == place


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of every function and class within."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


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


def _run_anew(mutant: Mutant, tests: list[str]) -> int:
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
