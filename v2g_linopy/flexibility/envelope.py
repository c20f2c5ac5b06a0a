"""The envelope of two plans: what a portfolio would be told if every site sent a box, and how much
of it the sites cannot deliver (docs/formulation.md §11).

A box has no memory: it says of each step between which powers a site can be, and not that what is
drawn in one step is missing in another. It is shown beside plans, and never offered.
"""

from collections.abc import Mapping
from dataclasses import replace

import linopy
import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray as xr

from ..errors import SolveError
from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve import blocks, complementarity, solver
from ..solve.assembly import assemble_model
from ..solve.decompose.message import root_of_exchange
from ..solve.decompose.places import Places
from ..solve.decompose.site_cases import Division
from ..solve.decompose.sites import no_plan_of
from ..solve.solve import solve
from ..solve.solver import Matrix, Settings

EDGES = {"least": -1.0, "most": 1.0}
WORTH = 1.0
"""EUR/kWh: above what wear, fees and fuel cost as a rule, and below what a missed need does."""
EXACT, NEAR = Settings(gap=0.0), Settings(gap=1e-3)


def envelope(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Return the box of two plans of every site, and how much of it cannot be delivered.

    Every site plans the least and the most energy that it can draw in all: what it does where a
    kWh costs, or earns, 1 EUR, beside its own costs. Step by step, the two plans are the edges of
    its box. The portfolio adds the boxes up and asks for what earns most at its prices: the lower
    edge where power is worth something, else the upper one. What the sites together can give that
    is nearest to it, if each kWh that differs costs 1 EUR, is a linear programme.

    Many plans draw the least energy, and as many the most: which of them are found depends on the
    solver, and so do the box, what is asked and what cannot be delivered. That is why a portfolio
    mixes plans instead: `v2g.solve` with `method="sites"` has one value.

    Parameters
    ----------
    case : xarray.DataTree
        A case that `v2g.split` divides; it is not changed. Its reserves are left out.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        `/envelope`, in kW drawn: `plan` on pod, edge (least, most) and time; `lower` and `upper`
        edge of the sum of all boxes, what is `asked` of them, the nearest that can be `delivered`,
        and the `best` plan of all sites together, on time; what `asked`, `delivered` and `best`
        earn at the market as `profit` (EUR, on plan_kind and time). Attributes: `undeliverable`
        (kWh, not delivered or too much; at least that, where storages lose energy) and
        `undeliverable_share` of the energy between the edges.

    Raises
    ------
    SchemaError
        The case does not fit, or cannot be divided.
    Infeasible
        A site has no plan at all. It is a `SolveError`.
    SolveError
        The solver ended without a plan.
    SolverError
        The solver failed.
    Interrupted
        Ctrl-C while the solver was at work.

    Examples
    --------
    A battery of 10 kWh that is empty can fill up in either of two hours, not in both. The plan of
    least energy does nothing; that of the most draws 10 kWh, which is all that its box has:

    >>> import pandas as pd
    >>> import xarray as xr
    >>> import v2g_linopy as v2g
    >>> power = {"charge_max": 10.0, "discharge_max": 10.0, "energy_max": 10.0}
    >>> lossless = {"eta_charge": 1.0, "eta_discharge": 1.0}
    >>> market = {"price": ("time", [-20.0, -10.0]), "limit": 100.0}
    >>> case = v2g.assemble(
    ...     pd.date_range("2026-03-02", periods=2, freq="h"),
    ...     {
    ...         "battery": xr.Dataset(power | lossless, coords={"battery": ["b"]}),
    ...         "energy": xr.Dataset(market, coords={"market": ["day_ahead"]}),
    ...     },
    ... )
    >>> found = v2g.envelope(case)["envelope"]
    >>> float(found["plan"].sel(pod="site", edge="most").sum()), found.attrs["undeliverable"]
    (10.0, 0.0)
    """
    division = Division.of(_without_reserves(case), parts)
    inputs = inputs_of(division.site(division.pods), parts)
    model = _Sites(inputs, division.pods)
    flat = np.full(len(inputs.calendar.time), WORTH * inputs.dt)
    try:
        plans = np.array([model.drawn(way * flat) for way in EDGES.values()])  # on edge, pod, time
    except SolveError as error:
        if "infeasible" not in error.status:
            raise
        raise no_plan_of("a site", inputs, Settings()) from None
    lower, upper = plans.min(axis=0).sum(axis=0), plans.max(axis=0).sum(axis=0)

    price, spread = _prices(division.inputs)
    asked = np.where(price >= 0, lower, upper)
    delivered = model.nearest(asked)
    result = solve(division.case, parts=parts, audit=False)
    best = -_traded(result)
    drawn = {"asked": asked, "delivered": delivered, "best": best}
    missed = inputs.dt * float(abs(asked - delivered).sum())
    width = inputs.dt * float((upper - lower).sum())

    def earned(x: np.ndarray) -> np.ndarray:
        return -inputs.dt * (price * x + spread / 2 * abs(x))

    kilowatt, money = {"units": "kW"}, {"units": inputs.calendar.currency}
    found = xr.Dataset(
        {
            "plan": (("pod", "edge", "time"), np.moveaxis(plans, 0, 1) + 0.0, kilowatt),
            "lower": ("time", lower + 0.0, kilowatt),
            "upper": ("time", upper + 0.0, kilowatt),
            **{name: ("time", x + 0.0, kilowatt) for name, x in drawn.items()},
            "profit": (("plan_kind", "time"), [earned(x) + 0.0 for x in drawn.values()], money),
        },
        coords={
            "pod": division.pods,
            "edge": list(EDGES),
            "plan_kind": list(drawn),
            "time": pd.DatetimeIndex(inputs.calendar.time),
        },
        attrs={
            "undeliverable": missed,
            "undeliverable_share": missed / width if width > 0 else 0.0,
        },
    )
    return xr.DataTree.from_dict({"/": root_of_exchange(inputs), "/envelope": found})


class _Sites:
    """All sites as one model, at a market of price 0."""

    def __init__(self, inputs: Inputs, pods: list[str]):
        self._inputs, self._pods = inputs, pods
        self._losing = _losing(inputs)
        self._model, self._matrix, self._exchange = self._built({})

    def _built(self, flags: complementarity.Flags) -> tuple[linopy.Model, Matrix, np.ndarray]:
        """Return the model, its matrix, and the columns of what every site feeds in (pod, time)."""
        model = assemble_model(complementarity.with_flags(self._inputs, flags)).model
        matrix = solver.matrix_of(model)
        columns = Places.of(model, matrix).column["node.exchange"].transpose("pod", "time")
        return model, matrix, columns.sel(pod=self._pods).to_numpy()

    def drawn(self, weights: np.ndarray) -> np.ndarray:
        """Return a plan of every site with the most of sum_t weights_t drawn_t (pod, time).

        Nobody charges and discharges at once; where that takes a search it ends near the most.
        """
        exchange = self._exchange
        x = blocks.solve_with_highs(_priced(self._matrix, exchange, weights), EXACT).primal
        levels = solver.by_variable(self._model, self._matrix, x)
        at_once = complementarity.overlap(self._inputs, levels, self._losing)
        if any(float(over.max()) > complementarity.TOLERANCE for over in at_once.values()):
            _, matrix, exchange = self._built(self._losing)
            x = blocks.solve_with_highs(_priced(matrix, exchange, weights), NEAR).primal
        return -x[exchange]

    def nearest(self, asked: np.ndarray) -> np.ndarray:
        """Return what all sites together can draw that is nearest to what is asked (time).

        With s too little and e too much, of which the sum is the least::

            sum over the sites of exchange_t - s_t + e_t = -asked_t,   s, e >= 0
        """
        steps, n = len(asked), self._matrix.a.shape[1]
        rows = np.tile(np.arange(steps), len(self._pods))
        ones = np.ones(self._exchange.size)
        summed = sp.csr_array((ones, (rows, self._exchange.ravel())), (steps, n))
        unit, none = sp.eye_array(steps), sp.csr_array((self._matrix.a.shape[0], 2 * steps))
        below = sp.hstack([summed, -unit, unit])
        zeros = np.zeros(2 * steps)
        matrix = replace(
            self._matrix,
            a=sp.csc_array(sp.vstack([sp.hstack([self._matrix.a, none]), below])),
            cost=np.append(self._matrix.cost, zeros - WORTH * self._inputs.dt),
            lower=np.append(self._matrix.lower, zeros),
            upper=np.append(self._matrix.upper, zeros + np.inf),
            integer=np.append(self._matrix.integer, zeros.astype(bool)),
            row_lower=np.append(self._matrix.row_lower, -asked),
            row_upper=np.append(self._matrix.row_upper, -asked),
        )
        x = solver.solve_matrix(matrix, EXACT).primal
        return -x[self._exchange].sum(axis=0)


def _losing(inputs: Inputs) -> dict[tuple[str, str], xr.DataArray]:
    """Return where charging and discharging at once burns energy: nowhere without losses."""
    found = {}
    for (part, path), where in complementarity.eligible(inputs).items():
        d = inputs.data[part]
        losing = where & (d.eta_charge * d.eta_discharge < 1)
        if bool(losing.any()):
            found[part, path] = losing
    return found


def _priced(matrix: Matrix, exchange: np.ndarray, weights: np.ndarray) -> Matrix:
    """Return the matrix in which a kW drawn earns its weight beside the site's own cash."""
    cost = matrix.cost.copy()
    cost[exchange] -= weights
    return replace(matrix, cost=cost)


def _without_reserves(case: xr.DataTree) -> xr.DataTree:
    return case.filter(lambda node: node.name != "reserve") if "reserve" in case.children else case


def _prices(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Return price and spread of the first market, EUR/kWh on time; 0 where there is none."""
    energy, time = inputs.data.get("energy"), inputs.calendar.time
    if energy is None:
        return np.zeros(len(time)), np.zeros(len(time))
    every = xr.zeros_like(xr.DataArray(np.zeros(len(time)), coords={"time": time}))
    first = energy.isel(market=0)
    return (first.price + every).to_numpy(), (first.spread + every).to_numpy()


def _traded(result: xr.DataTree) -> np.ndarray:
    """Return what is sold in all in a result, kW on time."""
    if "energy" not in result.children:
        return np.zeros(result.sizes["time"])
    return np.asarray(result["energy"]["position"].sum("market"))
