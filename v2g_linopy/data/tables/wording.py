"""Numbers, lists and cells in the sentences of messages and notes."""

from collections.abc import Iterable

import pandas as pd

LONGEST_CELL = 40
"""Characters of a cell that a message shows."""


def with_count(number: int, word: str) -> str:
    """Write a number with its word.

    >>> with_count(1, "session"), with_count(2, "session")
    ('1 session', '2 sessions')
    """
    return f"{number} {word}{'' if number == 1 else 's'}"


def first_few(values: Iterable[object], shown: int = 6) -> str:
    """Join the first values for a message, and say how many more there are.

    >>> first_few(range(9), shown=3)
    '0, 1, 2 and 6 more'
    """
    words = [str(value) for value in values]
    more = f" and {len(words) - shown} more" if len(words) > shown else ""
    return ", ".join(words[:shown]) + more


def cells_in_rows(cells: pd.Series, shown: int = 6) -> str:
    """Write the first cells of a column with their rows in the file.

    >>> cells_in_rows(pd.Series(["1,5", "x"], index=[4, 7]))
    "row 4: '1,5', row 7: 'x'"
    """
    places = [f"row {row}: {str(cell)[:LONGEST_CELL]!r}" for row, cell in cells.items()]
    return first_few(places, shown)
