"""Entries of the ledger by cause, and two results side by side."""

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import Problem, SchemaError
from ..solve.audit import mean_total
from ..solve.result import in_profit

CAUSES = ("energy", "reserve", "wear", "drivers", "grid", "penalties", "other")
WEAR = ("wear", "wear_charge", "wear_cycles", "wear_calendar")
_CAUSE_OF = {
    "energy.energy": "energy",
    "energy.spread": "energy",
    "imbalance.settlement": "energy",
    "connection.supply": "energy",
    "connection.feed_in": "energy",
    **{f"{part}.{entry}": "wear" for part in ("fleet", "battery") for entry in WEAR},
    "ppa.difference": "energy",
    "ppa.correction": "energy",
    "ppa.delivery": "energy",
    "ppa.shortfall": "energy",
    "fleet.drivers": "drivers",
    "chp.fuel": "energy",
    "chp.start": "wear",
    "hydrogen.sale": "energy",
    "hydrogen.wear": "wear",
    "hydrogen.wear_standby": "wear",
    "hydrogen.wear_start": "wear",
}


def side_by_side(one: xr.DataTree, other: xr.DataTree) -> pd.DataFrame:
    """Two results entry by entry: the sums of both ledgers over the horizon, by cause, and the
    change.

    Returns
    -------
    pandas.DataFrame
        ``cause``, ``entry``, ``one``, ``other``, ``change``; money of the results, in the order of
        `CAUSES`.

    Raises
    ------
    SchemaError
        The results are in different currencies.
    """
    money = [str(tree.attrs.get("currency", "EUR")) for tree in (one, other)]
    if money[0] != money[1]:
        raise SchemaError(
            [
                Problem(
                    "currency", "consistency", f"{money[0]} in one result, {money[1]} in the other"
                )
            ]
        )
    table = pd.DataFrame(
        {name: _sums(tree) for name, tree in (("one", one), ("other", other))}
    ).fillna(0.0)
    table["change"] = table["other"] - table["one"]
    table.insert(0, "entry", table.index)
    table.insert(0, "cause", [_cause(entry) for entry in table["entry"]])
    order = [CAUSES.index(cause) for cause in table["cause"]]
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _sums(result: xr.DataTree) -> dict[str, float]:
    """The ledger of a result summed over the horizon, the mean over scenarios."""
    probability = result.to_dataset().get("probability")
    entries = result["ledger"].to_dataset().data_vars.items()
    return {str(n): mean_total(x, probability) for n, x in entries}


def _cause(entry: str) -> str:
    if not in_profit(entry):
        return "penalties"
    by_part = {"reserve": "reserve", "connection": "grid"}
    return _CAUSE_OF.get(entry) or by_part.get(entry.partition(".")[0], "other")
