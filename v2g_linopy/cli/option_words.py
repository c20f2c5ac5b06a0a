"""Remedies in the words of the command line: where a reader says `time_format`, the user types
`--time-format`.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import InputFileError, Problem, SchemaError

OPTIONS = (
    *(
        "timezone",
        "ambiguous",
        "nonexistent",
        "hours",
        "time_format",
        "separator",
        "decimal",
        "unit",
        "resample",
    ),
    *("missing", "rows", "outside", "need", "step", "start", "end", "moved"),
)
"""Parameters of the readers and of `case_from` that are options of a command."""
PAIRS = {"day_ahead": "column", "charger_raise": "assume"}
"""Words that are the key of an option KEY=VALUE."""
NAMES = "|".join((*OPTIONS, *PAIRS))


@contextmanager
def spoken(renamed: Mapping[str, str] | None = None) -> Iterator[None]:
    """Raise every problem of the input in the words of the command line; `renamed` are options of
    another name.
    """
    try:
        yield
    except InputFileError as error:
        only = said(error.problems[0], renamed or {})
        raise InputFileError(only.where, only.detail) from error
    except SchemaError as error:
        raise SchemaError([said(p, renamed or {}) for p in error.problems], error.source) from error


def said(problem: Problem, renamed: Mapping[str, str]) -> Problem:
    """A problem in the words of the command line."""

    def option(name: str) -> str:
        return renamed.get(name, f"--{name.replace('_', '-')}")

    def assigned(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        value = shlex.quote(value if found["quote"] else value.rstrip(",;."))
        return (
            f"{option(PAIRS[name])} {name}={value}" if name in PAIRS else f"{option(name)} {value}"
        )

    text = re.sub(
        r'units=\{"(\w+)": "([^"]+)"\}', rf"{option('column_unit')} \1=\2", problem.detail
    )
    text = re.sub(
        rf'\b(?P<name>{NAMES})=(?P<quote>"?)(?P<value>[^"\s;,)]+|(?<=")[^"]+)"?', assigned, text
    )
    text = re.sub(
        rf"\bgive ({'|'.join(OPTIONS)})\b", lambda found: f"give {option(found[1])}", text
    )
    text = re.sub(r'"(infer|first|second|both|drop|shift|nan|hold|problem|clip|cap)"', r"\1", text)
    where, _, key = problem.where.partition(".")
    if where == "columns":
        return Problem(f"{option('column')} {key}".strip(), problem.rule, text)
    return Problem(
        option(where) if where in OPTIONS and not key else problem.where, problem.rule, text
    )
