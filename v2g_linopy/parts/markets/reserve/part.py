"""Reserve products as a part of a case."""

from ....model.part import Entry, Part, Stage, Trading
from .build import build
from .replay import next_state, replay
from .schema import SCHEMA, unpriced_activation

PART = Part(
    "reserve",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
    case_checks=(unpriced_activation,),
    member_label="reserve product",
    entries={
        "shortfall": Entry("reserve committed and not held", "reserve"),
        "capacity": Entry("reserve capacity", "reserve"),
        "activation": Entry("activated reserve energy", "reserve"),
    },
    trading=Trading("volume", "volume_max"),
    limit_labels={
        "up_fleet": "room to rise, for reserves",
        "down_fleet": "room to fall, for reserves",
        "volume": "volume that is bought",
        "block": "one volume per market block",
    },
    balances=frozenset({"allocation"}),
    conflict_labels={"allocation": "more capacity was committed than all members can hold"},
    next_state=next_state,
)
