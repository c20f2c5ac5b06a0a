"""How large a case is, in numbers and in words."""

import xarray as xr

from ..parts.catalogue import PARTS
from ..report.labels import member, plural


def member_counts(tree: xr.DataTree) -> dict[str, int]:
    """How many members each part of a case has, and how many steps."""
    here = {name: part for name, part in PARTS.items() if name in tree.children}
    members = {name: part.schema.member for name, part in here.items() if part.schema.member}
    found = {name: tree[name].sizes.get(member, 0) for name, member in members.items()}
    order = sorted(found, key=lambda name: (PARTS[name].stage, name != "energy"))
    return {**{name: found[name] for name in order}, "steps": tree.sizes.get("time", 0)}


def size_in_words(tree: xr.DataTree) -> str:
    """The size of a case in words."""
    words = {part: "step" if part == "steps" else member(part) for part in member_counts(tree)}
    return ", ".join(counted(count, words[part]) for part, count in member_counts(tree).items())


def counted(count: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "market"), counted(2, "battery")
    ('1 market', '2 batteries')
    """
    return f"{count} {noun if count == 1 else plural(noun)}"
