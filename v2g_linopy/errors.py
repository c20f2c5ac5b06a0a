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
    └── Interrupted        stopped by the user or by a signal        exit 130, 143, 129
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


class V2GError(Exception):
    """Base class of every error that this package raises on purpose.

    Attributes
    ----------
    exit_code : int
        What the command line leaves with; 1 unless a subclass says otherwise.

    Examples
    --------
    One `except` catches everything that a user can mend:

    >>> import v2g_linopy as v2g
    >>> try:
    ...     v2g.read("no-such-case.nc")
    ... except v2g.V2GError as error:
    ...     print(error)
    1 problem in the input
      no-such-case.nc   does not exist
    >>> v2g.V2GError.exit_code, v2g.SchemaError.exit_code
    (1, 3)
    """

    exit_code = 1


@dataclass(frozen=True)
class Remedy:
    """A parameter that mends a problem, and the values to choose from.

    It is data, so that each face of the package says it in its own words: `ambiguous="first"` in
    Python is `--ambiguous first` on the command line.

    Parameters
    ----------
    parameter : str
        Name of the parameter in Python, as `ambiguous`.
    values : tuple of str or float, default ()
        What it may be; none where only the user knows the value.
    key : str, default ""
        Where the parameter is a mapping, the entry to give.
    meanings : tuple of str, default ()
        Said after each value.
    advice : str, default "give {}"
        The sentence; `{}` stands for parameter and values. It has no words of the input beside it.

    Examples
    --------
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
    """One fault of the input: where it is, which rule it breaks, and what to do.

    Parameters
    ----------
    where : str
        The place in the words of the case, as `fleet.charge_max`.
    rule : str
        Which kind of rule is broken: `missing`, `unit`, `dims`, `labels`, `range`, `nan`,
        `unknown`, `type`, `time`, `choice`, `consistency` and others.
    detail : str
        What is wrong, in words, with the first place and the number found there.
    remedies : tuple of Remedy, default ()
        Parameters that mend it.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> print(v2g.Problem("fleet.charge_max", "range", "fleet ev: -7, allowed [0, inf] kW"))
    fleet.charge_max: fleet ev: -7, allowed [0, inf] kW
    """

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
    """The case, or an argument, does not fit what is declared; every misfit is listed.

    The command line leaves with 3. It is a `ValueError`, too.

    Parameters
    ----------
    problems : iterable of Problem
        Every misfit that was found, not only the first.
    source : str, default "the case"
        What they were found in, for the message.

    Attributes
    ----------
    problems : tuple of Problem
        As given, for a program that reads them.
    source : str
        As given.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> case["fleet"] = case["fleet"].to_dataset().assign(charge_mx=7.2, wear=-1.0)
    >>> try:
    ...     v2g.check(case)
    ... except v2g.SchemaError as error:
    ...     print(error)
    ...     print([problem.rule for problem in error.problems])
    2 problems in 1 commuters, 1 days
      fleet.wear        -1, allowed [0, inf] EUR/kWh
      fleet.charge_mx   unknown; did you mean fleet.charge_max?
    ['range', 'unknown']
    """

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], source: str = "the case"):
        self.problems = tuple(problems)
        self.source = source
        width = max((len(p.where) for p in self.problems), default=0)
        lines = [f"  {p.where:<{width}}   {p.sentence()}" for p in self.problems]
        count = f"{len(lines)} problem{'s' if len(lines) != 1 else ''}"
        super().__init__("\n".join([f"{count} in {source}", *lines]))


class InputFileError(SchemaError):
    """A file cannot be read at all: missing, empty, truncated, or of another kind.

    The command line leaves with 3.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    detail : str
        What is wrong with it.
    remedies : tuple of Remedy, default ()
        Parameters that would let it be read.

    Examples
    --------
    >>> print(InputFileError("day.csv", "is empty"))
    1 problem in the input
      day.csv   is empty
    """

    def __init__(self, path: str | Path, detail: str, remedies: tuple[Remedy, ...] = ()):
        super().__init__([Problem(str(path), "file", detail, remedies)], source="the input")


class SolveError(V2GError, RuntimeError):
    """The solver did not return an optimal plan.

    The command line leaves with 5 (4 for `Infeasible`, 3 for `Unbounded`). It is a `RuntimeError`,
    too.

    Parameters
    ----------
    message : str
        What happened, in words.
    status : str, default "error"
        The word of the solver for it, as `time_limit`.

    Attributes
    ----------
    status : str
        As given.

    Examples
    --------
    `Infeasible`, `Unbounded` and `SolverError` are caught with it:

    >>> import v2g_linopy as v2g
    >>> issubclass(v2g.Infeasible, v2g.SolveError), issubclass(v2g.SolverError, v2g.SolveError)
    (True, True)
    """

    exit_code = 5

    def __init__(self, message: str, status: str = "error"):
        self.status = status
        super().__init__(message)


class Infeasible(SolveError):  # noqa: N818  the word of the field
    """No plan keeps every limit.

    The command line leaves with 4.

    Parameters
    ----------
    explanation : str
        Where limits cannot be kept, and why, in the words of the case.

    Attributes
    ----------
    explanation : str
        As given.

    Examples
    --------
    A charger that is a hundred times too weak, and a need that must be served:

    >>> import numpy as np
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> fleet = case["fleet"].to_dataset()
    >>> case["fleet"] = fleet.assign(charge_max=0.01 * fleet.charge_max, unserved_cost=np.nan)
    >>> try:
    ...     v2g.solve(case)
    ... except v2g.Infeasible as error:
    ...     print(error.status, error.exit_code)
    infeasible 4
    """

    exit_code = 4

    def __init__(self, explanation: str):
        self.explanation = explanation
        super().__init__(f"no plan keeps every limit\n{explanation}", status="infeasible")


class Unbounded(SolveError):  # noqa: N818
    """The data let a plan earn without end.

    It is raised where a price pays for a quantity that nothing limits. The command line leaves
    with 3.
    """

    exit_code = 3


class SolverError(SolveError):
    """The solver is missing, failed, or was given an option it does not know.

    It is also raised where a plan does not pass its own audit. The command line leaves with 5.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> try:
    ...     v2g.solve(v2g.commuters(vehicles=1, days=1), gap=-1.0)
    ... except v2g.SolverError as error:
    ...     print(error)
    gap must be a number of at least 0, not -1.0
    """


class OutputError(V2GError, OSError):
    """An output exists already, or cannot be written; nothing was changed.

    The command line leaves with 8. It is an `OSError`, too.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> v2g.write(case, "case.nc")
    >>> try:
    ...     v2g.write(case, "case.nc")
    ... except v2g.OutputError as error:
    ...     print(error)
    case.nc exists already; use --force (overwrite=True) to replace it
    """

    exit_code = 8


class Interrupted(V2GError):  # noqa: N818
    """Stopped by the user before a plan was found; nothing was written.

    It is raised where Ctrl-C arrives while a solver is at work. The command line leaves with 130.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> v2g.Interrupted.exit_code
    130
    """

    exit_code = 130
