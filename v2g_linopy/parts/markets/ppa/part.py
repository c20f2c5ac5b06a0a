"""Power purchase agreements as a part of a case."""

from ....model.part import Part, Stage
from .build import build
from .replay import replay
from .schema import SCHEMA
from .state import postprocess

PART = Part(
    "ppa",
    Stage.MARKET,
    SCHEMA,
    build,
    replay,
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
