"""How likely reserve offers of a case are accepted."""

from collections.abc import Mapping

import xarray as xr

from ...errors import Problem, SchemaError
from .new_case import declared_fields


def with_acceptance(
    case: xr.DataTree, probability: float | Mapping[str, float] | xr.DataArray
) -> xr.DataTree:
    """Say how likely the reserve offers of a case are accepted.

    An offer is held whole, and called and paid only if it is accepted, in one draw for each block.

    Parameters
    ----------
    case : xarray.DataTree
        A case with `/reserve`; it is not changed.
    probability : float, mapping of str to float, or xarray.DataArray
        Between 0 and 1: of all products, by product (1 where it is not named), or on product, time
        or both.

    Returns
    -------
    xarray.DataTree
        The case with `accept_probability` (1) in `/reserve`.

    Raises
    ------
    SchemaError
        There is no reserve, or no product of a name that is given. What is out of range `v2g.check`
        lists.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.commuters(vehicles=1, days=1)
    >>> v2g.with_acceptance(case, {"up": 0.5})["reserve"].accept_probability.values.tolist()
    [0.5, 1.0]
    """
    if "reserve" not in case.children:
        raise SchemaError([Problem("reserve", "missing", "missing: there is nothing to offer")])
    group = case.children["reserve"].to_dataset(inherit=False)
    if isinstance(probability, Mapping):
        names = group.indexes["product"]
        unknown = [
            Problem("reserve.product", "labels", f"{name!r} is no product of the case")
            for name in probability
            if name not in names
        ]
        if unknown:
            raise SchemaError(unknown)
        probability = xr.DataArray(
            [float(probability.get(str(name), 1.0)) for name in names], {"product": names}
        )
    field = declared_fields("reserve")["accept_probability"]
    likely = xr.DataArray(probability).assign_attrs(units=field.unit, long_name=field.doc)
    return case.assign(reserve=xr.DataTree(group.assign(accept_probability=likely)))
