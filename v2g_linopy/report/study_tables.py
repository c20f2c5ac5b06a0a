"""Every number of a study of contracts, as tables."""

import pandas as pd
import xarray as xr

SWEEPS = ("term", "wear", "spread", "share")
MAPS = ("map_payment", "map_term")


def study_tables(study: xr.DataTree) -> dict[str, pd.DataFrame]:
    """Return the tables of a study by name, units in the names of the columns.

    Parameters
    ----------
    study : xarray.DataTree
        As `v2g.contract_study` returns it.

    Returns
    -------
    dict of str to pandas.DataFrame
        `positions` (a row for each step, local time with offset), `runs`, `sweeps`, `map`, `entry`,
        `contracts`, `preferred` and `owners`.
    """
    money = str(study.attrs["currency"])
    found = {
        "positions": _positions(study),
        "runs": _runs(study["runs"].to_dataset()),
        "sweeps": _sweeps(study),
        "map": _maps(study),
        "entry": entry_table(study),
        "contracts": study["contracts"].to_dataset().to_dataframe(),
        "preferred": study["preferred"].to_dataset().to_dataframe(),
        "owners": study["owners"].to_dataset().to_dataframe(),
    }
    with_index = ("runs", "entry", "preferred", "owners")
    return {
        name: _with_units(table.reset_index() if name in with_index else table, money)
        for name, table in found.items()
    }


_ENERGY = ("fed_in", "unserved", "energy", "called", "discharged", "missed", "capacity")
_MONEY = ("profit", "owners", "smart", "v2g", "gain", "payment", "paid", "own", "more")
_POWER = ("day_ahead", "imbalance", "drawn")


def _with_units(table: pd.DataFrame, money: str) -> pd.DataFrame:
    """Say the unit of each column in its name."""
    units = dict.fromkeys(_ENERGY, "kWh") | dict.fromkeys(_MONEY, money)
    units |= dict.fromkeys(_POWER, "kW") | {"called_same_stays": "kWh", "term": "h"}
    named = {n: f"{n}_{units[n]}" for n in map(str, table.columns) if n in units}
    return table.rename(columns=named)


def _positions(study: xr.DataTree) -> pd.DataFrame:
    """Return one row per run and step, on the local clock."""
    found = study["positions"].to_dataset()
    time = pd.DatetimeIndex(found.indexes["time"])
    local = time.tz_localize("UTC").tz_convert(str(study.attrs["timezone"]))
    clock = {m.tz_convert("UTC").tz_localize(None): m.isoformat(timespec="minutes") for m in local}
    table = found.to_dataframe().reset_index()
    table.insert(1, "local_time", [clock[moment] for moment in table.pop("time")])
    return table


def _runs(found: xr.Dataset) -> pd.DataFrame:
    """Return one row per run, with the sources of its profit where they are known."""
    table = found.drop_dims("source", errors="ignore").to_dataframe()
    if "by_source" not in found:
        return table
    sources = found["by_source"].to_series().unstack("source")
    return table.join(sources[found.indexes["source"]].add_prefix("from "))


def entry_table(study: xr.DataTree) -> pd.DataFrame:
    """Return the sessions of a study by type (rows) and reason (columns)."""
    count = study["entry"].to_dataset()["count"]
    wide = count.to_series().unstack("reason")
    return wide.reindex(index=count.indexes["type"], columns=count.indexes["reason"])


def _sweeps(study: xr.DataTree) -> pd.DataFrame:
    """Return one row per value of each number that was varied."""
    parts = []
    for name in SWEEPS:
        if name in study.children:
            table = study[name].to_dataset().to_dataframe().rename_axis("value").reset_index()
            table.insert(0, "varied", name)
            parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _maps(study: xr.DataTree) -> pd.DataFrame:
    """Return one row per point of each map."""
    parts = []
    for name in MAPS:
        if name in study.children:
            parts.append(map_table(study[name].to_dataset()))
    return pd.concat(parts, ignore_index=True)


def map_table(found: xr.Dataset) -> pd.DataFrame:
    """Return one row per point of a map of the gain: what was varied, the two values, the gain."""
    first, second = map(str, found["gain"].dims)
    flat = found["gain"].to_series().rename_axis(["x", "y"]).rename("gain").reset_index()
    return flat.assign(x_is=first, y_is=second)[["x_is", "x", "y_is", "y", "gain"]]
