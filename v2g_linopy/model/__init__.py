"""What a part is, and the formulas that parts share. These names are what a new part needs."""

from .part import Entry, Part, Stage, Trading
from .scope import Scope
from .terms import (
    Allowance,
    Edge,
    Flex,
    Flow,
    Offered,
    Powers,
    Recovery,
    Replay,
    ReservedPower,
    Store,
    Terms,
)
from .view import View

__all__ = [
    "Allowance",
    "Edge",
    "Entry",
    "Flex",
    "Flow",
    "Offered",
    "Recovery",
    "ReservedPower",
    "Part",
    "Powers",
    "Replay",
    "Scope",
    "Stage",
    "Store",
    "Terms",
    "Trading",
    "View",
]
