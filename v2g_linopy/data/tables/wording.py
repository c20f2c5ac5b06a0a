"""Numbers and lists in the sentences of messages and notes."""

from collections.abc import Iterable


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
