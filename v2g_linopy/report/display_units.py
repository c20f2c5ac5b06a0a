"""Groups of a result as people read them: the mean over scenarios, in the units of the page."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..case.units import TABLE, factor
from ..model.part import Part


def probability(root: xr.Dataset) -> xr.DataArray | None:
    """Weights of the scenarios; None without scenarios."""
    if "scenario" not in root.dims:
        return None
    if "probability" in root:
        return root["probability"]
    return xr.DataArray(
        np.full(root.sizes["scenario"], 1 / root.sizes["scenario"]),
        coords={"scenario": root["scenario"]},
    )


def scenario_means(data: xr.Dataset, weight: xr.DataArray | None, group: str) -> xr.Dataset:
    """Probability-weighted mean over scenarios; labels are those of the first scenario.

    Row duals carry the probability already and are summed.
    """
    if weight is None or "scenario" not in data.dims:
        return data
    if group == "dual":
        weight = xr.ones_like(weight)
    numbers = {
        name: (array * weight).sum("scenario").assign_attrs(array.attrs)
        for name, array in data.data_vars.items()
        if "scenario" in array.dims and array.dtype.kind in "fiu"
    }
    return data.isel(scenario=0, drop=True).assign(numbers)


def displayed(data: xr.Dataset, group: str, part: Part | None, currency: str) -> xr.Dataset:
    """Numbers in the units that people read, whatever the file used: kW, kWh, prices of energy as
    the fields of the part declare them, those of a result per MWh (wear per kWh).
    """
    fields = () if part is None else (*part.schema.inputs, *part.schema.outputs)
    declared_units = {field.name: field.unit.replace("EUR", currency) for field in fields}
    price = f"{currency}/{'kWh' if group == 'wear' else 'MWh'}"
    shown = {
        "power": "kW",
        "energy": "kWh",
        "energy price": price,
        "capacity price": f"{currency}/MW/h",
        "number": "1",
    }
    changed = {}
    for name, array in data.data_vars.items():
        unit = str(array.attrs.get("units", ""))
        kind = TABLE.get(unit.replace(currency, "EUR"), ("", 1.0))[0]
        target = shown.get(kind, unit)
        if kind == "energy price":
            target = declared_units.get(str(name), target)
        if group == "dual" or unit == target or array.dtype.kind not in "fiu":
            continue
        declared = target.replace(currency, "EUR")
        scale, base = factor(unit, declared, currency), factor(declared, declared)
        if scale and base:
            changed[name] = (array * (scale / base)).assign_attrs(array.attrs | {"units": target})
    return data.assign(changed)
