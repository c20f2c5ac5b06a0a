"""Groups of a result as people read them: the mean over scenarios, in the units of the page."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..case.units import TABLE, factor


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


def displayed(data: xr.Dataset, group: str, currency: str) -> xr.Dataset:
    """Inputs in the units that people read, whatever the file used: kW, kWh, per MWh (per kWh for
    what drivers see).
    """
    price = f"{currency}/{'kWh' if group in ('fleet', 'wear') else 'MWh'}"
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
        if group == "dual" or unit == target or array.dtype.kind not in "fiu":
            continue
        declared = target.replace(currency, "EUR")
        scale, base = factor(unit, declared, currency), factor(declared, declared)
        if scale and base:
            changed[name] = (array * (scale / base)).assign_attrs(array.attrs | {"units": target})
    return data.assign(changed)
