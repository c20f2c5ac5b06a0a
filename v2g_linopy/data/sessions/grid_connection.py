"""The grid connection of a case: which points of delivery it has, and what they may carry."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ...errors import Problem, SchemaError
from ...parts.catalogue import PARTS
from .new_case import currency_of, with_meaning
from .origins import replace_origin

CONNECTION = "connection"


def pods_with_assets(case: xr.DataTree) -> list[str]:
    """Return the points of delivery at which the assets of a case stand, in order.

    >>> import v2g_linopy as v2g
    >>> pods_with_assets(v2g.commuters(vehicles=1, days=1))
    ['site']
    """
    found: set[str] = set()
    for name, part in PARTS.items():
        field = next((f for f in part.schema.inputs if f.name == "pod"), None)
        if field is not None and name in case.children:
            place = case.children[name].to_dataset(inherit=False).get("pod")
            labels = [field.default] if place is None else np.unique(place)
            found.update(map(str, labels))
    return sorted(found)


def with_connection(
    case: xr.DataTree, import_max: Mapping[str, float], export_max: Mapping[str, float]
) -> xr.DataTree:
    """Return a case whose points of delivery carry no more than that.

    Parameters
    ----------
    case : xarray.DataTree
        It is not changed, and has no `/connection` yet.
    import_max : mapping of str to float
        Most power drawn from the grid by point of delivery, kW; "" is every one that is not named.
        What has none is not limited.
    export_max : mapping of str to float
        Most power fed into it, kW; as much as may be drawn unless given.

    Returns
    -------
    xarray.DataTree
        The case with `/connection` (kW on pod), said among its assumptions.

    Raises
    ------
    SchemaError
        Points of delivery at which nothing stands.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> limited = with_connection(case, {"": 200.0}, {"": 50.0})["connection"]
    >>> float(limited.import_max.sel(pod="site")), float(limited.export_max.sel(pod="site"))
    (200.0, 50.0)
    """
    pods = pods_with_assets(case)
    unknown = [name for name in (*import_max, *export_max) if name and name not in pods]
    if unknown:
        stand = f"nothing stands there; the case has {', '.join(pods)}"
        problems = [Problem("connection.pod", "labels", f"{n}: {stand}") for n in unknown]
        raise SchemaError(problems, "the connection")
    drawn = {pod: import_max.get(pod, import_max.get("", np.inf)) for pod in pods}
    fed = {pod: export_max.get(pod, export_max.get("", drawn[pod])) for pod in pods}
    limits = xr.Dataset(
        {
            "import_max": ("pod", [drawn[pod] for pod in pods]),
            "export_max": ("pod", [fed[pod] for pod in pods]),
        },
        coords={"pod": pods},
    )
    before, case = case, case.copy()
    case[CONNECTION] = xr.DataTree(with_meaning(CONNECTION, limits, currency_of(case)))
    said = [
        f"Grid connection, {pod}: {_limit(drawn[pod])} drawn, {_limit(fed[pod])} fed in."
        for pod in pods
    ]
    replace_origin(case, before, CONNECTION, {"": said})
    return case


def _limit(power: float) -> str:
    return f"at most {power:g} kW" if np.isfinite(power) else "any power"
