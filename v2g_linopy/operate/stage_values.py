"""What each market of a sequence is worth: the run with markets added one after the other
(docs/formulation.md §4).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.gates import gates_of, traded_parts
from ..model.inputs import inputs_of
from ..model.part import Part
from ..parts.catalogue import PARTS
from .simulate import simulate

Progress = Callable[[int, int], None]  # takes how much is done, and of how much


def stage_values(
    case: xr.DataTree,
    result: xr.DataTree | None = None,
    *,
    parts: Mapping[str, Part] = PARTS,
    progress: Callable[[str], Progress] = lambda stage: lambda done, of: None,
    **options: Any,
) -> xr.Dataset:
    """Return what each market adds: the case operated with one more after the other.

    They are added in the order of their gates. A market that is not there yet has the limit 0;
    imbalance is always settled. What the one that closes first adds is not known, as nothing runs
    without it: its value is missing (docs/formulation.md §4).

    Parameters
    ----------
    case : xarray.DataTree
        As for `simulate`.
    result : xarray.DataTree, optional
        The run with all markets, where it is known already.
    parts : mapping of str to Part, default PARTS
        The catalogue.
    progress : callable, default does nothing
        `progress(stage)` returns the `progress` of the run of that stage.
    **options
        As for `simulate`.

    Returns
    -------
    xarray.Dataset
        On `stage`, named as the market or product added: `profit` with all up to it, `value` it
        adds to the one before (EUR).

    Raises
    ------
    SchemaError, Infeasible, SolveError, SolverError, Interrupted, OutputError
        As `simulate`.

    Examples
    --------
    Intraday trades two hours of a portfolio again that were sold day-ahead:

    >>> import v2g_linopy as v2g
    >>> case = v2g.select_window(v2g.sequential(vehicles=1, days=1), 8, 10)
    >>> worth = v2g.stage_values(case, every=2.0)
    >>> worth["stage"].values.tolist()
    ['day_ahead', 'intraday']
    >>> profit, value = worth.profit.values, worth.value.values
    >>> bool(abs(value[1] - (profit[1] - profit[0])) < 1e-9)
    True
    """
    order = stages_of(case, parts)
    profit = []
    for k, (_, label) in enumerate(order):
        complete = k == len(order) - 1
        if complete and result is not None:
            run = result
        else:
            shut = _shut(case, order[k + 1 :], parts)
            without_hindsight = {**options, "hindsight": False}
            run = simulate(shut, parts=parts, progress=progress(label), **without_hindsight)
        profit.append(float(run.attrs["profit"]))

    money = {"units": str(case.attrs.get("currency", "EUR"))}
    names = pd.Index([label for _, label in order], name="stage")
    levels = {"profit": np.array(profit), "value": np.diff(profit, prepend=np.nan)}
    return xr.Dataset({n: ("stage", x, money) for n, x in levels.items()}, coords={"stage": names})


def stages_of(case: xr.DataTree, parts: Mapping[str, Part] = PARTS) -> list[tuple[str, str]]:
    """Return part and label of every market and product, in the order of their gates.

    The one that closes longest before delivery is first.
    """
    truth = inputs_of(case, parts)
    early = []
    for part, close in gates_of(case, truth).close.items():
        dim = parts[part].member
        lead = ((close.time - close) / np.timedelta64(1, "h")).mean("time")
        for x, hours in zip(close.indexes[dim], lead.to_numpy(), strict=True):
            early.append((-float(hours), part, str(x)))
    return [(part, label) for _, part, label in sorted(early, key=lambda found: found[0])]


def _shut(
    case: xr.DataTree, later: list[tuple[str, str]], parts: Mapping[str, Part]
) -> xr.DataTree:
    """Return the case without the markets that come later."""
    tree = case.copy()
    traded = traded_parts(parts)
    for part in {part for part, _ in later}:
        dim, name = parts[part].member, traded[part].limit
        group = tree[part].to_dataset()
        shut = group[dim].astype(str).isin([label for p, label in later if p == part])
        limit = group.get(name, xr.DataArray(np.inf, attrs={"units": "kW"}))
        tree[part] = xr.DataTree(
            group.assign({name: limit.where(~shut, 0.0).assign_attrs(limit.attrs)})
        )
    return tree
