"""Every error a caller may want to catch.

::

    V2GError
    ├── SchemaError        the case does not fit the schema         exit 3
    │   └── InputFileError  a file cannot be read as a case          exit 3
    ├── SolveError         no optimal solution                       exit 5
    │   ├── Infeasible     no plan keeps every limit                 exit 4
    │   ├── Unbounded      the data let a plan earn without end      exit 3
    │   └── SolverError    solver missing, failed or misconfigured   exit 5
    ├── OutputError        a file exists or cannot be written        exit 8
    └── Interrupted        stopped by the user                       exit 130
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class V2GError(Exception):
    """Base class: `except V2GError` catches everything this package raises on purpose."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One fault of the input: where it is, which rule it breaks, and what to do."""

    where: str  # 'fleet.charge_max'
    # 'missing' | 'unit' | 'dims' | 'labels' | 'range' | 'nan' | 'unknown' | 'type' | 'time' |
    # 'consistency'
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}"


class SchemaError(V2GError, ValueError):
    """The case does not fit the schema; `.problems` lists every misfit, not only the first."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], source: str = "the case"):
        self.problems = tuple(problems)
        self.source = source
        width = max((len(p.where) for p in self.problems), default=0)
        lines = [f"  {p.where:<{width}}   {p.detail}" for p in self.problems]
        count = f"{len(lines)} problem{'s' if len(lines) != 1 else ''}"
        super().__init__("\n".join([f"{count} in {source}", *lines]))


class InputFileError(SchemaError):
    """A file cannot be read at all: missing, empty, truncated, or of another kind."""

    def __init__(self, path: str | Path, detail: str):
        super().__init__([Problem(str(path), "file", detail)], source="the input")


class SolveError(V2GError, RuntimeError):
    """The solver did not return a plan; `.status` is its word for it."""

    exit_code = 5

    def __init__(self, message: str, status: str = "error"):
        self.status = status
        super().__init__(message)


class Infeasible(SolveError):  # noqa: N818  the word of the field
    """No plan keeps every limit; `.explanation` says where and why, in the words of the case."""

    exit_code = 4

    def __init__(self, explanation: str):
        self.explanation = explanation
        super().__init__(f"no plan keeps every limit\n{explanation}", status="infeasible")


class Unbounded(SolveError):  # noqa: N818
    """The data let a plan earn without end."""

    exit_code = 3


class SolverError(SolveError):
    """The solver is missing, failed, or was given an option it does not know."""


class OutputError(V2GError, OSError):
    """An output exists already, or cannot be written; nothing was changed."""

    exit_code = 8


class Interrupted(V2GError):  # noqa: N818
    """Stopped by the user before a plan was found; nothing was written."""

    exit_code = 130
