"""Numbers in the unit that a rule speaks."""

from collections.abc import Mapping

import xarray as xr

from ...case.units import accepted, factor
from ...errors import Problem, SchemaError
from .wording import first_few


def in_unit(array: xr.DataArray, unit: str, where: str, currency: str = "EUR") -> xr.DataArray:
    """Return an array in `unit`, free of attributes; one without a unit is taken to be in it.

    `currency` is the money that stands in the array's unit where `unit` says EUR.

    Raises
    ------
    SchemaError
        A unit of another kind, or none that is known.
    """
    own = unit.replace("EUR", currency)
    given = str(array.attrs.get("units", own))
    scale = factor(given, unit, currency)
    if scale is None:
        detail = f"unit {given!r} does not fit; use one of {', '.join(accepted(unit, currency))}"
        raise SchemaError([Problem(where, "unit", detail)], "the input")
    array = array.drop_attrs()
    return array if given == own else array * (scale / (factor(unit, unit) or 1.0))


def stacked(
    prices: xr.Dataset, names: Mapping[str, str], dim: str, currency: str = "EUR"
) -> xr.DataArray:
    """Return prices side by side along a new dimension, EUR/MWh.

    `names` maps its labels to the names of the prices.

    Raises
    ------
    SchemaError
        Every name that is not among the prices.
    """
    lacking = [name for name in names.values() if name not in prices]
    if lacking:
        given = f"not among the prices given ({first_few(prices.data_vars)})"
        raise SchemaError([Problem(f"prices.{n}", "missing", given) for n in lacking], "the prices")
    arrays = [
        in_unit(prices[n].reset_coords(drop=True), "EUR/MWh", f"prices.{n}", currency)
        for n in names.values()
    ]
    return xr.concat(arrays, dim).assign_coords({dim: list(names)}).transpose(dim, "time")
