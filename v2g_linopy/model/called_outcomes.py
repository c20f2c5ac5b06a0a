"""What reserve offers may call together, read from a written plan (docs/formulation.md §3).

For replays alone: a `build` has the states of `accepted_offers`.
"""

from typing import Any

import xarray as xr


def called_outcomes(
    d: xr.Dataset, called: xr.DataArray, taken: xr.DataArray
) -> list[tuple[xr.DataArray, Any]]:
    """What all products together call, and how likely that is, for each set of accepted ones.

    Of one product the cheaper offers are accepted before the dearer ones.
    """
    called, taken = (x + xr.zeros_like(d.up) for x in (called, taken))
    nothing = 0.0 * called.isel(product=0, drop=True)
    found: list[tuple[xr.DataArray, Any]] = [(nothing, 1.0)]
    for mine in offers_in_order(d).values():
        some, p = called.isel(product=mine), taken.isel(product=mine)
        upto = [some.isel(product=slice(k)).sum("product") for k in range(len(mine) + 1)]
        bounds: list[Any] = [1.0, *(p.isel(product=k, drop=True) for k in range(len(mine))), 0.0]
        each = [(x, bounds[k] - bounds[k + 1]) for k, x in enumerate(upto)]
        found = [(total + x, likely * one) for total, likely in found for x, one in each]
    return found


def offers_in_order(d: xr.Dataset) -> dict[str, list[int]]:
    """The places of all offers of each product, as the file has them."""
    labels = of = d.indexes["product"].astype(str)
    if "offer_of" in d:
        of = d["offer_of"].broadcast_like(d["product"]).to_index().astype(str)
    found: dict[str, list[int]] = {}
    for place, name in enumerate(of):
        found.setdefault(name or labels[place], []).append(place)
    return found
