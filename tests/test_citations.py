"""Documents that the code cites are in the repository, and have what it cites of them.

A citation is `docs/formulation.md §N` or `docs/architecture.md §N`, also over the end of a line and
in lists (`§1, §7`, `§1–3`); a bare `§N` means the document named last, at first the formulation.
`§15: 5, 6` are rows of the table of invariants, `§8, rule 4` the rules of a section, `§16 A` a part
of one. `§3.5` with a dot is a section of the Nordic requirements, and theirs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("docs/formulation.md", "docs/architecture.md")
PLACES = ("*.md", *(f"{folder}/**/*.*" for folder in ("v2g_linopy", "tests", "benchmarks", "docs")))
CITING = sorted(
    path.relative_to(ROOT).as_posix()
    for place in PLACES
    for path in ROOT.glob(place)
    if path.suffix in (".py", ".md") and path != Path(__file__).resolve()
)
MENTION = re.compile(r"docs/(?:[\w-]+/)*[\w-]+\.md|§\s?(?P<number>\d+(?:\.\d+)*)(?P<rest>.{0,120})")
ROWS = re.compile(r": (\d+(?:(?:,? and |, | to )\d+)*)")
RULE = re.compile(r",? rule (\d+)")
SPAN = re.compile(r"\s?(?:–|to §?)\s?(\d+)")
LETTER = re.compile(r" ([A-Z])(?: and ([A-Z]))?\b")


class Citation(NamedTuple):
    """One place in a document: `item` is a row, a rule or a lettered part of the section."""

    document: str
    section: int
    item: str = ""


def flat(text: str) -> str:
    """The text on one line, without the marks of comments that begin its lines."""
    return re.sub(r"\s*\n\s*(?:#\s)?", " ", text)


def citations(text: str, home: str = DOCUMENTS[0]) -> Iterator[Citation]:
    """Everything that a text cites of the two documents."""
    document, text, start = home, flat(text), 0
    while found := MENTION.search(text, start):
        start = found.end() if found["number"] is None else found.end("number")
        if found["number"] is None:
            document = found[0] if found[0] in DOCUMENTS else home
        elif "." not in found["number"]:
            section, rest = int(found["number"]), found["rest"]
            last = SPAN.match(rest)
            for number in range(section, (int(last[1]) if last else section) + 1):
                yield Citation(document, number)
            yield from (Citation(document, section, item) for item in items(document, rest))


def items(document: str, rest: str) -> Iterator[str]:
    """Rows, rules and lettered parts that follow the number of a section."""
    if rows := ROWS.match(rest):
        yield from re.findall(r"\d+", rows[1])
    if document == "docs/architecture.md" and (rule := RULE.match(rest)):
        yield f"rule {rule[1]}"
    if letter := LETTER.match(rest):
        yield from filter(None, letter.groups())


def anchors(document: str) -> set[Citation]:
    """Everything in a document that can be cited."""
    found = set()
    for section in re.split(r"^## §", (ROOT / document).read_text(encoding="utf-8"), flags=re.M)[
        1:
    ]:
        number = int(section.partition(" ")[0])
        found.add(Citation(document, number))
        found |= {Citation(document, number, n) for n in re.findall(r"^\| (\d+) \|", section, re.M)}
        rules = re.findall(r"^(\d+)\. ", section, re.M)
        found |= {Citation(document, number, f"rule {n}") for n in rules}
        found |= {
            Citation(document, number, n) for n in re.findall(r"^\*\*([A-Z])\.", section, re.M)
        }
    return found


KNOWN = set().union(*map(anchors, DOCUMENTS))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("(docs/formulation.md §1, §7)", [(1, ""), (7, "")]),
        ("docs/formulation.md\n    §15: 5, 6,\n# 7).", [(15, ""), (15, "5"), (15, "6"), (15, "7")]),
        ("docs/formulation.md §14, §15: 1 and\n2)", [(14, ""), (15, ""), (15, "1"), (15, "2")]),
        ("docs/formulation.md §1–3: all", [(1, ""), (2, ""), (3, "")]),
        ("§16 A and B, from", [(16, ""), (16, "A"), (16, "B")]),
        ("see docs/architecture.md §8, rule 4", [(8, ""), (8, "rule 4")]),
        ("(26 May 2023), §3.5", []),
    ],
)
def test_citations_are_found(text: str, expected: list[tuple[int, str]]):
    """Over lines, in lists and in spans: what a reader takes as cited."""
    assert [(c.section, c.item) for c in citations(text)] == expected


@pytest.mark.parametrize("path", CITING)
def test_citations_lead_somewhere(path: str):
    """Sections, rows of the invariants and rules that are cited are in the documents."""
    home = path if path in DOCUMENTS else DOCUMENTS[0]
    cited = citations((ROOT / path).read_text(encoding="utf-8"), home)
    lost = [c for c in cited if c not in KNOWN]
    assert not lost, f"{path} cites what is not there: {lost}"


def test_parts_cite_their_mathematics():
    """The docstring of every `build` names its section, or that of its file does."""
    built = [p for p in CITING if p.startswith("v2g_linopy/parts/") and p.endswith(".py")]
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in built}
    silent = [
        path for path, text in texts.items() if "\ndef build(" in text and not any(citations(text))
    ]
    assert not silent


def test_the_invariants_name_tests_that_exist():
    """Every row has its tests, and each is a function of `tests/`."""
    text = (ROOT / DOCUMENTS[0]).read_text(encoding="utf-8")
    table = text.partition("<!-- begin invariants -->")[2].partition("<!-- end invariants -->")[0]
    rows = [line for line in table.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) > 30
    written = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", written, re.M))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= there, (row, set(named) - there)
