"""Which test reaches which statement, and how long it takes: one run of the tests, kept by file.

A statement of a function reports its line when it runs. That costs next to nothing, as only files
of the package report; coverage, which traces every call of every library, takes three times as
long.
"""

import ast
import difflib
import hashlib
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from mutants.loading import Finder
from mutants.places import ROOMS, ROOT

KEPT = ROOT / ".mutants"
TESTS = (*ROOMS, "invariants")  # the tests of the rooms, and those that reach everything
BESIDE = ("tests/case/test_bad_input.py", "tests/cli/test_explain.py")
"""Stories of rooms that stand with those who show them: faults of a case, explanations."""
REPORT = "__reached__"
QUIET = (
    *("-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
    "--assert=plain",  # pytest would else import a file of the package that ends in `_test.py`
)


@dataclass
class Reach:
    """What is known of one file of tests."""

    file: str
    hash: str
    sources: dict[str, str]  # file of the package -> hash of its text when the tests ran
    seconds: dict[str, float]  # test -> CPU time
    lines: list[dict[str, list[int]]]  # file of the package -> statements; each set once
    of: dict[str, int]  # test -> its entry in `lines`


def test_files() -> list[str]:
    """The files of tests that are used."""
    paths = (p for folder in TESTS for p in (ROOT / "tests" / folder).glob("test_*.py"))
    return sorted({*(p.relative_to(ROOT).as_posix() for p in paths), *BESIDE})


def known(file: str) -> Reach | None:
    """What an earlier run wrote of a file of tests, if the file is as it was."""
    path = _path(file)
    if not path.exists():
        return None
    reach = Reach(**json.loads(path.read_text(encoding="utf-8")))
    return reach if reach.hash == _hash(_text(file)) else None


def measure(file: str) -> int:
    """Run a file of tests in this process, which has not imported the package yet; write what it
    reaches.
    """
    recorder = _Recorder()
    Finder(_reporting, lambda source: {REPORT: recorder.hits[source].add}).install()
    code = pytest.main([file, *QUIET], plugins=[recorder])
    if code == pytest.ExitCode.OK:
        sources = {}
        for source in recorder.hits:
            text = _text(source)
            sources[source] = _hash(text)
            _kept_text(sources[source]).write_text(text, encoding="utf-8")
        reach = Reach(
            file, _hash(_text(file)), sources, recorder.seconds, recorder.lines, recorder.of
        )
        _path(file).write_text(json.dumps(vars(reach)), encoding="utf-8")
    return int(code)


def tests_for(reaches: list[Reach], source: str, line: int) -> list[tuple[str, float]]:
    """The tests that run the statement at a line, with their seconds, the most promising first:
    quick, and at home in this file. Behind them the other tests of the same files, which may look
    at what was made once for all.

    What runs on import only (a field of a schema, a constant) is tested by all that use the file.
    """
    statement = _statement(source, line)
    return _tests_at(reaches, source, statement) or _tests_at(reaches, source, None)


def _tests_at(reaches: list[Reach], source: str, statement: int | None) -> list[tuple[str, float]]:
    """The tests that run a statement, or that use the file where it is None."""
    first, then = [], []
    for reach in reaches:
        at = None if statement is None else _then(reach, source, statement)
        there = []
        for test, number in reach.of.items():
            lines = reach.lines[number]
            here = lines.get(source, ())
            ran = bool(here) if statement is None else at in here
            home = (len(here) + 1) / (sum(map(len, lines.values())) + 1)
            if ran:
                there.append(test)
                first.append((reach.seconds[test] / home, test, reach.seconds[test]))
        if there:
            rest = reach.of.keys() - {*there}
            then += [(reach.seconds[test], test, reach.seconds[test]) for test in rest]
    return [(test, seconds) for _, test, seconds in sorted(first) + sorted(then)]


class _Recorder:
    """Notes for each test what ran since the one before, fixtures included."""

    def __init__(self) -> None:
        self.hits: dict[str, set[int]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.lines: list[dict[str, list[int]]] = []
        self.of: dict[str, int] = {}
        self.seen: dict[str, int] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        for lines in self.hits.values():
            lines.clear()
        begun = time.process_time()
        yield
        self.seconds[item.nodeid] = round(time.process_time() - begun, 3)
        reached = {file: sorted(lines) for file, lines in self.hits.items() if lines}
        word = json.dumps(reached)
        if word not in self.seen:
            self.seen[word] = len(self.lines)
            self.lines.append(reached)
        self.of[item.nodeid] = self.seen[word]


class _Reporting(ast.NodeTransformer):
    """Puts a report before each statement of a function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        for inner in ast.walk(node):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(inner, name, None)
                if isinstance(block, list) and block and not hasattr(inner, f"reported_{name}"):
                    setattr(inner, name, [x for s in block for x in _reported(s)])
                    setattr(inner, f"reported_{name}", True)
        return node


def _reported(statement: ast.stmt) -> list[ast.stmt]:
    """The statement behind its report; a docstring, which does nothing, stays where it is."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return [statement]
    call = ast.parse(f"{REPORT}({statement.lineno})").body[0]
    return [ast.fix_missing_locations(ast.copy_location(call, statement)), statement]


def _reporting(file: str):
    """The code of a file of the rooms, which reports; None for others."""
    if file.split("/")[1] not in ROOMS:
        return None
    tree = _Reporting().visit(ast.parse(_text(file)))
    return compile(tree, str(ROOT / file), "exec")


def function_at(source: str, line: int) -> tuple[str, int] | None:
    """Name and first line of the outermost function at a line; None outside of them."""
    for node in _outermost(_tree(source)):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        if first <= line <= (node.end_lineno or 0):
            return node.name, first
    return None


def _outermost(tree: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _outermost(node)


def run_on_import() -> set[tuple[str, str, int]]:
    """The functions that run while the package is imported, by file, name and first line."""
    code = (
        "import json, v2g_linopy as v2g;"
        "[getattr(v2g, name) for name in v2g.__all__];"
        "print(json.dumps({k: sorted(v) for k, v in hits.items()}))"
    )
    start = (
        "import sys; sys.path.insert(0, 'tests');"
        "from collections import defaultdict; from mutants import reach, loading;"
        "hits = defaultdict(set);"
        "loading.Finder(reach._reporting, lambda f: {reach.REPORT: hits[f].add}).install();"
    )
    ran = subprocess.run(
        [sys.executable, "-c", start + code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found = json.loads(ran.stdout.splitlines()[-1])
    at = ((file, function_at(file, n)) for file, lines in found.items() for n in lines)
    return {(file, *f) for file, f in at if f is not None}


def _statement(source: str, line: int) -> int | None:
    """The first line of the innermost statement at a line of a function; None outside of them."""
    found = None
    for function in ast.walk(_tree(source)):
        if isinstance(function, ast.FunctionDef):
            inside = (
                s for s in ast.walk(function) if isinstance(s, ast.stmt) and s is not function
            )
            for s in inside:
                if s.lineno <= line <= (s.end_lineno or 0):
                    found = max(found or 0, s.lineno)
    return found


def _then(reach: Reach, source: str, line: int) -> int | None:
    """The line that a line had when the tests ran; None if it was not there."""
    if source not in reach.sources:
        return None
    return _moved(source, reach.sources[source]).get(line)


@cache
def _moved(source: str, earlier: str) -> dict[int, int]:
    """Lines of a file now, and where they stood in an earlier text."""
    now = _text(source)
    if _hash(now) == earlier:
        return {n: n for n in range(1, now.count("\n") + 2)}
    before = _kept_text(earlier).read_text(encoding="utf-8").splitlines()
    same = difflib.SequenceMatcher(None, now.splitlines(), before, autojunk=False)
    blocks = same.get_matching_blocks()
    return {b.a + i + 1: b.b + i + 1 for b in blocks for i in range(b.size)}


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse(_text(source))


def _path(file: str) -> Path:
    return KEPT / f"{file.removesuffix('.py').replace('/', '.')}.json"


def _kept_text(name: str) -> Path:
    return KEPT / f"{name}.py"


@cache
def _text(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
