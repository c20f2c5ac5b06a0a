"""What every site of a portfolio is asked for, and what it is worth (docs/formulation.md §11).

Two ways to share out the profit of a portfolio among its sites. Each adds up to it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError, SolveError
from ..model.part import Part
from ..parts.catalogue import PARTS
from ..solve.decompose.site_cases import Division
from ..solve.result import in_profit
from ..solve.solve import solve


def with_values_alone(result: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.DataTree:
    """Return a result of two levels with what every site would earn alone.

    Alone, a site has the markets of the portfolio to itself, with all their limits, blocks and
    least bids.

    Parameters
    ----------
    result : xarray.DataTree
        Of `v2g.solve` with the method `sites`; it is not changed.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.DataTree
        The result with `alone` (EUR on pod) in `/decomposition`, NaN where a site has no plan by
        itself.

    Raises
    ------
    SchemaError
        The result is not one of two levels.
    SolverError
        The solver failed.
    Interrupted
        Ctrl-C while the solver was at work.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=2, days=1, pods=2)
    >>> result = v2g.with_values_alone(v2g.solve(case, method="sites"))
    >>> result["decomposition"]["alone"].dims
    ('pod',)
    """
    history = _history(result)
    division = Division.of(result, parts)
    alone = [_profit_alone(division.alone(str(pod)), parts) for pod in history.indexes["pod"]]
    words = {"units": history["value"].attrs["units"], "long_name": "profit of the site alone"}
    found = result.copy()
    found["decomposition"] = xr.DataTree(history.assign(alone=("pod", alone, words)))
    return found


def _profit_alone(case: xr.DataTree, parts: Mapping[str, Part]) -> float:
    try:
        return float(solve(case, method="whole", parts=parts).attrs["profit"])
    except SolveError:
        return float("nan")


def site_values(result: xr.DataTree, *, parts: Mapping[str, Part] = PARTS) -> xr.Dataset:
    """Return what every site is asked for, and how the profit is shared out among the sites.

    At the prices of the last round: what a site pays and earns by itself, and what the power and
    the reserve asked of it are worth; what remains is the worth of limits, blocks and bids of the
    portfolio. By equal shares: what each site would earn alone, and an equal share of what all earn
    more together.

    Parameters
    ----------
    result : xarray.DataTree
        Of `v2g.solve` with the method `sites`.
    parts : mapping of str to Part, default PARTS
        The catalogue.

    Returns
    -------
    xarray.Dataset
        On pod: `own`, entries of its devices and its connection in profit (EUR); `paid`, power and
        reserve at the last prices (EUR); `value`, the sum of both; `fed` and `drawn`, energy asked
        of it (kWh); `plans`, how many are mixed; with `with_values_alone` also `alone` and
        `equal_share` (EUR). Attributes `profit` and `left` (EUR): `value` and `left` add up to
        `profit`, and so does `equal_share`.

    Raises
    ------
    SchemaError
        The result is not one of two levels.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=2, days=1, pods=2)
    >>> result = v2g.solve(case, method="sites")
    >>> values = v2g.site_values(result)
    >>> gap = float(values["value"].sum()) + values.attrs["left"] - result.attrs["profit"]
    >>> abs(gap) < 1e-9
    True
    """
    history = _history(result)
    pods = history.indexes["pod"]
    asked = history["promise"]
    division = Division.of(result, parts)
    dt, profit = division.inputs.dt, float(result.attrs["profit"])
    own = xr.DataArray(_own(result, division, pods), {"pod": pods})
    mixed = history["plan_pod"].astype(str)
    found = xr.Dataset(
        {
            "own": own,
            "paid": history["paid"],
            "value": own + history["paid"],
            "fed": dt * asked.clip(min=0.0).sum("time"),
            "drawn": dt * (-asked).clip(min=0.0).sum("time"),
            "plans": ("pod", [int((mixed == str(pod)).sum()) for pod in pods]),
        }
    )
    if "alone" in history:
        more = profit - float(history["alone"].sum(skipna=False))
        found["alone"] = history["alone"]
        found["equal_share"] = history["alone"] + more / len(pods)
    units = {"fed": "kWh", "drawn": "kWh", "plans": "1"}
    money = str(result.attrs.get("currency") or "EUR")
    for name, x in found.data_vars.items():
        x.attrs["units"] = units.get(str(name), money)
    return found.assign_attrs(profit=profit, left=profit - float(found["value"].sum()))


def _history(result: xr.DataTree) -> xr.Dataset:
    """Return the rounds of a result of two levels."""
    found = result.children.get("decomposition")
    history = xr.Dataset() if found is None else found.to_dataset(inherit=False)
    if "paid" not in history:
        detail = "missing: solve the case with the method sites"
        raise SchemaError([Problem("/decomposition", "missing", detail)])
    return history.assign_coords(time=result["time"])


def _own(result: xr.DataTree, division: Division, pods: pd.Index) -> np.ndarray:
    """Return what the entries of the ledger that belong to members of each pod add up to."""
    own = dict.fromkeys(pods.astype(str), 0.0)
    for name, x in result.children["ledger"].to_dataset(inherit=False).data_vars.items():
        home = division.homes.get(str(name).partition(".")[0], {})
        if not home or not in_profit(str(name)):
            continue
        member = next((d for d in x.dims if {*map(str, x.indexes.get(d, [""]))} <= {*home}), None)
        if member is None:
            continue
        amounts = x.fillna(0.0).sum([d for d in x.dims if d != member])
        for label, amount in zip(x.indexes[member], amounts.to_numpy(), strict=True):
            if pod := home[str(label)]:
                own[pod] += float(amount)
    return np.array([own[str(pod)] for pod in pods])
