"""Bands: between which powers, and which energies, every site can be at each moment
(docs/formulation.md §11).

Each value alone can be reached. All together need not be: a site that takes the most in one hour
cannot take the most in the next. Bands are to look at; what is promised is a plan.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from ..model.inputs import Inputs, inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve import complementarity, solver
from ..solve.assembly import assemble_model
from ..solve.decompose.message import root_of_exchange
from ..solve.decompose.places import Places
from ..solve.decompose.site_cases import Division
from ..solve.solver import Matrix, Settings

EACH_ALONE = "each value alone can be reached; all together need not be"
PORTFOLIO = "portfolio"
EDGES = {"min": -1.0, "max": 1.0}


def flexibility(case: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Return between which powers and energies every site of a case can be at each moment.

    Nothing has a price: limits, needs and connections alone count, and no reserve is held. Each
    value is found by itself, with nobody charging and discharging at once, so that it can be
    reached; values of different steps or edges need not be reached together.

    Parameters
    ----------
    case : xarray.DataTree
        A case that `v2g.split` divides; it is not changed.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        `/flexibility_bands` on pod, edge (min, max) and time, with the sum over all sites as pod
        `portfolio`: `power`, the least and most drawn from the grid in the step (kW, negative is
        fed in), and `energy`, the least and most drawn from the start to its end (kWh). The
        attribute `meaning` says that each value stands alone.

    Raises
    ------
    SchemaError
        The case does not fit, or cannot be divided.
    SolveError
        A site has no plan at all.
    SolverError
        The solver failed.
    Interrupted
        Ctrl-C while the solver was at work.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> bands = v2g.flexibility(v2g.portfolio(vehicles=2, days=1, pods=2, reserve=False))
    >>> power = bands["flexibility_bands"]["power"]
    >>> power.dims, bool((power.sel(edge="min") <= power.sel(edge="max") + 1e-9).all())
    (('pod', 'edge', 'time'), True)
    """
    division = Division.of(case, parts)
    inputs = _without_reserves(inputs_of(division.site(division.pods), parts))
    model = _Extremes(inputs, division.pods)
    steps = len(inputs.calendar.time)
    here, so_far = np.eye(steps), inputs.dt * np.tri(steps)
    found = {
        name: np.array([[model.extreme(w * way) * way for w in weights] for way in EDGES.values()])
        for name, weights in (("power", here), ("energy", so_far))
    }
    return _tree(found, inputs, division.pods)


class _Extremes:
    """All sites in one model, of which only the costs of what they draw move."""

    def __init__(self, inputs: Inputs, pods: list[str]):
        self._where = complementarity.eligible(inputs)
        relaxed = assemble_model(inputs)
        self._model, self._matrix = relaxed.model, solver.matrix_of(relaxed.model)
        self._exchange = _exchange(self._model, self._matrix, pods)
        self._inputs, self._pods = inputs, pods
        self._exact: tuple[Matrix, np.ndarray] | None = None
        self._settings = Settings(gap=0.0).start()

    def extreme(self, weights: np.ndarray) -> np.ndarray:
        """Return the most of sum_t weights_t drawn_t of every site, each for itself."""
        matrix = _priced(self._matrix, self._exchange, weights)
        x = solver.solve_matrix(matrix, self._settings).primal
        at_once = complementarity.overlap(
            self._inputs, solver.by_variable(self._model, self._matrix, x), self._where
        )
        if any(float(over.max()) > complementarity.TOLERANCE for over in at_once.values()):
            if self._exact is None:
                self._exact = self._one_way_at_a_time()
            exact, exchange = self._exact
            x = solver.solve_matrix(_priced(exact, exchange, weights), self._settings).primal
            return -(x[exchange] @ weights)
        return -(x[self._exchange] @ weights)

    def _one_way_at_a_time(self) -> tuple[Matrix, np.ndarray]:
        """Return the matrix with a binary wherever charging excludes discharging."""
        built = assemble_model(complementarity.with_flags(self._inputs, self._where))
        matrix = solver.matrix_of(built.model)
        return matrix, _exchange(built.model, matrix, self._pods)


def _exchange(model: object, matrix: Matrix, pods: list[str]) -> np.ndarray:
    """Return the columns of what every site feeds in, on (pod, time)."""
    places = Places.of(model, matrix).column["node.exchange"]  # type: ignore[arg-type]
    return places.transpose("pod", "time").sel(pod=pods).to_numpy()


def _priced(matrix: Matrix, exchange: np.ndarray, weights: np.ndarray) -> Matrix:
    """Return the matrix in which a kW drawn earns its weight, and nothing else does."""
    cost = np.zeros(matrix.a.shape[1])
    cost[exchange] = -weights
    return replace(matrix, cost=cost)


def _without_reserves(inputs: Inputs) -> Inputs:
    """Return the inputs without reserves: what is held would narrow the bands."""
    return replace(inputs, data={n: d for n, d in inputs.data.items() if n != "reserve"})


def _tree(found: Mapping[str, np.ndarray], inputs: Inputs, pods: list[str]) -> xr.DataTree:
    """Return the bands by pod, with their sum."""
    words = {
        "power": ("kW", "least and most power drawn in the step"),
        "energy": ("kWh", "least and most energy drawn from the start to the end of the step"),
    }
    bands = xr.Dataset(
        coords={
            "pod": [*pods, PORTFOLIO],
            "edge": list(EDGES),
            "time": pd.DatetimeIndex(inputs.calendar.time),
        },
        attrs={"meaning": EACH_ALONE},
    )
    for name, values in found.items():  # on edge, time and pod
        by_pod = np.moveaxis(values, -1, 0)
        every = np.concatenate([by_pod, by_pod.sum(axis=0, keepdims=True)]) + 0.0
        unit, meaning = words[name]
        attrs = {"units": unit, "long_name": meaning}
        bands[name] = xr.DataArray(every, dims=("pod", "edge", "time"), attrs=attrs)
    return xr.DataTree.from_dict({"/": root_of_exchange(inputs), "/flexibility_bands": bands})
