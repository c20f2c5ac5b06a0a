"""Figures of a result in a notebook: ``result.plot.dispatch()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from ..view import Reading
from . import all as figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ResultPlots:
    """Every figure of the report as a method; options as in :mod:`v2g_linopy.report.figures`.

    >>> result.plot.dispatch(start="2019-10-27", days=1)  # doctest: +SKIP
    """

    def __init__(self, result: xr.DataTree):
        self._result = result
        self._view: Reading | None = None

    def _reading(self) -> Reading:
        if self._view is None:
            self._view = Reading.of(self._result)
        return self._view

    def value_ladder(self) -> Figure:
        """Profit of every rung, and where the change comes from."""
        return figures.value_ladder(self._reading())

    def bill(self) -> Figure:
        """Every entry of the ledger."""
        return figures.bill(self._reading())

    def balance(self, **options: Any) -> Figure:
        """Power of every asset, and what the meter sees; one pod with ``pod=``."""
        return figures.balance(self._reading(), **options)

    def load_duration(self, **options: Any) -> Figure:
        """Power at the meter, sorted, as planned and without flexibility; one pod with ``pod=``."""
        return figures.load_duration(self._reading(), **options)

    def energy_flow(self) -> Figure:
        """Energy of each pod by source and use."""
        return figures.energy_flow(self._reading())

    def peaks(self, **options: Any) -> Figure:
        """Import by clock hour and the hours that set the peak of each month; one pod with
        ``pod=``.
        """
        return figures.peaks(self._reading(), **options)

    def positions(self, **window: Any) -> Figure:
        """Positions of all markets and the imbalance against what was delivered."""
        return figures.positions(self._reading(), **window)

    def regret(self) -> Figure:
        """Profit of a simulation by local day, with hindsight, and the regret."""
        return figures.regret(self._reading())

    def dispatch(self, **window: Any) -> Figure:
        """Power of the fleet against the price, with unmanaged charging."""
        return figures.dispatch(self._reading(), **window)

    def corridor(self, **window: Any) -> Figure:
        """Cumulative energy between what the fleet must and what it can charge."""
        return figures.corridor(self._reading(), **window)

    def heat_map(self, **options: Any) -> Figure:
        """Net power of each member in local time."""
        return figures.heat_map(self._reading(), **options)

    def state_of_energy(self, **window: Any) -> Figure:
        """How full the plugged-in batteries are."""
        return figures.state_of_energy(self._reading(), **window)

    def reserve(self, **window: Any) -> Figure:
        """Reserve sold against headroom."""
        return figures.reserve(self._reading(), **window)

    def cycle_depth(self) -> Figure:
        """How often the batteries were discharged how deep."""
        return figures.cycle_depth(self._reading())

    def profit_distribution(self) -> Figure:
        """Profit of the scenarios, with the mean of the worst."""
        return figures.profit_distribution(self._reading())

    def price_response(self) -> Figure:
        """Power and energy at each price."""
        return figures.price_response(self._reading())

    def shadow_prices(self, **window: Any) -> Figure:
        """What one more unit of electricity or stored energy would be worth."""
        return figures.shadow_prices(self._reading(), **window)
