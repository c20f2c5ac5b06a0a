"""What became of a menu in operation: who took which contract, what was called, and which contract
each type would prefer at the calls that happened (docs/formulation.md §10).
"""

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..model.contracts import FIELDS, GROUP, contract_of
from ..model.owner_payments import owed_by_session

NONE = "none"
"""In place of a contract, for owners who would rather have none."""
_NEAR = 1e-9
_AGREED = ("contract", "contract_energy", "contract_payment", "type", "contract_reason")
_CALLED = ("energy_called", "energy_discharged")


def has_contracts(result: xr.DataTree) -> bool:
    """Return True where sessions were offered a menu, and operated under it."""
    if not {"sessions", "contract"} <= set(result.children):
        return False
    sessions = result.children["sessions"].to_dataset(inherit=False)
    return {*_AGREED, *_CALLED} <= set(sessions.data_vars) and "theta" in result["contract"]


def entry_counts(result: xr.DataTree) -> pd.DataFrame:
    """Return how many sessions of each type took a contract, or why they have none.

    Parameters
    ----------
    result : xarray.DataTree
        As `simulate` returns it with contracts.

    Returns
    -------
    pandas.DataFrame
        Sessions by type (rows, in the order of the menu) and reason (columns, `taken` first).

    Raises
    ------
    SchemaError
        No menu was offered.

    Examples
    --------
    >>> import v2g_linopy as v2g
    >>> from v2g_linopy.study.contract_outcome import entry_counts
    >>> offered = v2g.menu(theta=[1.0], share=1.0, wear=0.01, term=3, power=11, utility_scale=0.2)
    >>> case = v2g.with_contracts(v2g.charging_station(vehicles=2, days=2), offered)
    >>> entry_counts(case).sum(axis=1).to_dict()
    {'1': 3}
    """
    sessions = _sessions(result, _AGREED)
    counts = pd.crosstab(sessions["type"], sessions["contract_reason"])
    types = [str(x) for x in result["contract"].to_dataset().indexes["type"]]
    found = [reason for reason in counts.columns if reason != "taken"]
    return counts.reindex(index=types, columns=["taken", *found], fill_value=0)


def contracts_taken(result: xr.DataTree) -> pd.DataFrame:
    """Return what each contract of a menu came to: what was sold, called, given and paid.

    Parameters
    ----------
    result : xarray.DataTree
        As `simulate` returns it with contracts.

    Returns
    -------
    pandas.DataFrame
        A row for each contract that was taken, in the order of the menu: `made_for` (type),
        `term` (h), `energy` (kWh), `payment` (money), `sessions`, `called` and `discharged` (kWh in
        the mean of them), `missed` (kWh, called and not given by the owner), `paid` (money in all)
        and `paid_per_kWh` (of what was discharged).

    Raises
    ------
    SchemaError
        No menu was offered, or nothing was operated under it.
    """
    sessions = _sessions(result, (*_AGREED, *_CALLED))
    taken = sessions[sessions["contract"] >= 0].assign(paid=paid_by_session(result))
    types = [str(x) for x in result["contract"].to_dataset().indexes["type"]]
    taken["made_for"] = [types[int(k)] for k in taken["contract"]]
    taken["missed"] = (taken["energy_called"] - taken["energy_discharged"]).clip(lower=0.0)
    keys = ["contract", "made_for", "contract_term", "contract_energy", "contract_payment"]
    groups = taken.groupby(keys, sort=True, dropna=False)
    table = groups.agg(
        sessions=("contract", "size"),
        called=("energy_called", "mean"),
        discharged=("energy_discharged", "mean"),
        missed=("missed", "sum"),
        paid=("paid", "sum"),
    ).reset_index()
    given = table["discharged"] * table["sessions"]
    table["paid_per_kWh"] = (table["paid"] / given).where(given > _NEAR)
    names = {"contract_term": "term", "contract_energy": "energy", "contract_payment": "payment"}
    return table.drop(columns="contract").rename(columns=names)


def preferred_contracts(result: xr.DataTree, called: pd.Series | None = None) -> pd.DataFrame:
    """Return which contract each type would prefer at the calls that happened.

    An owner of type m who knows that on average x kWh are called of a contract with the payment g
    gains g - a x / theta_m by it. A menu that was designed for calls in full need not be the best
    for such owners where contracts are called unevenly.

    Parameters
    ----------
    result : xarray.DataTree
        As `simulate` returns it with contracts.
    called : pandas.Series, optional
        Mean energy called (kWh) of each contract, on the rows of `contracts_taken`; by default that
        of the sessions that took it. Stays that differ are called differently: the same stays under
        each contract, as `contract_study` has them, say more.

    Returns
    -------
    pandas.DataFrame
        A row for each type: `type`, `own` (the gain by the contract made for it, money; NaN where
        nobody took it), `prefers` (the type whose contract is best for it, or none), `gain` (by
        that one) and `more` (than by its own, or by none where it has none).

    Raises
    ------
    SchemaError
        No menu was offered, or nothing was operated under it.
    """
    menu, taken = menu_of(result), contracts_taken(result)
    expected = (taken["called"] if called is None else called).to_numpy(dtype=float)
    rows = []
    for name, theta in zip(menu.indexes["type"].astype(str), menu.theta.to_numpy(), strict=True):
        gain = taken["payment"].to_numpy() - float(menu.wear) * expected / theta
        mine = gain[(taken["made_for"] == name).to_numpy()]
        own = float(mine.max()) if len(mine) else np.nan
        best = int(np.nanargmax(gain)) if len(gain) and not np.isnan(gain).all() else -1
        reached = 0.0 if np.isnan(own) else own
        better = best >= 0 and gain[best] > max(reached, 0.0) + _NEAR
        keeps = name if not np.isnan(own) and own >= -_NEAR else NONE
        rows.append(
            {
                "type": name,
                "own": own,
                "prefers": str(taken["made_for"].iloc[best]) if better else keeps,
                "gain": float(gain[best]) if better else max(reached, 0.0),
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(more=table["gain"] - table["own"].fillna(0.0))


def menu_of(result: xr.DataTree) -> xr.Dataset:
    """Return the menu that was offered in a result, in coherent units."""
    group = result["contract"].to_dataset()
    kept = group[[f.name for f in FIELDS if f.name in group]]
    root = xr.Dataset(attrs=result.attrs)
    return contract_of(xr.DataTree.from_dict({"/": root, f"/{GROUP}": kept}))


def paid_by_session(result: xr.DataTree) -> np.ndarray:
    """Return what is owed for each session with a contract, in their order (money)."""
    sessions = result.children["sessions"].to_dataset(inherit=False)
    agreed = sessions.isel(session=np.flatnonzero(sessions.contract.to_numpy() >= 0))
    return owed_by_session(agreed, menu_of(result)).to_numpy()


def _sessions(result: xr.DataTree, needed: tuple[str, ...]) -> pd.DataFrame:
    """Return `/sessions` of a result whose sessions were offered a menu."""
    group = xr.Dataset()
    if "sessions" in result.children:
        group = result.children["sessions"].to_dataset(inherit=False)
    lacking = [name for name in needed if name not in group]
    if lacking or "contract" not in result.children:
        detail = f"missing {', '.join(lacking) or '/contract'}: operate it with contracts"
        raise SchemaError([Problem("sessions", "missing", detail)], source="the result")
    names = [n for n, x in group.data_vars.items() if x.dims == ("session",)]
    table = group[names].to_dataframe()
    for name in ("type", "contract_reason"):
        table[name] = table[name].astype(str)
    return table
