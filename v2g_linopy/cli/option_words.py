"""Remedies in the words of the command line: where a reader says `time_format`, the user types
`--time-format`.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ..data import BatteryAssumption
from ..errors import InputFileError, Problem, Remedy, SchemaError

PLACES = (
    *("timezone", "ambiguous", "unit", "rows", "start"),
    *("scenario", "most_periods", "stack_level", "ramp", "transactions", "sensors"),
)
"""Parameters at which a problem may stand, and which are options of a command."""
MAPPINGS = {"columns": "column", "units": "column_unit"}
"""Parameters that are mappings, and the option KEY=VALUE that gives one entry."""


@contextmanager
def in_option_words(renamed: Mapping[str, str] | None = None) -> Iterator[None]:
    """Raise every problem of the input in the words of the command line.

    `renamed` are options of another name.
    """
    try:
        yield
    except InputFileError as error:
        only = in_options(error.problems[0], renamed or {})
        raise InputFileError(only.where, only.detail) from error
    except SchemaError as error:
        raise SchemaError(
            [in_options(p, renamed or {}) for p in error.problems], error.source
        ) from error


def in_options(problem: Problem, renamed: Mapping[str, str]) -> Problem:
    """A problem in the words of the command line."""

    def option(name: str) -> str:
        return renamed.get(name, f"--{name.replace('_', '-')}")

    def words(remedy: Remedy) -> str:
        return option_words(remedy, option)

    return Problem(place(problem.where, option), problem.rule, problem.sentence(words))


def place(where: str, option: Callable[[str], str]) -> str:
    """Where a problem stands: a parameter is an option here, a field of the case is itself."""
    parameter, _, key = where.partition(".")
    if parameter == "columns":
        return f"{option('column')} {key}".strip()
    return option(where) if where in PLACES else where


def option_words(remedy: Remedy, option: Callable[[str], str]) -> str:
    """Return the parameter and the values of a remedy as the user types them.

    `option` names the option of a parameter.
    """
    parameter, key = MAPPINGS.get(remedy.parameter, remedy.parameter), remedy.key
    if parameter in BatteryAssumption.model_fields:
        parameter, key = "assume", parameter
    name = option(parameter)
    if not remedy.values:
        return f"{name} {key}".rstrip()
    values = remedy.choice(lambda value: shlex.quote(str(value)))
    return f"{name} {shlex.quote(key)}={values}" if key else f"{name} {values}"
