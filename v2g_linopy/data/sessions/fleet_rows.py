"""Which row of the fleet each session stands in: that of its vehicle or connector, or one of as few
rows as are needed.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import Problem, Remedy
from ..tables.session_table import PLACES, SessionTable
from ..tables.wording import first_few
from .packing import pack

Rows = Literal["packed", "connector", "vehicle"]


@dataclass(frozen=True)
class FleetRows:
    """The rows of a fleet.

    These are their labels, the row of each session, and the pod and charger of each row, as far
    as they are given.
    """

    labels: np.ndarray
    of_session: np.ndarray
    places: dict[str, np.ndarray]


def rows_of_sessions(
    table: SessionTable, first: np.ndarray, last: np.ndarray, rows: Rows
) -> tuple[FleetRows, list[Problem]]:
    """Return the row of each session, and what is wrong with that.

    Parameters
    ----------
    table
        The sessions.
    first, last
        First and last step of each session, both occupied.
    rows
        What a row is, see `sessions_to_fleet`.
    """
    if rows == "packed":
        return _packed(table, first, last, np.ones(len(first), bool)), []
    if rows not in table.labels:
        detail = f"a row for each {rows} needs the {rows} of each session"
        nothing = FleetRows(np.array([], str), np.zeros(len(first), int), {})
        return nothing, [Problem(f"sessions.{rows}", "missing", detail)]

    has_name = table.labels[rows] != ""
    named = np.flatnonzero(has_name)
    label, start, of_named = np.unique(
        table.labels[rows][named], return_index=True, return_inverse=True
    )
    row = np.zeros(len(first), np.int64)
    row[named] = of_named
    places = {name: table.labels[name][named[start]] for name in PLACES if name in table.labels}
    found = FleetRows(label, row, places)
    problems = _two_in_a_step(table, found, named, first, last, rows)
    problems += _moving(table, found, named, rows)
    if has_name.all():
        return found, problems

    # sessions without a name are packed into rows of their own, below the others
    others = _packed(table, first, last, ~has_name)
    row[~has_name] = others.of_session[~has_name] + len(label)
    both = {name: np.concatenate([place, others.places[name]]) for name, place in places.items()}
    return FleetRows(np.concatenate([label, others.labels]), row, both), problems


def _two_in_a_step(
    table: SessionTable,
    rows: FleetRows,
    named: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    word: str,
) -> list[Problem]:
    """Return a problem for sessions of one row that meet in one step."""
    row = rows.of_session
    order = named[np.lexsort((first[named], row[named]))]
    before, after = order[:-1], order[1:]
    clash = (row[after] == row[before]) & (first[after] <= last[before])
    packed = Remedy("rows", ("packed",), advice="use a shorter step or {}")
    problems = []
    for one, other in zip(before[clash], after[clash], strict=True):
        detail = (
            f"{word} {rows.labels[row[one]]}: session {table.name[one]} leaves"
            f" {table.moment(one, end=True)} and session {table.name[other]} arrives"
            f" {table.moment(other)}, in one step"
        )
        problems.append(Problem(f"sessions.{word}", "consistency", detail, (packed,)))
    return problems


def _moving(table: SessionTable, rows: FleetRows, named: np.ndarray, word: str) -> list[Problem]:
    """Return a problem for rows that would stand at several places."""
    problems = []
    for name, place in rows.places.items():
        row = rows.of_session[named]
        moved = row[table.labels[name][named] != place[row]]
        if moved.size:
            who = first_few(np.unique(rows.labels[moved]))
            detail = f"{word} {who}: has sessions in several {name}s"
            problems.append(Problem(f"sessions.{name}", "consistency", detail))
    return problems


def _packed(
    table: SessionTable, first: np.ndarray, last: np.ndarray, chosen: np.ndarray
) -> FleetRows:
    """Pack the sessions chosen into as few rows as possible, within each place."""
    names = [name for name in PLACES if name in table.labels]
    where = ["\n".join(words) for words in zip(*(table.labels[n] for n in names), strict=True)]
    places, place_of = np.unique(np.array(where or [""] * len(first), str), return_inverse=True)
    row = np.zeros(len(first), np.int64)
    labels: list[str] = []
    place_of_row: list[list[str]] = []
    for k, place in enumerate(places.tolist()):
        here = chosen & (place_of == k)
        if not here.any():
            continue
        row[here] = pack(first[here], last[here]) + len(labels)
        count = int(row[here].max()) + 1 - len(labels)
        width = max(2, len(str(count)))
        words = place.split("\n")
        prefix = "".join(f"{word} " for word in words if word)
        labels += [f"{prefix}row {n + 1:0{width}d}" for n in range(count)]
        place_of_row += [words] * count
    stands = {n: np.array([words[i] for words in place_of_row], str) for i, n in enumerate(names)}
    return FleetRows(np.array(labels, str), row, stands)
