"""Reserve products as a part of a case."""

from ....model.part import Entry, Part, Stage, Trading
from .build import build
from .recourse_fields import recourse_with_others
from .replay import next_state, replay
from .schema import SCHEMA, unpriced_activation

PART = Part(
    "reserve",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
    case_checks=(unpriced_activation, recourse_with_others),
    member_label="reserve product",
    entries={
        "shortfall": Entry("reserve committed and not held", "reserve"),
        "capacity": Entry("reserve capacity", "reserve"),
        "acceptance": Entry("reserve offered and not accepted", "reserve"),
        "activation": Entry("activated reserve energy", "reserve"),
    },
    trading=Trading("volume", "volume_max"),
    limit_labels={
        "up": "room to rise, for reserves",
        "down": "room to fall, for reserves",
        "share": "power of a member, for reserves",
        "endurance_up": "energy held to rise for hours_up, for reserves",
        "endurance_down": "room held to fall for hours_down, for reserves",
        "excursion_up": "energy held to rise within a step, for reserves",
        "excursion_down": "room held to fall within a step, for reserves",
        "calls_up": "energy held for the worst calls to rise",
        "calls_down": "room held for the worst calls to fall",
        "up_recovery": "room to rise, for reserves and for selling what calls brought",
        "down_recovery": "room to fall, for reserves and for buying back what calls took",
        "buying": "power at which calls are bought back",
        "bought_back": "energy bought back for calls to rise",
        "sold_back": "energy sold that calls to fall brought",
        "called_up": "energy that the worst calls to rise take",
        "called_down": "energy that the worst calls to fall bring",
        "allowance": "energy that owners let be discharged, for calls to rise",
        "called_discharge": "energy that the worst calls to rise discharge",
        "charge_stopped": "charging that calls to rise stop before they discharge",
        "charge_share": "charging that calls to rise may stop",
        "least": "least bid",
        "most": "largest bid",
        "shortfall": "committed capacity that may be missing",
        "missing": "reserve missing in the worst scenarios",
        "availability": "reserve held in the worst scenarios",
        "volume": "volume that is bought",
        "offers": "volume that is bought at a price and above",
        "block": "one volume per market block",
    },
    balances=frozenset({"allocation", "baseline", "whole"}),
    conflict_labels={"allocation": "more capacity was committed than all members can hold"},
    next_state=next_state,
)
