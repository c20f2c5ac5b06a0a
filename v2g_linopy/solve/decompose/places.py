"""Where the variables and rows of a model are in its matrix."""

from collections.abc import Mapping
from dataclasses import dataclass

import linopy
import numpy as np
import xarray as xr

from .. import solver
from ..solver import Matrix


@dataclass(frozen=True)
class Places:
    """Column of each cell of every variable, and row of each cell of every constraint (-1: none).

    Parameters
    ----------
    column, row : mapping of str to xarray.DataArray
        By name, on the labels of the variable or of the rows.
    """

    column: Mapping[str, xr.DataArray]
    row: Mapping[str, xr.DataArray]

    @classmethod
    def of(cls, model: linopy.Model, matrix: Matrix) -> "Places":
        """Find them for a model and its matrix."""
        rows, columns = (np.arange(n, dtype=float) for n in matrix.a.shape)
        return cls(
            {n: _whole(x) for n, x in solver.by_variable(model, matrix, columns).items()},
            {n: _whole(x) for n, x in solver.by_constraint(model, matrix, rows).items()},
        )


def _whole(x: xr.DataArray) -> xr.DataArray:
    return x.fillna(-1).astype(int)
