"""Bytes of a file into text: its encoding is told by its first bytes or by the user, never
guessed.
"""

import codecs
from pathlib import Path

from ...case.io import existing
from ...errors import InputFileError, Remedy

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""First bytes that tell an encoding; those of UTF-32 begin with those of UTF-16."""
OFTEN = ("cp1252", "latin-1")
"""Encodings of text that is not UTF-8, as spreadsheets of Western Europe write it."""


def read_text(path: str | Path, encoding: str | None = None) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path
        The file.
    encoding
        Its encoding. Unless given, what its first bytes tell (UTF-8, UTF-16, UTF-32), else UTF-8.

    Raises
    ------
    InputFileError
        There is no such file, it is empty, the encoding is unknown or another one, or the file
        holds bytes that no text has.
    """
    path = existing(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(path, f"cannot be read: {error.strerror or error}") from error
    if not data.strip():
        raise InputFileError(path, "is empty")
    text = decoded(path, data, encoding)
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        other = Remedy("encoding", ("utf-16-le",), advice="if it is UTF-16, give {}")
        detail = f"holds a NUL byte, which no text has, at line {line}"
        raise InputFileError(path, detail, (other,))
    return text


def decoded(path: Path, data: bytes, encoding: str | None) -> str:
    """Return bytes as text without the mark of their encoding."""
    marked = next(((mark, name) for mark, name in MARKS if data.startswith(mark)), None)
    if marked is not None:
        mark, told = marked
        data, encoding = data[len(mark) :], told
    try:
        return data.decode(encoding or "utf-8")
    except (LookupError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise InputFileError(path, *_no_text(data, encoding, error)) from error
        such = Remedy("encoding", OFTEN, advice="such as {}")
        raise InputFileError(path, f"{encoding!r} is no encoding of text", (such,)) from error


def _no_text(
    data: bytes, encoding: str | None, error: UnicodeDecodeError
) -> tuple[str, tuple[Remedy, ...]]:
    """Return what is wrong with bytes that are no text in an encoding, and what may be given."""
    line = data.count(b"\n", 0, error.start) + 1
    byte = f"0x{data[error.start]:02x}"
    detail = f"is no text in {encoding or 'UTF-8'}: line {line} has the byte {byte}"
    return detail, (Remedy("encoding", OFTEN),)


def beginning(path: str | Path, size: int = 4096) -> str:
    """Return the first characters of a file, to see what it is; bytes that are no text are
    replaced.
    """
    with existing(path).open("rb") as file:
        data = file.read(size)
    mark, encoding = next(
        ((mark, name) for mark, name in MARKS if data.startswith(mark)), (b"", "utf-8")
    )
    return data[len(mark) :].decode(encoding, errors="replace")
