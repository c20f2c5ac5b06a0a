"""What a drawn case may hold, and the small numbers it is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

import v2g_linopy as v2g

Draw = Callable[[st.SearchStrategy[Any]], Any]

CENTS = 62.5  # EUR/MWh in a sixteenth of a EUR/kWh
PLUGGED = ("vehicle", "sessions")  # members whose limits stay constant while they are connected
EVERY = (*PLUGGED, "trips", "cohort", "shares", "nothing")
PARTS = ("fleet", "energy", "reserve", "connection")
UNITS = {f.name: f.unit for p in PARTS for f in v2g.PARTS[p].schema.inputs if f.kind == "quantity"}


@dataclass(frozen=True)
class Wanted:
    """What a drawn case may hold; the default is everything."""

    kinds: tuple[str, ...] = EVERY
    steps: tuple[int, int] = (1, 8)
    members: tuple[int, int] = (1, 4)
    simple_market: bool = False  # one open market without spread or block, whose limit never binds
    lowest_price: int = -4  # sixteenths of a EUR/kWh
    retail: bool = True
    billed: bool = False  # drivers pay for what they asked for, in some cases
    reserve: bool | None = None  # here and below: True always, False never, None sometimes
    connection: bool | None = None
    scenarios: bool | None = None
    guarantees: tuple[str, ...] = ("expected", "endurance")
    activation: bool = True
    activation_prices: bool = True
    binding_volume: bool = True
    blocks: bool = True
    hard: bool = True  # needs without a price on missing them
    lossless: bool = True

    def only(self, **changes: Any) -> "Wanted":
        """Return the same with some things changed."""
        return replace(self, **changes)


def few(count: int) -> settings:
    """Settings with `count` examples where the profile has its default of 10, more by the same
    factor elsewhere.
    """
    return settings(max_examples=max(1, count * settings().max_examples // 10))


def rows(values: Sequence[Any], steps: int) -> st.SearchStrategy[np.ndarray]:
    """One value per step."""
    return st.lists(st.sampled_from(values), min_size=steps, max_size=steps).map(
        lambda v: np.array(v, dtype=float)
    )
