"""Reserve products as a part of a case."""

from ....model.part import Part, Stage
from .build import build
from .replay import next_state, replay
from .schema import SCHEMA

PART = Part("reserve", Stage.MARKET, SCHEMA, build, replay, next_state=next_state)
