"""Power purchase agreements as a part of a case."""

from ....model.part import Entry, Part, Stage
from .build import build
from .replay import replay
from .schema import SCHEMA, reference_market
from .state import postprocess

PART = Part(
    "ppa",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
    case_checks=(reference_market,),
    member_label="contract",
    entries={
        "difference": Entry("contracts: difference to the reference price", "energy"),
        "correction": Entry("contracts: earlier hours of the month at its mean of now", "energy"),
        "delivery": Entry("contracts: energy delivered at the strike", "energy"),
        "shortfall": Entry("contracts: energy short of what was due", "energy"),
    },
    balances=frozenset({"due"}),
    state_inputs={
        "ahead_initial": "ahead",
        "behind_initial": "behind",
        "negative_initial": "negative_run",
        "mean_initial": "mean_to_date",
        "mean_hours_initial": "mean_hours",
        "settled_initial": "settled",
    },
    postprocess=postprocess,
)
