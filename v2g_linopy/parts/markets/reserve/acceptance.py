"""Fields of offers that may not be accepted, and of a pool that offers together
(docs/formulation.md §3).
"""

import pandas as pd
import xarray as xr

from ....case.schema import ABSENT, Calendar, Field, violations, worst_violation
from ....errors import Problem
from ....model.accepted_offers import states_of_offers
from ....model.formulas_time import same_block
from ....model.reserve_rules import may_be_refused
from .priced_calls import MOST_STATES

INPUTS = (
    Field(
        "accept_probability",
        "product time",
        "1",
        "probability that an offer is accepted, in one draw for each block; it is held whole,"
        " and paid and called only if it is; what is committed has been accepted",
        1.0,
        ge=0,
        le=1,
    ),
    Field(
        "accepted",
        "product time",
        "1",
        "1 where the offer of a block is accepted, as it turns out once its gate has closed: a"
        " simulation settles it, and no plan knows it before",
        ABSENT,
        kind="flag",
        beside="accept_probability",
    ),
    Field(
        "volume_offered",
        "product time",
        "kW",
        "capacity that a simulation offered, of which what is committed was accepted",
        ABSENT,
        ge=0,
        beside="accept_probability",
    ),
    Field(
        "pool",
        "product",
        "kW",
        "most that others offer in the same bid, which counts towards the least bid and fills up"
        " the last bid step",
        0.0,
        ge=0,
    ),
)


def acceptance_problems(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """Return what no acceptance can be: another inside a block, and too many states of calls."""
    found = _contradictions(d, calendar) if "accepted" in d else []
    if "volume_offered" in d:
        more = (d.closed > 0) & (d.committed > d.volume_offered + 1e-6)
        detail = "is less than committed, which was accepted of it"
        rule = ("volume_offered", more, d.volume_offered + 0.0 * more, detail)
        found += violations("reserve", [rule], calendar)
    if not may_be_refused(d):
        return found
    found += _changes_within_blocks(d, "accept_probability", calendar)
    if "call" in d and "call_share" in d and (count := states_of_offers(d)) > MOST_STATES:
        detail = (
            f"the calls have {count} states with those in which an offer is not accepted, at most"
            f" {MOST_STATES}; give fewer states of calls, or fewer products that may be refused"
        )
        found.append(Problem("reserve.accept_probability", "consistency", detail))
    return found


def _contradictions(d: xr.Dataset, calendar: Calendar) -> list[Problem]:
    """What turns out may not be impossible."""
    p, accepted = xr.broadcast(d.accept_probability, d["accepted"])
    never = "is 1, but accept_probability is 0: such an offer is never accepted"
    always = "is 0, but accept_probability is 1 (the default): such an offer is always accepted"
    rules = [
        ("accepted", (accepted == 1) & (p == 0), accepted, never),
        ("accepted", (accepted == 0) & (p == 1), accepted, always),
    ]
    found = violations("reserve", rules, calendar)
    return found + _changes_within_blocks(d, "accepted", calendar)


def _changes_within_blocks(d: xr.Dataset, name: str, calendar: Calendar) -> list[Problem]:
    """A block is one offer, which is accepted or not."""
    p = d[name]
    if "time" not in p.dims or len(calendar.time) < 2:
        return []
    dt = (calendar.time[1] - calendar.time[0]) / pd.Timedelta(hours=1)
    same = same_block(d.block, calendar.time, calendar.timezone, dt)
    parted = same & (abs(p - p.shift(time=1)) > 1e-9) & (d.closed == 0)
    if not bool(parted.any()):
        return []
    place, hours = worst_violation(d.block.broadcast_like(parted), parted, calendar)
    detail = f"{place}changes inside a market block of {hours:g} h, which is one offer; give it one"
    return [Problem(f"reserve.{name}", "consistency", detail)]
