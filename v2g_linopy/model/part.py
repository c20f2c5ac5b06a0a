"""The record that a kind of asset, market or rule is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import xarray as xr

from ..case.schema import Schema
from .scope import Scope
from .terms import Replay, Terms
from .view import View


class Stage(IntEnum):
    """Build order: markets see assets, rules see both, risk sees all cash."""

    ASSET, MARKET, RULE, RISK = range(4)


@dataclass(frozen=True, eq=False)
class Part:
    """A kind of asset, market or rule. `build` is its mathematics, `replay` its independent
    check.
    """

    name: str
    stage: Stage
    schema: Schema
    build: Callable[[Scope, xr.Dataset], Terms]
    replay: Callable[[View, xr.Dataset], Replay]
    state_inputs: Mapping[str, str] = field(
        default_factory=dict
    )  # input of the next window <- output at its start
    postprocess: Callable[[View, xr.Dataset], Mapping[str, xr.DataArray]] | None = None
    """Outputs rewritten before the ledger is read, where many are equally good, and outputs that no
    row needs.
    """
    terminal_storage: Mapping[str, str] = field(
        default_factory=dict
    )  # energy that may be left at the end <- rows that value it
    end_of_window_inputs: Mapping[str, float] = field(
        default_factory=dict
    )  # inputs where the horizon ends and the case goes on
    next_state: Callable[[View, xr.Dataset, int], Mapping[str, xr.DataArray]] | None = None
    """Inputs of a window that starts after so many steps, where they are more than outputs at its
    start (`state_inputs`).
    """

    def has(self, name: str) -> bool:
        """Return True where a field of that name is among the inputs."""
        return any(f.name == name for f in self.schema.inputs)
