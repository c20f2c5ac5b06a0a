"""Pages of the documentation as text: tables, and sections that are filled from the code."""

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a Markdown table."""
    head = tuple(head)
    body = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows)
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {row} |".replace("|  |", "| |") for row in body),
    ]


def filled(path: str, section: str, text: str, page: str | None = None) -> str:
    """Return a page with what stands between the marks of a section replaced."""
    page = (ROOT / path).read_text(encoding="utf-8") if page is None else page
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"{path}: needs one {begin} and one {end}")
    head, _, rest = page.partition(begin)
    return f"{head}{begin}\n{text.strip()}\n{end}{rest.partition(end)[2]}"


def write(path: str, text: str) -> None:
    """Write a file of the documentation."""
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
