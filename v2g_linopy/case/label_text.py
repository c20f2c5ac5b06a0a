"""Labels are the text of others: how they are shown, and how they stand in a table for a
spreadsheet.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tab and line feed, marks that turn the direction of writing, and halves of
characters, which a file name that is no text has."""
_RUN = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet would run, or one that was made safe already."""


def printable(text: str) -> str:
    r"""Write control characters as what they are, so that no label moves a cursor or a colour.

    Line feeds and tabs stay.

    >>> printable("van\x1b[31m\r7")
    'van\\x1b[31m\\x0d7'
    """
    return UNSEEN.sub(lambda found: _written(found[0]), text)


def _written(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def as_cell(text: str) -> str:
    """Write a text so that no spreadsheet runs it: an apostrophe stands before ``= + - @``.

    One before a tab or an end of line, too; `from_cell` takes it away.

    >>> as_cell("=1+1"), as_cell("-7 left"), as_cell("van 7"), as_cell("'t Harde")
    ("'=1+1", "'-7 left", 'van 7', "'t Harde")
    """
    return f"'{text}" if _RUN.match(text) else text


def from_cell(text: str) -> str:
    """Return the text that `as_cell` wrote.

    >>> [from_cell(as_cell(label)) for label in ("=1+1", "'=1+1", "'t Harde", "007")]
    ['=1+1', "'=1+1", "'t Harde", '007']
    """
    return text[1:] if text.startswith("'") and _RUN.match(text) else text


def nearest(word: str, known: Iterable[str]) -> str:
    """Return '; did you mean x?' where a known word is close, else '; known: ...'."""
    words = sorted({str(k) for k in known})
    close = get_close_matches(word, words, 1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(words)}"
