"""Many faults of one kind: the first are listed, the rest are counted."""

from collections.abc import Sequence

from ...errors import Problem, Remedy
from .wording import first_few

MOST_LISTED = 20
MOST_NAMED = 200


def listed_problems(
    where: str,
    rule: str,
    details: Sequence[str],
    names: Sequence[object],
    what: str = "sessions",
    remedies: tuple[Remedy, ...] = (),
) -> list[Problem]:
    """Return a problem for each of the first faults; beyond them, one with the names of the rest.

    >>> found = [f"session {k}: too late" for k in range(22)]
    >>> problems = listed_problems("sessions.departure", "time", found, range(22))
    >>> len(problems), problems[-1].detail
    (21, 'and 2 more sessions: 20, 21')
    """
    problems = [Problem(where, rule, detail, remedies) for detail in details[:MOST_LISTED]]
    if rest := list(names[MOST_LISTED:]):
        more = f"and {len(rest)} more {what}: {first_few(rest, MOST_NAMED)}"
        problems.append(Problem(where, rule, more))
    return problems


def first_of(problems: Sequence[Problem]) -> list[Problem]:
    """Return the first problems of a file, and one that counts the rest."""
    rest = len(problems) - MOST_LISTED
    if rest <= 0:
        return list(problems)
    return [*problems[:MOST_LISTED], Problem("file", "type", f"and {rest} more faults")]
