"""Bands of sites as one table: a row for each value, with its unit and how far it is proved."""

import numpy as np
import pandas as pd
import xarray as xr

from ..flexibility.bands import NOT_VERIFIED

PLACES = ("edge", "direction", "hours", "price", "window")
_ENERGY = "energy"  # from the first step to the end of each


def band_table(bands: xr.DataTree) -> pd.DataFrame:
    """Return what `flexibility` has found, one value in each row.

    Parameters
    ----------
    bands : xarray.DataTree
        As of `v2g.flexibility`.

    Returns
    -------
    pandas.DataFrame
        Columns ``pod``, ``quantity`` (``power``, ``energy``, ``window_energy``, ``product``,
        ``shift``, ``shift_cost``), ``edge`` (``min``, ``max``), ``direction`` (``up``, ``down``),
        ``hours``, ``price`` (share of the market price), ``window``, ``start`` and ``end`` (local,
        ISO 8601 with offset), ``value``, ``unit`` and ``note``: empty, or that the value is a bound
        that was not verified. What a quantity does not have is empty.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> case = v2g.portfolio(vehicles=2, days=1, pods=2, reserve=False)
    >>> table = band_table(v2g.flexibility(case, nodes=0))
    >>> table.columns.tolist()[-3:], sorted(set(table["quantity"]))
    (['value', 'unit', 'note'], ['energy', 'power'])
    """
    found = bands["flexibility_bands"].to_dataset()
    names = [str(n) for n in found.data_vars if not str(n).endswith("_verified")]
    table = pd.concat([_rows(found, name) for name in names], ignore_index=True)
    step = pd.Timedelta(hours=float(bands.attrs["step_hours"]))
    held = pd.to_timedelta(table["hours"].astype(float), unit="h").fillna(step)
    start = table["window_start"].fillna(table["time"])
    table["end"] = table["window_end"].fillna(table["time"] + held)
    table["start"] = start.where(table["quantity"] != _ENERGY, found.indexes["time"][0])
    zone = str(bands.attrs.get("timezone") or "UTC")
    for name in ("start", "end"):
        local = pd.DatetimeIndex(table[name]).tz_localize("UTC").tz_convert(zone)
        table[name] = [moment.isoformat(timespec="minutes") for moment in local]
    columns = ["pod", "quantity", *PLACES, "start", "end", "value", "unit", "note"]
    return table[columns]


def _rows(found: xr.Dataset, name: str) -> pd.DataFrame:
    """Return the values of a quantity that exist; NaN and NaT where it has no such place."""
    values = found[name]
    table = values.to_dataframe(name="value").dropna(subset="value").reset_index()
    flags = found[f"{name}_verified"].to_dataframe(name="verified").reset_index()
    keys = [str(dim) for dim in values.dims]
    table = table.merge(flags[[*keys, "verified"]], on=keys)
    for place in (*PLACES, "time", "window_start", "window_end"):
        if place not in table:
            empty = np.nan if place in ("hours", "price") else ""
            table[place] = pd.NaT if "_" in place or place == "time" else empty
    table["quantity"], table["unit"] = name, values.attrs["units"]
    words = table["edge"].map(NOT_VERIFIED).fillna(NOT_VERIFIED["max"])
    if "price" in keys:
        words[:] = "not verified: the plan charges and discharges at once"
    table["note"] = words.where(table["verified"] == 0, "")
    return table
