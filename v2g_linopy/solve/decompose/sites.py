"""Sites whose models are held open: a message moves their prices, and a plan of each comes out
(docs/formulation.md §11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import xarray as xr
from scipy.sparse.csgraph import connected_components

from ...algebra.expression import Expression
from ...errors import Infeasible, SolveError
from ...model.inputs import Inputs
from ...model.reserve_rules import supplied
from ..assembly import assemble_model
from ..infeasibility import why
from ..solver import Matrix, Optimum, Settings, at_levels, matrix_of, solve_matrix
from .message import Message
from .places import Places
from .plans import Plan
from .site_programmes import SiteError, SiteProgrammes


class Sites:
    """The model of one or more sites, built once; messages move its costs.

    The sites share nothing but the market that they trade at, so that each column of the model
    belongs to one of them, and each is solved by itself.

    Parameters
    ----------
    inputs : Inputs
        Of the case that `Division.site` returns.
    pods : sequence of str
        Its points of delivery.
    homes : mapping of str to mapping of str to str
        By part, the pod of each member, as `Division.homes`.
    settings : Settings
        How to solve.

    Attributes
    ----------
    most_held : numpy.ndarray
        kW on (product, time): they never hold more.
    matrix : Matrix
        The model, as it was built.
    places : Places
        Where its variables and rows are.
    site : numpy.ndarray
        Number of the site of each column.
    own_cost : numpy.ndarray
        What each column earns by itself, without prices of power and reserves.
    trading, holding : scipy.sparse.csr_array
        Give, from the levels of the columns, what is traded on (site, time) and held on (site,
        product, time), each as one axis (kW).
    """

    def __init__(
        self,
        inputs: Inputs,
        pods: Sequence[str],
        homes: Mapping[str, Mapping[str, str]],
        settings: Settings,
    ):
        self.pods, self._inputs, self._settings = list(pods), inputs, settings
        built = assemble_model(inputs)
        self.matrix = matrix = matrix_of(built.model)
        self.places = places = Places.of(built.model, matrix)

        position = places.column["energy.position"].isel(market=0).to_numpy()
        none = np.zeros((0, len(inputs.calendar.time)), int)
        volume = _on_products(places.column.get("reserve.volume"), none)
        allocation = _on_products(places.row.get("reserve.allocation"), none)
        contract = supplied(inputs.data.get("connection"))
        self._supplied = [bool(contract.any()) and bool(contract.sel(pod=p)) for p in pods]

        sold = np.concatenate([position, volume.ravel()])
        self.own_cost = matrix.cost.copy()
        self.own_cost[sold] = 0.0
        self.site = _site_of_columns(matrix, places, sold, self.pods)
        market = places.row["node.market"].to_numpy()
        traded = _by_site(matrix, market, sold, self.site, len(self.pods))
        self.trading = traded @ sp.diags_array(self._reaching_markets(places))
        self.holding = _by_site(matrix, allocation.ravel(), sold, self.site, len(self.pods))
        self._constants = constants(built.ledger, matrix, self.pods, homes)

        most = abs(self.holding) @ matrix.upper
        self.most_held = most.reshape(len(pods), *volume.shape).sum(axis=0)

        self._matrix = replace(matrix, cost=self.own_cost)
        self._shared = sold, np.concatenate([market, allocation.ravel()])
        self._programmes: SiteProgrammes | None = None

    @property
    def whole(self) -> list[str]:
        """Names of the sites with decisions in whole numbers."""
        return [self.pods[k] for k in sorted(set(self.site[self.matrix.integer]))]

    def plans(self, message: Message) -> list[Plan]:
        """Return the best plan of every site at the prices of a message.

        Raises
        ------
        Infeasible
            A site has no plan by itself.
        SolveError, SolverError, Interrupted
        """
        matrix = replace(self._matrix, cost=self.cost_at(message))
        optimum = self._solved(matrix)
        x = optimum.primal
        count = len(self.pods)
        own = np.bincount(self.site, self.own_cost * x, count) + self._constants
        traded = (self.trading @ x).reshape(count, -1)
        held = (self.holding @ x).reshape(count, *self.most_held.shape).clip(min=0.0)
        earned = (held * self._prices_of_held(message)).sum(axis=(1, 2)) + traded @ message.power
        value = own + self._inputs.dt * earned
        if not matrix.is_lp:  # a search may stop before it has proved the best
            value += (optimum.bound - optimum.objective) / count
        integer, whole = self.matrix.integer, self.whole
        levels = np.round(x[integer]) if integer.any() else None
        made = zip(self.pods, traded, held, own.tolist(), value.tolist(), strict=True)
        return [Plan(*plan, message.round, plan[0] in whole, levels) for plan in made]

    def fix(self, levels: np.ndarray) -> None:
        """Hold the decisions in whole numbers: a linear programme is left."""
        everywhere = np.zeros(self.matrix.a.shape[1])
        everywhere[self.matrix.integer] = levels
        self._matrix = replace(at_levels(self.matrix, everywhere), cost=self.own_cost)
        self._programmes = None

    def _reaching_markets(self, places: Places) -> np.ndarray:
        """Return 0 for the shares of pods with a supplier, which takes what they deliver; else 1.

        The portfolio knows what it sells of them, and takes that from the market itself.
        """
        shares = [x.to_numpy().ravel() for n, x in places.column.items() if n.startswith(_SHARE)]
        every = np.arange(self.matrix.a.shape[1])
        share = np.isin(every, np.concatenate([*shares, np.zeros(0, int)]))
        return np.where(np.array(self._supplied)[self.site] & share, 0.0, 1.0)

    def _prices_of_held(self, message: Message) -> np.ndarray:
        """EUR/kW/h on (site, product, time)."""
        prices = (message.held, message.held_supplied)
        return np.array([prices[int(with_supplier)] for with_supplier in self._supplied])

    def cost_at(self, message: Message) -> np.ndarray:
        """Income per unit of each column: its own, and what a kW traded and held earns (EUR)."""
        power = np.tile(message.power, len(self.pods))
        held = self._prices_of_held(message).ravel()
        paid = self.trading.T @ power + self.holding.T @ held
        return self.own_cost + self._inputs.dt * paid

    def _solved(self, matrix: Matrix) -> Optimum:
        """Solve it: linear programmes site by site from the last bases, others anew."""
        try:
            if not matrix.is_lp:
                return solve_matrix(matrix, self._settings)
            if self._programmes is None:
                self._programmes = SiteProgrammes(matrix, self.site, *self._shared, self._settings)
            x, none = self._programmes.solve(matrix.cost), np.zeros(0)
            return Optimum(x, none, none, float(matrix.cost @ x))
        except SolveError as error:
            if "infeasible" not in error.status:
                raise
            failed = [self.pods[error.site]] if isinstance(error, SiteError) else self.pods
            raise no_plan_of(", ".join(failed), self._inputs, self._settings) from None


def no_plan_of(sites: str, inputs: Inputs, settings: Settings) -> Infeasible:
    """Return the error that says why sites have no plan: members, steps and kWh.

    Parameters
    ----------
    sites : str
        Their names, as they are told.
    inputs : Inputs
        Of all sites that were looked at.
    settings : Settings
        How to solve.
    """
    lines = why(inputs, settings, assemble_model)
    return Infeasible(f"{sites} cannot be planned by itself:\n{lines}")


def _on_products(places: xr.DataArray | None, none: np.ndarray) -> np.ndarray:
    """Return places on (product, time); no rows where there are no reserves."""
    return none if places is None else places.transpose("product", "time").to_numpy()


def _site_of_columns(
    matrix: Matrix, places: Places, sold: np.ndarray, pods: Sequence[str]
) -> np.ndarray:
    """Return the number of the site of each column.

    Without the rows of the market and of the products the model falls into pieces; a piece belongs
    to the site whose exchange is in it, and one in which nothing is exchanged to the first site.
    """
    shared = [places.row[n].to_numpy().ravel() for n in _SHARED if n in places.row]
    own = np.setdiff1d(np.arange(matrix.a.shape[0]), np.concatenate(shared))
    rows = sp.coo_array(sp.csr_array(matrix.a)[own])
    by_pod = places.column["node.exchange"].transpose("pod", "time")
    exchange = by_pod.sel(pod=list(pods)).to_numpy()
    count, steps = exchange.shape

    hubs = np.repeat(np.arange(count), steps)  # all steps of a site belong together
    left = np.concatenate([rows.row, len(own) + hubs])
    right = np.concatenate([rows.col, exchange.ravel()])
    nodes = len(own) + count
    size = nodes + matrix.a.shape[1]
    graph = sp.coo_array((np.ones(len(left)), (left, nodes + right)), (size, size))
    piece = connected_components(graph, directed=False)[1]

    site_of_piece = np.zeros(size, int)
    site_of_piece[piece[len(own) : nodes]] = np.arange(count)
    return site_of_piece[piece[nodes:]]


_SHARE = "reserve.share_"
_SHARED = ("node.market", "reserve.allocation", "reserve.block")


def _by_site(
    matrix: Matrix, rows: np.ndarray, sold: np.ndarray, site: np.ndarray, count: int
) -> sp.csr_array:
    """Return what gives, from the levels of the columns, what each site adds to some rows.

    The rows say what is sold less what the sites give: the columns that are sold are left out.
    """
    some = sp.coo_array(sp.csr_array(matrix.a)[rows])
    given = ~np.isin(some.col, sold)
    place = site[some.col] * len(rows) + some.row
    return sp.csr_array(
        (-some.data[given], (place[given], some.col[given])),
        (count * len(rows), matrix.a.shape[1]),
    )


def constants(
    ledger: Mapping[str, Any],
    matrix: Matrix,
    pods: Sequence[str],
    homes: Mapping[str, Mapping[str, str]],
) -> np.ndarray:
    """Return what every site earns and pays whatever it does (EUR)."""
    found = np.zeros(len(pods))
    nothing = np.zeros(int(matrix.column_labels.max(initial=-1)) + 1)
    for name, cash in ledger.items():
        part = name.partition(".")[0]
        fixed = cash.value(nothing) if isinstance(cash, Expression) else cash
        home = homes.get(part, {})
        members = next((d for d in map(str, fixed.dims) if _labels_of(fixed, d) <= {*home}), "")
        if not members or not home:
            found[0] += float(fixed.sum())
            continue
        by_member = fixed.sum([d for d in fixed.dims if d != members])
        for member, amount in zip(by_member.indexes[members], by_member.to_numpy(), strict=True):
            found[pods.index(home[str(member)])] += float(amount)
    return found


def _labels_of(x: xr.DataArray, dim: str) -> set[str]:
    return {str(label) for label in x.indexes[dim]} if dim in x.indexes else {""}
