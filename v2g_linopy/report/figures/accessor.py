"""Figures of a result in a notebook: ``result.plot.dispatch()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from ..result_view import ResultView
from . import all as figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ResultPlots:
    """Every figure of the report as a method of a result, ``result.plot``.

    Each returns a `matplotlib.figure.Figure`, to be shown in a notebook or saved. Where a result
    does not hold what a figure needs, the figure says so. Scenarios are averaged. The extra
    ``[report]`` is needed.

    Parameters
    ----------
    result : xarray.DataTree
        A result of `solve`, `compare` or `simulate`, as returned or as read from its file.

    Examples
    --------
    The examples of the methods go on with this result:

    >>> import v2g_linopy as v2g
    >>> result = v2g.compare(v2g.commuters(vehicles=1, days=1))
    >>> result.plot.dispatch().savefig("dispatch.svg")
    """

    def __init__(self, result: xr.DataTree):
        self._result = result
        self._view: ResultView | None = None

    def _opened(self) -> ResultView:
        if self._view is None:
            self._view = ResultView.of(self._result)
        return self._view

    def value_ladder(self) -> Figure:
        """Draw the profit of every rung of the ladder, and which causes make the difference.

        It needs a result of `compare`.

        Returns
        -------
        matplotlib.figure.Figure
            Left: profit, EUR per vehicle and year. Right: its change by cause.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.value_ladder()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['What each rung earns', 'Where the change comes from']
        """
        return figures.value_ladder(self._opened())

    def bill(self) -> Figure:
        """Draw every entry of the ledger.

        Returns
        -------
        matplotlib.figure.Figure
            A bar per entry, EUR per vehicle and year where vehicles are known.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.bill()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Bill']
        """
        return figures.bill(self._opened())

    def contracts(self) -> Figure:
        """Draw who took a contract and why not, and what was called of each.

        It needs a result of `simulate` with contracts.

        Returns
        -------
        matplotlib.figure.Figure
            Left: sessions by type and reason. Right: kWh sold and called, per session.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> menu = v2g.menu(theta=[1], share=1, wear=0.01, term=3, power=11, utility_scale=0.2)
        >>> options = {"policy": "rule", "forecast": "perfect", "hindsight": False}
        >>> case = v2g.charging_station(vehicles=1, days=1)
        >>> figure = v2g.simulate(case, contracts=menu, **options).plot.contracts()
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['Who took a contract, and why not', 'What was called of each contract']
        """
        return figures.contracts(self._opened())

    def balance(self, **options: Any) -> Figure:
        """Draw the power of every asset, and what the meter sees.

        Parameters
        ----------
        **options
            `pod` (str): one point of delivery; all together unless given.
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            kW over local time: above zero what is drawn, below what is fed in.

        Raises
        ------
        SchemaError
            A pod that the result does not have.
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.balance(start="2019-08-01 06:00", days=0.5)
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Power balance, at the meter']
        """
        return figures.balance(self._opened(), **options)

    def load_duration(self, **options: Any) -> Figure:
        """Draw the power at the meter, sorted, as planned and without flexibility.

        Parameters
        ----------
        **options
            `pod` (str): one point of delivery; all together unless given.

        Returns
        -------
        matplotlib.figure.Figure
            kW over the hours in which the power is at least this.

        Raises
        ------
        SchemaError
            A pod that the result does not have.
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.load_duration()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Load duration, at the meter']
        """
        return figures.load_duration(self._opened(), **options)

    def energy_flow(self) -> Figure:
        """Draw the energy of each pod by source and by use.

        Returns
        -------
        matplotlib.figure.Figure
            Two bars per pod: where its energy comes from, and where it goes.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.energy_flow()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Energy by source and use']
        """
        return figures.energy_flow(self._opened())

    def peaks(self, **options: Any) -> Figure:
        """Draw the import by clock hour, and the hours that set the peak of each month.

        Parameters
        ----------
        **options
            `pod` (str): one point of delivery; the one that pays most for its peaks unless given.

        Returns
        -------
        matplotlib.figure.Figure
            kW over local time, with the peak that is charged.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> import v2g_linopy as v2g
        >>> works = v2g.solve(v2g.site(vehicles=1, days=1))
        >>> figure = works.plot.peaks()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Hours that set the peak (site)']
        """
        return figures.peaks(self._opened(), **options)

    def positions(self, **window: Any) -> Figure:
        """Draw the positions of all markets and the imbalance against what was delivered.

        Parameters
        ----------
        **window
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            kW over local time, one upon the other.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.positions()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Positions against what was delivered']
        """
        return figures.positions(self._opened(), **window)

    def regret(self) -> Figure:
        """Draw the profit of a simulation by local day, with hindsight, and the regret.

        It needs a result of `simulate`.

        Returns
        -------
        matplotlib.figure.Figure
            EUR per local day (per week where there are many), also added up.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> import v2g_linopy as v2g
        >>> case = v2g.select_window(v2g.commuters(vehicles=1, days=1, regulation=None), 8, 12)
        >>> operated = v2g.simulate(case, every=4.0)
        >>> figure = operated.plot.regret()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Profit and hindsight', 'Regret']
        """
        return figures.regret(self._opened())

    def dispatch(self, **window: Any) -> Figure:
        """Draw the power of the fleet against the price, with unmanaged charging.

        Parameters
        ----------
        **window
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            Above: EUR/MWh over local time. Below: kW, drawn and fed in.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.dispatch(start="2019-08-01 06:00", days=0.5)
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Fleet dispatch against prices']
        """
        return figures.dispatch(self._opened(), **window)

    def corridor(self, **window: Any) -> Figure:
        """Draw the cumulative energy between what the fleet must and what it can charge.

        The upper edge charges every vehicle at full power on arrival until it is full; the lower
        edge charges (and feeds in) so late that every need is just met.

        Parameters
        ----------
        **window
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            kWh from the start of the window on, over local time.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.corridor()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Energy corridor']
        """
        return figures.corridor(self._opened(), **window)

    def heat_map(self, **options: Any) -> Figure:
        """Draw the net power of each member in local time.

        Parameters
        ----------
        **options
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.
            `members` (int): how many to draw, 40 unless given; those that move most energy.

        Returns
        -------
        matplotlib.figure.Figure
            A row per member: charging blue, feeding in orange, not plugged in grey (kW).

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.heat_map(members=10)
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Who charges when']
        """
        return figures.heat_map(self._opened(), **options)

    def state_of_energy(self, **window: Any) -> Figure:
        """Draw how full the plugged-in batteries are.

        Parameters
        ----------
        **window
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            Median, middle half and middle 90 % of the members, % of capacity over local time.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.state_of_energy()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['State of energy']
        """
        return figures.state_of_energy(self._opened(), **window)

    def reserve(self, **window: Any) -> Figure:
        """Draw the reserve sold against the headroom of all assets about their baseline.

        Parameters
        ----------
        **window
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            kW over local time; the upper panel is upward, the lower one downward.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.reserve()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Reserve sold against headroom']
        """
        return figures.reserve(self._opened(), **window)

    def cycle_depth(self) -> Figure:
        """Draw how often the batteries were discharged how deep, by rainflow counting.

        It needs the group `/wear`, which `wear` counts.

        Returns
        -------
        matplotlib.figure.Figure
            Left: discharging half cycles by depth. Right: the equivalent full cycles of them.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> import v2g_linopy as v2g
        >>> import xarray as xr
        >>> counted = result.assign({"wear": xr.DataTree(v2g.wear(result))})
        >>> figure = counted.plot.cycle_depth()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['How often, how deep', 'What they add up to']
        """
        return figures.cycle_depth(self._opened())

    def profit_distribution(self) -> Figure:
        """Draw the profit of the scenarios, with the mean of the worst.

        It needs a case with scenarios.

        Returns
        -------
        matplotlib.figure.Figure
            EUR, the worst on the left, each as wide as it is likely; with mean, VaR and CVaR.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> import v2g_linopy as v2g
        >>> case = v2g.commuters(vehicles=1, days=2, regulation=None)
        >>> uncertain = v2g.solve(v2g.scenarios(case, n=2, vary=["energy.price"]))
        >>> figure = uncertain.plot.profit_distribution()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Profit over the scenarios (2 scenarios)']
        """
        return figures.profit_distribution(self._opened())

    def bands(self, pod: str | None = None, **window: Any) -> Figure:
        """Draw between which powers and energies a site can be at each moment, and what is planned.

        It needs what `v2g.flexibility` returns, or a result that has its group
        `/flexibility_bands`.

        Parameters
        ----------
        pod : str, optional
            A site; the whole portfolio unless given.
        **window
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            kW, and kWh since the start, over local time. Each moment stands alone; an edge that was
            not verified is dotted.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> import v2g_linopy as v2g
        >>> case = v2g.portfolio(vehicles=2, days=1, pods=2, reserve=False)
        >>> figure = v2g.flexibility(case, nodes=0).plot.bands("depot-1")
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['What depot-1 can do, each moment alone']
        """
        return figures.bands(self._opened(), pod, **window)

    def rounds(self) -> Figure:
        """Draw value and bound of a result of two levels, round by round.

        Returns
        -------
        matplotlib.figure.Figure
            Left: the value of the best mix, and the bound, EUR. Right: their distance.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> import v2g_linopy as v2g
        >>> case = v2g.portfolio(vehicles=2, days=1, pods=2)
        >>> figure = v2g.solve(case, method="sites").plot.rounds()
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['Value and bound by round', 'What is not yet proved']
        """
        return figures.rounds(self._opened())

    def weights(self) -> Figure:
        """Draw which plans of each site are mixed, and how much of each is taken.

        Returns
        -------
        matplotlib.figure.Figure
            A row per site, a column per round from which plans are mixed; weights in %.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> import v2g_linopy as v2g
        >>> case = v2g.portfolio(vehicles=2, days=1, pods=2)
        >>> figure = v2g.solve(case, method="sites").plot.weights()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Weights of the plans']
        """
        return figures.weights(self._opened())

    def price_response(self) -> Figure:
        """Draw power and energy at each price.

        Returns
        -------
        matplotlib.figure.Figure
            Left: net power (kW) at each price. Right: energy (kWh) per price level.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.price_response()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Power at each price']
        """
        return figures.price_response(self._opened())

    def shadow_prices(self, **window: Any) -> Figure:
        """Draw what one more unit of electricity or stored energy would be worth.

        Parameters
        ----------
        **window
            `start` (str or pandas.Timestamp, local clock of the case) and `days` (float): the part
            to draw; everything unless given, or the busiest week of a long horizon.

        Returns
        -------
        matplotlib.figure.Figure
            EUR/MWh over local time, at each pod and in the batteries of the members.

        Raises
        ------
        V2GError
            The extra ``[report]`` is not installed.

        Examples
        --------
        >>> figure = result.plot.shadow_prices()
        >>> [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
        ['Shadow prices']
        """
        return figures.shadow_prices(self._opened(), **window)
