"""A written result as one part's `replay` sees it."""

from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from ..case.schema import Calendar
from .formulas_time import same_block
from .terms import Replay


@dataclass(frozen=True)
class View:
    """A written result as one part's `replay` sees it: every group with inputs and outputs in
    coherent units.
    """

    groups: Mapping[str, xr.Dataset]
    calendar: Calendar
    dt: float
    done: Mapping[str, Replay]  # replays of the parts before this one

    def moved(self, x: xr.DataArray, hours: xr.DataArray) -> xr.DataArray:
        """Return by how much x changes within market blocks of `hours`: 0 where it keeps to
        them.
        """
        same = same_block(hours, self.calendar.time, self.calendar.timezone, self.dt)
        return abs(x - x.shift(time=1)).where(same, 0.0)

    def get(self, part: str) -> xr.Dataset | None:
        """Return the group of another part, if it takes part."""
        return self.groups.get(part)
