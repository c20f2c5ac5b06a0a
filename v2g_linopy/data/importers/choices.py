"""Which of several series in one file is meant: the file says what there is, the user which."""

from collections.abc import Mapping, Sequence

from ...errors import Problem, Remedy, SchemaError
from ..tables.wording import first_few

Where = Mapping[str, str]
"""What the series must be: the value of each attribute, such as ``{"area": "SE3"}``."""
COUPLED: Where = {"sequence": "1"}
"""The auction of a day that couples the markets of Europe (SDAC); others of ENTSO-E come after."""
NONE = "none"
"""The value of an attribute that a part of the file does not have."""


def choose_series(
    kinds: Sequence[Mapping[str, str]],
    where: Where | None,
    source: str,
    usual: Where | None = None,
) -> list[int]:
    """Return the places of those parts of a file that are one series, as `where` says.

    Parameters
    ----------
    kinds
        What each part is: the value of each attribute, such as its area and its auction.
    where
        What the parts must be; names and values are compared without case.
    source
        The file, for the message.
    usual
        What is meant by an attribute that `where` does not name, if the file has it.

    Raises
    ------
    SchemaError
        An attribute or a value that the file does not have, or parts of several series, with
        everything there is to choose from.
    """
    wanted = {name.strip().lower(): value.strip() for name, value in (where or {}).items()}
    known = {name for kind in kinds for name in kind}
    for name, value in (usual or {}).items():
        if name not in wanted and any(kind.get(name) == value for kind in kinds):
            wanted[name] = value
    problems = [_no_such_name(name, known) for name in wanted if name not in known]
    picked = [
        place
        for place, kind in enumerate(kinds)
        if all(kind.get(name, NONE).lower() == value.lower() for name, value in wanted.items())
    ]
    if not problems and not picked:
        problems = _no_such_value(kinds, wanted)
    problems += _several(kinds, picked, known)
    if problems:
        raise SchemaError(problems, source)
    return picked


def _no_such_name(name: str, known: set[str]) -> Problem:
    """Return the problem of an attribute that no part has."""
    has = f"the file tells its series apart by {first_few(sorted(known))}"
    detail = f"there is no {name!r} in the file; {has if known else 'it holds one series'}"
    return Problem("where", "unknown", detail)


def _no_such_value(kinds: Sequence[Mapping[str, str]], wanted: Where) -> list[Problem]:
    """Return a problem for each wish that no part fulfils, or one for all together."""
    problems = []
    for name, value in wanted.items():
        there = _values(kinds, range(len(kinds)), name)
        if value.lower() not in [word.lower() for word in there]:
            detail = f"no {name} {value!r}; the file has {first_few(there, 20)}"
            problems.append(Problem("where", "choice", detail, (_remedy(name, there),)))
    if not problems:
        both = first_few([f"{name} {value}" for name, value in wanted.items()])
        problems.append(Problem("where", "choice", f"nothing in the file is {both} at once"))
    return problems


def _several(
    kinds: Sequence[Mapping[str, str]], picked: Sequence[int], known: set[str]
) -> list[Problem]:
    """Return a problem for each attribute in which the picked parts differ."""
    problems = []
    for name in sorted(known):
        there = _values(kinds, picked, name)
        if len(there) > 1:
            detail = f"the file holds several series: {name} {first_few(there, 20)}"
            problems.append(Problem(name, "choice", detail, (_remedy(name, there),)))
    return problems


def _values(kinds: Sequence[Mapping[str, str]], places: Sequence[int], name: str) -> list[str]:
    """Return the values of an attribute in the order of the file."""
    return list(dict.fromkeys(kinds[place].get(name, NONE) for place in places))


def _remedy(name: str, there: Sequence[str]) -> Remedy:
    """Return what to give so that one is chosen."""
    return Remedy("where", tuple(there[:6]), key=name)
