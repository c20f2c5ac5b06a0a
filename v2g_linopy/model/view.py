"""A written result as one part's `replay` sees it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..case.schema import Calendar
from .formulas import first
from .formulas_time import same_block
from .terms import Replay


def scenario_mean(x: xr.DataArray, probability: xr.DataArray | None) -> xr.DataArray:
    """Return the mean over scenarios, weighted by their probability."""
    return (
        x if probability is None or "scenario" not in x.dims else (x * probability).sum("scenario")
    )


@dataclass(frozen=True)
class View:
    """A written result as the `replay` of one part sees it.

    Parameters
    ----------
    groups : mapping of str to xarray.Dataset
        Of every part, inputs and outputs, in coherent units.
    calendar : Calendar
        Time stamps, zone, money and scenarios of the case.
    dt : float
        Length of a step (h).
    done : mapping of str to Replay
        What the parts before this one found.

    Examples
    --------
    >>> import pandas as pd
    >>> import xarray as xr
    >>> from v2g_linopy.case.schema import Calendar
    >>> from v2g_linopy.model import View
    >>> time = pd.date_range("2026-01-01", periods=3, freq="h", name="time")
    >>> pump = xr.Dataset({"drawn": ("time", [1.0, 1.0, 3.0])}, coords={"time": time})
    >>> view = View({"pump": pump}, Calendar(time), 1.0, {})
    >>> view.dt
    1.0
    """

    groups: Mapping[str, xr.Dataset]
    calendar: Calendar
    dt: float
    done: Mapping[str, Replay]  # replays of the parts before this one

    def change_within_blocks(self, x: xr.DataArray, hours: xr.DataArray) -> xr.DataArray:
        """Return by how much x changes within market blocks, 0 where it keeps to them.

        Parameters
        ----------
        x : xarray.DataArray
            On `time`, in any unit.
        hours : xarray.DataArray
            Length of the blocks (h), which start at local midnight.

        Returns
        -------
        xarray.DataArray
            On the dimensions of both, in the unit of `x`.

        Examples
        --------
        The last step is the first of another block of two hours, but of the same block of three:

        >>> view.change_within_blocks(pump.drawn, xr.DataArray(2.0)).values.tolist()
        [0.0, 0.0, 0.0]
        >>> view.change_within_blocks(pump.drawn, xr.DataArray(3.0)).values.tolist()
        [0.0, 0.0, 2.0]
        """
        same = same_block(hours, self.calendar.time, self.calendar.timezone, self.dt)
        return abs(x - x.shift(time=1)).where(same, 0.0)

    def mean(self, x: xr.DataArray) -> xr.DataArray:
        """Return the mean over the scenarios, by their probability; the same where there are none.

        Parameters
        ----------
        x : xarray.DataArray
            In any unit.

        Returns
        -------
        xarray.DataArray
            In the unit of `x`, without `scenario`.

        Examples
        --------
        >>> view.mean(pump.drawn).values.tolist()
        [1.0, 1.0, 3.0]
        """
        return scenario_mean(x, self.calendar.probability)

    def sum_of_blocks(self, x: xr.DataArray, hours: xr.DataArray) -> xr.DataArray:
        """Return the sum of x over each market block at its last step, 0 at the others.

        Parameters
        ----------
        x : xarray.DataArray
            On `time`, in any unit.
        hours : xarray.DataArray
            Length of the blocks (h), which start at local midnight.

        Returns
        -------
        xarray.DataArray
            On the dimensions of both, in the unit of `x`.

        Examples
        --------
        >>> view.sum_of_blocks(pump.drawn, xr.DataArray(2.0)).values.tolist()
        [0.0, 2.0, 3.0]
        """
        same = same_block(hours, self.calendar.time, self.calendar.timezone, self.dt)
        x, same = xr.broadcast(x, same & (first(self.calendar.time) == 0))
        axis = x.get_axis_num("time")
        found = np.moveaxis(np.zeros(x.shape), axis, -1)
        values, within = (np.moveaxis(a.to_numpy(), axis, -1) for a in (x, same))
        for place in np.ndindex(found.shape[:-1]):  # scenarios and members, each with its blocks
            begins = np.flatnonzero(~within[place])
            ends = np.append(begins[1:], x.sizes["time"]) - 1
            found[place][ends] = np.add.reduceat(values[place], begins)
        return x.copy(data=np.moveaxis(found, -1, axis))

    @property
    def held_by_path(self) -> list[dict[str, tuple[xr.DataArray, xr.DataArray]]]:
        """The reserve held up and down by each asset (kW), about the expected power and about the
        power without calls.
        """
        held = {asset: x for found in self.done.values() for asset, x in found.reserve_held.items()}
        apart = {a: x for found in self.done.values() for a, x in found.held_without_calls.items()}
        return [held, held | apart]

    def get(self, part: str) -> xr.Dataset | None:
        """Return the group of another part, if it takes part.

        Parameters
        ----------
        part : str
            Its name.

        Returns
        -------
        xarray.Dataset or None
            Inputs and outputs in coherent units; None where the case does not have it.

        Examples
        --------
        >>> list(view.get("pump")), view.get("reserve")
        (['drawn'], None)
        """
        return self.groups.get(part)
