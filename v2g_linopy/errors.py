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

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


class V2GError(Exception):
    """Base class: `except V2GError` catches everything this package raises on purpose."""

    exit_code = 1


@dataclass(frozen=True)
class Remedy:
    """A parameter that mends a problem, and the values to choose from.

    It is data, so that each face of the package says it in its own words: `ambiguous="first"` in
    Python is `--ambiguous first` on the command line.

    >>> str(Remedy("ambiguous", ("first", "second")))
    'give ambiguous="first" or "second"'
    >>> str(Remedy("need", ("cap",), advice="{} lowers it to what is reached"))
    'need="cap" lowers it to what is reached'
    >>> str(Remedy("units", ("Wh",), key="energy"))
    'give units={"energy": "Wh"}'
    """

    parameter: str  # 'ambiguous'
    values: tuple[str | float, ...] = ()  # none: the user knows the value
    key: str = ""  # where the parameter is a mapping: the entry to give
    meanings: tuple[str, ...] = ()  # said after each value
    advice: str = "give {}"  # {} stands for parameter and values; no words of the input beside it

    def __str__(self) -> str:
        return self.advice.format(in_python_words(self))

    def choice(self, written: Callable[[str | float], str]) -> str:
        """The values as alternatives, each written by `written` and followed by its meaning."""
        meanings = self.meanings or ("",) * len(self.values)
        words = [f"{written(v)}{m}" for v, m in zip(self.values, meanings, strict=True)]
        return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


Words = Callable[[Remedy], str]
"""How a face of the package writes the parameter and the values of a remedy."""


def in_python_words(remedy: Remedy) -> str:
    """The parameter and the values of a remedy as a keyword argument."""
    if not remedy.values:
        return f"{remedy.parameter}[{remedy.key!r}]" if remedy.key else remedy.parameter
    values = remedy.choice(lambda value: f'"{value}"' if isinstance(value, str) else f"{value:g}")
    if remedy.key:
        values = f'{{"{remedy.key}": {values}}}'
    return f"{remedy.parameter}={values}"


@dataclass(frozen=True)
class Problem:
    """One fault of the input: where it is, which rule it breaks, and what to do."""

    where: str  # 'fleet.charge_max'
    # 'missing' | 'unit' | 'dims' | 'labels' | 'range' | 'nan' | 'unknown' | 'type' | 'time' |
    # 'consistency'
    rule: str
    detail: str
    remedies: tuple[Remedy, ...] = ()  # parameters that mend it

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence()}"

    def sentence(self, words: Words = in_python_words) -> str:
        """The detail and the remedies, whose parameters are written by `words`.

        >>> Problem("time", "time", "a gap", (Remedy("missing", ("hold",)),)).sentence()
        'a gap; give missing="hold"'
        """
        return "; ".join([self.detail, *(r.advice.format(words(r)) for r in self.remedies)])


class SchemaError(V2GError, ValueError):
    """The case does not fit the schema; `.problems` lists every misfit, not only the first."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], source: str = "the case"):
        self.problems = tuple(problems)
        self.source = source
        width = max((len(p.where) for p in self.problems), default=0)
        lines = [f"  {p.where:<{width}}   {p.sentence()}" for p in self.problems]
        count = f"{len(lines)} problem{'s' if len(lines) != 1 else ''}"
        super().__init__("\n".join([f"{count} in {source}", *lines]))


class InputFileError(SchemaError):
    """A file cannot be read at all: missing, empty, truncated, or of another kind."""

    def __init__(self, path: str | Path, detail: str, remedies: tuple[Remedy, ...] = ()):
        super().__init__([Problem(str(path), "file", detail, remedies)], source="the input")


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
