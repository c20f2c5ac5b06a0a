"""How large a case is, in numbers and in words."""

import xarray as xr

NOUNS = {"fleet": "fleet member", "energy": "market", "reserve": "reserve product", "connection": "connection"}
MEMBERS = {"fleet": "fleet", "energy": "market", "reserve": "product", "connection": "pod"}


def sizes(tree: xr.DataTree) -> dict[str, int]:
    """How many members each part of a case has, and how many steps."""
    found = {part: tree[part].sizes.get(dim, 0) for part, dim in MEMBERS.items() if part in tree.children}
    return {**found, "steps": tree.sizes.get("time", 0)}


def describe(tree: xr.DataTree) -> str:
    """The size of a case in words."""
    return ", ".join(counted(count, NOUNS.get(part, "step")) for part, count in sizes(tree).items())


def counted(count: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "market"), counted(2, "market")
    ('1 market', '2 markets')
    """
    return f"{count} {noun}{'s' * (count != 1)}"
