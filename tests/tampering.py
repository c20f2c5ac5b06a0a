"""Change one number of a result."""

import xarray as xr


def tampered(result: xr.DataTree, name: str, change: float) -> xr.DataTree:
    """Return a copy in which the last number of one array is another; `name` as in
    `ledger.battery.wear`.
    """
    changed = result.copy(deep=True)
    group, _, quantity = name.partition(".")
    array = changed[group][quantity].copy()
    array[..., -1] = array[..., -1] + change
    changed[group] = changed[group].to_dataset().assign({quantity: array})
    return changed


def replaced(result: xr.DataTree, name: str, step: int, value: float) -> xr.DataTree:
    """Return a copy in which every member of one array has another number in one step."""
    changed = result.copy(deep=True)
    group, _, quantity = name.partition(".")
    array = changed[group][quantity].copy()
    array[..., step] = value
    changed[group] = changed[group].to_dataset().assign({quantity: array})
    return changed
