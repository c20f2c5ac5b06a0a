"""Reserve products as a part of a case."""

from ....model.part import Part, Stage
from .build import build
from .replay import replay, roll
from .schema import SCHEMA

PART = Part("reserve", Stage.MARKET, SCHEMA, build, replay, roll=roll)
